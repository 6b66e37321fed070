/* rtnetlink in plain messages: a header, a fixed record of the request, attributes aligned to four
 * bytes (netlink(7), rtnetlink(7)). A request with NLM_F_ACK is answered by NLMSG_ERROR, whose
 * number 0 means success; a dump by records up to NLMSG_DONE. */
#include "host/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for our largest request: header, record and four attributes. */
struct request {
    struct nlmsghdr header;
    union {
        struct ifaddrmsg addr;
        struct ifinfomsg link;
        char room[256];
    };
};

static void attribute(struct request *rq, unsigned short type, const void *data, size_t length)
{
    struct rtattr *a = (struct rtattr *)((char *)rq + NLMSG_ALIGN(rq->header.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(length);
    memcpy(RTA_DATA(a), data, length);
    rq->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(rq->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static int open_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

static int send_request(int fd, const struct request *rq)
{
    ssize_t n = send(fd, rq, rq->header.nlmsg_len, 0);
    return n < 0 ? -errno : 0;
}

/* Sends one request and waits for its answer. */
static int transact(struct request *rq)
{
    int fd = open_socket();
    if (fd < 0) {
        return fd;
    }
    rq->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    int r = send_request(fd, rq);
    _Alignas(struct nlmsghdr) char answer[4096];
    if (r == 0) {
        ssize_t n = recv(fd, answer, sizeof answer, 0);
        const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
        if (n < 0) {
            r = -errno;
        } else if (!NLMSG_OK(h, (size_t)n) || h->nlmsg_type != NLMSG_ERROR) {
            r = -EBADMSG;
        } else {
            r = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
        }
    }
    close(fd);
    return r;
}

/* The address as the family writes it, 4 or 16 bytes. */
static const uint8_t *family_bytes(const struct ip_addr *a, unsigned char *family, size_t *length)
{
    bool v4 = ip_addr_is_v4(a);
    *family = v4 ? AF_INET : AF_INET6;
    *length = v4 ? 4 : 16;
    return v4 ? a->b + 12 : a->b;
}

int netlink_address_add(int index, const struct ip_prefix *prefix)
{
    struct request rq = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof rq.addr),
                                    .nlmsg_type = RTM_NEWADDR,
                                    .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE}};
    size_t length;
    const uint8_t *bytes = family_bytes(&prefix->addr, &rq.addr.ifa_family, &length);
    rq.addr.ifa_prefixlen = prefix->length;
    rq.addr.ifa_flags = IFA_F_NODAD;
    rq.addr.ifa_index = (unsigned)index;
    attribute(&rq, IFA_LOCAL, bytes, length);
    attribute(&rq, IFA_ADDRESS, bytes, length);
    struct ip_addr broadcast;
    if (ip_prefix_broadcast(prefix, &broadcast)) {
        attribute(&rq, IFA_BROADCAST, broadcast.b + 12, 4);
    }
    int r = transact(&rq);
    return r == -EEXIST ? 0 : r;
}

int netlink_link_up(int index, unsigned mtu, unsigned txqueuelen)
{
    struct request rq = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof rq.link), .nlmsg_type = RTM_NEWLINK}};
    rq.link.ifi_family = AF_UNSPEC;
    rq.link.ifi_index = index;
    rq.link.ifi_flags = IFF_UP;
    rq.link.ifi_change = IFF_UP;
    uint32_t mtu32 = mtu, queue32 = txqueuelen;
    attribute(&rq, IFLA_MTU, &mtu32, sizeof mtu32);
    attribute(&rq, IFLA_TXQLEN, &queue32, sizeof queue32);
    return transact(&rq);
}

/* One RTM_NEWADDR: IFA_LOCAL is ours where both are given (point to point), else IFA_ADDRESS. */
static bool address_of(const struct nlmsghdr *h, struct ip_addr *out)
{
    const struct ifaddrmsg *m = NLMSG_DATA(h);
    size_t want = m->ifa_family == AF_INET ? 4 : 16;
    bool found = false;
    int left = (int)IFA_PAYLOAD(h);
    for (struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if ((a->rta_type != IFA_LOCAL && (a->rta_type != IFA_ADDRESS || found)) ||
            RTA_PAYLOAD(a) != want) {
            continue;
        }
        const uint8_t *bytes = RTA_DATA(a);
        *out = want == 4 ? ip_addr_from_v4(bytes) : ip_addr_from_v6(bytes);
        found = true;
    }
    return found;
}

/* Works through one datagram of a dump: 1 when it was the last, 0 when more follow, or -errno. */
static int dump_part(const char *data, size_t n, bool (*fn)(void *, const struct ip_addr *, int),
                     void *arg)
{
    for (const struct nlmsghdr *h = (const struct nlmsghdr *)data; NLMSG_OK(h, n);
         h = NLMSG_NEXT(h, n)) {
        struct ip_addr addr;
        if (h->nlmsg_type == NLMSG_DONE) {
            return 1;
        }
        if (h->nlmsg_type == NLMSG_ERROR) {
            return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
        }
        if (h->nlmsg_type == RTM_NEWADDR && address_of(h, &addr) &&
            !fn(arg, &addr, (int)((const struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index)) {
            return 1;
        }
    }
    return 0;
}

int netlink_addresses(bool (*fn)(void *arg, const struct ip_addr *addr, int index), void *arg)
{
    int fd = open_socket();
    if (fd < 0) {
        return fd;
    }
    struct request rq = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof rq.addr),
                                    .nlmsg_type = RTM_GETADDR,
                                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    int r = send_request(fd, &rq);
    _Alignas(struct nlmsghdr) char part[32768];
    while (r == 0) {
        ssize_t n = recv(fd, part, sizeof part, 0);
        r = n < 0 ? -errno : dump_part(part, (size_t)n, fn, arg);
    }
    close(fd);
    return r > 0 ? 0 : r;
}
