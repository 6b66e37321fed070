/* What ackctl prints, against golden/: the command, its output, its errors and its exit code in one
 * file each. UPDATE_GOLDEN=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "run.h"

static const struct golden {
    const char *name, *command;
    bool terminal;
    struct canned canned;
} cases[] = {
    {"status", "ackctl"},
    {"status-json", "ackctl -j"},
    {"ls", "ackctl ls"},
    {"ls-tan", "ackctl ls -tan"},
    {"ls-l", "ackctl ls -l"},
    {"ls-6", "ackctl l -6"},
    {"ls-H", "ackctl ls -H state established"},
    {"ls-timers", "ackctl ls -o"},
    {"ls-info", "ackctl ls -epmi id = 7"},
    {"ls-oneline", "ackctl ls -Ommi 7"},
    {"ls-columns", "ackctl ls -oid,state,cwnd,srtt,local"},
    {"ls-columns-long", "ackctl ls --columns id,owner,limit_reason"},
    {"ls-column-unknown", "ackctl ls --columns id,nonsense"},
    {"ls-summary", "ackctl ls -s"},
    {"ls-closed", "ackctl ls --closed"},
    {"ls-limit", "ackctl ls --limit 2"},
    {"ls-tanoep", "ackctl ls -tanoep id = 7"},
    {"ls-columns-word", "ackctl ls -o id,owner state listening"},
    {"ls-memory", "ackctl ls -mi state listening"},
    {"ls-filter-ports", "ackctl ls '( sport = :5000 or dport = :443 )'"},
    {"ls-filter-states", "ackctl ls state SYN_SENT state timewait"},
    {"ls-filter-group", "ackctl ls exclude connected"},
    {"ls-filter-address", "ackctl ls dst 10.9.0.0/24 and not dst 10.9.0.2"},
    {"ls-filter-field", "ackctl ls 'cwnd_bytes >= 14k and srtt_ns < 2ms'"},
    {"ls-filter-wrong", "ackctl ls state NONSENSE"},
    {"ls-empty", "ackctl ls", .canned = {.no_rows = true}},
    {"ls-json", "ackctl ls -j id = 2"},
    {"ls-json-pretty", "ackctl ls --json=pretty state listening"},
    {"ls-json-empty", "ackctl ls --json", .canned = {.no_rows = true}},
    {"ls-terminal", "ackctl ls", .terminal = true},
    {"ls-no-color", "NO_COLOR=1 ackctl ls", .terminal = true},
    {"netstat", "ackctl netstat"},
    {"netstat-tanp", "ackctl netstat -tanp state established"},
    {"netstat-s", "ackctl netstat -s"},
    {"netstat-json", "ackctl netstat -jl"},
    {"show", "ackctl show 7"},
    {"show-values", "ackctl sh 7 cwnd srtt backoff local"},
    {"show-absent", "ackctl show 7 persist_deadline_ns cwnd_bytes"},
    {"show-all", "ackctl show all cwnd state"},
    {"show-dump", "ackctl show 7 dump"},
    {"show-all-json", "ackctl show all cwnd -j"},
    {"show-all-json-empty", "ackctl show all --json", .canned = {.no_rows = true}},
    {"set-ms", "ackctl set -j 7 keepalive_idle_ms=500 keepalive_interval_s=2 user_timeout_ms=1.5s "
               "rto_max=90"},
    {"set-ms-little", "ackctl set 7 keepalive_idle=10us"},
    {"show-all-dump", "ackctl show all dump"},
    {"show-header", "ackctl show 7 --header"},
    {"show-json", "ackctl show 7 -j"},
    {"show-field-unknown", "ackctl show 7 nonsense"},
    {"show-closed", "ackctl show 5 close_reason error"},
    {"show-label", "ackctl show @probe state"},
    {"show-tuple", "ackctl show '10.9.0.1:5000>10.9.0.3:1235' id label"},
    {"show-fields", "ackctl show --fields | head -n 24"},
    {"selector-ambiguous", "ackctl show @web"},
    {"selector-port", "ackctl show :49152 id"},
    {"selector-remote-port", "ackctl show :443 id"},
    {"selector-none", "ackctl close @nobody"},
    {"selector-wrong", "ackctl close nonsense"},
    {"why", "ackctl why 7"},
    {"why-json", "ackctl why 7 --json=pretty"},
    {"watch", "ackctl watch"},
    {"watch-snapshot", "ackctl watch --snapshot state listening"},
    {"watch-json", "ackctl watch -j -c 2"},
    {"watch-segments", "ackctl watch --segments"},
    {"watch-segments-v", "ackctl watch --segments -v --payload 8 7"},
    {"watch-segments-S", "ackctl watch --segments -S -c 3"},
    {"watch-ladder", "ackctl watch --ladder"},
    {"watch-ladder-mirror", "ackctl watch --ladder", .canned = {.mirror = true}},
    {"watch-ladder-v", "ackctl watch --ladder -v 7"},
    {"watch-packetdrill", "ackctl watch --packetdrill 7"},
    {"watch-after-alone", "ackctl watch --after 12"},
    {"capture", "ackctl capture -w -"},
    {"capture-no-file", "ackctl capture"},
    {"capture-or", "ackctl capture -w - sport = :1 or sport = :2"},
    {"open", "ackctl open -v 10.9.0.9:80"},
    {"open-two-words", "ackctl open -j -p 777 10.9.0.9 80"},
    {"open-v6", "ackctl open -v '[2001:db8::9]:80'"},
    {"open-refused", "ackctl open 10.0.0.9:80",
     .canned = {.fail_path = "/ackd.v1.Tcp/Open",
                .code = 9,
                .errno_name = "ECONNREFUSED",
                .reason = "RST_IN_SYN_SENT",
                .message = "the peer answered our SYN with RST"}},
    {"open-timeout", "ackctl open -w 2 10.0.0.9:80", .canned = {.timeouts = true}},
    {"open-no-port", "ackctl open 10.0.0.9"},
    {"open-no-port-v6", "ackctl open 2001:db8::9:80"},
    {"listen", "ackctl listen -v :5000"},
    {"listen-in-use", "ackctl listen 5000",
     .canned = {.fail_path = "/ackd.v1.Tcp/Listen",
                .code = 6,
                .errno_name = "EADDRINUSE",
                .message = "another listener has 0.0.0.0:5000"}},
    {"accept", "ackctl accept -v @web"}, /* the listener, not its connection of the same label */
    {"accept-none", "ackctl accept -w 1ms 2", .canned = {.timeouts = true}},
    {"send", "ackctl send -v 7 this text is longer than ten bytes"},
    {"send-stdin", "printf 'from a pipe' | ackctl send -v 7"},
    {"send-escapes", "ackctl send -v -e 7 'a\\x41\\n'"},
    {"send-wrong-escape", "ackctl send -e 7 'a\\q'"},
    {"recv", "ackctl recv 7"},
    {"recv-all", "ackctl recv -v --all 7"},
    {"recv-max", "ackctl recv -n 3 7"},
    {"recv-none", "ackctl recv -w 1ms 7", .canned = {.timeouts = true}},
    {"nc", "echo over and out | ackctl nc -v 10.9.0.9 7"},
    {"nc-z", "ackctl nc -zv 10.9.0.9 7"},
    {"nc-z-refused", "ackctl nc -z 10.9.0.9:7",
     .canned = {.fail_path = "/ackd.v1.Tcp/Open",
                .code = 9,
                .errno_name = "ECONNREFUSED",
                .reason = "RST_IN_SYN_SENT",
                .message = "the peer answered our SYN with RST"}},
    {"nc-fast-open", "echo over and out | ackctl nc --fast-open 10.9.0.9 7",
     .canned = {.syn_takes = 10}},
    {"nc-fast-open-all", "echo over and out | ackctl nc --fast-open 10.9.0.9 7",
     .canned = {.syn_takes = 100}},
    {"nc-fast-open-nothing", "ackctl nc --fast-open 10.9.0.9 7 < /dev/null"},
    {"nc-fast-open-listen", "echo answer | ackctl nc -lv --fast-open 5000"},
    {"nc-listen", "echo answer | ackctl nc -lv 5000"},
    {"close", "ackctl close -v --half 7"},
    {"abort", "ackctl abort 7 8"},
    {"kill", "ackctl kill @web"},
    {"kill-nothing-said", "ackctl kill"},
    {"set", "ackctl set 7 nodelay=on keepalive_idle=30s label=new"},
    {"set-show", "ackctl set 7"},
    {"set-wrong", "ackctl set 7 delayed_ack=2s"},
    {"set-beyond", "ackctl set 7 ttl=300"},
    {"set-unknown", "ackctl set 7 nonsense=1"},
    {"conformance", "ackctl conformance MUST-23 shld-26"},
    {"conformance-tests", "ackctl conformance -t REC-1"},
    {"conformance-json", "ackctl conformance MUST-1 -j"},
    {"conformance-unknown", "ackctl conformance MUST-70"},
    {"stats", "ackctl stats"},
    {"stats-all", "ackctl stats -a"},
    {"stats-unknown", "ackctl stats tcp.no; echo $?"},
    {"stats-openmetrics", "ackctl stats --openmetrics"},
    {"stats-json", "ackctl stats --json=pretty | head -n 12"},
    {"daemon-status", "ackctl daemon"},
    {"daemon-version", "ackctl daemon version"},
    {"version-json", "ackctl --version -j"},
    {"daemon-log-level", "ackctl daemon log-level"},
    {"daemon-addresses", "ackctl daemon addresses"},
    {"daemon-routes", "ackctl daemon routes"},
    {"daemon-neighbours", "ackctl daemon neighbors"},
    {"daemon-metrics", "ackctl daemon metrics"},
    {"daemon-metrics-clear", "ackctl daemon metrics clear 10.9.0.2"},
    {"daemon-route-add", "ackctl daemon routes add default via 10.9.0.254"},
    {"daemon-wrong", "ackctl daemon addresses add 10.9.0.1"},
    {"key", "ackctl key"},
    {"key-json", "ackctl key ls -j"},
    {"key-add", "echo secret | ackctl key add md5 192.0.2.1 --remote-port 179"},
    {"key-add-json", "printf x | ackctl key add -j md5 192.0.2.1"},
    {"key-add-nothing", "ackctl key add md5 192.0.2.1 < /dev/null"},
    {"key-add-long", "yes | ackctl key add md5 192.0.2.1"},
    {"key-add-file", "ackctl key add aes 2001:db8::/64 --send-id 1 --file /nowhere/key"},
    {"key-add-wrong", "ackctl key add rot13 192.0.2.1"},
    {"key-rm", "ackctl key rm 1 3"},
    {"key-rm-wrong", "ackctl key rm one"},
    {"key-use", "ackctl key use 7 --current 3"},
    {"key-use-nothing", "ackctl key use 7"},
    {"key-fast-open", "echo a0bf63f7-ed803d81-cd641d30-cebc4a90,64636261-68676665-6c6b6a69-706f6e6d"
                      " | ackctl key fast-open set"},
    {"key-fast-open-octets",
     "printf '\\367c\\277\\240\\201=\\200\\3550\\035d\\315\\220J\\274\\316abcdefghijklmnop'"
     " | ackctl key fast set --listener @web"},
    {"key-fast-open-json", "printf A0BF63F7ED803D81CD641D30CEBC4A90 | ackctl key f set -j"},
    {"key-fast-open-wrong", "echo a0bf63f7-ed803d81-cd641d30 | ackctl key fast-open set"},
    {"key-fast-open-rotate", "ackctl key fast-open rotate"},
    {"key-fast-open-rotate-two",
     "echo a0bf63f7-ed803d81-cd641d30-cebc4a90,64636261-68676665-6c6b6a69-706f6e6d"
     " | ackctl key fast-open rotate --file -"},
    {"key-fast-open-reset", "ackctl key fast-open reset --listener @web"},
    {"key-fast-open-reset-key", "echo x | ackctl key fast-open reset --file -"},
    {"key-fast-open-what", "ackctl key fast-open"},
    {"help", "ackctl help"},
    {"help-ls", "ackctl ls --help"},
    {"help-set", "ackctl help set"},
    {"help-ambiguous", "ackctl help se"},
    {"help-unknown", "ackctl help nonsense"},
    {"verb-unknown", "ackctl nonsense"},
    {"verb-ambiguous", "ackctl s"},
    {"option-unknown", "ackctl ls --nonsense"},
    {"option-prefix", "ackctl ls --no-h state listening"},
};

static char *whole_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!f) {
        free(text);
        return NULL;
    }
    text[fread(text, 1, (1 << 20) - 1, f)] = 0;
    fclose(f);
    return text;
}

static void test_golden(void **state)
{
    const struct golden *g = *state;
    char path[4096], *text = calloc(1, 1 << 20);
    struct run run = g->terminal ? run_on_terminal(g->command, &g->canned)
                                 : run_command(g->command, &g->canned, NULL);
    snprintf(text, 1 << 20, "$ %s\n%s%s%sexit %d\n", g->command, run.out,
             *run.err ? "--- standard error\n" : "", run.err, run.code);
    snprintf(path, sizeof path, "%s/%s", getenv("GOLDEN"), g->name);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
    }
    char *wanted = whole_file(path);
    assert_non_null(wanted);
    assert_string_equal(text, wanted);
    free(wanted);
    free(text);
    run_free(&run);
}

int main(void)
{
    enum { COUNT = sizeof cases / sizeof cases[0] };
    static struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_golden, .initial_state = (void *)&cases[i]};
    }
    return _cmocka_run_group_tests("ackctl golden", tests, COUNT, NULL, NULL);
}
