/* Instants and durations.
 *
 * An instant is a type of its own, so that it cannot be compared with `<` or mixed with a number by
 * accident. A duration is a plain int64_t of nanoseconds whose name ends in `_ns`; that is long
 * enough for 292 years. The zero of the clock is whatever the owner of the clock says (the daemon:
 * its start; a simulation: 0). */
#ifndef ACKD_BASE_TIME_H
#define ACKD_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t ns;
} ackd_time;

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* "No deadline": later than every other instant. */
#define TIME_NEVER ((ackd_time){INT64_MAX})

static inline ackd_time time_from_ns(int64_t ns)
{
    return (ackd_time){ns};
}

/* t + d, saturating at TIME_NEVER. */
static inline ackd_time time_add(ackd_time t, int64_t d_ns)
{
    if (t.ns == INT64_MAX || (d_ns > 0 && t.ns > INT64_MAX - d_ns)) {
        return TIME_NEVER;
    }
    return (ackd_time){t.ns + d_ns};
}

/* a - b in nanoseconds; neither may be TIME_NEVER. */
static inline int64_t time_diff(ackd_time a, ackd_time b)
{
    return a.ns - b.ns;
}

static inline bool time_before(ackd_time a, ackd_time b)
{
    return a.ns < b.ns;
}

/* Has the deadline t been reached at `now`? */
static inline bool time_reached(ackd_time t, ackd_time now)
{
    return t.ns <= now.ns;
}

static inline bool time_is_never(ackd_time t)
{
    return t.ns == INT64_MAX;
}

static inline bool time_equal(ackd_time a, ackd_time b)
{
    return a.ns == b.ns;
}

static inline ackd_time time_min(ackd_time a, ackd_time b)
{
    return a.ns < b.ns ? a : b;
}

static inline ackd_time time_max(ackd_time a, ackd_time b)
{
    return a.ns > b.ns ? a : b;
}

/* An instant in 32 bits, for what is kept of many connections and needs no more than to tell a
 * moment from a day: steps of 2^24 ns (17 ms), 0 is never. It is told from the instant at which it
 * is asked for, so it means something for 2^32 steps, more than two years. */
typedef struct {
    uint32_t v;
} coarse_time;

#define COARSE_SHIFT 24

static inline coarse_time coarse_of(ackd_time t)
{
    uint32_t step = (uint32_t)((uint64_t)t.ns >> COARSE_SHIFT) + 1;
    return (coarse_time){step ? step : 1};
}

static inline bool coarse_is_never(coarse_time t)
{
    return t.v == 0;
}

/* The beginning of its step; TIME_NEVER. */
static inline ackd_time coarse_start(coarse_time t, ackd_time now)
{
    if (coarse_is_never(t)) {
        return TIME_NEVER;
    }
    uint32_t age = coarse_of(now).v - t.v;
    int64_t step = (now.ns >> COARSE_SHIFT) - age;
    return time_from_ns(step > 0 ? step << COARSE_SHIFT : 0);
}

#endif
