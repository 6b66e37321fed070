/* What the files of the transport know of each other.
 *
 *     listen.c      listening sockets: accept, limits, who is there
 *     connection.c  one socket: reads into the session, and when to write
 *     out.c         what goes to the socket: frames, batches, and what it did not take
 *     http2.c       the nghttp2 session of a connection and its callbacks
 *     flood.c       what a client may cost us: rates of frames that carry nothing
 *     request.c     the headers of a request, checked
 *     call.c        one call: messages in both directions, flow control, its end
 *     status.c      a call's status as headers
 *     unpack.c      messages out of untrusted bytes
 *     describe.c    the index of the descriptor set; reflection.c and health.c are services on top
 * of grpc.h server.c      what they share: methods, limits, the list of connections with something
 * to write
 *
 * Who calls whom: the loop calls connection.c (descriptors) and server.c (timers). A handler is
 * called from there only: while the session takes in bytes, after a flush, or when a stream or a
 * connection ends. grpc_call_*() only notes what is to be sent and puts the connection on the
 * server's list of dirty ones; hence no callback runs inside of it. */
#ifndef ACKD_RPC_TRANSPORT_INTERNAL_H
#define ACKD_RPC_TRANSPORT_INTERNAL_H

#include <nghttp2/nghttp2.h>
#include <sys/uio.h>
#include "base/list.h"
#include "proto/framing.h"
#include "rpc/grpc.h"

enum {
    READ_SIZE = 128 * 1024,      /* bytes of one read: one callback takes in no more */
    WRITE_SIZE = 128 * 1024,     /* bytes copied for one write: small frames and headers */
    WRITE_BATCH = 128 * 1024,    /* bytes after which gathering for one write stops */
    FRAME_MAX = 64 * 1024 + 256, /* bytes of a DATA frame: 64 KiB and what a message says of them */
    HEADER_LIST_MAX =
        16 * 1024, /* bytes of a request's headers, as SETTINGS_MAX_HEADER_LIST_SIZE counts them */
    PATH_MAX_LENGTH = 256, /* bytes of a method's path that an error repeats */
    SENTENCE_MAX = 1024,   /* bytes of grpc-message; clients refuse headers above 8 KiB */
};
/* How long one callback works for clients, in nanoseconds, before it leaves the rest to another:
 * packets want to run, too. Checked between messages, handlers and writes. */
#define CALLBACK_NS (150 * NS_PER_US)

struct connection;
struct uid_count;
struct health;
struct reflection;

/* ---- status.c ---- */

/* The end of a call as it goes into the headers. Zeroed: OK. */
struct status {
    enum grpc_code code;
    char *message; /* percent-encoded, or NULL */
    char *details; /* base64 of google.rpc.Status, or NULL */
    size_t message_length, details_length;
};

void status_set(struct status *status, const struct grpc_error *error);
void status_free(struct status *status);
/* The status as headers; `number` (3 bytes) and `status` must live until they are submitted.
 * Returns how many (at most 3). */
enum { STATUS_HEADERS = 3 };
size_t status_headers(const struct status *status, char number[3], nghttp2_nv *out);

/* ---- unpack.c ---- */

struct unpack_chunk;
/* Memory of one message at a time; the first chunk stays for the next. */
struct unpacker {
    size_t limit; /* bytes one message may allocate */
    size_t used;  /* bytes handed out for the present one */
    bool exhausted;
    struct unpack_chunk *chunks; /* newest first; the oldest is kept */
    size_t at;                   /* bytes used of the newest */
};

enum unpacked { UNPACKED_OK, UNPACKED_MALFORMED, UNPACKED_NOT_UTF8, UNPACKED_TOO_LARGE };

void unpacker_init(struct unpacker *u, size_t limit);
void unpacker_free(struct unpacker *u);
/* The message is valid until the next call. The bytes field `in_place` (0: none) is not copied when
 * it is large: it points into `data`. */
enum unpacked unpack(struct unpacker *u, const ProtobufCMessageDescriptor *type, uint32_t in_place,
                     const uint8_t *data, size_t length, const ProtobufCMessage **message);

/* ---- describe.c ---- */

struct described;
/* Indexes a serialized FileDescriptorSet, which must outlive it. NULL when it is none or memory
 * lacks. */
struct described *described_new(const uint8_t *set, size_t length);
void described_free(struct described *d);
/* The index of a file, or -1. */
int described_file(const struct described *d, const char *name);
/* The file that defines a symbol ("ackd.v1.Tcp", "ackd.v1.Tcp.Send", "ackd.v1.Role"), or -1. */
int described_symbol(const struct described *d, const char *symbol);
/* The file that extends `type` by field `number`, or -1. */
int described_extension(const struct described *d, const char *type, int32_t number);
/* The numbers of the extensions of a type; how many there are is returned, at most `capacity` are
 * written. -1: no such type. */
int described_extensions(const struct described *d, const char *type, int32_t *numbers,
                         size_t capacity);
/* The role option of "/package.Service/Method", 0 when it has none, -1 when there is no such
 * method. */
int described_role(const struct described *d, const char *path);
/* Adds a file and what it imports, each once, imports first, to out[]; returns how many. There are
 * described_files() at most. */
size_t described_files(const struct described *d);
size_t described_closure(const struct described *d, int file, ProtobufCBinaryData *out);

/* ---- flood.c ---- */

/* A bucket of tokens: an event takes one, time brings them back. */
struct bucket {
    uint32_t tokens;
    ackd_time refilled;
};
struct flood {
    struct bucket idle;   /* frames that carry nothing: PING, SETTINGS, empty DATA, WINDOW_UPDATE,
                             PRIORITY */
    struct bucket resets; /* calls that the client ends by RST_STREAM, and streams that we refuse */
    unsigned continuations; /* of the present header block */
};
void flood_init(struct flood *f, ackd_time now);
/* A frame's header came in. False: this client is an offender. */
bool flood_frame(struct flood *f, ackd_time now, const nghttp2_frame_hd *hd);
/* A frame with data went out or came in: who works may also talk. */
void flood_useful(struct flood *f);
/* A stream that we refuse. */
bool flood_refused(struct flood *f, ackd_time now);

/* ---- request.c ---- */

enum request_fault { REQUEST_OK, REQUEST_MALFORMED, REQUEST_TOO_LARGE };
/* The headers of the request that is coming in; one at a time on a connection. */
struct request {
    unsigned seen; /* bits of enum in request.c */
    enum request_fault fault;
    bool regular; /* a header that is no pseudo-header has come */
    bool bad_method, bad_type, bad_encoding, bad_timeout;
    int64_t timeout_ns;
    size_t list_size;
    size_t path_length; /* of `path`, which is cut and ends with NUL */
    char path[PATH_MAX_LENGTH + 1];
};
void request_init(struct request *r);
void request_header(struct request *r, const uint8_t *name, size_t name_length,
                    const uint8_t *value, size_t value_length);
/* After the last header: whether the pseudo-headers are complete. */
void request_end(struct request *r);

/* ---- call.c ---- */

struct method {
    const struct grpc_method *method;
    void *arg;
    bool open_to_all; /* authorize() is not asked */
};

/* A message to the client, or other bytes for its socket. */
struct message {
    struct message *next; /* of a call's queue */
    unsigned refs;        /* the queue, and parts in out.c */
    size_t length;        /* with its prefix */
    size_t size;          /* of the memory that `bytes` are */
    uint8_t bytes[];
};

struct grpc_call {
    struct list link;    /* of the connection's calls */
    struct list waiting; /* of the connection's calls that wait for room */
    struct list sending; /* of the connection's calls whose queue is not empty */
    struct connection *connection;
    const struct grpc_method *method;
    void *arg, *data;
    ackd_time deadline;
    struct loop_timer *timer; /* NULL without a deadline */
    int32_t stream_id;
    bool half_closed; /* the client has finished sending */
    bool begun;       /* the response's headers are submitted */
    bool over;        /* the status is decided: the handler hears nothing more but on_end */
    bool finished;    /* the status is submitted */
    bool status_sent;

    /* From the client. */
    struct grpc_deframer deframer;
    uint8_t *held; /* the one message of a unary request, until the client has half-closed */
    size_t held_length;
    bool have_held;
    bool delivering;      /* on_message() runs: grpc_call_take() may have its memory */
    size_t charged;       /* bytes of the buffers above, as counted in connection and uid */
    size_t unconsumed;    /* wire bytes delivered that the handler has not given back */
    size_t ahead;         /* wire bytes delivered whose window was given back before */
    size_t message_ahead; /* the same, of the message that is coming in */

    /* To the client. */
    struct message *head, *tail;
    size_t head_sent; /* bytes of the first message that are gone */
    size_t queued;    /* bytes of the messages that are not */
    size_t asked;     /* what grpc_call_room() last said, while waiting */
    struct status status;
};

/* A request is complete but for its messages: answers it at once (unknown, not permitted, ...) or
 * makes a call. */
void call_begin(struct connection *c, int32_t stream_id, const struct request *r);
/* Bytes of DATA frames. */
void call_data(struct grpc_call *call, const uint8_t *data, size_t length);
/* Bytes that the message on its way in still lacks; 0 between messages. */
size_t call_lacks(const struct grpc_call *call);
/* The memory that call_data() got is about to vanish. */
void call_settle(struct grpc_call *call);
/* END_STREAM from the client. */
void call_half_close(struct grpc_call *call);
/* The stream, or the connection, is gone: on_end, and the call is freed. */
void call_end(struct grpc_call *call);
/* Tells the handlers of calls that wait for room, when there is more than there was. When they are
 * many, it marks the connection as dirty for the rest. */
void call_notify(struct connection *c);
/* Whether the connections of a uid have half of what they may queue. */
bool call_queues_half(const struct grpc_server *server, const struct uid_count *owner);
/* The trailers, or the only headers, have been handed to the socket. */
void call_status_sent(struct grpc_call *call);
/* Answers a request that never becomes a call: trailers only. */
void call_refuse(struct connection *c, int32_t stream_id, const struct grpc_error *error);

/* ---- out.c ---- */

/* Part of a message, with a reference to it. */
struct part {
    struct message *message;
    size_t at, length;
};
enum { FRAME_PARTS = 32, BATCH_PARTS = 256 };
/* The payload of the DATA frame that nghttp2 works on. */
struct frame {
    unsigned count;
    size_t bytes;
    struct part part[FRAME_PARTS];
};
/* What one sendmsg() writes; empty between callbacks. */
struct batch {
    struct iovec iov[BATCH_PARTS];
    struct message *message[BATCH_PARTS]; /* that it refers to; NULL: a copy in write_buffer */
    unsigned count;
    size_t bytes, copied;
};

/* A message of `length` bytes with one reference; NULL without memory. */
struct message *message_new(struct grpc_server *server, size_t length);
void message_unref(struct grpc_server *server, struct message *message);
/* Adds part of a message, and a reference to it; false: the frame takes no more. */
bool frame_add(struct connection *c, struct message *message, size_t at, size_t length);
/* Forgets a frame that did not go. */
void frame_drop(struct connection *c);
/* nghttp2 sends the frame, with this header (of nine bytes): 0 or an error for nghttp2. */
int out_data(struct connection *c, const uint8_t *header, size_t length);
/* Writes until there is nothing more, the socket is full, or the others want to run. False: the
 * connection is lost. */
bool out_write(struct connection *c);
void out_drop_tail(struct connection *c);
void out_free_spares(struct grpc_server *server);

/* ---- connection.c, http2.c ---- */

struct connection {
    struct list link;  /* of the server's connections */
    struct list dirty; /* of the server's connections with something to send */
    struct list
        greeting; /* of the server's connections that have not said anything yet, oldest first */
    struct grpc_server *server;
    struct loop_fd *watch;
    struct uid_count *owner;
    struct list calls, waiting, senders;
    nghttp2_session *session; /* NULL until the client has said something */
    struct request *request;  /* while its headers come in */
    struct frame frame;
    struct part *tail; /* what the socket did not take: from tail_at to tail_count */
    unsigned tail_at, tail_count;
    size_t tail_length;          /* bytes of it */
    struct grpc_call *receiving; /* the call that data came in for last; NULL when it is over */
    size_t data_left;            /* bytes of its DATA frame that are still to come */
    uint8_t *unread;             /* what was read and waits for the next callback */
    size_t unread_length, unread_taken;
    size_t queued;  /* bytes of messages in the calls' queues */
    size_t charged; /* bytes of incomplete and held requests */
    ackd_time greeting_deadline;
    int fd;
    unsigned watching;
    bool dying;    /* calls are being ended: nothing may be submitted */
    bool offender; /* GOAWAY, then close */
    struct flood flood;
    struct grpc_peer peer;
};

/* Takes the descriptor over and makes a connection, or returns -errno. */
int connection_new(struct grpc_server *server, int fd, bool read_only);
/* Ends its calls and closes. */
void connection_close(struct connection *c);
/* Sends what there is. The connection may be gone afterwards. */
void connection_flush(struct connection *c);
/* Something was submitted: flush soon. */
void connection_dirty(struct connection *c);

int http2_setup(struct grpc_server *server);
int http2_new(struct connection *c);
/* ENHANCE_YOUR_CALM to a client that floods us. */
void http2_offender(struct connection *c, const char *what);

/* ---- listen.c ---- */

/* Connections of one uid. */
struct uid_count {
    struct list link;
    uid_t uid;
    unsigned connections;
    size_t queued;  /* bytes of messages and tails that wait to be sent */
    size_t charged; /* bytes of incomplete and held requests */
    bool starved;   /* a call was refused room for the sake of `queued` */
};
struct listener {
    struct list link;
    struct grpc_server *server;
    struct loop_fd *watch;
    int fd;
    bool read_only;
};
/* Counts a connection of this uid; NULL at its limit or without memory. */
struct uid_count *owner_take(struct grpc_server *server, uid_t uid);
void owner_release(struct uid_count *owner);
/* After bytes have left: calls that were refused room for the uid's sake hear of it. */
void owner_fed(struct grpc_server *server, struct uid_count *owner);
void listen_pause(struct grpc_server *server);
/* Accepts again, when there is room and nothing else speaks against it. */
void listen_resume(struct grpc_server *server);
void listen_close_all(struct grpc_server *server);

/* ---- server.c ---- */

struct grpc_server {
    struct loop *loop;
    struct log *log;
    struct grpc_limits limits;
    enum grpc_code (*authorize)(void *arg, const struct grpc_peer *peer,
                                const struct grpc_method *method, const char **why);
    void *authorize_arg;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    struct list listeners, connections, dirty, greetings, owners;
    struct loop_timer *flush_timer;    /* now, while `dirty` is not empty */
    struct loop_timer *greeting_timer; /* when the oldest of `greetings` has had its time */
    struct loop_timer *accept_timer;   /* while accept pauses */
    struct method *methods;            /* sorted by path */
    size_t methods_count, methods_capacity;
    struct described *described; /* NULL without a descriptor set */
    struct reflection *reflection;
    struct health *health;
    struct unpacker unpacker;
    size_t written; /* bytes since the server last counted */
    bool draining, accept_paused;
    struct grpc_stats stats;
    uint8_t *read_buffer, *write_buffer; /* one callback at a time needs them, */
    struct batch batch;                  /* and this */
    struct message *spare;               /* memory of large messages, for the next ones */
    unsigned n_spare;
};

/* Whether the present callback has worked for CALLBACK_NS. */
static inline bool server_spent(const struct grpc_server *server)
{
    return time_diff(loop_clock(server->loop), loop_now(server->loop)) >= CALLBACK_NS;
}

const struct method *server_method(const struct grpc_server *server, const char *path);
/* False without memory. */
bool server_add(struct grpc_server *server, const struct grpc_method *method, void *arg,
                bool open_to_all);

/* ---- health.c, reflection.c ---- */

struct health *health_new(struct grpc_server *server);
void health_free(struct health *health);
void health_set(struct health *health, const char *service, bool serving);
struct reflection *reflection_new(struct grpc_server *server);
void reflection_free(struct reflection *reflection);

#endif
