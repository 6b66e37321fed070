/* CUBIC (RFC 9438): in congestion avoidance cwnd follows a cubic function of the time since the
 * last reduction, not of the number of ACKs, so that flows of different round-trip times grow
 * alike. With C = 0.4 segments/s^3, beta = 0.7 and windows in segments:
 *
 *     W_cubic(t) = C (t - K)^3 + W_max        K = cbrt((W_max - cwnd_epoch) / C)
 *
 * It rises steeply at first, is flat around W_max (where the path was full), then probes beyond.
 * Each ACK moves cwnd towards W_cubic(t + RTT), at most 1.5 times cwnd a round trip (section 4.2).
 * Where Reno would have more (W_est, section 4.3), cwnd is W_est. A flow that was reduced before it
 * reached its last W_max gives way faster (fast convergence, section 4.7). Time during which cwnd
 * did not hold us back does not count (section 5.8).
 *
 * Integers only: windows in bytes, t and K in milliseconds, so C is 0.4 MSS / 10^9 bytes/ms^3. */
#include "tcp/tcb.h"

#define BETA_TENTHS 7
#define ABE_PERCENT 85                 /* beta_ecn of RFC 8511 section 3.1 */
#define T_MAX_MS (INT64_C(1) << 20)    /* 17 minutes: its cube still fits */
#define W_MAX_BYTES (INT64_C(1) << 31) /* far beyond any window */

/* What a reduction changes, to take it back (section 4.9). */
struct cubic_epoch {
    ackd_time start; /* TIME_NEVER: congestion avoidance has not begun since the reduction */
    uint32_t w_max, cwnd_prior;
    uint32_t k_ms;
    uint32_t w_est;
};

struct cubic {
    struct cubic_epoch now, before;
    ackd_time idle_since;  /* cwnd does not hold us back since then; TIME_NEVER: it does */
    uint32_t grow, grow_w; /* remainders of the divisions by cwnd */
    struct hystart hystart;
    bool reduced; /* `before` is of this episode: another reduction leaves it */
};

/* The largest x with x^3 <= n, bit by bit from the top. */
static uint32_t cube_root(uint64_t n)
{
    uint64_t x = 0;
    for (int bit = 20; bit >= 0; bit--) {
        uint64_t y = x | UINT64_C(1) << bit;
        x = y * y * y <= n ? y : x;
    }
    return (uint32_t)x;
}

/* Equation (1), in bytes. */
static int64_t w_cubic(const struct tcb *c, const struct cubic *u, int64_t t_ms)
{
    int64_t d = t_ms - u->now.k_ms, sign = d < 0 ? -1 : 1;
    d = d * sign > T_MAX_MS ? T_MAX_MS : d * sign;
    int64_t bytes = d * d * d / 1000000 * 2 * (int64_t)send_mss(c) / 5000; /* 0.4 MSS d^3 / 10^9 */
    int64_t w = (int64_t)u->now.w_max + sign * bytes;
    return w > W_MAX_BYTES ? W_MAX_BYTES : w < 0 ? 0 : w;
}

/* Congestion avoidance begins (section 4.2, 4.8). */
static void epoch_begin(struct tcb *c, struct cubic *u, ackd_time now)
{
    u->now.start = now;
    u->now.w_est = c->flow->cc.cwnd;
    u->grow = u->grow_w = 0;
    if (u->now.w_max <= c->flow->cc.cwnd) {
        u->now.w_max = c->flow->cc.cwnd;
        u->now.k_ms = 0;
        return;
    }
    /* K^3 = (W_max - cwnd) / (0.4 MSS) s^3, a second is 1000 ms */
    uint64_t missing = u->now.w_max - c->flow->cc.cwnd;
    u->now.k_ms = cube_root(missing * UINT64_C(2500000000) / send_mss(c));
}

/* Section 4.3, equation (4): alpha = 3 (1 - beta) / (1 + beta) = 9/17, by which a flow that is
 * reduced to beta has what Reno would have. From the old cwnd on alpha SHOULD be 1. The CUBIC that
 * is deployed goes on with 9/17, as RFC 8312 had it, and a flow with 1 takes the bottleneck from it
 * where round trips are short: only `cubic_alpha_one` does so. Before the first reduction there is
 * no milder one to make up for: there alpha is Reno's. */
static void reno_grow(const struct tcb *c, struct cubic *u, uint32_t acked)
{
    uint64_t step = (uint64_t)send_mss(c) * acked;
    bool beyond = u->now.cwnd_prior && u->now.w_est >= u->now.cwnd_prior;
    bool one = !u->now.cwnd_prior || (beyond && c->options->v.cubic_alpha_one);
    uint64_t grow = u->grow_w + (one ? step : step * 9 / 17);
    u->now.w_est += (uint32_t)(grow / c->flow->cc.cwnd);
    u->grow_w = (uint32_t)(grow % c->flow->cc.cwnd);
}

static void avoid(struct tcb *c, struct cubic *u, ackd_time now, uint32_t acked)
{
    if (time_is_never(u->now.start)) {
        epoch_begin(c, u, now);
    }
    int64_t t_ms = time_diff(now, u->now.start) / NS_PER_MS;
    int64_t rtt_ms = c->rtt.srtt_ns > 0 ? c->rtt.srtt_ns / NS_PER_MS : 0;
    reno_grow(c, u, acked);
    if (w_cubic(c, u, t_ms) < u->now.w_est) { /* the Reno-friendly region */
        c->flow->cc.cwnd = u->now.w_est > c->flow->cc.cwnd ? u->now.w_est : c->flow->cc.cwnd;
        return;
    }
    int64_t cwnd = c->flow->cc.cwnd, target = w_cubic(c, u, t_ms + rtt_ms);
    target = target < cwnd ? cwnd : target > cwnd + cwnd / 2 ? cwnd + cwnd / 2 : target;
    uint64_t grow = u->grow + (uint64_t)(target - cwnd) * acked;
    c->flow->cc.cwnd += (uint32_t)(grow / (uint64_t)cwnd);
    u->grow = (uint32_t)(grow % (uint64_t)cwnd);
}

/* Section 5.8: the clock stands still. */
static void hold_clock(struct cubic *u, bool limited, ackd_time now)
{
    if (!limited) {
        u->idle_since = time_is_never(u->idle_since) ? now : u->idle_since;
    } else if (!time_is_never(u->idle_since)) {
        if (!time_is_never(u->now.start)) {
            u->now.start = time_add(u->now.start, time_diff(now, u->idle_since));
        }
        u->idle_since = TIME_NEVER;
    }
}

static void cubic_acked(struct tcb *c, const struct cc_ack *ack)
{
    struct cubic *u = cc_state(c);
    if (ack->in_recovery) {
        return;
    }
    u->reduced = false;
    hold_clock(u, ack->cwnd_limited, ack->now);
    uint32_t acked = ack->acked;
    if (!acked || !ack->cwnd_limited) {
        return;
    }
    if (c->flow->cc.cwnd < c->flow->cc.ssthresh) {
        acked = cc_slow_start(c, ack, &u->hystart);
    }
    if (acked) {
        avoid(c, u, ack->now, acked);
    }
}

/* Sections 4.6 and 4.7. The flight, not cwnd, counts: it may not have been used. */
static uint32_t cubic_ssthresh(struct tcb *c, uint32_t flight, bool ecn)
{
    struct cubic *u = cc_state(c);
    uint64_t cwnd = flight < c->flow->cc.cwnd ? flight : c->flow->cc.cwnd;
    u->before = u->reduced ? u->before : u->now;
    u->reduced = true;
    u->now.w_max = (uint32_t)(cwnd < u->now.w_max ? cwnd * (10 + BETA_TENTHS) / 20 : cwnd);
    u->now.cwnd_prior = (uint32_t)cwnd;
    u->now.start = TIME_NEVER;
    uint32_t left = (uint32_t)(ecn ? cwnd * ABE_PERCENT / 100 : cwnd * BETA_TENTHS / 10);
    uint32_t least = 2 * send_mss(c);
    return left > least ? left : least;
}

static void cubic_event(struct tcb *c, enum cc_event event, ackd_time now)
{
    struct cubic *u = cc_state(c);
    (void)now;
    switch (event) {
    case CC_TIMEOUT: /* section 4.8: the next epoch begins on the plateau */
        u->now.w_max = 0;
        break;
    case CC_UNDO:
        u->now = u->before;
        break;
    default:
        break;
    }
}

static void cubic_init(struct tcb *c, ackd_time now)
{
    struct cubic *u = cc_state(c);
    (void)now;
    u->now.start = u->before.start = u->idle_since = TIME_NEVER;
}

static const char *region(const struct tcb *c, const struct cubic *u)
{
    if (c->flow->cc.cwnd < c->flow->cc.ssthresh) {
        return u->hystart.css_rounds ? "CONSERVATIVE-SLOW-START" : "SLOW-START";
    }
    return u->now.w_est >= c->flow->cc.cwnd  ? "RENO-FRIENDLY"
           : c->flow->cc.cwnd < u->now.w_max ? "CONCAVE"
                                             : "CONVEX";
}

static unsigned cubic_fields(const struct tcb *c, struct tcp_congestion_field *f)
{
    const struct cubic *u = cc_state(c);
    unsigned n = 0;
    f[n++] = (struct tcp_congestion_field){.name = "state", .word = region(c, u)};
    f[n++] = (struct tcp_congestion_field){.name = "w_max", .unit = "bytes", .value = u->now.w_max};
    f[n++] = (struct tcp_congestion_field){
        .name = "k", .unit = "ns", .value = (int64_t)u->now.k_ms * NS_PER_MS};
    f[n++] = (struct tcp_congestion_field){.name = "w_est", .unit = "bytes", .value = u->now.w_est};
    if (!time_is_never(u->now.start)) {
        f[n++] = (struct tcp_congestion_field){
            .name = "epoch_start", .unit = "ns", .value = u->now.start.ns};
    }
    return n + hystart_fields(&u->hystart, f + n);
}

const struct cc_ops cc_cubic = {
    .name = "cubic",
    .state_size = sizeof(struct cubic),
    .init = cubic_init,
    .acked = cubic_acked,
    .ssthresh = cubic_ssthresh,
    .event = cubic_event,
    .fields = cubic_fields,
};
