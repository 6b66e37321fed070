/* libackd: TCP connections of an ackd daemon, for C programs.
 *
 * A `struct ackd` is one connection to the daemon's control socket. Calls block until they are
 * answered, or until a deadline; everything that yields many things (streams, lists, watches,
 * captures, session notices) can also be polled: ackd_fd(), ackd_poll_events(), ackd_process(), and
 * a timeout of 0. A struct ackd and all that was made from it belong to one thread at a time;
 * several threads take one each. Any number of streams, watches and calls may be under way on one
 * connection.
 *
 *     struct ackd_error err;
 *     struct ackd *a = ackd_connect(NULL, &err);
 *     struct ackd_open_result c;
 *     if (!a || ackd_open(a, &(struct ackd_open_request){.remote = {"10.0.0.1", 80}, .wait_ms =
 * 5000}, &c, &err) < 0) errx(1, "%s: %s", err.errno_name, err.message);
 *
 * Results. Functions that return int answer 0 or a positive number when they did what they say, and
 * -1 with *err filled. `err` may be NULL. Requests are structs whose zero members mean the default,
 * so that new members can come; copy results that shall outlive what each function promises. No
 * function raises SIGPIPE, installs a handler, starts a thread, prints, or exits.
 *
 * Bytes have absolute stream offsets, from 0 at the first byte after SYN. After a deadline, a
 * cancellation or a lost daemon connection the offsets (ackd_status()) are the only truth about
 * what was accepted and what was taken. */
#ifndef ACKD_H
#define ACKD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ackd_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ackd;

/* ---- errors ---- */

/* gRPC's status codes (https://grpc.io/docs/guides/status-codes). */
enum ackd_code {
    ACKD_OK = 0,
    ACKD_CANCELLED = 1, /* the file descriptor of ackd_set_cancel_fd() became readable */
    ACKD_UNKNOWN = 2,
    ACKD_INVALID_ARGUMENT = 3,
    ACKD_DEADLINE_EXCEEDED = 4, /* the daemon did not answer in time; never a TCP outcome */
    ACKD_NOT_FOUND = 5,         /* no such id */
    ACKD_ALREADY_EXISTS = 6,
    ACKD_PERMISSION_DENIED = 7,
    ACKD_RESOURCE_EXHAUSTED = 8, /* a limit or a quota */
    ACKD_FAILED_PRECONDITION = 9,
    ACKD_ABORTED = 10,
    ACKD_OUT_OF_RANGE = 11,
    ACKD_UNIMPLEMENTED = 12,
    ACKD_INTERNAL = 13,    /* an answer that this library cannot read, too */
    ACKD_UNAVAILABLE = 14, /* the daemon cannot be reached, or went away; never a TCP outcome */
    ACKD_DATA_LOSS = 15,
    ACKD_UNAUTHENTICATED = 16,
};

struct ackd_error {
    int grpc_code;       /* enum ackd_code */
    char errno_name[24]; /* "ECONNREFUSED"; empty when the outcome has none */
    char reason[64];     /* "RST_IN_SYN_SENT"; empty when there is none */
    char message[256];   /* a sentence */
    char field[64];      /* what of the request was wrong: "options.ttl"; else empty */
};

/* "NOT_FOUND"; "UNKNOWN" for a number that is none of them. Never NULL. */
const char *ackd_code_name(int grpc_code);

/* ---- the connection to the daemon ---- */

/* Connects to a daemon's control socket. `address` is "unix:///PATH", "unix:PATH", anything with a
 * '/' (a path), or the NAME of an instance (see ackd_socket_path()); NULL takes the environment's
 * ACKD_SOCKET, and without it the one instance that runs. NULL with UNAVAILABLE when nobody listens
 * there (the errno of connect() in errno_name). */
struct ackd *ackd_connect(const char *address, struct ackd_error *err);

/* Takes over a connected stream socket (a socketpair's end, an ssh tunnel's). Closes it in every
 * case. */
struct ackd *ackd_connect_fd(int fd, struct ackd_error *err);

/* Closes the connection, and with it everything made from it: streams and iterators must not be
 * used any more (their _free and _close must come before). Endpoints of a session without grace
 * time end. NULL is allowed. */
void ackd_disconnect(struct ackd *a);

/* Writes the path that ackd_connect() would use. An instance NAME is
 * $XDG_RUNTIME_DIR/ackd/NAME/control.sock where that exists and the caller is not root, otherwise
 * /run/ackd/NAME/control.sock. Without a name, and without ACKD_SOCKET, it is the one instance that
 * runs: UNAVAILABLE when there is none, INVALID_ARGUMENT with their names when there are several
 * (its NAME is that of the daemon's TAP, or "none"). -1 also when the path does not fit into a
 * socket address or the NAME is malformed. */
int ackd_socket_path(const char *address, char *path, size_t size, struct ackd_error *err);

/* How long the daemon may take to answer, beyond a request's own wait_ms; default 10000, 0 means
 * for ever. */
void ackd_set_timeout(struct ackd *a, unsigned timeout_ms);

/* While `fd` (a pipe that a signal handler writes to, a signalfd) is readable, every blocking wait
 * ends with CANCELLED, errno_name ECANCELED; nothing is read from it. -1 for none. */
void ackd_set_cancel_fd(struct ackd *a, int fd);

/* For programs with a loop of their own: wait for ackd_poll_events() (POLLIN, POLLOUT) on
 * ackd_fd(), then call ackd_process(), which never blocks; then try the calls that may have become
 * ready, with a timeout of 0. -1 when the connection is lost. Functions with a timeout of 0 process
 * by themselves: after one of them has answered ACKD_AGAIN or 0 it is right to poll. */
int ackd_fd(const struct ackd *a);
short ackd_poll_events(const struct ackd *a);
int ackd_process(struct ackd *a, struct ackd_error *err);

/* The last answer of a call that has exactly one, as a message; valid until the next such call on
 * `a`. NULL before the first, and after an error. */
const struct ackd_message *ackd_reply(const struct ackd *a);

/* What the next-functions below answer. */
enum ackd_next {
    ACKD_FAILED = -1, /* see err; it will not go on, except after CANCELLED */
    ACKD_END = 0,     /* that was all */
    ACKD_ITEM = 1,    /* *out is filled */
    ACKD_AGAIN = 2,   /* nothing within timeout_ms */
};
/* timeout_ms of all functions: 0 does not wait, ACKD_FOREVER does. */
#define ACKD_FOREVER (-1)

/* ---- sessions ---- */

/* Endpoints belong to a session, kept open in the background of this connection, or are detached.
 * One session a connection. */
struct ackd_session_request {
    const char *token; /* reclaims an earlier session within its grace time; NULL for a new one */
    uint32_t grace_ms; /* how long endpoints outlive this connection; at most 300000 */
    const char *name;  /* shown in listings */
};
#define ACKD_SESSION_ENDPOINTS_MAX 256
struct ackd_session {
    uint64_t session_id;
    char token[128]; /* keep it secret */
    uint32_t grace_ms;
    uint64_t endpoint_ids[ACKD_SESSION_ENDPOINTS_MAX]; /* after a reclaim */
    size_t endpoint_count;
};
/* FAILED_PRECONDITION when this connection has a session already. `out` may be NULL. */
int ackd_session_begin(struct ackd *a, const struct ackd_session_request *request,
                       struct ackd_session *out, struct ackd_error *err);
/* The session of this connection; 0 none. */
uint64_t ackd_session_id(const struct ackd *a);

enum ackd_notice_kind {
    ACKD_NOTICE_UNSPECIFIED = 0,
    ACKD_NOTICE_URGENT = 1,
    ACKD_NOTICE_SOFT_ERROR = 2,
    ACKD_NOTICE_CLOSED = 3,
};
struct ackd_notice {
    uint64_t id;
    enum ackd_notice_kind kind;
    char error[24]; /* "EHOSTUNREACH" */
    enum ackd_close_reason close_reason;
    const struct ackd_message *message; /* until the next call of ackd_session_next() */
};
/* What happened to an endpoint of the session. ACKD_END when the session is over. */
enum ackd_next ackd_session_next(struct ackd *a, struct ackd_notice *out, int timeout_ms,
                                 struct ackd_error *err);
/* Ends the session: its endpoints end with it unless it has a grace time. */
int ackd_session_end(struct ackd *a, struct ackd_error *err);

/* Who owns a new endpoint. */
enum ackd_own {
    ACKD_OWN_SESSION = 0,  /* this connection's session; one is begun when there is none */
    ACKD_OWN_DETACHED = 1, /* nobody's: lives until closed, or until idle for idle_timeout_ms */
};
struct ackd_ownership {
    enum ackd_own kind;
    uint64_t idle_timeout_ms; /* 0: for ever */
    const char *label;        /* "@label" in listings and selectors; at most 63 bytes; NULL none */
};

/* ---- the user calls of RFC 9293 section 3.9.1 ---- */

struct ackd_open_request {
    struct ackd_endpoint remote;
    struct ackd_endpoint local;         /* empty: chosen by route; port 0: chosen */
    const struct ackd_options *options; /* NULL: defaults */
    struct ackd_ownership ownership;
    const char *request_id; /* the same id from the same user answers with the same endpoint; NULL:
                               a fresh one; "": none, a call that is cancelled aborts the attempt */
    uint32_t wait_ms;       /* for ESTABLISHED; when it is over, state says SYN-SENT */
    bool fast_open;         /* data in the SYN, or the request for a cookie (RFC 7413) */
    const void *data;       /* the first data, NULL: none */
    size_t length;
};
struct ackd_open_result {
    uint64_t id;
    enum ackd_state state;
    struct ackd_endpoint local, remote;
    uint64_t accepted_until; /* every byte of data before this stream offset was accepted */
};
/* Active OPEN. */
int ackd_open(struct ackd *a, const struct ackd_open_request *request, struct ackd_open_result *out,
              struct ackd_error *err);

struct ackd_listen_request {
    struct ackd_endpoint local;  /* empty address: any; port 0: chosen */
    struct ackd_endpoint remote; /* only this peer; empty: anyone */
    uint32_t backlog;            /* 1..65535; 0: 128 */
    bool v6_only, v4_only;
    const struct ackd_options *options;
    struct ackd_ownership ownership;
    const char *request_id;
};
struct ackd_listen_result {
    uint64_t id;
    struct ackd_endpoint local;
};
/* Passive OPEN. */
int ackd_listen(struct ackd *a, const struct ackd_listen_request *request,
                struct ackd_listen_result *out, struct ackd_error *err);

struct ackd_accept_request {
    uint64_t id; /* of the listener */
    struct ackd_ownership ownership;
    uint32_t wait_ms;
};
struct ackd_accept_result {
    uint64_t id; /* 0: none came within wait_ms */
    struct ackd_endpoint local, remote;
};
int ackd_accept(struct ackd *a, const struct ackd_accept_request *request,
                struct ackd_accept_result *out, struct ackd_error *err);

/* Of one call no more bytes than this are sent; accepted_until tells where to go on. */
#define ACKD_SEND_MAX (1u << 20)
struct ackd_send_request {
    uint64_t id;
    uint64_t offset; /* stream offset of data[0]: what was accepted already is skipped, a gap is
                        OUT_OF_RANGE */
    const void *data;
    size_t length;
    bool push, urgent;
    uint32_t wait_ms; /* for room in the send buffer */
};
struct ackd_send_result {
    uint64_t accepted_until;     /* every byte before it was accepted */
    uint64_t acknowledged_until; /* every byte before it was acknowledged by the peer */
};
int ackd_send(struct ackd *a, const struct ackd_send_request *request, struct ackd_send_result *out,
              struct ackd_error *err);

struct ackd_receive_request {
    uint64_t id;
    uint64_t from_offset; /* releases everything before it */
    uint32_t max_bytes;   /* 0: 65536; at most 262144 */
    uint32_t min_bytes;   /* wait for so many, or the end of the stream, urgent data, or wait_ms */
    uint32_t wait_ms;
};
struct ackd_receive_result {
    uint64_t offset;  /* of data[0] */
    const void *data; /* valid until the next call with one answer on `a` */
    size_t length;
    bool end_of_stream; /* the peer's FIN follows data */
    bool has_urgent_mark;
    uint64_t urgent_mark; /* just past urgent data that is still to be read */
};
int ackd_receive(struct ackd *a, const struct ackd_receive_request *request,
                 struct ackd_receive_result *out, struct ackd_error *err);

enum ackd_close_how {
    ACKD_CLOSE_HOW_SEND = 1,    /* no more data from us (half-close) */
    ACKD_CLOSE_HOW_RELEASE = 2, /* give the endpoint up, too: unread data reset the connection */
};
/* CLOSE. Waits up to wait_ms until our FIN is acknowledged; `state` (may be NULL) is the state
 * then. */
int ackd_close(struct ackd *a, uint64_t id, enum ackd_close_how how, uint32_t wait_ms,
               enum ackd_state *state, struct ackd_error *err);
/* ABORT: RST. */
int ackd_abort(struct ackd *a, uint64_t id, struct ackd_error *err);

/* `label` NULL leaves the label; `out` (may be NULL) is what is in force afterwards. */
int ackd_set_options(struct ackd *a, uint64_t id, const struct ackd_options *options,
                     const char *label, struct ackd_options *out, struct ackd_error *err);

struct ackd_status_result {
    struct ackd_connection connection; /* its message: until the next call with one answer on `a` */
    uint64_t send_offset, receive_offset; /* what Send and Receive go on from */
};
/* STATUS, for an endpoint of one's own. */
int ackd_status(struct ackd *a, uint64_t id, struct ackd_status_result *out,
                struct ackd_error *err);

/* ---- streams: both ways on one call ---- */

/* Flow control is end to end: bytes that the user has not taken stay in the daemon's receive buffer
 * (beyond one HTTP/2 stream window) and close the peer's window; bytes that the connection cannot
 * take yet stay with the user. */
struct ackd_stream;
struct ackd_stream_request {
    uint64_t id;
    uint64_t receive_from; /* where to read from: 0, or receive_offset of ackd_status() */
    uint64_t send_from;    /* offset of the first byte written: 0, or send_offset */
    bool keep_open; /* ackd_stream_close() without ackd_stream_shutdown() leaves our side of the
                       connection open */
    bool confirm_receipt; /* bytes stay unreleased in the daemon until ackd_stream_consume() has
                             taken them */
};
/* Does not wait for the daemon: an id that is wrong shows at the first read or write. */
struct ackd_stream *ackd_stream_open(struct ackd *a, const struct ackd_stream_request *request,
                                     struct ackd_error *err);

#define ACKD_PUSH 1   /* PUSH on the last byte */
#define ACKD_URGENT 2 /* everything up to the last byte is urgent */
/* Writes bytes; they are copied or on their way when it returns. Waits up to timeout_ms for all to
 * be taken and answers how many were: 0 when there was room for none, -1 when the stream failed. */
ssize_t ackd_stream_write(struct ackd_stream *s, const void *data, size_t length, int flags,
                          int timeout_ms, struct ackd_error *err);
/* Half-close: FIN after what was written. */
int ackd_stream_shutdown(struct ackd_stream *s, struct ackd_error *err);
/* Waits until the daemon has accepted every byte written into the connection's send buffer, and the
 * FIN of ackd_stream_shutdown() behind them. 1 yes, 0 not within timeout_ms. It does not read: a
 * peer that sends more than a window meanwhile can hold it up. */
int ackd_stream_flush(struct ackd_stream *s, int timeout_ms, struct ackd_error *err);

/* What can be read in place, at least one byte: *data, *length, until ackd_stream_consume().
 * ACKD_ITEM, ACKD_END after the peer's FIN, ACKD_AGAIN, ACKD_FAILED. */
enum ackd_next ackd_stream_peek(struct ackd_stream *s, const void **data, size_t *length,
                                int timeout_ms, struct ackd_error *err);
/* Takes the first `length` bytes (at most what ackd_stream_peek() showed): their window goes back
 * to the daemon. */
void ackd_stream_consume(struct ackd_stream *s, size_t length);
/* The same by copying. > 0 bytes, 0 after the peer's FIN, -1 an error: with errno_name EAGAIN
 * nothing came within timeout_ms and the stream goes on. */
ssize_t ackd_stream_read(struct ackd_stream *s, void *buffer, size_t size, int timeout_ms,
                         struct ackd_error *err);

struct ackd_stream_info {
    uint64_t received_until;     /* stream offset after the last byte taken by the user */
    uint64_t written_until;      /* stream offset after the last byte taken from the user */
    uint64_t accepted_until;     /* in the connection's send buffer, as told last */
    uint64_t acknowledged_until; /* by the peer, as told last */
    size_t readable_bytes;       /* in memory here */
    size_t writable_bytes;       /* that ackd_stream_write() would take now */
    bool end_of_stream;          /* the peer's FIN was received here */
    bool has_urgent_mark;
    uint64_t urgent_mark; /* stream offset just past urgent data that is still to be read */
};
void ackd_stream_get_info(const struct ackd_stream *s, struct ackd_stream_info *out);
/* Ends the call at once: bytes that the daemon has not accepted yet (ackd_stream_flush()) are lost,
 * and so are those that it has released and nobody read (confirm_receipt prevents that). The
 * endpoint lives on (ackd_close()). NULL is allowed. */
void ackd_stream_close(struct ackd_stream *s);

/* ---- inspection ---- */

struct ackd_port_range {
    uint16_t first, last;
};
/* All that is set must match; a list matches any of its values. */
struct ackd_filter {
    const uint64_t *ids;
    size_t id_count;
    const enum ackd_state *states;
    size_t state_count;
    uint32_t family;                          /* 4 or 6; 0 both */
    const char *local_prefix, *remote_prefix; /* "ADDR", "ADDR/LEN" or NULL */
    const struct ackd_port_range *local_ports;
    size_t local_port_count;
    const struct ackd_port_range *remote_ports;
    size_t remote_port_count;
    const char *label; /* exact; NULL any */
    bool has_uid;
    uint32_t uid;
    uint64_t listener_id;
};

enum ackd_view {
    ACKD_VIEW_BASIC = 1, /* identity, state, queues, owner; the default */
    ACKD_VIEW_FULL = 2,
};
struct ackd_list_request {
    const struct ackd_filter *filter; /* NULL: all */
    enum ackd_view view;
    uint32_t limit; /* 0: all */
    uint64_t page_after_id;
    bool closed; /* the recently closed instead of the living */
};
struct ackd_list;
/* Endpoints in order of their ids. NULL on error (most errors show at ackd_list_next()). */
struct ackd_list *ackd_list(struct ackd *a, const struct ackd_list_request *request,
                            struct ackd_error *err);
/* out->message is valid until the next call. */
enum ackd_next ackd_list_next(struct ackd_list *l, struct ackd_connection *out, int timeout_ms,
                              struct ackd_error *err);
/* The same for rows of view BASIC, some ten times as quick: without out->message, and only what
 * such rows tell is written to *out (see ACKD_VIEW_BASIC), which the caller has zeroed once. One or
 * the other of the two on a list. */
enum ackd_next ackd_list_next_brief(struct ackd_list *l, struct ackd_connection *out,
                                    int timeout_ms, struct ackd_error *err);
/* The daemon's life; empty before the first answer of ackd_list_next() (ITEM or END). */
const char *ackd_list_instance_id(const struct ackd_list *l);
void ackd_list_free(struct ackd_list *l);

/* One endpoint, FULL. out->message: until the next call with one answer on `a`. */
int ackd_get(struct ackd *a, uint64_t id, struct ackd_connection *out, struct ackd_error *err);

struct ackd_watch_request {
    const struct ackd_filter *filter;
    bool initial_snapshot;   /* what is there now comes first, ended by ACKD_EVENT_SYNCED */
    uint64_t after_event;    /* go on after this event id; needs instance_id */
    const char *instance_id; /* another one than the daemon's: OUT_OF_RANGE */
    bool segments;           /* segments, too, not only state changes */
    uint32_t payload_bytes;  /* first bytes of each payload, at most 64 */
};
enum ackd_event_kind {
    ACKD_EVENT_UNKNOWN = 0, /* from a newer daemon */
    ACKD_EVENT_SNAPSHOT_ROW = 6,
    ACKD_EVENT_SYNCED = 7,
    ACKD_EVENT_STATE = 8,
    ACKD_EVENT_SEGMENT = 9,
    ACKD_EVENT_LOST = 10,
};
struct ackd_state_change {
    uint64_t id;
    struct ackd_endpoint local, remote;
    enum ackd_state old_state, new_state;
    enum ackd_close_reason close_reason;
    uint64_t listener_id;
    char label[64];
};
struct ackd_segment {
    uint64_t id; /* 0: about no connection */
    enum ackd_direction direction;
    struct ackd_endpoint local, remote;
    struct ackd_header header;
    uint32_t payload_length_bytes;
    uint32_t gso_size_bytes; /* payload bytes of each wire segment behind an offloaded frame; 0: one
                                segment */
    const uint8_t *payload;  /* the first bytes; valid like the event's message */
    size_t payload_shown;
    enum ackd_state state_after;
    enum ackd_send_kind send_kind;
    enum ackd_drop_reason drop_reason;
    enum ackd_reset_sent_reason reset_reason;
    uint32_t scaled_window_bytes;
    uint32_t acked_sequence_number, acked_length; /* what our acknowledgment number is the sum of */
    uint32_t iss, irs;                            /* for relative numbers */
    uint32_t cwnd_bytes, bytes_in_flight;
};
struct ackd_event {
    uint64_t sequence; /* of this watch: 1, 2, 3 ... without gaps */
    uint64_t event_id; /* global; 0 for SNAPSHOT_ROW, SYNCED and LOST */
    char instance_id[64];
    int64_t time_ns, wall_time_ns;
    enum ackd_event_kind kind;
    struct ackd_connection snapshot_row; /* only the one that `kind` names is filled */
    struct ackd_state_change state;
    struct ackd_segment segment;
    uint64_t lost_count;
    const struct ackd_message *message; /* until the next call of ackd_watch_next() */
};
struct ackd_watch;
struct ackd_watch *ackd_watch(struct ackd *a, const struct ackd_watch_request *request,
                              struct ackd_error *err);
enum ackd_next ackd_watch_next(struct ackd_watch *w, struct ackd_event *out, int timeout_ms,
                               struct ackd_error *err);
void ackd_watch_free(struct ackd_watch *w);

struct ackd_why {
    uint64_t id;
    enum ackd_state state;
    enum ackd_limit_reason limit_reason;
    char sentence[512];         /* why nothing more is being sent, with the deciding numbers */
    char receive_sentence[512]; /* the same for the receiving side */
    struct ackd_limited_time limited[ACKD_LIMITED_MAX];
    size_t limited_count;
    bool has_next_change;
    int64_t next_change_in_ns;         /* when the reason ends by itself */
    struct ackd_connection connection; /* its message: until the next call with one answer on `a` */
};
int ackd_why(struct ackd *a, uint64_t id, struct ackd_why *out, struct ackd_error *err);

struct ackd_counter {
    const char *name; /* "tcp.retrans_segs" */
    uint64_t value;
    const char *unit, *meaning;
    bool gauge; /* a level and not a count that only grows */
};
struct ackd_counters {
    const struct ackd_counter
        *counters; /* these and all text: until the next call with one answer on `a` */
    size_t count;
    const char *instance_id;
    int64_t time_ns;
};
/* Counters whose names begin with `prefix` (NULL: all). */
int ackd_counters(struct ackd *a, const char *prefix, struct ackd_counters *out,
                  struct ackd_error *err);

struct ackd_capture_request {
    const struct ackd_filter *filter;
    uint32_t snap_length_bytes; /* of each packet; 0: 262144 */
    uint64_t packet_limit;      /* end after so many; 0: never */
    bool all_frames;            /* ARP, ICMP and frames about no connection, too */
};
struct ackd_capture;
struct ackd_capture *ackd_capture(struct ackd *a, const struct ackd_capture_request *request,
                                  struct ackd_error *err);
/* The next bytes of a pcapng file; valid until the next call. `lost_packets` (may be NULL): left
 * out so far. */
enum ackd_next ackd_capture_next(struct ackd_capture *c, const void **data, size_t *length,
                                 uint64_t *lost_packets, int timeout_ms, struct ackd_error *err);
void ackd_capture_free(struct ackd_capture *c);

struct ackd_killed {
    size_t count;
    uint64_t not_permitted; /* matched, but not the caller's */
};
/* Resets every endpoint that matches. ackd_killed_at() reads one of them until the next call with
 * one answer on `a`. */
int ackd_kill(struct ackd *a, const struct ackd_filter *filter, struct ackd_killed *out,
              struct ackd_error *err);
int ackd_killed_at(struct ackd *a, size_t index, struct ackd_connection *out);

/* ---- the daemon ---- */

struct ackd_version {
    char version[64], schema[32];
    const char *const *capabilities; /* until the next call with one answer on `a` */
    size_t capability_count;
};
int ackd_daemon_version(struct ackd *a, struct ackd_version *out, struct ackd_error *err);
/* The version of this library. */
const char *ackd_library_version(void);

struct ackd_state_count {
    enum ackd_state state;
    uint64_t count;
};
struct ackd_callback_bucket {
    int64_t below_ns; /* callbacks that took less than this, and at least the bucket before */
    uint64_t count;
    uint64_t cpu_count; /* the same by processor time */
};
struct ackd_daemon_status {
    char instance_id[64], version[64], link[64], log_level[16];
    uint32_t pid, mtu_bytes;
    int64_t uptime_ns, time_ns, wall_time_ns;
    uint64_t endpoints;
    struct ackd_state_count states[16];
    size_t state_count;
    uint64_t memory_limit_bytes, memory_used_bytes, memory_taken_bytes;
    uint64_t sessions, control_connections, watchers, wakeups;
    int64_t longest_callback_ns;
    char longest_callback_name[64];
    int64_t longest_callback_cpu_ns; /* processor time: without what others ran meanwhile */
    char longest_callback_cpu_name[64];
    struct ackd_callback_bucket callbacks[64];
    size_t callback_count;
    const char *const *services; /* until the next call with one answer on `a` */
    size_t service_count;
};
int ackd_daemon_status(struct ackd *a, struct ackd_daemon_status *out, struct ackd_error *err);

/* "error", "warning", "notice", "info", "debug". `previous` (may be NULL) has room for 16 bytes. */
int ackd_set_log_level(struct ackd *a, const char *level, char *previous, struct ackd_error *err);

struct ackd_address {
    char address[64];
    uint32_t prefix_length;
    char state[16]; /* "optimistic", "preferred", "duplicate" */
};
/* The list functions below answer with an array that is valid until the next call with one answer
 * on `a`. `mac` may be NULL, else has room for 24 bytes. */
int ackd_addresses(struct ackd *a, const struct ackd_address **list, size_t *count, char *mac,
                   struct ackd_error *err);
int ackd_add_address(struct ackd *a, const char *address, uint32_t prefix_length,
                     struct ackd_error *err);
int ackd_remove_address(struct ackd *a, const char *address, struct ackd_error *err);

struct ackd_route {
    char prefix[64];  /* "ADDR/LEN" */
    char gateway[64]; /* empty: on link */
};
int ackd_routes(struct ackd *a, const struct ackd_route **list, size_t *count,
                struct ackd_error *err);
int ackd_add_route(struct ackd *a, const char *prefix, const char *gateway, struct ackd_error *err);
int ackd_remove_route(struct ackd *a, const char *prefix, struct ackd_error *err);

struct ackd_neighbour {
    char address[64];
    char mac[24];   /* empty while unknown */
    char state[16]; /* RFC 4861 section 7.3.2: "incomplete", "reachable", "stale", "delay", "probe",
                       "failed" */
    bool is_static, is_router;
    uint32_t queued_packets;
    int64_t since_ns;
};
int ackd_neighbours(struct ackd *a, const struct ackd_neighbour **list, size_t *count,
                    struct ackd_error *err);
int ackd_set_neighbour(struct ackd *a, const char *address, const char *mac,
                       struct ackd_error *err);
int ackd_remove_neighbour(struct ackd *a, const char *address, struct ackd_error *err);

/* A key that signs segments (TCP-AO, TCP-MD5); its octets are in no answer. */
struct ackd_key {
    uint64_t key_id; /* counts from 1, never reused */
    enum ackd_key_algorithm algorithm;
    char remote[64];                  /* the peers: "ADDR" or "ADDR/LEN" */
    char local[64];                   /* empty: any address of ours */
    uint16_t remote_port, local_port; /* 0: any */
    uint8_t send_id, receive_id;      /* TCP-AO: KeyID of what we send, and of what we receive */
    bool exclude_options;             /* TCP-AO: the MAC does not cover the other options */
    uint32_t connections;             /* that use it now */
};
/* Those with larger ids than `after`. */
int ackd_keys(struct ackd *a, uint64_t after, const struct ackd_key **list, size_t *count,
              struct ackd_error *err);
/* `secret` has 1 to 80 octets; key_id and connections of `key` are not read. */
int ackd_add_key(struct ackd *a, const struct ackd_key *key, const void *secret, size_t length,
                 uint64_t *key_id, struct ackd_error *err);
/* force: even if connections use it; they go over to another key that fits, or end. */
int ackd_remove_key(struct ackd *a, uint64_t key_id, bool force, struct ackd_error *err);
/* Which key a connection with TCP-AO signs with, and which it asks its peer for; 0: as it is. */
int ackd_use_key(struct ackd *a, uint64_t id, uint64_t current, uint64_t next,
                 struct ackd_error *err);

/* What connections left to later ones between the same hosts (RFC 9040). */
struct ackd_path_metrics {
    char local[64], remote[64];
    int64_t updated_ns;
    bool has_srtt_ns, has_rttvar_ns;
    int64_t srtt_ns, rttvar_ns;
    uint32_t ssthresh_bytes; /* 0 unknown */
    uint32_t mss_bytes;      /* of the last answer to a Fast Open; 0 unknown */
    uint32_t fast_open_cookie_bytes, fast_open_losses;
    int64_t fast_open_good_after_ns;
    uint32_t accecn_failures; /* handshakes in a row that only a SYN without AccECN got through */
    int64_t accecn_offer_after_ns; /* AccECN is not offered before; 0: it is */
};
int ackd_metrics(struct ackd *a, const struct ackd_path_metrics **list, size_t *count,
                 struct ackd_error *err);
/* Forgets what is known of `remote`, with NULL everything; *cleared (or NULL) says how many. */
int ackd_clear_metrics(struct ackd *a, const char *remote, uint32_t *cleared,
                       struct ackd_error *err);
/* The secret of the cookies that a listener makes (RFC 7413; 0: every listener without one of its
 * own), and what it was before; 16 bytes, or NULL: keys of the daemon's own (a listener: the common
 * ones again), no backup. */
int ackd_set_fast_open_key(struct ackd *a, uint64_t listener, const uint8_t *key,
                           const uint8_t *backup, struct ackd_error *err);
/* Another secret, NULL: a random one; the present one stays good as the backup. */
int ackd_rotate_fast_open_key(struct ackd *a, uint64_t listener, const uint8_t *key,
                              struct ackd_error *err);

/* ---- enums as text ---- */

enum ackd_enum {
    ACKD_ENUM_STATE,
    ACKD_ENUM_DROP_REASON,
    ACKD_ENUM_RESET_SENT_REASON,
    ACKD_ENUM_RESET_RECEIVED_REASON,
    ACKD_ENUM_CLOSE_REASON,
    ACKD_ENUM_LIMIT_REASON,
    ACKD_ENUM_SEND_KIND,
    ACKD_ENUM_NET_DROP_REASON,
    ACKD_ENUM_DIRECTION,
    ACKD_ENUM_ICMP_POLICY,
    ACKD_ENUM_URGENT_MODE,
    ACKD_ENUM_SYN_COOKIES,
    ACKD_ENUM_LOSS_DETECTION,
    ACKD_ENUM_ECN_MODE,
    ACKD_ENUM_CONGESTION,
    ACKD_ENUM_PACING,
    ACKD_ENUM_MTU_PROBING,
    ACKD_ENUM_ACCECN_OPTION,
    ACKD_ENUM_KEY_ALGORITHM,
};
/* "CLOSE_USER_TIMEOUT" as in the .proto; NULL for a value that this library does not know. */
const char *ackd_enum_name(enum ackd_enum which, int value);
/* The sentence of the .proto: "Data stayed unacknowledged longer than the user timeout."; NULL as
 * above, "" where there is none. */
const char *ackd_enum_doc(enum ackd_enum which, int value);
/* The value of a name as in the .proto, with or without its prefix, in any case, '-' like '_'; -1
 * unknown. */
int ackd_enum_value(enum ackd_enum which, const char *name);
/* RFC 9293's spelling, "SYN-RECEIVED"; "UNKNOWN" for anything else. */
const char *ackd_state_name(enum ackd_state state);
/* Any usual spelling: "SYN_RECV", "fin-wait1", "ESTAB", "TIME-WAIT"; ACKD_STATE_UNSPECIFIED when it
 * is none. */
enum ackd_state ackd_state_parse(const char *text);
/* "10.0.0.1:80", "[2001:db8::1]:80", "*:80" for any address. The length like snprintf(). */
int ackd_endpoint_format(const struct ackd_endpoint *endpoint, char *buffer, size_t size);
/* "ADDR:PORT", "[ADDR]:PORT", ":PORT", "*:PORT"; 0 or -1. The address is not checked. */
int ackd_endpoint_parse(const char *text, struct ackd_endpoint *out);

/* ---- messages: generic access ---- */

/* The fields of a connection, flat and in a stable order: those of messages inside have dotted
 * names ("local.port", "last_sent.window"). `unit` is "bytes", "ns", "ms", "seq", "segments" ... or
 * ""; `type` is "uint32", "uint64", "int64", "bool", "string", "bytes", "enum" or "message" (a
 * list, printed as JSON); `doc` is the sentence of the .proto. */
struct ackd_field {
    const char *name, *unit, *type, *doc;
};
size_t ackd_field_count(void);
/* NULL beyond the last. */
const struct ackd_field *ackd_field_at(size_t index);
/* The index of a field: its name, its name without the unit ("cwnd", "srtt"), or "local" and
 * "remote" (address and port together, behind the others: an index of ackd_field_count() or more
 * that only ackd_field_value() takes); -1 unknown. */
int ackd_field_find(const char *name);
/* The value as bare text: numbers in decimal, states as RFC 9293 spells them, other enums by name
 * without the schema's prefix ("REFUSED"), bytes in hexadecimal. Answers its length like
 * snprintf(); -1 (and "") when it is absent: unknown, an unspecified enum, or of a message that is
 * not there. */
int ackd_field_value(const struct ackd_message *connection, int index, char *buffer, size_t size);

enum ackd_json_style {
    ACKD_JSON_SHORT = 0,
    ACKD_JSON_PRETTY = 1,   /* indented by two spaces */
    ACKD_JSON_DEFAULTS = 2, /* or-ed: fields with default values, too */
};
/* A message as protobuf's JSON with the .proto's names: 64-bit integers as strings, bytes in
 * base64, enums by name, default values left out. free() it; NULL without memory. */
char *ackd_json(const struct ackd_message *message, int style);

#ifdef __cplusplus
}
#endif

#endif
