/* Reductions that prove spurious (RFC 3522, 4015, and DSACK). */
#include "recovery_tests.h"

/* The first ACK after a fast retransmission echoes the original's timestamp. */
static void eifel_after_a_fast_retransmission(void **state)
{
    (void)state;
    ESTABLISHED(s, STAMPS);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 10);
    uint32_t original = s.engine_ts;
    char text[160];
    script_advance_ms(&s, RTT_MS);
    snprintf(text, sizeof text, ". 1:1(0) ack 1 <TS val 200 ecr %u,sack 1001:4001>", original);
    script_inject(&s, text);
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_int_equal(script_info(&s).ssthresh_bytes, 5000);
    script_advance_ms(&s, 10);
    snprintf(text, sizeof text, ". 1:1(0) ack 4001 <TS val 210 ecr %u>", original);
    script_inject(&s, text);
    assert_int_equal(script_counters(&s)->undos_eifel, 1);
    assert_int_equal(script_counters(&s)->undos_timeout, 0);
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    assert_true(script_info(&s).ssthresh_bytes > 10000);
    assert_false(script_info(&s).in_recovery);
    assert_true(script_info(&s).reordering_seen);
    script_end(&s);
}

static void an_echo_of_the_retransmission_undoes_nothing(void **state)
{
    (void)state;
    ESTABLISHED(s, STAMPS);
    script_send(&s, 10000, 0);
    script_discard(&s);
    char text[160];
    script_advance_ms(&s, RTT_MS);
    snprintf(text, sizeof text, ". 1:1(0) ack 1 <TS val 200 ecr %u,sack 1001:4001>", s.engine_ts);
    script_inject(&s, text);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_advance_ms(&s, RTT_MS);
    snprintf(text, sizeof text, ". 1:1(0) ack 4001 <TS val 210 ecr %u>", s.engine_ts);
    script_inject(&s, text);
    assert_int_equal(script_counters(&s)->undos_eifel, 0);
    assert_true(script_info(&s).in_recovery);
    script_end(&s);
}

/* RFC 4015: after a timeout by slow start, and the RTO learns. */
static void eifel_after_a_timeout(void **state)
{
    (void)state;
    ESTABLISHED(s, STAMPS);
    script_send(&s, 10000, 0);
    script_discard(&s);
    uint32_t original = s.engine_ts;
    script_advance_ms(&s, 203);
    script_discard(&s); /* a probe */
    script_advance_ms(&s, 305);
    script_expect(&s, ". 1:1001(1000) ack 1");
    char text[160];
    script_advance_ms(&s, 20);
    snprintf(text, sizeof text, ". 1:1(0) ack 2001 <TS val 200 ecr %u>", original);
    script_inject(&s, text);
    assert_int_equal(script_counters(&s)->undos_eifel, 1);
    assert_int_equal(script_counters(&s)->undos_timeout, 1);
    assert_false(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).cwnd_bytes, 10000); /* 8000 in flight, 2000 acknowledged */
    assert_true(script_info(&s).srtt_ns > 500 * NS_PER_MS);
    assert_int_equal(script_info(&s).backoff, 0);
    script_end(&s);
}

static void without_probes(struct tcp_config *c)
{
    c->defaults.loss_detection = TCP_LOSS_COUNT;
}

/* RFC 7323 section 4, RFC 6298 section 3: of a peer that never sent a DSACK, an echo from before
 * the retransmission may be that of an ACK that got lost, when the retransmission had the time to
 * be answered; else it is of an original that was late. */
static void a_lost_ack_is_no_delay(void **state)
{
    (void)state;
    static const char *const options[] = {"mss 1012,TS val 100 ecr 0,nop,wscale 7",
                                          "mss 1012,sackOK,TS val 100 ecr 0,nop,wscale 7"};
    for (unsigned i = 0; i < 4; i++) {
        struct script s;
        char text[100];
        bool late = i & 1;
        script_begin(&s, without_probes);
        script_passive_rtt(&s, options[i / 2], RTT_MS);
        int64_t srtt = script_info(&s).srtt_ns;
        script_send(&s, 1000, 0);
        script_expect(&s, "P. 1:1001(1000) ack 1");
        uint32_t original = s.engine_ts;
        script_advance_ms(&s, 400);
        script_expect(&s, "P. 1:1001(1000) ack 1");
        script_advance_ms(&s, late ? RTT_MS / 4 : RTT_MS);
        snprintf(text, sizeof text, ". 1:1(0) ack 1001 <TS val 200 ecr %u>", original);
        script_inject(&s, text);
        assert_true(late ? script_info(&s).srtt_ns > 2 * srtt : script_info(&s).srtt_ns == srtt);
        assert_int_equal(script_info(&s).backoff, !late);
        script_end(&s);
    }
}

/* Everything that was retransmitted came twice; it is told after the end of the episode. */
static void dsack_after_a_fast_retransmission(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 2001:5001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 <sack 2001:9001>");
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).cwnd_bytes, 5000);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 10001 <sack 1:1001>"); /* one of two */
    assert_int_equal(script_info(&s).cwnd_bytes, 5000);
    script_inject(&s, ". 1:1(0) ack 10001 <sack 1001:2001>");
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    assert_int_equal(script_counters(&s)->undos_dsack, 1);
    script_inject(&s, ". 1:1(0) ack 10001 <sack 1001:2001>"); /* once */
    assert_int_equal(script_counters(&s)->undos_dsack, 1);
    script_end(&s);
}

static void dsack_after_a_timeout(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1:501(500) ack 1");
    script_advance_ms(&s, 302);
    script_expect(&s, "P. 1:501(500) ack 1"); /* a probe */
    script_advance_ms(&s, 302);
    script_expect(&s, "P. 1:501(500) ack 1"); /* the timer */
    script_inject(&s, ". 1:1(0) ack 501");
    assert_in_range(script_info(&s).cwnd_bytes, 1000, 2000);
    script_inject(&s, ". 1:1(0) ack 501 <sack 1:501>");
    script_inject(&s, ". 1:1(0) ack 501 <sack 1:501>");
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    assert_int_equal(script_counters(&s)->undos_dsack, 1);
    assert_int_equal(script_counters(&s)->undos_timeout, 1);
    script_end(&s);
}

int undo_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eifel_after_a_fast_retransmission),
        cmocka_unit_test(an_echo_of_the_retransmission_undoes_nothing),
        cmocka_unit_test(eifel_after_a_timeout),
        cmocka_unit_test(a_lost_ack_is_no_delay),
        cmocka_unit_test(dsack_after_a_fast_retransmission),
        cmocka_unit_test(dsack_after_a_timeout),
    };
    return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
