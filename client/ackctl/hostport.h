/* Addresses, prefixes and ADDR:PORT in text. */
#ifndef ACKCTL_HOSTPORT_H
#define ACKCTL_HOSTPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_addr {
    uint8_t family; /* 4, 6, or 0: any */
    uint8_t bytes[16];
};

#define HOSTPORT_TEXT 64 /* "[8 groups%scope]:65535" with room */

/* A literal IPv4 or IPv6 address, in brackets or not; "", "*" are any. An IPv4-mapped one counts as
 * IPv4. */
bool net_addr_parse(const char *text, struct net_addr *addr);

/* Is `addr` within the first `bits` of `prefix`? Any prefix address contains everything. */
bool net_addr_within(const struct net_addr *addr, const struct net_addr *prefix, unsigned bits);

/* An IPv6 address, not an IPv4 one nor "any". */
bool net_addr_is_v6(const char *text);

/* Splits "HOST:PORT", "[V6]:PORT", ":PORT", "HOST", "[V6]" into a host (brackets off; empty when
 * there is none) and the port's text (empty when there is none). A bare IPv6 address has no port.
 * False when `host_size` does not hold it or a bracket is left open. */
bool hostport_split(const char *text, char *host, size_t host_size, const char **port);

/* 0..65535, or a service's name ("http"). */
bool port_parse(const char *text, uint16_t *port);

/* "10.0.0.1:80", "[2001:db8::1]:80", "*:80", "*:*" for an empty address and port 0. Returns text.
 */
char *hostport_format(const char *address, unsigned port, char text[HOSTPORT_TEXT]);

#endif
