/* The life of net/, its doors, and the order in which it does things when time passes.
 *
 * Nothing here happens by itself: a frame enters by net_input(), time by net_timeout(), and
 * whatever they caused lies in the outbox or in the engine until net_flush() fetches it. Packets to
 * ourselves are delivered when time passes, so that a loop of answers takes one turn of the host's
 * cycle each and never a deeper stack. */
#include "net/internal.h"

/* A frame that may grow waits for an ACK that is due unless it holds a third of the window. A write
 * costs the same for one segment as for 64 KB; and beside senders that do the same, who answers
 * every ACK at once is the one that meets the full queue (docs/performance.md). */
#define DEFER_DIVISOR 3

const struct tcp_reason_text net_drop_text[NET_DROPS] = {[NET_DROP_NONE] = {"NONE", ""},
#define X(name, sentence) [NET_DROP_##name] = {#name, sentence},
                                                         NET_DROP_REASONS(X)
#undef X
};

struct net *net_new(const struct net_config *config, ackd_time now)
{
    struct net *net = arena_alloc(config->arena, sizeof *net);
    if (!net) {
        return NULL;
    }
    memset(net, 0, sizeof *net);
    net->config = *config;
    net->pool = tcp_pool(config->engine);
    rng_init(&net->rng, config->seed0, config->seed1);
    net->key = (struct hash_key){rng_u64(&net->rng), rng_u64(&net->rng)};
    net->now = now;
    slab_init(&net->packets, config->arena, sizeof(struct net_packet));
    fifo_init(&net->outbox);
    fifo_init(&net->loopback);
    neighbours_init(net);
    pmtu_init(net);
    icmp_init(net);
    struct tcp_link link = {.checksum_offload = config->checksum_offload,
                            .tso = config->tso,
                            .max_frame = config->tso ? UINT16_MAX : config->mtu,
                            .defer_divisor = config->tso ? DEFER_DIVISOR : 0};
    tcp_set_link(config->engine, &link);
    return net;
}

void net_free(struct net *net)
{
    if (!net) {
        return;
    }
    neighbours_free(net);
    pmtu_free(net);
    fifo_clear(net, &net->outbox);
    fifo_clear(net, &net->loopback);
    out_release(net);
    arena_release(net->config.arena, net, sizeof *net);
}

const struct net_counters *net_counters(const struct net *net)
{
    return &net->counters;
}

void net_tcp_input(struct net *net, struct net_rx *rx)
{
    bool vouched = rx->offload.needs_checksum || rx->offload.data_valid;
    if (!offload_check(net, rx)) {
        return;
    }
    net->counters.checksum_by_device += vouched && !rx->looped;
    struct tcp_rx segment = {
        .src = rx->src,
        .dst = rx->dst,
        .pkt = rx->pkt,
        .offset = rx->offset,
        .length = rx->length,
        .gso_size = rx->offload.gso_size,
        .ttl = rx->ttl,
        .tos = rx->tos,
        .checksum_ok = vouched || rx->looped,
        .checksum_partial = rx->offload.needs_checksum,
        .to_group = rx->ip_group || rx->link_group,
        .mtu = pmtu_get(net, rx->now, &rx->src),
    };
    tcp_input(net->config.engine, rx->now, &segment);
}

void net_timeout(struct net *net, ackd_time now)
{
    net->now = now;
    out_release(net);
    loopback_run(net, now);
    dad_timeout(net, now);
    neighbours_timeout(net, now);
    tcp_timeout(net->config.engine, now);
}

ackd_time net_next_deadline(const struct net *net, ackd_time now)
{
    if (net->more || net->outbox.count > 0 || net->loopback.count > 0) {
        return now;
    }
    ackd_time t = time_min(dad_deadline(net), neighbours_deadline(net));
    return time_min(t, tcp_next_deadline(net->config.engine));
}
