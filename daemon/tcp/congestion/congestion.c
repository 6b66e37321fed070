/* What the rest of the engine asks of congestion control, whichever module the connection has; and
 * what is the same for all of them: the initial window (RFC 6928), the restart after idle. */
#include "tcp/tcb.h"

#define CWND_MAX (UINT32_C(1) << 30)

uint32_t cc_initial_window(const struct tcb *c)
{
    uint32_t mss = send_mss(c), least = 2 * mss > 14600 ? 2 * mss : 14600;
    return 10 * mss < least ? 10 * mss : least;
}

/* RFC 5681 section 3.1: the initial window is one segment after a lost SYN. */
void cc_init(struct tcb *c, bool syn_retransmitted)
{
    c->cc.cwnd = syn_retransmitted ? send_mss(c) : cc_initial_window(c);
    c->cc.ssthresh = UINT32_MAX;
}

void *cc_state(struct tcb *c)
{
    return c->flow->cc_state;
}

void cc_acked(struct tcb *c, const struct cc_ack *ack)
{
    if (!c->flow) {
        return;
    }
    c->flow->cc->acked(c, ack);
    c->cc.cwnd = c->cc.cwnd > CWND_MAX ? CWND_MAX : c->cc.cwnd;
}

void cc_event(struct tcb *c, enum cc_event event, ackd_time now)
{
    if (event == CC_ENTER_RECOVERY || event == CC_ENTER_CWR || event == CC_TIMEOUT) {
        ecn_reduced(c);
    }
    if (c->flow && c->flow->cc->event) {
        c->flow->cc->event(c, event, now);
    }
}

uint32_t cc_ssthresh(struct tcb *c, bool ecn)
{
    return c->flow ? c->flow->cc->ssthresh(c, ecn) : 2 * send_mss(c);
}

/* RFC 5681 section 4.1: idle is who sent no data, whatever ACKs went out. */
void cc_restart_after_idle(struct tcb *c, ackd_time now)
{
    if (time_is_never(c->data_sent) || tcb_outstanding(c) ||
        time_diff(now, c->data_sent) <= rto_ns(c)) {
        return;
    }
    uint32_t rw = cc_initial_window(c);
    if (c->cc.cwnd > rw) {
        c->cc.cwnd = rw;
    }
    cc_event(c, CC_RESTART_IDLE, now);
}
