/* The fields of a connection by name: made once from the descriptor of ackd.v1.Connection and the
 * comments of the .proto, so that a field added there shows everywhere without a table by hand.
 * Messages inside (endpoints, the owner, headers, options) are flattened by one level. A unit
 * stands in brackets at the end of a comment, or follows from the name. */
#include "client/lib/convert.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 256

/* Where a field is: in the connection itself, or in the message that `outer` points at. */
struct place {
    const ProtobufCFieldDescriptor *outer, *field;
};

static struct {
    struct ackd_field fields[FIELDS_MAX];
    struct place places[FIELDS_MAX];
    size_t count;
    char text[FIELDS_MAX * 160]; /* names, units and sentences that are not constants */
    size_t used;
} table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- making the table ---- */

static const char *keep(const char *a, const char *b, const char *c, size_t length)
{
    size_t need = strlen(a) + strlen(b) + length + 1;
    if (need > sizeof table.text - table.used)
        return "";
    char *at = table.text + table.used;
    snprintf(at, need, "%s%s%.*s", a, b, (int)length, c);
    table.used += need;
    return at;
}

static bool ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static const char *unit_of_name(const char *name)
{
    static const struct {
        const char *end, *unit;
    } units[] = {{"_bytes", "bytes"}, {"_ns", "ns"},     {"_ms", "ms"},     {"_us", "us"},
                 {"_words", "words"}, {"_wnd", "bytes"}, {"_bits", "bits"}, {"_number", "seq"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ends(name, units[i].end))
            return units[i].unit;
    return strncmp(name, "bytes_", 6) ? "" : "bytes";
}

static const char *type_name(const ProtobufCFieldDescriptor *f)
{
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return "message";
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return "uint32";
    case PROTOBUF_C_TYPE_UINT64:
        return "uint64";
    case PROTOBUF_C_TYPE_INT64:
        return "int64";
    case PROTOBUF_C_TYPE_BOOL:
        return "bool";
    case PROTOBUF_C_TYPE_STRING:
        return "string";
    case PROTOBUF_C_TYPE_BYTES:
        return "bytes";
    case PROTOBUF_C_TYPE_ENUM:
        return "enum";
    case PROTOBUF_C_TYPE_MESSAGE:
        return "message";
    default:
        return "int32";
    }
}

/* Splits "Initial send sequence number [seq]." into sentence and unit. */
static void describe(struct ackd_field *out, const char *doc, const char *name)
{
    const char *open = doc ? strrchr(doc, '[') : NULL, *close = open ? strchr(open, ']') : NULL;
    out->doc = doc ? doc : "";
    out->unit = unit_of_name(name);
    if (!close || close[1 + strspn(close + 1, ". ")] || open == doc)
        return;
    out->unit = keep("", "", open + 1, (size_t)(close - open - 1));
    size_t sentence = (size_t)(open - doc);
    while (sentence && doc[sentence - 1] == ' ')
        sentence--;
    out->doc = keep("", "", doc, sentence);
}

static void add(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *outer,
                const ProtobufCFieldDescriptor *f)
{
    if (table.count == FIELDS_MAX)
        return;
    struct ackd_field *out = &table.fields[table.count];
    table.places[table.count++] = (struct place){outer, f};
    out->name = outer ? keep(outer->name, ".", f->name, strlen(f->name)) : f->name;
    out->type = type_name(f);
    describe(out, ackd_proto_doc(type->name, f->name), f->name);
}

static void make_table(void)
{
    const ProtobufCMessageDescriptor *c = &ackd__v1__connection__descriptor;
    for (unsigned i = 0; i < c->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &c->fields[i];
        if (f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED) {
            add(c, NULL, f);
            continue;
        }
        const ProtobufCMessageDescriptor *inner = f->descriptor;
        for (unsigned j = 0; j < inner->n_fields; j++)
            add(inner, f, &inner->fields[j]);
    }
}

size_t ackd_field_count(void)
{
    pthread_once(&once, make_table);
    return table.count;
}

const struct ackd_field *ackd_field_at(size_t index)
{
    return index < ackd_field_count() ? &table.fields[index] : NULL;
}

int ackd_field_find(const char *name)
{
    static const char *const units[] = {"", "_bytes", "_ns", "_ms", "_bytes_per_s"};
    size_t count = ackd_field_count(), length = strlen(name);
    if (strcmp(name, "local") == 0)
        return (int)count;
    if (strcmp(name, "remote") == 0)
        return (int)count + 1;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (size_t i = 0; i < count; i++)
            if (strncmp(table.fields[i].name, name, length) == 0 &&
                strcmp(table.fields[i].name + length, units[u]) == 0)
                return (int)i;
    return -1;
}

/* ---- values ---- */

/* Without the prefix that the schema needs: it is what stands before zero's UNSPECIFIED. */
static int enum_text(const ProtobufCEnumDescriptor *e, int value, char *buffer, size_t size)
{
    if (value == 0)
        return -1;
    if (e == &ackd__v1__state__descriptor)
        return snprintf(buffer, size, "%s", ackd_state_name((enum ackd_state)value));
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(e, value);
    const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(e, 0);
    const char *unspecified = zero ? strstr(zero->name, "UNSPECIFIED") : NULL;
    size_t prefix = unspecified ? (size_t)(unspecified - zero->name) : 0;
    return v ? snprintf(buffer, size, "%s", v->name + prefix) : snprintf(buffer, size, "%d", value);
}

static int hex_text(const ProtobufCBinaryData *b, char *buffer, size_t size)
{
    for (size_t i = 0; i < b->len && 2 * i < size; i++)
        snprintf(buffer + 2 * i, size - 2 * i, "%02x", b->data[i]);
    return (int)(2 * b->len);
}

static int json_text(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, char *buffer,
                     size_t size)
{
    char *json = ackd_json_field(m, f);
    int n = json ? snprintf(buffer, size, "%s", json) : -1;
    free(json);
    return n;
}

static int value_text(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, char *buffer,
                      size_t size)
{
    const void *at = (const uint8_t *)m + f->offset;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return json_text(m, f, buffer, size);
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return snprintf(buffer, size, "%" PRIu32, *(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
        return snprintf(buffer, size, "%" PRIu64, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_INT64:
        return snprintf(buffer, size, "%" PRId64, *(const int64_t *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return snprintf(buffer, size, "%s", *(const protobuf_c_boolean *)at ? "true" : "false");
    case PROTOBUF_C_TYPE_ENUM:
        return enum_text(f->descriptor, *(const int *)at, buffer, size);
    case PROTOBUF_C_TYPE_STRING:
        return snprintf(buffer, size, "%s", *(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return hex_text(at, buffer, size);
    default:
        return json_text(m, f, buffer, size);
    }
}

static int endpoint_text(const Ackd__V1__Endpoint *e, char *buffer, size_t size)
{
    struct ackd_endpoint plain;
    endpoint_from(&plain, e);
    return e ? ackd_endpoint_format(&plain, buffer, size) : -1;
}

int ackd_field_value(const struct ackd_message *connection, int index, char *buffer, size_t size)
{
    const ProtobufCMessage *m = ackd_message_protobuf(connection);
    const Ackd__V1__Connection *c = (const Ackd__V1__Connection *)m;
    int count = (int)ackd_field_count();
    if (size)
        buffer[0] = '\0';
    if (!m || m->descriptor != &ackd__v1__connection__descriptor || index < 0 || index > count + 1)
        return -1;
    if (index >= count)
        return endpoint_text(index == count ? c->local : c->remote, buffer, size);
    const struct place *p = &table.places[index];
    if (p->outer)
        m = *(ProtobufCMessage *const *)((const uint8_t *)m + p->outer->offset);
    if (!m)
        return -1;
    if ((p->field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
        *(const uint32_t *)((const uint8_t *)m + p->field->quantifier_offset) != p->field->id)
        return -1;
    return value_text(m, p->field, buffer, size);
}
