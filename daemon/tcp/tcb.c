/* A connection's memory: the core record, the activity block that comes and goes with
 * unacknowledged data, and the one wheel entry that follows the earliest of its deadlines.
 * Re-arming is lazy: a deadline that moves later leaves the entry where it is, and the entry finds
 * nothing due when it fires; only an earlier deadline moves it. An ACK per segment thus costs no
 * timer work. */
#include "tcp/isn.h"
#include "tcp/tcb.h"

#include <string.h>

struct tcb *tcb_new(struct tcp_engine *e, ackd_time now, const struct tcp_tuple *t,
                    struct shared_options *o, uint32_t mtu)
{
    struct tcb *c = slab_alloc(&e->tcb_slab);
    if (!c) {
        return NULL;
    }
    list_init(&c->out);
    list_init(&c->queue);
    wheel_entry_init(&c->t.timer);
    c->options = options_share(o);
    /* What follows from the family of the addresses is asked before the record is entered. */
    c->t.rec.tuple = *t;
    c->mtu = mtu_kept(mtu);
    c->rcv.adv_mss = mss_advertised(&o->v, &t->local, mtu);
    c->ts_offset = timestamp_offset(&e->ts_key, t);
    negotiate_offer(&o->v, &c->nego);
    c->nego.peer_mss = ip_addr_is_v4(&t->local) ? 536 : 1220; /* MUST-15 */
    c->rtt.srtt_ns = c->rtt.rttvar_ns = -1;
    c->rcv.quick = 16;
    c->limit = TCP_LIMIT_HANDSHAKE;
    c->t_delack = c->t_state = TIME_NEVER;
    c->created = now;
    c->established = TIME_NEVER;
    return c;
}

bool tcb_extras(struct tcp_engine *e, struct tcb *c)
{
    if (!c->extras) {
        c->extras = slab_alloc(&e->extras_slab);
        if (c->extras) {
            c->extras->t_keepalive = TIME_NEVER;
        }
    }
    return c->extras;
}

static void extras_free(struct tcp_engine *e, struct tcb *c)
{
    tuning_free(e, c);
    accecn_free(e, c);
    auth_free(e, &c->t);
    clocks_free(e, c);
    slab_free(&e->extras_slab, c->extras);
    c->extras = NULL;
}

bool tcb_activity(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (c->act) {
        return true;
    }
    struct activity *a = slab_alloc(&e->activity_slab);
    if (!a) {
        return false;
    }
    rtxq_init(&a->rtxq);
    sndbuf_init(&a->snd);
    a->t_rtx = a->flight.t_loss = TIME_NEVER;
    a->oldest_unacked = now;
    c->act = a;
    return true;
}

static void activity_free(struct tcp_engine *e, struct tcb *c)
{
    if (c->act) {
        marks_free(e, c);
        rtxq_clear(&c->act->rtxq, &e->run_slab);
        sndbuf_clear(&c->act->snd, e->arena);
        slab_free(&e->activity_slab, c->act);
        c->act = NULL;
        c->flags &= ~(uint32_t)(C_URGENT_SENT | C_FLUSHING_PUSH);
    }
}

void tcb_fold(struct tcp_engine *e, struct tcb *c)
{
    bool syn_unsent =
        seq_eq(c->snd.nxt, c->snd.iss) && c->t.rec.state != TCP_CLOSED; /* its run is to come */
    if (c->act && !c->act->snd.length && !c->act->rtxq.runs && !syn_unsent) {
        activity_free(e, c);
    }
    if (c->rcvq && !c->rcvq->ready && !c->rcvq->ooo_bytes) {
        rcvq_clear(c->rcvq, &e->piece_slab);
        slab_free(&e->rcvq_slab, c->rcvq);
        c->rcvq = NULL;
    }
}

void tcb_destroy(struct tcp_engine *e, struct tcb *c)
{
    wheel_set(timed_wheel(e, &c->t), &c->t.timer, TIME_NEVER);
    list_remove(&c->out);
    listener_accept_closed(e, c);
    list_remove(&c->queue);
    activity_free(e, c);
    if (c->rcvq) {
        rcvq_clear(c->rcvq, &e->piece_slab);
        slab_free(&e->rcvq_slab, c->rcvq);
        c->rcvq = NULL;
    }
    flow_free(e, c);
    extras_free(e, c);
    options_drop(e, c->options);
    c->options = NULL;
    if (c->t.rec.in_ids) { /* not replaced by a smaller record */
        rec_leave(e, &c->t.rec);
    }
    list_append(&e->dead, &c->out);
}

void tcb_touch(struct tcp_engine *e, struct tcb *c)
{
    if (list_empty(&c->out)) {
        list_append(&e->output, &c->out);
    }
}

ackd_time tcb_deadline(const struct tcb *c)
{
    ackd_time t =
        time_min(time_min(tcb_rtx(c), c->t_delack), time_min(c->t_state, tcb_keepalive(c)));
    t = c->act ? time_min(t, c->act->flight.t_loss) : t;
    t = c->limit == TCP_LIMIT_PACING && c->flow ? time_min(t, c->flow->next_send) : t;
    return time_min(t, user_timeout_deadline(c));
}

void tcb_arm(struct tcp_engine *e, struct tcb *c)
{
    ackd_time t = tcb_deadline(c);
    if (time_before(t, c->t.timer.deadline)) {
        wheel_set(timed_wheel(e, &c->t), &c->t.timer, t);
    }
}
