/* SEGMENT ARRIVES in SYN-RECEIVED and the synchronized states (RFC 9293 section 3.10.7.4), step by
 * step in the RFC's order: sequence number, RST, SYN, ACK, URG, text, FIN. RFC 5961 replaces the
 * old rules for RST and SYN.
 *
 * Appendix A.2 is followed: an old SYN and old data are trimmed before the segment is judged, and
 * the ACK of a segment that is all old is processed before its text is dropped; without that,
 * simultaneous open, self-connect and simultaneous window probes can stall. */
#include "tcp/tcb.h"

/* ---- first: the sequence number ---- */

/* Cuts what lies before RCV.NXT. Returns false when everything did; a SYN there is no text. */
static bool trim_old(struct tcb *c, struct segment *s)
{
    uint32_t len = segment_len(s);
    if (!seq_lt(s->seq, c->rcv.nxt)) {
        return true;
    }
    uint32_t old = seq_dist(c->rcv.nxt, s->seq);
    if (old > len) {
        return false;
    }
    bool all_old = old == len && !(s->syn && len == 1);
    if (s->syn) {
        s->syn = false;
        s->seq = seq_add(s->seq, 1);
        old--;
    }
    uint32_t data = old < s->data ? old : s->data;
    if (data && c->nego.sack && !(s->h.flags & TCP_RST)) { /* RFC 2883 section 4: tell of it */
        c->rcv.dsack = (struct tcp_sack_block){s->seq, seq_add(s->seq, data)};
    }
    s->data -= data;
    s->data_offset += data;
    if (old > data) {
        s->fin = false;
    }
    if (!all_old) {
        s->seq = c->rcv.nxt;
    }
    return !all_old;
}

/* Cuts what lies beyond the window's right edge. A FIN right at the edge needs no room. */
static void trim_beyond(struct tcb *c, struct segment *s, uint32_t window)
{
    uint32_t room = seq_dist(seq_add(c->rcv.nxt, window), s->seq);
    if (s->data > room) {
        s->data = room;
        s->fin = false;
        s->drop = TCP_DROP_RECEIVE_BUFFER_FULL;
    }
}

/* An unacceptable segment gets an ACK, unless it is a reset; without payload only so often, or two
 * confused ends would answer each other for ever. */
static void answer_unacceptable(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (s->h.flags & TCP_RST) {
        return;
    }
    if (s->payload || s->fin) {
        c->flags |= C_ACK_NOW;
        tcb_touch(e, c);
    } else {
        challenge_ack(e, c, s->now);
    }
}

/* All of it is old: its text is dropped, its ACK may still count, and its window if the ACK is new.
 */
static bool old_segment(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    s->drop = s->payload || s->h.flags & TCP_FIN ? TCP_DROP_OLD_DUPLICATE : TCP_DROP_OUT_OF_WINDOW;
    if (s->h.flags & TCP_RST) {
        s->drop = TCP_DROP_RST_OUT_OF_WINDOW;
        return false;
    }
    if (s->payload) {
        e->counters.duplicate_segments += s->segs;
        if (c->nego.sack) {
            c->rcv.dsack = (struct tcp_sack_block){s->h.seq, seq_add(s->h.seq, s->payload)};
        }
    }
    if (c->t.rec.state == TCP_TIME_WAIT && s->h.flags & TCP_FIN) {
        c->t_state = time_add(s->now, 2 * c->options->v.msl_ns); /* U-8 */
        tcb_arm(e, c);
    }
    answer_unacceptable(e, c, s);
    s->data = 0;
    s->syn = s->fin = false;
    return s->h.flags & TCP_ACK;
}

/* False: the segment ends here. */
static bool check_sequence(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    uint32_t window = rcv_window(c);
    if (!trim_old(c, s)) {
        return old_segment(e, c, s);
    }
    /* RCV.NXT is acceptable even with a closed window: its ACK, URG and RST count (MUST-66). So is
     * the right edge, from which a peer acknowledges that has sent all it may, but not for RST. */
    bool rst = s->h.flags & TCP_RST;
    if (!seq_in_window(s->seq, c->rcv.nxt, rst && window ? window : window + 1)) {
        s->drop = rst ? TCP_DROP_RST_OUT_OF_WINDOW : TCP_DROP_OUT_OF_WINDOW;
        answer_unacceptable(e, c, s);
        return false;
    }
    trim_beyond(c, s, window);
    if (s->drop == TCP_DROP_RECEIVE_BUFFER_FULL) {
        c->flags |= C_ACK_NOW;
    }
    return true;
}

/* RFC 7323 section 5.3 and 3.2. */
static bool check_timestamps(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    if (!c->nego.timestamps || s->h.flags & TCP_RST) {
        return true;
    }
    if (!s->o.has_timestamps && e->config.accept_missing_timestamps) {
        return true;
    }
    if (!s->o.has_timestamps) {
        s->drop = TCP_DROP_TIMESTAMP_MISSING;
        return false;
    }
    if (paws_reject(e, c, s)) {
        s->drop = TCP_DROP_PAWS;
        answer_unacceptable(e, c, s);
        return false;
    }
    return true;
}

/* ---- second and fourth: RST and SYN ---- */

static enum tcp_rst_received reset_meaning(enum tcp_state state)
{
    switch (state) {
    case TCP_SYN_RECEIVED:
        return TCP_RST_RECEIVED_RST_IN_SYN_RECEIVED;
    case TCP_ESTABLISHED:
    case TCP_CLOSE_WAIT:
        return TCP_RST_RECEIVED_RST_IN_ESTABLISHED;
    case TCP_TIME_WAIT:
        return TCP_RST_RECEIVED_RST_IN_TIME_WAIT;
    default:
        return TCP_RST_RECEIVED_RST_WHILE_CLOSING;
    }
}

/* RFC 5961 section 3.2 (U-9): only a reset at RCV.NXT counts, any other in the window is
 * challenged. */
static void input_reset(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    enum tcp_state state = c->t.rec.state;
    if (!seq_eq(s->h.seq, c->rcv.nxt)) {
        s->drop = TCP_DROP_RST_CHALLENGED;
        challenge_ack(e, c, s->now);
        return;
    }
    if (state == TCP_TIME_WAIT && c->options->v.rfc1337) {
        s->drop = TCP_DROP_TIME_WAIT_RST;
        return;
    }
    enum tcp_rst_received meaning = reset_meaning(state);
    e->counters.rsts_received[meaning]++;
    e->counters.in_rsts++;
    c->rst_received = (uint8_t)meaning;
    /* An active SYN-RECEIVED: "connection refused" (MUST-11); after both FINs, the peer's reset
     * takes nothing away. */
    bool done = state == TCP_TIME_WAIT || state == TCP_CLOSING || state == TCP_LAST_ACK;
    tcb_closed(e, c, s->now,
               state == TCP_SYN_RECEIVED && !(c->flags & C_PASSIVE) ? TCP_CLOSE_REFUSED
               : done && !tcb_buffered(c)                           ? TCP_CLOSE_NORMAL
                                                                    : TCP_CLOSE_RESET_BY_PEER);
}

/* ---- fifth: the ACK ---- */

void established_enter(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    state_set(e, &c->t.rec, TCP_ESTABLISHED, s->now, TCP_CLOSE_NONE);
    fast_open_settled(e, c, s->now, false);
    c->established = s->now;
    c->uto_due = c->options->v.uto;
    metrics_apply(e, c, s->now);
    c->rcv.adv = seq_max(c->rcv.adv, c->rcv.nxt);
    c->rtt.backoff = 0; /* RFC 6298 (5.7): the RTO begins anew with the data */
    c->rtt.timeouts = 0;
    tcb_rtx_stop(c);
    if (tcb_outstanding(c)) { /* data of the SYN, or sent behind a SYN,ACK (RFC 7413) */
        rto_restart(c, s->now);
    }
    c->flags &= ~(uint32_t)(C_R1_TOLD | C_NEIGHBOUR_PENDING | C_LOCAL_DROP);
    if (e->config.piggyback_acks && !(c->flags & C_PASSIVE) && tcb_unsent(c)) {
        c->rcv.quick = 0;
    }
    keepalive_restart(e, c, s->now);
    if (c->flags & C_FIN_QUEUED) { /* CLOSE came before */
        state_set(e, &c->t.rec, TCP_FIN_WAIT_1, s->now, TCP_CLOSE_NONE);
    }
    ready_tcb(e, c, TCP_READY_CONNECTED | TCP_READY_WRITE);
    tcb_touch(e, c);
    tcb_fold(e, c);
}

void syn_acknowledged(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                      struct rtxq_delta *delta)
{
    if (c->act) {
        rtxq_ack(&c->act->rtxq, &e->run_slab, s->h.ack, delta);
        sndbuf_trim(&c->act->snd, e->arena, seq_dist(s->h.ack, seq_add(c->snd.iss, 1)));
        fast_open_answered(e, c, s);
        c->act->oldest_unacked = s->now;
    }
    c->snd.una = s->h.ack;
}

/* SYN-RECEIVED: SND.UNA < SEG.ACK =< SND.NXT completes the handshake. An old segment was answered
 * with an ACK already (first, the sequence number): it gets no reset. */
static bool syn_received_ack(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    if (!seq_gt(s->h.ack, c->snd.una) || !seq_le(s->h.ack, c->snd.nxt)) {
        if (seq_lt(s->seq, c->rcv.nxt)) {
            return false;
        }
        s->drop = TCP_DROP_SYN_RECEIVED_BAD_ACK;
        reset_for_segment(e, s, TCP_RST_SENT_BAD_ACK_IN_SYN_RECEIVED);
        return false;
    }
    struct rtxq_delta delta = {0};
    syn_acknowledged(e, c, s, &delta);
    if (delta.has_rtt) {
        rtt_sample(c, time_diff(s->now, delta.rtt_sent));
    }
    c->snd.wl1 = seq_sub(s->seq, 1); /* older than this segment: its window counts */
    c->snd.wl2 = s->h.ack;
    established_enter(e, c, s);
    window_from_segment(e, c, s);
    return true;
}

/* ---- sixth: URG ---- */

/* MUST-30 to MUST-33, RFC 6093: the pointer only moves forward; the data stay in line. */
static void input_urgent(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (!(s->h.flags & TCP_URG) || c->flags & C_FIN_RECEIVED) {
        return;
    }
    uint32_t past = c->options->v.urgent_mode == TCP_URGENT_BSD ? s->h.urgent + 1u : s->h.urgent;
    tcp_seq up = seq_add(s->h.seq, past);
    tcp_seq read = seq_add(c->rcv.irs, 1 + (uint32_t)c->rcv.read);
    if (!seq_gt(up, read) || (c->flags & C_URGENT_RECEIVED && !seq_gt(up, c->rcv.up))) {
        return;
    }
    c->rcv.up = up;
    c->flags |= C_URGENT_RECEIVED;
    e->counters.urgent_received++;
    ready_tcb(e, c, TCP_READY_URGENT | TCP_READY_READ);
}

/* ---- seventh: text ---- */

static bool receives_text(enum tcp_state s)
{
    return s == TCP_SYN_RECEIVED || s == TCP_ESTABLISHED || s == TCP_FIN_WAIT_1 ||
           s == TCP_FIN_WAIT_2;
}

static bool rcvq_need(struct tcp_engine *e, struct tcb *c)
{
    if (!c->rcvq) {
        c->rcvq = slab_alloc(&e->rcvq_slab);
        if (c->rcvq) {
            rcvq_init(c->rcvq, c->rcv.nxt);
        }
    }
    return c->rcvq;
}

/* When to acknowledge what was just received: at once in the first segments, at every second
 * full-sized one (SHLD-19), when a hole is filled or made (RFC 5681 section 4.2); else a little
 * later (SHLD-18, MUST-40). */
static void schedule_ack(struct tcb *c, const struct segment *s, const struct rcvq_result *r)
{
    uint32_t wire = s->rx->gso_size ? s->rx->gso_size : s->payload;
    if (wire > c->rcv.mss) {
        c->rcv.mss = wire > 65535 ? 65535 : (uint16_t)wire;
    }
    bool hole = r->filled_hole || r->out_of_order || (c->rcvq && c->rcvq->ooo_bytes);
    if (c->rcv.quick) {
        c->rcv.quick = c->rcv.quick > s->segs ? (uint8_t)(c->rcv.quick - s->segs) : 0;
        c->flags |= C_ACK_NOW;
    } else if (hole || !c->options->v.delayed_ack_ns ||
               seq_dist(c->rcv.nxt, c->rcv.ack_sent) >= 2u * c->rcv.mss) {
        c->flags |= C_ACK_NOW;
    } else if (time_is_never(c->t_delack)) {
        c->t_delack = time_add(s->now, c->options->v.delayed_ack_ns);
    }
    if (hole && !c->nego.sack && r->out_of_order) {
        uint32_t due = c->rcv.dup_acks_due + s->segs;
        c->rcv.dup_acks_due = due > 1000 ? 1000 : (uint16_t)due;
    }
}

static void account_text(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                         const struct rcvq_result *r)
{
    e->counters.receive_copied_bytes += r->copied;
    e->counters.in_bytes += r->advanced;
    if (r->out_of_order) {
        e->counters.ooo_segments += s->segs;
    }
    if (!seq_eq(r->duplicate.start, r->duplicate.end)) {
        e->counters.duplicate_segments += s->segs;
        if (c->nego.sack) {
            c->rcv.dsack = r->duplicate;
        }
    }
    if (r->advanced) {
        c->rcv.last_len = r->advanced;
        c->rcv.nxt = seq_add(c->rcv.nxt, r->advanced);
        tune_received(e, c, s);
        ready_tcb(e, c, TCP_READY_READ);
    }
}

/* SHLD-3: nobody will ever read this. */
static void refuse_text(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    s->drop = TCP_DROP_DATA_AFTER_CLOSE;
    reset_for_segment(e, s, TCP_RST_SENT_DATA_AFTER_CLOSE); /* at the peer's RCV.NXT (RFC 5961) */
    tcb_closed(e, c, s->now, TCP_CLOSE_DATA_AFTER_CLOSE);
}

/* False: the connection ended. */
static bool input_text(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    if (!s->data) {
        return true;
    }
    if (!receives_text(c->t.rec.state)) {
        s->drop = TCP_DROP_DATA_AFTER_FIN;
        c->flags |= C_ACK_NOW;
        return true;
    }
    if (c->flags & C_RECEIVE_CLOSED) {
        refuse_text(e, c, s);
        return false;
    }
    if (c->flags & C_FIN_AHEAD && seq_gt(seq_add(s->seq, s->data), c->rcv.fin)) {
        uint32_t room = seq_gt(c->rcv.fin, s->seq) ? seq_dist(c->rcv.fin, s->seq) : 0;
        s->data = room;
        s->fin = false;
        s->drop = TCP_DROP_DATA_AFTER_FIN;
    }
    struct rcvq_result r = {0};
    if (!rcvq_need(e, c)) {
        s->drop = TCP_DROP_NO_MEMORY;
        s->fin = false;
        return true;
    }
    c->rcvq->budget = rcv_budget(c, s->data);
    rcvq_insert(c->rcvq, &e->piece_slab, e->pool, s->seq, s->rx->pkt, s->data_offset, s->data, &r);
    if (r.drop) {
        s->drop = r.drop;
        s->fin = s->fin && r.drop == TCP_DROP_OLD_DUPLICATE;
        c->flags |= C_ACK_NOW;
    }
    account_text(e, c, s, &r);
    schedule_ack(c, s, &r);
    return true;
}

void connection_text(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    input_text(e, c, s);
}

/* ---- eighth: FIN ---- */

/* Nothing is lost when the ACK of a bare FIN waits as that of text does: the user may close, too,
 * and answer with it. One that completes the handshake does not wait. */
static bool fin_ack_waits(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                          bool with_text)
{
    return e->config.delay_fin_acks && !with_text && c->t.rec.state == TCP_ESTABLISHED &&
           c->options->v.delayed_ack_ns && seq_dist(c->rcv.nxt, c->rcv.irs) > 1 &&
           time_diff(now, c->established) > 0;
}

static void fin_in_order(struct tcp_engine *e, struct tcb *c, ackd_time now, bool with_text)
{
    if (!fin_ack_waits(e, c, now, with_text)) {
        c->flags |= C_ACK_NOW;
    } else if (time_is_never(c->t_delack)) {
        c->t_delack = time_add(now, c->options->v.delayed_ack_ns);
    }
    if (with_text) { /* the sum behind our ACK: the text and its FIN are one segment */
        c->rcv.last_len++;
    } else {
        c->rcv.last_len = 1;
    }
    c->rcv.nxt = seq_add(c->rcv.nxt, 1);
    c->rcv.adv = seq_max(c->rcv.adv, c->rcv.nxt);
    c->flags = (c->flags | C_FIN_RECEIVED) & ~(uint32_t)C_FIN_AHEAD;
    tcb_touch(e, c);
    ready_tcb(e, c, TCP_READY_READ);
    switch (c->t.rec.state) {
    case TCP_ESTABLISHED:
        state_set(e, &c->t.rec, TCP_CLOSE_WAIT, now, TCP_CLOSE_NONE);
        break;
    case TCP_FIN_WAIT_1: /* our FIN was acknowledged before, or it is a simultaneous close (U-6) */
        state_set(e, &c->t.rec, TCP_CLOSING, now, TCP_CLOSE_NONE);
        break;
    case TCP_FIN_WAIT_2:
        time_wait_enter(e, c, now);
        break;
    default:
        break;
    }
}

/* A FIN in front of data that were received, or another than the one before, is not the stream's
 * end: it would never come in order. */
static bool fin_contradicts(const struct tcb *c, tcp_seq at)
{
    return (c->flags & C_FIN_AHEAD && !seq_eq(at, c->rcv.fin)) ||
           (c->rcvq && seq_lt(at, rcvq_end(c->rcvq)));
}

static void input_fin(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    if (s->fin && receives_text(c->t.rec.state)) {
        tcp_seq at = seq_add(s->seq, s->data);
        if (fin_contradicts(c, at)) {
            s->drop = TCP_DROP_DATA_AFTER_FIN;
            c->flags |= C_ACK_NOW;
        } else { /* in order, or beyond a hole */
            c->rcv.fin = at;
            c->flags |= C_FIN_AHEAD | (seq_eq(at, c->rcv.nxt) ? 0 : C_ACK_NOW);
        }
    } else if (s->fin && c->t.rec.state == TCP_TIME_WAIT) {
        c->flags |= C_ACK_NOW; /* fifth, in TIME-WAIT: a FIN is acknowledged */
    }
    if (c->flags & C_FIN_AHEAD && seq_eq(c->rcv.fin, c->rcv.nxt)) {
        fin_in_order(e, c, s->now, s->data > 0);
    }
}

/* ---- all eight ---- */

/* A SYN in a synchronized state is challenged wherever it lies (RFC 5961 section 4); the SYN,ACK of
 * a simultaneous open is our peer's half of the handshake. */
static bool check_syn(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    if (!(s->h.flags & TCP_SYN) || !s->syn || s->h.flags & TCP_RST) {
        return true;
    }
    if (c->t.rec.state == TCP_SYN_RECEIVED && seq_eq(s->h.seq, c->rcv.irs)) {
        if (s->h.flags & TCP_ACK) {
            accecn_syn_ack_again(c, s);
            c->flags |= C_ACK_NOW;
            return true;
        }
        s->drop = TCP_DROP_OLD_DUPLICATE; /* our SYN,ACK got lost */
        if (!ecn_syn_again(&c->options->v, &c->nego, s)) {
            reset_for_segment(e, s, TCP_RST_SENT_ECN_FORMS_MIXED);
            tcb_closed(e, c, s->now, TCP_CLOSE_ECN_FORMS_MIXED);
            return false;
        }
        c->ecn.send_not_ect |= c->nego.ecn_plain;
        struct rtx_run *syn = c->act ? rtxq_first(&c->act->rtxq) : NULL;
        if (syn) {
            rtxq_mark_lost(&c->act->rtxq, syn);
            c->flags |= C_RETRANSMIT_NOW;
            tcb_touch(e, c);
        }
        return false;
    }
    s->drop = TCP_DROP_SYN_CHALLENGED;
    challenge_ack(e, c, s->now);
    if (c->flags & C_CHALLENGE) {
        accecn_syn_ack_again(c, s);
    }
    return false;
}

void connection_input(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    s->id = c->t.rec.id;
    s->iss = c->snd.iss;
    s->irs = c->rcv.irs;
    s->wscale = s->h.flags & TCP_SYN ? 0 : c->nego.snd_wscale;
    c->segs_in += s->segs;
    c->rcv.last = coarse_of(s->now);
    c->rcv.dscp = s->rx->tos >> 2;
    keepalive_restart(e, c, s->now);
    tcb_touch(e, c);
    if (!check_syn(e, c, s) || !check_timestamps(e, c, s) || !check_sequence(e, c, s)) {
        return;
    }
    if (s->h.flags & TCP_RST) {
        input_reset(e, c, s);
        return;
    }
    if (!(s->h.flags & TCP_ACK)) {
        s->drop = TCP_DROP_ACK_MISSING;
        return;
    }
    if (c->t.rec.state == TCP_SYN_RECEIVED && !syn_received_ack(e, c, s)) {
        return;
    }
    if (!ack_input(e, c, s)) {
        return;
    }
    if (s->o.has_user_timeout) {
        uint16_t heard = user_timeout_heard(e, s);
        c->uto_remote = heard ? heard : c->uto_remote;
    }
    timestamp_update(c, s); /* not before: who guesses an ACK must not set TS.Recent */
    ecn_received(e, c, s);
    input_urgent(e, c, s);
    if (input_text(e, c, s)) {
        input_fin(e, c, s);
    }
}
