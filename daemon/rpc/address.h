/* Addresses, and what else several requests carry, on their way in. */
#ifndef ACKD_RPC_ADDRESS_H
#define ACKD_RPC_ADDRESS_H

#include "rpc/state.h"

/* Reads an IPv4 or IPv6 address. False: the call was failed, naming `field`. */
bool ip_addr_read(struct grpc_call *call, const char *field, const char *text, struct ip_addr *out);
/* Reads address (empty or absent: none) and port. False: the call was failed, naming `field`. */
bool address_read(struct grpc_call *call, const char *field, const Ackd__V1__Endpoint *m,
                  struct ip_addr *addr, uint16_t *port);
/* Applies a request's options to the engine's defaults. False: the call was failed. */
bool options_read(struct grpc_call *call, const Ackd__V1__Options *m, struct tcp_options *options);
/* A request id of legal length. False: the call was failed. */
bool request_id_read(struct grpc_call *call, const char *request_id);
/* May this peer use the local port? False: the call was failed. */
bool port_allowed(struct rpc *rpc, struct grpc_call *call, uint16_t port);

#endif
