/* The IPv4 header (RFC 791 section 3.1). Pure: bytes in, struct out and back. */
#ifndef ACKD_WIRE_IPV4_H
#define ACKD_WIRE_IPV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"

#define IPV4_HEADER_MIN 20u
#define IPV4_HEADER_MAX 60u

enum { IP_PROTOCOL_ICMP = 1, IP_PROTOCOL_TCP = 6, IP_PROTOCOL_UDP = 17, IP_PROTOCOL_ICMPV6 = 58 };

struct ipv4_hdr {
    uint8_t header_len;    /* IHL in bytes, 20..60 */
    uint8_t tos;           /* DSCP and ECN */
    uint16_t total_length; /* bytes, header included */
    uint16_t id;
    bool dont_fragment, more_fragments;
    uint16_t fragment_offset; /* bytes, a multiple of 8 up to 65528 */
    uint8_t ttl, protocol;
    uint16_t checksum; /* as on the wire */
    struct ip_addr src, dst;
};

enum ipv4_error {
    IPV4_OK,
    IPV4_TRUNCATED,     /* `length` is under the header's */
    IPV4_VERSION,       /* not 4 */
    IPV4_HEADER_LENGTH, /* IHL under 5 words, or more than the total length */
    IPV4_TOTAL_LENGTH, /* more than `length`; the fields are filled in all the same, for the packets
                          that ICMP errors quote */
};

/* Reads the header. Bytes past total_length are the link's padding. The checksum is not looked at.
 */
enum ipv4_error ipv4_hdr_parse(const uint8_t *bytes, size_t length, struct ipv4_hdr *out);

/* Does the header's checksum hold? For a header that ipv4_hdr_parse() accepted. */
bool ipv4_checksum_ok(const uint8_t *bytes, const struct ipv4_hdr *hdr);

static inline bool ipv4_is_fragment(const struct ipv4_hdr *hdr)
{
    return hdr->more_fragments || hdr->fragment_offset != 0;
}

struct ipv4_opts {
    bool loose_source_route, strict_source_route, record_route, timestamp, router_alert;
    bool malformed;       /* an illegal length ended the walk; what came before it counts */
    uint8_t malformed_at; /* offset from the header's start, for Parameter Problem */
    /* A source route: its place and where it stands (RFC 791 3.1, RFC 1122 3.2.1.8). */
    uint8_t route_at; /* offset of the option from the header's start, 0: none */
    bool route_ended; /* the pointer is past the end: we are the final destination */
};
/* Walks the options of a header that ipv4_hdr_parse() accepted; unknown ones are skipped by their
 * length. */
void ipv4_opts_parse(const uint8_t *bytes, const struct ipv4_hdr *hdr, struct ipv4_opts *out);

/* Writes 20 bytes without options and with the right checksum; header_len and checksum of `hdr` are
 * not read. */
void ipv4_hdr_build(uint8_t bytes[IPV4_HEADER_MIN], const struct ipv4_hdr *hdr);

#endif
