/* Sessions: what keeps endpoints alive while a client's stream is open, and for a grace time after
 * it broke. */
#ifndef ACKD_RPC_SESSION_H
#define ACKD_RPC_SESSION_H

#include "rpc/state.h"

enum { TOKEN_BYTES = 32, SESSION_NAME_MAX = 63, GRACE_MAX_MS = 300000 };

struct session {
    struct rpc *rpc;
    struct session *next_by_id;
    struct list link; /* rpc->all_sessions */
    uint64_t id;
    char token[2 * TOKEN_BYTES + 1];
    char name[SESSION_NAME_MAX + 1];
    uid_t uid;
    uint32_t grace_ms;
    struct grpc_call *call;   /* NULL: the stream broke */
    struct loop_timer *timer; /* the grace time; while ending: the next step */
    bool ending;
    struct list endpoints;
    unsigned n_endpoints;
    struct list notices; /* endpoints with something to tell */
};

struct session *session_find(const struct rpc *rpc, uint64_t id);
/* For a call that names it: lives and belongs to the caller's uid. NULL: the call was failed. */
struct session *session_of_call(struct rpc *rpc, struct grpc_call *call, uint64_t id);
/* Something that the session's stream should tell happened to its endpoint. */
void session_notice(struct endpoint *e, unsigned what);
void session_forget_all(struct rpc *rpc);

#endif
