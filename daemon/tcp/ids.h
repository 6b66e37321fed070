/* Records by id, in order: a trie of 64-way nodes that hold only the children they have.
 *
 * Ids count up and are never reused, so those in use lie close together, and a record costs little
 * more than the pointer to it: 8.25 bytes when they are dense. A listing takes the next larger id
 * from wherever it stands, and so needs no place of its own that would have to follow what comes
 * and goes. */
#ifndef ACKD_TCP_IDS_H
#define ACKD_TCP_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

struct ids_node {
    uint64_t held; /* a bit for each of the 64 places that is taken */
    void *places;  /* what is there, in order: pointers, or above the lowest level nodes */
};

struct ids {
    struct arena *arena;
    struct ids_node root;
    unsigned level; /* of the root; the lowest is 0 */
};

void ids_init(struct ids *ids, struct arena *arena);
/* Gives all memory back; what the pointers point at is the caller's. */
void ids_clear(struct ids *ids);

/* Enters an id that is not there. False without memory: nothing has changed. */
bool ids_insert(struct ids *ids, uint64_t id, void *what);
/* Gives an id that is there another pointer, or takes it out. */
void ids_replace(struct ids *ids, uint64_t id, void *what);
void ids_remove(struct ids *ids, uint64_t id);

/* NULL: it is not there. */
void *ids_find(const struct ids *ids, uint64_t id);
/* The smallest id above `after`, in *id; NULL: there is none. */
void *ids_next(const struct ids *ids, uint64_t after, uint64_t *id);

#endif
