/* Which of our addresses speaks to a destination (RFC 6724 section 5, as far as one interface
 * without deprecated, mobile or temporary addresses has rules; RFC 1122 3.3.4.3 for IPv4), and
 * which destinations nobody may open a connection to (MUST-46).
 *
 * The rules, first difference decides: the destination itself (1), a scope that is large enough
 * (2), preferred before optimistic (3, RFC 4429 3.1), an address in the next hop's subnet (5.5),
 * the longest common prefix (8). */
#include <errno.h>
#include "net/internal.h"

static bool destination_valid(const struct net *net, const struct ip_addr *dst)
{
    bool v4_reserved = ip_addr_is_v4(dst) && (dst->b[12] == 0 || dst->b[12] >= 224);
    return !v4_reserved && !ip_addr_is_none(dst) && !ip_addr_is_unspecified(dst) &&
           !ip_addr_is_multicast(dst) && !address_is_broadcast(net, dst);
}

/* RFC 6724 3.1 and 3.2: loopback and link-local addresses have link-local scope. */
static bool scope_is_link(const struct ip_addr *a)
{
    return ip_addr_is_link_local(a) || ip_addr_is_loopback(a);
}

/* RFC 6724 2.2: not beyond the source's own prefix. */
static int common_prefix(const struct ip_prefix *source, const struct ip_addr *dst)
{
    int first = ip_addr_is_v4(dst) ? 96 : 0;
    int n = 0;
    while (n < source->length) {
        int bit = first + n;
        uint8_t differ = source->addr.b[bit / 8] ^ dst->b[bit / 8];
        if (differ & (0x80 >> bit % 8)) {
            break;
        }
        n++;
    }
    return n;
}

/* Larger is better: the rules from the most to the least significant digit. */
static int merit(const struct net_addr *a, const struct ip_addr *dst, const struct ip_addr *hop)
{
    bool scope = scope_is_link(dst) == scope_is_link(&a->prefix.addr);
    bool large_enough = scope_is_link(dst) || !scope_is_link(&a->prefix.addr);
    int m = (scope ? 2 : 0) + (large_enough ? 1 : 0);
    m = m * 2 + (a->state == NET_ADDR_PREFERRED);
    m = m * 2 + ip_prefix_contains(&a->prefix, hop);
    return m * 256 + common_prefix(&a->prefix, dst);
}

static const struct net_addr *choose(const struct net *net, const struct ip_addr *dst,
                                     const struct ip_addr *hop)
{
    const struct net_addr *best = NULL;
    int best_merit = -1;
    for (unsigned i = 0; i < net->n_addresses; i++) {
        const struct net_addr *a = &net->address[i];
        bool candidate = a->state != NET_ADDR_DUPLICATE && !ip_addr_is_loopback(&a->prefix.addr) &&
                         ip_addr_is_v4(&a->prefix.addr) == ip_addr_is_v4(dst);
        int m = candidate ? merit(a, dst, hop) : -1;
        if (m > best_merit) {
            best = a;
            best_merit = m;
        }
    }
    return best;
}

/* May `want` be the source of packets to dst? */
static bool wanted_fits(const struct net *net, const struct ip_addr *want,
                        const struct ip_addr *dst, bool local)
{
    return net_is_local(net, want) && ip_addr_is_v4(want) == ip_addr_is_v4(dst) &&
           (local || !ip_addr_is_loopback(want));
}

int net_source_for(const struct net *net, const struct ip_addr *dst, const struct ip_addr *want,
                   struct ip_addr *src, uint32_t *mtu)
{
    bool wanted = want && !ip_addr_is_none(want) && !ip_addr_is_unspecified(want);
    if (!destination_valid(net, dst)) {
        return -EADDRNOTAVAIL;
    }
    bool local = net_is_local(net, dst);
    if (wanted && !wanted_fits(net, want, dst, local)) {
        return -EADDRNOTAVAIL;
    }
    struct ip_addr hop = *dst;
    if (!local && !route_next_hop(net, dst, &hop)) {
        return -ENETUNREACH;
    }
    if (wanted) {
        *src = *want;
    } else if (local) {
        *src = *dst;
    } else {
        const struct net_addr *a = choose(net, dst, &hop);
        if (!a) {
            return -ENETUNREACH;
        }
        *src = a->prefix.addr;
    }
    *mtu = pmtu_get(net, net->now, dst);
    return 0;
}
