/* SYN cookies (RFC 4987): what they carry, for how long, who believes them, and that a flood of
 * SYNs costs no memory. */
#include <stdio.h>
#include "cmocka_all.h"
#include "memory.h"
#include "script.h"
#include "tcp/syn_cookies.h"

static const struct hash_key root = {1, 2};

static struct tcp_tuple tuple_n(uint16_t port)
{
    return (struct tcp_tuple){ip_addr_v4(192, 0, 2, 1), ip_addr_v4(192, 0, 2, 2), 80, port};
}

static ackd_time at_s(int64_t s)
{
    return time_from_ns(s * NS_PER_S);
}

static void a_cookie_carries_the_mss_rounded_down(void **state)
{
    (void)state;
    static const uint16_t mss[][2] = {{48, 48},     {535, 48},    {536, 536},   {1219, 536},
                                      {1459, 1440}, {1460, 1460}, {8939, 1460}, {65535, 8940}};
    struct tcp_tuple t = tuple_n(5000);
    for (size_t i = 0; i < sizeof mss / sizeof mss[0]; i++) {
        uint16_t got = 0;
        tcp_seq isn = syn_cookie_isn(&root, &t, seq_of(77), mss[i][0], at_s(1000));
        assert_true(syn_cookie_check(&root, &t, seq_of(77), isn, at_s(1000), &got));
        assert_int_equal(got, mss[i][1]);
    }
}

static void a_cookie_ages(void **state)
{
    (void)state;
    struct tcp_tuple t = tuple_n(5000);
    uint16_t mss;
    for (int64_t made = 6400; made < 6464; made += 7) { /* wherever in its epoch of 64 s */
        tcp_seq isn = syn_cookie_isn(&root, &t, seq_of(1), 1460, at_s(made));
        for (int64_t age = 0; age <= 64; age++) {
            assert_true(syn_cookie_check(&root, &t, seq_of(1), isn, at_s(made + age), &mss));
        }
        for (int64_t age = 128; age < 700; age++) {
            assert_false(syn_cookie_check(&root, &t, seq_of(1), isn, at_s(made + age), &mss));
        }
    }
}

static void a_cookie_is_for_one_handshake(void **state)
{
    (void)state;
    struct tcp_tuple t = tuple_n(5000), other = tuple_n(5001);
    const struct hash_key stranger = {1, 3};
    tcp_seq isn = syn_cookie_isn(&root, &t, seq_of(1), 1460, at_s(100));
    uint16_t mss;
    assert_false(syn_cookie_check(&root, &other, seq_of(1), isn, at_s(100), &mss));
    assert_false(syn_cookie_check(&root, &t, seq_of(2), isn, at_s(100), &mss));
    assert_false(syn_cookie_check(&stranger, &t, seq_of(1), isn, at_s(100), &mss));
    unsigned forged = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        forged +=
            syn_cookie_check(&root, &t, seq_of(1), seq_of(isn.v ^ 1u << bit), at_s(100), &mss);
    }
    assert_int_equal(forged, 0);
}

static void the_timestamp_carries_the_rest_and_is_not_newer(void **state)
{
    (void)state;
    struct tcp_options o;
    tcp_options_default(&o);
    for (uint32_t now = 0xffffff00u; now != 0x100; now++) {
        for (unsigned shift = 0; shift <= 14; shift += 7) {
            struct negotiated n = {
                .wscale = shift != 7, .snd_wscale = (uint8_t)shift, .sack = now & 1};
            uint32_t value = syn_cookie_timestamp(&n, now);
            assert_in_range(now - value, 0, 63);
            struct segment s = {.o = {.has_timestamps = true, .tsecr = value}};
            struct negotiated got;
            syn_cookie_negotiated(&o, &s, &got);
            assert_true(got.timestamps);
            assert_int_equal(got.sack, n.sack);
            assert_int_equal(got.wscale, n.wscale);
            assert_int_equal(got.snd_wscale, n.wscale ? shift : 0);
        }
    }
}

static void the_timestamp_carries_classic_ecn(void **state)
{
    (void)state;
    struct tcp_options o;
    tcp_options_default(&o);
    for (unsigned ecn = ECN_NONE; ecn <= ECN_CLASSIC; ecn++) {
        struct negotiated n = {.ecn = (uint8_t)ecn & 3, .sack = true}, got;
        struct segment s = {.o = {.has_timestamps = true, .tsecr = syn_cookie_timestamp(&n, 1000)}};
        syn_cookie_negotiated(&o, &s, &got);
        assert_int_equal(got.ecn, ecn);
        o.ecn = TCP_ECN_OFF; /* meanwhile */
        syn_cookie_negotiated(&o, &s, &got);
        assert_int_equal(got.ecn, ECN_NONE);
        o.ecn = TCP_ECN_ON; /* what a listener would offer is not what was agreed */
        syn_cookie_negotiated(&o, &s, &got);
        assert_int_equal(got.ecn, ecn);
    }
}

/* ---- the listener ---- */

static void always(struct tcp_config *c)
{
    c->defaults.syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    c->defaults.delayed_ack_ns = 0;
}

static void never_four(struct tcp_config *c)
{
    c->defaults.syn_cookies = TCP_SYN_COOKIES_NEVER;
    c->max_syn_received = 4;
}

static void four(struct tcp_config *c)
{
    c->max_syn_received = 4;
}

static void a_connection_from_a_cookie(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, always);
    script_listen(&s, 2);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1 ecr 100,nop,wscale 5>");
    assert_int_equal(tcp_endpoints(s.engine), 1); /* the listener */
    assert_int_equal(script_counters(&s)->syn_cookies_sent, 1);
    script_advance_ms(&s, 10000);
    script_quiet(&s); /* it is not sent again */
    s.timestamps = true;
    script_inject(&s, "P. 1:101(100) ack 1 win 1000"); /* the last ACK, or the data behind it */
    script_expect(&s, ". 1:1(0) ack 101");
    assert_int_equal(script_accept(&s), s.id);
    struct tcp_info i = script_info(&s);
    assert_int_equal(i.state, TCP_ESTABLISHED);
    assert_true(i.sack_ok && i.timestamps_ok && i.wscale_ok);
    assert_int_equal(i.snd_wscale, 7);
    assert_int_equal(i.snd_wnd, 1000 << 7);
    assert_int_equal(i.peer_mss_bytes, 536);
    assert_int_equal(i.iss, s.local_iss);
    assert_int_equal(script_read(&s), 100);
    assert_int_equal(script_counters(&s)->syn_cookies_received, 1);
    script_end(&s);
}

static void always_with_ecn(struct tcp_config *c)
{
    always(c);
    c->defaults.ecn = TCP_ECN_ON;
}

/* RFC 3168 by a bit of the timestamp, RFC 9768 by the ACE of the last ACK (its section 5.1), or of
 * the data, when that ACK is lost. */
static void ecn_is_agreed_without_memory(void **state)
{
    (void)state;
    static const struct {
        const char *syn, *syn_ack, *last, *data;
        bool timestamps, classic, accurate;
    } table[] = {
        {"S", "S.", ".", "[noecn] P.", true, false, false},
        {"SEC", "SE.", ".", "[ect0] P.", true, true, false},
        {"SEC", "S.", ".", "[noecn] P.", false, false, false},
        {"[noecn] SECe", "SC.", "C.", "[ect0] PEe.", true, false, true},
        {"[ect0] SECe", "Se.", "C.", "[ect0] PEe.", false, false, true},
        {"[noecn] SECe", "SC.", "e.", "[noecn] PEe.", false, false, true}, /* changed on its way */
        {"[noecn] SECe", "SC.", ".", "[noecn] P.", false, false, false},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct script s;
        char text[120];
        script_begin(&s, always_with_ecn);
        script_listen(&s, 2);
        snprintf(text, sizeof text, "%s 0:0(0) win 65535 <mss 1000,sackOK%s>", table[i].syn,
                 table[i].timestamps ? ",TS val 100 ecr 0" : "");
        script_inject(&s, text);
        snprintf(text, sizeof text, "[noecn] %s 0:0(0) ack 1", table[i].syn_ack);
        script_expect(&s, text);
        s.timestamps = table[i].timestamps;
        snprintf(text, sizeof text, "%s 1:1(0) ack 1 win 1000", table[i].last);
        script_inject(&s, text);
        assert_int_equal(script_accept(&s), s.id);
        struct tcp_info info = script_info(&s);
        assert_int_equal(info.ecn_ok, table[i].classic);
        assert_int_equal(info.accecn_ok, table[i].accurate);
        script_send(&s, 100, 0);
        snprintf(text, sizeof text, "%s 1:101(100) ack 1", table[i].data);
        script_expect(&s, text);
        script_end(&s);
    }
}

static void without_timestamps_only_the_mss(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, always);
    script_listen(&s, 2);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 7>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    script_inject(&s, ". 1:1(0) ack 1 win 1000");
    assert_int_equal(script_accept(&s), s.id);
    struct tcp_info i = script_info(&s);
    assert_false(i.sack_ok || i.timestamps_ok || i.wscale_ok);
    assert_int_equal(i.snd_wnd, 1000);
    assert_int_equal(i.peer_mss_bytes, 1460);
    script_end(&s);
}

static void an_ack_without_a_cookie_is_reset(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, always);
    script_listen(&s, 2);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 2");
    script_expect(&s, "R 2:2(0)");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_SYN_COOKIE_INVALID], 1);
    assert_int_equal(script_counters(&s)->rsts_sent[TCP_RST_SENT_ACK_IN_LISTEN], 1);
    script_inject(&s, ". 101:201(100) ack 1"); /* what overtook the last ACK comes again */
    script_quiet(&s);
    script_inject(&s, "R. 1:1(0) ack 1"); /* of the peer, on the way back to LISTEN */
    script_quiet(&s);
    assert_int_equal(script_accept(&s), 0);
    script_advance_ms(&s, 129000); /* by now no cookie is left to come */
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, "R 1:1(0)");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_LISTEN_ACK], 1);
    script_end(&s);
}

static void a_cookie_waits_for_room_in_the_accept_queue(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, always);
    script_listen(&s, 1);
    uint32_t iss[2];
    for (unsigned i = 0; i < 2; i++) {
        s.tuple.remote_port = (uint16_t)(PEER_PORT + i);
        script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
        script_expect(&s, "S. 0:0(0) ack 1");
        iss[i] = s.local_iss;
    }
    s.tuple.remote_port = PEER_PORT;
    s.local_iss = iss[0];
    script_inject(&s, ". 1:1(0) ack 1");
    s.tuple.remote_port = PEER_PORT + 1;
    s.local_iss = iss[1];
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACCEPT_QUEUE_FULL], 1);
    script_quiet(&s);
    assert_true(script_accept(&s) > 0);
    script_inject(&s, "P. 1:11(10) ack 1");
    assert_true(script_accept(&s) > 0);
    script_end(&s);
}

static void syns_from(struct script *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        s->tuple.remote_port = (uint16_t)(1024 + i % 60000);
        s->tuple.remote = ip_addr_v4(198, 51, (uint8_t)(i / 60000), 1);
        script_inject(s, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>");
        script_discard(s);
    }
}

static void the_policy_decides_when(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, never_four);
    script_listen(&s, 2);
    syns_from(&s, 10);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_SYN_QUEUE_FULL], 6);
    assert_int_equal(script_counters(&s)->syn_cookies_sent, 0);
    script_end(&s);
    script_begin(&s, four);
    script_listen(&s, 2);
    syns_from(&s, 10);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_SYN_QUEUE_FULL], 0);
    assert_int_equal(script_counters(&s)->syn_cookies_sent, 6);
    script_end(&s);
}

static void a_flood_costs_no_memory_and_keeps_nobody_out(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, four);
    script_listen(&s, 2);
    syns_from(&s, 100);
    struct arena_stats before, after;
    arena_stats(s.arena, &before);
    syns_from(&s, 50000);
    arena_stats(s.arena, &after);
    assert_int_equal(after.used, before.used);
    assert_true(after.taken - before.taken <= 65536);
    assert_int_equal(tcp_endpoints(s.engine), 5); /* the listener and four half-open */
    s.tuple = tuple_n(PEER_PORT);
    s.id = 0;
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>");
    script_expect(&s, "S. 0:0(0) ack 1");
    s.timestamps = true;
    script_inject(&s, ". 1:1(0) ack 1");
    assert_true(script_accept(&s) > 0);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_carries_the_mss_rounded_down),
        cmocka_unit_test(a_cookie_ages),
        cmocka_unit_test(a_cookie_is_for_one_handshake),
        cmocka_unit_test(the_timestamp_carries_the_rest_and_is_not_newer),
        cmocka_unit_test(a_connection_from_a_cookie),
        cmocka_unit_test(the_timestamp_carries_classic_ecn),
        cmocka_unit_test(ecn_is_agreed_without_memory),
        cmocka_unit_test(without_timestamps_only_the_mss),
        cmocka_unit_test(an_ack_without_a_cookie_is_reset),
        cmocka_unit_test(a_cookie_waits_for_room_in_the_accept_queue),
        cmocka_unit_test(the_policy_decides_when),
        cmocka_unit_test(a_flood_costs_no_memory_and_keeps_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
