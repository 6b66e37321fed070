/* IPv4 with options, IPv6 with extension headers, and the text of their addresses. The input is a
 * packet, IPv6 when its first four bits say so. */
#include "../fuzz.h"

#include <string.h>
#include "wire/ipv4.h"
#include "wire/ipv6.h"

static void check_text(const struct ip_addr *addr)
{
    char text[IP_ADDR_TEXT];
    struct ip_addr again;
    FUZZ_CHECK(ip_addr_parse(ip_addr_format(addr, text), &again));
    FUZZ_CHECK(ip_addr_equal(addr, &again));
}

/* What is accepted is a spelling of what it gives; a prefix holds its own address. */
static void check_spelling(const uint8_t *data, size_t size)
{
    char text[64] = {0};
    struct ip_prefix prefix;
    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (ip_prefix_parse(text, &prefix)) {
        FUZZ_CHECK(prefix.length <= (ip_addr_is_v4(&prefix.addr) ? 32 : 128));
        FUZZ_CHECK(ip_prefix_contains(&prefix, &prefix.addr));
        check_text(&prefix.addr);
    }
}

static void check_v4(const uint8_t *data, size_t size)
{
    struct ipv4_hdr hdr, again;
    struct ipv4_opts opts;
    enum ipv4_error error = ipv4_hdr_parse(data, size, &hdr);
    if (error != IPV4_OK && error != IPV4_TOTAL_LENGTH) {
        return;
    }
    FUZZ_CHECK(hdr.header_len <= size && hdr.header_len <= hdr.total_length);
    (void)ipv4_checksum_ok(data, &hdr);
    ipv4_opts_parse(data, &hdr, &opts);
    FUZZ_CHECK(!opts.malformed || opts.malformed_at < hdr.header_len);
    FUZZ_CHECK(opts.route_at < hdr.header_len);
    check_text(&hdr.src);
    uint8_t built[IPV4_HEADER_MIN];
    ipv4_hdr_build(built, &hdr);
    FUZZ_CHECK(ipv4_hdr_parse(built, sizeof built, &again) ==
               (hdr.total_length > 20 ? IPV4_TOTAL_LENGTH : IPV4_OK));
    FUZZ_CHECK(ipv4_checksum_ok(built, &again));
    FUZZ_CHECK(memcmp(built + 1, data + 1, 9) == 0 ||
               (data[6] & 0x80) != 0); /* but for the reserved flag */
    FUZZ_CHECK(memcmp(built + 12, data + 12, 8) == 0);
}

static void check_walk(const struct ipv6_walk *walk, size_t end)
{
    FUZZ_CHECK(walk->offset >= IPV6_HEADER && walk->offset <= end);
    FUZZ_CHECK(walk->next_header_at < walk->offset);
    FUZZ_CHECK(!walk->parameter_problem || walk->pointer < end);
    FUZZ_CHECK(walk->fragment_offset % 8 == 0);
    bool fragment = walk->has_fragment && (walk->more_fragments || walk->fragment_offset != 0);
    FUZZ_CHECK(fragment == (walk->end == IPV6_WALK_FRAGMENT));
}

static void check_v6(const uint8_t *data, size_t size)
{
    struct ipv6_hdr hdr;
    struct ipv6_walk walk;
    enum ipv6_error error = ipv6_hdr_parse(data, size, &hdr);
    if (error != IPV6_OK && error != IPV6_PAYLOAD_LENGTH) {
        return;
    }
    uint8_t built[IPV6_HEADER];
    ipv6_hdr_build(built, &hdr);
    FUZZ_CHECK(memcmp(built, data, sizeof built) == 0);
    check_text(&hdr.src);
    size_t end = error == IPV6_OK ? IPV6_HEADER + (size_t)hdr.payload_length : size;
    ipv6_walk(data, end, &walk);
    check_walk(&walk, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] >> 4 == 6) {
        check_v6(data, size);
    } else {
        check_v4(data, size);
    }
    check_spelling(data, size);
    return 0;
}
