/* ICMP errors about our segments (RFC 9293 section 3.9.2.2, MUST-54 to MUST-56, SHLD-25, SHLD-26;
 * RFC 5927). An error counts only when the sequence number that it quotes is in flight, so that an
 * outsider has to guess it. Soft errors are told and never abort; hard ones abort as the
 * connection's policy says; "too big" lowers the path MTU and sends what was too large again,
 * smaller, with no congestion response (RFC 1191, 8201). */
#include "tcp/tcb.h"

static bool any_error_aborts(const struct tcp_engine *e, const struct tcb *c)
{
    return e->config.icmp_ends_opening && !state_synchronized(c->t.rec.state);
}

static bool hard_error_aborts(const struct tcb *c)
{
    switch (c->options->v.icmp_policy) {
    case TCP_ICMP_RFC9293:
        return true;
    case TCP_ICMP_IGNORE:
        return false;
    default: /* RFC 5927 section 5.2: hard errors are soft once synchronized */
        return !state_synchronized(c->t.rec.state);
    }
}

static bool sequence_in_flight(const struct tcb *c, tcp_seq seq)
{
    return seq_ge(seq, c->snd.una) && seq_lt(seq, c->snd.nxt);
}

void tcp_icmp(struct tcp_engine *e, ackd_time now, const struct tcp_icmp *icmp)
{
    struct tcp_tuple t = {icmp->src, icmp->dst, icmp->sport, icmp->dport};
    struct rec *r = rec_lookup(e, &t);
    if (!r || r->kind != REC_CONNECTION) {
        e->counters.drops[TCP_DROP_ICMP_NO_CONNECTION]++;
        return;
    }
    struct tcb *c = tcb_of_rec(r);
    if (!sequence_in_flight(c, icmp->seq)) {
        e->counters.drops[TCP_DROP_ICMP_BAD_SEQUENCE]++;
        return;
    }
    if (icmp->kind == TCP_ICMP_TOO_BIG) {
        mtu_too_big(e, c, now, icmp->seq, icmp->mtu);
    } else {
        c->soft_error = (uint16_t)icmp->error;
        bool hard = icmp->kind == TCP_ICMP_HARD && hard_error_aborts(c);
        if (hard || any_error_aborts(e, c)) {
            tcb_closed(e, c, now, TCP_CLOSE_ICMP_HARD_ERROR);
        } else {
            ready_tcb(e, c, TCP_READY_SOFT_ERROR);
        }
    }
    door_close(e);
}
