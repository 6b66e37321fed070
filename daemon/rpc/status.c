/* Tcp.Status and Tcp.SetOptions: STATUS (RFC 9293 section 3.9.1.6) and what may be changed of a
 * living endpoint. */
#include "rpc/endpoint.h"
#include "rpc/options.h"
#include "rpc/view.h"

#include <errno.h>
#include <string.h>

static void on_status(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__StatusRequest *m = (const Ackd__V1__StatusRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    struct tcp_info info;
    (void)wire_bytes;
    if (!endpoint_of_call(rpc, call, m->id)) {
        return;
    }
    int error = tcp_status(rpc->config.engine, rpc_now(rpc), m->id, true, &info);
    if (error < 0) {
        call_fail_errno(call, -error, "status");
        return;
    }
    Ackd__V1__StatusResponse r = ACKD__V1__STATUS_RESPONSE__INIT;
    int64_t sent = tcp_send_offset(rpc->config.engine, m->id);
    r.connection = view_connection(rpc, &rpc->rows[0], &info, true);
    r.send_offset = sent > 0 ? (uint64_t)sent : 0;
    r.receive_offset = info.bytes_read;
    grpc_call_reply(call, &r.base);
}

const struct grpc_method status_method = {
    .path = "/ackd.v1.Tcp/Status",
    .input = &ackd__v1__status_request__descriptor,
    .output = &ackd__v1__status_response__descriptor,
    .on_message = on_status,
};

/* What is in the SYN, or past, cannot be changed any more: a listener's options are those of the
 * connections to come. False: the call was failed. */
static bool may_change(struct rpc *rpc, struct grpc_call *call, uint64_t id,
                       const struct tcp_options *wanted)
{
    struct tcp_options now;
    struct tcp_info info;
    char name[OPTION_NAME_MAX];
    if (tcp_status(rpc->config.engine, rpc_now(rpc), id, false, &info) < 0 ||
        info.state == TCP_LISTEN || tcp_get_options(rpc->config.engine, id, &now) < 0) {
        return true;
    }
    const char *field = options_fixed(&now, wanted);
    if (!field) {
        return true;
    }
    call_fail_about(call, EISCONN, "OPTION_FIXED_AT_OPEN", "field", option_name(field, name),
                    "%s counts only when a connection begins: set it at open, or on the listener",
                    name);
    return false;
}

/* The endpoint, NULL for one that no user holds, as those that are built in: an administrator
 * steers that, too; it has no label. False: the call was failed. */
static bool may_steer(struct rpc *rpc, struct grpc_call *call, uint64_t id, bool labelled,
                      struct endpoint **e)
{
    struct tcp_info info;
    *e = NULL;
    if (!labelled && peer_role(&rpc->config.policy, grpc_call_peer(call)) >= RPC_ROLE_ADMIN &&
        tcp_status(rpc->config.engine, rpc_now(rpc), id, false, &info) == 0 &&
        info.owner != RPC_OWNER) {
        return true;
    }
    *e = endpoint_of_call(rpc, call, id);
    return *e != NULL;
}

static void on_set_options(struct grpc_call *call, const ProtobufCMessage *message,
                           size_t wire_bytes)
{
    const Ackd__V1__SetOptionsRequest *m = (const Ackd__V1__SetOptionsRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    struct tcp_engine *engine = rpc->config.engine;
    bool labelled = m->label_known_case == ACKD__V1__SET_OPTIONS_REQUEST__LABEL_KNOWN_LABEL;
    struct endpoint *e;
    struct tcp_options options;
    const char *field = NULL;
    (void)wire_bytes;
    if (!may_steer(rpc, call, m->id, labelled, &e)) {
        return;
    }
    if (labelled && strlen(m->label) > LABEL_MAX) {
        call_fail_field(call, "label", "label: at most %d bytes", LABEL_MAX);
        return;
    }
    int error = tcp_get_options(engine, m->id, &options);
    if (error == 0 && options_apply(m->options, &options, &field) < 0) {
        char name[OPTION_NAME_MAX];
        call_fail_field(call, option_name(field, name), "%s: this value is not allowed", name);
        return;
    }
    if (error == 0 && !may_change(rpc, call, m->id, &options)) {
        return;
    }
    if (error == 0 && m->options) {
        error = tcp_set_options(engine, rpc_now(rpc), m->id, &options);
        rpc_kick(rpc);
    }
    if (error < 0) {
        call_fail_endpoint(call, engine, rpc_now(rpc), m->id, -error);
        return;
    }
    if (labelled) {
        memcpy(e->label, m->label, strlen(m->label) + 1);
    }
    tcp_get_options(engine, m->id, &options);
    Ackd__V1__Options shown = ACKD__V1__OPTIONS__INIT;
    Ackd__V1__SetOptionsResponse r = ACKD__V1__SET_OPTIONS_RESPONSE__INIT;
    options_show(&options, &shown);
    r.options = &shown;
    grpc_call_reply(call, &r.base);
}

const struct grpc_method set_options_method = {
    .path = "/ackd.v1.Tcp/SetOptions",
    .input = &ackd__v1__set_options_request__descriptor,
    .output = &ackd__v1__set_options_response__descriptor,
    .on_message = on_set_options,
};
