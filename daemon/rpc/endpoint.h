/* The registry of endpoints that were made by RPC: who made each, under which session, and which
 * calls wait for it. */
#ifndef ACKD_RPC_ENDPOINT_H
#define ACKD_RPC_ENDPOINT_H

#include "rpc/state.h"

enum { LABEL_MAX = 63, REQUEST_ID_MAX = 63 };

struct endpoint {
    struct rpc *rpc;
    struct endpoint *next_by_id, *next_by_request; /* in their buckets */
    uint64_t id;
    bool is_listener;
    bool past;      /* released: only owner and label are still of interest */
    bool known;     /* the client knows the id: it got the answer, or named it in a call */
    bool unclaimed; /* the answer was lost; `timer` is the claim's */
    bool requested; /* is in the table by request id */
    bool killed;    /* past because of Inspect.Kill */
    uid_t uid;
    pid_t pid;
    char command[16];
    char label[LABEL_MAX + 1];
    char request_id[REQUEST_ID_MAX + 1];
    struct session *session; /* NULL: detached */
    struct list of_session;
    struct list notices;      /* link: on session->notices while notice != 0 */
    unsigned notice;          /* TCP_READY_* that the session was not told yet */
    int64_t idle_timeout_ns;  /* of a detached one; 0: none */
    struct loop_timer *timer; /* idle timeout of a detached one, or the claim */
    ackd_time last_use;
    ackd_time closed;    /* when it reached CLOSED; TIME_NEVER before */
    uint64_t bytes_seen; /* both ways, at the last look of the timer */
    struct list waiters;
    struct list of_past; /* link: on rpc->past */
};

/* ---- making ---- */

/* Who is to own a new endpoint. */
struct ownership {
    struct session *session; /* NULL: detached */
    int64_t idle_timeout_ns;
    const char *label;
};
/* Reads the message; `inherit` (the listener of an Accept, or NULL) stands in when it names nobody.
 * False: the call was failed. */
bool ownership_read(struct rpc *rpc, struct grpc_call *call, const Ackd__V1__Ownership *m,
                    const struct endpoint *inherit, struct ownership *out);

/* A record within the quotas of the peer and the session, not yet in the table. NULL: the call was
 * failed. */
struct endpoint *endpoint_new(struct rpc *rpc, struct grpc_call *call,
                              const struct ownership *ownership, bool is_listener);
/* The engine made it: from now on it is found by its id, and by (uid, request_id) unless that is
 * empty. */
void endpoint_publish(struct endpoint *e, uint64_t id, const char *request_id);
/* Takes a record away as if it had never been (the engine has none, or took it back). Its waiters
 * must be gone. */
void endpoint_discard(struct endpoint *e);

/* Counts a Watch or Capture call of the peer. False: the call was failed. */
bool watch_quota_take(struct rpc *rpc, struct grpc_call *call);
void watch_quota_return(struct rpc *rpc, uid_t uid);

/* ---- finding ---- */

/* By id, past ones included; NULL. */
struct endpoint *endpoint_find(const struct rpc *rpc, uint64_t id);
struct endpoint *endpoint_find_request(const struct rpc *rpc, uid_t uid, const char *request_id);
/* For a user call: lives, and is the caller's or the caller is admin. NULL: the call was failed.
 * The client knows it, then. */
struct endpoint *endpoint_of_call(struct rpc *rpc, struct grpc_call *call, uint64_t id);
/* Whose connection this is for the sake of payload and Kill: its own record, or its listener's.
 * False: nobody's (built in). */
bool endpoint_uid(const struct rpc *rpc, uint64_t id, uint64_t listener, uid_t *uid);
/* Somebody asked for it: the idle timeout begins anew, and a claim is settled. */
void endpoint_used(struct endpoint *e);

/* ---- ending ---- */

/* The user lets go: tcp_release(), waiting calls end, the record becomes past. */
void endpoint_release(struct endpoint *e);
/* The call whose answer names endpoint `id` ended, and the answer arrived or was lost. After a lost
 * one it may be claimed by the same request id, and is given up after a minute; without a request
 * id (not `repeatable`) nobody could find it again, and it goes at once. */
void endpoint_answered(struct rpc *rpc, uint64_t id, bool lost, bool repeatable);
/* It reached CLOSED. */
void endpoint_closed(struct endpoint *e);
/* Somebody other than its user ended it: session and waiting calls are told why, then it is
 * released. */
void endpoint_kill(struct endpoint *e);
void endpoint_forget_all(struct rpc *rpc);

/* ---- waiting ---- */

enum {
    WAIT_OVER = 1u << 30, /* the wait has ended: answer with what there is */
    WAIT_GONE = 1u << 31  /* the endpoint was released */
};

/* A call that may wait for its endpoint. `look` is called at once, at each readiness and at the end
 * of the wait; it answers the call and says wait_done(), or returns to wait on. */
struct wait {
    struct list link; /* endpoint->waiters */
    struct rpc *rpc;
    struct endpoint *endpoint;
    struct grpc_call *call;
    struct loop_timer *timer;
    bool done;
    void (*look)(struct wait *w, unsigned what);
};
void wait_start(struct wait *w, struct endpoint *e, struct grpc_call *call, uint32_t wait_ms,
                void (*look)(struct wait *w, unsigned what));
/* Waits without an end of its own (streams). */
void wait_join(struct wait *w, struct endpoint *e, struct grpc_call *call,
               void (*look)(struct wait *w, unsigned what));
/* Gives a joined wait its end. */
void wait_limit(struct wait *w, uint32_t wait_ms);
/* May be called twice. */
void wait_done(struct wait *w);
/* Ends the call because the endpoint was released under it. */
void wait_gone(struct wait *w);
void endpoint_wake(struct endpoint *e, unsigned what);

#endif
