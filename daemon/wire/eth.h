/* Ethernet II (RFC 894, RFC 2464) with at most one 802.1Q tag. Pure: bytes in, struct out and back.
 */
#ifndef ACKD_WIRE_ETH_H
#define ACKD_WIRE_ETH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"

#define ETH_ADDR 6u
#define ETH_HEADER 14u
#define ETH_HEADER_VLAN 18u
#define ETH_ADDR_TEXT 18 /* "aa:bb:cc:dd:ee:ff" and NUL */

enum {
    ETH_TYPE_IPV4 = 0x0800,
    ETH_TYPE_ARP = 0x0806,
    ETH_TYPE_VLAN = 0x8100,
    ETH_TYPE_IPV6 = 0x86dd
};

struct eth_hdr {
    uint8_t dst[ETH_ADDR], src[ETH_ADDR];
    uint16_t
        type; /* of the payload, behind a tag; < 1536 is an IEEE 802.3 length: not Ethernet II */
    bool has_vlan;
    uint16_t vlan_tci;  /* priority 3 bits, DEI 1, VLAN id 12 */
    uint8_t header_len; /* 14, or 18 with a tag */
};

/* False when `length` is too short for the header (and its tag). A second tag shows as type
 * ETH_TYPE_VLAN. */
bool eth_hdr_parse(const uint8_t *bytes, size_t length, struct eth_hdr *out);

/* Writes the header, with the tag when has_vlan; header_len is not read. Returns 14 or 18. */
uint8_t eth_hdr_build(uint8_t bytes[ETH_HEADER_VLAN], const struct eth_hdr *hdr);

/* Broadcast or multicast: the group bit. */
static inline bool eth_addr_is_group(const uint8_t mac[ETH_ADDR])
{
    return (mac[0] & 1) != 0;
}
bool eth_addr_is_broadcast(const uint8_t mac[ETH_ADDR]);
bool eth_addr_is_zero(const uint8_t mac[ETH_ADDR]);

/* The group address of a multicast IP address: 01:00:5e and 23 bits (RFC 1112 6.4), 33:33 and 32
 * bits (RFC 2464 7); the limited broadcast gives ff:ff:ff:ff:ff:ff. False when `ip` is neither. */
bool eth_addr_for_group(const struct ip_addr *ip, uint8_t mac[ETH_ADDR]);

/* "aa:bb:cc:dd:ee:ff"; returns `text`. */
char *eth_addr_format(const uint8_t mac[ETH_ADDR], char text[ETH_ADDR_TEXT]);
/* Six pairs of hexadecimal digits with ':' (or all '-') between, exactly; false otherwise. */
bool eth_addr_parse(const char *text, uint8_t mac[ETH_ADDR]);

#endif
