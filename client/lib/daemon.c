/* The daemon itself: version, status, log level, addresses, routes, neighbours. */
#include "client/lib/convert.h"

#include <stdlib.h>

const char *ackd_library_version(void)
{
    return ACKD_VERSION;
}

int ackd_daemon_version(struct ackd *a, struct ackd_version *out, struct ackd_error *err)
{
    Ackd__V1__GetVersionRequest m = ACKD__V1__GET_VERSION_REQUEST__INIT;
    const Ackd__V1__GetVersionResponse *r;
    if (CALL(a, Daemon, GetVersion, &m, get_version, 0, &r, err) < 0)
        return -1;
    *out = (struct ackd_version){
        .capabilities = (const char *const *)r->capabilities,
        .capability_count = r->n_capabilities,
    };
    TEXT(out->version, r->version);
    TEXT(out->schema, r->schema);
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void status_lists(struct ackd_daemon_status *out, const Ackd__V1__GetStatusResponse *r)
{
    for (size_t i = 0; i < r->n_states && i < COUNT(out->states); i++)
        out->states[out->state_count++] =
            (struct ackd_state_count){(enum ackd_state)r->states[i]->state, r->states[i]->count};
    for (size_t i = 0; i < r->n_callbacks && i < COUNT(out->callbacks); i++)
        out->callbacks[out->callback_count++] = (struct ackd_callback_bucket){
            r->callbacks[i]->below_ns, r->callbacks[i]->count, r->callbacks[i]->cpu_count};
    out->services = (const char *const *)r->services;
    out->service_count = r->n_services;
}

int ackd_daemon_status(struct ackd *a, struct ackd_daemon_status *out, struct ackd_error *err)
{
    Ackd__V1__GetStatusRequest m = ACKD__V1__GET_STATUS_REQUEST__INIT;
    const Ackd__V1__GetStatusResponse *r;
    if (CALL(a, Daemon, GetStatus, &m, get_status, 0, &r, err) < 0)
        return -1;
    *out = (struct ackd_daemon_status){
        .pid = r->pid,
        .mtu_bytes = r->mtu_bytes,
        .uptime_ns = r->uptime_ns,
        .time_ns = r->time_ns,
        .wall_time_ns = r->wall_time_ns,
        .endpoints = r->endpoints,
        .memory_limit_bytes = r->memory_limit_bytes,
        .memory_used_bytes = r->memory_used_bytes,
        .memory_taken_bytes = r->memory_taken_bytes,
        .sessions = r->sessions,
        .control_connections = r->control_connections,
        .watchers = r->watchers,
        .wakeups = r->wakeups,
        .longest_callback_ns = r->longest_callback_ns,
        .longest_callback_cpu_ns = r->longest_callback_cpu_ns,
    };
    TEXT(out->instance_id, r->instance_id);
    TEXT(out->version, r->version);
    TEXT(out->link, r->link);
    TEXT(out->log_level, r->log_level);
    TEXT(out->longest_callback_name, r->longest_callback_name);
    TEXT(out->longest_callback_cpu_name, r->longest_callback_cpu_name);
    status_lists(out, r);
    return 0;
}

int ackd_set_log_level(struct ackd *a, const char *level, char *previous, struct ackd_error *err)
{
    Ackd__V1__SetLogLevelRequest m = ACKD__V1__SET_LOG_LEVEL_REQUEST__INIT;
    m.level = STRING(level);
    const Ackd__V1__SetLogLevelResponse *r;
    if (CALL(a, Daemon, SetLogLevel, &m, set_log_level, 0, &r, err) < 0)
        return -1;
    if (previous)
        snprintf(previous, 16, "%s", r->previous_level);
    return 0;
}

/* ---- addresses ---- */

int ackd_addresses(struct ackd *a, const struct ackd_address **list, size_t *count, char *mac,
                   struct ackd_error *err)
{
    Ackd__V1__ListAddressesRequest m = ACKD__V1__LIST_ADDRESSES_REQUEST__INIT;
    const Ackd__V1__ListAddressesResponse *r;
    if (CALL(a, Daemon, ListAddresses, &m, list_addresses, 0, &r, err) < 0)
        return -1;
    struct ackd_address *all = scratch(a, r->n_addresses, sizeof *all);
    if (!all)
        return error_no_memory(err);
    for (size_t i = 0; i < r->n_addresses; i++) {
        TEXT(all[i].address, r->addresses[i]->address);
        TEXT(all[i].state, r->addresses[i]->state);
        all[i].prefix_length = r->addresses[i]->prefix_length;
    }
    if (mac)
        snprintf(mac, 24, "%s", r->mac);
    *list = all;
    *count = r->n_addresses;
    return 0;
}

int ackd_add_address(struct ackd *a, const char *address, uint32_t prefix_length,
                     struct ackd_error *err)
{
    Ackd__V1__Address one = ACKD__V1__ADDRESS__INIT;
    one.address = STRING(address);
    one.prefix_length = prefix_length;
    Ackd__V1__AddAddressRequest m = ACKD__V1__ADD_ADDRESS_REQUEST__INIT;
    m.address = &one;
    return CALL(a, Daemon, AddAddress, &m, add_address, 0, NULL, err);
}

int ackd_remove_address(struct ackd *a, const char *address, struct ackd_error *err)
{
    Ackd__V1__RemoveAddressRequest m = ACKD__V1__REMOVE_ADDRESS_REQUEST__INIT;
    m.address = STRING(address);
    return CALL(a, Daemon, RemoveAddress, &m, remove_address, 0, NULL, err);
}

/* ---- routes ---- */

int ackd_routes(struct ackd *a, const struct ackd_route **list, size_t *count,
                struct ackd_error *err)
{
    Ackd__V1__ListRoutesRequest m = ACKD__V1__LIST_ROUTES_REQUEST__INIT;
    const Ackd__V1__ListRoutesResponse *r;
    if (CALL(a, Daemon, ListRoutes, &m, list_routes, 0, &r, err) < 0)
        return -1;
    struct ackd_route *all = scratch(a, r->n_routes, sizeof *all);
    if (!all)
        return error_no_memory(err);
    for (size_t i = 0; i < r->n_routes; i++) {
        TEXT(all[i].prefix, r->routes[i]->prefix);
        TEXT(all[i].gateway, r->routes[i]->gateway);
    }
    *list = all;
    *count = r->n_routes;
    return 0;
}

int ackd_add_route(struct ackd *a, const char *prefix, const char *gateway, struct ackd_error *err)
{
    Ackd__V1__Route one = ACKD__V1__ROUTE__INIT;
    one.prefix = STRING(prefix);
    one.gateway = STRING(gateway);
    Ackd__V1__AddRouteRequest m = ACKD__V1__ADD_ROUTE_REQUEST__INIT;
    m.route = &one;
    return CALL(a, Daemon, AddRoute, &m, add_route, 0, NULL, err);
}

int ackd_remove_route(struct ackd *a, const char *prefix, struct ackd_error *err)
{
    Ackd__V1__RemoveRouteRequest m = ACKD__V1__REMOVE_ROUTE_REQUEST__INIT;
    m.prefix = STRING(prefix);
    return CALL(a, Daemon, RemoveRoute, &m, remove_route, 0, NULL, err);
}

/* ---- neighbours ---- */

int ackd_neighbours(struct ackd *a, const struct ackd_neighbour **list, size_t *count,
                    struct ackd_error *err)
{
    Ackd__V1__ListNeighboursRequest m = ACKD__V1__LIST_NEIGHBOURS_REQUEST__INIT;
    const Ackd__V1__ListNeighboursResponse *r;
    if (CALL(a, Daemon, ListNeighbours, &m, list_neighbours, 0, &r, err) < 0)
        return -1;
    struct ackd_neighbour *all = scratch(a, r->n_neighbours, sizeof *all);
    if (!all)
        return error_no_memory(err);
    for (size_t i = 0; i < r->n_neighbours; i++) {
        const Ackd__V1__Neighbour *n = r->neighbours[i];
        all[i] = (struct ackd_neighbour){
            .is_static = n->is_static,
            .is_router = n->is_router,
            .queued_packets = n->queued_packets,
            .since_ns = n->since_ns,
        };
        TEXT(all[i].address, n->address);
        TEXT(all[i].mac, n->mac);
        TEXT(all[i].state, n->state);
    }
    *list = all;
    *count = r->n_neighbours;
    return 0;
}

int ackd_set_neighbour(struct ackd *a, const char *address, const char *mac, struct ackd_error *err)
{
    Ackd__V1__SetNeighbourRequest m = ACKD__V1__SET_NEIGHBOUR_REQUEST__INIT;
    m.address = STRING(address);
    m.mac = STRING(mac);
    return CALL(a, Daemon, SetNeighbour, &m, set_neighbour, 0, NULL, err);
}

int ackd_remove_neighbour(struct ackd *a, const char *address, struct ackd_error *err)
{
    Ackd__V1__RemoveNeighbourRequest m = ACKD__V1__REMOVE_NEIGHBOUR_REQUEST__INIT;
    m.address = STRING(address);
    return CALL(a, Daemon, RemoveNeighbour, &m, remove_neighbour, 0, NULL, err);
}

/* ---- what connections left to later ones ---- */

int ackd_metrics(struct ackd *a, const struct ackd_path_metrics **list, size_t *count,
                 struct ackd_error *err)
{
    Ackd__V1__ListMetricsRequest m = ACKD__V1__LIST_METRICS_REQUEST__INIT;
    const Ackd__V1__ListMetricsResponse *r;
    if (CALL(a, Daemon, ListMetrics, &m, list_metrics, 0, &r, err) < 0)
        return -1;
    struct ackd_path_metrics *all = scratch(a, r->n_metrics, sizeof *all);
    if (!all)
        return error_no_memory(err);
    for (size_t i = 0; i < r->n_metrics; i++) {
        const Ackd__V1__PathMetrics *p = r->metrics[i];
        all[i] = (struct ackd_path_metrics){
            .updated_ns = p->updated_ns,
            .has_srtt_ns = p->srtt_ns_known_case != 0,
            .has_rttvar_ns = p->rttvar_ns_known_case != 0,
            .srtt_ns = p->srtt_ns,
            .rttvar_ns = p->rttvar_ns,
            .ssthresh_bytes = p->ssthresh_bytes,
            .mss_bytes = p->mss_bytes,
            .fast_open_cookie_bytes = p->fast_open_cookie_bytes,
            .fast_open_losses = p->fast_open_losses,
            .fast_open_good_after_ns = p->fast_open_good_after_ns,
            .accecn_failures = p->accecn_failures,
            .accecn_offer_after_ns = p->accecn_offer_after_ns,
        };
        TEXT(all[i].local, p->local);
        TEXT(all[i].remote, p->remote);
    }
    *list = all;
    *count = r->n_metrics;
    return 0;
}

int ackd_clear_metrics(struct ackd *a, const char *remote, uint32_t *cleared,
                       struct ackd_error *err)
{
    Ackd__V1__ClearMetricsRequest m = ACKD__V1__CLEAR_METRICS_REQUEST__INIT;
    const Ackd__V1__ClearMetricsResponse *r;
    m.remote = STRING(remote);
    if (CALL(a, Daemon, ClearMetrics, &m, clear_metrics, 0, &r, err) < 0)
        return -1;
    if (cleared)
        *cleared = r->cleared;
    return 0;
}

static int fast_open_key(struct ackd *a, Ackd__V1__SetFastOpenKeyRequest *m, const uint8_t *key,
                         struct ackd_error *err)
{
    if (key)
        m->key = (ProtobufCBinaryData){16, (uint8_t *)(uintptr_t)key};
    return CALL(a, Daemon, SetFastOpenKey, m, set_fast_open_key, 0, NULL, err);
}

int ackd_set_fast_open_key(struct ackd *a, uint64_t listener, const uint8_t *key,
                           const uint8_t *backup, struct ackd_error *err)
{
    Ackd__V1__SetFastOpenKeyRequest m = ACKD__V1__SET_FAST_OPEN_KEY_REQUEST__INIT;
    m.listener_id = listener;
    if (backup)
        m.backup = (ProtobufCBinaryData){16, (uint8_t *)(uintptr_t)backup};
    return fast_open_key(a, &m, key, err);
}

int ackd_rotate_fast_open_key(struct ackd *a, uint64_t listener, const uint8_t *key,
                              struct ackd_error *err)
{
    Ackd__V1__SetFastOpenKeyRequest m = ACKD__V1__SET_FAST_OPEN_KEY_REQUEST__INIT;
    m.listener_id = listener;
    m.rotate = true;
    return fast_open_key(a, &m, key, err);
}
