/* Chunks come straight from the kernel and go straight back: what an arena gives up is free memory
 * of the machine at once, and the engine's memory never mixes with the heap that libraries use. */
#include "host/mem.h"

#include <sys/mman.h>

static void *get(void *ctx, size_t bytes)
{
    (void)ctx;
    void *chunk = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return chunk == MAP_FAILED ? NULL : chunk;
}

static void put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    munmap(chunk, bytes);
}

const struct arena_source mem_mmap = {.get = get, .put = put, .ctx = NULL};
