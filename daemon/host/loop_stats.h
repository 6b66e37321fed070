/* What the loop says of itself: how long its callbacks took. A daemon of one thread is as quick as
 * its longest callback.
 *
 * Two figures of each: the wall clock's, which is what a packet waits, and the processor's, which
 * is what we did with it. On a machine that others use, too, the first is longer whenever the
 * scheduler took the processor away in the middle; only the second can be held against the code. */
#ifndef ACKD_HOST_LOOP_STATS_H
#define ACKD_HOST_LOOP_STATS_H

#include <stdint.h>

struct loop;

#define LOOP_BUCKETS 14

struct loop_stats {
    uint64_t wakeups;         /* times the loop woke up */
    int64_t longest_ns;       /* the longest callback ever */
    const char *longest_name; /* and its function; never NULL */
    int64_t longest_cpu_ns;   /* the most processor time of one callback, at most 50 us too much */
    const char *longest_cpu_name;
    struct {
        int64_t below_ns; /* callbacks that took less than this and at least the bucket before;
                             INT64_MAX in the last */
        uint64_t count;
        uint64_t cpu_count; /* the same by processor time */
    } bucket[LOOP_BUCKETS];
};

void loop_stats(const struct loop *loop, struct loop_stats *out);

#endif
