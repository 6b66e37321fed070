/* A double of base/loop.h on poll(): for tests of what stands on the loop, without libevent. With a
 * virtual clock nothing ever waits: the test moves the time, and poll_loop_settle() runs what there
 * is to do until nothing more happens. With the real clock it is a small event loop, for a test's
 * server. */
#ifndef ACKD_TESTS_POLL_LOOP_H
#define ACKD_TESTS_POLL_LOOP_H

#include <stdbool.h>
#include "base/loop.h"

/* NULL without memory. The virtual clock begins at one second. */
struct loop *poll_loop_new(bool real_clock);
/* Everything made on it must be freed before. */
void poll_loop_free(struct loop *loop);
/* Runs the descriptors that are ready and the timers that are due, waiting for them when the clock
 * is real and `wait` is set. Returns how many callbacks ran. */
unsigned poll_loop_step(struct loop *loop, bool wait);
/* Steps until nothing happens, at most `steps` times; returns how often something happened. */
unsigned poll_loop_settle(struct loop *loop, unsigned steps);
/* Moves the virtual clock, from one timer to the next. */
void poll_loop_advance(struct loop *loop, int64_t ns);

/* From now on each loop_clock() of a callback finds it so much later than the one before; 0, as at
 * first: no time passes within a callback. */
void poll_loop_slow(struct loop *loop, int64_t ns);
/* Callbacks that have begun. */
unsigned poll_loop_callbacks(const struct loop *loop);

#endif
