/* BBR's states (draft-ietf-ccwg-bbr section 5.3). Startup doubles the rate each round until the
 * bandwidth no longer grows or too much is lost; Drain empties the queue that this left; then
 * ProbeBW goes round: DOWN lets the queue drain and leaves headroom, CRUISE keeps the rate, REFILL
 * fills the pipe for one round, UP sends a quarter more until the bandwidth is flat or losses say
 * that it was too much. Now and then, when no small round-trip time was seen for five seconds,
 * ProbeRTT drains the path to look at its delay. */
#include "tcp/congestion/bbr.h"

#define PROBE_RTT_DURATION_NS (200 * NS_PER_MS)
#define HEADROOM_PERCENT 15
#define STARTUP_LOSSES 6

bool bbr_in_probe_bw(const struct bbr *b)
{
    return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

/* ---- Startup and Drain ---- */

/* Losses for a round in recovery, over the threshold, in several places. */
static void check_high_loss(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    bool round_over = b->loss_round_start && b->is_loss_in_round;
    bool a_round_in_recovery = ack->in_recovery && b->round_count > b->recovery_round;
    bool places = !c->nego.sack || b->losses_in_round >= STARTUP_LOSSES;
    if (b->full_bw_reached || !round_over || (c->nego.sack && !a_round_in_recovery) || !places ||
        !bbr_too_high(c, ack->rate.lost, ack->rate.tx_in_flight)) {
        return;
    }
    uint32_t bdp = bbr_bdp(c, b, b->bw, 100);
    b->undo_state = BBR_STARTUP;
    b->full_bw_reached = true;
    b->inflight_longterm = bdp > b->inflight_latest ? bdp : b->inflight_latest;
}

void bbr_check_startup(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (b->state != BBR_STARTUP) {
        return;
    }
    check_high_loss(c, b, ack);
    if (b->full_bw_reached) {
        b->state = BBR_DRAIN;
        b->drain_start_round = b->round_count;
    }
}

void bbr_check_drain(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (b->state == BBR_DRAIN &&
        (ack->in_flight <= bbr_quantized(c, b, bbr_bdp(c, b, b->bw, 100)) ||
         b->round_count > b->drain_start_round + 3)) {
        bbr_start_down(c, b, ack->now);
    }
}

/* ---- ProbeBW ---- */

/* Flows that share a bottleneck should not probe in step; the same seed must give the same bytes.
 * So chance comes from the connection's own random number and how far it is. */
static uint32_t dice(const struct tcb *c, const struct bbr *b)
{
    uint64_t x = c->snd.iss.v ^ (c->flow->rate.delivered << 20) ^ b->round_count;
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(x >> 32);
}

void bbr_start_down(struct tcb *c, struct bbr *b, ackd_time now)
{
    uint32_t random = dice(c, b);
    bbr_reset_signals(b);
    b->probe_up_acked_per_inc = UINT32_MAX;
    b->rounds_since_probe_up = random & 1;
    b->probe_wait_ns = 2 * NS_PER_S + (int64_t)(random % 1000) * NS_PER_MS;
    b->cycle_stamp = now;
    b->ack_phase = BBR_STOPPING;
    bbr_start_round(c, b);
    b->state = BBR_DOWN;
}

void bbr_start_refill(struct tcb *c, struct bbr *b)
{
    bbr_reset_short_term(b);
    b->probe_up_rounds = 0;
    b->probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = BBR_REFILLING;
    bbr_start_round(c, b);
    b->state = BBR_REFILL;
}

static void raise_slope(const struct tcb *c, struct bbr *b)
{
    uint32_t growth = c->flow->cc.cwnd >> b->probe_up_rounds, mss = send_mss(c);
    b->probe_up_rounds += b->probe_up_rounds < 30;
    b->probe_up_acked_per_inc = growth > mss ? growth : mss;
}

static void start_up(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    b->ack_phase = BBR_STARTING;
    bbr_start_round(c, b);
    bbr_reset_full_bw(b);
    b->full_bw = ack->rate.bytes_per_s;
    b->state = BBR_UP;
    raise_slope(c, b);
}

uint32_t bbr_headroom(const struct tcb *c, const struct bbr *b)
{
    if (b->inflight_longterm == UINT32_MAX) {
        return UINT32_MAX;
    }
    uint32_t mss = send_mss(c), least = bbr_min_pipe(c);
    uint32_t room = (uint32_t)((uint64_t)b->inflight_longterm * HEADROOM_PERCENT / 100);
    room = room > mss ? room : mss;
    uint32_t left = b->inflight_longterm > room ? b->inflight_longterm - room : 0;
    return left > least ? left : least;
}

static void grow_longterm(const struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (!ack->cwnd_limited || c->flow->cc.cwnd < b->inflight_longterm) {
        return;
    }
    b->probe_up_acked += ack->delivered;
    if (b->probe_up_acked >= b->probe_up_acked_per_inc) {
        uint32_t steps = b->probe_up_acked / b->probe_up_acked_per_inc;
        b->probe_up_acked -= steps * b->probe_up_acked_per_inc;
        b->inflight_longterm += steps * send_mss(c);
    }
    if (b->round_start) {
        raise_slope(c, b);
    }
}

/* Follows what the ACKs mean for the probe, and moves the long-term bounds. True: the state
 * changed. */
static bool adapt_long_term(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (b->ack_phase == BBR_STARTING && b->round_start) {
        b->ack_phase = BBR_FEEDBACK;
    }
    if (b->ack_phase == BBR_STOPPING && b->round_start) {
        b->is_bw_probe_sample = false;
        b->ack_phase = BBR_INIT;
        if (bbr_in_probe_bw(b) && !ack->rate.app_limited) { /* the filter moves on a cycle */
            b->cycle = !b->cycle;
            b->max_bw_filter[b->cycle] = 0;
        }
        if (bbr_in_probe_bw(b) && b->prev_probe_precautionary && !b->prev_probe_too_high) {
            bbr_start_refill(c, b);
            return true;
        }
    }
    if (bbr_too_high(c, ack->rate.lost, ack->rate.tx_in_flight) ||
        b->inflight_longterm == UINT32_MAX) {
        return false;
    }
    if (ack->rate.tx_in_flight > b->inflight_longterm) {
        b->inflight_longterm = ack->rate.tx_in_flight;
    }
    if (b->state == BBR_UP) {
        grow_longterm(c, b, ack);
    }
    return false;
}

static bool time_to_probe(struct tcb *c, struct bbr *b, ackd_time now)
{
    uint32_t target = bbr_bdp(c, b, b->bw, 100);
    target = (target < c->flow->cc.cwnd ? target : c->flow->cc.cwnd) /
             send_mss(c); /* Reno's cycle in rounds */
    if (time_diff(now, b->cycle_stamp) > b->probe_wait_ns ||
        b->rounds_since_probe_up >= (target < 63 ? target : 63)) {
        bbr_start_refill(c, b);
        return true;
    }
    return false;
}

static bool time_to_cruise(const struct tcb *c, const struct bbr *b, const struct cc_ack *ack)
{
    return ack->in_flight <= bbr_headroom(c, b) &&
           ack->in_flight <= bbr_quantized(c, b, bbr_bdp(c, b, b->max_bw, 100));
}

static bool time_to_go_down(const struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (b->prev_probe_too_high && ack->in_flight >= b->inflight_longterm) {
        b->prev_probe_precautionary = true;
        return true;
    }
    if (ack->cwnd_limited && c->flow->cc.cwnd >= b->inflight_longterm) {
        bbr_reset_full_bw(b);
        b->full_bw = ack->rate.bytes_per_s;
        return false;
    }
    return b->full_bw_now;
}

void bbr_update_cycle(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (!b->full_bw_reached || adapt_long_term(c, b, ack)) {
        return;
    }
    switch (b->state) {
    case BBR_DOWN:
        if (!time_to_probe(c, b, ack->now) && time_to_cruise(c, b, ack)) {
            b->state = BBR_CRUISE;
        }
        break;
    case BBR_CRUISE:
        time_to_probe(c, b, ack->now);
        break;
    case BBR_REFILL:
        if (b->round_start) {
            b->is_bw_probe_sample = true;
            start_up(c, b, ack);
        }
        break;
    case BBR_UP:
        if (time_to_go_down(c, b, ack)) {
            b->prev_probe_too_high = false;
            bbr_start_down(c, b, ack->now);
        }
        break;
    default:
        break;
    }
}

/* ---- ProbeRTT ---- */

static void exit_probe_rtt(struct tcb *c, struct bbr *b, ackd_time now)
{
    bbr_reset_short_term(b);
    if (b->full_bw_reached) {
        bbr_start_down(c, b, now);
        b->state = BBR_CRUISE;
    } else {
        b->state = BBR_STARTUP;
    }
}

void bbr_probe_rtt_done(struct tcb *c, struct bbr *b, ackd_time now)
{
    if (!time_is_never(b->probe_rtt_done) && time_before(b->probe_rtt_done, now)) {
        b->probe_rtt_min_stamp = now;
        bbr_restore_cwnd(c, b);
        exit_probe_rtt(c, b, now);
    }
}

static void handle_probe_rtt(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    rate_mark_app_limited(c); /* low samples are no news of the path */
    if (time_is_never(b->probe_rtt_done)) {
        if (ack->in_flight <= bbr_probe_rtt_cwnd(c, b)) {
            b->probe_rtt_done = time_add(ack->now, PROBE_RTT_DURATION_NS);
            b->probe_rtt_round_done = false;
            bbr_start_round(c, b);
        }
        return;
    }
    b->probe_rtt_round_done = b->probe_rtt_round_done || b->round_start;
    if (b->probe_rtt_round_done) {
        bbr_probe_rtt_done(c, b, ack->now);
    }
}

void bbr_check_probe_rtt(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        bbr_save_cwnd(c, b);
        b->state = BBR_PROBE_RTT;
        b->probe_rtt_done = TIME_NEVER;
        b->ack_phase = BBR_STOPPING;
        bbr_start_round(c, b);
    }
    if (b->state == BBR_PROBE_RTT) {
        handle_probe_rtt(c, b, ack);
    }
    b->idle_restart = b->idle_restart && !ack->rate.delivered;
}
