/* ackd: arguments and wiring only. Reads the configuration, checks that nothing stands in the way,
 * makes the rooms and joins them, runs the loop, and ends in order. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "host/check.h"
#include "host/config.h"
#include "host/control_socket.h"
#include "host/cycle.h"
#include "host/descriptors.h"
#include "host/log_sink.h"
#include "host/loop.h"
#include "host/mem.h"
#include "host/notify.h"
#include "host/signals.h"
#include "host/stop.h"
#include "host/tap.h"
#include "net/net.h"
#include "observe/observe.h"
#include "rpc/rpc.h"
#include "sockets/service.h"
#include "tcp/tcp.h"

/* Who is told of an endpoint's readiness. */
enum { OWNER_SERVICE = RPC_OWNER + 1 };

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct daemon {
    int argc;
    char *const *argv;
    struct config config;
    char link[24];
    char socket[CONTROL_SOCKET_PATH], monitor_socket[CONTROL_SOCKET_PATH];
    uint64_t seed[2];
    struct log_sink sink;
    struct log *log;
    struct loop *loop;
    struct arena *arena;
    struct tcp_engine *engine;
    struct tap tap;
    struct net *net;
    struct service service;
    char service_text[CONFIG_LIST][16]; /* "echo@7" */
    const char *services[CONFIG_LIST];
    struct rpc_grant grant[CONFIG_LIST];
    struct observe *observe;
    struct rpc *rpc;
    char instance[33]; /* random, of this life of the daemon, in hexadecimal */
    int listen_fd[2];  /* control and monitor socket; -1: not ours */
    struct cycle *cycle;
    struct signals *signals;
    struct notify *notify;
    struct stop *stop; /* NULL until a signal says so */
};

/* ---- making the rooms ---- */

static bool no_memory(struct daemon *d)
{
    log_error(d->log, "out of memory at start");
    return false;
}

static bool make_seed(struct daemon *d)
{
    if (d->config.seeded) {
        d->seed[0] = d->config.seed;
        return true;
    }
    if (getrandom(d->seed, sizeof d->seed, 0) != sizeof d->seed) {
        log_error(d->log, "no randomness: %s", strerror(errno));
        return false;
    }
    return true;
}

static bool make_engine(struct daemon *d)
{
    struct tcp_config config;
    tcp_config_default(&config);
    d->loop = loop_new();
    d->arena = arena_new(&mem_mmap, d->config.memory);
    if (d->loop == NULL || d->arena == NULL) {
        return no_memory(d);
    }
    loop_set_busy_poll(d->loop, d->config.busy_poll_us * NS_PER_US);
    config.arena = d->arena;
    config.seed0 = d->seed[0];
    config.seed1 = d->seed[1];
    d->engine = tcp_engine_new(&config, loop_now(d->loop));
    return d->engine != NULL || no_memory(d);
}

static bool make_link(struct daemon *d)
{
    const struct config *c = &d->config;
    const struct tap_config config = {
        .name = c->tap,
        .mtu = c->mtu,
        .offload = !c->no_offload,
        .host_address = c->host_address,
        .n_host_addresses = c->n_host_addresses,
        .seeded = c->seeded,
        .seed = c->seed,
    };
    const char *what;
    if (c->link != CONFIG_LINK_TAP) {
        return true;
    }
    int r = tap_open(&d->tap, &config, &what);
    if (r < 0) {
        log_error(d->log, "%s: cannot %s: %s%s", d->link, what, strerror(-r),
                  r == -EPERM || r == -EACCES
                      ? " (CAP_NET_ADMIN or a prepared TAP of ours is needed)"
                      : "");
    }
    return r == 0;
}

static bool add_addresses(struct daemon *d)
{
    char text[IP_ADDR_TEXT];
    for (unsigned i = 0; i < d->config.n_addresses; i++) {
        const struct ip_prefix *p = &d->config.address[i];
        int r = net_address_add(d->net, loop_now(d->loop), p);
        if (r < 0) {
            log_error(d->log, "cannot take address %s/%u: %s", ip_addr_format(&p->addr, text),
                      p->length, strerror(-r));
            return false;
        }
    }
    for (unsigned i = 0; i < d->config.n_gateways; i++) {
        const struct ip_addr *g = &d->config.gateway[i];
        struct net_route route = {.gateway = *g};
        if (ip_addr_is_v4(g)) {
            route.prefix.addr = ip_addr_v4(0, 0, 0, 0);
        }
        int r = net_route_add(d->net, &route);
        if (r < 0) {
            log_error(d->log, "cannot route by gateway %s: %s", ip_addr_format(g, text),
                      strerror(-r));
            return false;
        }
    }
    return true;
}

static bool make_net(struct daemon *d)
{
    bool tap = d->config.link == CONFIG_LINK_TAP;
    struct net_config config = {
        .arena = d->arena,
        .engine = d->engine,
        .seed0 = d->seed[0] ^ 1,
        .seed1 = d->seed[1],
        .link = tap ? NET_LINK_ETHERNET : NET_LINK_NONE,
        .mtu = d->config.mtu,
        .checksum_offload = !d->config.no_offload,
        .tso = !d->config.no_offload,
    };
    memcpy(config.mac, d->tap.mac, sizeof config.mac);
    d->net = net_new(&config, loop_now(d->loop));
    return d->net != NULL ? add_addresses(d) : no_memory(d);
}

/* ---- services ---- */

static void service_ready(void *arg, const struct tcp_ready *ready)
{
    struct daemon *d = arg;
    service_on_ready(&d->service, loop_now(d->loop), ready);
}

static bool make_services(struct daemon *d)
{
    d->service = (struct service){.engine = d->engine, .owner = OWNER_SERVICE};
    for (unsigned i = 0; i < d->config.n_services; i++) {
        const struct config_service *s = &d->config.service[i];
        enum service_kind kind = service_by_name(s->name);
        int r = service_listen(&d->service, loop_now(d->loop), kind, s->port);
        if (r < 0) {
            log_error(d->log, "cannot serve %s on port %u: %s", s->name, s->port, strerror(-r));
            return false;
        }
        snprintf(d->service_text[i], sizeof d->service_text[i], "%s@%u", service_name(kind),
                 s->port);
        d->services[i] = d->service_text[i];
    }
    return true;
}

/* ---- the control socket ---- */

static void tell_loop_stats(void *arg, struct rpc_loop_stats *out)
{
    struct daemon *d = arg;
    struct loop_stats stats;
    loop_stats(d->loop, &stats);
    *out = (struct rpc_loop_stats){
        .longest_ns = stats.longest_ns,
        .longest_name = stats.longest_name,
        .longest_cpu_ns = stats.longest_cpu_ns,
        .longest_cpu_name = stats.longest_cpu_name,
        .n_buckets = LOOP_BUCKETS,
        .wakeups = stats.wakeups,
    };
    for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
        out->below_ns[i] = stats.bucket[i].below_ns;
        out->count[i] = stats.bucket[i].count;
        out->cpu_count[i] = stats.bucket[i].cpu_count;
    }
}

static const char *service_of(void *arg, uint32_t owner, uint64_t cookie)
{
    (void)arg;
    return owner == OWNER_SERVICE ? service_name(cookie) : NULL;
}

static void rpc_ready(void *arg, const struct tcp_ready *ready)
{
    struct daemon *d = arg;
    rpc_on_ready(d->rpc, ready);
}

static bool name_instance(struct daemon *d)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        log_error(d->log, "no randomness: %s", strerror(errno));
        return false;
    }
    for (unsigned i = 0; i < sizeof bytes; i++) {
        snprintf(d->instance + (size_t)2 * i, 3, "%02x", bytes[i]);
    }
    return true;
}

static enum rpc_role role_of(enum config_role role)
{
    static const enum rpc_role roles[] = {
        [CONFIG_ROLE_MONITOR] = RPC_ROLE_MONITOR,
        [CONFIG_ROLE_USER] = RPC_ROLE_USER,
        [CONFIG_ROLE_LAB] = RPC_ROLE_LAB,
        [CONFIG_ROLE_ADMIN] = RPC_ROLE_ADMIN,
    };
    return roles[role];
}

static struct rpc_policy make_policy(struct daemon *d)
{
    const struct config *c = &d->config;
    for (unsigned i = 0; i < c->n_grants; i++) {
        d->grant[i] = (struct rpc_grant){
            .group = c->grant[i].group,
            .number = c->grant[i].number,
            .role = role_of(c->grant[i].role),
            .privileged_ports = c->grant[i].privileged_ports,
        };
    }
    return (struct rpc_policy){
        .own_uid = geteuid(),
        .grants = d->grant,
        .n_grants = c->n_grants,
        .privileged_below = 1024,
        .destinations = c->n_destinations != 0 ? c->destination : NULL,
        .n_destinations = c->n_destinations,
    };
}

static bool listen_on(struct daemon *d, const char *path, bool read_only)
{
    const char *what;
    if (path[0] == '\0') {
        return true;
    }
    int fd = control_socket_listen(path, d->config.socket_group, &what);
    if (fd < 0) {
        log_error(d->log, "control socket %s: cannot %s: %s", path, what, strerror(-fd));
        return false;
    }
    d->listen_fd[read_only] = fd;
    int r = rpc_listen(d->rpc, fd, read_only);
    if (r < 0) {
        log_error(d->log, "control socket %s: %s", path, strerror(-r));
    }
    return r == 0;
}

static bool make_control(struct daemon *d)
{
    const struct observe_config observe = {.engine = d->engine, .net = d->net};
    d->observe = observe_new(&observe);
    if (d->observe == NULL || !name_instance(d)) {
        return d->observe != NULL || no_memory(d);
    }
    struct rpc_config config = {
        .loop = d->loop,
        .log = d->log,
        .engine = d->engine,
        .net = d->net,
        .observe = d->observe,
        .arena = d->arena,
        .policy = make_policy(d),
        .host = {.arg = d, .loop_stats = tell_loop_stats, .service_of = service_of},
        .instance_id = d->instance,
        .version = ACKD_VERSION,
        .link = d->link,
        .mtu = d->config.mtu,
        .services = d->services,
        .n_services = d->config.n_services,
    };
    memcpy(config.mac, d->tap.mac, sizeof config.mac);
    d->rpc = rpc_new(&config);
    return d->rpc == NULL ? no_memory(d)
                          : listen_on(d, d->socket, false) && listen_on(d, d->monitor_socket, true);
}

/* ---- the cycle ---- */

static bool wants_frames(void *arg)
{
    struct daemon *d = arg;
    return observe_wants_frames(d->observe);
}

static void tell_frame(void *arg, enum tcp_direction direction, ackd_time now,
                       const struct iovec *iov, unsigned n, uint32_t length,
                       const struct net_offload *offload, uint64_t id)
{
    struct daemon *d = arg;
    observe_frame(d->observe, direction, now, loop_wall_ns(d->loop, now), iov, n, length, offload,
                  id);
}

static void drain_events(void *arg)
{
    struct daemon *d = arg;
    observe_drain(d->observe);
}

static bool make_cycle(struct daemon *d)
{
    struct cycle_config config = {
        .loop = d->loop,
        .log = d->log,
        .engine = d->engine,
        .net = d->net,
        .tap = d->config.link == CONFIG_LINK_TAP ? &d->tap : NULL,
        .observer = {.arg = d,
                     .wants_frames = wants_frames,
                     .frame = tell_frame,
                     .drain = drain_events},
        .owner = {[RPC_OWNER] = {rpc_ready, d}, [OWNER_SERVICE] = {service_ready, d}},
    };
    d->cycle = cycle_new(&config);
    return d->cycle != NULL || no_memory(d);
}

/* ---- signals ---- */

/* The log level is what can change without a restart; a file with mistakes changes nothing. */
static void reload(struct daemon *d)
{
    char *text = NULL;
    size_t size;
    FILE *errors = open_memstream(&text, &size);
    struct config fresh;
    if (errors == NULL) {
        return;
    }
    int r = config_parse(&fresh, d->argc, d->argv, errors);
    fclose(errors);
    if (r == 0) {
        d->log->level = fresh.log_level;
        log_notice(d->log, "configuration read again: log level %s",
                   config_log_level_name(fresh.log_level));
    } else {
        log_warning(d->log, "the configuration was left as it is: %s", text);
    }
    free(text);
}

/* Peers are told; and what cannot be told in time is not. */
static void stop(struct daemon *d)
{
    static const int64_t patience_ns = 5 * NS_PER_S;
    notify_stopping();
    rpc_drain(d->rpc);
    log_notice(d->log, "stopping: %u endpoints end", tcp_endpoints(d->engine));
    d->stop = stop_begin(d->loop, d->engine, d->cycle, patience_ns);
    if (d->stop == NULL) {
        loop_stop(d->loop);
    }
}

/* A second signal asks for less patience. */
static void on_signal(void *arg, int signal)
{
    struct daemon *d = arg;
    if (signal == SIGHUP) {
        reload(d);
    } else if (d->stop == NULL) {
        stop(d);
    } else {
        loop_stop(d->loop);
    }
}

/* ---- the whole ---- */

static bool start(struct daemon *d)
{
    if (!check_sockets(&d->config, d->log, d->socket, d->monitor_socket) ||
        !check_addresses(&d->config, d->log)) {
        return false;
    }
    if (!make_seed(d) || !make_engine(d) || !make_link(d) || !make_net(d) || !make_services(d) ||
        !make_control(d) || !make_cycle(d)) {
        return false;
    }
    d->signals = signals_new(d->loop, on_signal, d);
    if (d->signals == NULL) {
        return no_memory(d);
    }
    char status[200];
    snprintf(status, sizeof status, "link %s, %u addresses, %u services, control socket %s",
             d->link, d->config.n_addresses, d->config.n_services, d->socket);
    d->notify = notify_new(d->loop, status);
    log_notice(d->log, "ackd " ACKD_VERSION " is ready: %s", status);
    if (d->config.n_addresses == 0) {
        log_warning(d->log, "no --address: nothing can be opened or accepted until "
                            "`ackctl daemon addresses add ADDR/LEN`");
    }
    return d->notify != NULL || no_memory(d);
}

/* The socket's file goes with its listener. */
static void close_socket(const struct daemon *d, int fd, const char *path)
{
    if (fd >= 0) {
        control_socket_remove(path, config_instance(&d->config));
        close(fd);
    }
}

static void finish(struct daemon *d)
{
    stop_free(d->stop);
    notify_free(d->notify);
    signals_free(d->signals);
    if (d->rpc != NULL) {
        rpc_free(d->rpc);
    }
    close_socket(d, d->listen_fd[0], d->socket);
    close_socket(d, d->listen_fd[1], d->monitor_socket);
    cycle_free(d->cycle);
    if (d->observe != NULL) {
        observe_free(d->observe);
    }
    if (d->net != NULL) {
        net_free(d->net);
    }
    if (d->engine != NULL) {
        tcp_engine_free(d->engine);
    }
    if (d->arena != NULL) {
        arena_free(d->arena);
    }
    tap_close(&d->tap);
    loop_free(d->loop);
}

static int run(struct daemon *d)
{
    bool started = start(d);
    int r = started ? loop_run(d->loop) : 0;
    if (r < 0) {
        log_error(d->log, "the loop ended: %s", strerror(-r));
    }
    if (started) {
        struct loop_stats stats;
        loop_stats(d->loop, &stats);
        log_info(d->log, "the longest callback used %lld us (%s)",
                 (long long)(stats.longest_cpu_ns / NS_PER_US), stats.longest_cpu_name);
    }
    bool failed = !started || r < 0 || cycle_failed(d->cycle);
    finish(d);
    return failed ? EXIT_REFUSED : EXIT_OK;
}

int main(int argc, char **argv)
{
    static struct daemon d = {.tap = {.fd = -1}, .listen_fd = {-1, -1}};
    mem_steady();
    d.argc = argc;
    d.argv = argv;
    if (config_parse(&d.config, argc, argv, stderr) < 0) {
        return EXIT_USAGE;
    }
    if (d.config.help) {
        config_help(stdout);
        return EXIT_OK;
    }
    if (d.config.version) {
        puts("ackd " ACKD_VERSION);
        return EXIT_OK;
    }
    if (d.config.check_only) {
        puts("ackd: the configuration is good");
        return EXIT_OK;
    }
    config_link_text(&d.config, d.link);
    log_sink_init(&d.sink, STDERR_FILENO, d.config.log_level);
    d.log = &d.sink.log;
    int descriptors = descriptors_raise();
    if (descriptors < 0) {
        log_warning(d.log, "cannot raise the limit of open files: %s", strerror(-descriptors));
    }
    return run(&d);
}
