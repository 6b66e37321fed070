/* The control socket is a Unix socket and never TCP, so another host's is reached the way docker
 * does it: ssh runs `ackctl dial-stdio` there, which copies between its standard input and output
 * and that host's socket. Authentication, encryption and host keys are ssh's. */
#include "remote.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ctl.h"
#include "relay.h"
#include "verbs.h"

#define REMOTE_COMMAND 512
/* Steps of 10 ms that ssh has to end in, once it has closed its standard output. */
#define EXIT_PATIENCE 200

/* Appends " 'text'", quoted for the remote shell. False when it does not fit. */
static bool append_quoted(char command[REMOTE_COMMAND], const char *text)
{
    size_t n = strlen(command);
    if (n + 4 * strlen(text) + 4 > REMOTE_COMMAND) {
        return false;
    }
    char *at = stpcpy(command + n, " '");
    for (; *text; text++) {
        if (*text == '\'') {
            at = stpcpy(at, "'\\''");
        } else {
            *at++ = *text;
        }
    }
    stpcpy(at, "'");
    return true;
}

static int fail(struct ackd_error *err, const char *errno_name, const char *what)
{
    *err = (struct ackd_error){.grpc_code = ACKD_UNAVAILABLE};
    snprintf(err->errno_name, sizeof err->errno_name, "%s", errno_name);
    snprintf(err->message, sizeof err->message, "%s", what);
    return -1;
}

static int spawn_ssh(const char *host, char *command, int fd, int *pid)
{
    char *const words[] = {"ssh", "-T", (char *)host, command, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) {
        return error;
    }
    posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    error = posix_spawnp(pid, "ssh", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int remote_connect(const char *host, const char *socket, const char *instance, int *pid,
                   struct ackd_error *err)
{
    char command[REMOTE_COMMAND] = "ackctl";
    int pair[2];
    bool fits = true;
    if (host[0] == '-') {
        return fail(err, "EINVAL", "a host cannot begin with -");
    }
    if (socket) {
        fits = append_quoted(command, "--socket") && append_quoted(command, socket);
    }
    if (instance) {
        fits = fits && append_quoted(command, "-i") && append_quoted(command, instance);
    }
    if (!fits || !append_quoted(command, "dial-stdio")) {
        return fail(err, "ENAMETOOLONG", "the socket's path is too long");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return fail(err, strerrorname_np(errno), "no socket pair for ssh");
    }
    int error = spawn_ssh(host, command, pair[1], pid);
    close(pair[1]);
    if (error) {
        close(pair[0]);
        return fail(err, strerrorname_np(error),
                    error == ENOENT ? "there is no ssh in $PATH, which -H needs"
                                    : "cannot run ssh");
    }
    return pair[0];
}

/* ssh answers 255 for its own errors, else the command's status; a shell 127 when it finds no such
 * command. Both have said more on standard error. */
bool remote_failed(const char *host, int pid, struct ackd_error *err)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < EXIT_PATIENCE && (ended = waitpid(pid, &status, WNOHANG)) == 0; i++) {
        nanosleep(&moment, NULL);
    }
    if (ended <= 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return false;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    *err = (struct ackd_error){.grpc_code = ACKD_UNAVAILABLE};
    if (code == 255) {
        snprintf(err->errno_name, sizeof err->errno_name, "EHOSTUNREACH");
        snprintf(err->message, sizeof err->message,
                 "ssh did not reach %.64s (what it says stands above); try `ssh %.64s ackctl ls`",
                 host, host);
    } else if (code == 127) {
        snprintf(err->errno_name, sizeof err->errno_name, "ENOENT");
        snprintf(err->message, sizeof err->message,
                 "there is no ackctl in the $PATH of %.64s, where -H runs it", host);
    } else {
        snprintf(err->message, sizeof err->message,
                 "ackctl on %.64s ended with %d (what it says stands above)", host, code);
    }
    return true;
}

/* The other end: copies both ways until both ends are through. */
static int run_dial_stdio(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ackd_error err = {0};
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    const char *where = ctl->socket ? ctl->socket : ctl->instance;
    if (ackd_socket_path(where, address.sun_path, sizeof address.sun_path, &err) < 0) {
        return ctl_fail(ctl, where, &err);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        fail(&err, strerrorname_np(errno), "nobody listens on this socket");
        return ctl_fail(ctl, address.sun_path, &err);
    }
    return relay(fd, STDIN_FILENO, STDOUT_FILENO) < 0 ? EXIT_UNREACHABLE : EXIT_DONE;
}

const struct verb verb_dial_stdio = {
    .name = "dial-stdio",
    .operands = "",
    .summary =
        "connect standard input and output to the control socket (what -H runs on the other host)",
    .complete = "",
    .run = run_dial_stdio,
};
