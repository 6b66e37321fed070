/* What several requests read alike. */
#include "rpc/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "rpc/endpoint.h"
#include "rpc/options.h"

bool ip_addr_read(struct grpc_call *call, const char *field, const char *text, struct ip_addr *out)
{
    if (ip_addr_parse(text, out)) {
        return true;
    }
    call_fail_field(call, field, "%s: \"%.64s\" is neither an IPv4 nor an IPv6 address", field,
                    text);
    return false;
}

bool address_read(struct grpc_call *call, const char *field, const Ackd__V1__Endpoint *m,
                  struct ip_addr *addr, uint16_t *port)
{
    *addr = (struct ip_addr){{0}};
    *port = 0;
    if (!m) {
        return true;
    }
    char name[32];
    snprintf(name, sizeof name, "%s.address", field);
    if (m->address[0] && !ip_addr_read(call, name, m->address, addr)) {
        return false;
    }
    if (m->port > 65535) {
        snprintf(name, sizeof name, "%s.port", field);
        call_fail_field(call, name, "%s: %u is more than 65535", name, m->port);
        return false;
    }
    *port = (uint16_t)m->port;
    return true;
}

bool options_read(struct grpc_call *call, const Ackd__V1__Options *m, struct tcp_options *options)
{
    const char *field = NULL;
    if (options_apply(m, options, &field) < 0) {
        char name[OPTION_NAME_MAX];
        call_fail_field(call, option_name(field, name), "%s: this value is not allowed", name);
        return false;
    }
    return true;
}

bool request_id_read(struct grpc_call *call, const char *request_id)
{
    if (strlen(request_id) > REQUEST_ID_MAX) {
        call_fail_field(call, "request_id", "request_id: at most %d bytes", REQUEST_ID_MAX);
        return false;
    }
    return true;
}

bool port_allowed(struct rpc *rpc, struct grpc_call *call, uint16_t port)
{
    if (!peer_may_use_port(&rpc->config.policy, grpc_call_peer(call), port)) {
        call_fail_about(
            call, EACCES, "PRIVILEGED_PORT", "field", "local",
            "local port %u is privileged: ports below %u need the role admin or a grant", port,
            rpc->config.policy.privileged_below);
        return false;
    }
    return true;
}
