/* The states of loss recovery. Open: nothing is known to be lost. Recovery (RECOVERY_FAST; RFC 5681
 * section 3.2, RFC 6675): losses were found by ACKs or by the reordering timer; ssthresh is lowered
 * once for everything in flight at that moment (up to `recover`), PRR meters what is sent until
 * that is acknowledged, and a retransmission that is lost as well lowers it once more (RFC 5681
 * section 4.3). CWR: the same reduction because of ECN, with nothing lost (RFC 3168). Loss
 * (C_RTO_RECOVERY; RFC 5681 section 3.1): a retransmission timed out, cwnd is one segment, and what
 * is lost goes again in slow start. Which losses there are is decided by rack.c, rfc6675.c or
 * newreno.c, and whether a reduction was deserved by undo.c. */
#include "tcp/tcb.h"

void recovery_init(struct tcb *c, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    r->min_rtt_ns = c->flow->min_rtt_ns;
    r->next_min_rtt_ns = -1;
    r->min_rtt_until = time_add(now, 300 * NS_PER_S);
    r->reo_wnd_mult = 1;
    r->probe_measured = true;
}

void recovery_stop(struct tcb *c)
{
    if (c->act) {
        c->act->flight.timer = LOSS_TIMER_NONE;
        c->act->flight.t_loss = TIME_NEVER;
    }
}

bool recovery_uses_rack(const struct tcb *c)
{
    return c->nego.sack && c->options->v.loss_detection == TCP_LOSS_RACK;
}

bool recovery_repairing(const struct tcb *c)
{
    return (c->flow && c->flow->cc.state == RECOVERY_FAST) || c->flags & C_RTO_RECOVERY;
}

/* ---- entering and leaving ---- */

static void reduce(struct tcb *c, const struct ack_news *n, ackd_time now, bool ecn)
{
    /* The ACK that shows a loss is a duplicate as a rule, one that tells of a mark never is. */
    uint32_t acked = ecn && n ? seq_dist(c->snd.una, n->una) : 0;
    c->flow->cc.ssthresh = cc_ssthresh(c, acked, ecn);
    prr_begin(c, n, now);
}

/* `n` is the ACK that showed the loss; NULL: the reordering timer did. */
static void enter(struct tcp_engine *e, struct tcb *c, const struct ack_news *n, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    e->counters.fast_recoveries++;
    if (c->flow->cc.state == RECOVERY_CWR) { /* this window was reduced already */
        undo_forget(c);
    } else {
        undo_begin(c, false);
        reduce(c, n, now, false);
    }
    c->flow->cc.state = RECOVERY_FAST;
    c->flow->cc.recover = c->snd.nxt;
    c->flow->cc.recover_valid = true;
    r->rescued = false;
    tlp_reset(c);
    cc_event(c, CC_ENTER_RECOVERY, now);
}

static void leave(struct tcb *c, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    uint32_t mss = send_mss(c), flight = tcb_outstanding(c);
    r->ended = c->flow->cc.state == RECOVERY_FAST;
    if (c->act) {
        c->act->flight.dup_bytes = 0;
    }
    c->flow->cc.state = RECOVERY_OPEN;
    c->flow->cc.dup_acks = 0;
    if (!cc_module(c)->model_based) {
        c->flow->cc.cwnd = c->flow->cc.ssthresh;
        if (!c->nego.sack) { /* RFC 6582 section 3.2 step 3, full acknowledgment: no burst */
            uint32_t quiet = (flight > mss ? flight : mss) + mss;
            c->flow->cc.cwnd = quiet < c->flow->cc.ssthresh ? quiet : c->flow->cc.ssthresh;
        }
    }
    cc_event(c, CC_LEAVE_RECOVERY, now);
}

void recovery_enter_cwr(struct tcp_engine *e, struct tcb *c, const struct ack_news *n)
{
    ackd_time now = n->s->now;
    if (!c->flow) {
        return;
    }
    /* The ACK of just what was in flight at the last reduction echoes marks from before it, and in
     * the classic form from before the peer has seen CWR (RFC 3168 section 6.1.2). */
    bool same_window = c->flow->cc.recover_valid && seq_eq(c->snd.una, c->flow->cc.recover);
    if (c->flow->cc.state != RECOVERY_OPEN || c->flags & C_RTO_RECOVERY || same_window) {
        return;
    }
    e->counters.cwr_entries++;
    undo_forget(c);
    if (!tcb_outstanding(c)) {
        c->flow->cc.ssthresh = cc_ssthresh(c, seq_dist(c->snd.una, n->una), true);
        cc_event(c, CC_ENTER_CWR, now);
        leave(c, now);
        return;
    }
    reduce(c, n, now, true);
    c->flow->cc.state = RECOVERY_CWR;
    c->flow->cc.recover = c->snd.nxt;
    c->flow->cc.recover_valid = true;
    cc_event(c, CC_ENTER_CWR, now);
    prr_update(c, n->delivered, n->advanced);
}

/* RACK, with the timer as coarse as the configuration wants it. */
static bool detect_by_time(const struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct flight *f = &c->act->flight;
    bool found = rack_detect(c, now);
    if (f->timer == LOSS_TIMER_REORDERING) {
        f->t_loss = time_add(f->t_loss, e->config.reordering_slack_ns);
    }
    return found;
}

/* ---- an ACK ---- */

/* Marks what is newly known to be lost; true when anything is. */
static bool detect(struct tcp_engine *e, struct tcb *c, const struct ack_news *n)
{
    if (!tcb_outstanding(c) || c->flags & C_LOCAL_DROP) { /* what is missing never left */
        return false;
    }
    if (recovery_uses_rack(c)) {
        return detect_by_time(e, c, n->s->now);
    }
    if (c->nego.sack) {
        bool found = n->delta.newly_sacked && rfc6675_detect(e, c);
        bool third = c->flow->cc.dup_acks >= DUP_THRESH && !recovery_repairing(c);
        return found || (third && newreno_mark_first(e, c));
    }
    if (c->flow->cc.state ==
        RECOVERY_FAST) { /* RFC 6582 section 3.2 step 3: a partial acknowledgment */
        return n->advanced && newreno_mark_first(e, c);
    }
    /* Step 2: not again for the duplicates that the last recovery left behind. */
    return c->flow->cc.dup_acks >= DUP_THRESH && !c->flow->cc.recover_valid &&
           !(c->flags & C_RTO_RECOVERY) && newreno_mark_first(e, c);
}

static void loss_ack(struct tcp_engine *e, struct tcb *c, const struct ack_news *n, bool covered)
{
    if (frto_ack(c, n)) {
        undo_reduction(e, c, n, UNDO_FRTO);
        return;
    }
    if (covered) {
        c->flags &= ~(uint32_t)C_RTO_RECOVERY;
        c->flow->cc.dup_acks = 0;
        c->act->flight.frto = FRTO_OFF;
        c->flow->recovery.ended = true;
        return;
    }
    detect(e, c, n);
}

/* A retransmission was lost that was sent after the last reduction: one more indication. */
static void reduce_again(struct tcp_engine *e, struct tcb *c, const struct ack_news *n,
                         ackd_time now)
{
    uint32_t before = c->flow->cc.ssthresh, least = 2 * send_mss(c);
    e->counters.lost_retransmissions++;
    if (e->config.cwnd_as_linux) {
        return;
    }
    c->flow->cc.recover = c->snd.nxt;
    reduce(c, n, now, false);
    if (c->flow->cc.ssthresh >=
        before) { /* a module that goes by FlightSize counts what was SACKed */
        c->flow->cc.ssthresh = before / 2 > least ? before / 2 : least;
    }
    cc_event(c, CC_ENTER_RECOVERY, now);
}

static void fast_ack(struct tcp_engine *e, struct tcb *c, const struct ack_news *n, bool covered)
{
    if (n->advanced && covered) {
        leave(c, n->s->now);
    } else if (detect(e, c, n)) {
        if (!c->nego.sack) { /* nothing but the next partial acknowledgment finds the next hole */
            c->flags |= C_RETRANSMIT_NOW;
        } else if (c->flow->recovery.lost_again) {
            reduce_again(e, c, n, n->s->now);
        }
    }
}

static void open_ack(struct tcp_engine *e, struct tcb *c, const struct ack_news *n, bool covered)
{
    if (c->flow->cc.state == RECOVERY_CWR && covered) {
        leave(c, n->s->now);
    }
    if (n->advanced) {
        c->flow->cc.dup_acks = 0;
    }
    if (detect(e, c, n) && !mtu_probe_lost(e, c, n->s->now)) {
        enter(e, c, n, n->s->now);
    }
}

/* True when a reduction was taken back. */
static bool by_state(struct tcp_engine *e, struct tcb *c, const struct ack_news *n)
{
    uint32_t undos = c->flow->recovery.undos;
    bool covered = !c->flow->cc.recover_valid || seq_ge(c->snd.una, c->flow->cc.recover);
    if (covered && seq_gt(c->snd.una, c->flow->cc.recover)) {
        c->flow->cc.recover_valid = false; /* before the numbers wrap past it */
    }
    if (undo_try(e, c, n)) {
        return true;
    }
    if (c->flags & C_RTO_RECOVERY) {
        loss_ack(e, c, n, covered);
    } else if (c->flow->cc.state == RECOVERY_FAST) {
        fast_ack(e, c, n, covered);
    } else {
        open_ack(e, c, n, covered);
    }
    return c->flow->recovery.undos != undos;
}

/* Nothing is outstanding: what was known of the flight is of no use any more. */
static void rest(struct tcb *c)
{
    struct flight *f = &c->act->flight;
    f->dup_bytes = 0;
    f->examined_set = false;
    recovery_stop(c);
}

void recovery_ack(struct tcp_engine *e, struct tcb *c, struct ack_news *n)
{
    struct recovery *r = &c->flow->recovery;
    if (n->duplicate && c->flow->cc.dup_acks < UINT8_MAX) {
        c->flow->cc.dup_acks++;
    }
    if (c->nego.sack) {
        n->delivered = n->delta.delivered;
        r->dsacks += n->dsack;
        renege_ack(c, n->s->now);
        undo_dsack(c, n);
        tlp_ack(e, c, n);
        rack_ack(c, n);
    } else {
        newreno_ack(c, n);
    }
    if (n->delivered) {
        r->probe_due = false; /* a PTO that fired just before: there is no silence any more */
    }
    bool set_here = c->flow->cc.state != RECOVERY_OPEN;
    set_here |= by_state(e, c, n);
    bool metered = c->flow->cc.state != RECOVERY_OPEN;
    report_ack(c, n, set_here || metered || recovery_frto_waits(c));
    if (metered) {
        bool lost = c->act->rtxq.lost_ever != n->lost_ever;
        prr_update(c, n->delivered, n->advanced && !lost);
    }
    if (!tcb_outstanding(c)) {
        rest(c);
    } else if (n->advanced || n->delta.newly_sacked) { /* RFC 8985 section 7.2 */
        tlp_schedule(c, n->s->now);
    } else {
        tlp_reconsider(c);
    }
}

void recovery_late_ack(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    struct ack_news n = {.s = s, .una = c->snd.una};
    if (!c->flow || !c->nego.sack) {
        return;
    }
    if (s->o.n_sack) {
        recovery_sack(e, c, &n);
        c->flow->recovery.dsacks += n.dsack;
    }
    undo_dsack(c, &n);
    tlp_ack(e, c, &n);
    rack_ack(c, &n);
    undo_try(e, c, &n);
}

/* ---- timers ---- */

static void reordering_fired(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    e->counters.reordering_timeouts++;
    if (!detect_by_time(e, c, now)) {
        return;
    }
    if (c->flags & C_RTO_RECOVERY || mtu_probe_lost(e, c, now)) {
        return;
    }
    if (c->flow->cc.state != RECOVERY_FAST) {
        enter(e, c, NULL, now);
    } else if (c->flow->recovery.lost_again) {
        reduce_again(e, c, NULL, now);
    }
    prr_update(c, c->act->flight.prr_out ? send_mss(c) : 0, false);
}

void recovery_loss_timer(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    uint8_t timer = c->act->flight.timer;
    recovery_stop(c);
    if (!c->act || !tcb_outstanding(c)) {
        return;
    }
    if (timer == LOSS_TIMER_PROBE) {
        r->probe_due = true;
        rto_restart(c, now); /* section 7.3: the timer stays the last resort */
    } else if (!(c->flags & C_LOCAL_DROP)) {
        reordering_fired(e, c, now);
    }
}

/* RFC 5681 equation (4): once for all timeouts in a row, and not again for a window that recovery
 * has reduced. */
static void timeout_reduces(struct tcb *c)
{
    if (!recovery_repairing(c)) {
        undo_begin(c, true);
        c->flow->cc.ssthresh = cc_ssthresh(c, 0, false);
    }
}

/* Nothing but a SYN was sent. */
static void syn_timeout(struct tcb *c)
{
    c->syn_suffered = true;
    c->flags |= C_RTO_RECOVERY | C_RETRANSMIT_NOW;
    rtxq_mark_all_lost(&c->act->rtxq);
}

void recovery_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (!c->flow) {
        syn_timeout(c);
        return;
    }
    bool reneged = renege_timeout(e, c);
    /* RFC 5682 section 2.1 step 1: not while something else is being repaired. */
    bool testable = !recovery_repairing(c) && !reneged;
    timeout_reduces(c);
    c->flow->cc.state = RECOVERY_OPEN;
    c->flow->cc.dup_acks = 0;
    c->flow->cc.recover = c->snd.nxt;
    c->flow->cc.recover_valid = true;
    c->flags |= C_RTO_RECOVERY | C_RETRANSMIT_NOW;
    if (!cc_module(c)->model_based) {
        c->flow->cc.cwnd = send_mss(c);
    }
    c->act->flight.dup_bytes = 0;
    c->act->flight.examined_set = false;
    tlp_reset(c);
    recovery_stop(c);
    frto_begin(c, testable);
    if (recovery_uses_rack(c) && !reneged) {
        rack_mark_on_timeout(e, c, now);
    } else {
        rtxq_mark_all_lost(&c->act->rtxq);
    }
    cc_event(c, CC_TIMEOUT, now);
}
