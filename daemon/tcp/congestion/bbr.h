/* BBR, version 3 (draft-ietf-ccwg-bbr, a draft): what its three files share. Names are the draft's;
 * its windows are bytes here, its rates bytes a second, "Infinity" is UINT32_MAX or UINT64_MAX. */
#ifndef ACKD_TCP_BBR_H
#define ACKD_TCP_BBR_H

#include "tcp/tcb.h"

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_DOWN,
    BBR_CRUISE,
    BBR_REFILL,
    BBR_UP,
    BBR_PROBE_RTT,
    BBR_NONE /* of undo_state: there is nothing to go back to */
};
enum bbr_ack_phase { BBR_INIT, BBR_REFILLING, BBR_STARTING, BBR_FEEDBACK, BBR_STOPPING };

struct bbr {
    uint8_t state, undo_state, ack_phase;
    uint8_t full_bw_count, probe_up_rounds, cycle; /* cycle: which half of max_bw_filter is now */
    uint8_t losses_in_round;                       /* ACKs that told of some; saturates */
    bool round_start, loss_round_start, idle_restart, full_bw_reached, full_bw_now;
    bool is_bw_probe_sample, is_loss_in_round, prev_probe_too_high, prev_probe_precautionary;
    bool probe_rtt_expired, probe_rtt_round_done, rtt_known, in_rto;

    uint64_t max_bw_filter[2], max_bw, bw_shortterm, bw, bw_latest, full_bw, undo_bw_shortterm;
    uint32_t inflight_latest, inflight_longterm, inflight_shortterm;
    uint32_t undo_inflight_longterm, undo_inflight_shortterm;
    uint32_t max_inflight, prior_cwnd, probe_up_acked_per_inc, probe_up_acked;

    uint64_t next_round_delivered, loss_round_delivered;
    uint32_t round_count, rounds_since_probe_up, drain_start_round, recovery_round;

    int64_t min_rtt_ns, probe_rtt_min_ns, probe_wait_ns; /* the first two: INT64_MAX infinity */
    ackd_time min_rtt_stamp, probe_rtt_min_stamp, probe_rtt_done, cycle_stamp;

    ackd_time extra_acked_start;
    uint64_t extra_acked_delivered;
    uint32_t extra_acked[2],
        extra_acked_round; /* the most in this half of the window and the last */
};

/* bbr_model.c: the path. */
void bbr_update_latest(struct bbr *b, const struct cc_ack *ack, uint64_t delivered);
void bbr_update_congestion(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_advance_latest(struct bbr *b, const struct cc_ack *ack);
void bbr_update_aggregation(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_update_min_rtt(struct bbr *b, const struct cc_ack *ack);
void bbr_lost(struct tcb *c, const struct rtx_loss *loss, ackd_time now);
void bbr_marked(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_note_loss(struct tcb *c, struct bbr *b);
void bbr_save_state(struct tcb *c, struct bbr *b);
void bbr_reset_short_term(struct bbr *b);
void bbr_reset_signals(struct bbr *b);
void bbr_reset_full_bw(struct bbr *b);
void bbr_check_full_bw(struct bbr *b, const struct cc_ack *ack);
void bbr_start_round(const struct tcb *c, struct bbr *b);
bool bbr_too_high(const struct tcb *c, uint32_t lost, uint32_t tx_in_flight);
uint32_t bbr_bdp(const struct tcb *c, const struct bbr *b, uint64_t bw, unsigned percent);
/* At least so much that offload and pipelining work (QuantizationBudget). */
uint32_t bbr_quantized(const struct tcb *c, const struct bbr *b, uint64_t inflight);
uint32_t bbr_min_pipe(const struct tcb *c);

/* bbr_cycle.c: the states. */
void bbr_check_startup(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_check_drain(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_update_cycle(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_check_probe_rtt(struct tcb *c, struct bbr *b, const struct cc_ack *ack);
void bbr_probe_rtt_done(struct tcb *c, struct bbr *b, ackd_time now);
void bbr_start_down(struct tcb *c, struct bbr *b, ackd_time now);
void bbr_start_refill(struct tcb *c, struct bbr *b);
bool bbr_probing_rtt_or_bw(const struct bbr *b);
bool bbr_in_probe_bw(const struct bbr *b);
uint32_t bbr_headroom(const struct tcb *c, const struct bbr *b);

/* bbr.c */
void bbr_save_cwnd(const struct tcb *c, struct bbr *b);
void bbr_restore_cwnd(struct tcb *c, struct bbr *b);
uint32_t bbr_probe_rtt_cwnd(const struct tcb *c, const struct bbr *b);

#endif
