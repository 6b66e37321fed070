/* DCTCP (RFC 8257): for data centers, whose switches mark early. A mark is no alarm but a
 * measurement: the sender learns which part of its bytes met a queue, smooths that to Alpha, and
 * takes back half of that part:
 *
 *     Alpha = Alpha (1 - g) + g M         cwnd = cwnd (1 - Alpha / 2)
 *
 * with g = 1/16 and M the marked part of what was acknowledged in one window. It grows like
 * NewReno, and answers a loss like NewReno. Integers as in section 4.2, scaled by 2^16; Alpha
 * begins with 1.
 *
 * The receiver's half is in ecn/ecn.c: a connection with this module echoes each change of CE at
 * once and exactly, in place of RFC 3168's echo until CWR. DCTCP belongs where all ends speak it;
 * nothing negotiates it, and ECN itself must be agreed on (option ecn). */
#include "tcp/tcb.h"

#define SCALE_SHIFT 16
#define GAIN_SHIFT 4

struct dctcp {
    uint32_t alpha; /* DCTCP.Alpha, 2^16 is all */
    uint32_t acked, marked;
    tcp_seq window_end;
    uint32_t ca_bytes; /* as in newreno.c */
    struct hystart hystart;
};

static void estimate(struct tcb *c, struct dctcp *d, const struct cc_ack *ack)
{
    d->acked += ack->acked;
    d->marked += ack->ecn_bytes < ack->acked ? ack->ecn_bytes : ack->acked;
    if (!seq_gt(c->snd.una, d->window_end) || !d->acked) {
        return;
    }
    uint64_t part = ((uint64_t)d->marked << SCALE_SHIFT) / d->acked;
    uint32_t fade = d->alpha >> GAIN_SHIFT ? d->alpha >> GAIN_SHIFT : d->alpha; /* can reach 0 */
    d->alpha += (uint32_t)(part >> GAIN_SHIFT) - fade;
    d->alpha = d->alpha > 1u << SCALE_SHIFT ? 1u << SCALE_SHIFT : d->alpha;
    d->window_end = c->snd.nxt;
    d->acked = d->marked = 0;
}

static void dctcp_acked(struct tcb *c, const struct cc_ack *ack)
{
    struct dctcp *d = cc_state(c);
    uint32_t acked = ack->acked;
    estimate(c, d, ack);
    if (!acked || ack->in_recovery || !ack->cwnd_limited) {
        return;
    }
    if (c->flow->cc.cwnd < c->flow->cc.ssthresh) {
        acked = cc_slow_start(c, ack, &d->hystart);
    }
    d->ca_bytes += acked;
    if (d->ca_bytes >= c->flow->cc.cwnd) {
        d->ca_bytes -= c->flow->cc.cwnd;
        c->flow->cc.cwnd += send_mss(c);
    }
}

/* Sections 3.3 step 9 and 3.5. */
static uint32_t dctcp_ssthresh(struct tcb *c, uint32_t flight, bool ecn)
{
    const struct dctcp *d = cc_state(c);
    uint32_t taken = (uint32_t)((uint64_t)c->flow->cc.cwnd * d->alpha >> (SCALE_SHIFT + 1));
    uint32_t left = ecn ? c->flow->cc.cwnd - taken : flight / 2, least = 2 * send_mss(c);
    return left > least ? left : least;
}

static void dctcp_init(struct tcb *c, ackd_time now)
{
    struct dctcp *d = cc_state(c);
    (void)now;
    d->alpha = 1u << SCALE_SHIFT;
    d->window_end = c->snd.una;
}

static unsigned dctcp_fields(const struct tcb *c, struct tcp_congestion_field *f)
{
    const struct dctcp *d = cc_state(c);
    f[0] = (struct tcp_congestion_field){.name = "alpha", .unit = "/65536", .value = d->alpha};
    f[1] = (struct tcp_congestion_field){.name = "acked", .unit = "bytes", .value = d->acked};
    f[2] = (struct tcp_congestion_field){.name = "marked", .unit = "bytes", .value = d->marked};
    return 3 + hystart_fields(&d->hystart, f + 3);
}

const struct cc_ops cc_dctcp = {
    .name = "dctcp",
    .state_size = sizeof(struct dctcp),
    .init = dctcp_init,
    .acked = dctcp_acked,
    .ssthresh = dctcp_ssthresh,
    .fields = dctcp_fields,
};
