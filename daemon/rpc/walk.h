/* Going through all endpoints that a filter matches, in order of ids, a bounded number a turn of
 * the loop. */
#ifndef ACKD_RPC_WALK_H
#define ACKD_RPC_WALK_H

#include "rpc/filter.h"

/* Records that one turn of the loop looks at, where time allows. */
enum { WALK_BUDGET = 512 };

struct walk {
    struct rpc *rpc;
    const struct filter *filter; /* the caller's */
    unsigned next_id;            /* index in filter->ids */
    uint64_t last;               /* the last id that was looked at */
};

/* Begins after id `after`. */
void walk_start(struct walk *w, struct rpc *rpc, const struct filter *filter, uint64_t after);

enum walk_result { WALK_FOUND, WALK_END, WALK_PAUSE };
/* The next match, its full or cheap status in *info. Each record looked at costs one of *budget; at
 * 0, or when the turn's time is spent: PAUSE, go on in another turn. */
enum walk_result walk_next(struct walk *w, bool full, unsigned *budget, struct tcp_info *info);

#endif
