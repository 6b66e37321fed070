/* A peer may drop what it had SACKed (RFC 2018 section 8), and it has when SND.UNA comes to stand
 * where a SACKED range begins. The ACK that puts it right may be under way, so it gets half a round
 * trip; then the timer fires early, forgets every SACK and sends all again. */
#include "tcp/tcb.h"

#define RENEGE_LEAST_NS (10 * NS_PER_MS)

void renege_ack(struct tcb *c, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    const struct rtx_run *first = rtxq_first(&c->act->rtxq);
    bool reneging = first && first->flags & RTX_SACKED;
    if (reneging && !r->reneging) {
        int64_t half = c->rtt.srtt_ns / 2;
        half = half < RENEGE_LEAST_NS ? RENEGE_LEAST_NS : half;
        c->act->t_rtx = time_min(c->act->t_rtx, time_add(now, half));
    }
    r->reneging = reneging;
}

/* True when the peer had. */
bool renege_timeout(struct tcp_engine *e, struct tcb *c)
{
    struct rtxq *q = &c->act->rtxq;
    const struct rtx_run *first = rtxq_first(q);
    if (!first || !(first->flags & RTX_SACKED)) {
        return false;
    }
    e->counters.sack_reneges++;
    rtxq_forget_sacks(q);
    if (c->flow) {
        c->flow->recovery.reneging = false;
        c->act->flight.examined_set = false;
    }
    return true;
}
