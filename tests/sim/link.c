/* The wire. A segment's fate is decided when it is sent: the hop that is too narrow, faults, then
 * the queue, then the time of its arrival; a heap by that time is all that is in flight.
 *
 * The rate is a token bucket as a virtual clock: busy_until is when the last octet would have left
 * at the rate alone; it may lie behind by what the bucket holds, and a segment leaves when it is
 * reached, or at once. Bursts of loss are the two-state Markov chain of Gilbert and Elliott.
 *
 * Corruption is a burst of up to 15 bits. The Internet checksum finds every such burst, so a
 * segment that arrives damaged must be dropped by the engine, and a byte that arrives wrong at the
 * user is a bug. */
#include "link.h"

#include <stdlib.h>
#include <string.h>
#include "wire/checksum.h"
#include "wire/tcp.h"

#define FRAME_MAX 65000u /* what merging makes at most */

void link_init(struct link *link, const struct link_profile *profile, uint64_t seed)
{
    memset(link, 0, sizeof(*link));
    link->profile = *profile;
    rng_init(&link->rng, seed, UINT64_C(0x6c696e6b));
    link->busy_until = link->last_due = time_from_ns(0);
}

void link_free(struct link *link)
{
    while (link->n > 0) {
        free(link->heap[--link->n]);
    }
    free(link->heap);
}

/* ---- the heap ---- */

static bool earlier(const struct wire_segment *a, const struct wire_segment *b)
{
    return time_before(a->due, b->due) || (time_equal(a->due, b->due) && a->order < b->order);
}

static void push(struct link *link, struct wire_segment *s)
{
    if (link->n == link->room) {
        link->room = link->room == 0 ? 64 : 2 * link->room;
        link->heap = realloc(link->heap, link->room * sizeof(link->heap[0]));
        if (link->heap == NULL) {
            abort();
        }
    }
    unsigned i = link->n++;
    for (; i > 0 && earlier(s, link->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        link->heap[i] = link->heap[(i - 1) / 2];
    }
    link->heap[i] = s;
}

static struct wire_segment *pop(struct link *link)
{
    struct wire_segment *first = link->heap[0], *last = link->heap[--link->n];
    unsigned i = 0, child;
    while ((child = 2 * i + 1) < link->n) {
        if (child + 1 < link->n && earlier(link->heap[child + 1], link->heap[child])) {
            child++;
        }
        if (!earlier(link->heap[child], last)) {
            break;
        }
        link->heap[i] = link->heap[child];
        i = child;
    }
    link->heap[i] = last;
    return first;
}

/* ---- segments ---- */

static struct wire_segment *segment_new(uint32_t room)
{
    struct wire_segment *s = malloc(sizeof(*s) + room);
    if (s == NULL) {
        abort();
    }
    memset(s, 0, sizeof(*s));
    s->room = room;
    return s;
}

static struct wire_segment *segment_copy(const struct wire_segment *s)
{
    struct wire_segment *copy = segment_new(s->length);
    memcpy(copy, s, sizeof(*s) + s->length);
    copy->room = s->length;
    return copy;
}

static void put_checksum(struct wire_segment *s)
{
    s->bytes[16] = s->bytes[17] = 0;
    uint16_t sum = checksum_finish(
        checksum_add(tcp_pseudo_sum(&s->src, &s->dst, s->length), s->bytes, s->length));
    s->bytes[16] = (uint8_t)(sum >> 8);
    s->bytes[17] = (uint8_t)sum;
}

static bool checksum_right(const struct wire_segment *s)
{
    uint64_t sum = tcp_pseudo_sum(&s->src, &s->dst, s->length);
    return checksum_fold(checksum_add(sum, s->bytes, s->length)) == 0xffff;
}

static uint32_t get32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void put32(uint8_t *b, uint32_t v)
{
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

static uint32_t ip_length(const struct wire_segment *s)
{
    return s->length + (ip_addr_is_v4(&s->src) ? 20 : 40);
}

/* ---- the way in ---- */

static bool chance(struct link *link, uint32_t ppm)
{
    return ppm > 0 && rng_below(&link->rng, 1000000) < ppm;
}

static int64_t up_to(struct link *link, int64_t ns)
{
    return ns <= 0 ? 0 : (int64_t)(rng_u64(&link->rng) % (uint64_t)ns);
}

static void tell(const struct link *link, ackd_time now, enum link_fate fate,
                 const struct wire_segment *s)
{
    if (link->trace != NULL) {
        link->trace(link->ctx, link, now, fate, s);
    }
}

/* A burst of up to 15 bits that begins anywhere. */
static void corrupt(struct link *link, struct wire_segment *s)
{
    uint32_t bits = 1 + rng_below(&link->rng, 15), mask = 0;
    do {
        mask = rng_u32(&link->rng) & ((1u << bits) - 1);
    } while (mask == 0);
    uint32_t at = rng_below(&link->rng, s->length * 8 - 15);
    for (uint32_t i = 0; i < bits; i++) {
        if (mask >> i & 1) {
            s->bytes[(at + i) / 8] ^= (uint8_t)(0x80u >> (at + i) % 8);
        }
    }
    s->damaged = true;
}

static int64_t rate_ns(const struct link_profile *p, uint64_t bytes)
{
    return (int64_t)(bytes * 8 * 1000000000 / p->rate_bps);
}

/* Bytes that wait for the rate. */
static uint64_t queued(const struct link *link, ackd_time now)
{
    int64_t ns = time_diff(link->busy_until, now);
    return ns <= 0 ? 0 : (uint64_t)ns / 1000 * link->profile.rate_bps / 1000000 / 8;
}

/* The instant at which the last bit has left, false when the queue is full. */
static bool leave_queue(struct link *link, ackd_time now, struct wire_segment *s, ackd_time *left)
{
    const struct link_profile *p = &link->profile;
    *left = now;
    if (p->rate_bps == 0) {
        return true;
    }
    uint64_t waiting = queued(link, now);
    if (waiting + ip_length(s) > p->queue_bytes) {
        return false;
    }
    if (p->mark_bytes > 0 && waiting > p->mark_bytes && (s->tos & 3) != 0) {
        s->tos |= 3;
        link->stats.queue_marked++;
    }
    ackd_time start = time_max(link->busy_until, time_add(now, -rate_ns(p, p->bucket_bytes)));
    link->busy_until = time_add(start, rate_ns(p, ip_length(s)));
    *left = time_max(now, link->busy_until);
    link->stats.bucket_passed += p->bucket_bytes > 0 && time_equal(*left, now);
    return true;
}

static void launch(struct link *link, struct wire_segment *s, ackd_time left, bool late)
{
    const struct link_profile *p = &link->profile;
    ackd_time due = time_add(left, p->delay_ns + up_to(link, p->jitter_ns));
    if (late) {
        due = time_add(due, 1 + up_to(link, p->reorder_ns));
    } else if (p->keeps_order) {
        due = time_max(due, link->last_due);
    }
    link->last_due = time_max(due, link->last_due);
    if (p->poll_ns > 0) {
        due = time_from_ns((due.ns + p->poll_ns - 1) / p->poll_ns * p->poll_ns);
    }
    s->due = due;
    s->order = link->order++;
    push(link, s);
}

/* ---- ACKs ---- */

static bool is_pure_ack(const struct wire_segment *s)
{
    return s->length == (s->bytes[12] >> 4) * 4u &&
           (s->bytes[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_URG | TCP_ACK)) == TCP_ACK;
}

/* Of two ACKs of a connection, is `b` all that matters? One that repeats the number of another does
 * not replace it (it may be the third duplicate), nor one with other flags. */
static bool replaces(const struct wire_segment *b, const struct wire_segment *a)
{
    return ip_addr_equal(&a->src, &b->src) && ip_addr_equal(&a->dst, &b->dst) &&
           memcmp(a->bytes, b->bytes, 4) == 0 && a->bytes[13] == b->bytes[13] &&
           (int32_t)(get32(b->bytes + 8) - get32(a->bytes + 8)) > 0;
}

/* An ACK takes the place of the one that waits. */
static bool thin(struct link *link, ackd_time now, struct wire_segment *s)
{
    struct wire_segment *old = link->held;
    if (!link->profile.ack_thin || old == NULL || !time_before(now, link->held_until) ||
        !replaces(s, old)) {
        return false;
    }
    s->due = old->due;
    s->order = old->order;
    unsigned i = 0;
    while (link->heap[i] != old) {
        i++;
    }
    link->heap[i] = link->held = s;
    free(old);
    link->stats.acks_thinned++;
    return true;
}

/* Puts an undamaged ACK where it waits with others. */
static void hold(struct link *link, ackd_time now, struct wire_segment *s, ackd_time left,
                 bool late)
{
    if (thin(link, now, s)) {
        return;
    }
    int64_t grid = link->profile.ack_hold_ns;
    link->held_until = time_from_ns((left.ns + grid - 1) / grid * grid);
    link->held = s;
    link->stats.acks_held++;
    launch(link, s, link->held_until, late);
}

/* ---- a segment's fate ---- */

/* Longer than a hop takes: the sender may be told. */
static bool too_big(struct link *link, ackd_time now, const struct wire_segment *s)
{
    const struct link_profile *p = &link->profile;
    if (p->hop_mtu == 0 || ip_length(s) <= p->hop_mtu || time_before(now, p->hop_from) ||
        time_reached(p->hop_until, now)) {
        return false;
    }
    if (p->hop_tells && link->back != NULL) {
        struct wire_segment *error = segment_copy(s);
        error->icmp_mtu = p->hop_mtu;
        error->sent = now;
        launch(link->back, error, now, false);
        link->stats.icmp_sent++;
    }
    return true;
}

static bool lost_in_burst(struct link *link, ackd_time now)
{
    const struct link_profile *p = &link->profile;
    link->in_burst = link->in_burst && time_before(now, link->burst_until);
    if (!link->in_burst && chance(link, p->burst_begin_ppm)) {
        link->in_burst = true;
        link->burst_until = time_add(now, p->burst_ns);
        link->stats.bursts++;
    }
    if (!link->in_burst) {
        return false;
    }
    bool lost = chance(link, p->burst_loss_ppm);
    link->in_burst = !chance(link, p->burst_end_ppm);
    link->stats.burst_lost += lost;
    return lost;
}

static bool is_cut(struct link *link, ackd_time now)
{
    const struct link_profile *p = &link->profile;
    bool cut = !time_before(now, p->cut_from) && time_before(now, p->cut_until);
    link->stats.cut += cut;
    return cut;
}

static bool lost_by_chance(struct link *link, ackd_time now, const struct wire_segment *s)
{
    if (is_cut(link, now)) {
        return true;
    }
    bool lost = chance(link, link->profile.loss_ppm);
    lost = lost_in_burst(link, now) || lost;
    if (!lost && is_pure_ack(s) && chance(link, link->profile.ack_loss_ppm)) {
        link->stats.acks_lost++;
        lost = true;
    }
    return lost;
}

/* Does it come through, and when does it leave? Counts why not. */
static enum link_fate admit(struct link *link, ackd_time now, struct wire_segment *s,
                            ackd_time *left)
{
    if (link->filter != NULL && !link->filter(link->ctx, link, now, s)) {
        link->stats.filtered++;
        return LINK_FILTERED;
    }
    if (too_big(link, now, s)) {
        link->stats.too_big++;
        return LINK_TOO_BIG;
    }
    if (lost_by_chance(link, now, s)) {
        link->stats.lost++;
        return LINK_LOST;
    }
    if (!leave_queue(link, now, s, left)) {
        link->stats.queue_full++;
        return LINK_QUEUE_FULL;
    }
    return LINK_SENT;
}

/* What the meddler leaves of it; false: nothing. */
static bool meddled(struct link *link, ackd_time now, struct wire_segment *s)
{
    if (link->meddle == NULL) {
        return true;
    }
    bool pass = link->meddle(link->meddler, link, now, s);
    link->stats.taken += !pass;
    put_checksum(s);
    return pass;
}

void link_carry(struct link *link, ackd_time now, struct wire_segment *s)
{
    ackd_time left;
    s->sent = now;
    link->stats.segments++;
    if (ip_length(s) > link->profile.mtu) {
        link->stats.oversize++;
    }
    enum link_fate fate = LINK_FILTERED;
    if (meddled(link, now, s)) {
        fate = admit(link, now, s, &left);
    }
    if (fate != LINK_SENT) {
        tell(link, now, fate, s);
        free(s);
        return;
    }
    bool twice = chance(link, link->profile.duplicate_ppm);
    bool late = chance(link, link->profile.reorder_ppm);
    fate = late ? LINK_LATE : twice ? LINK_DUPLICATED : LINK_SENT;
    link->stats.late += late;
    if (twice) {
        link->stats.duplicated++;
        launch(link, segment_copy(s), left, true);
    }
    if ((s->tos & 3) != 0 && chance(link, link->profile.mark_ppm)) {
        s->tos |= 3; /* CE, of what is ECN-capable (RFC 3168 section 5) */
        link->stats.marked++;
    }
    if (chance(link, link->profile.corrupt_ppm)) {
        link->stats.corrupted++;
        corrupt(link, s);
        fate = LINK_CORRUPTED;
    }
    tell(link, now, fate, s);
    if (link->profile.ack_hold_ns > 0 && !s->damaged && is_pure_ack(s)) {
        hold(link, now, s, left, late);
    } else {
        launch(link, s, left, late);
    }
}

/* Reads a frame's payload piece by piece. */
struct reader {
    const struct tcp_tx *tx;
    unsigned range;
    uint32_t offset;
};

static void read_payload(struct reader *r, uint8_t *to, uint32_t n)
{
    while (n > 0) {
        const struct tcp_range *range = &r->tx->range[r->range];
        uint32_t take = range->length - r->offset < n ? range->length - r->offset : n;
        memcpy(to, range->data + r->offset, take);
        to += take;
        n -= take;
        r->offset += take;
        if (r->offset == range->length) {
            r->range++;
            r->offset = 0;
        }
    }
}

/* What segmentation offload makes of the header: FIN and PSH belong to the last segment, CWR to the
 * first. */
static void patch_header(uint8_t *header, uint32_t offset, bool first, bool last)
{
    put32(header + 4, get32(header + 4) + offset);
    if (!last) {
        header[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    }
    if (!first) {
        header[13] &= (uint8_t)~TCP_CWR;
    }
}

void link_send(struct link *link, ackd_time now, const struct tcp_tx *tx)
{
    uint32_t size = tx->gso_size > 0 ? tx->gso_size : tx->payload_len, offset = 0;
    struct reader reader = {.tx = tx};
    link->stats.frames++;
    if (link->frame != NULL) {
        link->frame(link->ctx, link, tx);
    }
    do {
        uint32_t n = tx->payload_len - offset < size ? tx->payload_len - offset : size;
        bool first = offset == 0, last = offset + n == tx->payload_len;
        struct wire_segment *s = segment_new(TCP_HEADER_MAX + n);
        s->src = tx->src;
        s->dst = tx->dst;
        s->ttl = tx->ttl;
        s->tos = tx->tos;
        s->length = tx->header_len + n;
        memcpy(s->bytes, tx->header, tx->header_len);
        read_payload(&reader, s->bytes + tx->header_len, n);
        patch_header(s->bytes, offset, first, last);
        if (tx->checksum_partial || !first || !last) {
            put_checksum(s);
        }
        link_carry(link, now, s);
        offset += n;
    } while (offset < tx->payload_len);
}

void link_inject(struct link *link, ackd_time now, const struct wire_segment *s)
{
    struct wire_segment *copy = segment_copy(s);
    if (!copy->damaged) {
        put_checksum(copy);
    }
    copy->sent = now;
    launch(link, copy, now, false);
}

/* ---- the way out ---- */

ackd_time link_next(const struct link *link)
{
    return link->n == 0 ? TIME_NEVER : link->heap[0]->due;
}

/* May `b` be put behind `a` as GRO does it: same connection, header and options, contiguous, no
 * segment of another size but the last? */
static bool mergeable(const struct wire_segment *a, const struct wire_segment *b)
{
    uint32_t ha = (a->bytes[12] >> 4) * 4u, hb = (b->bytes[12] >> 4) * 4u;
    uint32_t size = a->gso_size > 0 ? a->gso_size : a->length - ha;
    if (b->icmp_mtu > 0 || b->damaged || ha != hb || b->length <= hb || size == 0 ||
        (a->length - ha) % size != 0 || b->length - hb > size ||
        a->length + b->length > FRAME_MAX || (a->bytes[13] & (TCP_FIN | TCP_PSH)) != 0) {
        return false;
    }
    const uint8_t plain = TCP_ACK;
    return (a->bytes[13] == plain) && (b->bytes[13] & ~(TCP_PSH | TCP_FIN)) == plain &&
           a->tos == b->tos && ip_addr_equal(&a->src, &b->src) && ip_addr_equal(&a->dst, &b->dst) &&
           memcmp(a->bytes, b->bytes, 4) == 0 &&
           get32(a->bytes + 4) + (a->length - ha) == get32(b->bytes + 4) &&
           memcmp(a->bytes + 8, b->bytes + 8, 5) == 0 &&
           memcmp(a->bytes + 14, b->bytes + 14, 2) == 0 &&
           memcmp(a->bytes + 20, b->bytes + 20, ha - 20) == 0;
}

static struct wire_segment *merge(struct link *link, ackd_time now, struct wire_segment *a)
{
    uint32_t header = (a->bytes[12] >> 4) * 4u;
    while (!a->damaged && a->length > header && link->n > 0 &&
           time_reached(link->heap[0]->due, now) && mergeable(a, link->heap[0])) {
        struct wire_segment *b = pop(link);
        if (a->gso_size == 0) {
            struct wire_segment *wide = segment_new(FRAME_MAX);
            memcpy(wide, a, sizeof(*a) + a->length);
            wide->room = FRAME_MAX;
            wide->gso_size = (uint16_t)(a->length - header);
            free(a);
            a = wide;
        }
        memcpy(a->bytes + a->length, b->bytes + header, b->length - header);
        a->length += b->length - header;
        a->bytes[13] |= b->bytes[13];
        a->checksum_ok = true; /* each was checked before it was merged */
        link->stats.merged++;
        free(b);
    }
    return a;
}

struct wire_segment *link_receive(struct link *link, ackd_time now)
{
    while (link->n > 0 && time_reached(link->heap[0]->due, now)) {
        struct wire_segment *s = pop(link);
        if (s->icmp_mtu > 0) {
            return s;
        }
        if (link->profile.vouch || link->profile.merge) {
            bool right = checksum_right(s);
            if (link->profile.vouch && !right) {
                free(s);
                continue;
            }
            s->checksum_ok = link->profile.vouch;
            s->damaged = !right;
        }
        if (link->profile.merge) {
            s = merge(link, now, s);
        }
        tell(link, now, LINK_ARRIVED, s);
        return s;
    }
    return NULL;
}
