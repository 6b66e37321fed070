/* What the targets of the engine share: see pair.h. */
#include "pair.h"

#include "wire/checksum.h"

/* The stream repeats itself after a prime number of octets, so that no two places a power of two
 * apart look the same. Made once: to compute and compare single octets is most of the time. */
static uint8_t stream[2 * PERIOD];

const uint8_t *stream_at(uint64_t offset)
{
    for (uint32_t i = 0; stream[0] == 0 && i < 2 * PERIOD; i++) {
        uint32_t at = 2 * PERIOD - 1 - i; /* [0] is written last */
        stream[at] = (uint8_t)(1 + (at % PERIOD) * UINT64_C(0x9e3779b97f4a7c15) % 255);
    }
    return &stream[offset % PERIOD];
}

/* ---- memory ---- */

/* An engine's tables are large and always the same; to fetch them from the system for each input
 * takes longer than the input does. No contents survive: a fresh chunk holds anything. */
static struct {
    void *chunk;
    size_t bytes;
} spare[16];

static void *chunk_get(void *ctx, size_t bytes)
{
    const struct memory *m = ctx;
    for (unsigned i = 0; i < 16 && !m->refuse; i++) {
        if (spare[i].chunk != NULL && spare[i].bytes == bytes) {
            void *chunk = spare[i].chunk;
            spare[i].chunk = NULL;
            return chunk;
        }
    }
    return m->refuse ? NULL : malloc(bytes);
}

static void chunk_put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    for (unsigned i = 0; i < 16 && bytes > 65536; i++) {
        if (spare[i].chunk == NULL) {
            spare[i].chunk = chunk;
            spare[i].bytes = bytes;
            return;
        }
    }
    free(chunk);
}

/* ---- life ---- */

void pair_init(struct world *w, bool v6)
{
    static const uint8_t net[16] = {0x20, 0x01, 0x0d, 0xb8};
    w->now = time_from_ns(NS_PER_S);
    w->settle = pair_settle;
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &w->side[i];
        s->mtu = MTU;
        s->addr = v6 ? ip_addr_from_v6(net) : ip_addr_v4(192, 0, 2, 0);
        s->addr.b[15] = (uint8_t)(1 + i);
    }
}

void pair_config(struct tcp_config *c)
{
    tcp_config_default(c);
    c->max_endpoints = 12;
    c->max_time_wait = 2;
    c->max_syn_received = 4;
    c->max_metrics = 2;
    c->closed_history = 4;
    c->event_ring = 16;
}

void side_init(struct world *w, unsigned i, struct tcp_config *config, const struct tcp_link *link)
{
    struct side *s = &w->side[i];
    const struct arena_source source = {chunk_get, chunk_put, &s->memory};
    s->memory.arena = arena_new(&source, 64u << 20);
    config->arena = s->memory.arena;
    config->seed0 = 1;
    config->seed1 = i;
    s->engine = tcp_engine_new(config, w->now);
    FUZZ_CHECK(s->engine != NULL);
    tcp_set_link(s->engine, link);
    s->baseline = memory_used(&s->memory);
}

struct hoard {
    struct hoard *next;
    size_t bytes;
};

void memory_ends(struct side *s, bool ends)
{
    s->memory.refuse = ends;
    for (size_t bytes = 65536; ends && bytes >= 64; bytes /= 2) {
        struct hoard *h;
        while ((h = arena_alloc(s->memory.arena, bytes)) != NULL) {
            *h = (struct hoard){s->hoard, bytes};
            s->hoard = h;
        }
    }
    while (!ends && s->hoard != NULL) {
        struct hoard *h = s->hoard;
        s->hoard = h->next;
        arena_release(s->memory.arena, h, h->bytes);
    }
}

void pair_free(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &w->side[i];
        while (s->on_wire > 0) {
            wire_drop(s, 0);
        }
        tcp_engine_free(s->engine);
        arena_free(s->memory.arena);
    }
}

void know(struct world *w, unsigned side, uint64_t id)
{
    struct side *s = &w->side[side];
    for (unsigned i = 0; i < s->n_ids; i++) {
        if (s->ids[i] == id) {
            return;
        }
    }
    if (s->n_ids == IDS) {
        tcp_release(s->engine, w->now, s->ids[0]);
        memmove(s->ids, s->ids + 1, (IDS - 1) * sizeof s->ids[0]);
        s->n_ids--;
    }
    s->ids[s->n_ids++] = id;
}

uint64_t pick(const struct side *s, struct bytes *in)
{
    uint8_t n = take_u8(in);
    return s->n_ids == 0 || n == 255 ? n : s->ids[n % s->n_ids];
}

/* ---- the wire ---- */

void wire_drop(struct side *s, unsigned at)
{
    free(s->wire[at].bytes);
    s->on_wire--;
    memmove(&s->wire[at], &s->wire[at + 1], (s->on_wire - at) * sizeof s->wire[0]);
}

void check_segment(const struct world *w, const struct tcp_tx *tx)
{
    struct tcp_hdr h;
    uint32_t payload = tx->gso_size != 0 ? tx->gso_size : tx->payload_len, sum = 0;
    FUZZ_CHECK(tcp_hdr_parse(tx->header, tx->header_len, &h) && h.header_len == tx->header_len);
    uint32_t ip = ip_addr_is_v4(&w->side[0].addr) ? 20 : 40;
    FUZZ_CHECK(ip + tx->header_len + payload <= MTU);
    FUZZ_CHECK(ip + tx->header_len + tx->payload_len <= 65535);
    for (unsigned i = 0; i < tx->n_ranges; i++) {
        sum += tx->range[i].length;
    }
    FUZZ_CHECK(sum == tx->payload_len && tx->n_ranges <= TCP_TX_RANGES);
    FUZZ_CHECK(!(h.flags & TCP_SYN) || !(h.flags & (TCP_FIN | TCP_RST)));
    FUZZ_CHECK(!(h.flags & TCP_RST) || tx->payload_len == 0);
}

struct parcel parcel_of(const struct tcp_tx *tx)
{
    struct parcel p = {.src = tx->src,
                       .dst = tx->dst,
                       .bytes = malloc(tx->header_len + tx->payload_len),
                       .length = tx->header_len,
                       .gso_size = tx->gso_size,
                       .header_len = tx->header_len,
                       .tos = tx->tos};
    memcpy(p.bytes, tx->header, tx->header_len);
    for (unsigned i = 0; i < tx->n_ranges; i++) {
        memcpy(p.bytes + p.length, tx->range[i].data, tx->range[i].length);
        p.length += tx->range[i].length;
    }
    return p;
}

static void wire_put(struct side *s, const struct tcp_tx *tx)
{
    if (s->on_wire == WIRE) {
        wire_drop(s, 0);
    }
    s->wire[s->on_wire++] = parcel_of(tx);
}

void parcel_input(struct world *w, const struct parcel *p, bool small)
{
    struct side *s = &w->side[ip_addr_equal(&p->dst, &w->side[0].addr) ? 0 : 1];
    struct pkt *pkt = pkt_get(tcp_pool(s->engine), small ? p->length : FRAME + TCP_HEADER_MAX);
    if (pkt == NULL) {
        return;
    }
    memcpy(pkt->data, p->bytes, p->length);
    struct tcp_rx rx = {.src = p->src,
                        .dst = p->dst,
                        .pkt = pkt,
                        .length = p->length,
                        .gso_size = p->gso_size,
                        .ttl = 64,
                        .tos = p->tos,
                        .checksum_ok = true,
                        .mtu = s->mtu};
    tcp_input(s->engine, w->now, &rx);
    pkt_unref(pkt);
}

/* One parcel arrives, any of them; or does not, or twice, or only the first segments of it. */
void deliver(struct world *w, unsigned from, uint8_t how)
{
    struct side *s = &w->side[from];
    if (s->on_wire == 0) {
        return;
    }
    unsigned at = how % 8 == 7 ? how / 8 % s->on_wire : 0;
    struct parcel p = s->wire[at];
    if (how % 8 == 6 && p.gso_size != 0) {
        uint32_t segments = 1 + how / 8 % ((p.length - p.header_len) / p.gso_size);
        p.length = p.header_len + segments * p.gso_size;
    }
    if (how % 8 != 5) {
        parcel_input(w, &p, how & 128);
    }
    if (how % 8 != 4) {
        wire_drop(s, at);
    }
}

void flush(struct world *w, unsigned i, unsigned most, uint8_t fate)
{
    struct side *s = &w->side[i];
    struct tcp_tx tx;
    unsigned n = 0;
    while (n < most && tcp_flush(s->engine, w->now, &tx)) {
        FUZZ_CHECK(++n < 50000);
        check_segment(w, &tx);
        if (s->refuses || (fate & 3) == 3) {
            tcp_tx_failed(s->engine, w->now, &tx, (enum tcp_tx_failure)(fate / 4 % 3), 113);
            fate = 0;
        } else {
            wire_put(s, &tx);
        }
    }
}

/* ---- the forger ---- */

/* What few segments have. */
static void forge_more_options(struct bytes *in, struct tcp_opts *o)
{
    static const uint8_t octets[24] = {1, 2, 3};
    uint8_t which = take_u8(in), value = take_u8(in);
    o->has_fast_open = which & 1;
    o->fast_open = octets;
    o->fast_open_len = value % 18 & ~1u;
    o->fast_open_experimental = which & 2;
    o->has_user_timeout = which & 4;
    o->user_timeout = (uint16_t)(value << 8 | value);
    o->has_accecn = which & 8;
    o->accecn_order1 = which & 16;
    o->accecn_fields = value % 4;
    for (unsigned i = 0; i < o->accecn_fields; i++) {
        o->accecn[i] = take_u16(in);
    }
    o->has_md5 = which & 32;
    o->has_ao = !o->has_md5 && which & 64;
    o->mac = octets;
    o->mac_len = o->has_ao ? 12 : 0;
    o->ao_key_id = value & 3;
    o->ao_next_id = value >> 2 & 3;
}

static void forge_options(struct bytes *in, struct tcp_opts *o, const struct tcp_info *c)
{
    uint8_t which = take_u8(in);
    o->has_mss = which & 1;
    o->mss = take_u16(in);
    o->has_wscale = which & 2;
    o->wscale = which & 7;
    o->sack_permitted = which & 4;
    o->has_timestamps = which & 8;
    o->tsval = c->ts_recent + (uint32_t)(int8_t)take_u8(in);
    o->tsecr = take_u8(in);
    for (o->n_sack = 0; o->n_sack < which / 64; o->n_sack++) {
        uint32_t start = c->snd_una + take_u16(in);
        o->sack[o->n_sack] = (struct tcp_sack_block){seq_of(start), seq_of(start + take_u16(in))};
    }
    if (which & 16) {
        forge_more_options(in, o);
    }
    if (which & 32) { /* a duplicate is reported */
        uint32_t start = c->snd_una - take_u8(in);
        o->sack[0] = (struct tcp_sack_block){seq_of(start), seq_of(start + take_u8(in))};
        o->n_sack += o->n_sack == 0;
    }
}

/* A segment whose numbers are near those of a connection that the user knows. */
void forge(struct world *w, unsigned to, struct bytes *in)
{
    struct side *s = &w->side[to];
    static uint8_t bytes[TCP_HEADER_MAX + FRAME];
    struct tcp_info c = {0};
    struct tcp_opts o = {0};
    if (tcp_status(s->engine, w->now, pick(s, in), true, &c) < 0) {
        c.tuple.local_port = 1 + take_u8(in) % 3;
        c.tuple.remote_port = 1 + take_u8(in) % 3;
    }
    forge_options(in, &o, &c);
    uint8_t near = take_u8(in);
    struct tcp_hdr h = {.sport = c.tuple.remote_port,
                        .dport = c.tuple.local_port,
                        .seq = seq_of(c.rcv_nxt + (near & 1 ? (uint32_t)(int16_t)take_u16(in) : 0)),
                        .ack = seq_of((near & 2 ? c.snd_nxt : c.snd_una) +
                                      (near & 4 ? (uint32_t)(int8_t)take_u8(in) : 0)),
                        .flags = near & 8 ? take_u8(in) : TCP_ACK,
                        .window = near & 16 ? take_u16(in) : 0xffff,
                        .urgent = near & 32 ? take_u8(in) : 0};
    if (near & 64) {
        h.seq = seq_of(c.rcv_nxt + c.rcv_wnd + (uint32_t)(int8_t)take_u8(in));
    }
    h.header_len = (uint8_t)(TCP_HEADER_MIN + tcp_opts_build(bytes + TCP_HEADER_MIN, &o));
    tcp_hdr_build(bytes, &h);
    uint32_t payload = near & 128 ? take_u16(in) % FRAME : take_u8(in) % 4;
    memset(bytes + h.header_len, near, payload);
    struct parcel p = {.src = w->side[1 - to].addr,
                       .dst = s->addr,
                       .bytes = bytes,
                       .length = h.header_len + payload,
                       .tos = h.flags & TCP_CWR ? payload & 3 : 0};
    p.gso_size = payload > 2000 ? 1000 : 0;
    w->forged = true;
    parcel_input(w, &p, near & 1);
}

void forge_icmp(struct world *w, unsigned to, struct bytes *in)
{
    struct side *s = &w->side[to];
    struct tcp_info c = {0};
    if (tcp_status(s->engine, w->now, pick(s, in), true, &c) < 0) {
        return;
    }
    struct tcp_icmp icmp = {.kind = (enum tcp_icmp_kind)(take_u8(in) % 3),
                            .src = s->addr,
                            .dst = w->side[1 - to].addr,
                            .sport = c.tuple.local_port,
                            .dport = c.tuple.remote_port,
                            .seq = seq_of(c.snd_una + take_u8(in)),
                            .mtu = 400 + take_u8(in) * 5,
                            .error = 113};
    w->forged = w->forged || icmp.kind == TCP_ICMP_HARD;
    tcp_icmp(s->engine, w->now, &icmp);
}

void talk(struct world *w, unsigned n)
{
    for (; n > 0; n--) {
        flush(w, 0, 8, 0);
        deliver(w, 0, 0);
        flush(w, 1, 8, 0);
        deliver(w, 1, 0);
    }
}

/* ---- users ---- */

void user_send(struct world *w, unsigned i, uint64_t id, uint32_t length, unsigned flags)
{
    struct tcp_engine *e = w->side[i].engine;
    int64_t at = tcp_send_offset(e, id);
    length = length < PERIOD ? length : PERIOD;
    int64_t n = tcp_send(e, w->now, id, stream_at(at < 0 ? 0 : (uint64_t)at), length, flags & 3);
    FUZZ_CHECK(n <= (int64_t)length && (n < 0 || tcp_send_offset(e, id) == at + n));
}

uint64_t user_read_from(struct world *w, unsigned i, uint64_t id, uint64_t from, uint32_t most)
{
    struct tcp_engine *e = w->side[i].engine;
    struct tcp_received r;
    if (tcp_peek(e, id, from, most, &r) < 0) {
        return from;
    }
    uint64_t at = r.offset;
    FUZZ_CHECK(at == from);
    for (unsigned k = 0; k < r.n_ranges; k++) {
        const uint8_t *got = r.range[k].data;
        for (uint32_t left = r.range[k].length, n; left > 0; left -= n, at += n, got += n) {
            n = left < PERIOD ? left : PERIOD;
            FUZZ_CHECK(w->forged || memcmp(got, stream_at(at), n) == 0);
        }
    }
    FUZZ_CHECK(at - from <= r.available && at - from <= most);
    FUZZ_CHECK(tcp_consume(e, w->now, id, at) == 0);
    return at;
}

void user_read(struct world *w, unsigned i, uint64_t id, uint32_t most)
{
    struct tcp_info c;
    if (tcp_status(w->side[i].engine, w->now, id, true, &c) == 0) {
        uint64_t at = user_read_from(w, i, id, c.bytes_read, most);
        FUZZ_CHECK(at - c.bytes_read <= c.recv_q_bytes);
    }
}

void user_accept(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    uint64_t listener = pick(s, in), id;
    if (tcp_accept(s->engine, listener, 1, 2, &id) == 0) {
        know(w, i, id);
        if (take_u8(in) == 7) {
            FUZZ_CHECK(tcp_accept_return(s->engine, listener, id) == 0);
        }
    }
}

void user_end(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_engine *e = w->side[i].engine;
    uint64_t id = pick(&w->side[i], in);
    switch (take_u8(in) % 8) {
    case 0:
    case 1:
    case 2:
        tcp_close(e, w->now, id);
        break;
    case 3:
    case 4:
        tcp_release(e, w->now, id);
        break;
    case 5:
        tcp_abort(e, w->now, id, TCP_CLOSE_KILLED);
        break;
    case 6: {
        int64_t before = tcp_send_offset(e, id), n = tcp_flush_send(e, w->now, id);
        FUZZ_CHECK(n < 0 || tcp_send_offset(e, id) == before - n);
        break;
    }
    default:
        tcp_set_owner(e, id, 3, 4);
        break;
    }
}

void change_option(struct tcp_options *o, struct bytes *in)
{
    uint8_t value = take_u8(in);
    switch (take_u8(in) % 32) {
    case 0:
        o->rcv_buffer = 2048 + value * 4096u;
        break;
    case 1:
        o->snd_buffer = 2048 + value * 1024u;
        break;
    case 2:
        o->mss_clamp = value < 48 ? 0 : value * 4u;
        break;
    case 3:
        o->nodelay = value & 1;
        break;
    case 4:
        o->keepalive = value & 1;
        o->keepalive_idle_ns = o->keepalive_interval_ns = (1 + value) * NS_PER_S;
        break;
    case 5:
        o->user_timeout_ns = value * NS_PER_S;
        break;
    case 6:
        o->delayed_ack_ns = value * NS_PER_MS;
        break;
    case 7:
        o->urgent_mode = value & 1 ? TCP_URGENT_BSD : TCP_URGENT_RFC;
        break;
    case 8:
        o->rfc1337 = value & 1;
        o->sack = value & 2;
        o->timestamps = value & 4;
        o->window_scaling = value & 8;
        break;
    case 9:
        o->rto_min_ns = (1 + value) * NS_PER_MS;
        break;
    case 10:
        o->congestion = value % TCP_CONGESTIONS;
        break;
    case 11:
        o->ecn = value % 4;
        break;
    case 12:
        o->loss_detection = value % 2;
        break;
    case 13:
        o->pacing = value % 3;
        break;
    case 14:
        o->max_pacing_rate = value < 64 ? 0 : value * UINT64_C(20000);
        break;
    case 15:
        o->mtu_probing = value % 3;
        break;
    case 16:
        o->hystart = value & 1;
        o->idle_restart = value & 2;
        o->share_metrics = value & 4;
        o->share_ssthresh = value & 8;
        break;
    case 17:
        o->abc_limit = value % 8;
        break;
    case 18:
        o->syn_cookies = value % 3;
        break;
    case 19:
        o->fast_open_queue = value % 4;
        break;
    case 20:
        o->fast_open_no_cookie = value & 1;
        o->fast_open_experimental = value & 2;
        break;
    case 21:
        o->uto = value & 1;
        o->uto_advertise_ns = value / 2 * 10 * NS_PER_S;
        break;
    case 22:
        o->uto_min_ns = (1 + value) * NS_PER_S;
        o->uto_max_ns = 600 * NS_PER_S;
        break;
    case 23:
        o->icmp_policy = value % 3;
        break;
    case 24:
        o->keepalive_count = 2 + value % 8;
        o->r1_timeouts = 1 + value % 4;
        break;
    case 25:
        o->orphan_timeout_ns = value * NS_PER_S;
        o->fin_wait_2_ns = value * NS_PER_S;
        break;
    case 26:
        o->syn_timeout_ns = (1 + value) * NS_PER_S;
        o->rto_initial_ns = (1 + value) * 20 * NS_PER_MS;
        break;
    case 27:
        o->msl_ns = (1 + value) * 200 * NS_PER_MS;
        break;
    case 28:
        o->rcv_buffer_max = value * 32768u;
        break;
    case 29:
        o->snd_buffer_max = value * 32768u;
        break;
    case 30:
        o->dscp = value & 63;
        o->ttl = (uint8_t)(1 + value / 64);
        break;
    default:
        o->require_auth = value == 7;
        break;
    }
}

/* ---- time, and the end ---- */

void pass(struct world *w, int64_t ns)
{
    w->now = time_add(w->now, ns);
    tcp_timeout(w->side[0].engine, w->now);
    tcp_timeout(w->side[1].engine, w->now);
}

int64_t to_next(const struct world *w)
{
    ackd_time next =
        time_min(tcp_next_deadline(w->side[0].engine), tcp_next_deadline(w->side[1].engine));
    next = w->arrival ? time_min(next, w->arrival(w)) : next;
    return time_is_never(next) ? HOUR_NS : time_before(next, w->now) ? 0 : time_diff(next, w->now);
}

void check(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct tcp_engine *e = w->side[i].engine;
        struct tcp_event ev;
        struct tcp_ready ready;
        const char *what = "";
        int line = tcp_check(e, w->now, &what);
        if (line != 0) {
            fprintf(stderr, "side %u: invariant at line %d does not hold: %s\n", i, line, what);
            abort();
        }
        while (tcp_event_next(e, &ev)) {
        }
        while (tcp_ready_next(e, &ready)) {
            FUZZ_CHECK(ready.what != 0);
        }
    }
}

/* Everything due now, faultlessly; the users read what there is. */
void pair_settle(struct world *w)
{
    unsigned moved = 1;
    for (unsigned round = 0; round < 2000 && moved > 0; round++) {
        moved = 0;
        for (unsigned i = 0; i < 2; i++) {
            flush(w, i, 8, 0);
            for (; w->side[i].on_wire > 0; moved++) {
                deliver(w, i, 0);
            }
        }
        for (unsigned i = 0; i < 2; i++) {
            for (unsigned k = 0; k < w->side[i].n_ids; k++) {
                user_read(w, i, w->side[i].ids[k], UINT32_MAX);
            }
        }
    }
    check(w);
}

void run_for(struct world *w, int64_t ns)
{
    ackd_time until = time_add(w->now, ns);
    w->settle(w);
    for (unsigned n = 0; n < 3000 && time_before(w->now, until); n++) {
        pass(w, to_next(w));
        w->settle(w);
        pass(w, 0);
        w->settle(w);
        for (unsigned i = 0; i < 2; i++) { /* or a loop that sleeps until then would never sleep */
            FUZZ_CHECK(!time_reached(tcp_next_deadline(w->side[i].engine), w->now));
        }
    }
}

void accept_all(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &w->side[i];
        for (unsigned k = 0; k < s->n_ids; k++) {
            uint64_t id;
            if (s->n_ids < IDS && tcp_accept(s->engine, s->ids[k], 1, 2, &id) == 0) {
                know(w, i, id);
            }
        }
    }
}

/* A connection whose peer lives must not keep data for ever. */
void everything_arrives(struct world *w)
{
    run_for(w, 600 * NS_PER_S);
    accept_all(w);
    run_for(w, HOUR_NS);
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t id = 0; (id = tcp_next_id(w->side[i].engine, id)) != 0;) {
            struct tcp_info c;
            FUZZ_CHECK(tcp_status(w->side[i].engine, w->now, id, true, &c) == 0);
            bool lives = c.state >= TCP_SYN_SENT && c.state <= TCP_LAST_ACK && !c.released;
            FUZZ_CHECK(w->forged || w->lied || !lives || c.send_q_bytes == 0 || c.snd_wnd == 0);
        }
    }
}

void let_go(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &w->side[i];
        for (uint64_t id = 0; (id = tcp_next_id(s->engine, id)) != 0;) {
            tcp_release(s->engine, w->now, id);
        }
        s->n_ids = 0;
    }
    run_for(w, 3 * HOUR_NS);
    for (unsigned i = 0; i < 2; i++) {
        FUZZ_CHECK(tcp_endpoints(w->side[i].engine) == 0);
    }
}

void nothing_stays(struct world *w)
{
    let_go(w);
    for (unsigned i = 0; i < 2; i++) {
        tcp_metrics_clear(w->side[i].engine, NULL);
        FUZZ_CHECK(memory_used(&w->side[i].memory) == w->side[i].baseline);
    }
}
