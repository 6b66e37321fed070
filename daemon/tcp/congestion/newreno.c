/* Congestion control after RFC 5681 with appropriate byte counting (RFC 3465) and an initial window
 * of ten segments (RFC 6928): slow start doubles cwnd each round trip up to ssthresh, congestion
 * avoidance adds one segment each round trip, and cwnd grows only while it is what stops us. */
#include "tcp/tcb.h"

#define CWND_MAX (UINT32_C(1) << 30)

static uint32_t initial_window(const struct tcb *c)
{
    uint32_t mss = send_mss(c), least = 2 * mss > 14600 ? 2 * mss : 14600;
    return 10 * mss < least ? 10 * mss : least;
}

void cc_init(struct tcb *c, bool syn_retransmitted)
{
    c->cc.cwnd =
        syn_retransmitted
            ? send_mss(c)
            : initial_window(c); /* RFC 5681 section 3.1: IW is one segment after a lost SYN */
    c->cc.ssthresh = UINT32_MAX;
    c->cc.ca_bytes = 0;
}

void cc_acked(struct tcb *c, uint32_t acked)
{
    uint32_t mss = send_mss(c);
    if (!acked || !(c->flags & C_CWND_LIMITED)) {
        return;
    }
    if (c->cc.cwnd < c->cc.ssthresh) {
        uint32_t most = c->flags & C_RTO_RECOVERY
                            ? mss
                            : UINT32_MAX; /* RFC 3465 section 2.3: L = 1 after a timeout */
        c->cc.cwnd += acked < most ? acked : most;
    } else {
        c->cc.ca_bytes += acked;
        if (c->cc.ca_bytes >= c->cc.cwnd) {
            c->cc.ca_bytes -= c->cc.cwnd;
            c->cc.cwnd += mss;
        }
    }
    c->cc.cwnd = c->cc.cwnd > CWND_MAX ? CWND_MAX : c->cc.cwnd;
}

/* RFC 5681 equation (4). */
uint32_t cc_loss_threshold(const struct tcb *c)
{
    uint32_t half = tcb_outstanding(c) / 2, least = 2 * send_mss(c);
    return half > least ? half : least;
}

/* RFC 5681 section 4.1: idle is who sent no data, whatever ACKs went out. */
void cc_restart_after_idle(struct tcb *c, ackd_time now)
{
    if (time_is_never(c->data_sent) || tcb_outstanding(c) ||
        time_diff(now, c->data_sent) <= rto_ns(c)) {
        return;
    }
    uint32_t rw = initial_window(c);
    if (c->cc.cwnd > rw) {
        c->cc.cwnd = rw;
    }
}
