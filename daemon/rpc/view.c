/* struct tcp_info to ackd.v1.Connection.
 *
 * The names are equal, so the mapping is a table of (name, offset, type) from TCP_INFO_FIELDS,
 * joined with protobuf-c's descriptor by name. A field in a oneof of its own may be absent: it is
 * left out when the engine does not know it (-1 for round-trip times, TIME_NEVER for instants). */
#include "rpc/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rpc/endpoint.h"
#include "rpc/options.h"
#include "rpc/session.h"

enum field_type { FIELD_U32, FIELD_U64, FIELD_I64, FIELD_BOOL };

#define TYPE_OF(type)                                                                              \
    _Generic((type)0, uint32_t                                                                     \
             : FIELD_U32, uint64_t                                                                 \
             : FIELD_U64, int64_t                                                                  \
             : FIELD_I64, bool                                                                     \
             : FIELD_BOOL)

#define X(type, name, ...) {#name, offsetof(struct tcp_info, name), TYPE_OF(type)},
static const struct {
    const char *name;
    size_t offset;
    enum field_type type;
} fields[] = {TCP_INFO_FIELDS(X)};
#undef X
enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static const ProtobufCFieldDescriptor *descriptor_of(const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(&ackd__v1__connection__descriptor, name);
}

const char *view_missing_field(void)
{
    static const ProtobufCType types[] = {[FIELD_U32] = PROTOBUF_C_TYPE_UINT32,
                                          [FIELD_U64] = PROTOBUF_C_TYPE_UINT64,
                                          [FIELD_I64] = PROTOBUF_C_TYPE_INT64,
                                          [FIELD_BOOL] = PROTOBUF_C_TYPE_BOOL};
    for (unsigned i = 0; i < N_FIELDS; i++) {
        const ProtobufCFieldDescriptor *d = descriptor_of(fields[i].name);
        if (!d || d->type != types[fields[i].type]) {
            return fields[i].name;
        }
    }
    return NULL;
}

const ProtobufCFieldDescriptor **view_fields_new(void)
{
    const ProtobufCFieldDescriptor **found = calloc(N_FIELDS, sizeof *found);
    for (unsigned i = 0; found && i < N_FIELDS; i++) {
        found[i] = descriptor_of(fields[i].name);
    }
    return found;
}

static void copy_field(Ackd__V1__Connection *m, const struct tcp_info *info,
                       const ProtobufCFieldDescriptor *d, unsigned i)
{
    const char *from = (const char *)info + fields[i].offset;
    char *to = (char *)m + d->offset;
    int64_t value;
    switch (fields[i].type) {
    case FIELD_U32:
        memcpy(to, from, sizeof(uint32_t));
        break;
    case FIELD_U64:
        memcpy(to, from, sizeof(uint64_t));
        break;
    case FIELD_BOOL: {
        protobuf_c_boolean flag = *(const bool *)from;
        memcpy(to, &flag, sizeof flag);
        break;
    }
    case FIELD_I64:
        memcpy(&value, from, sizeof value);
        if (d->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (value == -1 || value == INT64_MAX) {
                return;
            }
            memcpy((char *)m + d->quantifier_offset, &d->id, sizeof d->id);
        }
        memcpy(to, &value, sizeof value);
        break;
    }
}

Ackd__V1__State view_state(enum tcp_state state)
{
    return (Ackd__V1__State)(state + 1);
}

Ackd__V1__Endpoint *view_endpoint(struct view_endpoint *out, const struct ip_addr *addr,
                                  uint16_t port)
{
    ackd__v1__endpoint__init(&out->message);
    if (ip_addr_is_none(addr)) {
        out->text[0] = '\0';
    } else {
        ip_addr_format(addr, out->text);
    }
    out->message.address = out->text;
    out->message.port = port;
    return &out->message;
}

void view_header(Ackd__V1__Header *m, const uint8_t *bytes, uint8_t length)
{
    struct tcp_hdr h;
    ackd__v1__header__init(m);
    if (!tcp_hdr_parse(bytes, length, &h)) {
        return;
    }
    m->source_port = h.sport;
    m->destination_port = h.dport;
    m->sequence_number = h.seq.v;
    m->acknowledgment_number = h.ack.v;
    m->data_offset_words = h.header_len / 4;
    m->reserved_bits = h.reserved;
    m->flags_bits = h.flags;
    m->ae = (h.flags & TCP_AE) != 0;
    m->cwr = (h.flags & TCP_CWR) != 0;
    m->ece = (h.flags & TCP_ECE) != 0;
    m->urg = (h.flags & TCP_URG) != 0;
    m->ack = (h.flags & TCP_ACK) != 0;
    m->psh = (h.flags & TCP_PSH) != 0;
    m->rst = (h.flags & TCP_RST) != 0;
    m->syn = (h.flags & TCP_SYN) != 0;
    m->fin = (h.flags & TCP_FIN) != 0;
    m->window = h.window;
    m->checksum = h.checksum;
    m->urgent_pointer = h.urgent;
    m->options.data = (uint8_t *)bytes + TCP_HEADER_MIN;
    m->options.len = h.header_len - TCP_HEADER_MIN;
}

static void show_owner(struct view_row *row, const struct endpoint *e)
{
    Ackd__V1__Connection *m = &row->message;
    if (!e) {
        return;
    }
    ackd__v1__owner__init(&row->owner);
    row->owner.uid = (uint32_t)e->uid;
    row->owner.pid = (uint32_t)e->pid;
    row->owner.command = (char *)e->command;
    m->owner = &row->owner;
    m->label = (char *)e->label;
    m->session_id = e->session ? e->session->id : 0;
    m->detached = !e->past && !e->session;
}

static const char *service_of(const struct rpc *rpc, uint32_t owner, uint64_t cookie)
{
    const struct rpc_host *host = &rpc->config.host;
    const char *name =
        host->service_of && owner != RPC_OWNER ? host->service_of(host->arg, owner, cookie) : NULL;
    return name ? name : "";
}

static void show_identity(struct rpc *rpc, struct view_row *row, uint64_t id,
                          const struct tcp_tuple *tuple, uint32_t owner, uint64_t cookie)
{
    Ackd__V1__Connection *m = &row->message;
    ackd__v1__connection__init(m);
    m->id = id;
    m->local = view_endpoint(&row->local, &tuple->local, tuple->local_port);
    m->remote = view_endpoint(&row->remote, &tuple->remote, tuple->remote_port);
    m->service = (char *)service_of(rpc, owner, cookie);
    show_owner(row, endpoint_find(rpc, id));
}

static void show_limited(struct view_row *row, const struct tcp_info *info)
{
    Ackd__V1__Connection *m = &row->message;
    for (unsigned i = 1; i < TCP_LIMITS; i++) {
        if (info->limited_ns[i] > 0) {
            Ackd__V1__LimitedTime *l = &row->limited[m->n_limited];
            ackd__v1__limited_time__init(l);
            l->reason = (Ackd__V1__LimitReason)i;
            l->duration_ns = info->limited_ns[i];
            row->limited_list[m->n_limited++] = l;
        }
    }
    m->limited = row->limited_list;
}

static void show_congestion(struct tcp_engine *engine, struct view_row *row,
                            const struct tcp_info *info)
{
    Ackd__V1__Connection *m = &row->message;
    if (info->state == TCP_LISTEN || info->state == TCP_CLOSED) {
        return;
    }
    m->congestion = (Ackd__V1__Congestion)(info->congestion + 1);
    m->n_congestion_state = tcp_congestion_state(engine, info->id, row->congestion_field);
    for (size_t i = 0; i < m->n_congestion_state; i++) {
        const struct tcp_congestion_field *f = &row->congestion_field[i];
        Ackd__V1__CongestionField *to = row->congestion_list[i] = &row->congestion[i];
        ackd__v1__congestion_field__init(to);
        to->name = (char *)f->name;
        to->unit = (char *)(f->unit ? f->unit : "");
        to->word = (char *)(f->word ? f->word : "");
        to->value = f->value;
    }
    m->congestion_state = row->congestion_list;
}

static void show_full(struct rpc *rpc, struct view_row *row, const struct tcp_info *info)
{
    struct tcp_engine *engine = rpc->config.engine;
    Ackd__V1__Connection *m = &row->message;
    struct tcp_options options;
    for (unsigned i = 0; i < N_FIELDS; i++) {
        copy_field(m, info, rpc->info_fields[i], i);
    }
    m->auth_algorithm = (Ackd__V1__KeyAlgorithm)info->auth_algorithm;
    show_limited(row, info);
    show_congestion(engine, row, info);
    if (tcp_get_options(engine, info->id, &options) == 0) {
        ackd__v1__options__init(&row->options);
        options_show(&options, &row->options);
        m->options = &row->options;
    }
    if (tcp_last_headers(engine, info->id, &row->received, &row->sent) == 0) {
        if (row->received.known) {
            view_header(&row->received_message, row->received.header, row->received.header_len);
            row->received_message.checksum_partial = row->received.checksum_partial;
            m->last_received = &row->received_message;
        }
        if (row->sent.known) {
            view_header(&row->sent_message, row->sent.header, row->sent.header_len);
            row->sent_message.checksum_partial = row->sent.checksum_partial;
            m->last_sent = &row->sent_message;
        }
    }
}

Ackd__V1__Connection *view_connection(struct rpc *rpc, struct view_row *row,
                                      const struct tcp_info *info, bool full)
{
    Ackd__V1__Connection *m = &row->message;
    show_identity(rpc, row, info->id, &info->tuple, info->owner, info->cookie);
    m->state = view_state(info->state);
    m->listener_id = info->listener;
    m->close_reason = (Ackd__V1__CloseReason)info->close_reason;
    m->error = (char *)errno_name(info->error);
    m->limit_reason = (Ackd__V1__LimitReason)info->limit;
    if (full) {
        show_full(rpc, row, info);
    } else {
        m->recv_q_bytes = info->recv_q_bytes;
        m->send_q_bytes = info->send_q_bytes;
        m->passive = info->listener != 0;
    }
    return m;
}

Ackd__V1__Connection *view_closed(struct rpc *rpc, struct view_row *row, const struct tcp_closed *c)
{
    Ackd__V1__Connection *m = &row->message;
    show_identity(rpc, row, c->id, &c->tuple, c->owner, c->cookie);
    m->state = ACKD__V1__STATE__STATE_CLOSED;
    m->last_state = view_state(c->last_state);
    m->close_reason = (Ackd__V1__CloseReason)c->reason;
    m->error = (char *)errno_name(tcp_close_errno(c->reason));
    m->closed_ns_known_case = ACKD__V1__CONNECTION__CLOSED_NS_KNOWN_CLOSED_NS;
    m->closed_ns = c->closed.ns;
    m->created_ns = c->created.ns;
    m->bytes_sent = c->bytes_sent;
    m->bytes_received = c->bytes_received;
    m->retransmits = c->retransmits;
    return m;
}
