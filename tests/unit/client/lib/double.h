/* A daemon's double: an HTTP/2 server in a thread at the other end of a socketpair, which does what
 * a script says, the wrong thing included. Callbacks of the script run in that thread; the test's
 * own thread makes it do more by double_run(). */
#ifndef ACKD_TEST_DOUBLE_H
#define ACKD_TEST_DOUBLE_H

#include <nghttp2/nghttp2.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct double_server;
struct double_stream {
    struct double_server *server;
    int32_t id;
    char path[64];
    char timeout[16]; /* grpc-timeout */
    void *data;       /* the script's */
    bool half_closed, reset;
    size_t received; /* bytes of DATA, prefixes included */
    /* The double's own. */
    struct double_stream *next;
    uint8_t *out;
    size_t out_at, out_length;
    bool headers_sent, finishing;
    char status[8], message[512], details[1024];
    uint8_t *in;
    size_t in_length;
};

struct double_script {
    void (*on_request)(struct double_stream *s); /* headers came */
    void (*on_message)(struct double_stream *s, const uint8_t *data,
                       size_t length); /* one message */
    void (*on_half_close)(struct double_stream *s);
    bool hold_windows;       /* streams' windows return by double_consume() only */
    uint32_t initial_window; /* of streams; 0: HTTP/2's 65535 */
    void *arg;
};

/* The client's end of the socket is *client_fd. */
struct double_server *double_start(const struct double_script *script, int *client_fd);
/* Waits for the thread's end; closes its socket. */
void double_stop(struct double_server *d);
void *double_arg(struct double_server *d);

/* Runs fn in the server's thread and waits until it has run and its output is written. */
void double_run(struct double_server *d, void (*fn)(struct double_server *d, void *arg), void *arg);
/* The stream made last for `path`, or NULL. */
struct double_stream *double_find(struct double_server *d, const char *path);

/* For callbacks. */
void double_send(struct double_stream *s, const ProtobufCMessage *message);
void double_send_bytes(struct double_stream *s, const void *data,
                       size_t length); /* no prefix added */
void double_finish(struct double_stream *s, int grpc_status, const char *message,
                   const char *details_base64);
void double_reply(struct double_stream *s, const ProtobufCMessage *message);
void double_reset(struct double_stream *s, uint32_t code);
void double_headers(struct double_stream *s, const nghttp2_nv *nv, size_t count, bool end);
void double_consume(struct double_stream *s, size_t bytes);
void double_goaway(struct double_server *d, int32_t last_stream, uint32_t code);
void double_raw(struct double_server *d, const void *data, size_t length); /* past nghttp2 */
void double_hang_up(struct double_server *d);
/* Leaves the socket alone: the client's writes meet a full buffer. */
void double_deaf(struct double_server *d, bool deaf);

#endif
