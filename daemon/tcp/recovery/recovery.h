/* Loss recovery: what is lost, when it is sent again, and what of the congestion window may be used
 * meanwhile. One mechanism a file:
 *
 * - recovery.c: the states Open, CWR, Recovery and Loss; what an ACK or a timer does in them
 * - sack.c: SACK blocks and DSACK (RFC 2018, 2883)
 * - rack.c: losses by time (RFC 8985), the default where the peer has SACK
 * - rfc6675.c: losses by count (RFC 6675), by option
 * - newreno.c: losses by duplicate ACKs (RFC 5681, 6582), where the peer has no SACK
 * - tlp.c: tail loss probes (RFC 8985)
 * - prr.c: the window while losses are repaired (RFC 9937)
 * - frto.c: was the timeout spurious? (RFC 5682)
 * - undo.c: was the reduction? (RFC 3522, 4015, DSACK)
 * - renege.c: the peer drops what it had SACKed (RFC 2018 section 8)
 * - report.c: what congestion control is told
 *
 * The connection's part of it is struct recovery, which exists as long as its flow, and struct
 * flight, which goes when all is acknowledged. */
#ifndef ACKD_TCP_RECOVERY_H
#define ACKD_TCP_RECOVERY_H

#include "base/time.h"
#include "tcp/rtxq.h"

struct tcb;
struct tcp_engine;
struct segment;

#define DUP_THRESH 3u

enum recovery_state {
    RECOVERY_OPEN,
    RECOVERY_CWR,  /* ECN told of congestion: the window shrinks, nothing is lost */
    RECOVERY_FAST, /* losses are repaired without a timeout */
};

enum loss_timer { LOSS_TIMER_NONE, LOSS_TIMER_REORDERING, LOSS_TIMER_PROBE };

enum frto { FRTO_OFF, FRTO_HEAD_SENT, FRTO_NEW_DATA_SENT }; /* RFC 5682: none, step 2, step 3 */

enum undo { UNDO_EIFEL, UNDO_DSACK, UNDO_FRTO };

/* What is known of the path by what was lost on it; a part of the flow. */
struct recovery {
    /* RACK (RFC 8985 section 5.3). */
    int64_t rack_rtt_ns;
    int64_t min_rtt_ns, next_min_rtt_ns; /* of this window of time, and of the next */
    ackd_time min_rtt_until;
    tcp_seq dsack_round;
    tcp_seq probe_end; /* TLP.end_seq */
    /* What an undo gives back, and what it waits for. */
    uint32_t prior_cwnd, prior_ssthresh;
    uint32_t undo_bytes;            /* retransmitted since, not reported as duplicate */
    tcp_seq undo_marker;            /* SND.UNA at the reduction */
    uint32_t probes, undos, dsacks; /* for the view */
    /* Originals that arrived behind later ones: how often, and by how many segments at most. */
    uint16_t reorderings, reordering;
    uint8_t reo_wnd_mult, reo_wnd_persist;
    bool rack : 1; /* RACK.segment is known */
    bool reordering_seen : 1;
    bool dsack_round_set : 1;
    bool probe_out : 1, probe_retrans : 1, probe_due : 1;
    bool probe_measured : 1; /* an RTT since the last probe */
    bool undo : 1;           /* prior_* and undo_* are of a reduction that may prove spurious */
    bool undo_sent : 1;      /* and something was retransmitted since */
    bool undo_timeout : 1;   /* it was that of a timeout */
    bool ended : 1;          /* an episode ended with this ACK */
    bool lost_again : 1; /* the last look for losses found a retransmission since the reduction */
    bool rescued : 1;    /* RFC 6675 rule (4) was used in this episode */
    bool reneging : 1;   /* SND.UNA was SACKed: a moment is given to put that right */
};

/* What is known of what is in flight, and how it is repaired; goes with it. */
struct flight {
    ackd_time rack_sent; /* RACK.xmit_ts */
    ackd_time t_loss;    /* the reordering timer or the PTO */
    tcp_seq rack_end, fack;
    /* PRR (RFC 9937 section 6). */
    uint32_t recover_fs, prr_delivered, prr_out;
    uint32_t retrans_ts; /* TSval of the first retransmission */
    ackd_time reduced_at;
    uint32_t dup_bytes; /* without SACK: what duplicate ACKs say has arrived */
    tcp_seq examined;   /* RFC 6675: below it every loss was found */
    uint8_t timer;      /* enum loss_timer */
    uint8_t frto;       /* enum frto */
    bool fack_known : 1;
    bool examined_set : 1;
};

/* What one ACK says. */
struct ack_news {
    const struct segment *s;
    struct rtxq_delta delta;
    tcp_seq una;        /* SND.UNA before it */
    uint32_t delivered; /* bytes newly known to have arrived, by duplicate ACKs too */
    uint32_t lost_ever; /* rtxq.lost_ever before it */
    bool advanced, duplicate;
    bool dsack; /* it reports this duplicate: */
    struct tcp_sack_block dsack_block;
};

/* ---- doors, for the rest of the engine ---- */

/* The flow was made. */
void recovery_init(struct tcb *c, ackd_time now);
/* The connection ended: no timer remains. */
void recovery_stop(struct tcb *c);
/* An ACK, in four parts: its SACK blocks before SND.UNA moves; an RTT that it gave; all the rest.
 */
void recovery_sack(struct tcp_engine *e, struct tcb *c, struct ack_news *n);
void recovery_measured(struct tcb *c, int64_t rtt_ns, ackd_time now);
void recovery_ack(struct tcp_engine *e, struct tcb *c, struct ack_news *n);
/* An ACK while nothing is outstanding: it may report duplicates of what was. */
void recovery_late_ack(struct tcp_engine *e, struct tcb *c, const struct segment *s);
/* The retransmission timer fired; the reordering timer or the PTO did. */
void recovery_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now);
void recovery_loss_timer(struct tcp_engine *e, struct tcb *c, ackd_time now);
/* ECN (RFC 3168 section 6.1.2) asks for less: once a window, metered by PRR. */
void recovery_enter_cwr(struct tcp_engine *e, struct tcb *c, const struct ack_news *n);
/* `bytes` of data from `start` were sent at `now`: new, or again. */
void recovery_sent(struct tcb *c, tcp_seq start, uint32_t bytes, bool again, ackd_time now);
/* A tail loss probe was sent: new data, or the last segment again. */
void tlp_sent(struct tcb *c, bool again);
/* Bytes that are in the network as far as is known. */
uint32_t recovery_pipe(const struct tcb *c);
/* Retransmissions wait, because new data shall tell whether a timeout was spurious. */
bool recovery_frto_waits(const struct tcb *c);
/* RFC 6675 NextSeg() rules (3) and (4): what to send when nothing is LOST and no new data can go.
 * NULL: nothing. `*start` is where. */
struct rtx_run *recovery_next_seg(const struct tcb *c, tcp_seq *start);
int64_t recovery_reo_wnd(const struct tcb *c);

/* ---- between the files of recovery/ ---- */

bool recovery_uses_rack(const struct tcb *c);
bool recovery_repairing(const struct tcb *c); /* in Recovery or Loss */

void rack_ack(struct tcb *c, const struct ack_news *n);
/* Marks what is lost by now and arms the reordering timer for the rest; true when anything is. */
bool rack_detect(struct tcb *c, ackd_time now);
void rack_mark_on_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now);

bool rfc6675_detect(struct tcp_engine *e, struct tcb *c);
void newreno_ack(struct tcb *c, struct ack_news *n);
bool newreno_mark_first(struct tcp_engine *e, struct tcb *c);

void tlp_ack(struct tcp_engine *e, struct tcb *c, const struct ack_news *n);
void tlp_schedule(struct tcb *c, ackd_time now);
/* Without news the probe stays when it was due, unless the window or the state forbids it now. */
void tlp_reconsider(struct tcb *c);
void tlp_reset(struct tcb *c);

void prr_begin(struct tcb *c, const struct ack_news *n, ackd_time now);
/* cwnd after an ACK that delivered `delivered` bytes; `safe`: SND.UNA advanced and no further loss
 * was found. */
void prr_update(struct tcb *c, uint32_t delivered, bool safe);

void frto_begin(struct tcb *c, bool possible);
/* True when the timeout was spurious. */
bool frto_ack(struct tcb *c, const struct ack_news *n);

void undo_begin(struct tcb *c, bool timeout);
void undo_forget(struct tcb *c);
void undo_dsack(struct tcb *c, const struct ack_news *n);
/* True when a reduction was taken back. */
bool undo_try(struct tcp_engine *e, struct tcb *c, const struct ack_news *n);
void undo_reduction(struct tcp_engine *e, struct tcb *c, const struct ack_news *n, enum undo how);

void renege_ack(struct tcb *c, ackd_time now);
bool renege_timeout(struct tcp_engine *e, struct tcb *c);

void report_ack(struct tcb *c, const struct ack_news *n, bool in_recovery);

#endif
