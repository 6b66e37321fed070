/* Protobuf's JSON, value by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include "ackd/v1/inspect.pb-c.h"
#include "ackd/v1/tcp.pb-c.h"
#include "client/lib/internal.h"

static void check(const void *message, int style, const char *wanted)
{
    char *json = ackd_json(message, style);
    assert_non_null(json);
    assert_string_equal(json, wanted);
    free(json);
}

static void test_empty(void **state)
{
    (void)state;
    Ackd__V1__GetRequest m = ACKD__V1__GET_REQUEST__INIT;
    check(&m, ACKD_JSON_SHORT, "{}");
    check(&m, ACKD_JSON_PRETTY, "{}");
    check(&m, ACKD_JSON_DEFAULTS, "{\"id\":\"0\"}");
    assert_null(ackd_json(NULL, 0));
}

static void test_numbers(void **state)
{
    (void)state;
    Ackd__V1__WatchEvent m = ACKD__V1__WATCH_EVENT__INIT;
    m.sequence = UINT64_MAX;
    m.time_ns = INT64_MIN;
    check(&m, 0, "{\"sequence\":\"18446744073709551615\",\"time_ns\":\"-9223372036854775808\"}");
    Ackd__V1__Header h = ACKD__V1__HEADER__INIT;
    h.sequence_number = UINT32_MAX;
    h.syn = true;
    check(&h, 0, "{\"sequence_number\":4294967295,\"syn\":true}");
}

static void test_enums(void **state)
{
    (void)state;
    Ackd__V1__LimitedTime m = ACKD__V1__LIMITED_TIME__INIT;
    m.reason = ACKD__V1__LIMIT_REASON__LIMIT_NAGLE;
    check(&m, 0, "{\"reason\":\"LIMIT_NAGLE\"}");
    m.reason = (Ackd__V1__LimitReason)12345;
    check(&m, 0, "{\"reason\":12345}");
}

/* What is in a oneof is there, default or not; what is not in it is not. */
static void test_oneof(void **state)
{
    (void)state;
    Ackd__V1__Options m = ACKD__V1__OPTIONS__INIT;
    m.nodelay_known_case = ACKD__V1__OPTIONS__NODELAY_KNOWN_NODELAY;
    m.user_timeout_known_case = ACKD__V1__OPTIONS__USER_TIMEOUT_KNOWN_USER_TIMEOUT_MS;
    check(&m, 0, "{\"nodelay\":false,\"user_timeout_ms\":\"0\"}");
    Ackd__V1__Synced synced = ACKD__V1__SYNCED__INIT;
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SYNCED;
    e.synced = &synced;
    check(&e, 0, "{\"synced\":{}}");
    check(&e, ACKD_JSON_DEFAULTS,
          "{\"sequence\":\"0\",\"event_id\":\"0\",\"instance_id\":\"\",\"time_ns\":\"0\",\"wall_"
          "time_ns\":\"0\","
          "\"synced\":{}}");
}

static void test_bytes(void **state)
{
    (void)state;
    static const char *const wanted[] = {"{}", "{\"data\":\"AA==\"}", "{\"data\":\"AP8=\"}",
                                         "{\"data\":\"AP/+\"}", "{\"data\":\"AP/+PQ==\"}"};
    for (size_t n = 0; n < 5; n++) {
        Ackd__V1__CaptureResponse m = ACKD__V1__CAPTURE_RESPONSE__INIT;
        m.data = (ProtobufCBinaryData){n, (uint8_t *)"\0\xff\xfe\x3d"};
        check(&m, 0, wanted[n]);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"a\"b\\c/<>&", "{\"prefix\":\"a\\\"b\\\\c/<>&\"}"},
        {"\b\f\n\r\t\x01\x1f\x7f", "{\"prefix\":\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"}"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "{\"prefix\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}"},
        /* Not UTF-8: a lone byte, overlong, a surrogate, beyond U+10FFFF, cut short. */
        {"a\xff", "{\"prefix\":\"a\xef\xbf\xbd\"}"},
        {"\xc0\x80", "{\"prefix\":\"\xef\xbf\xbd\xef\xbf\xbd\"}"},
        {"\xed\xa0\x80", "{\"prefix\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}"},
        {"\xf4\x90\x80\x80", "{\"prefix\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}"},
        {"\xe2\x82", "{\"prefix\":\"\xef\xbf\xbd\xef\xbf\xbd\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ackd__V1__CountersRequest m = ACKD__V1__COUNTERS_REQUEST__INIT;
        m.prefix = (char *)cases[i].text;
        check(&m, 0, cases[i].json);
    }
}

static void test_lists_and_pretty(void **state)
{
    (void)state;
    uint64_t ids[] = {1, 2};
    Ackd__V1__State states[] = {ACKD__V1__STATE__STATE_LISTEN, ACKD__V1__STATE__STATE_UNSPECIFIED};
    Ackd__V1__PortRange a = ACKD__V1__PORT_RANGE__INIT, b = ACKD__V1__PORT_RANGE__INIT,
                        *ranges[] = {&a, &b};
    a.first = 80;
    Ackd__V1__Filter f = ACKD__V1__FILTER__INIT;
    f.ids = ids;
    f.n_ids = 2;
    f.states = states;
    f.n_states = 2;
    f.local_ports = ranges;
    f.n_local_ports = 2;
    Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
    m.filter = &f;
    m.closed = true;
    check(&m, 0,
          "{\"filter\":{\"ids\":[\"1\",\"2\"],\"states\":[\"STATE_LISTEN\",\"STATE_UNSPECIFIED\"],"
          "\"local_ports\":[{\"first\":80},{}]},\"closed\":true}");
    check(&m, ACKD_JSON_PRETTY,
          "{\n"
          "  \"filter\": {\n"
          "    \"ids\": [\n"
          "      \"1\",\n"
          "      \"2\"\n"
          "    ],\n"
          "    \"states\": [\n"
          "      \"STATE_LISTEN\",\n"
          "      \"STATE_UNSPECIFIED\"\n"
          "    ],\n"
          "    \"local_ports\": [\n"
          "      {\n"
          "        \"first\": 80\n"
          "      },\n"
          "      {}\n"
          "    ]\n"
          "  },\n"
          "  \"closed\": true\n"
          "}");
    Ackd__V1__ListResponse none = ACKD__V1__LIST_RESPONSE__INIT;
    check(&none, ACKD_JSON_DEFAULTS, "{\"connections\":[],\"instance_id\":\"\"}");
    check(&none, ACKD_JSON_DEFAULTS | ACKD_JSON_PRETTY,
          "{\n  \"connections\": [],\n  \"instance_id\": \"\"\n}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_oneof),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_lists_and_pretty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
