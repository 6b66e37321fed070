/* Fast retransmit and fast recovery: with SACK as RFC 6675 has it, else NewReno (RFC 6582). Both
 * enter on the third duplicate ACK or when SACK shows a loss, halve the window once for everything
 * in flight at that moment (up to `recover`), and leave when that is acknowledged. With SACK the
 * pipe (what is deemed in the network) meters retransmissions and new data against cwnd; NewReno
 * inflates cwnd by what duplicate ACKs say has left. After a timeout (RFC 5681 section 3.1)
 * everything outstanding counts as lost and is sent again in slow start. */
#include "tcp/tcb.h"

#define DUP_THRESH 3

/* The first segment's worth from SND.UNA is lost (NewReno knows no more). */
static void mark_first_lost(struct tcp_engine *e, struct tcb *c)
{
    struct rtxq *q = &c->act->rtxq;
    struct rtx_run *r = rtxq_first(q);
    while (r && r->flags & RTX_SACKED) {
        r = rtxq_next(q, r);
    }
    if (!r || r->flags & RTX_LOST) {
        return;
    }
    if (seq_dist(r->end, r->start) > r->mss) {
        rtxq_split(q, &e->run_slab, r, seq_add(r->start, r->mss));
    }
    rtxq_mark_lost(q, r);
}

static void enter(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    uint32_t mss = send_mss(c);
    e->counters.fast_recoveries++;
    c->cc.state = RECOVERY_FAST;
    c->cc.recover = c->snd.nxt;
    c->cc.recover_valid = true;
    c->cc.ssthresh = cc_ssthresh(c, false);
    c->cc.cwnd = c->cc.ssthresh + (c->nego.sack ? 0 : DUP_THRESH * mss);
    cc_event(c, CC_ENTER_RECOVERY, now);
    if (!c->act->rtxq.lost) {
        mark_first_lost(e, c);
    }
    c->flags |= C_RETRANSMIT_NOW;
}

static void leave(struct tcb *c, ackd_time now)
{
    uint32_t mss = send_mss(c), flight = tcb_outstanding(c);
    c->cc.state = RECOVERY_OPEN;
    c->cc.dup_acks = 0;
    c->cc.cwnd = c->cc.ssthresh;
    if (!c->nego.sack) { /* RFC 6582 section 3.2 step 3, full acknowledgment: no burst */
        uint32_t quiet = (flight > mss ? flight : mss) + mss;
        c->cc.cwnd = quiet < c->cc.ssthresh ? quiet : c->cc.ssthresh;
    }
    cc_event(c, CC_LEAVE_RECOVERY, now);
}

/* Step 3, partial acknowledgment: the next hole is lost, too. */
static void partial_ack(struct tcp_engine *e, struct tcb *c, uint32_t acked)
{
    uint32_t mss = send_mss(c);
    if (c->nego.sack) {
        return;
    }
    mark_first_lost(e, c);
    c->cc.cwnd = c->cc.cwnd > acked + mss ? c->cc.cwnd - acked : mss;
    if (acked >= mss) {
        c->cc.cwnd += mss;
    }
    c->flags |= C_RETRANSMIT_NOW;
}

static bool may_enter(const struct tcb *c, bool sack_shows_loss)
{
    if (c->flags & C_LOCAL_DROP) { /* what is missing never left */
        return false;
    }
    /* RFC 6582 section 3.2 step 2: not again for the duplicates that the last recovery left behind.
     */
    bool again = !c->nego.sack && c->cc.recover_valid;
    return sack_shows_loss || (c->cc.dup_acks >= DUP_THRESH && !again);
}

/* What the module learns of this ACK. */
static void tell_module(struct tcb *c, const struct rtxq_delta *delta, ackd_time now,
                        bool in_recovery)
{
    if (!delta->any && !delta->acked) {
        return;
    }
    bool sampled = delta->has_rtt && !delta->retrans_acked;
    cc_acked(c, &(struct cc_ack){.now = now,
                                 .acked = delta->acked,
                                 .delivered = delta->delivered,
                                 .rtt_ns = sampled ? time_diff(now, delta->rtt_sent) : -1,
                                 .in_flight = rtxq_pipe(&c->act->rtxq),
                                 .in_recovery = in_recovery,
                                 .cwnd_limited = c->flags & C_CWND_LIMITED});
}

void recovery_ack(struct tcp_engine *e, struct tcb *c, const struct rtxq_delta *delta,
                  ackd_time now, bool duplicate, bool sack_shows_loss)
{
    bool covered = !c->cc.recover_valid || seq_ge(c->snd.una, c->cc.recover);
    if (covered && seq_gt(c->snd.una, c->cc.recover)) {
        c->cc.recover_valid = false; /* before the numbers wrap past it */
    }
    if (duplicate && c->cc.dup_acks < UINT8_MAX) {
        c->cc.dup_acks++;
    }
    if (c->flags & C_RTO_RECOVERY) {
        if (covered) {
            c->flags &= ~(uint32_t)C_RTO_RECOVERY;
            c->cc.dup_acks = 0;
        }
        tell_module(c, delta, now, false);
    } else if (c->cc.state == RECOVERY_FAST) {
        tell_module(c, delta, now, true);
        if (delta->acked && covered) {
            leave(c, now);
        } else if (delta->acked) {
            partial_ack(e, c, delta->acked);
        } else if (duplicate && !c->nego.sack) {
            c->cc.cwnd +=
                send_mss(c); /* step 4 of RFC 5681 section 3.2: a segment left the network */
        }
    } else {
        if (delta->acked) {
            c->cc.dup_acks = 0;
        }
        tell_module(c, delta, now, false);
        if (tcb_outstanding(c) && may_enter(c, sack_shows_loss)) {
            enter(e, c, now);
        }
    }
}

void recovery_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct rtxq *q = &c->act->rtxq;
    struct rtx_run *first = rtxq_first(q);
    if (first &&
        first->flags & RTX_SACKED) { /* RFC 2018 section 8: the peer dropped what it had SACKed */
        e->counters.sack_reneges++;
        rtxq_forget_sacks(q);
    }
    if (!(c->flags & C_RTO_RECOVERY)) {
        c->cc.ssthresh =
            cc_ssthresh(c, false); /* RFC 5681 equation (4), once for all timeouts in a row */
    }
    c->cc.cwnd = send_mss(c);
    c->cc.state = RECOVERY_OPEN;
    c->cc.dup_acks = 0;
    c->cc.recover = c->snd.nxt;
    c->cc.recover_valid = true;
    c->flags |= C_RTO_RECOVERY | C_RETRANSMIT_NOW;
    rtxq_mark_all_lost(q);
    cc_event(c, CC_TIMEOUT, now);
}
