/* Sentences that say why a connection is not moving, with the deciding numbers. */
#ifndef ACKD_RPC_WHY_H
#define ACKD_RPC_WHY_H

#include "tcp/tcp.h"

enum { WHY_MAX = 512 };

/* Why nothing (more) is being sent. */
void why_sending(const struct tcp_info *info, ackd_time now, char out[WHY_MAX]);
/* Who does not read, and what the window is. */
void why_receiving(const struct tcp_info *info, ackd_time now, char out[WHY_MAX]);
/* When a timer ends the reason by itself; TIME_NEVER when none does. */
ackd_time why_next_change(const struct tcp_info *info);

#endif
