/* Losses by duplicate ACKs (RFC 5681 section 3.2, RFC 6582), where the peer has no SACK: the third
 * one says that the first segment is lost, and a partial acknowledgment during the repair that the
 * next hole is. Each duplicate ACK stands for a segment that has arrived somewhere beyond the hole:
 * it is no longer in the network, which admits one new segment each before recovery (limited
 * transmit, RFC 3042) and feeds PRR during it (RFC 9937). With SACK the scoreboard does all this.
 */
#include "tcp/tcb.h"

#define LIMITED_TRANSMIT 2u /* RFC 3042: segments beyond cwnd */

/* The first segment's worth that is not SACKED is lost. */
bool newreno_mark_first(struct tcp_engine *e, struct tcb *c)
{
    struct rtxq *q = &c->act->rtxq;
    struct rtx_run *r = rtxq_first(q);
    while (r && r->flags & RTX_SACKED) {
        r = rtxq_next(q, r);
    }
    if (!r || r->flags & RTX_LOST) {
        return false;
    }
    if (seq_dist(r->end, r->start) > r->mss) {
        rtxq_split(q, &e->run_slab, r, seq_add(r->start, r->mss));
    }
    rtxq_mark_lost(q, r);
    return true;
}

/* What the ACK delivered: of what it acknowledges, all but the hole's segment may have been counted
 * by duplicate ACKs. */
void newreno_ack(struct tcb *c, struct ack_news *n)
{
    struct flight *f = &c->act->flight;
    uint32_t mss = send_mss(c), outstanding = tcb_outstanding(c);
    n->delivered = n->delta.acked;
    if (n->advanced) {
        uint32_t beyond = n->delta.acked > mss ? n->delta.acked - mss : 0;
        uint32_t counted = f->dup_bytes < beyond ? f->dup_bytes : beyond;
        n->delivered -= counted;
        f->dup_bytes = recovery_repairing(c) ? f->dup_bytes - counted : 0;
    } else if (n->duplicate && !(c->flags & C_RTO_RECOVERY) &&
               outstanding >= f->dup_bytes + 2 * mss) {
        f->dup_bytes += mss;
        n->delivered = mss;
    }
    uint32_t most = outstanding > mss ? outstanding - mss : 0; /* the hole has not arrived */
    f->dup_bytes = f->dup_bytes < most ? f->dup_bytes : most;
}

uint32_t recovery_pipe(const struct tcb *c)
{
    if (!c->act) {
        return 0;
    }
    uint32_t pipe = rtxq_pipe(&c->act->rtxq);
    if (c->nego.sack || !c->flow) {
        return pipe;
    }
    uint32_t arrived = c->act->flight.dup_bytes, most = LIMITED_TRANSMIT * send_mss(c);
    if (!recovery_repairing(c) && arrived > most) {
        arrived = most;
    }
    return pipe > arrived ? pipe - arrived : 0;
}
