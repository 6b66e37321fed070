/* The users of simulated connections: they write, read at their own pace, check every byte, and
 * close in either order; some come back and connect again between the same ports. */
#ifndef SIM_USERS_H
#define SIM_USERS_H

#include "world.h"

#define FLOWS_MAX 16u

struct user {
    struct host *host;
    uint64_t id, listener; /* 0: none */
    uint64_t salt_out, salt_in;
    uint64_t to_send, to_receive; /* bytes */
    uint64_t sent, received;
    bool connected, blocked, end_seen, closed, released, gone;

    /* Manners. */
    uint32_t chunk;        /* bytes of a write at most */
    int64_t think_ns;      /* between writes at most; 0: as fast as it goes */
    uint32_t bite;         /* bytes of a read at most; 0: all */
    int64_t read_every_ns; /* 0: as it comes */
    uint64_t pause_at;     /* having received this much it stops reading ... */
    int64_t pause_ns;      /* ... for so long */
    uint32_t push_ppm, urgent_ppm;
    bool close_after_end; /* waits for the peer's end before its own */
    bool release_late;    /* lets go only when the connection is over */
    ackd_time write_at, read_at;
};

/* Two users and the connection between them. */
struct flow {
    struct user user[2]; /* user[0] opens, user[1] listens */
    struct tcp_options options[2];
    unsigned host[2];          /* of the world */
    uint16_t port, local_port; /* that is listened on; of who opens, 0: any */
    ackd_time open_at;
    unsigned again;       /* connections to come after this one, from the same port, */
    int64_t again_ns;     /* so long after the end of the last */
    uint64_t bytes;       /* received by both in connections that are over */
    unsigned connections; /* begun */
    bool try_again;       /* it was reset, which cookies may lead to */
    unsigned retries;     /* times that it was tried again */
    uint64_t old_syns;    /* that the listener had refused when this one was opened */
};

/* What connections were, when they were let go; nothing but uint64_t. */
struct users_seen {
    uint64_t limited_ns[TCP_LIMITS];
    uint64_t ecn, accecn, sack, timestamps, fast_open;
};

struct users {
    struct rng rng;
    struct flow flow[FLOWS_MAX];
    unsigned n;
    struct users_seen seen;
    bool may_fail; /* connections may end by a timeout: the wire is cut for good */
};

/* Two hosts and a connection: random wires, options and manners; at least 1 MB in one direction or
 * both. */
void users_random(struct users *u, struct world_config *config, uint64_t seed);
/* The same, on wires that are cut for good while data flow. */
void users_random_cut(struct users *u, struct world_config *config, uint64_t seed);
/* 2 to 16 connections, all ways between 3 to 8 hosts, each behind an access link, over one
 * bottleneck. */
void users_random_many(struct users *u, struct world_config *config, uint64_t seed);
/* Puts them into the world: one listens, the other opens at open_at. */
void users_start(struct users *u, struct world *w);
/* Everything was delivered, closed, and no record of it is left. */
bool users_done(struct world *w);
/* In the end: every octet arrived, unless the wire was cut. */
void users_check_end(struct world *w);
/* How far they came, where they are not done. */
void users_tell(struct world *w);
uint64_t users_bytes(const struct users *u);

#endif
