/* ackctl ls: the listing, with ss's flags and ss's filters.
 *
 * Unlike ss it shows every state unless told otherwise: whoever runs a TCP of their own wants to
 * see LISTEN and TIME-WAIT. `-o` alone is ss's timers; with a list, and in --columns, it chooses
 * columns. */
#include <inttypes.h>
#include <string.h>
#include "query.h"
#include "rows.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

enum { LS_COLUMNS = ARGS_NAMES, LS_CLOSED, LS_FULL, LS_LIMIT };

static const struct opt options[] = {
    {'a', "all", ARG_NONE, NULL, "every state (the default)"},
    {'l', "listening", ARG_NONE, NULL, "only LISTEN"},
    {'t', "tcp", ARG_NONE, NULL, "TCP (there is nothing else)"},
    {'n', "numeric", ARG_NONE, NULL, "numbers instead of names (always)"},
    {'4', "ipv4", ARG_NONE, NULL, "only IPv4"},
    {'6', "ipv6", ARG_NONE, NULL, "only IPv6"},
    {'o', "options", ARG_OPTIONAL, "LIST", "timers; with a LIST of columns: these"},
    {LS_COLUMNS, "columns", ARG_REQUIRED, "LIST",
     "columns by name: id, state, recv-q, send-q, local, peer, label, owner, any field of `show "
     "--fields`"},
    {'e', "extended", ARG_NONE, NULL, "uid, session, listener"},
    {'m', "memory", ARG_NONE, NULL, "buffers"},
    {'i', "info", ARG_NONE, NULL, "TCP's inside: rtt, cwnd, bytes, segments"},
    {'p', "processes", ARG_NONE, NULL, "command and pid of the owner"},
    {'s', "summary", ARG_NONE, NULL, "how many in which state, no list"},
    {'H', "no-header", ARG_NONE, NULL, "no header line"},
    {'O', "oneline", ARG_NONE, NULL, "one line per connection even with -m and -i"},
    {LS_CLOSED, "closed", ARG_NONE, NULL, "the recently closed, and why they closed"},
    {LS_FULL, "full", ARG_NONE, NULL, "with --json: every field"},
    {LS_LIMIT, "limit", ARG_REQUIRED, "N", "at most N rows"},
    {0},
};

struct ls {
    struct ctl *ctl;
    uint32_t states;
    unsigned family;
    bool header, closed, full, summary;
    uint64_t limit;
    const char *list; /* of columns */
    struct columns columns;
    struct extras extras;
    struct table table;
};

/* One option. False when it was none that ls has. */
static bool take(struct ls *ls, int key, const char *value)
{
    switch (key) {
    case 'a':
        ls->states = STATES_ALL;
        break;
    case 'l':
        ls->states = STATE_BIT(ST_LISTEN);
        break;
    case 't':
    case 'n':
        break;
    case '4':
    case '6':
        ls->family = (unsigned)(key - '0');
        break;
    case 'o':
        ls->extras.timers |= !value;
        ls->list = value ? value : ls->list;
        break;
    case LS_COLUMNS:
        ls->list = value;
        break;
    case 'e':
        ls->extras.extended = true;
        break;
    case 'm':
        ls->extras.memory = true;
        break;
    case 'i':
        ls->extras.internal = true;
        break;
    case 'p':
        ls->extras.processes = true;
        break;
    case 's':
        ls->summary = true;
        break;
    case 'H':
        ls->header = false;
        break;
    case 'O':
        ls->extras.one_line = true;
        break;
    case LS_CLOSED:
        ls->closed = true;
        break;
    case LS_FULL:
        ls->full = true;
        break;
    case LS_LIMIT:
        return number_parse(value, UINT32_MAX, &ls->limit) && ls->limit;
    default:
        return false;
    }
    return true;
}

static bool each_row(void *context, const struct ackd_connection *row)
{
    struct ls *ls = context;
    rows_add(&ls->table, &ls->columns, row, &ls->extras);
    return !ls->table.failed && !ctl_cancelled();
}

static int list_table(struct ls *ls, struct query_list *list)
{
    char wrong[40];
    const char *names = ls->list ? ls->list : ls->closed ? rows_closed : rows_default;
    if (!columns_parse(names, &ls->columns, wrong)) {
        return ctl_usage(ls->ctl, "there is no column '%s'", wrong);
    }
    if (ls->extras.timers && !ctl_daemon_now(ls->ctl, &ls->extras.now_ns)) {
        ls->extras.timers = false; /* the listing itself will say what is wrong */
    }
    table_init(&ls->table, ls->columns.column, ls->columns.count);
    list->each = each_row;
    bool full = ls->columns.full || ls->extras.timers || ls->extras.memory || ls->extras.internal;
    list->view = full ? ACKD_VIEW_FULL : ACKD_VIEW_BASIC;
    list->brief = !full;
    int code = query_run(ls->ctl, list);
    bool failed = ls->table.failed;
    table_print(&ls->table, stdout, ls->header && !code, ls->ctl->color, ls->ctl->width);
    if (failed) {
        ctl_complain(ls->ctl, "out of memory");
        return EXIT_LIMIT;
    }
    return code;
}

/* ss -s: from the daemon's own counts, whatever their number. */
static int summary(struct ctl *ctl)
{
    struct ackd_daemon_status status;
    struct ackd_error err = {0};
    if (ackd_daemon_status(ctl->ackd, &status, &err) < 0) {
        return ctl_fail(ctl, NULL, &err);
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    printf("Total: %" PRIu64 "\n", status.endpoints);
    for (size_t i = 0; i < status.state_count; i++) {
        if (status.states[i].count) {
            printf("  %-12s %" PRIu64 "\n", ackd_state_name(status.states[i].state),
                   status.states[i].count);
        }
    }
    return EXIT_DONE;
}

static bool names_columns(const char *list)
{
    struct columns columns;
    char wrong[40];
    return columns_parse(list, &columns, wrong);
}

/* What stands behind the o of "-oem" are more of ss's flags, unless it names columns. */
static bool holds_flags(const char *value)
{
    return value && !value[strspn(value, "alnt46oemipsHOj")] && !names_columns(value);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct ls ls = {.ctl = ctl, .states = STATES_ALL, .header = true};
    struct args args = ctl_args(ctl, argc, argv);
    struct query query;
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        if (key == 'o' && holds_flags(args.value)) {
            args.cluster = args.value;
            args.value = NULL;
        }
        if (!take(&ls, key, args.value)) {
            return ctl_usage(ctl, "--limit %s: a number from 1", args.value);
        }
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    /* `-o id,state`: a comma means nothing in a filter. */
    if (ls.extras.timers && args.operands && strchr(argv[0], ',') && names_columns(argv[0])) {
        ls.list = argv++[0];
        ls.extras.timers = false;
        args.operands--;
    }
    if ((code = query_begin(ctl, &query, argv, args.operands, ls.states, ls.family)) != 0) {
        return code;
    }
    if (!ctl_connect(ctl)) {
        code = ctl->exit_code;
    } else if (ls.summary) {
        code = summary(ctl);
    } else {
        struct query_list list = {
            .query = &query, .closed = ls.closed, .limit = (uint32_t)ls.limit, .context = &ls};
        if (ctl->json) {
            list.view = ls.full || ls.extras.internal ? ACKD_VIEW_FULL : ACKD_VIEW_BASIC;
            code = query_run_json(ctl, list);
        } else {
            code = list_table(&ls, &list);
        }
    }
    query_end(&query);
    return code;
}

const struct verb verb_ls = {
    .name = "ls",
    .operands = "[FILTER]",
    .summary = "list connections, as ss does",
    .details = "FILTER is ss's language: state established '( sport = :80 or dport = :443 )', src "
               "10.0.0.0/8, not dst [2001:db8::1]:443,\n"
               "groups of states (all, connected, synchronized, bucket, big), any numeric field "
               "(cwnd_bytes < 20k), label = web, or a\n"
               "selector: 7, @web, :5000, 'LOCAL>PEER'.",
    .complete = "filter",
    .options = options,
    .run = run,
};
