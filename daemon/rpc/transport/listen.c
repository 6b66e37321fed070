/* Listening sockets. At the limit of connections, or when the process has no descriptor left,
 * accept pauses: who wants in waits in the kernel's queue instead of being turned away, and a
 * level-triggered loop does not spin. One uid cannot take all places: beyond its own limit it is
 * closed at once (who it is, is known only after accept). */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "rpc/transport/internal.h"

enum { ACCEPTS = 8 /* of one callback */ };
#define PAUSE_NS (100 * NS_PER_MS)

struct uid_count *owner_take(struct grpc_server *server, uid_t uid)
{
    struct uid_count *owner = NULL;
    list_for_each(at, &server->owners)
    {
        struct uid_count *o = container_of(at, struct uid_count, link);
        owner = o->uid == uid ? o : owner;
    }
    if (owner && owner->connections >= server->limits.max_connections_uid) {
        return NULL;
    }
    if (!owner) {
        owner = calloc(1, sizeof(*owner));
        if (!owner) {
            return NULL;
        }
        owner->uid = uid;
        list_append(&server->owners, &owner->link);
    }
    owner->connections++;
    return owner;
}

void owner_release(struct uid_count *owner)
{
    if (--owner->connections == 0) {
        list_remove(&owner->link);
        free(owner);
    }
}

void owner_fed(struct grpc_server *server, struct uid_count *owner)
{
    if (!owner->starved || call_queues_half(server, owner)) {
        return;
    }
    owner->starved = false;
    list_for_each(at, &server->connections)
    {
        struct connection *c = container_of(at, struct connection, link);
        if (c->owner == owner && !list_empty(&c->waiting)) {
            connection_dirty(c);
        }
    }
}

static void watch_all(struct grpc_server *server, unsigned what)
{
    list_for_each(at, &server->listeners)
    {
        loop_fd_set(container_of(at, struct listener, link)->watch, what);
    }
}

void listen_pause(struct grpc_server *server)
{
    if (!server->accept_paused) {
        server->accept_paused = true;
        watch_all(server, 0);
    }
    loop_timer_at(server->accept_timer, time_add(loop_now(server->loop), PAUSE_NS));
}

void listen_resume(struct grpc_server *server)
{
    if (!server->accept_paused || server->draining ||
        server->stats.connections >= server->limits.max_connections) {
        return;
    }
    server->accept_paused = false;
    loop_timer_at(server->accept_timer, TIME_NEVER);
    watch_all(server, LOOP_READ);
}

/* Errors of accept that say nothing about the client but that we lack something. */
static bool lacking(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void listen_ready(void *arg, int listen_fd, unsigned what)
{
    struct listener *l = arg;
    struct grpc_server *server = l->server;
    (void)what;
    for (unsigned i = 0; i < ACCEPTS && !server->accept_paused; i++) {
        if (server->stats.connections >= server->limits.max_connections) {
            listen_pause(server);
            return;
        }
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (lacking(errno)) {
                listen_pause(server);
            }
            return;
        }
        if (connection_new(server, fd, l->read_only) < 0) {
            close(fd);
        }
    }
}

int grpc_server_listen(struct grpc_server *server, int listen_fd, bool read_only)
{
    struct listener *l = calloc(1, sizeof(*l));
    if (!l) {
        return -ENOMEM;
    }
    l->server = server;
    l->fd = listen_fd;
    l->read_only = read_only;
    l->watch = loop_fd_new(server->loop, listen_fd, server->accept_paused ? 0 : LOOP_READ,
                           listen_ready, l);
    if (!l->watch) {
        free(l);
        return -ENOMEM;
    }
    list_append(&server->listeners, &l->link);
    return 0;
}

void listen_close_all(struct grpc_server *server)
{
    list_for_each_safe(at, next, &server->listeners)
    {
        struct listener *l = container_of(at, struct listener, link);
        list_remove(&l->link);
        loop_fd_free(l->watch);
        close(l->fd);
        free(l);
    }
}
