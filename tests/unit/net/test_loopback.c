/* Packets to ourselves: no link needed, one turn later, whole. */
#include <errno.h>
#include <string.h>

#include "world.h"

static struct world *without_link(void)
{
    struct world *w = world_new(NET_LINK_NONE, 0);
    world_address(w, "10.0.0.1/24");
    world_address(w, "10.0.0.2/24");
    world_address(w, "2001:db8::1/64");
    world_address(w, "127.0.0.1/8");
    world_address(w, "::1/128");
    return w;
}

static void expect_delivered(struct world *w, const char *from, const char *to)
{
    struct ip_addr s = addr(from), d = addr(to);
    fake_tcp_script(w->engine, &s, &d, "hello", 5);
    world_flush(w);
    assert_int_equal(w->engine->inputs, 0); /* never in the same call */
    assert_true(time_equal(net_next_deadline(w->net, w->now), w->now));
    net_timeout(w->net, w->now);
    assert_int_equal(w->engine->inputs, 1);
    const struct tcp_rx *rx = &w->engine->rx;
    assert_true(ip_addr_equal(&rx->src, &s) && ip_addr_equal(&rx->dst, &d));
    assert_true(rx->checksum_ok);
    assert_false(rx->to_group);
    assert_int_equal(rx->length, 25);
    assert_int_equal(rx->ttl, 64);
    assert_int_equal(rx->mtu, 1500);
    assert_memory_equal(w->engine->segment + 20, "hello", 5);
    assert_true(time_is_never(net_next_deadline(w->net, w->now)));
    assert_null(world_next(w));
    w->engine->inputs = 0;
}

static void test_own_addresses(void **state)
{
    (void)state;
    struct world *w = without_link();
    expect_delivered(w, "10.0.0.1", "10.0.0.2");
    expect_delivered(w, "10.0.0.1", "10.0.0.1");
    expect_delivered(w, "2001:db8::1", "2001:db8::1");
    expect_delivered(w, "127.0.0.1", "127.0.0.1");
    expect_delivered(w, "::1", "::1");
    expect_delivered(w, "127.0.0.1", "10.0.0.1");
    assert_int_equal(net_counters(w->net)->loopback_packets, 6);
    world_free(w);
}

static void test_beside_a_link(void **state)
{
    (void)state;
    struct world *w = world_settled();
    expect_delivered(w, "10.0.0.1", "10.0.0.1");
    expect_delivered(w, "2001:db8::1", "2001:db8::1");
    world_free(w);
}

static void test_super_frame_stays_one(void **state)
{
    (void)state;
    struct world *w = without_link();
    static uint8_t payload[60000];
    memset(payload, 0x5a, sizeof payload);
    static const char *us[] = {"10.0.0.1", "2001:db8::1"};
    for (int i = 0; i < 2; i++) {
        struct ip_addr a = addr(us[i]);
        struct tcp_tx *tx = fake_tcp_script(w->engine, &a, &a, payload, sizeof payload);
        tx->gso_size = 1448;
        tx->checksum_partial = true;
        world_pass(w, 0);
        assert_int_equal(w->engine->inputs, 1 + i);
        assert_int_equal(w->engine->rx.gso_size, 1448);
        assert_int_equal(w->engine->rx.length, 20 + sizeof payload);
        assert_true(w->engine->rx.checksum_ok);
        assert_memory_equal(w->engine->segment + 20, payload, sizeof payload);
    }
    assert_int_equal(dropped(w, NET_DROP_OFFLOAD_INVALID), 0);
    /* no device had a part in it */
    assert_int_equal(net_counters(w->net)->checksum_by_device, 0);
    world_free(w);
}

/* Loopback addresses exist only when configured, never reach the link, and never come from it. */
static void test_loopback_addresses(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr src, lo = addr("127.0.0.1"), lo6 = addr("::1"), other = addr("127.0.0.2");
    uint32_t mtu;
    assert_int_equal(net_source_for(w->net, &lo, NULL, &src, &mtu), -ENETUNREACH);
    assert_int_equal(net_source_for(w->net, &lo6, NULL, &src, &mtu), -ENETUNREACH);
    world_address(w, "127.0.0.1/8");
    world_address(w, "::1/128");
    assert_int_equal(net_source_for(w->net, &lo, NULL, &src, &mtu), 0);
    assert_true(ip_addr_equal(&src, &lo));
    assert_int_equal(net_source_for(w->net, &other, NULL, &src, &mtu), -ENETUNREACH);

    struct ip_addr peer = addr("10.0.0.2");
    assert_int_equal(net_source_for(w->net, &peer, &lo, &src, &mtu), -EADDRNOTAVAIL);
    static struct frame f;
    put_tcp(&f, "10.0.0.2", "127.0.0.1", 0);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_IP_DESTINATION), 1);
    put_tcp(&f, "127.0.0.1", "10.0.0.1", 0);
    world_input(w, &f);
    put_tcp(&f, "::1", "2001:db8::1", 0);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_IP_SOURCE_INVALID), 2);
    world_free(w);
}

/* One call takes at most its budget; whoever follows net_next_deadline() loses nothing. */
static void test_bounded_per_call(void **state)
{
    (void)state;
    struct world *w = without_link();
    struct ip_addr us = addr("10.0.0.1");
    for (unsigned i = 0; i < 1000; i++) {
        fake_tcp_script(w->engine, &us, &us, NULL, 0);
    }
    struct net_frame frame;
    assert_false(net_flush(w->net, w->now, &frame));
    assert_in_range(net_counters(w->net)->loopback_packets, 1, 64);
    world_pass(w, 0);
    assert_int_equal(w->engine->inputs, 1000);
    assert_int_equal(dropped(w, NET_DROP_LOOPBACK_FULL), 0);
    world_free(w);
}

static void test_full_is_a_local_drop(void **state)
{
    (void)state;
    struct world *w = without_link();
    struct ip_addr us = addr("10.0.0.1");
    for (unsigned i = 0; i < 600; i++) {
        fake_tcp_script(w->engine, &us, &us, NULL, 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        world_flush(w);
    }
    assert_int_equal(dropped(w, NET_DROP_LOOPBACK_FULL), 600 - 512);
    assert_int_equal(w->engine->failed[TCP_TX_LOCAL_DROP], 600 - 512);
    world_free(w);
}

static void test_bounded_in_bytes(void **state)
{
    (void)state;
    struct world *w = without_link();
    struct ip_addr us = addr("10.0.0.1");
    static uint8_t payload[60000];
    for (unsigned i = 0; i < 300; i++) {
        fake_tcp_script(w->engine, &us, &us, payload, sizeof payload);
    }
    for (unsigned i = 0; i < 100; i++) {
        world_flush(w);
    }
    assert_int_equal(dropped(w, NET_DROP_LOOPBACK_FULL), 300 - (16u << 20) / 60040);
    world_free(w);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    struct world *w = without_link();
    struct ip_addr us = addr("10.0.0.1");
    static uint8_t payload[60000];
    fake_tcp_script(w->engine, &us, &us, payload, sizeof payload);
    world_starve(w);
    world_flush(w);
    assert_int_equal(dropped(w, NET_DROP_NO_MEMORY), 1);
    assert_int_equal(w->engine->failed[TCP_TX_LOCAL_DROP], 1);
    world_free(w);
}

static void test_nothing_else_without_a_link(void **state)
{
    (void)state;
    struct world *w = without_link();
    struct ip_addr us = addr("10.0.0.1"), peer = addr("10.0.0.3"), src;
    uint32_t mtu;
    assert_int_equal(net_source_for(w->net, &peer, NULL, &src, &mtu), -ENETUNREACH);
    fake_tcp_script(w->engine, &us, &peer, NULL, 0);
    world_flush(w);
    assert_int_equal(w->engine->failed[TCP_TX_UNREACHABLE], 1);
    assert_int_equal(w->engine->error, ENETUNREACH);
    static struct frame f;
    put_tcp(&f, "10.0.0.3", "10.0.0.1", 0);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_NOT_FOR_US), 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_addresses),
        cmocka_unit_test(test_beside_a_link),
        cmocka_unit_test(test_super_frame_stays_one),
        cmocka_unit_test(test_loopback_addresses),
        cmocka_unit_test(test_bounded_per_call),
        cmocka_unit_test(test_full_is_a_local_drop),
        cmocka_unit_test(test_bounded_in_bytes),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_nothing_else_without_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
