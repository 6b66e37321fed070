/* Sending. One predicate, output_plan(), looks at a connection and says what to send now, or why
 * nothing, and until when; the flush carries it out until it says nothing. The same answer arms the
 * timer, is what `why` shows, and what the limited-by clocks add up.
 *
 * In this order: the handshake; duplicate ACKs owed to a peer without SACK; retransmissions,
 * metered by cwnd; new data, metered by the peer's window, cwnd, Nagle (SHLD-7) and silly window
 * avoidance (MUST-38); probes; a pure ACK. Data go as large as the device takes: a super-frame is a
 * whole number of segments, and its tail goes along only when it may go at all. */
#include "tcp/tcb.h"
#include "wire/checksum.h"

#include <assert.h>
#include <string.h>

/* ---- what options the next segment carries ---- */

/* Octets of options beside which SACK blocks have to find room. */
static uint32_t fixed_options(const struct tcb *c)
{
    return (c->nego.timestamps ? 12 : 0) + (tcb_auth(c) ? tcb_auth(c)->option_length : 0u);
}

static unsigned sack_blocks(const struct tcb *c, struct tcp_sack_block *blocks)
{
    unsigned n = 0, room = (TCP_HEADER_MAX - TCP_HEADER_MIN - 4 - fixed_options(c)) / 8;
    if (!c->nego.sack || !room) {
        return 0;
    }
    if (!seq_eq(c->rcv.dsack.start, c->rcv.dsack.end)) {
        blocks[n++] = c->rcv.dsack;
    }
    if (c->rcvq && c->rcvq->ooo_bytes) {
        n += rcvq_sack_blocks(c->rcvq, blocks + n, room - n);
    }
    return n;
}

static uint32_t user_timeout_option_len(const struct tcb *c)
{
    return user_timeout_due(c) ? 4 : 0;
}

static uint32_t sack_option_len(unsigned blocks)
{
    return blocks ? 4 + 8 * blocks : 0;
}

/* Octets that are left for AccECN's option beside so many SACK blocks; news of it are worth one of
 * more than two (RFC 9768 section 3.2.3.3). */
static uint32_t accecn_room(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                            unsigned *n_sack)
{
    uint32_t used = sack_option_len(*n_sack) + user_timeout_option_len(c) + fixed_options(c);
    uint32_t all = TCP_HEADER_MAX - TCP_HEADER_MIN, room = all > used ? all - used : 0;
    if (*n_sack > 2 && accecn_takes_a_block(e, c, now, room)) {
        --*n_sack;
        room += 8;
    }
    return room;
}

/* The smallest MSS with timestamps, which are counted by send_mss() already, still has 8 octets
 * beside as many SACK blocks as fit there. */
static uint32_t segment_mss(const struct tcp_engine *e, const struct tcb *c, ackd_time now)
{
    struct tcp_sack_block blocks[TCP_SACK_BLOCKS_MAX];
    unsigned n_sack = sack_blocks(c, blocks);
    uint32_t room = accecn_room(e, c, now, &n_sack);
    return send_mss(c) - sack_option_len(n_sack) - user_timeout_option_len(c) -
           accecn_option_len(e, c, now, room);
}

/* Two congestion windows in a round trip, for 2^-10 s. */
static uint32_t paced_frame(const struct tcp_engine *e, const struct tcb *c, uint32_t mss)
{
    uint64_t bytes = UINT32_MAX;
    if (c->rtt.srtt_ns > 0) {
        bytes = 2 * (uint64_t)tcb_cwnd(c) * ((uint64_t)NS_PER_S >> 10) / (uint64_t)c->rtt.srtt_ns;
    }
    uint64_t least = (uint64_t)e->link.paced_frame_segments * mss,
             half = tcb_cwnd(c) / 2 / mss * mss;
    bytes = bytes < least ? least : bytes;
    bytes = bytes > half ? half : bytes;
    return bytes > 65535 ? 65535 : (uint32_t)bytes;
}

/* The largest payload of one frame: a segment, or as many whole ones as the device takes. Not while
 * urgent data are pending: segmentation would copy the urgent pointer into each (RFC 6093). Nor
 * when segments are signed, each of them. */
static uint32_t frame_payload(const struct tcp_engine *e, const struct tcb *c, uint32_t mss)
{
    if (!e->link.tso || c->flags & C_URGENT_SENT || ecn_single_segment(c) || tcb_auth(c)) {
        return mss;
    }
    uint32_t room = e->link.max_frame - ip_overhead(&c->t.rec.tuple.local) - TCP_HEADER_MAX;
    if (e->link.paced_frame_segments) {
        uint32_t paced = paced_frame(e, c, mss);
        room = room > paced ? paced : room;
    }
    uint32_t quantum = pacing_quantum(c, mss);
    room = room < quantum ? room : quantum;
    return room > mss ? room / mss * mss : mss;
}

/* ---- the plan ---- */

static enum tcp_limit cwnd_limit(const struct tcb *c)
{
    if (c->flags & C_RTO_RECOVERY) {
        return TCP_LIMIT_RTO_BACKOFF;
    }
    return recovery_repairing(c) ? TCP_LIMIT_RECOVERY : TCP_LIMIT_CONGESTION_WINDOW;
}

/* The handshake is ours to send or to wait for. True: the plan is made. */
static bool plan_handshake(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                           struct plan *p)
{
    if (c->t.rec.state != TCP_SYN_SENT && c->t.rec.state != TCP_SYN_RECEIVED) {
        return false;
    }
    p->limit = c->flags & C_NEIGHBOUR_PENDING ? TCP_LIMIT_NEIGHBOUR_PENDING : TCP_LIMIT_HANDSHAKE;
    struct rtx_run *syn = c->act ? rtxq_first(&c->act->rtxq) : NULL;
    bool lost = syn && syn->flags & RTX_LOST && !(c->flags & C_LOCAL_DROP);
    if (c->act && (seq_eq(c->snd.nxt, c->snd.iss) || lost)) {
        p->what = PLAN_SYN;
        p->kind = TCP_KIND_HANDSHAKE;
        p->run = syn;
        p->start = c->snd.iss;
        p->length = syn ? 0 : fast_open_syn_length(e, c, now);
        p->mss = p->length > p->mss ? p->length : p->mss;
    } else if (c->fast_open & FAST_OPEN_CHILD && !(c->act && c->act->rtxq.lost)) {
        p->limit = TCP_LIMIT_NONE; /* may send before it is established (RFC 7413 section 4.2.2) */
        return false;
    } else if (c->flags & C_ACK_NOW && c->t.rec.state == TCP_SYN_RECEIVED) {
        p->what = PLAN_ACK;
        p->kind = TCP_KIND_ACK;
    }
    return true;
}

/* Room that the peer's window leaves from `from`. The window of its SYN was not about ours, whose
 * number it did not know. */
static uint32_t window_room(const struct tcb *c, tcp_seq from)
{
    tcp_seq edge = seq_add(tcb_buffer_seq(c), c->snd.wnd);
    return seq_gt(edge, from) ? seq_dist(edge, from) : 0;
}

static bool plan_retransmit(const struct tcp_engine *e, const struct tcb *c, struct plan *p)
{
    struct rtx_run *r = c->act ? rtxq_first_lost(&c->act->rtxq) : NULL;
    if (!r || c->flags & C_LOCAL_DROP) { /* the device has a moment to recover */
        return false;
    }
    if (recovery_frto_waits(c)) {
        p->limit = TCP_LIMIT_SPURIOUS_TIMEOUT_TEST;
        return false;
    }
    assert(p->mss > 0);
    uint32_t pipe = recovery_pipe(c), cwnd = tcb_cwnd(c);
    uint32_t room = cwnd > pipe ? cwnd - pipe : 0;
    bool now = c->flags & C_RETRANSMIT_NOW;
    if (room < p->mss && !now) {
        p->limit = cwnd_limit(c);
        return false;
    }
    uint32_t window = window_room(c, r->start);
    if (!window && !now && !(r->flags & RTX_FIN && seq_dist(r->end, r->start) == 1)) {
        p->limit = c->snd.wnd ? TCP_LIMIT_RECEIVE_WINDOW : TCP_LIMIT_ZERO_WINDOW; /* SHLD-16 */
        return false;
    }
    if (!now && pacing_waits(c, p->now)) {
        p->limit = TCP_LIMIT_PACING;
        return false;
    }
    uint32_t most = now ? p->mss : room / p->mss * p->mss, frame = frame_payload(e, c, p->mss);
    uint32_t length = seq_dist(r->end, r->start);
    bool fin = r->flags & RTX_FIN;
    length -= fin;
    if (window && window < most) {
        most = window;
    }
    most = most > frame ? frame : most;
    most = marks_limit(c, r->start, most);
    p->fin = fin && length <= most;
    p->length = length > most ? most : length;
    p->what = PLAN_RETRANSMIT;
    p->run = r;
    p->start = r->start;
    p->kind = c->flags & C_RTO_RECOVERY ? TCP_KIND_RETRANSMIT_RTO : TCP_KIND_RETRANSMIT_FAST;
    return true;
}

/* The user said that more comes, and nothing overrode it yet. */
static bool held_back(const struct tcb *c)
{
    return c->flags & (C_MORE_HELD | C_CORKED);
}

/* Nagle (SHLD-7): nothing in flight, or nothing small. It looks at data: a SYN,ACK on its way holds
 * up nothing. */
static bool nagle_allows(const struct tcp_engine *e, const struct tcb *c)
{
    bool idle = tcb_outstanding(c) == (c->t.rec.state == TCP_SYN_RECEIVED);
    bool small = c->act && c->act->has_small && seq_gt(c->act->small_end, c->snd.una);
    return idle || c->options->v.nodelay || (e->config.nagle_minshall && !small);
}

/* A segment below full size (RFC 9293 section 3.8.6.2.1 and 3.7.4). `n` octets may go, `unsent`
 * want to, up to the end of a record when more is `behind` it. 0: wait, p->limit says why. */
static uint32_t small_segment(const struct tcp_engine *e, const struct tcb *c, struct plan *p,
                              uint32_t n, uint32_t unsent, uint32_t usable, uint32_t cwnd_room,
                              bool fin, bool behind)
{
    bool nagle_ok = behind || nagle_allows(e, c);
    bool hold = !behind && held_back(c);
    if (n == unsent && hold && !fin && !(c->flags & C_WINDOW_OVERRIDE)) {
        p->limit = TCP_LIMIT_MORE_TO_COME;
        return 0;
    }
    if (n == unsent) { /* (2) all that is queued */
        if (nagle_ok || fin) {
            return n;
        }
        p->limit = TCP_LIMIT_NAGLE;
        return 0;
    }
    if (usable > cwnd_room || !cwnd_room) { /* cwnd is in full use, whatever else is */
        p->limit = cwnd_limit(c);
        return 0;
    }
    if (n && n >= c->snd.max_wnd / 2 && nagle_ok) { /* (3) */
        return n;
    }
    if (n && c->flags & C_WINDOW_OVERRIDE) { /* (4) */
        return n;
    }
    p->limit = !c->snd.wnd ? TCP_LIMIT_ZERO_WINDOW
               : usable    ? TCP_LIMIT_SILLY_WINDOW
                           : TCP_LIMIT_RECEIVE_WINDOW;
    return 0;
}

static bool sends_data(enum tcp_state s)
{
    return s == TCP_SYN_RECEIVED || s == TCP_ESTABLISHED || s == TCP_CLOSE_WAIT ||
           s == TCP_FIN_WAIT_1 || s == TCP_CLOSING || s == TCP_LAST_ACK;
}

/* A larger frame costs the path and both hosts less than two small ones; the wait is worth it while
 * ACKs come fast. */
static bool defers(const struct tcp_engine *e, const struct tcb *c, ackd_time now, uint32_t room,
                   uint32_t frame)
{
    const struct rtx_run *first = c->act ? rtxq_first(&c->act->rtxq) : NULL;
    uint32_t window = c->snd.wnd < tcb_cwnd(c) ? c->snd.wnd : tcb_cwnd(c);
    if (!e->link.defer_divisor || !first || recovery_repairing(c) || room >= frame ||
        room >= window / e->link.defer_divisor || !c->flow ||
        time_diff(now, c->flow->data_sent) > NS_PER_MS) {
        return false;
    }
    int64_t patience = c->rtt.srtt_ns / 2 < NS_PER_MS ? c->rtt.srtt_ns / 2 : NS_PER_MS;
    return time_diff(first->sent, now) + c->rtt.srtt_ns <= patience;
}

static bool plan_new_data(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                          struct plan *p)
{
    bool fin =
        c->flags & C_FIN_QUEUED && !(c->flags & C_FIN_SENT) && c->t.rec.state != TCP_SYN_RECEIVED;
    uint32_t unsent = tcb_unsent(c);
    if (!sends_data(c->t.rec.state) || (!unsent && !fin)) {
        return false;
    }
    p->what = PLAN_DATA;
    p->start = c->snd.nxt;
    p->kind = fin && !unsent ? TCP_KIND_FIN : TCP_KIND_DATA;
    if (!unsent) {
        p->fin = true;
        return true;
    }
    uint32_t record = marks_limit(c, c->snd.nxt, unsent);
    bool behind = record < unsent; /* a segment ends with its record */
    unsent = record;
    fin = fin && !behind;
    /* A SYN,ACK that is not answered yet takes nothing from cwnd, which is about data. */
    uint32_t pipe = recovery_pipe(c), cwnd = tcb_cwnd(c);
    pipe -= pipe && c->t.rec.state == TCP_SYN_RECEIVED;
    if (c->flow && c->flow->cc.dup_acks && !recovery_repairing(c) &&
        tcb_outstanding(c) + p->mss > cwnd) {
        p->kind = TCP_KIND_LIMITED_TRANSMIT; /* RFC 3042: only duplicate ACKs make room */
    }
    uint32_t cwnd_room = cwnd > pipe ? cwnd - pipe : 0, usable = window_room(c, c->snd.nxt);
    uint32_t n = unsent < usable ? unsent : usable;
    n = n < cwnd_room ? n : cwnd_room;
    if (mtu_probe_plan(c, now, n, p)) {
        return true;
    }
    assert(p->mss > 0);
    uint32_t frame = frame_payload(e, c, p->mss);
    if (n && pacing_waits(c, p->now)) {
        p->what = PLAN_NOTHING;
        p->limit = TCP_LIMIT_PACING;
        return false;
    }
    uint32_t room = usable < cwnd_room ? usable : cwnd_room;
    if (n >= p->mss && unsent > p->mss && !fin && !behind && defers(e, c, now, room, frame)) {
        p->limit = TCP_LIMIT_LARGER_FRAME;
        n = 0;
    } else if (n >= p->mss) {
        bool whole = fin || (c->options->v.nodelay && !held_back(c)) || behind;
        bool tail_may_go = n == unsent && whole;
        n = n > frame ? frame : tail_may_go ? n : n / p->mss * p->mss;
        n = marks_frame(c, p->start, n, p->mss);
    } else {
        n = small_segment(e, c, p, n, unsent, usable, cwnd_room, fin, behind);
    }
    if (!n) {
        p->what = PLAN_NOTHING;
        return false;
    }
    p->length = n;
    p->fin = fin && n == unsent && !behind;
    return true;
}

/* One segment from `start` of what is outstanding in `r`, again. */
static void plan_again(const struct tcb *c, struct plan *p, struct rtx_run *r, tcp_seq start)
{
    uint32_t length = seq_dist(r->end, start);
    bool fin = r->flags & RTX_FIN;
    length -= fin;
    p->what = PLAN_RETRANSMIT;
    p->run = r;
    p->start = start;
    p->fin = fin && length <= p->mss;
    p->length = length > p->mss ? p->mss : length;
    p->kind = c->flags & C_RTO_RECOVERY ? TCP_KIND_RETRANSMIT_RTO : TCP_KIND_RETRANSMIT_FAST;
}

/* A tail loss probe (RFC 8985 section 7.3), whatever cwnd says: a segment of new data if the peer's
 * window takes it, else the last one again. */
static bool plan_loss_probe(const struct tcb *c, struct plan *p)
{
    if (!c->flow || !c->flow->recovery.probe_due || !tcb_outstanding(c)) {
        return false;
    }
    uint32_t unsent = tcb_unsent(c), n = window_room(c, c->snd.nxt);
    n = n < unsent ? n : unsent;
    n = n < p->mss ? n : p->mss;
    if (n && (n == unsent || n == p->mss)) {
        p->start = c->snd.nxt;
        p->length = n;
        p->fin = n == unsent && c->flags & C_FIN_QUEUED && !(c->flags & C_FIN_SENT);
    } else {
        struct rtx_run *r = rtxq_last(&c->act->rtxq);
        uint32_t length = seq_dist(r->end, r->start), fin = (r->flags & RTX_FIN) != 0;
        uint32_t most = p->mss + fin;
        plan_again(c, p, r, length > most ? seq_sub(r->end, most) : r->start);
    }
    p->what = PLAN_LOSS_PROBE;
    p->kind = TCP_KIND_LOSS_PROBE;
    return true;
}

/* RFC 6675 NextSeg() rules (3) and (4). */
static bool plan_next_seg(const struct tcb *c, struct plan *p)
{
    tcp_seq start;
    struct rtx_run *r = c->act && c->flow ? recovery_next_seg(c, &start) : NULL;
    if (!r || tcb_cwnd(c) < recovery_pipe(c) + p->mss || !window_room(c, start)) {
        return false;
    }
    plan_again(c, p, r, start);
    return true;
}

static enum tcp_send_kind ack_kind(const struct tcb *c)
{
    if (c->flags & C_CHALLENGE) {
        return TCP_KIND_CHALLENGE_ACK;
    }
    if (c->rcv.dup_acks_due || (c->rcvq && c->rcvq->ooo_bytes)) {
        return TCP_KIND_DUPLICATE_ACK;
    }
    if (c->flags & C_WINDOW_UPDATE) {
        return TCP_KIND_WINDOW_UPDATE;
    }
    return c->flags & C_ACK_DELAYED ? TCP_KIND_DELAYED_ACK : TCP_KIND_ACK;
}

/* Why nothing goes when nothing stands in the way: there is nothing. */
static enum tcp_limit nothing_to_send(const struct tcb *c)
{
    if (tcb_outstanding(c)) {
        return c->flags & C_NEIGHBOUR_PENDING ? TCP_LIMIT_NEIGHBOUR_PENDING
               : c->flags & C_LOCAL_DROP      ? TCP_LIMIT_LOCAL_DROP
               : c->flags & C_WINDOW_PROBED   ? TCP_LIMIT_ZERO_WINDOW
               : c->rtt.timeouts              ? TCP_LIMIT_RTO_BACKOFF
                                              : TCP_LIMIT_WAITING_FOR_ACK;
    }
    return c->flags & C_FIN_SENT ? TCP_LIMIT_CLOSED : TCP_LIMIT_APPLICATION_IDLE;
}

/* A probe that was due may have become needless: what it was to ask about is gone, or answered. */
static bool probe_wanted(const struct tcb *c)
{
    return c->flags & C_PROBE_DUE && !c->snd.wnd && c->act && (tcb_outstanding(c) || tcb_unsent(c));
}

void output_plan(const struct tcp_engine *e, const struct tcb *c, ackd_time now, struct plan *p)
{
    *p = (struct plan){.mss = segment_mss(e, c, now), .now = now};
    if (plan_handshake(e, c, now, p)) {
        return;
    }
    if (accecn_reflects(c)) {
        p->what = PLAN_ACK;
        p->kind = ack_kind(c);
        return;
    }
    if (c->rcv.dup_acks_due) {
        p->what = PLAN_ACK;
        p->kind = TCP_KIND_DUPLICATE_ACK;
        return;
    }
    if (probe_wanted(c)) {
        p->what = PLAN_PROBE;
        p->kind = TCP_KIND_WINDOW_PROBE;
        return;
    }
    if (plan_loss_probe(c, p) || plan_retransmit(e, c, p)) {
        return;
    }
    /* Retransmissions come first; but it is new data that tell whether a timeout was spurious. */
    bool blocked = p->limit != TCP_LIMIT_NONE && p->limit != TCP_LIMIT_SPURIOUS_TIMEOUT_TEST;
    if (!blocked && (plan_new_data(e, c, now, p) || plan_next_seg(c, p))) {
        return;
    }
    if (c->act && c->act->rtxq.lost && recovery_frto_waits(c)) {
        p->limit = TCP_LIMIT_SPURIOUS_TIMEOUT_TEST; /* whatever holds new data back */
    }
    if (c->flags & C_KEEPALIVE_DUE) {
        p->what = PLAN_KEEPALIVE;
        p->kind = TCP_KIND_KEEPALIVE;
        return;
    }
    if (p->limit == TCP_LIMIT_NONE) {
        p->limit = nothing_to_send(c);
    }
    if (c->flags & C_ACK_NOW) {
        p->what = PLAN_ACK;
        p->kind = ack_kind(c);
    }
}

/* ---- building a segment ---- */

static void put_checksum(const struct tcp_engine *e, struct tcp_tx *tx)
{
    uint32_t length = tx->header_len + tx->payload_len;
    uint64_t sum = tcp_pseudo_sum(&tx->src, &tx->dst, length);
    uint16_t value = checksum_fold(sum);
    if (e->link.checksum_offload) {
        tx->checksum_partial = true;
    } else {
        sum = checksum_add(sum, tx->header, tx->header_len);
        uint32_t at = 0;
        for (unsigned i = 0; i < tx->n_ranges; i++) {
            uint16_t part = checksum_fold(checksum_add(0, tx->range[i].data, tx->range[i].length));
            sum += at & 1 ? (uint16_t)(part << 8 | part >> 8) : part;
            at += tx->range[i].length;
        }
        value = checksum_finish(sum);
    }
    tx->header[16] = (uint8_t)(value >> 8);
    tx->header[17] = (uint8_t)value;
}

static void put_header(const struct tcp_engine *e, struct tcp_tx *tx, const struct tcp_tuple *t,
                       struct tcp_hdr *h, struct tcp_opts *o, const struct auth_signature *sig)
{
    if (sig) {
        auth_option(sig, o);
    }
    uint8_t options = tcp_opts_build(tx->header + TCP_HEADER_MIN, o);
    h->sport = t->local_port;
    h->dport = t->remote_port;
    h->header_len = (uint8_t)(TCP_HEADER_MIN + options);
    h->checksum = 0;
    tcp_hdr_build(tx->header, h);
    tx->header_len = h->header_len;
    tx->src = t->local;
    tx->dst = t->remote;
    if (!ip_addr_is_v4(&t->local)) {
        tx->flow_label = (uint32_t)siphash24(&e->flow_key, t, sizeof *t) & 0xfffff;
    }
    if (sig) {
        auth_seal(sig, tx);
    }
    put_checksum(e, tx);
}

/* The same for a segment of a connection, signed if its segments are. */
static void put_tcb_header(const struct tcp_engine *e, struct tcp_tx *tx, struct tcb *c,
                           struct tcp_hdr *h, struct tcp_opts *o)
{
    if (!tcb_auth(c)) {
        put_header(e, tx, &c->t.rec.tuple, h, o, NULL);
        return;
    }
    struct auth_signature sig;
    auth_signature(&c->t, h->seq, h->flags, &sig);
    put_header(e, tx, &c->t.rec.tuple, h, o, &sig);
    explicit_bzero(&sig, sizeof sig);
}

static void segment_options(const struct tcp_engine *e, struct tcb *c, const struct plan *p,
                            struct tcp_opts *o, ackd_time now)
{
    *o = (struct tcp_opts){0};
    if (c->nego.timestamps) {
        o->has_timestamps = true;
        o->tsval = timestamp_now(c->ts_offset, now);
        o->tsecr = c->ts_recent;
    }
    if (p->what == PLAN_SYN) {
        o->has_mss = true;
        o->mss = c->rcv.adv_mss;
        o->sack_permitted = c->nego.sack;
        o->has_wscale = c->nego.wscale;
        o->wscale = c->nego.rcv_wscale;
        user_timeout_option(&c->options->v, o);
    } else {
        unsigned n_sack = sack_blocks(c, o->sack);
        uint32_t room = accecn_room(e, c, now, &n_sack);
        o->n_sack = (uint8_t)n_sack;
        if (c->uto_due) {
            user_timeout_option(&c->options->v, o);
            c->uto_due = false;
        }
        /* A retransmission has none: it may be what the path drops. */
        if (!p->run || e->config.accecn_as_linux) {
            accecn_option(e, c, now, room, p->length, o);
        }
    }
}

/* Urgent mode (section 3.8.5): the pointer is relative to this segment. */
static void put_urgent(const struct tcb *c, struct tcp_hdr *h)
{
    if (!(c->flags & C_URGENT_SENT) || !seq_gt(c->act->up, h->seq)) {
        return;
    }
    uint32_t pointer = seq_dist(c->act->up, h->seq);
    if (c->options->v.urgent_mode == TCP_URGENT_BSD && pointer) {
        pointer--;
    }
    h->flags |= TCP_URG;
    h->urgent = pointer > 65535 ? 65535 : (uint16_t)pointer;
}

/* The ACK that a segment carries settles what was owed. */
static void ack_settled(struct tcp_engine *e, struct tcb *c, const struct plan *p)
{
    if (c->flags & C_ACK_DELAYED && p->what == PLAN_ACK) {
        e->counters.delayed_acks++;
    }
    if (p->what == PLAN_ACK) {
        e->counters.acks_sent++;
    }
    c->rcv.ack_sent = c->rcv.nxt;
    c->t_delack = TIME_NEVER;
    if (!seq_eq(c->rcv.dsack.start, c->rcv.dsack.end)) {
        e->counters.dsack_sent++;
        c->rcv.dsack.end = c->rcv.dsack.start;
    }
    if (c->rcv.dup_acks_due && p->what == PLAN_ACK) {
        c->rcv.dup_acks_due--;
    }
    c->flags &= ~(uint32_t)(C_ACK_NOW | C_ACK_DELAYED | C_CHALLENGE | C_WINDOW_UPDATE);
}

/* Ranges of the send buffer for the payload; the plan shrinks to what fits into the frame's ranges.
 */
static void attach_payload(struct tcb *c, struct plan *p, struct tcp_tx *tx)
{
    if (!p->length) {
        return;
    }
    uint32_t offset = p->what == PLAN_SYN ? 0 : seq_dist(p->start, tcb_buffer_seq(c));
    uint32_t got =
        sndbuf_ranges(&c->act->snd, offset, p->length, tx->range, TCP_TX_RANGES, &tx->n_ranges);
    if (got < p->length) {
        uint32_t whole = got > p->mss ? got / p->mss * p->mss : got;
        got = sndbuf_ranges(&c->act->snd, offset, whole, tx->range, TCP_TX_RANGES, &tx->n_ranges);
        p->length = got;
        p->fin = false;
    }
    tx->payload_len = p->length;
    tx->gso_size = p->length > p->mss ? (uint16_t)p->mss : 0;
}

/* PSH where the data end that the user wrote, or marked (MUST-60, MUST-61). */
static bool pushes(const struct tcp_engine *e, const struct tcb *c, const struct plan *p)
{
    if (!p->length || p->what == PLAN_SYN) {
        return false;
    }
    if (e->config.push_super_frames && p->length > p->mss) {
        return true;
    }
    tcp_seq end = seq_add(p->start, p->length), all = seq_add(tcb_buffer_seq(c), tcb_buffered(c));
    bool mark =
        c->flags & C_FLUSHING_PUSH && seq_gt(c->act->push, p->start) && seq_le(c->act->push, end);
    bool more = c->flags & C_MORE_TO_COME && !(c->flags & C_WINDOW_OVERRIDE);
    return (seq_eq(end, all) && !more) || mark || marks_pushed(c, p->start, end);
}

/* The first half: what the segment holds. It may still be dropped. */
static void begin(const struct tcp_engine *e, struct tcb *c, struct plan *p, struct tcp_tx *tx)
{
    memset(tx, 0, offsetof(struct tcp_tx, range));
    tx->id = c->t.rec.id;
    tx->ttl = c->options->v.ttl;
    tx->tos = (uint8_t)(c->options->v.dscp << 2 | ecn_codepoint(e, c, p));
    tx->kind = p->kind;
    tx->doubtful = c->rtt.timeouts >= c->options->v.r1_timeouts;
    attach_payload(c, p, tx);
}

/* The second half: what it says, which is promised and settled from here on. */
static void finish(struct tcp_engine *e, struct tcb *c, ackd_time now, const struct plan *p,
                   struct tcp_tx *tx)
{
    bool syn = p->what == PLAN_SYN, acks = c->t.rec.state != TCP_SYN_SENT;
    struct tcp_opts o;
    segment_options(e, c, p, &o, now);
    if (syn && !acks && !p->run) {
        fast_open_syn_option(e, c, now, p->length, &o);
    }
    /* In a simultaneous open the SYN went before the first SYN,ACK. */
    bool first = !p->run || (!(c->flags & C_PASSIVE) && p->run->transmissions == 2);
    if (syn && acks && first && c->nego.ecn == ECN_ACCURATE) {
        accecn_syn_option(e, &c->options->v, &o);
    }
    struct tcp_hdr h = {.seq = p->start, .window = rcv_window_field(e, c, syn)};
    if (syn) {
        uint16_t ecn = ecn_tcb_syn_flags(e, c, acks, p->run ? p->run->transmissions : 1);
        h.flags |= TCP_SYN | ecn;
        tx->tos |= ecn_control_codepoint(&c->options->v, ecn);
    } else {
        h.flags |= ecn_flags(e, c, p, &o);
    }
    if (acks) {
        h.flags |= TCP_ACK;
        h.ack = c->rcv.nxt;
    }
    if (p->fin) {
        h.flags |= TCP_FIN;
    }
    if (pushes(e, c, p)) {
        h.flags |= TCP_PSH;
    }
    if (!syn) {
        put_urgent(c, &h);
    }
    put_tcb_header(e, tx, c, &h, &o);
    if (acks && p->what != PLAN_KEEPALIVE) { /* a keepalive lies outside the peer's window */
        ack_settled(e, c, p);
    }
}

/* ---- carrying out the plan ---- */

static uint32_t wire_segments(const struct tcp_tx *tx)
{
    return tx->gso_size ? (tx->payload_len + tx->gso_size - 1) / tx->gso_size : 1;
}

/* What the transmission will be measured from. */
static struct rtx_snapshot snapshot(struct tcb *c, ackd_time now, uint32_t length)
{
    rate_sent(c, now);
    struct rtx_snapshot at = flow_snapshot(c, now);
    at.in_flight += length;
    return at;
}

static void count_retransmits(struct tcb *c, uint32_t segs)
{
    uint32_t room = UINT32_MAX - c->rtt.retransmits;
    c->rtt.retransmits += segs < room ? segs : room;
}

static void account(struct tcp_engine *e, struct tcb *c, ackd_time now, const struct plan *p,
                    const struct tcp_tx *tx, bool again)
{
    uint32_t segs = wire_segments(tx);
    e->counters.out_frames++;
    c->segs_out += segs;
    c->snd.last = coarse_of(now);
    e->counters.loss_probes += p->what == PLAN_LOSS_PROBE;
    if (tx->payload_len && c->flow) {
        c->flow->data_sent = now;
        pacing_sent(c, now, tx->payload_len, p->mss);
    }
    if (again) {
        e->counters.retrans_segs += segs;
        e->counters.retrans_bytes += tx->payload_len;
        e->counters.fast_retransmits += p->kind == TCP_KIND_RETRANSMIT_FAST ? segs : 0;
        count_retransmits(c, segs);
        if (c->flow) {
            c->flow->retransmitted_bytes += tx->payload_len;
        }
    } else {
        e->counters.out_segs += segs;
        e->counters.out_bytes += tx->payload_len;
        c->snd.sent += tx->payload_len;
    }
}

/* What loss recovery has to know of what was sent. */
static void tell_recovery(struct tcb *c, ackd_time now, const struct plan *p, bool again)
{
    recovery_sent(c, p->start, p->length + p->fin, again, now);
    if (p->what == PLAN_LOSS_PROBE) {
        tlp_sent(c, again);
    }
}

static void timer_needed(struct tcb *c, ackd_time now)
{
    if (time_is_never(c->act->t_rtx)) {
        rto_restart(c, now);
    }
}

/* Payload of the plan's segments: records may be short ones in a row. */
static uint16_t run_mss(const struct plan *p)
{
    return (uint16_t)(p->length && p->length < p->mss ? p->length : p->mss);
}

/* What the plan sends for the first time; *end is where it ends. A SYN and the data that it carries
 * are two runs, because it is sent again without them; without memory for theirs they wait. */
static bool queue_new(struct tcp_engine *e, struct tcb *c, ackd_time now, struct plan *p,
                      struct tcp_tx *tx, tcp_seq *end)
{
    struct rtxq *q = &c->act->rtxq;
    bool syn = p->what == PLAN_SYN;
    tcp_seq start = p->start, text = seq_add(start, syn);
    *end = seq_add(text, p->length + p->fin);
    struct rtx_snapshot at = snapshot(c, now, seq_dist(*end, start));
    uint8_t flags = (uint8_t)((p->fin ? RTX_FIN : 0) | (rate_app_limited(c) ? RTX_APP_LIMITED : 0));
    uint16_t mss = run_mss(p);
    if (syn && !rtxq_sent(q, &e->run_slab, start, text, mss, RTX_SYN, now, &at)) {
        return false;
    }
    if (seq_eq(text, *end) || rtxq_sent(q, &e->run_slab, text, *end, mss, flags, now, &at)) {
        return true;
    }
    tx->payload_len = p->length = tx->n_ranges = 0;
    *end = text;
    return syn;
}

/* False when the retransmission queue has no memory: then nothing was sent. */
static bool send_new(struct tcp_engine *e, struct tcb *c, ackd_time now, struct plan *p,
                     struct tcp_tx *tx)
{
    bool first = !tcb_outstanding(c);
    begin(e, c, p, tx);
    tcp_seq end;
    if (!queue_new(e, c, now, p, tx, &end)) {
        return false;
    }
    finish(e, c, now, p, tx);
    if (first) {
        c->act->oldest_unacked = now;
        tcb_rtx_stop(c); /* the persist timer's time is over */
    }
    if (p->length % p->mss) {
        c->act->small_end = end;
        c->act->has_small = true;
    }
    c->snd.nxt = end;
    c->flags &= ~(uint32_t)(C_PROBE_SENT | C_WINDOW_OVERRIDE);
    if (p->fin) {
        c->flags |= C_FIN_SENT;
    }
    if (p->kind == TCP_KIND_MTU_PROBE && p->length == p->mss) {
        mtu_probe_sent(e, c, p);
    }
    if (p->kind == TCP_KIND_LIMITED_TRANSMIT) {
        e->counters.limited_transmits++;
    }
    timer_needed(c, now);
    tell_recovery(c, now, p, false);
    account(e, c, now, p, tx, false);
    return true;
}

static bool send_again(struct tcp_engine *e, struct tcb *c, ackd_time now, struct plan *p,
                       struct tcp_tx *tx)
{
    begin(e, c, p, tx);
    tcp_seq end = seq_add(p->start, p->length + p->fin + (p->what == PLAN_SYN));
    struct rtx_snapshot at = snapshot(c, now, seq_dist(end, p->start));
    struct rtx_run *part = rtxq_retransmitted(&c->act->rtxq, &e->run_slab, p->run, p->start, end,
                                              run_mss(p), now, &at);
    if (!part) {
        return false;
    }
    part->flags =
        (uint8_t)((part->flags & ~RTX_APP_LIMITED) | (rate_app_limited(c) ? RTX_APP_LIMITED : 0));
    c->fast_open |= p->what == PLAN_SYN ? FAST_OPEN_RESENT : 0;
    finish(e, c, now, p, tx);
    c->flags &= ~(uint32_t)C_RETRANSMIT_NOW;
    timer_needed(c, now);
    mtu_retransmitted(c, p->start, end, now);
    tell_recovery(c, now, p, true);
    account(e, c, now, p, tx, true);
    return true;
}

/* One octet beyond the window: new data (sent, but counted only when taken), or the oldest
 * outstanding one. */
static bool send_probe(struct tcp_engine *e, struct tcb *c, ackd_time now, struct plan *p,
                       struct tcp_tx *tx)
{
    bool outstanding = tcb_outstanding(c), again = outstanding || c->flags & C_PROBE_SENT;
    c->flags &= ~(uint32_t)C_PROBE_DUE;
    bool bare = e->config.probe_without_data && !outstanding;
    p->start = outstanding ? c->snd.una : bare ? seq_sub(c->snd.nxt, 1) : c->snd.nxt;
    p->length = tcb_buffered(c) && !bare ? 1 : 0;
    p->fin = !p->length && !bare; /* nothing but a FIN is outstanding */
    begin(e, c, p, tx);
    finish(e, c, now, p, tx);
    if (bare) {
        again = false;
    } else if (outstanding) {
        rtxq_probed(&c->act->rtxq);
    } else {
        c->flags |= C_PROBE_SENT;
    }
    e->counters.zero_window_probes++;
    e->counters.out_frames++;
    *(again ? &e->counters.retrans_segs : &e->counters.out_segs) += 1;
    count_retransmits(c, again);
    c->segs_out++;
    c->snd.last = coarse_of(now);
    return true;
}

/* SND.NXT; but a peer that took back its window does not look at what lies beyond. A FIN may lie
 * just behind the edge, and the edge is known to the unit of the field. */
tcp_seq bare_seq(const struct tcb *c)
{
    tcp_seq edge = seq_add(c->snd.una, c->snd.wnd);
    uint32_t blur = 1u << c->nego.snd_wscale;
    blur = c->flags & C_FIN_SENT && blur < 2 ? 2 : blur;
    bool inside = !state_synchronized(c->t.rec.state) || seq_lt(c->snd.nxt, seq_add(edge, blur));
    return inside ? c->snd.nxt : edge;
}

static bool send_bare(struct tcp_engine *e, struct tcb *c, ackd_time now, struct plan *p,
                      struct tcp_tx *tx)
{
    p->start = bare_seq(c);
    if (p->what == PLAN_KEEPALIVE) {
        p->start = seq_sub(c->snd.nxt, 1); /* MAY-6's garbage octet is left out (SHLD-12) */
        c->flags &= ~(uint32_t)C_KEEPALIVE_DUE;
        e->counters.keepalive_probes++;
    }
    begin(e, c, p, tx);
    finish(e, c, now, p, tx);
    e->counters.out_frames++;
    e->counters.out_segs++;
    c->segs_out++;
    c->snd.last = coarse_of(now);
    return true;
}

static bool carry_out(struct tcp_engine *e, struct tcb *c, ackd_time now, struct plan *p,
                      struct tcp_tx *tx)
{
    switch (p->what) {
    case PLAN_SYN:
        p->length = p->length && flow_need(e, c, now) ? p->length : 0;
        return p->run ? send_again(e, c, now, p, tx) : send_new(e, c, now, p, tx);
    case PLAN_DATA:
        return tcb_activity(e, c, now) && flow_need(e, c, now) && send_new(e, c, now, p, tx);
    case PLAN_RETRANSMIT:
        return send_again(e, c, now, p, tx);
    case PLAN_LOSS_PROBE:
        return p->run ? send_again(e, c, now, p, tx) : send_new(e, c, now, p, tx);
    case PLAN_PROBE:
        return send_probe(e, c, now, p, tx);
    default:
        return send_bare(e, c, now, p, tx);
    }
}

#define NO_MEMORY_NS (10 * NS_PER_MS)

/* There was no memory for the plan: a timer tries again, and an ACK that is owed goes alone. */
static bool postpone(struct tcp_engine *e, struct tcb *c, ackd_time now, struct tcp_tx *tx)
{
    tcb_fold(e, c);
    if (tcb_outstanding(c)) {
        timer_needed(c, now);
    } else if (c->act) {
        c->act->t_rtx = time_add(now, NO_MEMORY_NS);
    } else { /* a FIN: tcb_timeout() looks for it */
        wheel_set(timed_wheel(e, &c->t), &c->t.timer, time_add(now, NO_MEMORY_NS));
    }
    if (c->flags & C_ACK_NOW && c->t.rec.state != TCP_SYN_SENT) {
        struct plan ack = {.what = PLAN_ACK, .kind = TCP_KIND_ACK};
        return send_bare(e, c, now, &ack, tx);
    }
    list_remove(&c->out);
    tcb_arm(e, c);
    return false;
}

/* Nothing more goes: note why, and make sure that something wakes us. */
static void settle(struct tcp_engine *e, struct tcb *c, ackd_time now, const struct plan *p)
{
    limit_set(e, c, p->limit, now);
    c->flags &= ~(uint32_t)(C_PROBE_DUE | C_RETRANSMIT_NOW); /* what is left of them is stale */
    if (c->flow) {
        c->flow->recovery.probe_due = false;
    }
    bool by_cwnd = p->limit == TCP_LIMIT_CONGESTION_WINDOW || p->limit == TCP_LIMIT_RECOVERY ||
                   p->limit == TCP_LIMIT_RTO_BACKOFF || p->limit == TCP_LIMIT_LARGER_FRAME;
    c->flags |= by_cwnd ? C_CWND_LIMITED : 0;
    rate_idle(c);
    bool by_window = p->limit == TCP_LIMIT_ZERO_WINDOW || p->limit == TCP_LIMIT_RECEIVE_WINDOW ||
                     p->limit == TCP_LIMIT_SILLY_WINDOW || p->limit == TCP_LIMIT_MORE_TO_COME;
    if (by_window && !tcb_outstanding(c) && time_is_never(c->act->t_rtx)) {
        int64_t wait = rto_ns(c) << (c->persist_backoff < 10 ? c->persist_backoff : 10);
        int64_t most =
            c->snd.wnd ? NS_PER_S : c->options->v.rto_max_ns; /* MUST-38's override: 0.1 to 1 s */
        c->act->t_rtx = time_add(now, wait > most ? most : wait);
    } else if (!by_window && !tcb_outstanding(c)) {
        c->persist_backoff = 0;
    }
    list_remove(&c->out);
    tcb_arm(e, c);
    if (c->t.rec.state == TCP_TIME_WAIT && c->flags & C_RELEASED) {
        time_wait_compact(e, c, now);
    }
}

static bool flush_tcb(struct tcp_engine *e, struct tcb *c, ackd_time now, struct tcp_tx *tx)
{
    struct plan p;
    if (tcb_unsent(c) && sends_data(c->t.rec.state)) {
        flow_need(e, c, now); /* the plan asks it; without memory carry_out() says so */
    }
    if (!tcb_outstanding(c) && tcb_unsent(c) && c->snd.wnd) { /* a probe begins no transmission */
        cc_restart_after_idle(c, now);
    }
    output_plan(e, c, now, &p);
    if (p.what == PLAN_NOTHING) {
        settle(e, c, now, &p);
        return false;
    }
    if (!carry_out(e, c, now, &p, tx) && !postpone(e, c, now, tx)) {
        return false;
    }
    event_segment_out(e, now, tx, &c->t.rec.tuple, c, NULL);
    list_remove(&c->out); /* the others have their turn first */
    list_append(&e->output, &c->out);
    if (c->flags & C_WRITE_WANTED) { /* less waits to be sent than before */
        ready_sent(e, c);
    }
    return true;
}

static void flush_control(struct tcp_engine *e, ackd_time now, struct tcp_tx *tx)
{
    struct control_segment *cs = container_of(e->control.next, struct control_segment, link);
    memset(tx, 0, offsetof(struct tcp_tx, range));
    tx->id = cs->id;
    tx->ttl = cs->ttl;
    tx->tos = cs->tos;
    tx->kind = cs->kind;
    struct tcp_hdr h = {.seq = cs->seq, .ack = cs->ack, .flags = cs->flags, .window = cs->window};
    put_header(e, tx, &cs->tuple, &h, &cs->options, cs->signature);
    e->counters.out_frames++;
    *(cs->again ? &e->counters.retrans_segs : &e->counters.out_segs) += 1;
    e->counters.out_rsts += (cs->flags & TCP_RST) != 0;
    event_segment_out(e, now, tx, &cs->tuple, NULL, cs);
    control_drop(e, cs);
}

bool tcp_flush(struct tcp_engine *e, ackd_time now, struct tcp_tx *tx)
{
    if (!list_empty(&e->control)) {
        flush_control(e, now, tx);
        return true;
    }
    bool sent = false;
    while (!sent && !list_empty(&e->output)) {
        sent = flush_tcb(e, container_of(e->output.next, struct tcb, out), now, tx);
    }
    if (!sent) {
        door_close(e);
    }
    return sent;
}

/* ---- what could not be sent ---- */

/* What occupies sequence numbers is LOST and goes again soon; not at once, or a device that refuses
 * everything would be asked for ever. An ACK goes again in the same time; probes have their timers.
 */
static void locally_dropped(struct tcp_engine *e, struct tcb *c, ackd_time now,
                            const struct tcp_tx *tx)
{
    ackd_time soon = time_add(now, 10 * NS_PER_MS);
    struct tcp_hdr h;
    tcp_hdr_parse(tx->header, tx->header_len, &h);
    uint32_t length = tx->payload_len + (h.flags & TCP_SYN ? 1 : 0) + (h.flags & TCP_FIN ? 1 : 0);
    if (tx->kind == TCP_KIND_KEEPALIVE) {
        c->extras->keepalive_probes -= c->extras->keepalive_probes > 0;
    } else if (length && tx->kind != TCP_KIND_WINDOW_PROBE && tcb_outstanding(c)) {
        uint32_t marked = c->act->rtxq.lost_ever;
        rtxq_mark_range_lost(&c->act->rtxq, &e->run_slab, h.seq, seq_add(h.seq, length));
        rtxq_no_loss(&c->act->rtxq, marked);
        c->flags |= C_LOCAL_DROP;
        c->act->t_rtx = time_min(c->act->t_rtx, soon);
    } else if (!length && !(h.flags & TCP_RST)) {
        c->t_delack = time_min(c->t_delack, soon);
    }
}

void tcp_tx_failed(struct tcp_engine *e, ackd_time now, const struct tcp_tx *tx,
                   enum tcp_tx_failure why, int error)
{
    struct tcb *c = tx->id ? tcb_find(e, tx->id) : NULL;
    e->counters.local_drops += why == TCP_TX_LOCAL_DROP;
    if (!c || c->t.rec.state == TCP_CLOSED) {
        return;
    }
    switch (why) {
    case TCP_TX_LOCAL_DROP:
        locally_dropped(e, c, now, tx);
        break;
    case TCP_TX_NEIGHBOUR_PENDING:
        c->flags |= C_NEIGHBOUR_PENDING;
        break;
    case TCP_TX_UNREACHABLE:
        c->soft_error = (uint16_t)error;
        if (c->t.rec.state == TCP_SYN_SENT) {
            tcb_closed(e, c, now, TCP_CLOSE_NEIGHBOUR_UNREACHABLE);
            door_close(e);
            return;
        }
        ready_tcb(e, c, TCP_READY_SOFT_ERROR);
        break;
    }
    tcb_touch(e, c);
}
