/* A table is collected, then printed: only then are the widths known. Cells lie one after the other
 * in one block, so that a hundred thousand rows cost their text and little more. Nobody else writes
 * meanwhile, so that the stream is not locked for each cell. */
#include "table.h"

#include <stdint.h>
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

/* All but the continuation bytes of UTF-8. */
static bool is_first(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        n += is_first(*text);
    }
    return n;
}

/* Before each cell: what it takes in memory and on a terminal, found out once. */
struct cell {
    uint32_t length, width;
};

static void put(struct table *table, const char *text, struct cell cell)
{
    size_t room = sizeof cell + cell.length + 1;
    if (table->size - table->used < room) {
        size_t size = table->size * 2 + room + 4096;
        char *grown = realloc(table->text, size);
        if (!grown) {
            table->failed = true;
            return;
        }
        table->text = grown;
        table->size = size;
    }
    memcpy(table->text + table->used, &cell, sizeof cell);
    memcpy(table->text + table->used + sizeof cell, text, cell.length + 1);
    table->used += room;
}

static struct cell measure(const char *text)
{
    struct cell cell = {.length = (uint32_t)strlen(text)};
    for (size_t i = 0; i < cell.length; i++) {
        cell.width += is_first(text[i]);
    }
    return cell;
}

void table_row(struct table *table, const char *const *cells, const char *remark)
{
    if (table->failed) {
        return;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *text = cells[i] ? cells[i] : "";
        struct cell cell = measure(text);
        table->width[i] = cell.width > table->width[i] ? cell.width : table->width[i];
        put(table, text, cell);
    }
    remark = remark ? remark : "";
    put(table, remark, measure(remark));
}

/* The next of the cells, which follow each other in memory. */
static const char *take(const char **at, struct cell *cell)
{
    const char *text = *at + sizeof *cell;
    memcpy(cell, *at, sizeof *cell);
    *at = text + cell->length + 1;
    return text;
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

static void pad(FILE *out, size_t n)
{
    static const char blanks[] = "                                ";
    for (size_t part; n > 0; n -= part) {
        part = n < sizeof blanks - 1 ? n : sizeof blanks - 1;
        fwrite_unlocked(blanks, 1, part, out);
    }
}

/* `text` in `width` columns, the last of which is an ellipsis when it does not fit. */
static void print_cell(FILE *out, const char *text, struct cell cell, size_t width, bool right,
                       bool last)
{
    size_t have = cell.width;
    if (have > width) {
        size_t n = 0;
        for (const char *at = text; *at; at++) {
            n += is_first(*at);
            if (n >= width) {
                break;
            }
            putc_unlocked(*at, out);
        }
        fputs("…", out);
        have = width;
    } else {
        pad(out, right ? width - have : 0);
        fwrite_unlocked(text, 1, cell.length, out);
    }
    if (!last) {
        pad(out, right ? 2 : width - have + 2);
    }
}

static void print_header(const struct table *table, FILE *out, bool bold)
{
    fputs(bold ? "\033[1m" : "", out);
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *title = table->columns[i].title;
        print_cell(out, title, measure(title), table->width[i], table->columns[i].right,
                   i + 1 == table->n_columns);
    }
    fputs(bold ? "\033[0m\n" : "\n", out);
}

/* No blanks behind the last cell that says something. */
static const char *print_row(const struct table *table, FILE *out, const char *at)
{
    const char *text[TABLE_COLUMNS_MAX];
    struct cell cell[TABLE_COLUMNS_MAX], remark;
    size_t used = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        text[i] = take(&at, &cell[i]);
        used = cell[i].length ? i + 1 : used;
    }
    for (size_t i = 0; i < used; i++) {
        print_cell(out, text[i], cell[i], table->width[i], table->columns[i].right, i + 1 == used);
    }
    const char *behind = take(&at, &remark);
    if (remark.length) {
        fprintf(out, *behind == '\n' ? "%s" : "\t%s", behind);
    }
    putc_unlocked('\n', out);
    return at;
}

void table_print(struct table *table, FILE *out, bool header, bool bold, unsigned width)
{
    if (width) {
        fit(table, width);
    }
    if (header) {
        print_header(table, out, bold);
    }
    const char *at = table->text;
    const char *end = table->used ? at + table->used : at;
    while (at < end && !table->failed) {
        at = print_row(table, out, at);
    }
    table_discard(table);
}

void table_discard(struct table *table)
{
    free(table->text);
    memset(table, 0, sizeof *table);
}
