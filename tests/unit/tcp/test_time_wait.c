/* TIME-WAIT and the FIN at their edges: who goes when there are too many, which sequence numbers a
 * successor takes, and peers whose FIN and data contradict each other. */
#include <errno.h>
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SACK "mss 1000,sackOK"

static void one_time_wait(struct tcp_config *c)
{
    c->max_time_wait = 1;
}

static uint64_t another(struct script *s)
{
    s->tuple.remote_port++;
    s->id = 0;
    script_inject(s, "S 0:0(0) win 65535 <" SACK ">");
    script_expect(s, "S. 0:0(0) ack 1");
    script_inject(s, ". 1:1(0) ack 1");
    assert_int_equal(script_accept(s), s->id);
    return s->id;
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    for (int released = 0; released < 2; released++) {
        struct script s;
        script_begin(&s, one_time_wait);
        script_listen(&s, 4);
        for (int n = 0; n < 3; n++) {
            another(&s);
            if (released) {
                tcp_release(s.engine, s.now, s.id);
            } else {
                tcp_close(s.engine, s.now, s.id);
            }
            script_expect(&s, "F. 1:1(0) ack 1");
            script_inject(&s, "F. 1:1(0) ack 2");
            script_expect(&s, ". 2:2(0) ack 2"); /* the peer gets its ACK */
            assert_int_equal(script_state(&s), TCP_TIME_WAIT);
        }
        assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_TIME_WAIT_EVICTED], 2);
        script_end(&s);
    }
}

/* RFC 6191 section 2, case by case; the peer's last number was 1, its FIN's. */
static void which_syn_ends_time_wait(void **state)
{
    (void)state;
    static const struct {
        bool before;
        const char *syn;
        bool honored;
    } cases[] = {
        {true, "S 0:0(0) win 1000 <mss 1000,TS val 1000 ecr 0>", true}, /* a newer timestamp */
        {true, "S 9:9(0) win 1000 <mss 1000,TS val 50 ecr 0>", false},  /* an older one */
        {true, "S 9:9(0) win 1000 <mss 1000,TS val 102 ecr 0>", true},  /* equal, number beyond */
        {true, "S 1:1(0) win 1000 <mss 1000,TS val 102 ecr 0>", false}, /* equal, not beyond */
        {true, "S 2:2(0) win 1000 <mss 1000>", true},                   /* none, number beyond */
        {true, "S 1:1(0) win 1000 <mss 1000>", false},                  /* none, not beyond */
        {false, "S 0:0(0) win 1000 <mss 1000,TS val 1 ecr 0>", true},   /* for the first time */
        {false, "S 2:2(0) win 1000 <mss 1000>", true},
        {false, "S 1:1(0) win 1000 <mss 1000>", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script s;
        script_begin(&s, NULL);
        script_passive(&s, cases[i].before ? "mss 1000,TS val 100 ecr 0" : "mss 1000");
        tcp_release(s.engine, s.now, s.id);
        script_expect(&s, "F. 1:1(0) ack 1");
        script_inject(&s, "F. 1:1(0) ack 2");
        script_expect(&s, ". 2:2(0) ack 2");
        script_quiet(&s);
        assert_int_equal(script_state(&s), TCP_TIME_WAIT);
        script_inject(&s, cases[i].syn);
        assert_int_equal(script_counters(&s)->time_wait_reuses, cases[i].honored);
        assert_int_equal(script_counters(&s)->drops[TCP_DROP_TIME_WAIT_OLD_SYN], !cases[i].honored);
        script_discard(&s);
        script_end(&s);
    }
}

/* MAY-2: the successor's numbers begin beyond those of the connection in TIME-WAIT, however fast it
 * was. */
static void a_successor_begins_beyond(void **state)
{
    (void)state;
    for (int active = 0; active < 2; active++) {
        struct script s;
        char text[80];
        script_begin(&s, NULL);
        if (active) {
            script_active(&s, "mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7");
        } else {
            script_passive(&s, SACK);
        }
        for (int n = 0; n < 5; n++) {
            script_send(&s, 1000000, 0);
            while (script_info(&s).send_q_bytes) {
                script_discard(&s);
                snprintf(text, sizeof text, ". 1:1(0) ack %u",
                         script_info(&s).snd_nxt - s.local_iss);
                script_inject(&s, text);
            }
        }
        tcp_release(s.engine, s.now, s.id);
        script_discard(&s);
        uint32_t old = s.local_iss;
        script_inject(&s, "F. 1:1(0) ack 5000002");
        script_discard(&s);
        assert_int_equal(script_state(&s), TCP_TIME_WAIT);
        script_advance_ms(&s, 2);
        if (active) {
            script_open(&s);
            script_expect(&s, "S 0:0(0)");
        } else {
            s.id = 0;
            script_inject(&s, "S 100000:100000(0) win 65535 <" SACK ">");
            script_expect(&s, "S. 0:0(0) ack 100001");
        }
        assert_in_range(s.local_iss - old, 5000002, INT32_MAX);
        script_end(&s);
    }
}

/* Without timestamps nothing tells old segments of the peer from those of a connection that we
 * open anew. */
static void time_wait_is_not_opened_without_timestamps(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_active(&s, SACK);
    tcp_release(s.engine, s.now, s.id);
    script_discard(&s);
    script_inject(&s, "F. 1:1(0) ack 2");
    script_discard(&s);
    struct tcp_open_args a = {.tuple = s.tuple, .mtu = 1500};
    uint64_t id;
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), -EADDRINUSE);
    script_end(&s);
}

static void a_repeated_fin_renews_the_timestamp(void **state)
{
    (void)state;
    struct script s;
    struct tcp_tx tx;
    struct tcp_hdr h;
    struct tcp_opts o;
    script_begin(&s, NULL);
    script_passive(&s, "mss 1000,sackOK,TS val 100 ecr 0");
    tcp_release(s.engine, s.now, s.id);
    script_discard(&s);
    script_inject(&s, "F. 1:1(0) ack 2 <nop,nop,TS val 200 ecr 0>");
    script_discard(&s);
    script_inject(&s, "F. 1:1(0) ack 2 <nop,nop,TS val 300 ecr 0>");
    assert_true(tcp_flush(s.engine, s.now, &tx));
    assert_true(tcp_hdr_parse(tx.header, tx.header_len, &h));
    tcp_opts_parse(tx.header, &h, &o);
    assert_int_equal(o.tsecr, 300);
    script_quiet(&s);
    script_end(&s);
}

/* ---- FINs ---- */

/* RFC 9293 section 3.10.7.4, fifth: in TIME-WAIT a FIN is acknowledged, wherever in the window it
 * lies, whether the user still holds the connection or nobody does. A plain ACK gets no answer. */
static void every_fin_in_time_wait_is_acknowledged(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct script s;
        script_begin(&s, NULL);
        script_passive(&s, SACK);
        if (held) {
            tcp_close(s.engine, s.now, s.id);
        } else {
            tcp_release(s.engine, s.now, s.id);
        }
        script_discard(&s);
        script_inject(&s, "F. 1:1(0) ack 2");
        script_expect(&s, ". 2:2(0) ack 2");
        assert_int_equal(script_state(&s), TCP_TIME_WAIT);
        script_inject(&s, "F. 2:2(0) ack 2");
        script_expect(&s, ". 2:2(0) ack 2");
        script_inject(&s, "F. 1002:1002(0) ack 2");
        script_expect(&s, ". 2:2(0) ack 2");
        script_inject(&s, ". 2:2(0) ack 2");
        script_quiet(&s);
        script_end(&s);
    }
}

/* A FIN below data that were received is none, and must not stop the stream. */
static void a_fin_in_the_middle_of_data(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, SACK);
    script_inject(&s, ". 101:201(100) ack 1");
    script_inject(&s, "F. 51:51(0) ack 1");
    script_inject(&s, ". 1:101(100) ack 1");
    script_discard(&s);
    assert_int_equal(script_read(&s), 200);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_inject(&s, ". 301:401(100) ack 1");
    script_inject(&s, "F. 201:201(0) ack 1");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_inject(&s, ". 201:301(100) ack 1");
    script_discard(&s);
    assert_int_equal(script_read(&s), 200);
    script_inject(&s, "F. 401:401(0) ack 1");
    assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
    script_end(&s);
}

static void the_first_of_two_fins_counts(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, SACK);
    script_inject(&s, "F. 101:201(100) ack 1");
    script_inject(&s, "F. 301:401(100) ack 1"); /* beyond its own FIN */
    script_inject(&s, "F. 51:51(0) ack 1");
    script_inject(&s, ". 1:101(100) ack 1");
    script_discard(&s);
    assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
    assert_int_equal(script_read(&s), 200);
    script_end(&s);
}

static void a_fin_without_an_ack(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, SACK);
    script_inject(&s, "F 1:1(0)");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_MISSING], 1);
    script_quiet(&s);
    script_end(&s);
}

static void a_reset_with_data_and_one_with_a_fin(void **state) /* SHLD-2 */
{
    (void)state;
    static const char *const resets[] = {"R 1:11(10)", "R. 1:11(10) ack 77", "RF. 1:1(0) ack 1",
                                         "RS. 1:1(0) ack 1"};
    for (size_t n = 0; n < sizeof resets / sizeof resets[0]; n++) {
        struct script s;
        script_begin(&s, NULL);
        script_passive(&s, SACK);
        script_inject(&s, resets[n]);
        assert_int_equal(script_info(&s).error, ECONNRESET);
        assert_true(script_ready(&s) & TCP_READY_CLOSED);
        script_quiet(&s);
        script_end(&s);
    }
}

/* Between a deadline and the flush that serves it, too, TIME-WAIT stands where eviction looks. */
static void a_deadline_in_time_wait_leaves_its_end(void **state)
{
    (void)state;
    struct script s;
    struct tcp_tx tx;
    const char *what = "";
    script_begin(&s, one_time_wait);
    script_passive(&s, SACK);
    tcp_close(s.engine, s.now, s.id);
    script_discard(&s);
    script_inject(&s, "F. 1:1(0) ack 2");
    assert_true(tcp_flush(s.engine, s.now, &tx));
    tcp_tx_failed(s.engine, s.now, &tx, TCP_TX_LOCAL_DROP, 0);
    assert_false(tcp_flush(s.engine, s.now, &tx)); /* the ACK goes again in a moment */
    s.now = time_add(s.now, NS_PER_S);
    tcp_timeout(s.engine, s.now);
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    assert_int_equal(tcp_check(s.engine, s.now, &what), 0);
    script_end(&s);
}

/* What a reset carries is no data (RFC 9293 section 3.5.3): its challenge reports no duplicate. */
static void the_text_of_a_reset_is_no_duplicate(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, SACK);
    script_inject(&s, "P. 1:11(10) ack 1");
    script_discard(&s);
    script_inject(&s, "R. 1:1001(1000) ack 1");
    script_expect(&s, ". 1:1(0) ack 11 <>");
    script_quiet(&s);
    script_end(&s);
}

int time_wait_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(a_successor_begins_beyond),
        cmocka_unit_test(which_syn_ends_time_wait),
        cmocka_unit_test(time_wait_is_not_opened_without_timestamps),
        cmocka_unit_test(a_repeated_fin_renews_the_timestamp),
        cmocka_unit_test(every_fin_in_time_wait_is_acknowledged),
        cmocka_unit_test(a_fin_in_the_middle_of_data),
        cmocka_unit_test(the_first_of_two_fins_counts),
        cmocka_unit_test(a_fin_without_an_ack),
        cmocka_unit_test(a_reset_with_data_and_one_with_a_fin),
        cmocka_unit_test(the_text_of_a_reset_is_no_duplicate),
        cmocka_unit_test(a_deadline_in_time_wait_leaves_its_end),
    };
    return cmocka_run_group_tests_name("time-wait", tests, NULL, NULL);
}
