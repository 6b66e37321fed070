/* Three services over the engine's user calls.
 *
 * Echo has no buffer. Bytes stay in the engine's receive queue until the send buffer takes them,
 * and only then are they consumed: a client that does not read what comes back closes its own
 * window, as it should. As many bytes were consumed as were sent, so tcp_send_offset() is also the
 * place to read on. When the stream has ended and all of it was echoed, echo closes too.
 *
 * Discard consumes all there is. Chargen writes while there is room, and where it is in its pattern
 * follows from the send offset; RFC 864: "the service continues until the user closes the
 * connection", input is thrown away. The end of the client's stream alone is no close: a client
 * that is gone answers with a reset. */
#include "sockets/service.h"

#include <errno.h>
#include <string.h>

/* Readiness of a listener has this bit in its cookie. */
#define LISTENER UINT64_C(0x100)

enum {
    BACKLOG = 4096,
    /* What one turn does for a listener and for a connection; the rest is for the next. */
    ACCEPTS = 32,
    TURN_BYTES = 256 << 10,
};

static const char *const names[SERVICE_KINDS] = {NULL, "echo", "discard", "chargen"};

enum service_kind service_by_name(const char *name)
{
    for (unsigned i = 1; i < SERVICE_KINDS; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum service_kind)i;
        }
    }
    return SERVICE_NONE;
}

const char *service_name(uint64_t cookie)
{
    uint64_t kind = cookie & ~LISTENER;
    return kind < SERVICE_KINDS ? names[kind] : NULL;
}

int service_listen(struct service *s, ackd_time now, enum service_kind kind, uint16_t port)
{
    struct tcp_listen_args args = {
        .tuple = {.local_port = port},
        .backlog = BACKLOG,
        .owner = s->owner,
        .cookie = kind | LISTENER,
    };
    uint64_t id;
    return tcp_listen(s->engine, now, &args, &id);
}

/* ---- echo ---- */

/* Returns whether the service is done with the connection. */
static bool serve_echo(struct service *s, ackd_time now, uint64_t id)
{
    for (int64_t done = 0; done < TURN_BYTES;) {
        struct tcp_received in;
        int64_t at = tcp_send_offset(s->engine, id);
        int64_t room = tcp_send_room(s->engine, id);
        if (at < 0 || room < 0) {
            return true;
        }
        if (room == 0) {
            return false;
        }
        if (tcp_peek(s->engine, id, (uint64_t)at, (size_t)room, &in) < 0) {
            return true;
        }
        if (in.n_ranges == 0) {
            return in.end_of_stream;
        }
        int64_t sent = tcp_send(s->engine, now, id, in.range[0].data, in.range[0].length,
                                in.available == in.range[0].length ? TCP_SEND_PUSH : 0);
        if (sent == 0) {
            return false;
        }
        if (sent < 0 || tcp_consume(s->engine, now, id, (uint64_t)(at + sent)) < 0) {
            return true;
        }
        done += sent;
    }
    tcp_ready_again(s->engine, id, TCP_READY_READ);
    return false;
}

/* ---- discard ---- */

enum input { INPUT_OPEN, INPUT_ENDED, INPUT_DEAD };

/* Throws away all that was received. */
static enum input drain(struct service *s, ackd_time now, uint64_t id)
{
    struct tcp_received in;
    int64_t at = tcp_receive_offset(s->engine, id);
    if (at < 0 || tcp_peek(s->engine, id, (uint64_t)at, SIZE_MAX, &in) < 0 ||
        tcp_consume(s->engine, now, id, in.offset + in.available) < 0) {
        return INPUT_DEAD;
    }
    return in.end_of_stream ? INPUT_ENDED : INPUT_OPEN;
}

/* ---- chargen ---- */

enum { PRINTING = 95, COLUMNS = 72, LINE = COLUMNS + 2 };

/* Two rounds of the printing characters: each line is 72 of them in a row from somewhere in the
 * first round. */
#define ROUND                                                                                      \
    " !\"#$%&'()*+,-./"                                                                            \
    "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
static const char ring[] = ROUND ROUND;

void service_pattern(uint64_t offset, uint8_t *out, size_t length)
{
    size_t column = offset % LINE;
    size_t line = offset / LINE % PRINTING;
    while (length > 0) {
        uint8_t text[LINE];
        memcpy(text, ring + line, COLUMNS);
        text[COLUMNS] = '\r';
        text[COLUMNS + 1] = '\n';
        size_t n = LINE - column < length ? LINE - column : length;
        memcpy(out, text + column, n);
        out += n;
        length -= n;
        column = 0;
        line = (line + 1) % PRINTING;
    }
}

static bool serve_chargen(struct service *s, ackd_time now, uint64_t id)
{
    if (drain(s, now, id) == INPUT_DEAD) {
        return true;
    }
    if (s->pattern[0] == 0) {
        service_pattern(0, s->pattern, sizeof s->pattern);
    }
    for (int64_t done = 0; done < TURN_BYTES;) {
        int64_t at = tcp_send_offset(s->engine, id);
        int64_t room = tcp_send_room(s->engine, id);
        if (at < 0 || room < 0) {
            return true;
        }
        if (room == 0) {
            return false;
        }
        size_t from = (uint64_t)at % SERVICE_PATTERN_PERIOD, there = sizeof s->pattern - from;
        size_t n = (uint64_t)room < there ? (size_t)room : there;
        int64_t sent = tcp_send(s->engine, now, id, s->pattern + from, n, 0);
        if (sent <= 0) {
            return sent < 0;
        }
        done += sent;
    }
    tcp_ready_again(s->engine, id, TCP_READY_WRITE);
    return false;
}

/* ---- readiness ---- */

static void serve(struct service *s, ackd_time now, uint64_t id, uint64_t cookie)
{
    bool done = true;
    switch (cookie) {
    case SERVICE_ECHO:
        done = serve_echo(s, now, id);
        break;
    case SERVICE_DISCARD:
        done = drain(s, now, id) != INPUT_OPEN;
        break;
    case SERVICE_CHARGEN:
        done = serve_chargen(s, now, id);
        break;
    }
    if (done) {
        /* Closes what is open, and lets the engine see the connection to its end. */
        tcp_release(s->engine, now, id);
    }
}

static void accept_some(struct service *s, ackd_time now, uint64_t listener, uint64_t kind)
{
    uint64_t id;
    for (unsigned n = 0; n < ACCEPTS; n++) {
        if (tcp_accept(s->engine, listener, s->owner, kind, &id) < 0) {
            return;
        }
        /* Data may have come before we took it: there will be no readiness for those. */
        serve(s, now, id, kind);
    }
    tcp_ready_again(s->engine, listener, TCP_READY_ACCEPT);
}

void service_on_ready(struct service *s, ackd_time now, const struct tcp_ready *ready)
{
    if ((ready->cookie & LISTENER) != 0) {
        if ((ready->what & TCP_READY_ACCEPT) != 0) {
            accept_some(s, now, ready->id, ready->cookie & ~LISTENER);
        }
    } else if ((ready->what & TCP_READY_CLOSED) != 0) {
        tcp_release(s->engine, now, ready->id);
    } else {
        serve(s, now, ready->id, ready->cookie);
    }
}
