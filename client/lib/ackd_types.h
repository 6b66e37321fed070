/* The vocabulary of ackd as plain C: states, reasons, endpoints, headers, options, connections.
 * Included by ackd.h.
 *
 * Values are those of proto/ackd/v1/types.proto, where every one has its sentence; a daemon newer
 * than this header may answer with values that are missing here, so print them with
 * ackd_enum_name() and keep a default branch. Units stand in the names; times in _ns are
 * nanoseconds of the daemon's clock (ackd_daemon_status() tells what it shows now). A has_x member
 * says whether x is known. */
#ifndef ACKD_TYPES_H
#define ACKD_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ackd_enums.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An address (RFC 5952 text; empty is "any") with its port. */
struct ackd_endpoint {
    char address[64];
    uint16_t port;
};

/* A TCP header with every field, as on the wire. */
struct ackd_header {
    uint16_t source_port, destination_port;
    uint32_t sequence_number, acknowledgment_number;
    uint8_t data_offset_words; /* 5..15 */
    uint8_t reserved_bits;     /* the three reserved bits */
    bool ae, cwr, ece, urg, ack, psh, rst, syn, fin;
    uint16_t flags_bits; /* the nine flags as bits, FIN = 1 up to AE = 256 */
    uint16_t window;     /* unscaled */
    uint16_t checksum;
    bool checksum_partial; /* it covers the pseudo-header alone: the device completes it */
    uint16_t urgent_pointer;
    uint8_t options[40]; /* all option bytes, padding included */
    uint8_t options_length;
};

/* Options of an endpoint. On input a member whose has_ is false leaves the default, or what is set
 * now. */
struct ackd_options {
    bool has_rcv_buffer_bytes, has_snd_buffer_bytes, has_mss_clamp_bytes, has_nodelay, has_sack,
        has_timestamps, has_window_scaling, has_keepalive, has_keepalive_idle_ms,
        has_keepalive_interval_ms, has_keepalive_count, has_user_timeout_ms, has_rto_initial_ms,
        has_rto_min_ms, has_rto_max_ms, has_delayed_ack_ms, has_msl_ms, has_fin_wait_2_ms,
        has_orphan_timeout_ms, has_syn_timeout_ms, has_r1_timeouts, has_rfc1337, has_ttl, has_dscp,
        has_rcv_buffer_max_bytes, has_snd_buffer_max_bytes, has_share_metrics, has_share_ssthresh;
    bool has_require_auth;
    bool has_user_timeout_option;
    bool has_user_timeout_advertise_ms;
    bool has_user_timeout_min_ms;
    bool has_user_timeout_max_ms;
    bool has_fast_open_queue, has_fast_open_no_cookie, has_fast_open_experimental;
    bool has_max_pacing_rate_bytes_per_s, has_hystart, has_abc_limit, has_idle_restart;
    bool has_cubic_alpha_one;
    bool nodelay; /* Nagle off (RFC 9293 MUST-17) */
    bool sack, timestamps, window_scaling, keepalive;
    bool rfc1337;                                        /* ignore RST in TIME-WAIT */
    uint32_t rcv_buffer_bytes, snd_buffer_bytes;         /* alone: fixed; else the size at first */
    uint32_t rcv_buffer_max_bytes, snd_buffer_max_bytes; /* what tuning may enlarge them to */
    uint32_t mss_clamp_bytes; /* 0 = none: never advertise or use a larger MSS */
    uint32_t keepalive_count;
    uint32_t ttl;  /* TTL or hop limit (RFC 9293 MUST-49) */
    uint32_t dscp; /* 0..63 (RFC 9293 MUST-48) */
    int64_t keepalive_idle_ms, keepalive_interval_ms;
    int64_t user_timeout_ms;   /* R2; 0 = the default: 15 minutes of retransmissions */
    int64_t syn_timeout_ms;    /* R2 of SYN and SYN,ACK while user_timeout_ms is 0 */
    uint32_t r1_timeouts;      /* timeouts in a row after which the user is told */
    int64_t orphan_timeout_ms; /* of a closed window that nobody waits for; 0 = for ever */
    int64_t rto_initial_ms, rto_min_ms, rto_max_ms;
    int64_t delayed_ack_ms; /* 0 = acknowledge at once; under 500 (RFC 9293 MUST-40) */
    int64_t msl_ms;
    int64_t fin_wait_2_ms; /* for connections that nobody holds; 0 = for ever */
    bool share_metrics;    /* Leave what was learned of the path to later connections, and use what
                              earlier ones left (RFC 9040) */
    bool
        share_ssthresh; /* Begin with the slow start threshold that earlier connections left, too */
    uint32_t fast_open_queue; /* Of a listener: connections made by SYNs with data that may wait for
                                 the end of their handshake; 0: no Fast Open (RFC 7413) */
    bool fast_open_no_cookie; /* Data in a SYN without a cookie, sent and taken: only where every
                                 address is trusted */
    bool fast_open_experimental; /* The experimental form of the Fast Open option, too (RFC 7413
                                    section 7.1) */
    bool require_auth;           /* no connection without a key that signs it: ackd_add_key() */
    bool user_timeout_option; /* Tell the peer the user timeout, and adopt what it tells within the
                                 limits (RFC 5482) */
    int64_t user_timeout_advertise_ms; /* What the peer is told; 0: the timeout that is in force
                                          without it */
    int64_t user_timeout_min_ms;       /* The least that is adopted */
    int64_t user_timeout_max_ms;       /* The most that is adopted */
    enum ackd_icmp_policy icmp_policy;
    enum ackd_urgent_mode urgent_mode;
    enum ackd_syn_cookies syn_cookies; /* of a listener */
    enum ackd_loss_detection loss_detection;
    enum ackd_ecn_mode ecn;
    enum ackd_congestion congestion;
    enum ackd_pacing pacing;
    uint64_t max_pacing_rate_bytes_per_s; /* 0 = no limit */
    bool hystart;                         /* slow start ends when the round-trip time rises */
    bool idle_restart;                    /* the restart window after an RTO without data */
    bool cubic_alpha_one; /* CUBIC grows by a segment a round trip once Reno would be where cwnd was
                             before the reduction */
    uint32_t abc_limit;   /* segments that one ACK may add to cwnd in slow start; 0 = no limit */
    enum ackd_mtu_probing mtu_probing;
    enum ackd_accecn_option accecn_option;
};

/* Who made an endpoint. */
struct ackd_owner {
    uint32_t uid, pid;
    char command[64];
};

/* Time spent limited by one reason. */
struct ackd_limited_time {
    enum ackd_limit_reason reason;
    int64_t duration_ns;
};

/* One thing that a congestion control module remembers: a number, or a word. */
struct ackd_congestion_field {
    char name[32], unit[16];
    int64_t value;
    char word[32];
};

#define ACKD_CONGESTION_FIELDS_MAX 24

/* Any message that the daemon sent, whole: what the structs here are copied from. For generic
 * access by field name and for JSON, see "Messages" in ackd.h. */
struct ackd_message;

#define ACKD_LIMITED_MAX 32

/* Everything that can be seen of one endpoint. What is marked FULL is filled by ackd_get(),
 * ackd_status(), ackd_why() and by a list with view ACKD_VIEW_FULL. */
struct ackd_connection {
    /* The message behind this struct; valid exactly as long as the call that filled the struct
     * says. */
    const struct ackd_message *message;

    uint64_t id;
    enum ackd_state state;
    struct ackd_endpoint local;
    struct ackd_endpoint remote;
    /* The listener behind a passive connection; 0 none. */
    uint64_t listener_id;
    char label[64];
    struct ackd_owner owner;
    /* Of a connection that ended. */
    enum ackd_close_reason close_reason;
    /* "ECONNRESET"; empty when there is none. */
    char error[24];
    enum ackd_limit_reason limit_reason;
    /* Nanoseconds spent limited by each reason since the connection was made (FULL). */
    struct ackd_limited_time limited[ACKD_LIMITED_MAX];
    size_t limited_count;
    /* The session that owns it; 0: detached, built-in, or nobody's. */
    uint64_t session_id;
    bool detached;
    /* "echo", "discard", "chargen" for endpoints of a built-in service. */
    char service[16];
    /* When it ended (only of the recently closed). */
    bool has_closed_ns;
    int64_t closed_ns;
    /* The last header received and sent, while a bounded cache still has them (FULL). */
    bool has_last_received;
    struct ackd_header last_received;
    bool has_last_sent;
    struct ackd_header last_sent;
    /* Options in force (FULL). */
    bool has_options;
    struct ackd_options options;
    /* The state before CLOSED (only of the recently closed). */
    enum ackd_state last_state;
    /* In order, not yet taken by the user; for LISTEN: connections waiting in the accept queue. */
    uint32_t recv_q_bytes;
    /* Accepted from the user, not yet acknowledged; for LISTEN: the backlog. */
    uint32_t send_q_bytes;
    /* Initial send sequence number [seq]. */
    uint32_t iss;
    /* Initial receive sequence number [seq]. */
    uint32_t irs;
    /* Oldest unacknowledged sequence number [seq]. */
    uint32_t snd_una;
    /* Next sequence number to send [seq]. */
    uint32_t snd_nxt;
    /* Send window, scaled. */
    uint32_t snd_wnd;
    /* Largest send window seen. */
    uint32_t snd_max_wnd;
    /* Segment sequence number of the last window update [seq]. */
    uint32_t snd_wl1;
    /* Segment acknowledgment number of the last window update [seq]. */
    uint32_t snd_wl2;
    /* Send urgent pointer (the octet after the urgent data) [seq]. */
    uint32_t snd_up;
    /* Next sequence number expected [seq]. */
    uint32_t rcv_nxt;
    /* Receive window as last advertised, scaled. */
    uint32_t rcv_wnd;
    /* Receive urgent pointer (the octet after the urgent data) [seq]. */
    uint32_t rcv_up;
    /* Free space of the receive buffer now. */
    uint32_t rcv_space_bytes;
    /* Size of the receive buffer. */
    uint32_t rcv_buffer_bytes;
    /* Size of the send buffer. */
    uint32_t snd_buffer_bytes;
    /* Received beyond a hole. */
    uint32_t ooo_bytes;
    /* The peer's window scale [shift]. */
    uint32_t snd_wscale;
    /* Our window scale [shift]. */
    uint32_t rcv_wscale;
    /* Payload of a full segment that we send, options subtracted. */
    uint32_t snd_mss_bytes;
    /* MSS option received; 536 or 1220 without (RFC 9293 MUST-15). */
    uint32_t peer_mss_bytes;
    /* MSS option sent. */
    uint32_t adv_mss_bytes;
    /* Path MTU. */
    uint32_t path_mtu_bytes;
    /* Congestion window. */
    uint32_t cwnd_bytes;
    /* Slow start threshold; 4294967295 while unlimited. */
    uint32_t ssthresh_bytes;
    /* Sent, not acknowledged, not SACKed, not deemed lost. */
    uint32_t bytes_in_flight;
    /* SACKed above snd_una. */
    uint32_t sacked_bytes;
    /* Deemed lost and not yet retransmitted. */
    uint32_t lost_bytes;
    /* Runs in the retransmission queue [runs]. */
    uint32_t rtx_runs;
    /* Duplicate ACKs in a row [segments]. */
    uint32_t dup_acks;
    /* Smoothed round-trip time (RFC 6298). */
    bool has_srtt_ns;
    int64_t srtt_ns;
    /* Round-trip time variation. */
    bool has_rttvar_ns;
    int64_t rttvar_ns;
    /* Smallest round-trip time seen. */
    bool has_min_rtt_ns;
    int64_t min_rtt_ns;
    bool has_rcv_rtt_ns;
    int64_t rcv_rtt_ns;
    /* Round-trip time of the latest delivery (RFC 8985 RACK.rtt). */
    bool has_rack_rtt_ns;
    int64_t rack_rtt_ns;
    /* RACK's reordering window now. */
    int64_t reo_wnd_ns;
    /* When the reordering timer or the tail loss probe is due. */
    bool has_loss_timer_deadline_ns;
    int64_t loss_timer_deadline_ns;
    uint32_t retransmitting_bytes; /* retransmitted, and that not yet acknowledged */
    uint32_t loss_probes;          /* tail loss probes sent */
    uint32_t dsacks;               /* duplicate SACK blocks received */
    uint32_t undos;                /* reductions of the window that proved spurious */
    bool reordering_seen;
    uint32_t reorderings;         /* ACKs that told of originals behind what was sent later */
    uint32_t reordering_segments; /* the most that one was behind */
    bool in_cwr;                  /* the window shrinks because ECN told of congestion */
    /* Retransmission timeout, backoff included. */
    int64_t rto_ns;
    /* Timeouts in a row. */
    uint32_t backoff;
    /* TS.Recent (RFC 7323) [ticks]. */
    uint32_t ts_recent;
    /* Keepalive probes unanswered [segments]. */
    uint32_t keepalive_probes;
    /* Last soft ICMP error (RFC 9293 SHLD-25), 0 none [errno]. */
    uint32_t soft_error;
    /* Payload sent, without retransmissions. */
    uint64_t bytes_sent;
    /* Payload acknowledged by the peer. */
    uint64_t bytes_acked;
    /* Payload received in order. */
    uint64_t bytes_received;
    /* Payload taken by the user. */
    uint64_t bytes_read;
    /* Payload retransmitted. */
    uint64_t bytes_retransmitted;
    /* Segments sent [segments]. */
    uint64_t segs_out;
    /* Segments received [segments]. */
    uint64_t segs_in;
    /* Segments retransmitted [segments]. */
    uint64_t retransmits;
    /* When the connection was made. */
    int64_t created_ns;
    /* When it became ESTABLISHED. */
    bool has_established_ns;
    int64_t established_ns;
    /* When the last segment arrived. */
    bool has_last_received_ns;
    int64_t last_received_ns;
    /* When the last segment was sent. */
    bool has_last_sent_ns;
    int64_t last_sent_ns;
    /* When the retransmission timer fires. */
    bool has_rto_deadline_ns;
    int64_t rto_deadline_ns;
    /* When the next zero-window probe is due. */
    bool has_persist_deadline_ns;
    int64_t persist_deadline_ns;
    /* When the delayed ACK is due. */
    bool has_delack_deadline_ns;
    int64_t delack_deadline_ns;
    /* When the next keepalive probe is due. */
    bool has_keepalive_deadline_ns;
    int64_t keepalive_deadline_ns;
    /* When the user timeout or R2 gives the connection up. */
    bool has_user_timeout_deadline_ns;
    int64_t user_timeout_deadline_ns;
    /* When TIME-WAIT or FIN-WAIT-2 ends. */
    bool has_time_wait_deadline_ns;
    int64_t time_wait_deadline_ns;
    /* SACK was negotiated. */
    bool sack_ok;
    /* Timestamps were negotiated. */
    bool timestamps_ok;
    bool ecn_ok;
    bool accecn_ok;
    bool accecn_withheld; /* not offered: it did not get through to this peer before */
    bool ect_stopped;     /* agreed on, and nothing ECN-capable is sent */
    bool ecn_mangled;     /* the path changes ECN's bits */
    uint32_t ce_packets;
    uint32_t echoed_ce_packets;
    uint32_t received_ect0_bytes, received_ect1_bytes, received_ce_bytes;
    uint32_t echoed_ect0_bytes, echoed_ect1_bytes, echoed_ce_bytes;
    uint32_t received_dscp;
    /* Window scaling was negotiated. */
    bool wscale_ok;
    /* Loss recovery is under way. */
    bool in_recovery;
    /* Opened by the peer. */
    bool passive;
    /* Nobody here holds it any more. */
    bool released;
    /* Our FIN was sent. */
    bool fin_sent;
    /* The peer's FIN was received in order. */
    bool fin_received;
    /* Urgent data not yet read. */
    bool urgent_pending;
    bool syn_data_taken;
    /* The congestion control module. */
    enum ackd_congestion congestion;
    /* What the module remembers (FULL). */
    struct ackd_congestion_field congestion_state[ACKD_CONGESTION_FIELDS_MAX];
    size_t congestion_state_count;
    /* Sent data known to have arrived, SYN and FIN counted as one. */
    uint64_t delivered_bytes;
    /* The last delivery rate sample; 0 before the first [bytes/s]. */
    uint64_t delivery_rate_bytes_per_s;
    /* That sample was limited by the application. */
    bool delivery_app_limited;
    /* How fast data are let go; 0 not paced [bytes/s]. */
    uint64_t pacing_rate_bytes_per_s;
    /* What signs its segments; unspecified: nothing does. */
    enum ackd_key_algorithm auth_algorithm;
    /* Numbers of the keys that we sign with and that the peer is asked to sign with; 0: none. */
    uint64_t auth_key, auth_next_key;
    /* TCP-AO KeyID and RNextKeyID of what we send (RFC 5925 current_key, rnext_key). */
    uint32_t auth_send_id, auth_next_id;
    /* Extensions of snd_nxt and rcv_nxt (RFC 5925 section 6.2). */
    uint32_t snd_sne, rcv_sne;
    /* Segments discarded because their signature was not right. */
    uint64_t auth_failures;
    /* Changes of auth_key on the peer's wish. */
    uint64_t auth_key_changes;
    int64_t user_timeout_ns; /* how long data may stay unacknowledged */
    bool has_remote_user_timeout_ns;
    int64_t remote_user_timeout_ns; /* that the peer told (RFC 5482) */
};

#ifdef __cplusplus
}
#endif

#endif
