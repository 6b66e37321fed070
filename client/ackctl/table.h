/* Columns of text, as wide as their widest cell. */
#ifndef ACKCTL_TABLE_H
#define ACKCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct column {
    const char *title;
    bool right; /* numbers */
    bool give;  /* may be cut when the terminal is too narrow */
};

struct table {
    const struct column *columns;
    size_t n_columns;
    size_t width[TABLE_COLUMNS_MAX];
    char *text; /* cells, each behind its size and ended by NUL; a row's remark follows its cells */
    size_t used, size;
    bool failed; /* out of memory */
};

void table_init(struct table *table, const struct column *columns, size_t n_columns);
/* One row; NULL cells are empty. `remark` (may be NULL) follows the row behind a tab: ss's extra
 * information. */
void table_row(struct table *table, const char *const *cells, const char *remark);
/* Prints and frees. `width`: of the terminal, 0 when it is none (then nothing is cut). */
void table_print(struct table *table, FILE *out, bool header, bool bold, unsigned width);

/* Frees without printing. */
void table_discard(struct table *table);

/* Columns that `text` takes on a terminal: its code points. */
size_t text_width(const char *text);

#endif
