/* Living, dead and missing sockets, and what a socket file looks like to others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host/control_socket.h"

static char directory[64], path[CONTROL_SOCKET_PATH];

static int make_place(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/ackd-socket-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a/b/control.sock", directory);
    return 0;
}

static int remove_place(void **state)
{
    (void)state;
    char part[128];
    unlink(path);
    snprintf(part, sizeof part, "%s/a/b", directory);
    rmdir(part);
    snprintf(part, sizeof part, "%s/a", directory);
    rmdir(part);
    return rmdir(directory);
}

static void listens_in_a_new_directory_for_its_group_only(void **state)
{
    (void)state;
    const char *what;
    struct stat st;
    char group[16];
    snprintf(group, sizeof group, "%u", (unsigned)getgid());
    int fd = control_socket_listen(path, group, &what);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_gid, getgid());
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    close(fd);
}

static void a_living_socket_is_named_by_its_pid(void **state)
{
    (void)state;
    const char *what;
    pid_t pid = 0;
    int fd = control_socket_listen(path, "", &what);
    assert_true(fd >= 0);
    assert_int_equal(control_socket_probe(path, &pid), -EADDRINUSE);
    assert_int_equal(pid, getpid());
    close(fd);
}

static void a_dead_socket_is_replaced(void **state)
{
    (void)state;
    const char *what;
    pid_t pid;
    assert_int_equal(control_socket_probe(path, &pid), 0);
    int fd = control_socket_listen(path, "", &what);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(control_socket_probe(path, &pid), 0);
    fd = control_socket_listen(path, "", &what);
    assert_true(fd >= 0);
    close(fd);
}

static void a_file_is_not_replaced(void **state)
{
    (void)state;
    pid_t pid;
    char file[128];
    snprintf(file, sizeof file, "%s/file", directory);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(control_socket_probe(file, &pid), -EEXIST);
    unlink(file);
}

static void an_unknown_group_is_an_error(void **state)
{
    (void)state;
    const char *what;
    assert_int_equal(control_socket_listen(path, "no-such-group-here", &what), -ENOENT);
    assert_string_equal(what, "find the group");
}

static void a_long_path_is_refused(void **state)
{
    (void)state;
    const char *what;
    pid_t pid;
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(control_socket_probe(longer, &pid), -ENAMETOOLONG);
    assert_int_equal(control_socket_listen(longer, "", &what), -ENAMETOOLONG);
}

static void default_places(void **state)
{
    (void)state;
    char p[CONTROL_SOCKET_PATH];
    if (geteuid() == 0) {
        assert_int_equal(control_socket_default("ackd0", p), 0);
        assert_string_equal(p, "/run/ackd/ackd0/control.sock");
    } else {
        setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
        assert_int_equal(control_socket_default("none", p), 0);
        assert_string_equal(p, "/run/user/1/ackd/none/control.sock");
        unsetenv("XDG_RUNTIME_DIR");
        assert_int_equal(control_socket_default("none", p), -ENOENT);
    }
    assert_int_equal(control_socket_beside("/a/b/c.sock", p), 0);
    assert_string_equal(p, "/a/b/monitor.sock");
    assert_int_equal(control_socket_beside("c.sock", p), 0);
    assert_string_equal(p, "monitor.sock");
}

static bool exists(const char *what)
{
    struct stat st;
    return lstat(what, &st) == 0;
}

/* The instance's own directory goes with the last socket in it; one that somebody chose stays. */
static void removed_with_its_directory(void **state)
{
    (void)state;
    const char *what;
    char name[32], p[CONTROL_SOCKET_PATH], beside[CONTROL_SOCKET_PATH], folder[128];
    setenv("XDG_RUNTIME_DIR", directory, 1); /* for root it is /run whatever this says */
    snprintf(name, sizeof name, "test-%ld", (long)getpid());
    assert_int_equal(control_socket_default(name, p), 0);
    assert_int_equal(control_socket_beside(p, beside), 0);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(p, '/') - p), p);
    int fd = control_socket_listen(p, "", &what),
        monitor = control_socket_listen(beside, "", &what);
    assert_true(fd >= 0 && monitor >= 0);
    control_socket_remove(p, name);
    assert_false(exists(p));
    assert_true(exists(beside)); /* and with it the directory */
    control_socket_remove(beside, name);
    assert_false(exists(folder));
    close(fd);
    close(monitor);
    fd = control_socket_listen(path, "", &what);
    control_socket_remove(path, name);
    assert_false(exists(path));
    *strrchr(path, '/') = '\0';
    assert_true(exists(path));
    close(fd);
    snprintf(folder, sizeof folder, "%s/ackd", directory);
    rmdir(folder);
    unsetenv("XDG_RUNTIME_DIR");
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(listens_in_a_new_directory_for_its_group_only),
        IN_PLACE(a_living_socket_is_named_by_its_pid),
        IN_PLACE(a_dead_socket_is_replaced),
        IN_PLACE(a_file_is_not_replaced),
        IN_PLACE(an_unknown_group_is_an_error),
        IN_PLACE(a_long_path_is_refused),
        IN_PLACE(removed_with_its_directory),
        IN_PLACE(default_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
