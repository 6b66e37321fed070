/* A hostile client of the gRPC server: a connection on a loop with a virtual clock, and handlers
 * that act as the input says. The input is a list of steps, so that mutations stay close to valid
 * HTTP/2: an operation's byte and its arguments. Checked after every step: the queues' sums, and
 * their bounds; at the end: every call that began has ended once, and nothing is charged or kept.
 */
#include "../fuzz.h"

#include <sys/socket.h>
#include <string.h>
#include <unistd.h>
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "rpc/transport/internal.h"
#include "../../unit/rpc/poll_loop.h"

enum { CALLS = 64, MESSAGE_MAX = 20000, QUEUE_MAX = 40000, SEND_MAX = 30000 };

struct input {
    const uint8_t *data;
    size_t size;
};

struct world {
    struct loop *loop;
    struct grpc_server *server;
    int fd;
    unsigned inside; /* a grpc_call_*() is running */
    unsigned began, ended;
    uint8_t manner; /* what the handlers do at once */
    bool lazy;
    unsigned steps;
    struct grpc_call *calls[CALLS];
    size_t owed[CALLS]; /* wire bytes not given back */
};

static uint8_t zeros[SEND_MAX];

/* The place of a call, taken when it is new; CALLS when all are taken. */
static size_t place_of(struct world *w, struct grpc_call *call)
{
    size_t free_place = CALLS;
    for (size_t i = 0; i < CALLS; i++) {
        if (w->calls[i] == call) {
            return i;
        }
        free_place = !w->calls[i] && free_place == CALLS ? i : free_place;
    }
    if (free_place < CALLS && !grpc_call_data(call)) {
        w->calls[free_place] = call;
        w->began++;
        grpc_call_set_data(call, w);
    }
    return free_place;
}

static void act(struct world *w, struct grpc_call *call, uint8_t what, size_t size)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.value = (ProtobufCBinaryData){.len = size % SEND_MAX, .data = zeros};
    w->inside++;
    switch (what % 8) {
    case 0:
        grpc_call_send(call, &any.base);
        break;
    case 1:
        grpc_call_finish(call);
        break;
    case 2:
        grpc_call_fail(call,
                       &(struct grpc_error){GRPC_ABORTED, "EIO", "R", "a \xc3\xa9 sentence\n"});
        break;
    case 3:
        grpc_call_reply(call, &any.base);
        break;
    case 4:
        if (grpc_call_room(call) > any.value.len + 16) {
            grpc_call_send(call, &any.base);
        }
        break;
    case 5:
        grpc_call_consumed(call, size);
        break;
    case 6:
        grpc_call_fail_last(call, &(struct grpc_error){GRPC_ABORTED, "EIO", "R", "at last"});
        break;
    default:
        break;
    }
    w->inside--;
}

/* The memory of a large value is the handler's from here on; it ends before it is given back. */
static void take_value(struct grpc_call *call, const ProtobufCMessage *message)
{
    if (message->descriptor == &google__protobuf__any__descriptor) {
        const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)(const void *)message;
        uint8_t *memory = grpc_call_take(call, any->value.data);
        FUZZ_CHECK(!memory || (any->value.len > 0 && memory <= any->value.data));
        free(memory);
    }
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    struct world *w = grpc_call_arg(call);
    size_t place = place_of(w, call);
    FUZZ_CHECK(w->inside == 0);
    /* Whatever was unpacked can be packed. */
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(length + 1);
    FUZZ_CHECK(bytes && protobuf_c_message_pack(message, bytes) == length);
    free(bytes);
    if (place < CALLS) {
        w->owed[place] += wire_bytes;
    }
    if (w->manner & 64) {
        take_value(call, message);
    }
    if (w->manner & 1) {
        act(w, call, 5, wire_bytes);
    }
    if (w->manner & 2) {
        act(w, call, 4, 1000);
    }
}

static void on_half_close(struct grpc_call *call)
{
    struct world *w = grpc_call_arg(call);
    FUZZ_CHECK(w->inside == 0);
    place_of(w, call);
    if (w->manner & 4) {
        act(w, call, w->manner & 8 ? 1 : 3, 100);
    }
}

static void on_writable(struct grpc_call *call)
{
    struct world *w = grpc_call_arg(call);
    FUZZ_CHECK(w->inside == 0);
    act(w, call, w->manner & 16 ? 4 : 7, 5000);
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct world *w = grpc_call_arg(call);
    FUZZ_CHECK(w->inside == 0);
    (void)cancelled;
    for (size_t i = 0; i < CALLS; i++) {
        if (w->calls[i] == call) {
            w->calls[i] = NULL;
            w->owed[i] = 0;
            w->ended++;
        } else if (w->calls[i] && (w->manner & 32)) {
            act(w, w->calls[i], 2, 0); /* one call's end ends others */
        }
    }
}

static enum grpc_code authorize(void *arg, const struct grpc_peer *peer,
                                const struct grpc_method *method, const char **why)
{
    (void)arg;
    (void)peer;
    *why = "no";
    return method->path[1] == 'd' ? GRPC_PERMISSION_DENIED : GRPC_OK;
}

#define METHOD(name, type, up, down, place)                                                        \
    {                                                                                              \
        .path = name, .input = type, .output = &google__protobuf__any__descriptor,                 \
        .client_streaming = up, .server_streaming = down, .on_message = on_message,                \
        .in_place = place, .on_half_close = on_half_close, .on_writable = on_writable,             \
        .on_end = on_end                                                                           \
    }
static const struct grpc_method methods[] = {
    METHOD("/u", &google__rpc__status__descriptor, false, false, 0),
    METHOD("/s", &google__protobuf__any__descriptor, true, true, 2),
    METHOD("/d", &google__protobuf__any__descriptor, true, true, 2),
};
static const char *const paths[] = {"/u",
                                    "/s",
                                    "/d",
                                    "/none",
                                    "/grpc.health.v1.Health/Watch",
                                    "/grpc.health.v1.Health/Check",
                                    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                    ""};

static void check(const struct world *w)
{
    size_t charged = 0, pending = 0;
    list_for_each(at, &w->server->connections)
    {
        const struct connection *c = container_of(at, struct connection, link);
        size_t queued = 0, held = 0;
        list_for_each(call_at, &c->calls)
        {
            const struct grpc_call *call = container_of(call_at, struct grpc_call, link);
            size_t sum = 0;
            for (const struct message *m = call->head; m; m = m->next) {
                sum += m->length;
                FUZZ_CHECK(m->next || m == call->tail);
            }
            FUZZ_CHECK(sum - call->head_sent == call->queued);
            FUZZ_CHECK(call->ahead <= call->unconsumed + MESSAGE_MAX);
            queued += call->queued;
            held += call->charged;
        }
        FUZZ_CHECK(queued == c->queued && held == c->charged);
        FUZZ_CHECK(c->tail_length <= WRITE_SIZE);
        /* Two of the largest messages, and the one that went over. */
        FUZZ_CHECK(c->charged <= 3 * MESSAGE_MAX);
        charged += held;
        pending += queued + c->tail_length;
    }
    list_for_each(owner_at, &w->server->owners)
    {
        const struct uid_count *owner = container_of(owner_at, struct uid_count, link);
        FUZZ_CHECK(owner->charged == charged && owner->queued == pending);
    }
}

static uint8_t next(struct input *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

/* As many of the input's bytes as `length`, or what is left. */
static size_t take(struct input *in, size_t length, const uint8_t **bytes)
{
    size_t n = in->size < length ? in->size : length;
    *bytes = in->data;
    in->data += n;
    in->size -= n;
    return n;
}

static void put(const struct world *w, const void *bytes, size_t length)
{
    if (send(w->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        return; /* closed, or full: the server says when it reads on */
    }
}

static void put_frame(const struct world *w, uint8_t type, uint8_t flags, uint8_t stream,
                      const uint8_t *payload, size_t length)
{
    uint8_t frame[9 + 4096] = {(uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length,
                               type, flags};
    frame[8] = stream;
    memcpy(frame + 9, payload, length);
    put(w, frame, 9 + length);
}

static size_t literal(uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    out[0] = 0;
    out[1] = (uint8_t)n;
    memcpy(out + 2, name, n);
    out[2 + n] = (uint8_t)v;
    memcpy(out + 3 + n, value, v);
    return 3 + n + v;
}

static void put_request(const struct world *w, uint8_t stream, uint8_t path, uint8_t flags)
{
    uint8_t block[512];
    size_t n = literal(block, ":method", flags & 64 ? "GET" : "POST");
    n += literal(block + n, ":scheme", "http");
    n += literal(block + n, ":path", paths[path % 8]);
    n += literal(block + n, "content-type", flags & 128 ? "text/plain" : "application/grpc");
    if (flags & 2) {
        n += literal(block + n, "grpc-timeout", "1S");
    }
    put_frame(w, NGHTTP2_HEADERS, (flags & 1) | NGHTTP2_FLAG_END_HEADERS, stream, block, n);
}

static void put_message(const struct world *w, struct input *in, uint8_t stream, uint8_t flags,
                        size_t length)
{
    uint8_t body[5 + 255];
    const uint8_t *bytes;
    size_t n = take(in, length, &bytes);
    grpc_prefix_write(body, (uint32_t)(flags & 2 ? n + 3000 : n));
    memcpy(body + 5, bytes, n);
    put_frame(w, NGHTTP2_DATA, flags & 1, stream, body, 5 + n);
}

static void drain(const struct world *w, size_t most)
{
    uint8_t bytes[4096];
    ssize_t n = 1;
    for (size_t got = 0; got < most && n > 0; got += (size_t)n) {
        n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        n = n < 0 ? 0 : n;
    }
}

static void step(struct world *w, struct input *in)
{
    uint8_t op = next(in), a = next(in), b = next(in), c = next(in);
    const uint8_t *bytes;
    size_t n;
    switch (op % 8) {
    case 0:
        n = take(in, next(in), &bytes);
        put_frame(w, a, b, c, n ? bytes : (const uint8_t *)"", n);
        break;
    case 1:
        put_request(w, (uint8_t)(a | 1), b, c);
        break;
    case 2:
        put_message(w, in, (uint8_t)(a | 1), b, c);
        break;
    case 3:
        n = take(in, a, &bytes);
        put(w, n ? bytes : (const uint8_t *)"", n);
        break;
    case 4:
        poll_loop_advance(w->loop, a * 10 * NS_PER_MS);
        break;
    case 5:
        drain(w, (size_t)a * 1000);
        break;
    case 6:
        if (w->calls[a % CALLS]) {
            act(w, w->calls[a % CALLS], b, (size_t)c * 120);
        }
        break;
    default:
        w->manner = a;
        grpc_server_set_health(w->server, "", b & 1);
        if (b == 255) {
            grpc_server_drain(w->server);
        }
    }
    /* Frames that come together: the server reads what several steps have sent. */
    if (!w->lazy || ++w->steps % 32 == 0) {
        poll_loop_settle(w->loop, 1000);
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.loop = poll_loop_new(false), .manner = 1};
    struct grpc_server_config config = {.loop = w.loop,
                                        .authorize = authorize,
                                        .limits = {.max_message = MESSAGE_MAX,
                                                   .max_unpacked = 4 * MESSAGE_MAX,
                                                   .stream_window = 5000,
                                                   .max_send_queue = QUEUE_MAX}};
    struct input in = {data, size};
    int fds[2];
    w.server = grpc_server_new(&config);
    FUZZ_CHECK(w.server);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        grpc_server_add(w.server, &methods[i], &w);
    }
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    w.fd = fds[0];
    uint8_t manner = next(&in);
    if (manner & 8) { /* a frame does not go out at once */
        int small = 4096;
        FUZZ_CHECK(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    }
    w.lazy = manner & 32;
    if (manner & 16) { /* a callback's time is over soon */
        poll_loop_slow(w.loop, 50000);
    }
    FUZZ_CHECK(grpc_server_attach(w.server, fds[1], false) == 0);
    if (manner % 8 != 0) {
        put(&w, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
        put_frame(&w, NGHTTP2_SETTINGS, 0, 0, (const uint8_t *)"", 0);
    }
    while (in.size > 0) {
        step(&w, &in);
    }
    close(w.fd);
    poll_loop_settle(w.loop, 1000);
    struct grpc_stats stats;
    grpc_server_stats(w.server, &stats);
    FUZZ_CHECK(list_empty(&w.server->owners));
    FUZZ_CHECK(stats.connections == 0 && stats.calls == 0);
    FUZZ_CHECK(w.began == w.ended);
    grpc_server_free(w.server);
    poll_loop_free(w.loop);
    return 0;
}
