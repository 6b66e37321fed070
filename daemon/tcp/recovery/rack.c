/* RACK (RFC 8985 section 6): a segment is lost when one that was sent later has arrived and a
 * reordering window has passed. Time of transmission, not sequence, is what is compared, so a lost
 * retransmission is found like any other loss. The window is nothing while no reordering was ever
 * seen and DupThresh segments are SACKed (or a repair is under way), else a quarter of the minimum
 * round trip, more with every round trip in which a DSACK tells of a needless retransmission, and
 * never above SRTT.
 *
 * by_time of the retransmission queue holds what may still be in the network, the oldest
 * transmission first: the walk ends at the first run that was sent after RACK.segment. Beyond
 * WAITING_MAX runs that the window still protects it takes the latest instant that any of them can
 * have, so that an ACK costs no more. */
#include "tcp/tcb.h"

#define MIN_RTT_WINDOW_NS (300 * NS_PER_S) /* section 6.2 step 1: a minimum of recent samples */
#define REO_WND_PERSIST 16
#define WAITING_MAX 32

/* The minimum is kept for a window of time and the next one gathered meanwhile. */
void recovery_measured(struct tcb *c, int64_t rtt_ns, ackd_time now)
{
    if (!c->flow || rtt_ns < 0) {
        return;
    }
    struct recovery *r = &c->flow->recovery;
    r->probe_measured = true;
    if (time_reached(r->min_rtt_until, now)) {
        r->min_rtt_ns = r->next_min_rtt_ns;
        r->next_min_rtt_ns = -1;
        r->min_rtt_until = time_add(now, MIN_RTT_WINDOW_NS);
    }
    r->next_min_rtt_ns =
        r->next_min_rtt_ns < 0 || rtt_ns < r->next_min_rtt_ns ? rtt_ns : r->next_min_rtt_ns;
    r->min_rtt_ns = r->min_rtt_ns < 0 || rtt_ns < r->min_rtt_ns ? rtt_ns : r->min_rtt_ns;
}

static bool sent_after(ackd_time t1, tcp_seq end1, ackd_time t2, tcp_seq end2)
{
    return time_before(t2, t1) || (time_equal(t1, t2) && seq_gt(end1, end2));
}

/* Step 2: the ACK of something that was retransmitted may be that of the original. Out of order the
 * echo is that of an earlier segment (RFC 7323 section 4.3) and says nothing. */
static bool ambiguous(const struct tcb *c, const struct ack_news *n, ackd_time sent, tcp_seq end)
{
    const struct tcp_opts *o = &n->s->o;
    if (seq_le(end, c->snd.una) && c->nego.timestamps && o->has_timestamps &&
        (int32_t)(o->tsecr - timestamp_now(c->ts_offset, sent)) < 0) {
        return true;
    }
    return time_diff(n->s->now, sent) < c->flow->recovery.min_rtt_ns;
}

static void newest_delivered(struct tcb *c, const struct ack_news *n)
{
    struct recovery *r = &c->flow->recovery;
    const struct rtxq_delta *d = &n->delta;
    ackd_time sent = d->newest_sent;
    tcp_seq end = d->newest_end;
    if (!d->any) {
        return;
    }
    if (d->newest_flags & RTX_EVER_RETRANS && ambiguous(c, n, sent, end)) {
        if (!d->has_rtt) {
            return;
        }
        sent = d->rtt_sent;
        end = d->rtt_end;
    }
    r->rack_rtt_ns = time_diff(n->s->now, sent);
    if (!r->rack || sent_after(sent, end, c->act->flight.rack_sent, c->act->flight.rack_end)) {
        r->rack = true;
        c->act->flight.rack_sent = sent;
        c->act->flight.rack_end = end;
    }
}

/* Something that was sent once arrived behind what was sent later. */
static void note_reordering(struct tcb *c, tcp_seq late)
{
    struct recovery *r = &c->flow->recovery;
    uint32_t mss = send_mss(c), by = (seq_dist(c->act->flight.fack, late) + mss - 1) / mss;
    by = by > UINT16_MAX ? UINT16_MAX : by;
    r->reordering_seen = true;
    r->reorderings += r->reorderings < UINT16_MAX;
    r->reordering = by > r->reordering ? (uint16_t)by : r->reordering;
}

/* Step 3. */
static void detect_reordering(struct tcb *c, const struct ack_news *n)
{
    if (!c->act) { /* late: nothing is in flight */
        return;
    }
    if (c->act->flight.fack_known && n->delta.never_retrans_acked &&
        seq_lt(n->delta.lowest_original, c->act->flight.fack)) {
        note_reordering(c, n->delta.lowest_original);
    }
    bool sacked = c->act->rtxq.sacked;
    tcp_seq fack = sacked ? seq_max(c->snd.una, c->act->rtxq.highest_sacked) : c->snd.una;
    if (!c->act->flight.fack_known || seq_gt(fack, c->act->flight.fack)) {
        c->act->flight.fack = fack;
        c->act->flight.fack_known = true;
    }
}

/* Step 4, the part that adapts. */
static void adapt_reo_wnd(struct tcb *c, const struct ack_news *n)
{
    struct recovery *r = &c->flow->recovery;
    if (r->dsack_round_set && seq_ge(c->snd.una, r->dsack_round)) {
        r->dsack_round_set = false;
    }
    if (!r->dsack_round_set && n->dsack) {
        r->dsack_round = tcb_outstanding(c) ? c->snd.nxt : seq_add(c->snd.nxt, 1);
        r->dsack_round_set = true;
        r->reo_wnd_mult += r->reo_wnd_mult < UINT8_MAX;
        r->reo_wnd_persist = REO_WND_PERSIST;
    } else if (r->ended) {
        r->reo_wnd_persist -= r->reo_wnd_persist > 0;
        r->reo_wnd_mult = r->reo_wnd_persist ? r->reo_wnd_mult : 1;
    }
    r->ended = false;
}

int64_t recovery_reo_wnd(const struct tcb *c)
{
    const struct recovery *r = &c->flow->recovery;
    if (!r->reordering_seen && (recovery_repairing(c) ||
                                (c->act && c->act->rtxq.sacked > (DUP_THRESH - 1) * send_mss(c)))) {
        return 0;
    }
    int64_t window = r->reo_wnd_mult * (r->min_rtt_ns < 0 ? 0 : r->min_rtt_ns / 4);
    return c->rtt.srtt_ns >= 0 && window > c->rtt.srtt_ns ? c->rtt.srtt_ns : window;
}

void rack_ack(struct tcb *c, const struct ack_news *n)
{
    newest_delivered(c, n);
    detect_reordering(c, n);
    adapt_reo_wnd(c, n);
}

static void reordering_timer(struct tcb *c, ackd_time deadline)
{
    if (!time_is_never(deadline)) {
        c->act->flight.timer = LOSS_TIMER_REORDERING;
        c->act->flight.t_loss = deadline;
    } else if (c->act->flight.timer == LOSS_TIMER_REORDERING) {
        c->act->flight.timer = LOSS_TIMER_NONE;
        c->act->flight.t_loss = TIME_NEVER;
    }
}

/* Step 5. */
bool rack_detect(struct tcb *c, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    struct rtxq *q = &c->act->rtxq;
    bool found = false;
    unsigned waiting = 0;
    int64_t wait = r->rack_rtt_ns + recovery_reo_wnd(c);
    ackd_time deadline = TIME_NEVER;
    r->lost_again = false;
    struct rtx_run *run = r->rack ? rtxq_oldest(q) : NULL, *next;
    for (; run && !time_before(c->act->flight.rack_sent, run->sent); run = next) {
        next = rtxq_sent_after(q, run);
        if (!sent_after(c->act->flight.rack_sent, c->act->flight.rack_end, run->sent, run->end)) {
            continue;
        }
        ackd_time due = time_add(run->sent, wait);
        if (time_reached(due, now)) {
            r->lost_again |=
                run->flags & RTX_RETRANS && !time_before(run->sent, c->act->flight.reduced_at);
            rtxq_mark_lost(q, run);
            found = true;
            continue;
        }
        deadline = due;
        if (++waiting == WAITING_MAX) {
            deadline = time_add(c->act->flight.rack_sent, wait);
            break;
        }
    }
    reordering_timer(c, deadline);
    return found;
}

/* Section 6.3: the first segment is lost, since it was sent an RTO ago; of the others those that
 * were sent more than a round trip ago. */
void rack_mark_on_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct recovery *r = &c->flow->recovery;
    struct rtxq *q = &c->act->rtxq;
    int64_t rtt = r->rack ? r->rack_rtt_ns : c->rtt.srtt_ns >= 0 ? c->rtt.srtt_ns : 0;
    int64_t wait = rtt + recovery_reo_wnd(c);
    struct rtx_run *run = rtxq_oldest(q), *next;
    for (; run && time_reached(time_add(run->sent, wait), now); run = next) {
        next = rtxq_sent_after(q, run);
        rtxq_mark_lost(q, run);
    }
    newreno_mark_first(e, c);
}
