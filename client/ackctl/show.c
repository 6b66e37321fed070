/* ackctl show: one connection in full, one value of it (as wg prints values: bare, separated by
 * tabs), or the last headers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "headerbox.h"
#include "hostport.h"
#include "query.h"
#include "rows.h"
#include "segment.h"
#include "selector.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

#define FIELDS_MAX 64
#define VALUE_MAX 4096

enum { SHOW_HEADER = ARGS_NAMES, SHOW_FIELDS };

static const struct opt options[] = {
    {SHOW_HEADER, "header", ARG_NONE, NULL, "draw the last header received and sent, bit by bit"},
    {SHOW_FIELDS, "fields", ARG_NONE, NULL, "list every field with its unit and meaning"},
    {0},
};

struct show {
    struct ctl *ctl;
    int field[FIELDS_MAX]; /* for ackd_field_value() */
    int count;             /* 0: everything, for people */
    bool dump, header;
    bool with_id; /* `show all` */
    size_t rows;
    bool now_known;
    int64_t now_ns;
};

/* Like every list for machines: an absent value is "-", so that columns keep their places. */
static void print_value(const struct ackd_connection *c, int field)
{
    char value[VALUE_MAX];
    if (ackd_field_value(c->message, field, value, sizeof value) < 0) {
        strcpy(value, "-");
    }
    fputs(value, stdout);
}

static void print_values(const struct show *s, const struct ackd_connection *c)
{
    if (s->with_id) {
        printf("%" PRIu64 "\t", c->id);
    }
    int count = s->dump ? (int)ackd_field_count() : s->count;
    for (int i = 0; i < count; i++) {
        fputs(i ? "\t" : "", stdout);
        print_value(c, s->dump ? i : s->field[i]);
    }
    putchar('\n');
}

/* "12.3s ago", "in 1.6s". The clock was asked before the connection: what happened in between is
 * not in the future, and a deadline that passed is due. */
static void print_instant(const struct show *s, int64_t ns, bool is_deadline)
{
    char text[UNITS_TEXT];
    int64_t left = ns - s->now_ns;
    if (!s->now_known) {
        printf("%s after the daemon's start", duration_format(ns, text));
    } else if (is_deadline) {
        printf("in %s", duration_format(left > 0 ? left : 0, text));
    } else {
        printf("%s ago", duration_format(left < 0 ? -left : 0, text));
    }
}

static bool is_past(const char *name)
{
    static const char *const names[] = {"created_ns", "established_ns", "last_received_ns",
                                        "last_sent_ns", "closed_ns"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The name without its unit, which stands behind the value. */
static void print_named(const struct show *s, const struct ackd_connection *c,
                        const struct ackd_field *f, const char *value)
{
    char text[UNITS_TEXT], suffix[24];
    bool rate = strcmp(f->unit, "bytes/s") == 0;
    size_t length = strlen(f->name);
    int n = snprintf(suffix, sizeof suffix, "_%.20s", rate ? "bytes_per_s" : f->unit);
    if (*f->unit && (int)length > n && strcmp(f->name + length - (size_t)n, suffix) == 0) {
        length -= (size_t)n;
    }
    printf("  %-26.*s ", (int)length, f->name);
    bool is_deadline = strstr(f->name, "_deadline_ns") != NULL;
    if (is_deadline || is_past(f->name)) {
        print_instant(s, strtoll(value, NULL, 10), is_deadline);
    } else if (strcmp(f->unit, "ns") == 0 || strcmp(f->unit, "ms") == 0) {
        int64_t scale = f->unit[0] == 'm' ? 1000000 : 1;
        fputs(duration_format(strtoll(value, NULL, 10) * scale, text), stdout);
    } else if (strcmp(f->name, "ssthresh_bytes") == 0 && strcmp(value, "4294967295") == 0) {
        fputs("unlimited", stdout);
    } else if (c->state == ACKD_STATE_LISTEN && strstr(f->name, "_q_bytes")) {
        printf("%s %s", value, f->name[0] == 's' ? "(backlog)" : "connections");
    } else {
        bool unit = rate || strcmp(f->unit, "bytes") == 0 || strcmp(f->unit, "segments") == 0 ||
                    strcmp(f->unit, "runs") == 0;
        printf("%s%s%s", value, unit ? " " : "", unit ? f->unit : "");
    }
    putchar('\n');
}

/* What the first line says already, and what has a form of its own. */
static bool is_shown_elsewhere(const char *name)
{
    static const char *const names[] = {"id",      "state",    "label",           "service",
                                        "limited", "detached", "congestion_state"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "local.", 6) == 0 || strncmp(name, "remote.", 7) == 0 ||
           strncmp(name, "owner.", 6) == 0 || strncmp(name, "last_received.", 14) == 0 ||
           strncmp(name, "last_sent.", 10) == 0;
}

/* What only says that there is nothing to say: no session, and every zero of an endpoint that moves
 * no data. */
static bool is_unset(const struct ackd_connection *c, const struct ackd_field *f, const char *value)
{
    bool zero = strcmp(value, "0") == 0 || strcmp(value, "false") == 0;
    bool idle = c->state == ACKD_STATE_LISTEN || c->state == ACKD_STATE_CLOSED;
    return zero && ((idle && strncmp(f->name, "options.", 8) != 0) ||
                    strcmp(f->name, "session_id") == 0 || strcmp(f->name, "listener_id") == 0);
}

static void print_head(const struct show *s, const struct ackd_connection *c)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT], owner[96];
    ctl_style(s->ctl, "1");
    printf("%" PRIu64 "  %s > %s  %s", c->id,
           hostport_format(c->local.address, c->local.port, local),
           hostport_format(c->remote.address, c->remote.port, remote), ackd_state_name(c->state));
    ctl_style(s->ctl, NULL);
    printf("%s%s\n", *c->label ? "  @" : "", c->label);
    printf("  %-26s %s, uid %" PRIu32 "%s\n", "owner", owner_format(c, owner), c->owner.uid,
           c->detached ? ", detached" : "");
}

/* What the congestion control module remembers, below its name. */
static void print_congestion(const struct ackd_connection *c)
{
    char text[UNITS_TEXT];
    for (size_t i = 0; i < c->congestion_state_count; i++) {
        const struct ackd_congestion_field *f = &c->congestion_state[i];
        if (*f->word) {
            printf("    %-24s %s\n", f->name, f->word);
        } else if (strcmp(f->unit, "ns") == 0) {
            printf("    %-24s %s\n", f->name, duration_format(f->value, text));
        } else {
            printf("    %-24s %" PRId64 "%s%s\n", f->name, f->value, *f->unit == '/' ? "" : " ",
                   f->unit);
        }
    }
}

static void print_everything(struct show *s, const struct ackd_connection *c)
{
    char value[VALUE_MAX];
    if (s->rows) {
        putchar('\n');
    }
    print_head(s, c);
    for (size_t i = 0; i < ackd_field_count(); i++) {
        const struct ackd_field *f = ackd_field_at(i);
        if (!is_shown_elsewhere(f->name) &&
            ackd_field_value(c->message, (int)i, value, sizeof value) > 0 &&
            !is_unset(c, f, value)) {
            print_named(s, c, f, value);
        }
        if (strcmp(f->name, "congestion") == 0) {
            print_congestion(c);
        }
    }
}

static void print_window(const struct ackd_header *h, uint32_t shift)
{
    shift = h->syn ? 0 : shift; /* never scaled on SYN: RFC 7323 section 2.2 */
    printf("window %u, shift %" PRIu32 ", scaled %" PRIu32 " bytes", h->window, shift,
           (uint32_t)h->window << (shift > 14 ? 14 : shift));
}

static void print_headers(const struct show *s, const struct ackd_connection *c)
{
    if (s->rows) {
        putchar('\n');
    }
    print_head(s, c);
    if (!c->has_last_received && !c->has_last_sent) {
        puts(c->state == ACKD_STATE_LISTEN ? "  a listener has no last header: its connections have"
                                           : "  its last headers are not remembered any more");
    }
    if (c->has_last_received) {
        puts("last received:");
        headerbox_print(stdout, &c->last_received, c->irs, c->iss);
        print_window(&c->last_received, c->snd_wscale);
        printf("; the send window is %" PRIu32 " bytes\n", c->snd_wnd);
    }
    if (c->has_last_sent) {
        puts("last sent:");
        headerbox_print(stdout, &c->last_sent, c->iss, c->irs);
        print_window(&c->last_sent, c->rcv_wscale);
        printf("; free in the receive buffer now: %" PRIu32 " of %" PRIu32 " bytes\n",
               c->rcv_space_bytes, c->rcv_buffer_bytes);
    }
}

static bool each(void *context, const struct ackd_connection *c)
{
    struct show *s = context;
    if (s->header) {
        print_headers(s, c);
    } else if (s->count || s->dump) {
        print_values(s, c);
    } else {
        print_everything(s, c);
    }
    s->rows++;
    return !ctl_cancelled();
}

static int show_all(struct show *s)
{
    struct query query;
    int code = query_begin(s->ctl, &query, NULL, 0, STATES_ALL, 0);
    if (!code) {
        struct query_list list = {
            .query = &query, .view = ACKD_VIEW_FULL, .each = each, .context = s};
        code = s->ctl->json ? query_run_json(s->ctl, list) : query_run(s->ctl, &list);
        query_end(&query);
    }
    return code;
}

static int show_one(struct show *s, const char *text)
{
    struct ackd_error err = {0};
    struct ackd_connection c;
    uint64_t id;
    int code = selector_resolve(s->ctl, text, 0, &id);
    if (code) {
        return code;
    }
    if (ackd_get(s->ctl->ackd, id, &c, &err) < 0) {
        return ctl_fail(s->ctl, text, &err);
    }
    if (s->ctl->json) {
        return ctl_print_json(s->ctl, ackd_reply(s->ctl->ackd));
    }
    each(s, &c);
    return EXIT_DONE;
}

static int list_fields(void)
{
    for (size_t i = 0; i < ackd_field_count(); i++) {
        const struct ackd_field *f = ackd_field_at(i);
        printf("%s\t%s\t%s\t%s\n", f->name, f->type, f->unit, f->doc);
    }
    return EXIT_DONE;
}

/* The words after the selector. */
static int parse_fields(struct show *s, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "dump") == 0 && count == 1) {
            s->dump = true;
            return 0;
        }
        int field = ackd_field_find(words[i]);
        if (field < 0) {
            return ctl_usage(s->ctl, "there is no field '%s'; `ackctl show --fields` lists them",
                             words[i]);
        }
        if (s->count == FIELDS_MAX) {
            return ctl_usage(s->ctl, "more than %d fields: use `dump`", FIELDS_MAX);
        }
        s->field[s->count++] = field;
    }
    return 0;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct show s = {.ctl = ctl};
    struct args args = ctl_args(ctl, argc, argv);
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        if (key == SHOW_FIELDS) {
            return list_fields();
        }
        s.header = true;
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands == 0) {
        return ctl_usage(ctl, "which endpoint? An id, @LABEL, :PORT, LOCAL>PEER, or all");
    }
    if ((code = parse_fields(&s, argv + 1, args.operands - 1)) != 0) {
        return code;
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    s.now_known = !ctl->json && !s.count && !s.dump && !s.header && ctl_daemon_now(ctl, &s.now_ns);
    if (strcmp(argv[0], "all") == 0) {
        s.with_id = !s.dump; /* dump has the id among its fields */
        return show_all(&s);
    }
    return show_one(&s, argv[0]);
}

const struct verb verb_show = {
    .name = "show",
    .operands = "SELECTOR|all [FIELD...|dump]",
    .summary = "show one connection: everything, single values, or the last headers",
    .details =
        "FIELD is a name of `show --fields`, with or without its unit (cwnd, srtt); values are "
        "bare and separated by tabs, with the id in\n"
        "front after `all`; dump is every field in the order of --fields. An unknown value is -. "
        "--json prints the whole\n"
        "message, whichever FIELDs are named: one connection as Inspect.Get answers it, `all` as "
        "ls does.",
    .complete = "selector",
    .options = options,
    .run = run,
};
