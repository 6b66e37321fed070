/* ARP's questions in RFC 826's order, and what it leaves open. */
#include <string.h>

#include "world.h"

#define US "10.0.0.1"
#define PEER "10.0.0.2"

static struct frame f;

static struct arp_msg *parsed(struct sent_frame *s)
{
    static struct arp_msg msg;
    return is_arp(s, &msg) ? &msg : NULL;
}

static void test_request_for_us(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr us = addr(US), peer = addr(PEER);
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
    world_input(w, &f);
    world_flush(w);
    struct sent_frame *s = world_next(w);
    struct arp_msg *msg = parsed(s);
    assert_non_null(msg);
    assert_int_equal(msg->op, ARP_REPLY);
    assert_memory_equal(s->bytes, peer_mac, 6);
    assert_memory_equal(msg->sender_mac, our_mac, 6);
    assert_memory_equal(msg->target_mac, peer_mac, 6);
    assert_true(ip_addr_equal(&msg->sender_ip, &us) && ip_addr_equal(&msg->target_ip, &peer));
    assert_int_equal(neighbour_state(w, PEER), NET_NEIGH_STALE);
    assert_null(world_next(w));
    world_free(w);
}

static void test_request_for_others(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, "10.0.0.9");
    world_input(w, &f);
    world_flush(w);
    assert_null(world_next(w));
    assert_int_equal(neighbour_state(w, PEER), -1);
    world_free(w);
}

/* RFC 5227 2.1.1: a probe has no sender yet. */
static void test_probe(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_arp(&f, ARP_REQUEST, peer_mac, "0.0.0.0", US);
    world_input(w, &f);
    world_flush(w);
    assert_non_null(parsed(world_next(w)));
    struct net_neighbour n;
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 0);
    world_free(w);
}

/* Who is not on our link is answered, but not remembered: we would never send there directly. */
static void test_asker_from_elsewhere(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_arp(&f, ARP_REQUEST, peer_mac, "192.0.2.1", US);
    world_input(w, &f);
    world_flush(w);
    assert_non_null(parsed(world_next(w)));
    assert_int_equal(neighbour_state(w, "192.0.2.1"), -1);
    world_free(w);
}

static void test_gratuitous_updates_only(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, PEER);
    world_input(w, &f);
    assert_int_equal(neighbour_state(w, PEER), -1);
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
    world_input(w, &f);
    put_arp(&f, ARP_REQUEST, other_mac, PEER, PEER);
    world_input(w, &f);
    struct net_neighbour n;
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
    assert_memory_equal(n.mac, other_mac, 6);
    world_free(w);
}

/* An unasked answer to us alone: taken over, but only as good as a rumour. */
static void test_unasked_answer(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
    world_input(w, &f);
    put_arp(&f, ARP_REPLY, other_mac, PEER, US);
    world_input(w, &f);
    struct net_neighbour n;
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
    assert_memory_equal(n.mac, other_mac, 6);
    assert_int_equal(n.state, NET_NEIGH_STALE);
    world_free(w);
}

static void test_static_is_not_taught(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    put_arp(&f, ARP_REQUEST, other_mac, PEER, US);
    world_input(w, &f);
    struct net_neighbour n;
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
    assert_memory_equal(n.mac, peer_mac, 6);
    assert_int_equal(n.state, NET_NEIGH_REACHABLE);
    world_free(w);
}

static void test_malformed(void **state)
{
    (void)state;
    static const uint8_t zero_mac[6];
    struct world *w = world_settled();
    uint64_t n = 0;
    put_arp(&f, ARP_REQUEST, broadcast_mac, PEER, US);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ARP_MALFORMED), ++n);
    put_arp(&f, ARP_REQUEST, zero_mac, PEER, US);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ARP_MALFORMED), ++n);
    put_arp(&f, 3, peer_mac, PEER, US);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ARP_MALFORMED), ++n);
    static const char *senders[] = {"224.0.0.1", "255.255.255.255", "127.0.0.1", "10.0.0.255"};
    for (unsigned i = 0; i < 4; i++) {
        put_arp(&f, ARP_REQUEST, peer_mac, senders[i], US);
        world_input(w, &f);
        assert_int_equal(dropped(w, NET_DROP_ARP_MALFORMED), ++n);
    }
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
    f.length--;
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ARP_MALFORMED), ++n);
    world_flush(w);
    assert_null(world_next(w));
    world_free(w);
}

/* Our own announcement, echoed by the link, is no attack worth an answer. */
static void test_our_own_echo(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_arp(&f, ARP_REQUEST, our_mac, US, US);
    world_input(w, &f);
    world_flush(w);
    assert_null(world_next(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_for_us),
        cmocka_unit_test(test_request_for_others),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_asker_from_elsewhere),
        cmocka_unit_test(test_gratuitous_updates_only),
        cmocka_unit_test(test_unasked_answer),
        cmocka_unit_test(test_static_is_not_taught),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_our_own_echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
