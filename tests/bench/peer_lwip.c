/* peer_lwip TAP ADDRESS: lwIP, as Debian builds it, serving echo, discard and chargen on a TAP.
 *
 * One thread reads frames and hands them to lwIP under its core lock, as a program without threads
 * does; lwIP's own thread only runs its timers. Debian's build checks and computes every checksum
 * and knows no segmentation offload, so the TAP has none either. Its window is 64 KB, and so is its
 * send buffer. Prints "ready"; ends with its parent. */
#include "kernel_side.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>

enum { ECHO = 7, DISCARD = 9, CHARGEN = 19, BACKLOG_SIZE = 255, BATCH = 32, FRAME = 1600 };

struct peer {
    int fd;
    struct netif netif;
    uint8_t *pattern;
};

struct served {
    struct peer *peer;
    uint64_t sent;
};

/* ---- the netif ---- */

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct peer *peer = netif->state;
    uint8_t frame[FRAME];
    const void *data = p->payload;
    if (p->next != NULL) {
        pbuf_copy_partial(p, frame, p->tot_len, 0);
        data = frame;
    }
    return write(peer->fd, data, p->tot_len) == p->tot_len ? ERR_OK : ERR_IF;
}

static err_t link_init(struct netif *netif)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x97};
    memcpy(netif->hwaddr, mac, sizeof mac);
    netif->hwaddr_len = sizeof mac;
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = link_output;
    return ERR_OK;
}

static void open_tap(struct peer *peer, const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    peer->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (peer->fd < 0 || ioctl(peer->fd, TUNSETIFF, &ifr) < 0) {
        fail("the TAP %s", name);
    }
}

/* ---- services ---- */

static err_t finish(struct tcp_pcb *pcb, struct served *s)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    free(s);
    return tcp_close(pcb);
}

static void on_error(void *arg, err_t error)
{
    (void)error;
    free(arg);
}

static err_t on_discard(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)error;
    if (p == NULL) {
        return finish(pcb, arg);
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

/* The bench never has more under way than the send buffer takes. */
static err_t on_echo(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)error;
    if (p == NULL) {
        return finish(pcb, arg);
    }
    for (struct pbuf *q = p; q != NULL; q = q->next) {
        tcp_write(pcb, q->payload, q->len, TCP_WRITE_FLAG_COPY);
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    tcp_output(pcb);
    return ERR_OK;
}

static err_t fill(void *arg, struct tcp_pcb *pcb, u16_t acknowledged)
{
    (void)acknowledged;
    struct served *s = arg;
    for (u16_t room = tcp_sndbuf(pcb); room > 0; room = tcp_sndbuf(pcb)) {
        u16_t n = room < 4 * TCP_MSS ? room : 4 * TCP_MSS;
        const uint8_t *from = s->peer->pattern + s->sent % PATTERN_PERIOD;
        if (tcp_write(pcb, from, n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        s->sent += n;
    }
    tcp_output(pcb);
    return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct served *s = error == ERR_OK ? calloc(1, sizeof *s) : NULL;
    if (s == NULL) {
        return ERR_MEM;
    }
    s->peer = arg;
    tcp_arg(pcb, s);
    tcp_err(pcb, on_error);
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, pcb->local_port == ECHO ? on_echo : on_discard);
    if (pcb->local_port == CHARGEN) {
        tcp_sent(pcb, fill);
        return fill(s, pcb, 0);
    }
    return ERR_OK;
}

static void listen_on(struct peer *peer, uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK) {
        fail("port %u", port);
    }
    pcb = tcp_listen_with_backlog(pcb, BACKLOG_SIZE);
    if (pcb == NULL) {
        fail("listen on port %u", port);
    }
    tcp_arg(pcb, peer);
    tcp_accept(pcb, on_accept);
}

/* ---- the whole ---- */

static void read_frames(struct peer *peer)
{
    uint8_t frame[FRAME];
    for (unsigned i = 0; i < BATCH; i++) {
        ssize_t n = read(peer->fd, frame, sizeof frame);
        if (n <= 0) {
            return;
        }
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
        if (p != NULL) {
            pbuf_take(p, frame, (u16_t)n);
            if (peer->netif.input(p, &peer->netif) != ERR_OK) {
                pbuf_free(p);
            }
        }
    }
}

int main(int argc, char **argv)
{
    static struct peer peer;
    ip4_addr_t address, mask, none = {0};
    errno = 0;
    if (argc != 3 || !ip4addr_aton(argv[2], &address)) {
        fail("peer_lwip TAP ADDRESS");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    peer.pattern = pattern_new();
    open_tap(&peer, argv[1]);
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    IP4_ADDR(&mask, 255, 255, 255, 0);
    netif_add(&peer.netif, &address, &mask, &none, &peer, link_init, ethernet_input);
    netif_set_default(&peer.netif);
    netif_set_up(&peer.netif);
    listen_on(&peer, ECHO);
    listen_on(&peer, DISCARD);
    listen_on(&peer, CHARGEN);
    UNLOCK_TCPIP_CORE();
    puts("ready");
    fflush(stdout);
    for (struct pollfd wait = {.fd = peer.fd, .events = POLLIN}; poll(&wait, 1, -1) >= 0;) {
        LOCK_TCPIP_CORE();
        read_frames(&peer);
        UNLOCK_TCPIP_CORE();
    }
    return 0;
}
