/* The send buffer: a chain of blocks that hold what the user wrote, in order. Bytes are copied in
 * once and stay where they are until the peer has acknowledged them; the first transmission and
 * every retransmission are ranges of the blocks.
 *
 * A block is as large as the rest of the write, at least twice the one before it, between 2 and 64
 * KiB: a chatty connection costs 2 KiB while it waits for an ACK and nothing while idle, and a bulk
 * transfer comes to few ranges in a super-frame. */
#include "tcp/sndbuf.h"

#include <assert.h>
#include <string.h>

#define BLOCK_MIN 2048u
#define BLOCK_MAX 65536u

struct block {
    struct list link;
    uint32_t size;       /* bytes asked of the arena, this head included */
    uint32_t start, end; /* of what it holds, within data */
    uint8_t data[];
};

static struct block *block_of(struct list *link)
{
    return container_of(link, struct block, link);
}

static uint32_t block_capacity(const struct block *block)
{
    return block->size - (uint32_t)sizeof(struct block);
}

static uint32_t block_held(const struct block *block)
{
    return block->end - block->start;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void sndbuf_init(struct sndbuf *b)
{
    list_init(&b->blocks);
    b->length = 0;
    b->footprint = 0;
    b->hint = NULL;
    b->hint_offset = 0;
}

static void block_drop(struct sndbuf *b, struct arena *arena, struct block *block)
{
    if (b->hint == &block->link) {
        b->hint = NULL;
    }
    list_remove(&block->link);
    b->footprint -= (uint32_t)arena_block_size(block->size);
    arena_release(arena, block, block->size);
}

void sndbuf_clear(struct sndbuf *b, struct arena *arena)
{
    while (!list_empty(&b->blocks)) {
        block_drop(b, arena, block_of(b->blocks.next));
    }
    sndbuf_init(b);
}

static struct block *block_add(struct sndbuf *b, struct arena *arena, uint32_t wanted)
{
    uint32_t size = BLOCK_MIN;
    if (!list_empty(&b->blocks)) {
        size = min_u32(2 * block_of(b->blocks.prev)->size, BLOCK_MAX);
    }
    while (size < BLOCK_MAX && size - sizeof(struct block) < wanted) {
        size *= 2;
    }
    struct block *block = arena_alloc(arena, size);
    if (block == NULL && size > BLOCK_MIN) {
        size = BLOCK_MIN;
        block = arena_alloc(arena, size);
    }
    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    block->start = block->end = 0;
    list_append(&b->blocks, &block->link);
    b->footprint += (uint32_t)arena_block_size(size);
    return block;
}

uint32_t sndbuf_append(struct sndbuf *b, struct arena *arena, const void *data, uint32_t length)
{
    const uint8_t *from = data;
    uint32_t done = 0;
    struct block *block = list_empty(&b->blocks) ? NULL : block_of(b->blocks.prev);
    while (done < length) {
        if (block == NULL || block->end == block_capacity(block)) {
            block = block_add(b, arena, length - done);
            if (block == NULL) {
                break;
            }
        }
        uint32_t n = min_u32(length - done, block_capacity(block) - block->end);
        memcpy(block->data + block->end, from + done, n);
        block->end += n;
        done += n;
    }
    b->length += done;
    return done;
}

void sndbuf_trim(struct sndbuf *b, struct arena *arena, uint32_t n)
{
    assert(n <= b->length);
    b->length -= n;
    b->hint_offset -= min_u32(n, b->hint_offset);
    while (!list_empty(&b->blocks)) {
        struct block *block = block_of(b->blocks.next);
        if (block_held(block) > n) {
            block->start += n;
            break;
        }
        n -= block_held(block);
        block_drop(b, arena, block);
    }
}

void sndbuf_truncate(struct sndbuf *b, struct arena *arena, uint32_t n)
{
    uint32_t excess = b->length > n ? b->length - n : 0;
    b->length -= excess;
    while (excess > 0) {
        struct block *block = block_of(b->blocks.prev);
        uint32_t cut = min_u32(excess, block_held(block));
        block->end -= cut;
        excess -= cut;
        if (block_held(block) == 0) {
            block_drop(b, arena, block);
        }
    }
}

uint32_t sndbuf_ranges(struct sndbuf *b, uint32_t offset, uint32_t length, struct tcp_range *ranges,
                       unsigned max_ranges, unsigned *n_ranges)
{
    struct list *link = b->blocks.next;
    uint32_t at = 0; /* the buffer offset of the block's first byte */
    if (b->hint != NULL && b->hint_offset <= offset) {
        link = b->hint;
        at = b->hint_offset;
    }
    unsigned n = 0;
    uint32_t total = 0;
    while (link != &b->blocks && total < length && n < max_ranges) {
        struct block *block = block_of(link);
        b->hint = link;
        b->hint_offset = at;
        if (offset < at + block_held(block)) {
            uint32_t skip = offset - at;
            uint32_t take = min_u32(length - total, block_held(block) - skip);
            ranges[n++] = (struct tcp_range){block->data + block->start + skip, take};
            total += take;
            offset += take;
        }
        at += block_held(block);
        link = link->next;
    }
    *n_ranges = n;
    return total;
}
