/* Daemon.ListMetrics, ClearMetrics and SetFastOpenKey: what connections left to their successors
 * (RFC 9040), and the secret of TCP Fast Open's cookies (RFC 7413), which goes in and never comes
 * out. */
#include "rpc/address.h"
#include "rpc/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_MAX 4096u
#define KEY_LENGTH 16u

struct listing {
    struct rows rows;
    struct tcp_metrics from[METRICS_MAX];
    char local[IP_ADDR_TEXT], remote[IP_ADDR_TEXT];
    Ackd__V1__PathMetrics row;
};

static const ProtobufCMessage *show(struct rows *rows, unsigned i)
{
    struct listing *all = container_of(rows, struct listing, rows);
    const struct tcp_metrics *m = &all->from[i];
    Ackd__V1__PathMetrics *row = &all->row;
    ackd__v1__path_metrics__init(row);
    row->local = ip_addr_format(&m->local, all->local);
    row->remote = ip_addr_format(&m->remote, all->remote);
    row->updated_ns = m->updated.ns;
    if (m->srtt_ns >= 0) {
        row->srtt_ns_known_case = ACKD__V1__PATH_METRICS__SRTT_NS_KNOWN_SRTT_NS;
        row->srtt_ns = m->srtt_ns;
        row->rttvar_ns_known_case = ACKD__V1__PATH_METRICS__RTTVAR_NS_KNOWN_RTTVAR_NS;
        row->rttvar_ns = m->rttvar_ns;
    }
    row->ssthresh_bytes = m->ssthresh;
    row->mss_bytes = m->mss;
    row->fast_open_cookie_bytes = m->fast_open_cookie_len;
    row->fast_open_losses = m->fast_open_losses;
    row->fast_open_good_after_ns = m->fast_open_good_after.ns;
    row->accecn_failures = m->accecn_failures;
    row->accecn_offer_after_ns = m->accecn_offer_after.ns;
    return &row->base;
}

static void on_list_metrics(struct grpc_call *call, const ProtobufCMessage *message,
                            size_t wire_bytes)
{
    const struct rpc *rpc = grpc_call_arg(call);
    (void)message;
    (void)wire_bytes;
    struct listing *all = calloc(1, sizeof *all);
    if (!all) {
        call_fail_errno(call, ENOMEM, "metrics");
        return;
    }
    all->rows.row = show;
    all->rows.output = &ackd__v1__list_metrics_response__descriptor;
    rows_start(&all->rows, call, tcp_metrics_list(rpc->config.engine, 0, all->from, METRICS_MAX));
}

static void on_clear_metrics(struct grpc_call *call, const ProtobufCMessage *message,
                             size_t wire_bytes)
{
    const Ackd__V1__ClearMetricsRequest *m = (const Ackd__V1__ClearMetricsRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct ip_addr remote;
    (void)wire_bytes;
    if (m->remote[0] && !ip_addr_read(call, "remote", m->remote, &remote)) {
        return;
    }
    Ackd__V1__ClearMetricsResponse r = ACKD__V1__CLEAR_METRICS_RESPONSE__INIT;
    r.cleared = tcp_metrics_clear(rpc->config.engine, m->remote[0] ? &remote : NULL);
    grpc_call_reply(call, &r.base);
}

/* False: the call has failed. */
static bool keys_check(struct grpc_call *call, const Ackd__V1__SetFastOpenKeyRequest *m)
{
    const ProtobufCBinaryData *keys[] = {&m->key, &m->backup};
    for (unsigned i = 0; i < 2; i++) {
        if (keys[i]->len && keys[i]->len != KEY_LENGTH) {
            call_fail_field(call, i ? "backup" : "key", "%s: a key has 16 bytes",
                            i ? "backup" : "key");
            return false;
        }
    }
    if (m->backup.len && (!m->key.len || m->rotate)) {
        call_fail_field(call, "backup", "%s",
                        m->rotate ? "backup: with rotate it is the key that is in use now"
                                  : "backup: there is none without a key");
        return false;
    }
    return true;
}

static int keys_set(struct rpc *rpc, const Ackd__V1__SetFastOpenKeyRequest *m)
{
    struct tcp_engine *engine = rpc->config.engine;
    const uint8_t *key = m->key.len ? m->key.data : NULL;
    return m->rotate ? tcp_fast_open_rotate(engine, rpc_now(rpc), m->listener_id, key)
                     : tcp_fast_open_keys(engine, rpc_now(rpc), m->listener_id, key,
                                          m->backup.len ? m->backup.data : NULL);
}

static void audit(const struct rpc *rpc, const struct grpc_call *call,
                  const Ackd__V1__SetFastOpenKeyRequest *m)
{
    const struct grpc_peer *p = grpc_call_peer(call);
    char whose[40] = "all listeners";
    if (m->listener_id) {
        snprintf(whose, sizeof whose, "listener %llu", (unsigned long long)m->listener_id);
    }
    log_notice(rpc->config.log, "the Fast Open key of %s: %s by uid %u (%s, pid %d)", whose,
               m->rotate    ? "rotated"
               : m->key.len ? "set"
                            : "given up",
               (unsigned)p->uid, p->command, (int)p->pid);
}

static void on_set_fast_open_key(struct grpc_call *call, const ProtobufCMessage *message,
                                 size_t wire_bytes)
{
    const Ackd__V1__SetFastOpenKeyRequest *m = (const Ackd__V1__SetFastOpenKeyRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    if (keys_check(call, m)) {
        int error = keys_set(rpc, m);
        if (error == -EBADF) {
            call_fail_id(call, EBADF, "LISTENER_UNKNOWN", m->listener_id,
                         "there is no listener %llu", (unsigned long long)m->listener_id);
        } else if (error) {
            call_fail_errno(call, -error, "the Fast Open key");
        } else {
            Ackd__V1__SetFastOpenKeyResponse r = ACKD__V1__SET_FAST_OPEN_KEY_RESPONSE__INIT;
            audit(rpc, call, m);
            grpc_call_reply(call, &r.base);
        }
    }
    if (m->key.len) {
        explicit_bzero(m->key.data, m->key.len);
    }
    if (m->backup.len) {
        explicit_bzero(m->backup.data, m->backup.len);
    }
}

ROWS_METHOD(list_metrics, ListMetrics);
DAEMON_METHOD(clear_metrics, ClearMetrics);
DAEMON_METHOD(set_fast_open_key, SetFastOpenKey);
