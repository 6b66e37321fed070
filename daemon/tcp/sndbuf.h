/* The send buffer: bytes accepted from the user and not yet acknowledged (RFC 9293 section 3.9.1
 * SEND), in blocks that grow with use. tcp_flush() hands out ranges of it, so that no byte is
 * copied a second time. */
#ifndef ACKD_TCP_SNDBUF_H
#define ACKD_TCP_SNDBUF_H

#include "base/arena.h"
#include "base/list.h"
#include "tcp/tcp.h"

struct sndbuf {
    struct list blocks;
    uint32_t length;    /* bytes held */
    uint32_t footprint; /* bytes of memory of all blocks */
    struct list *hint;  /* a block, and the buffer offset of its first byte: where the last
                           sndbuf_ranges() ended */
    uint32_t hint_offset;
};

void sndbuf_init(struct sndbuf *b);
void sndbuf_clear(struct sndbuf *b, struct arena *arena);

/* Copies `length` bytes to the end, fewer when the arena has no room; returns how many. Small
 * writes fill the last block first; a block is 2 KiB at first and up to 64 KiB for large writes. */
uint32_t sndbuf_append(struct sndbuf *b, struct arena *arena, const void *data, uint32_t length);

/* Forgets the first `n` bytes (acknowledged), n <= length. */
void sndbuf_trim(struct sndbuf *b, struct arena *arena, uint32_t n);

/* Forgets everything after the first `n` bytes (FLUSH). */
void sndbuf_truncate(struct sndbuf *b, struct arena *arena, uint32_t n);

/* Ranges of [offset, offset + length), at most `max_ranges` of them; returns the bytes they hold.
 * O(1) when called in sequence. */
uint32_t sndbuf_ranges(struct sndbuf *b, uint32_t offset, uint32_t length, struct tcp_range *ranges,
                       unsigned max_ranges, unsigned *n_ranges);

#endif
