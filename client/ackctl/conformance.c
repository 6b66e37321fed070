/* ackctl conformance: what this TCP does of RFC 9293, label by label. The table is that of
 * tests/conformance/ledger.toml, built in: it asks no daemon. */
#include <string.h>
#include <strings.h>
#include "table.h"
#include "verbs.h"

struct label {
    const char *id, *section, *verdict, *says, *why, *test;
};

static const struct label labels[] = {
#include "conformance_rows.h"
};
#define LABELS (sizeof labels / sizeof labels[0])

static const struct opt options[] = {
    {'t', "tests", ARG_NONE, NULL, "the test that shows it, too"},
    {0},
};

static bool wanted(const struct label *label, int argc, char **argv)
{
    bool any = argc == 0;
    for (int i = 0; i < argc && !any; i++) {
        any = strcasecmp(label->id, argv[i]) == 0 || strcasecmp(label->verdict, argv[i]) == 0;
    }
    return any;
}

static void print_label(const struct label *label, bool first, bool pretty)
{
    const struct {
        const char *name, *value;
    } members[] = {{"label", label->id},        {"section", label->section}, {"what", label->says},
                   {"verdict", label->verdict}, {"reason", label->why},      {"test", label->test}};
    fputs(first ? "" : ",", stdout);
    fputs(pretty ? "\n    {" : "{", stdout);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        printf("%s%s\"%s\":%s", i ? "," : "", pretty && i ? " " : "", members[i].name,
               pretty ? " " : "");
        print_json_string(stdout, members[i].value);
    }
    fputs("}", stdout);
}

static int print_labels(const struct ctl *ctl, int argc, char **argv)
{
    bool pretty = ctl->json == JSON_PRETTY, first = true;
    fputs(pretty ? "{\n  \"schema\": \"ackd.v1\",\n  \"labels\": ["
                 : "{\"schema\":\"ackd.v1\",\"labels\":[",
          stdout);
    for (size_t i = 0; i < LABELS; i++) {
        if (wanted(&labels[i], argc, argv)) {
            print_label(&labels[i], first, pretty);
            first = false;
        }
    }
    fputs(pretty ? "\n  ]\n}\n" : "]}\n", stdout);
    return EXIT_DONE;
}

static int print_table(const struct ctl *ctl, bool tests, int argc, char **argv)
{
    static const struct column columns[] = {{"LABEL", false, false},
                                            {"SECTION", false, false},
                                            {"VERDICT", false, false},
                                            {"WHAT", false, true},
                                            {"SHOWN BY", false, false}};
    struct table table;
    table_init(&table, columns, tests ? 5 : 4);
    for (size_t i = 0; i < LABELS; i++) {
        const struct label *l = &labels[i];
        const char *cells[] = {l->id, l->section, l->verdict, l->says, l->test};
        if (wanted(l, argc, argv)) {
            char reason[1024];
            snprintf(reason, sizeof reason, "\n\t%s", l->why);
            table_row(&table, cells, argc && *l->why ? reason : NULL);
        }
    }
    bool failed = table.failed;
    table_print(&table, stdout, true, ctl->color, ctl->width);
    return failed ? EXIT_LIMIT : EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    bool tests = false, known = true;
    int key;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        tests |= key == 't';
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    for (int i = 0; i < args.operands; i++) {
        known = false;
        for (size_t k = 0; k < LABELS && !known; k++) {
            known = wanted(&labels[k], 1, &argv[i]);
        }
        if (!known) {
            return ctl_usage(ctl, "there is no label '%s'", argv[i]);
        }
    }
    return ctl->json ? print_labels(ctl, args.operands, argv)
                     : print_table(ctl, tests, args.operands, argv);
}

const struct verb verb_conformance = {
    .name = "conformance",
    .operands = "[LABEL...]",
    .summary = "print what this TCP does of RFC 9293, label by label",
    .details = "LABEL (MUST-23, SHLD-7) takes only some, and adds the reason of the verdict.",
    .complete = "",
    .options = options,
    .run = run,
};
