/* The abstract loop: descriptors, deadlines and the clock, as rooms above the engine see them.
 * host/ implements it; nobody else knows what is underneath (libevent). One thread; callbacks never
 * nest. */
#ifndef ACKD_BASE_LOOP_H
#define ACKD_BASE_LOOP_H

#include <stdint.h>
#include "base/time.h"

struct loop;
struct loop_fd;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_fd_fn)(void *arg, int fd, unsigned what);
typedef void (*loop_fn)(void *arg);

/* Watches fd (level-triggered) for `what` (0 = nothing yet). The descriptor stays the caller's.
 * NULL when out of memory. The callback's name stands beside the time it took in the loop's figures
 * (Daemon.GetStatus). */
struct loop_fd *loop_fd_new_named(struct loop *loop, int fd, unsigned what, loop_fd_fn fn,
                                  void *arg, const char *name);
#define loop_fd_new(loop, fd, what, fn, arg) loop_fd_new_named(loop, fd, what, fn, arg, #fn)
void loop_fd_set(struct loop_fd *fd, unsigned what);
void loop_fd_free(struct loop_fd *fd);

/* A one-shot deadline, unarmed at first. Arming again moves it; TIME_NEVER disarms. */
struct loop_timer *loop_timer_new_named(struct loop *loop, loop_fn fn, void *arg, const char *name);
#define loop_timer_new(loop, fn, arg) loop_timer_new_named(loop, fn, arg, #fn)
void loop_timer_at(struct loop_timer *timer, ackd_time deadline);
void loop_timer_free(struct loop_timer *timer);

/* The engine's clock now (monotonic), read once at the start of each callback. */
ackd_time loop_now(struct loop *loop);
/* The clock as it is this moment, for work that bounds itself by time; loop_now() stays. */
ackd_time loop_clock(struct loop *loop);
/* Wall-clock nanoseconds since 1970 that belong to an instant of this clock. */
int64_t loop_wall_ns(struct loop *loop, ackd_time t);

/* Ask that the cycle (engine timeout, flush, events, readiness) run once more after this callback
 * returns. Whoever made an engine call says this; it is idempotent and costs nothing. */
void loop_kick(struct loop *loop);

#endif
