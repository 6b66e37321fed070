/* IPv6 (RFC 8200): what a host checks on input, the way past the extension headers, and the header
 * it writes.
 *
 * An IPv4-mapped address never belongs on a wire (RFC 4291 2.5.5.2); here it would even be taken
 * for the IPv4 address itself, since both families share one address type, so it is refused first
 * of all. A hop limit of zero is no reason for the destination to discard (RFC 8200 section 3).
 * Fragments are refused, but for the atomic ones (RFC 6946). */
#include "net/internal.h"

static bool source_valid(struct net *net, const struct net_rx *rx)
{
    if (ip_addr_is_v4(&rx->src) || ip_addr_is_multicast(&rx->src)) {
        return false;
    }
    if (rx->looped) {
        return true;
    }
    if (ip_addr_is_loopback(&rx->src)) {
        return false;
    }
    /* Neighbour discovery speaks from "::", and a duplicate of ours speaks from our own address:
     * ndp.c judges them. */
    bool odd = ip_addr_is_unspecified(&rx->src) || address_find(net, &rx->src);
    return !odd || rx->protocol == IP_PROTOCOL_ICMPV6;
}

/* RFC 4291 2.8: the groups of every host, on the interface and on the link, and the solicited-node
 * groups of our addresses. */
static bool group_is_ours(const struct net *net, const struct ip_addr *dst)
{
    static const struct ip_addr own_node = {{0xff, 0x01, [15] = 1}};
    struct ip_addr all_nodes = ndp_all_nodes();
    return ip_addr_equal(dst, &all_nodes) || ip_addr_equal(dst, &own_node) ||
           address_is_our_solicited_node(net, dst);
}

static bool destination_is_ours(struct net *net, struct net_rx *rx)
{
    if (ip_addr_is_v4(&rx->dst)) {
        return false;
    }
    rx->ip_group = ip_addr_is_multicast(&rx->dst);
    if (rx->ip_group) {
        return group_is_ours(net, &rx->dst);
    }
    bool from_outside = ip_addr_is_loopback(&rx->dst) && !rx->looped;
    return !from_outside && address_find(net, &rx->dst) != NULL;
}

static void refuse_extension(struct net *net, const struct net_rx *rx, const struct ipv6_walk *walk)
{
    enum net_drop why = NET_DROP_IPV6_EXTENSION;
    if (walk->end == IPV6_WALK_FRAGMENT) {
        why = NET_DROP_IP_FRAGMENT;
    } else if (walk->end == IPV6_WALK_NO_NEXT) {
        why = NET_DROP_IP_PROTOCOL;
    }
    net_drop(net, why);
    if (walk->parameter_problem) {
        struct icmp_complaint c = {.type = ICMP6_PARAMETER_PROBLEM,
                                   .code = walk->code,
                                   .pointer = walk->pointer,
                                   .to_group_too = walk->to_group_too};
        icmp_error(net, rx, &c);
    }
}

static void refuse_protocol(struct net *net, const struct net_rx *rx, const struct ipv6_walk *walk)
{
    if (!offload_check(net, rx)) {
        return;
    }
    struct icmp_complaint c = {.type = ICMP6_PARAMETER_PROBLEM,
                               .code = ICMP6_PARAMETER_NEXT_HEADER,
                               .pointer = walk->next_header_at};
    if (rx->protocol == IP_PROTOCOL_UDP) {
        c = (struct icmp_complaint){.type = ICMP6_UNREACHABLE, .code = ICMP6_UNREACH_PORT};
    }
    net_drop(net, NET_DROP_IP_PROTOCOL);
    icmp_error(net, rx, &c);
}

static void upper_input(struct net *net, struct net_rx *rx, const struct ipv6_walk *walk)
{
    rx->offset += walk->offset;
    rx->length = rx->ip_length - walk->offset;
    rx->in_fragment = walk->has_fragment;
    switch (rx->protocol) {
    case IP_PROTOCOL_TCP:
        net_tcp_input(net, rx);
        break;
    case IP_PROTOCOL_ICMPV6:
        icmp_input_v6(net, rx);
        break;
    default:
        refuse_protocol(net, rx, walk);
        break;
    }
}

/* The fixed header alone; NONE when it may be read on. */
static enum net_drop check(struct net *net, struct net_rx *rx)
{
    struct ipv6_hdr ip;
    switch (ipv6_hdr_parse(rx_bytes(rx), rx->length, &ip)) {
    case IPV6_TRUNCATED:
        return NET_DROP_IP_HEADER_TRUNCATED;
    case IPV6_VERSION:
        return NET_DROP_IP_VERSION;
    case IPV6_PAYLOAD_LENGTH:
        return NET_DROP_IP_LENGTH;
    case IPV6_OK:
        break;
    }
    rx->src = ip.src;
    rx->dst = ip.dst;
    rx->ttl = ip.hop_limit;
    rx->tos = ip.traffic_class;
    rx->ip_offset = rx->offset;
    rx->ip_length = IPV6_HEADER + (uint32_t)ip.payload_length;
    return destination_is_ours(net, rx) ? NET_DROP_NONE : NET_DROP_IP_DESTINATION;
}

void ipv6_input(struct net *net, struct net_rx *rx)
{
    enum net_drop why = check(net, rx);
    if (why != NET_DROP_NONE) {
        net_drop(net, why);
        return;
    }
    struct ipv6_walk walk;
    ipv6_walk(rx_bytes(rx), rx->ip_length, &walk);
    rx->protocol = walk.end == IPV6_WALK_UPPER ? walk.protocol : IPV6_NO_NEXT_HEADER;
    if (!source_valid(net, rx)) {
        net_drop(net, NET_DROP_IP_SOURCE_INVALID);
    } else if (walk.end != IPV6_WALK_UPPER) {
        refuse_extension(net, rx, &walk);
    } else {
        upper_input(net, rx, &walk);
    }
}

uint32_t ipv6_build(uint8_t *header, const struct ip_out *out)
{
    struct ipv6_hdr ip = {
        .traffic_class = out->tos,
        .flow_label = out->flow_label,
        .payload_length = (uint16_t)out->payload,
        .next_header = out->protocol,
        .hop_limit = out->ttl,
        .src = out->src,
        .dst = out->dst,
    };
    ipv6_hdr_build(header, &ip);
    return IPV6_HEADER;
}
