/* Segments as lines, in packetdrill's order with numbers relative to the initial ones. */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include "link.h"

#define TRACE_LINE 320

/* `from` and `to` name the hosts. iss and irs are the initial numbers of the sender and of the
 * receiver of the segment. */
char *trace_segment(char line[TRACE_LINE], ackd_time now, const char *from, const char *to,
                    const struct wire_segment *s, enum link_fate fate, uint32_t iss, uint32_t irs);

#endif
