/* Proportional Rate Reduction (RFC 9937), in recovery and for ECN. */
#include "recovery_tests.h"
#include "tcp/tcb.h"

/* Section 6.2: above ssthresh in proportion, at ssthresh one for one, and at the end ssthresh. */
static void one_loss_of_ten(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:2001>");
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:3001>");
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_info(&s).ssthresh_bytes, 5000);
    script_send(&s, 20000, 0);
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:5001>"); /* in flight 6000: 5/8 of it, not yet 1 */
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:6001>"); /* 5000 */
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_RECOVERY);
    char text[80], expected[80];
    for (unsigned n = 0; n < 4; n++) {
        snprintf(text, sizeof text, ". 1:1(0) ack 1 <sack 1001:%u>", 7001 + 1000 * n);
        snprintf(expected, sizeof expected, ". %u:%u(1000) ack 1", 10001 + 1000 * n,
                 11001 + 1000 * n);
        script_inject(&s, text);
        script_expect(&s, expected);
        script_quiet(&s);
        assert_int_equal(script_info(&s).bytes_in_flight, 5000);
    }
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).cwnd_bytes, 5000);
    assert_false(script_info(&s).in_recovery);
    script_expect(&s, ". 14001:15001(1000) ack 1");
    script_quiet(&s);
    script_end(&s);
}

/* Heavy loss: far below ssthresh what was delivered goes out, and one more while it goes well. */
static void most_of_a_flight_is_lost(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1 <sack 7001:10001>");
    script_expect(&s, ". 1:1001(1000) ack 1"); /* CRB: as much as was delivered */
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_expect(&s, ". 2001:3001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1001 <sack 7001:10001>"); /* safe: one more */
    script_expect(&s, ". 3001:4001(1000) ack 1");
    script_expect(&s, ". 4001:5001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 3001 <sack 7001:10001>");
    script_expect(&s, ". 5001:6001(1000) ack 1");
    script_expect(&s, ". 6001:7001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).cwnd_bytes, 5000);
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    script_end(&s);
}

static void enter_cwr(struct script *s)
{
    struct tcb *c = tcb_find(s->engine, s->id);
    const struct segment told = {.now = s->now};
    recovery_enter_cwr(s->engine, c, &(struct ack_news){.s = &told, .una = c->snd.una});
}

/* RFC 3168 section 6.1.2: once for a window of data, without a loss; RFC 8511: by less than for
 * one. */
static void congestion_told_by_ecn(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_send(&s, 20000, 0);
    enter_cwr(&s);
    assert_true(script_info(&s).in_cwr);
    assert_false(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).ssthresh_bytes, 8000);
    unsigned sent = 0;
    char text[80];
    for (unsigned n = 1; n <= 9; n++) {
        snprintf(text, sizeof text, ". 1:1(0) ack %u", 1 + 1000 * n);
        script_inject(&s, text);
        enter_cwr(&s); /* the same window */
        sent += script_discard(&s);
    }
    assert_in_range(sent, 7, 8); /* 0.8 (RFC 8511), spread over the round trip */
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_false(script_info(&s).in_cwr);
    assert_int_equal(script_info(&s).cwnd_bytes, 8000);
    script_discard(&s);
    enter_cwr(&s); /* still that window */
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    script_inject(&s, ". 1:1(0) ack 11001");
    script_discard(&s);
    enter_cwr(&s);
    assert_int_equal(script_counters(&s)->cwr_entries, 2);
    assert_int_equal(script_counters(&s)->retrans_segs, 0);
    script_end(&s);
}

/* A loss in a window that ECN has reduced reduces it no further. */
static void a_loss_after_ecn(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    enter_cwr(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_true(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).ssthresh_bytes, 8000);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).cwnd_bytes, 8000);
    script_end(&s);
}

static void nothing_outstanding_to_meter(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 10001");
    uint32_t before = script_info(&s).cwnd_bytes;
    enter_cwr(&s);
    assert_true(script_info(&s).cwnd_bytes < before);
    assert_false(script_info(&s).in_cwr);
    script_end(&s);
}

int prr_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_loss_of_ten),
        cmocka_unit_test(most_of_a_flight_is_lost),
        cmocka_unit_test(congestion_told_by_ecn),
        cmocka_unit_test(a_loss_after_ecn),
        cmocka_unit_test(nothing_outstanding_to_meter),
    };
    return cmocka_run_group_tests_name("prr", tests, NULL, NULL);
}
