/* ARP (RFC 826): IPv4's messenger of the neighbour table.
 *
 * RFC 826's order of questions: is it well-formed, do we know the sender (then refresh him), is it
 * for us (then remember him and answer). What RFC 826 leaves open is closed here: an answer that
 * nobody asked for makes no entry, a claim of our own address is defended (RFC 5227 2.4), a probe
 * from 0.0.0.0 teaches nothing (RFC 5227 2.1.1). A reply to our own request counts as RFC 4861's
 * solicited advertisement. */
#include "net/internal.h"

static void send(struct net *net, const struct arp_msg *msg, const uint8_t link_dst[ETH_ADDR])
{
    struct net_packet *packet = packet_new(net, ARP_LENGTH);
    if (packet) {
        arp_build(packet->pkt->data, msg);
        net->counters.arp_out++;
        outbox_push(net, packet, link_dst, ETH_TYPE_ARP);
    }
}

static const uint8_t broadcast[ETH_ADDR] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void arp_solicit(struct net *net, const struct ip_addr *target, const struct ip_addr *source,
                 const uint8_t *mac)
{
    struct arp_msg msg = {.op = ARP_REQUEST, .sender_ip = *source, .target_ip = *target};
    memcpy(msg.sender_mac, net->config.mac, ETH_ADDR);
    send(net, &msg, mac ? mac : broadcast);
}

void arp_announce(struct net *net, const struct ip_addr *addr)
{
    arp_solicit(net, addr, addr, NULL);
}

static void answer(struct net *net, const struct arp_msg *request)
{
    struct arp_msg msg = {
        .op = ARP_REPLY, .sender_ip = request->target_ip, .target_ip = request->sender_ip};
    memcpy(msg.sender_mac, net->config.mac, ETH_ADDR);
    memcpy(msg.target_mac, request->sender_mac, ETH_ADDR);
    send(net, &msg, request->sender_mac);
}

static bool well_formed(const struct net *net, const struct arp_msg *msg)
{
    bool op = msg->op == ARP_REQUEST || msg->op == ARP_REPLY;
    bool mac = !eth_addr_is_group(msg->sender_mac) && !eth_addr_is_zero(msg->sender_mac);
    const struct ip_addr *ip = &msg->sender_ip;
    bool ip_ok = ip_addr_is_unspecified(ip) || (ip->b[12] != 0 && ip->b[12] < 224);
    return op && mac && ip_ok && !ip_addr_is_loopback(ip) && !address_is_broadcast(net, ip);
}

static void request_input(struct net *net, ackd_time now, const struct arp_msg *msg)
{
    bool for_us = address_find(net, &msg->target_ip) != NULL;
    if (!ip_addr_is_unspecified(&msg->sender_ip)) {
        neighbour_learn(net, now, &msg->sender_ip, msg->sender_mac,
                        for_us && route_on_link(net, &msg->sender_ip));
    }
    if (for_us && !ip_addr_is_loopback(&msg->target_ip)) {
        answer(net, msg);
    }
}

static void reply_input(struct net *net, const struct net_rx *rx, const struct arp_msg *msg)
{
    bool to_us = !rx->link_group && address_find(net, &msg->target_ip);
    struct neighbour_advert advert = {
        .mac = msg->sender_mac,
        .solicited = to_us && neighbour_is_solicited(net, &msg->sender_ip),
        .override = true,
    };
    if (!neighbour_advertised(net, rx->now, &msg->sender_ip, &advert)) {
        net_drop(net, NET_DROP_ARP_UNSOLICITED);
    }
}

void arp_input(struct net *net, struct net_rx *rx)
{
    struct arp_msg msg;
    net->counters.arp_in++;
    if (!arp_parse(rx_bytes(rx), rx->length, &msg) || !well_formed(net, &msg)) {
        net_drop(net, NET_DROP_ARP_MALFORMED);
        return;
    }
    struct net_addr *claimed = address_find(net, &msg.sender_ip);
    if (claimed) {
        net_drop(net, NET_DROP_ARP_SPOOFED);
        if (memcmp(msg.sender_mac, net->config.mac, ETH_ADDR) != 0) {
            dad_defend(net, rx->now, claimed);
        }
    } else if (msg.op == ARP_REQUEST) {
        request_input(net, rx->now, &msg);
    } else {
        reply_input(net, rx, &msg);
    }
}
