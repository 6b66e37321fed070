/* The TAP: an Ethernet interface of the host whose wire is a descriptor of ours (the kernel's
 * Documentation/networking/tuntap.rst). */
#ifndef ACKD_HOST_TAP_H
#define ACKD_HOST_TAP_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "net/net.h"
#include "wire/addr.h"

struct tap {
    int fd;    /* -1: none */
    int index; /* of the interface */
    char name[16];
    uint8_t mac[6]; /* ours, not the kernel's side's */
};

struct tap_config {
    const char *name; /* of the interface: created, or taken over when it is persistent */
    uint32_t mtu;     /* bytes of IP packet */
    bool offload;     /* checksum and segmentation both ways */
    const struct ip_prefix *host_address; /* for the kernel's side */
    unsigned n_host_addresses;
    bool seeded; /* our MAC comes from `seed` and the name, else from the machine's id and the name
                  */
    uint64_t seed;
};

/* Opens, sets up and brings up. 0, or -errno with the failed step as a sentence in *what ("open
 * /dev/net/tun"). */
int tap_open(struct tap *tap, const struct tap_config *config, const char **what);
void tap_close(struct tap *tap);

/* Reads one frame into `data`. Its length, 0 when none waits, -EMSGSIZE for one larger than `room`
 * (it is gone), or -errno. */
ssize_t tap_read(struct tap *tap, void *data, size_t room, struct net_offload *offload);

/* Writes one frame: 0 or -errno. */
int tap_write(struct tap *tap, const struct net_frame *frame);

/* The virtio header of a frame and back (struct virtio_net_hdr, 10 bytes). */
void tap_offload_from_virtio(const struct virtio_net_hdr *header, struct net_offload *offload);
void tap_offload_to_virtio(const struct net_offload *offload, uint16_t header_len,
                           struct virtio_net_hdr *header);

/* Our link address for a key and an interface name: locally administered, unicast, the same for the
 * same arguments. */
void tap_mac(uint64_t key, const char *name, uint8_t mac[6]);

#endif
