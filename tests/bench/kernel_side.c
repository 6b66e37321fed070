/* The helpers of the bench's programs. The pattern is the one of RFC 864: each line shows 72 of
 * the 95 printing characters and begins one character later than the line before. */
#include "kernel_side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int64_t clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void fail(const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s%s\n", error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    exit(1);
}

uint8_t *pattern_new(void)
{
    size_t length = PATTERN_PERIOD + CHUNK;
    uint8_t *pattern = malloc(length);
    if (pattern == NULL) {
        fail("no memory for the pattern");
    }
    for (size_t i = 0; i < length; i++) {
        size_t line = i / 74 % 95, column = i % 74;
        pattern[i] = column == 72   ? '\r'
                     : column == 73 ? '\n'
                                    : (uint8_t)(' ' + (line + column) % 95);
    }
    return pattern;
}

void set_congestion(int fd, const char *module)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, module, (socklen_t)strlen(module)) < 0) {
        fail("the kernel does not let us choose congestion control %s", module);
    }
}

void set_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        fail("O_NONBLOCK");
    }
}

union address parse_address(const char *text, const char *port)
{
    union address a = {0};
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = number;
    } else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = number;
    } else {
        errno = 0;
        fail("%s is no address", text);
    }
    return a;
}

static socklen_t address_length(const union address *a)
{
    return a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

int dial(const union address *to, const union address *from, const char *congestion,
         bool nonblocking)
{
    int type = SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), on = 1;
    int fd = socket(to->any.sa_family, type, 0);
    if (fd < 0) {
        fail("socket");
    }
    set_congestion(fd, congestion);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail("TCP_NODELAY");
    }
    if (from != NULL && (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
                         bind(fd, &from->any, address_length(from)) < 0)) {
        fail("bind");
    }
    if (connect(fd, &to->any, address_length(to)) < 0 && errno != EINPROGRESS) {
        fail("connect");
    }
    return fd;
}
