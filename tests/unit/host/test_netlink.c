/* What needs no rights: reading the host's addresses, and the kernel's word on impossible requests.
 * The rest is tests/interop's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "host/netlink.h"

enum { MANY = 4096 };

struct found {
    struct ip_addr addr[MANY];
    unsigned n, stop_after;
};

static bool note(void *arg, const struct ip_addr *addr, int index)
{
    struct found *f = arg;
    assert_true(index > 0);
    if (f->n < MANY) {
        f->addr[f->n++] = *addr;
    }
    return f->n != f->stop_after;
}

static bool has(const struct found *f, const struct ip_addr *addr)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (ip_addr_equal(&f->addr[i], addr)) {
            return true;
        }
    }
    return false;
}

/* getifaddrs(3) is another way to the same list. */
static void finds_what_the_library_finds(void **state)
{
    (void)state;
    static struct found f;
    struct ifaddrs *list;
    unsigned compared = 0;
    assert_int_equal(netlink_addresses(note, &f), 0);
    assert_int_equal(getifaddrs(&list), 0);
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        struct ip_addr addr;
        if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET) {
            addr = ip_addr_from_v4(
                (const uint8_t *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)
                    ->sin_addr);
        } else if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET6) {
            addr = ip_addr_from_v6(
                (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)
                    ->sin6_addr);
        } else {
            continue;
        }
        compared++;
        assert_true(has(&f, &addr));
    }
    freeifaddrs(list);
    assert_int_equal(f.n, compared);
}

static void stops_when_told(void **state)
{
    (void)state;
    static struct found all, one = {.stop_after = 1};
    assert_int_equal(netlink_addresses(note, &all), 0);
    assert_int_equal(netlink_addresses(note, &one), 0);
    assert_int_equal(one.n, all.n == 0 ? 0 : 1);
}

static void tells_the_kernels_refusal(void **state)
{
    (void)state;
    const struct ip_prefix p = {ip_addr_v4(192, 0, 2, 1), 24};
    const int nowhere = INT32_MAX;
    int r = netlink_address_add(nowhere, &p);
    assert_true(r == -ENODEV || r == -EPERM);
    r = netlink_link_up(nowhere, 1500, 1000);
    assert_true(r == -ENODEV || r == -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_library_finds),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(tells_the_kernels_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
