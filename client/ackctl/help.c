/* Help, from the table of verbs. */
#include <string.h>
#include "optset.h"
#include "verbs.h"

#define INDENT 30

static void print_option(FILE *out, const struct opt *o)
{
    char text[96], letter[5] = "    ";
    if (o->key < ARGS_NAMES) {
        snprintf(letter, sizeof letter, "-%c%s", o->key, o->name ? ", " : "");
    }
    int n = snprintf(text, sizeof text, "  %s%s%s", letter, o->name ? "--" : "",
                     o->name ? o->name : "");
    if (o->kind == ARG_OPTIONAL) {
        snprintf(text + n, sizeof text - (size_t)n, "[=%s]", o->value);
    } else if (o->kind == ARG_REQUIRED) {
        snprintf(text + n, sizeof text - (size_t)n, " %s", o->value);
    }
    if (strlen(text) > INDENT - 2) {
        fprintf(out, "%s\n%*s%s\n", text, INDENT, "", o->help);
    } else {
        fprintf(out, "%-*s%s\n", INDENT, text, o->help);
    }
}

static void print_options(FILE *out, const char *title, const struct opt *options)
{
    if (!options) {
        return;
    }
    fprintf(out, "\n%s:\n", title);
    for (const struct opt *o = options; o->key; o++) {
        print_option(out, o);
    }
}

void help_verb(FILE *out, const struct verb *v)
{
    fprintf(out, "ackctl %s%s%s%s\n  %s\n", v->name, v->options ? " [OPTIONS]" : "",
            *v->operands ? " " : "", v->operands, v->summary);
    if (v->details) {
        fputs("\n  ", out);
        for (const char *at = v->details; *at; at++) {
            putc(*at, out);
            if (*at == '\n') {
                fputs("  ", out);
            }
        }
        putc('\n', out);
    }
    if (strcmp(v->complete, "option") == 0) {
        fputs("\nNames:\n", out);
        for (size_t i = 0; optset_name(i); i++) {
            char takes[OPTSET_TAKES];
            int width = fprintf(out, "  %s=%s", optset_name(i), optset_takes(i, takes));
            if (width > INDENT) {
                fprintf(out, "\n%*s", INDENT + 2, "");
            } else {
                fprintf(out, "%*s", INDENT + 2 - width, "");
            }
            fprintf(out, "%s\n", optset_doc(i));
        }
    }
    print_options(out, "Options", v->options);
    print_options(out, "Every command", common_options);
}

void help_all(FILE *out)
{
    fputs("ackctl [OPTIONS] [COMMAND [OPTIONS] ...]\n"
          "  look into and steer the connections of an ackd daemon; without a command: a short "
          "status\n"
          "\nCommands (any unambiguous beginning does):\n",
          out);
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, "  %-12s%s\n", verbs[i]->name, verbs[i]->summary);
    }
    print_options(out, "Options before the command", global_options);
    print_options(out, "Options anywhere", common_options);
    fputs(
        "\nExit codes: 0 done, 1 a TCP outcome (refused, reset, timed out), 2 usage or ambiguous, "
        "3 daemon unreachable,\n"
        "4 no such id, 5 not permitted, 6 limit or quota, 124 --timeout ran out, 130 interrupted.\n"
        "`ackctl help COMMAND` explains one command; see also ackctl(1).\n",
        out);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    int several;
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands == 0) {
        help_all(stdout);
        return EXIT_DONE;
    }
    const struct verb *verb = verb_find(argv[0], &several);
    if (!verb) {
        return no_verb(ctl, argv[0], several);
    }
    help_verb(stdout, verb);
    return EXIT_DONE;
}

const struct verb verb_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "explain ackctl, or one command",
    .complete = "verb",
    .run = run,
};
