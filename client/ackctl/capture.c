/* ackctl capture: packets as a pcapng file, to a file or into a pipe: `ackctl capture -w - |
 * wireshark -k -i -`. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "query.h"
#include "relay.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

enum { CAPTURE_ALL = ARGS_NAMES };

static const struct opt options[] = {
    {'w', "write", ARG_REQUIRED, "FILE", "where to write the pcapng file; - is standard output"},
    {'c', "count", ARG_REQUIRED, "N", "end after N packets"},
    {'s', "snaplen", ARG_REQUIRED, "BYTES", "keep so many bytes of each packet (default 262144)"},
    {CAPTURE_ALL, "all-frames", ARG_NONE, NULL, "ARP, ICMP and frames about no connection, too"},
    {0},
};

static int copy(struct ctl *ctl, struct ackd_capture *capture, int fd, const char *path)
{
    struct ackd_error err = {0};
    const void *data;
    size_t length;
    uint64_t lost = 0;
    enum ackd_next next;
    while ((next = ackd_capture_next(capture, &data, &length, &lost,
                                     ctl_cancelled() ? ACKD_FOREVER : 0, &err)) > ACKD_END) {
        if (next == ACKD_AGAIN && !ctl_wait(ctl) && !ctl_cancelled()) {
            break; /* nobody reads any more */
        }
        if (next == ACKD_ITEM && write_all(fd, data, length) < 0) {
            ctl_complain(ctl, "%s: %s", path, strerror(errno));
            return EXIT_TCP;
        }
    }
    if (lost) {
        ctl_complain(ctl, "%" PRIu64 " packets were left out: the reader was too slow", lost);
    }
    return next == ACKD_FAILED ? ctl_fail(ctl, NULL, &err) : EXIT_DONE;
}

/* The file that is to be written: opened before the daemon is asked for anything, emptied only
 * once there is something to write. */
struct target {
    const char *path;
    int fd;
    bool is_new;
};

static int target_open(const struct ctl *ctl, struct target *t)
{
    t->fd = STDOUT_FILENO;
    if (strcmp(t->path, "-") == 0) {
        return 0;
    }
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    t->is_new = t->fd >= 0;
    if (t->fd < 0 && errno == EEXIST) {
        t->fd = open(t->path, O_WRONLY | O_CLOEXEC);
    }
    if (t->fd >= 0) {
        return 0;
    }
    int error = errno;
    ctl_complain(ctl, "%s: %s: cannot write there: %s", t->path, strerrorname_np(error),
                 strerror(error));
    return error == EACCES || error == EPERM || error == EROFS ? EXIT_NOT_PERMITTED : EXIT_USAGE;
}

/* Leaves no empty file behind when there was nothing to capture from. */
static void target_drop(struct target *t)
{
    if (t->fd > STDOUT_FILENO) {
        close(t->fd);
    }
    if (t->is_new) {
        unlink(t->path);
    }
}

static int capture_to(struct ctl *ctl, const struct ackd_capture_request *request, struct target *t)
{
    struct ackd_error err = {0};
    struct stat st;
    struct ackd_capture *capture = ctl_connect(ctl) ? ackd_capture(ctl->ackd, request, &err) : NULL;
    if (!capture) {
        target_drop(t);
        return ctl->ackd ? ctl_fail(ctl, NULL, &err) : ctl->exit_code;
    }
    bool fresh = t->fd == STDOUT_FILENO || fstat(t->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
                 ftruncate(t->fd, 0) == 0;
    int code = fresh ? copy(ctl, capture, t->fd, t->path) : EXIT_TCP;
    if (!fresh || (t->fd > STDOUT_FILENO && close(t->fd) < 0)) {
        ctl_complain(ctl, "%s: %s", t->path, strerror(errno));
        code = EXIT_TCP;
    }
    ackd_capture_free(capture);
    return code;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct ackd_capture_request request = {.snap_length_bytes = 0};
    struct args args = ctl_args(ctl, argc, argv);
    struct query query;
    const char *path = NULL;
    uint64_t snap = 0;
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        path = key == 'w' ? args.value : path;
        request.all_frames |= key == CAPTURE_ALL;
        if ((key == 'c' && (!number_parse(args.value, UINT64_MAX, &request.packet_limit) ||
                            !request.packet_limit)) ||
            (key == 's' && (!size_parse(args.value, &snap) || snap > 262144 || !snap))) {
            return ctl_usage(ctl, "-%c %s: a number from 1%s", key, args.value,
                             key == 's' ? " to 262144" : "");
        }
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (!path) {
        return ctl_usage(ctl, "-w FILE says where to write; -w - is standard output");
    }
    if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO)) {
        return ctl_usage(ctl, "a terminal cannot show pcapng: redirect it, or name a file");
    }
    if ((code = query_begin(ctl, &query, argv, args.operands, STATES_ALL, 0)) != 0) {
        return code;
    }
    if (!filter_is_pushed_whole(query.tree)) {
        query_end(&query);
        return ctl_usage(ctl, "here a filter is tests joined by `and` (no or, not, !=, nor "
                              "fields): the daemon captures, and tests no more");
    }
    request.filter = query_wire(&query);
    request.snap_length_bytes = (uint32_t)snap;
    struct target target = {.path = path};
    code = target_open(ctl, &target);
    if (!code) {
        code = capture_to(ctl, &request, &target);
    }
    query_end(&query);
    return code;
}

const struct verb verb_capture = {
    .name = "capture",
    .operands = "-w FILE [FILTER]",
    .summary = "write packets as pcapng, with connection and state as comments",
    .details = "Ends with Ctrl-C, which leaves a whole file. A FILTER is tests joined by `and`: it "
               "is the daemon that tests.",
    .complete = "filter",
    .options = options,
    .run = run,
};
