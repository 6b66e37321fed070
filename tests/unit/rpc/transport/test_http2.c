/* http2.c: what a hostile client can send, and that nobody else notices. */
#include "bench.h"

#include <unistd.h>

/* ---- requests that are no gRPC ---- */

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static struct reply *request(struct client *c, const char *method, const char *type,
                             const char *authority)
{
    nghttp2_nv headers[5] = {nv(":method", method), nv(":scheme", "http"),
                             nv(":path", "/none/none")};
    size_t n = 3;
    if (authority) {
        headers[n++] = nv(":authority", authority);
    }
    headers[n++] = nv("content-type", type);
    int32_t s = client_headers(c, headers, n, false);
    client_pump(c);
    return client_reply(c, s);
}

static void test_http_answers(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    assert_int_equal(request(c, "GET", "application/grpc", "localhost")->http_status, 405);
    assert_int_equal(request(c, "POST", "text/plain", "localhost")->http_status, 415);
    assert_int_equal(request(c, "POST", "text/plain", "localhost")->code, -1);
    static const char *const authorities[] = {"localhost", "/run/ackd/control.sock",
                                              "run%2Fackd.sock", "", NULL};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(request(c, "POST", "application/grpc", authorities[i])->code,
                         GRPC_UNIMPLEMENTED);
    }
    client_close(c);
    bench_close(&b);
}

static void test_malformed_request_resets_its_stream(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, UNARY, "connection", "close", NULL);
    int32_t t = client_call(c, UNARY, ":path", "/again", NULL);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->error, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(client_reply(c, t)->error, NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(bench_stats(&b).protocol_errors, 2);
    assert_int_equal(bench_stats(&b).calls_begun, 0);
    assert_false(c->goaway);
    client_close(c);
    bench_close(&b);
}

static void test_headers_that_get_a_status(void **state)
{
    char large[17000];
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    int32_t s = client_call(c, UNARY, "x-large", large, NULL);
    int32_t t = client_call(c, UNARY, "grpc-encoding", "gzip", NULL);
    int32_t u = client_call(c, UNARY, "grpc-timeout", "soon", NULL);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(client_reply(c, t)->code, GRPC_UNIMPLEMENTED);
    assert_true(client_reply(c, t)->accepts_identity);
    assert_int_equal(client_reply(c, u)->code, GRPC_INVALID_ARGUMENT);
    assert_true(client_reply(c, u)->trailers_only);
    client_close(c);
    bench_close(&b);
}

/* More calls than we allow wait at the client, or are refused. */
static void test_streams_are_bounded(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_streams = 10});
    struct client *c = client_open(&b, 0);
    for (unsigned i = 0; i < 50; i++) {
        client_call(c, STREAM, NULL);
    }
    client_pump(c);
    assert_int_equal(bench_stats(&b).calls, 10);
    assert_false(c->gone);
    client_close(c);
    assert_int_equal(bench_stats(&b).calls, 0);
    bench_close(&b);
}

/* ---- floods ---- */

/* Sends frames until the server has closed; how many went out. */
static unsigned flood(struct bench *b, int fd, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, size_t length)
{
    unsigned n = 0;
    while (n < 20000 && raw_frame(fd, type, flags, stream, payload, length)) {
        n++;
        if (n % 50 == 0 && raw_closed(b, fd)) {
            break;
        }
    }
    return n;
}

static void check_flood(uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                        size_t length, unsigned most)
{
    struct bench b;
    uint8_t block[256];
    bench_open(&b, NULL);
    struct client *witness = client_open(&b, 0);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    if (stream > 0) {
        assert_true(raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, block,
                              raw_request(block, STREAM)));
    }
    unsigned n = flood(&b, fd, type, flags, stream, payload, length);
    assert_in_range(n, 100, most);
    assert_true(raw_closed(&b, fd));
    assert_int_equal(bench_stats(&b).connections, 1);
    assert_true(bench_stats(&b).protocol_errors >= 1);
    assert_false(witness->goaway);
    close(fd);
    client_close(witness);
    bench_close(&b);
}

static void test_ping_flood(void **state)
{
    (void)state;
    check_flood(NGHTTP2_PING, 0, 0, "12345678", 8, 5000);
}

static void test_settings_flood(void **state)
{
    (void)state;
    check_flood(NGHTTP2_SETTINGS, 0, 0, NULL, 0, 5000);
}

static void test_empty_data_flood(void **state)
{
    (void)state;
    check_flood(NGHTTP2_DATA, 0, 1, NULL, 0, 5000);
}

static void test_window_update_flood(void **state)
{
    (void)state;
    check_flood(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4, 5000);
}

static void test_priority_flood(void **state)
{
    (void)state;
    check_flood(NGHTTP2_PRIORITY, 0, 3, "\0\0\0\0\1", 5, 5000);
}

/* CVE-2023-44487: calls that are cancelled as fast as they are made. */
static void test_rapid_reset(void **state)
{
    struct bench b;
    uint8_t block[256];
    unsigned n = 0;
    (void)state;
    bench_open(&b, NULL);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    size_t length = raw_request(block, STREAM);
    while (n < 5000 &&
           raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2 * n + 1, block, length) &&
           raw_frame(fd, NGHTTP2_RST_STREAM, 0, 2 * n + 1, "\0\0\0\x08", 4)) {
        n++;
        if (n % 50 == 0 && raw_closed(&b, fd)) {
            break;
        }
    }
    assert_in_range(n, 1000, 1200);
    assert_true(raw_closed(&b, fd));
    assert_int_equal(b.ends, bench_stats(&b).calls_begun);
    close(fd);
    bench_close(&b);
}

/* The same by requests that we have to refuse. */
static void test_refused_streams(void **state)
{
    struct bench b;
    uint8_t block[256];
    unsigned n = 0;
    (void)state;
    bench_open(&b, NULL);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    size_t length = raw_request(block, "");
    while (n < 5000 &&
           raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2 * n + 1, block, length)) {
        n++;
        if (n % 50 == 0 && raw_closed(&b, fd)) {
            break;
        }
    }
    assert_in_range(n, 1000, 1200);
    close(fd);
    bench_close(&b);
}

/* CVE-2024-27316: a header block without end. */
static void test_continuation_flood(void **state)
{
    struct bench b;
    uint8_t block[256];
    (void)state;
    bench_open(&b, NULL);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    assert_true(raw_frame(fd, NGHTTP2_HEADERS, 0, 1, block, raw_request(block, STREAM)));
    unsigned n = 0;
    while (n < 1000 && raw_frame(fd, NGHTTP2_CONTINUATION, 0, 1, "\0\1x\1y", 5) &&
           !raw_closed(&b, fd)) {
        n++;
    }
    assert_in_range(n, 5, 10);
    close(fd);
    bench_close(&b);
}

/* Frames that owe answers, to a client that reads none of them: we stop reading. */
static void test_client_that_does_not_read(void **state)
{
    struct bench b;
    uint8_t block[256];
    unsigned n = 0;
    (void)state;
    bench_open(&b, NULL);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    size_t length = raw_request(block, "/no/method");
    while (n < 100000 &&
           raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                     2 * n + 1, block, length)) {
        n++;
        poll_loop_settle(b.loop, 100);
    }
    assert_in_range(n, 100, 99999);
    assert_int_equal(poll_loop_settle(b.loop, 1000), 0);
    close(fd);
    bench_close(&b);
}

static void send_much(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    static uint8_t zeros[300000];
    Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.value = (ProtobufCBinaryData){.len = sizeof(zeros), .data = zeros};
    (void)message;
    for (unsigned i = 0; i < 3; i++) {
        INSIDE(b, assert_int_equal(grpc_call_send(call, &any.base), 0));
    }
}

/* An offender is gone even if it does not read its GOAWAY. */
static void test_offender_with_a_full_socket(void **state)
{
    struct bench b;
    unsigned n = 0;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = send_much;
    struct client *c = client_open(&b, 1u << 30);
    client_message(c, client_call(c, DOWNLOAD, NULL), 1, true);
    c->hold_socket = true;
    client_pump(c);
    while (n < 10000 && raw_frame(c->fd, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4)) {
        n++;
        poll_loop_settle(b.loop, 10);
    }
    assert_in_range(n, 1000, 9999);
    assert_int_equal(bench_stats(&b).connections, 0);
    client_close(c);
    bench_close(&b);
}

/* ---- broken frames ---- */

static void test_garbage(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    int fd = raw_open(&b);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_true(raw_closed(&b, fd));
    close(fd);
    fd = raw_open(&b);
    raw_greet(&b, fd);
    assert_true(raw_frame(fd, NGHTTP2_DATA, 0, 1, "x", 1)); /* of an idle stream */
    assert_true(raw_closed(&b, fd));
    close(fd);
    assert_int_equal(bench_stats(&b).connections, 0);
    bench_close(&b);
}

/* Trailers of a request, without END_STREAM: RFC 9113 section 8.1. */
static void test_trailers(void **state)
{
    struct bench b;
    uint8_t block[256];
    (void)state;
    bench_open(&b, NULL);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    assert_true(raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block,
                          raw_request(block, STREAM)));
    assert_true(raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                          1, "\0\1x\1y", 5));
    assert_false(raw_closed(&b, fd));
    assert_int_equal(b.half_closes, 1);
    assert_true(raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, block,
                          raw_request(block, STREAM)));
    assert_true(raw_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, "\0\1x\1y", 5));
    assert_false(raw_closed(&b, fd));
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.cancelled, 1);
    close(fd);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_answers),
        cmocka_unit_test(test_malformed_request_resets_its_stream),
        cmocka_unit_test(test_headers_that_get_a_status),
        cmocka_unit_test(test_streams_are_bounded),
        cmocka_unit_test(test_ping_flood),
        cmocka_unit_test(test_settings_flood),
        cmocka_unit_test(test_empty_data_flood),
        cmocka_unit_test(test_window_update_flood),
        cmocka_unit_test(test_priority_flood),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_refused_streams),
        cmocka_unit_test(test_continuation_flood),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_offender_with_a_full_socket),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_trailers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
