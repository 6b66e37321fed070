/* Round-trip time and the retransmission timer (RFC 6298; MUST-18, MUST-19), and the procedure of
 * R1 and R2 (RFC 9293 section 3.8.3, MUST-20 to MUST-23, SHLD-9 to SHLD-11). The timer runs while
 * anything is outstanding. When the peer's window is zero, what it retransmits are window probes:
 * no congestion, and no end of the connection as long as they are answered (SHLD-17, MUST-37). */
#include "tcp/tcb.h"

#define GRANULARITY_NS NS_PER_MS /* G: the clock of timestamps */
#define BACKOFF_MAX 16

void rtt_sample(struct tcb *c, int64_t rtt_ns)
{
    if (rtt_ns < 0) {
        return;
    }
    if (c->rtt.srtt_ns < 0) { /* (2.2) */
        c->rtt.srtt_ns = rtt_ns;
        c->rtt.rttvar_ns = rtt_ns / 2;
    } else { /* (2.3) */
        int64_t error = c->rtt.srtt_ns > rtt_ns ? c->rtt.srtt_ns - rtt_ns : rtt_ns - c->rtt.srtt_ns;
        c->rtt.rttvar_ns += (error - c->rtt.rttvar_ns) / 4;
        c->rtt.srtt_ns += (rtt_ns - c->rtt.srtt_ns) / 8;
    }
    if (c->flow && (c->flow->min_rtt_ns < 0 || rtt_ns < c->flow->min_rtt_ns)) {
        c->flow->min_rtt_ns = rtt_ns;
    }
    c->rtt.backoff = 0; /* section 5: only a measurement ends the backoff */
    c->flags &= ~(uint32_t)C_RTO_3S;
}

int64_t rto_ns(const struct tcb *c)
{
    const struct tcp_options *o = &c->options->v;
    int64_t rto = o->rto_initial_ns;
    if (c->rtt.srtt_ns >= 0) {
        /* (2.3), with the minimum on what is added to SRTT: on a steady path RTTVAR fades away, and
         * an ACK that the peer delays would come after the timer. */
        int64_t var = 4 * c->rtt.rttvar_ns;
        int64_t least = o->rto_min_ns > GRANULARITY_NS ? o->rto_min_ns : GRANULARITY_NS;
        rto = c->rtt.srtt_ns + (var > least ? var : least);
    } else if (c->flags & C_RTO_3S && state_synchronized(c->t.rec.state)) {
        rto = rto < 3 * NS_PER_S ? 3 * NS_PER_S : rto; /* (5.7) */
    }
    for (unsigned i = 0; i < c->rtt.backoff && rto < o->rto_max_ns; i++) {
        rto *= 2;
    }
    return rto > o->rto_max_ns ? o->rto_max_ns : rto;
}

void rto_restart(struct tcb *c, ackd_time now)
{
    ackd_time t = time_add(now, rto_ns(c));
    c->act->t_rtx = c->flags & C_LOCAL_DROP ? time_min(c->act->t_rtx, t) : t;
}

static void tell_r1(struct tcp_engine *e, struct tcb *c)
{
    if (c->rtt.timeouts >= c->options->v.r1_timeouts && !(c->flags & C_R1_TOLD)) {
        c->flags |= C_R1_TOLD;
        ready_tcb(e, c, TCP_READY_SOFT_ERROR);
    }
}

void rto_fired(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (c->flags & C_LOCAL_DROP) { /* what was not handed to the wire is LOST already and goes
                                      again; the network did nothing */
        c->flags &= ~(uint32_t)C_LOCAL_DROP;
        rto_restart(c, now);
        return;
    }
    e->counters.rto_timeouts++;
    bool linear = c->t.rec.state == TCP_SYN_SENT && c->rtt.timeouts < e->config.syn_linear_timeouts;
    if (c->rtt.backoff < BACKOFF_MAX && !linear) {
        c->rtt.backoff++;
    }
    if (!c->snd.wnd && state_synchronized(c->t.rec.state)) {
        c->flags |= C_WINDOW_PROBED | C_PROBE_DUE;
    } else {
        c->rtt.timeouts += c->rtt.timeouts < UINT16_MAX;
        recovery_timeout(e, c, now);
        mtu_timeout(e, c, now);
        tell_r1(e, c);
    }
    rto_restart(c, now);
}

int64_t syn_timeout_ns(const struct tcp_options *o)
{
    return o->user_timeout_ns ? o->user_timeout_ns : o->syn_timeout_ns;
}

ackd_time user_timeout_deadline(const struct tcb *c)
{
    if (!c->act || (!tcb_outstanding(c) && !c->persist_backoff)) {
        return TIME_NEVER;
    }
    const struct tcp_options *o = &c->options->v;
    int64_t limit = !state_synchronized(c->t.rec.state) ? syn_timeout_ns(o) : user_timeout_ns(c);
    return time_add(c->act->oldest_unacked, limit);
}
