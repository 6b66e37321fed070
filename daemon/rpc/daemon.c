/* ackd.v1.Daemon: the daemon itself, and the addresses, routes and neighbours of net/. */
#include "rpc/address.h"
#include "rpc/rows.h"
#include "rpc/state.h"
#include "rpc/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ADDRESSES_MAX = 64,
    ROUTES_MAX = 256,
    NEIGHBOURS_MAX = 1024,
    MAC_TEXT = 18,
    PREFIX_TEXT = IP_ADDR_TEXT + 4
};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

/* ---- version, status, log ---- */

static void on_get_version(struct grpc_call *call, const ProtobufCMessage *message,
                           size_t wire_bytes)
{
    static char *capabilities[] = {"tcp", "inspect", "capture", "daemon"};
    const struct rpc *rpc = grpc_call_arg(call);
    (void)message;
    (void)wire_bytes;
    Ackd__V1__GetVersionResponse r = ACKD__V1__GET_VERSION_RESPONSE__INIT;
    r.version = (char *)rpc->config.version;
    r.schema = "ackd.v1";
    r.capabilities = capabilities;
    r.n_capabilities = sizeof capabilities / sizeof capabilities[0];
    grpc_call_reply(call, &r.base);
}
DAEMON_METHOD(get_version, GetVersion);

static void show_memory(const struct rpc *rpc, Ackd__V1__GetStatusResponse *r)
{
    struct arena_stats a;
    arena_stats(rpc->config.arena, &a);
    r->memory_limit_bytes = a.limit;
    r->memory_used_bytes = a.used;
    r->memory_taken_bytes = a.taken;
}

static void show_clients(const struct rpc *rpc, Ackd__V1__GetStatusResponse *r)
{
    struct grpc_stats s;
    grpc_server_stats(rpc->server, &s);
    r->control_connections = s.connections;
    r->sessions = rpc->n_sessions;
    r->watchers = observe_watchers(rpc->config.observe);
}

static void on_get_status(struct grpc_call *call, const ProtobufCMessage *message,
                          size_t wire_bytes)
{
    const struct rpc *rpc = grpc_call_arg(call);
    const struct tcp_counters *counters = tcp_counters(rpc->config.engine);
    Ackd__V1__StateCount states[TCP_STATES], *state_list[TCP_STATES];
    Ackd__V1__CallbackBucket buckets[64], *bucket_list[64];
    struct rpc_loop_stats loop = {0};
    ackd_time now = rpc_now(rpc);
    (void)message;
    (void)wire_bytes;
    Ackd__V1__GetStatusResponse r = ACKD__V1__GET_STATUS_RESPONSE__INIT;
    r.instance_id = (char *)rpc->config.instance_id;
    r.version = (char *)rpc->config.version;
    r.pid = (uint32_t)getpid();
    r.link = (char *)rpc->config.link;
    r.mtu_bytes = rpc->config.mtu;
    r.uptime_ns = time_diff(now, rpc->started);
    r.time_ns = now.ns;
    r.wall_time_ns = loop_wall_ns(rpc->config.loop, now);
    r.endpoints = tcp_endpoints(rpc->config.engine);
    for (unsigned s = 0; s < TCP_STATES; s++) {
        ackd__v1__state_count__init(&states[s]);
        states[s].state = view_state((enum tcp_state)s);
        states[s].count = counters->states[s];
        state_list[s] = &states[s];
    }
    r.n_states = TCP_STATES;
    r.states = state_list;
    show_memory(rpc, &r);
    show_clients(rpc, &r);
    if (rpc->config.host.loop_stats) {
        rpc->config.host.loop_stats(rpc->config.host.arg, &loop);
    }
    for (unsigned b = 0; b < loop.n_buckets; b++) {
        ackd__v1__callback_bucket__init(&buckets[b]);
        buckets[b].below_ns = loop.below_ns[b];
        buckets[b].count = loop.count[b];
        buckets[b].cpu_count = loop.cpu_count[b];
        bucket_list[b] = &buckets[b];
    }
    r.n_callbacks = loop.n_buckets;
    r.callbacks = bucket_list;
    r.longest_callback_ns = loop.longest_ns;
    r.longest_callback_name = loop.longest_name ? (char *)loop.longest_name : "";
    r.longest_callback_cpu_ns = loop.longest_cpu_ns;
    r.longest_callback_cpu_name = loop.longest_cpu_name ? (char *)loop.longest_cpu_name : "";
    r.wakeups = loop.wakeups;
    r.log_level = (char *)level_names[rpc->config.log->level];
    r.n_services = rpc->config.n_services;
    r.services = (char **)rpc->config.services;
    grpc_call_reply(call, &r.base);
}
DAEMON_METHOD(get_status, GetStatus);

static void on_set_log_level(struct grpc_call *call, const ProtobufCMessage *message,
                             size_t wire_bytes)
{
    const Ackd__V1__SetLogLevelRequest *m = (const Ackd__V1__SetLogLevelRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    for (unsigned level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        if (strcmp(level_names[level], m->level) == 0) {
            Ackd__V1__SetLogLevelResponse r = ACKD__V1__SET_LOG_LEVEL_RESPONSE__INIT;
            r.previous_level = (char *)level_names[rpc->config.log->level];
            rpc->config.log->level = (enum log_level)level;
            grpc_call_reply(call, &r.base);
            return;
        }
    }
    call_fail_field(call, "level",
                    "level: \"%.32s\" is none of error, warning, notice, info, debug", m->level);
}
DAEMON_METHOD(set_log_level, SetLogLevel);

/* ---- text ---- */

static void format_mac(const uint8_t mac[6], char text[MAC_TEXT])
{
    snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    unsigned v[6];
    int end = 0;
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &end) !=
            6 ||
        text[end] != '\0') {
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)v[i];
    }
    return true;
}

static void format_prefix(const struct ip_prefix *p, char text[PREFIX_TEXT])
{
    char addr[IP_ADDR_TEXT];
    snprintf(text, PREFIX_TEXT, "%s/%u", ip_addr_format(&p->addr, addr), p->length);
}

static bool read_prefix(struct grpc_call *call, const char *field, const char *text,
                        struct ip_prefix *out)
{
    if (ip_prefix_parse(text, out)) {
        return true;
    }
    call_fail_field(call, field, "%s: \"%.64s\" is not ADDR/LEN", field, text);
    return false;
}

/* Ends a call that changed net/. `empty` is its answer. */
static void done(const struct rpc *rpc, struct grpc_call *call, int error, const char *field,
                 const ProtobufCMessage *empty)
{
    if (error < 0) {
        const char *words = error == -ENOENT   ? "there is none such"
                            : error == -EEXIST ? "there is one already"
                                               : strerrordesc_np(-error);
        call_fail_about(call, -error, errno_reason(-error), "field", field, "%s: %s", field,
                        words ? words : "unknown error");
        return;
    }
    rpc_kick(rpc);
    grpc_call_reply(call, empty);
}

/* ---- addresses ---- */

static void on_list_addresses(struct grpc_call *call, const ProtobufCMessage *message,
                              size_t wire_bytes)
{
    static char *const states[] = {[NET_ADDR_OPTIMISTIC] = "optimistic",
                                   [NET_ADDR_PREFERRED] = "preferred",
                                   [NET_ADDR_DUPLICATE] = "duplicate"};
    const struct rpc *rpc = grpc_call_arg(call);
    struct net_address addresses[ADDRESSES_MAX];
    char text[ADDRESSES_MAX][IP_ADDR_TEXT], mac[MAC_TEXT];
    Ackd__V1__Address rows[ADDRESSES_MAX], *list[ADDRESSES_MAX];
    (void)message;
    (void)wire_bytes;
    unsigned n = net_address_list(rpc->config.net, addresses, ADDRESSES_MAX);
    for (unsigned i = 0; i < n; i++) {
        ackd__v1__address__init(&rows[i]);
        rows[i].address = ip_addr_format(&addresses[i].prefix.addr, text[i]);
        rows[i].prefix_length = addresses[i].prefix.length;
        rows[i].state = states[addresses[i].state];
        list[i] = &rows[i];
    }
    Ackd__V1__ListAddressesResponse r = ACKD__V1__LIST_ADDRESSES_RESPONSE__INIT;
    r.n_addresses = n;
    r.addresses = list;
    format_mac(rpc->config.mac, mac);
    r.mac = mac;
    grpc_call_reply(call, &r.base);
}
DAEMON_METHOD(list_addresses, ListAddresses);

static void on_add_address(struct grpc_call *call, const ProtobufCMessage *message,
                           size_t wire_bytes)
{
    const Ackd__V1__AddAddressRequest *m = (const Ackd__V1__AddAddressRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct ip_prefix prefix;
    (void)wire_bytes;
    if (!ip_addr_read(call, "address", m->address ? m->address->address : "", &prefix.addr) ||
        !m->address) {
        return;
    }
    if (m->address->prefix_length > (ip_addr_is_v4(&prefix.addr) ? 32 : 128)) {
        call_fail_field(call, "prefix_length", "prefix_length: %u is too long",
                        m->address->prefix_length);
        return;
    }
    prefix.length = (uint8_t)m->address->prefix_length;
    const Ackd__V1__AddAddressResponse r = ACKD__V1__ADD_ADDRESS_RESPONSE__INIT;
    done(rpc, call, net_address_add(rpc->config.net, rpc_now(rpc), &prefix), "address", &r.base);
}
DAEMON_METHOD(add_address, AddAddress);

static void on_remove_address(struct grpc_call *call, const ProtobufCMessage *message,
                              size_t wire_bytes)
{
    const Ackd__V1__RemoveAddressRequest *m = (const Ackd__V1__RemoveAddressRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct ip_addr addr;
    (void)wire_bytes;
    if (ip_addr_read(call, "address", m->address, &addr)) {
        const Ackd__V1__RemoveAddressResponse r = ACKD__V1__REMOVE_ADDRESS_RESPONSE__INIT;
        done(rpc, call, net_address_remove(rpc->config.net, rpc_now(rpc), &addr), "address",
             &r.base);
    }
}
DAEMON_METHOD(remove_address, RemoveAddress);

/* ---- routes ---- */

static void on_list_routes(struct grpc_call *call, const ProtobufCMessage *message,
                           size_t wire_bytes)
{
    const struct rpc *rpc = grpc_call_arg(call);
    struct net_route routes[ROUTES_MAX];
    char prefix[ROUTES_MAX][PREFIX_TEXT], gateway[ROUTES_MAX][IP_ADDR_TEXT];
    Ackd__V1__Route rows[ROUTES_MAX], *list[ROUTES_MAX];
    (void)message;
    (void)wire_bytes;
    unsigned n = net_route_list(rpc->config.net, routes, ROUTES_MAX);
    for (unsigned i = 0; i < n; i++) {
        ackd__v1__route__init(&rows[i]);
        format_prefix(&routes[i].prefix, prefix[i]);
        rows[i].prefix = prefix[i];
        if (!ip_addr_is_none(&routes[i].gateway)) {
            rows[i].gateway = ip_addr_format(&routes[i].gateway, gateway[i]);
        }
        list[i] = &rows[i];
    }
    Ackd__V1__ListRoutesResponse r = ACKD__V1__LIST_ROUTES_RESPONSE__INIT;
    r.n_routes = n;
    r.routes = list;
    grpc_call_reply(call, &r.base);
}
DAEMON_METHOD(list_routes, ListRoutes);

static void on_add_route(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__AddRouteRequest *m = (const Ackd__V1__AddRouteRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct net_route route = {.gateway = {{0}}};
    (void)wire_bytes;
    if (!read_prefix(call, "route.prefix", m->route ? m->route->prefix : "", &route.prefix) ||
        !m->route) {
        return;
    }
    if (m->route->gateway[0] &&
        !ip_addr_read(call, "route.gateway", m->route->gateway, &route.gateway)) {
        return;
    }
    const Ackd__V1__AddRouteResponse r = ACKD__V1__ADD_ROUTE_RESPONSE__INIT;
    done(rpc, call, net_route_add(rpc->config.net, &route), "route", &r.base);
}
DAEMON_METHOD(add_route, AddRoute);

static void on_remove_route(struct grpc_call *call, const ProtobufCMessage *message,
                            size_t wire_bytes)
{
    const Ackd__V1__RemoveRouteRequest *m = (const Ackd__V1__RemoveRouteRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct ip_prefix prefix;
    (void)wire_bytes;
    if (read_prefix(call, "prefix", m->prefix, &prefix)) {
        const Ackd__V1__RemoveRouteResponse r = ACKD__V1__REMOVE_ROUTE_RESPONSE__INIT;
        done(rpc, call, net_route_remove(rpc->config.net, &prefix), "prefix", &r.base);
    }
}
DAEMON_METHOD(remove_route, RemoveRoute);

/* ---- neighbours ---- */

struct neighbours {
    struct rows rows;
    struct net_neighbour from[NEIGHBOURS_MAX];
    char addr[IP_ADDR_TEXT], mac[MAC_TEXT];
    Ackd__V1__Neighbour row;
};

static const ProtobufCMessage *show_neighbour(struct rows *rows, unsigned i)
{
    static char *const states[] = {
        [NET_NEIGH_INCOMPLETE] = "incomplete", [NET_NEIGH_REACHABLE] = "reachable",
        [NET_NEIGH_STALE] = "stale",           [NET_NEIGH_DELAY] = "delay",
        [NET_NEIGH_PROBE] = "probe",           [NET_NEIGH_FAILED] = "failed"};
    struct neighbours *all = container_of(rows, struct neighbours, rows);
    const struct net_neighbour *n = &all->from[i];
    Ackd__V1__Neighbour *row = &all->row;
    ackd__v1__neighbour__init(row);
    row->address = ip_addr_format(&n->addr, all->addr);
    if (memcmp(n->mac, (const uint8_t[6]){0}, 6) != 0) {
        format_mac(n->mac, all->mac);
        row->mac = all->mac;
    }
    row->state = states[n->state];
    row->is_static = n->is_static;
    row->is_router = n->is_router;
    row->queued_packets = n->queued;
    row->since_ns = n->since.ns;
    return &row->base;
}

static void on_list_neighbours(struct grpc_call *call, const ProtobufCMessage *message,
                               size_t wire_bytes)
{
    const struct rpc *rpc = grpc_call_arg(call);
    (void)message;
    (void)wire_bytes;
    struct neighbours *all = calloc(1, sizeof *all);
    if (!all) {
        call_fail_errno(call, ENOMEM, "neighbours");
        return;
    }
    all->rows.row = show_neighbour;
    all->rows.output = &ackd__v1__list_neighbours_response__descriptor;
    rows_start(&all->rows, call, net_neighbour_list(rpc->config.net, all->from, NEIGHBOURS_MAX));
}
ROWS_METHOD(list_neighbours, ListNeighbours);

static void on_set_neighbour(struct grpc_call *call, const ProtobufCMessage *message,
                             size_t wire_bytes)
{
    const Ackd__V1__SetNeighbourRequest *m = (const Ackd__V1__SetNeighbourRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct ip_addr addr;
    uint8_t mac[6];
    (void)wire_bytes;
    if (!ip_addr_read(call, "address", m->address, &addr)) {
        return;
    }
    if (!parse_mac(m->mac, mac)) {
        call_fail_field(call, "mac", "mac: \"%.32s\" is not like 02:00:00:00:00:01", m->mac);
        return;
    }
    const Ackd__V1__SetNeighbourResponse r = ACKD__V1__SET_NEIGHBOUR_RESPONSE__INIT;
    done(rpc, call, net_neighbour_set(rpc->config.net, rpc_now(rpc), &addr, mac), "address",
         &r.base);
}
DAEMON_METHOD(set_neighbour, SetNeighbour);

static void on_remove_neighbour(struct grpc_call *call, const ProtobufCMessage *message,
                                size_t wire_bytes)
{
    const Ackd__V1__RemoveNeighbourRequest *m = (const Ackd__V1__RemoveNeighbourRequest *)message;
    const struct rpc *rpc = grpc_call_arg(call);
    struct ip_addr addr;
    (void)wire_bytes;
    if (ip_addr_read(call, "address", m->address, &addr)) {
        const Ackd__V1__RemoveNeighbourResponse r = ACKD__V1__REMOVE_NEIGHBOUR_RESPONSE__INIT;
        done(rpc, call, net_neighbour_remove(rpc->config.net, &addr), "address", &r.base);
    }
}
DAEMON_METHOD(remove_neighbour, RemoveNeighbour);
