/* Open, Listen and Accept: who gets which endpoint, and what is left when a client goes away. */
#include "harness.h"

#include "rpc/endpoint.h"

static Ackd__V1__OpenRequest request = ACKD__V1__OPEN_REQUEST__INIT;
static Ackd__V1__Endpoint remote, local;
static Ackd__V1__Ownership own;

static Ackd__V1__OpenRequest *to(const char *address, uint16_t port)
{
    request = (Ackd__V1__OpenRequest)ACKD__V1__OPEN_REQUEST__INIT;
    ackd__v1__endpoint__init(&remote);
    ackd__v1__endpoint__init(&local);
    ackd__v1__ownership__init(&own);
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_DETACHED_IDLE_TIMEOUT_MS;
    remote.address = (char *)address;
    remote.port = port;
    request.remote = &remote;
    request.ownership = &own;
    request.wait_ms = 5000;
    return &request;
}

static void opens_and_accepts(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8), accepted;
    uint64_t id = make_connection(80, listener, &accepted);
    assert_int_equal(state_of_id(id), TCP_ESTABLISHED);
    assert_int_equal(state_of_id(accepted), TCP_ESTABLISHED);
    assert_int_equal(world.rpc->n_endpoints, 3);
    Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", to(LOCAL6, 80));
    assert_string_equal(r->local->address, LOCAL6);
    assert_true(r->local->port >= 49152);
    assert_int_equal(r->remote->port, 80);
    reply_free(r);
}

/* The first Open asks for a cookie, the second one's data go with its SYN (RFC 7413). */
static void fast_open(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    Ackd__V1__SetOptionsRequest set = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    Ackd__V1__Options options = ACKD__V1__OPTIONS__INIT;
    set.id = listener;
    set.options = &options;
    options.fast_open_queue_known_case = ACKD__V1__OPTIONS__FAST_OPEN_QUEUE_KNOWN_FAST_OPEN_QUEUE;
    options.fast_open_queue = 4;
    reply_free(ask("/ackd.v1.Tcp/SetOptions", &set));
    Ackd__V1__SetFastOpenKeyRequest key = ACKD__V1__SET_FAST_OPEN_KEY_REQUEST__INIT;
    key.key = (ProtobufCBinaryData){16, (uint8_t *)"0123456789abcdef"};
    reply_free(ask("/ackd.v1.Daemon/SetFastOpenKey", &key));
    for (unsigned i = 0; i < 2; i++) {
        Ackd__V1__OpenRequest *m = to(LOCAL4, 80);
        m->fast_open = true;
        m->data = (ProtobufCBinaryData){5, (uint8_t *)"hello"};
        Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", m);
        assert_int_equal(r->accepted_until, 5);
        struct tcp_info info;
        assert_int_equal(tcp_status(world.engine, now(), r->id, true, &info), 0);
        assert_int_equal(info.bytes_acked, 5);
        assert_int_equal(info.syn_data_taken, i);
        reply_free(r);
    }
    Ackd__V1__ListMetricsRequest lm = ACKD__V1__LIST_METRICS_REQUEST__INIT;
    Ackd__V1__ListMetricsResponse *l = ask("/ackd.v1.Daemon/ListMetrics", &lm);
    assert_int_equal(l->n_metrics, 1);
    assert_string_equal(l->metrics[0]->remote, LOCAL4);
    assert_int_equal(l->metrics[0]->fast_open_cookie_bytes, 8);
    reply_free(l);
    Ackd__V1__ClearMetricsRequest cm = ACKD__V1__CLEAR_METRICS_REQUEST__INIT;
    cm.remote = "everybody";
    call_free(ask_error("/ackd.v1.Daemon/ClearMetrics", &cm, GRPC_INVALID_ARGUMENT, "EINVAL"));
    const unsigned cleared[] = {0, 1};
    for (unsigned i = 0; i < 2; i++) {
        cm.remote = i ? "" : "192.0.2.200";
        Ackd__V1__ClearMetricsResponse *c = ask("/ackd.v1.Daemon/ClearMetrics", &cm);
        assert_int_equal(c->cleared, cleared[i]);
        reply_free(c);
    }
    key.key.len = 15;
    call_free(ask_error("/ackd.v1.Daemon/SetFastOpenKey", &key, GRPC_INVALID_ARGUMENT, "EINVAL"));
    key.key.len = 0;
    reply_free(ask("/ackd.v1.Daemon/SetFastOpenKey", &key));
    key.backup = (ProtobufCBinaryData){16, (uint8_t *)"0123456789abcdef"};
    call_free(ask_error("/ackd.v1.Daemon/SetFastOpenKey", &key, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

/* Whether a SYN's data are taken: the client has a cookie, and it is one of `listener`'s. */
static bool fast_opens(void)
{
    Ackd__V1__OpenRequest *m = to(LOCAL4, 80);
    struct tcp_info info;
    m->fast_open = true;
    m->data = (ProtobufCBinaryData){5, (uint8_t *)"hello"};
    Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", m);
    assert_int_equal(tcp_status(world.engine, now(), r->id, true, &info), 0);
    reply_free(r);
    return info.syn_data_taken;
}

/* Each refusal brings a new cookie, so the next attempt is taken. */
static void fast_open_keys_of_a_listener(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 32);
    Ackd__V1__SetOptionsRequest set = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    Ackd__V1__Options options = ACKD__V1__OPTIONS__INIT;
    Ackd__V1__SetFastOpenKeyRequest key = ACKD__V1__SET_FAST_OPEN_KEY_REQUEST__INIT;
    uint8_t octets[16] = "fedcba9876543210";
    set.id = listener;
    set.options = &options;
    options.fast_open_queue_known_case = ACKD__V1__OPTIONS__FAST_OPEN_QUEUE_KNOWN_FAST_OPEN_QUEUE;
    options.fast_open_queue = 16;
    reply_free(ask("/ackd.v1.Tcp/SetOptions", &set));
    assert_false(fast_opens());
    assert_true(fast_opens());
    key.listener_id = listener;
    key.rotate = true; /* random; what was before is good */
    reply_free(ask("/ackd.v1.Daemon/SetFastOpenKey", &key));
    assert_true(fast_opens());
    key.key = (ProtobufCBinaryData){16, octets};
    key.rotate = false; /* nothing else */
    reply_free(ask("/ackd.v1.Daemon/SetFastOpenKey", &key));
    assert_false(fast_opens());
    assert_true(fast_opens());
    key.backup = (ProtobufCBinaryData){16, octets};
    key.rotate = true;
    call_free(ask_error("/ackd.v1.Daemon/SetFastOpenKey", &key, GRPC_INVALID_ARGUMENT, "EINVAL"));
    key = (Ackd__V1__SetFastOpenKeyRequest)ACKD__V1__SET_FAST_OPEN_KEY_REQUEST__INIT;
    key.listener_id = listener; /* the common ones again */
    reply_free(ask("/ackd.v1.Daemon/SetFastOpenKey", &key));
    assert_false(fast_opens());
    key.listener_id = 999;
    struct grpc_call *call =
        ask_error("/ackd.v1.Daemon/SetFastOpenKey", &key, GRPC_NOT_FOUND, "EBADF");
    assert_string_equal(call->reason, "LISTENER_UNKNOWN");
    call_free(call);
}

static void refused(void **state)
{
    (void)state;
    struct grpc_call *call =
        ask_error("/ackd.v1.Tcp/Open", to(LOCAL4, 81), GRPC_ABORTED, "ECONNREFUSED");
    assert_string_equal(call->reason, "RST_IN_SYN_SENT");
    assert_string_equal(call->sentence, "the peer answered our SYN with RST");
    call_free(call);
    assert_int_equal(world.rpc->n_endpoints, 0);
    assert_int_equal(tcp_endpoints(world.engine), 0);
}

static void bad_requests(void **state)
{
    (void)state;
    Ackd__V1__OpenRequest *m = to("", 80);
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to(LOCAL4, 0);
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to("nowhere", 80);
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to(LOCAL4, 80);
    remote.port = 65536;
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to(LOCAL4, 80);
    m->ownership = NULL;
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to("198.51.100.1", 80);
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_ABORTED, "ENETUNREACH"));
    m = to(LOCAL4, 80);
    local.address = "192.0.2.9";
    m->local = &local;
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_FAILED_PRECONDITION, "EADDRNOTAVAIL"));
    m = to("224.0.0.1", 80);
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_FAILED_PRECONDITION, "EADDRNOTAVAIL"));
    m = to(LOCAL4, 80);
    m->request_id = "0123456789012345678901234567890123456789012345678901234567890123";
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to(LOCAL4, 80);
    own.label = m->request_id = "0123456789012345678901234567890123456789012345678901234567890123";
    m->request_id = "";
    call_free(ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m = to(LOCAL4, 80);
    Ackd__V1__Options options = ACKD__V1__OPTIONS__INIT;
    options.dscp_known_case = ACKD__V1__OPTIONS__DSCP_KNOWN_DSCP;
    options.dscp = 64;
    m->options = &options;
    struct grpc_call *call = ask_error("/ackd.v1.Tcp/Open", m, GRPC_INVALID_ARGUMENT, "EINVAL");
    assert_non_null(strstr(call->sentence, "options.dscp"));
    call_free(call);
    assert_int_equal(world.rpc->n_endpoints, 0);
}

static uint64_t open_again(const char *request_id)
{
    Ackd__V1__OpenRequest *m = to(LOCAL4, 80);
    m->request_id = (char *)request_id;
    Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", m);
    uint64_t id = r->id;
    reply_free(r);
    return id;
}

static void request_id_makes_one(void **state)
{
    (void)state;
    make_listener(80, 8);
    uint64_t id = open_again("a");
    assert_int_equal(open_again("a"), id);
    assert_true(open_again("b") != id);
    Ackd__V1__OpenRequest *m = to(LOCAL4, 81); /* the same id for something else */
    m->request_id = "a";
    struct grpc_call *call = ask_error("/ackd.v1.Tcp/Open", m, GRPC_ALREADY_EXISTS, "EEXIST");
    assert_string_equal(call->reason, "REQUEST_ID_REUSED");
    call_free(call);
    world.peer.uid = 1000; /* another user's ids are his own */
    assert_true(open_again("a") != id);
    world.peer.uid = 0;
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = id;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    assert_true(open_again("a") != id); /* the first one's life is over */
}

/* A listener whose queue is full does not answer: SYN-SENT stays. */
static uint64_t make_silent_listener(void)
{
    uint64_t listener = make_listener(80, 1);
    make_connection(80, listener, NULL);
    return listener;
}

static void wait_ends_in_syn_sent(void **state)
{
    (void)state;
    make_silent_listener();
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Open");
    call_send(call, to(LOCAL4, 80));
    assert_false(call->over);
    advance_ms(4999);
    assert_false(call->over);
    advance_ms(2);
    assert_true(call->over);
    assert_int_equal(call->code, GRPC_OK);
    Ackd__V1__OpenResponse *r = call_reply(call);
    assert_int_equal(r->state, ACKD__V1__STATE__STATE_SYN_SENT);
    reply_free(r);
    call_free(call);
}

static void cancelled_without_request_id_leaves_nothing(void **state)
{
    (void)state;
    make_silent_listener();
    unsigned before = world.rpc->n_endpoints;
    uint32_t engine = tcp_endpoints(world.engine);
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Open");
    call_send(call, to(LOCAL4, 80));
    assert_int_equal(world.rpc->n_endpoints, before + 1);
    call_cancel(call);
    assert_int_equal(world.rpc->n_endpoints, before);
    assert_int_equal(tcp_endpoints(world.engine), engine);
}

static void cancelled_open(void)
{
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Open");
    Ackd__V1__OpenRequest *m = to(LOCAL4, 80);
    m->request_id = "again";
    call_put(call, m);
    call_cancel(call);
}

static void cancelled_with_request_id_can_be_claimed(void **state)
{
    (void)state;
    uint64_t listener = make_silent_listener();
    unsigned before = world.rpc->n_endpoints;
    cancelled_open();
    assert_int_equal(world.rpc->n_endpoints, before + 1);
    struct endpoint *e = endpoint_find_request(world.rpc, 0, "again");
    assert_non_null(e);
    uint64_t id = e->id, accepted;
    Ackd__V1__AcceptRequest a = ACKD__V1__ACCEPT_REQUEST__INIT;
    a.id = listener;
    Ackd__V1__AcceptResponse *r = ask("/ackd.v1.Tcp/Accept", &a);
    accepted = r->id;
    assert_true(accepted != 0);
    reply_free(r);
    advance_ms(2000); /* the SYN is sent again and finds room */
    assert_int_equal(open_again("again"), id);
    advance_ms(120000); /* claimed: it stays */
    assert_int_equal(state_of_id(id), TCP_ESTABLISHED);
    cancelled_open(); /* a repetition that is cancelled does not take it back */
    advance_ms(120000);
    assert_int_equal(state_of_id(id), TCP_ESTABLISHED);
}

static void unclaimed_is_given_up(void **state)
{
    (void)state;
    make_silent_listener();
    unsigned before = world.rpc->n_endpoints;
    cancelled_open();
    assert_int_equal(world.rpc->n_endpoints, before + 1);
    advance_ms(61000);
    assert_int_equal(world.rpc->n_endpoints, before);
}

static void detached_idle_timeout(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    Ackd__V1__OpenRequest *m = to(LOCAL4, 80);
    own.detached_idle_timeout_ms = 10000;
    Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", m);
    uint64_t id = r->id;
    reply_free(r);
    advance_ms(9000);
    send_text(id, 0, "x"); /* use */
    advance_ms(9000);
    assert_int_equal(state_of_id(id), TCP_ESTABLISHED);
    advance_ms(15000);
    assert_null(endpoint_find_request(world.rpc, 0, "x"));
    assert_true(endpoint_find(world.rpc, id)->past);
    assert_false(endpoint_find(world.rpc, listener)->past);
}

static bool is_past(uint64_t id)
{
    return endpoint_find(world.rpc, id)->past;
}

/* A reset, without and with unread data: the reason stays for a minute, the data for an hour, each
 * from the last use; and then the endpoint is gone from the listing. */
static void closed_detached_is_released(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8), accepted[2];
    uint64_t empty = make_connection(80, listener, &accepted[0]);
    uint64_t unread = make_connection(80, listener, &accepted[1]);
    send_text(accepted[1], 0, "unread");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tcp_abort(world.engine, now(), accepted[i], TCP_CLOSE_KILLED), 0);
    }
    run();
    assert_int_equal(state_of_id(empty), TCP_CLOSED);
    advance_ms(59000);
    assert_false(is_past(empty));
    advance_ms(2000);
    assert_true(is_past(empty));
    assert_true(is_past(accepted[0])); /* the side that was ended counts as well */
    Ackd__V1__StatusRequest m = ACKD__V1__STATUS_REQUEST__INIT;
    m.id = unread;
    reply_free(ask("/ackd.v1.Tcp/Status", &m));
    advance_ms(3599000);
    assert_false(is_past(unread));
    advance_ms(2000);
    assert_true(is_past(unread));
    assert_int_equal(tcp_endpoints(world.engine), 1);
    assert_false(is_past(listener));
}

/* An Open that does not wait and fails later: nobody may ever ask for it again. */
static void failed_open_is_released(void **state)
{
    (void)state;
    Ackd__V1__OpenRequest *m = to(LOCAL4, 81);
    m->wait_ms = 0;
    Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", m);
    uint64_t id = r->id;
    assert_int_equal(r->state, ACKD__V1__STATE__STATE_SYN_SENT);
    reply_free(r);
    Ackd__V1__StatusRequest s = ACKD__V1__STATUS_REQUEST__INIT;
    s.id = id;
    Ackd__V1__StatusResponse *status = ask("/ackd.v1.Tcp/Status", &s);
    assert_int_equal(status->connection->close_reason, ACKD__V1__CLOSE_REASON__CLOSE_REFUSED);
    reply_free(status);
    advance_ms(61000);
    assert_true(is_past(id));
    assert_int_equal(tcp_endpoints(world.engine), 0);
}

static void quotas(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    make_connection(80, listener, NULL);
    make_connection(80, listener, NULL);
    struct grpc_call *call =
        ask_error("/ackd.v1.Tcp/Open", to(LOCAL4, 80), GRPC_RESOURCE_EXHAUSTED, "EMFILE");
    assert_string_equal(call->reason, "QUOTA");
    call_free(call);
    Ackd__V1__AcceptRequest a =
        ACKD__V1__ACCEPT_REQUEST__INIT; /* the connection stays in the queue */
    a.id = listener;
    call_free(ask_error("/ackd.v1.Tcp/Accept", &a, GRPC_RESOURCE_EXHAUSTED, "EMFILE"));
    struct tcp_info info;
    tcp_status(world.engine, now(), listener, false, &info);
    assert_int_equal(info.recv_q_bytes, 2);
    world.peer.uid = 1000; /* somebody else's quota */
    Ackd__V1__ListenRequest l = ACKD__V1__LISTEN_REQUEST__INIT;
    l.ownership = &own;
    reply_free(ask("/ackd.v1.Tcp/Listen", &l));
    call_free(ask_error("/ackd.v1.Tcp/Listen", &l, GRPC_RESOURCE_EXHAUSTED, "EMFILE"));
}

static void small_quotas(struct rpc_config *config)
{
    config->limits.endpoints_uid = 3;
    config->limits.listeners_uid = 1;
}

static int quota_setup(void **state)
{
    world_configure = small_quotas;
    int r = world_setup(state);
    world_configure = NULL;
    return r;
}

static void listen_errors(void **state)
{
    (void)state;
    make_listener(80, 8);
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    to(LOCAL4, 0);
    m.local = &local;
    m.ownership = &own;
    local.port = 80;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_ALREADY_EXISTS, "EADDRINUSE"));
    local.port = 81;
    m.backlog = 65536;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.backlog = 0;
    m.v4_only = m.v6_only = true;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.v4_only = m.v6_only = false;
    local.address = "192.0.2.2";
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_FAILED_PRECONDITION, "EADDRNOTAVAIL"));
    local.address = LOCAL4;
    m.request_id = "l";
    Ackd__V1__ListenResponse *a = ask("/ackd.v1.Tcp/Listen", &m),
                             *b = ask("/ackd.v1.Tcp/Listen", &m);
    assert_int_equal(a->id, b->id);
    assert_string_equal(a->local->address, LOCAL4);
    reply_free(a);
    reply_free(b);
}

static void privileged(struct rpc_config *config)
{
    static const struct rpc_grant grants[] = {
        {.group = true, .number = 50, .privileged_ports = true}};
    static struct ip_prefix allowed;
    ip_prefix_parse("192.0.2.0/24", &allowed);
    config->policy.privileged_below = 1024;
    config->policy.grants = grants;
    config->policy.n_grants = 1;
    config->policy.destinations = &allowed;
    config->policy.n_destinations = 1;
}

static int privileged_setup(void **state)
{
    world_configure = privileged;
    int r = world_setup(state);
    world_configure = NULL;
    return r;
}

static void privileges(void **state)
{
    (void)state;
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    to(LOCAL4, 0);
    m.local = &local;
    m.ownership = &own;
    local.port = 80;
    world.peer.uid = world.peer.gid = 1000;
    call_free(ask_error("/ackd.v1.Tcp/Listen", &m, GRPC_PERMISSION_DENIED, "EACCES"));
    call_free(ask_error("/ackd.v1.Tcp/Open", to(LOCAL6, 80), GRPC_PERMISSION_DENIED, "EACCES"));
    world.peer.gid = 50;
    to(LOCAL4, 0);
    local.port = 80;
    Ackd__V1__ListenResponse *r = ask("/ackd.v1.Tcp/Listen", &m);
    reply_free(r);
}

static struct grpc_call *accept_waiting(uint64_t listener, uint32_t wait_ms)
{
    Ackd__V1__AcceptRequest m = ACKD__V1__ACCEPT_REQUEST__INIT;
    m.id = listener;
    m.wait_ms = wait_ms;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Accept");
    call_send(call, &m);
    return call;
}

static uint64_t accepted_id(struct grpc_call *call)
{
    assert_true(call->over);
    assert_int_equal(call->code, GRPC_OK);
    Ackd__V1__AcceptResponse *r = call_reply(call);
    uint64_t id = r->id;
    reply_free(r);
    call_free(call);
    return id;
}

static void accepts_wait_in_order(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    assert_int_equal(accepted_id(accept_waiting(listener, 0)), 0);
    struct grpc_call *first = accept_waiting(listener, 60000),
                     *second = accept_waiting(listener, 60000);
    struct grpc_call *third = accept_waiting(listener, 1000);
    make_connection(80, listener, NULL);
    assert_true(first->over);
    assert_false(second->over);
    make_connection(80, listener, NULL);
    assert_true(second->over);
    advance_ms(1001);
    assert_true(accepted_id(first) < accepted_id(second));
    assert_int_equal(accepted_id(third), 0);
}

static void lost_accept_goes_to_the_next(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    make_connection(80, listener, NULL);
    Ackd__V1__AcceptRequest m = ACKD__V1__ACCEPT_REQUEST__INIT;
    m.id = listener;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Accept");
    call_put(call, &m);
    Ackd__V1__AcceptResponse *r = call_reply(call);
    uint64_t id = r->id;
    reply_free(r);
    struct grpc_call *next = call_begin("/ackd.v1.Tcp/Accept");
    m.wait_ms = 1000;
    call_put(next, &m);
    assert_false(next->over);
    call_cancel(call);
    assert_true(next->over);
    assert_int_equal(accepted_id(next), id);
    /* and when the listener is gone meanwhile, the connection ends */
    make_connection(80, listener, NULL);
    call = call_begin("/ackd.v1.Tcp/Accept");
    call_put(call, &m);
    r = call_reply(call);
    id = r->id;
    reply_free(r);
    struct endpoint *l = endpoint_find(world.rpc, listener);
    endpoint_release(l);
    call_cancel(call);
    assert_int_equal(state_of_id(id), TCP_CLOSED);
}

static void accept_wants_a_listener(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    uint64_t id = make_connection(80, listener, NULL);
    Ackd__V1__AcceptRequest m = ACKD__V1__ACCEPT_REQUEST__INIT;
    m.id = id;
    call_free(ask_error("/ackd.v1.Tcp/Accept", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.id = 9999;
    call_free(ask_error("/ackd.v1.Tcp/Accept", &m, GRPC_NOT_FOUND, "EBADF"));
    m.id = listener;
    world.peer.uid = 1000;
    call_free(ask_error("/ackd.v1.Tcp/Accept", &m, GRPC_PERMISSION_DENIED, "EPERM"));
    world.peer.uid = 0;
    struct grpc_call *waiting = accept_waiting(listener, 60000);
    assert_true(waiting->over);
    call_free(waiting);
    waiting = accept_waiting(listener, 60000);
    assert_false(waiting->over);
    endpoint_release(endpoint_find(world.rpc, listener)); /* under a waiting call */
    run();
    expect_error(waiting, GRPC_ABORTED, "ECANCELED");
    call_free(waiting);
}

static void accept_queue_is_not_ours(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    make_connection(80, listener, NULL);
    uint64_t last = 0;
    for (uint64_t id = 0; (id = tcp_next_id(world.engine, id)) != 0;) {
        last = endpoint_find(world.rpc, id) ? last : id;
    }
    assert_true(last != 0);
    Ackd__V1__StatusRequest m = ACKD__V1__STATUS_REQUEST__INIT;
    m.id = last;
    call_free(ask_error("/ackd.v1.Tcp/Status", &m, GRPC_PERMISSION_DENIED, "EPERM"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_and_accepts),
        TEST(fast_open),
        TEST(fast_open_keys_of_a_listener),
        TEST(refused),
        TEST(bad_requests),
        TEST(request_id_makes_one),
        TEST(wait_ends_in_syn_sent),
        TEST(cancelled_without_request_id_leaves_nothing),
        TEST(cancelled_with_request_id_can_be_claimed),
        TEST(unclaimed_is_given_up),
        TEST(detached_idle_timeout),
        TEST(closed_detached_is_released),
        TEST(failed_open_is_released),
        cmocka_unit_test_setup_teardown(quotas, quota_setup, world_teardown),
        TEST(listen_errors),
        cmocka_unit_test_setup_teardown(privileges, privileged_setup, world_teardown),
        TEST(accepts_wait_in_order),
        TEST(lost_accept_goes_to_the_next),
        TEST(accept_wants_a_listener),
        TEST(accept_queue_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
