/* Daemon, Lab and Counters; and the role of every method. */
#include "harness.h"

#include <stdio.h>

static void version_and_status(void **state)
{
    (void)state;
    Ackd__V1__GetVersionRequest vm = ACKD__V1__GET_VERSION_REQUEST__INIT;
    Ackd__V1__GetVersionResponse *v = ask("/ackd.v1.Daemon/GetVersion", &vm);
    assert_string_equal(v->version, "0.0.1");
    assert_string_equal(v->schema, "ackd.v1");
    for (unsigned i = 0; i < v->n_capabilities; i++) {
        assert_string_not_equal(v->capabilities[i], "lab");
    }
    reply_free(v);
    make_listener(80, 8);
    advance_ms(5000);
    Ackd__V1__GetStatusRequest sm = ACKD__V1__GET_STATUS_REQUEST__INIT;
    Ackd__V1__GetStatusResponse *s = ask("/ackd.v1.Daemon/GetStatus", &sm);
    assert_string_equal(s->instance_id, "instance-1");
    assert_int_equal(s->uptime_ns, 5 * NS_PER_S);
    assert_int_equal(s->endpoints, 1);
    assert_int_equal(s->n_states, TCP_STATES);
    assert_int_equal(s->states[TCP_LISTEN]->count, 1);
    assert_true(s->memory_used_bytes > 0 && s->memory_used_bytes <= s->memory_taken_bytes);
    assert_string_equal(s->log_level, "notice");
    assert_string_equal(s->link, "none");
    reply_free(s);
}

static void log_level(void **state)
{
    (void)state;
    Ackd__V1__SetLogLevelRequest m = ACKD__V1__SET_LOG_LEVEL_REQUEST__INIT;
    m.level = "debug";
    Ackd__V1__SetLogLevelResponse *r = ask("/ackd.v1.Daemon/SetLogLevel", &m);
    assert_string_equal(r->previous_level, "notice");
    assert_int_equal(world.log.level, LOG_LEVEL_DEBUG);
    reply_free(r);
    m.level = "loud";
    call_free(ask_error("/ackd.v1.Daemon/SetLogLevel", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

static void addresses(void **state)
{
    (void)state;
    Ackd__V1__AddAddressRequest m = ACKD__V1__ADD_ADDRESS_REQUEST__INIT;
    Ackd__V1__Address a = ACKD__V1__ADDRESS__INIT;
    call_free(ask_error("/ackd.v1.Daemon/AddAddress", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.address = &a;
    a.address = "198.51.100.7";
    a.prefix_length = 33;
    call_free(ask_error("/ackd.v1.Daemon/AddAddress", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    a.prefix_length = 24;
    reply_free(ask("/ackd.v1.Daemon/AddAddress", &m));
    call_free(ask_error("/ackd.v1.Daemon/AddAddress", &m, GRPC_ALREADY_EXISTS, "EEXIST"));
    Ackd__V1__ListAddressesRequest lm = ACKD__V1__LIST_ADDRESSES_REQUEST__INIT;
    Ackd__V1__ListAddressesResponse *l = ask("/ackd.v1.Daemon/ListAddresses", &lm);
    bool found = false;
    for (unsigned i = 0; i < l->n_addresses; i++) {
        found |= strcmp(l->addresses[i]->address, "198.51.100.7") == 0 &&
                 l->addresses[i]->prefix_length == 24;
    }
    assert_true(found);
    reply_free(l);
    Ackd__V1__RemoveAddressRequest r = ACKD__V1__REMOVE_ADDRESS_REQUEST__INIT;
    r.address = "198.51.100.7";
    reply_free(ask("/ackd.v1.Daemon/RemoveAddress", &r));
    call_free(ask_error("/ackd.v1.Daemon/RemoveAddress", &r, GRPC_NOT_FOUND, "ENOENT"));
}

static void routes_and_neighbours(void **state)
{
    (void)state;
    Ackd__V1__AddRouteRequest m = ACKD__V1__ADD_ROUTE_REQUEST__INIT;
    Ackd__V1__Route route = ACKD__V1__ROUTE__INIT;
    m.route = &route;
    route.prefix = "203.0.113.0/24";
    reply_free(ask("/ackd.v1.Daemon/AddRoute", &m));
    call_free(ask_error("/ackd.v1.Daemon/AddRoute", &m, GRPC_ALREADY_EXISTS, "EEXIST"));
    route.gateway = "10.9.9.9";
    call_free(ask_error("/ackd.v1.Daemon/AddRoute", &m, GRPC_ABORTED, "ENETUNREACH"));
    route.gateway = "nobody";
    call_free(ask_error("/ackd.v1.Daemon/AddRoute", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    Ackd__V1__ListRoutesRequest lm = ACKD__V1__LIST_ROUTES_REQUEST__INIT;
    Ackd__V1__ListRoutesResponse *l = ask("/ackd.v1.Daemon/ListRoutes", &lm);
    bool found = false;
    for (unsigned i = 0; i < l->n_routes; i++) {
        found |=
            strcmp(l->routes[i]->prefix, "203.0.113.0/24") == 0 && l->routes[i]->gateway[0] == '\0';
    }
    assert_true(found);
    reply_free(l);
    Ackd__V1__RemoveRouteRequest r = ACKD__V1__REMOVE_ROUTE_REQUEST__INIT;
    r.prefix = "203.0.113.0/24";
    reply_free(ask("/ackd.v1.Daemon/RemoveRoute", &r));
    Ackd__V1__SetNeighbourRequest n = ACKD__V1__SET_NEIGHBOUR_REQUEST__INIT;
    n.address = "192.0.2.77";
    n.mac = "02:00:00:00:00:4d";
    reply_free(ask("/ackd.v1.Daemon/SetNeighbour", &n));
    n.mac = "02:00:00:00:00";
    call_free(ask_error("/ackd.v1.Daemon/SetNeighbour", &n, GRPC_INVALID_ARGUMENT, "EINVAL"));
    Ackd__V1__ListNeighboursRequest nm = ACKD__V1__LIST_NEIGHBOURS_REQUEST__INIT;
    Ackd__V1__ListNeighboursResponse *nl = ask("/ackd.v1.Daemon/ListNeighbours", &nm);
    assert_int_equal(nl->n_neighbours, 1);
    assert_string_equal(nl->neighbours[0]->mac, "02:00:00:00:00:4d");
    assert_true(nl->neighbours[0]->is_static);
    reply_free(nl);
    Ackd__V1__RemoveNeighbourRequest rn = ACKD__V1__REMOVE_NEIGHBOUR_REQUEST__INIT;
    rn.address = "192.0.2.77";
    reply_free(ask("/ackd.v1.Daemon/RemoveNeighbour", &rn));
    call_free(ask_error("/ackd.v1.Daemon/RemoveNeighbour", &rn, GRPC_NOT_FOUND, "ENOENT"));
}

/* A key goes in and never comes out: no answer has its octets, and they are wiped in the message.
 */
static void keys(void **state)
{
    (void)state;
    Ackd__V1__AddKeyRequest m = ACKD__V1__ADD_KEY_REQUEST__INIT;
    Ackd__V1__Key k = ACKD__V1__KEY__INIT;
    uint8_t secret[] = "very secret";
    m.secret.data = secret;
    m.secret.len = 11;
    call_free(ask_error("/ackd.v1.Daemon/AddKey", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.key = &k;
    k.remote = "192.0.2.0/24";
    call_free(ask_error("/ackd.v1.Daemon/AddKey", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    k.algorithm = ACKD__V1__KEY_ALGORITHM__KEY_ALGORITHM_HMAC_SHA1_96;
    k.send_id = 256;
    call_free(ask_error("/ackd.v1.Daemon/AddKey", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    k.send_id = 7;
    k.receive_id = 8;
    k.local_port = 179;
    Ackd__V1__AddKeyResponse *added = ask("/ackd.v1.Daemon/AddKey", &m);
    assert_int_equal(added->key_id, 1);
    reply_free(added);
    struct grpc_call *again =
        ask_error("/ackd.v1.Daemon/AddKey", &m, GRPC_ALREADY_EXISTS, "EEXIST");
    assert_null(strstr(again->sentence, "secret"));
    call_free(again);
    m.secret.len = 0;
    k.send_id = k.receive_id = 9;
    call_free(ask_error("/ackd.v1.Daemon/AddKey", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    Ackd__V1__ListKeysRequest lm = ACKD__V1__LIST_KEYS_REQUEST__INIT;
    Ackd__V1__ListKeysResponse *l = ask("/ackd.v1.Daemon/ListKeys", &lm);
    assert_int_equal(l->n_keys, 1);
    assert_string_equal(l->keys[0]->remote, "192.0.2.0/24");
    assert_int_equal(l->keys[0]->send_id, 7);
    assert_int_equal(l->keys[0]->receive_id, 8);
    assert_int_equal(l->keys[0]->local_port, 179);
    reply_free(l);
    Ackd__V1__UseKeyRequest u = ACKD__V1__USE_KEY_REQUEST__INIT;
    u.id = 4711;
    u.current_key_id = 1;
    call_free(ask_error("/ackd.v1.Daemon/UseKey", &u, GRPC_NOT_FOUND, "EBADF"));
    Ackd__V1__RemoveKeyRequest r = ACKD__V1__REMOVE_KEY_REQUEST__INIT;
    r.key_id = 1;
    reply_free(ask("/ackd.v1.Daemon/RemoveKey", &r));
    call_free(ask_error("/ackd.v1.Daemon/RemoveKey", &r, GRPC_NOT_FOUND, "ENOENT"));
}

/* More keys than one turn writes; the calls between are answered meanwhile. */
static void a_long_listing_takes_turns(void **state)
{
    (void)state;
    enum { MANY = 300 };
    Ackd__V1__AddKeyRequest m = ACKD__V1__ADD_KEY_REQUEST__INIT;
    Ackd__V1__Key k = ACKD__V1__KEY__INIT;
    char remote[32];
    m.key = &k;
    k.algorithm = ACKD__V1__KEY_ALGORITHM__KEY_ALGORITHM_MD5;
    k.remote = remote;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(remote, sizeof remote, "10.1.%u.%u", i / 100, i % 100);
        uint8_t secret[] = "x"; /* is wiped */
        m.secret = (ProtobufCBinaryData){1, secret};
        reply_free(ask("/ackd.v1.Daemon/AddKey", &m));
    }
    Ackd__V1__ListKeysRequest lm = ACKD__V1__LIST_KEYS_REQUEST__INIT;
    struct grpc_call *given_up = call_begin("/ackd.v1.Daemon/ListKeys");
    struct grpc_call *call = call_begin("/ackd.v1.Daemon/ListKeys");
    call_put(call, &lm);
    call_put(given_up, &lm);
    assert_false(call->over);
    call_cancel(given_up);
    run();
    assert_true(call->over);
    Ackd__V1__ListKeysResponse *l = call_reply(call);
    assert_int_equal(l->n_keys, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(remote, sizeof remote, "10.1.%u.%u", i / 100, i % 100);
        assert_int_equal(l->keys[i]->key_id, i + 1);
        assert_string_equal(l->keys[i]->remote, remote);
    }
    reply_free(l);
    call_free(call);
}

static void no_laboratory(void **state)
{
    (void)state;
    Ackd__V1__ClockRequest m = ACKD__V1__CLOCK_REQUEST__INIT;
    struct grpc_call *call = ask_error("/ackd.v1.Lab/Clock", &m, GRPC_UNIMPLEMENTED, "ENOSYS");
    assert_non_null(strstr(call->sentence, "laboratory"));
    call_free(call);
    assert_int_equal(n_lab_methods, 7);
}

static const Ackd__V1__Counter *find(const Ackd__V1__CountersResponse *r, const char *name)
{
    for (unsigned i = 0; i < r->n_counters; i++) {
        if (strcmp(r->counters[i]->name, name) == 0) {
            return r->counters[i];
        }
    }
    fail_msg("no counter %s", name);
    return NULL;
}

static void counters(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    make_connection(80, listener, NULL);
    Ackd__V1__CountersRequest m = ACKD__V1__COUNTERS_REQUEST__INIT;
    Ackd__V1__CountersResponse *r = ask("/ackd.v1.Inspect/Counters", &m);
    assert_int_equal(find(r, "tcp.active_opens")->value, 1);
    assert_string_equal(find(r, "tcp.active_opens")->unit, "connections");
    assert_int_equal(find(r, "tcp.drop.paws")->value, 0);
    assert_true(find(r, "tcp.drop.paws")->meaning[0] != '\0');
    assert_int_equal(find(r, "tcp.state.established")->value, 2);
    assert_true(find(r, "tcp.state.syn_sent")->gauge);
    assert_true(find(r, "net.loopback_packets")->value > 0);
    assert_int_equal(find(r, "net.drop.arp_spoofed")->value, 0);
    assert_int_equal(find(r, "rpc.calls_begun")->value, 42);
    assert_false(find(r, "rpc.calls_begun")->gauge);
    assert_true(find(r, "memory.used")->gauge);
    unsigned all = (unsigned)r->n_counters;
    for (unsigned i = 0; i < all; i++) { /* names are unique */
        for (unsigned k = i + 1; k < all; k++) {
            assert_string_not_equal(r->counters[i]->name, r->counters[k]->name);
        }
    }
    reply_free(r);
    m.prefix = "tcp.close.";
    r = ask("/ackd.v1.Inspect/Counters", &m);
    assert_int_equal(r->n_counters, TCP_CLOSES - 1);
    reply_free(r);
}

static void every_method_has_a_role(void **state)
{
    (void)state;
    assert_int_equal(world.n_methods, 44);
    for (unsigned i = 0; i < world.n_methods; i++) {
        int role = grpc_method_role(NULL, world.methods[i]->path);
        assert_true(role >= RPC_ROLE_MONITOR && role <= RPC_ROLE_ADMIN);
    }
}

static enum grpc_code allowed(const char *path)
{
    struct grpc_call *call = call_begin(path);
    enum grpc_code code = call->code;
    if (code == GRPC_OK) {
        call_cancel(call);
    } else {
        assert_true(strlen(call->sentence) > 10);
        call_free(call);
    }
    return code;
}

static void roles(void **state)
{
    (void)state;
    world.peer.uid = 1000;
    assert_int_equal(allowed("/ackd.v1.Inspect/List"), GRPC_OK);
    assert_int_equal(allowed("/ackd.v1.Tcp/Open"), GRPC_OK);
    assert_int_equal(allowed("/ackd.v1.Lab/Craft"), GRPC_PERMISSION_DENIED);
    assert_int_equal(allowed("/ackd.v1.Daemon/SetLogLevel"), GRPC_PERMISSION_DENIED);
    world.peer.read_only = true;
    assert_int_equal(allowed("/ackd.v1.Inspect/List"), GRPC_OK);
    assert_int_equal(allowed("/ackd.v1.Tcp/Open"), GRPC_PERMISSION_DENIED);
    world.peer.uid = 0; /* not even root by the read-only socket */
    assert_int_equal(allowed("/ackd.v1.Inspect/Kill"), GRPC_PERMISSION_DENIED);
    world.peer.read_only = false;
    assert_int_equal(allowed("/ackd.v1.Daemon/SetLogLevel"), GRPC_OK);
    world.peer.uid = 990; /* the daemon's own */
    assert_int_equal(allowed("/ackd.v1.Daemon/SetLogLevel"), GRPC_OK);
    world.peer.uid = 1001;
    assert_int_equal(allowed("/ackd.v1.Lab/Craft"), GRPC_OK);
    assert_int_equal(allowed("/ackd.v1.Daemon/AddRoute"), GRPC_PERMISSION_DENIED);
    world.peer.uid = 1002;
    world.peer.gid = 44;
    assert_int_equal(allowed("/ackd.v1.Daemon/AddRoute"), GRPC_OK);
}

static void grants(struct rpc_config *config)
{
    static const struct rpc_grant g[] = {{.number = 1001, .role = RPC_ROLE_LAB},
                                         {.group = true, .number = 44, .role = RPC_ROLE_ADMIN}};
    config->policy.grants = g;
    config->policy.n_grants = 2;
}

static int grant_setup(void **state)
{
    world_configure = grants;
    int r = world_setup(state);
    world_configure = NULL;
    return r;
}

static int ethernet_setup(void **state)
{
    world_ethernet = true;
    int r = world_setup(state);
    world_ethernet = false;
    return r;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(version_and_status),
        TEST(log_level),
        TEST(addresses),
        cmocka_unit_test_setup_teardown(routes_and_neighbours, ethernet_setup, world_teardown),
        cmocka_unit_test_setup_teardown(keys, ethernet_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_long_listing_takes_turns, world_setup, world_teardown),
        TEST(no_laboratory),
        TEST(counters),
        TEST(every_method_has_a_role),
        cmocka_unit_test_setup_teardown(roles, grant_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
