/* Buffers that follow the path. A buffer smaller than what the path holds in a round trip limits
 * the connection for no reason; one that large for every connection is memory for nothing. So both
 * begin at the size that the option names and may grow to its maximum; equal, they are fixed.
 *
 * The receiver cannot see the sender's window, but it sees what its own user takes in a round trip
 * (dynamic right-sizing: Fisk and Feng, 2001): when a sender in slow start doubles each time, twice
 * of what was read in the last one must fit. The round trip of a side that only receives comes from
 * timestamps that return (RFC 7323), smoothed; without them, from the time in which a whole window
 * came, of which the least is nearest to the truth.
 *
 * The sender knows: two congestion windows, one in flight and one to be sent while it is. But what
 * the user writes long before it is sent has left the processor's cache by then and is fetched from
 * memory once more (docs/performance.md). So no more than the first size, or a quarter of cwnd if
 * that is more, waits to be sent, and the user is woken while a part of it still waits. */
#include "tcp/tcb.h"

#define RTT_MIN_NS (NS_PER_MS / 2) /* timestamps tick in milliseconds: 0 is less than one */
#define RTT_MAX_NS (60 * NS_PER_S)

uint32_t rcv_buffer(const struct tcb *c)
{
    return tcb_tuning(c) ? tcb_tuning(c)->rcv_buffer : c->options->v.rcv_buffer;
}

uint32_t snd_buffer(const struct tcb *c)
{
    uint32_t least = c->options->v.snd_buffer, most = c->options->v.snd_buffer_max;
    uint64_t want = 2 * (uint64_t)tcb_cwnd(c);
    want = want > most ? most : want;
    return want > least ? (uint32_t)want : least; /* `most` may be less: then it is fixed */
}

static uint32_t up_to(uint32_t most, uint32_t there)
{
    return most > there ? most - there : 0;
}

uint32_t snd_room(const struct tcb *c)
{
    uint32_t first = c->options->v.snd_buffer, share = tcb_cwnd(c) / 4;
    uint32_t room = up_to(snd_buffer(c), tcb_buffered(c));
    uint32_t ahead = up_to(share > first ? share : first, tcb_unsent(c));
    return room < ahead ? room : ahead;
}

bool snd_wanted(const struct tcb *c)
{
    return c->flags & C_WRITE_WANTED || c->ready_bits & TCP_READY_WRITE;
}

/* Growth ends when three quarters of all memory are in use. */
static bool memory_is_short(const struct tcp_engine *e)
{
    struct arena_stats s;
    arena_stats(e->arena, &s);
    return s.used > s.limit / 4 * 3;
}

/* A connection that carries little is not worth the block. */
static bool tuning_begin(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    const struct tcp_options *o = &c->options->v;
    if (tcb_tuning(c)) {
        return true;
    }
    if (o->rcv_buffer >= o->rcv_buffer_max || tcb_received(c) < o->rcv_buffer / 8 ||
        memory_is_short(e) || !tcb_extras(e, c)) {
        return false;
    }
    struct tuning *t = c->extras->tuning = slab_alloc(&e->tuning_slab);
    if (t) {
        *t = (struct tuning){.rcv_buffer = o->rcv_buffer,
                             .rtt_ns = -1,
                             .window_end = seq_add(c->rcv.nxt, rcv_window(c)),
                             .window_since = now,
                             .read_mark = c->rcv.read,
                             .read_since = now,
                             .taken = 10u * c->rcv.adv_mss};
    }
    return t;
}

static void by_timestamp(struct tcb *c, const struct segment *s)
{
    struct tuning *t = tcb_tuning(c);
    uint32_t wire = s->rx->gso_size ? s->rx->gso_size : s->payload;
    if (s->o.tsecr == t->last_tsecr || wire < c->rcv.mss) {
        return; /* a small segment may have waited for its sender's user */
    }
    t->last_tsecr = s->o.tsecr;
    int64_t rtt = (int64_t)(timestamp_now(c->ts_offset, s->now) - s->o.tsecr) * NS_PER_MS;
    rtt = rtt < RTT_MIN_NS ? RTT_MIN_NS : rtt;
    if (rtt < RTT_MAX_NS) {
        t->rtt_ns = t->rtt_ns < 0 ? rtt : t->rtt_ns + (rtt - t->rtt_ns) / 8;
    }
}

static void by_window(struct tcb *c, ackd_time now)
{
    struct tuning *t = tcb_tuning(c);
    if (!seq_ge(c->rcv.nxt, t->window_end)) {
        return;
    }
    int64_t rtt = time_diff(now, t->window_since);
    if (t->rtt_ns < 0 || rtt < t->rtt_ns) {
        t->rtt_ns = rtt < RTT_MIN_NS ? RTT_MIN_NS : rtt;
    }
    t->window_end = seq_add(c->rcv.nxt, rcv_window(c));
    t->window_since = now;
}

void tune_received(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (!tuning_begin(e, c, s->now)) {
        return;
    }
    if (c->nego.timestamps && s->o.tsecr) {
        by_timestamp(c, s);
    } else {
        by_window(c, s->now);
    }
}

/* What to hold when `copied` bytes were read in a round trip, and `before` in the one before: twice
 * that, for the sender's next round; more while it still accelerates; and what frames weigh around
 * their payload. */
static uint64_t wanted(const struct tcb *c, uint64_t copied, uint64_t before)
{
    uint64_t window = 2 * copied + 16u * c->rcv.adv_mss;
    uint64_t faster = copied - before < before ? copied - before : before;
    window += 2 * (window * faster / (before ? before : 1));
    return window + window / 4;
}

void tune_read(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct tuning *t = tcb_tuning(c);
    if (!t || t->rtt_ns < 0 || time_diff(now, t->read_since) < t->rtt_ns) {
        return;
    }
    uint64_t copied = c->rcv.read - t->read_mark;
    if (copied > t->taken) {
        uint64_t want = wanted(c, copied, t->taken), most = c->options->v.rcv_buffer_max;
        want = want > most ? most : want;
        if (want > t->rcv_buffer && !memory_is_short(e)) {
            t->rcv_buffer = (uint32_t)want;
            e->counters.rcv_buffer_grown++;
        }
        t->taken = copied;
    }
    t->read_mark = c->rcv.read;
    t->read_since = now;
}

void tuning_free(struct tcp_engine *e, struct tcb *c)
{
    if (tcb_tuning(c)) {
        slab_free(&e->tuning_slab, tcb_tuning(c));
        c->extras->tuning = NULL;
    }
}
