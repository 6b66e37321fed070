/* Order, failures and offload metadata of what goes out; the doors of net.c beside it. */
#include <errno.h>
#include <string.h>

#include "world.h"

#define US "10.0.0.1"
#define PEER "10.0.0.2"

static struct frame f;

static struct tcp_tx *script(struct world *w, const char *src, const char *dst, const void *payload,
                             uint32_t n)
{
    struct ip_addr s = addr(src), d = addr(dst);
    return fake_tcp_script(w->engine, &s, &d, payload, n);
}

static void test_link_is_told_to_the_engine(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    assert_true(w->engine->link.tso && w->engine->link.checksum_offload);
    assert_int_equal(w->engine->link.max_frame, 65535);
    assert_int_equal(w->engine->link.defer_divisor, 3); /* frames are worth a moment */
    struct net_config config = {
        .arena = w->arena, .engine = w->engine, .link = NET_LINK_ETHERNET, .mtu = 1400};
    net_free(w->net);
    w->net = net_new(&config, w->now);
    assert_false(w->engine->link.tso || w->engine->link.checksum_offload);
    assert_int_equal(w->engine->link.max_frame, 1400);
    assert_int_equal(w->engine->link.defer_divisor, 0); /* without super-frames no frame grows */
    world_free(w);
}

static void test_no_memory_for_it(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    struct net_config config = {.arena = w->arena, .engine = w->engine, .mtu = 1500};
    world_starve(w);
    assert_null(net_new(&config, w->now));
    net_free(NULL);
    world_free(w);
}

/* The payload is the engine's own memory: no copy on the usual way. */
static void test_segment_in_place(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    static const char payload[] = "in place";
    struct tcp_tx *tx = script(w, US, PEER, payload, 2);
    tx->n_ranges = 2;
    tx->range[1] = (struct tcp_range){(const uint8_t *)payload + 3, 5};
    tx->payload_len = 7;
    struct net_frame frame;
    uint64_t before = net_counters(w->net)->out_bytes;
    assert_true(net_flush(w->net, w->now, &frame));
    assert_int_equal(frame.header_len, 54);
    assert_int_equal(frame.length, 61);
    assert_int_equal(frame.n_ranges, 2);
    assert_ptr_equal(frame.range[0].data, payload);
    assert_ptr_equal(frame.range[1].data, payload + 3);
    assert_int_equal(frame.id, 7);
    assert_non_null(frame.tx);
    assert_memory_equal(frame.header + 34, frame.tx->header, 20);
    assert_false(frame.offload.needs_checksum);
    assert_int_equal(frame.offload.gso_size, 0);
    assert_int_equal(net_counters(w->net)->out_bytes - before, 61);
    net_write_failed(w->net, w->now, &frame);
    assert_int_equal(w->engine->failed[TCP_TX_LOCAL_DROP], 1);
    assert_false(net_flush(w->net, w->now, &frame));
    world_free(w);
}

static void test_failed_write_is_not_counted(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    uint64_t frames = net_counters(w->net)->out_frames, bytes = net_counters(w->net)->out_bytes;
    script(w, US, PEER, NULL, 0);
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
    world_input(w, &f);
    struct net_frame frame;
    while (net_flush(w->net, w->now, &frame)) {
        net_write_failed(w->net, w->now, &frame);
    }
    assert_int_equal(net_counters(w->net)->out_frames, frames);
    assert_int_equal(net_counters(w->net)->out_bytes, bytes);
    assert_int_equal(w->engine->failed[TCP_TX_LOCAL_DROP], 1); /* of two frames one was a segment */
    world_free(w);
}

/* Segments and packets of the outbox in turn: all hold until NET_FRAMES more were asked for, and
 * each may still be told to have failed. */
static void test_frames_hold_for_a_while(void **state)
{
    (void)state;
    struct world *w = world_settled();
    static uint8_t payload[NET_FRAMES];
    world_know(w, PEER);
    for (unsigned i = 0; i < NET_FRAMES / 2; i++) {
        script(w, US, PEER, payload, i + 1);
        put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
        world_input(w, &f);
    }
    struct net_frame frame[NET_FRAMES];
    unsigned arp = 0, segments = 0;
    for (unsigned i = 0; i < NET_FRAMES; i++) {
        assert_true(net_flush(w->net, w->now, &frame[i]));
    }
    for (unsigned i = 0; i < NET_FRAMES; i++) {
        if (frame[i].tx == NULL) {
            arp++;
            assert_int_equal(frame[i].range[0].length, 28);
            assert_memory_equal(frame[i].range[0].data + 8, our_mac, 6);
        } else {
            segments++;
            assert_int_equal(frame[i].tx->payload_len, segments);
            net_write_failed(w->net, w->now, &frame[i]);
            assert_ptr_equal(w->engine->failed_tx, frame[i].tx);
        }
    }
    assert_int_equal(arp, NET_FRAMES / 2);
    assert_int_equal(w->engine->failed[TCP_TX_LOCAL_DROP], NET_FRAMES / 2);
    world_free(w);
}

static void test_offload_metadata(void **state)
{
    (void)state;
    static uint8_t payload[40000];
    static const struct {
        const char *us, *peer;
        uint16_t csum_start;
        bool v6;
    } cases[] = {{US, PEER, 34, false}, {"2001:db8::1", "2001:db8::2", 54, true}};
    struct world *w = world_settled();
    for (unsigned i = 0; i < 2; i++) {
        world_know(w, cases[i].peer);
        struct tcp_tx *tx = script(w, cases[i].us, cases[i].peer, payload, sizeof payload);
        tx->checksum_partial = true;
        tx->gso_size = 1400;
        tx->header[13] |= TCP_CWR;
        tx = script(w, cases[i].us, cases[i].peer, payload, 100);
        tx->checksum_partial = true;
        tx->header[13] |= TCP_CWR;
        world_flush(w);
        struct sent_frame *s = world_next(w);
        assert_true(is_tcp(s));
        assert_true(s->offload.needs_checksum && s->offload.gso_ecn);
        assert_int_equal(s->offload.csum_start, cases[i].csum_start);
        assert_int_equal(s->offload.csum_offset, 16);
        assert_int_equal(s->offload.gso_size, 1400);
        assert_int_equal(s->offload.gso_v6, cases[i].v6);
        s = world_next(w);
        assert_true(s->offload.needs_checksum);
        assert_int_equal(s->offload.csum_start, cases[i].csum_start);
        assert_int_equal(s->offload.gso_size, 0);
        assert_false(s->offload.gso_ecn || s->offload.gso_v6);
    }
    world_free(w);
}

/* The question about a neighbour overtakes the segments behind it. */
static void test_control_goes_first(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    script(w, US, PEER, NULL, 0);
    script(w, US, "10.0.0.3", NULL, 0);
    script(w, US, PEER, NULL, 0);
    put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
    world_input(w, &f);
    assert_true(time_equal(net_next_deadline(w->net, w->now), w->now));
    world_flush(w);
    struct arp_msg msg;
    assert_true(is_arp(world_next(w), &msg) && msg.op == ARP_REPLY);
    assert_true(is_tcp(world_next(w)));
    assert_true(is_arp(world_next(w), &msg) && msg.op == ARP_REQUEST);
    assert_true(is_tcp(world_next(w)));
    assert_null(world_next(w));
    world_free(w);
}

static void test_unreachable(void **state)
{
    (void)state;
    struct world *w = world_settled();
    script(w, US, "192.0.2.1", NULL, 0);
    world_flush(w);
    assert_int_equal(w->engine->failed[TCP_TX_UNREACHABLE], 1);
    assert_int_equal(w->engine->error, ENETUNREACH);
    assert_null(world_next(w));
    world_free(w);
}

/* Segments that go nowhere are no endless loop: a call gives up at its budget and asks to be called
 * again. */
static void test_budget(void **state)
{
    (void)state;
    struct world *w = world_settled();
    for (int i = 0; i < 100; i++) {
        script(w, US, "192.0.2.1", NULL, 0);
    }
    struct net_frame frame;
    assert_false(net_flush(w->net, w->now, &frame));
    assert_in_range(w->engine->failed[TCP_TX_UNREACHABLE], 1, 64);
    assert_true(time_equal(net_next_deadline(w->net, w->now), w->now));
    world_pass(w, 0);
    assert_int_equal(w->engine->failed[TCP_TX_UNREACHABLE], 100);
    assert_true(time_is_never(net_next_deadline(w->net, w->now)));
    world_free(w);
}

static void test_engine_deadline(void **state)
{
    (void)state;
    struct world *w = world_settled();
    ackd_time soon = time_add(w->now, NS_PER_MS), late = time_add(w->now, 5 * NS_PER_S);
    w->engine->deadline = soon;
    assert_true(time_equal(net_next_deadline(w->net, w->now), soon));
    w->engine->deadline = late;
    script(w, US, PEER, NULL, 0);
    world_flush(w);
    assert_true(time_equal(net_next_deadline(w->net, w->now), time_add(w->now, NS_PER_S)));
    world_free(w);
}

/* A flood of requests fills the outbox up to its bound and no further. */
static void test_outbox_is_bounded(void **state)
{
    (void)state;
    struct world *w = world_settled();
    for (int i = 0; i < 1500; i++) {
        put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
        world_input(w, &f);
    }
    assert_int_equal(dropped(w, NET_DROP_NO_MEMORY), 1500 - 1024);
    world_flush(w);
    assert_int_equal(w->sent, 1024);
    world_free(w);
}

/* On a link of 64 KB packets, the bytes are what has to be bounded. */
static void test_outbox_is_bounded_in_bytes(void **state)
{
    (void)state;
    struct world *w = world_new(NET_LINK_ETHERNET, 0);
    struct net_config config = {
        .arena = w->arena, .engine = w->engine, .link = NET_LINK_ETHERNET, .mtu = 65535};
    memcpy(config.mac, our_mac, 6);
    net_free(w->net);
    w->net = net_new(&config, w->now);
    world_address(w, US "/24");
    world_know(w, PEER);
    world_pass(w, 5 * NS_PER_S);
    world_forget(w);
    static uint8_t body[60000];
    struct icmp_msg echo = {.type = ICMP4_ECHO, .body = body, .body_len = sizeof body};
    put_icmp(&f, PEER, US, &echo);
    for (int i = 0; i < 200; i++) {
        world_input(w, &f);
    }
    world_flush(w);
    assert_int_equal(w->sent, (8u << 20) / 60028);
    assert_int_equal(dropped(w, NET_DROP_NO_MEMORY), 200 - w->sent);
    world_free(w);
}

/* Everything goes on when memory is out: what needs none still works, nothing crashes. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    world_starve(w);
    for (int i = 0; i < 200; i++) { /* the slabs and pools may hold a few spare ones */
        struct ip_addr n = addr("10.0.0.9"), us = addr(US);
        n.b[15] = (uint8_t)(10 + i);
        fake_tcp_script(w->engine, &us, &n, NULL, 0);
        put_arp(&f, ARP_REQUEST, peer_mac, PEER, US);
        world_input(w, &f);
        struct icmp_msg echo = {.type = ICMP4_ECHO};
        put_icmp(&f, PEER, US, &echo);
        world_input(w, &f);
    }
    world_pass(w, 10 * NS_PER_S);
    assert_true(dropped(w, NET_DROP_NO_MEMORY) > 0);
    world_forget(w);
    script(w, US, PEER, "x", 1);
    world_flush(w);
    assert_true(is_tcp(world_next(w)));
    put_tcp(&f, PEER, US, 3);
    world_input(w, &f);
    assert_int_equal(w->engine->inputs, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_is_told_to_the_engine),
        cmocka_unit_test(test_no_memory_for_it),
        cmocka_unit_test(test_segment_in_place),
        cmocka_unit_test(test_failed_write_is_not_counted),
        cmocka_unit_test(test_offload_metadata),
        cmocka_unit_test(test_control_goes_first),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_engine_deadline),
        cmocka_unit_test(test_frames_hold_for_a_while),
        cmocka_unit_test(test_outbox_is_bounded),
        cmocka_unit_test(test_outbox_is_bounded_in_bytes),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
