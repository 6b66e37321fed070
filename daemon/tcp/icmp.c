/* ICMP errors about our segments (RFC 9293 section 3.9.2.2, MUST-54 to MUST-56, SHLD-25, SHLD-26;
 * RFC 5927). An error counts only when the sequence number that it quotes is in flight, so that an
 * outsider has to guess it. Soft errors are told and never abort; hard ones abort as the
 * connection's policy says; "too big" lowers the path MTU and sends what was too large again,
 * smaller, with no congestion response (RFC 1191, 8201). */
#include "tcp/tcb.h"

/* Does the error end a connection in this state? */
static bool aborts(const struct tcp_engine *e, const struct tcp_options *o, enum tcp_state state,
                   enum tcp_icmp_kind kind)
{
    bool opening = !state_synchronized(state), hard = kind == TCP_ICMP_HARD;
    if (!hard) {
        return opening && e->config.icmp_ends_opening;
    }
    switch (o->icmp_policy) {
    case TCP_ICMP_RFC9293:
        return true;
    case TCP_ICMP_IGNORE:
        return opening && e->config.icmp_ends_opening;
    default: /* RFC 5927 section 5.2: hard errors are soft once synchronized */
        return opening;
    }
}

static bool sequence_in_flight(const struct tcb *c, tcp_seq seq)
{
    return seq_ge(seq, c->snd.una) && seq_lt(seq, c->snd.nxt);
}

/* About the SYN,ACK of a handshake whose last ACK has not come. */
static void half_open_icmp(struct tcp_engine *e, struct half_open *h, ackd_time now,
                           const struct tcp_icmp *icmp)
{
    const struct listener *l = listener_find(e, h->listener);
    if (!seq_eq(icmp->seq, h->iss)) {
        e->counters.drops[TCP_DROP_ICMP_BAD_SEQUENCE]++;
    } else if (l && icmp->kind != TCP_ICMP_TOO_BIG &&
               aborts(e, &l->options->v, TCP_SYN_RECEIVED, icmp->kind)) {
        half_open_drop(e, h, now, TCP_CLOSE_ICMP_HARD_ERROR);
    }
    door_close(e);
}

void tcp_icmp(struct tcp_engine *e, ackd_time now, const struct tcp_icmp *icmp)
{
    struct tcp_tuple t = {icmp->src, icmp->dst, icmp->sport, icmp->dport};
    struct rec *r = rec_lookup(e, &t);
    if (r && r->kind == REC_HALF_OPEN) {
        half_open_icmp(e, (struct half_open *)(void *)r, now, icmp);
        return;
    }
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
        if (aborts(e, &c->options->v, c->t.rec.state, icmp->kind)) {
            tcb_closed(e, c, now, TCP_CLOSE_ICMP_HARD_ERROR);
        } else {
            ready_tcb(e, c, TCP_READY_SOFT_ERROR);
        }
    }
    door_close(e);
}
