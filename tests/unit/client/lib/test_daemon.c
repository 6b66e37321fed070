/* The calls about the daemon itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "ackd/v1/daemon.pb-c.h"
#include "typed.h"

static int setup(void **state)
{
    struct typed *t = malloc(sizeof *t);
    typed_start(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    typed_stop(*state);
    free(*state);
    return 0;
}

static void test_status(void **state)
{
    struct typed *t = *state;
    struct ackd_daemon_status out;
    Ackd__V1__StateCount count = ACKD__V1__STATE_COUNT__INIT, *counts[40];
    Ackd__V1__CallbackBucket bucket = ACKD__V1__CALLBACK_BUCKET__INIT, *buckets[] = {&bucket};
    char *services[] = {"echo"};
    count.state = ACKD__V1__STATE__STATE_LISTEN;
    count.count = 4;
    for (int i = 0; i < 40; i++)
        counts[i] = &count;
    bucket.below_ns = 1000;
    bucket.cpu_count = 6;
    bucket.count = 2;
    Ackd__V1__GetStatusResponse r = ACKD__V1__GET_STATUS_RESPONSE__INIT;
    r.instance_id = "abc";
    r.pid = 7;
    r.uptime_ns = -1;
    r.states = counts;
    r.n_states = 40; /* more than fit */
    r.callbacks = buckets;
    r.n_callbacks = 1;
    r.services = services;
    r.n_services = 1;
    r.log_level = "a level that is much longer than its array";
    typed_expect(t, "/ackd.v1.Daemon/GetStatus", &ackd__v1__get_status_request__descriptor,
                 &r.base);
    assert_int_equal(ackd_daemon_status(t->a, &out, NULL), 0);
    assert_string_equal(out.instance_id, "abc");
    assert_int_equal(out.pid, 7);
    assert_int_equal(out.uptime_ns, -1);
    assert_int_equal(out.state_count, 16);
    assert_int_equal(out.states[15].count, 4);
    assert_int_equal(out.callback_count, 1);
    assert_int_equal(out.callbacks[0].below_ns, 1000);
    assert_int_equal(out.callbacks[0].cpu_count, 6);
    assert_string_equal(out.services[0], "echo");
    assert_string_equal(out.log_level, "a level that is");
}

static void test_log_level(void **state)
{
    struct typed *t = *state;
    char previous[16];
    Ackd__V1__SetLogLevelResponse r = ACKD__V1__SET_LOG_LEVEL_RESPONSE__INIT;
    r.previous_level = "info";
    typed_expect(t, "/ackd.v1.Daemon/SetLogLevel", &ackd__v1__set_log_level_request__descriptor,
                 &r.base);
    assert_int_equal(ackd_set_log_level(t->a, "debug", previous, NULL), 0);
    assert_string_equal(t->request, "{\"level\":\"debug\"}");
    assert_string_equal(previous, "info");
}

static void test_addresses(void **state)
{
    struct typed *t = *state;
    const struct ackd_address *list;
    size_t count;
    char mac[24];
    Ackd__V1__Address one = ACKD__V1__ADDRESS__INIT, *all[] = {&one, &one};
    one.address = "10.0.0.1";
    one.prefix_length = 24;
    one.state = "preferred";
    Ackd__V1__ListAddressesResponse r = ACKD__V1__LIST_ADDRESSES_RESPONSE__INIT;
    r.addresses = all;
    r.n_addresses = 2;
    r.mac = "02:00:00:00:00:01";
    typed_expect(t, "/ackd.v1.Daemon/ListAddresses", &ackd__v1__list_addresses_request__descriptor,
                 &r.base);
    assert_int_equal(ackd_addresses(t->a, &list, &count, mac, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(list[1].address, "10.0.0.1");
    assert_int_equal(list[1].prefix_length, 24);
    assert_string_equal(list[1].state, "preferred");
    assert_string_equal(mac, "02:00:00:00:00:01");

    Ackd__V1__AddAddressResponse added = ACKD__V1__ADD_ADDRESS_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/AddAddress", &ackd__v1__add_address_request__descriptor,
                 &added.base);
    assert_int_equal(ackd_add_address(t->a, "fd00::1", 64, NULL), 0);
    assert_string_equal(t->request, "{\"address\":{\"address\":\"fd00::1\",\"prefix_length\":64}}");
    Ackd__V1__RemoveAddressResponse removed = ACKD__V1__REMOVE_ADDRESS_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/RemoveAddress", &ackd__v1__remove_address_request__descriptor,
                 &removed.base);
    assert_int_equal(ackd_remove_address(t->a, "fd00::1", NULL), 0);
    assert_string_equal(t->request, "{\"address\":\"fd00::1\"}");
}

static void test_routes(void **state)
{
    struct typed *t = *state;
    const struct ackd_route *list;
    size_t count;
    Ackd__V1__ListRoutesResponse none = ACKD__V1__LIST_ROUTES_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/ListRoutes", &ackd__v1__list_routes_request__descriptor,
                 &none.base);
    assert_int_equal(ackd_routes(t->a, &list, &count, NULL), 0);
    assert_int_equal(count, 0);

    Ackd__V1__Route one = ACKD__V1__ROUTE__INIT, *all[] = {&one};
    one.prefix = "::/0";
    one.gateway = "fe80::1";
    none.routes = all;
    none.n_routes = 1;
    assert_int_equal(ackd_routes(t->a, &list, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].prefix, "::/0");
    assert_string_equal(list[0].gateway, "fe80::1");

    Ackd__V1__AddRouteResponse added = ACKD__V1__ADD_ROUTE_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/AddRoute", &ackd__v1__add_route_request__descriptor,
                 &added.base);
    assert_int_equal(ackd_add_route(t->a, "10.0.0.0/8", NULL, NULL), 0);
    assert_string_equal(t->request, "{\"route\":{\"prefix\":\"10.0.0.0/8\"}}");
    Ackd__V1__RemoveRouteResponse removed = ACKD__V1__REMOVE_ROUTE_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/RemoveRoute", &ackd__v1__remove_route_request__descriptor,
                 &removed.base);
    assert_int_equal(ackd_remove_route(t->a, "10.0.0.0/8", NULL), 0);
    assert_string_equal(t->request, "{\"prefix\":\"10.0.0.0/8\"}");
}

static void test_metrics(void **state)
{
    struct typed *t = *state;
    const struct ackd_path_metrics *list;
    size_t count;
    uint32_t cleared;
    Ackd__V1__PathMetrics one = ACKD__V1__PATH_METRICS__INIT, *all[] = {&one};
    one.local = "10.0.0.1";
    one.remote = "10.0.0.2";
    one.rttvar_ns_known_case = ACKD__V1__PATH_METRICS__RTTVAR_NS_KNOWN_RTTVAR_NS;
    one.rttvar_ns = 7;
    one.fast_open_cookie_bytes = 8;
    one.accecn_failures = 4;
    one.accecn_offer_after_ns = 9;
    Ackd__V1__ListMetricsResponse r = ACKD__V1__LIST_METRICS_RESPONSE__INIT;
    r.metrics = all;
    r.n_metrics = 1;
    typed_expect(t, "/ackd.v1.Daemon/ListMetrics", &ackd__v1__list_metrics_request__descriptor,
                 &r.base);
    assert_int_equal(ackd_metrics(t->a, &list, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].remote, "10.0.0.2");
    assert_false(list[0].has_srtt_ns);
    assert_true(list[0].has_rttvar_ns && list[0].rttvar_ns == 7);
    assert_int_equal(list[0].fast_open_cookie_bytes, 8);
    assert_int_equal(list[0].accecn_failures, 4);
    assert_int_equal(list[0].accecn_offer_after_ns, 9);
    Ackd__V1__ClearMetricsResponse c = ACKD__V1__CLEAR_METRICS_RESPONSE__INIT;
    c.cleared = 3;
    typed_expect(t, "/ackd.v1.Daemon/ClearMetrics", &ackd__v1__clear_metrics_request__descriptor,
                 &c.base);
    assert_int_equal(ackd_clear_metrics(t->a, "10.0.0.2", &cleared, NULL), 0);
    assert_int_equal(cleared, 3);
    assert_string_equal(t->request, "{\"remote\":\"10.0.0.2\"}");
    Ackd__V1__SetFastOpenKeyResponse k = ACKD__V1__SET_FAST_OPEN_KEY_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/SetFastOpenKey",
                 &ackd__v1__set_fast_open_key_request__descriptor, &k.base);
    static const uint8_t key[] = "0123456789abcdef";
    assert_int_equal(ackd_set_fast_open_key(t->a, 0, key, NULL, NULL), 0);
    assert_string_equal(t->request, "{\"key\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}");
    typed_expect(t, "/ackd.v1.Daemon/SetFastOpenKey",
                 &ackd__v1__set_fast_open_key_request__descriptor, &k.base);
    assert_int_equal(ackd_set_fast_open_key(t->a, 7, key, key, NULL), 0);
    assert_string_equal(t->request, "{\"key\":\"MDEyMzQ1Njc4OWFiY2RlZg==\",\"backup\":"
                                    "\"MDEyMzQ1Njc4OWFiY2RlZg==\",\"listener_id\":\"7\"}");
    typed_expect(t, "/ackd.v1.Daemon/SetFastOpenKey",
                 &ackd__v1__set_fast_open_key_request__descriptor, &k.base);
    assert_int_equal(ackd_rotate_fast_open_key(t->a, 0, NULL, NULL), 0);
    assert_string_equal(t->request, "{\"rotate\":true}");
}

static void test_neighbours(void **state)
{
    struct typed *t = *state;
    const struct ackd_neighbour *list;
    size_t count;
    Ackd__V1__Neighbour one = ACKD__V1__NEIGHBOUR__INIT, *all[] = {&one};
    one.address = "10.0.0.2";
    one.state = "reachable";
    one.is_static = true;
    one.queued_packets = 3;
    one.since_ns = 5;
    Ackd__V1__ListNeighboursResponse r = ACKD__V1__LIST_NEIGHBOURS_RESPONSE__INIT;
    r.neighbours = all;
    r.n_neighbours = 1;
    typed_expect(t, "/ackd.v1.Daemon/ListNeighbours",
                 &ackd__v1__list_neighbours_request__descriptor, &r.base);
    assert_int_equal(ackd_neighbours(t->a, &list, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].address, "10.0.0.2");
    assert_string_equal(list[0].mac, "");
    assert_true(list[0].is_static);
    assert_false(list[0].is_router);
    assert_int_equal(list[0].queued_packets, 3);

    Ackd__V1__SetNeighbourResponse set = ACKD__V1__SET_NEIGHBOUR_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/SetNeighbour", &ackd__v1__set_neighbour_request__descriptor,
                 &set.base);
    assert_int_equal(ackd_set_neighbour(t->a, "10.0.0.2", "02:00:00:00:00:09", NULL), 0);
    assert_string_equal(t->request, "{\"address\":\"10.0.0.2\",\"mac\":\"02:00:00:00:00:09\"}");
    Ackd__V1__RemoveNeighbourResponse removed = ACKD__V1__REMOVE_NEIGHBOUR_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/RemoveNeighbour",
                 &ackd__v1__remove_neighbour_request__descriptor, &removed.base);
    assert_int_equal(ackd_remove_neighbour(t->a, "10.0.0.2", NULL), 0);
    assert_string_equal(t->request, "{\"address\":\"10.0.0.2\"}");
}

static void test_keys(void **state)
{
    struct typed *t = *state;
    const struct ackd_key *list;
    size_t count;
    uint64_t number;
    Ackd__V1__Key one = ACKD__V1__KEY__INIT, *all[] = {&one};
    one.key_id = 3;
    one.algorithm = ACKD__V1__KEY_ALGORITHM__KEY_ALGORITHM_MD5;
    one.remote = "10.0.0.2";
    one.local_port = 179;
    one.connections = 2;
    Ackd__V1__ListKeysResponse r = ACKD__V1__LIST_KEYS_RESPONSE__INIT;
    r.keys = all;
    r.n_keys = 1;
    typed_expect(t, "/ackd.v1.Daemon/ListKeys", &ackd__v1__list_keys_request__descriptor, &r.base);
    assert_int_equal(ackd_keys(t->a, 0, &list, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].key_id, 3);
    assert_int_equal(list[0].algorithm, ACKD_KEY_ALGORITHM_MD5);
    assert_string_equal(list[0].remote, "10.0.0.2");
    assert_int_equal(list[0].local_port, 179);
    assert_int_equal(list[0].connections, 2);

    struct ackd_key k = {.algorithm = ACKD_KEY_ALGORITHM_AES_128_CMAC_96,
                         .remote = "10.0.0.0/8",
                         .send_id = 7,
                         .receive_id = 8};
    Ackd__V1__AddKeyResponse added = ACKD__V1__ADD_KEY_RESPONSE__INIT;
    added.key_id = 4;
    typed_expect(t, "/ackd.v1.Daemon/AddKey", &ackd__v1__add_key_request__descriptor, &added.base);
    assert_int_equal(ackd_add_key(t->a, &k, "abc", 3, &number, NULL), 0);
    assert_int_equal(number, 4);
    assert_non_null(strstr(t->request, "\"secret\":\"YWJj\""));
    assert_non_null(strstr(t->request, "\"send_id\":7"));

    Ackd__V1__RemoveKeyResponse removed = ACKD__V1__REMOVE_KEY_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/RemoveKey", &ackd__v1__remove_key_request__descriptor,
                 &removed.base);
    assert_int_equal(ackd_remove_key(t->a, 4, true, NULL), 0);
    assert_string_equal(t->request, "{\"key_id\":\"4\",\"force\":true}");
    Ackd__V1__UseKeyResponse used = ACKD__V1__USE_KEY_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Daemon/UseKey", &ackd__v1__use_key_request__descriptor, &used.base);
    assert_int_equal(ackd_use_key(t->a, 9, 4, 0, NULL), 0);
    assert_string_equal(t->request, "{\"id\":\"9\",\"current_key_id\":\"4\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
