/* The helpers of client, server and floor. The pattern is the one of RFC 864: each line shows 72 of
 * the 95 printing characters and begins one character later than the line before. */
#include "kernel_side.h"

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
