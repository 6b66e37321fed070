/* A pseudo-random function in counter mode is a generator whose numbers cannot be told from random
 * ones without its key. The counter is hashed as little-endian bytes, so that a seed means the same
 * on every machine. */
#include "base/rng.h"

void rng_init(struct rng *rng, uint64_t seed0, uint64_t seed1)
{
    *rng = (struct rng){.key = {seed0, seed1}};
}

uint64_t rng_u64(struct rng *rng)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(rng->counter >> 8 * i);
    }
    rng->counter++;
    return siphash24(&rng->key, bytes, sizeof bytes);
}

uint32_t rng_u32(struct rng *rng)
{
    return (uint32_t)rng_u64(rng);
}

/* Lemire, "Fast random integer generation in an interval", 2019: the high word of a product is
 * uniform once the few low words that would be counted twice are thrown away. */
uint32_t rng_below(struct rng *rng, uint32_t bound)
{
    uint32_t surplus = (0u - bound) % bound; /* 2^32 mod bound */
    uint64_t product;
    do {
        product = (uint64_t)rng_u32(rng) * bound;
    } while ((uint32_t)product < surplus);
    return (uint32_t)(product >> 32);
}
