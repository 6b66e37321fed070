/* ECN (RFC 3168): the handshake's tables, those of AccECN (RFC 9768) too, marks echoed and obeyed,
 * and what is not ECN-capable. test_accecn.c has what AccECN does then. */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SYN_OPTIONS " win 65535 <mss 1000,sackOK,nop,wscale 7>"

static void with(struct tcp_config *c, enum tcp_ecn ecn)
{
    c->defaults.ecn = ecn;
    c->defaults.timestamps = false;
    c->defaults.nodelay = true;
}

static void off(struct tcp_config *c)
{
    with(c, TCP_ECN_OFF);
}

static void passive(struct tcp_config *c)
{
    with(c, TCP_ECN_PASSIVE);
}

static void on(struct tcp_config *c)
{
    with(c, TCP_ECN_ON);
}

static void accurate(struct tcp_config *c)
{
    with(c, TCP_ECN_ACCURATE);
}

/* ---- the handshake ---- */

/* RFC 3168 section 6.1.1, RFC 9768 section 3.1.1 to 3.1.3: what a listener answers. */
static void what_a_listener_answers(void **state)
{
    (void)state;
    static const struct {
        void (*adjust)(struct tcp_config *);
        const char *syn, *syn_ack;
        bool classic, accurate;
    } table[] = {
        {passive, "S", "S.", false, false},
        {passive, "SEC", "SE.", true, false},
        {off, "SEC", "S.", false, false},
        {off, "SECe", "S.", false, false},
        {passive, "SE", "S.", false, false},
        {passive, "SC", "S.", false, false},
        {passive, "[noecn] SECe", "SC.", false, true},
        {passive, "[ect1] SECe", "SEC.", false, true},
        {passive, "[ect0] SECe", "Se.", false, true},
        {passive, "[ce] SECe", "SCe.", false, true},
        {accurate, "SEC", "SE.", true, false},
        {accurate, "S", "S.", false, false},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct script s;
        char text[100];
        script_begin(&s, table[i].adjust);
        script_listen(&s, 16);
        snprintf(text, sizeof text, "%s 0:0(0)" SYN_OPTIONS, table[i].syn);
        script_inject(&s, text);
        snprintf(text, sizeof text, "[noecn] %s 0:0(0) ack 1", table[i].syn_ack);
        script_expect(&s, text);
        script_inject(&s, table[i].accurate ? "C. 1:1(0) ack 1" : ". 1:1(0) ack 1");
        script_accept(&s);
        struct tcp_info info = script_info(&s);
        assert_int_equal(info.ecn_ok, table[i].classic);
        assert_int_equal(info.accecn_ok, table[i].accurate);
        script_send(&s, 100, 0);
        bool capable = table[i].classic || table[i].accurate;
        snprintf(text, sizeof text, "%s %s 1:101(100) ack 1", capable ? "[ect0]" : "[noecn]",
                 table[i].accurate ? "PEe." : "P.");
        script_expect(&s, text);
        script_end(&s);
    }
}

/* What an active open offers, and makes of the answer. `last` is the handshake's last ACK. */
static void what_an_open_makes_of_it(void **state)
{
    (void)state;
    static const struct {
        void (*adjust)(struct tcp_config *);
        const char *syn, *syn_ack, *last;
        bool classic, accurate;
    } table[] = {
        {passive, "S", "SE.", ".", false, false},
        {on, "SEC", "S.", ".", false, false},
        {on, "SEC", "SE.", ".", true, false},
        {on, "SEC", "SEC.", ".", false, false}, /* reflected by somebody without ECN */
        {accurate, "SECe", "S.", ".", false, false},
        {accurate, "SECe", "SE.", ".", true, false},
        {accurate, "SECe", "SECe.", ".", false, false},        /* reflected */
        {on, "SEC", "SEe.", ".", true, false},                 /* the ECN nonce's */
        {accurate, "SECe", "[noecn] SEe.", "C.", false, true}, /* reserved (RFC 9768 3.1.3) */
        {accurate, "SECe", "[noecn] SC.", "C.", false, true},
        {accurate, "SECe", "[ect1] SC.", "EC.", false, true},
        {accurate, "SECe", "[ect0] SC.", "e.", false, true},
        {accurate, "SECe", "[ce] SC.", "Ce.", false, true},
        {accurate, "SECe", "[noecn] Se.", "C.", false, true},
        {accurate, "SECe", "[noecn] SCe.", "C.", false, true},
        {accurate, "SECe", "[noecn] SEC.", "C.", false, true},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct script s;
        char text[120];
        script_begin(&s, table[i].adjust);
        script_open(&s);
        snprintf(text, sizeof text, "[noecn] %s 0:0(0)", table[i].syn);
        script_expect(&s, text);
        snprintf(text, sizeof text, "%s 0:0(0) ack 1" SYN_OPTIONS, table[i].syn_ack);
        script_inject(&s, text);
        snprintf(text, sizeof text, "[noecn] %s 1:1(0) ack 1", table[i].last);
        script_expect(&s, text);
        struct tcp_info info = script_info(&s);
        assert_int_equal(info.ecn_ok, table[i].classic);
        assert_int_equal(info.accecn_ok, table[i].accurate);
        script_end(&s);
    }
}

static void advance_to(struct script *s, int64_t deadline_ns)
{
    script_advance_ms(s, (deadline_ns - s->now.ns) / NS_PER_MS + 1);
}

/* RFC 3168 section 6.1.1.1, RFC 9768 section 3.1.4.1: a SYN that stays unanswered may have been
 * dropped for its flags. */
static void a_lost_syn_goes_without(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, on);
    script_open(&s);
    script_expect(&s, "SEC 0:0(0)");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "S 0:0(0)");
    assert_int_equal(script_counters(&s)->ecn_fallbacks, 1);
    /* The answer is to the first: marks are echoed, but who sent a SYN without sets no ECT. */
    script_inject(&s, "SE. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, "[noecn] . 1:1(0) ack 1");
    assert_true(script_info(&s).ecn_ok);
    script_send(&s, 100, 0);
    script_expect(&s, "[noecn] P. 1:101(100) ack 1");
    script_inject(&s, "[ce] . 1:1001(1000) ack 101 win 500");
    script_expect(&s, "E. 101:101(0) ack 1001");
    script_end(&s);

    script_begin(&s, accurate);
    script_open(&s);
    script_expect(&s, "SECe 0:0(0)");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "SECe 0:0(0)");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "S 0:0(0)");
    /* The first SYN,ACK decides, and who opened may set ECT (section 3.1.5). */
    script_inject(&s, "SC. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, "[noecn] C. 1:1(0) ack 1");
    assert_true(script_info(&s).accecn_ok);
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] PEe. 1:101(100) ack 1");
    script_end(&s);
}

/* RFC 3168 section 6.1.1: a listener whose peer fell back cannot know which SYN,ACK it got. */
static void a_plain_syn_after_the_offer(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, passive);
    script_listen(&s, 16);
    script_inject(&s, "SEC 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SE. 0:0(0) ack 1");
    script_inject(&s, "S 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SE. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 win 500");
    script_accept(&s);
    script_send(&s, 100, 0);
    script_expect(&s, "[noecn] P. 1:101(100) ack 1");
    script_end(&s);
}

static void classic_only(struct tcp_config *c)
{
    with(c, TCP_ECN_CLASSIC_PASSIVE);
}

/* Who answers with the classic form only takes the accurate offer for that, also when it comes
 * again. */
static void an_accurate_offer_that_is_not_taken(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, classic_only);
    script_listen(&s, 16);
    for (unsigned n = 0; n < 2; n++) {
        script_inject(&s, "SECe 0:0(0)" SYN_OPTIONS);
        script_expect(&s, "SE. 0:0(0) ack 1");
    }
    script_end(&s);
}

/* Nor is what a Fast Open makes another connection: the SYN's offer is answered. */
static void fast_open_listener(struct tcp_config *c)
{
    on(c);
    c->defaults.fast_open_queue = 10;
    c->defaults.fast_open_no_cookie = true;
}

static void a_fast_open_is_answered_alike(void **state)
{
    (void)state;
    static const char *const table[][2] = {{"S", "S."}, {"SEC", "SE."}, {"[ce] SECe", "SCe."}};
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct script s;
        char text[120];
        script_begin(&s, fast_open_listener);
        script_listen(&s, 16);
        snprintf(text, sizeof text, "%s 0:100(100)" SYN_OPTIONS, table[i][0]);
        script_inject(&s, text);
        snprintf(text, sizeof text, "[noecn] %s 0:0(0) ack 101", table[i][1]);
        script_expect(&s, text);
        script_end(&s);
    }
}

/* ---- classic ---- */

static void begin_classic(struct script *s)
{
    script_begin(s, passive);
    script_listen(s, 16);
    script_inject(s, "SEC 0:0(0)" SYN_OPTIONS);
    script_expect(s, "SE. 0:0(0) ack 1");
    script_inject(s, ". 1:1(0) ack 1 win 500");
    script_accept(s);
}

/* RFC 3168 section 6.1.3. */
static void ece_until_cwr(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_inject(&s, "[ect0] . 1:1001(1000) ack 1 win 500");
    script_expect(&s, ". 1:1(0) ack 1001");
    script_inject(&s, "[ce] . 1001:2001(1000) ack 1 win 500");
    script_expect(&s, "[noecn] E. 1:1(0) ack 2001");
    script_inject(&s, "[ect0] . 2001:3001(1000) ack 1 win 500");
    script_expect(&s, "E. 1:1(0) ack 3001");
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] PE. 1:101(100) ack 3001");
    script_inject(&s, "[ect0] C. 3001:4001(1000) ack 101 win 500");
    script_expect(&s, ". 101:101(0) ack 4001");
    script_inject(&s, "[ce] C. 4001:5001(1000) ack 101 win 500"); /* a new mark beside the answer */
    script_expect(&s, "E. 101:101(0) ack 5001");
    script_end(&s);
}

static void delayed_dctcp(struct tcp_config *c)
{
    passive(c);
    c->defaults.congestion = TCP_CONGESTION_DCTCP;
    c->defaults.delayed_ack_ns = 40 * NS_PER_MS;
}

/* RFC 8257 section 3.2: every change of CE is told at once, and each ACK tells of its own; CWR ends
 * nothing. */
static void dctcp_echoes_exactly(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, delayed_dctcp);
    script_listen(&s, 16);
    script_inject(&s, "SEC 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "SE. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 win 500");
    script_accept(&s);
    for (unsigned n = 0; n < 20; n++) { /* past the first ones, which are acknowledged at once */
        snprintf(text, sizeof text, "[ect0] . %u:%u(1000) ack 1", 1 + 1000 * n, 1001 + 1000 * n);
        script_inject(&s, text);
        script_discard(&s);
    }
    script_inject(&s, "[ce] . 20001:21001(1000) ack 1");
    script_expect(&s, "E. 1:1(0) ack 21001");
    script_inject(&s, "[ce] C. 21001:22001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, "[ce] . 22001:23001(1000) ack 1");
    script_expect(&s, "E. 1:1(0) ack 23001");
    script_inject(&s, "[ect0] . 23001:24001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 24001");
    script_inject(&s, "[ect0] . 24001:25001(1000) ack 1");
    script_quiet(&s);
    script_end(&s);
}

static void dctcp(struct tcp_config *c)
{
    on(c);
    c->defaults.congestion = TCP_CONGESTION_DCTCP;
}

/* RFC 8257 section 3.6: SYN, SYN,ACK and RST are ECN-capable, as long as they offer ECN; a mark on
 * them is ignored. Pure ACKs and retransmissions are not. */
static void control_segments_of_dctcp(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, dctcp);
    script_listen(&s, 16);
    script_inject(&s, "[ce] SEC 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "[ect0] SE. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 win 500");
    script_accept(&s);
    script_inject(&s, "[ect0] . 1:1001(1000) ack 1 win 500");
    script_expect(&s, "[noecn] . 1:1(0) ack 1001");
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] P. 1:101(100) ack 1001");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "[noecn] P. 1:101(100) ack 1001");
    assert_int_equal(tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED), 0);
    script_expect(&s, "[ect0] R. 101:101(0) ack 1001");
    script_end(&s);

    script_begin(&s, dctcp);
    script_listen(&s, 16);
    script_inject(&s, "S 0:0(0)" SYN_OPTIONS);
    script_expect(&s, "[noecn] S. 0:0(0) ack 1");
    script_end(&s);

    script_begin(&s, dctcp);
    script_open(&s);
    script_expect(&s, "[ect0] SEC 0:0(0)");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "[noecn] S 0:0(0)");
    script_end(&s);
}

/* A router cannot have marked what is not ECN-capable. */
static void a_marked_pure_ack_is_no_mark(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_inject(&s, "[ce] . 1:1(0) ack 1 win 500");
    script_inject(&s, ". 1:1001(1000) ack 1 win 500");
    script_expect(&s, ". 1:1(0) ack 1001");
    script_end(&s);
}

/* RFC 3168 section 6.1.2: cwnd is reduced once a window, and CWR says so on the next new segment,
 * which is one segment. */
static void an_echo_is_obeyed_once_a_window(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_send(&s, 30000, 0);
    assert_int_equal(script_discard(&s), 10);
    uint32_t before = script_info(&s).cwnd_bytes;
    script_inject(&s, "E. 1:1(0) ack 2001 win 500");
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    script_discard(&s);
    script_inject(&s, "E. 1:1(0) ack 4001 win 500");
    script_discard(&s);
    script_inject(&s, "E. 1:1(0) ack 9001 win 500");
    struct tcp_info i = script_info(&s);
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    assert_true(i.ssthresh_bytes < before && i.cwnd_bytes < before);
    assert_int_equal(script_counters(&s)->retrans_segs, 0);
    script_discard(&s);
    assert_int_equal(script_counters(&s)->ecn_cwr_sent, 1);
    script_end(&s);
}

/* Also not by the ACK of all that was in flight at the reduction: the peer has not seen CWR yet. */
static void the_end_of_the_window_is_still_in_it(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_inject(&s, "E. 1:1(0) ack 2001 win 500");
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    script_send(&s, 20000, 0);
    script_discard(&s);
    script_inject(&s, "E. 1:1(0) ack 8001 win 500");
    script_discard(&s); /* the first of these has CWR */
    assert_int_equal(script_counters(&s)->ecn_cwr_sent, 1);
    script_inject(&s, "E. 1:1(0) ack 10001 win 500");
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    script_discard(&s);
    script_inject(&s, "E. 1:1(0) ack 12001 win 500");
    assert_int_equal(script_counters(&s)->cwr_entries, 2);
    script_end(&s);
}

static void cwr_stands_on_new_data(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_send(&s, 2000, 0);
    script_expect(&s, "[ect0] . 1:1001(1000) ack 1");
    script_expect(&s, "[ect0] P. 1001:2001(1000) ack 1");
    script_inject(&s, "E. 1:1(0) ack 2001 win 500");
    script_quiet(&s);
    script_send(&s, 1500, 0);
    script_expect(&s, "[ect0] C. 2001:3001(1000) ack 1");
    script_expect(&s, "[ect0] P. 3001:3501(500) ack 1");
    script_end(&s);
}

/* Section 6.1.5: a retransmission is not ECN-capable, nor a window probe (6.1.6). */
static void a_retransmission_is_not_capable(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_send(&s, 100, 0);
    script_expect(&s, "[ect0] P. 1:101(100) ack 1");
    advance_to(&s, script_info(&s).rto_deadline_ns);
    script_expect(&s, "[noecn] P. 1:101(100) ack 1");
    script_inject(&s, ". 1:1(0) ack 101 win 0");
    script_quiet(&s);
    script_send(&s, 100, 0);
    script_quiet(&s);
    advance_to(&s, script_info(&s).persist_deadline_ns);
    script_expect(&s, "[noecn] . 101:102(1) ack 1");
    script_end(&s);
}

/* What an ACK has acknowledged counts for the window that a mark on it reduces: the path carried
 * it. RFC 8511: to 0.8 of it. */
static void an_ack_for_much_tells_of_a_mark(void **state)
{
    (void)state;
    struct script s;
    begin_classic(&s);
    script_send(&s, 30000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_inject(&s, "E. 1:1(0) ack 8001 win 500");
    assert_int_equal(script_counters(&s)->cwr_entries, 1);
    assert_int_equal(script_info(&s).ssthresh_bytes, 8000);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_listener_answers),
        cmocka_unit_test(what_an_open_makes_of_it),
        cmocka_unit_test(a_lost_syn_goes_without),
        cmocka_unit_test(a_plain_syn_after_the_offer),
        cmocka_unit_test(an_accurate_offer_that_is_not_taken),
        cmocka_unit_test(a_fast_open_is_answered_alike),
        cmocka_unit_test(ece_until_cwr),
        cmocka_unit_test(dctcp_echoes_exactly),
        cmocka_unit_test(control_segments_of_dctcp),
        cmocka_unit_test(a_marked_pure_ack_is_no_mark),
        cmocka_unit_test(an_echo_is_obeyed_once_a_window),
        cmocka_unit_test(an_ack_for_much_tells_of_a_mark),
        cmocka_unit_test(the_end_of_the_window_is_still_in_it),
        cmocka_unit_test(cwr_stands_on_new_data),
        cmocka_unit_test(a_retransmission_is_not_capable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
