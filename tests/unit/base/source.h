/* A source of chunks for tests: malloc, counted, and refusing on demand. */
#ifndef TEST_SOURCE_H
#define TEST_SOURCE_H

#include <stdbool.h>
#include <stdlib.h>
#include "base/arena.h"

struct test_source {
    size_t bytes;  /* given out now */
    size_t chunks; /* the same, in calls */
    bool refuse;
};

static inline void *test_source_get(void *ctx, size_t bytes)
{
    struct test_source *s = ctx;
    if (s->refuse) {
        return NULL;
    }
    s->bytes += bytes;
    s->chunks++;
    return malloc(bytes);
}

static inline void test_source_put(void *ctx, void *chunk, size_t bytes)
{
    struct test_source *s = ctx;
    s->bytes -= bytes;
    s->chunks--;
    free(chunk);
}

static inline struct arena *test_arena(struct test_source *s, size_t limit)
{
    *s = (struct test_source){0};
    const struct arena_source source = {test_source_get, test_source_put, s};
    return arena_new(&source, limit);
}

#endif
