/* -H USER@HOST: the daemon of another host. */
#ifndef ACKCTL_REMOTE_H
#define ACKCTL_REMOTE_H

#include <stdbool.h>
#include "client/lib/ackd.h"

/* Starts `ssh HOST ackctl dial-stdio` and answers a stream socket whose other end is its standard
 * input and output, and its process id in *pid; -1 with *err. `socket` and `instance` (either may
 * be NULL) are passed on. */
int remote_connect(const char *host, const char *socket, const char *instance, int *pid,
                   struct ackd_error *err);

/* After the connection broke: was it ssh, or the command on the other host, that failed? Then *err
 * says so. */
bool remote_failed(const char *host, int pid, struct ackd_error *err);

#endif
