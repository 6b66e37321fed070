/* Where other stacks differ from the RFCs or from our choice (struct tcp_config, struct tcp_link):
 * each setting, off as by default and on. accept_ended is in test_unaccepted.c, defer_divisor in
 * test_transfer.c. */
#include <errno.h>
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define PLAIN "mss 1000,sackOK,nop,wscale 7"
#define STAMPS "mss 1012,sackOK,TS val 100 ecr 0,nop,wscale 7"
#define RTT_MS 100

static bool on; /* what the next script begins with */

#define ESTABLISHED(s, adjust, options)                                                            \
    struct script s;                                                                               \
    script_begin(&s, adjust);                                                                      \
    script_passive_rtt(&s, options, RTT_MS)

#define FOR_BOTH for (unsigned setting = 0; on = setting == 1, setting < 2; setting++)

static void use_super_frames(struct script *s, uint32_t paced)
{
    struct tcp_link link = {.tso = true, .max_frame = 65535, .paced_frame_segments = paced};
    tcp_set_link(s->engine, &link);
}

static void push(struct tcp_config *c)
{
    c->push_super_frames = on;
}

/* MUST-61 wants PSH where the data end; more are buffered here. */
static void psh_on_every_super_frame(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, push, PLAIN);
        use_super_frames(&s, 0);
        script_send(&s, 30000, 0);
        script_expect(&s, on ? "P. 1:10001(10000) ack 1" : ". 1:10001(10000) ack 1");
        script_end(&s);
    }
}

static void take_missing(struct tcp_config *c)
{
    c->accept_missing_timestamps = on;
}

/* RFC 7323 section 3.2: without a timestamp a segment SHOULD be dropped; in the handshake, too. */
static void segments_without_timestamps(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, take_missing, STAMPS);
        s.timestamps = false;
        script_inject(&s, ". 1:101(100) ack 1");
        assert_int_equal(script_discard(&s), on);
        assert_int_equal(script_counters(&s)->drops[TCP_DROP_TIMESTAMP_MISSING], !on);
        script_end(&s);
        script_begin(&s, take_missing);
        script_listen(&s, 1);
        script_inject(&s, "S 0:0(0) win 65535 <" STAMPS ">");
        script_discard(&s);
        script_inject(&s, ". 1:1(0) ack 1");
        assert_int_equal(script_state(&s), on ? TCP_ESTABLISHED : TCP_SYN_RECEIVED);
        script_end(&s);
    }
}

static void minshall(struct tcp_config *c)
{
    c->nagle_minshall = on;
}

/* SHLD-7: any data in flight hold a small segment, or a small one only. */
static void nagle_after_minshall(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, minshall, PLAIN);
        script_send(&s, 1000, 0);
        script_expect(&s, "P. 1:1001(1000) ack 1");
        script_send(&s, 100, 0);
        if (on) {
            script_expect(&s, "P. 1001:1101(100) ack 1");
            script_send(&s, 100, 0);
        }
        script_quiet(&s);
        assert_int_equal(script_info(&s).limit, TCP_LIMIT_NAGLE);
        script_end(&s);
    }
}

static void bare_probes(struct tcp_config *c)
{
    c->probe_without_data = on;
}

/* MUST-36: the octet that the window does not take, or none and an old number. */
static void probes_without_data(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, bare_probes, PLAIN);
        script_inject(&s, ". 1:1(0) ack 1 win 0");
        script_send(&s, 100, 0);
        script_quiet(&s);
        script_advance_ms(&s, (script_info(&s).persist_deadline_ns - s.now.ns) / NS_PER_MS + 1);
        script_expect(&s, on ? ". 0:0(0) ack 1" : ". 1:2(1) ack 1");
        script_inject(&s, ". 1:1(0) ack 1 win 500");
        script_expect(&s, "P. 1:101(100) ack 1");
        script_end(&s);
    }
}

static void interactive(struct tcp_config *c)
{
    c->defaults.delayed_ack_ns = 40 * NS_PER_MS;
    c->piggyback_acks = on;
}

/* The first segments are acknowledged at once, unless the user was about to write. */
static void acks_wait_for_answers(void **state)
{
    (void)state;
    FOR_BOTH
    {
        struct script s;
        script_begin(&s, interactive);
        script_open(&s);
        script_expect(&s, "S 0:0(0)");
        script_send(&s, 100, 0);
        script_inject(&s, "S. 0:0(0) ack 1 win 65535 <" PLAIN ">");
        script_discard(&s);
        script_inject(&s, ". 1:101(100) ack 101 win 500");
        if (on) {
            script_quiet(&s);
            script_advance_ms(&s, 41);
        }
        script_expect(&s, ". 101:101(0) ack 101");
        assert_int_equal(script_counters(&s)->delayed_acks, on);
        script_end(&s);
    }
}

static void coarse(struct tcp_config *c)
{
    c->reordering_slack_ns = on ? 7 * NS_PER_MS : 0;
}

/* RFC 8985 section 6.2 step 5: the timer of the reordering window, a quarter of the round trip. */
static void a_coarse_reordering_timer(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, coarse, PLAIN);
        script_send(&s, 10000, 0);
        assert_int_equal(script_discard(&s), 10);
        script_advance_ms(&s, RTT_MS);
        script_inject(&s, ". 1:1(0) ack 1 <sack 1001:2001>");
        int64_t wait = script_info(&s).loss_timer_deadline_ns - s.now.ns;
        assert_in_range(wait, (on ? 32 : 25) * NS_PER_MS, (on ? 34 : 27) * NS_PER_MS);
        script_end(&s);
    }
}

static void whole(struct tcp_config *c)
{
    c->sack_whole_segments = on;
}

static void blocks_of_whole_segments(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, whole, PLAIN);
        script_send(&s, 10000, 0);
        script_discard(&s);
        script_inject(&s, ". 1:1(0) ack 1 <sack 1001:2501>");
        assert_int_equal(script_info(&s).sacked_bytes, on ? 1000 : 1500);
        script_end(&s);
    }
}

/* The segments of records are as short as they are. */
static void blocks_of_records(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, whole, PLAIN);
        for (unsigned n = 0; n < 5; n++) {
            script_send(&s, 400, TCP_SEND_RECORD);
        }
        script_send(&s, 1000, TCP_SEND_PUSH);
        assert_int_equal(script_discard(&s), 6);
        script_inject(&s, ". 1:1(0) ack 1 <sack 801:1601>");
        assert_int_equal(script_info(&s).sacked_bytes, 800);
        script_end(&s);
    }
}

static void quiet(struct tcp_config *c)
{
    c->quiet_on_unsent_ack = on;
}

/* RFC 9293 section 3.10.7.4: an ACK of what was never sent is answered, and dropped. */
static void an_ack_of_what_was_not_sent(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, quiet, PLAIN);
        script_inject(&s, ". 1:1(0) ack 5001");
        assert_int_equal(script_discard(&s), !on);
        assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_UNSENT], 1);
        script_end(&s);
    }
}

static void linux_cwnd(struct tcp_config *c)
{
    c->cwnd_as_linux = on;
}

/* Six segments are more than half of ten, not of twelve; five are not more than half of ten. */
static void slow_start_with_half_of_cwnd(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, linux_cwnd, PLAIN);
        script_send(&s, 5000, 0);
        script_discard(&s);
        script_inject(&s, ". 1:1(0) ack 5001");
        assert_int_equal(script_info(&s).cwnd_bytes, 10000);
        script_send(&s, 6000, 0);
        script_discard(&s);
        script_inject(&s, ". 1:1(0) ack 7001");
        assert_int_equal(script_info(&s).cwnd_bytes, on ? 12000 : 10000);
        script_inject(&s, ". 1:1(0) ack 11001");
        assert_int_equal(script_info(&s).cwnd_bytes, on ? 12000 : 10000);
        script_end(&s);
    }
}

/* RFC 5681 equation (4) halves what is in flight, of NewReno; Linux does cwnd. */
static void a_timeout_reduces_what_is_in_flight(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, linux_cwnd, PLAIN);
        script_send(&s, 4000, 0);
        script_discard(&s);
        for (unsigned ms = 0; ms < 1000; ms++) {
            script_advance_ms(&s, 1);
            script_discard(&s);
        }
        assert_true(script_counters(&s)->rto_timeouts > 0);
        assert_int_equal(script_info(&s).ssthresh_bytes, on ? 5000 : 2000);
        script_end(&s);
    }
}

/* RFC 5681 section 4.3: a lost retransmission is a second indication, or belongs to the first. */
static void a_lost_retransmission_reduces_again(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, linux_cwnd, PLAIN);
        script_send(&s, 10000, 0);
        script_discard(&s);
        script_inject(&s, ". 1:1(0) ack 1 <sack 1001:4001>");
        script_expect(&s, ". 1:1001(1000) ack 1");
        script_send(&s, 5000, 0);
        script_inject(&s, ". 1:1(0) ack 1 <sack 1001:9001>");
        script_discard(&s);
        uint32_t ssthresh = script_info(&s).ssthresh_bytes;
        script_advance_ms(&s, RTT_MS);
        script_inject(&s, ". 1:1(0) ack 1 <sack 1001:9001 10001:11001>");
        script_expect(&s, ". 1:1001(1000) ack 1");
        assert_int_not_equal(script_counters(&s)->lost_retransmissions, 0);
        assert_int_equal(script_info(&s).ssthresh_bytes < ssthresh, !on);
        script_end(&s);
    }
}

static void late_fin(struct tcp_config *c)
{
    c->defaults.delayed_ack_ns = 40 * NS_PER_MS;
    c->delay_fin_acks = on;
}

/* RFC 9293 section 3.10.7.4, eighth, acknowledges a FIN; SHLD-18 lets an ACK wait. */
static void the_ack_of_a_fin(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, late_fin, PLAIN);
        script_advance_ms(&s, 1);
        script_inject(&s, ". 1:101(100) ack 1");
        script_expect(&s, ". 1:1(0) ack 101");
        script_inject(&s, "F. 101:101(0) ack 1");
        assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
        if (on) {
            script_quiet(&s);
            script_advance_ms(&s, 41);
        }
        script_expect(&s, ". 1:1(0) ack 102");
        script_end(&s);
    }
}

/* A FIN without any text before, or beyond a hole, or one of a closing connection does not wait. */
static void an_ack_of_a_fin_that_does_not_wait(void **state)
{
    (void)state;
    on = true;
    ESTABLISHED(s, late_fin, PLAIN);
    script_inject(&s, "F. 1:1(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 2");
    script_end(&s);
    script_begin(&s, late_fin);
    script_passive_rtt(&s, PLAIN, RTT_MS);
    script_advance_ms(&s, 1);
    script_inject(&s, "F. 101:101(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 1");
    script_inject(&s, ". 1:101(100) ack 1");
    script_expect(&s, ". 1:1(0) ack 102");
    script_end(&s);
}

static void opening(struct tcp_config *c)
{
    c->icmp_ends_opening = on;
}

/* MUST-56: a soft error does not abort. */
static void a_soft_error_while_opening(void **state)
{
    (void)state;
    FOR_BOTH
    {
        struct script s;
        script_begin(&s, opening);
        script_open(&s);
        script_expect(&s, "S 0:0(0)");
        struct tcp_icmp icmp = {.kind = TCP_ICMP_SOFT,
                                .src = s.tuple.local,
                                .dst = s.tuple.remote,
                                .sport = s.tuple.local_port,
                                .dport = s.tuple.remote_port,
                                .seq = {s.local_iss},
                                .error = ENETUNREACH};
        tcp_icmp(s.engine, s.now, &icmp);
        assert_int_equal(script_state(&s), on ? TCP_CLOSED : TCP_SYN_SENT);
        assert_int_equal(script_info(&s).soft_error, ENETUNREACH);
        script_end(&s);
    }
}

/* What goes out in a millisecond at twice the rate, no less than two segments, half of cwnd. */
static void frames_of_a_millisecond(void **state)
{
    (void)state;
    FOR_BOTH
    {
        ESTABLISHED(s, NULL, PLAIN);
        use_super_frames(&s, on ? 2 : 0);
        script_send(&s, 30000, 0);
        script_expect(&s, on ? ". 1:2001(2000) ack 1" : ". 1:10001(10000) ack 1");
        script_end(&s);
        script_begin(&s, NULL);
        script_passive_rtt(&s, PLAIN, 0);
        use_super_frames(&s, on ? 2 : 0);
        script_send(&s, 30000, 0);
        script_expect(&s, on ? ". 1:5001(5000) ack 1" : ". 1:10001(10000) ack 1");
        script_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ack_of_a_fin),
        cmocka_unit_test(an_ack_of_a_fin_that_does_not_wait),
        cmocka_unit_test(a_soft_error_while_opening),
        cmocka_unit_test(psh_on_every_super_frame),
        cmocka_unit_test(segments_without_timestamps),
        cmocka_unit_test(nagle_after_minshall),
        cmocka_unit_test(probes_without_data),
        cmocka_unit_test(acks_wait_for_answers),
        cmocka_unit_test(a_coarse_reordering_timer),
        cmocka_unit_test(blocks_of_whole_segments),
        cmocka_unit_test(blocks_of_records),
        cmocka_unit_test(an_ack_of_what_was_not_sent),
        cmocka_unit_test(frames_of_a_millisecond),
        cmocka_unit_test(slow_start_with_half_of_cwnd),
        cmocka_unit_test(a_timeout_reduces_what_is_in_flight),
        cmocka_unit_test(a_lost_retransmission_reduces_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
