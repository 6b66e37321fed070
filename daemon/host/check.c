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

int check_conflict(const struct ip_prefix *addresses, unsigned n, struct ip_addr *conflict,
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

bool check_addresses(const struct config *config, struct log *log)
{
    struct ip_addr conflict;
    char interface[16], text[IP_ADDR_TEXT];
    if (config->link != CONFIG_LINK_TAP) {
        return true;
    }
    int r = check_conflict(config->address, config->n_addresses, &conflict, interface);
    if (r == -EADDRINUSE) {
        log_error(log,
                  "address %s belongs to the host already (interface %s); give ackd one of its own",
                  ip_addr_format(&conflict, text), interface);
    } else if (r < 0) {
        log_error(log, "cannot read the host's addresses: %s", strerror(-r));
    }
    return r == 0;
}

static bool find_sockets(const struct config *config, struct log *log,
                         char control[CONTROL_SOCKET_PATH], char monitor[CONTROL_SOCKET_PATH])
{
    int r = 0;
    if (config->socket[0] != '\0') {
        memcpy(control, config->socket, CONTROL_SOCKET_PATH);
    } else {
        r = control_socket_default(config_instance(config), control);
    }
    if (r == 0 && strcmp(config->monitor_socket, "auto") == 0) {
        r = control_socket_beside(control, monitor);
    } else {
        memcpy(monitor, config->monitor_socket, CONTROL_SOCKET_PATH);
    }
    if (r == -ENOENT) {
        log_error(log, "no place for the control socket: XDG_RUNTIME_DIR is not set; "
                       "give --socket PATH");
    } else if (r < 0) {
        log_error(log, "the control socket's path is longer than %zu bytes",
                  CONTROL_SOCKET_PATH - 1);
    }
    return r == 0;
}

static bool nobody_serves(const char *path, struct log *log)
{
    pid_t pid;
    int r = path[0] == '\0' ? 0 : control_socket_probe(path, &pid);
    if (r == -EADDRINUSE) {
        log_error(log, "%s is served by process %ld; stop it, or give --socket another path", path,
                  (long)pid);
    } else if (r == -EEXIST) {
        log_error(log, "%s exists and is no socket; remove it, or give --socket another path",
                  path);
    } else if (r < 0) {
        log_error(log, "%s: %s", path, strerror(-r));
    }
    return r == 0;
}

bool check_sockets(const struct config *config, struct log *log, char control[CONTROL_SOCKET_PATH],
                   char monitor[CONTROL_SOCKET_PATH])
{
    return find_sockets(config, log, control, monitor) && nobody_serves(control, log) &&
           nobody_serves(monitor, log);
}
