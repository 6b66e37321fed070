/* One call at a time: the double notes the request as JSON and answers with what the test has laid
 * ready. */
#ifndef ACKD_TEST_TYPED_H
#define ACKD_TEST_TYPED_H

#include "client/lib/internal.h"
#include "double.h"

struct typed {
    struct double_server *d;
    struct ackd *a;
    const char *path; /* what is asked; sessions are answered by themselves */
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessage *reply;
    char request[4096];
    unsigned sessions;
    int wrong; /* requests to other paths */
};

void typed_start(struct typed *t);
void typed_stop(struct typed *t);
/* Lays an answer ready. */
void typed_expect(struct typed *t, const char *path, const ProtobufCMessageDescriptor *input,
                  const ProtobufCMessage *reply);

#endif
