/* Neighbour discovery messages (RFC 4861 section 4) on Ethernet: solicitations and advertisements
 * of neighbours and routers. Pure: bytes in, struct out and back. Redirect is not among them. */
#ifndef ACKD_WIRE_NDP_H
#define ACKD_WIRE_NDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"
#include "wire/icmp.h"

#define NDP_PREFIXES_MAX 8u
/* The longest message that ndp_build() writes: a router advertisement with two link addresses, MTU
 * and all prefixes. */
#define NDP_LENGTH_MAX (24u + 8u + 8u + 8u + NDP_PREFIXES_MAX * 32u)
#define NDP_HOP_LIMIT 255u

struct ndp_prefix {
    struct ip_prefix prefix;
    bool on_link, autonomous;
    uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};

struct ndp_msg {
    uint8_t type;          /* ICMP6_ROUTER_SOLICITATION .. ICMP6_NEIGHBOUR_ADVERTISEMENT */
    struct ip_addr target; /* NS, NA */
    bool router, solicited, override;             /* NA */
    uint8_t hop_limit;                            /* RA: 0 unspecified */
    bool managed, other_config;                   /* RA */
    uint16_t router_lifetime_s;                   /* RA: 0 not a default router */
    uint32_t reachable_ms, retrans_ms;            /* RA: 0 unspecified */
    bool has_source_mac, has_target_mac, has_mtu; /* options; the first of two equal ones counts */
    uint8_t source_mac[6], target_mac[6];
    uint32_t mtu;
    unsigned n_prefixes; /* those beyond NDP_PREFIXES_MAX are passed over */
    struct ndp_prefix prefix[NDP_PREFIXES_MAX];
};

/* Reads an ICMPv6 message of the types above that came from src to dst with this hop limit. False
 * when RFC 4861 6.1.1, 6.1.2, 7.1.1 or 7.1.2 says to discard it for its form: hop limit, code,
 * length, an option of length 0, multicast target, a solicitation from "::" that has a source
 * link-layer address or (NS) doesn't go to a solicited-node address, a solicited NA to a group, an
 * RA from no link-local address. The checksum is not looked at: icmp6_checksum_ok(). */
bool ndp_parse(const struct ip_addr *src, const struct ip_addr *dst, uint8_t hop_limit,
               const uint8_t *bytes, size_t length, struct ndp_msg *out);

/* Writes the ICMPv6 message with its options and checksum. Returns the bytes written. */
size_t ndp_build(uint8_t bytes[NDP_LENGTH_MAX], const struct ip_addr *src,
                 const struct ip_addr *dst, const struct ndp_msg *msg);

/* ff02::1:ffXX:XXXX of a target (RFC 4291 2.7.1). */
struct ip_addr ndp_solicited_node(const struct ip_addr *target);
/* ff02::1 and ff02::2 */
struct ip_addr ndp_all_nodes(void);
struct ip_addr ndp_all_routers(void);

#endif
