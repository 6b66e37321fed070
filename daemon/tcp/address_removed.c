/* An address of ours is gone: its connections end (RFC 9293 MUST-45 by the other end: a connection
 * never changes its address). There may be a million of them among a million others, so the records
 * are walked in turns: the first at once, the others whenever time passes. A connection that is
 * made after the removal (the address has come back) has a larger id than the walk goes to. */
#include "tcp/tcb.h"

enum { RECORDS_TURN = 256 };

struct removal {
    struct list link; /* on engine.removals */
    struct tcp_cursor *cursor;
    struct ip_addr local;
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
static bool walk(struct tcp_engine *e, struct tcp_cursor *cursor, ackd_time now,
                 const struct ip_addr *local, uint64_t until, uint64_t budget)
{
    for (; budget > 0; budget--) {
        uint64_t id = tcp_cursor_next(cursor, 1);
        if (id == 0 || id > until) {
            return true;
        }
        end_one(e, container_of(cursor->at, struct rec, all), now, local);
    }
    return false;
}

static void removal_free(struct tcp_engine *e, struct removal *r)
{
    list_remove(&r->link);
    tcp_cursor_free(r->cursor);
    arena_release(e->arena, r, sizeof *r);
}

void removals_step(struct tcp_engine *e, ackd_time now)
{
    if (list_empty(&e->removals)) {
        return;
    }
    struct removal *r = container_of(e->removals.next, struct removal, link);
    if (walk(e, r->cursor, now, &r->local, r->until, RECORDS_TURN)) {
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

/* Without memory to remember where it was, the walk is done in one go. */
static void walk_all(struct tcp_engine *e, ackd_time now, const struct ip_addr *local)
{
    list_for_each_safe(link, next, &e->all)
    {
        end_one(e, container_of(link, struct rec, all), now, local);
    }
}

void tcp_address_removed(struct tcp_engine *e, ackd_time now, const struct ip_addr *local)
{
    struct removal *r = arena_alloc(e->arena, sizeof *r);
    struct tcp_cursor *cursor = r ? tcp_cursor_new(e, 0) : NULL;
    if (cursor) {
        *r = (struct removal){.cursor = cursor, .local = *local, .until = e->last_id};
        list_append(&e->removals, &r->link);
        removals_step(e, now);
    } else {
        arena_release(e->arena, r, sizeof *r);
        walk_all(e, now, local);
    }
    door_close(e);
}
