/* TCP Fast Open (RFC 7413): data in the SYN. fast_open.c has the cookie and the client's side,
 * fast_open_server.c the listener's. */
#ifndef ACKD_TCP_FAST_OPEN_H
#define ACKD_TCP_FAST_OPEN_H

#include "base/hash.h"
#include "base/time.h"
#include "wire/tcp.h"

#define FAST_OPEN_COOKIE 8u /* bytes of those that we make */

struct tcp_engine;
struct tcp_tuple;
struct tcb;
struct listener;
struct segment;
struct control_segment;

enum {                        /* tcb.fast_open */
       FAST_OPEN_ASKED = 1,   /* by the user of an active OPEN */
       FAST_OPEN_OPTION = 2,  /* our SYN carried the option */
       FAST_OPEN_DATA = 4,    /* our SYN carried data */
       FAST_OPEN_TAKEN = 8,   /* data of a SYN were taken: ours by the peer, or the peer's by us */
       FAST_OPEN_CHILD = 16,  /* made by a SYN, its handshake is not through */
       FAST_OPEN_RESENT = 32, /* our SYN was sent again */
};

/* The secret of a listener's cookies, or of all that have none of their own. */
struct fast_open_keys {
    struct hash_key key[2]; /* what cookies are made with; what they were made with before */
    unsigned n;
    bool fixed; /* set by the operator: never changed here */
    ackd_time made;
};

/* What a SYN that asks for a listener gets. */
enum fast_open_verdict {
    FAST_OPEN_PLAIN,  /* a handshake as if it had not asked */
    FAST_OPEN_GRANT,  /* a handshake that brings it a cookie */
    FAST_OPEN_ACCEPT, /* a connection at once */
};

/* ---- fast_open.c */
void fast_open_init(struct tcp_engine *e, ackd_time now);
/* The keys of a listener's cookies, changed when their time has come. */
const struct fast_open_keys *fast_open_keys_of(struct tcp_engine *e, const struct listener *l,
                                               ackd_time now);
/* The listener has none of its own any more. */
void fast_open_forget(struct tcp_engine *e, struct listener *l);
/* The cookie of t->remote towards t->local under one of the keys. */
void fast_open_cookie(const struct hash_key *key, const struct tcp_tuple *t,
                      uint8_t cookie[FAST_OPEN_COOKIE]);
/* Octets of the send buffer that the first SYN of `c` carries. */
uint32_t fast_open_syn_length(const struct tcp_engine *e, const struct tcb *c, ackd_time now);
/* The option of the first SYN of `c`, which carries `length` octets. */
void fast_open_syn_option(struct tcp_engine *e, struct tcb *c, ackd_time now, uint32_t length,
                          struct tcp_opts *o);
/* The peer's answer acknowledged our SYN, and with it what s->h.ack says. */
void fast_open_answered(struct tcp_engine *e, struct tcb *c, const struct segment *s);

/* ---- fast_open_server.c */
enum fast_open_verdict fast_open_judge(struct tcp_engine *e, struct listener *l,
                                       const struct segment *s);
/* FAST_OPEN_ACCEPT: false without memory, then the handshake goes the long way. */
bool fast_open_accept(struct tcp_engine *e, struct listener *l, struct segment *s);
/* The option that grants a cookie. */
void fast_open_grant(struct tcp_engine *e, const struct listener *l, ackd_time now,
                     struct control_segment *cs, bool experimental);
/* The handshake of a connection that was made by a SYN is through, or it ended before. */
void fast_open_settled(struct tcp_engine *e, struct tcb *c, ackd_time now, bool reset);

#endif
