/* Brief rows, read by hand, are what connection_from() makes of the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "client/lib/brief.h"
#include "client/lib/convert.h"

enum { LONG = 200 }; /* longer than any array of struct ackd_connection */

struct row {
    Ackd__V1__Connection message;
    Ackd__V1__Endpoint local, remote;
    Ackd__V1__Owner owner;
    char text[LONG + 1];
};

/* A row with every brief field; what it is made of depends on `n`. */
static void make(struct row *r, unsigned n, char *label)
{
    ackd__v1__connection__init(&r->message);
    ackd__v1__endpoint__init(&r->local);
    ackd__v1__endpoint__init(&r->remote);
    ackd__v1__owner__init(&r->owner);
    r->local.address = "10.9.0.1";
    r->local.port = 65535;
    r->remote.address = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    r->remote.port = n;
    r->owner.uid = UINT32_MAX;
    r->owner.pid = 70000 + n;
    r->owner.command = "fifteen letters";
    r->message.id = UINT64_MAX - n;
    r->message.state = ACKD__V1__STATE__STATE_TIME_WAIT;
    r->message.local = &r->local;
    r->message.remote = &r->remote;
    r->message.listener_id = 1ull << 40;
    r->message.label = label;
    r->message.owner = &r->owner;
    r->message.close_reason = 3;
    r->message.error = "ECONNRESET";
    r->message.limit_reason = 5;
    r->message.session_id = 300;
    r->message.detached = true;
    r->message.service = "chargen";
    r->message.recv_q_bytes = 128;
    r->message.send_q_bytes = UINT32_MAX;
    r->message.passive = true;
}

static void assert_alike(const struct ackd_connection *a, const struct ackd_connection *b)
{
    assert_true(a->id == b->id && a->state == b->state && a->listener_id == b->listener_id);
    assert_string_equal(a->local.address, b->local.address);
    assert_int_equal(a->local.port, b->local.port);
    assert_string_equal(a->remote.address, b->remote.address);
    assert_int_equal(a->remote.port, b->remote.port);
    assert_string_equal(a->label, b->label);
    assert_true(a->owner.uid == b->owner.uid && a->owner.pid == b->owner.pid);
    assert_string_equal(a->owner.command, b->owner.command);
    assert_int_equal(a->close_reason, b->close_reason);
    assert_string_equal(a->error, b->error);
    assert_int_equal(a->limit_reason, b->limit_reason);
    assert_true(a->session_id == b->session_id && a->detached == b->detached);
    assert_string_equal(a->service, b->service);
    assert_int_equal(a->recv_q_bytes, b->recv_q_bytes);
    assert_int_equal(a->send_q_bytes, b->send_q_bytes);
    assert_int_equal(a->passive, b->passive);
}

/* Into memory of exactly that size. */
static uint8_t *packed(const ProtobufCMessage *m, size_t *length)
{
    *length = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = malloc(*length ? *length : 1);
    assert_non_null(bytes);
    protobuf_c_message_pack(m, bytes);
    return bytes;
}

static void check(const Ackd__V1__Connection *m, struct ackd_connection *out)
{
    static struct ackd_connection expected;
    size_t length;
    uint8_t *bytes = packed(&m->base, &length);
    connection_from(&expected, m);
    assert_true(brief_row((struct reader){bytes, bytes + length}, out));
    assert_alike(out, &expected);
    assert_null(out->message);
    free(bytes);
}

/* Nothing of one row stays in the next; what is too long is cut alike; what is no brief field is
 * passed over. */
static void test_rows(void **state)
{
    static struct ackd_connection out;
    struct row r;
    (void)state;
    make(&r, 1, "web");
    check(&r.message, &out);
    ackd__v1__connection__init(&r.message);
    check(&r.message, &out);
    make(&r, 2, memset(r.text, 'x', LONG));
    r.text[LONG] = 0;
    r.message.srtt_ns_known_case = ACKD__V1__CONNECTION__SRTT_NS_KNOWN_SRTT_NS;
    r.message.srtt_ns = -5;
    r.message.bytes_sent = 1 << 30;
    check(&r.message, &out);
    make(&r, 3, "");
    r.message.owner = NULL;
    r.message.remote = NULL;
    check(&r.message, &out);
}

/* A listing cut anywhere: no byte behind it is read, and nothing is taken for a row but rows. */
static void test_cut_anywhere(void **state)
{
    struct row r[3];
    Ackd__V1__Connection *rows[3];
    Ackd__V1__ListResponse m = ACKD__V1__LIST_RESPONSE__INIT;
    static struct ackd_connection out;
    char instance[64] = "";
    size_t length;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        make(&r[i], i, "label");
        rows[i] = &r[i].message;
    }
    m.connections = rows;
    m.n_connections = 3;
    m.instance_id = "abc";
    uint8_t *bytes = packed(&m.base, &length);
    for (size_t cut = 0; cut <= length; cut++) {
        uint8_t *part = malloc(cut ? cut : 1);
        struct reader left = {part, part + cut}, row;
        enum brief_next next;
        unsigned n = 0;
        memcpy(part, bytes, cut);
        while ((next = brief_next(&left, &row, instance)) == BRIEF_ROW) {
            assert_true(brief_row(row, &out));
            assert_true(out.id == UINT64_MAX - n);
            n++;
        }
        assert_true(n <= 3);
        assert_true(cut < length || (next == BRIEF_END && n == 3));
        free(part);
    }
    assert_string_equal(instance, "abc");
    free(bytes);
}

static void test_malformed(void **state)
{
    static const uint8_t group[] = {0x0b}, no_end[] = {0x08, 0xff}, inner[] = {0x1a, 2, 0x0a, 9};
    static struct ackd_connection out;
    char instance[64];
    (void)state;
    assert_false(brief_row((struct reader){group, group + sizeof group}, &out));
    assert_false(brief_row((struct reader){no_end, no_end + sizeof no_end}, &out));
    assert_false(brief_row((struct reader){inner, inner + sizeof inner}, &out));
    struct reader list = {no_end, no_end + sizeof no_end}, row;
    assert_int_equal(brief_next(&list, &row, instance), BRIEF_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
