/* The IPv4 header: fields, each error, options and source routes, the checksum, and what was built
 * parses. */
#include "hex.h"
#include "wire/ipv4.h"

/* A well-known example; its checksum is right. */
#define HEADER "4500 0073 0000 4000 40 11 b861 c0a80001 c0a800c7"

static void fields(void **state)
{
    (void)state;
    struct bytes b = hex("46 a5 0018 1234 2003 40 06 0000 c0000201 c0000202 01010100");
    struct ipv4_hdr h;
    assert_int_equal(ipv4_hdr_parse(b.at, b.n, &h), IPV4_OK);
    assert_true(h.header_len == 24 && h.tos == 0xa5 && h.total_length == 24 && h.id == 0x1234);
    assert_true(!h.dont_fragment && h.more_fragments && h.fragment_offset == 24 &&
                ipv4_is_fragment(&h));
    assert_true(h.ttl == 64 && h.protocol == IP_PROTOCOL_TCP);
    struct ip_addr src = ip_addr_v4(192, 0, 2, 1), dst = ip_addr_v4(192, 0, 2, 2);
    assert_true(ip_addr_equal(&h.src, &src) && ip_addr_equal(&h.dst, &dst));
    free_bytes(b);
}

static void checksum_of_an_example(void **state)
{
    (void)state;
    struct bytes b = hex(HEADER);
    struct ipv4_hdr h;
    uint8_t built[IPV4_HEADER_MIN];
    assert_int_equal(ipv4_hdr_parse(b.at, b.n, &h), IPV4_TOTAL_LENGTH);
    assert_true(h.total_length == 0x73 && h.dont_fragment &&
                !ipv4_is_fragment(&h)); /* filled in all the same */
    assert_true(ipv4_checksum_ok(b.at, &h));
    ipv4_hdr_build(built, &h);
    assert_memory_equal(built, b.at, sizeof built);
    for (unsigned bit = 0; bit < 160; bit++) {
        b.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(ipv4_checksum_ok(b.at, &h));
        b.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free_bytes(b);
}

static void each_error(void **state)
{
    (void)state;
    struct ipv4_hdr h;
    for (size_t n = 0; n <= 64; n++) {
        for (unsigned ihl = 0; ihl < 16; ihl++) {
            uint8_t data[64] = {0};
            data[0] = (uint8_t)(0x40 | ihl);
            data[3] = 50;
            struct bytes b = copy_of(data, n);
            enum ipv4_error expected = n < 20                    ? IPV4_TRUNCATED
                                       : ihl < 5 || ihl * 4 > 50 ? IPV4_HEADER_LENGTH
                                       : ihl * 4 > n             ? IPV4_TRUNCATED
                                       : n < 50                  ? IPV4_TOTAL_LENGTH
                                                                 : IPV4_OK;
            assert_int_equal(ipv4_hdr_parse(b.at, b.n, &h), expected);
            free_bytes(b);
        }
    }
    struct bytes b = hex("60");
    assert_int_equal(ipv4_hdr_parse(b.at, b.n, &h), IPV4_VERSION);
    free_bytes(b);
}

static struct ipv4_opts options_of(const char *text)
{
    struct bytes o = hex(text);
    struct bytes b = {malloc(20 + o.n), 20 + o.n};
    struct ipv4_hdr h = {.header_len = (uint8_t)b.n};
    struct ipv4_opts opts;
    memset(b.at, 0, 20);
    memcpy(b.at + 20, o.at, o.n);
    ipv4_opts_parse(b.at, &h, &opts);
    free_bytes(o);
    free_bytes(b);
    return opts;
}

static void source_routes(void **state)
{
    (void)state;
    struct ipv4_opts o = options_of("01 8307 04 c0000203");
    assert_true(o.loose_source_route && !o.strict_source_route && !o.malformed);
    assert_true(o.route_at == 21 && !o.route_ended);
    o = options_of("8907 08 c0000203 00");
    assert_true(o.strict_source_route && !o.loose_source_route && o.route_at == 20 &&
                o.route_ended);
    o = options_of("8303 04 8303 04 00 00"); /* two: RFC 1122 3.2.1.8(c) */
    assert_true(o.malformed && o.malformed_at == 23);
    o = options_of("8302 0000");
    assert_true(o.malformed);
    o = options_of("8303 03 00");
    assert_true(o.malformed && o.malformed_at == 20);
}

static void other_options(void **state)
{
    (void)state;
    struct ipv4_opts o = options_of("94040000 0703 04 4404 0500 01 1e03 00 00");
    assert_true(o.router_alert && o.record_route && o.timestamp && !o.malformed && o.route_at == 0);
    o = options_of("");
    assert_true(!o.malformed && o.route_at == 0);
    o = options_of("00 83070400"); /* nothing counts behind the end of the list */
    assert_true(!o.malformed && !o.loose_source_route);
}

static void malformed_options(void **state)
{
    (void)state;
    static const char *const bad[] = {"01010107", "01010700", "01010701",
                                      "07050400", "01018307", "010107ff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ipv4_opts o = options_of(bad[i]);
        assert_true(o.malformed && o.malformed_at >= 20 && o.malformed_at < 24);
    }
}

static void what_was_built_parses(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4, 4);
    for (int i = 0; i < 5000; i++) {
        uint8_t r[16], built[IPV4_HEADER_MIN];
        fill_random(&rng, r, sizeof r);
        struct ipv4_hdr again, h = {.tos = r[0],
                                    .total_length = (uint16_t)(20 + r[1]),
                                    .id = (uint16_t)(r[2] << 8 | r[3]),
                                    .dont_fragment = r[4] & 1,
                                    .more_fragments = r[4] & 2,
                                    .fragment_offset = (uint16_t)((r[4] << 8 | r[5]) & 0xfff8),
                                    .ttl = r[6],
                                    .protocol = r[7],
                                    .src = ip_addr_from_v4(r + 8),
                                    .dst = ip_addr_from_v4(r + 12)};
        ipv4_hdr_build(built, &h);
        enum ipv4_error error = ipv4_hdr_parse(built, sizeof built, &again);
        assert_int_equal(error, r[1] == 0 ? IPV4_OK : IPV4_TOTAL_LENGTH);
        assert_true(ipv4_checksum_ok(built, &again) && again.header_len == 20);
        assert_true(again.tos == h.tos && again.total_length == h.total_length && again.id == h.id);
        assert_true(again.dont_fragment == h.dont_fragment &&
                    again.more_fragments == h.more_fragments);
        assert_true(again.fragment_offset == h.fragment_offset && again.ttl == h.ttl &&
                    again.protocol == h.protocol);
        assert_true(ip_addr_equal(&again.src, &h.src) && ip_addr_equal(&again.dst, &h.dst));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(checksum_of_an_example),
        cmocka_unit_test(each_error),
        cmocka_unit_test(source_routes),
        cmocka_unit_test(other_options),
        cmocka_unit_test(malformed_options),
        cmocka_unit_test(what_was_built_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
