/* Tcp.Accept: takes the oldest established connection of a listener.
 *
 * Calls wait in the order in which they came. A call whose answer did not reach its client puts its
 * connection back at the head of the queue, where the next Accept finds it: so a deadline or a
 * killed client loses no connection. */
#include "rpc/endpoint.h"
#include "rpc/session.h"
#include "rpc/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct accept_call {
    struct wait wait;
    struct rpc *rpc;
    uint64_t listener;
    uint64_t accepted; /* 0: none yet */
    /* The request's ownership, read again when a connection comes: the session may be gone by then.
     */
    Ackd__V1__Ownership ownership;
    char label[LABEL_MAX + 1];
};

static void answer(struct wait *w, const struct tcp_info *info)
{
    struct view_endpoint local, remote;
    Ackd__V1__AcceptResponse m = ACKD__V1__ACCEPT_RESPONSE__INIT;
    if (info) {
        m.id = info->id;
        m.local = view_endpoint(&local, &info->tuple.local, info->tuple.local_port);
        m.remote = view_endpoint(&remote, &info->tuple.remote, info->tuple.remote_port);
    }
    wait_done(w);
    grpc_call_reply(w->call, &m.base);
}

static void take(struct accept_call *c, uint64_t id, struct endpoint *e)
{
    struct tcp_info info = {.id = id};
    endpoint_publish(e, id, NULL);
    c->accepted = id;
    tcp_status(c->rpc->config.engine, rpc_now(c->rpc), id, false, &info);
    answer(&c->wait, &info);
}

/* Is there a connection to take? The record comes first, so that a full quota leaves the connection
 * in the queue. */
static void look(struct wait *w, unsigned what)
{
    struct accept_call *c = container_of(w, struct accept_call, wait);
    struct rpc *rpc = w->rpc;
    struct ownership ownership;
    struct tcp_info info;
    if (what & WAIT_GONE) {
        wait_gone(w);
        return;
    }
    if (tcp_status(rpc->config.engine, rpc_now(rpc), c->listener, false, &info) == 0 &&
        info.state == TCP_LISTEN && info.recv_q_bytes == 0) {
        if (what & WAIT_OVER) {
            answer(w, NULL);
        }
        return;
    }
    if (!ownership_read(rpc, w->call, &c->ownership, w->endpoint, &ownership)) {
        wait_done(w);
        return;
    }
    struct endpoint *e = endpoint_new(rpc, w->call, &ownership, false);
    if (!e) {
        wait_done(w);
        return;
    }
    uint64_t id;
    int error = tcp_accept(rpc->config.engine, c->listener, RPC_OWNER, 0, &id);
    if (error == 0) {
        take(c, id, e);
        return;
    }
    endpoint_discard(e);
    if (error != -EAGAIN) {
        wait_done(w);
        call_fail_endpoint(w->call, rpc->config.engine, rpc_now(rpc), c->listener, -error);
    } else if (what & WAIT_OVER) {
        answer(w, NULL);
    }
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__AcceptRequest *m = (const Ackd__V1__AcceptRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    struct ownership ownership;
    (void)wire_bytes;
    struct endpoint *listener = endpoint_of_call(rpc, call, m->id);
    if (!listener || !ownership_read(rpc, call, m->ownership, listener, &ownership)) {
        return;
    }
    if (!listener->is_listener) {
        call_fail_about(call, EINVAL, "NOT_A_LISTENER", "field", "id",
                        "endpoint %llu is not a listener", (unsigned long long)m->id);
        return;
    }
    struct accept_call *c = calloc(1, sizeof *c);
    if (!c) {
        call_fail_errno(call, ENOMEM, "accept");
        return;
    }
    c->rpc = rpc;
    c->listener = m->id;
    ackd__v1__ownership__init(&c->ownership);
    if (m->ownership) {
        c->ownership = *m->ownership;
        memcpy(c->label, m->ownership->label, strlen(m->ownership->label) + 1);
    }
    c->ownership.label = c->label;
    grpc_call_set_data(call, c);
    wait_start(&c->wait, listener, call, m->wait_ms, look);
}

/* The client does not know that it got this connection. */
static void give_back(struct accept_call *c)
{
    struct endpoint *e = endpoint_find(c->rpc, c->accepted);
    if (!e || e->past || e->known) {
        return;
    }
    if (tcp_accept_return(c->rpc->config.engine, c->listener, c->accepted) < 0) {
        tcp_abort(c->rpc->config.engine, rpc_now(c->rpc), c->accepted, TCP_CLOSE_LISTENER_CLOSED);
        endpoint_release(e);
        return;
    }
    endpoint_discard(e);
    rpc_kick(c->rpc);
    struct endpoint *listener = endpoint_find(c->rpc, c->listener);
    if (listener) {
        endpoint_wake(listener, TCP_READY_ACCEPT);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct accept_call *c = grpc_call_data(call);
    if (!c) {
        return;
    }
    wait_done(&c->wait);
    if (c->accepted && cancelled) {
        give_back(c);
    } else if (c->accepted) {
        endpoint_answered(c->rpc, c->accepted, false, false);
    }
    free(c);
}

const struct grpc_method accept_method = {
    .path = "/ackd.v1.Tcp/Accept",
    .input = &ackd__v1__accept_request__descriptor,
    .output = &ackd__v1__accept_response__descriptor,
    .on_message = on_message,
    .on_end = on_end,
};
