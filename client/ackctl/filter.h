/* ss's filter language, read to a tree and evaluated on rows.
 *
 *     filter  = and { ("or" | "|" | "||") and }
 *     and     = not { ["and" | "&" | "&&"] not }
 *     not     = ("not" | "!") not | "(" filter ")" | test
 *     test    = "all" | states | port | host | field | selector
 *     states  = ("state" | "exclude") STATE {("state" | "exclude") STATE}       several add up
 *     port    = ("sport" | "dport") [OP] [":"]PORT
 *     host    = ("src" | "dst") ["=" | "!="] ADDR["/"LEN][":"PORT]
 *     field   = NAME OP VALUE                                          NAME as `show` prints it, or
 * id, uid, label, owner, … selector= ID | "@"LABEL | ":"PORT (either side) | LOCAL">"PEER OP      =
 * "=" "==" "!=" "<" ">" "<=" ">=" eq ne lt gt le ge neq
 */
#ifndef ACKCTL_FILTER_H
#define ACKCTL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "hostport.h"

/* What a filter looks at. */
struct filter_row {
    uint64_t id, listener_id;
    int state;
    struct net_addr local, remote;
    uint16_t local_port, remote_port;
    const char *label, *command, *service;
    bool uid_known;
    uint32_t uid;
    const void *fields; /* passed to filter_fields.value */
    /* Only identity and state are known (an event, say): a test of anything else then counts as
     * true. */
    bool partial;
};

/* The caller's table of numeric fields. */
struct filter_fields {
    bool (*known)(const char *name);
    /* False: this row has no value (then no comparison holds). */
    bool (*value)(const void *fields, const char *name, int64_t *value);
};

struct filter;

/* Reads `words` (each may hold several tokens). NULL with a sentence in `error` when they are no
 * filter; no words give a filter that takes everything. `fields` must outlive the filter. */
struct filter *filter_parse(const char *const *words, size_t count,
                            const struct filter_fields *fields, char *error, size_t error_size);
void filter_free(struct filter *filter);

bool filter_match(const struct filter *filter, const struct filter_row *row);

/* Does it test fields that only a full view has? */
bool filter_needs_fields(const struct filter *filter);

/* Does it look at addresses? If not, those of a row may be left out. */
bool filter_needs_addresses(const struct filter *filter);

/* What must hold of every row that matches, as far as the server's own filter can say it: sent
 * along so that less comes back. Ranges and addresses at their widest mean "no such limit". */
struct filter_hint {
    uint32_t states; /* bits; STATES_ALL: no limit */
    uint64_t id, listener_id;
    struct net_addr local, remote;
    unsigned local_bits, remote_bits;
    uint16_t local_first, local_last, remote_first, remote_last;
    char label[64];
    bool uid_known;
    uint32_t uid;
    bool impossible; /* nothing can match */
};
/* Says the hint all that the filter says? */
bool filter_is_pushed_whole(const struct filter *filter);
void filter_push_down(const struct filter *filter, struct filter_hint *hint);

#endif
