/* Signals arrive in callbacks, and SIGPIPE kills nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <unistd.h>
#include "host/loop.h"
#include "host/signals.h"

struct seen {
    struct loop *loop;
    int signals[4];
    unsigned n;
};

static void on_signal(void *arg, int signal)
{
    struct seen *s = arg;
    s->signals[s->n++] = signal;
    if (signal == SIGTERM) {
        loop_stop(s->loop);
    } else {
        raise(SIGTERM);
    }
}

static void they_come_between_callbacks(void **state)
{
    (void)state;
    struct seen s = {.loop = loop_new()};
    assert_non_null(s.loop);
    struct signals *signals = signals_new(s.loop, on_signal, &s);
    assert_non_null(signals);
    raise(SIGPIPE);
    raise(SIGHUP);
    assert_int_equal(s.n, 0);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.signals[0], SIGHUP);
    assert_int_equal(s.signals[1], SIGTERM);
    signals_free(signals);
    loop_free(s.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_between_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
