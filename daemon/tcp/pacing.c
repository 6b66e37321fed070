/* Pacing: data leave at a rate instead of in one burst per ACK. A congestion control module that
 * models the path says the rate; for the others it follows from the window: twice cwnd a round trip
 * in slow start, so that doubling is not held up, 1.2 times in congestion avoidance, where cwnd
 * remains what limits. By default only who needs it is paced, and who has a max_pacing_rate: an
 * unpaced flow goes out in larger frames and fewer wake-ups.
 *
 * What leaves at once is a quantum (draft-ietf-ccwg-bbr section 5.6.3): a millisecond's worth, at
 * least two segments, at most a super-frame of 64 KB. So from half a gigabit a second frames are as
 * large as without pacing. The next departure is the last one's plus its length over the rate; a
 * wake that comes late, because timers are coarse, is made up for, by up to a millisecond. */
#include "tcp/tcb.h"

#define QUANTA_PER_S 1000
#define QUANTUM_MAX 65536u
#define LATE_NS NS_PER_MS

static uint64_t window_rate(const struct tcb *c)
{
    if (c->rtt.srtt_ns <= 0) {
        return 0;
    }
    uint64_t percent = c->flow->cc.cwnd < c->flow->cc.ssthresh ? 200 : 120;
    uint64_t rate =
        (uint64_t)c->flow->cc.cwnd * percent * (NS_PER_S / 100) / (uint64_t)c->rtt.srtt_ns;
    return rate ? rate : 1;
}

uint64_t pacing_rate(const struct tcb *c)
{
    const struct tcp_options *o = &c->options->v;
    if (!c->flow || o->pacing == TCP_PACING_OFF) {
        return 0;
    }
    uint64_t rate = cc_module(c)->paces          ? c->flow->pacing_rate
                    : o->pacing == TCP_PACING_ON ? window_rate(c)
                                                 : 0;
    bool capped = o->max_pacing_rate && (!rate || rate > o->max_pacing_rate);
    return capped ? o->max_pacing_rate : rate;
}

uint32_t pacing_quantum(const struct tcb *c, uint32_t mss)
{
    uint64_t rate = pacing_rate(c), quantum = rate / QUANTA_PER_S;
    if (!rate || quantum > QUANTUM_MAX) {
        return QUANTUM_MAX > mss ? QUANTUM_MAX : mss;
    }
    return quantum > 2 * mss ? (uint32_t)quantum : 2 * mss;
}

bool pacing_waits(const struct tcb *c, ackd_time now)
{
    return c->flow && !c->flow->quantum_left && !time_reached(c->flow->next_send, now) &&
           pacing_rate(c);
}

void pacing_sent(struct tcb *c, ackd_time now, uint32_t bytes, uint32_t mss)
{
    uint64_t rate = pacing_rate(c);
    struct flow *f = c->flow;
    if (!rate || !bytes) {
        return;
    }
    f->quantum_left = f->quantum_left ? f->quantum_left : pacing_quantum(c, mss);
    f->quantum_left -= bytes < f->quantum_left ? bytes : f->quantum_left;
    f->quantum_left = f->quantum_left < mss ? 0 : f->quantum_left;
    ackd_time from = time_max(f->next_send, time_add(now, -LATE_NS));
    f->next_send = time_add(from, (int64_t)(bytes * (uint64_t)NS_PER_S / rate));
}
