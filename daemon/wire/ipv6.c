/* RFC 8200. The fixed header names what follows it, and every extension header in turn names what
 * follows that: a chain to walk up to the first header that is no extension. A chain can be long or
 * lie about its lengths, and a receiver reads all of it before it knows whether it wants the
 * packet, so the walk is bounded in headers and options. */
#include "wire/ipv6.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/icmp.h"

enum { OPT_PAD1 = 0, OPT_PADN = 1, OPT_ROUTER_ALERT = 5 };

enum ipv6_error ipv6_hdr_parse(const uint8_t *bytes, size_t length, struct ipv6_hdr *out)
{
    memset(out, 0, sizeof *out);
    if (length > 0 && bytes[0] >> 4 != 6) {
        return IPV6_VERSION;
    }
    if (length < IPV6_HEADER) {
        return IPV6_TRUNCATED;
    }
    uint32_t word = get32(bytes);
    out->traffic_class = (uint8_t)(word >> 20);
    out->flow_label = word & 0xfffff;
    out->payload_length = get16(bytes + 4);
    out->next_header = bytes[6];
    out->hop_limit = bytes[7];
    out->src = ip_addr_from_v6(bytes + 8);
    out->dst = ip_addr_from_v6(bytes + 24);
    return out->payload_length > length - IPV6_HEADER ? IPV6_PAYLOAD_LENGTH : IPV6_OK;
}

void ipv6_hdr_build(uint8_t bytes[IPV6_HEADER], const struct ipv6_hdr *hdr)
{
    put32(bytes, 6u << 28 | (uint32_t)hdr->traffic_class << 20 | (hdr->flow_label & 0xfffff));
    put16(bytes + 4, hdr->payload_length);
    bytes[6] = hdr->next_header;
    bytes[7] = hdr->hop_limit;
    memcpy(bytes + 8, hdr->src.b, 16);
    memcpy(bytes + 24, hdr->dst.b, 16);
}

/* Ends the walk with an answer to the sender. */
static bool problem(struct ipv6_walk *out, enum ipv6_walk_end end, uint8_t code, uint32_t pointer)
{
    out->end = end;
    out->parameter_problem = true;
    out->code = code;
    out->pointer = pointer;
    return false;
}

static bool ended(struct ipv6_walk *out, enum ipv6_walk_end end)
{
    out->end = end;
    return false;
}

/* The two high bits of an option's type say what to do with one that is unknown (RFC 8200 4.2). */
static bool unknown_option(const uint8_t *bytes, uint32_t at, struct ipv6_walk *out)
{
    switch (bytes[at] >> 6) {
    case 0:
        return true;
    case 1:
        return ended(out, IPV6_WALK_OPTION);
    case 2:
        out->to_group_too = true;
        return problem(out, IPV6_WALK_OPTION, ICMP6_PARAMETER_OPTION, at);
    default:
        return problem(out, IPV6_WALK_OPTION, ICMP6_PARAMETER_OPTION, at);
    }
}

/* The options of a hop-by-hop or destination options header, [at, end). */
static bool walk_options(const uint8_t *bytes, uint32_t at, uint32_t end, struct ipv6_walk *out)
{
    for (unsigned n = 0; at < end; n++) {
        if (n == IPV6_OPTIONS_MAX) {
            return ended(out, IPV6_WALK_TOO_LONG);
        }
        uint8_t type = bytes[at];
        if (type == OPT_PAD1) {
            at++;
            continue;
        }
        if (end - at < 2 || bytes[at + 1] > end - at - 2) {
            return ended(out, IPV6_WALK_TRUNCATED);
        }
        if (type != OPT_PADN && type != OPT_ROUTER_ALERT && !unknown_option(bytes, at, out)) {
            return false;
        }
        at += 2u + bytes[at + 1];
    }
    return true;
}

/* Leaves the header at `offset` behind; false when the walk ended there. */
static bool step_over(const uint8_t *bytes, size_t length, struct ipv6_walk *out)
{
    uint32_t at = out->offset;
    if (length - at < 8) {
        return ended(out, IPV6_WALK_TRUNCATED);
    }
    uint32_t size = 8u * (bytes[at + 1] + 1u);
    if (out->protocol == IPV6_FRAGMENT) {
        size = 8;
    } else if (length - at < size) {
        return ended(out, IPV6_WALK_TRUNCATED);
    } else if (out->protocol == IPV6_ROUTING) {
        if (bytes[at + 3] != 0) {
            return problem(out, IPV6_WALK_ROUTING, ICMP6_PARAMETER_HEADER, at + 2);
        }
    } else if (!walk_options(bytes, at + 2, at + size, out)) {
        return false;
    }
    bool fragment = out->protocol == IPV6_FRAGMENT;
    out->protocol = bytes[at];
    out->next_header_at = at;
    out->offset = at + size;
    if (fragment) {
        uint16_t word = get16(bytes + at + 2);
        out->has_fragment = true;
        out->fragment_offset = word & 0xfff8;
        out->more_fragments = (word & 1) != 0;
        out->fragment_id = get32(bytes + at + 4);
        if (out->fragment_offset != 0 || out->more_fragments) {
            return ended(out, IPV6_WALK_FRAGMENT);
        }
    }
    return true;
}

void ipv6_walk(const uint8_t *bytes, size_t length, struct ipv6_walk *out)
{
    *out = (struct ipv6_walk){.protocol = bytes[6], .offset = IPV6_HEADER, .next_header_at = 6};
    for (unsigned n = 0;; n++) {
        switch (out->protocol) {
        case IPV6_HOP_BY_HOP:
            if (n > 0) {
                (void)problem(out, IPV6_WALK_HOP_BY_HOP, ICMP6_PARAMETER_NEXT_HEADER,
                              out->next_header_at);
                return;
            }
            break;
        case IPV6_ROUTING:
        case IPV6_FRAGMENT:
        case IPV6_DESTINATION_OPTIONS:
            break;
        case IPV6_NO_NEXT_HEADER:
            out->end = IPV6_WALK_NO_NEXT;
            return;
        default:
            out->end = IPV6_WALK_UPPER;
            return;
        }
        if (n == IPV6_EXTENSIONS_MAX) {
            out->end = IPV6_WALK_TOO_LONG;
            return;
        }
        if (!step_over(bytes, length, out)) {
            return;
        }
    }
}
