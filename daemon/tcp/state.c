/* The state of a connection has one writer, a matrix of legal transitions (RFC 9293 section 3.3.2,
 * figure 5), and one end. */
#include "tcp/tcb.h"

#include <assert.h>

#define TO(s) (1u << TCP_##s)

static const uint16_t legal[TCP_STATES] = {
    [TCP_CLOSED] = TO(LISTEN) | TO(SYN_SENT),
    [TCP_LISTEN] = TO(SYN_RECEIVED) | TO(CLOSED),
    [TCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED) | TO(CLOSED),
    [TCP_SYN_RECEIVED] = TO(ESTABLISHED) | TO(CLOSED),
    [TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
    [TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED),
    [TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
    [TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
    [TCP_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
    [TCP_LAST_ACK] = TO(CLOSED),
    [TCP_TIME_WAIT] = TO(CLOSED),
};

bool state_legal(enum tcp_state from, enum tcp_state to)
{
    return legal[from] >> to & 1;
}

void state_set(struct tcp_engine *e, struct rec *r, enum tcp_state to, ackd_time now,
               enum tcp_close_reason reason)
{
    enum tcp_state from = r->state;
    assert(state_legal(from, to));
    e->counters.states[from]--;
    e->counters.states[to]++;
    r->state = (uint8_t)to;
    if (to == TCP_CLOSED) {
        e->counters.closes[reason]++;
        if (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) {
            e->counters.estab_resets++;
        } else if (from == TCP_SYN_SENT || from == TCP_SYN_RECEIVED) {
            e->counters.attempt_fails++;
        }
    }
    event_state(e, r, from, now, reason);
}

void remember_closed(struct tcp_engine *e, const struct tcp_closed *record)
{
    e->closed[e->closed_count++ % e->config.closed_history] = *record;
}

void tcb_closed(struct tcp_engine *e, struct tcb *c, ackd_time now, enum tcp_close_reason reason)
{
    struct rec *r = &c->t.rec;
    struct tcp_closed record = {
        .id = r->id,
        .tuple = r->tuple,
        .last_state = r->state,
        .reason = reason,
        .created = c->created,
        .closed = now,
        .bytes_sent = c->snd.sent,
        .bytes_received = tcb_received(c),
        .retransmits = c->rtt.retransmits,
        .owner = c->owner,
        .cookie = c->cookie,
    };
    remember_closed(e, &record);
    fast_open_settled(e, c, now, reason == TCP_CLOSE_RESET_BY_PEER);
    if (r->state != TCP_TIME_WAIT) {
        metrics_learn(e, c, now);
    }
    limit_set(e, c, TCP_LIMIT_CLOSED, now);
    e->time_wait -= r->state == TCP_TIME_WAIT;
    wheel_set(timed_wheel(e, &c->t), &c->t.timer, TIME_NEVER);
    c->close_reason = (uint8_t)reason;
    state_set(e, r, TCP_CLOSED, now, reason);
    rec_leave_tuple(e, r);
    c->t_delack = c->t_state = TIME_NEVER;
    tcb_rtx_stop(c);
    keepalive_stop(c);
    recovery_stop(c);
    list_remove(&c->out);
    if (c->act) {
        rtxq_clear(&c->act->rtxq, &e->run_slab);
        sndbuf_clear(&c->act->snd, e->arena);
        sndbuf_init(&c->act->snd);
        tcb_fold(e, c);
    }
    bool awaited = e->config.accept_ended && !list_empty(&c->queue);
    if (c->flags & C_RELEASED || (!(c->flags & C_ACCEPTED) && !awaited)) {
        tcb_destroy(e, c);
        return;
    }
    ready_tcb(e, c, TCP_READY_CLOSED | TCP_READY_READ | TCP_READY_WRITE);
}
