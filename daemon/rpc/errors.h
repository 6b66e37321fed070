/* Errors of handlers: an errno, a reason, a sentence; the gRPC code follows from the errno by one
 * table. */
#ifndef ACKD_RPC_ERRORS_H
#define ACKD_RPC_ERRORS_H

#include "rpc/grpc.h"
#include "tcp/tcp.h"

/* The gRPC code of a positive errno. Never UNAVAILABLE or DEADLINE_EXCEEDED. */
enum grpc_code errno_code(int error);
/* "ECONNREFUSED"; "" for 0. */
const char *errno_name(int error);

/* The reason where nothing more special is known: "CONNECTION_REFUSED". */
const char *errno_reason(int error);

/* Ends the call with the code of `error` (positive). `reason` is UPPER_SNAKE, for programs. */
void call_fail(struct grpc_call *call, int error, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with one entry of the metadata: which "field" of the request, which "id", which "limit".
 */
void call_fail_about(struct grpc_call *call, int error, const char *reason, const char *key,
                     const char *value, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* About an endpoint: {"id": its number}. */
void call_fail_id(struct grpc_call *call, int error, const char *reason, uint64_t id,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* EINVAL, reason INVALID_FIELD, {"field": its path in the request, as in "options.ttl"}. */
void call_fail_field(struct grpc_call *call, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the C library's words for the errno as the sentence: where nothing more is known.
 */
void call_fail_errno(struct grpc_call *call, int error, const char *what);
/* Ends the call because an engine call on this endpoint answered `error` (positive): when the
 * connection ended, the reason and the sentence are those of its end. */
void call_fail_endpoint(struct grpc_call *call, struct tcp_engine *engine, ackd_time now,
                        uint64_t id, int error);

/* What a user is told of the end of a connection: {"RST_IN_SYN_SENT", "the peer answered our SYN
 * with RST"}. */
struct tcp_reason_text close_words(enum tcp_close_reason reason);

#endif
