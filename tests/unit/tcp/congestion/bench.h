/* A connection for the tests of congestion control alone: a tcb with a flow, without an engine. The
 * test says what ACKs come and when. */
#ifndef ACKD_TESTS_CONGESTION_BENCH_H
#define ACKD_TESTS_CONGESTION_BENCH_H

#include "../cmocka_all.h"
#include "tcp/tcb.h"

#define MSS 1000u

struct bench {
    struct tcb c;
    struct flow flow;
    struct activity act;
    struct shared_options options;
    ackd_time now;
    struct rtxq_delta delta;
};

/* An established connection with an empty flight, cwnd of `segments`, a round-trip time of
 * `rtt_ms`, and 10 s on the clock. */
static inline void bench_begin(struct bench *b, enum tcp_congestion which, uint32_t segments,
                               int64_t rtt_ms)
{
    memset(b, 0, sizeof *b);
    tcp_options_default(&b->options.v);
    b->options.v.congestion = which;
    b->now = time_from_ns(10 * NS_PER_S);
    b->c.options = &b->options;
    b->c.flow = &b->flow;
    b->c.act = &b->act;
    rtxq_init(&b->act.rtxq);
    b->c.t.rec.tuple.local = b->c.t.rec.tuple.remote = ip_addr_v4(192, 0, 2, 1);
    b->c.mtu = 1500;
    b->c.nego.peer_mss = MSS;
    b->flow.data_sent = TIME_NEVER;
    b->c.rtt.srtt_ns = b->flow.min_rtt_ns = rtt_ms * NS_PER_MS;
    b->c.rtt.rttvar_ns = 0;
    b->flow.cc.cwnd = segments * MSS;
    b->flow.cc.ssthresh = UINT32_MAX;
    b->flow.congestion = (uint8_t)which;
    b->flow.rate.delivered_at = b->flow.rate.first_sent_at = b->flow.next_send = b->now;
    b->flow.validation.invalid_since = TIME_NEVER;
    b->flow.cc_state = calloc(1, cc_module(&b->c)->state_size);
    cc_module(&b->c)->init(&b->c, b->now);
}

static inline void bench_end(struct bench *b)
{
    free(b->flow.cc_state);
}

/* The flight fills cwnd, which holds sending back. */
static inline void bench_fill(struct bench *b)
{
    b->c.snd.nxt = seq_add(b->c.snd.una, b->flow.cc.cwnd);
    b->c.flags |= C_CWND_LIMITED;
}

/* An ACK for `bytes`, with a round-trip time or -1. */
static inline void bench_ack(struct bench *b, uint32_t bytes, int64_t rtt_ns)
{
    struct cc_ack ack = {
        .now = b->now, .acked = bytes, .delivered = bytes, .rtt_ns = rtt_ns, .in_flight = 0};
    b->delta = (struct rtxq_delta){.acked = bytes, .delivered = bytes};
    b->c.snd.una = seq_add(b->c.snd.una, bytes);
    cc_acked(&b->c, &b->delta, &ack);
}

/* A round trip in which the whole window, an ACK for each segment, is acknowledged; the clock moves
 * on by `rtt_ns`. `limited`: the application has more to send. */
static inline void bench_round(struct bench *b, int64_t rtt_ns, bool limited)
{
    uint32_t segments = b->flow.cc.cwnd / MSS;
    ackd_time end = time_add(b->now, rtt_ns);
    for (uint32_t i = 0; i < segments; i++) {
        if (limited) {
            bench_fill(b);
        }
        b->now = time_add(b->now, rtt_ns / segments);
        bench_ack(b, MSS, rtt_ns);
    }
    b->now = end;
}

/* A loss that is repaired at once. */
static inline void bench_loss(struct bench *b, bool ecn)
{
    b->flow.cc.ssthresh = cc_ssthresh(&b->c, 0, ecn);
    b->flow.cc.cwnd = b->flow.cc.ssthresh;
    cc_event(&b->c, ecn ? CC_ENTER_CWR : CC_ENTER_RECOVERY, b->now);
    cc_event(&b->c, CC_LEAVE_RECOVERY, b->now);
}

/* A value that `show` prints; fails when the module has none of that name. */
static inline struct tcp_congestion_field bench_field(const struct bench *b, const char *name)
{
    struct tcp_congestion_field f[TCP_CONGESTION_FIELDS];
    unsigned n = cc_module(&b->c)->fields(&b->c, f);
    assert_true(n <= TCP_CONGESTION_FIELDS);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(f[i].name, name) == 0) {
            return f[i];
        }
    }
    fail_msg("no field %s", name);
    return f[0];
}

#endif
