/* One line for each segment and what became of it. */
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const fates[] = {
    [LINK_SENT] = "",
    [LINK_LOST] = "  lost",
    [LINK_FILTERED] = "  filtered",
    [LINK_QUEUE_FULL] = "  queue full",
    [LINK_TOO_BIG] = "  too big",
    [LINK_DUPLICATED] = "  duplicated",
    [LINK_CORRUPTED] = "  corrupted",
    [LINK_LATE] = "  late",
    [LINK_ARRIVED] = "  arrived",
};

static void put_options(char *line, size_t room, const struct tcp_opts *o, uint32_t irs)
{
    size_t n = strlen(line);
    const char *sep = " <";
#define PUT(...)                                                                                   \
    do {                                                                                           \
        n += (size_t)snprintf(line + n, n < room ? room - n : 0, "%s", sep);                       \
        n += (size_t)snprintf(line + n, n < room ? room - n : 0, __VA_ARGS__);                     \
        sep = ",";                                                                                 \
    } while (0)
    if (o->has_mss) {
        PUT("mss %u", o->mss);
    }
    if (o->sack_permitted) {
        PUT("sackOK");
    }
    if (o->has_timestamps) {
        PUT("TS val %u ecr %u", o->tsval, o->tsecr);
    }
    if (o->has_wscale) {
        PUT("wscale %u", o->wscale);
    }
    for (unsigned i = 0; i < o->n_sack; i++) {
        PUT("sack %u:%u", o->sack[i].start.v - irs, o->sack[i].end.v - irs);
    }
#undef PUT
    if (sep[0] == ',' && n < room - 1) {
        memcpy(line + n, ">", 2);
    }
}

char *trace_segment(char line[TRACE_LINE], ackd_time now, const char *from, const char *to,
                    const struct wire_segment *s, enum link_fate fate, uint32_t iss, uint32_t irs)
{
    struct tcp_hdr h;
    char flags[10];
    int n = snprintf(line, TRACE_LINE, "+%" PRId64 ".%06" PRId64 " %s %s %s ", now.ns / NS_PER_S,
                     now.ns % NS_PER_S / 1000, from, fate == LINK_ARRIVED ? ">>" : "->", to);
    if (!tcp_hdr_parse(s->bytes, s->length, &h)) {
        snprintf(line + n, TRACE_LINE - (size_t)n, "broken header, %u bytes%s", s->length,
                 fates[fate]);
        return line;
    }
    uint32_t payload = s->length - h.header_len, seq = h.seq.v - iss;
    n += snprintf(line + n, TRACE_LINE - (size_t)n, "%s %u:%u(%u)",
                  tcp_flags_format(h.flags, flags), seq, seq + payload, payload);
    if (h.flags & TCP_ACK) {
        n += snprintf(line + n, TRACE_LINE - (size_t)n, " ack %u", h.ack.v - irs);
    }
    n += snprintf(line + n, TRACE_LINE - (size_t)n, " win %u", h.window);
    if (h.flags & TCP_URG) {
        n += snprintf(line + n, TRACE_LINE - (size_t)n, " urg %u", h.urgent);
    }
    if (s->gso_size > 0) {
        snprintf(line + n, TRACE_LINE - (size_t)n, " gso %u", s->gso_size);
    }
    struct tcp_opts o;
    tcp_opts_parse(s->bytes, &h, &o);
    put_options(line, TRACE_LINE, &o, irs);
    n = (int)strlen(line);
    snprintf(line + n, TRACE_LINE - (size_t)n, "%s", fates[fate]);
    return line;
}
