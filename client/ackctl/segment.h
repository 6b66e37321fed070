/* One segment in text, and the sums behind its numbers. */
#ifndef ACKCTL_SEGMENT_H
#define ACKCTL_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "client/lib/ackd.h"

/* Sequence numbers as shown: relative to the initial ones unless `absolute` or unknown. */
struct numbers {
    uint32_t seq, end, ack; /* end: of the payload */
    uint32_t seq_base, ack_base;
};
struct numbers segment_numbers(const struct ackd_segment *s, bool absolute);

/* "...A..S.": one column for each of CEUAPRSF, a leading 'e' when AE is set. Returns text. */
char *flags_format(uint16_t bits, char text[10]);

/* Segments that took sequence space, so that an acknowledgment can be explained. Bounded: the
 * oldest are forgotten. */
#define SEEN_MAX 1024
struct seen {
    struct {
        uint64_t id;
        enum ackd_direction direction;
        uint32_t seq, length;
        bool syn, fin;
    } ring[SEEN_MAX];
    size_t next;
};
void seen_remember(struct seen *seen, const struct ackd_segment *s);

/* Initial sequence numbers by connection, for the segments after its end, of which the daemon knows
 * them no more. Bounded: a newer connection may take the place of an older one. */
#define BASES_MAX 256
struct bases {
    struct {
        uint64_t id;
        uint32_t iss, irs;
    } slots[BASES_MAX];
};
/* Remembers s->iss and s->irs, or fills them in where they are missing. */
void bases_fill(struct bases *bases, struct ackd_segment *s);

/* "ack 1101 = their seq 1001 + 100"; empty when the sum is not known. Returns text. */
#define SUM_TEXT 96
char *segment_sum(const struct ackd_segment *s, const struct seen *seen, bool absolute,
                  char text[SUM_TEXT]);

/* What else is to say: dropped why, sent why, the window's sum, cwnd. Empty when nothing is; `all`
 * adds what is normal. Returns text. */
#define REMARK_TEXT 384
char *segment_remark(const struct ackd_segment *s, bool all, char text[REMARK_TEXT]);

/* A whole line of `watch --segments`: time since the event before, direction, flags, numbers,
 * window, options, state after. */
struct segment_line {
    bool absolute, why, show_id;
    bool started;
    int64_t previous_ns;
    struct seen seen;
};
void segment_print(FILE *out, struct segment_line *line, const struct ackd_segment *s,
                   int64_t time_ns);

/* The name of a value without the prefix of its enum: "PAWS". */
const char *short_name(enum ackd_enum which, int value);

#endif
