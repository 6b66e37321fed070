/* The message's vocabulary is the engine's: names and order of every reason, every state, every
 * field. */
#include "harness.h"

#include <stdio.h>
#include "rpc/view.h"

static void check_reasons(const ProtobufCEnumDescriptor *d, const char *prefix,
                          const struct tcp_reason_text *texts, unsigned n)
{
    assert_int_equal(d->n_values, n);
    for (unsigned i = 1; i < n; i++) {
        char name[128];
        const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, (int)i);
        assert_non_null(v);
        snprintf(name, sizeof name, "%s%s", prefix, texts[i].name);
        assert_string_equal(v->name, name);
        assert_true(texts[i].sentence[0] != '\0');
    }
    assert_non_null(strstr(protobuf_c_enum_descriptor_get_value(d, 0)->name, "UNSPECIFIED"));
}

static void reasons_are_equal(void **state)
{
    (void)state;
    check_reasons(&ackd__v1__drop_reason__descriptor, "DROP_", tcp_drop_text, TCP_DROPS);
    check_reasons(&ackd__v1__reset_sent_reason__descriptor, "RST_SENT_", tcp_rst_sent_text,
                  TCP_RST_SENTS);
    check_reasons(&ackd__v1__reset_received_reason__descriptor, "RST_RECEIVED_",
                  tcp_rst_received_text, TCP_RST_RECEIVEDS);
    check_reasons(&ackd__v1__close_reason__descriptor, "CLOSE_", tcp_close_text, TCP_CLOSES);
    check_reasons(&ackd__v1__limit_reason__descriptor, "LIMIT_", tcp_limit_text, TCP_LIMITS);
    check_reasons(&ackd__v1__send_kind__descriptor, "SEND_KIND_", tcp_kind_text, TCP_KINDS);
    check_reasons(&ackd__v1__net_drop_reason__descriptor, "NET_DROP_", net_drop_text, NET_DROPS);
}

static void states_are_equal(void **state)
{
    (void)state;
    assert_int_equal(ackd__v1__state__descriptor.n_values, TCP_STATES + 1);
    for (unsigned s = 0; s < TCP_STATES; s++) {
        char name[64];
        snprintf(name, sizeof name, "STATE_%s", tcp_state_name((enum tcp_state)s));
        for (char *p = name; *p; p++) {
            *p = *p == '-' ? '_' : *p;
        }
        assert_string_equal(protobuf_c_enum_descriptor_get_value(&ackd__v1__state__descriptor,
                                                                 (int)view_state((enum tcp_state)s))
                                ->name,
                            name);
    }
}

static void fields_are_equal(void **state)
{
    (void)state;
    assert_null(view_missing_field());
    /* and the other way round: from recv_q_bytes on every field of the message is one of the
     * engine's */
    const ProtobufCMessageDescriptor *d = &ackd__v1__connection__descriptor;
    unsigned from = protobuf_c_message_descriptor_get_field_by_name(d, "recv_q_bytes")->id,
             engine = 0;
#define X(...) engine++;
    TCP_INFO_FIELDS(X)
#undef X
    unsigned message = 0;
    for (unsigned i = 0; i < d->n_fields; i++) {
        ProtobufCType type = d->fields[i].type; /* the table holds numbers and switches */
        message += d->fields[i].id >= from && type != PROTOBUF_C_TYPE_ENUM &&
                   type != PROTOBUF_C_TYPE_MESSAGE;
    }
    assert_int_equal(message, engine);
}

static void unknown_is_absent(void **state)
{
    (void)state;
    uint64_t listener = make_listener(80, 8);
    struct tcp_info info;
    assert_int_equal(tcp_status(world.engine, now(), listener, true, &info), 0);
    Ackd__V1__Connection *m = view_connection(world.rpc, &world.rpc->rows[0], &info, true);
    assert_int_equal(m->srtt_ns_known_case, 0);
    assert_int_equal(m->rto_deadline_ns_known_case, 0);
    assert_int_equal(m->established_ns_known_case, 0);
    assert_int_equal(m->send_q_bytes, 8);
    assert_int_equal(m->state, ACKD__V1__STATE__STATE_LISTEN);
    assert_string_equal(m->local->address, "");
    assert_int_equal(m->local->port, 80);
    uint64_t id = make_connection(80, listener, NULL);
    assert_int_equal(tcp_status(world.engine, now(), id, true, &info), 0);
    m = view_connection(world.rpc, &world.rpc->rows[0], &info, true);
    assert_int_equal(m->established_ns_known_case,
                     ACKD__V1__CONNECTION__ESTABLISHED_NS_KNOWN_ESTABLISHED_NS);
    assert_int_equal(m->srtt_ns_known_case, ACKD__V1__CONNECTION__SRTT_NS_KNOWN_SRTT_NS);
    assert_string_equal(m->remote->address, LOCAL4);
    assert_int_equal(m->owner->pid, 77);
    assert_string_equal(m->owner->command, "test");
    assert_true(m->detached);
    assert_non_null(m->options);
    assert_non_null(m->last_sent);
    assert_true(m->last_sent->ack);
    assert_int_equal(m->iss, info.iss);
    assert_int_equal(m->sack_ok, info.sack_ok);
}

static void header_field_by_field(void **state)
{
    (void)state;
    const uint8_t bytes[24] = {0x12, 0x34, 0,    80,   1,    2,    3, 4, 5, 6, 7, 8,
                               0x65, 0xb2, 0xff, 0xfe, 0xab, 0xcd, 0, 9, 2, 4, 5, 0xb4};
    Ackd__V1__Header h;
    view_header(&h, bytes, sizeof bytes);
    assert_int_equal(h.source_port, 0x1234);
    assert_int_equal(h.destination_port, 80);
    assert_int_equal(h.sequence_number, 0x01020304);
    assert_int_equal(h.acknowledgment_number, 0x05060708);
    assert_int_equal(h.data_offset_words, 6);
    assert_int_equal(h.reserved_bits, 2);
    assert_int_equal(h.flags_bits, 0x1b2);
    assert_true(h.ae && h.cwr && !h.ece && h.urg && h.ack && !h.psh && !h.rst && h.syn && !h.fin);
    assert_int_equal(h.window, 0xfffe);
    assert_int_equal(h.checksum, 0xabcd);
    assert_int_equal(h.urgent_pointer, 9);
    assert_int_equal(h.options.len, 4);
    assert_int_equal(h.options.data[0], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_equal),
        cmocka_unit_test(states_are_equal),
        cmocka_unit_test(fields_are_equal),
        cmocka_unit_test_setup_teardown(unknown_is_absent, world_setup, world_teardown),
        cmocka_unit_test(header_field_by_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
