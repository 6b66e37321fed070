/* F-RTO (RFC 5682): was the timeout spurious? After it only the first segment goes again. When its
 * ACK advances, two new segments go instead of more retransmissions. If the next ACK then brings
 * anything that was never retransmitted, the network had not lost the flight but delayed it, and
 * the timeout is undone; if it brings nothing of the kind, the loss was real and the repair goes
 * on. With SACK (section 3) "brings" is told by the scoreboard, without (section 2) by SND.UNA. */
#include "tcp/tcb.h"

void frto_begin(struct tcb *c, bool possible)
{
    c->act->flight.frto = possible ? FRTO_HEAD_SENT : FRTO_OFF;
}

/* Step 2b needs two segments' worth that may go; a part of one might wait for Nagle. */
static bool new_data_ready(const struct tcb *c)
{
    uint32_t mss = send_mss(c), edge = seq_dist(seq_add(c->snd.una, c->snd.wnd), c->snd.nxt);
    bool window = seq_gt(seq_add(c->snd.una, c->snd.wnd), c->snd.nxt) && edge >= mss;
    return window && tcb_unsent(c) >= mss;
}

static bool step_2(struct tcb *c, const struct ack_news *n)
{
    struct flight *f = &c->act->flight;
    if (!n->advanced) {
        f->frto = c->nego.sack ? f->frto : FRTO_OFF; /* (2a): a duplicate; with SACK it may come */
        return false;
    }
    if (seq_ge(c->snd.una, c->flow->cc.recover) || !new_data_ready(c)) {
        f->frto = FRTO_OFF;
        return false;
    }
    f->frto = FRTO_NEW_DATA_SENT;
    if (!cc_module(c)->model_based) {
        c->flow->cc.cwnd = recovery_pipe(c) + 2 * send_mss(c);
    }
    return false;
}

static bool step_3(struct tcb *c, const struct ack_news *n)
{
    struct flight *f = &c->act->flight;
    bool original =
        n->delta.never_retrans_acked && seq_lt(n->delta.lowest_original, c->flow->cc.recover);
    if (!n->advanced && !n->duplicate && !n->delta.any) {
        return false; /* it says nothing */
    }
    f->frto = FRTO_OFF;
    if (c->nego.sack ? original : n->advanced) {
        return true;
    }
    uint32_t mss = send_mss(c), next = recovery_pipe(c) + mss;
    next = next < 3 * mss ? next : 3 * mss; /* (3a): and go on in slow start */
    if (!cc_module(c)->model_based && c->flow->cc.cwnd < next) {
        c->flow->cc.cwnd = next;
    }
    return false;
}

bool frto_ack(struct tcb *c, const struct ack_news *n)
{
    switch (c->act->flight.frto) {
    case FRTO_HEAD_SENT:
        return step_2(c, n);
    case FRTO_NEW_DATA_SENT:
        return step_3(c, n);
    default:
        return false;
    }
}

bool recovery_frto_waits(const struct tcb *c)
{
    return c->act && c->act->flight.frto == FRTO_NEW_DATA_SENT;
}
