/* TCP_INFO and SO_MEMINFO: Linux's records, filled from what `show` shows (tcp_status()). Linux
 * counts segments where the engine counts octets, so a count is octets over the present segment,
 * rounded up. */
#include "layer.h"

#include <string.h>

struct linux_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, wscales, flags;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time, received_ce, delivered_e1_bytes, delivered_e0_bytes,
        delivered_ce_bytes, received_e1_bytes, received_e0_bytes, received_ce_bytes, ecn;
};
_Static_assert(sizeof(struct linux_tcp_info) == 280, "Linux's struct tcp_info");

enum { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };
enum { OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4, OPT_ECN = 8, OPT_SYN_DATA = 32 };

static uint8_t linux_state(enum tcp_state s)
{
    static const uint8_t map[TCP_STATES] = {
        [TCP_CLOSED] = 7,      [TCP_LISTEN] = 10,    [TCP_SYN_SENT] = 2,   [TCP_SYN_RECEIVED] = 3,
        [TCP_ESTABLISHED] = 1, [TCP_FIN_WAIT_1] = 4, [TCP_FIN_WAIT_2] = 5, [TCP_CLOSE_WAIT] = 8,
        [TCP_CLOSING] = 11,    [TCP_LAST_ACK] = 9,   [TCP_TIME_WAIT] = 6,
    };
    return map[s];
}

static uint32_t segments(uint64_t bytes, uint32_t mss)
{
    return mss ? (uint32_t)((bytes + mss - 1) / mss) : 0;
}

static uint32_t us(int64_t ns)
{
    return ns < 0 ? 0 : (uint32_t)(ns / NS_PER_US);
}

static uint32_t ms_since(ackd_time now, int64_t at_ns)
{
    return at_ns == TIME_NEVER.ns ? 0 : (uint32_t)((now.ns - at_ns) / NS_PER_MS);
}

static void fill_flags(const struct tcp_info *i, struct linux_tcp_info *o)
{
    o->options =
        (uint8_t)((i->timestamps_ok ? OPT_TIMESTAMPS : 0) | (i->sack_ok ? OPT_SACK : 0) |
                  (i->wscale_ok ? OPT_WSCALE : 0) | (i->ecn_ok || i->accecn_ok ? OPT_ECN : 0) |
                  (i->syn_data_taken ? OPT_SYN_DATA : 0));
    o->wscales = (uint8_t)(i->wscale_ok ? i->snd_wscale | i->rcv_wscale << 4 : 0);
}

static void fill_recovery(const struct tcp_info *i, struct linux_tcp_info *o)
{
    bool timed_out = i->limit == TCP_LIMIT_RTO_BACKOFF || i->backoff;
    o->ca_state = i->in_recovery                   ? (timed_out ? CA_LOSS : CA_RECOVERY)
                  : i->in_cwr                      ? CA_CWR
                  : i->dup_acks || i->sacked_bytes ? CA_DISORDER
                                                   : CA_OPEN;
    o->retransmits = (uint8_t)i->backoff;
    o->backoff = (uint8_t)i->backoff;
    o->probes = (uint8_t)i->keepalive_probes;
    o->sacked = segments(i->sacked_bytes, i->snd_mss_bytes);
    /* Linux counts a loss until it is acknowledged. */
    o->retrans = segments(i->retransmitting_bytes, i->snd_mss_bytes);
    o->lost = segments(i->lost_bytes + i->retransmitting_bytes, i->snd_mss_bytes);
    o->reordering = i->reordering_segments > 3 ? i->reordering_segments : 3;
    o->reord_seen = i->reorderings;
    o->total_retrans = (uint32_t)i->retransmits;
    o->bytes_retrans = i->bytes_retransmitted;
}

static void fill_sending(const struct tcp_info *i, uint64_t syn_data, struct linux_tcp_info *o)
{
    uint32_t mss = i->snd_mss_bytes, out = i->snd_nxt - i->snd_una;
    o->snd_mss = mss;
    o->unacked = segments(out, mss);
    o->snd_cwnd = mss ? i->cwnd_bytes / mss : 0;
    o->snd_ssthresh = i->ssthresh_bytes == UINT32_MAX ? INT32_MAX
                      : mss                           ? i->ssthresh_bytes / mss
                                                      : 0;
    /* The SYN counts as one, with its data. */
    syn_data = i->syn_data_taken ? syn_data : 0;
    uint64_t behind_syn = i->bytes_acked > syn_data ? i->bytes_acked - syn_data : 0;
    o->delivered = (i->state >= TCP_ESTABLISHED) + segments(behind_syn, mss) + o->sacked;
    o->notsent_bytes = stream_unsent(i);
    o->bytes_acked = i->bytes_acked;
    o->bytes_sent = i->bytes_sent;
    o->segs_out = (uint32_t)i->segs_out;
    o->delivered_ce = i->echoed_ce_packets;
    o->delivered_e1_bytes = i->echoed_ect1_bytes;
    o->delivered_e0_bytes = i->echoed_ect0_bytes;
    o->delivered_ce_bytes = i->echoed_ce_bytes;
    o->snd_wnd = i->snd_wnd;
    o->pmtu = i->path_mtu_bytes;
    o->pacing_rate = o->max_pacing_rate = UINT64_MAX;
}

static void fill_times(const struct layer *l, const struct sock *s, const struct tcp_info *i,
                       struct linux_tcp_info *o)
{
    o->rto = us(i->rto_ns);
    o->rtt = us(i->srtt_ns);
    o->rttvar = us(i->rttvar_ns);
    o->min_rtt = i->min_rtt_ns < 0 ? UINT32_MAX : us(i->min_rtt_ns);
    o->last_data_sent = ms_since(l->now, i->last_sent_ns);
    o->last_ack_recv = ms_since(l->now, i->last_received_ns);
    o->last_data_recv = ms_since(l->now, s->received_at.ns);
}

static void fill_receiving(const struct tcp_info *i, struct linux_tcp_info *o)
{
    o->advmss = i->adv_mss_bytes - (i->timestamps_ok ? 12 : 0);
    o->rcv_mss = i->peer_mss_bytes;
    o->bytes_received = i->bytes_received;
    o->segs_in = (uint32_t)i->segs_in;
    o->received_ce = i->ce_packets;
    o->received_e1_bytes = i->received_ect1_bytes;
    o->received_e0_bytes = i->received_ect0_bytes;
    o->received_ce_bytes = i->received_ce_bytes;
    o->rcv_wnd = i->rcv_wnd;
    o->rcv_space = i->rcv_space_bytes;
}

/* Busy is whatever is not idle, before or after the data. The engine does not know that a writer is
 * held up by its buffer: the layer measures that. */
static void fill_clocks(const struct sock *s, const struct tcp_info *i, struct linux_tcp_info *o)
{
    int64_t busy = 0;
    for (unsigned r = 0; r < TCP_LIMITS; r++) {
        bool idle = r == TCP_LIMIT_NONE || r == TCP_LIMIT_APPLICATION_IDLE ||
                    r == TCP_LIMIT_HANDSHAKE || r == TCP_LIMIT_CLOSED;
        busy += idle ? 0 : i->limited_ns[r];
    }
    int64_t window = i->limited_ns[TCP_LIMIT_RECEIVE_WINDOW] +
                     i->limited_ns[TCP_LIMIT_ZERO_WINDOW] + i->limited_ns[TCP_LIMIT_SILLY_WINDOW];
    o->busy_time = (uint64_t)(busy / NS_PER_US);
    o->rwnd_limited = (uint64_t)(window / NS_PER_US);
    o->sndbuf_limited = (uint64_t)(s->buffer_limited_ns / NS_PER_US);
}

size_t tcp_info_fill(struct layer *l, const struct sock *s, void *to, size_t room)
{
    struct linux_tcp_info o = {0};
    struct tcp_info i;
    if (sock_status(l, s, &i)) {
        o.state = linux_state(i.state);
        fill_flags(&i, &o);
        fill_recovery(&i, &o);
        fill_sending(&i, s->syn_data, &o);
        fill_times(l, s, &i, &o);
        fill_receiving(&i, &o);
        fill_clocks(s, &i, &o);
    } else {
        o.state = linux_state(TCP_CLOSED);
    }
    size_t n = sizeof o < room ? sizeof o : room;
    memcpy(to, &o, n);
    return n;
}

size_t meminfo_fill(struct layer *l, const struct sock *s, void *to, size_t room)
{
    enum { RMEM_ALLOC, RCVBUF, WMEM_ALLOC, SNDBUF, FWD_ALLOC, WMEM_QUEUED, VARS = 9 };
    uint32_t v[VARS] = {0};
    struct tcp_info i;
    v[RCVBUF] = (uint32_t)s->rcvbuf;
    v[SNDBUF] = (uint32_t)s->sndbuf;
    if (sock_status(l, s, &i)) {
        v[RMEM_ALLOC] = i.recv_q_bytes + i.ooo_bytes;
        v[WMEM_QUEUED] = stream_charge(&i);
    }
    size_t n = sizeof v < room ? sizeof v : room;
    memcpy(to, v, n);
    return n;
}
