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

#ifdef __cplusplus
extern "C" {
#endif

/* RFC 9293 section 3.3.2. */
enum ackd_state {
    ACKD_STATE_UNSPECIFIED = 0,
    ACKD_STATE_CLOSED = 1,
    ACKD_STATE_LISTEN = 2,
    ACKD_STATE_SYN_SENT = 3,
    ACKD_STATE_SYN_RECEIVED = 4,
    ACKD_STATE_ESTABLISHED = 5,
    ACKD_STATE_FIN_WAIT_1 = 6,
    ACKD_STATE_FIN_WAIT_2 = 7,
    ACKD_STATE_CLOSE_WAIT = 8,
    ACKD_STATE_CLOSING = 9,
    ACKD_STATE_LAST_ACK = 10,
    ACKD_STATE_TIME_WAIT = 11,
};

/* Why a segment, or its text, was discarded. */
enum ackd_drop_reason {
    ACKD_DROP_UNSPECIFIED = 0,
    ACKD_DROP_HEADER_TRUNCATED = 1,
    ACKD_DROP_BAD_DATA_OFFSET = 2,
    ACKD_DROP_BAD_CHECKSUM = 3,
    ACKD_DROP_INVALID_SOURCE = 4,
    ACKD_DROP_BROADCAST_OR_MULTICAST = 5,
    ACKD_DROP_NO_CONNECTION = 6,
    ACKD_DROP_LISTEN_RST = 7,
    ACKD_DROP_LISTEN_ACK = 8,
    ACKD_DROP_LISTEN_NO_SYN = 9,
    ACKD_DROP_SYN_QUEUE_FULL = 10,
    ACKD_DROP_ACCEPT_QUEUE_FULL = 11,
    ACKD_DROP_NO_MEMORY = 12,
    ACKD_DROP_SYN_SENT_BAD_ACK = 13,
    ACKD_DROP_SYN_SENT_RST_WITHOUT_ACK = 14,
    ACKD_DROP_SYN_SENT_NO_SYN = 15,
    ACKD_DROP_OUT_OF_WINDOW = 16,
    ACKD_DROP_OLD_DUPLICATE = 17,
    ACKD_DROP_PAWS = 18,
    ACKD_DROP_TIMESTAMP_MISSING = 19,
    ACKD_DROP_RST_OUT_OF_WINDOW = 20,
    ACKD_DROP_RST_CHALLENGED = 21,
    ACKD_DROP_SYN_CHALLENGED = 22,
    ACKD_DROP_ACK_MISSING = 23,
    ACKD_DROP_ACK_TOO_OLD = 24,
    ACKD_DROP_ACK_UNSENT = 25,
    ACKD_DROP_DATA_AFTER_CLOSE = 26,
    ACKD_DROP_DATA_AFTER_FIN = 27,
    ACKD_DROP_RECEIVE_BUFFER_FULL = 28,
    ACKD_DROP_REASSEMBLY_LIMIT = 29,
    ACKD_DROP_SYN_RECEIVED_BAD_ACK = 30,
    ACKD_DROP_TIME_WAIT_RST = 31,
    ACKD_DROP_TIME_WAIT_OLD_SYN = 32,
    ACKD_DROP_TIME_WAIT_SEGMENT = 33,
    ACKD_DROP_ICMP_NO_CONNECTION = 34,
    ACKD_DROP_ICMP_BAD_SEQUENCE = 35,
};

/* Why we sent a reset. */
enum ackd_reset_sent_reason {
    ACKD_RST_SENT_UNSPECIFIED = 0,
    ACKD_RST_SENT_NO_CONNECTION = 1,
    ACKD_RST_SENT_ACK_IN_LISTEN = 2,
    ACKD_RST_SENT_BAD_ACK_IN_SYN_SENT = 3,
    ACKD_RST_SENT_BAD_ACK_IN_SYN_RECEIVED = 4,
    ACKD_RST_SENT_DATA_AFTER_CLOSE = 5,
    ACKD_RST_SENT_CLOSED_WITH_UNREAD_DATA = 6,
    ACKD_RST_SENT_ABORTED = 7,
    ACKD_RST_SENT_KILLED = 8,
    ACKD_RST_SENT_SESSION_ENDED = 9,
    ACKD_RST_SENT_LISTENER_CLOSED = 10,
    ACKD_RST_SENT_TIMED_OUT = 11,
};

/* Where a reset from the peer found us. */
enum ackd_reset_received_reason {
    ACKD_RST_RECEIVED_UNSPECIFIED = 0,
    ACKD_RST_RECEIVED_RST_IN_SYN_SENT = 1,
    ACKD_RST_RECEIVED_RST_IN_SYN_RECEIVED = 2,
    ACKD_RST_RECEIVED_RST_IN_ESTABLISHED = 3,
    ACKD_RST_RECEIVED_RST_WHILE_CLOSING = 4,
    ACKD_RST_RECEIVED_RST_IN_TIME_WAIT = 5,
};

/* Why a connection ended. */
enum ackd_close_reason {
    ACKD_CLOSE_UNSPECIFIED = 0,
    ACKD_CLOSE_NORMAL = 1,
    ACKD_CLOSE_REFUSED = 2,
    ACKD_CLOSE_RESET_BY_PEER = 3,
    ACKD_CLOSE_ABORTED = 4,
    ACKD_CLOSE_KILLED = 5,
    ACKD_CLOSE_SESSION_ENDED = 6,
    ACKD_CLOSE_CLOSED_WITH_UNREAD_DATA = 7,
    ACKD_CLOSE_DATA_AFTER_CLOSE = 8,
    ACKD_CLOSE_SYN_TIMEOUT = 9,
    ACKD_CLOSE_SYN_RECEIVED_TIMEOUT = 10,
    ACKD_CLOSE_RETRANSMISSION_TIMEOUT = 11,
    ACKD_CLOSE_USER_TIMEOUT = 12,
    ACKD_CLOSE_KEEPALIVE_TIMEOUT = 13,
    ACKD_CLOSE_FIN_WAIT_2_TIMEOUT = 14,
    ACKD_CLOSE_TIME_WAIT_EXPIRED = 15,
    ACKD_CLOSE_TIME_WAIT_EVICTED = 16,
    ACKD_CLOSE_TIME_WAIT_REUSED = 17,
    ACKD_CLOSE_ICMP_HARD_ERROR = 18,
    ACKD_CLOSE_NEIGHBOUR_UNREACHABLE = 19,
    ACKD_CLOSE_ADDRESS_REMOVED = 20,
    ACKD_CLOSE_LISTENER_CLOSED = 21,
};

/* Why nothing (more) is being sent right now. */
enum ackd_limit_reason {
    ACKD_LIMIT_UNSPECIFIED = 0,
    ACKD_LIMIT_APPLICATION_IDLE = 1,
    ACKD_LIMIT_HANDSHAKE = 2,
    ACKD_LIMIT_RECEIVE_WINDOW = 3,
    ACKD_LIMIT_ZERO_WINDOW = 4,
    ACKD_LIMIT_CONGESTION_WINDOW = 5,
    ACKD_LIMIT_RECOVERY = 6,
    ACKD_LIMIT_RTO_BACKOFF = 7,
    ACKD_LIMIT_NAGLE = 8,
    ACKD_LIMIT_SILLY_WINDOW = 9,
    ACKD_LIMIT_NEIGHBOUR_PENDING = 10,
    ACKD_LIMIT_LOCAL_DROP = 11,
    ACKD_LIMIT_WAITING_FOR_ACK = 12,
    ACKD_LIMIT_CLOSED = 13,
};

/* Why a segment was sent. */
enum ackd_send_kind {
    ACKD_SEND_KIND_UNSPECIFIED = 0,
    ACKD_SEND_KIND_HANDSHAKE = 1,
    ACKD_SEND_KIND_DATA = 2,
    ACKD_SEND_KIND_ACK = 3,
    ACKD_SEND_KIND_DELAYED_ACK = 4,
    ACKD_SEND_KIND_DUPLICATE_ACK = 5,
    ACKD_SEND_KIND_WINDOW_UPDATE = 6,
    ACKD_SEND_KIND_CHALLENGE_ACK = 7,
    ACKD_SEND_KIND_FIN = 8,
    ACKD_SEND_KIND_RETRANSMIT_RTO = 9,
    ACKD_SEND_KIND_RETRANSMIT_FAST = 10,
    ACKD_SEND_KIND_LIMITED_TRANSMIT = 11,
    ACKD_SEND_KIND_WINDOW_PROBE = 12,
    ACKD_SEND_KIND_KEEPALIVE = 13,
    ACKD_SEND_KIND_RESET = 14,
};

/* Why a frame or packet was dropped before it became a segment. */
enum ackd_net_drop_reason {
    ACKD_NET_DROP_UNSPECIFIED = 0,
    ACKD_NET_DROP_FRAME_TRUNCATED = 1,
    ACKD_NET_DROP_NOT_FOR_US = 2,
    ACKD_NET_DROP_ETHERTYPE_UNKNOWN = 3,
    ACKD_NET_DROP_OFFLOAD_INVALID = 4,
    ACKD_NET_DROP_IP_HEADER_TRUNCATED = 5,
    ACKD_NET_DROP_IP_VERSION = 6,
    ACKD_NET_DROP_IP_HEADER_LENGTH = 7,
    ACKD_NET_DROP_IP_LENGTH = 8,
    ACKD_NET_DROP_IP_CHECKSUM = 9,
    ACKD_NET_DROP_IP_OPTIONS = 10,
    ACKD_NET_DROP_IP_SOURCE_INVALID = 11,
    ACKD_NET_DROP_IP_DESTINATION = 12,
    ACKD_NET_DROP_IP_FRAGMENT = 13,
    ACKD_NET_DROP_IP_PROTOCOL = 14,
    ACKD_NET_DROP_IP_SOURCE_ROUTE = 15,
    ACKD_NET_DROP_IPV6_EXTENSION = 16,
    ACKD_NET_DROP_ARP_MALFORMED = 17,
    ACKD_NET_DROP_ARP_UNSOLICITED = 18,
    ACKD_NET_DROP_ARP_SPOOFED = 19,
    ACKD_NET_DROP_ICMP_TRUNCATED = 20,
    ACKD_NET_DROP_ICMP_CHECKSUM = 21,
    ACKD_NET_DROP_ICMP_TYPE = 22,
    ACKD_NET_DROP_ICMP_QUOTE = 23,
    ACKD_NET_DROP_ICMP_SOURCE_QUENCH = 24,
    ACKD_NET_DROP_ND_INVALID = 25,
    ACKD_NET_DROP_ND_DUPLICATE_ADDRESS = 26,
    ACKD_NET_DROP_NEIGHBOUR_QUEUE_FULL = 27,
    ACKD_NET_DROP_NEIGHBOUR_UNREACHABLE = 28,
    ACKD_NET_DROP_NEIGHBOUR_TABLE_FULL = 29,
    ACKD_NET_DROP_NO_ROUTE = 30,
    ACKD_NET_DROP_ICMP_RATE_LIMITED = 31,
    ACKD_NET_DROP_LOOPBACK_FULL = 32,
    ACKD_NET_DROP_NO_MEMORY = 33,
};

/* Which way a segment went. */
enum ackd_direction {
    ACKD_DIRECTION_UNSPECIFIED = 0,
    ACKD_DIRECTION_IN = 1,
    ACKD_DIRECTION_OUT = 2,
};

/* What an ICMP hard error does (UNSPECIFIED: leave as it is). */
enum ackd_icmp_policy {
    ACKD_ICMP_POLICY_UNSPECIFIED = 0,
    ACKD_ICMP_POLICY_RFC5927 = 1,
    ACKD_ICMP_POLICY_RFC9293 = 2,
    ACKD_ICMP_POLICY_IGNORE = 3,
};

/* What the urgent pointer names (UNSPECIFIED: leave as it is). */
enum ackd_urgent_mode {
    ACKD_URGENT_MODE_UNSPECIFIED = 0,
    ACKD_URGENT_MODE_RFC = 1,
    ACKD_URGENT_MODE_BSD = 2,
};

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
        has_rfc1337, has_ttl, has_dscp;
    bool nodelay; /* Nagle off (RFC 9293 MUST-17) */
    bool sack, timestamps, window_scaling, keepalive;
    bool rfc1337; /* ignore RST in TIME-WAIT */
    uint32_t rcv_buffer_bytes, snd_buffer_bytes;
    uint32_t mss_clamp_bytes; /* 0 = none: never advertise or use a larger MSS */
    uint32_t keepalive_count;
    uint32_t ttl;  /* TTL or hop limit (RFC 9293 MUST-49) */
    uint32_t dscp; /* 0..63 (RFC 9293 MUST-48) */
    int64_t keepalive_idle_ms, keepalive_interval_ms;
    int64_t user_timeout_ms; /* 0 = the default: 15 minutes of retransmissions, 3 minutes for SYN */
    int64_t rto_initial_ms, rto_min_ms, rto_max_ms;
    int64_t delayed_ack_ms; /* 0 = acknowledge at once; under 500 (RFC 9293 MUST-40) */
    int64_t msl_ms;
    int64_t fin_wait_2_ms; /* for connections that nobody holds; 0 = for ever */
    enum ackd_icmp_policy icmp_policy;
    enum ackd_urgent_mode urgent_mode;
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
};

#ifdef __cplusplus
}
#endif

#endif
