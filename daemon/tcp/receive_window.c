/* The window we offer (RFC 9293 section 3.8.6). Its right edge never moves back (SHLD-14), and
 * moves forward only by steps worth a segment (MUST-39, the receiver's silly window avoidance). The
 * buffer is charged with the memory that data pin, not only with their octets. */
#include "tcp/tcb.h"

uint32_t rcv_window(const struct tcb *c)
{
    return seq_gt(c->rcv.adv, c->rcv.nxt) ? seq_dist(c->rcv.adv, c->rcv.nxt) : 0;
}

uint32_t rcv_space(const struct tcb *c)
{
    uint32_t buffer = rcv_buffer(c);
    uint32_t charge = c->rcvq ? c->rcvq->charge : 0;
    return charge < buffer ? buffer - charge : 0;
}

/* What may be promised. */
static uint32_t room(const struct tcb *c)
{
    if (c->flags & C_RECEIVE_CLOSED) {
        return rcv_buffer(c); /* nothing will be kept: data are answered with RST */
    }
    return rcv_space(c);
}

/* The window that the free buffer allows now, in the units of the field. */
static uint32_t offerable(const struct tcb *c)
{
    uint32_t space = room(c), most = UINT32_C(65535) << c->nego.rcv_wscale;
    space = space > most ? most : space;
    return space >> c->nego.rcv_wscale << c->nego.rcv_wscale;
}

static uint32_t silly_step(const struct tcb *c)
{
    uint32_t half = rcv_buffer(c) / 2, mss = c->rcv.mss ? c->rcv.mss : c->rcv.adv_mss;
    return half < mss ? half : mss;
}

uint16_t rcv_window_field(struct tcp_engine *e, struct tcb *c, bool syn)
{
    if (syn) { /* never scaled in a SYN (RFC 7323 section 2.2) */
        uint32_t w = rcv_space(c), owed = rcv_window(c);
        w = w > owed ? w : owed;
        w = w > 65535 ? 65535 : w;
        c->rcv.adv = seq_add(c->rcv.nxt, w);
        return (uint16_t)w;
    }
    uint32_t shift = c->nego.rcv_wscale, owed = rcv_window(c), offer = offerable(c);
    uint32_t window = offer >= owed + silly_step(c) ? offer : owed;
    /* What is owed may not be a multiple of the unit. It is rounded up, so that the edge does not
     * move back, but only into free buffer: else a peer that sends less than a unit at a time would
     * never see the window close. The edge that was promised holds (RFC 7323 section 2.4). */
    uint32_t field = (window + (1u << shift) - 1) >> shift;
    if (field << shift > room(c)) {
        field = window >> shift;
    }
    field = field > 65535 ? 65535 : field;
    c->rcv.adv = seq_max(c->rcv.adv, seq_add(c->rcv.nxt, field << shift));
    if (!field) {
        e->counters.zero_windows_sent++;
    }
    return (uint16_t)field;
}

/* What the queue may pin: the buffer, an eighth for what surrounds payload in its frames, and some
 * for ranges beyond holes; less the octets that were promised room and are still to come. So
 * however a peer cuts its segments, the memory follows the buffer, and what was promised is always
 * taken. */
uint32_t rcv_budget(const struct tcb *c, uint32_t length)
{
    uint32_t buffer = rcv_buffer(c), most = buffer + buffer / 8 + RCVQ_HOLES;
    uint32_t here = length + (c->rcvq ? c->rcvq->ooo_bytes : 0), owed = rcv_window(c);
    uint32_t to_come = owed > here ? owed - here : 0;
    return most > to_come ? most - to_come : 0;
}

/* Worth a segment when the window doubles, or half of the buffer became free. */
bool rcv_window_update_due(const struct tcb *c)
{
    uint32_t owed = rcv_window(c), offer = offerable(c);
    if (offer < owed + silly_step(c)) {
        return false;
    }
    return offer - owed >= rcv_buffer(c) / 2 || offer >= 2 * owed;
}
