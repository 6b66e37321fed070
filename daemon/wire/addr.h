/* One address type for both families: 16 bytes, an IPv4 address as its IPv4-mapped form
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that one tuple, one table and one comparison serve both.
 * Text is RFC 5952's. */
#ifndef ACKD_WIRE_ADDR_H
#define ACKD_WIRE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
    uint8_t b[16];
};

struct ip_prefix {
    struct ip_addr addr;
    uint8_t length; /* bits of the family's own address: 0..32 or 0..128 */
};

/* The longest text of an address with its final NUL, as INET6_ADDRSTRLEN. */
#define IP_ADDR_TEXT 46

static inline struct ip_addr ip_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct ip_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

/* From the four bytes of an IPv4 header field. */
static inline struct ip_addr ip_addr_from_v4(const uint8_t bytes[4])
{
    return ip_addr_v4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

static inline struct ip_addr ip_addr_from_v6(const uint8_t bytes[16])
{
    struct ip_addr a;
    memcpy(a.b, bytes, 16);
    return a;
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(a->b, mapped, 12) == 0;
}

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

/* The all-zero record: "no address", also the IPv6 wildcard. */
static inline bool ip_addr_is_none(const struct ip_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->b, zero, 16) == 0;
}

/* 0.0.0.0 or :: */
bool ip_addr_is_unspecified(const struct ip_addr *a);
bool ip_addr_is_multicast(const struct ip_addr *a);
/* 255.255.255.255 only; a subnet's broadcast needs the prefix. */
bool ip_addr_is_limited_broadcast(const struct ip_addr *a);
bool ip_addr_is_loopback(const struct ip_addr *a);
bool ip_addr_is_link_local(const struct ip_addr *a);

/* Does the prefix contain the address (same family, same leading bits)? */
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
/* The IPv4 directed broadcast address of the prefix; false for IPv6 and for /31 and /32. */
bool ip_prefix_broadcast(const struct ip_prefix *p, struct ip_addr *out);

/* RFC 5952 text (an IPv4 address in dots) into `text`; returns `text`. */
char *ip_addr_format(const struct ip_addr *a, char text[IP_ADDR_TEXT]);
/* Parses "192.0.2.1" or "2001:db8::1" exactly; false otherwise. */
bool ip_addr_parse(const char *text, struct ip_addr *out);
/* Parses "ADDR/LEN"; without "/LEN" the length is the host's. */
bool ip_prefix_parse(const char *text, struct ip_prefix *out);

#endif
