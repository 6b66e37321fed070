/* RFC 1071: the sum of 16-bit words in one's complement doesn't depend on the byte order it is
 * computed in, but for a swap at the end, nor on the width of the additions, as long as every carry
 * is added back in. So words of 64 bits are read as they lie, their halves are added where 32
 * carries have room, and only the folded result is put in network order. */
#include "wire/checksum.h"

#include <string.h>

#include "wire/bytes.h"

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length)
{
    const uint8_t *p = data;
    uint64_t low = 0, high = 0;
    for (; length >= 32; p += 32, length -= 32) {
        uint64_t a = load64(p), b = load64(p + 8), c = load64(p + 16), d = load64(p + 24);
        low += (a & 0xffffffff) + (b & 0xffffffff) + (c & 0xffffffff) + (d & 0xffffffff);
        high += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
    }
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t a = load64(p);
        low += a & 0xffffffff;
        high += a >> 32;
    }
    if (length > 0) { /* the rest, padded with zeros; an odd byte is the first of its word */
        uint8_t rest[8] = {0};
        memcpy(rest, p, length);
        uint64_t a = load64(rest);
        low += a & 0xffffffff;
        high += a >> 32;
    }
    uint16_t folded =
        checksum_fold((low & 0xffffffff) + (low >> 32) + (high & 0xffffffff) + (high >> 32));
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
