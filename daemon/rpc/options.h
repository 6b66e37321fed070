/* The message Options and struct tcp_options, one table for both ways. */
#ifndef ACKD_RPC_OPTIONS_H
#define ACKD_RPC_OPTIONS_H

#include "tcp/tcp.h"
#include "ackd/v1/types.pb-c.h"

/* Changes `options` by the fields that are present. 0, or -EINVAL with the message's name of the
 * offending field in *field. */
int options_apply(const Ackd__V1__Options *m, struct tcp_options *options, const char **field);
enum { OPTION_NAME_MAX = 48 };
/* "options.ttl". Returns `out`. */
const char *option_name(const char *field, char out[OPTION_NAME_MAX]);
/* The message's name of a field that differs between the two and counts only when the connection
 * begins: it stands in the SYN, or serves until the first round-trip time. NULL: none. */
const char *options_fixed(const struct tcp_options *now, const struct tcp_options *wanted);
/* Fills an initialised message with every field. */
void options_show(const struct tcp_options *options, Ackd__V1__Options *m);

#endif
