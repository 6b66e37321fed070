/* The block of a connection that sends: made with the first data, because most connections of a
 * large server are idle and need none. */
#include "tcp/tcb.h"

#include <string.h>

static const struct cc_ops *module_of(const struct tcb *c)
{
    (void)c;
    return &cc_newreno;
}

bool flow_need(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (c->flow) {
        return true;
    }
    struct flow *f = slab_alloc(&e->flow_slab);
    if (!f) {
        return false;
    }
    f->cc = module_of(c);
    f->cc_state = arena_alloc(e->arena, f->cc->state_size);
    if (!f->cc_state) {
        slab_free(&e->flow_slab, f);
        return false;
    }
    memset(f->cc_state, 0, f->cc->state_size);
    f->rate.delivered_at = f->rate.first_sent_at = now;
    c->flow = f;
    recovery_init(c, now);
    f->cc->init(c, now);
    return true;
}

void flow_free(struct tcp_engine *e, struct tcb *c)
{
    if (c->flow) {
        arena_release(e->arena, c->flow->cc_state, c->flow->cc->state_size);
        slab_free(&e->flow_slab, c->flow);
        c->flow = NULL;
    }
}

struct rtx_snapshot flow_snapshot(const struct tcb *c, ackd_time now)
{
    if (!c->flow) {
        return (struct rtx_snapshot){.delivered_at = now, .first_sent_at = now};
    }
    return (struct rtx_snapshot){.delivered = c->flow->rate.delivered,
                                 .delivered_at = c->flow->rate.delivered_at,
                                 .first_sent_at = c->flow->rate.first_sent_at,
                                 .lost = c->flow->rate.lost,
                                 .in_flight = c->act ? rtxq_pipe(&c->act->rtxq) : 0};
}
