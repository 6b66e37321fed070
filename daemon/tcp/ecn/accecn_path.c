/* Paths that AccECN does not get through (RFC 9768 section 3.1.4.1): something on the way may drop
 * SYNs for the flags that offer it. Such a handshake waits for two timeouts before its plain SYN is
 * answered, and so would the next. Failed attempts are cached with what else is known of the two
 * hosts (metrics.c), within the bound of that cache and where `share_metrics` says so.
 *
 * An attempt failed when the SYNs with AccECN went unanswered and the plain one behind them did
 * not. Congestion loses SYNs, too: only the third failure in a row, with no answer to an offer in
 * between, shows that the blockage is persistent and specific. Then AccECN is not offered there for
 * an hour. The attempt after it finds out whether that is still so; if it is, the time doubles, up
 * to 32 hours. Any answer to an offer, whatever it agrees to, forgets all this. A handshake that
 * fails altogether says nothing of AccECN. */
#include "tcp/tcb.h"

#define FAILURES_IN_A_ROW 3u
#define WITHHELD_NS (3600 * NS_PER_S)
#define WITHHELD_DOUBLINGS 5u

void accecn_path_open(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    bool offers = c->nego.ecn == ECN_ACCURATE && c->options->v.share_metrics;
    const struct metrics_entry *m = offers ? metrics_find(e, &c->t.rec.tuple) : NULL;
    if (m && time_before(now, m->accecn.offer_after)) {
        c->nego.ecn = ECN_NONE;
        c->ecn.withheld = true;
        e->counters.accecn_withheld++;
    }
}

static void failed(struct tcp_engine *e, const struct tcb *c, ackd_time now)
{
    e->counters.accecn_path_failures++;
    struct metrics_entry *m = metrics_need(e, &c->t.rec.tuple, now);
    if (!m) {
        return;
    }
    m->accecn.failures += m->accecn.failures < FAILURES_IN_A_ROW + WITHHELD_DOUBLINGS;
    if (m->accecn.failures >= FAILURES_IN_A_ROW) {
        m->accecn.offer_after =
            time_add(now, WITHHELD_NS << (m->accecn.failures - FAILURES_IN_A_ROW));
    }
}

void accecn_path_answered(struct tcp_engine *e, struct tcb *c, const struct segment *s)
{
    if (c->nego.ecn != ECN_ACCURATE || !c->options->v.share_metrics) {
        return;
    }
    if (c->nego.ecn_plain && ecn_from_syn_ack(ECN_ACCURATE, s->h.flags) == ECN_NONE) {
        failed(e, c, s->now);
        return;
    }
    struct metrics_entry *m = metrics_find(e, &c->t.rec.tuple);
    if (m) {
        m->accecn.failures = 0;
        m->accecn.offer_after = time_from_ns(0);
    }
}
