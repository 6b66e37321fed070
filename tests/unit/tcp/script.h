/* Scripts of segments for the engine in virtual time: the test is the peer. The notation is
 * packetdrill's, one segment a string:
 *
 *     "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>"
 *     ". 1:1001(1000) ack 1 win 500"       flags from "CEUAPRSF" letters, '.' is ACK
 *     ". 1:1(0) ack 1 <raw 0101fd04aaaa>"   options as they come (the peer's only)
 *
 * and before it, where it matters, the ECN field of the IP header: "[ce] ", "[ect0] ", "[ect1] ",
 * "[noecn] ". 'e' among the flags is AE.
 *
 * Sequence numbers are relative to the initial ones of the side that sends, acknowledgments to the
 * other's. A segment that is expected may leave out win, urg and <...>: then they are not compared.
 */
#ifndef ACKD_TESTS_SCRIPT_H
#define ACKD_TESTS_SCRIPT_H

#include "tcp/tcp.h"

#define PEER_ISS 1000000u
#define LOCAL_PORT 80
#define PEER_PORT 5000

/* What all scripts of this program produced: every reason must have been seen by the end. */
struct script_seen {
    uint64_t drops[TCP_DROPS], rsts_sent[TCP_RST_SENTS], rsts_received[TCP_RST_RECEIVEDS],
        closes[TCP_CLOSES], limits[TCP_LIMITS], kinds[TCP_KINDS];
};
extern struct script_seen script_seen;

/* The groups of the test_*.c files; each returns the number of failures. */
int states_tests(void);
int transfer_tests(void);
int pacing_tests(void);
int handshake_tests(void);
int windows_tests(void);
int user_calls_tests(void);
int recovery_tests(void);
int time_wait_tests(void);
int accounting_tests(void);
int auth_tests(void);

struct script;

/* How the peer signs its segments, and what it thinks of the engine's (tests/unit/tcp/auth). */
struct script_signer {
    void (*option)(struct script *s, struct tcp_opts *o);
    void (*sign)(struct script *s, uint8_t *segment, uint32_t length);
    void (*verify)(struct script *s, const struct tcp_tx *tx);
};

struct script {
    struct arena *arena;
    struct tcp_engine *engine;
    struct tcp_options options;
    ackd_time now;
    uint64_t listener, id; /* of the connection under test */
    struct tcp_tuple tuple;
    uint32_t local_iss, peer_iss;
    uint32_t peer_ts;   /* TSval of segments that carry timestamps without saying one */
    uint32_t engine_ts; /* last TSval of the engine */
    bool timestamps;
    bool unchecked;                     /* tcp_check() looks at every record: too long for many */
    unsigned ready;                     /* TCP_READY_* of the connection since script_ready() */
    const struct script_signer *signer; /* NULL: segments are not signed */
    uint32_t mtu;
    uint8_t tos;       /* of the segments that the peer sends */
    uint16_t gso_size; /* of the merged frame that it sends next */
    struct {
        uint8_t tos, ttl;
        bool doubtful;
    } sent; /* beside the last segment of the engine */
};

/* A fresh engine at time 1 s; `adjust` may change the configuration, NULL for the defaults (with
 * the delayed ACK off and quick, so that ACKs are immediate, and with NewReno). */
void script_begin(struct script *s, void (*adjust)(struct tcp_config *));
void script_end(struct script *s);

/* The peer sends. */
void script_inject(struct script *s, const char *segment);
void script_inject_bytes(struct script *s, const uint8_t *tcp, uint32_t length, bool checksum_ok);
/* The engine sends exactly this next. */
void script_expect_(struct script *s, const char *segment, const char *file, int line);
#define script_expect(s, segment) script_expect_(s, segment, __FILE__, __LINE__)
/* The engine sends nothing. */
void script_quiet_(struct script *s, const char *file, int line);
#define script_quiet(s) script_quiet_(s, __FILE__, __LINE__)
/* Throws away what the engine sends now; returns how many segments. */
unsigned script_discard(struct script *s);

/* Lets time pass, timer by timer; what is sent meanwhile stays in the engine until asked for only
 * at the end: use steps. */
void script_advance_ms(struct script *s, int64_t ms);

void script_listen(struct script *s, uint32_t backlog);
uint64_t script_accept(struct script *s);
/* LISTEN, handshake, accept: ESTABLISHED, `options` as in the peer's SYN ("mss 1460,sackOK"). */
void script_passive(struct script *s, const char *options);
/* The same with a round trip of `ms`. */
void script_passive_rtt(struct script *s, const char *options, int64_t ms);
/* OPEN up to ESTABLISHED. */
void script_active(struct script *s, const char *options);
void script_open(struct script *s);

/* The user changes options of the connection. */
void script_tune(struct script *s, void (*change)(struct tcp_options *));
void script_send(struct script *s, uint32_t bytes, unsigned flags);
/* Reads everything and returns how many bytes; checks the pattern of injected data. */
uint32_t script_read(struct script *s);
enum tcp_state script_state(struct script *s);
struct tcp_info script_info(struct script *s);
unsigned script_ready(struct script *s);
const struct tcp_counters *script_counters(const struct script *s);

#endif
