/* Addresses and their text: the examples of RFC 5952 and RFC 4291, every malformed spelling, and
 * the C library as an oracle. */
#include "hex.h"
#include "wire/addr.h"

#include <arpa/inet.h>

static struct ip_addr parsed(const char *text)
{
    struct ip_addr a;
    if (!ip_addr_parse(text, &a)) {
        fail_msg("does not parse: %s", text);
    }
    return a;
}

static void formats_as(const char *input, const char *expected)
{
    char text[IP_ADDR_TEXT];
    struct ip_addr a = parsed(input);
    assert_string_equal(ip_addr_format(&a, text), expected);
}

static void rfc5952_section_2_and_4(void **state)
{
    (void)state;
    static const char *const same[] = {/* 2.1, 2.2, 2.3: all the spellings of one address */
                                       "2001:db8:0:0:1:0:0:1", "2001:0db8:0:0:1:0:0:1",
                                       "2001:db8::1:0:0:1",    "2001:db8::0:1:0:0:1",
                                       "2001:0db8::1:0:0:1",   "2001:db8:0:0:1::1",
                                       "2001:db8:0000:0:1::1", "2001:DB8:0:0:1::1"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        formats_as(same[i], "2001:db8::1:0:0:1"); /* 4.2.3: of two equal runs the first */
    }
    formats_as("2001:0db8::0001", "2001:db8::1");              /* 4.1 */
    formats_as("2001:db8:0:0:0:0:2:1", "2001:db8::2:1");       /* 4.2.1 */
    formats_as("2001:db8::0:1", "2001:db8::1");                /* 4.2.1 */
    formats_as("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* 4.2.2 */
    formats_as("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");         /* 4.2.3 */
    formats_as("2001:db8:aaaa:bbbb:cccc:dddd:eeee:AAAA",
               "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa");                              /* 4.3 */
    formats_as("2001:db8:aaaa:bbbb:cccc:dddd::1", "2001:db8:aaaa:bbbb:cccc:dddd:0:1"); /* 4.2.2 */
}

static void rfc4291_section_2_2(void **state)
{
    (void)state;
    formats_as("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789",
               "abcd:ef01:2345:6789:abcd:ef01:2345:6789");
    formats_as("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a");
    formats_as("FF01:0:0:0:0:0:0:101", "ff01::101");
    formats_as("0:0:0:0:0:0:0:1", "::1");
    formats_as("0:0:0:0:0:0:0:0", "::");
    formats_as("0:0:0:0:0:0:13.1.68.3", "::d01:4403");
    formats_as("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    formats_as("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8");
    formats_as("1::", "1::");
}

static void mapped_is_ipv4(void **state)
{
    (void)state;
    formats_as("::FFFF:129.144.52.38", "129.144.52.38");
    formats_as("::ffff:c000:201", "192.0.2.1");
    formats_as("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1");
    struct ip_addr a = parsed("::ffff:192.0.2.1"), b = ip_addr_v4(192, 0, 2, 1);
    assert_true(ip_addr_equal(&a, &b) && ip_addr_is_v4(&a));
    a = parsed("::192.0.2.1");
    assert_false(ip_addr_is_v4(&a));
    formats_as("0.0.0.0", "0.0.0.0");
    formats_as("255.255.255.255", "255.255.255.255");
}

static void malformed_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      ".",
                                      ":",
                                      ":::",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.",
                                      ".1.2.3",
                                      "1..2.3",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "256.1.1.1",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1.2.3.00",
                                      "1.2.3.a",
                                      "+1.2.3.4",
                                      "-1.2.3.4",
                                      "1.2.3.4294967297",
                                      "0x1.2.3.4",
                                      "1.2.3.4/8",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7:8:",
                                      ":1:2:3:4:5:6:7:8",
                                      ":1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:",
                                      "1::2::3",
                                      "::1:2:3:4:5:6:7:8",
                                      "1:2:3:4:5:6:7:8::",
                                      "1:2:3:4::5:6:7:8",
                                      "12345::",
                                      "::g",
                                      "::1%eth0",
                                      "[::1]",
                                      "::1 ",
                                      " ::1",
                                      "::1.2.3",
                                      "::1.2.3.4.5",
                                      "::1.2.3.4:5",
                                      "::01.2.3.4",
                                      "::1.2.3.256",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "1.2.3.4::",
                                      "::.1.2.3",
                                      "1:",
                                      ":1",
                                      "::1:",
                                      "fe80:::1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ip_addr a = ip_addr_v4(1, 2, 3, 4), before = a;
        struct bytes text = copy_of(bad[i], strlen(bad[i]) + 1);
        if (ip_addr_parse((const char *)text.at, &a)) {
            fail_msg("parses: %s", bad[i]);
        }
        assert_true(ip_addr_equal(&a, &before));
        free_bytes(text);
    }
}

/* Random addresses with runs of zeros, against inet_ntop. It writes ::/96 in dots, which RFC 5952
 * does not ask for. */
static void formats_like_the_library(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, 1);
    for (int i = 0; i < 20000; i++) {
        struct ip_addr a, again;
        char ours[IP_ADDR_TEXT], theirs[INET6_ADDRSTRLEN];
        fill_random(&rng, a.b, 16);
        uint32_t zero = rng_u32(&rng), low = rng_u32(&rng);
        for (unsigned g = 0; g < 8; g++) {
            if (zero >> g & 1) {
                a.b[2 * g] = a.b[2 * g + 1] = 0;
            } else if (low >> g & 1) {
                a.b[2 * g] = 0;
            }
        }
        ip_addr_format(&a, ours);
        assert_true(ip_addr_parse(ours, &again) && ip_addr_equal(&a, &again));
        static const uint8_t zeros[12];
        if (memcmp(a.b, zeros, 12) != 0) {
            assert_string_equal(ours, inet_ntop(AF_INET6, a.b, theirs, sizeof theirs));
        }
    }
}

/* Random texts of the alphabet of addresses, against inet_pton. */
static void parses_like_the_library(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2, 2);
    int accepted = 0;
    for (int i = 0; i < 300000; i++) {
        static const char alphabet[] = "::::::::...0011223fF9";
        char text[24];
        unsigned n = 2 + rng_below(&rng, 20);
        for (unsigned k = 0; k < n; k++) {
            text[k] = alphabet[rng_below(&rng, sizeof alphabet - 1)];
        }
        text[n] = '\0';
        uint8_t theirs[16];
        struct ip_addr ours;
        bool ok = inet_pton(AF_INET6, text, theirs) == 1;
        if (!ok && inet_pton(AF_INET, text, theirs) == 1) {
            ours = ip_addr_from_v4(theirs);
            memcpy(theirs, ours.b, 16);
            ok = true;
        }
        if (ip_addr_parse(text, &ours) != ok || (ok && memcmp(ours.b, theirs, 16) != 0)) {
            fail_msg("differs from inet_pton: %s", text);
        }
        accepted += ok;
    }
    assert_true(accepted > 500);
}

static void kinds(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool unspecified, multicast, broadcast, loopback, link_local;
    } table[] = {
        {"0.0.0.0", true, false, false, false, false},
        {"::", true, false, false, false, false},
        {"223.255.255.255", false, false, false, false, false},
        {"224.0.0.0", false, true, false, false, false},
        {"239.255.255.255", false, true, false, false, false},
        {"240.0.0.0", false, false, false, false, false},
        {"255.255.255.255", false, false, true, false, false},
        {"255.255.255.254", false, false, false, false, false},
        {"127.0.0.1", false, false, false, true, false},
        {"127.255.255.255", false, false, false, true, false},
        {"128.0.0.0", false, false, false, false, false},
        {"169.254.0.1", false, false, false, false, true},
        {"169.253.255.255", false, false, false, false, false},
        {"::1", false, false, false, true, false},
        {"::2", false, false, false, false, false},
        {"ff00::", false, true, false, false, false},
        {"feff::", false, false, false, false, false},
        {"fe80::", false, false, false, false, true},
        {"febf:ffff::", false, false, false, false, true},
        {"fec0::", false, false, false, false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct ip_addr a = parsed(table[i].text);
        assert_int_equal(ip_addr_is_unspecified(&a), table[i].unspecified);
        assert_int_equal(ip_addr_is_multicast(&a), table[i].multicast);
        assert_int_equal(ip_addr_is_limited_broadcast(&a), table[i].broadcast);
        assert_int_equal(ip_addr_is_loopback(&a), table[i].loopback);
        assert_int_equal(ip_addr_is_link_local(&a), table[i].link_local);
    }
}

static bool contains(const char *prefix, const char *addr)
{
    struct ip_prefix p;
    struct ip_addr a = parsed(addr);
    assert_true(ip_prefix_parse(prefix, &p));
    return ip_prefix_contains(&p, &a);
}

static void prefixes_contain(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.1/24", "192.0.2.255"));
    assert_false(contains("192.0.2.1/24", "192.0.3.1"));
    assert_true(contains("192.0.2.128/25", "192.0.2.129"));
    assert_false(contains("192.0.2.128/25", "192.0.2.127"));
    assert_true(contains("0.0.0.0/0", "8.8.8.8"));
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_false(contains("::/0", "8.8.8.8"));
    assert_true(contains("::/0", "2001:db8::1"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::"));
    assert_true(contains("2001:db8::1", "2001:db8::1"));
    assert_false(contains("2001:db8::1", "2001:db8::"));
    assert_false(contains("192.0.2.1", "192.0.2.0"));
}

static void broadcast_of(const char *prefix, const char *expected)
{
    struct ip_prefix p;
    struct ip_addr out;
    assert_true(ip_prefix_parse(prefix, &p));
    assert_int_equal(ip_prefix_broadcast(&p, &out), expected != NULL);
    if (expected != NULL) {
        char text[IP_ADDR_TEXT];
        assert_string_equal(ip_addr_format(&out, text), expected);
    }
}

static void directed_broadcast(void **state)
{
    (void)state;
    broadcast_of("192.0.2.1/24", "192.0.2.255");
    broadcast_of("192.0.2.1/30", "192.0.2.3");
    broadcast_of("10.0.0.0/0", "255.255.255.255");
    broadcast_of("192.0.2.1/31", NULL);
    broadcast_of("192.0.2.1/32", NULL);
    broadcast_of("2001:db8::/64", NULL);
}

static void prefix_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/",
                                      "/8",
                                      "192.0.2.1/",
                                      "192.0.2.1/33",
                                      "1.2.3.4/08",
                                      "1.2.3.4/+8",
                                      "1.2.3.4/8 ",
                                      "1.2.3.4/8/8",
                                      "2001:db8::/129",
                                      "::/-1",
                                      "::ffff:1.2.3.4/96",
                                      "1.2.3/8",
                                      "::/4294967296",
                                      "0000:0000:0000:0000:0000:0000:0000:00000000000000/8"};
    struct ip_prefix p;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(ip_prefix_parse(bad[i], &p));
    }
    assert_true(ip_prefix_parse("192.0.2.1", &p) && p.length == 32);
    assert_true(ip_prefix_parse("2001:db8::1", &p) && p.length == 128);
    assert_true(ip_prefix_parse("2001:db8::1/0", &p) && p.length == 0);
    assert_true(ip_prefix_parse("0000:0000:0000:0000:0000:ffff:255.255.255.255/32", &p) &&
                p.length == 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5952_section_2_and_4),
        cmocka_unit_test(rfc4291_section_2_2),
        cmocka_unit_test(mapped_is_ipv4),
        cmocka_unit_test(malformed_text),
        cmocka_unit_test(formats_like_the_library),
        cmocka_unit_test(parses_like_the_library),
        cmocka_unit_test(kinds),
        cmocka_unit_test(prefixes_contain),
        cmocka_unit_test(directed_broadcast),
        cmocka_unit_test(prefix_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
