/* Path MTU, per destination (RFC 1191, RFC 8201).
 *
 * Routers that cannot forward a packet with DF set say so, and name the next hop's MTU. It holds
 * for everything that goes to that destination, so it is remembered here and not in a connection. A
 * path may change back: ten minutes after the last decrease (RFC 1191 6.3) the entry is void and
 * the link's MTU is tried again. Expiry is seen when the entry is next looked at: no timer wakes an
 * idle daemon for it.
 *
 * The cache is bounded; when it is full the entry that was updated longest ago goes. Nothing here
 * believes less than 552 (IPv4) or 1280 (IPv6) bytes: a forged message could otherwise make us send
 * tiny segments (RFC 5927 section 7). */
#include "net/internal.h"

#define PMTU_LIFE_NS (600 * NS_PER_S)

void pmtu_init(struct net *net)
{
    slab_init(&net->pmtu.slab, net->config.arena, sizeof(struct pmtu_entry));
    for (unsigned i = 0; i < NET_PMTU_BUCKETS; i++) {
        list_init(&net->pmtu.bucket[i]);
    }
    list_init(&net->pmtu.order);
}

static struct list *bucket(const struct net *net, const struct ip_addr *dst)
{
    uint64_t h = siphash13(&net->key, dst->b, sizeof dst->b);
    return (struct list *)&net->pmtu.bucket[h % NET_PMTU_BUCKETS];
}

static struct pmtu_entry *find(const struct net *net, const struct ip_addr *dst)
{
    struct list *head = bucket(net, dst);
    list_for_each(pos, head)
    {
        struct pmtu_entry *e = container_of(pos, struct pmtu_entry, hash);
        if (ip_addr_equal(&e->dst, dst)) {
            return e;
        }
    }
    return NULL;
}

static void forget(struct net *net, struct pmtu_entry *e)
{
    list_remove(&e->hash);
    list_remove(&e->order);
    slab_free(&net->pmtu.slab, e);
    net->pmtu.count--;
}

void pmtu_free(struct net *net)
{
    list_for_each_safe(pos, tmp, &net->pmtu.order)
    {
        forget(net, container_of(pos, struct pmtu_entry, order));
    }
}

uint32_t pmtu_get(const struct net *net, ackd_time now, const struct ip_addr *dst)
{
    uint32_t mtu = net->config.mtu;
    if (net->pmtu.count == 0) {
        return mtu; /* the usual case: no path is narrower than the link */
    }
    const struct pmtu_entry *e = find(net, dst);
    if (e && !time_reached(e->expires, now) && e->mtu < mtu) {
        mtu = e->mtu;
    }
    return mtu;
}

static struct pmtu_entry *make(struct net *net, const struct ip_addr *dst)
{
    if (net->pmtu.count >= NET_PMTU_MAX) {
        forget(net, container_of(net->pmtu.order.next, struct pmtu_entry, order));
    }
    struct pmtu_entry *e = slab_alloc(&net->pmtu.slab);
    if (!e) {
        net_drop(net, NET_DROP_NO_MEMORY);
        return NULL;
    }
    e->dst = *dst;
    list_init(&e->order);
    list_append(bucket(net, dst), &e->hash);
    net->pmtu.count++;
    return e;
}

void pmtu_lower(struct net *net, ackd_time now, const struct ip_addr *dst, uint32_t mtu)
{
    uint32_t floor = ip_addr_is_v4(dst) ? NET_MTU_MIN_V4 : NET_MTU_MIN_V6;
    if (mtu < floor) {
        mtu = floor;
    }
    if (mtu >= pmtu_get(net, now, dst)) {
        return;
    }
    struct pmtu_entry *e = find(net, dst);
    if (!e) {
        e = make(net, dst);
    }
    if (e) {
        e->mtu = mtu;
        e->expires = time_add(now, PMTU_LIFE_NS);
        list_remove(&e->order);
        list_append(&net->pmtu.order, &e->order);
    }
}

uint32_t pmtu_plateau(uint32_t length)
{
    /* RFC 1191 table 7-1, down to what we believe */
    static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};
    for (unsigned i = 0; i < sizeof plateau / sizeof plateau[0]; i++) {
        if (plateau[i] < length) {
            return plateau[i];
        }
    }
    return NET_MTU_MIN_V4;
}
