/* listen.c: accept, its limits and its pauses. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Listens at an address of the abstract namespace, which the kernel chooses. */
static int listen_somewhere(struct bench *b, struct sockaddr_un *address, socklen_t *length)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(sa_family_t)), 0);
    *length = sizeof(*address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, length), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(grpc_server_listen(b->server, fd, true), 0);
    return fd;
}

static int connect_to(const struct sockaddr_un *address, socklen_t length)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, length), 0);
    return fd;
}

/* At the limit the others wait in the kernel; one that leaves lets one in. */
static void test_limit_pauses(void **state)
{
    struct bench b;
    struct sockaddr_un address;
    socklen_t length;
    int fds[5];
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_connections = 3});
    listen_somewhere(&b, &address, &length);
    for (unsigned i = 0; i < 5; i++) {
        fds[i] = connect_to(&address, length);
    }
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 3);
    assert_int_equal(poll_loop_settle(b.loop, 100), 0); /* no spinning */
    close(fds[0]);
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 3);
    assert_int_equal(bench_stats(&b).connections_accepted, 4);
    assert_int_equal(bench_stats(&b).refused_connections, 0);
    for (unsigned i = 1; i < 5; i++) {
        close(fds[i]);
    }
    bench_close(&b);
}

static void test_limit_of_a_uid(void **state)
{
    struct bench b;
    struct sockaddr_un address;
    socklen_t length;
    int fds[4];
    (void)state;
    bench_open(&b, &(struct grpc_limits){.max_connections_uid = 2});
    listen_somewhere(&b, &address, &length);
    for (unsigned i = 0; i < 4; i++) {
        fds[i] = connect_to(&address, length);
    }
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 2);
    assert_int_equal(bench_stats(&b).refused_connections, 2);
    assert_true(raw_closed(&b, fds[2]));
    assert_false(raw_closed(&b, fds[1]));
    close(fds[0]);
    poll_loop_settle(b.loop, 100);
    int again = connect_to(&address, length);
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 2);
    close(again);
    for (unsigned i = 1; i < 4; i++) {
        close(fds[i]);
    }
    bench_close(&b);
}

/* No descriptor left: a pause, and later the client that waited gets in. */
static void test_no_descriptors(void **state)
{
    struct bench b;
    struct sockaddr_un address;
    socklen_t length;
    struct rlimit limit, small;
    (void)state;
    bench_open(&b, NULL);
    listen_somewhere(&b, &address, &length);
    int fd = connect_to(&address, length);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    small = limit;
    small.rlim_cur = (rlim_t)fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    unsigned rounds = poll_loop_settle(b.loop, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_in_range(rounds, 1, 3);
    assert_int_equal(bench_stats(&b).connections, 0);
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 0);
    poll_loop_advance(b.loop, 100 * NS_PER_MS);
    poll_loop_settle(b.loop, 100);
    assert_int_equal(bench_stats(&b).connections, 1);
    close(fd);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_pauses),
        cmocka_unit_test(test_limit_of_a_uid),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
