/* ackctl completion: scripts for bash, zsh and fish, written from the table of verbs, so that they
 * know exactly what ackctl knows. Ids and labels are asked of the daemon when they are needed. */
#include <string.h>
#include "optset.h"
#include "verbs.h"

/* "-a --all " for every option of a table. */
static void print_words(const struct opt *options)
{
    for (const struct opt *o = options; o && o->key; o++) {
        if (o->key < ARGS_NAMES) {
            printf(" -%c", o->key);
        }
        if (o->name) {
            printf(" --%s", o->name);
        }
    }
}

static void print_names(void)
{
    for (size_t i = 0; i < verb_count; i++) {
        printf("%s%s", i ? " " : "", verbs[i]->name);
    }
}

/* Are the words that the operands can be known beforehand? */
static bool is_fixed(const struct verb *v)
{
    static const char *const asked[] = {"selector", "filter", "option", "host"};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        if (strcmp(v->complete, asked[i]) == 0) {
            return false;
        }
    }
    return true;
}

static void print_fixed(const struct verb *v)
{
    if (strcmp(v->complete, "verb") == 0) {
        print_names();
    } else {
        fputs(v->complete, stdout);
    }
}

/* A command (the same in all three shells) that asks for them. */
static void print_question(const struct verb *v)
{
    if (strcmp(v->complete, "host") == 0) {
        fputs("getent hosts 2>/dev/null | sed \"s/^[^ ]* *//\"", stdout);
        return;
    }
    fputs("ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null",
          stdout);
    if (strcmp(v->complete, "filter") == 0) {
        fputs("; echo state exclude sport dport src dst and or not", stdout);
    } else if (strcmp(v->complete, "option") == 0) {
        fputs("; echo label=", stdout);
        for (size_t i = 0; optset_name(i); i++) {
            printf(" %s=", optset_name(i));
        }
    }
}

/* Prints the operands' words, or the question for them, between what the shell wants around it. */
static void print_operands(const struct verb *v, const char *before_fixed, const char *after_fixed,
                           const char *before, const char *after)
{
    if (is_fixed(v)) {
        fputs(before_fixed, stdout);
        print_fixed(v);
        fputs(after_fixed, stdout);
    } else {
        fputs(before, stdout);
        print_question(v);
        fputs(after, stdout);
    }
}

static void print_bash(void)
{
    fputs("# bash completion for ackctl, made by `ackctl completion bash`.\n"
          "_ackctl() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} verb='' i words=''\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n"
          "        -i | -H | --socket | --instance | --host | --timeout) ((i++)) ;;\n"
          "        -*) ;;\n"
          "        *) verb=${COMP_WORDS[i]}; break ;;\n"
          "        esac\n"
          "    done\n"
          "    case $verb in\n"
          "    '') words='",
          stdout);
    print_names();
    print_words(global_options);
    print_words(common_options);
    fputs("' ;;\n", stdout);
    for (size_t i = 0; i < verb_count; i++) {
        printf("    %s)\n        if [[ $cur == -* ]]; then words='", verbs[i]->name);
        print_words(verbs[i]->options);
        print_words(common_options);
        fputs("'\n        else words=", stdout);
        print_operands(verbs[i], "'", "'", "$(", ")");
        fputs("; fi ;;\n", stdout);
    }
    fputs("    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "}\n"
          "complete -o default -F _ackctl ackctl\n",
          stdout);
}

/* Text inside '...' of a shell, with the characters that zsh's specs give a meaning taken out. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else if (*text == '[' || *text == ']' || *text == ':') {
            printf("\\%c", *text);
        } else {
            putchar(*text);
        }
    }
}

static void print_zsh_option(const char *dashes, const char *name, const struct opt *o)
{
    const char *value = o->kind == ARG_NONE       ? ""
                        : o->kind == ARG_OPTIONAL ? dashes[1] ? "=-" : "-"
                        : dashes[1]               ? "="
                                                  : "+";
    printf(" \\\n            '%s%s%s[", dashes, name, value);
    print_quoted(o->help);
    fputs("]", stdout);
    if (o->kind != ARG_NONE) {
        printf("%s:", o->kind == ARG_OPTIONAL ? ":" : "");
        print_quoted(o->value);
        fputs(":_files", stdout);
    }
    putchar('\'');
}

static void print_zsh_options(const struct opt *options)
{
    for (const struct opt *o = options; o && o->key; o++) {
        char letter[2] = {(char)o->key, 0};
        if (o->key < ARGS_NAMES) {
            print_zsh_option("-", letter, o);
        }
        if (o->name) {
            print_zsh_option("--", o->name, o);
        }
    }
}

static void print_zsh(void)
{
    fputs("#compdef ackctl\n"
          "# zsh completion for ackctl, made by `ackctl completion zsh`.\n"
          "_ackctl() {\n"
          "    local -a verbs\n"
          "    verbs=(\n",
          stdout);
    for (size_t i = 0; i < verb_count; i++) {
        printf("        '%s:", verbs[i]->name);
        print_quoted(verbs[i]->summary);
        fputs("'\n", stdout);
    }
    fputs("    )\n"
          "    local context state state_descr line\n"
          "    typeset -A opt_args\n"
          "    _arguments -C",
          stdout);
    print_zsh_options(global_options);
    print_zsh_options(common_options);
    fputs(" \\\n            '1:command:->verb' '*::operand:->operand'\n"
          "    case $state in\n"
          "    verb) _describe command verbs ;;\n"
          "    operand)\n"
          "        case $line[1] in\n",
          stdout);
    for (size_t i = 0; i < verb_count; i++) {
        printf("        %s) _arguments", verbs[i]->name);
        print_zsh_options(verbs[i]->options);
        print_zsh_options(common_options);
        fputs(" \\\n            \"*:operand:(", stdout);
        print_operands(verbs[i], "", "", "$(", ")");
        fputs(")\" ;;\n", stdout);
    }
    fputs("        esac ;;\n"
          "    esac\n"
          "}\n"
          "_ackctl \"$@\"\n",
          stdout);
}

/* Text inside '...' of fish, where only \ and ' need a backslash. */
static void print_fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        printf("%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    }
    putchar('\'');
}

static void print_fish_options(const char *condition, const struct opt *options)
{
    for (const struct opt *o = options; o && o->key; o++) {
        printf("complete -c ackctl -n '%s'", condition);
        if (o->key < ARGS_NAMES) {
            printf(" -s %c", o->key);
        }
        if (o->name) {
            printf(" -l %s", o->name);
        }
        fputs(o->kind == ARG_REQUIRED ? " -r -d " : " -d ", stdout);
        print_fish_text(o->help);
        putchar('\n');
    }
}

static void print_fish(void)
{
    char condition[96];
    fputs("# fish completion for ackctl, made by `ackctl completion fish`.\n", stdout);
    print_fish_options("__fish_use_subcommand", global_options);
    print_fish_options("true", common_options);
    for (size_t i = 0; i < verb_count; i++) {
        printf("complete -c ackctl -f -n __fish_use_subcommand -a %s -d ", verbs[i]->name);
        print_fish_text(verbs[i]->summary);
        putchar('\n');
        snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %s", verbs[i]->name);
        print_fish_options(condition, verbs[i]->options);
        printf("complete -c ackctl -f -n '%s' -a '", condition);
        print_operands(verbs[i], "", "", "(begin; ", "; end | string split \" \")");
        fputs("'\n", stdout);
    }
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    struct args args = ctl_args(ctl, argc, argv);
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < 3 && args.operands == 1; i++) {
        if (strcmp(argv[0], shells[i].shell) == 0) {
            shells[i].print();
            return EXIT_DONE;
        }
    }
    return ctl_usage(ctl, "for which shell: bash, zsh or fish?");
}

const struct verb verb_completion = {
    .name = "completion",
    .operands = "bash|zsh|fish",
    .summary = "print a completion script for a shell",
    .complete = "bash zsh fish",
    .run = run,
};
