/* The IPv6 header and its extension headers (RFC 8200 sections 3 and 4). Pure: bytes in, struct out
 * and back. */
#ifndef ACKD_WIRE_IPV6_H
#define ACKD_WIRE_IPV6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"

#define IPV6_HEADER 40u
/* Extension headers in one packet; a sender that follows RFC 8200 4.1 needs at most 7. */
#define IPV6_EXTENSIONS_MAX 8u
/* Options in one hop-by-hop or destination header, padding included (RFC 8504 5.3 allows a bound).
 */
#define IPV6_OPTIONS_MAX 32u

enum {
    IPV6_HOP_BY_HOP = 0,
    IPV6_ROUTING = 43,
    IPV6_FRAGMENT = 44,
    IPV6_NO_NEXT_HEADER = 59,
    IPV6_DESTINATION_OPTIONS = 60,
};

struct ipv6_hdr {
    uint8_t traffic_class; /* DSCP and ECN */
    uint32_t flow_label;   /* 20 bits */
    uint16_t payload_length;
    uint8_t next_header, hop_limit;
    struct ip_addr src, dst;
};

enum ipv6_error {
    IPV6_OK,
    IPV6_TRUNCATED,      /* `length` is under 40 */
    IPV6_VERSION,        /* not 6 */
    IPV6_PAYLOAD_LENGTH, /* 40 + payload_length is more than `length`; the fields are filled in all
                            the same, for quoted packets */
};

/* Reads the fixed header. Bytes past 40 + payload_length are the link's padding. An IPv4-mapped
 * source or destination parses; it has no business on a wire (RFC 4291 2.5.5.2) and whoever
 * receives it should refuse it: see ip_addr_is_v4(). */
enum ipv6_error ipv6_hdr_parse(const uint8_t *bytes, size_t length, struct ipv6_hdr *out);

/* Writes the 40 bytes. */
void ipv6_hdr_build(uint8_t bytes[IPV6_HEADER], const struct ipv6_hdr *hdr);

/* How the walk along the extension headers ended. */
enum ipv6_walk_end {
    IPV6_WALK_UPPER,   /* at an upper-layer header or one that nobody knows: `protocol` and `offset`
                          tell */
    IPV6_WALK_NO_NEXT, /* at "no next header": nothing follows */
    IPV6_WALK_FRAGMENT,   /* at the fragment header of a real fragment (offset or M set) */
    IPV6_WALK_TRUNCATED,  /* a header reaches past the packet */
    IPV6_WALK_ROUTING,    /* segments left is not 0 (RFC 8200 4.4; type 0: RFC 5095) */
    IPV6_WALK_HOP_BY_HOP, /* a hop-by-hop header that does not come first */
    IPV6_WALK_OPTION,     /* an unknown option that says "discard" (RFC 8200 4.2) */
    IPV6_WALK_TOO_LONG,   /* more headers or options than we are willing to read */
};

struct ipv6_walk {
    enum ipv6_walk_end end;
    /* UPPER: the upper-layer protocol. FRAGMENT: what the fragment header names. */
    uint8_t protocol;
    /* From the packet's start. UPPER: of the upper-layer header. FRAGMENT: of the fragment's data.
     * Else: of the header at which the walk ended. */
    uint32_t offset;
    /* Of the field that named `protocol`: the pointer of "unrecognized Next Header" (code 1). */
    uint32_t next_header_at;
    /* The fragment header, where there was one; an atomic fragment (RFC 6946) is walked through. */
    bool has_fragment, more_fragments;
    uint16_t fragment_offset; /* bytes, a multiple of 8 */
    uint32_t fragment_id;
    /* RFC 8200 wants a Parameter Problem with this code and pointer; `to_group_too`: a multicast
     * destination does not forbid it. */
    bool parameter_problem, to_group_too;
    uint8_t code;
    uint32_t pointer;
};

/* Walks from the fixed header on. `length` is the packet's end: 40 + payload_length, or less for a
 * quoted packet that was cut. */
void ipv6_walk(const uint8_t *bytes, size_t length, struct ipv6_walk *out);

#endif
