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
#include "host/log_sink.h"
#include "host/loop.h"
#include "host/mem.h"
#include "host/notify.h"
#include "host/signals.h"
#include "host/tap.h"
#include "net/net.h"
#include "sockets/service.h"
#include "tcp/tcp.h"

/* Who is told of an endpoint's readiness. */
enum { OWNER_RPC = 1, OWNER_SERVICE = 2 };

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
    struct cycle *cycle;
    struct signals *signals;
    struct notify *notify;
    bool stopping;
};

/* ---- before anything is touched ---------------------------------------------------------------
 */

static bool find_sockets(struct daemon *d)
{
    const struct config *c = &d->config;
    int r = 0;
    if (c->socket[0] != '\0') {
        memcpy(d->socket, c->socket, sizeof d->socket);
    } else {
        r = control_socket_default(c->link == CONFIG_LINK_TAP ? c->tap : "none", d->socket);
    }
    if (r == 0 && strcmp(c->monitor_socket, "auto") == 0) {
        r = control_socket_beside(d->socket, d->monitor_socket);
    } else {
        memcpy(d->monitor_socket, c->monitor_socket, sizeof d->monitor_socket);
    }
    if (r == -ENOENT) {
        log_error(d->log, "no place for the control socket: XDG_RUNTIME_DIR is not set; "
                          "give --socket PATH");
    } else if (r < 0) {
        log_error(d->log, "the control socket's path is longer than %zu bytes",
                  CONTROL_SOCKET_PATH - 1);
    }
    return r == 0;
}

static bool socket_is_free(struct daemon *d, const char *path)
{
    pid_t pid;
    if (path[0] == '\0') {
        return true;
    }
    int r = control_socket_probe(path, &pid);
    if (r == -EADDRINUSE) {
        log_error(d->log, "%s is served by process %ld; stop it, or give --socket another path",
                  path, (long)pid);
    } else if (r == -EEXIST) {
        log_error(d->log, "%s exists and is no socket; remove it, or give --socket another path",
                  path);
    } else if (r < 0) {
        log_error(d->log, "%s: %s", path, strerror(-r));
    }
    return r == 0;
}

static bool addresses_are_free(struct daemon *d)
{
    struct ip_addr conflict;
    char interface[16], text[IP_ADDR_TEXT];
    if (d->config.link != CONFIG_LINK_TAP) {
        return true;
    }
    int r = check_addresses(d->config.address, d->config.n_addresses, &conflict, interface);
    if (r == -EADDRINUSE) {
        log_error(d->log,
                  "address %s belongs to the host already (interface %s); give ackd one of its own",
                  ip_addr_format(&conflict, text), interface);
    } else if (r < 0) {
        log_error(d->log, "cannot read the host's addresses: %s", strerror(-r));
    }
    return r == 0;
}

/* ---- making the rooms -------------------------------------------------------------------------
 */

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
        .checksum_offload = tap && !d->config.no_offload,
        .tso = tap && !d->config.no_offload,
    };
    memcpy(config.mac, d->tap.mac, sizeof config.mac);
    d->net = net_new(&config, loop_now(d->loop));
    return d->net != NULL ? add_addresses(d) : no_memory(d);
}

/* ---- services ---------------------------------------------------------------------------------
 */

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
        int r = service_listen(&d->service, loop_now(d->loop), service_by_name(s->name), s->port);
        if (r < 0) {
            log_error(d->log, "cannot serve %s on port %u: %s", s->name, s->port, strerror(-r));
            return false;
        }
    }
    return true;
}

static bool make_cycle(struct daemon *d)
{
    struct cycle_config config = {
        .loop = d->loop,
        .log = d->log,
        .engine = d->engine,
        .net = d->net,
        .tap = d->config.link == CONFIG_LINK_TAP ? &d->tap : NULL,
        .owner = {[OWNER_SERVICE] = {service_ready, d}},
    };
    d->cycle = cycle_new(&config);
    return d->cycle != NULL || no_memory(d);
}

/* ---- signals ----------------------------------------------------------------------------------
 */

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

/* Peers are told: every connection that lives is reset, and the resets are sent. */
static void stop(struct daemon *d)
{
    enum { LAST_FRAMES = 65536 };
    notify_stopping();
    log_notice(d->log, "stopping: %u endpoints end", tcp_endpoints(d->engine));
    struct tcp_cursor *cursor = tcp_cursor_new(d->engine, 0);
    while (cursor != NULL) {
        uint64_t id = tcp_cursor_next(cursor, 1024);
        if (id == 0) {
            break;
        }
        if (id != UINT64_MAX) {
            tcp_abort(d->engine, loop_now(d->loop), id, TCP_CLOSE_KILLED);
        }
    }
    if (cursor != NULL) {
        tcp_cursor_free(cursor);
    }
    cycle_flush(d->cycle, LAST_FRAMES);
    loop_stop(d->loop);
}

static void on_signal(void *arg, int signal)
{
    struct daemon *d = arg;
    if (signal == SIGHUP) {
        reload(d);
    } else if (!d->stopping) {
        d->stopping = true;
        stop(d);
    }
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static bool start(struct daemon *d)
{
    if (!find_sockets(d) || !socket_is_free(d, d->socket) ||
        !socket_is_free(d, d->monitor_socket) || !addresses_are_free(d)) {
        return false;
    }
    if (!make_seed(d) || !make_engine(d) || !make_link(d) || !make_net(d) || !make_services(d) ||
        !make_cycle(d)) {
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
    return d->notify != NULL || no_memory(d);
}

static void finish(struct daemon *d)
{
    notify_free(d->notify);
    signals_free(d->signals);
    cycle_free(d->cycle);
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
    bool failed = !started || r < 0 || cycle_failed(d->cycle);
    finish(d);
    return failed ? EXIT_REFUSED : EXIT_OK;
}

int main(int argc, char **argv)
{
    static struct daemon d = {.tap = {.fd = -1}};
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
    return run(&d);
}
