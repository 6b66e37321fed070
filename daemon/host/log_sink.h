/* Where the daemon's log lines go: standard error. */
#ifndef ACKD_HOST_LOG_SINK_H
#define ACKD_HOST_LOG_SINK_H

#include <stdint.h>
#include "base/log.h"

struct log_sink {
    struct log log; /* first: the sink is found from it */
    int fd;
    bool journal;        /* "<N>text" for the systemd journal, else time and level for a reader */
    int64_t tokens_ns;   /* the rate limit's bucket, in nanoseconds of credit */
    int64_t filled_ns;   /* CLOCK_MONOTONIC when it was last filled */
    uint64_t suppressed; /* lines since the last that was written */
};

/* `fd` is written to; journal(JOURNAL_STREAM) decides the form. */
void log_sink_init(struct log_sink *sink, int fd, enum log_level level);

#endif
