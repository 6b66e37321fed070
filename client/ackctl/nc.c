/* ackctl nc: netcat over ackd. The end of standard input half-closes the connection; it is over
 * when both sides are closed.
 *
 * One poll() watches standard input, the daemon's socket and the interrupt. There is one buffer,
 * for what standard input gave and the connection does not take yet; while it is not empty standard
 * input is left alone, and while standard output blocks the peer's window closes. The endpoints
 * belong to a session, so that they end with this process.
 *
 * With --fast-open (RFC 7413) the connection begins with the first of the input: it goes with the
 * SYN where the peer gave us a cookie before, else behind the handshake, which brings one. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dest.h"
#include "hostport.h"
#include "relay.h"
#include "units.h"
#include "verbs.h"

#define BUFFER 65536
#define OPEN_WAIT_NS                                                                               \
    (INT64_C(200) * 1000000000) /* beyond R2 for SYN: the daemon's verdict comes first */
#define SLICE_NS (INT64_C(60) * 1000000000)
#define CLEANUP_MS 2000
#define FAST_OPEN_QUEUE 128 /* as many as may wait to be accepted */

enum { NC_FAST_OPEN = ARGS_NAMES };

static const struct opt options[] = {
    {'l', "listen", ARG_NONE, NULL, "listen, and take the first connection"},
    {'k', "keep-open", ARG_NONE, NULL, "with -l: when it ended, take the next"},
    {'N', NULL, ARG_NONE, NULL, "half-close at the end of standard input (always)"},
    {'q', NULL, ARG_REQUIRED, "S", "end S seconds after the end of standard input"},
    {'w', "wait", ARG_REQUIRED, "S", "give up connecting after S seconds, end after S idle ones"},
    {'z', NULL, ARG_NONE, NULL, "only see whether somebody listens: exit code 0 or 1"},
    {'v', "verbose", ARG_NONE, NULL, "say what happens on standard error"},
    {'n', NULL, ARG_NONE, NULL, "taken for nc's sake"},
    {'s', "source", ARG_REQUIRED, "SRC", "local address"},
    {'p', "port", ARG_REQUIRED, "PORT", "local port"},
    {'4', "ipv4", ARG_NONE, NULL, "only IPv4"},
    {'6', "ipv6", ARG_NONE, NULL, "only IPv6"},
    {NC_FAST_OPEN, "fast-open", ARG_NONE, NULL,
     "the first input goes with the SYN; with -l: such data are taken (RFC 7413)"},
    {0},
};

struct nc {
    struct ctl *ctl;
    const char *object; /* for messages */
    bool listen, keep, probe, verbose, fast_open, input_ended;
    int64_t quit_ns, wait_ns; /* -1: not given */
    unsigned family;
    struct ackd_endpoint local;
    /* Of the connection under way. */
    struct ackd_stream *stream;
    bool output_ended, shut;
    size_t used, taken; /* of buffer */
    char buffer[BUFFER];
};

/* What standard input gave goes to the connection, as far as it takes it; then the FIN. 1 something
 * moved, 0 not, -1 failed. */
static int push(struct nc *nc, struct ackd_error *err)
{
    int moved = 0;
    if (nc->taken < nc->used) {
        ssize_t n =
            ackd_stream_write(nc->stream, nc->buffer + nc->taken, nc->used - nc->taken, 0, 0, err);
        if (n < 0) {
            return -1;
        }
        nc->taken += (size_t)n;
        moved = n > 0;
    }
    if (nc->taken == nc->used && nc->input_ended && !nc->shut) {
        nc->shut = true;
        return ackd_stream_shutdown(nc->stream, err) < 0 ? -1 : 1;
    }
    return moved;
}

/* What the connection has goes to standard output. As push(). */
static int pull(struct nc *nc, struct ackd_error *err)
{
    const void *data;
    size_t length;
    if (nc->output_ended) {
        return 0;
    }
    switch (ackd_stream_peek(nc->stream, &data, &length, 0, err)) {
    case ACKD_ITEM:
        if (write_all(STDOUT_FILENO, data, length) < 0) {
            err->grpc_code = ACKD_ABORTED;
            snprintf(err->errno_name, sizeof err->errno_name, "%s", strerrorname_np(errno));
            snprintf(err->message, sizeof err->message, "standard output cannot be written");
            return -1;
        }
        ackd_stream_consume(nc->stream, length);
        return 1;
    case ACKD_END:
        nc->output_ended = true;
        return 1;
    case ACKD_AGAIN:
        return 0;
    case ACKD_FAILED:
        break;
    }
    return -1;
}

/* Reads standard input into the empty buffer. As push(), with errno. */
static int fill(struct nc *nc)
{
    ssize_t n = read(STDIN_FILENO, nc->buffer, sizeof nc->buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    nc->taken = 0;
    nc->used = n > 0 ? (size_t)n : 0;
    nc->input_ended |= n <= 0;
    return n < 0 && errno != EIO ? -1 : 1; /* EIO: the terminal went away */
}

/* Waits until something can go on. 1 yes, 0 `until_ns` has passed, -1 cancelled or the daemon is
 * gone. */
static int wait(struct nc *nc, int64_t until_ns, struct ackd_error *err)
{
    struct ackd *a = nc->ctl->ackd;
    bool hungry = !nc->input_ended && nc->taken == nc->used;
    struct pollfd polls[3] = {{.fd = ackd_fd(a), .events = ackd_poll_events(a)},
                              {.fd = hungry ? STDIN_FILENO : -1, .events = POLLIN},
                              {.fd = ctl_cancel_fd(), .events = POLLIN}};
    int64_t left = until_ns - ctl_monotonic_ns();
    int ms = until_ns == INT64_MAX           ? -1
             : left <= 0                     ? 0
             : left > INT64_C(1000000000000) ? 1000000
                                             : (int)(left / 1000000 + 1);
    int ready = poll(polls, 3, ms);
    if (ctl_cancelled() || (ready < 0 && errno != EINTR)) {
        err->grpc_code = ACKD_CANCELLED;
        return -1;
    }
    if (ready <= 0) {
        return ctl_monotonic_ns() >= until_ns ? 0 : 1;
    }
    if (polls[1].revents && fill(nc) < 0) {
        err->grpc_code = ACKD_ABORTED;
        snprintf(err->errno_name, sizeof err->errno_name, "%s", strerrorname_np(errno));
        snprintf(err->message, sizeof err->message, "standard input cannot be read");
        return -1;
    }
    return polls[0].revents && ackd_process(a, err) < 0 ? -1 : 1;
}

/* Until both sides are closed, or the time of -w or -q is over. 0, or -1 with *err. */
static int converse(struct nc *nc, struct ackd_error *err)
{
    int64_t idle_since = ctl_monotonic_ns(), ended_at = -1;
    while (!nc->output_ended || !nc->shut) {
        int pushed = push(nc, err), pulled = pushed < 0 ? -1 : pull(nc, err);
        int64_t until = INT64_MAX, now = ctl_monotonic_ns();
        if (pulled < 0) {
            return -1;
        }
        if (nc->input_ended && ended_at < 0) {
            ended_at = now;
        }
        if (pushed || pulled) {
            idle_since = now;
            continue;
        }
        if (nc->wait_ns >= 0 && nc->wait_ns < INT64_MAX - idle_since) {
            until = idle_since + nc->wait_ns;
        }
        if (nc->quit_ns >= 0 && ended_at >= 0 && ended_at + nc->quit_ns < until) {
            until = ended_at + nc->quit_ns;
        }
        int waited = wait(nc, until, err);
        if (waited <= 0) {
            return waited;
        }
    }
    return ackd_stream_flush(nc->stream, ACKD_FOREVER, err) < 0 ? -1 : 0;
}

/* Gives the endpoint up in an orderly way, also after an interrupt: what was accepted is still
 * delivered. */
static void give_up(struct nc *nc, uint64_t id)
{
    ackd_set_cancel_fd(nc->ctl->ackd, -1);
    ackd_set_timeout(nc->ctl->ackd, CLEANUP_MS);
    ackd_stream_close(nc->stream);
    nc->stream = NULL;
    ackd_close(nc->ctl->ackd, id, ACKD_CLOSE_HOW_RELEASE, 0, NULL, NULL);
    ackd_set_cancel_fd(nc->ctl->ackd, ctl_cancel_fd());
}

/* The first `sent` bytes of the buffer are accepted already. */
static int serve(struct nc *nc, uint64_t id, uint64_t sent)
{
    struct ackd_error err = {0};
    int code = EXIT_DONE;
    nc->output_ended = nc->shut = false;
    nc->taken = (size_t)sent;
    nc->stream = ackd_stream_open(nc->ctl->ackd,
                                  &(struct ackd_stream_request){.id = id, .send_from = sent}, &err);
    if (!nc->stream || converse(nc, &err) < 0) {
        code = ctl_fail(nc->ctl, nc->object, &err);
    }
    give_up(nc, id);
    return code;
}

/* Waits for the first of the input, which --fast-open sends with the SYN. */
static int first_input(struct nc *nc)
{
    struct ackd_error err = {0};
    while (!nc->used && !nc->input_ended) {
        if (wait(nc, INT64_MAX, &err) < 0) {
            return ctl_fail(nc->ctl, nc->object, &err);
        }
    }
    return 0;
}

static int connect_to(struct nc *nc, char **operands, int count)
{
    struct ackd_error err = {0};
    struct ackd_open_result result = {0};
    struct dest dest;
    char where[HOSTPORT_TEXT], text[UNITS_TEXT];
    int code = dest_parse(nc->ctl, operands, count, nc->family, &dest), opened = -1;
    if (code) {
        return code;
    }
    nc->object = dest.text;
    if (!ctl_connect(nc->ctl)) {
        return nc->ctl->exit_code;
    }
    if (nc->fast_open && !nc->probe && (code = first_input(nc)) != 0) {
        return code;
    }
    int64_t patience = nc->wait_ns > 0 ? nc->wait_ns : OPEN_WAIT_NS;
    for (size_t i = 0; i < dest.count && opened < 0; i++) {
        struct ackd_open_request request = {.remote = dest.to[i],
                                            .local = nc->local,
                                            .wait_ms = ctl_wait_ms(patience),
                                            .fast_open = nc->fast_open,
                                            .data = nc->buffer,
                                            .length = nc->used};
        opened = ackd_open(nc->ctl->ackd, &request, &result, &err);
        if (opened < 0 && error_exit_code(&err) != EXIT_TCP) {
            break;
        }
    }
    if (opened < 0) {
        return ctl_fail(nc->ctl, dest.text, &err);
    }
    if (result.state == ACKD_STATE_SYN_SENT || result.state == ACKD_STATE_SYN_RECEIVED) {
        ackd_abort(nc->ctl->ackd, result.id, NULL);
        return ctl_fail_tcp(nc->ctl, dest.text, "ETIMEDOUT", "no answer to our SYN within %s",
                            duration_format(patience, text));
    }
    if (nc->verbose) {
        fprintf(stderr, "Connection to %s succeeded!\n",
                hostport_format(result.remote.address, result.remote.port, where));
    }
    if (nc->probe) {
        give_up(nc, result.id);
        return EXIT_DONE;
    }
    return serve(nc, result.id, result.accepted_until);
}

/* -l PORT, -l ADDR:PORT, -l ADDR PORT, or -l with -s and -p. */
static int parse_listen(struct nc *nc, char **operands, int count)
{
    struct ackd_endpoint e;
    int code;
    if (count > 2 || (count == 0 && !nc->local.port)) {
        return ctl_usage(nc->ctl, "-l PORT, or -l ADDR PORT");
    }
    for (int i = 0; i < count; i++) {
        if ((code = dest_parse_local(nc->ctl, operands[i], &e)) != 0) {
            return code;
        }
        if (*e.address) {
            memcpy(nc->local.address, e.address, sizeof e.address);
        }
        nc->local.port = e.port ? e.port : nc->local.port;
    }
    return 0;
}

static int accept_one(struct nc *nc, uint64_t listener, uint64_t *id)
{
    struct ackd_error err = {0};
    struct ackd_accept_result result = {0};
    char text[HOSTPORT_TEXT];
    int64_t left = nc->wait_ns > 0 ? nc->wait_ns : INT64_MAX;
    while (!result.id) {
        int64_t slice = left < SLICE_NS ? left : SLICE_NS;
        struct ackd_accept_request request = {.id = listener, .wait_ms = ctl_wait_ms(slice)};
        if (left <= 0) {
            return ctl_fail_tcp(nc->ctl, nc->object, "ETIMEDOUT", "no connection came");
        }
        if (ackd_accept(nc->ctl->ackd, &request, &result, &err) < 0) {
            return ctl_fail(nc->ctl, nc->object, &err);
        }
        left -= left == INT64_MAX ? 0 : slice;
    }
    *id = result.id;
    if (nc->verbose) {
        fprintf(stderr, "Connection received on %s\n",
                hostport_format(result.remote.address, result.remote.port, text));
    }
    return 0;
}

static int listen_on(struct nc *nc, char **operands, int count)
{
    struct ackd_error err = {0};
    struct ackd_listen_result listener;
    char text[HOSTPORT_TEXT];
    uint64_t id = 0;
    int code = parse_listen(nc, operands, count);
    if (code) {
        return code;
    }
    nc->object = hostport_format(nc->local.address, nc->local.port, text);
    if (!ctl_connect(nc->ctl)) {
        return nc->ctl->exit_code;
    }
    const struct ackd_options taking = {.has_fast_open_queue = true,
                                        .fast_open_queue = FAST_OPEN_QUEUE};
    struct ackd_listen_request request = {.local = nc->local,
                                          .v4_only = nc->family == 4,
                                          .v6_only = nc->family == 6,
                                          .options = nc->fast_open ? &taking : NULL};
    if (ackd_listen(nc->ctl->ackd, &request, &listener, &err) < 0) {
        return ctl_fail(nc->ctl, nc->object, &err);
    }
    if (nc->verbose) {
        fprintf(stderr, "Listening on %s\n",
                hostport_format(listener.local.address, listener.local.port, text));
    }
    do {
        if ((code = accept_one(nc, listener.id, &id)) == 0) {
            if (!nc->keep) { /* one was wanted: others are refused from now on */
                ackd_close(nc->ctl->ackd, listener.id, ACKD_CLOSE_HOW_RELEASE, 0, NULL, NULL);
            }
            nc->used = 0;
            code = serve(nc, id, 0);
        }
    } while (nc->keep && code <= EXIT_TCP && !ctl_cancelled());
    return code;
}

static int take(struct nc *nc, int key, const char *value)
{
    struct ackd_endpoint local;
    int code;
    switch (key) {
    case 'q':
    case 'w':
        if (!duration_parse(value, key == 'q' ? &nc->quit_ns : &nc->wait_ns)) {
            return ctl_usage(nc->ctl, "-%c %s: a number of seconds", key, value);
        }
        return 0;
    case 's':
        code = dest_parse_local(nc->ctl, value, &local);
        memcpy(nc->local.address, local.address, sizeof local.address);
        return code;
    case 'p':
        return port_parse(value, &nc->local.port)
                   ? 0
                   : ctl_usage(nc->ctl, "-p %s: 0 to 65535 or a service's name", value);
    case '4':
    case '6':
        nc->family = (unsigned)(key - '0');
        return 0;
    default:
        nc->fast_open |= key == NC_FAST_OPEN;
        nc->listen |= key == 'l';
        nc->keep |= key == 'k';
        nc->probe |= key == 'z';
        nc->verbose |= key == 'v';
        return 0;
    }
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct nc *nc = calloc(1, sizeof *nc);
    struct args args = ctl_args(ctl, argc, argv);
    int key, code = 0;
    if (!nc) {
        return EXIT_LIMIT;
    }
    nc->ctl = ctl;
    nc->quit_ns = nc->wait_ns = -1;
    while (!code && (key = ctl_option(ctl, &args)) >= 0) {
        code = take(nc, key, args.value);
    }
    if (!code && key == ARGS_ERROR) {
        code = EXIT_USAGE;
    } else if (!code && nc->listen && nc->probe) {
        code = ctl_usage(ctl, "-z and -l exclude each other");
    } else if (!code) {
        code =
            nc->listen ? listen_on(nc, argv, args.operands) : connect_to(nc, argv, args.operands);
    }
    free(nc);
    return code;
}

const struct verb verb_nc = {
    .name = "nc",
    .operands = "HOST PORT",
    .summary = "netcat: standard input and output on a connection",
    .details = "HOST:PORT, too; with -l: PORT, ADDR:PORT or ADDR PORT.",
    .complete = "host",
    .options = options,
    .run = run,
};
