/* Taking back what was done for a loss that was none. Three witnesses:
 *
 *   Eifel detection (RFC 3522): the first ACK after a retransmission echoes a timestamp from before
 *   it, so it was caused by the original.
 *   DSACK (RFC 2883, 3708): every retransmission of the episode was reported as a duplicate.
 *   F-RTO (RFC 5682): frto.c.
 *
 * The response follows Eifel (RFC 4015): cwnd and ssthresh are as before; after a timeout cwnd goes
 * there by slow start, so that no burst follows a silence, and the RTO learns of the delay that
 * fooled it. After a fast retransmission the network was seen to reorder, which widens RACK's
 * window. */
#include "tcp/tcb.h"

#define STALE (UINT32_C(1) << 30) /* octets after which the numbers of an episode mean nothing */

void undo_begin(struct tcb *c, bool timeout)
{
    struct recovery *r = &c->flow->recovery;
    r->prior_cwnd = c->flow->cc.cwnd;
    r->prior_ssthresh = c->flow->cc.ssthresh;
    r->undo_marker = c->snd.una;
    r->undo_bytes = c->act->rtxq.retrans; /* of a probe, perhaps: it may be reported, too */
    r->undo = true;
    r->undo_sent = false;
    r->undo_timeout = timeout;
}

void undo_forget(struct tcb *c)
{
    c->flow->recovery.undo = c->flow->recovery.undo_sent = false;
}

/* A retransmission of the episode. */
static void retransmitted(struct tcb *c, uint32_t bytes, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    if (!r->undo) {
        return;
    }
    if (!r->undo_sent) {
        r->undo_sent = true;
        c->act->flight.retrans_ts = timestamp_now(c->ts_offset, now);
    }
    r->undo_bytes += bytes;
}

void recovery_sent(struct tcb *c, tcp_seq start, uint32_t bytes, bool again, ackd_time now)
{
    if (!c->flow) {
        return;
    }
    struct recovery *r = &c->flow->recovery;
    if (c->flow->cc.state != RECOVERY_OPEN) {
        c->act->flight.prr_out += bytes;
    }
    if (!again) {
        tlp_schedule(c, now);
        return;
    }
    retransmitted(c, bytes, now);
    r->rescued |= c->flow->cc.state == RECOVERY_FAST && seq_eq(seq_add(start, bytes), c->snd.nxt);
    if (c->flow->cc.state == RECOVERY_FAST && seq_eq(start, c->snd.una)) {
        rto_restart(c, now); /* it has its own time to be acknowledged */
    }
}

/* A duplicate that was ours: of what was retransmitted in the episode. */
void undo_dsack(struct tcb *c, const struct ack_news *n)
{
    struct recovery *r = &c->flow->recovery;
    if (r->undo && seq_dist(c->snd.una, r->undo_marker) > STALE) {
        undo_forget(c);
    }
    if (!n->dsack || !r->undo || seq_lt(n->dsack_block.start, r->undo_marker) ||
        seq_gt(n->dsack_block.end, c->flow->cc.recover)) {
        return;
    }
    uint32_t length = seq_dist(n->dsack_block.end, n->dsack_block.start);
    r->undo_bytes -= length < r->undo_bytes ? length : r->undo_bytes;
}

/* RFC 4015 section 3.6: the RTO takes the delay in, as far as there is a valid sample. Octets whose
 * ACKs were lost waited for the timer, not for the network: their time, taken in, would double the
 * RTO at each lost ACK. Without a sample the backoff stays until new data give one. */
static void learn_delay(struct tcb *c, const struct ack_news *n)
{
    bool once = n->delta.has_rtt && !n->delta.retrans_acked;
    int64_t rtt = once ? time_diff(n->s->now, n->delta.rtt_sent) : -1;
    if (c->nego.timestamps && n->s->o.has_timestamps && !echo_outdated(c, n)) {
        uint32_t ms = timestamp_now(c->ts_offset, n->s->now) - n->s->o.tsecr;
        rtt = ms < 600000 && ms * NS_PER_MS > rtt ? ms * NS_PER_MS : rtt;
    }
    if (rtt < 0) {
        return;
    }
    c->rtt.srtt_ns = rtt > c->rtt.srtt_ns ? rtt : c->rtt.srtt_ns;
    c->rtt.rttvar_ns = rtt / 2 > c->rtt.rttvar_ns ? rtt / 2 : c->rtt.rttvar_ns;
    c->rtt.backoff = 0;
}

/* Section 3.2 step (RECC): what is in flight, and what this ACK would have clocked out. */
static void no_burst(struct tcb *c, const struct ack_news *n)
{
    uint32_t acked = n->delta.acked, mss = send_mss(c), initial = cc_initial_window(c);
    acked = acked < mss ? mss : acked > initial ? initial : acked;
    uint32_t most = recovery_pipe(c) + acked;
    if (c->flow->cc.cwnd > most) {
        c->flow->cc.ssthresh =
            c->flow->cc.ssthresh > c->flow->cc.cwnd ? c->flow->cc.ssthresh : c->flow->cc.cwnd;
        c->flow->cc.cwnd = most;
    }
}

void undo_reduction(struct tcp_engine *e, struct tcb *c, const struct ack_news *n, enum undo how)
{
    struct recovery *r = &c->flow->recovery;
    bool timeout = c->flags & C_RTO_RECOVERY;
    uint64_t *const counters[] = {[UNDO_EIFEL] = &e->counters.undos_eifel,
                                  [UNDO_DSACK] = &e->counters.undos_dsack,
                                  [UNDO_FRTO] = &e->counters.undos_frto};
    ++*counters[how];
    e->counters.undos_timeout += r->undo_timeout;
    r->undos++;
    if (c->act) {
        rtxq_unmark_lost(&c->act->rtxq);
        c->act->flight.frto = FRTO_OFF;
        c->act->flight.dup_bytes = 0;
    }
    if (!cc_module(c)->model_based && c->flow->cc.cwnd < r->prior_cwnd) {
        c->flow->cc.cwnd = r->prior_cwnd;
    }
    if (c->flow->cc.ssthresh < r->prior_ssthresh) {
        c->flow->cc.ssthresh = r->prior_ssthresh;
    }
    r->reordering_seen = r->reordering_seen || !r->undo_timeout;
    undo_forget(c);
    c->flow->cc.state = RECOVERY_OPEN;
    c->flow->cc.dup_acks = 0;
    c->flags &= ~(uint32_t)C_RTO_RECOVERY;
    cc_event(c, CC_UNDO, n->s->now);
    if (timeout) {
        learn_delay(c, n);
        if (!cc_module(c)->model_based) {
            no_burst(c, n);
        }
        if (tcb_outstanding(c)) {
            rto_restart(c, n->s->now);
        }
    }
}

bool undo_try(struct tcp_engine *e, struct tcb *c, const struct ack_news *n)
{
    const struct recovery *r = &c->flow->recovery;
    const struct tcp_opts *o = &n->s->o;
    if (!r->undo || !r->undo_sent) {
        return false;
    }
    if (n->advanced && recovery_repairing(c) && c->nego.timestamps && o->has_timestamps &&
        o->tsecr && (int32_t)(o->tsecr - c->act->flight.retrans_ts) < 0) {
        undo_reduction(e, c, n, UNDO_EIFEL);
        return true;
    }
    if (!r->undo_bytes) {
        undo_reduction(e, c, n, UNDO_DSACK);
        return true;
    }
    return false;
}
