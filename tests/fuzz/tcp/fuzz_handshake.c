/* How connections begin and what outlives them: listeners of every kind, handshakes that wait, are
 * cookies (RFC 4987), or carry data (RFC 7413); SYNs with any options; ports, and what one
 * connection leaves to the next (RFC 9040); TIME-WAIT; segments of the past that come again.
 *
 * The oracles are those of pair.h, and: what a handshake agreed on is what both ends had offered.
 */
#include "pair.h"

#define STASH 4u

static const char *const text[] = {"192.0.2.9", "2001:db8::9"};

/* Segments that were seen, to come again at any time. */
struct stash {
    struct parcel parcel[STASH];
    unsigned n;
};

/* ---- the beginning ---- */

static void side_of(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_config c;
    uint8_t traits = take_u8(in), more = take_u8(in);
    pair_config(&c);
    c.accept_ended = traits & 1;
    c.piggyback_acks = traits & 2;
    c.max_metrics = traits >> 2 & 3;
    c.max_syn_received = 1 + (traits >> 4 & 3);
    c.max_time_wait = traits & 64 ? 1 : 3;
    c.port_last = traits & 128 ? c.port_first + 2 : c.port_last;
    c.defaults.fast_open_queue = more & 1 ? 2 : 0;
    c.defaults.fast_open_no_cookie = more & 2;
    c.defaults.syn_cookies = (more >> 2 & 3) % 3;
    c.defaults.ecn = more >> 4 & 3;
    for (unsigned n = more >> 6; n > 0; n--) {
        change_option(&c.defaults, in);
    }
    c.defaults.require_auth = false;
    struct tcp_link link = {.max_frame = MTU};
    side_init(w, i, &c, &link);
}

/* The side's own, one thing changed; NULL where a bit of `how` says so. */
static const struct tcp_options *options_of(struct world *w, unsigned i, bool own,
                                            struct tcp_options *o, struct bytes *in)
{
    if (!own) {
        return NULL;
    }
    *o = *tcp_defaults(w->side[i].engine);
    change_option(o, in);
    o->require_auth = false;
    return o;
}

static void open_one(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    struct tcp_options o;
    uint8_t ports = take_u8(in), how = take_u8(in);
    uint64_t id;
    struct tcp_open_args a = {
        .tuple = {.local = s->addr, .remote = w->side[1 - i].addr}, .mtu = MTU, .owner = 1};
    a.tuple.local_port = ports % 4;
    a.tuple.remote_port = 1 + ports / 4 % 3;
    if ((ports & 0xf0) == 0xf0) { /* itself */
        a.tuple.remote = s->addr;
        a.tuple.remote_port = a.tuple.local_port;
    } else if ((ports & 0xf0) == 0xe0) { /* nobody */
        memset(&a.tuple.remote, ports & 1 ? 0 : 0xff, sizeof a.tuple.remote);
    }
    a.options = options_of(w, i, how & 1, &o, in);
    a.fast_open = how & 2;
    int64_t room = tcp_fast_open_room(s->engine, w->now, &a);
    FUZZ_CHECK(room < MTU);
    a.data = stream_at(0);
    a.length = how & 4 ? 0 : how & 8 ? 100 : 2000;
    if (tcp_open(s->engine, w->now, &a, &id) == 0) {
        know(w, i, id);
        int64_t taken = tcp_send_offset(s->engine, id);
        FUZZ_CHECK(taken >= 0 && taken <= (int64_t)a.length);
    }
}

static void listen_one(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    struct tcp_options o;
    uint8_t how = take_u8(in), whom = take_u8(in);
    uint64_t id;
    struct tcp_listen_args a = {.backlog = 1 + how / 4 % 3, .owner = 1};
    a.tuple.local_port = how % 4;
    a.tuple.local = how & 16 ? s->addr : a.tuple.local;
    a.v6_only = whom & 1;
    a.v4_only = whom & 2;
    a.tuple.remote = whom & 4 ? w->side[1 - i].addr : a.tuple.remote;
    a.tuple.remote_port = whom & 8 ? 1 + whom / 16 % 4 : 0;
    a.options = options_of(w, i, how & 32, &o, in);
    if (tcp_listen(s->engine, w->now, &a, &id) == 0) {
        know(w, i, id);
    }
}

/* ---- the forger ---- */

/* A SYN from anywhere, with whatever options, or an ACK that pretends to have had one. */
static void forge_syn(struct world *w, unsigned to, struct bytes *in)
{
    uint8_t bytes[TCP_HEADER_MAX + 64] = {0};
    uint8_t ports = take_u8(in), how = take_u8(in), n = take_u8(in) % 41;
    struct tcp_hdr h = {
        .sport = (uint16_t)(1 + ports % 16),
        .dport = (uint16_t)(1 + ports / 16 % 3),
        .seq = seq_of((uint32_t)take_u16(in) << 16),
        .flags = (uint16_t)(how & 1 ? TCP_ACK : TCP_SYN | (how & 0xe8) | (how & 2 ? TCP_AE : 0)),
        .window = 1000,
        .header_len = (uint8_t)(TCP_HEADER_MIN + (n & ~3u))};
    h.ack = seq_of(how & 1 ? take_u32(in) : 0);
    for (unsigned k = 0; k < n; k++) {
        bytes[TCP_HEADER_MIN + k] = take_u8(in);
    }
    tcp_hdr_build(bytes, &h);
    struct parcel p = {.src = w->side[1 - to].addr,
                       .dst = w->side[to].addr,
                       .bytes = bytes,
                       .length = h.header_len + (how & 4 ? 20u : 0)};
    if (how & 16) {
        ip_addr_parse(text[ip_addr_is_v4(&p.dst) ? 0 : 1], &p.src);
    }
    w->forged = true;
    parcel_input(w, &p, false);
}

static void stash_or_replay(struct world *w, unsigned i, struct stash *stash, uint8_t how)
{
    struct side *s = &w->side[i];
    if (how & 1) {
        if (stash->n > 0) {
            w->forged = true;
            parcel_input(w, &stash->parcel[how / 2 % stash->n], how & 128);
        }
        return;
    }
    if (s->on_wire > 0) {
        struct parcel *p = &stash->parcel[stash->n < STASH ? stash->n++ : how / 2 % STASH];
        free(p->bytes);
        *p = s->wire[how / 2 % s->on_wire];
        p->bytes = malloc(p->length);
        memcpy(p->bytes, s->wire[how / 2 % s->on_wire].bytes, p->length);
    }
}

/* ---- what is left behind ---- */

static void metrics(struct world *w, unsigned i, uint8_t how)
{
    struct tcp_metrics m[4];
    struct tcp_engine *e = w->side[i].engine;
    unsigned n = tcp_metrics_list(e, how / 16 % 2, m, 4);
    for (unsigned k = 0; k < n; k++) {
        FUZZ_CHECK(!time_before(w->now, m[k].updated) && m[k].srtt_ns >= -1);
        FUZZ_CHECK(m[k].fast_open_cookie_len <= 16);
    }
    if (how % 4 == 0) {
        unsigned gone = tcp_metrics_clear(e, how & 8 ? NULL : &w->side[1 - i].addr);
        FUZZ_CHECK(gone <= 3);
    }
}

static void cookie_keys(struct world *w, unsigned i, struct bytes *in)
{
    static const uint8_t key[3][16] = {{1}, {2}, {3}};
    struct tcp_engine *e = w->side[i].engine;
    uint8_t how = take_u8(in);
    uint64_t listener = how & 64 ? pick(&w->side[i], in) : 0;
    int result = how & 128
                     ? tcp_fast_open_rotate(e, w->now, listener, how & 1 ? key[how / 4 % 3] : NULL)
                     : tcp_fast_open_keys(e, w->now, listener, how & 1 ? key[how / 4 % 3] : NULL,
                                          how & 2 ? key[how / 16 % 3] : NULL);
    FUZZ_CHECK(result == 0 || listener != 0 || w->side[i].memory.refuse);
}

static void options(struct world *w, unsigned i, struct bytes *in)
{
    uint64_t id = pick(&w->side[i], in);
    struct tcp_options o;
    if (tcp_get_options(w->side[i].engine, id, &o) == 0) {
        change_option(&o, in);
        FUZZ_CHECK(tcp_set_options(w->side[i].engine, w->now, id, &o) == 0 ||
                   w->side[i].memory.refuse);
    }
}

/* Both ends of an established connection agree, when nobody has forged anything. */
static void agreed(struct world *w)
{
    struct tcp_info a, b;
    for (unsigned i = 0; !w->forged && i < w->side[0].n_ids; i++) {
        for (unsigned k = 0; k < w->side[1].n_ids; k++) {
            if (tcp_status(w->side[0].engine, w->now, w->side[0].ids[i], true, &a) < 0 ||
                tcp_status(w->side[1].engine, w->now, w->side[1].ids[k], true, &b) < 0 ||
                a.state != TCP_ESTABLISHED || b.state != TCP_ESTABLISHED ||
                a.tuple.local_port != b.tuple.remote_port || a.irs != b.iss || a.iss != b.irs) {
                continue;
            }
            FUZZ_CHECK(a.sack_ok == b.sack_ok);
            FUZZ_CHECK(a.timestamps_ok == b.timestamps_ok);
            FUZZ_CHECK(a.snd_wscale == b.rcv_wscale && a.rcv_wscale == b.snd_wscale);
        }
    }
}

/* ---- the steps ---- */

static void other_step(struct world *w, unsigned i, uint8_t op, struct bytes *in)
{
    struct side *s = &w->side[i];
    switch (op / 2 % 18) {
    case 9:
        user_end(w, i, in);
        break;
    case 10:
        metrics(w, i, take_u8(in));
        break;
    case 11:
        cookie_keys(w, i, in);
        break;
    case 12:
        options(w, i, in);
        break;
    case 13:
        forge(w, i, in);
        break;
    case 14: {
        uint64_t id = pick(s, in);
        user_send(w, i, id, take_u8(in) * 8u, take_u8(in) < 16 ? 3 : 0);
        user_read(w, i, id, UINT32_MAX);
        break;
    }
    case 15:
        memory_ends(s, op & 128 && take_u8(in) < 32);
        break;
    case 16:
        pass(w, (int64_t)take_u8(in) << (10 + take_u8(in) % 32)); /* up to 36 hours */
        break;
    default:
        forge_icmp(w, i, in);
        break;
    }
}

static void step(struct world *w, struct stash *stash, struct bytes *in)
{
    uint8_t op = take_u8(in);
    unsigned i = op & 1;
    switch (op / 2 % 18) {
    case 0:
        open_one(w, i, in);
        break;
    case 1:
        listen_one(w, i, in);
        break;
    case 2:
        user_accept(w, i, in);
        break;
    case 3:
        forge_syn(w, i, in);
        break;
    case 4:
        stash_or_replay(w, i, stash, take_u8(in));
        break;
    case 5:
        flush(w, i, op & 128 ? 8 : 1, take_u8(in));
        break;
    case 6:
        deliver(w, i, take_u8(in));
        break;
    case 7:
        talk(w, take_u8(in) % 16);
        break;
    case 8:
        pass(w, to_next(w));
        break;
    default:
        other_step(w, i, op, in);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct stash stash = {0};
    struct world *w = calloc(1, sizeof *w);
    pair_init(w, take_u8(&in) & 1);
    side_of(w, 0, &in);
    side_of(w, 1, &in);
    while (bytes_more(&in)) {
        step(w, &stash, &in);
        check(w);
        agreed(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        memory_ends(&w->side[i], false);
    }
    everything_arrives(w);
    nothing_stays(w);
    while (stash.n > 0) {
        free(stash.parcel[--stash.n].bytes);
    }
    pair_free(w);
    free(w);
    return 0;
}
