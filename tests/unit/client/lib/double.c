/* A scripted HTTP/2 server: see double.h. */
#include "double.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct command {
    void (*fn)(struct double_server *d, void *arg);
    void *arg;
};

struct double_server {
    int fd, commands[2];
    pthread_t thread;
    nghttp2_session *h2;
    struct double_script script;
    struct double_stream *streams;
    bool deaf, hung_up;
};

void *double_arg(struct double_server *d)
{
    return d->script.arg;
}

struct double_stream *double_find(struct double_server *d, const char *path)
{
    for (struct double_stream *s = d->streams; s; s = s->next)
        if (strcmp(s->path, path) == 0)
            return s;
    return NULL;
}

/* ---- out ---- */

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static void trailers(struct double_stream *s)
{
    nghttp2_nv fields[3] = {nv("grpc-status", s->status)};
    size_t n = 1;
    if (s->message[0])
        fields[n++] = nv("grpc-message", s->message);
    if (s->details[0])
        fields[n++] = nv("grpc-status-details-bin", s->details);
    nghttp2_submit_trailer(s->server->h2, s->id, fields, n);
}

static ssize_t on_read(nghttp2_session *h2, int32_t id, uint8_t *buffer, size_t length,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)h2, (void)id, (void)user;
    struct double_stream *s = source->ptr;
    size_t n = s->out_length - s->out_at < length ? s->out_length - s->out_at : length;
    if (n)
        memcpy(buffer, s->out + s->out_at, n);
    s->out_at += n;
    if (s->out_at == s->out_length && s->finishing) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        trailers(s);
        return (ssize_t)n;
    }
    return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static void begin(struct double_stream *s)
{
    if (s->headers_sent) {
        nghttp2_session_resume_data(s->server->h2, s->id);
        return;
    }
    s->headers_sent = true;
    nghttp2_nv fields[] = {nv(":status", "200"), nv("content-type", "application/grpc")};
    nghttp2_data_provider source = {.source.ptr = s, .read_callback = on_read};
    nghttp2_submit_response(s->server->h2, s->id, fields, 2, &source);
}

void double_send_bytes(struct double_stream *s, const void *data, size_t length)
{
    s->out = realloc(s->out, s->out_length + length + 1);
    assert(s->out);
    memcpy(s->out + s->out_length, data, length);
    s->out_length += length;
    begin(s);
}

void double_send(struct double_stream *s, const ProtobufCMessage *message)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *p = malloc(5 + n);
    assert(p);
    p[0] = 0;
    for (int i = 0; i < 4; i++)
        p[1 + i] = (uint8_t)(n >> (24 - 8 * i));
    protobuf_c_message_pack(message, p + 5);
    double_send_bytes(s, p, 5 + n);
    free(p);
}

void double_finish(struct double_stream *s, int grpc_status, const char *message,
                   const char *details)
{
    snprintf(s->status, sizeof s->status, "%d", grpc_status);
    snprintf(s->message, sizeof s->message, "%s", message ? message : "");
    snprintf(s->details, sizeof s->details, "%s", details ? details : "");
    s->finishing = true;
    begin(s);
}

void double_reply(struct double_stream *s, const ProtobufCMessage *message)
{
    double_send(s, message);
    double_finish(s, 0, NULL, NULL);
}

void double_reset(struct double_stream *s, uint32_t code)
{
    nghttp2_submit_rst_stream(s->server->h2, 0, s->id, code);
}

void double_headers(struct double_stream *s, const nghttp2_nv *fields, size_t count, bool end)
{
    s->headers_sent = true;
    nghttp2_submit_headers(s->server->h2, end ? NGHTTP2_FLAG_END_STREAM : 0, s->id, NULL, fields,
                           count, NULL);
}

void double_consume(struct double_stream *s, size_t bytes)
{
    nghttp2_session_consume_stream(s->server->h2, s->id, bytes);
}

void double_goaway(struct double_server *d, int32_t last_stream, uint32_t code)
{
    nghttp2_submit_goaway(d->h2, 0, last_stream, code, NULL, 0);
}

void double_raw(struct double_server *d, const void *data, size_t length)
{
    ssize_t n = send(d->fd, data, length, MSG_NOSIGNAL);
    assert(n == (ssize_t)length);
}

void double_hang_up(struct double_server *d)
{
    shutdown(d->fd, SHUT_RDWR);
    d->hung_up = true;
}

void double_deaf(struct double_server *d, bool deaf)
{
    d->deaf = deaf;
}

/* ---- in ---- */

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct double_server *d = user;
    struct double_stream *s = calloc(1, sizeof *s);
    assert(s);
    s->server = d;
    s->id = frame->hd.stream_id;
    s->next = d->streams;
    d->streams = s;
    nghttp2_session_set_stream_user_data(h2, s->id, s);
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t nl, const uint8_t *value, size_t vl, uint8_t flags, void *user)
{
    (void)nl, (void)flags, (void)user;
    struct double_stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (s && strcmp((const char *)name, ":path") == 0)
        snprintf(s->path, sizeof s->path, "%.*s", (int)vl, (const char *)value);
    if (s && strcmp((const char *)name, "grpc-timeout") == 0)
        snprintf(s->timeout, sizeof s->timeout, "%.*s", (int)vl, (const char *)value);
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct double_server *d = user;
    struct double_stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (!s)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && d->script.on_request)
        d->script.on_request(s);
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        s->reset = true;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && frame->hd.type <= NGHTTP2_HEADERS) {
        s->half_closed = true;
        if (d->script.on_half_close)
            d->script.on_half_close(s);
    }
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *user)
{
    (void)flags;
    struct double_server *d = user;
    struct double_stream *s = nghttp2_session_get_stream_user_data(h2, id);
    nghttp2_session_consume_connection(h2, length);
    if (!d->script.hold_windows)
        nghttp2_session_consume_stream(h2, id, length);
    s->received += length;
    s->in = realloc(s->in, s->in_length + length);
    assert(s->in);
    memcpy(s->in + s->in_length, data, length);
    s->in_length += length;
    for (;;) {
        if (s->in_length < 5)
            return 0;
        size_t n =
            (size_t)s->in[1] << 24 | (size_t)s->in[2] << 16 | (size_t)s->in[3] << 8 | s->in[4];
        if (s->in_length < 5 + n)
            return 0;
        if (d->script.on_message)
            d->script.on_message(s, s->in + 5, n);
        memmove(s->in, s->in + 5 + n, s->in_length - 5 - n);
        s->in_length -= 5 + n;
    }
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *data, size_t length, int flags,
                       void *user)
{
    (void)h2, (void)flags;
    struct double_server *d = user;
    ssize_t n = send(d->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
    return n;
}

/* ---- the thread ---- */

/* false: stop. */
static bool do_command(struct double_server *d)
{
    struct command c;
    ssize_t n = recv(d->commands[1], &c, sizeof c, 0);
    if (n != sizeof c || !c.fn)
        return false;
    c.fn(d, c.arg);
    nghttp2_session_send(d->h2);
    n = send(d->commands[1], "", 1, 0);
    return n == 1;
}

static void *run(void *arg)
{
    struct double_server *d = arg;
    uint8_t buffer[65536];
    for (;;) {
        bool out = !d->hung_up && nghttp2_session_want_write(d->h2);
        struct pollfd p[2] = {
            {.fd = d->commands[1], .events = POLLIN},
            {.fd = d->hung_up || d->deaf ? -1 : d->fd, .events = POLLIN | (out ? POLLOUT : 0)}};
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[0].revents && !do_command(d))
            return NULL;
        if (p[1].revents & (POLLIN | POLLHUP)) {
            ssize_t n = recv(d->fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN) ||
                (n > 0 && nghttp2_session_mem_recv(d->h2, buffer, (size_t)n) < 0))
                d->hung_up = true;
        }
        if (!d->hung_up && nghttp2_session_send(d->h2) < 0)
            d->hung_up = true;
    }
}

void double_run(struct double_server *d, void (*fn)(struct double_server *d, void *arg), void *arg)
{
    struct command c = {fn, arg};
    char done;
    ssize_t n = send(d->commands[0], &c, sizeof c, 0);
    assert(n == sizeof c);
    n = recv(d->commands[0], &done, 1, 0);
    assert(n == 1);
}

struct double_server *double_start(const struct double_script *script, int *client_fd)
{
    struct double_server *d = calloc(1, sizeof *d);
    int pair[2];
    assert(d);
    d->script = *script;
    int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    assert(r == 0);
    r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, d->commands);
    assert(r == 0);
    d->fd = pair[0];
    *client_fd = pair[1];
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_send_callback(cb, on_send);
    r = nghttp2_session_server_new2(&d->h2, cb, d, option);
    assert(r == 0);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, script->initial_window};
    nghttp2_submit_settings(d->h2, 0, &window, script->initial_window ? 1 : 0);
    nghttp2_session_set_local_window_size(d->h2, 0, 0, 4 << 20);
    r = pthread_create(&d->thread, NULL, run, d);
    assert(r == 0);
    return d;
}

void double_stop(struct double_server *d)
{
    struct command stop = {0};
    ssize_t n = send(d->commands[0], &stop, sizeof stop, 0);
    assert(n == sizeof stop);
    pthread_join(d->thread, NULL);
    nghttp2_session_del(d->h2);
    while (d->streams) {
        struct double_stream *s = d->streams;
        d->streams = s->next;
        free(s->in);
        free(s->out);
        free(s);
    }
    close(d->fd);
    close(d->commands[0]);
    close(d->commands[1]);
    free(d);
}
