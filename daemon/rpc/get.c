/* Inspect.Get: one endpoint with everything that can be seen of it, living or recently closed. */
#include "rpc/view.h"

#include <errno.h>

enum { CLOSED_STEP = 16 };

bool closed_find(struct rpc *rpc, uint64_t id, struct tcp_closed *out)
{
    struct tcp_closed closed[CLOSED_STEP];
    uint64_t position = 0;
    unsigned n;
    while ((n = tcp_closed_list(rpc->config.engine, &position, closed, CLOSED_STEP)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            if (closed[i].id == id) {
                *out = closed[i];
                return true;
            }
        }
    }
    return false;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__GetRequest *m = (const Ackd__V1__GetRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    Ackd__V1__GetResponse r = ACKD__V1__GET_RESPONSE__INIT;
    struct tcp_info info;
    struct tcp_closed closed;
    (void)wire_bytes;
    if (tcp_status(rpc->config.engine, rpc_now(rpc), m->id, true, &info) == 0) {
        r.connection = view_connection(rpc, &rpc->rows[0], &info, true);
    } else if (closed_find(rpc, m->id, &closed)) {
        r.connection = view_closed(rpc, &rpc->rows[0], &closed);
    } else {
        call_fail_id(call, EBADF, "ENDPOINT_UNKNOWN", m->id,
                     "there is no endpoint %llu, nor is it among the recently closed",
                     (unsigned long long)m->id);
        return;
    }
    r.instance_id = (char *)rpc->config.instance_id;
    grpc_call_reply(call, &r.base);
}

const struct grpc_method get_method = {
    .path = "/ackd.v1.Inspect/Get",
    .input = &ackd__v1__get_request__descriptor,
    .output = &ackd__v1__get_response__descriptor,
    .on_message = on_message,
};
