/* BBR against a path of known rate and delay: a FIFO without an engine around it. Each segment
 * leaves the bottleneck after those before it; its ACK comes a propagation delay later. */
#include <math.h>
#include "bench.h"
#include "tcp/congestion/bbr.h"

#define RATE 1250000u /* bytes a second: 10 Mbit/s */
#define RTT_NS (40 * NS_PER_MS)
#define BDP (RATE / 25)
#define WINDOW 4096

struct sent {
    ackd_time sent, back;
    struct rtx_snapshot at;
    bool app_limited, lost;
};

struct pipe {
    struct bench b;
    struct sent segment[WINDOW];
    unsigned head, tail;            /* in flight */
    ackd_time busy;                 /* the bottleneck, until then */
    uint32_t queue_max, lose_above; /* bytes waiting; beyond this they are lost, 0: never */
    unsigned sent, lost;
    bool idle; /* the application has nothing to send */
    unsigned seen[BBR_NONE];
    int64_t in_state_ns[BBR_NONE];
    ackd_time first_probe_rtt;
    void (*watch)(struct pipe *p, unsigned before); /* after each ACK; the state before it */
    unsigned drained, probes;
    ackd_time last_probe;
};

static struct bbr *bbr(struct pipe *p)
{
    return p->b.flow.cc_state;
}

static void pipe_begin(struct pipe *p)
{
    memset(p, 0, sizeof *p);
    bench_begin(&p->b, TCP_CONGESTION_BBR, 10, 40);
    p->b.c.nego.sack = true;
    p->busy = p->b.now;
    p->first_probe_rtt = TIME_NEVER;
}

static uint32_t waiting(const struct pipe *p)
{
    int64_t ns = time_before(p->b.now, p->busy) ? time_diff(p->busy, p->b.now) : 0;
    return (uint32_t)(ns / 1000 * RATE / 1000000);
}

static void transmit(struct pipe *p)
{
    struct bench *b = &p->b;
    rate_sent(&b->c, b->now);
    struct sent *s = &p->segment[p->head++ % WINDOW];
    s->sent = b->now;
    s->at = flow_snapshot(&b->c, b->now);
    s->at.in_flight += MSS;
    s->app_limited = rate_app_limited(&b->c);
    uint32_t queue = waiting(p);
    p->queue_max = queue > p->queue_max ? queue : p->queue_max;
    s->lost = p->lose_above && queue > p->lose_above;
    p->sent++;
    p->lost += s->lost;
    if (!s->lost) {
        p->busy = time_add(time_max(p->busy, b->now), (int64_t)MSS * NS_PER_S / RATE);
    }
    s->back = time_add(time_max(p->busy, b->now), RTT_NS);
    b->act.rtxq.bytes += MSS;
    b->c.snd.nxt = seq_add(b->c.snd.nxt, MSS);
    pacing_sent(&b->c, b->now, MSS, MSS);
}

/* The oldest comes back; what was lost is known with the next that does. */
static void receive(struct pipe *p)
{
    struct bench *b = &p->b;
    struct sent *s = &p->segment[p->tail++ % WINDOW];
    b->act.rtxq.bytes -= MSS;
    b->c.snd.una = seq_add(b->c.snd.una, MSS);
    if (s->lost) {
        b->act.rtxq.lost_ever += MSS;
        b->act.rtxq.last_loss = (struct rtx_loss){s->at, MSS, s->app_limited};
        return;
    }
    b->delta = (struct rtxq_delta){.acked = MSS,
                                   .delivered = MSS,
                                   .any = true,
                                   .newest_sent = s->sent,
                                   .newest_at = s->at,
                                   .newest_flags = s->app_limited ? RTX_APP_LIMITED : 0};
    struct cc_ack ack = {.now = b->now,
                         .acked = MSS,
                         .delivered = MSS,
                         .rtt_ns = time_diff(b->now, s->sent),
                         .in_flight = b->act.rtxq.bytes};
    unsigned before = bbr(p)->state;
    cc_acked(&b->c, &b->delta, &ack);
    if (p->watch) {
        p->watch(p, before);
    }
    p->seen[bbr(p)->state]++;
    if (bbr(p)->state == BBR_PROBE_RTT && time_is_never(p->first_probe_rtt)) {
        p->first_probe_rtt = b->now;
    }
}

static void run(struct pipe *p, int64_t ns)
{
    struct bench *b = &p->b;
    ackd_time until = time_add(b->now, ns);
    while (time_before(b->now, until)) {
        bool room = b->act.rtxq.bytes + MSS <= b->flow.cc.cwnd;
        b->c.flags |= room ? 0 : C_CWND_LIMITED;
        if (room && !p->idle && !pacing_waits(&b->c, b->now)) {
            transmit(p);
            continue;
        }
        if (p->idle) {
            b->c.snd.iss = seq_sub(b->c.snd.una, 1);
            b->act.snd.length = b->act.rtxq.bytes;
            rate_idle(&b->c);
        }
        ackd_time next = p->head != p->tail ? p->segment[p->tail % WINDOW].back : until;
        if (room && !p->idle) {
            next = time_min(next, b->flow.next_send);
        }
        next = time_max(time_min(next, until), b->now);
        p->in_state_ns[bbr(p)->state] += time_diff(next, b->now);
        b->now = next;
        if (p->head != p->tail && time_reached(p->segment[p->tail % WINDOW].back, b->now)) {
            receive(p);
        }
    }
}

static double of_rate(uint64_t bytes_per_s)
{
    return (double)bytes_per_s / RATE;
}

/* Startup finds the bandwidth within a few doublings and ends on the plateau, Drain empties the
 * queue, and ProbeBW holds the product of rate and delay. */
static void startup_to_probe_bw(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    assert_string_equal(bench_field(&p.b, "state").word, "STARTUP");
    run(&p, 600 * NS_PER_MS);
    assert_true(bbr(&p)->full_bw_reached);
    assert_true(p.seen[BBR_DRAIN] > 0);
    run(&p, 900 * NS_PER_MS);
    assert_true(bbr_in_probe_bw(bbr(&p)));
    assert_true(of_rate(bbr(&p)->max_bw) > 0.97 && of_rate(bbr(&p)->max_bw) < 1.03);
    assert_in_range(bbr(&p)->min_rtt_ns, RTT_NS, RTT_NS + NS_PER_MS);
    p.queue_max = 0;
    run(&p, 500 * NS_PER_MS); /* cruising */
    assert_true(p.queue_max < BDP / 4);
    assert_in_range(bench_field(&p.b, "bdp").value, BDP * 95 / 100, BDP * 105 / 100);
    bench_end(&p.b);
}

/* Sections 5.3.3 and 5.3.4: the phases follow each other, and the delay is looked at again when no
 * sample was as small for five seconds. */
static void all_phases(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    run(&p, 15 * NS_PER_S);
    for (unsigned s = BBR_STARTUP; s <= BBR_PROBE_RTT; s++) {
        assert_true(p.seen[s] > 0);
    }
    assert_true(p.in_state_ns[BBR_CRUISE] > p.in_state_ns[BBR_UP]);
    int64_t after = time_diff(p.first_probe_rtt, time_from_ns(10 * NS_PER_S));
    assert_in_range(after, 5 * NS_PER_S, 9 * NS_PER_S);
    assert_in_range(p.in_state_ns[BBR_PROBE_RTT], 200 * NS_PER_MS, 1000 * NS_PER_MS);
    bench_end(&p.b);
}

/* Section 5.3.1: 4 ln 2 doubles what arrives in each round trip, from the initial window until the
 * path is full, which three rounds without growth by a quarter show. */
static void startup_doubles_each_round(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    const uint64_t path = BDP;
    double bdp = (double)path, before = 0;
    uint64_t delivered = 0;
    unsigned rounds = 0;
    for (; !bbr(&p)->full_bw_reached; rounds++) {
        assert_true(rounds < 16); /* of which three behind the queue that it makes */
        run(&p, RTT_NS);
        double now = (double)(p.b.flow.rate.delivered - delivered);
        delivered = p.b.flow.rate.delivered;
        if (before > 0 && before < bdp / 2) { /* the last doubling meets the path's rate */
            double least = before < bdp / 4 ? 1.9 : 1.6;
            assert_true(now > least * before && now < 2.1 * before);
        }
        before = now;
    }
    assert_true(before > 0.95 * bdp);
    bench_end(&p.b);
}

/* The table of section 5.1.1: what the pacing rate is of the bandwidth, less 1 %. */
static void gains_hold(struct pipe *p, unsigned before)
{
    static const double gain[] = {
        [BBR_STARTUP] = 2.77, [BBR_DRAIN] = 0.5, [BBR_DOWN] = 0.9,   [BBR_CRUISE] = 1,
        [BBR_REFILL] = 1,     [BBR_UP] = 1.25,   [BBR_PROBE_RTT] = 1};
    double rate = (double)p->b.flow.pacing_rate / ((double)bbr(p)->bw * 0.99);
    (void)before;
    if (bbr(p)->full_bw_reached) {
        assert_true(fabs(rate - gain[bbr(p)->state]) < 0.01);
    } else if (bbr(p)->bw) { /* the rate only rises */
        assert_true(rate > gain[BBR_STARTUP] - 0.01);
    }
}

static void each_phase_has_its_gain(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    p.watch = gains_hold;
    run(&p, 15 * NS_PER_S);
    for (unsigned s = BBR_STARTUP; s <= BBR_PROBE_RTT; s++) {
        assert_true(p.seen[s] > 0);
    }
    bench_end(&p.b);
}

/* Section 5.3.2: Drain ends when no more is in flight than the path holds. Section 5.3.4: the delay
 * is looked at when five seconds brought no smaller one, for 200 ms with half of that. */
static void drains_and_probes(struct pipe *p, unsigned before)
{
    unsigned now = bbr(p)->state;
    if (before == BBR_DRAIN && now != BBR_DRAIN) {
        p->drained++;
        assert_true(p->b.act.rtxq.bytes <= BDP * 11 / 10);
    }
    if (before != BBR_PROBE_RTT && now == BBR_PROBE_RTT) {
        int64_t since = p->probes ? time_diff(p->b.now, p->last_probe) : 6 * NS_PER_S;
        assert_in_range(since, 5 * NS_PER_S, 9 * NS_PER_S);
        p->last_probe = p->b.now;
        p->probes++;
    }
    if (now == BBR_PROBE_RTT) {
        assert_true(p->b.flow.cc.cwnd <= BDP * 55 / 100);
    }
}

static void drain_and_probe_rtt(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    p.watch = drains_and_probes;
    run(&p, 60 * NS_PER_S);
    assert_int_equal(p.drained, 1);
    assert_in_range(p.probes, 6, 12);
    assert_in_range(p.in_state_ns[BBR_PROBE_RTT], p.probes * 200 * NS_PER_MS,
                    p.probes * 400 * NS_PER_MS);
    bench_end(&p.b);
}

/* A shallow buffer: losses beyond 2 % set the long-term bound, and the path stays in use with few.
 */
static void losses_bound_the_inflight(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    p.lose_above = BDP / 5;
    run(&p, 5 * NS_PER_S);
    uint64_t before = p.b.flow.rate.delivered;
    unsigned sent = p.sent, lost = p.lost;
    run(&p, 15 * NS_PER_S);
    assert_true(bbr(&p)->inflight_longterm != UINT32_MAX);
    assert_true(bbr(&p)->inflight_longterm < 2 * BDP);
    assert_true((p.lost - lost) * 100 < (p.sent - sent) * 2);
    assert_true((double)(p.b.flow.rate.delivered - before) > 0.85 * RATE * 15);
    bench_end(&p.b);
}

/* Section 5.4: from idle at exactly the bandwidth, cwnd as it was; low samples of a slow
 * application do not pull the model down. */
static void idle_and_back(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    run(&p, 3 * NS_PER_S);
    uint64_t bw = bbr(&p)->max_bw;
    p.idle = true;
    run(&p, 3 * NS_PER_S);
    uint32_t cwnd = p.b.flow.cc.cwnd;
    p.b.flow.data_sent = time_add(p.b.now, -3 * NS_PER_S);
    cc_restart_after_idle(&p.b.c, p.b.now);
    assert_int_equal(p.b.flow.cc.cwnd, cwnd);
    assert_true(of_rate(p.b.flow.pacing_rate) > 0.96 && of_rate(p.b.flow.pacing_rate) < 1.01);
    assert_true(bbr(&p)->idle_restart);
    p.idle = false;
    run(&p, 500 * NS_PER_MS);
    assert_false(bbr(&p)->idle_restart);
    assert_true(bbr(&p)->max_bw * 100 > bw * 97);
    bench_end(&p.b);
}

/* Section 5.5.11: a recovery for nothing is taken back. */
static void spurious(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    run(&p, 3 * NS_PER_S);
    uint32_t cwnd = p.b.flow.cc.cwnd;
    p.b.c.flags |= C_RTO_RECOVERY;
    cc_event(&p.b.c, CC_TIMEOUT, p.b.now);
    assert_int_equal(p.b.flow.cc.cwnd, p.b.act.rtxq.bytes + MSS);
    p.b.flow.cc.cwnd = 5 * MSS;
    p.b.c.flags &= ~(uint32_t)C_RTO_RECOVERY;
    cc_event(&p.b.c, CC_UNDO, p.b.now);
    assert_true(p.b.flow.cc.cwnd >= cwnd);
    assert_int_equal(bbr(&p)->undo_state, BBR_NONE);
    bench_end(&p.b);
}

/* Marks: a round with them is a round with losses; a probe half marked was too high. */
static void marks_count_as_congestion(void **state)
{
    (void)state;
    struct pipe p;
    pipe_begin(&p);
    run(&p, 3 * NS_PER_S);
    struct cc_ack ack = {.now = p.b.now, .ecn_bytes = MSS, .delivered = MSS, .rtt_ns = -1};
    bbr(&p)->is_loss_in_round = false;
    bbr_marked(&p.b.c, bbr(&p), &ack);
    assert_true(bbr(&p)->is_loss_in_round);
    bbr(&p)->is_bw_probe_sample = true;
    ack.rate.tx_in_flight = BDP;
    bbr_marked(&p.b.c, bbr(&p), &ack);
    assert_int_equal(bbr(&p)->inflight_longterm, BDP);
    assert_true(bbr(&p)->prev_probe_too_high);
    bench_end(&p.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_to_probe_bw),
        cmocka_unit_test(all_phases),
        cmocka_unit_test(startup_doubles_each_round),
        cmocka_unit_test(each_phase_has_its_gain),
        cmocka_unit_test(drain_and_probe_rtt),
        cmocka_unit_test(losses_bound_the_inflight),
        cmocka_unit_test(idle_and_back),
        cmocka_unit_test(spurious),
        cmocka_unit_test(marks_count_as_congestion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
