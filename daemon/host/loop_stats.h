/* What the loop says of itself: how long its callbacks took. A daemon of one thread is as quick as
 * its longest callback. */
#ifndef ACKD_HOST_LOOP_STATS_H
#define ACKD_HOST_LOOP_STATS_H

#include <stdint.h>

struct loop;

#define LOOP_BUCKETS 14

struct loop_stats {
    uint64_t wakeups;         /* times the loop woke up */
    int64_t longest_ns;       /* the longest callback ever */
    const char *longest_name; /* and its function; never NULL */
    struct {
        int64_t below_ns; /* callbacks that took less than this and at least the bucket before;
                             INT64_MAX in the last */
        uint64_t count;
    } bucket[LOOP_BUCKETS];
};

void loop_stats(const struct loop *loop, struct loop_stats *out);

#endif
