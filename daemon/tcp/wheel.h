/* A hierarchical timing wheel (Varghese and Lauck): one entry per connection, its earliest
 * deadline, lazily re-armed. Setting, moving and removing are O(1); a tick is 2^16 ns (65.5 us) and
 * a deadline fires at the first tick not before it. */
#ifndef ACKD_TCP_WHEEL_H
#define ACKD_TCP_WHEEL_H

#include "base/list.h"
#include "base/time.h"

#define WHEEL_TICK_SHIFT 16
#define WHEEL_LEVELS 8 /* of 64 slots: 2^(16 + 6*8) ns, 584 years */

struct wheel_entry {
    struct list link;
    ackd_time deadline; /* TIME_NEVER: not in the wheel */
};

struct wheel {
    uint64_t tick;                   /* everything before this tick has been expired or cascaded */
    uint64_t occupied[WHEEL_LEVELS]; /* bitmap of slots that hold entries */
    struct list slot[WHEEL_LEVELS][64];
    struct list expired;   /* due, not yet popped */
    struct list cascading; /* of a slot that was entered, not yet put into lower levels */
};

void wheel_init(struct wheel *wheel, ackd_time now);
void wheel_entry_init(struct wheel_entry *entry);

/* Inserts or moves; TIME_NEVER removes. A deadline in the past is due at the next wheel_pop(). */
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, ackd_time deadline);

/* Removes and returns one entry whose deadline is at or before `now`, NULL when there is none, or
 * when *budget is spent: each entry that is returned, or put into another slot on the way, costs
 * one. Entries of one tick come in the order they were set, unless a budget ran out among them. */
struct wheel_entry *wheel_pop(struct wheel *wheel, ackd_time now, unsigned *budget);

/* An entry of the earliest slot: none ends more than a slot's width before it. NULL when the wheel
 * is empty. */
struct wheel_entry *wheel_soonest(const struct wheel *wheel);

/* The instant at which wheel_pop() should be called next: never later than the first tick that is
 * due, and only when a level has to be cascaded earlier than it. TIME_NEVER when empty. After
 * wheel_pop(now) returned NULL with budget left it is later than now. */
ackd_time wheel_next(const struct wheel *wheel);

#endif
