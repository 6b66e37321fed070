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

static bool same(const struct ackd_endpoint *a, const struct ackd_endpoint *b)
{
    return a->port == b->port && strcmp(a->address, b->address) == 0;
}

/* Finds out whose posts this rung is between, and draws new ones when they are others. True when it
 * belongs to the right one. */
static bool choose_posts(FILE *out, struct ladder *l, const struct ackd_segment *s, int64_t time_ns)
{
    if (l->started && l->id == s->id && same(&l->local, &s->local) &&
        same(&l->remote, &s->remote)) {
        return false;
    }
    if (l->started && s->id && l->id && l->id != s->id && (!l->mirror || l->mirror == s->id) &&
        same(&l->local, &s->remote) && same(&l->remote, &s->local)) {
        l->mirror = s->id;
        return true;
    }
    fputs(l->started ? "\n" : "", out);
    print_heads(out, s);
    l->first_ns = l->started ? l->first_ns : time_ns;
    l->started = true;
    l->id = s->id;
    l->local = s->local;
    l->remote = s->remote;
    l->mirror = 0;
    return false;
}

static void print_rung(FILE *out, const struct ladder *l, const struct ackd_segment *s, bool right)
{
    char flags[10], text[128];
    struct numbers n = segment_numbers(s, l->absolute);
    bool sent = s->direction == ACKD_DIRECTION_OUT;
    if (l->mirror && !sent) {
        fprintf(out, right ? "|%*s->|" : "|<-%*s|", RUNG - 4, "");
        return;
    }
    int used = snprintf(text, sizeof text, "%s seq %" PRIu32,
                        flags_format(s->header.flags_bits, flags), n.seq);
    if (s->header.ack) {
        used += snprintf(text + used, sizeof text - (size_t)used, " ack %" PRIu32, n.ack);
    }
    snprintf(text + used, sizeof text - (size_t)used, " len %" PRIu32 " win %u",
             s->payload_length_bytes, s->header.window);
    print_arrow(out, sent != right, text);
}

void ladder_print(FILE *out, struct ladder *l, const struct ackd_segment *s, int64_t time_ns)
{
    char time[UNITS_TEXT], state[48], sum[SUM_TEXT] = "", remark[REMARK_TEXT];
    bool right = choose_posts(out, l, s, time_ns);
    bool arrival = l->mirror && s->direction == ACKD_DIRECTION_IN;
    const char *name = s->state_after ? ackd_state_name(s->state_after) : "-";
    snprintf(state, sizeof state, "%s", name);
    if (l->mirror) {
        snprintf(state, sizeof state, "%" PRIu64 ": %s", s->id, name);
    }
    fprintf(out, "%10s  ", seconds_format(time_ns - l->first_ns, time));
    print_rung(out, l, s, right);
    if (!arrival) {
        segment_sum(s, &l->seen, l->absolute, sum);
    }
    segment_remark(s, l->why, remark);
    const char *gap = *sum || *remark ? "  " : "";
    fprintf(out, "  %-*s%s%s%s%s\n", *gap ? l->mirror ? 16 : 12 : 0, state, gap, sum,
            *sum && *remark ? "; " : "", remark);
    seen_remember(&l->seen, s);
}
