/* The test bench of the transport: see bench.h. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "google/rpc/status.pb-c.h"
#include "proto/descriptors.h"
#include "proto/framing.h"

/* ---- the service ---- */

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    struct bench *b = grpc_call_arg(call);
    assert_int_equal(b->inside, 0);
    b->messages++;
    b->wire_bytes += wire_bytes;
    b->call = call;
    if (b->consume) {
        INSIDE(b, grpc_call_consumed(call, wire_bytes));
    }
    if (b->on_message) {
        b->on_message(b, call, message);
    }
}

static void on_half_close(struct grpc_call *call)
{
    struct bench *b = grpc_call_arg(call);
    assert_int_equal(b->inside, 0);
    b->half_closes++;
    if (b->on_half_close) {
        b->on_half_close(b, call);
    }
}

static void on_writable(struct grpc_call *call)
{
    struct bench *b = grpc_call_arg(call);
    assert_int_equal(b->inside, 0);
    b->writables++;
    if (b->on_writable) {
        b->on_writable(b, call);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct bench *b = grpc_call_arg(call);
    assert_int_equal(b->inside, 0);
    b->ends++;
    b->cancelled += cancelled;
    if (b->on_end) {
        b->on_end(b, call);
    }
}

/* `place`: 2, an Any's value, or none. */
#define METHOD(name, in, up, down, place)                                                          \
    {                                                                                              \
        .path = name, .input = in, .output = &google__protobuf__any__descriptor,                   \
        .client_streaming = up, .server_streaming = down, .in_place = place,                       \
        .on_message = on_message, .on_half_close = on_half_close, .on_writable = on_writable,      \
        .on_end = on_end                                                                           \
    }
static const struct grpc_method methods[] = {
    METHOD(UNARY, &google__protobuf__any__descriptor, false, false, 2),
    METHOD(STREAM, &google__protobuf__any__descriptor, true, true, 2),
    METHOD(DOWNLOAD, &google__protobuf__any__descriptor, false, true, 2),
    METHOD(NESTED, &google__rpc__status__descriptor, false, false, 0),
};

static enum grpc_code authorize(void *arg, const struct grpc_peer *peer,
                                const struct grpc_method *method, const char **why)
{
    struct bench *b = arg;
    assert_int_equal(peer->uid, getuid());
    assert_int_equal(peer->pid, getpid());
    assert_non_null(method);
    b->asked++;
    *why = "not for you";
    return b->verdict;
}

void bench_open(struct bench *b, const struct grpc_limits *limits)
{
    *b = (struct bench){.consume = true};
    b->loop = poll_loop_new(false);
    struct grpc_server_config config = {.loop = b->loop,
                                        .authorize = authorize,
                                        .authorize_arg = b,
                                        .descriptor_set = ackd_descriptor_set,
                                        .descriptor_set_length = ackd_descriptor_set_length};
    if (limits) {
        config.limits = *limits;
    }
    b->server = grpc_server_new(&config);
    assert_non_null(b->server);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        grpc_server_add(b->server, &methods[i], b);
    }
}

void bench_close(struct bench *b)
{
    grpc_server_free(b->server);
    poll_loop_free(b->loop);
}

struct grpc_stats bench_stats(const struct bench *b)
{
    struct grpc_stats stats;
    grpc_server_stats(b->server, &stats);
    return stats;
}

/* ---- sockets ---- */

int raw_open(struct bench *b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(grpc_server_attach(b->server, fds[1], false), 0);
    return fds[0];
}

bool raw_frame(int fd, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
               size_t length)
{
    uint8_t frame[9 + 16384];
    assert_true(length <= 16384);
    frame[0] = (uint8_t)(length >> 16);
    frame[1] = (uint8_t)(length >> 8);
    frame[2] = (uint8_t)length;
    frame[3] = type;
    frame[4] = flags;
    frame[5] = (uint8_t)(stream >> 24);
    frame[6] = (uint8_t)(stream >> 16);
    frame[7] = (uint8_t)(stream >> 8);
    frame[8] = (uint8_t)stream;
    if (length > 0) {
        memcpy(frame + 9, payload, length);
    }
    return send(fd, frame, 9 + length, MSG_NOSIGNAL) == (ssize_t)(9 + length);
}

void raw_greet(struct bench *b, int fd)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_int_equal(send(fd, preface, 24, MSG_NOSIGNAL), 24);
    assert_true(raw_frame(fd, NGHTTP2_SETTINGS, 0, 0, NULL, 0));
    poll_loop_settle(b->loop, 100);
}

bool raw_closed(struct bench *b, int fd)
{
    uint8_t bytes[65536];
    ssize_t n;
    do {
        poll_loop_settle(b->loop, 100);
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    } while (n > 0);
    return n == 0 || errno == ECONNRESET;
}

static size_t literal(uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    assert_true(n < 127 && v < 127);
    out[0] = 0x00; /* literal, not indexed, new name */
    out[1] = (uint8_t)n;
    memcpy(out + 2, name, n);
    out[2 + n] = (uint8_t)v;
    memcpy(out + 3 + n, value, v);
    return 3 + n + v;
}

size_t raw_request(uint8_t *out, const char *path)
{
    size_t n = literal(out, ":method", "POST");
    n += literal(out + n, ":scheme", "http");
    n += literal(out + n, ":path", path);
    return n + literal(out + n, "content-type", "application/grpc");
}

/* ---- the client ---- */

struct reply *client_reply(struct client *c, int32_t stream)
{
    assert_in_range(stream / 2, 0, STREAMS - 1);
    return &c->replies[stream / 2];
}

static bool named(const uint8_t *name, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(name, text, length) == 0;
}

static int number(const uint8_t *value, size_t length)
{
    char text[12] = {0};
    memcpy(text, value, length < 11 ? length : 11);
    return atoi(text);
}

static int client_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                            const uint8_t *name, size_t name_length, const uint8_t *value,
                            size_t length, uint8_t flags, void *user_data)
{
    struct reply *r = client_reply(user_data, frame->hd.stream_id);
    (void)session;
    (void)flags;
    if (named(name, name_length, ":status")) {
        r->http_status = number(value, length);
    } else if (named(name, name_length, "grpc-status")) {
        r->code = number(value, length);
    } else if (named(name, name_length, "grpc-message")) {
        assert_true(length < sizeof(r->message));
        r->message[grpc_percent_decode((const char *)value, length, r->message)] = '\0';
    } else if (named(name, name_length, "grpc-status-details-bin")) {
        assert_true(length < sizeof(r->details));
        ssize_t n = grpc_base64_decode((const char *)value, length, (uint8_t *)r->details);
        assert_true(n >= 0);
        r->details_length = (size_t)n;
    } else if (named(name, name_length, "grpc-accept-encoding")) {
        r->accepts_identity = named(value, length, "identity");
    }
    return 0;
}

static int client_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct client *c = user_data;
    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct reply *r = client_reply(c, frame->hd.stream_id);
        r->headers++;
        r->trailers_only = r->headers == 1 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->goaway = true;
        c->goaway_error = frame->goaway.error_code;
    }
    return 0;
}

/* Room for `more` bytes behind the first `length`: doubling, for under a sanitizer each realloc()
 * copies everything to fresh pages. */
static void grow(uint8_t **data, size_t *capacity, size_t length, size_t more)
{
    if (length + more > *capacity) {
        *capacity = 2 * (length + more);
        *data = realloc(*data, *capacity);
        assert_non_null(*data);
    }
}

static int client_on_data(nghttp2_session *session, uint8_t flags, int32_t stream,
                          const uint8_t *data, size_t length, void *user_data)
{
    struct client *c = user_data;
    struct reply *r = client_reply(c, stream);
    (void)flags;
    grow(&r->data, &r->capacity, r->length, length);
    memcpy(r->data + r->length, data, length);
    r->length += length;
    if (!c->hold_windows) {
        nghttp2_session_consume(session, stream, length);
    }
    return 0;
}

static int client_on_close(nghttp2_session *session, int32_t stream, uint32_t error,
                           void *user_data)
{
    struct reply *r = client_reply(user_data, stream);
    (void)session;
    r->closed = true;
    r->error = error;
    return 0;
}

static ssize_t client_read(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t length,
                           uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct reply *r = client_reply(user_data, stream);
    size_t n = r->out_length - r->out_sent;
    (void)session;
    (void)source;
    n = n < length ? n : length;
    if (n > 0) {
        memcpy(buffer, r->out + r->out_sent, n);
        r->out_sent += n;
    }
    if (r->out_end && r->out_sent == r->out_length) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (n == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static void client_session(struct client *c, uint32_t window)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_header_callback(cb, client_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, client_on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, client_on_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    assert_int_equal(nghttp2_session_client_new2(&c->session, cb, c, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    assert_int_equal(nghttp2_submit_settings(c->session, 0, &entry, window ? 1 : 0), 0);
    if (window) {
        nghttp2_session_set_local_window_size(c->session, 0, 0, (int32_t)window);
    }
}

struct client *client_open(struct bench *b, uint32_t window)
{
    struct client *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->bench = b;
    c->fd = raw_open(b);
    for (size_t i = 0; i < STREAMS; i++) {
        c->replies[i].code = c->replies[i].http_status = -1;
    }
    client_session(c, window);
    client_pump(c);
    return c;
}

void client_close(struct client *c)
{
    close(c->fd);
    nghttp2_session_del(c->session);
    for (size_t i = 0; i < STREAMS; i++) {
        free(c->replies[i].data);
        free(c->replies[i].out);
    }
    poll_loop_settle(c->bench->loop, 1000);
    free(c);
}

int32_t client_headers(struct client *c, const nghttp2_nv *nv, size_t count, bool body)
{
    nghttp2_data_provider provider = {.read_callback = client_read};
    int32_t stream =
        nghttp2_submit_request(c->session, NULL, nv, count, body ? &provider : NULL, NULL);
    assert_true(stream > 0);
    return stream;
}

int32_t client_call(struct client *c, const char *path, ...)
{
    const char *pairs[32] = {
        ":method",   "POST",         ":scheme",          "http", ":path",   path, ":authority",
        "localhost", "content-type", "application/grpc", "te",   "trailers"};
    size_t n = 12;
    va_list more;
    va_start(more, path);
    for (const char *text = va_arg(more, const char *); text; text = va_arg(more, const char *)) {
        assert_true(n < 32);
        pairs[n++] = text;
    }
    va_end(more);
    nghttp2_nv nv[16];
    for (size_t i = 0; i < n / 2; i++) {
        nv[i] = (nghttp2_nv){(uint8_t *)pairs[2 * i], (uint8_t *)pairs[2 * i + 1],
                             strlen(pairs[2 * i]), strlen(pairs[2 * i + 1]), NGHTTP2_NV_FLAG_NONE};
    }
    return client_headers(c, nv, n / 2, true);
}

void client_bytes(struct client *c, int32_t stream, const void *bytes, size_t length, bool end)
{
    struct reply *r = client_reply(c, stream);
    if (length > 0) {
        grow(&r->out, &r->out_capacity, r->out_length, length);
        memcpy(r->out + r->out_length, bytes, length);
        r->out_length += length;
    }
    r->out_end = end;
    nghttp2_session_resume_data(c->session, stream);
}

void client_message(struct client *c, int32_t stream, size_t size, bool end)
{
    Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.value = (ProtobufCBinaryData){.len = size, .data = calloc(1, size + 1)};
    size_t length = google__protobuf__any__get_packed_size(&any);
    uint8_t *bytes = malloc(GRPC_PREFIX_LENGTH + length);
    assert_non_null(bytes);
    grpc_prefix_write(bytes, (uint32_t)length);
    google__protobuf__any__pack(&any, bytes + GRPC_PREFIX_LENGTH);
    client_bytes(c, stream, bytes, GRPC_PREFIX_LENGTH + length, end);
    free(any.value.data);
    free(bytes);
}

unsigned client_messages(struct client *c, int32_t stream)
{
    const struct reply *r = client_reply(c, stream);
    struct grpc_deframer d;
    const uint8_t *data = r->data;
    size_t length = r->length;
    unsigned n = 0;
    grpc_deframer_init(&d, SIZE_MAX);
    while (length > 0 && grpc_deframe(&d, &data, &length) == GRPC_DEFRAMED_MESSAGE) {
        n++;
    }
    grpc_deframer_free(&d);
    return n;
}

/* Sends, letting the server make room when there is none. False: the server has closed. */
static bool send_all(struct client *c, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            return false;
        }
        if (n < 0) {
            assert_true(poll_loop_settle(c->bench->loop, 1000) > 0);
            continue;
        }
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

/* One round: out, the server, in. Returns whether a byte moved. */
static bool client_round(struct client *c)
{
    static uint8_t buffer[65536];
    const uint8_t *bytes;
    bool moved = false;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(c->session, &bytes)) > 0) {
        if (!send_all(c, bytes, (size_t)n)) {
            c->gone = true;
            return false;
        }
        moved = true;
    }
    moved |= poll_loop_settle(c->bench->loop, 1000) > 0;
    while (!c->hold_socket && (n = recv(c->fd, buffer, sizeof(buffer), 0)) > 0) {
        if (nghttp2_session_mem_recv(c->session, buffer, (size_t)n) < 0) {
            c->gone = true;
            return false;
        }
        moved = true;
    }
    if (!c->hold_socket && (n == 0 || errno != EAGAIN)) {
        c->gone = true;
    }
    return moved;
}

void client_pump(struct client *c)
{
    while (!c->gone && client_round(c)) {
    }
}
