/* RFC 4861 section 4: an ICMPv6 header, what the type needs, then options in units of eight bytes.
 * A message is checked as section 6.1 and 7.1 say before anybody acts on it: hop limit 255 proves
 * that it came from this link. */
#include "wire/ndp.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

enum { OPT_SOURCE_MAC = 1, OPT_TARGET_MAC = 2, OPT_PREFIX = 3, OPT_MTU = 5 };
#define PREFIX_OPTION 32u
#define NA_ROUTER 0x80
#define NA_SOLICITED 0x40
#define NA_OVERRIDE 0x20
#define RA_MANAGED 0x80
#define RA_OTHER 0x40
#define PREFIX_ON_LINK 0x80
#define PREFIX_AUTONOMOUS 0x40

struct ip_addr ndp_solicited_node(const struct ip_addr *target)
{
    return (struct ip_addr){
        {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target->b[13], target->b[14], target->b[15]}};
}

struct ip_addr ndp_all_nodes(void)
{
    return (struct ip_addr){{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
}

struct ip_addr ndp_all_routers(void)
{
    return (struct ip_addr){{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
}

static bool is_solicited_node(const struct ip_addr *a)
{
    struct ip_addr same = ndp_solicited_node(a);
    return ip_addr_equal(a, &same);
}

/* The bytes before the options; 0 for a type that is none of ours. */
static size_t fixed_length(uint8_t type)
{
    switch (type) {
    case ICMP6_ROUTER_SOLICITATION:
        return 8;
    case ICMP6_ROUTER_ADVERTISEMENT:
        return 16;
    case ICMP6_NEIGHBOUR_SOLICITATION:
    case ICMP6_NEIGHBOUR_ADVERTISEMENT:
        return 24;
    default:
        return 0;
    }
}

static void read_fixed(const uint8_t *bytes, struct ndp_msg *out)
{
    if (out->type == ICMP6_ROUTER_ADVERTISEMENT) {
        out->hop_limit = bytes[4];
        out->managed = (bytes[5] & RA_MANAGED) != 0;
        out->other_config = (bytes[5] & RA_OTHER) != 0;
        out->router_lifetime_s = get16(bytes + 6);
        out->reachable_ms = get32(bytes + 8);
        out->retrans_ms = get32(bytes + 12);
    } else if (out->type != ICMP6_ROUTER_SOLICITATION) {
        out->target = ip_addr_from_v6(bytes + 8);
    }
    if (out->type == ICMP6_NEIGHBOUR_ADVERTISEMENT) {
        out->router = (bytes[4] & NA_ROUTER) != 0;
        out->solicited = (bytes[4] & NA_SOLICITED) != 0;
        out->override = (bytes[4] & NA_OVERRIDE) != 0;
    }
}

/* The bits behind the prefix's length don't count (RFC 4861 4.6.2). */
static struct ip_addr masked(const uint8_t bytes[16], uint8_t length)
{
    struct ip_addr a = ip_addr_from_v6(bytes);
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = length > 8 * i ? length - 8 * i : 0;
        a.b[i] &= (uint8_t)(keep >= 8 ? 0xff : 0xff00 >> keep);
    }
    return a;
}

static void read_prefix(const uint8_t *option, struct ndp_msg *out)
{
    if (option[2] > 128 || out->n_prefixes == NDP_PREFIXES_MAX) {
        return;
    }
    struct ndp_prefix p = {
        .prefix = {.addr = masked(option + 16, option[2]), .length = option[2]},
        .on_link = (option[3] & PREFIX_ON_LINK) != 0,
        .autonomous = (option[3] & PREFIX_AUTONOMOUS) != 0,
        .valid_s = get32(option + 4),
        .preferred_s = get32(option + 8),
    };
    if (!ip_addr_is_v4(&p.prefix.addr)) { /* in our records an IPv4-mapped prefix would be IPv4's */
        out->prefix[out->n_prefixes++] = p;
    }
}

/* Options of another length than Ethernet's and the RFC's are passed over, as unknown ones are. */
static void read_option(const uint8_t *option, size_t length, struct ndp_msg *out)
{
    if (option[0] == OPT_SOURCE_MAC && length == 8 && !out->has_source_mac) {
        out->has_source_mac = true;
        memcpy(out->source_mac, option + 2, 6);
    } else if (option[0] == OPT_TARGET_MAC && length == 8 && !out->has_target_mac) {
        out->has_target_mac = true;
        memcpy(out->target_mac, option + 2, 6);
    } else if (option[0] == OPT_MTU && length == 8 && !out->has_mtu) {
        out->has_mtu = true;
        out->mtu = get32(option + 4);
    } else if (option[0] == OPT_PREFIX && length == PREFIX_OPTION) {
        read_prefix(option, out);
    }
}

/* False when an option has length 0 or reaches past the message. */
static bool read_options(const uint8_t *bytes, size_t length, struct ndp_msg *out)
{
    while (length > 0) {
        size_t size = length >= 2 ? 8u * bytes[1] : 0;
        if (size == 0 || size > length) {
            return false;
        }
        read_option(bytes, size, out);
        bytes += size;
        length -= size;
    }
    return true;
}

/* What section 6.1 and 7.1 ask of a message beyond its lengths. */
static bool valid(const struct ip_addr *src, const struct ip_addr *dst, const struct ndp_msg *msg)
{
    bool from_nobody = ip_addr_is_unspecified(src);
    bool target_ok = !ip_addr_is_multicast(&msg->target) && !ip_addr_is_v4(&msg->target);
    switch (msg->type) {
    case ICMP6_ROUTER_SOLICITATION:
        return !(from_nobody && msg->has_source_mac);
    case ICMP6_ROUTER_ADVERTISEMENT:
        return ip_addr_is_link_local(src);
    case ICMP6_NEIGHBOUR_SOLICITATION:
        return target_ok && !(from_nobody && (msg->has_source_mac || !is_solicited_node(dst)));
    default:
        return target_ok && !(msg->solicited && ip_addr_is_multicast(dst));
    }
}

bool ndp_parse(const struct ip_addr *src, const struct ip_addr *dst, uint8_t hop_limit,
               const uint8_t *bytes, size_t length, struct ndp_msg *out)
{
    memset(out, 0, sizeof *out);
    if (hop_limit != NDP_HOP_LIMIT || length < ICMP_HEADER || bytes[1] != 0) {
        return false;
    }
    out->type = bytes[0];
    size_t fixed = fixed_length(out->type);
    if (fixed == 0 || length < fixed) {
        return false;
    }
    read_fixed(bytes, out);
    return read_options(bytes + fixed, length - fixed, out) && valid(src, dst, out);
}

static void write_fixed(uint8_t *bytes, const struct ndp_msg *msg)
{
    bytes[0] = msg->type;
    if (msg->type == ICMP6_ROUTER_ADVERTISEMENT) {
        bytes[4] = msg->hop_limit;
        bytes[5] = (uint8_t)((msg->managed ? RA_MANAGED : 0) | (msg->other_config ? RA_OTHER : 0));
        put16(bytes + 6, msg->router_lifetime_s);
        put32(bytes + 8, msg->reachable_ms);
        put32(bytes + 12, msg->retrans_ms);
    } else if (msg->type != ICMP6_ROUTER_SOLICITATION) {
        memcpy(bytes + 8, msg->target.b, 16);
    }
    if (msg->type == ICMP6_NEIGHBOUR_ADVERTISEMENT) {
        bytes[4] = (uint8_t)((msg->router ? NA_ROUTER : 0) | (msg->solicited ? NA_SOLICITED : 0) |
                             (msg->override ? NA_OVERRIDE : 0));
    }
}

static uint8_t *write_mac(uint8_t *at, uint8_t type, const uint8_t mac[6])
{
    at[0] = type;
    at[1] = 1;
    memcpy(at + 2, mac, 6);
    return at + 8;
}

static uint8_t *write_prefix(uint8_t *at, const struct ndp_prefix *p)
{
    at[0] = OPT_PREFIX;
    at[1] = PREFIX_OPTION / 8;
    at[2] = p->prefix.length;
    at[3] = (uint8_t)((p->on_link ? PREFIX_ON_LINK : 0) | (p->autonomous ? PREFIX_AUTONOMOUS : 0));
    put32(at + 4, p->valid_s);
    put32(at + 8, p->preferred_s);
    struct ip_addr prefix = masked(p->prefix.addr.b, p->prefix.length);
    memcpy(at + 16, prefix.b, 16);
    return at + PREFIX_OPTION;
}

size_t ndp_build(uint8_t bytes[NDP_LENGTH_MAX], const struct ip_addr *src,
                 const struct ip_addr *dst, const struct ndp_msg *msg)
{
    memset(bytes, 0, NDP_LENGTH_MAX);
    write_fixed(bytes, msg);
    uint8_t *at = bytes + fixed_length(msg->type);
    if (msg->has_source_mac) {
        at = write_mac(at, OPT_SOURCE_MAC, msg->source_mac);
    }
    if (msg->has_target_mac) {
        at = write_mac(at, OPT_TARGET_MAC, msg->target_mac);
    }
    if (msg->has_mtu) {
        at[0] = OPT_MTU;
        at[1] = 1;
        put32(at + 4, msg->mtu);
        at += 8;
    }
    for (unsigned i = 0; i < msg->n_prefixes; i++) {
        at = write_prefix(at, &msg->prefix[i]);
    }
    size_t length = (size_t)(at - bytes);
    uint64_t sum = checksum_pseudo(src, dst, IP_PROTOCOL_ICMPV6, (uint32_t)length);
    put16(bytes + 2, checksum_finish(checksum_add(sum, bytes, length)));
    return length;
}
