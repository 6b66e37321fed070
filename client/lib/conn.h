/* The inside of libackd: one connection (conn.c), the calls on it (call.c), and how a call's end
 * becomes an error (status.c).
 *
 *     ackd.h functions -> call.c: gRPC messages, deadlines -> conn.c: nghttp2 and the socket
 *
 * Nothing here runs by itself: whoever waits turns the crank, conn_step(), and everything that
 * arrived is sorted into its call. */
#ifndef ACKD_LIB_CONN_H
#define ACKD_LIB_CONN_H

#include <nghttp2/nghttp2.h>
#include <sys/uio.h>
#include "client/lib/internal.h"
#include "proto/framing.h"

/* HTTP/2 windows that we grant: the connection's returns on receipt, a stream's when its user takes
 * the bytes. */
#define CONN_WINDOW (4 << 20)
#define STREAM_WINDOW (1 << 20)
#define MAX_FRAME (256 << 10)
/* Longest answer that is believed. */
#define MAX_MESSAGE (64u << 20)
/* Bytes read, and bytes gathered for a write, at once. */
#define IN_SIZE (256u << 10)
#define OUT_BATCH (256u << 10)
#define OUT_IOV 64

/* ---- conn.c ---- */

/* What nghttp2 wants to write, gathered so that one system call carries many frames. Payload is
 * pointed at while out_flush() runs; what the socket does not take is copied into `rest`, so that
 * no pointer into a caller's memory survives. */
struct out {
    struct iovec iov[OUT_IOV];
    int count;
    size_t bytes;
    uint8_t arena[16384]; /* control frames, DATA headers, message headers */
    size_t arena_used;
    uint8_t *rest;
    size_t rest_at, rest_length;
};

struct ackd {
    int fd, cancel_fd;
    nghttp2_session *h2;
    unsigned timeout_ms;
    bool write_dead;    /* the daemon reads no more; it may have said why */
    bool broken;        /* every call has ended with `why` */
    bool going_away;    /* GOAWAY came */
    bool out_of_memory; /* a callback failed for want of memory */
    struct ackd_error why;
    struct call *calls;
    struct call *session;
    ProtobufCMessage *session_event; /* the last one given out */
    uint64_t session_id;
    ProtobufCMessage *reply;
    void *scratch; /* arrays that the last reply's struct points at */
    struct out out;
    uint8_t in[IN_SIZE];
};

/* Nanoseconds of CLOCK_MONOTONIC; TIME_NEVER is beyond all. */
#define TIME_NEVER INT64_MAX
int64_t time_now(void);
/* When a timeout that begins now ends (timeout_ms < 0: never). */
int64_t time_after(int64_t timeout_ms);

/* Writes what waits, waits for the socket until `deadline`, reads and sorts what came. 1 when
 * something may have changed, 0 when the time is over, -1 with *err when cancelled or broken (then
 * all calls have ended, too). */
int conn_step(struct ackd *a, int64_t deadline, struct ackd_error *err);
/* Writes what waits, as far as the socket takes it. */
void conn_flush(struct ackd *a);

/* ---- call.c ---- */

/* One message of the daemon. */
struct message {
    struct message *next;
    size_t credit;  /* bytes of the stream's window that it still holds */
    size_t at, end; /* in `data`: all of it; stream.c narrows it to the payload */
    uint8_t *data;
};

struct call {
    struct ackd *a;
    struct call *next, **link;
    int32_t stream_id;
    void *owner;

    /* The message on its way out: some bytes in `head`, then `body`. `refill` (may be NULL) makes
     * the next one when both are gone. */
    uint8_t head[64];
    size_t head_at, head_length;
    const uint8_t *body;
    size_t body_at, body_length;
    uint8_t *owned;  /* frees `body` */
    bool half_close; /* END_STREAM after it */
    void (*refill)(struct call *c);

    /* Coming in. */
    struct grpc_deframer deframer;
    size_t partial_credit; /* window held by bytes of a message that is not complete */
    struct message *first, **last;
    bool window_at_once; /* a unary answer: its bytes never wait for a user */
    /* Looks at a complete message; false: it was used up. May be NULL. */
    bool (*on_message)(struct call *c, struct message *m);

    /* The end. */
    bool over;                    /* no more messages are wanted: the queue's end is the end */
    int http_status, grpc_status; /* 0, -1: not seen */
    char grpc_message[256];
    struct ackd_error details; /* from grpc-status-details-bin */
    bool closed;
    struct ackd_error error; /* grpc_code ACKD_OK: a good end */
};

/* Starts a call whose first message is `request` (NULL: it comes later). `timeout_ms` > 0 is told
 * to the daemon. NULL with *err. */
struct call *call_start(struct ackd *a, const char *path, const ProtobufCMessage *request,
                        bool half_close, int64_t timeout_ms, void *owner, struct ackd_error *err);
/* Forgets the call; cancels it when it goes on. NULL is allowed. */
void call_free(struct call *c);
/* Whether a message can be put into head and body. */
bool call_idle(const struct call *c);
/* There is something in head and body, or for `refill` to make. */
void call_resume(struct call *c);
/* Ends the call from our side with an error. */
void call_fail(struct call *c, int code, const char *reason, const char *sentence);

/* Waits for a message in c->first. */
enum ackd_next call_wait(struct call *c, int64_t deadline, struct ackd_error *err);
/* Takes c->first; its window is returned. */
struct message *call_take(struct call *c);
void message_free(struct message *m);
/* Returns `n` bytes of the stream's window. */
void call_credit(struct call *c, size_t n);

/* From nghttp2, by conn.c. Bytes that came: 0 or an error for nghttp2. */
int call_input(struct call *c, const uint8_t *data, size_t length);
/* nghttp2's question for more output. */
ssize_t call_on_read(nghttp2_session *h2, int32_t stream_id, uint8_t *buffer, size_t length,
                     uint32_t *flags, nghttp2_data_source *source, void *user);
/* Takes `length` bytes of output, at most two pieces. */
void call_gather(struct call *c, size_t length, struct iovec pieces[2]);
/* The daemon's side is complete, status and all; what we still had to say has no reader. */
void call_answered(struct call *c);
void call_closed(struct call *c, uint32_t h2_error);

/* ---- status.c ---- */

/* Fills *err (may be NULL); always -1. */
int error_set(struct ackd_error *err, int code, int errnum, const char *reason, const char *format,
              ...) __attribute__((format(printf, 5, 6)));
int error_no_memory(struct ackd_error *err);
int error_copy(struct ackd_error *to, const struct ackd_error *from);

/* A response header or trailer. */
void status_header(struct call *c, const char *name, const uint8_t *value, size_t length);
/* What the headers and the HTTP/2 error come to. */
void status_final(struct call *c, uint32_t h2_error);

/* ---- calls that answer once ---- */

/* Memory for what *out of the last reply points at; freed by the next call. NULL without memory. */
void *scratch(struct ackd *a, size_t count, size_t size);

/* Unpacks a whole message, with protobuf-c's own memory when `allocator` is NULL; NULL with *err
 * when it is malformed. */
ProtobufCMessage *message_unpack(const struct message *m, const ProtobufCMessageDescriptor *type,
                                 ProtobufCAllocator *allocator, struct ackd_error *err);

#endif
