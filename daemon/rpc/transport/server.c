/* What the connections share: limits, methods, the descriptor index, and the list of connections
 * that have something to send. That list is the reason why no callback runs inside of
 * grpc_call_*(): those only put the connection there, and a timer that is due at once empties it
 * from the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "rpc/transport/internal.h"

/* What one callback does at most, since packets want to run, too. */
enum {
    FLUSHED = 16,        /* connections */
    WRITTEN = 256 << 10, /* bytes; one more flush may follow the last */
    UNGREETED = 64,      /* connections closed */
};

/* A connection that has still more to send comes onto the list again, at its end. */
static void flush_some(void *arg)
{
    struct grpc_server *server = arg;
    server->written = 0;
    for (unsigned i = 0; i < FLUSHED && server->written < WRITTEN && !server_spent(server) &&
                         !list_empty(&server->dirty);
         i++) {
        connection_flush(container_of(server->dirty.next, struct connection, dirty));
    }
    if (!list_empty(&server->dirty)) {
        loop_timer_at(server->flush_timer, loop_now(server->loop));
    }
}

/* Closes who has not greeted in time. */
static void greetings_due(void *arg)
{
    struct grpc_server *server = arg;
    ackd_time now = loop_now(server->loop);
    for (unsigned i = 0; !list_empty(&server->greetings); i++) {
        struct connection *c = container_of(server->greetings.next, struct connection, greeting);
        if (i == UNGREETED || !time_reached(c->greeting_deadline, now)) {
            loop_timer_at(server->greeting_timer, c->greeting_deadline);
            return;
        }
        server->stats.refused_connections++;
        connection_close(c);
    }
}

static void accept_again(void *arg)
{
    struct grpc_server *server = arg;
    listen_resume(server);
    if (server->accept_paused && !server->draining) {
        listen_pause(server);
    }
}

static struct grpc_limits with_defaults(struct grpc_limits l)
{
    l.max_message = l.max_message ? l.max_message : 4u << 20;
    l.max_unpacked = l.max_unpacked ? l.max_unpacked : 16u << 20;
    l.max_connections = l.max_connections ? l.max_connections : 4096;
    l.max_connections_uid = l.max_connections_uid ? l.max_connections_uid : 1024;
    l.max_streams = l.max_streams ? l.max_streams : 256;
    l.stream_window = l.stream_window ? l.stream_window : 256u << 10;
    l.connection_window = l.connection_window ? l.connection_window : 4u << 20;
    l.max_send_queue = l.max_send_queue ? l.max_send_queue : 1u << 20;
    return l;
}

/* What can fail; the caller frees the whole. */
static bool server_setup(struct grpc_server *server, const struct grpc_server_config *config)
{
    server->flush_timer = loop_timer_new(server->loop, flush_some, server);
    server->greeting_timer = loop_timer_new(server->loop, greetings_due, server);
    server->accept_timer = loop_timer_new(server->loop, accept_again, server);
    server->read_buffer = malloc(READ_SIZE);
    server->write_buffer = malloc(WRITE_SIZE);
    if (!server->flush_timer || !server->greeting_timer || !server->accept_timer ||
        !server->read_buffer || !server->write_buffer || http2_setup(server) < 0) {
        return false;
    }
    if (config->descriptor_set_length > 0) {
        server->described = described_new(config->descriptor_set, config->descriptor_set_length);
        if (!server->described) {
            return false;
        }
    }
    server->health = health_new(server);
    server->reflection = reflection_new(server);
    return server->health && server->reflection;
}

struct grpc_server *grpc_server_new(const struct grpc_server_config *config)
{
    struct grpc_server *server = calloc(1, sizeof(*server));
    if (!server) {
        return NULL;
    }
    server->loop = config->loop;
    server->log = config->log;
    server->limits = with_defaults(config->limits);
    server->authorize = config->authorize;
    server->authorize_arg = config->authorize_arg;
    list_init(&server->listeners);
    list_init(&server->connections);
    list_init(&server->dirty);
    list_init(&server->greetings);
    list_init(&server->owners);
    unpacker_init(&server->unpacker, server->limits.max_unpacked);
    if (!server_setup(server, config)) {
        grpc_server_free(server);
        return NULL;
    }
    return server;
}

static void free_timer(struct loop_timer *timer)
{
    if (timer) {
        loop_timer_free(timer);
    }
}

void grpc_server_free(struct grpc_server *server)
{
    if (!server) {
        return;
    }
    server->draining = true;
    listen_close_all(server);
    while (!list_empty(&server->connections)) {
        connection_close(container_of(server->connections.next, struct connection, link));
    }
    health_free(server->health);
    reflection_free(server->reflection);
    described_free(server->described);
    free_timer(server->flush_timer);
    free_timer(server->greeting_timer);
    free_timer(server->accept_timer);
    nghttp2_option_del(server->options);
    nghttp2_session_callbacks_del(server->callbacks);
    unpacker_free(&server->unpacker);
    free(server->methods);
    out_free_spares(server);
    free(server->read_buffer);
    free(server->write_buffer);
    free(server);
}

/* The place of a path in the sorted methods: where it is, or where it belongs. */
static size_t method_place(const struct grpc_server *server, const char *path, bool *found)
{
    size_t low = 0, high = server->methods_count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, server->methods[middle].method->path);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

const struct method *server_method(const struct grpc_server *server, const char *path)
{
    bool found;
    size_t place = method_place(server, path, &found);
    return found ? &server->methods[place] : NULL;
}

bool server_add(struct grpc_server *server, const struct grpc_method *method, void *arg,
                bool open_to_all)
{
    bool found;
    size_t place = method_place(server, method->path, &found);
    if (!found) {
        if (server->methods_count == server->methods_capacity) {
            size_t capacity = server->methods_capacity ? server->methods_capacity * 2 : 32;
            struct method *methods = realloc(server->methods, capacity * sizeof(*methods));
            if (!methods) {
                return false;
            }
            server->methods = methods;
            server->methods_capacity = capacity;
        }
        memmove(server->methods + place + 1, server->methods + place,
                (server->methods_count - place) * sizeof(*server->methods));
        server->methods_count++;
    }
    server->methods[place] = (struct method){method, arg, open_to_all};
    return true;
}

void grpc_server_add(struct grpc_server *server, const struct grpc_method *method, void *arg)
{
    if (!server_add(server, method, arg, false) && server->log) {
        log_error(server->log, "no memory for the method %s", method->path);
    }
}

int grpc_server_attach(struct grpc_server *server, int fd, bool read_only)
{
    if (server->draining) {
        return -ESHUTDOWN;
    }
    return connection_new(server, fd, read_only);
}

void grpc_server_set_health(struct grpc_server *server, const char *service, bool serving)
{
    health_set(server->health, service, serving);
}

void grpc_server_drain(struct grpc_server *server)
{
    server->draining = true;
    listen_close_all(server);
    list_for_each_safe(at, next, &server->connections)
    {
        struct connection *c = container_of(at, struct connection, link);
        if (!c->session) {
            connection_close(c);
        } else {
            nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
                                  nghttp2_session_get_last_proc_stream_id(c->session),
                                  NGHTTP2_NO_ERROR, NULL, 0);
            connection_dirty(c);
        }
    }
}

int grpc_method_role(const struct grpc_server *server, const char *path)
{
    int role = server->described ? described_role(server->described, path) : -1;
    return role < 0 ? -ENOENT : role;
}

void grpc_server_stats(const struct grpc_server *server, struct grpc_stats *out)
{
    *out = server->stats;
}
