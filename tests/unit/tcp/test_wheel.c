/* The timing wheel: against a list that is searched from end to end, and the promises of
 * wheel_next(). */
#include <limits.h>
#include "cmocka_all.h"
#include "base/rng.h"
#include "tcp/wheel.h"

static struct wheel_entry *pop(struct wheel *wheel, ackd_time now)
{
    unsigned budget = UINT_MAX;
    return wheel_pop(wheel, now, &budget);
}

#define TICK (INT64_C(1) << WHEEL_TICK_SHIFT)
#define ENTRIES 300

struct timer {
    struct wheel_entry entry;
    ackd_time deadline;
    uint64_t order; /* when it was set */
};

struct model {
    struct wheel wheel;
    struct timer timer[ENTRIES];
    struct rng rng;
    int64_t now;
    uint64_t set_count;
};

static int64_t round_up(int64_t ns)
{
    return ns <= 0 ? 0 : ns % TICK == 0 ? ns : ns - ns % TICK + TICK;
}

static void set(struct model *m, unsigned i, ackd_time deadline)
{
    wheel_set(&m->wheel, &m->timer[i].entry, deadline);
    m->timer[i].deadline = deadline;
    m->timer[i].order = ++m->set_count;
}

/* Spans from nanoseconds to centuries, so that every level is used. */
static int64_t random_span(struct rng *rng)
{
    return (int64_t)(rng_u64(rng) >> (1 + rng_below(rng, 63)));
}

static void set_some(struct model *m)
{
    for (unsigned n = rng_below(&m->rng, 20); n > 0; n--) {
        unsigned i = rng_below(&m->rng, ENTRIES);
        ackd_time t = time_from_ns(m->now);
        switch (rng_below(&m->rng, 8)) {
        case 0:
            set(m, i, TIME_NEVER);
            break;
        case 1:
            set(m, i, time_from_ns(m->now - random_span(&m->rng) % (m->now + 1)));
            break;
        case 2:
            set(m, i, time_from_ns((m->now >> 16 << 16) + TICK * rng_below(&m->rng, 130)));
            break;
        default:
            set(m, i, time_add(t, random_span(&m->rng)));
            break;
        }
    }
}

/* Pops all that is due: each at or after its deadline, none forgotten, those of one tick in the
 * order they were set. */
static void pop_due(struct model *m)
{
    struct wheel_entry *e;
    uint64_t order = 0;
    int64_t tick = -1;
    while ((e = pop(&m->wheel, time_from_ns(m->now))) != NULL) {
        struct timer *t = (struct timer *)(void *)e;
        assert_true(round_up(t->deadline.ns) <= m->now);
        assert_true(time_is_never(e->deadline));
        if (round_up(t->deadline.ns) == tick) {
            assert_true(t->order > order);
        }
        tick = round_up(t->deadline.ns);
        order = t->order;
        t->deadline = TIME_NEVER;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_true(time_is_never(m->timer[i].deadline) ||
                    round_up(m->timer[i].deadline.ns) > m->now);
    }
}

static int64_t earliest(const struct model *m)
{
    int64_t first = INT64_MAX;
    for (unsigned i = 0; i < ENTRIES; i++) {
        int64_t d = m->timer[i].deadline.ns;
        if (d != INT64_MAX && round_up(d) < first) {
            first = round_up(d);
        }
    }
    return first;
}

/* What wheel_soonest() says has all digits in common with the earliest down to the one that puts
 * that in its slot. */
static void check_soonest(const struct model *m)
{
    const struct wheel_entry *e = wheel_soonest(&m->wheel);
    int64_t first = earliest(m);
    assert_int_equal(e == NULL, first == INT64_MAX);
    if (e != NULL) {
        uint64_t tick = (uint64_t)(first / TICK), own = (uint64_t)(round_up(e->deadline.ns) / TICK);
        unsigned shift = 0;
        while ((tick ^ m->wheel.tick) >> shift >= 64) {
            shift += 6;
        }
        assert_true(own >= tick && own >> shift == tick >> shift);
    }
}

static void check_next(const struct model *m)
{
    check_soonest(m);
    int64_t next = wheel_next(&m->wheel).ns, first = earliest(m);
    assert_true(next > m->now);
    assert_true(next <= first);
    assert_int_equal(next == INT64_MAX, first == INT64_MAX);
    if (first / TICK / 64 == (m->now / TICK + 1) / 64) {
        assert_true(next == first); /* exact within the present group of ticks */
    }
}

static void run(uint64_t seed, unsigned steps)
{
    struct model *m = calloc(1, sizeof(*m));
    rng_init(&m->rng, seed, 7);
    m->now = rng_below(&m->rng, 2) ? 0 : random_span(&m->rng) / 4;
    wheel_init(&m->wheel, time_from_ns(m->now));
    for (unsigned i = 0; i < ENTRIES; i++) {
        wheel_entry_init(&m->timer[i].entry);
        m->timer[i].deadline = TIME_NEVER;
    }
    for (unsigned step = 0; step < steps; step++) {
        set_some(m);
        pop_due(m);
        check_next(m);
        int64_t jump = random_span(&m->rng) >> rng_below(&m->rng, 20);
        int64_t next = wheel_next(&m->wheel).ns;
        m->now = rng_below(&m->rng, 2) && next < INT64_MAX / 2
                     ? next
                     : m->now + jump % (INT64_MAX / 2 - m->now);
    }
    free(m);
}

static void against_a_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run(seed, 300);
    }
}

static void follows_next_to_every_deadline(void **state)
{
    (void)state;
    /* Sleeping exactly until wheel_next() wakes at most once a level before the deadline, and at
     * it. */
    for (int64_t d = 1; d < INT64_MAX / 16; d = d * 7 + 1) {
        struct wheel w;
        struct wheel_entry e;
        wheel_init(&w, time_from_ns(12345));
        wheel_entry_init(&e);
        wheel_set(&w, &e, time_from_ns(12345 + d));
        unsigned wakes = 0;
        ackd_time now = time_from_ns(12345);
        while (pop(&w, now) == NULL) {
            assert_true(time_before(now, wheel_next(&w)));
            now = wheel_next(&w);
            wakes++;
        }
        assert_true(now.ns == round_up(12345 + d));
        assert_true(wakes <= WHEEL_LEVELS);
    }
}

static void jumps_far(void **state)
{
    (void)state;
    struct wheel w;
    struct wheel_entry e[2];
    wheel_init(&w, time_from_ns(0));
    wheel_entry_init(&e[0]);
    wheel_entry_init(&e[1]);
    wheel_set(&w, &e[0], time_from_ns(3 * NS_PER_S));
    wheel_set(&w, &e[1], time_from_ns(NS_PER_S));
    ackd_time later = time_from_ns(
        INT64_MAX / 2); /* 146 years of ticks, in as many steps as there are entries and levels */
    assert_ptr_equal(pop(&w, later), &e[1]);
    assert_ptr_equal(pop(&w, later), &e[0]);
    assert_null(pop(&w, later));
    assert_true(time_is_never(wheel_next(&w)));
    wheel_set(&w, &e[0], time_from_ns(5)); /* long past */
    assert_true(time_before(wheel_next(&w), later));
    assert_ptr_equal(pop(&w, later), &e[0]);
}

static void never_and_the_end_of_time(void **state)
{
    (void)state;
    struct wheel w;
    struct wheel_entry e;
    wheel_init(&w, time_from_ns(0));
    wheel_entry_init(&e);
    wheel_set(&w, &e, TIME_NEVER);
    assert_true(time_is_never(wheel_next(&w)));
    wheel_set(&w, &e, time_from_ns(INT64_MAX - 1));
    assert_false(time_is_never(wheel_next(&w)));
    assert_null(pop(&w, time_from_ns(INT64_MAX - TICK)));
    assert_true(wheel_next(&w).ns > INT64_MAX - TICK);
    wheel_set(&w, &e, TIME_NEVER);
    assert_true(time_is_never(wheel_next(&w)));
    for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
        assert_true(w.occupied[l] == 0);
    }
}

/* A slot full of entries is cascaded in pieces; none is early, late or lost, and one that is moved
 * or taken out in between is where it was put. */
static void cascades_in_pieces(void **state)
{
    (void)state;
    enum { N = 1000 };
    static struct wheel w;
    static struct wheel_entry e[N];
    ackd_time start = time_from_ns(1), due = time_from_ns(7200 * NS_PER_S);
    wheel_init(&w, start);
    for (unsigned i = 0; i < N; i++) {
        wheel_entry_init(&e[i]);
        wheel_set(&w, &e[i], due);
    }
    unsigned calls = 0, popped = 0;
    ackd_time now = start;
    for (bool changed = false; popped < N - 1; calls++) {
        ackd_time next = wheel_next(&w);
        assert_false(time_is_never(next));
        now = time_before(now, next) ? next : now;
        unsigned budget = 10, before = popped;
        struct wheel_entry *entry;
        while ((entry = wheel_pop(&w, now, &budget))) {
            assert_true(time_reached(due, now));
            assert_true(time_is_never(entry->deadline));
            popped++;
        }
        assert_true(popped - before <= 10);
        if (!list_empty(&w.cascading) && !changed) {
            changed = true;
            wheel_set(&w, &e[N - 1], TIME_NEVER);
            wheel_set(&w, &e[N - 2], time_add(due, NS_PER_S));
        }
    }
    assert_true(calls >= 2 * N / 10);
    assert_true(time_is_never(wheel_next(&w)));
    assert_true(time_reached(time_add(due, NS_PER_S), now)); /* the moved one came last */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cascades_in_pieces),
        cmocka_unit_test(against_a_list),
        cmocka_unit_test(follows_next_to_every_deadline),
        cmocka_unit_test(jumps_far),
        cmocka_unit_test(never_and_the_end_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
