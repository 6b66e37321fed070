/* base/loop.h on libevent.
 *
 * A turn of the loop: libevent waits, runs the callbacks of what is ready, and then, if anybody
 * called loop_kick(), the cycle runs once. So ten RPCs that arrive together share one flush, and
 * packets and control have the same priority: neither can starve the other, because the cycle works
 * by a budget and asks for another turn when it did not finish.
 *
 * libevent's timers count in its own cached time and in whole milliseconds of a coarse clock unless
 * told otherwise; we tell it, and still compare with our own clock when one fires, so that no
 * deadline is served early. */
#include "host/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t bucket_limits[LOOP_BUCKETS] = {
    2 * NS_PER_US,   5 * NS_PER_US,   10 * NS_PER_US,  20 * NS_PER_US, 50 * NS_PER_US,
    100 * NS_PER_US, 200 * NS_PER_US, 500 * NS_PER_US, NS_PER_MS,      2 * NS_PER_MS,
    5 * NS_PER_MS,   10 * NS_PER_MS,  100 * NS_PER_MS, INT64_MAX,
};

struct loop {
    struct event_base *base;
    int64_t zero_ns; /* CLOCK_MONOTONIC at the loop's zero */
    ackd_time now;   /* as read at the start of the callback that runs */
    loop_fn cycle;
    void *cycle_arg;
    bool kicked;
    bool stopped;
    struct loop_stats stats;
};

struct loop_fd {
    struct loop *loop;
    int fd;
    unsigned what;
    struct event *event; /* NULL while nothing is watched */
    loop_fd_fn fn;
    void *arg;
    const char *name;
};

struct loop_timer {
    struct loop *loop;
    struct event *event;
    ackd_time deadline;
    loop_fn fn;
    void *arg;
    const char *name;
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static ackd_time read_clock(const struct loop *loop)
{
    return time_from_ns(clock_ns(CLOCK_MONOTONIC) - loop->zero_ns);
}

ackd_time loop_refresh(struct loop *loop)
{
    loop->now = read_clock(loop);
    return loop->now;
}

ackd_time loop_now(struct loop *loop)
{
    return loop->now;
}

int64_t loop_wall_ns(struct loop *loop, ackd_time t)
{
    return clock_ns(CLOCK_REALTIME) - time_diff(read_clock(loop), t);
}

/* The callback that began at loop->now is over: notes how long it took. */
static void account(struct loop *loop, ackd_time began, const char *name)
{
    int64_t took = time_diff(loop_refresh(loop), began);
    unsigned i = 0;
    while (i < LOOP_BUCKETS - 1 && took >= bucket_limits[i]) {
        i++;
    }
    loop->stats.bucket[i].count++;
    if (took > loop->stats.longest_ns) {
        loop->stats.longest_ns = took;
        loop->stats.longest_name = name;
    }
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    struct event_config *config = event_config_new();
    if (loop == NULL || config == NULL) {
        goto fail;
    }
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    if (loop->base == NULL) {
        goto fail;
    }
    event_config_free(config);
    loop->zero_ns = clock_ns(CLOCK_MONOTONIC);
    loop->stats.longest_name = "none";
    for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
        loop->stats.bucket[i].below_ns = bucket_limits[i];
    }
    return loop;
fail:
    if (config != NULL) {
        event_config_free(config);
    }
    free(loop);
    return NULL;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    event_base_free(loop->base);
    free(loop);
}

void loop_set_cycle(struct loop *loop, loop_fn cycle, void *arg)
{
    loop->cycle = cycle;
    loop->cycle_arg = arg;
}

void loop_kick(struct loop *loop)
{
    loop->kicked = true;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

static void run_cycle(struct loop *loop)
{
    loop->kicked = false;
    if (loop->cycle != NULL) {
        ackd_time began = loop_refresh(loop);
        loop->cycle(loop->cycle_arg);
        account(loop, began, "cycle");
    }
}

int loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        if (event_base_loop(loop->base, EVLOOP_ONCE | (loop->kicked ? EVLOOP_NONBLOCK : 0)) < 0) {
            return errno != 0 ? -errno : -EIO;
        }
        loop->stats.wakeups++;
        if (loop->kicked) {
            run_cycle(loop);
        }
    }
    return 0;
}

void loop_stats(const struct loop *loop, struct loop_stats *out)
{
    *out = loop->stats;
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static void fd_fired(evutil_socket_t fd, short events, void *arg)
{
    struct loop_fd *f = arg;
    struct loop *loop = f->loop;
    const char *name = f->name;
    unsigned what = ((events & EV_READ) ? LOOP_READ : 0u) | ((events & EV_WRITE) ? LOOP_WRITE : 0u);
    ackd_time began = loop_refresh(loop);
    f->fn(f->arg, (int)fd, what); /* may free f */
    account(loop, began, name);
}

struct loop_fd *loop_fd_new_named(struct loop *loop, int fd, unsigned what, loop_fd_fn fn,
                                  void *arg, const char *name)
{
    struct loop_fd *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    *f = (struct loop_fd){.loop = loop, .fd = fd, .fn = fn, .arg = arg, .name = name};
    f->event = event_new(loop->base, fd, 0, fd_fired, f);
    if (f->event == NULL) {
        free(f);
        return NULL;
    }
    loop_fd_set(f, what);
    return f;
}

void loop_fd_set(struct loop_fd *f, unsigned what)
{
    if (what == f->what) {
        return;
    }
    short events = EV_PERSIST;
    events |= (what & LOOP_READ) ? EV_READ : 0;
    events |= (what & LOOP_WRITE) ? EV_WRITE : 0;
    event_del(f->event);
    f->what = what;
    if (what != 0) {
        event_assign(f->event, f->loop->base, f->fd, events, fd_fired, f);
        event_add(f->event, NULL);
    }
}

void loop_fd_free(struct loop_fd *f)
{
    if (f == NULL) {
        return;
    }
    event_free(f->event);
    free(f);
}

/* ---- timers -----------------------------------------------------------------------------------
 */

static void timer_arm(struct loop_timer *t)
{
    int64_t wait = time_diff(t->deadline, read_clock(t->loop));
    if (wait < 0) {
        wait = 0;
    }
    wait += NS_PER_US - 1; /* libevent counts in microseconds: round up, never early */
    struct timeval tv = {.tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / NS_PER_US};
    event_add(t->event, &tv);
}

static void timer_fired(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    struct loop_timer *t = arg;
    struct loop *loop = t->loop;
    const char *name = t->name;
    ackd_time began = loop_refresh(loop);
    if (!time_reached(t->deadline, began)) {
        timer_arm(t);
        return;
    }
    t->deadline = TIME_NEVER;
    t->fn(t->arg); /* may free t */
    account(loop, began, name);
}

struct loop_timer *loop_timer_new_named(struct loop *loop, loop_fn fn, void *arg, const char *name)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    *t = (struct loop_timer){
        .loop = loop, .deadline = TIME_NEVER, .fn = fn, .arg = arg, .name = name};
    t->event = evtimer_new(loop->base, timer_fired, t);
    if (t->event == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void loop_timer_at(struct loop_timer *t, ackd_time deadline)
{
    if (time_equal(deadline, t->deadline)) {
        return;
    }
    t->deadline = deadline;
    if (time_is_never(deadline)) {
        event_del(t->event);
    } else {
        timer_arm(t);
    }
}

void loop_timer_free(struct loop_timer *t)
{
    if (t == NULL) {
        return;
    }
    event_free(t->event);
    free(t);
}
