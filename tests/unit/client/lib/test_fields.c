/* A connection's fields by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include "ackd/v1/types.pb-c.h"
#include "client/lib/ackd.h"

static const struct ackd_field *field(const char *name)
{
    int i = ackd_field_find(name);
    assert_true(i >= 0);
    return ackd_field_at((size_t)i);
}

static void test_table(void **state)
{
    (void)state;
    size_t count = ackd_field_count();
    assert_true(count > 100);
    assert_null(ackd_field_at(count));
    assert_string_equal(ackd_field_at(0)->name, "id");
    for (size_t i = 0; i < count; i++) {
        const struct ackd_field *f = ackd_field_at(i);
        assert_true(f->name[0] && f->type[0]);
        assert_int_equal(ackd_field_find(f->name), (int)i);
    }
}

static void test_descriptions(void **state)
{
    (void)state;
    assert_string_equal(field("iss")->doc, "Initial send sequence number");
    assert_string_equal(field("iss")->unit, "seq");
    assert_string_equal(field("iss")->type, "uint32");
    assert_string_equal(field("cwnd_bytes")->doc, "Congestion window.");
    assert_string_equal(field("cwnd_bytes")->unit, "bytes");
    assert_string_equal(field("srtt_ns")->unit, "ns");
    assert_string_equal(field("srtt_ns")->type, "int64");
    assert_string_equal(field("srtt_ns")->doc, "Smoothed round-trip time (RFC 6298).");
    assert_string_equal(field("bytes_sent")->unit, "bytes");
    assert_string_equal(field("state")->type, "enum");
    assert_string_equal(field("sack_ok")->type, "bool");
    assert_string_equal(field("limited")->type, "message");
    assert_string_equal(field("last_sent.options")->type, "bytes");
    assert_string_equal(field("options.nodelay")->doc, "Nagle off (RFC 9293 MUST-17).");
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(ackd_field_find("cwnd"), ackd_field_find("cwnd_bytes"));
    assert_int_equal(ackd_field_find("srtt"), ackd_field_find("srtt_ns"));
    assert_int_equal(ackd_field_find("options.msl"), ackd_field_find("options.msl_ms"));
    assert_int_equal(ackd_field_find("nonsense"), -1);
    assert_int_equal(ackd_field_find(""), -1);
    assert_true(ackd_field_find("local") >= (int)ackd_field_count());
}

/* The value of a field, or "-" for absent. */
static const char *value(const Ackd__V1__Connection *c, const char *name)
{
    static char buffer[256];
    int n = ackd_field_value((const struct ackd_message *)c, ackd_field_find(name), buffer,
                             sizeof buffer);
    if (n < 0)
        return "-";
    assert_int_equal(n, strlen(buffer));
    return buffer;
}

static void test_values(void **state)
{
    (void)state;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT, remote = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Header h = ACKD__V1__HEADER__INIT;
    Ackd__V1__LimitedTime t = ACKD__V1__LIMITED_TIME__INIT, *limited[] = {&t};
    Ackd__V1__Connection c = ACKD__V1__CONNECTION__INIT;
    local.address = "fd00::1";
    local.port = 80;
    c.local = &local;
    c.remote = &remote;
    c.id = UINT64_MAX;
    c.state = ACKD__V1__STATE__STATE_FIN_WAIT_1;
    c.close_reason = ACKD__V1__CLOSE_REASON__CLOSE_REFUSED;
    c.label = "web";
    c.cwnd_bytes = 14600;
    c.rto_ns = -5;
    c.sack_ok = true;
    t.duration_ns = 3;
    c.limited = limited;
    c.n_limited = 1;
    h.options = (ProtobufCBinaryData){2, (uint8_t *)"\x01\xff"};
    c.last_sent = &h;

    assert_string_equal(value(&c, "id"), "18446744073709551615");
    assert_string_equal(value(&c, "state"), "FIN-WAIT-1");
    assert_string_equal(value(&c, "close_reason"), "REFUSED");
    assert_string_equal(value(&c, "label"), "web");
    assert_string_equal(value(&c, "cwnd"), "14600");
    assert_string_equal(value(&c, "rto"), "-5");
    assert_string_equal(value(&c, "sack_ok"), "true");
    assert_string_equal(value(&c, "wscale_ok"), "false");
    assert_string_equal(value(&c, "local"), "[fd00::1]:80");
    assert_string_equal(value(&c, "remote"), "*:*");
    assert_string_equal(value(&c, "local.port"), "80");
    assert_string_equal(value(&c, "limited"), "[{\"duration_ns\":\"3\"}]");
    assert_string_equal(value(&c, "last_sent.options"), "01ff");
    assert_string_equal(value(&c, "last_sent.window"), "0");
    /* Unknown is not zero. */
    assert_string_equal(value(&c, "srtt"), "-");
    c.srtt_ns_known_case = ACKD__V1__CONNECTION__SRTT_NS_KNOWN_SRTT_NS;
    assert_string_equal(value(&c, "srtt"), "0");
    assert_string_equal(value(&c, "last_received.window"), "-");
    assert_string_equal(value(&c, "options.nodelay"), "-");
    assert_string_equal(value(&c, "owner.uid"), "-");
}

static void test_edges(void **state)
{
    (void)state;
    Ackd__V1__Endpoint e = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Connection c = ACKD__V1__CONNECTION__INIT;
    const struct ackd_message *m = (const struct ackd_message *)&c;
    char small[4];
    c.label = "a long label";
    assert_int_equal(ackd_field_value(m, ackd_field_find("label"), small, sizeof small), 12);
    assert_string_equal(small, "a l");
    assert_int_equal(ackd_field_value(m, ackd_field_find("label"), NULL, 0), 12);
    assert_int_equal(ackd_field_value(m, -1, small, sizeof small), -1);
    assert_int_equal(ackd_field_value(m, 10000, small, sizeof small), -1);
    assert_int_equal(ackd_field_value(NULL, 0, small, sizeof small), -1);
    assert_int_equal(ackd_field_value((const struct ackd_message *)&e, 0, small, sizeof small), -1);
}

/* What `show --fields` prints says something of every field. */
static void test_every_field_is_described(void **state)
{
    (void)state;
    assert_true(ackd_field_count() > 150);
    for (size_t i = 0; i < ackd_field_count(); i++) {
        const struct ackd_field *f = ackd_field_at(i);
        if (!f->doc[0]) {
            fail_msg("%s: no comment in the .proto", f->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_find),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_edges), cmocka_unit_test(test_every_field_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
