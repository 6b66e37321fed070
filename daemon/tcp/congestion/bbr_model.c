/* BBR's model of the path (draft-ietf-ccwg-bbr section 5.5): the bandwidth max_bw as the largest
 * delivery rate of the last two probing cycles, the propagation delay min_rtt as the smallest
 * round-trip time of ten seconds, the aggregation of ACKs, and two bounds each that losses teach:
 * the long-term inflight that a probe showed to be too much, and short-term bounds on rate and
 * volume that follow what was delivered while losses lasted.
 *
 * The draft leaves the answer to ECN open but for "treat any CE marks as congestion": a round with
 * marks counts as a round with losses, and a probe half of which comes back marked was too high. */
#include "tcp/congestion/bbr.h"

#define LOSS_THRESH_PERCENT 2
#define BETA_PERCENT 70
#define MIN_RTT_FILTER_NS (10 * NS_PER_S)
#define PROBE_RTT_INTERVAL_NS (5 * NS_PER_S)
#define EXTRA_ACKED_ROUNDS 5 /* half of the filter's ten */
#define RATE_MAX (UINT64_C(1) << 40)

uint32_t bbr_min_pipe(const struct tcb *c)
{
    return 4 * send_mss(c);
}

uint32_t bbr_bdp(const struct tcb *c, const struct bbr *b, uint64_t bw, unsigned percent)
{
    if (b->min_rtt_ns == INT64_MAX) {
        return cc_initial_window(c);
    }
    uint64_t rate = bw < RATE_MAX ? bw : RATE_MAX, us = (uint64_t)b->min_rtt_ns / 1000;
    us = us < 1000000 ? us : 1000000; /* a second at most: then no product overflows */
    uint64_t bytes = rate * us / 1000000 * percent / 100;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

uint32_t bbr_quantized(const struct tcb *c, const struct bbr *b, uint64_t inflight)
{
    uint64_t offload = 3 * (uint64_t)pacing_quantum(c, send_mss(c)), pipe = bbr_min_pipe(c);
    inflight = inflight > offload ? inflight : offload;
    inflight = inflight > pipe ? inflight : pipe;
    inflight += b->state == BBR_UP ? 2 * send_mss(c) : 0;
    return inflight < UINT32_MAX ? (uint32_t)inflight : UINT32_MAX;
}

/* ---- rounds and bandwidth ---- */

void bbr_start_round(const struct tcb *c, struct bbr *b)
{
    b->next_round_delivered = c->flow->rate.delivered;
}

static void update_round(const struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    b->round_start = ack->rate.delivered && ack->rate.prior_delivered >= b->next_round_delivered;
    if (b->round_start) {
        bbr_start_round(c, b);
        b->round_count++;
        b->rounds_since_probe_up++;
    }
}

static void update_max_bw(const struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    uint64_t rate = ack->rate.bytes_per_s;
    update_round(c, b, ack);
    if (rate && (rate >= b->max_bw || !ack->rate.app_limited)) {
        uint64_t *now = &b->max_bw_filter[b->cycle];
        *now = rate > *now ? rate : *now;
        uint64_t before = b->max_bw_filter[!b->cycle];
        b->max_bw = *now > before ? *now : before;
    }
}

void bbr_reset_full_bw(struct bbr *b)
{
    b->full_bw = b->full_bw_count = 0;
    b->full_bw_now = false;
}

void bbr_check_full_bw(struct bbr *b, const struct cc_ack *ack)
{
    uint64_t rate = ack->rate.bytes_per_s;
    if (b->full_bw_now || !b->round_start || ack->rate.app_limited || !rate) {
        return;
    }
    if (rate >= b->full_bw + b->full_bw / 4) {
        bbr_reset_full_bw(b);
        b->full_bw = rate;
        return;
    }
    b->full_bw_count++;
    b->full_bw_now = b->full_bw_count >= 3;
    b->full_bw_reached = b->full_bw_reached || b->full_bw_now;
}

/* ---- losses and marks ---- */

void bbr_reset_signals(struct bbr *b)
{
    b->is_loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void bbr_reset_short_term(struct bbr *b)
{
    b->bw_shortterm = UINT64_MAX;
    b->inflight_shortterm = UINT32_MAX;
}

void bbr_save_state(struct tcb *c, struct bbr *b)
{
    bbr_save_cwnd(c, b);
    b->undo_state = BBR_NONE;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

void bbr_note_loss(struct tcb *c, struct bbr *b)
{
    if (!b->is_loss_in_round) {
        b->loss_round_delivered = c->flow->rate.delivered;
        b->losses_in_round = 0;
        bbr_save_state(c, b);
    }
    b->losses_in_round += b->losses_in_round < UINT8_MAX;
    b->is_loss_in_round = true;
}

bool bbr_too_high(const struct tcb *c, uint32_t lost, uint32_t tx_in_flight)
{
    return (uint64_t)lost * 100 > (uint64_t)tx_in_flight * LOSS_THRESH_PERCENT ||
           (lost && !c->nego.sack);
}

static void handle_too_high(struct tcb *c, struct bbr *b, uint32_t tx_in_flight, bool app_limited,
                            ackd_time now)
{
    b->prev_probe_too_high = true;
    b->is_bw_probe_sample = false; /* once for a probe */
    if (!app_limited) {
        uint32_t target = bbr_bdp(c, b, b->bw, 100);
        target = target < c->flow->cc.cwnd ? target : c->flow->cc.cwnd;
        uint32_t least = (uint32_t)((uint64_t)target * BETA_PERCENT / 100);
        b->inflight_longterm = tx_in_flight > least ? tx_in_flight : least;
    }
    if (b->state == BBR_UP) {
        b->undo_state = BBR_UP;
        bbr_start_down(c, b, now);
    }
}

/* At what volume the losses crossed the threshold: perhaps amid the run that was lost. */
static uint32_t inflight_at_loss(uint32_t tx_in_flight, uint32_t lost, uint32_t size)
{
    int64_t prev = (int64_t)tx_in_flight - size, lost_prev = (int64_t)lost - size;
    int64_t prefix = (prev * LOSS_THRESH_PERCENT - lost_prev * 100) / (100 - LOSS_THRESH_PERCENT);
    int64_t at = (prev > 0 ? prev : 0) + (prefix > 0 ? prefix : 0);
    return (uint32_t)at;
}

void bbr_lost(struct tcb *c, const struct rtx_loss *loss, ackd_time now)
{
    struct bbr *b = cc_state(c);
    bbr_note_loss(c, b);
    uint32_t lost = c->act->rtxq.lost_ever - loss->at.lost;
    if (b->is_bw_probe_sample && bbr_too_high(c, lost, loss->at.in_flight)) {
        uint32_t size = loss->bytes < lost ? loss->bytes : lost;
        handle_too_high(c, b, inflight_at_loss(loss->at.in_flight, lost, size), loss->app_limited,
                        now);
    }
}

void bbr_marked(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    if (!ack->ecn_bytes) {
        return;
    }
    bbr_note_loss(c, b);
    if (b->is_bw_probe_sample && ack->ecn_bytes >= ack->delivered / 2) {
        handle_too_high(c, b, ack->rate.tx_in_flight, ack->rate.app_limited, ack->now);
    }
}

void bbr_update_latest(struct bbr *b, const struct cc_ack *ack, uint64_t delivered)
{
    b->loss_round_start = false;
    b->bw_latest = ack->rate.bytes_per_s > b->bw_latest ? ack->rate.bytes_per_s : b->bw_latest;
    if (ack->rate.delivered > b->inflight_latest) {
        b->inflight_latest = (uint32_t)ack->rate.delivered;
    }
    if (ack->rate.delivered && ack->rate.prior_delivered >= b->loss_round_delivered) {
        b->loss_round_delivered = delivered;
        b->loss_round_start = true;
    }
}

void bbr_advance_latest(struct bbr *b, const struct cc_ack *ack)
{
    if (b->loss_round_start) {
        b->bw_latest = ack->rate.bytes_per_s;
        b->inflight_latest = (uint32_t)ack->rate.delivered;
    }
}

/* Once a round with losses, while not probing: towards what is being delivered. */
static void adapt_lower_bounds(const struct tcb *c, struct bbr *b)
{
    bool probing = b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
    if (probing || !b->is_loss_in_round) {
        return;
    }
    b->bw_shortterm = b->bw_shortterm == UINT64_MAX ? b->max_bw : b->bw_shortterm;
    b->inflight_shortterm =
        b->inflight_shortterm == UINT32_MAX ? c->flow->cc.cwnd : b->inflight_shortterm;
    uint64_t bw = b->bw_shortterm / 100 * BETA_PERCENT;
    uint32_t inflight = (uint32_t)((uint64_t)b->inflight_shortterm * BETA_PERCENT / 100);
    b->bw_shortterm = b->bw_latest > bw ? b->bw_latest : bw;
    b->inflight_shortterm = b->inflight_latest > inflight ? b->inflight_latest : inflight;
}

void bbr_update_congestion(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    update_max_bw(c, b, ack);
    if (b->loss_round_start) {
        adapt_lower_bounds(c, b);
    }
}

/* ---- aggregation and delay ---- */

void bbr_update_aggregation(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    uint64_t us = (uint64_t)time_diff(ack->now, b->extra_acked_start) / 1000;
    uint64_t rate = b->bw < RATE_MAX ? b->bw : RATE_MAX;
    uint64_t expected = us < 10000000 ? rate * us / 1000000 : UINT64_MAX;
    if (b->extra_acked_delivered <= expected) {
        b->extra_acked_delivered = expected = 0;
        b->extra_acked_start = ack->now;
    }
    b->extra_acked_delivered += ack->delivered;
    uint64_t extra = b->extra_acked_delivered - expected;
    extra = extra < c->flow->cc.cwnd ? extra : c->flow->cc.cwnd;
    uint32_t half = b->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1;
    if (b->round_count - b->extra_acked_round >= half) {
        b->extra_acked_round = b->round_count;
        b->extra_acked[1] = b->full_bw_reached ? b->extra_acked[0] : 0;
        b->extra_acked[0] = 0;
    }
    b->extra_acked[0] = extra > b->extra_acked[0] ? (uint32_t)extra : b->extra_acked[0];
}

void bbr_update_min_rtt(struct bbr *b, const struct cc_ack *ack)
{
    ackd_time now = ack->now;
    b->probe_rtt_expired = time_diff(now, b->probe_rtt_min_stamp) > PROBE_RTT_INTERVAL_NS;
    if (ack->rtt_ns >= 0 && (ack->rtt_ns < b->probe_rtt_min_ns || b->probe_rtt_expired)) {
        b->probe_rtt_min_ns = ack->rtt_ns;
        b->probe_rtt_min_stamp = now;
    }
    bool expired = time_diff(now, b->min_rtt_stamp) > MIN_RTT_FILTER_NS;
    if (b->probe_rtt_min_ns < b->min_rtt_ns || expired) {
        b->min_rtt_ns = b->probe_rtt_min_ns;
        b->min_rtt_stamp = b->probe_rtt_min_stamp;
    }
}
