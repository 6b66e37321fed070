/* base/loop.h on libevent.
 *
 * A turn of the loop: libevent waits, runs the callbacks of what is ready, and then, if anybody
 * called loop_kick(), the cycle runs once. So ten RPCs that arrive together share one flush, and
 * packets and control have the same priority: neither can starve the other, because the cycle works
 * by a budget and asks for another turn when it did not finish.
 *
 * Deadlines are ours, not libevent's: its timers count in milliseconds of a coarse clock or, when
 * told to be precise, cost a system call in every turn. All of ours share one timerfd, which is set
 * only when a deadline comes to lie before the instant it is set for. A deadline that moves away or
 * vanishes leaves it as it is: it then wakes us once for nothing. One that is due already, which is
 * how work that is done in turns asks for the next, needs no timerfd: libevent looks at the
 * descriptors without waiting, and then it is served.
 *
 * Every callback's time is taken, by the wall clock and by the thread's processor time. The latter
 * is a system call, so it is read at most every 50 us: a callback is then charged all that was used
 * since the last reading, but no more than its wall time. That is exact for what takes long, and
 * never too little.
 *
 * To be woken takes tens of microseconds, most of what a short exchange costs. With busy polling
 * the loop sleeps only when nothing was served for so long (Linux's SO_BUSY_POLL in the place where
 * a TAP can have it). */
#include "host/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "base/list.h"
#include "host/deadlines.h"

static const int64_t bucket_limits[LOOP_BUCKETS] = {
    2 * NS_PER_US,   5 * NS_PER_US,   10 * NS_PER_US,  20 * NS_PER_US, 50 * NS_PER_US,
    100 * NS_PER_US, 200 * NS_PER_US, 500 * NS_PER_US, NS_PER_MS,      2 * NS_PER_MS,
    5 * NS_PER_MS,   10 * NS_PER_MS,  100 * NS_PER_MS, INT64_MAX,
};

/* How far apart readings of the processor's clock are at least. */
static const int64_t cpu_reading_ns = 50 * NS_PER_US;

struct loop {
    struct event_base *base;
    int timerfd;
    struct event *alarm; /* the timerfd fired */
    ackd_time alarm_at;  /* what it is set for, TIME_NEVER when it is not */
    struct deadlines deadlines;
    int64_t zero_ns; /* CLOCK_MONOTONIC at the loop's zero */
    ackd_time now;   /* as read at the start of the callback that runs */
    loop_fn cycle;
    void *cycle_arg;
    bool kicked;
    bool stopped;
    int64_t busy_poll_ns;
    ackd_time served;   /* when a callback or the cycle last ended */
    ackd_time cpu_read; /* when cpu_ns was read */
    int64_t cpu_ns;     /* processor time of this thread */
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
    struct deadline deadline;
    struct loop *loop;
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

ackd_time loop_clock(struct loop *loop)
{
    return read_clock(loop);
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

static unsigned bucket_of(int64_t ns)
{
    unsigned i = 0;
    while (i < LOOP_BUCKETS - 1 && ns >= bucket_limits[i]) {
        i++;
    }
    return i;
}

/* The processor time of a callback that took so long and is over now. */
static int64_t cpu_time(struct loop *loop, int64_t took)
{
    if (time_diff(loop->now, loop->cpu_read) < cpu_reading_ns) {
        return took;
    }
    int64_t before = loop->cpu_ns;
    loop->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    loop->cpu_read = loop->now;
    return loop->cpu_ns - before < took ? loop->cpu_ns - before : took;
}

/* The callback that began at `began` is over: notes how long it took. */
static void account(struct loop *loop, ackd_time began, const char *name)
{
    struct loop_stats *stats = &loop->stats;
    loop->served = loop_refresh(loop);
    int64_t took = time_diff(loop->now, began);
    int64_t cpu = cpu_time(loop, took);
    stats->bucket[bucket_of(took)].count++;
    stats->bucket[bucket_of(cpu)].cpu_count++;
    if (took > stats->longest_ns) {
        stats->longest_ns = took;
        stats->longest_name = name;
    }
    if (cpu > stats->longest_cpu_ns) {
        stats->longest_cpu_ns = cpu;
        stats->longest_cpu_name = name;
    }
}

static void alarm_fired(evutil_socket_t fd, short events, void *arg);
static void serve_due(struct loop *loop);

/* False without memory, epoll or descriptors. */
static bool set_up(struct loop *loop, struct event_config *config)
{
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->base == NULL || loop->timerfd < 0) {
        return false;
    }
    loop->alarm = event_new(loop->base, loop->timerfd, EV_READ | EV_PERSIST, alarm_fired, loop);
    return loop->alarm != NULL && event_add(loop->alarm, NULL) == 0;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return NULL;
    }
    loop->timerfd = -1;
    struct event_config *config = event_config_new();
    bool good = config != NULL && set_up(loop, config);
    if (config != NULL) {
        event_config_free(config);
    }
    if (!good) {
        loop_free(loop);
        return NULL;
    }
    loop->zero_ns = clock_ns(CLOCK_MONOTONIC);
    loop->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    loop->alarm_at = TIME_NEVER;
    loop->stats.longest_name = loop->stats.longest_cpu_name = "none";
    for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
        loop->stats.bucket[i].below_ns = bucket_limits[i];
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->alarm != NULL) {
        event_free(loop->alarm);
    }
    if (loop->timerfd >= 0) {
        close(loop->timerfd);
    }
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
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

/* Sees to it that the earliest deadline wakes us. */
static int set_alarm(struct loop *loop)
{
    const struct deadline *first = deadlines_first(&loop->deadlines);
    if (first == NULL || !time_before(first->at, loop->alarm_at)) {
        return 0;
    }
    int64_t ns = time_add(first->at, loop->zero_ns).ns; /* 0 would mean never */
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)}};
    loop->alarm_at = first->at;
    return timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &when, NULL);
}

void loop_set_busy_poll(struct loop *loop, int64_t ns)
{
    loop->busy_poll_ns = ns;
}

static bool polls(const struct loop *loop)
{
    return loop->busy_poll_ns > 0 && time_diff(read_clock(loop), loop->served) < loop->busy_poll_ns;
}

/* By the clock as it was read last: what comes due meanwhile is the timerfd's. */
static bool is_due(const struct loop *loop)
{
    const struct deadline *first = deadlines_first(&loop->deadlines);
    return first != NULL && time_reached(first->at, loop->now);
}

int loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        bool due = is_due(loop), busy = due || loop->kicked;
        if (!busy && set_alarm(loop) < 0) {
            return -errno;
        }
        bool sleeps = !busy && !polls(loop);
        if (event_base_loop(loop->base, EVLOOP_ONCE | (sleeps ? 0 : EVLOOP_NONBLOCK)) < 0) {
            return errno != 0 ? -errno : -EIO;
        }
        loop->stats.wakeups += sleeps;
        if (due) {
            serve_due(loop);
        }
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

/* ---- descriptors ---- */

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

/* ---- timers ---- */

/* Not more often than there are deadlines, for one may set itself again. */
static void serve_due(struct loop *loop)
{
    for (size_t n = loop->deadlines.count; n > 0; n--) {
        struct deadline *first = deadlines_first(&loop->deadlines);
        ackd_time began = loop_refresh(loop);
        if (first == NULL || !time_reached(first->at, began)) {
            return;
        }
        struct loop_timer *t = container_of(first, struct loop_timer, deadline);
        const char *name = t->name;
        deadlines_clear(&loop->deadlines, first);
        t->fn(t->arg); /* may free t */
        account(loop, began, name);
    }
}

static void alarm_fired(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    struct loop *loop = arg;
    uint64_t expirations;
    if (read((int)fd, &expirations, sizeof expirations) < 0) {
        return; /* set anew meanwhile */
    }
    loop->alarm_at = TIME_NEVER;
    serve_due(loop);
}

struct loop_timer *loop_timer_new_named(struct loop *loop, loop_fn fn, void *arg, const char *name)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (t == NULL || !deadlines_join(&loop->deadlines)) {
        free(t);
        return NULL;
    }
    *t = (struct loop_timer){.loop = loop, .fn = fn, .arg = arg, .name = name};
    return t;
}

void loop_timer_at(struct loop_timer *t, ackd_time deadline)
{
    if (time_is_never(deadline)) {
        deadlines_clear(&t->loop->deadlines, &t->deadline);
    } else if (t->deadline.place == 0 || !time_equal(deadline, t->deadline.at)) {
        deadlines_set(&t->loop->deadlines, &t->deadline, deadline);
    }
}

void loop_timer_free(struct loop_timer *t)
{
    if (t == NULL) {
        return;
    }
    deadlines_clear(&t->loop->deadlines, &t->deadline);
    deadlines_leave(&t->loop->deadlines);
    free(t);
}
