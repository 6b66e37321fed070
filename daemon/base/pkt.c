/* Buffers live between two places: frame buffers circulate between the host and the receive queues
 * at the rate of frames, so a few are kept here with no work but a pointer; smaller ones are blocks
 * of the arena, whose classes are free lists already. */
#include "base/pkt.h"

#include <assert.h>
#include <string.h>
#include <sanitizer/asan_interface.h>

#define SMALL_MIN 256u          /* bytes of the smallest buffer with its header */
#define SMALL_MAX (32u * 1024u) /* ... and of the largest that is not a frame buffer */

struct pkt_pool {
    struct arena *arena;
    struct pkt *idle; /* linked through the first bytes of data[] */
    uint32_t n_idle, max_idle;
};

struct pkt_pool *pkt_pool_new(struct arena *arena, uint32_t max_idle)
{
    struct pkt_pool *pool = arena_alloc(arena, sizeof *pool);
    if (pool != NULL) {
        *pool = (struct pkt_pool){.arena = arena, .max_idle = max_idle};
    }
    return pool;
}

static size_t pkt_bytes(const struct pkt *p)
{
    return sizeof *p + p->capacity;
}

static struct pkt *idle_pop(struct pkt_pool *pool)
{
    struct pkt *p = pool->idle;
    ASAN_UNPOISON_MEMORY_REGION(p->data, p->capacity);
    memcpy(&pool->idle, p->data, sizeof pool->idle);
    pool->n_idle--;
    return p;
}

static void idle_push(struct pkt_pool *pool, struct pkt *p)
{
    memcpy(p->data, &pool->idle, sizeof pool->idle);
    ASAN_POISON_MEMORY_REGION(p->data, p->capacity);
    pool->idle = p;
    pool->n_idle++;
}

void pkt_pool_free(struct pkt_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->idle != NULL) {
        struct pkt *p = idle_pop(pool);
        arena_release(pool->arena, p, pkt_bytes(p));
    }
    arena_release(pool->arena, pool, sizeof *pool);
}

struct pkt *pkt_get(struct pkt_pool *pool, uint32_t capacity)
{
    if (capacity > PKT_FRAME_CAPACITY) {
        return NULL;
    }
    size_t bytes = sizeof(struct pkt) + PKT_FRAME_CAPACITY;
    struct pkt *p;
    if (capacity <= SMALL_MAX - sizeof *p) {
        bytes =
            arena_block_size(capacity <= SMALL_MIN - sizeof *p ? SMALL_MIN : sizeof *p + capacity);
    }
    if (bytes > SMALL_MAX && pool->idle != NULL) {
        p = idle_pop(pool);
    } else {
        p = arena_alloc(pool->arena, bytes);
    }
    if (p == NULL) {
        return NULL;
    }
    p->pool = pool;
    p->refs = 1;
    p->capacity = (uint32_t)(bytes - sizeof *p);
    return p;
}

void pkt_unref(struct pkt *p)
{
    assert(p->refs > 0);
    if (--p->refs > 0) {
        return;
    }
    struct pkt_pool *pool = p->pool;
    if (p->capacity == PKT_FRAME_CAPACITY && pool->n_idle < pool->max_idle) {
        idle_push(pool, p);
    } else {
        arena_release(pool->arena, p, pkt_bytes(p));
    }
}

uint32_t pkt_footprint(const struct pkt *p)
{
    return (uint32_t)arena_block_size(pkt_bytes(p));
}
