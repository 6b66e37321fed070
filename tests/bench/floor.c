/* floor TAP MODE: what the TAP itself can carry, for a TCP that does nothing else.
 *
 * It opens the TAP as ackd does (vnet_hdr, checksum and segmentation offload) and answers IPv4 TCP
 * segments from what stands in them, without knowing any connection: a SYN with a SYN,ACK, data to
 * discard (port 9) with one ACK a frame, data to echo (port 7) with the same data, a FIN with a
 * FIN. Chargen (port 19) has a little state, of one connection: how far it has sent and how far it
 * may. There is no loss handling, no timer, no check: nothing that uses TCP's rules can be faster.
 *
 * MODE plain moves frames from and to the same memory. MODE copy also copies each byte once, as a
 * stack does that keeps a send buffer or hands received bytes to a user. MODE small turns offload
 * off: every frame is one segment; data to discard then get one ACK for all that could be read in
 * a row (at most 32), which is how often ackd acknowledges them. The neighbour entry for it has to
 * be permanent: it answers no ARP. Prints "ready" once the interface is there; ends with its
 * parent. */
#include "kernel_side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ECHO = 7, DISCARD = 9, CHARGEN = 19 };
enum { MSS = 1460, SEGMENTS = 44, BATCH = 32, SHIFT = 7, RING = 1 << 20, OUR_ISS = 1000 };

struct headers {
    struct virtio_net_hdr device;
    struct ethhdr eth;
    struct iphdr ip;
    struct tcphdr tcp;
    uint8_t options[8];
} __attribute__((packed));

struct floor {
    int fd;
    bool copies, small;
    struct headers ack; /* small: what is still to be acknowledged; source 0: nothing */
    uint8_t *pattern, *ring;
    size_t ring_at;
    /* chargen's one connection */
    struct headers to; /* a frame to it, complete but for numbers and lengths */
    bool open;
    uint32_t sent, edge;
    uint64_t offset;
    unsigned shift;
    uint8_t frame[65536 + sizeof(struct headers)];
};

static void open_tap(struct floor *f, const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    unsigned long offload = f->small ? 0 : TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    f->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (f->fd < 0 || ioctl(f->fd, TUNSETIFF, &ifr) < 0 ||
        ioctl(f->fd, TUNSETOFFLOAD, offload) < 0) {
        fail("the TAP %s", name);
    }
}

/* ---- checksums: the IP header's in full, TCP's pseudo-header only, the device does the rest ----
 */

static uint32_t sum16(const void *data, size_t length, uint32_t sum)
{
    for (size_t i = 0; i + 1 < length; i += 2) {
        uint16_t word;
        memcpy(&word, (const uint8_t *)data + i, 2);
        sum += word;
    }
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Lengths, sums and offload fields of a frame whose other fields are set. */
static void complete(struct headers *h, size_t options, size_t payload)
{
    size_t tcp = sizeof h->tcp + options + payload;
    h->ip.tot_len = htons((uint16_t)(sizeof h->ip + tcp));
    h->ip.check = 0;
    h->ip.check = (uint16_t)~fold(sum16(&h->ip, sizeof h->ip, 0));
    h->tcp.doff = (unsigned)(sizeof h->tcp + options) / 4 & 0xf;
    h->tcp.check =
        fold(sum16(&h->ip.saddr, 8, (uint32_t)htons(IPPROTO_TCP) + htons((uint16_t)tcp)));
    h->device = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = sizeof h->eth + sizeof h->ip,
        .csum_offset = offsetof(struct tcphdr, check),
    };
    if (payload > MSS) {
        h->device.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        h->device.gso_size = MSS;
        h->device.hdr_len = (uint16_t)(sizeof *h - sizeof h->device - sizeof h->options + options);
    }
}

static void send_frame(struct floor *f, struct headers *h, size_t options, const uint8_t *payload,
                       size_t length)
{
    struct iovec iov[2] = {{h, sizeof *h - sizeof h->options + options}, {(void *)payload, length}};
    complete(h, options, length);
    if (writev(f->fd, iov, 2) < 0) {
        fail("the TAP refused a frame");
    }
}

/* ---- answers ---- */

/* A frame back to where `in` came from, with the numbers that follow from it. */
static struct headers answer(const struct headers *in, uint32_t length)
{
    struct headers h = {.eth.h_proto = htons(ETH_P_IP)};
    memcpy(h.eth.h_dest, in->eth.h_source, ETH_ALEN);
    memcpy(h.eth.h_source, in->eth.h_dest, ETH_ALEN);
    h.ip.version = 4;
    h.ip.ihl = 5;
    h.ip.ttl = 64;
    h.ip.frag_off = htons(IP_DF);
    h.ip.protocol = IPPROTO_TCP;
    h.ip.saddr = in->ip.daddr;
    h.ip.daddr = in->ip.saddr;
    h.tcp.source = in->tcp.dest;
    h.tcp.dest = in->tcp.source;
    h.tcp.ack = 1;
    h.tcp.seq = in->tcp.ack_seq;
    h.tcp.ack_seq = htonl(ntohl(in->tcp.seq) + length);
    h.tcp.window = 0xffff;
    return h;
}

static unsigned window_scale(const uint8_t *options, size_t length)
{
    for (size_t i = 0; i + 2 < length && options[i] != 0;) {
        if (options[i] == 1) {
            i++;
            continue;
        }
        if (options[i] == 3) {
            return options[i + 2];
        }
        i += options[i + 1] != 0 ? options[i + 1] : 1;
    }
    return 0;
}

static void on_syn(struct floor *f, const struct headers *in)
{
    static const uint8_t options[8] = {2, 4, MSS >> 8, MSS & 0xff, 3, 3, SHIFT, 0};
    struct headers h = answer(in, 1);
    h.tcp.syn = 1;
    h.tcp.seq = htonl(OUR_ISS);
    memcpy(h.options, options, sizeof options);
    if (ntohs(in->tcp.dest) == CHARGEN) {
        f->shift = window_scale(in->options, in->tcp.doff * 4 - 20u);
        f->offset = 0;
        f->open = false;
    }
    send_frame(f, &h, sizeof options, NULL, 0);
}

static const uint8_t *copied(struct floor *f, const uint8_t *from, size_t length)
{
    if (!f->copies) {
        return from;
    }
    if (f->ring_at + length > RING) {
        f->ring_at = 0;
    }
    uint8_t *to = f->ring + f->ring_at;
    memcpy(to, from, length);
    f->ring_at += length;
    return to;
}

static void on_chargen_ack(struct floor *f, const struct headers *in)
{
    if (!f->open) {
        f->open = true;
        f->to = answer(in, 0);
        f->sent = ntohl(in->tcp.ack_seq);
    }
    f->edge = ntohl(in->tcp.ack_seq) + ((uint32_t)ntohs(in->tcp.window) << f->shift);
}

/* As many frames as the window takes. */
static void send_pattern(struct floor *f)
{
    size_t length = f->small ? MSS : MSS * SEGMENTS;
    while ((int32_t)(f->edge - f->sent) >= (int32_t)length) {
        const uint8_t *payload = copied(f, f->pattern + f->offset % PATTERN_PERIOD, length);
        f->to.tcp.seq = htonl(f->sent);
        send_frame(f, &f->to, 0, payload, length);
        f->sent += (uint32_t)length;
        f->offset += length;
    }
}

static void acknowledge(struct floor *f)
{
    if (f->ack.tcp.source != 0) {
        send_frame(f, &f->ack, 0, NULL, 0);
        f->ack.tcp.source = 0;
    }
}

static void on_segment(struct floor *f, const struct headers *in, const uint8_t *payload,
                       size_t length)
{
    if (in->tcp.rst) {
        f->open = f->open && in->tcp.source != f->to.tcp.dest;
        return;
    }
    if (in->tcp.syn) {
        on_syn(f, in);
        return;
    }
    if (ntohs(in->tcp.dest) == CHARGEN && !in->tcp.fin) {
        on_chargen_ack(f, in);
        return;
    }
    if (length == 0 && !in->tcp.fin) {
        return;
    }
    struct headers h = answer(in, (uint32_t)length + in->tcp.fin);
    h.tcp.fin = in->tcp.fin;
    if (ntohs(in->tcp.dest) == ECHO) {
        send_frame(f, &h, 0, payload, length);
        return;
    }
    copied(f, payload, length);
    if (!f->small || h.tcp.fin) {
        send_frame(f, &h, 0, NULL, 0);
        f->ack.tcp.source = 0;
        return;
    }
    if (f->ack.tcp.source != 0 && f->ack.tcp.dest != h.tcp.dest) {
        acknowledge(f);
    }
    f->ack = h;
}

static void on_frame(struct floor *f, size_t length)
{
    const struct headers *in = (const struct headers *)f->frame;
    size_t least = sizeof *in - sizeof in->options;
    if (length < least || in->eth.h_proto != htons(ETH_P_IP) || in->ip.ihl != 5 ||
        in->ip.protocol != IPPROTO_TCP) {
        return;
    }
    size_t header = sizeof in->ip + in->tcp.doff * 4u, all = ntohs(in->ip.tot_len);
    size_t before = sizeof in->device + sizeof in->eth;
    if (all >= header && before + all <= length) {
        on_segment(f, in, f->frame + before + header, all - header);
    }
}

/* Small: as many as there are, at least one. Else one. */
static void read_frames(struct floor *f)
{
    struct pollfd wait = {.fd = f->fd, .events = POLLIN};
    for (unsigned i = 0; i < (f->small ? BATCH : 1); i++) {
        ssize_t n = read(f->fd, f->frame, sizeof f->frame);
        if (n < 0 && errno == EAGAIN && i > 0) {
            break;
        }
        if (n < 0 && (errno != EAGAIN || poll(&wait, 1, -1) < 0)) {
            fail("the TAP cannot be read");
        }
        if (n > 0) {
            on_frame(f, (size_t)n);
        }
    }
    acknowledge(f);
}

int main(int argc, char **argv)
{
    static struct floor f;
    if (argc != 3) {
        fail("floor TAP plain|copy|small");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    f.copies = strcmp(argv[2], "copy") == 0;
    f.small = strcmp(argv[2], "small") == 0;
    f.pattern = pattern_new();
    f.ring = malloc(RING);
    if (f.ring == NULL) {
        fail("no memory");
    }
    open_tap(&f, argv[1]);
    if (f.small) {
        set_nonblocking(f.fd);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        read_frames(&f);
        if (f.open) {
            send_pattern(&f);
        }
    }
}
