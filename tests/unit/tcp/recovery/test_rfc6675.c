/* Losses by count (RFC 6675), which the option loss_detection asks for. */
#include "recovery_tests.h"

static void by_count(struct tcp_config *c)
{
    c->defaults.delayed_ack_ns = 0;
    c->defaults.loss_detection = TCP_LOSS_COUNT;
}

#define COUNTING(s)                                                                                \
    struct script s;                                                                               \
    script_begin(&s, by_count);                                                                    \
    script_passive_rtt(&s, SACK, RTT_MS)

/* IsLost(): more than two segments' worth, or three ranges, above. */
static void octets_or_ranges(void **state)
{
    (void)state;
    COUNTING(s);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:3001>");
    script_advance_ms(&s, 150); /* time alone finds nothing */
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:3002>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_end(&s);

    COUNTING(t);
    flight(&t, 10);
    script_inject(&t, ". 1:1(0) ack 1 <sack 1001:1101 1201:1301>");
    script_quiet(&t);
    script_inject(&t, ". 1:1(0) ack 1 <sack 1401:1501 1201:1301 1001:1101>");
    script_expect(&t, ". 1:1001(1000) ack 1");
    script_end(&t);
}

/* A retransmission that is lost is left to the timer. */
static void the_timer_repairs_a_lost_retransmission(void **state)
{
    (void)state;
    COUNTING(s);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:10001>");
    script_discard(&s);
    script_advance_ms(&s, 250);
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->lost_retransmissions, 0);
    script_advance_ms(&s, 100);
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_int_equal(script_counters(&s)->rto_timeouts, 1);
    script_end(&s);
}

/* NextSeg() rule (4): nothing lost, nothing new: the end of what is outstanding, once. */
static void the_rescue_retransmission(void **state)
{
    (void)state;
    COUNTING(s);
    flight(&s, 6);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>"); /* 5 and 6 are lost, too */
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 4001");
    script_expect(&s, "P. 5001:6001(1000) ack 1");
    script_quiet(&s);
    script_end(&s);
}

/* NextSeg() rule (3): nothing lost, nothing new (which is rule (2) and comes first): what lies
 * below the highest SACKed octet, although too little is SACKed above it to call it lost. */
static void a_hole_that_is_not_lost_yet(void **state)
{
    (void)state;
    for (unsigned new_data = 0; new_data < 2; new_data++) {
        COUNTING(s);
        flight(&s, 6);
        script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
        script_expect(&s, ". 1:1001(1000) ack 1");
        script_quiet(&s);
        script_send(&s, 1000 * new_data, 0);
        script_inject(&s, ". 1:1(0) ack 1 <sack 5001:6001 1001:4001>");
        script_expect(&s, new_data ? "P. 6001:7001(1000) ack 1" : ". 4001:5001(1000) ack 1");
        script_quiet(&s);
        assert_int_equal(script_counters(&s)->fast_recoveries, 1);
        script_end(&s);
    }
}

int rfc6675_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_or_ranges),
        cmocka_unit_test(the_timer_repairs_a_lost_retransmission),
        cmocka_unit_test(a_hole_that_is_not_lost_yet),
        cmocka_unit_test(the_rescue_retransmission),
    };
    return cmocka_run_group_tests_name("rfc6675", tests, NULL, NULL);
}
