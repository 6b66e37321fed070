/* Path MTU: learnt, bounded, believed only as far as the engine believes, forgotten after ten
 * minutes. */
#include <string.h>

#include "world.h"

#define US4 "10.0.0.1"
#define GATEWAY4 "10.0.0.254"
#define FAR4 "192.0.2.9"
#define US6 "2001:db8::1"
#define GATEWAY6 "2001:db8::fe"
#define FAR6 "2001:db8:1::9"

static struct frame f;

static struct world *routed(void)
{
    struct world *w = world_settled();
    struct net_route r4 = {prefix("0.0.0.0/0"), addr(GATEWAY4)};
    struct net_route r6 = {prefix("::/0"), addr(GATEWAY6)};
    assert_int_equal(net_route_add(w->net, &r4), 0);
    assert_int_equal(net_route_add(w->net, &r6), 0);
    return w;
}

static uint32_t mtu_to(const struct world *w, const char *to)
{
    struct ip_addr d = addr(to), src;
    uint32_t mtu = 0;
    assert_int_equal(net_source_for(w->net, &d, NULL, &src, &mtu), 0);
    return mtu;
}

static void too_big(struct world *w, const char *far, uint32_t mtu)
{
    struct ip_addr d = addr(far);
    if (ip_addr_is_v4(&d)) {
        put_error(&f, GATEWAY4, US4, far, ICMP4_UNREACHABLE, ICMP4_UNREACH_FRAGMENTATION, mtu);
    } else {
        put_error(&f, GATEWAY6, US6, far, ICMP6_TOO_BIG, 0, mtu);
    }
    world_input(w, &f);
}

static void test_lowered(void **state)
{
    (void)state;
    static const char *far[] = {FAR4, FAR6};
    for (int i = 0; i < 2; i++) {
        struct world *w = routed();
        assert_int_equal(mtu_to(w, far[i]), 1500);
        too_big(w, far[i], 1400);
        assert_int_equal(w->engine->icmp.mtu, 1400);
        assert_int_equal(mtu_to(w, far[i]), 1400);
        assert_int_equal(mtu_to(w, i == 0 ? "192.0.2.10" : "2001:db8:1::a"), 1500);
        /* what comes from there carries the number */
        put_tcp(&f, far[i], i == 0 ? US4 : US6, 0);
        world_input(w, &f);
        assert_int_equal(w->engine->rx.mtu, 1400);
        too_big(w, far[i], 1450); /* never raised by a message (RFC 8201 section 4) */
        assert_int_equal(w->engine->icmp.mtu, 1400);
        assert_int_equal(mtu_to(w, far[i]), 1400);
        too_big(w, far[i], 1300);
        assert_int_equal(mtu_to(w, far[i]), 1300);
        world_free(w);
    }
}

static void test_never_too_small(void **state)
{
    (void)state;
    struct world *w = routed();
    too_big(w, FAR4, 68);
    assert_int_equal(w->engine->icmp.mtu, 552);
    assert_int_equal(mtu_to(w, FAR4), 552);
    too_big(w, FAR6, 1279); /* to be discarded (RFC 8201 section 4) */
    assert_int_equal(w->engine->icmps, 1);
    assert_int_equal(dropped(w, NET_DROP_ICMP_TYPE), 1);
    assert_int_equal(mtu_to(w, FAR6), 1500);
    too_big(w, FAR6, 1280);
    assert_int_equal(mtu_to(w, FAR6), 1280);
    world_free(w);
}

/* RFC 1191 section 5: a router that names no MTU; the quoted packet has 1020 bytes. */
static void test_plateau(void **state)
{
    (void)state;
    struct world *w = routed();
    too_big(w, FAR4, 0);
    assert_int_equal(w->engine->icmp.mtu, 1006);
    assert_int_equal(mtu_to(w, FAR4), 1006);
    world_free(w);
}

static void test_engine_refuses(void **state)
{
    (void)state;
    struct world *w = routed();
    w->engine->icmp_bad_sequence = true;
    too_big(w, FAR4, 600);
    assert_int_equal(w->engine->icmps, 1);
    assert_int_equal(mtu_to(w, FAR4), 1500);
    world_free(w);
}

static void test_expires(void **state)
{
    (void)state;
    struct world *w = routed();
    too_big(w, FAR4, 1400);
    assert_true(time_is_never(net_next_deadline(w->net, w->now)));
    world_pass(w, 600 * NS_PER_S - 1);
    assert_int_equal(mtu_to(w, FAR4), 1400);
    world_pass(w, 1);
    assert_int_equal(mtu_to(w, FAR4), 1500);
    too_big(w, FAR4, 1450);
    assert_int_equal(mtu_to(w, FAR4), 1450);
    world_free(w);
}

static void test_bounded(void **state)
{
    (void)state;
    struct world *w = routed();
    char text[IP_ADDR_TEXT];
    struct ip_addr d = addr(FAR6);
    struct arena_stats before, after;
    for (unsigned i = 0; i < 1024; i++) {
        d.b[13] = (uint8_t)(i >> 8);
        d.b[14] = (uint8_t)i;
        too_big(w, ip_addr_format(&d, text), 1300);
    }
    arena_stats(w->arena, &before);
    d.b[12] = 1;
    too_big(w, ip_addr_format(&d, text), 1300);
    arena_stats(w->arena, &after);
    assert_int_equal(after.used, before.used);
    assert_int_equal(mtu_to(w, text), 1300);
    assert_int_equal(mtu_to(w, FAR6), 1500); /* the oldest made room */
    d.b[12] = 0;
    assert_int_equal(mtu_to(w, ip_addr_format(&d, text)), 1300);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lowered), cmocka_unit_test(test_never_too_small),
        cmocka_unit_test(test_plateau), cmocka_unit_test(test_engine_refuses),
        cmocka_unit_test(test_expires), cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
