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
    b.flow.cc.cwnd = 100 * MSS;
    b.c.snd.nxt = seq_add(b.c.snd.una, 100 * MSS);
    assert_in_range(cc_ssthresh(&b.c, 0, true), 89 * MSS, 91 * MSS);
    assert_int_equal(cc_ssthresh(&b.c, 0, false), 50 * MSS);
    bench_end(&b);
}

/* ---- a queue that marks above a threshold ---- */

#define RATE 12500000 /* bytes a second: a segment takes 80 us */
#define BDP 60u       /* segments, at this round-trip time: */
#define RTT_NS ((int64_t)BDP * MSS * NS_PER_S / RATE)
#define THRESHOLD 30u
#define WINDOW 1024

struct fabric {
    struct bench b;
    struct {
        ackd_time back;
        bool marked;
    } sent[WINDOW];
    unsigned head, tail; /* in flight */
    ackd_time busy;      /* the bottleneck, until then */
    tcp_seq recover;
    double alpha_sum, queue_min, queue_max;
    unsigned acks;
};

static double queue(const struct fabric *f)
{
    int64_t ns = time_before(f->b.now, f->busy) ? time_diff(f->busy, f->b.now) : 0;
    return (double)ns * RATE / NS_PER_S / MSS;
}

static void send_one(struct fabric *f)
{
    double waiting = queue(f);
    f->sent[f->head % WINDOW].marked = waiting > THRESHOLD;
    f->busy = time_add(time_max(f->busy, f->b.now), (int64_t)MSS * NS_PER_S / RATE);
    f->sent[f->head++ % WINDOW].back = time_add(f->busy, RTT_NS);
    f->b.c.snd.nxt = seq_add(f->b.c.snd.nxt, MSS);
    f->queue_max = waiting > f->queue_max ? waiting : f->queue_max;
    f->queue_min = waiting < f->queue_min ? waiting : f->queue_min;
}

static void take_ack(struct fabric *f)
{
    struct bench *b = &f->b;
    bool marked = f->sent[f->tail % WINDOW].marked;
    b->now = f->sent[f->tail++ % WINDOW].back;
    b->c.snd.una = seq_add(b->c.snd.una, MSS);
    b->c.flags |= C_CWND_LIMITED;
    b->delta = (struct rtxq_delta){.acked = MSS, .delivered = MSS};
    struct cc_ack ack = {.now = b->now,
                         .acked = MSS,
                         .delivered = MSS,
                         .ecn_bytes = marked ? MSS : 0,
                         .in_recovery = seq_lt(b->c.snd.una, f->recover),
                         .rtt_ns = -1};
    cc_acked(&b->c, &b->delta, &ack);
    if (marked && seq_gt(b->c.snd.una, f->recover)) { /* once a window */
        bench_loss(b, true);
        f->recover = b->c.snd.nxt;
    }
    f->alpha_sum += alpha(b);
    f->acks++;
}

static void run(struct fabric *f, unsigned acks)
{
    f->alpha_sum = f->queue_max = f->acks = 0;
    f->queue_min = WINDOW;
    while (f->acks < acks) {
        while ((f->head - f->tail + 1) * MSS <= f->b.flow.cc.cwnd) {
            send_one(f);
        }
        take_ack(f);
    }
}

/* Alizadeh et al., "Data Center TCP", SIGCOMM 2010, section 3.3, for one flow: with W* = C RTT + K
 * the steady state is Alpha^2 (1 - Alpha / 4) = (2 W* + 1) / (W* + 1)^2, the queue rises to K + 1
 * and swings by A = (W* + 1) Alpha / 2. */
static void the_steady_state(void **state)
{
    (void)state;
    static struct fabric f;
    bench_begin(&f.b, TCP_CONGESTION_DCTCP, 10, 5);
    f.busy = f.b.now;
    f.recover = f.b.c.snd.una;
    run(&f, 40000);
    run(&f, 200000);
    double w = BDP + THRESHOLD, want = (2 * w + 1) / ((w + 1) * (w + 1)), a = sqrt(want);
    for (int n = 0; n < 20; n++) {
        a = sqrt(want / (1 - a / 4));
    }
    double measured = f.alpha_sum / f.acks, swing = f.queue_max - f.queue_min;
    print_message("alpha %.4f, closed form %.4f; queue %.1f to %.1f, swing %.1f\n", measured, a,
                  f.queue_min, f.queue_max, (w + 1) * a / 2);
    assert_true(fabs(measured - a) < 0.1 * a);
    assert_true(fabs(f.queue_max - (THRESHOLD + 1)) < 2);
    assert_true(fabs(swing - (w + 1) * a / 2) < 2);
    bench_end(&f.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_marks),
        cmocka_unit_test(fades_away),
        cmocka_unit_test(reductions),
        cmocka_unit_test(the_steady_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
