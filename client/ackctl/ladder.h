/* Both sides of a connection as a ladder. */
#ifndef ACKCTL_LADDER_H
#define ACKCTL_LADDER_H

#include "segment.h"

struct ladder {
    bool absolute, why;
    bool started;
    uint64_t id; /* whose rungs are being drawn: the left post's */
    struct ackd_endpoint local, remote;
    uint64_t mirror; /* the right post's, when it is here, too: a connection of ackd with itself */
    int64_t first_ns;
    struct seen seen;
};

/* Draws one rung, and the heads of the two posts when another connection's began. Between two
 * endpoints of the same ackd a segment is an arrow when it is sent and a head when it arrives. */
void ladder_print(FILE *out, struct ladder *ladder, const struct ackd_segment *s, int64_t time_ns);

#endif
