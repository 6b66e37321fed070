/* The generator: the same seed gives the same numbers, and they are spread evenly. */
#include "cmocka_all.h"
#include "base/rng.h"

static void same_seed_same_numbers(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 1, 2);
    rng_init(&b, 1, 2);
    rng_init(&c, 1, 3);
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        differ += x != rng_u64(&c);
    }
    assert_int_equal(differ, 100);
}

/* The number is SipHash of the counter, so that a simulation's seed means the same for ever. */
static void is_siphash_of_the_counter(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908));
    r.counter = UINT64_C(0x0706050403020100);
    assert_true(rng_u64(&r) == UINT64_C(0x93f5f5799a932462)); /* the vector of length 8 */
    assert_true(r.counter == UINT64_C(0x0706050403020101));
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, 4);
    const uint32_t bounds[] = {1, 2, 3, 7, 1000, 0x80000001u, UINT32_MAX};
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++) {
        for (int i = 0; i < 1000; i++) {
            assert_true(rng_below(&r, bounds[k]) < bounds[k]);
        }
    }
    int count[6] = {0};
    for (int i = 0; i < 60000; i++) {
        count[rng_below(&r, 6)]++;
    }
    for (int i = 0; i < 6; i++) {
        assert_in_range(count[i], 9500, 10500); /* five standard deviations */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_numbers),
        cmocka_unit_test(is_siphash_of_the_counter),
        cmocka_unit_test(below_stays_below_and_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
