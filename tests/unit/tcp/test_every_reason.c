/* Every reason of tcp/reasons.h is produced by a segment, a call or the passing of time. The
 * scripts of test_states.c and test_transfer.c produce most; here are the rest, and the last test
 * asks for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "script.h"

#define SACK "mss 1000,sackOK"

#define SCRIPT(s)                                                                                  \
    struct script s;                                                                               \
    script_begin(&s, NULL)

static void broken_headers(void **state) /* MUST-3 */
{
    (void)state;
    SCRIPT(s);
    uint8_t bytes[40] = {0};
    script_inject_bytes(&s, bytes, 12, true);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_HEADER_TRUNCATED], 1);
    bytes[12] = 0x20;
    script_inject_bytes(&s, bytes, 40, true);
    bytes[12] = 0xf0;
    script_inject_bytes(&s, bytes, 40, true);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_BAD_DATA_OFFSET], 2);
    bytes[12] = 0x50;
    script_inject_bytes(&s, bytes, 40, false);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_BAD_CHECKSUM], 1);
    assert_int_equal(script_counters(&s)->in_errs, 4);
    script_quiet(&s);
    script_end(&s);
}

static void addresses_nobody_has(void **state)
{
    (void)state;
    SCRIPT(s);
    struct ip_addr remote = s.tuple.remote, local = s.tuple.local;
    s.tuple.remote = ip_addr_v4(224, 0, 0, 1);
    script_inject(&s, "S 0:0(0) win 100");
    s.tuple.remote = ip_addr_v4(0, 0, 0, 0);
    script_inject(&s, "S 0:0(0) win 100");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_INVALID_SOURCE], 2);
    s.tuple.remote = remote;
    s.tuple.local = ip_addr_v4(255, 255, 255, 255);
    script_inject(&s, "S 0:0(0) win 100");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_BROADCAST_OR_MULTICAST], 1);
    s.tuple.local = local;
    script_quiet(&s);
    script_end(&s);
}

static void at_a_listener(void **state) /* U-2 */
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    script_inject(&s, "R 0:0(0)");
    script_inject(&s, "F 0:0(0)");
    script_quiet(&s);
    script_inject(&s, ". 0:0(0) ack 77");
    script_expect(&s, "R 77:77(0)");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_LISTEN_RST], 1);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_LISTEN_NO_SYN], 1);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_LISTEN_ACK], 1);
    script_end(&s);
}

static void no_cookies(struct tcp_config *c)
{
    c->defaults.syn_cookies = TCP_SYN_COOKIES_NEVER;
}

static void an_ack_that_is_no_cookie(void **state) /* RFC 4987; the rest is in test_syn_cookies.c */
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 1);
    for (int n = 0; n < 100; n++) {
        s.tuple.remote_port++;
        script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    }
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 77");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_SYN_COOKIE_INVALID], 1);
    script_end(&s);
}

static void syn_flood(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, no_cookies);
    script_listen(&s, 1);
    for (int n = 0; n < 100; n++) {
        s.tuple.remote_port++;
        script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    }
    assert_true(script_counters(&s)->drops[TCP_DROP_SYN_QUEUE_FULL] > 0);
    assert_in_range(tcp_endpoints(s.engine), 2, 80);
    tcp_close(s.engine, s.now, s.listener);
    script_discard(&s);
    script_advance_ms(&s, 1100); /* their listener is gone: so are they */
    assert_int_equal(tcp_endpoints(s.engine), 0);
    script_end(&s);
}

static void two_endpoints(struct tcp_config *c)
{
    c->max_endpoints = 2;
}

static void no_more_endpoints(void **state)
{
    (void)state;
    struct script s;
    uint64_t id;
    script_begin(&s, two_endpoints);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    s.tuple.remote_port++;
    script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_NO_MEMORY], 1);
    struct tcp_open_args a = {.tuple = s.tuple, .mtu = 1500};
    a.tuple.local_port = 0;
    assert_true(tcp_open(s.engine, s.now, &a, &id) < 0);
    script_discard(&s);
    script_end(&s);
}

static void answers_in_syn_sent(void **state) /* U-3 */
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "F 0:0(0)");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_SYN_SENT_NO_SYN], 1);
    script_inject(&s, "R. 0:0(0) ack 9");
    assert_int_equal(script_state(&s), TCP_SYN_SENT);
    script_quiet(&s);
    script_end(&s);
}

static void answers_in_syn_received(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 100 <mss 1000,TS val 50 ecr 0>");
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 99 <nop,nop,TS val 51 ecr 0>");
    script_expect(&s, "R 99:99(0)");
    script_inject(&s, "P 1:2(1) <nop,nop,TS val 51 ecr 0>");
    script_inject(&s, ". 1:1(0) ack 1 <nop,nop,TS val 40 ecr 0>");
    script_inject(&s, ". 900000:900000(0) ack 1");
    script_inject(&s, "R 5:5(0)");
    script_discard(&s);
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    script_inject(&s, "S 5:5(0) win 100"); /* section 3.10.7.4, fourth: back to LISTEN */
    assert_int_equal(tcp_endpoints(s.engine), 1);
    script_end(&s);
}

static void listener_closes_under_a_handshake(void **state)
{
    (void)state;
    SCRIPT(s);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    tcp_close(s.engine, s.now, s.listener);
    script_inject(&s, ". 1:1(0) ack 1");
    script_expect(&s, "R 1:1(0)");
    assert_int_equal(script_counters(&s)->rsts_sent[TCP_RST_SENT_LISTENER_CLOSED], 1);
    script_end(&s);
}

static void outside_the_window(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SACK);
    script_inject(&s, ". 3000000:3000000(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_OUT_OF_WINDOW], 1);
    script_inject(&s, ". 1:101(100) ack 1");
    script_discard(&s);
    script_inject(&s, ". 1:101(100) ack 1");
    script_discard(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_OLD_DUPLICATE], 1);
    script_inject(&s, "F. 101:101(0) ack 1");
    script_inject(&s, ". 102:112(10) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_DATA_AFTER_FIN], 1);
    script_discard(&s);
    script_end(&s);
}

static void too_many_holes(void **state)
{
    (void)state;
    SCRIPT(s);
    char text[80];
    script_passive(&s, SACK);
    for (unsigned n = 0; n < 400; n++) {
        snprintf(text, sizeof text, ". %u:%u(1) ack 1", 3 + 2 * n, 4 + 2 * n);
        script_inject(&s, text);
        script_discard(&s);
    }
    assert_true(script_counters(&s)->drops[TCP_DROP_REASSEMBLY_LIMIT] > 0);
    script_end(&s);
}

static void ends_by_others(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SACK);
    tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_KILLED);
    script_expect(&s, "R. 1:1(0) ack 1");
    tcp_release(s.engine, s.now, s.id);
    s.tuple.remote_port++;
    s.id = 0;
    script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    script_accept(&s);
    tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_SESSION_ENDED);
    script_expect(&s, "R. 1:1(0) ack 1");
    s.tuple.remote_port++;
    s.id = 0;
    script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, ". 1:1(0) ack 1");
    script_accept(&s);
    tcp_address_removed(s.engine, s.now, &s.tuple.local);
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_ADDRESS_REMOVED);
    script_quiet(&s);
    script_end(&s);
}

static void no_rfc1337(struct tcp_config *c)
{
    c->defaults.rfc1337 = false;
    c->max_time_wait = 1;
}

static void time_wait_assassinated_and_evicted(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, no_rfc1337);
    script_passive(&s, SACK);
    tcp_close(s.engine, s.now, s.id);
    script_inject(&s, "F. 1:1(0) ack 1");
    script_discard(&s);
    script_inject(&s, "R 2:2(0)"); /* while closing */
    assert_int_equal(script_counters(&s)->rsts_received[TCP_RST_RECEIVED_RST_WHILE_CLOSING], 1);
    tcp_release(s.engine, s.now, s.id);
    for (int n = 0; n < 2; n++) {
        s.tuple.remote_port++;
        s.id = 0;
        script_inject(&s, "S 0:0(0) win 100 <mss 1000>");
        script_expect(&s, "S. 0:0(0) ack 1");
        script_inject(&s, ". 1:1(0) ack 1");
        script_accept(&s);
        tcp_release(s.engine, s.now, s.id);
        script_expect(&s, "F. 1:1(0) ack 1");
        script_inject(&s, "F. 1:1(0) ack 2");
        script_discard(&s);
    }
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_TIME_WAIT_EVICTED], 1);
    script_inject(&s, ". 2:12(10) ack 2");
    script_discard(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_TIME_WAIT_SEGMENT], 1);
    script_inject(&s, "R 2:2(0)");
    assert_int_equal(script_counters(&s)->rsts_received[TCP_RST_RECEIVED_RST_IN_TIME_WAIT], 1);
    script_end(&s);
}

static void simultaneous_open_reset(void **state)
{
    (void)state;
    SCRIPT(s);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S 0:0(0) win 65535 <mss 1460>");
    script_discard(&s);
    script_inject(&s, "R 1:1(0)");
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_REFUSED); /* MUST-11: active */
    script_end(&s);
}

static void delayed(struct tcp_config *c)
{
    c->defaults.delayed_ack_ns = 40 * NS_PER_MS;
    c->defaults.rcv_buffer = 8000;
}

/* RFC 6429: a peer that answers every probe and never opens its window cannot keep what nobody here
 * waits for. */
static void a_closed_window_ends_an_orphan(void **state)
{
    (void)state;
    SCRIPT(s);
    script_passive(&s, SACK);
    script_send(&s, 100, 0);
    script_discard(&s);
    tcp_release(s.engine, s.now, s.id);
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    for (int n = 0; n < 90 && script_state(&s) == TCP_FIN_WAIT_1; n++) {
        script_advance_ms(&s, 10000);
        if (script_discard(&s)) {
            script_inject(&s, ". 1:1(0) ack 1 win 0");
        }
    }
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_ORPHAN_TIMEOUT], 1);
    assert_in_range(s.now.ns / NS_PER_S, 601, 612);
    script_end(&s);
}

static void kinds_of_acks(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, delayed);
    script_passive(&s, SACK);
    for (unsigned n = 0; n < 17; n++) {
        snprintf(text, sizeof text, ". %u:%u(100) ack 1", 1 + 100 * n, 101 + 100 * n);
        script_inject(&s, text);
        script_discard(&s);
        if (n % 4 == 0) {
            script_read(&s);
        }
    }
    script_advance_ms(&s, 45);
    assert_int_equal(script_discard(&s), 1);
    script_end(&s);
}

/* A tail loss probe; then, the peer silent, a timeout whose ACK asks for F-RTO's test. */
static void always_probing(struct tcp_config *c)
{
    c->defaults.mtu_probing = TCP_MTU_PROBING_ALWAYS;
}

static void a_probe_of_the_path(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, always_probing);
    script_passive(&s, "mss 1460,sackOK,nop,wscale 7");
    script_send(&s, 20000, 0);
    script_expect(&s, ". 1:1461(1460) ack 1");
    script_discard(&s);
    script_end(&s);
}

static void kinds_after_silence(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, SACK);
    script_send(&s, 10000, 0);
    assert_int_equal(script_discard(&s), 10);
    script_advance_ms(&s, 5);
    script_expect(&s, "P. 9001:10001(1000) ack 1");
    script_advance_ms(&s, 250);
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_quiet(&s);
    script_send(&s, 1500, 0);
    script_quiet(&s);
    script_inject(&s, ". 1:1(0) ack 1001");
    script_expect(&s, ". 10001:11001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_SPURIOUS_TIMEOUT_TEST);
    script_inject(&s, ". 1:1(0) ack 1001 <sack 10001:11001>"); /* no original: it was a loss */
    assert_int_not_equal(script_discard(&s), 0);
    script_end(&s);
}

static void everything_was_seen(void **state)
{
    (void)state;
    unsigned missing = 0;
#define ALL(array, text, count)                                                                    \
    for (unsigned i = 1; i < (count); i++) {                                                       \
        if (!script_seen.array[i]) {                                                               \
            print_error("never produced: " #array " %s\n", text[i].name);                          \
            missing++;                                                                             \
        }                                                                                          \
    }
    ALL(drops, tcp_drop_text, TCP_DROPS)
    ALL(rsts_sent, tcp_rst_sent_text, TCP_RST_SENTS)
    ALL(rsts_received, tcp_rst_received_text, TCP_RST_RECEIVEDS)
    ALL(closes, tcp_close_text, TCP_CLOSES)
    ALL(limits, tcp_limit_text, TCP_LIMITS)
    ALL(kinds, tcp_kind_text, TCP_KINDS)
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_headers),
        cmocka_unit_test(addresses_nobody_has),
        cmocka_unit_test(at_a_listener),
        cmocka_unit_test(syn_flood),
        cmocka_unit_test(an_ack_that_is_no_cookie),
        cmocka_unit_test(no_more_endpoints),
        cmocka_unit_test(answers_in_syn_sent),
        cmocka_unit_test(answers_in_syn_received),
        cmocka_unit_test(listener_closes_under_a_handshake),
        cmocka_unit_test(outside_the_window),
        cmocka_unit_test(too_many_holes),
        cmocka_unit_test(ends_by_others),
        cmocka_unit_test(time_wait_assassinated_and_evicted),
        cmocka_unit_test(simultaneous_open_reset),
        cmocka_unit_test(a_closed_window_ends_an_orphan),
        cmocka_unit_test(kinds_of_acks),
        cmocka_unit_test(a_probe_of_the_path),
        cmocka_unit_test(kinds_after_silence),
        cmocka_unit_test(everything_was_seen),
    };
    int failed = states_tests() + transfer_tests() + pacing_tests() + auth_tests();
    return failed + cmocka_run_group_tests_name("every reason", tests, NULL, NULL);
}
