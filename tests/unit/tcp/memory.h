/* An arena on malloc for the tests of the engine: counted, and refusing on demand. */
#ifndef TEST_TCP_MEMORY_H
#define TEST_TCP_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>
#include "base/arena.h"

struct memory {
    struct arena *arena;
    bool refuse; /* no chunk is given out any more: what the arena holds already may still serve */
};

static inline void *memory_get(void *ctx, size_t bytes)
{
    const struct memory *m = ctx;
    return m->refuse ? NULL : malloc(bytes);
}

static inline void memory_put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(chunk);
}

static inline void memory_init(struct memory *m, size_t limit)
{
    const struct arena_source source = {memory_get, memory_put, m};
    m->refuse = false;
    m->arena = arena_new(&source, limit);
}

static inline size_t memory_used(const struct memory *m)
{
    struct arena_stats s;
    arena_stats(m->arena, &s);
    return s.used;
}

#endif
