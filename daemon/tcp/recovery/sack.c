/* SACK blocks (RFC 2018) mark runs of the retransmission queue; a first block that lies below the
 * ACK, or inside the second one, is a DSACK (RFC 2883): it names octets that came twice. A peer may
 * lie: blocks outside what was sent are ignored and counted, and what cutting runs may cost is
 * bounded by the queue. */
#include "tcp/tcb.h"

/* RFC 2883 section 4. */
static bool looks_like_dsack(const struct segment *s)
{
    const struct tcp_sack_block *b = s->o.sack;
    if (seq_le(b[0].end, s->h.ack)) {
        return true;
    }
    return s->o.n_sack > 1 && seq_ge(b[0].start, b[1].start) && seq_le(b[0].end, b[1].end);
}

/* The octets that it names were sent, and not longer ago than the largest window. */
static bool dsack_valid(const struct tcb *c, const struct tcp_sack_block *b)
{
    return seq_lt(b->start, b->end) && seq_le(b->end, c->snd.nxt) &&
           seq_ge(b->start, seq_sub(c->snd.una, c->snd.max_wnd)) && seq_gt(b->start, c->snd.iss);
}

static bool block_valid(const struct tcb *c, const struct segment *s,
                        const struct tcp_sack_block *b)
{
    return seq_lt(b->start, b->end) && seq_ge(b->start, s->h.ack) && seq_le(b->end, c->snd.nxt);
}

/* The segments of which the block holds every octet. */
static struct tcp_sack_block whole_segments(struct rtxq *q, struct tcp_sack_block b)
{
    const struct rtx_run *first = rtxq_at(q, b.start), *last = rtxq_at(q, seq_sub(b.end, 1));
    uint32_t into = first ? seq_dist(b.start, first->start) % first->mss : 0;
    if (into) {
        b.start = seq_add(b.start, first->mss - into);
    }
    if (last && !seq_eq(b.end, last->end)) {
        b.end = seq_sub(b.end, seq_dist(b.end, last->start) % last->mss);
    }
    return b;
}

void recovery_sack(struct tcp_engine *e, struct tcb *c, struct ack_news *n)
{
    const struct segment *s = n->s;
    struct rtxq *q = c->act ? &c->act->rtxq : NULL;
    unsigned first = 0;
    uint32_t splits = 0;
    if (looks_like_dsack(s)) {
        first = 1;
        n->dsack = dsack_valid(c, &s->o.sack[0]);
        n->dsack_block = s->o.sack[0];
        *(n->dsack ? &e->counters.dsack_received : &e->counters.sack_rejected) += 1;
    }
    for (unsigned i = first; q && q->runs && i < s->o.n_sack; i++) {
        if (!block_valid(c, s, &s->o.sack[i])) {
            e->counters.sack_rejected++;
            continue;
        }
        struct tcp_sack_block b = s->o.sack[i];
        if (e->config.sack_whole_segments) {
            b = whole_segments(q, b);
        }
        if (!rtxq_sack(q, &e->run_slab, b.start, b.end, &n->delta, &splits)) {
            e->counters.rtx_run_limit++;
        }
    }
    e->counters.sack_splits += splits;
}
