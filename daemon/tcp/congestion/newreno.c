/* NewReno's congestion control after RFC 5681, with appropriate byte counting (RFC 3465): slow
 * start doubles cwnd each round trip up to ssthresh, congestion avoidance adds one segment each
 * round trip, a loss halves it (a mark takes a fifth: RFC 8511), and cwnd grows only while it is
 * what stops us.
 *
 * RFC 3465's L bounds what one ACK may add in slow start, against bursts. It is off by default: a
 * receiver that merges segments acknowledges dozens at once, and L would turn doubling into
 * crawling. After a timeout L is one segment (section 2.3). */
#include "tcp/tcb.h"

#define ABE_PERCENT 80 /* beta_ecn of RFC 8511 section 3.1 */

struct newreno {
    uint32_t ca_bytes; /* acknowledged in congestion avoidance, towards the next segment */
    struct hystart hystart;
};

static uint32_t abc_limit(const struct tcb *c)
{
    uint64_t segments = c->flags & C_RTO_RECOVERY ? 1 : c->options->v.abc_limit;
    uint64_t limit = segments * send_mss(c);
    return limit && limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
}

uint32_t cc_slow_start(struct tcb *c, const struct cc_ack *ack, struct hystart *h)
{
    uint32_t most = abc_limit(c), grow = ack->acked < most ? ack->acked : most;
    unsigned divisor = hystart_acked(h, c, ack);
    if (!divisor) {
        c->flow->cc.ssthresh = c->flow->cc.cwnd;
        cc_floors(c);
        return ack->acked;
    }
    uint32_t room = c->flow->cc.ssthresh - c->flow->cc.cwnd;
    if (grow / divisor < room) {
        c->flow->cc.cwnd += grow / divisor;
        return 0;
    }
    c->flow->cc.cwnd = c->flow->cc.ssthresh;
    return grow - room;
}

static void newreno_acked(struct tcb *c, const struct cc_ack *ack)
{
    struct newreno *n = cc_state(c);
    uint32_t acked = ack->acked;
    if (!acked || ack->in_recovery || !ack->cwnd_limited) {
        return;
    }
    if (c->flow->cc.cwnd < c->flow->cc.ssthresh) {
        acked = cc_slow_start(c, ack, &n->hystart);
    }
    n->ca_bytes += acked;
    if (n->ca_bytes >= c->flow->cc.cwnd) {
        n->ca_bytes -= c->flow->cc.cwnd;
        c->flow->cc.cwnd += send_mss(c);
    }
}

static uint32_t newreno_ssthresh(struct tcb *c, uint32_t flight, bool ecn)
{
    uint32_t left = ecn ? (uint32_t)((uint64_t)flight * ABE_PERCENT / 100) : flight / 2;
    uint32_t least = 2 * send_mss(c);
    return left > least ? left : least;
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

static unsigned newreno_fields(const struct tcb *c, struct tcp_congestion_field *f)
{
    const struct newreno *n = cc_state(c);
    f[0] = (struct tcp_congestion_field){.name = "state",
                                         .word = c->flow->cc.cwnd >= c->flow->cc.ssthresh
                                                     ? "CONGESTION-AVOIDANCE"
                                                 : n->hystart.css_rounds ? "CONSERVATIVE-SLOW-START"
                                                                         : "SLOW-START"};
    f[1] = (struct tcp_congestion_field){.name = "ca", .unit = "bytes", .value = n->ca_bytes};
    return 2 + hystart_fields(&n->hystart, f + 2);
}

const struct cc_ops cc_newreno = {
    .name = "newreno",
    .state_size = sizeof(struct newreno),
    .init = newreno_init,
    .acked = newreno_acked,
    .ssthresh = newreno_ssthresh,
    .event = newreno_event,
    .fields = newreno_fields,
};
