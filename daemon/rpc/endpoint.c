/* Endpoints and those who wait for them.
 *
 * An endpoint made by RPC belongs to a uid and either to a session or to nobody's (detached). Its
 * record is found by id; it dies when its user lets go, and what is left of it (owner and label) is
 * remembered in a bounded queue, because the engine shows the connection for as long as the
 * protocol needs it and the listing of the recently closed names its owner.
 *
 * Calls that wait are a list on the endpoint, woken in the order in which they came; a call leaves
 * the list when it is answered or when it ends, whatever ends it, so a client that disappears
 * leaves nothing behind. */
#include "rpc/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rpc/session.h"

/* How long an endpoint whose answer was lost waits for the client to ask again. */
static const int64_t CLAIM_NS = 60 * NS_PER_S;
/* How long a detached connection stays for its user once it is CLOSED: so that the reason can be
 * asked for, or what it received be read. The proto's Ownership states both. */
static const int64_t CLOSED_NS = 60 * NS_PER_S, CLOSED_UNREAD_NS = 3600 * NS_PER_S;

/* ---- usage ---- */

struct usage *usage_of(struct rpc *rpc, uid_t uid)
{
    list_for_each(l, &rpc->usages)
    {
        struct usage *u = container_of(l, struct usage, link);
        if (u->uid == uid) {
            return u;
        }
    }
    struct usage *u = calloc(1, sizeof *u);
    if (u) {
        u->uid = uid;
        list_append(&rpc->usages, &u->link);
    }
    return u;
}

void usage_put(struct usage *u)
{
    if (u && u->endpoints == 0 && u->listeners == 0 && u->sessions == 0 && u->watches == 0) {
        list_remove(&u->link);
        free(u);
    }
}

bool watch_quota_take(struct rpc *rpc, struct grpc_call *call)
{
    struct usage *usage = usage_of(rpc, grpc_call_peer(call)->uid);
    if (!usage || usage->watches >= rpc->config.limits.watches_uid) {
        call_fail(call, EMFILE, "QUOTA",
                  "the limit of %u watches and captures of one user is reached",
                  rpc->config.limits.watches_uid);
        usage_put(usage);
        return false;
    }
    usage->watches++;
    return true;
}

void watch_quota_return(struct rpc *rpc, uid_t uid)
{
    struct usage *usage = usage_of(rpc, uid);
    if (usage) {
        usage->watches--;
        usage_put(usage);
    }
}

/* ---- the tables ---- */

static struct endpoint **id_bucket(const struct rpc *rpc, uint64_t id)
{
    return &rpc->endpoints[siphash13(&rpc->key, &id, sizeof id) % ENDPOINT_BUCKETS];
}

static struct endpoint **request_bucket(const struct rpc *rpc, uid_t uid, const char *request_id)
{
    uint64_t hash = siphash13(&rpc->key, request_id, strlen(request_id)) ^
                    (uint64_t)uid * UINT64_C(0x9e3779b97f4a7c15);
    return &rpc->requests[hash % ENDPOINT_BUCKETS];
}

struct endpoint *endpoint_find(const struct rpc *rpc, uint64_t id)
{
    struct endpoint *e = *id_bucket(rpc, id);
    while (e && e->id != id) {
        e = e->next_by_id;
    }
    return e;
}

struct endpoint *endpoint_find_request(const struct rpc *rpc, uid_t uid, const char *request_id)
{
    struct endpoint *e = *request_bucket(rpc, uid, request_id);
    while (e && (e->uid != uid || strcmp(e->request_id, request_id) != 0)) {
        e = e->next_by_request;
    }
    return e;
}

static void leave_id_table(struct endpoint *e)
{
    struct endpoint **at = id_bucket(e->rpc, e->id);
    while (*at && *at != e) {
        at = &(*at)->next_by_id;
    }
    if (*at) {
        *at = e->next_by_id;
    }
}

static void leave_request_table(struct endpoint *e)
{
    if (!e->requested) {
        return;
    }
    struct endpoint **at = request_bucket(e->rpc, e->uid, e->request_id);
    while (*at && *at != e) {
        at = &(*at)->next_by_request;
    }
    if (*at) {
        *at = e->next_by_request;
    }
    e->requested = false;
}

/* ---- making ---- */

static bool read_label(struct grpc_call *call, const char *label)
{
    if (label && strlen(label) > LABEL_MAX) {
        call_fail_field(call, "ownership.label", "ownership.label: at most %d bytes", LABEL_MAX);
        return false;
    }
    return true;
}

bool ownership_read(struct rpc *rpc, struct grpc_call *call, const Ackd__V1__Ownership *m,
                    const struct endpoint *inherit, struct ownership *out)
{
    *out = (struct ownership){.label = m ? m->label : ""};
    if (!read_label(call, out->label)) {
        return false;
    }
    switch (m ? m->kind_case : ACKD__V1__OWNERSHIP__KIND__NOT_SET) {
    case ACKD__V1__OWNERSHIP__KIND_SESSION_ID:
        out->session = session_of_call(rpc, call, m->session_id);
        return out->session != NULL;
    case ACKD__V1__OWNERSHIP__KIND_DETACHED_IDLE_TIMEOUT_MS:
        if (m->detached_idle_timeout_ms > (uint64_t)(INT64_MAX / NS_PER_MS)) {
            call_fail_field(call, "ownership.detached_idle_timeout_ms",
                            "ownership.detached_idle_timeout_ms is too large");
            return false;
        }
        out->idle_timeout_ns = (int64_t)m->detached_idle_timeout_ms * NS_PER_MS;
        return true;
    default:
        break;
    }
    if (!inherit) {
        call_fail_field(call, "ownership",
                        "ownership: name the session that is to own the endpoint, or "
                        "detached_idle_timeout_ms (0: for ever)");
        return false;
    }
    out->session = inherit->session;
    out->idle_timeout_ns = inherit->idle_timeout_ns;
    return true;
}

/* Says which quota is full, or NULL. */
static const char *full_quota(const struct rpc *rpc, const struct usage *usage,
                              const struct session *session, bool is_listener, unsigned *limit)
{
    const struct rpc_limits *l = &rpc->config.limits;
    if (usage->endpoints >= l->endpoints_uid) {
        *limit = l->endpoints_uid;
        return "endpoints of one user";
    }
    if (is_listener && usage->listeners >= l->listeners_uid) {
        *limit = l->listeners_uid;
        return "listeners of one user";
    }
    if (session && session->n_endpoints >= l->endpoints_session) {
        *limit = l->endpoints_session;
        return "endpoints of one session";
    }
    return NULL;
}

static void copy_peer(struct endpoint *e, const struct grpc_peer *peer)
{
    e->uid = peer->uid;
    e->pid = peer->pid;
    memcpy(e->command, peer->command, sizeof e->command);
    e->command[sizeof e->command - 1] = '\0';
}

static void endpoint_timer(void *arg);

static void arm_idle(struct endpoint *e)
{
    bool idles = !e->session && e->idle_timeout_ns > 0;
    loop_timer_at(e->timer, idles ? time_add(e->last_use, e->idle_timeout_ns) : TIME_NEVER);
}

struct endpoint *endpoint_new(struct rpc *rpc, struct grpc_call *call,
                              const struct ownership *ownership, bool is_listener)
{
    const struct grpc_peer *peer = grpc_call_peer(call);
    struct usage *usage = usage_of(rpc, peer->uid);
    if (!usage) {
        call_fail_errno(call, ENOMEM, "no record for the endpoint");
        return NULL;
    }
    unsigned limit = 0;
    const char *quota = full_quota(rpc, usage, ownership->session, is_listener, &limit);
    if (quota) {
        call_fail(call, EMFILE, "QUOTA", "the limit of %u %s is reached", limit, quota);
        usage_put(usage);
        return NULL;
    }
    struct endpoint *e = calloc(1, sizeof *e);
    if (e && !(e->timer = loop_timer_new(rpc->config.loop, endpoint_timer, e))) {
        free(e);
        e = NULL;
    }
    if (!e) {
        call_fail_errno(call, ENOMEM, "no record for the endpoint");
        usage_put(usage);
        return NULL;
    }
    e->rpc = rpc;
    e->is_listener = is_listener;
    copy_peer(e, peer);
    snprintf(e->label, sizeof e->label, "%s", ownership->label ? ownership->label : "");
    e->session = ownership->session;
    e->idle_timeout_ns = ownership->idle_timeout_ns;
    list_init(&e->of_session);
    list_init(&e->notices);
    e->closed = TIME_NEVER;
    list_init(&e->waiters);
    list_init(&e->of_past);
    usage->endpoints++;
    usage->listeners += is_listener;
    rpc->n_endpoints++;
    if (e->session) {
        list_append(&e->session->endpoints, &e->of_session);
        e->session->n_endpoints++;
    }
    return e;
}

void endpoint_publish(struct endpoint *e, uint64_t id, const char *request_id)
{
    e->id = id;
    struct endpoint **bucket = id_bucket(e->rpc, id);
    e->next_by_id = *bucket;
    *bucket = e;
    if (request_id && request_id[0]) {
        snprintf(e->request_id, sizeof e->request_id, "%s", request_id);
        bucket = request_bucket(e->rpc, e->uid, e->request_id);
        e->next_by_request = *bucket;
        *bucket = e;
        e->requested = true;
    }
    endpoint_used(e);
    arm_idle(e);
}

/* Everything but the memory and the table by id: the quotas, the session, the timer, the request
 * id. */
static void let_go(struct endpoint *e)
{
    struct usage *usage = usage_of(e->rpc, e->uid);
    if (usage) {
        usage->endpoints--;
        usage->listeners -= e->is_listener;
        usage_put(usage);
    }
    e->rpc->n_endpoints--;
    if (e->session) {
        list_remove(&e->of_session);
        list_remove(&e->notices);
        e->session->n_endpoints--;
        e->session = NULL;
    }
    loop_timer_free(e->timer);
    e->timer = NULL;
    leave_request_table(e);
}

void endpoint_discard(struct endpoint *e)
{
    let_go(e);
    leave_id_table(e);
    free(e);
}

static void become_past(struct endpoint *e)
{
    struct rpc *rpc = e->rpc;
    let_go(e);
    e->past = true;
    list_append(&rpc->past, &e->of_past);
    if (++rpc->n_past > rpc->config.limits.past) {
        struct endpoint *oldest = container_of(rpc->past.next, struct endpoint, of_past);
        list_remove(&oldest->of_past);
        rpc->n_past--;
        leave_id_table(oldest);
        free(oldest);
    }
}

void endpoint_forget_all(struct rpc *rpc)
{
    for (unsigned b = 0; b < ENDPOINT_BUCKETS; b++) {
        while (rpc->endpoints[b]) {
            struct endpoint *e = rpc->endpoints[b];
            rpc->endpoints[b] = e->next_by_id;
            if (!e->past) {
                let_go(e);
            }
            free(e);
        }
    }
}

/* ---- finding ---- */

/* Says that its user let go of it, or that it was taken from its user. */
static void fail_gone(struct grpc_call *call, int error, const struct endpoint *e, const char *when)
{
    call_fail_id(call, error, e->killed ? "KILLED" : "ENDPOINT_RELEASED", e->id,
                 "endpoint %llu was %s%s", (unsigned long long)e->id,
                 e->killed ? "killed by an administrator" : "given up", when);
}

struct endpoint *endpoint_of_call(struct rpc *rpc, struct grpc_call *call, uint64_t id)
{
    const struct grpc_peer *peer = grpc_call_peer(call);
    struct endpoint *e = endpoint_find(rpc, id);
    if (e && !e->past) {
        if (e->uid != peer->uid && peer_role(&rpc->config.policy, peer) < RPC_ROLE_ADMIN) {
            call_fail_id(call, EPERM, "NOT_OWNER", id, "endpoint %llu belongs to uid %u",
                         (unsigned long long)id, (unsigned)e->uid);
            return NULL;
        }
        endpoint_used(e);
        e->known = true;
        return e;
    }
    struct tcp_info info;
    if (!e && id && tcp_status(rpc->config.engine, rpc_now(rpc), id, false, &info) == 0) {
        call_fail_id(
            call, EPERM, "NOT_HELD", id,
            "endpoint %llu is not held by any client: it waits to be accepted, or is built in",
            (unsigned long long)id);
    } else if (e) {
        fail_gone(call, EBADF, e, "");
    } else {
        call_fail_id(call, EBADF, "ENDPOINT_UNKNOWN", id, "there is no endpoint %llu",
                     (unsigned long long)id);
    }
    return NULL;
}

bool endpoint_uid(const struct rpc *rpc, uint64_t id, uint64_t listener, uid_t *uid)
{
    const struct endpoint *e = endpoint_find(rpc, id);
    if (!e && listener) {
        e = endpoint_find(rpc, listener);
    }
    if (e) {
        *uid = e->uid;
    }
    return e != NULL;
}

void endpoint_used(struct endpoint *e)
{
    e->last_use = rpc_now(e->rpc);
    if (e->unclaimed) {
        e->unclaimed = false;
        arm_idle(e);
    }
}

/* ---- ending ---- */

void endpoint_release(struct endpoint *e)
{
    if (e->past) {
        return;
    }
    tcp_release(e->rpc->config.engine, rpc_now(e->rpc), e->id);
    rpc_kick(e->rpc);
    become_past(e);
    endpoint_wake(e, WAIT_GONE);
}

void endpoint_answered(struct rpc *rpc, uint64_t id, bool lost, bool repeatable)
{
    struct endpoint *e = endpoint_find(rpc, id);
    if (!e || e->past) {
        return;
    }
    if (!lost) {
        e->known = true;
        endpoint_used(e);
    } else if (!e->known && !repeatable) {
        tcp_abort(rpc->config.engine, rpc_now(rpc), id, TCP_CLOSE_ABORTED);
        endpoint_release(e);
    } else if (!e->known) {
        e->unclaimed = true;
        loop_timer_at(e->timer, time_add(rpc_now(e->rpc), CLAIM_NS));
    }
}

void endpoint_closed(struct endpoint *e)
{
    e->closed = rpc_now(e->rpc);
    if (!e->session && !e->unclaimed) {
        loop_timer_at(e->timer, e->closed); /* which finds the deadline */
    }
}

void endpoint_kill(struct endpoint *e)
{
    e->killed = true;
    session_notice(e, TCP_READY_CLOSED);
    endpoint_wake(e, TCP_READY_CLOSED);
    endpoint_release(e);
}

/* When a detached endpoint is to be given up if nothing happens until then. */
static ackd_time idle_deadline(const struct endpoint *e, const struct tcp_info *info)
{
    ackd_time deadline = TIME_NEVER;
    if (e->idle_timeout_ns > 0) {
        deadline = time_add(e->last_use, e->idle_timeout_ns);
    }
    if (info->state == TCP_CLOSED) {
        ackd_time since = time_max(e->last_use, e->closed);
        int64_t wait = info->recv_q_bytes > 0 ? CLOSED_UNREAD_NS : CLOSED_NS;
        deadline = time_min(deadline, time_add(since, wait));
    }
    return deadline;
}

/* The claim or the idle timeout may have run out: traffic and waiting calls count as use. */
static void endpoint_timer(void *arg)
{
    struct endpoint *e = arg;
    struct rpc *rpc = e->rpc;
    struct tcp_info info;
    ackd_time now = rpc_now(rpc);
    bool there = tcp_status(rpc->config.engine, now, e->id, true, &info) == 0;
    if (there && e->unclaimed && !list_empty(&e->waiters)) {
        loop_timer_at(e->timer, time_add(now, CLAIM_NS)); /* somebody asked again and waits */
        return;
    }
    if (!there || e->unclaimed) {
        tcp_abort(rpc->config.engine, now, e->id, TCP_CLOSE_ABORTED);
        endpoint_release(e);
        return;
    }
    if (e->session) {
        return;
    }
    uint64_t bytes = info.bytes_sent + info.bytes_received;
    if (bytes != e->bytes_seen || !list_empty(&e->waiters)) {
        e->bytes_seen = bytes;
        e->last_use = now;
    }
    ackd_time deadline = idle_deadline(e, &info);
    if (time_reached(deadline, now)) {
        log_info(rpc->config.log, "endpoint %llu: idle for too long, given up",
                 (unsigned long long)e->id);
        endpoint_release(e);
    } else {
        loop_timer_at(e->timer, deadline);
    }
}

/* ---- waiting ---- */

void wait_join(struct wait *w, struct endpoint *e, struct grpc_call *call,
               void (*look)(struct wait *w, unsigned what))
{
    w->rpc = e->rpc;
    w->endpoint = e;
    w->call = call;
    w->timer = NULL;
    w->done = false;
    w->look = look;
    list_append(&e->waiters, &w->link);
}

static void wait_over(void *arg)
{
    struct wait *w = arg;
    w->look(w, WAIT_OVER);
}

void wait_start(struct wait *w, struct endpoint *e, struct grpc_call *call, uint32_t wait_ms,
                void (*look)(struct wait *w, unsigned what))
{
    wait_join(w, e, call, look);
    look(w, wait_ms == 0 ? WAIT_OVER : 0);
    if (!w->done) {
        wait_limit(w, wait_ms);
    }
}

void wait_limit(struct wait *w, uint32_t wait_ms)
{
    w->timer = loop_timer_new(w->rpc->config.loop, wait_over, w);
    if (!w->timer) {
        w->look(w, WAIT_OVER);
        return;
    }
    loop_timer_at(w->timer, time_add(rpc_now(w->rpc), (int64_t)wait_ms * NS_PER_MS));
}

void wait_done(struct wait *w)
{
    if (w->done) {
        return;
    }
    w->done = true;
    list_remove(&w->link);
    if (w->timer) {
        loop_timer_free(w->timer);
        w->timer = NULL;
    }
}

void wait_gone(struct wait *w)
{
    wait_done(w);
    fail_gone(w->call, ECANCELED, w->endpoint, " while the call waited");
}

void endpoint_wake(struct endpoint *e, unsigned what)
{
    struct list batch;
    list_init(&batch);
    if (!list_empty(&e->waiters)) {
        list_replace(&e->waiters, &batch);
    }
    while (!list_empty(&batch)) {
        struct wait *w = container_of(batch.next, struct wait, link);
        list_remove(&w->link);
        list_append(&e->waiters, &w->link);
        w->look(w, what);
    }
}
