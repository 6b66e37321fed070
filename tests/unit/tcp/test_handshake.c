/* The edges of the handshake: what its segments may carry or lack, what is remembered of them, and
 * what happens when a user acts before they are through. */
#include "cmocka_all.h"
#include <errno.h>
#include "script.h"

#define TIMESTAMPS "mss 1000,sackOK,TS val 100 ecr 0"

#define SCRIPT(s)                                                                                  \
    struct script s;                                                                               \
    script_begin(&s, NULL)

/* ---- the passive side ---- */

static void a_last_ack_without_its_timestamp_completes_nothing(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <" TIMESTAMPS ">");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 <nop>");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_TIMESTAMP_MISSING], 1);
    assert_int_equal(script_accept(&s), 0);
    script_advance_ms(&s, 1001);
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 <nop,nop,TS val 101 ecr 0>");
    assert_int_equal(script_accept(&s), s.id);
    script_end(&s);
}

static void an_old_timestamp_in_the_handshake_is_answered(void **state) /* RFC 7323 section 5.3 */
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <" TIMESTAMPS ">");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 <nop,nop,TS val 50 ecr 0>");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_PAWS], 1);
    script_expect(&s, "S. 0:0(0) ack 1");
    script_end(&s);
}

static void data_and_fin_may_come_with_the_last_ack(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "FP. 1:101(100) ack 1");
    script_expect(&s, ". 1:1(0) ack 102");
    assert_int_equal(script_accept(&s), s.id);
    assert_true(script_ready(&s) & TCP_READY_READ);
    assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
    assert_int_equal(script_read(&s), 100);
    script_end(&s);
}

static void a_full_accept_queue_leaves_the_handshake_open(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    uint64_t first = s.id;
    uint32_t first_iss = s.local_iss;
    s.tuple.remote_port++;
    s.id = 0;
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    uint64_t second = s.id;
    uint32_t second_iss = s.local_iss;
    s.tuple.remote_port--;
    s.local_iss = first_iss;
    script_inject(&s, ". 1:1(0) ack 1");
    s.tuple.remote_port++;
    s.local_iss = second_iss;
    script_inject(&s, "P. 1:11(10) ack 1"); /* no room: neither the ACK nor the text is taken */
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACCEPT_QUEUE_FULL], 1);
    script_quiet(&s);
    assert_int_equal(script_accept(&s), first);
    script_inject(&s, "P. 1:11(10) ack 1");
    script_discard(&s);
    assert_int_equal(script_accept(&s), second);
    assert_int_equal(script_read(&s), 10);
    script_end(&s);
}

static void a_syn_may_carry_other_bits(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 4);
    script_inject(&s, "SR 0:0(0) win 65535 <mss 1000>"); /* a reset */
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_LISTEN_RST], 1);
    script_inject(&s, "SF 0:0(0) win 65535 <mss 1000>"); /* the FIN is not acknowledged */
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "S.R 0:0(0) ack 1"); /* not at RCV.NXT */
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    script_discard(&s);
    script_inject(&s, "F. 1:1(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 2");
    script_end(&s);
}

/* Somebody who forges a SYN in each direction makes two half-open ends that hold each other's
 * answers for unacceptable segments. */
static void unacceptable_segments_are_not_answered_for_ever(void **state)
{
    (void)state;
    SCRIPT(s);
    unsigned answers = 0;
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    for (int n = 0; n < 1000; n++) {
        script_inject(&s, "S. 5000000:5000000(0) ack 777 win 65535 <mss 1000>");
        answers += script_discard(&s);
    }
    assert_in_range(answers, 1, 20);
    script_end(&s);
}

static void a_repeated_syn_ack_gives_no_rtt(void **state) /* Karn, RFC 5681 section 3.1 */
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_advance_ms(&s, 500);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_advance_ms(&s, 10);
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_info(&s).srtt_ns, -1);
    assert_int_equal(script_info(&s).cwnd_bytes, 1000);
    script_end(&s);
}

static void small_receive_buffer(struct tcp_options *o)
{
    o->rcv_buffer = 2048;
}

static void what_a_syn_ack_offered_holds(void **state) /* SHLD-14 */
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1 win 65535");
    s.id = s.listener; /* its options change in the middle of the handshake */
    script_tune(&s, small_receive_buffer);
    s.id = s.listener + 1;
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_info(&s).rcv_wnd, 65535);
    script_end(&s);
}

/* ---- the active side ---- */

static void the_window_of_a_syn_is_not_scaled(void **state) /* RFC 7323 section 2.2 */
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S. 0:10(10) ack 1 win 1000 <mss 1000,sackOK,nop,wscale 7>");
    script_expect(&s, ". 1:1(0) ack 11");
    assert_int_equal(script_info(&s).snd_wnd, 1000);
    script_end(&s);
}

static void nor_that_of_a_simultaneous_open(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S 0:0(0) win 1000 <mss 1000,nop,wscale 7>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "S. 0:0(0) ack 1 win 1000 <mss 1000,nop,wscale 7>");
    script_expect(&s, ". 1:1(0) ack 1"); /* its sequence number is old: section 3.10.7.4 */
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_info(&s).snd_wnd, 1000);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_OUT_OF_WINDOW], 0);
    script_end(&s);
}

static void a_lost_syn_leaves_no_backoff(void **state) /* RFC 6298 (5.7) */
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_advance_ms(&s, 1001);
    script_expect(&s, "S 0:0(0)");
    script_advance_ms(&s, 2001);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000>");
    script_expect(&s, ". 1:1(0) ack 1");
    script_send(&s, 100, 0);
    script_expect(&s, "P. 1:101(100) ack 1");
    script_advance_ms(&s, 2990);
    script_quiet(&s);
    script_advance_ms(&s, 20);
    script_expect(&s, "P. 1:101(100) ack 1");
    assert_false(script_ready(&s) & TCP_READY_SOFT_ERROR); /* R1 counts from the data */
    script_end(&s);
}

static void calls_before_the_syn_has_left(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    assert_int_equal(tcp_send(s.engine, s.now, s.id, "", 0, 0), 0);
    script_expect(&s, "S 0:0(0)");
    script_end(&s);

    script_begin(&s, NULL);
    script_open(&s);
    script_send(&s, 10, 0);
    assert_int_equal(tcp_flush_send(s.engine, s.now, s.id), 10);
    script_expect(&s, "S 0:0(0)");
    script_end(&s);

    script_begin(&s, NULL);
    script_open(&s);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_end(&s);
}

static void another_mind(struct tcp_options *o)
{
    o->timestamps = o->sack = o->window_scaling = false;
    o->rcv_buffer = 16u << 20;
}

/* The peer answers what our SYN offered, whatever the options are by then. */
static void what_a_syn_offered_holds(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    script_tune(&s, another_mind);
    script_advance_ms(&s, 1001);
    script_expect(&s, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    script_inject(&s, "S. 0:0(0) ack 1 win 500 <mss 1000,sackOK,TS val 9 ecr 0,nop,wscale 7>");
    script_expect(&s, ". 1:1(0) ack 1 <TS val 0 ecr 0>");
    assert_int_equal(script_info(&s).rcv_wscale, 5);
    assert_true(script_info(&s).sack_ok);
    script_end(&s);
}

static void close_before_the_simultaneous_open_is_through(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    assert_int_equal(tcp_close(s.engine, s.now, s.id), 0);
    assert_int_equal(tcp_close(s.engine, s.now, s.id), -EPIPE);
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_state(&s), TCP_FIN_WAIT_1);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_end(&s);
}

/* RFC 9293 section 3.10.7.4: first the sequence number; what is unacceptable gets an ACK, no reset.
 */
static void an_old_segment_in_syn_received_is_not_reset(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 4294967200:4294967200(0) ack 2");
    script_expect(&s, ". 1:1(0) ack 1");
    script_quiet(&s);
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    script_inject(&s, ". 1:1(0) ack 2"); /* in the window it is */
    script_expect(&s, "R 2:2(0)");
    script_end(&s);
}

/* RFC 9293 table 6: a segment whose last octet is in the window is acceptable; what it has of old
 * octets, here the SYN's own, is cut off. */
static void text_over_the_syn_completes_the_handshake(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_listen(&s, 8);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "P. -9:1(10) ack 1"); /* nothing of it is new */
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "P. -9:11(20) ack 1");
    script_expect(&s, ". 1:1(0) ack 11");
    script_accept(&s);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_read(&s), 10);
    script_end(&s);
}

static void linear(struct tcp_config *c)
{
    c->syn_linear_timeouts = 2;
    c->defaults.ecn = TCP_ECN_CLASSIC;
}

/* Linux's way, for those who ask: RFC 6298 (5.5) doubles the timer from the first timeout on. */
static void a_syn_may_go_again_evenly_at_first(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, linear);
    script_open(&s);
    script_expect(&s, "SEC 0:0(0)"); /* the classic offer (RFC 3168 section 6.1.1) */
    static const int64_t waits_ms[] = {1000, 1000, 1000, 2000, 4000};
    for (unsigned i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        script_advance_ms(&s, waits_ms[i] - 20);
        script_quiet(&s);
        script_advance_ms(&s, 21);
        script_expect(&s, "S 0:0(0)");
    }
    script_end(&s);
}

/* Whatever has AE in its SYN is answered as its other flags ask. */
static void the_classic_form_can_be_all_there_is(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, linear);
    script_listen(&s, 4);
    script_inject(&s, "SECe 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "SE. 0:0(0) ack 1");
    script_end(&s);
}

int handshake_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_last_ack_without_its_timestamp_completes_nothing),
        cmocka_unit_test(an_old_timestamp_in_the_handshake_is_answered),
        cmocka_unit_test(data_and_fin_may_come_with_the_last_ack),
        cmocka_unit_test(a_full_accept_queue_leaves_the_handshake_open),
        cmocka_unit_test(a_syn_may_carry_other_bits),
        cmocka_unit_test(unacceptable_segments_are_not_answered_for_ever),
        cmocka_unit_test(a_repeated_syn_ack_gives_no_rtt),
        cmocka_unit_test(what_a_syn_ack_offered_holds),
        cmocka_unit_test(the_window_of_a_syn_is_not_scaled),
        cmocka_unit_test(nor_that_of_a_simultaneous_open),
        cmocka_unit_test(a_lost_syn_leaves_no_backoff),
        cmocka_unit_test(calls_before_the_syn_has_left),
        cmocka_unit_test(what_a_syn_offered_holds),
        cmocka_unit_test(close_before_the_simultaneous_open_is_through),
        cmocka_unit_test(an_old_segment_in_syn_received_is_not_reset),
        cmocka_unit_test(text_over_the_syn_completes_the_handshake),
        cmocka_unit_test(a_syn_may_go_again_evenly_at_first),
        cmocka_unit_test(the_classic_form_can_be_all_there_is),
    };
    return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
