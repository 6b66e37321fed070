/* Options both ways, and the table of errors. */
#include "harness.h"

#include "rpc/options.h"

static void there_and_back(void **state)
{
    (void)state;
    struct tcp_options o, p;
    tcp_options_default(&o);
    o.rcv_buffer = 123456;
    o.nodelay = true;
    o.keepalive_idle_ns = 60 * NS_PER_S;
    o.user_timeout_ns = 5 * NS_PER_S;
    o.ttl = 7;
    o.dscp = 46;
    o.icmp_policy = TCP_ICMP_IGNORE;
    o.urgent_mode = TCP_URGENT_BSD;
    Ackd__V1__Options m = ACKD__V1__OPTIONS__INIT;
    options_show(&o, &m);
    /* through the wire: every oneof has its case */
    uint8_t wire[512];
    size_t n = ackd__v1__options__pack(&m, wire);
    Ackd__V1__Options *u = ackd__v1__options__unpack(NULL, n, wire);
    assert_non_null(u);
    const ProtobufCMessageDescriptor *d = &ackd__v1__options__descriptor;
    for (unsigned i = 0; i < d->n_fields; i++) {
        if (d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            uint32_t which;
            memcpy(&which, (const char *)u + d->fields[i].quantifier_offset, sizeof which);
            assert_int_equal(which, d->fields[i].id);
        }
    }
    tcp_options_default(&p);
    const char *field = NULL;
    assert_int_equal(options_apply(u, &p, &field), 0);
    assert_int_equal(p.rcv_buffer, 123456);
    assert_true(p.nodelay);
    assert_true(p.keepalive_idle_ns == 60 * NS_PER_S && p.user_timeout_ns == 5 * NS_PER_S);
    assert_true(p.ttl == 7 && p.dscp == 46 && p.icmp_policy == TCP_ICMP_IGNORE &&
                p.urgent_mode == TCP_URGENT_BSD);
    ackd__v1__options__free_unpacked(u, NULL);
}

static void absent_leaves(void **state)
{
    (void)state;
    struct tcp_options o, before;
    tcp_options_default(&o);
    before = o;
    Ackd__V1__Options m = ACKD__V1__OPTIONS__INIT;
    const char *field = NULL;
    assert_int_equal(options_apply(&m, &o, &field), 0);
    assert_int_equal(options_apply(NULL, &o, &field), 0);
    assert_memory_equal(&o, &before, sizeof o);
    m.sack_known_case = ACKD__V1__OPTIONS__SACK_KNOWN_SACK;
    m.sack = false; /* present: false is a value */
    assert_int_equal(options_apply(&m, &o, &field), 0);
    assert_false(o.sack);
}

static void offending_field_is_named(void **state)
{
    (void)state;
    struct tcp_options o, before;
    tcp_options_default(&o);
    before = o;
    const char *field;
#define BAD(known, KNOWN, name, value)                                                             \
    do {                                                                                           \
        Ackd__V1__Options m = ACKD__V1__OPTIONS__INIT;                                             \
        m.known##_case = ACKD__V1__OPTIONS__##KNOWN;                                               \
        m.name = value;                                                                            \
        field = NULL;                                                                              \
        assert_int_equal(options_apply(&m, &o, &field), -EINVAL);                                  \
        assert_string_equal(field, #name);                                                         \
    } while (0)
    BAD(ttl_known, TTL_KNOWN_TTL, ttl, 256);
    BAD(dscp_known, DSCP_KNOWN_DSCP, dscp, 64);
    BAD(rcv_buffer_known, RCV_BUFFER_KNOWN_RCV_BUFFER_BYTES, rcv_buffer_bytes, 1);
    BAD(snd_buffer_known, SND_BUFFER_KNOWN_SND_BUFFER_BYTES, snd_buffer_bytes, 1u << 30);
    BAD(delayed_ack_known, DELAYED_ACK_KNOWN_DELAYED_ACK_MS, delayed_ack_ms, 500);
    BAD(delayed_ack_known, DELAYED_ACK_KNOWN_DELAYED_ACK_MS, delayed_ack_ms, -1);
    BAD(user_timeout_known, USER_TIMEOUT_KNOWN_USER_TIMEOUT_MS, user_timeout_ms, INT64_MAX);
    BAD(keepalive_count_known, KEEPALIVE_COUNT_KNOWN_KEEPALIVE_COUNT, keepalive_count, 1);
    BAD(rto_max_known, RTO_MAX_KNOWN_RTO_MAX_MS, rto_max_ms, 999);
    Ackd__V1__Options m = ACKD__V1__OPTIONS__INIT;
    m.icmp_policy = (Ackd__V1__IcmpPolicy)9;
    assert_int_equal(options_apply(&m, &o, &field), -EINVAL);
    assert_string_equal(field, "icmp_policy");
    assert_memory_equal(&o, &before, sizeof o); /* all or nothing */
}

static void errno_table(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum grpc_code code;
    } table[] = {
        {ECONNREFUSED, GRPC_ABORTED},
        {ECONNRESET, GRPC_ABORTED},
        {ECONNABORTED, GRPC_ABORTED},
        {ETIMEDOUT, GRPC_ABORTED},
        {EHOSTUNREACH, GRPC_ABORTED},
        {ENETUNREACH, GRPC_ABORTED},
        {ENETDOWN, GRPC_ABORTED},
        {EPIPE, GRPC_FAILED_PRECONDITION},
        {ENOTCONN, GRPC_FAILED_PRECONDITION},
        {EADDRNOTAVAIL, GRPC_FAILED_PRECONDITION},
        {EADDRINUSE, GRPC_ALREADY_EXISTS},
        {EBADF, GRPC_NOT_FOUND},
        {EINVAL, GRPC_INVALID_ARGUMENT},
        {ERANGE, GRPC_OUT_OF_RANGE},
        {EPERM, GRPC_PERMISSION_DENIED},
        {ENOBUFS, GRPC_RESOURCE_EXHAUSTED},
        {ENOMEM, GRPC_RESOURCE_EXHAUSTED},
        {EMFILE, GRPC_RESOURCE_EXHAUSTED},
        {ENOSYS, GRPC_UNIMPLEMENTED},
        {EXDEV, GRPC_INTERNAL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(errno_code(table[i].error), table[i].code);
    }
    assert_string_equal(errno_name(ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(errno_name(0), "");
    /* every way a connection can end has a code that no client retries by itself */
    for (unsigned r = 1; r < TCP_CLOSES; r++) {
        int error = tcp_close_errno((enum tcp_close_reason)r);
        if (error) {
            enum grpc_code code = errno_code(error);
            assert_true(code == GRPC_ABORTED || code == GRPC_RESOURCE_EXHAUSTED);
        }
        assert_true(close_words((enum tcp_close_reason)r).sentence[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(absent_leaves),
        cmocka_unit_test(offending_field_is_named),
        cmocka_unit_test(errno_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
