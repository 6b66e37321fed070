/* NewReno: RFC 5681's windows, RFC 3465's counting of bytes. */
#include "bench.h"

/* Section 3.1: doubling below ssthresh, exactly up to it, then a segment a round trip. */
static void slow_start_and_avoidance(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    b.flow.cc.ssthresh = 35 * MSS;
    bench_round(&b, 10 * NS_PER_MS, true);
    assert_int_equal(b.flow.cc.cwnd, 20 * MSS);
    bench_round(&b, 10 * NS_PER_MS, true);
    assert_int_equal(b.flow.cc.cwnd, 35 * MSS);
    for (uint32_t n = 36; n < 50; n++) {
        bench_round(&b, 10 * NS_PER_MS, true);
        assert_in_range(b.flow.cc.cwnd, (n - 1) * MSS, n * MSS);
    }
    bench_end(&b);
}

/* RFC 3465: what counts is bytes, not ACKs; L bounds an ACK's part where it is set, and after a
 * timeout it is one. */
static void bytes_count(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    bench_fill(&b);
    bench_ack(&b, 10 * MSS, -1);
    assert_int_equal(b.flow.cc.cwnd, 20 * MSS);
    b.options.v.abc_limit = 2;
    bench_fill(&b);
    bench_ack(&b, 20 * MSS, -1);
    assert_int_equal(b.flow.cc.cwnd, 22 * MSS);
    b.c.flags |= C_RTO_RECOVERY;
    bench_fill(&b);
    bench_ack(&b, 20 * MSS, -1);
    assert_int_equal(b.flow.cc.cwnd, 23 * MSS);
    bench_end(&b);
}

/* Equation (4): half of the flight, not of cwnd; two segments at least. */
static void reduction(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 100, 10);
    b.c.snd.nxt = seq_add(b.c.snd.una, 30 * MSS);
    assert_int_equal(cc_ssthresh(&b.c, 0, false), 15 * MSS);
    b.c.snd.nxt = seq_add(b.c.snd.una, 3 * MSS);
    assert_int_equal(cc_ssthresh(&b.c, 0, false), 2 * MSS);
    bench_end(&b);
}

static void recovery_is_not_ours(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 20, 10);
    bench_fill(&b);
    struct cc_ack ack = {
        .now = b.now, .acked = MSS, .delivered = MSS, .rtt_ns = -1, .in_recovery = true};
    cc_acked(&b.c, &b.delta, &ack);
    assert_int_equal(b.flow.cc.cwnd, 20 * MSS);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_start_and_avoidance),
        cmocka_unit_test(bytes_count),
        cmocka_unit_test(reduction),
        cmocka_unit_test(recovery_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
