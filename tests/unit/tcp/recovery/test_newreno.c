/* Losses by duplicate ACKs (RFC 5681, 6582) and limited transmit (RFC 3042), without SACK. */
#include "recovery_tests.h"

/* RFC 3042: one new segment for each of the first two; then it was but reordering. */
static void two_duplicates_admit_two_segments(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 15000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, ". 10001:11001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, ". 11001:12001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->limited_transmits, 2);
    script_inject(&s, ". 1:1(0) ack 3001"); /* 2000 of it were counted: cwnd grows by 1000 */
    script_expect(&s, ". 12001:13001(1000) ack 1");
    script_expect(&s, ". 13001:14001(1000) ack 1");
    script_quiet(&s);
    assert_false(script_info(&s).in_recovery);
    script_end(&s);
}

static void with_sack_the_scoreboard_admits_them(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 15000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:2001>");
    script_expect(&s, ". 10001:11001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:3001>");
    script_expect(&s, ". 11001:12001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->limited_transmits, 2);
    script_inject(&s, ". 1:1(0) ack 3001");
    script_expect(&s, ". 12001:13001(1000) ack 1");
    script_expect(&s, ". 13001:14001(1000) ack 1");
    script_quiet(&s);
    script_end(&s);
}

/* RFC 6582 section 3.2 step 3: each partial acknowledgment repairs the next hole. */
static void two_holes(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    flight(&s, 10);
    for (int n = 0; n < 3; n++) {
        script_inject(&s, ". 1:1(0) ack 1");
    }
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_int_equal(script_info(&s).ssthresh_bytes, 5000);
    script_quiet(&s);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 5001");
    script_expect(&s, ". 5001:6001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_false(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).cwnd_bytes, 2000); /* step 3: max(FlightSize, SMSS) + SMSS */
    assert_int_equal(script_counters(&s)->fast_recoveries, 1);
    script_end(&s);
}

int newreno_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_duplicates_admit_two_segments),
        cmocka_unit_test(with_sack_the_scoreboard_admits_them),
        cmocka_unit_test(two_holes),
    };
    return cmocka_run_group_tests_name("newreno", tests, NULL, NULL);
}
