/* Scenarios between two engines, in virtual time: what seldom happens by chance is made to happen
 * here, with invariants checked at every step. */
#include "../unit/tcp/cmocka_all.h"
#include <errno.h>
#include <stdio.h>
#include "world.h"

#define PORT_A 1000
#define PORT_B 2000

/* Which segments a wire lets pass. */
enum pass { PASS_ALL, PASS_NONE, PASS_SYN, PASS_NOT_PURE_ACK, PASS_NOT_FIN, PASS_ACKS_SELDOM };

struct stage {
    struct world w;
    struct world_config config;
    uint64_t id[2], listener[2];
    unsigned ready[2]; /* TCP_READY_* of the connections so far */
    enum pass pass[2];
    uint64_t data_segments[2], data_bytes[2]; /* that came to each wire */
    uint32_t smallest[2];
    /* Stream offsets of host 0: a segment that holds one gets lost, so many times. */
    uint32_t lose[4];
    unsigned n_lose, lose_times, lost[4], acks;
};

static struct stage *stage_of(struct world *w)
{
    return w->users;
}

static bool filter(void *ctx, const struct link *link, ackd_time now, const struct wire_segment *s)
{
    struct world *w = ctx;
    struct stage *g = stage_of(w);
    unsigned i = (unsigned)(link - w->link);
    struct tcp_hdr h;
    (void)now;
    if (!tcp_hdr_parse(s->bytes, s->length, &h)) {
        return true;
    }
    uint32_t payload = s->length - h.header_len;
    if (payload > 0) {
        g->data_segments[i]++;
        g->data_bytes[i] += payload;
        g->smallest[i] = payload < g->smallest[i] ? payload : g->smallest[i];
    }
    for (unsigned k = 0; i == 0 && k < g->n_lose; k++) {
        uint32_t from = h.seq.v - w->host[0].iss - 1;
        if (g->lose[k] - from < payload && g->lost[k] < g->lose_times) {
            g->lost[k]++;
            return false;
        }
    }
    switch (g->pass[i]) {
    case PASS_NONE:
        return false;
    case PASS_SYN:
        return h.flags & TCP_SYN;
    case PASS_NOT_PURE_ACK:
        return payload > 0 || h.flags != TCP_ACK;
    case PASS_ACKS_SELDOM: /* one of four */
        return payload > 0 || h.flags != TCP_ACK || ++g->acks % 4 == 0;
    case PASS_NOT_FIN:
        return !(h.flags & TCP_FIN);
    default:
        return true;
    }
}

static void on_ready(struct world *w, struct host *h, const struct tcp_ready *r)
{
    struct stage *g = stage_of(w);
    unsigned i = (unsigned)(h - w->host);
    if (r->what & TCP_READY_ACCEPT) {
        assert_int_equal(tcp_accept(h->engine, g->listener[i], 1, 0, &g->id[i]), 0);
    }
    if (r->id == g->id[i]) {
        g->ready[i] |= r->what;
    }
}

/* A world with the stage's configuration, which the test may have changed. */
static void stage_start(struct stage *g)
{
    world_init(&g->w, &g->config);
    g->w.users = g;
    g->w.ready = on_ready;
    for (unsigned i = 0; i < 2; i++) {
        g->w.link[i].filter = filter;
        g->smallest[i] = UINT32_MAX;
    }
}

static struct stage *stage_new(void)
{
    struct stage *g = calloc(1, sizeof(*g));
    world_config_default(&g->config, 42);
    return g;
}

static struct tcp_tuple tuple_of(const struct stage *g, unsigned i)
{
    return (struct tcp_tuple){g->w.host[i].addr, g->w.host[1 - i].addr, i == 0 ? PORT_A : PORT_B,
                              i == 0 ? PORT_B : PORT_A};
}

static void sane(struct stage *g)
{
    if (g->w.failure[0] != 0) {
        fprintf(stderr, "%s\n", g->w.failure);
        world_diagnose(&g->w, stderr);
        fail();
    }
}

static void pass_time(struct stage *g, int64_t ns)
{
    world_pass(&g->w, ns);
    sane(g);
}

static void open_from(struct stage *g, unsigned i)
{
    struct tcp_open_args args = {.tuple = tuple_of(g, i), .mtu = 1500, .owner = 1};
    assert_int_equal(tcp_open(g->w.host[i].engine, g->w.now, &args, &g->id[i]), 0);
}

static void listen_on(struct stage *g, unsigned i)
{
    struct tcp_listen_args args = {
        .tuple = {.local_port = i == 0 ? PORT_A : PORT_B}, .backlog = 8, .owner = 1};
    assert_int_equal(tcp_listen(g->w.host[i].engine, g->w.now, &args, &g->listener[i]), 0);
}

static enum tcp_state state(struct stage *g, unsigned i)
{
    return host_info(&g->w.host[i], g->id[i]).state;
}

static const struct tcp_counters *counters(struct stage *g, unsigned i)
{
    return tcp_counters(g->w.host[i].engine);
}

/* Host `server` listens, the other opens. */
static void connect_to(struct stage *g, unsigned server)
{
    listen_on(g, server);
    open_from(g, 1 - server);
    pass_time(g, NS_PER_S);
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    assert_int_equal(state(g, 1), TCP_ESTABLISHED);
}

static void close_from(struct stage *g, unsigned i)
{
    assert_int_equal(tcp_close(g->w.host[i].engine, g->w.now, g->id[i]), 0);
}

/* Writes `n` bytes of the pattern at stream offset `from`; all must be taken. */
static void write_bytes(struct stage *g, unsigned i, uint64_t from, uint32_t n)
{
    uint8_t *data = malloc(n);
    pattern_fill(data, i, from, n);
    assert_int_equal(tcp_send(g->w.host[i].engine, g->w.now, g->id[i], data, n, 0), n);
    free(data);
}

/* Reads up to `n` bytes that must be the pattern of `sender` from `from` on; returns how many there
 * were. */
static uint64_t read_bytes(struct stage *g, unsigned i, unsigned sender, uint64_t from, uint64_t n)
{
    struct tcp_engine *e = g->w.host[i].engine;
    uint64_t at = from;
    while (at < from + n) {
        struct tcp_received got;
        assert_int_equal(tcp_peek(e, g->id[i], at, from + n - at, &got), 0);
        if (got.n_ranges == 0) {
            break;
        }
        for (unsigned r = 0; r < got.n_ranges; r++) {
            uint8_t *want = malloc(got.range[r].length);
            pattern_fill(want, sender, at, got.range[r].length);
            assert_memory_equal(want, got.range[r].data, got.range[r].length);
            free(want);
            at += got.range[r].length;
        }
        assert_int_equal(tcp_consume(e, g->w.now, g->id[i], at), 0);
    }
    return at - from;
}

/* Everything is let go; 10 minutes later nothing may be left. */
static void stage_end(struct stage *g)
{
    g->pass[0] = g->pass[1] = PASS_ALL;
    for (unsigned i = 0; i < 2; i++) {
        tcp_release(g->w.host[i].engine, g->w.now, g->id[i]);
        if (g->listener[i] != 0) {
            tcp_close(g->w.host[i].engine, g->w.now, g->listener[i]);
        }
    }
    pass_time(g, 1200 * NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tcp_endpoints(g->w.host[i].engine), 0);
        tcp_metrics_clear(g->w.host[i].engine, NULL);
        assert_int_equal(host_used(&g->w.host[i]), g->w.host[i].baseline);
    }
    world_free(&g->w);
    free(g);
}

/* A forged segment towards host `to`, as if from the peer of its connection. */
static void forge(struct stage *g, unsigned to, uint16_t flags, uint32_t seq, uint32_t ack,
                  uint16_t window)
{
    uint8_t room[sizeof(struct wire_segment) + TCP_HEADER_MIN] __attribute__((aligned(8)));
    struct wire_segment *s = (struct wire_segment *)(void *)room;
    struct tcp_tuple t = tuple_of(g, to);
    memset(room, 0, sizeof(room));
    s->src = t.remote;
    s->dst = t.local;
    s->length = TCP_HEADER_MIN;
    struct tcp_hdr h = {.sport = t.remote_port,
                        .dport = t.local_port,
                        .seq = {seq},
                        .ack = {ack},
                        .header_len = TCP_HEADER_MIN,
                        .flags = flags,
                        .window = window};
    tcp_hdr_build(s->bytes, &h);
    link_inject(&g->w.link[1 - to], g->w.now, s);
    pass_time(g, 100 * NS_PER_MS);
}

/* ---- opening and closing at once ---- */

/* RFC 9293 figure 7. */
static void simultaneous_open(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    open_from(g, 0);
    open_from(g, 1);
    pass_time(g, NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(state(g, i), TCP_ESTABLISHED);
        assert_true(g->w.host[i].state_seen[TCP_SYN_RECEIVED]);
        assert_true(g->ready[i] & TCP_READY_CONNECTED);
        assert_int_equal(counters(g, i)->out_rsts, 0);
        assert_true(
            host_info(&g->w.host[i], g->id[i]).sack_ok); /* options were negotiated all the same */
        write_bytes(g, i, 0, 20000);
    }
    pass_time(g, NS_PER_S);
    assert_int_equal(read_bytes(g, 0, 1, 0, 20000), 20000);
    assert_int_equal(read_bytes(g, 1, 0, 0, 20000), 20000);
    close_from(g, 0);
    close_from(g, 1);
    stage_end(g);
}

/* The first SYNs get lost, then only one side's: retransmission gets there. */
static void simultaneous_open_with_losses(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    g->pass[0] = g->pass[1] = PASS_NONE;
    open_from(g, 0);
    open_from(g, 1);
    pass_time(g, 500 * NS_PER_MS);
    g->pass[1] = PASS_SYN;
    pass_time(g, 2 * NS_PER_S);
    g->pass[0] = g->pass[1] = PASS_ALL;
    pass_time(g, 20 * NS_PER_S);
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    assert_int_equal(state(g, 1), TCP_ESTABLISHED);
    stage_end(g);
}

/* Figure 13. */
static void simultaneous_close(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    connect_to(g, 1);
    write_bytes(g, 0, 0, 3000);
    write_bytes(g, 1, 0, 3000);
    close_from(g, 0);
    close_from(g, 1);
    pass_time(g, NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(g->w.host[i].state_seen[TCP_CLOSING]);
        assert_int_equal(state(g, i), TCP_TIME_WAIT);
        assert_int_equal(read_bytes(g, i, 1 - i, 0, 3000), 3000);
    }
    pass_time(g, 61 * NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(state(g, i), TCP_CLOSED);
        assert_int_equal(g->w.host[i].closes[TCP_CLOSE_TIME_WAIT_EXPIRED], 1);
    }
    stage_end(g);
}

/* One connection whose two ends are one: a simultaneous open with itself. */
static void self_connect(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    struct tcp_open_args args = {
        .tuple = {g->w.host[0].addr, g->w.host[0].addr, PORT_A, PORT_A}, .mtu = 1500, .owner = 1};
    assert_int_equal(tcp_open(g->w.host[0].engine, g->w.now, &args, &g->id[0]), 0);
    pass_time(g, NS_PER_S);
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    write_bytes(g, 0, 0, 300000);
    uint64_t read = 0;
    for (unsigned i = 0; i < 100 && read < 300000; i++) {
        pass_time(g, 100 * NS_PER_MS);
        read += read_bytes(g, 0, 0, read, 300000 - read);
    }
    assert_int_equal(read, 300000);
    close_from(g, 0);
    pass_time(g, NS_PER_S);
    assert_int_equal(state(g, 0), TCP_TIME_WAIT);
    assert_int_equal(counters(g, 0)->out_rsts, 0);
    assert_int_equal(counters(g, 0)->retrans_segs, 1); /* the SYN, now with its ACK */
    g->id[1] = 0;
    stage_end(g);
}

/* ---- windows ---- */

static void zero_window_opens_again(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.engine[1].defaults.rcv_buffer = 20000;
    g->config.engine[1].defaults.rcv_buffer_max = 0;
    stage_start(g);
    connect_to(g, 1);
    write_bytes(g, 0, 0, 100000);
    pass_time(g, 20 * NS_PER_S);
    struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
    assert_int_equal(info.snd_wnd, 0);
    assert_int_equal(info.limit, TCP_LIMIT_ZERO_WINDOW);
    uint64_t probes = counters(g, 0)->zero_window_probes;
    assert_in_range(probes, 3, 20);
    /* For as long as the probes are answered (MUST-37), at growing distances (SHLD-30). */
    pass_time(g, 3600 * NS_PER_S);
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    assert_in_range(counters(g, 0)->zero_window_probes - probes, 20, 60);
    assert_int_equal(counters(g, 0)->window_shrunk, 0);
    uint64_t read = 0;
    for (unsigned i = 0; i < 200 && read < 100000; i++) {
        read += read_bytes(g, 1, 0, read, 100000 - read);
        pass_time(g, 200 * NS_PER_MS);
    }
    assert_int_equal(read, 100000);
    stage_end(g);
}

/* The update that opens the window is lost: the next probe finds out. */
static void a_lost_window_update_is_survived(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.engine[1].defaults.rcv_buffer = 10000;
    g->config.engine[1].defaults.rcv_buffer_max = 0;
    stage_start(g);
    connect_to(g, 1);
    write_bytes(g, 0, 0, 50000);
    pass_time(g, 5 * NS_PER_S);
    assert_int_equal(host_info(&g->w.host[0], g->id[0]).snd_wnd, 0);
    g->pass[1] = PASS_NONE;
    uint64_t read = read_bytes(g, 1, 0, 0, 50000);
    assert_true(read > 0);
    world_settle(&g->w);
    g->pass[1] = PASS_ALL;
    for (unsigned i = 0; i < 300 && read < 50000; i++) {
        pass_time(g, 200 * NS_PER_MS);
        read += read_bytes(g, 1, 0, read, 50000 - read);
    }
    assert_int_equal(read, 50000);
    stage_end(g);
}

/* A reader of one byte at a time must not make the sender send one byte at a time (MUST-39,
 * MUST-38). */
static void byte_by_byte_reader(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.engine[1].defaults.rcv_buffer = 8192;
    g->config.engine[1].defaults.rcv_buffer_max = 0;
    stage_start(g);
    connect_to(g, 1);
    uint64_t read = 0, written = 0;
    while (read < 40000) {
        while (written < 40000 && tcp_send_room(g->w.host[0].engine, g->id[0]) >= 5000) {
            write_bytes(g, 0, written, 5000);
            written += 5000;
        }
        read += read_bytes(g, 1, 0, read, 1);
        pass_time(g, 100 * NS_PER_US);
    }
    uint64_t probes = counters(g, 0)->zero_window_probes; /* of one byte each */
    assert_in_range(g->data_bytes[0] - counters(g, 0)->retrans_bytes, 40000, 40000 + probes);
    assert_true(g->data_segments[0] <= 40000 / 1000 + probes);
    stage_end(g);
}

/* A peer that offers one byte at a time, against SHLD-14 and MUST-39: the sender waits for more,
 * but not for ever (MUST-38 (4)). */
static void windows_of_one_byte(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.engine[0].defaults.timestamps = false;
    stage_start(g);
    connect_to(g, 1);
    g->pass[0] = PASS_NONE; /* the real peer is out of this */
    struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
    forge(g, 0, TCP_ACK, info.rcv_nxt, info.snd_una, 1);
    assert_int_equal(host_info(&g->w.host[0], g->id[0]).snd_wnd >>
                         host_info(&g->w.host[0], g->id[0]).snd_wscale,
                     1);
    g->data_segments[0] = 0;
    uint32_t window = host_info(&g->w.host[0], g->id[0]).snd_wnd;
    write_bytes(g, 0, 0, 50000);
    pass_time(g, 20 * NS_PER_MS);
    assert_int_equal(g->data_segments[0], 0);
    info = host_info(&g->w.host[0], g->id[0]);
    assert_int_equal(info.limit, TCP_LIMIT_SILLY_WINDOW);
    assert_true(info.persist_deadline_ns != INT64_MAX || info.rto_deadline_ns != INT64_MAX);
    pass_time(g, 5 * NS_PER_S);
    assert_true(g->data_segments[0] > 0);
    assert_true(g->smallest[0] <= window);
    tcp_abort(g->w.host[0].engine, g->w.now, g->id[0], TCP_CLOSE_ABORTED);
    tcp_abort(g->w.host[1].engine, g->w.now, g->id[1], TCP_CLOSE_ABORTED);
    stage_end(g);
}

/* ---- losses ---- */

/* Ten segments in one flight, of which those at the offsets get lost; all must arrive. */
static struct stage *flight_with_losses(bool sack, unsigned n, const uint32_t *offsets,
                                        unsigned times)
{
    struct stage *g = stage_new();
    g->config.engine[0].defaults.sack = sack;
    g->config.engine[0].defaults.mss_clamp = 1012; /* 1000 beside timestamps */
    stage_start(g);
    connect_to(g, 1);
    g->n_lose = n;
    g->lose_times = times;
    memcpy(g->lose, offsets, n * sizeof(offsets[0]));
    write_bytes(g, 0, 0, 10000);
    pass_time(g, 30 * NS_PER_S);
    for (unsigned k = 0; k < n; k++) {
        assert_int_equal(g->lost[k], times);
    }
    assert_int_equal(read_bytes(g, 1, 0, 0, 10000), 10000);
    return g;
}

/* RFC 6582 and 6675: several losses of one flight are one event, repaired without a timeout, and
 * nothing else is sent twice. */
static void losses_of_a_flight_are_repaired_without_a_timeout(void **unused)
{
    (void)unused;
    static const uint32_t offsets[] = {1000, 4000, 5000};
    for (unsigned sack = 0; sack < 2; sack++) {
        for (unsigned n = 1; n <= 3; n++) {
            struct stage *g = flight_with_losses(sack, n, offsets, 1);
            assert_int_equal(counters(g, 0)->rto_timeouts, 0);
            assert_int_equal(counters(g, 0)->fast_recoveries, 1);
            assert_int_equal(counters(g, 0)->retrans_segs, n);
            stage_end(g);
        }
    }
}

/* Nothing follows the last segment; a retransmission gets lost, too: the timer is for these. */
static void the_timer_repairs_what_acks_cannot(void **unused)
{
    (void)unused;
    static const uint32_t last[] = {9000}, first[] = {0};
    for (unsigned sack = 0; sack < 2; sack++) {
        struct stage *g = flight_with_losses(sack, 1, last, 1);
        assert_int_equal(counters(g, 0)->rto_timeouts, !sack); /* with SACK a probe does it */
        assert_int_equal(counters(g, 0)->loss_probes, sack);
        assert_int_equal(counters(g, 0)->retrans_segs, 1);
        stage_end(g);
        g = flight_with_losses(sack, 1, first, 3);
        assert_in_range(counters(g, 0)->rto_timeouts, 1, 2);
        stage_end(g);
    }
}

/* ---- TIME-WAIT ---- */

static void finish(struct stage *g, unsigned first)
{
    close_from(g, first);
    pass_time(g, NS_PER_S);
    close_from(g, 1 - first);
    pass_time(g, NS_PER_S);
    assert_int_equal(state(g, first), TCP_TIME_WAIT);
    assert_int_equal(state(g, 1 - first), TCP_CLOSED);
    for (unsigned i = 0; i < 2; i++) {
        tcp_release(g->w.host[i].engine, g->w.now, g->id[i]);
    }
}

/* The listener's side closed first; a new SYN of the same tuple takes the place (RFC 6191). */
/* Writes and reads `n` bytes from host 0 to host 1; returns how long it took. */
static int64_t bulk(struct stage *g, uint32_t n)
{
    uint64_t written = 0, read = 0;
    ackd_time since = g->w.now;
    while (read < n) {
        uint32_t step = n - written < 50000 ? (uint32_t)(n - written) : 50000;
        if (step && host_info(&g->w.host[0], g->id[0]).send_q_bytes + step <= 200000) {
            write_bytes(g, 0, written, step);
            written += step;
        } else {
            pass_time(g, NS_PER_MS);
        }
        read += read_bytes(g, 1, 0, read, n - read);
        assert_true(time_diff(g->w.now, since) < 600 * NS_PER_S);
    }
    return time_diff(g->w.now, since);
}

/* RFC 8985 section 3.4: neither a lost retransmission nor a lost tail waits for the timer. */
static void a_retransmission_gets_lost(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    connect_to(g, 1);
    g->lose[0] = 100000;
    g->n_lose = 1;
    g->lose_times = 2; /* once more, and the peer's window ends before anything could tell */
    bulk(g, 1000000);
    assert_int_equal(g->lost[0], 2);
    assert_int_equal(counters(g, 0)->rto_timeouts, 0);
    assert_int_equal(counters(g, 0)->lost_retransmissions, 1);
    assert_int_equal(counters(g, 0)->retrans_segs, 2);
    stage_end(g);
}

static void a_tail_gets_lost(void **unused)
{
    (void)unused;
    static const uint32_t tail[] = {7000, 8000, 9000};
    struct stage *g = flight_with_losses(true, 3, tail, 1);
    assert_int_equal(counters(g, 0)->rto_timeouts, 0);
    assert_int_equal(counters(g, 0)->loss_probes, 1);
    assert_int_equal(counters(g, 0)->fast_recoveries, 1);
    assert_int_equal(counters(g, 0)->retrans_segs, 3);
    stage_end(g);
}

/* Once it was seen (at the price of one recovery, undone), reordering within a quarter of the round
 * trip costs nothing. */
static void reordering_is_no_loss(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.profile[0].reorder_ppm = 50000;
    g->config.profile[0].reorder_ns = 4 * NS_PER_MS;
    stage_start(g);
    connect_to(g, 1);
    bulk(g, 5000000);
    assert_true(g->w.link[0].stats.late > 100);
    assert_true(host_info(&g->w.host[0], g->id[0]).reordering_seen);
    assert_in_range(counters(g, 0)->fast_recoveries, 0, 1);
    assert_int_equal(counters(g, 0)->undos_eifel + counters(g, 0)->undos_dsack,
                     counters(g, 0)->fast_recoveries);
    assert_int_equal(counters(g, 0)->rto_timeouts, 0);
    assert_true(host_info(&g->w.host[0], g->id[0]).cwnd_bytes > 200000);
    stage_end(g);
}

/* Half a second without delivery, and then everything arrives. */
static void a_delay_is_no_loss(void **unused)
{
    (void)unused;
    static const struct {
        bool sack, timestamps;
    } with[] = {{true, true}, {true, false}, {false, true}, {false, false}};
    for (unsigned k = 0; k < 4; k++) {
        struct stage *g = stage_new();
        g->config.engine[0].defaults.sack = with[k].sack;
        g->config.engine[0].defaults.timestamps = with[k].timestamps;
        g->config.profile[0].keeps_order = true;
        g->config.profile[0].rate_bps = 100000000; /* one by one, or one ACK tells it all */
        g->config.profile[0].queue_bytes = 1000000;
        stage_start(g);
        connect_to(g, 1);
        write_bytes(g, 0, 0, 250000);
        pass_time(g, 50 * NS_PER_MS);
        struct tcp_info before = host_info(&g->w.host[0], g->id[0]);
        g->w.link[0].profile.delay_ns = 500 * NS_PER_MS;
        pass_time(g, 20 * NS_PER_MS);
        g->w.link[0].profile.delay_ns = 10 * NS_PER_MS;
        pass_time(g, 5 * NS_PER_S);
        struct tcp_info after = host_info(&g->w.host[0], g->id[0]);
        assert_int_equal(read_bytes(g, 1, 0, 0, 250000), 250000);
        assert_int_equal(counters(g, 0)->rto_timeouts, 1);
        assert_int_equal(counters(g, 0)->undos_timeout, 1);
        assert_true(after.ssthresh_bytes >= before.cwnd_bytes); /* cwnd goes there by slow start */
        assert_true(after.cwnd_bytes >= 10000);
        assert_in_range(counters(g, 0)->retrans_segs, 1, 2); /* the timer's, and a probe */
        stage_end(g);
    }
}

/* Cumulative ACKs stand for those that got lost. */
static void lost_acks_are_no_loss(void **unused)
{
    (void)unused;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct stage *g = stage_new();
        g->config.engine[0].defaults.sack = sack;
        g->config.profile[0].rate_bps = 20000000;
        g->config.profile[0].queue_bytes = 1000000;
        stage_start(g);
        connect_to(g, 1);
        g->pass[1] = PASS_ACKS_SELDOM;
        bulk(g, 1000000);
        assert_int_equal(counters(g, 0)->fast_recoveries, 0);
        assert_in_range(counters(g, 0)->retrans_segs, 0, 4); /* the last ACKs of all got lost */
        stage_end(g);
    }
}

/* RFC 4015 section 3.6, RFC 7323 section 4.1: what waited for the timer because its ACK got lost is
 * no sample of the round trip; taken for one, each lost ACK would double the timeout. */
static void lost_acks_are_no_delay(void **unused)
{
    (void)unused;
    for (unsigned options = 0; options < 4; options++) {
        struct stage *g = stage_new();
        g->config.engine[0].defaults.timestamps = options & 1;
        g->config.engine[0].defaults.sack = options & 2;
        stage_start(g);
        connect_to(g, 1);
        for (unsigned i = 0; i < 5; i++) {
            uint64_t timeouts = counters(g, 0)->rto_timeouts;
            g->pass[1] = PASS_NONE;
            write_bytes(g, 0, 3000 * i, 3000);
            while (counters(g, 0)->rto_timeouts == timeouts) {
                pass_time(g, 5 * NS_PER_MS);
            }
            g->pass[1] = PASS_ALL;
            pass_time(g, 5 * NS_PER_S);
            assert_int_equal(read_bytes(g, 1, 0, 3000 * i, 3000), 3000);
            struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
            assert_int_equal(info.snd_una, info.snd_nxt);
            assert_in_range(info.srtt_ns, 20 * NS_PER_MS, 40 * NS_PER_MS);
        }
        stage_end(g);
    }
}

static void sack_from_the_peer(struct stage *g, uint32_t ack, uint32_t start, uint32_t end)
{
    uint8_t room[sizeof(struct wire_segment) + TCP_HEADER_MAX] __attribute__((aligned(8)));
    struct wire_segment *s = (struct wire_segment *)(void *)room;
    struct tcp_tuple t = tuple_of(g, 0);
    struct tcp_info peer = host_info(&g->w.host[1], g->id[1]);
    uint32_t first = g->w.host[0].iss + 1;
    struct tcp_opts o = {.n_sack = 1, .sack = {{{first + start}, {first + end}}}};
    memset(room, 0, sizeof(room));
    s->src = t.remote;
    s->dst = t.local;
    uint8_t options = tcp_opts_build(s->bytes + TCP_HEADER_MIN, &o);
    s->length = TCP_HEADER_MIN + options;
    struct tcp_hdr h = {.sport = t.remote_port,
                        .dport = t.local_port,
                        .seq = {peer.snd_nxt},
                        .ack = {first + ack},
                        .header_len = (uint8_t)s->length,
                        .flags = TCP_ACK,
                        .window = 65535};
    tcp_hdr_build(s->bytes, &h);
    link_inject(&g->w.link[1], g->w.now, s);
}

/* RFC 2018 section 8: it SACKs what it then has not. */
static void a_peer_that_reneges(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.engine[0].defaults.mss_clamp = 1000;
    g->config.engine[0].defaults.timestamps = false;
    stage_start(g);
    connect_to(g, 1);
    g->lose[0] = 0;
    g->lose[1] = 3000;
    g->lose[2] = 4000;
    g->n_lose = 3;
    g->lose_times = 1;
    write_bytes(g, 0, 0, 10000);
    pass_time(g, 5 * NS_PER_MS);
    sack_from_the_peer(g, 0, 3000, 5000);
    pass_time(g, 20 * NS_PER_S);
    assert_int_equal(counters(g, 0)->sack_reneges, 1);
    assert_int_equal(read_bytes(g, 1, 0, 0, 10000), 10000);
    assert_int_equal(host_info(&g->w.host[0], g->id[0]).send_q_bytes, 0);
    stage_end(g);
}

static void time_wait_gives_way_to_a_syn(void **unused)
{
    (void)unused;
    for (unsigned timestamps = 0; timestamps < 2; timestamps++) {
        struct stage *g = stage_new();
        g->config.engine[0].defaults.timestamps = timestamps;
        stage_start(g);
        connect_to(g, 1);
        finish(g, 1);
        open_from(g, 0);
        pass_time(g, NS_PER_S);
        assert_int_equal(state(g, 0), TCP_ESTABLISHED);
        assert_int_equal(state(g, 1), TCP_ESTABLISHED);
        assert_int_equal(counters(g, 1)->time_wait_reuses, 1);
        assert_int_equal(g->w.host[1].closes[TCP_CLOSE_TIME_WAIT_REUSED], 1);
        write_bytes(g, 0, 0, 5000);
        pass_time(g, NS_PER_S);
        assert_int_equal(read_bytes(g, 1, 0, 0, 5000), 5000);
        close_from(g, 0);
        close_from(g, 1);
        stage_end(g);
    }
}

/* The opener's side closed first and opens the same tuple again. */
static void time_wait_gives_way_to_an_open(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    connect_to(g, 1);
    finish(g, 0);
    open_from(g, 0);
    pass_time(g, NS_PER_S);
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    assert_int_equal(counters(g, 0)->time_wait_reuses, 1);
    stage_end(g);
}

/* The last ACK is lost: the FIN comes again and is acknowledged again, and 2 MSL start anew. */
static void time_wait_acknowledges_again(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    connect_to(g, 1);
    close_from(g, 0);
    pass_time(g, NS_PER_S);
    g->pass[0] = PASS_NONE;
    close_from(g, 1);
    pass_time(g, 4 * NS_PER_S);
    assert_int_equal(state(g, 1), TCP_LAST_ACK);
    assert_int_equal(state(g, 0), TCP_TIME_WAIT);
    g->pass[0] = PASS_ALL;
    ackd_time before = g->w.now;
    pass_time(g, 10 * NS_PER_S);
    assert_int_equal(state(g, 1), TCP_CLOSED);
    assert_true(host_info(&g->w.host[0], g->id[0]).time_wait_deadline_ns >
                before.ns + 60 * NS_PER_S);
    pass_time(g, 70 * NS_PER_S);
    assert_int_equal(state(g, 0), TCP_CLOSED);
    stage_end(g);
}

/* ---- death ---- */

static enum tcp_close_reason end_reason(struct stage *g, unsigned i)
{
    struct tcp_info info;
    assert_int_equal(tcp_status(g->w.host[i].engine, g->w.now, g->id[i], true, &info), 0);
    assert_int_equal(info.state, TCP_CLOSED);
    assert_true(g->ready[i] & TCP_READY_CLOSED);
    return info.close_reason;
}

static void keepalive_finds_a_dead_peer(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    struct tcp_options *o = &g->config.engine[0].defaults;
    o->keepalive = true;
    o->keepalive_idle_ns = 60 * NS_PER_S;
    o->keepalive_interval_ns = 10 * NS_PER_S;
    o->keepalive_count = 3;
    stage_start(g);
    connect_to(g, 1);
    pass_time(g, 600 * NS_PER_S);
    assert_in_range(counters(g, 0)->keepalive_probes, 8, 11); /* answered */
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    g->pass[1] = PASS_NONE;
    pass_time(g, 70 * NS_PER_S); /* at least two probes are out */
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    pass_time(g, 40 * NS_PER_S);
    assert_int_equal(end_reason(g, 0), TCP_CLOSE_KEEPALIVE_TIMEOUT);
    stage_end(g);
}

static void r2_gives_up(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    connect_to(g, 1);
    g->pass[0] = PASS_NONE;
    write_bytes(g, 0, 0, 100);
    pass_time(g, 100 * NS_PER_S); /* SHLD-11 */
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    assert_true(g->ready[0] & TCP_READY_SOFT_ERROR); /* R1 was told (MUST-20) */
    pass_time(g, 900 * NS_PER_S);
    assert_int_equal(end_reason(g, 0), TCP_CLOSE_RETRANSMISSION_TIMEOUT);
    stage_end(g);
}

static void the_user_timeout_gives_up(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    g->config.engine[0].defaults.user_timeout_ns = 10 * NS_PER_S;
    stage_start(g);
    connect_to(g, 1);
    pass_time(g, 60 * NS_PER_S); /* an idle connection has none */
    g->pass[0] = PASS_NONE;
    write_bytes(g, 0, 0, 100);
    pass_time(g, 9 * NS_PER_S);
    assert_int_equal(state(g, 0), TCP_ESTABLISHED);
    pass_time(g, 2 * NS_PER_S);
    assert_int_equal(end_reason(g, 0), TCP_CLOSE_USER_TIMEOUT);
    stage_end(g);
}

static void a_syn_gives_up_after_three_minutes(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    g->pass[0] = PASS_NONE;
    open_from(g, 0);
    pass_time(g, 179 * NS_PER_S);
    assert_int_equal(state(g, 0), TCP_SYN_SENT); /* MUST-23 */
    pass_time(g, 60 * NS_PER_S);
    assert_int_equal(end_reason(g, 0), TCP_CLOSE_SYN_TIMEOUT);
    stage_end(g);
}

static void a_half_open_connection_gives_up(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    listen_on(g, 1);
    g->pass[1] = PASS_NONE;
    open_from(g, 0);
    world_settle(&g->w);
    pass_time(g, 100 * NS_PER_MS);
    assert_int_equal(counters(g, 1)->states[TCP_SYN_RECEIVED], 1);
    tcp_abort(g->w.host[0].engine, g->w.now, g->id[0], TCP_CLOSE_ABORTED);
    g->pass[0] = PASS_NONE;
    pass_time(g, 300 * NS_PER_S);
    assert_int_equal(counters(g, 1)->states[TCP_SYN_RECEIVED], 0);
    assert_int_equal(g->w.host[1].closes[TCP_CLOSE_SYN_RECEIVED_TIMEOUT], 1);
    stage_end(g);
}

/* ---- a reset in every state ---- */

/* Brings host 0's connection into a state. */
static void enter_state(struct stage *g, enum tcp_state to)
{
    switch (to) {
    case TCP_SYN_SENT:
        g->pass[0] = PASS_NONE;
        open_from(g, 0);
        break;
    case TCP_SYN_RECEIVED:
        g->pass[1] = PASS_SYN;
        open_from(g, 0);
        open_from(g, 1);
        g->pass[0] = PASS_NONE;
        break;
    case TCP_FIN_WAIT_1:
        connect_to(g, 1);
        g->pass[0] = PASS_NONE;
        close_from(g, 0);
        break;
    case TCP_FIN_WAIT_2:
        connect_to(g, 1);
        close_from(g, 0);
        break;
    case TCP_CLOSE_WAIT:
        connect_to(g, 1);
        close_from(g, 1);
        break;
    case TCP_CLOSING:
        connect_to(g, 1);
        close_from(g, 0);
        close_from(g, 1);
        world_settle(&g->w);
        g->pass[1] = PASS_NONE; /* b's FIN is under way, its ACK of ours is not */
        break;
    case TCP_LAST_ACK:
        connect_to(g, 1);
        close_from(g, 1);
        pass_time(g, 100 * NS_PER_MS);
        g->pass[0] = PASS_NONE;
        close_from(g, 0);
        break;
    case TCP_TIME_WAIT:
        connect_to(g, 1);
        close_from(g, 0);
        pass_time(g, 100 * NS_PER_MS);
        close_from(g, 1);
        break;
    default:
        connect_to(g, 1);
        break;
    }
    pass_time(g, 100 * NS_PER_MS);
    assert_int_equal(state(g, 0), to);
    g->pass[0] = g->pass[1] = PASS_NONE; /* from here on the peer says only what is forged */
}

static const struct reset_case {
    enum tcp_state state;
    enum tcp_close_reason reason;
    enum tcp_rst_received received;
} reset_cases[] = {
    {TCP_SYN_SENT, TCP_CLOSE_REFUSED, TCP_RST_RECEIVED_RST_IN_SYN_SENT},
    {TCP_SYN_RECEIVED, TCP_CLOSE_REFUSED, TCP_RST_RECEIVED_RST_IN_SYN_RECEIVED},
    {TCP_ESTABLISHED, TCP_CLOSE_RESET_BY_PEER, TCP_RST_RECEIVED_RST_IN_ESTABLISHED},
    {TCP_FIN_WAIT_1, TCP_CLOSE_RESET_BY_PEER, TCP_RST_RECEIVED_RST_WHILE_CLOSING},
    {TCP_FIN_WAIT_2, TCP_CLOSE_RESET_BY_PEER, TCP_RST_RECEIVED_RST_WHILE_CLOSING},
    {TCP_CLOSE_WAIT, TCP_CLOSE_RESET_BY_PEER, TCP_RST_RECEIVED_RST_IN_ESTABLISHED},
    /* All data and the peer's FIN have arrived: nothing is lost. */
    {TCP_CLOSING, TCP_CLOSE_NORMAL, TCP_RST_RECEIVED_RST_WHILE_CLOSING},
    {TCP_LAST_ACK, TCP_CLOSE_NORMAL, TCP_RST_RECEIVED_RST_WHILE_CLOSING},
};
#define RESET_CASES (sizeof(reset_cases) / sizeof(reset_cases[0]))

static void a_reset_ends_every_state(void **unused)
{
    (void)unused;
    for (unsigned k = 0; k < RESET_CASES; k++) {
        const struct reset_case *t = &reset_cases[k];
        struct stage *g = stage_new();
        stage_start(g);
        enter_state(g, t->state);
        struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
        if (t->state == TCP_SYN_SENT) {
            forge(g, 0, TCP_RST | TCP_ACK, 0, info.snd_nxt, 0);
        } else {
            forge(g, 0, TCP_RST, info.rcv_nxt, 0, 0);
        }
        enum tcp_close_reason reason = end_reason(g, 0);
        if (reason != t->reason || counters(g, 0)->rsts_received[t->received] != 1) {
            fail_msg("a reset in %s ended the connection with %s", tcp_state_name(t->state),
                     tcp_close_text[reason].name);
        }
        tcp_abort(g->w.host[1].engine, g->w.now, g->id[1], TCP_CLOSE_ABORTED);
        stage_end(g);
    }
}

/* In the window but not at RCV.NXT: a challenge, and the connection stays (RFC 5961 section 3).
 * Outside: nothing at all. */
static void a_guessed_reset_ends_none(void **unused)
{
    (void)unused;
    for (unsigned k = 2; k < RESET_CASES; k++) {
        struct stage *g = stage_new();
        stage_start(g);
        enter_state(g, reset_cases[k].state);
        struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
        uint64_t challenges = counters(g, 0)->challenge_acks;
        forge(g, 0, TCP_RST, info.rcv_nxt + 1, 0, 0);
        assert_int_equal(state(g, 0), reset_cases[k].state);
        assert_int_equal(counters(g, 0)->challenge_acks, challenges + 1);
        assert_int_equal(counters(g, 0)->drops[TCP_DROP_RST_CHALLENGED], 1);
        forge(g, 0, TCP_RST, info.rcv_nxt - 100000, 0, 0);
        assert_int_equal(state(g, 0), reset_cases[k].state);
        assert_int_equal(counters(g, 0)->challenge_acks, challenges + 1);
        assert_int_equal(counters(g, 0)->drops[TCP_DROP_RST_OUT_OF_WINDOW], 1);
        forge(g, 0, TCP_SYN, info.rcv_nxt + 5, 0, 0); /* section 4 */
        assert_int_equal(state(g, 0), reset_cases[k].state);
        assert_int_equal(counters(g, 0)->drops[TCP_DROP_SYN_CHALLENGED], 1);
        tcp_abort(g->w.host[0].engine, g->w.now, g->id[0], TCP_CLOSE_ABORTED);
        tcp_abort(g->w.host[1].engine, g->w.now, g->id[1], TCP_CLOSE_ABORTED);
        stage_end(g);
    }
}

static void resets_without_a_connection(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    listen_on(g, 0);
    forge(g, 0, TCP_RST, 1, 0, 0);
    assert_int_equal(counters(g, 0)->drops[TCP_DROP_LISTEN_RST], 1);
    assert_int_equal(counters(g, 0)->out_rsts, 0);
    forge(g, 0, TCP_ACK, 1, 1, 0);
    assert_int_equal(counters(g, 0)->rsts_sent[TCP_RST_SENT_ACK_IN_LISTEN], 1);
    tcp_close(g->w.host[0].engine, g->w.now, g->listener[0]);
    g->listener[0] = 0;
    forge(g, 0, TCP_RST, 1, 0, 0); /* CLOSED */
    assert_int_equal(counters(g, 0)->out_rsts, 1);
    forge(g, 0, TCP_SYN, 1, 0, 0);
    assert_int_equal(counters(g, 0)->rsts_sent[TCP_RST_SENT_NO_CONNECTION], 1);
    stage_end(g);
}

static void time_wait_ignores_resets(void **unused)
{
    (void)unused;
    for (unsigned held = 0; held < 2; held++) { /* by its user, or by nobody */
        struct stage *g = stage_new();
        stage_start(g);
        enter_state(g, TCP_TIME_WAIT);
        struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
        if (!held) {
            tcp_release(g->w.host[0].engine, g->w.now, g->id[0]);
        }
        forge(g, 0, TCP_RST, info.rcv_nxt, 0, 0);
        assert_int_equal(state(g, 0), TCP_TIME_WAIT);
        assert_int_equal(counters(g, 0)->drops[TCP_DROP_TIME_WAIT_RST], 1);
        stage_end(g);
    }
    struct stage *g = stage_new();
    g->config.engine[0].defaults.rfc1337 = false;
    stage_start(g);
    enter_state(g, TCP_TIME_WAIT);
    struct tcp_info info = host_info(&g->w.host[0], g->id[0]);
    forge(g, 0, TCP_RST, info.rcv_nxt, 0, 0);
    assert_int_equal(state(g, 0), TCP_CLOSED);
    assert_int_equal(counters(g, 0)->rsts_received[TCP_RST_RECEIVED_RST_IN_TIME_WAIT], 1);
    stage_end(g);
}

/* The passive half-open connection goes back to LISTEN without a word (MUST-11). */
static void a_reset_of_a_half_open_connection(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    listen_on(g, 0);
    g->pass[0] = PASS_NONE;
    open_from(g, 1);
    pass_time(g, 100 * NS_PER_MS);
    assert_int_equal(counters(g, 0)->states[TCP_SYN_RECEIVED], 1);
    forge(g, 0, TCP_RST, host_info(&g->w.host[1], g->id[1]).snd_nxt, 0, 0);
    assert_int_equal(counters(g, 0)->states[TCP_SYN_RECEIVED], 0);
    assert_int_equal(counters(g, 0)->states[TCP_LISTEN], 1);
    assert_int_equal(counters(g, 0)->rsts_received[TCP_RST_RECEIVED_RST_IN_SYN_RECEIVED], 1);
    tcp_abort(g->w.host[1].engine, g->w.now, g->id[1], TCP_CLOSE_ABORTED);
    stage_end(g);
}

/* Half-close: the side that still sends does so for as long as it likes. */
static void half_close(void **unused)
{
    (void)unused;
    struct stage *g = stage_new();
    stage_start(g);
    connect_to(g, 1);
    close_from(g, 0);
    pass_time(g, 300 * NS_PER_S); /* held: no FIN-WAIT-2 timeout */
    assert_int_equal(state(g, 0), TCP_FIN_WAIT_2);
    uint64_t read = 0;
    for (unsigned i = 0; i < 10; i++) {
        write_bytes(g, 1, i * 10000u, 10000);
        pass_time(g, NS_PER_S);
        read += read_bytes(g, 0, 1, read, 10000);
    }
    assert_int_equal(read, 100000);
    assert_int_equal(tcp_send(g->w.host[0].engine, g->w.now, g->id[0], "x", 1, 0), -EPIPE);
    close_from(g, 1);
    pass_time(g, NS_PER_S);
    assert_int_equal(state(g, 0), TCP_TIME_WAIT);
    assert_int_equal(state(g, 1), TCP_CLOSED);
    assert_int_equal(end_reason(g, 1), TCP_CLOSE_NORMAL);
    stage_end(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simultaneous_open),
        cmocka_unit_test(simultaneous_open_with_losses),
        cmocka_unit_test(simultaneous_close),
        cmocka_unit_test(self_connect),
        cmocka_unit_test(half_close),
        cmocka_unit_test(zero_window_opens_again),
        cmocka_unit_test(a_lost_window_update_is_survived),
        cmocka_unit_test(byte_by_byte_reader),
        cmocka_unit_test(windows_of_one_byte),
        cmocka_unit_test(losses_of_a_flight_are_repaired_without_a_timeout),
        cmocka_unit_test(the_timer_repairs_what_acks_cannot),
        cmocka_unit_test(a_retransmission_gets_lost),
        cmocka_unit_test(a_tail_gets_lost),
        cmocka_unit_test(reordering_is_no_loss),
        cmocka_unit_test(a_delay_is_no_loss),
        cmocka_unit_test(lost_acks_are_no_loss),
        cmocka_unit_test(lost_acks_are_no_delay),
        cmocka_unit_test(a_peer_that_reneges),
        cmocka_unit_test(time_wait_gives_way_to_a_syn),
        cmocka_unit_test(time_wait_gives_way_to_an_open),
        cmocka_unit_test(time_wait_acknowledges_again),
        cmocka_unit_test(keepalive_finds_a_dead_peer),
        cmocka_unit_test(r2_gives_up),
        cmocka_unit_test(the_user_timeout_gives_up),
        cmocka_unit_test(a_syn_gives_up_after_three_minutes),
        cmocka_unit_test(a_half_open_connection_gives_up),
        cmocka_unit_test(a_reset_ends_every_state),
        cmocka_unit_test(a_guessed_reset_ends_none),
        cmocka_unit_test(resets_without_a_connection),
        cmocka_unit_test(time_wait_ignores_resets),
        cmocka_unit_test(a_reset_of_a_half_open_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
