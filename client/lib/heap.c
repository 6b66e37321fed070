/* The messages of a listing have thousands of rows with a dozen pieces each, and all of them end
 * together. So a piece is the next bytes of a block, and none is ever given back alone. Blocks
 * double; the newest is the largest, and the only one that outlives a message: soon a message takes
 * one block, and nobody asks the system any more. */
#include "client/lib/heap.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { FIRST = 4096, ALIGN = alignof(max_align_t) };

struct heap_block {
    struct heap_block *before;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

static struct heap_block *grow(struct heap *heap, size_t size)
{
    size_t twice = heap->newest ? heap->newest->size * 2 : FIRST;
    size_t room = size > twice ? size : twice;
    struct heap_block *b = room < SIZE_MAX / 4 ? malloc(sizeof *b + room) : NULL;
    if (b) {
        *b = (struct heap_block){.before = heap->newest, .size = room};
        heap->newest = b;
    }
    return b;
}

void *heap_take(struct heap *heap, size_t size)
{
    struct heap_block *b = heap->newest;
    if (size > SIZE_MAX / 4) {
        return NULL;
    }
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (!b || b->size - b->used < size) {
        b = grow(heap, size);
    }
    if (!b) {
        return NULL;
    }
    void *piece = b->data + b->used;
    b->used += size;
    return piece;
}

static void free_all(struct heap_block *b)
{
    while (b) {
        struct heap_block *before = b->before;
        free(b);
        b = before;
    }
}

void heap_reset(struct heap *heap)
{
    if (heap->newest) {
        free_all(heap->newest->before);
        heap->newest->before = NULL;
        heap->newest->used = 0;
    }
}

void heap_free(struct heap *heap)
{
    free_all(heap->newest);
    heap->newest = NULL;
}
