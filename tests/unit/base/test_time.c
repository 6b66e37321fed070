/* Instants: "never" absorbs every addition and is later than all else. */
#include "cmocka_all.h"
#include "base/time.h"

static void adds_and_saturates(void **state)
{
    (void)state;
    ackd_time t = time_from_ns(5 * NS_PER_S);
    assert_int_equal(time_add(t, -2 * NS_PER_S).ns, 3 * NS_PER_S);
    assert_int_equal(time_diff(time_add(t, NS_PER_MS), t), NS_PER_MS);
    assert_true(time_is_never(time_add(TIME_NEVER, -1)));
    assert_true(time_is_never(time_add(t, INT64_MAX)));
    assert_false(time_is_never(time_add(t, INT64_MAX - 5 * NS_PER_S - 1)));
}

static void compares(void **state)
{
    (void)state;
    ackd_time a = time_from_ns(1), b = time_from_ns(2);
    assert_true(time_before(a, b) && !time_before(b, a) && !time_before(a, a));
    assert_true(time_before(b, TIME_NEVER));
    assert_true(time_reached(a, a) && time_reached(a, b) && !time_reached(b, a));
    assert_true(time_equal(time_min(a, b), a) && time_equal(time_max(a, b), b));
    assert_true(time_equal(time_min(TIME_NEVER, b), b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_and_saturates),
        cmocka_unit_test(compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
