/* Our addresses: a small table (at most 64) that is searched from one end to the other.
 *
 * An address that duplicate address detection found at another node stays in the table so that it
 * can be seen, but nothing treats it as ours any more. Removing an address ends its connections: a
 * connection never changes its local address (MUST-45). */
#include <errno.h>
#include "net/internal.h"

struct net_addr *address_find_any(struct net *net, const struct ip_addr *addr)
{
    for (unsigned i = 0; i < net->n_addresses; i++) {
        if (ip_addr_equal(&net->address[i].prefix.addr, addr)) {
            return &net->address[i];
        }
    }
    return NULL;
}

struct net_addr *address_find(struct net *net, const struct ip_addr *addr)
{
    struct net_addr *a = address_find_any(net, addr);
    return a && a->state != NET_ADDR_DUPLICATE ? a : NULL;
}

bool net_is_local(const struct net *net, const struct ip_addr *addr)
{
    return address_find((struct net *)net, addr) != NULL;
}

bool address_is_broadcast(const struct net *net, const struct ip_addr *addr)
{
    struct ip_addr broadcast;
    for (unsigned i = 0; i < net->n_addresses; i++) {
        if (ip_prefix_broadcast(&net->address[i].prefix, &broadcast) &&
            ip_addr_equal(&broadcast, addr)) {
            return true;
        }
    }
    return false;
}

bool address_is_our_solicited_node(const struct net *net, const struct ip_addr *addr)
{
    for (unsigned i = 0; i < net->n_addresses; i++) {
        const struct net_addr *a = &net->address[i];
        if (a->state == NET_ADDR_DUPLICATE || ip_addr_is_v4(&a->prefix.addr)) {
            continue;
        }
        struct ip_addr group = ndp_solicited_node(&a->prefix.addr);
        if (ip_addr_equal(&group, addr)) {
            return true;
        }
    }
    return false;
}

/* An address that one host can have (RFC 1122 3.2.1.3, RFC 4291 2.4 and 2.6.1). */
static bool prefix_is_valid(const struct ip_prefix *p)
{
    const struct ip_addr *a = &p->addr;
    if (!ip_addr_is_v4(a)) {
        return p->length >= 1 && p->length <= 128 && !ip_addr_is_unspecified(a) &&
               !ip_addr_is_multicast(a);
    }
    if (p->length < 1 || p->length > 32 || a->b[12] == 0 || a->b[12] >= 224) {
        return false;
    }
    if (p->length >= 31) {
        return true; /* RFC 3021: neither network nor broadcast address */
    }
    uint32_t v =
        (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];
    uint32_t host = UINT32_MAX >> p->length;
    return (v & host) != 0 && (v & host) != host;
}

int net_address_add(struct net *net, ackd_time now, const struct ip_prefix *prefix)
{
    net->now = now;
    if (!prefix_is_valid(prefix)) {
        return -EINVAL;
    }
    if (address_find_any(net, &prefix->addr)) {
        return -EEXIST;
    }
    if (net->n_addresses == NET_ADDRESSES_MAX) {
        return -ENOSPC;
    }
    struct net_addr *a = &net->address[net->n_addresses++];
    *a = (struct net_addr){.prefix = *prefix, .at = TIME_NEVER, .defend_at = now};
    dad_start(net, now, a);
    return 0;
}

int net_address_remove(struct net *net, ackd_time now, const struct ip_addr *addr)
{
    net->now = now;
    struct net_addr *a = address_find_any(net, addr);
    if (!a) {
        return -ENOENT;
    }
    struct ip_addr gone = a->prefix.addr;
    bool was_ours = a->state != NET_ADDR_DUPLICATE;
    net->n_addresses--;
    size_t behind = (size_t)(&net->address[net->n_addresses] - a);
    memmove(a, a + 1, behind * sizeof *a);
    if (was_ours) {
        neighbours_source_changed(net, now, &gone, false);
        tcp_address_removed(net->config.engine, now, &gone);
    }
    return 0;
}

unsigned net_address_list(const struct net *net, struct net_address *out, unsigned max)
{
    unsigned n = 0;
    for (; n < net->n_addresses && n < max; n++) {
        out[n] = (struct net_address){net->address[n].prefix, net->address[n].state};
    }
    return n;
}
