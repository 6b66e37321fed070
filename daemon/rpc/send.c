/* Tcp.Send.
 *
 * The stream offset says where the data belong, so that a repeated call changes nothing: what was
 * accepted before is skipped, a gap is refused. The engine's own count of accepted bytes is the
 * only truth; each look begins there, because another call may have come between. */
#include "rpc/endpoint.h"
#include "rpc/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct send_call {
    struct wait wait;
    uint64_t offset; /* of data[0] */
    size_t length;
    unsigned flags;
    uint8_t *data;
};

static void answer(struct wait *w)
{
    Ackd__V1__SendResponse m = ACKD__V1__SEND_RESPONSE__INIT;
    transfer_progress(w->endpoint, &m.accepted_until, &m.acknowledged_until);
    wait_done(w);
    grpc_call_reply(w->call, &m.base);
}

static void look(struct wait *w, unsigned what)
{
    struct send_call *c = container_of(w, struct send_call, wait);
    struct rpc *rpc = w->rpc;
    if (what & WAIT_GONE) {
        wait_gone(w);
        return;
    }
    int64_t result = transfer_up(w->endpoint, c->offset, c->data, c->length, c->flags);
    if (result == -ERANGE) {
        wait_done(w);
        transfer_fail_gap(w->call, w->endpoint, c->offset);
    } else if (result < 0 && result != -EAGAIN) {
        wait_done(w);
        call_fail_endpoint(w->call, rpc->config.engine, rpc_now(rpc), w->endpoint->id,
                           (int)-result);
    } else if (result == (int64_t)c->length || what & WAIT_OVER) {
        answer(w);
    }
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__SendRequest *m = (const Ackd__V1__SendRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    struct endpoint *e = endpoint_of_call(rpc, call, m->id);
    if (!e) {
        return;
    }
    struct send_call *c = calloc(1, sizeof *c);
    if (!c) {
        call_fail_errno(call, ENOMEM, "send");
        return;
    }
    c->offset = m->offset;
    c->length = m->data.len;
    c->flags = (m->push ? TCP_SEND_PUSH : 0) | (m->urgent ? TCP_SEND_URGENT : 0);
    c->data = m->data.data; /* for the first look */
    grpc_call_set_data(call, c);
    wait_join(&c->wait, e, call, look);
    look(&c->wait, m->wait_ms ? 0 : WAIT_OVER);
    if (c->wait.done) {
        c->data = NULL;
        return;
    }
    c->data = malloc(c->length ? c->length : 1); /* the message is gone after this callback */
    if (!c->data) {
        answer(&c->wait);
        return;
    }
    memcpy(c->data, m->data.data, c->length);
    wait_limit(&c->wait, m->wait_ms);
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct send_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        wait_done(&c->wait);
        free(c->data);
        free(c);
    }
}

const struct grpc_method send_method = {
    .path = "/ackd.v1.Tcp/Send",
    .input = &ackd__v1__send_request__descriptor,
    .output = &ackd__v1__send_response__descriptor,
    .on_message = on_message,
    .on_end = on_end,
};
