/* Passive OPEN (RFC 9293 sections 3.9.1.1, 3.10.7.2): a listener, the half-open connections that
 * SYNs make, and the queue of established ones that wait to be accepted. A SYN costs one small
 * record; only the handshake's last ACK makes a tcb. When a queue is full the segment is dropped
 * with its reason, and the peer's retransmission tries again; when the half-open ones are too many
 * a cookie is sent instead of remembering one (syn_cookies.c).
 *
 * Data on a SYN are not acknowledged, so the peer sends them again after the handshake
 * (section 3.10.7.2 lets them be queued), unless it is a Fast Open (fast_open_server.c). */
#include "tcp/isn.h"
#include "tcp/syn_cookies.h"
#include "tcp/tcb.h"

#include <errno.h>

#define SYN_ACK_RTO_NS NS_PER_S
#define ANSWERS_MAX 5 /* between two of them */

static struct tcp_opts syn_ack_options(const struct listener *l, const struct half_open *h,
                                       ackd_time now, uint32_t ts_offset)
{
    struct tcp_opts o = {
        .has_mss = true,
        .mss = mss_advertised(&l->options->v, &h->t.rec.tuple.local, h->mtu),
        .sack_permitted = h->nego.sack,
        .has_wscale = h->nego.wscale,
        .wscale = h->nego.rcv_wscale,
        .has_timestamps = h->nego.timestamps,
    };
    user_timeout_option(&l->options->v, &o);
    if (o.has_timestamps) {
        o.tsval = timestamp_now(ts_offset, now);
        o.tsecr = h->ts_recent;
    }
    return o;
}

static uint16_t syn_window(const struct tcp_options *o)
{
    return o->rcv_buffer > 65535 ? 65535 : (uint16_t)o->rcv_buffer;
}

static void syn_ack(struct tcp_engine *e, const struct listener *l, struct half_open *h,
                    ackd_time now)
{
    struct control_segment *cs = control_new(e, &h->t.rec.tuple);
    if (!cs) {
        return;
    }
    cs->again = h->sent > 0;
    h->sent += h->sent < SENT_MANY;
    cs->id = h->t.rec.id;
    cs->state = TCP_SYN_RECEIVED;
    cs->kind = TCP_KIND_HANDSHAKE;
    cs->seq = cs->iss = h->iss;
    cs->irs = h->irs;
    cs->ack = seq_add(h->irs, 1);
    cs->flags = TCP_SYN | TCP_ACK | ecn_syn_flags(e, &h->nego, true, h->transmissions);
    cs->window = h->offered;
    cs->ttl = l->options->v.ttl;
    cs->tos = (uint8_t)(l->options->v.dscp << 2 |
                        ecn_control_codepoint(&l->options->v, cs->flags & TCP_ECN_FLAGS));
    cs->options = syn_ack_options(l, h, now, timestamp_offset(&e->ts_key, &h->t.rec.tuple));
    if (h->nego.ecn == ECN_ACCURATE && !cs->again) {
        accecn_syn_option(e, &l->options->v, &cs->options);
    }
    if (h->grant && !cs->again) {
        fast_open_grant(e, l, now, cs, h->grant_experimental);
    }
    auth_control(e, &h->t, &cs);
}

/* To what is not acceptable, or challenged. Only so often: two half-open ends, which a forged SYN
 * to each of them makes, would answer each other as fast as the wire allows. */
static void answer(struct tcp_engine *e, struct half_open *h, ackd_time now)
{
    const struct listener *l = listener_find(e, h->listener);
    if (h->answers >= ANSWERS_MAX) {
        e->counters.challenge_acks_limited++;
    } else if (l) {
        h->answers++;
        syn_ack(e, l, h, now);
    }
}

/* When the n-th transmission by the timer goes out, counted from the first: doubling (RFC 6298),
 * and no further than R2 (MUST-22, MUST-23). */
static int64_t syn_ack_age(const struct tcp_options *o, unsigned n)
{
    int64_t age = 0, wait = SYN_ACK_RTO_NS, limit = syn_timeout_ns(o);
    while (--n && age < limit) {
        age += wait;
        wait = wait * 2 > o->rto_max_ns ? o->rto_max_ns : wait * 2;
    }
    return age < limit ? age : limit;
}

static int64_t syn_ack_wait(const struct tcp_options *o, unsigned n)
{
    return syn_ack_age(o, n + 1) - syn_ack_age(o, n);
}

static void syn_ack_arm(struct tcp_engine *e, const struct listener *l, struct half_open *h,
                        ackd_time now)
{
    wheel_set(&e->wheel, &h->t.timer,
              time_add(now, syn_ack_wait(&l->options->v, h->transmissions)));
}

static bool listener_has_room(const struct tcp_engine *e, const struct listener *l,
                              struct segment *s)
{
    if (l->queued >= l->backlog) {
        s->drop = TCP_DROP_ACCEPT_QUEUE_FULL;
    } else if (l->half_open >= l->backlog + 64 || e->half_open >= e->config.max_syn_received) {
        s->drop = TCP_DROP_SYN_QUEUE_FULL;
    } else if (e->endpoints >= e->config.max_endpoints) {
        s->drop = TCP_DROP_NO_MEMORY;
    }
    return s->drop == TCP_DROP_NONE;
}

static struct slab *half_open_slab(struct tcp_engine *e, bool is_signed)
{
    return is_signed ? &e->signed_half_open_slab : &e->half_open_slab;
}

/* A record in LISTEN, not entered; NULL without memory. */
static struct half_open *half_open_new(struct tcp_engine *e, const struct listener *l,
                                       bool is_signed)
{
    struct half_open *h = slab_alloc(half_open_slab(e, is_signed));
    if (!h) {
        return NULL;
    }
    wheel_entry_init(&h->t.timer);
    h->t.rec.is_signed = is_signed;
    h->t.rec.state = TCP_LISTEN;
    h->listener = l->rec.id;
    h->offered = syn_window(&l->options->v);
    return h;
}

/* False without memory: the record is freed. */
static bool half_open_enter(struct tcp_engine *e, struct listener *l, struct half_open *h,
                            struct segment *s)
{
    h->mtu = mtu_kept(s->rx->mtu);
    h->transmissions = 1;
    if (!rec_enter(e, &h->t.rec, REC_HALF_OPEN, &s->tuple)) {
        slab_free(half_open_slab(e, h->t.rec.is_signed), h);
        s->drop = TCP_DROP_NO_MEMORY;
        return false;
    }
    rec_enter_tuple(e, &h->t.rec);
    e->half_open++;
    l->half_open++;
    e->counters.passive_opens++;
    s->id = h->t.rec.id;
    state_set(e, &h->t.rec, TCP_SYN_RECEIVED, s->now, TCP_CLOSE_NONE);
    return true;
}

/* The SYN,ACK of a SYN that is forgotten. False: a cookie would not do. */
static bool cookie_syn_ack(struct tcp_engine *e, struct listener *l, const struct segment *s)
{
    struct half_open h = {.t.rec.tuple = s->tuple,
                          .t.rec.state = TCP_LISTEN,
                          .irs = s->h.seq,
                          .ts_recent = s->o.tsval,
                          .offered = syn_window(&l->options->v),
                          .mtu = mtu_kept(s->rx->mtu)};
    negotiate_offer(&l->options->v, &h.nego);
    negotiate_from_syn(s, &h.nego);
    h.nego.ecn = (uint8_t)ecn_from_syn(&l->options->v, s->h.flags);
    h.iss = syn_cookie_isn(&e->syn_cookie_key, &s->tuple, h.irs, h.nego.peer_mss, s->now);
    if (s->succeeds && !h.nego.timestamps && !seq_gt(h.iss, s->beyond)) {
        return false;
    }
    h.nego.sack = h.nego.sack && h.nego.timestamps;
    h.nego.wscale = h.nego.wscale && h.nego.timestamps;
    if (h.nego.ecn == ECN_CLASSIC && !h.nego.timestamps) {
        h.nego.ecn = ECN_NONE;
    }
    syn_ack(e, l, &h, s->now);
    if (h.nego.timestamps && h.sent) {
        struct control_segment *cs = container_of(e->control.prev, struct control_segment, link);
        cs->options.tsval = syn_cookie_timestamp(&h.nego, cs->options.tsval);
    }
    l->cookie_sent = s->now;
    e->counters.syn_cookies_sent += h.sent;
    return true;
}

/* By what listener_has_room() said. */
static bool cookie_wanted(const struct listener *l, enum tcp_drop no_room)
{
    switch (l->options->v.syn_cookies) {
    case TCP_SYN_COOKIES_WHEN_FULL:
        return no_room == TCP_DROP_SYN_QUEUE_FULL;
    case TCP_SYN_COOKIES_ALWAYS:
        return no_room == TCP_DROP_SYN_QUEUE_FULL || no_room == TCP_DROP_NONE;
    default:
        return false;
    }
}

/* Third, a SYN. */
static void listen_syn(struct tcp_engine *e, struct listener *l, struct segment *s)
{
    if (l->options->v.require_auth && !s->key) {
        s->drop = TCP_DROP_AUTH_REQUIRED;
        return;
    }
    bool room = listener_has_room(e, l, s);
    /* With a key only those who know it make records, and a cookie could not sign its answer. */
    if (!s->key && cookie_wanted(l, s->drop) && cookie_syn_ack(e, l, s)) {
        s->drop = TCP_DROP_NONE;
        return;
    }
    enum fast_open_verdict verdict = room && !s->key ? fast_open_judge(e, l, s) : FAST_OPEN_PLAIN;
    if (verdict == FAST_OPEN_ACCEPT && fast_open_accept(e, l, s)) {
        return;
    }
    struct half_open *h = room ? half_open_new(e, l, s->key) : NULL;
    if (!h) {
        s->drop = s->drop ? s->drop : TCP_DROP_NO_MEMORY;
        return;
    }
    h->irs = s->h.seq;
    h->iss = isn_choose(&e->isn_key, &s->tuple, s->now);
    if (s->succeeds) {
        h->iss = isn_beyond(h->iss, s->beyond);
    }
    h->ts_recent = s->o.tsval;
    negotiate_offer(&l->options->v, &h->nego);
    negotiate_from_syn(s, &h->nego);
    h->uto_remote = user_timeout_heard(e, s);
    h->grant = verdict == FAST_OPEN_GRANT;
    h->grant_experimental = s->o.fast_open_experimental;
    h->nego.ecn = (uint8_t)ecn_from_syn(&l->options->v, s->h.flags);
    if (!half_open_enter(e, l, h, s)) {
        return;
    }
    if (!auth_begin(e, &h->t, s, h->iss, &h->nego)) {
        s->drop = TCP_DROP_NO_MEMORY;
        half_open_drop(e, h, s->now, TCP_CLOSE_SYN_RECEIVED_TIMEOUT);
        return;
    }
    syn_ack_arm(e, l, h, s->now);
    syn_ack(e, l, h, s->now);
}

static void half_open_ack(struct tcp_engine *e, struct half_open *h, struct segment *s);

/* The last ACK of a handshake that was not remembered makes its record, for as long as it takes to
 * become a connection. */
static void cookie_ack(struct tcp_engine *e, struct listener *l, struct segment *s)
{
    tcp_seq irs = seq_sub(s->h.seq, 1), iss = seq_sub(s->h.ack, 1);
    uint16_t mss;
    if (!syn_cookie_check(&e->syn_cookie_key, &s->tuple, irs, iss, s->now, &mss)) {
        s->drop = TCP_DROP_SYN_COOKIE_INVALID;
        if (!s->payload && !s->fin) { /* text may have overtaken the last ACK: it comes again */
            reset_for_segment(e, s, TCP_RST_SENT_ACK_IN_LISTEN);
        }
        return;
    }
    if (l->queued >= l->backlog) {
        s->drop = TCP_DROP_ACCEPT_QUEUE_FULL;
        return;
    }
    struct half_open *h =
        e->endpoints < e->config.max_endpoints ? half_open_new(e, l, false) : NULL;
    if (!h) {
        s->drop = TCP_DROP_NO_MEMORY;
        return;
    }
    h->irs = irs;
    h->iss = iss;
    h->ts_recent = s->o.tsval;
    syn_cookie_negotiated(&l->options->v, s, &h->nego);
    h->nego.peer_mss = mss;
    if (!half_open_enter(e, l, h, s)) {
        return;
    }
    uint64_t id = s->id;
    half_open_ack(e, h, s);
    struct rec *r = rec_find(e, id);
    if (r && r->kind == REC_HALF_OPEN) { /* no memory for more */
        half_open_drop(e, (struct half_open *)(void *)r, s->now, TCP_CLOSE_SYN_RECEIVED_TIMEOUT);
        return;
    }
    e->counters.syn_cookies_received++;
}

/* Section 3.10.7.2, in its order. */
void listen_input(struct tcp_engine *e, struct listener *l, struct segment *s)
{
    s->id = l->rec.id;
    if (s->h.flags & TCP_RST) {
        s->drop = TCP_DROP_LISTEN_RST;
    } else if (s->h.flags & TCP_ACK && !(s->h.flags & TCP_SYN) && syn_cookies_lately(l, s->now)) {
        cookie_ack(e, l, s);
    } else if (s->h.flags & TCP_ACK) {
        s->drop = TCP_DROP_LISTEN_ACK;
        reset_for_segment(e, s, TCP_RST_SENT_ACK_IN_LISTEN);
    } else if (s->h.flags & TCP_SYN) {
        listen_syn(e, l, s);
    } else {
        s->drop = TCP_DROP_LISTEN_NO_SYN;
    }
}

/* ---- half-open ---- */

/* Leaves the records; the caller decides what takes its place. */
static void half_open_free(struct tcp_engine *e, struct half_open *h)
{
    struct listener *l = listener_find(e, h->listener);
    if (l) {
        l->half_open--;
    }
    e->half_open--;
    wheel_set(&e->wheel, &h->t.timer, TIME_NEVER);
    auth_free(e, &h->t);
    slab_free(half_open_slab(e, h->t.rec.is_signed), h);
}

void half_open_drop(struct tcp_engine *e, struct half_open *h, ackd_time now,
                    enum tcp_close_reason reason)
{
    struct tcp_closed record = {.id = h->t.rec.id,
                                .tuple = h->t.rec.tuple,
                                .last_state = TCP_SYN_RECEIVED,
                                .reason = reason,
                                .created = now,
                                .closed = now};
    remember_closed(e, &record);
    state_set(e, &h->t.rec, TCP_CLOSED, now, reason);
    rec_leave(e, &h->t.rec);
    half_open_free(e, h);
}

void half_open_timeout(struct tcp_engine *e, struct half_open *h, ackd_time now)
{
    struct listener *l = listener_find(e, h->listener);
    if (!l) {
        half_open_drop(e, h, now, TCP_CLOSE_LISTENER_CLOSED);
    } else if (!syn_ack_wait(&l->options->v, h->transmissions + 1u)) {
        half_open_drop(e, h, now, TCP_CLOSE_SYN_RECEIVED_TIMEOUT);
    } else {
        h->transmissions += h->transmissions < UINT8_MAX;
        h->answers = 0;
        syn_ack_arm(e, l, h, now);
        syn_ack(e, l, h, now);
    }
}

/* The handshake's last ACK: a tcb takes the record's place, id and tuple. */
static struct tcb *half_open_promote(struct tcp_engine *e, struct listener *l, struct half_open *h,
                                     ackd_time now)
{
    struct tcb *c = tcb_new(e, now, &h->t.rec.tuple, l->options, h->mtu);
    if (!c) {
        return NULL;
    }
    if (h->t.rec.is_signed) { /* before anything asks how large a segment is */
        if (!tcb_extras(e, c)) {
            tcb_destroy(e, c);
            return NULL;
        }
        c->extras->auth = auth_take(&h->t);
    }
    c->flags |= C_PASSIVE;
    c->listener = l->rec.id;
    c->nego = h->nego;
    c->snd.iss = c->snd.una = h->iss;
    c->snd.nxt = seq_add(h->iss, 1);
    c->rcv.irs = h->irs;
    c->rcv.nxt = c->rcv.ack_sent = seq_add(h->irs, 1);
    c->rcv.adv = seq_add(c->rcv.nxt, h->offered);
    c->rcv.last_len = 1;
    c->ts_recent = h->ts_recent;
    c->uto_remote = h->uto_remote;
    c->ts_recent_at = coarse_of(now);
    if (h->sent ==
        1) { /* Karn: a sample only of what was sent once; the timer ends one RTO later */
        rtt_sample(c, time_diff(now, h->t.timer.deadline) + syn_ack_wait(&l->options->v, 1));
    } else if (h->sent) { /* of a cookie nobody knows */
        c->flags |= C_RTO_3S;
    }
    cc_init(c, h->sent > 1);
    ecn_agreed(e, c, false);
    rec_replace(e, &h->t.rec, &c->t.rec, REC_CONNECTION);
    half_open_free(e, h);
    return c;
}

/* Fifth, the ACK. */
static void half_open_ack(struct tcp_engine *e, struct half_open *h, struct segment *s)
{
    if (!seq_eq(s->h.ack, seq_add(h->iss, 1))) {
        s->drop = TCP_DROP_SYN_RECEIVED_BAD_ACK;
        reset_for_segment(e, s, TCP_RST_SENT_BAD_ACK_IN_SYN_RECEIVED);
        return;
    }
    struct listener *l = listener_find(e, h->listener);
    if (!l) {
        s->drop = TCP_DROP_NO_CONNECTION;
        reset_for_segment(e, s, TCP_RST_SENT_LISTENER_CLOSED);
        half_open_drop(e, h, s->now, TCP_CLOSE_LISTENER_CLOSED);
        return;
    }
    if (l->queued >= l->backlog) {
        s->drop = TCP_DROP_ACCEPT_QUEUE_FULL;
        return;
    }
    struct tcb *c = half_open_promote(e, l, h, s->now);
    if (!c) {
        s->drop = TCP_DROP_NO_MEMORY;
        return;
    }
    list_append(&l->accept, &c->queue);
    l->queued++;
    ready_listener(e, l, TCP_READY_ACCEPT);
    connection_input(e, c, s);
}

/* Table 6: its first octet is in the window, or its last: text may begin over the SYN's own number,
 * and what is old of it is cut off when there is a connection. */
static bool half_open_acceptable(const struct half_open *h, const struct segment *s)
{
    tcp_seq rcv_nxt = seq_add(h->irs, 1);
    uint32_t length = s->h.flags & (TCP_SYN | TCP_RST) ? 0 : segment_len(s);
    return seq_in_window(s->h.seq, rcv_nxt, h->offered) ||
           (length && seq_lt(s->h.seq, rcv_nxt) &&
            seq_in_window(seq_add(s->h.seq, length - 1), rcv_nxt, h->offered));
}

/* Section 3.10.7.4 for SYN-RECEIVED from LISTEN. */
void half_open_input(struct tcp_engine *e, struct half_open *h, struct segment *s)
{
    tcp_seq rcv_nxt = seq_add(h->irs, 1);
    s->id = h->t.rec.id;
    if ((s->h.flags & (TCP_SYN | TCP_RST)) == TCP_SYN && seq_eq(s->h.seq, h->irs)) {
        s->drop = TCP_DROP_OLD_DUPLICATE;
        if (s->h.flags & TCP_ACK) {
            return;
        }
        const struct listener *l = listener_find(e, h->listener);
        if (!l || ecn_syn_again(&l->options->v, &h->nego, s)) {
            answer(e, h, s->now); /* our SYN,ACK got lost */
            return;
        }
        reset_for_segment(e, s, TCP_RST_SENT_ECN_FORMS_MIXED);
        half_open_drop(e, h, s->now, TCP_CLOSE_ECN_FORMS_MIXED);
        return;
    }
    if (!half_open_acceptable(h, s)) { /* first, the sequence number */
        s->drop = s->h.flags & TCP_RST ? TCP_DROP_RST_OUT_OF_WINDOW : TCP_DROP_OUT_OF_WINDOW;
        if (!(s->h.flags & TCP_RST)) {
            answer(e, h, s->now);
        }
        return;
    }
    if (s->h.flags & TCP_RST) { /* second: MUST-11, back to LISTEN */
        if (!seq_eq(s->h.seq, rcv_nxt)) {
            s->drop = TCP_DROP_RST_CHALLENGED;
            answer(e, h, s->now);
            return;
        }
        e->counters.rsts_received[TCP_RST_RECEIVED_RST_IN_SYN_RECEIVED]++;
        e->counters.in_rsts++;
        half_open_drop(e, h, s->now, TCP_CLOSE_RESET_BY_PEER);
    } else if (s->h.flags & TCP_SYN) { /* fourth: back to LISTEN */
        s->drop = TCP_DROP_SYN_CHALLENGED;
        half_open_drop(e, h, s->now, TCP_CLOSE_RESET_BY_PEER);
    } else if (h->nego.timestamps && !s->o.has_timestamps && !e->config.accept_missing_timestamps) {
        s->drop = TCP_DROP_TIMESTAMP_MISSING;
    } else if (h->nego.timestamps && s->o.has_timestamps &&
               (int32_t)(s->o.tsval - h->ts_recent) < 0) {
        s->drop = TCP_DROP_PAWS;
        answer(e, h, s->now);
    } else if (!(s->h.flags & TCP_ACK)) {
        s->drop = TCP_DROP_ACK_MISSING;
    } else {
        half_open_ack(e, h, s);
    }
}

/* ---- the accept queue ---- */

void listener_accept_closed(struct tcp_engine *e, struct tcb *c)
{
    if (c->flags & C_ACCEPTED || list_empty(&c->queue)) {
        return;
    }
    list_remove(&c->queue);
    struct listener *l = listener_find(e, c->listener);
    if (l) {
        l->queued--;
    }
}

int tcp_accept(struct tcp_engine *e, uint64_t listener, uint32_t owner, uint64_t cookie,
               uint64_t *id)
{
    struct listener *l = listener_find(e, listener);
    if (!l) {
        return -EBADF;
    }
    if (list_empty(&l->accept)) {
        return -EAGAIN;
    }
    struct tcb *c = container_of(l->accept.next, struct tcb, queue);
    list_remove(&c->queue);
    l->queued--;
    c->flags |= C_ACCEPTED;
    c->owner = owner;
    c->cookie = cookie;
    *id = c->t.rec.id;
    e->told = &c->t.rec;
    ready_tcb(e, c,
              TCP_READY_WRITE | (c->rcvq || c->flags & C_FIN_RECEIVED ? TCP_READY_READ : 0) |
                  (c->flags & C_URGENT_RECEIVED ? TCP_READY_URGENT : 0));
    return 0;
}

int tcp_accept_return(struct tcp_engine *e, uint64_t listener, uint64_t id)
{
    struct listener *l = listener_find(e, listener);
    struct tcb *c = tcb_find(e, id);
    if (!l || !c || c->listener != listener || c->flags & C_RELEASED ||
        c->t.rec.state == TCP_CLOSED) {
        return -EBADF;
    }
    if (!(c->flags & C_ACCEPTED)) {
        return -EINVAL;
    }
    c->flags &= ~(uint32_t)C_ACCEPTED;
    c->owner = 0;
    c->cookie = 0;
    list_remove(&c->queue);
    c->ready_bits = 0;
    list_insert_after(&l->accept, &c->queue);
    l->queued++;
    ready_listener(e, l, TCP_READY_ACCEPT);
    return 0;
}

/* ---- OPEN (passive) and CLOSE of a listener ---- */

static bool listener_conflicts(struct tcp_engine *e, const struct tcp_listen_args *a)
{
    for (struct listener *l = e->listeners[a->tuple.local_port % LISTENER_BUCKETS]; l;
         l = l->port_next) {
        const struct tcp_tuple *t = &l->rec.tuple;
        bool family = (l->v4_only && a->v6_only) || (l->v6_only && a->v4_only);
        if (t->local_port == a->tuple.local_port && ip_addr_equal(&t->local, &a->tuple.local) &&
            ip_addr_equal(&t->remote, &a->tuple.remote) && t->remote_port == a->tuple.remote_port &&
            !family) {
            return true;
        }
    }
    return false;
}

int tcp_listen(struct tcp_engine *e, ackd_time now, const struct tcp_listen_args *args,
               uint64_t *id)
{
    struct tcp_listen_args a = *args;
    const char *field;
    if (!a.backlog || a.backlog > 65535 || (a.v4_only && a.v6_only) ||
        (a.options && tcp_options_check(a.options, &field) < 0)) {
        return -EINVAL;
    }
    if (!a.tuple.local_port && !ports_choose(&e->ports, &a.tuple, tuple_is_free, e)) {
        return -EADDRINUSE;
    }
    if (listener_conflicts(e, &a)) {
        return -EADDRINUSE; /* MUST-41 */
    }
    struct listener *l =
        e->endpoints < e->config.max_endpoints ? slab_alloc(&e->listener_slab) : NULL;
    if (!l) {
        return -ENOBUFS;
    }
    l->options = a.options ? options_new(e, a.options) : options_share(e->defaults);
    if (!l->options || !rec_enter(e, &l->rec, REC_LISTENER, &a.tuple)) {
        options_drop(e, l->options);
        slab_free(&e->listener_slab, l);
        return -ENOBUFS;
    }
    list_init(&l->accept);
    list_init(&l->ready);
    l->backlog = a.backlog;
    l->v4_only = a.v4_only;
    l->v6_only = a.v6_only;
    l->owner = a.owner;
    l->cookie = a.cookie;
    l->created = now;
    l->cookie_sent = TIME_NEVER;
    struct listener **head = &e->listeners[a.tuple.local_port % LISTENER_BUCKETS];
    l->port_next = *head;
    *head = l;
    state_set(e, &l->rec, TCP_LISTEN, now, TCP_CLOSE_NONE);
    *id = l->rec.id;
    return 0;
}

/* CLOSE of a listener: what was not accepted is reset, half-open ones find no listener any more. */
void listener_close(struct tcp_engine *e, struct listener *l, ackd_time now)
{
    unaccepted_take(e, l, now);
    struct tcp_closed record = {.id = l->rec.id,
                                .tuple = l->rec.tuple,
                                .last_state = TCP_LISTEN,
                                .reason = TCP_CLOSE_NORMAL,
                                .created = l->created,
                                .closed = now,
                                .owner = l->owner,
                                .cookie = l->cookie};
    remember_closed(e, &record);
    state_set(e, &l->rec, TCP_CLOSED, now, TCP_CLOSE_NORMAL);
    struct listener **p = &e->listeners[l->rec.tuple.local_port % LISTENER_BUCKETS];
    while (*p != l) {
        p = &(*p)->port_next;
    }
    *p = l->port_next;
    list_remove(&l->ready);
    rec_leave(e, &l->rec);
    fast_open_forget(e, l);
    options_drop(e, l->options);
    slab_free(&e->listener_slab, l);
}
