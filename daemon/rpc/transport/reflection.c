/* Server reflection: clients such as grpcurl ask which services there are and for the descriptors
 * of their messages. One stream of questions, one answer each, in order. v1 and v1alpha are the
 * same bytes under two names, so one handler serves both.
 *
 * An answer is a thousand times larger than its question, hence a question waits until the client
 * has taken the answer before it; who asks more than a few ahead is told to read first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "rpc/transport/internal.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define REQUEST(kind) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind
#define RESPONSE(kind) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind

enum {
    QUESTIONS_MAX = 32,
    QUESTION_SIZE = 1024, /* bytes; the longest name that makes sense */
    NUMBERS_MAX = 1024,   /* extension numbers of one type */
};

struct reflection {
    const struct grpc_server *server;
};

struct question {
    struct question *next;
    size_t wire_bytes, length;
    uint8_t bytes[]; /* the Request, packed */
};

/* The questions of one call. */
struct asker {
    struct question *first, *last;
    unsigned count;
    bool half_closed;
};

/* An answer and whatever it may point at. */
struct answer {
    Response response;
    Grpc__Reflection__V1__ErrorResponse error;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    Grpc__Reflection__V1__ExtensionNumberResponse numbers;
    Grpc__Reflection__V1__ListServiceResponse services;
};

static void say_error(Response *response, int32_t code, char *sentence)
{
    response->error_response->error_code = code;
    response->error_response->error_message = sentence;
    response->message_response_case = RESPONSE(ERROR_RESPONSE);
}

static void not_found(Response *response)
{
    static char sentence[] = "this server knows nothing of that name";
    say_error(response, GRPC_NOT_FOUND, sentence);
}

/* Answers with a file and what it imports. */
static void send_file(struct grpc_call *call, struct answer *a, int file)
{
    const struct described *d = ((struct reflection *)grpc_call_arg(call))->server->described;
    if (file < 0) {
        not_found(&a->response);
        grpc_call_send(call, &a->response.base);
        return;
    }
    ProtobufCBinaryData *files = calloc(described_files(d), sizeof(*files));
    if (files) {
        a->files.n_file_descriptor_proto = described_closure(d, file, files);
        a->files.file_descriptor_proto = files;
        a->response.file_descriptor_response = &a->files;
        a->response.message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
        grpc_call_send(call, &a->response.base);
    }
    free(files);
}

static void send_numbers(struct grpc_call *call, struct answer *a, char *type)
{
    const struct described *d = ((struct reflection *)grpc_call_arg(call))->server->described;
    int32_t numbers[NUMBERS_MAX];
    int count = d ? described_extensions(d, type, numbers, NUMBERS_MAX) : -1;
    if (count < 0) {
        not_found(&a->response);
    } else {
        a->numbers.base_type_name = type;
        a->numbers.n_extension_number = count > NUMBERS_MAX ? NUMBERS_MAX : (size_t)count;
        a->numbers.extension_number = numbers;
        a->response.all_extension_numbers_response = &a->numbers;
        a->response.message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    }
    grpc_call_send(call, &a->response.base);
    a->numbers.extension_number = NULL;
}

/* The service of a method's path: "/a.b.C/D" is of "a.b.C". */
static size_t service_length(const char *path)
{
    return strcspn(path + 1, "/");
}

static bool same_service(const char *a, const char *b)
{
    size_t length = service_length(a);
    return length == service_length(b) && memcmp(a + 1, b + 1, length) == 0;
}

/* Answers with the services of the methods that were added; paths are sorted, so those of one
 * service stand together. */
static void send_services(struct grpc_call *call, struct answer *a)
{
    const struct grpc_server *server = ((struct reflection *)grpc_call_arg(call))->server;
    size_t most = server->methods_count, n = 0;
    Grpc__Reflection__V1__ServiceResponse *services = calloc(most, sizeof(*services));
    Grpc__Reflection__V1__ServiceResponse **list = calloc(most, sizeof(*list));
    for (size_t i = 0; services && list && i < most; i++) {
        const char *path = server->methods[i].method->path;
        if (i > 0 && same_service(path, server->methods[i - 1].method->path)) {
            continue;
        }
        grpc__reflection__v1__service_response__init(&services[n]);
        services[n].name = strndup(path + 1, service_length(path));
        list[n] = &services[n];
        n += services[n].name != NULL;
    }
    a->services.n_service = n;
    a->services.service = list;
    a->response.list_services_response = &a->services;
    a->response.message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    grpc_call_send(call, &a->response.base);
    while (n > 0) {
        free(services[--n].name);
    }
    free(services);
    free(list);
}

static void answer(struct grpc_call *call, Request *request)
{
    const struct described *d = ((struct reflection *)grpc_call_arg(call))->server->described;
    static char unknown[] = "the request asks for nothing that this server knows";
    struct answer a = {GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT,
                       GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT,
                       GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT,
                       GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT,
                       GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT};
    a.response.valid_host = request->host;
    a.response.original_request = request;
    a.response.error_response = &a.error;
    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        send_file(call, &a, d ? described_file(d, request->file_by_filename) : -1);
        return;
    case REQUEST(FILE_CONTAINING_SYMBOL):
        send_file(call, &a, d ? described_symbol(d, request->file_containing_symbol) : -1);
        return;
    case REQUEST(FILE_CONTAINING_EXTENSION): {
        const Grpc__Reflection__V1__ExtensionRequest *e = request->file_containing_extension;
        send_file(call, &a,
                  d ? described_extension(d, e->containing_type, e->extension_number) : -1);
        return;
    }
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        send_numbers(call, &a, request->all_extension_numbers_of_type);
        return;
    case REQUEST(LIST_SERVICES):
        send_services(call, &a);
        return;
    default:
        say_error(&a.response, GRPC_INVALID_ARGUMENT, unknown);
        grpc_call_send(call, &a.response.base);
    }
}

static struct question *pop(struct asker *asker)
{
    struct question *question = asker->first;
    asker->first = question->next;
    if (!asker->first) {
        asker->last = NULL;
    }
    asker->count--;
    return question;
}

/* Answers as many questions as the client takes answers of. */
static void work(struct grpc_call *call)
{
    struct asker *asker = grpc_call_data(call);
    while (asker && asker->first && grpc_call_room(call) > 0) {
        struct question *question = pop(asker);
        Request *request = grpc__reflection__v1__server_reflection_request__unpack(
            NULL, question->length, question->bytes);
        if (request) {
            answer(call, request);
            grpc__reflection__v1__server_reflection_request__free_unpacked(request, NULL);
        }
        grpc_call_consumed(call, question->wire_bytes);
        free(question);
    }
    if (asker && asker->half_closed && !asker->first) {
        grpc_call_finish(call);
    }
}

/* The questions of this call; NULL without memory. */
static struct asker *asker_of(struct grpc_call *call)
{
    struct asker *asker = grpc_call_data(call);
    if (!asker) {
        asker = calloc(1, sizeof(*asker));
        grpc_call_set_data(call, asker);
    }
    return asker;
}

static void refuse(struct grpc_call *call, const char *reason, const char *sentence)
{
    grpc_call_fail(call, &(struct grpc_error){GRPC_RESOURCE_EXHAUSTED, NULL, reason, sentence});
}

static void ask(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    struct asker *asker = asker_of(call);
    if (length > QUESTION_SIZE || !asker || asker->count >= QUESTIONS_MAX) {
        refuse(call, "TOO_MANY_QUESTIONS",
               "read the answers before asking more, and keep names short");
        return;
    }
    struct question *question = calloc(1, sizeof(*question) + length);
    if (!question) {
        refuse(call, "NO_MEMORY", "there is no memory for the question");
        return;
    }
    question->wire_bytes = wire_bytes;
    question->length = protobuf_c_message_pack(message, question->bytes);
    if (asker->last) {
        asker->last->next = question;
    } else {
        asker->first = question;
    }
    asker->last = question;
    asker->count++;
    work(call);
}

static void no_more_questions(struct grpc_call *call)
{
    struct asker *asker = asker_of(call);
    if (!asker) {
        grpc_call_finish(call);
        return;
    }
    asker->half_closed = true;
    work(call);
}

static void forget(struct grpc_call *call, bool cancelled)
{
    struct asker *asker = grpc_call_data(call);
    (void)cancelled;
    while (asker && asker->first) {
        free(pop(asker));
    }
    free(asker);
}

static const struct grpc_method methods[] = {
    {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     .input = &grpc__reflection__v1__server_reflection_request__descriptor,
     .output = &grpc__reflection__v1__server_reflection_response__descriptor,
     .client_streaming = true,
     .server_streaming = true,
     .on_message = ask,
     .on_half_close = no_more_questions,
     .on_writable = work,
     .on_end = forget},
    {.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .input = &grpc__reflection__v1__server_reflection_request__descriptor,
     .output = &grpc__reflection__v1__server_reflection_response__descriptor,
     .client_streaming = true,
     .server_streaming = true,
     .on_message = ask,
     .on_half_close = no_more_questions,
     .on_writable = work,
     .on_end = forget},
};

struct reflection *reflection_new(struct grpc_server *server)
{
    struct reflection *reflection = calloc(1, sizeof(*reflection));
    if (!reflection) {
        return NULL;
    }
    reflection->server = server;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (!server_add(server, &methods[i], reflection, true)) {
            free(reflection);
            return NULL;
        }
    }
    return reflection;
}

void reflection_free(struct reflection *reflection)
{
    free(reflection);
}
