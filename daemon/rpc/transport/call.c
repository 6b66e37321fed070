/* One call: a stream of HTTP/2 that carries messages both ways and ends with a status.
 *
 * Upward, the client may have sent as much as the stream's window admits; the handler gives it back
 * by grpc_call_consumed(). A message larger than half of the window could never arrive whole that
 * way, so its window is given back while it comes in, but only when the handler owes nothing: what
 * a call holds is the window and one message. A unary request is held until the client has
 * half-closed, because only then it is known to be one; the handler never acts on a request that
 * turns out to be malformed.
 *
 * Downward, messages wait in the call's queue until nghttp2 asks for them, which it does when both
 * windows and the socket have room. grpc_call_room() is the smallest of the three, less what waits
 * already and can go: bytes that wait for the window of their own stream are in nobody else's way.
 * Those are bounded by themselves, for a connection, and everything for a uid.
 *
 * The end: `over` when the status is decided (the handler, a deadline, an error), `finished` when
 * it is submitted, and call_end() when the stream is closed, which alone tells the handler.
 * Messages before an OK are sent; before an error, those not begun are dropped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rpc/transport/internal.h"

enum {
    /* The largest messages that a uid's connections may hold of incomplete requests, and one of
     * them. */
    OWNER_MESSAGES = 16,
    CONNECTION_MESSAGES = 2,
    /* Full send queues that a uid's connections may have. */
    OWNER_QUEUES = 64,
    /* Bytes of its stream's window that an only message may use when the queue is full. */
    OWN_WINDOW = 64 * 1024,
    /* Calls that hear of room in one callback: the others want to run, too. */
    NOTIFIED = 16,
};

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)value,
                        .valuelen = strlen(value),
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

/* ---- what the handler asks ---- */

void *grpc_call_arg(const struct grpc_call *call)
{
    return call->arg;
}

void grpc_call_set_data(struct grpc_call *call, void *data)
{
    call->data = data;
}

void *grpc_call_data(const struct grpc_call *call)
{
    return call->data;
}

const struct grpc_peer *grpc_call_peer(const struct grpc_call *call)
{
    return &call->connection->peer;
}

const char *grpc_call_path(const struct grpc_call *call)
{
    return call->method->path;
}

ackd_time grpc_call_deadline(const struct grpc_call *call)
{
    return call->deadline;
}

static size_t less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t window(int32_t size)
{
    return size > 0 ? (size_t)size : 0; /* SETTINGS may shrink it below 0 */
}

static size_t stream_window(const struct grpc_call *call)
{
    nghttp2_session *session = call->connection->session;
    return window(nghttp2_session_get_stream_remote_window_size(session, call->stream_id));
}

/* Bytes of all queues of a connection whose streams' windows admit them. */
static size_t bytes_ready(const struct connection *c)
{
    size_t bytes = 0;
    list_for_each(at, &c->senders)
    {
        const struct grpc_call *call = container_of(at, struct grpc_call, sending);
        bytes += smaller(call->queued, stream_window(call));
    }
    return bytes;
}

static size_t room(const struct grpc_call *call)
{
    const struct connection *c = call->connection;
    if (call->over || c->dying) {
        return 0;
    }
    size_t queue = c->server->limits.max_send_queue, ready = bytes_ready(c);
    if (c->queued - ready >= queue) {
        return 0;
    }
    if (c->owner->queued >= queue * OWNER_QUEUES) {
        c->owner->starved = true;
        return 0;
    }
    size_t bytes = less(stream_window(call), call->queued);
    size_t connection = window(nghttp2_session_get_remote_window_size(c->session));
    size_t leaving = ready + c->frame.bytes;
    bytes = smaller(bytes, less(connection, leaving));
    bytes = smaller(bytes, less(queue, leaving + c->tail_length));
    return less(bytes, GRPC_PREFIX_LENGTH);
}

size_t grpc_call_room(const struct grpc_call *call)
{
    /* To be told of more, one has to have asked. */
    struct grpc_call *self = (struct grpc_call *)call;
    self->asked = room(call);
    if (!call->over && call->method->on_writable && list_empty(&call->waiting)) {
        list_append(&call->connection->waiting, &self->waiting);
    }
    return call->asked;
}

size_t grpc_call_capacity(const struct grpc_call *call)
{
    const struct connection *c = call->connection;
    size_t queue = c->server->limits.max_send_queue;
    if (call->over || c->dying || c->owner->queued >= queue * OWNER_QUEUES) {
        return 0;
    }
    /* One byte less than what stops the other calls of the connection. */
    size_t bytes = smaller(stream_window(call), OWN_WINDOW) + less(queue, c->queued + 1);
    return less(bytes, GRPC_PREFIX_LENGTH);
}

bool call_queues_half(const struct grpc_server *server, const struct uid_count *owner)
{
    return owner->queued >= server->limits.max_send_queue * OWNER_QUEUES / 2;
}

void call_notify(struct connection *c)
{
    struct list now;
    if (list_empty(&c->waiting)) {
        return;
    }
    /* Handlers may put calls on the list again. One that is over has no room and hears nothing. */
    list_replace(&c->waiting, &now);
    for (unsigned told = 0;
         !list_empty(&now) && told < NOTIFIED && (told == 0 || !server_spent(c->server));) {
        struct grpc_call *call = container_of(now.next, struct grpc_call, waiting);
        list_remove(&call->waiting);
        if (room(call) > call->asked) {
            call->method->on_writable(call);
            told++;
        } else {
            list_append(&c->waiting, &call->waiting);
        }
    }
    if (!list_empty(&now)) {
        connection_dirty(c); /* for the rest */
    }
    while (!list_empty(&now)) {
        struct list *last = now.prev;
        list_remove(last);
        list_insert_after(&c->waiting, last);
    }
}

/* ---- downward ---- */

/* Counts bytes that came into the call's queue. */
static void queue_grow(struct grpc_call *call, size_t bytes)
{
    struct connection *c = call->connection;
    if (call->queued == 0) {
        list_append(&c->senders, &call->sending);
    }
    call->queued += bytes;
    c->queued += bytes;
    c->owner->queued += bytes;
}

/* Counts bytes that left it. */
static void queue_shrink(struct grpc_call *call, size_t bytes)
{
    struct connection *c = call->connection;
    call->queued -= bytes;
    c->queued -= bytes;
    c->owner->queued -= bytes;
    if (call->queued == 0) {
        list_remove(&call->sending);
    }
}

static void drop_message(struct grpc_call *call)
{
    struct message *message = call->head;
    size_t unsent = message->length - call->head_sent;
    call->head = message->next;
    if (!call->head) {
        call->tail = NULL;
    }
    call->head_sent = 0;
    queue_shrink(call, unsent);
    message_unref(call->connection->server, message);
}

static void drop_messages(struct grpc_call *call)
{
    while (call->head) {
        drop_message(call);
    }
}

/* Moves what a DATA frame of at most `length` bytes can carry to the frame; how many bytes. */
static size_t take_queued(struct grpc_call *call, size_t length)
{
    size_t taken = 0;
    while (call->head && taken < length) {
        struct message *message = call->head;
        size_t n = smaller(message->length - call->head_sent, length - taken);
        if (!frame_add(call->connection, message, call->head_sent, n)) {
            break;
        }
        taken += n;
        call->head_sent += n;
        queue_shrink(call, n);
        if (call->head_sent == message->length) {
            drop_message(call);
        }
    }
    return taken;
}

static int submit_trailers(struct grpc_call *call)
{
    nghttp2_nv headers[STATUS_HEADERS];
    char number[3];
    size_t n = status_headers(&call->status, number, headers);
    call->finished = true;
    return nghttp2_submit_trailer(call->connection->session, call->stream_id, headers, n);
}

static ssize_t read_queue(nghttp2_session *session, int32_t stream_id, uint8_t *buffer,
                          size_t length, uint32_t *flags, nghttp2_data_source *source,
                          void *user_data)
{
    struct grpc_call *call = source->ptr;
    (void)session;
    (void)stream_id;
    (void)buffer;
    (void)user_data;
    frame_drop(call->connection); /* of a stream that was closed before its frame went */
    size_t n = take_queued(call, length);
    *flags |= n > 0 ? NGHTTP2_DATA_FLAG_NO_COPY : 0;
    if (!call->head && call->over) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return submit_trailers(call) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)n;
    }
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

/* Submits the headers of a response that has messages. */
static int begin(struct grpc_call *call)
{
    nghttp2_nv headers[] = {header(":status", "200"), header("content-type", "application/grpc"),
                            header("grpc-accept-encoding", "identity")};
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_queue};
    call->begun = true;
    return nghttp2_submit_response(call->connection->session, call->stream_id, headers,
                                   sizeof(headers) / sizeof(headers[0]), &provider);
}

/* There is something new for nghttp2 to ask for. */
static void offer(struct grpc_call *call)
{
    if (!call->begun) {
        begin(call);
    } else {
        /* An error says that it was not waiting: it will ask by itself. */
        nghttp2_session_resume_data(call->connection->session, call->stream_id);
    }
    connection_dirty(call->connection);
}

static void trailers_only(struct connection *c, int32_t stream_id, const struct status *status)
{
    nghttp2_nv headers[3 + STATUS_HEADERS] = {header(":status", "200"),
                                              header("content-type", "application/grpc"),
                                              header("grpc-accept-encoding", "identity")};
    char number[3];
    size_t n = 3 + status_headers(status, number, headers + 3);
    nghttp2_submit_response(c->session, stream_id, headers, n, NULL);
    connection_dirty(c);
}

void call_refuse(struct connection *c, int32_t stream_id, const struct grpc_error *error)
{
    struct status status = {0};
    status_set(&status, error);
    trailers_only(c, stream_id, &status);
    status_free(&status);
}

/* The status is decided. */
static void end_with(struct grpc_call *call)
{
    call->over = true;
    if (!call->begun && call->status.code != GRPC_OK) {
        call->begun = call->finished = true;
        trailers_only(call->connection, call->stream_id, &call->status);
    } else {
        offer(call);
    }
}

/* Queues a message with its prefix and `message` packed behind it, and `more` bytes to be filled;
 * where those begin. NULL with *error. */
static uint8_t *send_message(struct grpc_call *call, const ProtobufCMessage *message, size_t more,
                             int *error)
{
    if (call->over || call->connection->dying) {
        *error = -EPIPE;
        return NULL;
    }
    size_t size = protobuf_c_message_get_packed_size(message) + more;
    if (size > call->connection->server->limits.max_message) {
        *error = -EMSGSIZE;
        return NULL;
    }
    struct message *m = message_new(call->connection->server, GRPC_PREFIX_LENGTH + size);
    if (!m) {
        *error = -ENOMEM;
        return NULL;
    }
    grpc_prefix_write(m->bytes, (uint32_t)size);
    uint8_t *end = m->bytes + GRPC_PREFIX_LENGTH;
    end += protobuf_c_message_pack(message, end);
    if (call->tail) {
        call->tail->next = m;
    } else {
        call->head = m;
    }
    call->tail = m;
    queue_grow(call, m->length);
    offer(call);
    *error = 0;
    return end;
}

int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message)
{
    int error;
    send_message(call, message, 0, &error);
    return error;
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    for (; value > 0x7f; value >>= 7) {
        out[n++] = (uint8_t)(value | 0x80);
    }
    out[n++] = (uint8_t)value;
    return n;
}

int grpc_call_send_bytes(struct grpc_call *call, const ProtobufCMessage *message, uint32_t field,
                         size_t length, uint8_t **space)
{
    enum { LENGTH_PREFIXED = 2 };
    uint8_t head[20];
    int error;
    size_t n = put_varint(head, field << 3 | LENGTH_PREFIXED);
    n += put_varint(head + n, length);
    uint8_t *at = send_message(call, message, n + length, &error);
    if (at) {
        memcpy(at, head, n);
        *space = at + n;
    }
    return error;
}

void grpc_call_finish(struct grpc_call *call)
{
    if (!call->over && !call->connection->dying) {
        end_with(call);
    }
}

/* The end of a call whose only message was queued, or not. */
static void reply_with(struct grpc_call *call, int error)
{
    if (error == 0) {
        grpc_call_finish(call);
    } else if (error != -EPIPE) {
        grpc_call_fail(call, &(struct grpc_error){GRPC_RESOURCE_EXHAUSTED, NULL, "ANSWER_TOO_LARGE",
                                                  "there is no memory for an answer of this size"});
    }
}

void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message)
{
    reply_with(call, grpc_call_send(call, message));
}

int grpc_call_reply_bytes(struct grpc_call *call, const ProtobufCMessage *message, uint32_t field,
                          size_t length, uint8_t **space)
{
    int error = grpc_call_send_bytes(call, message, field, length, space);
    reply_with(call, error);
    return error;
}

void grpc_call_fail(struct grpc_call *call, const struct grpc_error *error)
{
    if (call->over || call->connection->dying) {
        return;
    }
    /* What has not begun is dropped; a message cut in the middle would be a broken stream to the
     * client. */
    struct message *rest = call->head && call->head_sent > 0 ? call->head->next : call->head;
    if (rest && rest != call->head) {
        struct message *first = call->head;
        size_t sent = call->head_sent;
        call->head = rest;
        call->head_sent = 0;
        drop_messages(call);
        call->head = call->tail = first;
        call->head_sent = sent;
        first->next = NULL;
    } else if (rest) {
        drop_messages(call);
    }
    status_set(&call->status, error);
    end_with(call);
}

void grpc_call_fail_last(struct grpc_call *call, const struct grpc_error *error)
{
    if (!call->over && !call->connection->dying) {
        status_set(&call->status, error);
        end_with(call);
    }
}

/* Like fail, for errors that the transport finds. */
static void refuse(struct grpc_call *call, enum grpc_code code, const char *reason,
                   const char *sentence)
{
    grpc_call_fail(call, &(struct grpc_error){code, NULL, reason, sentence});
}

static void call_deadline(void *arg)
{
    struct grpc_call *call = arg;
    bool stuck = call->head && call->head_sent > 0;
    if (call->over) {
        return;
    }
    refuse(call, GRPC_DEADLINE_EXCEEDED, "DEADLINE", "the client's deadline has passed");
    if (stuck) {
        /* The client took half of a message and may never take the rest: its own clock tells it the
         * same. */
        drop_messages(call);
        nghttp2_submit_rst_stream(call->connection->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_CANCEL);
    }
}

void call_status_sent(struct grpc_call *call)
{
    call->status_sent = true;
}

/* ---- upward ---- */

/* Counts what the call holds of requests. */
static void charge(struct grpc_call *call)
{
    size_t now = call->deframer.capacity + (call->have_held ? call->held_length : 0);
    call->connection->charged += now - call->charged;
    call->connection->owner->charged += now - call->charged;
    call->charged = now;
}

/* Gives bytes of the stream's window back. */
static void open_window(struct grpc_call *call, size_t bytes)
{
    if (bytes > 0 && !call->half_closed && !call->connection->dying) {
        nghttp2_session_consume_stream(call->connection->session, call->stream_id, bytes);
        connection_dirty(call->connection);
    }
}

/* Gives the window of a large message back while it comes in: see the top. */
static void open_window_ahead(struct grpc_call *call)
{
    size_t expects = grpc_deframer_expects(&call->deframer);
    size_t partial = grpc_deframer_partial(&call->deframer);
    if (partial == 0 || call->unconsumed > 0 ||
        expects <= call->connection->server->limits.stream_window / 2) {
        return;
    }
    size_t bytes = partial - call->message_ahead;
    call->message_ahead = partial;
    open_window(call, bytes);
}

void grpc_call_consumed(struct grpc_call *call, size_t wire_bytes)
{
    size_t bytes = smaller(wire_bytes, call->unconsumed);
    size_t done = smaller(bytes, call->ahead);
    call->unconsumed -= bytes;
    call->ahead -= done;
    open_window(call, bytes - done);
    open_window_ahead(call);
}

static bool lies_in(const uint8_t *at, const uint8_t *block, size_t length)
{
    return block && at >= block && at < block + length;
}

void *grpc_call_take(struct grpc_call *call, const void *within)
{
    uint8_t *memory = call->held;
    if (call->delivering && lies_in(within, call->held, call->held_length)) {
        call->held = NULL;
        return memory;
    }
    if (call->delivering && lies_in(within, call->deframer.buffer, call->deframer.length)) {
        return grpc_deframer_take(&call->deframer);
    }
    return NULL;
}

static void deliver(struct grpc_call *call, const uint8_t *data, size_t length)
{
    struct grpc_server *server = call->connection->server;
    const ProtobufCMessage *message;
    char sentence[256];
    const char *type = call->method->input->name;
    switch (unpack(&server->unpacker, call->method->input, call->method->in_place, data, length,
                   &message)) {
    case UNPACKED_OK:
        call->delivering = true;
        call->method->on_message(call, message, GRPC_PREFIX_LENGTH + length);
        call->delivering = false;
        return;
    case UNPACKED_MALFORMED:
        snprintf(sentence, sizeof(sentence), "the request is no valid %s", type);
        refuse(call, GRPC_INVALID_ARGUMENT, "MALFORMED_MESSAGE", sentence);
        return;
    case UNPACKED_NOT_UTF8:
        snprintf(sentence, sizeof(sentence), "a string in the %s is not UTF-8", type);
        refuse(call, GRPC_INVALID_ARGUMENT, "MALFORMED_STRING", sentence);
        return;
    case UNPACKED_TOO_LARGE:
        server->stats.unpack_limit++;
        snprintf(sentence, sizeof(sentence), "the %s unpacks to more than %zu bytes", type,
                 server->limits.max_unpacked);
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "MESSAGE_UNPACKS_TOO_LARGE", sentence);
        return;
    }
}

/* gRPC's status codes: a violated number of requests is UNIMPLEMENTED. */
static void refuse_count(struct grpc_call *call, const char *sentence)
{
    refuse(call, GRPC_UNIMPLEMENTED, "REQUEST_COUNT", sentence);
}

static void hold(struct grpc_call *call)
{
    struct grpc_deframer *d = &call->deframer;
    if (call->have_held) {
        refuse_count(call, "the method takes one request, the client sent several");
        return;
    }
    call->held = grpc_deframer_take(d);
    if (!call->held) {
        call->held = malloc(d->length + 1);
        if (!call->held) {
            refuse(call, GRPC_RESOURCE_EXHAUSTED, "NO_MEMORY",
                   "there is no memory for the request");
            return;
        }
        memcpy(call->held, d->message, d->length);
    }
    call->held_length = d->length;
    call->have_held = true;
}

/* A message is complete. */
static void message_in(struct grpc_call *call)
{
    const struct grpc_deframer *d = &call->deframer;
    call->unconsumed += GRPC_PREFIX_LENGTH + (size_t)d->length;
    call->ahead += call->message_ahead;
    call->message_ahead = 0;
    if (call->method->client_streaming) {
        deliver(call, d->message, d->length);
    } else {
        hold(call);
    }
}

static void refuse_deframed(struct grpc_call *call, enum grpc_deframed what)
{
    struct grpc_server *server = call->connection->server;
    char sentence[128];
    if (what == GRPC_DEFRAMED_COMPRESSED) {
        refuse(call, GRPC_INTERNAL, "COMPRESSED",
               "the message is marked as compressed, but no encoding was agreed");
    } else if (what == GRPC_DEFRAMED_TOO_LARGE) {
        server->stats.oversized++;
        snprintf(sentence, sizeof(sentence), "a message of %u bytes is above the limit of %zu",
                 (unsigned)call->deframer.length, server->limits.max_message);
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE", sentence);
    } else {
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "NO_MEMORY", "there is no memory for the request");
    }
}

/* Forgets what has come in and was not delivered. */
static void drop_requests(struct grpc_call *call)
{
    grpc_deframer_free(&call->deframer);
    free(call->held);
    call->held = NULL;
    call->have_held = false;
    charge(call);
}

/* Whether incomplete and held requests have outgrown what a connection, or a uid, may hold. */
static bool overcharged(const struct grpc_call *call)
{
    const struct connection *c = call->connection;
    size_t message = c->server->limits.max_message;
    return call->charged > 0 && (c->charged > message * CONNECTION_MESSAGES ||
                                 c->owner->charged > message * OWNER_MESSAGES);
}

/* What the call holds has changed: counts it, and bounds it. */
static void recharge(struct grpc_call *call)
{
    charge(call);
    if (overcharged(call)) {
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "REQUESTS_TOO_LARGE",
               "the requests that are not complete yet hold too much memory");
    }
    if (call->over) {
        drop_requests(call);
    }
}

void call_data(struct grpc_call *call, const uint8_t *data, size_t length)
{
    while (length > 0 && !call->over) {
        enum grpc_deframed what = grpc_deframe(&call->deframer, &data, &length);
        if (what == GRPC_DEFRAMED_MESSAGE) {
            message_in(call);
        } else if (what != GRPC_DEFRAMED_NOTHING) {
            refuse_deframed(call, what);
        }
    }
    if (call->deframer.message) {
        grpc_deframer_free(&call->deframer);
    }
    recharge(call);
    if (!call->over) {
        open_window_ahead(call);
    }
}

size_t call_lacks(const struct grpc_call *call)
{
    return call->over ? 0 : grpc_deframer_lacks(&call->deframer);
}

void call_settle(struct grpc_call *call)
{
    if (call->over) {
        return;
    }
    if (!grpc_deframer_settle(&call->deframer)) {
        refuse_deframed(call, GRPC_DEFRAMED_NO_MEMORY);
    }
    recharge(call);
}

void call_half_close(struct grpc_call *call)
{
    call->half_closed = true;
    if (call->over) {
        return;
    }
    if (grpc_deframer_partial(&call->deframer) > 0) {
        refuse(call, GRPC_INVALID_ARGUMENT, "TRUNCATED_MESSAGE",
               "the request ended in the middle of a message");
        return;
    }
    if (!call->method->client_streaming) {
        if (!call->have_held) {
            refuse_count(call, "the method takes one request, the client sent none");
            return;
        }
        deliver(call, call->held, call->held_length);
        drop_requests(call);
    }
    if (!call->over && call->method->on_half_close) {
        call->method->on_half_close(call);
    }
}

/* ---- beginning and end ---- */

static struct grpc_call *call_new(struct connection *c, int32_t stream_id,
                                  const struct method *method)
{
    struct grpc_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return NULL;
    }
    call->connection = c;
    call->stream_id = stream_id;
    call->method = method->method;
    call->arg = method->arg;
    call->deadline = TIME_NEVER;
    list_init(&call->waiting);
    list_init(&call->sending);
    list_append(&c->calls, &call->link);
    grpc_deframer_init(&call->deframer, c->server->limits.max_message);
    nghttp2_session_set_stream_user_data(c->session, stream_id, call);
    c->server->stats.calls++;
    c->server->stats.calls_begun++;
    return call;
}

/* False when there is no memory for the timer. */
static bool set_deadline(struct grpc_call *call, int64_t timeout_ns)
{
    struct loop *loop = call->connection->server->loop;
    if (timeout_ns < 0) {
        return true;
    }
    call->deadline = time_add(loop_now(loop), timeout_ns);
    call->timer = loop_timer_new(loop, call_deadline, call);
    if (!call->timer) {
        return false;
    }
    loop_timer_at(call->timer, call->deadline);
    return true;
}

/* What is wrong with a request before its method is known; `code` OK when nothing is. */
static struct grpc_error check_request(const struct request *r)
{
    if (r->fault == REQUEST_TOO_LARGE) {
        return (struct grpc_error){GRPC_RESOURCE_EXHAUSTED, NULL, "HEADERS_TOO_LARGE",
                                   "the request's headers are larger than 16384 bytes"};
    }
    if (r->bad_encoding) {
        return (struct grpc_error){GRPC_UNIMPLEMENTED, NULL, "ENCODING_UNKNOWN",
                                   "only the encoding identity is supported"};
    }
    if (r->bad_timeout) {
        return (struct grpc_error){GRPC_INVALID_ARGUMENT, NULL, "TIMEOUT_MALFORMED",
                                   "grpc-timeout is not one to eight digits and a unit"};
    }
    return (struct grpc_error){GRPC_OK, NULL, NULL, NULL};
}

static void refuse_unknown(struct connection *c, int32_t stream_id, const struct request *r)
{
    char sentence[PATH_MAX_LENGTH + 64];
    c->server->stats.unknown_methods++;
    snprintf(sentence, sizeof(sentence), "there is no method %s", r->path);
    call_refuse(c, stream_id,
                &(struct grpc_error){GRPC_UNIMPLEMENTED, NULL, "METHOD_UNKNOWN", sentence});
}

void call_begin(struct connection *c, int32_t stream_id, const struct request *r)
{
    struct grpc_server *server = c->server;
    struct grpc_error error = check_request(r);
    if (error.code != GRPC_OK) {
        call_refuse(c, stream_id, &error);
        return;
    }
    const struct method *method = server_method(server, r->path);
    if (!method) {
        refuse_unknown(c, stream_id, r);
        return;
    }
    if (server->authorize && !method->open_to_all) {
        error.sentence = "permission denied";
        error.reason = "NOT_PERMITTED";
        error.errno_name = "EACCES";
        error.code =
            server->authorize(server->authorize_arg, &c->peer, method->method, &error.sentence);
        if (error.code != GRPC_OK) {
            call_refuse(c, stream_id, &error);
            return;
        }
    }
    struct grpc_call *call = call_new(c, stream_id, method);
    if (!call) {
        call_refuse(c, stream_id,
                    &(struct grpc_error){GRPC_RESOURCE_EXHAUSTED, NULL, "NO_MEMORY",
                                         "there is no memory for the call"});
    } else if (!set_deadline(call, r->timeout_ns)) {
        refuse(call, GRPC_RESOURCE_EXHAUSTED, "NO_MEMORY", "there is no memory for the deadline");
    }
}

void call_end(struct grpc_call *call)
{
    struct grpc_server *server = call->connection->server;
    call->over = true;
    if (call->connection->receiving == call) {
        call->connection->receiving = NULL;
    }
    list_remove(&call->link);
    list_remove(&call->waiting);
    if (call->timer) {
        loop_timer_free(call->timer);
    }
    drop_messages(call);
    drop_requests(call);
    server->stats.calls--;
    if (call->method->on_end) {
        call->method->on_end(call, !call->status_sent);
    }
    status_free(&call->status);
    free(call);
}
