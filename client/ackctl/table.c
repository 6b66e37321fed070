/* A table is collected, then printed: only then are the widths known. Cells lie one after the other
 * in one block, so that a hundred thousand rows cost their text and little more. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, const struct column *columns, size_t n_columns)
{
    memset(table, 0, sizeof *table);
    table->columns = columns;
    table->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        table->width[i] = text_width(columns[i].title);
    }
}

size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80; /* all but continuation bytes of UTF-8 */
    }
    return n;
}

static void put(struct table *table, const char *text)
{
    size_t length = strlen(text) + 1;
    if (table->size - table->used < length) {
        size_t size = table->size * 2 + length + 4096;
        char *grown = realloc(table->text, size);
        if (!grown) {
            table->failed = true;
            return;
        }
        table->text = grown;
        table->size = size;
    }
    memcpy(table->text + table->used, text, length);
    table->used += length;
}

void table_row(struct table *table, const char *const *cells, const char *remark)
{
    if (table->failed) {
        return;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *cell = cells[i] ? cells[i] : "";
        size_t width = text_width(cell);
        table->width[i] = width > table->width[i] ? width : table->width[i];
        put(table, cell);
    }
    put(table, remark ? remark : "");
}

/* Takes from the columns that may give, the widest first, down to 6 columns each. */
static void fit(struct table *table, unsigned width)
{
    size_t total = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        total += table->width[i] + 2;
    }
    while (total > width + 2u) {
        size_t widest = table->n_columns;
        for (size_t i = 0; i < table->n_columns; i++) {
            if (table->columns[i].give && table->width[i] > 6 &&
                (widest == table->n_columns || table->width[i] > table->width[widest])) {
                widest = i;
            }
        }
        if (widest == table->n_columns) {
            return;
        }
        table->width[widest]--;
        total--;
    }
}

/* `text` in `width` columns, the last of which is an ellipsis when it does not fit. */
static void print_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
    size_t have = text_width(text);
    if (have > width) {
        size_t n = 0;
        for (const char *at = text; *at; at++) {
            n += ((unsigned char)*at & 0xc0) != 0x80;
            if (n >= width) {
                break;
            }
            putc(*at, out);
        }
        fputs("…", out);
        have = width;
    } else {
        fprintf(out, "%*s%s", right ? (int)(width - have) : 0, "", text);
    }
    if (!last) {
        fprintf(out, "%*s", (int)(right ? 2 : width - have + 2), "");
    }
}

void table_print(struct table *table, FILE *out, bool header, bool bold, unsigned width)
{
    if (width) {
        fit(table, width);
    }
    if (header) {
        fputs(bold ? "\033[1m" : "", out);
        for (size_t i = 0; i < table->n_columns; i++) {
            print_cell(out, table->columns[i].title, table->width[i], table->columns[i].right,
                       i + 1 == table->n_columns);
        }
        fputs(bold ? "\033[0m\n" : "\n", out);
    }
    const char *at = table->used ? table->text : "", *end = at + table->used;
    while (at < end && !table->failed) {
        size_t last = table->n_columns;
        const char *cell = at;
        for (size_t i = 0; i < table->n_columns;
             i++) { /* no blanks behind the last cell that says something */
            last = *cell ? i : last;
            cell += strlen(cell) + 1;
        }
        for (size_t i = 0; i < table->n_columns; i++) {
            if (last < table->n_columns && i <= last) {
                print_cell(out, at, table->width[i], table->columns[i].right, i == last);
            }
            at += strlen(at) + 1;
        }
        if (*at) {
            fprintf(out, *at == '\n' ? "%s" : "\t%s", at);
        }
        putc('\n', out);
        at += strlen(at) + 1;
    }
    table_discard(table);
}

void table_discard(struct table *table)
{
    free(table->text);
    memset(table, 0, sizeof *table);
}
