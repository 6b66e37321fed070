/* Sessions: who keeps endpoints alive, and what happens when he is gone. */
#include "harness.h"

#include "rpc/endpoint.h"
#include "rpc/session.h"

struct client {
    struct grpc_call *call;
    uint64_t id;
    char token[65];
};

static struct client session(const char *token, uint32_t grace_ms)
{
    Ackd__V1__SessionRequest m = ACKD__V1__SESSION_REQUEST__INIT;
    struct client c = {call_begin("/ackd.v1.Tcp/Session"), 0, ""};
    m.token = (char *)token;
    m.grace_ms = grace_ms;
    m.name = "a test";
    call_send(c.call, &m);
    Ackd__V1__SessionEvent *e = call_reply(c.call);
    if (e) {
        c.id = e->session_id;
        assert_int_equal(e->grace_ms, grace_ms);
        assert_int_equal(strlen(e->token), 64);
        memcpy(c.token, e->token, 65);
        reply_free(e);
    }
    return c;
}

static uint64_t listen_in(uint64_t session_id, uint16_t port)
{
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Ownership own = ACKD__V1__OWNERSHIP__INIT;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_SESSION_ID;
    own.session_id = session_id;
    local.port = port;
    m.local = &local;
    m.ownership = &own;
    Ackd__V1__ListenResponse *r = ask("/ackd.v1.Tcp/Listen", &m);
    uint64_t id = r->id;
    reply_free(r);
    return id;
}

static void end_of_the_stream_ends_it(void **state)
{
    (void)state;
    struct client c = session("", 60000);
    uint64_t listener = listen_in(c.id, 80), accepted;
    uint64_t id = make_connection(80, listener, &accepted); /* detached, and the session's */
    assert_int_equal(session_find(world.rpc, c.id)->n_endpoints, 2);
    call_half_close(c.call);
    call_free(c.call);
    advance_ms(1);
    assert_null(session_find(world.rpc, c.id));
    assert_int_equal(state_of_id(listener), TCP_CLOSED);
    assert_int_equal(state_of_id(accepted), TCP_CLOSED);
    struct tcp_info info;
    assert_int_equal(tcp_status(world.engine, now(), id, false, &info), 0);
    assert_int_equal(info.close_reason,
                     TCP_CLOSE_RESET_BY_PEER); /* the detached end lives to be told */
    const struct tcp_counters *counters = tcp_counters(world.engine);
    assert_int_equal(counters->closes[TCP_CLOSE_SESSION_ENDED], 1);
    assert_int_equal(counters->rsts_sent[TCP_RST_SENT_SESSION_ENDED], 1);
}

static void accepted_bytes_survive_the_session(void **state)
{
    (void)state;
    struct client c = session("", 0);
    uint64_t listener = listen_in(c.id, 80), accepted;
    uint64_t id = make_connection(80, listener, &accepted);
    /* more than the peer's window: part of it waits in the send buffer */
    uint8_t *data = calloc(1, 4 << 20);
    Ackd__V1__SendRequest s = ACKD__V1__SEND_REQUEST__INIT;
    s.id = accepted;
    s.data.data = data;
    s.data.len = 4 << 20;
    Ackd__V1__SendResponse *r = ask("/ackd.v1.Tcp/Send", &s);
    uint64_t until = r->accepted_until;
    reply_free(r);
    free(data);
    call_cancel(c.call); /* killed; no grace time */
    advance_ms(1);
    assert_null(session_find(world.rpc, c.id));
    uint64_t at = 0;
    for (;;) {
        Ackd__V1__ReceiveRequest m = ACKD__V1__RECEIVE_REQUEST__INIT;
        m.id = id;
        m.from_offset = at;
        m.max_bytes = 1 << 20;
        Ackd__V1__ReceiveResponse *got = ask("/ackd.v1.Tcp/Receive", &m);
        at += got->data.len;
        bool end = got->end_of_stream;
        reply_free(got);
        if (end) {
            break;
        }
        advance_ms(100);
    }
    assert_int_equal(at, until);
}

static void grace_and_reclaim(void **state)
{
    (void)state;
    struct client c = session("", 10000);
    uint64_t listener = listen_in(c.id, 80);
    call_cancel(c.call);
    advance_ms(9000);
    assert_int_equal(state_of_id(listener), TCP_LISTEN);
    struct client again = session(c.token, 5000);
    assert_int_equal(again.id, c.id);
    assert_string_equal(again.token, c.token);
    advance_ms(60000);
    assert_int_equal(state_of_id(listener), TCP_LISTEN);
    call_cancel(again.call);
    advance_ms(5001);
    assert_int_equal(state_of_id(listener), TCP_CLOSED);
    struct client late = session(c.token, 5000);
    expect_error(late.call, GRPC_NOT_FOUND, "ENOENT");
    call_free(late.call);
}

static void reclaim_names_the_endpoints(void **state)
{
    (void)state;
    struct client c = session("", 10000);
    uint64_t one = listen_in(c.id, 80), two = listen_in(c.id, 81);
    call_cancel(c.call);
    Ackd__V1__SessionRequest m = ACKD__V1__SESSION_REQUEST__INIT;
    m.token = c.token;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Session");
    call_send(call, &m);
    Ackd__V1__SessionEvent *e = call_reply(call);
    assert_int_equal(e->n_endpoint_ids, 2);
    assert_int_equal(e->endpoint_ids[0], one);
    assert_int_equal(e->endpoint_ids[1], two);
    reply_free(e);
    call_half_close(call);
    call_free(call);
}

static void the_newer_stream_wins(void **state)
{
    (void)state;
    struct client c = session("", 10000);
    struct client newer = session(c.token, 10000);
    assert_int_equal(newer.id, c.id);
    expect_error(c.call, GRPC_ABORTED, "ECANCELED");
    call_free(c.call); /* its end does not start the grace time */
    advance_ms(60000);
    assert_non_null(session_find(world.rpc, c.id));
    call_half_close(newer.call);
    call_free(newer.call);
}

static void other_peoples_sessions(void **state)
{
    (void)state;
    struct client c = session("", 10000);
    world.peer.uid = 1000;
    struct client thief = session(c.token, 10000);
    expect_error(thief.call, GRPC_NOT_FOUND, "ENOENT");
    call_free(thief.call);
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    Ackd__V1__Ownership own = ACKD__V1__OWNERSHIP__INIT;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_SESSION_ID;
    own.session_id = c.id;
    m.ownership = &own;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_PERMISSION_DENIED, "EPERM"));
    own.session_id = 999;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_NOT_FOUND, "ENOENT"));
    call_cancel(c.call);
}

static void bad_requests(void **state)
{
    (void)state;
    Ackd__V1__SessionRequest m = ACKD__V1__SESSION_REQUEST__INIT;
    m.grace_ms = 300001;
    call_free(ask_error("/ackd.v1.Tcp/Session", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.grace_ms = 0;
    m.name = "0123456789012345678901234567890123456789012345678901234567890123";
    call_free(ask_error("/ackd.v1.Tcp/Session", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.name = "";
    m.token = "short";
    call_free(ask_error("/ackd.v1.Tcp/Session", &m, GRPC_NOT_FOUND, "ENOENT"));
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Session");
    call_half_close(call);
    expect_error(call, GRPC_INVALID_ARGUMENT, "EINVAL");
    call_free(call);
}

static void notices(void **state)
{
    (void)state;
    struct client c = session("", 0);
    uint64_t listener = listen_in(c.id, 80), accepted;
    uint64_t id = make_connection(80, listener, &accepted);
    assert_int_equal(c.call->n_replies, 0);
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = id;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    Ackd__V1__SessionEvent *e = call_reply(c.call);
    assert_non_null(e);
    assert_int_equal(e->notice->id, accepted);
    assert_int_equal(e->notice->kind, ACKD__V1__ENDPOINT_NOTICE__KIND__KIND_CLOSED);
    assert_string_equal(e->notice->error, "ECONNRESET");
    assert_int_equal(e->notice->close_reason, ACKD__V1__CLOSE_REASON__CLOSE_RESET_BY_PEER);
    assert_string_equal(e->token, ""); /* only in the first event */
    reply_free(e);
    call_half_close(c.call);
    call_free(c.call);
}

static void notices_wait_for_room(void **state)
{
    (void)state;
    struct client c = session("", 0);
    uint64_t listener = listen_in(c.id, 80), accepted[2], id[2];
    for (unsigned i = 0; i < 2; i++) {
        id[i] = make_connection(80, listener, &accepted[i]);
    }
    c.call->room = 0;
    for (unsigned i = 0; i < 2; i++) {
        Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
        abort.id = id[i];
        reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    }
    assert_int_equal(c.call->n_replies, 0);
    call_room(c.call, 1000);
    assert_int_equal(c.call->n_replies, 2);
    call_cancel(c.call);
}

static void many_endpoints_end_in_steps(void **state)
{
    (void)state;
    struct client c = session("", 0);
    for (unsigned i = 0; i < 200; i++) {
        listen_in(c.id, (uint16_t)(1000 + i));
    }
    assert_int_equal(tcp_endpoints(world.engine), 200);
    call_half_close(c.call);
    call_free(c.call);
    advance_ms(1);
    assert_int_equal(tcp_endpoints(world.engine), 0);
    assert_int_equal(world.rpc->n_sessions, 0);
    assert_int_equal(world.rpc->n_endpoints, 0);
}

static void accept_for_a_session_that_ends(void **state)
{
    (void)state;
    struct client c = session("", 0);
    uint64_t listener = make_listener(80, 8);
    Ackd__V1__AcceptRequest m = ACKD__V1__ACCEPT_REQUEST__INIT;
    Ackd__V1__Ownership own = ACKD__V1__OWNERSHIP__INIT;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_SESSION_ID;
    own.session_id = c.id;
    m.id = listener;
    m.ownership = &own;
    m.wait_ms = 60000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Accept");
    call_send(call, &m);
    call_half_close(c.call);
    call_free(c.call);
    advance_ms(1);
    make_connection(80, listener, NULL);
    expect_error(call, GRPC_NOT_FOUND, "ENOENT");
    call_free(call);
    struct tcp_info info; /* the connection waits for the next */
    tcp_status(world.engine, now(), listener, false, &info);
    assert_int_equal(info.recv_q_bytes, 1);
}

static void few_sessions(struct rpc_config *config)
{
    config->limits.sessions_uid = 2;
    config->limits.endpoints_session = 1;
}

static int quota_setup(void **state)
{
    world_configure = few_sessions;
    int r = world_setup(state);
    world_configure = NULL;
    return r;
}

static void quotas(void **state)
{
    (void)state;
    struct client one = session("", 0), two = session("", 0), three = session("", 0);
    expect_error(three.call, GRPC_RESOURCE_EXHAUSTED, "EMFILE");
    call_free(three.call);
    listen_in(one.id, 80);
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    Ackd__V1__Ownership own = ACKD__V1__OWNERSHIP__INIT;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_SESSION_ID;
    own.session_id = one.id;
    m.ownership = &own;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_RESOURCE_EXHAUSTED, "EMFILE"));
    call_cancel(one.call);
    call_cancel(two.call);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(end_of_the_stream_ends_it),
        TEST(accepted_bytes_survive_the_session),
        TEST(grace_and_reclaim),
        TEST(reclaim_names_the_endpoints),
        TEST(the_newer_stream_wins),
        TEST(other_peoples_sessions),
        TEST(bad_requests),
        TEST(notices),
        TEST(notices_wait_for_room),
        TEST(many_endpoints_end_in_steps),
        TEST(accept_for_a_session_that_ends),
        cmocka_unit_test_setup_teardown(quotas, quota_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
