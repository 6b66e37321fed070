/* ackctl stats: the daemon's counters, as netstat -s groups them, or as OpenMetrics text. */
#include <inttypes.h>
#include <string.h>
#include "openmetrics.h"
#include "verbs.h"

enum { STATS_OPENMETRICS = ARGS_NAMES };

static const struct opt options[] = {
    {'a', "all", ARG_NONE, NULL, "counters that are zero, too"},
    {STATS_OPENMETRICS, "openmetrics", ARG_NONE, NULL, "OpenMetrics text, for Prometheus"},
    {0},
};

/* Prints the group's name (what stands before the first dot) when it is another than before. */
static void begin_group(const char *name, char group[32])
{
    size_t n = strcspn(name, ".");
    if (strlen(group) == n && strncmp(group, name, n) == 0) {
        return;
    }
    printf("%s%.*s:\n", *group ? "\n" : "", (int)n, name);
    snprintf(group, 32, "%.*s", (int)(n < 31 ? n : 31), name);
}

static void print_groups(const struct ackd_counters *c, bool all)
{
    char group[32] = "";
    for (size_t i = 0; i < c->count; i++) {
        const struct ackd_counter *k = &c->counters[i];
        if (!k->value && !all) {
            continue;
        }
        const char *dot = strchr(k->name, '.');
        begin_group(k->name, group);
        printf("%16" PRIu64 "  %-30s %s\n", k->value, dot ? dot + 1 : k->name, k->meaning);
    }
}

int run_stats(struct ctl *ctl, const char *prefix, bool all, bool openmetrics)
{
    struct ackd_error err = {0};
    struct ackd_counters counters;
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    if (ackd_counters(ctl->ackd, prefix, &counters, &err) < 0) {
        return ctl_fail(ctl, prefix, &err);
    }
    if (counters.count == 0 && prefix) {
        ctl_complain(ctl, "there is no counter whose name begins with '%s'", prefix);
        return EXIT_NO_SUCH_ID;
    }
    if (openmetrics) {
        return openmetrics_print(stdout, &counters) < 0 ? EXIT_LIMIT : EXIT_DONE;
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    print_groups(&counters, all);
    return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    bool all = false, openmetrics = false;
    int key;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        all |= key == 'a';
        openmetrics |= key == STATS_OPENMETRICS;
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands > 1) {
        return ctl_usage(ctl, "one PREFIX at most");
    }
    return run_stats(ctl, args.operands ? argv[0] : NULL, all, openmetrics);
}

const struct verb verb_stats = {
    .name = "stats",
    .operands = "[PREFIX]",
    .summary = "print the daemon's counters, as netstat -s does",
    .details = "PREFIX takes only counters whose names begin so: tcp.drop.",
    .complete = "",
    .options = options,
    .run = run,
};
