/* Sequence numbers around the wrap. */
#include "hex.h"
#include "wire/seq.h"

static void orders_across_the_wrap(void **state)
{
    (void)state;
    const uint32_t starts[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
    const uint32_t steps[] = {1, 100, 0x7ffffffe, 0x7fffffff};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            tcp_seq a = seq_of(starts[i]), b = seq_add(a, steps[k]);
            assert_true(seq_lt(a, b) && seq_le(a, b) && !seq_gt(a, b) && !seq_ge(a, b) &&
                        !seq_eq(a, b));
            assert_true(seq_gt(b, a) && seq_ge(b, a) && !seq_lt(b, a));
            assert_int_equal(seq_diff(b, a), (int32_t)steps[k]);
            assert_int_equal(seq_diff(a, b), -(int32_t)steps[k]);
            assert_int_equal(seq_dist(b, a), steps[k]);
            assert_true(seq_eq(seq_sub(b, steps[k]), a));
            assert_true(seq_eq(seq_min(a, b), a) && seq_eq(seq_max(a, b), b));
            assert_true(seq_in_window(a, a, steps[k]) && !seq_in_window(b, a, steps[k]));
        }
        tcp_seq a = seq_of(starts[i]);
        assert_true(seq_le(a, a) && seq_ge(a, a) && !seq_lt(a, a) && !seq_in_window(a, a, 0));
        assert_false(seq_in_window(seq_sub(a, 1), a, 0x80000000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(orders_across_the_wrap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
