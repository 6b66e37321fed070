/* Data and windows as scripts: delayed and immediate ACKs, Nagle, silly windows, zero windows,
 * retransmission, fast recovery with and without SACK, timestamps and PAWS, urgent data, keepalive,
 * user timeout, ICMP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "script.h"

#define SACK "mss 1000,sackOK"
#define PLAIN "mss 1000"

static void nodelay(struct tcp_options *o)
{
    o->nodelay = true;
}

#define ESTABLISHED(s, options)                                                                    \
    struct script s;                                                                               \
    script_begin(&s, NULL);                                                                        \
    script_passive(&s, options)

/* ---- acknowledging ---- */

static void delay_acks(struct tcp_config *c)
{
    c->defaults.delayed_ack_ns = 40 * NS_PER_MS;
}

static void every_second_segment_is_acked(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, delay_acks);
    script_passive(&s, SACK);
    for (unsigned n = 0; n < 16; n++) { /* the first ones at once */
        snprintf(text, sizeof text, ". %u:%u(1000) ack 1", 1 + 1000 * n, 1001 + 1000 * n);
        script_inject(&s, text);
        script_discard(&s);
    }
    script_inject(&s, ". 16001:17001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 17001:18001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 18001");
    script_inject(&s, ". 18001:19001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, 39);
    script_quiet(&s);
    script_advance_ms(&s, 2);
    script_expect(&s, ". 1:1(0) ack 19001");
    assert_int_equal(script_counters(&s)->delayed_acks, 1);
    script_inject(&s, ". 19001:20001(1000) ack 1");
    script_send(&s, 10, 0); /* the ACK rides on data */
    script_expect(&s, "P. 1:11(10) ack 20001");
    script_quiet(&s);
    assert_int_equal(script_read(&s), 20000);
    script_end(&s);
}

static void out_of_order_is_acked_at_once_with_sack(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1001:2001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 1 <nop,nop,sack 1001:2001>");
    script_inject(&s, ". 3001:4001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 1 <sack 3001:4001 1001:2001>");
    script_inject(&s, ". 1:1001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 2001 <sack 3001:4001>");
    script_inject(&s, ". 1:1001(1000) ack 1"); /* a duplicate: DSACK */
    script_expect(&s, ". 1:1(0) ack 2001 <sack 1:1001 3001:4001>");
    script_inject(&s, ". 2001:3001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 4001");
    assert_int_equal(script_read(&s), 4000);
    script_end(&s);
}

static void duplicate_acks_without_sack_one_each(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_inject(&s, ". 1001:2001(1000) ack 1");
    script_inject(&s, ". 2001:3001(1000) ack 1");
    script_inject(&s, ". 3001:4001(1000) ack 1");
    for (int n = 0; n < 3; n++) {
        script_expect(&s, ". 1:1(0) ack 1");
    }
    script_quiet(&s);
    script_end(&s);
}

/* ---- Nagle, PSH ---- */

static void nagle_waits_for_the_ack(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 1");
    script_send(&s, 10, 0);
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_NAGLE);
    script_send(&s, 1500, 0);
    script_expect(&s, ". 11:1011(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1011");
    script_expect(&s, "P. 1011:1521(510) ack 1");
    script_tune(&s, nodelay);
    script_send(&s, 1, 0);
    script_expect(&s, "P. 1521:1522(1) ack 1");
    script_end(&s);
}

static void push_marks_the_last_byte(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 1000, TCP_SEND_PUSH);
    script_send(&s, 1000, 0);
    script_expect(&s, "P. 1:1001(1000) ack 1");
    script_expect(&s, "P. 1001:2001(1000) ack 1");
    script_end(&s);
}

/* ---- the peer's window ---- */

static void zero_window_is_probed(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 5000, 0);
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_ZERO_WINDOW);
    script_advance_ms(&s, 205);
    script_expect(&s, ". 1:2(1) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_quiet(&s);
    script_advance_ms(&s, 300);
    script_quiet(&s);
    script_advance_ms(&s, 110);
    script_expect(&s, ". 1:2(1) ack 1");       /* twice the interval (SHLD-30) */
    script_inject(&s, ". 1:1(0) ack 2 win 0"); /* the octet was taken */
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 2 win 2000");
    script_expect(&s, ". 2:1002(1000) ack 1");
    script_expect(&s, ". 1002:2002(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_RECEIVE_WINDOW);
    script_end(&s);
}

static void zero_window_lives_for_hours_while_probes_are_answered(void **state) /* MUST-37 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 5000, 0);
    script_quiet(&s);
    for (int n = 0; n < 100; n++) {
        script_advance_ms(&s, 120000);
        if (script_discard(&s)) {
            script_inject(&s, ". 1:1(0) ack 1 win 0");
        }
    }
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    for (int n = 0; n < 20; n++) { /* unanswered: R2 */
        script_advance_ms(&s, 120000);
        script_discard(&s);
    }
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_RETRANSMISSION_TIMEOUT);
    script_end(&s);
}

static void silly_windows_wait(void **state) /* MUST-38 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 3000, 0);
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 3001 win 100");
    script_send(&s, 3000, 0);
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_SILLY_WINDOW);
    script_advance_ms(&s, 1001);
    script_expect(&s, ". 3001:3101(100) ack 1"); /* the override timer */
    script_end(&s);
}

static void what_is_announced_is_waited_for(void **state) /* reason MORE_TO_COME */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 100, TCP_SEND_MORE);
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_MORE_TO_COME);
    script_send(&s, 1000, TCP_SEND_MORE); /* a full segment does not wait, its tail does */
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1001 win 10000"); /* nor after an ACK */
    script_expect(&s, ". 1001:1101(100) ack 1");
    script_inject(&s, ". 1:1(0) ack 1101 win 10000");
    script_send(&s, 100, TCP_SEND_MORE);
    script_quiet(&s);
    script_advance_ms(&s, 1001); /* nor for ever */
    script_expect(&s, "P. 1101:1201(100) ack 1");
    script_end(&s);
}

static void a_cork_holds_until_it_is_pulled(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 1100, TCP_SEND_CORK);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1001 win 10000");
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_MORE_TO_COME);
    assert_int_equal(tcp_send(s.engine, s.now, s.id, NULL, 0, 0), 0);
    script_expect(&s, "P. 1001:1101(100) ack 1");
    script_end(&s);
}

static void records_are_segments_of_their_own(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 1000"); /* no tail loss probe */
    script_send(&s, 1400, TCP_SEND_RECORD);
    script_send(&s, 300, TCP_SEND_RECORD);
    script_send(&s, 300, 0);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_expect(&s, "P. 1001:1401(400) ack 1");
    script_expect(&s, "P. 1401:1701(300) ack 1");
    script_quiet(&s); /* the last one waits for an ACK, as Nagle asks */
    script_advance_ms(&s, 1001);
    script_expect(&s, ". 1:1001(1000) ack 1"); /* and so are their retransmissions */
    script_inject(&s, ". 1:1(0) ack 1001 win 10000");
    script_expect(&s, "P. 1001:1401(400) ack 1");
    script_inject(&s, ". 1:1(0) ack 1401 win 10000");
    script_expect(&s, "P. 1401:1701(300) ack 1");
    script_end(&s);
}

static void a_larger_frame_is_worth_a_moment(void **state) /* reason LARGER_FRAME */
{
    (void)state;
    ESTABLISHED(s, SACK);
    struct tcp_link link = {.tso = true, .max_frame = 65535, .defer_divisor = 2};
    tcp_set_link(s.engine, &link);
    script_send(&s, 10000, 0); /* a round trip of 2 ms */
    script_expect(&s, "P. 1:10001(10000) ack 1");
    script_advance_ms(&s, 2);
    script_inject(&s, ". 1:1(0) ack 10001");
    script_send(&s, 30000, 0);
    assert_true(script_discard(&s) > 0);
    script_advance_ms(&s, 1);
    script_inject(&s, ". 1:1(0) ack 11001");
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_LARGER_FRAME);
    script_advance_ms(&s, 1);
    script_inject(&s, ". 1:1(0) ack 29001");
    assert_true(script_discard(&s) > 0);
    script_end(&s);
}

static void pushes_stay_where_they_were_asked_for(void **state) /* MUST-60 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 1000");
    script_send(&s, 1000, 0);
    script_expect(&s, "P. 1:1001(1000) ack 1");
    script_send(&s, 1000, TCP_SEND_PUSH);
    script_send(&s, 1000, TCP_SEND_PUSH);
    script_send(&s, 1000, 0);
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1001 win 2500");
    script_expect(&s, "P. 1001:2001(1000) ack 1");
    script_expect(&s, "P. 2001:3001(1000) ack 1");
    script_end(&s);
}

static void a_shrunk_window_is_survived(void **state) /* MUST-34 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 5000, 0);
    assert_int_equal(script_discard(&s), 5);
    script_inject(&s, ". 1:1(0) ack 1001 win 1000");
    assert_int_equal(script_counters(&s)->window_shrunk, 1);
    script_send(&s, 5000, 0);
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 5001 win 10000");
    script_expect(&s, ". 5001:6001(1000) ack 1");
    script_end(&s);
}

/* ---- our window ---- */

static void small_buffer(struct tcp_config *c)
{
    c->defaults.rcv_buffer = 8000;
}

static void window_closes_and_opens(void **state) /* MUST-39 */
{
    (void)state;
    struct script s;
    script_begin(&s, small_buffer);
    script_passive(&s, SACK);
    script_inject(&s, ". 1:4001(4000) ack 1");
    script_expect(&s, ". 1:1(0) ack 4001");
    struct tcp_info i = script_info(&s);
    char text[80];
    snprintf(text, sizeof text, ". 4001:%u(%u) ack 1", 4001 + i.rcv_wnd, i.rcv_wnd);
    script_inject(&s, text);
    i = script_info(&s);
    assert_int_equal(i.rcv_wnd, 0);
    script_discard(&s);
    snprintf(text, sizeof text, ". %u:%u(1) ack 1", i.rcv_nxt - i.irs, i.rcv_nxt - i.irs + 1);
    script_inject(&s, text); /* a probe */
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_RECEIVE_BUFFER_FULL], 1);
    assert_int_equal(script_discard(&s), 1);
    script_read(&s);
    assert_int_equal(script_discard(&s), 1); /* the window update */
    assert_in_range(script_info(&s).rcv_wnd, 4000, 8000);
    script_end(&s);
}

static void reset_and_ack_count_with_a_closed_window(void **state) /* MUST-66 */
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, small_buffer);
    script_passive(&s, SACK);
    for (int n = 0; n < 20 && script_info(&s).rcv_wnd; n++) {
        struct tcp_info i = script_info(&s);
        uint32_t at = i.rcv_nxt - i.irs, len = i.rcv_wnd > 1000 ? 1000 : i.rcv_wnd;
        snprintf(text, sizeof text, ". %u:%u(%u) ack 1", at, at + len, len);
        script_inject(&s, text);
        script_discard(&s);
    }
    script_send(&s, 500, 0);
    script_discard(&s);
    uint32_t at = script_info(&s).rcv_nxt - script_info(&s).irs;
    snprintf(text, sizeof text, ". %u:%u(0) ack 501", at, at);
    script_inject(&s, text);
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    snprintf(text, sizeof text, "R %u:%u(0)", at, at);
    script_inject(&s, text);
    assert_int_equal(script_info(&s).error, ECONNRESET);
    script_end(&s);
}

/* ---- retransmission ---- */

static void timeout_backs_off_and_gives_up(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1:501(500) ack 1");
    script_advance_ms(&s, 5);
    for (int wait = 200; wait <= 1600; wait *= 2) {
        script_advance_ms(&s, wait - 10);
        script_quiet(&s);
        script_advance_ms(&s, 10);
        script_expect(&s, "P. 1:501(500) ack 1");
    }
    assert_true(script_ready(&s) & TCP_READY_SOFT_ERROR); /* R1 */
    for (int n = 0; n < 100 && script_state(&s) == TCP_ESTABLISHED; n++) {
        script_advance_ms(&s, 20000);
        script_discard(&s);
    }
    assert_in_range(s.now.ns / NS_PER_S, 900, 930);
    assert_int_equal(script_info(&s).error, ETIMEDOUT);
    script_end(&s);
}

static void user_times_out(struct tcp_options *o)
{
    o->user_timeout_ns = 5 * NS_PER_S;
}

static void user_timeout_ends_it(void **state) /* MUST-21 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_tune(&s, user_times_out);
    script_send(&s, 500, 0);
    script_discard(&s);
    for (int n = 0; n < 60 && script_state(&s) == TCP_ESTABLISHED; n++) {
        script_advance_ms(&s, 100);
        script_discard(&s);
    }
    assert_in_range(s.now.ns / NS_PER_MS, 5900, 6200);
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_USER_TIMEOUT);
    script_end(&s);
}

static void fast_recovery_with_sack(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive_rtt(&s, SACK, 100);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_advance_ms(&s, 100);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:2001>");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:3001>");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_true(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).ssthresh_bytes, 5000);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_false(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).cwnd_bytes, 5000);
    assert_int_equal(script_counters(&s)->fast_recoveries, 1);
    script_end(&s);
}

static void newreno_without_sack(void **state) /* RFC 6582 */
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_send(&s, 10000, 0);
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1"); /* limited transmit (RFC 3042) on the first two */
    script_expect(&s, ". 10001:11001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, ". 11001:12001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 3001"); /* partial: the next hole */
    script_expect(&s, ". 3001:4001(1000) ack 1");
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 12001");
    assert_false(script_info(&s).in_recovery);
    script_discard(&s);
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    script_end(&s);
}

static void reneging_is_survived(void **state) /* RFC 2018 section 8 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 4000, 0);
    assert_int_equal(script_discard(&s), 4);
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_quiet(&s);
    script_advance_ms(&s, 1000);
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->sack_reneges, 1);
    script_inject(&s, ". 1:1(0) ack 2001");
    script_expect(&s, ". 2001:3001(1000) ack 1");
    script_expect(&s, "P. 3001:4001(1000) ack 1");
    script_end(&s);
}

static void nonsense_sacks_are_ignored(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 2000, 0);
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1 <sack 5001:9001>");
    script_inject(&s, ". 1:1(0) ack 1 <sack 1001:901>");
    assert_int_equal(script_info(&s).sacked_bytes, 0);
    assert_true(script_counters(&s)->sack_rejected >= 1);
    script_end(&s);
}

/* ---- validity of ACKs ---- */

static void acks_beyond_and_far_behind_are_challenged(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 100");
    script_expect(&s, ". 1:1(0) ack 1");
    script_send(&s, 1000, 0);
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_inject(&s, ". 1:1(0) ack 4294000000");
    script_expect(&s, ". 1001:1001(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_UNSENT], 1);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_TOO_OLD], 1);
    script_inject(&s, "P 1:11(10)");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_MISSING], 1);
    script_end(&s);
}

/* RFC 5961 section 5, and the first octet. */
static void nothing_before_the_first_octet_is_acknowledged(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:101(100) ack 0"); /* our SYN was acknowledged; 0 is before it */
    script_expect(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_TOO_OLD], 1);
    script_send(&s, 1000, 0);
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_inject(&s, ". 1:101(100) ack 1"); /* as old as can be */
    script_expect(&s, ". 1001:1001(0) ack 101");
    script_inject(&s, ". 101:201(100) ack 0");
    script_expect(&s, ". 1001:1001(0) ack 101");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_TOO_OLD], 2);
    script_end(&s);
}

static void old_timestamps_are_rejected(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 1000,sackOK,TS val 100 ecr 0");
    script_inject(&s, ". 1:101(100) ack 1 <nop,nop,TS val 300 ecr 0>");
    script_expect(&s, ". 1:1(0) ack 101");
    script_inject(&s, ". 101:201(100) ack 1 <nop,nop,TS val 200 ecr 0>");
    script_expect(&s, ". 1:1(0) ack 101");
    script_inject(&s, ". 101:201(100) ack 1 <nop>"); /* none at all */
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_PAWS], 1);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_TIMESTAMP_MISSING], 1);
    script_advance_ms(&s, INT64_C(25) * 24 * 3600 * 1000); /* 24 days: the clock may have wrapped */
    script_inject(&s, ". 101:201(100) ack 1 <nop,nop,TS val 200 ecr 0>");
    script_expect(&s, ". 1:1(0) ack 201");
    assert_int_equal(script_counters(&s)->paws_old_timestamp > 0, 1);
    script_end(&s);
}

/* RFC 7323 section 5.3, R2 before R3; section 4.3. */
static void an_old_segment_does_not_set_ts_recent(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 1000,sackOK,TS val 100 ecr 0");
    script_inject(&s, ". 1:101(100) ack 1 <nop,nop,TS val 300 ecr 0>");
    script_expect(&s, ". 1:1(0) ack 101");
    script_inject(&s, ". 1:101(100) ack 1 <nop,nop,TS val 2000000000 ecr 0>"); /* all old */
    script_discard(&s);
    script_inject(&s, ". 0:0(0) ack 1 <nop,nop,TS val 2000000000 ecr 0>"); /* nothing, and old */
    script_discard(&s);
    script_inject(&s, ". 101:201(100) ack 1 <nop,nop,TS val 400 ecr 0>");
    script_expect(&s, ". 1:1(0) ack 201");
    script_inject(&s, ". 151:251(100) ack 1 <nop,nop,TS val 500 ecr 0>"); /* some of it new */
    script_expect(&s, ". 1:1(0) ack 251");
    script_inject(&s, ". 251:351(100) ack 5000 <nop,nop,TS val 2000000000 ecr 0>"); /* a guess */
    script_discard(&s);
    script_inject(&s, ". 251:351(100) ack 1 <nop,nop,TS val 450 ecr 0>");
    script_discard(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_PAWS], 1);
    script_end(&s);
}

/* ---- urgent ---- */

static void urgent_is_received_in_line(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_ready(&s);
    script_inject(&s, "UP. 1:101(100) ack 1 urg 50");
    assert_true(script_ready(&s) & TCP_READY_URGENT);
    struct tcp_received r;
    assert_int_equal(tcp_peek(s.engine, s.id, 0, 1000, &r), 0);
    assert_true(r.urgent);
    assert_int_equal(r.urgent_mark, 50);
    assert_int_equal(r.available, 100);
    tcp_consume(s.engine, s.now, s.id, 49);
    assert_true(script_info(&s).urgent_pending);
    tcp_consume(s.engine, s.now, s.id, 50);
    assert_false(script_info(&s).urgent_pending);
    script_end(&s);
}

static void urgent_is_sent_with_its_pointer(void **state) /* MUST-62 */
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 1500, TCP_SEND_URGENT);
    script_expect(&s, "U. 1:1001(1000) ack 1 urg 1500");
    script_inject(&s, ". 1:1(0) ack 1001");
    script_expect(&s, "UP. 1001:1501(500) ack 1 urg 500");
    script_inject(&s, ". 1:1(0) ack 1501");
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1501:1511(10) ack 1");
    script_end(&s);
}

/* Both windows are in full use: cwnd holds sending back, and may grow. */
static void the_congestion_window_counts_first(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 10000");
    script_send(&s, 20000, 0);
    assert_int_equal(script_discard(&s), 10);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_CONGESTION_WINDOW);
    script_end(&s);
}

/* ---- keepalive, ICMP ---- */

static void keepalive_on(struct tcp_options *o)
{
    o->keepalive = true;
    o->keepalive_idle_ns = 100 * NS_PER_S;
    o->keepalive_interval_ns = 10 * NS_PER_S;
    o->keepalive_count = 3;
}

static void keepalive_probes_and_ends(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_tune(&s, keepalive_on);
    script_quiet(&s);
    script_advance_ms(&s, 100001);
    script_expect(&s, ". 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1"); /* alive */
    script_advance_ms(&s, 100001);
    script_expect(&s, ". 0:0(0) ack 1");
    script_advance_ms(&s, 10001);
    script_expect(&s, ". 0:0(0) ack 1");
    script_advance_ms(&s, 10001);
    script_expect(&s, ". 0:0(0) ack 1");
    script_advance_ms(&s, 10001);
    script_expect(&s, "R. 1:1(0) ack 1");
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_KEEPALIVE_TIMEOUT);
    script_end(&s);
}

static void keepalive_of_the_peer_is_answered(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 0:0(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 1");
    script_end(&s);
}

static void icmp_errors(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 4000, 0);
    script_discard(&s);
    struct tcp_icmp icmp = {.kind = TCP_ICMP_SOFT,
                            .src = s.tuple.local,
                            .dst = s.tuple.remote,
                            .sport = s.tuple.local_port,
                            .dport = s.tuple.remote_port,
                            .seq = seq_of(s.local_iss + 1 + 50000),
                            .error = EHOSTUNREACH};
    tcp_icmp(s.engine, s.now, &icmp); /* a guess (RFC 5927) */
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ICMP_BAD_SEQUENCE], 1);
    icmp.seq = seq_of(s.local_iss + 1);
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_info(&s).soft_error, EHOSTUNREACH);
    icmp.kind = TCP_ICMP_HARD;
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    icmp.kind = TCP_ICMP_TOO_BIG;
    icmp.mtu = 640;
    tcp_icmp(s.engine, s.now, &icmp);
    script_expect(&s, ". 1:601(600) ack 1");
    assert_int_equal(script_info(&s).cwnd_bytes, 10000); /* no congestion response */
    icmp.dport++;
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ICMP_NO_CONNECTION], 1);
    script_end(&s);
}

static void hard_error_while_opening(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    struct tcp_icmp icmp = {.kind = TCP_ICMP_HARD,
                            .src = s.tuple.local,
                            .dst = s.tuple.remote,
                            .sport = s.tuple.local_port,
                            .dport = s.tuple.remote_port,
                            .seq = seq_of(s.local_iss),
                            .error = ECONNREFUSED};
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_ICMP_HARD_ERROR);
    script_end(&s);
}

/* SHLD-26 for a handshake of which no connection has come; its one sequence number has to be known.
 */
static void hard_error_about_a_syn_ack(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_listen(&s, 1);
    s.id = 0;
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    struct tcp_icmp icmp = {.kind = TCP_ICMP_HARD,
                            .src = s.tuple.local,
                            .dst = s.tuple.remote,
                            .sport = s.tuple.local_port,
                            .dport = s.tuple.remote_port,
                            .seq = seq_of(s.local_iss + 1),
                            .error = ECONNREFUSED};
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ICMP_BAD_SEQUENCE], 1);
    icmp.seq = seq_of(s.local_iss);
    icmp.kind = TCP_ICMP_SOFT;
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_counters(&s)->states[TCP_SYN_RECEIVED], 1);
    icmp.kind = TCP_ICMP_HARD;
    tcp_icmp(s.engine, s.now, &icmp);
    assert_int_equal(script_counters(&s)->states[TCP_SYN_RECEIVED], 0);
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_ICMP_HARD_ERROR], 1);
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, "R 1:1(0)");
    script_end(&s);
}

/* ---- what the link did not take ---- */

static void a_refused_frame_is_not_a_loss(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    struct tcp_tx tx;
    script_send(&s, 500, 0);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_LOCAL_DROP);
    script_advance_ms(&s, 12);
    script_expect(&s, "P. 1:501(500) ack 1");
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    script_end(&s);
}

static void an_unreachable_neighbour_fails_the_open(void **state)
{
    (void)state;
    struct script s;
    struct tcp_tx tx;
    script_begin(&s, NULL);
    script_open(&s);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_NEIGHBOUR_PENDING, 0);
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_NEIGHBOUR_PENDING);
    script_advance_ms(&s, 1005);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_UNREACHABLE, EHOSTUNREACH);
    assert_int_equal(script_info(&s).error, EHOSTUNREACH);
    script_end(&s);
}

int transfer_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_second_segment_is_acked),
        cmocka_unit_test(out_of_order_is_acked_at_once_with_sack),
        cmocka_unit_test(duplicate_acks_without_sack_one_each),
        cmocka_unit_test(nagle_waits_for_the_ack),
        cmocka_unit_test(push_marks_the_last_byte),
        cmocka_unit_test(zero_window_is_probed),
        cmocka_unit_test(zero_window_lives_for_hours_while_probes_are_answered),
        cmocka_unit_test(silly_windows_wait),
        cmocka_unit_test(what_is_announced_is_waited_for),
        cmocka_unit_test(a_cork_holds_until_it_is_pulled),
        cmocka_unit_test(records_are_segments_of_their_own),
        cmocka_unit_test(a_larger_frame_is_worth_a_moment),
        cmocka_unit_test(pushes_stay_where_they_were_asked_for),
        cmocka_unit_test(a_shrunk_window_is_survived),
        cmocka_unit_test(window_closes_and_opens),
        cmocka_unit_test(reset_and_ack_count_with_a_closed_window),
        cmocka_unit_test(timeout_backs_off_and_gives_up),
        cmocka_unit_test(user_timeout_ends_it),
        cmocka_unit_test(fast_recovery_with_sack),
        cmocka_unit_test(newreno_without_sack),
        cmocka_unit_test(reneging_is_survived),
        cmocka_unit_test(nonsense_sacks_are_ignored),
        cmocka_unit_test(acks_beyond_and_far_behind_are_challenged),
        cmocka_unit_test(nothing_before_the_first_octet_is_acknowledged),
        cmocka_unit_test(old_timestamps_are_rejected),
        cmocka_unit_test(an_old_segment_does_not_set_ts_recent),
        cmocka_unit_test(urgent_is_received_in_line),
        cmocka_unit_test(urgent_is_sent_with_its_pointer),
        cmocka_unit_test(keepalive_probes_and_ends),
        cmocka_unit_test(keepalive_of_the_peer_is_answered),
        cmocka_unit_test(the_congestion_window_counts_first),
        cmocka_unit_test(icmp_errors),
        cmocka_unit_test(hard_error_about_a_syn_ack),
        cmocka_unit_test(hard_error_while_opening),
        cmocka_unit_test(a_refused_frame_is_not_a_loss),
        cmocka_unit_test(an_unreachable_neighbour_fails_the_open),
    };
    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
