/* SEGMENT ARRIVES (RFC 9293 section 3.10.7): what every segment passes before a state looks at it,
 * and the states before synchronization. listen.c has LISTEN and half-open connections,
 * connection.c the synchronized states, time_wait.c TIME-WAIT. */
#include "tcp/tcb.h"
#include "wire/checksum.h"

static bool checksum_right(const struct tcp_rx *rx, const uint8_t *bytes)
{
    uint64_t sum = tcp_pseudo_sum(&rx->src, &rx->dst, rx->length);
    return checksum_fold(checksum_add(sum, bytes, rx->length)) == 0xffff;
}

/* MUST-63: nobody can be the peer at such an address. */
static bool source_invalid(const struct ip_addr *src)
{
    return ip_addr_is_unspecified(src) || ip_addr_is_multicast(src) ||
           ip_addr_is_limited_broadcast(src);
}

/* Header, checksum, addresses; false with s->drop. */
static bool segment_check(struct tcp_engine *e, struct segment *s)
{
    const struct tcp_rx *rx = s->rx;
    if (!tcp_hdr_parse(s->bytes, rx->length, &s->h)) {
        s->drop =
            rx->length < TCP_HEADER_MIN ? TCP_DROP_HEADER_TRUNCATED : TCP_DROP_BAD_DATA_OFFSET;
    } else if (!rx->checksum_ok && !checksum_right(rx, s->bytes)) {
        s->drop = TCP_DROP_BAD_CHECKSUM;
    } else if (source_invalid(&rx->src)) {
        s->drop = TCP_DROP_INVALID_SOURCE;
    } else if (rx->to_group || ip_addr_is_multicast(&rx->dst) ||
               ip_addr_is_limited_broadcast(&rx->dst)) {
        s->drop = TCP_DROP_BROADCAST_OR_MULTICAST;
    }
    if (s->drop == TCP_DROP_HEADER_TRUNCATED || s->drop == TCP_DROP_BAD_DATA_OFFSET ||
        s->drop == TCP_DROP_BAD_CHECKSUM) {
        e->counters.in_errs++;
    }
    return s->drop == TCP_DROP_NONE;
}

static void segment_fill(struct tcp_engine *e, struct segment *s)
{
    const struct tcp_rx *rx = s->rx;
    tcp_opts_parse(s->bytes, &s->h, &s->o);
    if (s->o.malformed) {
        e->counters.malformed_options++;
    }
    s->tuple = (struct tcp_tuple){rx->dst, rx->src, s->h.dport, s->h.sport};
    s->seq = s->h.seq;
    s->payload = s->data = rx->length - s->h.header_len;
    s->data_offset = rx->offset + s->h.header_len;
    s->syn = s->h.flags & TCP_SYN;
    s->fin = s->h.flags & TCP_FIN;
    s->psh = s->h.flags & TCP_PSH;
    s->segs = rx->gso_size && s->payload ? (s->payload + rx->gso_size - 1) / rx->gso_size : 1;
    e->counters.in_segs += s->segs;
}

/* Section 3.10.7.1 (U-1). */
void closed_input(struct tcp_engine *e, struct segment *s)
{
    s->drop = TCP_DROP_NO_CONNECTION;
    reset_for_segment(e, s, TCP_RST_SENT_NO_CONNECTION);
}

static void unconnected_input(struct tcp_engine *e, struct segment *s)
{
    struct listener *l = listener_lookup(e, &s->tuple);
    if (l) {
        listen_input(e, l, s);
    } else {
        closed_input(e, s);
    }
}

/* A SYN that is newer than the connection in TIME-WAIT ends it (MAY-2, RFC 6191), when somebody
 * listens. */
static bool time_wait_gives_way(struct tcp_engine *e, struct rec *r, struct segment *s)
{
    const struct listener *l = r->state == TCP_TIME_WAIT ? listener_lookup(e, &s->tuple) : NULL;
    if (!l) {
        return false;
    }
    bool timestamps = l->options->v.timestamps && s->o.has_timestamps;
    if (r->kind == REC_TIME_WAIT) {
        struct time_wait *tw = (struct time_wait *)(void *)r;
        if (!time_wait_reusable(s, tw->rcv_nxt, tw->ts_recent, tw->t.rec.timestamps, timestamps)) {
            return false;
        }
        s->beyond = tw->snd_nxt;
        time_wait_remove(e, tw, s->now, TCP_CLOSE_TIME_WAIT_REUSED);
    } else {
        struct tcb *c = tcb_of_rec(r);
        if (!time_wait_reusable(s, c->rcv.nxt, c->ts_recent, c->nego.timestamps, timestamps)) {
            return false;
        }
        s->beyond = c->snd.nxt;
        tcb_closed(e, c, s->now, TCP_CLOSE_TIME_WAIT_REUSED);
    }
    s->succeeds = true;
    e->counters.time_wait_reuses++;
    return true;
}

static void dispatch(struct tcp_engine *e, struct segment *s)
{
    struct rec *r = rec_lookup(e, &s->tuple);
    if (!auth_input(e, r, s)) {
        return;
    }
    if (!r || time_wait_gives_way(e, r, s)) {
        unconnected_input(e, s);
        return;
    }
    s->id = r->id;
    switch (r->kind) {
    case REC_HALF_OPEN:
        half_open_input(e, (struct half_open *)(void *)r, s);
        return;
    case REC_TIME_WAIT:
        time_wait_input(e, (struct time_wait *)(void *)r, s);
        return;
    default:
        if (r->state == TCP_SYN_SENT) {
            syn_sent_input(e, tcb_of_rec(r), s);
        } else {
            connection_input(e, tcb_of_rec(r), s);
        }
    }
}

void tcp_input(struct tcp_engine *e, ackd_time now, const struct tcp_rx *rx)
{
    struct segment s = {.rx = rx, .now = now, .bytes = rx->pkt->data + rx->offset};
    e->counters.in_frames++;
    if (!segment_check(e, &s)) {
        e->counters.in_segs++;
    } else {
        segment_fill(e, &s);
        dispatch(e, &s);
        event_segment_in(e, &s);
    }
    if (s.drop) {
        e->counters.drops[s.drop]++;
    }
    door_close(e);
}

/* ---- SYN-SENT, section 3.10.7.3 ---- */

/* Fourth: the peer's SYN. */
static void syn_sent_syn(struct tcp_engine *e, struct tcb *c, struct segment *s,
                         bool ack_acceptable)
{
    uint32_t offered = rcv_window(c); /* by our SYN */
    c->rcv.irs = s->h.seq;
    c->rcv.nxt = c->rcv.ack_sent = seq_add(s->h.seq, 1);
    c->rcv.adv = seq_add(c->rcv.nxt, offered);
    c->rcv.last_len = 1;
    negotiate_from_syn(s, &c->nego);
    if (ack_acceptable) {
        accecn_path_answered(e, c, s);
    }
    c->nego.ecn = (uint8_t)(ack_acceptable ? ecn_from_syn_ack(c->nego.ecn, s->h.flags)
                                           : ecn_from_syn(&c->options->v, s->h.flags));
    ecn_agreed(e, c, ack_acceptable);
    c->uto_remote = user_timeout_heard(e, s);
    if (c->nego.timestamps) {
        c->ts_recent = s->o.tsval;
        c->ts_recent_at = coarse_of(s->now);
    }
    c->snd.wl1 = s->h.seq;
    c->snd.wl2 = s->h.ack;
    if (ack_acceptable) {
        struct rtxq_delta delta = {0};
        syn_acknowledged(e, c, s, &delta);
        if (delta.has_rtt) {
            rtt_sample(c, time_diff(s->now, delta.rtt_sent));
        } else {
            c->flags |= C_RTO_3S;
        }
        c->snd.wnd = c->snd.max_wnd = s->h.window; /* the window of a SYN is not scaled */
        cc_init(c, delta.retrans_acked);
        accecn_syn_ack_heard(e, c, s);
        established_enter(e, c, s);
        s->syn = false;
        s->seq = seq_add(s->seq, 1);
        c->flags |= C_ACK_NOW;
        tcb_touch(e, c);
        if (s->data || s->fin) {
            connection_input(e, c, s);
        }
        return;
    }
    /* Simultaneous open (MUST-10): our SYN goes again, now with an ACK. */
    c->snd.wnd = c->snd.max_wnd = s->h.window;
    cc_init(c, false);
    state_set(e, &c->t.rec, TCP_SYN_RECEIVED, s->now, TCP_CLOSE_NONE);
    struct rtx_run *syn = rtxq_first(&c->act->rtxq);
    if (syn) {
        rtxq_mark_lost(&c->act->rtxq, syn);
    }
    c->flags |= C_RETRANSMIT_NOW;
    tcb_touch(e, c);
}

void syn_sent_input(struct tcp_engine *e, struct tcb *c, struct segment *s)
{
    bool ack = s->h.flags & TCP_ACK;
    bool acceptable = ack && seq_gt(s->h.ack, c->snd.iss) && seq_le(s->h.ack, c->snd.nxt);
    s->iss = c->snd.iss;
    s->irs = s->h.seq;
    c->segs_in += s->segs;
    c->rcv.last = coarse_of(s->now);
    if (ack && !acceptable) { /* first */
        s->drop = TCP_DROP_SYN_SENT_BAD_ACK;
        reset_for_segment(e, s, TCP_RST_SENT_BAD_ACK_IN_SYN_SENT);
        return;
    }
    if (s->h.flags & TCP_RST) { /* second */
        if (!ack) {
            s->drop = TCP_DROP_SYN_SENT_RST_WITHOUT_ACK;
            return;
        }
        e->counters.rsts_received[TCP_RST_RECEIVED_RST_IN_SYN_SENT]++;
        e->counters.in_rsts++;
        c->rst_received = TCP_RST_RECEIVED_RST_IN_SYN_SENT;
        tcb_closed(e, c, s->now, TCP_CLOSE_REFUSED);
        return;
    }
    if (!s->syn) { /* fifth */
        s->drop = TCP_DROP_SYN_SENT_NO_SYN;
        return;
    }
    syn_sent_syn(e, c, s, acceptable);
}
