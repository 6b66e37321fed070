/* What one connection leaves to the next of the same pair of hosts (RFC 9040, temporal sharing). */
#ifndef ACKD_TCP_METRICS_H
#define ACKD_TCP_METRICS_H

#include "base/arena.h"
#include "base/list.h"
#include "base/time.h"
#include "tcp/tcp.h"

#define METRICS_BUCKETS 512u
#define FAST_OPEN_COOKIE_MAX 16u

struct tcb;

struct metrics_entry {
    struct metrics_entry *next; /* in its bucket */
    struct list recency;        /* on metrics.recency, the latest first */
    struct ip_addr local, remote;
    ackd_time updated;
    int64_t srtt_ns, rttvar_ns; /* -1: unknown */
    uint32_t ssthresh;          /* bytes, 0: unknown */
    struct {                    /* RFC 7413 section 4.1.3 */
        uint8_t cookie[FAST_OPEN_COOKIE_MAX];
        uint8_t cookie_len;   /* 0: none */
        bool experimental;    /* it came in the experimental option */
        uint8_t refused;      /* requests that went unanswered: in the option, in the other, ... */
        uint8_t losses;       /* SYNs with data that were lost in a row */
        uint16_t mss;         /* of the last SYN,ACK; 0 unknown */
        ackd_time good_after; /* no data in a SYN before */
    } fast_open;
    struct {                   /* RFC 9768 section 3.1.4.1 */
        ackd_time offer_after; /* AccECN is not offered before */
        uint8_t failures;      /* attempts in a row that only a SYN without it got through */
    } accecn;
};

struct metrics {
    struct metrics_entry **bucket; /* METRICS_BUCKETS */
    struct list recency;
    uint32_t entries;
    struct slab slab;
};

bool metrics_init(struct tcp_engine *e);
void metrics_free(struct tcp_engine *e);
/* NULL when nothing is known. */
struct metrics_entry *metrics_find(const struct tcp_engine *e, const struct tcp_tuple *t);
/* Made when it is not there, in the place of the one longest unused; the latest from here on. NULL
 * without memory, or with a limit of none. */
struct metrics_entry *metrics_need(struct tcp_engine *e, const struct tcp_tuple *t, ackd_time now);
/* The connection is over: its successors shall know. */
void metrics_learn(struct tcp_engine *e, const struct tcb *c, ackd_time now);
/* The handshake is through: what its predecessors left. */
void metrics_apply(struct tcp_engine *e, struct tcb *c, ackd_time now);

#endif
