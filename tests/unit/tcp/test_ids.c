/* The trie of ids, beside a plain sorted array. */
#include "cmocka_all.h"

#include <string.h>
#include "base/rng.h"
#include "memory.h"
#include "tcp/ids.h"

enum { MOST = 3000 };

struct model {
    uint64_t id[MOST];
    unsigned n;
};

static unsigned model_above(const struct model *m, uint64_t after)
{
    unsigned i = 0;
    while (i < m->n && m->id[i] <= after) {
        i++;
    }
    return i;
}

static bool model_has(const struct model *m, uint64_t id)
{
    unsigned i = model_above(m, id);
    return i > 0 && m->id[i - 1] == id;
}

static void model_insert(struct model *m, uint64_t id)
{
    unsigned i = model_above(m, id);
    memmove(m->id + i + 1, m->id + i, (m->n - i) * sizeof *m->id);
    m->id[i] = id;
    m->n++;
}

static void model_remove(struct model *m, uint64_t id)
{
    unsigned i = model_above(m, id);
    memmove(m->id + i - 1, m->id + i, (m->n - i) * sizeof *m->id);
    m->n--;
}

/* What an id points at: something else for each, and nothing that is read. */
static void *thing(uint64_t id)
{
    return (void *)(uintptr_t)(id * 2 + 1);
}

static void same(const struct ids *ids, const struct model *m)
{
    uint64_t id = 0;
    for (unsigned i = 0; i < m->n; i++) {
        assert_ptr_equal(ids_find(ids, m->id[i]), thing(m->id[i]));
        assert_ptr_equal(ids_next(ids, id, &id), thing(m->id[i]));
        assert_int_equal(id, m->id[i]);
    }
    assert_null(ids_next(ids, id, &id));
}

/* Ids of all sizes, dense and sparse, with the boundaries of nodes among them. */
static uint64_t some_id(struct rng *rng)
{
    uint64_t id = rng_u64(rng) >> rng_below(rng, 64);
    switch (rng_below(rng, 4)) {
    case 0:
        return 1 + rng_below(rng, 300);
    case 1:
        return 1 + (id | 63);
    case 2:
        return id ? id : 1;
    default:
        return 4096u * (1 + rng_below(rng, 70)) - rng_below(rng, 3);
    }
}

static void follows_the_model(void **state)
{
    (void)state;
    struct memory memory;
    struct ids ids;
    struct rng rng;
    static struct model m;
    memory_init(&memory, 64u << 20);
    rng_init(&rng, 7, 7);
    ids_init(&ids, memory.arena);
    size_t before = memory_used(&memory);
    m.n = 0;
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t id = some_id(&rng);
        if (id == 0 || id == UINT64_MAX) {
            continue;
        }
        if (model_has(&m, id)) {
            assert_ptr_equal(ids_find(&ids, id), thing(id));
            ids_remove(&ids, id);
            model_remove(&m, id);
        } else if (m.n < MOST - 1) {
            assert_null(ids_find(&ids, id));
            assert_true(ids_insert(&ids, id, thing(id)));
            model_insert(&m, id);
        }
        uint64_t after = some_id(&rng), next;
        unsigned i = model_above(&m, after);
        assert_ptr_equal(ids_next(&ids, after, &next), i < m.n ? thing(m.id[i]) : NULL);
        if (step % 500 == 0) {
            same(&ids, &m);
        }
    }
    same(&ids, &m);
    while (m.n) {
        uint64_t id = m.id[rng_below(&rng, m.n)];
        ids_remove(&ids, id);
        model_remove(&m, id);
    }
    same(&ids, &m);
    assert_int_equal(memory_used(&memory), before);
    arena_free(memory.arena);
}

static void another_pointer_takes_the_place(void **state)
{
    (void)state;
    struct memory memory;
    struct ids ids;
    memory_init(&memory, 1u << 24);
    ids_init(&ids, memory.arena);
    for (uint64_t id = 1; id < 200; id++) {
        assert_true(ids_insert(&ids, id, thing(id)));
    }
    ids_replace(&ids, 100, thing(7));
    assert_ptr_equal(ids_find(&ids, 99), thing(99));
    assert_ptr_equal(ids_find(&ids, 100), thing(7));
    assert_ptr_equal(ids_find(&ids, 101), thing(101));
    ids_clear(&ids);
    assert_null(ids_find(&ids, 100));
    arena_free(memory.arena);
}

static void dense_ids_cost_little_more_than_a_pointer(void **state)
{
    (void)state;
    enum { N = 64 * 64 * 4 };
    struct memory memory;
    struct ids ids;
    memory_init(&memory, 64u << 20);
    ids_init(&ids, memory.arena);
    size_t before = memory_used(&memory);
    for (uint64_t id = 1; id <= N; id++) {
        assert_true(ids_insert(&ids, id, thing(id)));
    }
    assert_in_range(memory_used(&memory) - before, 8 * N, 9 * N);
    arena_free(memory.arena);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct memory memory;
    struct ids ids;
    static struct model m;
    memory_init(&memory, 2u << 20);
    ids_init(&ids, memory.arena);
    m.n = 0;
    unsigned refused = 0;
    for (uint64_t id = 1; id < 200; id += 3) {
        assert_true(ids_insert(&ids, id, thing(id)));
        model_insert(&m, id);
    }
    memory.refuse = true;
    for (size_t size = 65536; size >= 64; size /= 2) {
        while (arena_alloc(memory.arena, size)) { /* until nothing is left */
        }
    }
    for (uint64_t id = 2; id < 1u << 20; id += id / 2 + 1) {
        if (model_has(&m, id)) {
            continue;
        }
        if (ids_insert(&ids, id, thing(id))) {
            model_insert(&m, id);
        } else {
            refused++;
        }
        same(&ids, &m);
    }
    assert_in_range(refused, 5, 100);
    while (m.n) { /* a smaller array never needs what is not there */
        ids_remove(&ids, m.id[m.n - 1]);
        m.n--;
        same(&ids, &m);
    }
    arena_free(memory.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(another_pointer_takes_the_place),
        cmocka_unit_test(dense_ids_cost_little_more_than_a_pointer),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
