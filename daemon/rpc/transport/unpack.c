/* Messages out of untrusted bytes. A limit on the bytes of a message is none on the memory it
 * unpacks to: an empty submessage takes two bytes on the wire and a hundred in memory. So
 * protobuf-c allocates here from chunks that are freed all at once, up to a limit a message; its
 * free() is nothing. The first chunk is kept: usual messages cost no malloc.
 *
 * Depth needs no bound of its own: protobuf-c recurses by the message type, and no type of our
 * schema contains itself.
 *
 * The data of a large message are not copied: their field is cut out of it, the rest is unpacked,
 * and the field points to where they lie.
 *
 * Strings of proto3 are UTF-8, which protobuf-c does not check. We must: other clients refuse the
 * whole answer in which they would read a broken string that one client gave us. */
#include <stdlib.h>
#include <string.h>
#include "rpc/transport/internal.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { FIRST_CHUNK = 16 * 1024, ALIGNMENT = 16 };

struct unpack_chunk {
    struct unpack_chunk *older;
    size_t size;
    _Alignas(ALIGNMENT) uint8_t bytes[];
};

void unpacker_init(struct unpacker *u, size_t limit)
{
    *u = (struct unpacker){.limit = limit};
}

/* Frees the chunks of the last message but for `keep`, the oldest. */
static void drop_chunks(struct unpacker *u, bool keep)
{
    while (u->chunks && !(keep && !u->chunks->older)) {
        struct unpack_chunk *older = u->chunks->older;
        free(u->chunks);
        u->chunks = older;
    }
    u->at = u->used = 0;
    u->exhausted = false;
}

void unpacker_free(struct unpacker *u)
{
    drop_chunks(u, false);
}

static bool add_chunk(struct unpacker *u, size_t need)
{
    size_t size = u->chunks ? u->chunks->size * 2 : FIRST_CHUNK;
    size = size > u->limit && u->chunks ? u->limit : size;
    size = size < need ? need : size;
    struct unpack_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk) {
        return false;
    }
    chunk->size = size;
    chunk->older = u->chunks;
    u->chunks = chunk;
    u->at = 0;
    return true;
}

static void *bounded_alloc(void *data, size_t size)
{
    struct unpacker *u = data;
    if (size > u->limit - u->used) {
        u->exhausted = true;
        return NULL;
    }
    /* A size near SIZE_MAX never gets here: the limit is far below. */
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((!u->chunks || u->chunks->size - u->at < rounded) && !add_chunk(u, rounded)) {
        u->exhausted = true;
        return NULL;
    }
    void *block = u->chunks->bytes + u->at;
    u->at += rounded;
    u->used += size;
    return block;
}

static void bounded_free(void *data, void *block)
{
    (void)data;
    (void)block;
}

/* Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool valid_utf8(const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    while (*s) {
        if (*s < 0x80) {
            s++;
            continue;
        }
        unsigned more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
        uint8_t low = *s == 0xe0 ? 0xa0 : *s == 0xf0 ? 0x90 : 0x80;
        uint8_t high = *s == 0xed ? 0x9f : *s == 0xf4 ? 0x8f : 0xbf;
        if (*s < 0xc2 || *s > 0xf4 || s[1] < low || s[1] > high) {
            return false;
        }
        for (unsigned i = 2; i <= more; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return false;
            }
        }
        s += 1 + more;
    }
    return true;
}

static bool strings_valid(const ProtobufCMessage *message);

static bool value_valid(const ProtobufCFieldDescriptor *field, const void *member)
{
    const void *value;
    memcpy(&value, member, sizeof(value));
    if (!value) {
        return true;
    }
    return field->type == PROTOBUF_C_TYPE_STRING ? valid_utf8(value) : strings_valid(value);
}

static bool field_valid(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t which;
        memcpy(&which, base + field->quantifier_offset, sizeof(which));
        return which != field->id || value_valid(field, base + field->offset);
    }
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return value_valid(field, base + field->offset);
    }
    size_t count;
    void *const *values;
    memcpy(&count, base + field->quantifier_offset, sizeof(count));
    memcpy(&values, base + field->offset, sizeof(values));
    for (size_t i = 0; i < count; i++) {
        if (!value_valid(field, &values[i])) {
            return false;
        }
    }
    return true;
}

static bool strings_valid(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if ((field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) &&
            !field_valid(message, field)) {
            return false;
        }
    }
    return true;
}

/* ---- in place ---- */

/* One field of a message as it lies on the wire. */
struct wire_field {
    const uint8_t *from, *value, *to; /* its tag, what follows tag and length, its end */
    uint32_t number;
    unsigned type;
};

/* False where a varint does not end within its ten bytes. */
static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

/* The field at `at`; false when it is broken or of a type that proto3 does not have. */
static bool read_field(const uint8_t *at, const uint8_t *end, struct wire_field *f)
{
    uint64_t tag, size = 0;
    f->from = at;
    if (!read_varint(&at, end, &tag)) {
        return false;
    }
    f->number = (uint32_t)(tag >> 3);
    f->type = tag & 7;
    switch (f->type) {
    case WIRE_VARINT:
        f->value = at;
        f->to = at;
        return read_varint(&f->to, end, &size);
    case WIRE_64:
    case WIRE_32:
        size = f->type == WIRE_64 ? 8 : 4;
        break;
    case WIRE_BYTES:
        if (!read_varint(&at, end, &size)) {
            return false;
        }
        break;
    default:
        return false;
    }
    if (size > (uint64_t)(end - at)) {
        return false;
    }
    f->value = at;
    f->to = at + size;
    return true;
}

/* The one field `number` of the message, when its value is large. */
static bool find_large(const uint8_t *data, size_t length, uint32_t number,
                       struct wire_field *found)
{
    const uint8_t *end = data + length;
    struct wire_field f;
    bool any = false;
    for (const uint8_t *at = data; at < end; at = f.to) {
        if (!read_field(at, end, &f)) {
            return false;
        }
        if (f.number == number) {
            if (any || f.type != WIRE_BYTES || f.to - f.value < GRPC_IN_PLACE) {
                return false;
            }
            any = true;
            *found = f;
        }
    }
    return any;
}

/* Unpacks what stands before and behind the field, and lets its member point to the value. */
static ProtobufCMessage *unpack_around(ProtobufCAllocator *allocator,
                                       const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                       size_t length, const struct wire_field *f)
{
    size_t before = (size_t)(f->from - data), behind = (size_t)(data + length - f->to);
    uint8_t *rest = bounded_alloc(allocator->allocator_data, before + behind);
    if (!rest) {
        return NULL;
    }
    memcpy(rest, data, before);
    memcpy(rest + before, f->to, behind);
    ProtobufCMessage *m = protobuf_c_message_unpack(type, allocator, before + behind, rest);
    if (m) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, f->number);
        const ProtobufCBinaryData value = {(size_t)(f->to - f->value), (uint8_t *)f->value};
        memcpy((uint8_t *)m + field->offset, &value, sizeof(value));
    }
    return m;
}

enum unpacked unpack(struct unpacker *u, const ProtobufCMessageDescriptor *type, uint32_t in_place,
                     const uint8_t *data, size_t length, const ProtobufCMessage **message)
{
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, u};
    struct wire_field f;
    drop_chunks(u, true);
    if (in_place && length >= GRPC_IN_PLACE && find_large(data, length, in_place, &f)) {
        *message = unpack_around(&allocator, type, data, length, &f);
    } else {
        *message = protobuf_c_message_unpack(type, &allocator, length, data);
    }
    if (!*message) {
        return u->exhausted ? UNPACKED_TOO_LARGE : UNPACKED_MALFORMED;
    }
    return strings_valid(*message) ? UNPACKED_OK : UNPACKED_NOT_UTF8;
}
