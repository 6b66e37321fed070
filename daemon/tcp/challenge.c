/* Challenge ACKs (RFC 5961): a reset, a SYN or an ACK that only a guesser or a restarted peer would
 * send is answered by an ACK, which a real peer answers in turn with an exact reset. The limit is
 * per connection: a global one is a side channel that tells an outsider what happens on other
 * connections (CVE-2016-5696). */
#include "tcp/tcb.h"

#define CHALLENGES_PER_SECOND 10

void challenge_ack(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    uint32_t second = (uint32_t)(now.ns / NS_PER_S);
    if (c->challenge_second != second) {
        c->challenge_second = second;
        c->challenge_tokens = CHALLENGES_PER_SECOND;
    }
    if (!c->challenge_tokens) {
        e->counters.challenge_acks_limited++;
        return;
    }
    c->challenge_tokens--;
    e->counters.challenge_acks++;
    c->flags |= C_ACK_NOW | C_CHALLENGE;
    tcb_touch(e, c);
}
