/* The gRPC server: HTTP/2 by nghttp2, messages by protobuf-c, descriptors by base/loop.h. It knows
 * nothing of TCP, and the handlers above it know nothing of HTTP/2.
 *
 * Flow control has no buffer in between. Upward: bytes of a client's messages return the
 * connection's window at once, the stream's window only when the handler says grpc_call_consumed().
 * Downward: a handler asks grpc_call_room() before it makes a message; what it sends beyond goes
 * into one message's worth of queue, and on_writable() comes when there is room again. */
#ifndef ACKD_RPC_GRPC_H
#define ACKD_RPC_GRPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/log.h"
#include "base/loop.h"

struct grpc_server;
struct grpc_call;

/* The gRPC status codes. */
enum grpc_code {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
};

/* Who is on the other side of the Unix socket (SO_PEERCRED). */
struct grpc_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    char command[16];    /* /proc/PID/comm at connect */
    bool read_only;      /* came in by the monitor socket */
    uint64_t connection; /* counts connections of this server */
};

enum { GRPC_IN_PLACE = 16 * 1024 };

/* What a method does with its call. All are called from the loop, never from inside a grpc_call_*()
 * of the same call. `call` is gone after on_end. */
struct grpc_method {
    const char *path; /* "/ackd.v1.Tcp/Send" */
    const ProtobufCMessageDescriptor *input, *output;
    bool client_streaming, server_streaming;
    /* The number of a bytes field of `input` whose value, when it has GRPC_IN_PLACE bytes or more,
     * is not copied on the way to on_message(); 0: none. */
    uint32_t in_place;
    /* A request message, unpacked under the bounded allocator; valid during the call only.
     * `wire_bytes` is what grpc_call_consumed() wants back. */
    void (*on_message)(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes);
    /* The client finished sending. May be NULL for unary input. */
    void (*on_half_close)(struct grpc_call *call);
    /* There is room again after grpc_call_room() was too small. May be NULL. */
    void (*on_writable)(struct grpc_call *call);
    /* The call is over (finished, cancelled, deadline, connection lost): free what grpc_call_data()
     * points at. `cancelled` when the client did not get our status. May be NULL. */
    void (*on_end)(struct grpc_call *call, bool cancelled);
};

/* Limits; 0 takes the default. */
struct grpc_limits {
    size_t max_message;       /* bytes of one request message; default 4 MiB */
    size_t max_unpacked;      /* bytes that unpacking one message may allocate; default 16 MiB */
    unsigned max_connections; /* default 4096; beyond it accept pauses */
    unsigned max_connections_uid; /* default 1024 */
    unsigned max_streams;         /* concurrent calls of one connection; default 256 */
    size_t stream_window;         /* bytes a client may send ahead on a stream; default 256 KiB */
    size_t connection_window;     /* default 4 MiB */
    size_t max_send_queue;        /* bytes queued for one connection's socket; default 1 MiB */
};

struct grpc_server_config {
    struct loop *loop;
    struct log *log;
    struct grpc_limits limits;
    /* Decides whether this peer may call this method: GRPC_OK, or PERMISSION_DENIED with a static
     * sentence. `arg` is `authorize_arg`. */
    enum grpc_code (*authorize)(void *arg, const struct grpc_peer *peer,
                                const struct grpc_method *method, const char **why);
    void *authorize_arg;
    /* Serialized google.protobuf.FileDescriptorSet for reflection. */
    const uint8_t *descriptor_set;
    size_t descriptor_set_length;
};
struct grpc_server *grpc_server_new(const struct grpc_server_config *config);
void grpc_server_free(struct grpc_server *server);

/* Adds a method; the record must outlive the server. grpc.health.v1 and reflection (v1, v1alpha)
 * are built in. */
void grpc_server_add(struct grpc_server *server, const struct grpc_method *method, void *arg);
/* The health of a service ("" = the whole): serving or not; Watch clients are told. */
void grpc_server_set_health(struct grpc_server *server, const char *service, bool serving);
/* Takes over a listening Unix socket. `read_only` marks its peers. 0 or -errno. */
int grpc_server_listen(struct grpc_server *server, int listen_fd, bool read_only);
/* Takes over one connected Unix stream socket, as accept would give it. 0 or -errno (the descriptor
 * stays the caller's then). */
int grpc_server_attach(struct grpc_server *server, int fd, bool read_only);
/* No new calls; GOAWAY to everybody. */
void grpc_server_drain(struct grpc_server *server);
/* The number of ackd.v1.Role that the option of this method ("/ackd.v1.Tcp/Send") names in the
 * descriptor set; 0 (unspecified) when it names none, -ENOENT when the set has no such method.
 * health and reflection have none and are open to everybody: authorize() is not asked. */
int grpc_method_role(const struct grpc_server *server, const char *path);

/* ---- a call ---- */

void *grpc_call_arg(const struct grpc_call *call); /* as given to grpc_server_add */
void grpc_call_set_data(struct grpc_call *call, void *data);
void *grpc_call_data(const struct grpc_call *call);
const struct grpc_peer *grpc_call_peer(const struct grpc_call *call);
const char *grpc_call_path(const struct grpc_call *call);
/* From grpc-timeout; TIME_NEVER when there is none. The transport ends the call with
 * DEADLINE_EXCEEDED by itself. */
ackd_time grpc_call_deadline(const struct grpc_call *call);

/* Bytes of messages that can be sent now without waiting for the client's window or the socket. */
size_t grpc_call_room(const struct grpc_call *call);
/* Bytes that the only message of a call may have, with room or without. What its stream's window
 * admits goes, up to 64 KiB; what lies beyond waits for a client that reads, and all such bytes of
 * a connection share its max_send_queue, so that the other calls always have room. 0 when the call
 * is over, or its uid's connections hold too much. */
size_t grpc_call_capacity(const struct grpc_call *call);
/* Queues one message. -EMSGSIZE, -ENOMEM, or -EPIPE when the call is over. It may exceed
 * grpc_call_room(); ask for room again before the next. */
int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message);
/* The same for a message whose bytes field `field` is left empty and gets `length` bytes (> 0),
 * which the caller writes to *space before it returns to the loop. */
int grpc_call_send_bytes(struct grpc_call *call, const ProtobufCMessage *message, uint32_t field,
                         size_t length, uint8_t **space);
/* Within on_message(): takes over the memory of the message that `within` points into, the value of
 * the `in_place` field; the handler frees it when it is done with the value. NULL: it cannot be had
 * (the value is small, or of an unusual message), and what is needed later has to be copied. */
void *grpc_call_take(struct grpc_call *call, const void *within);
/* The handler is done with this many wire bytes of requests: the stream's window opens by them. */
void grpc_call_consumed(struct grpc_call *call, size_t wire_bytes);
/* Ends the call with status OK after what was sent. on_end follows later, from the loop. */
void grpc_call_finish(struct grpc_call *call);
/* One message and OK. */
void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message);
/* The same with grpc_call_send_bytes(); not 0: there is nothing to be written. */
int grpc_call_reply_bytes(struct grpc_call *call, const ProtobufCMessage *message, uint32_t field,
                          size_t length, uint8_t **space);

struct grpc_error {
    enum grpc_code code;
    const char *errno_name; /* "ECONNREFUSED", or NULL */
    const char *reason;     /* "RST_IN_SYN_SENT", or NULL */
    const char *sentence;
    const char *key, *value; /* one more entry of the metadata ("field", "grace_ms"), or NULL */
};
/* Ends the call with an error: grpc-status, grpc-message (the sentence, percent-encoded), and
 * grpc-status-details-bin with google.rpc.Status holding a google.rpc.ErrorInfo {reason, domain
 * "ackd.v1", metadata {errno, KEY: VALUE}}. */
void grpc_call_fail(struct grpc_call *call, const struct grpc_error *error);
/* The same, but messages sent before are delivered first: for streams of bytes that must not be
 * lost. */
void grpc_call_fail_last(struct grpc_call *call, const struct grpc_error *error);

struct grpc_stats {
    uint64_t connections, connections_accepted, calls, calls_begun, refused_connections,
        protocol_errors, oversized, unpack_limit, unknown_methods;
};
void grpc_server_stats(const struct grpc_server *server, struct grpc_stats *out);

#endif
