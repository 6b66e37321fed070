/* ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443) messages. Pure: bytes in, struct out and back.
 *
 * Both families have one shape: type, code, checksum, four bytes whose meaning depends on the type,
 * then a body: what an echo carries, or the start of the packet that an error is about. Neighbour
 * discovery is in wire/ndp.h. */
#ifndef ACKD_WIRE_ICMP_H
#define ACKD_WIRE_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"

#define ICMP_HEADER 8u
/* As much of the offending packet as may be quoted: the error with its own IP header is at most 576
 * bytes (RFC 1812 4.3.2.3), 1280 for IPv6 (RFC 4443 2.4(c)). */
#define ICMP4_QUOTE_MAX (576u - 20u - ICMP_HEADER)
#define ICMP6_QUOTE_MAX (1280u - 40u - ICMP_HEADER)

/* ICMP types */
enum {
    ICMP4_ECHO_REPLY = 0,
    ICMP4_UNREACHABLE = 3,
    ICMP4_SOURCE_QUENCH = 4,
    ICMP4_REDIRECT = 5,
    ICMP4_ECHO = 8,
    ICMP4_TIME_EXCEEDED = 11,
    ICMP4_PARAMETER_PROBLEM = 12,
};
/* codes of ICMP4_UNREACHABLE (RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1) */
enum {
    ICMP4_UNREACH_NET = 0,
    ICMP4_UNREACH_HOST = 1,
    ICMP4_UNREACH_PROTOCOL = 2,
    ICMP4_UNREACH_PORT = 3,
    ICMP4_UNREACH_FRAGMENTATION = 4,
    ICMP4_UNREACH_SOURCE_ROUTE = 5,
    ICMP4_UNREACH_NET_UNKNOWN = 6,
    ICMP4_UNREACH_HOST_UNKNOWN = 7,
    ICMP4_UNREACH_ISOLATED = 8,
    ICMP4_UNREACH_NET_PROHIBITED = 9,
    ICMP4_UNREACH_HOST_PROHIBITED = 10,
    ICMP4_UNREACH_NET_TOS = 11,
    ICMP4_UNREACH_HOST_TOS = 12,
    ICMP4_UNREACH_PROHIBITED = 13,
};
/* ICMPv6 types */
enum {
    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAMETER_PROBLEM = 4,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_ROUTER_SOLICITATION = 133,
    ICMP6_ROUTER_ADVERTISEMENT = 134,
    ICMP6_NEIGHBOUR_SOLICITATION = 135,
    ICMP6_NEIGHBOUR_ADVERTISEMENT = 136,
    ICMP6_REDIRECT = 137,
};
/* codes of ICMP6_UNREACHABLE and ICMP6_PARAMETER_PROBLEM (RFC 4443 3.1, 3.4) */
enum {
    ICMP6_UNREACH_NO_ROUTE = 0,
    ICMP6_UNREACH_PROHIBITED = 1,
    ICMP6_UNREACH_SCOPE = 2,
    ICMP6_UNREACH_ADDRESS = 3,
    ICMP6_UNREACH_PORT = 4,
    ICMP6_UNREACH_POLICY = 5,
    ICMP6_UNREACH_REJECT = 6,
    ICMP6_PARAMETER_HEADER = 0,
    ICMP6_PARAMETER_NEXT_HEADER = 1,
    ICMP6_PARAMETER_OPTION = 2,
};

struct icmp_msg {
    uint8_t type, code;
    uint16_t id, sequence; /* echo and echo reply */
    uint32_t mtu; /* fragmentation needed (RFC 1191: 0 = the router doesn't tell), packet too big */
    uint32_t pointer;    /* parameter problem: the offset in the quoted packet; one byte in IPv4 */
    const uint8_t *body; /* the bytes behind the eight of the header */
    size_t body_len;
};

/* An error, about a packet of ours (or never to be answered with an error): RFC 1122 3.2.2, RFC
 * 4443 2.1. */
bool icmp4_is_error(uint8_t type);
static inline bool icmp6_is_error(uint8_t type)
{
    return type < 128;
}

/* Reads a message from the ICMP header to the end of the IP packet. False when it is shorter than 8
 * bytes. The checksum is not looked at. */
bool icmp4_parse(const uint8_t *bytes, size_t length, struct icmp_msg *out);
bool icmp6_parse(const uint8_t *bytes, size_t length, struct icmp_msg *out);

bool icmp4_checksum_ok(const uint8_t *bytes, size_t length);
/* With the pseudo-header of RFC 8200 8.1. */
bool icmp6_checksum_ok(const struct ip_addr *src, const struct ip_addr *dst, const uint8_t *bytes,
                       size_t length);

/* Writes the message with its checksum. The body of an error, the packet it is about, is cut to
 * what may be quoted. Returns the bytes written, 0 when they do not fit in `capacity`. The body may
 * lie in `bytes` already, at offset 8. */
size_t icmp4_build(uint8_t *bytes, size_t capacity, const struct icmp_msg *msg);
size_t icmp6_build(uint8_t *bytes, size_t capacity, const struct ip_addr *src,
                   const struct ip_addr *dst, const struct icmp_msg *msg);

/* The packet that an error quotes, as far as it was quoted. */
struct icmp_quote {
    struct ip_addr src, dst;
    uint8_t protocol;      /* upper-layer */
    uint8_t tos, ttl;      /* or traffic class and hop limit, as they were where it failed */
    uint16_t total_length; /* of the quoted packet by its own header: 40 + payload length in IPv6 */
    bool later_fragment;   /* a fragment with offset: there is no upper-layer header in it */
    const uint8_t *upper;  /* the quoted bytes from the upper-layer header on */
    size_t upper_len;
};
/* Reads `body` of an error. False when it is not (the start of) an IP packet up to its upper layer.
 */
bool icmp4_quote_parse(const uint8_t *body, size_t length, struct icmp_quote *out);
bool icmp6_quote_parse(const uint8_t *body, size_t length, struct icmp_quote *out);

#endif
