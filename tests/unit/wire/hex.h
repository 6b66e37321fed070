/* Bytes for tests, in allocations of exactly their length: a read past the end is an error under
 * AddressSanitizer. */
#ifndef TEST_HEX_H
#define TEST_HEX_H

#include "../base/cmocka_all.h"
#include "base/rng.h"

struct bytes {
    uint8_t *at;
    size_t n;
};

static inline struct bytes copy_of(const void *data, size_t n)
{
    struct bytes b = {malloc(n > 0 ? n : 1), n};
    if (n == 0) { /* no byte of it may be read */
        free(b.at);
        return (struct bytes){(uint8_t *)"" + 1, 0};
    }
    memcpy(b.at, data, n);
    return b;
}

static inline void free_bytes(struct bytes b)
{
    if (b.n > 0) {
        free(b.at);
    }
}

/* From hexadecimal digits; blanks don't count. */
static inline struct bytes hex(const char *text)
{
    uint8_t data[4096];
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ') {
            continue;
        }
        unsigned digit = (unsigned)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
        assert_true(digit < 16 && digits / 2 < sizeof data);
        data[digits / 2] = (uint8_t)(digits % 2 == 0 ? digit << 4 : data[digits / 2] | digit);
        digits++;
    }
    assert_true(digits % 2 == 0);
    return copy_of(data, digits / 2);
}

static inline void fill_random(struct rng *rng, void *data, size_t n)
{
    uint8_t *p = data;
    while (n-- > 0) {
        *p++ = (uint8_t)rng_u32(rng);
    }
}

#endif
