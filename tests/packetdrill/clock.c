/* Virtual time. The clock stands still unless somebody sleeps, waits for a packet, or asks for the
 * time (a microsecond each, or a caller that spins until an instant would spin for ever). Moving it
 * stops at every timer of the engine on the way, so that each fires at its own instant whatever the
 * machine is doing.
 *
 * A blocking call runs in packetdrill's second thread, and sleeps on a condition variable. Whoever
 * moves time or injects a packet wakes it after each step and waits until it sleeps again or has
 * asked for the time, which is what packetdrill does first with the end of a call: so the instant
 * at which a call ends is exact. */
#include "layer.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define REAL_PATIENCE_S 5
#define RESULT_PATIENCE_US 3000

static bool blocked_thread(const struct layer *l)
{
    return l->blocked.running && pthread_equal(pthread_self(), l->blocked.thread);
}

/* The blocked call looks again; we wait until it has an opinion. */
static void hand_over(struct layer *l)
{
    if (!l->blocked.waiting || pthread_equal(pthread_self(), l->blocked.thread)) {
        return;
    }
    l->blocked.waiting = false;
    l->blocked.woken = true;
    l->blocked.running = true;
    pthread_cond_signal(&l->wake);
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += REAL_PATIENCE_S;
    while (l->blocked.running && !l->blocked.waiting) {
        if (pthread_cond_timedwait(&l->handed_back, &l->lock, &end) == ETIMEDOUT) {
            l->blocked.running = false;
        }
    }
}

bool layer_wait(struct layer *l, ackd_time deadline)
{
    if (time_reached(deadline, l->now)) {
        return false;
    }
    if (pthread_equal(pthread_self(), l->main)) {
        ackd_time next = time_min(layer_next(l), deadline);
        if (!time_is_never(next)) {
            layer_advance(l, next);
        }
        return !time_is_never(next);
    }
    l->blocked.thread = pthread_self();
    l->blocked.deadline = deadline;
    l->blocked.waiting = true;
    l->blocked.woken = false;
    l->blocked.running = false;
    pthread_cond_signal(&l->handed_back);
    while (!l->blocked.woken) {
        pthread_cond_wait(&l->wake, &l->lock);
    }
    l->blocked.deadline = TIME_NEVER;
    return true;
}

static void refresh_all(struct layer *l)
{
    list_for_each_safe(link, tmp, &l->files)
    {
        struct file *f = container_of(link, struct file, link);
        if (f->kind == FILE_SOCKET) {
            sock_refresh(l, (struct sock *)(void *)f);
        }
    }
}

static void drain(struct layer *l)
{
    struct tcp_event event;
    struct tcp_ready ready;
    while (tcp_event_next(l->engine, &event)) {
    }
    while (tcp_ready_next(l->engine, &ready)) {
    }
}

void layer_run(struct layer *l)
{
    net_timeout(l->net, l->now);
    link_capture(l);
    drain(l);
    refresh_all(l);
    counters_write(l);
    l->changes++;
}

ackd_time layer_next(struct layer *l)
{
    ackd_time t = net_next_deadline(l->net, l->now);
    return l->blocked.waiting ? time_min(t, l->blocked.deadline) : t;
}

void layer_advance(struct layer *l, ackd_time to)
{
    for (ackd_time next = layer_next(l); time_reached(next, to); next = layer_next(l)) {
        l->now = time_max(next, l->now);
        layer_run(l);
        hand_over(l);
    }
    l->now = time_max(to, l->now);
    hand_over(l);
}

int layer_usleep(void *u, useconds_t us)
{
    struct layer *l = u;
    layer_lock(l);
    if (l->blocked.ended) { /* packetdrill still has to take note of its result */
        l->blocked.ended = false;
        layer_unlock(l);
        usleep(RESULT_PATIENCE_US);
        layer_lock(l);
    }
    layer_advance(l, time_add(l->now, (int64_t)us * NS_PER_US));
    layer_unlock(l);
    return 0;
}

int64_t layer_wall_ns(const struct layer *l)
{
    return l->wall_base_ns + l->now.ns;
}

int layer_gettimeofday(void *u, struct timeval *tv, struct timezone *tz)
{
    struct layer *l = u;
    (void)tz;
    layer_lock(l);
    if (blocked_thread(l)) { /* the end of a blocking call: the others go on */
        l->blocked.running = false;
        l->blocked.ended = true;
        pthread_cond_signal(&l->handed_back);
    } else {
        layer_advance(l, time_add(l->now, NS_PER_US));
    }
    int64_t wall = layer_wall_ns(l);
    tv->tv_sec = wall / NS_PER_S;
    tv->tv_usec = wall % NS_PER_S / NS_PER_US;
    layer_unlock(l);
    return 0;
}
