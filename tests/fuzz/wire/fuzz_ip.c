/* IPv4 with options, IPv6 with extension headers, and the text of their addresses. The input is a
 * packet, IPv6 when its first four bits say so. */
#include "../fuzz.h"

#include <arpa/inet.h>
#include <string.h>
#include "wire/ipv4.h"
#include "wire/ipv6.h"

/* The C library as the oracle; it writes ::/96 in dots, which RFC 5952 doesn't ask for. */
static void check_text(const struct ip_addr *addr)
{
    static const uint8_t zero[12];
    char ours[IP_ADDR_TEXT], theirs[INET6_ADDRSTRLEN];
    struct ip_addr again;
    FUZZ_CHECK(ip_addr_parse(ip_addr_format(addr, ours), &again));
    FUZZ_CHECK(ip_addr_equal(addr, &again));
    if (!ip_addr_is_v4(addr) && memcmp(addr->b, zero, sizeof zero) != 0) {
        FUZZ_CHECK(inet_ntop(AF_INET6, addr->b, theirs, sizeof theirs) != NULL);
        FUZZ_CHECK(strcmp(ours, theirs) == 0);
    }
}

static void check_spelling(const uint8_t *data, size_t size)
{
    char text[64] = {0};
    struct ip_prefix prefix;
    struct ip_addr addr;
    uint8_t theirs[16];
    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (ip_prefix_parse(text, &prefix)) {
        FUZZ_CHECK(prefix.length <= (ip_addr_is_v4(&prefix.addr) ? 32 : 128));
        FUZZ_CHECK(ip_prefix_contains(&prefix, &prefix.addr));
        check_text(&prefix.addr);
    }
    bool v4 = inet_pton(AF_INET, text, theirs) == 1;
    bool v6 = !v4 && inet_pton(AF_INET6, text, theirs) == 1;
    FUZZ_CHECK(ip_addr_parse(text, &addr) == (v4 || v6));
    FUZZ_CHECK(!v4 || memcmp(addr.b + 12, theirs, 4) == 0);
    FUZZ_CHECK(!v6 || memcmp(addr.b, theirs, 16) == 0);
}

/* Do options end where their header does? Behind a source route, whose content may be impossible,
 * nothing is said. */
static void check_v4_options(const uint8_t *data, const struct ipv4_hdr *hdr)
{
    struct ipv4_opts opts;
    ipv4_opts_parse(data, hdr, &opts);
    FUZZ_CHECK(!opts.malformed || opts.malformed_at < hdr->header_len);
    FUZZ_CHECK(opts.route_at < hdr->header_len);
    unsigned at = IPV4_HEADER_MIN, end = hdr->header_len;
    while (at < end && data[at] != 0 && data[at] != 131 && data[at] != 137) {
        unsigned length = data[at] == 1 ? 1 : at + 1 < end ? data[at + 1] : 0;
        if (length == 0 || (length == 1 && data[at] != 1) || at + length > end) {
            FUZZ_CHECK(opts.malformed && opts.malformed_at == at);
            return;
        }
        at += length;
    }
    FUZZ_CHECK(!opts.malformed || (at < end && data[at] != 0));
}

static void check_v4(const uint8_t *data, size_t size)
{
    struct ipv4_hdr hdr, again;
    enum ipv4_error error = ipv4_hdr_parse(data, size, &hdr);
    if (error != IPV4_OK && error != IPV4_TOTAL_LENGTH) {
        return;
    }
    FUZZ_CHECK(hdr.header_len <= size && hdr.header_len <= hdr.total_length);
    (void)ipv4_checksum_ok(data, &hdr);
    check_v4_options(data, &hdr);
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

/* Goes along a chain that the walk accepted once more: each header's options must fill it exactly.
 */
static void check_accepted(const uint8_t *data, const struct ipv6_walk *walk)
{
    size_t at = IPV6_HEADER;
    uint8_t kind = data[6];
    while (at < walk->offset) {
        size_t end = at + (kind == IPV6_FRAGMENT ? 8 : 8 + 8u * data[at + 1]);
        FUZZ_CHECK(end <= walk->offset);
        if (kind == IPV6_ROUTING) {
            FUZZ_CHECK(data[at + 3] == 0);
        } else if (kind != IPV6_FRAGMENT) {
            size_t option = at + 2;
            while (option < end) {
                option += data[option] == 0 ? 1 : 2u + data[option + 1];
            }
            FUZZ_CHECK(option == end);
        }
        if (end == walk->offset) {
            FUZZ_CHECK(data[at] == walk->protocol && at == walk->next_header_at);
            return;
        }
        kind = data[at];
        FUZZ_CHECK(kind != IPV6_HOP_BY_HOP);
        at = end;
    }
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
    if (walk.end == IPV6_WALK_UPPER) {
        check_accepted(data, &walk);
    }
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
