/* A script for packetdrill (its language: github.com/google/packetdrill, syntax.md) with ackd as
 * the stack under test: `<` injects what the peer sent, `>` expects what ackd sent, and the calls
 * that made ackd send stand before. The data of a segment become one write() or read(); outgoing
 * windows are left out, since another stack may choose others. */
#include "packetdrill.h"

#include <inttypes.h>
#include "hostport.h"
#include "tcpopts.h"
#include "units.h"

static void begin(FILE *out, struct packetdrill *p, const struct ackd_segment *s)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT];
    p->started = true;
    p->id = s->id;
    p->active = s->direction == ACKD_DIRECTION_OUT;
    p->fd = p->active ? 3 : 4;
    p->sent_until = p->received_until = 1;
    fprintf(out, "// ackd connection %" PRIu64 ": %s > %s\n", s->id,
            hostport_format(s->local.address, s->local.port, local),
            hostport_format(s->remote.address, s->remote.port, remote));
    fputs("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n", out);
    if (!s->header.syn) {
        fputs("// The handshake was not seen: what follows is not a whole script.\n", out);
    } else if (p->active) {
        fputs("+0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)\n"
              "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
              "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n",
              out);
    } else {
        fputs("+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n"
              "+0 bind(3, ..., ...) = 0\n"
              "+0 listen(3, 1) = 0\n",
              out);
    }
}

/* packetdrill's letters, in its order; a lone ACK is ".". */
static void put_flags(char text[12], uint16_t bits, bool last)
{
    static const struct {
        uint16_t bit;
        char letter;
    } flags[] = {{0x01, 'F'}, {0x02, 'S'}, {0x04, 'R'},  {0x08, 'P'}, {0x20, 'U'},
                 {0x40, 'E'}, {0x80, 'W'}, {0x100, 'A'}, {0x10, '.'}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        bool at_end = flags[i].bit == 0x01 ||
                      flags[i].bit == 0x08; /* FIN and PSH belong to the last of several */
        if ((bits & flags[i].bit) && (last || !at_end)) {
            text[n++] = flags[i].letter;
        }
    }
    if (n == 0) {
        text[n++] = '-';
    }
    text[n] = 0;
}

/* The calls that let new data and the first FIN go out. */
static void print_calls_before(FILE *out, struct packetdrill *p, const struct ackd_segment *s,
                               const struct numbers *n)
{
    if (s->direction != ACKD_DIRECTION_OUT || s->header.syn || s->header.rst) {
        return;
    }
    if (s->payload_length_bytes && (int32_t)(n->end - p->sent_until) > 0) {
        uint32_t fresh = n->end - p->sent_until;
        fprintf(out, "+0 write(%d, ..., %" PRIu32 ") = %" PRIu32 "\n", p->fd, fresh, fresh);
        p->sent_until = n->end;
    }
    if (s->header.fin && !p->closed) {
        fprintf(out, "+0 shutdown(%d, SHUT_WR) = 0\n", p->fd);
        p->closed = true;
    }
}

static void print_calls_after(FILE *out, struct packetdrill *p, const struct ackd_segment *s,
                              const struct numbers *n)
{
    if (!p->connected && s->direction == ACKD_DIRECTION_IN &&
        s->state_after == ACKD_STATE_ESTABLISHED) {
        p->connected = true;
        if (!p->active) {
            fputs("+0 accept(3, ..., ...) = 4\n", out);
        }
    }
    if (s->direction == ACKD_DIRECTION_IN && s->payload_length_bytes && !s->drop_reason &&
        n->seq == p->received_until) {
        fprintf(out, "+0 read(%d, ..., %" PRIu32 ") = %" PRIu32 "\n", p->fd,
                s->payload_length_bytes, s->payload_length_bytes);
        p->received_until = n->end;
    }
}

void packetdrill_print(FILE *out, struct packetdrill *p, const struct ackd_segment *s,
                       int64_t time_ns)
{
    char time[UNITS_TEXT], flags[12], options[TCPOPTS_TEXT];
    if (!p->started) {
        begin(out, p, s);
        p->previous_ns = time_ns;
    }
    if (s->id != p->id) {
        return;
    }
    struct numbers n = segment_numbers(s, false);
    bool in = s->direction == ACKD_DIRECTION_IN;
    uint32_t step = s->gso_size_bytes && s->gso_size_bytes < s->payload_length_bytes
                        ? s->gso_size_bytes
                        : s->payload_length_bytes;
    uint32_t at = n.seq;
    print_calls_before(out, p, s, &n);
    do { /* merged by offload: as many as were on the wire */
        uint32_t left = n.end - at, length = left < step ? left : step;
        put_flags(flags, s->header.flags_bits, length == left);
        fprintf(out, "+%s %c %s %" PRIu32 ":%" PRIu32 "(%" PRIu32 ")",
                seconds_format(time_ns - p->previous_ns, time), in ? '<' : '>', flags, at,
                at + length, length);
        if (s->header.ack) {
            fprintf(out, " ack %" PRIu32, n.ack);
        }
        if (in) {
            fprintf(out, " win %u", s->header.window);
        }
        if (s->header.options_length) {
            fprintf(
                out, " <%s>",
                tcpopts_format(s->header.options, s->header.options_length, n.ack_base, options));
        } else if (!in && s->header.syn) {
            fputs(" <...>", out);
        }
        putc('\n', out);
        p->previous_ns = time_ns;
        at += length;
    } while (at != n.end);
    print_calls_after(out, p, s, &n);
}
