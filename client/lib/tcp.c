/* The user calls of RFC 9293 section 3.9.1 that have one answer. */
#include "client/lib/convert.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Fills `out`; begins a session when one is wanted and there is none. 0 or -1. */
static int own(struct ackd *a, Ackd__V1__Ownership *out, const struct ackd_ownership *in,
               struct ackd_error *err)
{
    ackd__v1__ownership__init(out);
    out->label = STRING(in->label);
    if (in->kind == ACKD_OWN_DETACHED) {
        out->kind_case = ACKD__V1__OWNERSHIP__KIND_DETACHED_IDLE_TIMEOUT_MS;
        out->detached_idle_timeout_ms = in->idle_timeout_ms;
        return 0;
    }
    if (!a->session && ackd_session_begin(a, NULL, NULL, err) < 0)
        return -1;
    out->kind_case = ACKD__V1__OWNERSHIP__KIND_SESSION_ID;
    out->session_id = a->session_id;
    return 0;
}

/* The caller's id, or 128 random bits, so that no two requests are one by accident. */
static const char *request_id(const char *given, char fresh[33])
{
    if (given)
        return given;
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return "";
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(fresh + 2 * i, 3, "%02x", bytes[i]);
    return fresh;
}

int ackd_open(struct ackd *a, const struct ackd_open_request *request, struct ackd_open_result *out,
              struct ackd_error *err)
{
    char fresh[33];
    Ackd__V1__Endpoint remote, local;
    Ackd__V1__Options options;
    Ackd__V1__Ownership ownership;
    if (own(a, &ownership, &request->ownership, err) < 0)
        return -1;
    Ackd__V1__OpenRequest m = ACKD__V1__OPEN_REQUEST__INIT;
    m.request_id = STRING(request_id(request->request_id, fresh));
    endpoint_to(&remote, &request->remote);
    m.remote = &remote;
    endpoint_to(&local, &request->local);
    m.local = &local;
    if (request->options) {
        options_to(&options, request->options);
        m.options = &options;
    }
    m.ownership = &ownership;
    m.wait_ms = request->wait_ms;
    m.fast_open = request->fast_open;
    m.data = (ProtobufCBinaryData){request->length, (uint8_t *)(uintptr_t)request->data};
    const Ackd__V1__OpenResponse *r;
    if (CALL(a, Tcp, Open, &m, open, m.wait_ms, &r, err) < 0)
        return -1;
    *out = (struct ackd_open_result){
        .id = r->id, .state = (enum ackd_state)r->state, .accepted_until = r->accepted_until};
    endpoint_from(&out->local, r->local);
    endpoint_from(&out->remote, r->remote);
    return 0;
}

int ackd_listen(struct ackd *a, const struct ackd_listen_request *request,
                struct ackd_listen_result *out, struct ackd_error *err)
{
    char fresh[33];
    Ackd__V1__Endpoint local, remote;
    Ackd__V1__Options options;
    Ackd__V1__Ownership ownership;
    if (own(a, &ownership, &request->ownership, err) < 0)
        return -1;
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    m.request_id = STRING(request_id(request->request_id, fresh));
    endpoint_to(&local, &request->local);
    m.local = &local;
    if (request->remote.address[0] || request->remote.port) {
        endpoint_to(&remote, &request->remote);
        m.remote = &remote;
    }
    m.backlog = request->backlog;
    m.v6_only = request->v6_only;
    m.v4_only = request->v4_only;
    if (request->options) {
        options_to(&options, request->options);
        m.options = &options;
    }
    m.ownership = &ownership;
    const Ackd__V1__ListenResponse *r;
    if (CALL(a, Tcp, Listen, &m, listen, 0, &r, err) < 0)
        return -1;
    *out = (struct ackd_listen_result){.id = r->id};
    endpoint_from(&out->local, r->local);
    return 0;
}

int ackd_accept(struct ackd *a, const struct ackd_accept_request *request,
                struct ackd_accept_result *out, struct ackd_error *err)
{
    Ackd__V1__Ownership ownership;
    if (own(a, &ownership, &request->ownership, err) < 0)
        return -1;
    Ackd__V1__AcceptRequest m = ACKD__V1__ACCEPT_REQUEST__INIT;
    m.id = request->id;
    m.ownership = &ownership;
    m.wait_ms = request->wait_ms;
    const Ackd__V1__AcceptResponse *r;
    if (CALL(a, Tcp, Accept, &m, accept, m.wait_ms, &r, err) < 0)
        return -1;
    *out = (struct ackd_accept_result){.id = r->id};
    endpoint_from(&out->local, r->local);
    endpoint_from(&out->remote, r->remote);
    return 0;
}

int ackd_send(struct ackd *a, const struct ackd_send_request *request, struct ackd_send_result *out,
              struct ackd_error *err)
{
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    bool whole = request->length <= ACKD_SEND_MAX;
    m.id = request->id;
    m.offset = request->offset;
    m.data =
        (ProtobufCBinaryData){whole ? request->length : ACKD_SEND_MAX, (uint8_t *)request->data};
    m.push = request->push && whole;
    m.urgent = request->urgent;
    m.wait_ms = request->wait_ms;
    const Ackd__V1__SendResponse *r;
    if (CALL(a, Tcp, Send, &m, send, m.wait_ms, &r, err) < 0)
        return -1;
    *out = (struct ackd_send_result){r->accepted_until, r->acknowledged_until};
    return 0;
}

int ackd_receive(struct ackd *a, const struct ackd_receive_request *request,
                 struct ackd_receive_result *out, struct ackd_error *err)
{
    Ackd__V1__ReceiveRequest m = ACKD__V1__RECEIVE_REQUEST__INIT;
    m.id = request->id;
    m.from_offset = request->from_offset;
    m.max_bytes = request->max_bytes;
    m.min_bytes = request->min_bytes;
    m.wait_ms = request->wait_ms;
    const Ackd__V1__ReceiveResponse *r;
    if (CALL(a, Tcp, Receive, &m, receive, m.wait_ms, &r, err) < 0)
        return -1;
    *out = (struct ackd_receive_result){
        .offset = r->offset,
        .data = r->data.data,
        .length = r->data.len,
        .end_of_stream = r->end_of_stream,
        .has_urgent_mark =
            r->urgent_known_case == ACKD__V1__RECEIVE_RESPONSE__URGENT_KNOWN_URGENT_MARK,
    };
    out->urgent_mark = out->has_urgent_mark ? r->urgent_mark : 0;
    return 0;
}

int ackd_close(struct ackd *a, uint64_t id, enum ackd_close_how how, uint32_t wait_ms,
               enum ackd_state *state, struct ackd_error *err)
{
    Ackd__V1__CloseRequest m = ACKD__V1__CLOSE_REQUEST__INIT;
    m.id = id;
    m.how = (Ackd__V1__CloseRequest__How)how;
    m.wait_ms = wait_ms;
    const Ackd__V1__CloseResponse *r;
    if (CALL(a, Tcp, Close, &m, close, wait_ms, &r, err) < 0)
        return -1;
    if (state)
        *state = (enum ackd_state)r->state;
    return 0;
}

int ackd_abort(struct ackd *a, uint64_t id, struct ackd_error *err)
{
    Ackd__V1__AbortRequest m = ACKD__V1__ABORT_REQUEST__INIT;
    m.id = id;
    return CALL(a, Tcp, Abort, &m, abort, 0, NULL, err);
}

int ackd_set_options(struct ackd *a, uint64_t id, const struct ackd_options *options,
                     const char *label, struct ackd_options *out, struct ackd_error *err)
{
    Ackd__V1__Options o;
    Ackd__V1__SetOptionsRequest m = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    m.id = id;
    if (options) {
        options_to(&o, options);
        m.options = &o;
    }
    if (label) {
        m.label_known_case = ACKD__V1__SET_OPTIONS_REQUEST__LABEL_KNOWN_LABEL;
        m.label = STRING(label);
    }
    const Ackd__V1__SetOptionsResponse *r;
    if (CALL(a, Tcp, SetOptions, &m, set_options, 0, &r, err) < 0)
        return -1;
    if (out)
        options_from(out, r->options);
    return 0;
}

int ackd_status(struct ackd *a, uint64_t id, struct ackd_status_result *out, struct ackd_error *err)
{
    Ackd__V1__StatusRequest m = ACKD__V1__STATUS_REQUEST__INIT;
    m.id = id;
    const Ackd__V1__StatusResponse *r;
    if (CALL(a, Tcp, Status, &m, status, 0, &r, err) < 0)
        return -1;
    connection_from(&out->connection, r->connection);
    out->send_offset = r->send_offset;
    out->receive_offset = r->receive_offset;
    return 0;
}
