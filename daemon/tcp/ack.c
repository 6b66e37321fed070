/* The ACK field in a synchronized state (RFC 9293 section 3.10.7.4, fifth): what it acknowledges
 * leaves the retransmission queue and the send buffer, gives an RTT sample, feeds loss recovery and
 * congestion control, moves the window, and may end our side of the close. */
#include "tcp/tcb.h"

/* How far behind SND.UNA an ACK may be: the largest window ever (RFC 5961 section 5), and no
 * further than our first octet, for nothing before it was ever there to be acknowledged. */
static uint32_t oldest_ack(const struct tcb *c)
{
    uint32_t acked = seq_dist(c->snd.una, c->snd.iss) - 1;
    bool all = c->snd.sent < INT32_MAX; /* no sequence number was used twice */
    return all && acked < c->snd.max_wnd ? acked : c->snd.max_wnd;
}

/* SND.UNA < SEG.ACK =< SND.NXT moves things; what is far behind is a guess. */
static bool ack_valid(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    tcp_seq ack = s->h.ack;
    if (c->flags & C_PROBE_SENT && seq_eq(ack, seq_add(c->snd.nxt, 1))) {
        return true;
    }
    if (seq_gt(ack, c->snd.nxt)) {
        s->drop = TCP_DROP_ACK_UNSENT;
        if (!e->config.quiet_on_unsent_ack) {
            challenge_ack(e, c, s->now);
        }
        return false;
    }
    if (seq_lt(ack, seq_sub(c->snd.una, oldest_ack(c)))) {
        s->drop = TCP_DROP_ACK_TOO_OLD;
        challenge_ack(e, c, s->now);
        return false;
    }
    return true;
}

/* The octet of a zero-window probe was taken: now it counts as sent. It was the only one beyond
 * SND.UNA, so the retransmission queue never learns of it, and it gives no RTT. */
static void probe_taken(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (!(c->flags & C_PROBE_SENT) || !seq_eq(s->h.ack, seq_add(c->snd.nxt, 1))) {
        return;
    }
    c->snd.nxt = s->h.ack;
    c->flags &= ~(uint32_t)C_PROBE_SENT;
    c->snd.sent++;
    e->counters.out_bytes++;
}

/* A segment that acknowledges more than SND.WL2 is newer than the one that the window is from, also
 * when its octets are old, sent again: without its window SND.UNA + SND.WND would be an edge that
 * the peer never offered. Otherwise SND.WL1 decides (RFC 9293 section 3.10.7.4). */
void window_from_segment(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    uint32_t window = (uint32_t)s->h.window << s->wscale;
    bool newer = seq_lt(c->snd.wl2, s->h.ack) || seq_lt(c->snd.wl1, s->seq) ||
                 (seq_eq(c->snd.wl1, s->seq) && seq_eq(c->snd.wl2, s->h.ack));
    if (seq_lt(s->h.ack, c->snd.una) || !newer) {
        return;
    }
    tcp_seq old_edge = seq_add(c->snd.wl2, c->snd.wnd), edge = seq_add(s->h.ack, window);
    if (seq_lt(edge, old_edge) && state_synchronized(c->t.rec.state) && c->snd.max_wnd) {
        e->counters.window_shrunk++; /* MUST-34: it only bounds what is sent from now on */
    }
    bool opened = window > c->snd.wnd || (window && !c->snd.wnd);
    if (opened &&
        !c->snd.wnd) { /* out of a zero window: what was dropped beyond its edge comes again soon */
        c->persist_backoff = 0;
        c->rtt.backoff = 0;
        c->flags &= ~(uint32_t)(C_WINDOW_PROBED | C_WINDOW_OVERRIDE | C_PROBE_DUE);
        tcb_rtx_stop(c);
        if (tcb_outstanding(c)) {
            rto_restart(c, s->now);
        }
    }
    c->snd.wnd = window;
    c->snd.wl1 = s->seq;
    c->snd.wl2 = s->h.ack;
    if (window > c->snd.max_wnd) {
        c->snd.max_wnd = window;
    }
}

/* The RTT of what was newly delivered: from the send time when all of it was sent once (Karn; what
 * waited behind a repaired hole says nothing), else from the echoed timestamp (RFC 7323 section 4),
 * unless it may be that of an ACK that got lost. */
static void sample(struct tcb *c, const struct ack_news *n)
{
    const struct segment *s = n->s;
    int64_t rtt_ns = -1;
    if (n->delta.has_rtt && !n->delta.retrans_acked) {
        rtt_ns = time_diff(s->now, n->delta.rtt_sent);
    } else if (n->delta.acked && c->nego.timestamps && s->o.tsecr && !echo_outdated(c, n)) {
        uint32_t ms = timestamp_now(c->ts_offset, s->now) - s->o.tsecr;
        rtt_ns = ms >= 600000 ? -1 : ms ? (int64_t)ms * NS_PER_MS : NS_PER_MS / 2;
    }
    if (rtt_ns >= 0) {
        rtt_sample(c, rtt_ns);
        recovery_measured(c, rtt_ns, s->now);
    }
}

/* Data, SYN and FIN before SEG.ACK are the peer's. */
static void advance_una(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                        struct rtxq_delta *delta)
{
    tcp_seq ack = s->h.ack;
    bool fin_acked = c->flags & C_FIN_SENT && seq_eq(ack, c->snd.nxt);
    uint32_t data = seq_dist(ack, c->snd.una) - fin_acked;
    rtxq_ack(&c->act->rtxq, &e->run_slab, ack, delta);
    sndbuf_trim(&c->act->snd, e->arena, data);
    c->snd.una = ack;
    marks_acked(c, ack);
    c->act->oldest_unacked = s->now;
    orphan_restart(c, s->now);
    c->rtt.timeouts = 0;
    c->flags &= ~(uint32_t)(C_MORE_HELD | C_R1_TOLD | C_WINDOW_PROBED | C_NEIGHBOUR_PENDING);
    if (c->flags & C_URGENT_SENT && seq_ge(ack, c->act->up)) {
        c->flags &= ~(uint32_t)C_URGENT_SENT;
    }
}

/* RFC 5681 section 2: the five conditions of a duplicate ACK. What a zero window answers to probes
 * is none. */
static bool is_duplicate(const struct tcb *c, const struct segment *s)
{
    return tcb_outstanding(c) && !s->payload && !(s->h.flags & (TCP_SYN | TCP_FIN)) &&
           seq_eq(s->h.ack, c->snd.una) && c->snd.wnd &&
           (uint32_t)s->h.window << s->wscale == c->snd.wnd;
}

/* RFC 6298 (5.2) and (5.3). While nothing was outstanding the timer is the persist or the override
 * timer, which an ACK leaves alone. */
static void restart_timer(struct tcb *c, ackd_time now)
{
    if (tcb_outstanding(c)) {
        rto_restart(c, now);
    } else {
        tcb_rtx_stop(c);
        c->flags &= ~(uint32_t)C_LOCAL_DROP;
    }
}

void fin_wait_2_arm(struct tcb *c, ackd_time now)
{
    int64_t limit = c->options->v.fin_wait_2_ns;
    c->t_state = c->flags & C_RELEASED && limit ? time_add(now, limit) : TIME_NEVER;
}

/* Our FIN is acknowledged: the state moves on. False: c may be gone. */
static bool fin_acked(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    switch (c->t.rec.state) {
    case TCP_FIN_WAIT_1:
        state_set(e, &c->t.rec, TCP_FIN_WAIT_2, now, TCP_CLOSE_NONE);
        fin_wait_2_arm(c, now);
        return true;
    case TCP_CLOSING:
        time_wait_enter(e, c, now);
        return true;
    case TCP_LAST_ACK:
        tcb_closed(e, c, now, TCP_CLOSE_NORMAL);
        return false;
    default:
        return true;
    }
}

static void outstanding_ack(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    struct ack_news n = {.s = s,
                         .una = c->snd.una,
                         .lost_ever = c->act->rtxq.lost_ever,
                         .advanced = seq_gt(s->h.ack, c->snd.una),
                         .duplicate = is_duplicate(c, s)};
    if (c->nego.sack && s->o.n_sack) {
        recovery_sack(e, c, &n);
    }
    if (c->nego.sack && !n.delta.newly_sacked) {
        n.duplicate = false; /* RFC 6675 section 2: it brings SACK information */
    }
    if (n.advanced) {
        advance_una(e, c, s, &n.delta);
        mtu_ack(e, c, s->now);
        mtu_route(c, s->rx->mtu, s->now);
    }
    n.delta.ecn_bytes = ecn_echoed(e, c, s, &n.delta);
    sample(c, &n);
    window_from_segment(e, c, s);
    if (n.advanced) {
        restart_timer(c, s->now);
    }
    if (c->flow) {
        recovery_ack(e, c, &n);
        if (n.delta.ecn_bytes) {
            recovery_enter_cwr(e, c, &n);
        }
    }
}

/* Had the peer had SND.UNA when it sent an older ACK, the newer one would have said more: one of
 * the two was forged or damaged. Believed, it would look like reneging each time. */
static bool contradicts_una(const struct tcb *c, const struct segment *s)
{
    for (unsigned i = 0; i < s->o.n_sack; i++) {
        if (seq_le(s->o.sack[i].start, c->snd.una) && seq_gt(s->o.sack[i].end, c->snd.una)) {
            return true;
        }
    }
    return false;
}

/* Other ACKs overtook this one: it moves nothing, but any ACK's SACK blocks are news (RFC 6675
 * section 5). */
static void old_ack(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (!c->act || !c->flow || !c->nego.sack || !s->o.n_sack) {
        return;
    }
    if (contradicts_una(c, s)) {
        e->counters.sack_rejected++;
        return;
    }
    struct ack_news n = {.s = s, .una = c->snd.una, .lost_ever = c->act->rtxq.lost_ever};
    recovery_sack(e, c, &n);
    if (n.dsack || n.delta.newly_sacked) {
        recovery_ack(e, c, &n);
    }
}

bool ack_input(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    if (!ack_valid(e, c, s)) {
        return false;
    }
    c->soft_error = seq_gt(s->h.ack, c->snd.una) ? 0 : c->soft_error;
    if (seq_lt(s->h.ack, c->snd.una)) {
        old_ack(e, c, s);
        return true; /* its text still counts */
    }
    probe_taken(e, c, s);
    if (c->act) {
        bool had = tcb_outstanding(c);
        outstanding_ack(e, c, s);
        if (c->flags & C_WINDOW_PROBED || !had) {
            c->act->oldest_unacked =
                s->now; /* MUST-37: probes are answered, the connection stays */
        }
        ready_sent(e, c);
    } else {
        ecn_echoed(e, c, s, &(struct rtxq_delta){0});
        window_from_segment(e, c, s);
        recovery_late_ack(e, c, s);
    }
    bool all = c->flags & C_FIN_SENT && seq_eq(c->snd.una, c->snd.nxt);
    tcb_fold(e, c);
    return all ? fin_acked(e, c, s->now) : true;
}
