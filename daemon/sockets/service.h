/* Built-in endpoints: echo (RFC 862), discard (RFC 863) and chargen (RFC 864). The quickest way to
 * have a peer, and the engine's own measuring points: they use the engine's public calls and
 * nothing else, and their bytes pass through the same buffers as a user's.
 *
 * A service keeps no record of a connection: what it needs is in the engine's stream offsets, and
 * the connection's cookie says which service it belongs to. So a million connections to discard
 * cost what a million connections cost. */
#ifndef ACKD_SOCKETS_SERVICE_H
#define ACKD_SOCKETS_SERVICE_H

#include <stddef.h>
#include <stdint.h>
#include "tcp/tcp.h"

enum service_kind { SERVICE_NONE, SERVICE_ECHO, SERVICE_DISCARD, SERVICE_CHARGEN, SERVICE_KINDS };

/* Chargen's lines repeat after as many bytes. */
#define SERVICE_PATTERN_PERIOD ((size_t)95 * 74)

struct service {
    struct tcp_engine *engine;
    uint32_t owner; /* the owner number of every endpoint of ours; readiness with it belongs to
                       service_on_ready() */
    /* Two periods: from any place in the first, a whole one lies in one piece. All zero until
     * chargen first writes. */
    uint8_t pattern[2 * SERVICE_PATTERN_PERIOD];
};

/* "echo", "discard", "chargen"; SERVICE_NONE for anything else. */
enum service_kind service_by_name(const char *name);
/* The name behind the cookie of an endpoint of ours, or NULL. */
const char *service_name(uint64_t cookie);

/* Listens on `port` at every address. 0, or what tcp_listen() answers. */
int service_listen(struct service *service, ackd_time now, enum service_kind kind, uint16_t port);

/* Something happened to an endpoint whose owner is service->owner. Works through what is there and
 * returns; copies at most a send buffer. */
void service_on_ready(struct service *service, ackd_time now, const struct tcp_ready *ready);

/* chargen's stream from byte `offset` on: lines of 72 printing characters and CR LF, each line
 * beginning one character later. */
void service_pattern(uint64_t offset, uint8_t *out, size_t length);

#endif
