/* Boundaries in the send buffer that one number cannot hold: where records end, which no segment
 * may straddle, sent the first time or again; and pushes that more data overtook before they were
 * sent (MUST-60 lets them collapse into the last; who writes faster than the window opens still
 * gets them where they were asked for). A connection that needs none has no block; the block's room
 * is the bound, beyond which a push is forgotten and a record is refused. */
#include "tcp/tcb.h"

#include <string.h>

static struct marks *marks_of(const struct tcb *c)
{
    return c->act ? c->act->marks : NULL;
}

bool marks_add(struct tcp_engine *e, struct tcb *c, tcp_seq at, bool record)
{
    if (!c->act) {
        return false;
    }
    if (!c->act->marks) {
        c->act->marks = slab_alloc(&e->marks_slab);
    }
    struct marks *m = c->act->marks;
    if (!m || m->count == SEND_MARKS) {
        return false;
    }
    m->at[m->count] = at;
    m->record[m->count++] = record;
    return true;
}

bool marks_pushed(const struct tcb *c, tcp_seq start, tcp_seq end)
{
    const struct marks *m = marks_of(c);
    for (unsigned i = 0; m && i < m->count; i++) {
        if (seq_gt(m->at[i], start) && seq_le(m->at[i], end)) {
            return true;
        }
    }
    return false;
}

uint32_t marks_limit(const struct tcb *c, tcp_seq start, uint32_t length)
{
    const struct marks *m = marks_of(c);
    for (unsigned i = 0; m && i < m->count; i++) {
        if (m->record[i] && seq_gt(m->at[i], start) && seq_dist(m->at[i], start) < length) {
            return seq_dist(m->at[i], start);
        }
    }
    return length;
}

uint32_t marks_frame(const struct tcb *c, tcp_seq start, uint32_t length, uint32_t mss)
{
    const struct marks *m = marks_of(c);
    for (unsigned i = 0; m && i < m->count; i++) {
        uint32_t distance = seq_dist(m->at[i], start);
        if (seq_gt(m->at[i], start) && distance < length && distance % mss == 0) {
            return distance;
        }
    }
    return length;
}

/* Keeps those for which `at` lies in (after, upto]. */
static void keep(struct tcb *c, tcp_seq after, tcp_seq upto)
{
    struct marks *m = marks_of(c);
    unsigned n = 0;
    for (unsigned i = 0; m && i < m->count; i++) {
        if (seq_gt(m->at[i], after) && seq_le(m->at[i], upto)) {
            m->at[n] = m->at[i];
            m->record[n++] = m->record[i];
        }
    }
    if (m) {
        m->count = (uint8_t)n;
    }
}

void marks_acked(struct tcb *c, tcp_seq una)
{
    keep(c, una, seq_add(una, INT32_MAX));
}

void marks_truncate(struct tcb *c, tcp_seq end)
{
    keep(c, seq_sub(c->snd.una, 1), end);
}

void marks_free(struct tcp_engine *e, struct tcb *c)
{
    if (marks_of(c)) {
        slab_free(&e->marks_slab, c->act->marks);
        c->act->marks = NULL;
    }
}
