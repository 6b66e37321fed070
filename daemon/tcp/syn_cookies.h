/* SYN cookies (RFC 4987 section 3.6): the codec of what an ISN and a timestamp carry. listen.c
 * decides when, and makes the connection. */
#ifndef ACKD_TCP_SYN_COOKIES_H
#define ACKD_TCP_SYN_COOKIES_H

#include "tcp/tcb.h"

/* Our ISN for a SYN with this ISN and MSS; it carries the largest MSS of a table that is not above
 * the peer's. */
tcp_seq syn_cookie_isn(const struct hash_key *root, const struct tcp_tuple *t, tcp_seq irs,
                       uint16_t peer_mss, ackd_time now);
/* Did we make `isn` in the last 64 to 128 s for this tuple and peer's ISN? *peer_mss is what it
 * carries. */
bool syn_cookie_check(const struct hash_key *root, const struct tcp_tuple *t, tcp_seq irs,
                      tcp_seq isn, ackd_time now, uint16_t *peer_mss);
/* The TSval nearest to `now`, not after it, that carries what was negotiated. */
uint32_t syn_cookie_timestamp(const struct negotiated *n, uint32_t now);
/* What was negotiated, but for the MSS: as far as the last ACK's timestamps tell. */
void syn_cookie_negotiated(const struct tcp_options *o, const struct segment *s,
                           struct negotiated *n);
/* Did this listener make cookies that may still come back? */
bool syn_cookies_lately(const struct listener *l, ackd_time now);

#endif
