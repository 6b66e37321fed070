/* The engine with two peers and time: a second engine at the other end of a wire that loses,
 * repeats, reorders, damages and cuts, and a forger who knows the connections and sends what he
 * likes. Users call what they like, the device refuses frames, memory ends. Every invariant is
 * checked after every step; while nobody has forged anything, every byte is, too. In the end the
 * faults stop: then all that was sent has to arrive, and when everybody has let go nothing may be
 * left, neither records nor memory. */
#include <string.h>
#include "../fuzz.h"
#include "../../unit/tcp/memory.h"
#include "bytes.h"
#include "tcp/tcp.h"
#include "wire/checksum.h"

#define WIRE 24
#define IDS 8
#define MTU 1500u
#define FRAME                                                                                      \
    30000u /* stays below the frames that a pool keeps, so that memory can be compared             \
            */
#define HOUR_NS (3600 * NS_PER_S)

struct parcel {
    uint8_t *bytes; /* TCP header and payload */
    uint32_t length;
    uint16_t gso_size;
    uint8_t header_len;
    bool to_self;
};

struct side {
    struct memory memory;
    struct tcp_engine *engine;
    struct ip_addr addr;
    size_t baseline;
    uint64_t ids[IDS]; /* what the user knows of */
    unsigned n_ids;
    struct parcel wire[WIRE]; /* on the way from here */
    unsigned on_wire;
    bool refuses; /* the device */
};

struct world {
    struct side side[2];
    ackd_time now;
    bool forged; /* from here on nobody's bytes are what they seem */
};

static uint8_t stream_byte(uint64_t offset)
{
    return (uint8_t)(offset * UINT64_C(0x9e3779b97f4a7c15) >> 56);
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

static void side_init(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    struct tcp_config c;
    uint8_t traits = take_u8(in);
    const struct arena_source source = {chunk_get, chunk_put, &s->memory};
    s->memory.arena = arena_new(&source, 64u << 20);
    tcp_config_default(&c);
    c.arena = s->memory.arena;
    c.seed0 = 1;
    c.seed1 = i;
    c.max_endpoints = 12;
    c.max_time_wait = 2;
    c.max_syn_received = 4;
    c.closed_history = 4;
    c.event_ring = 16;
    c.defaults.rcv_buffer = traits & 1 ? 4096 : traits & 2 ? 200000 : 1 << 20;
    c.defaults.rcv_buffer_max = traits & 32 ? 0 : 1 << 20;
    c.defaults.sack = !(traits & 4);
    c.defaults.timestamps = !(traits & 8);
    c.defaults.window_scaling = !(traits & 16);
    s->engine = tcp_engine_new(&c, w->now);
    FUZZ_CHECK(s->engine != NULL);
    struct tcp_link link = {.tso = traits & 32,
                            .checksum_offload = traits & 64,
                            .max_frame = traits & 32 ? FRAME : MTU};
    tcp_set_link(s->engine, &link);
    tcp_trace_segments(s->engine, traits & 128);
    s->addr = ip_addr_v4(192, 0, 2, (uint8_t)(1 + i));
    s->baseline = memory_used(&s->memory);
}

static void know(struct world *w, unsigned side, uint64_t id)
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

static uint64_t pick(const struct side *s, struct bytes *in)
{
    uint8_t n = take_u8(in);
    return s->n_ids == 0 || n == 255 ? n : s->ids[n % s->n_ids];
}

/* ---- the wire ---- */

static void wire_drop(struct side *s, unsigned at)
{
    free(s->wire[at].bytes);
    s->on_wire--;
    memmove(&s->wire[at], &s->wire[at + 1], (s->on_wire - at) * sizeof s->wire[0]);
}

static void check_segment(const struct tcp_tx *tx)
{
    struct tcp_hdr h;
    uint32_t payload = tx->gso_size != 0 ? tx->gso_size : tx->payload_len, sum = 0;
    FUZZ_CHECK(tcp_hdr_parse(tx->header, tx->header_len, &h) && h.header_len == tx->header_len);
    FUZZ_CHECK(20 + tx->header_len + payload <= MTU);
    FUZZ_CHECK(20 + tx->header_len + tx->payload_len <= 65535);
    for (unsigned i = 0; i < tx->n_ranges; i++) {
        sum += tx->range[i].length;
    }
    FUZZ_CHECK(sum == tx->payload_len && tx->n_ranges <= TCP_TX_RANGES);
    FUZZ_CHECK(!(h.flags & TCP_SYN) || !(h.flags & (TCP_FIN | TCP_RST)));
    FUZZ_CHECK(!(h.flags & TCP_RST) || tx->payload_len == 0);
}

static void wire_put(struct side *s, const struct tcp_tx *tx)
{
    if (s->on_wire == WIRE) {
        wire_drop(s, 0);
    }
    struct parcel *p = &s->wire[s->on_wire++];
    p->bytes = malloc(tx->header_len + tx->payload_len);
    p->length = tx->header_len;
    p->gso_size = tx->gso_size;
    p->header_len = tx->header_len;
    p->to_self = ip_addr_equal(&tx->src, &tx->dst);
    memcpy(p->bytes, tx->header, tx->header_len);
    for (unsigned i = 0; i < tx->n_ranges; i++) {
        memcpy(p->bytes + p->length, tx->range[i].data, tx->range[i].length);
        p->length += tx->range[i].length;
    }
}

static void input(struct world *w, unsigned to, const struct parcel *p, bool small)
{
    struct side *s = &w->side[to];
    struct pkt *pkt = pkt_get(tcp_pool(s->engine), small ? p->length : FRAME + TCP_HEADER_MAX);
    if (pkt == NULL) {
        return;
    }
    memcpy(pkt->data, p->bytes, p->length);
    struct tcp_rx rx = {.src = p->to_self ? s->addr : w->side[1 - to].addr,
                        .dst = s->addr,
                        .pkt = pkt,
                        .length = p->length,
                        .gso_size = p->gso_size,
                        .ttl = 64,
                        .checksum_ok = true,
                        .mtu = MTU};
    tcp_input(s->engine, w->now, &rx);
    pkt_unref(pkt);
}

/* One parcel arrives, any of them; or does not, or twice, or only the first segments of it. */
static void deliver(struct world *w, unsigned from, uint8_t how)
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
        input(w, p.to_self ? from : 1 - from, &p, how & 128);
    }
    if (how % 8 != 4) {
        wire_drop(s, at);
    }
}

static void flush(struct world *w, unsigned i, unsigned most, uint8_t fate)
{
    struct side *s = &w->side[i];
    struct tcp_tx tx;
    unsigned n = 0;
    while (n < most && tcp_flush(s->engine, w->now, &tx)) {
        FUZZ_CHECK(++n < 50000);
        check_segment(&tx);
        if (s->refuses || (fate & 3) == 3) {
            tcp_tx_failed(s->engine, w->now, &tx, (enum tcp_tx_failure)(fate / 4 % 3), 113);
            fate = 0;
        } else {
            wire_put(s, &tx);
        }
    }
}

/* ---- the forger ---- */

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
}

/* A segment whose numbers are near those of a connection that the user knows. */
static void forge(struct world *w, unsigned to, struct bytes *in)
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
    struct parcel p = {.bytes = bytes, .length = h.header_len + payload};
    p.gso_size = payload > 2000 ? 1000 : 0;
    w->forged = true;
    input(w, to, &p, near & 1);
}

static void forge_icmp(struct world *w, unsigned to, struct bytes *in)
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

/* ---- users ---- */

static void user_open(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    uint8_t ports = take_u8(in);
    uint64_t id;
    struct tcp_open_args a = {
        .tuple = {.local = s->addr, .remote = w->side[1 - i].addr}, .mtu = MTU, .owner = 1};
    a.tuple.local_port = ports % 4;
    a.tuple.remote_port = 1 + ports / 4 % 3;
    if (ports & 128) { /* itself */
        a.tuple.remote = s->addr;
        a.tuple.remote_port = a.tuple.local_port;
    }
    if (tcp_open(s->engine, w->now, &a, &id) == 0) {
        know(w, i, id);
    }
}

static void user_listen(struct world *w, unsigned i, struct bytes *in)
{
    struct side *s = &w->side[i];
    uint8_t how = take_u8(in);
    uint64_t id;
    struct tcp_listen_args a = {.backlog = 1 + how / 4 % 3, .owner = 1};
    a.tuple.local_port = 1 + how % 3;
    if (how & 64) {
        a.tuple.local = s->addr;
    }
    if (tcp_listen(s->engine, w->now, &a, &id) == 0) {
        know(w, i, id);
    }
}

static void user_accept(struct world *w, unsigned i, struct bytes *in)
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

static void user_send(struct world *w, unsigned i, uint64_t id, uint32_t length, unsigned flags)
{
    static uint8_t data[65536];
    struct tcp_engine *e = w->side[i].engine;
    int64_t at = tcp_send_offset(e, id);
    length = length < sizeof data ? length : sizeof data;
    for (uint32_t k = 0; at >= 0 && k < length; k++) {
        data[k] = stream_byte((uint64_t)at + k);
    }
    int64_t n = tcp_send(e, w->now, id, data, length, flags & 3);
    FUZZ_CHECK(n <= (int64_t)length && (n < 0 || tcp_send_offset(e, id) == at + n));
}

static void user_read(struct world *w, unsigned i, uint64_t id, uint32_t most)
{
    struct tcp_engine *e = w->side[i].engine;
    struct tcp_info c;
    struct tcp_received r;
    if (tcp_status(e, w->now, id, true, &c) < 0 || tcp_peek(e, id, c.bytes_read, most, &r) < 0) {
        return;
    }
    uint64_t at = r.offset;
    FUZZ_CHECK(r.available == c.recv_q_bytes && r.offset == c.bytes_read);
    for (unsigned k = 0; k < r.n_ranges; k++) {
        for (uint32_t j = 0; j < r.range[k].length; j++, at++) {
            FUZZ_CHECK(w->forged || r.range[k].data[j] == stream_byte(at));
        }
    }
    FUZZ_CHECK(at - r.offset <= r.available);
    FUZZ_CHECK(tcp_consume(e, w->now, id, at) == 0);
}

static void user_options(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_engine *e = w->side[i].engine;
    struct tcp_options o;
    uint64_t id = pick(&w->side[i], in);
    if (tcp_get_options(e, id, &o) < 0) {
        return;
    }
    uint8_t value = take_u8(in);
    switch (take_u8(in) % 10) {
    case 0:
        o.rcv_buffer = 2048 + value * 4096u;
        break;
    case 1:
        o.snd_buffer = 2048 + value * 1024u;
        break;
    case 2:
        o.mss_clamp = value < 48 ? 0 : value * 4u;
        break;
    case 3:
        o.nodelay = value & 1;
        break;
    case 4:
        o.keepalive = value & 1;
        o.keepalive_idle_ns = o.keepalive_interval_ns = (1 + value) * NS_PER_S;
        break;
    case 5:
        o.user_timeout_ns = value * NS_PER_S;
        break;
    case 6:
        o.delayed_ack_ns = value * NS_PER_MS;
        break;
    case 7:
        o.urgent_mode = value & 1 ? TCP_URGENT_BSD : TCP_URGENT_RFC;
        break;
    case 8:
        o.rfc1337 = value & 1;
        o.sack = value & 2;
        o.timestamps = value & 4;
        o.window_scaling = value & 8;
        break;
    default:
        o.rto_min_ns = (1 + value) * NS_PER_MS;
        break;
    }
    int result = tcp_set_options(e, w->now, id, &o);
    FUZZ_CHECK(result == 0 || w->side[i].memory.refuse);
}

static void user_end(struct world *w, unsigned i, struct bytes *in)
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

static void watch(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_engine *e = w->side[i].engine;
    struct tcp_last_header sent, received;
    struct tcp_closed closed[3];
    uint64_t position = take_u8(in), id = position;
    unsigned n = 0;
    while ((id = tcp_next_id(e, id)) != 0) {
        struct tcp_info c;
        FUZZ_CHECK(++n < 1000);
        FUZZ_CHECK(tcp_status(e, w->now, id, true, &c) == 0);
        if (n == 2) {
            tcp_abort(e, w->now, pick(&w->side[i], in), TCP_CLOSE_ABORTED);
        }
    }
    tcp_last_headers(e, position, &received, &sent);
    tcp_closed_list(e, &position, closed, 3);
    if (take_u8(in) == 9) {
        tcp_address_removed(e, w->now, &w->side[i].addr);
    }
}

/* ---- time, and the end ---- */

static void pass(struct world *w, int64_t ns)
{
    w->now = time_add(w->now, ns);
    tcp_timeout(w->side[0].engine, w->now);
    tcp_timeout(w->side[1].engine, w->now);
}

static int64_t to_next(const struct world *w)
{
    ackd_time next =
        time_min(tcp_next_deadline(w->side[0].engine), tcp_next_deadline(w->side[1].engine));
    return time_is_never(next) ? HOUR_NS : time_before(next, w->now) ? 0 : time_diff(next, w->now);
}

static void check(struct world *w)
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
static void settle(struct world *w)
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

static void run_for(struct world *w, int64_t ns)
{
    ackd_time until = time_add(w->now, ns);
    settle(w);
    for (unsigned n = 0; n < 3000 && time_before(w->now, until); n++) {
        pass(w, to_next(w));
        settle(w);
        pass(w, 0);
        settle(w);
        for (unsigned i = 0; i < 2; i++) { /* or a loop that sleeps until then would never sleep */
            FUZZ_CHECK(!time_reached(tcp_next_deadline(w->side[i].engine), w->now));
        }
    }
}

static void accept_all(struct world *w)
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
static void everything_arrives(struct world *w)
{
    run_for(w, 600 * NS_PER_S);
    accept_all(w);
    run_for(w, HOUR_NS);
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t id = 0; (id = tcp_next_id(w->side[i].engine, id)) != 0;) {
            struct tcp_info c;
            FUZZ_CHECK(tcp_status(w->side[i].engine, w->now, id, true, &c) == 0);
            bool lives = c.state >= TCP_SYN_SENT && c.state <= TCP_LAST_ACK && !c.released;
            FUZZ_CHECK(w->forged || !lives || c.send_q_bytes == 0 || c.snd_wnd == 0);
        }
    }
}

static void nothing_stays(struct world *w)
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
        tcp_metrics_clear(w->side[i].engine, NULL);
        FUZZ_CHECK(memory_used(&w->side[i].memory) == w->side[i].baseline);
    }
}

/* ---- the steps ---- */

static void step(struct world *w, struct bytes *in)
{
    uint8_t op = take_u8(in);
    unsigned i = op & 1;
    struct side *s = &w->side[i];
    switch (op / 2 % 18) {
    case 0:
        user_open(w, i, in);
        break;
    case 1:
        user_listen(w, i, in);
        break;
    case 2:
        user_accept(w, i, in);
        break;
    case 3:
    case 4: {
        uint64_t id = pick(s, in);
        uint32_t length = op & 128 ? take_u16(in) : take_u8(in);
        user_send(w, i, id, length, take_u8(in) < 16 ? 3 : 0);
        break;
    }
    case 5: {
        uint64_t id = pick(s, in);
        user_read(w, i, id, take_u16(in));
        break;
    }
    case 6:
        user_options(w, i, in);
        break;
    case 7:
        user_end(w, i, in);
        break;
    case 8:
        watch(w, i, in);
        break;
    case 9:
        forge(w, i, in);
        break;
    case 10:
        forge_icmp(w, i, in);
        break;
    case 11:
        pass(w, to_next(w));
        break;
    case 12:
        pass(w, take_u16(in) * NS_PER_MS / 4);
        break;
    case 13:
        s->memory.refuse = take_u8(in) < 16;
        break;
    case 14:
        s->refuses = take_u8(in) < 16;
        break;
    case 15: { /* a good while: both ends talk */
        for (unsigned n = take_u8(in) % 16; n > 0; n--) {
            flush(w, 0, 8, 0);
            deliver(w, 0, 0);
            flush(w, 1, 8, 0);
            deliver(w, 1, 0);
        }
        break;
    }
    case 16:
        flush(w, i, op & 128 ? UINT32_MAX : 1, take_u8(in));
        break;
    default:
        deliver(w, i, take_u8(in));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct world *w = calloc(1, sizeof *w);
    w->now = time_from_ns(NS_PER_S);
    side_init(w, 0, &in);
    side_init(w, 1, &in);
    while (bytes_more(&in)) {
        step(w, &in);
        check(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        w->side[i].memory.refuse = w->side[i].refuses = false;
    }
    everything_arrives(w);
    nothing_stays(w);
    for (unsigned i = 0; i < 2; i++) {
        tcp_engine_free(w->side[i].engine);
        arena_free(w->side[i].memory.arena);
    }
    free(w);
    return 0;
}
