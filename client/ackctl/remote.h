/* -H USER@HOST: the daemon of another host. */
#ifndef ACKCTL_REMOTE_H
#define ACKCTL_REMOTE_H

#include "client/lib/ackd.h"

/* Starts `ssh HOST ackctl dial-stdio` and answers a stream socket whose other end is its standard
 * input and output; -1 with *err. `socket` and `instance` (either may be NULL) are passed on. */
int remote_connect(const char *host, const char *socket, const char *instance,
                   struct ackd_error *err);

#endif
