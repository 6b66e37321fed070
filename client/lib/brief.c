/* Brief rows of a listing, read by hand. protobuf-c makes seven blocks of memory of a row, and
 * connection_from() copies all hundred fields of a connection; a brief row has some fifteen, and of
 * a million rows that is most of what a listing costs. What is no brief field is passed over. A
 * test compares the rows with connection_from()'s. */
#include "client/lib/brief.h"

#include <string.h>

/* ListResponse, Connection, Endpoint and Owner in inspect.proto and types.proto. */
enum { CONNECTIONS = 1, INSTANCE_ID = 2 };
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

/* What is too long for its array is cut, as everywhere in this library. */
static void text_into(char *out, size_t size, struct reader r)
{
    size_t length = (size_t)(r.end - r.at);
    length = length < size ? length : size - 1;
    if (length)
        memcpy(out, r.at, length);
    out[length] = 0;
}
#define TEXT_INTO(array, r) text_into((array), sizeof(array), (r))

static bool endpoint_into(struct ackd_endpoint *out, struct reader r)
{
    uint64_t tag, value;
    struct reader inner;
    bool broken = false;
    while (read_field(&r, &tag, &value, &inner, &broken)) {
        if (tag == TAG(ADDRESS, BYTES))
            TEXT_INTO(out->address, inner);
        else if (tag == TAG(PORT, VARINT))
            out->port = (uint16_t)value;
    }
    return !broken;
}

static bool owner_into(struct ackd_owner *out, struct reader r)
{
    uint64_t tag, value;
    struct reader inner;
    bool broken = false;
    while (read_field(&r, &tag, &value, &inner, &broken)) {
        if (tag == TAG(UID, VARINT))
            out->uid = (uint32_t)value;
        else if (tag == TAG(PID, VARINT))
            out->pid = (uint32_t)value;
        else if (tag == TAG(COMMAND, BYTES))
            TEXT_INTO(out->command, inner);
    }
    return !broken;
}

/* The fields that a brief row may leave out. */
static void clear(struct ackd_connection *out)
{
    out->message = NULL;
    out->id = out->listener_id = out->session_id = 0;
    out->state = ACKD_STATE_UNSPECIFIED;
    out->local.address[0] = out->remote.address[0] = 0;
    out->local.port = out->remote.port = 0;
    out->label[0] = out->error[0] = out->service[0] = 0;
    out->owner.uid = out->owner.pid = 0;
    out->owner.command[0] = 0;
    out->close_reason = 0;
    out->limit_reason = 0;
    out->detached = out->passive = false;
    out->recv_q_bytes = out->send_q_bytes = 0;
}

bool brief_row(struct reader r, struct ackd_connection *out)
{
    uint64_t tag, value;
    struct reader inner;
    bool broken = false;
    clear(out);
    while (read_field(&r, &tag, &value, &inner, &broken)) {
        switch (tag) {
        case TAG(ID, VARINT):
            out->id = value;
            break;
        case TAG(STATE, VARINT):
            out->state = (enum ackd_state)value;
            break;
        case TAG(LOCAL, BYTES):
            broken |= !endpoint_into(&out->local, inner);
            break;
        case TAG(REMOTE, BYTES):
            broken |= !endpoint_into(&out->remote, inner);
            break;
        case TAG(LISTENER_ID, VARINT):
            out->listener_id = value;
            break;
        case TAG(LABEL, BYTES):
            TEXT_INTO(out->label, inner);
            break;
        case TAG(OWNER, BYTES):
            broken |= !owner_into(&out->owner, inner);
            break;
        case TAG(CLOSE_REASON, VARINT):
            out->close_reason = (enum ackd_close_reason)value;
            break;
        case TAG(ERROR, BYTES):
            TEXT_INTO(out->error, inner);
            break;
        case TAG(LIMIT_REASON, VARINT):
            out->limit_reason = (enum ackd_limit_reason)value;
            break;
        case TAG(SESSION_ID, VARINT):
            out->session_id = value;
            break;
        case TAG(DETACHED, VARINT):
            out->detached = value != 0;
            break;
        case TAG(SERVICE, BYTES):
            TEXT_INTO(out->service, inner);
            break;
        case TAG(RECV_Q_BYTES, VARINT):
            out->recv_q_bytes = (uint32_t)value;
            break;
        case TAG(SEND_Q_BYTES, VARINT):
            out->send_q_bytes = (uint32_t)value;
            break;
        case TAG(PASSIVE, VARINT):
            out->passive = value != 0;
            break;
        }
    }
    return !broken;
}

enum brief_next brief_next(struct reader *rows, struct reader *row, char instance_id[64])
{
    uint64_t tag, value;
    struct reader inner;
    bool broken = false;
    while (read_field(rows, &tag, &value, &inner, &broken)) {
        if (tag == TAG(CONNECTIONS, BYTES)) {
            *row = inner;
            return BRIEF_ROW;
        }
        if (tag == TAG(INSTANCE_ID, BYTES) && value)
            text_into(instance_id, 64, inner);
    }
    return broken ? BRIEF_BROKEN : BRIEF_END;
}
