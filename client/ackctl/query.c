/* Filters against rows of libackd. */
#include "query.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "states.h"

static bool field_known(const char *name)
{
    int index = ackd_field_find(name);
    const struct ackd_field *field = index < 0 ? NULL : ackd_field_at((size_t)index);
    return field && (strncmp(field->type, "uint", 4) == 0 || strncmp(field->type, "int", 3) == 0 ||
                     strcmp(field->type, "bool") == 0);
}

static bool field_value(const void *fields, const char *name, int64_t *value)
{
    char text[64], *end;
    if (!fields || ackd_field_value(fields, ackd_field_find(name), text, sizeof text) <= 0) {
        return false;
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *value = text[0] == 't';
        return true;
    }
    *value = strtoll(text, &end, 10);
    return !*end;
}

static const struct filter_fields fields = {field_known, field_value};

int query_begin(const struct ctl *ctl, struct query *query, char *const *words, int count,
                uint32_t states, unsigned family)
{
    char error[200];
    memset(query, 0, sizeof *query);
    query->tree =
        filter_parse((const char *const *)words, (size_t)count, &fields, error, sizeof error);
    if (!query->tree) {
        return ctl_usage(ctl, "%s", error);
    }
    filter_push_down(query->tree, &query->hint);
    query->needs_fields = filter_needs_fields(query->tree);
    query->needs_addresses = family != 0 || filter_needs_addresses(query->tree);
    query->states = states;
    query->family = family;
    return 0;
}

void query_end(struct query *query)
{
    filter_free(query->tree);
    query->tree = NULL;
}

static const char *prefix_text(const struct net_addr *addr, unsigned bits, char text[64])
{
    if (!addr->family) {
        return NULL;
    }
    inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->bytes, text, 50);
    snprintf(text + strlen(text), 8, "/%u", bits);
    return text;
}

/* A range of ports for the wire; everything is no range. */
static size_t port_range(uint16_t first, uint16_t last, struct ackd_port_range *range)
{
    *range = (struct ackd_port_range){first, last};
    return first > 0 || last < 65535;
}

const struct ackd_filter *query_wire(struct query *query)
{
    const struct filter_hint *h = &query->hint;
    struct ackd_filter *w = &query->wire;
    uint32_t states = h->states & query->states;
    memset(w, 0, sizeof *w);
    if (h->impossible) { /* nothing will match here; an empty range would only confuse the daemon */
        return w;
    }
    if (h->id) {
        query->id = h->id;
        w->ids = &query->id;
        w->id_count = 1;
    }
    if (states != STATES_ALL) {
        for (int s = 1; s < ST_COUNT; s++) {
            if (states & STATE_BIT(s)) {
                query->state_list[w->state_count++] = (enum ackd_state)s;
            }
        }
        w->states = query->state_list;
    }
    w->family = query->family;
    w->local_prefix = prefix_text(&h->local, h->local_bits, query->local_prefix);
    w->remote_prefix = prefix_text(&h->remote, h->remote_bits, query->remote_prefix);
    w->local_port_count = port_range(h->local_first, h->local_last, &query->local_range);
    w->local_ports = &query->local_range;
    w->remote_port_count = port_range(h->remote_first, h->remote_last, &query->remote_range);
    w->remote_ports = &query->remote_range;
    w->label = *h->label ? h->label : NULL;
    w->has_uid = h->uid_known;
    w->uid = h->uid;
    w->listener_id = h->listener_id;
    return w;
}

static bool match(const struct query *query, struct filter_row *row,
                  const struct ackd_endpoint *local, const struct ackd_endpoint *remote)
{
    if (query->needs_addresses) {
        net_addr_parse(local->address, &row->local);
        net_addr_parse(remote->address, &row->remote);
    }
    row->local_port = local->port;
    row->remote_port = remote->port;
    if (query->family && row->local.family && row->local.family != query->family) {
        return false;
    }
    return row->state > 0 && row->state < ST_COUNT && (query->states & STATE_BIT(row->state)) &&
           filter_match(query->tree, row);
}

bool query_match(const struct query *query, const struct ackd_connection *c)
{
    struct filter_row row = {
        .id = c->id,
        .listener_id = c->listener_id,
        .state =
            c->state == ACKD_STATE_CLOSED && c->last_state ? (int)c->last_state : (int)c->state,
        .label = c->label,
        .command = c->owner.command,
        .service = c->service,
        .uid_known = true,
        .uid = c->owner.uid,
        .fields = c->message,
    };
    return match(query, &row, &c->local, &c->remote);
}

bool query_match_event(const struct query *query, uint64_t id, enum ackd_state state,
                       const struct ackd_endpoint *local, const struct ackd_endpoint *remote)
{
    struct filter_row row = {
        .id = id, .state = (int)state, .label = "", .command = "", .service = "", .partial = true};
    return match(query, &row, local, remote);
}

int query_run(struct ctl *ctl, const struct query_list *want)
{
    struct ackd_error err = {0};
    struct ackd_connection row = {0};
    struct ackd_list_request request = {
        .filter = query_wire(want->query), .view = want->view, .closed = want->closed};
    if (want->closed) { /* their state is CLOSED; what was asked for is the last one, which is
                           tested here */
        want->query->wire.state_count = 0;
    }
    if (want->query->needs_fields) {
        request.view = ACKD_VIEW_FULL;
    }
    struct ackd_list *list = ackd_list(ctl->ackd, &request, &err);
    if (!list) {
        return ctl_fail(ctl, NULL, &err);
    }
    enum ackd_next next, (*step)(struct ackd_list *, struct ackd_connection *, int,
                                 struct ackd_error *) = ackd_list_next;
    if (want->brief && request.view == ACKD_VIEW_BASIC && !want->closed) {
        step = ackd_list_next_brief;
    }
    uint32_t rows = 0;
    while ((next = step(list, &row, ACKD_FOREVER, &err)) == ACKD_ITEM) {
        if (want->instance_id) {
            snprintf(want->instance_id, 64, "%s", ackd_list_instance_id(list));
        }
        if (!query_match(want->query, &row)) {
            continue;
        }
        if (!want->each(want->context, &row) || ++rows == want->limit) {
            break;
        }
    }
    if (want->instance_id && next == ACKD_END) {
        snprintf(want->instance_id, 64, "%s", ackd_list_instance_id(list));
    }
    ackd_list_free(list);
    return next == ACKD_FAILED ? ctl_fail(ctl, NULL, &err) : 0;
}

/* ---- the listing as one object ---- */

struct list {
    struct ctl *ctl;
    size_t rows;
    char instance_id[64];
};

static void list_head(const struct list *list)
{
    bool pretty = list->ctl->json == JSON_PRETTY;
    fputs(pretty ? "{\n  \"schema\": \"ackd.v1\",\n  \"instance_id\": "
                 : "{\"schema\":\"ackd.v1\",\"instance_id\":",
          stdout);
    print_json_string(stdout, list->instance_id);
    fputs(pretty ? ",\n  \"connections\": [" : ",\"connections\":[", stdout);
}

static bool each_row(void *context, const struct ackd_connection *row)
{
    struct list *list = context;
    bool pretty = list->ctl->json == JSON_PRETTY;
    if (list->rows++ == 0) {
        list_head(list);
    } else {
        putchar(',');
    }
    fputs(pretty ? "\n    " : "", stdout);
    return print_json(stdout, row->message, pretty, 4) == 0 && !ctl_cancelled();
}

/* The rows stream out as they come. */
int query_run_json(struct ctl *ctl, struct query_list want)
{
    struct list list = {.ctl = ctl};
    want.each = each_row;
    want.context = &list;
    want.instance_id = list.instance_id;
    int code = query_run(ctl, &want);
    if (!list.rows && code) {
        return code;
    }
    if (!list.rows) {
        list_head(&list);
    }
    fputs(ctl->json == JSON_PRETTY ? list.rows ? "\n  ]\n}\n" : "]\n}\n" : "]}\n", stdout);
    return code;
}
