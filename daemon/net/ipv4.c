/* IPv4 (RFC 791, RFC 1122 section 3): what a host checks on input, and the header it writes.
 *
 * Strong host model (RFC 1122 3.3.4.2). A packet is taken when it is addressed to one of our
 * addresses, to the limited or one of our directed broadcasts, or to all hosts; the last three only
 * so that ICMP and TCP can refuse them by their own rules. A TTL is not looked at: a host must not
 * discard for it (RFC 1122 3.2.1.7). Fragments are refused, whole packets leave with DF set and are
 * atomic (RFC 6864 4.1), so that their id means nothing and is 0; a device that cuts a super-frame
 * numbers from there. */
#include "net/internal.h"

static enum net_drop drop_of(enum ipv4_error error)
{
    switch (error) {
    case IPV4_TRUNCATED:
        return NET_DROP_IP_HEADER_TRUNCATED;
    case IPV4_VERSION:
        return NET_DROP_IP_VERSION;
    case IPV4_HEADER_LENGTH:
        return NET_DROP_IP_HEADER_LENGTH;
    case IPV4_TOTAL_LENGTH:
        return NET_DROP_IP_LENGTH;
    case IPV4_OK:
        break;
    }
    return NET_DROP_NONE;
}

/* RFC 1122 3.2.1.3: a source is one host's own address. From the link it is not ours, either. */
static bool source_valid(struct net *net, const struct net_rx *rx)
{
    uint8_t first = rx->src.b[12];
    if (first == 0 || first >= 224 || address_is_broadcast(net, &rx->src)) {
        return false;
    }
    return rx->looped || (!ip_addr_is_loopback(&rx->src) && !address_find(net, &rx->src));
}

static bool destination_is_ours(struct net *net, struct net_rx *rx)
{
    static const struct ip_addr all_hosts = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 224, 0, 0, 1}};
    rx->ip_group = ip_addr_is_limited_broadcast(&rx->dst) || ip_addr_equal(&rx->dst, &all_hosts) ||
                   address_is_broadcast(net, &rx->dst);
    if (rx->ip_group) {
        return true;
    }
    bool from_outside = ip_addr_is_loopback(&rx->dst) && !rx->looped;
    return !from_outside && address_find(net, &rx->dst) != NULL;
}

/* MUST-50: unknown options are passed over. MUST-51 to 53: a source route only where it is allowed
 * and has come to its end. */
static enum net_drop check_options(const struct net *net, const uint8_t *bytes,
                                   const struct ipv4_hdr *ip)
{
    struct ipv4_opts opts;
    ipv4_opts_parse(bytes, ip, &opts);
    if (opts.malformed) {
        return NET_DROP_IP_OPTIONS;
    }
    if (opts.route_at > 0 && !(net->config.allow_source_route && opts.route_ended)) {
        return NET_DROP_IP_SOURCE_ROUTE;
    }
    return NET_DROP_NONE;
}

static enum net_drop check(struct net *net, struct net_rx *rx, const struct ipv4_hdr *ip)
{
    if (!ipv4_checksum_ok(rx_bytes(rx), ip)) {
        return NET_DROP_IP_CHECKSUM;
    }
    if (!source_valid(net, rx)) {
        return NET_DROP_IP_SOURCE_INVALID;
    }
    if (!destination_is_ours(net, rx)) {
        return NET_DROP_IP_DESTINATION;
    }
    if (ipv4_is_fragment(ip)) {
        return NET_DROP_IP_FRAGMENT;
    }
    return ip->header_len > IPV4_HEADER_MIN ? check_options(net, rx_bytes(rx), ip) : NET_DROP_NONE;
}

static void refuse_protocol(struct net *net, const struct net_rx *rx)
{
    struct icmp_complaint c = {.type = ICMP4_UNREACHABLE, .code = ICMP4_UNREACH_PROTOCOL};
    if (!offload_check(net, rx)) {
        return;
    }
    if (rx->protocol == IP_PROTOCOL_UDP) {
        c.code = ICMP4_UNREACH_PORT;
    }
    net_drop(net, NET_DROP_IP_PROTOCOL);
    icmp_error(net, rx, &c);
}

void ipv4_input(struct net *net, struct net_rx *rx)
{
    struct ipv4_hdr ip;
    enum net_drop why = drop_of(ipv4_hdr_parse(rx_bytes(rx), rx->length, &ip));
    if (why == NET_DROP_NONE) {
        rx->src = ip.src;
        rx->dst = ip.dst;
        why = check(net, rx, &ip);
    }
    if (why != NET_DROP_NONE) {
        net_drop(net, why);
        return;
    }
    rx->ip_offset = rx->offset;
    rx->ip_length = ip.total_length;
    rx->ttl = ip.ttl;
    rx->tos = ip.tos;
    rx->protocol = ip.protocol;
    rx->offset += ip.header_len;
    rx->length = (uint32_t)ip.total_length - ip.header_len;
    switch (ip.protocol) {
    case IP_PROTOCOL_TCP:
        net_tcp_input(net, rx);
        break;
    case IP_PROTOCOL_ICMP:
        icmp_input_v4(net, rx);
        break;
    default:
        refuse_protocol(net, rx);
        break;
    }
}

uint32_t ipv4_build(uint8_t *header, const struct ip_out *out)
{
    struct ipv4_hdr ip = {
        .tos = out->tos,
        .total_length = (uint16_t)(IPV4_HEADER_MIN + out->payload),
        .dont_fragment = true,
        .ttl = out->ttl,
        .protocol = out->protocol,
        .src = out->src,
        .dst = out->dst,
    };
    ipv4_hdr_build(header, &ip);
    return IPV4_HEADER_MIN;
}
