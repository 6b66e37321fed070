/* What is counted: the TCP MIB (RFC 4022) and the clocks of what limits a connection. */
#include "cmocka_all.h"
#include "script.h"

#define SACK "mss 1000,sackOK"

#define SCRIPT(s)                                                                                  \
    struct script s;                                                                               \
    script_begin(&s, NULL)

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

int accounting_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeated_syn_ack_is_a_retransmission),
        cmocka_unit_test(probes_are_counted),
        cmocka_unit_test(broken_segments_were_received),
        cmocka_unit_test(resets_of_established_connections),
        cmocka_unit_test(the_clocks_add_up_to_the_life),
        cmocka_unit_test(so_do_those_of_who_never_sent),
    };
    return cmocka_run_group_tests_name("accounting", tests, NULL, NULL);
}
