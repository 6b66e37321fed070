/* call.c: messages both ways, flow control, counts of requests, deadlines, ends. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "google/rpc/status.pb-c.h"
#include "proto/framing.h"

/* An Any with a value of `size` bytes; `value` must hold them. */
static Any any_of(uint8_t *value, size_t size)
{
    Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.value = (ProtobufCBinaryData){.len = size, .data = value};
    return any;
}

static uint8_t zeros[8 << 20];

/* ---- what the methods do ---- */

static void reply_same(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    INSIDE(b, grpc_call_reply(call, message));
}

static void send_same(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    INSIDE(b, grpc_call_send(call, message));
}

static void finish(struct bench *b, struct grpc_call *call)
{
    INSIDE(b, grpc_call_finish(call));
}

static void fail_call(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    static const struct grpc_error error = {GRPC_FAILED_PRECONDITION, "ECONNREFUSED",
                                            "RST_IN_SYN_SENT",
                                            "the peer said 100% no, \xc3\xa9t\xc3\xa9"};
    (void)message;
    INSIDE(b, grpc_call_fail(call, &error));
    INSIDE(b, grpc_call_fail(call, &error)); /* the second does nothing */
    INSIDE(b, grpc_call_finish(call));
    assert_int_equal(grpc_call_send(call, message), -EPIPE);
}

/* Sends 16 KiB messages while there is room. */
static void send_much(struct bench *b, struct grpc_call *call)
{
    Any any = any_of(zeros, 16384);
    while (grpc_call_room(call) >= google__protobuf__any__get_packed_size(&any)) {
        INSIDE(b, assert_int_equal(grpc_call_send(call, &any.base), 0));
    }
}

static void begin_much(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    send_much(b, call);
}

/* ---- tests ---- */

static void test_unary(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = reply_same;
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, UNARY, NULL);
    client_message(c, s, 100, true);
    client_pump(c);
    struct reply *r = client_reply(c, s);
    assert_int_equal(r->code, GRPC_OK);
    assert_int_equal(client_messages(c, s), 1);
    assert_int_equal(r->error, NGHTTP2_NO_ERROR);
    assert_true(r->closed && !r->trailers_only);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 0);
    assert_int_equal(b.wire_bytes, GRPC_PREFIX_LENGTH + 102);
    assert_int_equal(bench_stats(&b).calls, 0);
    client_close(c);
    bench_close(&b);
}

static void test_error_is_told_three_times(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = fail_call;
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, UNARY, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct reply *r = client_reply(c, s);
    assert_true(r->trailers_only);
    assert_int_equal(r->code, GRPC_FAILED_PRECONDITION);
    assert_string_equal(r->message, "the peer said 100% no, \xc3\xa9t\xc3\xa9");
    Google__Rpc__Status *status =
        google__rpc__status__unpack(NULL, r->details_length, (uint8_t *)r->details);
    assert_non_null(status);
    assert_int_equal(status->code, GRPC_FAILED_PRECONDITION);
    assert_int_equal(status->n_details, 1);
    assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(
        NULL, status->details[0]->value.len, status->details[0]->value.data);
    assert_non_null(info);
    assert_string_equal(info->reason, "RST_IN_SYN_SENT");
    assert_string_equal(info->domain, "ackd.v1");
    assert_string_equal(info->metadata[0]->key, "errno");
    assert_string_equal(info->metadata[0]->value, "ECONNREFUSED");
    google__rpc__error_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(status, NULL);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 0);
    client_close(c);
    bench_close(&b);
}

/* What was told before an error: grpc_call_fail() drops what has not gone out,
 * grpc_call_fail_last() delivers all of it first, however long the client's window stays shut. */
static void check_last(bool last, unsigned messages)
{
    static const struct grpc_error error = {
        GRPC_ABORTED, "ECONNRESET", "RST_IN_ESTABLISHED", "the peer reset the connection",
        "id",         "7"};
    struct bench b;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    c->hold_windows = true;
    int32_t s = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    Any any = any_of(zeros, 50000);
    for (unsigned i = 0; i < 3; i++) { /* one goes out whole, one in part, one not at all */
        INSIDE(&b, assert_int_equal(grpc_call_send(b.call, &any.base), 0));
    }
    client_pump(c);
    struct reply *r = client_reply(c, s);
    assert_int_equal(r->length, 65535);
    if (last) {
        INSIDE(&b, grpc_call_fail_last(b.call, &error));
        INSIDE(&b, grpc_call_fail_last(b.call, &error)); /* the second does nothing */
    } else {
        INSIDE(&b, grpc_call_fail(b.call, &error));
    }
    assert_int_equal(grpc_call_send(b.call, &any.base), -EPIPE);
    client_pump(c);
    assert_int_equal(r->code, -1); /* the status comes after the messages */
    assert_int_equal(b.ends, 0);
    nghttp2_submit_window_update(c->session, 0, s, 1 << 20);
    nghttp2_submit_window_update(c->session, 0, 0, 1 << 20);
    client_pump(c);
    assert_int_equal(client_messages(c, s), messages);
    assert_int_equal(r->code, GRPC_ABORTED);
    assert_false(r->trailers_only);
    assert_string_equal(r->message, "the peer reset the connection");
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 0);
    client_close(c);
    bench_close(&b);
}

static void test_fail_and_fail_last(void **state)
{
    (void)state;
    check_last(false, 2);
    check_last(true, 3);
}

/* The metadata's second entry, and no messages at all: the error is all there is. */
static void fail_last_at_once(struct bench *b, struct grpc_call *call,
                              const ProtobufCMessage *message)
{
    static const struct grpc_error error = {GRPC_INVALID_ARGUMENT, "EINVAL", "INVALID_FIELD",
                                            "grace_ms: too much",  "field",  "grace_ms"};
    (void)message;
    INSIDE(b, grpc_call_fail_last(call, &error));
}

static void test_fail_last_at_once(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = fail_last_at_once;
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct reply *r = client_reply(c, s);
    assert_int_equal(r->code, GRPC_INVALID_ARGUMENT);
    assert_true(r->trailers_only);
    Google__Rpc__Status *status =
        google__rpc__status__unpack(NULL, r->details_length, (uint8_t *)r->details);
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(
        NULL, status->details[0]->value.len, status->details[0]->value.data);
    assert_string_equal(info->reason, "INVALID_FIELD");
    assert_int_equal(info->n_metadata, 2);
    assert_string_equal(info->metadata[0]->value, "EINVAL");
    assert_string_equal(info->metadata[1]->key, "field");
    assert_string_equal(info->metadata[1]->value, "grace_ms");
    google__rpc__error_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(status, NULL);
    client_close(c);
    bench_close(&b);
}

/* Runs one call of raw bytes and checks its code. */
static void check_code(struct client *c, const char *path, const void *bytes, size_t length,
                       int code)
{
    int32_t s = client_call(c, path, NULL);
    client_bytes(c, s, bytes, length, true);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, code);
    assert_true(client_reply(c, s)->closed);
}

static void test_bad_requests(void **state)
{
    static const uint8_t two[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t compressed[] = {1, 0, 0, 0, 0};
    static const uint8_t large[] = {0, 0x7f, 0xff, 0xff, 0xff};
    static const uint8_t cut[] = {0, 0, 0, 0, 9, 1, 2};
    static const uint8_t malformed[] = {0, 0, 0, 0, 2, 0x0a, 0x55};
    static const uint8_t not_utf8[] = {0, 0, 0, 0, 3, 0x0a, 0x01, 0xff};
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    check_code(c, UNARY, "", 0, GRPC_UNIMPLEMENTED);
    check_code(c, UNARY, two, sizeof(two), GRPC_UNIMPLEMENTED);
    check_code(c, UNARY, compressed, sizeof(compressed), GRPC_INTERNAL);
    check_code(c, UNARY, large, sizeof(large), GRPC_RESOURCE_EXHAUSTED);
    check_code(c, UNARY, cut, sizeof(cut), GRPC_INVALID_ARGUMENT);
    check_code(c, UNARY, cut, 3, GRPC_INVALID_ARGUMENT);
    check_code(c, UNARY, malformed, sizeof(malformed), GRPC_INVALID_ARGUMENT);
    check_code(c, UNARY, not_utf8, sizeof(not_utf8), GRPC_INVALID_ARGUMENT);
    check_code(c, "/bench.Service/None", "", 0, GRPC_UNIMPLEMENTED);
    check_code(c, "/none.Service/Unary", "", 0, GRPC_UNIMPLEMENTED);
    assert_int_equal(b.messages, 0);
    assert_int_equal(b.ends, 8);
    assert_int_equal(bench_stats(&b).oversized, 1);
    assert_int_equal(bench_stats(&b).unknown_methods, 2);
    /* The connection is as good as before. */
    b.on_message = reply_same;
    check_code(c, UNARY, two, 5, GRPC_OK);
    client_close(c);
    bench_close(&b);
}

/* 2,000 empty details of google.rpc.Status: two bytes each on the wire. */
static void test_unpacks_too_large(void **state)
{
    uint8_t bytes[GRPC_PREFIX_LENGTH + 4000];
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_unpacked = 64 * 1024});
    struct client *c = client_open(&b, 0);
    grpc_prefix_write(bytes, 4000);
    for (size_t i = 0; i < 4000; i += 2) {
        bytes[GRPC_PREFIX_LENGTH + i] = 0x1a;
        bytes[GRPC_PREFIX_LENGTH + i + 1] = 0;
    }
    check_code(c, NESTED, bytes, sizeof(bytes), GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(bench_stats(&b).unpack_limit, 1);
    assert_int_equal(b.messages, 0);
    client_close(c);
    bench_close(&b);
}

static void test_not_permitted(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.verdict = GRPC_PERMISSION_DENIED;
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, UNARY, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, GRPC_PERMISSION_DENIED);
    assert_string_equal(client_reply(c, s)->message, "not for you");
    assert_int_equal(b.asked, 1);
    assert_int_equal(b.messages, 0);
    client_close(c);
    bench_close(&b);
}

/* Both ways at once, message for message, then half-close. */
static void test_streaming(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = send_same;
    b.on_half_close = finish;
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, NULL);
    for (unsigned i = 1; i <= 20; i++) {
        client_message(c, s, i * 1000, false);
        client_pump(c);
        assert_int_equal(b.messages, i);
        assert_int_equal(client_messages(c, s), i);
    }
    assert_int_equal(b.half_closes, 0);
    client_bytes(c, s, "", 0, true);
    client_pump(c);
    assert_int_equal(b.half_closes, 1);
    assert_int_equal(client_reply(c, s)->code, GRPC_OK);
    assert_int_equal(b.ends, 1);
    client_close(c);
    bench_close(&b);
}

/* A message far above the stream's window arrives; one that the handler has not consumed holds the
 * next ones back. */
static void test_large_message_and_backpressure(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.stream_window = 65536});
    b.consume = false;
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, NULL);
    client_message(c, s, 1 << 20, false);
    client_message(c, s, 1 << 20, false);
    client_pump(c);
    assert_int_equal(b.messages, 1);
    struct reply *r = client_reply(c, s);
    assert_true(r->out_sent < (1 << 20) + 65536 + 100);
    INSIDE(&b, grpc_call_consumed(b.call, b.wire_bytes));
    client_pump(c);
    assert_int_equal(b.messages, 2);
    assert_int_equal(r->out_sent, r->out_length);
    client_close(c);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 1);
    bench_close(&b);
}

/* A handler that consumes nothing stops its own stream and no other. */
/* What a handler took of its last message. */
static struct {
    void *memory;
    const uint8_t *value;
    size_t length;
} taken;

static void take_value(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    const ProtobufCBinaryData *value = &((const Any *)message)->value;
    taken.value = value->data;
    taken.length = value->len;
    INSIDE(b, taken.memory = grpc_call_take(call, value->data));
    INSIDE(b, assert_null(grpc_call_take(call, value->data))); /* once */
}

static void take_and_reply(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    Any empty = GOOGLE__PROTOBUF__ANY__INIT;
    take_value(b, call, message);
    INSIDE(b, grpc_call_reply(call, &empty.base));
}

/* A large value is the handler's, without a copy, for as long as it likes; a small one is not to be
 * had; and outside of on_message() nothing is. */
static void test_take(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    b.on_message = take_and_reply;
    int32_t unary = client_call(c, UNARY, NULL);
    client_message(c, unary, 1 << 20, true);
    client_pump(c);
    assert_int_equal(client_reply(c, unary)->code, GRPC_OK);
    assert_int_equal(b.ends, 1);
    assert_non_null(taken.memory);
    assert_int_equal(taken.length, 1 << 20);
    assert_memory_equal(taken.value, zeros, taken.length);
    free(taken.memory);
    b.on_message = take_value;
    b.consume = true;
    int32_t s = client_call(c, STREAM, NULL);
    for (unsigned i = 0; i < 3; i++) {
        bool large = i != 1;
        client_message(c, s, large ? 1 << 20 : 100, false);
        client_pump(c);
        assert_int_equal(taken.memory != NULL, large);
        assert_int_equal(taken.length, large ? 1 << 20 : 100);
        if (large) {
            assert_memory_equal(taken.value, zeros, taken.length);
        }
        free(taken.memory);
    }
    INSIDE(&b, assert_null(grpc_call_take(b.call, taken.value)));
    client_close(c);
    bench_close(&b);
}

static void test_stalled_upload_stalls_itself_alone(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.consume = false;
    struct client *c = client_open(&b, 0);
    int32_t stalled = client_call(c, STREAM, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        client_message(c, stalled, 10000, false);
    }
    client_pump(c);
    struct reply *r = client_reply(c, stalled);
    assert_in_range(r->out_sent, 256 * 1024 - 20000, 256 * 1024);
    /* ten megabytes on another stream */
    b.consume = true;
    b.messages = 0;
    int32_t other = client_call(c, STREAM, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        client_message(c, other, 10000, false);
    }
    client_pump(c);
    assert_int_equal(b.messages, 1000);
    assert_in_range(r->out_sent, 256 * 1024 - 20000, 256 * 1024);
    client_close(c);
    bench_close(&b);
}

/* Small messages on a stream until no more go out; the bytes that did. */
static size_t stall(struct client *c, int32_t s)
{
    struct reply *r = client_reply(c, s);
    size_t before = r->out_sent;
    for (unsigned i = 0; i < 400; i++) {
        client_message(c, s, 1000, false);
    }
    client_pump(c);
    return r->out_sent - before;
}

/* What a handler gives back counts once: not again after a message whose window was given back
 * while it came in, and not beyond what was delivered. */
static void test_window_is_given_back_once(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.stream_window = 65536});
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, NULL), t = client_call(c, STREAM, NULL);
    client_message(c, s, 1 << 20, false);
    client_message(c, s, 100000, false);
    client_pump(c);
    assert_int_equal(b.messages, 2);
    b.consume = false;
    assert_in_range(stall(c, s), 30000, 65536);
    INSIDE(&b, grpc_call_consumed(b.call, 1000));
    assert_int_equal(stall(c, s), 0); /* less than half of the window is not told yet */
    client_message(c, t, 100, false);
    client_pump(c);
    INSIDE(&b, grpc_call_consumed(b.call, 1 << 20));
    assert_in_range(stall(c, t), 60000, 65536 + 200);
    INSIDE(&b, grpc_call_consumed(b.call, 1000));
    assert_int_equal(stall(c, t), 0);
    client_close(c);
    bench_close(&b);
}

/* Two downloads share the connection's window: neither counts what the other has taken. */
static void test_room_of_the_connection(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    c->hold_windows = true;
    nghttp2_submit_settings(
        c->session, 0, &(nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}, 1);
    int32_t s = client_call(c, DOWNLOAD, NULL), t = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct grpc_call *first = b.call;
    client_message(c, t, 1, true);
    client_pump(c);
    assert_int_equal(grpc_call_room(first), 65535 - GRPC_PREFIX_LENGTH);
    Any any = any_of(zeros, 50000);
    assert_int_equal(grpc_call_send(first, &any.base), 0);
    assert_in_range(grpc_call_room(b.call), 15000, 15535);
    client_pump(c);
    assert_in_range(grpc_call_room(b.call), 15000, 15535);
    client_close(c);
    bench_close(&b);
}

/* Two downloads at once go side by side, not one after the other. */
static void test_fair(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 100000);
    c->hold_windows = true;
    int32_t s = client_call(c, DOWNLOAD, NULL), t = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct grpc_call *first = b.call;
    client_message(c, t, 1, true);
    client_pump(c);
    Any any = any_of(zeros, 90000);
    assert_int_equal(grpc_call_send(first, &any.base), 0);
    assert_int_equal(grpc_call_send(b.call, &any.base), 0);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->length + client_reply(c, t)->length, 100000);
    assert_in_range(client_reply(c, s)->length, 40000, 60000);
    client_close(c);
    bench_close(&b);
}

/* What waits for the window of its own stream takes nothing from the others, until it is more than
 * a whole queue. */
static void test_stuck_message_is_in_nobody_elses_way(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_send_queue = 370000});
    struct client *c = client_open(&b, 0);
    c->hold_windows = true;
    int32_t s = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct grpc_call *stuck = b.call;
    Any any = any_of(zeros, 400000);
    assert_int_equal(grpc_call_send(stuck, &any.base), 0);
    nghttp2_submit_window_update(c->session, 0, 0, 1 << 20);
    client_message(c, client_call(c, DOWNLOAD, NULL), 1, true);
    client_pump(c);
    assert_int_equal(grpc_call_room(b.call), 65535 - GRPC_PREFIX_LENGTH);
    any = any_of(zeros, 50000);
    assert_int_equal(grpc_call_send(stuck, &any.base), 0);
    assert_int_equal(grpc_call_room(b.call), 0);
    b.writables = 0;
    INSIDE(&b, grpc_call_fail(stuck, &(struct grpc_error){GRPC_ABORTED, NULL, NULL, "x"}));
    client_pump(c);
    assert_int_equal(b.writables, 1);
    assert_int_equal(grpc_call_room(b.call), 65535 - GRPC_PREFIX_LENGTH);
    client_close(c);
    bench_close(&b);
}

/* An only message may be longer than its stream's window; what waits of such messages never fills
 * the queue, and the next ones are as long as their windows. */
static void test_capacity_of_an_only_message(void **state)
{
    enum { WINDOW = 65535, QUEUE = 100000 };
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_send_queue = QUEUE});
    struct client *c = client_open(&b, 0);
    c->hold_windows = true;
    int32_t s = client_call(c, DOWNLOAD, NULL), t = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct grpc_call *first = b.call;
    client_message(c, t, 1, true);
    client_pump(c);
    assert_int_equal(grpc_call_capacity(first), WINDOW + QUEUE - 1 - GRPC_PREFIX_LENGTH);
    Any any = any_of(zeros, QUEUE + 50000);
    assert_int_equal(grpc_call_send(first, &any.base), 0);
    assert_int_equal(grpc_call_capacity(b.call), WINDOW - GRPC_PREFIX_LENGTH);
    client_pump(c);
    size_t stuck = protobuf_c_message_get_packed_size(&any.base) + GRPC_PREFIX_LENGTH - WINDOW;
    assert_int_equal(grpc_call_capacity(b.call), WINDOW + QUEUE - 1 - stuck - GRPC_PREFIX_LENGTH);
    client_close(c);
    bench_close(&b);
}

/* A uid that lets too much wait, on however many connections, waits itself, and goes on when it is
 * less. */
static void test_queues_of_a_uid(void **state)
{
    struct bench b;
    struct client *hoarders[2];
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_send_queue = 100000});
    struct client *c = client_open(&b, 0);
    client_message(c, client_call(c, DOWNLOAD, NULL), 1, true);
    client_pump(c);
    struct grpc_call *call = b.call;
    Any any = any_of(zeros, 4000000);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(grpc_call_room(call) > 0);
        hoarders[i] = client_open(&b, 0);
        hoarders[i]->hold_windows = true;
        client_message(hoarders[i], client_call(hoarders[i], DOWNLOAD, NULL), 1, true);
        client_pump(hoarders[i]);
        assert_int_equal(grpc_call_send(b.call, &any.base), 0);
        client_pump(hoarders[i]);
    }
    assert_int_equal(grpc_call_room(call), 0);
    client_pump(c);
    assert_int_equal(b.writables, 0);
    client_close(hoarders[0]);
    assert_int_equal(b.writables, 0); /* not yet half */
    client_close(hoarders[1]);
    assert_int_equal(b.writables, 1);
    assert_true(grpc_call_room(call) > 0);
    client_close(c);
    bench_close(&b);
}

/* Two hundred calls that wait for one window all hear of it. */
static void test_many_wait(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    c->hold_windows = true;
    client_message(c, client_call(c, DOWNLOAD, NULL), 1, true);
    client_pump(c);
    Any any = any_of(zeros, 65535);
    assert_int_equal(grpc_call_send(b.call, &any.base), 0);
    client_pump(c);
    for (unsigned i = 0; i < 200; i++) {
        client_message(c, client_call(c, DOWNLOAD, NULL), 1, true);
        client_pump(c);
        assert_int_equal(grpc_call_room(b.call), 0);
    }
    nghttp2_submit_window_update(c->session, 0, 0, 1 << 20);
    client_pump(c);
    assert_int_equal(b.writables, 200);
    client_close(c);
    bench_close(&b);
}

/* A client that does not open its window gets one window; other calls go on; on_writable continues
 * when it opens. */
static void test_stalled_download(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = begin_much;
    struct client *c = client_open(&b, 0);
    c->hold_windows = true;
    int32_t s = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    struct reply *r = client_reply(c, s);
    assert_in_range(r->length, 40000, 65535);
    struct grpc_call *call = b.call;
    assert_in_range(grpc_call_room(call), 0, 16384);
    assert_int_equal(b.writables, 0);
    /* A window update too small for a message: told, sends nothing. */
    nghttp2_submit_window_update(c->session, 0, 0, 1 << 20);
    nghttp2_submit_window_update(c->session, 0, s, 10);
    b.on_writable = send_much;
    client_pump(c);
    assert_int_equal(b.writables, 1);
    nghttp2_submit_window_update(c->session, 0, s, 100000);
    client_pump(c);
    assert_true(b.writables >= 2);
    assert_in_range(r->length, 130000, 65535 + 10 + 100000);
    client_close(c);
    assert_int_equal(b.cancelled, 1);
    bench_close(&b);
}

/* A client that does not read its socket: the server's queue is bounded though the windows are
 * open. */
static void test_full_socket(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_send_queue = 200000});
    b.on_message = begin_much;
    b.on_writable = send_much;
    struct client *c = client_open(&b, 1u << 30);
    c->hold_socket = true;
    int32_t s = client_call(c, DOWNLOAD, NULL);
    client_message(c, s, 1, true);
    client_pump(c);
    assert_true(grpc_call_room(b.call) < 16384 + 10);
    unsigned told = b.writables;
    poll_loop_settle(b.loop, 1000);
    assert_int_equal(b.writables, told); /* no spinning */
    c->hold_socket = false;
    b.on_writable = NULL;
    client_pump(c);
    assert_true(b.writables > told);
    assert_true(client_reply(c, s)->length > 200000);
    assert_true(grpc_call_room(b.call) > 190000 && grpc_call_room(b.call) <= 200000);
    client_close(c);
    bench_close(&b);
}

static void test_send_limits(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, NULL);
    client_message(c, s, 1, false);
    client_pump(c);
    Any any = any_of(zeros, 5 << 20);
    assert_int_equal(grpc_call_send(b.call, &any.base), -EMSGSIZE);
    /* Beyond the room: taken, and the room is gone. */
    any = any_of(zeros, 1 << 20);
    c->hold_windows = true;
    assert_int_equal(grpc_call_send(b.call, &any.base), 0);
    client_pump(c);
    assert_int_equal(grpc_call_room(b.call), 0);
    assert_int_equal(client_reply(c, s)->length, 65535);
    /* An error drops what has not begun, and completes the message that has. */
    any = any_of(zeros, 1000);
    assert_int_equal(grpc_call_send(b.call, &any.base), 0);
    INSIDE(&b, grpc_call_fail(b.call, &(struct grpc_error){GRPC_ABORTED, NULL, NULL, "enough"}));
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, -1);
    nghttp2_submit_window_update(c->session, 0, 0, 4 << 20);
    nghttp2_submit_window_update(c->session, 0, s, 4 << 20);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, GRPC_ABORTED);
    assert_int_equal(client_messages(c, s), 1);
    assert_int_equal(b.ends, 1);
    client_close(c);
    bench_close(&b);
}

static void test_deadline(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, "grpc-timeout", "50m", NULL);
    int32_t forever = client_call(c, STREAM, NULL);
    client_message(c, forever, 1, false);
    client_pump(c);
    assert_true(time_is_never(grpc_call_deadline(b.call)));
    client_message(c, s, 1, false);
    client_pump(c);
    assert_int_equal(time_diff(grpc_call_deadline(b.call), loop_now(b.loop)), 50 * NS_PER_MS);
    poll_loop_advance(b.loop, 49 * NS_PER_MS);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, -1);
    poll_loop_advance(b.loop, NS_PER_MS);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, GRPC_DEADLINE_EXCEEDED);
    assert_int_equal(b.ends, 1);
    assert_int_equal(client_reply(c, forever)->code, -1);
    int32_t none = client_call(c, UNARY, "grpc-timeout", "0S", NULL);
    client_pump(c);
    assert_int_equal(client_reply(c, none)->code, GRPC_DEADLINE_EXCEEDED);
    client_close(c);
    bench_close(&b);
}

/* A deadline in the middle of a message that the client does not take: reset, nothing is kept. */
static void test_deadline_of_a_stuck_message(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = send_same;
    struct client *c = client_open(&b, 1000);
    c->hold_windows = true;
    int32_t s = client_call(c, STREAM, "grpc-timeout", "1S", NULL);
    client_message(c, s, 50000, false);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->length, 1000);
    poll_loop_advance(b.loop, NS_PER_S);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->error, NGHTTP2_CANCEL);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 1);
    client_close(c);
    bench_close(&b);
}

static void test_cancel(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, NULL);
    client_message(c, s, 1, false);
    client_pump(c);
    nghttp2_submit_rst_stream(c->session, 0, s, NGHTTP2_CANCEL);
    client_pump(c);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 1);
    client_close(c);
    assert_int_equal(b.ends, 1);
    bench_close(&b);
}

/* One connection's calls end with it; a handler that ends another call of it in on_end does no
 * harm. */
static struct grpc_call *others[2];

static void remember(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    others[b->messages - 1] = call;
}

static void fail_the_other(struct bench *b, struct grpc_call *call)
{
    if (b->ends == 1) {
        struct grpc_call *other = others[call == others[0]];
        Any any = any_of(zeros, 10);
        INSIDE(b, grpc_call_consumed(other, 7));
        assert_int_equal(grpc_call_room(other), 0);
        assert_int_equal(grpc_call_send(other, &any.base), -EPIPE);
        INSIDE(b, grpc_call_fail(other, &(struct grpc_error){GRPC_ABORTED, NULL, NULL, "both"}));
        INSIDE(b, grpc_call_finish(other));
    }
}

static void test_connection_lost(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = remember;
    b.on_end = fail_the_other;
    struct client *c = client_open(&b, 0);
    client_message(c, client_call(c, STREAM, NULL), 1, false);
    client_message(c, client_call(c, STREAM, NULL), 1, false);
    client_pump(c);
    client_close(c);
    assert_int_equal(b.ends, 2);
    assert_int_equal(b.cancelled, 2);
    assert_int_equal(bench_stats(&b).connections, 0);
    bench_close(&b);
}

/* Ending a call from outside, before the client has half-closed: the rest is declined without an
 * error. */
static void test_early_end(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, STREAM, NULL);
    client_message(c, s, 1, false);
    client_pump(c);
    INSIDE(&b, grpc_call_finish(b.call));
    assert_int_equal(b.ends, 0);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, GRPC_OK);
    assert_int_equal(client_reply(c, s)->error, NGHTTP2_NO_ERROR);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 0);
    client_close(c);
    bench_close(&b);
}

/* Incomplete requests of one connection share a budget of two of the largest messages. */
static void test_incomplete_requests_are_bounded(void **state)
{
    struct bench b;
    unsigned refused = 0;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_message = 100000});
    struct client *c = client_open(&b, 0);
    int32_t streams[10];
    uint8_t *bytes = calloc(1, 90000);
    grpc_prefix_write(bytes, 100000);
    for (unsigned i = 0; i < 10; i++) {
        streams[i] = client_call(c, UNARY, NULL);
        client_bytes(c, streams[i], bytes, 90000, false);
        client_pump(c);
    }
    for (unsigned i = 0; i < 10; i++) {
        refused += client_reply(c, streams[i])->code == GRPC_RESOURCE_EXHAUSTED;
    }
    assert_int_equal(refused, 8);
    free(bytes);
    client_close(c);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_error_is_told_three_times),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_unpacks_too_large),
        cmocka_unit_test(test_not_permitted),
        cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_large_message_and_backpressure),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_stalled_upload_stalls_itself_alone),
        cmocka_unit_test(test_window_is_given_back_once),
        cmocka_unit_test(test_room_of_the_connection),
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_stuck_message_is_in_nobody_elses_way),
        cmocka_unit_test(test_capacity_of_an_only_message),
        cmocka_unit_test(test_queues_of_a_uid),
        cmocka_unit_test(test_many_wait),
        cmocka_unit_test(test_stalled_download),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_send_limits),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_of_a_stuck_message),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_fail_and_fail_last),
        cmocka_unit_test(test_fail_last_at_once),
        cmocka_unit_test(test_connection_lost),
        cmocka_unit_test(test_early_end),
        cmocka_unit_test(test_incomplete_requests_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
