/* The session that owns this connection's endpoints: a two-way call that stays open in the
 * background. Nothing has to be done for it; its notices wait, bounded by the stream's window,
 * until somebody asks. */
#include "client/lib/convert.h"

#include <errno.h>
#include <stdlib.h>

static Ackd__V1__SessionEvent *next_event(struct ackd *a, struct ackd_error *err)
{
    struct message *m = call_take(a->session);
    if (a->session_event)
        protobuf_c_message_free_unpacked(a->session_event, NULL);
    a->session_event = message_unpack(m, &ackd__v1__session_event__descriptor, NULL, err);
    message_free(m);
    return (Ackd__V1__SessionEvent *)a->session_event;
}

static void forget(struct ackd *a)
{
    call_free(a->session);
    a->session = NULL;
    a->session_id = 0;
}

static void session_from(struct ackd_session *out, const Ackd__V1__SessionEvent *e)
{
    *out = (struct ackd_session){.session_id = e->session_id, .grace_ms = e->grace_ms};
    TEXT(out->token, e->token);
    for (size_t i = 0; i < e->n_endpoint_ids && i < ACKD_SESSION_ENDPOINTS_MAX; i++)
        out->endpoint_ids[out->endpoint_count++] = e->endpoint_ids[i];
}

/* The first event names the session. */
static int first_event(struct ackd *a, struct ackd_session *out, struct ackd_error *err)
{
    switch (call_wait(a->session, a->timeout_ms ? time_after(a->timeout_ms) : TIME_NEVER, err)) {
    case ACKD_ITEM:
        break;
    case ACKD_AGAIN:
        return error_set(err, ACKD_DEADLINE_EXCEEDED, ETIMEDOUT, "DEADLINE",
                         "the daemon did not answer in time");
    case ACKD_END:
        return error_set(err, ACKD_INTERNAL, EPROTO, "MALFORMED_ANSWER",
                         "the session ended before it began");
    default:
        return -1;
    }
    const Ackd__V1__SessionEvent *e = next_event(a, err);
    if (!e)
        return -1;
    a->session_id = e->session_id;
    if (out)
        session_from(out, e);
    return 0;
}

int ackd_session_begin(struct ackd *a, const struct ackd_session_request *request,
                       struct ackd_session *out, struct ackd_error *err)
{
    static const struct ackd_session_request defaults;
    if (a->session)
        return error_set(err, ACKD_FAILED_PRECONDITION, EALREADY, "SESSION_EXISTS",
                         "this connection has a session already");
    request = request ? request : &defaults;
    Ackd__V1__SessionRequest m = ACKD__V1__SESSION_REQUEST__INIT;
    m.token = STRING(request->token);
    m.grace_ms = request->grace_ms;
    m.name = STRING(request->name);
    a->session = call_start(a, "/ackd.v1.Tcp/Session", &m.base, false, 0, a, err);
    if (!a->session)
        return -1;
    if (first_event(a, out, err) == 0)
        return 0;
    forget(a);
    return -1;
}

uint64_t ackd_session_id(const struct ackd *a)
{
    return a->session_id;
}

enum ackd_next ackd_session_next(struct ackd *a, struct ackd_notice *out, int timeout_ms,
                                 struct ackd_error *err)
{
    if (!a->session)
        return ACKD_END;
    int64_t deadline = time_after(timeout_ms);
    for (;;) {
        enum ackd_next r = call_wait(a->session, deadline, err);
        if (r != ACKD_ITEM)
            return r;
        const Ackd__V1__SessionEvent *e = next_event(a, err);
        if (!e)
            return ACKD_FAILED;
        if (!e->notice)
            continue;
        *out = (struct ackd_notice){
            .id = e->notice->id,
            .kind = (enum ackd_notice_kind)e->notice->kind,
            .close_reason = (enum ackd_close_reason)e->notice->close_reason,
            .message = (const struct ackd_message *)e,
        };
        TEXT(out->error, e->notice->error);
        return ACKD_ITEM;
    }
}

int ackd_session_end(struct ackd *a, struct ackd_error *err)
{
    if (!a->session)
        return 0;
    a->session->half_close = true;
    call_resume(a->session);
    int64_t deadline = a->timeout_ms ? time_after(a->timeout_ms) : TIME_NEVER;
    enum ackd_next r;
    while ((r = call_wait(a->session, deadline, err)) == ACKD_ITEM)
        message_free(call_take(a->session));
    if (r == ACKD_AGAIN)
        error_set(err, ACKD_DEADLINE_EXCEEDED, ETIMEDOUT, "DEADLINE",
                  "the daemon did not end the session in time");
    forget(a);
    return r == ACKD_END ? 0 : -1;
}
