/* The soft limit of descriptors becomes the hard one, and can really be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <unistd.h>
#include "host/descriptors.h"

static void descriptors_up_to_the_hard_limit(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_max = limit.rlim_max < 200 ? limit.rlim_max : 200;
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(dup2(STDERR_FILENO, 150), -1);
    assert_int_equal(descriptors_raise(), limit.rlim_max);
    assert_int_equal(dup2(STDERR_FILENO, 150), 150);
    close(150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_up_to_the_hard_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
