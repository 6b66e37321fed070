/* A peer that drops what it had SACKed (RFC 2018 section 8). */
#include "recovery_tests.h"

/* SND.UNA comes to stand where a SACKED range begins: half a round trip is given. */
static void noticed_before_the_timeout(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 4);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_quiet(&s);
    script_advance_ms(&s, 40);
    script_quiet(&s);
    script_advance_ms(&s, 20);
    script_expect(&s, ". 1001:2001(1000) ack 1");
    assert_int_equal(script_counters(&s)->sack_reneges, 1);
    assert_int_equal(script_info(&s).sacked_bytes, 0);
    script_inject(&s, ". 1:1(0) ack 4001");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_end(&s);
}

static void put_right_in_time(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 4);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_advance_ms(&s, 40);
    script_inject(&s, ". 1:1(0) ack 4001");
    script_advance_ms(&s, 100);
    assert_int_equal(script_counters(&s)->sack_reneges, 0);
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    script_end(&s);
}

int renege_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noticed_before_the_timeout),
        cmocka_unit_test(put_right_in_time),
    };
    return cmocka_run_group_tests_name("renege", tests, NULL, NULL);
}
