/* Initial sequence numbers (RFC 6528; RFC 9293 section 3.4.1, MUST-8, SHLD-1, MUST-9): ISN = M +
 * F(tuple, secret), M a clock of 4 microseconds, F SipHash under a key that nobody outside can
 * compute. */
#ifndef ACKD_TCP_ISN_H
#define ACKD_TCP_ISN_H

#include "base/hash.h"
#include "base/time.h"
#include "tcp/tcp.h"
#include "wire/seq.h"

tcp_seq isn_choose(const struct hash_key *secret, const struct tcp_tuple *tuple, ackd_time now);

/* The number of a connection that takes the place of one in TIME-WAIT, which had sent up to `last`:
 * beyond that, even where the old one was faster than the clock (RFC 9293 MAY-2). */
tcp_seq isn_beyond(tcp_seq isn, tcp_seq last);

/* The offset added to our timestamp clock for this tuple (RFC 7323 section 7.1 and 5.4): the clock
 * of one connection tells nothing about another's, yet it grows over successive connections of one
 * tuple. Ticks of 1 ms. */
uint32_t timestamp_offset(const struct hash_key *secret, const struct tcp_tuple *tuple);

#endif
