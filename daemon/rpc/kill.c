/* Inspect.Kill: resets every endpoint that matches and belongs to the caller, or to anybody when
 * the caller is admin. Stepped like a listing; the answer names what was killed, up to a number of
 * rows that one message and one turn of the loop bear. */
#include "rpc/brief.h"
#include "rpc/endpoint.h"
#include "rpc/view.h"
#include "rpc/walk.h"

#include <errno.h>
#include <stdlib.h>

enum { KILLED_ROWS = 512, KILLS_TURN = 64 };
static const int64_t RESETS_NS = 100 * NS_PER_US; /* some of those that wait have left by then */

struct kill_call {
    struct rpc *rpc;
    struct grpc_call *call;
    struct loop_timer *turn;
    struct filter filter;
    struct walk walk;
    bool admin, over;
    uid_t uid;
    uint64_t not_permitted;
    struct brief *rows;
    unsigned n_rows;
};

/* Ends it, tells its user, and takes it away: from here on it is among the recently closed. One
 * that had ended already and is still held goes, too. */
static void kill_one(struct kill_call *c, const struct tcp_info *info)
{
    struct rpc *rpc = c->rpc;
    uid_t uid;
    if (!c->admin && !(endpoint_uid(rpc, info->id, info->listener, &uid) && uid == c->uid)) {
        c->not_permitted++;
        return;
    }
    if (c->n_rows < KILLED_ROWS) {
        brief_add(c->rows, view_connection(rpc, &rpc->rows[0], info, false));
        c->n_rows++;
    }
    tcp_abort(rpc->config.engine, rpc_now(rpc), info->id, TCP_CLOSE_KILLED);
    struct endpoint *e = endpoint_find(rpc, info->id);
    if (e && !e->past) {
        endpoint_kill(e);
    } else {
        tcp_release(rpc->config.engine, rpc_now(rpc), info->id); /* nobody else will */
    }
    rpc_kick(rpc);
}

static void step(struct kill_call *c)
{
    bool resets_first = tcp_resets_wait(c->rpc->config.engine);
    unsigned budget = resets_first ? 0 : KILLS_TURN;
    struct tcp_info info;
    enum walk_result r;
    while ((r = walk_next(&c->walk, false, &budget, &info)) == WALK_FOUND) {
        kill_one(c, &info);
    }
    if (r == WALK_PAUSE) {
        rpc_kick(c->rpc);
        loop_timer_at(c->turn, time_add(rpc_now(c->rpc), resets_first ? RESETS_NS : 0));
        return;
    }
    Ackd__V1__KillResponse m = ACKD__V1__KILL_RESPONSE__INIT;
    ProtobufCMessageUnknownField rows;
    brief_attach(c->rows, &rows, &m.base);
    m.not_permitted = c->not_permitted;
    c->over = true;
    grpc_call_reply(c->call, &m.base);
}

static void kill_turn(void *arg)
{
    struct kill_call *c = arg;
    if (!c->over) {
        step(c);
    }
}

static void call_free(struct kill_call *c)
{
    filter_clear(&c->filter);
    if (c->turn) {
        loop_timer_free(c->turn);
    }
    free(c->rows);
    free(c);
}

static int begin(struct kill_call *c, const Ackd__V1__KillRequest *m, const char **field)
{
    int error = filter_read(&c->filter, m->filter, field);
    if (error < 0) {
        return error;
    }
    c->rows = brief_new(KILLED_ROWS);
    c->turn = loop_timer_new(c->rpc->config.loop, kill_turn, c);
    walk_start(&c->walk, c->rpc, &c->filter, 0);
    return c->rows && c->turn ? 0 : -ENOMEM;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__KillRequest *m = (const Ackd__V1__KillRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    const struct grpc_peer *peer = grpc_call_peer(call);
    const char *field = NULL;
    (void)wire_bytes;
    struct kill_call *c = calloc(1, sizeof *c);
    if (!c) {
        call_fail_errno(call, ENOMEM, "kill");
        return;
    }
    c->rpc = rpc;
    c->call = call;
    c->uid = peer->uid;
    c->admin = peer_role(&rpc->config.policy, peer) == RPC_ROLE_ADMIN;
    int error = begin(c, m, &field);
    if (error < 0) {
        filter_fail(call, error, field);
        call_free(c);
        return;
    }
    grpc_call_set_data(call, c);
    step(c);
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct kill_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        call_free(c);
    }
}

const struct grpc_method kill_method = {
    .path = "/ackd.v1.Inspect/Kill",
    .input = &ackd__v1__kill_request__descriptor,
    .output = &ackd__v1__kill_response__descriptor,
    .on_message = on_message,
    .on_end = on_end,
};
