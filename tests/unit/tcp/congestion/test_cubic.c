/* CUBIC against RFC 9438's closed forms, in floating point. */
#include <math.h>
#include "bench.h"

#define C 0.4
#define BETA 0.7

static double segments(const struct bench *b)
{
    return (double)b->flow.cc.cwnd / MSS;
}

/* Section 4.2: after a reduction from W cwnd follows W_cubic(t) until well beyond W, to within 1 %.
 * A long fat path, where the cubic lies above Reno. */
static void follows_the_cubic(uint32_t w, int64_t rtt_ms, double until_k)
{
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, w, rtt_ms);
    b.flow.cc.ssthresh = w * MSS;
    bench_fill(&b);
    bench_loss(&b, false);
    assert_int_equal(b.flow.cc.cwnd, (uint32_t)(w * BETA * MSS));
    ackd_time start = b.now;
    double k = cbrt(w * (1 - BETA) / C), at_k = 0;
    for (double t = 0; t < until_k * k;) {
        bench_round(&b, rtt_ms * NS_PER_MS, true);
        t = (double)time_diff(b.now, start) / 1e9;
        double expected = C * pow(t - k, 3) + w;
        at_k = at_k == 0 && t >= k ? segments(&b) : at_k;
        assert_true(fabs(segments(&b) - expected) < 0.01 * expected);
    }
    assert_true(fabs(at_k - w) < 0.005 * w); /* the plateau */
    assert_true(fabs((double)bench_field(&b, "k").value / 1e9 - k) < 0.002);
    assert_int_equal(bench_field(&b, "w_max").value, w * MSS);
    assert_string_equal(bench_field(&b, "state").word, "CONVEX");
    bench_end(&b);
}

static void closed_form(void **state)
{
    (void)state;
    follows_the_cubic(1000, 100, 1.6);
    follows_the_cubic(3000, 60, 1.6);
    follows_the_cubic(10000, 40, 1.4);
}

/* Section 4.3: on a short path W_est is above, and grows by alpha segments a round trip. */
static void reno_friendly(bool alpha_one, double alpha_beyond)
{
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, 40, 5);
    b.options.v.cubic_alpha_one = alpha_one;
    b.flow.cc.ssthresh = 40 * MSS;
    bench_fill(&b);
    bench_loss(&b, false);
    double expected = 28;
    for (int n = 0; n < 60; n++) {
        bench_round(&b, 5 * NS_PER_MS, true);
        expected += expected < 40 ? 9.0 / 17 : alpha_beyond;
        assert_true(fabs(segments(&b) - expected) < 0.01 * expected + 0.25);
    }
    assert_string_equal(bench_field(&b, "state").word, "RENO-FRIENDLY");
    bench_end(&b);
}

/* As other senders do: alpha is 9/17, and stays so beyond the old window. */
static void reno_friendly_throughout(void **state)
{
    (void)state;
    reno_friendly(false, 9.0 / 17);
}

/* As section 4.3 recommends: it is 1 from where W_est reaches cwnd_prior. */
static void reno_friendly_alpha_one(void **state)
{
    (void)state;
    reno_friendly(true, 1);
}

/* Slow start that ended by itself (RFC 9406) has no reduction behind it: Reno's segment a round
 * trip.
 */
static void alpha_before_any_reduction(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, 40, 5);
    b.flow.cc.ssthresh = 40 * MSS;
    for (int n = 0; n < 20; n++) {
        bench_round(&b, 5 * NS_PER_MS, true);
    }
    assert_true(fabs(segments(&b) - 60) < 1);
    bench_end(&b);
}

/* The choice matters beyond the old window only: below it both are the same octet for octet. */
static void alpha_below_the_old_window(void **state)
{
    (void)state;
    struct bench a, b;
    bench_begin(&a, TCP_CONGESTION_CUBIC, 40, 5);
    bench_begin(&b, TCP_CONGESTION_CUBIC, 40, 5);
    b.options.v.cubic_alpha_one = true;
    for (struct bench *x = &a; x; x = x == &a ? &b : NULL) {
        x->flow.cc.ssthresh = 40 * MSS;
        bench_fill(x);
        bench_loss(x, false);
    }
    int rounds = 0;
    while (b.flow.cc.cwnd < 40 * MSS) {
        assert_int_equal(a.flow.cc.cwnd, b.flow.cc.cwnd);
        bench_round(&a, 5 * NS_PER_MS, true);
        bench_round(&b, 5 * NS_PER_MS, true);
        rounds++;
    }
    assert_in_range(rounds, 22, 24); /* 12 segments at 9/17 */
    for (int n = 0; n < 17; n++) {
        bench_round(&a, 5 * NS_PER_MS, true);
        bench_round(&b, 5 * NS_PER_MS, true);
    }
    assert_in_range(b.flow.cc.cwnd - a.flow.cc.cwnd, 7 * MSS, 9 * MSS); /* 17 against 9 */
    bench_end(&a);
    bench_end(&b);
}

/* Section 4.2: no more than half as much again in a round trip, however far the cubic is. */
static void target_is_bounded(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, 10, 1000);
    b.flow.cc.ssthresh = 10 * MSS;
    bench_fill(&b);
    bench_loss(&b, false);
    bench_round(&b, NS_PER_S, true); /* the epoch begins */
    for (int n = 0; n < 12; n++) {
        uint32_t before = b.flow.cc.cwnd;
        bench_round(&b, NS_PER_S, true);
        assert_true(b.flow.cc.cwnd <= before + before / 2 + MSS);
    }
    bench_end(&b);
}

/* Section 4.7. */
static void fast_convergence(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, 1000, 100);
    b.flow.cc.ssthresh = 1000 * MSS;
    bench_fill(&b);
    bench_loss(&b, false);
    assert_int_equal(bench_field(&b, "w_max").value, 1000 * MSS);
    bench_fill(&b);
    bench_loss(&b, false); /* at 700, short of 1000 */
    assert_int_equal(b.flow.cc.cwnd, 490 * MSS);
    assert_int_equal(bench_field(&b, "w_max").value, 595 * MSS); /* 700 (1 + beta) / 2 */
    bench_end(&b);
}

/* Section 4.9.2: a reduction that was for nothing leaves no trace. */
static void spurious(void **state)
{
    (void)state;
    struct bench a, b;
    bench_begin(&a, TCP_CONGESTION_CUBIC, 1000, 100);
    bench_begin(&b, TCP_CONGESTION_CUBIC, 1000, 100);
    for (struct bench *x = &a; x; x = x == &a ? &b : NULL) {
        x->flow.cc.ssthresh = 1000 * MSS;
        bench_fill(x);
        bench_loss(x, false);
        for (int n = 0; n < 30; n++) {
            bench_round(x, 100 * NS_PER_MS, true);
        }
    }
    uint32_t cwnd = b.flow.cc.cwnd, ssthresh = b.flow.cc.ssthresh;
    bench_fill(&b);
    b.flow.cc.ssthresh = cc_ssthresh(&b.c, 0, false);
    b.flow.cc.cwnd = MSS;
    cc_event(&b.c, CC_TIMEOUT, b.now);
    assert_int_equal(bench_field(&b, "w_max").value, 0);
    b.flow.cc.cwnd = cwnd; /* which is recovery's part of the undo */
    b.flow.cc.ssthresh = ssthresh;
    cc_event(&b.c, CC_UNDO, b.now);
    for (int n = 0; n < 80; n++) {
        bench_round(&a, 100 * NS_PER_MS, true);
        bench_round(&b, 100 * NS_PER_MS, true);
        assert_int_equal(a.flow.cc.cwnd, b.flow.cc.cwnd);
    }
    bench_end(&a);
    bench_end(&b);
}

/* Section 5.8: while the application limits, cwnd does not grow, and that time does not count. */
static void application_limited(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, 1000, 100);
    b.flow.cc.ssthresh = 1000 * MSS;
    bench_fill(&b);
    bench_loss(&b, false);
    for (int n = 0; n < 20; n++) {
        bench_round(&b, 100 * NS_PER_MS, true);
    }
    b.c.flags &= ~(uint32_t)C_CWND_LIMITED;
    b.flow.validation.limited_before = false;
    uint32_t before = b.flow.cc.cwnd;
    for (int n = 0; n < 200; n++) { /* 20 s, more than K */
        bench_round(&b, 100 * NS_PER_MS, false);
    }
    assert_int_equal(b.flow.cc.cwnd, before);
    for (int n = 0; n < 10; n++) {
        bench_round(&b, 100 * NS_PER_MS, true);
    }
    double k = cbrt(300 / C), expected = C * pow(3.0 - k, 3) + 1000;
    assert_true(fabs(segments(&b) - expected) < 0.01 * expected);
    bench_end(&b);
}

/* RFC 8511: a mark is answered more mildly than a loss. */
static void abe(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_CUBIC, 100, 100);
    bench_fill(&b);
    bench_loss(&b, true);
    assert_int_equal(b.flow.cc.cwnd, 85 * MSS);
    bench_end(&b);
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 100, 100);
    bench_fill(&b);
    bench_loss(&b, true);
    assert_int_equal(b.flow.cc.cwnd, 80 * MSS);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_form),
        cmocka_unit_test(reno_friendly_throughout),
        cmocka_unit_test(reno_friendly_alpha_one),
        cmocka_unit_test(alpha_before_any_reduction),
        cmocka_unit_test(alpha_below_the_old_window),
        cmocka_unit_test(target_is_bounded),
        cmocka_unit_test(fast_convergence),
        cmocka_unit_test(spurious),
        cmocka_unit_test(application_limited),
        cmocka_unit_test(abe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
