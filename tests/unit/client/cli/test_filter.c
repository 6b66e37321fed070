/* ss's filter language: what is read, what matches, what the daemon is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "filter.h"
#include "states.h"

static bool known(const char *name)
{
    return strcmp(name, "cwnd_bytes") == 0 || strcmp(name, "srtt_ns") == 0;
}

/* `fields` is cwnd_bytes; srtt_ns is unknown. */
static bool value(const void *fields, const char *name, int64_t *out)
{
    *out = *(const int *)fields;
    return strcmp(name, "cwnd_bytes") == 0;
}

static const struct filter_fields fields = {known, value};
static const int cwnd = 14480;

static struct filter_row row(void)
{
    struct filter_row r = {.id = 7,
                           .listener_id = 1,
                           .state = ST_ESTABLISHED,
                           .local_port = 80,
                           .remote_port = 40112,
                           .label = "web",
                           .command = "curl",
                           .service = "",
                           .uid_known = true,
                           .uid = 1000,
                           .fields = &cwnd};
    net_addr_parse("10.9.0.1", &r.local);
    net_addr_parse("10.9.0.2", &r.remote);
    return r;
}

static struct filter *parse(const char *text)
{
    char error[200];
    struct filter *f = filter_parse(&text, 1, &fields, error, sizeof error);
    if (!f) {
        fail_msg("%s: %s", text, error);
    }
    return f;
}

static bool matches_row(const char *text, const struct filter_row *r)
{
    struct filter *f = parse(text);
    bool result = filter_match(f, r);
    filter_free(f);
    return result;
}

static bool matches(const char *text)
{
    struct filter_row r = row();
    return matches_row(text, &r);
}

static void test_ports(void **state)
{
    (void)state;
    assert_true(matches("sport = :80"));
    assert_true(matches("sport 80"));
    assert_true(matches("sport eq 80 dport > 40000"));
    assert_true(matches("dport >= :40112 and dport <= :40112"));
    assert_true(matches("sport ne 81 sport lt 81 sport gt 79 sport le 80 sport ge 80"));
    assert_false(matches("sport != :80"));
    assert_false(matches("sport == 81"));
    assert_true(matches("sport = :http")); /* from the services known here */
}

static void test_hosts(void **state)
{
    (void)state;
    assert_true(matches("src 10.9.0.1"));
    assert_true(matches("src 10.9.0.0/24 and dst 10.0.0.0/8:40112"));
    assert_true(matches("src = 10.9.0.1:80"));
    assert_true(matches("src 10.9.0.1:*"));
    assert_true(matches("src :80"));
    assert_true(matches("dst != 10.9.0.1"));
    assert_true(matches("src 10.9.0.128/24")); /* bits behind the prefix do not count */
    assert_false(matches("src 10.9.1.0/24"));
    assert_false(matches("src ::/0")); /* another family */
    struct filter_row r = row();
    net_addr_parse("2001:db8::1", &r.local);
    assert_true(matches_row("src [2001:db8::]/32:80", &r));
    assert_true(matches_row("src 2001:db8::1", &r));
    assert_true(matches_row("src [2001:db8::1]:80", &r));
    assert_false(matches_row("src [2001:db8::1]/128:81", &r));
    assert_true(matches_row("src 2001:db8::/33", &r));
    assert_false(matches_row("src 2001:db8:8000::/33", &r));
}

static void test_states(void **state)
{
    (void)state;
    assert_true(matches("state established"));
    assert_true(matches("state listen state ESTAB"));
    assert_true(matches("state connected exclude syn-sent"));
    assert_false(matches("exclude established"));
    assert_false(matches("state bucket"));
    assert_true(matches("state big"));
    assert_true(matches("state all"));
    assert_true(matches("state synchronized sport = 80"));
}

static void test_logic(void **state)
{
    (void)state;
    assert_true(matches(""));
    assert_true(matches("all"));
    assert_true(matches("sport = 1 or sport = 80"));
    assert_true(matches("( sport = 1 or sport = 80 ) and dport = 40112"));
    assert_true(matches("sport = 80 or dport = 1 dport = 2")); /* and binds tighter */
    assert_false(matches("(sport=80 or dport=1)&dport=2"));
    assert_true(matches("not sport = 1"));
    assert_true(matches("! ! sport = 80"));
    assert_true(matches("!(sport=1||sport=2)&&!sport!=80"));
}

static void test_fields(void **state)
{
    (void)state;
    assert_true(matches("cwnd_bytes = 14480"));
    assert_true(matches("cwnd_bytes >= 14k and cwnd_bytes < 1M"));
    assert_false(matches("srtt_ns > 0")); /* unknown is never true */
    assert_false(matches("srtt_ns <= 5ms"));
    assert_true(matches("id = 7 uid = 1000 listener = 1"));
    assert_true(matches("label = web and command = curl and service != echo"));
    assert_false(matches("label != web"));
}

static void test_selectors(void **state)
{
    (void)state;
    assert_true(matches("7"));
    assert_false(matches("8"));
    assert_true(matches("@web"));
    assert_true(matches(":80"));
    assert_true(matches(":40112"));
    assert_false(matches(":81"));
    assert_true(matches("10.9.0.2"));
    assert_true(matches("10.9.0.1:80>10.9.0.2:40112"));
    assert_true(matches("10.9.0.1:80 > 10.9.0.2"));
    assert_false(matches("10.9.0.2>10.9.0.1"));
}

static void test_partial_rows(void **state)
{
    (void)state;
    struct filter_row r = row();
    r.partial = true;
    assert_true(matches_row("label = other", &r)); /* nobody can tell */
    assert_true(matches_row("not label = other", &r));
    assert_false(matches_row("label = other and sport = 81", &r));
    assert_true(matches_row("cwnd_bytes > 99999999", &r));
    assert_false(matches_row("8", &r));
}

static void wrong(const char *text, const char *part)
{
    char error[200] = "";
    struct filter *f = filter_parse(&text, 1, &fields, error, sizeof error);
    if (f || !strstr(error, part)) {
        fail_msg("'%s': %s", text, f ? "was taken" : error);
    }
}

static void test_errors(void **state)
{
    (void)state;
    wrong("state", "no state");
    wrong("state nonsense", "'nonsense'");
    wrong("sport", "no port");
    wrong("sport = 65536", "no port");
    wrong("dport = http://", "no port");
    wrong("src", "missing");
    wrong("src nonsense", "no address");
    wrong("src 10.0.0.0/33", "0..32");
    wrong("src > 10.0.0.0", "equal or not");
    wrong("( sport = 1", ") is missing");
    wrong("sport = 1 )", "one too many");
    wrong("sport = 1 or", "ends");
    wrong("not", "ends");
    wrong("()", "means nothing");
    wrong("cwnd_bytes", "needs a comparison");
    wrong("cwnd_bytes > many", "no number");
    wrong("label > web", "equal or not");
    wrong("nonsense", "means nothing");
    char deep[400] = "";
    for (int i = 0; i < 100; i++) {
        strcat(deep, "(");
    }
    wrong(deep, "deeper");
    char wordy[200];
    memset(wordy, 'x', sizeof wordy - 1);
    wordy[sizeof wordy - 1] = 0;
    wrong(wordy, "too long");
    static char many[9000];
    for (int i = 0; i < 300; i++) {
        strcat(many, "sport = 1 or ");
    }
    strcat(many, "sport = 1");
    wrong(many, "parts");
}

static struct filter_hint hint(const char *text, bool whole)
{
    struct filter_hint h;
    struct filter *f = parse(text);
    filter_push_down(f, &h);
    assert_int_equal(filter_is_pushed_whole(f), whole);
    filter_free(f);
    return h;
}

static void test_push_down(void **state)
{
    (void)state;
    struct filter_hint h =
        hint("state established sport >= 1000 sport < 2000 dst 10.0.0.0/8:443 label = web uid = 5",
             true);
    assert_int_equal(h.states, STATE_BIT(ST_ESTABLISHED));
    assert_int_equal(h.local_first, 1000);
    assert_int_equal(h.local_last, 1999);
    assert_int_equal(h.remote_first, 443);
    assert_int_equal(h.remote_last, 443);
    assert_int_equal(h.remote.family, 4);
    assert_int_equal(h.remote_bits, 8);
    assert_string_equal(h.label, "web");
    assert_true(h.uid_known && h.uid == 5 && !h.impossible);
    h = hint("sport = 1 or state listen", false); /* nothing holds of both */
    assert_int_equal(h.states, STATES_ALL);
    assert_int_equal(h.local_last, 65535);
    h = hint("not state listen and 7", false);
    assert_int_equal(h.states, STATES_ALL);
    assert_int_equal(h.id, 7);
    h = hint("sport > 65535 or sport = 1", false);
    assert_false(h.impossible);
    assert_true(hint("sport > 65535", true).impossible);
    assert_true(hint("sport < 0", true).impossible);
    assert_true(hint("sport = 1 sport = 2", true).impossible);
    assert_false(hint("state listen state established", true).impossible); /* one list of states */
    assert_true(hint("state listen and state established", true).impossible);
}

static void test_needs_fields(void **state)
{
    (void)state;
    struct filter *f = parse("id = 7 or cwnd_bytes > 1");
    assert_true(filter_needs_fields(f));
    filter_free(f);
    f = parse("id = 7 and uid = 3 and label = web");
    assert_false(filter_needs_fields(f));
    filter_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_states),       cmocka_unit_test(test_logic),
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_partial_rows), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_push_down),    cmocka_unit_test(test_needs_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
