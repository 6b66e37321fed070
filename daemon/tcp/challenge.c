/* Challenge ACKs (RFC 5961): a reset, a SYN or an ACK that only a guesser or a restarted peer would
 * send is answered by an ACK, which a real peer answers in turn with an exact reset.
 *
 * Section 7 wants their rate limited. The limit is the connection's own: one that all share is a
 * side channel, by which an outsider who spends it through a connection of his own learns whether
 * his guess about another's ports and numbers was answered (CVE-2016-5696). It is also not quite
 * regular: how many there are and when they are renewed is drawn anew each time, so that not even a
 * peer of the connection can count on them. */
#include "tcp/tcb.h"

#define CHALLENGES_MIN 6u
#define CHALLENGES_SPREAD 5u /* 6 to 10 */
#define TICK_NS (NS_PER_S / 8)
#define TICKS_MIN 8u
#define TICKS_SPREAD 8u /* each 1 to 1.9 s */

void challenge_ack(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    uint32_t tick = (uint32_t)(now.ns / TICK_NS);
    if ((int32_t)(tick - c->challenge_renewal) >= 0) {
        c->challenge_renewal = tick + TICKS_MIN + rng_below(&e->rng, TICKS_SPREAD);
        c->challenge_tokens = (uint8_t)(CHALLENGES_MIN + rng_below(&e->rng, CHALLENGES_SPREAD));
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
