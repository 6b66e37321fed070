/* ackctl send and recv: SEND and RECEIVE of RFC 9293 section 3.9.1, for scripts. Bytes have
 * absolute stream offsets, so each call first asks where the stream stands and then goes on there;
 * whatever is cut short can be repeated. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "relay.h"
#include "selector.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

#define CHUNK 262144
#define SLICE_NS (INT64_C(60) * 1000000000) /* one RPC waits so long at most */

enum { SEND_PUSH = ARGS_NAMES, SEND_URGENT, SEND_FIN, RECV_MIN, RECV_PEEK, RECV_ALL, RECV_NO_WAIT };

static const struct opt send_options[] = {
    {'f', "file", ARG_REQUIRED, "FILE",
     "send this file (- is standard input, the default without TEXT)"},
    {'e', "escapes", ARG_NONE, NULL, "TEXT has escapes: \\n \\r \\t \\0 \\\\ \\xHH"},
    {SEND_PUSH, "push", ARG_NONE, NULL, "PUSH on the last byte"},
    {SEND_URGENT, "urgent", ARG_NONE, NULL, "everything up to the last byte is urgent"},
    {SEND_FIN, "fin", ARG_NONE, NULL, "half-close afterwards"},
    {'v', "verbose", ARG_NONE, NULL, "say how far the stream is accepted and acknowledged"},
    {0},
};

static const struct opt recv_options[] = {
    {'n', "max", ARG_REQUIRED, "BYTES", "at most so many bytes"},
    {RECV_MIN, "min", ARG_REQUIRED, "BYTES", "wait for at least so many (default 1)"},
    {'w', "wait", ARG_REQUIRED, "S", "wait so long (default: for ever)"},
    {RECV_NO_WAIT, "no-wait", ARG_NONE, NULL, "only what is there"},
    {RECV_ALL, "all", ARG_NONE, NULL, "until the end of the stream"},
    {RECV_PEEK, "peek", ARG_NONE, NULL, "leave the bytes in the receive buffer"},
    {'v', "verbose", ARG_NONE, NULL, "say offsets, urgent marks and the end on standard error"},
    {0},
};

/* Undoes \n and its like in place; the new length, or -1 at a wrong escape. */
static ssize_t unescape(char *text)
{
    static const char letters[] = "nrt0\\", bytes[] = "\n\r\t\0\\";
    char *out = text;
    for (const char *in = text; *in; in++) {
        unsigned byte;
        int used = 0;
        if (*in != '\\') {
            *out++ = *in;
        } else if (in[1] && strchr(letters, in[1])) {
            *out++ = bytes[strchr(letters, *++in) - letters];
        } else if (in[1] == 'x' && sscanf(in + 2, "%2x%n", &byte, &used) == 1 && used == 2) {
            *out++ = (char)byte;
            in += 3;
        } else {
            return -1;
        }
    }
    return out - text;
}

struct sending {
    struct ctl *ctl;
    const char *object;
    struct ackd_send_request request;
    struct ackd_send_result result;
    bool push, urgent;
};

/* Hands over `length` bytes; PUSH and URGENT go with the last of them. 0 or the exit code. */
static int send_bytes(struct sending *s, const char *data, size_t length, bool last)
{
    struct ackd_error err = {0};
    uint64_t end = s->request.offset + length;
    while (s->request.offset < end) {
        s->request.data = data + (length - (end - s->request.offset));
        s->request.length = (size_t)(end - s->request.offset);
        s->request.push = s->push && last;
        s->request.urgent = s->urgent && last;
        s->request.wait_ms = ctl_wait_ms(SLICE_NS);
        if (ackd_send(s->ctl->ackd, &s->request, &s->result, &err) < 0) {
            return ctl_fail(s->ctl, s->object, &err);
        }
        if (s->result.accepted_until > end) {
            ctl_complain(s->ctl, "%s: somebody else sends on it, too", s->object);
            return EXIT_TCP;
        }
        s->request.offset = s->result.accepted_until;
        if (ctl_cancelled()) {
            return ctl_fail(s->ctl, s->object, &(struct ackd_error){.grpc_code = ACKD_CANCELLED});
        }
    }
    return 0;
}

/* Reads ahead by one chunk: only the last one carries PUSH. */
static int send_file(struct sending *s, int fd)
{
    char *buffer = malloc(2 * CHUNK), *now = buffer, *next = buffer ? buffer + CHUNK : NULL;
    int code = buffer ? 0 : EXIT_LIMIT;
    ssize_t have = buffer ? read(fd, now, CHUNK) : 0;
    while (have > 0 && !code) {
        ssize_t more = read(fd, next, CHUNK);
        code = send_bytes(s, now, (size_t)have, more <= 0);
        char *swap = now;
        now = next;
        next = swap;
        have = more;
    }
    if (have < 0) {
        ctl_complain(s->ctl, "reading: %s", strerror(errno));
        code = ctl_cancelled() ? ctl_cancelled() : EXIT_USAGE;
    }
    free(buffer);
    return code;
}

static int send_text(struct sending *s, char **words, int count, bool escapes)
{
    size_t length = 1;
    for (int i = 0; i < count; i++) {
        length += strlen(words[i]) + 1;
    }
    char *text = malloc(length), *end = text;
    if (!text) {
        return EXIT_LIMIT;
    }
    for (int i = 0; i < count; i++) {
        end = stpcpy(stpcpy(end, i ? " " : ""), words[i]);
    }
    ssize_t bytes = escapes ? unescape(text) : end - text;
    int code = bytes < 0 ? ctl_usage(s->ctl, "there is a wrong escape in TEXT")
                         : send_bytes(s, text, (size_t)bytes, true);
    free(text);
    return code;
}

static int open_input(const struct ctl *ctl, const char *path)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ctl_complain(ctl, "%s: %s", path, strerror(errno));
    }
    return fd;
}

static int run_send(struct ctl *ctl, int argc, char **argv)
{
    struct sending s = {.ctl = ctl};
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_error err = {0};
    struct ackd_status_result status;
    const char *path = NULL;
    bool escapes = false, fin = false, verbose = false;
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        path = key == 'f' ? args.value : path;
        escapes |= key == 'e';
        s.push |= key == SEND_PUSH;
        s.urgent |= key == SEND_URGENT;
        fin |= key == SEND_FIN;
        verbose |= key == 'v';
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands < 1 || (path && args.operands > 1)) {
        return ctl_usage(ctl, args.operands ? "TEXT or a file, not both" : "on which connection?");
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    s.object = argv[0];
    if ((code = selector_resolve(ctl, argv[0], STATES_ALL & ~STATE_BIT(ST_LISTEN),
                                 &s.request.id)) != 0) {
        return code;
    }
    int fd = args.operands > 1 ? STDIN_FILENO : open_input(ctl, path ? path : "-");
    if (fd < 0) {
        return EXIT_USAGE;
    }
    if (ackd_status(ctl->ackd, s.request.id, &status, &err) < 0) {
        return ctl_fail(ctl, s.object, &err);
    }
    s.request.offset = status.send_offset;
    code =
        args.operands > 1 ? send_text(&s, argv + 1, args.operands - 1, escapes) : send_file(&s, fd);
    if (!code && fin &&
        ackd_close(ctl->ackd, s.request.id, ACKD_CLOSE_HOW_SEND, 0, NULL, &err) < 0) {
        return ctl_fail(ctl, s.object, &err);
    }
    if (!code && verbose) {
        fprintf(stderr, "accepted until %" PRIu64 ", acknowledged until %" PRIu64 "\n",
                s.result.accepted_until, s.result.acknowledged_until);
    }
    return code;
}

struct receiving {
    struct ctl *ctl;
    const char *object;
    struct ackd_receive_request request;
    uint64_t max, min, have;
    int64_t wait_ns;
    bool all, peek, verbose, ended;
};

static int take_recv(struct receiving *r, int key, const char *value)
{
    uint64_t number = 0;
    switch (key) {
    case 'n':
    case RECV_MIN:
        if (!size_parse(value, &number) || !number) {
            return ctl_usage(r->ctl, "'%s' is no number of bytes from 1", value);
        }
        *(key == 'n' ? &r->max : &r->min) = number;
        return 0;
    case 'w':
        if (!duration_parse(value, &r->wait_ns)) {
            return ctl_usage(r->ctl, "'%s' is no number of seconds", value);
        }
        return 0;
    case RECV_NO_WAIT:
        r->wait_ns = 0;
        return 0;
    case RECV_ALL:
        r->all = true;
        return 0;
    case RECV_PEEK:
        r->peek = true;
        return 0;
    default:
        r->verbose = true;
        return 0;
    }
}

/* One RECEIVE, its bytes written out. 0 or the exit code. */
static int receive_once(struct receiving *r, int64_t wait_ns)
{
    struct ackd_error err = {0};
    struct ackd_receive_result result;
    uint64_t wanted = r->max - r->have < CHUNK ? r->max - r->have : CHUNK;
    r->request.max_bytes = (uint32_t)wanted;
    r->request.min_bytes =
        1; /* more is waited for here: taking what there is keeps the peer's window open */
    r->request.wait_ms = ctl_wait_ms(wait_ns < SLICE_NS ? wait_ns : SLICE_NS);
    if (ackd_receive(r->ctl->ackd, &r->request, &result, &err) < 0) {
        return ctl_fail(r->ctl, r->object, &err);
    }
    if (r->verbose && result.has_urgent_mark) {
        fprintf(stderr, "urgent until %" PRIu64 "\n", result.urgent_mark);
    }
    if (write_all(STDOUT_FILENO, result.data, result.length) < 0) {
        ctl_complain(r->ctl, "standard output: %s", strerror(errno));
        return EXIT_TCP;
    }
    r->have += result.length;
    r->request.from_offset = result.offset + result.length;
    r->ended = result.end_of_stream;
    return 0;
}

/* Naming a later offset is what releases bytes in the daemon. */
static int release(struct receiving *r)
{
    struct ackd_error err = {0};
    struct ackd_receive_result result;
    r->request.max_bytes = 1;
    r->request.min_bytes = r->request.wait_ms = 0;
    if (ackd_receive(r->ctl->ackd, &r->request, &result, &err) < 0 &&
        error_exit_code(&err) != EXIT_TCP) {
        return ctl_fail(r->ctl, r->object, &err);
    }
    return EXIT_DONE;
}

static int receive(struct receiving *r)
{
    char text[UNITS_TEXT];
    int64_t end =
        r->wait_ns < INT64_MAX - ctl_monotonic_ns() ? ctl_monotonic_ns() + r->wait_ns : INT64_MAX;
    uint64_t start = r->request.from_offset;
    bool go_on;
    int code;
    do {
        int64_t left = end == INT64_MAX ? SLICE_NS : end - ctl_monotonic_ns();
        if ((code = receive_once(r, left > 0 ? left : 0)) != 0) {
            return code;
        }
        if (r->peek && r->have) {
            break; /* nothing is released, so the same bytes would come again */
        }
        go_on = !r->ended && r->have < r->max && (r->all || r->have < r->min);
    } while (go_on && ctl_monotonic_ns() < end && !ctl_cancelled());
    if (ctl_cancelled()) {
        code = ctl_fail(r->ctl, r->object, &(struct ackd_error){.grpc_code = ACKD_CANCELLED});
    } else if (!r->ended && (r->all ? r->have < r->max : r->have < r->min) && !r->peek &&
               r->wait_ns) {
        code = ctl_fail_tcp(r->ctl, r->object, "ETIMEDOUT", "%" PRIu64 " bytes came within %s",
                            r->have, duration_format(r->wait_ns, text));
    }
    if (!r->peek && r->have) {
        int released = release(r);
        code = code ? code : released;
    }
    if (r->verbose) {
        fprintf(stderr, "offset %" PRIu64 ", %" PRIu64 " bytes%s\n", start, r->have,
                r->ended ? ", the end" : "");
    }
    return code;
}

static int run_recv(struct ctl *ctl, int argc, char **argv)
{
    struct receiving r = {.ctl = ctl, .wait_ns = INT64_MAX, .min = 1, .max = 0};
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_error err = {0};
    struct ackd_status_result status;
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        if ((code = take_recv(&r, key, args.value)) != 0) {
            return code;
        }
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands != 1) {
        return ctl_usage(ctl, "from which connection?");
    }
    r.max = r.max ? r.max : r.all || r.min > CHUNK ? UINT64_MAX : CHUNK;
    r.min = r.min < r.max ? r.min : r.max;
    r.object = argv[0];
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    if ((code = selector_resolve(ctl, argv[0], STATES_ALL & ~STATE_BIT(ST_LISTEN),
                                 &r.request.id)) != 0) {
        return code;
    }
    if (ackd_status(ctl->ackd, r.request.id, &status, &err) < 0) {
        return ctl_fail(ctl, r.object, &err);
    }
    r.request.from_offset = status.receive_offset;
    return receive(&r);
}

const struct verb verb_send = {
    .name = "send",
    .operands = "SELECTOR [TEXT...]",
    .summary = "send text, a file or standard input on a connection",
    .details =
        "TEXT goes as it is, without a newline. Ends when the daemon has accepted every byte.",
    .complete = "selector",
    .options = send_options,
    .run = run_send,
};

const struct verb verb_recv = {
    .name = "recv",
    .operands = "SELECTOR",
    .summary = "write what a connection received to standard output",
    .details = "Waits for at least one byte or the end of the stream; nothing on standard output "
               "and exit code 0 is the end.",
    .complete = "selector",
    .options = recv_options,
    .run = run_recv,
};
