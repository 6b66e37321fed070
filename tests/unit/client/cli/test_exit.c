/* One test for each exit code of ackctl(1), and the ways to end early. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
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
    c.reason = "INVALID_FIELD"; /* which the sentence names */
    check("ackctl open 224.0.0.1:80", &c, 2, "is no peer\n");
}

/* A file that cannot be written is found before the daemon is asked, and a capture that does not
 * begin leaves neither an empty file nor an emptied one. */
static void test_capture_file(void **state)
{
    (void)state;
    struct canned c = {.fail_path = NULL};
    check("ackctl capture -w /nonexistent/file", NULL, 2,
          "/nonexistent/file: ENOENT: cannot write");
    check("ackctl capture -w /", &c, 2, "EISDIR");
    check("d=$(mktemp -d); ackctl capture -w $d/f; code=$?; rmdir $d || exit 99; exit $code", NULL,
          3, "ackctl: capture");
    check("d=$(mktemp -d); echo old >$d/f; ackctl capture -w $d/f; code=$?; "
          "grep -q old $d/f || exit 99; rm -r $d; exit $code",
          NULL, 3, "ackctl: capture");
    check("d=$(mktemp -d); echo 'a longer text than what comes' >$d/f; ackctl capture -w $d/f || "
          "exit 98; [ \"$(cat $d/f)\" = 'pcapng bytes' ] || exit 99; rm -r $d",
          &c, 0, "");
    if (geteuid() != 0) {
        check("d=$(mktemp -d); touch $d/f; chmod 0 $d/f; ackctl capture -w $d/f; code=$?; rm -r $d;"
              "exit $code",
              &c, 5, "EACCES");
    }
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

/* When it is ssh that fails, or the other host has no ackctl, the daemon is not blamed. */
static void check_ssh(const char *ssh_does, int code, const char *stderr_has)
{
    char command[512];
    snprintf(command, sizeof command,
             "d=$(mktemp -d); printf '#!/bin/sh\n%s\n' >$d/ssh; chmod +x $d/ssh; "
             "PATH=$d:$PATH ackctl -H me@there ls; code=$?; rm -r $d; exit $code",
             ssh_does);
    struct run run = run_command(command, NULL, NULL);
    assert_int_equal(run.code, code);
    if (!strstr(run.err, stderr_has) || strstr(run.err, "daemon")) {
        fail_msg("said %s", run.err);
    }
    run_free(&run);
}

static void test_remote_host_fails(void **state)
{
    (void)state;
    check_ssh("echo ssh: no such name >&2; exit 255", 3,
              "EHOSTUNREACH: ssh did not reach me@there");
    check_ssh("exit 127", 3, "ENOENT: there is no ackctl in the $PATH of me@there");
    check_ssh("exit 5", 3, "ackctl on me@there ended with 5");
    check("a=$(command -v ackctl); PATH=/nonexistent $a -H me@there ls", NULL, 3,
          "ENOENT: there is no ssh in $PATH");
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
        cmocka_unit_test(test_remote_host_fails),
        cmocka_unit_test(test_capture_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
