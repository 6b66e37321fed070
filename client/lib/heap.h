/* Memory for one message at a time, taken in large pieces and given back at once. */
#ifndef ACKD_CLIENT_HEAP_H
#define ACKD_CLIENT_HEAP_H

#include <stddef.h>

struct heap_block;

/* All zero: empty. */
struct heap {
    struct heap_block *newest;
};

/* `size` bytes, aligned for any type, until heap_reset(). NULL: no memory. */
void *heap_take(struct heap *heap, size_t size);

/* What was taken is free again; the largest piece stays for the next message. */
void heap_reset(struct heap *heap);

void heap_free(struct heap *heap);

#endif
