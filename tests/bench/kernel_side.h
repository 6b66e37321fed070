/* What the bench's programs on the kernel's TCP share: a clock, sockets, RFC 864's pattern, and an
 * end with a sentence. */
#ifndef BENCH_KERNEL_SIDE_H
#define BENCH_KERNEL_SIDE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line of chargen is 72 printing characters, CR and LF; after 95 lines it starts over. */
enum { PATTERN_PERIOD = 95 * 74, CHUNK = 256 * 1024 };

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t clock_now(void);

/* Prints the sentence, with errno's text when that is set, to stderr and exits with 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Chargen's bytes of a whole number of periods and then CHUNK more, so that CHUNK bytes from any
 * offset below PATTERN_PERIOD lie in one piece. For the caller to free. */
uint8_t *pattern_new(void);

/* Fixes the congestion control of a socket, so that what the host prefers does not decide. */
void set_congestion(int fd, const char *module);

void set_nonblocking(int fd);

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Fails when that is no address. */
union address parse_address(const char *text, const char *port);

/* A socket with TCP_NODELAY that connects, from an address (NULL: any) and a port that is free for
 * this peer; nonblocking: the handshake may still be under way. Fails with a sentence. */
int dial(const union address *to, const union address *from, const char *congestion,
         bool nonblocking);

#endif
