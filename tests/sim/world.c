/* The virtual world of a simulation. Nothing here waits: time is a number that goes to the next
 * instant of interest. */
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "trace.h"

#define PRIMED_FRAMES 256u /* more than an engine keeps idle */
#define FRAME_OFFSET 36u   /* where a device puts the TCP header behind IPv4 */

void world_fail(struct world *w, const char *format, ...)
{
    if (w->failure[0] != 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(w->failure, sizeof(w->failure), format, args);
    va_end(args);
}

/* Eight bytes of a stream. */
static uint64_t pattern_word(uint64_t salt, uint64_t number)
{
    uint64_t x = (number + salt) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 32;
}

void pattern_fill(uint8_t *to, uint64_t salt, uint64_t offset, size_t length)
{
    uint64_t number = offset / 8, word = pattern_word(salt, number);
    size_t skip = offset % 8, head = 8 - skip < length ? 8 - skip : length;
    memcpy(to, (const uint8_t *)&word + skip, head);
    for (to += head, length -= head; length > 0; to += head, length -= head) {
        word = pattern_word(salt, ++number);
        head = length < sizeof(word) ? length : sizeof(word);
        if (head == sizeof(word)) {
            memcpy(to, &word, sizeof(word));
        } else {
            memcpy(to, &word, head);
        }
    }
}

/* Cheaper than a keyed hash, and enough to tell two runs apart. */
static uint64_t digest_add(uint64_t digest, const uint8_t *bytes, size_t length)
{
    uint64_t word;
    for (; length > 0; bytes += length < 8 ? length : 8, length -= length < 8 ? length : 8) {
        word = 0;
        memcpy(&word, bytes, length < 8 ? length : 8);
        digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        digest ^= digest >> 29;
    }
    return digest;
}

/* ---- life ---- */

void world_config_default(struct world_config *config, uint64_t seed)
{
    memset(config, 0, sizeof(*config));
    config->seed = seed;
    config->memory_limit = 512u << 20;
    config->hosts = 2;
    config->left = 1;
    for (unsigned i = 0; i < HOSTS_MAX; i++) {
        config->profile[i] = (struct link_profile){.mtu = 1500, .delay_ns = 10 * NS_PER_MS};
        config->device[i] = (struct tcp_link){.max_frame = 65535};
        tcp_config_default(&config->engine[i]);
        config->engine[i].max_endpoints = 1024;
        config->engine[i].event_ring = 4096;
        config->engine[i].closed_history = 64;
        config->engine[i].defaults.snd_buffer = 1 << 20; /* whoever writes need not wait */
        config->addr[i] = ip_addr_v4(192, 0, 2, (uint8_t)(1 + i));
    }
}

/* Which of the hosts stands left of the bottleneck? */
static bool is_left(const struct world *w, unsigned i)
{
    return i < w->left;
}

/* Whose address it has: a segment may be for the sender itself. */
struct host *world_host(struct world *w, const struct ip_addr *addr, struct host *otherwise)
{
    for (unsigned i = 0; i < w->hosts; i++) {
        if (ip_addr_equal(&w->host[i].addr, addr)) {
            return &w->host[i];
        }
    }
    return otherwise;
}

/* Between two hosts the numbers are relative to the last SYN of each. */
static void print_segment(struct world *w, const struct link *link, ackd_time now,
                          enum link_fate fate, const struct wire_segment *s)
{
    char line[TRACE_LINE];
    if (w->hosts == 2) {
        unsigned from = (unsigned)(link - w->link);
        puts(trace_segment(line, now, w->host[from].name, w->host[1 - from].name, s, fate,
                           w->host[from].iss, w->host[1 - from].iss));
        return;
    }
    trace_segment(line, now, world_host(w, &s->src, w->host)->name,
                  world_host(w, &s->dst, w->host)->name, s, fate, 0, 0);
    printf("%s, link %u, port %u > %u\n", line, (unsigned)(link - w->link),
           s->bytes[0] << 8 | s->bytes[1], s->bytes[2] << 8 | s->bytes[3]);
}

static void trace(void *ctx, const struct link *link, ackd_time now, enum link_fate fate,
                  const struct wire_segment *s)
{
    struct world *w = ctx;
    unsigned from = (unsigned)(link - w->link);
    if (fate == LINK_ARRIVED || fate == LINK_FILTERED) {
        if (!w->verbose) {
            return;
        }
    } else {
        w->digest = digest_add(w->digest ^ (uint64_t)now.ns ^ s->length, s->bytes, s->length);
    }
    struct tcp_hdr h;
    if (from < w->hosts && fate != LINK_ARRIVED && !s->damaged &&
        tcp_hdr_parse(s->bytes, s->length, &h) && h.flags & TCP_SYN) {
        w->host[from].iss = h.seq.v;
    }
    if (w->verbose) {
        print_segment(w, link, now, fate, s);
    }
}

/* The pool keeps some idle frames: it shall have them from the beginning, so that what is in use at
 * the end can be compared. */
static void fill_idle(struct host *h)
{
    struct pkt *frame[PRIMED_FRAMES];
    for (unsigned i = 0; i < PRIMED_FRAMES; i++) {
        frame[i] = pkt_get(tcp_pool(h->engine), PKT_FRAME_CAPACITY);
    }
    for (unsigned i = 0; i < PRIMED_FRAMES; i++) {
        pkt_unref(frame[i]);
    }
}

static void host_init(struct world *w, unsigned i, const struct world_config *config)
{
    struct host *h = &w->host[i];
    static const char *const names[HOSTS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    h->name = names[i];
    h->world = w;
    h->addr = config->addr[i];
    h->out = &w->link[i];
    h->mtu = config->profile[i].mtu;
    h->next_event = 1;
    memory_init(&h->memory, config->memory_limit);
    struct tcp_config c = config->engine[i];
    c.arena = h->memory.arena;
    c.seed0 = config->seed;
    c.seed1 = i;
    h->engine = tcp_engine_new(&c, w->now);
    if (h->engine == NULL) {
        abort();
    }
    tcp_set_link(h->engine, &config->device[i]);
    fill_idle(h);
    h->baseline = memory_used(&h->memory);
}

static void wire(struct world *w, unsigned i, const struct link_profile *profile, unsigned back,
                 uint64_t seed)
{
    link_init(&w->link[i], profile, seed * w->links + i);
    w->link[i].trace = trace;
    w->link[i].ctx = w;
    w->link[i].back = &w->link[back];
}

void world_init(struct world *w, const struct world_config *config)
{
    memset(w, 0, sizeof(*w));
    rng_init(&w->rng, config->seed, UINT64_C(0x776f726c64));
    w->now = time_from_ns(NS_PER_S);
    w->check_every = 1;
    w->hosts = config->hosts;
    w->left = config->left;
    w->links = w->hosts == 2 ? 2 : 2 * w->hosts + 2;
    for (unsigned i = 0; i < w->hosts; i++) {
        unsigned down = w->hosts + 2 + i;
        wire(w, i, &config->profile[i], w->hosts == 2 ? 1 - i : down, config->seed);
        if (w->hosts > 2) {
            wire(w, down, &config->down[i], i, config->seed);
        }
        host_init(w, i, config);
    }
    for (unsigned i = 0; i < 2 && w->hosts > 2; i++) {
        wire(w, w->hosts + i, &config->bottleneck[i], w->hosts + 1 - i, config->seed);
    }
}

void world_free(struct world *w)
{
    for (unsigned i = 0; i < w->links; i++) {
        link_free(&w->link[i]);
    }
    for (unsigned i = 0; i < w->hosts; i++) {
        tcp_engine_free(w->host[i].engine);
        arena_free(w->host[i].memory.arena);
    }
}

unsigned world_in_flight(const struct world *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->links; i++) {
        n += w->link[i].n;
    }
    return n;
}

size_t host_used(const struct host *h)
{
    return memory_used(&h->memory);
}

struct tcp_info host_info(struct host *h, uint64_t id)
{
    struct tcp_info info;
    memset(&info, 0, sizeof(info));
    if (tcp_status(h->engine, h->world->now, id, true, &info) < 0) {
        info.state = TCP_CLOSED;
    }
    return info;
}

/* ---- a step ---- */

void host_input(struct host *h, const struct wire_segment *s)
{
    if (h->door != NULL) {
        h->door->input(h, s);
        return;
    }
    struct pkt *pkt = pkt_get(tcp_pool(h->engine), PKT_FRAME_CAPACITY);
    if (pkt == NULL) {
        return; /* as a device without buffers */
    }
    uint32_t offset = ip_addr_is_v4(&s->src) ? FRAME_OFFSET : FRAME_OFFSET + 20;
    if (offset + s->length > pkt->capacity) {
        abort();
    }
    memcpy(pkt->data + offset, s->bytes, s->length);
    const struct tcp_rx rx = {.src = s->src,
                              .dst = s->dst,
                              .pkt = pkt,
                              .offset = offset,
                              .length = s->length,
                              .gso_size = s->gso_size,
                              .ttl = s->ttl,
                              .tos = s->tos,
                              .checksum_ok = s->checksum_ok,
                              .mtu = h->mtu};
    tcp_input(h->engine, h->world->now, &rx);
    memset(pkt->data, 0xee,
           offset + (pkt->refs == 1 ? s->length : 0)); /* nobody may look at it any more */
    pkt_unref(pkt);
}

/* "Too big", about a segment that this host sent. */
static void host_icmp(struct host *h, const struct wire_segment *s)
{
    if (h->door != NULL) {
        h->door->too_big(h, s);
        return;
    }
    struct tcp_hdr hdr;
    tcp_hdr_parse(s->bytes, s->length, &hdr);
    const struct tcp_icmp icmp = {.kind = TCP_ICMP_TOO_BIG,
                                  .src = s->src,
                                  .dst = s->dst,
                                  .sport = hdr.sport,
                                  .dport = hdr.dport,
                                  .seq = hdr.seq,
                                  .mtu = s->icmp_mtu,
                                  .error = EMSGSIZE};
    tcp_icmp(h->engine, h->world->now, &icmp);
}

/* The next link on the way of a segment that came over link i; NULL: it is there. */
static struct link *next_hop(struct world *w, unsigned i, const struct host *to)
{
    unsigned host = (unsigned)(to - w->host);
    if (w->hosts == 2 || i >= w->hosts + 2) {
        return NULL;
    }
    bool crosses = i < w->hosts && is_left(w, i) != is_left(w, host);
    return crosses ? &w->link[w->hosts + !is_left(w, i)] : &w->link[w->hosts + 2 + host];
}

/* Frees it, or hands it to the next link. */
static void arrive(struct world *w, unsigned i, struct wire_segment *s)
{
    struct host *otherwise = &w->host[w->hosts == 2 ? 1 - i : 0];
    if (s->icmp_mtu > 0) {
        host_icmp(world_host(w, &s->src, otherwise), s);
    } else {
        struct host *to = world_host(w, &s->dst, otherwise);
        struct link *next = next_hop(w, i, to);
        if (next != NULL) {
            link_carry(next, w->now, s);
            return;
        }
        if (!s->damaged) {
            monitor_received(&to->monitor, s);
        }
        host_input(to, s);
    }
    free(s);
}

/* The links are in such an order that what comes over one at once is seen at the next. */
static void deliver(struct world *w)
{
    for (unsigned i = 0; i < w->links; i++) {
        struct wire_segment *s;
        while ((s = link_receive(&w->link[i], w->now)) != NULL) {
            arrive(w, i, s);
        }
    }
}

static bool next_frame(struct host *h, struct tcp_tx *tx)
{
    return h->door != NULL ? h->door->flush(h, tx) : tcp_flush(h->engine, h->world->now, tx);
}

static bool flush(struct world *w, struct host *h)
{
    struct tcp_tx tx;
    unsigned n = 0;
    while (next_frame(h, &tx)) {
        h->kinds[tx.kind]++;
        const char *broken = monitor_sent(&h->monitor, &tx);
        if (broken != NULL) {
            world_fail(w, "%s: what it sent breaks a promise: %s", h->name, broken);
        }
        if (h->refuse_ppm > 0 && rng_below(&w->rng, 1000000) < h->refuse_ppm) {
            tcp_tx_failed(h->engine, w->now, &tx, TCP_TX_LOCAL_DROP, 0);
            if (w->verbose) {
                printf("+%" PRId64 ".%06" PRId64 " %s device refuses %u bytes\n",
                       w->now.ns / NS_PER_S, w->now.ns % NS_PER_S / 1000, h->name, tx.payload_len);
            }
        } else {
            link_send(h->out, w->now, &tx);
        }
        if (++n > 100000) {
            world_fail(w, "%s: tcp_flush() never ends", h->name);
            break;
        }
    }
    return n > 0;
}

static void drain_events(struct world *w, struct host *h)
{
    struct tcp_event e;
    while (tcp_event_next(h->engine, &e)) {
        if (e.number != h->next_event && tcp_counters(h->engine)->events_lost == 0) {
            world_fail(w, "%s: event %" PRIu64 " where %" PRIu64 " was due", h->name, e.number,
                       h->next_event);
        }
        h->next_event = e.number + 1;
        if (e.type != TCP_EVENT_STATE) {
            continue;
        }
        h->state_seen[e.state] = true;
        if (e.state == TCP_CLOSED) {
            h->closes[e.close_reason]++;
            if (w->closed != NULL) {
                w->closed(w, h, &e);
            }
        }
        if (w->verbose) {
            printf("+%" PRId64 ".%06" PRId64 " %s #%" PRIu64 " %s => %s %s\n", e.at.ns / NS_PER_S,
                   e.at.ns % NS_PER_S / 1000, h->name, e.id, tcp_state_name(e.old_state),
                   tcp_state_name(e.state),
                   e.state == TCP_CLOSED ? tcp_close_text[e.close_reason].name : "");
        }
    }
}

static bool serve(struct world *w)
{
    bool any = false;
    for (unsigned i = 0; i < w->hosts; i++) {
        struct tcp_ready ready;
        while (tcp_ready_next(w->host[i].engine, &ready)) {
            any = true;
            if (w->ready != NULL) {
                w->ready(w, &w->host[i], &ready);
            }
        }
    }
    return (w->act != NULL && w->act(w)) || any;
}

static void check(struct world *w)
{
    for (unsigned i = 0; i < w->hosts; i++) {
        struct host *h = &w->host[i];
        const char *what = "";
        int line = tcp_check(h->engine, w->now, &what);
        if (line != 0) {
            world_fail(w, "%s: invariant at line %d does not hold: %s", h->name, line, what);
        }
        if (h->bound > 0 && host_used(h) > h->baseline + h->bound) {
            world_fail(w, "%s: %zu bytes in use, %zu are more than the options allow", h->name,
                       host_used(h), h->baseline + h->bound);
        }
        if (time_reached(tcp_next_deadline(h->engine), w->now)) {
            world_fail(w,
                       "%s: after the timers and the flush the next deadline is not later than now",
                       h->name);
        }
    }
    for (unsigned i = 0; i < w->links; i++) {
        if (w->link[i].stats.oversize > 0) {
            world_fail(w, "link %u: a segment was sent that does not fit into %u bytes", i,
                       w->link[i].profile.mtu);
        }
    }
}

static ackd_time host_deadline(const struct host *h)
{
    return h->door != NULL ? h->door->deadline(h) : tcp_next_deadline(h->engine);
}

static ackd_time next_instant(const struct world *w)
{
    ackd_time next = w->wake != NULL ? w->wake(w) : TIME_NEVER;
    for (unsigned i = 0; i < w->hosts; i++) {
        next = time_min(next, host_deadline(&w->host[i]));
    }
    for (unsigned i = 0; i < w->links; i++) {
        next = time_min(next, link_next(&w->link[i]));
    }
    return next;
}

void world_settle(struct world *w)
{
    deliver(w);
    for (unsigned i = 0; i < w->hosts; i++) {
        if (w->host[i].door != NULL) {
            w->host[i].door->timeout(&w->host[i]);
        } else {
            tcp_timeout(w->host[i].engine, w->now);
        }
    }
    bool more = true;
    for (unsigned rounds = 0; more; rounds++) {
        more = serve(w);
        for (unsigned i = 0; i < w->hosts; i++) {
            more = flush(w, &w->host[i]) || more;
            drain_events(w, &w->host[i]);
        }
        if (rounds > 100000) {
            world_fail(w, "a step never ends");
            break;
        }
    }
    if (w->steps++ % w->check_every == 0) {
        check(w);
    }
}

bool world_step(struct world *w, ackd_time limit)
{
    ackd_time next = next_instant(w);
    if (w->failure[0] != 0 || time_is_never(next) || time_before(limit, next)) {
        w->now = time_is_never(limit) ? w->now : time_max(w->now, limit);
        return false;
    }
    w->now = time_max(w->now, next);
    world_settle(w);
    return w->failure[0] == 0;
}

bool world_until(struct world *w, bool (*done)(struct world *w), ackd_time limit)
{
    world_settle(w);
    while (!done(w)) {
        if (!world_step(w, limit)) {
            return w->failure[0] == 0 && done(w);
        }
    }
    return w->failure[0] == 0;
}

void world_pass(struct world *w, int64_t ns)
{
    ackd_time limit = time_add(w->now, ns);
    world_settle(w);
    while (world_step(w, limit)) {
    }
}

/* ---- diagnosis ---- */

static void diagnose_connection(struct host *h, uint64_t id, FILE *out)
{
    struct tcp_info info = host_info(h, id);
    fprintf(out, "    #%" PRIu64 " %s, not sending because %s\n     ", id,
            tcp_state_name(info.state), tcp_limit_text[info.limit].name);
#define X(type, name, unit, doc) fprintf(out, " %s=%lld", #name, (long long)info.name);
    TCP_INFO_FIELDS(X)
#undef X
    fputc('\n', out);
}

void world_diagnose(struct world *w, FILE *out)
{
    fprintf(out, "  at +%" PRId64 ".%06" PRId64 " s, step %" PRIu64 "\n", w->now.ns / NS_PER_S,
            w->now.ns % NS_PER_S / 1000, w->steps);
    for (unsigned i = 0; i < w->hosts; i++) {
        struct host *h = &w->host[i];
        const struct link_stats *l = &w->link[i].stats;
        fprintf(out,
                "  %s: next deadline %" PRId64 " ns; on its wire %u segments, next at %" PRId64
                " ns; sent %" PRIu64 " lost %" PRIu64 " queue full %" PRIu64 " duplicated %" PRIu64
                " corrupted %" PRIu64 " late %" PRIu64 "\n",
                h->name, tcp_next_deadline(h->engine).ns, w->link[i].n, link_next(&w->link[i]).ns,
                l->segments, l->lost, l->queue_full, l->duplicated, l->corrupted, l->late);
        for (uint64_t id = 0; (id = tcp_next_id(h->engine, id)) != 0;) {
            diagnose_connection(h, id, out);
        }
    }
}
