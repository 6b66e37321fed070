/* The cycle: the one place where frames, time, events and readiness meet the engine. It is what a
 * reader follows from the TAP to the engine and back. */
#ifndef ACKD_HOST_CYCLE_H
#define ACKD_HOST_CYCLE_H

#include <stdint.h>
#include <sys/uio.h>
#include "base/log.h"
#include "host/loop.h"
#include "host/tap.h"
#include "net/net.h"
#include "tcp/tcp.h"

/* Owner numbers (tcp_ready.owner) are below this; 0 is nobody. */
#define CYCLE_OWNERS 8

struct cycle_owner {
    void (*on_ready)(void *arg, const struct tcp_ready *ready); /* NULL: nobody */
    void *arg;
};

/* Who watches. Each may be NULL. */
struct cycle_observer {
    void *arg;
    bool (*wants_frames)(void *arg);
    /* `offload` completes a partial checksum in a copy. Comes before the events of the same cycle.
     */
    void (*frame)(void *arg, enum tcp_direction direction, ackd_time now, const struct iovec *iov,
                  unsigned n, uint32_t length, const struct net_offload *offload, uint64_t id);
    /* Takes all events that the engine holds. */
    void (*drain)(void *arg);
};

struct cycle_config {
    struct loop *loop;
    struct log *log;
    struct tcp_engine *engine;
    struct net *net;
    struct tap *tap; /* NULL: no link, only loopback inside */
    struct cycle_observer observer;
    struct cycle_owner owner[CYCLE_OWNERS];
};

struct cycle_stats {
    uint64_t read_errors;
    uint64_t write_errors;   /* each told to net/ as a local drop */
    int last_write_error;    /* errno, 0 none */
    uint64_t starved_frames; /* too large to be read at the memory limit */
};

struct cycle;

/* Becomes the loop's cycle. NULL when out of memory. */
struct cycle *cycle_new(const struct cycle_config *config);
void cycle_free(struct cycle *cycle);
void cycle_stats(const struct cycle *cycle, struct cycle_stats *out);
/* Did the TAP vanish? The loop was stopped then. */
bool cycle_failed(const struct cycle *cycle);
/* Sends what is queued, at most `frames`; true when nothing is left: for the orderly end. */
bool cycle_flush(struct cycle *cycle, unsigned frames);

#endif
