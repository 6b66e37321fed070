/* Windows at their edges, ours and the peer's: scaling, shrinking, closing, probing, and how much
 * memory a window can cost. */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SACK "mss 1000,sackOK"
#define PLAIN "mss 1000"
#define SCALED "mss 1000,sackOK,nop,wscale 7"

#define ESTABLISHED(s, options)                                                                    \
    struct script s;                                                                               \
    script_begin(&s, NULL);                                                                        \
    script_passive(&s, options)

/* ---- our window ---- */

/* The right edge, counted from the peer's first octet. */
static uint32_t right_edge(struct script *s)
{
    struct tcp_info i = script_info(s);
    return i.rcv_nxt + i.rcv_wnd - i.irs - 1;
}

static void receive(struct script *s, uint32_t offset, uint32_t length)
{
    char text[80];
    snprintf(text, sizeof text, ". %u:%u(%u) ack 1", 1 + offset, 1 + offset + length, length);
    script_inject(s, text);
    script_discard(s);
}

static void odd_buffer(struct tcp_config *c)
{
    c->defaults.rcv_buffer = 140000; /* wscale 2 */
}

/* The window field has units of 4 octets; what is owed may not grow by rounding, or a peer that
 * sends octet by octet never finds the window closed (RFC 7323 section 2.4 and appendix F). */
static void rounding_never_offers_more_than_the_buffer(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, odd_buffer);
    script_passive(&s, SCALED);
    uint32_t edge = 0, at = 0;
    for (; at < 20000; at++) {
        receive(&s, at, 1);
        assert_true(right_edge(&s) >= edge);
        edge = right_edge(&s);
    }
    assert_in_range(edge, 65535, 140000);
    while (script_info(&s).rcv_wnd) {
        uint32_t n = script_info(&s).rcv_wnd < 1001 ? 1 : 1001;
        receive(&s, at, n);
        at += n;
    }
    assert_in_range(at, 65535, 140000);
    assert_int_equal(script_read(&s) > 0, 1);
    script_end(&s);
}

static size_t memory_used(const struct script *s)
{
    struct arena_stats stats;
    arena_stats(s->arena, &stats);
    return stats.used;
}

/* The pool keeps some idle frames; what it holds then does not change any more. */
static void fill_pool(struct script *s)
{
    struct pkt *frame[128];
    for (unsigned i = 0; i < 128; i++) {
        frame[i] = pkt_get(tcp_pool(s->engine), PKT_FRAME_CAPACITY);
    }
    for (unsigned i = 0; i < 128; i++) {
        pkt_unref(frame[i]);
    }
}

/* Whatever sizes the peer picks, in order or not, what it can pin follows the buffer. */
static void the_buffer_bounds_the_memory(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {60000, 32000, 17000, 9000, 1460, 536, 100};
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        for (uint32_t gap = 0; gap < 2; gap++) {
            ESTABLISHED(s, SCALED);
            fill_pool(&s);
            size_t before = memory_used(&s), most = 0;
            receive(&s, 0, 1); /* the window opens wide */
            uint32_t edge = right_edge(&s), at = 1;
            while (at + gap + sizes[n] <= edge) {
                receive(&s, at + gap, sizes[n]);
                at += gap + sizes[n];
                edge = right_edge(&s);
                most = memory_used(&s) > most ? memory_used(&s) : most;
            }
            uint32_t buffer = script_info(&s).rcv_buffer_bytes;
            if (most - before > buffer + buffer / 8 + 160 * 1024) {
                print_error("segments of %u, gaps of %u: %zu bytes\n", sizes[n], gap,
                            most - before);
            }
            assert_true(most - before <= buffer + buffer / 8 + 160 * 1024);
            script_end(&s);
        }
    }
}

static void small_buffer(struct tcp_config *c)
{
    c->defaults.rcv_buffer = 8000;
}

static uint32_t fill_window(struct script *s)
{
    for (int n = 0; n < 100 && script_info(s).rcv_wnd; n++) {
        struct tcp_info i = script_info(s);
        receive(s, i.rcv_nxt - i.irs - 1, i.rcv_wnd > 1000 ? 1000 : i.rcv_wnd);
    }
    assert_int_equal(script_info(s).rcv_wnd, 0);
    return script_info(s).rcv_nxt - script_info(s).irs;
}

static void a_fin_needs_no_window(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, small_buffer);
    script_passive(&s, SACK);
    uint32_t at = fill_window(&s);
    snprintf(text, sizeof text, "F. %u:%u(0) ack 1", at, at);
    script_inject(&s, text);
    snprintf(text, sizeof text, ". 1:1(0) ack %u", at + 1);
    script_expect(&s, text);
    assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
    script_end(&s);
}

/* A peer that has sent all that the window allows, and lost some of it, acknowledges from the right
 * edge. */
static void an_ack_from_the_right_edge_counts(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, small_buffer);
    script_passive(&s, SACK);
    script_send(&s, 500, 0);
    script_discard(&s);
    uint32_t edge = 1 + right_edge(&s);
    snprintf(text, sizeof text, ". %u:%u(0) ack 501", edge, edge);
    script_inject(&s, text);
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_quiet(&s);
    snprintf(text, sizeof text, "R %u:%u(0)", edge, edge); /* but a reset lies outside */
    script_inject(&s, text);
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_RST_OUT_OF_WINDOW], 1);
    script_end(&s);
}

static void the_user_who_never_reads(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, small_buffer);
    script_passive(&s, SACK);
    uint32_t at = fill_window(&s);
    char text[80];
    for (int n = 0; n < 50; n++) { /* probes are answered and cost nothing */
        snprintf(text, sizeof text, ". %u:%u(1) ack 1", at, at + 1);
        script_inject(&s, text);
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 0", at);
        script_expect(&s, text);
    }
    assert_int_equal(tcp_release(s.engine, s.now, s.id), 0);
    snprintf(text, sizeof text, "R. 1:1(0) ack %u", at);
    script_expect(&s, text);
    script_quiet(&s);
    script_end(&s);
}

/* ---- the peer's window ---- */

/* SND.WL1 and WL2: an old duplicate must not bring an old window back. */
static void a_late_duplicate_does_not_change_the_window(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:101(100) ack 1 win 0");
    script_inject(&s, ". 101:201(100) ack 1 win 5000");
    assert_int_equal(script_info(&s).snd_wnd, 5000);
    script_inject(&s, ". 1:101(100) ack 1 win 0");
    assert_int_equal(script_info(&s).snd_wnd, 5000);
    script_end(&s);
}

/* MUST-38: the override timer runs whatever the peer sends meanwhile. */
/* A peer's segments of equal age at the wire, seen by their ACKs: what goes again has an old number
 * and a new window. Without it, SND.UNA + SND.WND would be an edge that was never offered. */
static void what_the_peer_sends_again_has_a_new_window(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:101(100) ack 1 win 4000");
    script_discard(&s);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 4);
    script_inject(&s, ". 1:101(100) ack 3001 win 1000"); /* up to 4001, as before */
    assert_int_equal(script_info(&s).snd_wnd, 1000);
    script_expect(&s, ". 4001:4001(0) ack 101");
    script_quiet(&s);
    script_inject(&s, ". 101:101(0) ack 3001 win 2000"); /* SND.WL1 holds on */
    script_expect(&s, ". 4001:5001(1000) ack 101");
    script_quiet(&s);
    script_end(&s);
}

static void a_talking_peer_does_not_hold_the_override_timer(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    char text[80];
    script_inject(&s, ". 1:1(0) ack 1 win 100");
    script_send(&s, 3000, 0);
    script_quiet(&s);
    unsigned n = 0;
    for (; n < 20 && script_info(&s).bytes_sent == 0; n++) {
        snprintf(text, sizeof text, ". %u:%u(100) ack 1 win 100", 1 + 100 * n, 101 + 100 * n);
        script_inject(&s, text);
        script_discard(&s);
        script_advance_ms(&s, 100);
        script_discard(&s);
    }
    assert_in_range(n, 1, 11);
    assert_int_equal(script_info(&s).bytes_sent, 100);
    script_end(&s);
}

static void answers_to_probes_are_no_duplicate_acks(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 3000, 0);
    assert_int_equal(script_discard(&s), 3);
    script_inject(&s, ". 1:1(0) ack 1 win 0"); /* it took back its window and dropped them */
    for (int n = 0; n < 6; n++) {
        script_advance_ms(&s, 20000);
        script_expect(&s, ". 1:2(1) ack 1");
        script_inject(&s, ". 1:1(0) ack 1 win 0");
        script_quiet(&s);
    }
    assert_int_equal(script_counters(&s)->fast_recoveries, 0);
    script_inject(&s, ". 1:1(0) ack 1 win 5000");
    script_advance_ms(&s, 1);
    script_advance_ms(&s, 500);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_end(&s);
}

/* Karn: the octet of a probe was sent before. */
static void a_probed_octet_gives_no_rtt(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 500, 0);
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    for (int n = 0; n < 5; n++) {
        script_advance_ms(&s, 20000);
        script_expect(&s, ". 1:2(1) ack 1");
    }
    script_inject(&s, ". 1:1(0) ack 2 win 0");
    assert_in_range(script_info(&s).srtt_ns, 0, NS_PER_S);
    script_end(&s);
}

/* What a probe was to ask about may be gone when it is due. */
static void a_probe_that_is_not_needed_holds_nothing_up(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 500, 0);
    script_quiet(&s);
    script_advance_ms(&s, 300);
    assert_int_equal(tcp_flush_send(s.engine, s.now, s.id), 500);
    script_inject(&s, ". 1:101(100) ack 1 win 0");
    script_expect(&s, ". 1:1(0) ack 101");
    script_quiet(&s);
    script_inject(&s, ". 101:101(0) ack 1 win 5000");
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 101");
    script_end(&s);
}

static void a_probe_octet_then_the_fin(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 1, 0);
    assert_int_equal(tcp_close(s.engine, s.now, s.id), 0);
    script_quiet(&s);
    script_advance_ms(&s, 205);
    script_expect(&s, "P. 1:2(1) ack 1");
    script_inject(&s, ". 1:1(0) ack 2 win 0"); /* taken; the FIN needs no window */
    script_expect(&s, "F. 2:2(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 2 win 0"); /* this peer thinks otherwise */
    script_quiet(&s);
    script_advance_ms(&s, 500);
    script_expect(&s, "F. 2:2(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 3 win 0");
    assert_int_equal(script_state(&s), TCP_FIN_WAIT_2);
    script_end(&s);
}

/* What is outside the peer's window it does not look at, so an ACK stays inside. */
static void an_ack_stays_inside_a_shrunk_window(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 5000, 0);
    assert_int_equal(script_discard(&s), 5);
    script_inject(&s, ". 1:101(100) ack 1 win 1000");
    script_expect(&s, ". 1001:1001(0) ack 101");
    assert_int_equal(tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED), 0);
    script_expect(&s, "R. 1001:1001(0) ack 101");
    script_end(&s);
}

static void a_window_that_opens_behind_what_was_sent(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 8000, 0);
    assert_int_equal(script_discard(&s), 8);
    script_inject(&s, ". 1:1(0) ack 2001 win 1000");
    script_quiet(&s);
    script_advance_ms(&s, 1100);
    script_expect(&s, ". 2001:3001(1000) ack 1"); /* SHLD-16: what lies within comes again */
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 3001 win 2000");
    script_expect(&s, ". 3001:4001(1000) ack 1");
    script_expect(&s, ". 4001:5001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 5001 win 20000");
    script_expect(&s, ". 5001:6001(1000) ack 1");
    script_end(&s);
}

int windows_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_never_offers_more_than_the_buffer),
        cmocka_unit_test(the_buffer_bounds_the_memory),
        cmocka_unit_test(a_fin_needs_no_window),
        cmocka_unit_test(an_ack_from_the_right_edge_counts),
        cmocka_unit_test(the_user_who_never_reads),
        cmocka_unit_test(a_late_duplicate_does_not_change_the_window),
        cmocka_unit_test(what_the_peer_sends_again_has_a_new_window),
        cmocka_unit_test(a_talking_peer_does_not_hold_the_override_timer),
        cmocka_unit_test(answers_to_probes_are_no_duplicate_acks),
        cmocka_unit_test(a_probed_octet_gives_no_rtt),
        cmocka_unit_test(a_probe_that_is_not_needed_holds_nothing_up),
        cmocka_unit_test(a_probe_octet_then_the_fin),
        cmocka_unit_test(an_ack_stays_inside_a_shrunk_window),
        cmocka_unit_test(a_window_that_opens_behind_what_was_sent),
    };
    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
