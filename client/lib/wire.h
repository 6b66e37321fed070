/* Protobuf's wire format, as far as it is read by hand where unpacking a whole message would cost
 * too much: payload that would be copied, listings of a million rows. */
#ifndef ACKD_LIB_WIRE_H
#define ACKD_LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Wire types; a tag is the field's number << 3 | its type. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
#define TAG(field, type) ((field) << 3 | (type))

/* The bytes of a message that are left to read. */
struct reader {
    const uint8_t *at, *end;
};

static inline bool read_varint(struct reader *r, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

/* The value of a field: a number, or for BYTES the length, with r->at at the first. */
static inline bool read_value(struct reader *r, unsigned type, uint64_t *out)
{
    size_t left = (size_t)(r->end - r->at), skip = type == FIXED64 ? 8 : 4;
    *out = 0;
    switch (type) {
    case VARINT:
        return read_varint(r, out);
    case BYTES:
        return read_varint(r, out) && *out <= (uint64_t)(r->end - r->at);
    case FIXED64:
    case FIXED32:
        if (left < skip)
            return false;
        r->at += skip;
        return true;
    default:
        return false;
    }
}

/* The next field; of BYTES, `inner` are the bytes, and they are behind r->at. False at the end, and
 * with *broken where the message is malformed. */
static inline bool read_field(struct reader *r, uint64_t *tag, uint64_t *value,
                              struct reader *inner, bool *broken)
{
    *inner = (struct reader){r->end, r->end};
    if (r->at == r->end)
        return false;
    if (!read_varint(r, tag) || !read_value(r, *tag & 7, value)) {
        *broken = true;
        return false;
    }
    if ((*tag & 7) == BYTES) {
        *inner = (struct reader){r->at, r->at + *value};
        r->at += *value;
    }
    return true;
}

#endif
