/* The receive queue: data in order that the user has not taken, and data beyond holes (RFC 9293
 * SHLD-31). Payload stays where it was received, as (buffer, offset, length), when it fills at
 * least a quarter of its buffer; less is copied compactly, so that small segments cannot pin large
 * buffers. Duplicate bytes are trimmed: the first copy of a byte stays. */
#ifndef ACKD_TCP_RCVQ_H
#define ACKD_TCP_RCVQ_H

#include "base/arena.h"
#include "base/list.h"
#include "base/pkt.h"
#include "tcp/tcp.h"
#include "wire/seq.h"
#include "wire/tcp.h"

/* A peer that sends every other byte may make this many holes, no more. */
#define RCVQ_MAX_RANGES 256
/* Bytes of the budget that only data beyond holes may use. */
#define RCVQ_HOLES 65536u

struct rcv_piece {
    struct list link;
    struct pkt *pkt;
    tcp_seq seq;
    uint32_t offset, length;
    /* Bytes of memory that the piece pins: its record, and the buffer unless an earlier piece of
     * the same buffer has that charge. */
    uint32_t charge;
};

struct rcvq {
    struct list in_order; /* pieces, contiguous, ending at nxt */
    struct list ooo;      /* pieces beyond nxt, by seq, not overlapping */
    tcp_seq nxt;          /* RCV.NXT as far as data go (FIN is the caller's) */
    uint32_t ready;       /* bytes in in_order */
    uint32_t ooo_bytes, ooo_pieces, ooo_ranges;
    uint32_t charge; /* bytes of memory pinned by both lists */
    /* Bytes of memory that may be pinned, set by the caller before an insertion. Beyond it payload
     * is copied compactly instead of staying in its frame, and data beyond a hole are refused; data
     * in order are always taken. */
    uint32_t budget;
    tcp_seq recent[3]; /* starts of the ranges that changed last, most recent first, for SACK (RFC
                          2018 section 4) */
    uint8_t n_recent;
};

void rcvq_init(struct rcvq *q, tcp_seq nxt);
void rcvq_clear(struct rcvq *q, struct slab *pieces);

struct rcvq_result {
    uint32_t advanced; /* bytes by which nxt moved */
    uint32_t kept;     /* new bytes kept, in order or beyond a hole */
    uint32_t copied;   /* of them, copied into a compact buffer */
    bool filled_hole;  /* the segment moved nxt and made data beyond it contiguous */
    bool out_of_order; /* new bytes were kept beyond a hole */
    /* First range that was here already (RFC 2883); start == end: none. */
    struct tcp_sack_block duplicate;
    enum tcp_drop drop; /* NO_MEMORY, REASSEMBLY_LIMIT, RECEIVE_BUFFER_FULL, OLD_DUPLICATE or NONE;
                           but for the last two nothing was kept */
};
/* Takes [seq, seq+length), which the caller has trimmed to the receive window, at `data_offset` of
 * pkt. A reference is taken when payload stays in place. */
void rcvq_insert(struct rcvq *q, struct slab *pieces, struct pkt_pool *pool, tcp_seq seq,
                 struct pkt *pkt, uint32_t data_offset, uint32_t length,
                 struct rcvq_result *result);

/* The sequence number behind the last octet that is here. */
tcp_seq rcvq_end(const struct rcvq *q);

/* Up to `max` SACK blocks of ranges beyond holes, the most recent first, then the others of
 * `recent`, then by sequence. Returns how many. */
unsigned rcvq_sack_blocks(const struct rcvq *q, struct tcp_sack_block *blocks, unsigned max);

/* The first ranges, at most `max_ranges`, of up to `max` bytes in order, `skip` bytes in. Returns
 * how many bytes they hold. */
size_t rcvq_peek(const struct rcvq *q, uint32_t skip, size_t max, struct tcp_range *ranges,
                 unsigned max_ranges, unsigned *n_ranges);

/* Forgets the first `n` bytes in order (n <= ready). */
void rcvq_consume(struct rcvq *q, struct slab *pieces, uint32_t n);

/* Everything checks out: order, sums, contiguity. For tests and invariants. */
bool rcvq_valid(const struct rcvq *q);

#endif
