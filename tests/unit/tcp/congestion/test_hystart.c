/* HyStart++ (RFC 9406): rounds of known round-trip times. */
#include "bench.h"

/* A round of `n` ACKs, all with this round-trip time. */
static unsigned round_of(struct bench *b, struct hystart *h, unsigned n, int64_t rtt_ns)
{
    unsigned divisor = 1;
    for (unsigned i = 0; i < n; i++) {
        if (i == 0) { /* what was in flight is acknowledged: a round begins */
            b->c.snd.una = b->c.snd.nxt;
            b->c.snd.nxt = seq_add(b->c.snd.una, n * MSS);
        } else {
            b->c.snd.una = seq_add(b->c.snd.una, MSS - 1);
        }
        struct cc_ack ack = {.now = b->now, .acked = MSS, .rtt_ns = rtt_ns};
        divisor = hystart_acked(h, &b->c, &ack);
        if (!divisor) {
            return 0;
        }
    }
    return divisor;
}

#define MS(n) ((int64_t)((n)*1000000))

static void threshold(int64_t base_ns, int64_t below_ns, int64_t at_ns)
{
    struct bench b;
    struct hystart h = {0};
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    assert_int_equal(round_of(&b, &h, 10, base_ns), 1);
    assert_int_equal(round_of(&b, &h, 10, base_ns + below_ns), 1);
    h = (struct hystart){0};
    assert_int_equal(round_of(&b, &h, 10, base_ns), 1);
    assert_int_equal(round_of(&b, &h, 10, base_ns + at_ns), 4);
    bench_end(&b);
}

/* Section 4.2: an eighth, within 4 and 16 ms. */
static void thresholds(void **state)
{
    (void)state;
    threshold(MS(1), MS(3.999), MS(4));
    threshold(MS(64), MS(7.999), MS(8));
    threshold(MS(400), MS(15.999), MS(16));
}

static void too_few_samples_say_nothing(void **state)
{
    (void)state;
    struct bench b;
    struct hystart h = {0};
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    assert_int_equal(round_of(&b, &h, 10, MS(10)), 1);
    assert_int_equal(round_of(&b, &h, 7, MS(50)), 1);
    bench_end(&b);
}

/* Five rounds, the partial one counted; then slow start is over. */
static void css_ends(void **state)
{
    (void)state;
    struct bench b;
    struct hystart h = {0};
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    round_of(&b, &h, 10, MS(10));
    for (int n = 0; n < 5; n++) {
        assert_int_equal(round_of(&b, &h, 10, MS(30)), 4);
    }
    assert_int_equal(round_of(&b, &h, 10, MS(30)), 0);
    bench_end(&b);
}

static void noise_is_forgiven(void **state)
{
    (void)state;
    struct bench b;
    struct hystart h = {0};
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    round_of(&b, &h, 10, MS(10));
    assert_int_equal(round_of(&b, &h, 10, MS(30)), 4);
    assert_int_equal(round_of(&b, &h, 10, MS(29)), 1);
    bench_end(&b);
}

/* Section 4.3: only while ssthresh is not yet known. And it can be switched off. */
static void only_at_first(void **state)
{
    (void)state;
    struct bench b;
    struct hystart h = {0};
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 10);
    b.flow.cc.ssthresh = 1000 * MSS;
    round_of(&b, &h, 10, MS(10));
    assert_int_equal(round_of(&b, &h, 10, MS(90)), 1);
    b.flow.cc.ssthresh = UINT32_MAX;
    b.options.v.hystart = false;
    round_of(&b, &h, 10, MS(10));
    assert_int_equal(round_of(&b, &h, 10, MS(90)), 1);
    bench_end(&b);
}

/* In the module: doubling, then a quarter of that, then congestion avoidance from there. */
static void in_slow_start(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 16, 10);
    bench_round(&b, MS(10), true);
    assert_int_equal(b.flow.cc.cwnd, 32 * MSS);
    bench_round(&b, MS(10), true);
    assert_int_equal(b.flow.cc.cwnd, 64 * MSS);
    bench_round(&b, MS(30), true); /* rounds begin with the ACK of their first segment: the rise */
    assert_int_equal(b.flow.cc.cwnd, 128 * MSS);
    bench_round(&b, MS(30), true); /* is known after 8 samples of the next */
    assert_in_range(b.flow.cc.cwnd, 128 * MSS + 116 * MSS / 4,
                    128 * MSS + 12 * MSS + 128 * MSS / 4);
    assert_string_equal(bench_field(&b, "state").word, "CONSERVATIVE-SLOW-START");
    for (int n = 0; n < 6; n++) {
        bench_round(&b, MS(30), true);
    }
    assert_true(b.flow.cc.ssthresh != UINT32_MAX);
    assert_string_equal(bench_field(&b, "state").word, "CONGESTION-AVOIDANCE");
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds),    cmocka_unit_test(too_few_samples_say_nothing),
        cmocka_unit_test(css_ends),      cmocka_unit_test(noise_is_forgiven),
        cmocka_unit_test(only_at_first), cmocka_unit_test(in_slow_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
