/* The small parts: options, units, states, addresses, tables, TCP options, OpenMetrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "args.h"
#include "hostport.h"
#include "openmetrics.h"
#include "states.h"
#include "table.h"
#include "tcpopts.h"
#include "units.h"

/* ---- args.c */

enum { LONG = ARGS_NAMES, LONGER };
static const struct opt own[] = {{'t', "tcp", ARG_NONE, NULL, ""},
                                 {'n', NULL, ARG_NONE, NULL, ""},
                                 {'o', "options", ARG_OPTIONAL, "LIST", ""},
                                 {'w', "wait", ARG_REQUIRED, "S", ""},
                                 {LONG, "long", ARG_REQUIRED, "X", ""},
                                 {LONGER, "longer", ARG_NONE, NULL, ""},
                                 {0}};
static const struct opt common[] = {
    {'t', "timeout", ARG_REQUIRED, "S", ""}, {'j', "json", ARG_OPTIONAL, "M", ""}, {0}};

/* Reads a command line to "t n o=LIST | OPERAND ...". */
static const char *read_args(const char *line)
{
    static char text[400];
    char copy[200], *words[20], *save;
    struct args args = {.tables = {own, common}, .argv = words};
    int key;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        words[args.argc++] = word;
    }
    text[0] = 0;
    while ((key = args_next(&args)) >= 0) {
        char one[80];
        snprintf(one, sizeof one, key == LONG ? "long" : key == LONGER ? "longer" : "%c", key);
        snprintf(text + strlen(text), 100, "%s%s%s ", one, args.value ? "=" : "",
                 args.value ? args.value : "");
    }
    if (key == ARGS_ERROR) {
        return strcpy(text, args.error);
    }
    strcat(text, "|");
    for (int i = 0; i < args.operands; i++) {
        snprintf(text + strlen(text), 100, " %s", args.argv[i]);
    }
    return text;
}

static void test_args(void **state)
{
    (void)state;
    assert_string_equal(read_args(""), "|");
    assert_string_equal(read_args("a -tn b --tcp c"), "t n t | a b c");
    assert_string_equal(read_args("-o a -oid,state --options=x --options"),
                        "o o=id,state o=x o | a");
    assert_string_equal(read_args("-w5 -w 6 --wait=7 --wait 8 -nw9"), "w=5 w=6 w=7 w=8 n w=9 |");
    assert_string_equal(read_args("--wa 1 --time 2 --js"), "w=1 t=2 j |");
    assert_string_equal(read_args("--long 1 --longer"), "long=1 longer |");
    assert_string_equal(read_args("-t -- -n - a"), "t | -n - a");
    assert_string_equal(read_args("- a"), "| - a");
    assert_string_equal(read_args("--lon 1"), "ambiguous option --lon");
    assert_string_equal(read_args("--nonsense"), "unknown option --nonsense");
    assert_string_equal(read_args("-x"), "unknown option -x");
    assert_string_equal(read_args("-w"), "option -w needs a value");
    assert_string_equal(read_args("--wait"), "option --wait needs a value");
    assert_string_equal(read_args("--tcp=1"), "option --tcp takes no value");
}

static void test_stop_at_operand(void **state)
{
    (void)state;
    char *words[] = {(char *)"-n", (char *)"verb", (char *)"-t"};
    struct args args = {.tables = {own, common}, .argc = 3, .argv = words, .stop_at_operand = true};
    assert_int_equal(args_next(&args), 'n');
    assert_int_equal(args_next(&args), ARGS_END);
    assert_int_equal(args.index, 1);
}

static void test_prefix_match(void **state)
{
    (void)state;
    static const char *const names[] = {"set", "send", "sendto", "show"};
    assert_int_equal(prefix_match("sh", names, 4), 3);
    assert_int_equal(prefix_match("send", names, 4), 1); /* exact wins */
    assert_int_equal(prefix_match("se", names, 4), -2);
    assert_int_equal(prefix_match("x", names, 4), -1);
}

/* ---- units.c */

static void check_duration(int64_t ns, const char *wanted)
{
    char text[UNITS_TEXT];
    assert_string_equal(duration_format(ns, text), wanted);
}

static void test_durations(void **state)
{
    (void)state;
    check_duration(0, "0");
    check_duration(420, "420ns");
    check_duration(1050000, "1.05ms");
    check_duration(12500, "12.5us");
    check_duration(4200000000, "4.2s");
    check_duration(200000000, "200ms");
    check_duration(INT64_C(100000000000), "1min40s");
    check_duration(INT64_C(120000000000), "2min");
    check_duration(INT64_C(7500000000000), "2h5min");
    check_duration(INT64_C(187200000000000), "2d4h");
    check_duration(-1500000000, "-1.5s");
    check_duration(INT64_MIN, "-106751d23h");
    char text[UNITS_TEXT];
    assert_string_equal(timer_format(200000000, text), "200ms");
    assert_string_equal(timer_format(1200000000, text), "1.200sec");
    assert_string_equal(timer_format(INT64_C(60000000000), text), "1min0sec");
    assert_string_equal(timer_format(INT64_C(7140000000000), text), "119min");
    assert_string_equal(timer_format(-5, text), "0ms");
    assert_string_equal(seconds_format(123456, text), "0.000123");
    assert_string_equal(seconds_format(-1000001000, text), "-1.000001");
    assert_string_equal(seconds_format(INT64_MIN, text), "-9223372036.854775");
}

static void test_duration_parse(void **state)
{
    (void)state;
    int64_t ns;
    assert_true(duration_parse("5", &ns) && ns == 5000000000);
    assert_true(duration_parse("1.5s", &ns) && ns == 1500000000);
    assert_true(duration_parse("200ms", &ns) && ns == 200000000);
    assert_true(duration_parse("10us", &ns) && ns == 10000);
    assert_true(duration_parse("2min", &ns) && ns == INT64_C(120000000000));
    assert_true(duration_parse("0", &ns) && ns == 0);
    static const char *const wrong[] = {
        "", "s", "-1", "inf", "nan", "5x", " 5", "1e30", "99999999999999d"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(duration_parse(wrong[i], &ns));
    }
}

static void test_sizes(void **state)
{
    (void)state;
    uint64_t n;
    assert_true(size_parse("4096", &n) && n == 4096);
    assert_true(size_parse("64k", &n) && n == 65536);
    assert_true(size_parse("1MiB", &n) && n == 1048576);
    assert_true(size_parse("2GB", &n) && n == 2147483648);
    assert_false(size_parse("", &n));
    assert_false(size_parse("k", &n));
    assert_false(size_parse("1x", &n));
    assert_false(size_parse("1kk", &n));
    assert_false(size_parse("18446744073709551615k", &n));
    assert_false(size_parse("18446744073709551616", &n));
    assert_true(number_parse("65535", 65535, &n) && n == 65535);
    assert_false(number_parse("65536", 65535, &n));
    assert_false(number_parse("7", 5, &n));
    assert_true(number_parse("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
}

/* ---- states.c */

static void test_state_names(void **state)
{
    (void)state;
    assert_string_equal(state_name(ST_SYN_RECEIVED), "SYN-RECEIVED");
    assert_string_equal(state_name(99), "UNKNOWN");
    assert_string_equal(state_name(-1), "UNKNOWN");
    static const struct {
        const char *word;
        int state;
    } spellings[] = {{"SYN_RECV", ST_SYN_RECEIVED},
                     {"SYN-RCVD", ST_SYN_RECEIVED},
                     {"synreceived", ST_SYN_RECEIVED},
                     {"fin-wait1", ST_FIN_WAIT_1},
                     {"FIN_WAIT_2", ST_FIN_WAIT_2},
                     {"FINWAIT2", ST_FIN_WAIT_2},
                     {"ESTAB", ST_ESTABLISHED},
                     {"established", ST_ESTABLISHED},
                     {"TIME-WAIT", ST_TIME_WAIT},
                     {"timewait", ST_TIME_WAIT},
                     {"UNCONN", ST_CLOSED},
                     {"closed", ST_CLOSED},
                     {"STATE_LAST_ACK", ST_LAST_ACK},
                     {"listening", ST_LISTEN},
                     {"close-wait", ST_CLOSE_WAIT},
                     {"closing", ST_CLOSING}};
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        assert_int_equal(states_parse(spellings[i].word), STATE_BIT(spellings[i].state));
    }
    assert_int_equal(states_parse("connected") & STATE_BIT(ST_LISTEN), 0);
    assert_int_equal(states_parse("nonsense"), 0);
    assert_int_equal(states_parse(""), 0);
    assert_int_equal(states_parse("a-very-long-word-that-is-no-state-at-all"), 0);
}

/* ---- hostport.c */

static void check_split(const char *text, const char *host, const char *port)
{
    char h[64];
    const char *p;
    assert_true(hostport_split(text, h, sizeof h, &p));
    assert_string_equal(h, host);
    assert_string_equal(p, port);
}

static void test_hostport(void **state)
{
    (void)state;
    check_split("10.0.0.1:80", "10.0.0.1", "80");
    check_split("name", "name", "");
    check_split(":80", "", "80");
    check_split("[2001:db8::1]:80", "2001:db8::1", "80");
    check_split("[::1]", "::1", "");
    check_split("2001:db8::1", "2001:db8::1", "");
    char host[8], text[HOSTPORT_TEXT];
    const char *port;
    assert_false(hostport_split("[::1", host, sizeof host, &port));
    assert_false(hostport_split("[::1]x", host, sizeof host, &port));
    assert_false(hostport_split("a-long-name:80", host, sizeof host, &port));
    assert_string_equal(hostport_format("10.0.0.1", 80, text), "10.0.0.1:80");
    assert_string_equal(hostport_format("2001:db8::1", 80, text), "[2001:db8::1]:80");
    assert_string_equal(hostport_format("", 0, text), "*:*");
    uint16_t number;
    assert_true(port_parse("65535", &number) && number == 65535);
    assert_false(port_parse("65536", &number));
    assert_false(port_parse("", &number));
    assert_false(port_parse("no-such-service", &number));
}

static void test_addresses(void **state)
{
    (void)state;
    struct net_addr a, b;
    assert_true(net_addr_parse("::ffff:10.0.0.1", &a) && net_addr_parse("10.0.0.1", &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(net_addr_parse("*", &a) && a.family == 0);
    assert_true(net_addr_within(&b, &a, 0));
    assert_false(net_addr_parse("10.0.0.256", &a));
    assert_false(net_addr_parse("1", &a));
    assert_true(net_addr_is_v6("::1"));
    assert_false(net_addr_is_v6("1.2.3.4"));
    assert_false(net_addr_is_v6(""));
}

/* ---- table.c */

static char *print_table(unsigned width)
{
    static const struct column columns[] = {
        {"N", true, false}, {"NAME", false, true}, {"X", false, false}};
    static char text[1000];
    struct table t;
    FILE *f = fmemopen(text, sizeof text, "w");
    table_init(&t, columns, 3);
    table_row(&t, (const char *[]){"1", "short", "x"}, NULL);
    table_row(&t, (const char *[]){"100", "ein längerer Name", NULL}, "remark");
    table_row(&t, (const char *[]){NULL, NULL, NULL}, NULL);
    table_print(&t, f, true, false, width);
    fclose(f);
    return text;
}

static void test_table(void **state)
{
    (void)state;
    assert_string_equal(print_table(0), "  N  NAME               X\n"
                                        "  1  short              x\n"
                                        "100  ein längerer Name\tremark\n"
                                        "\n");
    assert_string_equal(print_table(16), "  N  NAME      X\n"
                                         "  1  short     x\n"
                                         "100  ein län…\tremark\n"
                                         "\n");
    assert_int_equal(text_width("ä…"), 2);
}

/* ---- tcpopts.c */

static void check_options(const char *hex, uint32_t base, const char *wanted)
{
    uint8_t bytes[40];
    size_t n = 0;
    unsigned byte;
    char text[TCPOPTS_TEXT];
    for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) {
        bytes[n] = (uint8_t)byte;
    }
    assert_string_equal(tcpopts_format(bytes, n, base, text), wanted);
}

static void test_tcp_options(void **state)
{
    (void)state;
    check_options("", 0, "");
    check_options("020405b40402080a0000002a0000000001030307", 0,
                  "mss 1460,sackOK,TS val 42 ecr 0,nop,wscale 7");
    check_options("0101050a000003e9000007d1", 1000, "nop,nop,sack 1:1001");
    check_options("0512000003e9000007d100000bb900000fa1", 0, "sack 1001:2001 3001:4001");
    check_options("00ffff", 0, "eol");
    check_options("1c04800f", 0, "uto 15min");
    check_options("2202", 0, "FO");
    check_options("22060102abcd", 0, "FO 0102abcd");
    check_options("fd04f989", 0, "opt-253 f989");
    check_options("0204", 0, "malformed 0204");
    check_options("0101ff", 0, "nop,nop,malformed ff");
    check_options("0401", 0, "malformed 0401");
    check_options("0203aa", 0, "opt-2 aa"); /* a length that is not MSS's */
}

/* ---- openmetrics.c */

static void test_openmetrics(void **state)
{
    (void)state;
    char text[2000];
    struct ackd_counter counters[] = {{"b.x.ONE", 1, "segments", "", false},
                                      {"a.level", 5, "bytes", "a \"level\"\nof \\ things", true},
                                      {"b.x.TWO", 2, "segments", "", false},
                                      {"a.busy_ns", 2500000001, "ns", "busy", false},
                                      {"a.wait_ns", 7, "ns", "waiting", true}};
    FILE *f = fmemopen(text, sizeof text, "w");
    assert_int_equal(
        openmetrics_print(f, &(struct ackd_counters){.counters = counters, .count = 5}), 0);
    fclose(f);
    assert_string_equal(
        text, "# TYPE ackd_a_busy_seconds counter\n# UNIT ackd_a_busy_seconds seconds\n# HELP "
              "ackd_a_busy_seconds busy\n"
              "ackd_a_busy_seconds_total 2.500000001\n"
              "# TYPE ackd_a_level_bytes gauge\n# UNIT ackd_a_level_bytes bytes\n"
              "# HELP ackd_a_level_bytes a \\\"level\\\"\\nof \\\\ things\nackd_a_level_bytes 5\n"
              "# TYPE ackd_a_wait_seconds gauge\n# UNIT ackd_a_wait_seconds seconds\n# HELP "
              "ackd_a_wait_seconds waiting\n"
              "ackd_a_wait_seconds 0.000000007\n"
              "# TYPE ackd_b_x counter\n# HELP ackd_b_x b.x by reason, in segments\n"
              "ackd_b_x_total{reason=\"ONE\"} 1\nackd_b_x_total{reason=\"TWO\"} 2\n# EOF\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_args),           cmocka_unit_test(test_stop_at_operand),
        cmocka_unit_test(test_prefix_match),   cmocka_unit_test(test_durations),
        cmocka_unit_test(test_duration_parse), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_state_names),    cmocka_unit_test(test_hostport),
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_table),
        cmocka_unit_test(test_tcp_options),    cmocka_unit_test(test_openmetrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
