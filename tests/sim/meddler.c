/* What a peer may do that its RFCs forbid or advise against, and that a sender has to survive:
 *
 * - It takes back what its window promised (RFC 9293 SHLD-14, MUST-34), to nothing or to a part,
 *   and says nothing when it is open again: the persist timer has to find out.
 * - It reneges (RFC 2018 section 8): the segment behind a hole is taken from the wire and claimed
 *   by SACK until the hole is closed; then it is not there.
 * - It splits ACKs, repeats them, or saves them (Savage and others, "TCP Congestion Control with a
 *   Misbehaving Receiver"): one for all of the last tenths of a second, perhaps later than the
 *   least RTO.
 * - Options are missing that a SYN had, or are no longer spoken of after it was agreed on them.
 *
 * And what a path may do to ECN (RFC 9768 sections 3.2.2.1 to 3.2.2.4), both ways: it sets ECT,
 * marks everything, or clears the flags. */
#include "meddler.h"

#include <string.h>
#include "wire/tcp.h"

static bool chance(struct meddler *m, uint32_t ppm)
{
    return ppm > 0 && rng_below(&m->rng, 1000000) < ppm;
}

static bool one_in(struct meddler *m, uint32_t n)
{
    return rng_below(&m->rng, n) == 0;
}

/* A segment's header and options come anew. Its room is enough for any options. */
static void rewrite(struct wire_segment *s, struct tcp_hdr *h, const struct tcp_opts *o)
{
    uint8_t options[TCP_HEADER_MAX - TCP_HEADER_MIN];
    uint32_t n = tcp_opts_build(options, o), payload = s->length - h->header_len;
    memmove(s->bytes + TCP_HEADER_MIN + n, s->bytes + h->header_len, payload);
    memcpy(s->bytes + TCP_HEADER_MIN, options, n);
    h->header_len = (uint8_t)(TCP_HEADER_MIN + n);
    tcp_hdr_build(s->bytes, h);
    s->length = TCP_HEADER_MIN + n + payload;
}

/* ---- options ---- */

/* Scale and timestamps go from both SYNs: with one of them agreed on, and not by the other, the
 * connection would be broken by the middle, not by a peer. */
static void take_from_syn(struct meddler *m, struct tcp_opts *o, bool by_peer)
{
    struct tcp_opts before = *o;
    if (m->take_mss && by_peer) {
        o->has_mss = false;
    }
    if (m->take_sack && by_peer) {
        o->sack_permitted = false;
    }
    o->has_timestamps = o->has_timestamps && !m->take_timestamps;
    o->has_wscale = o->has_wscale && !m->take_wscale;
    m->stats.options_taken +=
        o->has_mss != before.has_mss || o->sack_permitted != before.sack_permitted ||
        o->has_timestamps != before.has_timestamps || o->has_wscale != before.has_wscale;
    m->sack[!by_peer] = o->sack_permitted;
}

static void take_later(struct meddler *m, struct tcp_opts *o)
{
    if ((m->take_blocks && o->n_sack > 0) || (m->take_accecn && o->has_accecn)) {
        m->stats.options_taken++;
        o->n_sack = m->take_blocks ? 0 : o->n_sack;
        o->has_accecn = o->has_accecn && !m->take_accecn;
    }
}

/* ---- what it claims to have ---- */

/* A segment on its way to the peer: may it go? Two in a row do not: a hole, and what is claimed. */
static bool take_data(struct meddler *m, const struct tcp_hdr *h, uint32_t payload)
{
    bool plain = payload > 0 && !(h->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG));
    if (!plain || !m->sack[0] || !m->sack[1] || m->take_blocks) {
        return true;
    }
    if (m->lie == LIE_NONE && chance(m, m->renege_ppm)) {
        m->lie = LIE_HOLE;
        m->hole_end = seq_add(h->seq, payload);
        return false;
    }
    if (m->lie == LIE_HOLE) {
        if (seq_eq(h->seq, m->hole_end)) {
            m->lie = LIE_TOLD;
            m->claimed = (struct tcp_sack_block){h->seq, seq_add(h->seq, payload)};
            return false;
        }
        m->lie = LIE_NONE;
    }
    return true;
}

/* Behind the first block, which tells what has just arrived. */
static void claim(struct meddler *m, const struct tcp_hdr *h, struct tcp_opts *o)
{
    if (m->lie != LIE_TOLD) {
        return;
    }
    if (seq_ge(h->ack, m->claimed.start)) {
        m->stats.reneged++;
        m->lie = LIE_NONE;
        return;
    }
    unsigned at = o->n_sack > 0 ? 1 : 0;
    o->n_sack = (uint8_t)(o->n_sack < TCP_SACK_BLOCKS_MAX ? o->n_sack + 1 : o->n_sack);
    for (unsigned i = o->n_sack - 1u; i > at; i--) {
        o->sack[i] = o->sack[i - 1];
    }
    o->sack[at] = m->claimed;
}

/* ---- windows and ACKs ---- */

static void shrink(struct meddler *m, ackd_time now, struct tcp_hdr *h)
{
    if (time_reached(m->shrink_until, now) && chance(m, m->shrink_ppm)) {
        m->shrink_shift = one_in(m, 2) ? 16 : 1 + rng_below(&m->rng, 4);
        m->shrink_until = time_add(now, (int64_t)(20 + rng_below(&m->rng, 3000)) * NS_PER_MS);
    }
    if (time_before(now, m->shrink_until)) {
        h->window = (uint16_t)(h->window >> m->shrink_shift);
        m->stats.windows_taken++;
    }
}

/* The same ACK, acknowledging up to `ack`. */
static void send_ack(struct meddler *m, ackd_time now, const struct wire_segment *s, tcp_seq ack)
{
    uint8_t room[sizeof(struct wire_segment) + TCP_HEADER_MAX] __attribute__((aligned(8)));
    struct wire_segment *copy = (struct wire_segment *)(void *)room;
    struct tcp_hdr h;
    memcpy(copy, s, sizeof(*s) + s->length);
    tcp_hdr_parse(copy->bytes, copy->length, &h);
    h.ack = ack;
    tcp_hdr_build(copy->bytes, &h);
    link_inject(m->from_peer, now, copy);
}

/* An ACK and nothing else. */
static void pure_ack(struct meddler *m, ackd_time now, const struct wire_segment *s,
                     const struct tcp_hdr *h)
{
    bool news = m->ack_known && seq_gt(h->ack, m->last_ack);
    uint32_t n = 2 + rng_below(&m->rng, 4);
    if (news && chance(m, m->split_ppm)) {
        uint32_t all = seq_dist(h->ack, m->last_ack);
        for (uint32_t i = 1; i < n && all >= n; i++) {
            send_ack(m, now, s, seq_add(m->last_ack, all / n * i));
            m->stats.acks_split++;
        }
    }
    if (chance(m, m->repeat_ppm)) {
        for (uint32_t i = 1; i < n; i++) {
            send_ack(m, now, s, h->ack);
            m->stats.acks_repeated++;
        }
    }
}

static bool from_peer(struct meddler *m, ackd_time now, struct wire_segment *s)
{
    struct tcp_hdr h;
    struct tcp_opts o;
    if (!tcp_hdr_parse(s->bytes, s->length, &h) || h.flags & TCP_RST) {
        return true;
    }
    tcp_opts_parse(s->bytes, &h, &o);
    if (h.flags & TCP_SYN) { /* perhaps of the next connection */
        m->lie = LIE_NONE;
        m->ack_known = false;
        take_from_syn(m, &o, true);
        rewrite(s, &h, &o);
        return true;
    }
    take_later(m, &o);
    claim(m, &h, &o);
    shrink(m, now, &h);
    rewrite(s, &h, &o);
    if (s->length == h.header_len && !(h.flags & (TCP_FIN | TCP_URG))) {
        pure_ack(m, now, s, &h);
    }
    m->last_ack = h.ack;
    m->ack_known = true;
    return true;
}

static bool to_peer(struct meddler *m, struct wire_segment *s)
{
    struct tcp_hdr h;
    struct tcp_opts o;
    if (!tcp_hdr_parse(s->bytes, s->length, &h)) {
        return true;
    }
    if (h.flags & TCP_SYN) {
        tcp_opts_parse(s->bytes, &h, &o);
        take_from_syn(m, &o, false);
        rewrite(s, &h, &o);
    }
    return take_data(m, &h, s->length - h.header_len);
}

static void mangle_ecn(struct meddler *m, struct wire_segment *s)
{
    const uint16_t flags = TCP_AE | TCP_CWR | TCP_ECE;
    uint8_t codepoint = s->tos & 3, before = s->tos;
    struct tcp_hdr h;
    switch (m->mangling) {
    case MANGLE_CAPABLE:
        s->tos |= codepoint == 0 ? 2 : 0;
        break;
    case MANGLE_MARKED:
        s->tos |= codepoint != 0 ? 3 : 0;
        break;
    case MANGLE_FLAGS:
        if (tcp_hdr_parse(s->bytes, s->length, &h) && !(h.flags & TCP_SYN) && h.flags & flags) {
            h.flags &= (uint16_t)~flags;
            tcp_hdr_build(s->bytes, &h);
            m->stats.ecn_changed++;
        }
        break;
    default:
        break;
    }
    m->stats.ecn_changed += s->tos != before;
}

static bool meddle(void *ctx, struct link *link, ackd_time now, struct wire_segment *s)
{
    struct meddler *m = ctx;
    mangle_ecn(m, s);
    return link == m->from_peer ? from_peer(m, now, s) : to_peer(m, s);
}

void meddler_init(struct meddler *m, uint64_t seed, struct link *from, struct link *to)
{
    memset(m, 0, sizeof(*m));
    rng_init(&m->rng, seed, UINT64_C(0x6d6564646c65));
    m->from_peer = from;
    m->to_peer = to;
    m->shrink_until = time_from_ns(0);
    m->shrink_ppm = one_in(m, 2) ? 5000 : 0;
    m->renege_ppm = one_in(m, 2) ? 10000 : 0;
    m->split_ppm = one_in(m, 2) ? 200000 : 0;
    m->repeat_ppm = one_in(m, 3) ? 50000 : 0;
    if (one_in(m, 4)) {
        from->profile.ack_hold_ns = (int64_t)(1 + rng_below(&m->rng, 30)) * 10 * NS_PER_MS;
        from->profile.ack_thin = true;
    }
    m->take_mss = one_in(m, 6);
    m->take_sack = one_in(m, 6);
    m->take_timestamps = one_in(m, 4);
    m->take_wscale = one_in(m, 6);
    m->take_blocks = one_in(m, 6);
    m->take_accecn = one_in(m, 3);
    m->mangling =
        one_in(m, 2) ? (enum ecn_mangling)rng_below(&m->rng, ECN_MANGLINGS) : MANGLE_NOTHING;
    from->meddle = to->meddle = meddle;
    from->meddler = to->meddler = m;
}
