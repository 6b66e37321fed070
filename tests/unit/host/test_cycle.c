/* The cycle around the real engine, network and services, on the loopback inside: no descriptor, no
 * privilege. A client of this test talks to echo and discard through every stage of the cycle,
 * driven by the real loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include "host/cycle.h"
#include "host/loop.h"
#include "host/mem.h"
#include "host/stop.h"
#include "sockets/service.h"

enum { OWNER_CLIENT = 1, OWNER_SERVICE = 2, BYTES = 3000000 };

struct client {
    uint64_t id;
    uint64_t sent, received;
    bool closed;
};

static struct {
    struct loop *loop;
    struct arena *arena;
    struct tcp_engine *engine;
    struct net *net;
    struct cycle *cycle;
    struct loop_timer *limit;
    struct service service;
    struct client client;
    unsigned ready, drained;
    bool late;
} w;

static const struct log quiet = {.level = 0};

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8));
}

/* Sends what there is room for, checks what comes back, closes when all was sent. */
static void talk(struct client *c)
{
    ackd_time now = loop_now(w.loop);
    struct tcp_received in;
    while (c->sent < BYTES) {
        uint8_t chunk[5000];
        size_t n = BYTES - c->sent < sizeof chunk ? (size_t)(BYTES - c->sent) : sizeof chunk;
        for (size_t i = 0; i < n; i++) {
            chunk[i] = byte_at(c->sent + i);
        }
        int64_t taken = tcp_send(w.engine, now, c->id, chunk, n, 0);
        if (taken <= 0) {
            assert_true(taken == 0 || taken == -ENOTCONN);
            break;
        }
        c->sent += (uint64_t)taken;
        if (c->sent == BYTES) {
            assert_int_equal(tcp_close(w.engine, now, c->id), 0);
        }
    }
    while (tcp_peek(w.engine, c->id, c->received, SIZE_MAX, &in) == 0 && in.n_ranges > 0) {
        for (uint32_t i = 0; i < in.range[0].length; i++) {
            assert_int_equal(in.range[0].data[i], byte_at(c->received + i));
        }
        c->received += in.range[0].length;
        assert_int_equal(tcp_consume(w.engine, now, c->id, c->received), 0);
    }
    if (tcp_peek(w.engine, c->id, c->received, SIZE_MAX, &in) == 0 && in.end_of_stream) {
        c->closed = true;
        tcp_release(w.engine, now, c->id);
        loop_stop(w.loop);
    }
    loop_kick(w.loop);
}

static void client_ready(void *arg, const struct tcp_ready *ready)
{
    struct client *c = arg;
    w.ready++;
    if (ready->id == c->id && !c->closed) {
        talk(c);
    }
}

static void service_ready(void *arg, const struct tcp_ready *ready)
{
    service_on_ready(arg, loop_now(w.loop), ready);
}

static void drain(void *arg)
{
    struct tcp_event event;
    (void)arg;
    while (tcp_event_next(w.engine, &event)) {
        w.drained++;
    }
}

static void too_late(void *arg)
{
    (void)arg;
    w.late = true;
    loop_stop(w.loop);
}

static int make(void **state)
{
    (void)state;
    static struct log log;
    struct tcp_config config;
    memset(&w, 0, sizeof w);
    log = quiet;
    tcp_config_default(&config);
    w.loop = loop_new();
    w.arena = arena_new(&mem_mmap, (size_t)256 << 20);
    config.arena = w.arena;
    config.seed0 = 1;
    w.engine = tcp_engine_new(&config, loop_now(w.loop));
    const struct net_config net = {
        .arena = w.arena, .engine = w.engine, .link = NET_LINK_NONE, .mtu = 1500};
    w.net = net_new(&net, loop_now(w.loop));
    const struct ip_prefix ours = {ip_addr_v4(10, 0, 0, 1), 24};
    assert_int_equal(net_address_add(w.net, loop_now(w.loop), &ours), 0);
    w.service = (struct service){.engine = w.engine, .owner = OWNER_SERVICE};
    const struct cycle_config cycle = {
        .loop = w.loop,
        .log = &log,
        .engine = w.engine,
        .net = w.net,
        .observer = {.drain = drain},
        .owner = {[OWNER_CLIENT] = {client_ready, &w.client},
                  [OWNER_SERVICE] = {service_ready, &w.service}},
    };
    w.cycle = cycle_new(&cycle);
    w.limit = loop_timer_new(w.loop, too_late, NULL);
    loop_timer_at(w.limit, time_add(loop_now(w.loop), 60 * NS_PER_S));
    return w.cycle == NULL;
}

static int destroy(void **state)
{
    (void)state;
    loop_timer_free(w.limit);
    cycle_free(w.cycle);
    net_free(w.net);
    tcp_engine_free(w.engine);
    arena_free(w.arena);
    loop_free(w.loop);
    return 0;
}

static void open_to(uint16_t port)
{
    struct tcp_open_args args = {.tuple = {.local = ip_addr_v4(10, 0, 0, 1),
                                           .remote = ip_addr_v4(10, 0, 0, 1),
                                           .remote_port = port},
                                 .mtu = 1500,
                                 .owner = OWNER_CLIENT};
    assert_int_equal(tcp_open(w.engine, loop_now(w.loop), &args, &w.client.id), 0);
    loop_kick(w.loop);
}

static void every_byte_comes_back_from_echo(void **state)
{
    (void)state;
    assert_int_equal(service_listen(&w.service, loop_now(w.loop), SERVICE_ECHO, 7), 0);
    open_to(7);
    assert_int_equal(loop_run(w.loop), 0);
    assert_false(w.late);
    assert_true(w.client.closed);
    assert_int_equal(w.client.sent, BYTES);
    assert_int_equal(w.client.received, BYTES);
    assert_true(w.drained > 0);
}

static void discard_ends_the_stream_after_all_was_taken(void **state)
{
    (void)state;
    assert_int_equal(service_listen(&w.service, loop_now(w.loop), SERVICE_DISCARD, 9), 0);
    open_to(9);
    assert_int_equal(loop_run(w.loop), 0);
    assert_false(w.late);
    assert_true(w.client.closed);
    assert_int_equal(w.client.received, 0);
}

static void a_closed_port_makes_the_client_ready(void **state)
{
    (void)state;
    open_to(8);
    w.client.closed = true; /* not to talk, only to be told */
    loop_timer_at(w.limit, time_add(loop_now(w.loop), 200 * NS_PER_MS));
    assert_int_equal(loop_run(w.loop), 0);
    struct tcp_info info;
    assert_true(w.ready > 0);
    assert_int_equal(tcp_status(w.engine, loop_now(w.loop), w.client.id, true, &info), 0);
    assert_int_equal(info.state, TCP_CLOSED);
    assert_int_equal(info.error, ECONNREFUSED);
}

/* Nothing to do, nothing to wake up for: the loop sleeps until the limit. */
static void an_idle_cycle_does_not_wake_up(void **state)
{
    (void)state;
    struct loop_stats stats;
    loop_timer_at(w.limit, time_add(loop_now(w.loop), 100 * NS_PER_MS));
    assert_int_equal(loop_run(w.loop), 0);
    loop_stats(w.loop, &stats);
    assert_true(w.late);
    assert_in_range(stats.wakeups, 1, 10);
}

static void frames_without_a_link_are_local_drops(void **state)
{
    (void)state;
    struct tcp_open_args args = {.tuple = {.local = ip_addr_v4(10, 0, 0, 1),
                                           .remote = ip_addr_v4(10, 0, 0, 99),
                                           .remote_port = 7},
                                 .mtu = 1500,
                                 .owner = OWNER_CLIENT};
    struct cycle_stats stats;
    w.client.closed = true;
    assert_int_equal(tcp_open(w.engine, loop_now(w.loop), &args, &w.client.id), 0);
    cycle_flush(w.cycle, 100);
    cycle_stats(w.cycle, &stats);
    assert_int_equal(stats.write_errors, 0);
    assert_false(cycle_failed(w.cycle));
    assert_true(tcp_abort(w.engine, loop_now(w.loop), w.client.id, TCP_CLOSE_ABORTED) <= 0);
}

static uint64_t callbacks(void)
{
    struct loop_stats stats;
    uint64_t n = 0;
    loop_stats(w.loop, &stats);
    for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
        n += stats.bucket[i].count;
    }
    return n;
}

static struct stop *stop;
static struct loop_timer *then;
static uint64_t callbacks_before;

/* When all connections are there. */
static void begin_to_stop(void *arg)
{
    const unsigned *many = arg;
    if (tcp_counters(w.engine)->states[TCP_ESTABLISHED] < 2 * *many) {
        loop_timer_at(then, time_add(loop_now(w.loop), NS_PER_MS));
        return;
    }
    callbacks_before = callbacks();
    stop = stop_begin(w.loop, w.engine, w.cycle, 60 * NS_PER_S);
    assert_non_null(stop);
}

/* More connections than one turn resets, each with a peer that has to hear of it. */
static void the_end_tells_everybody_in_turns(void **state)
{
    (void)state;
    unsigned many = 2000;
    then = loop_timer_new(w.loop, begin_to_stop, &many);
    assert_int_equal(service_listen(&w.service, loop_now(w.loop), SERVICE_DISCARD, 9), 0);
    w.client.closed = true;
    for (unsigned i = 0; i < many; i++) {
        open_to(9);
    }
    loop_timer_at(then, loop_now(w.loop));
    assert_int_equal(loop_run(w.loop), 0);
    assert_false(w.late);
    assert_true(callbacks() - callbacks_before > 4); /* not in one */
    const struct tcp_counters *counters = tcp_counters(w.engine);
    uint64_t killed = counters->closes[TCP_CLOSE_KILLED];
    assert_int_equal(counters->states[TCP_ESTABLISHED], 0);
    assert_int_equal(counters->states[TCP_LISTEN], 0);
    assert_int_equal(killed + counters->closes[TCP_CLOSE_RESET_BY_PEER], 2 * many);
    assert_int_equal(counters->rsts_sent[TCP_RST_SENT_KILLED], killed);
    loop_timer_free(then);
    stop_free(stop);
}

/* What would take for ever is given up. */
static void the_end_has_a_limit(void **state)
{
    (void)state;
    w.client.closed = true;
    for (unsigned i = 0; i < 1000; i++) {
        open_to(9);
    }
    stop = stop_begin(w.loop, w.engine, w.cycle, 0);
    assert_int_equal(loop_run(w.loop), 0);
    stop_free(stop);
    stop = stop_begin(w.loop, w.engine, w.cycle, NS_PER_S);
    stop_free(stop); /* before it did anything */
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, make, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(every_byte_comes_back_from_echo),
        WITH_WORLD(discard_ends_the_stream_after_all_was_taken),
        WITH_WORLD(a_closed_port_makes_the_client_ready),
        WITH_WORLD(an_idle_cycle_does_not_wake_up),
        WITH_WORLD(frames_without_a_link_are_local_drops),
        WITH_WORLD(the_end_tells_everybody_in_turns),
        WITH_WORLD(the_end_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
