/* Reasons not to start, found before anything is touched, and told by the log. */
#ifndef ACKD_HOST_CHECK_H
#define ACKD_HOST_CHECK_H

#include <stdbool.h>
#include "base/log.h"
#include "host/config.h"
#include "host/control_socket.h"

/* Does the host own one of these addresses? 0: none. -EADDRINUSE: *conflict and the interface's
 * name tell which. Otherwise -errno. */
int check_conflict(const struct ip_prefix *addresses, unsigned n, struct ip_addr *conflict,
                   char interface[16]);

/* With a TAP, our addresses are not the host's. */
bool check_addresses(const struct config *config, struct log *log);

/* Finds the paths of the control socket and of the monitor socket ("" = none); nobody serves there.
 */
bool check_sockets(const struct config *config, struct log *log, char control[CONTROL_SOCKET_PATH],
                   char monitor[CONTROL_SOCKET_PATH]);

#endif
