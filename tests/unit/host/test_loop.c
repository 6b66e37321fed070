/* Turns, kicks and deadlines. No test depends on how fast the machine is: they check order and "not
 * before". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>
#include <unistd.h>
#include "host/loop.h"

struct fixture {
    struct loop *loop;
    int pipe[2];
    struct loop_fd *fd;
    struct loop_timer *timer;
    unsigned fd_calls, cycles, timers, kicks_left;
    ackd_time deadline, fired;
    bool stop_by_cycle;
};

static int make(void **state)
{
    static struct fixture f;
    f = (struct fixture){.stop_by_cycle = true};
    f.loop = loop_new();
    *state = &f;
    return f.loop == NULL || pipe(f.pipe) < 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;
    loop_fd_free(f->fd);
    loop_timer_free(f->timer);
    loop_free(f->loop);
    close(f->pipe[0]);
    close(f->pipe[1]);
    return 0;
}

static void on_fd(void *arg, int fd, unsigned what)
{
    struct fixture *f = arg;
    char byte;
    assert_int_equal(what, LOOP_READ);
    assert_int_equal(read(fd, &byte, 1), 1);
    f->fd_calls++;
    loop_kick(f->loop);
    loop_kick(f->loop);
}

static void on_cycle(void *arg)
{
    struct fixture *f = arg;
    f->cycles++;
    if (f->kicks_left > 0) {
        f->kicks_left--;
        loop_kick(f->loop);
    } else if (f->stop_by_cycle) {
        loop_stop(f->loop);
    }
}

static void on_timer(void *arg)
{
    struct fixture *f = arg;
    f->timers++;
    f->fired = loop_now(f->loop);
    loop_stop(f->loop);
}

static void many_kicks_are_one_cycle(void **state)
{
    struct fixture *f = *state;
    f->fd = loop_fd_new(f->loop, f->pipe[0], LOOP_READ, on_fd, f);
    loop_set_cycle(f->loop, on_cycle, f);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->fd_calls, 1);
    assert_int_equal(f->cycles, 1);
}

static void a_kick_before_the_loop_runs_counts(void **state)
{
    struct fixture *f = *state;
    loop_set_cycle(f->loop, on_cycle, f);
    loop_kick(f->loop);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->cycles, 1);
}

/* A cycle that always wants another turn does not keep a descriptor waiting. */
static void a_cycle_that_kicks_itself_lets_descriptors_in(void **state)
{
    struct fixture *f = *state;
    f->kicks_left = 5;
    f->fd = loop_fd_new(f->loop, f->pipe[0], LOOP_READ, on_fd, f);
    loop_set_cycle(f->loop, on_cycle, f);
    loop_kick(f->loop);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->fd_calls, 1);
    assert_int_equal(f->cycles, 6);
}

static void a_deadline_is_never_early(void **state)
{
    struct fixture *f = *state;
    for (int64_t wait_ns = 1; wait_ns <= 3 * NS_PER_MS; wait_ns *= 10) {
        loop_timer_free(f->timer);
        f->timer = loop_timer_new(f->loop, on_timer, f);
        f->deadline = time_add(loop_refresh(f->loop), wait_ns);
        loop_timer_at(f->timer, f->deadline);
        struct loop *loop = f->loop;
        f->timers = 0;
        assert_int_equal(loop_run(loop), 0);
        assert_int_equal(f->timers, 1);
        assert_true(time_reached(f->deadline, f->fired));
        /* loop_run() ends for good at loop_stop(): a fresh loop for the next wait. */
        loop_timer_free(f->timer);
        f->timer = NULL;
        loop_free(f->loop);
        f->loop = loop_new();
        assert_non_null(f->loop);
    }
}

static void a_deadline_can_move_and_vanish(void **state)
{
    struct fixture *f = *state;
    struct loop_timer *never = loop_timer_new(f->loop, on_cycle, f);
    f->timer = loop_timer_new(f->loop, on_timer, f);
    loop_timer_at(never, time_add(loop_now(f->loop), NS_PER_US));
    loop_timer_at(never, TIME_NEVER);
    loop_timer_at(f->timer, time_add(loop_now(f->loop), 3600 * NS_PER_S));
    loop_timer_at(f->timer, time_add(loop_now(f->loop), NS_PER_MS));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->timers, 1);
    assert_int_equal(f->cycles, 0);
    loop_timer_free(never);
}

static void on_timer_again(void *arg)
{
    struct fixture *f = arg;
    if (f->timers++ > 1000) {
        loop_stop(f->loop);
    }
    loop_timer_at(f->timer, loop_now(f->loop));
}

/* Work in turns, which sets its timer to now, keeps no descriptor waiting and never sleeps. */
static void a_timer_that_is_always_due_lets_descriptors_in(void **state)
{
    struct fixture *f = *state;
    struct loop_stats stats;
    f->timer = loop_timer_new(f->loop, on_timer_again, f);
    f->fd = loop_fd_new(f->loop, f->pipe[0], LOOP_READ, on_fd, f);
    f->stop_by_cycle = true;
    loop_set_cycle(f->loop, on_cycle, f);
    loop_timer_at(f->timer, loop_now(f->loop));
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->fd_calls, 1);
    assert_in_range(f->timers, 1, 10);
    loop_stats(f->loop, &stats);
    assert_int_equal(stats.wakeups, 0);
}

static void callbacks_are_timed_by_name(void **state)
{
    struct fixture *f = *state;
    struct loop_stats stats;
    loop_stats(f->loop, &stats);
    assert_string_equal(stats.longest_name, "none");
    f->timer = loop_timer_new(f->loop, on_timer, f);
    loop_timer_at(f->timer, loop_now(f->loop));
    assert_int_equal(loop_run(f->loop), 0);
    loop_stats(f->loop, &stats);
    uint64_t total = 0;
    for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
        total += stats.bucket[i].count;
        assert_true(i == 0 || stats.bucket[i].below_ns > stats.bucket[i - 1].below_ns);
    }
    assert_int_equal(total, 1);
    assert_int_equal(stats.wakeups, 0); /* it was due: nobody slept */
    assert_string_equal(stats.longest_name, "on_timer");
    assert_true(stats.longest_ns > 0);
    assert_true(stats.bucket[LOOP_BUCKETS - 1].below_ns == INT64_MAX);
}

static void nothing_watched_is_nothing_told(void **state)
{
    struct fixture *f = *state;
    f->fd = loop_fd_new(f->loop, f->pipe[0], 0, on_fd, f);
    f->timer = loop_timer_new(f->loop, on_timer, f);
    assert_int_equal(write(f->pipe[1], "x", 1), 1);
    loop_timer_at(f->timer, time_add(loop_now(f->loop), NS_PER_MS));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->fd_calls, 0);
}

static uint64_t wakeups_for_a_timer(struct fixture *f, int64_t busy_poll_ns)
{
    struct loop_stats stats;
    loop_set_busy_poll(f->loop, busy_poll_ns);
    f->timer = loop_timer_new(f->loop, on_timer, f);
    loop_timer_at(f->timer, time_add(loop_refresh(f->loop), 5 * NS_PER_MS));
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->timers, 1);
    loop_stats(f->loop, &stats);
    return stats.wakeups;
}

static void busy_polling_does_not_sleep(void **state)
{
    assert_int_equal(wakeups_for_a_timer(*state, 3600 * NS_PER_S), 0);
}

static void busy_polling_ends(void **state)
{
    assert_int_equal(wakeups_for_a_timer(*state, 1), 1);
}

static void wall_time_belongs_to_the_clock(void **state)
{
    struct fixture *f = *state;
    ackd_time t = loop_refresh(f->loop);
    int64_t later = loop_wall_ns(f->loop, time_add(t, NS_PER_S));
    int64_t at = loop_wall_ns(f->loop, t);
    assert_true(later - at > NS_PER_S / 2 && later - at < 2 * NS_PER_S);
    assert_true(at > INT64_C(1600000000) * NS_PER_S);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, make, destroy)

static void on_sleep(void *arg)
{
    struct fixture *f = arg;
    const struct timespec sleep = {.tv_nsec = 5 * NS_PER_MS};
    nanosleep(&sleep, NULL);
    loop_stop(f->loop);
}

static void on_work(void *arg)
{
    struct fixture *f = arg;
    struct timespec began, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while ((now.tv_sec - began.tv_sec) * NS_PER_S + now.tv_nsec - began.tv_nsec < 5 * NS_PER_MS);
    loop_stop(f->loop);
}

/* A callback that waits took long but used little, one that works did both. */
static void processor_time_is_told_apart(void **state)
{
    struct fixture *f = *state;
    struct loop_stats stats;
    loop_set_cycle(f->loop, on_sleep, f);
    loop_kick(f->loop);
    assert_int_equal(loop_run(f->loop), 0);
    loop_stats(f->loop, &stats);
    assert_true(stats.longest_ns >= 5 * NS_PER_MS);
    assert_true(stats.longest_cpu_ns < stats.longest_ns);
}

static void work_is_processor_time(void **state)
{
    struct fixture *f = *state;
    struct loop_stats stats;
    uint64_t callbacks = 0, by_cpu = 0;
    loop_set_cycle(f->loop, on_work, f);
    loop_kick(f->loop);
    assert_int_equal(loop_run(f->loop), 0);
    loop_stats(f->loop, &stats);
    assert_true(stats.longest_cpu_ns >= 5 * NS_PER_MS);
    assert_true(stats.longest_cpu_ns <= stats.longest_ns);
    assert_string_equal(stats.longest_cpu_name, "cycle");
    for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
        callbacks += stats.bucket[i].count;
        by_cpu += stats.bucket[i].cpu_count;
    }
    assert_int_equal(callbacks, 1);
    assert_int_equal(by_cpu, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(processor_time_is_told_apart),
        WITH_LOOP(work_is_processor_time),
        WITH_LOOP(many_kicks_are_one_cycle),
        WITH_LOOP(a_kick_before_the_loop_runs_counts),
        WITH_LOOP(a_cycle_that_kicks_itself_lets_descriptors_in),
        WITH_LOOP(a_deadline_is_never_early),
        WITH_LOOP(a_deadline_can_move_and_vanish),
        WITH_LOOP(a_timer_that_is_always_due_lets_descriptors_in),
        WITH_LOOP(callbacks_are_timed_by_name),
        WITH_LOOP(busy_polling_does_not_sleep),
        WITH_LOOP(busy_polling_ends),
        WITH_LOOP(nothing_watched_is_nothing_told),
        WITH_LOOP(wall_time_belongs_to_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
