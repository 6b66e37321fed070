/* The orderly end: peers are told. */
#ifndef ACKD_HOST_STOP_H
#define ACKD_HOST_STOP_H

#include "base/loop.h"
#include "tcp/tcp.h"

struct cycle;
struct stop;

/* Resets every endpoint, has the resets sent, and stops the loop then; or after `patience_ns`,
 * whatever is left. NULL when out of memory: nothing will happen. */
struct stop *stop_begin(struct loop *loop, struct tcp_engine *engine, struct cycle *cycle,
                        int64_t patience_ns);
void stop_free(struct stop *stop);

#endif
