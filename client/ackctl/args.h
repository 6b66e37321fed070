/* Reading a command line against a table of options: the table is also what `help`, completion and
 * the manual are checked by. */
#ifndef ACKCTL_ARGS_H
#define ACKCTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

enum arg_kind {
    ARG_NONE,
    ARG_REQUIRED,
    ARG_OPTIONAL, /* only in the same word: -oLIST, --json=short */
};

/* One option. A key under 128 is its letter, too; a table ends with key 0. */
struct opt {
    int key;
    const char *name; /* long name, NULL for none */
    enum arg_kind kind;
    const char *value; /* what the value is called in help */
    const char *help;
};

enum {
    ARGS_END = -1,
    ARGS_ERROR = -2,
    ARGS_NAMES = 256
}; /* keys without a letter count from ARGS_NAMES */

struct args {
    const struct opt *tables[2]; /* the verb's own, then those that every verb has; the first that
                                    knows an option wins */
    int argc;
    char **argv;
    bool stop_at_operand; /* global options end at the verb */
    int index;            /* next word to look at; starts at 0 */
    const char *cluster;  /* rest of "-tan" */
    int operands;         /* operands found so far, moved to argv[0..] */
    const char *value;    /* of the option just returned; NULL when none was given */
    char error[160];
};

/* The next option's key, ARGS_END with the operands in argv[0..operands), or ARGS_ERROR with a
 * sentence in `error`. With stop_at_operand, ARGS_END leaves `index` at the first operand. Long
 * names may be shortened as long as they stay unambiguous. */
int args_next(struct args *args);

/* Which of `names` does `word` mean: an exact match, or the only one that begins with it. -1: none;
 * -2: several. */
int prefix_match(const char *word, const char *const *names, size_t count);

#endif
