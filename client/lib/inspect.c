/* The netstat of it: list, get, watch, why, counters, capture, kill. */
#include "client/lib/brief.h"
#include "client/lib/convert.h"

#include <errno.h>
#include <stdlib.h>

/* ---- list ---- */

struct ackd_list {
    struct ackd_iterator *it;
    const Ackd__V1__ListResponse *rows; /* of the message at hand */
    size_t next;
    struct reader bytes; /* the same, for brief rows: what is left of the message */
    char instance_id[64];
};

struct ackd_list *ackd_list(struct ackd *a, const struct ackd_list_request *request,
                            struct ackd_error *err)
{
    struct ackd_list *l = calloc(1, sizeof *l);
    Ackd__V1__Filter *filter = filter_to(request->filter);
    if (l && filter) {
        Ackd__V1__ListRequest m = ACKD__V1__LIST_REQUEST__INIT;
        m.filter = filter;
        m.view = (Ackd__V1__View)request->view;
        m.limit = request->limit;
        m.page_after_id = request->page_after_id;
        m.closed = request->closed;
        l->it = ackd_call_streamed(a, "/ackd.v1.Inspect/List", &m.base,
                                   &ackd__v1__list_response__descriptor, err);
    } else {
        error_no_memory(err);
    }
    filter_to_free(filter);
    if (l && l->it)
        return l;
    free(l);
    return NULL;
}

enum ackd_next ackd_list_next(struct ackd_list *l, struct ackd_connection *out, int timeout_ms,
                              struct ackd_error *err)
{
    while (!l->rows || l->next == l->rows->n_connections) {
        const ProtobufCMessage *m = NULL;
        l->rows = NULL;
        enum ackd_next r = ackd_iterator_next(l->it, &m, timeout_ms, err);
        if (r != ACKD_ITEM)
            return r;
        l->rows = (const Ackd__V1__ListResponse *)m;
        l->next = 0;
        if (l->rows->instance_id[0])
            TEXT(l->instance_id, l->rows->instance_id);
    }
    connection_from(out, l->rows->connections[l->next++]);
    return ACKD_ITEM;
}

static int malformed(struct ackd_list *l, struct ackd_error *err)
{
    ackd_iterator_malformed(l->it);
    return error_set(err, ACKD_INTERNAL, EPROTO, "MALFORMED_ANSWER",
                     "the daemon's listing cannot be read");
}

enum ackd_next ackd_list_next_brief(struct ackd_list *l, struct ackd_connection *out,
                                    int timeout_ms, struct ackd_error *err)
{
    struct reader row;
    const uint8_t *data;
    size_t length;
    for (;;) {
        switch (brief_next(&l->bytes, &row, l->instance_id)) {
        case BRIEF_ROW:
            return brief_row(row, out) ? ACKD_ITEM : (enum ackd_next)malformed(l, err);
        case BRIEF_BROKEN:
            return (enum ackd_next)malformed(l, err);
        case BRIEF_END:
            break;
        }
        enum ackd_next r = ackd_iterator_next_bytes(l->it, &data, &length, timeout_ms, err);
        if (r != ACKD_ITEM)
            return r;
        l->bytes = (struct reader){data, data + length};
    }
}

const char *ackd_list_instance_id(const struct ackd_list *l)
{
    return l->instance_id;
}

void ackd_list_free(struct ackd_list *l)
{
    if (!l)
        return;
    ackd_iterator_free(l->it);
    free(l);
}

/* ---- watch ---- */

struct ackd_watch {
    struct ackd_iterator *it;
};

struct ackd_watch *ackd_watch(struct ackd *a, const struct ackd_watch_request *request,
                              struct ackd_error *err)
{
    struct ackd_watch *w = calloc(1, sizeof *w);
    Ackd__V1__Filter *filter = filter_to(request->filter);
    if (w && filter) {
        Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
        m.filter = filter;
        m.initial_snapshot = request->initial_snapshot;
        m.after_event = request->after_event;
        m.instance_id = STRING(request->instance_id);
        m.segments = request->segments;
        m.payload_bytes = request->payload_bytes;
        w->it = ackd_call_streamed(a, "/ackd.v1.Inspect/Watch", &m.base,
                                   &ackd__v1__watch_event__descriptor, err);
    } else {
        error_no_memory(err);
    }
    filter_to_free(filter);
    if (w && w->it)
        return w;
    free(w);
    return NULL;
}

static void state_from(struct ackd_state_change *out, const Ackd__V1__StateChange *in)
{
    out->id = in->id;
    endpoint_from(&out->local, in->local);
    endpoint_from(&out->remote, in->remote);
    out->old_state = (enum ackd_state)in->old_state;
    out->new_state = (enum ackd_state)in->new_state;
    out->close_reason = (enum ackd_close_reason)in->close_reason;
    out->listener_id = in->listener_id;
    TEXT(out->label, in->label);
}

static void segment_from(struct ackd_segment *out, const Ackd__V1__SegmentEvent *in)
{
    *out = (struct ackd_segment){
        .id = in->id,
        .direction = (enum ackd_direction)in->direction,
        .payload_length_bytes = in->payload_length_bytes,
        .gso_size_bytes = in->gso_size_bytes,
        .payload = in->payload.data,
        .payload_shown = in->payload.len,
        .state_after = (enum ackd_state)in->state_after,
        .send_kind = (enum ackd_send_kind)in->send_kind,
        .drop_reason = (enum ackd_drop_reason)in->drop_reason,
        .reset_reason = (enum ackd_reset_sent_reason)in->reset_reason,
        .scaled_window_bytes = in->scaled_window_bytes,
        .acked_sequence_number = in->acked_sequence_number,
        .acked_length = in->acked_length,
        .iss = in->iss,
        .irs = in->irs,
        .cwnd_bytes = in->cwnd_bytes,
        .bytes_in_flight = in->bytes_in_flight,
    };
    endpoint_from(&out->local, in->local);
    endpoint_from(&out->remote, in->remote);
    header_from(&out->header, in->header);
}

static void event_from(struct ackd_event *out, const Ackd__V1__WatchEvent *in)
{
    *out = (struct ackd_event){
        .sequence = in->sequence,
        .event_id = in->event_id,
        .time_ns = in->time_ns,
        .wall_time_ns = in->wall_time_ns,
        .kind = (enum ackd_event_kind)in->event_case,
        .message = (const struct ackd_message *)in,
    };
    TEXT(out->instance_id, in->instance_id);
    switch (out->kind) {
    case ACKD_EVENT_SNAPSHOT_ROW:
        connection_from(&out->snapshot_row, in->snapshot_row);
        break;
    case ACKD_EVENT_STATE:
        state_from(&out->state, in->state);
        break;
    case ACKD_EVENT_SEGMENT:
        segment_from(&out->segment, in->segment);
        break;
    case ACKD_EVENT_LOST:
        out->lost_count = in->lost->count;
        break;
    case ACKD_EVENT_SYNCED:
    case ACKD_EVENT_UNKNOWN:
        break;
    }
}

enum ackd_next ackd_watch_next(struct ackd_watch *w, struct ackd_event *out, int timeout_ms,
                               struct ackd_error *err)
{
    const ProtobufCMessage *m = NULL;
    enum ackd_next r = ackd_iterator_next(w->it, &m, timeout_ms, err);
    if (r == ACKD_ITEM)
        event_from(out, (const Ackd__V1__WatchEvent *)m);
    return r;
}

void ackd_watch_free(struct ackd_watch *w)
{
    if (!w)
        return;
    ackd_iterator_free(w->it);
    free(w);
}

/* ---- capture ---- */

struct ackd_capture {
    struct ackd_iterator *it;
};

struct ackd_capture *ackd_capture(struct ackd *a, const struct ackd_capture_request *request,
                                  struct ackd_error *err)
{
    struct ackd_capture *c = calloc(1, sizeof *c);
    Ackd__V1__Filter *filter = filter_to(request->filter);
    if (c && filter) {
        Ackd__V1__CaptureRequest m = ACKD__V1__CAPTURE_REQUEST__INIT;
        m.filter = filter;
        m.snap_length_bytes = request->snap_length_bytes;
        m.packet_limit = request->packet_limit;
        m.all_frames = request->all_frames;
        c->it = ackd_call_streamed(a, "/ackd.v1.Inspect/Capture", &m.base,
                                   &ackd__v1__capture_response__descriptor, err);
    } else {
        error_no_memory(err);
    }
    filter_to_free(filter);
    if (c && c->it)
        return c;
    free(c);
    return NULL;
}

enum ackd_next ackd_capture_next(struct ackd_capture *c, const void **data, size_t *length,
                                 uint64_t *lost_packets, int timeout_ms, struct ackd_error *err)
{
    const ProtobufCMessage *m = NULL;
    enum ackd_next r = ackd_iterator_next(c->it, &m, timeout_ms, err);
    if (r != ACKD_ITEM)
        return r;
    const Ackd__V1__CaptureResponse *p = (const Ackd__V1__CaptureResponse *)m;
    *data = p->data.data;
    *length = p->data.len;
    if (lost_packets)
        *lost_packets = p->lost_packets;
    return ACKD_ITEM;
}

void ackd_capture_free(struct ackd_capture *c)
{
    if (!c)
        return;
    ackd_iterator_free(c->it);
    free(c);
}

/* ---- one answer ---- */

int ackd_get(struct ackd *a, uint64_t id, struct ackd_connection *out, struct ackd_error *err)
{
    Ackd__V1__GetRequest m = ACKD__V1__GET_REQUEST__INIT;
    m.id = id;
    const Ackd__V1__GetResponse *r;
    if (CALL(a, Inspect, Get, &m, get, 0, &r, err) < 0)
        return -1;
    connection_from(out, r->connection);
    return 0;
}

int ackd_why(struct ackd *a, uint64_t id, struct ackd_why *out, struct ackd_error *err)
{
    Ackd__V1__WhyRequest m = ACKD__V1__WHY_REQUEST__INIT;
    m.id = id;
    const Ackd__V1__WhyResponse *r;
    if (CALL(a, Inspect, Why, &m, why, 0, &r, err) < 0)
        return -1;
    *out = (struct ackd_why){
        .id = r->id,
        .state = (enum ackd_state)r->state,
        .limit_reason = (enum ackd_limit_reason)r->limit_reason,
        .has_next_change = r->next_change_known_case != 0,
    };
    out->next_change_in_ns = out->has_next_change ? r->next_change_in_ns : 0;
    TEXT(out->sentence, r->sentence);
    TEXT(out->receive_sentence, r->receive_sentence);
    out->limited_count = limited_from(out->limited, r->limited, r->n_limited);
    connection_from(&out->connection, r->connection);
    return 0;
}

int ackd_counters(struct ackd *a, const char *prefix, struct ackd_counters *out,
                  struct ackd_error *err)
{
    Ackd__V1__CountersRequest m = ACKD__V1__COUNTERS_REQUEST__INIT;
    m.prefix = STRING(prefix);
    const Ackd__V1__CountersResponse *r;
    if (CALL(a, Inspect, Counters, &m, counters, 0, &r, err) < 0)
        return -1;
    struct ackd_counter *list = scratch(a, r->n_counters, sizeof *list);
    if (!list)
        return error_no_memory(err);
    for (size_t i = 0; i < r->n_counters; i++) {
        const Ackd__V1__Counter *c = r->counters[i];
        list[i] = (struct ackd_counter){c->name, c->value, c->unit, c->meaning, c->gauge};
    }
    *out = (struct ackd_counters){list, r->n_counters, r->instance_id, r->time_ns};
    return 0;
}

int ackd_kill(struct ackd *a, const struct ackd_filter *filter, struct ackd_killed *out,
              struct ackd_error *err)
{
    Ackd__V1__Filter *f = filter_to(filter);
    if (!f)
        return error_no_memory(err);
    Ackd__V1__KillRequest m = ACKD__V1__KILL_REQUEST__INIT;
    m.filter = f;
    const Ackd__V1__KillResponse *r;
    int failed = CALL(a, Inspect, Kill, &m, kill, 0, &r, err);
    filter_to_free(f);
    if (failed)
        return -1;
    *out = (struct ackd_killed){r->n_killed, r->not_permitted};
    return 0;
}

int ackd_killed_at(struct ackd *a, size_t index, struct ackd_connection *out)
{
    const Ackd__V1__KillResponse *r = (const Ackd__V1__KillResponse *)a->reply;
    if (!r || r->base.descriptor != &ackd__v1__kill_response__descriptor || index >= r->n_killed)
        return -1;
    connection_from(out, r->killed[index]);
    return 0;
}
