/* interop_server SOCKET: gRPC's interoperability test service on our transport, for stock clients
 * of other languages. Prints "ready" when it listens, and ends when its standard input does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "grpc_testing.pb-c.h"
#include "proto/descriptors.h"
#include "rpc/grpc.h"
#include "../unit/rpc/poll_loop.h"

typedef Grpc__Testing__StreamingOutputCallRequest OutputRequest;
typedef Grpc__Testing__StreamingOutputCallResponse OutputResponse;

enum { PAYLOAD_MAX = 4 << 20 };

static uint8_t zeros[PAYLOAD_MAX];

/* True when the client wanted an error, which the call has now. */
static bool echo_status(struct grpc_call *call, const Grpc__Testing__EchoStatus *status)
{
    if (!status || status->code == GRPC_OK) {
        return false;
    }
    grpc_call_fail(call,
                   &(struct grpc_error){(enum grpc_code)status->code, NULL, NULL, status->message});
    return true;
}

/* A payload of `size` zeros; false when the size is out of range. */
static bool fill(struct grpc_call *call, Grpc__Testing__Payload *payload, int32_t size)
{
    if (size < 0 || size > PAYLOAD_MAX - 1024) {
        grpc_call_fail(call, &(struct grpc_error){GRPC_INVALID_ARGUMENT, "EINVAL", NULL,
                                                  "the size is out of range"});
        return false;
    }
    payload->body = (ProtobufCBinaryData){.len = (size_t)size, .data = zeros};
    return true;
}

static void empty_call(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    Grpc__Testing__Empty empty = GRPC__TESTING__EMPTY__INIT;
    (void)message;
    (void)wire_bytes;
    grpc_call_reply(call, &empty.base);
}

static void unary_call(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Grpc__Testing__SimpleRequest *request = (const Grpc__Testing__SimpleRequest *)message;
    Grpc__Testing__SimpleResponse response = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    (void)wire_bytes;
    response.payload = &payload;
    if (!echo_status(call, request->response_status) &&
        fill(call, &payload, request->response_size)) {
        grpc_call_reply(call, &response.base);
    }
}

/* The answers that a call owes: sizes, in a ring that grows. */
struct owed {
    int32_t *sizes;
    size_t first, count, capacity;
    bool half_closed;
};

static bool owe(struct owed *owed, int32_t size)
{
    if (owed->first + owed->count == owed->capacity) {
        size_t capacity = owed->capacity ? owed->capacity * 2 : 16;
        int32_t *sizes = realloc(owed->sizes, capacity * sizeof(*sizes));
        if (!sizes) {
            return false;
        }
        owed->sizes = sizes;
        owed->capacity = capacity;
    }
    owed->sizes[owed->first + owed->count++] = size;
    return true;
}

static void pay(struct grpc_call *call)
{
    struct owed *owed = grpc_call_data(call);
    while (owed && owed->count > 0 && grpc_call_room(call) > 0) {
        OutputResponse response = GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
        Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
        response.payload = &payload;
        if (!fill(call, &payload, owed->sizes[owed->first++])) {
            return;
        }
        owed->count--;
        grpc_call_send(call, &response.base);
    }
    if (owed && owed->count == 0 && owed->half_closed) {
        grpc_call_finish(call);
    }
}

static struct owed *owed_of(struct grpc_call *call)
{
    if (!grpc_call_data(call)) {
        grpc_call_set_data(call, calloc(1, sizeof(struct owed)));
    }
    return grpc_call_data(call);
}

static void output_call(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const OutputRequest *request = (const OutputRequest *)message;
    struct owed *owed = owed_of(call);
    grpc_call_consumed(call, wire_bytes);
    if (echo_status(call, request->response_status)) {
        return;
    }
    for (size_t i = 0; owed && i < request->n_response_parameters; i++) {
        owe(owed, request->response_parameters[i]->size);
    }
    pay(call);
}

static void output_half_close(struct grpc_call *call)
{
    struct owed *owed = owed_of(call);
    if (owed) {
        owed->half_closed = true;
    }
    pay(call);
}

static void output_end(struct grpc_call *call, bool cancelled)
{
    struct owed *owed = grpc_call_data(call);
    (void)cancelled;
    if (owed) {
        free(owed->sizes);
        free(owed);
    }
}

static void input_call(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Grpc__Testing__StreamingInputCallRequest *request =
        (const Grpc__Testing__StreamingInputCallRequest *)message;
    size_t sum = (size_t)(uintptr_t)grpc_call_data(call);
    sum += request->payload ? request->payload->body.len : 0;
    grpc_call_set_data(call, (void *)(uintptr_t)sum);
    grpc_call_consumed(call, wire_bytes);
}

static void input_half_close(struct grpc_call *call)
{
    Grpc__Testing__StreamingInputCallResponse response =
        GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;
    response.aggregated_payload_size = (int32_t)(uintptr_t)grpc_call_data(call);
    grpc_call_reply(call, &response.base);
}

static const struct grpc_method methods[] = {
    {.path = "/grpc.testing.TestService/EmptyCall",
     .input = &grpc__testing__empty__descriptor,
     .output = &grpc__testing__empty__descriptor,
     .on_message = empty_call},
    {.path = "/grpc.testing.TestService/UnaryCall",
     .input = &grpc__testing__simple_request__descriptor,
     .output = &grpc__testing__simple_response__descriptor,
     .on_message = unary_call},
    {.path = "/grpc.testing.TestService/StreamingOutputCall",
     .input = &grpc__testing__streaming_output_call_request__descriptor,
     .output = &grpc__testing__streaming_output_call_response__descriptor,
     .server_streaming = true,
     .on_message = output_call,
     .on_half_close = output_half_close,
     .on_writable = pay,
     .on_end = output_end},
    {.path = "/grpc.testing.TestService/StreamingInputCall",
     .input = &grpc__testing__streaming_input_call_request__descriptor,
     .output = &grpc__testing__streaming_input_call_response__descriptor,
     .client_streaming = true,
     .on_message = input_call,
     .on_half_close = input_half_close},
    {.path = "/grpc.testing.TestService/FullDuplexCall",
     .input = &grpc__testing__streaming_output_call_request__descriptor,
     .output = &grpc__testing__streaming_output_call_response__descriptor,
     .client_streaming = true,
     .server_streaming = true,
     .on_message = output_call,
     .on_half_close = output_half_close,
     .on_writable = pay,
     .on_end = output_end},
};

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1024) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void write_line(struct log *log, enum log_level level, const char *line)
{
    (void)log;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static void input_ended(void *arg, int fd, unsigned what)
{
    char byte;
    (void)what;
    if (read(fd, &byte, 1) <= 0) {
        *(bool *)arg = true;
    }
}

/* As many descriptors as we may have: idle clients want one each. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct log log = {.level = LOG_LEVEL_DEBUG, .write = write_line};
    struct loop *loop = poll_loop_new(true);
    struct grpc_server_config config = {
        .loop = loop,
        .log = &log,
        .limits = {.max_connections = 20000, .max_connections_uid = 20000},
        .descriptor_set = ackd_descriptor_set,
        .descriptor_set_length = ackd_descriptor_set_length};
    struct grpc_server *server = grpc_server_new(&config);
    int fd = argc == 2 ? listen_at(argv[1]) : -1;
    raise_limit();
    if (!server || fd < 0 || grpc_server_listen(server, fd, false) < 0) {
        fprintf(stderr, "interop_server: cannot listen: %s\n", strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        grpc_server_add(server, &methods[i], NULL);
    }
    grpc_server_set_health(server, "", true);
    bool ended = false;
    struct loop_fd *input = loop_fd_new(loop, 0, LOOP_READ, input_ended, &ended);
    printf("ready\n");
    fflush(stdout);
    while (!ended) {
        poll_loop_step(loop, true);
    }
    loop_fd_free(input);
    grpc_server_free(server);
    poll_loop_free(loop);
    unlink(argv[1]);
    return 0;
}
