/* One direction of a wire in virtual time: delay, jitter, loss by chance and in bursts, reordering,
 * duplication, corruption, a rate (a token bucket) with a queue in front of it, marks by chance and
 * by the queue, ACKs lost, held up and thinned out, a hop with a smaller MTU, and an adapter at
 * each end that splits super-frames and, if wanted, merges neighbours again. Everything random
 * comes from its seed. */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rng.h"
#include "base/time.h"
#include "tcp/tcp.h"

struct link_profile {
    uint32_t mtu; /* bytes of IP packet that fit; a longer one is an error of the sender */
    int64_t delay_ns, jitter_ns; /* delay, and up to jitter more */
    bool keeps_order;            /* jitter lets nothing overtake */
    int64_t poll_ns; /* the receiver looks at multiples of this: what came in between is a batch; 0:
                        at once */
    uint32_t loss_ppm, duplicate_ppm, corrupt_ppm, reorder_ppm,
        mark_ppm;       /* of a million segments */
    int64_t reorder_ns; /* a reordered segment, or a duplicate, is late by up to this */
    /* Bursts of loss (Gilbert, Elliott): a segment begins one, the segments in it get lost with
     * burst_loss_ppm, and each may be its last. It is over after burst_ns, too: who backs off sends
     * few segments to end it. */
    uint32_t burst_begin_ppm, burst_end_ppm, burst_loss_ppm;
    int64_t burst_ns;
    uint64_t rate_bps;     /* 0: unlimited */
    uint32_t queue_bytes;  /* that may wait for the rate */
    uint32_t bucket_bytes; /* of tokens: leave at once after a pause; 0: the rate is strict */
    uint32_t mark_bytes;   /* marked when more than this waits; 0: never */
    /* Segments of nothing but an ACK. */
    uint32_t ack_loss_ppm;
    int64_t ack_hold_ns; /* leave at multiples of this; 0: at once */
    bool ack_thin;       /* one that is held gives way to a newer one that acknowledges more */
    /* A hop on the way carries no packet longer than this, from and until then; 0: any. */
    uint32_t hop_mtu;
    ackd_time hop_from, hop_until;
    ackd_time cut_from, cut_until; /* nothing passes */
    bool hop_tells;                /* ICMP "too big" goes back; else a black hole */
    bool merge; /* GRO: in-order neighbours of a batch come as one frame with gso_size */
    bool vouch; /* the receiving device checks checksums, and drops what is wrong */
};

/* A TCP segment on the wire. */
struct wire_segment {
    struct ip_addr src, dst;
    uint8_t ttl, tos;
    bool checksum_ok;
    bool damaged;
    uint16_t gso_size;
    uint32_t icmp_mtu; /* not 0: an ICMP error that says so, about this segment of its receiver */
    uint32_t length;   /* of TCP header and payload */
    ackd_time sent, due;
    uint64_t order;
    uint32_t room; /* in bytes */
    uint8_t bytes[];
};

enum link_fate {
    LINK_SENT,
    LINK_LOST,
    LINK_FILTERED,
    LINK_QUEUE_FULL,
    LINK_TOO_BIG,
    LINK_DUPLICATED,
    LINK_CORRUPTED,
    LINK_LATE,
    LINK_ARRIVED
};

struct link_stats {
    uint64_t segments, frames, lost, filtered, queue_full, duplicated, corrupted, late, marked,
        merged, oversize, taken;
    uint64_t bursts, burst_lost, acks_lost, acks_held, acks_thinned, queue_marked, bucket_passed,
        too_big, icmp_sent, cut;
};

struct link {
    struct link_profile profile;
    struct rng rng;
    struct link_stats stats;
    struct wire_segment **heap; /* by (due, order) */
    unsigned n, room;
    uint64_t order;
    ackd_time busy_until, last_due;
    bool in_burst;
    ackd_time burst_until;
    struct wire_segment *held; /* the newest ACK that waits, until held_until */
    ackd_time held_until;
    struct link *back; /* where ICMP errors go; NULL: nowhere */
    /* Hooks, NULL when not wanted: what became of a segment, and whether it may pass at all. */
    void (*trace)(void *ctx, const struct link *link, ackd_time now, enum link_fate fate,
                  const struct wire_segment *s);
    bool (*filter)(void *ctx, const struct link *link, ackd_time now, const struct wire_segment *s);
    /* A frame as the engine handed it over, before the adapter splits it. */
    void (*frame)(void *ctx, const struct link *link, const struct tcp_tx *tx);
    void *ctx;
    /* May change the segment, which has room for all options, inject others before it, and decides
     * whether it goes. */
    bool (*meddle)(void *meddler, struct link *link, ackd_time now, struct wire_segment *s);
    void *meddler;
};

void link_init(struct link *link, const struct link_profile *profile, uint64_t seed);
void link_free(struct link *link);

/* Takes what tcp_flush() yielded: one frame, as the device would. */
void link_send(struct link *link, ackd_time now, const struct tcp_tx *tx);

/* Takes over a segment, as a router that forwards it. */
void link_carry(struct link *link, ackd_time now, struct wire_segment *s);

/* Puts a copy of a segment on its way, with a fresh checksum unless `damaged`: for tests that forge
 * one. */
void link_inject(struct link *link, ackd_time now, const struct wire_segment *s);

/* When the next segment arrives; TIME_NEVER when the wire is empty. */
ackd_time link_next(const struct link *link);

/* The next frame that has arrived by `now`, NULL when there is none. The caller frees it. */
struct wire_segment *link_receive(struct link *link, ackd_time now);

#endif
