/* Tcp.Stream: both directions of a connection on one call, with the two flow controls joined end to
 * end.
 *
 * Upward, the HTTP/2 window of the stream is given back only for messages that the send buffer
 * took; so at most one window of messages waits here, and a peer that stops reading stops the
 * client. Downward, bytes stay in the engine until the stream has room; so a client that stops
 * reading closes the peer's window, with no buffer in between. They are released when they were
 * handed to the stream, or with confirm_receipt when the client says so. */
#include "rpc/endpoint.h"
#include "rpc/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOWN_MESSAGE = 65536,  /* data of one message down */
    DOWN_TURN = 4 * 65536, /* data down in one turn of the loop */
    MESSAGE_OVERHEAD = 64, /* the other fields, and gRPC's prefix */
    DATA = 2               /* StreamResponse.data */
};

struct up_message {
    struct list link;
    uint64_t offset;
    size_t length, wire_bytes;
    unsigned flags;
    bool fin;
    const uint8_t *data;
    void *memory; /* where they lie */
};

struct stream_call {
    struct wait wait;
    struct list queue; /* messages that the send buffer did not take yet */
    struct loop_timer *turn;
    bool confirm, keep_open;
    bool half_closed; /* the client sends no more */
    bool fin;         /* our side is closed */
    bool broken;      /* the connection died: only what was received is still of use */
    bool eos_sent;
    uint64_t down_from; /* next stream offset to hand down */
    uint64_t released;
    uint64_t accepted_told, acknowledged_told, urgent_told;
};

static void finish(struct stream_call *c)
{
    wait_done(&c->wait);
    grpc_call_finish(c->wait.call);
}

static void fail(struct stream_call *c, int error)
{
    struct endpoint *e = c->wait.endpoint;
    wait_done(&c->wait);
    call_fail_endpoint(c->wait.call, e->rpc->config.engine, rpc_now(e->rpc), e->id, error);
}

static void up_free(struct up_message *m)
{
    list_remove(&m->link);
    free(m->memory);
    free(m);
}

static void free_queue(struct stream_call *c)
{
    list_for_each_safe(l, tmp, &c->queue)
    {
        up_free(container_of(l, struct up_message, link));
    }
}

/* ---- up ---- */

static void close_up(struct stream_call *c)
{
    struct endpoint *e = c->wait.endpoint;
    if (!c->fin) {
        c->fin = true;
        tcp_close(e->rpc->config.engine, rpc_now(e->rpc), e->id);
        rpc_kick(e->rpc);
    }
}

/* The outcome of transfer_up(): true when all was taken; what cannot go on ends the call or, when
 * the connection died, the upward half. */
static bool took(struct stream_call *c, uint64_t offset, size_t length, int64_t result)
{
    if (result == -ERANGE) {
        struct endpoint *e = c->wait.endpoint;
        wait_done(&c->wait);
        transfer_fail_gap(c->wait.call, e, offset);
    } else if (result == -EPIPE || (result < 0 && result != -EAGAIN && c->eos_sent)) {
        fail(c, (int)-result);
    } else if (result < 0 && result != -EAGAIN) {
        c->broken = true;
    }
    return result == (int64_t)length;
}

static void pump_up(struct stream_call *c)
{
    size_t budget = SLICE;
    list_for_each_safe(l, tmp, &c->queue)
    {
        struct up_message *m = container_of(l, struct up_message, link);
        if (c->wait.done || c->broken) {
            break;
        }
        int64_t n = transfer_up(c->wait.endpoint, m->offset, m->data, m->length, m->flags, &budget);
        if (!took(c, m->offset, m->length, n)) {
            if (n >= 0 && budget == 0) {
                loop_timer_at(c->turn, rpc_now(c->wait.rpc));
            }
            break;
        }
        grpc_call_consumed(c->wait.call, m->wire_bytes);
        if (m->fin) {
            close_up(c);
        }
        up_free(m);
    }
    if (c->wait.done) {
        return;
    }
    if (c->broken) {
        free_queue(c);
    }
    if (list_empty(&c->queue) && c->half_closed && !c->keep_open && !c->broken) {
        close_up(c);
    }
}

/* Data of a request go straight to the send buffer, or wait in the queue. */
static void put_up(struct stream_call *c, const Ackd__V1__StreamRequest *m, size_t wire_bytes)
{
    unsigned flags = (m->push ? TCP_SEND_PUSH : 0) | (m->urgent ? TCP_SEND_URGENT : 0);
    size_t length = m->data.len;
    if (c->broken) {
        return;
    }
    int64_t n = 0;
    if (list_empty(&c->queue)) {
        size_t budget = SLICE;
        n = length ? transfer_up(c->wait.endpoint, m->offset, m->data.data, length, flags, &budget)
                   : 0;
        if (took(c, m->offset, length, n)) {
            grpc_call_consumed(c->wait.call, wire_bytes);
            if (m->fin) {
                close_up(c);
            }
            return;
        }
        if (c->wait.done || c->broken) {
            return;
        }
    }
    size_t taken = n > 0 ? (size_t)n : 0;
    const uint8_t *data = m->data.data + taken;
    length -= taken;
    struct up_message *u = malloc(sizeof *u);
    void *memory = u ? transfer_keep(c->wait.call, &data, length) : NULL;
    if (!memory) {
        free(u);
        fail(c, ENOMEM);
        return;
    }
    *u = (struct up_message){.offset = m->offset + taken,
                             .length = length,
                             .wire_bytes = wire_bytes,
                             .flags = flags,
                             .fin = m->fin,
                             .data = data,
                             .memory = memory};
    list_append(&c->queue, &u->link);
}

/* ---- down ---- */

/* One message down, if there is anything to tell. Returns its data bytes, -1 when there was nothing
 * or the call ended. */
static int64_t put_down(struct stream_call *c, size_t room)
{
    struct endpoint *e = c->wait.endpoint;
    struct transfer_down d = {.offset = c->down_from};
    uint8_t *data = NULL;
    Ackd__V1__StreamResponse m = ACKD__V1__STREAM_RESPONSE__INIT;
    size_t max = room > MESSAGE_OVERHEAD ? room - MESSAGE_OVERHEAD : 1;
    transfer_progress(e, &m.accepted_until, &m.acknowledged_until);
    int error = c->eos_sent
                    ? 0
                    : transfer_look(e, c->down_from, max < DOWN_MESSAGE ? max : DOWN_MESSAGE, &d);
    if (error == -ERANGE) {
        wait_done(&c->wait);
        transfer_fail_range(c->wait.call, e, c->down_from);
        return -1;
    }
    if (error < 0 && error != -EAGAIN) {
        fail(c, -error);
        return -1;
    }
    bool all_acknowledged =
        m.acknowledged_until == m.accepted_until && m.acknowledged_until != c->acknowledged_told;
    bool urgent = d.urgent && d.urgent_mark != c->urgent_told;
    if (d.length == 0 && !d.end_of_stream && !urgent && !all_acknowledged &&
        m.accepted_until == c->accepted_told) {
        return -1;
    }
    m.offset = d.offset;
    m.end_of_stream = d.end_of_stream;
    if (d.urgent) {
        m.urgent_known_case = ACKD__V1__STREAM_RESPONSE__URGENT_KNOWN_URGENT_MARK;
        m.urgent_mark = c->urgent_told = d.urgent_mark;
    }
    error = d.length ? grpc_call_send_bytes(c->wait.call, &m.base, DATA, d.length, &data)
                     : grpc_call_send(c->wait.call, &m.base);
    if (error < 0) {
        return -1;
    }
    transfer_copy(e, d.offset, d.length, data);
    c->accepted_told = m.accepted_until;
    c->acknowledged_told = m.acknowledged_until;
    c->eos_sent |= d.end_of_stream;
    c->down_from += d.length;
    return (int64_t)d.length;
}

static void pump_down(struct stream_call *c)
{
    size_t sent = 0;
    while (!c->wait.done) {
        size_t room = grpc_call_room(c->wait.call);
        if (room == 0) {
            return; /* on_writable() goes on */
        }
        int64_t n = put_down(c, room);
        if (n < 0) {
            return;
        }
        if (!c->confirm && n > 0) {
            c->released = c->down_from;
            transfer_release(c->wait.endpoint, c->down_from);
        }
        sent += (size_t)n;
        if (sent >= DOWN_TURN) {
            loop_timer_at(c->turn, rpc_now(c->wait.rpc));
            return;
        }
    }
}

/* ---- both ---- */

static void pump(struct stream_call *c)
{
    pump_up(c);
    pump_down(c);
    if (c->wait.done) {
        return;
    }
    bool up_over = c->half_closed || (c->fin && (!c->confirm || c->released == c->down_from));
    if (c->eos_sent && up_over && list_empty(&c->queue)) {
        finish(c);
    }
}

static void look(struct wait *w, unsigned what)
{
    struct stream_call *c = container_of(w, struct stream_call, wait);
    if (what & WAIT_GONE) {
        wait_gone(w);
    } else {
        pump(c);
    }
}

static void stream_turn(void *arg)
{
    struct stream_call *c = arg;
    if (!c->wait.done) {
        pump(c);
    }
}

/* The first request: which endpoint, from where. NULL: the call was failed. */
static struct stream_call *begin(struct rpc *rpc, struct grpc_call *call,
                                 const Ackd__V1__StreamRequest *m)
{
    struct endpoint *e = endpoint_of_call(rpc, call, m->id);
    if (!e) {
        return NULL;
    }
    int error = m->receive_from_offset ? transfer_release(e, m->receive_from_offset) : 0;
    if (error == -ERANGE) {
        transfer_fail_range(call, e, m->receive_from_offset);
        return NULL;
    }
    struct stream_call *c = calloc(1, sizeof *c);
    if (c && !(c->turn = loop_timer_new(rpc->config.loop, stream_turn, c))) {
        free(c);
        c = NULL;
    }
    if (!c) {
        call_fail_errno(call, ENOMEM, "stream");
        return NULL;
    }
    list_init(&c->queue);
    c->confirm = m->confirm_receipt;
    c->keep_open = m->keep_open;
    c->down_from = c->released = m->receive_from_offset;
    transfer_progress(e, &c->accepted_told, &c->acknowledged_told);
    wait_join(&c->wait, e, call, look);
    grpc_call_set_data(call, c);
    return c;
}

/* What the client confirms is released. False: the call was failed. */
static bool confirm(struct stream_call *c, uint64_t until)
{
    if (!c->confirm || until <= c->released) {
        return true;
    }
    if (until > c->down_from || transfer_release(c->wait.endpoint, until) == -ERANGE) {
        wait_done(&c->wait);
        call_fail_about(c->wait.call, ERANGE, "OFFSET_GAP", "field", "received_until",
                        "received_until: %llu is more than the %llu bytes that were sent",
                        (unsigned long long)until, (unsigned long long)c->down_from);
        return false;
    }
    c->released = until;
    return true;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__StreamRequest *m = (const Ackd__V1__StreamRequest *)message;
    struct stream_call *c = grpc_call_data(call);
    if (!c) {
        c = begin(grpc_call_arg(call), call, m);
    }
    if (!c || c->wait.done || !confirm(c, m->received_until)) {
        return;
    }
    put_up(c, m, wire_bytes);
    if (!c->wait.done) {
        pump(c);
    }
}

static void on_half_close(struct grpc_call *call)
{
    struct stream_call *c = grpc_call_data(call);
    if (!c) {
        call_fail_field(call, "id", "id: the first message has to name an endpoint");
        return;
    }
    c->half_closed = true;
    if (!c->wait.done) {
        pump(c);
    }
}

static void on_writable(struct grpc_call *call)
{
    struct stream_call *c = grpc_call_data(call);
    if (c && !c->wait.done) {
        pump(c);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct stream_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        wait_done(&c->wait);
        free_queue(c);
        loop_timer_free(c->turn);
        free(c);
    }
}

const struct grpc_method stream_method = {
    .path = "/ackd.v1.Tcp/Stream",
    .input = &ackd__v1__stream_request__descriptor,
    .output = &ackd__v1__stream_response__descriptor,
    .in_place = 4, /* data */
    .client_streaming = true,
    .server_streaming = true,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_end = on_end,
};
