/* Authenticated segments (RFC 2385, 5925), for the engine's files: keys.c has the table of keys,
 * auth.c what a connection does with them, ao.c and md5.c the algorithms. */
#ifndef ACKD_TCP_AUTH_AUTH_H
#define ACKD_TCP_AUTH_AUTH_H

#include "base/list.h"
#include "tcp/auth/mac.h"
#include "tcp/keys.h"

struct timed;
struct rec;
struct segment;
struct control_segment;
struct negotiated;

#define KEY_BUCKETS 256u

/* A master key tuple. */
struct auth_key {
    struct tcp_key v;
    struct list link; /* of its bucket, or of those for whole prefixes */
    struct list all;  /* in order of numbers */
    struct list uses; /* auth_use.link */
    uint8_t length;
    uint8_t octets[TCP_KEY_OCTETS_MAX];
};

/* Of the engine. */
struct auth_keys {
    struct list all, prefixes;
    struct list *hosts; /* KEY_BUCKETS by the peer's address; NULL before the first key */
    uint32_t count;
    uint64_t last_number;
};

/* A key as one connection uses it: the traffic keys of both directions, once they were needed. */
struct auth_use {
    struct list link;
    struct auth_key *key; /* NULL: free */
    struct auth *auth;
    bool have_send, have_receive;
    uint8_t send[AO_TRAFFIC_KEY_MAX], receive[AO_TRAFFIC_KEY_MAX];
};

/* The upper half of a sequence number that does not wrap (RFC 5925 section 6.2). */
struct sne {
    uint32_t upper;
    tcp_seq at;
};

#define AUTH_USES 3u /* current_key, rnext_key, and one of a rollover that is under way */

/* What belongs to a connection through all its records, half-open to TIME-WAIT. */
struct auth {
    uint64_t id; /* the connection's */
    tcp_seq iss, irs;
    struct sne snd, rcv;
    bool irs_known;
    uint8_t option_length; /* octets that the option takes in every header */
    uint8_t current, next; /* current_key, rnext_key: indices of use[] */
    uint64_t failures;     /* segments discarded because of it */
    uint64_t key_changes;  /* of current_key, by the peer */
    struct auth_use use[AUTH_USES];
};

/* All that it takes to sign one segment. */
struct auth_signature {
    uint8_t algorithm, send_id, next_id; /* enum tcp_key_algorithm; NONE: it is not signed */
    bool exclude_options;
    uint8_t length;
    uint32_t sne;
    uint8_t key[TCP_KEY_OCTETS_MAX];
};

/* Moves on to `seq`, if that is later: by less than half the space at a time. */
static inline void sne_advance(struct sne *s, tcp_seq seq)
{
    if (seq_gt(seq, s->at)) {
        s->upper += seq.v < s->at.v;
        s->at = seq;
    }
}

/* The extension of a sequence number within half the space of where it is. */
static inline uint32_t sne_of(const struct sne *s, tcp_seq seq)
{
    uint64_t at = (uint64_t)s->upper << 32 | s->at.v;
    return (uint32_t)((at + (uint64_t)(int64_t)(int32_t)(seq.v - s->at.v)) >> 32);
}

/* ---- keys.c */
enum key_wanted { KEY_ANY, KEY_MD5, KEY_BY_RECEIVE_ID, KEY_BY_SEND_ID };
void keys_init(struct tcp_engine *e);
void keys_free(struct tcp_engine *e);
/* The key for the tuple with this id, NULL: of several the one for the fewest peers, then the
 * oldest. */
struct auth_key *keys_find(const struct tcp_engine *e, const struct tcp_tuple *t,
                           enum key_wanted wanted, uint8_t id);
/* How specifically the key fits the tuple, 0: not. */
unsigned key_fit(const struct auth_key *k, const struct tcp_tuple *t);

/* ---- auth.c */
/* A connection that begins with `key`; NULL: no memory. For MD5 timestamps give way to SACK. */
struct auth *auth_new(struct tcp_engine *e, uint64_t id, struct auth_key *key, tcp_seq iss,
                      struct negotiated *nego);
void auth_free(struct tcp_engine *e, struct timed *t);
/* The place of a key among those in use, made if need be. */
uint8_t auth_use_of(struct auth *a, struct auth_key *key);
void auth_use_drop(struct auth_use *u);
/* May the segment go on? `r` is its record, or NULL. Else s->drop says why not. */
bool auth_input(struct tcp_engine *e, struct rec *r, struct segment *s);
/* Makes the connection that s, a SYN, asks for use the key that it was verified with. False: no
 * memory. */
bool auth_begin(struct tcp_engine *e, struct timed *t, const struct segment *s, tcp_seq iss,
                struct negotiated *nego);
/* A segment of `t` with these flags will begin at `seq`. */
void auth_signature(struct timed *t, tcp_seq seq, uint16_t flags, struct auth_signature *out);
/* Signs what belongs to `t`. Without memory it is not sent, *cs is NULL. */
void auth_control(struct tcp_engine *e, struct timed *t, struct control_segment **cs);
/* The same for an answer to s, whether or not there is a record. */
void auth_answer(struct tcp_engine *e, const struct segment *s, struct control_segment **cs);
/* The option, its MAC still zero; and the MAC, once the header is complete but for the checksum. */
void auth_option(const struct auth_signature *sig, struct tcp_opts *o);
void auth_seal(const struct auth_signature *sig, struct tcp_tx *tx);

#endif
