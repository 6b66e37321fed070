/* Congestion control over a bottleneck: a link of a given rate with a finite FIFO in front of it,
 * bulk flows from one host to the other, in virtual time. What each module promises is measured:
 * that the link is busy, that the queue is short, that slow start does not flood it, that flows
 * share. */
#include "../unit/tcp/cmocka_all.h"
#include <stdio.h>
#include "world.h"

#define FLOWS_MAX 4
#define SINK_PORT 2000
#define RATE_BPS 20000000u
#define ONE_WAY_NS (20 * NS_PER_MS)
#define BDP_BYTES (RATE_BPS / 8 / 25) /* 40 ms of the rate */

struct flow {
    uint64_t id, sink; /* at host 0, at host 1 */
    enum tcp_congestion congestion;
    ackd_time start;
    uint64_t received;
    int64_t srtt_sum_ns;
    unsigned srtt_samples;
    bool opened;
};

struct path {
    struct world w;
    struct world_config config;
    struct flow flow[FLOWS_MAX];
    unsigned flows;
    uint64_t listener;
    bool hystart, ecn;
    uint32_t mark_above; /* bytes of queue beyond which segments are marked CE; 0: never */
};

static void on_ready(struct world *w, struct host *h, const struct tcp_ready *r)
{
    struct path *p = w->users;
    if (h != &w->host[1] || !(r->what & TCP_READY_ACCEPT)) {
        return;
    }
    uint64_t id;
    while (tcp_accept(h->engine, p->listener, 1, 0, &id) == 0) {
        struct tcp_info info = host_info(h, id);
        for (unsigned i = 0; i < p->flows; i++) {
            struct tcp_info ours = host_info(&w->host[0], p->flow[i].id);
            if (p->flow[i].opened && ours.tuple.local_port == info.tuple.remote_port) {
                p->flow[i].sink = id;
            }
        }
    }
}

static void open_flow(struct path *p, struct flow *f)
{
    struct tcp_options options;
    tcp_options_default(&options);
    options.congestion = f->congestion;
    options.hystart = p->hystart;
    options.ecn = p->ecn ? TCP_ECN_ON : TCP_ECN_PASSIVE;
    options.snd_buffer = options.rcv_buffer = 4u << 20;
    options.snd_buffer_max = options.rcv_buffer_max = 0;
    struct tcp_open_args args = {.tuple = {p->w.host[0].addr, p->w.host[1].addr, 0, SINK_PORT},
                                 .mtu = 1500,
                                 .owner = 1,
                                 .options = &options};
    assert_int_equal(tcp_open(p->w.host[0].engine, p->w.now, &args, &f->id), 0);
    f->opened = true;
}

static bool drain(struct path *p, struct flow *f)
{
    struct tcp_received got;
    struct tcp_engine *e = p->w.host[1].engine;
    if (!f->sink || tcp_peek(e, f->sink, f->received, SIZE_MAX, &got) != 0 || !got.available) {
        return false;
    }
    uint64_t upto = got.offset + got.available;
    tcp_consume(e, p->w.now, f->sink, upto);
    f->received = upto;
    return true;
}

static bool fill(struct path *p, struct flow *f)
{
    static const uint8_t bytes[65536];
    struct tcp_engine *e = p->w.host[0].engine;
    bool did = false;
    while (f->opened && tcp_send_room(e, f->id) >= (int64_t)sizeof bytes &&
           tcp_send(e, p->w.now, f->id, bytes, sizeof bytes, 0) > 0) {
        did = true;
    }
    return did;
}

static bool act(struct world *w)
{
    struct path *p = w->users;
    bool did = false;
    for (unsigned i = 0; i < p->flows; i++) {
        struct flow *f = &p->flow[i];
        if (!f->opened && time_reached(f->start, w->now)) {
            open_flow(p, f);
            did = true;
        }
        did = drain(p, f) || did;
        did = fill(p, f) || did;
    }
    return did;
}

static ackd_time wake(const struct world *w)
{
    const struct path *p = w->users;
    ackd_time t = TIME_NEVER;
    for (unsigned i = 0; i < p->flows; i++) {
        t = p->flow[i].opened ? t : time_min(t, p->flow[i].start);
    }
    return t;
}

/* The router's mark, for ECN-capable segments that find a queue. */
static bool mark(void *ctx, const struct link *link, ackd_time now, const struct wire_segment *s)
{
    struct path *p = ctx;
    int64_t waiting = time_before(now, link->busy_until) ? time_diff(link->busy_until, now) : 0;
    uint64_t bytes = (uint64_t)waiting * (link->profile.rate_bps / 8) / (uint64_t)NS_PER_S;
    if (p->mark_above && bytes > p->mark_above && (s->tos & 3)) {
        ((struct wire_segment *)(uintptr_t)s)->tos |= 3;
    }
    return true;
}

static struct path *path_new(uint32_t queue_bytes)
{
    struct path *p = calloc(1, sizeof *p);
    world_config_default(&p->config, 7);
    for (unsigned i = 0; i < 2; i++) {
        p->config.profile[i].delay_ns = ONE_WAY_NS;
        p->config.engine[i].defaults.rcv_buffer = p->config.engine[i].defaults.snd_buffer = 4u
                                                                                            << 20;
        p->config.engine[i].defaults.rcv_buffer_max = 0;
        p->config.engine[i].defaults.snd_buffer_max = 0;
    }
    p->config.profile[0].rate_bps = RATE_BPS;
    p->config.profile[0].queue_bytes = queue_bytes;
    p->hystart = true;
    return p;
}

static struct flow *add_flow(struct path *p, enum tcp_congestion congestion, int64_t start_ns)
{
    struct flow *f = &p->flow[p->flows++];
    f->congestion = congestion;
    f->start = time_from_ns(start_ns);
    return f;
}

static void begin(struct path *p)
{
    world_init(&p->w, &p->config);
    p->w.users = p;
    p->w.ready = on_ready;
    p->w.act = act;
    p->w.wake = wake;
    p->w.check_every = 2000;
    p->w.link[0].filter = mark;
    p->w.link[0].ctx = p;
    struct tcp_options options;
    tcp_options_default(&options);
    options.rcv_buffer = options.snd_buffer = 4u << 20;
    options.rcv_buffer_max = options.snd_buffer_max = 0;
    options.ecn = TCP_ECN_ON;
    options.congestion = p->flow[0].congestion;
    struct tcp_listen_args args = {
        .tuple.local_port = SINK_PORT, .backlog = 8, .owner = 1, .options = &options};
    assert_int_equal(tcp_listen(p->w.host[1].engine, p->w.now, &args, &p->listener), 0);
}

/* Lets `ns` pass and looks at the round-trip times ten times a second. */
static void run(struct path *p, int64_t ns)
{
    for (int64_t at = 0; at < ns; at += NS_PER_S / 10) {
        world_pass(&p->w, NS_PER_S / 10);
        if (p->w.failure[0]) {
            fail_msg("%s", p->w.failure);
        }
        for (unsigned i = 0; i < p->flows; i++) {
            struct flow *f = &p->flow[i];
            struct tcp_info info = host_info(&p->w.host[0], f->id);
            if (f->opened && info.srtt_ns > 0) {
                f->srtt_sum_ns += info.srtt_ns;
                f->srtt_samples++;
            }
        }
    }
}

static void forget(struct path *p, uint64_t from[FLOWS_MAX])
{
    for (unsigned i = 0; i < p->flows; i++) {
        from[i] = p->flow[i].received;
        p->flow[i].srtt_sum_ns = 0;
        p->flow[i].srtt_samples = 0;
    }
}

static double srtt_ms(const struct flow *f)
{
    return f->srtt_samples ? (double)f->srtt_sum_ns / f->srtt_samples / 1e6 : 0;
}

/* Of what payload the link could have carried in that time. */
static double share_of_link(uint64_t bytes, int64_t ns)
{
    double best = (double)RATE_BPS / 8 * 1448 / 1500 * (double)ns / 1e9;
    return (double)bytes / best;
}

static void end(struct path *p)
{
    world_free(&p->w);
    free(p);
}

struct result {
    double used, srtt_ms;
    uint64_t lost; /* at the queue */
};

/* One flow for ten seconds, then measured for twenty. */
static struct result alone(enum tcp_congestion congestion, uint32_t queue)
{
    struct path *p = path_new(queue);
    uint64_t from[FLOWS_MAX] = {0};
    struct flow *f = add_flow(p, congestion, 0);
    begin(p);
    run(p, 10 * NS_PER_S);
    forget(p, from);
    uint64_t lost = p->w.link[0].stats.queue_full;
    run(p, 20 * NS_PER_S);
    struct result r = {share_of_link(f->received - from[0], 20 * NS_PER_S), srtt_ms(f),
                       p->w.link[0].stats.queue_full - lost};
    uint32_t bdp = BDP_BYTES;
    print_message("%-8s queue %4.1f BDP: %5.1f %% of the link, round trip %5.1f ms, %u lost\n",
                  tcp_congestion_name(congestion), queue / (double)bdp, r.used * 100, r.srtt_ms,
                  (unsigned)r.lost);
    end(p);
    return r;
}

/* With a queue of one bandwidth-delay product the pipe never runs dry. */
static void the_pipe_is_full(void **state)
{
    (void)state;
    assert_true(alone(TCP_CONGESTION_CUBIC, BDP_BYTES).used > 0.95);
    assert_true(alone(TCP_CONGESTION_NEWRENO, BDP_BYTES).used > 0.93);
    assert_true(alone(TCP_CONGESTION_BBR, BDP_BYTES).used > 0.90);
}

/* A deep queue is filled by who waits for losses, and left empty by who models the path. */
static void bbr_keeps_the_queue_short(void **state)
{
    (void)state;
    struct result cubic = alone(TCP_CONGESTION_CUBIC, 4 * BDP_BYTES);
    struct result bbr = alone(TCP_CONGESTION_BBR, 4 * BDP_BYTES);
    assert_true(cubic.srtt_ms > 80);
    assert_true(bbr.srtt_ms < 60);
    assert_true(bbr.used > 0.90);
}

static uint64_t losses_of_slow_start(bool hystart, uint32_t queue)
{
    struct path *p = path_new(queue);
    struct flow *f = add_flow(p, TCP_CONGESTION_CUBIC, 0);
    p->hystart = hystart;
    begin(p);
    run(p, 2 * NS_PER_S);
    uint64_t lost = p->w.link[0].stats.queue_full;
    print_message("HyStart++ %s: %u lost, %.1f MB delivered in 2 s\n", hystart ? "on" : "off",
                  (unsigned)lost, (double)f->received / 1e6);
    end(p);
    return lost;
}

static void slow_start_ends_before_the_flood(void **state)
{
    (void)state;
    uint64_t with = losses_of_slow_start(true, 2 * BDP_BYTES);
    uint64_t without = losses_of_slow_start(false, 2 * BDP_BYTES);
    assert_true(without > 50);
    assert_true(with * 3 < without);
}

static void share(enum tcp_congestion congestion, uint32_t queue, double at_least)
{
    struct path *p = path_new(queue);
    uint64_t from[FLOWS_MAX] = {0};
    add_flow(p, congestion, 0);
    add_flow(p, congestion, 3 * NS_PER_S);
    begin(p);
    run(p, 20 * NS_PER_S);
    forget(p, from);
    run(p, 40 * NS_PER_S);
    double a = (double)(p->flow[0].received - from[0]), b = (double)(p->flow[1].received - from[1]);
    double used = share_of_link((uint64_t)(a + b), 40 * NS_PER_S);
    print_message("%-8s two flows: %4.1f and %4.1f Mbit/s, %.1f %% of the link\n",
                  tcp_congestion_name(congestion), a / 5e6, b / 5e6, used * 100);
    assert_true(used > 0.88);
    assert_true(a / b > at_least && b / a > at_least);
    end(p);
}

static void two_flows_share(void **state)
{
    (void)state;
    share(TCP_CONGESTION_CUBIC, BDP_BYTES, 0.5);
    share(TCP_CONGESTION_NEWRENO, BDP_BYTES, 0.5);
    share(TCP_CONGESTION_BBR, BDP_BYTES, 0.4);
}

/* A switch that marks from a small queue on: busy, short, without a loss. */
static void dctcp_holds_at_the_mark(void **state)
{
    (void)state;
    struct path *p = path_new(4 * BDP_BYTES);
    uint64_t from[FLOWS_MAX] = {0};
    struct flow *f = add_flow(p, TCP_CONGESTION_DCTCP, 0);
    p->ecn = true;
    p->mark_above = BDP_BYTES / 5;
    begin(p);
    run(p, 10 * NS_PER_S);
    forget(p, from);
    uint64_t lost = p->w.link[0].stats.queue_full;
    run(p, 20 * NS_PER_S);
    double used = share_of_link(f->received - from[0], 20 * NS_PER_S);
    print_message("dctcp    marks from 0.2 BDP: %.1f %% of the link, round trip %.1f ms\n",
                  used * 100, srtt_ms(f));
    assert_true(used > 0.90);
    assert_true(srtt_ms(f) < 55);
    assert_int_equal(p->w.link[0].stats.queue_full, lost);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pipe_is_full),
        cmocka_unit_test(bbr_keeps_the_queue_short),
        cmocka_unit_test(slow_start_ends_before_the_flood),
        cmocka_unit_test(two_flows_share),
        cmocka_unit_test(dctcp_holds_at_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
