/* Initial sequence numbers (RFC 6528 section 3): ISN = M + F(localip, localport, remoteip,
 * remoteport, secretkey).
 *
 * M, a clock of 4 microseconds, makes the numbers of successive incarnations of one connection
 * grow, so that old segments are told from new ones; F, a keyed pseudorandom function, gives each
 * tuple a sequence number space of its own, so that nobody off the path can guess a number from
 * those he was given. The same construction gives each tuple its own timestamp clock (RFC 7323
 * section 7.1). */
#include "tcp/isn.h"

#include <string.h>

#define ISN_TICK_NS 4000

enum purpose { PURPOSE_ISN = 1, PURPOSE_TIMESTAMP = 2 };

/* F: one key serves several purposes, told apart by the last byte of what is hashed. */
static uint32_t tuple_hash(const struct hash_key *secret, const struct tcp_tuple *t,
                           enum purpose purpose)
{
    uint8_t in[16 + 16 + 2 + 2 + 1];
    memcpy(in, t->local.b, 16);
    memcpy(in + 16, t->remote.b, 16);
    in[32] = (uint8_t)(t->local_port >> 8);
    in[33] = (uint8_t)t->local_port;
    in[34] = (uint8_t)(t->remote_port >> 8);
    in[35] = (uint8_t)t->remote_port;
    in[36] = (uint8_t)purpose;
    return (uint32_t)(siphash24(secret, in, sizeof(in)) >> 32);
}

tcp_seq isn_choose(const struct hash_key *secret, const struct tcp_tuple *tuple, ackd_time now)
{
    uint32_t clock = (uint32_t)(now.ns / ISN_TICK_NS);
    return seq_of(clock + tuple_hash(secret, tuple, PURPOSE_ISN));
}

tcp_seq isn_beyond(tcp_seq isn, tcp_seq last)
{
    return seq_gt(isn, last) ? isn : seq_add(last, 1u << 16);
}

uint32_t timestamp_offset(const struct hash_key *secret, const struct tcp_tuple *tuple)
{
    return tuple_hash(secret, tuple, PURPOSE_TIMESTAMP);
}
