/* One table from errno to the gRPC code.
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

#define SENTENCE_MAX 512

static const struct {
    int error;
    enum grpc_code code;
} codes[] = {
    {ECONNREFUSED, GRPC_ABORTED},
    {ECONNRESET, GRPC_ABORTED},
    {ECONNABORTED, GRPC_ABORTED},
    {ETIMEDOUT, GRPC_ABORTED},
    {EHOSTUNREACH, GRPC_ABORTED},
    {ENETUNREACH, GRPC_ABORTED},
    {ENETDOWN, GRPC_ABORTED},
    {ENOPROTOOPT, GRPC_ABORTED},
    {EPROTO, GRPC_ABORTED},
    {EMSGSIZE, GRPC_ABORTED},
    {ECANCELED, GRPC_ABORTED},
    {EPIPE, GRPC_FAILED_PRECONDITION},
    {ENOTCONN, GRPC_FAILED_PRECONDITION},
    {EISCONN, GRPC_FAILED_PRECONDITION},
    {EOPNOTSUPP, GRPC_FAILED_PRECONDITION},
    {EADDRNOTAVAIL, GRPC_FAILED_PRECONDITION},
    {EAGAIN, GRPC_FAILED_PRECONDITION},
    {EADDRINUSE, GRPC_ALREADY_EXISTS},
    {EEXIST, GRPC_ALREADY_EXISTS},
    {EBADF, GRPC_NOT_FOUND},
    {ENOENT, GRPC_NOT_FOUND},
    {EINVAL, GRPC_INVALID_ARGUMENT},
    {ERANGE, GRPC_OUT_OF_RANGE},
    {EPERM, GRPC_PERMISSION_DENIED},
    {EACCES, GRPC_PERMISSION_DENIED},
    {ENOBUFS, GRPC_RESOURCE_EXHAUSTED},
    {ENOMEM, GRPC_RESOURCE_EXHAUSTED},
    {EMFILE, GRPC_RESOURCE_EXHAUSTED},
    {ENFILE, GRPC_RESOURCE_EXHAUSTED},
    {ENOSPC, GRPC_RESOURCE_EXHAUSTED},
    {ENOSYS, GRPC_UNIMPLEMENTED},
};

enum grpc_code errno_code(int error)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].error == error) {
            return codes[i].code;
        }
    }
    return GRPC_INTERNAL;
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

static void fail_text(struct grpc_call *call, int error, const char *reason, const char *sentence)
{
    const struct grpc_error e = {.code = errno_code(error),
                                 .errno_name = errno_name(error),
                                 .reason = reason,
                                 .sentence = sentence};
    grpc_call_fail_last(call, &e); /* what was told before the error is not lost by it */
}

void call_fail(struct grpc_call *call, int error, const char *reason, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    fail_text(call, error, reason, sentence);
}

void call_fail_errno(struct grpc_call *call, int error, const char *what)
{
    const char *words = strerrordesc_np(error);
    call_fail(call, error, NULL, "%s: %s", what, words ? words : "unknown error");
}

void call_fail_endpoint(struct grpc_call *call, struct tcp_engine *engine, ackd_time now,
                        uint64_t id, int error)
{
    struct tcp_info info;
    if (tcp_status(engine, now, id, false, &info) < 0) {
        call_fail(call, EBADF, NULL, "there is no endpoint %llu", (unsigned long long)id);
        return;
    }
    if (info.close_reason != TCP_CLOSE_NONE && info.error == error) {
        struct tcp_reason_text words = close_words(info.close_reason);
        fail_text(call, error, words.name, words.sentence);
        return;
    }
    switch (error) {
    case EPIPE:
        call_fail(call, error, NULL,
                  "our side of endpoint %llu is closed: nothing more can be sent",
                  (unsigned long long)id);
        break;
    case ENOTCONN:
        call_fail(call, error, NULL, "endpoint %llu is not connected: its state is %s",
                  (unsigned long long)id, tcp_state_name(info.state));
        break;
    default:
        call_fail_errno(call, error, "the engine refused");
    }
}
