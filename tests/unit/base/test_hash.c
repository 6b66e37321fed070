/* SipHash-2-4 against the vectors that its authors publish, and SipHash-1-3 against those by which
 * its users test theirs: key 00 01 .. 0f, message 00 01 .. n-1. */
#include "cmocka_all.h"
#include "base/hash.h"

static const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* The eight bytes of the result, first byte highest. */
static const uint64_t published[16] = {
    UINT64_C(0x310e0edd47db6f72), UINT64_C(0xfd67dc93c539f874), UINT64_C(0x5a4fa9d909806c0d),
    UINT64_C(0x2d7efbd796666785), UINT64_C(0xb7877127e09427cf), UINT64_C(0x8da699cd64557618),
    UINT64_C(0xcee3fe586e46c9cb), UINT64_C(0x37d1018bf50002ab), UINT64_C(0x6224939a79f5f593),
    UINT64_C(0xb0e4a90bdf82009e), UINT64_C(0xf3b9dd94c5bb5d7a), UINT64_C(0xa7ad6b22462fb3f4),
    UINT64_C(0xfbe50e86bc8f1e75), UINT64_C(0x903d84c02756ea14), UINT64_C(0xeef27a8e90ca23f7),
    UINT64_C(0xe545be4961ca29a1),
};

static const uint64_t published13[16] = {
    UINT64_C(0xdcc40f055801acab), UINT64_C(0x93ca577df39bf4c9), UINT64_C(0x4dd4c74d029bcb82),
    UINT64_C(0xfbf7dde7b80af88b), UINT64_C(0x2883d388605775cf), UINT64_C(0x673b53492fd5f9de),
    UINT64_C(0xa7229fc5502b0dc5), UINT64_C(0x4011b19b987d92d3), UINT64_C(0x8e9a298d11959036),
    UINT64_C(0xe43d066cb38ea425), UINT64_C(0x7f09ff92ee85de79), UINT64_C(0x52c34df9c118c170),
    UINT64_C(0xa2d9b457b184a378), UINT64_C(0xa7ff29120c766f30), UINT64_C(0x345df9c011a15a60),
    UINT64_C(0x5699512a6dd820d3)};

static uint64_t swapped(uint64_t x)
{
    return __builtin_bswap64(x);
}

static void published_vectors(void **state)
{
    (void)state;
    for (size_t n = 0; n < 16; n++) {
        uint8_t *message = calloc(1, n + 1);
        uint8_t *end = message + 1; /* ends where the allocation does, and is not aligned */
        for (size_t i = 0; i < n; i++) {
            end[i] = (uint8_t)i;
        }
        assert_true(siphash24(&key, end, n) == swapped(published[n]));
        assert_true(siphash13(&key, end, n) == swapped(published13[n]));
        free(message);
    }
    uint8_t message[63];
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    assert_true(siphash24(&key, message, sizeof message) == swapped(UINT64_C(0x724506eb4c328a95)));
}

static void every_bit_of_the_key_counts(void **state)
{
    (void)state;
    uint64_t plain = siphash24(&key, "ackd", 4);
    for (unsigned bit = 0; bit < 64; bit++) {
        struct hash_key other = key;
        other.k0 ^= UINT64_C(1) << bit;
        assert_true(siphash24(&other, "ackd", 4) != plain);
        other = key;
        other.k1 ^= UINT64_C(1) << bit;
        assert_true(siphash24(&other, "ackd", 4) != plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(every_bit_of_the_key_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
