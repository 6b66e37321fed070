/* out.c: whatever the sizes of messages, of frames and of what the socket takes, the client has
 * every byte once and in order. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>

enum { VALUE = 2, PREFIX = 5 };

/* On both sides of what is copied, of a frame, of what is kept for the next message. */
static const size_t sizes[] = {1,    100,  1023,  1024,  1025,  1000,   2,      4096,
                               3000, 1023, 40000, 65536, 65700, 200000, 300000, 7};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

/* Sends a message for each size, filled with the bytes that follow on *at. */
static void send_all(struct grpc_call *call, size_t *at)
{
    Any any = GOOGLE__PROTOBUF__ANY__INIT;
    for (unsigned i = 0; i < SIZES; i++) {
        uint8_t *space = NULL;
        assert_int_equal(grpc_call_send_bytes(call, &any.base, VALUE, sizes[i], &space), 0);
        for (size_t k = 0; k < sizes[i]; k++) {
            space[k] = byte_at((*at)++);
        }
    }
}

/* What the client has: whole messages with the bytes that they were filled with. */
static void check_all(const struct reply *r, size_t bytes)
{
    size_t at = 0, seen = 0;
    while (at < r->length) {
        const uint8_t *p = r->data + at;
        size_t length = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        assert_true(at + PREFIX + length <= r->length);
        Any *any = google__protobuf__any__unpack(NULL, length, p + PREFIX);
        assert_non_null(any);
        for (size_t k = 0; k < any->value.len; k++) {
            if (any->value.data[k] != byte_at(seen++)) {
                fail_msg("byte %zu is wrong", seen - 1);
            }
        }
        google__protobuf__any__free_unpacked(any, NULL);
        at += PREFIX + length;
    }
    assert_int_equal(seen, bytes);
}

/* A call of a client with these windows and frames, and what it was sent. */
static void transfer(uint32_t window, uint32_t frame, bool full_socket, unsigned rounds)
{
    struct bench b;
    size_t bytes = 0;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, window);
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frame};
    assert_int_equal(nghttp2_submit_settings(c->session, 0, &entry, 1), 0);
    int32_t s = client_call(c, STREAM, NULL);
    client_message(c, s, 1, false);
    client_pump(c);
    for (unsigned i = 0; i < rounds; i++) {
        c->hold_socket = full_socket;
        send_all(b.call, &bytes);
        client_pump(c);
        c->hold_socket = false;
        client_pump(c);
    }
    grpc_call_finish(b.call);
    client_pump(c);
    check_all(client_reply(c, s), bytes);
    assert_int_equal(client_reply(c, s)->code, GRPC_OK);
    client_close(c);
    bench_close(&b);
}

static void test_large_frames(void **state)
{
    (void)state;
    transfer(1u << 30, 1 << 20, false, 3);
}

static void test_small_frames_and_windows(void **state)
{
    (void)state;
    transfer(1u << 30, 16384, false, 1);
    transfer(20000, 16384, false, 1);
}

/* The tail: parts of messages and copies of what was small. */
static void test_full_socket(void **state)
{
    (void)state;
    transfer(1u << 30, 1 << 20, true, 3);
    transfer(1u << 30, 16384, true, 2);
}

/* More small messages than a frame or a batch has parts. */
static void test_many_small(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 1u << 30);
    int32_t s = client_call(c, STREAM, NULL);
    client_message(c, s, 1, false);
    client_pump(c);
    Any any = GOOGLE__PROTOBUF__ANY__INIT;
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(grpc_call_send(b.call, &any.base), 0);
    }
    client_pump(c);
    assert_int_equal(client_messages(c, s), 5000);
    client_close(c);
    bench_close(&b);
}

/* A call that ends, by whomever, while its messages lie in frame, batch and tail takes none of them
 * along: the other call's bytes are whole, and the sanitizer sees no memory that is gone. */
static void test_ends_on_the_way(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct bench b;
        size_t lost = 0, bytes = 0;
        bench_open(&b, NULL);
        struct client *c = client_open(&b, 1u << 30);
        int32_t s = client_call(c, STREAM, NULL);
        client_message(c, s, 1, false);
        client_pump(c);
        struct grpc_call *first = b.call;
        int32_t t = client_call(c, STREAM, NULL);
        client_message(c, t, 1, false);
        client_pump(c);
        c->hold_socket = true;
        send_all(first, &lost);
        send_all(b.call, &bytes);
        poll_loop_settle(b.loop, 100);
        if (how == 0) {
            grpc_call_fail(first,
                           &(struct grpc_error){GRPC_ABORTED, NULL, NULL, "enough", NULL, NULL});
        } else if (how == 1) {
            nghttp2_submit_rst_stream(c->session, 0, s, NGHTTP2_CANCEL);
        }
        c->hold_socket = false;
        if (how < 2) {
            client_pump(c);
            grpc_call_finish(b.call);
            client_pump(c);
            check_all(client_reply(c, t), bytes);
        }
        client_close(c);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_frames),    cmocka_unit_test(test_small_frames_and_windows),
        cmocka_unit_test(test_full_socket),     cmocka_unit_test(test_many_small),
        cmocka_unit_test(test_ends_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
