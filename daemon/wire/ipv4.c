/* RFC 791 section 3.1. Options are walked for what concerns the end of a path: source routes, which
 * change where a segment came from (RFC 1122 3.2.1.8), and malformed lists. */
#include "wire/ipv4.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"

#define FLAG_DF 0x4000
#define FLAG_MF 0x2000
#define OFFSET_MASK 0x1fff

/* option types, copied flag and class included */
enum {
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_RECORD_ROUTE = 7,
    OPT_TIMESTAMP = 68,
    OPT_LSRR = 131,
    OPT_SSRR = 137,
    OPT_ROUTER_ALERT = 148,
};

enum ipv4_error ipv4_hdr_parse(const uint8_t *bytes, size_t length, struct ipv4_hdr *out)
{
    memset(out, 0, sizeof *out);
    if (length > 0 && bytes[0] >> 4 != 4) {
        return IPV4_VERSION;
    }
    if (length < IPV4_HEADER_MIN) {
        return IPV4_TRUNCATED;
    }
    out->header_len = (uint8_t)((bytes[0] & 0xf) * 4);
    out->tos = bytes[1];
    out->total_length = get16(bytes + 2);
    out->id = get16(bytes + 4);
    uint16_t fragment = get16(bytes + 6);
    out->dont_fragment = (fragment & FLAG_DF) != 0;
    out->more_fragments = (fragment & FLAG_MF) != 0;
    out->fragment_offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
    out->ttl = bytes[8];
    out->protocol = bytes[9];
    out->checksum = get16(bytes + 10);
    out->src = ip_addr_from_v4(bytes + 12);
    out->dst = ip_addr_from_v4(bytes + 16);
    if (out->header_len < IPV4_HEADER_MIN || out->header_len > out->total_length) {
        return IPV4_HEADER_LENGTH;
    }
    if (out->header_len > length) {
        return IPV4_TRUNCATED;
    }
    return out->total_length > length ? IPV4_TOTAL_LENGTH : IPV4_OK;
}

bool ipv4_checksum_ok(const uint8_t *bytes, const struct ipv4_hdr *hdr)
{
    return checksum_finish(checksum_add(0, bytes, hdr->header_len)) == 0;
}

/* A source route: type, length, pointer (from 4, counted from 1), addresses. */
static bool read_source_route(const uint8_t *bytes, uint8_t at, uint8_t length,
                              struct ipv4_opts *out)
{
    if (length < 3 || out->route_at != 0) { /* two are an error (RFC 1122 3.2.1.8(c)) */
        return false;
    }
    out->loose_source_route = bytes[at] == OPT_LSRR;
    out->strict_source_route = bytes[at] == OPT_SSRR;
    out->route_at = at;
    out->route_ended = bytes[at + 2] > length;
    return bytes[at + 2] >= 4;
}

/* False when the option's content is impossible. */
static bool read_option(const uint8_t *bytes, uint8_t at, uint8_t length, struct ipv4_opts *out)
{
    switch (bytes[at]) {
    case OPT_LSRR:
    case OPT_SSRR:
        return read_source_route(bytes, at, length, out);
    case OPT_RECORD_ROUTE:
        out->record_route = true;
        return true;
    case OPT_TIMESTAMP:
        out->timestamp = true;
        return true;
    case OPT_ROUTER_ALERT:
        out->router_alert = true;
        return true;
    default:
        return true;
    }
}

void ipv4_opts_parse(const uint8_t *bytes, const struct ipv4_hdr *hdr, struct ipv4_opts *out)
{
    memset(out, 0, sizeof *out);
    uint8_t at = IPV4_HEADER_MIN;
    while (at < hdr->header_len && bytes[at] != OPT_END) {
        if (bytes[at] == OPT_NOP) {
            at++;
            continue;
        }
        uint8_t left = (uint8_t)(hdr->header_len - at);
        uint8_t length = left >= 2 ? bytes[at + 1] : 0;
        if (length < 2 || length > left || !read_option(bytes, at, length, out)) {
            out->malformed = true;
            out->malformed_at = at;
            return;
        }
        at = (uint8_t)(at + length);
    }
}

void ipv4_hdr_build(uint8_t bytes[IPV4_HEADER_MIN], const struct ipv4_hdr *hdr)
{
    bytes[0] = 0x45;
    bytes[1] = hdr->tos;
    put16(bytes + 2, hdr->total_length);
    put16(bytes + 4, hdr->id);
    put16(bytes + 6, (uint16_t)((hdr->dont_fragment ? FLAG_DF : 0) |
                                (hdr->more_fragments ? FLAG_MF : 0) | hdr->fragment_offset / 8));
    bytes[8] = hdr->ttl;
    bytes[9] = hdr->protocol;
    put16(bytes + 10, 0);
    memcpy(bytes + 12, hdr->src.b + 12, 4);
    memcpy(bytes + 16, hdr->dst.b + 12, 4);
    put16(bytes + 10, checksum_finish(checksum_add(0, bytes, IPV4_HEADER_MIN)));
}
