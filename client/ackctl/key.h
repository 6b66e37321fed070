/* What the parts of `ackctl key` share. */
#ifndef ACKCTL_KEY_H
#define ACKCTL_KEY_H

#include "ctl.h"

enum { KEY_OCTETS_MAX = 80 };

/* Where a key comes from: never from the command line. */
struct key_source {
    const char *file; /* NULL: of `fd`; "-": standard input */
    int fd;
    bool given; /* somebody named one */
};

/* Reads what there is, at most KEY_OCTETS_MAX + 2 octets. How many, or -1 after it was reported. */
int key_read(const struct ctl *ctl, const struct key_source *source,
             char octets[KEY_OCTETS_MAX + 2]);

/* The exit code after that: 130 when it was interrupted. */
int key_unread(struct ctl *ctl);

/* `ackctl key fast-open set|rotate|reset`; `listener` (NULL: all of them) is a selector. */
int key_fast_open(struct ctl *ctl, int count, char **words, const struct key_source *source,
                  const char *listener);

#endif
