/* Neighbour solicitations and advertisements (RFC 4861 section 7). The state machine is in
 * test_neighbour.c, detection in test_dad.c. */
#include <string.h>

#include "world.h"

#define US "2001:db8::1"
#define PEER "2001:db8::2"
#define GROUP "ff02::1:ff00:1"

static struct frame f;

static struct ndp_msg solicitation(bool with_mac)
{
    struct ndp_msg ns = {
        .type = ICMP6_NEIGHBOUR_SOLICITATION, .target = addr(US), .has_source_mac = with_mac};
    memcpy(ns.source_mac, peer_mac, 6);
    return ns;
}

static void expect_answer(struct world *w)
{
    struct ndp_msg msg;
    struct ipv6_hdr ip;
    struct ip_addr us = addr(US), peer = addr(PEER);
    world_flush(w);
    struct sent_frame *s = world_next(w);
    assert_true(is_ndp(s, &msg, &ip));
    assert_int_equal(msg.type, ICMP6_NEIGHBOUR_ADVERTISEMENT);
    assert_true(msg.solicited && msg.override && !msg.router);
    assert_true(msg.has_target_mac);
    assert_memory_equal(msg.target_mac, our_mac, 6);
    assert_memory_equal(s->bytes, peer_mac, 6);
    assert_true(ip_addr_equal(&ip.src, &us) && ip_addr_equal(&ip.dst, &peer));
    assert_int_equal(ip.hop_limit, 255);
}

static void test_solicitation(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ndp_msg ns = solicitation(true);
    put_ndp(&f, PEER, GROUP, &ns);
    world_input(w, &f);
    expect_answer(w);
    assert_int_equal(neighbour_state(w, PEER), NET_NEIGH_STALE);
    put_ndp(&f, PEER, US, &ns); /* NUD asks us alone */
    world_input(w, &f);
    expect_answer(w);
    assert_null(world_next(w));
    world_free(w);
}

/* Without the option the asker has to be known or asked for. */
static void test_solicitation_without_link_address(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ndp_msg ns = solicitation(false), msg;
    struct ipv6_hdr ip;
    struct ip_addr peer = addr(PEER);
    put_ndp(&f, PEER, US, &ns);
    world_input(w, &f);
    world_flush(w);
    assert_true(is_ndp(world_next(w), &msg, &ip));
    assert_int_equal(msg.type, ICMP6_NEIGHBOUR_SOLICITATION);
    assert_true(ip_addr_equal(&msg.target, &peer));
    world_free(w);
    w = world_settled();
    world_know(w, PEER);
    world_input(w, &f);
    expect_answer(w);
    world_free(w);
}

static void expect_invalid(struct world *w)
{
    uint64_t before = dropped(w, NET_DROP_ND_INVALID);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ND_INVALID), before + 1);
    world_flush(w);
    assert_null(world_next(w));
}

static void test_invalid(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ndp_msg ns = solicitation(true);
    ns.target = addr("2001:db8::99"); /* not ours, though the group may be */
    put_ndp(&f, PEER, US, &ns);
    expect_invalid(w);
    ns = solicitation(true);
    memcpy(ns.source_mac, broadcast_mac, 6);
    put_ndp(&f, PEER, GROUP, &ns);
    expect_invalid(w);
    ns = solicitation(true);
    put_ndp(&f, US, GROUP, &ns); /* from our own address */
    expect_invalid(w);
    ns = solicitation(true);
    put_ndp(&f, "::", GROUP, &ns); /* RFC 4861 7.1.1 */
    expect_invalid(w);
    world_address(w, "::1/128");
    ns = solicitation(true);
    ns.target = addr("::1");
    put_ndp(&f, PEER, US, &ns); /* is on no link */
    expect_invalid(w);
    struct ndp_msg na = {
        .type = ICMP6_NEIGHBOUR_ADVERTISEMENT, .target = addr(PEER), .has_target_mac = true};
    memcpy(na.target_mac, peer_mac, 6);
    put_ndp(&f, PEER, US, &na); /* nobody asked */
    expect_invalid(w);
    na.solicited = true;
    put_ndp(&f, PEER, "ff02::1", &na); /* RFC 4861 7.1.2 */
    expect_invalid(w);
    assert_int_equal(neighbour_state(w, PEER), -1);
    world_free(w);
}

/* RFC 6980: not even in an atomic fragment. */
static void test_behind_a_fragment_header(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr src = addr(PEER), dst = addr(US);
    struct ndp_msg ns = solicitation(true);
    uint8_t bytes[NDP_LENGTH_MAX];
    size_t n = ndp_build(bytes, &src, &dst, &ns);
    put_ip(&f, PEER, US, IPV6_FRAGMENT, (uint32_t)(8 + n));
    put_bytes(&f, (const uint8_t[]){IP_PROTOCOL_ICMPV6, 0, 0, 0, 0, 0, 0, 1}, 8);
    put_bytes(&f, bytes, n);
    expect_invalid(w);
    world_free(w);
}

/* An advertisement whose target is one of our IPv4 addresses, mapped, must not touch IPv4's table.
 */
static void test_mapped_target(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ndp_msg na = {.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
                         .target = addr("10.0.0.2"),
                         .override = true,
                         .has_target_mac = true};
    memcpy(na.target_mac, other_mac, 6);
    put_arp(&f, ARP_REQUEST, peer_mac, "10.0.0.2", "10.0.0.1");
    world_input(w, &f);
    world_flush(w);
    world_forget(w);
    put_ndp(&f, PEER, US, &na);
    expect_invalid(w);
    struct net_neighbour nb;
    assert_int_equal(net_neighbour_list(w->net, &nb, 1), 1);
    assert_memory_equal(nb.mac, peer_mac, 6);
    world_free(w);
}

static void test_router_messages_mean_nothing(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ndp_msg ra = {.type = ICMP6_ROUTER_ADVERTISEMENT, .router_lifetime_s = 1800};
    put_ndp(&f, "fe80::7", "ff02::1", &ra);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ICMP_TYPE), 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solicitation),
        cmocka_unit_test(test_solicitation_without_link_address),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_behind_a_fragment_header),
        cmocka_unit_test(test_mapped_target),
        cmocka_unit_test(test_router_messages_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
