/* Proportional Rate Reduction (RFC 9937): while losses are repaired, or ECN asked for less, the
 * window shrinks towards ssthresh by sending in proportion to what arrives, instead of falling
 * silent for half a round trip or bursting. Above ssthresh each octet delivered admits
 * ssthresh/RecoverFS octets. Below it as much goes out as was delivered, and a segment more when
 * the ACK is safe (it advances SND.UNA and shows no further loss), until ssthresh is reached. cwnd
 * is set so that exactly this much may be sent. A module that keeps cwnd itself (BBR) is left
 * alone. */
#include "tcp/tcb.h"

/* Section 6.2: RecoverFS is what was in flight before the ACK that started it. */
void prr_begin(struct tcb *c, const struct ack_news *n, ackd_time now)
{
    struct flight *f = &c->act->flight;
    const struct rtxq *q = &c->act->rtxq;
    uint32_t known = q->sacked, fresh = n ? n->delta.newly_sacked : 0;
    fresh = fresh < known ? fresh : known;
    f->recover_fs = q->bytes - (known - fresh) + (n ? n->delta.acked : 0);
    f->prr_delivered = f->prr_out = 0;
    f->reduced_at = now;
}

static uint32_t allowance(const struct tcb *c, uint32_t in_flight, uint32_t delivered, bool safe)
{
    const struct flight *f = &c->act->flight;
    uint32_t ssthresh = c->flow->cc.ssthresh, mss = send_mss(c);
    if (in_flight > ssthresh && f->recover_fs) {
        uint64_t out = ((uint64_t)f->prr_delivered * ssthresh + f->recover_fs - 1) / f->recover_fs;
        return out > f->prr_out ? (uint32_t)(out - f->prr_out) : 0;
    }
    uint32_t owed = f->prr_delivered > f->prr_out ? f->prr_delivered - f->prr_out : 0;
    uint32_t n = (owed > delivered ? owed : delivered) + (safe ? mss : 0);
    uint32_t room = ssthresh > in_flight ? ssthresh - in_flight : 0;
    return n < room ? n : room;
}

void prr_update(struct tcb *c, uint32_t delivered, bool safe)
{
    struct flight *f = &c->act->flight;
    if (cc_module(c)->model_based || (!delivered && f->prr_out)) {
        return;
    }
    uint32_t in_flight = recovery_pipe(c), mss = send_mss(c);
    f->prr_delivered += delivered;
    uint32_t n = allowance(c, in_flight, delivered, safe);
    if (c->flow->cc.state == RECOVERY_FAST && !f->prr_out && n < mss) {
        n = mss; /* the fast retransmission that begins it */
    }
    c->flow->cc.cwnd =
        in_flight + n > mss ? in_flight + n : mss; /* never less (RFC 5681 section 3.1) */
}
