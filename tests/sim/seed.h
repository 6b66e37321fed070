/* One seed of the simulation, and what is counted over many. */
#ifndef SIM_SEED_H
#define SIM_SEED_H

#include "forger.h"
#include "meddler.h"
#include "signing.h"
#include "users.h"

enum seed_kind {
    SEED_PLAIN,   /* two hosts, one connection after the other */
    SEED_MEDDLED, /* the same, and one of them misbehaves */
    SEED_MANY,    /* many connections between several hosts */
    SEED_CUT,     /* the wire is cut for good */
    SEED_KINDS
};

/* Nothing but uint64_t, so that totals can be added. */
struct totals {
    struct tcp_counters counters;
    struct link_stats link;
    struct meddler_stats meddler;
    uint64_t seeds[SEED_KINDS];
    uint64_t kinds[TCP_KINDS], closes[TCP_CLOSES]; /* frames sent; connections that ended */
    struct users_seen seen;
    uint64_t connections, modules[TCP_CONGESTIONS];
    uint64_t forged[FORGERIES];
    uint64_t signed_with[TCP_KEY_ALGORITHMS], key_changes; /* connections; wishes */
    uint64_t steps, bytes, digest;
};

void totals_add(struct totals *t, const struct totals *o);

/* Runs a seed; false when it failed, having said so. */
bool seed_run(uint64_t seed, bool verbose, struct totals *totals);

/* Prints how often each mechanism fired; returns how many of them fired less than they must in so
 * many seeds, 0 unless `enforce`. */
unsigned floors_check(const struct totals *t, uint64_t seeds, bool enforce);

#endif
