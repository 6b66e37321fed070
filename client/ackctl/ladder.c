/* The figure that textbooks (and RFC 9293 section 3.5) draw: ackd on the left, the peer on the
 * right, an arrow for each segment with its flags, seq, ack, length and window, then ackd's state
 * after it and the sum behind the acknowledgment. Times count from the first rung. */
#include "ladder.h"

#include <inttypes.h>
#include <string.h>
#include "hostport.h"
#include "units.h"

#define RUNG 62 /* columns between the posts */

static void print_heads(FILE *out, const struct ackd_segment *s)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT], id[24] = "no connection";
    if (s->id) {
        snprintf(id, sizeof id, "%" PRIu64, s->id);
    }
    hostport_format(s->local.address, s->local.port, local);
    hostport_format(s->remote.address, s->remote.port, remote);
    int gap = RUNG - (int)strlen(local) - (int)strlen(remote);
    fprintf(out, "      TIME  %s%*s%s  STATE AFTER (of %s)\n", local, gap > 2 ? gap + 2 : 2, "",
            remote, id);
}

static void print_arrow(FILE *out, bool to_peer, const char *text)
{
    int dashes = RUNG - (int)strlen(text) - 4;
    int left = 2, right = dashes - left;
    fputs(to_peer ? "|-" : "|<", out);
    while (left-- > 1) {
        putc('-', out);
    }
    fprintf(out, " %s ", text);
    while (right-- > 1) {
        putc('-', out);
    }
    fputs(to_peer ? ">|" : "-|", out);
}

void ladder_print(FILE *out, struct ladder *l, const struct ackd_segment *s, int64_t time_ns)
{
    char time[UNITS_TEXT], flags[10], text[128], sum[SUM_TEXT], remark[REMARK_TEXT];
    struct numbers n = segment_numbers(s, l->absolute);
    if (!l->started) {
        l->first_ns = time_ns;
    }
    if (!l->started || l->id != s->id || memcmp(&l->remote, &s->remote, sizeof l->remote) != 0) {
        fputs(l->started ? "\n" : "", out);
        print_heads(out, s);
        l->id = s->id;
        l->remote = s->remote;
    }
    l->started = true;
    int used = snprintf(text, sizeof text, "%s seq %" PRIu32,
                        flags_format(s->header.flags_bits, flags), n.seq);
    if (s->header.ack) {
        used += snprintf(text + used, sizeof text - (size_t)used, " ack %" PRIu32, n.ack);
    }
    snprintf(text + used, sizeof text - (size_t)used, " len %" PRIu32 " win %u",
             s->payload_length_bytes, s->header.window);
    fprintf(out, "%10s  ", seconds_format(time_ns - l->first_ns, time));
    print_arrow(out, s->direction == ACKD_DIRECTION_OUT, text);
    segment_sum(s, &l->seen, l->absolute, sum);
    segment_remark(s, l->why, remark);
    fprintf(out, "  %s%-*s%s%s%s%s", s->state_after ? "" : "-", *sum || *remark ? 12 : 0,
            s->state_after ? ackd_state_name(s->state_after) : "", *sum || *remark ? "  " : "", sum,
            *sum && *remark ? "; " : "", remark);
    putc('\n', out);
    seen_remember(&l->seen, s);
}
