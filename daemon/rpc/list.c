/* Inspect.List: any number of rows without holding up a packet.
 *
 * A turn of the loop looks at a bounded number of records and packs at most one message of rows;
 * the next turn is a timer that is due at once, so packets are served in between. When the client's
 * window is full nothing is looked at. */
#include "rpc/brief.h"
#include "rpc/view.h"
#include "rpc/walk.h"

#include <errno.h>
#include <stdlib.h>

struct list_call {
    struct rpc *rpc;
    struct grpc_call *call;
    struct loop_timer *turn;
    struct filter filter;
    struct walk walk;
    bool closed, full, limited, over, answered;
    uint32_t limit;
    uint64_t position; /* in the history of the closed */
};

static unsigned rows_at_most(const struct list_call *c)
{
    unsigned rows = c->full || c->closed ? ROWS_FULL : ROWS_BASIC;
    return c->limited && c->limit < rows ? c->limit : rows;
}

/* Fills rows with living endpoints in full; true at the end of the walk. */
static bool fill_living(struct list_call *c, Ackd__V1__Connection **out, size_t *n, unsigned max)
{
    unsigned budget = WALK_BUDGET;
    struct tcp_info info;
    while (*n < max) {
        enum walk_result r = walk_next(&c->walk, true, &budget, &info);
        if (r != WALK_FOUND) {
            return r == WALK_END;
        }
        out[*n] = view_connection(c->rpc, &c->rpc->rows[*n], &info, true);
        ++*n;
    }
    return false;
}

/* The same for brief rows, which go into rpc->brief. */
static bool fill_brief(struct list_call *c, size_t *n, unsigned max)
{
    unsigned budget = WALK_BUDGET;
    struct tcp_info info;
    for (c->rpc->brief->length = 0; *n < max; ++*n) {
        enum walk_result r = walk_next(&c->walk, false, &budget, &info);
        if (r != WALK_FOUND) {
            return r == WALK_END;
        }
        brief_add(c->rpc->brief, view_connection(c->rpc, &c->rpc->rows[0], &info, false));
    }
    return false;
}

/* Fills rows from the history of the closed; true at its end. */
static bool fill_closed(struct list_call *c, Ackd__V1__Connection **out, size_t *n, unsigned max)
{
    struct tcp_closed closed[ROWS_FULL];
    while (*n < max && !rpc_turn_spent(c->rpc)) {
        unsigned got =
            tcp_closed_list(c->rpc->config.engine, &c->position, closed, max - (unsigned)*n);
        if (got == 0) {
            return true;
        }
        for (unsigned i = 0; i < got; i++) {
            const struct filter_subject subject = {closed[i].id, 0, TCP_CLOSED,
                                                   closed[i].last_state, &closed[i].tuple};
            if (filter_match(c->rpc, &c->filter, &subject)) {
                out[*n] = view_closed(c->rpc, &c->rpc->rows[*n], &closed[i]);
                ++*n;
            }
        }
    }
    return false;
}

/* Fills the message with up to `max` rows, counted in *n; true when they were the last. */
static bool fill(struct list_call *c, Ackd__V1__ListResponse *m, size_t *n, unsigned max)
{
    if (c->closed || c->full) {
        bool end = c->closed ? fill_closed(c, m->connections, n, max)
                             : fill_living(c, m->connections, n, max);
        m->n_connections = *n;
        return end;
    }
    return fill_brief(c, n, max);
}

static void step(struct list_call *c)
{
    Ackd__V1__Connection *rows[ROWS_FULL];
    ProtobufCMessageUnknownField brief;
    Ackd__V1__ListResponse m = ACKD__V1__LIST_RESPONSE__INIT;
    size_t n = 0;
    if (c->over || grpc_call_room(c->call) == 0) {
        return; /* on_writable() goes on */
    }
    m.connections = rows;
    bool end = fill(c, &m, &n, rows_at_most(c));
    if (c->limited) {
        c->limit -= (uint32_t)n;
        end = end || c->limit == 0;
    }
    if (n > 0 || (end && !c->answered)) { /* an empty list says whose it is, too */
        if (!c->closed && !c->full) {
            brief_attach(c->rpc->brief, &brief, &m.base);
        }
        m.instance_id = (char *)c->rpc->config.instance_id;
        c->answered = true;
        grpc_call_send(c->call, &m.base);
    }
    if (end) {
        c->over = true;
        grpc_call_finish(c->call);
    } else {
        loop_timer_at(c->turn, rpc_now(c->rpc));
    }
}

static void list_turn(void *arg)
{
    step(arg);
}

static void call_free(struct list_call *c)
{
    filter_clear(&c->filter);
    if (c->turn) {
        loop_timer_free(c->turn);
    }
    free(c);
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__ListRequest *m = (const Ackd__V1__ListRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    const char *field = NULL;
    (void)wire_bytes;
    if ((unsigned)m->view > ACKD__V1__VIEW__VIEW_FULL) {
        call_fail_field(call, "view", "view: %d is not a view", (int)m->view);
        return;
    }
    if (m->closed && m->page_after_id) {
        call_fail_field(call, "page_after_id",
                        "page_after_id: the recently closed are not in order of ids");
        return;
    }
    struct list_call *c = calloc(1, sizeof *c);
    int error = c ? filter_read(&c->filter, m->filter, &field) : -ENOMEM;
    if (error == 0) {
        walk_start(&c->walk, rpc, &c->filter, m->page_after_id);
        c->turn = loop_timer_new(rpc->config.loop, list_turn, c);
        error = c->turn ? 0 : -ENOMEM;
    }
    if (error < 0) {
        filter_fail(call, error, field);
        if (c) {
            call_free(c);
        }
        return;
    }
    c->rpc = rpc;
    c->call = call;
    c->closed = m->closed;
    c->full = m->view == ACKD__V1__VIEW__VIEW_FULL;
    c->limited = m->limit > 0;
    c->limit = m->limit;
    grpc_call_set_data(call, c);
    step(c);
}

static void on_writable(struct grpc_call *call)
{
    struct list_call *c = grpc_call_data(call);
    if (c) {
        step(c);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct list_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        call_free(c);
    }
}

const struct grpc_method list_method = {
    .path = "/ackd.v1.Inspect/List",
    .input = &ackd__v1__list_request__descriptor,
    .output = &ackd__v1__list_response__descriptor,
    .server_streaming = true,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_end = on_end,
};
