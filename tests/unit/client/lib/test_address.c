/* Which socket an address means, and what connecting to it can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "client/lib/ackd.h"

static const char *path_of(const char *address)
{
    static char path[108];
    struct ackd_error err;
    if (ackd_socket_path(address, path, sizeof path, &err) < 0) {
        assert_int_equal(err.grpc_code, ACKD_INVALID_ARGUMENT);
        return "-";
    }
    return path;
}

static void test_forms(void **state)
{
    (void)state;
    unsetenv("ACKD_SOCKET");
    unsetenv("XDG_RUNTIME_DIR");
    assert_string_equal(path_of("unix:///tmp/a.sock"), "/tmp/a.sock");
    assert_string_equal(path_of("unix:a.sock"), "a.sock");
    assert_string_equal(path_of("./a.sock"), "./a.sock");
    assert_string_equal(path_of("lab"), "/run/ackd/lab/control.sock");
    setenv("ACKD_SOCKET", "unix:///x", 1);
    assert_string_equal(path_of(NULL), "/x");
    setenv("ACKD_SOCKET", "two", 1);
    assert_string_equal(path_of(NULL), "/run/ackd/two/control.sock");
    unsetenv("ACKD_SOCKET");
}

static void test_malformed(void **state)
{
    (void)state;
    char longer[200], tiny[4];
    memset(longer, 'a', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    assert_string_equal(path_of(longer), "-");
    assert_string_equal(path_of("unix:"), "-");
    assert_string_equal(path_of("tcp://10.0.0.1:5"), "-");
    assert_string_equal(path_of("a b"), "-");
    assert_string_equal(path_of(".."), "-");
    assert_int_equal(ackd_socket_path("/tmp/a", tiny, sizeof tiny, NULL), -1);
}

/* A socket that listens at DIRECTORY/ackd/NAME/control.sock. */
static int serve(const char *directory, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/ackd/%s", directory, name);
    assert_int_equal(mkdir(a.sun_path, 0700), 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/ackd/%s/control.sock", directory, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void forget(const char *directory, const char *name)
{
    char path[108];
    snprintf(path, sizeof path, "%s/ackd/%s/control.sock", directory, name);
    unlink(path);
    snprintf(path, sizeof path, "%s/ackd/%s", directory, name);
    rmdir(path);
}

/* As any user but root: instances in the runtime directory, found without a name when they are
 * alone and alive. */
static void test_runtime_directory(void **state)
{
    (void)state;
    char directory[] = "/tmp/ackd-test-XXXXXX", path[108], one[108], text[300];
    bool root = geteuid() == 0;
    assert_true(!root || seteuid(65534) == 0);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/ackd", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    setenv("XDG_RUNTIME_DIR", directory, 1);
    unsetenv("ACKD_SOCKET");

    int fd = serve(directory, "one"), dead = serve(directory, "dead");
    close(dead);
    snprintf(one, sizeof one, "%s/ackd/one/control.sock", directory);
    assert_string_equal(path_of(NULL), one);
    assert_string_equal(path_of(""), one);
    assert_string_equal(path_of("one"), one);
    assert_string_equal(path_of("nobody"), "/run/ackd/nobody/control.sock");

    int other = serve(directory, "two");
    struct ackd_error err;
    assert_int_equal(ackd_socket_path(NULL, text, sizeof text, &err), -1);
    assert_int_equal(err.grpc_code, ACKD_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, " one"));
    assert_non_null(strstr(err.message, " two"));
    assert_null(strstr(err.message, "dead"));

    close(fd);
    close(other);
    forget(directory, "one");
    forget(directory, "two");
    forget(directory, "dead");
    rmdir(path);
    rmdir(directory);
    unsetenv("XDG_RUNTIME_DIR");
    assert_true(!root || seteuid(0) == 0);
}

static void test_connect_errors(void **state)
{
    (void)state;
    struct ackd_error err;
    assert_null(ackd_connect("/nonexistent/ackd/control.sock", &err));
    assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
    assert_string_equal(err.errno_name, "ENOENT");
    assert_string_equal(
        err.message, "/nonexistent/ackd/control.sock: No such file or directory: is ackd running?");
    assert_null(ackd_connect("a b", &err));
    assert_int_equal(err.grpc_code, ACKD_INVALID_ARGUMENT);
    assert_null(ackd_connect("a b", NULL));
}

static void test_connect(void **state)
{
    (void)state;
    char directory[] = "/tmp/ackd-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/s", directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    struct ackd_error err;
    assert_null(ackd_connect(a.sun_path, &err)); /* bound, nobody listens */
    assert_string_equal(err.errno_name, "ECONNREFUSED");
    assert_int_equal(listen(fd, 1), 0);
    struct ackd *c = ackd_connect(a.sun_path, &err);
    assert_non_null(c);
    assert_true(ackd_fd(c) >= 0);
    ackd_disconnect(c);
    ackd_disconnect(NULL);
    close(fd);
    unlink(a.sun_path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_runtime_directory),
        cmocka_unit_test(test_connect_errors),
        cmocka_unit_test(test_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
