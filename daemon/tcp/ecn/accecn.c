/* Accurate ECN (RFC 9768), the receiver's half; what the sender makes of it is in accecn_heard.c.
 * Each end counts what arrives marked and tells the other on every segment: the packets modulo 8
 * in the three flags AE CWR ECE (together the ACE field), and, where there is room, the octets by
 * codepoint modulo 2^24 in an option. The counters of packets and of octets with ECT start above
 * zero, so that a zero, which a middlebox that clears bits leaves, cannot be mistaken for them.
 *
 * The pure ACK of a SYN,ACK is an exception: its ACE tells how the SYN,ACK arrived. It goes ahead
 * of data (section 3.2.2.1), and again when the SYN,ACK comes again.
 *
 * Nothing guarantees that a middlebox lets the option pass. So it is on the first SYN,ACK only, on
 * the first data segment but on no retransmission (section 3.2.3.2.2), and no more once what was
 * acknowledged with it came again twice: those ACKs do not arrive. */
#include "tcp/tcb.h"

#define OPTION_LEN 12u /* with its padding */
#define OPTION_LEN_TWO_FIELDS 8u
#define BEACONS_PER_RTT 3
#define SEGMENTS_UNTOLD_MAX 7u       /* ACE could wrap beyond */
#define OCTETS_UNTOLD_MAX (1u << 21) /* section 3.2.3.3: less than 2^22 */
#define CHANGE_TOLD_TWICE 2          /* section 3.2.3.3: and on the ACK after it */
#define OPTION_LOST 2

static uint16_t flags_of(unsigned ace)
{
    return (uint16_t)((ace & 4 ? TCP_AE : 0) | (ace & 2 ? TCP_CWR : 0) | (ace & 1 ? TCP_ECE : 0));
}

/* Section 3.2.1. */
bool accecn_begin(struct tcp_engine *e, struct tcb *c, bool active)
{
    struct accecn *a = tcb_extras(e, c) ? slab_alloc(&e->accecn_slab) : NULL;
    if (!a) {
        return false;
    }
    c->extras->accecn = a;
    a->received.packets = a->echoed.packets = a->packets_at_option = ACCECN_PACKETS_START;
    a->received.bytes[ACCECN_E0B] = a->echoed.bytes[ACCECN_E0B] = 1;
    a->received.bytes[ACCECN_E1B] = a->echoed.bytes[ACCECN_E1B] = 1;
    a->first_heard = a->first_data = true;
    a->handshake = !active;
    a->option_due = 1;
    a->last = c->nego.ecn_seen;
    a->last_counter = -1;
    a->beacon_at = time_from_ns(0);
    a->told = ACCECN_PACKETS_START;
    a->acked_average = e->config.accecn_as_linux ? 0 : 2 * 8;
    return true;
}

void accecn_free(struct tcp_engine *e, struct tcb *c)
{
    if (tcb_accecn(c)) {
        slab_free(&e->accecn_slab, tcb_accecn(c));
        c->extras->accecn = NULL;
    }
}

/* Of several SYN,ACKs the latest is told of; a mark counts once. */
void accecn_syn_ack_arrived(struct tcb *c, unsigned codepoint)
{
    struct accecn *a = tcb_accecn(c);
    c->nego.ecn_seen = codepoint & 3;
    a->reflect = true;
    if (codepoint == IP_ECN_CE && !a->syn_ack_marked) {
        a->syn_ack_marked = true;
        a->received.packets++;
    }
}

void accecn_syn_ack_again(struct tcb *c, const struct segment *s)
{
    const uint16_t syn_ack = TCP_SYN | TCP_ACK;
    if (tcb_accecn(c) && !(c->flags & C_PASSIVE) && (s->h.flags & syn_ack) == syn_ack &&
        seq_eq(s->h.seq, c->rcv.irs) && seq_gt(s->h.ack, c->snd.iss) &&
        ecn_from_syn_ack(ECN_ACCURATE, s->h.flags) == ECN_ACCURATE) {
        accecn_syn_ack_arrived(c, s->rx->tos & 3);
    }
}

/* ---- receiving ---- */

static int counter_of(unsigned codepoint)
{
    static const int index[] = {[IP_ECN_NOT_ECT] = -1,
                                [IP_ECN_ECT1] = ACCECN_E1B,
                                [IP_ECN_ECT0] = ACCECN_E0B,
                                [IP_ECN_CE] = ACCECN_CEB};
    return index[codepoint];
}

static void count_octets(struct accecn *a, const struct segment *s, int counter)
{
    if (counter != a->last_counter || counter == ACCECN_CEB) {
        a->option_due = CHANGE_TOLD_TWICE;
        a->last_counter = (int8_t)counter;
    }
    a->changed |= (uint8_t)(1u << counter);
    a->untold_segments += s->segs;
    a->untold_octets += s->payload;
    a->received.bytes[counter] = (a->received.bytes[counter] + s->payload) & ACCECN_COUNTER_MASK;
}

/* Text that was acknowledged comes again: did the ACK carry an option, and is lost for it? */
static void watch_repetition(struct accecn *a, const struct segment *s)
{
    if (s->payload && !s->data) {
        a->repeated += a->option_sent && a->repeated < OPTION_LOST;
        a->option_off = a->option_off || a->repeated >= OPTION_LOST;
        a->option_sent = false;
    } else if (s->data) {
        a->repeated = 0;
    }
}

void accecn_received(struct tcb *c, const struct segment *s, bool acceptable)
{
    struct accecn *a = tcb_accecn(c);
    if (!a) {
        return;
    }
    watch_repetition(a, s);
    if (!acceptable) {
        return;
    }
    unsigned codepoint = s->rx->tos & 3;
    int counter = counter_of(codepoint);
    bool marked = codepoint == IP_ECN_CE, before = a->last == IP_ECN_CE;
    a->last = (uint8_t)codepoint;
    if (s->payload && counter >= 0) {
        count_octets(a, s, counter);
    }
    if (!marked || s->h.flags & TCP_SYN) { /* a SYN,ACK was counted as it came */
        return;
    }
    a->received.packets += s->segs;
    /* Section 3.2.2.5.1: the first mark, every second one, and of what needs no ACK every third. */
    bool unacknowledged = s->payload || !seq_eq(c->rcv.nxt, c->rcv.ack_sent);
    if ((s->payload && !before) || a->received.packets - a->told >= (unacknowledged ? 2 : 3)) {
        c->flags |= C_ACK_NOW;
    }
}

/* ---- telling ---- */

/* Not ahead of data that the SYN,ACK refused (RFC 7413): a pure ACK would have their end for its
 * number, and a listener that sent a SYN cookie must see the one after the SYN's. */
bool accecn_reflects(const struct tcb *c)
{
    return tcb_accecn(c) && tcb_accecn(c)->reflect &&
           (!tcb_outstanding(c) || c->flags & C_CHALLENGE);
}

uint16_t accecn_counter_flags(const struct tcb *c)
{
    return tcb_accecn(c) ? flags_of(tcb_accecn(c)->received.packets & 7) : 0;
}

uint16_t accecn_flags(struct tcb *c, bool pure_ack)
{
    struct accecn *a = tcb_accecn(c);
    if (!a) {
        return 0;
    }
    bool reflects = a->reflect && pure_ack;
    a->reflect = false;
    a->told = a->received.packets;
    return reflects ? ecn_accurate_handshake(c->nego.ecn_seen) : accecn_counter_flags(c);
}

void accecn_syn_option(const struct tcp_engine *e, const struct tcp_options *options,
                       struct tcp_opts *o)
{
    if (options->accecn_option == TCP_ACCECN_OPTION_NEVER) {
        return;
    }
    o->has_accecn = true;
    o->accecn_order1 = e->config.accecn_as_linux;
    o->accecn_fields = 3;
    o->accecn[ACCECN_E0B] = o->accecn[ACCECN_E1B] = 1;
}

/* On what is sent anyway: at once after a mark or a change; for other news three times a round
 * trip, and before ACE alone could mean too much. */
static bool option_wanted(const struct tcp_engine *e, const struct tcb *c, ackd_time now)
{
    const struct accecn *a = tcb_accecn(c);
    enum tcp_accecn_option policy = c->options->v.accecn_option;
    bool unheard = e->config.accecn_as_linux && a && !a->option_heard;
    if (!a || a->option_off || unheard || policy == TCP_ACCECN_OPTION_NEVER) {
        return false;
    }
    if (policy == TCP_ACCECN_OPTION_ALWAYS) {
        return true;
    }
    bool news = a->untold_segments > 0;
    return a->option_due || a->first_data || a->untold_segments > SEGMENTS_UNTOLD_MAX ||
           a->untold_octets > OCTETS_UNTOLD_MAX || (news && time_reached(a->beacon_at, now));
}

static bool begins_with_ect1(const struct tcp_engine *e, const struct accecn *a, uint32_t length)
{
    return e->config.accecn_as_linux || (length < OPTION_LEN && (a->changed & 1u << ACCECN_E1B));
}

/* In 8 octets are two fields: enough unless octets of both ECT were counted since the last; Linux
 * leaves out ECT(0) only. */
static bool two_fields_tell_all(const struct tcp_engine *e, const struct accecn *a)
{
    const unsigned both = 1u << ACCECN_E0B | 1u << ACCECN_E1B;
    return e->config.accecn_as_linux ? !(a->changed & 1u << ACCECN_E0B)
                                     : (a->changed & both) != both;
}

uint32_t accecn_option_len(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                           uint32_t room)
{
    if (!option_wanted(e, c, now)) {
        return 0;
    }
    return room >= OPTION_LEN ? OPTION_LEN
           : room >= OPTION_LEN_TWO_FIELDS && two_fields_tell_all(e, tcb_accecn(c))
               ? OPTION_LEN_TWO_FIELDS
               : 0;
}

bool accecn_takes_a_block(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                          uint32_t room)
{
    return tcb_accecn(c) && tcb_accecn(c)->changed && !accecn_option_len(e, c, now, room) &&
           accecn_option_len(e, c, now, room + 8);
}

void accecn_option(const struct tcp_engine *e, struct tcb *c, ackd_time now, uint32_t room,
                   bool data, struct tcp_opts *o)
{
    struct accecn *a = tcb_accecn(c);
    uint32_t length = accecn_option_len(e, c, now, room);
    if (!a) {
        return;
    }
    a->option_sent = length > 0 && !data;
    if (!length) {
        return;
    }
    bool order1 = begins_with_ect1(e, a, length);
    o->has_accecn = true;
    o->accecn_order1 = order1;
    o->accecn_fields = length == OPTION_LEN ? 3 : 2;
    for (unsigned i = 0; i < o->accecn_fields; i++) {
        o->accecn[i] = a->received.bytes[order1 ? 2 - i : i];
    }
    a->option_due -= a->option_due > 0;
    a->first_data = a->first_data && !data;
    a->untold_segments = a->untold_octets = 0;
    a->changed = 0;
    int64_t rtt = c->rtt.srtt_ns > 0 ? c->rtt.srtt_ns : NS_PER_S;
    a->beacon_at = time_add(now, rtt / BEACONS_PER_RTT);
}
