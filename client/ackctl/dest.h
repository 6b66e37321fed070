/* Where to: HOST PORT or HOST:PORT, names looked up here and not in the daemon. */
#ifndef ACKCTL_DEST_H
#define ACKCTL_DEST_H

#include "ctl.h"

#define DEST_MAX 8

struct dest {
    char text[300]; /* as the user said it, for messages */
    struct ackd_endpoint to[DEST_MAX];
    size_t count;
};

/* Reads one operand (HOST:PORT) or two (HOST PORT). `family`: 4, 6 or 0. 0, or EXIT_USAGE after the
 * error was printed; an unknown host is EXIT_TCP. */
int dest_parse(const struct ctl *ctl, char **operands, int count, unsigned family,
               struct dest *dest);

/* A local ADDR, ADDR:PORT, :PORT or PORT. */
int dest_parse_local(const struct ctl *ctl, const char *text, struct ackd_endpoint *local);

#endif
