/* The life of one command: its options, its connection to the daemon, and how it is cut short.
 *
 * SIGINT, SIGTERM and the timer of --timeout all end in one byte in one pipe: libackd's waits and
 * our own polls watch its other end, so that a command always ends through its normal way out, and
 * a second Ctrl-C kills it should it not. */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "remote.h"
#include "units.h"

/* Signal handlers reach only statics. */
/* So much longer than --timeout may the daemon wait: the end of --timeout is to come from here. */
#define DEADLINE_SLACK_NS (INT64_C(5) * 1000000000)

static volatile sig_atomic_t cancelled;
static int cancel_pipe[2] = {-1, -1};
static int64_t deadline_ns; /* of the monotonic clock; 0: none */

const struct opt common_options[] = {
    {OPT_SOCKET, "socket", ARG_REQUIRED, "PATH",
     "the daemon's control socket (also unix:///PATH; default: $ACKD_SOCKET)"},
    {'j', NULL, ARG_NONE, NULL, "the same as --json=short"},
    {OPT_JSON, "json", ARG_OPTIONAL, "pretty|short|off",
     "protobuf's JSON; what watches prints JSON Lines"},
    {OPT_TIMEOUT, "timeout", ARG_REQUIRED, "S", "give up after S seconds with exit code 124"},
    {OPT_HELP, "help", ARG_NONE, NULL, "explain this command"},
    {0},
};

const struct opt global_options[] = {
    {'i', "instance", ARG_REQUIRED, "NAME", "the daemon instance NAME (/run/ackd/NAME/)"},
    {'H', "host", ARG_REQUIRED, "USER@HOST", "the daemon of another host, by ssh"},
    {'h', NULL, ARG_NONE, NULL, "the same as --help"},
    {'V', "version", ARG_NONE, NULL, "print the versions of ackctl and the daemon"},
    {0},
};

struct args ctl_args(const struct ctl *ctl, int argc, char **argv)
{
    return (struct args){
        .tables = {ctl->verb->options, common_options}, .argc = argc, .argv = argv};
}

bool ctl_global(struct ctl *ctl, int key, const char *value)
{
    switch (key) {
    case OPT_SOCKET:
        ctl->socket = value;
        return true;
    case 'i':
        ctl->instance = value;
        return true;
    case 'H':
        ctl->ssh_host = value;
        return true;
    case 'j':
        ctl->json = JSON_SHORT;
        return true;
    case OPT_JSON:
        if (!value || strcmp(value, "pretty") == 0) {
            ctl->json = JSON_PRETTY;
        } else if (strcmp(value, "short") == 0 || strcmp(value, "off") == 0) {
            ctl->json = value[0] == 's' ? JSON_SHORT : JSON_OFF;
        } else {
            ctl_usage(ctl, "--json=%s: one of pretty, short, off", value);
            return false;
        }
        return true;
    case OPT_TIMEOUT:
        if (!duration_parse(value, &ctl->timeout_ns) || ctl->timeout_ns == 0) {
            ctl_usage(ctl, "--timeout %s: a number of seconds above 0, such as 5 or 200ms", value);
            return false;
        }
        return true;
    default:
        return false;
    }
}

int ctl_option(struct ctl *ctl, struct args *args)
{
    for (;;) {
        int key = args_next(args);
        bool own = false;
        for (const struct opt *o = ctl->verb->options; o && o->key; o++) {
            own |= o->key == key;
        }
        if (key == ARGS_ERROR) {
            ctl_usage(ctl, "%s", args->error);
            return ARGS_ERROR;
        }
        if (key == ARGS_END) {
            ctl_timer_begin(ctl);
            return key;
        }
        if (own) {
            return key;
        }
        if (!ctl_global(ctl, key, args->value)) {
            return ARGS_ERROR;
        }
    }
}

static void on_signal(int signal)
{
    int saved = errno;
    if (!cancelled) {
        cancelled = signal == SIGALRM ? EXIT_TIMEOUT : 128 + signal;
    }
    (void)!write(cancel_pipe[1], "", 1);
    errno = saved;
}

int ctl_signals_begin(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    if (pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -1;
    }
    return sigaction(SIGINT, &action, NULL) | sigaction(SIGTERM, &action, NULL) |
           sigaction(SIGALRM, &action, NULL);
}

int64_t ctl_monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void ctl_timer_begin(struct ctl *ctl)
{
    if (ctl->timeout_ns && !deadline_ns) {
        int64_t us = ctl->timeout_ns / 1000 > 0 ? ctl->timeout_ns / 1000 : 1;
        struct itimerval timer = {.it_value = {us / 1000000, us % 1000000}};
        int64_t now = ctl_monotonic_ns();
        deadline_ns = ctl->timeout_ns < INT64_MAX - now ? now + ctl->timeout_ns : INT64_MAX;
        setitimer(ITIMER_REAL, &timer, NULL);
    }
}

int ctl_cancel_fd(void)
{
    return cancel_pipe[0];
}

int ctl_cancelled(void)
{
    return cancelled;
}

uint32_t ctl_wait_ms(int64_t wanted_ns)
{
    int64_t ns = wanted_ns;
    if (deadline_ns) {
        int64_t left = deadline_ns - ctl_monotonic_ns();
        ns = left < ns - DEADLINE_SLACK_NS ? left + DEADLINE_SLACK_NS : ns;
    }
    int64_t ms = ns <= 0 ? 0 : ns / 1000000 + (ns % 1000000 != 0);
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

struct ackd *ctl_connect(struct ctl *ctl)
{
    struct ackd_error err = {0};
    if (ctl->ackd) {
        return ctl->ackd;
    }
    if (ctl->ssh_host) {
        int fd = remote_connect(ctl->ssh_host, ctl->socket, ctl->instance, &ctl->ssh_pid, &err);
        ctl->ackd = fd < 0 ? NULL : ackd_connect_fd(fd, &err);
    } else {
        ctl->ackd = ackd_connect(ctl->socket ? ctl->socket : ctl->instance, &err);
    }
    if (!ctl->ackd) {
        ctl->exit_code = ctl_fail(ctl, NULL, &err);
        return NULL;
    }
    ackd_set_cancel_fd(ctl->ackd, ctl_cancel_fd());
    return ctl->ackd;
}

bool ctl_daemon_now(struct ctl *ctl, int64_t *now_ns)
{
    struct ackd_daemon_status status;
    if (ackd_daemon_status(ctl->ackd, &status, NULL) < 0) {
        return false;
    }
    *now_ns = status.time_ns;
    return true;
}

int ctl_wait(struct ctl *ctl)
{
    /* No event is asked of standard output: a pipe or socket without a reader tells by POLLERR. */
    struct pollfd polls[3] = {{.fd = ackd_fd(ctl->ackd), .events = ackd_poll_events(ctl->ackd)},
                              {.fd = cancel_pipe[0], .events = POLLIN},
                              {.fd = STDOUT_FILENO}};
    if (poll(polls, 3, -1) < 0 && errno != EINTR) {
        return 0;
    }
    return !polls[1].revents && !(polls[2].revents & POLLERR);
}

void ctl_style(const struct ctl *ctl, const char *sgr)
{
    if (ctl->color) {
        printf("\033[%sm", sgr ? sgr : "0");
    }
}

bool ctl_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout);
}
