/* The retransmission queue: what was sent and is not acknowledged, as runs of equal history.
 *
 * A run is [start, end) of any length, sent at one time with one segment size, so a 64 KB
 * super-frame is one run and a window of gigabytes is a few hundred. A SACK block or a loss may
 * split a run at any byte; neighbours of equal history merge again. All are in order of sequence;
 * those that may still be in the network also by time of (last) transmission, which is what RACK
 * (RFC 8985) walks; those that are LOST wait on a list of their own, by sequence. So neither a look
 * for losses nor one for what to retransmit pays for what was decided before. SYN and FIN occupy a
 * sequence number in their run. The number of runs is bounded (CVE-2019-11477), and that which a
 * peer's SACK blocks can make of a small flight is, too (11478, 11479): at a bound a split is
 * refused and the SACK information behind it ignored, which is always safe. */
#ifndef ACKD_TCP_RTXQ_H
#define ACKD_TCP_RTXQ_H

#include "base/arena.h"
#include "base/list.h"
#include "base/time.h"
#include "wire/seq.h"
#include "wire/tcp.h"

#define RTXQ_MAX_RUNS 4096
/* What the peer's SACK blocks and our new data may use of them; the rest is for the splits that
 * retransmission needs. */
#define RTXQ_SHARED_RUNS (RTXQ_MAX_RUNS / 4 * 3)
/* SACK blocks of an honest peer cut at segments: so many runs beyond twice the segments in the
 * queue are forgiven (middleboxes cut anew). */
#define RTXQ_SPARE_RUNS 64

enum {
    RTX_SACKED = 1,       /* the peer reported it */
    RTX_LOST = 2,         /* deemed lost, not (yet) retransmitted since */
    RTX_RETRANS = 4,      /* a retransmission of it is outstanding */
    RTX_EVER_RETRANS = 8, /* was retransmitted at least once: no RTT sample (Karn) */
    RTX_SYN = 16,
    RTX_FIN = 32,
    RTX_APP_LIMITED = 64, /* sent while the application limited us (delivery rate samples) */
};

/* The connection as it was when a run was last sent: what a delivery rate sample starts from. */
struct rtx_snapshot {
    uint64_t delivered;      /* bytes delivered so far, */
    ackd_time delivered_at;  /* and when that count last moved */
    ackd_time first_sent_at; /* when the send phase of the sample began */
    uint32_t lost;           /* bytes lost so far, modulo 2^32 */
    uint32_t in_flight;      /* bytes in flight, these included; of merged runs that of the last */
};

/* A run that was marked lost, as it was sent. */
struct rtx_loss {
    struct rtx_snapshot at;
    uint32_t bytes;
    bool app_limited;
};

struct rtx_run {
    struct list by_seq;
    struct list by_time; /* on rtxq.by_time, or, LOST, on rtxq.by_loss, or, SACKED, on none */
    tcp_seq start, end;
    ackd_time sent;       /* last transmission */
    ackd_time first_sent; /* first transmission */
    struct rtx_snapshot at;
    uint16_t mss; /* payload of its segments */
    uint8_t flags;
    uint8_t transmissions; /* how often it was sent, saturating */
};

struct rtxq {
    struct list by_seq;
    struct list by_time;  /* neither SACKED nor LOST, the oldest transmission first */
    struct list by_loss;  /* LOST, the lowest sequence number first */
    struct rtx_run *near; /* where the last look began or ended; NULL */
    uint32_t runs;
    uint32_t bytes;                 /* all */
    uint32_t sacked, lost, retrans; /* bytes of runs with SACKED; with LOST; with RETRANS */
    uint32_t told_lost;             /* how much of lost_ever congestion control was told, */
    struct rtx_loss last_loss;      /* what became LOST last */
    tcp_seq highest_sacked;         /* end of the highest SACKed run; meaningful while sacked > 0 */
    uint32_t lost_ever;             /* bytes that became LOST, in all, modulo 2^32 */
};

void rtxq_init(struct rtxq *q);
void rtxq_clear(struct rtxq *q, struct slab *runs);

/* What has not left the network (RFC 6675 section 4, pipe), in bytes: neither SACKed nor deemed
 * lost. A retransmission clears LOST, so it counts once, in place of what was lost; `retrans` says
 * how much of this is retransmissions. */
static inline uint32_t rtxq_pipe(const struct rtxq *q)
{
    return q->bytes - q->sacked - q->lost;
}

/* New data [start, end), start == end of the queue. Merges with the last run when history is equal
 * (same times, mss, flags, delivered). False when out of memory or at the bound of runs: it cannot
 * be sent before something is acknowledged. */
bool rtxq_sent(struct rtxq *q, struct slab *runs, tcp_seq start, tcp_seq end, uint16_t mss,
               uint8_t flags, ackd_time now, const struct rtx_snapshot *at);

/* The part [start, end) of run `r` was retransmitted at `now`: splits as needed, clears LOST, sets
 * RETRANS and EVER_RETRANS, moves it to the end of by_time. Returns the run that now is exactly
 * (or, at the bound of runs, at least) that part, NULL when out of memory (then nothing changed).
 * The run before it may merge into the one before that; `r` and what follows stay where they are.
 */
struct rtx_run *rtxq_retransmitted(struct rtxq *q, struct slab *runs, struct rtx_run *r,
                                   tcp_seq start, tcp_seq end, uint16_t mss, ackd_time now,
                                   const struct rtx_snapshot *at);

/* What an ACK and its SACK blocks taught. */
struct rtxq_delta {
    uint32_t acked; /* bytes removed by the cumulative ACK, SYN and FIN counted as one each */
    uint32_t newly_sacked; /* bytes that became SACKED */
    /* bytes newly known to have arrived: acked (not SACKed before) + newly_sacked */
    uint32_t delivered;
    uint32_t
        ecn_bytes; /* of `delivered`: the peer says that they were marked CE (ecn.c fills it in) */
    bool has_rtt;  /* the newest transmission among the newly delivered that was sent exactly once
                      (Karn): */
    ackd_time rtt_sent; /*   when it was sent (for RTT samples), */
    tcp_seq rtt_end;    /*   and its end */
    bool any;           /* anything newly delivered; the most recently sent of it: */
    ackd_time newest_sent;
    tcp_seq newest_end;
    uint8_t newest_flags, newest_transmissions;
    struct rtx_snapshot newest_at; /*   its snapshot */
    bool retrans_acked;            /* some of the newly delivered was EVER_RETRANS */
    bool never_retrans_acked;      /* some of the newly delivered was never retransmitted: */
    tcp_seq lowest_original;       /*   the first of it (reordering detection, F-RTO) */
    tcp_seq lowest_newly_sacked;   /* of newly_sacked bytes (reordering detection) */
};
/* Removes everything before `una` (a run may be cut). Adds to *delta. */
void rtxq_ack(struct rtxq *q, struct slab *runs, tcp_seq una, struct rtxq_delta *delta);

/* Marks [start, end) SACKED; parts outside the queue are ignored. Clears LOST and RETRANS of what
 * is marked. Adds to *delta. False when the bound of runs stopped it. `splits` counts splits made.
 */
bool rtxq_sack(struct rtxq *q, struct slab *runs, tcp_seq start, tcp_seq end,
               struct rtxq_delta *delta, uint32_t *splits);

/* The peer reneged: what was SACKED is LOST. */
void rtxq_forget_sacks(struct rtxq *q);

/* Marks a run LOST (clears RETRANS), unless SACKED. */
void rtxq_mark_lost(struct rtxq *q, struct rtx_run *r);
/* Every run that is not SACKED is LOST (after an RTO). */
void rtxq_mark_all_lost(struct rtxq *q);
/* What was marked since `marked` was q->lost_ever never left this machine: no loss to tell of. */
static inline void rtxq_no_loss(struct rtxq *q, uint32_t marked)
{
    q->lost_ever = marked;
}
/* Undo: nothing is LOST any more (a spurious loss was detected). */
void rtxq_unmark_lost(struct rtxq *q);
/* The run that was (last) sent the longest ago of those that may still be in the network; the next
 * of them; NULL. */
struct rtx_run *rtxq_oldest(const struct rtxq *q);
struct rtx_run *rtxq_sent_after(const struct rtxq *q, const struct rtx_run *r);
/* Marks [start, end) LOST where it is here and not SACKED; at the bound of runs, or without memory,
 * more of the runs at its ends. */
void rtxq_mark_range_lost(struct rtxq *q, struct slab *runs, tcp_seq start, tcp_seq end);
/* The first octet was sent once more, as a window probe: no RTT sample from its run (Karn). */
void rtxq_probed(struct rtxq *q);
/* Splits r at `at` (strictly inside); returns the second half, NULL at the bound or out of memory.
 */
struct rtx_run *rtxq_split(struct rtxq *q, struct slab *runs, struct rtx_run *r, tcp_seq at);

struct rtx_run *rtxq_first(const struct rtxq *q);
struct rtx_run *rtxq_last(const struct rtxq *q);
struct rtx_run *rtxq_next(const struct rtxq *q,
                          const struct rtx_run *r); /* by sequence; NULL at the end */
struct rtx_run *rtxq_before(const struct rtxq *q, const struct rtx_run *r);
/* The first run that is LOST, by sequence; NULL. LOST and RETRANS, LOST and SACKED exclude each
 * other. */
struct rtx_run *rtxq_first_lost(const struct rtxq *q);
/* The run that holds sequence number s; NULL. */
struct rtx_run *rtxq_at(struct rtxq *q, tcp_seq s);

/* Everything adds up: order, contiguity, counters, both lists hold the same runs. */
bool rtxq_valid(const struct rtxq *q);

#endif
