/* The matrix: {super-frames, frames of 1514 bytes} x {loss, urgent data, ECN, AccECN, TCP-AO, an
 * MTU cut in flight} x {IPv4, IPv6}, and some of these at once.
 *
 * A cell is one connection of the simulation, through net/ of both hosts in frames of an Ethernet,
 * over which both ends send 3 MB at the same time. Every octet has to be the right one, every
 * invariant holds at every step, the connection ends in order and leaves no memory behind. And the
 * cell has to be one: its mechanism was at work in both directions, it did to the wire what its RFC
 * says and to the other mechanisms nothing.
 *
 *     matrix [--verbose] [PATTERN…]     a line a cell whose name contains one of the patterns
 *
 * Super-frames are what a device splits: the same header for each segment but for the sequence
 * number and the flags that belong to the first or the last. What would be wrong then has to go in
 * single segments through the same device: urgent data (one pointer), signatures (one MAC), and the
 * CWR bit, which the device leaves to the first segment alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nic.h"
#include "signing.h"
#include "users.h"

#define BYTES 3000000u
#define PORT 80
#define MTU 1500u
#define ETHERNET_HEADER 14u
#define CUT_V4 900u
#define CUT_V6 1280u
#define OPEN_AT (4 * NS_PER_S)   /* the addresses are there (RFC 4862) */
#define CUT_AFTER (NS_PER_S / 4) /* of the opening, with data on the wire */
#define URGENT_EVERY 300000u
#define URGENT_BYTES 1000u
#define URGENT_MARKS 16u
#define FORGED_EVERY 150u /* data segments */
#define FORGERIES 4u

enum {
    LOSS = 1,
    URGENT = 2,
    ECN = 4,
    ACCECN = 8,
    AO = 16,
    CUT = 32,
    MD5 = 64,
    ROLLOVER = 128,
    REORDER = 256
};

static const struct {
    const char *name;
    unsigned what;
} rows[] = {
    {"loss", LOSS},
    {"urgent", URGENT},
    {"ecn", ECN},
    {"accecn", ACCECN},
    {"ao", AO},
    {"mtu", CUT},
    /* at once */
    {"md5", MD5},
    {"ao+rollover", AO | ROLLOVER},
    {"loss+ao", LOSS | AO},
    {"loss+md5", LOSS | MD5},
    {"loss+ecn", LOSS | ECN},
    {"loss+accecn", LOSS | ACCECN},
    {"loss+urgent", LOSS | URGENT},
    {"loss+mtu", LOSS | CUT},
    {"reorder+accecn", REORDER | ACCECN},
    {"mtu+ao", CUT | AO},
    {"mtu+urgent", CUT | URGENT},
    {"mtu+accecn", CUT | ACCECN},
    {"urgent+accecn", URGENT | ACCECN},
    {"urgent+ao", URGENT | AO},
    {"accecn+ao", ACCECN | AO},
    {"all", LOSS | URGENT | ACCECN | AO | ROLLOVER | CUT},
};

/* What was seen of one host. */
struct seen {
    uint32_t largest, largest_urgent; /* bytes of IP packet in a frame */
    uint64_t segments, unsigned_segments, other_family;
    uint64_t wide_before, wide_after; /* longer than the cut, before it was told of it and since */
    uint64_t reductions;              /* by ECN, and the window was smaller then */
    uint32_t cwnd;
    uint64_t cwr_entries;
    uint64_t marks[URGENT_MARKS]; /* stream offsets that it sent as urgent */
    unsigned n_marks;
    unsigned marks_found; /* of the peer's, each at its octet */
    unsigned forged;      /* in its name */
    uint64_t data_segments;
};

struct cell {
    struct users users; /* first: what world.users points to */
    struct world world;
    struct nic nic[2];
    struct signing signing;
    unsigned what;
    bool tso, v6;
    uint32_t cut;
    struct seen seen[2];
    bool (*act)(struct world *w); /* of the users */
    int64_t took_ns;              /* until all was delivered */
    char name[64];
};

static struct cell *cell_of(const struct world *w)
{
    return w->users;
}

/* ---- on the wire ---- */

static uint32_t ip_header(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) ? 20 : 40;
}

static void on_frame(void *ctx, const struct link *link, const struct tcp_tx *tx)
{
    struct world *w = ctx;
    struct seen *s = &cell_of(w)->seen[link - w->link];
    uint32_t length = ip_header(&tx->src) + tx->header_len + tx->payload_len;
    s->largest = length > s->largest ? length : s->largest;
    if (tx->header[13] & TCP_URG && length > s->largest_urgent) {
        s->largest_urgent = length;
    }
}

/* Somebody who sees the segment and knows no key sends another in its name, ahead of it: with an
 * octet altered, without the signature, a reset, with a key that is not there. */
static void forge(struct world *w, unsigned i, const struct wire_segment *s,
                  const struct tcp_hdr *h, const struct tcp_opts *o)
{
    size_t size = sizeof(*s) + s->length;
    struct wire_segment *copy = malloc(size);
    memcpy(copy, s, size);
    uint8_t *option = copy->bytes + (o->mac - s->bytes) - (o->has_ao ? 4 : 2);
    unsigned kind = cell_of(w)->seen[i].forged++ % FORGERIES;
    copy->bytes[h->header_len] ^= 1;
    if (kind == 1 || kind == 2) {
        memset(option, TCP_OPT_NOP, option[1]);
    }
    if (kind == 2) {
        copy->length = h->header_len;
        copy->bytes[13] = TCP_RST | TCP_ACK;
    }
    if (kind == 3 && o->has_ao) {
        option[2] = 99;
    }
    link_inject(&w->link[i], w->now, copy);
    free(copy);
}

static bool on_segment(void *ctx, const struct link *link, ackd_time now,
                       const struct wire_segment *s)
{
    struct world *w = ctx;
    struct cell *c = cell_of(w);
    unsigned i = (unsigned)(link - w->link);
    struct seen *seen = &c->seen[i];
    struct tcp_hdr h;
    struct tcp_opts o;
    (void)now;
    if (!tcp_hdr_parse(s->bytes, s->length, &h)) {
        world_fail(w, "%s: sent what is no segment", w->host[i].name);
        return true;
    }
    tcp_opts_parse(s->bytes, &h, &o);
    seen->segments++;
    seen->data_segments += s->length > h.header_len;
    seen->other_family += ip_addr_is_v4(&s->src) == c->v6;
    seen->unsigned_segments += c->what & MD5 ? !o.has_md5 : !o.has_ao;
    if (s->length + ip_header(&s->src) > c->cut) {
        bool told = tcp_counters(w->host[i].engine)->pmtu_reductions > 0;
        seen->wide_after += told;
        seen->wide_before += !told;
    }
    if (c->signing.algorithm != TCP_KEY_NONE && s->length > h.header_len &&
        seen->data_segments % FORGED_EVERY == 0) {
        forge(w, i, s, &h, &o);
    }
    return true;
}

/* ---- what the users do besides ---- */

static bool send_urgent(struct world *w, struct cell *c, unsigned i)
{
    struct user *me = &c->users.flow[0].user[i];
    struct seen *s = &c->seen[i];
    if (!me->connected || me->closed || s->n_marks == URGENT_MARKS ||
        me->sent < (s->n_marks + 1) * URGENT_EVERY || me->sent + URGENT_BYTES > me->to_send ||
        tcp_send_room(me->host->engine, me->id) < (int64_t)URGENT_BYTES) {
        return false;
    }
    uint8_t data[URGENT_BYTES];
    pattern_fill(data, me->salt_out, me->sent, sizeof(data));
    int64_t taken = tcp_send(me->host->engine, w->now, me->id, data, sizeof(data), TCP_SEND_URGENT);
    if (taken != (int64_t)sizeof(data)) {
        world_fail(w, "%s: tcp_send of urgent data: %" PRId64, me->host->name, taken);
        return false;
    }
    me->sent += sizeof(data);
    s->marks[s->n_marks++] = me->sent;
    return true;
}

/* The mark that the engine tells is the next of the peer's, before it was read past. */
static void find_mark(struct world *w, struct cell *c, unsigned i)
{
    struct user *me = &c->users.flow[0].user[i];
    struct seen *s = &c->seen[i];
    const struct seen *peer = &c->seen[1 - i];
    struct tcp_received got;
    if (!me->connected || tcp_peek(me->host->engine, me->id, me->received, 0, &got) != 0 ||
        !got.urgent || (s->marks_found > 0 && got.urgent_mark == peer->marks[s->marks_found - 1])) {
        return;
    }
    if (s->marks_found == peer->n_marks || got.urgent_mark != peer->marks[s->marks_found]) {
        world_fail(w, "%s: an urgent mark at %" PRIu64 ", where none was sent", me->host->name,
                   got.urgent_mark);
        return;
    }
    s->marks_found++;
}

static void watch_window(struct world *w, struct cell *c, unsigned i)
{
    struct seen *s = &c->seen[i];
    struct tcp_info info = host_info(&w->host[i], c->users.flow[0].user[i].id);
    uint64_t entries = tcp_counters(w->host[i].engine)->cwr_entries;
    if (entries > s->cwr_entries) {
        s->reductions += info.ssthresh_bytes < s->cwnd;
        s->cwr_entries = entries;
    }
    s->cwnd = info.cwnd_bytes;
}

static bool act(struct world *w)
{
    struct cell *c = cell_of(w);
    bool any = false;
    for (unsigned i = 0; i < 2; i++) {
        if (c->what & URGENT) {
            find_mark(w, c, i);
            any = send_urgent(w, c, i) || any;
        }
        if (c->what & (ECN | ACCECN)) {
            watch_window(w, c, i);
        }
    }
    return c->act(w) || any;
}

/* ---- a cell's life ---- */

static void configure(struct cell *c, struct world_config *config)
{
    bool cut = c->what & CUT, loss = c->what & LOSS, marks = c->what & (ECN | ACCECN);
    world_config_default(config, 1 + c->what);
    if (c->v6) {
        ip_addr_parse("2001:db8::1", &config->addr[0]);
        ip_addr_parse("2001:db8::2", &config->addr[1]);
    }
    c->cut = c->v6 ? CUT_V6 : CUT_V4;
    for (unsigned i = 0; i < 2; i++) {
        config->profile[i] = (struct link_profile){
            .mtu = MTU,
            .delay_ns = 10 * NS_PER_MS,
            .poll_ns = c->tso ? 5 * NS_PER_MS : 100 * NS_PER_US,
            .rate_bps = 40000000,
            .queue_bytes = 8000000, /* no more than what the windows allow */
            .loss_ppm = loss ? 10000 : 0,
            .reorder_ppm = c->what & REORDER ? 20000 : 0,
            .reorder_ns = 5 * NS_PER_MS,
            .mark_ppm = marks ? 5000 : 0,
            .hop_mtu = cut ? c->cut : 0,
            .hop_from = time_from_ns(OPEN_AT + CUT_AFTER),
            .hop_until = TIME_NEVER,
            .hop_tells = true,
            .merge = c->tso,
        };
        config->device[i] = (struct tcp_link){
            .checksum_offload = c->tso, .tso = c->tso, .max_frame = c->tso ? 65535 : MTU};
    }
}

static void users_alike(struct cell *c)
{
    struct users *u = &c->users;
    struct flow *f = &u->flow[0];
    rng_init(&u->rng, c->what, 1);
    u->n = 1;
    f->host[1] = 1;
    f->port = PORT;
    f->open_at = time_from_ns(OPEN_AT);
    for (unsigned i = 0; i < 2; i++) {
        struct tcp_options *o = &f->options[i];
        tcp_options_default(o);
        o->rcv_buffer_max = o->snd_buffer_max = 0;          /* as they are */
        o->snd_buffer = c->what & URGENT ? 65536 : 1 << 20; /* one mark at a time */
        o->ecn = c->what & ACCECN ? TCP_ECN_ACCURATE
                 : c->what & ECN  ? i == 0 ? TCP_ECN_ON : TCP_ECN_PASSIVE
                                  : TCP_ECN_OFF;
        f->user[i] = (struct user){.chunk = 65536,
                                   .pause_at = UINT64_MAX,
                                   .to_send = BYTES,
                                   .to_receive = BYTES,
                                   .salt_out = 1 + i,
                                   .salt_in = 2 - i,
                                   .close_after_end = true};
    }
}

static bool delivered(struct world *w)
{
    const struct flow *f = &cell_of(w)->users.flow[0];
    return f->user[0].received == BYTES && f->user[1].received == BYTES;
}

static void begin(struct cell *c, bool verbose)
{
    struct world_config config;
    struct world *w = &c->world;
    configure(c, &config);
    users_alike(c);
    world_init(w, &config);
    w->verbose = verbose;
    if (c->what & (AO | MD5)) {
        signing_begin(&c->signing, w, 1,
                      c->what & MD5 ? TCP_KEY_MD5
                      : c->v6       ? TCP_KEY_AES_128_CMAC_96
                                    : TCP_KEY_HMAC_SHA1_96,
                      c->what & ROLLOVER ? 2 : 1);
    }
    nic_init(c->nic, w, config.device, MTU);
    users_start(&c->users, w);
    c->act = w->act;
    w->act = act;
    for (unsigned i = 0; i < 2; i++) {
        w->link[i].filter = on_segment;
        w->link[i].frame = on_frame;
    }
}

/* ---- what a cell is for ---- */

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            world_fail(w, __VA_ARGS__);                                                            \
        }                                                                                          \
    } while (0)

static void check_frames(struct cell *c, unsigned i)
{
    struct world *w = &c->world;
    const struct seen *s = &c->seen[i];
    const char *name = w->host[i].name;
    bool single = !c->tso || c->what & (AO | MD5);
    EXPECT(c->nic[i].largest == s->largest + ETHERNET_HEADER && c->nic[i].others > 0,
           "%s: frames of %u octets, %" PRIu64 " of ARP or ND", name, c->nic[i].largest,
           c->nic[i].others);
    EXPECT(s->other_family == 0, "%s: segments of the other family", name);
    EXPECT(single || s->largest > MTU, "%s: no super-frame, %u bytes at most", name, s->largest);
    EXPECT(!single || s->largest <= MTU, "%s: a frame of %u bytes", name, s->largest);
    EXPECT(s->largest_urgent <= MTU, "%s: a super-frame of %u bytes with URG", name,
           s->largest_urgent);
}

static void check_loss(struct cell *c, unsigned i)
{
    struct world *w = &c->world;
    const struct tcp_counters *k = tcp_counters(w->host[i].engine);
    const char *name = w->host[i].name;
    if (c->what & LOSS) {
        EXPECT(w->link[i].stats.lost > 0 && k->retrans_segs > 0 && k->fast_recoveries > 0,
               "%s: %" PRIu64 " segments lost, %" PRIu64 " sent again", name, w->link[i].stats.lost,
               k->retrans_segs);
        return;
    }
    if (c->what & REORDER) { /* looks like it */
        return;
    }
    uint64_t again = c->what & CUT ? w->link[i].stats.too_big * 2 : 0;
    EXPECT(k->rto_timeouts == 0 && k->fast_recoveries == 0 && k->retrans_segs <= again,
           "%s: %" PRIu64 " timeouts, %" PRIu64 " recoveries, %" PRIu64
           " segments sent again without loss",
           name, k->rto_timeouts, k->fast_recoveries, k->retrans_segs);
}

static void check_urgent(struct cell *c, unsigned i)
{
    struct world *w = &c->world;
    EXPECT(c->seen[i].n_marks >= 5 && c->seen[1 - i].marks_found == c->seen[i].n_marks,
           "%s: %u urgent marks sent, %u found by the peer", w->host[i].name, c->seen[i].n_marks,
           c->seen[1 - i].marks_found);
}

/* Marks of link i: seen by the peer of host i, told, and obeyed by host i. */
static void check_ecn(struct cell *c, unsigned i)
{
    struct world *w = &c->world;
    const struct tcp_counters *k = tcp_counters(w->host[i].engine),
                              *peer = tcp_counters(w->host[1 - i].engine);
    const char *name = w->host[i].name;
    /* ACKs that jump ahead may have wrapped the field: then a whole turn more may be assumed, never
     * less (RFC 9768 section 3.2.2.5.2). */
    bool jumps = c->what & (LOSS | CUT | REORDER);
    uint64_t marked = w->link[i].stats.marked;
    EXPECT(marked > 0 && peer->ecn_ce_received == marked,
           "%s: %" PRIu64 " segments marked, %" PRIu64 " arrived", name, marked,
           peer->ecn_ce_received);
    EXPECT(c->seen[i].reductions > 0 &&
               (c->seen[i].reductions == k->cwr_entries || c->what & (LOSS | CUT | REORDER)),
           "%s: %" PRIu64 " answers to marks, %" PRIu64 " of them reduced the window", name,
           k->cwr_entries, c->seen[i].reductions);
    struct tcp_info me = host_info(&w->host[i], c->users.flow[0].user[i].id),
                    it = host_info(&w->host[1 - i], c->users.flow[0].user[1 - i].id);
    if (c->what & ECN) {
        EXPECT(me.ecn_ok && !me.accecn_ok && k->ecn_ece_received > 0 && k->ecn_cwr_sent > 0,
               "%s: ECN %d, %" PRIu64 " echoes received, %" PRIu64 " answered with CWR", name,
               me.ecn_ok, k->ecn_ece_received, k->ecn_cwr_sent);
        return;
    }
    uint64_t more = me.echoed_ce_packets - marked;
    EXPECT(me.accecn_ok && it.ce_packets == marked && (jumps ? more % 8 == 0 && more < 128 : !more),
           "%s: AccECN %d; %" PRIu64 " marked, the peer counts %u, we %u", name, me.accecn_ok,
           marked, it.ce_packets, me.echoed_ce_packets);
}

static void check_signatures(struct cell *c, unsigned i)
{
    struct world *w = &c->world;
    const struct seen *s = &c->seen[i];
    const uint64_t *drops = tcp_counters(w->host[1 - i].engine)->drops;
    const char *name = w->host[i].name;
    unsigned of_kind[FORGERIES];
    for (unsigned k = 0; k < FORGERIES; k++) {
        of_kind[k] = (s->forged + FORGERIES - 1 - k) / FORGERIES;
    }
    unsigned unknown = c->what & MD5 ? 0 : of_kind[3];
    EXPECT(s->segments > 0 && s->unsigned_segments == 0, "%s: %" PRIu64 " segments unsigned", name,
           s->unsigned_segments);
    EXPECT(s->forged > FORGERIES &&
               drops[TCP_DROP_AUTH_MISSING] == (uint64_t)of_kind[1] + of_kind[2] &&
               drops[TCP_DROP_AUTH_KEY_UNKNOWN] == unknown &&
               drops[TCP_DROP_AUTH_BAD_MAC] == s->forged - of_kind[1] - of_kind[2] - unknown,
           "%s: %u forged; dropped %" PRIu64 " unsigned, %" PRIu64 " of no key, %" PRIu64
           " with a wrong MAC",
           name, s->forged, drops[TCP_DROP_AUTH_MISSING], drops[TCP_DROP_AUTH_KEY_UNKNOWN],
           drops[TCP_DROP_AUTH_BAD_MAC]);
    struct tcp_info info = host_info(&w->host[i], c->users.flow[0].user[i].id);
    EXPECT(info.auth_algorithm == c->signing.algorithm, "%s: algorithm %u", name,
           info.auth_algorithm);
    EXPECT(!(c->what & ROLLOVER) || info.auth_key_changes > 0, "%s: the key never changed", name);
}

static void check_cut(struct cell *c, unsigned i)
{
    struct world *w = &c->world;
    const struct seen *s = &c->seen[i];
    const char *name = w->host[i].name;
    struct tcp_info info = host_info(&w->host[i], c->users.flow[0].user[i].id);
    EXPECT(s->wide_before > 20 && w->link[i].stats.too_big > 0 && w->link[i].stats.icmp_sent > 0,
           "%s: %" PRIu64 " long segments before the cut, %" PRIu64 " refused", name,
           s->wide_before, w->link[i].stats.too_big);
    EXPECT(tcp_counters(w->host[i].engine)->pmtu_reductions == 1 && info.path_mtu_bytes == c->cut,
           "%s: the path MTU is %u", name, info.path_mtu_bytes);
    EXPECT(s->wide_after == 0, "%s: %" PRIu64 " segments longer than the path takes", name,
           s->wide_after);
}

static void check(struct cell *c)
{
    for (unsigned i = 0; i < 2; i++) {
        check_frames(c, i);
        check_loss(c, i);
        if (c->what & URGENT) {
            check_urgent(c, i);
        }
        if (c->what & (ECN | ACCECN)) {
            check_ecn(c, i);
        }
        if (c->what & (AO | MD5)) {
            check_signatures(c, i);
        }
        if (c->what & CUT) {
            check_cut(c, i);
        }
    }
}

/* ---- the run ---- */

static bool step(struct cell *c)
{
    struct world *w = &c->world;
    bool more = world_step(w, time_from_ns(3600 * NS_PER_S));
    if (c->what & ROLLOVER) {
        signing_step(&c->signing, w, &c->users);
    }
    return more;
}

static void transfer(struct cell *c)
{
    struct world *w = &c->world;
    world_settle(w);
    while (!delivered(w) && step(c)) {
    }
    if (!delivered(w)) {
        world_fail(w, "received %" PRIu64 " and %" PRIu64 " of %u bytes",
                   c->users.flow[0].user[0].received, c->users.flow[0].user[1].received, BYTES);
        return;
    }
    c->took_ns = time_diff(w->now, c->users.flow[0].open_at);
    world_pass(w, NS_PER_S); /* the last of what each has to tell the other */
    check(c);
    c->users.flow[0].user[0].close_after_end = false;
    world_settle(w);
    while (!users_done(w) && step(c)) {
    }
    EXPECT(users_done(w), "the connection did not end");
    for (unsigned i = 0; i < 2; i++) {
        tcp_metrics_clear(w->host[i].engine, NULL);
        EXPECT(host_used(&w->host[i]) == w->host[i].baseline, "%s: %zu bytes stay in use",
               w->host[i].name, host_used(&w->host[i]) - w->host[i].baseline);
    }
}

/* Runs a cell; false when it failed. */
static bool run(struct cell *c, bool verbose)
{
    struct world *w = &c->world;
    begin(c, verbose);
    transfer(c);
    const struct tcp_counters *k = tcp_counters(w->host[0].engine);
    printf("%-4s %-24s %4" PRId64 " ms, frames up to %5u bytes, %3" PRIu64
           " segments again, %2" PRIu64 " marked, %2u forged\n",
           w->failure[0] == 0 ? "ok" : "FAIL", c->name, c->took_ns / NS_PER_MS, c->nic[0].largest,
           k->retrans_segs, w->link[0].stats.marked, c->seen[0].forged);
    if (w->failure[0] != 0) {
        printf("     %s\n", w->failure);
        if (verbose) {
            world_diagnose(w, stdout);
        }
    }
    bool good = w->failure[0] == 0;
    nic_free(c->nic);
    world_free(w);
    return good;
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") != 0) {
            any = true;
            if (strstr(name, argv[i]) != NULL) {
                return true;
            }
        }
    }
    return !any;
}

int main(int argc, char **argv)
{
    bool verbose = false;
    unsigned passed = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        verbose = verbose || strcmp(argv[i], "--verbose") == 0;
    }
    for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (unsigned k = 0; k < 4; k++) {
            struct cell *c = calloc(1, sizeof(*c));
            c->what = rows[r].what;
            c->tso = k < 2;
            c->v6 = k % 2;
            snprintf(c->name, sizeof(c->name), "%s-%s-%s", c->tso ? "tso" : "1514", rows[r].name,
                     c->v6 ? "ipv6" : "ipv4");
            if (wanted(c->name, argc, argv)) {
                run(c, verbose) ? passed++ : failed++;
            }
            free(c);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
