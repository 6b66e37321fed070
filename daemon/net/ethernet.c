/* Ethernet (RFC 894, RFC 2464) with the virtio offload header beside it: the door through which
 * frames enter.
 *
 * A frame is for us when its destination is our address, the broadcast address or a group; which
 * groups we are in, the IP layer decides. The offload header is a promise of whoever wrote the
 * frame: "the checksum at this place is still partial", "this is a train of segments of this size".
 * A promise that does not fit the bytes would let a peer on the link slip segments past the
 * checksum (MUST-3), so it is held against the frame twice: here against its bounds, and at the
 * transport header by offload_check(). */
#include "net/internal.h"

enum { TCP_CHECKSUM_AT = 16, UDP_CHECKSUM_AT = 6 };

static bool offload_in_bounds(const struct net_rx *rx, const struct eth_hdr *eth)
{
    const struct net_offload *o = &rx->offload;
    bool ip = eth->type == ETH_TYPE_IPV4 || eth->type == ETH_TYPE_IPV6;
    if (o->needs_checksum) {
        uint32_t end = (uint32_t)o->csum_start + o->csum_offset + 2;
        if (!ip || o->csum_start < eth->header_len || end > rx->length) {
            return false;
        }
    }
    if (o->gso_size > 0) {
        bool vouched = o->needs_checksum || o->data_valid;
        return vouched && ip && o->gso_v6 == (eth->type == ETH_TYPE_IPV6);
    }
    return true;
}

bool offload_check(struct net *net, const struct net_rx *rx)
{
    const struct net_offload *o = &rx->offload;
    bool good = o->gso_size == 0 || rx->protocol == IP_PROTOCOL_TCP;
    if (o->needs_checksum) {
        uint32_t start = rx->offset - rx->frame;
        switch (rx->protocol) {
        case IP_PROTOCOL_TCP:
            good &= o->csum_start == start && o->csum_offset == TCP_CHECKSUM_AT;
            break;
        case IP_PROTOCOL_UDP:
            good &= o->csum_start == start && o->csum_offset == UDP_CHECKSUM_AT;
            break;
        case IP_PROTOCOL_ICMP:
        case IP_PROTOCOL_ICMPV6:
            good = false; /* no device sums these */
            break;
        default:
            good &= o->csum_start >= start;
            break;
        }
    }
    if (!good) {
        net_drop(net, NET_DROP_OFFLOAD_INVALID);
    }
    return good;
}

/* RFC 8200 and 791 packets travel untagged here; a priority tag (VLAN 0) changes nothing. */
static bool tag_is_ours(const struct eth_hdr *eth)
{
    return !eth->has_vlan || (eth->vlan_tci & 0x0fff) == 0;
}

void net_input(struct net *net, ackd_time now, struct pkt *pkt, uint32_t offset, uint32_t length,
               const struct net_offload *offload)
{
    struct net_rx rx = {
        .now = now, .pkt = pkt, .frame = offset, .offset = offset, .length = length};
    if (offload) {
        rx.offload = *offload;
    }
    net->now = now;
    net->counters.in_frames++;
    net->counters.in_bytes += length;
    struct eth_hdr eth;
    if (!eth_hdr_parse(rx_bytes(&rx), length, &eth)) {
        net_drop(net, NET_DROP_FRAME_TRUNCATED);
        return;
    }
    rx.link_group = eth_addr_is_group(eth.dst);
    bool to_us = memcmp(eth.dst, net->config.mac, ETH_ADDR) == 0;
    if (net->config.link == NET_LINK_NONE || (!to_us && !rx.link_group)) {
        net_drop(net, NET_DROP_NOT_FOR_US);
        return;
    }
    if (!offload_in_bounds(&rx, &eth)) {
        net_drop(net, NET_DROP_OFFLOAD_INVALID);
        return;
    }
    rx.offset += eth.header_len;
    rx.length -= eth.header_len;
    switch (tag_is_ours(&eth) ? eth.type : 0) {
    case ETH_TYPE_IPV4:
        ipv4_input(net, &rx);
        break;
    case ETH_TYPE_IPV6:
        ipv6_input(net, &rx);
        break;
    case ETH_TYPE_ARP:
        arp_input(net, &rx);
        break;
    default:
        net_drop(net, NET_DROP_ETHERTYPE_UNKNOWN);
        break;
    }
}
