/* Timestamps and PAWS (RFC 7323): the clock ticks every millisecond, with an offset of its own per
 * tuple; a segment whose TSval is older than TS.Recent is an old duplicate, unless the connection
 * was idle for so long that the clock may have wrapped.
 *
 * Section 4 lets every ACK that advances SND.UNA give a round-trip time. But when an ACK got lost
 * and the data come again, they lie outside the peer's window and do not move its TS.Recent: what
 * answers them echoes the original, and the measured time is that of our timer. Taken in, it would
 * double the RTO at each lost ACK (as Linux's does). A DSACK tells of the duplicate; of a peer
 * that never sent one, an echo from before the retransmission is believed only of an ACK that came
 * sooner than the retransmission could have been answered, in half the smallest round-trip time
 * (Karn's rule, RFC 6298 section 3). That SACK was agreed on does not prove that a DSACK would
 * come: not all peers send them, and a middlebox may hide the option from them. */
#include "tcp/tcb.h"

#define PAWS_IDLE_NS (INT64_C(24) * 24 * 3600 * NS_PER_S) /* RFC 7323 section 5.5 */

uint32_t timestamp_now(uint32_t offset, ackd_time now)
{
    return (uint32_t)((uint64_t)now.ns / (uint64_t)NS_PER_MS) + offset;
}

static bool recent_outdated(const struct tcb *c, ackd_time now)
{
    return !coarse_is_never(c->ts_recent_at) &&
           time_diff(now, coarse_start(c->ts_recent_at, now)) > PAWS_IDLE_NS;
}

bool paws_reject(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (!s->o.has_timestamps || (int32_t)(s->o.tsval - c->ts_recent) >= 0) {
        return false;
    }
    if (recent_outdated(c, s->now)) {
        e->counters.paws_old_timestamp++;
        return false;
    }
    return true;
}

/* Section 4.3: the TSval of the earliest segment not yet acknowledged is echoed. A segment that is
 * all old lies outside the window and has no say (section 5.3, R2 before R3): half of all sequence
 * numbers are old, so anybody could guess one and have PAWS refuse the true peer. */
void timestamp_update(struct tcb *c, const struct segment *s)
{
    bool all_old = seq_lt(s->seq, c->rcv.nxt); /* else it was trimmed to what is new */
    if (!c->nego.timestamps || !s->o.has_timestamps || all_old ||
        seq_gt(s->h.seq, c->rcv.ack_sent)) {
        return;
    }
    bool newer = (int32_t)(s->o.tsval - c->ts_recent) >= 0;
    if (newer || recent_outdated(c, s->now)) {
        c->ts_recent = s->o.tsval;
        c->ts_recent_at = coarse_of(s->now);
    }
}

bool echo_outdated(const struct tcb *c, const struct ack_news *n)
{
    const struct rtxq_delta *d = &n->delta;
    if (n->dsack || (c->flow && c->flow->recovery.dsacks)) { /* the peer would tell */
        return n->dsack;
    }
    bool again = d->any && d->newest_transmissions > 1;
    uint32_t sent = timestamp_now(c->ts_offset, d->newest_sent);
    return again && (int32_t)(n->s->o.tsecr - sent) < 0 && tcb_min_rtt_ns(c) >= 0 &&
           time_diff(n->s->now, d->newest_sent) >= tcb_min_rtt_ns(c) / 2;
}
