/* Tcp.Session.
 *
 * Stock gRPC clients drop idle HTTP/2 connections and make new ones, so a connection cannot own
 * anything; a stream can, because somebody must keep it open. When the client ends the stream the
 * session ends. When the stream breaks, a timer runs for the grace time, within which the token
 * (256 random bits) brings the session back.
 *
 * The end of a session ends its endpoints, a bounded number each turn of the loop: a connection
 * with bytes that were accepted and not yet acknowledged, or already closing, is released and
 * finishes in order (nothing that was accepted is lost); any other is reset, reason SESSION_ENDED.
 */
#include "rpc/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "rpc/endpoint.h"

enum { END_STEP = 64, NOTICED = TCP_READY_URGENT | TCP_READY_SOFT_ERROR | TCP_READY_CLOSED };

static struct session **bucket_of(const struct rpc *rpc, uint64_t id)
{
    return &rpc->sessions[id % SESSION_BUCKETS];
}

struct session *session_find(const struct rpc *rpc, uint64_t id)
{
    struct session *s = *bucket_of(rpc, id);
    while (s && s->id != id) {
        s = s->next_by_id;
    }
    return s;
}

struct session *session_of_call(struct rpc *rpc, struct grpc_call *call, uint64_t id)
{
    struct session *s = session_find(rpc, id);
    if (!s || s->ending) {
        call_fail_about(call, ENOENT, "SESSION_UNKNOWN", "field", "session_id",
                        "there is no session %llu", (unsigned long long)id);
        return NULL;
    }
    if (s->uid != grpc_call_peer(call)->uid) {
        call_fail(call, EPERM, "NOT_OWNER", "session %llu belongs to uid %u",
                  (unsigned long long)id, (unsigned)s->uid);
        return NULL;
    }
    return s;
}

static void session_free(struct session *s)
{
    struct rpc *rpc = s->rpc;
    struct session **at = bucket_of(rpc, s->id);
    while (*at && *at != s) {
        at = &(*at)->next_by_id;
    }
    if (*at) {
        *at = s->next_by_id;
    }
    list_remove(&s->link);
    rpc->n_sessions--;
    struct usage *usage = usage_of(rpc, s->uid);
    if (usage) {
        usage->sessions--;
        usage_put(usage);
    }
    loop_timer_free(s->timer);
    explicit_bzero(s->token, sizeof s->token);
    free(s);
}

/* Resets or releases one endpoint of a session that is over. */
static void end_endpoint(struct endpoint *e)
{
    struct tcp_engine *engine = e->rpc->config.engine;
    ackd_time now = rpc_now(e->rpc);
    struct tcp_info info;
    if (tcp_status(engine, now, e->id, false, &info) == 0) {
        bool listener = info.state == TCP_LISTEN;
        bool closing = info.state >= TCP_FIN_WAIT_1 && info.state != TCP_CLOSE_WAIT;
        if (!listener && !closing && info.send_q_bytes == 0) {
            tcp_abort(engine, now, e->id, TCP_CLOSE_SESSION_ENDED);
        }
    }
    endpoint_release(e);
}

static void end_step(struct session *s)
{
    for (unsigned n = 0; n < END_STEP; n++) {
        if (list_empty(&s->endpoints)) {
            log_debug(s->rpc->config.log, "session %llu (%s) ended", (unsigned long long)s->id,
                      s->name);
            session_free(s);
            return;
        }
        end_endpoint(container_of(s->endpoints.next, struct endpoint, of_session));
    }
    loop_timer_at(s->timer, rpc_now(s->rpc));
}

/* The grace time is over, or the next step of the end is due. */
static void session_timer(void *arg)
{
    struct session *s = arg;
    s->ending = true;
    end_step(s);
}

static void begin_end(struct session *s)
{
    s->ending = true;
    s->call = NULL;
    loop_timer_at(s->timer, rpc_now(s->rpc));
}

static bool make_token(char token[2 * TOKEN_BYTES + 1])
{
    uint8_t bytes[TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return false;
    }
    for (unsigned i = 0; i < TOKEN_BYTES; i++) {
        snprintf(token + (size_t)2 * i, 3, "%02x", bytes[i]);
    }
    explicit_bzero(bytes, sizeof bytes);
    return true;
}

/* Tells everything that waits to be told, as far as the stream has room. */
static void tell(struct session *s)
{
    while (s->call && !list_empty(&s->notices) && grpc_call_room(s->call) > 0) {
        struct endpoint *e = container_of(s->notices.next, struct endpoint, notices);
        unsigned bit = e->notice & -e->notice;
        struct tcp_info info = {0};
        tcp_status(s->rpc->config.engine, rpc_now(s->rpc), e->id, true, &info);
        Ackd__V1__EndpointNotice notice = ACKD__V1__ENDPOINT_NOTICE__INIT;
        notice.id = e->id;
        if (bit == TCP_READY_URGENT) {
            notice.kind = ACKD__V1__ENDPOINT_NOTICE__KIND__KIND_URGENT;
        } else if (bit == TCP_READY_SOFT_ERROR) {
            notice.kind = ACKD__V1__ENDPOINT_NOTICE__KIND__KIND_SOFT_ERROR;
            notice.error = (char *)errno_name((int)info.soft_error);
        } else {
            notice.kind = ACKD__V1__ENDPOINT_NOTICE__KIND__KIND_CLOSED;
            notice.error = (char *)errno_name(info.error);
            notice.close_reason = (Ackd__V1__CloseReason)info.close_reason;
        }
        Ackd__V1__SessionEvent event = ACKD__V1__SESSION_EVENT__INIT;
        event.session_id = s->id;
        event.notice = &notice;
        if (grpc_call_send(s->call, &event.base) < 0) {
            return;
        }
        e->notice &= ~bit;
        if (e->notice == 0) {
            list_remove(&e->notices);
        }
    }
}

void session_notice(struct endpoint *e, unsigned what)
{
    if (!e->session || (what & NOTICED) == 0) {
        return;
    }
    if (e->notice == 0) {
        list_append(&e->session->notices, &e->notices);
    }
    e->notice |= what & NOTICED;
    tell(e->session);
}

static struct session *session_new(struct rpc *rpc, struct grpc_call *call,
                                   const Ackd__V1__SessionRequest *m)
{
    uid_t uid = grpc_call_peer(call)->uid;
    struct usage *usage = usage_of(rpc, uid);
    if (!usage || usage->sessions >= rpc->config.limits.sessions_uid) {
        call_fail(call, EMFILE, "QUOTA", "the limit of %u sessions of one user is reached",
                  rpc->config.limits.sessions_uid);
        usage_put(usage);
        return NULL;
    }
    struct session *s = calloc(1, sizeof *s);
    if (!s || !make_token(s->token) ||
        !(s->timer = loop_timer_new(rpc->config.loop, session_timer, s))) {
        call_fail_errno(call, ENOMEM, "no record for the session");
        usage_put(usage);
        free(s);
        return NULL;
    }
    s->rpc = rpc;
    s->id = ++rpc->last_session;
    s->uid = uid;
    snprintf(s->name, sizeof s->name, "%s", m->name);
    s->next_by_id = *bucket_of(rpc, s->id);
    *bucket_of(rpc, s->id) = s;
    list_append(&rpc->all_sessions, &s->link);
    list_init(&s->endpoints);
    list_init(&s->notices);
    usage->sessions++;
    rpc->n_sessions++;
    return s;
}

/* Compares without telling by its time where the first difference is. */
static bool token_equal(const char *a, const char *b)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < (size_t)2 * TOKEN_BYTES; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
    }
    return difference == 0;
}

static struct session *session_reclaim(struct rpc *rpc, struct grpc_call *call, const char *token)
{
    if (strlen(token) == (size_t)2 * TOKEN_BYTES) {
        list_for_each(l, &rpc->all_sessions)
        {
            struct session *s = container_of(l, struct session, link);
            if (!s->ending && s->uid == grpc_call_peer(call)->uid && token_equal(s->token, token)) {
                return s;
            }
        }
    }
    call_fail_about(
        call, ENOENT, "SESSION_UNKNOWN", "field", "token",
        "no session has this token: its grace time is over, or it belongs to somebody else");
    return NULL;
}

/* The stream is now this call's; a call that still held it ends. */
static void attach(struct session *s, struct grpc_call *call)
{
    if (s->call) {
        struct grpc_call *old = s->call;
        s->call = NULL;
        grpc_call_set_data(old, NULL);
        call_fail(old, ECANCELED, "SESSION_RECLAIMED", "another stream reclaimed the session");
    }
    s->call = call;
    grpc_call_set_data(call, s);
    loop_timer_at(s->timer, TIME_NEVER);
}

static void greet(struct session *s, bool reclaimed)
{
    Ackd__V1__SessionEvent event = ACKD__V1__SESSION_EVENT__INIT;
    event.session_id = s->id;
    event.token = s->token;
    event.grace_ms = s->grace_ms;
    uint64_t *ids = reclaimed && s->n_endpoints ? calloc(s->n_endpoints, sizeof *ids) : NULL;
    if (ids) {
        list_for_each(l, &s->endpoints)
        {
            const struct endpoint *e = container_of(l, struct endpoint, of_session);
            if (e->id && event.n_endpoint_ids < s->n_endpoints) {
                ids[event.n_endpoint_ids++] = e->id;
            }
        }
        event.endpoint_ids = ids;
    }
    grpc_call_send(s->call, &event.base);
    free(ids);
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__SessionRequest *m = (const Ackd__V1__SessionRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    grpc_call_consumed(call, wire_bytes);
    if (grpc_call_data(call)) {
        return; /* later messages say nothing but that the client is there */
    }
    if (m->grace_ms > GRACE_MAX_MS) {
        call_fail_field(call, "grace_ms", "grace_ms: %u is more than %d", m->grace_ms,
                        GRACE_MAX_MS);
        return;
    }
    if (strlen(m->name) > SESSION_NAME_MAX) {
        call_fail_field(call, "name", "name: at most %d bytes", SESSION_NAME_MAX);
        return;
    }
    bool reclaimed = m->token[0] != '\0';
    struct session *s =
        reclaimed ? session_reclaim(rpc, call, m->token) : session_new(rpc, call, m);
    if (!s) {
        return;
    }
    s->grace_ms = m->grace_ms;
    attach(s, call);
    greet(s, reclaimed);
    tell(s);
}

static void on_half_close(struct grpc_call *call)
{
    struct session *s = grpc_call_data(call);
    if (s) {
        grpc_call_set_data(call, NULL);
        begin_end(s);
        grpc_call_finish(call);
    } else {
        call_fail(call, EINVAL, "FIRST_MESSAGE_MISSING",
                  "the first message has to come before the end of the stream");
    }
}

static void on_writable(struct grpc_call *call)
{
    struct session *s = grpc_call_data(call);
    if (s) {
        tell(s);
    }
}

static void on_end(struct grpc_call *call, bool cancelled)
{
    (void)cancelled;
    struct session *s = grpc_call_data(call);
    if (s) { /* the stream broke */
        s->call = NULL;
        loop_timer_at(s->timer, time_add(rpc_now(s->rpc), (int64_t)s->grace_ms * NS_PER_MS));
    }
}

void session_forget_all(struct rpc *rpc)
{
    list_for_each_safe(l, tmp, &rpc->all_sessions)
    {
        struct session *s = container_of(l, struct session, link);
        while (!list_empty(&s->endpoints)) {
            struct endpoint *e = container_of(s->endpoints.next, struct endpoint, of_session);
            list_remove(&e->of_session);
            list_remove(&e->notices);
            e->session = NULL;
        }
        session_free(s);
    }
}

const struct grpc_method session_method = {
    .path = "/ackd.v1.Tcp/Session",
    .input = &ackd__v1__session_request__descriptor,
    .output = &ackd__v1__session_event__descriptor,
    .client_streaming = true,
    .server_streaming = true,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_end = on_end,
};
