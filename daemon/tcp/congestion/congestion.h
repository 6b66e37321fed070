/* Congestion control modules. A module decides how cwnd and ssthresh move and how fast to pace; it
 * knows nothing of segments, timers or retransmission. What is lost, and what of cwnd may be used
 * while that is repaired (PRR), is recovery/'s business: it tells the module what happened.
 *
 * A module's functions get the connection; they read tcb.rtt and write only flow.cc.cwnd,
 * flow.cc.ssthresh, flow.pacing_rate and their own state, `cc_state(c)`, which is zeroed before
 * init() is called. All windows are bytes, all rates bytes a second, all times nanoseconds. */
#ifndef ACKD_TCP_CONGESTION_H
#define ACKD_TCP_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/time.h"
#include "tcp/rtxq.h"
#include "tcp/tcp.h"

struct tcb;
struct tcp_congestion_field;

/* What an ACK that acknowledged or SACKed something taught (draft-ietf-ccwg-bbr, RS). */
struct cc_ack {
    ackd_time now;
    uint32_t acked;     /* bytes by which SND.UNA advanced */
    uint32_t delivered; /* bytes newly known to have arrived, SACKed ones included */
    uint32_t ecn_bytes; /* of `acked`, bytes that the peer says were marked CE */
    int64_t rtt_ns;     /* of the newest of them; -1 none (Karn) */
    uint32_t in_flight; /* pipe after the ACK */
    bool in_recovery;   /* cwnd is recovery's for now, unless the module is model-based */
    /* The next are filled in by cc_acked(). */
    uint32_t lost;     /* bytes newly marked lost since the last of these */
    bool cwnd_limited; /* cwnd was what held sending back in this round trip or the one before */
    struct {           /* delivery rate sample; interval_ns 0: none */
        uint64_t delivered,
            prior_delivered; /* over the interval; flow.rate.delivered at its start */
        int64_t interval_ns;
        uint64_t bytes_per_s;
        uint32_t tx_in_flight, lost; /* in flight when the newest was sent; lost since then */
        bool app_limited;
    } rate;
};

enum cc_event {
    CC_ENTER_RECOVERY, /* loss was detected: ssthresh was asked for and is set, PRR has cwnd */
    CC_ENTER_CWR,      /* ECN echoed: likewise, no loss (RFC 3168) */
    CC_LEAVE_RECOVERY, /* everything up to `recover` was acknowledged; cwnd is ssthresh */
    CC_TIMEOUT,        /* RTO: ssthresh is set, cwnd is one segment (model-based: its own) */
    CC_UNDO,           /* the last reduction was spurious: cwnd and ssthresh are as before it */
    CC_RESTART_IDLE,   /* sending begins again after a time without anything in flight */
};

struct cc_ops {
    const char *name;
    uint16_t state_size; /* bytes of cc_state() */
    bool model_based;    /* keeps cwnd itself, in recovery and after a timeout, too (BBR) */
    bool paces;          /* sets flow.pacing_rate and cannot do without */
    void (*init)(struct tcb *c, ackd_time now);
    /* Every ACK that delivered something. Not model-based modules leave cwnd alone in recovery. */
    void (*acked)(struct tcb *c, const struct cc_ack *ack);
    /* The threshold for a reduction now, by loss or by ECN (RFC 5681 equation (4), RFC 8511), given
     * the flight that the path is known to carry. */
    uint32_t (*ssthresh)(struct tcb *c, uint32_t flight, bool ecn);
    void (*event)(struct tcb *c, enum cc_event event, ackd_time now); /* may be NULL */
    /* What was marked lost since the last call, before acked(); may be NULL. */
    void (*lost)(struct tcb *c, const struct rtx_loss *loss, ackd_time now);
    /* What `show` prints: fills in at most TCP_CONGESTION_FIELDS, returns how many. */
    unsigned (*fields)(const struct tcb *c, struct tcp_congestion_field *fields);
};

extern const struct cc_ops cc_newreno, cc_cubic, cc_dctcp, cc_bbr;

/* The module of a connection that has a flow. */
const struct cc_ops *cc_module(const struct tcb *c);
size_t cc_state_size(enum tcp_congestion congestion);
/* Its state. */
void *cc_state(const struct tcb *c);

/* RFC 6928; and what cwnd is before anything was acknowledged. */
uint32_t cc_initial_window(const struct tcb *c);
uint32_t cc_first_window(const struct tcb *c);

/* hystart.c: HyStart++ (RFC 9406), a part of the modules that slow-start. */
struct hystart {
    uint32_t last_min_ns, now_min_ns, css_baseline_ns; /* 0: no sample, infinity; at most 4.3 s */
    tcp_seq round_end;
    uint8_t samples;    /* in this round, up to the N that are enough */
    uint8_t css_rounds; /* rounds begun in conservative slow start; 0: not in it */
    bool running;       /* round_end is meaningful */
};
/* To be called in slow start, for each ACK. Returns by what cwnd's growth is to be divided; 0: slow
 * start is over. */
unsigned hystart_acked(struct hystart *h, const struct tcb *c, const struct cc_ack *ack);
unsigned hystart_fields(const struct hystart *h, struct tcp_congestion_field *fields);

/* newreno.c, for modules that slow-start as it does: RFC 5681 section 3.1 with RFC 3465 and RFC
 * 9406. Returns what of ack->acked is left over at ssthresh. */
uint32_t cc_slow_start(struct tcb *c, const struct cc_ack *ack, struct hystart *h);

#endif
