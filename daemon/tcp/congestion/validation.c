/* Congestion window validation (RFC 7661): a window that was not used is a guess. How much the path
 * carried lately is pipeACK, the most that was acknowledged in any round trip of the sampling
 * period (section 4.2: three round trips, at least a second). While it is under half of cwnd the
 * window is not validated: it stays as it is, so that a bursty application finds it again, but it
 * does not grow unless it holds us back; a loss is answered from what was in use (section 4.4.1),
 * less what the burst cost; and after five minutes it shrinks by half (section 4.4.3).
 *
 * "Holds us back" means: sending stopped at cwnd at some moment of this round trip or the last. Not
 * only just now: who paces, or sends in super-frames, is at cwnd only once a round trip.
 *
 * Whoever keeps a model of the path instead of a window (BBR) is left alone. */
#include "tcp/tcb.h"

#define NVP_NS (300 * NS_PER_S)

static int64_t bucket_ns(const struct tcb *c)
{
    int64_t period = 3 * c->rtt.srtt_ns;
    return (period > NS_PER_S ? period : NS_PER_S) / 2;
}

/* The sampling period is two buckets: this one and the one before. */
static void age(struct tcb *c, ackd_time now)
{
    struct validation *v = &c->flow->validation;
    int64_t length = bucket_ns(c), passed = time_diff(now, v->bucket_since);
    if (passed >= length) {
        v->pipe_before = passed < 2 * length ? v->pipe_now : 0;
        v->pipe_now = 0;
        v->bucket_since = now;
    }
}

static uint32_t pipe_ack(const struct tcb *c)
{
    const struct validation *v = &c->flow->validation;
    return v->pipe_now > v->pipe_before ? v->pipe_now : v->pipe_before;
}

bool validation_holds(const struct tcb *c)
{
    return !c->flow || c->flow->validation.off || !c->flow->validation.defined ||
           pipe_ack(c) >= c->flow->cc.cwnd / 2;
}

/* Once for each period that passed without validation. */
static void reduce(struct tcb *c, ackd_time now)
{
    struct validation *v = &c->flow->validation;
    if (validation_holds(c)) {
        v->invalid_since = TIME_NEVER;
        return;
    }
    if (time_is_never(v->invalid_since)) {
        v->invalid_since = now;
    }
    uint32_t least = cc_initial_window(c);
    while (time_diff(now, v->invalid_since) > NVP_NS) {
        uint32_t kept = c->flow->cc.cwnd - c->flow->cc.cwnd / 4;
        c->flow->cc.ssthresh = c->flow->cc.ssthresh > kept ? c->flow->cc.ssthresh : kept;
        c->flow->cc.cwnd = c->flow->cc.cwnd / 2 > least ? c->flow->cc.cwnd / 2
                           : c->flow->cc.cwnd < least   ? c->flow->cc.cwnd
                                                        : least;
        v->invalid_since = c->flow->cc.cwnd > least ? time_add(v->invalid_since, NVP_NS) : now;
    }
}

/* The window is worth having for who doubles its flight from one round trip to the next. */
static bool half_used(struct tcb *c, const struct cc_ack *ack)
{
    struct validation *v = &c->flow->validation;
    uint32_t flight = tcb_outstanding(c) + ack->acked;
    v->round_flight = flight > v->round_flight ? flight : v->round_flight;
    return v->off && c->flow->cc.cwnd < c->flow->cc.ssthresh &&
           v->round_flight > c->flow->cc.cwnd / 2;
}

bool validation_acked(struct tcb *c, const struct cc_ack *ack)
{
    struct validation *v = &c->flow->validation;
    bool limited = c->flags & C_CWND_LIMITED || v->limited_before;
    if (!v->defined) {
        v->bucket_since = ack->now;
    }
    v->round_acked += ack->acked;
    bool used = half_used(c, ack);
    if (!v->running || seq_ge(c->snd.una, v->round_end)) {
        age(c, ack->now);
        if (v->running && !ack->in_recovery) { /* not updated in recovery (section 4.2) */
            v->pipe_now = v->round_acked > v->pipe_now ? v->round_acked : v->pipe_now;
            v->defined = true;
        }
        v->round_flight = v->running ? tcb_outstanding(c) : v->round_flight;
        v->running = true;
        v->round_acked = 0;
        v->round_end = c->snd.nxt;
        v->limited_before = c->flags & C_CWND_LIMITED;
        c->flags &= ~(uint32_t)C_CWND_LIMITED;
    }
    if (!cc_module(c)->model_based && !ack->in_recovery) {
        reduce(c, ack->now);
    }
    return limited || used;
}

void validation_restart(struct tcb *c, ackd_time now)
{
    if (c->flow->validation.defined && !cc_module(c)->model_based) {
        age(c, now);
        reduce(c, now);
    }
}

uint32_t validation_flight(const struct tcb *c, uint32_t acked)
{
    uint32_t flight = tcb_outstanding(c) + acked;
    if (c->flow->validation.off) {
        return c->flow->cc.cwnd;
    }
    if (validation_holds(c)) {
        return flight;
    }
    uint32_t pipe = pipe_ack(c);
    return pipe > flight ? pipe : flight;
}

void validation_loss(struct tcb *c, uint32_t acked)
{
    struct validation *v = &c->flow->validation;
    v->loss_flight = validation_holds(c) ? 0 : validation_flight(c, acked);
    v->loss_retransmitted = (uint32_t)c->flow->retransmitted_bytes;
}

void validation_recovered(struct tcb *c)
{
    struct validation *v = &c->flow->validation;
    if (v->loss_flight) {
        uint32_t again = (uint32_t)c->flow->retransmitted_bytes - v->loss_retransmitted;
        uint32_t left = again < v->loss_flight ? (v->loss_flight - again) / 2 : 0;
        c->flow->cc.cwnd = c->flow->cc.cwnd < left ? c->flow->cc.cwnd : left;
        c->flow->cc.ssthresh = left;
        cc_floors(c); /* "MUST NOT be reduced below 1 MSS" */
    }
    v->loss_flight = 0;
    v->defined = v->running = false;
    v->pipe_now = v->pipe_before = v->round_acked = 0;
    v->invalid_since = TIME_NEVER;
}
