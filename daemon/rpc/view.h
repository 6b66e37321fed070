/* The engine's records as messages. A row owns everything that its message points at; it is filled
 * and packed within one callback. */
#ifndef ACKD_RPC_VIEW_H
#define ACKD_RPC_VIEW_H

#include "rpc/state.h"

struct view_endpoint {
    Ackd__V1__Endpoint message;
    char text[IP_ADDR_TEXT];
};

struct view_row {
    Ackd__V1__Connection message;
    struct view_endpoint local, remote;
    Ackd__V1__Owner owner;
    Ackd__V1__LimitedTime limited[TCP_LIMITS];
    Ackd__V1__LimitedTime *limited_list[TCP_LIMITS];
    struct tcp_congestion_field congestion_field[TCP_CONGESTION_FIELDS];
    Ackd__V1__CongestionField congestion[TCP_CONGESTION_FIELDS];
    Ackd__V1__CongestionField *congestion_list[TCP_CONGESTION_FIELDS];
    Ackd__V1__Options options;
    struct tcp_last_header received, sent; /* the options' bytes */
    Ackd__V1__Header received_message, sent_message;
};

/* Fills the message and returns it. `is_none` addresses print as "". */
Ackd__V1__Endpoint *view_endpoint(struct view_endpoint *out, const struct ip_addr *addr,
                                  uint16_t port);
/* A TCP header of `length` bytes; the message points into them. */
void view_header(Ackd__V1__Header *out, const uint8_t *header, uint8_t length);
Ackd__V1__State view_state(enum tcp_state state);

/* The descriptors that view_connection() fills the engine's fields by, once for all rows; free()
 * it. NULL without memory. */
const ProtobufCFieldDescriptor **view_fields_new(void);

/* A living endpoint. `info` was made with the same `full`. */
Ackd__V1__Connection *view_connection(struct rpc *rpc, struct view_row *row,
                                      const struct tcp_info *info, bool full);
/* One of the recently closed. */
Ackd__V1__Connection *view_closed(struct rpc *rpc, struct view_row *row,
                                  const struct tcp_closed *closed);

/* Looks an id up among the recently closed (get.c). */
bool closed_find(struct rpc *rpc, uint64_t id, struct tcp_closed *out);

/* Every field of struct tcp_info by name has one in Connection; the first that has not, for the
 * tests. NULL: all do. */
const char *view_missing_field(void);

#endif
