/* One gRPC call on a connection (gRPC's PROTOCOL-HTTP2): request headers, messages both ways, each
 * behind five bytes of prefix (see proto/framing.h), and trailers with the status.
 *
 * A call has room for one message on its way out, which is a header of a few bytes and a body that
 * may lie in the caller's memory, and a queue of messages that came in, bounded by the stream's
 * window: bytes of a message hold their part of it until they are taken. A message longer than half
 * of the window could never arrive that way, so its bytes return the window as they come. */
#include "client/lib/conn.h"
#include "client/lib/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000

/* ---- start and end ---- */

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static int32_t submit(struct call *c, const char *path, int64_t timeout_ms)
{
    char timeout[GRPC_TIMEOUT_SIZE] = "";
    if (timeout_ms > 0)
        grpc_timeout_format(timeout_ms * MS, timeout);
    const nghttp2_nv headers[] = {
        nv(":method", "POST"),       nv(":scheme", "http"),
        nv(":path", path),           nv(":authority", "localhost"),
        nv("te", "trailers"),        nv("content-type", "application/grpc"),
        nv("user-agent", "libackd"), nv("grpc-timeout", timeout),
    };
    size_t count = sizeof headers / sizeof *headers - (timeout_ms > 0 ? 0 : 1);
    nghttp2_data_provider source = {.read_callback = call_on_read};
    return nghttp2_submit_request(c->a->h2, NULL, headers, count, &source, c);
}

static bool pack(struct call *c, const ProtobufCMessage *request)
{
    c->body_length = protobuf_c_message_get_packed_size(request);
    c->owned = malloc(c->body_length + 1); /* an empty message, too, has an address */
    if (!c->owned)
        return false;
    protobuf_c_message_pack(request, c->owned);
    grpc_prefix_write(c->head, (uint32_t)c->body_length);
    c->head_length = GRPC_PREFIX_LENGTH;
    c->body = c->owned;
    return true;
}

static void unlink_call(struct call *c)
{
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
}

struct call *call_start(struct ackd *a, const char *path, const ProtobufCMessage *request,
                        bool half_close, int64_t timeout_ms, void *owner, struct ackd_error *err)
{
    if (a->broken) {
        error_copy(err, &a->why);
        return NULL;
    }
    struct call *c = calloc(1, sizeof *c);
    if (!c || (request && !pack(c, request))) {
        free(c);
        error_no_memory(err);
        return NULL;
    }
    c->a = a;
    c->owner = owner;
    c->half_close = half_close;
    c->grpc_status = -1;
    c->last = &c->first;
    grpc_deframer_init(&c->deframer, MAX_MESSAGE);
    c->stream_id = submit(c, path, timeout_ms);
    if (c->stream_id < 0) {
        if (c->stream_id == NGHTTP2_ERR_NOMEM)
            error_no_memory(err);
        else
            error_set(err, ACKD_UNAVAILABLE, 0, "HTTP2", "no further call on this connection: %s",
                      nghttp2_strerror(c->stream_id));
        free(c->owned);
        free(c);
        return NULL;
    }
    c->next = a->calls;
    c->link = &a->calls;
    if (c->next)
        c->next->link = &c->next;
    a->calls = c;
    return c;
}

void message_free(struct message *m)
{
    if (m)
        free(m->data);
    free(m);
}

void call_free(struct call *c)
{
    if (!c)
        return;
    if (!c->a->broken) {
        nghttp2_session_set_stream_user_data(c->a->h2, c->stream_id, NULL);
        if (!c->closed) {
            nghttp2_submit_rst_stream(c->a->h2, NGHTTP2_FLAG_NONE, c->stream_id, NGHTTP2_CANCEL);
            conn_flush(c->a);
        }
    }
    unlink_call(c);
    while (c->first) {
        struct message *m = c->first;
        c->first = m->next;
        message_free(m);
    }
    grpc_deframer_free(&c->deframer);
    free(c->owned);
    free(c);
}

void call_closed(struct call *c, uint32_t h2_error)
{
    if (c->closed)
        return;
    c->closed = true;
    status_final(c, h2_error);
}

void call_answered(struct call *c)
{
    if (c->closed)
        return;
    call_closed(c, NGHTTP2_NO_ERROR);
    if (!nghttp2_session_get_stream_local_close(c->a->h2, c->stream_id)) {
        nghttp2_session_set_stream_user_data(c->a->h2, c->stream_id, NULL);
        nghttp2_submit_rst_stream(c->a->h2, NGHTTP2_FLAG_NONE, c->stream_id, NGHTTP2_NO_ERROR);
    }
}

void call_fail(struct call *c, int code, const char *reason, const char *sentence)
{
    if (c->closed)
        return;
    c->closed = true;
    error_set(&c->error, code, code == ACKD_INTERNAL ? EPROTO : 0, reason, "%s", sentence);
    nghttp2_session_set_stream_user_data(c->a->h2, c->stream_id, NULL);
    nghttp2_submit_rst_stream(c->a->h2, NGHTTP2_FLAG_NONE, c->stream_id, NGHTTP2_CANCEL);
}

/* ---- out ---- */

static size_t waiting(const struct call *c)
{
    return c->head_length - c->head_at + (c->body_length - c->body_at);
}

bool call_idle(const struct call *c)
{
    return waiting(c) == 0;
}

void call_resume(struct call *c)
{
    if (!c->closed)
        nghttp2_session_resume_data(c->a->h2, c->stream_id);
}

ssize_t call_on_read(nghttp2_session *h2, int32_t stream_id, uint8_t *buffer, size_t length,
                     uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)buffer, (void)source, (void)user;
    struct call *c = nghttp2_session_get_stream_user_data(h2, stream_id);
    if (!c)
        return NGHTTP2_ERR_DEFERRED;
    if (call_idle(c) && c->refill)
        c->refill(c);
    size_t left = waiting(c), n = left < length ? left : length;
    bool end = c->half_close && n == left;
    if (n == 0 && !end)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY | (end ? (uint32_t)NGHTTP2_DATA_FLAG_EOF : 0);
    return (ssize_t)n;
}

void call_gather(struct call *c, size_t length, struct iovec pieces[2])
{
    size_t head = c->head_length - c->head_at;
    if (head > length)
        head = length;
    pieces[0] = (struct iovec){c->head + c->head_at, head};
    /* A message without a body has no address to count from. */
    pieces[1] = (struct iovec){c->body ? (void *)(c->body + c->body_at) : NULL, length - head};
    c->head_at += head;
    c->body_at += length - head;
}

/* ---- in ---- */

void call_credit(struct call *c, size_t n)
{
    if (n && !c->closed)
        nghttp2_session_consume_stream(c->a->h2, c->stream_id, n);
}

static struct message *message_new(struct grpc_deframer *d, size_t credit)
{
    struct message *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->end = d->length;
    m->credit = credit;
    if (d->buffer) {
        m->data = d->buffer; /* it was put together there: take it over */
        d->buffer = NULL;
        return m;
    }
    m->data = malloc(m->end + 1);
    if (!m->data) {
        free(m);
        return NULL;
    }
    memcpy(m->data, d->message, m->end);
    return m;
}

/* A message is complete: queue it, unless the owner has used it up. */
static bool deliver(struct call *c)
{
    struct message *m = message_new(&c->deframer, c->partial_credit);
    if (!m)
        return false;
    c->partial_credit = 0;
    if (c->on_message && !c->on_message(c, m)) {
        call_credit(c, m->credit);
        message_free(m);
        return true;
    }
    *c->last = m;
    c->last = &m->next;
    return true;
}

int call_input(struct call *c, const uint8_t *data, size_t length)
{
    if (c->window_at_once)
        call_credit(c, length);
    while (length && !c->closed) {
        size_t before = length;
        enum grpc_deframed r = grpc_deframe(&c->deframer, &data, &length);
        if (!c->window_at_once)
            c->partial_credit += before - length;
        switch (r) {
        case GRPC_DEFRAMED_NOTHING:
            break;
        case GRPC_DEFRAMED_MESSAGE:
            if (deliver(c))
                break;
            /* fall through */
        case GRPC_DEFRAMED_NO_MEMORY:
            call_fail(c, ACKD_RESOURCE_EXHAUSTED, "NO_MEMORY", "out of memory for an answer");
            break;
        case GRPC_DEFRAMED_COMPRESSED:
            call_fail(c, ACKD_INTERNAL, "MALFORMED_ANSWER",
                      "the daemon compressed an answer unasked");
            break;
        case GRPC_DEFRAMED_TOO_LARGE:
            call_fail(c, ACKD_INTERNAL, "MALFORMED_ANSWER",
                      "the daemon's answer is longer than 64 MiB");
            break;
        }
    }
    if (!c->closed && !grpc_deframer_settle(&c->deframer))
        call_fail(c, ACKD_RESOURCE_EXHAUSTED, "NO_MEMORY", "out of memory for an answer");
    if (grpc_deframer_expects(&c->deframer) > STREAM_WINDOW / 2) {
        call_credit(c, c->partial_credit);
        c->partial_credit = 0;
    }
    return 0;
}

struct message *call_take(struct call *c)
{
    struct message *m = c->first;
    c->first = m->next;
    if (!c->first)
        c->last = &c->first;
    call_credit(c, m->credit);
    m->credit = 0;
    m->next = NULL;
    return m;
}

enum ackd_next call_wait(struct call *c, int64_t deadline, struct ackd_error *err)
{
    bool tried = false;
    for (;;) {
        if (c->first)
            return ACKD_ITEM;
        if (c->over)
            return ACKD_END;
        if (c->closed) {
            if (c->error.grpc_code == ACKD_OK)
                return ACKD_END;
            error_copy(err, &c->error);
            return ACKD_FAILED;
        }
        if (tried && (deadline == 0 || time_now() >= deadline))
            return ACKD_AGAIN;
        tried = true;
        if (conn_step(c->a, deadline, err) < 0 && !c->closed)
            return ACKD_FAILED;
    }
}

ProtobufCMessage *message_unpack(const struct message *m, const ProtobufCMessageDescriptor *type,
                                 ProtobufCAllocator *allocator, struct ackd_error *err)
{
    ProtobufCMessage *p =
        protobuf_c_message_unpack(type, allocator, m->end - m->at, m->data + m->at);
    if (!p)
        error_set(err, ACKD_INTERNAL, EPROTO, "MALFORMED_ANSWER", "the daemon's %s cannot be read",
                  type->short_name);
    return p;
}

/* ---- one request, one answer ---- */

void *scratch(struct ackd *a, size_t count, size_t size)
{
    free(a->scratch);
    return a->scratch = calloc(count + 1, size);
}

static void reply_forget(struct ackd *a)
{
    if (a->reply)
        protobuf_c_message_free_unpacked(a->reply, NULL);
    a->reply = NULL;
    free(a->scratch);
    a->scratch = NULL;
}

const struct ackd_message *ackd_reply(const struct ackd *a)
{
    return (const struct ackd_message *)a->reply;
}

/* Waits for the end of a unary call. */
static int unary_finish(struct call *c, int64_t deadline, struct ackd_error *err)
{
    while (!c->closed) {
        if (time_now() >= deadline)
            return error_set(err, ACKD_DEADLINE_EXCEEDED, ETIMEDOUT, "DEADLINE",
                             "the daemon did not answer in time");
        if (conn_step(c->a, deadline, err) < 0 && !c->closed)
            return -1;
    }
    if (c->error.grpc_code != ACKD_OK)
        return error_copy(err, &c->error);
    if (!c->first || c->first->next)
        return error_set(err, ACKD_INTERNAL, EPROTO, "MALFORMED_ANSWER", "the daemon gave %s",
                         c->first ? "more than one answer" : "no answer");
    return 0;
}

int ackd_call_unary(struct ackd *a, const char *path, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *answer, uint32_t wait_ms,
                    const ProtobufCMessage **out, struct ackd_error *err)
{
    reply_forget(a);
    int64_t timeout_ms = a->timeout_ms ? (int64_t)a->timeout_ms + wait_ms : -1;
    int64_t deadline = time_after(timeout_ms);
    struct call *c = call_start(a, path, request, true, timeout_ms, NULL, err);
    if (!c)
        return -1;
    c->window_at_once = true;
    int r = unary_finish(c, deadline, err);
    if (r == 0)
        a->reply = message_unpack(c->first, answer, NULL, err);
    call_free(c);
    if (out)
        *out = a->reply;
    return a->reply ? 0 : -1;
}

/* ---- one request, a stream of answers ---- */

struct ackd_iterator {
    struct call *call;
    const ProtobufCMessageDescriptor *answer;
    ProtobufCMessage *current;
    struct heap heap;      /* what it is made of */
    struct message *bytes; /* the current one, when it was asked for as bytes */
};

static void *from_heap(void *heap, size_t size)
{
    return heap_take(heap, size);
}

/* Nothing is given back but all of it: heap_reset(). */
static void to_heap(void *heap, void *piece)
{
    (void)heap;
    (void)piece;
}

struct ackd_iterator *ackd_call_streamed(struct ackd *a, const char *path,
                                         const ProtobufCMessage *request,
                                         const ProtobufCMessageDescriptor *answer,
                                         struct ackd_error *err)
{
    struct ackd_iterator *it = calloc(1, sizeof *it);
    if (!it) {
        error_no_memory(err);
        return NULL;
    }
    it->answer = answer;
    it->call = call_start(a, path, request, true, 0, it, err);
    if (!it->call) {
        free(it);
        return NULL;
    }
    conn_flush(a);
    return it;
}

enum ackd_next ackd_iterator_next(struct ackd_iterator *it, const ProtobufCMessage **out,
                                  int timeout_ms, struct ackd_error *err)
{
    ProtobufCAllocator allocator = {from_heap, to_heap, &it->heap};
    it->current = NULL;
    heap_reset(&it->heap);
    enum ackd_next r = call_wait(it->call, time_after(timeout_ms), err);
    if (r != ACKD_ITEM)
        return r;
    struct message *m = call_take(it->call);
    it->current = message_unpack(m, it->answer, &allocator, err);
    message_free(m);
    if (!it->current) {
        ackd_iterator_malformed(it);
        return ACKD_FAILED;
    }
    *out = it->current;
    return ACKD_ITEM;
}

void ackd_iterator_malformed(struct ackd_iterator *it)
{
    call_fail(it->call, ACKD_INTERNAL, "MALFORMED_ANSWER", "the daemon's answer cannot be read");
}

enum ackd_next ackd_iterator_next_bytes(struct ackd_iterator *it, const uint8_t **data,
                                        size_t *length, int timeout_ms, struct ackd_error *err)
{
    message_free(it->bytes);
    it->bytes = NULL;
    enum ackd_next r = call_wait(it->call, time_after(timeout_ms), err);
    if (r == ACKD_ITEM) {
        it->bytes = call_take(it->call);
        *data = it->bytes->data;
        *length = it->bytes->end;
    }
    return r;
}

void ackd_iterator_free(struct ackd_iterator *it)
{
    if (!it)
        return;
    heap_free(&it->heap);
    message_free(it->bytes);
    call_free(it->call);
    free(it);
}
