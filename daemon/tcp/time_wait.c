/* TIME-WAIT (RFC 9293 sections 3.3.2, 3.6.1, MUST-13): for 2 MSL after the close, a record answers
 * the peer's repeated FIN and keeps old duplicates away from a new connection of the same tuple.
 * Nobody needs the rest of the tcb for that: once its user let go, a small record takes its place.
 * A newer SYN may end it early (MAY-2, RFC 6191); a reset does not (RFC 1337), unless asked for. */
#include "tcp/tcb.h"

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

/* The connection that came here first has kept old duplicates away for longest. */
static void evict_oldest(struct tcp_engine *e, ackd_time now)
{
    struct timed *t = container_of(e->time_waits.next, struct timed, aged);
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
    state_set(e, &c->t.rec, TCP_TIME_WAIT, now, TCP_CLOSE_NONE);
    e->time_wait++;
    list_append(&e->time_waits, &c->t.aged);
    c->t_rtx = c->t_delack = c->t_keepalive = TIME_NEVER;
    c->t_state = time_add(now, lifetime_ns(c));
    tcb_touch(e, c);
    ready_tcb(e, c, TCP_READY_READ);
}

bool time_wait_compact(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    struct time_wait *tw = slab_alloc(&e->time_wait_slab);
    if (!tw) {
        return false; /* the tcb itself goes on to serve */
    }
    list_init(&tw->t.aged);
    wheel_entry_init(&tw->t.timer);
    tw->snd_nxt = c->snd.nxt;
    tw->rcv_nxt = c->rcv.nxt;
    tw->ts_recent = c->ts_recent;
    tw->ts_offset = c->ts_offset;
    tw->timestamps = c->nego.timestamps;
    tw->rfc1337 = c->options->v.rfc1337;
    tw->window = (uint16_t)(rcv_window(c) >> c->nego.rcv_wscale);
    tw->ace = accecn_counter_flags(c);
    tw->ttl = c->options->v.ttl;
    tw->tos = (uint8_t)(c->options->v.dscp << 2);
    tw->lifetime_ms = (uint32_t)(lifetime_ns(c) / NS_PER_MS);
    tw->bytes_sent = c->bytes_sent;
    tw->bytes_received = tcb_received(c);
    tw->created = c->created;
    tw->t.auth = c->t.auth;
    c->t.auth = NULL;
    ackd_time end = time_is_never(c->t_state) ? time_add(now, lifetime_ns(c)) : c->t_state;
    rec_replace(e, &c->t.rec, &tw->t.rec, REC_TIME_WAIT);
    list_replace(&c->t.aged, &tw->t.aged);
    wheel_set(&e->wheel, &tw->t.timer, end);
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
        .created = tw->created,
        .closed = now,
        .bytes_sent = tw->bytes_sent,
        .bytes_received = tw->bytes_received,
    };
    remember_closed(e, &record);
    state_set(e, &tw->t.rec, TCP_CLOSED, now, reason);
    wheel_set(&e->wheel, &tw->t.timer, TIME_NEVER);
    rec_leave(e, &tw->t.rec);
    list_remove(&tw->t.aged);
    e->time_wait--;
    auth_free(e, &tw->t);
    slab_free(&e->time_wait_slab, tw);
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
    cs->flags = TCP_ACK | tw->ace;
    cs->window = tw->window;
    cs->ttl = tw->ttl;
    cs->tos = tw->tos;
    if (tw->timestamps) {
        cs->options = (struct tcp_opts){.has_timestamps = true,
                                        .tsval = timestamp_now(tw->ts_offset, now),
                                        .tsecr = tw->ts_recent};
    }
    auth_control(e, &tw->t, &cs);
    e->counters.acks_sent += cs != NULL;
}

void time_wait_input(struct tcp_engine *e, struct time_wait *tw, struct segment *s)
{
    if (s->h.flags & TCP_RST) {
        s->drop = TCP_DROP_TIME_WAIT_RST;
        if (!tw->rfc1337 && seq_eq(s->h.seq, tw->rcv_nxt)) {
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
        wheel_set(&e->wheel, &tw->t.timer,
                  time_add(s->now, (int64_t)tw->lifetime_ms * NS_PER_MS)); /* U-8 */
        if (tw->timestamps && s->o.has_timestamps && (int32_t)(s->o.tsval - tw->ts_recent) > 0) {
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
