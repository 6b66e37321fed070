/* The tables of reasons: complete, distinct, readable, and their errnos. */
#include "cmocka_all.h"
#include <ctype.h>
#include <errno.h>
#include "tcp/tcp.h"

static void check_table(const struct tcp_reason_text *text, unsigned n)
{
    assert_string_equal(text[0].name, "NONE");
    assert_string_equal(text[0].sentence, "");
    for (unsigned i = 1; i < n; i++) {
        assert_non_null(text[i].name);
        assert_true(strlen(text[i].sentence) > 2);
        assert_int_not_equal(text[i].sentence[strlen(text[i].sentence) - 1], '.');
        for (const char *c = text[i].name; *c != 0; c++) {
            assert_true(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
        }
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(text[i].name, text[j].name);
            assert_string_not_equal(text[i].sentence, text[j].sentence);
        }
    }
}

static void tables(void **state)
{
    (void)state;
    check_table(tcp_drop_text, TCP_DROPS);
    check_table(tcp_rst_sent_text, TCP_RST_SENTS);
    check_table(tcp_rst_received_text, TCP_RST_RECEIVEDS);
    check_table(tcp_close_text, TCP_CLOSES);
    check_table(tcp_limit_text, TCP_LIMITS);
    check_table(tcp_kind_text, TCP_KINDS);
    assert_string_equal(tcp_drop_text[TCP_DROP_PAWS].name, "PAWS");
    assert_string_equal(tcp_close_text[TCP_CLOSE_REFUSED].name, "REFUSED");
    assert_string_equal(tcp_kind_text[TCP_KIND_RESET].sentence, "reset");
}

static void errnos(void **state)
{
    (void)state;
    assert_int_equal(tcp_close_errno(TCP_CLOSE_NONE), 0);
    assert_int_equal(tcp_close_errno(TCP_CLOSE_NORMAL), 0);
    assert_int_equal(tcp_close_errno(TCP_CLOSE_REFUSED), ECONNREFUSED);
    assert_int_equal(tcp_close_errno(TCP_CLOSE_RESET_BY_PEER), ECONNRESET);
    assert_int_equal(tcp_close_errno(TCP_CLOSE_USER_TIMEOUT), ETIMEDOUT);
    assert_int_equal(tcp_close_errno(TCP_CLOSES), 0);
}

static void states(void **state)
{
    (void)state;
    static const char *const names[] = {"CLOSED",      "LISTEN",     "SYN-SENT",   "SYN-RECEIVED",
                                        "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                        "CLOSING",     "LAST-ACK",   "TIME-WAIT"};
    for (unsigned i = 0; i < TCP_STATES; i++) {
        assert_string_equal(tcp_state_name((enum tcp_state)i), names[i]);
    }
    assert_string_equal(tcp_state_name(TCP_STATES), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(errnos),
        cmocka_unit_test(states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
