/* Initial sequence numbers: they grow with the clock for one tuple, and tell nothing across tuples
 * or keys. */
#include "cmocka_all.h"
#include "tcp/isn.h"

static const struct hash_key key = {0x0123456789abcdef, 0xfedcba9876543210};

static struct tcp_tuple tuple(uint16_t remote_port)
{
    return (struct tcp_tuple){ip_addr_v4(192, 0, 2, 1), ip_addr_v4(198, 51, 100, 7), 49152,
                              remote_port};
}

static void grows_by_one_in_4_us(void **state) /* MUST-8 */
{
    (void)state;
    struct tcp_tuple t = tuple(80);
    tcp_seq first = isn_choose(&key, &t, time_from_ns(0));
    for (int64_t us = 0; us < INT64_C(40000000000); us = us * 3 + 4) {
        tcp_seq s = isn_choose(&key, &t, time_from_ns(us * 1000));
        assert_int_equal(seq_dist(s, first), (uint32_t)(us / 4));
    }
    /* The 32-bit clock comes round in 4.77 hours (RFC 9293 section 3.4.1: 4.55 with decimal
     * kilobytes). */
    tcp_seq round = isn_choose(&key, &t, time_from_ns((INT64_C(1) << 32) * 4000));
    assert_true(seq_eq(round, first));
}

/* How many of the 32 bits differ; for independent numbers 16 on average. */
static unsigned bits(uint32_t a, uint32_t b)
{
    return (unsigned)__builtin_popcount(a ^ b);
}

/* MUST-9: who does not know the key knows nothing. */
static void every_part_of_the_tuple_and_the_key_counts(void **state)
{
    (void)state;
    const ackd_time now = time_from_ns(NS_PER_S);
    struct tcp_tuple base = tuple(80), other[5];
    for (unsigned i = 0; i < 5; i++) {
        other[i] = base;
    }
    other[0].local.b[15] ^= 1;
    other[1].remote.b[15] ^= 1;
    other[2].local_port ^= 1;
    other[3].remote_port ^= 1;
    other[4].local = base.remote; /* and not the same from the other end */
    other[4].remote = base.local;
    for (unsigned i = 0; i < 5; i++) {
        assert_false(seq_eq(isn_choose(&key, &base, now), isn_choose(&key, &other[i], now)));
    }
    struct hash_key changed = {key.k0, key.k1 ^ 1};
    assert_false(seq_eq(isn_choose(&key, &base, now), isn_choose(&changed, &base, now)));
}

static void neighbouring_tuples_are_uncorrelated(void **state) /* SHLD-1 */
{
    (void)state;
    const ackd_time now = time_from_ns(NS_PER_S);
    unsigned differing = 0, per_bit[32] = {0}, high[16] = {0};
    for (uint16_t port = 1; port <= 10000; port++) {
        struct tcp_tuple a = tuple(port), b = tuple((uint16_t)(port + 1));
        uint32_t x = isn_choose(&key, &a, now).v, y = isn_choose(&key, &b, now).v;
        differing += bits(x, y);
        for (unsigned i = 0; i < 32; i++) {
            per_bit[i] += (x >> i) & 1;
        }
        high[(y - x) >> 28]++;
    }
    assert_in_range(differing, 10000 * 16 - 2000, 10000 * 16 + 2000);
    for (unsigned i = 0; i < 32; i++) {
        assert_in_range(per_bit[i], 4750, 5250); /* five standard deviations */
    }
    for (unsigned i = 0; i < 16; i++) {
        assert_in_range(high[i], 500, 750); /* the difference tells nothing either */
    }
}

static void timestamp_offsets_are_their_own(void **state)
{
    (void)state;
    unsigned equal = 0, differing = 0;
    for (uint16_t port = 1; port <= 4000; port++) {
        struct tcp_tuple t = tuple(port), next = tuple((uint16_t)(port + 1));
        uint32_t offset = timestamp_offset(&key, &t);
        assert_int_equal(offset, timestamp_offset(&key, &t));
        equal += offset == isn_choose(&key, &t, time_from_ns(0)).v;
        differing += bits(offset, timestamp_offset(&key, &next));
    }
    assert_int_equal(equal, 0);
    assert_in_range(differing, 4000 * 16 - 1000, 4000 * 16 + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_by_one_in_4_us),
        cmocka_unit_test(every_part_of_the_tuple_and_the_key_counts),
        cmocka_unit_test(neighbouring_tuples_are_uncorrelated),
        cmocka_unit_test(timestamp_offsets_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
