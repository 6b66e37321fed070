/* Accurate ECN (RFC 9768), the sender's half: what the peer's counters say of our packets. The
 * difference to what was known is what was marked since. ACE may have wrapped when one ACK
 * acknowledges more than seven packets: then the most that they allow is assumed, unless the option
 * shows how much was marked, or ACKs of so many are the rule here (section 3.2.2.5.2, appendix
 * A.2). An ACK that acknowledges nothing new and is no later than the last may have been overtaken
 * by it, and says nothing (appendix A.1).
 *
 * A path may change ECN's bits, and then what comes back is not about congestion. Each end learns
 * from the handshake how its SYN or SYN,ACK arrived. When routers may not have changed the
 * codepoint that was sent to that, we send nothing ECN-capable, but still heed what is echoed
 * (section 3.2.2.3). When the first ACE is zero, or all of the first round trips comes back marked,
 * we do neither (sections 3.2.2.1, 3.2.2.3, 3.2.2.4). In all cases we go on to tell what arrives
 * here. */
#include "tcp/tcb.h"

#define ROUNDS_WATCHED 4
#define ROUNDS_OVER UINT8_MAX
#define PACKETS_WRAP 8u   /* ACE counts modulo this */
#define AVERAGE_UNIT 8    /* of acked_average, which begins with what delayed ACKs acknowledge */
#define STRETCH_AVERAGE 4 /* packets an ACK; beyond it stretch ACKs are the rule (as in Linux) */

enum { ACE_NOT_ECT = 2, ACE_ECT1 = 3, ACE_ECT0 = 4, ACE_CE = 6 }; /* tables 2 and 3 */

unsigned accecn_ace(uint16_t flags)
{
    return (flags & TCP_AE ? 4u : 0u) | (flags & TCP_CWR ? 2u : 0u) | (flags & TCP_ECE ? 1u : 0u);
}

static void stop_ect(struct tcp_engine *e, struct tcb *c)
{
    e->counters.ecn_mangled += !c->ecn.send_not_ect;
    c->ecn.send_not_ect = c->ecn.mangled = true;
}

static void distrust(struct tcp_engine *e, struct tcb *c)
{
    stop_ect(e, c);
    tcb_accecn(c)->distrusted = true;
}

/* ---- the handshake ---- */

/* Not-ECT and CE stay, and ECT does not become Not-ECT (RFC 3168 section 18). */
static bool path_may(unsigned sent, unsigned ace)
{
    return sent == IP_ECN_NOT_ECT ? ace != ACE_ECT1 && ace != ACE_ECT0 && ace != ACE_CE
                                  : ace != ACE_NOT_ECT;
}

/* How our SYN or SYN,ACK arrived; of those that went again without ECN one of them. Its mark is
 * answered as its loss would be (RFC 5681 section 3.1), or, when data went with it, like any other.
 * True: it was marked. */
static bool own_syn_arrived(struct tcp_engine *e, struct tcb *c, unsigned ace)
{
    if (!c->nego.ecn_plain && !path_may(ecn_control_codepoint(&c->options->v, true), ace)) {
        stop_ect(e, c);
    }
    c->syn_suffered = c->syn_suffered || (ace == ACE_CE && !c->flow);
    return ace == ACE_CE;
}

/* Octets newly marked CE by the option, and moves what is known on; -1 without one. */
static int64_t option_marked(struct accecn *a, const struct segment *s)
{
    const struct tcp_opts *o = &s->o;
    if (!o->has_accecn || a->option_ignored) {
        return -1;
    }
    for (unsigned i = 0; i < o->accecn_fields && !a->option_heard; i += 2) { /* both ECT */
        a->option_ignored |= !o->accecn[i];                                  /* section 3.2.3.2.4 */
    }
    a->option_heard = true;
    if (a->option_ignored) {
        return -1;
    }
    int64_t marked = -1;
    for (unsigned i = 0; i < o->accecn_fields; i++) {
        unsigned counter = o->accecn_order1 ? 2 - i : i; /* ECT(1), CE, ECT(0) */
        uint32_t more = (o->accecn[i] - a->echoed.bytes[counter]) & ACCECN_COUNTER_MASK;
        if (more > ACCECN_COUNTER_MASK / 2) { /* an older ACK: it tells nothing new */
            continue;
        }
        a->ect_echoed |= counter != ACCECN_CEB && more;
        a->echoed.bytes[counter] = o->accecn[i] & ACCECN_COUNTER_MASK;
        if (counter == ACCECN_CEB) {
            marked = more;
        }
    }
    return marked;
}

void accecn_syn_ack_heard(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (tcb_accecn(c)) {
        option_marked(tcb_accecn(c), s);
        own_syn_arrived(e, c, accecn_ace(s->h.flags));
    }
}

/* Table 4: the server's s.cep follows a mark, so that it agrees with the client's r.cep. */
static uint32_t third_ack(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    struct accecn *a = tcb_accecn(c);
    unsigned ace = accecn_ace(s->h.flags);
    option_marked(a, s);
    if (!ace) {
        distrust(e, c);
        return 0;
    }
    bool marked = own_syn_arrived(e, c, ace);
    a->echoed.packets += marked;
    a->packets_at_option = a->echoed.packets;
    return marked;
}

/* ---- afterwards ---- */

static bool superseded(const struct tcb *c, const struct segment *s, const struct rtxq_delta *delta)
{
    bool later =
        c->nego.timestamps && s->o.has_timestamps && (int32_t)(s->o.tsval - c->ts_recent) > 0;
    bool text = segment_len(s) && seq_ge(s->seq, c->rcv.nxt);
    return !delta->delivered && !later && !text;
}

static bool a_safe_guess(const struct accecn *a, uint32_t delta, uint32_t safe, int64_t octets,
                         uint32_t mss)
{
    if (octets < 0) {
        return a->acked_average > STRETCH_AVERAGE * AVERAGE_UNIT;
    }
    return octets <= (int64_t)mss * delta && 2 * octets < (int64_t)mss * safe;
}

/* Packets newly marked. */
static uint32_t ace_marked(struct accecn *a, const struct segment *s, uint32_t packets,
                           int64_t octets, uint32_t mss)
{
    uint32_t delta = (accecn_ace(s->h.flags) - a->echoed.packets) & 7;
    if (!a->acked_average) { /* as Linux begins */
        a->acked_average = (int32_t)(packets < 256 ? packets : 256) * AVERAGE_UNIT;
    }
    if (packets >= PACKETS_WRAP) {
        uint32_t safe = packets - ((packets - delta) & 7);
        delta = a_safe_guess(a, delta, safe, octets, mss) ? delta : safe;
    }
    a->echoed.packets += delta;
    if (packets) {
        a->acked_average += ((int32_t)(packets * AVERAGE_UNIT) - a->acked_average) / AVERAGE_UNIT;
    }
    return delta;
}

/* Section 3.2.3.2.5: octets were marked, and in no packet. */
static bool inconsistent(struct accecn *a, uint32_t packets, int64_t octets)
{
    a->packets_since_option += packets;
    if (octets < 0) {
        return false;
    }
    bool impossible = octets > 0 && a->echoed.packets == a->packets_at_option &&
                      a->packets_since_option < PACKETS_WRAP;
    a->packets_at_option = a->echoed.packets;
    a->packets_since_option = 0;
    return impossible;
}

/* Section 3.2.2.3: every packet of the first round trips was marked? */
static bool always_marked(struct tcb *c, uint32_t packets)
{
    struct accecn *a = tcb_accecn(c);
    if (a->rounds == ROUNDS_OVER || !packets) {
        return false;
    }
    a->delivered += packets;
    if (a->ect_echoed || a->echoed.packets - ACCECN_PACKETS_START < a->delivered) {
        a->rounds = ROUNDS_OVER;
        return false;
    }
    if (!a->rounds || seq_ge(c->snd.una, a->round_end)) {
        a->rounds++;
        a->round_end = c->snd.nxt;
    }
    return a->rounds > ROUNDS_WATCHED;
}

/* Section 3.2.2.4. Three marks make the field zero: not of fewer packets. */
static bool cleared(struct accecn *a, const struct segment *s, uint32_t packets)
{
    bool first = a->first_heard;
    a->first_heard = false;
    return first && !accecn_ace(s->h.flags) && packets < PACKETS_WRAP - ACCECN_PACKETS_START;
}

uint32_t accecn_echoed(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                       const struct rtxq_delta *delta)
{
    struct accecn *a = tcb_accecn(c);
    if (!a || s->h.flags & TCP_SYN) {
        return 0;
    }
    bool handshake = a->handshake && !segment_len(s) && !s->o.n_sack;
    a->handshake = false;
    if (handshake) {
        return third_ack(e, c, s) ? delta->delivered : 0;
    }
    if (superseded(c, s, delta)) {
        return 0;
    }
    uint32_t mss = send_mss(c), packets = (delta->delivered + mss - 1) / mss;
    if (cleared(a, s, packets)) {
        distrust(e, c);
    }
    int64_t octets = option_marked(a, s);
    uint32_t marked = ace_marked(a, s, packets, octets, mss);
    if (inconsistent(a, packets, octets)) {
        stop_ect(e, c);
    }
    if (always_marked(c, packets)) {
        distrust(e, c);
    }
    e->counters.ecn_ece_received += marked;
    if (a->distrusted) {
        return 0;
    }
    uint64_t most = octets >= 0 ? (uint64_t)octets : (uint64_t)marked * mss;
    return most < delta->delivered ? (uint32_t)most : delta->delivered;
}
