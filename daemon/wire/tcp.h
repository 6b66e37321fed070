/* The TCP header and its options (RFC 9293 section 3.1, 3.2), as the wire has them. Pure: bytes in,
 * struct out and back. */
#ifndef ACKD_WIRE_TCP_H
#define ACKD_WIRE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"
#include "wire/seq.h"

#define TCP_HEADER_MIN 20u
#define TCP_HEADER_MAX 60u
#define TCP_SACK_BLOCKS_MAX 4u
#define TCP_MAC_AT (TCP_HEADER_MIN + 4u) /* where tcp_opts_build() puts a MAC */
#define TCP_OPT_MD5_LENGTH 18u
#define TCP_OPT_AO_LENGTH 16u /* of the 96-bit MACs (RFC 5926) */

/* The control bits, with AE (RFC 9768) as bit 8. */
enum {
    TCP_FIN = 0x001,
    TCP_SYN = 0x002,
    TCP_RST = 0x004,
    TCP_PSH = 0x008,
    TCP_ACK = 0x010,
    TCP_URG = 0x020,
    TCP_ECE = 0x040,
    TCP_CWR = 0x080,
    TCP_AE = 0x100,
};

/* option kinds, IANA */
enum {
    TCP_OPT_EOL = 0,
    TCP_OPT_NOP = 1,
    TCP_OPT_MSS = 2,
    TCP_OPT_WSCALE = 3,
    TCP_OPT_SACK_PERMITTED = 4,
    TCP_OPT_SACK = 5,
    TCP_OPT_TIMESTAMPS = 8,
    TCP_OPT_MD5 = 19,
    TCP_OPT_USER_TIMEOUT = 28,
    TCP_OPT_AO = 29,
    TCP_OPT_FAST_OPEN = 34,
    TCP_OPT_ACCECN0 = 172,
    TCP_OPT_ACCECN1 = 174,
    TCP_OPT_EXPERIMENT = 254, /* RFC 6994; of its kinds we know 0xf989, Fast Open */
};

struct tcp_hdr {
    uint16_t sport, dport;
    tcp_seq seq, ack;
    uint8_t header_len; /* data offset in bytes, 20..60 */
    uint8_t reserved;   /* the three reserved bits, 0..7 (the fourth is AE) */
    uint16_t flags;     /* TCP_FIN .. TCP_AE */
    uint16_t window;    /* as on the wire, unscaled */
    uint16_t checksum;
    uint16_t urgent;
};

struct tcp_sack_block {
    tcp_seq start, end; /* [start, end) */
};

struct tcp_opts {
    bool has_mss, has_wscale, sack_permitted, has_timestamps, has_user_timeout, has_fast_open,
        has_accecn, has_md5, has_ao;
    bool malformed; /* an illegal length ended the parse; what came before it counts (MUST-7) */
    uint16_t mss;
    uint8_t wscale; /* as on the wire; RFC 7323 2.3 caps its use at 14 */
    uint32_t tsval, tsecr;
    uint8_t n_sack;
    struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
    uint16_t user_timeout; /* granularity bit and 15 bits, RFC 5482 */
    uint8_t fast_open_len; /* cookie bytes; 0 with has_fast_open is a request */
    const uint8_t *fast_open;
    bool fast_open_experimental; /* in the form of RFC 7413 section 7.1 */
    bool accecn_order1;          /* kind 174: ECT(1), CE, ECT(0); else 172: ECT(0), CE, ECT(1) */
    uint8_t accecn_fields;       /* 0..3 of them */
    uint32_t accecn[3];          /* octets modulo 2^24, RFC 9768 section 3.2.3 */
    const uint8_t *mac;          /* of has_md5 (16 octets) or has_ao, the first of them that came */
    uint8_t mac_len;             /* read from TCP-AO: what its length leaves */
    uint8_t ao_key_id, ao_next_id; /* KeyID, RNextKeyID */
    const uint8_t *raw;            /* all option bytes and their count */
    uint8_t raw_len;
};

/* Reads the fixed header. False when `length` < 20 or the data offset is under 5 words or past
 * `length`; header_len then still holds what the header claims. */
bool tcp_hdr_parse(const uint8_t *bytes, size_t length, struct tcp_hdr *out);

/* Reads the options of a header that tcp_hdr_parse() accepted. Unknown kinds are skipped by their
 * length (MUST-6); an option may stand at any offset (MUST-64); the first of two equal options
 * counts. Never fails: see `malformed`. */
void tcp_opts_parse(const uint8_t *bytes, const struct tcp_hdr *hdr, struct tcp_opts *out);

/* Writes the 20 fixed bytes; checksum as given. */
void tcp_hdr_build(uint8_t bytes[TCP_HEADER_MIN], const struct tcp_hdr *hdr);

/* Writes the options that `opts` asks for into at most 40 bytes, in Linux's order and padding: SYN:
 * mss, sackOK, TS (or nop nop sackOK), nop wscale, fast open filled up with nops; else: nop nop TS,
 * nop nop sack (as many blocks as fit), user timeout (left out where even that finds no room),
 * AccECN (as many fields as find room). Before all of them nop nop MD5, or TCP-AO, so that the MAC
 * stands at TCP_MAC_AT of the header; without `mac` it is zero. The rest is zero (MUST-69). Returns
 * the length, a multiple of 4. */
uint8_t tcp_opts_build(uint8_t bytes[40], const struct tcp_opts *opts);

/* The pseudo-header's sum (RFC 9293 3.1, RFC 8200 8.1), not complemented: what a device with
 * checksum offload wants in the field. `length` is header and payload. */
uint16_t tcp_pseudo_sum(const struct ip_addr *src, const struct ip_addr *dst, uint32_t length);

/* "SA", "S.", "SYN,ACK", "CEUAPRSF" columns with dots, "-" or "none": any usual spelling to bits;
 * false when it is none. "AE" alone is the bit of that name; ACK with ECE is "EA". */
bool tcp_flags_parse(const char *text, uint16_t *flags);
/* The eight-column form "CEUAPRSF" with '.' for a clear bit, nine with a leading 'e' when AE is
 * set. */
char *tcp_flags_format(uint16_t flags, char text[10]);

#endif
