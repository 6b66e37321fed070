/* What holds for every congestion control module: a reduction, however often and of however little,
 * leaves cwnd a segment and ssthresh two (RFC 5681 section 3.1 and equation (4)). */
#include "bench.h"

static void floors_hold(const struct bench *b)
{
    assert_true(b->flow.cc.cwnd >= send_mss(&b->c));
    assert_true(b->flow.cc.ssthresh >= 2 * send_mss(&b->c));
}

/* What recovery does at a timeout. */
static void timeout(struct bench *b)
{
    b->flow.cc.ssthresh = cc_ssthresh(&b->c, 0, false);
    if (!cc_module(&b->c)->model_based) {
        b->flow.cc.cwnd = MSS;
    }
    cc_event(&b->c, CC_TIMEOUT, b->now);
}

static void no_reduction_goes_below_the_floors(void **state)
{
    (void)state;
    for (unsigned which = 0; which < TCP_CONGESTIONS; which++) {
        struct bench b;
        bench_begin(&b, (enum tcp_congestion)which, 10, 50);
        b.c.nego.sack = true;
        for (unsigned n = 0; n < 60; n++) {
            b.c.snd.nxt = seq_add(b.c.snd.una, n % 4 * MSS); /* little or nothing in flight */
            if (n % 3 == 2) {
                timeout(&b);
            } else if (cc_module(&b.c)->model_based) {
                cc_event(&b.c, CC_ENTER_RECOVERY, b.now);
                cc_event(&b.c, CC_LEAVE_RECOVERY, b.now);
            } else {
                bench_loss(&b, n % 3 == 1);
            }
            floors_hold(&b);
            b.c.snd.nxt = seq_add(b.c.snd.una, b.flow.cc.cwnd);
            bench_ack(&b, MSS, 50 * NS_PER_MS);
            floors_hold(&b);
            b.now = time_add(b.now, 50 * NS_PER_MS);
        }
        bench_end(&b);
    }
}

/* HyStart++ may end slow start as soon as it has begun: ssthresh is not the one segment of cwnd. */
static void the_end_of_slow_start_leaves_two_segments(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 1, 50);
    struct hystart h = {.running = true, .css_rounds = 6, .round_end = seq_add(b.c.snd.una, 9)};
    struct cc_ack ack = {.now = b.now, .acked = MSS, .rtt_ns = -1};
    assert_int_equal(cc_slow_start(&b.c, &ack, &h), MSS);
    assert_int_equal(b.flow.cc.ssthresh, 2 * MSS);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reduction_goes_below_the_floors),
        cmocka_unit_test(the_end_of_slow_start_leaves_two_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
