/* describe.c: the index of the embedded descriptor set, and of broken ones. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "ackd/v1/roles.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/descriptors.h"
#include "rpc/transport/internal.h"

static int setup(void **state)
{
    *state = described_new(ackd_descriptor_set, ackd_descriptor_set_length);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    described_free(*state);
    return 0;
}

static void test_names(void **state)
{
    const struct described *d = *state;
    int file = described_file(d, "ackd/v1/tcp.proto");
    assert_true(file >= 0);
    assert_int_equal(described_file(d, "tcp.proto"), -1);
    static const char *const in_tcp[] = {"ackd.v1.Tcp", "ackd.v1.Tcp.Send", "ackd.v1.SendRequest",
                                         "ackd.v1.SendRequest.offset"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(described_symbol(d, in_tcp[i]), file);
    }
    assert_int_equal(described_symbol(d, "ackd.v1.Role"), described_file(d, "ackd/v1/roles.proto"));
    assert_int_equal(described_symbol(d, "ackd.v1.ROLE_ADMIN"),
                     described_file(d, "ackd/v1/roles.proto"));
    assert_int_equal(described_symbol(d, "google.protobuf.MethodOptions.IdempotencyLevel"),
                     described_file(d, "google/protobuf/descriptor.proto"));
    assert_int_equal(described_symbol(d, "ackd.v1.role"), described_file(d, "ackd/v1/roles.proto"));
    assert_int_equal(described_symbol(d, "ackd.v1"), -1);
    assert_int_equal(described_symbol(d, ""), -1);
}

static void test_extensions(void **state)
{
    const struct described *d = *state;
    int32_t numbers[4];
    assert_int_equal(described_extension(d, "google.protobuf.MethodOptions", 50001),
                     described_file(d, "ackd/v1/roles.proto"));
    assert_int_equal(described_extension(d, "google.protobuf.MethodOptions", 50002), -1);
    assert_int_equal(described_extensions(d, "google.protobuf.MethodOptions", numbers, 4), 1);
    assert_int_equal(numbers[0], 50001);
    assert_int_equal(described_extensions(d, "google.protobuf.FileOptions", numbers, 4), 0);
    assert_int_equal(described_extensions(d, "none", numbers, 4), -1);
}

static void test_roles(void **state)
{
    const struct described *d = *state;
    assert_int_equal(described_role(d, "/ackd.v1.Tcp/Send"), ACKD__V1__ROLE__ROLE_USER);
    assert_int_equal(described_role(d, "/ackd.v1.Tcp/Status"), ACKD__V1__ROLE__ROLE_USER);
    assert_int_equal(described_role(d, "/ackd.v1.Inspect/List"), ACKD__V1__ROLE__ROLE_MONITOR);
    assert_int_equal(described_role(d, "/ackd.v1.Lab/Craft"), ACKD__V1__ROLE__ROLE_LAB);
    assert_int_equal(described_role(d, "/grpc.health.v1.Health/Check"), 0);
    assert_int_equal(described_role(d, "/ackd.v1.Tcp/None"), -1);
    assert_int_equal(described_role(d, "/ackd.v1.SendRequest/offset"), -1);
    assert_int_equal(described_role(d, "ackd.v1.Tcp/Send"), -1);
    assert_int_equal(described_role(d, "/ackd.v1.Tcp"), -1);
    assert_int_equal(described_role(d, "/"), -1);
}

/* A file comes after what it imports, each once, and each as protoc wrote it. */
static void test_closure(void **state)
{
    const struct described *d = *state;
    ProtobufCBinaryData *files = calloc(described_files(d), sizeof(*files));
    size_t n = described_closure(d, described_file(d, "ackd/v1/tcp.proto"), files);
    assert_in_range(n, 4, described_files(d));
    for (size_t i = 0; i < n; i++) {
        Google__Protobuf__FileDescriptorProto *file =
            google__protobuf__file_descriptor_proto__unpack(NULL, files[i].len, files[i].data);
        assert_non_null(file);
        for (size_t k = 0; k < file->n_dependency; k++) {
            const uint8_t *import = NULL;
            ProtobufCBinaryData one[16];
            size_t m = described_closure(d, described_file(d, file->dependency[k]), one);
            import = one[m - 1].data;
            size_t at = 0;
            while (at < i && files[at].data != import) {
                at++;
            }
            assert_true(at < i);
        }
        if (i == n - 1) {
            assert_string_equal(file->name, "ackd/v1/tcp.proto");
        }
        google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    }
    free(files);
}

static void test_broken_sets(void **state)
{
    static const uint8_t wrong_field[] = {0x12, 0x00}, too_long[] = {0x0a, 0x05, 0x0a},
                         no_length[] = {0x0a},
                         endless[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                         no_name[] = {0x0a, 0x00};
    (void)state;
    assert_null(described_new(wrong_field, sizeof(wrong_field)));
    assert_null(described_new(too_long, sizeof(too_long)));
    assert_null(described_new(no_length, sizeof(no_length)));
    assert_null(described_new(endless, sizeof(endless)));
    assert_null(described_new(no_name, sizeof(no_name)));
    assert_null(described_new(ackd_descriptor_set, ackd_descriptor_set_length - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_roles),       cmocka_unit_test(test_closure),
        cmocka_unit_test(test_broken_sets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
