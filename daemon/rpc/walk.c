/* A filter that names ids is asked for those; anything else steps through the engine's. */
#include "rpc/walk.h"

void walk_start(struct walk *w, struct rpc *rpc, const struct filter *filter, uint64_t after)
{
    *w = (struct walk){.rpc = rpc, .filter = filter, .last = after};
    while (w->next_id < filter->n_ids && filter->ids[w->next_id] <= after) {
        w->next_id++;
    }
}

/* 0 at the end. */
static uint64_t next_id(struct walk *w)
{
    if (w->filter->n_ids == 0) {
        return tcp_next_id(w->rpc->config.engine, w->last);
    }
    uint64_t id = w->last;
    while (id <= w->last && w->next_id < w->filter->n_ids) { /* over repetitions */
        id = w->filter->ids[w->next_id++];
    }
    return id > w->last ? id : 0;
}

enum walk_result walk_next(struct walk *w, bool full, unsigned *budget, struct tcp_info *info)
{
    struct tcp_engine *engine = w->rpc->config.engine;
    ackd_time now = rpc_now(w->rpc);
    while (*budget > 0 && !rpc_turn_spent(w->rpc)) {
        uint64_t id = next_id(w);
        if (id == 0) {
            return WALK_END;
        }
        --*budget;
        w->last = id;
        if (tcp_status(engine, now, id, false, info) < 0) {
            continue;
        }
        const struct filter_subject subject = {id, info->listener, info->state, info->state,
                                               &info->tuple};
        if (filter_match(w->rpc, w->filter, &subject) &&
            (!full || tcp_status(engine, now, id, true, info) == 0)) {
            return WALK_FOUND;
        }
    }
    return WALK_PAUSE;
}
