/* The input of a target as a stream of small numbers; at its end it gives zeros. */
#ifndef TEST_FUZZ_BYTES_H
#define TEST_FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *at;
    size_t left;
};

static inline bool bytes_more(const struct bytes *b)
{
    return b->left > 0;
}

static inline uint8_t take_u8(struct bytes *b)
{
    if (b->left == 0) {
        return 0;
    }
    b->left--;
    return *b->at++;
}

static inline uint16_t take_u16(struct bytes *b)
{
    uint16_t high = take_u8(b);
    return (uint16_t)(high << 8 | take_u8(b));
}

static inline uint32_t take_u32(struct bytes *b)
{
    uint32_t high = take_u16(b);
    return high << 16 | take_u16(b);
}

#endif
