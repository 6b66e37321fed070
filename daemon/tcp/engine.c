/* The engine's life, its doors, and how a record is found.
 *
 * A segment finds its endpoint by a keyed hash of the tuple (RFC 9293 section 3.10.7: "the
 * connection"), or else the most specific listener (section 3.9.1.1). A user call finds it by id.
 * Ids count up and are never reused, so a stale one finds nothing. Records that die inside a door
 * (a segment, a call, a timer) leave all tables at once; their memory is given back when the door
 * closes, so that no function has to fear that its connection was freed under it. */
#include "tcp/tcb.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static uint64_t tuple_hash(const struct tcp_engine *e, const struct tcp_tuple *t)
{
    return siphash13(&e->tuple_key, t, sizeof *t);
}

static uint64_t node_tuple_hash(const void *ctx, const struct table_node *n)
{
    const struct rec *r = container_of(n, const struct rec, by_tuple);
    return tuple_hash(ctx, &r->tuple);
}

/* ---- records ---- */

/* Who was told of an endpoint calls about it, several times in a row. */
struct rec *rec_find(const struct tcp_engine *e, uint64_t id)
{
    return e->told && e->told->id == id ? e->told : ids_find(&e->ids, id);
}

struct rec *rec_next(const struct tcp_engine *e, uint64_t after)
{
    uint64_t id;
    return ids_next(&e->ids, after, &id);
}

struct rec *rec_lookup(struct tcp_engine *e, const struct tcp_tuple *t)
{
    for (struct table_node *n = table_chain(&e->by_tuple, tuple_hash(e, t)); n; n = n->next) {
        struct rec *r = container_of(n, struct rec, by_tuple);
        if (memcmp(&r->tuple, t, sizeof *t) == 0) {
            return r;
        }
    }
    return NULL;
}

struct tcb *tcb_find(struct tcp_engine *e, uint64_t id)
{
    struct rec *r = rec_find(e, id);
    return r && r->kind == REC_CONNECTION ? tcb_of_rec(r) : NULL;
}

struct listener *listener_find(struct tcp_engine *e, uint64_t id)
{
    struct rec *r = rec_find(e, id);
    return r && r->kind == REC_LISTENER ? (struct listener *)(void *)r : NULL;
}

/* How specifically a listener fits: 0 not at all; a fixed address counts more than a fixed peer
 * (U-4). */
static int listener_fit(const struct listener *l, const struct tcp_tuple *t)
{
    const struct tcp_tuple *lt = &l->rec.tuple;
    int fit = 1;
    if (lt->local_port != t->local_port) {
        return 0;
    }
    if (!ip_addr_is_none(&lt->local)) {
        if (!ip_addr_equal(&lt->local, &t->local)) {
            return 0;
        }
        fit += 4;
    } else if ((l->v4_only && !ip_addr_is_v4(&t->local)) ||
               (l->v6_only && ip_addr_is_v4(&t->local))) {
        return 0;
    }
    if (!ip_addr_is_none(&lt->remote)) {
        if (!ip_addr_equal(&lt->remote, &t->remote)) {
            return 0;
        }
        fit += 2;
    }
    if (lt->remote_port) {
        if (lt->remote_port != t->remote_port) {
            return 0;
        }
        fit += 1;
    }
    return fit;
}

struct listener *listener_lookup(struct tcp_engine *e, const struct tcp_tuple *t)
{
    struct listener *best = NULL;
    int best_fit = 0;
    for (struct listener *l = e->listeners[t->local_port % LISTENER_BUCKETS]; l; l = l->port_next) {
        int fit = listener_fit(l, t);
        if (fit > best_fit) {
            best = l;
            best_fit = fit;
        }
    }
    return best;
}

bool tuple_is_free(void *engine, const struct tcp_tuple *t)
{
    return !rec_lookup(engine, t) && !listener_lookup(engine, t);
}

bool rec_enter(struct tcp_engine *e, struct rec *r, enum rec_kind kind, const struct tcp_tuple *t)
{
    if (!ids_insert(&e->ids, e->last_id + 1, r)) {
        return false;
    }
    r->in_ids = true;
    r->id = ++e->last_id;
    r->kind = kind;
    r->tuple = *t;
    e->endpoints++;
    e->counters.states[r->state]++;
    return true;
}

void rec_enter_tuple(struct tcp_engine *e, struct rec *r)
{
    table_insert(&e->by_tuple, &r->by_tuple, tuple_hash(e, &r->tuple), node_tuple_hash, e);
    r->in_tuple_table = true;
}

void rec_leave_tuple(struct tcp_engine *e, struct rec *r)
{
    if (r->in_tuple_table) {
        table_remove(&e->by_tuple, &r->by_tuple, tuple_hash(e, &r->tuple));
        r->in_tuple_table = false;
    }
}

void rec_leave(struct tcp_engine *e, struct rec *r)
{
    rec_leave_tuple(e, r);
    ids_remove(&e->ids, r->id);
    r->in_ids = false;
    e->told = e->told == r ? NULL : e->told;
    e->endpoints--;
    e->counters.states[r->state]--;
}

void rec_replace(struct tcp_engine *e, struct rec *old, struct rec *n, enum rec_kind kind)
{
    n->id = old->id;
    n->kind = kind;
    n->tuple = old->tuple;
    n->state = old->state;
    ids_replace(&e->ids, n->id, n);
    e->told = e->told == old ? n : e->told;
    n->in_ids = true;
    old->in_ids = false;
    if (old->in_tuple_table) {
        table_replace(&e->by_tuple, &old->by_tuple, &n->by_tuple, tuple_hash(e, &n->tuple));
        old->in_tuple_table = false;
        n->in_tuple_table = true;
    }
}

/* ---- shared options ---- */

const struct tcp_options *tcp_defaults(const struct tcp_engine *e)
{
    return &e->defaults->v;
}

struct shared_options *options_share(struct shared_options *o)
{
    o->refs++;
    return o;
}

struct shared_options *options_new(struct tcp_engine *e, const struct tcp_options *v)
{
    if (memcmp(v, &e->defaults->v, sizeof *v) == 0) {
        return options_share(e->defaults);
    }
    struct shared_options *o = slab_alloc(&e->options_slab);
    if (o) {
        o->refs = 1;
        o->v = *v;
    }
    return o;
}

void options_drop(struct tcp_engine *e, struct shared_options *o)
{
    if (o && --o->refs == 0) {
        slab_free(&e->options_slab, o);
    }
}

/* ---- life ---- */

static bool engine_tables(struct tcp_engine *e)
{
    const struct tcp_config *c = &e->config;
    size_t heads = LISTENER_BUCKETS * sizeof(struct listener *);
    if (!table_init(&e->by_tuple, e->arena)) {
        return false;
    }
    e->listeners = arena_alloc(e->arena, heads);
    e->events = arena_alloc(e->arena, c->event_ring * sizeof *e->events);
    e->closed = arena_alloc(e->arena, c->closed_history * sizeof *e->closed);
    e->headers = arena_alloc(e->arena, HEADER_CACHE * sizeof *e->headers);
    e->pool = pkt_pool_new(e->arena, 64);
    if (!e->listeners || !e->events || !e->closed || !e->headers || !e->pool || !metrics_init(e)) {
        return false;
    }
    memset(e->listeners, 0, heads);
    memset(e->headers, 0, HEADER_CACHE * sizeof *e->headers);
    return true;
}

static void engine_slabs(struct tcp_engine *e)
{
    slab_init(&e->listener_slab, e->arena, sizeof(struct listener));
    slab_init(&e->half_open_slab, e->arena, sizeof(struct half_open));
    slab_init(&e->signed_half_open_slab, e->arena,
              sizeof(struct half_open) + sizeof(struct auth *));
    slab_init(&e->tcb_slab, e->arena, sizeof(struct tcb));
    slab_init(&e->extras_slab, e->arena, sizeof(struct extras));
    slab_init(&e->time_wait_slab, e->arena, sizeof(struct time_wait));
    slab_init(&e->signed_time_wait_slab, e->arena,
              sizeof(struct time_wait) + sizeof(struct auth *));
    slab_init(&e->activity_slab, e->arena, sizeof(struct activity));
    slab_init(&e->accecn_slab, e->arena, sizeof(struct accecn));
    slab_init(&e->rcvq_slab, e->arena, sizeof(struct rcvq));
    slab_init(&e->marks_slab, e->arena, sizeof(struct marks));
    slab_init(&e->flow_slab, e->arena, sizeof(struct flow));
    for (unsigned i = 0; i < TCP_CONGESTIONS; i++) {
        slab_init(&e->cc_slab[i], e->arena, cc_state_size((enum tcp_congestion)i));
    }
    slab_init(&e->tuning_slab, e->arena, sizeof(struct tuning));
    slab_init(&e->run_slab, e->arena, sizeof(struct rtx_run));
    slab_init(&e->piece_slab, e->arena, sizeof(struct rcv_piece));
    slab_init(&e->control_slab, e->arena, sizeof(struct control_segment));
    slab_init(&e->options_slab, e->arena, sizeof(struct shared_options));
    slab_init(&e->key_slab, e->arena, sizeof(struct auth_key));
    slab_init(&e->auth_slab, e->arena, sizeof(struct auth));
    slab_init(&e->signature_slab, e->arena, sizeof(struct auth_signature));
}

static struct hash_key random_key(struct rng *rng)
{
    uint64_t k0 = rng_u64(rng);
    return (struct hash_key){k0, rng_u64(rng)};
}

struct tcp_engine *tcp_engine_new(const struct tcp_config *config, ackd_time now)
{
    struct tcp_engine *e = arena_alloc(config->arena, sizeof *e);
    if (!e) {
        return NULL;
    }
    memset(e, 0, sizeof *e);
    e->config = *config;
    e->arena = config->arena;
    e->link = (struct tcp_link){.max_frame = 65535};
    rng_init(&e->rng, config->seed0, config->seed1);
    e->tuple_key = random_key(&e->rng);
    e->isn_key = random_key(&e->rng);
    e->ts_key = random_key(&e->rng);
    e->flow_key = random_key(&e->rng);
    e->syn_cookie_key = random_key(&e->rng);
    fast_open_init(e, now);
    keys_init(e);
    ports_init(&e->ports, &e->rng, config->port_first, config->port_last);
    wheel_init(&e->wheel, now);
    wheel_init(&e->waits, now);
    ids_init(&e->ids, e->arena);
    struct list *heads[] = {&e->output,   &e->ready, &e->listener_ready, &e->control,
                            &e->removals, &e->dead,  &e->unaccepted};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        list_init(heads[i]);
    }
    engine_slabs(e);
    e->defaults = slab_alloc(&e->options_slab);
    if (!e->defaults || !engine_tables(e)) {
        tcp_engine_free(e);
        return NULL;
    }
    e->defaults->refs = 1;
    e->defaults->v = config->defaults;
    return e;
}

void tcp_engine_free(struct tcp_engine *e)
{
    if (!e) {
        return;
    }
    removals_clear(e);
    for (struct rec *r = rec_next(e, 0); r; r = rec_next(e, r->id)) {
        if (r->kind == REC_CONNECTION) {
            tcb_destroy(e, tcb_of_rec(r)); /* its memory stays until the door closes */
        }
    }
    door_close(e);
    while (!list_empty(&e->control)) { /* what signs them is wiped */
        control_drop(e, container_of(e->control.next, struct control_segment, link));
    }
    keys_free(e);
    /* What is left holds no packet buffer; the arena is the caller's and may be freed as a whole.
     */
    if (e->by_tuple.directory) {
        table_done(&e->by_tuple);
    }
    ids_clear(&e->ids);
    if (e->metrics.bucket) {
        metrics_free(e);
    }
    if (e->pool) {
        pkt_pool_free(e->pool);
    }
    arena_release(e->arena, e->listeners, LISTENER_BUCKETS * sizeof(struct listener *));
    arena_release(e->arena, e->events, e->config.event_ring * sizeof *e->events);
    arena_release(e->arena, e->closed, e->config.closed_history * sizeof *e->closed);
    arena_release(e->arena, e->headers, HEADER_CACHE * sizeof *e->headers);
    arena_release(e->arena, e, sizeof *e);
}

void door_close(struct tcp_engine *e)
{
    list_for_each_safe(link, tmp, &e->dead)
    {
        struct tcb *c = container_of(link, struct tcb, out);
        list_remove(link);
        slab_free(&e->tcb_slab, c);
    }
}

struct pkt_pool *tcp_pool(struct tcp_engine *e)
{
    return e->pool;
}

void tcp_set_link(struct tcp_engine *e, const struct tcp_link *link)
{
    e->link = *link;
}

const struct tcp_counters *tcp_counters(const struct tcp_engine *e)
{
    return &e->counters;
}

uint32_t tcp_endpoints(const struct tcp_engine *e)
{
    return e->endpoints;
}

/* ---- time ---- */

/* True: the connection is over. */
static bool state_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    switch (c->t.rec.state) {
    case TCP_TIME_WAIT:
        tcb_closed(e, c, now, TCP_CLOSE_TIME_WAIT_EXPIRED);
        return true;
    case TCP_FIN_WAIT_2:
        tcb_closed(e, c, now, TCP_CLOSE_FIN_WAIT_2_TIMEOUT);
        return true;
    default:
        if (!orphan_stuck(c, now)) {
            return false;
        }
        reset_tcb(e, c, now, TCP_RST_SENT_TIMED_OUT);
        tcb_closed(e, c, now, TCP_CLOSE_ORPHAN_TIMEOUT);
        return true;
    }
}

static void tcb_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (!time_reached(tcb_deadline(c), now)) { /* it moved later meanwhile */
        tcb_arm(e, c);
        if (c->flags & C_FIN_QUEUED && !(c->flags & C_FIN_SENT)) {
            tcb_touch(e, c); /* there was no memory for it (output.c) */
        }
        return;
    }
    if (time_reached(c->t_state, now) && state_timeout(e, c, now)) {
        return;
    }
    if (time_reached(c->t_delack, now)) {
        c->t_delack = TIME_NEVER;
        c->flags |= C_ACK_NOW | C_ACK_DELAYED;
    }
    if (c->act && time_reached(c->act->flight.t_loss, now)) {
        recovery_loss_timer(e, c, now);
    }
    if (time_reached(tcb_rtx(c), now)) {
        if (tcb_outstanding(c)) {
            rto_fired(e, c, now);
        } else {
            persist_fired(e, c, now);
        }
    }
    if (c->t.rec.state != TCP_CLOSED && time_reached(tcb_keepalive(c), now)) {
        keepalive_fired(e, c, now);
    }
    if (c->t.rec.state != TCP_CLOSED && time_reached(user_timeout_deadline(c), now)) {
        bool by_user = c->options->v.user_timeout_ns > 0 || c->options->v.uto;
        enum tcp_close_reason why = c->t.rec.state == TCP_SYN_SENT ? TCP_CLOSE_SYN_TIMEOUT
                                    : c->fast_open & FAST_OPEN_CHILD
                                        ? TCP_CLOSE_SYN_RECEIVED_TIMEOUT
                                    : by_user ? TCP_CLOSE_USER_TIMEOUT
                                              : TCP_CLOSE_RETRANSMISSION_TIMEOUT;
        if (c->t.rec.state != TCP_SYN_SENT) {
            reset_tcb(e, c, now, TCP_RST_SENT_TIMED_OUT);
        }
        tcb_closed(e, c, now, why);
    }
    if (c->t.rec.state != TCP_CLOSED) {
        tcb_touch(e, c); /* the flush sends what is due and re-arms */
    }
    if (c->t.rec.state == TCP_TIME_WAIT) {
        tcb_arm(e, c); /* it may be evicted before: never off its wheel */
    }
}

/* What one call does at most: so many entries find another place in a wheel, or so many deadlines
 * are served, at the cost of TIMEOUT_COST moves each. */
enum { TIMEOUT_MOVES = 512, TIMEOUT_COST = 7 };

static void serve_deadlines(struct tcp_engine *e, struct wheel *wheel, ackd_time now,
                            unsigned *budget)
{
    struct wheel_entry *entry;
    while ((entry = wheel_pop(wheel, now, budget))) {
        *budget -= *budget < TIMEOUT_COST ? *budget : TIMEOUT_COST;
        struct timed *t = container_of(entry, struct timed, timer);
        switch (t->rec.kind) {
        case REC_HALF_OPEN:
            half_open_timeout(e, (struct half_open *)t, now);
            break;
        case REC_TIME_WAIT:
            time_wait_timeout(e, (struct time_wait *)t, now);
            break;
        default:
            tcb_timeout(e, (struct tcb *)t, now);
        }
    }
}

void tcp_timeout(struct tcp_engine *e, ackd_time now)
{
    unsigned budget = TIMEOUT_MOVES;
    serve_deadlines(e, &e->wheel, now, &budget);
    serve_deadlines(e, &e->waits, now, &budget);
    removals_step(e, now);
    unaccepted_step(e, now);
    door_close(e);
}

ackd_time tcp_next_deadline(const struct tcp_engine *e)
{
    if (!list_empty(&e->removals) || !list_empty(&e->unaccepted)) {
        return time_from_ns(0); /* at once */
    }
    return time_min(wheel_next(&e->wheel), wheel_next(&e->waits));
}
