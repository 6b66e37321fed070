/* The block of a connection that sends: made with the first data, because most connections of a
 * large server are idle and need none. The congestion control module lives in it; another one may
 * take its place at any time, and begins with fresh state from the windows as they are. */
#include "tcp/tcb.h"

/* Puts the module that the options name into the flow. False: no memory, nothing changed. */
static bool install(struct tcp_engine *e, struct tcb *c, enum tcp_congestion which, ackd_time now)
{
    struct flow *f = c->flow;
    void *state = slab_alloc(&e->cc_slab[which]);
    if (!state) {
        return false;
    }
    f->congestion = (uint8_t)which;
    f->cc_state = state;
    f->pacing_rate = 0;
    cc_module(c)->init(c, now);
    return true;
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
    f->cc.cwnd = cc_first_window(c);
    f->cc.ssthresh = UINT32_MAX;
    f->min_rtt_ns = c->rtt.srtt_ns;
    f->data_sent = TIME_NEVER;
    f->rate.delivered_at = f->rate.first_sent_at = f->next_send = now;
    f->validation.invalid_since = TIME_NEVER;
    f->validation.off = e->config.cwnd_as_linux;
    c->flow = f;
    if (!install(e, c, c->options->v.congestion, now)) {
        c->flow = NULL;
        slab_free(&e->flow_slab, f);
        return false;
    }
    recovery_init(c, now);
    mtu_flow_begin(c, now);
    return true;
}

bool flow_select(struct tcp_engine *e, struct tcb *c, enum tcp_congestion which, ackd_time now)
{
    if (!c->flow || c->flow->congestion == which) {
        return true;
    }
    void *state = c->flow->cc_state;
    struct slab *slab = &e->cc_slab[c->flow->congestion];
    if (!install(e, c, which, now)) {
        return false;
    }
    slab_free(slab, state);
    return true;
}

void flow_free(struct tcp_engine *e, struct tcb *c)
{
    if (c->flow) {
        slab_free(&e->cc_slab[c->flow->congestion], c->flow->cc_state);
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
                                 .lost = c->act ? c->act->rtxq.lost_ever : 0,
                                 .in_flight = c->act ? rtxq_pipe(&c->act->rtxq) : 0};
}
