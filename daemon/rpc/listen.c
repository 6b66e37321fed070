/* Tcp.Listen: passive OPEN (RFC 9293 section 3.9.1.1). A repeated request id answers with the same
 * listener. */
#include "rpc/address.h"
#include "rpc/endpoint.h"
#include "rpc/view.h"

#include <errno.h>
#include <stdlib.h>

enum { BACKLOG_DEFAULT = 128, BACKLOG_MAX = 65535 };

struct listen_call {
    struct rpc *rpc;
    uint64_t id;
    bool repeatable;
};

static void fail_listen(struct grpc_call *call, int error, const struct tcp_tuple *tuple)
{
    if (error == EADDRINUSE) {
        call_fail(call, error, "PORT_IN_USE", "local port %u is in use by another listener",
                  tuple->local_port);
    } else {
        call_fail_errno(call, error, "listen");
    }
}

/* The listener of an earlier Listen with this request id; *failed when the id was another
 * request's. */
static struct endpoint *repeated(struct rpc *rpc, struct grpc_call *call, const char *request_id,
                                 bool *failed)
{
    struct endpoint *e =
        request_id[0] ? endpoint_find_request(rpc, grpc_call_peer(call)->uid, request_id) : NULL;
    *failed = e && !e->is_listener;
    if (*failed) {
        call_fail_id(call, EEXIST, "REQUEST_ID_REUSED", e->id,
                     "request_id: endpoint %llu was made by another request with this id",
                     (unsigned long long)e->id);
        return NULL;
    }
    if (e) {
        endpoint_used(e);
    }
    return e;
}

static struct endpoint *make(struct rpc *rpc, struct grpc_call *call,
                             const Ackd__V1__ListenRequest *m, const struct tcp_listen_args *args)
{
    struct ownership ownership;
    if (!ownership_read(rpc, call, m->ownership, NULL, &ownership)) {
        return NULL;
    }
    struct endpoint *e = endpoint_new(rpc, call, &ownership, true);
    if (!e) {
        return NULL;
    }
    uint64_t id;
    int error = tcp_listen(rpc->config.engine, rpc_now(rpc), args, &id);
    rpc_kick(rpc);
    if (error < 0) {
        endpoint_discard(e);
        fail_listen(call, -error, &args->tuple);
        return NULL;
    }
    endpoint_publish(e, id, m->request_id);
    return e;
}

static bool read_request(struct rpc *rpc, struct grpc_call *call, const Ackd__V1__ListenRequest *m,
                         struct tcp_listen_args *args, struct tcp_options *options)
{
    if (!request_id_read(call, m->request_id) ||
        !address_read(call, "local", m->local, &args->tuple.local, &args->tuple.local_port) ||
        !address_read(call, "remote", m->remote, &args->tuple.remote, &args->tuple.remote_port) ||
        !options_read(call, m->options, options) ||
        !port_allowed(rpc, call, args->tuple.local_port)) {
        return false;
    }
    if (m->backlog > BACKLOG_MAX) {
        call_fail_field(call, "backlog", "backlog: %u is more than %d", m->backlog, BACKLOG_MAX);
        return false;
    }
    if (m->v6_only && m->v4_only) {
        call_fail_field(call, "v6_only", "v6_only and v4_only exclude each other");
        return false;
    }
    if (!ip_addr_is_none(&args->tuple.local) &&
        !net_is_local(rpc->config.net, &args->tuple.local)) {
        call_fail_about(call, EADDRNOTAVAIL, "ADDRESS_NOT_OURS", "field", "local",
                        "%s is not an address of ours", m->local->address);
        return false;
    }
    args->v6_only = m->v6_only;
    args->v4_only = m->v4_only;
    args->backlog = m->backlog ? m->backlog : BACKLOG_DEFAULT;
    args->options = m->options ? options : NULL; /* else it shares the engine's record */
    return true;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__ListenRequest *m = (const Ackd__V1__ListenRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    struct tcp_options options = *tcp_defaults(rpc->config.engine);
    struct tcp_listen_args args = {.owner = RPC_OWNER};
    bool failed;
    (void)wire_bytes;
    if (!read_request(rpc, call, m, &args, &options)) {
        return;
    }
    struct endpoint *e = repeated(rpc, call, m->request_id, &failed);
    if (!e && !failed) {
        e = make(rpc, call, m, &args);
    }
    if (!e) {
        return;
    }
    struct listen_call *c = calloc(1, sizeof *c);
    if (c) {
        *c = (struct listen_call){rpc, e->id, m->request_id[0] != '\0'};
        grpc_call_set_data(call, c);
    }
    struct tcp_info info = {.id = e->id, .tuple = args.tuple};
    tcp_status(rpc->config.engine, rpc_now(rpc), e->id, false, &info);
    struct view_endpoint local;
    Ackd__V1__ListenResponse r = ACKD__V1__LISTEN_RESPONSE__INIT;
    r.id = e->id;
    r.local = view_endpoint(&local, &info.tuple.local, info.tuple.local_port);
    grpc_call_reply(call, &r.base);
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct listen_call *c = grpc_call_data(call);
    if (!c) {
        return;
    }
    endpoint_answered(c->rpc, c->id, cancelled, c->repeatable);
    free(c);
}

const struct grpc_method listen_method = {
    .path = "/ackd.v1.Tcp/Listen",
    .input = &ackd__v1__listen_request__descriptor,
    .output = &ackd__v1__listen_response__descriptor,
    .on_message = on_message,
    .on_end = on_end,
};
