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
    uint32_t buffer = c->options->v.rcv_buffer;
    uint32_t charge = c->rcvq ? c->rcvq->charge : 0;
    return charge < buffer ? buffer - charge : 0;
}

/* The window that the free buffer allows now, in the units of the field. */
static uint32_t offerable(const struct tcb *c)
{
    uint32_t space = rcv_space(c), most = UINT32_C(65535) << c->nego.rcv_wscale;
    if (c->flags & C_RECEIVE_CLOSED) {
        space = c->options->v.rcv_buffer; /* nothing will be kept: data are answered with RST */
    }
    space = space > most ? most : space;
    return space >> c->nego.rcv_wscale << c->nego.rcv_wscale;
}

static uint32_t silly_step(const struct tcb *c)
{
    uint32_t half = c->options->v.rcv_buffer / 2, mss = c->rcv.mss ? c->rcv.mss : c->adv_mss;
    return half < mss ? half : mss;
}

uint16_t rcv_window_field(struct tcp_engine *e, struct tcb *c, bool syn)
{
    if (syn) { /* never scaled in a SYN (RFC 7323 section 2.2) */
        uint32_t w = rcv_space(c);
        w = w > 65535 ? 65535 : w;
        c->rcv.adv = seq_add(c->rcv.nxt, w);
        return (uint16_t)w;
    }
    uint32_t shift = c->nego.rcv_wscale, owed = rcv_window(c), offer = offerable(c);
    uint32_t window = offer >= owed + silly_step(c) ? offer : owed;
    /* What is owed may not be a multiple of the unit: round up, the edge must not move back. */
    uint32_t field = (window + (1u << shift) - 1) >> shift;
    field = field > 65535 ? 65535 : field;
    c->rcv.adv = seq_max(c->rcv.adv, seq_add(c->rcv.nxt, field << shift));
    if (!field) {
        e->counters.zero_windows_sent++;
    }
    return (uint16_t)field;
}

/* Worth a segment when the window doubles, or half of the buffer became free. */
bool rcv_window_update_due(const struct tcb *c)
{
    uint32_t owed = rcv_window(c), offer = offerable(c);
    if (offer < owed + silly_step(c)) {
        return false;
    }
    return offer - owed >= c->options->v.rcv_buffer / 2 || offer >= 2 * owed;
}
