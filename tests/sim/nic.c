/* Frames of the simulation. A frame that leaves is taken apart again to the octet, so that what the
 * link carries, and what a device with segmentation or checksum offload would make of it, comes
 * from the frame and its offload header, and not from the engine. */
#include "nic.h"

#include <string.h>
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define CHECKSUM_AT 16u /* of a TCP header */
#define FRAME_AT 2u     /* in a buffer, as a TAP's reader puts it */

static struct nic *nic_of(const struct host *h)
{
    return h->door_ctx;
}

static void arrive(struct nic *nic, struct pkt *pkt, uint32_t length, const struct net_offload *o)
{
    net_input(nic->net, nic->host->world->now, pkt, FRAME_AT, length, o);
    if (pkt->refs == 1) {
        memset(pkt->data, 0xee, FRAME_AT + length); /* nobody may look at it any more */
    }
    pkt_unref(pkt);
}

/* ---- frames that leave ---- */

static bool read_ipv4(struct nic *nic, const uint8_t *packet, uint32_t length, struct tcp_tx *tx)
{
    struct ipv4_hdr ip;
    if (ipv4_hdr_parse(packet, length, &ip) != IPV4_OK || ip.protocol != IP_PROTOCOL_TCP) {
        return false;
    }
    if (!ipv4_checksum_ok(packet, &ip) || !ip.dont_fragment || ip.total_length != length) {
        world_fail(nic->host->world, "%s: a packet of %u octets with a wrong IPv4 header",
                   nic->host->name, length);
    }
    tx->src = ip.src;
    tx->dst = ip.dst;
    tx->ttl = ip.ttl;
    tx->tos = ip.tos;
    return true;
}

static bool read_ipv6(struct nic *nic, const uint8_t *packet, uint32_t length, struct tcp_tx *tx)
{
    struct ipv6_hdr ip;
    if (ipv6_hdr_parse(packet, length, &ip) != IPV6_OK || ip.next_header != IP_PROTOCOL_TCP) {
        return false;
    }
    if (ip.payload_length != length - IPV6_HEADER) {
        world_fail(nic->host->world, "%s: a packet of %u octets with a wrong IPv6 header",
                   nic->host->name, length);
    }
    tx->src = ip.src;
    tx->dst = ip.dst;
    tx->ttl = ip.hop_limit;
    tx->tos = ip.traffic_class;
    return true;
}

static void check_frame(struct nic *nic, const struct net_frame *f, const struct eth_hdr *eth,
                        const struct tcp_tx *tx, uint32_t at)
{
    const struct net_offload *o = &f->offload;
    bool cwr = tx->header[13] & TCP_CWR, v6 = !ip_addr_is_v4(&tx->dst);
    bool sum = !o->needs_checksum || (o->csum_start == at && o->csum_offset == CHECKSUM_AT);
    bool gso = o->gso_size == 0 || (o->needs_checksum && o->gso_v6 == v6 && o->gso_ecn == cwr &&
                                    tx->payload_len > o->gso_size);
    if (!sum || !gso) {
        world_fail(nic->host->world, "%s: a frame whose offload header contradicts it",
                   nic->host->name);
    }
    if (memcmp(eth->dst, nic->peer->mac, ETH_ADDR) != 0 ||
        memcmp(eth->src, nic->mac, ETH_ADDR) != 0) {
        world_fail(nic->host->world, "%s: a frame to somebody else", nic->host->name);
    }
}

/* The segment in a frame, whose octets are `whole`; false: there is another thing in it. */
static bool read_segment(struct nic *nic, const struct net_frame *f, const uint8_t *whole,
                         struct tcp_tx *tx)
{
    struct eth_hdr eth;
    struct tcp_hdr h;
    memset(tx, 0, offsetof(struct tcp_tx, range));
    if (!eth_hdr_parse(whole, f->length, &eth)) {
        return false;
    }
    bool v4 = eth.type == ETH_TYPE_IPV4;
    uint32_t at = ETH_HEADER + (v4 ? IPV4_HEADER_MIN : IPV6_HEADER);
    bool tcp = v4 ? read_ipv4(nic, whole + ETH_HEADER, f->length - ETH_HEADER, tx)
                  : eth.type == ETH_TYPE_IPV6 &&
                        read_ipv6(nic, whole + ETH_HEADER, f->length - ETH_HEADER, tx);
    if (!tcp || !tcp_hdr_parse(whole + at, f->length - at, &h)) {
        return false;
    }
    tx->id = f->id;
    tx->kind = f->tx != NULL ? f->tx->kind : TCP_KIND_NONE;
    tx->checksum_partial = f->offload.needs_checksum;
    tx->gso_size = f->offload.gso_size;
    tx->header_len = h.header_len;
    memcpy(tx->header, whole + at, h.header_len);
    tx->payload_len = f->length - at - h.header_len;
    tx->n_ranges = tx->payload_len > 0;
    tx->range[0] = (struct tcp_range){whole + at + h.header_len, tx->payload_len};
    check_frame(nic, f, &eth, tx, at);
    return true;
}

static void gather(const struct net_frame *f, uint8_t *to)
{
    uint32_t n = f->header_len;
    memcpy(to, f->header, n);
    for (unsigned i = 0; i < f->n_ranges; i++) {
        memcpy(to + n, f->range[i].data, f->range[i].length);
        n += f->range[i].length;
    }
    if (n != f->length) {
        abort();
    }
}

/* ARP and ND need no simulated wire. */
static void hand_over(struct nic *nic, const uint8_t *frame, uint32_t length)
{
    struct pkt *pkt = pkt_get(tcp_pool(nic->peer->host->engine), PKT_FRAME_CAPACITY);
    if (pkt != NULL) {
        memcpy(pkt->data + FRAME_AT, frame, length);
        nic->others++;
        arrive(nic->peer, pkt, length, &(struct net_offload){0});
    }
}

static bool nic_flush(struct host *h, struct tcp_tx *tx)
{
    static uint8_t whole[PKT_FRAME_CAPACITY];
    struct nic *nic = h->door_ctx;
    struct net_frame f;
    while (net_flush(nic->net, h->world->now, &f)) {
        gather(&f, whole);
        if (read_segment(nic, &f, whole, tx)) {
            nic->largest = f.length > nic->largest ? f.length : nic->largest;
            return true;
        }
        hand_over(nic, whole, f.length);
    }
    return false;
}

/* ---- frames that arrive ---- */

/* Ethernet and IP headers towards this host; returns their length. */
static uint32_t put_headers(const struct nic *nic, uint8_t *at, const struct ip_addr *src,
                            const struct ip_addr *dst, uint8_t protocol, uint8_t ttl, uint8_t tos,
                            uint32_t payload)
{
    struct eth_hdr eth = {.type = ip_addr_is_v4(dst) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6};
    memcpy(eth.dst, nic->mac, ETH_ADDR);
    memcpy(eth.src, nic->peer->mac, ETH_ADDR);
    uint32_t n = eth_hdr_build(at, &eth);
    if (ip_addr_is_v4(dst)) {
        struct ipv4_hdr ip = {.tos = tos,
                              .total_length = (uint16_t)(IPV4_HEADER_MIN + payload),
                              .dont_fragment = true,
                              .ttl = ttl,
                              .protocol = protocol,
                              .src = *src,
                              .dst = *dst};
        ipv4_hdr_build(at + n, &ip);
        return n + IPV4_HEADER_MIN;
    }
    struct ipv6_hdr ip = {.traffic_class = tos,
                          .payload_length = (uint16_t)payload,
                          .next_header = protocol,
                          .hop_limit = ttl,
                          .src = *src,
                          .dst = *dst};
    ipv6_hdr_build(at + n, &ip);
    return n + IPV6_HEADER;
}

static void nic_input(struct host *h, const struct wire_segment *s)
{
    struct nic *nic = nic_of(h);
    struct pkt *pkt = pkt_get(tcp_pool(h->engine), PKT_FRAME_CAPACITY);
    if (pkt == NULL) {
        return; /* as a device without buffers */
    }
    uint8_t *at = pkt->data + FRAME_AT;
    uint32_t n = put_headers(nic, at, &s->src, &s->dst, IP_PROTOCOL_TCP, s->ttl, s->tos, s->length);
    memcpy(at + n, s->bytes, s->length);
    const struct net_offload o = {.data_valid = s->checksum_ok,
                                  .gso_size = s->gso_size,
                                  .gso_v6 = s->gso_size > 0 && !ip_addr_is_v4(&s->dst)};
    arrive(nic, pkt, n + s->length, &o);
}

/* The error of a router about a packet that this host sent (RFC 792, RFC 4443 section 3.2). */
static void nic_too_big(struct host *h, const struct wire_segment *s)
{
    struct nic *nic = nic_of(h);
    bool v4 = ip_addr_is_v4(&s->src);
    uint8_t quote[ETH_HEADER + IPV6_HEADER + TCP_HEADER_MAX], body[256];
    uint32_t n =
        put_headers(nic, quote, &s->src, &s->dst, IP_PROTOCOL_TCP, s->ttl, s->tos, s->length);
    memcpy(quote + n, s->bytes, TCP_HEADER_MIN);
    const struct icmp_msg msg = {.type = v4 ? ICMP4_UNREACHABLE : ICMP6_TOO_BIG,
                                 .code = v4 ? ICMP4_UNREACH_FRAGMENTATION : 0,
                                 .mtu = s->icmp_mtu,
                                 .body = quote + ETH_HEADER,
                                 .body_len = n - ETH_HEADER + TCP_HEADER_MIN};
    const struct ip_addr *router = &s->dst; /* what stands there is nobody's business */
    size_t length = v4 ? icmp4_build(body, sizeof(body), &msg)
                       : icmp6_build(body, sizeof(body), router, &s->src, &msg);
    struct pkt *pkt = pkt_get(tcp_pool(h->engine), PKT_FRAME_CAPACITY);
    if (pkt == NULL) {
        return;
    }
    uint8_t *at = pkt->data + FRAME_AT;
    n = put_headers(nic, at, router, &s->src, v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6, 64, 0,
                    (uint32_t)length);
    memcpy(at + n, body, length);
    const struct net_offload none = {0};
    arrive(nic, pkt, n + (uint32_t)length, &none);
}

/* ---- life ---- */

static void nic_timeout(struct host *h)
{
    net_timeout(nic_of(h)->net, h->world->now);
}

static ackd_time nic_deadline(const struct host *h)
{
    return net_next_deadline(nic_of(h)->net, h->world->now);
}

static const struct host_door door = {nic_flush, nic_input, nic_too_big, nic_timeout, nic_deadline};

void nic_init(struct nic nic[2], struct world *w, const struct tcp_link device[2], uint32_t mtu)
{
    for (unsigned i = 0; i < 2; i++) {
        struct nic *n = &nic[i];
        struct host *h = &w->host[i];
        struct ip_prefix prefix = {h->addr, ip_addr_is_v4(&h->addr) ? 24 : 64};
        memset(n, 0, sizeof(*n));
        n->host = h;
        n->peer = &nic[1 - i];
        n->mac[0] = 2; /* locally administered */
        n->mac[5] = (uint8_t)(1 + i);
        memory_init(&n->memory, 16u << 20);
        struct net_config config = {.arena = n->memory.arena,
                                    .engine = h->engine,
                                    .seed0 = 1,
                                    .seed1 = i,
                                    .link = NET_LINK_ETHERNET,
                                    .mtu = mtu,
                                    .checksum_offload = device[i].checksum_offload,
                                    .tso = device[i].tso};
        memcpy(config.mac, n->mac, sizeof(config.mac));
        n->net = net_new(&config, w->now);
        int error = n->net != NULL ? net_address_add(n->net, w->now, &prefix) : -1;
        if (error != 0) {
            world_fail(w, "%s: net/ does not begin: %d", h->name, error);
        }
        h->door = &door;
        h->door_ctx = n;
    }
}

void nic_free(struct nic nic[2])
{
    for (unsigned i = 0; i < 2; i++) {
        nic[i].host->door = NULL;
        net_free(nic[i].net);
        arena_free(nic[i].memory.arena);
    }
}
