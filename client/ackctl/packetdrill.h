/* A packetdrill script that replays what was watched. */
#ifndef ACKCTL_PACKETDRILL_H
#define ACKCTL_PACKETDRILL_H

#include "segment.h"

struct packetdrill {
    bool started, active, connected, closed;
    uint64_t id; /* only the first connection's segments are scripted */
    int fd;
    int64_t previous_ns;
    uint32_t sent_until, received_until; /* relative; new data lie beyond */
};

void packetdrill_print(FILE *out, struct packetdrill *p, const struct ackd_segment *s,
                       int64_t time_ns);

#endif
