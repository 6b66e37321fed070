/* ackctl finds the daemon at a path; the double sits at a socketpair's end. A thread accepts and
 * copies between the two. */
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct bridge {
    char directory[64], path[96];
    int listener, stop[2];
    const struct canned *canned;
    pthread_t thread;
};

static bool copy(int from, int to)
{
    char buffer[16384];
    ssize_t n = read(from, buffer, sizeof buffer);
    for (ssize_t done = 0; done < n;) {
        ssize_t w = send(to, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);
        if (w <= 0) {
            return false;
        }
        done += w;
    }
    return n > 0;
}

/* One client until it or the double hangs up. */
static void serve(struct bridge *b, int client)
{
    struct double_script script = canned_script(b->canned);
    int daemon;
    struct double_server *d = double_start(&script, &daemon);
    struct pollfd polls[3] = {{.fd = client, .events = POLLIN},
                              {.fd = daemon, .events = POLLIN},
                              {.fd = b->stop[0], .events = POLLIN}};
    while (poll(polls, 3, -1) > 0 || errno == EINTR) {
        if (polls[2].revents || (polls[0].revents && !copy(client, daemon)) ||
            (polls[1].revents && !copy(daemon, client))) {
            break;
        }
    }
    close(daemon);
    close(client);
    double_stop(d);
}

static void *bridge_thread(void *arg)
{
    struct bridge *b = arg;
    for (;;) {
        struct pollfd polls[2] = {{.fd = b->listener, .events = POLLIN},
                                  {.fd = b->stop[0], .events = POLLIN}};
        if (poll(polls, 2, -1) < 0 && errno == EINTR) {
            continue;
        }
        if (polls[1].revents) {
            return NULL;
        }
        int client = accept(b->listener, NULL, NULL);
        if (client >= 0) {
            serve(b, client);
        }
    }
}

static void bridge_begin(struct bridge *b, const struct canned *canned)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(b->directory, "/tmp/ackctl-test-XXXXXX");
    if (!mkdtemp(b->directory) || pipe(b->stop) < 0) {
        abort();
    }
    snprintf(b->path, sizeof b->path, "%s/sock", b->directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", b->path);
    b->canned = canned;
    b->listener = -1;
    if (!canned) {
        return;
    }
    b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(b->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(b->listener, 8) < 0 || pthread_create(&b->thread, NULL, bridge_thread, b)) {
        abort();
    }
}

static void bridge_end(struct bridge *b)
{
    if (b->canned) {
        (void)!write(b->stop[1], "", 1);
        pthread_join(b->thread, NULL);
        close(b->listener);
        unlink(b->path);
    }
    close(b->stop[0]);
    close(b->stop[1]);
    rmdir(b->directory);
}

/* In the child. */
static void exec_shell(const char *command, const struct bridge *b)
{
    const char *program = getenv("ACKCTL"), *slash = program ? strrchr(program, '/') : NULL;
    char path[4096];
    if (!slash) {
        _exit(99);
    }
    snprintf(path, sizeof path, "%.*s:/usr/bin:/bin", (int)(slash - program), program);
    setenv("PATH", path, 1);
    setenv("ACKD_SOCKET", b->path, 1);
    setenv("TZ", "UTC", 1);
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(98);
}

struct buffer {
    char *text;
    size_t length;
};

static bool gather(int fd, struct buffer *b)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n <= 0) {
        return false;
    }
    b->text = realloc(b->text, b->length + (size_t)n + 1);
    memcpy(b->text + b->length, chunk, (size_t)n);
    b->length += (size_t)n;
    b->text[b->length] = 0;
    return true;
}

static struct run collect(int pid, int out, int err, void (*while_running)(int pid))
{
    struct buffer buffers[2] = {{calloc(1, 1), 0}, {calloc(1, 1), 0}};
    struct pollfd polls[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    int status;
    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        poll(polls, 2, -1);
        for (int i = 0; i < 2; i++) {
            if (polls[i].fd >= 0 && polls[i].revents && !gather(polls[i].fd, &buffers[i])) {
                close(polls[i].fd);
                polls[i].fd = -1;
            }
        }
        if (while_running && buffers[0].length) {
            while_running(pid);
            while_running = NULL;
        }
    }
    waitpid(pid, &status, 0);
    return (struct run){.out = buffers[0].text,
                        .err = buffers[1].text,
                        .out_length = buffers[0].length,
                        .code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
}

struct run run_command(const char *command, const struct canned *canned,
                       void (*while_running)(int pid))
{
    struct bridge b;
    int in[2], out[2], err[2];
    bridge_begin(&b, canned);
    if (pipe(in) < 0 || pipe(out) < 0 || pipe(err) < 0) {
        abort();
    }
    int pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO); /* standard input says nothing and does not end */
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        for (int fd = 3; fd < 64; fd++) {
            close(fd);
        }
        exec_shell(command, &b);
    }
    close(out[1]);
    close(err[1]);
    struct run run = collect(pid, out[0], err[0], while_running);
    close(in[0]);
    close(in[1]);
    bridge_end(&b);
    return run;
}

struct run run_on_terminal(const char *command, const struct canned *canned)
{
    struct bridge b;
    struct winsize size = {.ws_row = 24, .ws_col = 72};
    int terminal, err[2];
    bridge_begin(&b, canned);
    if (pipe(err) < 0) {
        abort();
    }
    int pid = forkpty(&terminal, NULL, NULL, &size);
    if (pid == 0) {
        dup2(err[1], STDERR_FILENO);
        exec_shell(command, &b);
    }
    close(err[1]);
    struct run run = collect(pid, terminal, err[0], NULL);
    bridge_end(&b);
    return run;
}

void run_free(struct run *run)
{
    free(run->out);
    free(run->err);
}
