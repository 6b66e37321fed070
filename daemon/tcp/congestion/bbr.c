/* BBR, version 3 (draft-ietf-ccwg-bbr; a draft, and labelled so): congestion control by a model of
 * the path instead of by losses. It measures the bandwidth and the propagation delay, sends at the
 * rate of the one and keeps in flight about the product of both, so that the bottleneck is busy and
 * its queue short; it probes for more from time to time, and answers losses by how many there are,
 * not that there are some.
 *
 * This file turns the model (bbr_model.c) and the state (bbr_cycle.c) into the two controls: the
 * pacing rate, a gain times the bandwidth less 1 %, and cwnd, a gain times the bandwidth-delay
 * product plus what ACKs were seen to aggregate, bounded by what losses taught. */
#include "tcp/congestion/bbr.h"

#define MARGIN_PERCENT 99
#define STARTUP_PACING_PERCENT 277 /* 4 ln 2 */
#define PROBE_RTT_CWND_PERCENT 50

static const struct {
    const char *name;
    uint16_t pacing_percent, cwnd_percent;
} control[] = {
    [BBR_STARTUP] = {"STARTUP", STARTUP_PACING_PERCENT, 200},
    [BBR_DRAIN] = {"DRAIN", 50, 200},
    [BBR_DOWN] = {"PROBE-BW-DOWN", 90, 200},
    [BBR_CRUISE] = {"PROBE-BW-CRUISE", 100, 200},
    [BBR_REFILL] = {"PROBE-BW-REFILL", 100, 200},
    [BBR_UP] = {"PROBE-BW-UP", 125, 225},
    [BBR_PROBE_RTT] = {"PROBE-RTT", 100, PROBE_RTT_CWND_PERCENT},
};

/* ---- cwnd and rate ---- */

void bbr_save_cwnd(const struct tcb *c, struct bbr *b)
{
    bool modulated = recovery_repairing(c) || b->state == BBR_PROBE_RTT;
    b->prior_cwnd =
        modulated && b->prior_cwnd > c->flow->cc.cwnd ? b->prior_cwnd : c->flow->cc.cwnd;
}

void bbr_restore_cwnd(struct tcb *c, struct bbr *b)
{
    c->flow->cc.cwnd = c->flow->cc.cwnd > b->prior_cwnd ? c->flow->cc.cwnd : b->prior_cwnd;
}

uint32_t bbr_probe_rtt_cwnd(const struct tcb *c, const struct bbr *b)
{
    uint32_t half = bbr_bdp(c, b, b->bw, PROBE_RTT_CWND_PERCENT), least = bbr_min_pipe(c);
    return half > least ? half : least;
}

static void init_pacing_rate(struct tcb *c)
{
    uint64_t rtt = c->rtt.srtt_ns > 0 ? (uint64_t)c->rtt.srtt_ns : (uint64_t)NS_PER_MS;
    c->flow->pacing_rate =
        (uint64_t)cc_initial_window(c) * NS_PER_S / rtt * STARTUP_PACING_PERCENT / 100;
}

static void set_pacing_rate(struct tcb *c, const struct bbr *b, unsigned percent)
{
    uint64_t rate = b->bw / 100 * percent / 100 * MARGIN_PERCENT;
    if (rate && (b->full_bw_reached || rate > c->flow->pacing_rate)) {
        c->flow->pacing_rate = rate;
    }
}

static void bound_cwnd(struct tcb *c, const struct bbr *b)
{
    uint32_t cap = UINT32_MAX, least = bbr_min_pipe(c);
    if (b->state == BBR_PROBE_RTT || b->state == BBR_CRUISE) {
        cap = bbr_headroom(c, b);
    } else if (bbr_in_probe_bw(b)) {
        cap = b->inflight_longterm;
    }
    cap = cap < b->inflight_shortterm ? cap : b->inflight_shortterm;
    cap = cap > least ? cap : least;
    c->flow->cc.cwnd = c->flow->cc.cwnd < cap ? c->flow->cc.cwnd : cap;
}

static void set_cwnd(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    uint32_t least = bbr_min_pipe(c), iw = cc_initial_window(c);
    uint32_t extra = b->extra_acked[0] > b->extra_acked[1] ? b->extra_acked[0] : b->extra_acked[1];
    uint64_t inflight = bbr_bdp(c, b, b->bw, control[b->state].cwnd_percent);
    b->max_inflight = bbr_quantized(c, b, inflight + extra);
    uint64_t grown = (uint64_t)c->flow->cc.cwnd + ack->delivered;
    if (b->full_bw_reached) {
        c->flow->cc.cwnd = grown < b->max_inflight ? (uint32_t)grown : b->max_inflight;
    } else if (c->flow->cc.cwnd < b->max_inflight || c->flow->rate.delivered < iw) {
        c->flow->cc.cwnd = grown < UINT32_MAX ? (uint32_t)grown : UINT32_MAX;
    }
    c->flow->cc.cwnd = c->flow->cc.cwnd > least ? c->flow->cc.cwnd : least;
    if (b->state == BBR_PROBE_RTT) {
        uint32_t most = bbr_probe_rtt_cwnd(c, b);
        c->flow->cc.cwnd = c->flow->cc.cwnd < most ? c->flow->cc.cwnd : most;
    }
    bound_cwnd(c, b);
}

/* ---- the module ---- */

static void bbr_init(struct tcb *c, ackd_time now)
{
    struct bbr *b = cc_state(c);
    b->rtt_known = c->rtt.srtt_ns > 0;
    b->min_rtt_ns = b->probe_rtt_min_ns = b->rtt_known ? c->rtt.srtt_ns : INT64_MAX;
    b->min_rtt_stamp = b->probe_rtt_min_stamp = b->cycle_stamp = b->extra_acked_start = now;
    b->probe_rtt_done = TIME_NEVER;
    b->undo_state = BBR_NONE;
    b->inflight_longterm = b->undo_inflight_longterm = b->undo_inflight_shortterm = UINT32_MAX;
    b->undo_bw_shortterm = UINT64_MAX;
    b->probe_up_acked_per_inc = UINT32_MAX;
    b->next_round_delivered = b->loss_round_delivered = c->flow->rate.delivered;
    bbr_reset_short_term(b);
    init_pacing_rate(c);
}

static void update_model_and_state(struct tcb *c, struct bbr *b, const struct cc_ack *ack)
{
    bbr_update_latest(b, ack, c->flow->rate.delivered);
    bbr_marked(c, b, ack);
    bbr_update_congestion(c, b, ack);
    bbr_update_aggregation(c, b, ack);
    bbr_check_full_bw(b, ack);
    bbr_check_startup(c, b, ack);
    if (b->loss_round_start) {
        b->is_loss_in_round = false;
    }
    bbr_check_drain(c, b, ack);
    bbr_update_cycle(c, b, ack);
    bbr_update_min_rtt(b, ack);
    bbr_check_probe_rtt(c, b, ack);
    bbr_advance_latest(b, ack);
    b->bw = b->max_bw < b->bw_shortterm ? b->max_bw : b->bw_shortterm;
}

static void bbr_acked(struct tcb *c, const struct cc_ack *ack)
{
    struct bbr *b = cc_state(c);
    if (!b->rtt_known && c->rtt.srtt_ns > 0) {
        b->rtt_known = true;
        init_pacing_rate(c);
    }
    if (b->in_rto && !(c->flags & C_RTO_RECOVERY)) {
        b->in_rto = false;
        bbr_restore_cwnd(c, b);
    }
    update_model_and_state(c, b, ack);
    set_pacing_rate(c, b, control[b->state].pacing_percent);
    set_cwnd(c, b, ack);
}

/* What others read as a threshold; nothing here follows it. */
static uint32_t bbr_ssthresh(struct tcb *c, uint32_t flight, bool ecn)
{
    (void)flight;
    (void)ecn;
    return c->flow->cc.ssthresh;
}

static void spurious(struct tcb *c, struct bbr *b)
{
    bbr_restore_cwnd(c, b);
    b->in_rto = b->is_loss_in_round = false;
    bbr_reset_full_bw(b);
    if (b->bw_shortterm < b->undo_bw_shortterm) {
        b->bw_shortterm = b->undo_bw_shortterm;
    }
    if (b->inflight_shortterm < b->undo_inflight_shortterm) {
        b->inflight_shortterm = b->undo_inflight_shortterm;
    }
    if (b->inflight_longterm < b->undo_inflight_longterm) {
        b->inflight_longterm = b->undo_inflight_longterm;
    }
    if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
        b->full_bw_reached = false;
        b->state = b->state == BBR_PROBE_RTT ? BBR_PROBE_RTT : BBR_STARTUP;
    } else if (b->undo_state == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
        bbr_start_refill(c, b);
    }
    b->undo_state = BBR_NONE;
}

static void restart_idle(struct tcb *c, struct bbr *b, ackd_time now)
{
    if (!rate_app_limited(c)) {
        return;
    }
    b->idle_restart = true;
    b->extra_acked_start = now;
    if (bbr_in_probe_bw(b)) {
        set_pacing_rate(c, b, 100);
    } else if (b->state == BBR_PROBE_RTT) {
        bbr_probe_rtt_done(c, b, now);
    }
}

static void bbr_event(struct tcb *c, enum cc_event event, ackd_time now)
{
    struct bbr *b = cc_state(c);
    switch (event) {
    case CC_ENTER_RECOVERY:
        b->recovery_round = b->round_count;
        break;
    case CC_LEAVE_RECOVERY:
        bbr_restore_cwnd(c, b);
        bound_cwnd(c, b);
        break;
    case CC_TIMEOUT:
        bbr_save_state(c, b);
        b->in_rto = true;
        c->flow->cc.cwnd = rtxq_pipe(&c->act->rtxq) + send_mss(c);
        break;
    case CC_UNDO:
        spurious(c, b);
        break;
    case CC_RESTART_IDLE:
        restart_idle(c, b, now);
        break;
    default:
        break;
    }
}

#define FIELD(n, u, v)                                                                             \
    f[i++] = (struct tcp_congestion_field)                                                         \
    {                                                                                              \
        .name = n, .unit = u, .value = (int64_t)(v)                                                \
    }

static unsigned bbr_fields(const struct tcb *c, struct tcp_congestion_field *f)
{
    const struct bbr *b = cc_state(c);
    unsigned i = 0;
    f[i++] = (struct tcp_congestion_field){.name = "state", .word = control[b->state].name};
    FIELD("max_bw", "bytes/s", b->max_bw);
    FIELD("bw", "bytes/s", b->bw);
    if (b->bw_shortterm != UINT64_MAX) {
        FIELD("bw_lo", "bytes/s", b->bw_shortterm);
    }
    if (b->min_rtt_ns != INT64_MAX) {
        FIELD("min_rtt", "ns", b->min_rtt_ns);
    }
    FIELD("bdp", "bytes", bbr_bdp(c, b, b->bw, 100));
    FIELD("max_inflight", "bytes", b->max_inflight);
    if (b->inflight_longterm != UINT32_MAX) {
        FIELD("inflight_hi", "bytes", b->inflight_longterm);
    }
    if (b->inflight_shortterm != UINT32_MAX) {
        FIELD("inflight_lo", "bytes", b->inflight_shortterm);
    }
    FIELD("extra_acked", "bytes", b->extra_acked[0]);
    FIELD("rounds", "", b->round_count);
    FIELD("full_bw_reached", "", b->full_bw_reached);
    FIELD("pacing_gain", "/100", control[b->state].pacing_percent);
    FIELD("cwnd_gain", "/100", control[b->state].cwnd_percent);
    return i;
}
#undef FIELD

const struct cc_ops cc_bbr = {
    .name = "bbr",
    .state_size = sizeof(struct bbr),
    .model_based = true,
    .paces = true,
    .init = bbr_init,
    .acked = bbr_acked,
    .ssthresh = bbr_ssthresh,
    .event = bbr_event,
    .lost = bbr_lost,
    .fields = bbr_fields,
};
