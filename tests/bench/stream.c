/* stream MODE...: what the control socket carries, and what such a socket carries at best.
 *
 *   send SOCKET ADDRESS SECONDS   writes of 64 KB into a gRPC Stream, to discard at ADDRESS
 *   recv SOCKET ADDRESS SECONDS   the other way, from chargen
 *   unix CPU SECONDS              writes of 64 KB into a bare AF_UNIX stream; the reader is on CPU
 *   closes SOCKET PORT COUNT      a user that accepts and closes at once, so many times
 *
 * The first three print one line of JSON. Verified means of send: the peer acknowledged every byte
 * and ended its side in order; of recv: both ends of every piece are the pattern's at its place; of
 * unix: the reader had as many bytes as were written. "closes" prints "ready" when it listens. */
#include "client/lib/ackd.h"
#include "kernel_side.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DISCARD = 9, CHARGEN = 19, MESSAGE = 65536, PATIENCE_MS = 10000 };
enum { SETTLE_DIVISOR = 4 }; /* this part of the time comes before what counts */

struct result {
    uint64_t bytes;
    int64_t ns;
    const char *unverified;
};

static _Noreturn void fail_rpc(const struct ackd_error *e)
{
    errno = 0;
    fail("%s: %s", e->errno_name, e->message);
}

static struct ackd *join(const char *socket)
{
    struct ackd_error e;
    struct ackd *a = ackd_connect(socket, &e);
    if (a == NULL) {
        fail_rpc(&e);
    }
    return a;
}

static uint64_t open_to(struct ackd *a, const char *address, uint16_t port)
{
    struct ackd_error e;
    struct ackd_open_request request = {.remote.port = port, .wait_ms = PATIENCE_MS};
    struct ackd_open_result opened;
    snprintf(request.remote.address, sizeof request.remote.address, "%s", address);
    if (ackd_open(a, &request, &opened, &e) < 0) {
        fail_rpc(&e);
    }
    return opened.id;
}

static struct ackd_stream *stream_of(struct ackd *a, uint64_t id)
{
    struct ackd_error e;
    struct ackd_stream *s = ackd_stream_open(a, &(struct ackd_stream_request){.id = id}, &e);
    if (s == NULL) {
        fail_rpc(&e);
    }
    return s;
}

/* ---- gRPC ---- */

/* The peer has read all and says so by its FIN; then every byte is acknowledged, too. */
static const char *verify_sent(struct ackd *a, struct ackd_stream *s, uint64_t id, uint64_t bytes)
{
    struct ackd_error e;
    struct ackd_status_result status;
    uint8_t byte;
    if (ackd_stream_shutdown(s, &e) < 0 || ackd_stream_flush(s, PATIENCE_MS, &e) != 1 ||
        ackd_stream_read(s, &byte, 1, PATIENCE_MS, &e) != 0) {
        return "the peer did not end its side in order";
    }
    if (ackd_status(a, id, &status, &e) < 0 || status.send_offset != bytes) {
        return "other than the written number of bytes was accepted";
    }
    return NULL;
}

static void grpc_send(struct ackd *a, uint64_t id, const uint8_t *pattern, int64_t duration,
                      struct result *r)
{
    struct ackd_error e;
    struct ackd_stream *s = stream_of(a, id);
    int64_t began = clock_now(), counts = began + duration / SETTLE_DIVISOR;
    uint64_t written = 0, before = 0;
    for (int64_t now = began, end = began + duration; now < end; now = clock_now()) {
        if (before == 0 && now >= counts) {
            began = now;
            before = written;
        }
        if (ackd_stream_write(s, pattern + written % PATTERN_PERIOD, MESSAGE, 0, PATIENCE_MS, &e) !=
            MESSAGE) {
            r->unverified = "the stream takes nothing more";
            break;
        }
        written += MESSAGE;
    }
    if (ackd_stream_flush(s, PATIENCE_MS, &e) != 1) {
        r->unverified = "the stream was not accepted";
    }
    r->bytes = written - before;
    r->ns = clock_now() - began;
    if (r->unverified == NULL) {
        r->unverified = verify_sent(a, s, id, written);
    }
    ackd_stream_close(s);
}

/* Both ends of a piece are the pattern's. */
static bool is_pattern(const uint8_t *pattern, uint64_t offset, const uint8_t *data, size_t length)
{
    size_t n = length < 64 ? length : 64;
    uint64_t tail = offset + length - n;
    return memcmp(data, pattern + offset % PATTERN_PERIOD, n) == 0 &&
           memcmp(data + length - n, pattern + tail % PATTERN_PERIOD, n) == 0;
}

static void grpc_receive(struct ackd *a, uint64_t id, const uint8_t *pattern, int64_t duration,
                         struct result *r)
{
    struct ackd_error e;
    struct ackd_stream *s = stream_of(a, id);
    int64_t began = clock_now(), counts = began + duration / SETTLE_DIVISOR;
    uint64_t got = 0, before = 0;
    for (int64_t now = began, end = began + duration; now < end; now = clock_now()) {
        const void *data;
        size_t length;
        if (before == 0 && now >= counts) {
            began = now;
            before = got;
        }
        if (ackd_stream_peek(s, &data, &length, PATIENCE_MS, &e) != ACKD_ITEM) {
            r->unverified = "the stream gives nothing more";
            break;
        }
        if (!is_pattern(pattern, got, data, length)) {
            r->unverified = "the bytes are not those of their place in the stream";
            break;
        }
        ackd_stream_consume(s, length);
        got += length;
    }
    r->bytes = got - before;
    r->ns = clock_now() - began;
    ackd_stream_close(s);
    ackd_abort(a, id, &e);
}

static void grpc(char **argv, struct result *r)
{
    bool sends = strcmp(argv[1], "send") == 0;
    struct ackd *a = join(argv[2]);
    uint64_t id = open_to(a, argv[3], sends ? DISCARD : CHARGEN);
    int64_t duration = (int64_t)(strtod(argv[4], NULL) * 1e9);
    uint8_t *pattern = pattern_new();
    (sends ? grpc_send : grpc_receive)(a, id, pattern, duration, r);
    free(pattern);
    ackd_disconnect(a);
}

/* ---- the bare socket ---- */

static uint64_t drain(int fd, int cpu, uint8_t *buffer)
{
    cpu_set_t set;
    uint64_t bytes = 0;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    for (ssize_t n; (n = read(fd, buffer, MESSAGE)) > 0;) {
        bytes += (uint64_t)n;
    }
    return bytes;
}

static void bare(int cpu, int64_t duration, struct result *r)
{
    int data[2];
    uint8_t *buffer = calloc(1, MESSAGE);
    uint64_t read_bytes = 0;
    if (buffer == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, data) < 0) {
        fail("socketpair");
    }
    pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(data[0]);
        read_bytes = drain(data[1], cpu, buffer);
        _exit(write(data[1], &read_bytes, sizeof read_bytes) != sizeof read_bytes);
    }
    close(data[1]);
    int64_t began = clock_now();
    while (clock_now() - began < duration) {
        ssize_t n = write(data[0], buffer, MESSAGE);
        if (n < 0) {
            fail("write");
        }
        r->bytes += (uint64_t)n;
    }
    shutdown(data[0], SHUT_WR);
    if (read(data[0], &read_bytes, sizeof read_bytes) != sizeof read_bytes ||
        read_bytes != r->bytes) {
        r->unverified = "other than the written number of bytes was read";
    }
    r->ns = clock_now() - began;
    free(buffer);
}

/* ---- a user that closes ---- */

static void closes(const char *socket, uint16_t port, unsigned count)
{
    struct ackd_error e;
    struct ackd *a = join(socket);
    struct ackd_listen_request request = {.local.port = port, .backlog = 4096};
    struct ackd_listen_result listener;
    if (ackd_listen(a, &request, &listener, &e) < 0) {
        fail_rpc(&e);
    }
    puts("ready");
    fflush(stdout);
    for (unsigned done = 0; done < count;) {
        struct ackd_accept_request accept = {.id = listener.id, .wait_ms = PATIENCE_MS};
        struct ackd_accept_result c;
        if (ackd_accept(a, &accept, &c, &e) < 0) {
            fail_rpc(&e);
        }
        if (c.id != 0) {
            if (ackd_close(a, c.id, ACKD_CLOSE_HOW_RELEASE, 0, NULL, &e) < 0) {
                fail_rpc(&e);
            }
            done++;
        }
    }
    ackd_disconnect(a);
}

int main(int argc, char **argv)
{
    struct result r = {0};
    const char *mode = argc > 1 ? argv[1] : "";
    errno = 0;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc == 5 && (strcmp(mode, "send") == 0 || strcmp(mode, "recv") == 0)) {
        grpc(argv, &r);
    } else if (argc == 4 && strcmp(mode, "unix") == 0) {
        bare(atoi(argv[2]), (int64_t)(strtod(argv[3], NULL) * 1e9), &r);
    } else if (argc == 5 && strcmp(mode, "closes") == 0) {
        closes(argv[2], (uint16_t)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
        return 0;
    } else {
        fail("stream send|recv SOCKET ADDRESS SECONDS | unix CPU SECONDS | closes SOCKET PORT N");
    }
    printf("{\"bytes\":%llu,\"ns\":%lld,\"unverified\":\"%s\"}\n", (unsigned long long)r.bytes,
           (long long)r.ns, r.unverified != NULL ? r.unverified : "");
    return 0;
}
