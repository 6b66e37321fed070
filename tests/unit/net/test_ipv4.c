/* What a host must and must not discard (RFC 1122 section 3). */
#include <string.h>

#include "world.h"

#define US "10.0.0.1"
#define PEER "10.0.0.2"

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

/* RFC 1122 3.2.1.7: a host must not discard a datagram for its TTL. */
static void test_ttl_is_no_reason(void **state)
{
    (void)state;
    struct world *w = world_settled();
    for (uint8_t ttl = 0; ttl < 3; ttl++) {
        put_tcp(&f, PEER, US, 0);
        f.b[14 + 8] = ttl;
        fix_ipv4(&f);
        expect_taken(w, false);
        assert_int_equal(w->engine->rx.ttl, ttl);
    }
    world_free(w);
}

static void test_sources(void **state)
{
    (void)state;
    static const char *invalid[] = {"0.0.0.0",   "0.1.2.3",         "127.0.0.1", "224.0.0.1",
                                    "240.0.0.1", "255.255.255.255", US,          "10.0.0.255"};
    struct world *w = world_settled();
    for (unsigned i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        put_tcp(&f, invalid[i], US, 0);
        expect_drop(w, NET_DROP_IP_SOURCE_INVALID);
    }
    put_tcp(&f, "192.0.2.1", US, 0);
    expect_taken(w, false);
    world_free(w);
}

static void test_destinations(void **state)
{
    (void)state;
    static const char *groups[] = {"255.255.255.255", "10.0.0.255", "224.0.0.1"};
    static const char *foreign[] = {"10.0.0.0",  "10.0.0.3",    "192.0.2.1",
                                    "127.0.0.1", "224.0.0.251", "0.0.0.0"};
    struct world *w = world_settled();
    for (unsigned i = 0; i < 3; i++) {
        put_tcp(&f, PEER, groups[i], 0);
        expect_taken(w, true); /* the engine's to refuse (MUST-57) */
    }
    for (unsigned i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        put_tcp(&f, PEER, foreign[i], 0);
        expect_drop(w, NET_DROP_IP_DESTINATION);
    }
    world_free(w);
}

static void put_options(const uint8_t *options, uint8_t length)
{
    put_ip(&f, PEER, US, IP_PROTOCOL_TCP, 20u + length);
    put_bytes(&f, options, length);
    put_bytes(&f, NULL, 20);
    f.b[14] = (uint8_t)(0x45 + length / 4);
    fix_ipv4(&f);
}

/* MUST-50; MAY-10 and MAY-11 are not done: what we do not know we step over. */
static void test_options(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_options((const uint8_t[]){222, 3, 0, 0}, 4); /* unknown (MUST-50) */
    expect_taken(w, false);
    assert_int_equal(w->engine->rx.length, 20);
    put_options((const uint8_t[]){148, 4, 0, 0}, 4); /* router alert */
    expect_taken(w, false);
    put_options((const uint8_t[]){222, 9, 0, 0}, 4);
    expect_drop(w, NET_DROP_IP_OPTIONS);
    put_options((const uint8_t[]){1, 222, 0, 0}, 4);
    expect_drop(w, NET_DROP_IP_OPTIONS);
    put_options((const uint8_t[]){131, 7, 8, 10, 0, 0, 9, 0}, 8);
    expect_drop(w, NET_DROP_IP_SOURCE_ROUTE);
    put_options((const uint8_t[]){137, 7, 8, 10, 0, 0, 9, 0}, 8);
    expect_drop(w, NET_DROP_IP_SOURCE_ROUTE);
    world_free(w);
}

/* MUST-51, MUST-52, MUST-53, SHLD-24: a route is neither begun nor returned, and no packet goes on.
 */
static void test_source_routes_where_allowed(void **state)
{
    (void)state;
    struct world *w = world_settled();
    struct net_config config = {.arena = w->arena,
                                .engine = w->engine,
                                .link = NET_LINK_ETHERNET,
                                .mtu = 1500,
                                .allow_source_route = true};
    memcpy(config.mac, our_mac, 6);
    net_free(w->net);
    w->net = net_new(&config, w->now);
    world_address(w, US "/24");
    put_options((const uint8_t[]){131, 7, 8, 10, 0, 0, 9, 0}, 8); /* at its end */
    expect_taken(w, false);
    put_options((const uint8_t[]){131, 7, 4, 10, 0, 0, 9, 0}, 8); /* we are no router */
    expect_drop(w, NET_DROP_IP_SOURCE_ROUTE);
    world_free(w);
}

static void test_fragments(void **state)
{
    (void)state;
    struct world *w = world_settled();
    put_tcp(&f, PEER, US, 0);
    f.b[14 + 7] = 1; /* the last one */
    fix_ipv4(&f);
    expect_drop(w, NET_DROP_IP_FRAGMENT);
    put_tcp(&f, PEER, US, 0);
    f.b[14 + 6] = 0x40; /* DF alone is none */
    fix_ipv4(&f);
    expect_taken(w, false);
    world_free(w);
}

/* RFC 6864: an atomic datagram; what the segment asked for is in the header. */
static void test_output_header(void **state)
{
    (void)state;
    struct world *w = world_settled();
    world_know(w, PEER);
    struct ip_addr us = addr(US), peer = addr(PEER);
    struct tcp_tx *tx = fake_tcp_script(w->engine, &us, &peer, "abc", 3);
    tx->ttl = 17;
    tx->tos = 0xb9;
    world_flush(w);
    struct sent_frame *s = world_next(w);
    assert_true(is_tcp(s));
    struct ipv4_hdr ip;
    assert_int_equal(ipv4_hdr_parse(s->bytes + 14, s->length - 14, &ip), IPV4_OK);
    assert_int_equal(ip.ttl, 17);
    assert_int_equal(ip.tos, 0xb9);
    assert_true(ip.dont_fragment && !ipv4_is_fragment(&ip));
    assert_int_equal(ip.total_length, 43);
    assert_true(ip_addr_equal(&ip.src, &us) && ip_addr_equal(&ip.dst, &peer));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ttl_is_no_reason),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_source_routes_where_allowed),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_output_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
