/* What lies between frames and segments: addresses, neighbours, routes, ICMP, loopback.
 *
 * As pure as the engine: frames and time come in, frames come out when asked for. net/ owns no
 * descriptor and reads no clock. The cycle of the host: net_input()*  net_timeout()  while
 * (net_flush()) write  ... and sleep until net_next_deadline(). net_timeout, net_flush and
 * net_next_deadline include the engine's; the host calls the engine itself only for events and
 * readiness. */
#ifndef ACKD_NET_NET_H
#define ACKD_NET_NET_H

#include "base/arena.h"
#include "base/pkt.h"
#include "base/time.h"
#include "tcp/tcp.h"
#include "wire/addr.h"

struct net;

/* Why a frame or packet was dropped before (or instead of) becoming a segment. X(NAME, "sentence").
 */
#define NET_DROP_REASONS(X)                                                                        \
    X(FRAME_TRUNCATED, "shorter than its link header")                                             \
    X(NOT_FOR_US, "another station's link address")                                                \
    X(ETHERTYPE_UNKNOWN, "neither IPv4 nor IPv6 nor ARP")                                          \
    X(OFFLOAD_INVALID, "an offload header that contradicts its frame")                             \
    X(IP_HEADER_TRUNCATED, "shorter than its IP header")                                           \
    X(IP_VERSION, "an IP version that contradicts the link header")                                \
    X(IP_HEADER_LENGTH, "an impossible IP header length")                                          \
    X(IP_LENGTH, "an IP length beyond the frame")                                                  \
    X(IP_CHECKSUM, "the IPv4 header checksum is wrong")                                            \
    X(IP_OPTIONS, "an IPv4 option of impossible length")                                           \
    X(IP_SOURCE_INVALID, "a source address that no host can have")                                 \
    X(IP_DESTINATION, "an IP destination that is not ours")                                        \
    X(IP_FRAGMENT, "a fragment: reassembly is not done")                                           \
    X(IP_PROTOCOL, "a protocol that nobody here speaks")                                           \
    X(IP_SOURCE_ROUTE, "an IPv4 source route (RFC 9293 MUST-51: refused unless allowed)")          \
    X(IPV6_EXTENSION, "an IPv6 extension header that is malformed or unknown")                     \
    X(ARP_MALFORMED, "an ARP packet that is truncated or not Ethernet and IPv4")                   \
    X(ARP_UNSOLICITED, "an ARP answer that nobody asked for")                                      \
    X(ARP_SPOOFED, "an ARP packet that claims one of our addresses")                               \
    X(ICMP_TRUNCATED, "an ICMP message that is too short")                                         \
    X(ICMP_CHECKSUM, "the ICMP checksum is wrong")                                                 \
    X(ICMP_TYPE, "an ICMP type or code that means nothing to us")                                  \
    X(ICMP_QUOTE, "an ICMP error that quotes no TCP segment of ours")                              \
    X(ICMP_SOURCE_QUENCH, "source quench is ignored (RFC 9293 MUST-55)")                           \
    X(ND_INVALID, "a neighbour discovery message that RFC 4861 says to discard")                   \
    X(ND_DUPLICATE_ADDRESS, "another node has one of our addresses")                               \
    X(NEIGHBOUR_QUEUE_FULL, "the queue of packets waiting for a link address is full")             \
    X(NEIGHBOUR_UNREACHABLE, "the next hop did not answer")                                        \
    X(NEIGHBOUR_TABLE_FULL, "the neighbour table is full")                                         \
    X(NO_ROUTE, "no route to the destination")                                                     \
    X(ICMP_RATE_LIMITED, "our own ICMP error was withheld by the rate limit")                      \
    X(LOOPBACK_FULL, "the queue of packets to ourselves is full")                                  \
    X(NO_MEMORY, "the memory limit is reached")
#define X(name, ...) NET_DROP_##name,
enum net_drop { NET_DROP_NONE, NET_DROP_REASONS(X) NET_DROPS };
#undef X
extern const struct tcp_reason_text net_drop_text[NET_DROPS];

#define NET_COUNTERS(X)                                                                            \
    X(in_frames, "frames", "frames received")                                                      \
    X(out_frames, "frames", "frames sent")                                                         \
    X(in_bytes, "bytes", "bytes of frames received")                                               \
    X(out_bytes, "bytes", "bytes of frames sent")                                                  \
    X(arp_in, "packets", "ARP packets received")                                                   \
    X(arp_out, "packets", "ARP packets sent")                                                      \
    X(nd_in, "packets", "neighbour discovery messages received")                                   \
    X(nd_out, "packets", "neighbour discovery messages sent")                                      \
    X(icmp_in, "packets", "ICMP and ICMPv6 messages received")                                     \
    X(icmp_out, "packets", "ICMP and ICMPv6 messages sent")                                        \
    X(echo_replies, "packets", "echo requests answered")                                           \
    X(loopback_packets, "packets", "packets to our own addresses")                                 \
    X(neighbours_failed, "neighbours", "link addresses that could not be resolved")                \
    X(checksum_by_device, "packets", "packets whose checksum the device vouched for")
struct net_counters {
#define X(name, unit, doc) uint64_t name;
    NET_COUNTERS(X)
#undef X
    uint64_t drops[NET_DROPS];
};

enum net_link_type { NET_LINK_NONE, NET_LINK_ETHERNET };

struct net_config {
    struct arena *arena;
    struct tcp_engine *engine;
    uint64_t seed0, seed1;
    enum net_link_type link;
    uint8_t mac[6];             /* ours */
    uint32_t mtu;               /* bytes of IP packet, 1280..65535 */
    bool checksum_offload, tso; /* the link takes partial checksums and super-frames */
    bool allow_source_route;
};
/* Sets the engine's link, too. NULL when out of memory. */
struct net *net_new(const struct net_config *config, ackd_time now);
void net_free(struct net *net);

/* ---- frames ---- */

/* What the virtio_net_hdr says of a frame. */
struct net_offload {
    bool needs_checksum; /* the sum at csum_start + csum_offset is partial: it never crossed a wire
                          */
    bool data_valid;     /* the device checked it */
    uint16_t csum_start, csum_offset;
    uint16_t gso_size; /* 0: not a super-frame */
    bool gso_ecn;      /* CWR on the first segment only */
    bool gso_v6;
};

/* A frame from the link: Ethernet from `offset` in pkt. References to pkt are taken where needed;
 * the caller keeps its own. */
void net_input(struct net *net, ackd_time now, struct pkt *pkt, uint32_t offset, uint32_t length,
               const struct net_offload *offload);

#define NET_FRAME_HEADER 134 /* Ethernet, IPv6, TCP with all options, rounded */

#define NET_FRAMES 8 /* that are valid at the same time */

/* A frame to write: header then ranges. Valid until NET_FRAMES more were asked for, or any other
 * call of net/ or the engine. */
struct net_frame {
    uint64_t id; /* the connection, 0 none */
    uint16_t header_len;
    uint8_t header[NET_FRAME_HEADER];
    unsigned n_ranges;
    struct tcp_range range[TCP_TX_RANGES];
    uint32_t length;            /* header and ranges */
    struct net_offload offload; /* needs_checksum, csum_*, gso_*: as for the virtio header */
    struct tcp_tx *tx;          /* the segment inside, NULL for ARP, ND, ICMP and queued packets */
};
/* The next frame, or false. Packets to our own addresses never show: they loop back inside,
 * boundedly per call (then true is not returned for them, and net_next_deadline() is `now`). */
bool net_flush(struct net *net, ackd_time now, struct net_frame *frame);
/* The write of one of the last NET_FRAMES frames failed; they stay valid. */
void net_write_failed(struct net *net, ackd_time now, const struct net_frame *frame);

void net_timeout(struct net *net, ackd_time now);
ackd_time net_next_deadline(const struct net *net, ackd_time now);

/* ---- addresses, routes, neighbours ---- */

enum net_address_state { NET_ADDR_OPTIMISTIC, NET_ADDR_PREFERRED, NET_ADDR_DUPLICATE };
struct net_address {
    struct ip_prefix prefix; /* address and on-link prefix length */
    enum net_address_state state;
};
/* -EEXIST, -EINVAL (not a unicast address), -ENOSPC (64). IPv4 is announced, IPv6 starts optimistic
 * (RFC 4429). */
int net_address_add(struct net *net, ackd_time now, const struct ip_prefix *prefix);
/* -ENOENT. Its connections end (MUST-45). */
int net_address_remove(struct net *net, ackd_time now, const struct ip_addr *addr);
unsigned net_address_list(const struct net *net, struct net_address *out, unsigned max);
bool net_is_local(const struct net *net, const struct ip_addr *addr);

struct net_route {
    struct ip_prefix prefix; /* ::/0 or 0.0.0.0/0 is the default route */
    struct ip_addr gateway;  /* none: on link */
};
int net_route_add(
    struct net *net,
    const struct net_route *route); /* -EEXIST, -ENOSPC, -ENETUNREACH (gateway not on link) */
int net_route_remove(struct net *net, const struct ip_prefix *prefix);
unsigned net_route_list(const struct net *net, struct net_route *out,
                        unsigned max); /* connected ones included */

/* RFC 4861 7.3.2 */
enum net_neighbour_state {
    NET_NEIGH_INCOMPLETE,
    NET_NEIGH_REACHABLE,
    NET_NEIGH_STALE,
    NET_NEIGH_DELAY,
    NET_NEIGH_PROBE,
    NET_NEIGH_FAILED
};
struct net_neighbour {
    struct ip_addr addr;
    uint8_t mac[6]; /* zero while INCOMPLETE */
    enum net_neighbour_state state;
    bool is_static, is_router;
    ackd_time since;
    uint32_t queued; /* packets waiting */
};
unsigned net_neighbour_list(const struct net *net, struct net_neighbour *out, unsigned max);
int net_neighbour_set(struct net *net, ackd_time now, const struct ip_addr *addr,
                      const uint8_t mac[6]); /* static; -EINVAL, -ENOSPC */
int net_neighbour_remove(struct net *net, const struct ip_addr *addr); /* -ENOENT */

/* For OPEN: the source address towards dst (RFC 6724 in small: same family, longest prefix,
 * preferred) and EMTU_S. `want` may name one of ours. -ENETUNREACH (no route), -EADDRNOTAVAIL
 * (`want` is not ours, or dst invalid: MUST-46). */
int net_source_for(const struct net *net, const struct ip_addr *dst, const struct ip_addr *want,
                   struct ip_addr *src, uint32_t *mtu);

const struct net_counters *net_counters(const struct net *net);

#endif
