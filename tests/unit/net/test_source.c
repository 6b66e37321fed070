/* Source selection (RFC 6724 in small) and destinations that nobody may open to (MUST-46). */
#include <errno.h>

#include "world.h"

static void expect_source(struct world *w, const char *dst, const char *want)
{
    struct ip_addr d = addr(dst), src, expected = addr(want);
    uint32_t mtu = 0;
    char text[IP_ADDR_TEXT];
    assert_int_equal(net_source_for(w->net, &d, NULL, &src, &mtu), 0);
    if (!ip_addr_equal(&src, &expected)) {
        fail_msg("towards %s: %s, not %s", dst, ip_addr_format(&src, text), want);
    }
    assert_int_equal(mtu, 1500);
}

static int source_error(struct world *w, const char *dst, const char *want)
{
    struct ip_addr d = addr(dst), s = want ? addr(want) : (struct ip_addr){{0}}, src;
    uint32_t mtu;
    return net_source_for(w->net, &d, want ? &s : NULL, &src, &mtu);
}

static struct world *with_many(void)
{
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, "fe80::1/64");
    world_address(w, "2001:db8:a::1/64");
    world_address(w, "2001:db8:b::1/64");
    world_address(w, "10.0.0.1/24");
    world_address(w, "10.9.0.1/16");
    struct net_route r4 = {prefix("0.0.0.0/0"), addr("10.9.0.254")};
    struct net_route r6 = {prefix("::/0"), addr("2001:db8:b::fe")};
    assert_int_equal(net_route_add(w->net, &r4), 0);
    assert_int_equal(net_route_add(w->net, &r6), 0);
    world_pass(w, 10 * NS_PER_S);
    return w;
}

static void test_rules(void **state) /* MUST-44 */
{
    (void)state;
    struct world *w = with_many();
    expect_source(w, "10.0.0.77", "10.0.0.1"); /* its own subnet */
    expect_source(w, "10.9.3.3", "10.9.0.1");
    expect_source(w, "10.0.0.1", "10.0.0.1");  /* rule 1 */
    expect_source(w, "192.0.2.1", "10.9.0.1"); /* rule 5.5: the gateway's subnet */
    expect_source(w, "2001:db8:a::7", "2001:db8:a::1");
    expect_source(w, "2001:db8:b::7", "2001:db8:b::1");
    expect_source(w, "2001:4860::1", "2001:db8:b::1"); /* rule 2 keeps fe80::1 out, 5.5 chooses */
    expect_source(w, "fe80::7", "fe80::1");            /* rule 2 */
    world_free(w);
}

static void test_preferred_before_optimistic(void **state)
{
    (void)state;
    struct world *w = with_many();
    world_address(w, "2001:db8:a::2/128"); /* optimistic; a longer match for ::3 */
    expect_source(w, "2001:db8:a::3", "2001:db8:a::1");
    world_free(w);
    w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, "2001:db8:a::2/64");
    expect_source(w, "2001:db8:a::3", "2001:db8:a::2"); /* better than none */
    world_free(w);
}

static void test_wanted(void **state)
{
    (void)state;
    struct world *w = with_many();
    assert_int_equal(source_error(w, "192.0.2.1", "10.0.0.1"), 0);
    assert_int_equal(source_error(w, "192.0.2.1", "0.0.0.0"), 0);
    assert_int_equal(source_error(w, "192.0.2.1", "::"), 0);
    assert_int_equal(source_error(w, "192.0.2.1", "10.0.0.2"), -EADDRNOTAVAIL);
    assert_int_equal(source_error(w, "192.0.2.1", "2001:db8:a::1"), -EADDRNOTAVAIL);
    world_free(w);
}

static void test_invalid_destinations(void **state)
{
    (void)state;
    static const char *invalid[] = {"0.0.0.0", "0.1.2.3",         "224.0.0.1",  "240.0.0.1",   "::",
                                    "ff02::1", "255.255.255.255", "10.0.0.255", "10.9.255.255"};
    struct world *w = with_many();
    for (unsigned i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        assert_int_equal(source_error(w, invalid[i], NULL), -EADDRNOTAVAIL);
    }
    world_free(w);
}

static void test_no_way(void **state)
{
    (void)state;
    struct world *w = world_settled();
    assert_int_equal(source_error(w, "192.0.2.1", NULL), -ENETUNREACH);
    assert_int_equal(source_error(w, "2001:db8:1::1", NULL), -ENETUNREACH);
    world_free(w);
    /* a route, and no address of the family to speak from */
    w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, "10.0.0.1/24");
    assert_int_equal(source_error(w, "fe80::7", NULL), -ENETUNREACH);
    world_address(w, "::1/128");
    assert_int_equal(source_error(w, "fe80::7", NULL), -ENETUNREACH);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),  cmocka_unit_test(test_preferred_before_optimistic),
        cmocka_unit_test(test_wanted), cmocka_unit_test(test_invalid_destinations),
        cmocka_unit_test(test_no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
