/* A brief row has some fifteen of a connection's hundred fields. protobuf-c looks at all hundred
 * twice, once for the length and once for the bytes, and that was two fifths of what a listing
 * cost; so these are written here, in one pass. A test compares the bytes with protobuf-c's.
 *
 * The message takes them as an unknown field: protobuf-c writes such a field's tag and then its
 * bytes as they are, and to whoever reads the message it is the field of that number. The bytes
 * after the first row's bring their tags themselves. */
#include "rpc/brief.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, LENGTH_PREFIXED = 2 };
enum { ROWS = 1 }; /* ListResponse.connections, KillResponse.killed */

/* Connection, Endpoint and Owner in types.proto. */
enum {
    ID = 1,
    STATE = 2,
    LOCAL = 3,
    REMOTE = 4,
    LISTENER_ID = 5,
    LABEL = 6,
    OWNER = 7,
    CLOSE_REASON = 8,
    ERROR = 9,
    LIMIT_REASON = 10,
    SESSION_ID = 12,
    DETACHED = 13,
    SERVICE = 14,
    RECV_Q_BYTES = 20,
    SEND_Q_BYTES = 21,
    PASSIVE = 81,
};
enum { ADDRESS = 1, PORT = 2 };
enum { UID = 1, PID = 2, COMMAND = 3 };

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    while (v > 0x7f) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *put_tag(uint8_t *p, unsigned field, unsigned wire_type)
{
    return put_varint(p, field << 3 | wire_type);
}

static uint8_t *put_number(uint8_t *p, unsigned field, uint64_t v)
{
    return v ? put_varint(put_tag(p, field, VARINT), v) : p;
}

static uint8_t *put_text(uint8_t *p, unsigned field, const char *text)
{
    size_t length = strlen(text);
    if (length == 0) {
        return p;
    }
    p = put_varint(put_tag(p, field, LENGTH_PREFIXED), length);
    memcpy(p, text, length);
    return p + length;
}

/* The length of a message inside, which fits into one byte, is known when it was written. */
static uint8_t *end_inner(uint8_t *length, uint8_t *end)
{
    assert(end - length - 1 < 0x80);
    *length = (uint8_t)(end - length - 1);
    return end;
}

static uint8_t *put_endpoint(uint8_t *p, unsigned field, const Ackd__V1__Endpoint *e)
{
    uint8_t *length = put_tag(p, field, LENGTH_PREFIXED);
    return end_inner(length, put_number(put_text(length + 1, ADDRESS, e->address), PORT, e->port));
}

static uint8_t *put_owner(uint8_t *p, const Ackd__V1__Owner *o)
{
    if (!o) {
        return p;
    }
    uint8_t *length = put_tag(p, OWNER, LENGTH_PREFIXED);
    p = put_number(put_number(length + 1, UID, o->uid), PID, o->pid);
    return end_inner(length, put_text(p, COMMAND, o->command));
}

static uint8_t *put_row(uint8_t *p, const Ackd__V1__Connection *m)
{
    p = put_number(p, ID, m->id);
    p = put_number(p, STATE, (uint64_t)m->state);
    p = put_endpoint(p, LOCAL, m->local);
    p = put_endpoint(p, REMOTE, m->remote);
    p = put_number(p, LISTENER_ID, m->listener_id);
    p = put_text(p, LABEL, m->label);
    p = put_owner(p, m->owner);
    p = put_number(p, CLOSE_REASON, (uint64_t)m->close_reason);
    p = put_text(p, ERROR, m->error);
    p = put_number(p, LIMIT_REASON, (uint64_t)m->limit_reason);
    p = put_number(p, SESSION_ID, m->session_id);
    p = put_number(p, DETACHED, m->detached != 0);
    p = put_text(p, SERVICE, m->service);
    p = put_number(p, RECV_Q_BYTES, m->recv_q_bytes);
    p = put_number(p, SEND_Q_BYTES, m->send_q_bytes);
    return put_number(p, PASSIVE, m->passive != 0);
}

struct brief *brief_new(unsigned rows)
{
    struct brief *b = malloc(sizeof *b + (size_t)rows * BRIEF_MAX);
    if (b) {
        b->length = 0;
    }
    return b;
}

void brief_add(struct brief *b, const Ackd__V1__Connection *row)
{
    uint8_t bytes[BRIEF_MAX];
    size_t length = (size_t)(put_row(bytes, row) - bytes);
    uint8_t *p = b->bytes + b->length;
    if (b->length > 0) {
        p = put_tag(p, ROWS, LENGTH_PREFIXED);
    }
    p = put_varint(p, length);
    memcpy(p, bytes, length);
    b->length = (size_t)(p + length - b->bytes);
}

void brief_attach(struct brief *b, ProtobufCMessageUnknownField *field, ProtobufCMessage *message)
{
    *field = (ProtobufCMessageUnknownField){
        .tag = ROWS,
        .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
        .len = b->length,
        .data = b->bytes,
    };
    message->n_unknown_fields = b->length > 0;
    message->unknown_fields = field;
}
