/* Engines, the wires between them, and one virtual clock. A step goes to the next instant at which
 * anything happens, hands over what arrived, runs the timers, lets the users act, sends, and then
 * checks every invariant.
 *
 * Two hosts have a wire each way. More of them stand left and right of a bottleneck, each behind an
 * access link of its own with a direction up and one down:
 *
 *     a --\                               /-- d
 *     b ---- router == bottleneck == router --- e
 *     c --/                               \-- f       */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>
#include "link.h"
#include "monitor.h"
#include "../unit/tcp/memory.h"

#define HOSTS_MAX 8u
#define LINKS_MAX (2 * HOSTS_MAX + 2)

struct world;
struct host;

/* What stands between an engine and its links; NULL: nothing. */
struct host_door {
    bool (*flush)(struct host *h, struct tcp_tx *tx); /* as tcp_flush() */
    void (*input)(struct host *h, const struct wire_segment *s);
    void (*too_big)(struct host *h, const struct wire_segment *s);
    void (*timeout)(struct host *h);
    ackd_time (*deadline)(const struct host *h);
};

struct host {
    const char *name;
    struct world *world;
    struct ip_addr addr;
    struct memory memory;
    struct tcp_engine *engine;
    const struct host_door *door;
    void *door_ctx;
    struct link *out;
    uint32_t mtu;        /* of the route */
    uint32_t refuse_ppm; /* frames that the device refuses: tcp_tx_failed() */
    size_t baseline;     /* bytes used by the engine before any connection, */
    size_t bound;        /* and by all connections at most; 0: not known */
    bool state_seen[TCP_STATES];
    uint64_t closes[TCP_CLOSES], kinds[TCP_KINDS]; /* connections that ended; frames sent */
    uint32_t iss;                                  /* of the first connection, for the trace */
    uint64_t next_event;
    struct monitor monitor;
};

struct world {
    ackd_time now;
    unsigned hosts, left, links; /* hosts; of them left of the bottleneck; links */
    struct host host[HOSTS_MAX];
    /* link[i] leads away from host[i]. Beyond two hosts: link[hosts] is the bottleneck from left to
     * right, link[hosts + 1] back, and link[hosts + 2 + i] leads to host[i]. */
    struct link link[LINKS_MAX];
    struct rng rng;
    uint64_t steps, digest; /* of everything that was put on the wire */
    bool verbose;
    char failure[600];    /* "": none yet */
    uint32_t check_every; /* steps between checks of invariants, 1 by default */

    /* The users. `ready` is told what the engine reports, `closed` that a connection ended, `act`
     * is asked at every step whether it wants to do something (true: it did), and `wake` when it
     * will want to next. */
    void (*ready)(struct world *w, struct host *h, const struct tcp_ready *ready);
    void (*closed)(struct world *w, struct host *h, const struct tcp_event *event);
    bool (*act)(struct world *w);
    ackd_time (*wake)(const struct world *w);
    void *users;
};

struct world_config {
    uint64_t seed;
    unsigned hosts, left;
    struct link_profile profile[HOSTS_MAX];             /* away from the host */
    struct link_profile down[HOSTS_MAX], bottleneck[2]; /* beyond two hosts */
    struct tcp_link device[HOSTS_MAX];
    struct tcp_config engine[HOSTS_MAX]; /* arena and seeds are filled in */
    struct ip_addr addr[HOSTS_MAX];
    size_t memory_limit;
};
/* Two hosts, addresses 192.0.2.1 and so on, wires of 1500 bytes and 10 ms without faults, default
 * options. */
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

/* How much is on the wires, in segments. */
unsigned world_in_flight(const struct world *w);

/* The host with this address, `otherwise` where there is none. */
struct host *world_host(struct world *w, const struct ip_addr *addr, struct host *otherwise);
/* Hands a frame from the wire to a host's engine. */
void host_input(struct host *h, const struct wire_segment *s);
/* Bytes that the engine uses now. */
size_t host_used(const struct host *h);
/* The full view of a connection; state CLOSED when it is gone. */
struct tcp_info host_info(struct host *h, uint64_t id);

/* Byte i of the stream number `salt`. */
void pattern_fill(uint8_t *to, uint64_t salt, uint64_t offset, size_t length);

#endif
