/* unpack.c: the limit, the memory that is kept, UTF-8 in every place a string can be. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "rpc/transport/internal.h"

static enum unpacked unpack_status(struct unpacker *u, const uint8_t *data, size_t length)
{
    const ProtobufCMessage *message;
    return unpack(u, &google__rpc__status__descriptor, 0, data, length, &message);
}

/* `count` empty details: two bytes each on the wire, sixty and more in memory. */
static uint8_t *details(size_t count)
{
    uint8_t *data = calloc(count, 2);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        data[2 * i] = 0x1a;
    }
    return data;
}

static void test_limit(void **state)
{
    struct unpacker u;
    uint8_t *data = details(100000);
    (void)state;
    unpacker_init(&u, 1 << 20);
    assert_int_equal(unpack_status(&u, data, 2 * 1000), UNPACKED_OK);
    assert_true(u.used > 60 * 1000);
    assert_int_equal(unpack_status(&u, data, 2 * 100000), UNPACKED_TOO_LARGE);
    assert_true(u.used <= 1 << 20);
    /* The next one is not charged for the last. */
    assert_int_equal(unpack_status(&u, data, 2 * 1000), UNPACKED_OK);
    unpacker_free(&u);
    free(data);
}

/* However large a message was, the next small one finds one chunk. */
static void test_memory_goes_back(void **state)
{
    struct unpacker u;
    uint8_t *data = details(50000);
    const ProtobufCMessage *message;
    (void)state;
    unpacker_init(&u, 64 << 20);
    assert_int_equal(unpack_status(&u, data, 2 * 50000), UNPACKED_OK);
    assert_int_equal(unpack_status(&u, data, 2), UNPACKED_OK);
    assert_true(u.used < 1024);
    assert_int_equal(unpack(&u, &google__rpc__status__descriptor, 0, data, 4, &message),
                     UNPACKED_OK);
    assert_int_equal(((const Google__Rpc__Status *)message)->n_details, 2);
    unpacker_free(&u);
    free(data);
}

static void test_malformed(void **state)
{
    static const uint8_t cut[] = {0x12, 0x05, 'a'};
    struct unpacker u;
    (void)state;
    unpacker_init(&u, 1 << 20);
    assert_int_equal(unpack_status(&u, cut, sizeof(cut)), UNPACKED_MALFORMED);
    unpacker_free(&u);
}

static enum unpacked unpack_message(const char *text)
{
    struct unpacker u;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    uint8_t data[64];
    unpacker_init(&u, 1 << 20);
    status.message = (char *)text;
    enum unpacked result = unpack_status(&u, data, google__rpc__status__pack(&status, data));
    unpacker_free(&u);
    return result;
}

static void test_utf8(void **state)
{
    static const char *const right[] = {"",
                                        "abc",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "a\xe2\x82\xacz"};
    static const char *const wrong[] = {"\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xe2\x82",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf5\x80\x80\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xff",
                                        "\xe2\x82\x41",
                                        "\xf0\x90\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(unpack_message(right[i]), UNPACKED_OK);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(unpack_message(wrong[i]), UNPACKED_NOT_UTF8);
    }
}

static enum unpacked unpack_as(const ProtobufCMessageDescriptor *type, const void *data,
                               size_t length)
{
    const ProtobufCMessage *message;
    struct unpacker u;
    unpacker_init(&u, 1 << 20);
    enum unpacked result = unpack(&u, type, 0, data, length, &message);
    unpacker_free(&u);
    return result;
}

/* A string in a message in a list, in a oneof, and bytes, which may be anything. */
static void test_utf8_in_depth(void **state)
{
    static const char in_list[] = "\x1a\x03\x0a\x01\xff", in_oneof[] = "\x1a\x01\xff",
                      bytes[] = "\x1a\x03\x12\x01\xff";
    const ProtobufCMessageDescriptor *status = &google__rpc__status__descriptor;
    (void)state;
    assert_int_equal(unpack_as(status, in_list, 5), UNPACKED_NOT_UTF8);
    assert_int_equal(unpack_as(status, bytes, 5), UNPACKED_OK);
    assert_int_equal(
        unpack_as(&grpc__reflection__v1__server_reflection_request__descriptor, in_oneof, 3),
        UNPACKED_NOT_UTF8);
}

/* ---- a large field in place */

enum { TYPE_URL = 1, VALUE = 2 }; /* of google.protobuf.Any */

static uint8_t *put_field(uint8_t *at, unsigned number, const uint8_t *value, size_t length)
{
    *at++ = (uint8_t)(number << 3 | 2);
    size_t left = length;
    do {
        *at++ = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    } while (left >>= 7);
    memcpy(at, value, length);
    return at + length;
}

struct in_place {
    struct unpacker u;
    uint8_t value[GRPC_IN_PLACE], *wire, *end;
    const Google__Protobuf__Any *any;
};

static void in_place_begin(struct in_place *p)
{
    unpacker_init(&p->u, 1 << 20);
    memset(p->value, 'v', sizeof(p->value));
    p->wire = p->end = malloc(4 * sizeof(p->value));
    assert_non_null(p->wire);
}

static enum unpacked in_place(struct in_place *p, size_t length)
{
    const ProtobufCMessage *message = NULL;
    enum unpacked result =
        unpack(&p->u, &google__protobuf__any__descriptor, VALUE, p->wire, length, &message);
    p->any = (const Google__Protobuf__Any *)message;
    return result;
}

static bool is_in_place(const struct in_place *p)
{
    return p->any->value.data >= p->wire && p->any->value.data < p->end;
}

static void in_place_end(struct in_place *p)
{
    unpacker_free(&p->u);
    free(p->wire);
}

/* The field is not copied; what stands before and behind it is read. */
static void test_in_place(void **state)
{
    struct in_place p;
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        in_place_begin(&p);
        p.end = first ? p.end : put_field(p.end, TYPE_URL, (const uint8_t *)"name", 4);
        p.end = put_field(p.end, VALUE, p.value, sizeof(p.value));
        p.end = first ? put_field(p.end, TYPE_URL, (const uint8_t *)"name", 4) : p.end;
        assert_int_equal(in_place(&p, (size_t)(p.end - p.wire)), UNPACKED_OK);
        assert_true(is_in_place(&p));
        assert_string_equal(p.any->type_url, "name");
        assert_int_equal(p.any->value.len, sizeof(p.value));
        assert_memory_equal(p.any->value.data, p.value, sizeof(p.value));
        assert_true(p.u.used < 1024);
        in_place_end(&p);
    }
}

/* What is small, or comes twice (the last counts), is copied. */
static void test_not_in_place(void **state)
{
    struct in_place p;
    (void)state;
    in_place_begin(&p);
    p.end = put_field(p.end, VALUE, p.value, sizeof(p.value) - 1);
    assert_int_equal(in_place(&p, (size_t)(p.end - p.wire)), UNPACKED_OK);
    assert_false(is_in_place(&p));
    p.value[0] = 'w';
    p.end = put_field(p.end, VALUE, p.value, sizeof(p.value));
    assert_int_equal(in_place(&p, (size_t)(p.end - p.wire)), UNPACKED_OK);
    assert_false(is_in_place(&p));
    assert_int_equal(p.any->value.len, sizeof(p.value));
    assert_int_equal(p.any->value.data[0], 'w');
    in_place_end(&p);
}

/* Cut anywhere behind the field, and with what is no field at all. */
static void test_in_place_malformed(void **state)
{
    static const uint8_t broken[][12] = {
        {0x0a},    {0x0a, 5},
        {0x08},    {0x09, 1},
        {0x0d, 1}, {0x0b},
        {0x0f, 1}, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}};
    static const size_t lengths[] = {1, 2, 1, 2, 2, 1, 2, 12};
    struct in_place p;
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        in_place_begin(&p);
        p.end = put_field(p.end, VALUE, p.value, sizeof(p.value));
        memcpy(p.end, broken[i], lengths[i]);
        p.end += lengths[i];
        assert_int_equal(in_place(&p, (size_t)(p.end - p.wire)), UNPACKED_MALFORMED);
        assert_int_equal(in_place(&p, sizeof(p.value)), UNPACKED_MALFORMED);
        in_place_end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),         cmocka_unit_test(test_memory_goes_back),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_in_depth), cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_not_in_place),  cmocka_unit_test(test_in_place_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
