/* Linear hashing: bucket = hash mod 2*base when that bucket exists already, else hash mod base.
 * Each insertion beyond the load splits the one bucket `split` into itself and `base + split`;
 * after `base` splits the base has doubled. */
#include "tcp/table.h"

#include <string.h>

/* Three nodes for two buckets: a search looks at 1.75 of them, and a bucket costs each node 5.3
 * bytes. */
#define TABLE_LOAD_HALVES 3

static uint32_t bucket_of(const struct table *t, uint64_t hash)
{
    uint32_t b = (uint32_t)hash & (2 * t->base - 1);
    return b < t->base + t->split ? b : b & (t->base - 1);
}

static struct table_node **head(const struct table *t, uint32_t bucket)
{
    return &t->directory[bucket / TABLE_SEGMENT][bucket % TABLE_SEGMENT];
}

static bool add_segment(struct table *t, uint32_t index)
{
    struct table_node **segment = arena_alloc(t->arena, TABLE_SEGMENT * sizeof *segment);
    if (!segment) {
        return false;
    }
    memset(segment, 0, TABLE_SEGMENT * sizeof *segment);
    t->directory[index] = segment;
    return true;
}

bool table_init(struct table *t, struct arena *arena)
{
    *t = (struct table){.arena = arena, .base = TABLE_SEGMENT};
    t->directory = arena_alloc(arena, TABLE_SEGMENTS * sizeof *t->directory);
    if (!t->directory) {
        return false;
    }
    memset(t->directory, 0, TABLE_SEGMENTS * sizeof *t->directory);
    return add_segment(t, 0);
}

void table_done(struct table *t)
{
    for (uint32_t i = 0; t->directory && i < TABLE_SEGMENTS; i++) {
        arena_release(t->arena, t->directory[i], TABLE_SEGMENT * sizeof(struct table_node *));
    }
    arena_release(t->arena, t->directory, TABLE_SEGMENTS * sizeof *t->directory);
    t->directory = NULL;
}

struct table_node *table_chain(const struct table *t, uint64_t hash)
{
    return *head(t, bucket_of(t, hash));
}

static void split_one(struct table *t, table_hash_fn hash_of, const void *ctx)
{
    uint32_t upper = t->base + t->split;
    if (upper / TABLE_SEGMENT >= TABLE_SEGMENTS) {
        return;
    }
    if (!t->directory[upper / TABLE_SEGMENT] && !add_segment(t, upper / TABLE_SEGMENT)) {
        return;
    }
    struct table_node *n = *head(t, t->split), **low = head(t, t->split), **high = head(t, upper);
    *low = NULL;
    while (n) {
        struct table_node *next = n->next,
                          **to = ((uint32_t)hash_of(ctx, n) & t->base) ? high : low;
        n->next = *to;
        *to = n;
        n = next;
    }
    if (++t->split == t->base) {
        t->base *= 2;
        t->split = 0;
    }
}

void table_insert(struct table *t, struct table_node *node, uint64_t hash, table_hash_fn hash_of,
                  const void *ctx)
{
    struct table_node **h = head(t, bucket_of(t, hash));
    node->next = *h;
    *h = node;
    if (++t->count > (t->base + t->split) * TABLE_LOAD_HALVES / 2) {
        split_one(t, hash_of, ctx);
    }
}

void table_replace(struct table *t, struct table_node *old, struct table_node *node, uint64_t hash)
{
    struct table_node **p = head(t, bucket_of(t, hash));
    while (*p != old) {
        p = &(*p)->next;
    }
    node->next = old->next;
    *p = node;
    old->next = NULL;
}

void table_remove(struct table *t, struct table_node *node, uint64_t hash)
{
    for (struct table_node **p = head(t, bucket_of(t, hash)); *p; p = &(*p)->next) {
        if (*p == node) {
            *p = node->next;
            node->next = NULL;
            t->count--;
            return;
        }
    }
}
