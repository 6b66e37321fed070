/* One test for each exit code of ackctl(1), and the ways to end early. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "run.h"

static void check(const char *command, const struct canned *canned, int code,
                  const char *stderr_has)
{
    struct run run = run_command(command, canned, NULL);
    if (run.code != code || !strstr(run.err, stderr_has)) {
        print_error("%s: exit %d, %s", command, run.code, run.err);
    }
    assert_int_equal(run.code, code);
    assert_non_null(strstr(run.err, stderr_has));
    run_free(&run);
}

static void test_0_done(void **state)
{
    (void)state;
    check("ackctl ls", &(struct canned){.no_rows = true}, 0, "");
}

static void test_1_tcp_outcome(void **state)
{
    (void)state;
    struct canned c = {.fail_path = "/ackd.v1.Tcp/Status",
                       .code = 10,
                       .errno_name = "ECONNRESET",
                       .reason = "RST_IN_ESTABLISHED",
                       .message = "the peer reset the connection"};
    check("ackctl send 7 x", &c, 1,
          "ackctl: send 7: ECONNRESET: the peer reset the connection (reason RST_IN_ESTABLISHED)");
}

static void test_2_usage_and_ambiguity(void **state)
{
    (void)state;
    struct canned c = {.fail_path = NULL};
    check("ackctl ls --nonsense", &c, 2, "unknown option --nonsense");
    check("ackctl show @web", &c, 2, "ambiguous");
    c = (struct canned){.fail_path = "/ackd.v1.Tcp/Open",
                        .code = 3,
                        .errno_name = "EINVAL",
                        .message = "a multicast address is no peer"};
    check("ackctl open 224.0.0.1:80", &c, 2, "EINVAL");
    c.reason = "remote"; /* the field, which the sentence names */
    check("ackctl open 224.0.0.1:80", &c, 2, "is no peer\n");
}

static void test_3_unreachable(void **state)
{
    (void)state;
    check("ackctl ls", NULL, 3, "ackctl: ls: ENOENT");
    check("ackctl", NULL, 3, "is ackd running?");
    struct canned gone = {
        .fail_path = "/ackd.v1.Inspect/List", .code = 14, .message = "going away"};
    check("ackctl ls", &gone, 3, "UNAVAILABLE");
}

static void test_4_no_such_id(void **state)
{
    (void)state;
    struct canned c = {.fail_path = NULL};
    check("ackctl why 99", &c, 4, "no endpoint has this id");
    check("ackctl watch 99", &c, 4, "no endpoint has this id");
    check("ackctl why @nobody", &c, 4, "no endpoint matches '@nobody'");
}

static void test_5_not_permitted(void **state)
{
    (void)state;
    struct canned c = {.fail_path = "/ackd.v1.Tcp/Abort",
                       .code = 7,
                       .errno_name = "EPERM",
                       .message = "endpoint 7 belongs to uid 1000"};
    check("ackctl abort 7", &c, 5, "EPERM");
    c = (struct canned){.fail_path = "/ackd.v1.Inspect/List",
                        .code = 14,
                        .errno_name = "EACCES",
                        .message = "the socket's mode"};
    check("ackctl ls", &c, 5, "EACCES");
    c.fail_path = NULL;
    check("ackctl kill all", &c, 5, "belong to others");
}

static void test_6_limit(void **state)
{
    (void)state;
    struct canned c = {.fail_path = "/ackd.v1.Tcp/Listen",
                       .code = 8,
                       .errno_name = "EMFILE",
                       .message = "1024 endpoints a client"};
    check("ackctl listen 80", &c, 6, "EMFILE");
}

static void test_124_timeout(void **state)
{
    (void)state;
    struct canned c = {.endless = true};
    check("ackctl --timeout 0.05 watch", &c, 124, "--timeout ran out");
    check("ackctl watch --timeout=50ms", &c, 124, "--timeout ran out");
    check("ackctl nc --timeout 0.05 10.9.0.9 7", &c, 124, "--timeout ran out");
    c.timeouts = true;
    check("ackctl open --timeout 0.05 10.9.0.9:80", &c, 124, "--timeout ran out");
}

static void interrupt(int pid)
{
    kill(pid, SIGINT);
}

static void terminate(int pid)
{
    kill(pid, SIGTERM);
}

static void test_130_interrupted(void **state)
{
    (void)state;
    struct canned c = {.endless = true};
    struct run run = run_command("exec ackctl watch", &c, interrupt);
    assert_int_equal(run.code, 130);
    assert_string_equal(run.err, "");
    run_free(&run);
    run = run_command("exec ackctl capture -w -", &c, interrupt);
    assert_int_equal(run.code, 130);
    assert_string_equal(run.out, "pcapng bytes\n");
    run_free(&run);
    run = run_command("exec ackctl watch", &c, terminate);
    assert_int_equal(run.code, 143);
    run_free(&run);
}

/* Whoever reads no more gets no complaint, whether SIGPIPE is ignored or not. */
static void test_sigpipe_is_quiet(void **state)
{
    (void)state;
    struct canned c = {.endless = true};
    struct run run = run_command("ackctl watch | head -n 1", &c, NULL);
    assert_int_equal(run.code, 0);
    assert_string_equal(run.err, "");
    run_free(&run);
    run = run_command("trap '' PIPE; ackctl ls | true", &c, NULL);
    assert_string_equal(run.err, "");
    run_free(&run);
}

/* -H runs ssh, which runs ackctl there: here a stand-in runs it at once. */
static void test_remote_host(void **state)
{
    (void)state;
    struct canned c = {.fail_path = NULL};
    const char *ssh = "d=$(mktemp -d); printf '#!/bin/sh\\nshift 2; exec sh -c \"$1\"\\n' >$d/ssh; "
                      "chmod +x $d/ssh; PATH=$d:$PATH; ";
    char command[512];
    snprintf(command, sizeof command,
             "%sackctl -H me@there show 7 state; code=$?; rm -r $d; exit $code", ssh);
    struct run run = run_command(command, &c, NULL);
    assert_string_equal(run.err, "");
    assert_string_equal(run.out, "ESTABLISHED\n");
    assert_int_equal(run.code, 0);
    run_free(&run);
    snprintf(command, sizeof command,
             "%sackctl -H me@there --socket /nowhere ls; code=$?; rm -r $d; exit $code", ssh);
    run = run_command(command, &c, NULL);
    assert_int_equal(run.code, 3);
    run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_0_done),
        cmocka_unit_test(test_1_tcp_outcome),
        cmocka_unit_test(test_2_usage_and_ambiguity),
        cmocka_unit_test(test_3_unreachable),
        cmocka_unit_test(test_4_no_such_id),
        cmocka_unit_test(test_5_not_permitted),
        cmocka_unit_test(test_6_limit),
        cmocka_unit_test(test_124_timeout),
        cmocka_unit_test(test_130_interrupted),
        cmocka_unit_test(test_sigpipe_is_quiet),
        cmocka_unit_test(test_remote_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
