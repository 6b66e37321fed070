/* The engine: TCP (RFC 9293 and its extensions) as a pure function.
 *
 * Everything enters through few doors: a segment (tcp_input), an ICMP verdict (tcp_icmp), the
 * passing of time (tcp_timeout), a user call of RFC 9293 section 3.9.1. Everything leaves when the
 * caller asks: segments by tcp_flush, events by tcp_event_next, readiness by tcp_ready_next.
 * Nothing here calls the system, reads a clock or keeps a global; the same seed, calls and times
 * give the same bytes. No function calls back, so none can be re-entered.
 *
 * The cycle of a caller:
 *
 * - tcp_input() for each segment that came, then tcp_timeout();
 * - tcp_flush() as long as it yields something to send;
 * - tcp_event_next() and tcp_ready_next() as long as they have something to tell;
 * - sleep until tcp_next_deadline().
 *
 * User calls may come at any time between; they only mark work that the next flush does.
 *
 * Errors of user calls are negative errno values. An id names one endpoint (listener or connection)
 * for ever: ids count from 1 and are never reused; a call with an id that no longer exists answers
 * -EBADF. */
#ifndef ACKD_TCP_TCP_H
#define ACKD_TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/pkt.h"
#include "base/time.h"
#include "tcp/fields.h"
#include "tcp/reasons.h"
#include "wire/addr.h"
#include "wire/tcp.h"

struct tcp_engine;

/* RFC 9293 section 3.3.2; the order is the diagram's. */
enum tcp_state {
    TCP_CLOSED,
    TCP_LISTEN,
    TCP_SYN_SENT,
    TCP_SYN_RECEIVED,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_TIME_WAIT,
    TCP_STATES
};

/* "SYN-RECEIVED" and so on, as RFC 9293 prints them. */
const char *tcp_state_name(enum tcp_state state);

#define X(name, ...) TCP_DROP_##name,
enum tcp_drop { TCP_DROP_NONE, TCP_DROP_REASONS(X) TCP_DROPS };
#undef X
#define X(name, ...) TCP_RST_SENT_##name,
enum tcp_rst_sent { TCP_RST_SENT_NONE, TCP_RST_SENT_REASONS(X) TCP_RST_SENTS };
#undef X
#define X(name, ...) TCP_RST_RECEIVED_##name,
enum tcp_rst_received { TCP_RST_RECEIVED_NONE, TCP_RST_RECEIVED_REASONS(X) TCP_RST_RECEIVEDS };
#undef X
#define X(name, ...) TCP_CLOSE_##name,
enum tcp_close_reason { TCP_CLOSE_NONE, TCP_CLOSE_REASONS(X) TCP_CLOSES };
#undef X
#define X(name, ...) TCP_LIMIT_##name,
enum tcp_limit { TCP_LIMIT_NONE, TCP_LIMIT_REASONS(X) TCP_LIMITS };
#undef X
#define X(name, ...) TCP_KIND_##name,
enum tcp_send_kind { TCP_KIND_NONE, TCP_SEND_KINDS(X) TCP_KINDS };
#undef X

/* Names and sentences of the tables; the index is the enum's value, 0 is {"NONE", ""}. */
struct tcp_reason_text {
    const char *name, *sentence;
};
extern const struct tcp_reason_text tcp_drop_text[TCP_DROPS], tcp_rst_sent_text[TCP_RST_SENTS],
    tcp_rst_received_text[TCP_RST_RECEIVEDS], tcp_close_text[TCP_CLOSES],
    tcp_limit_text[TCP_LIMITS], tcp_kind_text[TCP_KINDS];
/* The errno that a close reason gives the user, positive; 0 for an orderly end. */
int tcp_close_errno(enum tcp_close_reason reason);

struct tcp_counters {
#define X(name, unit, doc) uint64_t name;
    TCP_COUNTERS(X)
#undef X
    uint64_t drops[TCP_DROPS], rsts_sent[TCP_RST_SENTS], rsts_received[TCP_RST_RECEIVEDS],
        closes[TCP_CLOSES];
    uint64_t states[TCP_STATES]; /* gauge: endpoints in each state now */
};

/* ---- options ---- */

enum tcp_icmp_policy {
    TCP_ICMP_RFC5927, /* default: hard errors are soft in synchronized states */
    TCP_ICMP_RFC9293, /* SHLD-26: hard errors abort in every state */
    TCP_ICMP_IGNORE   /* note, never abort */
};

enum tcp_urgent_mode {
    TCP_URGENT_RFC, /* the pointer names the octet after the urgent data (MUST-62) */
    TCP_URGENT_BSD  /* the pointer names the last urgent octet */
};

/* How losses are found on a connection with SACK. */
enum tcp_loss_detection {
    TCP_LOSS_RACK, /* default: by time (RFC 8985), with tail loss probes */
    TCP_LOSS_COUNT /* by segments and ranges (RFC 6675) */
};

/* When a listener answers a SYN without remembering it (RFC 4987). */
enum tcp_syn_cookies {
    TCP_SYN_COOKIES_NEVER,
    TCP_SYN_COOKIES_WHEN_FULL, /* default: when its half-open connections, or all, are at the limit
                                */
    TCP_SYN_COOKIES_ALWAYS
};

enum tcp_ecn {
    TCP_ECN_OFF,
    TCP_ECN_PASSIVE,         /* default: answers a peer that offers it, does not offer it */
    TCP_ECN_ON,              /* offers the classic form (RFC 3168), answers either */
    TCP_ECN_ACCURATE,        /* offers AccECN (RFC 9768), takes the classic form */
    TCP_ECN_CLASSIC,         /* offers the classic form, and answers with it whatever is offered */
    TCP_ECN_CLASSIC_PASSIVE, /* likewise, but does not offer it */
};

/* When AccECN's option goes beside its three flags. */
enum tcp_accecn_option {
    TCP_ACCECN_OPTION_NEEDED, /* default: when it has news, and three times a round trip */
    TCP_ACCECN_OPTION_NEVER,
    TCP_ACCECN_OPTION_ALWAYS, /* on every segment that has room */
};

/* Congestion control modules (tcp/congestion/). */
enum tcp_congestion {
    TCP_CONGESTION_NEWRENO,
    TCP_CONGESTION_CUBIC,
    TCP_CONGESTION_DCTCP,
    TCP_CONGESTION_BBR,
    TCP_CONGESTIONS
};
/* "newreno" and so on. */
const char *tcp_congestion_name(enum tcp_congestion congestion);

enum tcp_pacing {
    TCP_PACING_AUTO, /* default: when the module needs it, or max_pacing_rate is set */
    TCP_PACING_ON,   /* whichever the module */
    TCP_PACING_OFF   /* never */
};

/* Path MTU discovery by probing (RFC 4821). */
enum tcp_mtu_probing {
    TCP_MTU_PROBING_OFF,
    TCP_MTU_PROBING_BLACK_HOLE, /* default: once large segments vanish, and to see a path widen */
    TCP_MTU_PROBING_ALWAYS,     /* from the base size up */
};

/* Options of an endpoint. Connections share one record until one is changed; a listener's are
 * inherited. All times in nanoseconds. */
struct tcp_options {
    uint32_t rcv_buffer; /* bytes at first, 2 KiB .. 64 MiB; default 256 KiB */
    uint32_t snd_buffer; /* likewise */
    /* bytes that tuning may take them to, up to 64 MiB; not above the size: fixed. Default 6 MiB */
    uint32_t rcv_buffer_max, snd_buffer_max;
    uint32_t mss_clamp; /* bytes, 0 = none: never advertise or use more */
    bool nodelay;       /* Nagle off (MUST-17) */
    bool sack, timestamps,
        window_scaling;            /* offered in our SYN and accepted in the peer's; default all */
    bool keepalive;                /* default off (MUST-25) */
    int64_t keepalive_idle_ns;     /* default 2 h (MUST-28) */
    int64_t keepalive_interval_ns; /* default 75 s */
    uint32_t
        keepalive_count; /* unanswered probes that end the connection, >= 2 (MUST-29); default 9 */
    int64_t user_timeout_ns; /* R2 by time (MUST-21); 0 = by default: 15 min of retransmissions,
                                syn_timeout_ns for SYN */
    int64_t syn_timeout_ns;  /* R2 of SYN and SYN,ACK while user_timeout_ns is 0, 1 ms .. 1 h;
                                default 3 min (MUST-23) */
    uint32_t r1_timeouts;    /* R1: timeouts in a row after which the user and the network below are
                                told, >= 1; default 3 (SHLD-9, SHLD-10) */
    int64_t orphan_timeout_ns; /* how long a closed window may hold a connection that nobody holds
                                  (RFC 6429); default 10 min; 0 = for ever */
    int64_t rto_initial_ns;    /* default 1 s */
    int64_t rto_min_ns; /* least that is added to SRTT; default 200 ms, more than a peer delays an
                           ACK */
    int64_t rto_max_ns; /* default 120 s; >= 1 s, though RFC 6298 (2.5) has no limit below 60 s */
    int64_t delayed_ack_ns; /* 0 = none; default 40 ms; < 500 ms (MUST-40) */
    int64_t msl_ns;         /* default 30 s: TIME-WAIT lasts 2 MSL */
    int64_t fin_wait_2_ns;  /* for connections that nobody holds; default 60 s; 0 = for ever */
    bool rfc1337;           /* ignore RST in TIME-WAIT; default on */
    uint8_t ttl;            /* TTL or hop limit (MUST-49); default 64 */
    uint8_t dscp;           /* 0..63 (MUST-48) */
    bool share_metrics;     /* leave RTT and ssthresh to later connections, take theirs (RFC 9040);
                               default on */
    bool share_ssthresh;    /* begin with the ssthresh that earlier connections left; default off */
    uint32_t fast_open_queue; /* of a listener: connections made by SYNs with data that may wait for
                                 their handshake; 0 = no Fast Open (default) */
    bool fast_open_no_cookie; /* data in a SYN without a cookie, sent and taken: only where every
                                 address is trusted; default off */
    bool fast_open_experimental; /* the experimental form of the option, too (RFC 7413 section 7.1);
                                    default off */
    bool uto; /* tell the peer the user timeout and adopt what it tells (RFC 5482); default off */
    int64_t uto_advertise_ns; /* ADV_UTO; 0 = the timeout that is in force without the peer */
    int64_t uto_min_ns;       /* L_LIMIT; default 100 s */
    int64_t uto_max_ns;       /* U_LIMIT; default 1 h */
    enum tcp_icmp_policy icmp_policy;
    enum tcp_urgent_mode urgent_mode;
    enum tcp_loss_detection loss_detection;
    enum tcp_mtu_probing mtu_probing;
    enum tcp_ecn ecn; /* offered in our SYN, answered in the peer's */
    enum tcp_accecn_option accecn_option;
    enum tcp_syn_cookies syn_cookies; /* of a listener */
    enum tcp_congestion congestion;   /* default CUBIC; a change begins with fresh state */
    enum tcp_pacing pacing;
    uint64_t max_pacing_rate; /* bytes a second, 0: no limit, the default */
    bool hystart;         /* HyStart++ (RFC 9406) in slow start of NewReno and CUBIC; default on */
    bool cubic_alpha_one; /* CUBIC grows as Reno does, by a segment a round trip, once its estimate
                             of Reno is where cwnd was before the reduction (RFC 9438 section 4.3);
                             default off: by 9/17 throughout, as other senders do */
    bool idle_restart;    /* RFC 5681 section 4.1; off: RFC 7661 alone looks after an idle window;
                             default on */
    uint32_t abc_limit; /* segments that an ACK may add in slow start (L of RFC 3465), 0: no limit,
                           the default: receivers merge segments, and one ACK covers dozens */
    bool require_auth;  /* no connection without a key that signs it (tcp/keys.h); default off */
};

void tcp_options_default(struct tcp_options *options);
/* 0, or -EINVAL with the offending field's name in *field. */
int tcp_options_check(const struct tcp_options *options, const char **field);

/* ---- life ---- */

struct tcp_config {
    struct arena *arena;            /* all memory */
    uint64_t seed0, seed1;          /* randomness: hash keys, ISN secret, ports */
    uint32_t max_endpoints;         /* listeners and connections of every state; default 4 Mi */
    uint32_t max_time_wait;         /* default 65536; beyond it the oldest is evicted */
    uint32_t max_syn_received;      /* default 16384 for all listeners */
    uint32_t max_keys;              /* that sign segments; default 1024 */
    uint32_t max_metrics;           /* pairs of hosts remembered (RFC 9040); default 1024 */
    uint32_t closed_history;        /* records of closed connections kept; default 4096 */
    uint32_t event_ring;            /* events; default 8192 */
    uint16_t port_first, port_last; /* ephemeral ports; default 49152..65535 (RFC 6335) */
    /* Where other stacks differ from the RFCs or from our choice, for those who need their ways;
     * all default off. PSH on every super-frame, as Linux sets it: a receiver's device does not
     * wait to merge more. */
    bool push_super_frames;
    /* A segment without timestamps is taken although they were agreed on (RFC 7323 section 3.2:
     * SHOULD be dropped). */
    bool accept_missing_timestamps;
    /* Only a small segment in flight makes the next one wait, not any data (Minshall's variant of
     * SHLD-7's Nagle). */
    bool nagle_minshall;
    /* Probes of a zero window have no octet of data but the sequence number of one that was
     * acknowledged; the answer tells as much. */
    bool probe_without_data;
    /* A connection that ended before it was accepted stays in the queue, and the user learns how it
     * ended and what came before. */
    bool accept_ended;
    /* A user that has more to say when the handshake completes is interactive: ACKs may wait for
     * its answers from the beginning. */
    bool piggyback_acks;
    /* RACK's reordering timer fires this much later, as one with coarse ticks does. */
    int64_t reordering_slack_ns;
    /* A SACK block counts for the whole segments in it only. */
    bool sack_whole_segments;
    /* So many timeouts of a SYN do not back off, as Linux has it: RFC 6298 (5.5) doubles the timer
     * each time. */
    uint32_t syn_linear_timeouts;
    /* AccECN as Linux has it: every segment but a SYN is ECN-capable; the option goes once the peer
     * has sent one, on retransmissions, too, and begins with ECT(1). */
    bool accecn_as_linux;
    /* An ACK of what was never sent gets no answer (RFC 9293 section 3.10.7.4 has one). */
    bool quiet_on_unsent_ack;
    /* The congestion window as Linux has it: a reduction begins with cwnd, whatever of it is in
     * use (RFC 5681 equation (4) and RFC 7661 have what is); slow start goes on while more than
     * half is; and the loss of a retransmission does not reduce it again (RFC 5681 section 4.3). */
    bool cwnd_as_linux;
    /* The ACK of a FIN without text waits as that of text does, once text has come. */
    bool delay_fin_acks;
    /* Any ICMP error, soft ones too, ends a connection that is not synchronized yet (MUST-56 has
     * soft errors told only). */
    bool icmp_ends_opening;
    struct tcp_options defaults;
};
void tcp_config_default(struct tcp_config *config);

/* NULL when the arena has no room. */
struct tcp_engine *tcp_engine_new(const struct tcp_config *config, ackd_time now);
void tcp_engine_free(struct tcp_engine *engine);
/* The pool that frames are read into and received data lie in. */
struct pkt_pool *tcp_pool(struct tcp_engine *engine);

/* What the link below can do. */
struct tcp_link {
    bool checksum_offload; /* leave the pseudo-header's sum in the field */
    bool tso;              /* frames up to max_frame bytes of IP packet with gso_size set */
    uint32_t max_frame;    /* bytes, <= 65535 */
    /* Super-frames hold what the connection sends in a millisecond at twice its present rate, at
     * least this many segments, at most half of cwnd: bursts that a path can swallow. 0: as large
     * as they can be, the default. */
    uint32_t paced_frame_segments;
    /* While an ACK is due within a millisecond, a frame that would be smaller than it may be waits
     * for it, unless it holds this fraction of the window. 0: never, the default. */
    uint32_t defer_divisor;
};
void tcp_set_link(struct tcp_engine *engine, const struct tcp_link *link);

/* ---- doors: segments, ICMP, time ---- */

/* A TCP segment as net/ hands it up. The engine takes its own references on pkt where it keeps
 * payload. */
struct tcp_rx {
    struct ip_addr src, dst;
    struct pkt *pkt;
    uint32_t offset, length; /* of the TCP header and everything behind it within pkt->data */
    uint16_t gso_size;     /* payload bytes of each segment behind a merged frame; 0: one segment */
    uint8_t ttl, tos;      /* TTL or hop limit; the DSCP and ECN byte */
    bool checksum_ok;      /* the device vouches, or the segment never left this machine */
    bool checksum_partial; /* the field holds the sum of the pseudo-header: no wire was crossed */
    bool to_group; /* the IP destination or the link destination was broadcast or multicast */
    uint32_t mtu;  /* EMTU_S towards src now, bytes of IP packet */
};
void tcp_input(struct tcp_engine *engine, ackd_time now, const struct tcp_rx *rx);

enum tcp_icmp_kind {
    TCP_ICMP_SOFT, /* unreachable net, host, source route failed; time exceeded; parameter problem
                      (MUST-56) */
    TCP_ICMP_HARD, /* protocol, port unreachable; administratively prohibited in IPv6 (SHLD-26) */
    TCP_ICMP_TOO_BIG, /* mtu holds the next hop's (RFC 1191, 8201) */
};
/* An ICMP error about one of our segments: the quoted header's addresses as sent by us. */
struct tcp_icmp {
    enum tcp_icmp_kind kind;
    struct ip_addr src, dst; /* of the quoted packet: src is ours */
    uint16_t sport, dport;
    tcp_seq seq; /* of the quoted segment */
    uint32_t mtu;
    int error; /* errno the user sees, positive */
};
void tcp_icmp(struct tcp_engine *engine, ackd_time now, const struct tcp_icmp *icmp);

/* Runs every timer that is due. */
/* Serves some deadlines that have come, boundedly; what is left is due at once. */
void tcp_timeout(struct tcp_engine *engine, ackd_time now);
/* The next time tcp_timeout() has something to do, or TIME_NEVER. Not later than now when it did
 * not finish. */
ackd_time tcp_next_deadline(const struct tcp_engine *engine);

/* ---- the way out: segments ---- */

#define TCP_TX_RANGES 18

struct tcp_range {
    const uint8_t *data;
    uint32_t length;
};

/* A segment, or a super-frame when gso_size is set, for the caller to put into IP packets. Its
 * bytes are valid until the next engine call. */
struct tcp_tx {
    uint64_t id; /* 0: about no connection (a reset from CLOSED) */
    struct ip_addr src, dst;
    uint8_t ttl, tos;
    uint32_t flow_label; /* IPv6, 20 bits (RFC 6437) */
    uint8_t header_len;
    uint8_t header[TCP_HEADER_MAX];
    bool doubtful; /* R1 is past (MUST-20): the way to dst may be dead, and should be asked */
    bool checksum_partial; /* the field holds the pseudo-header's sum, the device completes it */
    uint16_t gso_size;     /* payload bytes per segment, 0: one segment */
    uint32_t payload_len;
    unsigned n_ranges;
    struct tcp_range range[TCP_TX_RANGES];
    enum tcp_send_kind kind;
};
/* The next segment to send, or false when there is none. What it says counts as sent at `now`; see
 * tcp_tx_failed(). Its ranges hold through further flushes and failures, until a segment, time or
 * the user comes in. */
bool tcp_flush(struct tcp_engine *engine, ackd_time now, struct tcp_tx *tx);

enum tcp_tx_failure { TCP_TX_LOCAL_DROP, TCP_TX_NEIGHBOUR_PENDING, TCP_TX_UNREACHABLE };
/* The segment just yielded by tcp_flush() was not handed to the wire: the device refused it, it
 * waits (or was dropped) for its neighbour, or no route leads there. It is a local event, not a
 * loss in the network: no congestion response follows. `error` is an errno for UNREACHABLE. */
void tcp_tx_failed(struct tcp_engine *engine, ackd_time now, const struct tcp_tx *tx,
                   enum tcp_tx_failure why, int error);

/* ---- the way out: events and readiness ---- */

struct tcp_tuple {
    struct ip_addr local, remote;
    uint16_t local_port, remote_port;
};

enum tcp_event_type { TCP_EVENT_STATE, TCP_EVENT_SEGMENT };
enum tcp_direction { TCP_IN, TCP_OUT };

#define TCP_EVENT_PAYLOAD 64

struct tcp_event {
    uint64_t number; /* counts from 1, without gaps; a jump means that the ring was full */
    ackd_time at;
    enum tcp_event_type type;
    uint64_t id;       /* 0: about no connection */
    uint64_t listener; /* the listener behind a passive connection, else 0 */
    struct tcp_tuple tuple;
    enum tcp_state state; /* after the event */
    /* STATE */
    enum tcp_state old_state;
    enum tcp_close_reason close_reason; /* when state is CLOSED */
    /* SEGMENT */
    enum tcp_direction direction;
    uint8_t header_len;
    uint8_t header[TCP_HEADER_MAX]; /* as on the wire, checksum completed where the device was to do
                                       it */
    uint32_t payload_len;
    uint16_t gso_size;
    uint8_t payload[TCP_EVENT_PAYLOAD]; /* its first bytes */
    enum tcp_send_kind send_kind;       /* OUT */
    enum tcp_drop drop;                 /* IN: why it was discarded, or NONE */
    enum tcp_rst_sent rst_reason;       /* OUT: why the reset */
    uint32_t scaled_window;
    uint32_t
        ack_seq; /* OUT with ACK: RCV.NXT = ack_seq + ack_len, "ack 1101 = their seq 1001 + 100" */
    uint32_t ack_len;  /*    the last segment that moved RCV.NXT and its sequence length */
    uint32_t iss, irs; /* for relative numbers */
    uint32_t cwnd, in_flight;
};
/* Segment events are made only while asked for: they cost. State events always are. */
void tcp_trace_segments(struct tcp_engine *engine, bool on);
bool tcp_event_next(struct tcp_engine *engine, struct tcp_event *event);

enum {
    TCP_READY_CONNECTED = 1, /* an active or simultaneous open reached ESTABLISHED */
    TCP_READY_READ = 2,      /* new data, end of stream, or urgent data */
    TCP_READY_WRITE = 4,     /* room in the send buffer after a call that found none */
    TCP_READY_ACCEPT = 8,    /* a listener has a connection to accept */
    TCP_READY_ACKED = 16,    /* all data were acknowledged */
    TCP_READY_CLOSED =
        32, /* reached CLOSED: tcp_status() tells how; tcp_release() still has to be called */
    TCP_READY_URGENT = 64,      /* the urgent pointer advanced (MUST-32) */
    TCP_READY_SOFT_ERROR = 128, /* an ICMP soft error (SHLD-25) or R1 reached (SHLD-9) */
};
struct tcp_ready {
    uint64_t id;
    uint32_t owner; /* as given at tcp_open, tcp_listen or tcp_accept */
    uint64_t cookie;
    unsigned what; /* TCP_READY_*, joined since the last report */
};
/* Edge-triggered: each endpoint that something happened to, once. */
bool tcp_ready_next(struct tcp_engine *engine, struct tcp_ready *ready);
/* Its owner did not finish what `what` told it: tcp_ready_next() tells it again, behind the others.
 */
void tcp_ready_again(struct tcp_engine *engine, uint64_t id, unsigned what);

/* ---- user calls, RFC 9293 section 3.9.1 ---- */

struct tcp_open_args {
    struct tcp_tuple
        tuple;    /* local address complete (net_source_for); local_port 0 = choose (RFC 6056) */
    uint32_t mtu; /* EMTU_S towards remote, bytes of IP packet */
    const struct tcp_options *options; /* NULL: the engine's defaults */
    bool fast_open; /* the SYN carries data, or asks for the cookie to do so (RFC 7413) */
    const void
        *data; /* the first data, as by tcp_send(): tcp_send_offset() says how many were taken */
    size_t length;
    uint32_t owner; /* 0 none; any number that tells the caller's rooms apart */
    uint64_t cookie;
};
/* Active OPEN. -ENOKEY (require_auth, and no key), -EADDRNOTAVAIL (remote invalid: MUST-46, or no
 * port free), -EADDRINUSE (tuple taken), -ENOBUFS, -EINVAL. */
int tcp_open(struct tcp_engine *engine, ackd_time now, const struct tcp_open_args *args,
             uint64_t *id);

/* Octets that the SYN of tcp_open(args) with fast_open would carry now, if there are so many;
 * -ENOKEY when it would carry none and ask for a cookie, or be plain. */
int64_t tcp_fast_open_room(const struct tcp_engine *engine, ackd_time now,
                           const struct tcp_open_args *args);
/* The keys of the cookies that a listener makes (0: all listeners without keys of their own), as
 * Linux has them in tcp_fastopen_key; `backup` (NULL: none) is what was used before. NULL as
 * primary: keys of our own, changed every 12 h; a listener's: the common ones again. -EBADF (no
 * such listener), -ENOBUFS. */
int tcp_fast_open_keys(struct tcp_engine *engine, ackd_time now, uint64_t listener,
                       const uint8_t primary[16], const uint8_t backup[16]);
/* Cookies are made with `primary` (NULL: a random key) from now on; what they were made with is the
 * backup. A listener without keys of its own has some from then on. Errors as above. */
int tcp_fast_open_rotate(struct tcp_engine *engine, ackd_time now, uint64_t listener,
                         const uint8_t primary[16]);

struct tcp_listen_args {
    struct tcp_tuple
        tuple; /* local none = any address; remote none and remote_port 0 = anyone (U-4) */
    bool v6_only, v4_only; /* with no local address: which family; neither = both */
    uint32_t backlog;      /* accept queue, 1..65535 */
    const struct tcp_options *options;
    uint32_t owner;
    uint64_t cookie;
};
/* Passive OPEN. -EADDRINUSE (MUST-41), -ENOBUFS, -EINVAL. Local port 0 chooses one. */
int tcp_listen(struct tcp_engine *engine, ackd_time now, const struct tcp_listen_args *args,
               uint64_t *id);

/* Takes the oldest established connection of a listener and gives it an owner. -EAGAIN when there
 * is none. */
int tcp_accept(struct tcp_engine *engine, uint64_t listener, uint32_t owner, uint64_t cookie,
               uint64_t *id);
/* Puts an accepted connection back at the head of its listener's queue, if the listener still lives
 * (else -EBADF). */
int tcp_accept_return(struct tcp_engine *engine, uint64_t listener, uint64_t id);

enum {
    TCP_SEND_PUSH = 1,
    TCP_SEND_URGENT = 2,
    TCP_SEND_MORE = 4,
    TCP_SEND_CORK = 8,
    TCP_SEND_RECORD = 16
};
/* SEND: copies up to `length` bytes into the send buffer, returns how many (0: full;
 * TCP_READY_WRITE will follow). PUSH applies to the last byte taken. URGENT makes everything up to
 * and with that byte urgent. MORE: a segment that is not full
 * waits for the next SEND without it (which may have no bytes), the next ACK, a FIN, or one
 * retransmission timeout, and has no PSH. A call without bytes and
 * with PUSH pushes what is buffered. CORK: likewise, but ACKs do not release it. RECORD: no
 * segment holds the last byte and one behind it (of at most 100 unacknowledged records). -EPIPE
 * after a close, -ENOTCONN before a connection exists or the close errno. */
int64_t tcp_send(struct tcp_engine *engine, ackd_time now, uint64_t id, const void *data,
                 size_t length, unsigned flags);
/* Stream offset of the next byte that tcp_send() will take: bytes accepted so far. -EBADF. */
int64_t tcp_send_offset(struct tcp_engine *engine, uint64_t id);
/* Free bytes of the send buffer now; asking for WRITE readiness when 0. */
int64_t tcp_send_room(struct tcp_engine *engine, uint64_t id);

struct tcp_received {
    uint64_t offset;      /* stream offset of the first byte: the oldest not yet consumed */
    uint64_t available;   /* bytes in order from there */
    bool end_of_stream;   /* the FIN follows the last of them */
    bool urgent;          /* urgent data at or after `offset` */
    uint64_t urgent_mark; /* stream offset just past the urgent data */
    unsigned n_ranges;
    struct tcp_range
        range[TCP_TX_RANGES]; /* the first of them, in place; valid until the next engine call */
};
/* Stream offset of the oldest byte that was not consumed yet. -EBADF. */
int64_t tcp_receive_offset(struct tcp_engine *engine, uint64_t id);
/* RECEIVE, first half: looks at what is there from stream offset `from` (at or after the oldest
 * byte), up to `max` bytes. -EINVAL when `from` was consumed already or lies beyond what is there;
 * the close errno when the connection died and everything was read; -ENOTCONN. */
int tcp_peek(struct tcp_engine *engine, uint64_t id, uint64_t from, size_t max,
             struct tcp_received *out);
/* Second half: releases every byte before stream offset `upto`, which may open the window. -EINVAL
 * beyond what is there. */
int tcp_consume(struct tcp_engine *engine, ackd_time now, uint64_t id, uint64_t upto);

/* CLOSE: no more data from us; what is queued is sent, then FIN. Receiving goes on (half-close). A
 * listener stops listening and resets what was not accepted. -EPIPE when closed already. */
int tcp_close(struct tcp_engine *engine, ackd_time now, uint64_t id);
/* ABORT: RST, all data gone. `reason` is ABORTED, KILLED or SESSION_ENDED. */
int tcp_abort(struct tcp_engine *engine, ackd_time now, uint64_t id, enum tcp_close_reason reason);
/* The user lets go: closes if that was not done, resets if received data were not read or arrive
 * later (SHLD-3). The id stays visible until the protocol is done with it, and belongs to nobody; a
 * record that is CLOSED disappears at once. */
int tcp_release(struct tcp_engine *engine, ackd_time now, uint64_t id);
/* Changes who is told of readiness. */
int tcp_set_owner(struct tcp_engine *engine, uint64_t id, uint32_t owner, uint64_t cookie);
/* FLUSH (MAY-14): forgets data not yet sent. Returns how many bytes. */
int64_t tcp_flush_send(struct tcp_engine *engine, ackd_time now, uint64_t id);

/* What an endpoint without options of its own has: tcp_config.defaults. */
const struct tcp_options *tcp_defaults(const struct tcp_engine *engine);
int tcp_get_options(struct tcp_engine *engine, uint64_t id, struct tcp_options *options);
int tcp_set_options(struct tcp_engine *engine, ackd_time now, uint64_t id,
                    const struct tcp_options *options);

/* The local address is gone: its connections end with ADDRESS_REMOVED (MUST-45: never switch), a
 * few hundred at once and the others in the next calls of tcp_timeout(). */
void tcp_address_removed(struct tcp_engine *engine, ackd_time now, const struct ip_addr *local);

/* ---- STATUS ---- */

struct tcp_info {
    uint64_t id;
    uint64_t listener; /* of a passive connection, else 0 */
    uint32_t owner;
    uint64_t cookie;
    enum tcp_state state;
    struct tcp_tuple tuple;
    enum tcp_close_reason close_reason; /* NONE while alive */
    int error;                          /* errno of the end, positive, 0 none */
    enum tcp_limit limit;               /* why nothing is being sent now */
    enum tcp_congestion congestion;
    uint8_t auth_algorithm; /* enum tcp_key_algorithm that signs its segments */
#define X(type, name, unit, doc) type name;
    TCP_INFO_FIELDS(X)
#undef X
    int64_t limited_ns[TCP_LIMITS]; /* time spent limited by each reason since it was made */
};
/* -EBADF. Cheap fields only when `full` is false (identity, state, queues). */
int tcp_status(struct tcp_engine *engine, ackd_time now, uint64_t id, bool full,
               struct tcp_info *info);

/* What a connection's congestion control module remembers. A `word` names a state; else `value`
 * counts. */
#define TCP_CONGESTION_FIELDS 24
struct tcp_congestion_field {
    const char *name, *unit, *word;
    int64_t value;
};
/* Fills in up to TCP_CONGESTION_FIELDS, returns how many: 0 before data were sent. */
unsigned tcp_congestion_state(struct tcp_engine *engine, uint64_t id,
                              struct tcp_congestion_field *fields);

/* The last header received and sent, from a bounded cache: false when it was displaced. */
struct tcp_last_header {
    bool known;
    ackd_time at;
    uint8_t header[TCP_HEADER_MAX];
    uint8_t header_len;
    bool checksum_partial; /* the device had to complete it, and the payload is gone */
    uint32_t payload_len;
};
int tcp_last_headers(struct tcp_engine *engine, uint64_t id, struct tcp_last_header *received,
                     struct tcp_last_header *sent);

/* So many resets wait for the flush that whoever ends connections by the thousand should wait, too:
 * the queue is bounded, and what finds no place in it is not sent. */
bool tcp_resets_wait(const struct tcp_engine *engine);

/* The listing, in order of ids: the smallest id above `after`, 0 at the end. So a listing of any
 * length is stepped without holding up packets, whatever comes and goes between two calls. */
uint64_t tcp_next_id(const struct tcp_engine *engine, uint64_t after);

/* What connections between two hosts left to their successors (RFC 9040). */
struct tcp_metrics {
    struct ip_addr local, remote;
    ackd_time updated;
    int64_t srtt_ns, rttvar_ns;     /* -1 unknown */
    uint32_t ssthresh;              /* bytes, 0 unknown */
    uint16_t mss;                   /* of the peer's last SYN,ACK; 0 unknown */
    uint8_t fast_open_cookie_len;   /* bytes, 0 none */
    uint8_t fast_open_losses;       /* SYNs with data lost in a row */
    ackd_time fast_open_good_after; /* no data in a SYN before */
    uint8_t accecn_failures;        /* handshakes in a row that only a SYN without AccECN got
                                       through (RFC 9768 section 3.1.4.1) */
    ackd_time accecn_offer_after;   /* AccECN is not offered before */
};
/* Copies up to `max` of them, the latest used first, after leaving out `skip`; returns how many. */
unsigned tcp_metrics_list(const struct tcp_engine *engine, unsigned skip, struct tcp_metrics *out,
                          unsigned max);
/* Forgets those about `remote`, or with NULL all; returns how many. */
unsigned tcp_metrics_clear(struct tcp_engine *engine, const struct ip_addr *remote);

/* The recently closed, newest last. */
struct tcp_closed {
    uint64_t id;
    struct tcp_tuple tuple;
    enum tcp_state last_state; /* before CLOSED */
    enum tcp_close_reason reason;
    ackd_time created, closed;
    uint64_t bytes_sent, bytes_received, retransmits;
    uint32_t owner;
    uint64_t cookie;
};
/* Copies up to `max` records with id numbers in the ring after `*position` (0 at first, moved on);
 * returns how many. */
unsigned tcp_closed_list(struct tcp_engine *engine, uint64_t *position, struct tcp_closed *out,
                         unsigned max);

const struct tcp_counters *tcp_counters(const struct tcp_engine *engine);
uint32_t tcp_endpoints(const struct tcp_engine *engine); /* how many ids live */

/* Checks every invariant of every record, for tests: 0, or a line number of invariants.c with a
 * sentence in *what. */
int tcp_check(struct tcp_engine *engine, ackd_time now, const char **what);

#endif
