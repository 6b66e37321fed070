/* reflection.c: every question, by both names, and a client that asks without reading. */
#include "bench.h"

#include <stdlib.h>
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/framing.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define ASK(kind) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind
#define GOT(kind) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind

static const char v1[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
static const char v1alpha[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

static void send_request(struct client *c, int32_t s, const Request *request, bool end)
{
    uint8_t bytes[2048];
    assert_true(grpc__reflection__v1__server_reflection_request__get_packed_size(request) < 2000);
    size_t n =
        grpc__reflection__v1__server_reflection_request__pack(request, bytes + GRPC_PREFIX_LENGTH);
    grpc_prefix_write(bytes, (uint32_t)n);
    client_bytes(c, s, bytes, GRPC_PREFIX_LENGTH + n, end);
}

static Request named(int kind, const char *name)
{
    Request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case =
        (Grpc__Reflection__V1__ServerReflectionRequest__MessageRequestCase)kind;
    request.list_services = (char *)name; /* all the names share one place */
    return request;
}

/* One question on a stream of its own; the answer is the caller's. */
static Response *ask(struct client *c, const char *path, const Request *request)
{
    int32_t s = client_call(c, path, NULL);
    send_request(c, s, request, true);
    client_pump(c);
    const struct reply *r = client_reply(c, s);
    assert_int_equal(r->code, GRPC_OK);
    assert_int_equal(client_messages(c, s), 1);
    Response *response = grpc__reflection__v1__server_reflection_response__unpack(
        NULL, r->length - GRPC_PREFIX_LENGTH, r->data + GRPC_PREFIX_LENGTH);
    assert_non_null(response);
    assert_non_null(response->original_request);
    assert_int_equal(response->original_request->message_request_case,
                     request->message_request_case);
    return response;
}

static void done(Response *response)
{
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
}

/* The last file of an answer is the one that was asked for. */
static void check_file(struct client *c, const Request *request, const char *name)
{
    Response *response = ask(c, v1, request);
    assert_int_equal(response->message_response_case, GOT(FILE_DESCRIPTOR_RESPONSE));
    size_t n = response->file_descriptor_response->n_file_descriptor_proto;
    assert_true(n > 0);
    ProtobufCBinaryData last = response->file_descriptor_response->file_descriptor_proto[n - 1];
    Google__Protobuf__FileDescriptorProto *file =
        google__protobuf__file_descriptor_proto__unpack(NULL, last.len, last.data);
    assert_non_null(file);
    assert_string_equal(file->name, name);
    google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    done(response);
}

static void check_error(struct client *c, const Request *request, int code)
{
    Response *response = ask(c, v1, request);
    assert_int_equal(response->message_response_case, GOT(ERROR_RESPONSE));
    assert_int_equal(response->error_response->error_code, code);
    done(response);
}

static void test_services(void **state)
{
    static const char *const paths[] = {v1, v1alpha};
    static const char *const names[] = {"bench.Service", "grpc.health.v1.Health",
                                        "grpc.reflection.v1.ServerReflection",
                                        "grpc.reflection.v1alpha.ServerReflection"};
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    b.verdict = GRPC_PERMISSION_DENIED;
    struct client *c = client_open(&b, 0);
    Request request = named(ASK(LIST_SERVICES), "*");
    for (size_t i = 0; i < 2; i++) {
        Response *response = ask(c, paths[i], &request);
        assert_int_equal(response->message_response_case, GOT(LIST_SERVICES_RESPONSE));
        assert_int_equal(response->list_services_response->n_service, 4);
        for (size_t k = 0; k < 4; k++) {
            assert_string_equal(response->list_services_response->service[k]->name, names[k]);
        }
        done(response);
    }
    client_close(c);
    bench_close(&b);
}

static void test_files(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    Request request = named(ASK(FILE_BY_FILENAME), "ackd/v1/tcp.proto");
    check_file(c, &request, "ackd/v1/tcp.proto");
    request = named(ASK(FILE_CONTAINING_SYMBOL), "ackd.v1.Tcp.Open");
    check_file(c, &request, "ackd/v1/tcp.proto");
    request = named(ASK(FILE_CONTAINING_SYMBOL), "grpc.reflection.v1alpha.ServerReflection");
    check_file(c, &request, "grpc/reflection/v1alpha/reflection.proto");
    Grpc__Reflection__V1__ExtensionRequest extension =
        GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    extension.containing_type = "google.protobuf.MethodOptions";
    extension.extension_number = 50001;
    request = named(ASK(FILE_CONTAINING_EXTENSION), NULL);
    request.file_containing_extension = &extension;
    check_file(c, &request, "ackd/v1/roles.proto");
    extension.extension_number = 7;
    check_error(c, &request, GRPC_NOT_FOUND);
    request = named(ASK(FILE_BY_FILENAME), "none.proto");
    check_error(c, &request, GRPC_NOT_FOUND);
    request = named(ASK(FILE_CONTAINING_SYMBOL), "none");
    check_error(c, &request, GRPC_NOT_FOUND);
    request = named(ASK(ALL_EXTENSION_NUMBERS_OF_TYPE), "none");
    check_error(c, &request, GRPC_NOT_FOUND);
    request = named(ASK(_NOT_SET), NULL);
    check_error(c, &request, GRPC_INVALID_ARGUMENT);
    client_close(c);
    bench_close(&b);
}

static void test_extension_numbers(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    Request request = named(ASK(ALL_EXTENSION_NUMBERS_OF_TYPE), "google.protobuf.MethodOptions");
    Response *response = ask(c, v1, &request);
    assert_int_equal(response->message_response_case, GOT(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 1);
    assert_int_equal(response->all_extension_numbers_response->extension_number[0], 50001);
    done(response);
    client_close(c);
    bench_close(&b);
}

/* Questions in a row are answered in their order as the client reads; who asks too many ahead is
 * told so. */
static void test_asking_without_reading(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 1000);
    c->hold_windows = true;
    Request request = named(ASK(FILE_BY_FILENAME), "google/protobuf/descriptor.proto");
    int32_t s = client_call(c, v1, NULL), t = client_call(c, v1, NULL);
    for (unsigned i = 0; i < 20; i++) {
        send_request(c, s, &request, i == 19);
        client_pump(c);
    }
    struct reply *r = client_reply(c, s);
    assert_int_equal(r->length, 1000);
    for (unsigned i = 0; i < 50; i++) {
        send_request(c, t, &request, false);
        client_pump(c);
    }
    nghttp2_submit_window_update(c->session, 0, 0, 100 << 20);
    nghttp2_submit_window_update(c->session, 0, s, 100 << 20);
    nghttp2_submit_window_update(c->session, 0, t, 100 << 20);
    client_pump(c);
    assert_int_equal(client_messages(c, s), 20);
    assert_int_equal(r->code, GRPC_OK);
    assert_int_equal(client_reply(c, t)->code, GRPC_RESOURCE_EXHAUSTED);
    client_close(c);
    bench_close(&b);
}

static void test_long_name(void **state)
{
    struct bench b;
    char name[1500];
    (void)state;
    bench_open(&b, NULL);
    struct client *c = client_open(&b, 0);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    Request request = named(ASK(FILE_BY_FILENAME), name);
    int32_t s = client_call(c, v1, NULL);
    send_request(c, s, &request, false);
    client_pump(c);
    assert_int_equal(client_reply(c, s)->code, GRPC_RESOURCE_EXHAUSTED);
    client_close(c);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services),          cmocka_unit_test(test_files),
        cmocka_unit_test(test_extension_numbers), cmocka_unit_test(test_asking_without_reading),
        cmocka_unit_test(test_long_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
