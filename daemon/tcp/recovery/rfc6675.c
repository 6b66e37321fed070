/* Losses by count (RFC 6675), for connections whose option asks for it: an octet is lost when more
 * than (DupThresh - 1) segments' worth, or DupThresh separate ranges, are SACKed above it. What
 * that makes lost once stays so, hence the walk goes down from the highest SACKed octet only to
 * where it ended the last time. NextSeg()'s rules (3) and (4) send, when nothing is known to be
 * lost and no new data can go, what has holes' neighbours, and once in an episode the last segment,
 * to keep the ACK clock. */
#include "tcp/tcb.h"

#define LOOKS_MAX 64 /* at runs, for rule (3) */

bool rfc6675_detect(struct tcp_engine *e, struct tcb *c)
{
    struct flight *f = &c->act->flight;
    struct rtxq *q = &c->act->rtxq;
    uint32_t sacked_above = 0, ranges = 0, enough = (DUP_THRESH - 1) * send_mss(c);
    bool found = false, in_range = false;
    (void)e;
    if (!q->sacked) {
        return false;
    }
    tcp_seq top = q->highest_sacked;
    struct rtx_run *run = rtxq_at(q, seq_sub(top, 1));
    for (; run; run = rtxq_before(q, run)) {
        if (f->examined_set && seq_le(run->end, f->examined)) {
            break;
        }
        if (run->flags & RTX_SACKED) {
            sacked_above += seq_dist(run->end, run->start);
            ranges += !in_range;
            in_range = true;
            continue;
        }
        in_range = false;
        if (sacked_above > enough || ranges >= DUP_THRESH) {
            if (!found) {
                top = run->end;
            }
            found = true;
            if (!(run->flags & (RTX_LOST | RTX_RETRANS))) {
                rtxq_mark_lost(q, run);
            }
        }
    }
    if (found) {
        f->examined = top;
        f->examined_set = true;
    }
    return found;
}

/* Rule (3): not retransmitted, below the highest SACKed octet. Rule (4): the end of what is
 * outstanding, once. */
struct rtx_run *recovery_next_seg(const struct tcb *c, tcp_seq *start)
{
    const struct rtxq *q = &c->act->rtxq;
    unsigned looks = 0;
    if (recovery_uses_rack(c) || c->flow->cc.state != RECOVERY_FAST || !c->nego.sack || q->lost) {
        return NULL;
    }
    for (struct rtx_run *run = rtxq_oldest(q); run && q->sacked && looks < LOOKS_MAX;
         run = rtxq_sent_after(q, run), looks++) {
        if (!(run->flags & RTX_RETRANS) && seq_lt(run->start, q->highest_sacked)) {
            *start = run->start;
            return run;
        }
    }
    struct rtx_run *last = rtxq_last(q);
    if (c->flow->recovery.rescued || !last || last->flags & (RTX_SACKED | RTX_RETRANS)) {
        return NULL;
    }
    uint32_t mss = send_mss(c), length = seq_dist(last->end, last->start);
    *start = length > mss ? seq_sub(last->end, mss) : last->start;
    return last;
}
