/* Keys that authenticate segments (RFC 2385, 5925), as the engine's user sees them: a table of the
 * whole engine, from which connections take what fits their tuple when they begin. The octets of a
 * key go in and never come out. */
#ifndef ACKD_TCP_KEYS_H
#define ACKD_TCP_KEYS_H

#include "tcp/tcp.h"

#define TCP_KEY_OCTETS_MAX 80u /* as Linux */

enum tcp_key_algorithm {
    TCP_KEY_NONE,
    TCP_KEY_MD5,          /* the MD5 signature option (RFC 2385) */
    TCP_KEY_HMAC_SHA1_96, /* TCP-AO (RFC 5925) with the algorithms of RFC 5926 */
    TCP_KEY_AES_128_CMAC_96,
    TCP_KEY_ALGORITHMS
};

/* A master key tuple (RFC 5925 section 3.1) without its octets. */
struct tcp_key {
    uint64_t number;                  /* given by the engine: counts from 1, never reused */
    struct ip_prefix remote;          /* peers */
    struct ip_addr local;             /* none: any */
    uint16_t local_port, remote_port; /* 0: any */
    enum tcp_key_algorithm algorithm;
    uint8_t send_id, receive_id; /* SendID and RecvID; not of MD5 */
    bool exclude_options;        /* the MAC does not cover the other options; not of MD5 */
    uint32_t connections;        /* that hold traffic keys made from it; set by tcp_key_list() */
};

/* -EINVAL (*field says what); -EEXIST: overlaps another key's peers and ports with the same id, or
 * with the other kind of option (RFC 5925 section 3.1); -ENOBUFS at max_keys. */
int tcp_key_add(struct tcp_engine *engine, const struct tcp_key *key, const uint8_t *octets,
                size_t length, uint64_t *number, const char **field);
/* -ENOENT; -EBUSY while a connection has it as its current key or asks the peer for it, unless
 * `force`: then such a connection goes over to another key that fits, or ends with KEY_REMOVED. */
int tcp_key_remove(struct tcp_engine *engine, ackd_time now, uint64_t number, bool force);
/* Which key a connection signs with, and which it asks its peer to sign with (current_key and
 * rnext_key, RFC 5925 section 7.1); 0 leaves it. -EBADF, -ENOTCONN: the connection does not use
 * TCP-AO; -ENOENT, -EINVAL: the key is not for it. */
int tcp_key_use(struct tcp_engine *engine, ackd_time now, uint64_t id, uint64_t current,
                uint64_t next);
/* Copies up to `max` keys with numbers above `after`, in their order; returns how many. */
unsigned tcp_key_list(const struct tcp_engine *engine, uint64_t after, struct tcp_key *out,
                      unsigned max);

#endif
