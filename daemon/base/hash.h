/* Keyed hashing: SipHash (Aumasson and Bernstein), so that a peer who chooses addresses and
 * ports cannot choose our hash buckets (RFC 6056 and 6528 need the same keyed function). */
#ifndef ACKD_BASE_HASH_H
#define ACKD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

/* What a peer gets to see, and must not be able to guess: sequence numbers, cookies, ports. */
uint64_t siphash24(const struct hash_key *key, const void *data, size_t length);
/* SipHash-1-3, at half the cost, for tables: nobody sees its values. */
uint64_t siphash13(const struct hash_key *key, const void *data, size_t length);

#endif
