/* Reasons not to start, found before anything is touched. */
#ifndef ACKD_HOST_CHECK_H
#define ACKD_HOST_CHECK_H

#include <stddef.h>
#include "wire/addr.h"

/* Does the host own one of these addresses? 0: none. -EADDRINUSE: *conflict and the interface's
 * name tell which. Otherwise -errno. */
int check_addresses(const struct ip_prefix *addresses, unsigned n, struct ip_addr *conflict,
                    char interface[16]);

#endif
