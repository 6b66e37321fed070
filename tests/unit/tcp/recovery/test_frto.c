/* F-RTO (RFC 5682): with SACK (section 3) and without (section 2). */
#include "recovery_tests.h"

/* Ten segments, and then silence until the timer sends the first one again. */
static void timeout(struct script *s)
{
    script_send(s, 10000, 0);
    assert_int_equal(script_discard(s), 10);
    script_advance_ms(s, 203);
    script_discard(s); /* with SACK a probe */
    script_advance_ms(s, 305);
    script_expect(s, ". 1:1001(1000) ack 1");
    script_quiet(s);
    assert_int_equal(script_info(s).cwnd_bytes, 1000);
    assert_int_equal(script_info(s).lost_bytes, 9000);
    script_send(s, 5000, 0);
    script_quiet(s);
}

static void delayed(const char *options)
{
    ESTABLISHED(s, options);
    timeout(&s);
    script_inject(&s, ". 1:1(0) ack 1001"); /* of which transmission? */
    script_expect(&s, ". 10001:11001(1000) ack 1");
    script_expect(&s, ". 11001:12001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_SPURIOUS_TIMEOUT_TEST);
    script_inject(&s, ". 1:1(0) ack 2001"); /* this one was sent once */
    assert_false(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).lost_bytes, 0);
    assert_true(script_info(&s).ssthresh_bytes >= 10000);
    assert_int_equal(script_counters(&s)->undos_frto, 1);
    assert_int_equal(script_counters(&s)->undos_timeout, 1);
    assert_int_equal(script_info(&s).undos, 1);
    uint64_t again = script_counters(&s)->retrans_segs;
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 15001");
    assert_int_equal(script_counters(&s)->retrans_segs, again); /* nothing else went twice */
    assert_true(script_info(&s).rto_ns > 300 * NS_PER_MS);
    script_end(&s);
}

static void a_delay_with_sack(void **state)
{
    (void)state;
    delayed(SACK);
}

static void a_delay_without_sack(void **state)
{
    (void)state;
    delayed(PLAIN);
}

/* Step (3a). */
static void a_loss(const char *options, const char *answer)
{
    ESTABLISHED(s, options);
    timeout(&s);
    script_inject(&s, ". 1:1(0) ack 1001");
    assert_int_equal(script_discard(&s), 2);
    script_inject(&s, answer);
    script_expect(&s, ". 1001:2001(1000) ack 1");
    assert_true(script_info(&s).in_recovery);
    assert_int_equal(script_counters(&s)->undos_frto, 0);
    script_end(&s);
}

static void a_loss_with_sack(void **state)
{
    (void)state;
    a_loss(SACK, ". 1:1(0) ack 1001 <sack 10001:11001>");
}

static void a_loss_without_sack(void **state)
{
    (void)state;
    a_loss(PLAIN, ". 1:1(0) ack 1001");
}

/* Without new data there is no test: the repair goes on at once. */
static void nothing_new_to_send(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 3000, 0);
    assert_int_equal(script_discard(&s), 3);
    script_advance_ms(&s, 305);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1001");
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_end(&s);
}

/* A second timeout in a row tests nothing. */
static void a_second_timeout(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    timeout(&s);
    script_advance_ms(&s, 605);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1001");
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_end(&s);
}

int frto_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delay_with_sack),   cmocka_unit_test(a_delay_without_sack),
        cmocka_unit_test(a_loss_with_sack),    cmocka_unit_test(a_loss_without_sack),
        cmocka_unit_test(nothing_new_to_send), cmocka_unit_test(a_second_timeout),
    };
    return cmocka_run_group_tests_name("frto", tests, NULL, NULL);
}
