/* TCP Fast Open (RFC 7413): the cookie, and the client.
 *
 * A cookie proves that a client once received a packet at its address, so that the listener may
 * take data from its SYN without a round trip. It is SipHash-2-4 over the client's and the
 * listener's address under a key; the key changes every twelve hours, the one before is good for as
 * long. An operator's key stays (servers that share an address share it), for all listeners or for
 * one that has keys of its own; two are good at a time, so that it can be changed, too. Keys and
 * cookies are those of Linux, so that either can stand in for the other.
 *
 * The client keeps the cookie with the MSS of the answer in the cache of metrics.c. The first SYN
 * carries as much data as fit beside all the options there may be; every later SYN is plain. What
 * the answer does not acknowledge goes again at once: it is no sign of congestion (section 4.2.2).
 * When a SYN with data gets lost and the plain one behind it gets through, something on the way may
 * drop such SYNs: none goes there for a minute, and twice as long each time it happens again
 * (section 4.1.3.1). Where a request for a cookie went unanswered, the next one may use the
 * experimental option that older servers know (section 7.1, option `fast_open_experimental`). */
#include "tcp/fast_open.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcb.h"

#define KEY_LIFE_NS (12 * 3600 * NS_PER_S)
#define BLACK_HOLE_NS (60 * NS_PER_S)
#define BLACK_HOLE_DOUBLINGS 6
#define OPTIONS_MAX (TCP_HEADER_MAX - TCP_HEADER_MIN)

/* ---- the cookie ---- */

static struct hash_key random_key(struct rng *rng)
{
    uint64_t k0 = rng_u64(rng);
    return (struct hash_key){k0, rng_u64(rng)};
}

void fast_open_init(struct tcp_engine *e, ackd_time now)
{
    e->fast_open = (struct fast_open_keys){.key = {random_key(&e->rng)}, .n = 1, .made = now};
}

/* A new key before the present ones: the newest of those stays good. */
static void rotate(struct fast_open_keys *k, const struct hash_key *fresh)
{
    k->key[1] = k->key[0];
    k->key[0] = *fresh;
    k->n = 2;
}

const struct fast_open_keys *fast_open_keys_of(struct tcp_engine *e, const struct listener *l,
                                               ackd_time now)
{
    struct fast_open_keys *k = &e->fast_open;
    if (l->fast_open) {
        return l->fast_open;
    }
    if (!k->fixed && time_diff(now, k->made) >= KEY_LIFE_NS) {
        bool recent = time_diff(now, k->made) < 2 * KEY_LIFE_NS;
        struct hash_key fresh = random_key(&e->rng);
        rotate(k, &fresh);
        k->n = recent ? 2 : 1;
        k->made = now;
    }
    return k;
}

void fast_open_forget(struct tcp_engine *e, struct listener *l)
{
    arena_release(e->arena, l->fast_open, sizeof *l->fast_open);
    l->fast_open = NULL;
}

static uint64_t little_endian(const uint8_t *b)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) {
        v = v << 8 | b[i];
    }
    return v;
}

static struct hash_key key_read(const uint8_t b[16])
{
    return (struct hash_key){little_endian(b), little_endian(b + 8)};
}

/* The keys that a call is about: a listener's own, made as a copy of those in force, or the
 * engine's. */
static int keys_need(struct tcp_engine *e, ackd_time now, uint64_t listener,
                     struct fast_open_keys **keys)
{
    struct listener *l = listener ? listener_find(e, listener) : NULL;
    *keys = &e->fast_open;
    if (!listener) {
        return 0;
    }
    if (!l) {
        return -EBADF;
    }
    if (!l->fast_open) {
        struct fast_open_keys *own = arena_alloc(e->arena, sizeof *own);
        if (!own) {
            return -ENOBUFS;
        }
        *own = *fast_open_keys_of(e, l, now);
        l->fast_open = own;
    }
    *keys = l->fast_open;
    return 0;
}

int tcp_fast_open_keys(struct tcp_engine *e, ackd_time now, uint64_t listener,
                       const uint8_t primary[16], const uint8_t backup[16])
{
    struct fast_open_keys *k;
    struct listener *l = listener_find(e, listener);
    if (!primary && listener) {
        if (l && l->fast_open) {
            fast_open_forget(e, l);
        }
        return l ? 0 : -EBADF;
    }
    if (!primary) {
        fast_open_init(e, now);
        return 0;
    }
    int error = keys_need(e, now, listener, &k);
    if (error) {
        return error;
    }
    *k = (struct fast_open_keys){.key = {key_read(primary)}, .n = 1, .fixed = true};
    if (backup) {
        k->key[1] = key_read(backup);
        k->n = 2;
    }
    return 0;
}

int tcp_fast_open_rotate(struct tcp_engine *e, ackd_time now, uint64_t listener,
                         const uint8_t primary[16])
{
    struct fast_open_keys *k;
    int error = keys_need(e, now, listener, &k);
    if (error) {
        return error;
    }
    struct hash_key fresh = primary ? key_read(primary) : random_key(&e->rng);
    rotate(k, &fresh);
    k->fixed |= primary != NULL;
    k->made = now;
    return 0;
}

void fast_open_cookie(const struct hash_key *key, const struct tcp_tuple *t,
                      uint8_t cookie[FAST_OPEN_COOKIE])
{
    uint8_t in[32];
    unsigned from = ip_addr_is_v4(&t->remote) ? 12 : 0, length = 16 - from;
    memcpy(in, t->remote.b + from, length);
    memcpy(in + length, t->local.b + from, length);
    uint64_t hash = siphash24(key, in, 2 * (size_t)length);
    for (unsigned i = 0; i < FAST_OPEN_COOKIE; i++) {
        cookie[i] = (uint8_t)(hash >> 8 * i);
    }
}

/* ---- the client ---- */

/* May a SYN to m's host carry data now? */
static bool ready(const struct metrics_entry *m, const struct tcp_options *o, ackd_time now)
{
    bool blocked = m && time_before(now, m->fast_open.good_after);
    return !blocked && (o->fast_open_no_cookie || (m && m->fast_open.cookie_len));
}

/* Section 4.2.1: what the cached MSS leaves, less all the options that there may be. */
static uint32_t syn_room(const struct metrics_entry *m, const struct tcp_options *o,
                         const struct ip_addr *local, uint32_t mtu)
{
    uint32_t mss = mss_advertised(o, local, mtu);
    if (m && m->fast_open.mss && m->fast_open.mss < mss) {
        mss = m->fast_open.mss;
    }
    return mss > OPTIONS_MAX ? mss - OPTIONS_MAX : 0;
}

uint32_t fast_open_syn_length(const struct tcp_engine *e, const struct tcb *c, ackd_time now)
{
    const struct tcp_options *o = &c->options->v;
    uint32_t buffered = tcb_buffered(c);
    if (!(c->fast_open & FAST_OPEN_ASKED) || !buffered || c->t.rec.state != TCP_SYN_SENT) {
        return 0;
    }
    const struct metrics_entry *m = metrics_find(e, &c->t.rec.tuple);
    uint32_t room = ready(m, o, now) ? syn_room(m, o, &c->t.rec.tuple.local, c->mtu) : 0;
    return buffered < room ? buffered : room;
}

int64_t tcp_fast_open_room(const struct tcp_engine *e, ackd_time now,
                           const struct tcp_open_args *args)
{
    const struct tcp_options *o = args->options ? args->options : &e->defaults->v;
    const struct metrics_entry *m = metrics_find(e, &args->tuple);
    return ready(m, o, now) ? (int64_t)syn_room(m, o, &args->tuple.local, args->mtu) : -ENOKEY;
}

void fast_open_syn_option(struct tcp_engine *e, struct tcb *c, ackd_time now, uint32_t length,
                          struct tcp_opts *o)
{
    if (!(c->fast_open & FAST_OPEN_ASKED)) {
        return;
    }
    const struct tcp_options *options = &c->options->v;
    const struct metrics_entry *m = metrics_find(e, &c->t.rec.tuple);
    c->fast_open |= length ? FAST_OPEN_DATA : 0;
    e->counters.fast_open_syn_data += length > 0;
    if ((m && time_before(now, m->fast_open.good_after)) || options->fast_open_no_cookie) {
        return;
    }
    c->fast_open |= FAST_OPEN_OPTION;
    o->has_fast_open = true;
    if (m && m->fast_open.cookie_len) {
        o->fast_open = m->fast_open.cookie;
        o->fast_open_len = m->fast_open.cookie_len;
        o->fast_open_experimental = m->fast_open.experimental;
    } else {
        o->fast_open_experimental =
            options->fast_open_experimental && m && m->fast_open.refused == 1;
    }
}

/* What the answer teaches about the peer and the way there. */
static void learn(struct tcp_engine *e, struct tcb *c, const struct segment *s, bool none_taken)
{
    bool resent = c->fast_open & FAST_OPEN_RESENT;
    bool experimental = s->o.has_fast_open && s->o.fast_open_experimental;
    bool cookie = s->o.has_fast_open && s->o.fast_open_len && c->fast_open & FAST_OPEN_OPTION &&
                  (!experimental || c->options->v.fast_open_experimental);
    struct metrics_entry *m = metrics_need(e, &c->t.rec.tuple, s->now);
    if (!m) {
        return;
    }
    m->fast_open.mss = c->nego.peer_mss;
    if (cookie) {
        memcpy(m->fast_open.cookie, s->o.fast_open, s->o.fast_open_len);
        m->fast_open.cookie_len = s->o.fast_open_len;
        m->fast_open.experimental = experimental;
        m->fast_open.refused = 0;
    } else if (!resent && !(c->fast_open & FAST_OPEN_DATA) && !m->fast_open.cookie_len) {
        m->fast_open.refused += m->fast_open.refused < 2;
    }
    if (resent && none_taken && !cookie && c->fast_open & FAST_OPEN_DATA) {
        int64_t wait = BLACK_HOLE_NS << m->fast_open.losses;
        m->fast_open.losses += m->fast_open.losses < BLACK_HOLE_DOUBLINGS;
        m->fast_open.good_after = time_add(s->now, wait);
        e->counters.fast_open_black_holes++;
    } else {
        m->fast_open.losses = 0;
        m->fast_open.good_after = time_from_ns(0);
    }
}

void fast_open_answered(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    tcp_seq first = seq_add(c->snd.iss, 1);
    if (!(c->fast_open & (FAST_OPEN_OPTION | FAST_OPEN_DATA))) {
        return; /* nobody asked for a cookie */
    }
    if (!(s->h.flags & TCP_SYN)) {
        return; /* of a simultaneous open, whose SYN came before */
    }
    learn(e, c, s, seq_eq(s->h.ack, first));
    if (!(c->fast_open & FAST_OPEN_DATA)) {
        return;
    }
    if (seq_eq(s->h.ack, c->snd.nxt)) {
        c->fast_open |= FAST_OPEN_TAKEN;
        e->counters.fast_open_active++;
    } else {
        rtxq_mark_range_lost(&c->act->rtxq, &e->run_slab, s->h.ack, c->snd.nxt);
        e->counters.fast_open_refused++;
    }
}
