/* An engine that only records what net/ tells it, and sends what a test scripted. */
#ifndef TEST_NET_FAKE_TCP_H
#define TEST_NET_FAKE_TCP_H

#include "tcp/tcp.h"

struct tcp_engine {
    struct arena *arena;
    struct pkt_pool *pool;
    struct tcp_link link;
    struct tcp_counters counters;
    ackd_time deadline;

    unsigned inputs;
    struct tcp_rx rx; /* the last; its packet is gone by then */
    uint8_t segment[65536];

    unsigned icmps;
    struct tcp_icmp icmp;   /* the last */
    bool icmp_bad_sequence; /* refuse them */

    struct tcp_tx *script;
    unsigned room, scripted, sent;
    unsigned failed[3];             /* by enum tcp_tx_failure */
    const struct tcp_tx *failed_tx; /* the last */
    int error;                      /* of the last */

    unsigned removed;
    struct ip_addr removed_address;
};

struct tcp_engine *fake_tcp_new(struct arena *arena);
void fake_tcp_free(struct tcp_engine *engine);
/* A segment (valid until the next one is scripted) without options and with `payload_len` bytes of
 * `payload` to be sent at the next flush.
 */
struct tcp_tx *fake_tcp_script(struct tcp_engine *engine, const struct ip_addr *src,
                               const struct ip_addr *dst, const void *payload,
                               uint32_t payload_len);

#endif
