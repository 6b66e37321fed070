/* Two stacks with one address answer each other's segments with resets, and nobody finds out why:
 * we refuse to be the second. */
#include "host/check.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include "host/netlink.h"

struct search {
    const struct ip_prefix *addresses;
    unsigned n;
    const struct ip_addr *found;
    int index;
};

static bool compare(void *arg, const struct ip_addr *addr, int index)
{
    struct search *s = arg;
    for (unsigned i = 0; i < s->n; i++) {
        if (ip_addr_equal(&s->addresses[i].addr, addr)) {
            s->found = &s->addresses[i].addr;
            s->index = index;
            return false;
        }
    }
    return true;
}

int check_addresses(const struct ip_prefix *addresses, unsigned n, struct ip_addr *conflict,
                    char interface[16])
{
    struct search s = {.addresses = addresses, .n = n};
    int r = netlink_addresses(compare, &s);
    if (r < 0 || s.found == NULL) {
        return r;
    }
    *conflict = *s.found;
    if (if_indextoname((unsigned)s.index, interface) == NULL) {
        strcpy(interface, "?");
    }
    return -EADDRINUSE;
}
