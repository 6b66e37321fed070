#include "fake_tcp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct tcp_engine *fake_tcp_new(struct arena *arena)
{
    struct tcp_engine *e = calloc(1, sizeof *e);
    assert(e);
    e->arena = arena;
    e->pool = pkt_pool_new(arena, 2);
    e->deadline = TIME_NEVER;
    return e;
}

void fake_tcp_free(struct tcp_engine *e)
{
    pkt_pool_free(e->pool);
    free(e->script);
    free(e);
}

struct tcp_tx *fake_tcp_script(struct tcp_engine *e, const struct ip_addr *src,
                               const struct ip_addr *dst, const void *payload, uint32_t payload_len)
{
    if (e->sent == e->scripted) {
        e->sent = e->scripted = 0;
    }
    if (e->scripted == e->room) {
        e->room = e->room ? 2 * e->room : 8;
        e->script = realloc(e->script, e->room * sizeof *e->script);
        assert(e->script);
    }
    struct tcp_tx *tx = &e->script[e->scripted++];
    *tx = (struct tcp_tx){.id = 7, .src = *src, .dst = *dst, .ttl = 64, .header_len = 20};
    struct tcp_hdr hdr = {
        .sport = 80, .dport = 4000, .seq = seq_of(0x01020304), .header_len = 20, .flags = TCP_ACK};
    tcp_hdr_build(tx->header, &hdr);
    tx->payload_len = payload_len;
    if (payload_len > 0) {
        tx->n_ranges = 1;
        tx->range[0] = (struct tcp_range){payload, payload_len};
    }
    return tx;
}

struct pkt_pool *tcp_pool(struct tcp_engine *e)
{
    return e->pool;
}

void tcp_set_link(struct tcp_engine *e, const struct tcp_link *link)
{
    e->link = *link;
}

void tcp_input(struct tcp_engine *e, ackd_time now, const struct tcp_rx *rx)
{
    (void)now;
    e->inputs++;
    e->rx = *rx;
    memcpy(e->segment, rx->pkt->data + rx->offset, rx->length);
}

void tcp_icmp(struct tcp_engine *e, ackd_time now, const struct tcp_icmp *icmp)
{
    (void)now;
    e->icmps++;
    e->icmp = *icmp;
    e->counters.drops[TCP_DROP_ICMP_BAD_SEQUENCE] += e->icmp_bad_sequence;
}

void tcp_timeout(struct tcp_engine *e, ackd_time now)
{
    (void)e;
    (void)now;
}

ackd_time tcp_next_deadline(const struct tcp_engine *e)
{
    return e->deadline;
}

bool tcp_flush(struct tcp_engine *e, ackd_time now, struct tcp_tx *tx)
{
    (void)now;
    if (e->sent == e->scripted) {
        return false;
    }
    *tx = e->script[e->sent++];
    return true;
}

void tcp_tx_failed(struct tcp_engine *e, ackd_time now, const struct tcp_tx *tx,
                   enum tcp_tx_failure why, int error)
{
    (void)now;
    e->failed_tx = tx;
    e->failed[why]++;
    e->error = error;
}

void tcp_address_removed(struct tcp_engine *e, ackd_time now, const struct ip_addr *local)
{
    (void)now;
    e->removed++;
    e->removed_address = *local;
}

const struct tcp_counters *tcp_counters(const struct tcp_engine *e)
{
    return &e->counters;
}
