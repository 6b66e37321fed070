/* The heap against a plain array that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "base/rng.h"
#include "host/deadlines.h"

enum { MEMBERS = 200, STEPS = 20000 };

static struct deadline member[MEMBERS];

static void join_all(struct deadlines *d)
{
    memset(member, 0, sizeof member);
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_true(deadlines_join(d));
    }
}

static void leave_all(struct deadlines *d)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        deadlines_clear(d, &member[i]);
    }
    assert_null(deadlines_first(d));
    for (unsigned i = 0; i < MEMBERS; i++) {
        deadlines_leave(d);
    }
    assert_null(d->heap);
}

static ackd_time earliest(void)
{
    ackd_time t = TIME_NEVER;
    for (unsigned i = 0; i < MEMBERS; i++) {
        t = member[i].place != 0 ? time_min(t, member[i].at) : t;
    }
    return t;
}

static void the_first_is_the_earliest(void **state)
{
    (void)state;
    struct deadlines d = {0};
    struct rng rng;
    rng_init(&rng, 1, 2);
    join_all(&d);
    for (unsigned step = 0; step < STEPS; step++) {
        struct deadline *x = &member[rng_u64(&rng) % MEMBERS];
        if (rng_u64(&rng) % 3 == 0) {
            deadlines_clear(&d, x);
            assert_int_equal(x->place, 0);
        } else {
            deadlines_set(&d, x, time_from_ns((int64_t)(rng_u64(&rng) % 1000)));
        }
        struct deadline *first = deadlines_first(&d);
        assert_true(time_equal(first != NULL ? first->at : TIME_NEVER, earliest()));
    }
    leave_all(&d);
}

static void taken_one_by_one_they_come_in_order(void **state)
{
    (void)state;
    struct deadlines d = {0};
    join_all(&d);
    for (unsigned i = 0; i < MEMBERS; i++) {
        deadlines_set(&d, &member[i], time_from_ns(i * 7919 % MEMBERS));
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct deadline *first = deadlines_first(&d);
        assert_int_equal(first->at.ns, i);
        deadlines_clear(&d, first);
    }
    leave_all(&d);
}

static void one_that_is_not_in_is_cleared_for_nothing(void **state)
{
    (void)state;
    struct deadlines d = {0};
    join_all(&d);
    deadlines_set(&d, &member[0], time_from_ns(5));
    deadlines_clear(&d, &member[1]);
    assert_ptr_equal(deadlines_first(&d), &member[0]);
    leave_all(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_earliest),
        cmocka_unit_test(taken_one_by_one_they_come_in_order),
        cmocka_unit_test(one_that_is_not_in_is_cleared_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
