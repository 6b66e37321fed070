/* A net/ on a link of its own, with virtual time: frames go in by hand, those that come out are
 * kept until looked at. */
#ifndef TEST_NET_WORLD_H
#define TEST_NET_WORLD_H

/* cmocka wants these before itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_tcp.h"
#include "net/net.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

#define WORLD_FRAMES 2048

struct sent_frame {
    uint8_t *bytes;
    uint32_t length;
    struct net_offload offload;
    bool has_tx;
    uint64_t id;
};

struct world {
    struct arena *arena;
    struct tcp_engine *engine;
    struct net *net;
    ackd_time now;
    struct sent_frame frame[WORLD_FRAMES];
    unsigned sent, seen;
};

extern const uint8_t our_mac[6], peer_mac[6], other_mac[6], broadcast_mac[6];

/* An Ethernet of MTU 1500 without addresses; a limit of 0 is 64 MiB. */
struct world *world_new(enum net_link_type link, size_t limit);
void world_free(struct world *w);
/* Our usual addresses, 10.0.0.1/24 and 2001:db8::1/64, announced and past detection; nothing seen.
 */
struct world *world_settled(void);
/* Memory runs out: the arena's source has nothing more. */
void world_starve(struct world *w);

struct ip_addr addr(const char *text);
struct ip_prefix prefix(const char *text);
void world_address(struct world *w, const char *text);

/* Lets time pass, all timers and the flush at each deadline on the way. */
void world_pass(struct world *w, int64_t ns);
/* Everything that waits to be sent goes out. */
void world_flush(struct world *w);
/* The oldest frame not seen yet, or NULL. */
struct sent_frame *world_next(struct world *w);
/* Forget what was sent so far. */
void world_forget(struct world *w);
uint64_t dropped(const struct world *w, enum net_drop why);

/* A frame for net_input, as it is built. */
struct frame {
    uint8_t b[65600];
    uint32_t length;
    struct net_offload offload;
};
void world_input(struct world *w, const struct frame *f);

/* Ethernet from the peer to us. */
void put_eth(struct frame *f, const uint8_t dst[6], uint16_t type);
void put_bytes(struct frame *f, const void *bytes, size_t length);
/* Ethernet and IP header (either family) for `payload` bytes to come. */
void put_ip(struct frame *f, const char *src, const char *dst, uint8_t protocol, uint32_t payload);
/* A whole TCP segment without options. */
void put_tcp(struct frame *f, const char *src, const char *dst, uint32_t payload);
void put_arp(struct frame *f, uint16_t op, const uint8_t sender_mac[6], const char *sender,
             const char *target);
/* A whole ICMP or ICMPv6 message. */
void put_icmp(struct frame *f, const char *src, const char *dst, const struct icmp_msg *msg);
void put_ndp(struct frame *f, const char *src, const char *dst, const struct ndp_msg *msg);
/* A packet of ours, 1000 bytes of TCP from 10.0.0.1 or 2001:db8::1, as an error would quote it:
 * returns its length. */
size_t quoted_packet(uint8_t *bytes, const char *src, const char *dst, uint8_t protocol);
/* An error of this type and code about such a packet. */
void put_error(struct frame *f, const char *router, const char *quoted_src, const char *quoted_dst,
               uint8_t type, uint8_t code, uint32_t mtu);
/* The header checksum of the IPv4 header behind the Ethernet header, after a test changed it. */
void fix_ipv4(struct frame *f);

/* Makes the peer known, so that packets to it go out at once; `ip` of either family. */
void world_know(struct world *w, const char *ip);
/* The neighbour's state, or -1. */
int neighbour_state(const struct world *w, const char *ip);

/* What a frame that we sent is. */
bool is_arp(const struct sent_frame *f, struct arp_msg *msg);
bool is_ndp(const struct sent_frame *f, struct ndp_msg *msg, struct ipv6_hdr *ip);
bool is_icmp(const struct sent_frame *f, struct icmp_msg *msg, struct ip_addr *src,
             struct ip_addr *dst);
bool is_tcp(const struct sent_frame *f);

#endif
