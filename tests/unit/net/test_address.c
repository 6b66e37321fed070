/* The table of our addresses. */
#include <errno.h>

#include "world.h"

static int add(struct world *w, const char *text)
{
    struct ip_prefix p = prefix(text);
    return net_address_add(w->net, w->now, &p);
}

static void test_what_a_host_cannot_have(void **state)
{
    (void)state;
    static const char *invalid[] = {
        "0.0.0.0/0",     "0.1.2.3/8", "224.0.0.1/24", "240.0.0.1/24", "10.0.0.0/24",
        "10.0.0.255/24", "::/64",     "ff02::1/64",   "10.0.0.1/0",   "255.255.255.255/32"};
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    for (unsigned i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        assert_int_equal(add(w, invalid[i]), -EINVAL);
    }
    assert_int_equal(add(w, "10.0.0.0/31"), 0); /* RFC 3021 */
    assert_int_equal(add(w, "10.1.0.0/32"), 0);
    assert_int_equal(add(w, "10.1.0.0/32"), -EEXIST);
    assert_int_equal(add(w, "2001:db8::/64"), 0);
    world_free(w);
}

static void test_bounded(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    struct ip_prefix p = prefix("2001:db8::1/64");
    for (unsigned i = 0; i < 64; i++) {
        p.addr.b[15] = (uint8_t)(i + 1);
        assert_int_equal(net_address_add(w->net, w->now, &p), 0);
    }
    p.addr.b[15] = 100;
    assert_int_equal(net_address_add(w->net, w->now, &p), -ENOSPC);
    struct net_address list[64];
    assert_int_equal(net_address_list(w->net, list, 64), 64);
    assert_int_equal(net_address_list(w->net, list, 5), 5);
    world_free(w);
}

static void test_remove(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr us = addr("10.0.0.1"), six = addr("2001:db8::1"), none = addr("10.0.0.9");
    assert_int_equal(net_address_remove(w->net, w->now, &none), -ENOENT);
    assert_int_equal(net_address_remove(w->net, w->now, &us), 0);
    assert_int_equal(w->engine->removed, 1); /* MUST-45 */
    assert_true(ip_addr_equal(&w->engine->removed_address, &us));
    assert_false(net_is_local(w->net, &us));
    assert_true(net_is_local(w->net, &six));
    static struct frame f;
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 0);
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 0);
    assert_int_equal(dropped(w, NET_DROP_IP_DESTINATION), 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_host_cannot_have),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
