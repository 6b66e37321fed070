/* What systemd hears, on a datagram socket of this test in systemd's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "host/loop.h"
#include "host/notify.h"

static int systemd;
static char heard[512];
static struct loop *loop;

/* An abstract address of this process (unix(7)): nothing to clean up. */
static int be_systemd(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int n = snprintf(name, sizeof name, "@ackd-notify-%ld", (long)getpid());
    memcpy(address.sun_path, name, (size_t)n);
    address.sun_path[0] = '\0';
    systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setenv("NOTIFY_SOCKET", name, 1);
    unsetenv("WATCHDOG_USEC");
    loop = loop_new();
    return loop == NULL ||
           bind(systemd, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) < 0;
}

static int leave(void **state)
{
    (void)state;
    loop_free(loop);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    return close(systemd);
}

static const char *next_word(void)
{
    ssize_t n = recv(systemd, heard, sizeof heard - 1, 0);
    heard[n < 0 ? 0 : n] = '\0';
    return heard;
}

static void says_ready_and_stopping(void **state)
{
    (void)state;
    struct notify *n = notify_new(loop, "all is well");
    assert_non_null(n);
    assert_string_equal(next_word(), "READY=1\nSTATUS=all is well");
    notify_stopping();
    assert_string_equal(next_word(), "STOPPING=1");
    assert_string_equal(next_word(), "");
    notify_free(n);
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

static void beats_for_the_watchdog(void **state)
{
    (void)state;
    setenv("WATCHDOG_USEC", "2000", 1); /* a beat each millisecond */
    struct notify *n = notify_new(loop, "");
    struct loop_timer *end = loop_timer_new(loop, stop_loop, loop);
    assert_non_null(n);
    next_word();
    assert_string_equal(next_word(), "WATCHDOG=1");
    assert_string_equal(next_word(), "");
    loop_timer_at(end, time_add(loop_now(loop), 10 * NS_PER_MS));
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(next_word(), "WATCHDOG=1");
    loop_timer_free(end);
    notify_free(n);
}

static void without_systemd_nothing_happens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    struct notify *n = notify_new(loop, "nobody listens");
    assert_non_null(n);
    assert_string_equal(next_word(), "");
    notify_free(n);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, be_systemd, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(says_ready_and_stopping),
        WITH(beats_for_the_watchdog),
        WITH(without_systemd_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
