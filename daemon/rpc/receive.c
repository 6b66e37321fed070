/* Tcp.Receive.
 *
 * Reading and releasing are two things: the answer shows bytes, and only a later call that names a
 * later offset lets them go. So an answer that is lost loses nothing. The bytes go from the packets
 * that carried them into the message, without a buffer in between. An answer that its reader leaves
 * lies in the connection's send queue; when that is full, answers wait, or are as short as their
 * streams' windows. */
#include "rpc/endpoint.h"
#include "rpc/transfer.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MAX_DEFAULT = 65536,
    DATA = 2,             /* ReceiveResponse.data */
    MESSAGE_OVERHEAD = 64 /* the other fields, and gRPC's prefix */
};

struct receive_call {
    struct wait wait;
    uint64_t from;
    size_t max, min;
};

static void answer(struct wait *w, const struct transfer_down *d)
{
    Ackd__V1__ReceiveResponse m = ACKD__V1__RECEIVE_RESPONSE__INIT;
    uint8_t *data;
    m.offset = d->offset;
    m.end_of_stream = d->end_of_stream;
    if (d->urgent) {
        m.urgent_known_case = ACKD__V1__RECEIVE_RESPONSE__URGENT_KNOWN_URGENT_MARK;
        m.urgent_mark = d->urgent_mark;
    }
    wait_done(w);
    if (d->length == 0) {
        grpc_call_reply(w->call, &m.base);
    } else if (grpc_call_reply_bytes(w->call, &m.base, DATA, d->length, &data) == 0) {
        transfer_copy(w->endpoint, d->offset, d->length, data);
    }
}

/* Fewer bytes than were asked for, but no more can come: the receive buffer is full of them. */
static bool full(const struct wait *w)
{
    struct tcp_info info;
    return tcp_status(w->rpc->config.engine, rpc_now(w->rpc), w->endpoint->id, true, &info) == 0 &&
           info.rcv_wnd < info.adv_mss_bytes;
}

static void look(struct wait *w, unsigned what)
{
    struct receive_call *c = container_of(w, struct receive_call, wait);
    struct rpc *rpc = w->rpc;
    struct transfer_down d;
    if (what & WAIT_GONE) {
        wait_gone(w);
        return;
    }
    if (grpc_call_room(w->call) == 0 && !(what & WAIT_OVER)) {
        return; /* on_writable() looks again */
    }
    size_t capacity = grpc_call_capacity(w->call);
    size_t max = capacity > MESSAGE_OVERHEAD ? capacity - MESSAGE_OVERHEAD : 0;
    max = max < c->max ? max : c->max;
    int error = transfer_look(w->endpoint, c->from, max, &d);
    if (error == -ERANGE) {
        wait_done(w);
        transfer_fail_range(w->call, w->endpoint, c->from);
        return;
    }
    if (error < 0 && error != -EAGAIN) {
        wait_done(w);
        call_fail_endpoint(w->call, rpc->config.engine, rpc_now(rpc), w->endpoint->id, -error);
        return;
    }
    /* A mark beyond what has arrived is told when it moves, not again and again. */
    bool urgent = d.urgent && (d.length > 0 || what & TCP_READY_URGENT);
    if (d.length >= (c->min < max ? c->min : max) || d.end_of_stream || urgent ||
        what & WAIT_OVER || (d.length > 0 && full(w))) {
        answer(w, &d);
    }
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__ReceiveRequest *m = (const Ackd__V1__ReceiveRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    struct endpoint *e = endpoint_of_call(rpc, call, m->id);
    if (!e) {
        return;
    }
    int error = m->from_offset ? transfer_release(e, m->from_offset) : 0;
    if (error == -ERANGE) {
        transfer_fail_range(call, e, m->from_offset);
        return;
    }
    struct receive_call *c = calloc(1, sizeof *c);
    if (!c) {
        call_fail_errno(call, ENOMEM, "receive");
        return;
    }
    c->from = m->from_offset;
    c->max = m->max_bytes ? m->max_bytes : MAX_DEFAULT;
    c->max = c->max < RECEIVE_MAX ? c->max : RECEIVE_MAX;
    c->min = m->min_bytes ? m->min_bytes : 1; /* a wait is for something */
    c->min = c->min < c->max ? c->min : c->max;
    grpc_call_set_data(call, c);
    wait_start(&c->wait, e, call, m->wait_ms, look);
}

static void on_writable(struct grpc_call *call)
{
    struct receive_call *c = grpc_call_data(call);
    if (c && !c->wait.done) {
        look(&c->wait, 0);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct receive_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        wait_done(&c->wait);
        free(c);
    }
}

const struct grpc_method receive_method = {
    .path = "/ackd.v1.Tcp/Receive",
    .input = &ackd__v1__receive_request__descriptor,
    .output = &ackd__v1__receive_response__descriptor,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_end = on_end,
};
