/* All that is set must match; a list matches any of its values. */
#include "rpc/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int read_ids(struct filter *f, const Ackd__V1__Filter *m)
{
    if (m->n_ids == 0) {
        return 0;
    }
    f->ids = calloc(m->n_ids, sizeof *f->ids);
    if (!f->ids) {
        return -ENOMEM;
    }
    memcpy(f->ids, m->ids, m->n_ids * sizeof *f->ids);
    f->n_ids = (unsigned)m->n_ids;
    qsort(f->ids, f->n_ids, sizeof *f->ids, compare_ids);
    return 0;
}

static bool read_states(struct filter *f, const Ackd__V1__Filter *m)
{
    for (size_t i = 0; i < m->n_states; i++) {
        if (m->states[i] < ACKD__V1__STATE__STATE_CLOSED ||
            m->states[i] > ACKD__V1__STATE__STATE_TIME_WAIT) {
            return false;
        }
        f->states |= 1u << (m->states[i] - 1);
    }
    return true;
}

static bool read_ports(struct filter_ports *out, unsigned *n, size_t n_messages,
                       Ackd__V1__PortRange **messages)
{
    if (n_messages > FILTER_PORTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < n_messages; i++) {
        const Ackd__V1__PortRange *m = messages[i];
        uint32_t last = m->last ? m->last : m->first;
        if (m->first > last || last > 65535) {
            return false;
        }
        out[(*n)++] = (struct filter_ports){(uint16_t)m->first, (uint16_t)last};
    }
    return true;
}

static bool read_prefix(struct ip_prefix *out, bool *has, const char *text)
{
    *has = text[0] != '\0';
    return !*has || ip_prefix_parse(text, out);
}

static const char *read_all(struct filter *f, const Ackd__V1__Filter *m)
{
    if (m->n_ids > FILTER_IDS_MAX) {
        return "filter.ids";
    }
    if (!read_states(f, m)) {
        return "filter.states";
    }
    if (m->family != 0 && m->family != 4 && m->family != 6) {
        return "filter.family";
    }
    if (!read_prefix(&f->local, &f->has_local, m->local_prefix)) {
        return "filter.local_prefix";
    }
    if (!read_prefix(&f->remote, &f->has_remote, m->remote_prefix)) {
        return "filter.remote_prefix";
    }
    if (!read_ports(f->local_ports, &f->n_local_ports, m->n_local_ports, m->local_ports)) {
        return "filter.local_ports";
    }
    if (!read_ports(f->remote_ports, &f->n_remote_ports, m->n_remote_ports, m->remote_ports)) {
        return "filter.remote_ports";
    }
    if (strlen(m->label) > LABEL_MAX) {
        return "filter.label";
    }
    return NULL;
}

int filter_read(struct filter *f, const Ackd__V1__Filter *m, const char **field)
{
    memset(f, 0, sizeof *f);
    if (!m) {
        return 0;
    }
    *field = read_all(f, m);
    if (*field) {
        return -EINVAL;
    }
    f->family = (uint8_t)m->family;
    memcpy(f->label, m->label, strlen(m->label) + 1);
    f->has_uid = m->uid_known_case == ACKD__V1__FILTER__UID_KNOWN_UID;
    f->uid = f->has_uid ? m->uid : 0;
    f->listener = m->listener_id;
    return read_ids(f, m);
}

void filter_clear(struct filter *f)
{
    free(f->ids);
    f->ids = NULL;
    f->n_ids = 0;
}

void filter_fail(struct grpc_call *call, int error, const char *field)
{
    if (error == -EINVAL) {
        call_fail_field(call, field, "%s: not a value that can match anything", field);
    } else {
        call_fail_errno(call, -error, "the filter");
    }
}

static bool port_matches(const struct filter_ports *ports, unsigned n, uint16_t port)
{
    for (unsigned i = 0; i < n; i++) {
        if (port >= ports[i].first && port <= ports[i].last) {
            return true;
        }
    }
    return n == 0;
}

static bool owner_matches(const struct rpc *rpc, const struct filter *f, uint64_t id)
{
    if (!f->has_uid && !f->label[0]) {
        return true;
    }
    const struct endpoint *e = endpoint_find(rpc, id);
    return e && (!f->has_uid || e->uid == f->uid) &&
           (!f->label[0] || strcmp(e->label, f->label) == 0);
}

bool filter_match(const struct rpc *rpc, const struct filter *f, const struct filter_subject *s)
{
    if (f->n_ids && !bsearch(&s->id, f->ids, f->n_ids, sizeof *f->ids, compare_ids)) {
        return false;
    }
    if (f->states && !(f->states & (1u << s->state | 1u << s->old_state))) {
        return false;
    }
    bool any_family = ip_addr_is_none(&s->tuple->local); /* a listener on every address */
    if (f->family && !any_family && (f->family == 4) != ip_addr_is_v4(&s->tuple->local)) {
        return false;
    }
    if (f->has_local && !ip_prefix_contains(&f->local, &s->tuple->local)) {
        return false;
    }
    if (f->has_remote && !ip_prefix_contains(&f->remote, &s->tuple->remote)) {
        return false;
    }
    return port_matches(f->local_ports, f->n_local_ports, s->tuple->local_port) &&
           port_matches(f->remote_ports, f->n_remote_ports, s->tuple->remote_port) &&
           (!f->listener || f->listener == s->listener) && owner_matches(rpc, f, s->id);
}
