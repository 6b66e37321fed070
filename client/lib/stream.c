/* Both ways on one call: bytes of a TCP connection as messages of Tcp.Stream.
 *
 * Out. A write becomes messages of at most what both HTTP/2 windows admit, its payload gathered
 * from the user's memory. So nothing is ever queued here beyond one message, and a full send buffer
 * in the daemon shows as a write that takes nothing. Small openings of the window are waited out
 * (RFC 9293's silly window, one layer up).
 *
 * In. Messages queue up to the stream's window, which goes back as the user takes bytes.
 * StreamResponse is read by hand: protobuf's decoder would copy every payload once more. */
#include "client/lib/convert.h"
#include "client/lib/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Longest header of a message: prefix, offset, push, urgent, tag and length of the data. */
#define HEADER_MAX 32
#define ENOUGH_ROOM 16384
/* A message's window comes back when all of it is taken: several shall be on their way. */
#define WRITE_MAX (64u << 10)
#define CONFIRM_EVERY (64 << 10)

struct ackd_stream {
    struct ackd *a;
    struct call *call;
    bool confirm;
    bool fin_due, fin_made, end_of_stream;
    uint64_t written, accepted, acknowledged;
    uint64_t arrived, taken, confirmed; /* in memory, by the user, as told the daemon */
    bool has_urgent;
    uint64_t urgent_mark;
};

/* ---- in ---- */

/* What a StreamResponse says. */
struct response {
    uint64_t offset, urgent_mark, accepted, acknowledged, end;
    bool has_urgent;
    const uint8_t *data;
    size_t length;
};

static bool parse(struct response *out, const struct message *m)
{
    struct reader r = {m->data, m->data + m->end}, inner;
    uint64_t tag, value;
    bool broken = false;
    while (read_field(&r, &tag, &value, &inner, &broken)) {
        switch (tag) {
        case TAG(1, VARINT):
            out->offset = value;
            break;
        case TAG(2, BYTES):
            out->data = inner.at;
            out->length = value;
            break;
        case TAG(3, VARINT):
            out->end = value;
            break;
        case TAG(4, VARINT):
            out->has_urgent = true;
            out->urgent_mark = value;
            break;
        case TAG(5, VARINT):
            out->accepted = value;
            break;
        case TAG(6, VARINT):
            out->acknowledged = value;
            break;
        }
    }
    return !broken;
}

/* Takes note of everything; keeps the message when it has bytes for the user. */
static bool on_message(struct call *c, struct message *m)
{
    struct ackd_stream *s = c->owner;
    struct response r = {0};
    if (!parse(&r, m)) {
        call_fail(c, ACKD_INTERNAL, "MALFORMED_ANSWER",
                  "the daemon's StreamResponse cannot be read");
        return false;
    }
    s->accepted = r.accepted > s->accepted ? r.accepted : s->accepted;
    s->acknowledged = r.acknowledged > s->acknowledged ? r.acknowledged : s->acknowledged;
    if (r.has_urgent) {
        s->has_urgent = true;
        s->urgent_mark = r.urgent_mark;
    }
    if (r.length && (r.offset != s->arrived || s->end_of_stream)) {
        call_fail(c, ACKD_DATA_LOSS, "OFFSET", "the daemon's bytes do not follow on those before");
        return false;
    }
    s->end_of_stream = c->over = s->end_of_stream || r.end;
    s->arrived += r.length;
    if (!r.length)
        return false;
    m->at = (size_t)(r.data - m->data);
    m->end = m->at + r.length;
    return true;
}

enum ackd_next ackd_stream_peek(struct ackd_stream *s, const void **data, size_t *length,
                                int timeout_ms, struct ackd_error *err)
{
    enum ackd_next r = call_wait(s->call, time_after(timeout_ms), err);
    if (r != ACKD_ITEM)
        return r;
    const struct message *m = s->call->first;
    *data = m->data + m->at;
    *length = m->end - m->at;
    return ACKD_ITEM;
}

void ackd_stream_consume(struct ackd_stream *s, size_t length)
{
    struct call *c = s->call;
    while (length && c->first) {
        struct message *m = c->first;
        size_t n = m->end - m->at < length ? m->end - m->at : length;
        size_t credit = n < m->credit ? n : m->credit;
        call_credit(c, credit);
        m->credit -= credit;
        m->at += n;
        s->taken += n;
        length -= n;
        if (m->at == m->end)
            message_free(call_take(c));
    }
    if (s->has_urgent && s->taken >= s->urgent_mark)
        s->has_urgent = false;
    if (s->confirm && (s->taken - s->confirmed >= CONFIRM_EVERY || !c->first))
        call_resume(c);
    conn_flush(s->a);
}

ssize_t ackd_stream_read(struct ackd_stream *s, void *buffer, size_t size, int timeout_ms,
                         struct ackd_error *err)
{
    const void *data;
    size_t length, done = 0;
    while (done < size) {
        switch (ackd_stream_peek(s, &data, &length, done ? 0 : timeout_ms, err)) {
        case ACKD_ITEM:
            length = length < size - done ? length : size - done;
            memcpy((uint8_t *)buffer + done, data, length);
            done += length;
            ackd_stream_consume(s, length);
            if (!s->call->first)
                return (ssize_t)done;
            break;
        case ACKD_END:
            return (ssize_t)done;
        case ACKD_AGAIN:
            return error_set(err, ACKD_OK, EAGAIN, "", "nothing to read yet");
        case ACKD_FAILED:
            return -1;
        }
    }
    return (ssize_t)done;
}

/* ---- out ---- */

static size_t put_varint(uint8_t *p, uint64_t value)
{
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        p[n++] = (uint8_t)(value | 128);
    p[n++] = (uint8_t)value;
    return n;
}

/* A field that is a number; zero is left out. */
static size_t put_number(uint8_t *p, unsigned field, uint64_t value)
{
    if (!value)
        return 0;
    p[0] = (uint8_t)TAG(field, VARINT);
    return 1 + put_varint(p + 1, value);
}

/* Makes `n` bytes of fields behind the prefix, and a body, the message on its way. */
static void put_message(struct call *c, size_t n, const void *body, size_t body_length)
{
    free(c->owned);
    c->owned = NULL;
    grpc_prefix_write(c->head, (uint32_t)(n + body_length));
    c->head_at = 0;
    c->head_length = GRPC_PREFIX_LENGTH + n;
    c->body = body;
    c->body_at = 0;
    c->body_length = body_length;
}

static void put_data(struct ackd_stream *s, const void *data, size_t length, bool push, bool urgent)
{
    uint8_t *p = s->call->head + GRPC_PREFIX_LENGTH;
    size_t n = put_number(p, 3, s->written);
    n += put_number(p + n, 5, push);
    n += put_number(p + n, 6, urgent);
    p[n++] = TAG(4, BYTES);
    n += put_varint(p + n, length);
    put_message(s->call, n, data, length);
    s->written += length;
}

/* Called when the last message has gone: the FIN and confirmations wait for that. The request
 * stream ends when neither can follow. */
static void refill(struct call *c)
{
    struct ackd_stream *s = c->owner;
    uint8_t *p = c->head + GRPC_PREFIX_LENGTH;
    size_t n = 0;
    if (s->fin_due && !s->fin_made) {
        n = put_number(p, 3, s->written);
        n += put_number(p + n, 7, 1);
        s->fin_made = true;
    }
    if (s->confirm && s->taken > s->confirmed) {
        n += put_number(p + n, 10, s->taken);
        s->confirmed = s->taken;
    }
    if (n)
        put_message(c, n, NULL, 0);
    c->half_close =
        s->fin_made && (!s->confirm || (s->end_of_stream && s->confirmed == s->arrived));
}

static size_t room(const struct ackd_stream *s)
{
    const struct call *c = s->call;
    if (c->closed || s->fin_due || !call_idle(c) || s->a->out.rest)
        return 0;
    int32_t stream = nghttp2_session_get_stream_remote_window_size(s->a->h2, c->stream_id);
    int32_t connection = nghttp2_session_get_remote_window_size(s->a->h2);
    int32_t least = stream < connection ? stream : connection;
    return least > HEADER_MAX ? (size_t)least - HEADER_MAX : 0;
}

static bool room_for(const struct ackd_stream *s, size_t length, size_t *out)
{
    uint32_t window =
        nghttp2_session_get_remote_settings(s->a->h2, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    size_t enough = window / 4 < ENOUGH_ROOM ? window / 4 : ENOUGH_ROOM;
    *out = room(s);
    return *out > 0 && (*out >= length || *out >= enough);
}

/* The user's memory is the user's again: what is left of the message moves. */
static void keep_body(struct call *c)
{
    size_t left = c->body_length - c->body_at;
    if (!left || c->owned || c->closed)
        return;
    c->owned = malloc(left);
    if (!c->owned) {
        call_fail(c, ACKD_RESOURCE_EXHAUSTED, "NO_MEMORY", "out of memory");
        return;
    }
    memcpy(c->owned, c->body + c->body_at, left);
    c->body = c->owned;
    c->body_at = 0;
    c->body_length = left;
}

static int write_failed(const struct ackd_stream *s, struct ackd_error *err)
{
    if (s->call->closed && s->call->error.grpc_code != ACKD_OK)
        return error_copy(err, &s->call->error);
    return error_set(err, ACKD_FAILED_PRECONDITION, EPIPE, "STREAM_ENDED", "%s",
                     s->fin_due ? "our side of the connection is closed already"
                                : "the stream has ended");
}

ssize_t ackd_stream_write(struct ackd_stream *s, const void *data, size_t length, int flags,
                          int timeout_ms, struct ackd_error *err)
{
    int64_t deadline = time_after(timeout_ms);
    size_t done = 0, n;
    bool tried = false;
    int r = 0;
    if (s->fin_due || s->call->closed)
        return write_failed(s, err);
    while (done < length && !s->call->closed && r >= 0) {
        if (room_for(s, length - done, &n)) {
            n = n < WRITE_MAX ? n : WRITE_MAX;
            n = n < length - done ? n : length - done;
            put_data(s, (const uint8_t *)data + done, n, (flags & ACKD_PUSH) && done + n == length,
                     flags & ACKD_URGENT);
            done += n;
            call_resume(s->call);
            conn_flush(s->a);
            continue;
        }
        if (tried && (deadline == 0 || time_now() >= deadline))
            break;
        tried = true;
        r = conn_step(s->a, deadline, err);
    }
    keep_body(s->call);
    if (done == 0 && s->call->closed)
        return write_failed(s, err);
    return done == 0 && r < 0 ? -1 : (ssize_t)done;
}

int ackd_stream_shutdown(struct ackd_stream *s, struct ackd_error *err)
{
    if (s->fin_due)
        return 0;
    if (s->call->closed)
        return write_failed(s, err);
    s->fin_due = true;
    call_resume(s->call);
    conn_flush(s->a);
    return 0;
}

/* Every byte is accepted and the FIN, if any, is ahead of whatever we say next. The daemon ends a
 * call well only when it has taken everything. */
static bool flushed(const struct ackd_stream *s)
{
    if (s->call->closed)
        return s->accepted >= s->written || s->call->error.grpc_code == ACKD_OK;
    return s->accepted >= s->written && call_idle(s->call) && !s->a->out.rest &&
           s->fin_due == s->fin_made;
}

int ackd_stream_flush(struct ackd_stream *s, int timeout_ms, struct ackd_error *err)
{
    int64_t deadline = time_after(timeout_ms);
    bool tried = false;
    while (!flushed(s)) {
        if (s->call->closed)
            return write_failed(s, err);
        if (tried && (deadline == 0 || time_now() >= deadline))
            return 0;
        tried = true;
        if (conn_step(s->a, deadline, err) < 0 && !s->call->closed)
            return -1;
    }
    return 1;
}

/* ---- the whole ---- */

struct ackd_stream *ackd_stream_open(struct ackd *a, const struct ackd_stream_request *request,
                                     struct ackd_error *err)
{
    struct ackd_stream *s = calloc(1, sizeof *s);
    if (!s) {
        error_no_memory(err);
        return NULL;
    }
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.id = request->id;
    m.receive_from_offset = request->receive_from;
    m.keep_open = request->keep_open;
    m.confirm_receipt = request->confirm_receipt;
    s->a = a;
    s->confirm = request->confirm_receipt;
    s->written = s->accepted = s->acknowledged = request->send_from;
    s->arrived = s->taken = s->confirmed = request->receive_from;
    s->call = call_start(a, "/ackd.v1.Tcp/Stream", &m.base, false, 0, s, err);
    if (!s->call) {
        free(s);
        return NULL;
    }
    s->call->on_message = on_message;
    s->call->refill = refill;
    conn_flush(a);
    return s;
}

void ackd_stream_get_info(const struct ackd_stream *s, struct ackd_stream_info *out)
{
    *out = (struct ackd_stream_info){
        .received_until = s->taken,
        .written_until = s->written,
        .accepted_until = s->accepted,
        .acknowledged_until = s->acknowledged,
        .readable_bytes = (size_t)(s->arrived - s->taken),
        .writable_bytes = room(s),
        .end_of_stream = s->end_of_stream,
        .has_urgent_mark = s->has_urgent,
        .urgent_mark = s->has_urgent ? s->urgent_mark : 0,
    };
}

void ackd_stream_close(struct ackd_stream *s)
{
    if (!s)
        return;
    call_free(s->call);
    free(s);
}
