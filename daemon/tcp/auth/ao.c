/* The algorithms of TCP-AO (RFC 5926): each gives a key derivation, which makes from a master key
 * and one direction of a connection its traffic key, and a MAC, cut to 96 bits.
 *
 * A MAC covers the sequence number's extension, the pseudo-header, the header with its options (or
 * of them TCP-AO alone) and the text; the checksum and the MAC itself count as zero (RFC 5925
 * section 5.1). */
#include "tcp/auth/mac.h"

#include <nettle/cmac.h>
#include <nettle/hmac.h>
#include <string.h>

#include "wire/bytes.h"

#define AES_KEY 16u

/* Either algorithm under way. */
struct prf {
    enum tcp_key_algorithm algorithm;
    union {
        struct hmac_sha1_ctx hmac;
        struct cmac_aes128_ctx cmac;
    } u;
};

uint8_t ao_traffic_key_length(enum tcp_key_algorithm algorithm)
{
    return algorithm == TCP_KEY_HMAC_SHA1_96 ? SHA1_DIGEST_SIZE : AES_KEY;
}

static void prf_begin(struct prf *p, enum tcp_key_algorithm algorithm, const uint8_t *key,
                      size_t length)
{
    p->algorithm = algorithm;
    if (algorithm == TCP_KEY_HMAC_SHA1_96) {
        hmac_sha1_set_key(&p->u.hmac, length, key);
    } else {
        cmac_aes128_set_key(&p->u.cmac, key);
    }
}

static void prf_add(struct prf *p, size_t length, const uint8_t *octets)
{
    if (p->algorithm == TCP_KEY_HMAC_SHA1_96) {
        hmac_sha1_update(&p->u.hmac, length, octets);
    } else {
        cmac_aes128_update(&p->u.cmac, length, octets);
    }
}

static void prf_end(struct prf *p, size_t length, uint8_t *out)
{
    if (p->algorithm == TCP_KEY_HMAC_SHA1_96) {
        hmac_sha1_digest(&p->u.hmac, length, out);
    } else {
        cmac_aes128_digest(&p->u.cmac, length, out);
    }
    explicit_bzero(p, sizeof *p);
}

static uint32_t put_addr(uint8_t *out, const struct ip_addr *a)
{
    uint32_t n = ip_addr_is_v4(a) ? 4 : 16;
    memcpy(out, a->b + 16 - n, n);
    return n;
}

/* RFC 5926 section 3.1.1: i || Label || Context || Output_Length, of which one block is enough. */
static uint32_t kdf_input(uint8_t *out, const struct ao_context *c, unsigned bits)
{
    static const uint8_t label[] = {1, 'T', 'C', 'P', '-', 'A', 'O'};
    memcpy(out, label, sizeof label);
    uint32_t n = sizeof label;
    n += put_addr(out + n, &c->src);
    n += put_addr(out + n, &c->dst);
    put16(out + n, c->sport);
    put16(out + n + 2, c->dport);
    put32(out + n + 4, c->src_isn.v);
    put32(out + n + 8, c->dst_isn.v);
    put16(out + n + 12, (uint16_t)bits);
    return n + 14;
}

void ao_traffic_key(enum tcp_key_algorithm algorithm, const uint8_t *master, size_t length,
                    const struct ao_context *context, uint8_t key[AO_TRAFFIC_KEY_MAX])
{
    static const uint8_t zero[AES_KEY];
    uint8_t input[64], block[AES_KEY];
    uint8_t out = ao_traffic_key_length(algorithm);
    struct prf p;
    if (algorithm == TCP_KEY_AES_128_CMAC_96 && length != AES_KEY) { /* section 3.1.1.2 */
        prf_begin(&p, algorithm, zero, AES_KEY);
        prf_add(&p, length, master);
        prf_end(&p, AES_KEY, block);
        master = block;
        length = AES_KEY;
    }
    prf_begin(&p, algorithm, master, length);
    prf_add(&p, kdf_input(input, context, out * 8u), input);
    prf_end(&p, out, key);
    explicit_bzero(block, sizeof block);
}

void ao_mac(enum tcp_key_algorithm algorithm, const uint8_t *traffic_key, bool exclude_options,
            uint32_t sne, const struct mac_segment *s, uint8_t mac[AO_MAC])
{
    uint8_t pseudo[40], fixed[TCP_HEADER_MIN], extension[4];
    static const uint8_t zero[AO_MAC];
    struct prf p;
    uint32_t from = exclude_options ? s->mac_at - 4 : TCP_HEADER_MIN, after = s->mac_at + AO_MAC;
    mac_fixed_header(s, fixed);
    put32(extension, sne);
    prf_begin(&p, algorithm, traffic_key, ao_traffic_key_length(algorithm));
    prf_add(&p, sizeof extension, extension);
    prf_add(&p, mac_pseudo_header(s, pseudo), pseudo);
    prf_add(&p, sizeof fixed, fixed);
    prf_add(&p, s->mac_at - from, s->header + from);
    prf_add(&p, AO_MAC, zero);
    if (!exclude_options) {
        prf_add(&p, s->header_len - after, s->header + after);
    }
    for (unsigned i = 0; i < s->n_ranges; i++) {
        prf_add(&p, s->range[i].length, s->range[i].data);
    }
    prf_end(&p, AO_MAC, mac);
}
