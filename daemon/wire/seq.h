/* Sequence numbers: 32 bits that wrap (RFC 9293 section 3.4). A type of its own, compared only
 * here. The comparisons hold for numbers less than 2^31 apart. */
#ifndef ACKD_WIRE_SEQ_H
#define ACKD_WIRE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t v;
} tcp_seq;

static inline tcp_seq seq_of(uint32_t v)
{
    return (tcp_seq){v};
}
static inline tcp_seq seq_add(tcp_seq s, uint32_t n)
{
    return (tcp_seq){s.v + n};
}
static inline tcp_seq seq_sub(tcp_seq s, uint32_t n)
{
    return (tcp_seq){s.v - n};
}
/* a - b, positive when a is later. */
static inline int32_t seq_diff(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v);
}
/* a - b where a is known not to be before b. */
static inline uint32_t seq_dist(tcp_seq a, tcp_seq b)
{
    return a.v - b.v;
}
static inline bool seq_eq(tcp_seq a, tcp_seq b)
{
    return a.v == b.v;
}
static inline bool seq_lt(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) < 0;
}
static inline bool seq_le(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a.v - b.v) <= 0;
}
static inline bool seq_gt(tcp_seq a, tcp_seq b)
{
    return seq_lt(b, a);
}
static inline bool seq_ge(tcp_seq a, tcp_seq b)
{
    return seq_le(b, a);
}
static inline tcp_seq seq_min(tcp_seq a, tcp_seq b)
{
    return seq_lt(a, b) ? a : b;
}
static inline tcp_seq seq_max(tcp_seq a, tcp_seq b)
{
    return seq_lt(a, b) ? b : a;
}
/* lo =< s < lo + n, without wrapping trouble for n up to 2^31. */
static inline bool seq_in_window(tcp_seq s, tcp_seq lo, uint32_t n)
{
    return s.v - lo.v < n;
}

#endif
