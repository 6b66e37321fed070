/* The host owns 127.0.0.1, and nobody owns an address of the documentation's (RFC 5737). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include "host/check.h"

static void finds_an_address_of_the_host(void **state)
{
    (void)state;
    const struct ip_prefix ours[] = {{ip_addr_v4(192, 0, 2, 77), 24},
                                     {ip_addr_v4(127, 0, 0, 1), 8}};
    struct ip_addr conflict;
    char interface[16];
    int r = check_conflict(ours, 2, &conflict, interface);
    if (r == 0) {
        skip(); /* a namespace whose loopback is down has no addresses at all */
    }
    assert_int_equal(r, -EADDRINUSE);
    assert_true(ip_addr_equal(&conflict, &ours[1].addr));
    assert_string_equal(interface, "lo");
}

static void lets_a_foreign_address_pass(void **state)
{
    (void)state;
    const struct ip_prefix ours[] = {{ip_addr_v4(192, 0, 2, 77), 24}};
    struct ip_addr conflict;
    char interface[16];
    assert_int_equal(check_conflict(ours, 1, &conflict, interface), 0);
    assert_int_equal(check_conflict(NULL, 0, &conflict, interface), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_an_address_of_the_host),
        cmocka_unit_test(lets_a_foreign_address_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
