/* One table from errno to the gRPC code, and to the reason where nothing more special is known.
 *
 * gRPC clients retry UNAVAILABLE by policy and take DEADLINE_EXCEEDED for their own clock's;
 * neither may ever mean something that TCP said. So: what the network or the peer did is ABORTED (a
 * new connection may fare better, the same call will not); what the caller could have known from
 * the endpoint's state is FAILED_PRECONDITION; what is used up is RESOURCE_EXHAUSTED; an offset
 * that does not fit is OUT_OF_RANGE. */
#include "rpc/errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SENTENCE_MAX = 512, ID_TEXT = 21 };

static const struct code {
    int error;
    enum grpc_code code;
    const char *reason;
} codes[] = {
    {ECONNREFUSED, GRPC_ABORTED, "CONNECTION_REFUSED"},
    {ECONNRESET, GRPC_ABORTED, "CONNECTION_RESET"},
    {ECONNABORTED, GRPC_ABORTED, "CONNECTION_ABORTED"},
    {ETIMEDOUT, GRPC_ABORTED, "TIMED_OUT"},
    {EHOSTUNREACH, GRPC_ABORTED, "HOST_UNREACHABLE"},
    {ENETUNREACH, GRPC_ABORTED, "NETWORK_UNREACHABLE"},
    {ENETDOWN, GRPC_ABORTED, "NETWORK_DOWN"},
    {ENOPROTOOPT, GRPC_ABORTED, "PROTOCOL_UNREACHABLE"},
    {EPROTO, GRPC_ABORTED, "PROTOCOL_ERROR"},
    {EMSGSIZE, GRPC_ABORTED, "MESSAGE_TOO_LONG"},
    {ECANCELED, GRPC_ABORTED, "CANCELLED"},
    {EPIPE, GRPC_FAILED_PRECONDITION, "SEND_CLOSED"},
    {ENOTCONN, GRPC_FAILED_PRECONDITION, "NOT_CONNECTED"},
    {EISCONN, GRPC_FAILED_PRECONDITION, "ALREADY_CONNECTED"},
    {EOPNOTSUPP, GRPC_FAILED_PRECONDITION, "NOT_SUPPORTED"},
    {EADDRNOTAVAIL, GRPC_FAILED_PRECONDITION, "ADDRESS_NOT_AVAILABLE"},
    {EAGAIN, GRPC_FAILED_PRECONDITION, "NOT_READY"},
    {EADDRINUSE, GRPC_ALREADY_EXISTS, "ADDRESS_IN_USE"},
    {EEXIST, GRPC_ALREADY_EXISTS, "ALREADY_EXISTS"},
    {EBADF, GRPC_NOT_FOUND, "ENDPOINT_UNKNOWN"},
    {ENOENT, GRPC_NOT_FOUND, "NOT_FOUND"},
    {EINVAL, GRPC_INVALID_ARGUMENT, "INVALID_FIELD"},
    {ERANGE, GRPC_OUT_OF_RANGE, "OUT_OF_RANGE"},
    {EPERM, GRPC_PERMISSION_DENIED, "NOT_PERMITTED"},
    {EACCES, GRPC_PERMISSION_DENIED, "NOT_PERMITTED"},
    {ENOBUFS, GRPC_RESOURCE_EXHAUSTED, "ENGINE_LIMIT"},
    {ENOMEM, GRPC_RESOURCE_EXHAUSTED, "NO_MEMORY"},
    {EMFILE, GRPC_RESOURCE_EXHAUSTED, "QUOTA"},
    {ENFILE, GRPC_RESOURCE_EXHAUSTED, "QUOTA"},
    {ENOSPC, GRPC_RESOURCE_EXHAUSTED, "ENGINE_LIMIT"},
    {ENOSYS, GRPC_UNIMPLEMENTED, "NOT_IMPLEMENTED"},
};

static const struct code *find(int error)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].error == error) {
            return &codes[i];
        }
    }
    return NULL;
}

enum grpc_code errno_code(int error)
{
    const struct code *c = find(error);
    return c ? c->code : GRPC_INTERNAL;
}

const char *errno_reason(int error)
{
    const struct code *c = find(error);
    return c ? c->reason : "INTERNAL";
}

const char *errno_name(int error)
{
    const char *name = error ? strerrorname_np(error) : NULL;
    return name ? name : "";
}

struct tcp_reason_text close_words(enum tcp_close_reason reason)
{
    /* The only way to be refused: named after the state in which the reset came. */
    if (reason == TCP_CLOSE_REFUSED) {
        return tcp_rst_received_text[TCP_RST_RECEIVED_RST_IN_SYN_SENT];
    }
    return tcp_close_text[reason];
}

static void fail_text(struct grpc_call *call, int error, const char *reason, const char *key,
                      const char *value, const char *sentence)
{
    const struct grpc_error e = {.code = errno_code(error),
                                 .errno_name = errno_name(error),
                                 .reason = reason,
                                 .sentence = sentence,
                                 .key = key,
                                 .value = value};
    grpc_call_fail_last(call, &e); /* what was told before the error is not lost by it */
}

static void __attribute__((format(printf, 6, 0)))
fail(struct grpc_call *call, int error, const char *reason, const char *key, const char *value,
     const char *format, va_list args)
{
    char sentence[SENTENCE_MAX];
    vsnprintf(sentence, sizeof sentence, format, args);
    fail_text(call, error, reason, key, value, sentence);
}

void call_fail(struct grpc_call *call, int error, const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(call, error, reason, NULL, NULL, format, args);
    va_end(args);
}

void call_fail_about(struct grpc_call *call, int error, const char *reason, const char *key,
                     const char *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(call, error, reason, key, value, format, args);
    va_end(args);
}

void call_fail_id(struct grpc_call *call, int error, const char *reason, uint64_t id,
                  const char *format, ...)
{
    char number[ID_TEXT];
    va_list args;
    snprintf(number, sizeof number, "%llu", (unsigned long long)id);
    va_start(args, format);
    fail(call, error, reason, "id", number, format, args);
    va_end(args);
}

void call_fail_field(struct grpc_call *call, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(call, EINVAL, errno_reason(EINVAL), "field", field, format, args);
    va_end(args);
}

void call_fail_errno(struct grpc_call *call, int error, const char *what)
{
    const char *words = strerrordesc_np(error);
    call_fail(call, error, errno_reason(error), "%s: %s", what, words ? words : "unknown error");
}

void call_fail_endpoint(struct grpc_call *call, struct tcp_engine *engine, ackd_time now,
                        uint64_t id, int error)
{
    struct tcp_info info;
    if (tcp_status(engine, now, id, false, &info) < 0) {
        call_fail_id(call, EBADF, "ENDPOINT_UNKNOWN", id, "there is no endpoint %llu",
                     (unsigned long long)id);
        return;
    }
    if (info.close_reason != TCP_CLOSE_NONE && info.error == error) {
        struct tcp_reason_text words = close_words(info.close_reason);
        call_fail_id(call, error, words.name, id, "%s", words.sentence);
        return;
    }
    switch (error) {
    case EPIPE:
        call_fail_id(call, error, "SEND_CLOSED", id,
                     "our side of endpoint %llu is closed: nothing more can be sent",
                     (unsigned long long)id);
        break;
    case ENOTCONN:
        call_fail_id(call, error, "NOT_CONNECTED", id,
                     "endpoint %llu is not connected: its state is %s", (unsigned long long)id,
                     tcp_state_name(info.state));
        break;
    default:
        call_fail_errno(call, error, "the engine refused");
    }
}
