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
    struct recovery *r = &c->flow->recovery;
    const struct rtxq *q = &c->act->rtxq;
    uint32_t known = q->sacked, fresh = n ? n->delta.newly_sacked : 0;
    fresh = fresh < known ? fresh : known;
    r->recover_fs = q->bytes - (known - fresh) + (n ? n->delta.acked : 0);
    r->prr_delivered = r->prr_out = 0;
    r->reduced_at = now;
}

static uint32_t allowance(const struct tcb *c, uint32_t in_flight, uint32_t delivered, bool safe)
{
    const struct recovery *r = &c->flow->recovery;
    uint32_t ssthresh = c->flow->cc.ssthresh, mss = send_mss(c);
    if (in_flight > ssthresh && r->recover_fs) {
        uint64_t out = ((uint64_t)r->prr_delivered * ssthresh + r->recover_fs - 1) / r->recover_fs;
        return out > r->prr_out ? (uint32_t)(out - r->prr_out) : 0;
    }
    uint32_t owed = r->prr_delivered > r->prr_out ? r->prr_delivered - r->prr_out : 0;
    uint32_t n = (owed > delivered ? owed : delivered) + (safe ? mss : 0);
    uint32_t room = ssthresh > in_flight ? ssthresh - in_flight : 0;
    return n < room ? n : room;
}

void prr_update(struct tcb *c, uint32_t delivered, bool safe)
{
    struct recovery *r = &c->flow->recovery;
    if (cc_module(c)->model_based || (!delivered && r->prr_out)) {
        return;
    }
    uint32_t in_flight = recovery_pipe(c), mss = send_mss(c);
    r->prr_delivered += delivered;
    uint32_t n = allowance(c, in_flight, delivered, safe);
    if (c->flow->cc.state == RECOVERY_FAST && !r->prr_out && n < mss) {
        n = mss; /* the fast retransmission that begins it */
    }
    c->flow->cc.cwnd =
        in_flight + n > mss ? in_flight + n : mss; /* never less (RFC 5681 section 3.1) */
}
