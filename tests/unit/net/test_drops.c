/* Every reason of net.h's table has a case that produces it from a frame or a call; a reason
 * without one fails here. */
#include <string.h>

#include "world.h"

#define US4 "10.0.0.1"
#define PEER4 "10.0.0.2"
#define FAR4 "192.0.2.9"
#define US6 "2001:db8::1"
#define PEER6 "2001:db8::2"
#define FAR6 "2001:db8:1::9"

static struct frame f;

static void frame_truncated(struct world *w)
{
    put_eth(&f, our_mac, ETH_TYPE_IPV4);
    f.length = 13;
    world_input(w, &f);
}

static void not_for_us(struct world *w)
{
    put_eth(&f, other_mac, ETH_TYPE_IPV4);
    world_input(w, &f);
}

static void ethertype_unknown(struct world *w)
{
    put_eth(&f, our_mac, 0x88cc);
    put_bytes(&f, NULL, 46);
    world_input(w, &f);
}

static void offload_invalid(struct world *w)
{
    put_tcp(&f, PEER4, US4, 10);
    f.offload = (struct net_offload){.needs_checksum = true, .csum_start = 34, .csum_offset = 6};
    world_input(w, &f);
}

static void ip_header_truncated(struct world *w)
{
    put_eth(&f, our_mac, ETH_TYPE_IPV4);
    put_bytes(&f, NULL, 19);
    f.b[14] = 0x45;
    world_input(w, &f);
}

static void ip_version(struct world *w)
{
    put_tcp(&f, PEER4, US4, 0);
    f.b[14] = 0x65;
    world_input(w, &f);
}

static void ip_header_length(struct world *w)
{
    put_tcp(&f, PEER4, US4, 0);
    f.b[14] = 0x44;
    world_input(w, &f);
}

static void ip_length(struct world *w)
{
    put_tcp(&f, PEER4, US4, 10);
    f.length -= 5;
    world_input(w, &f);
}

static void ip_checksum(struct world *w)
{
    put_tcp(&f, PEER4, US4, 0);
    f.b[24] ^= 1;
    world_input(w, &f);
}

/* Behind the 20 bytes of a TCP packet's header, four bytes of options. */
static void with_options(struct world *w, const uint8_t options[4])
{
    put_ip(&f, PEER4, US4, IP_PROTOCOL_TCP, 24);
    put_bytes(&f, options, 4);
    put_bytes(&f, NULL, 20);
    f.b[14] = 0x46;
    fix_ipv4(&f);
    world_input(w, &f);
}

static void ip_options(struct world *w)
{
    with_options(w, (const uint8_t[]){148, 1, 0, 0});
}

static void ip_source_route(struct world *w)
{
    with_options(w, (const uint8_t[]){131, 3, 4, 0});
}

static void ip_source_invalid(struct world *w)
{
    put_tcp(&f, "224.0.0.5", US4, 0);
    world_input(w, &f);
}

static void ip_destination(struct world *w)
{
    put_tcp(&f, PEER4, "10.0.0.77", 0);
    world_input(w, &f);
}

static void ip_fragment(struct world *w)
{
    put_tcp(&f, PEER4, US4, 0);
    f.b[20] = 0x20;
    fix_ipv4(&f);
    world_input(w, &f);
}

static void ip_protocol(struct world *w)
{
    put_ip(&f, PEER4, US4, 132, 20);
    put_bytes(&f, NULL, 20);
    world_input(w, &f);
}

static void ipv6_extension(struct world *w)
{
    put_ip(&f, PEER6, US6, IPV6_DESTINATION_OPTIONS, 8);
    put_bytes(&f, (const uint8_t[]){6, 9, 0, 0, 0, 0, 0, 0}, 8);
    world_input(w, &f);
}

static void arp_malformed(struct world *w)
{
    put_arp(&f, ARP_REQUEST, peer_mac, PEER4, US4);
    f.b[14 + 1] = 6; /* hardware type: IEEE 802 */
    world_input(w, &f);
}

static void arp_unsolicited(struct world *w)
{
    put_arp(&f, ARP_REPLY, peer_mac, PEER4, US4);
    world_input(w, &f);
}

static void arp_spoofed(struct world *w)
{
    put_arp(&f, ARP_REPLY, peer_mac, US4, PEER4);
    world_input(w, &f);
}

static void icmp_truncated(struct world *w)
{
    put_ip(&f, PEER4, US4, IP_PROTOCOL_ICMP, 7);
    put_bytes(&f, NULL, 7);
    world_input(w, &f);
}

static void icmp_checksum(struct world *w)
{
    struct icmp_msg echo = {.type = ICMP4_ECHO};
    put_icmp(&f, PEER4, US4, &echo);
    f.b[f.length - 1] ^= 1;
    world_input(w, &f);
}

static void icmp_type(struct world *w)
{
    struct icmp_msg reply = {.type = ICMP4_ECHO_REPLY};
    put_icmp(&f, PEER4, US4, &reply);
    world_input(w, &f);
}

static void icmp_quote(struct world *w)
{
    put_error(&f, "10.0.0.9", "10.0.0.77", FAR4, ICMP4_UNREACHABLE, ICMP4_UNREACH_HOST, 0);
    world_input(w, &f);
}

static void icmp_source_quench(struct world *w)
{
    put_error(&f, "10.0.0.9", US4, FAR4, ICMP4_SOURCE_QUENCH, 0, 0);
    world_input(w, &f);
}

static void nd_invalid(struct world *w)
{
    struct ndp_msg ns = {.type = ICMP6_NEIGHBOUR_SOLICITATION, .target = addr(US6)};
    put_ndp(&f, PEER6, US6, &ns);
    f.b[14 + 7] = 254; /* a hop limit that crossed a router */
    world_input(w, &f);
}

static void nd_duplicate_address(struct world *w)
{
    struct ndp_msg na = {.type = ICMP6_NEIGHBOUR_ADVERTISEMENT, .target = addr(US6)};
    put_ndp(&f, US6, "ff02::1", &na);
    world_input(w, &f);
}

static void send_tcp(struct world *w, const char *dst)
{
    struct ip_addr d = addr(dst), s = addr(ip_addr_is_v4(&d) ? US4 : US6);
    fake_tcp_script(w->engine, &s, &d, "payload", 7);
    world_flush(w);
}

static void neighbour_queue_full(struct world *w)
{
    for (int i = 0; i < 33; i++) {
        send_tcp(w, PEER4);
    }
}

static void neighbour_unreachable(struct world *w)
{
    send_tcp(w, PEER4);
    world_pass(w, 3 * NS_PER_S);
}

static void neighbour_table_full(struct world *w)
{
    struct ip_addr s = addr(US6), d = addr(PEER6);
    for (unsigned i = 0; i <= 1024; i++) {
        d.b[14] = (uint8_t)(1 + i / 256);
        d.b[15] = (uint8_t)i;
        fake_tcp_script(w->engine, &s, &d, NULL, 0);
    }
    world_flush(w);
    world_flush(w);
}

static void no_route(struct world *w)
{
    send_tcp(w, FAR4);
}

static void icmp_rate_limited(struct world *w)
{
    world_know(w, PEER4);
    for (int i = 0; i < 11; i++) {
        ip_protocol(w);
    }
}

static void loopback_full(struct world *w)
{
    struct ip_addr us = addr(US4);
    for (unsigned i = 0; i < 513; i++) {
        fake_tcp_script(w->engine, &us, &us, NULL, 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        world_flush(w);
    }
}

static void no_memory(struct world *w)
{
    struct ip_addr us = addr(US4);
    static uint8_t payload[60000];
    fake_tcp_script(w->engine, &us, &us, payload, sizeof payload);
    world_starve(w);
    world_flush(w);
}

static const struct {
    enum net_drop why;
    void (*produce)(struct world *w);
} cases[] = {
    {NET_DROP_FRAME_TRUNCATED, frame_truncated},
    {NET_DROP_NOT_FOR_US, not_for_us},
    {NET_DROP_ETHERTYPE_UNKNOWN, ethertype_unknown},
    {NET_DROP_OFFLOAD_INVALID, offload_invalid},
    {NET_DROP_IP_HEADER_TRUNCATED, ip_header_truncated},
    {NET_DROP_IP_VERSION, ip_version},
    {NET_DROP_IP_HEADER_LENGTH, ip_header_length},
    {NET_DROP_IP_LENGTH, ip_length},
    {NET_DROP_IP_CHECKSUM, ip_checksum},
    {NET_DROP_IP_OPTIONS, ip_options},
    {NET_DROP_IP_SOURCE_INVALID, ip_source_invalid},
    {NET_DROP_IP_DESTINATION, ip_destination},
    {NET_DROP_IP_FRAGMENT, ip_fragment},
    {NET_DROP_IP_PROTOCOL, ip_protocol},
    {NET_DROP_IP_SOURCE_ROUTE, ip_source_route},
    {NET_DROP_IPV6_EXTENSION, ipv6_extension},
    {NET_DROP_ARP_MALFORMED, arp_malformed},
    {NET_DROP_ARP_UNSOLICITED, arp_unsolicited},
    {NET_DROP_ARP_SPOOFED, arp_spoofed},
    {NET_DROP_ICMP_TRUNCATED, icmp_truncated},
    {NET_DROP_ICMP_CHECKSUM, icmp_checksum},
    {NET_DROP_ICMP_TYPE, icmp_type},
    {NET_DROP_ICMP_QUOTE, icmp_quote},
    {NET_DROP_ICMP_SOURCE_QUENCH, icmp_source_quench},
    {NET_DROP_ND_INVALID, nd_invalid},
    {NET_DROP_ND_DUPLICATE_ADDRESS, nd_duplicate_address},
    {NET_DROP_NEIGHBOUR_QUEUE_FULL, neighbour_queue_full},
    {NET_DROP_NEIGHBOUR_UNREACHABLE, neighbour_unreachable},
    {NET_DROP_NEIGHBOUR_TABLE_FULL, neighbour_table_full},
    {NET_DROP_NO_ROUTE, no_route},
    {NET_DROP_ICMP_RATE_LIMITED, icmp_rate_limited},
    {NET_DROP_LOOPBACK_FULL, loopback_full},
    {NET_DROP_NO_MEMORY, no_memory},
};

/* Exactly this reason once, and none but it. The rate limit's own case drops the packets that it
 * wants to complain about. */
static void expect_only(const struct world *w, enum net_drop why)
{
    for (unsigned d = 1; d < NET_DROPS; d++) {
        uint64_t want = d == why;
        if (why == NET_DROP_ICMP_RATE_LIMITED && d == NET_DROP_IP_PROTOCOL) {
            want = 11;
        }
        if (dropped(w, (enum net_drop)d) != want) {
            fail_msg("%s: %s was counted %llu times", net_drop_text[why].name,
                     net_drop_text[d].name, (unsigned long long)dropped(w, (enum net_drop)d));
        }
    }
}

static void test_every_reason_can_happen(void **state)
{
    (void)state;
    bool covered[NET_DROPS] = {[NET_DROP_NONE] = true};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *w = world_settled();
        cases[i].produce(w);
        expect_only(w, cases[i].why);
        assert_int_equal(w->engine->inputs, 0);
        covered[cases[i].why] = true;
        world_free(w);
    }
    for (unsigned d = 0; d < NET_DROPS; d++) {
        if (!covered[d]) {
            fail_msg("%s has no case", net_drop_text[d].name);
        }
    }
}

static void test_every_reason_has_a_sentence(void **state)
{
    (void)state;
    for (unsigned d = 1; d < NET_DROPS; d++) {
        assert_non_null(net_drop_text[d].name);
        assert_true(strlen(net_drop_text[d].sentence) > 0);
    }
    assert_string_equal(net_drop_text[NET_DROP_NONE].name, "NONE");
}

/* Every cut of a good frame is refused with some reason, and reads nothing past its end. */
static void test_every_cut_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *src, *dst;
    } pairs[] = {{PEER4, US4}, {PEER6, US6}};
    for (unsigned i = 0; i < 2; i++) {
        struct world *w = world_settled();
        put_tcp(&f, pairs[i].src, pairs[i].dst, 20);
        uint32_t whole = f.length;
        for (uint32_t n = 0; n < whole; n++) {
            f.length = n;
            world_input(w, &f);
        }
        assert_int_equal(w->engine->inputs, 0);
        uint64_t sum = 0;
        for (unsigned d = 1; d < NET_DROPS; d++) {
            sum += dropped(w, (enum net_drop)d);
        }
        assert_int_equal(sum, whole);
        f.length = whole;
        world_input(w, &f);
        assert_int_equal(w->engine->inputs, 1);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason_can_happen),
        cmocka_unit_test(test_every_reason_has_a_sentence),
        cmocka_unit_test(test_every_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
