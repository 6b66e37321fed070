/* Tcp.Send.
 *
 * The stream offset says where the data belong, so that a repeated call changes nothing: what was
 * accepted before is skipped, a gap is refused. The engine's own count of accepted bytes is the
 * only truth; each look begins there, because another call may have come between. A large message
 * goes in slices, one a turn of the loop. */
#include "rpc/endpoint.h"
#include "rpc/transfer.h"

#include <errno.h>
#include <stdlib.h>

struct send_call {
    struct wait wait;
    uint64_t offset; /* of data[0] */
    size_t length;
    unsigned flags;
    const uint8_t *data;
    void *memory;            /* where they lie, once the message is gone */
    struct loop_timer *turn; /* the next slice */
    bool going_on;           /* it comes without anybody's doing */
    bool over;               /* it waits no longer for room */
};

static void look(struct wait *w, unsigned what);

static void answer(struct wait *w)
{
    Ackd__V1__SendResponse m = ACKD__V1__SEND_RESPONSE__INIT;
    transfer_progress(w->endpoint, &m.accepted_until, &m.acknowledged_until);
    wait_done(w);
    grpc_call_reply(w->call, &m.base);
}

/* A call whose data begin within those of one that is not through them yet is no gap. */
static bool follows(const struct send_call *c)
{
    list_for_each(l, &c->wait.endpoint->waiters)
    {
        const struct wait *w = container_of(l, struct wait, link);
        if (w == &c->wait || w->look != look) {
            continue;
        }
        const struct send_call *other = container_of(w, struct send_call, wait);
        if (other->going_on && other->offset < c->offset &&
            other->offset + other->length >= c->offset) {
            return true;
        }
    }
    return false;
}

static void send_turn(void *arg)
{
    struct send_call *c = arg;
    if (!c->wait.done) {
        look(&c->wait, 0);
    }
}

/* In the next turn; false without memory. */
static bool go_on(struct send_call *c)
{
    struct rpc *rpc = c->wait.rpc;
    if (!c->turn) {
        c->turn = loop_timer_new(rpc->config.loop, send_turn, c);
    }
    c->going_on = c->turn != NULL;
    if (c->going_on) {
        loop_timer_at(c->turn, rpc_now(rpc));
    }
    return c->going_on;
}

static void look(struct wait *w, unsigned what)
{
    struct send_call *c = container_of(w, struct send_call, wait);
    struct rpc *rpc = w->rpc;
    size_t budget = SLICE;
    if (what & WAIT_GONE) {
        wait_gone(w);
        return;
    }
    c->over |= (what & WAIT_OVER) != 0;
    c->going_on = false;
    int64_t result = transfer_up(w->endpoint, c->offset, c->data, c->length, c->flags, &budget);
    if (result == -ERANGE && !(follows(c) && go_on(c))) {
        wait_done(w);
        transfer_fail_gap(w->call, w->endpoint, c->offset);
    } else if (result < 0 && result != -EAGAIN && result != -ERANGE) {
        wait_done(w);
        call_fail_endpoint(w->call, rpc->config.engine, rpc_now(rpc), w->endpoint->id,
                           (int)-result);
    } else if (result == (int64_t)c->length) {
        answer(w);
    } else if (result >= 0 && budget == 0) {
        if (!go_on(c)) {
            answer(w);
        }
    } else if (c->over && !c->going_on) {
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
        return;
    }
    /* The message is gone after this callback. */
    c->memory = transfer_keep(call, &c->data, c->length);
    if (!c->memory) {
        answer(&c->wait);
        return;
    }
    if (m->wait_ms) {
        wait_limit(&c->wait, m->wait_ms);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct send_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        wait_done(&c->wait);
        if (c->turn) {
            loop_timer_free(c->turn);
        }
        free(c->memory);
        free(c);
    }
}

const struct grpc_method send_method = {
    .path = "/ackd.v1.Tcp/Send",
    .input = &ackd__v1__send_request__descriptor,
    .output = &ackd__v1__send_response__descriptor,
    .in_place = 3, /* data */
    .on_message = on_message,
    .on_end = on_end,
};
