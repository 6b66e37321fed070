/* Where a connection's time went: how long each reason not to send (tcp_limit) held. A connection
 * knows few of the reasons in its life, so only those have a place: a bitmap says which, and the
 * place of reason n is behind as many others as bits are set below n (as in ids.c). The block is
 * as large as its places need, in the arena's steps: 64 bytes hold six.
 *
 * APPLICATION_IDLE has none: it is what the others leave of the connection's life, and so the sum
 * is always that. */
#include "tcp/tcb.h"

#include <string.h>

static unsigned places(uint32_t known)
{
    return (unsigned)__builtin_popcount(known);
}

static size_t clocks_size(unsigned n)
{
    return arena_block_size(sizeof(struct clocks) + n * sizeof(int64_t));
}

static int64_t *place(struct clocks *k, enum tcp_limit limit)
{
    return &k->ns[places(k->known & ((UINT32_C(1) << limit) - 1))];
}

/* The place of `limit`, made when it is not there; NULL without memory. */
static int64_t *place_need(struct tcp_engine *e, struct tcb *c, enum tcp_limit limit)
{
    struct clocks *k = tcb_clocks(c);
    uint32_t bit = UINT32_C(1) << limit;
    if (k->known & bit) {
        return place(k, limit);
    }
    unsigned n = places(k->known);
    size_t before = clocks_size(n), after = clocks_size(n + 1);
    if (before != after) {
        k = arena_alloc(e->arena, after);
        if (!k) {
            return NULL;
        }
        memcpy(k, tcb_clocks(c), before);
        arena_release(e->arena, tcb_clocks(c), before);
        c->extras->clocks = k;
    }
    int64_t *at = place(k, limit);
    memmove(at + 1, at, (size_t)(k->ns + n - at) * sizeof *at);
    k->known |= bit;
    *at = 0;
    return at;
}

/* `limit` held for so long. Without memory for its place the time counts as idle. */
static void add(struct tcp_engine *e, struct tcb *c, enum tcp_limit limit, int64_t ns)
{
    int64_t *at = ns && limit != TCP_LIMIT_APPLICATION_IDLE ? place_need(e, c, limit) : NULL;
    if (at) {
        *at += ns;
    }
}

static void begin(struct tcp_engine *e, struct tcb *c)
{
    struct clocks *k = tcb_extras(e, c) ? arena_alloc(e->arena, clocks_size(0)) : NULL;
    if (!k) {
        return;
    }
    *k = (struct clocks){.since = c->created};
    c->extras->clocks = k;
    if (!time_is_never(c->established)) {
        k->since = c->established;
        add(e, c, TCP_LIMIT_HANDSHAKE, time_diff(c->established, c->created));
    }
}

void limit_set(struct tcp_engine *e, struct tcb *c, enum tcp_limit limit, ackd_time now)
{
    if (limit == c->limit) {
        return;
    }
    if (!tcb_clocks(c) && (c->act || limit == TCP_LIMIT_CLOSED)) {
        begin(e, c);
    }
    if (tcb_clocks(c)) {
        add(e, c, c->limit, time_diff(now, tcb_clocks(c)->since));
        tcb_clocks(c)->since = now;
    }
    c->limit = (uint8_t)limit;
}

void clocks_free(struct tcp_engine *e, struct tcb *c)
{
    if (tcb_clocks(c)) {
        arena_release(e->arena, tcb_clocks(c), clocks_size(places(tcb_clocks(c)->known)));
        c->extras->clocks = NULL;
    }
}

/* Before there is a block all is handshake, then what holds now. */
void clocks_read(const struct tcb *c, ackd_time now, int64_t ns[TCP_LIMITS])
{
    const struct clocks *k = tcb_clocks(c);
    bool established = !time_is_never(c->established);
    ackd_time since = k ? k->since : established ? c->established : c->created;
    int64_t idle = time_diff(since, c->created);
    unsigned n = 0;
    for (unsigned limit = 0; k && limit < TCP_LIMITS; limit++) {
        if (k->known >> limit & 1) {
            ns[limit] = k->ns[n++];
            idle -= ns[limit];
        }
    }
    ns[k ? TCP_LIMIT_APPLICATION_IDLE : TCP_LIMIT_HANDSHAKE] += idle;
    if (c->t.rec.state != TCP_CLOSED) {
        ns[c->limit] += time_diff(now, since);
    }
}
