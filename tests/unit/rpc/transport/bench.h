/* The test bench of the transport: a server on a loop with a virtual clock, a service whose
 * behaviour the test sets, and clients in the same process at the other end of a socketpair: one on
 * nghttp2, one that writes bytes as they are. Nothing waits for real time. */
#ifndef ACKD_TESTS_TRANSPORT_BENCH_H
#define ACKD_TESTS_TRANSPORT_BENCH_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>
#include <string.h>
#include "google/protobuf/any.pb-c.h"
#include "rpc/grpc.h"
#include "../poll_loop.h"

/* Requests and answers of the bench's methods are google.protobuf.Any: a string and bytes. */
typedef Google__Protobuf__Any Any;

#define UNARY "/bench.Service/Unary"
#define STREAM "/bench.Service/Stream"     /* messages both ways */
#define DOWNLOAD "/bench.Service/Download" /* one request, messages back */
#define NESTED "/bench.Service/Nested" /* google.rpc.Status in, for messages that unpack large */

struct bench {
    struct loop *loop;
    struct grpc_server *server;
    /* What the methods do; NULL: nothing but count. */
    void (*on_message)(struct bench *b, struct grpc_call *call, const ProtobufCMessage *message);
    void (*on_half_close)(struct bench *b, struct grpc_call *call);
    void (*on_writable)(struct bench *b, struct grpc_call *call);
    void (*on_end)(struct bench *b, struct grpc_call *call);
    bool consume; /* give the window back at once */
    /* What happened. */
    unsigned messages, half_closes, writables, ends, cancelled;
    size_t wire_bytes;
    struct grpc_call *call; /* of the last message */
    unsigned inside;        /* a grpc_call_*() is running: no callback may */
    /* What authorize() answers. */
    enum grpc_code verdict;
    unsigned asked;
};

void bench_open(struct bench *b, const struct grpc_limits *limits);
void bench_close(struct bench *b);
struct grpc_stats bench_stats(const struct bench *b);

/* Calls that notice a callback inside of them. */
#define INSIDE(b, expression) ((b)->inside++, (expression), (b)->inside--)

enum { STREAMS = 1200 };

/* The client's view of one call. */
struct reply {
    int code;           /* grpc-status, or -1 */
    int http_status;    /* or -1 */
    char message[2048]; /* grpc-message, decoded */
    char details[4096]; /* grpc-status-details-bin, decoded */
    size_t details_length;
    bool trailers_only;
    bool accepts_identity; /* grpc-accept-encoding */
    uint8_t *data;         /* of DATA frames */
    size_t length, capacity;
    unsigned headers; /* blocks */
    bool closed;
    uint32_t error; /* of RST_STREAM */
    /* What is to be sent. */
    uint8_t *out;
    size_t out_length, out_sent, out_capacity;
    bool out_end;
};

struct client {
    struct bench *bench;
    int fd;
    nghttp2_session *session;
    bool hold_windows; /* do not give windows back */
    bool hold_socket;  /* do not read */
    bool gone;         /* the server closed */
    bool goaway;
    uint32_t goaway_error;
    struct reply replies[STREAMS]; /* by stream id / 2 */
};

/* A client with this initial window, 0 for the default. */
struct client *client_open(struct bench *b, uint32_t window);
void client_close(struct client *c);
/* Begins a call; further headers come in pairs and end with NULL. Returns the stream's id. */
int32_t client_call(struct client *c, const char *path, ...);
int32_t client_headers(struct client *c, const nghttp2_nv *nv, size_t count, bool body);
/* Queues bytes as they are; `end` half-closes. */
void client_bytes(struct client *c, int32_t stream, const void *bytes, size_t length, bool end);
/* Queues an Any with a value of `size` bytes, and its prefix. */
void client_message(struct client *c, int32_t stream, size_t size, bool end);
struct reply *client_reply(struct client *c, int32_t stream);
/* Complete messages received on the stream. */
unsigned client_messages(struct client *c, int32_t stream);
/* Moves bytes between this client and the server until nothing moves. */
void client_pump(struct client *c);

/* A client of bytes. */
int raw_open(struct bench *b);
/* Sends the preface and empty SETTINGS. */
void raw_greet(struct bench *b, int fd);
/* Sends a frame; false when the server does not take it. */
bool raw_frame(int fd, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
               size_t length);
/* Whether the server has closed; reads and forgets what it sent. */
bool raw_closed(struct bench *b, int fd);
/* HPACK of a plausible request: without Huffman and without the table. Returns its length. */
size_t raw_request(uint8_t *out, const char *path);

#endif
