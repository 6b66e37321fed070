/* health.c: Check and Watch. */
#include "bench.h"

#include "grpc/health/v1/health.pb-c.h"
#include "proto/framing.h"

typedef Grpc__Health__V1__HealthCheckResponse Response;
enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

static int32_t ask(struct client *c, const char *path, const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    uint8_t bytes[128];
    request.service = (char *)service;
    size_t n = grpc__health__v1__health_check_request__pack(&request, bytes + GRPC_PREFIX_LENGTH);
    grpc_prefix_write(bytes, (uint32_t)n);
    int32_t s = client_call(c, path, NULL);
    client_bytes(c, s, bytes, GRPC_PREFIX_LENGTH + n, true);
    client_pump(c);
    return s;
}

/* The statuses that have come, as digits. */
static void check_statuses(struct client *c, int32_t s, const char *digits)
{
    const struct reply *r = client_reply(c, s);
    const uint8_t *data = r->data;
    size_t length = r->length, n = 0;
    struct grpc_deframer d;
    char seen[16] = {0};
    grpc_deframer_init(&d, 100);
    while (length > 0 && grpc_deframe(&d, &data, &length) == GRPC_DEFRAMED_MESSAGE) {
        Response *response =
            grpc__health__v1__health_check_response__unpack(NULL, d.length, d.message);
        assert_non_null(response);
        assert_true(n < sizeof(seen) - 1);
        seen[n++] = (char)('0' + response->status);
        grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    }
    grpc_deframer_free(&d);
    assert_string_equal(seen, digits);
}

static void test_check(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.verdict = GRPC_PERMISSION_DENIED; /* health is for everybody */
    grpc_server_set_health(b.server, "", true);
    grpc_server_set_health(b.server, "ackd.v1.Tcp", false);
    struct client *c = client_open(&b, 0);
    check_statuses(c, ask(c, "/grpc.health.v1.Health/Check", ""), "1");
    check_statuses(c, ask(c, "/grpc.health.v1.Health/Check", "ackd.v1.Tcp"), "2");
    assert_int_equal(client_reply(c, ask(c, "/grpc.health.v1.Health/Check", "none"))->code,
                     GRPC_NOT_FOUND);
    client_close(c);
    bench_close(&b);
}

static void test_watch(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    int32_t s = ask(c, "/grpc.health.v1.Health/Watch", "x"),
            other = ask(c, "/grpc.health.v1.Health/Watch", "");
    check_statuses(c, s, "3");
    grpc_server_set_health(b.server, "x", true);
    client_pump(c);
    grpc_server_set_health(b.server, "x", true);
    client_pump(c);
    check_statuses(c, s, "31");
    grpc_server_set_health(b.server, "x", false);
    client_pump(c);
    check_statuses(c, s, "312");
    check_statuses(c, other, "3");
    nghttp2_submit_rst_stream(c->session, 0, s, NGHTTP2_CANCEL);
    client_pump(c);
    grpc_server_set_health(b.server, "x", true);
    client_close(c);
    bench_close(&b);
}

/* Who reads nothing gets the latest status later, not all of them. */
static void test_slow_watcher(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 10); /* one answer is 7 bytes */
    c->hold_windows = true;
    int32_t s = ask(c, "/grpc.health.v1.Health/Watch", "x");
    for (unsigned i = 0; i < 101; i++) {
        grpc_server_set_health(b.server, "x", i % 2 == 0);
        client_pump(c);
    }
    check_statuses(c, s, "3");
    nghttp2_submit_window_update(c->session, 0, 0, 1000);
    nghttp2_submit_window_update(c->session, 0, s, 1000);
    client_pump(c);
    check_statuses(c, s, "31");
    client_close(c);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_slow_watcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
