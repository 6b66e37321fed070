/* The loop as its owner sees it: made, run and stopped. Everybody else knows base/loop.h. */
#ifndef ACKD_HOST_LOOP_H
#define ACKD_HOST_LOOP_H

#include "base/loop.h"
#include "host/loop_stats.h"

/* The clock's zero is now. NULL when out of memory or without epoll. */
struct loop *loop_new(void);
/* Descriptors and timers must be freed before. */
void loop_free(struct loop *loop);

/* What loop_kick() asks for: runs after the callbacks of this turn, once however often it was
 * asked. When it kicks again itself, descriptors that are ready come first. */
void loop_set_cycle(struct loop *loop, loop_fn cycle, void *arg);

/* After every turn that had something to do, the loop looks again and again for `ns` before it lets
 * the processor go: what arrives meanwhile is served without a wake-up. 0, as at first: never. */
void loop_set_busy_poll(struct loop *loop, int64_t ns);

/* Runs until loop_stop(). 0, or -errno when the system refuses to wait. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Reads the clock afresh: loop_now() is then later or equal. For a callback that works by a time
 * budget. */
ackd_time loop_refresh(struct loop *loop);

#endif
