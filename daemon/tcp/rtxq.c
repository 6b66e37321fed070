/* The retransmission queue as runs of equal history: the scoreboard of RFC 6675 section 3 and the
 * per-segment times of RFC 8985 (RACK) in one structure, at a cost that follows the number of
 * distinct histories and not the number of segments.
 *
 * Every change of a run's flags goes through set_flags(), so that neither the byte counters nor the
 * list that a run is on can differ from its flags. Runs are contiguous: each begins where the one
 * before it ends. by_time is ordered by `sent`; a run that is retransmitted moves to its end, and
 * the halves of a split stay side by side. SYN belongs to a run's first sequence number and FIN to
 * its last, which decides who keeps them in a split. */
#include "tcp/rtxq.h"

#include <assert.h>
#include <string.h>

static struct rtx_run *seq_run(const struct list *link)
{
    return container_of(link, struct rtx_run, by_seq);
}

static uint32_t run_length(const struct rtx_run *r)
{
    return seq_dist(r->end, r->start);
}

struct rtx_run *rtxq_first(const struct rtxq *q)
{
    return list_empty(&q->by_seq) ? NULL : seq_run(q->by_seq.next);
}

struct rtx_run *rtxq_last(const struct rtxq *q)
{
    return list_empty(&q->by_seq) ? NULL : seq_run(q->by_seq.prev);
}

struct rtx_run *rtxq_next(const struct rtxq *q, const struct rtx_run *r)
{
    return r->by_seq.next == &q->by_seq ? NULL : seq_run(r->by_seq.next);
}

struct rtx_run *rtxq_before(const struct rtxq *q, const struct rtx_run *r)
{
    return r->by_seq.prev == &q->by_seq ? NULL : seq_run(r->by_seq.prev);
}

static struct rtx_run *time_run(const struct list *link)
{
    return container_of(link, struct rtx_run, by_time);
}

struct rtx_run *rtxq_oldest(const struct rtxq *q)
{
    return list_empty(&q->by_time) ? NULL : time_run(q->by_time.next);
}

struct rtx_run *rtxq_sent_after(const struct rtxq *q, const struct rtx_run *r)
{
    return r->by_time.next == &q->by_time ? NULL : time_run(r->by_time.next);
}

void rtxq_init(struct rtxq *q)
{
    memset(q, 0, sizeof(*q));
    list_init(&q->by_seq);
    list_init(&q->by_time);
    list_init(&q->by_loss);
}

/* ---- the counters ---- */

/* Adds `length` bytes with these flags to the counters; subtracts when `sign` is -1. */
static void count(struct rtxq *q, uint8_t flags, uint32_t length, int sign)
{
    uint32_t n = sign > 0 ? length : 0 - length;
    q->bytes += n;
    q->sacked += (flags & RTX_SACKED) ? n : 0;
    q->lost += (flags & RTX_LOST) ? n : 0;
    q->retrans += (flags & RTX_RETRANS) ? n : 0;
}

/* Enters a LOST run into by_loss. Losses are found in order, one way or the other, so a neighbour
 * by sequence is there already: it is looked for on both sides at once. */
static void enter_by_loss(struct rtxq *q, struct rtx_run *r)
{
    const struct list *down = r->by_seq.prev, *up = r->by_seq.next;
    if (list_empty(&q->by_loss)) {
        list_append(&q->by_loss, &r->by_time);
        return;
    }
    for (;;) {
        if (down == &q->by_seq) {
            list_insert_after(&q->by_loss, &r->by_time);
            return;
        }
        if (up == &q->by_seq) {
            list_append(&q->by_loss, &r->by_time);
            return;
        }
        if (seq_run(down)->flags & RTX_LOST) {
            list_insert_after(&seq_run(down)->by_time, &r->by_time);
            return;
        }
        if (seq_run(up)->flags & RTX_LOST) {
            list_insert_before(&seq_run(up)->by_time, &r->by_time);
            return;
        }
        down = down->prev;
        up = up->next;
    }
}

/* Enters a run into by_time at the place of its last transmission: at the end, if it was sent now.
 */
static void enter_by_time(struct rtxq *q, struct rtx_run *r)
{
    struct list *at = q->by_time.prev;
    while (at != &q->by_time && time_before(r->sent, time_run(at)->sent)) {
        at = at->prev;
    }
    list_insert_after(at, &r->by_time);
}

/* The flags decide which list a run is on. Its LOST neighbours must already be on theirs. */
static void set_flags(struct rtxq *q, struct rtx_run *r, unsigned clear, unsigned set)
{
    unsigned before = r->flags & (RTX_SACKED | RTX_LOST);
    unsigned flags = (r->flags & ~clear) | set, after = flags & (RTX_SACKED | RTX_LOST);
    count(q, r->flags, run_length(r), -1);
    if (after != before) {
        list_remove(&r->by_time);
        if (after & RTX_LOST) {
            q->lost_ever += run_length(r);
            enter_by_loss(q, r);
        } else if (!after) {
            enter_by_time(q, r);
        }
    }
    r->flags = (uint8_t)flags;
    count(q, r->flags, run_length(r), 1);
}

static void run_drop(struct rtxq *q, struct slab *runs, struct rtx_run *r)
{
    count(q, r->flags, run_length(r), -1);
    list_remove(&r->by_seq);
    list_remove(&r->by_time);
    q->runs--;
    q->near = q->near == r ? NULL : q->near;
    slab_free(runs, r);
}

void rtxq_clear(struct rtxq *q, struct slab *runs)
{
    while (!list_empty(&q->by_seq)) {
        run_drop(q, runs, seq_run(q->by_seq.next));
    }
    rtxq_init(q);
}

/* ---- split and merge ---- */

static bool same_history(const struct rtx_run *a, const struct rtx_run *b)
{
    return a->flags == b->flags && (a->flags & (RTX_SYN | RTX_FIN)) == 0 &&
           time_equal(a->sent, b->sent) && time_equal(a->first_sent, b->first_sent) &&
           a->at.delivered == b->at.delivered &&
           time_equal(a->at.delivered_at, b->at.delivered_at) &&
           time_equal(a->at.first_sent_at, b->at.first_sent_at) && a->at.lost == b->at.lost &&
           a->mss == b->mss && a->transmissions == b->transmissions;
}

/* Joins a run to the one before it when their histories are equal. Returns the run that then holds
 * it. */
static struct rtx_run *merge_back(struct rtxq *q, struct slab *runs, struct rtx_run *r)
{
    struct rtx_run *before = rtxq_before(q, r);
    if (before == NULL || !same_history(before, r)) {
        return r;
    }
    tcp_seq end = r->end;
    run_drop(q, runs, r);
    q->near = q->near == NULL ? before : q->near;
    count(q, before->flags, seq_dist(end, before->end), 1);
    before->end = end;
    return before;
}

static void merge_forward(struct rtxq *q, struct slab *runs, struct rtx_run *r)
{
    struct rtx_run *next = rtxq_next(q, r);
    if (next != NULL) {
        merge_back(q, runs, next);
    }
}

static struct rtx_run *split_below(struct rtxq *q, struct slab *runs, struct rtx_run *r, tcp_seq at,
                                   uint32_t bound)
{
    assert(seq_gt(at, r->start) && seq_lt(at, r->end));
    if (q->runs >= bound) {
        return NULL;
    }
    struct rtx_run *second = slab_alloc(runs);
    if (second == NULL) {
        return NULL;
    }
    *second = *r;
    second->start = at;
    r->end = at;
    list_insert_after(&r->by_seq, &second->by_seq);
    if (r->flags & RTX_SACKED) {
        list_init(&second->by_time);
    } else {
        list_insert_after(&r->by_time, &second->by_time);
    }
    second->flags = (uint8_t)(second->flags & ~RTX_SYN);
    r->flags = (uint8_t)(r->flags & ~RTX_FIN);
    q->runs++;
    return second;
}

struct rtx_run *rtxq_split(struct rtxq *q, struct slab *runs, struct rtx_run *r, tcp_seq at)
{
    return split_below(q, runs, r, at, RTXQ_MAX_RUNS);
}

/* ---- sending ---- */

bool rtxq_sent(struct rtxq *q, struct slab *runs, tcp_seq start, tcp_seq end, uint16_t mss,
               uint8_t flags, ackd_time now, const struct rtx_snapshot *at)
{
    struct rtx_run *last = rtxq_last(q);
    assert(seq_lt(start, end) && (last == NULL || seq_eq(last->end, start)));
    const struct rtx_run sent = {.start = start,
                                 .end = end,
                                 .sent = now,
                                 .first_sent = now,
                                 .at = *at,
                                 .mss = mss,
                                 .flags = flags,
                                 .transmissions = 1};
    if (last != NULL && same_history(last, &sent)) {
        count(q, flags, seq_dist(end, start), 1);
        last->end = end;
        last->at.in_flight = at->in_flight;
        return true;
    }
    struct rtx_run *r = q->runs < RTXQ_SHARED_RUNS ? slab_alloc(runs) : NULL;
    if (r == NULL) {
        return false;
    }
    *r = sent;
    list_append(&q->by_seq, &r->by_seq);
    list_append(&q->by_time, &r->by_time);
    q->runs++;
    count(q, flags, run_length(r), 1);
    return true;
}

/* Cuts [start, end) out of `r` as far as the bound of runs allows. NULL when out of memory, and
 * then nothing changed. */
static struct rtx_run *isolate(struct rtxq *q, struct slab *runs, struct rtx_run *r, tcp_seq start,
                               tcp_seq end)
{
    struct rtx_run *part = r;
    if (seq_gt(start, r->start) && q->runs < RTXQ_MAX_RUNS) {
        part = rtxq_split(q, runs, r, start);
        if (part == NULL) {
            return NULL;
        }
    }
    if (seq_lt(end, part->end) && q->runs < RTXQ_MAX_RUNS &&
        rtxq_split(q, runs, part, end) == NULL) {
        if (part != r) {
            uint8_t fin = part->flags & RTX_FIN;
            r->end = part->end;
            count(q, part->flags, run_length(part),
                  1); /* what run_drop() takes back: the bytes stay, with `r` */
            run_drop(q, runs, part);
            r->flags |= fin;
        }
        return NULL;
    }
    return part;
}

struct rtx_run *rtxq_retransmitted(struct rtxq *q, struct slab *runs, struct rtx_run *r,
                                   tcp_seq start, tcp_seq end, uint16_t mss, ackd_time now,
                                   const struct rtx_snapshot *at)
{
    assert(seq_le(r->start, start) && seq_lt(start, end) && seq_le(end, r->end) &&
           (r->flags & RTX_SACKED) == 0);
    struct rtx_run *part = isolate(q, runs, r, start, end);
    if (part == NULL) {
        return NULL;
    }
    part->sent = now;
    part->mss = mss;
    part->at = *at;
    part->transmissions += part->transmissions < UINT8_MAX;
    set_flags(q, part, RTX_LOST, RTX_RETRANS | RTX_EVER_RETRANS);
    list_remove(&part->by_time);
    list_append(&q->by_time, &part->by_time);
    /* The run returned stays exactly the part, so a burst of retransmissions folds up one behind.
     */
    struct rtx_run *before = rtxq_before(q, part);
    if (before != NULL && before != r) {
        merge_back(q, runs, before);
    }
    return part;
}

/* ---- what an ACK teaches ---- */

/* `length` bytes of `r`, up to `end`, are newly known to have arrived. */
static void note_delivered(struct rtxq_delta *d, const struct rtx_run *r, uint32_t length,
                           tcp_seq end)
{
    d->delivered += length;
    if (!d->any || time_before(d->newest_sent, r->sent) ||
        (time_equal(d->newest_sent, r->sent) && seq_lt(d->newest_end, end))) {
        d->newest_sent = r->sent;
        d->newest_end = end;
        d->newest_flags = r->flags;
        d->newest_transmissions = r->transmissions;
        d->newest_at = r->at;
    }
    d->any = true;
    if (r->flags & RTX_EVER_RETRANS) {
        d->retrans_acked = true;
        return;
    }
    if (!d->never_retrans_acked || seq_lt(seq_sub(end, length), d->lowest_original)) {
        d->lowest_original = seq_sub(end, length);
    }
    d->never_retrans_acked = true;
    if (!d->has_rtt || time_before(d->rtt_sent, r->sent) ||
        (time_equal(d->rtt_sent, r->sent) && seq_lt(d->rtt_end, end))) {
        d->has_rtt = true;
        d->rtt_sent = r->sent;
        d->rtt_end = end;
    }
}

void rtxq_ack(struct rtxq *q, struct slab *runs, tcp_seq una, struct rtxq_delta *delta)
{
    struct rtx_run *r;
    while ((r = rtxq_first(q)) != NULL && seq_lt(r->start, una)) {
        tcp_seq end = seq_min(r->end, una);
        uint32_t length = seq_dist(end, r->start);
        delta->acked += length;
        if ((r->flags & RTX_SACKED) == 0) {
            note_delivered(delta, r, length, end);
        }
        if (seq_eq(end, r->end)) {
            run_drop(q, runs, r);
            continue;
        }
        count(q, r->flags, length, -1);
        r->start = end;
        r->flags = (uint8_t)(r->flags & ~RTX_SYN);
    }
    if (r != NULL) {
        merge_forward(q, runs, r);
    }
}

/* The run that holds `s`, which lies within the queue: looked for from the nearest of both ends and
 * the place of the last look. SACK blocks come back to the same places. */
static struct rtx_run *find(struct rtxq *q, tcp_seq s)
{
    struct rtx_run *r = rtxq_first(q), *last = rtxq_last(q);
    uint32_t below = seq_dist(s, r->start), above = seq_dist(last->end, s);
    uint32_t beside = UINT32_MAX;
    if (q->near != NULL) {
        beside =
            seq_lt(s, q->near->start) ? seq_dist(q->near->start, s) : seq_dist(s, q->near->start);
    }
    if (beside < below && beside < above) {
        r = q->near;
    } else if (above < below) {
        r = last;
    }
    while (seq_lt(s, r->start)) {
        r = rtxq_before(q, r);
    }
    while (seq_ge(s, r->end)) {
        r = rtxq_next(q, r);
    }
    q->near = r;
    return r;
}

struct rtx_run *rtxq_at(struct rtxq *q, tcp_seq s)
{
    if (list_empty(&q->by_seq) || seq_lt(s, rtxq_first(q)->start) || seq_ge(s, rtxq_last(q)->end)) {
        return NULL;
    }
    return find(q, s);
}

static void mark_sacked(struct rtxq *q, struct rtx_run *r, struct rtxq_delta *delta)
{
    if (delta->newly_sacked == 0 || seq_lt(r->start, delta->lowest_newly_sacked)) {
        delta->lowest_newly_sacked = r->start;
    }
    delta->newly_sacked += run_length(r);
    note_delivered(delta, r, run_length(r), r->end);
    if (q->sacked == 0 || seq_gt(r->end, q->highest_sacked)) {
        q->highest_sacked = r->end;
    }
    set_flags(q, r, RTX_LOST | RTX_RETRANS, RTX_SACKED);
}

/* How many runs SACK blocks may make of the queue. */
static uint32_t sack_bound(const struct rtxq *q, const struct rtx_run *r)
{
    uint32_t segments = q->bytes / (r->mss ? r->mss : 1);
    uint32_t bound = segments < RTXQ_SHARED_RUNS / 2 ? 2 * segments : RTXQ_SHARED_RUNS;
    bound += RTXQ_SPARE_RUNS;
    return bound < RTXQ_SHARED_RUNS ? bound : RTXQ_SHARED_RUNS;
}

/* Marks what [start, end) covers of `r`. *r becomes the run to go on from; false when the bound, or
 * memory, forbids a split. */
static bool sack_run(struct rtxq *q, struct slab *runs, struct rtx_run **run, tcp_seq start,
                     tcp_seq end, struct rtxq_delta *delta, uint32_t *splits)
{
    struct rtx_run *r = *run;
    if (r->flags & RTX_SACKED) {
        return true;
    }
    uint32_t bound = sack_bound(q, r);
    if (seq_lt(r->start, start)) {
        r = split_below(q, runs, r, start, bound);
        if (r == NULL) {
            return false;
        }
        ++*splits;
    }
    if (seq_gt(r->end, end)) {
        if (split_below(q, runs, r, end, bound) == NULL) {
            merge_back(q, runs, r);
            return false;
        }
        ++*splits;
    }
    mark_sacked(q, r, delta);
    *run = merge_back(q, runs, r);
    return true;
}

bool rtxq_sack(struct rtxq *q, struct slab *runs, tcp_seq start, tcp_seq end,
               struct rtxq_delta *delta, uint32_t *splits)
{
    if (list_empty(&q->by_seq)) {
        return true;
    }
    start = seq_max(start, rtxq_first(q)->start);
    end = seq_min(end, rtxq_last(q)->end);
    if (!seq_lt(start, end)) {
        return true;
    }
    struct rtx_run *r = find(q, start);
    while (r != NULL && seq_lt(r->start, end)) {
        if (!sack_run(q, runs, &r, start, end, delta, splits)) {
            return false;
        }
        struct rtx_run *next = rtxq_next(q, r);
        if (next != NULL && seq_ge(next->start, end)) {
            merge_back(q, runs, next);
            break;
        }
        r = next;
    }
    return true;
}

/* ---- losses ---- */

void rtxq_forget_sacks(struct rtxq *q)
{
    list_for_each(link, &q->by_seq)
    {
        if (seq_run(link)->flags & RTX_SACKED) {
            set_flags(q, seq_run(link), RTX_SACKED, RTX_LOST);
        }
    }
}

void rtxq_mark_lost(struct rtxq *q, struct rtx_run *r)
{
    if (r->flags & RTX_SACKED) {
        return;
    }
    if ((r->flags & RTX_LOST) == 0) {
        q->last_loss = (struct rtx_loss){r->at, run_length(r), r->flags & RTX_APP_LIMITED};
    }
    set_flags(q, r, RTX_RETRANS, RTX_LOST);
}

void rtxq_mark_range_lost(struct rtxq *q, struct slab *runs, tcp_seq start, tcp_seq end)
{
    struct rtx_run *r = rtxq_at(q, start), *part = r;
    if (r != NULL && seq_lt(r->start, start)) {
        part = rtxq_split(q, runs, r, start);
    }
    for (r = part != NULL ? part : r; r != NULL && seq_lt(r->start, end); r = rtxq_next(q, r)) {
        if (seq_gt(r->end, end)) {
            rtxq_split(q, runs, r, end);
        }
        rtxq_mark_lost(q, r);
    }
}

void rtxq_probed(struct rtxq *q)
{
    set_flags(q, rtxq_first(q), 0, RTX_EVER_RETRANS);
}

void rtxq_mark_all_lost(struct rtxq *q)
{
    list_for_each(link, &q->by_seq)
    {
        rtxq_mark_lost(q, seq_run(link));
    }
}

void rtxq_unmark_lost(struct rtxq *q)
{
    while (!list_empty(&q->by_loss)) {
        set_flags(q, time_run(q->by_loss.next), RTX_LOST, 0); /* mostly in order of time, too */
    }
}

struct rtx_run *rtxq_first_lost(const struct rtxq *q)
{
    return list_empty(&q->by_loss) ? NULL : time_run(q->by_loss.next);
}

/* ---- invariants ---- */

static bool run_valid(const struct rtx_run *r, const struct rtx_run *before)
{
    unsigned f = r->flags;
    return seq_lt(r->start, r->end) && (before == NULL || seq_eq(before->end, r->start)) &&
           !((f & RTX_SACKED) && (f & (RTX_LOST | RTX_RETRANS))) &&
           !((f & RTX_LOST) && (f & RTX_RETRANS)) &&
           !((f & RTX_RETRANS) && !(f & RTX_EVER_RETRANS)) &&
           !time_before(r->sent, r->first_sent) && r->transmissions >= 1 &&
           list_empty(&r->by_time) == ((f & RTX_SACKED) != 0);
}

bool rtxq_valid(const struct rtxq *q)
{
    struct rtxq sum = {0};
    bool good = true;
    uint32_t unsacked = 0;
    const struct rtx_run *before = NULL;
    list_for_each(link, &q->by_seq)
    {
        const struct rtx_run *r = seq_run(link);
        good = good && run_valid(r, before);
        count(&sum, r->flags, run_length(r), 1);
        if (r->flags & RTX_SACKED) {
            sum.highest_sacked = r->end;
        }
        sum.runs++;
        unsacked += !(r->flags & RTX_SACKED);
        before = r;
    }
    uint32_t listed = 0, lost = 0;
    ackd_time latest = time_from_ns(INT64_MIN);
    list_for_each(link, &q->by_time)
    {
        const struct rtx_run *r = time_run(link);
        good = good && !time_before(r->sent, latest) && !(r->flags & (RTX_SACKED | RTX_LOST));
        latest = r->sent;
        listed++;
    }
    before = NULL;
    list_for_each(link, &q->by_loss)
    {
        const struct rtx_run *r = time_run(link);
        good = good && r->flags & RTX_LOST && (before == NULL || seq_lt(before->start, r->start));
        before = r;
        lost++;
    }
    return good && listed + lost == unsacked && sum.runs == q->runs && q->runs <= RTXQ_MAX_RUNS &&
           sum.bytes == q->bytes && sum.sacked == q->sacked && sum.lost == q->lost &&
           sum.retrans == q->retrans &&
           (q->sacked == 0 || seq_eq(sum.highest_sacked, q->highest_sacked));
}
