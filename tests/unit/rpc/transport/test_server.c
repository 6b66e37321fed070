/* server.c: methods, roles, draining, freeing. */
#include "bench.h"

#include <errno.h>
#include "ackd/v1/roles.pb-c.h"

static void test_roles(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    assert_int_equal(grpc_method_role(b.server, "/ackd.v1.Tcp/Open"), ACKD__V1__ROLE__ROLE_USER);
    assert_int_equal(grpc_method_role(b.server, "/grpc.health.v1.Health/Check"), 0);
    assert_int_equal(grpc_method_role(b.server, UNARY), -ENOENT);
    bench_close(&b);
}

/* A second method of the same path takes the place of the first. */
static void test_methods(void **state)
{
    static const struct grpc_method again = {.path = UNARY,
                                             .input = &google__protobuf__any__descriptor,
                                             .output = &google__protobuf__any__descriptor,
                                             .client_streaming = true};
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    grpc_server_add(b.server, &again, &b);
    struct client *c = client_open(&b, 0);
    int32_t s = client_call(c, UNARY, NULL);
    client_bytes(c, s, "", 0, true);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, -1); /* it would refuse an empty unary request */
    client_close(c);
    bench_close(&b);
}

/* GOAWAY to everybody; what runs, runs to its end; then the connections close. */
static void test_drain(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *idle = client_open(&b, 0), *busy = client_open(&b, 0);
    int silent = raw_open(&b);
    int32_t s = client_call(busy, STREAM, NULL);
    client_message(busy, s, 1, false);
    client_pump(busy);
    grpc_server_drain(b.server);
    client_pump(idle);
    client_pump(busy);
    assert_true(idle->goaway && idle->gone);
    assert_int_equal(idle->goaway_error, NGHTTP2_NO_ERROR);
    assert_true(busy->goaway);
    assert_false(busy->gone);
    assert_true(raw_closed(&b, silent));
    assert_int_equal(grpc_server_attach(b.server, silent, false), -ESHUTDOWN);
    client_message(busy, s, 1, false);
    client_pump(busy);
    assert_int_equal(b.messages, 2);
    grpc_call_finish(b.call);
    client_pump(busy);
    assert_int_equal(client_reply(busy, s)->code, GRPC_OK);
    assert_true(busy->gone);
    assert_int_equal(bench_stats(&b).connections, 0);
    client_close(idle);
    client_close(busy);
    bench_close(&b);
}

/* Freeing the server ends all calls. */
static void test_free_with_calls(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    for (unsigned i = 0; i < 10; i++) {
        client_message(c, client_call(c, STREAM, NULL), 1, false);
    }
    client_pump(c);
    grpc_server_free(b.server);
    assert_int_equal(b.ends, 10);
    assert_int_equal(b.cancelled, 10);
    b.server = NULL;
    client_close(c);
    poll_loop_free(b.loop);
}

static void test_bad_descriptor_set(void **state)
{
    struct loop *loop = poll_loop_new(false);
    struct grpc_server_config config = {
        .loop = loop, .descriptor_set = (const uint8_t *)"x", .descriptor_set_length = 1};
    (void)state;
    assert_null(grpc_server_new(&config));
    poll_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_free_with_calls),
        cmocka_unit_test(test_bad_descriptor_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
