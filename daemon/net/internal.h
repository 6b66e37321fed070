/* What the files of net/ share: the state, and the doors between its layers. A frame climbs
 * ethernet -> ipv4 | ipv6 -> icmp | engine; a packet descends ipv4 | ipv6 -> output -> (loopback |
 * route -> neighbour) -> outbox -> net_flush(). */
#ifndef ACKD_NET_INTERNAL_H
#define ACKD_NET_INTERNAL_H

#include "base/hash.h"
#include "base/list.h"
#include "base/rng.h"
#include "net/net.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

#define NET_ADDRESSES_MAX 64u
#define NET_ROUTES_MAX 64u
#define NET_NEIGHBOURS_MAX 1024u
#define NET_NEIGHBOUR_BUCKETS 256u
#define NET_NEIGHBOURS_STATIC_MAX 512u /* the rest is always there for the ones we learn */
/* Packets a neighbour (RFC 4861 7.2.2 asks for one at least): the answers to a burst of SYNs that
 * came through a gateway whose address is not known yet, each of which would else be lost for a
 * second. */
#define NET_NEIGHBOUR_QUEUE 32u
#define NET_NEIGHBOUR_QUEUE_BYTES (8u << 20) /* of all neighbours together */
#define NET_OUTBOX_MAX 1024u
#define NET_OUTBOX_BYTES (8u << 20)
#define NET_LOOPBACK_MAX 512u
#define NET_LOOPBACK_BYTES (16u << 20)
#define NET_FLUSH_BUDGET                                                                           \
    32u /* segments a call of net_flush() may take from the engine without yielding one */
#define NET_FLUSH_BYTES                                                                            \
    (256u << 10) /* the same in bytes: they were copied to ourselves, or for a neighbour */
#define NET_LOOPBACK_BUDGET 32u /* packets to ourselves a call of net_timeout() delivers */
#define NET_PMTU_MAX 1024u
#define NET_PMTU_BUCKETS 256u

#define NET_MTU_MIN_V4                                                                             \
    552u /* a smaller one is not believed: tiny segments are an attack (RFC 5927 section 7) */
#define NET_MTU_MIN_V6 1280u /* RFC 8200 section 5 */

/* One of our addresses. */
struct net_addr {
    struct ip_prefix prefix;
    enum net_address_state state;
    uint8_t announcements; /* IPv4: still to send */
    ackd_time at;          /* the next step of dad.c, or TIME_NEVER */
    ackd_time defend_at;   /* IPv4: not before this may it be defended again */
};

/* A packet of ours that waits: for a link address, for net_flush(), or for its way back up. */
struct net_packet {
    struct list link;
    struct pkt *pkt; /* the packet behind the link header, from data[0] */
    uint32_t length;
    uint64_t id;                /* the connection, 0 none */
    struct net_offload offload; /* csum_start counts from the packet's first byte */
    uint8_t link_dst[ETH_ADDR]; /* once it is a frame */
    uint16_t link_type;
};

struct neighbour {
    struct list hash;
    struct list order; /* on exactly one of the lists of struct net_neighbours */
    struct ip_addr addr;
    struct ip_addr source; /* ours, of the packet that asked last: solicitations come from it */
    uint8_t mac[6];
    enum net_neighbour_state state;
    bool is_static, is_router;
    uint8_t probes; /* solicitations sent in this INCOMPLETE or PROBE */
    ackd_time since;
    ackd_time deadline; /* INCOMPLETE, DELAY, PROBE: the timer; REACHABLE: until; FAILED: not asked
                           again before */
    struct list queue;  /* struct net_packet */
    uint32_t queued;
};

struct net_neighbours {
    struct slab slab;
    struct list bucket[NET_NEIGHBOUR_BUCKETS];
    struct list idle;      /* REACHABLE, STALE, FAILED: least recently used first, may be evicted */
    struct list solicited; /* INCOMPLETE, PROBE: the timer is RetransTimer for all, so the list is
                              in order of deadlines */
    struct list delayed;   /* DELAY: likewise */
    struct list waiting; /* INCOMPLETE without a timer: may not ask before our address is no longer
                            optimistic */
    struct list fixed;   /* static */
    uint32_t count, statics;
    uint32_t queued_bytes;
};

struct pmtu_entry {
    struct list hash, order;
    struct ip_addr dst;
    uint32_t mtu;
    ackd_time expires;
};

struct net_pmtu {
    struct slab slab;
    struct list bucket[NET_PMTU_BUCKETS];
    struct list order; /* oldest update first */
    uint32_t count;
};

/* A bounded FIFO of packets. */
struct net_fifo {
    struct list head;
    uint32_t count, bytes;
};

struct net {
    struct net_config config;
    struct pkt_pool *pool;
    struct hash_key key;
    struct rng rng;
    ackd_time now; /* of the last call that told it */
    struct net_counters counters;

    struct net_addr address[NET_ADDRESSES_MAX];
    unsigned n_addresses;
    struct net_route route[NET_ROUTES_MAX];
    unsigned n_routes;
    struct net_neighbours neighbours;
    struct net_pmtu pmtu;

    struct slab packets;
    struct net_fifo outbox;        /* frames ready for net_flush() */
    struct net_fifo loopback;      /* packets to ourselves */
    struct {                       /* of the last frames, in turn: */
        struct net_packet *packet; /* what it points into, */
        struct tcp_tx tx;          /* or the segment in it */
    } out[NET_FRAMES];
    unsigned turn;        /* the last frame's */
    bool more;            /* net_flush() stopped at its budget */
    uint32_t icmp_tokens; /* errors that may be sent now */
    ackd_time icmp_refilled;
};

static inline void net_drop(struct net *net, enum net_drop why)
{
    net->counters.drops[why]++;
}

/* ---- a packet on its way up ---- */

struct net_rx {
    ackd_time now;
    struct pkt *pkt;
    uint32_t
        frame; /* offset of the frame's first byte in pkt->data: csum_start counts from there */
    uint32_t offset, length; /* of what the next layer shall read */
    struct net_offload offload;
    bool looped;     /* it never left this machine */
    bool link_group; /* link destination broadcast or multicast */
    /* from the IP header */
    uint32_t ip_offset, ip_length; /* of the whole packet */
    struct ip_addr src, dst;
    uint8_t ttl, tos;
    uint8_t protocol;
    bool ip_group;    /* IP destination broadcast or multicast */
    bool in_fragment; /* behind an IPv6 fragment header, though whole (RFC 6946) */
};

static inline const uint8_t *rx_bytes(const struct net_rx *rx)
{
    return rx->pkt->data + rx->offset;
}

/* ipv4.c, ipv6.c: the packet at rx->offset, rx->length may be longer than the packet (padding). */
void ipv4_input(struct net *net, struct net_rx *rx);
void ipv6_input(struct net *net, struct net_rx *rx);
/* arp.c: the packet behind the Ethernet header. */
void arp_input(struct net *net, struct net_rx *rx);
/* icmp.c: the message at rx->offset. */
void icmp_init(struct net *net);
void icmp_input_v4(struct net *net, struct net_rx *rx);
void icmp_input_v6(struct net *net, struct net_rx *rx);
/* ndp.c: a neighbour solicitation or advertisement whose checksum is right. */
void ndp_input(struct net *net, struct net_rx *rx);

/* ethernet.c: does the offload header say something possible of the transport header at rx->offset?
 * Counts OFFLOAD_INVALID if not. */
bool offload_check(struct net *net, const struct net_rx *rx);
/* net.c: hands a segment to the engine. */
void net_tcp_input(struct net *net, struct net_rx *rx);

/* icmp.c: an error of ours about this packet, when RFC 1122 3.2.2, RFC 4443 2.4 and the rate limit
 * allow one. */
struct icmp_complaint {
    uint8_t type, code;
    uint32_t pointer;  /* of a parameter problem: offset in the packet */
    bool to_group_too; /* a multicast destination does not forbid it (RFC 4443 2.4(e.3)) */
};
void icmp_error(struct net *net, const struct net_rx *rx, const struct icmp_complaint *complaint);
/* Tells the engine of a packet of ours that never left: its next hop does not answer (RFC
 * 4861 7.2.2). */
void icmp_local_unreachable(struct net *net, ackd_time now, const struct net_packet *packet);

/* ---- a packet on its way down ---- */

/* output.c: a packet with room for `length` bytes, NULL (counted) without memory. */
struct net_packet *packet_new(struct net *net, uint32_t length);
void packet_free(struct net *net, struct net_packet *packet);
void fifo_init(struct net_fifo *fifo);
void fifo_push(struct net_fifo *fifo, struct net_packet *packet);
struct net_packet *fifo_pop(struct net_fifo *fifo); /* NULL when empty */
void fifo_clear(struct net *net, struct net_fifo *fifo);
/* Lets go of what the last frames of net_flush() point into. */
void out_release(struct net *net);
/* Puts the Ethernet header before the packet and the frame into the outbox. Takes the packet. */
void outbox_push(struct net *net, struct net_packet *packet, const uint8_t dst_mac[6],
                 uint16_t ethertype);
/* An IP packet of ours, complete with its header, to wherever its destination is. Takes the packet.
 */
void output_packet(struct net *net, ackd_time now, struct net_packet *packet,
                   const struct ip_addr *src, const struct ip_addr *dst);

/* ipv4.c, ipv6.c: writes the header of a packet with `payload` bytes behind it; returns its length.
 */
struct ip_out {
    struct ip_addr src, dst;
    uint8_t protocol, ttl, tos;
    uint32_t flow_label;
    uint32_t payload;
};
uint32_t ipv4_build(uint8_t *header, const struct ip_out *out);
uint32_t ipv6_build(uint8_t *header, const struct ip_out *out);
static inline uint32_t ip_build(uint8_t *header, const struct ip_out *out)
{
    return ip_addr_is_v4(&out->dst) ? ipv4_build(header, out) : ipv6_build(header, out);
}
static inline uint32_t ip_header_length(const struct ip_addr *dst)
{
    return ip_addr_is_v4(dst) ? IPV4_HEADER_MIN : IPV6_HEADER;
}

/* loopback.c */
/* Takes the packet; false (counted, freed) when the queue is full. */
bool loopback_push(struct net *net, struct net_packet *packet);
/* Delivers what was queued before the call. */
void loopback_run(struct net *net, ackd_time now);

/* ---- addresses and routes ---- */

/* address.c: ours and usable (not DUPLICATE), or NULL. */
struct net_addr *address_find(struct net *net, const struct ip_addr *addr);
/* Any of ours, DUPLICATE included. */
struct net_addr *address_find_any(struct net *net, const struct ip_addr *addr);
/* Is it the directed broadcast address of one of our subnets? */
bool address_is_broadcast(const struct net *net, const struct ip_addr *addr);
/* Is it the solicited-node multicast address (RFC 4291 2.7.1) of one of ours? */
bool address_is_our_solicited_node(const struct net *net, const struct ip_addr *addr);

/* route.c: is dst a neighbour on the link? */
bool route_on_link(const struct net *net, const struct ip_addr *dst);
/* The neighbour to hand a packet for dst to: longest prefix first, connected before gateways.
 * False: no route. */
bool route_next_hop(const struct net *net, const struct ip_addr *dst, struct ip_addr *next_hop);

/* dad.c */
void dad_start(struct net *net, ackd_time now, struct net_addr *address);
/* Another node uses the address: while optimistic that ends its life (RFC 4862 5.4.5), afterwards
 * it is only counted. */
void dad_conflict(struct net *net, ackd_time now, struct net_addr *address);
/* Another station claims our IPv4 address: one announcement per DEFEND_INTERVAL (RFC 5227 2.4). */
void dad_defend(struct net *net, ackd_time now, struct net_addr *address);
void dad_timeout(struct net *net, ackd_time now);
ackd_time dad_deadline(const struct net *net);

/* ---- neighbours ---- */

void neighbours_init(struct net *net);
void neighbours_free(struct net *net);
enum neighbour_verdict {
    NEIGHBOUR_READY,       /* mac is valid: send */
    NEIGHBOUR_WAIT,        /* being resolved: neighbour_queue() */
    NEIGHBOUR_UNREACHABLE, /* it did not answer a moment ago */
    NEIGHBOUR_NO_ROOM,     /* the table is full of neighbours being resolved */
};
/* A packet from `source` is about to go to `next_hop`: finds or makes the entry and moves its state
 * machine. Counts what it refuses. */
enum neighbour_verdict neighbour_use(struct net *net, ackd_time now, const struct ip_addr *next_hop,
                                     const struct ip_addr *source, struct neighbour **neighbour);
/* Takes the packet until the address is known; the oldest of a full queue makes room (RFC
 * 4861 7.2.2). */
/* TCP gets no answer through it (RFC 9293 section 3.8.3, R1; RFC 4861 7.3.3): asks whether it is
 * still there. */
void neighbour_doubt(struct net *net, ackd_time now, struct neighbour *n);
void neighbour_queue(struct net *net, struct neighbour *neighbour, struct net_packet *packet);
/* A request told its sender's link address (RFC 4861 7.2.3, RFC 826): a new one is STALE, `create`
 * says whether to make it. */
void neighbour_learn(struct net *net, ackd_time now, const struct ip_addr *addr,
                     const uint8_t mac[6], bool create);
/* An advertisement or ARP reply (RFC 4861 7.2.5). `mac` NULL: none was given. False when nobody
 * knows this neighbour. */
struct neighbour_advert {
    const uint8_t *mac;
    bool solicited, override, router;
};
bool neighbour_advertised(struct net *net, ackd_time now, const struct ip_addr *addr,
                          const struct neighbour_advert *advert);
/* Is an answer from it awaited? */
bool neighbour_is_solicited(const struct net *net, const struct ip_addr *addr);
/* Our address `source` may be used for solicitations from now on (`usable`), or is gone. */
void neighbours_source_changed(struct net *net, ackd_time now, const struct ip_addr *source,
                               bool usable);
void neighbours_timeout(struct net *net, ackd_time now);
ackd_time neighbours_deadline(const struct net *net);

/* The messengers. `mac` NULL: to everybody (broadcast, solicited-node group); else unicast. */
void arp_solicit(struct net *net, const struct ip_addr *target, const struct ip_addr *source,
                 const uint8_t *mac);
void arp_announce(struct net *net, const struct ip_addr *addr);
void ndp_solicit(struct net *net, const struct ip_addr *target, const struct ip_addr *source,
                 const uint8_t *mac);
/* Duplicate address detection: from the unspecified address (RFC 4862 5.4.2). */
void ndp_solicit_dad(struct net *net, const struct ip_addr *target);

/* ---- path MTU ---- */

void pmtu_init(struct net *net);
void pmtu_free(struct net *net);
/* EMTU_S towards dst, bytes of IP packet. */
uint32_t pmtu_get(const struct net *net, ackd_time now, const struct ip_addr *dst);
/* A router's word, already judged; never raises (RFC 8201 section 4). */
void pmtu_lower(struct net *net, ackd_time now, const struct ip_addr *dst, uint32_t mtu);
/* The plateau below `length` (RFC 1191 7.1) for routers that name no MTU. */
uint32_t pmtu_plateau(uint32_t length);

#endif
