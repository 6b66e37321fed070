/* TIME-WAIT (RFC 9293 sections 3.3.2, 3.6.1, MUST-13): for 2 MSL after the close, a record answers
 * the peer's repeated FIN and keeps old duplicates away from a new connection of the same tuple.
 * Nobody needs the rest of the tcb for that: once its user let go, a small record takes its place.
 * A newer SYN may end it early (MAY-2, RFC 6191); a reset does not (RFC 1337), unless asked for.
 *
 * What the small record keeps is coarse where that does no harm: when the connection was made in
 * steps of 17 ms, how long TIME-WAIT lasts in steps of 125 ms, upwards, and of the octets carried
 * 48 bits. */
#include "tcp/isn.h"
#include "tcp/tcb.h"

#define LIFETIME_NS (125 * NS_PER_MS) /* 16 bits of them are more than twice the longest MSL */

bool time_wait_reusable(const struct segment *s, tcp_seq rcv_nxt, uint32_t ts_recent, bool before,
                        bool now)
{
    if ((s->h.flags & (TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN)) != TCP_SYN) {
        return false;
    }
    /* RFC 6191 section 2; what it would drop silently gets an ACK (RFC 5961 section 4), by which a
     * peer that restarted finds out. */
    if (now && !before) {
        return true; /* old segments have no timestamp and so do not fit */
    }
    int32_t newer = now ? (int32_t)(s->o.tsval - ts_recent) : 0;
    return newer ? newer > 0 : seq_ge(s->h.seq, rcv_nxt); /* which is beyond its FIN */
}

static int64_t lifetime_ns(const struct tcb *c)
{
    return 2 * c->options->v.msl_ns;
}

/* The connection that would end first has kept old duplicates away for longest. */
static void evict_oldest(struct tcp_engine *e, ackd_time now)
{
    struct wheel_entry *soonest = wheel_soonest(&e->waits);
    struct timed *t = container_of(soonest, struct timed, timer);
    if (t->rec.kind == REC_TIME_WAIT) {
        time_wait_remove(e, (struct time_wait *)(void *)t, now, TCP_CLOSE_TIME_WAIT_EVICTED);
    } else {
        tcb_closed(e, tcb_of_rec(&t->rec), now, TCP_CLOSE_TIME_WAIT_EVICTED);
    }
}

void time_wait_enter(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    if (e->time_wait && e->time_wait >= e->config.max_time_wait) {
        evict_oldest(e, now);
    }
    metrics_learn(e, c, now);
    wheel_set(timed_wheel(e, &c->t), &c->t.timer, TIME_NEVER);
    state_set(e, &c->t.rec, TCP_TIME_WAIT, now, TCP_CLOSE_NONE);
    e->time_wait++;
    c->t_delack = TIME_NEVER;
    tcb_rtx_stop(c);
    keepalive_stop(c);
    c->t_state = time_add(now, lifetime_ns(c));
    tcb_arm(e, c);
    tcb_touch(e, c);
    ready_tcb(e, c, TCP_READY_READ);
}

static struct slab *time_wait_slab(struct tcp_engine *e, bool is_signed)
{
    return is_signed ? &e->signed_time_wait_slab : &e->time_wait_slab;
}

/* What the history wants to know, in fewer bits. */
static void keep_totals(struct time_wait *tw, const struct tcb *c)
{
    uint64_t received = tcb_received(c);
    tw->created = coarse_of(c->created);
    tw->bytes_sent = (uint32_t)c->snd.sent;
    tw->bytes_sent_high = (uint16_t)(c->snd.sent >> 32);
    tw->bytes_received = (uint32_t)received;
    tw->bytes_received_high = (uint16_t)(received >> 32);
}

uint64_t time_wait_sent(const struct time_wait *tw)
{
    return (uint64_t)tw->bytes_sent_high << 32 | tw->bytes_sent;
}

uint64_t time_wait_received(const struct time_wait *tw)
{
    return (uint64_t)tw->bytes_received_high << 32 | tw->bytes_received;
}

ackd_time time_wait_created(const struct time_wait *tw, ackd_time now)
{
    return coarse_start(tw->created, now);
}

bool time_wait_compact(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct time_wait *tw = slab_alloc(time_wait_slab(e, tcb_auth(c)));
    if (!tw) {
        return false; /* the tcb itself goes on to serve */
    }
    wheel_entry_init(&tw->t.timer);
    tw->snd_nxt = c->snd.nxt;
    tw->rcv_nxt = c->rcv.nxt;
    tw->ts_recent = c->ts_recent;
    tw->t.rec.timestamps = c->nego.timestamps;
    tw->t.rec.rfc1337 = c->options->v.rfc1337;
    tw->t.rec.ttl = c->options->v.ttl;
    tw->t.rec.tos = (uint8_t)(c->options->v.dscp << 2);
    tw->window = (uint16_t)(rcv_window(c) >> c->nego.rcv_wscale);
    tw->t.rec.ace = (uint8_t)(accecn_counter_flags(c) / TCP_ECE) & 7;
    tw->lifetime = (uint16_t)((lifetime_ns(c) + LIFETIME_NS - 1) / LIFETIME_NS);
    keep_totals(tw, c);
    ackd_time end = time_is_never(c->t_state) ? time_add(now, lifetime_ns(c)) : c->t_state;
    struct auth *a = auth_take(&c->t);
    tw->t.rec.is_signed = a;
    rec_replace(e, &c->t.rec, &tw->t.rec, REC_TIME_WAIT);
    if (a) {
        *auth_place(&tw->t) = a;
    }
    wheel_set(&e->waits, &tw->t.timer, end);
    tcb_destroy(e, c);
    return true;
}

void time_wait_remove(struct tcp_engine *e, struct time_wait *tw, ackd_time now,
                      enum tcp_close_reason reason)
{
    struct tcp_closed record = {
        .id = tw->t.rec.id,
        .tuple = tw->t.rec.tuple,
        .last_state = TCP_TIME_WAIT,
        .reason = reason,
        .created = time_wait_created(tw, now),
        .closed = now,
        .bytes_sent = time_wait_sent(tw),
        .bytes_received = time_wait_received(tw),
    };
    remember_closed(e, &record);
    wheel_set(&e->waits, &tw->t.timer, TIME_NEVER);
    state_set(e, &tw->t.rec, TCP_CLOSED, now, reason);
    rec_leave(e, &tw->t.rec);
    e->time_wait--;
    auth_free(e, &tw->t);
    slab_free(time_wait_slab(e, tw->t.rec.is_signed), tw);
}

void time_wait_timeout(struct tcp_engine *e, struct time_wait *tw, ackd_time now)
{
    time_wait_remove(e, tw, now, TCP_CLOSE_TIME_WAIT_EXPIRED);
}

static void time_wait_ack(struct tcp_engine *e, struct time_wait *tw, ackd_time now)
{
    struct control_segment *cs = control_new(e, &tw->t.rec.tuple);
    if (!cs) {
        return;
    }
    cs->id = tw->t.rec.id;
    cs->state = TCP_TIME_WAIT;
    cs->kind = TCP_KIND_ACK;
    cs->seq = tw->snd_nxt;
    cs->ack = tw->rcv_nxt;
    cs->irs = seq_sub(tw->rcv_nxt, 1);
    cs->flags = (uint16_t)(TCP_ACK | tw->t.rec.ace * TCP_ECE);
    cs->window = tw->window;
    cs->ttl = tw->t.rec.ttl;
    cs->tos = tw->t.rec.tos;
    if (tw->t.rec.timestamps) {
        cs->options = (struct tcp_opts){
            .has_timestamps = true,
            .tsval = timestamp_now(timestamp_offset(&e->ts_key, &tw->t.rec.tuple), now),
            .tsecr = tw->ts_recent};
    }
    auth_control(e, &tw->t, &cs);
    e->counters.acks_sent += cs != NULL;
}

void time_wait_input(struct tcp_engine *e, struct time_wait *tw, struct segment *s)
{
    if (s->h.flags & TCP_RST) {
        s->drop = TCP_DROP_TIME_WAIT_RST;
        if (!tw->t.rec.rfc1337 && seq_eq(s->h.seq, tw->rcv_nxt)) {
            e->counters.rsts_received[TCP_RST_RECEIVED_RST_IN_TIME_WAIT]++;
            e->counters.in_rsts++;
            s->drop = TCP_DROP_NONE;
            time_wait_remove(e, tw, s->now, TCP_CLOSE_RESET_BY_PEER);
        }
        return;
    }
    if (s->h.flags & TCP_SYN) {
        s->drop = TCP_DROP_TIME_WAIT_OLD_SYN; /* input.c looked whether it is newer */
    } else if (s->fin && seq_eq(seq_add(s->h.seq, s->payload + 1), tw->rcv_nxt)) {
        wheel_set(&e->waits, &tw->t.timer, time_add(s->now, tw->lifetime * LIFETIME_NS)); /* U-8 */
        if (tw->t.rec.timestamps && s->o.has_timestamps &&
            (int32_t)(s->o.tsval - tw->ts_recent) > 0) {
            tw->ts_recent = s->o.tsval;
        }
    } else {
        s->drop = TCP_DROP_TIME_WAIT_SEGMENT;
        if (!s->payload && !s->fin && seq_eq(s->h.seq, tw->rcv_nxt)) {
            return; /* a plain ACK: answering it could go on for ever */
        }
    }
    time_wait_ack(e, tw, s->now);
}
