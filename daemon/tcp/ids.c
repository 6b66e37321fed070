/* A digit of an id, 6 bits, chooses a place of a node, the highest digit at the root. A node's
 * places lie side by side, and the bitmap says which those are: the place of digit d is behind as
 * many others as bits are set below d (Bagwell, "Ideal Hash Trees", 2001). The array's size is the
 * least power of two that holds them, a function of their number, so it need not be stored. */
#include "tcp/ids.h"

#include <string.h>

#define DIGIT_BITS 6u
#define DIGIT_MASK 63u
#define LEVELS 11u /* 64 bits */

static unsigned digit(uint64_t id, unsigned level)
{
    return (unsigned)(id >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

static uint64_t bit(unsigned d)
{
    return UINT64_C(1) << d;
}

/* How many bits are set, in sums of 2, 4 and 8 of them: not every processor has an instruction for
 * it, and the call of a library for want of it would cost more. */
static unsigned count(uint64_t held)
{
    held -= held >> 1 & UINT64_C(0x5555555555555555);
    held = (held & UINT64_C(0x3333333333333333)) + (held >> 2 & UINT64_C(0x3333333333333333));
    held = (held + (held >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(held * UINT64_C(0x0101010101010101) >> 56);
}

static unsigned place(uint64_t held, unsigned d)
{
    return count(held & (bit(d) - 1));
}

static size_t place_size(unsigned level)
{
    return level > 0 ? sizeof(struct ids_node) : sizeof(void *);
}

static size_t array_size(unsigned level, unsigned places)
{
    return places == 0 ? 0 : arena_block_size(places * place_size(level));
}

static struct ids_node *child(const struct ids_node *node, unsigned d)
{
    return (struct ids_node *)node->places + place(node->held, d);
}

static void **leaf(const struct ids_node *node, unsigned d)
{
    return (void **)node->places + place(node->held, d);
}

void ids_init(struct ids *ids, struct arena *arena)
{
    *ids = (struct ids){.arena = arena};
}

static void clear(struct ids *ids, struct ids_node *node, unsigned level)
{
    unsigned n = count(node->held);
    for (unsigned i = 0; level > 0 && i < n; i++) {
        clear(ids, (struct ids_node *)node->places + i, level - 1);
    }
    if (n) {
        arena_release(ids->arena, node->places, array_size(level, n));
    }
    *node = (struct ids_node){0};
}

void ids_clear(struct ids *ids)
{
    clear(ids, &ids->root, ids->level);
}

/* Makes room for digit d, which is not held; false without memory. */
static bool open_place(struct ids *ids, struct ids_node *node, unsigned level, unsigned d)
{
    unsigned n = count(node->held), at = place(node->held, d);
    size_t one = place_size(level), old = array_size(level, n), size = array_size(level, n + 1);
    uint8_t *from = node->places, *to = from;
    if (size != old) {
        to = arena_alloc(ids->arena, size);
        if (!to) {
            return false;
        }
        if (n) {
            memcpy(to, from, at * one);
        }
    }
    if (n > at) {
        memmove(to + (at + 1) * one, from + at * one, (n - at) * one);
    }
    if (to != from && from) {
        arena_release(ids->arena, from, old);
    }
    node->places = to;
    node->held |= bit(d);
    return true;
}

static void close_place(struct ids *ids, struct ids_node *node, unsigned level, unsigned d)
{
    unsigned n = count(node->held) - 1, at = place(node->held, d);
    size_t one = place_size(level), old = array_size(level, n + 1), size = array_size(level, n);
    uint8_t *places = node->places;
    memmove(places + at * one, places + (at + 1) * one, (n - at) * one);
    node->held &= ~bit(d);
    if (size != old) {
        /* The block that is given back is at hand for the smaller one: it cannot fail. */
        struct ids_node kept[DIGIT_MASK];
        memcpy(kept, places, n * one);
        arena_release(ids->arena, places, old);
        node->places = n ? arena_alloc(ids->arena, size) : NULL;
        if (n) {
            memcpy(node->places, kept, n * one);
        }
    }
}

static bool insert(struct ids *ids, struct ids_node *node, unsigned level, uint64_t id, void *what)
{
    unsigned d = digit(id, level);
    if (level == 0) {
        if (!open_place(ids, node, level, d)) {
            return false;
        }
        *leaf(node, d) = what;
        return true;
    }
    if (node->held & bit(d)) {
        return insert(ids, child(node, d), level - 1, id, what);
    }
    struct ids_node fresh = {0};
    if (!insert(ids, &fresh, level - 1, id, what)) {
        return false;
    }
    if (!open_place(ids, node, level, d)) {
        clear(ids, &fresh, level - 1);
        return false;
    }
    *child(node, d) = fresh;
    return true;
}

static bool reaches(const struct ids *ids, uint64_t id)
{
    return ids->level == LEVELS - 1 || id >> ((ids->level + 1) * DIGIT_BITS) == 0;
}

/* A larger id than there ever was puts another root above the present one. */
static bool raise(struct ids *ids)
{
    struct ids_node root = {0};
    if (ids->root.held) {
        if (!open_place(ids, &root, ids->level + 1, 0)) {
            return false;
        }
        *child(&root, 0) = ids->root;
    }
    ids->root = root;
    ids->level++;
    return true;
}

bool ids_insert(struct ids *ids, uint64_t id, void *what)
{
    while (!reaches(ids, id)) {
        if (!raise(ids)) {
            return false;
        }
    }
    return insert(ids, &ids->root, ids->level, id, what);
}

/* The node of the lowest level that has this id, NULL. */
static const struct ids_node *find(const struct ids *ids, uint64_t id)
{
    const struct ids_node *node = &ids->root;
    for (unsigned level = ids->level; node->held & bit(digit(id, level)); level--) {
        if (level == 0) {
            return reaches(ids, id) ? node : NULL;
        }
        node = child(node, digit(id, level));
    }
    return NULL;
}

void *ids_find(const struct ids *ids, uint64_t id)
{
    const struct ids_node *node = find(ids, id);
    return node ? *leaf(node, digit(id, 0)) : NULL;
}

void ids_replace(struct ids *ids, uint64_t id, void *what)
{
    *leaf(find(ids, id), digit(id, 0)) = what;
}

static void removal(struct ids *ids, struct ids_node *node, unsigned level, uint64_t id)
{
    unsigned d = digit(id, level);
    if (level > 0) {
        removal(ids, child(node, d), level - 1, id);
        if (child(node, d)->held) {
            return;
        }
    }
    close_place(ids, node, level, d);
}

void ids_remove(struct ids *ids, uint64_t id)
{
    removal(ids, &ids->root, ids->level, id);
}

/* The smallest id of this part of the trie that is not below `from`; both count from the part's
 * first. */
static void *not_below(const struct ids_node *node, unsigned level, uint64_t from, uint64_t *id)
{
    unsigned shift = level * DIGIT_BITS, first = (unsigned)(from >> shift);
    for (uint64_t held = node->held >> first << first; held; held &= held - 1) {
        unsigned d = (unsigned)__builtin_ctzll(held);
        void *what;
        *id = 0;
        if (level == 0) {
            what = *leaf(node, d);
        } else {
            uint64_t rest = d == first ? from & (bit(shift) - 1) : 0;
            what = not_below(child(node, d), level - 1, rest, id);
        }
        if (what) {
            *id |= (uint64_t)d << shift;
            return what;
        }
    }
    return NULL;
}

void *ids_next(const struct ids *ids, uint64_t after, uint64_t *id)
{
    uint64_t from = after + 1;
    return from && reaches(ids, from) ? not_below(&ids->root, ids->level, from, id) : NULL;
}
