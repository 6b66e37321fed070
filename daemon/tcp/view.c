/* STATUS (RFC 9293 section 3.9.1.6) and more: what can be seen of an endpoint, one function for
 * `show`, the RPCs and TCP_INFO alike; and the listing. */
#include "tcp/tcb.h"

#include <errno.h>
#include <string.h>

static void view_head(const struct rec *r, struct tcp_info *i)
{
    memset(i, 0, sizeof *i);
    i->id = r->id;
    i->state = r->state;
    i->tuple = r->tuple;
    i->srtt_ns = i->rttvar_ns = i->min_rtt_ns = i->rcv_rtt_ns = i->rack_rtt_ns =
        i->remote_user_timeout_ns = -1;
    i->established_ns = i->last_received_ns = i->last_sent_ns = i->rto_deadline_ns =
        i->persist_deadline_ns = i->delack_deadline_ns = i->keepalive_deadline_ns =
            i->loss_timer_deadline_ns = i->user_timeout_deadline_ns = i->time_wait_deadline_ns =
                TIME_NEVER.ns;
}

static void view_listener(const struct listener *l, struct tcp_info *i)
{
    i->owner = l->owner;
    i->cookie = l->cookie;
    i->recv_q_bytes = l->queued;
    i->send_q_bytes = l->backlog;
    i->rcv_buffer_bytes = l->options->v.rcv_buffer;
    i->snd_buffer_bytes = l->options->v.snd_buffer;
    i->created_ns = l->created.ns;
    i->passive = true;
}

static void view_half_open(const struct half_open *h, struct tcp_info *i)
{
    i->listener = h->listener;
    i->limit = TCP_LIMIT_HANDSHAKE;
    i->passive = true;
    i->iss = i->snd_una = h->iss.v;
    i->irs = h->irs.v;
    i->snd_nxt = h->iss.v + 1;
    i->rcv_nxt = h->irs.v + 1;
    i->peer_mss_bytes = h->nego.peer_mss;
    i->path_mtu_bytes = h->mtu;
    i->sack_ok = h->nego.sack;
    i->timestamps_ok = h->nego.timestamps;
    i->wscale_ok = h->nego.wscale;
    i->snd_wscale = h->nego.snd_wscale;
    i->rcv_wscale = h->nego.rcv_wscale;
    i->ts_recent = h->ts_recent;
    i->backoff = h->transmissions - 1u;
    i->rto_deadline_ns = h->t.timer.deadline.ns;
}

static void view_time_wait(const struct time_wait *tw, ackd_time now, struct tcp_info *i)
{
    i->limit = TCP_LIMIT_CLOSED;
    i->snd_una = i->snd_nxt = tw->snd_nxt.v;
    i->rcv_nxt = tw->rcv_nxt.v;
    i->ts_recent = tw->ts_recent;
    i->timestamps_ok = tw->t.rec.timestamps;
    i->bytes_sent = i->bytes_acked = time_wait_sent(tw);
    i->bytes_received = i->bytes_read = time_wait_received(tw);
    i->created_ns = time_wait_created(tw, now).ns;
    i->time_wait_deadline_ns = tw->t.timer.deadline.ns;
    i->released = i->fin_sent = i->fin_received = true;
}

static void view_queues(const struct tcb *c, struct tcp_info *i)
{
    i->owner = c->owner;
    i->cookie = c->cookie;
    i->listener = c->listener;
    i->close_reason = c->close_reason;
    i->error = c->close_reason ? tcp_close_errno(c->close_reason) : 0;
    i->limit = c->limit;
    i->congestion = c->flow ? c->flow->congestion : c->options->v.congestion;
    i->recv_q_bytes = c->rcvq ? c->rcvq->ready : 0;
    i->send_q_bytes = tcb_buffered(c);
    i->passive = c->flags & C_PASSIVE;
    i->released = c->flags & C_RELEASED;
}

static void view_sequence(const struct tcb *c, struct tcp_info *i)
{
    i->iss = c->snd.iss.v;
    i->irs = c->rcv.irs.v;
    i->snd_una = c->snd.una.v;
    i->snd_nxt = c->snd.nxt.v;
    i->snd_wnd = c->snd.wnd;
    i->snd_max_wnd = c->snd.max_wnd;
    i->snd_wl1 = c->snd.wl1.v;
    i->snd_wl2 = c->snd.wl2.v;
    i->snd_up = c->flags & C_URGENT_SENT ? c->act->up.v : c->snd.una.v;
    i->rcv_nxt = c->rcv.nxt.v;
    i->rcv_wnd = rcv_window(c);
    i->rcv_up = c->rcv.up.v;
    i->rcv_space_bytes = rcv_space(c);
    i->rcv_buffer_bytes = rcv_buffer(c);
    i->snd_buffer_bytes = snd_buffer(c);
    i->rcv_rtt_ns = tcb_tuning(c) ? tcb_tuning(c)->rtt_ns : -1;
    i->ooo_bytes = c->rcvq ? c->rcvq->ooo_bytes : 0;
    i->snd_wscale = c->nego.snd_wscale;
    i->rcv_wscale = c->nego.rcv_wscale;
    i->snd_mss_bytes = send_mss(c);
    i->peer_mss_bytes = c->nego.peer_mss;
    i->adv_mss_bytes = c->rcv.adv_mss;
    i->path_mtu_bytes = c->mtu;
    bool agreed = c->t.rec.state > TCP_SYN_SENT || !time_is_never(c->established);
    i->sack_ok = agreed && c->nego.sack;
    i->timestamps_ok = agreed && c->nego.timestamps;
    i->wscale_ok = agreed && c->nego.wscale;
    i->ts_recent = c->ts_recent;
    i->ecn_ok = agreed && c->nego.ecn == ECN_CLASSIC;
    i->accecn_ok = agreed && c->nego.ecn == ECN_ACCURATE;
    i->accecn_withheld = c->ecn.withheld;
    i->ect_stopped = agreed && c->nego.ecn != ECN_NONE && c->ecn.send_not_ect;
    i->ecn_mangled = c->ecn.mangled;
    if (tcb_accecn(c)) {
        i->ce_packets = tcb_accecn(c)->received.packets - ACCECN_PACKETS_START;
        i->echoed_ce_packets = tcb_accecn(c)->echoed.packets - ACCECN_PACKETS_START;
        i->received_ect0_bytes = tcb_accecn(c)->received.bytes[0] - 1; /* they start there */
        i->received_ce_bytes = tcb_accecn(c)->received.bytes[1];
        i->received_ect1_bytes = tcb_accecn(c)->received.bytes[2] - 1;
        i->echoed_ect0_bytes = tcb_accecn(c)->echoed.bytes[0] - 1;
        i->echoed_ce_bytes = tcb_accecn(c)->echoed.bytes[1];
        i->echoed_ect1_bytes = tcb_accecn(c)->echoed.bytes[2] - 1;
    }
    i->fin_sent = c->flags & C_FIN_SENT;
    i->fin_received = c->flags & C_FIN_RECEIVED;
    i->received_dscp = c->rcv.dscp;
    i->urgent_pending = c->flags & C_URGENT_RECEIVED;
    i->user_timeout_ns = user_timeout_ns(c);
    i->remote_user_timeout_ns = user_timeout_remote_ns(c);
    i->syn_data_taken = c->fast_open & FAST_OPEN_TAKEN;
}

static void view_sending(const struct tcb *c, struct tcp_info *i)
{
    i->cwnd_bytes = tcb_cwnd(c);
    i->ssthresh_bytes = c->flow ? c->flow->cc.ssthresh : UINT32_MAX;
    i->in_recovery = recovery_repairing(c);
    if (c->act) {
        i->bytes_in_flight = rtxq_pipe(&c->act->rtxq);
        i->sacked_bytes = c->act->rtxq.sacked;
        i->lost_bytes = c->act->rtxq.lost;
        i->retransmitting_bytes = c->act->rtxq.retrans;
        i->rtx_runs = c->act->rtxq.runs;
    }
    i->pacing_rate_bytes_per_s = pacing_rate(c);
    if (c->flow) {
        const struct recovery *r = &c->flow->recovery;
        i->rack_rtt_ns = r->rack ? r->rack_rtt_ns : -1;
        i->reo_wnd_ns = recovery_reo_wnd(c);
        i->loss_timer_deadline_ns = c->act ? c->act->flight.t_loss.ns : TIME_NEVER.ns;
        i->loss_probes = r->probes;
        i->dsacks = r->dsacks;
        i->undos = r->undos;
        i->reordering_seen = r->reordering_seen;
        i->reorderings = r->reorderings;
        i->reordering_segments = r->reordering;
        i->dup_acks = c->flow->cc.dup_acks;
        i->in_cwr = c->flow->cc.state == RECOVERY_CWR;
        i->bytes_retransmitted = c->flow->retransmitted_bytes;
        i->delivered_bytes = c->flow->rate.delivered;
        i->delivery_rate_bytes_per_s = c->flow->rate.bytes_per_s;
        i->delivery_app_limited = c->flow->rate.sample_app_limited;
    }
    i->srtt_ns = c->rtt.srtt_ns;
    i->rttvar_ns = c->rtt.rttvar_ns;
    i->min_rtt_ns = tcb_min_rtt_ns(c);
    i->rto_ns = rto_ns(c);
    i->backoff = c->rtt.backoff;
    i->keepalive_probes = c->extras ? c->extras->keepalive_probes : 0;
    i->soft_error = c->soft_error;
    i->bytes_sent = c->snd.sent;
    i->bytes_acked = tcb_accepted(c) - tcb_buffered(c);
    i->bytes_received = tcb_received(c);
    i->bytes_read = c->rcv.read;
    i->segs_out = c->segs_out;
    i->segs_in = c->segs_in;
    i->retransmits = c->rtt.retransmits;
}

static void view_times(const struct tcb *c, ackd_time now, struct tcp_info *i)
{
    i->created_ns = c->created.ns;
    i->established_ns = c->established.ns;
    i->last_received_ns = coarse_start(c->rcv.last, now).ns;
    i->last_sent_ns = coarse_start(c->snd.last, now).ns;
    *(tcb_outstanding(c) ? &i->rto_deadline_ns : &i->persist_deadline_ns) = tcb_rtx(c).ns;
    i->delack_deadline_ns = c->t_delack.ns;
    i->keepalive_deadline_ns = tcb_keepalive(c).ns;
    i->user_timeout_deadline_ns =
        c->t.rec.state == TCP_CLOSED ? TIME_NEVER.ns : user_timeout_deadline(c).ns;
    i->time_wait_deadline_ns = c->t_state.ns;
    clocks_read(c, now, i->limited_ns);
}

static void view_auth(const struct auth *a, struct tcp_info *i)
{
    const struct tcp_key *current = &a->use[a->current].key->v, *next = &a->use[a->next].key->v;
    i->auth_algorithm = (uint8_t)current->algorithm;
    i->auth_key = current->number;
    i->auth_next_key = next->number;
    i->auth_send_id = current->send_id;
    i->auth_next_id = next->receive_id;
    if (current->algorithm != TCP_KEY_MD5) {
        i->snd_sne = sne_of(&a->snd, seq_of(i->snd_nxt));
        i->rcv_sne = a->irs_known ? sne_of(&a->rcv, seq_of(i->rcv_nxt)) : 0;
    }
    i->auth_failures = a->failures;
    i->auth_key_changes = a->key_changes;
}

static void view_rec(struct rec *r, ackd_time now, bool full, struct tcp_info *i)
{
    view_head(r, i);
    switch (r->kind) {
    case REC_LISTENER:
        view_listener((const struct listener *)(const void *)r, i);
        break;
    case REC_HALF_OPEN:
        view_half_open((const struct half_open *)(const void *)r, i);
        break;
    case REC_TIME_WAIT:
        view_time_wait((const struct time_wait *)(const void *)r, now, i);
        break;
    default: {
        const struct tcb *c = (const struct tcb *)(const void *)r;
        view_queues(c, i);
        if (full) {
            view_sequence(c, i);
            view_sending(c, i);
            view_times(c, now, i);
        }
    }
    }
    const struct auth *a =
        full && r->kind != REC_LISTENER ? auth_of((struct timed *)(void *)r) : NULL;
    if (a) {
        view_auth(a, i);
    }
}

int tcp_status(struct tcp_engine *e, ackd_time now, uint64_t id, bool full, struct tcp_info *i)
{
    struct rec *r = rec_find(e, id);
    if (!r) {
        return -EBADF;
    }
    view_rec(r, now, full, i);
    return 0;
}

/* ---- the listing ---- */

uint64_t tcp_next_id(const struct tcp_engine *e, uint64_t after)
{
    const struct rec *r = rec_next(e, after);
    return r ? r->id : 0;
}

unsigned tcp_closed_list(struct tcp_engine *e, uint64_t *position, struct tcp_closed *out,
                         unsigned max)
{
    unsigned n = 0;
    uint64_t oldest =
        e->closed_count > e->config.closed_history ? e->closed_count - e->config.closed_history : 0;
    *position = *position < oldest ? oldest : *position;
    while (n < max && *position < e->closed_count) {
        out[n++] = e->closed[(*position)++ % e->config.closed_history];
    }
    return n;
}
