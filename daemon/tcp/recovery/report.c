/* What congestion control is told of an ACK. */
#include "tcp/tcb.h"

void report_ack(struct tcb *c, const struct ack_news *n, bool in_recovery)
{
    const struct rtxq_delta *d = &n->delta;
    if (!n->delivered && !d->acked) {
        return;
    }
    bool sampled = d->has_rtt && !d->retrans_acked;
    /* What SACK blocks or duplicate ACKs had reported opens no window twice. */
    uint32_t acked = d->acked < n->delivered ? d->acked : n->delivered;
    cc_acked(c, d,
             &(struct cc_ack){.now = n->s->now,
                              .acked = acked,
                              .delivered = n->delivered,
                              .ecn_bytes = d->ecn_bytes,
                              .rtt_ns = sampled ? time_diff(n->s->now, d->rtt_sent) : -1,
                              .in_flight = recovery_pipe(c),
                              .in_recovery = in_recovery});
}
