/* The Internet checksum (RFC 1071): sums of 16-bit words in one's complement, in network order. */
#ifndef ACKD_WIRE_CHECKSUM_H
#define ACKD_WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/addr.h"

/* Adds `length` bytes to a running sum that may begin with 0 or a pseudo-header's sum. All pieces
 * but the last must have an even length. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/* Folds a running sum to 16 bits, not complemented. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Folds and complements: the value for the header field, host order. */
static inline uint16_t checksum_finish(uint64_t sum)
{
    return (uint16_t)~checksum_fold(sum);
}

/* The sum of a pseudo-header (RFC 9293 3.1 for IPv4, RFC 8200 8.1 for IPv6; the family is src's):
 * `length` bytes of upper-layer header and payload. A running sum to go on with. */
uint64_t checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, uint8_t protocol,
                         uint32_t length);

#endif
