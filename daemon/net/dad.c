/* Who else has our address?
 *
 * IPv6: optimistic duplicate address detection (RFC 4429 over RFC 4862 5.4). The address works at
 * once, marked optimistic; one solicitation for it goes out from "::", and if nobody objects within
 * RetransTimer it is preferred. Somebody who objects, or who is asking for the same address at the
 * same time, takes it from us: it is disabled and its connections end.
 *
 * IPv4: configured by somebody who knows, hence announced and not probed (RFC 5227 2.3: two
 * announcements, two seconds apart). A later claim of another station is answered by one
 * announcement per DEFEND_INTERVAL (2.4(b)) and the address is kept. */
#include "net/internal.h"

#define DAD_RETRANS_NS (1 * NS_PER_S) /* RFC 4861 section 10, DupAddrDetectTransmits is 1 */
#define ANNOUNCE_NUM 2
#define ANNOUNCE_INTERVAL_NS (2 * NS_PER_S)
#define DEFEND_INTERVAL_NS (10 * NS_PER_S)

static void announce(struct net *net, ackd_time now, struct net_addr *a)
{
    arp_announce(net, &a->prefix.addr);
    a->announcements--;
    a->at = a->announcements > 0 ? time_add(now, ANNOUNCE_INTERVAL_NS) : TIME_NEVER;
}

void dad_start(struct net *net, ackd_time now, struct net_addr *a)
{
    a->state = NET_ADDR_PREFERRED;
    a->at = TIME_NEVER;
    if (net->config.link == NET_LINK_NONE || ip_addr_is_loopback(&a->prefix.addr)) {
        return; /* nobody is there to ask */
    }
    if (ip_addr_is_v4(&a->prefix.addr)) {
        a->announcements = ANNOUNCE_NUM;
        announce(net, now, a);
        return;
    }
    a->state = NET_ADDR_OPTIMISTIC;
    a->at = time_add(now, DAD_RETRANS_NS);
    ndp_solicit_dad(net, &a->prefix.addr);
}

void dad_conflict(struct net *net, ackd_time now, struct net_addr *a)
{
    net_drop(net, NET_DROP_ND_DUPLICATE_ADDRESS);
    if (a->state != NET_ADDR_OPTIMISTIC) {
        return;
    }
    a->state = NET_ADDR_DUPLICATE;
    a->at = TIME_NEVER;
    neighbours_source_changed(net, now, &a->prefix.addr, false);
    tcp_address_removed(net->config.engine, now, &a->prefix.addr);
}

void dad_defend(struct net *net, ackd_time now, struct net_addr *a)
{
    if (time_reached(a->defend_at, now)) {
        arp_announce(net, &a->prefix.addr);
        a->defend_at = time_add(now, DEFEND_INTERVAL_NS);
    }
}

static void step(struct net *net, ackd_time now, struct net_addr *a)
{
    if (ip_addr_is_v4(&a->prefix.addr)) {
        announce(net, now, a);
        return;
    }
    a->state = NET_ADDR_PREFERRED;
    a->at = TIME_NEVER;
    neighbours_source_changed(net, now, &a->prefix.addr, true);
}

void dad_timeout(struct net *net, ackd_time now)
{
    for (unsigned i = 0; i < net->n_addresses; i++) {
        if (time_reached(net->address[i].at, now)) {
            step(net, now, &net->address[i]);
        }
    }
}

ackd_time dad_deadline(const struct net *net)
{
    ackd_time t = TIME_NEVER;
    for (unsigned i = 0; i < net->n_addresses; i++) {
        t = time_min(t, net->address[i].at);
    }
    return t;
}
