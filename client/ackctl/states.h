/* The names of the eleven states, however people spell them, and the groups that ss knows. */
#ifndef ACKCTL_STATES_H
#define ACKCTL_STATES_H

#include <stdbool.h>
#include <stdint.h>

/* Values as in the schema (ackd.v1.State). */
enum {
    ST_CLOSED = 1,
    ST_LISTEN,
    ST_SYN_SENT,
    ST_SYN_RECEIVED,
    ST_ESTABLISHED,
    ST_FIN_WAIT_1,
    ST_FIN_WAIT_2,
    ST_CLOSE_WAIT,
    ST_CLOSING,
    ST_LAST_ACK,
    ST_TIME_WAIT,
    ST_COUNT
};

#define STATE_BIT(state) (UINT32_C(1) << (state))
#define STATES_ALL ((STATE_BIT(ST_COUNT) - 1) & ~UINT32_C(1))

/* "SYN-RECEIVED", as RFC 9293 prints it; "UNKNOWN" outside the eleven. */
const char *state_name(int state);

/* A state in any usual spelling (SYN_RECV, fin-wait1, ESTAB, timewait, unconnected) or one of ss's
 * groups (all, connected, synchronized, bucket, big) as bits STATE_BIT(); 0 when it is neither. */
uint32_t states_parse(const char *word);

#endif
