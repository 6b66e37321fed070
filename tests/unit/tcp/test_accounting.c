/* What is counted: the TCP MIB (RFC 4022) and the clocks of what limits a connection. */
#include "cmocka_all.h"
#include "script.h"

#define SACK "mss 1000,sackOK"

#define SCRIPT_WITH(s, adjust)                                                                     \
    struct script s;                                                                               \
    script_begin(&s, adjust)
#define SCRIPT(s) SCRIPT_WITH(s, NULL)

static void a_repeated_syn_ack_is_a_retransmission(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    assert_int_equal(script_counters(&s)->out_segs, 1);
    script_advance_ms(&s, 1001);
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    assert_int_equal(script_counters(&s)->out_segs, 1);
    assert_int_equal(script_counters(&s)->retrans_segs, 2);
    script_inject(&s, "R 1:1(0)");
    assert_int_equal(script_counters(&s)->attempt_fails, 1);
    assert_int_equal(script_counters(&s)->passive_opens, 1);
    assert_int_equal(script_counters(&s)->estab_resets, 0);
    script_end(&s);
}

static void probes_are_counted(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 100, 0);
    script_quiet(&s);
    uint64_t before = script_counters(&s)->out_segs;
    script_advance_ms(&s, 205);
    script_expect(&s, ". 1:2(1) ack 1");
    assert_int_equal(script_counters(&s)->out_segs, before + 1);
    script_advance_ms(&s, 500);
    script_expect(&s, ". 1:2(1) ack 1");
    assert_int_equal(script_counters(&s)->out_segs, before + 1);
    assert_int_equal(script_counters(&s)->retrans_segs, 1);
    assert_int_equal(script_counters(&s)->zero_window_probes, 2);
    script_end(&s);
}

static void broken_segments_were_received(void **state)
{
    (void)state;
    SCRIPT(s);
    uint8_t bytes[12] = {0};
    script_inject_bytes(&s, bytes, sizeof bytes, true);
    assert_int_equal(script_counters(&s)->in_errs, 1);
    assert_int_equal(script_counters(&s)->in_segs, 1);
    script_end(&s);
}

static void resets_of_established_connections(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SACK);
    script_inject(&s, "F. 1:1(0) ack 1");
    script_inject(&s, "R 2:2(0)"); /* in CLOSE-WAIT */
    assert_int_equal(script_counters(&s)->estab_resets, 1);
    assert_int_equal(script_counters(&s)->attempt_fails, 0);
    script_end(&s);
}

static int64_t limited(struct script *s)
{
    struct tcp_info i = script_info(s);
    int64_t sum = 0;
    for (unsigned n = 0; n < TCP_LIMITS; n++) {
        sum += i.limited_ns[n];
    }
    return sum;
}

static void the_clocks_add_up_to_the_life(void **state)
{
    (void)state;
    SCRIPT(s);
    ackd_time born = s.now;
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_advance_ms(&s, 300);
    assert_int_equal(limited(&s), time_diff(s.now, born));
    script_inject(&s, "S. 0:0(0) ack 1 win 2000 <" SACK ">");
    script_expect(&s, ". 1:1(0) ack 1");
    script_quiet(&s);
    assert_int_equal(limited(&s), time_diff(s.now, born));
    script_advance_ms(&s, 50);
    assert_int_equal(limited(&s), time_diff(s.now, born));
    script_send(&s, 3500, 0);
    script_discard(&s);
    script_advance_ms(&s, 70);
    script_inject(&s, ". 1:1(0) ack 2001 win 0");
    script_quiet(&s);
    script_advance_ms(&s, 150);
    assert_int_equal(limited(&s), time_diff(s.now, born));
    struct tcp_info i = script_info(&s);
    assert_int_equal(i.limited_ns[TCP_LIMIT_HANDSHAKE], 300 * NS_PER_MS);
    assert_int_equal(i.limited_ns[TCP_LIMIT_APPLICATION_IDLE], 50 * NS_PER_MS);
    assert_int_equal(i.limited_ns[TCP_LIMIT_RECEIVE_WINDOW], 70 * NS_PER_MS);
    assert_int_equal(i.limited_ns[TCP_LIMIT_ZERO_WINDOW], 150 * NS_PER_MS);
    int64_t life = time_diff(s.now, born);
    tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED);
    script_discard(&s);
    script_advance_ms(&s, 1000);
    assert_int_equal(limited(&s), life);
    script_end(&s);
}

static void so_do_those_of_who_never_sent(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SACK);
    ackd_time born = s.now;
    script_advance_ms(&s, 500);
    assert_int_equal(limited(&s), time_diff(s.now, born));
    tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED);
    script_discard(&s);
    assert_int_equal(limited(&s), time_diff(s.now, born));
    script_end(&s);
}

/* ---- what an endpoint weighs, all tables included ---- */

static void many(struct tcp_config *c)
{
    c->max_syn_received = c->max_endpoints = c->max_time_wait = 100000;
}

static size_t used(const struct script *s)
{
    struct arena_stats a;
    arena_stats(s->arena, &a);
    return a.used;
}

/* One more connection of the peer, up to its SYN. */
static void knock(struct script *s)
{
    s->tuple.remote_port++;
    s->id = 0;
    script_inject(s, "S 0:0(0) win 65535 <" SACK ">");
    script_discard(s);
}

static void close_and_forget(struct script *s)
{
    knock(s);
    script_inject(s, ". 1:1(0) ack 1");
    tcp_release(s->engine, s->now, script_accept(s));
    script_discard(s);
    script_inject(s, "F. 1:1(0) ack 2");
    script_discard(s);
    assert_int_equal(script_state(s), TCP_TIME_WAIT);
}

/* What a peer can make without being accepted, or leave behind. */
static void half_open_and_time_wait_weigh_128_bytes(void **state)
{
    (void)state;
    enum { MANY = 1500, WARM = 100 };
    void (*const make[])(struct script *) = {knock, close_and_forget};
    for (unsigned kind = 0; kind < 2; kind++) {
        SCRIPT_WITH(s, many);
        script_listen(&s, MANY + WARM);
        for (int n = 0; n < WARM; n++) {
            make[kind](&s);
        }
        size_t before = used(&s);
        for (int n = 0; n < MANY; n++) {
            make[kind](&s);
        }
        assert_int_equal(tcp_endpoints(s.engine), 1 + WARM + MANY);
        assert_in_range((used(&s) - before) / MANY, 1, 128);
        script_end(&s);
    }
}

static size_t taken(const struct script *s)
{
    struct arena_stats a;
    arena_stats(s->arena, &a);
    return a.taken;
}

static uint64_t established(struct script *s)
{
    knock(s);
    script_inject(s, ". 1:1(0) ack 1");
    uint64_t id = script_accept(s);
    script_discard(s);
    return id;
}

/* A request and its answer, as large as a page of a site. */
static void carried(struct script *s)
{
    uint64_t id = established(s);
    script_inject(s, "P. 1:101(100) ack 1");
    assert_int_equal(tcp_consume(s->engine, s->now, id, 100), 0);
    s->id = id;
    script_send(s, 3000, 0);
    script_discard(s);
    script_advance_ms(s, 10);
    script_inject(s, ". 101:101(0) ack 3001");
    script_discard(s);
    struct tcp_info i = script_info(s);
    assert_int_equal(i.bytes_acked, 3000);
    assert_int_equal(i.bytes_read, 100);
}

static void make_established(struct script *s)
{
    established(s);
}

/* What the source gave for each, all included: counted from the moment at which the arena takes a
 * chunk of a mebibyte to the one at which it takes another a few chunks later. */
static size_t weight(void (*make)(struct script *s))
{
    enum { CHUNK = 1 << 20, CHUNKS = 16 };
    SCRIPT_WITH(s, many);
    s.unchecked = true;
    script_listen(&s, 60000);
    uint32_t n = 0, chunks = 0;
    while (chunks <= CHUNKS) {
        size_t before = taken(&s);
        make(&s);
        n = chunks ? n + 1 : 0;
        chunks += taken(&s) - before == CHUNK;
    }
    script_end(&s);
    return (size_t)CHUNK * CHUNKS / n;
}

static void an_idle_connection_weighs_400_bytes(void **state)
{
    (void)state;
    assert_in_range(weight(make_established), 384, 400);
}

static void and_more_once_it_carried_data(void **state)
{
    (void)state;
    assert_in_range(weight(carried), 400, 830);
}

int accounting_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeated_syn_ack_is_a_retransmission),
        cmocka_unit_test(probes_are_counted),
        cmocka_unit_test(broken_segments_were_received),
        cmocka_unit_test(resets_of_established_connections),
        cmocka_unit_test(the_clocks_add_up_to_the_life),
        cmocka_unit_test(so_do_those_of_who_never_sent),
        cmocka_unit_test(half_open_and_time_wait_weigh_128_bytes),
        cmocka_unit_test(an_idle_connection_weighs_400_bytes),
        cmocka_unit_test(and_more_once_it_carried_data),
    };
    return cmocka_run_group_tests_name("accounting", tests, NULL, NULL);
}
