/* connection.c: greeting, identity, closing. What its queues do is in test_call.c. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_greeting(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    int silent = raw_open(&b);
    poll_loop_advance(b.loop, 4 * NS_PER_S);
    int half = raw_open(&b);
    assert_int_equal(write(half, "PRI * HTTP/2.0\r\n", 16), 16);
    struct client *c = client_open(&b, 0);
    poll_loop_advance(b.loop, 6 * NS_PER_S);
    assert_true(raw_closed(&b, silent));
    assert_false(raw_closed(&b, half));
    poll_loop_advance(b.loop, 4 * NS_PER_S);
    assert_true(raw_closed(&b, half));
    poll_loop_advance(b.loop, 3600 * NS_PER_S);
    client_pump(c);
    assert_false(c->gone); /* idle is allowed */
    assert_int_equal(bench_stats(&b).connections, 1);
    close(silent);
    close(half);
    client_close(c);
    bench_close(&b);
}

/* Many that never greet go at one time, but not in one callback. */
static void test_many_silent(void **state)
{
    struct bench b;
    int fds[200];
    (void)state;
    bench_open(&b, NULL);
    for (unsigned i = 0; i < 200; i++) {
        fds[i] = raw_open(&b);
    }
    poll_loop_advance(b.loop, 10 * NS_PER_S);
    assert_int_equal(bench_stats(&b).connections, 0);
    assert_int_equal(bench_stats(&b).refused_connections, 200);
    for (unsigned i = 0; i < 200; i++) {
        close(fds[i]);
    }
    bench_close(&b);
}

static void test_peer(void **state)
{
    struct bench b;
    char command[16] = {0};
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    client_message(c, client_call(c, STREAM, NULL), 1, false);
    client_pump(c);
    const struct grpc_peer *peer = grpc_call_peer(b.call);
    assert_int_equal(peer->uid, getuid());
    assert_int_equal(peer->gid, getgid());
    assert_int_equal(peer->pid, getpid());
    assert_int_equal(peer->connection, 1);
    assert_false(peer->read_only);
    FILE *f = fopen("/proc/self/comm", "r");
    assert_non_null(f);
    assert_non_null(fgets(command, sizeof(command), f));
    fclose(f);
    command[strcspn(command, "\n")] = '\0';
    assert_string_equal(peer->command, command);
    client_close(c);
    bench_close(&b);
}

/* A socket that is none of ours stays the caller's. */
static void test_attach_refused(void **state)
{
    struct bench b;
    int fds[2];
    (void)state;
    bench_open(&b, NULL);
    assert_int_equal(pipe(fds), 0);
    assert_true(grpc_server_attach(b.server, fds[0], false) < 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
    bench_close(&b);
}

/* The client dies with calls open and bytes on the way. */
static void test_client_dies(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    for (unsigned i = 0; i < 50; i++) {
        client_message(c, client_call(c, STREAM, NULL), 10000, false);
    }
    client_pump(c);
    assert_int_equal(bench_stats(&b).calls, 50);
    shutdown(c->fd, SHUT_RDWR);
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).calls, 0);
    assert_int_equal(bench_stats(&b).connections, 0);
    assert_int_equal(b.ends, 50);
    client_close(c);
    bench_close(&b);
}

static struct {
    unsigned callback, messages, most;
} turn;

static void count_turn(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message)
{
    unsigned callback = poll_loop_callbacks(b->loop);
    (void)call;
    (void)message;
    turn.messages = callback == turn.callback ? turn.messages + 1 : 1;
    turn.callback = callback;
    turn.most = turn.messages > turn.most ? turn.messages : turn.most;
}

/* Hundreds of messages in one read are not one callback's work when they take long; none is lost.
 */
static void test_much_at_once(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.on_message = count_turn;
    poll_loop_slow(b.loop, 100 * NS_PER_US);
    struct client *c = client_open(&b, 0);
    int32_t stream = client_call(c, STREAM, NULL);
    for (unsigned i = 0; i < 300; i++) {
        client_message(c, stream, 50, false);
    }
    client_pump(c);
    assert_int_equal(b.messages, 300);
    assert_true(turn.most >= 1 && turn.most <= 60);
    client_close(c);
    bench_close(&b);
}

/* A connection that ends while bytes of it wait. */
static void test_end_with_bytes_waiting(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    poll_loop_slow(b.loop, NS_PER_MS);
    int fd = raw_open(&b);
    raw_greet(&b, fd);
    static const uint8_t ping[8];
    for (unsigned i = 0; i < 100; i++) {
        assert_true(raw_frame(fd, NGHTTP2_PING, 0, 0, ping, sizeof ping));
    }
    poll_loop_step(b.loop, false);
    assert_int_equal(bench_stats(&b).connections, 1);
    close(fd);
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_many_silent),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_attach_refused),
        cmocka_unit_test(test_client_dies),
        cmocka_unit_test(test_much_at_once),
        cmocka_unit_test(test_end_with_bytes_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
