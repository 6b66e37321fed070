/* All memory of the engine comes from here.
 *
 * An arena takes chunks from a source that its creator supplies (the daemon: mmap; a test: malloc),
 * never gives out more than its limit, and counts. On top of it stand slabs for records of one size
 * and power-of-two blocks for buffers. When the limit is reached an allocation answers NULL and the
 * caller counts a reasoned refusal: a peer can never grow us past the limit. Nothing here knows a
 * system call. */
#ifndef ACKD_BASE_ARENA_H
#define ACKD_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Where an arena gets its chunks. get() returns zeroed or unzeroed memory aligned for any type, or
 * NULL. */
struct arena_source {
    void *(*get)(void *ctx, size_t bytes);
    void (*put)(void *ctx, void *chunk, size_t bytes);
    void *ctx;
};

struct arena;

/* Returns NULL when the source has nothing for the arena itself. `limit` in bytes bounds the sum of
 * all chunks. */
struct arena *arena_new(const struct arena_source *source, size_t limit);

/* Gives every chunk back to the source, whether or not its objects were freed. */
void arena_free(struct arena *arena);

/* A block of at least `bytes` (1 .. 16 MiB), aligned to 64 bytes when the source's chunks are; NULL
 * at the limit. Contents are undefined. Up to 64 KiB it comes from a power-of-two class of 64 bytes
 * and up and is kept for reuse; above, it is rounded up to pages, taken from the source and given
 * back to it at release. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* Gives a block back; `bytes` is what was asked for. NULL is allowed. */
void arena_release(struct arena *arena, void *block, size_t bytes);

/* What arena_alloc(bytes) really occupies, for accounting. */
size_t arena_block_size(size_t bytes);

struct arena_stats {
    size_t limit;      /* bytes */
    size_t taken;      /* bytes taken from the source */
    size_t used;       /* bytes in blocks and slab objects that are allocated now */
    uint64_t refusals; /* allocations that the limit refused */
};
void arena_stats(const struct arena *arena, struct arena_stats *out);

/* Objects of one size, zeroed at allocation. */
struct slab {
    struct arena *arena;
    size_t size;   /* bytes of one object, 1 .. 64 KiB, rounded up to 8 */
    void *free;    /* singly linked through the first word */
    size_t in_use; /* objects */
};

void slab_init(struct slab *slab, struct arena *arena, size_t size);
void *slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, void *object);

#endif
