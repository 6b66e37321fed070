/* The handlers between doubles: a loop in virtual time and a gRPC server without HTTP/2, over the
 * real engine and the real net/ (link none: connections to our own addresses loop back inside). A
 * test plays the client: it makes calls, sends messages, opens and closes the window, and reads
 * what came back. */
#ifndef TEST_HANDLERS_HARNESS_H
#define TEST_HANDLERS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "rpc/state.h"

#define LOCAL4 "192.0.2.1"
#define LOCAL6 "2001:db8::1"

struct test_reply {
    struct list link;
    size_t length;
    uint8_t data[];
};

/* A call as the client sees it. */
struct grpc_call {
    struct list link;
    const struct grpc_method *method;
    void *arg, *data;
    struct grpc_peer peer;
    size_t room;                     /* the client's window */
    bool begun, over, ended, hungry; /* hungry: room was 0 when the handler asked */
    enum grpc_code code;
    char errno_name[32], reason[64], sentence[512], key[16], value[64];
    struct list replies;
    unsigned n_replies;
    size_t consumed;
    ProtobufCBinaryData *in_place; /* while on_message() runs: the field that may be taken */
};

struct world {
    struct loop *loop;
    struct arena *arena;
    struct tcp_engine *engine;
    struct net *net;
    struct observe *observe;
    struct log log;
    struct rpc *rpc;
    struct list calls;     /* on the server side, not ended */
    struct grpc_peer peer; /* of the next calls: root */
    enum grpc_code (*authorize)(void *arg, const struct grpc_peer *peer,
                                const struct grpc_method *method, const char **why);
    void *authorize_arg;
    const struct grpc_method *methods[128];
    void *method_args[128];
    unsigned n_methods;
    uint64_t allocations_before;
};
extern struct world world; /* one a process: the doubles have no other way to find it */

/* cmocka setup and teardown. `config` may change limits and policy before rpc_new(). */
int world_setup(void **state);
int world_teardown(void **state);
extern void (*world_configure)(struct rpc_config *config);
extern bool world_ethernet; /* a link whose frames go nowhere, instead of none */

/* Runs everything that is due now, packets, events and readiness included, until nothing is. */
void run(void);
ackd_time now(void); /* virtual */
/* Lets virtual time pass in steps up to each timer. */
void advance_ms(int64_t ms);

/* ---- the client ---- */

/* A call with the world's peer and a large window. Refused by authorize: over at once. */
struct grpc_call *call_begin(const char *path);
/* Packs and unpacks the message as a wire would, and hands it over. */
void call_send(struct grpc_call *call, const void *message);
/* The same without running the loop: what was answered has not reached the client yet. */
void call_put(struct grpc_call *call, const void *message);
void call_half_close(struct grpc_call *call);
/* The client goes away: on_end(cancelled). The call must not be used afterwards. */
void call_cancel(struct grpc_call *call);
/* Gives the client's window `bytes` more. */
void call_room(struct grpc_call *call, size_t bytes);
/* The next reply, to be freed with reply_free(); NULL when there is none. */
void *call_reply(struct grpc_call *call);
void reply_free(void *reply);
/* After the end: frees the client's side. */
void call_free(struct grpc_call *call);

/* One request, one answer; fails the test when the call failed. */
void *ask(const char *path, const void *request);
/* The same, expecting an error: checks code and errno name; returns the call for the rest. */
struct grpc_call *ask_error(const char *path, const void *request, enum grpc_code code,
                            const char *errno_name);
/* And what programs read: the reason, and one entry of the metadata (NULL: not looked at). Frees
 * the call. */
void expect_reason(struct grpc_call *call, const char *reason, const char *key, const char *value);
void expect_error(struct grpc_call *call, enum grpc_code code, const char *errno_name);

/* ---- what tests often need ---- */

uint64_t make_listener(uint16_t port, uint32_t backlog); /* detached */
/* A connection to that listener; *accepted (may be NULL) is the other end. */
uint64_t make_connection(uint16_t port, uint64_t listener, uint64_t *accepted);
uint64_t send_text(uint64_t id, uint64_t offset, const char *text); /* accepted_until */
enum tcp_state state_of_id(uint64_t id);                            /* CLOSED when it is gone */

#endif
