/* Where a packet goes next (RFC 1122 3.3.1): to its destination when that is on our link, else to a
 * gateway.
 *
 * On link are the subnets of our addresses and every IPv6 link-local address (RFC 4861 5.1). The
 * longest matching prefix decides; with equal lengths the connected one. A route is used only while
 * its gateway is on link, so a removed address silences the routes behind it and gives them back
 * when it returns. Both tables are small by their bounds (64 each): they are searched from one end
 * to the other. */
#include <errno.h>
#include "net/internal.h"

static bool same_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->length == b->length && ip_prefix_contains(a, &b->addr) &&
           ip_prefix_contains(b, &a->addr);
}

/* The length of the longest connected prefix around dst, or -1. Loopback addresses are on no link.
 */
static int connected(const struct net *net, const struct ip_addr *dst)
{
    int best = -1;
    for (unsigned i = 0; i < net->n_addresses; i++) {
        const struct net_addr *a = &net->address[i];
        if (a->state != NET_ADDR_DUPLICATE && a->prefix.length > best &&
            ip_prefix_contains(&a->prefix, dst)) {
            best = a->prefix.length;
        }
    }
    if (best < 10 && !ip_addr_is_v4(dst) && ip_addr_is_link_local(dst)) {
        best = 10; /* fe80::/10 */
    }
    return best;
}

bool route_on_link(const struct net *net, const struct ip_addr *dst)
{
    return net->config.link != NET_LINK_NONE && !ip_addr_is_loopback(dst) &&
           connected(net, dst) >= 0;
}

bool route_next_hop(const struct net *net, const struct ip_addr *dst, struct ip_addr *next_hop)
{
    if (net->config.link == NET_LINK_NONE || ip_addr_is_loopback(dst)) {
        return false;
    }
    int best = connected(net, dst);
    *next_hop = *dst;
    for (unsigned i = 0; i < net->n_routes; i++) {
        const struct net_route *r = &net->route[i];
        if (r->prefix.length <= best || !ip_prefix_contains(&r->prefix, dst)) {
            continue;
        }
        bool direct = ip_addr_is_none(&r->gateway);
        if (direct || route_on_link(net, &r->gateway)) {
            best = r->prefix.length;
            *next_hop = direct ? *dst : r->gateway;
        }
    }
    return best >= 0;
}

static bool prefix_is_valid(const struct ip_prefix *p)
{
    return p->length <= (ip_addr_is_v4(&p->addr) ? 32 : 128);
}

int net_route_add(struct net *net, const struct net_route *route)
{
    if (!prefix_is_valid(&route->prefix)) {
        return -EINVAL;
    }
    if (!ip_addr_is_none(&route->gateway)) {
        if (ip_addr_is_v4(&route->gateway) != ip_addr_is_v4(&route->prefix.addr)) {
            return -EINVAL;
        }
        if (!route_on_link(net, &route->gateway) || net_is_local(net, &route->gateway)) {
            return -ENETUNREACH;
        }
    }
    for (unsigned i = 0; i < net->n_routes; i++) {
        if (same_prefix(&net->route[i].prefix, &route->prefix)) {
            return -EEXIST;
        }
    }
    if (net->n_routes == NET_ROUTES_MAX) {
        return -ENOSPC;
    }
    net->route[net->n_routes++] = *route;
    return 0;
}

int net_route_remove(struct net *net, const struct ip_prefix *prefix)
{
    for (unsigned i = 0; i < net->n_routes; i++) {
        if (same_prefix(&net->route[i].prefix, prefix)) {
            net->n_routes--;
            memmove(&net->route[i], &net->route[i + 1], (net->n_routes - i) * sizeof net->route[0]);
            return 0;
        }
    }
    return -ENOENT;
}

unsigned net_route_list(const struct net *net, struct net_route *out, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < net->n_addresses && n < max; i++) {
        const struct net_addr *a = &net->address[i];
        if (a->state != NET_ADDR_DUPLICATE && net->config.link != NET_LINK_NONE &&
            !ip_addr_is_loopback(&a->prefix.addr)) {
            out[n++] = (struct net_route){.prefix = a->prefix};
        }
    }
    for (unsigned i = 0; i < net->n_routes && n < max; i++) {
        out[n++] = net->route[i];
    }
    return n;
}
