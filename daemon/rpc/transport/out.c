/* What goes to a client's socket. Payload is copied once, from where the handler has it into its
 * message; from there on it is only referred to.
 *
 *     call's queue -> frame -> batch -> socket, or tail -> socket
 *
 * nghttp2 asks a call for the payload of a DATA frame before it knows whether the frame goes; the
 * frame holds the parts of messages meanwhile. Frames, and copies of what is small, are gathered in
 * a batch, which one sendmsg() writes. What the socket does not take of it is the tail, and nghttp2
 * is not asked for more until that is gone. A message is freed when neither a queue nor any of
 * these needs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "rpc/transport/internal.h"

enum {
    BATCHES = 2,       /* batches one callback writes: the others want to run, too */
    COPY_BELOW = 1024, /* bytes below which a copy costs less than an iovec */
    FRAME_HEADER = 9,  /* bytes of a frame's header */
    SPARES = 8,        /* large messages whose memory stays */
    CONTROL_MAX =
        32768 /* bytes of the largest frame that is not DATA, and of a DATA frame's copies */
};

/* ---- messages ---- */

/* The C library gives the top of the heap back to the kernel when a large block on it is freed, and
 * fetches it again, page by page, for the next one. So the memory of some large messages stays. */
struct message *message_new(struct grpc_server *server, size_t length)
{
    bool large = length > FRAME_MAX / 2 && length <= FRAME_MAX;
    size_t size = large ? FRAME_MAX : length;
    struct message *m = large ? server->spare : NULL;
    if (m) {
        server->spare = m->next;
        server->n_spare--;
    } else {
        m = malloc(sizeof *m + size);
    }
    if (m) {
        m->next = NULL;
        m->refs = 1;
        m->length = length;
        m->size = size;
    }
    return m;
}

void message_unref(struct grpc_server *server, struct message *m)
{
    if (--m->refs > 0) {
        return;
    }
    if (m->size == FRAME_MAX && server->n_spare < SPARES) {
        m->next = server->spare;
        server->spare = m;
        server->n_spare++;
    } else {
        free(m);
    }
}

void out_free_spares(struct grpc_server *server)
{
    while (server->spare) {
        struct message *m = server->spare;
        server->spare = m->next;
        free(m);
    }
    server->n_spare = 0;
}

/* ---- frame ---- */

bool frame_add(struct connection *c, struct message *message, size_t at, size_t length)
{
    struct frame *f = &c->frame;
    if (f->count == FRAME_PARTS) {
        return false;
    }
    message->refs++;
    f->part[f->count++] = (struct part){message, at, length};
    f->bytes += length;
    c->owner->queued += length;
    return true;
}

static void frame_clear(struct connection *c)
{
    c->owner->queued -= c->frame.bytes;
    c->frame.count = 0;
    c->frame.bytes = 0;
}

void frame_drop(struct connection *c)
{
    for (unsigned i = 0; i < c->frame.count; i++) {
        message_unref(c->server, c->frame.part[i].message);
    }
    frame_clear(c);
}

/* ---- batch ---- */

/* Whether any DATA frame and one of another kind fit. */
static bool batch_admits(const struct batch *b)
{
    return b->bytes < WRITE_BATCH && BATCH_PARTS - b->count > 2 * FRAME_PARTS &&
           WRITE_SIZE - b->copied >= 2 * CONTROL_MAX;
}

static void batch_copy(struct grpc_server *server, const uint8_t *data, size_t length)
{
    struct batch *b = &server->batch;
    uint8_t *to = server->write_buffer + b->copied;
    struct iovec *last = b->count ? &b->iov[b->count - 1] : NULL;
    memcpy(to, data, length);
    b->copied += length;
    b->bytes += length;
    if (last && !b->message[b->count - 1]) {
        last->iov_len += length; /* they adjoin */
    } else {
        b->message[b->count] = NULL;
        b->iov[b->count++] = (struct iovec){to, length};
    }
}

/* Takes the piece's reference over. */
static void batch_add(struct grpc_server *server, const struct part *p)
{
    struct batch *b = &server->batch;
    uint8_t *bytes = p->message->bytes + p->at;
    if (p->length < COPY_BELOW) {
        batch_copy(server, bytes, p->length);
        message_unref(server, p->message);
    } else {
        b->bytes += p->length;
        b->message[b->count] = p->message;
        b->iov[b->count++] = (struct iovec){bytes, p->length};
    }
}

static void batch_clear(struct grpc_server *server)
{
    struct batch *b = &server->batch;
    for (unsigned i = 0; i < b->count; i++) {
        if (b->message[i]) {
            message_unref(server, b->message[i]);
        }
    }
    b->count = 0;
    b->bytes = b->copied = 0;
}

int out_data(struct connection *c, const uint8_t *header, size_t length)
{
    if (length != c->frame.bytes) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (!batch_admits(&c->server->batch)) {
        return NGHTTP2_ERR_WOULDBLOCK; /* the frame waits for the next batch */
    }
    batch_copy(c->server, header, FRAME_HEADER);
    for (unsigned i = 0; i < c->frame.count; i++) {
        batch_add(c->server, &c->frame.part[i]);
    }
    frame_clear(c);
    return 0;
}

/* Asks nghttp2 for a batch; false: the session is broken. */
static bool gather(struct connection *c)
{
    struct grpc_server *server = c->server;
    while (batch_admits(&server->batch)) {
        const uint8_t *frame;
        ssize_t n = nghttp2_session_mem_send(c->session, &frame);
        /* DATA frames may have gone into the batch meanwhile. */
        if (n < 0 || (size_t)n > WRITE_SIZE - server->batch.copied) {
            return false;
        }
        if (n == 0) {
            break;
        }
        batch_copy(server, frame, (size_t)n);
    }
    return true;
}

/* ---- tail ---- */

void out_drop_tail(struct connection *c)
{
    for (unsigned i = c->tail_at; i < c->tail_count; i++) {
        message_unref(c->server, c->tail[i].message);
    }
    c->owner->queued -= c->tail_length;
    free(c->tail);
    c->tail = NULL;
    c->tail_at = c->tail_count = 0;
    c->tail_length = 0;
}

/* The copies lie in a buffer of the server's and need another. */
static struct message *copies_behind(struct grpc_server *server, size_t sent)
{
    const struct batch *b = &server->batch;
    size_t length = 0, skip = sent;
    struct message *m = message_new(server, b->copied);
    for (unsigned i = 0; m && i < b->count; i++) {
        size_t from = skip < b->iov[i].iov_len ? skip : b->iov[i].iov_len;
        skip -= from;
        if (!b->message[i]) {
            memcpy(m->bytes + length, (uint8_t *)b->iov[i].iov_base + from,
                   b->iov[i].iov_len - from);
            length += b->iov[i].iov_len - from;
        }
    }
    return m;
}

/* Keeps what the socket did not take, behind the first `sent` bytes. False without memory. */
static bool keep_tail(struct connection *c, size_t sent)
{
    struct batch *b = &c->server->batch;
    struct message *copies = copies_behind(c->server, sent);
    size_t at = 0, skip = sent;
    c->tail = malloc(b->count * sizeof *c->tail);
    if (!c->tail || !copies) {
        if (copies) {
            message_unref(c->server, copies);
        }
        return false;
    }
    for (unsigned i = 0; i < b->count; i++) {
        size_t from = skip < b->iov[i].iov_len ? skip : b->iov[i].iov_len;
        size_t left = b->iov[i].iov_len - from;
        struct message *m = b->message[i] ? b->message[i] : copies;
        skip -= from;
        if (left > 0) {
            size_t place =
                b->message[i] ? (size_t)((uint8_t *)b->iov[i].iov_base - m->bytes) + from : at;
            m->refs++;
            c->tail[c->tail_count++] = (struct part){m, place, left};
            at += b->message[i] ? 0 : left;
        }
    }
    message_unref(c->server, copies);
    c->tail_length = b->bytes - sent;
    c->owner->queued += c->tail_length;
    return true;
}

/* Takes `n` bytes off the front. */
static void tail_advance(struct connection *c, size_t n)
{
    c->tail_length -= n;
    c->owner->queued -= n;
    while (n > 0) {
        struct part *p = &c->tail[c->tail_at];
        size_t part = n < p->length ? n : p->length;
        p->at += part;
        p->length -= part;
        n -= part;
        if (p->length == 0) {
            message_unref(c->server, p->message);
            c->tail_at++;
        }
    }
}

static ssize_t send_parts(struct connection *c, struct iovec *iov, unsigned count)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    c->server->written += (size_t)n;
    return n;
}

/* What the socket did not take goes first. False: the connection is lost. */
static bool send_tail(struct connection *c)
{
    struct iovec *iov = c->server->batch.iov; /* the batch is empty */
    if (!c->tail) {
        return true;
    }
    for (unsigned i = c->tail_at; i < c->tail_count; i++) {
        const struct part *p = &c->tail[i];
        iov[i - c->tail_at] = (struct iovec){p->message->bytes + p->at, p->length};
    }
    ssize_t n = send_parts(c, iov, c->tail_count - c->tail_at);
    if (n < 0) {
        return false;
    }
    tail_advance(c, (size_t)n);
    if (c->tail_length == 0) {
        out_drop_tail(c);
    }
    return true;
}

/* ---- the whole ---- */

/* Writes a batch. False: the connection is lost. */
static bool write_batch(struct connection *c)
{
    struct batch *b = &c->server->batch;
    bool good = gather(c);
    if (good && b->count > 0) {
        ssize_t n = send_parts(c, b->iov, b->count);
        good = n >= 0 && ((size_t)n == b->bytes || keep_tail(c, (size_t)n));
    }
    batch_clear(c->server);
    return good;
}

bool out_write(struct connection *c)
{
    for (unsigned i = 0; i < BATCHES && (i == 0 || !server_spent(c->server)); i++) {
        if (!send_tail(c)) {
            return false;
        }
        if (c->tail || !nghttp2_session_want_write(c->session)) {
            return true;
        }
        if (!write_batch(c)) {
            return false;
        }
    }
    return true;
}
