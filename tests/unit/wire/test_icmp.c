/* ICMP of both families: what the second four bytes mean for each type, how much is quoted, and the
 * connection behind a quote. */
#include "hex.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#define QUOTE4 "4500 0034 1234 4000 40 06 0000 c0000201 c0000202 c0000050 01020304"
#define A "20010db8000000000000000000000001"
#define B "20010db8000000000000000000000002"
#define QUOTE6 "60300000 0014 06 40 " A B "c0000050 01020304"

static struct icmp_msg parsed(bool v6, const char *text)
{
    struct bytes b = hex(text);
    struct icmp_msg m;
    assert_true((v6 ? icmp6_parse : icmp4_parse)(b.at, b.n, &m));
    free_bytes(b);
    return m; /* its body is gone */
}

static void second_word_of_each_type(void **state)
{
    (void)state;
    struct icmp_msg m = parsed(false, "0800 0000 1234 0005");
    assert_true(m.type == ICMP4_ECHO && m.id == 0x1234 && m.sequence == 5 && m.mtu == 0 &&
                m.body_len == 0);
    m = parsed(false, "0304 0000 ffff 05dc");
    assert_true(m.code == ICMP4_UNREACH_FRAGMENTATION && m.mtu == 1500 && m.id == 0);
    m = parsed(false, "0303 0000 ffff 05dc");
    assert_true(m.mtu == 0 && m.pointer == 0);
    m = parsed(false, "0c00 0000 14ff ffff");
    assert_int_equal(m.pointer, 20);
    m = parsed(true, "8100 0000 1234 0005");
    assert_true(m.type == ICMP6_ECHO_REPLY && m.id == 0x1234 && m.sequence == 5);
    m = parsed(true, "0200 0000 00010500 aa");
    assert_true(m.mtu == 0x10500 && m.body_len == 1);
    m = parsed(true, "0401 0000 01020304");
    assert_int_equal(m.pointer, 0x01020304);
}

static void short_messages(void **state)
{
    (void)state;
    static const uint8_t data[9] = {8};
    for (size_t n = 0; n <= sizeof data; n++) {
        struct bytes b = copy_of(data, n);
        struct icmp_msg m;
        assert_int_equal(icmp4_parse(b.at, b.n, &m), n >= ICMP_HEADER);
        assert_int_equal(icmp6_parse(b.at, b.n, &m), n >= ICMP_HEADER);
        free_bytes(b);
    }
}

static void which_are_errors(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
        assert_int_equal(icmp4_is_error((uint8_t)type), error);
        assert_int_equal(icmp6_is_error((uint8_t)type), type < 128);
    }
}

static void builds_what_it_reads(void **state)
{
    (void)state;
    struct rng rng;
    const struct ip_addr src = {{0xfe, 0x80, [15] = 1}}, dst = {{0xfe, 0x80, [15] = 2}};
    rng_init(&rng, 6, 6);
    for (int i = 0; i < 5000; i++) {
        uint8_t data[100], built[100];
        struct icmp_msg m, again;
        size_t n = ICMP_HEADER + rng_below(&rng, 90);
        bool v6 = i % 2;
        fill_random(&rng, data, n);
        assert_true((v6 ? icmp6_parse : icmp4_parse)(data, n, &m));
        size_t length = v6 ? icmp6_build(built, n, &src, &dst, &m) : icmp4_build(built, n, &m);
        assert_int_equal(length, n);
        assert_true(v6 ? icmp6_checksum_ok(&src, &dst, built, n) : icmp4_checksum_ok(built, n));
        built[n - 1] ^= 0x10;
        assert_false(v6 ? icmp6_checksum_ok(&src, &dst, built, n) : icmp4_checksum_ok(built, n));
        built[n - 1] ^= 0x10;
        assert_true((v6 ? icmp6_parse : icmp4_parse)(built, n, &again));
        assert_true(again.type == m.type && again.code == m.code && again.id == m.id &&
                    again.sequence == m.sequence);
        assert_true(again.mtu == m.mtu && again.pointer == m.pointer &&
                    again.body_len == m.body_len);
        assert_memory_equal(again.body, m.body, m.body_len);
        assert_int_equal(
            v6 ? icmp6_build(built, n - 1, &src, &dst, &m) : icmp4_build(built, n - 1, &m), 0);
    }
}

/* RFC 4443 2.4: the checksum covers the addresses. */
static void icmpv6_checksum_covers_addresses(void **state)
{
    (void)state;
    const struct ip_addr src = {{0xfe, 0x80, [15] = 1}}, dst = {{0xfe, 0x80, [15] = 2}},
                         other = {{0xfe, 0x80, [15] = 3}};
    const struct icmp_msg m = {.type = ICMP6_ECHO};
    uint8_t built[ICMP_HEADER];
    assert_int_equal(icmp6_build(built, sizeof built, &src, &dst, &m), ICMP_HEADER);
    assert_true(icmp6_checksum_ok(&src, &dst, built, sizeof built));
    assert_false(icmp6_checksum_ok(&src, &other, built, sizeof built));
}

static void quotes_no_more_than_allowed(void **state)
{
    (void)state;
    const struct ip_addr src = {{0xfe, 0x80, [15] = 1}}, dst = {{0xfe, 0x80, [15] = 2}};
    uint8_t packet[2000], built[2000];
    memset(packet, 7, sizeof packet);
    struct icmp_msg m = {.type = ICMP4_UNREACHABLE, .body = packet, .body_len = sizeof packet};
    assert_int_equal(icmp4_build(built, sizeof built, &m), 576 - 20);
    m.type = ICMP6_UNREACHABLE;
    assert_int_equal(icmp6_build(built, sizeof built, &src, &dst, &m), 1280 - 40);
    m.body_len = 1900;
    m.type = ICMP6_ECHO_REPLY; /* not an error: whole or not at all */
    assert_int_equal(icmp6_build(built, sizeof built, &src, &dst, &m), 1908);
    assert_int_equal(icmp6_build(built, 1907, &src, &dst, &m), 0);
    assert_int_equal(icmp4_build(built, 7, &(struct icmp_msg){0}), 0);
    memcpy(built + 8, packet, 100); /* an echo answered in place */
    m = (struct icmp_msg){.type = ICMP4_ECHO_REPLY, .id = 1, .body = built + 8, .body_len = 100};
    assert_int_equal(icmp4_build(built, sizeof built, &m), 108);
    assert_memory_equal(built + 8, packet, 100);
}

static void quote_of_ipv4(void **state)
{
    (void)state;
    struct bytes b = hex(QUOTE4);
    struct icmp_quote q;
    assert_true(icmp4_quote_parse(b.at, b.n, &q));
    struct ip_addr src = ip_addr_v4(192, 0, 2, 1), dst = ip_addr_v4(192, 0, 2, 2);
    assert_true(ip_addr_equal(&q.src, &src) && ip_addr_equal(&q.dst, &dst));
    assert_true(q.protocol == 6 && q.ttl == 64 && q.total_length == 0x34 && !q.later_fragment);
    assert_true(q.upper == b.at + 20 && q.upper_len == 8);
    b.at[7] = 1; /* an offset */
    assert_true(icmp4_quote_parse(b.at, b.n, &q) && q.later_fragment && q.upper == NULL &&
                q.upper_len == 0);
    for (size_t n = 0; n < 20; n++) {
        struct bytes cut = copy_of(b.at, n);
        assert_false(icmp4_quote_parse(cut.at, cut.n, &q));
        free_bytes(cut);
    }
    free_bytes(b);
    b = hex("4500 0015 0000 0000 40 06 0000 c0000201 c0000202 aa 000000"); /* padding is no part of
                                                                              the quote */
    assert_true(icmp4_quote_parse(b.at, b.n, &q) && q.upper_len == 1);
    free_bytes(b);
    b = hex("4600 0034 0000 0000 40 06 0000 c0000201 c0000202 94040000 aabb");
    assert_true(icmp4_quote_parse(b.at, b.n, &q) && q.upper == b.at + 24 && q.upper_len == 2);
    b.at[0] = 0x65;
    assert_false(icmp4_quote_parse(b.at, b.n, &q));
    free_bytes(b);
}

static void quote_of_ipv6(void **state)
{
    (void)state;
    struct bytes b = hex(QUOTE6);
    struct icmp_quote q;
    assert_true(icmp6_quote_parse(b.at, b.n, &q));
    assert_true(q.src.b[15] == 1 && q.dst.b[15] == 2 && q.protocol == 6 && q.tos == 3 &&
                q.ttl == 64);
    assert_true(q.total_length == 60 && q.upper == b.at + 40 && q.upper_len == 8);
    for (size_t n = 0; n < 40; n++) {
        struct bytes cut = copy_of(b.at, n);
        assert_false(icmp6_quote_parse(cut.at, cut.n, &q));
        free_bytes(cut);
    }
    free_bytes(b);
    b = hex("60000000 0018 2c 40 " A B "0600 0001 00000001 c0000050 01020304");
    assert_true(icmp6_quote_parse(b.at, b.n, &q) && !q.later_fragment && q.protocol == 6);
    assert_true(q.upper == b.at + 48 && q.upper_len == 8);
    b.at[43] = 0x09;
    assert_true(icmp6_quote_parse(b.at, b.n, &q) && q.later_fragment && q.upper == NULL);
    free_bytes(b);
    b = hex("60000000 0018 3c 40 " A B "0600");
    assert_false(icmp6_quote_parse(b.at, b.n, &q));
    free_bytes(b);
    b = hex("60000000 ffff 06 40 " A B);
    assert_true(icmp6_quote_parse(b.at, b.n, &q) && q.total_length == 65535 && q.upper_len == 0);
    free_bytes(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_word_of_each_type),
        cmocka_unit_test(short_messages),
        cmocka_unit_test(which_are_errors),
        cmocka_unit_test(builds_what_it_reads),
        cmocka_unit_test(icmpv6_checksum_covers_addresses),
        cmocka_unit_test(quotes_no_more_than_allowed),
        cmocka_unit_test(quote_of_ipv4),
        cmocka_unit_test(quote_of_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
