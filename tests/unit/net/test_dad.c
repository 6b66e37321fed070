/* Optimistic duplicate address detection (RFC 4429) and announcements (RFC 5227). */
#include <string.h>

#include "world.h"

#define US6 "2001:db8::1"
#define PEER6 "2001:db8::2"

static struct frame f;

static enum net_address_state state_of(const struct world *w, const char *text)
{
    struct net_address list[64];
    struct ip_addr a = addr(text);
    unsigned n = net_address_list(w->net, list, 64);
    for (unsigned i = 0; i < n; i++) {
        if (ip_addr_equal(&list[i].prefix.addr, &a)) {
            return list[i].state;
        }
    }
    fail_msg("%s is not in the list", text);
    return NET_ADDR_DUPLICATE;
}

static void test_ipv6_becomes_preferred(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, US6 "/64");
    struct ip_addr us = addr(US6);
    assert_int_equal(state_of(w, US6), NET_ADDR_OPTIMISTIC);
    assert_true(net_is_local(w->net, &us)); /* usable at once */
    world_flush(w);
    struct ndp_msg msg;
    struct ipv6_hdr ip;
    assert_true(is_ndp(world_next(w), &msg, &ip));
    assert_int_equal(msg.type, ICMP6_NEIGHBOUR_SOLICITATION);
    assert_true(ip_addr_equal(&msg.target, &us));
    assert_true(ip_addr_is_unspecified(&ip.src));
    assert_false(msg.has_source_mac);
    struct ip_addr group = addr("ff02::1:ff00:1");
    assert_true(ip_addr_equal(&ip.dst, &group));

    world_pass(w, NS_PER_S - 1);
    assert_int_equal(state_of(w, US6), NET_ADDR_OPTIMISTIC);
    world_pass(w, 1);
    assert_int_equal(state_of(w, US6), NET_ADDR_PREFERRED);
    assert_null(world_next(w));
    assert_true(time_is_never(net_next_deadline(w->net, w->now)));
    world_free(w);
}

static void expect_disabled(struct world *w)
{
    struct ip_addr us = addr(US6);
    assert_int_equal(state_of(w, US6), NET_ADDR_DUPLICATE);
    assert_false(net_is_local(w->net, &us));
    assert_int_equal(dropped(w, NET_DROP_ND_DUPLICATE_ADDRESS), 1);
    assert_int_equal(w->engine->removed, 1);
    assert_true(ip_addr_equal(&w->engine->removed_address, &us));
    world_pass(w, 10 * NS_PER_S);
    assert_int_equal(state_of(w, US6), NET_ADDR_DUPLICATE);
    put_tcp(&f, PEER6, US6, 0);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_IP_DESTINATION), 1);
}

static void test_somebody_has_it(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, US6 "/64");
    struct ndp_msg na = {
        .type = ICMP6_NEIGHBOUR_ADVERTISEMENT, .target = addr(US6), .override = true};
    put_ndp(&f, US6, "ff02::1", &na);
    world_input(w, &f);
    expect_disabled(w);
    world_free(w);
}

static void test_somebody_wants_it_too(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, US6 "/64");
    struct ndp_msg ns = {.type = ICMP6_NEIGHBOUR_SOLICITATION, .target = addr(US6)};
    put_ndp(&f, "::", "ff02::1:ff00:1", &ns);
    world_input(w, &f);
    expect_disabled(w);
    world_free(w);
}

/* Once preferred, a claim ends nothing (it would be an easy attack), and who asks from "::" hears
 * that the address is taken. */
static void test_preferred_stays(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ndp_msg na = {
        .type = ICMP6_NEIGHBOUR_ADVERTISEMENT, .target = addr(US6), .override = true};
    put_ndp(&f, US6, "ff02::1", &na);
    world_input(w, &f);
    assert_int_equal(state_of(w, US6), NET_ADDR_PREFERRED);
    assert_int_equal(w->engine->removed, 0);

    struct ndp_msg ns = {.type = ICMP6_NEIGHBOUR_SOLICITATION, .target = addr(US6)};
    put_ndp(&f, "::", "ff02::1:ff00:1", &ns);
    world_input(w, &f);
    world_flush(w);
    struct ndp_msg msg;
    struct ipv6_hdr ip;
    assert_true(is_ndp(world_next(w), &msg, &ip));
    assert_int_equal(msg.type, ICMP6_NEIGHBOUR_ADVERTISEMENT);
    assert_false(msg.solicited);
    assert_true(msg.override && msg.has_target_mac);
    struct ip_addr all = ndp_all_nodes();
    assert_true(ip_addr_equal(&ip.dst, &all));
    world_free(w);
}

/* RFC 4429 3.3: the answer of an optimistic address must not override. */
static void test_optimistic_answers_without_override(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, US6 "/64");
    world_flush(w);
    world_forget(w);
    struct ndp_msg ns = {
        .type = ICMP6_NEIGHBOUR_SOLICITATION, .target = addr(US6), .has_source_mac = true};
    memcpy(ns.source_mac, peer_mac, 6);
    put_ndp(&f, PEER6, "ff02::1:ff00:1", &ns);
    world_input(w, &f);
    world_flush(w);
    struct ndp_msg msg;
    struct ipv6_hdr ip;
    struct sent_frame *s = world_next(w);
    assert_true(is_ndp(s, &msg, &ip));
    assert_true(msg.solicited && !msg.override);
    assert_memory_equal(s->bytes, peer_mac, 6);
    /* the asker is known now: a segment goes out although we may not ask ourselves yet */
    struct ip_addr us = addr(US6), peer = addr(PEER6);
    fake_tcp_script(w->engine, &us, &peer, NULL, 0);
    world_flush(w);
    assert_true(is_tcp(world_next(w)));
    world_free(w);
}

/* RFC 4429 3.2: no solicitation comes from an optimistic address; what needs one waits until
 * detection is over. */
static void test_optimistic_never_asks(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, US6 "/64");
    world_flush(w);
    world_forget(w);
    struct ip_addr us = addr(US6), peer = addr(PEER6);
    fake_tcp_script(w->engine, &us, &peer, NULL, 0);
    world_flush(w);
    assert_int_equal(w->engine->failed[TCP_TX_NEIGHBOUR_PENDING], 1);
    world_pass(w, NS_PER_S - 1);
    assert_null(world_next(w));
    world_pass(w, 1);
    struct ndp_msg msg;
    struct ipv6_hdr ip;
    assert_true(is_ndp(world_next(w), &msg, &ip));
    assert_true(ip_addr_equal(&msg.target, &peer) && ip_addr_equal(&ip.src, &us));
    world_free(w);
}

static void test_waiting_ends_with_the_address(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, US6 "/64");
    struct ip_addr us = addr(US6), peer = addr(PEER6);
    fake_tcp_script(w->engine, &us, &peer, NULL, 0);
    world_flush(w);
    assert_int_equal(net_address_remove(w->net, w->now, &us), 0);
    assert_int_equal(dropped(w, NET_DROP_NEIGHBOUR_UNREACHABLE), 1);
    assert_int_equal(neighbour_state(w, PEER6), NET_NEIGH_FAILED);
    world_free(w);
}

static bool is_announcement(const struct sent_frame *s, const char *text)
{
    struct arp_msg msg;
    struct ip_addr a = addr(text);
    return is_arp(s, &msg) && msg.op == ARP_REQUEST && ip_addr_equal(&msg.sender_ip, &a) &&
           ip_addr_equal(&msg.target_ip, &a) && memcmp(s->bytes, broadcast_mac, 6) == 0;
}

static void test_ipv4_is_announced_twice(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    world_address(w, "10.0.0.1/24");
    assert_int_equal(state_of(w, "10.0.0.1"), NET_ADDR_PREFERRED);
    world_flush(w);
    assert_true(is_announcement(world_next(w), "10.0.0.1"));
    world_pass(w, 2 * NS_PER_S - 1);
    assert_null(world_next(w));
    world_pass(w, 60 * NS_PER_S);
    assert_true(is_announcement(world_next(w), "10.0.0.1"));
    assert_null(world_next(w));
    world_free(w);
}

/* RFC 5227 2.4(b): not more often than once in ten seconds. */
static void test_ipv4_is_defended(void **state)
{
    (void)state;
    struct world *w = world_settled();
    for (int i = 0; i < 5; i++) {
        put_arp(&f, ARP_REQUEST, other_mac, "10.0.0.1", "10.0.0.1");
        world_input(w, &f);
        world_pass(w, NS_PER_S);
    }
    assert_int_equal(dropped(w, NET_DROP_ARP_SPOOFED), 5);
    assert_true(is_announcement(world_next(w), "10.0.0.1"));
    assert_null(world_next(w));
    world_pass(w, 6 * NS_PER_S);
    world_input(w, &f);
    world_flush(w);
    assert_true(is_announcement(world_next(w), "10.0.0.1"));
    assert_int_equal(neighbour_state(w, "10.0.0.1"), -1);
    world_free(w);
}

static void test_nobody_is_asked_without_a_link(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_NONE, 0);
    world_address(w, "10.0.0.1/24");
    world_address(w, US6 "/64");
    world_address(w, "::1/128");
    assert_int_equal(state_of(w, US6), NET_ADDR_PREFERRED);
    assert_int_equal(state_of(w, "::1"), NET_ADDR_PREFERRED);
    world_pass(w, 10 * NS_PER_S);
    assert_null(world_next(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv6_becomes_preferred),
        cmocka_unit_test(test_somebody_has_it),
        cmocka_unit_test(test_somebody_wants_it_too),
        cmocka_unit_test(test_preferred_stays),
        cmocka_unit_test(test_optimistic_answers_without_override),
        cmocka_unit_test(test_optimistic_never_asks),
        cmocka_unit_test(test_waiting_ends_with_the_address),
        cmocka_unit_test(test_ipv4_is_announced_twice),
        cmocka_unit_test(test_ipv4_is_defended),
        cmocka_unit_test(test_nobody_is_asked_without_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
