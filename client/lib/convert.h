/* Between protobuf's structs and those of ackd_types.h. Text that is too long for its array is cut;
 * what is absent is zero. */
#ifndef ACKD_LIB_CONVERT_H
#define ACKD_LIB_CONVERT_H

#include <stdio.h>
#include "ackd/v1/daemon.pb-c.h"
#include "ackd/v1/inspect.pb-c.h"
#include "ackd/v1/tcp.pb-c.h"
#include "ackd/v1/types.pb-c.h"
#include "client/lib/conn.h"

/* Copies text into an array. */
#define TEXT(array, text) text_copy((array), sizeof(array), (text))
/* As much of the text as fits into `size` bytes with its end; a listing has millions of them. */
void text_copy(char *to, size_t size, const char *text);
/* protobuf-c's strings are not const. */
#define STRING(text) ((char *)((text) ? (text) : ""))

/* A request with its answer: the names follow from the RPC's. */
#define CALL(a, service, Name, request, name, wait_ms, out, err)                                   \
    ackd_call_unary(a, "/ackd.v1." #service "/" #Name, &(request)->base,                           \
                    &ackd__v1__##name##_response__descriptor, wait_ms,                             \
                    (const ProtobufCMessage **)(out), err)

/* Borrow the text of their argument. */
void endpoint_to(Ackd__V1__Endpoint *out, const struct ackd_endpoint *in);
void options_to(Ackd__V1__Options *out, const struct ackd_options *in);

/* A filter whose lists are allocated; NULL without memory. A NULL filter is an empty one. */
Ackd__V1__Filter *filter_to(const struct ackd_filter *in);
void filter_to_free(Ackd__V1__Filter *f);

/* The message may be NULL: all zero. */
void endpoint_from(struct ackd_endpoint *out, const Ackd__V1__Endpoint *in);
void options_from(struct ackd_options *out, const Ackd__V1__Options *in);
void header_from(struct ackd_header *out, const Ackd__V1__Header *in);
void connection_from(struct ackd_connection *out, const Ackd__V1__Connection *in);
size_t limited_from(struct ackd_limited_time out[ACKD_LIMITED_MAX],
                    Ackd__V1__LimitedTime *const *in, size_t count);

#endif
