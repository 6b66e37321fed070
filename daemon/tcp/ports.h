/* Ephemeral ports (RFC 6056): algorithm 3 with a double hash (section 3.3.4), so that a port tells
 * an outsider nothing about the next, while ports towards one peer are reused as late as possible.
 */
#ifndef ACKD_TCP_PORTS_H
#define ACKD_TCP_PORTS_H

#include "base/hash.h"
#include "base/rng.h"
#include "tcp/tcp.h"

#define PORTS_TABLE 256

struct ports {
    struct hash_key offset_key, index_key;
    uint16_t first, last;
    uint16_t table[PORTS_TABLE];
};

void ports_init(struct ports *p, struct rng *rng, uint16_t first, uint16_t last);

/* Is this local port free for the tuple? (The tuple's local_port is what is asked.) */
typedef bool (*ports_free_fn)(void *ctx, const struct tcp_tuple *tuple);

/* Chooses tuple->local_port; false when every port of the range is taken. */
bool ports_choose(struct ports *p, struct tcp_tuple *tuple, ports_free_fn is_free, void *ctx);

#endif
