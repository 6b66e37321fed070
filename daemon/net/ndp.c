/* Neighbour discovery (RFC 4861 section 7): IPv6's messenger of the neighbour table, and of
 * duplicate address detection (RFC 4862 5.4, RFC 4429).
 *
 * Solicitations ask from the address that the waiting packet carries, never from an optimistic one;
 * advertisements answer for our addresses, those of an optimistic one without Override, so that a
 * rightful owner is not pushed out of anybody's cache. Router discovery is not spoken: routes are
 * configured. */
#include "net/internal.h"

/* Sends msg to dst; `mac` NULL: dst is a group, or whoever the route says. */
static void send(struct net *net, const struct ip_addr *src, const struct ip_addr *dst,
                 const struct ndp_msg *msg, const uint8_t *mac)
{
    uint8_t bytes[NDP_LENGTH_MAX];
    size_t length = ndp_build(bytes, src, dst, msg);
    struct net_packet *packet = packet_new(net, (uint32_t)(IPV6_HEADER + length));
    if (!packet) {
        return;
    }
    struct ip_out out = {.src = *src,
                         .dst = *dst,
                         .protocol = IP_PROTOCOL_ICMPV6,
                         .ttl = NDP_HOP_LIMIT,
                         .payload = (uint32_t)length};
    uint32_t at = ipv6_build(packet->pkt->data, &out);
    memcpy(packet->pkt->data + at, bytes, length);
    net->counters.nd_out++;
    uint8_t group[ETH_ADDR];
    if (!mac && eth_addr_for_group(dst, group)) {
        mac = group;
    }
    if (mac) {
        outbox_push(net, packet, mac, ETH_TYPE_IPV6);
    } else {
        output_packet(net, net->now, packet, src, dst);
    }
}

void ndp_solicit(struct net *net, const struct ip_addr *target, const struct ip_addr *source,
                 const uint8_t *mac)
{
    struct ndp_msg msg = {
        .type = ICMP6_NEIGHBOUR_SOLICITATION, .target = *target, .has_source_mac = true};
    memcpy(msg.source_mac, net->config.mac, ETH_ADDR);
    struct ip_addr dst = mac ? *target : ndp_solicited_node(target);
    send(net, source, &dst, &msg, mac);
}

void ndp_solicit_dad(struct net *net, const struct ip_addr *target)
{
    static const struct ip_addr unspecified;
    struct ndp_msg msg = {.type = ICMP6_NEIGHBOUR_SOLICITATION, .target = *target};
    struct ip_addr dst = ndp_solicited_node(target);
    send(net, &unspecified, &dst, &msg, NULL);
}

/* RFC 4861 7.2.4. A solicitation from "::" is answered to everybody. */
static void advertise(struct net *net, const struct net_addr *a, const struct ip_addr *asker,
                      const uint8_t *mac)
{
    bool anonymous = ip_addr_is_unspecified(asker);
    struct ndp_msg msg = {
        .type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
        .target = a->prefix.addr,
        .solicited = !anonymous,
        .override = a->state == NET_ADDR_PREFERRED,
        .has_target_mac = true,
    };
    memcpy(msg.target_mac, net->config.mac, ETH_ADDR);
    struct ip_addr dst = anonymous ? ndp_all_nodes() : *asker;
    send(net, &a->prefix.addr, &dst, &msg, mac);
}

static bool mac_usable(const uint8_t mac[ETH_ADDR])
{
    return !eth_addr_is_group(mac) && !eth_addr_is_zero(mac);
}

static void solicitation_input(struct net *net, const struct net_rx *rx, const struct ndp_msg *msg)
{
    struct net_addr *a = address_find(net, &msg->target);
    bool anonymous = ip_addr_is_unspecified(&rx->src);
    bool bad_mac = msg->has_source_mac && !mac_usable(msg->source_mac);
    if (!a || bad_mac || ip_addr_is_loopback(&msg->target) || address_find(net, &rx->src)) {
        net_drop(net, NET_DROP_ND_INVALID);
        return;
    }
    if (anonymous && a->state == NET_ADDR_OPTIMISTIC) {
        dad_conflict(net, rx->now, a);
        return;
    }
    const uint8_t *mac = msg->has_source_mac ? msg->source_mac : NULL;
    if (mac) {
        neighbour_learn(net, rx->now, &rx->src, mac, route_on_link(net, &rx->src));
    }
    advertise(net, a, &rx->src, mac);
}

static void advertisement_input(struct net *net, const struct net_rx *rx, const struct ndp_msg *msg)
{
    struct net_addr *a = address_find(net, &msg->target);
    if (a) {
        dad_conflict(net, rx->now, a);
        return;
    }
    struct neighbour_advert advert = {
        .mac = msg->has_target_mac ? msg->target_mac : NULL,
        .solicited = msg->solicited,
        .override = msg->override,
        .router = msg->router,
    };
    bool bad_mac = advert.mac && !mac_usable(advert.mac);
    if (bad_mac || !neighbour_advertised(net, rx->now, &msg->target, &advert)) {
        net_drop(net, NET_DROP_ND_INVALID);
    }
}

void ndp_input(struct net *net, struct net_rx *rx)
{
    struct ndp_msg msg;
    net->counters.nd_in++;
    bool valid = !rx->in_fragment && /* RFC 6980 */
                 ndp_parse(&rx->src, &rx->dst, rx->ttl, rx_bytes(rx), rx->length, &msg) &&
                 !ip_addr_is_v4(&msg.target);
    if (!valid) {
        net_drop(net, NET_DROP_ND_INVALID);
    } else if (msg.type == ICMP6_NEIGHBOUR_SOLICITATION) {
        solicitation_input(net, rx, &msg);
    } else {
        advertisement_input(net, rx, &msg);
    }
}
