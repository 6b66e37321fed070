/* The way out: what waits is a FIFO of finished frames (the outbox); what the engine has to say is
 * fetched segment by segment and gets its headers in place, without a copy of the payload.
 *
 * The outbox goes first: an ARP request or an echo reply is small and old, and the segments behind
 * may depend on it. A segment whose next hop has no known link address is copied, super-frames too,
 * into that neighbour's queue, and the engine is told that it waits: the one it waits for never
 * holds up another (each has a queue of its own). */
#include <errno.h>
#include "net/internal.h"

/* ---- packets and FIFOs ---- */

struct net_packet *packet_new(struct net *net, uint32_t length)
{
    struct pkt *pkt = pkt_get(net->pool, length);
    struct net_packet *packet = pkt ? slab_alloc(&net->packets) : NULL;
    if (!packet) {
        net_drop(net, NET_DROP_NO_MEMORY);
        if (pkt) {
            pkt_unref(pkt);
        }
        return NULL;
    }
    list_init(&packet->link);
    packet->pkt = pkt;
    packet->length = length;
    return packet;
}

void packet_free(struct net *net, struct net_packet *packet)
{
    if (packet) {
        pkt_unref(packet->pkt);
        slab_free(&net->packets, packet);
    }
}

void fifo_init(struct net_fifo *fifo)
{
    list_init(&fifo->head);
    fifo->count = fifo->bytes = 0;
}

void fifo_push(struct net_fifo *fifo, struct net_packet *packet)
{
    list_append(&fifo->head, &packet->link);
    fifo->count++;
    fifo->bytes += packet->length;
}

struct net_packet *fifo_pop(struct net_fifo *fifo)
{
    if (fifo->count == 0) {
        return NULL;
    }
    struct net_packet *packet = container_of(fifo->head.next, struct net_packet, link);
    list_remove(&packet->link);
    fifo->count--;
    fifo->bytes -= packet->length;
    return packet;
}

void fifo_clear(struct net *net, struct net_fifo *fifo)
{
    struct net_packet *packet;
    while ((packet = fifo_pop(fifo))) {
        packet_free(net, packet);
    }
}

static void link_header(const struct net *net, struct net_frame *frame, const uint8_t dst[ETH_ADDR],
                        uint16_t type)
{
    struct eth_hdr eth = {.type = type};
    memcpy(eth.dst, dst, ETH_ADDR);
    memcpy(eth.src, net->config.mac, ETH_ADDR);
    frame->header_len = eth_hdr_build(frame->header, &eth);
}

static uint16_t ethertype_of(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
}

void outbox_push(struct net *net, struct net_packet *packet, const uint8_t dst_mac[6],
                 uint16_t ethertype)
{
    if (net->config.link == NET_LINK_NONE || net->outbox.count >= NET_OUTBOX_MAX ||
        net->outbox.bytes + packet->length > NET_OUTBOX_BYTES) {
        net_drop(net, NET_DROP_NO_MEMORY);
        packet_free(net, packet);
        return;
    }
    memcpy(packet->link_dst, dst_mac, ETH_ADDR);
    packet->link_type = ethertype;
    fifo_push(&net->outbox, packet);
}

/* ---- where a packet goes ---- */

enum way { WAY_LOOP, WAY_SEND, WAY_WAIT, WAY_UNREACHABLE };

/* `neighbour` is set for SEND and WAIT, `error` for UNREACHABLE (counted). */
static enum way find_way(struct net *net, ackd_time now, const struct ip_addr *src,
                         const struct ip_addr *dst, struct neighbour **neighbour, int *error)
{
    if (address_find(net, dst)) {
        return WAY_LOOP;
    }
    struct ip_addr hop;
    if (!route_next_hop(net, dst, &hop)) {
        net_drop(net, NET_DROP_NO_ROUTE);
        *error = ENETUNREACH;
        return WAY_UNREACHABLE;
    }
    switch (neighbour_use(net, now, &hop, src, neighbour)) {
    case NEIGHBOUR_READY:
        return WAY_SEND;
    case NEIGHBOUR_WAIT:
        return WAY_WAIT;
    case NEIGHBOUR_UNREACHABLE:
        *error = EHOSTUNREACH;
        return WAY_UNREACHABLE;
    case NEIGHBOUR_NO_ROOM:
        break;
    }
    *error = ENOBUFS;
    return WAY_UNREACHABLE;
}

void output_packet(struct net *net, ackd_time now, struct net_packet *packet,
                   const struct ip_addr *src, const struct ip_addr *dst)
{
    struct neighbour *neighbour = NULL;
    int error = 0;
    switch (find_way(net, now, src, dst, &neighbour, &error)) {
    case WAY_LOOP:
        loopback_push(net, packet);
        break;
    case WAY_SEND:
        outbox_push(net, packet, neighbour->mac, ethertype_of(dst));
        break;
    case WAY_WAIT:
        neighbour_queue(net, neighbour, packet);
        break;
    case WAY_UNREACHABLE:
        packet_free(net, packet);
        break;
    }
}

/* ---- segments ---- */

enum { TCP_FLAGS_AT = 13, TCP_CHECKSUM_AT = 16 };

/* What the device still has to do, with csum_start counted from `ip_at` bytes before the IP header.
 */
static struct net_offload segment_offload(const struct tcp_tx *tx, uint32_t ip_at)
{
    struct net_offload o = {.needs_checksum = tx->checksum_partial, .gso_size = tx->gso_size};
    if (o.needs_checksum) {
        o.csum_start = (uint16_t)(ip_at + ip_header_length(&tx->dst));
        o.csum_offset = TCP_CHECKSUM_AT;
    }
    if (o.gso_size > 0) {
        o.gso_v6 = !ip_addr_is_v4(&tx->dst);
        o.gso_ecn = (tx->header[TCP_FLAGS_AT] & TCP_CWR) != 0;
    }
    return o;
}

/* IP and TCP header of the segment; returns their length. */
static uint32_t segment_headers(const struct tcp_tx *tx, uint8_t *at)
{
    struct ip_out out = {
        .src = tx->src,
        .dst = tx->dst,
        .protocol = IP_PROTOCOL_TCP,
        .ttl = tx->ttl,
        .tos = tx->tos,
        .flow_label = tx->flow_label,
        .payload = tx->header_len + tx->payload_len,
    };
    uint32_t n = ip_build(at, &out);
    memcpy(at + n, tx->header, tx->header_len);
    return n + tx->header_len;
}

static void segment_frame(const struct net *net, struct tcp_tx *tx, const uint8_t mac[ETH_ADDR],
                          struct net_frame *frame)
{
    link_header(net, frame, mac, ethertype_of(&tx->dst));
    frame->header_len += (uint16_t)segment_headers(tx, frame->header + ETH_HEADER);
    frame->id = tx->id;
    frame->n_ranges = tx->n_ranges;
    memcpy(frame->range, tx->range, tx->n_ranges * sizeof tx->range[0]);
    frame->length = frame->header_len + tx->payload_len;
    frame->offload = segment_offload(tx, ETH_HEADER);
    frame->tx = tx;
}

/* The segment as a packet of its own, with its payload; NULL (counted) without memory. */
static struct net_packet *segment_copy(struct net *net, const struct tcp_tx *tx)
{
    uint32_t length = ip_header_length(&tx->dst) + tx->header_len + tx->payload_len;
    struct net_packet *packet = packet_new(net, length);
    if (!packet) {
        return NULL;
    }
    uint32_t at = segment_headers(tx, packet->pkt->data);
    for (unsigned i = 0; i < tx->n_ranges; i++) {
        memcpy(packet->pkt->data + at, tx->range[i].data, tx->range[i].length);
        at += tx->range[i].length;
    }
    packet->id = tx->id;
    packet->offload = segment_offload(tx, 0);
    return packet;
}

/* Puts the segment where it belongs; true when it is in *frame. */
static bool segment_out(struct net *net, ackd_time now, struct tcp_tx *tx, struct net_frame *frame)
{
    struct neighbour *neighbour = NULL;
    int error = 0;
    enum way way = find_way(net, now, &tx->src, &tx->dst, &neighbour, &error);
    if (way == WAY_SEND) {
        if (tx->doubtful) {
            neighbour_doubt(net, now, neighbour);
        }
        segment_frame(net, tx, neighbour->mac, frame);
        return true;
    }
    if (way == WAY_UNREACHABLE) {
        tcp_tx_failed(net->config.engine, now, tx, TCP_TX_UNREACHABLE, error);
        return false;
    }
    struct net_packet *packet = segment_copy(net, tx);
    bool kept = packet != NULL;
    if (kept && way == WAY_WAIT) {
        neighbour_queue(net, neighbour, packet);
        tcp_tx_failed(net->config.engine, now, tx, TCP_TX_NEIGHBOUR_PENDING, 0);
    } else if (kept) {
        kept = loopback_push(net, packet);
    }
    if (!kept) {
        tcp_tx_failed(net->config.engine, now, tx, TCP_TX_LOCAL_DROP, 0);
    }
    return false;
}

/* ---- the door ---- */

static bool outbox_frame(struct net *net, struct net_frame *frame)
{
    struct net_packet *packet = fifo_pop(&net->outbox);
    if (!packet) {
        return false;
    }
    net->out[net->turn].packet = packet;
    frame->id = packet->id;
    link_header(net, frame, packet->link_dst, packet->link_type);
    frame->n_ranges = 1;
    frame->range[0] = (struct tcp_range){packet->pkt->data, packet->length};
    frame->length = ETH_HEADER + packet->length;
    frame->offload = packet->offload;
    if (frame->offload.needs_checksum) {
        frame->offload.csum_start += ETH_HEADER;
    }
    frame->tx = NULL;
    return true;
}

static bool next_frame(struct net *net, ackd_time now, struct net_frame *frame)
{
    struct tcp_tx *tx = &net->out[net->turn].tx;
    uint32_t bytes = 0;
    for (unsigned n = 0; n < NET_FLUSH_BUDGET && bytes < NET_FLUSH_BYTES; n++) {
        if (outbox_frame(net, frame)) {
            return true;
        }
        if (!tcp_flush(net->config.engine, now, tx)) {
            return false;
        }
        if (segment_out(net, now, tx, frame)) {
            return true;
        }
        bytes += tx->payload_len;
    }
    net->more = true;
    return outbox_frame(net, frame);
}

void out_release(struct net *net)
{
    for (unsigned i = 0; i < NET_FRAMES; i++) {
        packet_free(net, net->out[i].packet);
        net->out[i].packet = NULL;
    }
}

bool net_flush(struct net *net, ackd_time now, struct net_frame *frame)
{
    net->now = now;
    net->more = false;
    net->turn = (net->turn + 1) % NET_FRAMES;
    packet_free(net, net->out[net->turn].packet);
    net->out[net->turn].packet = NULL;
    if (!next_frame(net, now, frame)) {
        return false;
    }
    net->counters.out_frames++;
    net->counters.out_bytes += frame->length;
    return true;
}

void net_write_failed(struct net *net, ackd_time now, const struct net_frame *frame)
{
    net->counters.out_frames--;
    net->counters.out_bytes -= frame->length;
    if (frame->tx) {
        tcp_tx_failed(net->config.engine, now, frame->tx, TCP_TX_LOCAL_DROP, 0);
    }
}
