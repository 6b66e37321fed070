/* SipHash-c-d, "SipHash: a fast short-input PRF", Aumasson and Bernstein 2012: c rounds for each
 * word of eight bytes (little-endian), d at the end; the last word carries the length in its top
 * byte. */
#include "base/hash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

/* Written out, for in this form compilers see one load. */
static uint64_t load_le64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* Fewer than eight bytes. */
static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << 8 * i;
    }
    return x;
}

/* Inline in every place: a call would cost as much as the round, and move the state through memory.
 */
__attribute__((always_inline)) static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

__attribute__((always_inline)) static inline void sip_rounds(struct sip *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sip_round(s);
    }
}

__attribute__((always_inline)) static inline void sip_word(struct sip *s, uint64_t word, unsigned c)
{
    s->v3 ^= word;
    sip_rounds(s, c);
    s->v0 ^= word;
}

__attribute__((always_inline)) static inline uint64_t
siphash(const struct hash_key *key, const void *data, size_t length, unsigned c, unsigned d)
{
    struct sip s = {
        key->k0 ^ UINT64_C(0x736f6d6570736575), /* "somepseudorandomlygeneratedbytes" */
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *p = data;
    size_t left = length;
    for (; left >= 8; p += 8, left -= 8) {
        sip_word(&s, load_le64(p), c);
    }
    sip_word(&s, (uint64_t)length << 56 | load_le(p, left), c);
    s.v2 ^= 0xff;
    sip_rounds(&s, d);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash24(const struct hash_key *key, const void *data, size_t length)
{
    return siphash(key, data, length, 2, 4);
}

uint64_t siphash13(const struct hash_key *key, const void *data, size_t length)
{
    return siphash(key, data, length, 1, 3);
}
