/* Deadlines in their order: a binary heap of the loop's timers. */
#ifndef ACKD_HOST_DEADLINES_H
#define ACKD_HOST_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include "base/time.h"

/* Part of whatever has a deadline. */
struct deadline {
    ackd_time at;
    size_t place; /* 1 and up in the heap, 0 while it is not in */
};

struct deadlines {
    struct deadline **heap; /* [0] is not used */
    size_t count, members, room;
};

/* Makes room for one more deadline, so that setting one cannot fail. False when out of memory. */
bool deadlines_join(struct deadlines *d);
/* Gives the room of one back; its deadline must not be set. The last one's frees all memory. */
void deadlines_leave(struct deadlines *d);

/* Enters or moves a member's deadline. */
void deadlines_set(struct deadlines *d, struct deadline *x, ackd_time at);
/* Takes it out, if it is in. */
void deadlines_clear(struct deadlines *d, struct deadline *x);
/* The earliest, NULL when there is none. */
struct deadline *deadlines_first(const struct deadlines *d);

#endif
