/* The message Options and struct tcp_options, one table for both ways. */
#ifndef ACKD_RPC_OPTIONS_H
#define ACKD_RPC_OPTIONS_H

#include "tcp/tcp.h"
#include "ackd/v1/types.pb-c.h"

/* Changes `options` by the fields that are present. 0, or -EINVAL with the message's name of the
 * offending field in *field. */
int options_apply(const Ackd__V1__Options *m, struct tcp_options *options, const char **field);
/* Fills an initialised message with every field. */
void options_show(const struct tcp_options *options, Ackd__V1__Options *m);

#endif
