/* The engine with two peers and time: a second engine at the other end of a wire that loses,
 * repeats, reorders, damages and cuts, and a forger who knows the connections and sends what he
 * likes. Users call what they like, the device refuses frames, memory ends. Every invariant is
 * checked after every step; while nobody has forged anything, every byte is, too. In the end the
 * faults stop: then all that was sent has to arrive, and when everybody has let go nothing may be
 * left, neither records nor memory. */
#include "pair.h"

/* The traits of a side. */
static void side_of(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_config c;
    uint8_t traits = take_u8(in);
    pair_config(&c);
    c.defaults.rcv_buffer = traits & 1 ? 4096 : traits & 2 ? 200000 : 1 << 20;
    c.defaults.rcv_buffer_max = traits & 32 ? 0 : 1 << 20;
    c.defaults.sack = !(traits & 4);
    c.defaults.timestamps = !(traits & 8);
    c.defaults.window_scaling = !(traits & 16);
    struct tcp_link link = {.tso = traits & 32,
                            .checksum_offload = traits & 64,
                            .max_frame = traits & 32 ? FRAME : MTU};
    side_init(w, i, &c, &link);
    tcp_trace_segments(w->side[i].engine, traits & 128);
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

static void user_options(struct world *w, unsigned i, struct bytes *in)
{
    struct tcp_engine *e = w->side[i].engine;
    struct tcp_options o;
    uint64_t id = pick(&w->side[i], in);
    if (tcp_get_options(e, id, &o) < 0) {
        return;
    }
    change_option(&o, in);
    int result = tcp_set_options(e, w->now, id, &o);
    FUZZ_CHECK(result == 0 || w->side[i].memory.refuse);
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
        memory_ends(s, take_u8(in) < 16);
        break;
    case 14:
        s->refuses = take_u8(in) < 16;
        break;
    case 15: /* a good while: both ends talk */
        talk(w, take_u8(in) % 16);
        break;
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
    pair_init(w, false);
    side_of(w, 0, &in);
    side_of(w, 1, &in);
    while (bytes_more(&in)) {
        step(w, &in);
        check(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        memory_ends(&w->side[i], false);
        w->side[i].refuses = false;
    }
    everything_arrives(w);
    nothing_stays(w);
    pair_free(w);
    free(w);
    return 0;
}
