/* One read is one frame that the host's kernel sent, one write is one frame that it receives, up to
 * 64 KB with segmentation offload.
 *
 * IFF_VNET_HDR puts a struct virtio_net_hdr (virtio 1.2, 5.1.6) before each frame: whether the
 * transport checksum is still to be completed, and the segment size behind a super-frame.
 * TUNSETOFFLOAD tells the kernel what it may send us; exactly checksum, TSO4, TSO6 and TSO_ECN, not
 * USO, since we take no UDP super-frames. TSO_ECN keeps the kernel from segmenting frames that
 * carry CWR itself. */
#include "host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/hash.h"
#include "host/netlink.h"

/* The kernel drops what its transmit queue to us cannot hold; the default of 1000 packets is less
 * than one large window without TSO. */
#define TAP_TX_QUEUE 16384u

void tap_mac(uint64_t key, const char *name, uint8_t mac[6])
{
    struct hash_key k = {.k0 = key, .k1 = UINT64_C(0x61636b642d6d6163)}; /* "ackd-mac" */
    uint64_t h = siphash24(&k, name, strlen(name));
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)(h >> (8 * i));
    }
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02); /* IEEE 802: locally administered, individual */
}

/* machine-id(5): stable for a machine and different between two. Without one every start has a MAC
 * of its own. */
static uint64_t machine_key(void)
{
    char text[64];
    ssize_t n = -1;
    int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof text);
        close(fd);
    }
    if (n < 32) {
        n = snprintf(text, sizeof text, "%ld", (long)getpid());
    }
    struct hash_key k = {0, 0};
    return siphash24(&k, text, (size_t)n);
}

static int step(const char **what, const char *sentence)
{
    *what = sentence;
    return -errno;
}

static int set_up_descriptor(struct tap *tap, const struct tap_config *config, const char **what)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", config->name);
    if (ioctl(tap->fd, TUNSETIFF, &ifr) < 0) {
        return step(what, errno == EBUSY ? "take over the TAP, which another program has open"
                                         : "create or take over the TAP (TUNSETIFF)");
    }
    snprintf(tap->name, sizeof tap->name, "%s", ifr.ifr_name);
    int header = sizeof(struct virtio_net_hdr);
    if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header) < 0) {
        return step(what, "set the size of the offload header (TUNSETVNETHDRSZ)");
    }
    unsigned long offload =
        config->offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    if (ioctl(tap->fd, TUNSETOFFLOAD, offload) < 0) {
        return step(what, "negotiate checksum and segmentation offload (TUNSETOFFLOAD)");
    }
    tap->index = (int)if_nametoindex(tap->name);
    return tap->index == 0 ? step(what, "find the interface") : 0;
}

/* A persistent TAP that somebody prepared for us is up already and may be beyond our rights to
 * change. */
static bool is_prepared(const struct tap *tap, uint32_t mtu)
{
    struct ifreq ifr = {0};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", tap->name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) != 0;
    bool same_mtu = up && ioctl(fd, SIOCGIFMTU, &ifr) == 0 && (uint32_t)ifr.ifr_mtu == mtu;
    if (fd >= 0) {
        close(fd);
    }
    return up && same_mtu;
}

static int set_up_interface(struct tap *tap, const struct tap_config *config, const char **what)
{
    *what = "bring the interface up";
    int r = netlink_link_up(tap->index, config->mtu, TAP_TX_QUEUE);
    if (r == -EPERM && is_prepared(tap, config->mtu)) {
        r = 0;
    }
    for (unsigned i = 0; r == 0 && i < config->n_host_addresses; i++) {
        *what = "give the host's side its address";
        r = netlink_address_add(tap->index, &config->host_address[i]);
    }
    return r;
}

int tap_open(struct tap *tap, const struct tap_config *config, const char **what)
{
    *tap = (struct tap){.fd = -1};
    tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap->fd < 0) {
        return step(what, "open /dev/net/tun");
    }
    int r = set_up_descriptor(tap, config, what);
    if (r == 0) {
        r = set_up_interface(tap, config, what);
    }
    if (r < 0) {
        tap_close(tap);
        return r;
    }
    tap_mac(config->seeded ? config->seed : machine_key(), tap->name, tap->mac);
    return 0;
}

void tap_close(struct tap *tap)
{
    if (tap->fd >= 0) {
        close(tap->fd);
        tap->fd = -1;
    }
}

void tap_offload_from_virtio(const struct virtio_net_hdr *h, struct net_offload *o)
{
    *o = (struct net_offload){
        .needs_checksum = (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0,
        .data_valid = (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0,
    };
    if (o->needs_checksum) {
        o->csum_start = h->csum_start;
        o->csum_offset = h->csum_offset;
    }
    uint8_t gso = (uint8_t)(h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN);
    if (gso != VIRTIO_NET_HDR_GSO_NONE) {
        o->gso_size = h->gso_size;
        o->gso_v6 = gso == VIRTIO_NET_HDR_GSO_TCPV6;
        o->gso_ecn = (h->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
    }
}

void tap_offload_to_virtio(const struct net_offload *o, uint16_t header_len,
                           struct virtio_net_hdr *h)
{
    memset(h, 0, sizeof *h);
    if (o->needs_checksum) {
        h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h->csum_start = o->csum_start;
        h->csum_offset = o->csum_offset;
    } else if (o->data_valid) {
        h->flags = VIRTIO_NET_HDR_F_DATA_VALID;
    }
    if (o->gso_size != 0) {
        h->gso_type = o->gso_v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        h->gso_type |= o->gso_ecn ? VIRTIO_NET_HDR_GSO_ECN : 0;
        h->gso_size = o->gso_size;
        h->hdr_len = header_len;
    }
}

ssize_t tap_read(struct tap *tap, void *data, size_t room, struct net_offload *offload)
{
    struct virtio_net_hdr header;
    struct iovec iov[2] = {{&header, sizeof header}, {data, room}};
    ssize_t n = readv(tap->fd, iov, 2);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    if ((size_t)n < sizeof header) {
        return -EBADMSG;
    }
    n -= (ssize_t)sizeof header;
    tap_offload_from_virtio(&header, offload);
    return (size_t)n == room ? -EMSGSIZE : n;
}

int tap_write(struct tap *tap, const struct net_frame *frame)
{
    struct virtio_net_hdr header;
    struct iovec iov[2 + TCP_TX_RANGES];
    tap_offload_to_virtio(&frame->offload, frame->header_len, &header);
    iov[0] = (struct iovec){&header, sizeof header};
    iov[1] = (struct iovec){(void *)frame->header, frame->header_len};
    for (unsigned i = 0; i < frame->n_ranges; i++) {
        iov[2 + i] = (struct iovec){(void *)frame->range[i].data, frame->range[i].length};
    }
    ssize_t n;
    do {
        n = writev(tap->fd, iov, 2 + (int)frame->n_ranges);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}
