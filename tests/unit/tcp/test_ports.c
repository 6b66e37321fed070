/* Ephemeral ports: spread, reached all, reused late, and an end when none is free. */
#include "cmocka_all.h"
#include "tcp/ports.h"

struct taken {
    bool port[65536];
    unsigned asked;
};

static bool is_free(void *ctx, const struct tcp_tuple *t)
{
    struct taken *taken = ctx;
    taken->asked++;
    return !taken->port[t->local_port];
}

static struct tcp_tuple to(uint8_t host, uint16_t port)
{
    return (struct tcp_tuple){ip_addr_v4(192, 0, 2, 1), ip_addr_v4(198, 51, 100, host), 0, port};
}

static void init(struct ports *p, uint64_t seed, uint16_t first, uint16_t last)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    ports_init(p, &rng, first, last);
}

static void all_are_reached_and_then_none(void **state)
{
    (void)state;
    static const uint16_t range[][2] = {
        {49152, 65535}, {1024, 65535}, {50000, 50999}, {65535, 65535}, {1, 65535}};
    for (unsigned i = 0; i < 5; i++) {
        struct ports p;
        init(&p, i, range[i][0], range[i][1]);
        struct taken *taken = calloc(1, sizeof(*taken));
        unsigned size = range[i][1] - range[i][0] + 1u;
        for (unsigned n = 0; n < size; n++) {
            struct tcp_tuple t = to(1, 80);
            assert_true(ports_choose(&p, &t, is_free, taken));
            assert_in_range(t.local_port, range[i][0], range[i][1]);
            assert_false(taken->port[t.local_port]);
            taken->port[t.local_port] = true;
        }
        struct tcp_tuple t = to(1, 80);
        t.local_port = 7;
        taken->asked = 0;
        assert_false(ports_choose(&p, &t, is_free, taken));
        assert_int_equal(taken->asked, size); /* each asked once */
        assert_int_equal(t.local_port, 7);
        uint16_t freed = (uint16_t)(range[i][0] + size / 3);
        taken->port[freed] = false;
        assert_true(ports_choose(&p, &t, is_free, taken));
        assert_int_equal(t.local_port, freed);
        free(taken);
    }
}

/* Also where a 16-bit count comes round. */
static void the_only_free_port_is_always_found(void **state)
{
    (void)state;
    struct ports p;
    init(&p, 9, 50000, 50999);
    struct taken *taken = calloc(1, sizeof(*taken));
    memset(taken->port, true, sizeof(taken->port));
    for (unsigned i = 0; i < 2000; i++) {
        uint16_t only = (uint16_t)(50000 + i * 617 % 1000);
        struct tcp_tuple t = to(1, 80);
        taken->port[only] = false;
        assert_true(ports_choose(&p, &t, is_free, taken));
        assert_int_equal(t.local_port, only);
        taken->port[only] = true;
    }
    free(taken);
}

static void one_peer_sees_a_port_again_only_after_all_others(void **state)
{
    (void)state;
    struct ports p;
    init(&p, 3, 49152, 65535);
    struct taken *taken = calloc(1, sizeof(*taken));
    bool seen[65536] = {false};
    for (unsigned n = 0; n < 16384; n++) {
        struct tcp_tuple t = to(1, 80);
        assert_true(ports_choose(&p, &t, is_free, taken));
        assert_false(seen[t.local_port]);
        seen[t.local_port] = true;
    }
    free(taken);
}

static void first_ports_of_peers_are_spread(void **state)
{
    (void)state;
    struct ports p;
    init(&p, 4, 49152, 65535);
    struct taken *taken = calloc(1, sizeof(*taken));
    unsigned bucket[16] = {0}, near = 0;
    uint16_t before = 0;
    for (unsigned n = 0; n < 16000; n++) {
        struct tcp_tuple t = to((uint8_t)(n % 250), (uint16_t)(1000 + n / 250));
        assert_true(ports_choose(&p, &t, is_free, taken));
        bucket[(t.local_port - 49152) / 1024]++;
        near += (uint16_t)(t.local_port - before) <= 16;
        before = t.local_port;
    }
    for (unsigned i = 0; i < 16; i++) {
        assert_in_range(bucket[i], 850, 1150);
    }
    assert_in_range(near, 0,
                    60); /* 16000 * 17/16384 = 17 by chance: a port tells nothing of the next */
    free(taken);
}

static void connections_to_one_peer_hardly_move_those_to_another(void **state)
{
    (void)state;
    struct ports p;
    init(&p, 5, 49152, 65535);
    struct taken *taken = calloc(1, sizeof(*taken));
    unsigned moved = 0;
    for (unsigned peer = 1; peer <= 200; peer++) {
        struct tcp_tuple a = to((uint8_t)peer, 80), b = to((uint8_t)peer, 80), c = to(0, 443);
        assert_true(ports_choose(&p, &a, is_free, taken));
        assert_true(ports_choose(&p, &c, is_free, taken));
        assert_true(ports_choose(&p, &b, is_free, taken));
        uint16_t step = (uint16_t)((b.local_port - a.local_port + 16384) % 16384);
        moved += step != 1;
    }
    assert_in_range(moved, 0, 10); /* one in 256 shares the count */
    free(taken);
}

static void seeds_and_keys_count(void **state)
{
    (void)state;
    struct ports a, b, same;
    init(&a, 1, 49152, 65535);
    init(&b, 2, 49152, 65535);
    init(&same, 1, 49152, 65535);
    struct taken *taken = calloc(1, sizeof(*taken));
    unsigned equal = 0;
    for (uint8_t host = 0; host < 100; host++) {
        struct tcp_tuple x = to(host, 80), y = x, z = x;
        ports_choose(&a, &x, is_free, taken);
        ports_choose(&b, &y, is_free, taken);
        ports_choose(&same, &z, is_free, taken);
        assert_int_equal(x.local_port, z.local_port);
        equal += x.local_port == y.local_port;
    }
    assert_in_range(equal, 0, 3);
    free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_reached_and_then_none),
        cmocka_unit_test(the_only_free_port_is_always_found),
        cmocka_unit_test(one_peer_sees_a_port_again_only_after_all_others),
        cmocka_unit_test(first_ports_of_peers_are_spread),
        cmocka_unit_test(connections_to_one_peer_hardly_move_those_to_another),
        cmocka_unit_test(seeds_and_keys_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
