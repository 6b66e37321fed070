/* The two users of a simulated connection: they write, read at their own pace, check every byte,
 * and close in either order. */
#ifndef SIM_USERS_H
#define SIM_USERS_H

#include "world.h"

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

struct users {
    struct user user[2]; /* user[0] opens, user[1] listens */
    struct rng rng;
    ackd_time open_at;
    struct tcp_options options[2];
};

/* Random users, options and sizes for a seed; at least 1 MB in one direction or both. */
void users_random(struct users *u, struct world_config *config, uint64_t seed);
/* Puts them into the world: one listens, the other opens at open_at. */
void users_start(struct users *u, struct world *w);
/* Everything was delivered, closed, and no record of it is left. */
bool users_done(struct world *w);
/* Whoever has data or a FIN to send has a timer for it. */
void users_check(struct world *w);

#endif
