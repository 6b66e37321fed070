/* The receive queue: reassembly as RFC 9293 section 3.10.7.4 (SHLD-31) asks, and the SACK blocks of
 * RFC 2018 section 4.
 *
 * Payload is a chain of pieces, each a stretch of one packet buffer. How a buffer is paid for:
 *   - payload that fills a quarter of its frame's buffer stays there, and the buffer is pinned (no
 * copy);
 *   - smaller payload is copied, first into the room behind the piece before it, when that piece is
 * contiguous and its buffer ours alone, and what is left into a new compact buffer, which doubles
 * in size as a stream of small segments goes on;
 *   - two contiguous pieces become one when the second is small and the first has room for it.
 * So whatever a peer does, the memory pinned is at most a small multiple of the bytes, plus one
 * compact buffer for each range beyond a hole; and beyond the caller's budget, it is hardly more
 * than the bytes. `charge` is that memory exactly: each buffer counted once, with the first in
 * sequence of the pieces that share it, and each piece's own record. */
#include "tcp/rcvq.h"

#include <assert.h>
#include <string.h>

#define COMPACT_MIN (2048u - (uint32_t)sizeof(struct pkt))
#define COMPACT_MAX (16384u - (uint32_t)sizeof(struct pkt))
#define RECORD ((uint32_t)(sizeof(struct pkt) + sizeof(struct rcv_piece)))
#define SMALL_PIECE 1024u /* at most this is moved to join the piece before it */

static struct rcv_piece *piece_of(struct list *link)
{
    return container_of(link, struct rcv_piece, link);
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static tcp_seq piece_end(const struct rcv_piece *p)
{
    return seq_add(p->seq, p->length);
}

/* Does `length` bytes fill so little of the buffer that keeping them there would waste it? */
static bool is_wasteful(uint32_t length, const struct pkt *pkt)
{
    return (uint64_t)length * 4 < pkt_footprint(pkt);
}

/* Bytes that may be written behind a piece: none when somebody else looks at its buffer, too. */
static uint32_t room_behind(const struct rcv_piece *p)
{
    return p->pkt->refs == 1 ? p->pkt->capacity - (p->offset + p->length) : 0;
}

static void append_bytes(struct rcv_piece *p, const uint8_t *data, uint32_t n)
{
    memcpy(p->pkt->data + p->offset + p->length, data, n);
    p->length += n;
}

void rcvq_init(struct rcvq *q, tcp_seq nxt)
{
    memset(q, 0, sizeof(*q));
    list_init(&q->in_order);
    list_init(&q->ooo);
    q->nxt = nxt;
    q->budget = UINT32_MAX;
}

/* The next piece behind `p` that lies in the same buffer. One segment filled it, so it is no
 * further than that is long. */
static struct rcv_piece *next_sharer(struct rcvq *q, struct rcv_piece *p)
{
    struct list *link = p->link.next;
    for (;;) {
        if (link == &q->in_order) {
            link = q->ooo.next;
        }
        if (link == &q->ooo || seq_dist(piece_of(link)->seq, p->seq) > p->pkt->capacity) {
            return NULL;
        }
        if (piece_of(link)->pkt == p->pkt) {
            return piece_of(link);
        }
        link = link->next;
    }
}

/* Lets go of a piece. Its buffer's charge goes with it, or to the next piece that pins the same
 * buffer. */
static void piece_drop(struct rcvq *q, struct slab *pieces, struct rcv_piece *p)
{
    uint32_t record = (uint32_t)sizeof(*p);
    if (p->pkt->refs > 1 && p->charge > record) {
        struct rcv_piece *heir = next_sharer(q, p);
        if (heir != NULL && heir->charge == record) {
            uint32_t moved = p->charge - record;
            heir->charge += moved;
            p->charge -= moved;
        }
    }
    q->charge -= p->charge;
    list_remove(&p->link);
    pkt_unref(p->pkt);
    slab_free(pieces, p);
}

void rcvq_clear(struct rcvq *q, struct slab *pieces)
{
    while (!list_empty(&q->in_order)) {
        piece_drop(q, pieces, piece_of(q->in_order.next));
    }
    while (!list_empty(&q->ooo)) {
        piece_drop(q, pieces, piece_of(q->ooo.next));
    }
    rcvq_init(q, q->nxt);
}

/* ---- making pieces ---- */

/* One segment on its way into the queue. Nothing of the queue changes until all memory has been
 * found. */
struct insertion {
    struct rcvq *q;
    struct slab *pieces;
    struct pkt_pool *pool;
    tcp_seq seq, end;
    struct pkt *pkt;
    uint32_t data_offset; /* of `seq` in pkt */
    struct list fresh; /* new pieces by seq, not yet in the queue; those that fill a gap's start are
                          written at the end */
    struct rcvq_result *result;
};

static const uint8_t *segment_data(const struct insertion *in, tcp_seq at)
{
    return in->pkt->data + in->data_offset + seq_dist(at, in->seq);
}

static struct rcv_piece *fresh_piece(struct insertion *in, tcp_seq seq, struct pkt *pkt,
                                     uint32_t offset, uint32_t length, uint32_t charge)
{
    struct rcv_piece *p = slab_alloc(in->pieces);
    if (p == NULL) {
        return NULL;
    }
    p->seq = seq;
    p->pkt = pkt;
    p->offset = offset;
    p->length = length;
    p->charge = charge + (uint32_t)sizeof(*p);
    list_append(&in->fresh, &p->link);
    return p;
}

static bool piece_in_place(struct insertion *in, tcp_seq from, tcp_seq to)
{
    bool counted = false;
    list_for_each(link, &in->fresh)
    {
        counted = counted || piece_of(link)->pkt == in->pkt;
    }
    uint32_t offset = in->data_offset + seq_dist(from, in->seq);
    if (fresh_piece(in, from, in->pkt, offset, seq_dist(to, from),
                    counted ? 0 : pkt_footprint(in->pkt)) == NULL) {
        return false;
    }
    pkt_ref(in->pkt);
    return true;
}

static bool piece_copied(struct insertion *in, const struct rcv_piece *before, tcp_seq from,
                         tcp_seq to)
{
    uint32_t length = seq_dist(to, from), capacity = COMPACT_MIN;
    if (before != NULL) {
        capacity =
            min_u32(2 * pkt_footprint(before->pkt) - (uint32_t)sizeof(struct pkt), COMPACT_MAX);
    }
    while (capacity < length) {
        capacity = 2 * (capacity + (uint32_t)sizeof(struct pkt)) - (uint32_t)sizeof(struct pkt);
    }
    struct pkt *pkt = pkt_get(in->pool, capacity);
    if (pkt == NULL) {
        return false;
    }
    if (fresh_piece(in, from, pkt, 0, length, pkt_footprint(pkt)) == NULL) {
        pkt_unref(pkt);
        return false;
    }
    memcpy(pkt->data, segment_data(in, from), length);
    return true;
}

/* May the segment's whole frame stay? What is kept for holes is not for that. */
static bool may_pin(const struct insertion *in)
{
    uint64_t after = (uint64_t)in->q->charge + pkt_footprint(in->pkt) + RCVQ_HOLES;
    return after <= in->q->budget;
}

/* Finds memory for the part [from, to) of the segment, which the queue lacks. `before` is the
 * contiguous piece in front of it, if any. */
static bool fill_gap(struct insertion *in, struct rcv_piece *before, tcp_seq from, tcp_seq to)
{
    uint32_t length = seq_dist(to, from);
    if (!is_wasteful(length, in->pkt) && may_pin(in)) {
        return piece_in_place(in, from, to);
    }
    uint32_t behind = before == NULL ? 0 : min_u32(room_behind(before), length);
    tcp_seq at = seq_add(from, behind);
    while (seq_lt(at, to)) {
        tcp_seq end = seq_min(to, seq_add(at, COMPACT_MAX));
        if (!piece_copied(in, before, at, end)) {
            return false;
        }
        at = end;
    }
    return true;
}

static void forget_fresh(struct insertion *in)
{
    while (!list_empty(&in->fresh)) {
        struct rcv_piece *p = piece_of(in->fresh.next);
        list_remove(&p->link);
        pkt_unref(p->pkt);
        slab_free(in->pieces, p);
    }
}

/* ---- finding the place ---- */

/* The first piece beyond a hole that ends at or after `seq` (touches or overlaps what begins
 * there), else the list's head. */
static struct list *first_touching(struct rcvq *q, tcp_seq seq)
{
    if (list_empty(&q->ooo)) {
        return &q->ooo;
    }
    tcp_seq low = piece_of(q->ooo.next)->seq, high = piece_end(piece_of(q->ooo.prev));
    struct list *link;
    if (seq_diff(seq, low) < seq_diff(high, seq)) {
        for (link = q->ooo.next; link != &q->ooo && seq_lt(piece_end(piece_of(link)), seq);
             link = link->next) {
        }
        return link;
    }
    for (link = q->ooo.prev; link != &q->ooo && seq_ge(piece_end(piece_of(link)), seq);
         link = link->prev) {
    }
    return link->next;
}

/* Ranges that [in->seq, in->end) touches, from the piece `first` on. They become one with it. */
static uint32_t ranges_touched(const struct insertion *in, struct list *first)
{
    uint32_t n = 0;
    for (struct list *link = first; link != &in->q->ooo && seq_le(piece_of(link)->seq, in->end);
         link = link->next) {
        if (link == first || !seq_eq(piece_end(piece_of(link->prev)), piece_of(link)->seq)) {
            n++;
        }
    }
    return n;
}

static void note_duplicate(struct rcvq_result *r, tcp_seq start, tcp_seq end)
{
    if (seq_eq(r->duplicate.start, r->duplicate.end)) {
        r->duplicate = (struct tcp_sack_block){start, end};
    } else if (seq_eq(r->duplicate.end, start)) {
        r->duplicate.end = end;
    }
}

/* The piece of the queue that ends at `seq`, right in front of the piece `link`. */
static struct rcv_piece *piece_before(struct rcvq *q, struct list *link, tcp_seq seq)
{
    if (link->prev != &q->ooo) {
        struct rcv_piece *p = piece_of(link->prev);
        return seq_eq(piece_end(p), seq) ? p : NULL;
    }
    return seq_eq(seq, q->nxt) && !list_empty(&q->in_order) ? piece_of(q->in_order.prev) : NULL;
}

/* Walks over the segment and what the queue has of it; finds memory for each gap. */
static bool plan(struct insertion *in, struct list *link)
{
    struct rcvq *q = in->q;
    tcp_seq at = in->seq;
    while (seq_lt(at, in->end)) {
        bool more = link != &q->ooo && seq_lt(piece_of(link)->seq, in->end);
        if (more && seq_le(piece_of(link)->seq, at)) {
            tcp_seq end = seq_min(piece_end(piece_of(link)), in->end);
            if (seq_lt(at, end)) {
                note_duplicate(in->result, at, end);
                at = end;
            }
            link = link->next;
            continue;
        }
        tcp_seq to = more ? piece_of(link)->seq : in->end;
        if (!fill_gap(in, piece_before(q, link, at), at, to)) {
            return false;
        }
        in->result->kept += seq_dist(to, at);
        at = to;
    }
    return true;
}

/* ---- putting it in ---- */

/* Joins `p` with the piece behind it in the same list when that is cheap and frees its buffer. */
static bool absorb_next(struct rcvq *q, struct slab *pieces, struct list *head, struct rcv_piece *p)
{
    if (p->link.next == head) {
        return false;
    }
    struct rcv_piece *next = piece_of(p->link.next);
    if (!seq_eq(piece_end(p), next->seq) || next->length > SMALL_PIECE ||
        !is_wasteful(next->length, next->pkt) || room_behind(p) < next->length) {
        return false;
    }
    append_bytes(p, next->pkt->data + next->offset, next->length);
    if (head == &q->ooo) {
        q->ooo_pieces--;
    }
    piece_drop(q, pieces, next);
    return true;
}

static struct rcv_piece *next_fresh(const struct insertion *in)
{
    return list_empty(&in->fresh) ? NULL : piece_of(in->fresh.next);
}

/* Everything that was planned happens: bytes behind existing pieces, then the fresh pieces between
 * them. */
static void commit(struct insertion *in, struct list *link)
{
    struct rcvq *q = in->q;
    tcp_seq at = in->seq;
    while (seq_lt(at, in->end)) {
        bool more = link != &q->ooo && seq_lt(piece_of(link)->seq, in->end);
        if (more && seq_le(piece_of(link)->seq, at)) {
            at = seq_max(at, seq_min(piece_end(piece_of(link)), in->end));
            link = link->next;
            continue;
        }
        tcp_seq to = more ? piece_of(link)->seq : in->end;
        struct rcv_piece *fresh = next_fresh(in);
        tcp_seq behind_end = fresh != NULL ? seq_min(fresh->seq, to) : to;
        q->ooo_bytes += seq_dist(to, at);
        if (seq_lt(at, behind_end)) {
            struct rcv_piece *before = piece_before(q, link, at);
            append_bytes(before, segment_data(in, at), seq_dist(behind_end, at));
            in->result->copied += seq_dist(behind_end, at);
            if (seq_eq(at, q->nxt)) {
                q->nxt = behind_end;
                q->ready += seq_dist(behind_end, at);
                q->ooo_bytes -= seq_dist(behind_end, at);
            }
        }
        for (; fresh != NULL && seq_lt(fresh->seq, to); fresh = next_fresh(in)) {
            list_remove(&fresh->link);
            list_insert_before(link, &fresh->link);
            q->ooo_pieces++;
            q->charge += fresh->charge;
            in->result->copied += fresh->pkt != in->pkt ? fresh->length : 0;
        }
        at = to;
    }
}

/* Pieces at nxt move from beyond the hole into order. */
static void advance(struct rcvq *q, struct slab *pieces)
{
    while (!list_empty(&q->ooo) && seq_eq(piece_of(q->ooo.next)->seq, q->nxt)) {
        struct rcv_piece *p = piece_of(q->ooo.next);
        struct list *last = q->in_order.prev;
        list_remove(&p->link);
        list_append(&q->in_order, &p->link);
        q->ooo_pieces--;
        q->ooo_bytes -= p->length;
        q->ready += p->length;
        q->nxt = piece_end(p);
        if (last != &q->in_order) {
            absorb_next(q, pieces, &q->in_order, piece_of(last));
        }
    }
}

/* Joins small pieces around what was inserted. */
static void tidy(struct insertion *in)
{
    struct list *link = first_touching(in->q, in->seq);
    while (link != &in->q->ooo && seq_le(piece_of(link)->seq, in->end)) {
        if (!absorb_next(in->q, in->pieces, &in->q->ooo, piece_of(link))) {
            link = link->next;
        }
    }
}

/* The range [start, end) changed: it is the most recent; the ranges that it swallowed and those now
 * in order are none any more. */
static void note_recent(struct rcvq *q, bool changed, tcp_seq start, tcp_seq end)
{
    tcp_seq kept[4];
    uint8_t n = 0;
    if (changed) {
        kept[n++] = start;
    }
    for (uint8_t i = 0; i < q->n_recent; i++) {
        bool swallowed = changed && seq_ge(q->recent[i], start) && seq_lt(q->recent[i], end);
        if (!swallowed && seq_gt(q->recent[i], q->nxt)) {
            kept[n++] = q->recent[i];
        }
    }
    q->n_recent = n < 3 ? n : 3;
    memcpy(q->recent, kept, q->n_recent * sizeof(kept[0]));
}

static tcp_seq range_end(const struct rcvq *q, const struct list *link)
{
    tcp_seq end = piece_end(container_of(link, const struct rcv_piece, link));
    for (link = link->next;
         link != &q->ooo && seq_eq(container_of(link, const struct rcv_piece, link)->seq, end);
         link = link->next) {
        end = piece_end(container_of(link, const struct rcv_piece, link));
    }
    return end;
}

/* The range that holds the segment's bytes, which lie beyond a hole. */
static void changed_range(struct rcvq *q, tcp_seq seq, tcp_seq *start, tcp_seq *end)
{
    struct list *link = first_touching(q, seq);
    while (link->prev != &q->ooo && seq_eq(piece_end(piece_of(link->prev)), piece_of(link)->seq)) {
        link = link->prev;
    }
    *start = piece_of(link)->seq;
    *end = range_end(q, link);
}

/* Drops what lies before nxt from the front of the segment. False when nothing is left. */
static bool trim_front(struct insertion *in)
{
    if (!seq_lt(in->seq, in->q->nxt)) {
        return seq_lt(in->seq, in->end);
    }
    note_duplicate(in->result, in->seq, seq_min(in->end, in->q->nxt));
    if (seq_le(in->end, in->q->nxt)) {
        return false;
    }
    in->data_offset += seq_dist(in->q->nxt, in->seq);
    in->seq = in->q->nxt;
    return true;
}

void rcvq_insert(struct rcvq *q, struct slab *pieces, struct pkt_pool *pool, tcp_seq seq,
                 struct pkt *pkt, uint32_t data_offset, uint32_t length, struct rcvq_result *result)
{
    memset(result, 0, sizeof(*result));
    struct insertion in = {.q = q,
                           .pieces = pieces,
                           .pool = pool,
                           .seq = seq,
                           .end = seq_add(seq, length),
                           .pkt = pkt,
                           .data_offset = data_offset,
                           .result = result};
    list_init(&in.fresh);
    if (!trim_front(&in)) {
        result->drop = length > 0 ? TCP_DROP_OLD_DUPLICATE : TCP_DROP_NONE;
        return;
    }
    struct list *first = first_touching(q, in.seq);
    uint32_t touched = ranges_touched(&in, first);
    tcp_seq old_nxt = q->nxt;
    bool at_nxt = seq_eq(in.seq, q->nxt);
    if (!at_nxt && touched == 0 && q->ooo_ranges >= RCVQ_MAX_RANGES) {
        result->drop = TCP_DROP_REASSEMBLY_LIMIT;
        return;
    }
    uint64_t after = (uint64_t)q->charge + seq_dist(in.end, in.seq) + COMPACT_MIN + RECORD;
    if (!at_nxt && after > q->budget) {
        result->drop = TCP_DROP_RECEIVE_BUFFER_FULL;
        return;
    }
    if (!plan(&in, first)) {
        forget_fresh(&in);
        memset(result, 0, sizeof(*result));
        result->drop = TCP_DROP_NO_MEMORY;
        return;
    }
    if (result->kept == 0) {
        result->drop = TCP_DROP_OLD_DUPLICATE;
        if (!at_nxt) { /* RFC 2018 section 4: the first block is the one that the segment belongs
                          to, new or not */
            tcp_seq start, end;
            changed_range(q, in.seq, &start, &end);
            note_recent(q, true, start, end);
        }
        return;
    }
    commit(&in, first);
    q->ooo_ranges -= touched;
    tcp_seq start = in.seq, end = in.end;
    if (at_nxt) {
        advance(q, pieces);
        result->filled_hole = touched > 0;
    } else {
        q->ooo_ranges++;
        result->out_of_order = true;
        tidy(&in);
        changed_range(q, in.seq, &start, &end);
    }
    result->advanced = seq_dist(q->nxt, old_nxt);
    note_recent(q, !at_nxt, start, end);
}

tcp_seq rcvq_end(const struct rcvq *q)
{
    return list_empty(&q->ooo) ? q->nxt
                               : piece_end(container_of(q->ooo.prev, const struct rcv_piece, link));
}

/* ---- looking ---- */

static bool has_block(const struct tcp_sack_block *blocks, unsigned n, tcp_seq start)
{
    for (unsigned i = 0; i < n; i++) {
        if (seq_eq(blocks[i].start, start)) {
            return true;
        }
    }
    return false;
}

unsigned rcvq_sack_blocks(const struct rcvq *q, struct tcp_sack_block *blocks, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < q->n_recent && n < max; i++) {
        const struct list *link = q->ooo.next;
        while (link != &q->ooo &&
               !seq_eq(container_of(link, const struct rcv_piece, link)->seq, q->recent[i])) {
            link = link->next;
        }
        assert(link != &q->ooo);
        blocks[n++] = (struct tcp_sack_block){q->recent[i], range_end(q, link)};
    }
    const struct list *link = q->ooo.next;
    while (link != &q->ooo && n < max) {
        tcp_seq start = container_of(link, const struct rcv_piece, link)->seq,
                end = range_end(q, link);
        if (!has_block(blocks, n, start)) {
            blocks[n++] = (struct tcp_sack_block){start, end};
        }
        while (link != &q->ooo &&
               seq_lt(container_of(link, const struct rcv_piece, link)->seq, end)) {
            link = link->next;
        }
    }
    return n;
}

size_t rcvq_peek(const struct rcvq *q, uint32_t skip, size_t max, struct tcp_range *ranges,
                 unsigned max_ranges, unsigned *n_ranges)
{
    unsigned n = 0;
    size_t total = 0;
    for (const struct list *link = q->in_order.next;
         link != &q->in_order && total < max && n < max_ranges; link = link->next) {
        const struct rcv_piece *p = container_of(link, const struct rcv_piece, link);
        if (skip >= p->length) {
            skip -= p->length;
            continue;
        }
        uint32_t take = p->length - skip;
        if (take > max - total) {
            take = (uint32_t)(max - total);
        }
        ranges[n++] = (struct tcp_range){p->pkt->data + p->offset + skip, take};
        total += take;
        skip = 0;
    }
    *n_ranges = n;
    return total;
}

void rcvq_consume(struct rcvq *q, struct slab *pieces, uint32_t n)
{
    assert(n <= q->ready);
    q->ready -= n;
    while (n > 0) {
        struct rcv_piece *p = piece_of(q->in_order.next);
        if (p->length > n) {
            p->seq = seq_add(p->seq, n);
            p->offset += n;
            p->length -= n;
            return;
        }
        n -= p->length;
        piece_drop(q, pieces, p);
    }
}

/* ---- invariants ---- */

/* Sums of one list, whose pieces must come in order without overlap. */
struct sums {
    uint32_t bytes, pieces, ranges, charge;
    bool good;
};

static struct sums sum_list(const struct list *head)
{
    struct sums s = {.good = true};
    const struct rcv_piece *before = NULL;
    for (const struct list *link = head->next; link != head; link = link->next) {
        const struct rcv_piece *p = container_of(link, const struct rcv_piece, link);
        s.good = s.good && p->length > 0 && p->offset + p->length <= p->pkt->capacity &&
                 p->pkt->refs >= 1 && (before == NULL || seq_le(piece_end(before), p->seq));
        s.ranges += before == NULL || !seq_eq(piece_end(before), p->seq);
        s.bytes += p->length;
        s.charge += p->charge;
        s.pieces++;
        before = p;
    }
    return s;
}

bool rcvq_valid(const struct rcvq *q)
{
    struct sums order = sum_list(&q->in_order), ooo = sum_list(&q->ooo);
    bool good = order.good && ooo.good && order.ranges <= 1 && order.bytes == q->ready &&
                ooo.bytes == q->ooo_bytes && ooo.pieces == q->ooo_pieces &&
                ooo.ranges == q->ooo_ranges && ooo.ranges <= RCVQ_MAX_RANGES &&
                order.charge + ooo.charge == q->charge;
    if (order.pieces > 0) {
        good =
            good &&
            seq_eq(piece_end(container_of(q->in_order.prev, const struct rcv_piece, link)), q->nxt);
    }
    if (ooo.pieces > 0) {
        good = good && seq_gt(container_of(q->ooo.next, const struct rcv_piece, link)->seq, q->nxt);
    }
    for (unsigned i = 0; i < q->n_recent; i++) {
        bool starts_range = false;
        for (const struct list *link = q->ooo.next; link != &q->ooo; link = link->next) {
            const struct rcv_piece *p = container_of(link, const struct rcv_piece, link);
            starts_range =
                starts_range ||
                (seq_eq(p->seq, q->recent[i]) &&
                 (link->prev == &q->ooo ||
                  !seq_eq(piece_end(container_of(link->prev, const struct rcv_piece, link)),
                          p->seq)));
        }
        good = good && starts_range;
    }
    return good;
}
