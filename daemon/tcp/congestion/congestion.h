/* Congestion control modules. A module decides how cwnd and ssthresh move and how fast to pace; it
 * knows nothing of segments, timers or retransmission. What is lost, and what of cwnd may be used
 * while that is repaired (PRR), is recovery/'s business: it tells the module what happened.
 *
 * A module's functions get the connection; they read tcb.rtt and write only tcb.cc.cwnd,
 * tcb.cc.ssthresh, flow.pacing_rate and their own state, `cc_state(c)`, which is zeroed before
 * init() is called. All windows are bytes, all rates bytes a second, all times nanoseconds. */
#ifndef ACKD_TCP_CONGESTION_H
#define ACKD_TCP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>
#include "base/time.h"

struct tcb;

/* What an ACK that acknowledged or SACKed something taught (draft-ietf-ccwg-bbr, RS). */
struct cc_ack {
    ackd_time now;
    uint32_t acked;     /* bytes by which SND.UNA advanced */
    uint32_t delivered; /* bytes newly known to have arrived, SACKed ones included */
    uint32_t lost;      /* bytes newly marked lost by this ACK */
    uint32_t ecn_bytes; /* of `delivered`, bytes that the peer says were marked CE */
    int64_t rtt_ns;     /* of the newest of them; -1 none (Karn) */
    uint32_t in_flight; /* pipe after the ACK */
    bool in_recovery;   /* cwnd is recovery's for now, unless the module is model-based */
    bool cwnd_limited;  /* cwnd was what held sending back since the last ACK */
    struct {            /* delivery rate sample; interval_ns 0: none */
        uint64_t delivered,
            prior_delivered; /* over the interval; flow.rate.delivered at its start */
        int64_t interval_ns;
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
    CC_RESTART_IDLE,   /* sending begins again after more than an RTO without data */
};

struct cc_ops {
    const char *name;
    uint16_t state_size; /* bytes of cc_state() */
    bool model_based;    /* keeps cwnd itself in recovery, too (BBR) */
    void (*init)(struct tcb *c, ackd_time now);
    /* Every ACK that delivered something. Not model-based modules leave cwnd alone in recovery. */
    void (*acked)(struct tcb *c, const struct cc_ack *ack);
    /* The threshold for a reduction now, by loss or by ECN (RFC 5681 equation (4), RFC 8511). */
    uint32_t (*ssthresh)(struct tcb *c, bool ecn);
    void (*event)(struct tcb *c, enum cc_event event, ackd_time now); /* may be NULL */
};

extern const struct cc_ops cc_newreno;

void *cc_state(struct tcb *c);

/* newreno.c, for modules that grow as it does. */
uint32_t cc_initial_window(const struct tcb *c);
/* Slow start, RFC 5681 section 3.1 with RFC 3465: returns what of `acked` is left over at ssthresh.
 */
uint32_t cc_slow_start(struct tcb *c, uint32_t acked);

#endif
