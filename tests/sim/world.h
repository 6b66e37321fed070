/* Two engines, a wire each way, and one virtual clock. A step goes to the next instant at which
 * anything happens, hands over what arrived, runs the timers, lets the users act, sends, and then
 * checks every invariant. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>
#include "link.h"
#include "../unit/tcp/memory.h"

struct world;

struct host {
    const char *name;
    struct world *world;
    struct ip_addr addr;
    struct memory memory;
    struct tcp_engine *engine;
    struct link *out;
    uint32_t mtu;        /* of the route */
    uint32_t refuse_ppm; /* frames that the device refuses: tcp_tx_failed() */
    size_t baseline;     /* bytes used by the engine before any connection */
    bool state_seen[TCP_STATES];
    uint64_t closes[TCP_CLOSES];
    uint32_t iss; /* of the first connection, for the trace */
    uint64_t next_event;
};

struct world {
    ackd_time now;
    struct host host[2];
    struct link link[2]; /* link[i] leads away from host[i] */
    struct rng rng;
    uint64_t steps, digest; /* of everything that was put on the wire */
    bool verbose;
    char failure[600];    /* "": none yet */
    uint32_t check_every; /* steps between checks of invariants, 1 by default */

    /* The users. `ready` is told what the engine reports, `act` is asked at every step whether it
     * wants to do something (true: it did), and `wake` when it will want to next. */
    void (*ready)(struct world *w, struct host *h, const struct tcp_ready *ready);
    bool (*act)(struct world *w);
    ackd_time (*wake)(const struct world *w);
    void *users;
};

struct world_config {
    uint64_t seed;
    struct link_profile profile[2];
    struct tcp_link device[2];
    struct tcp_config engine[2]; /* arena and seeds are filled in */
    struct ip_addr addr[2];
    size_t memory_limit;
};
/* Addresses 192.0.2.1 and .2, a wire of 1500 bytes and 10 ms without faults, default options. */
void world_config_default(struct world_config *config, uint64_t seed);

void world_init(struct world *w, const struct world_config *config);
void world_free(struct world *w);

/* All that is due now: what arrived, timers, users, sending, checks. To be called after calls into
 * an engine from outside a step. */
void world_settle(struct world *w);
/* One step, to an instant not after `limit`. False when nothing is left to happen by then (now ==
 * limit unless that is TIME_NEVER), or it failed. */
bool world_step(struct world *w, ackd_time limit);
/* Settles, then steps until `done` says so; false when it never did by `limit`. */
bool world_until(struct world *w, bool (*done)(struct world *w), ackd_time limit);
/* Settles, then lets `ns` pass. */
void world_pass(struct world *w, int64_t ns);

/* The first failure stays. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Everything that can be known about why it does not go on. */
void world_diagnose(struct world *w, FILE *out);

/* Hands a frame from the wire to a host's engine. */
void host_input(struct host *h, const struct wire_segment *s);
/* Bytes that the engine uses now. */
size_t host_used(const struct host *h);
/* The full view of a connection; state CLOSED when it is gone. */
struct tcp_info host_info(struct host *h, uint64_t id);

/* Byte i of the stream number `salt`. */
void pattern_fill(uint8_t *to, uint64_t salt, uint64_t offset, size_t length);

#endif
