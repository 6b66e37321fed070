/* Ephemeral ports (RFC 6056 section 3.3.4, the double-hash algorithm).
 *
 * The ports towards one remote endpoint are a sequence that begins at an offset F(local address,
 * remote address, remote port) and counts up, so that a port is reused as late as possible; the
 * count is one of a table, chosen by a second hash G, so that whoever watches the ports towards
 * himself learns little about those towards others. */
#include "tcp/ports.h"

#include <string.h>

static uint64_t endpoint_hash(const struct hash_key *key, const struct tcp_tuple *t)
{
    uint8_t in[16 + 16 + 2];
    memcpy(in, t->local.b, 16);
    memcpy(in + 16, t->remote.b, 16);
    in[32] = (uint8_t)(t->remote_port >> 8);
    in[33] = (uint8_t)t->remote_port;
    return siphash24(key, in, sizeof(in));
}

static uint32_t range_of(const struct ports *p)
{
    return (uint32_t)p->last - p->first + 1;
}

void ports_init(struct ports *p, struct rng *rng, uint16_t first, uint16_t last)
{
    p->first = first;
    p->last = last < first ? first : last;
    p->offset_key = (struct hash_key){rng_u64(rng), rng_u64(rng)};
    p->index_key = (struct hash_key){rng_u64(rng), rng_u64(rng)};
    for (unsigned i = 0; i < PORTS_TABLE; i++) {
        p->table[i] = (uint16_t)rng_below(rng, range_of(p));
    }
}

bool ports_choose(struct ports *p, struct tcp_tuple *tuple, ports_free_fn is_free, void *ctx)
{
    uint32_t range = range_of(p);
    uint32_t offset = (uint32_t)(endpoint_hash(&p->offset_key, tuple) % range);
    /* The count is kept modulo the range: a 16-bit count that wrapped would try some ports twice
     * and others never. */
    uint16_t *count = &p->table[endpoint_hash(&p->index_key, tuple) % PORTS_TABLE];
    struct tcp_tuple candidate = *tuple;
    for (uint32_t tried = 0; tried < range; tried++) {
        candidate.local_port = (uint16_t)(p->first + (offset + *count) % range);
        *count = (uint16_t)((*count + 1u) % range);
        if (is_free(ctx, &candidate)) {
            tuple->local_port = candidate.local_port;
            return true;
        }
    }
    return false;
}
