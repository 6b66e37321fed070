/* The control socket's methods: ackd.v1.Tcp, Inspect, Lab and Daemon, on the gRPC server of grpc.h.
 *
 * Handlers run in callbacks of the loop and call the engine directly; each asks for a cycle by
 * loop_kick(). They know nothing of HTTP/2; the engine knows nothing of them: it tells by
 * tcp_ready_next() which endpoint moved, the host hands that to rpc_on_ready(), and the calls that
 * wait for the endpoint look again. */
#ifndef ACKD_RPC_RPC_H
#define ACKD_RPC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/net.h"
#include "observe/observe.h"
#include "rpc/grpc.h"
#include "tcp/tcp.h"

/* The owner number of every endpoint made by RPC: readiness with this owner belongs to
 * rpc_on_ready(). */
enum { RPC_OWNER = 1 };

/* The roles of roles.proto, same numbers; each includes those before it. */
enum rpc_role { RPC_ROLE_NONE, RPC_ROLE_MONITOR, RPC_ROLE_USER, RPC_ROLE_LAB, RPC_ROLE_ADMIN };

/* What the configuration gives to a user or a group beyond the default. */
struct rpc_grant {
    bool group; /* `number` is a gid, else a uid */
    uint32_t number;
    enum rpc_role role;    /* at least this role */
    bool privileged_ports; /* may listen on and open from ports below rpc_policy.privileged_below */
};

/* Who may do what. Root and the daemon's own uid are admin; others have `default_role`, or what a
 * grant gives. Peers of the read-only socket are monitors, whoever they are. */
struct rpc_policy {
    uid_t own_uid;                  /* the daemon's */
    enum rpc_role default_role;     /* 0: ROLE_USER */
    const struct rpc_grant *grants; /* must outlive the server */
    unsigned n_grants;
    uint16_t privileged_below; /* local ports below it need admin or a grant; 0: none do */
    const struct ip_prefix *destinations; /* where users may open to; NULL: everywhere */
    unsigned n_destinations;
};

/* Bounds; 0 takes the default. */
struct rpc_limits {
    unsigned endpoints_uid;     /* endpoints of one uid; default 65536 */
    unsigned endpoints_session; /* endpoints of one session; default 65536 */
    unsigned listeners_uid;     /* default 1024 */
    unsigned
        sessions_uid; /* sessions of one uid, those in their grace time included; default 1024 */
    unsigned watches_uid; /* Watch and Capture calls of one uid; default 64 */
    unsigned past; /* released endpoints whose owner and label are remembered; default 16384 */
};

/* How long the loop's callbacks took, by the wall clock and by the processor's. */
struct rpc_loop_stats {
    int64_t longest_ns;
    const char *longest_name;
    int64_t longest_cpu_ns;
    const char *longest_cpu_name;
    unsigned n_buckets;   /* <= 64 */
    int64_t below_ns[64]; /* callbacks of bucket i took less than this; the last is INT64_MAX */
    uint64_t count[64];
    uint64_t cpu_count[64];
    uint64_t wakeups;
};

/* What only the host knows. */
struct rpc_host {
    void *arg;
    void (*loop_stats)(void *arg, struct rpc_loop_stats *out);
    /* The name of the built-in service behind an endpoint whose owner is not RPC_OWNER ("echo"), or
     * NULL. May be NULL. */
    const char *(*service_of)(void *arg, uint32_t owner, uint64_t cookie);
};

struct rpc_config {
    struct loop *loop;
    struct log *log; /* Daemon.SetLogLevel writes its level */
    struct tcp_engine *engine;
    struct net *net;
    struct observe *observe;
    struct arena *arena; /* its figures are shown */
    struct grpc_limits grpc;
    struct rpc_limits limits;
    struct rpc_policy policy;
    struct rpc_host host;
    const char *instance_id; /* of this daemon's life */
    const char *version;
    const char *link; /* "tap:ackd0", "none" */
    uint32_t mtu;
    uint8_t mac[6];
    const char *const *services; /* "echo@7", as text for Daemon.GetStatus */
    unsigned n_services;
};

struct rpc;
/* Pointers in the config must outlive it. NULL when out of memory. */
struct rpc *rpc_new(const struct rpc_config *config);
/* Closes every connection; endpoints stay the engine's. */
void rpc_free(struct rpc *rpc);
/* Takes over a listening Unix socket. 0 or -errno. */
int rpc_listen(struct rpc *rpc, int fd, bool read_only);
/* Readiness of an endpoint whose owner is RPC_OWNER. */
void rpc_on_ready(struct rpc *rpc, const struct tcp_ready *ready);
/* No new calls; the health says NOT_SERVING. */
void rpc_drain(struct rpc *rpc);

#endif
