/* Sockets: from socket() to close(), as Linux's calls behave around RFC 9293's OPEN, CLOSE and
 * ABORT. A socket remembers what connect() still has to tell and the error that SO_ERROR tells
 * once; the rest is asked of the engine. */
#include "layer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- addresses ---- */

static int get_address(const struct sock *s, const struct sockaddr *addr, socklen_t len,
                       struct ip_addr *a, uint16_t *port)
{
    if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
        uint8_t b[4];
        memcpy(b, &in->sin_addr, 4);
        *a = ip_addr_from_v4(b);
        *port = ntohs(in->sin_port);
        return 0;
    }
    if (addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6) &&
        s->domain == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)addr;
        *a = ip_addr_from_v6(in->sin6_addr.s6_addr);
        *port = ntohs(in->sin6_port);
        return 0;
    }
    return addr->sa_family == AF_INET || addr->sa_family == AF_INET6 ? EINVAL : EAFNOSUPPORT;
}

void sock_put_address(const struct sock *s, const struct ip_addr *a, uint16_t port,
                      struct sockaddr *to, socklen_t *len)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u = {0};
    socklen_t size = s->domain == AF_INET ? sizeof u.in : sizeof u.in6;
    if (s->domain == AF_INET) {
        u.in.sin_family = AF_INET;
        u.in.sin_port = htons(port);
        memcpy(&u.in.sin_addr, a->b + 12, 4);
    } else {
        u.in6.sin6_family = AF_INET6;
        u.in6.sin6_port = htons(port);
        memcpy(&u.in6.sin6_addr, a->b, 16);
    }
    memcpy(to, &u, *len < size ? *len : size);
    *len = size;
}

/* ---- looking at the endpoint ---- */

bool sock_status(struct layer *l, const struct sock *s, struct tcp_info *info)
{
    return s->id && tcp_status(l->engine, l->now, s->id, true, info) == 0;
}

int sock_take_error(struct sock *s)
{
    int error = s->error;
    s->error = 0;
    return error;
}

static void ended(struct layer *l, struct sock *s, const struct tcp_info *info)
{
    int error = info ? info->error : 0;
    if (error == ECONNRESET && info->fin_received) {
        error = EPIPE; /* Linux's answer to a reset in CLOSE-WAIT */
    } else if (info && info->close_reason == TCP_CLOSE_ICMP_HARD_ERROR && info->soft_error) {
        error = (int)info->soft_error; /* what ICMP said */
    }
    s->error = error;
    s->state = SOCK_ENDED;
    epoll_notify(l, s, 0);
}

static void refresh_stream(struct layer *l, struct sock *s, const struct tcp_info *info)
{
    if (info->bytes_received > s->seen_received) {
        s->seen_received = info->bytes_received;
        s->received_at = l->now;
        epoll_notify(l, s, EPOLLIN | EPOLLRDNORM);
    }
    if (info->fin_received && !s->seen_end) {
        s->seen_end = true;
        epoll_notify(l, s, 0);
    }
    if (info->urgent_pending && !s->seen_urgent) {
        epoll_notify(l, s, EPOLLPRI);
    }
    s->seen_urgent = info->urgent_pending;
    s->tail = s->tail < stream_unsent(info) ? s->tail : stream_unsent(info);
    if (s->buffer_limits) {
        s->buffer_limited_ns += time_diff(l->now, s->buffer_since);
    }
    s->buffer_since = l->now;
    s->buffer_limits =
        s->write_blocked && !stream_unsent(info) && info->bytes_in_flight < info->cwnd_bytes;
    if (s->write_blocked && stream_writable(l, s, info)) {
        s->write_blocked = false;
        epoll_notify(l, s, EPOLLOUT | EPOLLWRNORM);
    }
}

void sock_refresh(struct layer *l, struct sock *s)
{
    struct tcp_info info;
    if (s->state == SOCK_NEW || s->state == SOCK_ENDED) {
        return;
    }
    bool there = sock_status(l, s, &info);
    if (s->state == SOCK_LISTENING) {
        if (there && info.recv_q_bytes > s->seen_accepts) {
            epoll_notify(l, s, EPOLLIN | EPOLLRDNORM);
        }
        s->seen_accepts = there ? info.recv_q_bytes : 0;
        return;
    }
    bool over = !there || info.state == TCP_CLOSED;
    if (s->state == SOCK_CONNECTING && there && info.state >= TCP_ESTABLISHED) {
        s->state = SOCK_CONNECTED;
        s->received_at = l->now;
        s->tuple = info.tuple;
        epoll_notify(l, s, 0);
    }
    if (there && s->state == SOCK_CONNECTED) {
        refresh_stream(l, s, &info);
    }
    if (there) {
        errqueue_progress(l, s, &info, over);
    }
    if (over) {
        ended(l, s, there ? &info : NULL);
    }
}

/* ---- life ---- */

void layer_read_sysctls(struct layer *l)
{
    sysctls_read(&l->sysctls);
    if (l->sysctls.metrics_flushes != l->metrics_flushes) {
        l->metrics_flushes = l->sysctls.metrics_flushes;
        tcp_metrics_clear(l->engine, NULL);
    }
    link_set_frames(l);
    fastopen_sysctl_keys(l);
}

static void plain_options(struct layer *l, struct sock *s)
{
    layer_read_sysctls(l);
    profile_options(l, s->domain == AF_INET, &s->options);
    s->sndbuf = (int)l->sysctls.wmem[1];
    s->rcvbuf = (int)l->sysctls.rmem[1];
    s->rcvlowat = 1;
    s->linger2 = (int)l->sysctls.fin_timeout;
    s->rcvtimeo_ns = s->sndtimeo_ns = 0;
    memcpy(s->congestion, l->sysctls.congestion_control, sizeof s->congestion - 1);
}

int layer_socket(void *u, int domain, int type, int protocol)
{
    struct layer *l = u;
    if (domain != AF_INET && domain != AF_INET6) {
        return fail(EAFNOSUPPORT);
    }
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (kind != SOCK_STREAM) {
        return fail(kind == SOCK_DGRAM || kind == SOCK_RAW ? EPROTONOSUPPORT : ESOCKTNOSUPPORT);
    }
    if (protocol != 0 && protocol != IPPROTO_TCP) {
        return fail(EPROTONOSUPPORT);
    }
    struct sock *s = calloc(1, sizeof *s);
    if (!s) {
        return fail(ENOBUFS);
    }
    layer_lock(l);
    s->domain = domain;
    s->nonblock = type & SOCK_NONBLOCK;
    errqueue_init(s);
    plain_options(l, s);
    int fd = file_open(l, &s->file, FILE_SOCKET);
    if (fd < 0) {
        free(s);
    }
    layer_unlock(l);
    return fd;
}

int layer_bind(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    struct ip_addr a;
    uint16_t port;
    int error = !s ? errno : get_address(s, addr, len, &a, &port);
    if (s && !error && (s->bound || s->state != SOCK_NEW)) {
        error = EINVAL;
    }
    if (s && !error) {
        link_add_local(l, &a);
        s->tuple.local = ip_addr_is_unspecified(&a) ? (struct ip_addr){0} : a;
        s->tuple.local_port = port;
        s->bound = true;
    }
    layer_unlock(l);
    return error ? fail(error) : 0;
}

void sock_apply_options(struct layer *l, struct sock *s)
{
    if (s->id) {
        tcp_set_options(l->engine, l->now, s->id, &s->options);
    }
}

/* What Linux asks of the sysctls anew each time: listeners all, connections how AccECN is told. */
static void refresh_socket(struct layer *l, struct sock *s)
{
    struct tcp_options fresh = s->options;
    profile_refresh(&l->sysctls, &fresh);
    if (s->state == SOCK_LISTENING) {
        fresh.syn_timeout_ns = profile_syn_timeout(&l->sysctls, l->sysctls.synack_retries);
        s->options = fresh;
        fastopen_options(l, s);
    } else {
        s->options.accecn_option = fresh.accecn_option;
    }
    sock_apply_options(l, s);
}

void sockets_refresh_sysctls(struct layer *l)
{
    layer_read_sysctls(l);
    list_for_each_safe(link, tmp, &l->files)
    {
        struct file *f = container_of(link, struct file, link);
        struct sock *s = (struct sock *)(void *)f;
        if (f->kind == FILE_SOCKET && s->id) {
            refresh_socket(l, s);
        }
    }
}

static int start_listening(struct layer *l, struct sock *s, int backlog)
{
    layer_read_sysctls(l);
    profile_refresh(&l->sysctls, &s->options);
    s->backlog = backlog < 0 ? 4096 : backlog > 4095 ? 4095 : backlog;
    s->options.syn_timeout_ns = profile_syn_timeout(&l->sysctls, l->sysctls.synack_retries);
    fastopen_options(l, s);
    struct tcp_listen_args args = {
        .tuple = {.local = s->tuple.local, .local_port = s->tuple.local_port},
        .v4_only = s->domain == AF_INET,
        .v6_only = s->v6_only,
        .backlog = (uint32_t)(backlog < 0      ? 4096
                              : backlog > 4095 ? 4096
                                               : backlog + 1),
        .options = &s->options,
        .owner = 1,
    };
    if (!ip_addr_is_none(&s->tuple.local)) {
        args.v4_only = args.v6_only = false;
    }
    int error = tcp_listen(l->engine, l->now, &args, &s->id);
    if (!error) {
        s->state = SOCK_LISTENING;
        fastopen_listener_keys(l, s);
        layer_run(l);
    }
    return -error;
}

int layer_listen(void *u, int fd, int backlog)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int error = !s                           ? errno
                : s->state == SOCK_LISTENING ? 0
                : s->state == SOCK_NEW       ? start_listening(l, s, backlog)
                                             : EINVAL;
    layer_unlock(l);
    return error ? fail(error) : 0;
}

/* What a connection inherits of its listener's socket. */
static struct sock *heir(struct layer *l, const struct sock *listener, uint64_t id)
{
    struct sock *s = malloc(sizeof *s);
    struct tcp_info info;
    if (!s) {
        return NULL;
    }
    *s = *listener;
    s->nonblock = false;
    s->id = id;
    s->state = SOCK_CONNECTED;
    s->read = s->seen_received = s->seen_accepts = 0;
    s->fastopen_queue = s->backlog = 0;
    errqueue_init(s);
    tcp_get_options(l->engine, id, &s->options);
    if (sock_status(l, s, &info)) {
        s->tuple = info.tuple;
        s->received_at = time_from_ns(info.last_received_ns);
        s->seen_received = info.bytes_received;
        s->seen_end = info.fin_received;
    }
    if (file_open(l, &s->file, FILE_SOCKET) < 0) {
        free(s);
        return NULL;
    }
    sock_refresh(l, s);
    return s;
}

static int64_t timeout_or_never(int64_t ns)
{
    return ns ? ns : INT64_MAX;
}

static int do_accept(struct layer *l, struct sock *s, struct sockaddr *addr, socklen_t *len)
{
    if (s->state != SOCK_LISTENING) {
        return fail(EINVAL);
    }
    uint64_t id;
    ackd_time end = time_add(l->now, timeout_or_never(s->rcvtimeo_ns));
    while (tcp_accept(l->engine, s->id, 1, 0, &id) < 0) {
        if (s->nonblock || !layer_wait(l, end)) {
            return fail(EAGAIN);
        }
    }
    struct sock *n = heir(l, s, id);
    if (!n) {
        return fail(EMFILE);
    }
    s->seen_accepts -= s->seen_accepts > 0;
    if (addr && len) {
        sock_put_address(n, &n->tuple.remote, n->tuple.remote_port, addr, len);
    }
    return n->file.fd;
}

int layer_accept(void *u, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int result = s ? do_accept(l, s, addr, len) : -1;
    int error = errno;
    layer_unlock(l);
    errno = error;
    return result;
}

/* ---- connect ---- */

/* Back to a socket that can be connected again. */
static void disconnect(struct layer *l, struct sock *s)
{
    if (s->id) {
        tcp_abort(l->engine, l->now, s->id, TCP_CLOSE_ABORTED);
        tcp_release(l->engine, l->now, s->id);
    }
    errqueue_free(s);
    errqueue_init(s);
    s->id = 0;
    s->state = SOCK_NEW;
    s->connect_untold = s->deferred = false;
    s->error = 0;
    s->read = s->seen_received = s->bytes_queued = 0;
    s->read_shut = s->write_shut = s->seen_end = s->seen_urgent = false;
    layer_run(l);
}

/* Everything that OPEN needs to know; the remote address is in s->tuple. */
static int opening_args(struct layer *l, struct sock *s, struct tcp_open_args *args)
{
    struct ip_addr want = s->tuple.local, local;
    const struct ip_addr *remote = &s->tuple.remote;
    layer_read_sysctls(l);
    profile_refresh(&l->sysctls, &s->options);
    if (s->syncnt) {
        s->options.syn_timeout_ns = profile_syn_timeout(&l->sysctls, s->syncnt);
    }
    fastopen_options(l, s);
    link_add_remote(l, remote);
    if (ip_addr_is_none(&want)) {
        want = ip_addr_is_v4(remote) ? l->local_v4 : l->local_v6;
    }
    *args = (struct tcp_open_args){.options = &s->options, .owner = 1};
    int error = net_source_for(l->net, remote, &want, &local, &args->mtu);
    args->tuple = (struct tcp_tuple){local, *remote, s->tuple.local_port, s->tuple.remote_port};
    return -error;
}

int sock_open_deferred(struct layer *l, struct sock *s, struct sock_opening *how)
{
    struct tcp_open_args args;
    int error = opening_args(l, s, &args);
    if (error) {
        return error;
    }
    args.fast_open = how->fast_open;
    if (how->length) {
        int64_t room = tcp_fast_open_room(l->engine, l->now, &args);
        how->on_syn = room <= 0 ? 0 : (size_t)room < how->length ? (size_t)room : how->length;
        args.data = how->data;
        args.length = how->on_syn;
    }
    error = tcp_open(l->engine, l->now, &args, &s->id);
    if (error) {
        return -error;
    }
    s->syn_data = how->on_syn;
    if (how->on_syn) { /* what the SYN carries is pushed, and so is what follows */
        const uint8_t *rest = (const uint8_t *)how->data + how->on_syn;
        tcp_send(l->engine, l->now, s->id, NULL, 0, TCP_SEND_PUSH);
        if (how->more) {
            tcp_send(l->engine, l->now, s->id, rest, how->length - how->on_syn, TCP_SEND_PUSH);
        }
    }
    int64_t taken = tcp_send_offset(l->engine, s->id);
    how->taken = taken > 0 ? (size_t)taken : 0;
    s->state = SOCK_CONNECTING;
    s->connect_untold = true;
    s->deferred = false;
    return 0;
}

int sock_open(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len,
              struct sock_opening *how)
{
    int error = addr ? get_address(s, addr, len, &s->tuple.remote, &s->tuple.remote_port) : EINVAL;
    return error ? error : sock_open_deferred(l, s, how);
}

/* TCP_FASTOPEN_CONNECT: with a cookie the SYN waits for the first write. */
static bool defers(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len)
{
    struct tcp_open_args args;
    if (!s->fastopen_connect ||
        get_address(s, addr, len, &s->tuple.remote, &s->tuple.remote_port) ||
        opening_args(l, s, &args)) {
        return false;
    }
    args.fast_open = true;
    s->deferred = tcp_fast_open_room(l->engine, l->now, &args) > 0;
    return s->deferred;
}

/* How the connect() that is under way ended, or EINPROGRESS. */
static int connect_result(struct layer *l, struct sock *s)
{
    if (s->state == SOCK_CONNECTING) {
        return EINPROGRESS;
    }
    s->connect_untold = false;
    if (s->state == SOCK_CONNECTED) {
        return 0;
    }
    int error = sock_take_error(s);
    disconnect(l, s);
    return error ? error : ECONNABORTED;
}

int sock_connect_wait(struct layer *l, struct sock *s, bool nonblock)
{
    ackd_time end = time_add(l->now, timeout_or_never(s->sndtimeo_ns));
    while (s->state == SOCK_CONNECTING && !nonblock && layer_wait(l, end)) {
    }
    return connect_result(l, s);
}

int sock_connect(struct layer *l, struct sock *s, const struct sockaddr *addr, socklen_t len,
                 bool nonblock)
{
    if (addr->sa_family == AF_UNSPEC) {
        disconnect(l, s);
        return 0;
    }
    bool first = s->state == SOCK_NEW && !s->deferred;
    if (!first && !s->connect_untold) {
        return EISCONN;
    }
    if (first && defers(l, s, addr, len)) {
        return 0;
    }
    struct sock_opening how = {.fast_open = s->fastopen_connect};
    int error = first ? sock_open(l, s, addr, len, &how) : 0;
    if (error) {
        return error;
    }
    layer_run(l);
    error = sock_connect_wait(l, s, nonblock);
    return error == EINPROGRESS && !first ? EALREADY : error;
}

int layer_connect(void *u, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int error = s ? sock_connect(l, s, addr, len, s->nonblock) : errno;
    layer_unlock(l);
    return error ? fail(error) : 0;
}

/* ---- the end ---- */

static int do_shutdown(struct layer *l, struct sock *s, int how)
{
    if (how < SHUT_RD || how > SHUT_RDWR) {
        return EINVAL;
    }
    sock_refresh(l, s);
    if (s->state == SOCK_NEW || s->state == SOCK_ENDED) {
        return ENOTCONN;
    }
    if (s->state == SOCK_LISTENING || s->state == SOCK_CONNECTING) {
        bool listening = s->state == SOCK_LISTENING;
        if (!listening || how != SHUT_WR) {
            disconnect(l, s);
        }
        return 0;
    }
    s->read_shut |= how != SHUT_WR;
    if (how != SHUT_RD && !s->write_shut) {
        s->write_shut = true;
        tcp_close(l->engine, l->now, s->id);
    }
    epoll_notify(l, s, 0);
    layer_run(l);
    return 0;
}

int layer_shutdown(void *u, int fd, int how)
{
    struct layer *l = u;
    layer_lock(l);
    struct sock *s = sock_find(l, fd);
    int error = s ? do_shutdown(l, s, how) : errno;
    layer_unlock(l);
    return error ? fail(error) : 0;
}

/* SO_LINGER: with zero seconds the connection is reset; with more, a blocking close waits until all
 * is acknowledged. */
static void linger(struct layer *l, struct sock *s)
{
    struct tcp_info info;
    tcp_close(l->engine, l->now, s->id);
    layer_run(l);
    ackd_time end = time_add(l->now, s->linger_s * NS_PER_S);
    while (sock_status(l, s, &info) && info.state != TCP_CLOSED && info.state != TCP_TIME_WAIT &&
           info.state != TCP_FIN_WAIT_2 && layer_wait(l, end)) {
    }
}

void sock_close(struct layer *l, struct sock *s)
{
    struct tcp_info info;
    epoll_forget(l, s);
    if (s->id) {
        bool stream = s->state == SOCK_CONNECTED && sock_status(l, s, &info);
        bool unread = stream && info.recv_q_bytes;
        if (stream && s->linger_on && !s->linger_s) {
            tcp_abort(l->engine, l->now, s->id, TCP_CLOSE_ABORTED);
        } else if (stream && s->linger_on && !unread && !s->nonblock) {
            linger(l, s);
        }
        tcp_release(l->engine, l->now, s->id);
    }
    errqueue_free(s);
}
