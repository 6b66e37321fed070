/* Packet buffers: capacities, references, what they pin, and which are kept. */
#include "cmocka_all.h"
#include "source.h"
#include "base/pkt.h"

#define MIB ((size_t)1 << 20)

static size_t used(const struct arena *arena)
{
    struct arena_stats s;
    arena_stats(arena, &s);
    return s.used;
}

static void capacities(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 16 * MIB);
    struct pkt_pool *pool = pkt_pool_new(arena, 4);
    size_t before = used(arena);
    for (uint32_t want = 0; want <= PKT_FRAME_CAPACITY; want += want < 1000 ? 1 : 997) {
        struct pkt *p = pkt_get(pool, want);
        assert_non_null(p);
        assert_true(p->capacity >= want);
        assert_int_equal(p->refs, 1);
        memset(p->data, 0xaa, p->capacity);
        assert_int_equal(pkt_footprint(p), used(arena) - before);
        assert_true(pkt_footprint(p) >= 256);
        pkt_unref(p);
        pkt_pool_free(pool);
        pool = pkt_pool_new(arena, 4);
        assert_int_equal(used(arena), before);
    }
    assert_null(pkt_get(pool, PKT_FRAME_CAPACITY + 1));
    struct pkt *frame = pkt_get(pool, PKT_FRAME_CAPACITY);
    assert_int_equal(frame->capacity, PKT_FRAME_CAPACITY);
    arena_free(arena);
}

static void references(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 16 * MIB);
    struct pkt_pool *pool = pkt_pool_new(arena, 0);
    size_t before = used(arena);
    struct pkt *p = pkt_get(pool, 1000);
    assert_ptr_equal(pkt_ref(p), p);
    pkt_unref(p);
    assert_true(used(arena) > before);
    pkt_unref(p);
    assert_int_equal(used(arena), before);
    arena_free(arena);
}

static void keeps_max_idle(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 16 * MIB);
    struct pkt_pool *pool = pkt_pool_new(arena, 2);
    size_t before = used(arena);
    struct pkt *p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = pkt_get(pool, PKT_FRAME_CAPACITY);
    }
    size_t one = pkt_footprint(p[0]);
    assert_int_equal(used(arena), before + 3 * one);
    for (int i = 0; i < 3; i++) {
        pkt_unref(p[i]);
    }
    assert_int_equal(used(arena), before + 2 * one);
    assert_ptr_equal(pkt_get(pool, 40000),
                     p[1]); /* the last kept comes first: its cache lines are warm */
    pkt_unref(p[1]);
    pkt_pool_free(pool);
    assert_int_equal(used(arena), 0);
    arena_free(arena);
    assert_int_equal(source.bytes, 0);
}

static void refuses_at_the_limit(void **state)
{
    (void)state;
    struct test_source source;
    struct arena *arena = test_arena(&source, 2 * MIB);
    struct pkt_pool *pool = pkt_pool_new(arena, 1);
    struct pkt *p[64];
    int n = 0;
    while ((p[n] = pkt_get(pool, PKT_FRAME_CAPACITY)) != NULL) {
        n++;
    }
    assert_true(n >= 13);
    pkt_unref(p[0]);
    assert_non_null(pkt_get(pool, PKT_FRAME_CAPACITY));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacities),
        cmocka_unit_test(references),
        cmocka_unit_test(keeps_max_idle),
        cmocka_unit_test(refuses_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
