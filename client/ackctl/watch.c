/* ackctl watch: what happens, as it happens: changes of state, or segments as lines, as a ladder or
 * as a packetdrill script.
 *
 * The daemon never waits for a slow watcher; what it had to leave out is said in its place. Output
 * is flushed whenever nothing more is waiting. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "hostport.h"
#include "ladder.h"
#include "packetdrill.h"
#include "query.h"
#include "segment.h"
#include "selector.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

enum {
    WATCH_SEGMENTS = ARGS_NAMES,
    WATCH_LADDER,
    WATCH_PACKETDRILL,
    WATCH_SNAPSHOT,
    WATCH_PAYLOAD,
    WATCH_AFTER,
    WATCH_INSTANCE
};

static const struct opt options[] = {
    {WATCH_SEGMENTS, "segments", ARG_NONE, NULL,
     "every segment, one line each: packetdrill's order, relative numbers"},
    {WATCH_LADDER, "ladder", ARG_NONE, NULL, "every segment as an arrow between the two sides"},
    {WATCH_PACKETDRILL, "packetdrill", ARG_NONE, NULL,
     "a packetdrill script that replays the first connection seen"},
    {'S', "absolute", ARG_NONE, NULL, "absolute sequence numbers"},
    {'v', "verbose", ARG_NONE, NULL, "why the numbers are what they are"},
    {WATCH_PAYLOAD, "payload", ARG_REQUIRED, "N",
     "show the first N bytes of each payload, at most 64"},
    {WATCH_SNAPSHOT, "snapshot", ARG_NONE, NULL, "first what is there now"},
    {'c', "count", ARG_REQUIRED, "N", "end after N events"},
    {WATCH_AFTER, "after", ARG_REQUIRED, "EVENT",
     "go on after this event id, as far back as the daemon remembers"},
    {WATCH_INSTANCE, "instance-id", ARG_REQUIRED, "ID",
     "with --after: of the daemon that told the event id"},
    {0},
};

enum style { STATES, SEGMENTS, LADDER, PACKETDRILL };

struct watch {
    struct ctl *ctl;
    enum style style;
    struct ackd_watch_request request;
    uint64_t count, seen;
    struct query query;
    struct segment_line line;
    struct ladder ladder;
    struct packetdrill script;
    struct bases bases;
};

static bool take(struct watch *w, int key, const char *value)
{
    uint64_t number;
    switch (key) {
    case WATCH_SEGMENTS:
        w->style = SEGMENTS;
        return true;
    case WATCH_LADDER:
        w->style = LADDER;
        return true;
    case WATCH_PACKETDRILL:
        w->style = PACKETDRILL;
        return true;
    case 'S':
        w->line.absolute = w->ladder.absolute = true;
        return true;
    case 'v':
        w->line.why = w->ladder.why = true;
        return true;
    case WATCH_SNAPSHOT:
        w->request.initial_snapshot = true;
        return true;
    case WATCH_INSTANCE:
        w->request.instance_id = value;
        return true;
    case WATCH_PAYLOAD:
        if (!number_parse(value, 64, &number)) {
            return false;
        }
        w->request.payload_bytes = (uint32_t)number;
        return true;
    case 'c':
        return number_parse(value, UINT64_MAX, &w->count) && w->count;
    default:
        return number_parse(value, UINT64_MAX, &w->request.after_event);
    }
}

/* Wall clock time of day, to the microsecond. */
static void print_time(int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    char text[16];
    localtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    printf("%s.%06d", text, (int)(wall_ns % 1000000000 / 1000));
}

static void print_state(const struct watch *w, const struct ackd_event *e)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT];
    const struct ackd_state_change *s = &e->state;
    print_time(e->wall_time_ns);
    printf("  %" PRIu64 "  %s > %s  %s -> ", s->id,
           hostport_format(s->local.address, s->local.port, local),
           hostport_format(s->remote.address, s->remote.port, remote),
           ackd_state_name(s->old_state));
    ctl_style(w->ctl, "1");
    fputs(ackd_state_name(s->new_state), stdout);
    ctl_style(w->ctl, NULL);
    if (s->close_reason) {
        printf("  (%s)", short_name(ACKD_ENUM_CLOSE_REASON, s->close_reason));
    }
    printf("%s%s\n", *s->label ? "  @" : "", s->label);
}

static void print_row(const struct ackd_event *e)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT];
    const struct ackd_connection *c = &e->snapshot_row;
    print_time(e->wall_time_ns);
    printf("  %" PRIu64 "  %s > %s  %s%s%s\n", c->id,
           hostport_format(c->local.address, c->local.port, local),
           hostport_format(c->remote.address, c->remote.port, remote), ackd_state_name(c->state),
           *c->label ? "  @" : "", c->label);
}

static void print_segment(struct watch *w, const struct ackd_event *e)
{
    if (w->style == SEGMENTS) {
        segment_print(stdout, &w->line, &e->segment, e->time_ns);
    } else if (w->style == LADDER) {
        ladder_print(stdout, &w->ladder, &e->segment, e->time_ns);
    } else {
        packetdrill_print(stdout, &w->script, &e->segment, e->time_ns);
    }
}

/* Does the whole filter, not only what the daemon could test of it, want this event? */
static bool wanted(const struct watch *w, const struct ackd_event *e)
{
    switch (e->kind) {
    case ACKD_EVENT_SNAPSHOT_ROW:
        return query_match(&w->query, &e->snapshot_row);
    case ACKD_EVENT_STATE:
        return query_match_event(&w->query, e->state.id, e->state.new_state, &e->state.local,
                                 &e->state.remote) ||
               query_match_event(&w->query, e->state.id, e->state.old_state, &e->state.local,
                                 &e->state.remote);
    case ACKD_EVENT_SEGMENT:
        return query_match_event(&w->query, e->segment.id,
                                 e->segment.state_after ? e->segment.state_after
                                                        : ACKD_STATE_CLOSED,
                                 &e->segment.local, &e->segment.remote);
    default:
        return true;
    }
}

/* Prints one event. True when it counts. */
static bool show(struct watch *w, const struct ackd_event *e)
{
    switch (e->kind) {
    case ACKD_EVENT_SNAPSHOT_ROW:
        print_row(e);
        return true;
    case ACKD_EVENT_STATE:
        if (w->style == STATES) {
            print_state(w, e);
        }
        return w->style == STATES;
    case ACKD_EVENT_SEGMENT:
        print_segment(w, e);
        return true;
    case ACKD_EVENT_LOST:
        printf("%s%" PRIu64 " events were lost: this reader is too slow\n",
               w->style == PACKETDRILL ? "// " : "... ", e->lost_count);
        return false;
    default:
        return false;
    }
}

/* The connection that was asked for by its id is gone: nothing more will come. */
static bool is_last(const struct watch *w, const struct ackd_event *e)
{
    return w->query.hint.id && e->kind == ACKD_EVENT_STATE && e->state.id == w->query.hint.id &&
           e->state.new_state == ACKD_STATE_CLOSED;
}

static int loop(struct watch *w, struct ackd_watch *events)
{
    struct ackd_error err = {0};
    struct ackd_event event;
    for (;;) {
        enum ackd_next next = ackd_watch_next(events, &event, 0, &err);
        if (next == ACKD_AGAIN) {
            if (!ctl_flush() || (!ctl_wait(w->ctl) && !ctl_cancelled())) {
                return EXIT_DONE; /* nobody reads any more; main tells */
            }
            if (!ctl_cancelled()) {
                continue;
            }
            next = ackd_watch_next(events, &event, ACKD_FOREVER, &err);
        }
        if (next == ACKD_FAILED) {
            return ctl_fail(w->ctl, NULL, &err);
        }
        if (next == ACKD_END) {
            return EXIT_DONE;
        }
        if (event.kind == ACKD_EVENT_SEGMENT) {
            bases_fill(&w->bases, &event.segment);
        }
        if (!wanted(w, &event)) {
            continue;
        }
        if (w->ctl->json) {
            if (print_json(stdout, event.message, false, 0) < 0) {
                return EXIT_LIMIT;
            }
            putchar('\n');
            w->seen++;
        } else {
            w->seen += show(w, &event);
        }
        if ((w->count && w->seen >= w->count) || is_last(w, &event)) {
            return EXIT_DONE;
        }
    }
}

/* A single @label, :port or LOCAL>PEER that names one endpoint is as good as its id: then the end
 * of the connection ends the watch. */
static int begin_query(struct watch *w, char **words, int count)
{
    char id[24];
    int code = query_begin(w->ctl, &w->query, words, count, STATES_ALL, 0);
    if (code) {
        return code;
    }
    if (count == 1 && w->style == PACKETDRILL && words[0][0] == '@') {
        uint64_t number;
        query_end(&w->query);
        if ((code = selector_resolve(w->ctl, words[0], 0, &number)) != 0) {
            return code;
        }
        snprintf(id, sizeof id, "%" PRIu64, number);
        char *one[] = {id};
        return query_begin(w->ctl, &w->query, one, 1, STATES_ALL, 0);
    }
    return 0;
}

/* An id that names nothing will never have an event: ids are not used again. With --after it may be
 * over already. */
static int check_id(struct watch *w)
{
    struct ackd_error err = {0};
    struct ackd_connection c;
    char text[24];
    if (!w->query.hint.id || w->request.after_event ||
        ackd_get(w->ctl->ackd, w->query.hint.id, &c, &err) == 0 ||
        err.grpc_code != ACKD_NOT_FOUND) {
        return 0;
    }
    snprintf(text, sizeof text, "%" PRIu64, w->query.hint.id);
    return ctl_fail(w->ctl, text, &err);
}

static int watch(struct watch *w, char **words, int count)
{
    struct ackd_error err = {0};
    if (!ctl_connect(w->ctl)) {
        return w->ctl->exit_code;
    }
    int code = begin_query(w, words, count);
    if (code) {
        return code;
    }
    if ((code = check_id(w)) != 0) {
        query_end(&w->query);
        return code;
    }
    w->line.show_id = !w->query.hint.id;
    w->request.filter = query_wire(&w->query);
    w->request.segments = w->style != STATES;
    struct ackd_watch *events = ackd_watch(w->ctl->ackd, &w->request, &err);
    code = events ? loop(w, events) : ctl_fail(w->ctl, NULL, &err);
    ackd_watch_free(events);
    query_end(&w->query);
    return code;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct watch *w = calloc(1, sizeof *w); /* it remembers many segments */
    struct args args = ctl_args(ctl, argc, argv);
    int key, code = EXIT_USAGE;
    if (!w) {
        ctl_complain(ctl, "out of memory");
        return EXIT_LIMIT;
    }
    w->ctl = ctl;
    while ((key = ctl_option(ctl, &args)) >= 0 && take(w, key, args.value)) {
    }
    if (key >= 0) {
        ctl_usage(ctl, "%s is not a number that this option takes", args.value);
    } else if (key == ARGS_END && w->request.after_event && !w->request.instance_id) {
        ctl_usage(ctl, "--after needs --instance-id, which every event carries in --json");
    } else if (key == ARGS_END) {
        code = watch(w, argv, args.operands);
    }
    free(w);
    return code;
}

const struct verb verb_watch = {
    .name = "watch",
    .operands = "[FILTER]",
    .summary = "follow changes of state, or segments, as they happen",
    .details = "A segment's line: +TIME DIRECTION FLAGS SEQ:END(LENGTH) ack ACK win WINDOW "
               "<OPTIONS> STATE-AFTER; > is sent, < received,\n"
               "flags are columns of CEUAPRSF. With --json every event is one line of JSON.",
    .complete = "filter",
    .options = options,
    .run = run,
};
