/* The error queue: completions of MSG_ZEROCOPY sends, transmit timestamps (SO_TIMESTAMPING), read
 * with MSG_ERRQUEUE. A send completes when its last octet is acknowledged, or the connection ends.
 * As the engine copies, each completion says so; completions in a row are one notice with a range.
 */
#include "layer.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

enum { WANT_SCHED = SOF_TIMESTAMPING_TX_SCHED, WANT_SENT = SOF_TIMESTAMPING_TX_SOFTWARE };
#define WANT_ANY                                                                                   \
    ((unsigned)(SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK))

void errqueue_init(struct sock *s)
{
    list_init(&s->notices);
    list_init(&s->pendings);
    s->zerocopy_next = 0;
    s->bytes_queued = 0;
}

void errqueue_free(struct sock *s)
{
    list_for_each_safe(link, tmp, &s->notices)
    {
        list_remove(link);
        free(container_of(link, struct notice, link));
    }
    list_for_each_safe(link, tmp, &s->pendings)
    {
        list_remove(link);
        free(container_of(link, struct pending, link));
    }
}

static void promise(struct sock *s, bool zerocopy, uint32_t id, uint64_t end, unsigned wanted)
{
    struct pending *p = calloc(1, sizeof *p);
    if (p) {
        p->zerocopy = zerocopy;
        p->id = id;
        p->end = end;
        p->wanted = wanted;
        list_append(&s->pendings, &p->link);
    }
}

void errqueue_sent(struct layer *l, struct sock *s, uint64_t first, uint64_t end, int flags)
{
    (void)l;
    if (end == first) {
        return;
    }
    if (flags & MSG_ZEROCOPY && s->zerocopy) {
        promise(s, true, s->zerocopy_next++, end, 0);
    }
    unsigned wanted = (unsigned)s->timestamping & WANT_ANY;
    if (wanted) {
        promise(s, false, (uint32_t)(end - 1) - s->timestamp_base, end, wanted);
    }
}

static struct notice *notice_new(struct layer *l, struct sock *s)
{
    struct notice *n = calloc(1, sizeof *n);
    if (n) {
        list_append(&s->notices, &n->link);
        epoll_notify(l, s, EPOLLERR);
    }
    return n;
}

static void tell_zerocopy(struct layer *l, struct sock *s, uint32_t id)
{
    struct notice *last =
        list_empty(&s->notices) ? NULL : container_of(s->notices.prev, struct notice, link);
    if (last && last->origin == SO_EE_ORIGIN_ZEROCOPY && last->data + 1 == id) {
        last->data = id;
        epoll_notify(l, s, EPOLLERR);
        return;
    }
    struct notice *n = notice_new(l, s);
    if (n) {
        n->origin = SO_EE_ORIGIN_ZEROCOPY;
        n->code = SO_EE_CODE_ZEROCOPY_COPIED;
        n->info = n->data = id;
    }
}

static void tell_time(struct layer *l, struct sock *s, struct pending *p, unsigned bit,
                      uint32_t kind)
{
    if (!(p->wanted & bit)) {
        return;
    }
    p->wanted &= ~bit;
    struct notice *n = notice_new(l, s);
    if (n) {
        n->error = ENOMSG;
        n->origin = SO_EE_ORIGIN_TIMESTAMPING;
        n->info = kind;
        n->data = p->id;
        n->timed = true;
        n->wall_ns = layer_wall_ns(l);
    }
}

void errqueue_progress(struct layer *l, struct sock *s, const struct tcp_info *info, bool ended)
{
    uint64_t sent = s->bytes_queued - stream_unsent(info), acked = s->bytes_queued;
    acked -= info->send_q_bytes < acked ? info->send_q_bytes : acked;
    list_for_each_safe(link, tmp, &s->pendings)
    {
        struct pending *p = container_of(link, struct pending, link);
        bool is_acked = acked >= p->end;
        if (!p->zerocopy && sent >= p->end) {
            tell_time(l, s, p, WANT_SCHED, SCM_TSTAMP_SCHED);
            tell_time(l, s, p, WANT_SENT, SCM_TSTAMP_SND);
        }
        if (!p->zerocopy && is_acked) {
            tell_time(l, s, p, SOF_TIMESTAMPING_TX_ACK, SCM_TSTAMP_ACK);
        }
        if (p->zerocopy && (is_acked || ended)) {
            tell_zerocopy(l, s, p->id);
        }
        if (is_acked || ended || (!p->zerocopy && !p->wanted)) {
            list_remove(&p->link);
            free(p);
        }
    }
}

/* ---- reading ---- */

static void *put_cmsg(struct msghdr *msg, size_t *used, size_t room, int level, int type,
                      size_t length)
{
    if (*used + CMSG_SPACE(length) > room) {
        msg->msg_flags |= MSG_CTRUNC;
        return NULL;
    }
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)msg->msg_control + *used);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(length);
    *used += CMSG_SPACE(length);
    return CMSG_DATA(c);
}

static void put_notice(const struct sock *s, const struct notice *n, struct msghdr *msg)
{
    size_t used = 0, room = msg->msg_controllen;
    struct timespec ts[3] = {{0}};
    struct sock_extended_err e = {.ee_errno = n->error,
                                  .ee_origin = n->origin,
                                  .ee_type = n->type,
                                  .ee_code = n->code,
                                  .ee_info = n->info,
                                  .ee_data = n->data};
    ts[0].tv_sec = n->wall_ns / NS_PER_S;
    ts[0].tv_nsec = n->wall_ns % NS_PER_S;
    void *at = n->timed ? put_cmsg(msg, &used, room, SOL_SOCKET, SO_TIMESTAMPING, sizeof ts) : NULL;
    if (at) {
        memcpy(at, ts, sizeof ts);
    }
    bool v4 = s->domain == AF_INET;
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } offender = {0};
    size_t length = v4 ? sizeof offender.in : sizeof offender.in6;
    uint8_t *to = put_cmsg(msg, &used, room, v4 ? IPPROTO_IP : IPPROTO_IPV6,
                           v4 ? IP_RECVERR : IPV6_RECVERR, sizeof e + length);
    if (to) {
        memcpy(to, &e, sizeof e);
        memcpy(to + sizeof e, &offender, length);
    }
    msg->msg_controllen = used;
}

ssize_t errqueue_recv(struct layer *l, struct sock *s, struct msghdr *msg)
{
    sock_refresh(l, s);
    if (list_empty(&s->notices)) {
        return fail(EAGAIN);
    }
    struct notice *n = container_of(s->notices.next, struct notice, link);
    msg->msg_flags = MSG_ERRQUEUE;
    if (n->timed && !(s->timestamping & SOF_TIMESTAMPING_OPT_TSONLY) &&
        (!msg->msg_iovlen || !msg->msg_iov[0].iov_len)) {
        msg->msg_flags |= MSG_TRUNC; /* Linux loops the payload back with the timestamp */
    }
    put_notice(s, n, msg);
    list_remove(&n->link);
    free(n);
    return 0;
}
