/* Loss detection from SACK (RFC 2018, 2883, 6675): blocks mark runs of the retransmission queue,
 * and a run is lost when three segments' worth, or three separate ranges, arrived beyond it. A peer
 * may lie: blocks outside what is in flight are ignored and counted. */
#include "tcp/tcb.h"

#define DUP_THRESH 3u

/* RFC 2883 section 4: the first block reports a duplicate when it lies below the ACK or inside the
 * second. */
static bool is_dsack(const struct segment *s)
{
    const struct tcp_sack_block *b = s->o.sack;
    if (seq_le(b[0].end, s->h.ack)) {
        return true;
    }
    return s->o.n_sack > 1 && seq_ge(b[0].start, b[1].start) && seq_le(b[0].end, b[1].end);
}

static bool block_valid(const struct tcb *c, const struct segment *s,
                        const struct tcp_sack_block *b)
{
    return seq_lt(b->start, b->end) && seq_ge(b->start, s->h.ack) && seq_le(b->end, c->snd.nxt);
}

/* RFC 6675 section 4, IsLost(): walks down from the highest SACKed octet. */
static bool mark_lost(struct tcb *c)
{
    struct rtxq *q = &c->act->rtxq;
    bool found = false;
    uint32_t sacked_above = 0, ranges = 0, enough = (DUP_THRESH - 1) * send_mss(c);
    bool in_range = false;
    for (struct list *l = q->by_seq.prev; l != &q->by_seq; l = l->prev) {
        struct rtx_run *r = container_of(l, struct rtx_run, by_seq);
        if (r->flags & RTX_SACKED) {
            sacked_above += seq_dist(r->end, r->start);
            ranges += !in_range;
            in_range = true;
            continue;
        }
        in_range = false;
        if (!(r->flags & (RTX_LOST | RTX_RETRANS)) &&
            (sacked_above > enough || ranges >= DUP_THRESH)) {
            rtxq_mark_lost(q, r);
            found = true;
        }
    }
    return found;
}

bool recovery_sack(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                   struct rtxq_delta *delta)
{
    if (!c->act->rtxq.runs || seq_lt(s->h.ack, c->snd.una)) {
        return false;
    }
    unsigned first = 0;
    if (is_dsack(s)) {
        e->counters.dsack_received++;
        first = 1;
    }
    uint32_t splits = 0;
    for (unsigned i = first; i < s->o.n_sack; i++) {
        if (!block_valid(c, s, &s->o.sack[i])) {
            e->counters.sack_rejected++;
        } else if (!rtxq_sack(&c->act->rtxq, &e->run_slab, s->o.sack[i].start, s->o.sack[i].end,
                              delta, &splits)) {
            e->counters.rtx_run_limit++;
        }
    }
    e->counters.sack_splits += splits;
    return delta->newly_sacked && mark_lost(c);
}
