#include "world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2},
              other_mac[6] = {2, 0, 0, 0, 0, 3},
              broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void *chunk_get(void *ctx, size_t bytes)
{
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

static void chunk_put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(chunk);
}

struct world *world_new(enum net_link_type link, size_t limit)
{
    static const struct arena_source source = {chunk_get, chunk_put, NULL};
    struct world *w = calloc(1, sizeof *w);
    assert(w);
    w->arena = arena_new(&source, limit ? limit : 64u << 20);
    w->engine = fake_tcp_new(w->arena);
    struct net_config config = {.arena = w->arena,
                                .engine = w->engine,
                                .seed0 = 1,
                                .seed1 = 2,
                                .link = link,
                                .mtu = 1500,
                                .checksum_offload = true,
                                .tso = true};
    memcpy(config.mac, our_mac, 6);
    w->now = time_from_ns(NS_PER_S);
    w->net = net_new(&config, w->now);
    assert(w->net);
    return w;
}

void world_free(struct world *w)
{
    world_forget(w);
    net_free(w->net);
    fake_tcp_free(w->engine);
    arena_free(w->arena);
    free(w);
}

struct world *world_settled(void)
{
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, "10.0.0.1/24");
    world_address(w, "2001:db8::1/64");
    world_pass(w, 5 * NS_PER_S);
    world_forget(w);
    return w;
}

void world_starve(struct world *w)
{
    for (size_t size = 1u << 20; size >= 64; size /= 2) {
        while (arena_alloc(w->arena, size)) {
        }
    }
}

struct ip_addr addr(const char *text)
{
    struct ip_addr a;
    bool ok = ip_addr_parse(text, &a);
    assert(ok);
    (void)ok;
    return a;
}

struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    bool ok = ip_prefix_parse(text, &p);
    assert(ok);
    (void)ok;
    return p;
}

void world_address(struct world *w, const char *text)
{
    struct ip_prefix p = prefix(text);
    assert_int_equal(net_address_add(w->net, w->now, &p), 0);
}

static void keep(struct world *w, const struct net_frame *f)
{
    assert(w->sent < WORLD_FRAMES);
    struct sent_frame *s = &w->frame[w->sent++];
    *s = (struct sent_frame){malloc(f->length), f->length, f->offload, f->tx != NULL, f->id};
    assert(s->bytes);
    memcpy(s->bytes, f->header, f->header_len);
    uint32_t at = f->header_len;
    for (unsigned i = 0; i < f->n_ranges; i++) {
        memcpy(s->bytes + at, f->range[i].data, f->range[i].length);
        at += f->range[i].length;
    }
    assert_int_equal(at, f->length);
}

void world_flush(struct world *w)
{
    struct net_frame f;
    while (net_flush(w->net, w->now, &f)) {
        keep(w, &f);
    }
}

void world_pass(struct world *w, int64_t ns)
{
    ackd_time end = time_add(w->now, ns);
    for (;;) {
        world_flush(w);
        ackd_time next = net_next_deadline(w->net, w->now);
        if (time_before(end, next)) {
            break;
        }
        w->now = time_max(next, w->now);
        net_timeout(w->net, w->now);
    }
    w->now = end;
    net_timeout(w->net, w->now);
    world_flush(w);
}

struct sent_frame *world_next(struct world *w)
{
    return w->seen < w->sent ? &w->frame[w->seen++] : NULL;
}

void world_forget(struct world *w)
{
    for (unsigned i = 0; i < w->sent; i++) {
        free(w->frame[i].bytes);
    }
    w->sent = w->seen = 0;
}

uint64_t dropped(const struct world *w, enum net_drop why)
{
    return net_counters(w->net)->drops[why];
}

/* The frame lies at an odd place with nothing behind it, so that a sanitizer sees a byte too many.
 */
void world_input(struct world *w, const struct frame *f)
{
    struct pkt *pkt = malloc(sizeof *pkt + 2 + f->length);
    assert(pkt);
    *pkt = (struct pkt){.refs = 1, .capacity = 2 + f->length};
    memcpy(pkt->data + 2, f->b, f->length);
    net_input(w->net, w->now, pkt, 2, f->length, &f->offload);
    assert_int_equal(pkt->refs, 1);
    free(pkt);
}

/* ---- frames to put in ---- */

void put_eth(struct frame *f, const uint8_t dst[6], uint16_t type)
{
    struct eth_hdr eth = {.type = type};
    memcpy(eth.dst, dst, 6);
    memcpy(eth.src, peer_mac, 6);
    f->length = eth_hdr_build(f->b, &eth);
    f->offload = (struct net_offload){0};
}

void put_bytes(struct frame *f, const void *bytes, size_t length)
{
    assert(f->length + length <= sizeof f->b);
    if (bytes) {
        memcpy(f->b + f->length, bytes, length);
    } else {
        memset(f->b + f->length, 0, length);
    }
    f->length += (uint32_t)length;
}

static uint32_t build_ip(uint8_t *at, const struct ip_addr *src, const struct ip_addr *dst,
                         uint8_t protocol, uint32_t payload)
{
    if (ip_addr_is_v4(dst)) {
        struct ipv4_hdr ip = {.total_length = (uint16_t)(20 + payload),
                              .ttl = 64,
                              .protocol = protocol,
                              .src = *src,
                              .dst = *dst};
        ipv4_hdr_build(at, &ip);
        return IPV4_HEADER_MIN;
    }
    struct ipv6_hdr ip = {.payload_length = (uint16_t)payload,
                          .next_header = protocol,
                          .hop_limit = 255,
                          .src = *src,
                          .dst = *dst};
    ipv6_hdr_build(at, &ip);
    return IPV6_HEADER;
}

void put_ip(struct frame *f, const char *src, const char *dst, uint8_t protocol, uint32_t payload)
{
    struct ip_addr s = addr(src), d = addr(dst);
    uint8_t mac[6];
    bool group = eth_addr_for_group(&d, mac);
    put_eth(f, group ? mac : our_mac, ip_addr_is_v4(&d) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
    f->length += build_ip(f->b + f->length, &s, &d, protocol, payload);
}

void put_tcp(struct frame *f, const char *src, const char *dst, uint32_t payload)
{
    struct ip_addr s = addr(src), d = addr(dst);
    put_ip(f, src, dst, IP_PROTOCOL_TCP, 20 + payload);
    uint8_t *at = f->b + f->length;
    struct tcp_hdr hdr = {.sport = 4000, .dport = 80, .header_len = 20, .flags = TCP_ACK};
    tcp_hdr_build(at, &hdr);
    f->length += 20;
    put_bytes(f, NULL, payload);
    uint64_t sum = tcp_pseudo_sum(&s, &d, 20 + payload);
    uint16_t checksum = checksum_finish(checksum_add(sum, at, 20 + payload));
    at[16] = (uint8_t)(checksum >> 8);
    at[17] = (uint8_t)checksum;
}

void put_arp(struct frame *f, uint16_t op, const uint8_t sender_mac[6], const char *sender,
             const char *target)
{
    struct arp_msg msg = {.op = op, .sender_ip = addr(sender), .target_ip = addr(target)};
    memcpy(msg.sender_mac, sender_mac, 6);
    memcpy(msg.target_mac, our_mac, 6);
    put_eth(f, op == ARP_REPLY ? our_mac : broadcast_mac, ETH_TYPE_ARP);
    arp_build(f->b + f->length, &msg);
    f->length += ARP_LENGTH;
}

void put_icmp(struct frame *f, const char *src, const char *dst, const struct icmp_msg *msg)
{
    struct ip_addr s = addr(src), d = addr(dst);
    static uint8_t bytes[65600];
    bool v4 = ip_addr_is_v4(&d);
    size_t n =
        v4 ? icmp4_build(bytes, sizeof bytes, msg) : icmp6_build(bytes, sizeof bytes, &s, &d, msg);
    put_ip(f, src, dst, v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6, (uint32_t)n);
    put_bytes(f, bytes, n);
}

void put_ndp(struct frame *f, const char *src, const char *dst, const struct ndp_msg *msg)
{
    struct ip_addr s = addr(src), d = addr(dst);
    uint8_t bytes[NDP_LENGTH_MAX];
    size_t n = ndp_build(bytes, &s, &d, msg);
    put_ip(f, src, dst, IP_PROTOCOL_ICMPV6, (uint32_t)n);
    put_bytes(f, bytes, n);
}

size_t quoted_packet(uint8_t *bytes, const char *src, const char *dst, uint8_t protocol)
{
    struct ip_addr s = addr(src), d = addr(dst);
    uint32_t at = build_ip(bytes, &s, &d, protocol, 1000);
    struct tcp_hdr hdr = {
        .sport = 80, .dport = 4000, .seq = seq_of(0x01020304), .header_len = 20, .flags = TCP_ACK};
    tcp_hdr_build(bytes + at, &hdr);
    memset(bytes + at + 20, 0, 980);
    return at + 1000;
}

void put_error(struct frame *f, const char *router, const char *quoted_src, const char *quoted_dst,
               uint8_t type, uint8_t code, uint32_t mtu)
{
    uint8_t quote[1100];
    struct icmp_msg msg = {.type = type, .code = code, .mtu = mtu, .body = quote};
    msg.body_len = quoted_packet(quote, quoted_src, quoted_dst, IP_PROTOCOL_TCP);
    struct ip_addr r = addr(router);
    put_icmp(f, router, ip_addr_is_v4(&r) ? "10.0.0.1" : "2001:db8::1", &msg);
}

void fix_ipv4(struct frame *f)
{
    uint8_t *ip = f->b + ETH_HEADER;
    ip[10] = ip[11] = 0;
    uint16_t checksum = checksum_finish(checksum_add(0, ip, (size_t)(ip[0] & 15) * 4));
    ip[10] = (uint8_t)(checksum >> 8);
    ip[11] = (uint8_t)checksum;
}

/* ---- neighbours ---- */

void world_know(struct world *w, const char *ip)
{
    struct ip_addr a = addr(ip);
    assert_int_equal(net_neighbour_set(w->net, w->now, &a, peer_mac), 0);
}

int neighbour_state(const struct world *w, const char *ip)
{
    static struct net_neighbour list[1024];
    struct ip_addr a = addr(ip);
    unsigned n = net_neighbour_list(w->net, list, 1024);
    for (unsigned i = 0; i < n; i++) {
        if (ip_addr_equal(&list[i].addr, &a)) {
            return (int)list[i].state;
        }
    }
    return -1;
}

/* ---- what came out ---- */

static uint16_t type_of(const struct sent_frame *f)
{
    struct eth_hdr eth;
    return f && eth_hdr_parse(f->bytes, f->length, &eth) ? eth.type : 0;
}

bool is_arp(const struct sent_frame *f, struct arp_msg *msg)
{
    return type_of(f) == ETH_TYPE_ARP &&
           arp_parse(f->bytes + ETH_HEADER, f->length - ETH_HEADER, msg);
}

static bool ip_of(const struct sent_frame *f, struct ip_addr *src, struct ip_addr *dst,
                  uint8_t *protocol, uint32_t *upper)
{
    struct ipv4_hdr v4;
    struct ipv6_hdr v6;
    if (!f) {
        return false;
    }
    const uint8_t *at = f->bytes + ETH_HEADER;
    if (type_of(f) == ETH_TYPE_IPV4) {
        assert_int_equal(ipv4_hdr_parse(at, f->length - ETH_HEADER, &v4), IPV4_OK);
        assert_true(ipv4_checksum_ok(at, &v4));
        assert_int_equal(v4.total_length, f->length - ETH_HEADER);
        assert_true(v4.dont_fragment);
        *src = v4.src, *dst = v4.dst, *protocol = v4.protocol, *upper = v4.header_len;
        return true;
    }
    if (type_of(f) == ETH_TYPE_IPV6) {
        assert_int_equal(ipv6_hdr_parse(at, f->length - ETH_HEADER, &v6), IPV6_OK);
        assert_int_equal(40u + v6.payload_length, f->length - ETH_HEADER);
        *src = v6.src, *dst = v6.dst, *protocol = v6.next_header, *upper = IPV6_HEADER;
        return true;
    }
    return false;
}

bool is_icmp(const struct sent_frame *f, struct icmp_msg *msg, struct ip_addr *src,
             struct ip_addr *dst)
{
    uint8_t protocol;
    uint32_t upper;
    if (!ip_of(f, src, dst, &protocol, &upper)) {
        return false;
    }
    const uint8_t *at = f->bytes + ETH_HEADER + upper;
    size_t length = f->length - ETH_HEADER - upper;
    if (protocol == IP_PROTOCOL_ICMP) {
        assert_true(icmp4_checksum_ok(at, length));
        return icmp4_parse(at, length, msg);
    }
    if (protocol == IP_PROTOCOL_ICMPV6) {
        assert_true(icmp6_checksum_ok(src, dst, at, length));
        return icmp6_parse(at, length, msg);
    }
    return false;
}

bool is_ndp(const struct sent_frame *f, struct ndp_msg *msg, struct ipv6_hdr *ip)
{
    if (type_of(f) != ETH_TYPE_IPV6) {
        return false;
    }
    const uint8_t *at = f->bytes + ETH_HEADER;
    assert_int_equal(ipv6_hdr_parse(at, f->length - ETH_HEADER, ip), IPV6_OK);
    at += IPV6_HEADER;
    size_t length = ip->payload_length;
    return ip->next_header == IP_PROTOCOL_ICMPV6 &&
           icmp6_checksum_ok(&ip->src, &ip->dst, at, length) &&
           ndp_parse(&ip->src, &ip->dst, ip->hop_limit, at, length, msg);
}

bool is_tcp(const struct sent_frame *f)
{
    struct ip_addr src, dst;
    uint8_t protocol;
    uint32_t upper;
    return ip_of(f, &src, &dst, &protocol, &upper) && protocol == IP_PROTOCOL_TCP;
}
