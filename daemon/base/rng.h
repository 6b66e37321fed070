/* Randomness as an argument: SipHash in counter mode under a secret key. The same seed gives the
 * same numbers (simulation, replay); without the key they cannot be predicted (ports, ISN secrets,
 * jitter). */
#ifndef ACKD_BASE_RNG_H
#define ACKD_BASE_RNG_H

#include <stdint.h>
#include "base/hash.h"

struct rng {
    struct hash_key key;
    uint64_t counter;
};

void rng_init(struct rng *rng, uint64_t seed0, uint64_t seed1);
uint64_t rng_u64(struct rng *rng);
uint32_t rng_u32(struct rng *rng);

/* Uniform in 0 .. bound-1, bound >= 1, without modulo bias. */
uint32_t rng_below(struct rng *rng, uint32_t bound);

#endif
