/* The user calls (RFC 9293 section 3.9.1, events of section 3.10.1 to 3.10.6): OPEN, SEND, RECEIVE,
 * CLOSE, ABORT, FLUSH. They check, change the record and mark work; nothing is sent before the next
 * flush. listen.c has the passive OPEN.
 *
 * CLOSE says "no more from us" and receiving goes on; giving the endpoint up is a call of its own,
 * tcp_release(), because only then do unread data mean a reset (SHLD-3). */
#include "tcp/isn.h"
#include "tcp/tcb.h"

#include <errno.h>

/* A connection that the user may still talk to. */
static struct tcb *held(struct tcp_engine *e, uint64_t id)
{
    struct tcb *c = tcb_find(e, id);
    return c && !(c->flags & C_RELEASED) ? c : NULL;
}

/* ---- OPEN (active), section 3.10.1 ---- */

/* MUST-46. */
static bool remote_valid(const struct tcp_tuple *t)
{
    const struct ip_addr *r = &t->remote;
    return t->remote_port && !ip_addr_is_none(r) && !ip_addr_is_unspecified(r) &&
           !ip_addr_is_multicast(r) && !ip_addr_is_limited_broadcast(r) &&
           ip_addr_is_v4(r) == ip_addr_is_v4(&t->local) && !ip_addr_is_none(&t->local);
}

/* A new connection may take the place of its predecessor in TIME-WAIT: its ISN is larger and its
 * timestamps are newer, so that both ends tell its segments from old ones. Without timestamps they
 * could not. */
static int succeed(struct tcp_engine *e, ackd_time now, const struct tcp_options *o, struct rec *r,
                   tcp_seq *iss)
{
    const struct time_wait *tw =
        r->kind == REC_TIME_WAIT ? (const struct time_wait *)(const void *)r : NULL;
    bool timestamps = tw ? tw->t.rec.timestamps : tcb_of_rec(r)->nego.timestamps;
    if (r->state != TCP_TIME_WAIT || !timestamps || !o->timestamps) {
        return -EADDRINUSE;
    }
    *iss = isn_beyond(*iss, tw ? tw->snd_nxt : tcb_of_rec(r)->snd.nxt);
    if (tw) {
        time_wait_remove(e, (struct time_wait *)(void *)r, now, TCP_CLOSE_TIME_WAIT_REUSED);
    } else {
        tcb_closed(e, tcb_of_rec(r), now, TCP_CLOSE_TIME_WAIT_REUSED);
    }
    e->counters.time_wait_reuses++;
    return 0;
}

/* The tuple and the ISN. */
static int open_tuple(struct tcp_engine *e, ackd_time now, const struct tcp_open_args *a,
                      struct tcp_tuple *t, tcp_seq *iss)
{
    *t = a->tuple;
    if (!remote_valid(t)) {
        return -EADDRNOTAVAIL;
    }
    if (!t->local_port && !ports_choose(&e->ports, t, tuple_is_free, e)) {
        return -EADDRNOTAVAIL;
    }
    *iss = isn_choose(&e->isn_key, t, now);
    struct rec *r = rec_lookup(e, t);
    if (r && r->kind == REC_HALF_OPEN) {
        return -EADDRINUSE;
    }
    return r ? succeed(e, now, a->options ? a->options : &e->defaults->v, r, iss) : 0;
}

/* A key that fits signs the connection. */
static int open_auth(struct tcp_engine *e, struct tcb *c)
{
    struct auth_key *k = keys_find(e, &c->t.rec.tuple, KEY_ANY, 0);
    if (!k) {
        return c->options->v.require_auth ? -ENOKEY : 0;
    }
    if (!tcb_extras(e, c)) {
        return -ENOBUFS;
    }
    c->extras->auth = auth_new(e, c->t.rec.id, k, c->snd.iss, &c->nego);
    return c->extras->auth ? 0 : -ENOBUFS;
}

int tcp_open(struct tcp_engine *e, ackd_time now, const struct tcp_open_args *args, uint64_t *id)
{
    struct tcp_tuple t;
    tcp_seq iss;
    const char *field;
    if (args->options && tcp_options_check(args->options, &field) < 0) {
        return -EINVAL;
    }
    int error = open_tuple(e, now, args, &t, &iss);
    if (error) {
        return error;
    }
    struct shared_options *o =
        args->options ? options_new(e, args->options) : options_share(e->defaults);
    struct tcb *c =
        o && e->endpoints < e->config.max_endpoints ? tcb_new(e, now, &t, o, args->mtu) : NULL;
    options_drop(e, o); /* the tcb has its own reference */
    if (!c) {
        return -ENOBUFS;
    }
    c->flags |= C_ACCEPTED;
    c->owner = args->owner;
    c->cookie = args->cookie;
    c->snd.iss = c->snd.una = c->snd.nxt = iss;
    bool entered = rec_enter(e, &c->t.rec, REC_CONNECTION, &t);
    if (entered) {
        rec_enter_tuple(e, &c->t.rec);
        error = open_auth(e, c);
    }
    if (!entered || error || !tcb_activity(e, c, now)) {
        tcb_destroy(e, c);
        door_close(e);
        return error ? error : -ENOBUFS;
    }
    accecn_path_open(e, c, now);
    e->counters.active_opens++;
    state_set(e, &c->t.rec, TCP_SYN_SENT, now, TCP_CLOSE_NONE);
    c->fast_open = args->fast_open && !tcb_auth(c) ? FAST_OPEN_ASKED : 0; /* no room for a cookie */
    if (args->length) {
        tcp_send(e, now, c->t.rec.id, args->data, args->length, 0);
    }
    tcb_touch(e, c);
    *id = c->t.rec.id;
    return 0;
}

/* ---- SEND, section 3.10.2 ---- */

/* 0 when more may be sent, else the error: the connection's own when it died. */
static int may_send(const struct tcb *c)
{
    if (c->t.rec.state == TCP_CLOSED) {
        int error = tcp_close_errno(c->close_reason);
        return error ? -error : -EPIPE;
    }
    return c->flags & C_FIN_QUEUED ? -EPIPE : 0;
}

/* What SEND says of what follows it. A call without bytes only lets go of what was held. */
static void announce(struct tcb *c, size_t length, unsigned flags)
{
    c->flags &= ~(uint32_t)(C_MORE_HELD | C_CORKED);
    c->flags |= flags & TCP_SEND_CORK ? C_CORKED : 0u;
    if (length) {
        c->flags &= ~(uint32_t)C_MORE_TO_COME;
        c->flags |= flags & TCP_SEND_MORE ? C_MORE_TO_COME | C_MORE_HELD : 0u;
    }
}

/* The user's data now end at `end`: a boundary, as the flags say. */
static void mark_end(struct tcp_engine *e, struct tcb *c, tcp_seq end, unsigned flags)
{
    if (flags & TCP_SEND_RECORD) {
        marks_add(e, c, end, true);
    } else if (flags & TCP_SEND_PUSH) {
        if (c->flags & C_FLUSHING_PUSH && seq_gt(c->act->push, c->snd.nxt)) {
            marks_add(e, c, c->act->push, false);
        }
        c->act->push = end;
        c->flags |= C_FLUSHING_PUSH;
    }
}

int64_t tcp_send(struct tcp_engine *e, ackd_time now, uint64_t id, const void *data, size_t length,
                 unsigned flags)
{
    struct tcb *c = held(e, id);
    if (!c) {
        return -EBADF;
    }
    int error = may_send(c);
    if (error) {
        return error;
    }
    announce(c, length, flags);
    uint32_t room = snd_room(c), n = length < room ? (uint32_t)length : room;
    if (n && !tcb_activity(e, c, now)) {
        return -ENOBUFS;
    }
    n = n ? sndbuf_append(&c->act->snd, e->arena, data, n) : 0;
    if (n < length) {
        c->flags |= C_WRITE_WANTED;
    }
    if (!length && flags & TCP_SEND_PUSH && tcb_unsent(c)) {
        c->flags &= ~(uint32_t)C_MORE_TO_COME;
        mark_end(e, c, seq_add(tcb_buffer_seq(c), tcb_buffered(c)), TCP_SEND_PUSH);
    }
    if (!n) { /* without memory: only what is buffered wakes the user later */
        bool waits = !length || !room || tcb_buffered(c);
        tcb_fold(e, c);
        tcb_touch(e, c);
        return waits ? 0 : -ENOBUFS;
    }
    tcp_seq end = seq_add(tcb_buffer_seq(c), tcb_buffered(c));
    if (n == length) {
        mark_end(e, c, end, flags);
    }
    if (flags & TCP_SEND_URGENT) { /* MUST-31: any length; the newest mark counts */
        c->act->up = end;
        c->flags |= C_URGENT_SENT;
    }
    tcb_touch(e, c);
    return n;
}

int64_t tcp_send_offset(struct tcp_engine *e, uint64_t id)
{
    struct tcb *c = held(e, id);
    return c ? (int64_t)tcb_accepted(c) : -EBADF;
}

int64_t tcp_send_room(struct tcp_engine *e, uint64_t id)
{
    struct tcb *c = held(e, id);
    if (!c) {
        return -EBADF;
    }
    int error = may_send(c);
    if (error) {
        return error;
    }
    uint32_t room = snd_room(c);
    if (!room) {
        c->flags |= C_WRITE_WANTED;
    }
    return room;
}

/* Nothing behind `end` is pushed or urgent any more. */
static void forget_marks(struct tcb *c, tcp_seq end)
{
    marks_truncate(c, end);
    if (c->flags & C_FLUSHING_PUSH && seq_gt(c->act->push, end)) {
        c->flags &= ~(uint32_t)C_FLUSHING_PUSH;
    }
    if (c->flags & C_URGENT_SENT && seq_gt(c->act->up, end)) {
        c->act->up = end;
        c->flags &= seq_gt(end, c->snd.una) ? ~0u : ~(uint32_t)C_URGENT_SENT;
    }
}

int64_t tcp_flush_send(struct tcp_engine *e, ackd_time now, uint64_t id)
{
    (void)now;
    struct tcb *c = held(e, id);
    if (!c) {
        return -EBADF;
    }
    uint32_t unsent = c->t.rec.state == TCP_CLOSED ? 0 : tcb_unsent(c);
    if (c->flags & C_PROBE_SENT && unsent) {
        unsent--; /* the probe's octet may have been taken */
    }
    if (unsent) {
        sndbuf_truncate(&c->act->snd, e->arena, c->act->snd.length - unsent);
        forget_marks(c, seq_add(tcb_buffer_seq(c), tcb_buffered(c)));
        ready_sent(e, c);
        tcb_fold(e, c);
        tcb_touch(e, c);
    }
    return unsent;
}

/* ---- RECEIVE, section 3.10.3 ---- */

int64_t tcp_receive_offset(struct tcp_engine *e, uint64_t id)
{
    struct tcb *c = held(e, id);
    return c ? (int64_t)c->rcv.read : -EBADF;
}

int tcp_peek(struct tcp_engine *e, uint64_t id, uint64_t from, size_t max, struct tcp_received *out)
{
    struct tcb *c = held(e, id);
    *out = (struct tcp_received){0};
    if (!c) {
        return -EBADF;
    }
    enum tcp_state state = c->t.rec.state;
    if (state == TCP_SYN_SENT || (state == TCP_SYN_RECEIVED && !(c->fast_open & FAST_OPEN_CHILD))) {
        return from ? -EINVAL : 0; /* queued until ESTABLISHED: nothing yet */
    }
    uint32_t ready = c->rcvq ? c->rcvq->ready : 0;
    if (from < c->rcv.read || from > c->rcv.read + ready) {
        return -EINVAL;
    }
    if (state == TCP_CLOSED && from == c->rcv.read + ready && !(c->flags & C_FIN_RECEIVED)) {
        int error = tcp_close_errno(c->close_reason);
        return error ? -error : -ENOTCONN;
    }
    out->offset = c->rcv.read;
    out->available = ready;
    out->end_of_stream = c->flags & C_FIN_RECEIVED;
    if (c->flags & C_URGENT_RECEIVED) {
        out->urgent_mark =
            c->rcv.read +
            (uint64_t)(int64_t)seq_diff(c->rcv.up, seq_add(c->rcv.irs, 1 + (uint32_t)c->rcv.read));
        out->urgent = true;
    }
    if (c->rcvq && max) {
        rcvq_peek(c->rcvq, (uint32_t)(from - c->rcv.read), max, out->range, TCP_TX_RANGES,
                  &out->n_ranges);
    }
    return 0;
}

int tcp_consume(struct tcp_engine *e, ackd_time now, uint64_t id, uint64_t upto)
{
    struct tcb *c = held(e, id);
    if (!c) {
        return -EBADF;
    }
    uint32_t ready = c->rcvq ? c->rcvq->ready : 0;
    if (upto < c->rcv.read) {
        return 0; /* released before */
    }
    if (upto > c->rcv.read + ready) {
        return -EINVAL;
    }
    uint32_t n = (uint32_t)(upto - c->rcv.read);
    if (!n) {
        return 0;
    }
    rcvq_consume(c->rcvq, &e->piece_slab, n);
    c->rcv.read = upto;
    if (c->flags & C_URGENT_RECEIVED &&
        !seq_gt(c->rcv.up, seq_add(c->rcv.irs, 1 + (uint32_t)upto))) {
        c->flags &= ~(uint32_t)C_URGENT_RECEIVED; /* read past it: the end of urgent mode */
    }
    tcb_fold(e, c);
    tune_read(e, c, now);
    bool receiving = c->t.rec.state == TCP_ESTABLISHED || c->t.rec.state == TCP_FIN_WAIT_1 ||
                     c->t.rec.state == TCP_FIN_WAIT_2;
    if (receiving && rcv_window_update_due(c)) {
        c->flags |= C_ACK_NOW | C_WINDOW_UPDATE;
        tcb_touch(e, c);
    }
    return 0;
}

/* ---- CLOSE and ABORT, sections 3.10.4 and 3.10.5 ---- */

static int close_tcb(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (c->flags & C_FIN_QUEUED) {
        return -EPIPE;
    }
    switch (c->t.rec.state) {
    case TCP_CLOSED:
        return -ENOTCONN;
    case TCP_SYN_SENT:
        tcb_closed(e, c, now, TCP_CLOSE_ABORTED);
        return 0;
    case TCP_SYN_RECEIVED: /* queued until ESTABLISHED */
        c->flags |= C_FIN_QUEUED;
        return 0;
    case TCP_CLOSE_WAIT:
        state_set(e, &c->t.rec, TCP_LAST_ACK, now, TCP_CLOSE_NONE);
        break;
    default:
        state_set(e, &c->t.rec, TCP_FIN_WAIT_1, now, TCP_CLOSE_NONE);
    }
    c->flags |= C_FIN_QUEUED;
    tcb_touch(e, c);
    return 0;
}

int tcp_close(struct tcp_engine *e, ackd_time now, uint64_t id)
{
    struct listener *l = listener_find(e, id);
    int result = 0;
    if (l) {
        listener_close(e, l, now);
    } else {
        struct tcb *c = held(e, id);
        result = c ? close_tcb(e, c, now) : -EBADF;
    }
    door_close(e);
    return result;
}

static enum tcp_rst_sent reset_reason(enum tcp_close_reason reason)
{
    return reason == TCP_CLOSE_KILLED          ? TCP_RST_SENT_KILLED
           : reason == TCP_CLOSE_SESSION_ENDED ? TCP_RST_SENT_SESSION_ENDED
                                               : TCP_RST_SENT_ABORTED;
}

/* Section 3.10.5: a reset in the states that the peer knows of; in CLOSING, LAST-ACK and TIME-WAIT
 * the connection just ends. */
static void abort_tcb(struct tcp_engine *e, struct tcb *c, ackd_time now,
                      enum tcp_close_reason reason)
{
    enum tcp_state s = c->t.rec.state;
    if (s == TCP_CLOSED) {
        return;
    }
    if (s != TCP_SYN_SENT && s != TCP_CLOSING && s != TCP_LAST_ACK && s != TCP_TIME_WAIT) {
        reset_tcb(e, c, now, reset_reason(reason));
    }
    tcb_closed(e, c, now, reason);
}

static int abort_rec(struct tcp_engine *e, struct rec *r, ackd_time now,
                     enum tcp_close_reason reason)
{
    switch (r->kind) {
    case REC_LISTENER:
        listener_close(e, (struct listener *)(void *)r, now);
        return 0;
    case REC_HALF_OPEN: {
        const struct half_open *h = (const struct half_open *)(const void *)r;
        struct control_segment *cs = control_new(e, &r->tuple);
        if (cs) {
            cs->id = r->id;
            cs->kind = TCP_KIND_RESET;
            cs->rst_reason = reset_reason(reason);
            cs->flags = TCP_RST | TCP_ACK;
            cs->seq = seq_add(h->iss, 1);
            cs->ack = seq_add(h->irs, 1);
            e->counters.rsts_sent[cs->rst_reason]++;
        }
        half_open_drop(e, (struct half_open *)(void *)r, now, reason);
        return 0;
    }
    case REC_TIME_WAIT:
        time_wait_remove(e, (struct time_wait *)(void *)r, now, reason);
        return 0;
    default:
        if (r->state == TCP_CLOSED) {
            return -ENOTCONN;
        }
        abort_tcb(e, tcb_of_rec(r), now, reason);
        return 0;
    }
}

int tcp_abort(struct tcp_engine *e, ackd_time now, uint64_t id, enum tcp_close_reason reason)
{
    struct rec *r = rec_find(e, id);
    int result = r ? abort_rec(e, r, now, reason) : -EBADF;
    door_close(e);
    return result;
}

static void release_tcb(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    enum tcp_state s = c->t.rec.state;
    bool unread = c->rcvq && c->rcvq->ready;
    c->flags |= C_RELEASED;
    listener_accept_closed(e, c); /* nobody accepts it any more */
    list_remove(&c->queue);
    if (s == TCP_CLOSED) {
        tcb_destroy(e, c);
        return;
    }
    if (unread && s != TCP_TIME_WAIT && s != TCP_LAST_ACK && s != TCP_CLOSING) { /* SHLD-3 */
        reset_tcb(e, c, now, TCP_RST_SENT_CLOSED_WITH_UNREAD_DATA);
        tcb_closed(e, c, now, TCP_CLOSE_CLOSED_WITH_UNREAD_DATA);
        return;
    }
    c->flags |= C_RECEIVE_CLOSED;
    if (c->rcvq) {
        rcvq_clear(c->rcvq, &e->piece_slab);
        slab_free(&e->rcvq_slab, c->rcvq);
        c->rcvq = NULL;
    }
    close_tcb(e, c, now); /* -EPIPE when that was done: fine */
    if (c->t.rec.state == TCP_CLOSED) {
        return;
    }
    if (s == TCP_FIN_WAIT_2) {
        fin_wait_2_arm(c, now);
    } else if (s != TCP_TIME_WAIT) {
        orphan_restart(c, now);
    }
    tcb_touch(e, c);
}

int tcp_release(struct tcp_engine *e, ackd_time now, uint64_t id)
{
    struct listener *l = listener_find(e, id);
    struct tcb *c = l ? NULL : held(e, id);
    if (l) {
        listener_close(e, l, now);
    } else if (c) {
        release_tcb(e, c, now);
    }
    door_close(e);
    return l || c ? 0 : -EBADF;
}

int tcp_set_owner(struct tcp_engine *e, uint64_t id, uint32_t owner, uint64_t cookie)
{
    struct listener *l = listener_find(e, id);
    struct tcb *c = l ? NULL : held(e, id);
    if (l) {
        l->owner = owner;
        l->cookie = cookie;
    } else if (c) {
        c->owner = owner;
        c->cookie = cookie;
    }
    return l || c ? 0 : -EBADF;
}

/* ---- options ---- */

static struct shared_options **options_of(struct tcp_engine *e, uint64_t id)
{
    struct listener *l = listener_find(e, id);
    struct tcb *c = l ? NULL : tcb_find(e, id);
    return l ? &l->options : c ? &c->options : NULL;
}

int tcp_get_options(struct tcp_engine *e, uint64_t id, struct tcp_options *options)
{
    struct shared_options **o = options_of(e, id);
    if (!o) {
        return -EBADF;
    }
    *options = (*o)->v;
    return 0;
}

int tcp_set_options(struct tcp_engine *e, ackd_time now, uint64_t id,
                    const struct tcp_options *options)
{
    const char *field;
    struct shared_options **o = options_of(e, id);
    if (!o) {
        return -EBADF;
    }
    if (tcp_options_check(options, &field) < 0) {
        return -EINVAL;
    }
    struct shared_options *n = options_new(e, options);
    struct tcb *c = tcb_find(e, id);
    if (!n || (c && !flow_select(e, c, options->congestion, now))) {
        options_drop(e, n);
        return -ENOBUFS;
    }
    bool resized = (*o)->v.rcv_buffer != n->v.rcv_buffer;
    options_drop(e, *o);
    *o = n;
    if (c && resized) {
        tuning_free(e, c); /* begins anew from the new size */
    }
    if (c && c->t.rec.state != TCP_CLOSED) {
        cc_floors(c); /* without its clamp a segment is larger */
        c->uto_due = options->uto;
        keepalive_restart(e, c, now);
        ready_sent(e, c);
        if (resized && rcv_window_update_due(c) && state_synchronized(c->t.rec.state)) {
            c->flags |= C_ACK_NOW | C_WINDOW_UPDATE;
        }
        tcb_touch(e, c);
    }
    return 0;
}
