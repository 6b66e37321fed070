/* Timeouts, losses and what is no loss: Karn's backoff, recovery points that grow old, idle
 * restarts, frames that the device refused, and path MTUs that shrink under what is in flight. */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SACK "mss 1000,sackOK"
#define PLAIN "mss 1000"

#define ESTABLISHED(s, options)                                                                    \
    struct script s;                                                                               \
    script_begin(&s, NULL);                                                                        \
    script_passive(&s, options)

/* ---- the timer ---- */

/* RFC 6298 section 5: only a new measurement ends the backoff. */
static void the_backoff_stays_until_a_measurement(void **state)
{
    (void)state;
    ESTABLISHED(s, PLAIN);
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1:501(500) ack 1");
    for (int wait = 201; wait <= 804; wait *= 2) { /* 200, 400, 800 ms */
        script_advance_ms(&s, wait);
        script_expect(&s, "P. 1:501(500) ack 1");
    }
    script_inject(&s, ". 1:1(0) ack 501"); /* of which transmission? */
    script_send(&s, 500, 0);
    script_expect(&s, "P. 501:1001(500) ack 1");
    script_advance_ms(&s, 1500);
    script_quiet(&s);
    script_advance_ms(&s, 110);
    script_expect(&s, "P. 501:1001(500) ack 1");
    script_inject(&s, ". 1:1(0) ack 1001");
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1001:1501(500) ack 1");
    script_inject(&s, ". 1:1(0) ack 1501"); /* a measurement */
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1501:2001(500) ack 1");
    script_advance_ms(&s, 201);
    script_expect(&s, "P. 1501:2001(500) ack 1");
    script_end(&s);
}

static void pushing(struct tcp_config *c)
{
    c->push_super_frames = true;
}

static void super_frames_may_push(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, pushing);
    struct tcp_link link = {.tso = true, .max_frame = 65535};
    tcp_set_link(s.engine, &link);
    script_passive(&s, "mss 1000,sackOK");
    script_inject(&s, ". 1:1(0) ack 1 win 3000");
    script_send(&s, 5000, 0);
    script_expect(&s, "P. 1:3001(3000) ack 1"); /* not the end of what was written */
    script_inject(&s, ". 1:1(0) ack 3001 win 1000");
    script_expect(&s, ". 3001:4001(1000) ack 1"); /* one segment */
    script_end(&s);
}

static void part_of_a_super_frame(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    struct tcp_link link = {.tso = true, .max_frame = 65535};
    tcp_set_link(s.engine, &link);
    script_send(&s, 10000, 0);
    script_expect(&s, "P. 1:10001(10000) ack 1");
    script_inject(&s, ". 1:1(0) ack 2501"); /* as a middlebox may cut it */
    script_quiet(&s);
    assert_int_equal(script_info(&s).bytes_in_flight, 7500);
    script_inject(&s, ". 1:1(0) ack 2501 <sack 4001:4501>");
    script_inject(&s, ". 1:1(0) ack 2501 <sack 4001:7501>");
    script_expect(&s, ". 2501:3501(1000) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 3501 <sack 4001:8501>");
    script_expect(&s, ". 3501:4001(500) ack 1");
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).bytes_in_flight, 0);
    script_end(&s);
}

/* ---- NewReno's recovery point ---- */

/* After 2 GiB a sequence number looks as if it lay ahead. */
static void an_old_recovery_point_is_forgotten(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, NULL);
    struct tcp_link link = {.tso = true, .max_frame = 65535};
    tcp_set_link(s.engine, &link);
    script_passive(&s, "mss 1000,nop,wscale 14");
    script_send(&s, 10000, 0);
    script_discard(&s);
    for (int n = 0; n < 3; n++) {
        script_inject(&s, ". 1:1(0) ack 1");
    }
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 10001");
    uint32_t at = 10001;
    for (int n = 0; n < 2500; n++) {
        script_send(&s, 1000000, 0);
        while (script_info(&s).send_q_bytes) {
            script_discard(&s);
            at = script_info(&s).snd_nxt - s.local_iss;
            snprintf(text, sizeof text, ". 1:1(0) ack %u", at);
            script_inject(&s, text);
        }
    }
    script_send(&s, 10000, 0);
    script_discard(&s);
    snprintf(text, sizeof text, ". 1:1(0) ack %u", at);
    for (int n = 0; n < 3; n++) {
        script_inject(&s, text);
    }
    script_discard(&s);
    assert_int_equal(script_counters(&s)->fast_recoveries, 2);
    assert_int_equal(script_info(&s).bytes_acked, 10000 + UINT64_C(2500) * 1000000);
    script_end(&s);
}

/* ---- restart after idleness ---- */

/* A connection whose cwnd has grown, with nothing in flight; returns what the peer's ACKs are. */
static uint32_t grown(struct script *s)
{
    struct tcp_link link = {.tso = true, .max_frame = 65535};
    tcp_set_link(s->engine, &link);
    char text[80];
    for (int n = 0; n < 40; n++) {
        script_send(s, 100000, 0);
        while (script_info(s).send_q_bytes) {
            script_discard(s);
            snprintf(text, sizeof text, ". 1:1(0) ack %u", script_info(s).snd_nxt - s->local_iss);
            script_inject(s, text);
        }
    }
    assert_true(script_info(s).cwnd_bytes > 50000);
    return script_info(s).snd_nxt - s->local_iss;
}

/* RFC 5681 section 4.1: idle is who sends no data, whatever else is sent. */
static void idle_restart(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 1000,sackOK,nop,wscale 7");
    char text[80];
    uint32_t ack = grown(&s);
    for (unsigned n = 0; n < 20; n++) {
        script_advance_ms(&s, 100);
        snprintf(text, sizeof text, ". %u:%u(100) ack %u", 1 + 100 * n, 101 + 100 * n, ack);
        script_inject(&s, text);
        assert_int_equal(script_discard(&s), 1);
    }
    script_send(&s, 50000, 0);
    script_discard(&s);
    assert_int_equal(script_info(&s).bytes_in_flight, 10000);
    script_end(&s);
}

/* Nor does a zero-window probe begin a transmission: cwnd is what it was while the window is
 * closed, and the restart window when it opens and data go out. */
static void a_window_probe_is_no_restart(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 1000,sackOK,nop,wscale 7");
    char text[80];
    uint32_t ack = grown(&s), cwnd = script_info(&s).cwnd_bytes;
    snprintf(text, sizeof text, ". 1:1(0) ack %u win 0", ack);
    script_inject(&s, text);
    script_send(&s, 50000, 0);
    script_quiet(&s);
    for (uint64_t n = 1; n <= 3; n++) {
        int64_t due = script_info(&s).persist_deadline_ns;
        script_advance_ms(&s, (due - s.now.ns) / NS_PER_MS + 1);
        assert_int_equal(script_discard(&s), 1);
        assert_int_equal(script_counters(&s)->zero_window_probes, n);
        assert_int_equal(script_info(&s).cwnd_bytes, cwnd);
        script_inject(&s, text);
    }
    snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", ack);
    script_inject(&s, text);
    script_discard(&s);
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    assert_int_equal(script_info(&s).bytes_in_flight, 10000);
    script_end(&s);
}

/* ---- what the device refused ---- */

static void only_the_refused_frame_goes_again(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    struct tcp_tx tx;
    script_send(&s, 3000, 0);
    script_expect(&s, ". 1:1001(1000) ack 1");
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
    script_expect(&s, "P. 2001:3001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, 12);
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_quiet(&s);
    assert_int_equal(script_info(&s).cwnd_bytes, 10000);
    assert_false(script_info(&s).in_recovery);
    script_end(&s);
}

static void a_refused_ack_goes_again(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    struct tcp_tx tx;
    script_inject(&s, ". 1:101(100) ack 1");
    for (int n = 0; n < 3; n++) {
        assert_true(tcp_flush(s.engine, s.now, &tx));
        tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
        script_quiet(&s); /* not at once: the device is busy */
        script_advance_ms(&s, 12);
    }
    script_expect(&s, ". 1:1(0) ack 101");
    script_quiet(&s);
    script_end(&s);
}

static void a_refused_syn_costs_no_window(void **state)
{
    (void)state;
    struct script s;
    struct tcp_tx tx;
    script_begin(&s, NULL);
    script_open(&s);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
    script_quiet(&s);
    script_advance_ms(&s, 12);
    script_expect(&s, "S 0:0(0)");
    script_advance_ms(&s, 900);
    script_quiet(&s);
    script_end(&s);
}

static void a_refused_probe_and_a_refused_fin(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    struct tcp_tx tx;
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 100, 0);
    script_quiet(&s);
    script_advance_ms(&s, 205);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
    script_quiet(&s);
    script_advance_ms(&s, 500);
    script_expect(&s, ". 1:2(1) ack 1");
    script_inject(&s, ". 1:1(0) ack 1 win 5000");
    script_expect(&s, "P. 1:101(100) ack 1");
    script_inject(&s, ". 1:1(0) ack 101 win 5000");
    assert_int_equal(tcp_close(s.engine, s.now, s.id), 0);
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
    script_quiet(&s);
    script_advance_ms(&s, 12);
    script_expect(&s, "F. 101:101(0) ack 1");
    script_end(&s);
}

/* ---- the path MTU ---- */

static void too_big(struct script *s, uint32_t seq, uint32_t mtu)
{
    struct tcp_icmp icmp = {.kind = TCP_ICMP_TOO_BIG,
                            .src = s->tuple.local,
                            .dst = s->tuple.remote,
                            .sport = s->tuple.local_port,
                            .dport = s->tuple.remote_port,
                            .seq = seq_of(s->local_iss + seq),
                            .mtu = mtu};
    tcp_icmp(s->engine, s->now, &icmp);
}

/* RFC 1191, 8201: it is sent again, smaller, and nobody lost anything by congestion. */
static void a_smaller_path_is_no_congestion(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 10);
    too_big(&s, 1, 640);
    script_expect(&s, ". 1:601(600) ack 1");
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 601");
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1201");
    script_discard(&s);
    assert_false(script_info(&s).in_recovery);
    assert_int_equal(script_info(&s).cwnd_bytes >= 10000, 1);
    assert_int_equal(script_counters(&s)->fast_recoveries, 0);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_end(&s);
}

/* What was sent before the segment that was refused got through. */
static void what_passed_before_does_not_go_again(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    script_send(&s, 3000, 0);
    assert_int_equal(script_discard(&s), 3);
    script_advance_ms(&s, 5);
    script_send(&s, 2000, 0);
    assert_int_equal(script_discard(&s), 2);
    too_big(&s, 3001, 640);
    script_expect(&s, ". 3001:3601(600) ack 1");
    script_expect(&s, ". 3601:4201(600) ack 1");
    script_expect(&s, ". 4201:4801(600) ack 1");
    script_expect(&s, "P. 4801:5001(200) ack 1");
    script_quiet(&s);
    script_end(&s);
}

static void a_smaller_path_under_super_frames(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 1460,sackOK");
    struct tcp_link link = {.tso = true, .max_frame = 65535};
    tcp_set_link(s.engine, &link);
    script_send(&s, 14600, 0);
    script_expect(&s, "P. 1:14601(14600) ack 1");
    too_big(&s, 1461, 1040);
    script_expect(&s, ". 1:14001(14000) ack 1"); /* whole segments of 1000 */
    script_quiet(&s);                            /* 600 octets are less than one */
    script_inject(&s, ". 1:1(0) ack 1001");
    script_expect(&s, "P. 14001:14601(600) ack 1");
    script_inject(&s, ". 1:1(0) ack 14601");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_end(&s);
}

/* The smallest MSS, timestamps and SACK blocks: a segment must still fit the MTU that the MSS
 * stands for (MUST-16). */
static void sack_blocks_fit_beside_the_smallest_mss(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 48,sackOK,TS val 100 ecr 0");
    char text[80];
    for (unsigned n = 1; n <= 3; n++) {
        snprintf(text, sizeof text, ". %u:%u(50) ack 1", 100 * n, 100 * n + 50);
        script_inject(&s, text);
    }
    script_discard(&s);
    script_send(&s, 100, 0);
    struct tcp_tx tx;
    while (tcp_flush(s.engine, s.now, &tx)) {
        assert_true(tx.header_len + tx.payload_len <= 20 + 48);
    }
    script_end(&s);
}

int recovery_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_backoff_stays_until_a_measurement),
        cmocka_unit_test(super_frames_may_push),
        cmocka_unit_test(part_of_a_super_frame),
        cmocka_unit_test(an_old_recovery_point_is_forgotten),
        cmocka_unit_test(idle_restart),
        cmocka_unit_test(a_window_probe_is_no_restart),
        cmocka_unit_test(only_the_refused_frame_goes_again),
        cmocka_unit_test(a_refused_ack_goes_again),
        cmocka_unit_test(a_refused_syn_costs_no_window),
        cmocka_unit_test(a_refused_probe_and_a_refused_fin),
        cmocka_unit_test(a_smaller_path_is_no_congestion),
        cmocka_unit_test(what_passed_before_does_not_go_again),
        cmocka_unit_test(a_smaller_path_under_super_frames),
        cmocka_unit_test(sack_blocks_fit_beside_the_smallest_mss),
    };
    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
