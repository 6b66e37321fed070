/* How ackctl fails: one line that says what happened, to what, why, and what to do where that is
 * known; and an exit code that scripts can tell apart. The daemon never answers a TCP outcome with
 * UNAVAILABLE or DEADLINE_EXCEEDED, so these two mean the daemon. */
#include "ctl.h"
#include "remote.h"

#include <stdarg.h>
#include <string.h>

int error_exit_code(const struct ackd_error *err)
{
    switch (err->grpc_code) {
    case ACKD_CANCELLED:
        return ctl_cancelled() ? ctl_cancelled() : EXIT_TCP;
    case ACKD_INVALID_ARGUMENT:
        return EXIT_USAGE;
    case ACKD_UNAVAILABLE:
        if (strcmp(err->errno_name, "EACCES") == 0) { /* the socket is there, but not for us */
            return EXIT_NOT_PERMITTED;
        }
        return ctl_cancelled() ? ctl_cancelled() : EXIT_UNREACHABLE;
    case ACKD_DEADLINE_EXCEEDED:
        return ctl_cancelled() ? ctl_cancelled() : EXIT_UNREACHABLE;
    case ACKD_NOT_FOUND:
        return EXIT_NO_SUCH_ID;
    case ACKD_PERMISSION_DENIED:
    case ACKD_UNAUTHENTICATED:
        return EXIT_NOT_PERMITTED;
    case ACKD_RESOURCE_EXHAUSTED:
        return EXIT_LIMIT;
    default:
        return EXIT_TCP;
    }
}

/* What the user can do about it; NULL: unknown. */
static const char *advice(const struct ackd_error *err, bool remote)
{
    if (err->grpc_code == ACKD_UNAVAILABLE && !remote) {
        return "--socket, -i and $ACKD_SOCKET name another socket";
    }
    if (err->grpc_code == ACKD_NOT_FOUND &&
        (!*err->errno_name || strcmp(err->errno_name, "EBADF") == 0)) {
        return "`ackctl ls` has the living, `ackctl ls --closed` those that ended";
    }
    if (strcmp(err->errno_name, "EADDRINUSE") == 0) {
        return "`ackctl ls` shows who has it";
    }
    return NULL;
}

/* Standard output first, so that the two keep their order when they end in one file. */
static void begin_line(const struct ctl *ctl)
{
    fflush(stdout);
    fprintf(stderr, "ackctl: %s", ctl->verb ? ctl->verb->name : "");
}

int ctl_fail(const struct ctl *ctl, const char *object, const struct ackd_error *err)
{
    struct ackd_error other;
    if (ctl_cancelled() &&
        (err->grpc_code == ACKD_CANCELLED || err->grpc_code == ACKD_UNAVAILABLE)) {
        if (ctl_cancelled() == EXIT_TIMEOUT) {
            ctl_complain(ctl, "--timeout ran out");
        }
        return ctl_cancelled();
    }
    if (ctl->ssh_host && err->grpc_code == ACKD_UNAVAILABLE &&
        remote_failed(ctl->ssh_host, ctl->ssh_pid, &other)) {
        err = &other; /* not the daemon: it was never reached */
        object = NULL;
    }
    begin_line(ctl);
    if (object) {
        fprintf(stderr, "%s%s", ctl->verb ? " " : "", object);
    }
    fprintf(stderr, "%s%s: %s", ctl->verb || object ? ": " : "",
            *err->errno_name ? err->errno_name : ackd_code_name(err->grpc_code),
            *err->message ? err->message : "no explanation was given");
    if (*err->reason && strcmp(err->reason, "INVALID_FIELD") != 0) { /* which the sentence says */
        fprintf(stderr, " (reason %s)", err->reason);
    }
    const char *what_to_do = advice(err, ctl->ssh_host);
    fprintf(stderr, "%s%s\n", what_to_do ? "; " : "", what_to_do ? what_to_do : "");
    return error_exit_code(err);
}

int ctl_fail_tcp(const struct ctl *ctl, const char *object, const char *errno_name,
                 const char *format, ...)
{
    struct ackd_error err = {.grpc_code = ACKD_ABORTED};
    va_list list;
    va_start(list, format);
    vsnprintf(err.message, sizeof err.message, format, list);
    va_end(list);
    snprintf(err.errno_name, sizeof err.errno_name, "%s", errno_name);
    return ctl_fail(ctl, object, &err);
}

void ctl_complain(const struct ctl *ctl, const char *format, ...)
{
    va_list list;
    begin_line(ctl);
    fputs(ctl->verb ? ": " : "", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    putc('\n', stderr);
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    va_list list;
    begin_line(ctl);
    fputs(ctl->verb ? ": " : "", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "; see `ackctl help%s%s`\n", ctl->verb ? " " : "",
            ctl->verb ? ctl->verb->name : "");
    return EXIT_USAGE;
}
