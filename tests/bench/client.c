/* client MODE ADDRESS PORT [OPTION VALUE]…: the kernel's TCP as the client of what is measured.
 *
 *   send      writes to a discard service for so long, ends the stream and waits for the other's
 * end recv      reads from a chargen service for so long connect   connections one after another,
 * so many at once: connect, 1 byte, the same byte back, close ping      1 byte to an echo service
 * and back, one after another
 *
 * Prints one JSON object: how much in how long, and whether it is verified. Of bulk to the peer: it
 * acknowledged exactly the bytes that were written and then closed in order. Of bulk from the peer:
 * every read begins and ends with the bytes of the pattern that belong at its place in the stream,
 * so that none is lost or doubled. Of a connection and a ping: the byte came back. Retransmissions
 * are those of TCP_INFO; the caller adds those of the whole namespace. */
#include "kernel_side.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, MAX_SOURCES = 16, MAX_SAMPLES = 1 << 21, EVENTS = 256 };
enum { PATIENCE_MS = 10000 };

struct connection {
    int fd;
    uint64_t bytes;
    uint8_t byte;
    bool sent; /* connect: the byte is on its way */
};

struct client {
    union address to, from[MAX_SOURCES];
    unsigned n_sources, n_connections;
    int64_t duration_ns, settle_ns; /* of which the first part does not count */
    const char *congestion;
    uint8_t *pattern, *buffer;
    int epoll;
    struct connection connection[MAX_CONNECTIONS];
};

struct result {
    uint64_t bytes, operations, retransmissions;
    int64_t ns;
    const char *unverified; /* NULL, or what was wrong */
};

/* ---- sockets ---- */

/* The sources in turn; NULL when the kernel is to choose. */
static const union address *source_of(const struct client *c, uint64_t number)
{
    return c->n_sources > 0 ? &c->from[number % c->n_sources] : NULL;
}

static void watch(struct client *c, int fd, uint32_t events, uint32_t index)
{
    struct epoll_event event = {.events = events, .data.u32 = index};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        fail("epoll_ctl");
    }
}

static int wait_events(struct client *c, struct epoll_event *events)
{
    int n = epoll_wait(c->epoll, events, EVENTS, PATIENCE_MS);
    if (n < 0) {
        fail("epoll_wait");
    }
    return n;
}

static struct tcp_info info_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) {
        fail("TCP_INFO");
    }
    return info;
}

static void open_all(struct client *c, uint32_t events)
{
    for (unsigned i = 0; i < c->n_connections; i++) {
        c->connection[i] =
            (struct connection){.fd = dial(&c->to, source_of(c, i), c->congestion, false)};
        set_nonblocking(c->connection[i].fd);
        watch(c, c->connection[i].fd, events, i);
    }
}

/* ---- bulk to the peer ---- */

/* Ends all streams and waits until the peer ended its side, which it does when it has read all. */
static void wait_for_ends(struct client *c, struct result *r)
{
    for (unsigned i = 0; i < c->n_connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        shutdown(c->connection[i].fd, SHUT_WR);
        epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->connection[i].fd, &event);
    }
    for (unsigned left = c->n_connections; left > 0;) {
        struct epoll_event event[EVENTS];
        int n = wait_events(c, event);
        if (n == 0) {
            r->unverified = "the peer did not end a stream that we ended";
            return;
        }
        for (int i = 0; i < n; i++) {
            int fd = c->connection[event[i].data.u32].fd;
            if (read(fd, c->buffer, 1) != 0) {
                r->unverified = "the peer did not end its side in order";
                return;
            }
            epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
            left--;
        }
    }
}

static void check_acknowledged(struct client *c, struct result *r)
{
    for (unsigned i = 0; i < c->n_connections; i++) {
        struct tcp_info info = info_of(c->connection[i].fd);
        r->retransmissions += info.tcpi_total_retrans;
        /* The SYN counts as one there, the FIN too once it is acknowledged. */
        uint64_t extra = info.tcpi_bytes_acked - c->connection[i].bytes;
        if (extra > 2) {
            r->unverified = "other than the written number of bytes was acknowledged";
        }
    }
}

static void bulk_send(struct client *c, struct result *r)
{
    open_all(c, EPOLLOUT);
    int64_t began = clock_now();
    while (clock_now() - began < c->duration_ns) {
        struct epoll_event event[EVENTS];
        int n = wait_events(c, event);
        if (n == 0) {
            r->unverified = "the peer takes nothing more";
            break;
        }
        for (int i = 0; i < n; i++) {
            struct connection *k = &c->connection[event[i].data.u32];
            ssize_t wrote = write(k->fd, c->pattern + k->bytes % PATTERN_PERIOD, CHUNK);
            if (wrote < 0 && errno != EAGAIN) {
                fail("write");
            }
            k->bytes += wrote > 0 ? (uint64_t)wrote : 0;
            r->bytes += wrote > 0 ? (uint64_t)wrote : 0;
        }
    }
    wait_for_ends(c, r);
    r->ns = clock_now() - began;
    if (r->unverified == NULL) {
        check_acknowledged(c, r);
    }
}

/* ---- bulk from the peer ---- */

/* Both ends of what was read are the pattern's at their place in the stream. */
static bool is_pattern(const struct client *c, uint64_t offset, size_t length)
{
    size_t n = length < 64 ? length : 64;
    uint64_t tail = offset + length - n;
    return memcmp(c->buffer, c->pattern + offset % PATTERN_PERIOD, n) == 0 &&
           memcmp(c->buffer + length - n, c->pattern + tail % PATTERN_PERIOD, n) == 0;
}

static void bulk_receive(struct client *c, struct result *r)
{
    open_all(c, EPOLLIN);
    int64_t began = clock_now(), end = began + c->duration_ns, counts = began + c->settle_ns;
    for (int64_t now = began; now < end && r->unverified == NULL; now = clock_now()) {
        if (began < counts && now >= counts) {
            began = counts = now;
            r->bytes = 0;
        }
        struct epoll_event event[EVENTS];
        int n = wait_events(c, event);
        if (n == 0) {
            r->unverified = "the peer sends nothing more";
        }
        for (int i = 0; i < n; i++) {
            struct connection *k = &c->connection[event[i].data.u32];
            ssize_t got = read(k->fd, c->buffer, CHUNK);
            if (got <= 0) {
                r->unverified = "the peer ended a stream that has no end";
                break;
            }
            if (!is_pattern(c, k->bytes, (size_t)got)) {
                r->unverified = "the bytes are not those of their place in the stream";
                break;
            }
            k->bytes += (uint64_t)got;
            r->bytes += (uint64_t)got;
        }
    }
    r->ns = clock_now() - began;
}

/* ---- short connections ---- */

static void start_one(struct client *c, unsigned slot, uint64_t number)
{
    c->connection[slot] =
        (struct connection){.fd = dial(&c->to, source_of(c, number), c->congestion, true),
                            .byte = (uint8_t)(number % 251)};
    watch(c, c->connection[slot].fd, EPOLLIN | EPOLLOUT | EPOLLET, slot);
}

/* True: the connection has had its byte back. */
static bool advance(struct client *c, unsigned slot, struct result *r)
{
    struct connection *k = &c->connection[slot];
    uint8_t byte = 0;
    if (!k->sent) {
        ssize_t wrote = write(k->fd, &k->byte, 1);
        if (wrote < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            return false;
        }
        if (wrote < 0) {
            fail("a connection was not made");
        }
        k->sent = true;
    }
    ssize_t got = read(k->fd, &byte, 1);
    if (got < 0 && errno == EAGAIN) {
        return false;
    }
    if (got != 1 || byte != k->byte) {
        r->unverified = "another byte came back, or none";
    }
    return true;
}

static void connections(struct client *c, struct result *r)
{
    uint64_t started = 0;
    unsigned open = 0;
    int64_t began = clock_now(), until = began + c->duration_ns;
    for (; open < c->n_connections; open++) {
        start_one(c, open, started++);
    }
    while (open > 0 && r->unverified == NULL) {
        struct epoll_event event[EVENTS];
        int n = wait_events(c, event);
        bool go_on = clock_now() < until;
        if (n == 0) {
            r->unverified = "a connection had no answer for 10 s";
        }
        for (int i = 0; i < n; i++) {
            unsigned slot = event[i].data.u32;
            if (!advance(c, slot, r)) {
                continue;
            }
            close(c->connection[slot].fd);
            r->operations++;
            if (go_on) {
                start_one(c, slot, started++);
            } else {
                open--;
            }
        }
    }
    r->ns = clock_now() - began;
}

/* ---- ping ---- */

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void ping(struct client *c, struct result *r, int64_t percentile[3])
{
    int64_t *sample = malloc(sizeof *sample * MAX_SAMPLES);
    if (sample == NULL) {
        fail("no memory for the samples");
    }
    int fd = dial(&c->to, source_of(c, 0), c->congestion, false);
    int64_t began = clock_now(), now = began;
    while (now - began < c->duration_ns && r->operations < MAX_SAMPLES) {
        uint8_t out = (uint8_t)r->operations, in = (uint8_t)~out;
        int64_t sent = now;
        if (write(fd, &out, 1) != 1 || read(fd, &in, 1) != 1 || in != out) {
            r->unverified = "another byte came back, or none";
            break;
        }
        now = clock_now();
        sample[r->operations++] = now - sent;
    }
    r->ns = now - began;
    r->retransmissions = info_of(fd).tcpi_total_retrans;
    if (r->operations > 0) {
        qsort(sample, r->operations, sizeof *sample, ascending);
        percentile[0] = sample[r->operations / 2];
        percentile[1] = sample[r->operations * 99 / 100];
        percentile[2] = sample[r->operations * 999 / 1000];
    }
    free(sample);
}

/* ---- the whole ---- */

static void parse(struct client *c, int argc, char **argv)
{
    c->to = parse_address(argv[2], argv[3]);
    for (int i = 4; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--seconds") == 0) {
            c->duration_ns = (int64_t)(strtod(value, NULL) * 1e9);
        } else if (strcmp(name, "--settle") == 0) {
            c->settle_ns = (int64_t)(strtod(value, NULL) * 1e9);
        } else if (strcmp(name, "--connections") == 0) {
            c->n_connections = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(name, "--congestion") == 0) {
            c->congestion = value;
        } else if (strcmp(name, "--from") == 0 && c->n_sources < MAX_SOURCES) {
            c->from[c->n_sources++] = parse_address(value, "0");
        } else {
            errno = 0;
            fail("no option %s", name);
        }
    }
    if (c->n_connections < 1 || c->n_connections > MAX_CONNECTIONS) {
        errno = 0;
        fail("--connections takes 1 to %d", MAX_CONNECTIONS);
    }
}

static void print(const struct result *r, const int64_t percentile[3])
{
    printf("{\"bytes\":%llu,\"operations\":%llu,\"ns\":%lld,\"retransmissions\":%llu",
           (unsigned long long)r->bytes, (unsigned long long)r->operations, (long long)r->ns,
           (unsigned long long)r->retransmissions);
    printf(",\"p50_ns\":%lld,\"p99_ns\":%lld,\"p999_ns\":%lld", (long long)percentile[0],
           (long long)percentile[1], (long long)percentile[2]);
    printf(",\"unverified\":\"%s\"}\n", r->unverified != NULL ? r->unverified : "");
}

int main(int argc, char **argv)
{
    static struct client c = {.n_connections = 1, .duration_ns = 1000000000, .congestion = "reno"};
    struct result r = {0};
    int64_t percentile[3] = {0};
    errno = 0;
    if (argc < 4) {
        fail("client send|recv|connect|ping ADDRESS PORT [--seconds S] [--settle S] "
             "[--connections N] [--congestion NAME] [--from ADDRESS]...");
    }
    parse(&c, argc, argv);
    c.pattern = pattern_new();
    c.buffer = malloc(CHUNK);
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c.buffer == NULL || c.epoll < 0) {
        fail("start");
    }
    if (strcmp(argv[1], "send") == 0) {
        bulk_send(&c, &r);
    } else if (strcmp(argv[1], "recv") == 0) {
        bulk_receive(&c, &r);
    } else if (strcmp(argv[1], "connect") == 0) {
        connections(&c, &r);
    } else if (strcmp(argv[1], "ping") == 0) {
        ping(&c, &r, percentile);
    } else {
        fail("no mode %s", argv[1]);
    }
    print(&r, percentile);
    free(c.pattern);
    free(c.buffer);
    return 0;
}
