/* RFC 7661: a window that is not used is kept, does not grow, and shrinks in the end. */
#include "bench.h"

/* A round trip in which `n` of the window's segments are sent and acknowledged. */
static void light_round(struct bench *b, uint32_t n, int64_t rtt_ns)
{
    b->c.snd.nxt = seq_add(b->c.snd.una, n * MSS);
    for (uint32_t i = 0; i < n; i++) {
        b->now = time_add(b->now, rtt_ns / n);
        bench_ack(b, MSS, rtt_ns);
    }
}

static void begin_used(struct bench *b)
{
    bench_begin(b, TCP_CONGESTION_NEWRENO, 100, 100);
    b->flow.cc.ssthresh = 100 * MSS;
    for (int n = 0; n < 10; n++) {
        bench_round(b, 100 * NS_PER_MS, true);
    }
    assert_true(validation_holds(&b->c));
}

static void kept_but_not_grown(void **state)
{
    (void)state;
    struct bench b;
    begin_used(&b);
    light_round(&b, 10, 100 * NS_PER_MS);
    light_round(&b, 10, 100 * NS_PER_MS);
    uint32_t cwnd = b.flow.cc.cwnd;
    for (int n = 0; n < 50; n++) {
        light_round(&b, 10, 100 * NS_PER_MS);
    }
    assert_int_equal(b.flow.cc.cwnd, cwnd);
    assert_false(validation_holds(&b.c));
    bench_round(&b, 100 * NS_PER_MS, true); /* used again: validated, and growing */
    bench_round(&b, 100 * NS_PER_MS, true);
    assert_true(validation_holds(&b.c));
    assert_true(b.flow.cc.cwnd > cwnd);
    bench_end(&b);
}

/* Section 4.4.1: half of what was in use; after recovery less what was lost of it, too. */
static void loss_without_validation(void **state)
{
    (void)state;
    struct bench b;
    begin_used(&b);
    for (int n = 0; n < 30; n++) {
        light_round(&b, 40, 100 * NS_PER_MS);
    }
    b.c.snd.nxt = seq_add(b.c.snd.una, 24 * MSS);
    b.flow.cc.ssthresh = cc_ssthresh(&b.c, 0, false); /* pipeACK is 40 segments, the flight 24 */
    assert_in_range(b.flow.cc.ssthresh, 19 * MSS, 20 * MSS);
    b.flow.cc.cwnd = b.flow.cc.ssthresh;
    cc_event(&b.c, CC_ENTER_RECOVERY, b.now);
    b.flow.retransmitted_bytes += 8 * MSS;
    cc_event(&b.c, CC_LEAVE_RECOVERY, b.now);
    assert_in_range(b.flow.cc.cwnd, 15 * MSS, 16 * MSS);
    assert_true(validation_holds(&b.c)); /* pipeACK is undefined again */
    bench_end(&b);
}

/* The same where nothing would be left: "MUST NOT be reduced below 1 MSS", and ssthresh not below
 * two (RFC 5681 equation (4)). */
static void loss_of_all_that_was_in_use(void **state)
{
    (void)state;
    struct bench b;
    begin_used(&b);
    for (int n = 0; n < 60; n++) {
        light_round(&b, 3, 100 * NS_PER_MS);
    }
    b.c.snd.nxt = seq_add(b.c.snd.una, 3 * MSS);
    b.flow.cc.ssthresh = cc_ssthresh(&b.c, 0, false);
    b.flow.cc.cwnd = b.flow.cc.ssthresh;
    cc_event(&b.c, CC_ENTER_RECOVERY, b.now);
    b.flow.retransmitted_bytes += 3 * MSS;
    cc_event(&b.c, CC_LEAVE_RECOVERY, b.now);
    assert_int_equal(b.flow.cc.cwnd, MSS);
    assert_int_equal(b.flow.cc.ssthresh, 2 * MSS);
    bench_end(&b);
}

/* Section 4.4.3: five minutes. */
static void shrinks_in_the_end(void **state)
{
    (void)state;
    struct bench b;
    begin_used(&b);
    for (int n = 0; n < 30; n++) {
        light_round(&b, 10, 100 * NS_PER_MS);
    }
    uint32_t cwnd = b.flow.cc.cwnd;
    b.now = time_add(b.now, 290 * NS_PER_S);
    light_round(&b, 10, 100 * NS_PER_MS);
    assert_int_equal(b.flow.cc.cwnd, cwnd);
    b.now = time_add(b.now, 11 * NS_PER_S);
    light_round(&b, 10, 100 * NS_PER_MS);
    assert_int_equal(b.flow.cc.cwnd, cwnd / 2);
    assert_int_equal(b.flow.cc.ssthresh, 100 * MSS); /* which is more than 3/4 of what cwnd was */
    bench_end(&b);
}

/* RFC 5681 section 4.1, or RFC 7661 alone, by option. */
static void restart(void **state)
{
    (void)state;
    struct bench b;
    begin_used(&b);
    uint32_t cwnd = b.flow.cc.cwnd;
    b.c.snd.nxt = b.c.snd.una;
    b.flow.data_sent = b.now;
    b.now = time_add(b.now, 5 * NS_PER_S);
    b.options.v.idle_restart = false;
    cc_restart_after_idle(&b.c, b.now);
    assert_int_equal(b.flow.cc.cwnd, cwnd);
    b.now = time_add(b.now, 301 * NS_PER_S);
    cc_restart_after_idle(&b.c, b.now);
    assert_int_equal(b.flow.cc.cwnd, cwnd / 2);
    b.options.v.idle_restart = true;
    cc_restart_after_idle(&b.c, b.now);
    assert_int_equal(b.flow.cc.cwnd, 10 * MSS);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_but_not_grown),
        cmocka_unit_test(loss_without_validation),
        cmocka_unit_test(loss_of_all_that_was_in_use),
        cmocka_unit_test(shrinks_in_the_end),
        cmocka_unit_test(restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
