/* The few requests of rtnetlink(7) that the daemon needs: the host's addresses, and bringing up its
 * side of the TAP. */
#ifndef ACKD_HOST_NETLINK_H
#define ACKD_HOST_NETLINK_H

#include <stdbool.h>
#include "wire/addr.h"

/* All answer 0 or -errno. Each opens and closes a socket of its own: they run at start only. */

/* Gives interface `index` an address, at once usable: no duplicate address detection by the kernel
 * (IFA_F_NODAD), since the only neighbour on this link is ourselves. An address that is there
 * already is fine. */
int netlink_address_add(int index, const struct ip_prefix *prefix);

/* Sets MTU (bytes) and transmit queue length (packets), then brings the interface up. */
int netlink_link_up(int index, unsigned mtu, unsigned txqueuelen);

/* Calls fn for each address of every interface of this network namespace until it answers false. */
int netlink_addresses(bool (*fn)(void *arg, const struct ip_addr *addr, int index), void *arg);

#endif
