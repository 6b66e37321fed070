/* Wiring: the table of methods, the record that they share, and readiness on its way from the
 * engine to the calls that wait. */
#include "rpc/rpc.h"

#include <stdlib.h>
#include <sys/random.h>
#include "proto/descriptors.h"
#include "rpc/brief.h"
#include "rpc/endpoint.h"
#include "rpc/session.h"
#include "rpc/state.h"
#include "rpc/view.h"

static const struct grpc_method *const methods[] = {
    &session_method,
    &open_method,
    &listen_method,
    &accept_method,
    &send_method,
    &receive_method,
    &stream_method,
    &close_method,
    &abort_method,
    &set_options_method,
    &status_method,
    &list_method,
    &get_method,
    &watch_method,
    &why_method,
    &counters_method,
    &capture_method,
    &kill_method,
    &get_version_method,
    &get_status_method,
    &set_log_level_method,
    &list_addresses_method,
    &add_address_method,
    &remove_address_method,
    &list_routes_method,
    &add_route_method,
    &remove_route_method,
    &list_neighbours_method,
    &set_neighbour_method,
    &remove_neighbour_method,
    &list_keys_method,
    &add_key_method,
    &remove_key_method,
    &use_key_method,
    &list_metrics_method,
    &clear_metrics_method,
    &set_fast_open_key_method,
};

static const char *const services[] = {"", "ackd.v1.Tcp", "ackd.v1.Inspect", "ackd.v1.Daemon",
                                       "ackd.v1.Lab"};

static void set_health(struct rpc *rpc, bool serving)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        grpc_server_set_health(rpc->server, services[i], serving);
    }
}

static void default_limit(unsigned *limit, unsigned value)
{
    *limit = *limit ? *limit : value;
}

static void set_limits(struct rpc_limits *l)
{
    default_limit(&l->endpoints_uid, 65536);
    default_limit(&l->endpoints_session, 65536);
    default_limit(&l->listeners_uid, 1024);
    default_limit(&l->sessions_uid, 1024);
    default_limit(&l->watches_uid, 64);
    default_limit(&l->past, 16384);
}

/* The tables and the scratch. */
static bool make_memory(struct rpc *rpc)
{
    rpc->endpoints = calloc(ENDPOINT_BUCKETS, sizeof *rpc->endpoints);
    rpc->requests = calloc(ENDPOINT_BUCKETS, sizeof *rpc->requests);
    rpc->sessions = calloc(SESSION_BUCKETS, sizeof *rpc->sessions);
    rpc->rows = calloc(ROWS_FULL, sizeof *rpc->rows);
    rpc->brief = brief_new(ROWS_BASIC);
    rpc->info_fields = view_fields_new();
    rpc->scratch = malloc(SCRATCH);
    return rpc->endpoints && rpc->requests && rpc->sessions && rpc->rows && rpc->brief &&
           rpc->info_fields && rpc->scratch;
}

static bool make_server(struct rpc *rpc)
{
    const struct grpc_server_config config = {
        .loop = rpc->config.loop,
        .log = rpc->config.log,
        .limits = rpc->config.grpc,
        .authorize = rpc_authorize,
        .authorize_arg = rpc,
        .descriptor_set = ackd_descriptor_set,
        .descriptor_set_length = ackd_descriptor_set_length,
    };
    rpc->server = grpc_server_new(&config);
    if (!rpc->server) {
        return false;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        grpc_server_add(rpc->server, methods[i], rpc);
    }
    for (size_t i = 0; i < n_lab_methods; i++) {
        grpc_server_add(rpc->server, &lab_methods[i], rpc);
    }
    set_health(rpc, true);
    return true;
}

struct rpc *rpc_new(const struct rpc_config *config)
{
    struct rpc *rpc = calloc(1, sizeof *rpc);
    if (!rpc) {
        return NULL;
    }
    rpc->config = *config;
    set_limits(&rpc->config.limits);
    list_init(&rpc->past);
    list_init(&rpc->all_sessions);
    list_init(&rpc->usages);
    rpc->started = loop_now(config->loop);
    if (getrandom(&rpc->key, sizeof rpc->key, 0) != sizeof rpc->key || !make_memory(rpc) ||
        !make_server(rpc)) {
        rpc_free(rpc);
        return NULL;
    }
    return rpc;
}

void rpc_free(struct rpc *rpc)
{
    if (!rpc) {
        return;
    }
    if (rpc->server) {
        grpc_server_free(rpc->server); /* ends every call */
    }
    if (rpc->sessions) {
        session_forget_all(rpc);
    }
    if (rpc->endpoints) {
        endpoint_forget_all(rpc);
    }
    list_for_each_safe(l, tmp, &rpc->usages)
    {
        list_remove(l);
        free(container_of(l, struct usage, link));
    }
    free(rpc->endpoints);
    free(rpc->requests);
    free(rpc->sessions);
    free(rpc->rows);
    free(rpc->brief);
    free(rpc->info_fields);
    free(rpc->scratch);
    free(rpc);
}

int rpc_listen(struct rpc *rpc, int fd, bool read_only)
{
    return grpc_server_listen(rpc->server, fd, read_only);
}

void rpc_on_ready(struct rpc *rpc, const struct tcp_ready *ready)
{
    struct endpoint *e = endpoint_find(rpc, ready->id);
    if (!e || e->past) {
        return;
    }
    session_notice(e, ready->what);
    if (ready->what & TCP_READY_CLOSED) {
        endpoint_closed(e);
    }
    endpoint_wake(e, ready->what);
}

void rpc_drain(struct rpc *rpc)
{
    set_health(rpc, false);
    grpc_server_drain(rpc->server);
}
