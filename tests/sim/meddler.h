/* A peer that misbehaves: between two engines that do not, something changes what one of them says.
 * It takes windows back, claims by SACK what it will not have, splits, repeats and saves ACKs, and
 * takes options away; and a path that changes ECN's bits. It never acknowledges what did not
 * arrive, so that every octet still has to be delivered, and nothing may stall. */
#ifndef SIM_MEDDLER_H
#define SIM_MEDDLER_H

#include "link.h"

struct meddler_stats {
    uint64_t windows_taken, reneged, acks_split, acks_repeated, options_taken, ecn_changed;
};

/* What the path does to ECN's bits. */
enum ecn_mangling {
    MANGLE_NOTHING,
    MANGLE_CAPABLE, /* what is Not-ECT arrives as ECT(0) */
    MANGLE_MARKED,  /* what is ECT arrives as CE, all of it */
    MANGLE_FLAGS,   /* AE, CWR and ECE are cleared behind the handshake */
    ECN_MANGLINGS
};

struct meddler {
    struct rng rng;
    struct link *from_peer, *to_peer;
    struct meddler_stats stats;
    /* Manners, of a million segments. */
    uint32_t shrink_ppm, renege_ppm, split_ppm, repeat_ppm;
    bool take_mss, take_sack, take_timestamps, take_wscale; /* from SYNs */
    bool take_blocks, take_accecn;                          /* from whatever comes later */
    enum ecn_mangling mangling;
    /* The window's right edge goes back, until then, to the window >> shrink_shift. */
    ackd_time shrink_until;
    unsigned shrink_shift;
    /* What was taken and claimed: the segment behind `hole`. */
    enum { LIE_NONE, LIE_HOLE, LIE_TOLD } lie;
    struct tcp_sack_block claimed;
    tcp_seq hole_end;
    bool sack[2], ack_known; /* SACK-permitted was seen from the peer, towards it */
    tcp_seq last_ack;
};

/* Random manners; both links lead into it. */
void meddler_init(struct meddler *m, uint64_t seed, struct link *from, struct link *to);

#endif
