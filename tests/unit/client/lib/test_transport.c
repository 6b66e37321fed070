/* The library against the daemon's own transport, with handlers that know no TCP: both ends of the
 * contract in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ackd/v1/daemon.pb-c.h"
#include "ackd/v1/inspect.pb-c.h"
#include "ackd/v1/tcp.pb-c.h"
#include "client/lib/ackd.h"
#include "host/loop.h"
#include "proto/descriptors.h"
#include "rpc/grpc.h"

/* ---- handlers ---- */

static void on_version(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    (void)message, (void)wire_bytes;
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    r.version = "9.9";
    grpc_call_reply(call, &r.base);
}

static void on_get(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    (void)message, (void)wire_bytes;
    struct grpc_error e = {GRPC_NOT_FOUND, "EBADF", "NO_ENDPOINT",
                           "there is no endpoint 5: 100 % sure"};
    grpc_call_fail(call, &e);
}

static void on_silence(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    (void)call, (void)message, (void)wire_bytes;
}

/* Watch: as many events as asked for by payload_bytes * 1000, as fast as there is room. */
struct counter {
    uint64_t next, end;
};

static void watch_more(struct grpc_call *call)
{
    struct counter *c = grpc_call_data(call);
    while (c->next < c->end && grpc_call_room(call) > 0) {
        Ackd__V1__Synced synced = ACKD__V1__SYNCED__INIT;
        Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
        e.sequence = ++c->next;
        e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SYNCED;
        e.synced = &synced;
        grpc_call_send(call, &e.base);
    }
    if (c->next == c->end)
        grpc_call_finish(call);
}

static void on_watch(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    (void)wire_bytes;
    struct counter *c = calloc(1, sizeof *c);
    c->end = ((const Ackd__V1__WatchRequest *)message)->payload_bytes * 1000ull;
    grpc_call_set_data(call, c);
    watch_more(call);
}

static void free_data(struct grpc_call *call, bool cancelled)
{
    (void)cancelled;
    free(grpc_call_data(call));
}

/* Stream: sends back what it gets, and takes no more while it cannot: at most one stream window
 * waits. */
struct echo {
    uint8_t *waiting;
    size_t length, wire_bytes;
    uint64_t offset;
    bool fin;
};

static void echo_more(struct grpc_call *call)
{
    struct echo *e = grpc_call_data(call);
    while (e->length && grpc_call_room(call) > 64) {
        size_t n = grpc_call_room(call) - 64;
        n = n < e->length ? n : e->length;
        Ackd__V1__StreamResponse r = ACKD__V1__STREAM_RESPONSE__INIT;
        r.offset = e->offset;
        r.data = (ProtobufCBinaryData){n, e->waiting};
        r.accepted_until = e->offset + n;
        grpc_call_send(call, &r.base);
        e->offset += n;
        e->length -= n;
        memmove(e->waiting, e->waiting + n, e->length);
    }
    if (e->length == 0 && e->wire_bytes) {
        grpc_call_consumed(call, e->wire_bytes);
        e->wire_bytes = 0;
    }
    if (e->length == 0 && e->fin) {
        Ackd__V1__StreamResponse r = ACKD__V1__STREAM_RESPONSE__INIT;
        r.end_of_stream = true;
        r.offset = e->offset;
        grpc_call_send(call, &r.base);
        grpc_call_finish(call);
        e->fin = false;
    }
}

static void on_stream(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__StreamRequest *m = (const Ackd__V1__StreamRequest *)message;
    struct echo *e = grpc_call_data(call);
    if (!e) {
        e = calloc(1, sizeof *e);
        grpc_call_set_data(call, e);
    }
    e->waiting = realloc(e->waiting, e->length + m->data.len + 1);
    if (m->data.len)
        memcpy(e->waiting + e->length, m->data.data, m->data.len);
    e->length += m->data.len;
    e->wire_bytes += wire_bytes;
    e->fin |= m->fin;
    echo_more(call);
}

static void free_echo(struct grpc_call *call, bool cancelled)
{
    (void)cancelled;
    struct echo *e = grpc_call_data(call);
    if (e)
        free(e->waiting);
    free(e);
}

#define METHOD(service, Name, name)                                                                \
    "/ackd.v1." #service "/" #Name, &ackd__v1__##name##_request__descriptor
static const struct grpc_method methods[] = {
    {METHOD(Daemon, GetVersion, get_version), &ackd__v1__get_version_response__descriptor,
     .on_message = on_version},
    {METHOD(Daemon, GetStatus, get_status), &ackd__v1__get_status_response__descriptor,
     .on_message = on_silence},
    {METHOD(Inspect, Get, get), &ackd__v1__get_response__descriptor, .on_message = on_get},
    {METHOD(Inspect, Watch, watch), &ackd__v1__watch_event__descriptor, .server_streaming = true,
     .on_message = on_watch, .on_writable = watch_more, .on_end = free_data},
    {METHOD(Tcp, Stream, stream), &ackd__v1__stream_response__descriptor, .client_streaming = true,
     .server_streaming = true, .on_message = on_stream, .on_writable = echo_more,
     .on_end = free_echo},
};

/* ---- a daemon in a thread ---- */

struct daemon_thread {
    int client, server, stop[2];
    pthread_t thread;
    struct ackd *a;
};

static void quiet(struct log *log, enum log_level level, const char *line)
{
    (void)log, (void)level, (void)line;
}

static void on_stop(void *arg, int fd, unsigned what)
{
    (void)fd, (void)what;
    loop_stop(arg);
}

static enum grpc_code allow(void *arg, const struct grpc_peer *peer,
                            const struct grpc_method *method, const char **why)
{
    (void)arg, (void)peer, (void)method, (void)why;
    return GRPC_OK;
}

static void *run(void *arg)
{
    struct daemon_thread *d = arg;
    struct loop *loop = loop_new();
    struct log log = {.level = LOG_LEVEL_ERROR, .write = quiet};
    struct grpc_server_config config = {.loop = loop,
                                        .log = &log,
                                        .authorize = allow,
                                        .descriptor_set = ackd_descriptor_set,
                                        .descriptor_set_length = ackd_descriptor_set_length};
    struct grpc_server *server = grpc_server_new(&config);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        grpc_server_add(server, &methods[i], NULL);
    if (grpc_server_attach(server, d->server, false) < 0)
        abort();
    struct loop_fd *stop = loop_fd_new(loop, d->stop[0], LOOP_READ, on_stop, loop);
    loop_run(loop);
    loop_fd_free(stop);
    grpc_server_free(server);
    loop_free(loop);
    return NULL;
}

static int setup(void **state)
{
    struct daemon_thread *d = calloc(1, sizeof *d);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(d->stop), 0);
    d->client = pair[0];
    d->server = pair[1];
    assert_int_equal(pthread_create(&d->thread, NULL, run, d), 0);
    d->a = ackd_connect_fd(d->client, NULL);
    assert_non_null(d->a);
    *state = d;
    return 0;
}

static void stop(struct daemon_thread *d)
{
    if (d->stop[1] < 0)
        return;
    assert_int_equal(write(d->stop[1], "", 1), 1);
    pthread_join(d->thread, NULL);
    close(d->stop[0]);
    close(d->stop[1]);
    d->stop[1] = -1;
}

static int teardown(void **state)
{
    struct daemon_thread *d = *state;
    ackd_disconnect(d->a);
    stop(d);
    free(d);
    return 0;
}

/* ---- tests ---- */

static void test_unary(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_version v;
    struct ackd_error err = {0};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ackd_daemon_version(d->a, &v, &err), 0);
        assert_string_equal(v.version, "9.9");
    }
}

static void test_errors(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_connection c;
    struct ackd_why why;
    struct ackd_error err;
    assert_int_equal(ackd_get(d->a, 5, &c, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
    assert_string_equal(err.errno_name, "EBADF");
    assert_string_equal(err.reason, "NO_ENDPOINT");
    assert_string_equal(err.message, "there is no endpoint 5: 100 % sure");
    assert_int_equal(ackd_why(d->a, 5, &why, &err), -1); /* no such method there */
    assert_int_equal(err.grpc_code, ACKD_UNIMPLEMENTED);
}

static void test_deadline(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_daemon_status s;
    struct ackd_version v;
    struct ackd_error err;
    ackd_set_timeout(d->a, 20);
    assert_int_equal(ackd_daemon_status(d->a, &s, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_DEADLINE_EXCEEDED);
    ackd_set_timeout(d->a, 10000);
    assert_int_equal(ackd_daemon_version(d->a, &v, &err), 0);
}

static void test_watch(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_event e;
    struct ackd_error err;
    struct ackd_watch *w =
        ackd_watch(d->a, &(struct ackd_watch_request){.payload_bytes = 50}, &err);
    for (uint64_t i = 1; i <= 50000; i++) {
        assert_int_equal(ackd_watch_next(w, &e, ACKD_FOREVER, &err), ACKD_ITEM);
        assert_int_equal(e.sequence, i);
        assert_int_equal(e.kind, ACKD_EVENT_SYNCED);
    }
    assert_int_equal(ackd_watch_next(w, &e, ACKD_FOREVER, &err), ACKD_END);
    ackd_watch_free(w);
}

static void test_watch_cancelled(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_event e;
    struct ackd_version v;
    for (int i = 0; i < 20; i++) {
        struct ackd_watch *w =
            ackd_watch(d->a, &(struct ackd_watch_request){.payload_bytes = 1000}, NULL);
        assert_int_equal(ackd_watch_next(w, &e, ACKD_FOREVER, NULL), ACKD_ITEM);
        ackd_watch_free(w);
        assert_int_equal(ackd_daemon_version(d->a, &v, NULL), 0);
    }
}

/* Two streams at once, one of them with a reader that starts late. */
static void test_streams(void **state)
{
    struct daemon_thread *d = *state;
    enum { SIZE = 8 << 20, LATE = 200000 };
    struct ackd_stream *s = ackd_stream_open(d->a, &(struct ackd_stream_request){.id = 1}, NULL);
    struct ackd_stream *late = ackd_stream_open(d->a, &(struct ackd_stream_request){.id = 2}, NULL);
    uint8_t *data = malloc(SIZE), *back = malloc(SIZE);
    size_t sent = 0, got = 0;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(ackd_stream_write(late, data, LATE, 0, ACKD_FOREVER, NULL), LATE);
    while (got < SIZE) {
        ssize_t n = ackd_stream_write(s, data + sent, SIZE - sent, 0, 0, NULL);
        assert_true(n >= 0);
        sent += (size_t)n;
        if (sent > got) {
            n = ackd_stream_read(s, back + got, SIZE - got, ACKD_FOREVER, NULL);
            assert_true(n > 0);
            got += (size_t)n;
        }
    }
    assert_memory_equal(data, back, SIZE);
    for (got = 0; got < LATE;) {
        ssize_t n = ackd_stream_read(late, back + got, LATE - got, ACKD_FOREVER, NULL);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_memory_equal(data, back, LATE);
    assert_int_equal(ackd_stream_shutdown(late, NULL), 0);
    assert_int_equal(ackd_stream_read(late, back, 1, ACKD_FOREVER, NULL), 0);
    assert_int_equal(ackd_stream_flush(late, ACKD_FOREVER, NULL), 1);
    ackd_stream_close(late);
    ackd_stream_close(s);
    free(data);
    free(back);
}

/* Neither side reads: the writer comes to a stop, nothing grows, and everything is still there
 * afterwards. */
static void test_stalled_stream(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_stream *s = ackd_stream_open(d->a, &(struct ackd_stream_request){.id = 1}, NULL);
    struct ackd_version v;
    uint8_t block[65536];
    size_t sent = 0, got = 0;
    for (int idle = 0; idle < 20;) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (uint8_t)((sent + i) % 251);
        ssize_t n = ackd_stream_write(s, block, sizeof block, 0, 0, NULL);
        assert_true(n >= 0);
        sent += (size_t)n;
        idle = n ? 0 : idle + 1;
        assert_int_equal(ackd_daemon_version(d->a, &v, NULL), 0);
    }
    assert_true(sent > 1 << 20 && sent < 8 << 20);
    while (got < sent) {
        ssize_t n = ackd_stream_read(s, block, sizeof block, ACKD_FOREVER, NULL);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(block[i], (got + (size_t)i) % 251);
        got += (size_t)n;
    }
    ackd_stream_close(s);
}

static void test_daemon_stops(void **state)
{
    struct daemon_thread *d = *state;
    struct ackd_stream *s = ackd_stream_open(d->a, &(struct ackd_stream_request){.id = 1}, NULL);
    struct ackd_version v;
    struct ackd_error err;
    char buffer[8];
    assert_int_equal(ackd_daemon_version(d->a, &v, &err), 0);
    stop(d);
    assert_int_equal(ackd_stream_read(s, buffer, sizeof buffer, ACKD_FOREVER, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    assert_int_equal(ackd_daemon_version(d->a, &v, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    ackd_stream_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_daemon_stops, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
