/* What the handlers share: the record behind struct rpc, one row's worth of scratch, and the
 * methods that rpc.c adds to the server. */
#ifndef ACKD_RPC_STATE_H
#define ACKD_RPC_STATE_H

#include "base/hash.h"
#include "base/list.h"
#include "rpc/authorize.h"
#include "rpc/errors.h"
#include "rpc/rpc.h"
#include "ackd/v1/daemon.pb-c.h"
#include "ackd/v1/inspect.pb-c.h"
#include "ackd/v1/lab.pb-c.h"
#include "ackd/v1/tcp.pb-c.h"
#include "ackd/v1/types.pb-c.h"

struct endpoint;
struct session;
struct view_row;
struct brief;

/* Buckets of the tables by id and by request; chains stay short at the default quotas. */
enum { ENDPOINT_BUCKETS = 1 << 16, SESSION_BUCKETS = 1 << 10 };

/* Rows packed into one message of a listing, where time allows. */
enum { ROWS_BASIC = 64, ROWS_FULL = 16 };
/* What one turn of the loop may spend on a listing, a watch or a kill, in nanoseconds: packets want
 * to run, too. Checked between rows, whose own cost is some microseconds. */
#define TURN_NS (150 * NS_PER_US)

/* What one uid has now. Exists while any figure is above zero. */
struct usage {
    struct list link;
    uid_t uid;
    unsigned endpoints, listeners, sessions, watches;
};

struct rpc {
    struct rpc_config config;
    struct grpc_server *server;
    ackd_time started;
    struct hash_key key; /* of the tables: clients choose request ids */

    struct endpoint **endpoints; /* by id */
    struct endpoint **requests;  /* by uid and request id */
    struct list past;            /* released endpoints, oldest first */
    unsigned n_endpoints, n_past;

    struct session **sessions; /* by id */
    struct list all_sessions;
    uint64_t last_session;
    unsigned n_sessions;

    struct list usages;
    struct view_row *rows; /* ROWS_FULL of them, filled and packed within one callback */
    struct brief *brief;   /* the same for brief rows */
    const ProtobufCFieldDescriptor *
        *info_fields; /* view.c's: where each field of the engine goes */
    uint8_t *scratch; /* SCRATCH bytes: what a capture shows at a time */
};
/* The most that one answer to a Receive carries: it is copied within one turn of the loop. */
enum { RECEIVE_MAX = 1 << 18, SCRATCH = 1 << 18 };

struct usage *usage_of(struct rpc *rpc, uid_t uid); /* made when missing; NULL when out of memory */
void usage_put(struct usage *usage);                /* frees it when all is zero */

static inline ackd_time rpc_now(const struct rpc *rpc)
{
    return loop_now(rpc->config.loop);
}
/* Whether this callback has worked for so long that the rest belongs into another turn. */
static inline bool rpc_turn_spent(const struct rpc *rpc)
{
    struct loop *loop = rpc->config.loop;
    return time_diff(loop_clock(loop), loop_now(loop)) >= TURN_NS;
}
static inline void rpc_kick(const struct rpc *rpc)
{
    loop_kick(rpc->config.loop);
}

/* Defines the method `Type` of ackd.v1.Daemon, answered by on_`name`(). */
#define DAEMON_METHOD(name, Type)                                                                  \
    const struct grpc_method name##_method = {                                                     \
        .path = "/ackd.v1.Daemon/" #Type,                                                          \
        .input = &ackd__v1__##name##_request__descriptor,                                          \
        .output = &ackd__v1__##name##_response__descriptor,                                        \
        .on_message = on_##name,                                                                   \
    }

/* The methods, each defined in the file of its name. */
extern const struct grpc_method session_method, open_method, listen_method, accept_method,
    send_method, receive_method, stream_method, close_method, abort_method, set_options_method,
    status_method;
extern const struct grpc_method list_method, get_method, watch_method, why_method, counters_method,
    capture_method, kill_method;
extern const struct grpc_method get_version_method, get_status_method, set_log_level_method,
    list_addresses_method, add_address_method, remove_address_method, list_routes_method,
    add_route_method, remove_route_method, list_neighbours_method, set_neighbour_method,
    remove_neighbour_method, list_keys_method, add_key_method, remove_key_method, use_key_method;
extern const struct grpc_method list_metrics_method, clear_metrics_method, set_fast_open_key_method;
extern const struct grpc_method lab_methods[];
extern const size_t n_lab_methods;

#endif
