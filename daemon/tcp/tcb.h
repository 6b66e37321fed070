/* The engine's records, for the files of daemon/tcp only.
 *
 * Every endpoint is a record with a common head: its id, tuple, state and links. Four kinds: a
 * listener; a half-open connection (SYN-RECEIVED from LISTEN); a connection (struct tcb, the RFC's
 * transmission control block); and what remains of one in TIME-WAIT that nobody holds. The small
 * kinds stay small, because a peer makes them: 112 bytes, 128 with their share of the tables. A tcb
 * has a core that every connection needs, a flow from the first octet that it sends, an activity
 * block that exists while data are unsent or unacknowledged, and extras if it needs any. */
#ifndef ACKD_TCP_TCB_H
#define ACKD_TCP_TCB_H

#include "base/list.h"
#include "base/rng.h"
#include "tcp/auth/auth.h"
#include "tcp/congestion/congestion.h"
#include "tcp/fast_open.h"
#include "tcp/ids.h"
#include "tcp/metrics.h"
#include "tcp/ports.h"
#include "tcp/rcvq.h"
#include "tcp/recovery/recovery.h"
#include "tcp/rtxq.h"
#include "tcp/sndbuf.h"
#include "tcp/table.h"
#include "tcp/tcp.h"
#include "tcp/wheel.h"

/* Options are shared by all endpoints that have the same. */
struct shared_options {
    uint32_t refs;
    struct tcp_options v;
};

enum rec_kind { REC_LISTENER, REC_HALF_OPEN, REC_CONNECTION, REC_TIME_WAIT };

struct rec {
    struct table_node by_tuple;
    uint64_t id;
    struct tcp_tuple tuple;
    uint8_t kind : 2, state : 4; /* enum rec_kind, enum tcp_state */
    bool in_ids : 1, in_tuple_table : 1;
    bool is_signed : 1;               /* a half-open or TIME-WAIT record with room for its keys */
    bool timestamps : 1, rfc1337 : 1; /* in TIME-WAIT, what is kept of a connection and */
    uint8_t ace : 3;                  /*   finds no room there: options, the ACE flags */
    uint8_t ttl, tos;                 /*   of its ACKs (RFC 9768) from ECE up */
};

/* A record with an entry in the wheel. */
struct timed {
    struct rec rec;
    struct wheel_entry timer; /* on timed_wheel() */
};

struct listener {
    struct rec rec;
    struct listener *port_next; /* listeners of one port bucket */
    struct list accept;         /* tcb.queue: established, not yet accepted */
    struct list ready;
    unsigned ready_bits;
    uint32_t backlog, queued, half_open;
    bool v4_only, v6_only;
    uint32_t owner;
    uint64_t cookie;
    ackd_time created;
    ackd_time cookie_sent;                        /* the last SYN cookie; TIME_NEVER */
    uint32_t fast_open_pending, fast_open_resets; /* see fast_open_server.c */
    ackd_time fast_open_resets_until;
    struct fast_open_keys *fast_open; /* of its own; NULL: the engine's */
    struct shared_options *options;
};

/* What both sides agreed on (RFC 7323, 2018). */
struct negotiated {
    uint16_t peer_mss;
    uint8_t snd_wscale : 4, rcv_wscale : 4;    /* shift of windows that we receive, that we send */
    bool wscale : 1, sack : 1, timestamps : 1; /* what our SYN offers, until the peer's has come */
    uint8_t ecn : 2;      /* enum ecn_mode: what is offered, then what was agreed */
    uint8_t ecn_seen : 2; /* the codepoint that the peer's SYN or SYN,ACK arrived with */
    bool ecn_plain : 1;   /* a SYN or SYN,ACK went or came without ECN's flags */
};

/* The ECN field of the IP header (RFC 3168 section 5). */
enum { IP_ECN_NOT_ECT, IP_ECN_ECT1, IP_ECN_ECT0, IP_ECN_CE };

#define TCP_ECN_FLAGS (TCP_AE | TCP_CWR | TCP_ECE)

enum ecn_mode { ECN_NONE, ECN_CLASSIC, ECN_ACCURATE };

#define ACCECN_PACKETS_START 5 /* section 3.2.1: zero would look like a cleared field */

#define ACCECN_COUNTER_MASK 0xffffffu /* counters of octets are modulo 2^24 */

enum { ACCECN_E0B, ACCECN_CEB, ACCECN_E1B }; /* in the order of the option with kind 172 */

/* What is counted and told of marks, both ways; exists once AccECN was agreed on. */
struct accecn {
    struct {
        uint32_t packets;  /* marked CE */
        uint32_t bytes[3]; /* by ACCECN_E0B, … */
    } received, echoed;    /* by us from the peer; by the peer, as far as we know, from us */
    /* The receiver's (accecn.c). */
    uint32_t told;            /* received.packets in what was last sent */
    uint32_t untold_octets;   /* with a mark or ECT, since the option was last sent */
    uint32_t untold_segments; /*   and segments */
    ackd_time beacon_at;      /* when the option is due again */
    uint8_t option_due;       /* the next so many segments carry it */
    uint8_t changed;          /* bit n: bytes[n] changed since it was last sent */
    uint8_t last;             /* codepoint of the last packet */
    int8_t last_counter;      /* index of the counter that text raised last */
    uint8_t repeated;         /* ACKs with the option in a row after which text came again */
    bool option_sent : 1;     /* by the last ACK */
    bool option_off : 1;      /* segments with it get lost */
    bool first_data : 1;      /* our first data are still to be sent */
    bool reflect : 1;         /* our next pure ACK tells how the SYN,ACK arrived */
    bool syn_ack_marked : 1;  /* it was, and is counted */
    /* The sender's (accecn_heard.c). */
    bool handshake : 1;      /* the ACK of our SYN,ACK is still to come */
    bool first_heard : 1;    /* the peer's first ACE as a counter is */
    bool distrusted : 1;     /* what the peer echoes is not about congestion */
    bool option_heard : 1;   /* the peer's option was seen, */
    bool option_ignored : 1; /*   cleared on the way */
    bool ect_echoed : 1;     /* octets arrived that were not marked */
    uint8_t rounds;          /* of the first round trips, in which all was marked */
    tcp_seq round_end;
    uint32_t delivered;                               /* packets in them */
    uint32_t packets_at_option, packets_since_option; /* echoed.packets at the last option, and
                                                         packets acknowledged since */
    int32_t acked_average;                            /* packets an ACK acknowledges, times 8 */
};

struct half_open {
    struct timed t;
    uint64_t listener;
    tcp_seq iss, irs;
    uint32_t ts_recent;
    uint16_t offered; /* window of our SYN,ACK */
    uint16_t mtu;
    struct negotiated nego;
    uint16_t uto_remote;                    /* as in struct tcb */
    uint8_t transmissions;                  /* of our SYN,ACK, by the timer */
    uint8_t sent : 2;                       /* of our SYN,ACK, all, up to SENT_MANY */
    uint8_t answers : 3;                    /* to unacceptable segments since the timer's last */
    bool grant : 1, grant_experimental : 1; /* the first SYN,ACK carries a Fast Open cookie */
    struct auth *auth[];                    /* one when is_signed */
};

enum { SENT_MANY = 3 };

struct time_wait {
    struct timed t;
    tcp_seq snd_nxt, rcv_nxt;
    uint32_t ts_recent;
    uint16_t window;   /* as last advertised, unscaled */
    uint16_t lifetime; /* 2 MSL, in units of time_wait.c, to restart it */
    coarse_time created;
    uint32_t bytes_sent, bytes_received;           /* the lower 32 bits of 48, */
    uint16_t bytes_sent_high, bytes_received_high; /* and the higher */
    struct auth *auth[];                           /* one when is_signed */
};

_Static_assert(sizeof(struct half_open) <= 112 && sizeof(struct time_wait) <= 112,
               "what a peer can make many of is small");

enum {                      /* tcb.flags */
       C_RELEASED = 1 << 0, /* nobody here holds it */
       C_PASSIVE = 1 << 1,
       C_FIN_QUEUED = 1 << 2, /* CLOSE was called: FIN follows the last byte */
       C_FIN_SENT = 1 << 3,
       C_FIN_RECEIVED = 1 << 4,    /* in order */
       C_ACK_NOW = 1 << 5,         /* an ACK is due at the next flush */
       C_RECEIVE_CLOSED = 1 << 6,  /* the user reads no more: data are answered with RST (SHLD-3) */
       C_ACCEPTED = 1 << 7,        /* left the accept queue, or was opened actively */
       C_URGENT_RECEIVED = 1 << 8, /* rcv.up is meaningful */
       C_URGENT_SENT = 1 << 9,     /* act->up is meaningful */
       C_WRITE_WANTED = 1 << 10,   /* the user found the send buffer full */
       C_PROBE_SENT = 1 << 11,     /* the octet at snd.nxt was sent as a zero-window probe */
       C_RETRANSMIT_NOW =
           1 << 12, /* the retransmission timer fired: one segment goes whatever cwnd says */
       C_WINDOW_OVERRIDE = 1 << 13, /* the override timer fired: a small segment may go (MUST-38) */
       C_CWND_LIMITED = 1 << 14,    /* cwnd stopped us in this round trip (validation.c) */
       C_FLUSHING_PUSH = 1 << 15,   /* act->push is meaningful */
       C_R1_TOLD = 1 << 16,         /* SHLD-9 */
       C_RTO_RECOVERY = 1 << 17,    /* recovering from a timeout until una reaches recover */
       C_WINDOW_PROBED =
           1 << 18, /* retransmissions are zero-window probes: R2 does not count (SHLD-17) */
       C_KEEPALIVE_DUE = 1 << 19,
       C_PROBE_DUE = 1 << 20,
       C_WINDOW_UPDATE = 1 << 21, /* the ACK that is due opens the window */
       C_ACK_DELAYED = 1 << 22,   /* the ACK that is due comes from the delay timer */
       C_NEIGHBOUR_PENDING = 1 << 23,
       C_LOCAL_DROP = 1 << 24, /* the device refused a frame, which counts as LOST: the next timer
                                  sends it again, without blaming the network */
       C_RTO_3S = 1 << 25, /* SYN was retransmitted and there is no sample: RTO begins with 3 s (RFC
                              6298 5.7) */
       C_FIN_AHEAD = 1 << 26,    /* a FIN lies beyond a hole, at rcv.fin */
       C_CHALLENGE = 1 << 27,    /* the ACK that is due is a challenge (RFC 5961) */
       C_MORE_TO_COME = 1 << 28, /* the user's last SEND said so, */
       C_MORE_HELD = 1 << 29,    /* and a small segment waits for it until the next ACK, */
       C_CORKED = 1 << 30,       /* or as long as the user wants */
};

#define SEND_MARKS 100
/* Boundaries in the send buffer, in order: ends of records, and pushes (marks.c). */
struct marks {
    tcp_seq at[SEND_MARKS];
    bool record[SEND_MARKS];
    uint8_t count;
};

/* While data are unsent or unacknowledged. */
struct activity {
    struct rtxq rtxq;
    struct sndbuf snd;
    struct flight flight;
    struct marks *marks; /* NULL while one push mark does */
    tcp_seq small_end;   /* end of the last segment sent that was not full, while has_small */
    bool has_small;
    tcp_seq up, push;         /* SND.UP while C_URGENT_SENT, the last push while C_FLUSHING_PUSH */
    ackd_time t_rtx;          /* retransmission, or persist when nothing is outstanding */
    ackd_time oldest_unacked; /* when the oldest outstanding octet was first sent, or last progress
                                 was made: R1 and R2 count from it */
};

/* RFC 7661: what of cwnd is known to be carried (congestion/validation.c). */
struct validation {
    tcp_seq round_end;              /* meaningful while `running` */
    uint32_t round_acked;           /* in this round trip */
    uint32_t round_flight;          /* the most that its ACKs found in flight */
    uint32_t pipe_now, pipe_before; /* the most in a round trip: of this bucket, of the last */
    ackd_time bucket_since;
    ackd_time invalid_since;     /* TIME_NEVER: cwnd is validated */
    uint32_t loss_flight;        /* at a loss without validation, else 0 */
    uint32_t loss_retransmitted; /* bytes retransmitted by then, modulo 2^32 */
    bool defined, running;       /* there is a pipeACK; a round trip is being measured */
    bool limited_before;         /* cwnd held us back in the last round trip */
    bool off;                    /* struct tcp_config, cwnd_as_linux */
};

/* The search for the path's MTU (RFC 4821), bytes of IP packet; tcb.mtu is the largest proven. */
struct mtu_search {
    uint16_t high;      /* the largest that may still fit */
    uint16_t probe;     /* on its way, 0 none: */
    tcp_seq start, end; /*   the data that it carries */
    ackd_time next;     /* nothing is tried before */
    bool searching;
    bool halving; /* the first candidate, `high` itself, failed */
    bool failed;  /* the probe was lost and its data are not yet sent again */
};

/* What a connection knows of its path once it has sent something: loss detection, recovery, rate
 * and congestion control. Made with the first data or FIN (output.c), kept until the end. */
struct flow {
    struct { /* RFC 5681, 6582, 6675 */
        uint32_t cwnd, ssthresh;
        tcp_seq recover;
        uint8_t state; /* enum recovery_state */
        uint8_t dup_acks;
        bool recover_valid; /* recover is meaningful */
    } cc;
    int64_t min_rtt_ns;  /* the smallest sample, -1: none */
    void *cc_state;      /* the module's, of the size that it says */
    ackd_time data_sent; /* last time that octets of the user were sent */
    uint64_t retransmitted_bytes;
    uint64_t pacing_rate;        /* bytes a second, of modules that pace; see pacing_rate() */
    ackd_time next_send;         /* when the next quantum may leave (pacing.c) */
    uint32_t quantum_left;       /* bytes of the quantum that leaves now */
    uint8_t congestion;          /* enum tcp_congestion */
    struct {                     /* delivery rate estimation (congestion/rate.c) */
        bool sample_app_limited; /* the last sample: */
        uint64_t bytes_per_s;
        uint64_t delivered; /* bytes, in all */
        ackd_time delivered_at, first_sent_at;
        uint64_t
            app_limited; /* samples up to this count of delivered bytes are app-limited; 0 none */
    } rate;
    struct recovery recovery;
    struct validation validation;
    struct mtu_search mtu;
};

/* What the receive buffer is tuned by; exists once enough was received to be worth it. */
struct tuning {
    uint32_t rcv_buffer;    /* bytes, now */
    uint32_t last_tsecr;    /* already taken for a sample */
    int64_t rtt_ns;         /* as the receiver sees it, -1 unknown */
    tcp_seq window_end;     /* of the window that is being timed, */
    ackd_time window_since; /* since when */
    uint64_t read_mark;     /* stream octets read when this round trip began, */
    ackd_time read_since;   /* and when that was */
    uint64_t taken;         /* most octets read in one round trip */
};

/* Where the time went; exists once data were carried (clocks.c). */
struct clocks {
    ackd_time since; /* what limits now does */
    uint32_t known;  /* bit n: enum tcp_limit n has a place */
    int64_t ns[];    /* in their order */
};

/* What only some connections have; exists once one of them is needed. */
struct extras {
    struct auth *auth;     /* NULL: segments are not signed */
    struct accecn *accecn; /* NULL unless agreed on */
    struct tuning *tuning; /* NULL while little was received */
    struct clocks *clocks; /* NULL while nothing was sent */
    ackd_time t_keepalive;
    uint8_t keepalive_probes;
};

/* Six cache lines. First what a segment's way needs; who it belongs to and what is only shown last.
 */
struct tcb {
    struct timed t; /* must be first */
    uint32_t flags;
    struct negotiated nego;
    struct shared_options *options;
    struct activity *act;  /* NULL while there is nothing to send or to be acknowledged */
    struct flow *flow;     /* NULL before anything but a SYN was sent */
    struct rcvq *rcvq;     /* NULL while there is nothing to read */
    struct extras *extras; /* NULL while it needs none */

    struct {
        tcp_seq una, nxt, iss, wl1, wl2;
        uint32_t wnd, max_wnd;
        coarse_time last; /* when a segment was sent last */
        uint64_t sent;    /* stream octets sent, the first time */
    } snd;
    struct {
        tcp_seq nxt, irs, up;
        tcp_seq adv;                 /* right edge advertised: RCV.NXT + RCV.WND */
        tcp_seq ack_sent;            /* Last.ACK.sent (RFC 7323) */
        tcp_seq fin;                 /* of a FIN beyond a hole */
        uint32_t last_len;           /* of what moved RCV.NXT last: the sum behind our ACK */
        coarse_time last;            /* when a segment came last */
        uint64_t read;               /* stream octets released by the user */
        struct tcp_sack_block dsack; /* to report with the next ACK; start == end: none */
        uint16_t mss;          /* the largest segment seen: "full-sized" for the delayed ACK */
        uint16_t dup_acks_due; /* duplicate ACKs owed to a peer without SACK */
        uint16_t adv_mss;      /* what we advertised */
        uint8_t quick;         /* segments still to be acknowledged at once */
        uint8_t dscp;          /* of the last segment (MAY-9) */
    } rcv;
    struct {                        /* RFC 6298 */
        int64_t srtt_ns, rttvar_ns; /* -1: no sample yet */
        uint32_t retransmits;       /* segments, up to UINT32_MAX */
        uint16_t timeouts;          /* of the segment at una: R1 */
        uint8_t backoff;
    } rtt;
    ackd_time t_delack;

    struct list out; /* on engine.output while something may have to be sent */
    uint32_t ts_recent, ts_offset;
    coarse_time ts_recent_at;
    uint16_t mtu;              /* path MTU, bytes of IP packet */
    struct {                   /* ECN, see ecn/ecn.c */
        bool echo : 1;         /* classic: ECE goes with all that is sent */
        bool cwr_due : 1;      /* classic: CWR goes with the next new segment */
        bool send_not_ect : 1; /* nothing is ECN-capable any more: see ecn_agreed(), stop_ect() */
        bool mangled : 1;      /* the path changes ECN's bits */
        bool withheld : 1;     /* AccECN was not offered: it did not get through before */
    } ecn;
    uint8_t limit; /* enum tcp_limit now */
    uint64_t segs_out, segs_in;
    ackd_time t_state;     /* end of TIME-WAIT, FIN-WAIT-2, or of what nobody holds and the peer's
                              window holds up */
    uint8_t fast_open;     /* FAST_OPEN_* */
    bool uto_due : 1;      /* our user timeout goes with the next segment */
    bool syn_suffered : 1; /* our SYN, or SYN,ACK, was lost or marked: cwnd begins with a segment */
    uint8_t persist_backoff;
    uint8_t challenge_tokens;
    uint32_t challenge_renewal; /* when there are new ones, in ticks of challenge.c */

    struct list queue; /* until it is accepted its listener's; after that on engine.ready */
    uint64_t listener;
    uint64_t cookie;
    uint32_t owner;
    uint16_t uto_remote; /* the peer's, as it came (RFC 5482); 0 none */
    uint16_t soft_error;
    ackd_time created, established;
    uint16_t ready_bits;
    uint8_t close_reason;
    uint8_t rst_received; /* enum tcp_rst_received */
};

_Static_assert(sizeof(struct tcb) <= 384, "what there are a million of is small");

/* A segment that belongs to no tcb, waiting for the flush: a reset, or the answer of a half-open or
 * TIME-WAIT record. */
struct control_segment {
    struct list link;
    uint64_t id;
    struct tcp_tuple tuple;
    tcp_seq seq, ack;
    uint16_t flags, window;
    uint8_t ttl, tos;
    struct tcp_opts options;
    enum tcp_send_kind kind;
    enum tcp_rst_sent rst_reason;
    enum tcp_state state;
    tcp_seq iss, irs;
    bool again;                       /* a retransmission */
    uint8_t cookie[FAST_OPEN_COOKIE]; /* that options.fast_open points at */
    struct auth_signature *signature; /* NULL: none */
};

#define CONTROL_SEGMENTS_MAX 8192u
#define LISTENER_BUCKETS 4096u
#define HEADER_CACHE 4096u

struct cached_headers {
    uint64_t id;
    struct tcp_last_header received, sent;
};

struct tcp_engine {
    struct tcp_config config;
    struct arena *arena;
    struct pkt_pool *pool;
    struct tcp_link link;
    struct rng rng;
    struct hash_key tuple_key, isn_key, ts_key, flow_key, syn_cookie_key;
    struct ports ports;
    struct metrics metrics;
    struct fast_open_keys fast_open;
    struct auth_keys keys;
    struct wheel wheel, waits; /* of deadlines: in all other states, in TIME-WAIT */
    struct table by_tuple;
    struct ids ids;              /* every record */
    struct rec *told;            /* whose id a user was told last, NULL */
    struct listener **listeners; /* LISTENER_BUCKETS heads by local port */
    uint64_t last_id;
    uint32_t endpoints, half_open, time_wait;

    struct slab listener_slab, half_open_slab, signed_half_open_slab, tcb_slab, extras_slab,
        time_wait_slab, signed_time_wait_slab, activity_slab, accecn_slab, rcvq_slab, marks_slab,
        flow_slab, cc_slab[TCP_CONGESTIONS], tuning_slab, run_slab, piece_slab, control_slab,
        options_slab, key_slab, auth_slab, signature_slab;
    struct shared_options *defaults;

    struct list output; /* tcb.out */
    struct list ready;  /* tcb.queue: see ready.c */
    struct list listener_ready;
    struct list control;
    uint32_t control_count;
    struct list removals;   /* address_removed.c: walks that are not finished */
    struct list unaccepted; /* unaccepted.c: tcb.queue of listeners that are closed */
    struct list dead;       /* tcb.out of records that are gone; freed when the door closes */

    bool trace;
    struct tcp_event *events; /* ring */
    uint32_t event_head, event_count;
    uint64_t event_number;

    struct tcp_closed *closed; /* ring */
    uint64_t closed_count;
    struct cached_headers *headers;
    struct tcp_counters counters;
};

/* A segment on its way through the state machine. */
struct segment {
    struct tcp_hdr h;
    struct tcp_opts o;
    struct tcp_tuple tuple; /* local is ours */
    const struct tcp_rx *rx;
    const uint8_t *bytes; /* of the header */
    tcp_seq seq;          /* of the first octet not trimmed */
    uint32_t data;        /* octets of payload not trimmed */
    uint32_t data_offset; /* of them in rx->pkt->data */
    bool syn, fin, psh;   /* not trimmed */
    uint32_t payload;     /* as it came */
    uint32_t segs;        /* wire segments behind a merged frame */
    ackd_time now;
    enum tcp_drop drop;
    uint64_t id;          /* the endpoint it was for, 0 none */
    tcp_seq iss, irs;     /* of its connection, which may be gone when the event is told */
    struct auth_key *key; /* that it was verified with */
    uint8_t wscale;       /* shift of its window field */
    bool succeeds;        /* a SYN that took the place of a connection in TIME-WAIT, */
    tcp_seq beyond;       /* which had sent up to here */
};

static inline uint32_t segment_len(const struct segment *s)
{
    return s->data + s->syn + s->fin;
}

static inline struct tcb *tcb_of_rec(struct rec *r)
{
    return (struct tcb *)(void *)r;
}

static inline struct auth *tcb_auth(const struct tcb *c)
{
    return c->extras ? c->extras->auth : NULL;
}

static inline struct accecn *tcb_accecn(const struct tcb *c)
{
    return c->extras ? c->extras->accecn : NULL;
}

static inline struct tuning *tcb_tuning(const struct tcb *c)
{
    return c->extras ? c->extras->tuning : NULL;
}

static inline struct clocks *tcb_clocks(const struct tcb *c)
{
    return c->extras ? c->extras->clocks : NULL;
}

static inline ackd_time tcb_keepalive(const struct tcb *c)
{
    return c->extras ? c->extras->t_keepalive : TIME_NEVER;
}

/* Where a record keeps how it is signed; NULL: it has no room, and is not. */
static inline struct auth **auth_place(struct timed *t)
{
    switch (t->rec.kind) {
    case REC_CONNECTION:
        return ((struct tcb *)t)->extras ? &((struct tcb *)t)->extras->auth : NULL;
    case REC_HALF_OPEN:
        return t->rec.is_signed ? ((struct half_open *)t)->auth : NULL;
    case REC_TIME_WAIT:
        return t->rec.is_signed ? ((struct time_wait *)t)->auth : NULL;
    default:
        return NULL;
    }
}

static inline struct auth *auth_of(struct timed *t)
{
    struct auth **place = auth_place(t);
    return place ? *place : NULL;
}

/* It goes along from record to record. */
static inline struct auth *auth_take(struct timed *t)
{
    struct auth **place = auth_place(t), *a = place ? *place : NULL;
    if (place) {
        *place = NULL;
    }
    return a;
}

/* Those in TIME-WAIT have a wheel of their own, so that the one that ends first is found. */
static inline struct wheel *timed_wheel(struct tcp_engine *e, const struct timed *t)
{
    return t->rec.state == TCP_TIME_WAIT ? &e->waits : &e->wheel;
}

static inline bool state_synchronized(enum tcp_state s)
{
    return s >= TCP_ESTABLISHED;
}

/* Octets from the user that wait in the send buffer, sent or not. */
static inline uint32_t tcb_buffered(const struct tcb *c)
{
    return c->act ? c->act->snd.length : 0;
}

/* Outstanding sequence numbers. */
static inline uint32_t tcb_outstanding(const struct tcb *c)
{
    return seq_dist(c->snd.nxt, c->snd.una);
}

/* The sequence number of the first octet of the send buffer. */
static inline tcp_seq tcb_buffer_seq(const struct tcb *c)
{
    return seq_eq(c->snd.una, c->snd.iss) ? seq_add(c->snd.iss, 1) : c->snd.una;
}

/* Octets of the send buffer that were never sent. */
static inline uint32_t tcb_unsent(const struct tcb *c)
{
    if (c->flags & C_FIN_SENT) {
        return 0;
    }
    tcp_seq first = tcb_buffer_seq(c);
    uint32_t sent = seq_gt(c->snd.nxt, first) ? seq_dist(c->snd.nxt, first) : 0;
    return tcb_buffered(c) - sent;
}

static inline ackd_time tcb_rtx(const struct tcb *c)
{
    return c->act ? c->act->t_rtx : TIME_NEVER;
}

static inline void tcb_rtx_stop(struct tcb *c)
{
    if (c->act) {
        c->act->t_rtx = TIME_NEVER;
    }
}

/* As it is kept: no IP packet is larger. */
static inline uint16_t mtu_kept(uint32_t mtu)
{
    return mtu > 65535 ? 65535 : (uint16_t)mtu;
}

/* cwnd, or what it will begin with. */
static inline uint32_t tcb_cwnd(const struct tcb *c)
{
    return c->flow ? c->flow->cc.cwnd : cc_first_window(c);
}

/* The smallest RTT sample, -1: none. Before there is a flow the handshake's is the only one. */
static inline int64_t tcb_min_rtt_ns(const struct tcb *c)
{
    return c->flow ? c->flow->min_rtt_ns : c->rtt.srtt_ns;
}

/* Stream octets taken from the user. */
static inline uint64_t tcb_accepted(const struct tcb *c)
{
    return c->snd.sent + tcb_unsent(c);
}

/* Stream octets received in order. */
static inline uint64_t tcb_received(const struct tcb *c)
{
    return c->rcv.read + (c->rcvq ? c->rcvq->ready : 0);
}

/* ---- engine.c: records, lookup ---- */
/* Frees what died inside this door: the last thing every door does. */
void door_close(struct tcp_engine *e);
struct rec *rec_find(const struct tcp_engine *e, uint64_t id);
/* The one with the smallest id above `after`, NULL. */
struct rec *rec_next(const struct tcp_engine *e, uint64_t after);
struct rec *rec_lookup(struct tcp_engine *e, const struct tcp_tuple *t);
/* The most specific listener for the tuple (U-4), NULL. */
struct listener *listener_lookup(struct tcp_engine *e, const struct tcp_tuple *t);
/* A listener exactly on this address and port? */
bool tuple_is_free(void *engine, const struct tcp_tuple *t);
/* Gives a new record the next id, by which it is found; false without memory. Does not touch the
 * tuple table. */
bool rec_enter(struct tcp_engine *e, struct rec *r, enum rec_kind kind, const struct tcp_tuple *t);
void rec_enter_tuple(struct tcp_engine *e, struct rec *r);
void rec_leave_tuple(struct tcp_engine *e, struct rec *r);
void rec_leave(struct tcp_engine *e, struct rec *r);
/* `n` takes the id, the place in the listing and in the tuple table that `old` had. */
void rec_replace(struct tcp_engine *e, struct rec *old, struct rec *n, enum rec_kind kind);
struct tcb *tcb_find(struct tcp_engine *e, uint64_t id);
struct listener *listener_find(struct tcp_engine *e, uint64_t id);
struct shared_options *options_share(struct shared_options *o);
struct shared_options *options_new(struct tcp_engine *e, const struct tcp_options *v);
void options_drop(struct tcp_engine *e, struct shared_options *o);

/* ---- tcb.c: a connection's memory ---- */
struct tcb *tcb_new(struct tcp_engine *e, ackd_time now, const struct tcp_tuple *t,
                    struct shared_options *o, uint32_t mtu);
bool tcb_extras(struct tcp_engine *e, struct tcb *c); /* makes the block; false: no memory */
bool tcb_activity(struct tcp_engine *e, struct tcb *c,
                  ackd_time now); /* makes the block; false: no memory */
void tcb_fold(struct tcp_engine *e,
              struct tcb *c); /* frees the block when it is not needed any more */
void tcb_destroy(struct tcp_engine *e, struct tcb *c);
void tcb_touch(struct tcp_engine *e, struct tcb *c); /* look at it at the next flush */
void tcb_arm(struct tcp_engine *e,
             struct tcb *c); /* the wheel follows the earliest deadline, lazily */
ackd_time tcb_deadline(const struct tcb *c);

/* ---- state.c ---- */
/* The only writer of a state. */
void state_set(struct tcp_engine *e, struct rec *r, enum tcp_state to, ackd_time now,
               enum tcp_close_reason reason);
bool state_legal(enum tcp_state from, enum tcp_state to);
/* The connection is over: CLOSED, timers off, remembered; freed when nobody holds it. */
void tcb_closed(struct tcp_engine *e, struct tcb *c, ackd_time now, enum tcp_close_reason reason);
void remember_closed(struct tcp_engine *e, const struct tcp_closed *record);

/* ---- ready.c, event.c ---- */
void ready_tcb(struct tcp_engine *e, struct tcb *c, unsigned what);
void ready_listener(struct tcp_engine *e, struct listener *l, unsigned what);
/* The send buffer, or its size, changed: was the user waiting for that? */
void ready_sent(struct tcp_engine *e, struct tcb *c);
void event_state(struct tcp_engine *e, const struct rec *r, enum tcp_state old, ackd_time now,
                 enum tcp_close_reason reason);
void event_segment_in(struct tcp_engine *e, const struct segment *s);
void event_segment_out(struct tcp_engine *e, ackd_time now, const struct tcp_tx *tx,
                       const struct tcp_tuple *tuple, const struct tcb *c,
                       const struct control_segment *cs);

/* ---- options.c (negotiation), window.c, timestamps.c ---- */
uint32_t ip_overhead(const struct ip_addr *a); /* 20 or 40 */
uint16_t mss_advertised(const struct tcp_options *o, const struct ip_addr *a, uint32_t mtu);
/* What a SYN of ours offers. */
void negotiate_offer(const struct tcp_options *o, struct negotiated *n);
/* What of that the peer's SYN agrees to. */
void negotiate_from_syn(const struct segment *s, struct negotiated *n);
uint8_t wscale_choose(uint32_t rcv_buffer);
/* Payload of a full segment now: what the options that every segment carries leave (MUST-16). */
uint32_t send_mss(const struct tcb *c);
uint32_t timestamp_now(uint32_t offset, ackd_time now);
/* RFC 7323 section 5: may the segment be an old duplicate? Invalidates TS.Recent after 24 days. */
bool paws_reject(struct tcp_engine *e, struct tcb *c, const struct segment *s);
void timestamp_update(struct tcb *c, const struct segment *s);
/* The timestamp that this ACK echoes may be older than what caused it. */
bool echo_outdated(const struct tcb *c, const struct ack_news *n);

/* ---- autotune.c: sizes of the buffers now, bytes ---- */
uint32_t rcv_buffer(const struct tcb *c);
uint32_t snd_buffer(const struct tcb *c);
/* Octets that SEND takes now. */
uint32_t snd_room(const struct tcb *c);
/* The user found no room, or was told of some and has not come yet: it has more to send. */
bool snd_wanted(const struct tcb *c);
void tune_received(struct tcp_engine *e, struct tcb *c, const struct segment *s);
void tune_read(struct tcp_engine *e, struct tcb *c, ackd_time now);
void tuning_free(struct tcp_engine *e, struct tcb *c);

/* ---- receive window ---- */
uint32_t rcv_window(const struct tcb *c); /* SEG window we owe now: adv - nxt */
uint32_t rcv_space(const struct tcb *c);  /* free buffer */
/* The window field for a segment sent now; moves the advertised edge. Never shrinks it (SHLD-14),
 * nor by silly steps (MUST-39). */
uint16_t rcv_window_field(struct tcp_engine *e, struct tcb *c, bool syn);
/* The user read: is a window update worth a segment? */
bool rcv_window_update_due(const struct tcb *c);
/* Memory that the receive queue may pin while it takes a segment of `length` octets. */
uint32_t rcv_budget(const struct tcb *c, uint32_t length);

/* ---- input.c and its parts ---- */
void closed_input(struct tcp_engine *e, struct segment *s);
void listen_input(struct tcp_engine *e, struct listener *l, struct segment *s);
void half_open_input(struct tcp_engine *e, struct half_open *h, struct segment *s);
void half_open_timeout(struct tcp_engine *e, struct half_open *h, ackd_time now);
void half_open_drop(struct tcp_engine *e, struct half_open *h, ackd_time now,
                    enum tcp_close_reason reason);
void syn_sent_input(struct tcp_engine *e, struct tcb *c, struct segment *s);
void connection_input(struct tcp_engine *e, struct tcb *c, struct segment *s);
/* The text of a segment that made the connection (RFC 7413). */
void connection_text(struct tcp_engine *e, struct tcb *c, struct segment *s);
/* Our SYN was acknowledged, and perhaps data behind it. */
void syn_acknowledged(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                      struct rtxq_delta *delta);
void time_wait_input(struct tcp_engine *e, struct time_wait *tw, struct segment *s);
void time_wait_timeout(struct tcp_engine *e, struct time_wait *tw, ackd_time now);
void time_wait_remove(struct tcp_engine *e, struct time_wait *tw, ackd_time now,
                      enum tcp_close_reason reason);
/* The tcb reached TIME-WAIT: starts 2 MSL. At the limit the oldest makes room. */
void time_wait_enter(struct tcp_engine *e, struct tcb *c, ackd_time now);
bool time_wait_compact(struct tcp_engine *e, struct tcb *c, ackd_time now);
/* Of the whole connection; created to 17 ms. */
uint64_t time_wait_sent(const struct time_wait *tw);
uint64_t time_wait_received(const struct time_wait *tw);
ackd_time time_wait_created(const struct time_wait *tw, ackd_time now);
/* May a SYN take the place of TIME-WAIT (RFC 6191, MAY-2)? `before`: that connection used
 * timestamps; `now`: the new one would. */
bool time_wait_reusable(const struct segment *s, tcp_seq rcv_nxt, uint32_t ts_recent, bool before,
                        bool now);
void listener_accept_closed(struct tcp_engine *e, struct tcb *c); /* leaves the accept queue */
void listener_close(struct tcp_engine *e, struct listener *l, ackd_time now);

/* ack.c: the ACK field of a segment in a synchronized state. False: drop the segment (s->drop says
 * why). */
bool ack_input(struct tcp_engine *e, struct tcb *c, struct segment *s);
void window_from_segment(struct tcp_engine *e, struct tcb *c, const struct segment *s);
/* In FIN-WAIT-2: what nobody holds ends by itself. */
void fin_wait_2_arm(struct tcb *c, ackd_time now);
void established_enter(struct tcp_engine *e, struct tcb *c, const struct segment *s);

/* marks.c */
/* The octet before `at` ends a record, or was pushed. In order. False: no room. */
bool marks_add(struct tcp_engine *e, struct tcb *c, tcp_seq at, bool record);
/* Does a mark lie in (start, end]? */
bool marks_pushed(const struct tcb *c, tcp_seq start, tcp_seq end);
/* How much of `length` octets from `start` a segment may hold. */
uint32_t marks_limit(const struct tcb *c, tcp_seq start, uint32_t length);
/* The same of a super-frame, which ends with a push where that costs no segment more. */
uint32_t marks_frame(const struct tcb *c, tcp_seq start, uint32_t length, uint32_t mss);
void marks_acked(struct tcb *c, tcp_seq una);
/* The send buffer now ends at `end`. */
void marks_truncate(struct tcb *c, tcp_seq end);
void marks_free(struct tcp_engine *e, struct tcb *c);

/* challenge.c, reset.c */
void challenge_ack(struct tcp_engine *e, struct tcb *c, ackd_time now);
void reset_for_segment(struct tcp_engine *e, const struct segment *s, enum tcp_rst_sent reason);
void reset_tcb(struct tcp_engine *e, struct tcb *c, ackd_time now, enum tcp_rst_sent reason);
/* The sequence number of a segment without text. */
tcp_seq bare_seq(const struct tcb *c);
struct control_segment *control_new(struct tcp_engine *e, const struct tcp_tuple *t);
void control_drop(struct tcp_engine *e, struct control_segment *cs);

/* ---- sending ---- */
void rtt_sample(struct tcb *c, int64_t rtt_ns);
int64_t rto_ns(const struct tcb *c); /* backoff included */
void rto_restart(struct tcb *c, ackd_time now);
void rto_fired(struct tcp_engine *e, struct tcb *c, ackd_time now);
void persist_fired(struct tcp_engine *e, struct tcb *c, ackd_time now);
void keepalive_fired(struct tcp_engine *e, struct tcb *c, ackd_time now);
void keepalive_restart(struct tcp_engine *e, struct tcb *c, ackd_time now);
void keepalive_stop(struct tcb *c);
/* R2 of SYN and SYN,ACK (MUST-23). */
int64_t syn_timeout_ns(const struct tcp_options *o);
/* Nobody holds the connection: from now on a window that stays closed ends it (RFC 6429). */
void orphan_restart(struct tcb *c, ackd_time now);
/* The time is over: true when the window is closed; else the wait begins anew. */
bool orphan_stuck(struct tcb *c, ackd_time now);
/* The instant at which R2 gives the connection up (MUST-20, MUST-21, MUST-23), TIME_NEVER while
 * nothing is outstanding. */
ackd_time user_timeout_deadline(const struct tcb *c);
/* user_timeout.c (RFC 5482): how long data may stay unacknowledged in a synchronized state; what
 * the peer told, -1 nothing; our option; what a segment tells, 0 nothing. */
int64_t user_timeout_ns(const struct tcb *c);
int64_t user_timeout_remote_ns(const struct tcb *c);
void user_timeout_option(const struct tcp_options *options, struct tcp_opts *o);
bool user_timeout_due(const struct tcb *c);
uint16_t user_timeout_heard(struct tcp_engine *e, const struct segment *s);

struct plan;
/* path/plpmtud.c */
/* The flow was made: where probing is always on, the search begins. */
void mtu_flow_begin(struct tcb *c, ackd_time now);
/* ICMP: so large is too large (RFC 1191, 8201), says an error about the segment at `quoted`. */
void mtu_too_big(struct tcp_engine *e, struct tcb *c, ackd_time now, tcp_seq quoted, uint32_t mtu);
/* What the route says now: more than we use is tried when the time has come. */
void mtu_route(struct tcb *c, uint32_t mtu, ackd_time now);
/* The retransmission timer fired: a black hole? (RFC 4821 section 7.7) */
void mtu_timeout(struct tcp_engine *e, struct tcb *c, ackd_time now);
/* May a probe go now, of `room` octets that may be sent? Then it is the plan. */
bool mtu_probe_plan(const struct tcb *c, ackd_time now, uint32_t room, struct plan *p);
void mtu_probe_sent(struct tcp_engine *e, struct tcb *c, const struct plan *p);
/* What covers the probe went again in smaller segments: its ACK will prove nothing. */
void mtu_retransmitted(struct tcb *c, tcp_seq start, tcp_seq end, ackd_time now);
/* SND.UNA advanced: was the probe acknowledged? */
void mtu_ack(struct tcp_engine *e, struct tcb *c, ackd_time now);
/* Losses were found: true when it is the probe alone, which is no congestion. */
bool mtu_probe_lost(struct tcp_engine *e, struct tcb *c, ackd_time now);
/* ecn/ecn.c */
enum ecn_mode ecn_offer(const struct tcp_options *o);
/* What a SYN's flags ask for, as far as the options answer; what a SYN,ACK's agree to of what was
 * offered. */
enum ecn_mode ecn_from_syn(const struct tcp_options *o, uint16_t flags);
enum ecn_mode ecn_from_syn_ack(enum ecn_mode offered, uint16_t flags);
/* The flags of a SYN (or of what answers one), when it is sent for the n-th time: without, for what
 * may have been dropped because of them (section 6.1.1.1). */
uint16_t ecn_syn_flags(struct tcp_engine *e, struct negotiated *n, bool answers,
                       unsigned transmissions);
uint16_t ecn_tcb_syn_flags(struct tcp_engine *e, struct tcb *c, bool answers,
                           unsigned transmissions);
/* The peer's SYN came again. False: it wants another form than before, and must be reset (RFC 9768
 * section 3.1.5). */
bool ecn_syn_again(const struct tcp_options *o, struct negotiated *n, const struct segment *s);
/* The ACE of what answers a SYN, or SYN,ACK, that arrived with this codepoint. */
uint16_t ecn_accurate_handshake(unsigned codepoint);
/* The SYNs are exchanged. */
void ecn_agreed(struct tcp_engine *e, struct tcb *c, bool active);
/* An acceptable segment came: counts and echoes its mark. Before its text is taken. */
void ecn_received(struct tcp_engine *e, struct tcb *c, const struct segment *s);
/* What a segment that is sent carries. */
uint16_t ecn_flags(struct tcp_engine *e, struct tcb *c, const struct plan *p,
                   const struct tcp_opts *o);
uint8_t ecn_codepoint(const struct tcp_engine *e, const struct tcb *c, const struct plan *p);
/* Of a SYN or SYN,ACK with ECN's flags, or a RST of a connection that has ECN. */
uint8_t ecn_control_codepoint(const struct tcp_options *o, bool capable);
/* The segment has CWR, which devices clear in all but the first of a super-frame: it is one. */
bool ecn_single_segment(const struct tcb *c);
/* Octets of what this ACK delivered that the peer says were marked. */
uint32_t ecn_echoed(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                    const struct rtxq_delta *delta);
/* cwnd was reduced, for whatever reason: the peer is told. */
void ecn_reduced(struct tcb *c);
/* ecn/accecn.c: the same for AccECN. `active`: a SYN,ACK answered our SYN. */
bool accecn_begin(struct tcp_engine *e, struct tcb *c, bool active);
void accecn_free(struct tcp_engine *e, struct tcb *c);
/* A SYN,ACK arrived with this codepoint; again, and confirms AccECN (else nothing is done). */
void accecn_syn_ack_arrived(struct tcb *c, unsigned codepoint);
void accecn_syn_ack_again(struct tcb *c, const struct segment *s);
void accecn_received(struct tcb *c, const struct segment *s, bool acceptable);
/* A pure ACK is due ahead of data. */
bool accecn_reflects(const struct tcb *c);
/* ACE of the segment that is sent now; as a counter. */
uint16_t accecn_flags(struct tcb *c, bool pure_ack);
uint16_t accecn_counter_flags(const struct tcb *c);
/* The option of a SYN,ACK. */
void accecn_syn_option(const struct tcp_engine *e, const struct tcp_options *options,
                       struct tcp_opts *o);
/* Octets that accecn_option() will add where `room` are left. */
uint32_t accecn_option_len(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                           uint32_t room);
/* None, where a SACK block less would make room for news. */
bool accecn_takes_a_block(const struct tcp_engine *e, const struct tcb *c, ackd_time now,
                          uint32_t room);
void accecn_option(const struct tcp_engine *e, struct tcb *c, ackd_time now, uint32_t room,
                   bool data, struct tcp_opts *o);
/* ecn/accecn_path.c: our SYN is about to offer what it may; the SYN,ACK that answers it, before
 * anything is agreed on. */
void accecn_path_open(struct tcp_engine *e, struct tcb *c, ackd_time now);
void accecn_path_answered(struct tcp_engine *e, struct tcb *c, const struct segment *s);
/* ecn/accecn_heard.c: the ACE field; what the SYN,ACK says of our SYN; of octets marked by all
 * other segments. */
unsigned accecn_ace(uint16_t flags);
void accecn_syn_ack_heard(struct tcp_engine *e, struct tcb *c, const struct segment *s);
uint32_t accecn_echoed(struct tcp_engine *e, struct tcb *c, const struct segment *s,
                       const struct rtxq_delta *delta);

/* flow.c: makes the block; false: no memory. */
bool flow_need(struct tcp_engine *e, struct tcb *c, ackd_time now);
void flow_free(struct tcp_engine *e, struct tcb *c);
/* The state that a run sent now is measured from. */
struct rtx_snapshot flow_snapshot(const struct tcb *c, ackd_time now);
/* Another module takes over, with fresh state; false: no memory. */
bool flow_select(struct tcp_engine *e, struct tcb *c, enum tcp_congestion which, ackd_time now);
/* congestion.c: the connection's module, asked. Before there is a flow nothing moves. */
/* The SYNs are exchanged; `suffered`: ours was lost, or marked. */
void cc_init(struct tcb *c, bool suffered);
/* cwnd is at least one segment and ssthresh two (RFC 5681 equation (4)), always: whoever lowers a
 * window by a rule that does not say so, or makes segments larger, calls this. */
void cc_floors(struct tcb *c);
void cc_acked(struct tcb *c, const struct rtxq_delta *delta, const struct cc_ack *ack);
void cc_event(struct tcb *c, enum cc_event event, ackd_time now);
/* `acked`: octets that the ACK which calls for it has taken from what is outstanding. They count:
 * an ACK for much says nothing of how much the path carries. */
uint32_t cc_ssthresh(struct tcb *c, uint32_t acked, bool ecn);
void cc_restart_after_idle(struct tcb *c, ackd_time now);
/* rate.c: before a transmission; when nothing more is to be sent; at each ACK, filling ack->rate.
 */
void rate_sent(struct tcb *c, ackd_time now);
void rate_idle(struct tcb *c);
void rate_acked(struct tcb *c, const struct rtxq_delta *delta, struct cc_ack *ack);
/* Is what is sent now limited by the application? And: what is in flight now shall count as such.
 */
bool rate_app_limited(const struct tcb *c);
void rate_mark_app_limited(struct tcb *c);
/* validation.c: each ACK, answering whether cwnd held us back; when sending begins again; a
 * reduction by loss or mark begins, and ends. */
bool validation_acked(struct tcb *c, const struct cc_ack *ack);
void validation_restart(struct tcb *c, ackd_time now);
void validation_loss(struct tcb *c, uint32_t acked);
void validation_recovered(struct tcb *c);
bool validation_holds(const struct tcb *c);
/* What the path is known to carry: the flight before an ACK for so much, or more. */
uint32_t validation_flight(const struct tcb *c, uint32_t acked);
/* pacing.c: bytes a second now, 0 not paced. */
uint64_t pacing_rate(const struct tcb *c);
/* Bytes that may leave at once: at least two segments, at most a super-frame. */
uint32_t pacing_quantum(const struct tcb *c, uint32_t mss);
/* Nothing may leave before flow.next_send. */
bool pacing_waits(const struct tcb *c, ackd_time now);
void pacing_sent(struct tcb *c, ackd_time now, uint32_t bytes, uint32_t mss);

/* output.c */
enum plan_what {
    PLAN_NOTHING,
    PLAN_SYN,
    PLAN_DATA,
    PLAN_RETRANSMIT,
    PLAN_LOSS_PROBE,
    PLAN_PROBE,
    PLAN_KEEPALIVE,
    PLAN_ACK
};
struct plan {
    enum plan_what what;
    tcp_seq start;
    uint32_t length; /* octets of data */
    bool fin;
    struct rtx_run *run; /* RETRANSMIT */
    uint32_t mss;
    uint16_t probe_mtu; /* with MTU_PROBE: the size of its packet */
    enum tcp_send_kind kind;
    enum tcp_limit limit; /* why nothing (more) goes; PACING ends at flow.next_send */
    ackd_time now;
};
void output_plan(const struct tcp_engine *e, const struct tcb *c, ackd_time now, struct plan *p);

/* clocks.c: `limit` holds from now on; adds each limit's time, up to now, to ns[]. */
void limit_set(struct tcp_engine *e, struct tcb *c, enum tcp_limit limit, ackd_time now);
void clocks_read(const struct tcb *c, ackd_time now, int64_t ns[TCP_LIMITS]);
void clocks_free(struct tcp_engine *e, struct tcb *c);

/* address_removed.c: goes on with the walks over all records; gives them up. */
void removals_step(struct tcp_engine *e, ackd_time now);
void removals_clear(struct tcp_engine *e);

/* ---- unaccepted.c */
/* The listener's accept queue is reset, a bounded number at a time. */
void unaccepted_take(struct tcp_engine *e, struct listener *l, ackd_time now);
void unaccepted_step(struct tcp_engine *e, ackd_time now);

#endif
