/* Every field of a connection and of its options reaches the plain struct, and options survive the
 * way there and back. The public header is checked against the schema: whoever adds a field or a
 * function, and forgets one of the lists, is told here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/lib/convert.h"

/* ---- copies ---- */

/* Fills every number of a message with its field's number, every oneof with its only member. */
static void fill(ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        uint8_t *at = (uint8_t *)m + f->offset;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            *(uint32_t *)((uint8_t *)m + f->quantifier_offset) = f->id;
        if (f->type == PROTOBUF_C_TYPE_BOOL)
            *(protobuf_c_boolean *)at = true;
        else if (f->type == PROTOBUF_C_TYPE_UINT32)
            *(uint32_t *)at = f->id;
        else if (f->type == PROTOBUF_C_TYPE_UINT64 || f->type == PROTOBUF_C_TYPE_INT64)
            *(uint64_t *)at = f->id;
        else if (f->type == PROTOBUF_C_TYPE_ENUM)
            *(int *)at = 1;
        else if (f->type == PROTOBUF_C_TYPE_STRING)
            *(char **)at = (char *)"text";
    }
}

static unsigned number(const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(&ackd__v1__connection__descriptor, name)
        ->id;
}

static void test_connection(void **state)
{
    (void)state;
    Ackd__V1__Connection m = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__Owner owner = ACKD__V1__OWNER__INIT;
    Ackd__V1__Header header = ACKD__V1__HEADER__INIT;
    struct ackd_connection c;
    fill(&m.base);
    fill(&owner.base);
    fill(&header.base);
    m.owner = &owner;
    m.last_sent = &header;
    connection_from(&c, &m);
    assert_ptr_equal(c.message, &m);
    assert_int_equal(c.id, 1);
    assert_int_equal(c.state, 1);
    assert_int_equal(c.last_state, 1);
    assert_int_equal(c.close_reason, 1);
    assert_int_equal(c.limit_reason, 1);
    assert_string_equal(c.label, "text");
    assert_string_equal(c.error, "text");
    assert_string_equal(c.service, "text");
    assert_string_equal(c.owner.command, "text");
    assert_int_equal(c.owner.pid, 2);
    assert_int_equal(c.cwnd_bytes, number("cwnd_bytes"));
    assert_true(c.has_srtt_ns);
    assert_int_equal(c.srtt_ns, number("srtt_ns"));
    assert_true(c.urgent_pending);
    assert_true(c.has_last_sent);
    assert_false(c.has_last_received);
    assert_int_equal(c.last_sent.window, 16);
    assert_int_equal(c.last_sent.urgent_pointer, 18);
    assert_false(c.has_options);

    ackd__v1__connection__init(&m);
    connection_from(&c, &m);
    assert_false(c.has_srtt_ns);
    assert_int_equal(c.srtt_ns, 0);
    connection_from(&c, NULL);
    assert_null(c.message);
}

static void test_options_round_trip(void **state)
{
    (void)state;
    Ackd__V1__Options in = ACKD__V1__OPTIONS__INIT, out;
    struct ackd_options plain;
    fill(&in.base);
    options_from(&plain, &in);
    options_to(&out, &plain);
    char *a = ackd_json((const struct ackd_message *)&in, 0),
         *b = ackd_json((const struct ackd_message *)&out, 0);
    assert_string_equal(a, b);
    assert_non_null(strstr(a, "\"dscp\":21"));
    free(a);
    free(b);
}

static void test_long_text(void **state)
{
    (void)state;
    char text[500];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    Ackd__V1__Connection m = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__Endpoint e = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Header h = ACKD__V1__HEADER__INIT;
    struct ackd_connection c;
    m.label = e.address = text;
    m.local = &e;
    m.last_sent = &h;
    h.options = (ProtobufCBinaryData){sizeof text, (uint8_t *)text};
    connection_from(&c, &m);
    assert_int_equal(strlen(c.label), sizeof c.label - 1);
    assert_int_equal(strlen(c.local.address), sizeof c.local.address - 1);
    assert_int_equal(c.last_sent.options_length, 40);
}

/* ---- the header against the schema ---- */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = text; (p = strstr(p, word)); p += n)
        if (!isalnum((unsigned char)p[n]) && p[n] != '_' &&
            (p == text || (!isalnum((unsigned char)p[-1]) && p[-1] != '_')))
            return true;
    return false;
}

static void test_fields_are_declared(void **state)
{
    (void)state;
    char *text = read_file(TYPES_FILE);
    const ProtobufCMessageDescriptor *types[] = {
        &ackd__v1__connection__descriptor, &ackd__v1__options__descriptor,
        &ackd__v1__header__descriptor, &ackd__v1__owner__descriptor};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned i = 0; i < types[t]->n_fields; i++)
            if (!has_word(text, types[t]->fields[i].name))
                fail_msg("%s.%s is missing in ackd_types.h and convert.c", types[t]->name,
                         types[t]->fields[i].name);
    free(text);
}

/* The shared library exports what the header declares. */
static void test_map(void **state)
{
    (void)state;
    char *header = read_file(HEADER_FILE), *map = read_file(MAP_FILE), name[80], entry[90];
    int declared = 0, exported = 0;
    for (const char *p = map; (p = strstr(p, "    ackd_")); p += 4)
        exported++;
    for (const char *p = header; (p = strstr(p, "ackd_")); p += strlen(name)) {
        assert_int_equal(sscanf(p, "%79[a-z0-9_]", name), 1);
        bool prototype = p[strlen(name)] == '(' && p > header && (p[-1] == ' ' || p[-1] == '*');
        const char *line = p;
        while (line > header && line[-1] != '\n')
            line--;
        if (!prototype || isspace((unsigned char)*line) || *line == '/' || *line == '*')
            continue;
        declared++;
        snprintf(entry, sizeof entry, "    %s;", name);
        if (!strstr(map, entry))
            fail_msg("%s is missing in libackd.map", name);
    }
    assert_int_equal(declared, exported);
    free(header);
    free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection), cmocka_unit_test(test_options_round_trip),
        cmocka_unit_test(test_long_text),  cmocka_unit_test(test_fields_are_declared),
        cmocka_unit_test(test_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
