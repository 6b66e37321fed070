/* The nghttp2 session of a connection. nghttp2 does the frames, HPACK, the states of streams and
 * both directions' windows; what of a request is legal decides request.c, and how much of anything
 * a client may send, flood.c. The connection's window is given back when data arrive, the stream's
 * only by the call, so that a stalled call stalls itself alone. */
#include <errno.h>
#include <stdlib.h>
#include "rpc/transport/internal.h"

static void reset(struct connection *c, int32_t stream_id, uint32_t error)
{
    nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, stream_id, error);
}

void http2_offender(struct connection *c, const char *what)
{
    if (c->offender) {
        return;
    }
    c->offender = true;
    c->server->stats.protocol_errors++;
    if (c->server->log) {
        log_notice(c->server->log, "client %s (pid %d, uid %u) is disconnected: %s",
                   c->peer.command, (int)c->peer.pid, (unsigned)c->peer.uid, what);
    }
    nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static ackd_time now(const struct connection *c)
{
    return loop_now(c->server->loop);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user_data)
{
    struct connection *c = user_data;
    (void)session;
    c->data_left = hd->type == NGHTTP2_DATA ? hd->length : 0;
    if (!flood_frame(&c->flood, now(c), hd)) {
        http2_offender(c, "it floods us with empty frames, resets or header continuations");
    }
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct connection *c = user_data;
    (void)session;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0; /* trailers: nothing in them concerns us */
    }
    if (!c->request) {
        c->request = malloc(sizeof(*c->request));
        if (!c->request) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets this stream */
        }
    }
    request_init(c->request);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user_data)
{
    struct connection *c = user_data;
    (void)session;
    (void)flags;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && c->request) {
        request_header(c->request, name, name_length, value, value_length);
    }
    return 0;
}

/* An answer of HTTP to what is no gRPC. */
static void answer_http(struct connection *c, int32_t stream_id, const char *status)
{
    nghttp2_nv nv = {
        .name = (uint8_t *)":status", .namelen = 7, .value = (uint8_t *)status, .valuelen = 3};
    nghttp2_submit_response(c->session, stream_id, &nv, 1, NULL);
    c->server->stats.protocol_errors++;
}

/* All calls of a connection take turns (RFC 9218: incremental), whatever the client says of their
 * priorities: by itself one would wait until another has nothing more to send. */
static void share(struct connection *c, int32_t stream_id)
{
    nghttp2_extpri turns = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    nghttp2_session_change_extpri_stream_priority(c->session, stream_id, &turns, 1);
}

static void request_in(struct connection *c, int32_t stream_id)
{
    struct request *r = c->request;
    c->request = NULL;
    if (!r) {
        return;
    }
    request_end(r);
    if (r->fault == REQUEST_MALFORMED) {
        c->server->stats.protocol_errors++;
        reset(c, stream_id, NGHTTP2_PROTOCOL_ERROR);
    } else if (r->fault == REQUEST_OK && r->bad_method) {
        answer_http(c, stream_id, "405");
    } else if (r->fault == REQUEST_OK && r->bad_type) {
        answer_http(c, stream_id, "415");
    } else {
        share(c, stream_id);
        call_begin(c, stream_id, r);
    }
    free(r);
}

static struct grpc_call *call_of(struct connection *c, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(c->session, stream_id);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct connection *c = user_data;
    int32_t stream_id = frame->hd.stream_id;
    (void)session;
    if (frame->hd.type == NGHTTP2_SETTINGS) {
        list_remove(&c->greeting);
    }
    if (frame->hd.type == NGHTTP2_HEADERS) {
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            request_in(c, stream_id);
        } else if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            reset(c, stream_id, NGHTTP2_PROTOCOL_ERROR); /* RFC 9113 section 8.1: trailers end it */
        }
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        struct grpc_call *call = call_of(c, stream_id);
        if (call) {
            call_half_close(call);
        }
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t length, void *user_data)
{
    struct connection *c = user_data;
    struct grpc_call *call = call_of(c, stream_id);
    (void)flags;
    nghttp2_session_consume_connection(session, length);
    c->data_left -= length < c->data_left ? length : c->data_left;
    if (c->receiving && c->receiving != call) {
        call_settle(c->receiving);
    }
    c->receiving = call;
    if (call) {
        call_data(call, data, length);
    }
    return 0;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
                        size_t length, nghttp2_data_source *source, void *user_data)
{
    (void)session;
    (void)frame;
    (void)source;
    return out_data(user_data, header, length);
}

/* As long a DATA frame as both windows and the client's SETTINGS_MAX_FRAME_SIZE admit: large
 * messages in one piece each. */
static ssize_t on_read_length(nghttp2_session *session, uint8_t type, int32_t stream_id,
                              int32_t connection_window, int32_t stream_window, uint32_t max_frame,
                              void *user_data)
{
    (void)session;
    (void)type;
    (void)stream_id;
    (void)user_data;
    int32_t n = connection_window < stream_window ? connection_window : stream_window;
    n = n < FRAME_MAX ? n : FRAME_MAX;
    return n < (int32_t)max_frame ? n : (int32_t)max_frame;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error,
                           void *user_data)
{
    struct connection *c = user_data;
    struct grpc_call *call = call_of(c, stream_id);
    (void)error;
    if (call) {
        nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        call_end(call);
    }
    return 0;
}

/* The server's half of a stream has ended. */
static void response_sent(struct connection *c, int32_t stream_id)
{
    struct grpc_call *call = call_of(c, stream_id);
    if (call) {
        call_status_sent(call);
    }
    if (nghttp2_session_get_stream_remote_close(c->session, stream_id) == 0) {
        /* RFC 9113 section 8.1: the answer is complete, do not send the rest. */
        reset(c, stream_id, NGHTTP2_NO_ERROR);
    }
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct connection *c = user_data;
    (void)session;
    if (frame->hd.type == NGHTTP2_DATA && frame->hd.length > 0) {
        flood_useful(&c->flood);
    }
    if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        response_sent(c, frame->hd.stream_id);
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        frame->rst_stream.error_code != NGHTTP2_CANCEL && !flood_refused(&c->flood, now(c))) {
        http2_offender(c, "it goes on asking for what is refused");
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user_data)
{
    struct connection *c = user_data;
    (void)session;
    (void)frame;
    (void)error;
    c->server->stats.protocol_errors++;
    return 0;
}

int http2_setup(struct grpc_server *server)
{
    if (nghttp2_session_callbacks_new(&server->callbacks) < 0 ||
        nghttp2_option_new(&server->options) < 0) {
        return -ENOMEM;
    }
    nghttp2_session_callbacks *cb = server->callbacks;
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(cb, on_read_length);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
    nghttp2_option_set_no_http_messaging(server->options, 1);
    nghttp2_option_set_no_auto_window_update(server->options, 1);
    nghttp2_option_set_no_closed_streams(server->options, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(server->options, 512);
    return 0;
}

int http2_new(struct connection *c)
{
    const struct grpc_limits *limits = &c->server->limits;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, /* share() decides */
    };
    if (nghttp2_session_server_new2(&c->session, c->server->callbacks, c, c->server->options) < 0) {
        return -ENOMEM;
    }
    if (nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof(settings) / sizeof(settings[0])) < 0 ||
        nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)limits->connection_window) < 0) {
        return -ENOMEM;
    }
    return 0;
}
