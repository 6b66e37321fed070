/* A filter that names ids is asked for those; anything else steps the engine's cursor, which
 * survives what happens between turns. */
#include "rpc/walk.h"

bool walk_start(struct walk *w, struct rpc *rpc, const struct filter *filter, uint64_t after)
{
    *w = (struct walk){.rpc = rpc, .filter = filter, .last = after};
    if (filter->n_ids == 0) {
        w->cursor = tcp_cursor_new(rpc->config.engine, after);
        return w->cursor != NULL;
    }
    while (w->next_id < filter->n_ids && filter->ids[w->next_id] <= after) {
        w->next_id++;
    }
    return true;
}

void walk_end(struct walk *w)
{
    if (w->cursor) {
        tcp_cursor_free(w->cursor);
        w->cursor = NULL;
    }
}

/* The next id, 0 at the end, UINT64_MAX when the cursor needs another turn. */
static uint64_t next_id(struct walk *w, unsigned budget)
{
    if (w->cursor) {
        return tcp_cursor_next(w->cursor, budget);
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
        uint64_t id = next_id(w, *budget);
        if (id == 0) {
            return WALK_END;
        }
        if (id == UINT64_MAX) {
            *budget = 0;
            break;
        }
        --*budget;
        w->last = id;
        if (w->cursor) {
            tcp_cursor_status(w->cursor, now, false, info);
        } else if (tcp_status(engine, now, id, false, info) < 0) {
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
