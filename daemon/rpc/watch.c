/* Inspect.Watch: what is there, then what happens, without a gap and without going back.
 *
 * The subscription begins first, then the rows are taken, a few each turn of the loop, while events
 * wait behind them in the ring. A row shows its connection as of the event number at which it was
 * taken, so an event up to that number is in the row already and is left out. Rows are taken in
 * order of ids; a list of marks (last id, event number) of the turns tells for any id what its
 * number was, and also that a connection with a smaller id and no row was gone by then.
 *
 * The ring is bounded: who reads too slowly gets LOST with a count in place of what was
 * overwritten. */
#include "rpc/view.h"
#include "rpc/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_TURN = 256, ROWS_TURN = 64 };

struct mark {
    uint64_t last_id; /* rows up to this id … */
    uint64_t number;  /* … show what happened up to this event */
};

struct watch_call {
    struct rpc *rpc;
    struct grpc_call *call;
    struct loop_timer *turn;
    struct observe_watch *watch;
    struct filter filter;
    struct walk walk;
    bool snapshot; /* rows are still being taken */
    bool over;     /* the call was failed */
    struct mark *marks;
    size_t n_marks, marks_size;
    bool segments, admin, counted;
    uint32_t payload;
    uid_t uid;
    uint64_t sequence;
};

static int tell(struct watch_call *c, Ackd__V1__WatchEvent *m)
{
    m->sequence = ++c->sequence;
    m->instance_id = (char *)c->rpc->config.instance_id;
    return grpc_call_send(c->call, &m->base);
}

/* ---- the snapshot ---- */

static void tell_at(struct watch_call *c, Ackd__V1__WatchEvent *m, ackd_time at)
{
    m->time_ns = at.ns;
    m->wall_time_ns = loop_wall_ns(c->rpc->config.loop, at);
    tell(c, m);
}

static void tell_row(struct watch_call *c, const struct tcp_info *info)
{
    Ackd__V1__WatchEvent m = ACKD__V1__WATCH_EVENT__INIT;
    m.event_case = ACKD__V1__WATCH_EVENT__EVENT_SNAPSHOT_ROW;
    m.snapshot_row = view_connection(c->rpc, &c->rpc->rows[0], info, false);
    tell_at(c, &m, rpc_now(c->rpc));
}

static bool mark(struct watch_call *c, uint64_t last_id, uint64_t number)
{
    if (c->n_marks > 0 && c->marks[c->n_marks - 1].number == number) {
        c->marks[c->n_marks - 1].last_id = last_id;
        return true;
    }
    if (c->n_marks == c->marks_size) {
        size_t size = c->marks_size ? c->marks_size * 2 : 16;
        struct mark *marks = realloc(c->marks, size * sizeof *marks);
        if (!marks) {
            return false;
        }
        c->marks = marks;
        c->marks_size = size;
    }
    c->marks[c->n_marks++] = (struct mark){last_id, number};
    return true;
}

static void end_snapshot(struct watch_call *c)
{
    Ackd__V1__WatchEvent m = ACKD__V1__WATCH_EVENT__INIT;
    Ackd__V1__Synced synced = ACKD__V1__SYNCED__INIT;
    c->snapshot = false;
    m.event_case = ACKD__V1__WATCH_EVENT__EVENT_SYNCED;
    m.synced = &synced;
    tell_at(c, &m, rpc_now(c->rpc));
}

static void take_rows(struct watch_call *c)
{
    unsigned budget = WALK_BUDGET;
    enum walk_result r = WALK_FOUND;
    struct tcp_info info;
    /* The ring has to be as new as the rows. */
    observe_drain(c->rpc->config.observe);
    for (unsigned n = 0; n < ROWS_TURN && r == WALK_FOUND && grpc_call_room(c->call) > 0; n++) {
        r = walk_next(&c->walk, false, &budget, &info);
        if (r == WALK_FOUND) {
            tell_row(c, &info);
        }
    }
    /* At the end every id is covered: what is not there by now is gone, or does not exist yet. */
    uint64_t last_id = r == WALK_END ? UINT64_MAX : c->walk.last;
    if (!mark(c, last_id, observe_last(c->rpc->config.observe))) {
        c->over = true;
        call_fail_errno(c->call, ENOMEM, "the snapshot");
        return;
    }
    if (r == WALK_END) {
        end_snapshot(c);
    }
    if (grpc_call_room(c->call) > 0) {
        loop_timer_at(c->turn, rpc_now(c->rpc));
    }
}

/* Whether the snapshot showed (or left out) the connection as it was after this event. */
static bool in_snapshot(struct watch_call *c, const struct tcp_event *e)
{
    if (c->n_marks == 0) {
        return false;
    }
    if (e->number > c->marks[c->n_marks - 1].number) {
        c->n_marks = 0; /* from now on every event is newer than every row */
        return false;
    }
    size_t low = 0, high = c->n_marks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->marks[middle].last_id >= e->id) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return e->id && low < c->n_marks && e->number <= c->marks[low].number;
}

/* ---- events ---- */

static void tell_lost(struct watch_call *c, uint64_t count)
{
    Ackd__V1__WatchEvent m = ACKD__V1__WATCH_EVENT__INIT;
    Ackd__V1__Lost lost = ACKD__V1__LOST__INIT;
    lost.count = count;
    m.event_case = ACKD__V1__WATCH_EVENT__EVENT_LOST;
    m.lost = &lost;
    tell_at(c, &m, rpc_now(c->rpc));
}

static void tell_state(struct watch_call *c, const struct tcp_event *e)
{
    Ackd__V1__WatchEvent m = ACKD__V1__WATCH_EVENT__INIT;
    struct view_endpoint local, remote;
    const struct endpoint *owner = endpoint_find(c->rpc, e->id);
    Ackd__V1__StateChange s = ACKD__V1__STATE_CHANGE__INIT;
    s.id = e->id;
    s.local = view_endpoint(&local, &e->tuple.local, e->tuple.local_port);
    s.remote = view_endpoint(&remote, &e->tuple.remote, e->tuple.remote_port);
    s.old_state = view_state(e->old_state);
    s.new_state = view_state(e->state);
    s.close_reason = (Ackd__V1__CloseReason)e->close_reason;
    s.listener_id = e->listener;
    s.label = owner ? (char *)owner->label : s.label;
    m.event_id = e->number;
    m.event_case = ACKD__V1__WATCH_EVENT__EVENT_STATE;
    m.state = &s;
    tell_at(c, &m, e->at);
}

static bool may_see_payload(const struct watch_call *c, const struct tcp_event *e)
{
    uid_t uid;
    return c->admin || (endpoint_uid(c->rpc, e->id, e->listener, &uid) && uid == c->uid);
}

static void tell_segment(struct watch_call *c, const struct tcp_event *e)
{
    Ackd__V1__WatchEvent m = ACKD__V1__WATCH_EVENT__INIT;
    struct view_endpoint local, remote;
    Ackd__V1__Header header;
    Ackd__V1__SegmentEvent s = ACKD__V1__SEGMENT_EVENT__INIT;
    view_header(&header, e->header, e->header_len);
    s.id = e->id;
    s.direction = e->direction == TCP_IN ? ACKD__V1__DIRECTION__DIRECTION_IN
                                         : ACKD__V1__DIRECTION__DIRECTION_OUT;
    s.local = view_endpoint(&local, &e->tuple.local, e->tuple.local_port);
    s.remote = view_endpoint(&remote, &e->tuple.remote, e->tuple.remote_port);
    s.header = &header;
    s.payload_length_bytes = e->payload_len;
    s.gso_size_bytes = e->gso_size;
    if (c->payload && may_see_payload(c, e)) {
        s.payload.data = (uint8_t *)e->payload;
        s.payload.len = e->payload_len < c->payload ? e->payload_len : c->payload;
    }
    s.state_after = view_state(e->state);
    s.send_kind = (Ackd__V1__SendKind)e->send_kind;
    s.drop_reason = (Ackd__V1__DropReason)e->drop;
    s.reset_reason = (Ackd__V1__ResetSentReason)e->rst_reason;
    s.scaled_window_bytes = e->scaled_window;
    s.acked_sequence_number = e->ack_seq;
    s.acked_length = e->ack_len;
    s.iss = e->iss;
    s.irs = e->irs;
    s.cwnd_bytes = e->cwnd;
    s.bytes_in_flight = e->in_flight;
    m.event_id = e->number;
    m.event_case = ACKD__V1__WATCH_EVENT__EVENT_SEGMENT;
    m.segment = &s;
    tell_at(c, &m, e->at);
}

static void tell_event(struct watch_call *c, const struct tcp_event *e)
{
    bool change = e->type == TCP_EVENT_STATE;
    const struct filter_subject subject = {e->id, e->listener, e->state,
                                           change ? e->old_state : e->state, &e->tuple};
    if (in_snapshot(c, e) || !filter_match(c->rpc, &c->filter, &subject)) {
        return;
    }
    if (change) {
        tell_state(c, e);
    } else {
        tell_segment(c, e);
    }
}

static void take_events(struct watch_call *c)
{
    struct tcp_event event;
    uint64_t lost;
    for (unsigned n = 0; n < EVENTS_TURN && !rpc_turn_spent(c->rpc); n++) {
        if (grpc_call_room(c->call) == 0) {
            return; /* on_writable() goes on */
        }
        bool found = observe_watch_next(c->watch, &event, &lost);
        if (lost > 0) {
            tell_lost(c, lost);
        }
        if (!found) {
            return; /* on_news() goes on */
        }
        tell_event(c, &event);
    }
    loop_timer_at(c->turn, rpc_now(c->rpc));
}

static void pump(struct watch_call *c)
{
    if (c->over || grpc_call_room(c->call) == 0) {
        return; /* on_writable() goes on */
    }
    if (c->snapshot) {
        take_rows(c);
    } else {
        take_events(c);
    }
}

static void watch_turn(void *arg)
{
    pump(arg);
}

static void on_news(void *arg)
{
    struct watch_call *c = arg;
    loop_timer_at(c->turn, rpc_now(c->rpc));
}

/* ---- the call ---- */

static void call_free(struct watch_call *c)
{
    observe_watch_free(c->watch);
    filter_clear(&c->filter);
    if (c->turn) {
        loop_timer_free(c->turn);
    }
    if (c->counted) {
        watch_quota_return(c->rpc, c->uid);
    }
    free(c->marks);
    free(c);
}

/* Everything that can be wrong with a request. False: the call was failed. */
static bool check(struct rpc *rpc, struct grpc_call *call, const Ackd__V1__WatchRequest *m)
{
    if (m->payload_bytes > TCP_EVENT_PAYLOAD) {
        call_fail_field(call, "payload_bytes", "payload_bytes: at most %d", TCP_EVENT_PAYLOAD);
        return false;
    }
    if (m->after_event && m->initial_snapshot) {
        call_fail_field(
            call, "after_event",
            "after_event and initial_snapshot exclude each other: a snapshot is newer than "
            "the events");
        return false;
    }
    if (m->after_event && !m->instance_id[0]) {
        call_fail_field(
            call, "instance_id",
            "instance_id: after_event needs the instance that the event number came from");
        return false;
    }
    if (m->instance_id[0] && strcmp(m->instance_id, rpc->config.instance_id) != 0) {
        call_fail_about(
            call, ERANGE, "INSTANCE_CHANGED", "field", "instance_id",
            "instance_id: the daemon was started anew as %s, its events count from 1 again",
            rpc->config.instance_id);
        return false;
    }
    return true;
}

/* Subscribes. 0 or -ENOMEM, -EINVAL (the filter), -ERANGE (after_event). */
static int subscribe(struct watch_call *c, const Ackd__V1__WatchRequest *m, const char **field)
{
    struct rpc *rpc = c->rpc;
    int error = filter_read(&c->filter, m->filter, field);
    if (error < 0) {
        return error;
    }
    /* What happened before this call is history. */
    observe_drain(rpc->config.observe);
    c->turn = loop_timer_new(rpc->config.loop, watch_turn, c);
    c->watch = c->turn ? observe_watch_new(rpc->config.observe, m->segments, on_news, c) : NULL;
    if (!c->watch) {
        return -ENOMEM;
    }
    c->snapshot = m->initial_snapshot;
    walk_start(&c->walk, rpc, &c->filter, 0);
    return m->after_event ? observe_watch_after(c->watch, m->after_event) : 0;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__WatchRequest *m = (const Ackd__V1__WatchRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    const struct grpc_peer *peer = grpc_call_peer(call);
    const char *field = NULL;
    (void)wire_bytes;
    if (!check(rpc, call, m) || !watch_quota_take(rpc, call)) {
        return;
    }
    struct watch_call *c = calloc(1, sizeof *c);
    if (!c) {
        watch_quota_return(rpc, peer->uid);
        call_fail_errno(call, ENOMEM, "watch");
        return;
    }
    c->rpc = rpc;
    c->call = call;
    c->segments = m->segments;
    c->payload = m->payload_bytes;
    c->uid = peer->uid;
    c->admin = peer_role(&rpc->config.policy, peer) == RPC_ROLE_ADMIN;
    c->counted = true;
    int error = subscribe(c, m, &field);
    if (error == -ERANGE) {
        call_fail_about(call, ERANGE, "EVENT_IN_FUTURE", "field", "after_event",
                        "after_event: the latest event is %llu",
                        (unsigned long long)observe_last(rpc->config.observe));
    } else if (error < 0) {
        filter_fail(call, error, field);
    }
    if (error < 0) {
        call_free(c);
        return;
    }
    grpc_call_set_data(call, c);
    pump(c);
}

static void on_writable(struct grpc_call *call)
{
    struct watch_call *c = grpc_call_data(call);
    if (c) {
        pump(c);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct watch_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        call_free(c);
    }
}

const struct grpc_method watch_method = {
    .path = "/ackd.v1.Inspect/Watch",
    .input = &ackd__v1__watch_request__descriptor,
    .output = &ackd__v1__watch_event__descriptor,
    .server_streaming = true,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_end = on_end,
};
