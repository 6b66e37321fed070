/* A seed chooses a world, lets its users do what they want, and looks at what is left: every octet
 * in its place, an orderly end, no memory. */
#include "seed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT_NS (4 * 3600 * NS_PER_S)

struct run {
    enum seed_kind kind;
    struct world w;
    struct users u;
    struct meddler meddler;
    struct signing signing;
    struct forger forger;
};

static void add(void *to, const void *from, size_t size)
{
    uint64_t a, b;
    for (size_t at = 0; at < size; at += sizeof(a)) {
        memcpy(&a, (uint8_t *)to + at, sizeof(a));
        memcpy(&b, (const uint8_t *)from + at, sizeof(b));
        a += b;
        memcpy((uint8_t *)to + at, &a, sizeof(a));
    }
}

void totals_add(struct totals *t, const struct totals *o)
{
    _Static_assert(sizeof(*t) % sizeof(uint64_t) == 0, "counters only");
    add(t, o, sizeof(*t));
}

static void count(struct totals *t, const struct run *r)
{
    for (unsigned i = 0; i < r->w.hosts; i++) {
        add(&t->counters, tcp_counters(r->w.host[i].engine), sizeof(t->counters));
        add(t->kinds, r->w.host[i].kinds, sizeof(t->kinds));
        add(t->closes, r->w.host[i].closes, sizeof(t->closes));
    }
    for (unsigned i = 0; i < r->w.links; i++) {
        add(&t->link, &r->w.link[i].stats, sizeof(t->link));
    }
    add(&t->meddler, &r->meddler.stats, sizeof(t->meddler));
    add(&t->seen, &r->u.seen, sizeof(t->seen));
    add(t->forged, r->forger.forged, sizeof(t->forged));
    for (unsigned k = 0; k < r->u.n; k++) {
        const struct flow *f = &r->u.flow[k];
        t->connections += f->connections;
        t->modules[f->options[f->user[0].to_send < f->user[1].to_send].congestion]++;
    }
    t->seeds[r->kind]++;
    t->signed_with[r->signing.algorithm]++;
    t->key_changes += r->signing.changes;
    t->steps += r->w.steps;
    t->bytes += users_bytes(&r->u);
    t->digest += r->w.digest;
}

/* ---- wires without faults ---- */

/* How long a full queue keeps a segment, or an ACK is held. */
static int64_t queue_ns(const struct link_profile *p)
{
    int64_t queue =
        p->rate_bps == 0 ? 0 : (int64_t)(p->queue_bytes * UINT64_C(8000000000) / p->rate_bps);
    return queue + p->ack_hold_ns;
}

static bool is_faultless(const struct link *link)
{
    const struct link_stats *s = &link->stats;
    return link->profile.jitter_ns == 0 &&
           s->lost + s->queue_full + s->duplicated + s->corrupted + s->late + s->too_big == 0;
}

/* Wires that do nothing to a segment, and a peer and queues that answer before the timer fires. */
static bool is_harmless(const struct run *r)
{
    const struct flow *f = &r->u.flow[0];
    const struct world *w = &r->w;
    int64_t queues_ns = queue_ns(&w->link[0].profile) + queue_ns(&w->link[1].profile);
    /* A SYN that finds TIME-WAIT may have to go twice, and a forged segment is answered. */
    bool harmless = r->kind == SEED_PLAIN && f->connections == 1 && r->forger.ppm == 0;
    for (unsigned i = 0; i < 2 && harmless; i++) {
        harmless = is_faultless(&w->link[i]) && w->host[i].refuse_ppm == 0 &&
                   /* What a SYN carried and the peer did not take goes again. */
                   tcp_counters(w->host[i].engine)->fast_open_refused == 0 &&
                   f->options[i].rto_min_ns > f->options[1 - i].delayed_ack_ns + queues_ns;
    }
    return harmless;
}

static void check_harmless(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_counters *c = tcp_counters(w->host[i].engine);
        /* The octet of a window probe that was not taken is sent again by the next; and a tail loss
         * probe does not wait for an ACK that the peer delays (RFC 8985 section 7.2). */
        uint64_t probes = c->zero_window_probes + c->loss_probes;
        uint64_t again = c->retrans_segs > probes ? c->retrans_segs - probes : 0;
        if (c->rto_timeouts + again + c->fast_recoveries > 0) {
            world_fail(w,
                       "%s: %" PRIu64 " timeouts and %" PRIu64
                       " retransmissions on a wire without faults",
                       w->host[i].name, c->rto_timeouts, again);
        }
    }
}

/* ---- the end ---- */

/* How a connection may end: in order, or, with the wire cut, by a timeout. users.c looks for the
 * cause of each reset as it comes. Where it was tried again, what failed first is still told of;
 * and what a signed peer has left of the last connection in LAST-ACK ends by its own timer, for its
 * FIN is answered by nobody who knows its keys (RFC 5925 section 7.7). */
static bool may_close_by(const struct run *r, bool retried, enum tcp_close_reason reason)
{
    enum seed_kind kind = r->kind;
    switch (reason) {
    case TCP_CLOSE_NORMAL:
    case TCP_CLOSE_TIME_WAIT_EXPIRED:
    case TCP_CLOSE_TIME_WAIT_REUSED:
    case TCP_CLOSE_LISTENER_CLOSED:
    case TCP_CLOSE_FIN_WAIT_2_TIMEOUT:
    case TCP_CLOSE_RESET_BY_PEER:
        return true;
    case TCP_CLOSE_ABORTED:
        return retried;
    case TCP_CLOSE_SYN_TIMEOUT:
        return retried || kind == SEED_CUT;
    case TCP_CLOSE_RETRANSMISSION_TIMEOUT:
        return (retried && r->signing.algorithm != TCP_KEY_NONE) || kind == SEED_CUT;
    case TCP_CLOSE_SYN_RECEIVED_TIMEOUT:
    case TCP_CLOSE_USER_TIMEOUT:
    case TCP_CLOSE_KEEPALIVE_TIMEOUT:
    case TCP_CLOSE_ORPHAN_TIMEOUT:
        return kind == SEED_CUT;
    default:
        return false;
    }
}

static void check_closes(const struct run *r, struct world *w, const struct host *h)
{
    uint64_t orderly = h->closes[TCP_CLOSE_NORMAL] + h->closes[TCP_CLOSE_TIME_WAIT_EXPIRED] +
                       h->closes[TCP_CLOSE_TIME_WAIT_REUSED] + h->closes[TCP_CLOSE_RESET_BY_PEER];
    bool idle = true, retried = false; /* a host without connections, of several */
    for (unsigned k = 0; k < r->u.n; k++) {
        const struct flow *f = &r->u.flow[k];
        idle = idle && f->user[0].host != h && f->user[1].host != h;
        retried = retried || f->retries > 0;
    }
    for (unsigned i = 1; i < TCP_CLOSES; i++) {
        if (h->closes[i] > 0 && !may_close_by(r, retried, (enum tcp_close_reason)i)) {
            world_fail(w, "%s: a connection ended: %s", h->name, tcp_close_text[i].name);
        }
    }
    if (orderly == 0 && !idle && r->kind != SEED_CUT) {
        world_fail(w, "%s: the connection did not end in order", h->name);
    }
}

static void check_end(struct run *r)
{
    struct world *w = &r->w;
    bool waited = false;
    users_check_end(w);
    if (is_harmless(r)) {
        check_harmless(w);
    }
    for (unsigned i = 0; i < w->hosts; i++) {
        struct host *h = &w->host[i];
        tcp_metrics_clear(h->engine, NULL);
        if (host_used(h) != h->baseline) {
            world_fail(w, "%s: %zu bytes in use at the end, %zu at the beginning", h->name,
                       host_used(h), h->baseline);
        }
        check_closes(r, w, h);
        waited = waited || h->state_seen[TCP_TIME_WAIT];
    }
    if (!waited && r->kind != SEED_CUT) {
        world_fail(w, "nobody went through TIME-WAIT");
    }
    if (r->u.flow[0].connections == 1) { /* what is left of one is no signature of the next */
        signing_check(w);
    }
}

/* ---- a run ---- */

static enum seed_kind kind_of(uint64_t seed)
{
    return seed % 16 == 11 ? SEED_CUT
           : seed % 4 == 1 ? SEED_MEDDLED
           : seed % 8 == 2 ? SEED_MANY
                           : SEED_PLAIN;
}

static void begin(struct run *r, uint64_t seed)
{
    struct world_config config;
    void (*const manners[SEED_KINDS])(struct users *, struct world_config *, uint64_t) = {
        users_random, users_random, users_random_many, users_random_cut};
    memset(r, 0, sizeof(*r));
    r->kind = kind_of(seed);
    manners[r->kind](&r->u, &config, seed);
    world_init(&r->w, &config);
    if (r->kind == SEED_MEDDLED) {
        unsigned peer = seed / 4 % 2;
        meddler_init(&r->meddler, seed, &r->w.link[peer], &r->w.link[1 - peer]);
    } else if (r->kind != SEED_MANY) { /* nobody meddles with what is signed */
        signing_random(&r->signing, &r->w, seed);
    }
    if (r->signing.algorithm == TCP_KEY_NONE && seed % 3 == 0) {
        forger_init(&r->forger, seed);
    }
    r->w.host[0].refuse_ppm = seed % 5 == 0 ? 3000 : 0;
    r->w.host[1].refuse_ppm = seed % 7 == 0 ? 3000 : 0;
    users_start(&r->u, &r->w);
}

bool seed_run(uint64_t seed, bool verbose, struct totals *totals)
{
    struct run *r = malloc(sizeof(*r));
    if (r == NULL) {
        abort();
    }
    struct world *w = &r->w;
    begin(r, seed);
    w->verbose = verbose;
    world_settle(w);
    while (!users_done(w) && world_step(w, time_from_ns(TIME_LIMIT_NS))) {
        signing_step(&r->signing, w, &r->u);
        forger_step(&r->forger, w, &r->u);
    }
    if (users_done(w)) {
        check_end(r);
    } else {
        users_tell(w);
    }
    bool good = w->failure[0] == 0;
    if (!good) {
        printf("FAIL seed %" PRIu64 ": %s; again: sim --seed %" PRIu64 " --verbose\n", seed,
               w->failure, seed);
        if (verbose) {
            world_diagnose(w, stdout);
        }
    }
    count(totals, r);
    world_free(w);
    free(r);
    return good;
}
