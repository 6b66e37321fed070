/* NewReno's congestion control after RFC 5681, with appropriate byte counting (RFC 3465): slow
 * start doubles cwnd each round trip up to ssthresh, congestion avoidance adds one segment each
 * round trip, a loss halves it, and cwnd grows only while it is what stops us. */
#include "tcp/tcb.h"

struct newreno {
    uint32_t ca_bytes; /* acknowledged in congestion avoidance, towards the next segment */
};

uint32_t cc_slow_start(struct tcb *c, uint32_t acked)
{
    /* RFC 3465 section 2.3: L = 1 after a timeout */
    uint32_t most = c->flags & C_RTO_RECOVERY ? send_mss(c) : UINT32_MAX;
    uint32_t grow = acked < most ? acked : most, room = c->cc.ssthresh - c->cc.cwnd;
    uint32_t step = grow < room ? grow : room;
    c->cc.cwnd += step;
    return grow - step;
}

static void newreno_acked(struct tcb *c, const struct cc_ack *ack)
{
    struct newreno *n = cc_state(c);
    uint32_t acked = ack->acked;
    if (!acked || ack->in_recovery || !ack->cwnd_limited) {
        return;
    }
    if (c->cc.cwnd < c->cc.ssthresh) {
        acked = cc_slow_start(c, acked);
    }
    n->ca_bytes += acked;
    if (n->ca_bytes >= c->cc.cwnd) {
        n->ca_bytes -= c->cc.cwnd;
        c->cc.cwnd += send_mss(c);
    }
}

static uint32_t newreno_ssthresh(struct tcb *c, bool ecn)
{
    (void)ecn;
    uint32_t half = tcb_outstanding(c) / 2, least = 2 * send_mss(c);
    return half > least ? half : least;
}

static void newreno_init(struct tcb *c, ackd_time now)
{
    (void)c;
    (void)now;
}

static void newreno_event(struct tcb *c, enum cc_event event, ackd_time now)
{
    (void)now;
    if (event == CC_ENTER_RECOVERY || event == CC_ENTER_CWR || event == CC_TIMEOUT) {
        ((struct newreno *)cc_state(c))->ca_bytes = 0;
    }
}

const struct cc_ops cc_newreno = {
    .name = "newreno",
    .state_size = sizeof(struct newreno),
    .init = newreno_init,
    .acked = newreno_acked,
    .ssthresh = newreno_ssthresh,
    .event = newreno_event,
};
