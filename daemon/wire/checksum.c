/* RFC 1071: the sum of 16-bit words in one's complement doesn't depend on the byte order it is
 * computed in, but for a swap at the end, nor on the width of the additions, as long as every carry
 * is added back in. So the bulk is added as it lies, in vectors, whose words of 64 bits are cut in
 * halves, so that 2^32 additions find room for their carries; what is left in words of 64 bits with
 * the carry added; and only the folded result is put in network order. */
#include "wire/checksum.h"

#include <string.h>

#include "wire/bytes.h"

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

/* Two words of 64 bits; a compiler makes of it what the processor has. */
typedef uint64_t vector __attribute__((vector_size(16)));

static vector load_vector(const uint8_t *p)
{
    vector x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* In one's complement: the carry comes back in. */
static uint64_t add64(uint64_t sum, uint64_t x)
{
    sum += x;
    return sum + (sum < x);
}

/* `length` is a multiple of 32. */
static uint64_t add_bulk(const uint8_t *p, size_t length)
{
    const vector half = {0xffffffff, 0xffffffff};
    vector low = {0}, high = {0};
    for (const uint8_t *end = p + length; p < end; p += 32) {
        vector a = load_vector(p), b = load_vector(p + 16);
        low += (a & half) + (b & half);
        high += (a >> 32) + (b >> 32);
    }
    low += high;
    return add64(low[0], low[1]);
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length)
{
    const uint8_t *p = data, *end = p + length;
    uint64_t words = 0;
    if (length >= 32) {
        size_t bulk = length & ~(size_t)31;
        words = add_bulk(p, bulk);
        p += bulk;
    }
    for (; end - p >= 8; p += 8) {
        words = add64(words, load64(p));
    }
    if (p < end) { /* the rest, padded with zeros; an odd byte is the first of its word */
        uint8_t rest[8] = {0};
        memcpy(rest, p, (size_t)(end - p));
        words = add64(words, load64(rest));
    }
    uint16_t folded = checksum_fold(words);
    uint8_t bytes[2];
    memcpy(bytes, &folded, 2);
    return sum + get16(bytes);
}

uint64_t checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
                         uint32_t length)
{
    uint64_t sum = (uint64_t)protocol + (length >> 16) + (length & 0xffff);
    size_t skip = ip_addr_is_v4(src) ? 12 : 0;
    sum = checksum_add(sum, src->b + skip, 16 - skip);
    return checksum_add(sum, dst->b + skip, 16 - skip);
}
