/* Roles: who the peer of a call is to us, and what a method asks for. */
#ifndef ACKD_RPC_AUTHORIZE_H
#define ACKD_RPC_AUTHORIZE_H

#include "rpc/rpc.h"

enum rpc_role peer_role(const struct rpc_policy *policy, const struct grpc_peer *peer);
bool peer_may_use_port(const struct rpc_policy *policy, const struct grpc_peer *peer,
                       uint16_t local_port);
bool peer_may_reach(const struct rpc_policy *policy, const struct grpc_peer *peer,
                    const struct ip_addr *destination);

/* For grpc_server_config.authorize; `rpc` is its argument. */
enum grpc_code rpc_authorize(void *rpc, const struct grpc_peer *peer,
                             const struct grpc_method *method, const char **why);

#endif
