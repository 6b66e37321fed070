/* The MD5 signature option (RFC 2385 section 2.0): the digest of pseudo-header, fixed header with a
 * checksum of zero, text, and the key itself at the end. Options are not covered. Obsolete by
 * RFC 5925, and still what many BGP peers speak. */
#include "tcp/auth/mac.h"

#include <nettle/md5.h>
#include <string.h>

#include "wire/bytes.h"
#include "wire/ipv4.h"

uint32_t mac_pseudo_header(const struct mac_segment *s, uint8_t out[40])
{
    uint32_t length = s->header_len + s->payload_len;
    memset(out, 0, 40);
    if (ip_addr_is_v4(&s->src)) {
        memcpy(out, s->src.b + 12, 4);
        memcpy(out + 4, s->dst.b + 12, 4);
        out[9] = IP_PROTOCOL_TCP;
        put16(out + 10, (uint16_t)length);
        return 12;
    }
    memcpy(out, s->src.b, 16);
    memcpy(out + 16, s->dst.b, 16);
    put32(out + 32, length);
    out[39] = IP_PROTOCOL_TCP;
    return 40;
}

void mac_fixed_header(const struct mac_segment *s, uint8_t out[TCP_HEADER_MIN])
{
    memcpy(out, s->header, TCP_HEADER_MIN);
    out[16] = out[17] = 0;
}

void md5_mac(const uint8_t *key, size_t length, const struct mac_segment *s, uint8_t mac[MD5_MAC])
{
    struct md5_ctx md5;
    uint8_t pseudo[40], fixed[TCP_HEADER_MIN];
    mac_fixed_header(s, fixed);
    md5_init(&md5);
    md5_update(&md5, mac_pseudo_header(s, pseudo), pseudo);
    md5_update(&md5, sizeof fixed, fixed);
    for (unsigned i = 0; i < s->n_ranges; i++) {
        md5_update(&md5, s->range[i].length, s->range[i].data);
    }
    md5_update(&md5, length, key);
    md5_digest(&md5, MD5_MAC, mac);
    explicit_bzero(&md5, sizeof md5);
}
