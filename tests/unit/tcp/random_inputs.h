/* Runs a fuzz target's body on seeded random inputs: the oracle tests of a build without libFuzzer.
 */
#ifndef TEST_TCP_RANDOM_INPUTS_H
#define TEST_TCP_RANDOM_INPUTS_H

#include <stdint.h>
#include "base/rng.h"
#include "../../fuzz/fuzz.h"

static inline void run_random_inputs(unsigned count, unsigned max_length)
{
    static uint8_t data[1 << 16];
    for (unsigned seed = 1; seed <= count; seed++) {
        struct rng rng;
        rng_init(&rng, seed, 0);
        unsigned length = 1 + rng_below(&rng, max_length);
        for (unsigned i = 0; i < length; i++) {
            data[i] = (uint8_t)rng_u32(&rng);
        }
        LLVMFuzzerTestOneInput(data, length);
    }
}

#endif
