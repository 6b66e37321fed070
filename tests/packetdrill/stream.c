/* Reading and writing. Data go into the engine in the portions in which Linux makes packets of
 * them: a packet takes as much as one super-frame would carry and half of the peer's largest
 * window; a new one begins only while the queue's charge is below SO_SNDBUF and less is unsent than
 * TCP_NOTSENT_LOWAT. What a write() accepts follows from that. */
#include "layer.h"
#include "linux_tcp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#define GSO_MAX 65215u     /* payload that Linux puts into one packet */
#define PACKET_CHARGE 768u /* memory of a packet beside its payload */

/* ---- how much may be queued ---- */

uint32_t stream_unsent(const struct tcp_info *info)
{
    uint32_t sent = info->snd_nxt - info->snd_una;
    uint32_t fin = info->fin_sent ? 1 : 0;
    sent = sent > fin ? sent - fin : 0;
    return info->send_q_bytes > sent ? info->send_q_bytes - sent : 0;
}

uint32_t stream_tail_goal(const struct tcp_info *info)
{
    uint32_t mss = info->snd_mss_bytes ? info->snd_mss_bytes : 536;
    uint32_t half = info->snd_max_wnd > 536 ? info->snd_max_wnd / 2 : info->snd_max_wnd;
    uint32_t goal = half && half < GSO_MAX ? half : GSO_MAX;
    return goal > mss ? goal / mss * mss : mss;
}

uint32_t stream_charge(const struct tcp_info *info)
{
    uint32_t goal = stream_tail_goal(info);
    return info->send_q_bytes + (info->send_q_bytes + goal - 1) / goal * PACKET_CHARGE;
}

static uint32_t notsent_lowat(const struct layer *l, const struct sock *s)
{
    long most = s->notsent_lowat ? (long)s->notsent_lowat : l->sysctls.notsent_lowat;
    return most > UINT32_MAX || most < 0 ? UINT32_MAX : (uint32_t)most;
}

/* SO_SNDBUF, or what auto-tuning makes of it: twice the congestion window. */
static uint32_t send_limit(const struct layer *l, const struct sock *s, const struct tcp_info *info)
{
    uint32_t limit = (uint32_t)s->sndbuf;
    if (!s->buffers_locked[1]) {
        uint32_t per_mss = info->snd_mss_bytes ? info->snd_mss_bytes : 536;
        uint64_t segs = info->cwnd_bytes / per_mss;
        segs = segs < 10 ? 10 : segs;
        uint64_t tuned = 2 * segs * (per_mss + 1024);
        tuned = tuned > (uint64_t)l->sysctls.wmem[2] ? (uint64_t)l->sysctls.wmem[2] : tuned;
        limit = tuned > limit ? (uint32_t)tuned : limit;
    }
    return limit;
}

bool stream_writable(const struct layer *l, const struct sock *s, const struct tcp_info *info)
{
    uint32_t charge = stream_charge(info), limit = send_limit(l, s, info);
    return charge < limit && limit - charge >= charge / 2 &&
           (uint64_t)stream_unsent(info) * 2 < notsent_lowat(l, s);
}

static bool packet_allowed(const struct layer *l, const struct sock *s, const struct tcp_info *info)
{
    return stream_charge(info) < send_limit(l, s, info) &&
           stream_unsent(info) < notsent_lowat(l, s);
}

/* ---- sending ---- */

/* May the call go on? 0, or why not. */
static int may_send(struct layer *l, struct sock *s, struct tcp_info *info)
{
    sock_refresh(l, s);
    if (s->error) {
        return sock_take_error(s);
    }
    if (s->write_shut || s->state == SOCK_NEW || s->state == SOCK_LISTENING ||
        s->state == SOCK_ENDED) {
        return EPIPE;
    }
    return sock_status(l, s, info) ? 0 : EPIPE;
}

/* Waits for the handshake or for room; 0 when it may be tried again. */
static int wait_to_send(struct layer *l, struct sock *s, int flags, ackd_time end)
{
    if (s->nonblock || flags & MSG_DONTWAIT) {
        s->write_blocked = true;
        return EAGAIN;
    }
    /* A writer sleeps until a third of the buffer is free. */
    struct tcp_info info;
    s->write_blocked = s->state == SOCK_CONNECTED;
    do {
        if (!layer_wait(l, end)) {
            return EAGAIN;
        }
        sock_refresh(l, s);
    } while (s->state == SOCK_CONNECTED && !s->write_shut && sock_status(l, s, &info) &&
             !stream_writable(l, s, &info));
    return 0;
}

static unsigned engine_flags(const struct sock *s, int flags, bool last)
{
    unsigned more = flags & MSG_MORE || !last ? TCP_SEND_MORE : 0;
    if (flags & MSG_EOR && last) {
        more |= TCP_SEND_RECORD;
    }
    return more | (s->cork ? TCP_SEND_CORK : 0) |
           (flags & MSG_OOB && last ? TCP_SEND_URGENT | TCP_SEND_PUSH : 0);
}

/* One packet's worth of `left` octets at `from`: how many were taken, or -1 with errno. */
static ssize_t send_portion(struct layer *l, struct sock *s, const struct tcp_info *info,
                            const uint8_t *from, size_t left, int flags)
{
    uint8_t buffer[65536];
    uint32_t goal = stream_tail_goal(info);
    if (s->tail >= goal) {
        s->tail = 0;
    }
    size_t n = goal - s->tail < left ? goal - s->tail : left;
    if (!user_read(buffer, from, n)) {
        return fail(EFAULT);
    }
    /* What is written while half of the peer's window is unpushed is pushed. */
    bool force = s->bytes_queued + n > s->pushed + info->snd_max_wnd / 2;
    unsigned how = engine_flags(s, flags, n == left);
    if (force || !(how & (TCP_SEND_MORE | TCP_SEND_CORK))) {
        how |= TCP_SEND_PUSH;
        s->pushed = s->bytes_queued + n;
    }
    int64_t taken = tcp_send(l->engine, l->now, s->id, buffer, n, how);
    if (taken < 0) {
        return fail((int)-taken);
    }
    s->tail = flags & MSG_EOR && n == left ? 0 : s->tail + (uint32_t)taken;
    s->bytes_queued += (uint64_t)taken;
    return (ssize_t)taken;
}

/* What was taken before the queue filled up goes, with PSH. */
static void push_end(struct layer *l, struct sock *s)
{
    tcp_send(l->engine, l->now, s->id, NULL, 0,
             TCP_SEND_PUSH | (s->cork ? (unsigned)TCP_SEND_CORK : 0));
    s->pushed = s->bytes_queued;
}

static ssize_t send_bytes(struct layer *l, struct sock *s, const uint8_t *from, size_t length,
                          int flags)
{
    ackd_time end = time_add(l->now, s->sndtimeo_ns ? s->sndtimeo_ns : INT64_MAX);
    size_t done = 0;
    do {
        struct tcp_info info;
        int error = may_send(l, s, &info);
        if (!error && !length) {
            break;
        }
        bool connecting = !error && s->state == SOCK_CONNECTING;
        bool tail_open = s->tail && s->tail < stream_tail_goal(&info);
        if (!error && (connecting || (!tail_open && !packet_allowed(l, s, &info)))) {
            if (done) {
                push_end(l, s);
            }
            layer_run(l);
            error = wait_to_send(l, s, flags, end);
            if (!error) {
                continue;
            }
        } else if (!error) {
            ssize_t n = send_portion(l, s, &info, from + done, length - done, flags);
            error = n < 0 ? errno : 0;
            done += n > 0 ? (size_t)n : 0;
            if (n == 0) {
                error = wait_to_send(l, s, flags, end);
            } else if (done < length) {
                layer_run(l);
            }
        }
        if (error) {
            if (done) {
                break;
            }
            return fail(error);
        }
    } while (done < length);
    if (done < length) {
        push_end(l, s);
        s->write_blocked = true;
    }
    return (ssize_t)done;
}

static size_t iov_length(const struct iovec *iov, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += iov[i].iov_len;
    }
    return sum;
}

/* A packet of Linux refers to at most so many pieces of the user's memory. */
#define FRAGMENTS_MAX 17u

/* Flags for a piece behind which another follows. */
static int piece_flags(const struct sock *s, int flags, size_t piece)
{
    bool full = flags & MSG_ZEROCOPY && s->zerocopy && piece % FRAGMENTS_MAX == FRAGMENTS_MAX - 1;
    return (flags & ~(MSG_OOB | MSG_EOR)) | (full ? MSG_EOR : MSG_MORE);
}

static ssize_t send_pieces(struct layer *l, struct sock *s, const struct msghdr *msg, size_t skip,
                           int flags)
{
    ssize_t done = 0;
    size_t total = iov_length(msg->msg_iov, msg->msg_iovlen);
    for (size_t i = 0; i < msg->msg_iovlen || !total; i++) {
        bool last = i + 1 >= msg->msg_iovlen;
        struct iovec v = msg->msg_iovlen ? msg->msg_iov[i] : (struct iovec){0};
        size_t jump = skip < v.iov_len ? skip : v.iov_len;
        skip -= jump;
        if (jump && jump == v.iov_len && !last) {
            continue;
        }
        v.iov_len -= jump;
        ssize_t n = send_bytes(l, s, (const uint8_t *)v.iov_base + jump, v.iov_len,
                               last ? flags : piece_flags(s, flags, i));
        if (n < 0) {
            return done ? done : -1;
        }
        done += n;
        if (last || (size_t)n < v.iov_len) {
            break;
        }
    }
    return done;
}

/* The message in one piece, as a SYN needs it; NULL with EFAULT. */
static uint8_t *gather(const struct msghdr *msg, size_t total)
{
    uint8_t *whole = malloc(total ? total : 1);
    size_t at = 0;
    for (size_t i = 0; whole && i < msg->msg_iovlen; i++) {
        if (!user_read(whole + at, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len)) {
            free(whole);
            errno = EFAULT;
            return NULL;
        }
        at += msg->msg_iov[i].iov_len;
    }
    return whole;
}

/* A send that opens the connection: what rides on the SYN, then the rest. */
static ssize_t send_opening(struct layer *l, struct sock *s, const struct msghdr *msg, int flags)
{
    bool nonblock = s->nonblock || flags & MSG_DONTWAIT;
    size_t total = iov_length(msg->msg_iov, msg->msg_iovlen), taken = 0;
    uint8_t *whole = gather(msg, total);
    if (!whole) {
        return -1;
    }
    int error =
        fastopen_send(l, s, msg->msg_name, msg->msg_namelen, whole, total, nonblock, &taken);
    free(whole);
    if (error) {
        return error == EINPROGRESS && taken ? (ssize_t)taken : fail(error);
    }
    if (taken >= total) {
        return (ssize_t)taken;
    }
    ssize_t rest = send_pieces(l, s, msg, taken, flags);
    return rest < 0 && taken ? (ssize_t)taken : rest < 0 ? -1 : (ssize_t)taken + rest;
}

static ssize_t do_send(struct layer *l, struct sock *s, const struct msghdr *msg, int flags)
{
    uint64_t first = s->bytes_queued;
    sockets_refresh_sysctls(l);
    bool opens = flags & MSG_FASTOPEN || s->deferred;
    ssize_t done = opens ? send_opening(l, s, msg, flags) : send_pieces(l, s, msg, 0, flags);
    errqueue_sent(l, s, first, s->bytes_queued, flags);
    int error = errno;
    layer_run(l);
    errno = error;
    return done;
}

ssize_t layer_sendmsg(void *u, int fd, const struct msghdr *msg, int flags)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    ssize_t result = s ? do_send(l, s, msg, flags) : -1;
    int error = errno;
    layer_unlock(l);
    errno = error;
    return result;
}

ssize_t layer_sendto(void *u, int fd, const void *buf, size_t len, int flags,
                     const struct sockaddr *addr, socklen_t addr_len)
{
    struct iovec iov = {(void *)(uintptr_t)buf, len};
    struct msghdr msg = {.msg_name = (void *)(uintptr_t)addr,
                         .msg_namelen = addr_len,
                         .msg_iov = &iov,
                         .msg_iovlen = 1};
    return layer_sendmsg(u, fd, &msg, flags);
}

ssize_t layer_send(void *u, int fd, const void *buf, size_t len, int flags)
{
    return layer_sendto(u, fd, buf, len, flags, NULL, 0);
}

ssize_t layer_write(void *u, int fd, const void *buf, size_t count)
{
    return layer_sendto(u, fd, buf, count, 0, NULL, 0);
}

ssize_t layer_writev(void *u, int fd, const struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    return layer_sendmsg(u, fd, &msg, 0);
}

/* ---- receiving ---- */

/* Copies up to `room` octets from stream offset `at`; -1 with EFAULT. */
static ssize_t copy_out(struct layer *l, struct sock *s, uint64_t at, uint8_t *to, size_t room,
                        bool discard)
{
    size_t done = 0;
    while (done < room) {
        struct tcp_received r;
        if (tcp_peek(l->engine, s->id, at + done, room - done, &r) < 0 || !r.n_ranges) {
            break;
        }
        for (unsigned i = 0; i < r.n_ranges; i++) {
            if (!discard && !user_write(to + done, r.range[i].data, r.range[i].length)) {
                return done ? (ssize_t)done : fail(EFAULT);
            }
            done += r.range[i].length;
        }
    }
    return (ssize_t)done;
}

/* Nothing is there: is that the end (0), an error, or a reason to wait (EAGAIN)? -1: end. */
static int nothing_there(struct layer *l, struct sock *s)
{
    struct tcp_info info;
    bool known = sock_status(l, s, &info);
    if (s->seen_end || (known && info.fin_received)) {
        return -1;
    }
    if (s->error) {
        return sock_take_error(s);
    }
    if (s->read_shut) {
        return -1;
    }
    if (s->deferred) {
        return EAGAIN;
    }
    if (s->state == SOCK_NEW || s->state == SOCK_LISTENING) {
        return ENOTCONN;
    }
    return s->state == SOCK_ENDED ? -1 : EAGAIN;
}

static ssize_t receive_bytes(struct layer *l, struct sock *s, uint8_t *to, size_t room, int flags)
{
    ackd_time end = time_add(l->now, s->rcvtimeo_ns ? s->rcvtimeo_ns : INT64_MAX);
    size_t done = 0;
    size_t target = flags & MSG_WAITALL          ? room
                    : (size_t)s->rcvlowat < room ? (size_t)s->rcvlowat
                                                 : room;
    if (s->state == SOCK_LISTENING) {
        return fail(ENOTCONN);
    }
    for (;;) {
        sock_refresh(l, s);
        ssize_t n = s->id && room > done ? copy_out(l, s, s->read + (flags & MSG_PEEK ? done : 0),
                                                    to + done, room - done, flags & MSG_TRUNC)
                                         : 0;
        if (n < 0) {
            return -1;
        }
        if (n > 0 && !(flags & MSG_PEEK)) {
            s->read += (uint64_t)n;
            tcp_consume(l->engine, l->now, s->id, s->read);
            layer_run(l);
        }
        done += (size_t)n;
        if (done >= target && (done || !room)) {
            return (ssize_t)done;
        }
        int why = nothing_there(l, s);
        if (why == EAGAIN && !s->nonblock && !(flags & MSG_DONTWAIT) && layer_wait(l, end)) {
            continue;
        }
        if (done || why < 0) {
            return (ssize_t)done;
        }
        return fail(why);
    }
}

/* What is left to read, a FIN behind it counting as one (TCP_INQ). */
static int in_queue(struct layer *l, struct sock *s)
{
    struct tcp_info info;
    if (!sock_status(l, s, &info)) {
        return 0;
    }
    return (int)info.recv_q_bytes + (info.fin_received && !info.recv_q_bytes);
}

static void put_control(struct layer *l, struct sock *s, struct msghdr *msg)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    if (!s->inq || !c || msg->msg_controllen < CMSG_SPACE(sizeof(int))) {
        msg->msg_controllen = 0;
        return;
    }
    int n = in_queue(l, s);
    c->cmsg_level = IPPROTO_TCP;
    c->cmsg_type = TCP_CM_INQ;
    c->cmsg_len = CMSG_LEN(sizeof n);
    memcpy(CMSG_DATA(c), &n, sizeof n);
    msg->msg_controllen = CMSG_SPACE(sizeof n);
}

static ssize_t do_receive(struct layer *l, struct sock *s, struct msghdr *msg, int flags)
{
    if (flags & MSG_ERRQUEUE) {
        return errqueue_recv(l, s, msg);
    }
    if (flags & MSG_OOB) {
        return fail(EINVAL);
    }
    ssize_t done = 0;
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        struct iovec *v = &msg->msg_iov[i];
        ssize_t n = receive_bytes(l, s, v->iov_base, v->iov_len,
                                  i ? (flags & ~MSG_WAITALL) | MSG_DONTWAIT : flags);
        if (n < 0 && !done) {
            return -1;
        }
        done += n > 0 ? n : 0;
        if (n < (ssize_t)v->iov_len) {
            break;
        }
    }
    msg->msg_flags = 0;
    put_control(l, s, msg);
    msg->msg_namelen = 0;
    return done;
}

ssize_t layer_recvmsg(void *u, int fd, struct msghdr *msg, int flags)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    ssize_t result = s ? do_receive(l, s, msg, flags) : -1;
    int error = errno;
    layer_unlock(l);
    errno = error;
    return result;
}

ssize_t layer_recvfrom(void *u, int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
                       socklen_t *addr_len)
{
    struct iovec iov = {buf, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    (void)addr;
    ssize_t n = layer_recvmsg(u, fd, &msg, flags);
    if (addr_len && n >= 0) {
        *addr_len = 0; /* a stream has no sender to name */
    }
    return n;
}

ssize_t layer_recv(void *u, int fd, void *buf, size_t len, int flags)
{
    return layer_recvfrom(u, fd, buf, len, flags, NULL, NULL);
}

ssize_t layer_read(void *u, int fd, void *buf, size_t count)
{
    return layer_recvfrom(u, fd, buf, count, 0, NULL, NULL);
}

ssize_t layer_readv(void *u, int fd, const struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    return layer_recvmsg(u, fd, &msg, 0);
}
