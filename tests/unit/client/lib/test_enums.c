/* Enums, states and endpoints as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include "client/lib/ackd.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ackd_enum_name(ACKD_ENUM_CLOSE_REASON, ACKD_CLOSE_USER_TIMEOUT),
                        "CLOSE_USER_TIMEOUT");
    assert_string_equal(ackd_enum_name(ACKD_ENUM_DIRECTION, ACKD_DIRECTION_OUT), "DIRECTION_OUT");
    assert_string_equal(ackd_enum_name(ACKD_ENUM_URGENT_MODE, ACKD_URGENT_MODE_BSD),
                        "URGENT_MODE_BSD");
    assert_null(ackd_enum_name(ACKD_ENUM_STATE, 999));
    assert_null(ackd_enum_name((enum ackd_enum)99, 0));
}

static void test_docs(void **state)
{
    (void)state;
    assert_string_equal(ackd_enum_doc(ACKD_ENUM_CLOSE_REASON, ACKD_CLOSE_USER_TIMEOUT),
                        "Data stayed unacknowledged longer than the user timeout.");
    assert_string_equal(ackd_enum_doc(ACKD_ENUM_STATE, ACKD_STATE_LISTEN),
                        "Waits for connection requests.");
    assert_string_equal(ackd_enum_doc(ACKD_ENUM_STATE, 0), "");
    assert_null(ackd_enum_doc(ACKD_ENUM_STATE, -1));
}

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(ackd_enum_value(ACKD_ENUM_DROP_REASON, "DROP_PAWS"), ACKD_DROP_PAWS);
    assert_int_equal(ackd_enum_value(ACKD_ENUM_DROP_REASON, "paws"), ACKD_DROP_PAWS);
    assert_int_equal(ackd_enum_value(ACKD_ENUM_DROP_REASON, "old-duplicate"),
                     ACKD_DROP_OLD_DUPLICATE);
    assert_int_equal(ackd_enum_value(ACKD_ENUM_DROP_REASON, "paw"), -1);
    assert_int_equal(ackd_enum_value(ACKD_ENUM_DROP_REASON, ""), -1);
    assert_int_equal(ackd_enum_value(ACKD_ENUM_DROP_REASON, NULL), -1);
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ackd_state state;
    } cases[] = {
        {"SYN_RECV", ACKD_STATE_SYN_RECEIVED},
        {"syn-received", ACKD_STATE_SYN_RECEIVED},
        {"fin-wait1", ACKD_STATE_FIN_WAIT_1},
        {"FIN_WAIT_2", ACKD_STATE_FIN_WAIT_2},
        {"ESTAB", ACKD_STATE_ESTABLISHED},
        {"TIME-WAIT", ACKD_STATE_TIME_WAIT},
        {"listening", ACKD_STATE_LISTEN},
        {"STATE_LAST_ACK", ACKD_STATE_LAST_ACK},
        {"tcp_closing", ACKD_STATE_CLOSING},
        {"unconn", ACKD_STATE_UNSPECIFIED},
        {"", ACKD_STATE_UNSPECIFIED},
        {"ESTAB!", ACKD_STATE_UNSPECIFIED},
        {"ESTABLISHEDxxxxxxxxxxxxxxxxxxxxxxxx", ACKD_STATE_UNSPECIFIED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ackd_state_parse(cases[i].text), cases[i].state);
    for (int s = ACKD_STATE_CLOSED; s <= ACKD_STATE_TIME_WAIT; s++)
        assert_int_equal(ackd_state_parse(ackd_state_name((enum ackd_state)s)), s);
    assert_string_equal(ackd_state_name(ACKD_STATE_SYN_RECEIVED), "SYN-RECEIVED");
    assert_string_equal(ackd_state_name((enum ackd_state)77), "UNKNOWN");
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address;
        int port; /* -1: not an endpoint */
        const char *printed;
    } cases[] = {
        {"10.0.0.1:80", "10.0.0.1", 80, "10.0.0.1:80"},
        {"[fd00::1]:443", "fd00::1", 443, "[fd00::1]:443"},
        {":5000", "", 5000, "*:5000"},
        {"*:5000", "", 5000, "*:5000"},
        {"10.0.0.1:*", "10.0.0.1", 0, "10.0.0.1:*"},
        {"[::]:0", "::", 0, "[::]:*"},
        {"fd00::1:443", "", -1, ""},
        {"10.0.0.1", "", -1, ""},
        {"10.0.0.1:", "", -1, ""},
        {"10.0.0.1:65536", "", -1, ""},
        {"10.0.0.1:8a", "", -1, ""},
        {"10.0.0.1:-1", "", -1, ""},
        {"10.0.0.1: 1", "", -1, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ackd_endpoint e;
        char text[80];
        int r = ackd_endpoint_parse(cases[i].text, &e);
        assert_int_equal(r, cases[i].port < 0 ? -1 : 0);
        if (r < 0)
            continue;
        assert_string_equal(e.address, cases[i].address);
        assert_int_equal(e.port, cases[i].port);
        assert_int_equal(ackd_endpoint_format(&e, text, sizeof text), strlen(cases[i].printed));
        assert_string_equal(text, cases[i].printed);
    }
    struct ackd_endpoint e;
    char longer[100];
    memset(longer, '1', sizeof longer);
    strcpy(longer + 90, ":1");
    assert_int_equal(ackd_endpoint_parse(longer, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_docs),
        cmocka_unit_test(test_values),    cmocka_unit_test(test_states),
        cmocka_unit_test(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
