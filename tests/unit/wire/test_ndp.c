/* Neighbour discovery: each message and option, and each rule of RFC 4861 sections 6.1 and 7.1 on
 * its own. */
#include "hex.h"
#include "wire/ndp.h"

#define TARGET "fe800000000000000000000000000002"
#define NS "8700 0000 00000000 " TARGET
#define NA "8800 0000 60000000 " TARGET
#define RS "8500 0000 00000000"
#define RA "8600 0000 40 c0 0708 00000001 00000002"
#define SOURCE_MAC "0101 020000000001"
#define TARGET_MAC "0201 020000000002"
#define MTU "0501 0000 00000500"
#define PREFIX "0304 40 c0 00015180 00003840 00000000 20010db8000000010000000000000001"

static struct ip_addr addr(const char *text)
{
    struct ip_addr a;
    assert_true(ip_addr_parse(text, &a));
    return a;
}

static bool parse(const char *src, const char *dst, uint8_t hop_limit, const char *text,
                  struct ndp_msg *out)
{
    struct bytes b = hex(text);
    struct ip_addr s = addr(src), d = addr(dst);
    bool ok = ndp_parse(&s, &d, hop_limit, b.at, b.n, out);
    free_bytes(b);
    return ok;
}

static bool accepts(const char *src, const char *dst, const char *text)
{
    struct ndp_msg m;
    return parse(src, dst, 255, text, &m);
}

static void neighbour_messages(void **state)
{
    (void)state;
    struct ndp_msg m;
    struct ip_addr target = addr("fe80::2");
    assert_true(parse("fe80::1", "ff02::1:ff00:2", 255, NS SOURCE_MAC, &m));
    assert_true(m.type == ICMP6_NEIGHBOUR_SOLICITATION && ip_addr_equal(&m.target, &target));
    assert_true(m.has_source_mac && m.source_mac[5] == 1 && !m.has_target_mac);
    assert_true(parse("fe80::2", "fe80::1", 255, NA TARGET_MAC, &m));
    assert_true(!m.router && m.solicited && m.override && m.has_target_mac && m.target_mac[5] == 2);
    assert_true(parse("fe80::2", "fe80::1", 255, "8800 0000 80000000 " TARGET, &m));
    assert_true(m.router && !m.solicited && !m.override && !m.has_target_mac);
}

static void router_messages(void **state)
{
    (void)state;
    struct ndp_msg m;
    assert_true(parse("fe80::1", "ff02::2", 255, RS SOURCE_MAC, &m));
    assert_true(m.type == ICMP6_ROUTER_SOLICITATION && m.has_source_mac);
    assert_true(parse("fe80::1", "ff02::1", 255, RA SOURCE_MAC MTU PREFIX, &m));
    assert_true(m.hop_limit == 64 && m.managed && m.other_config && m.router_lifetime_s == 1800);
    assert_true(m.reachable_ms == 1 && m.retrans_ms == 2 && m.has_mtu && m.mtu == 1280 &&
                m.n_prefixes == 1);
    struct ip_addr net =
        addr("2001:db8:0:1::"); /* the bits behind the length are not the prefix's */
    assert_true(ip_addr_equal(&m.prefix[0].prefix.addr, &net) && m.prefix[0].prefix.length == 64);
    assert_true(m.prefix[0].on_link && m.prefix[0].autonomous);
    assert_true(m.prefix[0].valid_s == 86400 && m.prefix[0].preferred_s == 14400);
}

/* Each case differs from an accepted message in one thing. */
static void rules(void **state)
{
    (void)state;
    struct ndp_msg m;
    assert_false(parse("fe80::1", "ff02::1:ff00:2", 254, NS, &m));
    assert_false(accepts("fe80::1", "ff02::1:ff00:2", "8701 0000 00000000 " TARGET));
    assert_true(accepts("::", "ff02::1:ff00:2", NS));
    assert_false(accepts("::", "ff02::1:ff00:2", NS SOURCE_MAC));
    assert_false(accepts("::", "ff02::1", NS));
    assert_false(accepts("::", "fe80::2", NS));
    assert_true(accepts("fe80::1", "fe80::2", NS));
    assert_false(
        accepts("fe80::1", "fe80::2", "8700 0000 00000000 ff020000000000000000000000000001"));
    assert_false(
        accepts("fe80::1", "fe80::2", "8700 0000 00000000 00000000000000000000ffffc0000201"));
    assert_false(accepts("fe80::2", "ff02::1", NA)); /* solicited, to a group */
    assert_true(accepts("fe80::2", "ff02::1", "8800 0000 20000000 " TARGET));
    assert_false(
        accepts("fe80::2", "ff02::1", "8800 0000 20000000 ff020000000000000000000000000001"));
    assert_true(accepts("::", "ff02::2", RS));
    assert_false(accepts("::", "ff02::2", RS SOURCE_MAC));
    assert_true(accepts("fe80::1", "ff02::1", RA));
    assert_false(accepts("2001:db8::1", "ff02::1", RA));
    assert_false(accepts("fe80::1", "ff02::1", "8601 0000 40 c0 0708 00000001 00000002"));
    assert_false(accepts("fe80::1", "ff02::1", "8900 0000 00000000 " TARGET TARGET)); /* redirect */
    assert_false(accepts("fe80::1", "ff02::1", "8000 0000 00000000"));
}

static void every_short_length(void **state)
{
    (void)state;
    static const struct {
        const char *text, *dst;
        size_t fixed;
    } table[] = {{NS SOURCE_MAC MTU, "ff02::1:ff00:2", 24},
                 {NA TARGET_MAC MTU, "fe80::1", 24},
                 {RS SOURCE_MAC MTU, "ff02::2", 8},
                 {RA SOURCE_MAC MTU, "ff02::1", 16}};
    struct ip_addr src = addr("fe80::9");
    for (size_t i = 0; i < 4; i++) {
        struct bytes whole = hex(table[i].text);
        struct ip_addr dst = addr(table[i].dst);
        for (size_t n = 0; n <= whole.n; n++) {
            struct bytes b = copy_of(whole.at, n);
            struct ndp_msg m;
            bool ok = n >= table[i].fixed && (n - table[i].fixed) % 8 == 0;
            assert_int_equal(ndp_parse(&src, &dst, 255, b.at, b.n, &m), ok);
            free_bytes(b);
        }
        free_bytes(whole);
    }
}

static void options_of_odd_lengths(void **state)
{
    (void)state;
    struct ndp_msg m;
    assert_false(accepts("fe80::1", "ff02::1", RA "0100 020000000001")); /* length 0: discard */
    assert_false(accepts("fe80::1", "ff02::1", RA "0102 020000000001")); /* past the end: discard */
    assert_true(parse("fe80::1", "ff02::1", 255, RA "0102 0200000000010000000000000000" MTU, &m));
    assert_true(!m.has_source_mac &&
                m.has_mtu); /* not Ethernet's: passed over, like the unknown one */
    assert_true(parse("fe80::1", "ff02::1", 255,
                      RA "fe01 000000000000"
                         "0301 40c000000000" MTU,
                      &m));
    assert_true(m.has_mtu && m.n_prefixes == 0);
    assert_true(
        parse("fe80::1", "ff02::1", 255, RA "0304 81 c0 00015180 00003840 00000000 " TARGET, &m));
    assert_int_equal(m.n_prefixes, 0); /* 129 bits */
    assert_true(parse("fe80::1", "ff02::1", 255, RA MTU "0501 0000 00000600", &m));
    assert_int_equal(m.mtu, 1280); /* the first counts */
    assert_true(parse("fe80::1", "ff02::1", 255,
                      RA PREFIX PREFIX PREFIX PREFIX PREFIX PREFIX PREFIX PREFIX PREFIX MTU, &m));
    assert_true(m.n_prefixes == NDP_PREFIXES_MAX && m.has_mtu);
}

static void what_was_built_parses(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9, 9);
    struct ip_addr src = addr("fe80::1"), dst = addr("fe80::2");
    for (int i = 0; i < 4000; i++) {
        struct ndp_msg m = {.type = (uint8_t)(ICMP6_ROUTER_SOLICITATION + i % 4)}, again;
        uint32_t r = rng_u32(&rng);
        m.has_source_mac = r & 1;
        m.has_target_mac = r & 2;
        m.has_mtu = r & 4;
        m.mtu = m.has_mtu ? rng_u32(&rng) : 0;
        if (m.has_target_mac) {
            fill_random(&rng, m.target_mac, 6);
        }
        m.n_prefixes = rng_below(&rng, NDP_PREFIXES_MAX + 1);
        for (unsigned k = 0; k < m.n_prefixes; k++) {
            fill_random(&rng, m.prefix[k].prefix.addr.b, 16);
            m.prefix[k].prefix.addr.b[0] = 0x20;
            m.prefix[k].prefix.length = (uint8_t)(3 + rng_below(&rng, 126));
            m.prefix[k].valid_s = rng_u32(&rng);
            m.prefix[k].on_link = r & 8;
        }
        if (m.type == ICMP6_NEIGHBOUR_ADVERTISEMENT) {
            m.router = r & 16;
            m.override = r & 32;
        }
        if (m.type == ICMP6_ROUTER_ADVERTISEMENT) {
            m.reachable_ms = rng_u32(&rng);
            m.router_lifetime_s = (uint16_t)r;
        }
        uint8_t built[NDP_LENGTH_MAX], twice[NDP_LENGTH_MAX];
        size_t n = ndp_build(built, &src, &dst, &m);
        struct bytes b = copy_of(built, n);
        assert_true(icmp6_checksum_ok(&src, &dst, b.at, b.n));
        assert_true(ndp_parse(&src, &dst, 255, b.at, b.n, &again));
        assert_true(again.n_prefixes == m.n_prefixes && again.mtu == m.mtu &&
                    again.has_source_mac == m.has_source_mac);
        assert_true(again.router == m.router && again.override == m.override &&
                    again.reachable_ms == m.reachable_ms);
        assert_memory_equal(again.target_mac, m.target_mac, 6);
        assert_int_equal(ndp_build(twice, &src, &dst, &again), n);
        assert_memory_equal(twice, built, n);
        free_bytes(b);
    }
}

static void group_addresses(void **state)
{
    (void)state;
    char text[IP_ADDR_TEXT];
    struct ip_addr target = addr("4037::01:800:200E:8C6C"); /* RFC 4291 2.7.1 */
    struct ip_addr group = ndp_solicited_node(&target);
    assert_string_equal(ip_addr_format(&group, text), "ff02::1:ff0e:8c6c");
    group = ndp_all_nodes();
    assert_string_equal(ip_addr_format(&group, text), "ff02::1");
    group = ndp_all_routers();
    assert_string_equal(ip_addr_format(&group, text), "ff02::2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbour_messages),
        cmocka_unit_test(router_messages),
        cmocka_unit_test(rules),
        cmocka_unit_test(every_short_length),
        cmocka_unit_test(options_of_odd_lengths),
        cmocka_unit_test(what_was_built_parses),
        cmocka_unit_test(group_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
