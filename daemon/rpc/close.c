/* Tcp.Close and Tcp.Abort (RFC 9293 sections 3.9.1.4 and 3.9.1.5).
 *
 * HOW_SEND is CLOSE: what is queued is sent, then FIN; receiving goes on. HOW_RELEASE gives the
 * endpoint up as well: the protocol finishes by itself and nobody is told. A call that waits, waits
 * until the peer acknowledged our FIN. */
#include "rpc/endpoint.h"
#include "rpc/view.h"

#include <errno.h>
#include <stdlib.h>

struct close_call {
    struct wait wait;
    bool release;
};

static bool fin_acknowledged(enum tcp_state state)
{
    return state == TCP_FIN_WAIT_2 || state == TCP_TIME_WAIT || state == TCP_CLOSED;
}

static enum tcp_state state_of(const struct rpc *rpc, uint64_t id)
{
    struct tcp_info info;
    return tcp_status(rpc->config.engine, rpc_now(rpc), id, false, &info) == 0 ? info.state
                                                                               : TCP_CLOSED;
}

static void reply(struct grpc_call *call, enum tcp_state state)
{
    Ackd__V1__CloseResponse m = ACKD__V1__CLOSE_RESPONSE__INIT;
    m.state = view_state(state);
    grpc_call_reply(call, &m.base);
}

static void look(struct wait *w, unsigned what)
{
    struct close_call *c = container_of(w, struct close_call, wait);
    struct rpc *rpc = w->rpc;
    struct endpoint *e = w->endpoint;
    uint64_t id = e->id;
    enum tcp_state state = what & WAIT_GONE ? TCP_CLOSED : state_of(rpc, id);
    if (!fin_acknowledged(state) && !(what & (WAIT_OVER | WAIT_GONE))) {
        return;
    }
    wait_done(w);
    if (c->release && !e->past) {
        endpoint_release(e);
        state = state_of(rpc, id);
    }
    reply(w->call, state);
}

static void close_now(struct rpc *rpc, struct grpc_call *call, struct endpoint *e, bool release,
                      uint32_t wait_ms)
{
    struct close_call *c = calloc(1, sizeof *c);
    if (!c) {
        call_fail_errno(call, ENOMEM, "close");
        return;
    }
    int error = tcp_close(rpc->config.engine, rpc_now(rpc), e->id);
    rpc_kick(rpc);
    if (error < 0 && error != -EPIPE &&
        !release) { /* closed already: a repeated call, which waits like the first */
        free(c);
        call_fail_endpoint(call, rpc->config.engine, rpc_now(rpc), e->id, -error);
        return;
    }
    c->release = release;
    grpc_call_set_data(call, c);
    wait_start(&c->wait, e, call, wait_ms, look);
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__CloseRequest *m = (const Ackd__V1__CloseRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    struct endpoint *e = endpoint_of_call(rpc, call, m->id);
    if (!e) {
        return;
    }
    if ((unsigned)m->how > ACKD__V1__CLOSE_REQUEST__HOW__HOW_RELEASE) {
        call_fail_field(call, "how", "how: %d is not a way to close", (int)m->how);
        return;
    }
    bool release = m->how != ACKD__V1__CLOSE_REQUEST__HOW__HOW_SEND || e->is_listener;
    struct tcp_info info;
    uint64_t id = e->id;
    bool unread = tcp_status(rpc->config.engine, rpc_now(rpc), id, false, &info) == 0 &&
                  info.recv_q_bytes > 0;
    if (release && (unread || e->is_listener || m->wait_ms == 0)) {
        endpoint_release(e);
        reply(call, state_of(rpc, id));
        return;
    }
    close_now(rpc, call, e, release, m->wait_ms);
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct close_call *c = grpc_call_data(call);
    (void)cancelled;
    if (!c) {
        return;
    }
    if (!c->wait.done) { /* nobody waits any more, but the endpoint was given up all the same */
        wait_done(&c->wait);
        if (c->release) {
            endpoint_release(c->wait.endpoint);
        }
    }
    free(c);
}

const struct grpc_method close_method = {
    .path = "/ackd.v1.Tcp/Close",
    .input = &ackd__v1__close_request__descriptor,
    .output = &ackd__v1__close_response__descriptor,
    .on_message = on_message,
    .on_end = on_end,
};

static void on_abort(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__AbortRequest *m = (const Ackd__V1__AbortRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    struct endpoint *e = endpoint_of_call(rpc, call, m->id);
    if (!e) {
        return;
    }
    tcp_abort(rpc->config.engine, rpc_now(rpc), e->id, TCP_CLOSE_ABORTED);
    endpoint_release(e);
    Ackd__V1__AbortResponse r = ACKD__V1__ABORT_RESPONSE__INIT;
    grpc_call_reply(call, &r.base);
}

const struct grpc_method abort_method = {
    .path = "/ackd.v1.Tcp/Abort",
    .input = &ackd__v1__abort_request__descriptor,
    .output = &ackd__v1__abort_response__descriptor,
    .on_message = on_abort,
};
