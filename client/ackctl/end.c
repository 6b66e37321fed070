/* ackctl close, abort and kill: the three ways to end a connection. CLOSE and ABORT are RFC 9293
 * sections 3.9.1.4 and 3.9.1.5; kill aborts whatever a filter matches and prints what it closed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "query.h"
#include "rows.h"
#include "selector.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

#define KILL_BATCH 1024

enum { CLOSE_HALF = ARGS_NAMES };

static const struct opt close_options[] = {
    {CLOSE_HALF, "half", ARG_NONE, NULL,
     "only our direction: no more data from us, receiving goes on"},
    {'w', "wait", ARG_REQUIRED, "S", "wait so long until the peer has acknowledged our FIN"},
    {'v', "verbose", ARG_NONE, NULL, "print the state afterwards"},
    {0},
};

static int run_close(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_error err = {0};
    enum ackd_close_how how = ACKD_CLOSE_HOW_RELEASE;
    enum ackd_state state;
    int64_t wait_ns = 0;
    bool verbose = false;
    uint64_t id;
    int key, code = EXIT_DONE;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        how = key == CLOSE_HALF ? ACKD_CLOSE_HOW_SEND : how;
        verbose |= key == 'v';
        if (key == 'w' && !duration_parse(args.value, &wait_ns)) {
            return ctl_usage(ctl, "-w %s: a number of seconds", args.value);
        }
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands == 0) {
        return ctl_usage(ctl, "which endpoint?");
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    for (int i = 0; i < args.operands && !ctl_cancelled(); i++) {
        int failed = selector_resolve(ctl, argv[i], 0, &id);
        if (!failed && ackd_close(ctl->ackd, id, how, ctl_wait_ms(wait_ns), &state, &err) < 0) {
            failed = ctl_fail(ctl, argv[i], &err);
        } else if (!failed && ctl->json) {
            ctl_print_json(ctl, ackd_reply(ctl->ackd));
        } else if (!failed && verbose) {
            puts(ackd_state_name(state));
        }
        code = failed ? failed : code;
    }
    return code;
}

static int run_abort(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_error err = {0};
    uint64_t id;
    int code = EXIT_DONE;
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands == 0) {
        return ctl_usage(ctl, "which endpoint?");
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    for (int i = 0; i < args.operands && !ctl_cancelled(); i++) {
        int failed = selector_resolve(ctl, argv[i], 0, &id);
        if (!failed && ackd_abort(ctl->ackd, id, &err) < 0) {
            failed = ctl_fail(ctl, argv[i], &err);
        }
        code = failed ? failed : code;
    }
    return code;
}

/* The ids that a filter matches. */
struct ids {
    uint64_t *list;
    size_t count, room;
};

static bool each(void *context, const struct ackd_connection *row)
{
    struct ids *ids = context;
    if (ids->count == ids->room) {
        size_t room = ids->room ? 2 * ids->room : 256;
        uint64_t *grown = realloc(ids->list, room * sizeof *grown);
        if (!grown) {
            return false;
        }
        ids->list = grown;
        ids->room = room;
    }
    ids->list[ids->count++] = row->id;
    return true;
}

/* By id, since the daemon's own filter says less than ss's language; ids are never reused, so
 * nobody else can be hit. */
static int kill_batch(struct ctl *ctl, const uint64_t *ids, size_t count,
                      const struct columns *columns, struct table *table, uint64_t *not_permitted)
{
    struct ackd_error err = {0};
    struct ackd_filter filter = {.ids = ids, .id_count = count};
    struct ackd_killed killed;
    struct ackd_connection row;
    if (ackd_kill(ctl->ackd, &filter, &killed, &err) < 0) {
        return ctl_fail(ctl, NULL, &err);
    }
    *not_permitted += killed.not_permitted;
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    for (size_t i = 0; i < killed.count && ackd_killed_at(ctl->ackd, i, &row) == 0; i++) {
        rows_add(table, columns, &row, NULL);
    }
    return 0;
}

static int kill_all(struct ctl *ctl, const struct ids *ids)
{
    struct columns columns;
    struct table table;
    char wrong[40];
    uint64_t not_permitted = 0;
    int code = 0;
    columns_parse(rows_default, &columns, wrong);
    table_init(&table, columns.column, columns.count);
    for (size_t i = 0; i < ids->count && !code; i += KILL_BATCH) {
        size_t count = ids->count - i < KILL_BATCH ? ids->count - i : KILL_BATCH;
        code = kill_batch(ctl, ids->list + i, count, &columns, &table, &not_permitted);
    }
    table_print(&table, stdout, table.used > 0, ctl->color, ctl->width);
    if (not_permitted) {
        ctl_complain(ctl,
                     "EPERM: %" PRIu64
                     " more match, but belong to others; an administrator may kill them",
                     not_permitted);
        return code ? code : EXIT_NOT_PERMITTED;
    }
    return code;
}

static int run_kill(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    struct query query;
    struct ids ids = {0};
    int code;
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands == 0) {
        return ctl_usage(ctl, "which ones? `kill all` takes every one");
    }
    if ((code = query_begin(ctl, &query, argv, args.operands, STATES_ALL, 0)) != 0) {
        return code;
    }
    code =
        ctl_connect(ctl)
            ? query_run(ctl, &(struct query_list){.query = &query, .each = each, .context = &ids})
            : ctl->exit_code;
    query_end(&query);
    if (!code) {
        code = kill_all(ctl, &ids);
    }
    free(ids.list);
    return code;
}

const struct verb verb_close = {
    .name = "close",
    .operands = "SELECTOR...",
    .summary = "close connections in an orderly way (FIN), or listeners",
    .details = "Gives the endpoint up: data that nobody has read reset the connection. --half "
               "keeps receiving.",
    .complete = "selector",
    .options = close_options,
    .run = run_close,
};

const struct verb verb_abort = {
    .name = "abort",
    .operands = "SELECTOR...",
    .summary = "reset connections (RST)",
    .complete = "selector",
    .run = run_abort,
};

const struct verb verb_kill = {
    .name = "kill",
    .operands = "FILTER",
    .summary = "reset everything that matches, and print what was closed",
    .complete = "filter",
    .run = run_kill,
};
