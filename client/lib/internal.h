/* What ackctl (built in the same tree, against the static library) may use beyond ackd.h: calls and
 * answers as protobuf-c messages. A struct ackd_message is a ProtobufCMessage. */
#ifndef ACKD_LIB_INTERNAL_H
#define ACKD_LIB_INTERNAL_H

#include <protobuf-c/protobuf-c.h>
#include "client/lib/ackd.h"

static inline const ProtobufCMessage *ackd_message_protobuf(const struct ackd_message *m)
{
    return (const ProtobufCMessage *)m;
}

/* Any unary call: "/ackd.v1.Lab/Clock". The answer is also ackd_reply(). `wait_ms` is added to the
 * connection's timeout. */
int ackd_call_unary(struct ackd *a, const char *path, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *answer, uint32_t wait_ms,
                    const ProtobufCMessage **out, struct ackd_error *err);

/* Any call with one request and a stream of answers. */
struct ackd_iterator;
struct ackd_iterator *ackd_call_streamed(struct ackd *a, const char *path,
                                         const ProtobufCMessage *request,
                                         const ProtobufCMessageDescriptor *answer,
                                         struct ackd_error *err);
/* *out is valid until the next call. */
enum ackd_next ackd_iterator_next(struct ackd_iterator *it, const ProtobufCMessage **out,
                                  int timeout_ms, struct ackd_error *err);
/* The same without unpacking: the answer's bytes. What was found malformed ends the call. */
enum ackd_next ackd_iterator_next_bytes(struct ackd_iterator *it, const uint8_t **data,
                                        size_t *length, int timeout_ms, struct ackd_error *err);
void ackd_iterator_malformed(struct ackd_iterator *it);
void ackd_iterator_free(struct ackd_iterator *it);

/* One field of a message as JSON, in one line; free() it. NULL without memory. A message that is
 * not there must not be asked for. */
char *ackd_json_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* Doc comments of the .proto: "ackd.v1.Connection", "cwnd_bytes"; enums by value name. NULL when
 * there is none. */
const char *ackd_proto_doc(const char *type, const char *member);

#endif
