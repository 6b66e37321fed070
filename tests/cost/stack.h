/* Two hosts, each net/ and an engine, and a wire of memory between them: what the host's cycle does
 * (host/cycle.c), in virtual time. Of one of the two the instructions are counted, and of nothing
 * else: not of its peer, nor of what carries frames. */
#ifndef COST_STACK_H
#define COST_STACK_H

#include <stdlib.h>
#include "../unit/tcp/memory.h"
#include "base/list.h"
#include "net/net.h"
#include "observe/observe.h"
#include "sockets/service.h"

/* What is wrong with a trace ends the program: its figure would mean nothing. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct stack {
    struct memory memory;
    struct tcp_engine *engine;
    struct net *net;
    struct observe *observe;
    struct pkt *buffer; /* the next frame goes here */
    struct list inbox;  /* frames that the wire has brought */
    struct stack *peer;
    void (*on_ready)(void *arg, const struct tcp_ready *ready);
    void *arg;
    unsigned batch;     /* frames read before anything is answered */
    bool answers_first; /* as a kernel, which acknowledges before its user runs */
    bool counted;
    unsigned lose_every;  /* of the data frames that it sends, 0 none */
    uint64_t data_frames; /* sent with payload, lost ones too */
    uint64_t frames;      /* sent */
    uint64_t bytes;       /* of all frames */
};

struct wire {
    ackd_time now;
    bool steady; /* no deadline is waited for */
    struct stack client, server;
};

struct wire_config {
    bool steady;
    bool tso;              /* super-frames, and checksums by the device */
    unsigned client_batch; /* frames that the client reads before it answers */
    unsigned client_addresses;
    int64_t delayed_ack_ns; /* the server's; -1 its default */
    unsigned server_loses_every, client_loses_every;
};

/* The server's address and the client's n-th. */
struct ip_addr wire_server_address(void);
struct ip_addr wire_client_address(unsigned n);

void wire_init(struct wire *w, const struct wire_config *config);
/* One round: the client's cycle, the server's, and a moment passes; where nothing happened, time
 * goes on to the next deadline of either, unless it is steady. */
void wire_round(struct wire *w);
/* The server's instructions count from here on. */
void wire_count(struct wire *w);

#endif
