/* A table of the daemon's own as one message, some rows a turn of the loop. */
#ifndef ACKD_RPC_ROWS_H
#define ACKD_RPC_ROWS_H

#include "rpc/state.h"

/* The first member of a listing, which is allocated by calloc() and holds what the rows are made
 * of. */
struct rows {
    struct rpc *rpc;
    struct grpc_call *call;
    struct loop_timer *turn;
    unsigned n, next;
    /* Row `i`, valid until the next. */
    const ProtobufCMessage *(*row)(struct rows *rows, unsigned i);
    const ProtobufCMessageDescriptor *output; /* whose field 1 the rows are */
    uint8_t *bytes;
    size_t length, capacity;
};

/* Takes the listing over, and answers the call when all `n` rows are written. */
void rows_start(struct rows *rows, struct grpc_call *call, unsigned n);
/* The methods' on_end. */
void rows_end(struct grpc_call *call, bool cancelled);

#define ROWS_METHOD(name, Type)                                                                    \
    const struct grpc_method name##_method = {                                                     \
        .path = "/ackd.v1.Daemon/" #Type,                                                          \
        .input = &ackd__v1__##name##_request__descriptor,                                          \
        .output = &ackd__v1__##name##_response__descriptor,                                        \
        .on_message = on_##name,                                                                   \
        .on_end = rows_end,                                                                        \
    }

#endif
