/* Counters as OpenMetrics text. */
#ifndef ACKCTL_OPENMETRICS_H
#define ACKCTL_OPENMETRICS_H

#include <stdio.h>
#include "client/lib/ackd.h"

/* Every family once, with TYPE, HELP and, where the unit is a base unit, UNIT; # EOF at the end. 0,
 * or -1 without memory. */
int openmetrics_print(FILE *out, const struct ackd_counters *counters);

#endif
