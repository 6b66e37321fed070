/* A thousand rows take a millisecond to be written as text and packed, which is too long for one
 * callback. So each row is packed when it is made, and the message takes all of them as it takes
 * brief.c's: as an unknown field, whose bytes protobuf-c copies as they are. What a row is made of
 * was copied at the beginning; the answer shows the table as it was then. */
#include "rpc/rows.h"

#include <errno.h>
#include <stdlib.h>

enum { ROWS_TURN = 64, PREFIX_MAX = 11, TAG = 1 << 3 | 2 };

/* Room for one row more. */
static bool grow(struct rows *r, size_t size)
{
    if (r->capacity - r->length >= size) {
        return true;
    }
    size_t capacity = 2 * r->capacity + size;
    uint8_t *bytes = realloc(r->bytes, capacity);
    if (bytes) {
        r->bytes = bytes;
        r->capacity = capacity;
    }
    return bytes != NULL;
}

static bool put(struct rows *r, const ProtobufCMessage *row)
{
    size_t size = protobuf_c_message_get_packed_size(row);
    if (!grow(r, size + PREFIX_MAX)) {
        return false;
    }
    if (r->length) { /* the first one's tag is the field's */
        r->bytes[r->length++] = TAG;
    }
    for (size_t left = size;; left >>= 7) {
        r->bytes[r->length++] = (uint8_t)(left > 0x7f ? left | 0x80 : left);
        if (left <= 0x7f) {
            break;
        }
    }
    r->length += protobuf_c_message_pack(row, r->bytes + r->length);
    return true;
}

static void answer(struct rows *r)
{
    ProtobufCMessageUnknownField rows = {.tag = 1,
                                         .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                         .len = r->length,
                                         .data = r->bytes};
    ProtobufCMessage *m = malloc(r->output->sizeof_message);
    if (!m) {
        call_fail_errno(r->call, ENOMEM, "listing");
        return;
    }
    protobuf_c_message_init(r->output, m);
    m->n_unknown_fields = r->length > 0;
    m->unknown_fields = &rows;
    grpc_call_reply(r->call, m);
    free(m);
}

static void step(void *arg)
{
    struct rows *r = arg;
    for (unsigned i = 0; i < ROWS_TURN && r->next < r->n; i++) {
        if (!put(r, r->row(r, r->next++))) {
            call_fail_errno(r->call, ENOMEM, "listing");
            return;
        }
    }
    if (r->next < r->n) {
        loop_timer_at(r->turn, rpc_now(r->rpc));
    } else {
        answer(r);
    }
}

void rows_start(struct rows *r, struct grpc_call *call, unsigned n)
{
    r->rpc = grpc_call_arg(call);
    r->call = call;
    r->n = n;
    grpc_call_set_data(call, r);
    r->turn = loop_timer_new(r->rpc->config.loop, step, r);
    if (r->turn) {
        step(r);
    } else {
        call_fail_errno(call, ENOMEM, "listing");
    }
}

void rows_end(struct grpc_call *call, bool cancelled)
{
    struct rows *r = grpc_call_data(call);
    (void)cancelled;
    if (r) {
        if (r->turn) {
            loop_timer_free(r->turn);
        }
        free(r->bytes);
        free(r);
    }
}
