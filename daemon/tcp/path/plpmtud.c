/* Path MTU: what ICMP says (RFC 1191, RFC 8201), and what can be found out without it (RFC 4821).
 *
 * A router that drops what is too large should say so; many do not, or nobody lets it through. Then
 * full segments vanish while small ones arrive: a black hole. Two timeouts in a row of a segment
 * larger than the base size, 1024 octets of payload (or what an IPv6 path must carry), are taken
 * for one: the connection goes on at the base size, and from there looks for the largest that
 * arrives.
 *
 * The search (section 7) sends one segment of its user's data larger than the others. If it is
 * acknowledged, so large is proven; if it alone is lost, it was too large, which is no sign of
 * congestion (section 7.6.2): its data go again in smaller segments, and cwnd stays. The largest
 * candidate first, because the usual end of a black hole is that there was none; then by halves.
 *
 * A path may widen again: ten minutes after the last decrease the search begins anew (RFC 1191
 * section 6.3), or, where probing is off, the link's size is simply tried again. */
#include "tcp/tcb.h"

#define FLOOR_V4                                                                                   \
    552u /* below this a forged error would make our segments too small to be worth it */
#define FLOOR_V6 1280u
#define BASE_PAYLOAD_V4 1024u /* RFC 4821 section 7.2 */
#define ACCURACY 16u          /* octets: a search that is as near is over (section 7.6.4) */
#define AGAIN_NS (600 * NS_PER_S)
#define BLACK_HOLE_TIMEOUTS 2u

static uint32_t base_mtu(const struct tcb *c)
{
    return ip_addr_is_v4(&c->t.rec.tuple.local) ? BASE_PAYLOAD_V4 + 20 + TCP_HEADER_MIN : FLOOR_V6;
}

/* What is larger than the new size and was sent no earlier than `refused` (NULL: ever) counts as
 * lost and goes again at once, with no congestion response. What was sent before got through. */
static void resegment(struct tcp_engine *e, struct tcb *c, const struct rtx_run *refused,
                      ackd_time now)
{
    if (!c->act) {
        return;
    }
    uint32_t mss = send_mss(c);
    for (struct rtx_run *r = rtxq_first(&c->act->rtxq); r; r = rtxq_next(&c->act->rtxq, r)) {
        if (r->mss > mss && (!refused || !time_before(r->sent, refused->sent))) {
            rtxq_mark_lost(&c->act->rtxq, r);
        }
    }
    if (tcb_outstanding(c)) {
        rto_restart(c, now);
    }
    tcb_touch(e, c);
}

static void search_begin(struct tcb *c, uint32_t high, ackd_time now)
{
    struct mtu_search *m = &c->flow->mtu;
    uint32_t clamp = c->options->v.mss_clamp, peer = c->nego.peer_mss;
    uint32_t payload = clamp && clamp < peer ? clamp : peer;
    uint32_t most = payload + ip_overhead(&c->t.rec.tuple.local) + TCP_HEADER_MIN;
    high = high < most ? high : most;
    *m = (struct mtu_search){.high = (uint16_t)high, .next = now};
    m->searching = high >= c->mtu + ACCURACY;
}

static void search_over(struct mtu_search *m, ackd_time now)
{
    m->searching = false;
    m->next = time_add(now, AGAIN_NS);
}

void mtu_flow_begin(struct tcb *c, ackd_time now)
{
    c->flow->mtu.next = now;
    uint32_t base = base_mtu(c);
    if (c->options->v.mtu_probing == TCP_MTU_PROBING_ALWAYS && c->mtu > base) {
        uint32_t high = c->mtu;
        c->mtu = mtu_kept(base);
        search_begin(c, high, now);
    }
}

/* ---- what the network says ---- */

static bool probe_out(const struct tcb *c)
{
    return c->flow && c->flow->mtu.probe;
}

/* The probe did not arrive; what is known of the path stays. */
static void probe_failed(struct tcp_engine *e, struct tcb *c, uint32_t high, ackd_time now)
{
    struct mtu_search *m = &c->flow->mtu;
    e->counters.mtu_probes_lost++;
    m->high = (uint16_t)high;
    m->probe = 0;
    m->halving = true;
    if (m->high < c->mtu + ACCURACY) {
        search_over(m, now);
    }
}

void mtu_too_big(struct tcp_engine *e, struct tcb *c, ackd_time now, tcp_seq quoted, uint32_t mtu)
{
    uint32_t least = ip_addr_is_v4(&c->t.rec.tuple.local) ? FLOOR_V4 : FLOOR_V6;
    mtu = mtu < least ? least : mtu;
    if (mtu >= c->mtu) {
        if (probe_out(c) && mtu < c->flow->mtu.probe) {
            rtxq_mark_range_lost(&c->act->rtxq, &e->run_slab, c->flow->mtu.start, c->flow->mtu.end);
            probe_failed(e, c, mtu, now);
            tcb_touch(e, c);
        }
        return;
    }
    c->mtu = mtu_kept(mtu);
    e->counters.pmtu_reductions++;
    if (c->flow) {
        c->flow->mtu.probe = 0;
        search_over(&c->flow->mtu, now);
    }
    resegment(e, c, c->act ? rtxq_at(&c->act->rtxq, quoted) : NULL, now);
}

void mtu_route(struct tcb *c, uint32_t mtu, ackd_time now)
{
    if (!c->flow || mtu <= c->mtu || c->flow->mtu.searching ||
        !time_reached(c->flow->mtu.next, now)) {
        return;
    }
    if (c->options->v.mtu_probing == TCP_MTU_PROBING_OFF) {
        c->mtu = mtu_kept(mtu);
        cc_floors(c);
        return;
    }
    search_begin(c, mtu, now);
    if (!c->flow->mtu.searching) { /* the peer's MSS allows no more */
        search_over(&c->flow->mtu, now);
    }
}

/* ---- what silence says ---- */

static bool larger_than(const struct rtx_run *r, uint32_t payload)
{
    return r->mss > payload && seq_dist(r->end, r->start) > payload;
}

void mtu_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (!c->flow) {
        return;
    }
    c->flow->mtu.probe = 0; /* it says nothing: all was lost */
    const struct rtx_run *first = c->act ? rtxq_first(&c->act->rtxq) : NULL;
    uint32_t base = base_mtu(c), old = c->mtu;
    if (c->options->v.mtu_probing == TCP_MTU_PROBING_OFF || old <= base || !first ||
        c->rtt.timeouts < BLACK_HOLE_TIMEOUTS) {
        return;
    }
    c->mtu = mtu_kept(base);
    if (!larger_than(first, send_mss(c))) { /* it may be the peer's MSS that makes segments small */
        c->mtu = mtu_kept(old);
        return;
    }
    e->counters.mtu_black_holes++;
    resegment(e, c, NULL, now);
    search_begin(c, old, now);
}

/* ---- the search ---- */

bool mtu_probe_plan(const struct tcb *c, ackd_time now, uint32_t room, struct plan *p)
{
    if (!c->flow) {
        return false;
    }
    const struct mtu_search *m = &c->flow->mtu;
    if (!m->searching || m->probe || !time_reached(m->next, now) || c->flags & C_URGENT_SENT ||
        c->flow->cc.state != RECOVERY_OPEN || c->flags & C_RTO_RECOVERY) {
        return false;
    }
    uint32_t try = m->halving ? (c->mtu + m->high + 1) / 2 : m->high;
    uint32_t payload = p->mss + (try - c->mtu);
    if (room < payload + DUP_THRESH * p->mss) { /* enough behind it to notice its loss */
        return false;
    }
    p->length = p->mss = payload;
    p->probe_mtu = (uint16_t)try;
    p->kind = TCP_KIND_MTU_PROBE;
    return true;
}

void mtu_probe_sent(struct tcp_engine *e, struct tcb *c, const struct plan *p)
{
    struct mtu_search *m = &c->flow->mtu;
    m->probe = p->probe_mtu;
    m->start = p->start;
    m->end = seq_add(p->start, p->length);
    e->counters.mtu_probes++;
}

void mtu_retransmitted(struct tcb *c, tcp_seq start, tcp_seq end, ackd_time now)
{
    struct mtu_search *m = c->flow ? &c->flow->mtu : NULL;
    if (!m || !(m->probe || m->failed) || !seq_lt(start, m->end) || !seq_gt(end, m->start)) {
        return;
    }
    if (m->probe) {
        m->next = time_add(now, rto_ns(c));
    }
    m->probe = 0;
    m->failed = false;
}

void mtu_ack(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (!probe_out(c) || seq_lt(c->snd.una, c->flow->mtu.end)) {
        return;
    }
    struct mtu_search *m = &c->flow->mtu;
    c->mtu = m->probe;
    cc_floors(c);
    m->probe = 0;
    e->counters.mtu_probes_acked++;
    if (m->high < c->mtu + ACCURACY) {
        search_over(m, now);
    }
}

bool mtu_probe_lost(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct mtu_search *m = &c->flow->mtu;
    const struct rtx_run *first = rtxq_first_lost(&c->act->rtxq);
    if (!(m->probe || m->failed) || !first || !seq_eq(first->start, m->start)) {
        return false;
    }
    if (m->probe) {
        probe_failed(e, c, m->probe - 1u, now);
        m->failed = true;
    }
    /* with others: an ordinary loss as well */
    return c->act->rtxq.lost == seq_dist(m->end, m->start);
}
