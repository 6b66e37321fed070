/* The Internet checksum: RFC 1071's example, a byte-by-byte model as an oracle at all lengths and
 * alignments, and pseudo-headers. */
#include "hex.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

/* RFC 1071 4.1, word by word. */
static uint16_t model(uint64_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void rfc1071_section_3(void **state)
{
    (void)state;
    struct bytes b = hex("0001 f203 f4f5 f6f7");
    assert_int_equal(checksum_fold(checksum_add(0, b.at, b.n)), 0xddf2);
    assert_int_equal(checksum_finish(checksum_add(0, b.at, b.n)), 0x220d);
    free_bytes(b);
    assert_int_equal(checksum_finish(0), 0xffff);
    assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
}

static void equals_the_model(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, 2);
    for (size_t n = 0; n < 300; n++) {
        for (size_t shift = 0; shift < 8; shift++) {
            struct bytes b = {malloc(n + shift + 1), n + shift + 1};
            uint8_t *p = b.at + shift + 1; /* ends with the allocation */
            fill_random(&rng, p, n);
            assert_int_equal(checksum_fold(checksum_add(0, p, n)), model(0, p, n));
            memset(p, 0xff, n);
            assert_int_equal(checksum_fold(checksum_add(0xffff, p, n)), model(0xffff, p, n));
            free_bytes(b);
        }
    }
    uint8_t *large = malloc(65535);
    memset(large, 0xff, 65535); /* the most carries */
    assert_int_equal(checksum_fold(checksum_add(0, large, 65535)), model(0, large, 65535));
    fill_random(&rng, large, 65535);
    assert_int_equal(checksum_fold(checksum_add(77, large, 65535)), model(77, large, 65535));
    free(large);
}

static void pieces_add_up(void **state)
{
    (void)state;
    struct rng rng;
    uint8_t data[1001];
    rng_init(&rng, 5, 6);
    fill_random(&rng, data, sizeof data);
    for (int i = 0; i < 500; i++) {
        size_t a = 2 * rng_below(&rng, 250), b = a + 2 * rng_below(&rng, 250);
        uint64_t sum = checksum_add(0, data, a);
        sum = checksum_add(sum, data + a, b - a);
        sum = checksum_add(sum, data + b, sizeof data - b);
        assert_int_equal(checksum_fold(sum), model(0, data, sizeof data));
    }
}

static void pseudo_headers(void **state)
{
    (void)state;
    struct ip_addr a = ip_addr_v4(192, 0, 2, 1), b = ip_addr_v4(198, 51, 100, 7);
    struct bytes v4 = hex("c0000201 c6336407 00 06 0400");
    assert_int_equal(tcp_pseudo_sum(&a, &b, 0x400), model(0, v4.at, v4.n));
    free_bytes(v4);
    struct bytes v6 =
        hex("20010db8000000000000000000000001 20010db8ffff00000000000000000002 00010003 0000003a");
    a = ip_addr_from_v6(v6.at);
    b = ip_addr_from_v6(v6.at + 16);
    assert_int_equal(checksum_fold(checksum_pseudo(&a, &b, 58, 0x10003)), model(0, v6.at, v6.n));
    free_bytes(v6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc1071_section_3),
        cmocka_unit_test(equals_the_model),
        cmocka_unit_test(pieces_add_up),
        cmocka_unit_test(pseudo_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
