/* Hash tables that grow one bucket at a time (linear hashing, Litwin 1980), so that no single
 * insertion holds up packets, however many connections there are. Intrusive and singly linked; the
 * caller supplies the hash of a node. */
#ifndef ACKD_TCP_TABLE_H
#define ACKD_TCP_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

#define TABLE_SEGMENT 1024u  /* buckets of one directory entry */
#define TABLE_SEGMENTS 8192u /* at most 8 Mi buckets */

struct table_node {
    struct table_node *next;
};

typedef uint64_t (*table_hash_fn)(const void *ctx, const struct table_node *node);

struct table {
    struct arena *arena;
    struct table_node ***directory;
    uint32_t base;  /* buckets at the beginning of this doubling, a power of two */
    uint32_t split; /* the next bucket to split; base + split buckets are in use */
    uint32_t count;
};

/* False when the arena has no room. */
bool table_init(struct table *t, struct arena *arena);
void table_done(struct table *t);
/* The chain in which nodes with this hash are. */
struct table_node *table_chain(const struct table *t, uint64_t hash);
/* Inserts, and splits a bucket when the table is full enough; a split that finds no memory is put
 * off. */
void table_insert(struct table *t, struct table_node *node, uint64_t hash, table_hash_fn hash_of,
                  const void *ctx);
void table_remove(struct table *t, struct table_node *node, uint64_t hash);
/* `node`, of the same hash, takes the place of `old`, which is in the table. */
void table_replace(struct table *t, struct table_node *old, struct table_node *node, uint64_t hash);

#endif
