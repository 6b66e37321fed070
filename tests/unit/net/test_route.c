/* Longest prefix, gateways, and what a removed address does to the routes behind it. */
#include <errno.h>

#include "world.h"

static int add(struct world *w, const char *p, const char *gateway)
{
    struct net_route r = {.prefix = prefix(p)};
    if (gateway) {
        r.gateway = addr(gateway);
    }
    return net_route_add(w->net, &r);
}

/* Whom a packet from us to `dst` makes us ask for, or NULL when it goes nowhere. */
static void expect_hop(struct world *w, const char *dst, const char *hop)
{
    struct ip_addr d = addr(dst), us = addr(ip_addr_is_v4(&d) ? "10.0.0.1" : "2001:db8::1");
    world_forget(w);
    fake_tcp_script(w->engine, &us, &d, NULL, 0);
    world_flush(w);
    struct sent_frame *s = world_next(w);
    if (!hop) {
        assert_null(s);
        return;
    }
    struct ip_addr h = addr(hop);
    struct arp_msg arp;
    struct ndp_msg ndp;
    struct ipv6_hdr ip;
    if (ip_addr_is_v4(&d)) {
        assert_true(is_arp(s, &arp));
        assert_true(ip_addr_equal(&arp.target_ip, &h));
    } else {
        assert_true(is_ndp(s, &ndp, &ip));
        assert_true(ip_addr_equal(&ndp.target, &h));
    }
    assert_int_equal(net_neighbour_remove(w->net, &h), 0);
}

static void test_longest_prefix(void **state)
{
    (void)state;
    struct world *w = world_settled();
    assert_int_equal(add(w, "0.0.0.0/0", "10.0.0.254"), 0);
    assert_int_equal(add(w, "192.0.2.0/24", "10.0.0.253"), 0);
    assert_int_equal(add(w, "192.0.2.128/25", "10.0.0.252"), 0);
    assert_int_equal(add(w, "192.0.2.200/32", NULL), 0);
    assert_int_equal(add(w, "10.0.0.128/25", "10.0.0.251"), 0);
    assert_int_equal(add(w, "10.0.0.0/24", "10.0.0.250"), 0); /* no longer than the connected one */
    expect_hop(w, "10.0.0.9", "10.0.0.9");
    expect_hop(w, "8.8.8.8", "10.0.0.254");
    expect_hop(w, "192.0.2.1", "10.0.0.253");
    expect_hop(w, "192.0.2.129", "10.0.0.252");
    expect_hop(w, "192.0.2.200", "192.0.2.200"); /* on link without being in a subnet of ours */
    expect_hop(w, "10.0.0.129", "10.0.0.251");   /* longer than the connected one */
    expect_hop(w, "2001:db8:9::1", NULL);
    assert_int_equal(dropped(w, NET_DROP_NO_ROUTE), 1);
    world_free(w);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct world *w = world_settled();
    assert_int_equal(add(w, "::/0", "fe80::fe"), 0); /* link-local gateways are always on link */
    expect_hop(w, "2001:db8::9", "2001:db8::9");
    expect_hop(w, "2001:db8:9::1", "fe80::fe");
    expect_hop(w, "fe80::9", "fe80::9");
    world_free(w);
}

static void test_errors(void **state)
{
    (void)state;
    struct world *w = world_settled();
    assert_int_equal(add(w, "0.0.0.0/0", "10.0.1.254"), -ENETUNREACH);
    assert_int_equal(add(w, "0.0.0.0/0", "10.0.0.1"), -ENETUNREACH); /* ourselves */
    assert_int_equal(add(w, "0.0.0.0/0", "2001:db8::fe"), -EINVAL);
    assert_int_equal(add(w, "0.0.0.0/0", "10.0.0.254"), 0);
    assert_int_equal(add(w, "0.0.0.0/0", "10.0.0.253"), -EEXIST);
    assert_int_equal(add(w, "192.0.2.7/24", "10.0.0.254"), 0);
    assert_int_equal(add(w, "192.0.2.0/24", "10.0.0.254"),
                     -EEXIST); /* the same but for host bits */
    struct ip_prefix p = prefix("192.0.2.0/24");
    assert_int_equal(net_route_remove(w->net, &p), 0);
    assert_int_equal(net_route_remove(w->net, &p), -ENOENT);
    struct net_route r = {prefix("2001:db8:1::/48"), addr("2001:db8::fe")};
    for (unsigned i = 0; i < 63; i++) {
        r.prefix.addr.b[5] = (uint8_t)(i + 1);
        assert_int_equal(net_route_add(w->net, &r), 0);
    }
    r.prefix.addr.b[5] = 100;
    assert_int_equal(net_route_add(w->net, &r), -ENOSPC);
    world_free(w);
}

static void test_list(void **state)
{
    (void)state;
    struct world *w = world_settled();
    assert_int_equal(add(w, "0.0.0.0/0", "10.0.0.254"), 0);
    struct net_route list[8];
    assert_int_equal(net_route_list(w->net, list, 8), 3);
    assert_int_equal(list[0].prefix.length, 24);
    assert_true(ip_addr_is_none(&list[0].gateway));
    assert_int_equal(list[2].prefix.length, 0);
    assert_int_equal(net_route_list(w->net, list, 2), 2);
    world_free(w);
}

static void test_gateway_out_of_reach(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_address(w, "10.7.0.1/24");
    world_flush(w);
    assert_int_equal(add(w, "0.0.0.0/0", "10.7.0.254"), 0);
    expect_hop(w, "8.8.8.8", "10.7.0.254");
    struct ip_addr a = addr("10.7.0.1");
    assert_int_equal(net_address_remove(w->net, w->now, &a), 0);
    expect_hop(w, "8.8.8.8", NULL);
    world_address(w, "10.7.0.1/24");
    world_flush(w);
    expect_hop(w, "8.8.8.8", "10.7.0.254");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_prefix),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_gateway_out_of_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
