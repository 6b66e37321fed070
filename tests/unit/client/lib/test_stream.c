/* Streams: every byte once and in order, back-pressure both ways, half-close, confirmation, and
 * what goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ackd/v1/tcp.pb-c.h"
#include "ackd/v1/daemon.pb-c.h"
#include "client/lib/ackd.h"
#include "double.h"

#define STREAM "/ackd.v1.Tcp/Stream"

/* What the double saw and does. */
struct daemon_side {
    bool echo;
    uint64_t id, receive_from, next, received_until;
    unsigned messages, pushes, urgents, fins;
    bool keep_open, confirm, out_of_order;
    uint64_t sent;  /* offset of the next byte down */
    uint8_t *bytes; /* all that came up */
    size_t length;
};

struct fixture {
    struct double_server *d;
    struct ackd *a;
    struct ackd_stream *s;
    struct daemon_side side;
};

static void send_down(struct double_stream *s, struct daemon_side *side, const void *data,
                      size_t length, bool end)
{
    Ackd__V1__StreamResponse r = ACKD__V1__STREAM_RESPONSE__INIT;
    r.offset = side->sent;
    r.data.data = (uint8_t *)data;
    r.data.len = length;
    r.end_of_stream = end;
    r.accepted_until = side->next;
    side->sent += length;
    double_send(s, &r.base);
}

static void on_message(struct double_stream *s, const uint8_t *data, size_t length)
{
    struct daemon_side *side = double_arg(s->server);
    if (strcmp(s->path, STREAM) != 0)
        return;
    Ackd__V1__StreamRequest *r = ackd__v1__stream_request__unpack(NULL, length, data);
    assert_non_null(r);
    if (side->messages++ == 0) {
        side->id = r->id;
        side->receive_from = side->sent = r->receive_from_offset;
        side->keep_open = r->keep_open;
        side->confirm = r->confirm_receipt;
    }
    side->out_of_order |= r->data.len && r->offset != side->next;
    side->pushes += r->push;
    side->urgents += r->urgent;
    side->fins += r->fin;
    side->received_until = r->received_until ? r->received_until : side->received_until;
    side->next += r->data.len;
    side->bytes = realloc(side->bytes, side->length + r->data.len + 1);
    if (r->data.len)
        memcpy(side->bytes + side->length, r->data.data, r->data.len);
    side->length += r->data.len;
    if (side->echo && (r->data.len || r->fin))
        send_down(s, side, r->data.data, r->data.len, r->fin);
    ackd__v1__stream_request__free_unpacked(r, NULL);
}

static void on_half_close(struct double_stream *s)
{
    struct daemon_side *side = double_arg(s->server);
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    if (strcmp(s->path, STREAM) != 0)
        double_reply(s, &r.base);
    else if (side->echo)
        double_finish(s, 0, NULL, NULL);
}

static struct fixture *start(const struct double_script *more,
                             const struct ackd_stream_request *request)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct double_script script = *more;
    int fd;
    f->side.echo = more->arg != NULL;
    f->side.next = request->send_from;
    script.arg = &f->side;
    script.on_message = on_message;
    script.on_half_close = on_half_close;
    f->d = double_start(&script, &fd);
    f->a = ackd_connect_fd(fd, NULL);
    assert_non_null(f->a);
    f->s = ackd_stream_open(f->a, request, NULL);
    assert_non_null(f->s);
    return f;
}

static struct fixture *start_echo(void)
{
    return start(&(struct double_script){.arg = (void *)1}, &(struct ackd_stream_request){.id = 7});
}

static struct fixture *start_silent(void)
{
    return start(&(struct double_script){0}, &(struct ackd_stream_request){.id = 7});
}

static void stop(struct fixture *f)
{
    ackd_stream_close(f->s);
    ackd_disconnect(f->a);
    double_stop(f->d);
    free(f->side.bytes);
    free(f);
}

/* A round trip: what was sent before has been read by the double. */
static void sync_up(struct fixture *f)
{
    struct ackd_version v;
    assert_int_equal(ackd_daemon_version(f->a, &v, NULL), 0);
}

/* Until the double has so many bytes: nghttp2 sends a new call's headers before another's data. */
static void sync_bytes(struct fixture *f, size_t length)
{
    for (int i = 0; i < 1000 && f->side.length < length; i++)
        sync_up(f);
    assert_int_equal(f->side.length, length);
}

/* Bytes that differ at every offset for long. */
static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 2654435761u >> 13);
}

static uint8_t *pattern(size_t length)
{
    uint8_t *p = malloc(length);
    for (size_t i = 0; i < length; i++)
        p[i] = byte_at(i);
    return p;
}

/* ---- both ways ---- */

static void test_echo(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    struct fixture *f = start_echo();
    uint8_t *data = pattern(SIZE), buffer[50000];
    size_t sent = 0, got = 0, chunk = 1;
    while (got < SIZE) {
        size_t n = SIZE - sent < chunk ? SIZE - sent : chunk;
        ssize_t w = ackd_stream_write(f->s, data + sent, n, 0, 0, NULL);
        assert_true(w >= 0);
        sent += (size_t)w;
        chunk = chunk * 7 % 150001 + 1;
        struct ackd_error err;
        ssize_t r = ackd_stream_read(f->s, buffer, chunk % sizeof buffer + 1,
                                     sent == SIZE ? ACKD_FOREVER : 0, &err);
        if (r < 0) {
            assert_string_equal(err.errno_name, "EAGAIN");
            continue;
        }
        assert_true(r > 0);
        assert_memory_equal(buffer, data + got, (size_t)r);
        got += (size_t)r;
    }
    struct ackd_stream_info info;
    assert_int_equal(ackd_stream_flush(f->s, ACKD_FOREVER, NULL), 1);
    ackd_stream_get_info(f->s, &info);
    assert_int_equal(info.received_until, SIZE);
    assert_int_equal(info.written_until, SIZE);
    assert_int_equal(info.accepted_until, SIZE);
    assert_int_equal(info.readable_bytes, 0);
    assert_false(f->side.out_of_order);
    assert_int_equal(f->side.id, 7);
    free(data);
    stop(f);
}

static void test_large_write(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20 };
    struct fixture *f = start_silent();
    uint8_t *data = pattern(SIZE);
    assert_int_equal(
        ackd_stream_write(f->s, data, SIZE, ACKD_PUSH | ACKD_URGENT, ACKD_FOREVER, NULL), SIZE);
    sync_bytes(f, SIZE);
    assert_memory_equal(f->side.bytes, data, SIZE);
    assert_int_equal(f->side.pushes, 1); /* on the last byte only */
    assert_true(f->side.urgents > 1);    /* on every part */
    free(data);
    stop(f);
}

static void test_half_close(void **state)
{
    (void)state;
    struct fixture *f = start_echo();
    char buffer[8];
    struct ackd_error err;
    assert_int_equal(ackd_stream_write(f->s, "hello", 5, ACKD_PUSH, ACKD_FOREVER, NULL), 5);
    assert_int_equal(ackd_stream_shutdown(f->s, NULL), 0);
    assert_int_equal(ackd_stream_shutdown(f->s, NULL), 0);
    assert_int_equal(ackd_stream_write(f->s, "x", 1, 0, ACKD_FOREVER, &err), -1);
    assert_string_equal(err.errno_name, "EPIPE");
    assert_int_equal(ackd_stream_read(f->s, buffer, sizeof buffer, ACKD_FOREVER, NULL), 5);
    assert_memory_equal(buffer, "hello", 5);
    assert_int_equal(ackd_stream_read(f->s, buffer, sizeof buffer, ACKD_FOREVER, NULL), 0);
    assert_int_equal(ackd_stream_read(f->s, buffer, sizeof buffer, 0, NULL), 0);
    assert_int_equal(f->side.fins, 1);
    assert_int_equal(f->side.pushes, 1);
    stop(f);
}

static void test_offsets(void **state)
{
    (void)state;
    struct ackd_stream_request r = {
        .id = 3, .receive_from = 1000, .send_from = 1u << 20, .keep_open = true};
    struct fixture *f = start(&(struct double_script){.arg = (void *)1}, &r);
    char buffer[8];
    struct ackd_stream_info info;
    assert_int_equal(ackd_stream_write(f->s, "abc", 3, 0, ACKD_FOREVER, NULL), 3);
    assert_int_equal(ackd_stream_read(f->s, buffer, sizeof buffer, ACKD_FOREVER, NULL), 3);
    ackd_stream_get_info(f->s, &info);
    assert_int_equal(info.received_until, 1003);
    assert_int_equal(info.written_until, (1 << 20) + 3);
    assert_int_equal(f->side.receive_from, 1000);
    assert_true(f->side.keep_open);
    assert_false(f->side.out_of_order);
    stop(f);
}

/* The same with poll() only, never a blocking call. */
static void test_poll(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    struct fixture *f = start_echo();
    uint8_t *data = pattern(SIZE);
    size_t sent = 0, got = 0;
    const void *p;
    while (got < SIZE) {
        size_t n;
        assert_int_equal(ackd_process(f->a, NULL), 0);
        ssize_t w = ackd_stream_write(f->s, data + sent, SIZE - sent, 0, 0, NULL);
        assert_true(w >= 0);
        sent += (size_t)w;
        enum ackd_next r = ackd_stream_peek(f->s, &p, &n, 0, NULL);
        if (r == ACKD_ITEM) {
            assert_memory_equal(p, data + got, n);
            got += n;
            ackd_stream_consume(f->s, n);
            continue;
        }
        assert_int_equal(r, ACKD_AGAIN);
        if (w == 0) {
            struct pollfd poll_fd = {.fd = ackd_fd(f->a), .events = ackd_poll_events(f->a)};
            assert_int_equal(poll(&poll_fd, 1, 10000), 1);
        }
    }
    free(data);
    stop(f);
}

/* ---- back-pressure ---- */

static void give_window(struct double_server *d, void *arg)
{
    double_consume(double_find(d, STREAM), *(size_t *)arg);
}

static void test_full_window(void **state)
{
    (void)state;
    struct fixture *f =
        start(&(struct double_script){.hold_windows = true, .initial_window = 100000},
              &(struct ackd_stream_request){.id = 7});
    uint8_t *data = pattern(300000);
    size_t sent = 0;
    sync_up(f); /* SETTINGS came */
    for (ssize_t n; (n = ackd_stream_write(f->s, data + sent, 300000 - sent, 0, 0, NULL)) > 0;)
        sent += (size_t)n;
    assert_true(sent > 100000 - 16384 && sent <= 100000);
    assert_int_equal(ackd_stream_write(f->s, data + sent, 300000 - sent, 0, 5, NULL), 0);
    struct ackd_stream_info info;
    ackd_stream_get_info(f->s, &info);
    assert_true(info.writable_bytes < 16384);
    sync_bytes(f, sent);
    size_t window = sent;
    double_run(f->d, give_window, &window);
    ssize_t n = ackd_stream_write(f->s, data + sent, 300000 - sent, 0, 1000, NULL);
    assert_true(n > 50000 && n <= 100000);
    sync_bytes(f, sent + (size_t)n);
    assert_memory_equal(f->side.bytes, data, sent + (size_t)n);
    free(data);
    stop(f);
}

static void set_deaf(struct double_server *d, void *arg)
{
    double_deaf(d, arg != NULL);
}

/* A socket that takes no more: what was taken is the library's, and the user's memory is the
 * user's. */
static void test_full_socket(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    struct fixture *f = start(&(struct double_script){.initial_window = 2 << 20},
                              &(struct ackd_stream_request){.id = 7});
    uint8_t *data = pattern(SIZE), *copy = pattern(SIZE);
    sync_up(f);
    double_run(f->d, set_deaf, f);
    ssize_t n = ackd_stream_write(f->s, data, SIZE, 0, 0, NULL);
    assert_true(n > 0);
    assert_true(ackd_poll_events(f->a) & POLLOUT);
    memset(data, 0, SIZE);
    double_run(f->d, set_deaf, NULL);
    sync_bytes(f, (size_t)n);
    assert_memory_equal(f->side.bytes, copy, (size_t)n);
    free(data);
    free(copy);
    stop(f);
}

static void pour(struct double_server *d, void *arg)
{
    struct fixture *f = arg;
    struct double_stream *s = double_find(d, STREAM);
    uint8_t *data = pattern(8 << 20);
    for (size_t at = 0; at < 8 << 20; at += 65536)
        send_down(s, &f->side, data + at, 65536, false);
    free(data);
}

/* A reader that stops holds up to one window here, and nobody else. */
static void test_stopped_reader(void **state)
{
    (void)state;
    struct fixture *f = start_silent();
    struct ackd_stream_info info;
    sync_up(f);
    double_run(f->d, pour, f);
    for (int i = 0; i < 50; i++)
        sync_up(f);
    ackd_stream_get_info(f->s, &info);
    assert_true(info.readable_bytes > 0 && info.readable_bytes <= 1 << 20);
    uint8_t buffer[10000];
    for (size_t got = 0; got < 8 << 20;) {
        ssize_t n = ackd_stream_read(f->s, buffer, sizeof buffer, ACKD_FOREVER, NULL);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buffer[i], byte_at(got + (size_t)i));
        got += (size_t)n;
    }
    stop(f);
}

/* One message longer than the stream's window. */
static void pour_one(struct double_server *d, void *arg)
{
    struct fixture *f = arg;
    uint8_t *data = pattern(5 << 20);
    send_down(double_find(d, STREAM), &f->side, data, 5 << 20, true);
    free(data);
}

static void test_long_message(void **state)
{
    (void)state;
    struct fixture *f = start_silent();
    const void *p;
    size_t n;
    sync_up(f);
    double_run(f->d, pour_one, f);
    assert_int_equal(ackd_stream_peek(f->s, &p, &n, ACKD_FOREVER, NULL), ACKD_ITEM);
    assert_int_equal(n, 5 << 20);
    assert_int_equal(((const uint8_t *)p)[n - 1], byte_at(n - 1));
    ackd_stream_consume(f->s, n);
    assert_int_equal(ackd_stream_peek(f->s, &p, &n, ACKD_FOREVER, NULL), ACKD_END);
    stop(f);
}

/* ---- signs ---- */

static void test_confirm(void **state)
{
    (void)state;
    struct fixture *f = start(&(struct double_script){.arg = (void *)1},
                              &(struct ackd_stream_request){.id = 7, .confirm_receipt = true});
    char buffer[4];
    assert_int_equal(ackd_stream_write(f->s, "abcdefgh", 8, 0, ACKD_FOREVER, NULL), 8);
    assert_int_equal(ackd_stream_read(f->s, buffer, 4, ACKD_FOREVER, NULL), 4);
    sync_up(f);
    assert_true(f->side.confirm);
    assert_true(f->side.received_until <= 4);
    assert_int_equal(ackd_stream_read(f->s, buffer, 4, ACKD_FOREVER, NULL), 4);
    sync_up(f);
    assert_int_equal(f->side.received_until, 8);
    /* The request stream ends when the last byte is confirmed. */
    assert_int_equal(ackd_stream_shutdown(f->s, NULL), 0);
    assert_int_equal(ackd_stream_read(f->s, buffer, 4, ACKD_FOREVER, NULL), 0);
    stop(f);
}

static void send_urgent(struct double_server *d, void *arg)
{
    (void)arg;
    Ackd__V1__StreamResponse r = ACKD__V1__STREAM_RESPONSE__INIT;
    r.data.data = (uint8_t *)"urgent";
    r.data.len = 6;
    r.urgent_known_case = ACKD__V1__STREAM_RESPONSE__URGENT_KNOWN_URGENT_MARK;
    r.urgent_mark = 3;
    r.acknowledged_until = 99;
    double_send(double_find(d, STREAM), &r.base);
}

static void test_urgent(void **state)
{
    (void)state;
    struct fixture *f = start_silent();
    struct ackd_stream_info info;
    char buffer[8];
    sync_up(f);
    double_run(f->d, send_urgent, NULL);
    assert_int_equal(ackd_stream_read(f->s, buffer, 2, ACKD_FOREVER, NULL), 2);
    ackd_stream_get_info(f->s, &info);
    assert_true(info.has_urgent_mark);
    assert_int_equal(info.urgent_mark, 3);
    assert_int_equal(info.acknowledged_until, 99);
    assert_int_equal(ackd_stream_read(f->s, buffer, 8, ACKD_FOREVER, NULL), 4);
    ackd_stream_get_info(f->s, &info);
    assert_false(info.has_urgent_mark);
    stop(f);
}

/* ---- what goes wrong ---- */

static void say_not_found(struct double_server *d, void *arg)
{
    (void)arg;
    double_finish(double_find(d, STREAM), 5, "no endpoint has the id 7", NULL);
}

static void test_wrong_id(void **state)
{
    (void)state;
    struct fixture *f = start_silent();
    struct ackd_error err;
    char buffer[8];
    sync_up(f);
    double_run(f->d, say_not_found, NULL);
    assert_int_equal(ackd_stream_read(f->s, buffer, 8, ACKD_FOREVER, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
    assert_int_equal(ackd_stream_write(f->s, "x", 1, 0, ACKD_FOREVER, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
    stop(f);
}

static void send_gap(struct double_server *d, void *arg)
{
    struct fixture *f = arg;
    struct double_stream *s = double_find(d, STREAM);
    send_down(s, &f->side, "ab", 2, false);
    f->side.sent++;
    send_down(s, &f->side, "d", 1, false);
}

static void send_garbage(struct double_server *d, void *arg)
{
    struct fixture *f = arg;
    struct double_stream *s = double_find(d, STREAM);
    send_down(s, &f->side, "ab", 2, false);
    double_send_bytes(s, "\0\0\0\0\3\x12\x7f\0", 8); /* data longer than its message */
}

static void send_and_die(struct double_server *d, void *arg)
{
    struct fixture *f = arg;
    send_down(double_find(d, STREAM), &f->side, "ab", 2, false);
}

static void die(struct double_server *d, void *arg)
{
    (void)arg;
    double_hang_up(d);
}

static void check_broken(void (*how)(struct double_server *d, void *arg), bool death, int code)
{
    struct fixture *f = start_silent();
    struct ackd_error err;
    char buffer[8];
    sync_up(f);
    double_run(f->d, how, f);
    if (death)
        double_run(f->d, die, NULL);
    /* What came before is not lost. */
    assert_int_equal(ackd_stream_read(f->s, buffer, 8, ACKD_FOREVER, &err), 2);
    assert_int_equal(ackd_stream_read(f->s, buffer, 8, ACKD_FOREVER, &err), -1);
    assert_int_equal(err.grpc_code, code);
    assert_int_equal(ackd_stream_flush(f->s, 0, &err), 1); /* nothing was written */
    stop(f);
}

static void test_broken(void **state)
{
    (void)state;
    check_broken(send_gap, false, ACKD_DATA_LOSS);
    check_broken(send_garbage, false, ACKD_INTERNAL);
    check_broken(send_and_die, true, ACKD_UNAVAILABLE);
}

static void test_write_to_the_dead(void **state)
{
    (void)state;
    struct fixture *f = start_silent();
    struct ackd_error err;
    sync_up(f);
    double_run(f->d, die, NULL);
    uint8_t block[65536] = {0};
    while (ackd_stream_write(f->s, block, sizeof block, 0, ACKD_FOREVER, &err) >= 0)
        ;
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    stop(f);
}

/* Waits of every kind end when the cancel descriptor is readable, and the stream goes on. */
static void test_cancel(void **state)
{
    (void)state;
    struct fixture *f = start(&(struct double_script){.hold_windows = true},
                              &(struct ackd_stream_request){.id = 7});
    struct ackd_error err;
    uint8_t *data = pattern(200000);
    int p[2];
    assert_int_equal(pipe(p), 0);
    sync_up(f);
    assert_int_equal(write(p[1], "", 1), 1);
    ackd_set_cancel_fd(f->a, p[0]);
    ssize_t n = ackd_stream_write(f->s, data, 200000, 0, ACKD_FOREVER, &err);
    assert_true(n > 0 && n < 200000); /* what the window admits, then the wait */
    assert_int_equal(ackd_stream_write(f->s, data, 200000, 0, ACKD_FOREVER, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_CANCELLED);
    assert_int_equal(ackd_stream_flush(f->s, ACKD_FOREVER, &err), -1);
    assert_int_equal(ackd_stream_read(f->s, data, 1, ACKD_FOREVER, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_CANCELLED);
    ackd_set_cancel_fd(f->a, -1);
    sync_bytes(f, (size_t)n);
    free(data);
    close(p[0]);
    close(p[1]);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),         cmocka_unit_test(test_large_write),
        cmocka_unit_test(test_half_close),   cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_poll),         cmocka_unit_test(test_full_window),
        cmocka_unit_test(test_full_socket),  cmocka_unit_test(test_stopped_reader),
        cmocka_unit_test(test_long_message), cmocka_unit_test(test_confirm),
        cmocka_unit_test(test_urgent),       cmocka_unit_test(test_wrong_id),
        cmocka_unit_test(test_broken),       cmocka_unit_test(test_write_to_the_dead),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
