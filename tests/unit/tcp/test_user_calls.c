/* User calls at odd moments: in every state, twice, on ids that nobody took yet or that are gone;
 * options that change under a connection; and who is told of what. */
#include <errno.h>
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SACK "mss 1000,sackOK"

#define SCRIPT(s)                                                                                  \
    struct script s;                                                                               \
    script_begin(&s, NULL)

#define ESTABLISHED(s, options)                                                                    \
    SCRIPT(s);                                                                                     \
    script_passive(&s, options)

/* ---- every state ---- */

/* A fresh engine with a connection in `state`; s->id names it. */
static void reach(struct script *s, enum tcp_state state)
{
    script_begin(s, NULL);
    if (state == TCP_LISTEN) {
        script_listen(s, 1);
        s->id = s->listener;
        return;
    }
    if (state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED) {
        script_open(s);
        script_expect(s, "S 0:0(0)");
        if (state == TCP_SYN_RECEIVED) {
            script_inject(s, "S 0:0(0) win 65535 <mss 1000>");
            script_expect(s, "S. 0:0(0) ack 1");
        }
        return;
    }
    script_passive(s, SACK);
    switch (state) {
    case TCP_CLOSE_WAIT:
    case TCP_LAST_ACK:
        script_inject(s, "F. 1:1(0) ack 1");
        break;
    case TCP_CLOSED:
        script_inject(s, "R. 1:1(0) ack 1");
        break;
    default:
        break;
    }
    if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT && state != TCP_CLOSED) {
        assert_int_equal(tcp_close(s->engine, s->now, s->id), 0);
        script_discard(s);
    }
    script_inject(s, state == TCP_FIN_WAIT_2  ? ". 1:1(0) ack 2"
                     : state == TCP_CLOSING   ? "F. 1:1(0) ack 1"
                     : state == TCP_TIME_WAIT ? "F. 1:1(0) ack 2"
                                              : ". 2:2(0) ack 1");
    script_discard(s);
}

static void the_end_of(struct script *s)
{
    script_discard(s);
    for (int n = 0; n < 200; n++) { /* whatever timers there are */
        script_advance_ms(s, 20000);
        script_discard(s);
    }
    script_end(s);
}

static void abort_in_every_state(void **unused)
{
    (void)unused;
    static const bool resets[TCP_STATES] = {
        [TCP_SYN_RECEIVED] = true, [TCP_ESTABLISHED] = true, [TCP_FIN_WAIT_1] = true,
        [TCP_FIN_WAIT_2] = true,   [TCP_CLOSE_WAIT] = true,
    };
    for (enum tcp_state state = TCP_CLOSED; state < TCP_STATES; state++) {
        struct script s;
        reach(&s, state);
        assert_int_equal(script_state(&s), state);
        int first = tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED);
        assert_int_equal(first, state == TCP_CLOSED ? -ENOTCONN : 0);
        assert_true(tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_ABORTED) < 0);
        assert_int_equal(script_counters(&s)->rsts_sent[TCP_RST_SENT_ABORTED], resets[state]);
        assert_int_equal(script_discard(&s), resets[state] ? 1 : 0);
        int released = tcp_release(s.engine, s.now, s.id);
        assert_int_equal(released, state == TCP_LISTEN ? -EBADF : 0);
        assert_int_equal(tcp_release(s.engine, s.now, s.id), -EBADF);
        the_end_of(&s);
    }
}

static void release_in_every_state(void **unused)
{
    (void)unused;
    for (enum tcp_state state = TCP_CLOSED; state < TCP_STATES; state++) {
        struct script s;
        reach(&s, state);
        assert_int_equal(tcp_release(s.engine, s.now, s.id), 0);
        script_discard(&s);
        assert_int_equal(tcp_release(s.engine, s.now, s.id), -EBADF);
        assert_int_equal(tcp_close(s.engine, s.now, s.id), -EBADF);
        assert_int_equal(tcp_send(s.engine, s.now, s.id, "x", 1, 0), -EBADF);
        uint32_t listeners = state == TCP_LISTEN || !s.listener ? 0 : 1;
        for (int n = 0; n < 200; n++) {
            script_advance_ms(&s, 20000);
            script_discard(&s);
        }
        assert_int_equal(tcp_endpoints(s.engine), listeners); /* nothing stays for ever */
        script_end(&s);
    }
}

static void close_in_every_state(void **unused)
{
    (void)unused;
    for (enum tcp_state state = TCP_CLOSED; state < TCP_STATES; state++) {
        struct script s;
        reach(&s, state);
        bool open = state == TCP_LISTEN || state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED ||
                    state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
        int first = tcp_close(s.engine, s.now, s.id), second = tcp_close(s.engine, s.now, s.id);
        assert_int_equal(first, open ? 0 : state == TCP_CLOSED ? -ENOTCONN : -EPIPE);
        assert_true(second < 0);
        the_end_of(&s);
    }
}

static void flush_in_every_state(void **unused)
{
    (void)unused;
    for (enum tcp_state state = TCP_CLOSED; state < TCP_STATES; state++) {
        struct script s;
        reach(&s, state);
        int64_t sent = tcp_send(s.engine, s.now, s.id, "12345", 5, 0);
        int64_t flushed = tcp_flush_send(s.engine, s.now, s.id);
        assert_int_equal(flushed, sent > 0 ? sent : state == TCP_LISTEN ? -EBADF : 0);
        script_discard(&s);
        script_end(&s);
    }
    ESTABLISHED(s, SACK);
    script_send(&s, 2000, 0); /* outstanding when it ends */
    script_discard(&s);
    script_inject(&s, "R 1:1(0)");
    assert_int_equal(tcp_flush_send(s.engine, s.now, s.id), 0);
    script_end(&s);
}

/* ---- what nobody accepted yet ---- */

static void an_id_that_nobody_accepted(void **unused)
{
    (void)unused;
    for (int how = 0; how < 3; how++) {
        SCRIPT(s);
        script_listen(&s, 4);
        script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
        script_expect(&s, "S. 0:0(0) ack 1");
        if (how == 0) { /* half-open */
            assert_int_equal(tcp_release(s.engine, s.now, s.id), -EBADF);
            assert_int_equal(tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_KILLED), 0);
            script_expect(&s, "R. 1:1(0) ack 1");
        } else {
            script_inject(&s, ". 1:1(0) ack 1");
            assert_int_equal(how == 1 ? tcp_release(s.engine, s.now, s.id)
                                      : tcp_abort(s.engine, s.now, s.id, TCP_CLOSE_KILLED),
                             0);
            script_expect(&s, how == 1 ? "F. 1:1(0) ack 1" : "R. 1:1(0) ack 1");
        }
        assert_int_equal(script_accept(&s), 0); /* it left the queue */
        s.id = s.listener;
        assert_int_equal(script_info(&s).recv_q_bytes, 0);
        script_end(&s);
    }
}

static void urgent_data_before_the_accept_are_told(void **unused) /* MUST-32 */
{
    (void)unused;
    SCRIPT(s);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "U. 1:11(10) ack 1 urg 5");
    script_discard(&s);
    script_ready(&s);
    assert_int_equal(script_accept(&s), s.id);
    assert_true(script_ready(&s) & TCP_READY_URGENT);
    script_end(&s);
}

/* ---- options ---- */

static void tiny_send_buffer(struct tcp_options *o)
{
    o->snd_buffer = 2048;
}

static void large_send_buffer(struct tcp_options *o)
{
    o->snd_buffer = 65536;
}

static void a_larger_buffer_wakes_the_writer(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    static uint8_t data[4096];
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_tune(&s, tiny_send_buffer);
    assert_int_equal(tcp_send(s.engine, s.now, s.id, data, sizeof data, 0), 2048);
    assert_int_equal(tcp_send_room(s.engine, s.id), 0);
    script_quiet(&s);
    script_ready(&s);
    script_tune(&s, large_send_buffer);
    assert_true(script_ready(&s) & TCP_READY_WRITE);
    assert_true(tcp_send_room(s.engine, s.id) > 0);
    script_tune(&s, tiny_send_buffer); /* below what is used: nothing is lost, nothing more fits */
    assert_int_equal(tcp_send_room(s.engine, s.id), 0);
    script_inject(&s, ". 1:1(0) ack 1 win 5000");
    script_expect(&s, ". 1:1001(1000) ack 1");
    script_end(&s);
}

static void flush_wakes_the_writer(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    static uint8_t data[4096];
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_tune(&s, tiny_send_buffer);
    assert_int_equal(tcp_send(s.engine, s.now, s.id, data, sizeof data, 0), 2048);
    script_quiet(&s);
    script_ready(&s);
    assert_int_equal(tcp_flush_send(s.engine, s.now, s.id), 2048);
    assert_true(script_ready(&s) & TCP_READY_WRITE);
    script_end(&s);
}

static void flush_takes_the_urgent_mark_along(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:1(0) ack 1 win 0");
    script_send(&s, 500, TCP_SEND_URGENT);
    script_quiet(&s);
    assert_int_equal(tcp_flush_send(s.engine, s.now, s.id), 500);
    script_inject(&s, ". 1:1(0) ack 1 win 5000");
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 1");
    script_end(&s);
}

static void tiny_receive_buffer(struct tcp_options *o)
{
    o->rcv_buffer = 2048;
}

static void a_smaller_receive_buffer_takes_nothing_back(void **unused) /* SHLD-14 */
{
    (void)unused;
    ESTABLISHED(s, SACK);
    script_inject(&s, ". 1:5001(5000) ack 1");
    script_discard(&s);
    uint32_t owed = script_info(&s).rcv_wnd;
    script_tune(&s, tiny_receive_buffer);
    script_quiet(&s);
    assert_int_equal(script_info(&s).rcv_wnd, owed);
    script_inject(&s, ". 5001:15001(10000) ack 1");
    script_discard(&s);
    assert_int_equal(script_read(&s), 15000);
    script_end(&s);
}

static void clamp(struct tcp_options *o)
{
    o->mss_clamp = 500;
}

static void a_clamp_under_what_is_in_flight(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    script_send(&s, 3000, 0);
    assert_int_equal(script_discard(&s), 3);
    script_tune(&s, clamp);
    script_quiet(&s);
    script_advance_ms(&s, 10);
    script_expect(&s, "P. 2501:3001(500) ack 1"); /* the probe is as small */
    script_advance_ms(&s, 1100);
    script_expect(&s, ". 1:501(500) ack 1");
    script_inject(&s, ". 1:1(0) ack 3001");
    script_send(&s, 1000, 0);
    script_expect(&s, ". 3001:3501(500) ack 1");
    script_end(&s);
}

static void no_clamp(struct tcp_options *o)
{
    o->mss_clamp = 0;
}

/* After a timeout cwnd is one segment, and remains one when segments become larger (RFC 5681
 * section 3.1). */
static void without_its_clamp_a_segment_is_larger(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    script_tune(&s, clamp);
    script_send(&s, 500, 0);
    script_expect(&s, "P. 1:501(500) ack 1");
    script_advance_ms(&s, 300);
    script_expect(&s, "P. 1:501(500) ack 1"); /* the probe */
    script_advance_ms(&s, 1100);
    script_expect(&s, "P. 1:501(500) ack 1");
    struct tcp_info i = script_info(&s);
    assert_int_equal(i.cwnd_bytes, 500);
    assert_int_equal(i.ssthresh_bytes, 1000);
    script_tune(&s, no_clamp);
    i = script_info(&s);
    assert_int_equal(i.cwnd_bytes, 1000);
    assert_int_equal(i.ssthresh_bytes, 2000);
    script_inject(&s, ". 1:1(0) ack 501");
    script_send(&s, 1000, 0);
    script_expect(&s, "P. 501:1501(1000) ack 1");
    script_end(&s);
}

static void keepalive_on(struct tcp_options *o)
{
    o->keepalive = true;
    o->keepalive_idle_ns = o->keepalive_interval_ns = 10 * NS_PER_S;
}

static void keepalive_off(struct tcp_options *o)
{
    o->keepalive = false;
}

static void keepalive_on_and_off(void **unused) /* MUST-24 */
{
    (void)unused;
    ESTABLISHED(s, SACK);
    script_tune(&s, keepalive_on);
    script_quiet(&s);
    script_advance_ms(&s, 10001);
    script_expect(&s, ". 0:0(0) ack 1");
    script_advance_ms(&s, 10001);
    script_tune(&s, keepalive_off); /* with a probe due */
    script_quiet(&s);
    script_advance_ms(&s, 100000);
    script_quiet(&s);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_end(&s);
}

static void keepalive_and_delayed_ack(struct tcp_options *o)
{
    keepalive_on(o);
    o->keepalive_idle_ns = o->delayed_ack_ns = 40 * NS_PER_MS;
}

/* A probe lies outside the peer's window, so the ACK in it may not be looked at. */
static void a_keepalive_probe_is_no_ack(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    char text[80];
    script_tune(&s, keepalive_and_delayed_ack);
    for (unsigned n = 0; n < 16; n++) {
        snprintf(text, sizeof text, ". %u:%u(1000) ack 1", 1 + 1000 * n, 1001 + 1000 * n);
        script_inject(&s, text);
        script_discard(&s);
    }
    script_inject(&s, ". 16001:17001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, 41);
    script_expect(&s, ". 0:0(0) ack 17001");
    script_expect(&s, ". 1:1(0) ack 17001");
    script_end(&s);
}

static void bsd(struct tcp_options *o)
{
    o->urgent_mode = TCP_URGENT_BSD;
}

static void the_bsd_pointer_may_be_zero(void **unused)
{
    (void)unused;
    ESTABLISHED(s, SACK);
    struct tcp_received r;
    script_tune(&s, bsd);
    script_inject(&s, "U. 1:11(10) ack 1 urg 0"); /* the first octet */
    assert_int_equal(tcp_peek(s.engine, s.id, 0, 10, &r), 0);
    assert_true(r.urgent);
    assert_int_equal(r.urgent_mark, 1);
    script_end(&s);
}

/* ---- a stream of more than 4 GiB ---- */

/* A segment of zeros with the ACK of everything, in a frame of its own; its text costs no time. */
static void receive_zeros(struct script *s, uint32_t seq, uint32_t length)
{
    struct pkt *pkt = pkt_get(tcp_pool(s->engine), PKT_FRAME_CAPACITY);
    struct tcp_hdr h = {.sport = s->tuple.remote_port,
                        .dport = s->tuple.local_port,
                        .seq = seq_of(s->peer_iss + seq),
                        .ack = seq_of(s->local_iss + 1),
                        .header_len = TCP_HEADER_MIN,
                        .flags = TCP_ACK,
                        .window = 65535};
    tcp_hdr_build(pkt->data, &h);
    struct tcp_rx rx = {.src = s->tuple.remote,
                        .dst = s->tuple.local,
                        .pkt = pkt,
                        .length = TCP_HEADER_MIN + length,
                        .checksum_ok = true,
                        .mtu = s->mtu};
    tcp_input(s->engine, s->now, &rx);
    pkt_unref(pkt);
    script_discard(s);
}

static void beyond_32_bits(void **unused)
{
    (void)unused;
    SCRIPT(s);
    s.peer_iss = UINT32_MAX - 5;
    script_passive(&s, "mss 1000,sackOK,nop,wscale 7");
    struct tcp_received r;
    char text[80];
    uint64_t total = 0;
    while (total <= UINT32_MAX + UINT64_C(100000)) {
        receive_zeros(&s, 1 + (uint32_t)total, 60000);
        total += 60000;
        assert_int_equal(tcp_consume(s.engine, s.now, s.id, total), 0);
        script_discard(&s);
    }
    uint32_t at = 1 + (uint32_t)total;
    snprintf(text, sizeof text, "U. %u:%u(100) ack 1 urg 50", at, at + 100);
    script_inject(&s, text);
    assert_int_equal(tcp_peek(s.engine, s.id, total + 10, 1000, &r), 0);
    assert_int_equal(r.offset, total);
    assert_int_equal(r.available, 100);
    assert_int_equal(r.urgent_mark, total + 50);
    assert_int_equal(r.range[0].length, 90);
    assert_int_equal(script_info(&s).bytes_received, total + 100);
    assert_int_equal(script_counters(&s)->in_bytes, total + 100);
    script_end(&s);
}

int user_calls_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abort_in_every_state),
        cmocka_unit_test(release_in_every_state),
        cmocka_unit_test(close_in_every_state),
        cmocka_unit_test(flush_in_every_state),
        cmocka_unit_test(an_id_that_nobody_accepted),
        cmocka_unit_test(urgent_data_before_the_accept_are_told),
        cmocka_unit_test(a_larger_buffer_wakes_the_writer),
        cmocka_unit_test(flush_wakes_the_writer),
        cmocka_unit_test(flush_takes_the_urgent_mark_along),
        cmocka_unit_test(a_smaller_receive_buffer_takes_nothing_back),
        cmocka_unit_test(a_clamp_under_what_is_in_flight),
        cmocka_unit_test(without_its_clamp_a_segment_is_larger),
        cmocka_unit_test(keepalive_on_and_off),
        cmocka_unit_test(a_keepalive_probe_is_no_ack),
        cmocka_unit_test(the_bsd_pointer_may_be_zero),
        cmocka_unit_test(beyond_32_bits),
    };
    return cmocka_run_group_tests_name("user calls", tests, NULL, NULL);
}
