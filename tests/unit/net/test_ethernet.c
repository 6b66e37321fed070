/* Which frames are ours, and which offload headers are believed. */
#include <string.h>

#include "world.h"

static struct frame f;

static void test_destinations(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 5);
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 1);
    assert_false(w->engine->rx.to_group);
    assert_int_equal(w->engine->rx.length, 25);
    assert_int_equal(w->engine->rx.ttl, 64);
    memcpy(f.b, other_mac, 6);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_NOT_FOR_US), 1);
    memcpy(f.b, broadcast_mac, 6); /* the link's group counts even when the IP address is ours */
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 2);
    assert_true(w->engine->rx.to_group);
    assert_int_equal(net_counters(w->net)->in_frames, 3);
    assert_int_equal(net_counters(w->net)->in_bytes, 3 * f.length);
    world_free(w);
}

static void test_padding_is_not_payload(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 0);
    put_bytes(&f, "padding", 6);
    world_input(w, &f);
    assert_int_equal(w->engine->rx.length, 20);
    put_tcp(&f, "2001:db8::2", "2001:db8::1", 1);
    put_bytes(&f, "padding", 6);
    world_input(w, &f);
    assert_int_equal(w->engine->rx.length, 21);
    world_free(w);
}

static void insert_tag(uint16_t tci)
{
    memmove(f.b + 16, f.b + 12, f.length - 12);
    f.length += 4;
    f.b[12] = 0x81;
    f.b[13] = 0;
    f.b[14] = (uint8_t)(tci >> 8);
    f.b[15] = (uint8_t)tci;
}

static void test_tags(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 5);
    insert_tag(0xa000); /* priority only */
    f.offload = (struct net_offload){.needs_checksum = true, .csum_start = 38, .csum_offset = 16};
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 1);
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 5);
    insert_tag(5);
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 1);
    assert_int_equal(dropped(w, NET_DROP_ETHERTYPE_UNKNOWN), 1);
    world_free(w);
}

static void test_checksum_verdicts(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 5);
    world_input(w, &f);
    assert_false(w->engine->rx.checksum_ok); /* the engine's to check */
    f.offload = (struct net_offload){.data_valid = true};
    world_input(w, &f);
    assert_true(w->engine->rx.checksum_ok);
    f.offload = (struct net_offload){.needs_checksum = true, .csum_start = 34, .csum_offset = 16};
    world_input(w, &f);
    assert_true(w->engine->rx.checksum_ok);
    assert_int_equal(net_counters(w->net)->checksum_by_device, 2);
    world_free(w);
}

static void test_super_frames(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 60000);
    f.offload = (struct net_offload){
        .needs_checksum = true, .csum_start = 34, .csum_offset = 16, .gso_size = 1448};
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 1);
    assert_int_equal(w->engine->rx.gso_size, 1448);
    assert_int_equal(w->engine->rx.length, 60020);
    put_tcp(&f, "2001:db8::2", "2001:db8::1", 60000);
    f.offload = (struct net_offload){.needs_checksum = true,
                                     .csum_start = 54,
                                     .csum_offset = 16,
                                     .gso_size = 1428,
                                     .gso_v6 = true};
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 2);
    assert_int_equal(w->engine->rx.gso_size, 1428);
    world_free(w);
}

static void refuse(struct world *w, struct net_offload offload)
{
    uint64_t before = dropped(w, NET_DROP_OFFLOAD_INVALID);
    f.offload = offload;
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_OFFLOAD_INVALID), before + 1);
    assert_int_equal(w->engine->inputs, 0);
}

/* What would slip a segment past its checksum, or make segments of what is none. */
static void test_contradictions(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct net_offload good = {.needs_checksum = true, .csum_start = 34, .csum_offset = 16}, o;
    put_tcp(&f, "10.0.0.2", "10.0.0.1", 100);
    o = good, o.csum_start = 35;
    refuse(w, o);
    o = good, o.csum_offset = 15;
    refuse(w, o);
    o = good, o.csum_start = 13; /* in the link header */
    refuse(w, o);
    o = good, o.csum_start = (uint16_t)f.length; /* behind the end */
    refuse(w, o);
    o = good, o.csum_start = UINT16_MAX, o.csum_offset = UINT16_MAX;
    refuse(w, o);
    refuse(w, (struct net_offload){.gso_size = 50}); /* nobody vouches for the sum */
    o = good, o.gso_size = 50, o.gso_v6 = true;
    refuse(w, o);
    put_tcp(&f, "2001:db8::2", "2001:db8::1", 100);
    o = good, o.csum_start = 54, o.gso_size = 50;
    refuse(w, o);

    put_ip(&f, "10.0.0.2", "10.0.0.1", IP_PROTOCOL_UDP, 30);
    put_bytes(&f, NULL, 30);
    refuse(w, good); /* UDP's is at 6 */
    o = good, o.csum_offset = 6, o.gso_size = 10;
    refuse(w, o);
    struct icmp_msg echo = {.type = ICMP4_ECHO};
    put_icmp(&f, "10.0.0.2", "10.0.0.1", &echo);
    o = good, o.csum_offset = 2;
    refuse(w, o);
    put_icmp(&f, "2001:db8::2", "2001:db8::1", &echo);
    o = good, o.csum_start = 54, o.csum_offset = 2;
    refuse(w, o);
    put_ip(&f, "10.0.0.2", "10.0.0.1", 132, 30);
    put_bytes(&f, NULL, 30);
    o = good, o.csum_start = 20; /* in the IP header */
    refuse(w, o);
    put_ip(&f, "2001:db8::2", "2001:db8::1", 132, 30);
    put_bytes(&f, NULL, 30);
    refuse(w, (struct net_offload){.data_valid = true, .gso_size = 9, .gso_v6 = true});
    put_arp(&f, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
    refuse(w, (struct net_offload){.needs_checksum = true, .csum_start = 14});
    refuse(w, (struct net_offload){.data_valid = true, .gso_size = 9});
    assert_int_equal(dropped(w, NET_DROP_IP_PROTOCOL), 0);
    world_free(w);
}

static void test_udp_under_offload_is_refused_as_udp(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, "10.0.0.2");
    put_ip(&f, "10.0.0.2", "10.0.0.1", IP_PROTOCOL_UDP, 30);
    put_bytes(&f, NULL, 30);
    f.offload = (struct net_offload){.needs_checksum = true, .csum_start = 34, .csum_offset = 6};
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_IP_PROTOCOL), 1);
    world_flush(w);
    struct icmp_msg msg;
    struct ip_addr src, dst;
    assert_true(is_icmp(world_next(w), &msg, &src, &dst));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_padding_is_not_payload),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_checksum_verdicts),
        cmocka_unit_test(test_super_frames),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_udp_under_offload_is_refused_as_udp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
