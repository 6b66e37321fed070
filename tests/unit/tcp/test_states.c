/* RFC 9293 section 3.10 as scripts: opening, closing and resetting in every order, the states and
 * what goes over the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "script.h"

#define SYN_OPTIONS "mss 1460,sackOK,nop,wscale 7"

#define SCRIPT(s)                                                                                  \
    struct script s;                                                                               \
    script_begin(&s, NULL)

static void passive_open(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7>");
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    script_expect(&s, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    s.timestamps = true;
    script_inject(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_accept(&s), s.id);
    assert_int_equal(script_accept(&s), 0);
    script_quiet(&s);
    script_end(&s);
}

static void options_only_when_both_have_them(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 1000 <mss 900>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    script_inject(&s, ". 1:1(0) ack 1 win 1000");
    struct tcp_info i = script_info(&s);
    assert_false(i.sack_ok || i.timestamps_ok || i.wscale_ok);
    assert_int_equal(i.snd_wnd, 1000);
    assert_int_equal(i.snd_mss_bytes, 900);
    script_end(&s);
}

static void no_mss_means_536(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 10000");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    script_accept(&s);
    script_send(&s, 1000, 0);
    script_expect(&s, ". 1:537(536) ack 1");
    script_end(&s);
}

static void syn_ack_is_repeated(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_advance_ms(&s, 1001);
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>"); /* the peer repeats its SYN */
    script_expect(&s, "S. 0:0(0) ack 1");
    script_advance_ms(&s, 2001);
    script_expect(&s, "S. 0:0(0) ack 1");
    for (int n = 0; n < 10; n++) {
        script_advance_ms(&s, 33000);
        script_discard(&s);
    }
    assert_int_equal(script_state(&s), TCP_CLOSED);
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_SYN_RECEIVED_TIMEOUT], 1);
    script_end(&s);
}

static void active_open(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    assert_int_equal(script_state(&s), TCP_SYN_SENT);
    script_expect(&s, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    script_inject(&s, "S. 0:0(0) ack 1 win 500 <mss 1460,sackOK>");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_expect(&s, ". 1:1(0) ack 1");
    assert_true(script_ready(&s) & TCP_READY_CONNECTED);
    script_end(&s);
}

static void syn_is_repeated_until_r2(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_advance_ms(&s, 999);
    script_quiet(&s);
    script_advance_ms(&s, 2);
    script_expect(&s, "S 0:0(0)");
    script_advance_ms(&s, 2001);
    script_expect(&s, "S 0:0(0)");
    for (int n = 0; n < 40 && script_state(&s) == TCP_SYN_SENT; n++) {
        script_advance_ms(&s, 5000);
        script_discard(&s);
    }
    assert_in_range(s.now.ns / NS_PER_S, 180, 190); /* MUST-23 */
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_SYN_TIMEOUT);
    assert_int_equal(script_info(&s).error, ETIMEDOUT);
    script_end(&s);
}

static void refused(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "R 0:0(0)"); /* no ACK: a guess */
    assert_int_equal(script_state(&s), TCP_SYN_SENT);
    script_inject(&s, "R. 0:0(0) ack 1");
    assert_int_equal(script_info(&s).error, ECONNREFUSED);
    assert_true(script_ready(&s) & TCP_READY_CLOSED);
    script_quiet(&s);
    assert_int_equal(tcp_release(s.engine, s.now, s.id), 0);
    assert_int_equal(tcp_endpoints(s.engine), 0);
    script_end(&s);
}

static void simultaneous_open(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_discard(&s);
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 1");
    script_end(&s);
}

static void half_open_peer_is_reset(void **state) /* RFC 9293 figure 9 */
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, ". 300:300(0) ack 100");
    script_expect(&s, "R 100:100(0)");
    assert_int_equal(script_state(&s), TCP_SYN_SENT);
    script_end(&s);
}

static void close_first(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    assert_int_equal(tcp_close(s.engine, s.now, s.id), 0);
    assert_int_equal(script_state(&s), TCP_FIN_WAIT_1);
    script_expect(&s, "F. 1:1(0) ack 1");
    assert_int_equal(tcp_close(s.engine, s.now, s.id), -EPIPE);
    script_inject(&s, ". 1:1(0) ack 2");
    assert_int_equal(script_state(&s), TCP_FIN_WAIT_2);
    script_inject(&s, "P. 1:101(100) ack 2"); /* half-close: data still come */
    script_expect(&s, ". 2:2(0) ack 101");
    assert_int_equal(script_read(&s), 100);
    script_inject(&s, "F. 101:101(0) ack 2");
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    script_expect(&s, ". 2:2(0) ack 102");
    script_advance_ms(&s, 30000);
    script_inject(&s, "F. 101:101(0) ack 2"); /* U-8: acknowledged again, 2 MSL restarted */
    script_expect(&s, ". 2:2(0) ack 102");
    script_advance_ms(&s, 59000);
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    script_advance_ms(&s, 2000);
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_TIME_WAIT_EXPIRED);
    script_end(&s);
}

static void close_second(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    script_inject(&s, "F. 1:1(0) ack 1");
    assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
    script_expect(&s, ". 1:1(0) ack 2");
    script_send(&s, 5, 0);
    script_expect(&s, "P. 1:6(5) ack 2");
    tcp_close(s.engine, s.now, s.id);
    assert_int_equal(script_state(&s), TCP_LAST_ACK);
    script_expect(&s, "F. 6:6(0) ack 2");
    script_inject(&s, ". 2:2(0) ack 6");
    assert_int_equal(script_state(&s), TCP_LAST_ACK);
    script_inject(&s, ". 2:2(0) ack 7");
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_NORMAL);
    script_end(&s);
}

static void simultaneous_close(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    tcp_close(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_inject(&s, "F. 1:1(0) ack 1");
    assert_int_equal(script_state(&s), TCP_CLOSING);
    script_expect(&s, ". 2:2(0) ack 2");
    script_inject(&s, ". 2:2(0) ack 2");
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    script_end(&s);
}

static void fin_and_ack_at_once(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    tcp_close(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_inject(&s, "F. 1:1(0) ack 2");
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    script_expect(&s, ". 2:2(0) ack 2");
    script_end(&s);
}

static void fin_is_retransmitted(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    tcp_close(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_advance_ms(&s, 1100);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_end(&s);
}

static void fin_rides_on_the_last_data(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    script_send(&s, 2000, 0);
    tcp_close(s.engine, s.now, s.id);
    script_expect(&s, ". 1:1461(1460) ack 1");
    script_expect(&s, "FP. 1461:2001(540) ack 1");
    script_inject(&s, ". 1:1(0) ack 2002");
    assert_int_equal(script_state(&s), TCP_FIN_WAIT_2);
    script_end(&s);
}

static void fin_beyond_a_hole(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    script_inject(&s, "FP. 101:201(100) ack 1");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_expect(&s, ". 1:1(0) ack 1 <sack 101:201>");
    script_inject(&s, ". 1:101(100) ack 1");
    assert_int_equal(script_state(&s), TCP_CLOSE_WAIT);
    script_expect(&s, ". 1:1(0) ack 202");
    assert_int_equal(script_read(&s), 200);
    script_end(&s);
}

static void released_time_wait_is_small_and_reusable(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    uint64_t id = s.id;
    tcp_release(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_inject(&s, "F. 1:1(0) ack 2");
    script_expect(&s, ". 2:2(0) ack 2");
    script_quiet(&s);
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    script_inject(&s, "F. 1:1(0) ack 2");
    script_expect(&s, ". 2:2(0) ack 2");
    script_inject(&s, "R 2:2(0)"); /* RFC 1337 */
    assert_int_equal(script_state(&s), TCP_TIME_WAIT);
    script_inject(&s, "S 1:1(0) win 65535"); /* not newer */
    script_expect(&s, ". 2:2(0) ack 2");
    s.id = 0;
    script_inject(&s, "S 100000:100000(0) win 65535 <mss 1460>");
    assert_int_not_equal(s.id, id);
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_TIME_WAIT_REUSED], 1);
    script_end(&s);
}

static void abort_resets(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    assert_int_equal(tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED), 0);
    script_expect(&s, "R. 1:1(0) ack 1");
    assert_int_equal(script_info(&s).error, ECONNABORTED);
    script_inject(&s,
                  ". 1:1(0) ack 1"); /* CLOSED: answered like any stray segment, by the listener */
    script_expect(&s, "R 1:1(0)");
    script_end(&s);
}

static void release_with_unread_data_resets(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    script_inject(&s, "P. 1:11(10) ack 1");
    script_expect(&s, ". 1:1(0) ack 11");
    tcp_release(s.engine, s.now, s.id);
    script_expect(&s, "R. 1:1(0) ack 11");
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_CLOSED_WITH_UNREAD_DATA], 1);
    assert_int_equal(tcp_endpoints(s.engine), 1);
    script_end(&s);
}

static void data_after_release_reset(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    tcp_release(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_inject(&s, "P. 1:11(10) ack 2");
    script_expect(&s, "R 2:2(0)");
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_DATA_AFTER_CLOSE], 1);
    script_end(&s);
}

static void orphan_in_fin_wait_2_ends(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    tcp_release(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 2");
    script_quiet(&s);
    script_advance_ms(&s, 61000);
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_FIN_WAIT_2_TIMEOUT], 1);
    script_end(&s);
}

static void reset_in_the_window_is_challenged(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SYN_OPTIONS);
    script_inject(&s, "R 10:10(0)");
    script_expect(&s, ". 1:1(0) ack 1");
    script_inject(&s, "S 500:500(0) win 100");
    script_expect(&s, ". 1:1(0) ack 1");
    script_inject(&s, "R 4000000:4000000(0)"); /* outside */
    script_quiet(&s);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    for (int n = 0; n < 30; n++) {
        script_inject(&s, "R 10:10(0)");
    }
    script_discard(&s);
    assert_true(script_counters(&s)->challenge_acks_limited > 0);
    script_inject(&s, "R 1:1(0)");
    assert_int_equal(script_info(&s).error, ECONNRESET);
    script_end(&s);
}

static void reset_returns_to_listen(void **state) /* MUST-11 */
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "R 1:1(0)");
    script_quiet(&s);
    assert_int_equal(tcp_endpoints(s.engine), 1);
    script_inject(&s, "S 7:7(0) win 65535 <mss 1460>");
    script_expect(&s, "S. 0:0(0) ack 8");
    script_end(&s);
}

static void closed_port(void **state) /* U-1 */
{
    (void)state;
    SCRIPT(s);
    script_inject(&s, "S 0:0(0) win 100");
    script_expect(&s, "R. 0:0(0) ack 1");
    script_inject(&s, ". 5:5(0) ack 99");
    script_expect(&s, "R 99:99(0)");
    script_inject(&s, "R 5:5(0)");
    script_quiet(&s);
    script_inject(&s, "FP. 5:15(10) ack 3");
    script_expect(&s, "R 3:3(0)");
    script_end(&s);
}

static void accept_queue_full(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    s.tuple.remote_port++;
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACCEPT_QUEUE_FULL], 1);
    uint64_t id = script_accept(&s);
    assert_int_equal(tcp_accept_return(s.engine, s.listener, id), 0);
    assert_int_equal(script_accept(&s), id);
    script_end(&s);
}

static void closing_a_listener_resets_the_unaccepted(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    tcp_close(s.engine, s.now, s.listener);
    script_expect(&s, "R. 1:1(0) ack 1");
    assert_int_equal(tcp_endpoints(s.engine), 0);
    script_end(&s);
}

static void listen_conflicts(void **state)
{
    (void)state;
    SCRIPT(s);
    uint64_t id;
    script_listen(&s, 1);
    struct tcp_listen_args a = {.backlog = 1, .tuple.local_port = LOCAL_PORT};
    assert_int_equal(tcp_listen(s.engine, s.now, &a, &id), -EADDRINUSE);
    a.tuple.local = s.tuple.local; /* more specific: another listener, and it wins */
    assert_int_equal(tcp_listen(s.engine, s.now, &a, &id), 0);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    assert_int_equal(script_info(&s).listener, id);
    a.backlog = 0;
    assert_int_equal(tcp_listen(s.engine, s.now, &a, &id), -EINVAL);
    script_end(&s);
}

static void open_errors(void **state)
{
    (void)state;
    SCRIPT(s);
    uint64_t id;
    struct tcp_open_args a = {.tuple = s.tuple, .mtu = 1500};
    a.tuple.remote = ip_addr_v4(255, 255, 255, 255); /* MUST-46 */
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), -EADDRNOTAVAIL);
    a.tuple.remote = ip_addr_v4(224, 0, 0, 1);
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), -EADDRNOTAVAIL);
    a.tuple.remote = s.tuple.remote;
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), 0);
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), -EADDRINUSE);
    a.tuple.local_port = 0;
    assert_int_equal(tcp_open(s.engine, s.now, &a, &id), 0);
    assert_int_equal(tcp_close(s.engine, s.now, 9999), -EBADF);
    script_end(&s);
}

static void self_connect(void **state) /* U-5 */
{
    (void)state;
    SCRIPT(s);
    struct tcp_open_args a = {.tuple = s.tuple, .mtu = 1500};
    a.tuple.remote = a.tuple.local;
    a.tuple.remote_port = a.tuple.local_port;
    assert_int_equal(tcp_open(s.engine, s.now, &a, &s.id), 0);
    struct tcp_tx tx;
    for (int n = 0; n < 20 && tcp_flush(s.engine, s.now, &tx); n++) {
        struct pkt *pkt = pkt_get(tcp_pool(s.engine), 2048);
        memcpy(pkt->data, tx.header, tx.header_len);
        uint32_t length = tx.header_len;
        for (unsigned r = 0; r < tx.n_ranges; r++) {
            memcpy(pkt->data + length, tx.range[r].data, tx.range[r].length);
            length += tx.range[r].length;
        }
        struct tcp_rx rx = {.src = tx.src,
                            .dst = tx.dst,
                            .pkt = pkt,
                            .length = length,
                            .checksum_ok = true,
                            .mtu = 1500};
        tcp_input(s.engine, s.now, &rx);
        pkt_unref(pkt);
        if (n == 10) {
            assert_int_equal(script_state(&s), TCP_ESTABLISHED);
        }
        if (script_state(&s) == TCP_ESTABLISHED && script_info(&s).bytes_sent == 0) {
            script_send(&s, 100, 0);
        }
    }
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_info(&s).bytes_received, 100);
    script_end(&s);
}

static void fast_open_listener(struct tcp_config *c)
{
    c->defaults.fast_open_queue = 10;
    c->defaults.fast_open_no_cookie = true;
}

/* RFC 9768 section 3.1.5: two forms in one handshake. */
static void two_forms_are_reset(void **state)
{
    (void)state;
    static const char *const table[][2] = {{"SECe", "SEC"}, {"SEC", "SECe"}, {"SEC", "Se"}};
    for (unsigned i = 0; i < 6; i++) {
        struct script s;
        char text[100];
        script_begin(&s, i < 3 ? NULL : fast_open_listener);
        script_listen(&s, 16);
        unsigned length = i < 3 ? 0 : 10;
        snprintf(text, sizeof text, "%s 0:%u(%u) win 65535 <mss 1000,sackOK>", table[i % 3][0],
                 length, length);
        script_inject(&s, text);
        script_discard(&s);
        snprintf(text, sizeof text, "%s 0:%u(%u) win 65535 <mss 1000,sackOK>", table[i % 3][1],
                 length, length);
        script_inject(&s, text);
        assert_int_equal(script_discard(&s), 1);
        assert_int_equal(script_counters(&s)->rsts_sent[TCP_RST_SENT_ECN_FORMS_MIXED], 1);
        assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_ECN_FORMS_MIXED], 1);
        script_end(&s);
    }
}

int states_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open),
        cmocka_unit_test(options_only_when_both_have_them),
        cmocka_unit_test(no_mss_means_536),
        cmocka_unit_test(syn_ack_is_repeated),
        cmocka_unit_test(active_open),
        cmocka_unit_test(syn_is_repeated_until_r2),
        cmocka_unit_test(refused),
        cmocka_unit_test(simultaneous_open),
        cmocka_unit_test(half_open_peer_is_reset),
        cmocka_unit_test(close_first),
        cmocka_unit_test(close_second),
        cmocka_unit_test(simultaneous_close),
        cmocka_unit_test(fin_and_ack_at_once),
        cmocka_unit_test(fin_is_retransmitted),
        cmocka_unit_test(fin_rides_on_the_last_data),
        cmocka_unit_test(fin_beyond_a_hole),
        cmocka_unit_test(released_time_wait_is_small_and_reusable),
        cmocka_unit_test(abort_resets),
        cmocka_unit_test(release_with_unread_data_resets),
        cmocka_unit_test(data_after_release_reset),
        cmocka_unit_test(orphan_in_fin_wait_2_ends),
        cmocka_unit_test(reset_in_the_window_is_challenged),
        cmocka_unit_test(reset_returns_to_listen),
        cmocka_unit_test(closed_port),
        cmocka_unit_test(accept_queue_full),
        cmocka_unit_test(closing_a_listener_resets_the_unaccepted),
        cmocka_unit_test(listen_conflicts),
        cmocka_unit_test(open_errors),
        cmocka_unit_test(two_forms_are_reset),
        cmocka_unit_test(self_connect),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
