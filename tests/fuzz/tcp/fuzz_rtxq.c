/* The retransmission queue against a naive scoreboard that keeps the whole history of every single
 * sequence number. */
#include <string.h>
#include "../fuzz.h"
#include "../../unit/tcp/memory.h"
#include "bytes.h"
#include "tcp/rtxq.h"

#define SPACE 8192u /* sequence numbers in flight at most */

struct cell {
    ackd_time sent, first_sent, delivered_at;
    uint64_t delivered;
    uint16_t mss;
    uint8_t flags; /* without SYN and FIN, which are the queue's ends */
    uint8_t transmissions;
};

struct model {
    struct rtxq q;
    struct slab runs;
    struct memory memory;
    struct cell cell[SPACE]; /* of sequence number una + i */
    tcp_seq una;
    uint32_t length;
    bool syn_sent, syn_there, fin_sent;
    ackd_time now;
    uint64_t delivered;
};

static tcp_seq seq_at(const struct model *m, uint32_t i)
{
    return seq_add(m->una, i);
}

static bool cell_matches(const struct cell *c, const struct rtx_run *r)
{
    return time_equal(c->sent, r->sent) && time_equal(c->first_sent, r->first_sent) &&
           c->delivered == r->at.delivered && time_equal(c->delivered_at, r->at.delivered_at) &&
           c->mss == r->mss && c->flags == (r->flags & ~(RTX_SYN | RTX_FIN)) &&
           c->transmissions == r->transmissions;
}

static void compare(const struct model *m)
{
    FUZZ_CHECK(rtxq_valid(&m->q));
    FUZZ_CHECK(m->q.bytes == m->length);
    uint32_t i = 0, sacked = 0, lost = 0, retrans = 0, runs = 0;
    for (const struct rtx_run *r = rtxq_first(&m->q); r != NULL; r = rtxq_next(&m->q, r)) {
        FUZZ_CHECK(seq_eq(r->start, seq_at(m, i)));
        FUZZ_CHECK(((r->flags & RTX_SYN) != 0) == (m->syn_there && i == 0));
        for (; i < m->length && seq_lt(seq_at(m, i), r->end); i++) {
            FUZZ_CHECK(cell_matches(&m->cell[i], r));
            sacked += (r->flags & RTX_SACKED) != 0;
            lost += (r->flags & RTX_LOST) != 0;
            retrans += (r->flags & RTX_RETRANS) != 0;
        }
        FUZZ_CHECK(seq_eq(r->end, seq_at(m, i)));
        FUZZ_CHECK(((r->flags & RTX_FIN) != 0) == (m->fin_sent && i == m->length));
        runs++;
    }
    FUZZ_CHECK(i == m->length && sacked == m->q.sacked && lost == m->q.lost &&
               retrans == m->q.retrans && runs == m->q.runs && m->runs.in_use == runs);
    FUZZ_CHECK(rtxq_pipe(&m->q) == m->length - sacked - lost);
    const struct rtx_run *lowest = rtxq_first_lost(&m->q);
    FUZZ_CHECK((lowest == NULL) == (lost == 0));
    for (i = 0; lowest != NULL && seq_lt(seq_at(m, i), lowest->start); i++) {
        FUZZ_CHECK((m->cell[i].flags & RTX_LOST) == 0);
    }
}

static void send(struct model *m, struct bytes *in, uint32_t unit)
{
    uint32_t length = unit * (1 + take_u8(in));
    uint8_t how = take_u8(in);
    if (m->fin_sent || m->length + length > SPACE) {
        return;
    }
    struct cell c = {.sent = m->now,
                     .first_sent = m->now,
                     .delivered_at = m->now,
                     .delivered = m->delivered,
                     .mss = how & 4 ? 1460 : 536,
                     .flags = how & 8 ? RTX_APP_LIMITED : 0,
                     .transmissions = 1};
    uint8_t flags = c.flags;
    if (!m->syn_sent) {
        flags |= RTX_SYN;
    }
    if ((how & 0xf0) == 0xf0) {
        flags |= RTX_FIN;
    }
    tcp_seq start = seq_at(m, m->length);
    const struct rtx_snapshot at = {.delivered = c.delivered, .delivered_at = c.delivered_at};
    if (!rtxq_sent(&m->q, &m->runs, start, seq_add(start, length), c.mss, flags, m->now, &at)) {
        FUZZ_CHECK(m->memory.refuse || m->q.runs >= RTXQ_SHARED_RUNS);
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        m->cell[m->length++] = c;
    }
    m->syn_sent = true;
    m->syn_there = m->syn_there || (flags & RTX_SYN);
    m->fin_sent = (flags & RTX_FIN) != 0;
}

/* What the model says an ACK teaches about one sequence number. */
static void teach(const struct model *m, struct rtxq_delta *d, uint32_t i)
{
    const struct cell *c = &m->cell[i];
    d->delivered++;
    tcp_seq end = seq_at(m, i + 1);
    if (!d->any || time_before(d->newest_sent, c->sent) ||
        (time_equal(d->newest_sent, c->sent) && seq_lt(d->newest_end, end))) {
        d->newest_sent = c->sent;
        d->newest_end = end;
        d->newest_flags = c->flags;
        d->newest_transmissions = c->transmissions;
        d->newest_at.delivered = c->delivered;
        d->newest_at.delivered_at = c->delivered_at;
    }
    d->any = true;
    if (c->flags & RTX_EVER_RETRANS) {
        d->retrans_acked = true;
    } else {
        if (!d->never_retrans_acked || seq_lt(seq_at(m, i), d->lowest_original)) {
            d->lowest_original = seq_at(m, i);
        }
        d->never_retrans_acked = true;
        if (!d->has_rtt || time_before(d->rtt_sent, c->sent) ||
            (time_equal(d->rtt_sent, c->sent) && seq_lt(d->rtt_end, end))) {
            d->has_rtt = true;
            d->rtt_sent = c->sent;
            d->rtt_end = end;
        }
    }
}

static void same_delta(const struct rtxq_delta *a, const struct rtxq_delta *b)
{
    FUZZ_CHECK(a->acked == b->acked && a->newly_sacked == b->newly_sacked &&
               a->delivered == b->delivered);
    FUZZ_CHECK(a->any == b->any && a->has_rtt == b->has_rtt);
    FUZZ_CHECK(a->retrans_acked == b->retrans_acked &&
               a->never_retrans_acked == b->never_retrans_acked);
    FUZZ_CHECK(!a->has_rtt ||
               (time_equal(a->rtt_sent, b->rtt_sent) && seq_eq(a->rtt_end, b->rtt_end)));
    FUZZ_CHECK(!a->never_retrans_acked || seq_eq(a->lowest_original, b->lowest_original));
    FUZZ_CHECK(a->newly_sacked == 0 || seq_eq(a->lowest_newly_sacked, b->lowest_newly_sacked));
    if (a->any) {
        FUZZ_CHECK(time_equal(a->newest_sent, b->newest_sent) &&
                   seq_eq(a->newest_end, b->newest_end));
        FUZZ_CHECK((a->newest_flags & ~(RTX_SYN | RTX_FIN)) == b->newest_flags);
        FUZZ_CHECK(a->newest_transmissions == b->newest_transmissions &&
                   a->newest_at.delivered == b->newest_at.delivered);
        FUZZ_CHECK(time_equal(a->newest_at.delivered_at, b->newest_at.delivered_at));
    }
}

static void ack(struct model *m, struct bytes *in, struct rtxq_delta *got, struct rtxq_delta *want)
{
    int32_t n = take_u16(in) % (SPACE + 200) - 100; /* behind, within, beyond */
    if (n > (int32_t)m->length / 2 && take_u8(in) % 4 != 0) {
        n /= 8;
    }
    rtxq_ack(&m->q, &m->runs, seq_add(m->una, (uint32_t)n), got);
    uint32_t gone = n < 0 ? 0 : (uint32_t)n < m->length ? (uint32_t)n : m->length;
    for (uint32_t i = 0; i < gone; i++) {
        want->acked++;
        if ((m->cell[i].flags & RTX_SACKED) == 0) {
            teach(m, want, i);
        }
    }
    memmove(m->cell, m->cell + gone, (m->length - gone) * sizeof(m->cell[0]));
    m->length -= gone;
    m->una = seq_add(m->una, gone);
    m->syn_there = m->syn_there && gone == 0;
}

static void sack_block(struct model *m, int32_t start, uint32_t length, struct rtxq_delta *got,
                       struct rtxq_delta *want)
{
    uint32_t splits = 0;
    tcp_seq from = seq_add(m->una, (uint32_t)start), to = seq_add(from, length);
    bool whole = rtxq_sack(&m->q, &m->runs, from, to, got, &splits);
    FUZZ_CHECK(splits <= m->q.runs);
    FUZZ_CHECK(whole || m->memory.refuse ||
               m->q.runs + 1 >= RTXQ_SPARE_RUNS + 2 * (m->length / 1460) ||
               m->q.runs + 1 >= RTXQ_SHARED_RUNS);
    bool stopped = false;
    int64_t stop = start + (int64_t)length;
    for (uint32_t i = start < 0 ? 0 : (uint32_t)start; i < m->length && i < stop; i++) {
        if (m->cell[i].flags & RTX_SACKED) {
            continue;
        }
        const struct rtx_run *r = rtxq_at(&m->q, seq_at(m, i));
        FUZZ_CHECK(r != NULL);
        if ((r->flags & RTX_SACKED) == 0) {
            FUZZ_CHECK(!whole);
            stopped = true;
            continue;
        }
        FUZZ_CHECK(!stopped); /* what could not be marked is the end of the block */
        if (want->newly_sacked++ == 0 || seq_lt(seq_at(m, i), want->lowest_newly_sacked)) {
            want->lowest_newly_sacked = seq_at(m, i);
        }
        teach(m, want, i);
        m->cell[i].flags = (uint8_t)((m->cell[i].flags & ~(RTX_LOST | RTX_RETRANS)) | RTX_SACKED);
    }
}

static void sack(struct model *m, struct bytes *in, struct rtxq_delta *got, struct rtxq_delta *want)
{
    int32_t start = take_u16(in) % (SPACE + 100) - 50;
    uint32_t length = take_u8(in);
    if (length & 1) {
        length = length * 16;
    }
    if (m->length > 0) {
        start = start % (int32_t)(m->length + 20);
    }
    sack_block(m, start, length, got, want);
}

/* Every other octet of a stretch: as many runs as an attacker can make (CVE-2019-11477). */
static void comb(struct model *m, struct bytes *in, struct rtxq_delta *got, struct rtxq_delta *want)
{
    uint32_t start = take_u16(in) % SPACE, octets = 2u * take_u8(in);
    for (uint32_t i = start & 0xfe00; i < m->length && octets > 0; i += 2, octets--) {
        sack_block(m, (int32_t)i, 1, got, want);
    }
}

static void retransmit(struct model *m, struct bytes *in)
{
    uint16_t pick = take_u16(in);
    uint32_t skip = take_u8(in), length = 1 + take_u8(in);
    uint16_t mss = pick & 1 ? 1460 : 536;
    struct rtx_run *r = m->length == 0 ? NULL : rtxq_at(&m->q, seq_at(m, pick % m->length));
    if (r == NULL || (r->flags & RTX_SACKED)) {
        return;
    }
    tcp_seq start = r->start, end = r->end, whole_start = r->start, whole_end = r->end;
    if (seq_dist(end, start) > skip) {
        start = seq_add(start, skip);
    }
    if (seq_dist(end, start) > length) {
        end = seq_add(start, length);
    }
    const struct rtx_run *after = rtxq_next(&m->q, r);
    const struct rtx_snapshot at = {.delivered = m->delivered, .delivered_at = m->now};
    struct rtx_run *part = rtxq_retransmitted(&m->q, &m->runs, r, start, end, mss, m->now, &at);
    if (part == NULL) {
        FUZZ_CHECK(m->memory.refuse);
        return;
    }
    FUZZ_CHECK(m->q.runs >= RTXQ_MAX_RUNS ||
               (seq_eq(part->start, start) && seq_eq(part->end, end)));
    FUZZ_CHECK(seq_le(whole_start, part->start) && seq_le(part->end, whole_end) &&
               seq_le(part->start, start) && seq_ge(part->end, end));
    FUZZ_CHECK(m->q.by_time.prev == &part->by_time);
    FUZZ_CHECK(after == NULL || seq_eq(after->start, whole_end));
    FUZZ_CHECK(rtxq_at(&m->q, whole_start) == r);
    for (uint32_t i = seq_dist(part->start, m->una); i < seq_dist(part->end, m->una); i++) {
        struct cell *c = &m->cell[i];
        c->flags = (uint8_t)((c->flags & ~RTX_LOST) | RTX_RETRANS | RTX_EVER_RETRANS);
        c->sent = c->delivered_at = m->now;
        c->delivered = m->delivered;
        c->mss = mss;
        c->transmissions += c->transmissions < 255;
    }
}

static void lose(struct model *m, struct bytes *in)
{
    uint16_t pick = take_u16(in);
    struct rtx_run *r = m->length == 0 ? NULL : rtxq_at(&m->q, seq_at(m, pick % m->length));
    if (r == NULL) {
        return;
    }
    rtxq_mark_lost(&m->q, r);
    for (uint32_t i = seq_dist(r->start, m->una); i < seq_dist(r->end, m->una); i++) {
        if ((m->cell[i].flags & RTX_SACKED) == 0) {
            m->cell[i].flags = (uint8_t)((m->cell[i].flags & ~RTX_RETRANS) | RTX_LOST);
        }
    }
}

/* What lies within is lost; beyond it only what could not be split off. */
static void lose_range(struct model *m, struct bytes *in)
{
    uint32_t first = take_u16(in) % SPACE, end = first + take_u16(in) % 1024;
    bool bounded = m->memory.refuse || m->q.runs + 2 > RTXQ_MAX_RUNS;
    rtxq_mark_range_lost(&m->q, &m->runs, seq_at(m, first), seq_at(m, end));
    if (first >= m->length) {
        return;
    }
    const struct rtx_run *r = rtxq_first(&m->q);
    for (uint32_t i = 0; i < m->length; i++) {
        struct cell *c = &m->cell[i];
        r = seq_lt(seq_at(m, i), r->end) ? r : rtxq_next(&m->q, r);
        bool within = i >= first && i < end, lost = r->flags & RTX_LOST;
        FUZZ_CHECK(within ? lost || (c->flags & RTX_SACKED)
                          : bounded || lost == ((c->flags & RTX_LOST) != 0));
        if ((within || lost) && (c->flags & RTX_SACKED) == 0) {
            c->flags = (uint8_t)((c->flags & ~RTX_RETRANS) | RTX_LOST);
        }
    }
}

static void probed(struct model *m)
{
    const struct rtx_run *r = rtxq_first(&m->q);
    if (r != NULL) {
        rtxq_probed(&m->q);
        for (uint32_t i = 0; i < seq_dist(r->end, m->una); i++) {
            m->cell[i].flags |= RTX_EVER_RETRANS;
        }
    }
}

static void all(struct model *m, uint8_t how)
{
    if (how % 4 == 0) {
        rtxq_mark_all_lost(&m->q);
    } else if (how % 4 == 1) {
        rtxq_unmark_lost(&m->q);
    } else if (how % 4 == 2) {
        rtxq_forget_sacks(&m->q);
    }
    for (uint32_t i = 0; i < m->length; i++) {
        uint8_t *f = &m->cell[i].flags;
        if (how % 4 == 0 && (*f & RTX_SACKED) == 0) {
            *f = (uint8_t)((*f & ~RTX_RETRANS) | RTX_LOST);
        } else if (how % 4 == 1) {
            *f = (uint8_t)(*f & ~RTX_LOST);
        } else if (how % 4 == 2) {
            *f = *f & RTX_SACKED ? (uint8_t)((*f & ~RTX_SACKED) | RTX_LOST) : *f;
        }
    }
}

static void split(struct model *m, struct bytes *in)
{
    uint16_t pick = take_u16(in);
    tcp_seq at = m->length == 0 ? m->una : seq_at(m, pick % m->length);
    struct rtx_run *r = rtxq_at(&m->q, at);
    FUZZ_CHECK((r != NULL) == (m->length > 0));
    if (r != NULL && seq_lt(r->start, at)) {
        struct rtx_run *second = rtxq_split(&m->q, &m->runs, r, at);
        FUZZ_CHECK(second != NULL || m->memory.refuse || m->q.runs == RTXQ_MAX_RUNS);
        FUZZ_CHECK(second == NULL || (seq_eq(second->start, at) && rtxq_next(&m->q, r) == second));
    }
}

static void shatter(struct model *m, struct bytes *in)
{
    uint32_t from = take_u16(in) % SPACE & 0xfe00;
    for (uint32_t i = from + 1; i < from + 512 && i < m->length; i++) {
        struct rtx_run *r = rtxq_at(&m->q, seq_at(m, i));
        if (seq_lt(r->start, seq_at(m, i)) && !rtxq_split(&m->q, &m->runs, r, seq_at(m, i))) {
            FUZZ_CHECK(m->memory.refuse || m->q.runs == RTXQ_MAX_RUNS);
        }
    }
}

static void step(struct model *m, struct bytes *in)
{
    struct rtxq_delta got = {0}, want = {0};
    uint8_t op = take_u8(in);
    if (op & 0x80) {
        m->now = time_add(m->now, 1 + (op & 0x30) * 1000);
    }
    m->delivered += (op & 0x70) == 0x70;
    switch (op & 15) {
    case 0:
    case 1:
    case 2:
        send(m, in, (op & 15) == 2 ? 16 : 1);
        break;
    case 3:
    case 4:
        sack(m, in, &got, &want);
        sack(m, in, &got, &want);
        break;
    case 5:
        comb(m, in, &got, &want);
        break;
    case 6:
        sack(m, in, &got, &want);
        ack(m, in, &got, &want);
        break;
    case 7:
        ack(m, in, &got, &want);
        break;
    case 8:
    case 9:
    case 10:
        retransmit(m, in);
        break;
    case 11:
        lose(m, in);
        break;
    case 12:
        lose_range(m, in);
        break;
    case 13:
        all(m, take_u8(in));
        break;
    case 14:
        if (op & 0x10) {
            split(m, in);
        } else if (op & 0x20) {
            shatter(m, in);
        } else {
            probed(m);
        }
        break;
    default:
        m->memory.refuse = take_u8(in) % 3 == 0;
        break;
    }
    same_delta(&got, &want);
    compare(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct model *m = calloc(1, sizeof(*m));
    memory_init(&m->memory, 8u << 20);
    slab_init(&m->runs, m->memory.arena, sizeof(struct rtx_run));
    rtxq_init(&m->q);
    uint8_t where = take_u8(&in);
    m->una = seq_of(where & 1 ? 0u - where * 16u : where * 0x01000193u);
    m->now = time_from_ns(1000);
    while (bytes_more(&in)) {
        step(m, &in);
    }
    rtxq_clear(&m->q, &m->runs);
    FUZZ_CHECK(m->runs.in_use == 0 && m->q.bytes == 0 && m->q.runs == 0);
    arena_free(m->memory.arena);
    free(m);
    return 0;
}
