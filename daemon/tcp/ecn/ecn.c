/* Explicit Congestion Notification (RFC 3168; its relaxations RFC 8311; AccECN, RFC 9768, beside it
 * in accecn.c): a router marks what it would have dropped, the receiver echoes the mark, the sender
 * slows down without having lost anything.
 *
 * The handshake agrees in three flags, AE CWR ECE: a SYN with 011 offers the classic form and with
 * 111 the accurate one; a SYN,ACK with 001 (or 101, of the ECN nonce) answers the classic form, and
 * with 010, 011, 100 or 110 the accurate one, telling which codepoint the SYN arrived with. What
 * comes back as it was sent was reflected by somebody who knows nothing of ECN.
 *
 * In the classic form the receiver sets ECE on everything it sends from a marked segment on, until
 * one with CWR says that the sender has reacted; the sender reacts once a window, and says so on
 * the next new segment. DCTCP (RFC 8257) wants to know how much was marked: its receiver echoes
 * each segment's own mark.
 *
 * Only new data are ECN-capable: not a SYN, a pure ACK, a window probe, a retransmission (RFC 3168
 * section 6.1). */
#include "tcp/tcb.h"

#define SYN_FLAGS (TCP_AE | TCP_CWR | TCP_ECE)

static uint16_t accurate_handshake(unsigned codepoint)
{
    static const uint16_t flags[] = {
        [IP_ECN_NOT_ECT] = TCP_CWR,
        [IP_ECN_ECT1] = TCP_CWR | TCP_ECE,
        [IP_ECN_ECT0] = TCP_AE,
        [IP_ECN_CE] = TCP_AE | TCP_CWR,
    };
    return flags[codepoint];
}

/* ---- the handshake ---- */

enum ecn_mode ecn_offer(const struct tcp_options *o)
{
    return o->ecn == TCP_ECN_ACCURATE ? ECN_ACCURATE
           : o->ecn == TCP_ECN_ON     ? ECN_CLASSIC
                                      : ECN_NONE;
}

enum ecn_mode ecn_from_syn(const struct tcp_options *o, uint16_t flags)
{
    flags &= SYN_FLAGS;
    if (o->ecn == TCP_ECN_OFF) {
        return ECN_NONE;
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
    flags &= SYN_FLAGS;
    if (offered == ECN_NONE || !flags || flags == SYN_FLAGS) {
        return ECN_NONE;
    }
    if (flags == TCP_ECE || flags == (TCP_AE | TCP_ECE)) {
        return ECN_CLASSIC;
    }
    return offered == ECN_CLASSIC ? ECN_NONE : ECN_ACCURATE; /* 011 to 011 is a reflection */
}

uint16_t ecn_syn_flags(enum ecn_mode mode, bool answers, unsigned codepoint)
{
    switch (mode) {
    case ECN_CLASSIC:
        return answers ? TCP_ECE : TCP_CWR | TCP_ECE;
    case ECN_ACCURATE:
        return answers ? accurate_handshake(codepoint) : SYN_FLAGS;
    default:
        return 0;
    }
}

void ecn_syn_lost(struct tcp_engine *e, struct negotiated *n, unsigned transmissions)
{
    /* The accurate form is tried once more (RFC 9768 section 3.1.4.1). */
    unsigned tries = n->ecn == ECN_ACCURATE ? 2 : 1;
    if (n->ecn != ECN_NONE && transmissions > tries) {
        n->ecn = ECN_NONE;
        e->counters.ecn_fallbacks++;
    }
}

void ecn_agreed(struct tcp_engine *e, struct tcb *c, bool active)
{
    if (c->nego.ecn == ECN_ACCURATE && !accecn_begin(e, c, active)) {
        c->ecn.send_not_ect = true; /* no memory: we neither count nor tell */
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
    if ((s->rx->tos & 3) == IP_ECN_CE) {
        e->counters.ecn_ce_received += s->segs;
    }
    if (c->nego.ecn == ECN_CLASSIC) {
        classic_received(c, s);
    } else if (c->nego.ecn == ECN_ACCURATE) {
        accecn_received(c, s);
    }
}

/* ---- sending ---- */

uint16_t ecn_flags(struct tcp_engine *e, struct tcb *c, const struct plan *p)
{
    if (c->nego.ecn == ECN_ACCURATE) {
        return accecn_flags(c);
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

uint8_t ecn_codepoint(const struct tcb *c, const struct plan *p)
{
    bool capable =
        c->nego.ecn != ECN_NONE && !c->ecn.send_not_ect && p->what == PLAN_DATA && p->length;
    return capable ? IP_ECN_ECT0 : IP_ECN_NOT_ECT;
}

bool ecn_single_segment(const struct tcb *c)
{
    return c->ecn.cwr_due;
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
