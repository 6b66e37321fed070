/* Scripts for daemon/tcp/recovery: a round trip of 100 ms, an MSS of 1000, ten segments at first.
 */
#ifndef ACKD_TESTS_RECOVERY_H
#define ACKD_TESTS_RECOVERY_H

#include <stdio.h>
#include "../cmocka_all.h"
#include "../script.h"

#define RTT_MS 100
#define SACK "mss 1000,sackOK"
#define PLAIN "mss 1000"
#define STAMPS "mss 1012,sackOK,TS val 100 ecr 0" /* 1000 octets remain */

#define ESTABLISHED(s, options)                                                                    \
    struct script s;                                                                               \
    script_begin(&s, NULL);                                                                        \
    script_passive_rtt(&s, options, RTT_MS)

/* Sends `segments` of 1000 octets and lets a round trip pass. */
static inline void flight(struct script *s, unsigned segments)
{
    script_send(s, segments * 1000, 0);
    assert_int_equal(script_discard(s), segments);
    script_advance_ms(s, RTT_MS);
}

int rack_tests(void);
int tlp_tests(void);
int prr_tests(void);
int frto_tests(void);
int undo_tests(void);
int renege_tests(void);
int rfc6675_tests(void);
int newreno_tests(void);
int sack_tests(void);

#endif
