/* Tcp.Open: active OPEN (RFC 9293 section 3.9.1.1).
 *
 * The call waits for the handshake; the endpoint does not depend on the call. A client that lost
 * the answer asks again with the same request id and gets the same endpoint. Without a request id
 * nobody could find it again, so it is given up when the answer is lost. */
#include "rpc/address.h"
#include "rpc/endpoint.h"
#include "rpc/transfer.h"
#include "rpc/view.h"

#include <errno.h>
#include <stdlib.h>

struct open_call {
    struct wait wait;
    uint64_t id;
    bool repeatable; /* has a request id */
};

static void answer(struct wait *w, const struct tcp_info *info)
{
    struct view_endpoint local, remote;
    Ackd__V1__OpenResponse m = ACKD__V1__OPEN_RESPONSE__INIT;
    m.id = info->id;
    int64_t accepted = tcp_send_offset(w->rpc->config.engine, info->id);
    m.accepted_until = accepted > 0 ? (uint64_t)accepted : 0;
    m.state = view_state(info->state);
    m.local = view_endpoint(&local, &info->tuple.local, info->tuple.local_port);
    m.remote = view_endpoint(&remote, &info->tuple.remote, info->tuple.remote_port);
    wait_done(w);
    grpc_call_reply(w->call, &m.base);
}

static void look(struct wait *w, unsigned what)
{
    struct rpc *rpc = w->rpc;
    struct tcp_engine *engine = rpc->config.engine;
    ackd_time now = rpc_now(rpc);
    struct endpoint *e = w->endpoint;
    struct tcp_info info;
    if (what & WAIT_GONE) {
        wait_gone(w);
        return;
    }
    if (tcp_status(engine, now, e->id, false, &info) < 0) {
        wait_done(w);
        call_fail_endpoint(w->call, engine, now, e->id, EBADF);
        return;
    }
    if (info.state == TCP_CLOSED && info.error) {
        wait_done(w);
        call_fail_endpoint(w->call, engine, now, info.id, info.error);
        endpoint_release(e);
        return;
    }
    bool shaking = info.state == TCP_SYN_SENT || info.state == TCP_SYN_RECEIVED;
    if (!shaking || what & WAIT_OVER) {
        answer(w, &info);
    }
}

/* The endpoint of an earlier Open with this request id, if this is a repetition; *failed when it
 * cannot be one. */
static struct endpoint *repeated(struct rpc *rpc, struct grpc_call *call, const char *request_id,
                                 const struct tcp_tuple *wanted, bool *failed)
{
    struct endpoint *e =
        request_id[0] ? endpoint_find_request(rpc, grpc_call_peer(call)->uid, request_id) : NULL;
    struct tcp_info info;
    *failed = false;
    if (!e || tcp_status(rpc->config.engine, rpc_now(rpc), e->id, false, &info) < 0) {
        return NULL;
    }
    if (e->is_listener || info.tuple.remote_port != wanted->remote_port ||
        !ip_addr_equal(&info.tuple.remote, &wanted->remote)) {
        call_fail_id(call, EEXIST, "REQUEST_ID_REUSED", e->id,
                     "request_id: endpoint %llu was made by another request with this id",
                     (unsigned long long)e->id);
        *failed = true;
        return NULL;
    }
    endpoint_used(e);
    return e;
}

/* Completes the local address and the path MTU. False: the call was failed. */
static bool route(struct rpc *rpc, struct grpc_call *call, struct tcp_open_args *args,
                  const struct ip_addr *want)
{
    char remote[IP_ADDR_TEXT], local[IP_ADDR_TEXT];
    int error =
        net_source_for(rpc->config.net, &args->tuple.remote, want, &args->tuple.local, &args->mtu);
    if (error == 0) {
        return true;
    }
    ip_addr_format(&args->tuple.remote, remote);
    if (error == -ENETUNREACH) {
        call_fail_about(call, ENETUNREACH, "NO_ROUTE", "field", "remote", "no route leads to %s",
                        remote);
    } else if (want) {
        call_fail_about(call, -error, "ADDRESS_NOT_OURS", "field", "local",
                        "%s is not an address of ours, or cannot reach %s",
                        ip_addr_format(want, local), remote);
    } else {
        call_fail_about(call, -error, "PEER_ADDRESS_INVALID", "field", "remote",
                        "%s cannot be the address of a peer (RFC 9293 MUST-46)", remote);
    }
    return false;
}

static void fail_open(struct grpc_call *call, int error)
{
    switch (error) {
    case EADDRINUSE:
        call_fail(call, error, "CONNECTION_EXISTS",
                  "there is a connection of these addresses and ports already");
        break;
    case EADDRNOTAVAIL:
        call_fail(
            call, error, "NO_ADDRESS_OR_PORT",
            "the remote endpoint is not valid (RFC 9293 MUST-46), or no ephemeral port is free");
        break;
    case ENOBUFS:
        call_fail(call, error, "ENGINE_LIMIT",
                  "the engine's limit of memory or endpoints is reached");
        break;
    default:
        call_fail_errno(call, error, "open");
    }
}

static struct endpoint *make(struct rpc *rpc, struct grpc_call *call,
                             const Ackd__V1__OpenRequest *m, struct tcp_open_args *args)
{
    struct ownership ownership;
    if (!ownership_read(rpc, call, m->ownership, NULL, &ownership)) {
        return NULL;
    }
    struct endpoint *e = endpoint_new(rpc, call, &ownership, false);
    if (!e) {
        return NULL;
    }
    uint64_t id;
    int error = tcp_open(rpc->config.engine, rpc_now(rpc), args, &id);
    rpc_kick(rpc);
    if (error < 0) {
        endpoint_discard(e);
        fail_open(call, -error);
        return NULL;
    }
    endpoint_publish(e, id, m->request_id);
    return e;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__OpenRequest *m = (const Ackd__V1__OpenRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    struct ip_addr want;
    struct tcp_options options = *tcp_defaults(rpc->config.engine);
    /* Without options of its own it shares the engine's record. */
    struct tcp_open_args args = {.options = m->options ? &options : NULL,
                                 .fast_open = m->fast_open,
                                 .data = m->data.data,
                                 .length = m->data.len < SLICE ? m->data.len : SLICE,
                                 .owner = RPC_OWNER};
    (void)wire_bytes;
    if (!request_id_read(call, m->request_id) ||
        !address_read(call, "remote", m->remote, &args.tuple.remote, &args.tuple.remote_port) ||
        !address_read(call, "local", m->local, &want, &args.tuple.local_port) ||
        !options_read(call, m->options, &options) ||
        !port_allowed(rpc, call, args.tuple.local_port)) {
        return;
    }
    if (ip_addr_is_none(&args.tuple.remote) || args.tuple.remote_port == 0) {
        call_fail_field(call, "remote", "remote: an active OPEN needs an address and a port");
        return;
    }
    if (!peer_may_reach(&rpc->config.policy, grpc_call_peer(call), &args.tuple.remote)) {
        call_fail_about(call, EACCES, "DESTINATION", "field", "remote",
                        "the configuration does not let uid %u open to %s",
                        (unsigned)grpc_call_peer(call)->uid, m->remote->address);
        return;
    }
    bool failed;
    struct endpoint *e = repeated(rpc, call, m->request_id, &args.tuple, &failed);
    if (!e && !failed && route(rpc, call, &args, ip_addr_is_none(&want) ? NULL : &want)) {
        e = make(rpc, call, m, &args);
    }
    if (!e) {
        return;
    }
    struct open_call *c = calloc(1, sizeof *c);
    if (!c) {
        endpoint_answered(rpc, e->id, true, true);
        call_fail_errno(call, ENOMEM, "open");
        return;
    }
    c->id = e->id;
    c->repeatable = m->request_id[0] != '\0';
    grpc_call_set_data(call, c);
    wait_start(&c->wait, e, call, m->wait_ms, look);
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct open_call *c = grpc_call_data(call);
    if (!c) {
        return;
    }
    wait_done(&c->wait);
    endpoint_answered(c->wait.rpc, c->id, cancelled, c->repeatable);
    free(c);
}

const struct grpc_method open_method = {
    .path = "/ackd.v1.Tcp/Open",
    .input = &ackd__v1__open_request__descriptor,
    .output = &ackd__v1__open_response__descriptor,
    .in_place = 8, /* data */
    .on_message = on_message,
    .on_end = on_end,
};
