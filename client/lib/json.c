/* Protobuf's JSON mapping (protobuf.dev, "ProtoJSON format") for any message, driven by
 * protobuf-c's descriptors: 64-bit integers as strings, bytes as padded base64, enums by name (a
 * number when the name is not known), field names as in the .proto. Fields with default values are
 * left out, except those of a oneof, whose presence says something. No message of ackd uses floats,
 * groups or maps. */
#include "client/lib/convert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *at;
    size_t length, capacity;
    bool failed;
    bool pretty, defaults;
    int depth;
};

static bool grow(struct text *t, size_t capacity)
{
    if (t->failed || capacity <= t->capacity)
        return !t->failed;
    char *at = realloc(t->at, capacity * 2);
    if (!at) {
        t->failed = true;
        return false;
    }
    t->at = at;
    t->capacity = capacity * 2;
    return true;
}

static void put(struct text *t, const char *data, size_t length)
{
    if (!grow(t, t->length + length + 1))
        return;
    memcpy(t->at + t->length, data, length);
    t->length += length;
    t->at[t->length] = '\0';
}

static void puts_(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

static void __attribute__((format(printf, 2, 3))) putf(struct text *t, const char *format, ...)
{
    char buffer[64];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    puts_(t, buffer);
}

static void put_line(struct text *t)
{
    if (!t->pretty)
        return;
    puts_(t, "\n");
    for (int i = 0; i < t->depth; i++)
        puts_(t, "  ");
}

/* ---- values ---- */

/* Bytes of the UTF-8 character at `s`; 0 when it is none (RFC 3629: no overlong forms, no
 * surrogates). */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80   ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static void put_string(struct text *t, const char *string)
{
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    puts_(t, "\"");
    for (const unsigned char *s = (const unsigned char *)(string ? string : ""); *s;) {
        const char *escape = strchr(names, *s);
        size_t n = utf8_length(s);
        if (escape)
            putf(t, "\\%c", letters[escape - names]);
        else if (n == 0)
            puts_(t, "\xef\xbf\xbd"); /* U+FFFD for what is no character */
        else if (*s < 0x20)
            putf(t, "\\u%04x", *s);
        else
            put(t, (const char *)s, n);
        s += n ? n : 1;
    }
    puts_(t, "\"");
}

static void put_base64(struct text *t, const ProtobufCBinaryData *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    puts_(t, "\"");
    for (size_t i = 0; i < b->len; i += 3) {
        size_t n = b->len - i < 3 ? b->len - i : 3;
        uint32_t v = (uint32_t)b->data[i] << 16;
        v |= n > 1 ? (uint32_t)b->data[i + 1] << 8 : 0;
        v |= n > 2 ? b->data[i + 2] : 0;
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        put(t, four, sizeof four);
    }
    puts_(t, "\"");
}

static void put_message(struct text *t, const ProtobufCMessage *m);

static void put_enum(struct text *t, const ProtobufCEnumDescriptor *e, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(e, value);
    if (v)
        putf(t, "\"%s\"", v->name);
    else
        putf(t, "%d", value);
}

/* Bytes of one value in memory. */
static size_t value_size(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return 4;
    }
}

static void put_value(struct text *t, const ProtobufCFieldDescriptor *f, const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        putf(t, "\"%" PRId64 "\"", *(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        putf(t, "\"%" PRIu64 "\"", *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        putf(t, "%" PRIu32, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        puts_(t, *(const protobuf_c_boolean *)at ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(t, f->descriptor, *(const int *)at);
        break;
    case PROTOBUF_C_TYPE_STRING:
        put_string(t, *(char *const *)at);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_base64(t, at);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(t, *(ProtobufCMessage *const *)at);
        break;
    default:
        putf(t, "%" PRId32, *(const int32_t *)at);
        break;
    }
}

/* ---- messages ---- */

static bool is_default(const ProtobufCFieldDescriptor *f, const void *at)
{
    static const uint8_t zero[sizeof(uint64_t)];
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        return !*(char *const *)at || !**(char *const *)at;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return !*(ProtobufCMessage *const *)at;
    default:
        return memcmp(at, zero, value_size(f)) == 0;
    }
}

/* Whether a field is printed. */
static bool shown(const struct text *t, const ProtobufCMessage *m,
                  const ProtobufCFieldDescriptor *f)
{
    const uint8_t *base = (const uint8_t *)m;
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(base + f->quantifier_offset) == f->id;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(base + f->quantifier_offset) > 0 || t->defaults;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return !is_default(f, base + f->offset);
    return t->defaults || !is_default(f, base + f->offset);
}

static void put_list(struct text *t, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t count = *(const size_t *)((const uint8_t *)m + f->quantifier_offset);
    const uint8_t *values = *(const uint8_t *const *)((const uint8_t *)m + f->offset);
    puts_(t, "[");
    t->depth++;
    for (size_t i = 0; i < count; i++) {
        puts_(t, i ? "," : "");
        put_line(t);
        put_value(t, f, values + i * value_size(f));
    }
    t->depth--;
    if (count)
        put_line(t);
    puts_(t, "]");
}

static void put_message(struct text *t, const ProtobufCMessage *m)
{
    bool any = false;
    puts_(t, "{");
    t->depth++;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (!shown(t, m, f))
            continue;
        puts_(t, any ? "," : "");
        any = true;
        put_line(t);
        put_string(t, f->name);
        puts_(t, t->pretty ? ": " : ":");
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            put_list(t, m, f);
        else
            put_value(t, f, (const uint8_t *)m + f->offset);
    }
    t->depth--;
    if (any)
        put_line(t);
    puts_(t, "}");
}

static char *finish(struct text *t)
{
    if (t->failed) {
        free(t->at);
        return NULL;
    }
    return t->at;
}

char *ackd_json(const struct ackd_message *message, int style)
{
    struct text t = {.pretty = style & ACKD_JSON_PRETTY, .defaults = style & ACKD_JSON_DEFAULTS};
    if (!message)
        return NULL;
    put_message(&t, ackd_message_protobuf(message));
    return finish(&t);
}

char *ackd_json_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    struct text t = {0};
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        put_list(&t, message, field);
    else
        put_value(&t, field, (const uint8_t *)message + field->offset);
    return finish(&t);
}
