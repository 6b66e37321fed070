/* RFC 4861 7.3 in virtual time, both families through the same cases. */
#include <errno.h>
#include <string.h>

#include "world.h"

static struct frame f;

static const struct family {
    const char *us, *peer, *other;
} v4 = {"10.0.0.1", "10.0.0.2", "10.0.0.3"}, v6 = {"2001:db8::1", "2001:db8::2", "2001:db8::3"};

static const struct family *const families[] = {&v4, &v6};
#define FOR_EACH_FAMILY(name)                                                                      \
    for (unsigned i_ = 0; i_ < 2; i_++)                                                            \
        for (const struct family *name = families[i_]; name; name = NULL)

static void send_to(struct world *w, const struct family *fam, const char *dst)
{
    struct ip_addr s = addr(fam->us), d = addr(dst);
    fake_tcp_script(w->engine, &s, &d, "payload", 7);
    world_flush(w);
}

/* An answer to our question, or none asked for. */
static void answer(struct world *w, const struct family *fam, const char *from,
                   const uint8_t mac[6], bool override)
{
    if (fam == &v4) {
        put_arp(&f, ARP_REPLY, mac, from, fam->us);
    } else {
        struct ndp_msg na = {.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
                             .target = addr(from),
                             .solicited = true,
                             .override = override,
                             .has_target_mac = true};
        memcpy(na.target_mac, mac, 6);
        put_ndp(&f, from, fam->us, &na);
    }
    world_input(w, &f);
    world_flush(w);
}

/* The frame asks for `target`: to everybody, or to `mac` alone. */
static void expect_question(struct sent_frame *s, const struct family *fam, const char *target,
                            const uint8_t *mac)
{
    struct ip_addr t = addr(target), us = addr(fam->us);
    uint8_t link[6];
    assert_non_null(s);
    if (fam == &v4) {
        struct arp_msg msg;
        assert_true(is_arp(s, &msg));
        assert_int_equal(msg.op, ARP_REQUEST);
        assert_true(ip_addr_equal(&msg.target_ip, &t) && ip_addr_equal(&msg.sender_ip, &us));
        assert_memory_equal(msg.sender_mac, our_mac, 6);
        memcpy(link, broadcast_mac, 6);
    } else {
        struct ndp_msg msg;
        struct ipv6_hdr ip;
        assert_true(is_ndp(s, &msg, &ip));
        assert_int_equal(msg.type, ICMP6_NEIGHBOUR_SOLICITATION);
        assert_true(ip_addr_equal(&msg.target, &t) && ip_addr_equal(&ip.src, &us));
        assert_true(msg.has_source_mac);
        struct ip_addr group = ndp_solicited_node(&t);
        assert_true(ip_addr_equal(&ip.dst, mac ? &t : &group));
        assert_true(eth_addr_for_group(&group, link));
    }
    assert_memory_equal(s->bytes, mac ? mac : link, 6);
}

static void test_resolution(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        send_to(w, fam, fam->peer);
        assert_int_equal(w->engine->failed[TCP_TX_NEIGHBOUR_PENDING], 1);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_INCOMPLETE);
        expect_question(world_next(w), fam, fam->peer, NULL);
        assert_null(world_next(w));

        answer(w, fam, fam->peer, peer_mac, true);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_REACHABLE);
        struct sent_frame *s = world_next(w);
        assert_true(is_tcp(s));
        assert_int_equal(s->id, 7);
        assert_memory_equal(s->bytes, peer_mac, 6);
        assert_memory_equal(s->bytes + s->length - 7, "payload", 7);

        send_to(w, fam, fam->peer);
        s = world_next(w);
        assert_true(is_tcp(s) && s->has_tx);
        assert_null(world_next(w));
        world_free(w);
    }
}

static void test_no_answer(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        send_to(w, fam, fam->peer);
        world_pass(w, 3 * NS_PER_S - 1);
        for (int i = 0; i < 3; i++) {
            expect_question(world_next(w), fam, fam->peer, NULL);
        }
        assert_null(world_next(w));
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_INCOMPLETE);

        world_pass(w, 1);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_FAILED);
        assert_int_equal(net_counters(w->net)->neighbours_failed, 1);
        assert_int_equal(dropped(w, NET_DROP_NEIGHBOUR_UNREACHABLE), 1);
        /* the waiting packet's connection hears of it */
        assert_int_equal(w->engine->icmps, 1);
        assert_int_equal(w->engine->icmp.kind, TCP_ICMP_SOFT);
        assert_int_equal(w->engine->icmp.error, EHOSTUNREACH);
        assert_int_equal(w->engine->icmp.sport, 80);
        assert_int_equal(w->engine->icmp.dport, 4000);
        assert_int_equal(w->engine->icmp.seq.v, 0x01020304);

        /* for a second nothing asks again */
        world_pass(w, NS_PER_S - 1);
        send_to(w, fam, fam->peer);
        assert_int_equal(w->engine->failed[TCP_TX_UNREACHABLE], 1);
        assert_int_equal(w->engine->error, EHOSTUNREACH);
        assert_null(world_next(w));
        world_pass(w, 1);
        send_to(w, fam, fam->peer);
        expect_question(world_next(w), fam, fam->peer, NULL);
        world_free(w);
    }
}

static void test_idle_means_no_timer(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        send_to(w, fam, fam->peer);
        answer(w, fam, fam->peer, peer_mac, true);
        assert_true(time_is_never(net_next_deadline(w->net, w->now)));
        world_pass(w, 46 * NS_PER_S); /* 1.5 ReachableTime at most */
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_STALE);
        assert_true(time_is_never(net_next_deadline(w->net, w->now)));
        world_free(w);
    }
}

static void test_reachable_lasts_half_to_one_and_a_half(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        send_to(w, fam, fam->peer);
        answer(w, fam, fam->peer, peer_mac, true);
        world_pass(w, 15 * NS_PER_S - 1);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_REACHABLE);
        world_pass(w, 30 * NS_PER_S + 1);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_STALE);
        world_free(w);
    }
}

/* Brings the peer to STALE, sends, and lets DELAY pass: what follows is PROBE. */
static struct world *probing(const struct family *fam)
{
    struct world *w = world_settled();
    send_to(w, fam, fam->peer);
    answer(w, fam, fam->peer, peer_mac, true);
    world_pass(w, 46 * NS_PER_S);
    world_forget(w);
    send_to(w, fam, fam->peer);
    assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_DELAY);
    assert_true(is_tcp(world_next(w)));
    world_pass(w, 5 * NS_PER_S - 1);
    assert_null(world_next(w));
    world_pass(w, 1);
    assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_PROBE);
    return w;
}

static void test_probe_answered(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = probing(fam);
        expect_question(world_next(w), fam, fam->peer, peer_mac);
        answer(w, fam, fam->peer, peer_mac, true);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_REACHABLE);
        assert_null(world_next(w));
        world_free(w);
    }
}

/* RFC 9293 section 3.8.3, MUST-20: what TCP doubts after R1 timeouts is asked at once, however
 * fresh its last answer is; what nobody doubts is not. */
static void test_doubted(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        struct ip_addr s = addr(fam->us), d = addr(fam->peer);
        send_to(w, fam, fam->peer);
        answer(w, fam, fam->peer, peer_mac, true);
        world_forget(w);
        send_to(w, fam, fam->peer);
        assert_true(is_tcp(world_next(w)));
        assert_null(world_next(w));
        fake_tcp_script(w->engine, &s, &d, "payload", 7)->doubtful = true;
        world_flush(w);
        world_flush(w);
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_PROBE);
        assert_true(is_tcp(world_next(w)));
        expect_question(world_next(w), fam, fam->peer, peer_mac);
        world_free(w);
    }
}

static void test_probe_unanswered(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = probing(fam);
        send_to(w, fam, fam->peer); /* still goes out */
        expect_question(world_next(w), fam, fam->peer, peer_mac);
        assert_true(is_tcp(world_next(w)));
        world_pass(w, 3 * NS_PER_S);
        expect_question(world_next(w), fam, fam->peer, peer_mac);
        expect_question(world_next(w), fam, fam->peer, peer_mac);
        assert_null(world_next(w));
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_FAILED);
        send_to(w, fam, fam->peer); /* it may have moved: everybody is asked at once */
        expect_question(world_next(w), fam, fam->peer, NULL);
        world_free(w);
    }
}

static void test_queue_keeps_the_newest(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        struct ip_addr s = addr(fam->us), d = addr(fam->peer);
        uint8_t mark[34];
        for (size_t i = 0; i < sizeof mark; i++) {
            mark[i] = (uint8_t)i;
            fake_tcp_script(w->engine, &s, &d, &mark[i], 1);
        }
        world_flush(w);
        world_flush(w); /* what the first left for another turn */
        assert_int_equal(dropped(w, NET_DROP_NEIGHBOUR_QUEUE_FULL), 2);
        expect_question(world_next(w), fam, fam->peer, NULL);
        assert_null(world_next(w)); /* one question for all */
        answer(w, fam, fam->peer, peer_mac, true);
        for (int i = 2; i < 34; i++) {
            struct sent_frame *p = world_next(w);
            assert_true(is_tcp(p));
            assert_int_equal(p->bytes[p->length - 1], i);
        }
        assert_null(world_next(w));
        world_free(w);
    }
}

static void test_one_silent_peer_blocks_no_other(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        world_know(w, fam->other);
        for (int i = 0; i < 50; i++) {
            send_to(w, fam, fam->peer);
            send_to(w, fam, fam->other);
        }
        expect_question(world_next(w), fam, fam->peer, NULL);
        for (int i = 0; i < 50; i++) {
            assert_true(is_tcp(world_next(w)));
        }
        assert_null(world_next(w));
        world_free(w);
    }
}

static void test_super_frame_waits_whole(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        struct ip_addr s = addr(fam->us), d = addr(fam->peer);
        static uint8_t payload[50000];
        memset(payload, 0xa5, sizeof payload);
        struct tcp_tx *tx = fake_tcp_script(w->engine, &s, &d, payload, sizeof payload);
        tx->gso_size = 1440;
        tx->checksum_partial = true;
        world_flush(w);
        world_forget(w);
        answer(w, fam, fam->peer, peer_mac, true);
        struct sent_frame *p = world_next(w);
        assert_true(is_tcp(p));
        assert_false(p->has_tx);
        uint16_t l4 = fam == &v4 ? 34 : 54;
        assert_int_equal(p->offload.gso_size, 1440);
        assert_int_equal(p->offload.gso_v6, fam == &v6);
        assert_true(p->offload.needs_checksum);
        assert_int_equal(p->offload.csum_start, l4);
        assert_int_equal(p->offload.csum_offset, 16);
        assert_int_equal(p->length, l4 + 20 + sizeof payload);
        assert_memory_equal(p->bytes + l4 + 20, payload, sizeof payload);
        world_free(w);
    }
}

static void test_unasked_news(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        answer(w, fam, fam->peer, peer_mac, true);
        assert_int_equal(neighbour_state(w, fam->peer), -1); /* no entry from nothing */

        send_to(w, fam, fam->peer);
        answer(w, fam, fam->peer, peer_mac, true);
        world_pass(w, 46 * NS_PER_S);
        world_forget(w);
        struct net_neighbour n;
        /* unsolicited, another link address: taken over, but not trusted */
        if (fam == &v4) {
            put_arp(&f, ARP_REPLY, other_mac, fam->peer, fam->peer);
        } else {
            struct ndp_msg na = {.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
                                 .target = addr(fam->peer),
                                 .override = true,
                                 .has_target_mac = true};
            memcpy(na.target_mac, other_mac, 6);
            put_ndp(&f, fam->peer, "ff02::1", &na);
        }
        world_input(w, &f);
        assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
        assert_memory_equal(n.mac, other_mac, 6);
        assert_int_equal(n.state, NET_NEIGH_STALE);
        world_free(w);
    }
}

/* RFC 4861 7.2.5: unsolicited and nothing new leaves the state alone. */
static void test_unasked_without_news(void **state)
{
    (void)state;
    struct world *w = world_settled();
    send_to(w, &v6, v6.peer);
    answer(w, &v6, v6.peer, peer_mac, true);
    struct ndp_msg na = {.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
                         .target = addr(v6.peer),
                         .override = true,
                         .router = true,
                         .has_target_mac = true};
    memcpy(na.target_mac, peer_mac, 6);
    put_ndp(&f, v6.peer, "ff02::1", &na);
    world_input(w, &f);
    struct net_neighbour n;
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
    assert_int_equal(n.state, NET_NEIGH_REACHABLE);
    assert_true(n.is_router);
    world_free(w);
}

/* RFC 4861 7.2.5 case I */
static void test_no_override(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct net_neighbour n;
    send_to(w, &v6, v6.peer);
    answer(w, &v6, v6.peer, peer_mac, true);
    answer(w, &v6, v6.peer, other_mac, false);
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
    assert_memory_equal(n.mac, peer_mac, 6);
    assert_int_equal(n.state, NET_NEIGH_STALE);
    answer(w, &v6, v6.peer, other_mac, false);
    assert_int_equal(net_neighbour_list(w->net, &n, 1), 1);
    assert_memory_equal(n.mac, peer_mac, 6);
    world_free(w);
}

static void test_a_question_teaches_its_sender(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        send_to(w, fam, fam->peer); /* INCOMPLETE, one packet waits */
        world_forget(w);
        if (fam == &v4) {
            put_arp(&f, ARP_REQUEST, peer_mac, fam->peer, fam->us);
        } else {
            struct ndp_msg ns = {.type = ICMP6_NEIGHBOUR_SOLICITATION,
                                 .target = addr(fam->us),
                                 .has_source_mac = true};
            memcpy(ns.source_mac, peer_mac, 6);
            put_ndp(&f, fam->peer, "ff02::1:ff00:1", &ns);
        }
        world_input(w, &f);
        world_flush(w);
        assert_true(is_tcp(world_next(w)));
        assert_non_null(world_next(w)); /* and the answer to the question */
        assert_int_equal(neighbour_state(w, fam->peer), NET_NEIGH_STALE);
        world_free(w);
    }
}

static void test_static(void **state)
{
    (void)state;
    FOR_EACH_FAMILY(fam)
    {
        struct world *w = world_settled();
        struct ip_addr p = addr(fam->peer), us = addr(fam->us);
        world_know(w, fam->peer);
        answer(w, fam, fam->peer, other_mac, true);
        world_pass(w, 600 * NS_PER_S);
        send_to(w, fam, fam->peer);
        struct sent_frame *s = world_next(w);
        assert_true(is_tcp(s));
        assert_memory_equal(s->bytes, peer_mac, 6);
        assert_true(time_is_never(net_next_deadline(w->net, w->now)));
        assert_int_equal(net_neighbour_set(w->net, w->now, &us, peer_mac), -EINVAL);
        assert_int_equal(net_neighbour_set(w->net, w->now, &p, broadcast_mac), -EINVAL);
        assert_int_equal(net_neighbour_remove(w->net, &p), 0);
        assert_int_equal(net_neighbour_remove(w->net, &p), -ENOENT);
        world_free(w);
    }
}

static void test_static_bounded(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr p = addr(v6.peer);
    for (unsigned i = 0; i < 512; i++) {
        p.b[13] = (uint8_t)(i >> 8);
        p.b[14] = (uint8_t)i;
        assert_int_equal(net_neighbour_set(w->net, w->now, &p, peer_mac), 0);
        assert_int_equal(net_neighbour_set(w->net, w->now, &p, other_mac), 0);
    }
    p.b[12] = 1;
    assert_int_equal(net_neighbour_set(w->net, w->now, &p, peer_mac), -ENOSPC);
    send_to(w, &v6, v6.other);
    assert_int_equal(neighbour_state(w, v6.other), NET_NEIGH_INCOMPLETE);
    world_free(w);
}

/* A full table gives up whom nobody used for longest; the one in use stays. */
static void test_eviction(void **state)
{
    (void)state;
    struct world *w = world_settled();
    send_to(w, &v6, v6.peer);
    answer(w, &v6, v6.peer, peer_mac, true);
    char text[IP_ADDR_TEXT];
    struct ip_addr p = addr(v6.peer);
    for (unsigned i = 0; i < 3000; i++) {
        struct ndp_msg ns = {
            .type = ICMP6_NEIGHBOUR_SOLICITATION, .target = addr(v6.us), .has_source_mac = true};
        memcpy(ns.source_mac, other_mac, 6);
        p.b[13] = (uint8_t)(1 + (i >> 8));
        p.b[14] = (uint8_t)i;
        put_ndp(&f, ip_addr_format(&p, text), v6.us, &ns);
        world_input(w, &f);
        if (i % 500 == 0) {
            send_to(w, &v6, v6.peer);
        }
        world_forget(w);
    }
    assert_int_equal(neighbour_state(w, v6.peer), NET_NEIGH_REACHABLE);
    assert_int_equal(dropped(w, NET_DROP_NEIGHBOUR_TABLE_FULL), 0);
    static struct net_neighbour list[2000];
    assert_int_equal(net_neighbour_list(w->net, list, 2000), 1024);
    world_free(w);
}

static void test_queued_bytes_are_bounded(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct ip_addr s = addr(v6.us), d = addr(v6.peer);
    static uint8_t payload[60000];
    for (unsigned i = 0; i < 200; i++) {
        d.b[14] = (uint8_t)i;
        fake_tcp_script(w->engine, &s, &d, payload, sizeof payload)->gso_size = 1440;
    }
    for (unsigned i = 0; i < 10; i++) {
        world_flush(w);
    }
    struct arena_stats stats;
    arena_stats(w->arena, &stats);
    assert_in_range(stats.used, 0, 14u << 20);
    assert_true(dropped(w, NET_DROP_NEIGHBOUR_QUEUE_FULL) > 0);
    assert_int_equal(dropped(w, NET_DROP_NO_MEMORY), 0);
    world_free(w);
}

/* The address that asked is removed while the question is out: the next question comes from
 * another. */
static void test_source_removed(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_address(w, "10.0.0.9/24");
    world_pass(w, 5 * NS_PER_S);
    world_forget(w);
    send_to(w, &v4, v4.peer);
    struct ip_addr us = addr(v4.us), other = addr("10.0.0.9");
    assert_int_equal(net_address_remove(w->net, w->now, &us), 0);
    world_pass(w, NS_PER_S);
    struct arp_msg msg;
    assert_true(is_arp(world_next(w), &msg) && ip_addr_equal(&msg.sender_ip, &us));
    assert_true(is_arp(world_next(w), &msg) && ip_addr_equal(&msg.sender_ip, &other));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolution),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_idle_means_no_timer),
        cmocka_unit_test(test_reachable_lasts_half_to_one_and_a_half),
        cmocka_unit_test(test_probe_answered),
        cmocka_unit_test(test_doubted),
        cmocka_unit_test(test_probe_unanswered),
        cmocka_unit_test(test_queue_keeps_the_newest),
        cmocka_unit_test(test_one_silent_peer_blocks_no_other),
        cmocka_unit_test(test_super_frame_waits_whole),
        cmocka_unit_test(test_unasked_news),
        cmocka_unit_test(test_unasked_without_news),
        cmocka_unit_test(test_no_override),
        cmocka_unit_test(test_a_question_teaches_its_sender),
        cmocka_unit_test(test_static),
        cmocka_unit_test(test_static_bounded),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_queued_bytes_are_bounded),
        cmocka_unit_test(test_source_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
