/* Why: the sentences have the deciding numbers. */
#include "harness.h"

#include "rpc/why.h"

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("\"%s\" does not say \"%s\"", text, part);
    }
}

static struct tcp_info blank(enum tcp_limit limit)
{
    struct tcp_info i = {.state = TCP_ESTABLISHED, .limit = limit, .srtt_ns = -1};
    i.last_received_ns = i.last_sent_ns = i.rto_deadline_ns = i.persist_deadline_ns =
        i.keepalive_deadline_ns = i.user_timeout_deadline_ns = i.time_wait_deadline_ns = INT64_MAX;
    return i;
}

static void numbers(void **state)
{
    (void)state;
    char s[WHY_MAX];
    ackd_time at = time_from_ns(100 * NS_PER_S);
    struct tcp_info i = blank(TCP_LIMIT_ZERO_WINDOW);
    i.send_q_bytes = 5000;
    i.last_received_ns = at.ns - 4200 * NS_PER_MS;
    i.persist_deadline_ns = at.ns + 1600 * NS_PER_MS;
    why_sending(&i, at, s);
    expect(s, "5000 bytes");
    expect(s, "4.2 s ago");
    expect(s, "next probe in 1.6 s");
    assert_int_equal(why_next_change(&i).ns, i.persist_deadline_ns);
    i = blank(TCP_LIMIT_CONGESTION_WINDOW);
    i.cwnd_bytes = 14480;
    i.bytes_in_flight = 14480;
    i.send_q_bytes = 20000;
    why_sending(&i, at, s);
    expect(s, "cwnd 14480");
    expect(s, "5520 bytes wait");
    i = blank(TCP_LIMIT_NAGLE);
    i.send_q_bytes = 110;
    i.bytes_in_flight = 100;
    i.snd_mss_bytes = 1460;
    why_sending(&i, at, s);
    expect(s, "10 bytes");
    expect(s, "1460");
    i = blank(TCP_LIMIT_RTO_BACKOFF);
    i.backoff = 3;
    i.rto_deadline_ns = at.ns + 250 * NS_PER_MS;
    why_sending(&i, at, s);
    expect(s, "3 retransmissions");
    expect(s, "250 ms");
}

static void every_limit_has_a_sentence(void **state)
{
    (void)state;
    char s[WHY_MAX], r[WHY_MAX];
    for (unsigned limit = 0; limit < TCP_LIMITS; limit++) {
        struct tcp_info i = blank((enum tcp_limit)limit);
        for (unsigned st = 0; st < TCP_STATES; st++) {
            i.state = (enum tcp_state)st;
            why_sending(&i, time_from_ns(0), s);
            why_receiving(&i, time_from_ns(0), r);
            assert_true(strlen(s) > 10 && strlen(r) > 10);
        }
    }
}

static void receiving(void **state)
{
    (void)state;
    char s[WHY_MAX];
    struct tcp_info i = blank(TCP_LIMIT_APPLICATION_IDLE);
    why_sending(&i, time_from_ns(0), s);
    expect(s, "written nothing yet");
    i.recv_q_bytes = 65536;
    i.rcv_buffer_bytes = 65536;
    why_receiving(&i, time_from_ns(0), s);
    expect(s, "65536 bytes wait for the application to read");
    expect(s, "closed until they are read");
    i.recv_q_bytes = 0;
    i.fin_received = true;
    i.ooo_bytes = 7;
    i.rcv_nxt = 123;
    why_receiving(&i, time_from_ns(0), s);
    expect(s, "the peer closed its side");
    expect(s, "7 bytes lie beyond a hole at 123");
}

static void by_rpc(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8), b;
    uint64_t a = make_connection(80, listener, &b);
    Ackd__V1__SendRequest s = ACKD__V1__SEND_REQUEST__INIT;
    uint8_t *data = calloc(1, 4 << 20);
    s.id = a;
    s.data.data = data;
    s.data.len = 4 << 20;
    reply_free(ask("/ackd.v1.Tcp/Send", &s));
    free(data);
    advance_ms(5000); /* nobody reads */
    Ackd__V1__WhyRequest m = ACKD__V1__WHY_REQUEST__INIT;
    m.id = a;
    Ackd__V1__WhyResponse *r = ask("/ackd.v1.Inspect/Why", &m);
    assert_int_equal(r->limit_reason, ACKD__V1__LIMIT_REASON__LIMIT_ZERO_WINDOW);
    expect(r->sentence, "receive window is zero");
    assert_int_equal(r->next_change_known_case,
                     ACKD__V1__WHY_RESPONSE__NEXT_CHANGE_KNOWN_NEXT_CHANGE_IN_NS);
    assert_true(r->next_change_in_ns > 0);
    assert_true(r->n_limited > 0);
    assert_int_equal(r->connection->id, a);
    reply_free(r);
    m.id = b;
    r = ask("/ackd.v1.Inspect/Why", &m);
    expect(r->receive_sentence, "wait for the application to read");
    reply_free(r);
    m.id = listener;
    r = ask("/ackd.v1.Inspect/Why", &m);
    expect(r->sentence, "listener");
    reply_free(r);
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = a;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    m.id = a; /* from the history */
    r = ask("/ackd.v1.Inspect/Why", &m);
    expect(r->sentence, "the user aborted the connection");
    reply_free(r);
    m.id = 4711;
    call_free(ask_error("/ackd.v1.Inspect/Why", &m, GRPC_NOT_FOUND, "EBADF"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(every_limit_has_a_sentence),
        cmocka_unit_test(receiving),
        cmocka_unit_test_setup_teardown(by_rpc, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
