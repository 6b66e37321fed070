/* Brief rows, written by hand, hold what protobuf-c would have written of the same rows. */
#include "harness.h"

#include <stdio.h>
#include "rpc/brief.h"
#include "rpc/endpoint.h"

static void check(const struct brief *b, const Ackd__V1__Connection *row)
{
    uint8_t bytes[4096];
    size_t length = ackd__v1__connection__get_packed_size(row);
    assert_true(length < sizeof bytes);
    ackd__v1__connection__pack(row, bytes);
    unsigned prefix = length > 0x7f ? 2 : 1;
    assert_int_equal(b->length, prefix + length);
    assert_memory_equal(b->bytes + prefix, bytes, length);
}

static void check_endpoint(uint64_t id)
{
    struct brief *b = world.rpc->brief;
    struct tcp_info info;
    assert_int_equal(tcp_status(world.engine, now(), id, false, &info), 0);
    const Ackd__V1__Connection *row = view_connection(world.rpc, &world.rpc->rows[0], &info, false);
    b->length = 0;
    brief_add(b, row);
    check(b, row);
}

/* Every endpoint that there is: listeners, both ends, with data, half closed, reset. */
static void rows_of_endpoints(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8), other;
    uint64_t id = make_connection(80, listener, &other);
    send_text(id, 0, "hello");
    snprintf(endpoint_find(world.rpc, id)->label, 64, "%063d", 7);
    uint64_t reset = make_connection(80, listener, NULL);
    tcp_abort(world.engine, now(), reset, TCP_CLOSE_KILLED);
    const uint64_t ids[] = {listener, id, other, reset};
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        check_endpoint(ids[i]);
    }
}

/* Every field at its longest. */
static void longest_row(void **state)
{
    (void)state;
    static const char address[] = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    char label[64], command[16];
    snprintf(label, sizeof label, "%063d", 1);
    snprintf(command, sizeof command, "%015d", 1);
    Ackd__V1__Connection m = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__Endpoint e = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Owner o = ACKD__V1__OWNER__INIT;
    e.address = (char *)address;
    e.port = 65535;
    o.uid = o.pid = UINT32_MAX;
    o.command = command;
    m.id = m.listener_id = m.session_id = UINT64_MAX;
    m.state = ACKD__V1__STATE__STATE_TIME_WAIT;
    m.local = m.remote = &e;
    m.owner = &o;
    m.label = label;
    m.error = "ECONNREFUSED";
    m.service = "discard";
    m.close_reason = ACKD__V1__CLOSE_REASON__CLOSE_KILLED;
    m.limit_reason = ACKD__V1__LIMIT_REASON__LIMIT_CLOSED;
    m.recv_q_bytes = m.send_q_bytes = UINT32_MAX;
    m.detached = m.passive = true;
    struct brief *b = world.rpc->brief;
    b->length = 0;
    brief_add(b, &m);
    check(b, &m);
    assert_true(b->length + 2 <= BRIEF_MAX);
}

/* Several rows in one message, as a client reads it. */
static void rows_in_a_message(void **state)
{
    (void)state;
    struct brief *b = world.rpc->brief;
    ProtobufCMessageUnknownField field;
    Ackd__V1__Connection m = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__Endpoint e = ACKD__V1__ENDPOINT__INIT;
    m.local = m.remote = &e;
    b->length = 0;
    for (unsigned i = 1; i <= ROWS_BASIC; i++) {
        m.id = i;
        brief_add(b, &m);
    }
    Ackd__V1__ListResponse response = ACKD__V1__LIST_RESPONSE__INIT;
    response.instance_id = "instance";
    brief_attach(b, &field, &response.base);
    size_t length = ackd__v1__list_response__get_packed_size(&response);
    uint8_t *bytes = malloc(length);
    assert_non_null(bytes);
    assert_int_equal(ackd__v1__list_response__pack(&response, bytes), length);
    Ackd__V1__ListResponse *read = ackd__v1__list_response__unpack(NULL, length, bytes);
    assert_non_null(read);
    assert_string_equal(read->instance_id, "instance");
    assert_int_equal(read->n_connections, ROWS_BASIC);
    for (unsigned i = 0; i < ROWS_BASIC; i++) {
        assert_int_equal(read->connections[i]->id, i + 1);
        assert_non_null(read->connections[i]->remote);
    }
    ackd__v1__list_response__free_unpacked(read, NULL);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_of_endpoints, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(longest_row, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(rows_in_a_message, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
