/* What must hold between any two calls, checked by simulations and fuzzers after every step. What
 * can only be seen from outside (promises on the wire, the next deadline, delivery) is checked by
 * tests/sim itself; docs/simulation.md lists both. */
#include "tcp/tcb.h"

#define MUST(condition, sentence)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            *what = sentence;                                                                      \
            return __LINE__;                                                                       \
        }                                                                                          \
    } while (0)

static int check_recovery(const struct tcb *c, const char **what)
{
    if (!c->flow) {
        return 0;
    }
    const struct flight *f = &c->act->flight;
    MUST(c->flow->cc.state == RECOVERY_OPEN || !(c->flags & C_RTO_RECOVERY),
         "after a timeout nothing but the timeout is repaired");
    MUST((f->timer == LOSS_TIMER_NONE) == time_is_never(f->t_loss),
         "the timer of losses has a purpose");
    MUST(f->timer == LOSS_TIMER_NONE || tcb_outstanding(c), "and something to watch over");
    MUST(f->frto == FRTO_OFF || c->flags & C_RTO_RECOVERY, "F-RTO tests a timeout");
    MUST(f->dup_bytes == 0 || !c->nego.sack, "with SACK duplicate ACKs are not counted");
    MUST(f->dup_bytes <= tcb_outstanding(c), "no more has arrived than was sent");
    MUST(c->flow->cc.cwnd >= send_mss(c), "cwnd is a segment at least");
    MUST(c->flow->cc.ssthresh >= 2 * send_mss(c), "ssthresh is two segments at least");
    MUST(recovery_pipe(c) <= tcb_outstanding(c), "no more is in flight than is outstanding");
    return 0;
}

/* The stream and the sequence numbers tell the same. */
static int check_stream(const struct tcb *c, const char **what)
{
    if (!state_synchronized(c->t.rec.state)) {
        return 0;
    }
    bool fin_acked = c->flags & C_FIN_SENT && seq_eq(c->snd.una, c->snd.nxt);
    MUST(seq_dist(c->snd.una, c->snd.iss) ==
             (uint32_t)(1 + tcb_accepted(c) - tcb_buffered(c) + fin_acked),
         "what is acknowledged left the send buffer, and nothing else");
    bool fin = c->flags & C_FIN_RECEIVED;
    MUST(c->flags & C_RECEIVE_CLOSED || /* nobody reads: what was there is thrown away */
             seq_dist(c->rcv.nxt, c->rcv.irs) == (uint32_t)(1 + tcb_received(c) + fin),
         "what is before RCV.NXT was read or can be");
    return 0;
}

#define IN(state) (1u << TCP_##state)

/* RFC 9293 section 3.3.2: which FINs have been is what the state says. */
static int check_fins(const struct tcb *c, const char **what)
{
    const unsigned closing = IN(FIN_WAIT_1) | IN(CLOSING) | IN(LAST_ACK);
    const unsigned acked = IN(FIN_WAIT_2) | IN(TIME_WAIT);
    const unsigned received = IN(CLOSE_WAIT) | IN(CLOSING) | IN(LAST_ACK) | IN(TIME_WAIT);
    unsigned state = 1u << c->t.rec.state;
    bool sent = c->flags & C_FIN_SENT, got = c->flags & C_FIN_RECEIVED;
    MUST(!sent || state & (closing | acked), "a FIN was sent in the states that say so");
    MUST(!(state & acked) || (sent && seq_eq(c->snd.una, c->snd.nxt)),
         "in FIN-WAIT-2 and TIME-WAIT our FIN is acknowledged");
    MUST(!(state & closing) || c->flags & C_FIN_QUEUED, "who is closing has a FIN to send");
    MUST(got == ((state & received) != 0), "the peer's FIN is behind what the state says");
    MUST(!(c->flags & C_FIN_AHEAD) || (!got && seq_gt(c->rcv.fin, c->rcv.nxt)),
         "a FIN beyond a hole is beyond RCV.NXT");
    return 0;
}

static int check_send(const struct tcb *c, const char **what)
{
    const struct activity *a = c->act;
    MUST(seq_le(c->snd.una, c->snd.nxt), "SND.UNA =< SND.NXT");
    if (!a) {
        MUST(seq_eq(c->snd.una, c->snd.nxt) || c->t.rec.state == TCP_SYN_RECEIVED ||
                 c->t.rec.state == TCP_CLOSED,
             "nothing outstanding without an activity block");
        return 0;
    }
    MUST(rtxq_valid(&a->rtxq), "the retransmission queue adds up");
    MUST(a->rtxq.sacked == 0 || c->nego.sack, "only who agreed on SACK has octets SACKed");
    MUST(a->rtxq.bytes == tcb_outstanding(c), "the retransmission queue holds SND.UNA to SND.NXT");
    if (a->rtxq.runs) {
        MUST(seq_eq(rtxq_first(&a->rtxq)->start, c->snd.una), "the first run starts at SND.UNA");
    }
    uint32_t control = (seq_eq(c->snd.una, c->snd.iss) && !seq_eq(c->snd.nxt, c->snd.iss)) +
                       ((c->flags & C_FIN_SENT) != 0 && tcb_outstanding(c));
    MUST(tcb_outstanding(c) <= a->snd.length + control, "outstanding data are in the send buffer");
    MUST(a->snd.length || a->rtxq.runs || seq_eq(c->snd.nxt, c->snd.iss),
         "the activity block is folded when it is empty");
    MUST(tcb_outstanding(c) == 0 || !time_is_never(tcb_rtx(c)),
         "a timer runs while data are unacknowledged");
    return check_recovery(c, what);
}

static int check_receive(const struct tcb *c, const char **what)
{
    MUST(seq_le(c->rcv.ack_sent, c->rcv.nxt), "nothing is acknowledged that did not come");
    if (c->rcvq) {
        MUST(rcvq_valid(c->rcvq), "the receive queue adds up");
        MUST(c->flags & C_FIN_RECEIVED || seq_eq(c->rcvq->nxt, c->rcv.nxt),
             "the receive queue ends at RCV.NXT");
        MUST(!(c->flags & C_FIN_AHEAD) || !seq_lt(c->rcv.fin, rcvq_end(c->rcvq)),
             "nothing was received beyond the FIN");
    }
    return 0;
}

static int check_tcb(const struct tcb *c, const char **what)
{
    int line = check_send(c, what);
    line = line ? line : check_receive(c, what);
    if (line || c->t.rec.state == TCP_CLOSED) {
        return line;
    }
    line = check_stream(c, what);
    line = line ? line : check_fins(c, what);
    if (line) {
        return line;
    }
    MUST(list_empty(&c->out) ? !time_before(tcb_deadline(c), c->t.timer.deadline) : true,
         "the wheel knows the earliest deadline");
    const uint32_t due = C_ACK_NOW | C_PROBE_DUE | C_KEEPALIVE_DUE | C_RETRANSMIT_NOW;
    MUST(!(c->flags & due || c->rcv.dup_acks_due) || !list_empty(&c->out),
         "what is due has its turn in the next flush");
    MUST(!(c->flags & C_FIN_QUEUED) || c->flags & C_FIN_SENT || !list_empty(&c->out) ||
             !time_is_never(c->t.timer.deadline),
         "a FIN that is not sent has a timer or work pending");
    MUST(c->t.rec.state != TCP_SYN_SENT || !list_empty(&c->out) || !time_is_never(tcb_rtx(c)),
         "SYN-SENT has a timer or work pending");
    MUST(c->t.rec.state != TCP_SYN_RECEIVED || !(c->flags & C_PASSIVE) ||
             c->fast_open & FAST_OPEN_CHILD,
         "a passive open has no tcb before it is established");
    bool waiting = tcb_unsent(c) && tcb_outstanding(c) == 0 && c->t.rec.state != TCP_SYN_RECEIVED;
    MUST(!waiting || !list_empty(&c->out) || !time_is_never(tcb_rtx(c)) ||
             c->limit == TCP_LIMIT_PACING,
         "unsent data on an idle connection have a timer or work pending");
    return 0;
}

int tcp_check(struct tcp_engine *e, ackd_time now, const char **what)
{
    (void)now;
    uint32_t n = 0, half_open = 0, time_wait = 0;
    uint64_t last = 0, states[TCP_STATES] = {0};
    bool told_lives = e->told == NULL;
    for (struct rec *r = rec_next(e, 0); r; r = rec_next(e, r->id)) {
        told_lives = told_lives || r == e->told;
        n++;
        states[r->state]++;
        half_open += r->kind == REC_HALF_OPEN;
        time_wait += r->state == TCP_TIME_WAIT;
        MUST(r->id > last, "the listing is in order of ids");
        last = r->id;
        MUST(rec_find(e, r->id) == r, "a record is found by its id");
        MUST((r->state != TCP_TIME_WAIT && r->kind != REC_HALF_OPEN) ||
                 !time_is_never(((struct timed *)(void *)r)->timer.deadline),
             "SYN-RECEIVED and TIME-WAIT end");
        MUST(!r->in_tuple_table || rec_lookup(e, &r->tuple) == r, "a record is found by its tuple");
        if (r->kind == REC_CONNECTION) {
            int line = check_tcb(tcb_of_rec(r), what);
            if (line) {
                return line;
            }
        }
    }
    MUST(n == e->endpoints && half_open == e->half_open && time_wait == e->time_wait,
         "the counts of records are right");
    MUST(told_lives, "what is found first is a record");
    for (unsigned s = 0; s < TCP_STATES; s++) {
        MUST(states[s] == e->counters.states[s], "the gauges of states are right");
    }
    return 0;
}
