/* Rights by SO_PEERCRED.
 *
 * The role of each RPC is an option of the method in the .proto, so that documentation and
 * enforcement cannot differ. A method without a role is an admin's; health and reflection, which
 * belong to gRPC itself, are everybody's. */
#include "rpc/authorize.h"

#include "rpc/state.h"

static bool grant_applies(const struct rpc_grant *grant, const struct grpc_peer *peer)
{
    return grant->number == (grant->group ? (uint32_t)peer->gid : (uint32_t)peer->uid);
}

enum rpc_role peer_role(const struct rpc_policy *policy, const struct grpc_peer *peer)
{
    if (peer->read_only) {
        return RPC_ROLE_MONITOR;
    }
    if (peer->uid == 0 || peer->uid == policy->own_uid) {
        return RPC_ROLE_ADMIN;
    }
    enum rpc_role role = policy->default_role ? policy->default_role : RPC_ROLE_USER;
    for (unsigned i = 0; i < policy->n_grants; i++) {
        if (grant_applies(&policy->grants[i], peer) && policy->grants[i].role > role) {
            role = policy->grants[i].role;
        }
    }
    return role;
}

bool peer_may_use_port(const struct rpc_policy *policy, const struct grpc_peer *peer,
                       uint16_t local_port)
{
    if (local_port == 0 || local_port >= policy->privileged_below ||
        peer_role(policy, peer) == RPC_ROLE_ADMIN) {
        return true;
    }
    for (unsigned i = 0; i < policy->n_grants; i++) {
        if (grant_applies(&policy->grants[i], peer) && policy->grants[i].privileged_ports) {
            return true;
        }
    }
    return false;
}

bool peer_may_reach(const struct rpc_policy *policy, const struct grpc_peer *peer,
                    const struct ip_addr *destination)
{
    if (!policy->destinations || peer_role(policy, peer) == RPC_ROLE_ADMIN) {
        return true;
    }
    for (unsigned i = 0; i < policy->n_destinations; i++) {
        if (ip_prefix_contains(&policy->destinations[i], destination)) {
            return true;
        }
    }
    return false;
}

enum grpc_code rpc_authorize(void *arg, const struct grpc_peer *peer,
                             const struct grpc_method *method, const char **why)
{
    static const char *const sentence[] = {
        [RPC_ROLE_MONITOR] = "this peer may not call anything",
        [RPC_ROLE_USER] = "this needs the role user: the read-only socket serves monitoring only",
        [RPC_ROLE_LAB] = "this needs the role lab",
        [RPC_ROLE_ADMIN] = "this needs the role admin: root, or the daemon's own user, or a grant "
                           "in the configuration",
    };
    const struct rpc *rpc = arg;
    int role = grpc_method_role(rpc->server, method->path);
    enum rpc_role needed = role > RPC_ROLE_NONE ? (enum rpc_role)role : RPC_ROLE_ADMIN;
    if (peer_role(&rpc->config.policy, peer) >= needed) {
        return GRPC_OK;
    }
    *why = sentence[needed];
    return GRPC_PERMISSION_DENIED;
}
