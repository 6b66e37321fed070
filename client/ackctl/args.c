/* Options as getopt_long reads them (POSIX utility conventions 10.2 with GNU's long names and
 * permutation), from one table per verb that help and completion read, too; getopt keeps its state
 * in globals and cannot be asked for its names. */
#include "args.h"

#include <stdio.h>
#include <string.h>

static int fail(struct args *args, const char *what, const char *option, const char *why)
{
    snprintf(args->error, sizeof args->error, "%s%s%s", what, option, why);
    return ARGS_ERROR;
}

static const struct opt *find_letter(const struct args *args, char letter)
{
    for (int t = 0; t < 2; t++) {
        for (const struct opt *o = args->tables[t]; o && o->key; o++) {
            if (o->key == letter) {
                return o;
            }
        }
    }
    return NULL;
}

/* An exact name wins over a prefix, in whichever table it stands. *several is set when the word
 * means more than one. */
static const struct opt *find_name(const struct args *args, const char *word, size_t length,
                                   bool *several)
{
    const struct opt *found = NULL;
    *several = false;
    for (int t = 0; t < 2; t++) {
        for (const struct opt *o = args->tables[t]; o && o->key; o++) {
            if (!o->name || strncmp(o->name, word, length) != 0) {
                continue;
            }
            if (!o->name[length]) {
                *several = false;
                return o;
            }
            *several |= found && strcmp(found->name, o->name) != 0;
            found = found ? found : o;
        }
    }
    return found;
}

static int take_long(struct args *args, char *word)
{
    char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    bool several;
    const struct opt *o = find_name(args, word, length, &several);
    if (!o) {
        return fail(args, "unknown option --", word, "");
    }
    if (several) {
        return fail(args, "ambiguous option --", word, "");
    }
    if (equals && o->kind == ARG_NONE) {
        return fail(args, "option --", o->name, " takes no value");
    }
    args->value = equals ? equals + 1 : NULL;
    if (o->kind == ARG_REQUIRED && !equals) {
        if (args->index >= args->argc) {
            return fail(args, "option --", o->name, " needs a value");
        }
        args->value = args->argv[args->index++];
    }
    return o->key;
}

static int take_letter(struct args *args)
{
    char letter[2] = {*args->cluster++, 0};
    const struct opt *o = find_letter(args, letter[0]);
    if (!o) {
        return fail(args, "unknown option -", letter, "");
    }
    args->value = NULL;
    if (o->kind != ARG_NONE && *args->cluster) {
        args->value = args->cluster;
        args->cluster = NULL;
    } else if (o->kind == ARG_REQUIRED) {
        if (args->index >= args->argc) {
            return fail(args, "option -", letter, " needs a value");
        }
        args->value = args->argv[args->index++];
    }
    return o->key;
}

static int take_rest_as_operands(struct args *args)
{
    while (args->index < args->argc) {
        args->argv[args->operands++] = args->argv[args->index++];
    }
    return ARGS_END;
}

int args_next(struct args *args)
{
    if (args->cluster && *args->cluster) {
        return take_letter(args);
    }
    args->cluster = NULL;
    while (args->index < args->argc) {
        char *word = args->argv[args->index];
        if (word[0] != '-' || !word[1]) { /* a lone "-" is a file name */
            if (args->stop_at_operand) {
                return ARGS_END;
            }
            args->argv[args->operands++] = word;
            args->index++;
            continue;
        }
        args->index++;
        if (strcmp(word, "--") == 0) {
            return args->stop_at_operand ? ARGS_END : take_rest_as_operands(args);
        }
        if (word[1] == '-') {
            return take_long(args, word + 2);
        }
        args->cluster = word + 1;
        return take_letter(args);
    }
    return ARGS_END;
}

int prefix_match(const char *word, const char *const *names, size_t count)
{
    size_t length = strlen(word);
    int found = -1;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], word, length) != 0) {
            continue;
        }
        if (!names[i][length]) {
            return (int)i;
        }
        found = found == -1 ? (int)i : -2;
    }
    return found;
}
