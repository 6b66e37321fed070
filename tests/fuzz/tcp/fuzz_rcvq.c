/* The receive queue against an array of bytes: segments of all sizes, in any order, overlapping
 * with other contents, in frames that are kept, shared or let go; a reader of any pace; memory that
 * ends. */
#include <string.h>
#include "../fuzz.h"
#include "../../unit/tcp/memory.h"
#include "bytes.h"
#include "tcp/rcvq.h"

#define SPACE (1u << 18) /* bytes beyond the oldest unread one that the model can hold */
#define WINDOW (SPACE - 70000)
#define HELD 4
#define CHANGES 64
#define BEHIND 64u /* bytes behind a payload that are looked after */

struct model {
    struct rcvq q;
    struct slab pieces;
    struct memory memory;
    struct pkt_pool *pool;
    uint8_t data[SPACE]; /* of sequence number oldest + i */
    bool there[SPACE];
    tcp_seq oldest;          /* unread */
    uint32_t ready;          /* bytes in order from there */
    uint32_t top;            /* nothing is there from here on */
    tcp_seq change[CHANGES]; /* sequence numbers of segments beyond a hole, newest first */
    unsigned n_changes;
    struct pkt *held[HELD];  /* frames that somebody else looks at, too */
    uint32_t held_end[HELD]; /* of their payload: what lies behind must stay */
    unsigned n_held;
    uint32_t count; /* of segments: contents differ between copies of one byte */
};

static tcp_seq model_nxt(const struct model *m)
{
    return seq_add(m->oldest, m->ready);
}

/* ---- what the queue should say ---- */

struct range {
    uint32_t start, end; /* from oldest */
};

/* The range that holds position i. */
static struct range range_at(const struct model *m, uint32_t i)
{
    struct range r = {i, i};
    while (r.start > 0 && m->there[r.start - 1]) {
        r.start--;
    }
    while (r.end < SPACE && m->there[r.end]) {
        r.end++;
    }
    return r;
}

static void compare_sack(struct model *m)
{
    struct tcp_sack_block block[RCVQ_MAX_RANGES + 1];
    unsigned n = rcvq_sack_blocks(&m->q, block, RCVQ_MAX_RANGES + 1);
    FUZZ_CHECK(n == m->q.ooo_ranges);
    for (unsigned i = 0; i < n; i++) {
        uint32_t start = seq_dist(block[i].start, m->oldest);
        FUZZ_CHECK(start > m->ready && start < SPACE && m->there[start]);
        struct range r = range_at(m, start);
        FUZZ_CHECK(r.start == start && r.end == seq_dist(block[i].end, m->oldest));
        for (unsigned j = 0; j < i; j++) {
            FUZZ_CHECK(!seq_eq(block[j].start, block[i].start));
        }
    }
    /* The first blocks are those that changed last, as far as the queue remembers. */
    unsigned at = 0;
    for (unsigned i = 0; i < m->n_changes && at < m->q.n_recent; i++) {
        if (!seq_gt(m->change[i], model_nxt(m))) {
            continue;
        }
        struct range r = range_at(m, seq_dist(m->change[i], m->oldest));
        bool seen = false;
        for (unsigned j = 0; j < at; j++) {
            seen = seen || seq_dist(block[j].start, m->oldest) == r.start;
        }
        if (!seen) {
            FUZZ_CHECK(seq_dist(block[at].start, m->oldest) == r.start);
            at++;
        }
    }
    unsigned one = rcvq_sack_blocks(&m->q, block, 1);
    FUZZ_CHECK(one == (n > 0));
}

static void compare_memory(struct model *m)
{
    struct pkt *seen[4096];
    unsigned n = 0, pieces = 0;
    uint64_t pinned = 0;
    struct list *heads[2] = {&m->q.in_order, &m->q.ooo};
    for (unsigned h = 0; h < 2; h++) {
        for (struct list *link = heads[h]->next; link != heads[h]; link = link->next) {
            struct pkt *pkt = container_of(link, struct rcv_piece, link)->pkt;
            bool known = false;
            for (unsigned i = n; i > 0 && !known; i--) {
                known = seen[i - 1] == pkt;
            }
            if (!known && n < 4096) {
                seen[n++] = pkt;
                pinned += pkt_footprint(pkt);
            }
            pieces++;
        }
    }
    pinned += pieces * sizeof(struct rcv_piece);
    FUZZ_CHECK(n < 4096 && pinned == m->q.charge && pieces == m->pieces.in_use);
    /* A small multiple of the bytes, one compact buffer a range, and what a reader has left of the
     * first frames. */
    uint64_t bytes = (uint64_t)m->q.ready + m->q.ooo_bytes;
    FUZZ_CHECK(pinned <=
               8 * bytes + m->q.ooo_ranges * (2048 + sizeof(struct rcv_piece)) + 2 * 69632 + 32768);
}

static void compare(struct model *m)
{
    FUZZ_CHECK(rcvq_valid(&m->q));
    FUZZ_CHECK(seq_eq(m->q.nxt, model_nxt(m)) && m->q.ready == m->ready);
    uint32_t ooo = 0;
    for (uint32_t i = m->ready; i < m->top; i++) {
        ooo += m->there[i];
    }
    FUZZ_CHECK(ooo == m->q.ooo_bytes);
    for (struct list *link = m->q.ooo.next; link != &m->q.ooo; link = link->next) {
        const struct rcv_piece *p = container_of(link, struct rcv_piece, link);
        uint32_t at = seq_dist(p->seq, m->oldest);
        FUZZ_CHECK(memcmp(p->pkt->data + p->offset, m->data + at, p->length) == 0);
    }
    compare_sack(m);
    compare_memory(m);
}

/* ---- what happens to it ---- */

static struct pkt *frame(struct model *m, uint32_t capacity, uint32_t offset, uint32_t length)
{
    struct pkt *pkt = pkt_get(m->pool, capacity);
    if (pkt != NULL) {
        m->count++;
        for (uint32_t i = 0; i < length; i++) {
            pkt->data[offset + i] = (uint8_t)((i * 31 + m->count * 101) ^ (i >> 8));
        }
        for (uint32_t i = offset + length; i < offset + length + BEHIND && i < pkt->capacity; i++) {
            pkt->data[i] = 0x5a;
        }
    }
    return pkt;
}

/* The bytes behind the payload are what the frame() left there. */
static bool is_untouched(const struct pkt *pkt, uint32_t end)
{
    for (uint32_t i = end; i < end + BEHIND && i < pkt->capacity; i++) {
        if (pkt->data[i] != 0x5a) {
            return false;
        }
    }
    return true;
}

static void let_go(struct model *m, unsigned i)
{
    FUZZ_CHECK(is_untouched(m->held[i], m->held_end[i]));
    pkt_unref(m->held[i]);
}

static void release(struct model *m, struct pkt *pkt, uint32_t end, bool hold)
{
    if (!hold) {
        pkt_unref(pkt);
        return;
    }
    if (m->n_held == HELD) {
        let_go(m, 0);
        memmove(m->held, m->held + 1, (HELD - 1) * sizeof(m->held[0]));
        memmove(m->held_end, m->held_end + 1, (HELD - 1) * sizeof(m->held_end[0]));
        m->n_held--;
    }
    m->held_end[m->n_held] = end;
    m->held[m->n_held++] = pkt;
}

static void note_change(struct model *m, tcp_seq seq)
{
    memmove(m->change + 1, m->change, (CHANGES - 1) * sizeof(m->change[0]));
    m->change[0] = seq;
    m->n_changes += m->n_changes < CHANGES;
}

/* The first contiguous stretch of [start, end) that is there, as a block. */
static struct tcp_sack_block first_duplicate(const struct model *m, int64_t start, int64_t end)
{
    int64_t from = start, to;
    while (from >= 0 && from < end && !m->there[from]) {
        from++;
    }
    for (to = from; to < end && (to < 0 || m->there[to]); to++) {
    }
    return (struct tcp_sack_block){seq_add(m->oldest, (uint32_t)from),
                                   seq_add(m->oldest, (uint32_t)to)};
}

static void insert(struct model *m, int64_t start, uint32_t length, uint32_t capacity,
                   uint32_t offset, bool hold)
{
    struct pkt *pkt = frame(m, capacity, offset, length);
    if (pkt == NULL) {
        FUZZ_CHECK(m->memory.refuse);
        return;
    }
    int64_t end = start + length, nxt = m->ready;
    uint32_t fresh = 0;
    for (int64_t i = start < 0 ? 0 : start; i < end; i++) {
        fresh += !m->there[i];
    }
    struct tcp_sack_block duplicate = first_duplicate(m, start, end);
    uint32_t pieces_before = m->q.ooo_ranges, used = m->q.charge;
    tcp_seq seq = seq_add(m->oldest, (uint32_t)start);
    struct rcvq_result r;
    rcvq_insert(&m->q, &m->pieces, m->pool, seq, pkt, offset, length, &r);
    if (r.drop == TCP_DROP_NO_MEMORY || r.drop == TCP_DROP_REASSEMBLY_LIMIT) {
        FUZZ_CHECK(r.drop == TCP_DROP_NO_MEMORY ? m->memory.refuse
                                                : pieces_before == RCVQ_MAX_RANGES);
        FUZZ_CHECK(r.kept == 0 && m->q.charge == used && pkt->refs == 1);
        release(m, pkt, 0, false);
        return;
    }
    FUZZ_CHECK(r.kept == fresh && r.copied <= r.kept);
    FUZZ_CHECK((r.drop == TCP_DROP_OLD_DUPLICATE) == (fresh == 0 && length > 0));
    FUZZ_CHECK(seq_eq(r.duplicate.start, r.duplicate.end) == (fresh == length));
    if (fresh < length) {
        FUZZ_CHECK(seq_eq(r.duplicate.start, duplicate.start) &&
                   seq_eq(r.duplicate.end, duplicate.end));
    }
    m->top = end > m->top ? (uint32_t)end : m->top;
    for (int64_t i = start < 0 ? 0 : start; i < end; i++) {
        if (!m->there[i]) {
            m->there[i] = true;
            m->data[i] = pkt->data[offset + (i - start)];
        }
    }
    uint32_t old_ready = m->ready;
    while (m->ready < SPACE && m->there[m->ready]) {
        m->ready++;
    }
    FUZZ_CHECK(r.advanced == m->ready - old_ready);
    FUZZ_CHECK(r.filled_hole == (r.advanced > fresh));
    FUZZ_CHECK(r.out_of_order == (fresh > 0 && start > nxt));
    if (start > nxt && length > 0) {
        note_change(m, seq);
        struct tcp_sack_block first;
        FUZZ_CHECK(rcvq_sack_blocks(&m->q, &first, 1) == 1 && seq_le(first.start, seq) &&
                   seq_gt(first.end, seq));
    }
    release(m, pkt, offset + length, hold);
}

static void consume(struct model *m, uint32_t n)
{
    n = n < m->ready ? n : m->ready;
    rcvq_consume(&m->q, &m->pieces, n);
    m->top -= n;
    memmove(m->data, m->data + n, m->top);
    memmove(m->there, m->there + n, m->top);
    memset(m->there + m->top, 0, n);
    m->oldest = seq_add(m->oldest, n);
    m->ready -= n;
}

static void peek(struct model *m, uint32_t skip, uint32_t max, unsigned max_ranges)
{
    struct tcp_range ranges[32];
    unsigned n = 99;
    size_t total = rcvq_peek(&m->q, skip, max, ranges, max_ranges, &n), sum = 0;
    uint32_t there = skip < m->ready ? m->ready - skip : 0;
    FUZZ_CHECK(n <= max_ranges && total <= max && total <= there);
    FUZZ_CHECK(n == max_ranges || total == (max < there ? max : there));
    for (unsigned i = 0; i < n; i++) {
        FUZZ_CHECK(ranges[i].length > 0 &&
                   memcmp(ranges[i].data, m->data + skip + sum, ranges[i].length) == 0);
        sum += ranges[i].length;
    }
    FUZZ_CHECK(sum == total);
}

static void step(struct model *m, struct bytes *in)
{
    uint8_t op = take_u8(in);
    uint32_t a = take_u16(in), b = take_u8(in);
    bool hold = (op & 0xe0) == 0xe0;
    int64_t at = m->ready;
    switch (op & 15) {
    case 0:
    case 1: /* in order, small, as it came from a device */
        insert(m, at, a % 1461, PKT_FRAME_CAPACITY, 54, hold);
        break;
    case 2:
    case 3: /* near the next byte, overlapping */
        insert(m, at - 40 + b, 1 + a % 100, PKT_FRAME_CAPACITY, 66, hold);
        break;
    case 4:
    case 5: /* single bytes and pairs beyond holes */
        insert(m, at + a % 2048, 1 + b % 2, PKT_FRAME_CAPACITY, 54, hold);
        break;
    case 6: /* super-frames */
        insert(m, at + (b < 128 ? 0 : (int64_t)b * 200), a % 65000, PKT_FRAME_CAPACITY, 54, hold);
        break;
    case 7: /* buffers that fit */
        insert(m, at + b * 16, a % 3000, 60 + a % 3000, 60, hold);
        break;
    case 8:
        insert(m, at + a % 20000, b * 7u, PKT_FRAME_CAPACITY, 54, hold);
        break;
    case 9: /* a stretch of holes, from one side or the other */
        for (uint32_t i = 0; i < b; i++) {
            uint32_t k = op & 16 ? b - i : i;
            insert(m, at + 1 + a % 4096 + (int64_t)k * (1 + (a & 1)), 1, PKT_FRAME_CAPACITY, 54,
                   false);
        }
        break;
    case 10:
    case 11:
        consume(m, op & 16 ? a : a % 64);
        break;
    case 12:
        peek(m, a % (m->ready + 10), b * 256u, 1 + b % 32);
        break;
    case 13: /* a stream of tiny segments */
        for (uint32_t i = 0; i < b; i++) {
            insert(m, m->ready, 1 + a % 3, PKT_FRAME_CAPACITY, 54, hold);
        }
        break;
    case 14:
        m->memory.refuse = b % 3 == 0;
        break;
    default:
        while (m->n_held > 0) {
            let_go(m, --m->n_held);
        }
        break;
    }
    if (m->ready > WINDOW - 70000) {
        consume(m, m->ready);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct model *m = calloc(1, sizeof(*m));
    memory_init(&m->memory, 64u << 20);
    m->pool = pkt_pool_new(m->memory.arena, 0);
    slab_init(&m->pieces, m->memory.arena, sizeof(struct rcv_piece));
    uint8_t where = take_u8(&in);
    m->oldest = seq_of(where & 1 ? 0u - where * 64u : where * 0x01000193u);
    rcvq_init(&m->q, m->oldest);
    while (bytes_more(&in)) {
        step(m, &in);
        compare(m);
        peek(m, 0, m->ready, 32);
    }
    rcvq_clear(&m->q, &m->pieces);
    while (m->n_held > 0) {
        FUZZ_CHECK(m->held[m->n_held - 1]->refs == 1);
        let_go(m, --m->n_held);
    }
    FUZZ_CHECK(m->pieces.in_use == 0 && m->q.charge == 0);
    pkt_pool_free(m->pool);
    arena_free(m->memory.arena);
    free(m);
    return 0;
}
