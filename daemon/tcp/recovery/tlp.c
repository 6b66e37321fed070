/* Tail loss probes (RFC 8985 section 7): when the ACKs of a flight's end do not come within two
 * round trips, one segment, new or else the last one again, asks for them, long before the
 * retransmission timer would collapse the window. Its ACK lets RACK find what is missing. When the
 * repeated segment itself was the repair, nothing but the absence of a DSACK or duplicate ACK
 * tells; then the window is reduced as for any loss (section 7.4.2).
 *
 * The PTO and the reordering timer exclude each other and share one deadline. The retransmission
 * timer runs beside them: the PTO never lies beyond it, and firing starts it anew. */
#include "tcp/tcb.h"

#define PTO_INITIAL_NS NS_PER_S
#define GRANULARITY_NS (2 * NS_PER_MS) /* a probe is no use before the peer could have answered */

static void timer_off(struct tcb *c)
{
    if (c->act->flight.timer == LOSS_TIMER_PROBE) {
        c->act->flight.timer = LOSS_TIMER_NONE;
        c->act->flight.t_loss = TIME_NEVER;
    }
}

void tlp_reset(struct tcb *c)
{
    struct recovery *r = &c->flow->recovery;
    r->probe_out = r->probe_retrans = r->probe_due = false;
    timer_off(c);
}

/* Everything outstanding lies within the peer's window, as it stands now. */
static bool within_window(const struct tcb *c)
{
    uint32_t fin = c->flags & C_FIN_SENT ? 1 : 0;
    return c->snd.wnd && seq_ge(seq_add(c->snd.una, c->snd.wnd + fin), c->snd.nxt);
}

/* Section 7.2, and what section 7.3 will ask when the time has come. */
static bool probe_possible(const struct tcb *c)
{
    const struct recovery *r = &c->flow->recovery;
    const uint32_t no = C_RTO_RECOVERY | C_LOCAL_DROP | C_WINDOW_PROBED | C_NEIGHBOUR_PENDING;
    return c->act && recovery_uses_rack(c) && state_synchronized(c->t.rec.state) &&
           c->flow->cc.state != RECOVERY_FAST && !(c->flags & no) && within_window(c) &&
           tcb_outstanding(c) && !c->act->rtxq.sacked && !c->act->rtxq.lost && !r->probe_out &&
           r->probe_measured && c->act->flight.timer != LOSS_TIMER_REORDERING;
}

void tlp_schedule(struct tcb *c, ackd_time now)
{
    struct flight *f = &c->act->flight;
    if (!probe_possible(c)) {
        timer_off(c);
        return;
    }
    int64_t pto = PTO_INITIAL_NS;
    if (c->rtt.srtt_ns >= 0) {
        bool single = tcb_outstanding(c) <= send_mss(c); /* the peer may delay its ACK */
        pto = 2 * c->rtt.srtt_ns + (single ? c->options->v.rto_min_ns : GRANULARITY_NS);
    }
    f->timer = LOSS_TIMER_PROBE;
    f->t_loss = time_min(time_add(now, pto), c->act->t_rtx);
}

void tlp_reconsider(struct tcb *c)
{
    if (!probe_possible(c)) {
        timer_off(c);
    }
}

void tlp_sent(struct tcb *c, bool again)
{
    struct recovery *r = &c->flow->recovery;
    r->probe_due = false;
    r->probe_out = true;
    r->probe_retrans = again;
    r->probe_measured = false;
    r->probe_end = c->snd.nxt;
    r->probes++;
    timer_off(c);
}

/* The loss that the probe repaired, without a repair to follow. */
static void respond(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    e->counters.loss_probe_recoveries++;
    undo_forget(c);
    c->flow->cc.ssthresh = cc_ssthresh(c, 0, false);
    cc_event(c, CC_ENTER_RECOVERY, now);
    if (!cc_module(c)->model_based && c->flow->cc.cwnd > c->flow->cc.ssthresh) {
        c->flow->cc.cwnd = c->flow->cc.ssthresh;
    }
    cc_event(c, CC_LEAVE_RECOVERY, now);
}

/* Section 7.4.2. A FIN at the end of the probe is no octet that a DSACK would report. */
void tlp_ack(struct tcp_engine *e, struct tcb *c, const struct ack_news *n)
{
    struct recovery *r = &c->flow->recovery;
    tcp_seq ack = n->s->h.ack;
    if (!r->probe_out || seq_lt(ack, r->probe_end)) {
        return;
    }
    bool covered = n->dsack && seq_ge(n->dsack_block.end, seq_sub(r->probe_end, 1)) &&
                   seq_le(n->dsack_block.end, r->probe_end);
    if (!r->probe_retrans || covered) {
        r->probe_out = false;
    } else if (seq_gt(ack, r->probe_end)) {
        r->probe_out = false;
        if (c->flow->cc.state == RECOVERY_OPEN) {
            respond(e, c, n->s->now);
        }
    } else if (!n->advanced && !n->s->o.n_sack && !n->s->payload) {
        r->probe_out = false;
    }
}
