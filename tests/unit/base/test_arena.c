/* Arena: accounting to the byte, the limit, reuse, and no two live blocks over each other. */
#include "cmocka_all.h"
#include "source.h"
#include "base/rng.h"

#define MIB ((size_t)1 << 20)

static struct arena_stats stats_of(const struct arena *arena)
{
    struct arena_stats s;
    arena_stats(arena, &s);
    return s;
}

static void block_sizes(void **state)
{
    (void)state;
    assert_int_equal(arena_block_size(1), 64);
    assert_int_equal(arena_block_size(64), 64);
    assert_int_equal(arena_block_size(65), 128);
    assert_int_equal(arena_block_size(65536), 65536);
    assert_int_equal(arena_block_size(65537), 69632); /* with the chunk's 64 bytes, in pages */
    assert_int_equal(arena_block_size(16 * MIB) % 4096, 0);
}

static void counts_what_is_used_and_taken(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 8 * MIB);
    assert_int_equal(stats_of(arena).limit, 8 * MIB);
    assert_int_equal(stats_of(arena).used, 0);
    void *small = arena_alloc(arena, 100), *large = arena_alloc(arena, 100000);
    assert_int_equal(stats_of(arena).used, 128 + arena_block_size(100000));
    assert_int_equal(stats_of(arena).taken, source.bytes);
    arena_release(arena, large, 100000);
    assert_int_equal(stats_of(arena).used, 128);
    assert_int_equal(stats_of(arena).taken, source.bytes);
    arena_release(arena, small, 100);
    arena_release(arena, NULL, 100);
    assert_int_equal(stats_of(arena).used, 0);
    assert_int_equal(stats_of(arena).refusals, 0);
    arena_free(arena);
    assert_int_equal(source.bytes, 0);
    assert_int_equal(source.chunks, 0);
}

static void reuses_before_it_grows(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 64 * MIB);
    arena_release(arena, arena_alloc(arena, 5000), 5000);
    size_t before = source.bytes;
    for (int i = 0; i < 100000; i++) {
        void *block = arena_alloc(arena, 5000);
        memset(block, i, 5000);
        arena_release(arena, block, 5000);
    }
    assert_int_equal(source.bytes, before);
    arena_free(arena);
}

static void never_passes_its_limit(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 4 * MIB; limit += 77777) {
        struct test_source source;
        struct arena *arena = test_arena(&source, limit);
        if (arena == NULL) {
            assert_int_equal(limit, 0);
            continue;
        }
        size_t n = 0;
        while (arena_alloc(arena, 1000) != NULL) {
            n++;
        }
        assert_true(source.bytes <= limit);
        assert_int_equal(stats_of(arena).refusals, 1);
        assert_int_equal(stats_of(arena).used, n * 1024);
        assert_true(limit < 100000 || n * 1024 > limit / 2);
        assert_null(arena_alloc(arena, 8 * MIB));
        assert_int_equal(stats_of(arena).refusals, 2);
        arena_free(arena);
        assert_int_equal(source.bytes, 0);
    }
}

static void large_blocks_go_back(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 2 * MIB);
    void *large[40];
    size_t n = 0;
    while ((large[n] = arena_alloc(arena, 70000)) != NULL) {
        memset(large[n], 1, 70000);
        n++;
    }
    assert_true(n >= 28);
    while (n-- > 0) {
        arena_release(arena, large[n], 70000);
    }
    assert_int_equal(stats_of(arena).used, 0);
    assert_non_null(arena_alloc(arena, 64)); /* what frames took, a record may have */
    assert_null(arena_alloc(arena, 17 * MIB));
    arena_free(arena);
}

static void a_larger_free_block_serves_a_smaller_need(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, MIB);
    void *block[16];
    size_t n = 0;
    while ((block[n] = arena_alloc(arena, 65536)) != NULL) {
        n++;
    }
    assert_true(n >= 14);
    while (arena_alloc(arena, 64) != NULL) {
    }
    arena_release(arena, block[0], 65536);
    for (size_t i = 0; i < 65536 / 64; i++) {
        assert_non_null(arena_alloc(arena, 64));
    }
    assert_null(arena_alloc(arena, 64));
    arena_free(arena);
}

static void a_source_that_has_nothing(void **state)
{
    (void)state;
    struct test_source source = {.refuse = true};
    const struct arena_source none = {test_source_get, test_source_put, &source};
    assert_null(arena_new(&none, MIB));
    struct arena *arena = test_arena(&source, MIB);
    source.refuse = true;
    assert_null(arena_alloc(arena, 64));
    assert_null(arena_alloc(arena, 100000));
    struct slab slab;
    slab_init(&slab, arena, 40);
    assert_null(slab_alloc(&slab));
    assert_int_equal(stats_of(arena).refusals, 3);
    arena_free(arena);
}

static void slab_objects_are_zero_and_counted(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 4 * MIB);
    struct slab slab;
    slab_init(&slab, arena, 333);
    assert_int_equal(slab.size, 336);
    uint8_t *object[1000];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            object[i] = slab_alloc(&slab);
            assert_non_null(object[i]);
            for (size_t k = 0; k < slab.size; k++) {
                assert_int_equal(object[i][k], 0);
            }
            memset(object[i], 0xee, slab.size);
        }
        assert_int_equal(slab.in_use, 1000);
        assert_int_equal(stats_of(arena).used, 1000 * 336);
        for (int i = 0; i < 1000; i++) {
            slab_free(&slab, object[i]);
        }
        slab_free(&slab, NULL);
        assert_int_equal(slab.in_use, 0);
        assert_int_equal(stats_of(arena).used, 0);
    }
    arena_free(arena);
    assert_int_equal(source.bytes, 0);
}

static void slab_uses_what_is_left_at_the_limit(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 300000);
    struct slab slab;
    slab_init(&slab, arena, 3000);
    size_t n = 0;
    while (slab_alloc(&slab) != NULL) {
        n++;
    }
    assert_true(n * 3000 > 200000);
    assert_int_equal(stats_of(arena).refusals, 1);
    arena_free(arena);
}

/* Random allocations of all sizes, each filled with its own pattern; a pattern that changed is an
 * overlap. */
static void blocks_do_not_overlap(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 16 * MIB);
    struct rng rng;
    struct {
        uint8_t *at;
        size_t bytes;
        uint8_t fill;
    } live[200] = {0};
    size_t used = 0;
    rng_init(&rng, 7, 9);
    for (int step = 0; step < 20000; step++) {
        unsigned i = rng_below(&rng, 200);
        if (live[i].at != NULL) {
            assert_int_equal(live[i].at[0], live[i].fill);
            assert_int_equal(live[i].at[live[i].bytes - 1], live[i].fill);
            assert_int_equal(live[i].at[live[i].bytes / 2], live[i].fill);
            arena_release(arena, live[i].at, live[i].bytes);
            used -= arena_block_size(live[i].bytes);
            live[i].at = NULL;
        } else {
            size_t bytes = 1 + (rng_u32(&rng) & (((size_t)1 << rng_below(&rng, 18)) - 1));
            live[i].at = arena_alloc(arena, bytes);
            if (live[i].at == NULL) {
                continue;
            }
            live[i].bytes = bytes;
            live[i].fill = (uint8_t)rng_u32(&rng);
            memset(live[i].at, live[i].fill, bytes);
            used += arena_block_size(bytes);
        }
        assert_int_equal(stats_of(arena).used, used);
        assert_int_equal(stats_of(arena).taken, source.bytes);
    }
    arena_free(arena);
    assert_int_equal(source.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_sizes),
        cmocka_unit_test(counts_what_is_used_and_taken),
        cmocka_unit_test(reuses_before_it_grows),
        cmocka_unit_test(never_passes_its_limit),
        cmocka_unit_test(large_blocks_go_back),
        cmocka_unit_test(a_larger_free_block_serves_a_smaller_need),
        cmocka_unit_test(a_source_that_has_nothing),
        cmocka_unit_test(slab_objects_are_zero_and_counted),
        cmocka_unit_test(slab_uses_what_is_left_at_the_limit),
        cmocka_unit_test(blocks_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
