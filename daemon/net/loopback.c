/* Packets to our own addresses (RFC 1122 3.2.1.3(g): they never leave the host).
 *
 * They are copied once, queued as the packets they would be on a wire, and come back up through the
 * same input code on the next turn of the host's cycle. What a device would have to finish is not
 * done at all: a super-frame returns as a super-frame with its segment size, and a sum that never
 * crossed a wire needs no check. The queue is bounded in packets and bytes,
 * and so is what one turn delivers. */
#include "net/internal.h"

bool loopback_push(struct net *net, struct net_packet *packet)
{
    if (net->loopback.count >= NET_LOOPBACK_MAX ||
        net->loopback.bytes + packet->length > NET_LOOPBACK_BYTES) {
        net_drop(net, NET_DROP_LOOPBACK_FULL);
        packet_free(net, packet);
        return false;
    }
    net->counters.loopback_packets++;
    fifo_push(&net->loopback, packet);
    return true;
}

static void deliver(struct net *net, ackd_time now, const struct net_packet *packet)
{
    struct net_rx rx = {
        .now = now,
        .pkt = packet->pkt,
        .length = packet->length,
        .offload = packet->offload,
        .looped = true,
    };
    bool v4 = packet->pkt->data[0] >> 4 == 4;
    if (v4) {
        ipv4_input(net, &rx);
    } else {
        ipv6_input(net, &rx);
    }
}

void loopback_run(struct net *net, ackd_time now)
{
    uint32_t n =
        net->loopback.count < NET_LOOPBACK_BUDGET ? net->loopback.count : NET_LOOPBACK_BUDGET;
    for (; n > 0; n--) {
        struct net_packet *packet = fifo_pop(&net->loopback);
        deliver(net, now, packet);
        packet_free(net, packet);
    }
}
