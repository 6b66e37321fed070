/* Names are the client's business: the daemon has addresses only, and the client's resolver is the
 * one whose answers the user expects. */
#include "dest.h"

#include <netdb.h>
#include <string.h>
#include "hostport.h"
#include "units.h"

static int resolve(const struct ctl *ctl, const char *host, uint16_t port, unsigned family,
                   struct dest *dest)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_family = family == 4   ? AF_INET
                                          : family == 6 ? AF_INET6
                                                        : AF_UNSPEC},
                    *list;
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error) {
        ctl_complain(ctl, "%s: %s", dest->text, gai_strerror(error));
        return EXIT_TCP;
    }
    for (struct addrinfo *a = list; a && dest->count < DEST_MAX; a = a->ai_next) {
        struct ackd_endpoint *to = &dest->to[dest->count];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, to->address, sizeof to->address, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            to->port = port;
            dest->count++;
        }
    }
    freeaddrinfo(list);
    return 0;
}

int dest_parse(const struct ctl *ctl, char **operands, int count, unsigned family,
               struct dest *dest)
{
    char host[256];
    const char *port_text = count == 2 ? operands[1] : "";
    uint16_t port;
    memset(dest, 0, sizeof *dest);
    if (count < 1 || count > 2) {
        return ctl_usage(ctl, "HOST:PORT or HOST PORT is what it needs");
    }
    if (count == 2) {
        bool brackets = operands[0][0] == '[';
        size_t n = strlen(operands[0]);
        snprintf(host, sizeof host, "%.*s", (int)(brackets && n > 2 ? n - 2 : n),
                 operands[0] + brackets);
        hostport_format(host, 0, dest->text);
        dest->text[strlen(dest->text) - 1] = 0;
        strncat(dest->text, port_text, 20);
    } else if (!hostport_split(operands[0], host, sizeof host, &port_text)) {
        return ctl_usage(ctl, "'%s' is no HOST:PORT", operands[0]);
    } else {
        snprintf(dest->text, sizeof dest->text, "%s", operands[0]);
    }
    if (!*host) {
        return ctl_usage(ctl, "'%s': the host is missing", operands[0]);
    }
    if (!*port_text) {
        return ctl_usage(ctl, "'%s': the port is missing%s", operands[0],
                         net_addr_is_v6(operands[0]) ? "; [ADDR]:PORT is the form of IPv6" : "");
    }
    if (!port_parse(port_text, &port) || port == 0) {
        return ctl_usage(ctl, "'%s': the port must be 1 to 65535 or a service's name", port_text);
    }
    return resolve(ctl, host, port, family, dest);
}

int dest_parse_local(const struct ctl *ctl, const char *text, struct ackd_endpoint *local)
{
    struct net_addr addr;
    char host[sizeof local->address];
    const char *port = "";
    uint64_t number;
    memset(local, 0, sizeof *local);
    if (number_parse(text, 65535, &number)) {
        local->port = (uint16_t)number;
        return 0;
    }
    if (!hostport_split(text, host, sizeof host, &port) || !net_addr_parse(host, &addr) ||
        (*port && !port_parse(port, &local->port))) {
        return ctl_usage(ctl, "'%s' is no local address: ADDR, ADDR:PORT, :PORT or PORT is", text);
    }
    snprintf(local->address, sizeof local->address, "%s", strcmp(host, "*") == 0 ? "" : host);
    return 0;
}
