/* A segment on one line: packetdrill's order (time, direction, flags, seq:end(length), ack, win,
 * <options>) with tcpdump's relative numbers. `>` is what ackd sent. The sums behind acknowledgment
 * numbers are RFC 9293 section 3.4's arithmetic: ACK = SEG.SEQ + SEG.LEN of what was received in
 * order, SYN and FIN counting one each. */
#include "segment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "hostport.h"
#include "tcpopts.h"
#include "units.h"

struct numbers segment_numbers(const struct ackd_segment *s, bool absolute)
{
    struct numbers n = {0};
    if (!absolute && s->id && (s->iss || s->irs)) {
        bool out = s->direction == ACKD_DIRECTION_OUT;
        n.seq_base = out ? s->iss : s->irs;
        n.ack_base = out ? s->irs : s->iss;
    }
    n.seq = s->header.sequence_number - n.seq_base;
    n.end = n.seq + s->payload_length_bytes;
    n.ack = s->header.acknowledgment_number - n.ack_base;
    return n;
}

char *flags_format(uint16_t bits, char text[10])
{
    static const char letters[] = "CEUAPRSF";
    char *at = text;
    if (bits & 0x100) {
        *at++ = 'e';
    }
    for (int i = 0; i < 8; i++) {
        *at++ = bits & (0x80 >> i) ? letters[i] : '.';
    }
    *at = 0;
    return text;
}

static uint32_t segment_length(const struct ackd_segment *s)
{
    return s->payload_length_bytes + s->header.syn + s->header.fin;
}

void seen_remember(struct seen *seen, const struct ackd_segment *s)
{
    if (segment_length(s) && !s->drop_reason) {
        size_t i = seen->next++ % SEEN_MAX;
        seen->ring[i].id = s->id;
        seen->ring[i].direction = s->direction;
        seen->ring[i].seq = s->header.sequence_number;
        seen->ring[i].length = segment_length(s);
        seen->ring[i].syn = s->header.syn;
        seen->ring[i].fin = s->header.fin;
    }
}

void bases_fill(struct bases *bases, struct ackd_segment *s)
{
    size_t i = s->id % BASES_MAX;
    if (s->iss || s->irs) {
        bases->slots[i].id = s->id;
        bases->slots[i].iss = s->iss;
        bases->slots[i].irs = s->irs;
    } else if (s->id && bases->slots[i].id == s->id) {
        s->iss = bases->slots[i].iss;
        s->irs = bases->slots[i].irs;
    }
}

/* The newest of the other side's segments that ends where this acknowledgment points; -1: none is
 * remembered. */
static int seen_find(const struct seen *seen, const struct ackd_segment *s)
{
    size_t have = seen->next < SEEN_MAX ? seen->next : SEEN_MAX;
    for (size_t i = 0; i < have; i++) {
        size_t at = (seen->next - 1 - i) % SEEN_MAX;
        if (seen->ring[at].id == s->id && seen->ring[at].direction != s->direction &&
            seen->ring[at].seq + seen->ring[at].length == s->header.acknowledgment_number) {
            return (int)at;
        }
    }
    return -1;
}

/* From the segments that were seen; for what we sent before they were, the engine says which one
 * moved RCV.NXT last. */
char *segment_sum(const struct ackd_segment *s, const struct seen *seen, bool absolute,
                  char text[SUM_TEXT])
{
    struct numbers n = segment_numbers(s, absolute);
    bool out = s->direction == ACKD_DIRECTION_OUT;
    int found = seen_find(seen, s);
    uint32_t seq = s->acked_sequence_number, length = s->acked_length;
    text[0] = 0;
    if (!s->header.ack || s->header.rst || (found < 0 && (!out || !length))) {
        return text;
    }
    if (found >= 0) {
        seq = seen->ring[found].seq;
        length = seen->ring[found].length;
    }
    bool syn = found >= 0 ? seen->ring[found].syn : length == 1 && s->id && seq == s->irs;
    bool fin = found >= 0 && seen->ring[found].fin;
    const char *why = syn ? " (SYN)" : fin ? length > 1 ? " (with FIN)" : " (FIN)" : "";
    snprintf(text, SUM_TEXT, "ack %" PRIu32 " = %s seq %" PRIu32 " + %" PRIu32 "%s", n.ack,
             out ? "their" : "our", seq - n.ack_base, length, why);
    return text;
}

const char *short_name(enum ackd_enum which, int value)
{
    static const char *const prefixes[] = {"STATE_", "DROP_",  "RST_SENT_",  "RST_RECEIVED_",
                                           "CLOSE_", "LIMIT_", "SEND_KIND_", "NET_DROP_"};
    const char *name = ackd_enum_name(which, value);
    if (!name) {
        return "UNKNOWN";
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return name + strlen(prefixes[i]);
        }
    }
    return name;
}

struct remark {
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct remark *r, const char *format, ...)
{
    va_list list;
    if (r->used) {
        r->used += (size_t)snprintf(r->text + r->used, REMARK_TEXT - r->used, "; ");
    }
    va_start(list, format);
    int n = vsnprintf(r->text + r->used, REMARK_TEXT - r->used, format, list);
    va_end(list);
    r->used += n < 0 ? 0 : (size_t)n;
    if (r->used > REMARK_TEXT - 3) {
        r->used = REMARK_TEXT - 3;
    }
}

static bool is_plain(enum ackd_send_kind kind)
{
    return kind == ACKD_SEND_KIND_UNSPECIFIED || kind == ACKD_SEND_KIND_HANDSHAKE ||
           kind == ACKD_SEND_KIND_DATA || kind == ACKD_SEND_KIND_ACK ||
           kind == ACKD_SEND_KIND_FIN || kind == ACKD_SEND_KIND_RESET;
}

char *segment_remark(const struct ackd_segment *s, bool all, char text[REMARK_TEXT])
{
    struct remark r = {text, 0};
    text[0] = 0;
    if (s->drop_reason) {
        put(&r, "dropped: %s", short_name(ACKD_ENUM_DROP_REASON, s->drop_reason));
    }
    if (s->reset_reason) {
        put(&r, "reset: %s", short_name(ACKD_ENUM_RESET_SENT_REASON, s->reset_reason));
    }
    if (s->send_kind && (all || !is_plain(s->send_kind))) {
        put(&r, "sent as %s", short_name(ACKD_ENUM_SEND_KIND, s->send_kind));
    }
    if (all && s->header.window && s->scaled_window_bytes > s->header.window) {
        put(&r, "win %u << %d = %" PRIu32, s->header.window,
            __builtin_ctz(s->scaled_window_bytes / s->header.window), s->scaled_window_bytes);
    }
    if (all && s->gso_size_bytes && s->payload_length_bytes > s->gso_size_bytes) {
        put(&r, "%" PRIu32 " segments of %" PRIu32,
            (s->payload_length_bytes + s->gso_size_bytes - 1) / s->gso_size_bytes,
            s->gso_size_bytes);
    }
    if (all && s->direction == ACKD_DIRECTION_OUT && s->cwnd_bytes) {
        put(&r, "in flight %" PRIu32 " of cwnd %" PRIu32, s->bytes_in_flight, s->cwnd_bytes);
    }
    return text;
}

static void print_options(FILE *out, const struct ackd_segment *s, const struct numbers *n)
{
    char text[TCPOPTS_TEXT];
    if (s->header.options_length) {
        fprintf(out, " <%s>",
                tcpopts_format(s->header.options, s->header.options_length, n->ack_base, text));
    }
}

/* The first bytes, as text where they are text. */
static void print_payload(FILE *out, const struct ackd_segment *s)
{
    fputs(" \"", out);
    for (size_t i = 0; i < s->payload_shown; i++) {
        uint8_t c = s->payload[i];
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c == '\r' || c == '\n') {
            fputs(c == '\r' ? "\\r" : "\\n", out);
        } else if (c < 0x20 || c > 0x7e) {
            fprintf(out, "\\x%02x", c);
        } else {
            putc(c, out);
        }
    }
    fputs(s->payload_shown < s->payload_length_bytes ? "\"..." : "\"", out);
}

static void print_who(FILE *out, const struct ackd_segment *s, bool show_id)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT];
    if (!s->id) {
        fprintf(out, " [%s %c %s]", hostport_format(s->local.address, s->local.port, local),
                s->direction == ACKD_DIRECTION_OUT ? '>' : '<',
                hostport_format(s->remote.address, s->remote.port, remote));
    } else if (show_id) {
        fprintf(out, " [%" PRIu64 "]", s->id);
    }
}

void segment_print(FILE *out, struct segment_line *line, const struct ackd_segment *s,
                   int64_t time_ns)
{
    char time[UNITS_TEXT], flags[10], sum[SUM_TEXT], remark[REMARK_TEXT];
    struct numbers n = segment_numbers(s, line->absolute);
    fprintf(out, "+%s %c %s %" PRIu32 ":%" PRIu32 "(%" PRIu32 ")",
            seconds_format(line->started ? time_ns - line->previous_ns : 0, time),
            s->direction == ACKD_DIRECTION_OUT ? '>' : '<',
            flags_format(s->header.flags_bits, flags), n.seq, n.end, s->payload_length_bytes);
    if (s->header.ack) {
        fprintf(out, " ack %" PRIu32, n.ack);
    }
    fprintf(out, " win %u", s->header.window);
    if (s->header.urg) {
        fprintf(out, " urg %u", s->header.urgent_pointer);
    }
    print_options(out, s, &n);
    if (s->payload_shown) {
        print_payload(out, s);
    }
    if (s->state_after) {
        fprintf(out, " %s", ackd_state_name(s->state_after));
    }
    print_who(out, s, line->show_id);
    segment_sum(s, &line->seen, line->absolute, sum);
    segment_remark(s, line->why, remark);
    if ((line->why && *sum) || *remark) {
        fprintf(out, "  # %s%s%s", line->why ? sum : "", line->why && *sum && *remark ? "; " : "",
                remark);
    }
    putc('\n', out);
    seen_remember(&line->seen, s);
    line->started = true;
    line->previous_ns = time_ns;
}
