/* flood INTERFACE ADDRESS SOURCE COUNT: a synthetic peer with a million connections.
 *
 * It stands on the kernel's side of ackd's TAP with a link address and COUNT addresses of its own
 * (SOURCE, SOURCE+1, ...; 64000 ports of each), by a packet socket: the kernel's TCP does not see
 * it. Of a connection it knows no more than two sequence numbers; there is no timer, no loss
 * handling, no check. Whatever is under way is bounded, so that the TAP's queue never overflows.
 *
 * Commands on stdin, a line each; each is answered with a line of JSON:
 *
 *   open FIRST N PORT W      opens connections FIRST... to PORT, W handshakes under way
 *   echo FIRST N SECONDS W   W connections of these at a time, picked at random, each send a byte
 *                            to the echo service and acknowledge it when it is back
 *   half FIRST N PORT        a SYN for each; the answers are not acknowledged
 *   ends FIRST N PORT W      as open, and answers the FIN that the peer sends: its TIME-WAIT
 *   close FIRST N W          a reset for each
 *
 * "repeats" counts segments that the peer sent again, "strays" those that belong to nothing; both
 * make a measurement void, as "unfinished" does: what had no answer within 5 s. Between commands it
 * goes on answering. Prints "ready"; ends with its parent. */
#include "kernel_side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTS = 64000, FIRST_PORT = 1024, MAX_SOURCES = 64, BATCH = 64, ROOM = 256 };
enum { MSS = 1460, SHIFT = 7, SOCKET_BUFFER = 32 << 20 };
static const int64_t patience_ns = 5000000000;

struct arp {
    struct arphdr head;
    uint8_t sender_mac[6], sender[4], target_mac[6], target[4];
} __attribute__((packed));

struct frame {
    struct virtio_net_hdr device;
    struct ethhdr eth;
    union {
        struct {
            struct iphdr ip;
            struct tcphdr tcp;
            uint8_t options[8]; /* or payload */
        } __attribute__((packed));
        struct arp arp;
    };
} __attribute__((packed));

enum phase { FREE, OPENING, OPEN, BUSY, HALF };

struct connection {
    uint32_t snd_nxt, rcv_nxt;
    uint16_t port;
    uint8_t phase;
};

enum command { IDLE, DO_OPEN, DO_ECHO, DO_HALF, DO_ENDS };

struct flood {
    int fd;
    uint8_t mac[6], peer_mac[6];
    uint32_t peer, source; /* addresses, in host order */
    unsigned n_sources;
    bool resolved;
    struct connection *connection;
    uint32_t n_connections;
    /* the running command */
    enum command command;
    uint32_t first, count, next, under_way, done;
    uint64_t repeats, strays, random;
    int64_t progress; /* when something was done last */
    /* frames to send, frames received */
    struct frame out[BATCH];
    struct iovec out_iov[BATCH], in_iov[BATCH];
    struct mmsghdr out_msg[BATCH], in_msg[BATCH];
    unsigned n_out;
    uint8_t in[BATCH][ROOM];
};

/* ---- out ---- */

static void flush(struct flood *f)
{
    for (unsigned at = 0; at < f->n_out;) {
        int n = sendmmsg(f->fd, f->out_msg + at, f->n_out - at, 0);
        if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
            fail("send");
        }
        at += n > 0 ? (unsigned)n : 0;
    }
    f->n_out = 0;
}

static struct frame *next_frame(struct flood *f)
{
    if (f->n_out == BATCH) {
        flush(f);
    }
    return &f->out[f->n_out];
}

static void push(struct flood *f, size_t length)
{
    f->out_iov[f->n_out].iov_len = length;
    f->n_out++;
}

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

/* Queues a segment of a connection; what follows the header are options when it is a SYN, else
 * payload. */
static void segment(struct flood *f, uint32_t index, uint8_t flags, const void *tail, size_t length)
{
    const struct connection *k = &f->connection[index];
    struct frame *h = next_frame(f);
    size_t tcp = sizeof h->tcp + length;
    memset(h, 0, offsetof(struct frame, options));
    memcpy(h->eth.h_dest, f->peer_mac, ETH_ALEN);
    memcpy(h->eth.h_source, f->mac, ETH_ALEN);
    h->eth.h_proto = htons(ETH_P_IP);
    h->ip = (struct iphdr){
        .version = 4,
        .ihl = 5,
        .ttl = 64,
        .frag_off = htons(IP_DF),
        .protocol = IPPROTO_TCP,
        .saddr = htonl(f->source + index / PORTS),
        .daddr = htonl(f->peer),
        .tot_len = htons((uint16_t)(sizeof h->ip + tcp)),
    };
    h->ip.check = (uint16_t)~fold(sum16(&h->ip, sizeof h->ip, 0));
    h->tcp.source = htons((uint16_t)(FIRST_PORT + index % PORTS));
    h->tcp.dest = htons(k->port);
    h->tcp.seq = htonl(k->snd_nxt);
    h->tcp.ack_seq = htonl(flags & TH_ACK ? k->rcv_nxt : 0);
    ((uint8_t *)&h->tcp)[13] = flags;
    h->tcp.doff = (sizeof h->tcp + (flags & TH_SYN ? length : 0)) / 4 & 0xf;
    h->tcp.window = 0xffff;
    h->tcp.check =
        fold(sum16(&h->ip.saddr, 8, (uint32_t)htons(IPPROTO_TCP) + htons((uint16_t)tcp)));
    h->device = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = sizeof h->eth + sizeof h->ip,
        .csum_offset = offsetof(struct tcphdr, check),
    };
    if (length > 0) {
        memcpy(h->options, tail, length);
    }
    push(f, offsetof(struct frame, options) + length);
}

static void arp(struct flood *f, uint16_t operation, const uint8_t *to, uint32_t us, uint32_t them)
{
    static const uint8_t everyone[ETH_ALEN] = {255, 255, 255, 255, 255, 255};
    struct frame *h = next_frame(f);
    uint32_t sender = htonl(us), target = htonl(them);
    memset(h, 0, sizeof *h);
    memcpy(h->eth.h_dest, to != NULL ? to : everyone, ETH_ALEN);
    memcpy(h->eth.h_source, f->mac, ETH_ALEN);
    h->eth.h_proto = htons(ETH_P_ARP);
    h->arp.head = (struct arphdr){htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(operation)};
    memcpy(h->arp.sender_mac, f->mac, ETH_ALEN);
    memcpy(h->arp.sender, &sender, 4);
    memcpy(h->arp.target_mac, to != NULL ? to : (const uint8_t[ETH_ALEN]){0}, ETH_ALEN);
    memcpy(h->arp.target, &target, 4);
    push(f, offsetof(struct frame, arp) + sizeof h->arp);
}

/* ---- connections ---- */

static void syn(struct flood *f, uint32_t index, uint16_t port, enum phase phase)
{
    static const uint8_t options[8] = {2, 4, MSS >> 8, MSS & 0xff, 3, 3, SHIFT, 0};
    struct connection *k = &f->connection[index];
    k->snd_nxt = index * 2654435761u;
    k->port = port;
    k->phase = (uint8_t)phase;
    segment(f, index, TH_SYN, options, sizeof options);
    k->snd_nxt++;
}

static void finished(struct flood *f)
{
    f->under_way--;
    f->done++;
    f->progress = 0;
}

static void on_syn_ack(struct flood *f, uint32_t index, const struct frame *in)
{
    struct connection *k = &f->connection[index];
    if (k->phase == HALF) {
        f->done += f->command == DO_HALF && k->rcv_nxt == 0;
        k->rcv_nxt = ntohl(in->tcp.seq) + 1;
        return;
    }
    if (k->phase != OPENING || ntohl(in->tcp.ack_seq) != k->snd_nxt) {
        f->repeats++;
        return;
    }
    k->rcv_nxt = ntohl(in->tcp.seq) + 1;
    k->phase = OPEN;
    segment(f, index, TH_ACK, NULL, 0);
    if (f->command == DO_OPEN) {
        finished(f);
    }
}

static void on_data(struct flood *f, uint32_t index, const struct frame *in, uint32_t length)
{
    struct connection *k = &f->connection[index];
    bool expected = ntohl(in->tcp.seq) == k->rcv_nxt;
    f->repeats += !expected;
    if (expected) {
        k->rcv_nxt += length + in->tcp.fin;
    }
    if (in->tcp.fin) {
        segment(f, index, TH_FIN | TH_ACK, NULL, 0);
        if (f->command == DO_ENDS && expected) {
            finished(f);
        }
        return;
    }
    segment(f, index, TH_ACK, NULL, 0);
    if (k->phase == BUSY && expected) {
        k->phase = OPEN;
        finished(f);
    }
}

static void on_segment(struct flood *f, const struct frame *in, size_t length)
{
    uint32_t source = ntohl(in->ip.daddr) - f->source;
    uint16_t port = ntohs(in->tcp.dest);
    uint32_t index = source * PORTS + (port - FIRST_PORT);
    size_t headers = sizeof in->ip + in->tcp.doff * 4u, all = ntohs(in->ip.tot_len);
    if (source >= f->n_sources || port < FIRST_PORT || port >= FIRST_PORT + PORTS ||
        all < headers || length < offsetof(struct frame, options) ||
        f->connection[index].phase == FREE) {
        f->strays++;
    } else if (in->tcp.rst) {
        f->connection[index].phase = FREE;
        f->strays++;
    } else if (in->tcp.syn) {
        on_syn_ack(f, index, in);
    } else if (all > headers || in->tcp.fin) {
        on_data(f, index, in, (uint32_t)(all - headers));
    }
}

static void on_arp(struct flood *f, const struct frame *in)
{
    uint32_t sender, target;
    memcpy(&sender, in->arp.sender, 4);
    memcpy(&target, in->arp.target, 4);
    if (ntohl(sender) == f->peer) {
        memcpy(f->peer_mac, in->arp.sender_mac, ETH_ALEN);
        f->resolved = true;
    }
    if (in->arp.head.ar_op == htons(ARPOP_REQUEST) && ntohl(target) - f->source < f->n_sources) {
        arp(f, ARPOP_REPLY, in->arp.sender_mac, ntohl(target), ntohl(sender));
    }
}

/* Takes what has come; false when that was nothing. */
static bool receive(struct flood *f)
{
    int n = recvmmsg(f->fd, f->in_msg, BATCH, MSG_DONTWAIT, NULL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fail("receive");
    }
    for (int i = 0; i < n; i++) {
        const struct frame *in = (const struct frame *)f->in[i];
        size_t length = f->in_msg[i].msg_len;
        if (length >= offsetof(struct frame, arp) + sizeof in->arp &&
            in->eth.h_proto == htons(ETH_P_ARP)) {
            on_arp(f, in);
        } else if (length >= offsetof(struct frame, options) &&
                   in->eth.h_proto == htons(ETH_P_IP) && in->ip.ihl == 5 &&
                   memcmp(in->eth.h_dest, f->mac, ETH_ALEN) == 0) {
            on_segment(f, in, length);
        }
    }
    return n > 0;
}

/* ---- commands ---- */

static void begin(struct flood *f, enum command command, uint32_t first, uint32_t count)
{
    if ((uint64_t)first + count > f->n_connections || count == 0) {
        errno = 0;
        fail("there are %u connections", f->n_connections);
    }
    f->command = command;
    f->first = first;
    f->count = count;
    f->next = f->under_way = f->done = 0;
    f->repeats = f->strays = 0;
    f->progress = 0;
}

/* Whether to go on: false when nothing was done for too long. */
static bool turn(struct flood *f)
{
    receive(f);
    flush(f);
    if (f->progress == 0) {
        f->progress = clock_now();
    }
    return clock_now() - f->progress < patience_ns;
}

static void answer(struct flood *f, uint64_t operations, int64_t began)
{
    printf("{\"operations\":%llu,\"ns\":%lld,\"repeats\":%llu,\"strays\":%llu,\"unfinished\":%u}\n",
           (unsigned long long)operations, (long long)(clock_now() - began),
           (unsigned long long)f->repeats, (unsigned long long)f->strays, f->under_way);
    fflush(stdout);
    f->command = IDLE;
}

static void open_many(struct flood *f, uint16_t port, uint32_t window)
{
    int64_t began = clock_now();
    do {
        for (; f->under_way < window && f->next < f->count; f->under_way++) {
            syn(f, f->first + f->next++, port, OPENING);
        }
    } while (turn(f) && f->done < f->count);
    answer(f, f->done, began);
}

/* The SYNs in small groups, each as soon as the one before is answered. */
static void half_open(struct flood *f, uint16_t port)
{
    int64_t began = clock_now(), asked = 0;
    do {
        if (f->done >= f->next && f->next < f->count) {
            for (unsigned i = 0; i < BATCH && f->next < f->count; i++) {
                f->connection[f->first + f->next].rcv_nxt = 0;
                syn(f, f->first + f->next++, port, HALF);
            }
            asked = f->next;
            f->progress = 0;
        }
    } while (turn(f) && (f->done < f->count));
    f->under_way = (uint32_t)asked - f->done;
    answer(f, f->done, began);
}

static uint32_t pick(struct flood *f)
{
    for (;;) {
        f->random ^= f->random << 13;
        f->random ^= f->random >> 7;
        f->random ^= f->random << 17;
        uint32_t index = f->first + (uint32_t)(f->random % f->count);
        if (f->connection[index].phase == OPEN) {
            return index;
        }
    }
}

static void echo(struct flood *f, double seconds, uint32_t window)
{
    int64_t began = clock_now(), until = began + (int64_t)(seconds * 1e9);
    bool more = true;
    while (turn(f) && (more || f->under_way > 0)) {
        more = more && clock_now() < until;
        for (; more && f->under_way < window; f->under_way++) {
            uint32_t index = pick(f);
            f->connection[index].phase = BUSY;
            segment(f, index, TH_ACK | TH_PUSH, "e", 1);
            f->connection[index].snd_nxt++;
        }
    }
    answer(f, f->done, began);
}

/* Resets do not tell when they are taken: some at a time, with a rest between. */
static void reset_many(struct flood *f, uint32_t window)
{
    int64_t began = clock_now();
    for (uint32_t i = 0; i < f->count; i++) {
        struct connection *k = &f->connection[f->first + i];
        if (k->phase != FREE) {
            segment(f, f->first + i, TH_RST | TH_ACK, NULL, 0);
            k->phase = FREE;
            f->done++;
        }
        if (i % window == window - 1) {
            flush(f);
            usleep(window * 4);
            receive(f);
        }
    }
    flush(f);
    answer(f, f->done, began);
}

static void obey(struct flood *f, const char *line)
{
    char name[16];
    unsigned first, n;
    double x = 0, y = 0;
    if (sscanf(line, "%15s %u %u %lf %lf", name, &first, &n, &x, &y) < 3) {
        errno = 0;
        fail("what is %s", line);
    }
    if (strcmp(name, "open") == 0) {
        begin(f, DO_OPEN, first, n);
        open_many(f, (uint16_t)x, (uint32_t)y);
    } else if (strcmp(name, "ends") == 0) {
        begin(f, DO_ENDS, first, n);
        open_many(f, (uint16_t)x, (uint32_t)y);
    } else if (strcmp(name, "half") == 0) {
        begin(f, DO_HALF, first, n);
        half_open(f, (uint16_t)x);
    } else if (strcmp(name, "echo") == 0) {
        begin(f, DO_ECHO, first, n);
        echo(f, x, (uint32_t)y);
    } else if (strcmp(name, "close") == 0) {
        begin(f, IDLE, first, n);
        reset_many(f, x < 1 ? 1 : (uint32_t)x);
    } else {
        errno = 0;
        fail("what is %s", name);
    }
}

/* ---- the whole ---- */

static void open_socket(struct flood *f, const char *interface)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int on = 1, size = SOCKET_BUFFER;
    at.sll_ifindex = (int)if_nametoindex(interface);
    f->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (f->fd < 0 || at.sll_ifindex == 0 ||
        setsockopt(f->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0 ||
        setsockopt(f->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0) {
        fail("a packet socket on %s", interface);
    }
    if (setsockopt(f->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) {
        setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    if (bind(f->fd, (struct sockaddr *)&at, sizeof at) < 0) {
        fail("bind to %s", interface);
    }
}

/* Who asks is known from then on (RFC 826): no SYN,ACK of a burst has to wait for an address. */
static void resolve(struct flood *f)
{
    for (unsigned i = 0; i < 50 && !f->resolved; i++) {
        for (unsigned source = 0; source < f->n_sources; source++) {
            arp(f, ARPOP_REQUEST, NULL, f->source + source, f->peer);
        }
        flush(f);
        usleep(20000);
        receive(f);
        flush(f);
    }
    if (!f->resolved) {
        errno = 0;
        fail("nobody answers at the peer's address");
    }
}

static uint32_t parse(const char *text)
{
    struct in_addr a;
    if (inet_pton(AF_INET, text, &a) != 1) {
        errno = 0;
        fail("%s is no address", text);
    }
    return ntohl(a.s_addr);
}

/* Frames from the peer are answered while no command runs, too. */
static void serve(struct flood *f)
{
    char line[128];
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = f->fd, .events = POLLIN}};
    while (poll(fds, 2, -1) >= 0) {
        if (fds[1].revents != 0) {
            receive(f);
            flush(f);
        }
        if (fds[0].revents != 0) {
            if (fgets(line, sizeof line, stdin) == NULL) {
                return;
            }
            obey(f, line);
        }
    }
}

int main(int argc, char **argv)
{
    static struct flood f = {.mac = {2, 0, 0, 0, 0, 0x98}, .random = 0x9e3779b97f4a7c15};
    errno = 0;
    f.n_sources = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
    if (f.n_sources < 1 || f.n_sources > MAX_SOURCES) {
        fail("flood INTERFACE ADDRESS SOURCE COUNT");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    f.peer = parse(argv[2]);
    f.source = parse(argv[3]);
    f.n_connections = f.n_sources * PORTS;
    f.connection = calloc(f.n_connections, sizeof *f.connection);
    if (f.connection == NULL) {
        fail("no memory");
    }
    for (unsigned i = 0; i < BATCH; i++) {
        f.out_iov[i].iov_base = &f.out[i];
        f.out_msg[i].msg_hdr = (struct msghdr){.msg_iov = &f.out_iov[i], .msg_iovlen = 1};
        f.in_iov[i] = (struct iovec){f.in[i], ROOM};
        f.in_msg[i].msg_hdr = (struct msghdr){.msg_iov = &f.in_iov[i], .msg_iovlen = 1};
    }
    open_socket(&f, argv[1]);
    resolve(&f);
    setvbuf(stdin, NULL, _IONBF, 0); /* poll has to see every line */
    puts("ready");
    fflush(stdout);
    serve(&f);
    return 0;
}
