/* Inspect.Capture: frames as a pcapng file that grows.
 *
 * Who may not see a connection's payload gets its headers only: the packet block then says fewer
 * bytes kept than there were, as with any short snap length. */
#include "rpc/filter.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SNAP_DEFAULT = 262144,
    SNAP_MAX = 262144,
    SNAP_MIN = 64,
    MESSAGE = 65536,  /* begin no further packet in a message beyond this */
    FRAMES_TURN = 64, /* frames looked at in one turn of the loop */
};

struct capture_call {
    struct rpc *rpc;
    struct grpc_call *call;
    struct loop_timer *turn;
    struct observe_capture *capture;
    struct filter filter;
    uint32_t snap;
    uint64_t packet_limit, packets, lost;
    bool all_frames, admin, counted, over;
    uid_t uid;
};

static enum tcp_state state_of(const struct rpc *rpc, const struct observe_record *r)
{
    struct tcp_info info;
    if (r->known) {
        return r->event.state;
    }
    return tcp_status(rpc->config.engine, rpc_now(rpc), r->id, false, &info) == 0 ? info.state
                                                                                  : TCP_CLOSED;
}

static bool wanted(const struct capture_call *c, const struct observe_record *r)
{
    if (r->id == 0) {
        return c->all_frames;
    }
    enum tcp_state state = state_of(c->rpc, r);
    const struct filter_subject subject = {r->id, r->known ? r->event.listener : 0, state, state,
                                           &r->tuple};
    return filter_match(c->rpc, &c->filter, &subject);
}

static uint32_t snap_of(const struct capture_call *c, const struct observe_record *r)
{
    uid_t uid;
    bool own = r->id && endpoint_uid(c->rpc, r->id, r->known ? r->event.listener : 0, &uid) &&
               uid == c->uid;
    return c->admin || own || r->header_bytes > c->snap ? c->snap : r->header_bytes;
}

static void tell(struct capture_call *c, size_t length)
{
    Ackd__V1__CaptureResponse m = ACKD__V1__CAPTURE_RESPONSE__INIT;
    m.data.data = c->rpc->scratch;
    m.data.len = length;
    m.lost_packets = c->lost;
    grpc_call_send(c->call, &m.base);
}

/* One message of packets. True when there may be more. */
static bool step(struct capture_call *c)
{
    const struct observe_record *r;
    size_t length = 0;
    uint64_t lost;
    bool more = true;
    for (unsigned n = 0; more && n < FRAMES_TURN && length < MESSAGE; n++) {
        more = observe_capture_next(c->capture, &r, &lost);
        c->lost += lost;
        if (more && wanted(c, r)) {
            int64_t wall = r->wall_ns ? r->wall_ns : loop_wall_ns(c->rpc->config.loop, r->at);
            length += pcapng_packet(c->rpc->scratch + length, r, wall, snap_of(c, r));
            c->packets++;
            c->over = c->packets == c->packet_limit;
            more = !c->over;
        }
    }
    if (length > 0) {
        tell(c, length);
    }
    return more;
}

static void pump(struct capture_call *c)
{
    if (c->over || grpc_call_room(c->call) == 0) {
        return; /* on_writable() goes on */
    }
    bool more = step(c);
    if (c->over) {
        grpc_call_finish(c->call);
    } else if (more) {
        loop_timer_at(c->turn, rpc_now(c->rpc));
    }
}

static void capture_turn(void *arg)
{
    pump(arg);
}

static void on_news(void *arg)
{
    struct capture_call *c = arg;
    loop_timer_at(
        c->turn,
        rpc_now(c->rpc)); /* after the cycle, when the events have told what the frames are */
}

static void call_free(struct capture_call *c)
{
    observe_capture_free(c->capture);
    filter_clear(&c->filter);
    if (c->turn) {
        loop_timer_free(c->turn);
    }
    if (c->counted) {
        watch_quota_return(c->rpc, c->uid);
    }
    free(c);
}

static int begin(struct capture_call *c, const Ackd__V1__CaptureRequest *m, const char **field)
{
    int error = filter_read(&c->filter, m->filter, field);
    if (error < 0) {
        return error;
    }
    c->turn = loop_timer_new(c->rpc->config.loop, capture_turn, c);
    c->capture = c->turn ? observe_capture_new(c->rpc->config.observe, c->snap, on_news, c) : NULL;
    return c->capture ? 0 : -ENOMEM;
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__CaptureRequest *m = (const Ackd__V1__CaptureRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    const struct grpc_peer *peer = grpc_call_peer(call);
    const char *field = NULL;
    (void)wire_bytes;
    if (m->snap_length_bytes > SNAP_MAX ||
        (m->snap_length_bytes && m->snap_length_bytes < SNAP_MIN)) {
        call_fail_field(call, "snap_length_bytes", "snap_length_bytes: %u is not in %d..%d",
                        m->snap_length_bytes, SNAP_MIN, SNAP_MAX);
        return;
    }
    if (!watch_quota_take(rpc, call)) {
        return;
    }
    struct capture_call *c = calloc(1, sizeof *c);
    if (!c) {
        watch_quota_return(rpc, peer->uid);
        call_fail_errno(call, ENOMEM, "capture");
        return;
    }
    c->rpc = rpc;
    c->call = call;
    c->snap = m->snap_length_bytes ? m->snap_length_bytes : SNAP_DEFAULT;
    c->packet_limit = m->packet_limit;
    c->all_frames = m->all_frames;
    c->uid = peer->uid;
    c->admin = peer_role(&rpc->config.policy, peer) == RPC_ROLE_ADMIN;
    c->counted = true;
    int error = begin(c, m, &field);
    if (error < 0) {
        filter_fail(call, error, field);
        call_free(c);
        return;
    }
    grpc_call_set_data(call, c);
    tell(c, pcapng_header(rpc->scratch, "ackd", rpc->config.link, c->snap));
}

static void on_writable(struct grpc_call *call)
{
    struct capture_call *c = grpc_call_data(call);
    if (c) {
        pump(c);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    struct capture_call *c = grpc_call_data(call);
    (void)cancelled;
    if (c) {
        call_free(c);
    }
}

const struct grpc_method capture_method = {
    .path = "/ackd.v1.Inspect/Capture",
    .input = &ackd__v1__capture_request__descriptor,
    .output = &ackd__v1__capture_response__descriptor,
    .server_streaming = true,
    .on_message = on_message,
    .on_writable = on_writable,
    .on_end = on_end,
};
