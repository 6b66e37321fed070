/* Bytes as every request message of the schema, under limits from nothing to plenty. What unpacks
 * stays within its limit, holds UTF-8 only, packs again, and unpacks to the same from that; a
 * larger limit changes nothing else; a smaller one is only ever the reason to refuse. */
#include <string.h>
#include "../fuzz.h"
#include "ackd-proto.h"
#include "rpc/transport/internal.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &ackd__v1__tcp__descriptor,
    &ackd__v1__inspect__descriptor,
    &ackd__v1__daemon__descriptor,
    &ackd__v1__lab__descriptor,
    &grpc__reflection__v1__server_reflection__descriptor,
    &grpc__health__v1__health__descriptor,
};
enum { SERVICES = sizeof(services) / sizeof(services[0]), PLENTY = 1 << 20 };

/* How much a type wants to be number `n`. */
static uint32_t claim(const ProtobufCMessageDescriptor *type, uint8_t n)
{
    uint32_t hash = 2166136261u ^ n;
    for (const char *c = type->name; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    return (hash ^ hash >> 15) * 0x9e3779b1u;
}

/* The request of some method, or some types with strings and repeated fields. Who wants `n` most is
 * it, so that a method that is added takes a few numbers and leaves the corpus the others. */
static const ProtobufCMessageDescriptor *type_of(uint8_t n)
{
    static const ProtobufCMessageDescriptor *const more[] = {
        &google__rpc__status__descriptor,
        &google__protobuf__file_descriptor_set__descriptor,
        &ackd__v1__list_response__descriptor,
    };
    const ProtobufCMessageDescriptor *best = more[0];
    for (unsigned i = 1; i < sizeof(more) / sizeof(more[0]); i++) {
        best = claim(more[i], n) > claim(best, n) ? more[i] : best;
    }
    for (unsigned i = 0; i < SERVICES; i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++) {
            const ProtobufCMessageDescriptor *type = services[i]->methods[k].input;
            best = claim(type, n) > claim(best, n) ? type : best;
        }
    }
    return best;
}

/* By decoding: the shortest form of a scalar value is the only one. */
static bool is_utf8(const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    while (*s != 0) {
        unsigned more = *s < 0x80       ? 0
                        : *s >> 5 == 6  ? 1
                        : *s >> 4 == 14 ? 2
                        : *s >> 3 == 30 ? 3
                                        : 9;
        if (more == 9) {
            return false;
        }
        uint32_t code = more == 0 ? *s : *s & (0x3fu >> more);
        for (unsigned i = 1; i <= more; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (s[i] & 0x3f);
        }
        unsigned needed = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        if (needed != more || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        s += 1 + more;
    }
    return true;
}

static bool all_utf8(ProtobufCMessage *message);

static bool member_utf8(const ProtobufCFieldDescriptor *field, void *value)
{
    if (value == NULL) {
        return true;
    }
    return field->type == PROTOBUF_C_TYPE_STRING ? is_utf8(value) : all_utf8(value);
}

/* Also forgets the unknown fields: protobuf-c reads field number 0 when its tag is spelt in two
 * bytes, writes it in one, and then would not read it. */
static bool all_utf8(ProtobufCMessage *message)
{
    message->n_unknown_fields = 0;
    uint8_t *base = (uint8_t *)message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &message->descriptor->fields[i];
        if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
        bool chosen = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
                      *(const uint32_t *)(const void *)(base + f->quantifier_offset) == f->id;
        size_t n = repeated ? *(const size_t *)(const void *)(base + f->quantifier_offset) : chosen;
        void *const *values = (void *const *)(const void *)(base + f->offset);
        values = repeated && n > 0 ? (void *const *)*values : values;
        for (size_t k = 0; k < n; k++) {
            if (!member_utf8(f, values[k])) {
                return false;
            }
        }
    }
    return true;
}

/* The number of the message's first plain bytes field, 0 when it has none. */
static uint32_t bytes_field(const ProtobufCMessageDescriptor *type)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        if (f->type == PROTOBUF_C_TYPE_BYTES && f->label != PROTOBUF_C_LABEL_REPEATED &&
            !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
            return f->id;
        }
    }
    return 0;
}

struct packed {
    uint8_t *bytes;
    size_t length;
};

static struct packed pack(const ProtobufCMessage *message)
{
    struct packed p = {.length = protobuf_c_message_get_packed_size(message)};
    p.bytes = malloc(p.length + 1);
    FUZZ_CHECK(p.bytes != NULL && protobuf_c_message_pack(message, p.bytes) == p.length);
    return p;
}

static void check_again(const ProtobufCMessageDescriptor *type, const struct packed *p)
{
    struct unpacker u;
    const ProtobufCMessage *message;
    unpacker_init(&u, 16 * PLENTY);
    FUZZ_CHECK(unpack(&u, type, 0, p->bytes, p->length, &message) == UNPACKED_OK);
    struct packed again = pack(message);
    FUZZ_CHECK(again.length == p->length && memcmp(again.bytes, p->bytes, p->length) == 0);
    free(again.bytes);
    unpacker_free(&u);
}

static enum unpacked try(struct unpacker *u, const ProtobufCMessageDescriptor *type,
                         const uint8_t *data, size_t size, struct packed *p)
{
    const ProtobufCMessage *message;
    enum unpacked result = unpack(u, type, 0, data, size, &message);
    FUZZ_CHECK(u->used <= u->limit);
    *p = (struct packed){0};
    if (result == UNPACKED_OK || result == UNPACKED_NOT_UTF8) {
        FUZZ_CHECK(message->descriptor == type);
        FUZZ_CHECK(all_utf8((ProtobufCMessage *)message) == (result == UNPACKED_OK));
        *p = pack(message);
    } else {
        FUZZ_CHECK(message == NULL);
    }
    return result;
}

/* With a large value of its bytes field behind it, the message unpacks to the same whether the
 * value is copied or stays in place. */
static void check_in_place(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    const uint32_t field = bytes_field(type);
    const uint8_t header[] = {(uint8_t)(field << 3 | 2), 0x80, 0x80, 0x01};
    const size_t length = size + sizeof header + GRPC_IN_PLACE;
    struct packed p[2] = {{0}};
    struct unpacker u;
    const ProtobufCMessage *message;
    if (field == 0 || field > 15) {
        return;
    }
    uint8_t *wire = calloc(1, length);
    FUZZ_CHECK(wire != NULL);
    memcpy(wire, data, size);
    memcpy(wire + size, header, sizeof header);
    unpacker_init(&u, PLENTY);
    enum unpacked copied = unpack(&u, type, 0, wire, length, &message);
    p[0] = copied == UNPACKED_OK ? pack(message) : p[0];
    enum unpacked placed = unpack(&u, type, field, wire, length, &message);
    p[1] = placed == UNPACKED_OK ? pack(message) : p[1];
    FUZZ_CHECK(copied == placed && p[0].length == p[1].length);
    FUZZ_CHECK(p[0].length == 0 || memcmp(p[0].bytes, p[1].bytes, p[0].length) == 0);
    free(p[0].bytes);
    free(p[1].bytes);
    unpacker_free(&u);
    free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type = type_of(data[0]);
    struct unpacker small, large;
    struct packed a, b;
    unpacker_init(&small, (size_t)1 << data[1] % 18);
    unpacker_init(&large, PLENTY);
    enum unpacked tight = try(&small, type, data + 2, size - 2, &a);
    enum unpacked loose = try(&large, type, data + 2, size - 2, &b);
    FUZZ_CHECK(tight == loose || tight == UNPACKED_TOO_LARGE);
    if (a.bytes != NULL) {
        FUZZ_CHECK(a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0);
    }
    if (loose == UNPACKED_OK) {
        check_again(type, &b);
    }
    check_in_place(type, data + 2, size - 2);
    free(a.bytes);
    free(b.bytes);
    /* Nothing of a message stays for the next. */
    FUZZ_CHECK(try(&small, type, data + 2, 0, &a) == UNPACKED_OK || small.limit < 4096);
    free(a.bytes);
    unpacker_free(&small);
    unpacker_free(&large);
    return 0;
}
