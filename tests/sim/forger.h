/* Somebody beside the path, who guesses: resets, SYNs and acknowledgments that the peer never sent
 * (RFC 5961). None of them may end a connection, or change what is delivered. */
#ifndef SIM_FORGER_H
#define SIM_FORGER_H

#include "users.h"

enum forgery { FORGED_RST, FORGED_SYN, FORGED_OLD_ACK, FORGED_UNSENT_ACK, FORGED_DATA, FORGERIES };

struct forger {
    struct rng rng;
    uint32_t ppm; /* of a million steps */
    uint64_t forged[FORGERIES];
};

void forger_init(struct forger *f, uint64_t seed);
/* After a step: perhaps one forged segment, to one of the users' connections. */
void forger_step(struct forger *f, struct world *w, const struct users *u);

#endif
