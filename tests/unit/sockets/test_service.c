/* The services against an engine of this file: one listener and one connection whose queues are
 * plain arrays, with the send room and the ranges that the test asks for. That a service makes no
 * call that the engine would refuse, and in which order, is seen here; the real engine is
 * tests/sim's and tests/interop's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include "sockets/service.h"

enum { LISTENER_ID = 1, CONNECTION_ID = 2, OWNER = 5, QUEUE = 70000 };

/* The engine of this test. */
struct tcp_engine {
    struct tcp_listen_args listener;
    unsigned waiting; /* in the accept queue */
    uint64_t cookie;  /* of the connection */
    uint8_t in[QUEUE], out[QUEUE];
    size_t received, consumed, sent;
    size_t room;  /* bytes that the send buffer takes */
    size_t range; /* received data lie in pieces of this many bytes */
    bool end_of_stream;
    int dead; /* negative errno of a connection that ended */
    unsigned released;
    uint64_t again; /* whose readiness the service asked to hear of again */
};
static struct tcp_engine engine;
static struct service service = {.engine = &engine, .owner = OWNER};
static const ackd_time now = {1};

int tcp_listen(struct tcp_engine *e, ackd_time t, const struct tcp_listen_args *args, uint64_t *id)
{
    (void)t;
    e->listener = *args;
    *id = LISTENER_ID;
    return args->tuple.local_port == 1 ? -EADDRINUSE : 0;
}

int tcp_accept(struct tcp_engine *e, uint64_t listener, uint32_t owner, uint64_t cookie,
               uint64_t *id)
{
    assert_int_equal(listener, LISTENER_ID);
    assert_int_equal(owner, OWNER);
    if (e->waiting == 0) {
        return -EAGAIN;
    }
    e->waiting--;
    e->cookie = cookie;
    *id = CONNECTION_ID;
    return 0;
}

int64_t tcp_send(struct tcp_engine *e, ackd_time t, uint64_t id, const void *data, size_t length,
                 unsigned flags)
{
    (void)t;
    (void)flags;
    assert_int_equal(id, CONNECTION_ID);
    size_t n = length < e->room ? length : e->room;
    memcpy(e->out + e->sent, data, n);
    e->sent += n;
    e->room -= n;
    return (int64_t)n;
}

int64_t tcp_send_offset(struct tcp_engine *e, uint64_t id)
{
    assert_int_equal(id, CONNECTION_ID);
    return e->released ? -EBADF : (int64_t)e->sent;
}

int64_t tcp_send_room(struct tcp_engine *e, uint64_t id)
{
    (void)id;
    return e->dead < 0 ? e->dead : (int64_t)e->room;
}

int tcp_peek(struct tcp_engine *e, uint64_t id, uint64_t from, size_t max, struct tcp_received *out)
{
    (void)id;
    if (e->dead < 0) {
        return e->dead;
    }
    assert_int_equal(from, e->consumed);
    *out = (struct tcp_received){.offset = e->consumed,
                                 .available = e->received - e->consumed,
                                 .end_of_stream = e->end_of_stream};
    size_t left = out->available < max ? out->available : max;
    for (size_t at = e->consumed; left > 0 && out->n_ranges < TCP_TX_RANGES; out->n_ranges++) {
        size_t n = left < e->range ? left : e->range;
        out->range[out->n_ranges] = (struct tcp_range){e->in + at, (uint32_t)n};
        at += n;
        left -= n;
    }
    return 0;
}

int tcp_consume(struct tcp_engine *e, ackd_time t, uint64_t id, uint64_t upto)
{
    (void)t;
    (void)id;
    assert_in_range(upto, e->consumed, e->received);
    e->consumed = upto;
    return 0;
}

int64_t tcp_receive_offset(struct tcp_engine *e, uint64_t id)
{
    (void)id;
    return (int64_t)e->consumed;
}

void tcp_ready_again(struct tcp_engine *e, uint64_t id, unsigned what)
{
    assert_int_equal(what, id == LISTENER_ID ? TCP_READY_ACCEPT : what);
    e->again = id;
}

int tcp_release(struct tcp_engine *e, ackd_time t, uint64_t id)
{
    (void)t;
    assert_int_equal(id, CONNECTION_ID);
    e->released++;
    return 0;
}

/* ---- helpers ---- */

static int fresh(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof engine);
    engine.range = 1000;
    return 0;
}

static void start(enum service_kind kind)
{
    assert_int_equal(service_listen(&service, now, kind, 7), 0);
    engine.waiting = 1;
    const struct tcp_ready ready = {.id = LISTENER_ID,
                                    .owner = OWNER,
                                    .cookie = engine.listener.cookie,
                                    .what = TCP_READY_ACCEPT};
    service_on_ready(&service, now, &ready);
    assert_int_equal(engine.waiting, 0);
}

static void ready(unsigned what)
{
    const struct tcp_ready r = {
        .id = CONNECTION_ID, .owner = OWNER, .cookie = engine.cookie, .what = what};
    service_on_ready(&service, now, &r);
}

static void receive(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        engine.in[engine.received + i] = (uint8_t)((engine.received + i) * 7 + 3);
    }
    engine.received += n;
}

/* ---- tests ---- */

/* A listener whose queue is long takes several turns. */
static void accepting_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(service_listen(&service, now, SERVICE_DISCARD, 9), 0);
    engine.waiting = 1000;
    const struct tcp_ready ready = {.id = LISTENER_ID,
                                    .owner = OWNER,
                                    .cookie = engine.listener.cookie,
                                    .what = TCP_READY_ACCEPT};
    unsigned turns = 0;
    do {
        unsigned before = engine.waiting;
        engine.again = 0;
        service_on_ready(&service, now, &ready);
        assert_true(before - engine.waiting <= 64);
        turns++;
    } while (engine.again == LISTENER_ID);
    assert_int_equal(engine.waiting, 0);
    assert_true(turns > 10);
}

static void names_and_kinds_agree(void **state)
{
    (void)state;
    assert_int_equal(service_by_name("echo"), SERVICE_ECHO);
    assert_int_equal(service_by_name("discard"), SERVICE_DISCARD);
    assert_int_equal(service_by_name("chargen"), SERVICE_CHARGEN);
    assert_int_equal(service_by_name("daytime"), SERVICE_NONE);
    start(SERVICE_DISCARD);
    assert_string_equal(service_name(engine.cookie), "discard");
    assert_string_equal(service_name(engine.listener.cookie), "discard");
    assert_null(service_name(99));
    assert_null(service_name(0));
}

static void an_occupied_port_is_told(void **state)
{
    (void)state;
    assert_int_equal(service_listen(&service, now, SERVICE_ECHO, 1), -EADDRINUSE);
}

static void echo_returns_every_byte(void **state)
{
    (void)state;
    engine.room = QUEUE;
    start(SERVICE_ECHO);
    receive(30000); /* more ranges than one look shows */
    ready(TCP_READY_READ);
    assert_int_equal(engine.sent, 30000);
    assert_int_equal(engine.consumed, 30000);
    assert_memory_equal(engine.in, engine.out, 30000);
    assert_int_equal(engine.released, 0);
}

static void echo_serves_what_came_before_the_accept(void **state)
{
    (void)state;
    engine.room = QUEUE;
    receive(100);
    start(SERVICE_ECHO);
    assert_int_equal(engine.sent, 100);
}

static void echo_leaves_in_the_queue_what_cannot_be_sent(void **state)
{
    (void)state;
    engine.room = 1500;
    start(SERVICE_ECHO);
    receive(5000);
    ready(TCP_READY_READ);
    assert_int_equal(engine.sent, 1500);
    assert_int_equal(engine.consumed, 1500);
    engine.room = 10000;
    ready(TCP_READY_WRITE);
    assert_int_equal(engine.sent, 5000);
    assert_memory_equal(engine.in, engine.out, 5000);
}

static void echo_ends_after_the_last_byte_only(void **state)
{
    (void)state;
    engine.room = 10;
    start(SERVICE_ECHO);
    receive(20);
    engine.end_of_stream = true;
    ready(TCP_READY_READ);
    assert_int_equal(engine.released, 0);
    engine.room = 100;
    ready(TCP_READY_WRITE);
    assert_int_equal(engine.sent, 20);
    assert_int_equal(engine.released, 1);
}

static void discard_consumes_and_ends(void **state)
{
    (void)state;
    start(SERVICE_DISCARD);
    receive(50000);
    ready(TCP_READY_READ);
    assert_int_equal(engine.consumed, 50000);
    assert_int_equal(engine.sent, 0);
    assert_int_equal(engine.released, 0);
    engine.end_of_stream = true;
    ready(TCP_READY_READ);
    assert_int_equal(engine.released, 1);
}

static void chargen_fills_the_buffer_and_goes_on(void **state)
{
    (void)state;
    engine.room = 10000;
    start(SERVICE_CHARGEN);
    assert_int_equal(engine.sent, 10000);
    receive(100);
    engine.end_of_stream = true; /* the end of input alone is no close */
    engine.room = 5001;
    ready(TCP_READY_READ | TCP_READY_WRITE);
    assert_int_equal(engine.consumed, 100);
    assert_int_equal(engine.sent, 15001);
    assert_int_equal(engine.released, 0);
    uint8_t want[15001];
    service_pattern(0, want, sizeof want);
    assert_memory_equal(engine.out, want, sizeof want);
}

static void the_pattern_is_rfc_864s(void **state)
{
    (void)state;
    static const char first[] =
        " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n"
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n";
    uint8_t got[sizeof first - 1];
    service_pattern(0, got, sizeof got);
    assert_memory_equal(got, first, sizeof got);
    /* From the middle, and after all 95 lines. */
    service_pattern(70, got, 10);
    assert_memory_equal(got, first + 70, 10);
    service_pattern(UINT64_C(95) * 74, got, sizeof got);
    assert_memory_equal(got, first, sizeof got);
}

static void the_dead_are_let_go(void **state)
{
    (void)state;
    static const enum service_kind kinds[] = {SERVICE_ECHO, SERVICE_DISCARD, SERVICE_CHARGEN};
    for (unsigned i = 0; i < 3; i++) {
        fresh(NULL);
        engine.room = 10;
        start(kinds[i]);
        engine.dead = -ECONNRESET;
        ready(TCP_READY_READ);
        assert_int_equal(engine.released, 1);
        fresh(NULL);
        engine.room = 10;
        start(kinds[i]);
        engine.dead = -ECONNRESET;
        ready(TCP_READY_READ | TCP_READY_CLOSED);
        assert_int_equal(engine.released, 1);
    }
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(names_and_kinds_agree),
        FRESH(accepting_is_bounded),
        FRESH(an_occupied_port_is_told),
        FRESH(echo_returns_every_byte),
        FRESH(echo_serves_what_came_before_the_accept),
        FRESH(echo_leaves_in_the_queue_what_cannot_be_sent),
        FRESH(echo_ends_after_the_last_byte_only),
        FRESH(discard_consumes_and_ends),
        FRESH(chargen_fills_the_buffer_and_goes_on),
        FRESH(the_pattern_is_rfc_864s),
        FRESH(the_dead_are_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
