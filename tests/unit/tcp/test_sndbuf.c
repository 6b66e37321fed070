/* The send buffer: the oracle of the fuzz target on random inputs, what it costs, and what memory
 * that ends does. */
#include "cmocka_all.h"
#include "memory.h"
#include "random_inputs.h"
#include "tcp/sndbuf.h"

static void against_an_array(void **state)
{
    (void)state;
    run_random_inputs(200, 600);
}

static void small_writes_share_blocks(void **state)
{
    (void)state;
    struct memory m;
    memory_init(&m, 1 << 22);
    struct sndbuf b;
    sndbuf_init(&b);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(sndbuf_append(&b, m.arena, "x", 1), 1);
    }
    assert_int_equal(b.footprint, 2048);
    for (unsigned i = 0; i < 99000; i++) {
        sndbuf_append(&b, m.arena, "x", 1);
    }
    assert_in_range(b.footprint, 100000, 2 * 100000 + 65536);
    sndbuf_trim(&b, m.arena, 100000);
    assert_int_equal(b.footprint, 0);
    assert_int_equal(b.length, 0);
    arena_free(m.arena);
}

static void a_super_frame_is_few_ranges(void **state)
{
    (void)state;
    struct memory m;
    memory_init(&m, 1 << 24);
    struct sndbuf b;
    sndbuf_init(&b);
    static uint8_t data[1 << 20];
    for (unsigned i = 0; i < sizeof(data); i += 4096) {
        assert_int_equal(sndbuf_append(&b, m.arena, data + i, 4096), 4096);
    }
    struct tcp_range ranges[TCP_TX_RANGES];
    for (uint32_t at = 0; at < sizeof(data); at += 65000) {
        unsigned n;
        uint32_t want = sizeof(data) - at < 65000 ? (uint32_t)sizeof(data) - at : 65000;
        assert_int_equal(sndbuf_ranges(&b, at, 65000, ranges, TCP_TX_RANGES, &n), want);
        assert_in_range(n, 1, 6);
    }
    sndbuf_clear(&b, m.arena);
    arena_free(m.arena);
}

static void memory_that_ends_takes_what_fits(void **state)
{
    (void)state;
    struct memory m;
    memory_init(&m, 1 << 22);
    struct sndbuf b;
    sndbuf_init(&b);
    m.refuse = true;
    uint8_t data[10000] = {0};
    assert_int_equal(sndbuf_append(&b, m.arena, data, sizeof(data)), 0);
    assert_int_equal(b.footprint, 0);
    m.refuse = false;
    assert_int_equal(sndbuf_append(&b, m.arena, data, sizeof(data)), sizeof(data));
    sndbuf_clear(&b, m.arena);
    arena_free(m.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_an_array),
        cmocka_unit_test(small_writes_share_blocks),
        cmocka_unit_test(a_super_frame_is_few_ranges),
        cmocka_unit_test(memory_that_ends_takes_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
