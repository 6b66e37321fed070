/* One connection to the daemon: a Unix stream socket with an HTTP/2 client on it (RFC 9113, prior
 * knowledge, no TLS).
 *
 * Windows. The connection's window is returned as soon as bytes arrive, a stream's window when its
 * user takes them: one stream that nobody reads does not hold up the others, and what waits here is
 * bounded by STREAM_WINDOW a stream.
 *
 * Copies. On the way out a payload goes from the caller's memory into the socket, gathered with its
 * headers in one sendmsg(); only what a full socket refuses is copied. On the way in bytes are read
 * into `in` and copied once, into their message. */
#include "client/lib/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#define MS 1000000

int64_t time_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 * MS + t.tv_nsec;
}

int64_t time_after(int64_t timeout_ms)
{
    if (timeout_ms < 0)
        return TIME_NEVER;
    return timeout_ms == 0 ? 0 : time_now() + timeout_ms * MS;
}

/* ---- the end of it all ---- */

static void conn_break(struct ackd *a, int code, int errnum, const char *reason,
                       const char *sentence)
{
    if (a->broken)
        return;
    a->broken = true;
    error_set(&a->why, code, errnum, reason, "%s", sentence);
    for (struct call *c = a->calls; c; c = c->next) {
        if (c->closed)
            continue;
        c->closed = true;
        error_copy(&c->error, &a->why);
    }
}

/* ---- out ---- */

static void out_add(struct out *out, const void *data, size_t length)
{
    if (length == 0)
        return;
    out->iov[out->count++] = (struct iovec){(void *)data, length};
    out->bytes += length;
}

/* A copy that lives until the next flush; adjoins its neighbour where it can. */
static void out_copy(struct out *out, const void *data, size_t length)
{
    uint8_t *at = out->arena + out->arena_used;
    memcpy(at, data, length);
    out->arena_used += length;
    struct iovec *last = out->count ? &out->iov[out->count - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == at) {
        last->iov_len += length;
        out->bytes += length;
    } else {
        out_add(out, at, length);
    }
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *data, size_t length, int flags,
                       void *user)
{
    (void)h2, (void)flags;
    struct out *out = &((struct ackd *)user)->out;
    size_t room = sizeof out->arena - out->arena_used;
    if (out->count == OUT_IOV || room == 0 || out->bytes >= OUT_BATCH)
        return NGHTTP2_ERR_WOULDBLOCK;
    size_t n = length < room ? length : room;
    out_copy(out, data, n);
    return (ssize_t)n;
}

static int on_send_data(nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *header,
                        size_t length, nghttp2_data_source *source, void *user)
{
    (void)source;
    struct out *out = &((struct ackd *)user)->out;
    struct call *c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (!c)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (out->count + 4 > OUT_IOV || sizeof out->arena - out->arena_used < 9 + sizeof c->head ||
        out->bytes >= OUT_BATCH)
        return NGHTTP2_ERR_WOULDBLOCK;
    out_copy(out, header, 9);
    struct iovec pieces[2];
    call_gather(c, length, pieces);
    out_copy(out, pieces[0].iov_base, pieces[0].iov_len);
    out_add(out, pieces[1].iov_base, pieces[1].iov_len);
    return 0;
}

/* As long a DATA frame as both windows and the daemon's SETTINGS_MAX_FRAME_SIZE admit. */
static ssize_t on_read_length(nghttp2_session *h2, uint8_t type, int32_t stream_id,
                              int32_t connection_window, int32_t stream_window, uint32_t max_frame,
                              void *user)
{
    (void)h2, (void)type, (void)stream_id, (void)user;
    int32_t n = connection_window < stream_window ? connection_window : stream_window;
    if (n > MAX_FRAME)
        n = MAX_FRAME;
    return n < (int32_t)max_frame ? n : (int32_t)max_frame;
}

/* Writes a gathered batch; what the socket does not take now becomes the rest. 0, or an errno
 * value. */
static int out_write(struct ackd *a)
{
    struct out *out = &a->out;
    struct msghdr m = {.msg_iov = out->iov, .msg_iovlen = (size_t)out->count};
    size_t left = out->bytes;
    int error = 0;
    while (left) {
        ssize_t n = sendmsg(a->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error = errno;
            break;
        }
        left -= (size_t)n;
        while (m.msg_iovlen && (size_t)n >= m.msg_iov->iov_len) {
            n -= (ssize_t)m.msg_iov->iov_len;
            m.msg_iov++, m.msg_iovlen--;
        }
        if (n > 0) {
            m.msg_iov->iov_base = (uint8_t *)m.msg_iov->iov_base + n;
            m.msg_iov->iov_len -= (size_t)n;
        }
    }
    if (left && error == EAGAIN) {
        out->rest = malloc(left);
        error = out->rest ? 0 : ENOMEM;
        out->rest_at = 0;
        out->rest_length = out->rest ? left : 0;
        for (size_t at = 0; out->rest && at < left; m.msg_iov++) {
            memcpy(out->rest + at, m.msg_iov->iov_base, m.msg_iov->iov_len);
            at += m.msg_iov->iov_len;
        }
    }
    out->count = 0;
    out->bytes = out->arena_used = 0;
    return error;
}

static int out_write_rest(struct ackd *a)
{
    struct out *out = &a->out;
    while (out->rest_at < out->rest_length) {
        ssize_t n = send(a->fd, out->rest + out->rest_at, out->rest_length - out->rest_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : errno;
        out->rest_at += (size_t)n;
    }
    free(out->rest);
    out->rest = NULL;
    out->rest_at = out->rest_length = 0;
    return 0;
}

void conn_flush(struct ackd *a)
{
    while (!a->broken && !a->write_dead) {
        int error = a->out.rest ? out_write_rest(a) : 0;
        if (a->out.rest && !error)
            return;
        if (!error) {
            int r = nghttp2_session_send(a->h2);
            if (r) {
                conn_break(a, ACKD_INTERNAL, r == NGHTTP2_ERR_NOMEM ? ENOMEM : EPROTO, "HTTP2",
                           nghttp2_strerror(r));
                return;
            }
            if (a->out.count == 0)
                return;
            error = out_write(a);
        }
        if (error)
            a->write_dead = true;
    }
}

/* ---- in ---- */

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    (void)name_length, (void)flags, (void)user;
    struct call *c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (c)
        status_header(c, (const char *)name, value, value_length);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t length, void *user)
{
    (void)flags, (void)user;
    nghttp2_session_consume_connection(h2, length);
    struct call *c = nghttp2_session_get_stream_user_data(h2, stream_id);
    if (!c || c->closed)
        return 0;
    return call_input(c, data, length);
}

static int on_close(nghttp2_session *h2, int32_t stream_id, uint32_t error_code, void *user)
{
    (void)user;
    struct call *c = nghttp2_session_get_stream_user_data(h2, stream_id);
    if (c)
        call_closed(c, error_code);
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct ackd *a = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        a->going_away = true;
    bool bytes = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    struct call *c = bytes ? nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id) : NULL;
    if (c && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        call_answered(c);
    return 0;
}

/* A request that could not be sent has no stream that could close. */
static int on_not_sent(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *user)
{
    (void)h2;
    struct ackd *a = user;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    for (struct call *c = a->calls; c; c = c->next)
        if (c->stream_id == frame->hd.stream_id && !c->closed) {
            c->closed = true;
            error_set(&c->error, ACKD_UNAVAILABLE, 0, a->going_away ? "GOING_AWAY" : "HTTP2", "%s",
                      a->going_away ? "the daemon is going away and takes no more calls"
                                    : nghttp2_strerror(error));
        }
    return 0;
}

/* Reads once. 1 bytes came, 0 none now, -1 the end. */
static int in_read(struct ackd *a)
{
    ssize_t n;
    do
        n = recv(a->fd, a->in, sizeof a->in, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN && !a->write_dead)
        return 0;
    if (n <= 0) {
        conn_break(a, ACKD_UNAVAILABLE, n < 0 && errno != EAGAIN ? errno : EPIPE,
                   a->going_away ? "GOING_AWAY" : "CONNECTION_LOST",
                   a->going_away ? "the daemon went away"
                                 : "the daemon closed the control connection");
        return -1;
    }
    ssize_t used = nghttp2_session_mem_recv(a->h2, a->in, (size_t)n);
    if (used != n) {
        bool memory = a->out_of_memory || used == NGHTTP2_ERR_NOMEM;
        conn_break(a, memory ? ACKD_RESOURCE_EXHAUSTED : ACKD_INTERNAL, memory ? ENOMEM : EPROTO,
                   memory ? "NO_MEMORY" : "MALFORMED_ANSWER",
                   memory ? "out of memory" : "the other end does not speak HTTP/2 as it should");
        return -1;
    }
    return 1;
}

/* A session that nghttp2 itself gave up: our GOAWAY about a malformed answer, or the daemon's with
 * nothing left to come. */
static void check_over(struct ackd *a)
{
    if (a->broken || nghttp2_session_want_read(a->h2) || nghttp2_session_want_write(a->h2))
        return;
    if (a->going_away)
        conn_break(a, ACKD_UNAVAILABLE, EPIPE, "GOING_AWAY", "the daemon went away");
    else
        conn_break(a, ACKD_INTERNAL, EPROTO, "MALFORMED_ANSWER",
                   "the daemon's HTTP/2 is malformed");
}

/* ---- the crank ---- */

static bool want_write(const struct ackd *a)
{
    return !a->write_dead && (a->out.rest || nghttp2_session_want_write(a->h2));
}

/* 1 readable or writable, 0 the time is over, -1 cancelled. */
static int wait_socket(struct ackd *a, int64_t deadline, struct ackd_error *err)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = a->fd, .events = ackd_poll_events(a)},
                              {.fd = a->cancel_fd, .events = POLLIN}};
        struct timespec left, *timeout = NULL;
        if (deadline != TIME_NEVER) {
            int64_t ns = deadline ? deadline - time_now() : 0;
            ns = ns < 0 ? 0 : ns;
            left = (struct timespec){ns / (1000 * MS), ns % (1000 * MS)};
            timeout = &left;
        }
        int n = ppoll(p, a->cancel_fd < 0 ? 1 : 2, timeout, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0 && p[1].revents)
            return error_set(err, ACKD_CANCELLED, ECANCELED, "CANCELLED", "interrupted");
        return n < 0 ? 1 : n > 0;
    }
}

int conn_step(struct ackd *a, int64_t deadline, struct ackd_error *err)
{
    conn_flush(a);
    int r = 0;
    if (!a->broken) {
        if (deadline != 0 && !a->write_dead)
            r = wait_socket(a, deadline, err);
        if (r < 0)
            return -1;
        int got = in_read(a);
        r = r || got;
        conn_flush(a);
        check_over(a);
    }
    return a->broken ? error_copy(err, &a->why) : r;
}

int ackd_process(struct ackd *a, struct ackd_error *err)
{
    return conn_step(a, 0, err) < 0 ? -1 : 0;
}

int ackd_fd(const struct ackd *a)
{
    return a->fd;
}

short ackd_poll_events(const struct ackd *a)
{
    return (short)(POLLIN | (want_write(a) ? POLLOUT : 0));
}

void ackd_set_timeout(struct ackd *a, unsigned timeout_ms)
{
    a->timeout_ms = timeout_ms;
}

void ackd_set_cancel_fd(struct ackd *a, int fd)
{
    a->cancel_fd = fd;
}

/* ---- birth and death ---- */

static int session_new(struct ackd *a)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *option = NULL;
    int r = NGHTTP2_ERR_NOMEM;
    if (nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_send_callback(cb, on_send);
        nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
        nghttp2_session_callbacks_set_data_source_read_length_callback(cb, on_read_length);
        nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
        nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
        nghttp2_option_set_no_auto_window_update(option, 1);
        r = nghttp2_session_client_new2(&a->h2, cb, a, option);
    }
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    if (r)
        return r;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, MAX_FRAME},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 64 << 10},
    };
    r = nghttp2_submit_settings(a->h2, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof *settings);
    return r ? r : nghttp2_session_set_local_window_size(a->h2, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
}

struct ackd *ackd_connect_fd(int fd, struct ackd_error *err)
{
    struct ackd *a = calloc(1, sizeof *a);
    if (!a || session_new(a)) {
        error_no_memory(err);
        close(fd);
        free(a);
        return NULL;
    }
    a->fd = fd;
    a->cancel_fd = -1;
    a->timeout_ms = 10000;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return a;
}

void ackd_disconnect(struct ackd *a)
{
    if (!a)
        return;
    while (a->calls)
        call_free(a->calls);
    if (!a->broken) {
        nghttp2_session_terminate_session(a->h2, NGHTTP2_NO_ERROR);
        conn_flush(a);
    }
    nghttp2_session_del(a->h2);
    if (a->reply)
        protobuf_c_message_free_unpacked(a->reply, NULL);
    if (a->session_event)
        protobuf_c_message_free_unpacked(a->session_event, NULL);
    free(a->scratch);
    free(a->out.rest);
    close(a->fd);
    free(a);
}
