/* A binary heap in an array: the parent of place i is at i/2 and is never later than its children,
 * so the earliest is at 1, and a deadline that moves walks at most the height of the tree, towards
 * the root or away from it. Each member knows its place, so that it is found without a search. */
#include "host/deadlines.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOM_MIN = 64 };

bool deadlines_join(struct deadlines *d)
{
    if (d->members + 1 >= d->room) {
        size_t room = d->room == 0 ? ROOM_MIN : 2 * d->room;
        struct deadline **heap = realloc(d->heap, room * sizeof(struct deadline *));
        if (heap == NULL) {
            return false;
        }
        d->heap = heap;
        d->room = room;
    }
    d->members++;
    return true;
}

void deadlines_leave(struct deadlines *d)
{
    assert(d->members > d->count);
    if (--d->members == 0) {
        free(d->heap);
        *d = (struct deadlines){0};
    }
}

static void put(struct deadlines *d, struct deadline *x, size_t place)
{
    d->heap[place] = x;
    x->place = place;
}

/* x goes where it belongs, from the free place `place` towards the root. */
static void rise(struct deadlines *d, struct deadline *x, size_t place)
{
    while (place > 1 && time_before(x->at, d->heap[place / 2]->at)) {
        put(d, d->heap[place / 2], place);
        place /= 2;
    }
    put(d, x, place);
}

static void sink(struct deadlines *d, struct deadline *x, size_t place)
{
    for (;;) {
        size_t child = 2 * place;
        if (child < d->count && time_before(d->heap[child + 1]->at, d->heap[child]->at)) {
            child++;
        }
        if (child > d->count || !time_before(d->heap[child]->at, x->at)) {
            break;
        }
        put(d, d->heap[child], place);
        place = child;
    }
    put(d, x, place);
}

static void settle(struct deadlines *d, struct deadline *x, size_t place)
{
    if (place > 1 && time_before(x->at, d->heap[place / 2]->at)) {
        rise(d, x, place);
    } else {
        sink(d, x, place);
    }
}

void deadlines_set(struct deadlines *d, struct deadline *x, ackd_time at)
{
    x->at = at;
    if (x->place == 0) {
        assert(d->count < d->members);
        x->place = ++d->count;
    }
    settle(d, x, x->place);
}

void deadlines_clear(struct deadlines *d, struct deadline *x)
{
    size_t place = x->place;
    if (place == 0) {
        return;
    }
    struct deadline *last = d->heap[d->count--];
    if (last != x) {
        settle(d, last, place);
    }
    x->place = 0;
}

struct deadline *deadlines_first(const struct deadlines *d)
{
    return d->count > 0 ? d->heap[1] : NULL;
}
