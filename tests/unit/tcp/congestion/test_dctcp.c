/* DCTCP: Alpha against RFC 8257 section 3.3 in floating point, and what it takes from cwnd. */
#include <math.h>
#include "bench.h"

/* A window that is acknowledged, a part of it marked. */
static void window(struct bench *b, uint32_t segments, uint32_t marked)
{
    b->c.snd.nxt = seq_add(b->c.snd.una, segments * MSS);
    for (uint32_t i = 0; i < segments; i++) {
        struct cc_ack ack = {.now = b->now,
                             .acked = MSS,
                             .delivered = MSS,
                             .ecn_bytes = i < marked ? MSS : 0,
                             .rtt_ns = -1};
        b->now = time_add(b->now, NS_PER_MS);
        b->c.snd.una = seq_add(b->c.snd.una, MSS);
        b->delta = (struct rtxq_delta){.acked = MSS, .delivered = MSS};
        cc_acked(&b->c, &b->delta, &ack);
    }
}

static double alpha(const struct bench *b)
{
    return (double)bench_field(b, "alpha").value / 65536;
}

/* Alpha = Alpha (1 - 1/16) + 1/16 M. A window of ours ends with the first ACK beyond it, which is
 * the next one's first: so M may be off by a segment in a hundred. */
static void follows_the_marks(void **state)
{
    (void)state;
    static const uint32_t marks[] = {0, 10, 50, 100, 3};
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_DCTCP, 100, 1);
    assert_true(alpha(&b) == 1);
    for (unsigned k = 0; k < 5; k++) {
        double expected = -1;
        for (int n = 0; n < 150; n++) {
            window(&b, 100, marks[k]);
            expected = n < 2 ? alpha(&b) : expected * 15 / 16 + marks[k] / 100.0 / 16;
            assert_true(fabs(alpha(&b) - expected) < 0.02);
        }
        assert_true(fabs(alpha(&b) - marks[k] / 100.0) < 0.012);
    }
    bench_end(&b);
}

/* Section 4.2: it can reach 0. */
static void fades_away(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_DCTCP, 100, 1);
    for (int n = 0; n < 400; n++) {
        window(&b, 100, 0);
    }
    assert_true(alpha(&b) == 0);
    bench_end(&b);
}

/* cwnd (1 - Alpha / 2) for marks; half of the flight for a loss (section 3.5). */
static void reductions(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_DCTCP, 100, 1);
    for (int n = 0; n < 200; n++) {
        window(&b, 100, 20);
    }
    b.c.cc.cwnd = 100 * MSS;
    b.c.snd.nxt = seq_add(b.c.snd.una, 100 * MSS);
    assert_in_range(cc_ssthresh(&b.c, 0, true), 89 * MSS, 91 * MSS);
    assert_int_equal(cc_ssthresh(&b.c, 0, false), 50 * MSS);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_marks),
        cmocka_unit_test(fades_away),
        cmocka_unit_test(reductions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
