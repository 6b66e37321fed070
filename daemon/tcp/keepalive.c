/* Keepalive (RFC 9293 section 3.8.4, MUST-24 to MUST-29, SHLD-12): off unless asked for, only on an
 * idle connection with nothing outstanding, a probe without data at SND.NXT-1, and never one lost
 * probe as a verdict. */
#include "tcp/tcb.h"

void keepalive_stop(struct tcb *c)
{
    if (c->extras) {
        c->extras->t_keepalive = TIME_NEVER;
    }
}

/* Without memory for its time the next segment tries again. */
void keepalive_restart(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    const struct tcp_options *o = &c->options->v;
    c->flags &= ~(uint32_t)C_KEEPALIVE_DUE;
    keepalive_stop(c);
    if (c->extras) {
        c->extras->keepalive_probes = 0;
    }
    if (o->keepalive && state_synchronized(c->t.rec.state) && c->t.rec.state != TCP_TIME_WAIT &&
        tcb_extras(e, c)) {
        c->extras->t_keepalive = time_add(now, o->keepalive_idle_ns);
    }
}

void keepalive_fired(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    const struct tcp_options *o = &c->options->v;
    struct extras *x = c->extras;
    if (tcb_outstanding(c) ||
        tcb_unsent(c)) { /* MUST-26: retransmission and persist watch over it */
        x->t_keepalive = time_add(now, o->keepalive_interval_ns);
        return;
    }
    if (x->keepalive_probes >= o->keepalive_count) {
        reset_tcb(e, c, now, TCP_RST_SENT_TIMED_OUT);
        tcb_closed(e, c, now, TCP_CLOSE_KEEPALIVE_TIMEOUT);
        return;
    }
    x->keepalive_probes++;
    c->flags |= C_KEEPALIVE_DUE;
    x->t_keepalive = time_add(now, o->keepalive_interval_ns);
}
