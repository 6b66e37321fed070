/* The session in the background: its token, its notices, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include "ackd/v1/tcp.pb-c.h"
#include "client/lib/ackd.h"
#include "double.h"

#define SESSION "/ackd.v1.Tcp/Session"

static void on_message(struct double_stream *s, const uint8_t *data, size_t length)
{
    Ackd__V1__SessionRequest *r = ackd__v1__session_request__unpack(NULL, length, data);
    assert_string_equal(r->token, "old");
    assert_string_equal(r->name, "test");
    uint64_t ids[] = {5, 6};
    Ackd__V1__SessionEvent e = ACKD__V1__SESSION_EVENT__INIT;
    e.session_id = 12;
    e.token = r->token;
    e.grace_ms = r->grace_ms;
    e.n_endpoint_ids = 2;
    e.endpoint_ids = ids;
    double_send(s, &e.base);
    ackd__v1__session_request__free_unpacked(r, NULL);
}

static void on_half_close(struct double_stream *s)
{
    double_finish(s, 0, NULL, NULL);
}

static void refuse(struct double_stream *s, const uint8_t *data, size_t length)
{
    (void)data, (void)length;
    double_finish(s, 5, "this token is nobody's", NULL);
}

static void silent(struct double_stream *s, const uint8_t *data, size_t length)
{
    (void)s, (void)data, (void)length;
}

static struct double_server *start(void (*answer)(struct double_stream *, const uint8_t *, size_t),
                                   struct ackd **a)
{
    int fd;
    struct double_server *d = double_start(
        &(struct double_script){.on_message = answer, .on_half_close = on_half_close}, &fd);
    *a = ackd_connect_fd(fd, NULL);
    assert_non_null(*a);
    return d;
}

static const struct ackd_session_request request = {
    .token = "old", .grace_ms = 3000, .name = "test"};

static void send_notice(struct double_server *d, void *arg)
{
    (void)arg;
    Ackd__V1__EndpointNotice n = ACKD__V1__ENDPOINT_NOTICE__INIT;
    Ackd__V1__SessionEvent e = ACKD__V1__SESSION_EVENT__INIT;
    double_send(double_find(d, SESSION), &e.base); /* says nothing: skipped */
    n.id = 5;
    n.kind = ACKD__V1__ENDPOINT_NOTICE__KIND__KIND_CLOSED;
    n.error = "ECONNRESET";
    n.close_reason = ACKD__V1__CLOSE_REASON__CLOSE_REFUSED;
    e.notice = &n;
    double_send(double_find(d, SESSION), &e.base);
}

static void test_session(void **state)
{
    (void)state;
    struct ackd *a;
    struct ackd_session s;
    struct ackd_notice n;
    struct ackd_error err;
    struct double_server *d = start(on_message, &a);
    assert_int_equal(ackd_session_id(a), 0);
    assert_int_equal(ackd_session_next(a, &n, ACKD_FOREVER, &err), ACKD_END); /* there is none */
    assert_int_equal(ackd_session_begin(a, &request, &s, &err), 0);
    assert_int_equal(s.session_id, 12);
    assert_int_equal(ackd_session_id(a), 12);
    assert_string_equal(s.token, "old");
    assert_int_equal(s.grace_ms, 3000);
    assert_int_equal(s.endpoint_count, 2);
    assert_int_equal(s.endpoint_ids[1], 6);
    assert_int_equal(ackd_session_begin(a, &request, &s, &err), -1);
    assert_string_equal(err.reason, "SESSION_EXISTS");

    assert_int_equal(ackd_session_next(a, &n, 0, &err), ACKD_AGAIN);
    double_run(d, send_notice, NULL);
    assert_int_equal(ackd_session_next(a, &n, ACKD_FOREVER, &err), ACKD_ITEM);
    assert_int_equal(n.id, 5);
    assert_int_equal(n.kind, ACKD_NOTICE_CLOSED);
    assert_string_equal(n.error, "ECONNRESET");
    assert_int_equal(n.close_reason, ACKD_CLOSE_REFUSED);
    assert_non_null(n.message);

    assert_int_equal(ackd_session_end(a, &err), 0);
    assert_int_equal(ackd_session_id(a), 0);
    assert_int_equal(ackd_session_end(a, &err), 0);
    ackd_disconnect(a);
    double_stop(d);
}

static void test_refused(void **state)
{
    (void)state;
    struct ackd *a;
    struct ackd_error err;
    struct double_server *d = start(refuse, &a);
    assert_int_equal(ackd_session_begin(a, &request, NULL, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
    assert_int_equal(ackd_session_id(a), 0);
    ackd_disconnect(a);
    double_stop(d);
}

static void test_no_answer(void **state)
{
    (void)state;
    struct ackd *a;
    struct ackd_error err;
    struct double_server *d = start(silent, &a);
    ackd_set_timeout(a, 10);
    assert_int_equal(ackd_session_begin(a, NULL, NULL, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_DEADLINE_EXCEEDED);
    ackd_disconnect(a);
    double_stop(d);
}

/* A lost session says so, and is not replaced behind the program's back. */
static void die(struct double_server *d, void *arg)
{
    (void)arg;
    double_hang_up(d);
}

static void test_lost(void **state)
{
    (void)state;
    struct ackd *a;
    struct ackd_notice n;
    struct ackd_error err;
    struct ackd_open_result out;
    struct double_server *d = start(on_message, &a);
    assert_int_equal(ackd_session_begin(a, &request, NULL, NULL), 0);
    double_run(d, die, NULL);
    assert_int_equal(ackd_session_next(a, &n, ACKD_FOREVER, &err), ACKD_FAILED);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    assert_int_equal(ackd_open(a, &(struct ackd_open_request){0}, &out, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    ackd_disconnect(a);
    double_stop(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
