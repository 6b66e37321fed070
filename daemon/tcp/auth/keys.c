/* The table of master key tuples (RFC 5925 section 3.1) and of MD5 keys, one for all endpoints.
 *
 * Those for a single peer lie in buckets by its address, those for a prefix in one list; so a
 * segment costs what its own peer's keys cost. How many there are is bounded, and only the operator
 * adds any. A connection holds traffic keys made from them: through its key it is found when a key
 * is removed, and forgets them. */
#include "tcp/auth/auth.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcb.h"

static uint8_t host_bits(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) ? 32 : 128;
}

static struct list *bucket(const struct tcp_engine *e, const struct ip_addr *remote)
{
    return &e->keys.hosts[siphash13(&e->tuple_key, remote, sizeof *remote) % KEY_BUCKETS];
}

void keys_init(struct tcp_engine *e)
{
    list_init(&e->keys.all);
    list_init(&e->keys.prefixes);
}

static void key_free(struct tcp_engine *e, struct auth_key *k)
{
    list_remove(&k->link);
    list_remove(&k->all);
    e->keys.count--;
    explicit_bzero(k, sizeof *k);
    slab_free(&e->key_slab, k);
}

void keys_free(struct tcp_engine *e)
{
    list_for_each_safe(link, tmp, &e->keys.all)
    {
        struct auth_key *k = container_of(link, struct auth_key, all);
        while (!list_empty(&k->uses)) {
            auth_use_drop(container_of(k->uses.next, struct auth_use, link));
        }
        key_free(e, k);
    }
    arena_release(e->arena, e->keys.hosts, KEY_BUCKETS * sizeof *e->keys.hosts);
    e->keys.hosts = NULL;
}

/* ---- finding one ---- */

unsigned key_fit(const struct auth_key *k, const struct tcp_tuple *t)
{
    const struct tcp_key *v = &k->v;
    if (!ip_prefix_contains(&v->remote, &t->remote) ||
        (!ip_addr_is_none(&v->local) && !ip_addr_equal(&v->local, &t->local)) ||
        (v->local_port && v->local_port != t->local_port) ||
        (v->remote_port && v->remote_port != t->remote_port)) {
        return 0;
    }
    return 1 + v->remote.length * 8u + !ip_addr_is_none(&v->local) * 4u +
           (v->local_port != 0) * 2u + (v->remote_port != 0);
}

static bool is_wanted(const struct auth_key *k, enum key_wanted wanted, uint8_t id)
{
    bool md5 = k->v.algorithm == TCP_KEY_MD5;
    switch (wanted) {
    case KEY_MD5:
        return md5;
    case KEY_BY_RECEIVE_ID:
        return !md5 && k->v.receive_id == id;
    case KEY_BY_SEND_ID:
        return !md5 && k->v.send_id == id;
    default:
        return true;
    }
}

/* The best of a list, if it is better than `best`. */
static struct auth_key *better(struct list *keys, const struct tcp_tuple *t, enum key_wanted wanted,
                               uint8_t id, struct auth_key *best)
{
    unsigned best_fit = best ? key_fit(best, t) : 0;
    list_for_each(link, keys)
    {
        struct auth_key *k = container_of(link, struct auth_key, link);
        unsigned fit = is_wanted(k, wanted, id) ? key_fit(k, t) : 0;
        if (fit > best_fit) {
            best = k;
            best_fit = fit;
        }
    }
    return best;
}

struct auth_key *keys_find(const struct tcp_engine *e, const struct tcp_tuple *t,
                           enum key_wanted wanted, uint8_t id)
{
    if (!e->keys.count) {
        return NULL;
    }
    struct auth_key *k = better(bucket(e, &t->remote), t, wanted, id, NULL);
    return better((struct list *)&e->keys.prefixes, t, wanted, id, k);
}

static struct auth_key *by_number(const struct tcp_engine *e, uint64_t number)
{
    list_for_each(link, &e->keys.all)
    {
        struct auth_key *k = container_of(link, struct auth_key, all);
        if (k->v.number == number) {
            return k;
        }
    }
    return NULL;
}

/* ---- add ---- */

static bool ports_overlap(uint16_t a, uint16_t b)
{
    return !a || !b || a == b;
}

static bool overlap(const struct tcp_key *a, const struct tcp_key *b)
{
    const struct ip_prefix *wide = a->remote.length < b->remote.length ? &a->remote : &b->remote;
    const struct ip_prefix *narrow = wide == &a->remote ? &b->remote : &a->remote;
    bool local = ip_addr_is_none(&a->local) || ip_addr_is_none(&b->local) ||
                 ip_addr_equal(&a->local, &b->local);
    return ip_prefix_contains(wide, &narrow->addr) && local &&
           ports_overlap(a->local_port, b->local_port) &&
           ports_overlap(a->remote_port, b->remote_port);
}

/* Would a segment not know which of the two is meant? A narrower MD5 key takes precedence. */
static bool conflict(const struct tcp_key *a, const struct tcp_key *b)
{
    if (!overlap(a, b)) {
        return false;
    }
    bool md5 = a->algorithm == TCP_KEY_MD5;
    if (md5 != (b->algorithm == TCP_KEY_MD5)) {
        return true;
    }
    return md5 ? a->remote.length == b->remote.length
               : a->send_id == b->send_id || a->receive_id == b->receive_id;
}

static const char *offending_field(const struct tcp_key *k, size_t length)
{
    if (k->algorithm <= TCP_KEY_NONE || k->algorithm >= TCP_KEY_ALGORITHMS) {
        return "algorithm";
    }
    if (length < 1 || length > TCP_KEY_OCTETS_MAX) {
        return "key";
    }
    if (k->remote.length > host_bits(&k->remote.addr)) {
        return "remote";
    }
    if (!ip_addr_is_none(&k->local) && ip_addr_is_v4(&k->local) != ip_addr_is_v4(&k->remote.addr)) {
        return "local";
    }
    bool ids = k->send_id || k->receive_id || k->exclude_options;
    return k->algorithm == TCP_KEY_MD5 && ids ? "send_id" : NULL;
}

static bool buckets_need(struct tcp_engine *e)
{
    if (!e->keys.hosts) {
        e->keys.hosts = arena_alloc(e->arena, KEY_BUCKETS * sizeof *e->keys.hosts);
        for (unsigned i = 0; e->keys.hosts && i < KEY_BUCKETS; i++) {
            list_init(&e->keys.hosts[i]);
        }
    }
    return e->keys.hosts;
}

int tcp_key_add(struct tcp_engine *e, const struct tcp_key *key, const uint8_t *octets,
                size_t length, uint64_t *number, const char **field)
{
    *field = offending_field(key, length);
    if (*field) {
        return -EINVAL;
    }
    list_for_each(link, &e->keys.all)
    {
        if (conflict(&container_of(link, struct auth_key, all)->v, key)) {
            return -EEXIST;
        }
    }
    struct auth_key *k =
        e->keys.count < e->config.max_keys && buckets_need(e) ? slab_alloc(&e->key_slab) : NULL;
    if (!k) {
        return -ENOBUFS;
    }
    k->v = *key;
    k->v.number = *number = ++e->keys.last_number;
    k->v.connections = 0;
    k->length = (uint8_t)length;
    memcpy(k->octets, octets, length);
    list_init(&k->uses);
    bool host = k->v.remote.length == host_bits(&k->v.remote.addr);
    list_append(host ? bucket(e, &k->v.remote.addr) : &e->keys.prefixes, &k->link);
    list_append(&e->keys.all, &k->all);
    e->keys.count++;
    return 0;
}

/* ---- remove ---- */

static bool is_selected(const struct auth_use *u)
{
    const struct auth *a = u->auth;
    return u == &a->use[a->current] || u == &a->use[a->next];
}

/* Half-open connections and TIME-WAIT hold nothing up. */
static bool holds(struct tcp_engine *e, const struct auth_use *u)
{
    const struct rec *r = rec_find(e, u->auth->id);
    return r && r->kind == REC_CONNECTION && r->state != TCP_TIME_WAIT && r->state != TCP_CLOSED &&
           is_selected(u);
}

/* No key is left: to go on without would be worse than to end. */
static void end_record(struct tcp_engine *e, ackd_time now, struct rec *r)
{
    struct timed *t = (struct timed *)(void *)r;
    if (r->kind == REC_HALF_OPEN) {
        half_open_drop(e, (struct half_open *)t, now, TCP_CLOSE_KEY_REMOVED);
    } else if (r->kind == REC_TIME_WAIT) {
        time_wait_remove(e, (struct time_wait *)t, now, TCP_CLOSE_KEY_REMOVED);
    } else {
        struct tcb *c = (struct tcb *)t;
        bool alive = c->t.rec.state != TCP_CLOSED;
        if (alive && c->t.rec.state != TCP_SYN_SENT && c->t.rec.state != TCP_TIME_WAIT) {
            reset_tcb(e, c, now, TCP_RST_SENT_KEY_REMOVED);
        }
        auth_free(e, t);
        if (alive) {
            tcb_closed(e, c, now, TCP_CLOSE_KEY_REMOVED);
        }
    }
}

/* The connection goes over to another key, or ends. */
static void forsake(struct tcp_engine *e, ackd_time now, struct auth_use *u)
{
    struct auth *a = u->auth;
    struct rec *r = rec_find(e, a->id);
    uint8_t index = (uint8_t)(u - a->use);
    if (!is_selected(u)) {
        auth_use_drop(u);
        return;
    }
    struct auth_key *other = keys_find(e, &r->tuple, KEY_ANY, 0);
    if (!other || (other->v.algorithm == TCP_KEY_MD5) != (u->key->v.algorithm == TCP_KEY_MD5)) {
        end_record(e, now, r);
        return;
    }
    uint8_t n = auth_use_of(a, other);
    a->current = a->current == index ? n : a->current;
    a->next = a->next == index ? n : a->next;
    auth_use_drop(u);
}

int tcp_key_remove(struct tcp_engine *e, ackd_time now, uint64_t number, bool force)
{
    struct auth_key *k = by_number(e, number);
    if (!k) {
        return -ENOENT;
    }
    list_for_each(link, &k->uses)
    {
        if (!force && holds(e, container_of(link, struct auth_use, link))) {
            return -EBUSY;
        }
    }
    list_remove(&k->link); /* nobody finds it any more */
    while (!list_empty(&k->uses)) {
        forsake(e, now, container_of(k->uses.next, struct auth_use, link));
    }
    key_free(e, k);
    door_close(e);
    return 0;
}

/* ---- use, list ---- */

static int choose(const struct tcp_engine *e, const struct tcp_tuple *t, uint64_t number,
                  struct auth_key **out)
{
    *out = number ? by_number(e, number) : NULL;
    if (!number) {
        return 0;
    }
    if (!*out) {
        return -ENOENT;
    }
    return (*out)->v.algorithm != TCP_KEY_MD5 && key_fit(*out, t) ? 0 : -EINVAL;
}

int tcp_key_use(struct tcp_engine *e, ackd_time now, uint64_t id, uint64_t current, uint64_t next)
{
    (void)now;
    struct tcb *c = tcb_find(e, id);
    struct auth_key *to_current, *to_next;
    if (!c) {
        return -EBADF;
    }
    struct auth *a = tcb_auth(c);
    if (!a || a->use[a->current].key->v.algorithm == TCP_KEY_MD5) {
        return -ENOTCONN;
    }
    int error = choose(e, &c->t.rec.tuple, current, &to_current);
    error = error ? error : choose(e, &c->t.rec.tuple, next, &to_next);
    if (error) {
        return error;
    }
    a->current = to_current ? auth_use_of(a, to_current) : a->current;
    a->next = to_next ? auth_use_of(a, to_next) : a->next;
    if (state_synchronized(c->t.rec.state)) { /* the peer learns of it now */
        c->flags |= C_ACK_NOW;
        tcb_touch(e, c);
    }
    return 0;
}

unsigned tcp_key_list(const struct tcp_engine *e, uint64_t after, struct tcp_key *out, unsigned max)
{
    unsigned n = 0;
    list_for_each(link, &e->keys.all)
    {
        const struct auth_key *k = container_of(link, const struct auth_key, all);
        if (k->v.number > after && n < max) {
            out[n] = k->v;
            list_for_each(use, &k->uses)
            {
                out[n].connections++;
            }
            n++;
        }
    }
    return n;
}
