/* AccECN (RFC 9768): marks counted and told, what the peer tells obeyed, and what is done when SYNs
 * are lost or the path changes ECN's bits. test_ecn.c has the tables of the handshake. */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SYN_OPTIONS " win 65535 <mss 1000,sackOK,nop,wscale 7>"
#define NOTHING_YET "ecn e0b 1 ceb 0 e1b 1"

static void passive(struct tcp_config *c)
{
    c->defaults.timestamps = false;
    c->defaults.nodelay = true;
}

static void accurate(struct tcp_config *c)
{
    passive(c);
    c->defaults.ecn = TCP_ECN_ACCURATE;
}

static void delaying(struct tcp_config *c)
{
    accurate(c);
    c->defaults.delayed_ack_ns = 40 * NS_PER_MS;
}

static void advance_to(struct script *s, int64_t deadline_ns)
{
    script_advance_ms(s, (deadline_ns - s->now.ns) / NS_PER_MS + 1);
}

/* The peer's SYN,ACK answers ours with these flags, and the handshake ends. */
static void begin_active(struct script *s, void (*adjust)(struct tcp_config *), const char *flags)
{
    char text[120];
    script_begin(s, adjust);
    script_open(s);
    script_expect(s, "SECe 0:0(0)");
    snprintf(text, sizeof text, "%s 0:0(0) ack 1" SYN_OPTIONS, flags);
    script_inject(s, text);
    script_expect(s, "C. 1:1(0) ack 1");
}

static void begin_accurate(struct script *s)
{
    script_begin(s, passive);
    script_listen(s, 16);
    script_inject(s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(s, "SC. 0:0(0) ack 1");
    script_inject(s, "C. 1:1(0) ack 1 win 500"); /* the SYN,ACK came Not-ECT */
    script_accept(s);
}

/* ACE counts packets from 5 modulo 8; the option, octets from 1 each (section 3.2.1, 3.2.3). */
static void marks_are_counted(void **state)
{
    (void)state;
    struct script s;
    begin_accurate(&s);
    script_inject(&s, "[ect0] eE. 1:1001(1000) ack 1 win 500");
    script_expect(&s, "eE. 1:1(0) ack 1001 <ecn e0b 1001 ceb 0 e1b 1>");
    script_inject(&s, "[ce] eE. 1001:2001(1000) ack 1 win 500");
    script_expect(&s, "eC. 1:1(0) ack 2001 <ecn e0b 1001 ceb 1000 e1b 1>");
    script_inject(&s, "[ce] eE. 2001:3001(1000) ack 1 win 500");
    script_expect(&s, "eCE. 1:1(0) ack 3001 <ecn e0b 1001 ceb 2000 e1b 1>");
    script_inject(&s, "[ce] eE. 3001:4001(1000) ack 1 win 500"); /* 8: the field wraps */
    script_expect(&s, ". 1:1(0) ack 4001 <ecn e0b 1001 ceb 3000 e1b 1>");
    script_inject(&s, "[ce] eE. 4001:4001(0) ack 1 win 500"); /* a pure ACK counts as a packet */
    script_inject(&s, "[ect1] eE. 4001:5001(1000) ack 1 win 500");
    script_expect(&s, "E. 1:1(0) ack 5001 <ecn e0b 1001 ceb 3000 e1b 1001>");
    assert_int_equal(script_info(&s).ce_packets, 4);
    assert_false(script_info(&s).ect_stopped || script_info(&s).ecn_mangled);
    script_end(&s);
}

/* What the peer counts is what was marked of ours: one reduction for all marks of a window. */
static void the_peers_count_is_obeyed(void **state)
{
    (void)state;
    struct script s;
    begin_accurate(&s);
    script_send(&s, 10000, 0);
    script_discard(&s);
    script_inject(&s, "eE. 1:1(0) ack 3001 win 500 <ecn e0b 3001 ceb 0 e1b 1>");
    assert_int_equal(script_counters(&s)->cwr_entries, 0);
    script_inject(&s, "eEC. 1:1(0) ack 5001 win 500 <ecn e0b 3001 ceb 2000 e1b 1>");
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    assert_int_equal(script_info(&s).echoed_ce_packets, 2);
    script_inject(&s, ". 1:1(0) ack 6001 win 500"); /* 8 modulo 8, without the option */
    assert_int_equal(script_info(&s).echoed_ce_packets, 3);
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    script_end(&s);
}

/* Section 3.2.2.5.2: an ACK of more packets than ACE can count may hide a whole turn of it; the
 * option says that it does not. */
static void a_field_that_may_have_wrapped(void **state)
{
    (void)state;
    struct script s;
    for (int option = 0; option < 2; option++) {
        begin_accurate(&s);
        script_send(&s, 10000, 0);
        script_discard(&s);
        script_inject(&s, option ? "eE. 1:1(0) ack 10001 win 500 <ecn e0b 10001 ceb 0 e1b 1>"
                                 : "eE. 1:1(0) ack 10001 win 500");
        assert_int_equal(script_info(&s).echoed_ce_packets, option ? 0 : 8);
        script_end(&s);
    }
}

/* Section 3.2.2.1, note 1: a third ACK with zero. */
static void a_path_that_clears_flags(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, passive);
    script_listen(&s, 16);
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 win 500");
    script_accept(&s);
    assert_int_equal(script_counters(&s)->ecn_mangled, 1);
    assert_true(script_info(&s).ecn_mangled && script_info(&s).ect_stopped);
    script_send(&s, 500, 0);
    script_expect(&s, "[noecn] PEe. 1:501(500) ack 1");
    script_end(&s);
}

/* The option takes its room from the data (MUST-16). */
static void the_option_takes_room(void **state)
{
    (void)state;
    struct script s;
    begin_accurate(&s);
    script_inject(&s, "[ce] eE. 1:101(100) ack 1 win 500");
    script_discard(&s);
    script_inject(&s, "[ce] eE. 101:201(100) ack 1 win 500");
    script_send(&s, 3000, 0);
    script_expect(&s, "[ect0] eCE. 1:989(988) ack 201 <ecn e0b 1 ceb 200 e1b 1>");
    script_expect(&s, "[ect0] eCE. 989:1977(988) ack 201 <ecn e0b 1 ceb 200 e1b 1>");
    script_expect(&s, "[ect0] eCE. 1977:2977(1000) ack 201 <>");
    script_end(&s);
}

/* ---- the handshake ---- */

/* Section 3.2.3.2.1 and 3.2.3.2.2: the option is on the first SYN,ACK only, and the third has no
 * flags either; the listener then feeds back as agreed, and sends no ECT (section 3.1.5). */
static void a_lost_syn_ack_goes_without(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, passive);
    script_listen(&s, 16);
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5," NOTHING_YET ">");
    script_advance_ms(&s, 1001);
    script_expect(&s, "SC. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5>");
    script_advance_ms(&s, 2001);
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5>");
    assert_int_equal(script_counters(&s)->ecn_fallbacks, 1);
    script_inject(&s, "C. 1:1(0) ack 1 win 500");
    script_accept(&s);
    assert_true(script_info(&s).accecn_ok && script_info(&s).ect_stopped);
    assert_false(script_info(&s).ecn_mangled);
    script_send(&s, 100, 0);
    script_expect(&s, "[noecn] PEe. 1:101(100) ack 1");
    script_inject(&s, "[ce] eE. 1:1001(1000) ack 101 win 500");
    script_expect(&s, "eC. 101:101(0) ack 1001 <ecn e0b 1 ceb 1000 e1b 1>");
    script_end(&s);
}

/* Section 3.1.5: the codepoint of the latest SYN is fed back; a SYN without flags at a listener in
 * AccECN mode gets the same answer, and ends ECT. */
static void the_latest_syn_is_answered(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, passive);
    script_listen(&s, 16);
    script_inject(&s, "[noecn] SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1");
    script_inject(&s, "[ect0] SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "Se. 0:0(0) ack 1 <mss 1460,sackOK,wscale 5>");
    script_inject(&s, "[noecn] S 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1");
    script_inject(&s, "C. 1:1(0) ack 1 win 500");
    script_accept(&s);
    script_send(&s, 100, 0);
    script_expect(&s, "[noecn] PEe. 1:101(100) ack 1");
    script_end(&s);
}

/* Section 3.1.5: the first SYN decides, also that there is no ECN. */
static void an_offer_after_a_plain_syn(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, accurate);
    script_listen(&s, 16);
    script_inject(&s, "S 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "S. 0:0(0) ack 1");
    script_end(&s);
}

/* Section 3.2.2.1: the pure ACK goes ahead of data, with the option, which the first data have, too
 * (section 3.2.3.2.1); and again, when the SYN,ACK comes again, telling of the latest. */
static void the_ack_of_the_syn_ack(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, accurate);
    script_open(&s);
    script_send(&s, 100, 0);
    script_expect(&s, "SECe 0:0(0)");
    script_inject(&s, "[ect1] SC. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, "EC. 1:1(0) ack 1 <" NOTHING_YET ">");
    script_expect(&s, "[ect0] PEe. 1:101(100) ack 1 <" NOTHING_YET ">");
    script_inject(&s, "[ce] SC. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, "Ce. 101:101(0) ack 1");
    script_inject(&s, "[ce] SC. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, "Ce. 101:101(0) ack 1");
    assert_int_equal(script_info(&s).ce_packets, 1); /* once (section 3.2.2.2) */
    script_inject(&s, "eE. 1:1(0) ack 101 win 500");
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] PCe. 101:201(100) ack 1");
    script_end(&s);
}

static void no_cookie(struct tcp_config *c)
{
    accurate(c);
    c->defaults.fast_open_no_cookie = true;
}

/* But not ahead of data that a SYN,ACK refused: their number would not be that of the handshake's
 * last ACK, by which a listener knows its SYN cookie. */
static void refused_data_go_first(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, no_cookie);
    s.tuple.local_port = 4000;
    s.tuple.remote_port = 80;
    uint8_t data[100] = {0};
    struct tcp_open_args a = {.tuple = s.tuple,
                              .mtu = 1500,
                              .owner = 2,
                              .fast_open = true,
                              .data = data,
                              .length = sizeof data};
    assert_int_equal(tcp_open(s.engine, s.now, &a, &s.id), 0);
    script_expect(&s, "SECe 0:100(100)");
    script_inject(&s, "SC. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, "PEe. 1:101(100) ack 1");
    script_quiet(&s);
    script_end(&s);
}

/* Table 4: the ACK of our SYN,ACK, which was sent Not-ECT. */
static void the_ack_of_our_syn_ack(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        bool capable, heeds, marked;
    } table[] = {
        {".", false, false, false},  {"E.", true, true, false},   {"C.", true, true, false},
        {"EC.", false, true, false}, {"e.", false, true, false},  {"eE.", true, true, false},
        {"eC.", false, true, true},  {"eEC.", true, true, false},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct script s;
        char text[120];
        script_begin(&s, passive);
        script_listen(&s, 16);
        script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
        script_expect(&s, "SC. 0:0(0) ack 1");
        snprintf(text, sizeof text, "%s 1:1(0) ack 1 win 500", table[i].flags);
        script_inject(&s, text);
        script_accept(&s);
        struct tcp_info info = script_info(&s);
        assert_int_equal(info.echoed_ce_packets, table[i].marked);
        assert_int_equal(info.cwnd_bytes, table[i].marked ? 1000 : 10000);
        assert_int_equal(script_counters(&s)->ecn_mangled, !table[i].capable);
        script_send(&s, 500, 0);
        snprintf(text, sizeof text, "%s PEe. 1:501(500) ack 1",
                 table[i].capable ? "[ect0]" : "[noecn]");
        script_expect(&s, text);
        /* r.cep of the client is 6 when the SYN,ACK was marked: one more is a mark */
        script_inject(&s, table[i].marked ? "eEC. 1:1(0) ack 501 win 500"
                                          : "eC. 1:1(0) ack 501 win 500");
        assert_int_equal(script_counters(&s)->cwr_entries, table[i].heeds);
        script_end(&s);
    }
}

/* The ACK of our SYN,ACK got lost: the first segment has data, and ACE is a counter on it. */
static void the_ack_of_our_syn_ack_is_lost(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, passive);
    script_listen(&s, 16);
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1");
    script_inject(&s, "[ect0] eC. 1:1001(1000) ack 1 win 500"); /* 6: the SYN,ACK was marked */
    script_accept(&s);
    assert_int_equal(script_info(&s).echoed_ce_packets, 1);
    assert_int_equal(script_counters(&s)->ecn_mangled, 0);
    script_discard(&s);
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] PEe. 1:101(100) ack 1001");
    script_end(&s);
}

/* Section 3.2.2.3: how our SYN arrived, which was sent Not-ECT. */
static void the_syn_was_changed_on_the_way(void **state)
{
    (void)state;
    static const char *const table[] = {"SC.", "SEC.", "Se.", "SCe."};
    for (unsigned i = 0; i < 4; i++) {
        struct script s;
        begin_active(&s, accurate, table[i]);
        assert_int_equal(script_counters(&s)->ecn_mangled, i > 0);
        assert_int_equal(script_info(&s).cwnd_bytes, i == 3 ? 1000 : 10000);
        assert_int_equal(script_info(&s).echoed_ce_packets, 0);
        script_send(&s, 900, 0);
        script_expect(&s, i ? "[noecn] PEe. 1:901(900) ack 1" : "[ect0] PEe. 1:901(900) ack 1");
        script_inject(&s, "[ce] eC. 1:1001(1000) ack 901 win 500"); /* still heeded, still told */
        assert_int_equal(script_counters(&s)->cwr_entries, 1);
        script_expect(&s, "eC. 901:901(0) ack 1001");
        script_end(&s);
    }
}

static void dctcp(struct tcp_config *c)
{
    accurate(c);
    c->defaults.congestion = TCP_CONGESTION_DCTCP;
}

/* The same for a SYN or SYN,ACK that was sent with ECT(0), as DCTCP does: routers may mark it. */
static void a_capable_syn_was_changed(void **state)
{
    (void)state;
    static const struct {
        const char *syn_ack, *ack;
        bool allowed;
    } table[] = {
        {"SC.", "C.", false}, {"SEC.", "EC.", true}, {"Se.", "e.", true}, {"SCe.", "Ce.", true}};
    for (unsigned i = 0; i < 4; i++) {
        struct script s;
        char text[100];
        begin_active(&s, dctcp, table[i].syn_ack);
        assert_int_equal(script_counters(&s)->ecn_mangled, !table[i].allowed);
        script_end(&s);
        script_begin(&s, dctcp);
        script_listen(&s, 16);
        script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
        script_expect(&s, "[ect0] SC. 0:0(0) ack 1");
        snprintf(text, sizeof text, "%s 1:1(0) ack 1 win 500", table[i].ack);
        script_inject(&s, text);
        script_accept(&s);
        assert_int_equal(script_counters(&s)->ecn_mangled, !table[i].allowed);
        script_end(&s);
    }
}

/* Section 3.2.2.4: cleared after the handshake. Of three packets the field may rightly be zero. */
static void a_counter_of_zero(void **state)
{
    (void)state;
    for (unsigned packets = 1; packets < 4; packets += 2) {
        struct script s;
        char text[80];
        begin_active(&s, accurate, "SC.");
        script_send(&s, 4000, 0);
        script_discard(&s);
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 500", packets * 1000 - 11);
        script_inject(&s, text);
        assert_int_equal(script_counters(&s)->ecn_mangled, packets == 1);
        assert_int_equal(script_counters(&s)->cwr_entries, packets == 3);
        script_end(&s);
    }
}

/* Section 3.2.2.3: the first four round trips came back all marked. */
static void all_is_marked(void **state)
{
    (void)state;
    static const char *const ace[] = {"eC", "eEC", "", "E", "C", "EC", "e"};
    for (unsigned unmarked = 0; unmarked < 2; unmarked++) {
        struct script s;
        char text[100];
        begin_active(&s, accurate, "SC.");
        uint32_t at = 1;
        for (unsigned round = 0; round < 6; round++) {
            script_send(&s, 500, 0);
            snprintf(text, sizeof text, "%s PEe. %u:%u(500) ack 1",
                     round < 5 || unmarked ? "[ect0]" : "[noecn]", at, at + 500);
            script_expect(&s, text);
            at += 500;
            snprintf(text, sizeof text, "%s. 1:1(0) ack %u win 500",
                     unmarked && round ? ace[round - 1] : ace[round], at);
            if (unmarked && !round) {
                snprintf(text, sizeof text, "eE. 1:1(0) ack %u win 500", at);
            }
            script_inject(&s, text);
            script_discard(&s);
        }
        assert_int_equal(script_counters(&s)->ecn_mangled, !unmarked);
        script_end(&s);
    }
}

/* ---- counters ---- */

/* Section 3.2.2.5.1: the first mark after none, and every second one, is told at once; of segments
 * that need no ACK every third. */
static void marks_are_told_at_once(void **state)
{
    (void)state;
    struct script s;
    char text[100];
    begin_active(&s, delaying, "SC.");
    for (unsigned n = 0; n < 20; n++) { /* past the first ones, which are acknowledged at once */
        snprintf(text, sizeof text, "[ect0] eE. %u:%u(1000) ack 1", 1 + 1000 * n, 1001 + 1000 * n);
        script_inject(&s, text);
        script_discard(&s);
    }
    script_inject(&s, "[ce] eE. 20001:20101(100) ack 1");
    script_expect(&s, "eC. 1:1(0) ack 20101");
    script_inject(&s, "[ce] eE. 20101:20201(100) ack 1");
    script_quiet(&s);
    script_inject(&s, "[ce] eE. 20201:20301(100) ack 1");
    script_expect(&s, ". 1:1(0) ack 20301");
    for (unsigned n = 0; n < 2; n++) {
        script_inject(&s, "[ce] eE. 20301:20301(0) ack 1");
        script_quiet(&s);
    }
    script_inject(&s, "[ce] eE. 20301:20301(0) ack 1");
    script_expect(&s, "EC. 1:1(0) ack 20301");
    script_end(&s);
}

/* Section 1.3 and 3.2: what lies outside the window does not count. */
static void only_acceptable_segments_count(void **state)
{
    (void)state;
    struct script s;
    begin_active(&s, accurate, "SC.");
    script_inject(&s, "[ect0] eE. 1:1001(1000) ack 1");
    script_discard(&s);
    script_inject(&s, "[ce] eE. 1:1001(1000) ack 1");
    script_inject(&s, "[ce] eE. 90000001:90001001(1000) ack 1");
    assert_int_equal(script_info(&s).ce_packets, 0);
    script_end(&s);
}

/* Appendix A.1: an ACK that was overtaken does not turn the counter back, which would be seven
 * marks. */
static void an_ack_that_was_overtaken(void **state)
{
    (void)state;
    struct script s;
    begin_active(&s, accurate, "SC.");
    script_send(&s, 4000, 0);
    script_discard(&s);
    script_inject(&s, "eC. 1:1(0) ack 2001 win 500");
    assert_int_equal(script_info(&s).echoed_ce_packets, 1);
    script_inject(&s, "eE. 1:1(0) ack 1001 win 500");
    script_inject(&s, "eE. 1:1(0) ack 2001 win 500");
    assert_int_equal(script_info(&s).echoed_ce_packets, 1);
    script_end(&s);
}

/* Section 3.2.3.2.5: octets marked in no packet. */
static void octets_without_a_packet(void **state)
{
    (void)state;
    for (unsigned consistent = 0; consistent < 2; consistent++) {
        struct script s;
        begin_active(&s, accurate, "SC.");
        script_send(&s, 3000, 0);
        script_discard(&s);
        script_inject(&s,
                      consistent ? "eC. 1:1(0) ack 1001 win 500" : "eE. 1:1(0) ack 1001 win 500");
        script_inject(&s, consistent ? "eC. 1:1(0) ack 2001 win 500 <ecn e0b 1001 ceb 1000 e1b 1>"
                                     : "eE. 1:1(0) ack 2001 win 500 <ecn e0b 1001 ceb 1000 e1b 1>");
        assert_int_equal(script_counters(&s)->ecn_mangled, !consistent);
        script_end(&s);
    }
}

/* Section 3.2.3.2.4: an option of zeros is not read, and ACE alone decides. */
static void an_option_that_was_cleared(void **state)
{
    (void)state;
    struct script s;
    begin_active(&s, accurate, "SC.");
    script_send(&s, 10000, 0);
    script_discard(&s);
    script_inject(&s, "eE. 1:1(0) ack 501 win 500 <ecn e0b 0 ceb 0 e1b 0>");
    script_inject(&s, "eE. 1:1(0) ack 10001 win 500 <ecn e0b 10001 ceb 0 e1b 1>");
    assert_int_equal(script_info(&s).echoed_ce_packets, 8);
    script_end(&s);
}

/* Section 3.2.3.2.2: not on a retransmission; and no more, when what was acknowledged with it comes
 * again. */
static void the_option_gets_lost(void **state)
{
    (void)state;
    struct script s;
    begin_active(&s, accurate, "SC.");
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] PEe. 1:101(100) ack 1 <" NOTHING_YET ">");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "[noecn] PEe. 1:101(100) ack 1 <>");
    script_inject(&s, "[ect0] eE. 1:1001(1000) ack 101");
    script_expect(&s, "eE. 101:101(0) ack 1001 <ecn e0b 1001 ceb 0 e1b 1>");
    script_inject(&s, "[noecn] eE. 1:1001(1000) ack 101");
    script_expect(&s, "eE. 101:101(0) ack 1001 <sack 1:1001,ecn e0b 1001 ceb 0 e1b 1>");
    script_inject(&s, "[noecn] eE. 1:1001(1000) ack 101");
    script_expect(&s, "eE. 101:101(0) ack 1001 <sack 1:1001>");
    script_inject(&s, "[ce] eE. 1001:2001(1000) ack 101");
    script_expect(&s, "eC. 101:101(0) ack 2001 <>");
    script_end(&s);
}

/* Section 3.3.4: while CWR is one of the counter's bits a device would clear it in all but the
 * first segment of a super-frame. */
static void no_super_frame_with_cwr(void **state)
{
    (void)state;
    struct script s;
    begin_active(&s, accurate, "SC.");
    struct tcp_link link = {.tso = true, .max_frame = 65535};
    tcp_set_link(s.engine, &link);
    script_send(&s, 100, 0);
    script_discard(&s);
    script_inject(&s, "eE. 1:1(0) ack 101 win 500");
    script_send(&s, 2000, 0);
    script_expect(&s, "[ect0] PEe. 101:2101(2000) ack 1");
    script_inject(&s, "[ce] eE. 1:101(100) ack 2101 win 500");
    script_discard(&s);
    script_send(&s, 2000, 0);
    script_expect(&s, "[ect0] Ce. 2101:3089(988) ack 101");
    script_end(&s);
}

static void leave_time_wait_behind(struct tcp_config *c)
{
    accurate(c);
    c->defaults.fin_wait_2_ns = NS_PER_S;
}

/* Section 3.2.2.2: every segment has the counter, also that of a connection in TIME-WAIT. */
static void time_wait_still_tells(void **state)
{
    (void)state;
    struct script s;
    begin_active(&s, leave_time_wait_behind, "SC.");
    script_inject(&s, "[ce] eE. 1:101(100) ack 1 win 500");
    script_discard(&s);
    assert_int_equal(script_read(&s), 100);
    assert_int_equal(tcp_close(s.engine, s.now, s.id), 0);
    script_discard(&s);
    assert_int_equal(tcp_release(s.engine, s.now, s.id), 0);
    script_inject(&s, "FeE. 101:101(0) ack 2 win 500");
    script_expect(&s, "eC. 2:2(0) ack 102");
    script_inject(&s, "FeE. 101:101(0) ack 2 win 500");
    script_expect(&s, "eC. 2:2(0) ack 102");
    script_end(&s);
}

static void never(struct tcp_config *c)
{
    accurate(c);
    c->defaults.accecn_option = TCP_ACCECN_OPTION_NEVER;
}

/* Section 3.2.3: to send the option is a SHOULD; ACE does without. */
static void without_the_option(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, never);
    script_listen(&s, 16);
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1");
    script_inject(&s, "C. 1:1(0) ack 1 win 500");
    script_accept(&s);
    script_inject(&s, "[ce] eE. 1:1001(1000) ack 1 win 500");
    script_expect(&s, "eC. 1:1(0) ack 1001 <>");
    assert_int_equal(script_info(&s).received_ce_bytes, 1000);
    assert_int_equal(script_info(&s).received_ect0_bytes, 0);
    script_end(&s);
}

static void as_linux(struct tcp_config *c)
{
    accurate(c);
    c->accecn_as_linux = true;
    c->defaults.accecn_option = TCP_ACCECN_OPTION_ALWAYS;
}

/* Every segment is ECN-capable and has the option, ECT(1) first, once the peer has sent one. */
static void the_ways_of_linux(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, as_linux);
    script_listen(&s, 16);
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "[noecn] SC. 0:0(0) ack 1");
    script_inject(&s, "C. 1:1(0) ack 1 win 500");
    script_accept(&s);
    script_inject(&s, "[ect0] eE. 1:1001(1000) ack 1 win 500");
    script_expect(&s, "[ect0] eE. 1:1(0) ack 1001 <>");
    script_inject(&s, "[ect0] eE. 1001:2001(1000) ack 1 win 500 <" NOTHING_YET ">");
    struct tcp_info before = script_info(&s);
    assert_int_equal(before.received_ect0_bytes, 2000);
    script_expect(&s, "[ect0] eE. 1:1(0) ack 2001");
    script_send(&s, 100, 0);
    script_discard(&s);
    script_inject(&s, "eE. 2001:2001(0) ack 101 win 500 <ecn e0b 101 ceb 0 e1b 1>");
    assert_int_equal(script_info(&s).echoed_ect0_bytes, 100);
    assert_int_equal(script_info(&s).echoed_ce_bytes, 0);
    script_end(&s);
}

/* An ACK of many packets is no sign of others that were lost where the first one was so, too. */
static void merged_acks_from_the_beginning(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, as_linux);
    script_listen(&s, 16);
    script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SC. 0:0(0) ack 1");
    script_inject(&s, "C. 1:1(0) ack 1 win 500");
    script_accept(&s);
    script_send(&s, 10000, 0);
    script_discard(&s);
    script_inject(&s, "eE. 1:1(0) ack 10001 win 500");
    assert_int_equal(script_info(&s).echoed_ce_packets, 0);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_syn_ack_goes_without),
        cmocka_unit_test(the_latest_syn_is_answered),
        cmocka_unit_test(an_offer_after_a_plain_syn),
        cmocka_unit_test(the_ack_of_the_syn_ack),
        cmocka_unit_test(refused_data_go_first),
        cmocka_unit_test(the_ack_of_our_syn_ack),
        cmocka_unit_test(the_ack_of_our_syn_ack_is_lost),
        cmocka_unit_test(the_syn_was_changed_on_the_way),
        cmocka_unit_test(a_capable_syn_was_changed),
        cmocka_unit_test(a_counter_of_zero),
        cmocka_unit_test(all_is_marked),
        cmocka_unit_test(marks_are_counted),
        cmocka_unit_test(marks_are_told_at_once),
        cmocka_unit_test(only_acceptable_segments_count),
        cmocka_unit_test(the_peers_count_is_obeyed),
        cmocka_unit_test(a_field_that_may_have_wrapped),
        cmocka_unit_test(an_ack_that_was_overtaken),
        cmocka_unit_test(octets_without_a_packet),
        cmocka_unit_test(a_path_that_clears_flags),
        cmocka_unit_test(an_option_that_was_cleared),
        cmocka_unit_test(the_option_takes_room),
        cmocka_unit_test(the_option_gets_lost),
        cmocka_unit_test(no_super_frame_with_cwr),
        cmocka_unit_test(time_wait_still_tells),
        cmocka_unit_test(without_the_option),
        cmocka_unit_test(the_ways_of_linux),
        cmocka_unit_test(merged_acks_from_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
