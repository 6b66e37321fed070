/* Connections as rows of a table: ls, kill and the candidates of an ambiguous selector. */
#ifndef ACKCTL_ROWS_H
#define ACKCTL_ROWS_H

#include "ctl.h"
#include "table.h"

/* Which columns, by name. */
struct columns {
    size_t count;
    struct column column[TABLE_COLUMNS_MAX];
    int field[TABLE_COLUMNS_MAX]; /* index for ackd_field_value(), or one of rows.c's own */
    char titles[TABLE_COLUMNS_MAX][32];
    bool full; /* some need view FULL */
};

extern const char rows_default[], rows_closed[];

/* "id,state,cwnd". False with the name that means nothing in `wrong`. */
bool columns_parse(const char *list, struct columns *columns, char wrong[40]);

/* Extra information behind a row: ss's -o -e -m -i -p. */
struct extras {
    bool timers, extended, memory, internal, processes, one_line;
    int64_t now_ns;
};

void rows_add(struct table *table, const struct columns *columns, const struct ackd_connection *row,
              const struct extras *extras);

void rows_begin_candidates(struct table *table);
void rows_add_candidate(struct table *table, const struct ackd_connection *row);

/* "curl[4711]", "echo" for a built-in service, "-". */
char *owner_format(const struct ackd_connection *row, char text[96]);

#endif
