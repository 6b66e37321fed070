/* Signals as a descriptor of the loop: they interrupt nothing and arrive between callbacks. */
#ifndef ACKD_HOST_SIGNALS_H
#define ACKD_HOST_SIGNALS_H

#include "base/loop.h"

struct signals;

/* Blocks SIGTERM, SIGINT and SIGHUP and reports them by fn; SIGPIPE is ignored. NULL when the
 * system refuses. */
struct signals *signals_new(struct loop *loop, void (*fn)(void *arg, int signal), void *arg);
/* Restores the mask. */
void signals_free(struct signals *signals);

#endif
