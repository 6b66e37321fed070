/* Control-block sharing (RFC 9040 section 6, temporal): a bounded cache of what connections learned
 * about the way between two addresses. The RFC leaves open what is done with it; the default is
 * what Linux's tcp_metrics do:
 * - a round-trip time larger than the handshake's makes the first RTO that much larger, because the
 *   handshake's small packets may have been lucky (it never makes it smaller);
 * - ssthresh is kept, and used only where `share_ssthresh` says so: a bottleneck that was busy
 *   yesterday would end slow start too early today;
 * - cwnd is not shared: after the pause it describes nothing.
 * The cookie of TCP Fast Open lives here, too (fast_open.c), and whether AccECN gets through
 * (ecn/accecn_path.c). The path MTU is not here but in net/,
 * for all protocols, as RFC 8201 section 5.2 and RFC 9040 section 6.1 want it.
 *
 * A larger time is taken over at once, a smaller one by eighths, so that one lucky connection does
 * not undo what ten others saw. Entries are found by a keyed hash; at the limit the one that was
 * longest unused gives way. */
#include "tcp/metrics.h"
#include "tcp/tcb.h"

#include <string.h>

static uint32_t bucket_of(const struct tcp_engine *e, const struct ip_addr *local,
                          const struct ip_addr *remote)
{
    uint8_t in[32];
    memcpy(in, local->b, 16);
    memcpy(in + 16, remote->b, 16);
    return (uint32_t)(siphash13(&e->tuple_key, in, sizeof in) % METRICS_BUCKETS);
}

bool metrics_init(struct tcp_engine *e)
{
    struct metrics *m = &e->metrics;
    list_init(&m->recency);
    slab_init(&m->slab, e->arena, sizeof(struct metrics_entry));
    m->bucket = arena_alloc(e->arena, METRICS_BUCKETS * sizeof *m->bucket);
    if (m->bucket) {
        memset(m->bucket, 0, METRICS_BUCKETS * sizeof *m->bucket);
    }
    return m->bucket;
}

static void entry_free(struct tcp_engine *e, struct metrics_entry *entry)
{
    struct metrics_entry **at = &e->metrics.bucket[bucket_of(e, &entry->local, &entry->remote)];
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    list_remove(&entry->recency);
    slab_free(&e->metrics.slab, entry);
    e->metrics.entries--;
}

void metrics_free(struct tcp_engine *e)
{
    tcp_metrics_clear(e, NULL);
    arena_release(e->arena, e->metrics.bucket, METRICS_BUCKETS * sizeof *e->metrics.bucket);
}

struct metrics_entry *metrics_find(const struct tcp_engine *e, const struct tcp_tuple *t)
{
    struct metrics_entry *entry = e->metrics.bucket[bucket_of(e, &t->local, &t->remote)];
    while (entry && !(ip_addr_equal(&entry->local, &t->local) &&
                      ip_addr_equal(&entry->remote, &t->remote))) {
        entry = entry->next;
    }
    return entry;
}

static struct metrics_entry *entry_new(struct tcp_engine *e, const struct tcp_tuple *t)
{
    struct metrics *m = &e->metrics;
    if (!e->config.max_metrics) {
        return NULL;
    }
    if (m->entries >= e->config.max_metrics) {
        e->counters.metrics_evicted++;
        entry_free(e, container_of(m->recency.prev, struct metrics_entry, recency));
    }
    struct metrics_entry *entry = slab_alloc(&m->slab);
    if (!entry) {
        return NULL;
    }
    struct metrics_entry **head = &m->bucket[bucket_of(e, &t->local, &t->remote)];
    entry->local = t->local;
    entry->remote = t->remote;
    entry->srtt_ns = entry->rttvar_ns = -1;
    entry->next = *head;
    *head = entry;
    list_init(&entry->recency);
    m->entries++;
    return entry;
}

struct metrics_entry *metrics_need(struct tcp_engine *e, const struct tcp_tuple *t, ackd_time now)
{
    struct metrics_entry *entry = metrics_find(e, t);
    entry = entry ? entry : entry_new(e, t);
    if (entry) {
        entry->updated = now;
        list_remove(&entry->recency);
        list_insert_after(&e->metrics.recency, &entry->recency);
    }
    return entry;
}

static int64_t merge(int64_t old, int64_t seen)
{
    return old < 0 || seen > old ? seen : old - (old - seen) / 8;
}

static uint32_t merge_ssthresh(uint32_t old, const struct tcb *c)
{
    if (c->flow->cc.ssthresh ==
        UINT32_MAX) { /* slow start never ended: more than half of it fits */
        return old && c->flow->cc.cwnd / 2 > old ? c->flow->cc.cwnd / 2 : old;
    }
    return old ? old / 2 + c->flow->cc.ssthresh / 2 : c->flow->cc.ssthresh;
}

void metrics_learn(struct tcp_engine *e, const struct tcb *c, ackd_time now)
{
    if (!c->options->v.share_metrics || time_is_never(c->established) || c->rtt.srtt_ns < 0) {
        return;
    }
    struct metrics_entry *entry = metrics_need(e, &c->t.rec.tuple, now);
    if (entry) {
        entry->srtt_ns = merge(entry->srtt_ns, c->rtt.srtt_ns);
        entry->rttvar_ns = merge(entry->rttvar_ns, c->rtt.rttvar_ns);
        entry->ssthresh = c->flow ? merge_ssthresh(entry->ssthresh, c) : entry->ssthresh;
    }
}

void metrics_apply(struct tcp_engine *e, struct tcb *c, ackd_time now)
{
    const struct tcp_options *o = &c->options->v;
    const struct metrics_entry *m = o->share_metrics ? metrics_find(e, &c->t.rec.tuple) : NULL;
    if (!m) {
        return;
    }
    if (c->rtt.srtt_ns >= 0 && m->srtt_ns > c->rtt.srtt_ns) {
        int64_t least = 2 * m->srtt_ns > o->rto_min_ns ? 2 * m->srtt_ns : o->rto_min_ns;
        int64_t var = (m->srtt_ns + least - c->rtt.srtt_ns) / 4; /* RTO = SRTT + 4 * RTTVAR */
        c->rtt.rttvar_ns = c->rtt.rttvar_ns > var ? c->rtt.rttvar_ns : var;
    }
    if (o->share_ssthresh && m->ssthresh && flow_need(e, c, now)) {
        uint32_t least = 2 * send_mss(c);
        c->flow->cc.ssthresh = m->ssthresh > least ? m->ssthresh : least;
    }
}

/* ---- for the operator ---- */

unsigned tcp_metrics_list(const struct tcp_engine *e, unsigned skip, struct tcp_metrics *out,
                          unsigned max)
{
    unsigned n = 0;
    list_for_each(link, &e->metrics.recency)
    {
        if (skip) {
            skip--;
            continue;
        }
        if (n == max) {
            break;
        }
        const struct metrics_entry *m = container_of(link, const struct metrics_entry, recency);
        out[n++] = (struct tcp_metrics){
            .local = m->local,
            .remote = m->remote,
            .updated = m->updated,
            .srtt_ns = m->srtt_ns,
            .rttvar_ns = m->rttvar_ns,
            .ssthresh = m->ssthresh,
            .mss = m->fast_open.mss,
            .fast_open_cookie_len = m->fast_open.cookie_len,
            .fast_open_losses = m->fast_open.losses,
            .fast_open_good_after = m->fast_open.good_after,
            .accecn_failures = m->accecn.failures,
            .accecn_offer_after = m->accecn.offer_after,
        };
    }
    return n;
}

unsigned tcp_metrics_clear(struct tcp_engine *e, const struct ip_addr *remote)
{
    unsigned n = 0;
    list_for_each_safe(link, tmp, &e->metrics.recency)
    {
        struct metrics_entry *m = container_of(link, struct metrics_entry, recency);
        if (!remote || ip_addr_equal(&m->remote, remote)) {
            entry_free(e, m);
            n++;
        }
    }
    return n;
}
