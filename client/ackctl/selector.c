/* A selector is a filter that must match one endpoint. */
#include "selector.h"

#include <string.h>
#include "filter.h"
#include "query.h"
#include "rows.h"
#include "states.h"
#include "table.h"
#include "units.h"

#define CANDIDATES_MAX 20

struct search {
    uint32_t preferred;
    size_t found, found_preferred;
    uint64_t id, preferred_id;
    struct table table; /* of the first candidates */
};

static bool each(void *context, const struct ackd_connection *row)
{
    struct search *s = context;
    s->id = row->id;
    if (s->preferred & STATE_BIT(row->state)) {
        s->preferred_id = row->id;
        s->found_preferred++;
    }
    if (++s->found <= CANDIDATES_MAX) {
        rows_add_candidate(&s->table, row);
    }
    return true;
}

static int search(struct ctl *ctl, char *const *words, int count, struct search *s)
{
    struct query query;
    int code = query_begin(ctl, &query, words, count, STATES_ALL, 0);
    if (code) {
        return code;
    }
    rows_begin_candidates(&s->table);
    code = query_run(
        ctl,
        &(struct query_list){.query = &query, .view = ACKD_VIEW_BASIC, .each = each, .context = s});
    query_end(&query);
    return code;
}

static int ambiguous(const struct ctl *ctl, const char *text, struct search *s)
{
    ctl_complain(ctl, "'%s' is ambiguous, %zu endpoints match:", text, s->found);
    table_print(&s->table, stderr, true, false, 0);
    if (s->found > CANDIDATES_MAX) {
        fprintf(stderr, "... and %zu more\n", s->found - CANDIDATES_MAX);
    }
    return EXIT_USAGE;
}

int selector_resolve(struct ctl *ctl, const char *text, uint32_t preferred, uint64_t *id)
{
    struct search s = {.preferred = preferred};
    char *words[3] = {(char *)text};
    int count = 1, code;
    if (number_parse(text, UINT64_MAX, id)) {
        return *id ? 0 : ctl_usage(ctl, "ids count from 1");
    }
    if (text[0] != '@' && !strchr(text, ':') && !strchr(text, '>')) {
        return ctl_usage(ctl, "'%s' names no endpoint: an id, @LABEL, :PORT or LOCAL>PEER does",
                         text);
    }
    if (text[0] == ':' && !strchr(text, '>')) {
        words[0] = "sport", words[1] = "=", words[2] = (char *)text, count = 3;
    }
    if ((code = search(ctl, words, count, &s)) != 0) {
        return code;
    }
    if (count == 3 && !s.found) {
        words[0] = "dport";
        table_discard(&s.table);
        if ((code = search(ctl, words, count, &s)) != 0) {
            return code;
        }
    }
    if (s.found > 1 && s.found_preferred != 1) {
        return ambiguous(ctl, text, &s);
    }
    table_discard(&s.table);
    if (!s.found) {
        ctl_complain(ctl, "no endpoint matches '%s'; `ackctl ls` has them all", text);
        return EXIT_NO_SUCH_ID;
    }
    *id = s.found_preferred == 1 ? s.preferred_id : s.id;
    return 0;
}
