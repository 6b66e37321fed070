/* List, Get and Kill, and the filter that they share. */
#include "harness.h"

#include "rpc/endpoint.h"

static uint64_t listener, a, b;

static int setup(void **state)
{
    world_setup(state);
    listener = make_listener(80, 64);
    a = make_connection(80, listener, &b);
    return 0;
}

struct listing {
    unsigned n, messages;
    uint64_t ids[4096];
    Ackd__V1__State states[4096];
};

static void collect(struct grpc_call *call, struct listing *l)
{
    Ackd__V1__ListResponse *r;
    while ((r = call_reply(call))) {
        assert_string_equal(r->instance_id, "instance-1");
        l->messages++;
        for (unsigned i = 0; i < r->n_connections; i++) {
            l->ids[l->n] = r->connections[i]->id;
            l->states[l->n++] = r->connections[i]->state;
        }
        reply_free(r);
    }
}

static struct listing *list(Ackd__V1__ListRequest *m)
{
    static struct listing l;
    memset(&l, 0, sizeof l);
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/List");
    call_send(call, m);
    assert_true(call->over);
    assert_int_equal(call->code, GRPC_OK);
    collect(call, &l);
    call_free(call);
    return &l;
}

static unsigned count(Ackd__V1__Filter *f)
{
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    m.filter = f;
    return list(&m)->n;
}

static void all_in_order(void **state)
{
    (void)state;
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    for (unsigned i = 0; i < 40; i++) {
        make_connection(80, listener, NULL);
    }
    struct listing *l = list(&m);
    assert_int_equal(l->n, 83); /* both ends of each, and the listener */
    for (unsigned i = 1; i < l->n; i++) {
        assert_true(l->ids[i] > l->ids[i - 1]);
    }
    assert_true(l->messages > 1);
    m.limit = 5;
    m.page_after_id = l->ids[9];
    uint64_t next = l->ids[10], last = l->ids[14];
    l = list(&m);
    assert_int_equal(l->n, 5);
    assert_int_equal(l->ids[0], next);
    assert_int_equal(l->ids[4], last);
    m.limit = 0;
    m.page_after_id = 1 << 20;
    l = list(&m);
    assert_int_equal(l->n, 0);
    assert_int_equal(l->messages, 1); /* an empty list still says whose it is */
}

static void waits_for_the_window(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        make_connection(80, listener, NULL);
    }
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/List");
    call->room = 100;
    call_send(call, &m);
    assert_false(call->over);
    assert_int_equal(call->n_replies, 1);
    call_room(call, 100);
    assert_int_equal(call->n_replies, 2);
    call_room(call, 1 << 20);
    assert_true(call->over);
    struct listing l = {0};
    collect(call, &l);
    assert_int_equal(l.n, 123);
    call_free(call);
    call = call_begin("/ackd.v1.Inspect/List"); /* and one that goes away in between */
    call->room = 100;
    call_send(call, &m);
    call_cancel(call);
}

static void changes_during_the_listing(void **state)
{
    (void)state;
    uint64_t ids[60];
    for (unsigned i = 0; i < 60; i++) {
        ids[i] = make_connection(80, listener, NULL);
    }
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/List");
    call->room = 100;
    call_send(call, &m);
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    for (unsigned i = 0; i < 60; i++) { /* the cursor's place goes, too */
        abort.id = ids[i];
        reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    }
    call_room(call, 1 << 20);
    assert_true(call->over && call->code == GRPC_OK);
    struct listing l = {0};
    collect(call, &l);
    for (unsigned i = 1; i < l.n; i++) {
        assert_true(l.ids[i] > l.ids[i - 1]);
    }
    call_free(call);
}

static void filters(void **state)
{
    (void)state;
    Ackd__V1__Filter f = ACKD__V1__FILTER__INIT;
    assert_int_equal(count(&f), 3);
    Ackd__V1__State listen = ACKD__V1__STATE__STATE_LISTEN;
    f.states = &listen;
    f.n_states = 1;
    assert_int_equal(count(&f), 1);
    listen = ACKD__V1__STATE__STATE_TIME_WAIT;
    assert_int_equal(count(&f), 0);
    f.n_states = 0;
    f.family = 6;
    assert_int_equal(count(&f), 1); /* the listener serves both */
    f.family = 4;
    assert_int_equal(count(&f), 3);
    f.family = 0;
    f.remote_prefix = "192.0.2.0/24";
    assert_int_equal(count(&f), 2);
    f.remote_prefix = "";
    f.local_prefix = "192.0.2.9";
    assert_int_equal(count(&f), 0);
    f.local_prefix = "";
    Ackd__V1__PortRange range = ACKD__V1__PORT_RANGE__INIT, *ranges[] = {&range};
    range.first = 80;
    f.local_ports = ranges;
    f.n_local_ports = 1;
    assert_int_equal(count(&f), 2); /* the listener and its child */
    f.n_local_ports = 0;
    f.remote_ports = ranges;
    f.n_remote_ports = 1;
    range.last = 90;
    assert_int_equal(count(&f), 1);
    f.n_remote_ports = 0;
    f.listener_id = listener;
    assert_int_equal(count(&f), 1);
    f.listener_id = 0;
    uint64_t ids[] = {b, a, 999, a};
    f.ids = ids;
    f.n_ids = 4;
    assert_int_equal(count(&f), 2);
    f.n_ids = 0;
    f.uid_known_case = ACKD__V1__FILTER__UID_KNOWN_UID;
    f.uid = 0;
    assert_int_equal(count(&f), 3);
    f.uid = 1000;
    assert_int_equal(count(&f), 0);
    f.uid_known_case = 0;
    memcpy(endpoint_find(world.rpc, a)->label, "mine", 5);
    f.label = "mine";
    assert_int_equal(count(&f), 1);
    f.label = "min";
    assert_int_equal(count(&f), 0);
}

static void bad_filters(void **state)
{
    (void)state;
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    Ackd__V1__Filter f = ACKD__V1__FILTER__INIT;
    m.filter = &f;
    Ackd__V1__State bad = (Ackd__V1__State)77;
    f.states = &bad;
    f.n_states = 1;
    struct grpc_call *call =
        ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL");
    assert_string_equal(call->value, "filter.states");
    call_free(call);
    f.n_states = 0;
    f.family = 5;
    call_free(ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    f.family = 0;
    f.remote_prefix = "10.0.0.0/33";
    call_free(ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    f.remote_prefix = "";
    f.local_prefix = "x";
    call_free(ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    f.local_prefix = "";
    Ackd__V1__PortRange range = ACKD__V1__PORT_RANGE__INIT, *ranges[] = {&range};
    range.first = 90;
    range.last = 80;
    f.local_ports = ranges;
    f.n_local_ports = 1;
    call_free(ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    f.n_local_ports = 0;
    m.view = (Ackd__V1__View)9;
    call_free(ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.view = 0;
    m.closed = true;
    m.page_after_id = 3;
    call_free(ask_error("/ackd.v1.Inspect/List", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

static void the_recently_closed(void **state)
{
    (void)state;
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = a;
    memcpy(endpoint_find(world.rpc, a)->label, "gone", 5);
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    m.closed = true;
    struct listing *l = list(&m);
    assert_int_equal(l->n, 2); /* ours by abort, the peer's by reset */
    Ackd__V1__GetRequest g = ACKD__V1__GET_REQUEST__INIT;
    g.id = a;
    Ackd__V1__GetResponse *r = ask("/ackd.v1.Inspect/Get", &g);
    assert_int_equal(r->connection->state, ACKD__V1__STATE__STATE_CLOSED);
    assert_int_equal(r->connection->last_state, ACKD__V1__STATE__STATE_ESTABLISHED);
    assert_int_equal(r->connection->close_reason, ACKD__V1__CLOSE_REASON__CLOSE_ABORTED);
    assert_string_equal(r->connection->error, "ECONNABORTED");
    assert_string_equal(r->connection->label, "gone"); /* remembered */
    assert_int_equal(r->connection->owner->uid, 0);
    assert_int_equal(r->connection->closed_ns_known_case,
                     ACKD__V1__CONNECTION__CLOSED_NS_KNOWN_CLOSED_NS);
    reply_free(r);
    g.id = 4711;
    call_free(ask_error("/ackd.v1.Inspect/Get", &g, GRPC_NOT_FOUND, "EBADF"));
}

static void full_view(void **state)
{
    (void)state;
    send_text(a, 0, "hello");
    advance_ms(100);
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    Ackd__V1__Filter f = ACKD__V1__FILTER__INIT;
    f.ids = &a;
    f.n_ids = 1;
    m.filter = &f;
    m.view = ACKD__V1__VIEW__VIEW_FULL;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/List");
    call_send(call, &m);
    Ackd__V1__ListResponse *r = call_reply(call);
    const Ackd__V1__Connection *c = r->connections[0];
    assert_int_equal(c->bytes_sent, 5);
    assert_int_equal(c->bytes_acked, 5);
    assert_int_equal(c->snd_una, c->iss + 6);
    assert_true(c->n_limited > 0);
    assert_non_null(c->options);
    assert_true(c->cwnd_bytes > 0);
    reply_free(r);
    call_free(call);
    m.view = ACKD__V1__VIEW__VIEW_BASIC;
    call = call_begin("/ackd.v1.Inspect/List");
    call_send(call, &m);
    r = call_reply(call);
    assert_null(r->connections[0]->options);
    assert_int_equal(r->connections[0]->iss, 0);
    reply_free(r);
    call_free(call);
}

static void kill_ones_own(void **state)
{
    (void)state;
    world.peer.uid = 1000;
    uint64_t theirs = make_connection(80, listener, NULL);
    Ackd__V1__KillRequest m = ACKD__V1__KILL_REQUEST__INIT;
    Ackd__V1__Filter f = ACKD__V1__FILTER__INIT;
    Ackd__V1__State established = ACKD__V1__STATE__STATE_ESTABLISHED;
    f.states = &established;
    f.n_states = 1;
    m.filter = &f;
    Ackd__V1__KillResponse *r = ask("/ackd.v1.Inspect/Kill", &m);
    assert_int_equal(r->n_killed, 1);
    assert_int_equal(r->killed[0]->id, theirs);
    assert_string_equal(r->killed[0]->owner->command, "test");
    assert_int_equal(r->not_permitted,
                     3); /* both ends of the other one, and the end that root's listener has */
    reply_free(r);
    Ackd__V1__StatusRequest s = ACKD__V1__STATUS_REQUEST__INIT;
    s.id = theirs;
    expect_reason(ask_error("/ackd.v1.Tcp/Status", &s, GRPC_NOT_FOUND, "EBADF"), "KILLED", "id",
                  NULL);
    Ackd__V1__GetRequest g = ACKD__V1__GET_REQUEST__INIT;
    g.id = theirs;
    Ackd__V1__GetResponse *got = ask("/ackd.v1.Inspect/Get", &g);
    assert_int_equal(got->connection->close_reason, ACKD__V1__CLOSE_REASON__CLOSE_KILLED);
    assert_int_equal(got->connection->closed_ns_known_case,
                     ACKD__V1__CONNECTION__CLOSED_NS_KNOWN_CLOSED_NS);
    reply_free(got);
    world.peer.uid = 0; /* an admin: anybody's, the listener included */
    f.n_states = 0;
    r = ask("/ackd.v1.Inspect/Kill", &m);
    assert_int_equal(r->not_permitted, 0);
    assert_int_equal(r->n_killed, 3); /* the listener, and both ends that were left */
    reply_free(r);
    assert_int_equal(state_of_id(listener), TCP_CLOSED);
    assert_int_equal(tcp_endpoints(world.engine), 0); /* nothing stays as CLOSED */
}

/* Kill takes the endpoint away: those who waited are told why, and the one that had ended before
 * and was still held goes, too. */
static void kill_tells_and_releases(void **state)
{
    (void)state;
    uint64_t near_id = make_connection(80, listener, NULL), reset, peer;
    reset = make_connection(80, listener, NULL);
    Ackd__V1__AcceptRequest accept = ACKD__V1__ACCEPT_REQUEST__INIT;
    accept.id = listener;
    do { /* the setup left one in the queue */
        Ackd__V1__AcceptResponse *ar = ask("/ackd.v1.Tcp/Accept", &accept);
        peer = ar->id;
        reply_free(ar);
    } while (peer < reset);
    Ackd__V1__AbortRequest abort_it = ACKD__V1__ABORT_REQUEST__INIT;
    abort_it.id = peer;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort_it));
    struct tcp_info info;
    assert_int_equal(tcp_status(world.engine, now(), reset, false, &info), 0);
    assert_int_equal(info.state, TCP_CLOSED);
    Ackd__V1__ReceiveRequest m = ACKD__V1__RECEIVE_REQUEST__INIT;
    m.id = near_id;
    m.wait_ms = 60000;
    struct grpc_call *waiting = call_begin("/ackd.v1.Tcp/Receive");
    call_send(waiting, &m);
    assert_false(waiting->over);
    Ackd__V1__KillRequest k = ACKD__V1__KILL_REQUEST__INIT;
    Ackd__V1__KillResponse *r = ask("/ackd.v1.Inspect/Kill", &k);
    reply_free(r);
    expect_error(waiting, GRPC_ABORTED, "ECONNABORTED");
    expect_reason(waiting, "KILLED", "id", NULL);
    assert_int_equal(tcp_status(world.engine, now(), near_id, false, &info), -EBADF);
    assert_int_equal(tcp_status(world.engine, now(), reset, false, &info), -EBADF);
    assert_int_equal(tcp_endpoints(world.engine), 0);
}

static void kill_many_in_steps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        make_listener((uint16_t)(1000 + i), 1);
    }
    Ackd__V1__KillRequest m = ACKD__V1__KILL_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Kill");
    call_put(call, &m);
    assert_false(call->over); /* not in one turn */
    run();
    assert_true(call->over);
    Ackd__V1__KillResponse *r = call_reply(call);
    assert_int_equal(r->n_killed, 303);
    reply_free(r);
    call_free(call);
    call = call_begin("/ackd.v1.Inspect/Kill");
    call_put(call, &m);
    if (!call->over) {
        call_cancel(call);
    } else {
        call_free(call);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_in_order),
        TEST(waits_for_the_window),
        TEST(changes_during_the_listing),
        TEST(filters),
        TEST(bad_filters),
        TEST(the_recently_closed),
        TEST(full_view),
        TEST(kill_ones_own),
        TEST(kill_many_in_steps),
        TEST(kill_tells_and_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
