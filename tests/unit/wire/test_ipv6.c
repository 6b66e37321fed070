/* The IPv6 header and the walk along its extension headers: every way it can end, the pointers that
 * RFC 8200 wants reported, and bounds. */
#include "hex.h"
#include "wire/ipv6.h"

#define A "20010db8000000000000000000000001"
#define B "20010db8000000000000000000000002"

/* The walk along a chain that begins with `next`; the payload stands behind the fixed header. Cut
 * to every shorter length it must not read past the end. */
static struct ipv6_walk walk(uint8_t next, const char *payload)
{
    struct bytes p = hex(payload);
    struct bytes b = {malloc(IPV6_HEADER + p.n), IPV6_HEADER + p.n};
    struct ipv6_walk w;
    struct ipv6_hdr h = {.next_header = next, .payload_length = (uint16_t)p.n};
    ipv6_hdr_build(b.at, &h);
    memcpy(b.at + IPV6_HEADER, p.at, p.n);
    for (size_t n = IPV6_HEADER; n < b.n; n++) {
        struct bytes cut = copy_of(b.at, n);
        ipv6_walk(cut.at, cut.n, &w);
        assert_true(w.offset <= n);
        free_bytes(cut);
    }
    ipv6_walk(b.at, b.n, &w);
    free_bytes(p);
    free_bytes(b);
    return w;
}

static void fixed_header(void **state)
{
    (void)state;
    struct bytes b = hex("6ab12345 0000 06 40 " A B);
    struct ipv6_hdr h;
    uint8_t built[IPV6_HEADER];
    assert_int_equal(ipv6_hdr_parse(b.at, b.n, &h), IPV6_OK);
    assert_true(h.traffic_class == 0xab && h.flow_label == 0x12345 && h.payload_length == 0);
    assert_true(h.next_header == 6 && h.hop_limit == 64 && h.src.b[15] == 1 && h.dst.b[15] == 2);
    ipv6_hdr_build(built, &h);
    assert_memory_equal(built, b.at, IPV6_HEADER);
    free_bytes(b);
}

static void each_error(void **state)
{
    (void)state;
    uint8_t data[60] = {0x60, [5] = 10};
    struct ipv6_hdr h;
    for (size_t n = 0; n <= sizeof data; n++) {
        struct bytes b = copy_of(data, n);
        enum ipv6_error expected = n < 40 ? IPV6_TRUNCATED : n < 50 ? IPV6_PAYLOAD_LENGTH : IPV6_OK;
        assert_int_equal(ipv6_hdr_parse(b.at, b.n, &h), expected);
        if (n >= 40) {
            assert_int_equal(h.payload_length, 10);
        }
        free_bytes(b);
    }
    struct bytes b = hex("45");
    assert_int_equal(ipv6_hdr_parse(b.at, b.n, &h), IPV6_VERSION);
    free_bytes(b);
}

static void straight_to_the_upper_layer(void **state)
{
    (void)state;
    struct ipv6_walk w = walk(6, "0102");
    assert_true(w.end == IPV6_WALK_UPPER && w.protocol == 6 && w.offset == 40 &&
                w.next_header_at == 6);
    w = walk(6, "");
    assert_true(w.end == IPV6_WALK_UPPER && w.offset == 40);
    w = walk(59, "0102");
    assert_int_equal(w.end, IPV6_WALK_NO_NEXT);
    w = walk(51, "0601000000000000"); /* we know no authentication header: an unknown upper layer */
    assert_true(w.end == IPV6_WALK_UPPER && w.protocol == 51);
}

static void along_all_headers(void **state)
{
    (void)state;
    struct ipv6_walk w =
        walk(0, "3c00 050200000100"                     /* hop-by-hop: router alert, PadN of 0 */
                "2b01 00 0104 00000000 00000000 000000" /* destination options, 16 bytes */
                "2c00 00 00 00000000"                   /* routing, nothing left */
                "3c00 0000 00000007"                    /* atomic fragment */
                "0600 010400000000 aabb");
    assert_true(w.end == IPV6_WALK_UPPER && w.protocol == 6 && w.offset == 40 + 48 &&
                !w.parameter_problem);
    assert_int_equal(w.next_header_at, 40 + 40);
    assert_true(w.has_fragment && w.fragment_id == 7 && !w.more_fragments &&
                w.fragment_offset == 0);
}

static void fragments(void **state)
{
    (void)state;
    struct ipv6_walk w = walk(44, "06 00 0001 01020304 aaaaaaaaaaaaaaaa");
    assert_true(w.end == IPV6_WALK_FRAGMENT && w.more_fragments && w.fragment_offset == 0);
    assert_true(w.protocol == 6 && w.offset == 48 && w.fragment_id == 0x01020304);
    w = walk(44, "06 ff 05aa 01020304 aa"); /* reserved bits set */
    assert_true(w.end == IPV6_WALK_FRAGMENT && !w.more_fragments && w.fragment_offset == 0x05a8);
}

static void routing_with_segments_left(void **state)
{
    (void)state;
    struct ipv6_walk w = walk(43, "0602 00 01 00000000 " A "aa");
    assert_true(w.end == IPV6_WALK_ROUTING && w.offset == 40);
    assert_true(w.parameter_problem && w.code == 0 && w.pointer == 42 && !w.to_group_too);
}

static void hop_by_hop_not_first(void **state)
{
    (void)state;
    struct ipv6_walk w = walk(60, "0000 010400000000 0600 010400000000 aa");
    assert_true(w.end == IPV6_WALK_HOP_BY_HOP && w.parameter_problem && w.code == 1 &&
                w.pointer == 40);
    w = walk(0, "0000 010400000000 0600 010400000000 aa");
    assert_true(w.end == IPV6_WALK_HOP_BY_HOP && w.pointer == 40);
}

static void unknown_options(void **state)
{
    (void)state;
    struct ipv6_walk w = walk(60, "0600 1e00 010200 00 aa"); /* 00: skip */
    assert_true(w.end == IPV6_WALK_UPPER && w.protocol == 6 && w.offset == 48);
    w = walk(60, "0600 00 5e00 010100 aa"); /* 01: discard */
    assert_true(w.end == IPV6_WALK_OPTION && !w.parameter_problem);
    w = walk(60, "0600 00 9e00 010100 aa"); /* 10: discard and tell, even of multicast */
    assert_true(w.end == IPV6_WALK_OPTION && w.parameter_problem && w.code == 2 &&
                w.pointer == 43 && w.to_group_too);
    w = walk(60, "0600 00 de00 010100 aa"); /* 11: discard and tell, but of multicast */
    assert_true(w.end == IPV6_WALK_OPTION && w.parameter_problem && w.code == 2 &&
                w.pointer == 43 && !w.to_group_too);
    w = walk(0, "0600 c204 00010000 aa"); /* a jumbo payload is one of those */
    assert_true(w.end == IPV6_WALK_OPTION && w.parameter_problem && w.pointer == 42);
}

static void truncated(void **state)
{
    (void)state;
    assert_int_equal(walk(60, "").end, IPV6_WALK_TRUNCATED);
    assert_int_equal(walk(60, "06000104000000").end, IPV6_WALK_TRUNCATED);
    assert_int_equal(walk(60, "0601010400000000").end, IPV6_WALK_TRUNCATED);
    assert_int_equal(walk(44, "06000000000000").end, IPV6_WALK_TRUNCATED);
    assert_int_equal(walk(43, "06ff000000000000").end, IPV6_WALK_TRUNCATED);
    assert_int_equal(walk(60, "0600010500000000 aa").end,
                     IPV6_WALK_TRUNCATED); /* an option past its header */
    assert_int_equal(walk(60, "0600010300000001 aa").end,
                     IPV6_WALK_TRUNCATED); /* a type without length */
}

static void bounds(void **state)
{
    (void)state;
    char text[1200] = "";
    for (unsigned i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
        strcat(text, i + 1 < IPV6_EXTENSIONS_MAX ? "3c00010400000000" : "0600010400000000");
    }
    assert_int_equal(walk(60, text).end, IPV6_WALK_UPPER);
    strcat(text, "0600010400000000");
    memcpy(text + 16 * (IPV6_EXTENSIONS_MAX - 1), "3c", 2);
    assert_int_equal(walk(60, text).end, IPV6_WALK_TOO_LONG);
    strcpy(text, "0603"); /* 30 Pad1 in a header of 32 bytes, then of 40 */
    for (unsigned i = 0; i < 30; i++) {
        strcat(text, "00");
    }
    assert_int_equal(walk(60, text).end, IPV6_WALK_UPPER);
    memcpy(text, "0604", 4);
    strcat(text, "0000000000000000");
    assert_int_equal(walk(60, text).end, IPV6_WALK_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_header),
        cmocka_unit_test(each_error),
        cmocka_unit_test(straight_to_the_upper_layer),
        cmocka_unit_test(along_all_headers),
        cmocka_unit_test(fragments),
        cmocka_unit_test(routing_with_segments_left),
        cmocka_unit_test(hop_by_hop_not_first),
        cmocka_unit_test(unknown_options),
        cmocka_unit_test(truncated),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
