/* unpack.c: the limit, the memory that is kept, UTF-8 in every place a string can be. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "google/rpc/status.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "rpc/transport/internal.h"

static enum unpacked unpack_status(struct unpacker *u, const uint8_t *data, size_t length)
{
    const ProtobufCMessage *message;
    return unpack(u, &google__rpc__status__descriptor, data, length, &message);
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
    assert_int_equal(unpack(&u, &google__rpc__status__descriptor, data, 4, &message), UNPACKED_OK);
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
    enum unpacked result = unpack(&u, type, data, length, &message);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),         cmocka_unit_test(test_memory_goes_back),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_in_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
