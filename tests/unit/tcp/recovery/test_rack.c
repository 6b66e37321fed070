/* Losses by time (RFC 8985 section 6). */
#include "recovery_tests.h"

/* Section 6.2 step 5: with fewer than DupThresh segments SACKed the window passes by the timer. */
static void the_reordering_timer_finds_losses(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 4);
    script_inject(&s, ". 1:1(0) ack 1 <sack 3001:4001>");
    script_quiet(&s);
    assert_int_equal(script_info(&s).reo_wnd_ns, 25 * NS_PER_MS); /* min_RTT/4 */
    assert_int_equal(script_info(&s).loss_timer_deadline_ns, s.now.ns + 25 * NS_PER_MS);
    script_advance_ms(&s, 24);
    script_quiet(&s);
    assert_false(script_info(&s).in_recovery);
    script_advance_ms(&s, 2);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->reordering_timeouts, 1);
    assert_int_equal(script_counters(&s)->fast_recoveries, 1);
    assert_int_equal(script_info(&s).lost_bytes, 2000);
    assert_true(script_info(&s).in_recovery);
    script_end(&s);
}

/* Step 4: DupThresh segments SACKed and no reordering seen: no window. */
static void three_segments_end_the_wait(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 5);
    script_inject(&s, ". 1:1(0) ack 1 <sack 2001:4001>");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 2001:5001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_end(&s);
}

/* Section 3.5 and RFC 5681 section 4.3: found without a timeout, and one more reduction. */
static void a_lost_retransmission_is_found(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1"); /* lost, too */
    script_send(&s, 5000, 0);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:9001>");
    assert_int_not_equal(script_discard(&s), 0); /* new data, sent after it */
    uint32_t ssthresh = script_info(&s).ssthresh_bytes;
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:9001 10001:11001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_int_equal(script_counters(&s)->lost_retransmissions, 1);
    assert_true(script_info(&s).ssthresh_bytes < ssthresh);
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    script_end(&s);
}

/* Step 3: an original that arrives after later ones were SACKed. */
static void reordering_is_seen_and_waited_for(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 5);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:2001>");
    assert_false(script_info(&s).reordering_seen);
    script_inject(&s, ". 1:1(0) ack 5001");
    assert_true(script_info(&s).reordering_seen);
    assert_int_equal(script_info(&s).reorderings, 1);
    assert_int_equal(script_info(&s).reordering_segments, 2); /* 1:1001 behind 1001:2001 */
    assert_false(script_info(&s).in_recovery);
    flight(&s, 8);
    script_inject(&s, ". 1:1(0) ack 5001 <sack 6001:11001>"); /* many, but it may be order */
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 13001"); /* and it was */
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->fast_recoveries, 0);
    assert_true(script_info(&s).cwnd_bytes >= 10000);
    script_end(&s);
}

/* Step 4: each round trip with a DSACK adds a quarter, up to SRTT. */
static void dsacks_widen_the_window(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    char text[100];
    uint32_t at = 1;
    for (int64_t n = 2; n <= 6; n++) {
        flight(&s, 2);
        at += 2000;
        snprintf(text, sizeof text, ". 1:1(0) ack %u <sack %u:%u>", at, at - 2000, at - 1000);
        script_inject(&s, text);
        script_inject(&s, text); /* once a round trip */
        int64_t want = n * 25 * NS_PER_MS;
        int64_t most = script_info(&s).srtt_ns;
        assert_int_equal(script_info(&s).reo_wnd_ns, want < most ? want : most);
    }
    assert_int_equal(script_info(&s).dsacks, 10);
    script_end(&s);
}

/* Step 2: the ACK of a retransmission that comes sooner than any round trip is the original's. */
static void an_early_ack_is_not_the_retransmissions(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 2001:5001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_advance_ms(&s, 10);
    int64_t rtt = script_info(&s).rack_rtt_ns;
    script_inject(&s, ". 1:1(0) ack 1001 <sack 2001:5001>");
    assert_int_equal(script_info(&s).rack_rtt_ns, rtt);
    script_end(&s);
}

/* Section 6.3: what was sent a moment ago is not lost because of the first segment's timeout. */
static void a_timeout_spares_the_young(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 1000, 0);
    script_expect(&s, "P. 1:1001(1000) ack 1");
    script_advance_ms(&s, 302); /* a probe, of the one segment */
    script_expect(&s, "P. 1:1001(1000) ack 1");
    script_advance_ms(&s, 250);
    script_send(&s, 2000, 0);
    assert_int_equal(script_discard(&s), 2);
    script_advance_ms(&s, 60);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->rto_timeouts, 1);
    assert_int_equal(script_info(&s).lost_bytes, 0);
    script_end(&s);
}

int rack_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reordering_timer_finds_losses),
        cmocka_unit_test(three_segments_end_the_wait),
        cmocka_unit_test(a_lost_retransmission_is_found),
        cmocka_unit_test(reordering_is_seen_and_waited_for),
        cmocka_unit_test(dsacks_widen_the_window),
        cmocka_unit_test(an_early_ack_is_not_the_retransmissions),
        cmocka_unit_test(a_timeout_spares_the_young),
    };
    return cmocka_run_group_tests_name("rack", tests, NULL, NULL);
}
