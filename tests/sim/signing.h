/* Signed connections in a simulation (TCP-AO, RFC 5925; the MD5 option, RFC 2385): both hosts get
 * the same keys, and with TCP-AO each changes, in the middle, the one that it asks its peer to sign
 * with. */
#ifndef SIM_SIGNING_H
#define SIM_SIGNING_H

#include "tcp/keys.h"
#include "users.h"

#define SIGNING_KEYS 3u

struct signing {
    enum tcp_key_algorithm algorithm; /* NONE: nothing is signed */
    struct rng rng;
    unsigned keys;
    uint64_t number[2][SIGNING_KEYS]; /* by host: the same key, from both ends */
    unsigned next[2];                 /* which of them a host asks for */
    uint64_t change_at[2];            /* having received so much it asks for another */
    uint64_t changes;
};

/* Gives both hosts `keys` keys that fit all connections between them, before there is any. */
void signing_begin(struct signing *s, struct world *w, uint64_t seed,
                   enum tcp_key_algorithm algorithm, unsigned keys);
/* For a seed: nothing, or one of the algorithms. */
void signing_random(struct signing *s, struct world *w, uint64_t seed);
/* Host i asks its peer for the next of the keys. */
void signing_change(struct signing *s, struct world *w, unsigned i, uint64_t id);
/* After a step: whoever has received enough asks for another key. */
void signing_step(struct signing *s, struct world *w, const struct users *u);
/* In the end: whoever was to be signed was, and nothing was discarded for its signature. */
void signing_check(struct world *w);

#endif
