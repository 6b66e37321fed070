/* The reader of the notation and the peer's side of a script; see script.h. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "wire/checksum.h"

struct notation {
    uint16_t flags;
    uint32_t seq, length, ack;
    bool has_win, has_urg, has_options;
    uint16_t win, urg;
    bool has_ecn;
    uint8_t ecn; /* of the IP header */
    struct tcp_opts options;
    uint8_t raw[40], n_raw; /* options that the codec would not build */
};

static void *source_get(void *ctx, size_t n)
{
    (void)ctx;
    return malloc(n);
}

static void source_put(void *ctx, void *p, size_t n)
{
    (void)ctx;
    (void)n;
    free(p);
}

/* ---- the notation ---- */

static uint16_t read_flags(const char *word)
{
    static const char letters[] = "FSRPAUECe";
    uint16_t flags = 0;
    for (; *word && *word != ' '; word++) {
        const char *at = strchr(letters, *word == '.' ? 'A' : *word);
        if (!at) {
            fail_msg("flag '%c'", *word);
            return 0;
        }
        flags |= (uint16_t)(1u << (at - letters));
    }
    return flags;
}

static void read_sack(struct script *s, const char **p, struct tcp_opts *o, bool by_peer)
{
    unsigned a, b;
    int n;
    uint32_t base = by_peer ? s->local_iss : s->peer_iss;
    while (sscanf(*p, " %u:%u%n", &a, &b, &n) == 2) {
        o->sack[o->n_sack++] = (struct tcp_sack_block){seq_of(base + a), seq_of(base + b)};
        *p += n;
    }
}

/* "FO", "FO 0123abcd", and the same with FOEXP; how many characters. */
static int read_fast_open(const char *p, struct tcp_opts *o)
{
    static uint8_t cookies[8][16]; /* of the last notations that were read */
    static unsigned next;
    uint8_t *cookie = cookies[next++ % 8];
    int n = 2, got = 0;
    unsigned byte;
    o->has_fast_open = true;
    o->fast_open = cookie;
    if (strncmp(p, "FOEXP", 5) == 0) {
        o->fast_open_experimental = true;
        n = 5;
    }
    n += p[n] == ' ';
    while (o->fast_open_len < 16 && sscanf(p + n, "%2x%n", &byte, &got) == 1 && got == 2) {
        cookie[o->fast_open_len++] = (uint8_t)byte;
        n += 2;
    }
    return n;
}

static void read_options(struct script *s, const char *p, struct tcp_opts *o, bool by_peer)
{
    unsigned a, b, c;
    int n = 0;
    while (*p && *p != '>') {
        if (sscanf(p, "ecn e0b %u ceb %u e1b %u%n", &a, &b, &c, &n) == 3) {
            o->has_accecn = true;
            o->accecn_fields = 3;
            o->accecn[0] = a;
            o->accecn[1] = b;
            o->accecn[2] = c;
        } else if (sscanf(p, "mss %u%n", &a, &n) == 1) {
            o->has_mss = true;
            o->mss = (uint16_t)a;
        } else if (sscanf(p, "wscale %u%n", &a, &n) == 1) {
            o->has_wscale = true;
            o->wscale = (uint8_t)a;
        } else if (sscanf(p, "TS val %u ecr %u%n", &a, &b, &n) == 2) {
            o->has_timestamps = true;
            o->tsval = a;
            o->tsecr = b;
        } else if (strncmp(p, "sackOK", 6) == 0) {
            o->sack_permitted = true;
            n = 6;
        } else if (sscanf(p, "uto %u%n", &a, &n) ==
                   1) { /* as on the wire: 32768 is the bit of minutes */
            o->has_user_timeout = true;
            o->user_timeout = (uint16_t)a;
        } else if (strncmp(p, "FO", 2) == 0) {
            n = read_fast_open(p, o);
        } else if (strncmp(p, "nop", 3) == 0) {
            n = 3;
        } else if (strncmp(p, "sack", 4) == 0) {
            p += 4;
            read_sack(s, &p, o, by_peer);
            n = 0;
        } else {
            fail_msg("option at '%s'", p);
            return;
        }
        p += n;
        p += *p == ',';
    }
}

/* "[ce] S. 0:0(0) ...": the ECN field of the IP header first. Returns what follows. */
static const char *read_ecn(const char *text, struct notation *n)
{
    static const char *const names[] = {"[noecn] ", "[ect1] ", "[ect0] ", "[ce] "};
    for (uint8_t i = 0; i < 4; i++) {
        if (strncmp(text, names[i], strlen(names[i])) == 0) {
            n->has_ecn = true;
            n->ecn = i;
            return text + strlen(names[i]);
        }
    }
    return text;
}

static void read_notation(struct script *s, const char *text, struct notation *n, bool by_peer)
{
    unsigned seq, end, length, value;
    memset(n, 0, sizeof *n);
    text = read_ecn(text, n);
    n->flags = read_flags(text);
    const char *p = strchr(text, ' ');
    if (!p || sscanf(p, " %u:%u(%u)", &seq, &end, &length) != 3 || end - seq != length) {
        fail_msg("'%s' has no seq:end(length)", text);
        return;
    }
    n->seq = seq;
    n->length = length;
    if ((p = strstr(text, "ack ")) && sscanf(p, "ack %u", &value) == 1) {
        n->ack = value;
    }
    if ((p = strstr(text, "win ")) && sscanf(p, "win %u", &value) == 1) {
        n->has_win = true;
        n->win = (uint16_t)value;
    }
    if ((p = strstr(text, "urg ")) && sscanf(p, "urg %u", &value) == 1) {
        n->has_urg = true;
        n->urg = (uint16_t)value;
    }
    if ((p = strstr(text, "<raw "))) {
        n->has_options = true;
        for (p += 5; sscanf(p, "%2x", &value) == 1 && n->n_raw < 40; p += 2) {
            n->raw[n->n_raw++] = (uint8_t)value;
        }
    } else if ((p = strchr(text, '<'))) {
        n->has_options = true;
        read_options(s, p + 1, &n->options, by_peer);
    }
}

/* ---- the peer sends ---- */

static uint8_t pattern(uint32_t seq)
{
    return (uint8_t)(seq * 31 + (seq >> 8));
}

struct script_seen script_seen;

static void see(const struct script *s)
{
    const struct tcp_counters *c = tcp_counters(s->engine);
    for (unsigned i = 0; i < TCP_DROPS; i++) {
        script_seen.drops[i] += c->drops[i];
    }
    for (unsigned i = 0; i < TCP_RST_SENTS; i++) {
        script_seen.rsts_sent[i] += c->rsts_sent[i];
    }
    for (unsigned i = 0; i < TCP_RST_RECEIVEDS; i++) {
        script_seen.rsts_received[i] += c->rsts_received[i];
    }
    for (unsigned i = 0; i < TCP_CLOSES; i++) {
        script_seen.closes[i] += c->closes[i];
    }
}

static void drain(struct script *s)
{
    script_seen.limits[script_info(s).limit]++;
    struct tcp_event ev;
    struct tcp_ready r;
    while (tcp_event_next(s->engine, &ev)) {
        if (ev.type == TCP_EVENT_STATE && !s->id && ev.state == TCP_SYN_RECEIVED) {
            s->id = ev.id;
        }
    }
    while (tcp_ready_next(s->engine, &r)) {
        s->ready |= r.id == s->id ? r.what : 0;
    }
    const char *what = "";
    int line = s->unchecked ? 0 : tcp_check(s->engine, s->now, &what);
    if (line) {
        fail_msg("invariant, line %d: %s", line, what);
    }
}

void script_inject_bytes(struct script *s, const uint8_t *tcp, uint32_t length, bool checksum_ok)
{
    struct pkt *pkt = pkt_get(tcp_pool(s->engine), PKT_FRAME_CAPACITY);
    assert_non_null(pkt);
    memcpy(pkt->data + 34, tcp, length);
    struct tcp_rx rx = {.src = s->tuple.remote,
                        .dst = s->tuple.local,
                        .pkt = pkt,
                        .offset = 34,
                        .length = length,
                        .ttl = 64,
                        .tos = s->tos,
                        .gso_size = s->gso_size,
                        .checksum_ok = checksum_ok,
                        .mtu = s->mtu};
    tcp_input(s->engine, s->now, &rx);
    pkt_unref(pkt);
    drain(s);
}

void script_inject(struct script *s, const char *segment)
{
    static uint8_t bytes[66000];
    struct notation n;
    read_notation(s, segment, &n, true);
    if (s->timestamps && !n.options.has_timestamps && !n.has_options) {
        n.options.has_timestamps = true;
        n.options.tsval = ++s->peer_ts;
        n.options.tsecr = s->engine_ts;
    }
    struct tcp_hdr h = {.sport = s->tuple.remote_port,
                        .dport = s->tuple.local_port,
                        .seq = seq_of(s->peer_iss + n.seq),
                        .ack = seq_of(n.flags & TCP_ACK ? s->local_iss + n.ack : 0),
                        .flags = n.flags,
                        .window = n.has_win ? n.win : 65535,
                        .urgent = n.urg};
    if (s->signer) {
        s->signer->option(s, &n.options);
    }
    uint8_t options = tcp_opts_build(bytes + TCP_HEADER_MIN, &n.options);
    if (n.n_raw) {
        options = (uint8_t)((n.n_raw + 3) / 4 * 4);
        memset(bytes + TCP_HEADER_MIN, 0, options);
        memcpy(bytes + TCP_HEADER_MIN, n.raw, n.n_raw);
    }
    h.header_len = (uint8_t)(TCP_HEADER_MIN + options);
    tcp_hdr_build(bytes, &h);
    for (uint32_t i = 0; i < n.length; i++) {
        bytes[h.header_len + i] = pattern(h.seq.v + ((n.flags & TCP_SYN) != 0) + i);
    }
    uint32_t length = h.header_len + n.length;
    if (s->signer) {
        s->signer->sign(s, bytes, length);
    }
    uint16_t sum = checksum_finish(
        checksum_add(tcp_pseudo_sum(&s->tuple.remote, &s->tuple.local, length), bytes, length));
    bytes[16] = (uint8_t)(sum >> 8);
    bytes[17] = (uint8_t)sum;
    uint8_t tos = s->tos;
    s->tos = n.has_ecn ? n.ecn : tos;
    script_inject_bytes(s, bytes, length, false);
    s->tos = tos;
}

/* ---- what the engine sends ---- */

static bool next_segment(struct script *s, struct tcp_tx *tx, struct tcp_hdr *h, struct tcp_opts *o)
{
    if (!tcp_flush(s->engine, s->now, tx)) {
        drain(s);
        return false;
    }
    script_seen.kinds[tx->kind]++;
    s->sent.tos = tx->tos;
    s->sent.ttl = tx->ttl;
    s->sent.doubtful = tx->doubtful;
    assert_true(tcp_hdr_parse(tx->header, tx->header_len, h));
    tcp_opts_parse(tx->header, h, o);
    if (h->flags & TCP_SYN) {
        s->local_iss = h->seq.v;
    }
    if (o->has_timestamps) {
        s->engine_ts = o->tsval;
    }
    uint64_t sum =
        checksum_add(tcp_pseudo_sum(&tx->src, &tx->dst, tx->header_len + tx->payload_len),
                     tx->header, tx->header_len);
    uint32_t odd = 0;
    for (unsigned i = 0; i < tx->n_ranges; i++) {
        uint16_t part = checksum_fold(checksum_add(0, tx->range[i].data, tx->range[i].length));
        sum += odd & 1 ? (uint16_t)(part << 8 | part >> 8) : part;
        odd += tx->range[i].length;
    }
    assert_int_equal(checksum_fold(sum), 0xffff);
    if (s->signer) {
        s->signer->verify(s, tx);
    }
    return true;
}

static void describe(const struct script *s, const struct tcp_tx *tx, const struct tcp_hdr *h,
                     char *text, size_t size)
{
    char flags[10];
    uint32_t seq = h->seq.v - s->local_iss, ack = h->flags & TCP_ACK ? h->ack.v - s->peer_iss : 0;
    static const char *const ecn[] = {"", "[ect1] ", "[ect0] ", "[ce] "};
    snprintf(text, size, "%s%s %u:%u(%u) ack %u win %u urg %u (%s)", ecn[tx->tos & 3],
             tcp_flags_format(h->flags, flags), seq, seq + tx->payload_len, tx->payload_len, ack,
             h->window, h->urgent, tcp_kind_text[tx->kind].name);
}

static bool options_equal(const struct script *s, const struct tcp_opts *want,
                          const struct tcp_opts *got)
{
    (void)s;
    if (want->has_mss != got->has_mss || want->mss != got->mss ||
        want->has_wscale != got->has_wscale || want->wscale != got->wscale ||
        want->sack_permitted != got->sack_permitted ||
        want->has_timestamps != got->has_timestamps || want->n_sack != got->n_sack ||
        want->has_accecn != got->has_accecn ||
        memcmp(want->accecn, got->accecn, sizeof want->accecn) != 0) {
        return false;
    }
    if (want->has_fast_open != got->has_fast_open || want->fast_open_len != got->fast_open_len ||
        want->fast_open_experimental != got->fast_open_experimental ||
        (want->fast_open_len &&
         memcmp(want->fast_open, got->fast_open, want->fast_open_len) != 0)) {
        return false;
    }
    if (want->has_user_timeout != got->has_user_timeout ||
        want->user_timeout != got->user_timeout) {
        return false;
    }
    return memcmp(want->sack, got->sack, want->n_sack * sizeof want->sack[0]) == 0;
}

void script_expect_(struct script *s, const char *segment, const char *file, int line)
{
    struct tcp_tx tx;
    struct tcp_hdr h;
    struct tcp_opts o;
    struct notation n;
    char got[160];
    if (!next_segment(s, &tx, &h, &o)) {
        fail_msg("%s:%d: expected '%s', the engine sends nothing (%s)", file, line, segment,
                 tcp_limit_text[script_info(s).limit].name);
        return;
    }
    read_notation(s, segment, &n, false);
    describe(s, &tx, &h, got, sizeof got);
    bool same = n.flags == h.flags && h.seq.v - s->local_iss == n.seq && tx.payload_len == n.length;
    same = same && (!(n.flags & TCP_ACK) || h.ack.v - s->peer_iss == n.ack);
    if (n.flags & TCP_RST && n.flags & TCP_ACK && !s->local_iss) {
        same = h.ack.v - s->peer_iss == n.ack;
    }
    same = same && (!n.has_win || n.win == h.window) && (!n.has_urg || n.urg == h.urgent);
    same = same && (!n.has_ecn || n.ecn == (tx.tos & 3));
    same = same && (!n.has_options || options_equal(s, &n.options, &o));
    if (!same) {
        fail_msg("%s:%d: expected '%s', got '%s'", file, line, segment, got);
    }
    drain(s);
}

void script_quiet_(struct script *s, const char *file, int line)
{
    struct tcp_tx tx;
    struct tcp_hdr h;
    struct tcp_opts o;
    if (next_segment(s, &tx, &h, &o)) {
        char got[160];
        describe(s, &tx, &h, got, sizeof got);
        fail_msg("%s:%d: expected silence, got '%s'", file, line, got);
    }
}

unsigned script_discard(struct script *s)
{
    struct tcp_tx tx;
    struct tcp_hdr h;
    struct tcp_opts o;
    unsigned n = 0;
    while (next_segment(s, &tx, &h, &o)) {
        n++;
    }
    return n;
}

void script_advance_ms(struct script *s, int64_t ms)
{
    script_quiet(s); /* the engine may sleep only after a whole flush */
    ackd_time until = time_add(s->now, ms * NS_PER_MS);
    ackd_time next = tcp_next_deadline(s->engine);
    while (time_reached(next, until)) {
        s->now = time_max(s->now, next);
        tcp_timeout(s->engine, s->now);
        ackd_time after = tcp_next_deadline(s->engine);
        if (time_reached(after, s->now)) {
            break; /* work is pending: the script has to look at it */
        }
        next = after;
    }
    s->now = time_max(s->now, until);
    tcp_timeout(s->engine, s->now);
    drain(s);
}

/* ---- the user ---- */

void script_begin(struct script *s, void (*adjust)(struct tcp_config *))
{
    struct arena_source source = {source_get, source_put, NULL};
    struct tcp_config config;
    memset(s, 0, sizeof *s);
    tcp_config_default(&config);
    config.defaults.delayed_ack_ns = 0;
    config.defaults.rcv_buffer = config.defaults.snd_buffer = 1u << 20;
    config.defaults.rcv_buffer_max = config.defaults.snd_buffer_max = 0; /* fixed */
    config.defaults.congestion = TCP_CONGESTION_NEWRENO; /* whose windows are reckoned by hand */
    config.seed0 = 11;
    config.seed1 = 12;
    if (adjust) {
        adjust(&config);
    }
    s->arena = config.arena = arena_new(&source, (size_t)64 << 20);
    s->options = config.defaults;
    s->now = time_from_ns(NS_PER_S);
    s->engine = tcp_engine_new(&config, s->now);
    assert_non_null(s->engine);
    s->tuple = (struct tcp_tuple){ip_addr_v4(192, 0, 2, 1), ip_addr_v4(192, 0, 2, 2), LOCAL_PORT,
                                  PEER_PORT};
    s->peer_iss = PEER_ISS;
    s->mtu = 1500;
    s->peer_ts = 100;
}

void script_end(struct script *s)
{
    drain(s);
    see(s);
    tcp_engine_free(s->engine);
    arena_free(s->arena);
}

void script_listen(struct script *s, uint32_t backlog)
{
    struct tcp_listen_args a = {
        .backlog = backlog, .tuple.local_port = LOCAL_PORT, .owner = 1, .cookie = 7};
    assert_int_equal(tcp_listen(s->engine, s->now, &a, &s->listener), 0);
}

uint64_t script_accept(struct script *s)
{
    uint64_t id = 0;
    int r = tcp_accept(s->engine, s->listener, 2, 8, &id);
    return r ? 0 : id;
}

static void begin_handshake(struct script *s, const char *options, char *syn, size_t size,
                            const char *flags)
{
    s->timestamps = strstr(options, "TS ") != NULL;
    snprintf(syn, size, "%s 0:0(0)%s win 65535 <%s>", flags, strchr(flags, '.') ? " ack 1" : "",
             options);
}

void script_passive(struct script *s, const char *options)
{
    script_passive_rtt(s, options, 0);
}

void script_passive_rtt(struct script *s, const char *options, int64_t ms)
{
    char syn[200];
    begin_handshake(s, options, syn, sizeof syn, "S");
    script_listen(s, 16);
    s->id = 0;
    script_inject(s, syn);
    script_expect(s, "S. 0:0(0) ack 1");
    if (ms) {
        script_advance_ms(s, ms);
    }
    script_inject(s, ". 1:1(0) ack 1");
    assert_int_equal(script_accept(s), s->id);
    script_quiet(s);
}

void script_open(struct script *s)
{
    struct tcp_open_args a = {.tuple = s->tuple, .mtu = s->mtu, .owner = 2, .cookie = 8};
    s->tuple.local_port = a.tuple.local_port = 4000;
    s->tuple.remote_port = a.tuple.remote_port = 80;
    assert_int_equal(tcp_open(s->engine, s->now, &a, &s->id), 0);
}

void script_active(struct script *s, const char *options)
{
    char syn[200];
    script_open(s);
    script_expect(s, "S 0:0(0)");
    begin_handshake(s, options, syn, sizeof syn, "S.");
    script_inject(s, syn);
    script_expect(s, ". 1:1(0) ack 1");
    script_quiet(s);
}

void script_tune(struct script *s, void (*change)(struct tcp_options *))
{
    struct tcp_options o;
    assert_int_equal(tcp_get_options(s->engine, s->id, &o), 0);
    change(&o);
    assert_int_equal(tcp_set_options(s->engine, s->now, s->id, &o), 0);
}

void script_send(struct script *s, uint32_t bytes, unsigned flags)
{
    static uint8_t data[1 << 20];
    assert_true(bytes <= sizeof data);
    assert_int_equal(tcp_send(s->engine, s->now, s->id, data, bytes, flags), bytes);
}

uint32_t script_read(struct script *s)
{
    struct tcp_received r;
    struct tcp_info i = script_info(s);
    assert_int_equal(tcp_peek(s->engine, s->id, i.bytes_read, SIZE_MAX, &r), 0);
    uint32_t n = 0;
    for (unsigned k = 0; k < r.n_ranges; k++) {
        for (uint32_t j = 0; j < r.range[k].length; j++, n++) {
            assert_int_equal(r.range[k].data[j], pattern(i.irs + 1 + (uint32_t)r.offset + n));
        }
    }
    assert_int_equal(tcp_consume(s->engine, s->now, s->id, r.offset + n), 0);
    drain(s);
    return n;
}

enum tcp_state script_state(struct script *s)
{
    struct tcp_info i;
    return tcp_status(s->engine, s->now, s->id, false, &i) ? TCP_CLOSED : i.state;
}

struct tcp_info script_info(struct script *s)
{
    struct tcp_info i = {0};
    tcp_status(s->engine, s->now, s->id, true, &i);
    return i;
}

unsigned script_ready(struct script *s)
{
    drain(s);
    unsigned r = s->ready;
    s->ready = 0;
    return r;
}

const struct tcp_counters *script_counters(const struct script *s)
{
    return tcp_counters(s->engine);
}
