/* The MACs of the MD5 signature option (RFC 2385) and of TCP-AO (RFC 5925, 5926), and the traffic
 * keys of the latter. Pure computation. */
#ifndef ACKD_TCP_AUTH_MAC_H
#define ACKD_TCP_AUTH_MAC_H

#include "tcp/keys.h"

#define MD5_MAC 16u
#define AO_MAC 12u
#define AO_TRAFFIC_KEY_MAX 20u

/* A segment as a MAC covers it: one direction, the header as on the wire with any checksum. */
struct mac_segment {
    struct ip_addr src, dst;
    const uint8_t *header;
    uint32_t header_len;
    uint32_t mac_at; /* of the MAC in the header (TCP-AO): taken as zero */
    const struct tcp_range *range;
    unsigned n_ranges;
    uint32_t payload_len; /* the sum of the ranges */
};

/* One direction of a connection (RFC 5925 section 5.2). */
struct ao_context {
    struct ip_addr src, dst;
    uint16_t sport, dport;
    tcp_seq src_isn, dst_isn;
};

/* md5.c */
void md5_mac(const uint8_t *key, size_t length, const struct mac_segment *s, uint8_t mac[MD5_MAC]);

/* ao.c; `algorithm` is one of TCP-AO's. Octets of its traffic keys: */
uint8_t ao_traffic_key_length(enum tcp_key_algorithm algorithm);
void ao_traffic_key(enum tcp_key_algorithm algorithm, const uint8_t *master, size_t length,
                    const struct ao_context *context, uint8_t key[AO_TRAFFIC_KEY_MAX]);
void ao_mac(enum tcp_key_algorithm algorithm, const uint8_t *traffic_key, bool exclude_options,
            uint32_t sne, const struct mac_segment *s, uint8_t mac[AO_MAC]);

/* The pseudo-header as the checksum has it: 12 or 40 octets. */
uint32_t mac_pseudo_header(const struct mac_segment *s, uint8_t out[40]);
/* The fixed header with a checksum of zero. */
void mac_fixed_header(const struct mac_segment *s, uint8_t out[TCP_HEADER_MIN]);

#endif
