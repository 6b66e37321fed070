/* ackd.v1.Lab is in the schema so that clients can be written; the laboratory itself does not exist
 * in this version, and every method says so. */
#include "rpc/state.h"

#include <errno.h>

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    (void)message;
    (void)wire_bytes;
    call_fail(call, ENOSYS, "LAB",
              "%s: this version of ackd has no laboratory; GetVersion names \"lab\" among the "
              "capabilities when it does",
              grpc_call_path(call) + sizeof "/ackd.v1." - 1);
}

#define LAB_METHODS(X)                                                                             \
    X(craft, Craft)                                                                                \
    X(hold, Hold)                                                                                  \
    X(release, Release)                                                                            \
    X(add_rule, AddRule)                                                                           \
    X(remove_rule, RemoveRule)                                                                     \
    X(list_rules, ListRules)                                                                       \
    X(clock, Clock)

#define X(name, Name)                                                                              \
    {.path = "/ackd.v1.Lab/" #Name,                                                                \
     .input = &ackd__v1__##name##_request__descriptor,                                             \
     .output = &ackd__v1__##name##_response__descriptor,                                           \
     .on_message = on_message},
const struct grpc_method lab_methods[] = {LAB_METHODS(X)};
#undef X
const size_t n_lab_methods = sizeof lab_methods / sizeof lab_methods[0];
