/* Delivery rate estimation (draft-ietf-ccwg-bbr section 4.1, before that
 * draft-cheng-iccrg-delivery- rate-estimation): how fast the path delivered, one sample per ACK,
 * without sending anything for it.
 *
 * Every run remembers the connection as it was when it was sent (struct rtx_snapshot): how much had
 * been delivered, when that count last moved, and when the flight began. The newest run that an ACK
 * newly covers gives the sample: what was delivered since it was sent, over the longer of the time
 * in which that was sent and the time in which it was acknowledged. The longer, because ACKs come
 * in bursts and data may, too, and neither burst is the rate of the bottleneck. Intervals below the
 * smallest round-trip time say nothing: a retransmission was acknowledged for its original.
 *
 * A rate that the application set says little of the path. The flight is marked from the moment at
 * which there is nothing left to send although cwnd has room, until all that was in flight then has
 * arrived. When it is our send buffer that the user waits for, the limit is not the user's. */
#include "tcp/tcb.h"

void rate_sent(struct tcb *c, ackd_time now)
{
    if (c->flow && !rtxq_pipe(&c->act->rtxq)) {
        c->flow->rate.first_sent_at = c->flow->rate.delivered_at = now;
    }
}

bool rate_app_limited(const struct tcb *c)
{
    return c->flow && c->flow->rate.app_limited;
}

void rate_mark_app_limited(struct tcb *c)
{
    uint64_t until = c->flow->rate.delivered + (c->act ? rtxq_pipe(&c->act->rtxq) : 0);
    c->flow->rate.app_limited = until ? until : 1;
}

void rate_idle(struct tcb *c)
{
    uint32_t pipe = c->act ? rtxq_pipe(&c->act->rtxq) : 0;
    if (c->flow && !snd_wanted(c) && tcb_unsent(c) < send_mss(c) && pipe < c->flow->cc.cwnd &&
        !(c->act && c->act->rtxq.lost)) {
        rate_mark_app_limited(c);
    }
}

void rate_acked(struct tcb *c, const struct rtxq_delta *delta, struct cc_ack *ack)
{
    struct flow *f = c->flow;
    f->rate.delivered += ack->delivered;
    if (f->rate.app_limited && f->rate.delivered > f->rate.app_limited) {
        f->rate.app_limited = 0;
    }
    if (!delta->any) {
        return;
    }
    const struct rtx_snapshot *at = &delta->newest_at;
    f->rate.delivered_at = ack->now;
    f->rate.first_sent_at = delta->newest_sent;
    int64_t sending = time_diff(delta->newest_sent, at->first_sent_at);
    int64_t acking = time_diff(ack->now, at->delivered_at);
    ack->rate.delivered = f->rate.delivered - at->delivered;
    ack->rate.prior_delivered = at->delivered;
    ack->rate.tx_in_flight = at->in_flight;
    ack->rate.lost = c->act->rtxq.lost_ever - at->lost;
    ack->rate.app_limited = delta->newest_flags & RTX_APP_LIMITED;
    int64_t interval = sending > acking ? sending : acking;
    if (interval <= 0 || interval < f->min_rtt_ns) {
        return;
    }
    ack->rate.interval_ns = interval;
    ack->rate.bytes_per_s = ack->rate.delivered * (uint64_t)NS_PER_S / (uint64_t)interval;
    f->rate.bytes_per_s = ack->rate.bytes_per_s;
    f->rate.sample_app_limited = ack->rate.app_limited;
}
