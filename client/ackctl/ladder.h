/* Both sides of a connection as a ladder. */
#ifndef ACKCTL_LADDER_H
#define ACKCTL_LADDER_H

#include "segment.h"

struct ladder {
    bool absolute, why;
    bool started;
    uint64_t id; /* whose rungs are being drawn */
    struct ackd_endpoint local, remote;
    int64_t first_ns;
    struct seen seen;
};

/* Draws one rung, and the heads of the two posts when another connection's began. */
void ladder_print(FILE *out, struct ladder *ladder, const struct ackd_segment *s, int64_t time_ns);

#endif
