/* Options of an endpoint as NAME=VALUE. */
#ifndef ACKCTL_OPTSET_H
#define ACKCTL_OPTSET_H

#include <stdio.h>
#include "ctl.h"

/* "nodelay=on", "keepalive_idle=30s", "rcv_buffer=256k". 0, or EXIT_USAGE after the error was
 * printed. */
int optset_parse(const struct ctl *ctl, const char *assignment, struct ackd_options *options);

/* Every option that is known, "NAME\tVALUE" a line. */
void optset_print(FILE *out, const struct ackd_options *options);

/* Their names, for help and completion. NULL beyond the last. */
const char *optset_name(size_t index);
const char *optset_doc(size_t index);
/* What kind of value the option `index` takes: "on|off", "N", "BYTES", "TIME", or its words. */
enum { OPTSET_TAKES = 160 };
const char *optset_takes(size_t index, char text[OPTSET_TAKES]);

#endif
