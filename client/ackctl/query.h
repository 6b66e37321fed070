/* A filter on its way to the daemon: what the daemon can test itself is sent along, the rest is
 * tested here. */
#ifndef ACKCTL_QUERY_H
#define ACKCTL_QUERY_H

#include "ctl.h"
#include "filter.h"

struct query {
    struct filter *tree;
    struct filter_hint hint;
    uint32_t states;      /* bits; a row's state must be among them, too */
    unsigned family;      /* 4, 6, or 0 */
    bool needs_fields;    /* rows must come with view FULL */
    bool needs_addresses; /* the filter looks at them */
    struct ackd_filter wire;
    uint64_t id;
    enum ackd_state state_list[16];
    struct ackd_port_range local_range, remote_range;
    char local_prefix[64], remote_prefix[64];
};

/* From the words of a filter. 0, or the exit code after the error was printed. `query` must stay
 * where it is. */
int query_begin(const struct ctl *ctl, struct query *query, char *const *words, int count,
                uint32_t states, unsigned family);
void query_end(struct query *query);
/* The filter for the daemon. */
const struct ackd_filter *query_wire(struct query *query);

bool query_match(const struct query *query, const struct ackd_connection *row);
/* An event of a connection of which only this is known. */
bool query_match_event(const struct query *query, uint64_t id, enum ackd_state state,
                       const struct ackd_endpoint *local, const struct ackd_endpoint *remote);

/* Calls `each` for every row that matches until it answers false. 0, or the exit code after the
 * error was printed. `instance_id` (may be NULL) has room for 64 bytes and is filled before the
 * first call. */
struct query_list {
    struct query *query;
    enum ackd_view view;
    bool closed;
    bool brief;     /* `each` looks at nothing but what view BASIC tells, and at no message */
    uint32_t limit; /* of rows that match; 0: none */
    char *instance_id;
    bool (*each)(void *context, const struct ackd_connection *row);
    void *context;
};
int query_run(struct ctl *ctl, const struct query_list *list);
/* The same, printed: {"schema":"ackd.v1","instance_id":...,"connections":[...]}. `each` and what
 * belongs to it are not looked at. */
int query_run_json(struct ctl *ctl, struct query_list list);

#endif
