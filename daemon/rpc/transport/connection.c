/* One client's socket. An idle connection holds its nghttp2 session and nothing else: reads go into
 * a buffer of the server's, writes are gathered in another (out.c), and only what the socket
 * refuses is kept, at most one batch; nghttp2 is not asked for more until it is gone. What a client
 * does not read therefore stays in the calls' queues, which grpc_call_room() bounds, and a client
 * that makes us owe answers without reading them is not read from. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "rpc/transport/internal.h"

enum {
    PIECE = 1024, /* bytes taken in before the clock is looked at */
    OUTBOUND_FRAMES =
        512, /* frames that wait for a client that does not read, until we stop reading */
};
#define GREETING_NS                                                                                \
    (10 * NS_PER_S) /* a client says its preface at once; one that doesn't is none */

/* /proc/PID/comm, or "?" when there is none (another PID namespace). */
static void read_command(struct grpc_peer *peer)
{
    char path[32];
    ssize_t n = -1;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)peer->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, peer->command, sizeof(peer->command) - 1);
        close(fd);
    }
    if (n <= 0) {
        peer->command[0] = '?';
        n = 1;
    }
    peer->command[n] = '\0';
    peer->command[strcspn(peer->command, "\n")] = '\0';
}

static int identify(struct grpc_peer *peer, int fd)
{
    struct ucred cred;
    socklen_t length = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0) {
        return -errno;
    }
    peer->uid = cred.uid;
    peer->gid = cred.gid;
    peer->pid = cred.pid;
    read_command(peer);
    return 0;
}

static void watch(struct connection *c, unsigned what)
{
    if (c->watching != what) {
        c->watching = what;
        loop_fd_set(c->watch, what);
    }
}

/* How many of `left` bytes to take in before the clock is looked at: a small piece, or the rest of
 * a large message, as far as it lies in the present frame. */
static size_t next_piece(const struct connection *c, size_t left)
{
    size_t n = c->receiving ? call_lacks(c->receiving) : 0;
    n = n < c->data_left ? n : c->data_left;
    n = n > PIECE ? n : PIECE;
    return n < left ? n : left;
}

/* Hands bytes to nghttp2 until they, or the callback's time, are used up: what was read may be
 * thousands of requests. Returns how many were taken, or -1: the session is broken. */
static ssize_t digest(struct connection *c, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    do {
        ssize_t n =
            nghttp2_session_mem_recv(c->session, bytes + taken, next_piece(c, length - taken));
        if (n < 0) {
            c->server->stats.protocol_errors++;
            return -1;
        }
        taken += (size_t)n;
    } while (taken < length && !server_spent(c->server));
    if (c->receiving) {
        call_settle(c->receiving);
    }
    return (ssize_t)taken;
}

static void drop_unread(struct connection *c)
{
    free(c->unread);
    c->unread = NULL;
    c->unread_length = c->unread_taken = 0;
}

/* Goes on with what was read before. False: the connection is lost. */
static bool take_unread(struct connection *c)
{
    ssize_t n = digest(c, c->unread + c->unread_taken, c->unread_length - c->unread_taken);
    c->unread_taken += n < 0 ? 0 : (size_t)n;
    if (c->unread_taken == c->unread_length) {
        drop_unread(c);
    }
    return n >= 0;
}

/* After a GOAWAY, when the last call is done; or when we have had enough. */
static bool is_done(const struct connection *c)
{
    return c->offender || (!c->tail && !nghttp2_session_want_read(c->session) &&
                           !nghttp2_session_want_write(c->session));
}

void connection_flush(struct connection *c)
{
    list_remove(&c->dirty);
    if (!c->session) {
        return;
    }
    bool alive = (!c->unread || take_unread(c)) && out_write(c);
    if (alive) {
        call_notify(c);
        alive = out_write(c);
    }
    if (!alive || is_done(c)) {
        connection_close(c);
        return;
    }
    owner_fed(c->server, c->owner);
    bool owes = c->tail && nghttp2_session_get_outbound_queue_size(c->session) > OUTBOUND_FRAMES;
    bool reads = nghttp2_session_want_read(c->session) && !owes && !c->unread;
    watch(c, (reads ? LOOP_READ : 0) | (c->tail ? LOOP_WRITE : 0));
    if (c->unread || (!c->tail && nghttp2_session_want_write(c->session))) {
        connection_dirty(c);
    }
}

void connection_dirty(struct connection *c)
{
    struct grpc_server *server = c->server;
    if (c->dying || !list_empty(&c->dirty)) {
        return;
    }
    if (list_empty(&server->dirty)) {
        loop_timer_at(server->flush_timer, loop_now(server->loop));
    }
    list_append(&server->dirty, &c->dirty);
}

/* One read. False: the connection is lost. */
static bool take_in(struct connection *c)
{
    const uint8_t *bytes = c->server->read_buffer;
    ssize_t n = recv(c->fd, c->server->read_buffer, READ_SIZE, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (n == 0 || (!c->session && http2_new(c) < 0)) {
        return false;
    }
    ssize_t taken = digest(c, bytes, (size_t)n);
    if (taken < 0 || taken == n) {
        return taken == n;
    }
    c->unread_length = (size_t)(n - taken);
    c->unread = malloc(c->unread_length);
    if (!c->unread) {
        return false;
    }
    memcpy(c->unread, bytes + taken, c->unread_length);
    return true;
}

static void connection_ready(void *arg, int fd, unsigned what)
{
    struct connection *c = arg;
    (void)fd;
    if ((what & LOOP_READ) && !c->unread && !take_in(c)) {
        connection_close(c);
        return;
    }
    connection_flush(c);
}

static struct connection *connection_alloc(struct grpc_server *server, int fd)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c) {
        return NULL;
    }
    c->server = server;
    c->fd = fd;
    c->watching = LOOP_READ;
    c->watch = loop_fd_new(server->loop, fd, LOOP_READ, connection_ready, c);
    if (!c->watch) {
        free(c);
        return NULL;
    }
    list_init(&c->dirty);
    list_init(&c->calls);
    list_init(&c->waiting);
    list_init(&c->senders);
    list_append(&server->connections, &c->link);
    list_append(&server->greetings, &c->greeting);
    flood_init(&c->flood, loop_now(server->loop));
    c->greeting_deadline = time_add(loop_now(server->loop), GREETING_NS);
    return c;
}

int connection_new(struct grpc_server *server, int fd, bool read_only)
{
    struct grpc_peer peer = {.read_only = read_only};
    int error = identify(&peer, fd);
    if (error < 0) {
        return error;
    }
    struct uid_count *owner = owner_take(server, peer.uid);
    if (!owner) {
        server->stats.refused_connections++;
        return -EUSERS;
    }
    bool first = list_empty(&server->greetings);
    struct connection *c = connection_alloc(server, fd);
    if (!c) {
        owner_release(owner);
        return -ENOMEM;
    }
    c->owner = owner;
    c->peer = peer;
    c->peer.connection = ++server->stats.connections_accepted;
    server->stats.connections++;
    if (first) {
        loop_timer_at(server->greeting_timer, c->greeting_deadline);
    }
    return 0;
}

void connection_close(struct connection *c)
{
    struct grpc_server *server = c->server;
    c->dying = true;
    list_remove(&c->link);
    list_remove(&c->dirty);
    list_remove(&c->greeting);
    loop_fd_free(c->watch);
    close(c->fd);
    while (!list_empty(&c->calls)) {
        call_end(container_of(c->calls.next, struct grpc_call, link));
    }
    nghttp2_session_del(c->session);
    free(c->request);
    frame_drop(c);
    out_drop_tail(c);
    drop_unread(c);
    owner_fed(server, c->owner);
    owner_release(c->owner);
    free(c);
    server->stats.connections--;
    listen_resume(server);
}
