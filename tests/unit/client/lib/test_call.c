/* Unary calls and iterators: answers, errors of every origin, deadlines, and what a broken daemon
 * does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ackd/v1/daemon.pb-c.h"
#include "ackd/v1/inspect.pb-c.h"
#include "client/lib/internal.h"
#include "double.h"
#include "google/rpc/status.pb-c.h"
#include "proto/framing.h"

struct fixture {
    struct double_server *d;
    struct ackd *a;
};

static struct fixture start_script(const struct double_script *script)
{
    struct fixture f;
    int fd;
    struct ackd_error err;
    f.d = double_start(script, &fd);
    f.a = ackd_connect_fd(fd, &err);
    assert_non_null(f.a);
    return f;
}

static struct fixture start(void (*on_half_close)(struct double_stream *s))
{
    return start_script(&(struct double_script){.on_half_close = on_half_close});
}

static void stop(struct fixture f)
{
    ackd_disconnect(f.a);
    double_stop(f.d);
}

/* A call that must fail. */
static struct ackd_error failing(struct ackd *a)
{
    struct ackd_error err = {.grpc_code = -1};
    struct ackd_version v;
    assert_int_equal(ackd_daemon_version(a, &v, &err), -1);
    assert_null(ackd_reply(a));
    return err;
}

/* ---- answers ---- */

static void answer_version(struct double_stream *s)
{
    char *capabilities[] = {"watch", "capture"};
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    assert_string_equal(s->path, "/ackd.v1.Daemon/GetVersion");
    r.version = "1.2.3";
    r.schema = "ackd.v1";
    r.capabilities = capabilities;
    r.n_capabilities = 2;
    double_reply(s, &r.base);
}

static void test_answer(void **state)
{
    (void)state;
    struct fixture f = start(answer_version);
    struct ackd_version v;
    struct ackd_error err;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ackd_daemon_version(f.a, &v, &err), 0);
        assert_string_equal(v.version, "1.2.3");
        assert_string_equal(v.schema, "ackd.v1");
        assert_int_equal(v.capability_count, 2);
        assert_string_equal(v.capabilities[1], "capture");
        char *json = ackd_json(ackd_reply(f.a), ACKD_JSON_SHORT);
        assert_string_equal(json, "{\"version\":\"1.2.3\",\"schema\":\"ackd.v1\",\"capabilities\":["
                                  "\"watch\",\"capture\"]}");
        free(json);
    }
    stop(f);
}

static void see_timeout(struct double_stream *s)
{
    strcpy(double_arg(s->server), s->timeout);
    answer_version(s);
}

static void test_timeout_is_told(void **state)
{
    (void)state;
    char seen[16] = "";
    struct fixture f =
        start_script(&(struct double_script){.on_half_close = see_timeout, .arg = seen});
    struct ackd_version v;
    int64_t ns = 0;
    ackd_set_timeout(f.a, 1500);
    assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0);
    assert_true(grpc_timeout_parse(seen, strlen(seen), &ns));
    assert_int_equal(ns, 1500000000);
    ackd_set_timeout(f.a, 0);
    assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0);
    assert_string_equal(seen, "");
    stop(f);
}

/* An answer longer than every window. */
static void answer_long(struct double_stream *s)
{
    static char text[6 << 20];
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    memset(text, 'x', sizeof text - 1);
    r.version = text;
    double_reply(s, &r.base);
}

static void test_long_answer(void **state)
{
    (void)state;
    struct fixture f = start(answer_long);
    struct ackd_version v;
    assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0);
    assert_int_equal(strlen(v.version), sizeof v.version - 1);
    stop(f);
}

/* ---- errors ---- */

/* base64 of a google.rpc.Status with an ErrorInfo. */
static void details(char *out)
{
    Google__Rpc__ErrorInfo__MetadataEntry entry = GOOGLE__RPC__ERROR_INFO__METADATA_ENTRY__INIT;
    Google__Rpc__ErrorInfo__MetadataEntry *entries[] = {&entry};
    entry.key = "errno";
    entry.value = "ECONNREFUSED";
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = "RST_IN_SYN_SENT";
    info.domain = "ackd.v1";
    info.n_metadata = 1;
    info.metadata = entries;
    uint8_t packed[256], whole[512];
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *anys[] = {&any};
    any.type_url = "type.googleapis.com/google.rpc.ErrorInfo";
    any.value.len = google__rpc__error_info__pack(&info, packed);
    any.value.data = packed;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = 9;
    status.n_details = 1;
    status.details = anys;
    size_t n = google__rpc__status__pack(&status, whole);
    out[grpc_base64_encode(whole, n, out)] = '\0';
}

static void answer_error(struct double_stream *s)
{
    char text[1024];
    details(text);
    double_finish(s, 9, "the peer answered our SYN with RST: 100%25 %E2%82%AC", text);
}

static void test_error_with_details(void **state)
{
    (void)state;
    struct fixture f = start(answer_error);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_FAILED_PRECONDITION);
    assert_string_equal(err.errno_name, "ECONNREFUSED");
    assert_string_equal(err.reason, "RST_IN_SYN_SENT");
    assert_string_equal(err.message, "the peer answered our SYN with RST: 100% \xe2\x82\xac");
    struct ackd_version v;
    assert_int_equal(ackd_daemon_version(f.a, &v, NULL), -1); /* err may be NULL */
    stop(f);
}

static void answer_bad_details(struct double_stream *s)
{
    double_finish(s, 5, "", "!!!!");
}

static void test_error_without_sentence(void **state)
{
    (void)state;
    struct fixture f = start(answer_bad_details);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
    assert_string_equal(err.errno_name, "");
    assert_string_equal(err.message, "the daemon answered NOT_FOUND");
    stop(f);
}

/* A long message, cut to the struct. */
static void answer_long_error(struct double_stream *s)
{
    char text[500];
    memset(text, 'e', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    double_finish(s, 99, text, NULL);
}

static void test_error_is_cut(void **state)
{
    (void)state;
    struct fixture f = start(answer_long_error);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, 99);
    assert_string_equal(ackd_code_name(99), "UNKNOWN");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    stop(f);
}

static void reset_refused(struct double_stream *s)
{
    double_reset(s, NGHTTP2_REFUSED_STREAM);
}

static void reset_internal(struct double_stream *s)
{
    double_reset(s, NGHTTP2_INTERNAL_ERROR);
}

static void test_reset(void **state)
{
    (void)state;
    struct fixture f = start(reset_refused);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    assert_string_equal(err.reason, "STREAM_RESET");
    stop(f);
    f = start(reset_internal);
    assert_int_equal(failing(f.a).grpc_code, ACKD_INTERNAL);
    stop(f);
}

static void answer_http_404(struct double_stream *s)
{
    nghttp2_nv fields[] = {{(uint8_t *)":status", (uint8_t *)"404", 7, 3, 0}};
    double_headers(s, fields, 1, true);
}

static void answer_no_status(struct double_stream *s)
{
    nghttp2_nv fields[] = {{(uint8_t *)":status", (uint8_t *)"200", 7, 3, 0}};
    double_headers(s, fields, 1, true);
}

static void answer_nothing(struct double_stream *s)
{
    double_finish(s, 0, NULL, NULL);
}

static void answer_twice(struct double_stream *s)
{
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    double_send(s, &r.base);
    double_reply(s, &r.base);
}

static void answer_garbage(struct double_stream *s)
{
    double_send_bytes(s, "\0\0\0\0\3\xff\xff\xff", 8);
    double_finish(s, 0, NULL, NULL);
}

static void answer_half(struct double_stream *s)
{
    double_send_bytes(s, "\0\0\0\0\x09xx", 7);
    double_finish(s, 0, NULL, NULL);
}

static void answer_compressed(struct double_stream *s)
{
    double_send_bytes(s, "\1\0\0\0\1x", 6);
    double_finish(s, 0, NULL, NULL);
}

static void answer_endless(struct double_stream *s)
{
    double_send_bytes(s, "\0\xff\xff\xff\xff", 5);
}

static void test_malformed(void **state)
{
    (void)state;
    static void (*const answers[])(struct double_stream *) = {
        answer_no_status, answer_nothing,    answer_twice,  answer_garbage,
        answer_half,      answer_compressed, answer_endless};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct fixture f = start(answers[i]);
        struct ackd_error err = failing(f.a);
        assert_int_equal(err.grpc_code, ACKD_INTERNAL);
        assert_string_equal(err.reason, "MALFORMED_ANSWER");
        /* The connection goes on. */
        assert_string_equal(failing(f.a).reason, "MALFORMED_ANSWER");
        stop(f);
    }
    struct fixture f = start(answer_http_404);
    assert_int_equal(failing(f.a).grpc_code, ACKD_UNIMPLEMENTED);
    stop(f);
}

static void answer_not_http2(struct double_stream *s)
{
    double_raw(s->server, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static void test_not_http2(void **state)
{
    (void)state;
    struct fixture f = start(answer_not_http2);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_INTERNAL);
    /* Now the connection is lost, and says the same. */
    assert_string_equal(failing(f.a).reason, err.reason);
    assert_int_equal(ackd_process(f.a, &err), -1);
    stop(f);
}

/* ---- the daemon's death ---- */

static void hang_up(struct double_stream *s)
{
    double_hang_up(s->server);
}

static void test_death(void **state)
{
    (void)state;
    struct fixture f = start(hang_up);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    assert_string_equal(err.reason, "CONNECTION_LOST");
    assert_string_equal(err.errno_name, "EPIPE");
    assert_int_equal(failing(f.a).grpc_code, ACKD_UNAVAILABLE);
    stop(f);
}

static void cut(struct double_server *d, void *arg)
{
    (void)arg;
    double_hang_up(d);
}

/* Writing to a dead daemon: no SIGPIPE (which would end this test), a clean error. */
static void test_death_before_a_call(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    struct fixture f = start(answer_version);
    double_run(f.d, cut, NULL);
    assert_int_equal(failing(f.a).grpc_code, ACKD_UNAVAILABLE);
    stop(f);
}

static void go_away(struct double_server *d, void *arg)
{
    (void)arg;
    double_goaway(d, 0, NGHTTP2_NO_ERROR);
}

static void test_goaway(void **state)
{
    (void)state;
    struct fixture f = start(answer_version);
    struct ackd_version v;
    struct ackd_error err;
    assert_int_equal(ackd_daemon_version(f.a, &v, &err), 0);
    double_run(f.d, go_away, NULL);
    err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    assert_int_equal(failing(f.a).grpc_code, ACKD_UNAVAILABLE);
    stop(f);
}

/* ---- waiting ---- */

static void say_nothing(struct double_stream *s)
{
    (void)s;
}

static void test_deadline(void **state)
{
    (void)state;
    struct fixture f = start(say_nothing);
    ackd_set_timeout(f.a, 20);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_DEADLINE_EXCEEDED);
    assert_string_equal(err.errno_name, "ETIMEDOUT");
    stop(f);
}

static void test_cancel(void **state)
{
    (void)state;
    struct fixture f = start(say_nothing);
    int p[2];
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], "", 1), 1);
    ackd_set_cancel_fd(f.a, p[0]);
    struct ackd_error err = failing(f.a);
    assert_int_equal(err.grpc_code, ACKD_CANCELLED);
    assert_string_equal(err.errno_name, "ECANCELED");
    ackd_set_cancel_fd(f.a, -1);
    close(p[0]);
    close(p[1]);
    stop(f);
}

static void on_signal(int n)
{
    (void)n;
}

/* A signal interrupts the wait, which goes on. */
static void signal_and_answer(struct double_stream *s)
{
    pthread_kill(*(pthread_t *)double_arg(s->server), SIGUSR1);
    answer_version(s);
}

static void test_eintr(void **state)
{
    (void)state;
    pthread_t self = pthread_self();
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &sa, NULL);
    struct fixture f =
        start_script(&(struct double_script){.on_half_close = signal_and_answer, .arg = &self});
    struct ackd_version v;
    for (int i = 0; i < 20; i++)
        assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0);
    stop(f);
}

/* ---- iterators ---- */

static void answer_list(struct double_stream *s)
{
    Ackd__V1__Connection c[4];
    Ackd__V1__Connection *rows[4];
    for (unsigned i = 0; i < 4; i++) {
        ackd__v1__connection__init(&c[i]);
        c[i].id = i + 1;
        rows[i] = &c[i];
    }
    Ackd__V1__ListResponse r = ACKD__V1__LIST_RESPONSE__INIT;
    r.instance_id = "i1";
    r.n_connections = 3;
    r.connections = rows;
    double_send(s, &r.base);
    r.n_connections = 0;
    double_send(s, &r.base);
    r.n_connections = 1;
    r.connections = rows + 3;
    double_send(s, &r.base);
    double_finish(s, 0, NULL, NULL);
}

static void test_list(void **state)
{
    (void)state;
    struct fixture f = start(answer_list);
    struct ackd_list *l = ackd_list(f.a, &(struct ackd_list_request){0}, NULL);
    struct ackd_connection c;
    assert_non_null(l);
    for (unsigned id = 1; id <= 4; id++) {
        assert_int_equal(ackd_list_next(l, &c, ACKD_FOREVER, NULL), ACKD_ITEM);
        assert_int_equal(c.id, id);
        assert_non_null(c.message);
    }
    assert_int_equal(ackd_list_next(l, &c, ACKD_FOREVER, NULL), ACKD_END);
    assert_int_equal(ackd_list_next(l, &c, 0, NULL), ACKD_END);
    assert_string_equal(ackd_list_instance_id(l), "i1");
    ackd_list_free(l);
    stop(f);
}

static void send_event(struct double_server *d, void *arg)
{
    Ackd__V1__Lost lost = ACKD__V1__LOST__INIT;
    lost.count = 7;
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    e.sequence = *(uint64_t *)arg;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_LOST;
    e.lost = &lost;
    double_send(double_find(d, "/ackd.v1.Inspect/Watch"), &e.base);
}

static void end_watch(struct double_server *d, void *arg)
{
    (void)arg;
    double_finish(double_find(d, "/ackd.v1.Inspect/Watch"), 11, "another instance", NULL);
}

static void answer_by_path(struct double_stream *s)
{
    if (strcmp(s->path, "/ackd.v1.Daemon/GetVersion") == 0)
        answer_version(s);
}

static void test_watch(void **state)
{
    (void)state;
    struct fixture f = start(answer_by_path);
    struct ackd_watch *w = ackd_watch(f.a, &(struct ackd_watch_request){0}, NULL);
    struct ackd_event e;
    struct ackd_error err;
    struct ackd_version v;
    assert_int_equal(ackd_watch_next(w, &e, 0, &err), ACKD_AGAIN);
    assert_int_equal(ackd_watch_next(w, &e, 1, &err), ACKD_AGAIN);
    /* Other calls go on meanwhile. */
    assert_int_equal(ackd_daemon_version(f.a, &v, &err), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        double_run(f.d, send_event, &i);
        assert_int_equal(ackd_watch_next(w, &e, ACKD_FOREVER, &err), ACKD_ITEM);
        assert_int_equal(e.sequence, i);
        assert_int_equal(e.kind, ACKD_EVENT_LOST);
        assert_int_equal(e.lost_count, 7);
    }
    double_run(f.d, end_watch, NULL);
    assert_int_equal(ackd_watch_next(w, &e, ACKD_FOREVER, &err), ACKD_FAILED);
    assert_int_equal(err.grpc_code, ACKD_OUT_OF_RANGE);
    ackd_watch_free(w);
    stop(f);
}

static void was_reset(struct double_server *d, void *arg)
{
    *(bool *)arg = double_find(d, "/ackd.v1.Inspect/Watch")->reset;
}

static void test_free_cancels(void **state)
{
    (void)state;
    struct fixture f = start(answer_by_path);
    struct ackd_version v;
    bool reset = false;
    struct ackd_watch *w = ackd_watch(f.a, &(struct ackd_watch_request){0}, NULL);
    ackd_watch_free(w);
    assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0); /* so the double has read the reset */
    double_run(f.d, was_reset, &reset);
    assert_true(reset);
    stop(f);
}

/* A watcher that does not read holds a stream window of events, and other calls go on. */
static void flood(struct double_server *d, void *arg)
{
    static uint8_t zeros[4 << 20];
    (void)arg;
    struct double_stream *s = double_find(d, "/ackd.v1.Inspect/Watch");
    double_send_bytes(s, zeros, sizeof zeros); /* empty messages */
}

static void test_unread_watch(void **state)
{
    (void)state;
    struct fixture f = start(answer_by_path);
    struct ackd_version v;
    struct ackd_event e;
    struct ackd_watch *w = ackd_watch(f.a, &(struct ackd_watch_request){0}, NULL);
    assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0);
    double_run(f.d, flood, NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ackd_daemon_version(f.a, &v, NULL), 0);
    for (int i = 0; i < (4 << 20) / 5; i++)
        assert_int_equal(ackd_watch_next(w, &e, ACKD_FOREVER, NULL), ACKD_ITEM);
    assert_int_equal(ackd_watch_next(w, &e, 0, NULL), ACKD_AGAIN);
    ackd_watch_free(w);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_timeout_is_told),
        cmocka_unit_test(test_long_answer),
        cmocka_unit_test(test_error_with_details),
        cmocka_unit_test(test_error_without_sentence),
        cmocka_unit_test(test_error_is_cut),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_not_http2),
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_death_before_a_call),
        cmocka_unit_test(test_goaway),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_eintr),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_free_cancels),
        cmocka_unit_test(test_unread_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
