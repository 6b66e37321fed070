/* Accurate ECN (RFC 9768). Each end counts what arrives marked and tells the other on every
 * segment: the packets modulo 8 in the three flags AE CWR ECE (together the ACE field), and, where
 * there is room, the octets by codepoint modulo 2^24 in an option. Counters start at 5 packets and
 * 1 octet each, so that zero, which a middlebox that clears bits leaves, cannot be mistaken for
 * them.
 *
 * The sender takes the difference to what it knew. ACE may have wrapped when one ACK acknowledges
 * more than seven packets: then the most that the packets acknowledged allow is assumed, unless the
 * option shows how much was marked (section 3.2.2.5). */
#include "tcp/tcb.h"

#define BYTES_START 1
#define COUNTER_MASK 0xffffffu
#define OPTION_LEN 12u /* with its padding */
#define BEACONS_PER_RTT 3

static unsigned ace_of(uint16_t flags)
{
    return (flags & TCP_AE ? 4u : 0u) | (flags & TCP_CWR ? 2u : 0u) | (flags & TCP_ECE ? 1u : 0u);
}

static uint16_t flags_of(unsigned ace)
{
    return (uint16_t)((ace & 4 ? TCP_AE : 0) | (ace & 2 ? TCP_CWR : 0) | (ace & 1 ? TCP_ECE : 0));
}

bool accecn_begin(struct tcp_engine *e, struct tcb *c, bool active)
{
    c->accecn = slab_alloc(&e->accecn_slab);
    if (!c->accecn) {
        return false;
    }
    struct accecn *a = c->accecn;
    a->received.packets = a->echoed.packets = ACCECN_PACKETS_START;
    for (unsigned i = 0; i < 3; i++) {
        a->received.bytes[i] = a->echoed.bytes[i] = BYTES_START;
    }
    a->handshake = a->option_due = true;
    a->reflect = active;
    a->beacon_at = time_from_ns(0);
    a->received.packets += active && c->nego.ecn_seen == IP_ECN_CE; /* the SYN,ACK counts */
    a->told = a->received.packets;
    return true;
}

void accecn_free(struct tcp_engine *e, struct tcb *c)
{
    if (c->accecn) {
        slab_free(&e->accecn_slab, c->accecn);
        c->accecn = NULL;
    }
}

/* ---- receiving ---- */

/* ECT(0), CE, ECT(1): the order of the option with kind 172. */
static int counter_of(unsigned codepoint)
{
    static const int index[] = {
        [IP_ECN_NOT_ECT] = -1, [IP_ECN_ECT1] = 2, [IP_ECN_ECT0] = 0, [IP_ECN_CE] = 1};
    return index[codepoint];
}

void accecn_received(struct tcb *c, const struct segment *s)
{
    struct accecn *a = c->accecn;
    unsigned codepoint = s->rx->tos & 3;
    int counter = counter_of(codepoint);
    if (!a || counter < 0) {
        return;
    }
    if (s->payload) {
        a->option_due |= codepoint == IP_ECN_CE || a->received.bytes[counter] == BYTES_START;
        a->option_news = true;
        a->received.bytes[counter] = (a->received.bytes[counter] + s->payload) & COUNTER_MASK;
    }
    if (codepoint != IP_ECN_CE) {
        return;
    }
    a->received.packets += s->segs;
    /* Section 3.2.2.5.1: every second mark is told at once, or the field could wrap unseen. */
    if (s->payload && a->received.packets - a->told >= 2) {
        c->flags |= C_ACK_NOW;
    }
}

/* ---- telling ---- */

uint16_t accecn_flags(struct tcb *c)
{
    struct accecn *a = c->accecn;
    if (!a) {
        return 0;
    }
    if (a->reflect) { /* the last ACK of our handshake says how the SYN,ACK arrived */
        a->reflect = false;
        a->told = a->received.packets;
        return ecn_syn_flags(ECN_ACCURATE, true, c->nego.ecn_seen);
    }
    a->told = a->received.packets;
    return flags_of(a->received.packets & 7);
}

/* On what is sent anyway: at once after a mark, and for other news three times a round trip
 * (section 3.2.3.3). */
static bool option_wanted(const struct accecn *a, ackd_time now)
{
    return a && (a->option_due || (a->option_news && time_reached(a->beacon_at, now)));
}

uint32_t accecn_option_len(const struct tcb *c, ackd_time now, uint32_t room)
{
    if (!option_wanted(c->accecn, now)) {
        return 0;
    }
    return room >= OPTION_LEN ? OPTION_LEN : room >= OPTION_LEN - 4 ? OPTION_LEN - 4 : 0;
}

void accecn_option(struct tcb *c, ackd_time now, struct tcp_opts *o)
{
    struct accecn *a = c->accecn;
    if (!option_wanted(a, now)) {
        return;
    }
    a->option_due = a->option_news = false;
    int64_t rtt = c->rtt.srtt_ns > 0 ? c->rtt.srtt_ns : NS_PER_S;
    a->beacon_at = time_add(now, rtt / BEACONS_PER_RTT);
    o->has_accecn = true;
    o->accecn_order1 = false;
    o->accecn_fields = 3;
    for (unsigned i = 0; i < 3; i++) {
        o->accecn[i] = a->received.bytes[i];
    }
}

/* ---- hearing ---- */

/* Octets newly marked CE by the option, and moves what is known on; -1 without one. */
static int64_t option_marked(struct accecn *a, const struct segment *s)
{
    if (!s->o.has_accecn) {
        return -1;
    }
    int64_t marked = -1;
    for (unsigned i = 0; i < s->o.accecn_fields; i++) {
        unsigned counter = s->o.accecn_order1 ? 2 - i : i; /* ECT(1), CE, ECT(0) */
        uint32_t more = (s->o.accecn[i] - a->echoed.bytes[counter]) & COUNTER_MASK;
        if (more > COUNTER_MASK / 2) { /* an older ACK: it tells nothing new */
            continue;
        }
        a->echoed.bytes[counter] = s->o.accecn[i] & COUNTER_MASK;
        if (counter == 1) {
            marked = more;
        }
    }
    return marked;
}

/* Packets newly marked (section 3.2.2.5.2 and appendix A.2). */
static uint32_t ace_marked(struct accecn *a, const struct segment *s, uint32_t acked_packets,
                           int64_t marked_bytes)
{
    uint32_t delta = (ace_of(s->h.flags) - a->echoed.packets) & 7;
    if (acked_packets > 7 && marked_bytes != 0) {
        uint32_t safe = acked_packets - ((acked_packets - delta) & 7);
        uint32_t by_bytes = marked_bytes > 0 ? (uint32_t)marked_bytes / 64 + 1 : UINT32_MAX;
        delta = safe <= by_bytes ? safe : delta;
    }
    a->echoed.packets += delta;
    return delta;
}

/* The first ACE that the peer sends after the handshake: 0 was cleared on the way, and then nothing
 * of ECN can be trusted (section 3.2.2.3 and 3.2.2.4). A server learns from it how its SYN,ACK
 * arrived. */
static bool first_heard(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    struct accecn *a = c->accecn;
    unsigned ace = ace_of(s->h.flags);
    a->handshake = false;
    if (!ace) {
        c->ecn.send_not_ect = true;
        e->counters.ecn_mangled++;
        return false;
    }
    if (c->flags & C_PASSIVE) {
        a->echoed.packets = ACCECN_PACKETS_START + (ace == 6);
    }
    return !(c->flags & C_PASSIVE);
}

uint32_t accecn_echoed(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                       const struct rtxq_delta *delta)
{
    struct accecn *a = c->accecn;
    if (!a || s->h.flags & TCP_SYN || c->ecn.send_not_ect) {
        return 0;
    }
    if (a->handshake && !first_heard(e, c, s)) {
        return 0;
    }
    uint32_t mss = send_mss(c), packets = (delta->delivered + mss - 1) / mss;
    if (!delta->delivered) {
        packets = 1;
    }
    int64_t bytes = option_marked(a, s);
    uint32_t marked = ace_marked(a, s, packets, bytes);
    e->counters.ecn_ece_received += marked;
    if (bytes >= 0) {
        return (uint32_t)bytes < delta->delivered ? (uint32_t)bytes : delta->delivered;
    }
    uint64_t most = (uint64_t)marked * mss;
    return most < delta->delivered ? (uint32_t)most : delta->delivered;
}
