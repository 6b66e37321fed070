/* The user calls: each request as it goes out, each answer as it comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "ackd/v1/tcp.pb-c.h"
#include "typed.h"

static int setup(void **state)
{
    struct typed *t = malloc(sizeof *t);
    typed_start(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    typed_stop(*state);
    free(*state);
    return 0;
}

static void test_open(void **state)
{
    struct typed *t = *state;
    struct ackd_options options = {.has_nodelay = true, .nodelay = true, .has_ttl = true, .ttl = 0};
    struct ackd_open_request q = {
        .remote = {"10.0.0.9", 80},
        .local = {"", 1234},
        .options = &options,
        .ownership = {.kind = ACKD_OWN_DETACHED, .idle_timeout_ms = 0, .label = "web"},
        .request_id = "r1",
        .wait_ms = 5,
    };
    struct ackd_open_result out;
    struct ackd_error err;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT, remote = ACKD__V1__ENDPOINT__INIT;
    local.address = "fd00::1";
    local.port = 1234;
    remote.address = "10.0.0.9";
    remote.port = 80;
    Ackd__V1__OpenResponse r = ACKD__V1__OPEN_RESPONSE__INIT;
    r.id = 1ull << 40;
    r.state = ACKD__V1__STATE__STATE_ESTABLISHED;
    r.local = &local;
    r.remote = &remote;
    typed_expect(t, "/ackd.v1.Tcp/Open", &ackd__v1__open_request__descriptor, &r.base);
    assert_int_equal(ackd_open(t->a, &q, &out, &err), 0);
    assert_string_equal(
        t->request,
        "{\"request_id\":\"r1\",\"remote\":{\"address\":\"10.0.0.9\",\"port\":80},\"local\":{"
        "\"port\":1234},"
        "\"options\":{\"nodelay\":true,\"ttl\":0},"
        "\"ownership\":{\"detached_idle_timeout_ms\":\"0\",\"label\":\"web\"},\"wait_ms\":5}");
    assert_true(out.id == 1ull << 40);
    assert_int_equal(out.state, ACKD_STATE_ESTABLISHED);
    assert_string_equal(out.local.address, "fd00::1");
    assert_int_equal(out.local.port, 1234);
    assert_int_equal(out.remote.port, 80);
    assert_int_equal(t->sessions, 0);

    t->reply = NULL;
    assert_int_equal(ackd_open(t->a, &q, &out, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
}

/* Without a session one is begun, once; without a request id there is a fresh one each time. */
static void test_defaults(void **state)
{
    struct typed *t = *state;
    struct ackd_listen_request q = {.local = {"", 80}};
    struct ackd_listen_result out;
    Ackd__V1__ListenResponse r = ACKD__V1__LISTEN_RESPONSE__INIT;
    r.id = 3;
    typed_expect(t, "/ackd.v1.Tcp/Listen", &ackd__v1__listen_request__descriptor, &r.base);
    char first[sizeof t->request];
    assert_int_equal(ackd_listen(t->a, &q, &out, NULL), 0);
    strcpy(first, t->request);
    assert_int_equal(ackd_listen(t->a, &q, &out, NULL), 0);
    assert_int_equal(out.id, 3);
    assert_int_equal(t->sessions, 1);
    assert_int_equal(ackd_session_id(t->a), 41);
    assert_non_null(strstr(first, "\"ownership\":{\"session_id\":\"41\"}"));
    assert_non_null(strstr(first, "\"local\":{\"port\":80}"));
    assert_null(strstr(first, "\"remote\""));
    assert_string_not_equal(first, t->request);
    assert_int_equal(strcspn(first + strlen("{\"request_id\":\""), "\""), 32);
}

static void test_listen(void **state)
{
    struct typed *t = *state;
    struct ackd_listen_request q = {
        .local = {"10.0.0.2", 80},
        .remote = {"10.0.0.1", 0},
        .backlog = 5,
        .v4_only = true,
        .options = &(struct ackd_options){.urgent_mode = ACKD_URGENT_MODE_BSD},
        .ownership = {.kind = ACKD_OWN_DETACHED, .idle_timeout_ms = 9},
        .request_id = "x",
    };
    struct ackd_listen_result out;
    Ackd__V1__ListenResponse r = ACKD__V1__LISTEN_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Tcp/Listen", &ackd__v1__listen_request__descriptor, &r.base);
    assert_int_equal(ackd_listen(t->a, &q, &out, NULL), 0);
    assert_string_equal(t->request,
                        "{\"request_id\":\"x\",\"local\":{\"address\":\"10.0.0.2\",\"port\":80},"
                        "\"remote\":{\"address\":\"10.0.0.1\"},\"backlog\":5,\"v4_only\":true,"
                        "\"options\":{\"urgent_mode\":\"URGENT_MODE_BSD\"},\"ownership\":{"
                        "\"detached_idle_timeout_ms\":\"9\"}}");
}

static void test_accept(void **state)
{
    struct typed *t = *state;
    struct ackd_accept_result out = {.id = 99};
    Ackd__V1__AcceptResponse r = ACKD__V1__ACCEPT_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Tcp/Accept", &ackd__v1__accept_request__descriptor, &r.base);
    struct ackd_accept_request q = {
        .id = 3, .ownership = {.kind = ACKD_OWN_DETACHED}, .wait_ms = 7};
    assert_int_equal(ackd_accept(t->a, &q, &out, NULL), 0);
    assert_string_equal(
        t->request,
        "{\"id\":\"3\",\"ownership\":{\"detached_idle_timeout_ms\":\"0\"},\"wait_ms\":7}");
    assert_int_equal(out.id, 0);
}

static void test_send(void **state)
{
    struct typed *t = *state;
    struct ackd_send_result out;
    Ackd__V1__SendResponse r = ACKD__V1__SEND_RESPONSE__INIT;
    r.accepted_until = 13;
    r.acknowledged_until = 10;
    typed_expect(t, "/ackd.v1.Tcp/Send", &ackd__v1__send_request__descriptor, &r.base);
    struct ackd_send_request q = {
        .id = 3, .offset = 10, .data = "abc", .length = 3, .push = true, .urgent = true};
    assert_int_equal(ackd_send(t->a, &q, &out, NULL), 0);
    assert_string_equal(
        t->request,
        "{\"id\":\"3\",\"offset\":\"10\",\"data\":\"YWJj\",\"push\":true,\"urgent\":true}");
    assert_int_equal(out.accepted_until, 13);
    assert_int_equal(out.acknowledged_until, 10);
}

static void test_receive(void **state)
{
    struct typed *t = *state;
    struct ackd_receive_result out;
    Ackd__V1__ReceiveResponse r = ACKD__V1__RECEIVE_RESPONSE__INIT;
    r.offset = 5;
    r.data = (ProtobufCBinaryData){3, (uint8_t *)"xyz"};
    r.end_of_stream = true;
    typed_expect(t, "/ackd.v1.Tcp/Receive", &ackd__v1__receive_request__descriptor, &r.base);
    struct ackd_receive_request q = {
        .id = 3, .from_offset = 5, .max_bytes = 100, .min_bytes = 2, .wait_ms = 1};
    assert_int_equal(ackd_receive(t->a, &q, &out, NULL), 0);
    assert_string_equal(
        t->request,
        "{\"id\":\"3\",\"from_offset\":\"5\",\"max_bytes\":100,\"min_bytes\":2,\"wait_ms\":1}");
    assert_int_equal(out.offset, 5);
    assert_int_equal(out.length, 3);
    assert_memory_equal(out.data, "xyz", 3);
    assert_true(out.end_of_stream);
    assert_false(out.has_urgent_mark);
}

static void test_close_abort(void **state)
{
    struct typed *t = *state;
    enum ackd_state s;
    Ackd__V1__CloseResponse r = ACKD__V1__CLOSE_RESPONSE__INIT;
    Ackd__V1__AbortResponse aborted = ACKD__V1__ABORT_RESPONSE__INIT;
    r.state = ACKD__V1__STATE__STATE_FIN_WAIT_2;
    typed_expect(t, "/ackd.v1.Tcp/Close", &ackd__v1__close_request__descriptor, &r.base);
    assert_int_equal(ackd_close(t->a, 3, ACKD_CLOSE_HOW_SEND, 50, &s, NULL), 0);
    assert_string_equal(t->request, "{\"id\":\"3\",\"how\":\"HOW_SEND\",\"wait_ms\":50}");
    assert_int_equal(s, ACKD_STATE_FIN_WAIT_2);
    assert_int_equal(ackd_close(t->a, 3, ACKD_CLOSE_HOW_RELEASE, 0, NULL, NULL), 0);
    assert_string_equal(t->request, "{\"id\":\"3\",\"how\":\"HOW_RELEASE\"}");
    typed_expect(t, "/ackd.v1.Tcp/Abort", &ackd__v1__abort_request__descriptor, &aborted.base);
    assert_int_equal(ackd_abort(t->a, 4, NULL), 0);
    assert_string_equal(t->request, "{\"id\":\"4\"}");
}

static void test_options_and_status(void **state)
{
    struct typed *t = *state;
    Ackd__V1__Options o = ACKD__V1__OPTIONS__INIT;
    o.ttl_known_case = ACKD__V1__OPTIONS__TTL_KNOWN_TTL;
    o.ttl = 64;
    Ackd__V1__SetOptionsResponse r = ACKD__V1__SET_OPTIONS_RESPONSE__INIT;
    r.options = &o;
    struct ackd_options out;
    typed_expect(t, "/ackd.v1.Tcp/SetOptions", &ackd__v1__set_options_request__descriptor, &r.base);
    assert_int_equal(ackd_set_options(t->a, 3, NULL, "", &out, NULL), 0);
    assert_string_equal(t->request, "{\"id\":\"3\",\"label\":\"\"}");
    assert_true(out.has_ttl);
    assert_int_equal(out.ttl, 64);
    assert_false(out.has_nodelay);

    Ackd__V1__Connection c = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__StatusResponse s = ACKD__V1__STATUS_RESPONSE__INIT;
    struct ackd_status_result status;
    c.id = 3;
    s.connection = &c;
    s.send_offset = 8;
    s.receive_offset = 9;
    typed_expect(t, "/ackd.v1.Tcp/Status", &ackd__v1__status_request__descriptor, &s.base);
    assert_int_equal(ackd_status(t->a, 3, &status, NULL), 0);
    assert_int_equal(status.connection.id, 3);
    assert_int_equal(status.send_offset, 8);
    assert_int_equal(status.receive_offset, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_send, setup, teardown),
        cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options_and_status, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
