/* Delivery rate samples: flights of known timing (draft-ietf-ccwg-bbr section 4.1). */
#include "bench.h"

static void ack_of(struct bench *b, uint32_t bytes, ackd_time sent, struct rtx_snapshot at,
                   uint8_t flags, struct cc_ack *ack)
{
    b->delta = (struct rtxq_delta){.acked = bytes,
                                   .delivered = bytes,
                                   .any = true,
                                   .newest_sent = sent,
                                   .newest_flags = flags,
                                   .newest_at = at};
    *ack = (struct cc_ack){.now = b->now, .acked = bytes, .delivered = bytes};
    rate_acked(&b->c, &b->delta, ack);
}

/* Ten segments sent at once come back one a millisecond: each ACK's sample is the rate since the
 * flight began. */
static void ack_clock(void **state)
{
    (void)state;
    struct bench b;
    struct cc_ack ack;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 20);
    rate_sent(&b.c, b.now);
    ackd_time sent = b.now;
    struct rtx_snapshot at = flow_snapshot(&b.c, b.now);
    for (int n = 0; n < 10; n++) {
        b.now = time_add(sent, (20 + n) * NS_PER_MS);
        ack_of(&b, MSS, sent, at, 0, &ack);
        assert_true(ack.rate.delivered == (uint64_t)(n + 1) * MSS);
        assert_true(ack.rate.interval_ns == (20 + n) * NS_PER_MS);
    }
    assert_true(b.flow.rate.bytes_per_s == 10 * MSS * UINT64_C(1000) / 29);
    bench_end(&b);
}

/* ACKs that come in one burst: the sending took longer, and its rate counts. */
static void compressed_acks(void **state)
{
    (void)state;
    struct bench b;
    struct cc_ack ack;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 1);
    ackd_time start = b.now;
    rate_sent(&b.c, b.now);
    struct rtx_snapshot at = flow_snapshot(&b.c, b.now);
    b.now = time_add(start, 40 * NS_PER_MS);
    ack_of(&b, 10 * MSS, time_add(start, 30 * NS_PER_MS), at, 0, &ack);
    struct rtx_snapshot later = flow_snapshot(&b.c, b.now); /* sent at 70 ms, acked at 72 */
    b.now = time_add(start, 72 * NS_PER_MS);
    ack_of(&b, 10 * MSS, time_add(start, 70 * NS_PER_MS), later, 0, &ack);
    assert_true(ack.rate.interval_ns == 40 * NS_PER_MS); /* sending: 30 to 70; acking: 40 to 72 */
    bench_end(&b);
}

/* A retransmission acknowledged at once was not what arrived. */
static void faster_than_possible(void **state)
{
    (void)state;
    struct bench b;
    struct cc_ack ack;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 20);
    rate_sent(&b.c, b.now);
    struct rtx_snapshot at = flow_snapshot(&b.c, b.now);
    ackd_time sent = b.now;
    b.now = time_add(b.now, 19 * NS_PER_MS);
    ack_of(&b, MSS, sent, at, 0, &ack);
    assert_true(ack.rate.interval_ns == 0);
    assert_true(b.flow.rate.bytes_per_s == 0);
    assert_true(b.flow.rate.delivered == MSS); /* it counts all the same */
    bench_end(&b);
}

/* The bubble lasts until everything then in flight has arrived. */
static void application_limited(void **state)
{
    (void)state;
    struct bench b;
    struct cc_ack ack;
    bench_begin(&b, TCP_CONGESTION_NEWRENO, 10, 20);
    b.act.rtxq.bytes = 3 * MSS; /* in flight, nothing more to send */
    b.c.snd.nxt = seq_add(b.c.snd.una, 3 * MSS);
    b.act.snd.length = 3 * MSS;
    b.c.snd.iss = seq_sub(b.c.snd.una, 1);
    rate_idle(&b.c);
    assert_true(rate_app_limited(&b.c));
    struct rtx_snapshot at = flow_snapshot(&b.c, b.now);
    ackd_time sent = b.now;
    b.now = time_add(b.now, 20 * NS_PER_MS);
    ack_of(&b, 3 * MSS, sent, at, 0, &ack);
    assert_false(ack.rate.app_limited);
    assert_true(rate_app_limited(&b.c));
    b.now = time_add(b.now, NS_PER_MS);
    ack_of(&b, MSS, sent, at, RTX_APP_LIMITED, &ack);
    assert_true(ack.rate.app_limited);
    assert_false(rate_app_limited(&b.c));
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ack_clock),
        cmocka_unit_test(compressed_acks),
        cmocka_unit_test(faster_than_possible),
        cmocka_unit_test(application_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
