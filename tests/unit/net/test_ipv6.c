/* RFC 8200 at the destination host. */
#include <string.h>

#include "world.h"

#define US "2001:db8::1"
#define PEER "2001:db8::2"

static struct frame f;

static void expect_drop(struct world *w, enum net_drop why)
{
    uint64_t before = dropped(w, why);
    unsigned inputs = w->engine->inputs;
    world_input(w, &f);
    assert_int_equal(dropped(w, why), before + 1);
    assert_int_equal(w->engine->inputs, inputs);
}

static void expect_taken(struct world *w, bool to_group)
{
    unsigned inputs = w->engine->inputs;
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, inputs + 1);
    assert_int_equal(w->engine->rx.to_group, to_group);
}

/* RFC 8200 section 3: the destination should not discard for a hop limit of zero. */
static void test_hop_limit_is_no_reason(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, PEER, US, 0);
    f.b[14 + 7] = 0;
    expect_taken(w, false);
    assert_int_equal(w->engine->rx.ttl, 0);
    world_free(w);
}

static void test_sources(void **state)
{
    (void)state;
    static const char *invalid[] = {"::", "::1", "ff02::2", US};
    struct world *w = world_settled();
    for (unsigned i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        put_tcp(&f, invalid[i], US, 0);
        expect_drop(w, NET_DROP_IP_SOURCE_INVALID);
    }
    struct icmp_msg echo = {.type = ICMP6_ECHO};
    put_icmp(&f, "::", US, &echo);
    expect_drop(w, NET_DROP_IP_SOURCE_INVALID);
    put_icmp(&f, US, US, &echo);
    expect_drop(w, NET_DROP_IP_SOURCE_INVALID);
    put_tcp(&f, "fe80::7", US, 0);
    expect_taken(w, false);
    world_free(w);
}

/* ::ffff:10.0.0.2 on an IPv6 wire must not pass for the IPv4 host. */
static void test_mapped_addresses(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr mapped = addr("10.0.0.2"), ours = addr("10.0.0.1");
    put_tcp(&f, PEER, US, 0);
    memcpy(f.b + 14 + 8, mapped.b, 16);
    expect_drop(w, NET_DROP_IP_SOURCE_INVALID);
    put_tcp(&f, PEER, US, 0);
    memcpy(f.b + 14 + 24, ours.b, 16);
    expect_drop(w, NET_DROP_IP_DESTINATION);
    world_free(w);
}

static void test_destinations(void **state)
{
    (void)state;
    static const char *groups[] = {"ff02::1", "ff01::1", "ff02::1:ff00:1"};
    static const char *foreign[] = {"2001:db8::3", "ff02::2", "ff02::1:ff00:2", "::1", "::"};
    struct world *w = world_settled();
    for (unsigned i = 0; i < 3; i++) {
        put_tcp(&f, PEER, groups[i], 0);
        expect_taken(w, true);
    }
    for (unsigned i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        put_tcp(&f, PEER, foreign[i], 0);
        expect_drop(w, NET_DROP_IP_DESTINATION);
    }
    world_free(w);
}

/* A TCP header behind `first`, whose eight bytes are `header`. */
static void put_behind(uint8_t first, const uint8_t header[8])
{
    put_ip(&f, PEER, US, first, 28);
    put_bytes(&f, header, 8);
    put_bytes(&f, NULL, 20);
}

static void test_extensions(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_behind(IPV6_HOP_BY_HOP, (const uint8_t[]){6, 0, 1, 4, 0, 0, 0, 0});
    expect_taken(w, false);
    assert_int_equal(w->engine->rx.length, 20);
    put_behind(IPV6_DESTINATION_OPTIONS, (const uint8_t[]){6, 0, 0x1e, 4, 0, 0, 0, 0});
    expect_taken(w, false); /* unknown, "skip" */
    put_behind(IPV6_ROUTING, (const uint8_t[]){6, 0, 0, 0, 0, 0, 0, 0});
    expect_taken(w, false); /* no segments left */
    put_behind(IPV6_ROUTING, (const uint8_t[]){6, 0, 0, 1, 0, 0, 0, 0});
    expect_drop(w, NET_DROP_IPV6_EXTENSION);
    put_behind(IPV6_FRAGMENT, (const uint8_t[]){6, 0, 0, 0, 0, 0, 0, 9});
    expect_taken(w, false); /* atomic (RFC 6946) */
    put_behind(IPV6_FRAGMENT, (const uint8_t[]){6, 0, 0, 1, 0, 0, 0, 9});
    expect_drop(w, NET_DROP_IP_FRAGMENT);
    put_behind(IPV6_FRAGMENT, (const uint8_t[]){6, 0, 0, 8, 0, 0, 0, 9});
    expect_drop(w, NET_DROP_IP_FRAGMENT);
    put_behind(IPV6_NO_NEXT_HEADER, (const uint8_t[8]){0});
    expect_drop(w, NET_DROP_IP_PROTOCOL);
    world_free(w);
}

/* The checksum's place follows the extension headers. */
static void test_offload_behind_extensions(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_behind(IPV6_DESTINATION_OPTIONS, (const uint8_t[]){6, 0, 1, 4, 0, 0, 0, 0});
    f.offload = (struct net_offload){.needs_checksum = true, .csum_start = 62, .csum_offset = 16};
    expect_taken(w, false);
    f.offload.csum_start = 54;
    expect_drop(w, NET_DROP_OFFLOAD_INVALID);
    world_free(w);
}

static void test_output_header(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    struct ip_addr us = addr(US), peer = addr(PEER);
    struct tcp_tx *tx = fake_tcp_script(w->engine, &us, &peer, "abc", 3);
    tx->ttl = 17;
    tx->tos = 0xb9;
    tx->flow_label = 0xabcde;
    world_flush(w);
    struct sent_frame *s = world_next(w);
    assert_true(is_tcp(s));
    struct ipv6_hdr ip;
    assert_int_equal(ipv6_hdr_parse(s->bytes + 14, s->length - 14, &ip), IPV6_OK);
    assert_int_equal(ip.hop_limit, 17);
    assert_int_equal(ip.traffic_class, 0xb9);
    assert_int_equal(ip.flow_label, 0xabcde);
    assert_int_equal(ip.payload_length, 23);
    assert_true(ip_addr_equal(&ip.src, &us) && ip_addr_equal(&ip.dst, &peer));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hop_limit_is_no_reason),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_mapped_addresses),
        cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_offload_behind_extensions),
        cmocka_unit_test(test_output_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
