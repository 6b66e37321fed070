/* Resets (RFC 9293 section 3.5.2) and the queue of segments that belong to no tcb: those outlive
 * the record that caused them, and are bounded, so a flood of segments to closed ports costs a
 * bounded queue and a counter. */
#include <string.h>

#include "tcp/tcb.h"

struct control_segment *control_new(struct tcp_engine *e, const struct tcp_tuple *t)
{
    struct control_segment *cs =
        e->control_count < CONTROL_SEGMENTS_MAX ? slab_alloc(&e->control_slab) : NULL;
    if (!cs) {
        return NULL;
    }
    e->control_count++;
    list_append(&e->control, &cs->link);
    cs->tuple = *t;
    cs->ttl = e->defaults->v.ttl;
    return cs;
}

bool tcp_resets_wait(const struct tcp_engine *e)
{
    return e->control_count >= CONTROL_SEGMENTS_MAX / 2;
}

void control_drop(struct tcp_engine *e, struct control_segment *cs)
{
    list_remove(&cs->link);
    e->control_count--;
    if (cs->signature) {
        explicit_bzero(cs->signature, sizeof *cs->signature);
        slab_free(&e->signature_slab, cs->signature);
    }
    slab_free(&e->control_slab, cs);
}

static struct control_segment *reset_new(struct tcp_engine *e, const struct tcp_tuple *t,
                                         enum tcp_rst_sent reason)
{
    e->counters.rsts_sent[reason]++;
    struct control_segment *cs = control_new(e, t);
    if (cs) {
        cs->kind = TCP_KIND_RESET;
        cs->rst_reason = reason;
        cs->flags = TCP_RST;
    }
    return cs;
}

/* Section 3.10.7.1: with ACK the reset takes its number, otherwise it acknowledges the segment.
 * Never in answer to a reset. */
void reset_for_segment(struct tcp_engine *e, const struct segment *s, enum tcp_rst_sent reason)
{
    if (s->h.flags & TCP_RST) {
        return;
    }
    struct control_segment *cs = reset_new(e, &s->tuple, reason);
    if (!cs) {
        return;
    }
    cs->id = s->id;
    if (s->h.flags & TCP_ACK) {
        cs->seq = s->h.ack;
    } else {
        uint32_t len = s->payload + ((s->h.flags & TCP_SYN) != 0) + ((s->h.flags & TCP_FIN) != 0);
        cs->ack = seq_add(s->h.seq, len);
        cs->flags |= TCP_ACK;
    }
    auth_answer(e, s, &cs);
}

/* Section 3.10.5 (ABORT): <SEQ=SND.NXT><CTL=RST>, with our ACK so that a peer that looks at it
 * takes the reset, too. */
void reset_tcb(struct tcp_engine *e, struct tcb *c, ackd_time now, enum tcp_rst_sent reason)
{
    struct control_segment *cs = reset_new(e, &c->t.rec.tuple, reason);
    if (!cs) {
        return;
    }
    cs->id = c->t.rec.id;
    cs->state = TCP_CLOSED;
    cs->iss = c->snd.iss;
    cs->irs = c->rcv.irs;
    cs->ttl = c->options->v.ttl;
    bool ecn = c->nego.ecn != ECN_NONE && !c->ecn.send_not_ect;
    cs->tos = (uint8_t)(c->options->v.dscp << 2 | ecn_control_codepoint(&c->options->v, ecn));
    cs->seq = bare_seq(c);
    cs->ack = c->rcv.nxt;
    cs->flags |= TCP_ACK;
    if (c->nego.timestamps) {
        cs->options = (struct tcp_opts){.has_timestamps = true,
                                        .tsval = timestamp_now(c->ts_offset, now),
                                        .tsecr = c->ts_recent};
    }
    auth_control(e, &c->t, &cs);
}
