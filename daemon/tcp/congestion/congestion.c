/* What the rest of the engine asks of congestion control, whichever module the connection has; and
 * what is the same for all of them: the initial window (RFC 6928), the restart after idle (RFC 5681
 * section 4.1), what no window falls below (equation (4) there), and the order in which an ACK is
 * taken in: rate, losses, validation, module. */
#include "tcp/tcb.h"

#include <errno.h>

#define CWND_MAX (UINT32_C(1) << 30)

static const struct cc_ops *const modules[TCP_CONGESTIONS] = {
    [TCP_CONGESTION_NEWRENO] = &cc_newreno,
    [TCP_CONGESTION_CUBIC] = &cc_cubic,
    [TCP_CONGESTION_DCTCP] = &cc_dctcp,
    [TCP_CONGESTION_BBR] = &cc_bbr,
};

const char *tcp_congestion_name(enum tcp_congestion congestion)
{
    return (unsigned)congestion < TCP_CONGESTIONS ? modules[congestion]->name : "";
}

const struct cc_ops *cc_module(const struct tcb *c)
{
    return modules[c->flow ? c->flow->congestion : c->options->v.congestion];
}

size_t cc_state_size(enum tcp_congestion congestion)
{
    return modules[congestion]->state_size;
}

void *cc_state(const struct tcb *c)
{
    return c->flow->cc_state;
}

uint32_t cc_initial_window(const struct tcb *c)
{
    uint32_t mss = send_mss(c), least = 2 * mss > 14600 ? 2 * mss : 14600;
    return 10 * mss < least ? 10 * mss : least;
}

/* RFC 5681 section 3.1: the initial window is one segment after a lost SYN. */
uint32_t cc_first_window(const struct tcb *c)
{
    bool one = c->syn_suffered || c->t.rec.state == TCP_SYN_SENT;
    return one ? send_mss(c) : cc_initial_window(c);
}

void cc_init(struct tcb *c, bool suffered)
{
    c->syn_suffered = suffered;
    if (c->flow) { /* data went with the SYN */
        c->flow->cc.cwnd = suffered ? send_mss(c) : cc_initial_window(c);
        c->flow->cc.ssthresh = UINT32_MAX;
    }
}

void cc_floors(struct tcb *c)
{
    uint32_t mss = send_mss(c);
    if (!c->flow) {
        return;
    }
    c->flow->cc.cwnd = c->flow->cc.cwnd > mss ? c->flow->cc.cwnd : mss;
    c->flow->cc.ssthresh = c->flow->cc.ssthresh > 2 * mss ? c->flow->cc.ssthresh : 2 * mss;
}

static void tell_lost(struct tcb *c, struct cc_ack *ack)
{
    struct rtxq *q = &c->act->rtxq;
    ack->lost = q->lost_ever - q->told_lost;
    q->told_lost = q->lost_ever;
    if (ack->lost && cc_module(c)->lost) {
        cc_module(c)->lost(c, &q->last_loss, ack->now);
    }
}

void cc_acked(struct tcb *c, const struct rtxq_delta *delta, const struct cc_ack *given)
{
    if (!c->flow) {
        return;
    }
    struct cc_ack ack = *given;
    rate_acked(c, delta, &ack);
    tell_lost(c, &ack);
    ack.cwnd_limited = validation_acked(c, &ack);
    cc_module(c)->acked(c, &ack);
    c->flow->cc.cwnd = c->flow->cc.cwnd > CWND_MAX ? CWND_MAX : c->flow->cc.cwnd;
}

void cc_event(struct tcb *c, enum cc_event event, ackd_time now)
{
    if (event == CC_ENTER_RECOVERY || event == CC_ENTER_CWR || event == CC_TIMEOUT) {
        ecn_reduced(c);
    }
    if (!c->flow) {
        return;
    }
    if (!cc_module(c)->model_based && (event == CC_LEAVE_RECOVERY || event == CC_UNDO)) {
        c->flow->validation.loss_flight *= event == CC_LEAVE_RECOVERY;
        validation_recovered(c);
    }
    if (cc_module(c)->event) {
        cc_module(c)->event(c, event, now);
    }
}

uint32_t cc_ssthresh(struct tcb *c, uint32_t acked, bool ecn)
{
    if (!c->flow) {
        return 2 * send_mss(c);
    }
    uint32_t flight = validation_flight(c, acked),
             most = validation_holds(c) ? UINT32_MAX : flight / 2;
    uint32_t ssthresh = cc_module(c)->ssthresh(c, flight, ecn), least = 2 * send_mss(c);
    validation_loss(c, acked);
    ssthresh = ssthresh < most ? ssthresh : most;
    return ssthresh > least ? ssthresh : least;
}

/* RFC 5681 section 4.1: idle is who sent no data, whatever ACKs went out. */
void cc_restart_after_idle(struct tcb *c, ackd_time now)
{
    if (!c->flow || time_is_never(c->flow->data_sent) || tcb_outstanding(c)) {
        return;
    }
    uint32_t rw = cc_initial_window(c);
    validation_restart(c, now);
    if (c->options->v.idle_restart && !cc_module(c)->model_based && c->flow->cc.cwnd > rw &&
        time_diff(now, c->flow->data_sent) > rto_ns(c)) {
        c->flow->cc.cwnd = rw;
    }
    cc_event(c, CC_RESTART_IDLE, now);
}

unsigned tcp_congestion_state(struct tcp_engine *e, uint64_t id,
                              struct tcp_congestion_field *fields)
{
    const struct tcb *c = tcb_find(e, id);
    return c && c->flow ? cc_module(c)->fields(c, fields) : 0;
}
