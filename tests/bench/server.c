/* server [CONGESTION]: the kernel's TCP as the peer that ackd is compared with. Echo, discard and
 * chargen on ports 7, 9 and 19 of every address, one thread, one epoll set: what a plain server on
 * the kernel does for the same work. Prints "ready" once it listens; ends with its parent. */
#include "kernel_side.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO = 7, DISCARD = 9, CHARGEN = 19, MAX_FD = 65536, EVENTS = 256, BACKLOG = 4096 };

struct server {
    int epoll;
    const char *congestion;
    uint8_t *pattern, *buffer;
    struct {
        uint16_t port; /* 0: a listener, and `listens` is its port */
        uint16_t listens;
        uint64_t sent;
    } of[MAX_FD];
};

static void add(struct server *s, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        fail("epoll_ctl");
    }
}

static void listen_on(struct server *s, uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail("socket");
    }
    set_congestion(fd, s->congestion);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0 || listen(fd, BACKLOG) < 0) {
        fail("listen on port %u", port);
    }
    s->of[fd].listens = port;
    add(s, fd, EPOLLIN);
}

static void accept_all(struct server *s, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        s->of[fd].port = s->of[listener].listens;
        s->of[fd].sent = 0;
        add(s, fd, s->of[fd].port == CHARGEN ? EPOLLOUT : EPOLLIN);
    }
}

/* Each of these serves once and says whether the connection goes on; epoll calls again. */

static bool echo(struct server *s, int fd)
{
    ssize_t n = read(fd, s->buffer, CHUNK);
    for (ssize_t done = 0; done < n;) {
        ssize_t wrote = write(fd, s->buffer + done, (size_t)(n - done));
        if (wrote < 0) {
            return false; /* the bench has never more than a byte under way here */
        }
        done += wrote;
    }
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool discard(struct server *s, int fd)
{
    ssize_t n = read(fd, s->buffer, CHUNK);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool chargen(struct server *s, int fd)
{
    ssize_t n = write(fd, s->pattern + s->of[fd].sent % PATTERN_PERIOD, CHUNK);
    s->of[fd].sent += n > 0 ? (uint64_t)n : 0;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static void serve(struct server *s, int fd)
{
    bool goes_on = true;
    switch (s->of[fd].port) {
    case ECHO:
        goes_on = echo(s, fd);
        break;
    case DISCARD:
        goes_on = discard(s, fd);
        break;
    case CHARGEN:
        goes_on = chargen(s, fd);
        break;
    default:
        accept_all(s, fd);
    }
    if (!goes_on) {
        s->of[fd].port = 0;
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static struct server s;
    s.congestion = argc > 1 ? argv[1] : "reno";
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.pattern = pattern_new();
    s.buffer = malloc(CHUNK);
    if (s.epoll < 0 || s.buffer == NULL) {
        fail("start");
    }
    listen_on(&s, ECHO);
    listen_on(&s, DISCARD);
    listen_on(&s, CHARGEN);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event event[EVENTS];
        int n = epoll_wait(s.epoll, event, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            serve(&s, event[i].data.fd);
        }
    }
}
