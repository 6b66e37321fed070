/* Two engines and what is between them, for the targets that fuzz the engine: a wire that holds
 * what was sent until somebody decides about it, users who write a known stream and compare what
 * they read, a forger who knows the connections, and the oracles: every invariant of the engine,
 * every octet, and in the end no record and no memory left. */
#ifndef TEST_FUZZ_PAIR_H
#define TEST_FUZZ_PAIR_H

#include <string.h>
#include "../fuzz.h"
#include "../../unit/tcp/memory.h"
#include "bytes.h"
#include "tcp/tcp.h"

#define WIRE 24
#define IDS 8
#define MTU 1500u
#define FRAME 30000u /* below the frames that a pool keeps, so that memory can be compared */
#define HOUR_NS (3600 * NS_PER_S)

struct parcel {
    struct ip_addr src, dst;
    uint8_t *bytes;  /* TCP header and payload */
    uint32_t length; /* of both */
    uint16_t gso_size;
    uint8_t header_len, tos;
    ackd_time due;
};

struct side {
    struct memory memory;
    struct tcp_engine *engine;
    struct ip_addr addr;
    size_t baseline;
    struct hoard *hoard; /* all that the arena had left while memory is at its end */
    uint32_t mtu;        /* of the route from here, as net/ knows it */
    uint64_t ids[IDS];   /* what the user knows of */
    unsigned n_ids;
    struct parcel wire[WIRE]; /* on the way from here */
    unsigned on_wire;
    bool refuses; /* the device */
};

struct world {
    struct side side[2];
    ackd_time now;
    bool forged; /* from here on nobody's bytes are what they seem */
    bool lied;   /* or just the acknowledgments: what was sent need not arrive */
    /* Moves everything that can move at this instant. */
    void (*settle)(struct world *w);
    /* When the next parcel arrives; NULL: whenever it is told to. */
    ackd_time (*arrival)(const struct world *w);
    void *transfer; /* of the target of that name */
};

/* Addresses of both, memory, time; settle is pair_settle(). */
void pair_init(struct world *w, bool v6);
/* Small tables, so that their ends are reached; the caller may change it before side_init(). */
void pair_config(struct tcp_config *config);
void side_init(struct world *w, unsigned i, struct tcp_config *config, const struct tcp_link *link);
void pair_free(struct world *w);
/* No memory is left for the engine, or there is some again. */
void memory_ends(struct side *s, bool ends);

/* The user of a side learns of an id; of too many he lets the oldest go. */
void know(struct world *w, unsigned side, uint64_t id);
uint64_t pick(const struct side *s, struct bytes *in);

/* ---- segments ---- */

/* A frame as it goes out is what the RFCs allow. */
void check_segment(const struct world *w, const struct tcp_tx *tx);
struct parcel parcel_of(const struct tcp_tx *tx);
/* Into a buffer of its own size (`small`) or of a frame's. */
void parcel_input(struct world *w, const struct parcel *p, bool small);
/* Sends up to `most` segments into side i's wire; fate: the device refuses the first of them. */
void flush(struct world *w, unsigned i, unsigned most, uint8_t fate);
/* One parcel arrives, any of them; or does not, or twice, or only the first segments of it. */
void deliver(struct world *w, unsigned from, uint8_t how);
void wire_drop(struct side *s, unsigned at);
/* A segment whose numbers are near those of a connection that the user knows. */
void forge(struct world *w, unsigned to, struct bytes *in);

void forge_icmp(struct world *w, unsigned to, struct bytes *in);
/* Both ends send and receive, n times. */
void talk(struct world *w, unsigned n);

/* ---- users ---- */

#define PERIOD 65521u
/* PERIOD octets of every stream from that offset on. */
const uint8_t *stream_at(uint64_t offset);

/* From any of the listeners; now and then he thinks better of it. */
void user_accept(struct world *w, unsigned i, struct bytes *in);
/* CLOSE, ABORT, FLUSH, or lets go of any of his. */
void user_end(struct world *w, unsigned i, struct bytes *in);
void user_send(struct world *w, unsigned i, uint64_t id, uint32_t length, unsigned flags);
void user_read(struct world *w, unsigned i, uint64_t id, uint32_t most);
/* Of what was not read from stream offset `from` on; where it then stands. */
uint64_t user_read_from(struct world *w, unsigned i, uint64_t id, uint64_t from, uint32_t most);
/* Changes one thing. */
void change_option(struct tcp_options *o, struct bytes *in);

/* ---- time, and the end ---- */

void pass(struct world *w, int64_t ns);
int64_t to_next(const struct world *w);
void check(struct world *w);
void pair_settle(struct world *w);
void run_for(struct world *w, int64_t ns);
/* The user of a side accepts whatever there is. */
void accept_all(struct world *w);
/* A connection whose peer lives must not keep data for ever. */
void everything_arrives(struct world *w);
/* Everybody does, and hours later no record is left. */
void let_go(struct world *w);
/* Nor any memory. */
void nothing_stays(struct world *w);

#endif
