/* A TCP header as the RFC draws it. */
#ifndef ACKCTL_HEADERBOX_H
#define ACKCTL_HEADERBOX_H

#include <stdio.h>
#include "client/lib/ackd.h"

/* RFC 9293 figure 1 with this header's values, field by field, then the options. `seq_base` and
 * `ack_base` are the initial numbers. */
void headerbox_print(FILE *out, const struct ackd_header *h, uint32_t seq_base, uint32_t ack_base);

#endif
