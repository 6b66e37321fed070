/* Explicit Congestion Notification (RFC 3168; its relaxations RFC 8311; AccECN, RFC 9768, beside it
 * in accecn.c): a router marks what it would have dropped, the receiver echoes the mark, the sender
 * slows down without having lost anything.
 *
 * The handshake agrees in three flags, AE CWR ECE: a SYN with 011 offers the classic form and with
 * 111 the accurate one; a SYN,ACK with 001 answers the classic form, and with 010, 011, 100 or 110
 * the accurate one, telling which codepoint the SYN arrived with (101 is reserved, and says that it
 * arrived as it was sent). What comes back as it was sent was reflected by somebody who knows
 * nothing of ECN.
 *
 * A SYN or SYN,ACK that stays unanswered may have been dropped for its flags, and goes again
 * without them. The first that arrives decides on the form (RFC 9768 section 3.1.4 and 3.1.5); but
 * who cannot know which one that was at the other end sends nothing ECN-capable.
 *
 * In the classic form the receiver sets ECE on everything it sends from a marked segment on, until
 * one with CWR says that the sender has reacted; the sender reacts once a window, and says so on
 * the next new segment. DCTCP (RFC 8257) wants to know how much was marked: its receiver echoes
 * each segment's own mark.
 *
 * Only new data are ECN-capable: not a SYN, a pure ACK, a window probe, a retransmission (RFC 3168
 * section 6.1). In the fabric of DCTCP what is not is dropped where the rest is marked: there SYN,
 * SYN,ACK and RST are ECN-capable, too (RFC 8257 section 3.6), when they offer ECN or belong to a
 * connection that has it. (Linux then sets ECT on pure ACKs and retransmissions as well, of which
 * RFC 8257 says nothing and RFC 3168 MUST NOT.) */
#include "tcp/tcb.h"

#include <limits.h>

uint16_t ecn_accurate_handshake(unsigned codepoint)
{
    static const uint16_t flags[] = {
        [IP_ECN_NOT_ECT] = TCP_CWR,
        [IP_ECN_ECT1] = TCP_CWR | TCP_ECE,
        [IP_ECN_ECT0] = TCP_AE,
        [IP_ECN_CE] = TCP_AE | TCP_CWR,
    };
    return flags[codepoint & 3];
}

/* ---- the handshake ---- */

enum ecn_mode ecn_offer(const struct tcp_options *o)
{
    switch (o->ecn) {
    case TCP_ECN_ACCURATE:
        return ECN_ACCURATE;
    case TCP_ECN_ON:
    case TCP_ECN_CLASSIC:
        return ECN_CLASSIC;
    default:
        return ECN_NONE;
    }
}

enum ecn_mode ecn_from_syn(const struct tcp_options *o, uint16_t flags)
{
    flags &= TCP_ECN_FLAGS;
    if (o->ecn == TCP_ECN_OFF) {
        return ECN_NONE;
    }
    bool classic = o->ecn == TCP_ECN_CLASSIC || o->ecn == TCP_ECN_CLASSIC_PASSIVE;
    if (classic) { /* the third flag was once reserved */
        flags &= (uint16_t)~TCP_AE;
    }
    if (flags == (TCP_CWR | TCP_ECE)) {
        return ECN_CLASSIC;
    }
    /* All other forms with AE are of the future, and answered as the accurate one (RFC 9768 3.1.3)
     */
    return flags & TCP_AE ? ECN_ACCURATE : ECN_NONE;
}

enum ecn_mode ecn_from_syn_ack(enum ecn_mode offered, uint16_t flags)
{
    flags &= TCP_ECN_FLAGS;
    if (offered == ECN_NONE || !flags || flags == TCP_ECN_FLAGS) {
        return ECN_NONE;
    }
    if (flags == TCP_ECE || (flags == (TCP_AE | TCP_ECE) && offered == ECN_CLASSIC)) {
        return ECN_CLASSIC;
    }
    return offered == ECN_CLASSIC ? ECN_NONE : ECN_ACCURATE; /* 011 to 011 is a reflection */
}

/* Section 6.1.1.1; the accurate form is tried once more, and by both sides (RFC 9768 section
 * 3.1.4.1, 3.2.3.2.2). */
static unsigned tries(enum ecn_mode mode, bool answers)
{
    return mode == ECN_ACCURATE ? 2 : answers ? UINT_MAX : 1;
}

uint16_t ecn_syn_flags(struct tcp_engine *e, struct negotiated *n, bool answers,
                       unsigned transmissions)
{
    if (n->ecn == ECN_NONE) {
        return 0;
    }
    if (transmissions > tries((enum ecn_mode)n->ecn, answers)) {
        e->counters.ecn_fallbacks += !n->ecn_plain;
        n->ecn_plain = true;
        return 0;
    }
    if (n->ecn == ECN_CLASSIC) {
        return answers ? TCP_ECE : TCP_CWR | TCP_ECE;
    }
    return answers ? ecn_accurate_handshake(n->ecn_seen) : TCP_ECN_FLAGS;
}

uint16_t ecn_tcb_syn_flags(struct tcp_engine *e, struct tcb *c, bool answers,
                           unsigned transmissions)
{
    bool both = answers && !(c->flags & C_PASSIVE); /* simultaneous open: the SYN was the first */
    uint16_t flags = ecn_syn_flags(e, &c->nego, answers, transmissions - both);
    c->ecn.send_not_ect |= answers && c->nego.ecn_plain;
    return flags;
}

bool ecn_syn_again(const struct tcp_options *o, struct negotiated *n, const struct segment *s)
{
    if (n->ecn == ECN_NONE) {
        return true;
    }
    enum ecn_mode mode = ecn_from_syn(o, s->h.flags);
    n->ecn_seen = s->rx->tos & 3;
    n->ecn_plain |= !(s->h.flags & TCP_ECN_FLAGS);
    return mode == ECN_NONE || mode == (enum ecn_mode)n->ecn;
}

void ecn_agreed(struct tcp_engine *e, struct tcb *c, bool active)
{
    if (c->nego.ecn == ECN_ACCURATE && !accecn_begin(e, c, active)) {
        c->ecn.send_not_ect = true; /* no memory: we neither count nor tell */
    }
    /* Who opened with AccECN knows that the other end has it, whatever else was sent (section
     * 3.1.5); for the others see RFC 3168 section 6.1.1. */
    if (c->nego.ecn_plain && !(active && c->nego.ecn == ECN_ACCURATE)) {
        c->ecn.send_not_ect = true;
    }
    if (active && tcb_accecn(c)) {
        accecn_syn_ack_arrived(c, c->nego.ecn_seen);
    }
}

/* ---- receiving ---- */

static void classic_received(struct tcb *c, const struct segment *s)
{
    if (!s->payload) { /* what is not ECN-capable cannot have been marked by a router */
        return;
    }
    bool marked = (s->rx->tos & 3) == IP_ECN_CE;
    if (c->options->v.congestion == TCP_CONGESTION_DCTCP) { /* RFC 8257 section 3.2 */
        c->flags |= marked != c->ecn.echo ? C_ACK_NOW : 0;
        c->ecn.echo = marked;
        return;
    }
    if (s->h.flags & TCP_CWR) {
        c->ecn.echo = false;
    }
    if (marked) {
        c->ecn.echo = true;
        c->flags |= C_ACK_NOW; /* the sooner the sender knows the better */
    }
}

void ecn_received(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    /* Section 6.1.5, RFC 9768 section 1.3: what lies outside the window may be forged. */
    bool acceptable = s->drop != TCP_DROP_OLD_DUPLICATE && s->drop != TCP_DROP_OUT_OF_WINDOW;
    if ((s->rx->tos & 3) == IP_ECN_CE) {
        e->counters.ecn_ce_received += s->segs;
    }
    if (c->nego.ecn == ECN_CLASSIC && acceptable) {
        classic_received(c, s);
    } else if (c->nego.ecn == ECN_ACCURATE) {
        accecn_received(c, s, acceptable);
    }
}

/* ---- sending ---- */

uint16_t ecn_flags(struct tcp_engine *e, struct tcb *c, const struct plan *p,
                   const struct tcp_opts *o)
{
    if (c->nego.ecn == ECN_ACCURATE) {
        return accecn_flags(c, p->what == PLAN_ACK && !o->n_sack);
    }
    if (c->nego.ecn != ECN_CLASSIC) {
        return 0;
    }
    uint16_t flags = c->ecn.echo ? TCP_ECE : 0;
    if (c->ecn.cwr_due && p->what == PLAN_DATA && p->length) {
        c->ecn.cwr_due = false;
        e->counters.ecn_cwr_sent++;
        flags |= TCP_CWR;
    }
    return flags;
}

uint8_t ecn_codepoint(const struct tcp_engine *e, const struct tcb *c, const struct plan *p)
{
    bool agreed = c->nego.ecn != ECN_NONE && !c->ecn.send_not_ect;
    bool all = e->config.accecn_as_linux && tcb_accecn(c) && p->what != PLAN_SYN;
    bool capable = agreed && (all || (p->what == PLAN_DATA && p->length));
    return capable ? IP_ECN_ECT0 : IP_ECN_NOT_ECT;
}

uint8_t ecn_control_codepoint(const struct tcp_options *o, bool capable)
{
    return o->congestion == TCP_CONGESTION_DCTCP && capable ? IP_ECN_ECT0 : IP_ECN_NOT_ECT;
}

bool ecn_single_segment(const struct tcb *c)
{
    return c->ecn.cwr_due || accecn_counter_flags(c) & TCP_CWR;
}

uint32_t ecn_echoed(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                    const struct rtxq_delta *delta)
{
    if (c->nego.ecn == ECN_ACCURATE) {
        return accecn_echoed(e, c, s, delta);
    }
    bool echoed = c->nego.ecn == ECN_CLASSIC && s->h.flags & TCP_ECE && !(s->h.flags & TCP_SYN);
    e->counters.ecn_ece_received += echoed;
    return echoed ? delta->delivered : 0;
}

void ecn_reduced(struct tcb *c)
{
    c->ecn.cwr_due = c->nego.ecn == ECN_CLASSIC;
}
