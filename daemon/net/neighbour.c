/* Neighbours: one table and one state machine for both families, neighbour unreachability detection
 * of RFC 4861 7.3 with its constants.
 *
 *   INCOMPLETE --answer--> REACHABLE --30 s--> STALE --packet--> DELAY --5 s--> PROBE --answer-->
 * REACHABLE |                                                                        |
 *        +-- 3 questions, 1 s apart --> FAILED <-- 3 questions, 1 s apart ---------+
 *
 * INCOMPLETE asks everybody, PROBE asks the one; ARP and NDP carry the questions. Packets wait in
 * INCOMPLETE only, three for each neighbour, so that one that does not answer takes nothing from
 * another. FAILED is a memory of one second against asking again for every packet (RFC
 * 1122 2.3.2.1); after it the next packet starts anew.
 *
 * The timers have two lengths, so two lists in order of deadlines hold them all. REACHABLE and
 * FAILED end when somebody looks: no timer wakes an idle daemon. The table is bounded; what is
 * neither static nor being asked may be evicted, the least recently used first. */
#include <errno.h>
#include "net/internal.h"

/* RFC 4861 section 10 */
#define RETRANS_TIMER_NS (1 * NS_PER_S)
#define DELAY_FIRST_PROBE_TIME_NS (5 * NS_PER_S)
#define REACHABLE_TIME_NS (30 * NS_PER_S)
#define MAX_SOLICIT 3 /* MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT */
#define FAILED_HOLD_NS (1 * NS_PER_S)

void neighbours_init(struct net *net)
{
    struct net_neighbours *t = &net->neighbours;
    slab_init(&t->slab, net->config.arena, sizeof(struct neighbour));
    for (unsigned i = 0; i < NET_NEIGHBOUR_BUCKETS; i++) {
        list_init(&t->bucket[i]);
    }
    list_init(&t->idle);
    list_init(&t->solicited);
    list_init(&t->delayed);
    list_init(&t->waiting);
    list_init(&t->fixed);
}

/* ---- the table ---- */

static const struct list *bucket(const struct net *net, const struct ip_addr *addr)
{
    uint64_t h = siphash13(&net->key, addr->b, sizeof addr->b);
    return &net->neighbours.bucket[h % NET_NEIGHBOUR_BUCKETS];
}

static struct neighbour *find(const struct net *net, const struct ip_addr *addr)
{
    const struct list *head = bucket(net, addr);
    list_for_each(pos, head)
    {
        struct neighbour *n = container_of(pos, struct neighbour, hash);
        if (ip_addr_equal(&n->addr, addr)) {
            return n;
        }
    }
    return NULL;
}

static struct net_packet *queue_pop(struct net *net, struct neighbour *n)
{
    if (n->queued == 0) {
        return NULL;
    }
    struct net_packet *packet = container_of(n->queue.next, struct net_packet, link);
    list_remove(&packet->link);
    n->queued--;
    net->neighbours.queued_bytes -= packet->length;
    return packet;
}

static void queue_drop(struct net *net, struct neighbour *n, enum net_drop why)
{
    struct net_packet *packet;
    while ((packet = queue_pop(net, n))) {
        net_drop(net, why);
        packet_free(net, packet);
    }
}

static void forget(struct net *net, struct neighbour *n)
{
    queue_drop(net, n, NET_DROP_NEIGHBOUR_UNREACHABLE);
    list_remove(&n->hash);
    list_remove(&n->order);
    net->neighbours.count--;
    net->neighbours.statics -= n->is_static;
    slab_free(&net->neighbours.slab, n);
}

static struct neighbour *make(struct net *net, const struct ip_addr *addr)
{
    struct net_neighbours *t = &net->neighbours;
    if (t->count >= NET_NEIGHBOURS_MAX && !list_empty(&t->idle)) {
        forget(net, container_of(t->idle.next, struct neighbour, order));
    }
    if (t->count >= NET_NEIGHBOURS_MAX) {
        net_drop(net, NET_DROP_NEIGHBOUR_TABLE_FULL);
        return NULL;
    }
    struct neighbour *n = slab_alloc(&t->slab);
    if (!n) {
        net_drop(net, NET_DROP_NO_MEMORY);
        return NULL;
    }
    n->addr = *addr;
    n->since = net->now;
    n->deadline = TIME_NEVER;
    list_init(&n->order);
    list_init(&n->queue);
    list_append((struct list *)bucket(net, addr), &n->hash);
    t->count++;
    return n;
}

static void free_all(struct net *net, struct list *head)
{
    list_for_each_safe(pos, tmp, head)
    {
        forget(net, container_of(pos, struct neighbour, order));
    }
}

void neighbours_free(struct net *net)
{
    struct net_neighbours *t = &net->neighbours;
    free_all(net, &t->idle);
    free_all(net, &t->solicited);
    free_all(net, &t->delayed);
    free_all(net, &t->waiting);
    free_all(net, &t->fixed);
}

/* ---- the state machine ---- */

/* RFC 4861 6.3.2: between half and one and a half of the base, so that stations do not ask in step.
 */
static int64_t reachable_time(struct net *net)
{
    return REACHABLE_TIME_NS / 2 + (int64_t)rng_below(&net->rng, 30001) * NS_PER_MS;
}

/* The one writer of the state: puts the entry on the list that its state belongs to and sets its
 * deadline. */
static void enter(struct net *net, ackd_time now, struct neighbour *n,
                  enum net_neighbour_state state)
{
    struct net_neighbours *t = &net->neighbours;
    struct list *list = &t->idle;
    n->deadline = TIME_NEVER;
    switch (state) {
    case NET_NEIGH_INCOMPLETE:
    case NET_NEIGH_PROBE:
        list = &t->solicited;
        n->deadline = time_add(now, RETRANS_TIMER_NS);
        break;
    case NET_NEIGH_DELAY:
        list = &t->delayed;
        n->deadline = time_add(now, DELAY_FIRST_PROBE_TIME_NS);
        break;
    case NET_NEIGH_REACHABLE:
        n->deadline = time_add(now, reachable_time(net));
        break;
    case NET_NEIGH_FAILED:
        n->deadline = time_add(now, FAILED_HOLD_NS);
        break;
    case NET_NEIGH_STALE:
        break;
    }
    if (n->state != state) {
        n->since = now;
    }
    n->state = state;
    list_remove(&n->order);
    list_append(list, &n->order);
}

/* Ours, and allowed in a solicitation: not optimistic (RFC 4429 3.2). */
static bool may_ask(struct net *net, const struct ip_addr *source)
{
    const struct net_addr *a = address_find(net, source);
    return a && a->state == NET_ADDR_PREFERRED;
}

/* The address of the packet that asked may be gone by now: then any other that reaches the
 * neighbour. */
static bool choose_source(struct net *net, struct neighbour *n)
{
    struct ip_addr other;
    uint32_t mtu;
    if (may_ask(net, &n->source)) {
        return true;
    }
    if (net_source_for(net, &n->addr, NULL, &other, &mtu) != 0 || !may_ask(net, &other)) {
        return false;
    }
    n->source = other;
    return true;
}

static void ask(struct net *net, struct neighbour *n)
{
    const uint8_t *mac = n->state == NET_NEIGH_PROBE ? n->mac : NULL;
    n->probes++;
    if (!choose_source(net, n)) {
        return; /* counts as a question without an answer */
    }
    if (ip_addr_is_v4(&n->addr)) {
        arp_solicit(net, &n->addr, &n->source, mac);
    } else {
        ndp_solicit(net, &n->addr, &n->source, mac);
    }
}

static void start_asking(struct net *net, ackd_time now, struct neighbour *n,
                         enum net_neighbour_state state)
{
    n->probes = 0;
    enter(net, now, n, state);
    ask(net, n);
}

static void resolve(struct net *net, ackd_time now, struct neighbour *n)
{
    memset(n->mac, 0, sizeof n->mac);
    n->is_router = false;
    if (may_ask(net, &n->source)) {
        start_asking(net, now, n, NET_NEIGH_INCOMPLETE);
        return;
    }
    enter(net, now, n, NET_NEIGH_INCOMPLETE);
    n->deadline = TIME_NEVER;
    list_remove(&n->order);
    list_append(&net->neighbours.waiting, &n->order);
}

static void send_queue(struct net *net, struct neighbour *n)
{
    struct net_packet *packet;
    uint16_t type = ip_addr_is_v4(&n->addr) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
    while ((packet = queue_pop(net, n))) {
        outbox_push(net, packet, n->mac, type);
    }
}

static void fail(struct net *net, ackd_time now, struct neighbour *n)
{
    bool unresolved = n->state == NET_NEIGH_INCOMPLETE;
    net->counters.neighbours_failed++;
    enter(net, now, n, NET_NEIGH_FAILED);
    if (!unresolved) {
        n->deadline =
            now; /* it was there once, perhaps with another link address: ask everybody at once */
    }
    struct net_packet *packet;
    while ((packet = queue_pop(net, n))) {
        net_drop(net, NET_DROP_NEIGHBOUR_UNREACHABLE);
        icmp_local_unreachable(net, now, packet);
        packet_free(net, packet);
    }
}

/* ---- a packet goes out ---- */

static enum neighbour_verdict use(struct net *net, ackd_time now, struct neighbour *n)
{
    if (n->is_static) {
        return NEIGHBOUR_READY;
    }
    switch (n->state) {
    case NET_NEIGH_INCOMPLETE:
        if (time_is_never(n->deadline) && may_ask(net, &n->source)) {
            start_asking(net, now, n, NET_NEIGH_INCOMPLETE);
        }
        return NEIGHBOUR_WAIT;
    case NET_NEIGH_FAILED:
        if (!time_reached(n->deadline, now)) {
            net_drop(net, NET_DROP_NEIGHBOUR_UNREACHABLE);
            return NEIGHBOUR_UNREACHABLE;
        }
        resolve(net, now, n);
        return NEIGHBOUR_WAIT;
    case NET_NEIGH_REACHABLE:
        if (!time_reached(n->deadline, now)) {
            list_remove(&n->order);
            list_append(&net->neighbours.idle, &n->order);
            return NEIGHBOUR_READY;
        }
        enter(net, now, n, NET_NEIGH_DELAY);
        return NEIGHBOUR_READY;
    case NET_NEIGH_STALE:
        enter(net, now, n, NET_NEIGH_DELAY);
        return NEIGHBOUR_READY;
    case NET_NEIGH_DELAY:
    case NET_NEIGH_PROBE:
        break;
    }
    return NEIGHBOUR_READY;
}

enum neighbour_verdict neighbour_use(struct net *net, ackd_time now, const struct ip_addr *next_hop,
                                     const struct ip_addr *source, struct neighbour **neighbour)
{
    struct neighbour *n = find(net, next_hop);
    *neighbour = n;
    if (n) {
        n->source = *source;
        return use(net, now, n);
    }
    n = make(net, next_hop);
    if (!n) {
        return NEIGHBOUR_NO_ROOM;
    }
    *neighbour = n;
    n->source = *source;
    resolve(net, now, n);
    return NEIGHBOUR_WAIT;
}

void neighbour_doubt(struct net *net, ackd_time now, struct neighbour *n)
{
    bool believed = n->state == NET_NEIGH_REACHABLE || n->state == NET_NEIGH_STALE ||
                    n->state == NET_NEIGH_DELAY;
    if (!n->is_static && believed) {
        start_asking(net, now, n, NET_NEIGH_PROBE);
    }
}

void neighbour_queue(struct net *net, struct neighbour *n, struct net_packet *packet)
{
    while (n->queued >= NET_NEIGHBOUR_QUEUE) {
        net_drop(net, NET_DROP_NEIGHBOUR_QUEUE_FULL);
        packet_free(net, queue_pop(net, n));
    }
    if (net->neighbours.queued_bytes + packet->length > NET_NEIGHBOUR_QUEUE_BYTES) {
        net_drop(net, NET_DROP_NEIGHBOUR_QUEUE_FULL);
        packet_free(net, packet);
        return;
    }
    list_append(&n->queue, &packet->link);
    n->queued++;
    net->neighbours.queued_bytes += packet->length;
}

/* ---- news of a neighbour ---- */

bool neighbour_is_solicited(const struct net *net, const struct ip_addr *addr)
{
    const struct neighbour *n = find(net, addr);
    return n && (n->state == NET_NEIGH_INCOMPLETE || n->state == NET_NEIGH_PROBE);
}

/* No address is known: INCOMPLETE, or FAILED after it. */
static bool lacks_mac(const struct neighbour *n)
{
    return n->state == NET_NEIGH_INCOMPLETE || n->state == NET_NEIGH_FAILED;
}

static void set_mac(struct net *net, ackd_time now, struct neighbour *n, const uint8_t mac[6],
                    enum net_neighbour_state state)
{
    memcpy(n->mac, mac, sizeof n->mac);
    enter(net, now, n, state);
    send_queue(net, n);
}

void neighbour_learn(struct net *net, ackd_time now, const struct ip_addr *addr,
                     const uint8_t mac[6], bool create)
{
    struct neighbour *n = find(net, addr);
    if (!n && create) {
        n = make(net, addr);
        if (n) {
            set_mac(net, now, n, mac, NET_NEIGH_STALE);
        }
        return;
    }
    if (!n || n->is_static) {
        return;
    }
    if (lacks_mac(n) || memcmp(n->mac, mac, sizeof n->mac) != 0) {
        set_mac(net, now, n, mac, NET_NEIGH_STALE);
    }
}

bool neighbour_advertised(struct net *net, ackd_time now, const struct ip_addr *addr,
                          const struct neighbour_advert *a)
{
    struct neighbour *n = find(net, addr);
    if (!n || n->is_static) {
        return n != NULL;
    }
    if (lacks_mac(n)) {
        if (a->mac) {
            n->is_router = a->router;
            set_mac(net, now, n, a->mac, a->solicited ? NET_NEIGH_REACHABLE : NET_NEIGH_STALE);
        }
        return true;
    }
    bool differs = a->mac && memcmp(n->mac, a->mac, sizeof n->mac) != 0;
    if (differs && !a->override) { /* case I */
        if (n->state == NET_NEIGH_REACHABLE) {
            enter(net, now, n, NET_NEIGH_STALE);
        }
        return true;
    }
    n->is_router = a->router; /* case II */
    if (differs) {
        memcpy(n->mac, a->mac, sizeof n->mac);
    }
    if (a->solicited) {
        enter(net, now, n, NET_NEIGH_REACHABLE);
    } else if (differs) {
        enter(net, now, n, NET_NEIGH_STALE);
    }
    return true;
}

void neighbours_source_changed(struct net *net, ackd_time now, const struct ip_addr *source,
                               bool usable)
{
    list_for_each_safe(pos, tmp, &net->neighbours.waiting)
    {
        struct neighbour *n = container_of(pos, struct neighbour, order);
        if (!ip_addr_equal(&n->source, source)) {
            continue;
        }
        if (usable) {
            start_asking(net, now, n, NET_NEIGH_INCOMPLETE);
        } else {
            fail(net, now, n);
        }
    }
}

/* ---- time ---- */

static struct neighbour *due(const struct list *list, ackd_time now)
{
    if (list_empty(list)) {
        return NULL;
    }
    struct neighbour *n = container_of(list->next, struct neighbour, order);
    return time_reached(n->deadline, now) ? n : NULL;
}

void neighbours_timeout(struct net *net, ackd_time now)
{
    struct neighbour *n;
    while ((n = due(&net->neighbours.delayed, now))) {
        start_asking(net, now, n, NET_NEIGH_PROBE);
    }
    while ((n = due(&net->neighbours.solicited, now))) {
        if (n->probes >= MAX_SOLICIT) {
            fail(net, now, n);
        } else {
            enter(net, now, n, n->state);
            ask(net, n);
        }
    }
}

static ackd_time first_deadline(const struct list *list)
{
    return list_empty(list) ? TIME_NEVER
                            : container_of(list->next, struct neighbour, order)->deadline;
}

ackd_time neighbours_deadline(const struct net *net)
{
    return time_min(first_deadline(&net->neighbours.delayed),
                    first_deadline(&net->neighbours.solicited));
}

/* ---- the public table ---- */

unsigned net_neighbour_list(const struct net *net, struct net_neighbour *out, unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NET_NEIGHBOUR_BUCKETS; i++) {
        const struct list *head = &net->neighbours.bucket[i];
        list_for_each(pos, head)
        {
            if (count == max) {
                return count;
            }
            const struct neighbour *n = container_of(pos, struct neighbour, hash);
            struct net_neighbour *o = &out[count++];
            *o = (struct net_neighbour){.addr = n->addr,
                                        .state = n->state,
                                        .is_static = n->is_static,
                                        .is_router = n->is_router,
                                        .since = n->since,
                                        .queued = n->queued};
            memcpy(o->mac, n->mac, sizeof o->mac);
            if (n->state == NET_NEIGH_REACHABLE && time_reached(n->deadline, net->now)) {
                o->state = NET_NEIGH_STALE; /* it ended at its deadline, nobody looked until now */
                o->since = n->deadline;
            }
        }
    }
    return count;
}

int net_neighbour_set(struct net *net, ackd_time now, const struct ip_addr *addr,
                      const uint8_t mac[6])
{
    net->now = now;
    if (net->config.link == NET_LINK_NONE || ip_addr_is_unspecified(addr) ||
        ip_addr_is_multicast(addr) || ip_addr_is_limited_broadcast(addr) ||
        ip_addr_is_loopback(addr) || net_is_local(net, addr) || eth_addr_is_group(mac) ||
        eth_addr_is_zero(mac)) {
        return -EINVAL;
    }
    struct neighbour *n = find(net, addr);
    bool is_static = n && n->is_static;
    if (!is_static && net->neighbours.statics >= NET_NEIGHBOURS_STATIC_MAX) {
        return -ENOSPC;
    }
    if (!n) {
        n = make(net, addr);
        if (!n) {
            return -ENOSPC;
        }
    }
    net->neighbours.statics += !is_static;
    n->is_static = true;
    n->since = now;
    set_mac(net, now, n, mac, NET_NEIGH_REACHABLE);
    n->deadline = TIME_NEVER;
    list_remove(&n->order);
    list_append(&net->neighbours.fixed, &n->order);
    return 0;
}

int net_neighbour_remove(struct net *net, const struct ip_addr *addr)
{
    struct neighbour *n = find(net, addr);
    if (!n) {
        return -ENOENT;
    }
    forget(net, n);
    return 0;
}
