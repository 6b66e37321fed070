/* Blocks are split like a buddy system's, but never merged again.
 *
 * A chunk from the source is cut into the largest power-of-two blocks that its offsets allow, and
 * each lies on the free list of its cls. An allocation takes the smallest free block that fits and
 * splits it down; a release pushes the block on its own list. Both are bounded by the number of
 * classes (11), whatever is in use. Without merging, what a cls once held stays split: the arena
 * settles at the sum of what each cls needed at its peak. Only blocks above 64 KiB, which would
 * starve all others that way, come from the source one by one and go back to it at once.
 *
 * Free memory is poisoned for AddressSanitizer, and of a block only the bytes that were asked for
 * are not: otherwise an arena would hide the very errors that the sanitizer is for. The macros
 * vanish in other builds. */
#include "base/arena.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sanitizer/asan_interface.h>

#include "base/list.h"

#define CLASS_SHIFT 6u /* the smallest block: 64 bytes */
#define CLASSES 11u    /* 64 bytes .. 64 KiB */
#define BLOCK_MAX ((size_t)1 << (CLASS_SHIFT + CLASSES - 1))
#define CHUNK_BYTES ((size_t)1 << 20)
#define PAGE_BYTES ((size_t)4096)
#define LARGE_MAX ((size_t)16 << 20)
#define SLAB_BATCH_MIN ((size_t)16384)
#define SLAB_WASTE 200u /* of a batch no more than one part in so many is left over at its end */

/* At the start of whatever came from the source, one cache line, so that what follows is aligned to
 * one. */
struct chunk {
    struct list link;
    size_t bytes; /* as asked from the source */
};
#define CHUNK_HEADER ((size_t)64)
_Static_assert(sizeof(struct chunk) <= CHUNK_HEADER, "a chunk's header fits its place");

struct free_block {
    struct free_block *next;
};

struct arena {
    struct arena_source source;
    struct list chunks;
    struct free_block *free[CLASSES];
    struct arena_stats stats;
};

static size_t class_bytes(unsigned cls)
{
    return (size_t)1 << (CLASS_SHIFT + cls);
}

/* The smallest class that holds `bytes`, 1 .. BLOCK_MAX. */
static unsigned class_of(size_t bytes)
{
    size_t last = (bytes - 1) >> CLASS_SHIFT; /* 0: one smallest block does */
    return last == 0 ? 0 : 64 - (unsigned)__builtin_clzll(last);
}

static size_t large_bytes(size_t bytes)
{
    return (bytes + CHUNK_HEADER + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

size_t arena_block_size(size_t bytes)
{
    return bytes <= BLOCK_MAX ? class_bytes(class_of(bytes)) : large_bytes(bytes);
}

struct arena *arena_new(const struct arena_source *source, size_t limit)
{
    if (limit < sizeof(struct arena)) {
        return NULL;
    }
    struct arena *arena = source->get(source->ctx, sizeof *arena);
    if (arena == NULL) {
        return NULL;
    }
    memset(arena, 0, sizeof *arena);
    arena->source = *source;
    list_init(&arena->chunks);
    arena->stats.limit = limit;
    arena->stats.taken = sizeof *arena;
    return arena;
}

static struct chunk *chunk_get(struct arena *arena, size_t bytes)
{
    if (bytes > arena->stats.limit - arena->stats.taken) {
        return NULL;
    }
    struct chunk *chunk = arena->source.get(arena->source.ctx, bytes);
    if (chunk != NULL) {
        chunk->bytes = bytes;
        list_append(&arena->chunks, &chunk->link);
        arena->stats.taken += bytes;
    }
    return chunk;
}

static void chunk_put(struct arena *arena, struct chunk *chunk)
{
    ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->bytes);
    list_remove(&chunk->link);
    arena->stats.taken -= chunk->bytes;
    arena->source.put(arena->source.ctx, chunk, chunk->bytes);
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    list_for_each_safe(link, next, &arena->chunks)
    {
        chunk_put(arena, container_of(link, struct chunk, link));
    }
    struct arena_source source = arena->source;
    source.put(source.ctx, arena, sizeof *arena);
}

static void block_push(struct arena *arena, void *block, unsigned cls)
{
    struct free_block *free = block;
    ASAN_UNPOISON_MEMORY_REGION(free, sizeof *free);
    free->next = arena->free[cls];
    arena->free[cls] = free;
    ASAN_POISON_MEMORY_REGION(block, class_bytes(cls));
}

static void *block_pop(struct arena *arena, unsigned cls)
{
    struct free_block *block = arena->free[cls];
    ASAN_UNPOISON_MEMORY_REGION(block, class_bytes(cls));
    arena->free[cls] = block->next;
    return block;
}

/* Cuts [from, bytes) of a chunk into blocks, each at a multiple of its own size within the chunk.
 */
static void chunk_cut(struct arena *arena, struct chunk *chunk)
{
    size_t at = CHUNK_HEADER;
    while (chunk->bytes - at >= class_bytes(0)) {
        unsigned cls = CLASSES - 1;
        while (at % class_bytes(cls) != 0 || class_bytes(cls) > chunk->bytes - at) {
            cls--;
        }
        block_push(arena, (uint8_t *)chunk + at, cls);
        at += class_bytes(cls);
    }
}

/* Takes a chunk from which a block of class `cls` can be cut; near the limit a smaller one than
 * usual. */
static bool refill(struct arena *arena, unsigned cls)
{
    size_t room = arena->stats.limit - arena->stats.taken;
    size_t bytes = room < CHUNK_BYTES ? room & ~(class_bytes(0) - 1) : CHUNK_BYTES;
    if (bytes < 2 * class_bytes(cls)) { /* a block of this class begins at the chunk's offset
                                           class_bytes at the earliest */
        return false;
    }
    struct chunk *chunk = chunk_get(arena, bytes);
    if (chunk == NULL) {
        return false;
    }
    chunk_cut(arena, chunk);
    return true;
}

static void *block_take(struct arena *arena, unsigned cls)
{
    for (;;) {
        unsigned from = cls;
        while (from < CLASSES && arena->free[from] == NULL) {
            from++;
        }
        if (from < CLASSES) {
            uint8_t *block = block_pop(arena, from);
            while (from > cls) {
                from--;
                block_push(arena, block + class_bytes(from), from);
            }
            return block;
        }
        if (!refill(arena, cls)) {
            return NULL;
        }
    }
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    assert(bytes > 0);
    uint8_t *block = NULL;
    if (bytes <= BLOCK_MAX) {
        block = block_take(arena, class_of(bytes));
    } else if (bytes <= LARGE_MAX) {
        struct chunk *chunk = chunk_get(arena, large_bytes(bytes));
        block = chunk == NULL ? NULL : (uint8_t *)chunk + CHUNK_HEADER;
    }
    if (block == NULL) {
        arena->stats.refusals++;
        return NULL;
    }
    size_t size = arena_block_size(bytes);
    arena->stats.used += size;
    if (bytes <= BLOCK_MAX) {
        ASAN_POISON_MEMORY_REGION(block, size);
        ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    }
    return block;
}

void arena_release(struct arena *arena, void *block, size_t bytes)
{
    if (block == NULL) {
        return;
    }
    arena->stats.used -= arena_block_size(bytes);
    if (bytes <= BLOCK_MAX) {
        block_push(arena, block, class_of(bytes));
        return;
    }
    struct chunk *chunk = (struct chunk *)(void *)((uint8_t *)block - CHUNK_HEADER);
    assert(chunk->bytes == large_bytes(bytes));
    chunk_put(arena, chunk);
}

void arena_stats(const struct arena *arena, struct arena_stats *out)
{
    *out = arena->stats;
}

void slab_init(struct slab *slab, struct arena *arena, size_t size)
{
    *slab = (struct slab){.arena = arena, .size = (size + 7) & ~(size_t)7};
    assert(slab->size >= sizeof(struct free_block) && slab->size <= BLOCK_MAX);
}

static void slab_push(struct slab *slab, void *object)
{
    struct free_block *free = object;
    free->next = slab->free;
    slab->free = free;
    ASAN_POISON_MEMORY_REGION(object, slab->size);
}

/* The class of block that objects are cut from: it holds eight and more, and little is left over.
 */
static unsigned slab_class(const struct slab *slab)
{
    size_t want = slab->size * 8;
    want = want < SLAB_BATCH_MIN ? SLAB_BATCH_MIN : want > BLOCK_MAX ? BLOCK_MAX : want;
    unsigned cls = class_of(want);
    while (cls < CLASSES - 1 && class_bytes(cls) % slab->size > class_bytes(cls) / SLAB_WASTE) {
        cls++;
    }
    return cls;
}

/* Cuts one more block into objects, or a smaller one where the arena has no other left. */
static bool slab_refill(struct slab *slab)
{
    unsigned cls = slab_class(slab);
    uint8_t *block = block_take(slab->arena, cls);
    while (block == NULL && cls > 0 && class_bytes(cls - 1) >= slab->size) {
        cls--;
        block = block_take(slab->arena, cls);
    }
    if (block == NULL) {
        return false;
    }
    for (size_t at = class_bytes(cls) / slab->size; at-- > 0;) {
        slab_push(slab, block + at * slab->size);
    }
    return true;
}

void *slab_alloc(struct slab *slab)
{
    if (slab->free == NULL && !slab_refill(slab)) {
        slab->arena->stats.refusals++;
        return NULL;
    }
    struct free_block *object = slab->free;
    ASAN_UNPOISON_MEMORY_REGION(object, slab->size);
    slab->free = object->next;
    slab->in_use++;
    slab->arena->stats.used += slab->size;
    return memset(object, 0, slab->size);
}

void slab_free(struct slab *slab, void *object)
{
    if (object == NULL) {
        return;
    }
    slab->in_use--;
    slab->arena->stats.used -= slab->size;
    slab_push(slab, object);
}
