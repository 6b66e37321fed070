/* TCP Fast Open (RFC 7413): the client, the listener, and what they keep of each other. */
#include "cmocka_all.h"
#include <errno.h>
#include <string.h>
#include "script.h"

#define COOKIE "1122334455667788"

static const uint8_t pattern[4000];

/* ---- the client ---- */

static void open_with(struct script *s, uint32_t length)
{
    static uint16_t next_port = 4000;
    s->tuple.local_port = next_port++;
    s->tuple.remote_port = 80;
    struct tcp_open_args a = {.tuple = s->tuple,
                              .mtu = s->mtu,
                              .owner = 2,
                              .fast_open = true,
                              .data = pattern,
                              .length = length};
    assert_int_equal(tcp_open(s->engine, s->now, &a, &s->id), 0);
    assert_int_equal(tcp_send_offset(s->engine, s->id), length);
}

static int64_t room(struct script *s)
{
    struct tcp_open_args a = {.tuple = s->tuple, .mtu = s->mtu};
    return tcp_fast_open_room(s->engine, s->now, &a);
}

static void hang_up(struct script *s)
{
    tcp_abort(s->engine, s->now, s->id, TCP_CLOSE_ABORTED);
    script_discard(s);
    tcp_release(s->engine, s->now, s->id);
}

/* The first connection: asks, and gets a cookie with an MSS of 940. */
static void learn_cookie(struct script *s)
{
    open_with(s, 0);
    script_expect(s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FO>");
    script_advance_ms(s, 10);
    script_inject(s, "S. 0:0(0) ack 1 win 65535 <mss 940,sackOK,FO " COOKIE ">");
    script_expect(s, ". 1:1(0) ack 1");
    hang_up(s);
}

static void a_request_then_data(void **state) /* sections 4.1.2, 4.2.1 */
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    assert_int_equal(room(&s), -ENOKEY);
    learn_cookie(&s);
    struct tcp_metrics m;
    assert_int_equal(tcp_metrics_list(s.engine, 0, &m, 1), 1);
    assert_int_equal(m.fast_open_cookie_len, 8);
    assert_int_equal(m.mss, 940);
    assert_int_equal(room(&s), 900);
    open_with(&s, 2000);
    script_expect(&s, "S 0:900(900) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FO " COOKIE ">");
    script_quiet(&s);
    script_advance_ms(&s, 50);
    script_inject(&s, "S. 0:0(0) ack 901 win 65535 <mss 1460,sackOK>");
    script_expect(&s, "P. 901:2001(1100) ack 1");
    struct tcp_info i = script_info(&s);
    assert_true(i.syn_data_taken);
    assert_int_equal(i.bytes_acked, 900);
    assert_true(i.srtt_ns == 50 * NS_PER_MS);
    assert_int_equal(script_counters(&s)->fast_open_active, 1);
    script_inject(&s, ". 1:1(0) ack 2001");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    assert_int_equal(room(&s), 1420); /* the latest MSS */
    script_end(&s);
}

static void an_answer_may_bring_data_and_another_cookie(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    learn_cookie(&s);
    open_with(&s, 100);
    script_expect(&s, "S 0:100(100)");
    script_inject(&s, "S. 0:500(500) ack 101 win 65535 <mss 1000,FO abcd1234>");
    script_expect(&s, ". 101:101(0) ack 501");
    assert_int_equal(script_read(&s), 500);
    hang_up(&s);
    open_with(&s, 100);
    script_expect(&s, "S 0:100(100) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FO abcd1234>");
    script_end(&s);
}

static void what_is_not_acknowledged_goes_again_at_once(void **state) /* section 4.2.2 */
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    learn_cookie(&s);
    open_with(&s, 700);
    script_expect(&s, "S 0:700(700)");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000>");
    script_expect(&s, "P. 1:701(700) ack 1");
    assert_false(script_info(&s).syn_data_taken);
    assert_int_equal(script_counters(&s)->fast_open_refused, 1);
    assert_int_equal(script_info(&s).ssthresh_bytes, UINT32_MAX); /* no congestion */
    script_inject(&s, ". 1:1(0) ack 701");
    hang_up(&s);
    open_with(&s, 700);
    script_expect(&s, "S 0:700(700)");
    script_inject(&s, "S. 0:0(0) ack 101 win 65535 <mss 1000>"); /* a part */
    script_expect(&s, "P. 101:701(600) ack 1");
    script_inject(&s, ". 1:1(0) ack 701");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    hang_up(&s);
    open_with(&s, 700);
    script_expect(&s, "S 0:700(700)");
    script_inject(&s, "S. 0:0(0) ack 100101 win 65535 <mss 1000>"); /* never sent */
    script_expect(&s, "R 100101:100101(0)");
    script_end(&s);
}

static void a_black_hole_is_avoided(void **state) /* section 4.1.3.1 */
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    learn_cookie(&s);
    open_with(&s, 100);
    script_expect(&s, "S 0:100(100)");
    script_advance_ms(&s, 1001);
    script_expect(&s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000>");
    script_expect(&s, "P. 1:101(100) ack 1");
    assert_int_equal(script_counters(&s)->fast_open_black_holes, 1);
    script_inject(&s, ". 1:1(0) ack 101");
    hang_up(&s);
    assert_int_equal(room(&s), -ENOKEY);
    open_with(&s, 100);
    script_expect(&s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000>");
    script_expect(&s, "P. 1:101(100) ack 1");
    script_inject(&s, ". 1:1(0) ack 101");
    hang_up(&s);
    script_advance_ms(&s, 60000);
    assert_int_equal(room(&s), 960);
    open_with(&s, 100); /* a lost SYN is no black hole when the data arrive after all */
    script_expect(&s, "S 0:100(100)");
    script_advance_ms(&s, 1001);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S. 0:0(0) ack 101 win 65535 <mss 1000>");
    script_expect(&s, ". 101:101(0) ack 1");
    assert_int_equal(room(&s), 960);
    script_end(&s);
}

static void no_cookie(struct tcp_config *c)
{
    c->defaults.fast_open_no_cookie = true;
    c->defaults.fast_open_queue = 2;
    c->defaults.delayed_ack_ns = 0;
}

static void without_a_cookie_where_that_is_asked_for(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, no_cookie);
    open_with(&s, 100);
    script_expect(&s, "S 0:100(100) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5>");
    script_end(&s);
    script_begin(&s, no_cookie);
    script_listen(&s, 2);
    script_inject(&s, "S 0:1000(1000) win 65535 <mss 1460,sackOK>");
    script_expect(&s, "S. 0:0(0) ack 1001 <mss 1460,sackOK>");
    assert_int_equal(script_accept(&s), s.id);
    assert_int_equal(script_read(&s), 1000);
    script_end(&s);
}

static void experimental(struct tcp_config *c)
{
    c->defaults.fast_open_experimental = true;
    c->defaults.fast_open_queue = 4;
    c->defaults.delayed_ack_ns = 0;
}

static void the_experimental_option_is_a_fallback(void **state) /* section 7.1 */
{
    (void)state;
    struct script s;
    script_begin(&s, experimental);
    open_with(&s, 0);
    script_expect(&s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FO>");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000>");
    hang_up(&s);
    open_with(&s, 0);
    script_expect(&s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FOEXP>");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000,FOEXP 1234abcd>");
    hang_up(&s);
    open_with(&s, 10);
    script_expect(&s, "S 0:10(10) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FOEXP 1234abcd>");
    script_end(&s);
    script_begin(&s, NULL); /* by default nobody speaks it */
    for (int n = 0; n < 2; n++) {
        open_with(&s, 0);
        script_expect(&s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,FO>");
        script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000,FOEXP 1234abcd>");
        hang_up(&s);
    }
    assert_int_equal(room(&s), -ENOKEY);
    script_end(&s);
}

static void both_ends_may_open_at_once(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    learn_cookie(&s);
    open_with(&s, 100);
    script_expect(&s, "S 0:100(100)");
    script_inject(&s, "S 0:50(50) win 65535 <mss 1000,FO abcd1234>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_inject(&s, "S. 0:0(0) ack 101 win 65535 <mss 1000>");
    script_discard(&s);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    assert_true(script_info(&s).syn_data_taken);
    script_end(&s);
}

/* ---- the listener ---- */

static void queue_of_two(struct tcp_config *c)
{
    c->defaults.fast_open_queue = 2;
    c->defaults.delayed_ack_ns = 0;
}

/* The key of Linux's own tests (tcp_fastopen_key a0bf63f7-ed803d81-cd641d30-cebc4a90), and its
 * cookies. */
static const uint8_t key[16] = {0xf7, 0x63, 0xbf, 0xa0, 0x81, 0x3d, 0x80, 0xed,
                                0x30, 0x1d, 0x64, 0xcd, 0x90, 0x4a, 0xbc, 0xce};

static void listener_with_key(struct script *s, void (*adjust)(struct tcp_config *))
{
    script_begin(s, adjust);
    tcp_fast_open_keys(s->engine, s->now, 0, key, NULL);
    s->tuple.local = ip_addr_v4(192, 168, 0, 2);
    s->tuple.remote = ip_addr_v4(10, 248, 0, 2);
    script_listen(s, 4);
}
#define VALID "00abaaabe8e954c2"

static void cookies_are_those_of_linux(void **state) /* section 4.1.2 */
{
    (void)state;
    struct script s;
    listener_with_key(&s, queue_of_two);
    script_inject(&s, "S 0:0(0) win 10000 <mss 1012,FO,sackOK>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,sackOK,FO " VALID ">");
    s.tuple.remote = ip_addr_v4(10, 248, 0, 3);
    script_inject(&s, "S 0:0(0) win 10000 <mss 1012,FO>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,FO 1313a2da994a0951>");
    assert_int_equal(script_counters(&s)->fast_open_cookies_granted, 2);
    script_advance_ms(&s, 1001); /* sent again, it carries none */
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,sackOK>");
    script_discard(&s);
    script_end(&s);
}

static void data_in_the_syn_are_served_before_the_handshake_ends(void **state) /* section 4.2.2 */
{
    (void)state;
    struct script s;
    listener_with_key(&s, queue_of_two);
    script_inject(&s, "S 0:1000(1000) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1001 <mss 1460>");
    assert_int_equal(script_accept(&s), s.id);
    assert_int_equal(script_state(&s), TCP_SYN_RECEIVED);
    assert_true(script_info(&s).syn_data_taken);
    assert_int_equal(script_read(&s), 1000);
    script_send(&s, 100, 0);
    script_expect(&s, "P. 1:101(100) ack 1001");
    script_quiet(&s);
    script_inject(&s, "S 0:1000(1000) win 10000 <mss 1012,FO " VALID ",nop,nop>"); /* once more */
    script_expect(&s, "S. 0:0(0) ack 1001");
    assert_int_equal(script_info(&s).recv_q_bytes, 0);
    script_inject(&s, ". 1001:1001(0) ack 101");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_inject(&s, "P. 1001:1011(10) ack 101");
    script_expect(&s, ". 101:101(0) ack 1011");
    assert_int_equal(script_read(&s), 10);
    assert_int_equal(script_counters(&s)->fast_open_passive, 1);
    script_end(&s);
}

static void only_the_syn_ack_goes_again(void **state)
{
    (void)state;
    struct script s;
    listener_with_key(&s, queue_of_two);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    assert_int_equal(script_accept(&s), s.id);
    script_send(&s, 100, 0);
    script_expect(&s, "P. 1:101(100) ack 11");
    script_advance_ms(&s, 1001);
    script_expect(&s, "S. 0:0(0) ack 11");
    script_quiet(&s);
    script_inject(&s, ". 11:11(0) ack 1");
    script_advance_ms(&s, 4000); /* the data have a timer of their own now */
    script_expect(&s, "P. 1:101(100) ack 11");
    script_inject(&s, ". 11:11(0) ack 101");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_end(&s);
}

static void another_cookie_gets_a_new_one_and_no_service(void **state)
{
    (void)state;
    struct script s;
    listener_with_key(&s, queue_of_two);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO aaaaaaaaaaaaaaaa,nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,FO " VALID ">");
    assert_int_equal(script_counters(&s)->fast_open_bad_cookies, 1);
    assert_int_equal(script_accept(&s), 0);
    script_inject(&s, "P. 1:11(10) ack 1");
    script_expect(&s, ". 1:1(0) ack 11");
    assert_int_equal(script_accept(&s), s.id);
    assert_false(script_info(&s).syn_data_taken);
    script_end(&s);
}

static void a_listener_has_to_ask_for_it(void **state)
{
    (void)state;
    struct script s;
    listener_with_key(&s, NULL);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    script_end(&s);
    listener_with_key(&s, queue_of_two); /* nor without the option, nor in its other form */
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    s.tuple.remote_port++;
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FOEXP " VALID ">");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    script_end(&s);
    listener_with_key(&s, experimental);
    script_inject(&s, "S 0:0(0) win 10000 <mss 1012,FOEXP>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,FOEXP " VALID ">");
    s.tuple.remote_port++;
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FOEXP " VALID ">");
    script_expect(&s, "S. 0:0(0) ack 11 <mss 1460>");
    script_end(&s);
}

static void the_pending_ones_are_limited(void **state) /* section 5.1 */
{
    (void)state;
    struct script s;
    listener_with_key(&s, queue_of_two);
    for (unsigned i = 0; i < 3; i++) {
        s.tuple.remote_port = (uint16_t)(PEER_PORT + i);
        script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
        script_expect(&s, i < 2 ? "S. 0:0(0) ack 11" : "S. 0:0(0) ack 1 <mss 1460>");
    }
    assert_int_equal(script_counters(&s)->fast_open_queue_full, 1);
    s.tuple.remote_port = PEER_PORT + 1;
    script_inject(&s, "R 11:11(0)"); /* one that was reset counts for a minute more */
    s.tuple.remote_port = PEER_PORT + 10;
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460>");
    for (unsigned i = 0; i < 70; i++) {
        script_discard(&s);
        script_advance_ms(&s, 1000);
    }
    script_discard(&s);
    s.tuple.remote_port = PEER_PORT + 11;
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    script_end(&s);
}

static void how_a_pending_one_may_end(void **state)
{
    (void)state;
    struct script s;
    listener_with_key(&s, queue_of_two);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    tcp_close(s.engine, s.now, s.listener);
    script_expect(&s, "R. 1:1(0) ack 11");
    script_end(&s);
    listener_with_key(&s, queue_of_two);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    script_inject(&s, "F. 11:11(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 12");
    assert_int_equal(script_accept(&s), s.id);
    assert_int_equal(script_read(&s), 10);
    tcp_close(s.engine, s.now, s.id);
    script_expect(&s, "F. 1:1(0) ack 12");
    script_end(&s);
    listener_with_key(&s, queue_of_two); /* nobody answers */
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    for (unsigned i = 0; i < 200; i++) {
        script_advance_ms(&s, 1000);
        script_discard(&s);
    }
    assert_int_equal(script_counters(&s)->closes[TCP_CLOSE_SYN_RECEIVED_TIMEOUT], 1);
    assert_int_equal(tcp_endpoints(s.engine), 1);
    script_end(&s);
    listener_with_key(&s, queue_of_two); /* let go with data unread */
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    assert_int_equal(script_accept(&s), s.id);
    tcp_release(s.engine, s.now, s.id);
    script_expect(&s, "R. 1:1(0) ack 11");
    script_end(&s);
}

static void a_key_outlives_its_successor(void **state) /* section 4.1.2 */
{
    (void)state;
    static const uint8_t other[16] = {1};
    struct script s;
    listener_with_key(&s, queue_of_two);
    tcp_fast_open_keys(s.engine, s.now, 0, other, key);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    s.tuple.remote_port++;
    tcp_fast_open_keys(s.engine, s.now, 0, other, NULL);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_end(&s);
}

static void a_listener_may_have_keys_of_its_own(void **state) /* Linux: TCP_FASTOPEN_KEY */
{
    (void)state;
    static const uint8_t other[16] = {1};
    struct script s;
    uint64_t listener;
    listener_with_key(&s, queue_of_two);
    tcp_fast_open_keys(s.engine, s.now, 0, other, NULL);
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1");
    listener = script_info(&s).listener;
    assert_int_equal(tcp_fast_open_keys(s.engine, s.now, listener + 100, key, NULL), -EBADF);
    assert_int_equal(tcp_fast_open_keys(s.engine, s.now, listener + 100, NULL, NULL), -EBADF);
    assert_int_equal(tcp_fast_open_rotate(s.engine, s.now, listener + 100, NULL), -EBADF);
    assert_int_equal(tcp_fast_open_keys(s.engine, s.now, listener, key, NULL), 0);
    s.tuple.remote_port++;
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 11");
    assert_int_equal(tcp_fast_open_keys(s.engine, s.now, listener, NULL, NULL), 0);
    s.tuple.remote_port++;
    script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_end(&s);
}

/* The key before is good once more; the one before that is not. */
static void a_key_is_rotated(void **state)
{
    (void)state;
    static const uint8_t other[16] = {1};
    struct script s;
    for (unsigned own = 0; own < 2; own++) {
        listener_with_key(&s, queue_of_two);
        script_inject(&s, "S 0:0(0) win 10000 <mss 1012>");
        script_expect(&s, "S. 0:0(0) ack 1");
        uint64_t listener = own ? script_info(&s).listener : 0;
        assert_int_equal(tcp_fast_open_rotate(s.engine, s.now, listener, NULL), 0);
        s.tuple.remote_port++;
        script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
        script_expect(&s, "S. 0:0(0) ack 11");
        assert_int_equal(tcp_fast_open_rotate(s.engine, s.now, listener, other), 0);
        s.tuple.remote_port++;
        script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
        script_expect(&s, "S. 0:0(0) ack 1");
        assert_int_equal(tcp_fast_open_rotate(s.engine, s.now, listener, key), 0);
        s.tuple.remote_port++;
        script_inject(&s, "S 0:10(10) win 10000 <mss 1012,FO " VALID ",nop,nop>");
        script_expect(&s, "S. 0:0(0) ack 11");
        script_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_then_data),
        cmocka_unit_test(an_answer_may_bring_data_and_another_cookie),
        cmocka_unit_test(what_is_not_acknowledged_goes_again_at_once),
        cmocka_unit_test(a_black_hole_is_avoided),
        cmocka_unit_test(without_a_cookie_where_that_is_asked_for),
        cmocka_unit_test(the_experimental_option_is_a_fallback),
        cmocka_unit_test(both_ends_may_open_at_once),
        cmocka_unit_test(cookies_are_those_of_linux),
        cmocka_unit_test(a_listener_may_have_keys_of_its_own),
        cmocka_unit_test(a_key_is_rotated),
        cmocka_unit_test(data_in_the_syn_are_served_before_the_handshake_ends),
        cmocka_unit_test(only_the_syn_ack_goes_again),
        cmocka_unit_test(another_cookie_gets_a_new_one_and_no_service),
        cmocka_unit_test(a_listener_has_to_ask_for_it),
        cmocka_unit_test(the_pending_ones_are_limited),
        cmocka_unit_test(how_a_pending_one_may_end),
        cmocka_unit_test(a_key_outlives_its_successor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
