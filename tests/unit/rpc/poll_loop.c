/* base/loop.h on poll(): see poll_loop.h. Callbacks may free any descriptor or timer, their own
 * included; so what is freed during a step stays in its array, marked, until the step is over. */
#include "poll_loop.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include "base/list.h"

struct loop_fd {
    struct list link;
    struct loop *loop;
    int fd;
    unsigned what;
    loop_fd_fn fn;
    void *arg;
    bool freed;
    int polled; /* index into the poll set of this step, or -1 */
};

struct loop_timer {
    struct list link;
    struct loop *loop;
    ackd_time deadline;
    loop_fn fn;
    void *arg;
    bool freed;
};

struct loop {
    bool real;
    unsigned running; /* steps on the stack: 0 or 1 */
    ackd_time now;
    struct list fds, timers;
    unsigned kicks;
    unsigned callbacks;
    int64_t slow_ns, spent_ns; /* of each look at the clock; since the callback began */
};

static ackd_time monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return time_from_ns((int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec);
}

struct loop *poll_loop_new(bool real_clock)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop) {
        loop->real = real_clock;
        loop->now = real_clock ? monotonic() : time_from_ns(NS_PER_S);
        list_init(&loop->fds);
        list_init(&loop->timers);
    }
    return loop;
}

static void begin_callback(struct loop *loop)
{
    loop->callbacks++;
    loop->spent_ns = 0;
}

/* Frees what was marked. */
static void sweep(struct loop *loop)
{
    list_for_each_safe(at, next, &loop->fds)
    {
        struct loop_fd *fd = container_of(at, struct loop_fd, link);
        if (fd->freed) {
            list_remove(at);
            free(fd);
        }
    }
    list_for_each_safe(at2, next2, &loop->timers)
    {
        struct loop_timer *timer = container_of(at2, struct loop_timer, link);
        if (timer->freed) {
            list_remove(at2);
            free(timer);
        }
    }
}

void poll_loop_free(struct loop *loop)
{
    sweep(loop);
    if (!list_empty(&loop->fds) || !list_empty(&loop->timers)) {
        abort(); /* a test's leak */
    }
    free(loop);
}

struct loop_fd *loop_fd_new_named(struct loop *loop, int number, unsigned what, loop_fd_fn fn,
                                  void *arg, const char *name)
{
    (void)name;
    struct loop_fd *fd = calloc(1, sizeof(*fd));
    if (fd) {
        *fd = (struct loop_fd){
            .loop = loop, .fd = number, .what = what, .fn = fn, .arg = arg, .polled = -1};
        list_append(&loop->fds, &fd->link);
    }
    return fd;
}

void loop_fd_set(struct loop_fd *fd, unsigned what)
{
    fd->what = what;
}

void loop_fd_free(struct loop_fd *fd)
{
    fd->freed = true;
    if (!fd->loop->running) {
        sweep(fd->loop);
    }
}

struct loop_timer *loop_timer_new_named(struct loop *loop, loop_fn fn, void *arg, const char *name)
{
    (void)name;
    struct loop_timer *timer = calloc(1, sizeof(*timer));
    if (timer) {
        *timer = (struct loop_timer){.loop = loop, .deadline = TIME_NEVER, .fn = fn, .arg = arg};
        list_append(&loop->timers, &timer->link);
    }
    return timer;
}

void loop_timer_at(struct loop_timer *timer, ackd_time deadline)
{
    timer->deadline = deadline;
}

void loop_timer_free(struct loop_timer *timer)
{
    timer->freed = true;
    if (!timer->loop->running) {
        sweep(timer->loop);
    }
}

void poll_loop_slow(struct loop *loop, int64_t ns)
{
    loop->slow_ns = ns;
}

unsigned poll_loop_callbacks(const struct loop *loop)
{
    return loop->callbacks;
}

ackd_time loop_clock(struct loop *loop)
{
    loop->spent_ns += loop->slow_ns;
    return time_add(loop->now, loop->spent_ns);
}

ackd_time loop_now(struct loop *loop)
{
    return loop->now;
}

int64_t loop_wall_ns(struct loop *loop, ackd_time t)
{
    (void)loop;
    return t.ns;
}

void loop_kick(struct loop *loop)
{
    loop->kicks++;
}

static ackd_time earliest(const struct loop *loop)
{
    ackd_time first = TIME_NEVER;
    list_for_each(at, &loop->timers)
    {
        const struct loop_timer *timer = container_of(at, struct loop_timer, link);
        /* The analyzer loses sight of the list: sweep() takes out what it frees. */
        first = timer->freed ? first : time_min(first, timer->deadline); /* NOLINT */
    }
    return first;
}

static int timeout_ms(const struct loop *loop, bool wait)
{
    ackd_time first = earliest(loop);
    if (!wait || !loop->real) {
        return 0;
    }
    if (time_is_never(first)) {
        return -1;
    }
    int64_t ns = time_diff(first, monotonic());
    return ns <= 0 ? 0 : (int)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

static unsigned run_timers(struct loop *loop)
{
    unsigned ran = 0;
    list_for_each(at, &loop->timers)
    {
        struct loop_timer *timer = container_of(at, struct loop_timer, link);
        if (!timer->freed && time_reached(timer->deadline, loop->now)) {
            timer->deadline = TIME_NEVER;
            begin_callback(loop);
            timer->fn(timer->arg);
            ran++;
        }
    }
    return ran;
}

static unsigned run_fds(struct loop *loop, const struct pollfd *set)
{
    unsigned ran = 0;
    list_for_each(at, &loop->fds)
    {
        struct loop_fd *fd = container_of(at, struct loop_fd, link);
        if (fd->freed || fd->polled < 0 || fd->what == 0) {
            continue;
        }
        short events = set[fd->polled].revents;
        unsigned what = (events & (POLLIN | POLLHUP | POLLERR) ? LOOP_READ : 0) |
                        (events & (POLLOUT | POLLHUP | POLLERR) ? LOOP_WRITE : 0);
        if (what & fd->what) {
            begin_callback(loop);
            fd->fn(fd->arg, fd->fd, what & fd->what);
            ran++;
        }
    }
    return ran;
}

unsigned poll_loop_step(struct loop *loop, bool wait)
{
    unsigned count = 0, n = 0;
    list_for_each(at, &loop->fds)
    {
        count++;
    }
    struct pollfd *set = calloc(count + 1, sizeof(*set));
    if (!set) {
        abort();
    }
    list_for_each(at2, &loop->fds)
    {
        struct loop_fd *fd = container_of(at2, struct loop_fd, link);
        fd->polled = fd->what ? (int)n : -1;
        if (fd->what) {
            set[n++] = (struct pollfd){.fd = fd->fd,
                                       .events = (short)((fd->what & LOOP_READ ? POLLIN : 0) |
                                                         (fd->what & LOOP_WRITE ? POLLOUT : 0))};
        }
    }
    poll(set, n, timeout_ms(loop, wait));
    loop->now = loop->real ? monotonic() : loop->now;
    loop->running++;
    unsigned ran = run_timers(loop) + run_fds(loop, set);
    loop->running--;
    sweep(loop);
    free(set);
    return ran;
}

unsigned poll_loop_settle(struct loop *loop, unsigned steps)
{
    unsigned n = 0;
    while (n < steps && poll_loop_step(loop, false) > 0) {
        n++;
    }
    return n;
}

void poll_loop_advance(struct loop *loop, int64_t ns)
{
    ackd_time end = time_add(loop->now, ns);
    for (;;) {
        ackd_time next = earliest(loop);
        if (!time_reached(next, end)) {
            break;
        }
        loop->now = time_max(loop->now, next);
        poll_loop_settle(loop, 1000);
    }
    loop->now = end;
}
