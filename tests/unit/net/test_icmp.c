/* Echo, the network's errors about our segments, errors of our own and their limits. */
#include <errno.h>
#include <string.h>

#include "world.h"

#define US4 "10.0.0.1"
#define PEER4 "10.0.0.2"
#define FAR4 "192.0.2.9"
#define US6 "2001:db8::1"
#define PEER6 "2001:db8::2"
#define FAR6 "2001:db8:1::9"

static struct frame f;
static struct icmp_msg msg;
static struct ip_addr src, dst;

static struct world *world_with_peers(void)
{
    struct world *w = world_settled();
    world_know(w, PEER4);
    world_know(w, PEER6);
    return w;
}

static bool next_icmp(struct world *w)
{
    world_flush(w);
    return is_icmp(world_next(w), &msg, &src, &dst);
}

static void test_echo(void **state)
{
    (void)state;
    static const char *pairs[][2] = {{PEER4, US4}, {PEER6, US6}};
    struct world *w = world_with_peers();
    uint8_t body[1400];
    memset(body, 0x77, sizeof body);
    for (unsigned i = 0; i < 2; i++) {
        struct icmp_msg echo = {.type = i == 0 ? ICMP4_ECHO : ICMP6_ECHO,
                                .id = 0x1234,
                                .sequence = 9,
                                .body = body,
                                .body_len = sizeof body};
        struct ip_addr us = addr(pairs[i][1]), peer = addr(pairs[i][0]);
        put_icmp(&f, pairs[i][0], pairs[i][1], &echo);
        world_input(w, &f);
        assert_true(next_icmp(w));
        assert_int_equal(msg.type, i == 0 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY);
        assert_int_equal(msg.code, 0);
        assert_int_equal(msg.id, 0x1234);
        assert_int_equal(msg.sequence, 9);
        assert_int_equal(msg.body_len, sizeof body);
        assert_memory_equal(msg.body, body, sizeof body);
        assert_true(ip_addr_equal(&src, &us) && ip_addr_equal(&dst, &peer));
        assert_int_equal(net_counters(w->net)->echo_replies, i + 1);
    }
    world_free(w);
}

static void test_echo_to_groups(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    static const char *groups[] = {"255.255.255.255", "10.0.0.255", "224.0.0.1"};
    struct icmp_msg echo = {.type = ICMP4_ECHO};
    for (unsigned i = 0; i < 3; i++) {
        put_icmp(&f, PEER4, groups[i], &echo);
        memcpy(f.b, broadcast_mac, 6);
        world_input(w, &f);
        assert_int_equal(dropped(w, NET_DROP_ICMP_TYPE), i + 1);
    }
    assert_false(next_icmp(w));
    /* RFC 4443 4.2: answered from an address of our own */
    echo.type = ICMP6_ECHO;
    put_icmp(&f, PEER6, "ff02::1", &echo);
    world_input(w, &f);
    assert_true(next_icmp(w));
    struct ip_addr us = addr(US6);
    assert_true(ip_addr_equal(&src, &us));
    world_free(w);
}

/* An answer longer than the link can carry would only be dropped below us. */
static void test_echo_too_long(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    static uint8_t body[1473];
    struct icmp_msg echo = {.type = ICMP4_ECHO, .body = body, .body_len = sizeof body};
    put_icmp(&f, PEER4, US4, &echo);
    world_input(w, &f);
    assert_false(next_icmp(w));
    assert_int_equal(dropped(w, NET_DROP_IP_LENGTH), 1);
    world_free(w);
}

static void test_echo_bad_code(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    struct icmp_msg echo = {.type = ICMP4_ECHO, .code = 1};
    put_icmp(&f, PEER4, US4, &echo);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ICMP_TYPE), 1);
    world_free(w);
}

/* MUST-55, MUST-56, SHLD-26 and what none of them names. */
static void test_classification(void **state)
{
    (void)state;
    static const struct {
        bool v6;
        uint8_t type, code;
        int kind, error; /* kind -1: means nothing; a Source Quench has a count of its own */
    } cases[] = {
        {false, 3, 0, TCP_ICMP_SOFT, ENETUNREACH},
        {false, 3, 1, TCP_ICMP_SOFT, EHOSTUNREACH},
        {false, 3, 2, TCP_ICMP_HARD, ENOPROTOOPT},
        {false, 3, 3, TCP_ICMP_HARD, ECONNREFUSED},
        {false, 3, 4, TCP_ICMP_TOO_BIG, EMSGSIZE},
        {false, 3, 5, TCP_ICMP_SOFT, EOPNOTSUPP},
        {false, 3, 6, TCP_ICMP_SOFT, ENETUNREACH},
        {false, 3, 7, TCP_ICMP_SOFT, EHOSTUNREACH},
        {false, 3, 13, TCP_ICMP_SOFT, EHOSTUNREACH},
        {false, 3, 16, -1, 0},
        {false, 11, 0, TCP_ICMP_SOFT, EHOSTUNREACH},
        {false, 11, 1, TCP_ICMP_SOFT, EHOSTUNREACH},
        {false, 12, 0, TCP_ICMP_SOFT, EPROTO},
        {false, 4, 0, -1, 0},
        {false, 5, 1, -1, 0},
        {true, 1, 0, TCP_ICMP_SOFT, ENETUNREACH},
        {true, 1, 1, TCP_ICMP_HARD, EACCES},
        {true, 1, 2, TCP_ICMP_SOFT, EHOSTUNREACH},
        {true, 1, 3, TCP_ICMP_SOFT, EHOSTUNREACH},
        {true, 1, 4, TCP_ICMP_HARD, ECONNREFUSED},
        {true, 1, 5, TCP_ICMP_SOFT, EACCES},
        {true, 1, 6, TCP_ICMP_SOFT, EACCES},
        {true, 1, 7, -1, 0},
        {true, 2, 0, TCP_ICMP_TOO_BIG, EMSGSIZE},
        {true, 3, 0, TCP_ICMP_SOFT, EHOSTUNREACH},
        {true, 4, 0, TCP_ICMP_SOFT, EPROTO},
        {true, 4, 1, TCP_ICMP_SOFT, EPROTO},
        {true, 5, 0, -1, 0},
        {true, 137, 0, -1, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *w = world_with_peers();
        if (cases[i].v6) {
            put_error(&f, PEER6, US6, FAR6, cases[i].type, cases[i].code, 1400);
        } else {
            put_error(&f, PEER4, US4, FAR4, cases[i].type, cases[i].code, 1400);
        }
        world_input(w, &f);
        if (cases[i].kind < 0) {
            assert_int_equal(w->engine->icmps, 0);
            bool quench = !cases[i].v6 && cases[i].type == ICMP4_SOURCE_QUENCH;
            assert_int_equal(dropped(w, quench ? NET_DROP_ICMP_SOURCE_QUENCH : NET_DROP_ICMP_TYPE),
                             1);
        } else {
            const struct tcp_icmp *icmp = &w->engine->icmp;
            struct ip_addr us = addr(cases[i].v6 ? US6 : US4),
                           far = addr(cases[i].v6 ? FAR6 : FAR4);
            assert_int_equal(w->engine->icmps, 1);
            assert_int_equal(icmp->kind, cases[i].kind);
            assert_int_equal(icmp->error, cases[i].error);
            assert_true(ip_addr_equal(&icmp->src, &us) && ip_addr_equal(&icmp->dst, &far));
            assert_int_equal(icmp->sport, 80);
            assert_int_equal(icmp->dport, 4000);
            assert_int_equal(icmp->seq.v, 0x01020304);
            assert_int_equal(icmp->mtu, cases[i].kind == TCP_ICMP_TOO_BIG ? 1400 : 0);
        }
        world_free(w);
    }
}

static void expect_quote_refused(struct world *w, const uint8_t *quote, size_t length)
{
    uint64_t before = dropped(w, NET_DROP_ICMP_QUOTE);
    struct icmp_msg error = {
        .type = ICMP4_UNREACHABLE, .code = 1, .body = quote, .body_len = length};
    put_icmp(&f, PEER4, US4, &error);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ICMP_QUOTE), before + 1);
    assert_int_equal(w->engine->icmps, 0);
}

static void test_quotes_that_prove_nothing(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    uint8_t quote[1100];
    quoted_packet(quote, "10.0.0.77", FAR4, IP_PROTOCOL_TCP); /* not from us */
    expect_quote_refused(w, quote, 28);
    quoted_packet(quote, US4, FAR4, IP_PROTOCOL_UDP);
    expect_quote_refused(w, quote, 28);
    quoted_packet(quote, US4, FAR4, IP_PROTOCOL_TCP);
    for (size_t n = 0; n < 28; n++) { /* less than eight bytes of TCP */
        expect_quote_refused(w, quote, n);
    }
    quote[7] = 1; /* a later fragment */
    expect_quote_refused(w, quote, 28);
    world_free(w);
}

/* A quoted IPv6 packet to ::ffff:192.0.2.9 must not lower the path MTU of the IPv4 host. */
static void test_mapped_quote(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    uint8_t quote[1100];
    struct icmp_msg error = {.type = ICMP6_TOO_BIG, .mtu = 1300, .body = quote};
    error.body_len = quoted_packet(quote, US6, FAR6, IP_PROTOCOL_TCP);
    struct ip_addr far = addr(FAR4);
    memcpy(quote + 24, far.b, 16);
    put_icmp(&f, PEER6, US6, &error);
    world_input(w, &f);
    assert_int_equal(dropped(w, NET_DROP_ICMP_QUOTE), 1);
    assert_int_equal(w->engine->icmps, 0);
    world_free(w);
}

/* RFC 792's minimum: the header and eight bytes. */
static void test_shortest_quote(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    uint8_t quote[1100];
    quoted_packet(quote, US4, FAR4, IP_PROTOCOL_TCP);
    struct icmp_msg error = {.type = ICMP4_UNREACHABLE, .code = 1, .body = quote, .body_len = 28};
    put_icmp(&f, PEER4, US4, &error);
    world_input(w, &f);
    assert_int_equal(w->engine->icmps, 1);
    assert_int_equal(w->engine->icmp.seq.v, 0x01020304);
    world_free(w);
}

static void put_unknown(const char *from, const char *to, uint8_t protocol)
{
    put_ip(&f, from, to, protocol, 100);
    put_bytes(&f, NULL, 100);
}

static void test_our_errors(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        uint8_t protocol, type, code;
        uint32_t pointer;
    } cases[] = {
        {PEER4, US4, 132, ICMP4_UNREACHABLE, ICMP4_UNREACH_PROTOCOL, 0},
        {PEER4, US4, IP_PROTOCOL_UDP, ICMP4_UNREACHABLE, ICMP4_UNREACH_PORT, 0},
        {PEER6, US6, 132, ICMP6_PARAMETER_PROBLEM, ICMP6_PARAMETER_NEXT_HEADER, 6},
        {PEER6, US6, IP_PROTOCOL_UDP, ICMP6_UNREACHABLE, ICMP6_UNREACH_PORT, 0},
    };
    struct world *w = world_with_peers();
    for (unsigned i = 0; i < 4; i++) {
        put_unknown(cases[i].from, cases[i].to, cases[i].protocol);
        world_input(w, &f);
        assert_true(next_icmp(w));
        struct ip_addr us = addr(cases[i].to), peer = addr(cases[i].from);
        assert_int_equal(msg.type, cases[i].type);
        assert_int_equal(msg.code, cases[i].code);
        assert_int_equal(msg.pointer, cases[i].pointer);
        assert_true(ip_addr_equal(&src, &us) && ip_addr_equal(&dst, &peer));
        assert_int_equal(msg.body_len, f.length - ETH_HEADER); /* all of a short packet */
        assert_memory_equal(msg.body, f.b + ETH_HEADER, msg.body_len);
    }
    assert_int_equal(dropped(w, NET_DROP_IP_PROTOCOL), 4);
    world_free(w);
}

/* RFC 4443 2.4(e.3): "unknown option, code 2, whatever the destination" is the exception to the
 * rule about groups. */
static void test_option_error_to_a_group(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    static const struct {
        uint8_t option;
        const char *to;
        bool answered;
    } cases[] = {
        {0x80, US6, true},        {0x80, "ff02::1", true}, {0xc0, US6, true},
        {0xc0, "ff02::1", false}, {0x40, US6, false},
    };
    for (unsigned i = 0; i < 5; i++) {
        put_ip(&f, PEER6, cases[i].to, IPV6_DESTINATION_OPTIONS, 8);
        put_bytes(&f, (const uint8_t[]){6, 0, cases[i].option, 4, 0, 0, 0, 0}, 8);
        world_input(w, &f);
        assert_int_equal(dropped(w, NET_DROP_IPV6_EXTENSION), i + 1);
        assert_int_equal(next_icmp(w), cases[i].answered);
        if (cases[i].answered) {
            struct ip_addr us = addr(US6);
            assert_int_equal(msg.type, ICMP6_PARAMETER_PROBLEM);
            assert_int_equal(msg.code, ICMP6_PARAMETER_OPTION);
            assert_int_equal(msg.pointer, 42);
            assert_true(ip_addr_equal(&src, &us));
        }
    }
    world_free(w);
}

static void expect_silence(struct world *w)
{
    world_input(w, &f);
    assert_false(next_icmp(w));
}

/* RFC 1122 3.2.2: never about these. */
static void test_no_error_about(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    put_unknown(PEER4, "10.0.0.255", 132); /* a broadcast */
    expect_silence(w);
    put_unknown(PEER4, "224.0.0.1", IP_PROTOCOL_UDP);
    expect_silence(w);
    put_unknown(PEER6, "ff02::1", IP_PROTOCOL_UDP);
    expect_silence(w);
    put_unknown(PEER4, US4, 132); /* a link-layer broadcast */
    memcpy(f.b, broadcast_mac, 6);
    expect_silence(w);
    assert_int_equal(dropped(w, NET_DROP_IP_PROTOCOL), 4);
    put_unknown(PEER4, US4, 132); /* a fragment */
    f.b[20] = 0x20;
    fix_ipv4(&f);
    expect_silence(w);
    put_error(&f, PEER4, US4, FAR4, ICMP4_UNREACHABLE, 1, 0); /* an error */
    expect_silence(w);
    assert_int_equal(dropped(w, NET_DROP_ICMP_RATE_LIMITED), 0);
    world_free(w);
}

static unsigned errors_of(struct world *w, unsigned packets)
{
    unsigned n = 0;
    for (unsigned i = 0; i < packets; i++) {
        put_unknown(PEER4, US4, 132);
        world_input(w, &f);
    }
    while (next_icmp(w)) {
        n++;
    }
    world_forget(w);
    return n;
}

static void test_rate_limit(void **state)
{
    (void)state;
    struct world *w = world_with_peers();
    assert_int_equal(errors_of(w, 100), 10);
    assert_int_equal(dropped(w, NET_DROP_ICMP_RATE_LIMITED), 90);
    assert_int_equal(errors_of(w, 100), 0);
    world_pass(w, 100 * NS_PER_MS - 1);
    assert_int_equal(errors_of(w, 5), 0);
    world_pass(w, 1);
    assert_int_equal(errors_of(w, 5), 1);
    world_pass(w, 500 * NS_PER_MS);
    assert_int_equal(errors_of(w, 100), 5);
    world_pass(w, 1500 * NS_PER_MS);
    assert_int_equal(errors_of(w, 5), 5); /* five are left */
    world_pass(w, 800 * NS_PER_MS);
    assert_int_equal(errors_of(w, 100), 10);
    world_pass(w, 3600 * NS_PER_S); /* no more than the burst, however long */
    assert_int_equal(errors_of(w, 100), 10);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),           cmocka_unit_test(test_echo_to_groups),
        cmocka_unit_test(test_echo_too_long),  cmocka_unit_test(test_echo_bad_code),
        cmocka_unit_test(test_classification), cmocka_unit_test(test_quotes_that_prove_nothing),
        cmocka_unit_test(test_mapped_quote),   cmocka_unit_test(test_shortest_quote),
        cmocka_unit_test(test_our_errors),     cmocka_unit_test(test_option_error_to_a_group),
        cmocka_unit_test(test_no_error_about), cmocka_unit_test(test_rate_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
