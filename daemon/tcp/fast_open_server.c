/* TCP Fast Open (RFC 7413 section 4.2), the listener's side: a SYN with a valid cookie makes a
 * connection at once, which stands in the accept queue, can be read and written, and is not yet
 * known to have a peer. So there are only as many of them as the listener's `fast_open_queue`
 * allows; and one that was reset counts for a minute more, or somebody with one stolen cookie could
 * have the listener send any number of data to the cookie's address (section 5.1). Beyond the limit
 * handshakes go the long way.
 *
 * Data in a SYN are taken once by a connection, but a duplicate of the SYN that comes after its end
 * makes another (section 2.1): that is why a listener has to ask for all this. */
#include "tcp/fast_open.h"

#include <string.h>

#include "tcp/isn.h"
#include "tcp/tcb.h"

#define RESET_COUNTS_NS (60 * NS_PER_S)

static bool cookie_valid(struct tcp_engine *e, const struct listener *l, const struct segment *s)
{
    const struct fast_open_keys *k = fast_open_keys_of(e, l, s->now);
    for (unsigned i = 0; i < k->n; i++) {
        uint8_t cookie[FAST_OPEN_COOKIE];
        fast_open_cookie(&k->key[i], &s->tuple, cookie);
        if (s->o.fast_open_len == FAST_OPEN_COOKIE &&
            memcmp(cookie, s->o.fast_open, FAST_OPEN_COOKIE) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_room(struct tcp_engine *e, struct listener *l, ackd_time now)
{
    if (l->fast_open_resets && time_reached(l->fast_open_resets_until, now)) {
        l->fast_open_resets = 0;
    }
    if (l->fast_open_pending + l->fast_open_resets < l->options->v.fast_open_queue) {
        return true;
    }
    e->counters.fast_open_queue_full++;
    return false;
}

enum fast_open_verdict fast_open_judge(struct tcp_engine *e, struct listener *l,
                                       const struct segment *s)
{
    const struct tcp_options *o = &l->options->v;
    bool option = s->o.has_fast_open && (!s->o.fast_open_experimental || o->fast_open_experimental);
    if (!o->fast_open_queue || !(option || (s->payload && o->fast_open_no_cookie)) ||
        s->payload > o->rcv_buffer || !has_room(e, l, s->now)) {
        return FAST_OPEN_PLAIN;
    }
    if (o->fast_open_no_cookie) {
        return FAST_OPEN_ACCEPT;
    }
    if (!s->o.fast_open_len) {
        e->counters.fast_open_cookies_granted++;
        return FAST_OPEN_GRANT;
    }
    if (cookie_valid(e, l, s)) {
        return FAST_OPEN_ACCEPT;
    }
    e->counters.fast_open_bad_cookies++;
    return FAST_OPEN_GRANT;
}

void fast_open_grant(struct tcp_engine *e, const struct listener *l, ackd_time now,
                     struct control_segment *cs, bool experimental)
{
    fast_open_cookie(&fast_open_keys_of(e, l, now)->key[0], &cs->tuple, cs->cookie);
    cs->options.has_fast_open = true;
    cs->options.fast_open_experimental = experimental;
    cs->options.fast_open = cs->cookie;
    cs->options.fast_open_len = FAST_OPEN_COOKIE;
}

/* The numbers of both SYNs. */
static void child_numbers(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    tcp_seq iss = isn_choose(&e->isn_key, &s->tuple, s->now);
    iss = s->succeeds ? isn_beyond(iss, s->beyond) : iss;
    c->snd.iss = c->snd.una = c->snd.nxt = iss;
    c->snd.wnd = c->snd.max_wnd = s->h.window;
    c->snd.wl1 = s->h.seq;
    c->snd.wl2 = iss;
    c->rcv.irs = s->h.seq;
    c->rcv.last_len = 1;
    c->rcv.nxt = c->rcv.ack_sent = seq_add(s->h.seq, 1);
    c->rcv.adv = seq_add(c->rcv.nxt, s->payload);
    negotiate_from_syn(s, &c->nego);
    c->nego.ecn = (uint8_t)ecn_from_syn(&c->options->v, s->h.flags);
    ecn_agreed(e, c, false);
    c->ts_recent = s->o.tsval;
    c->ts_recent_at = coarse_of(s->now);
}

bool fast_open_accept(struct tcp_engine *e, struct listener *l, struct segment *s)
{
    struct tcb *c = tcb_new(e, s->now, &s->tuple, l->options, s->rx->mtu);
    if (!c) {
        return false;
    }
    c->t.rec.state = TCP_LISTEN;
    c->flags |= C_PASSIVE;
    c->fast_open = FAST_OPEN_CHILD;
    c->listener = l->rec.id;
    child_numbers(e, c, s);
    c->uto_remote = user_timeout_heard(e, s);
    if (!rec_enter(e, &c->t.rec, REC_CONNECTION, &s->tuple) || !tcb_activity(e, c, s->now)) {
        tcb_destroy(e, c);
        return false;
    }
    rec_enter_tuple(e, &c->t.rec);
    l->fast_open_pending++;
    e->counters.passive_opens++;
    e->counters.fast_open_passive++;
    s->id = c->t.rec.id;
    state_set(e, &c->t.rec, TCP_SYN_RECEIVED, s->now, TCP_CLOSE_NONE);
    cc_init(c, false);
    list_append(&l->accept, &c->queue);
    l->queued++;
    ready_listener(e, l, TCP_READY_ACCEPT);
    tcb_touch(e, c);
    s->seq = c->rcv.nxt;
    s->syn = s->fin = false; /* a FIN comes again */
    connection_text(e, c, s);
    c->fast_open |= tcb_received(c) ? FAST_OPEN_TAKEN : 0;
    return true;
}

void fast_open_settled(struct tcp_engine *e, struct tcb *c, ackd_time now, bool reset)
{
    if (!(c->fast_open & FAST_OPEN_CHILD)) {
        return;
    }
    c->fast_open &= (uint8_t)~FAST_OPEN_CHILD;
    struct listener *l = listener_find(e, c->listener);
    if (!l) {
        return;
    }
    l->fast_open_pending--;
    if (reset) {
        l->fast_open_resets++;
        l->fast_open_resets_until = time_add(now, RESET_COUNTS_NS);
    }
}
