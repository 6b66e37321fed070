/* An address of ours is gone: its connections end (RFC 9293 MUST-45 by the other end: a connection
 * never changes its address). There may be a million of them among a million others, so the records
 * are walked in turns: the first at once, the others whenever time passes. A connection that is
 * made after the removal (the address has come back) has a larger id than the walk goes to. */
#include "tcp/tcb.h"

enum { RECORDS_TURN = 256 };

struct removal {
    struct list link; /* on engine.removals */
    struct ip_addr local;
    uint64_t after; /* where the next turn goes on */
    uint64_t until; /* the last id there was */
};

static void end_one(struct tcp_engine *e, struct rec *r, ackd_time now, const struct ip_addr *local)
{
    if (r->state == TCP_CLOSED || !ip_addr_equal(&r->tuple.local, local)) {
        return;
    }
    if (r->kind == REC_CONNECTION) {
        tcb_closed(e, tcb_of_rec(r), now, TCP_CLOSE_ADDRESS_REMOVED);
    } else if (r->kind == REC_HALF_OPEN) {
        half_open_drop(e, (struct half_open *)(void *)r, now, TCP_CLOSE_ADDRESS_REMOVED);
    } else if (r->kind == REC_TIME_WAIT) {
        time_wait_remove(e, (struct time_wait *)(void *)r, now, TCP_CLOSE_ADDRESS_REMOVED);
    }
}

/* Walks on, at most `budget` records; true at the end. */
static bool walk(struct tcp_engine *e, struct removal *r, ackd_time now, unsigned budget)
{
    for (; budget > 0; budget--) {
        struct rec *next = rec_next(e, r->after);
        if (!next || next->id > r->until) {
            return true;
        }
        r->after = next->id;
        end_one(e, next, now, &r->local);
    }
    return false;
}

static void removal_free(struct tcp_engine *e, struct removal *r)
{
    list_remove(&r->link);
    arena_release(e->arena, r, sizeof *r);
}

void removals_step(struct tcp_engine *e, ackd_time now)
{
    if (list_empty(&e->removals)) {
        return;
    }
    struct removal *r = container_of(e->removals.next, struct removal, link);
    if (walk(e, r, now, RECORDS_TURN)) {
        removal_free(e, r);
    }
}

void removals_clear(struct tcp_engine *e)
{
    list_for_each_safe(link, next, &e->removals)
    {
        removal_free(e, container_of(link, struct removal, link));
    }
}

void tcp_address_removed(struct tcp_engine *e, ackd_time now, const struct ip_addr *local)
{
    struct removal walks = {.local = *local, .until = e->last_id};
    struct removal *r = arena_alloc(e->arena, sizeof *r);
    if (r) {
        *r = walks;
        list_append(&e->removals, &r->link);
        removals_step(e, now);
    } else { /* without memory to remember where it was, the walk is done in one go */
        walk(e, &walks, now, UINT32_MAX);
    }
    door_close(e);
}
