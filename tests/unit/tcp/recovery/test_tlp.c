/* Tail loss probes (RFC 8985 section 7). */
#include "recovery_tests.h"

#define PTO_MS 203 /* two round trips and the granularity */

static void probe(struct script *s)
{
    script_send(s, 3000, 0);
    assert_int_equal(script_discard(s), 3);
    script_advance_ms(s, PTO_MS - 3);
    script_quiet(s);
    script_advance_ms(s, 3);
    script_expect(s, "P. 2001:3001(1000) ack 1");
    script_quiet(s);
}

/* Section 7.4.1: the SACK of the probe shows what was lost before it. */
static void the_probe_shows_a_lost_tail(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    probe(&s);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 1 <sack 2001:3001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1001 <sack 2001:3001>");
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 3001");
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    assert_int_equal(script_info(&s).loss_probes, 1);
    script_end(&s);
}

/* Section 7.4.2: nothing says that the original arrived as well. */
static void a_loss_that_the_probe_repaired_counts(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    probe(&s);
    script_advance_ms(&s, RTT_MS);
    script_inject(&s, ". 1:1(0) ack 3001");
    assert_int_equal(script_info(&s).cwnd_bytes >= 10000, 1);
    flight(&s, 8);
    script_inject(&s, ". 1:1(0) ack 7001");
    assert_int_equal(script_counters(&s)->loss_probe_recoveries, 1);
    assert_in_range(script_info(&s).cwnd_bytes, 2000, 7000);
    assert_false(script_info(&s).in_recovery);
    script_end(&s);
}

static void a_needless_probe_costs_nothing(void **state)
{
    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        ESTABLISHED(s, SACK);
        probe(&s);
        script_inject(&s, ". 1:1(0) ack 3001");
        script_advance_ms(&s, RTT_MS);
        /* Case 1: a DSACK; case 2: a duplicate ACK of a peer that knows none. */
        script_inject(&s, sack ? ". 1:1(0) ack 3001 <sack 2001:3001>" : ". 1:1(0) ack 3001");
        flight(&s, 5);
        script_inject(&s, ". 1:1(0) ack 8001");
        assert_int_equal(script_counters(&s)->loss_probe_recoveries, 0);
        assert_true(script_info(&s).cwnd_bytes >= 10000);
        script_end(&s);
    }
}

/* Section 7.3: new data, whatever cwnd says; then the timer has the last word. */
static void new_data_probe_first(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 20000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_advance_ms(&s, PTO_MS);
    script_expect(&s, ". 10001:11001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, 290);
    script_quiet(&s); /* one probe at a time */
    script_advance_ms(&s, 15);
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_int_equal(script_counters(&s)->loss_probes, 1);
    assert_int_equal(script_counters(&s)->rto_timeouts, 1);
    script_end(&s);
}

/* A single segment's ACK may be delayed: the probe takes the timer's place, once. */
static void a_single_segment(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1:501(500) ack 1");
    script_advance_ms(&s, 290);
    script_quiet(&s);
    script_advance_ms(&s, 12);
    script_expect(&s, "P. 1:501(500) ack 1");
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    script_inject(&s, ". 1:1(0) ack 501");
    script_send(&s, 500, 0); /* Karn: no RTT came of it, hence no second probe */
    script_discard(&s);
    script_advance_ms(&s, 310);
    script_discard(&s);
    assert_int_equal(script_counters(&s)->loss_probes, 1);
    assert_int_equal(script_counters(&s)->rto_timeouts, 1);
    script_end(&s);
}

/* A FIN is probed like data. */
static void a_fin_is_probed(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 1500, 0);
    assert_int_equal(tcp_close(s.engine, s.now, s.id), 0);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_expect(&s, "FP. 1001:1501(500) ack 1");
    script_advance_ms(&s, PTO_MS);
    script_expect(&s, "FP. 1001:1501(500) ack 1");
    script_inject(&s, ". 1:1(0) ack 1502");
    assert_int_equal(script_state(&s), TCP_FIN_WAIT_2);
    script_end(&s);
}

static void no_probe_beyond_the_window(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 5000, 0);
    assert_int_equal(script_discard(&s), 5);
    script_inject(&s, ". 1:1(0) ack 1001 win 1000"); /* taken back (SHLD-15) */
    script_advance_ms(&s, 290);
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->loss_probes, 0);
    script_end(&s);
}

int tlp_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_probe_shows_a_lost_tail),
        cmocka_unit_test(a_loss_that_the_probe_repaired_counts),
        cmocka_unit_test(a_needless_probe_costs_nothing),
        cmocka_unit_test(new_data_probe_first),
        cmocka_unit_test(a_single_segment),
        cmocka_unit_test(a_fin_is_probed),
        cmocka_unit_test(no_probe_beyond_the_window),
    };
    return cmocka_run_group_tests_name("tlp", tests, NULL, NULL);
}
