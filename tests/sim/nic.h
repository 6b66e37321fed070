/* A host's net/ on a simulated Ethernet: what its engine sends leaves as frames, with the offload
 * header that a TAP would get, and what arrives comes as frames; neighbours are resolved (ARP, ND),
 * and a hop that is too narrow answers with an ICMP error. The links carry what is in the frames:
 * TCP segments. */
#ifndef SIM_NIC_H
#define SIM_NIC_H

#include "net/net.h"
#include "world.h"

struct nic {
    struct host *host;
    struct nic *peer; /* at the other end of the wire */
    struct memory memory;
    struct net *net;
    uint8_t mac[6];
    uint64_t others;  /* frames sent of ARP and ND */
    uint32_t largest; /* octets of a frame with a segment */
};

/* Puts net/ between both hosts' engines and links, on devices as in `device`, with an address of
 * the family that the hosts have. Before any connection. */
void nic_init(struct nic nic[2], struct world *w, const struct tcp_link device[2], uint32_t mtu);
void nic_free(struct nic nic[2]);

#endif
