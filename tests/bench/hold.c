/* hold ADDRESS PORT CONGESTION SOURCE...: the kernel's TCP as a client that has many connections at
 * once, from the sources in turn.
 *
 * Commands on stdin, a line each; each is answered with a line of JSON:
 *
 *   open N W        opens N connections, W handshakes under way, and holds them
 *   send BYTES W    every connection sends so many bytes to the echo service and has them back, W
 * of them at a time
 *
 * Every byte is verified. Prints "ready"; ends, and its connections with it, when stdin does. */
#include "kernel_side.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SOURCES = 16, EVENTS = 256, PATIENCE_MS = 5000, MAX_BYTES = 65536, MAX_FD = 1 << 20 };

struct connection {
    int fd;
    uint32_t left; /* bytes that are to come back; 1 while it opens */
};

struct hold {
    union address to, from[MAX_SOURCES];
    unsigned n_sources;
    const char *congestion;
    int epoll;
    uint8_t *pattern, buffer[MAX_BYTES];
    struct connection *connection;
    uint32_t n, room;
    /* the running command */
    uint32_t next, under_way, done;
    const char *unverified;
};

/* ---- opening ---- */

static void start_one(struct hold *h, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = index};
    int fd = dial(&h->to, &h->from[index % h->n_sources], h->congestion, true);
    /* At the end connections are reset: a hundred thousand that close in order would be heard of in
     * the next measurement. */
    struct linger abort = {.l_onoff = 1};
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort) < 0) {
        fail("SO_LINGER");
    }
    h->connection[index] = (struct connection){.fd = fd, .left = 1};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        fail("epoll_ctl");
    }
}

/* The handshake is over; from now on only what comes back is of interest. */
static void opened(struct hold *h, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = index};
    struct connection *k = &h->connection[index];
    int error = 0;
    socklen_t length = sizeof error;
    if (k->left == 0) {
        return;
    }
    if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0) {
        errno = error;
        fail("a connection was not made");
    }
    epoll_ctl(h->epoll, EPOLL_CTL_MOD, k->fd, &event);
    k->left = 0;
    h->under_way--;
    h->done++;
}

/* Waits for something and hands it to `then`; false when nothing came for too long. */
static bool turn(struct hold *h, void (*then)(struct hold *, uint32_t))
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(h->epoll, event, EVENTS, PATIENCE_MS);
    if (n == 0) {
        h->unverified = "no answer for 5 s";
    }
    for (int i = 0; i < n; i++) {
        then(h, event[i].data.u32);
    }
    return n > 0 && h->unverified == NULL;
}

static void open_many(struct hold *h, uint32_t n, uint32_t window)
{
    uint32_t before = h->n;
    do {
        for (; h->under_way < window && h->next < n; h->under_way++) {
            start_one(h, before + h->next++);
        }
        h->n = before + h->next;
    } while (turn(h, opened) && h->done < n);
}

/* ---- sending ---- */

static void returned(struct hold *h, uint32_t index)
{
    struct connection *k = &h->connection[index];
    if (k->left == 0) {
        return;
    }
    ssize_t got = read(k->fd, h->buffer, sizeof h->buffer);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0 || (size_t)got > k->left) {
        h->unverified = "other bytes came back than were sent";
        return;
    }
    /* What is left counts from the end, and so does the pattern. */
    if (memcmp(h->buffer, h->pattern + MAX_BYTES - k->left, (size_t)got) != 0) {
        h->unverified = "a byte came back changed";
    }
    k->left -= (uint32_t)got;
    if (k->left == 0) {
        h->under_way--;
        h->done++;
    }
}

static void send_all(struct hold *h, uint32_t bytes, uint32_t window)
{
    do {
        for (; h->under_way < window && h->next < h->n; h->under_way++) {
            struct connection *k = &h->connection[h->next++];
            k->left = bytes;
            if (write(k->fd, h->pattern + MAX_BYTES - bytes, bytes) != (ssize_t)bytes) {
                fail("write");
            }
        }
    } while (turn(h, returned) && h->done < h->n);
}

/* ---- the whole ---- */

static void obey(struct hold *h, const char *line)
{
    char name[16];
    unsigned n, window;
    errno = 0;
    if (sscanf(line, "%15s %u %u", name, &n, &window) != 3 || n == 0 || window == 0) {
        fail("what is %s", line);
    }
    int64_t began = clock_now();
    h->next = h->under_way = h->done = 0;
    h->unverified = NULL;
    if (strcmp(name, "open") == 0 && h->n + n <= h->room) {
        open_many(h, n, window);
    } else if (strcmp(name, "send") == 0 && n <= MAX_BYTES) {
        send_all(h, n, window);
    } else {
        fail("what is %s", line);
    }
    printf("{\"operations\":%u,\"ns\":%lld,\"unverified\":\"%s\"}\n", h->done,
           (long long)(clock_now() - began), h->unverified != NULL ? h->unverified : "");
    fflush(stdout);
}

/* As many descriptors as we may have. */
static uint32_t raise_limit(void)
{
    struct rlimit limit = {MAX_FD, MAX_FD};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > 64 ? (uint32_t)limit.rlim_cur - 64 : 1;
}

int main(int argc, char **argv)
{
    static struct hold h;
    char line[128];
    errno = 0;
    if (argc < 5 || argc - 4 > MAX_SOURCES) {
        fail("hold ADDRESS PORT CONGESTION SOURCE...");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    h.to = parse_address(argv[1], argv[2]);
    h.congestion = argv[3];
    for (int i = 4; i < argc; i++) {
        h.from[h.n_sources++] = parse_address(argv[i], "0");
    }
    h.room = raise_limit();
    h.connection = calloc(h.room, sizeof *h.connection);
    h.epoll = epoll_create1(EPOLL_CLOEXEC);
    h.pattern = pattern_new();
    if (h.connection == NULL || h.epoll < 0) {
        fail("start");
    }
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(&h, line);
    }
    return 0;
}
