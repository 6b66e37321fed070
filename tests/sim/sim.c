/* The simulation: for each seed two engines, a random link, random options and random users, at
 * least 1 MB of data, every byte checked, every invariant checked at every step, an orderly end,
 * and no memory left behind.
 *
 *     sim --seeds 1-1000 [--floors]   one line for each failing seed, the mechanisms that fired, "N
 * passed, N failed" sim --seed N [--verbose]        one seed; every segment with --verbose
 *
 * With --floors the run fails, too, when a mechanism fired less often than it must: a simulation
 * that provokes nothing proves nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "users.h"

#define TIME_LIMIT_NS (4 * 3600 * NS_PER_S)
#define FLOOR_SEEDS 1000 /* the floors below are for so many */

struct totals {
    struct tcp_counters counters;
    struct link_stats link;
    uint64_t closes[TCP_CLOSES];
    uint64_t steps, bytes;
};

static void add_totals(struct totals *t, struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_counters *c = tcp_counters(w->host[i].engine);
#define X(name, unit, doc) t->counters.name += c->name;
        TCP_COUNTERS(X)
#undef X
        for (unsigned k = 0; k < TCP_DROPS; k++) {
            t->counters.drops[k] += c->drops[k];
        }
        for (unsigned k = 0; k < TCP_CLOSES; k++) {
            t->closes[k] += w->host[i].closes[k];
        }
        const struct link_stats *l = &w->link[i].stats;
        t->link.segments += l->segments;
        t->link.frames += l->frames;
        t->link.lost += l->lost;
        t->link.queue_full += l->queue_full;
        t->link.duplicated += l->duplicated;
        t->link.corrupted += l->corrupted;
        t->link.late += l->late;
        t->link.merged += l->merged;
    }
    t->steps += w->steps;
}

/* How long a full queue keeps a segment. */
static int64_t queue_ns(const struct link_profile *p)
{
    return p->rate_bps == 0 ? 0 : (int64_t)(p->queue_bytes * UINT64_C(8000000000) / p->rate_bps);
}

/* Wires that do nothing to a segment, and a peer and queues that answer before the timer fires. */
static bool is_harmless(const struct world *w, const struct users *u)
{
    int64_t queues_ns = queue_ns(&w->link[0].profile) + queue_ns(&w->link[1].profile);
    /* What a SYN carried and the peer did not take goes again. */
    bool harmless = tcp_counters(w->host[0].engine)->fast_open_refused == 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct link_profile *p = &w->link[i].profile;
        const struct link_stats *s = &w->link[i].stats;
        harmless = harmless && p->jitter_ns == 0 && w->host[i].refuse_ppm == 0 &&
                   s->lost + s->queue_full + s->duplicated + s->corrupted + s->late == 0 &&
                   tcp_counters(w->host[i].engine)->fast_open_refused == 0 && /* it goes again */
                   u->options[i].rto_min_ns > u->options[1 - i].delayed_ack_ns + queues_ns;
    }
    return harmless;
}

static void check_harmless(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_counters *c = tcp_counters(w->host[i].engine);
        /* The octet of a window probe that was not taken is sent again by the next; and a tail loss
         * probe does not wait for an ACK that the peer delays (RFC 8985 section 7.2). */
        uint64_t probes = c->zero_window_probes + c->loss_probes;
        uint64_t again = c->retrans_segs > probes ? c->retrans_segs - probes : 0;
        if (c->rto_timeouts + again + c->fast_recoveries > 0) {
            world_fail(w,
                       "%s: %" PRIu64 " timeouts and %" PRIu64
                       " retransmissions on a wire without faults",
                       w->host[i].name, c->rto_timeouts, again);
        }
    }
}

static void check_end(struct world *w, const struct users *u)
{
    if (is_harmless(w, u)) {
        check_harmless(w);
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct user *me = &u->user[i];
        struct host *h = &w->host[i];
        if (me->received != me->to_receive || me->sent != me->to_send) {
            world_fail(w, "%s: sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64 " of %" PRIu64,
                       h->name, me->sent, me->to_send, me->received, me->to_receive);
        }
        tcp_metrics_clear(h->engine, NULL);
        if (host_used(h) != h->baseline) {
            world_fail(w, "%s: %zu bytes in use at the end, %zu at the beginning", h->name,
                       host_used(h), h->baseline);
        }
        uint64_t orderly = h->closes[TCP_CLOSE_NORMAL] + h->closes[TCP_CLOSE_TIME_WAIT_EXPIRED];
        if (orderly == 0) {
            world_fail(w, "%s: the connection did not end in order", h->name);
        }
    }
    if (!w->host[0].state_seen[TCP_TIME_WAIT] && !w->host[1].state_seen[TCP_TIME_WAIT]) {
        world_fail(w, "nobody went through TIME-WAIT");
    }
}

static bool step_and_check(struct world *w)
{
    bool more = world_step(w, time_from_ns(TIME_LIMIT_NS));
    users_check(w);
    return more;
}

/* Runs a seed; false when it failed. */
static bool run_seed(uint64_t seed, bool verbose, struct totals *totals, uint64_t *digest)
{
    struct world *w = malloc(sizeof(*w));
    struct users *u = malloc(sizeof(*u));
    struct world_config config;
    users_random(u, &config, seed);
    world_init(w, &config);
    w->verbose = verbose;
    w->host[0].refuse_ppm = seed % 5 == 0 ? 3000 : 0;
    w->host[1].refuse_ppm = seed % 7 == 0 ? 3000 : 0;
    users_start(u, w);
    world_settle(w);
    while (!users_done(w) && step_and_check(w)) {
    }
    if (!users_done(w)) {
        world_fail(w,
                   "not done: a sent %" PRIu64 "/%" PRIu64 " received %" PRIu64 "/%" PRIu64
                   ", b sent %" PRIu64 "/%" PRIu64 " received %" PRIu64 "/%" PRIu64,
                   u->user[0].sent, u->user[0].to_send, u->user[0].received, u->user[0].to_receive,
                   u->user[1].sent, u->user[1].to_send, u->user[1].received, u->user[1].to_receive);
    } else {
        check_end(w, u);
    }
    bool good = w->failure[0] == 0;
    if (!good) {
        printf("FAIL seed %" PRIu64 ": %s; again: sim --seed %" PRIu64 " --verbose\n", seed,
               w->failure, seed);
        if (verbose) {
            world_diagnose(w, stdout);
        }
    }
    add_totals(totals, w);
    totals->bytes += u->user[0].received + u->user[1].received;
    *digest = w->digest;
    world_free(w);
    free(u);
    free(w);
    return good;
}

/* ---- what must have happened
 * ------------------------------------------------------------------------------------- */

struct floor {
    const char *name;
    uint64_t value, least; /* in FLOOR_SEEDS seeds */
};

static unsigned check_floors(const struct totals *t, uint64_t seeds, bool enforce)
{
    const struct tcp_counters *c = &t->counters;
#define COUNTER(name, least)                                                                       \
    {                                                                                              \
#name, c->name, least                                                                      \
    }
#define DROP(name, least)                                                                          \
    {                                                                                              \
        "drop " #name, c->drops[TCP_DROP_##name], least                                            \
    }
    const struct floor floors[] = {
        COUNTER(rto_timeouts, 6000),
        COUNTER(fast_recoveries, 6000),
        COUNTER(fast_retransmits, 10000),
        COUNTER(limited_transmits, 6000),
        COUNTER(ecn_ce_received, 1000),
        COUNTER(ecn_ece_received, 1000),
        COUNTER(cwr_entries, 500),
        COUNTER(ecn_cwr_sent, 300),
        COUNTER(ecn_fallbacks, 3),
        COUNTER(loss_probes, 1000),
        COUNTER(loss_probe_recoveries, 80),
        COUNTER(reordering_timeouts, 3000),
        COUNTER(lost_retransmissions, 120),
        COUNTER(undos_eifel, 700),
        COUNTER(undos_dsack, 600),
        COUNTER(undos_frto, 4),
        COUNTER(undos_timeout, 600),
        COUNTER(sack_splits, 10000),
        COUNTER(dsack_sent, 6000),
        COUNTER(dsack_received, 6000),
        COUNTER(ooo_segments, 70000),
        COUNTER(duplicate_segments, 10000),
        COUNTER(receive_copied_bytes, 300000000),
        COUNTER(delayed_acks, 9000),
        COUNTER(zero_windows_sent, 3000),
        COUNTER(zero_window_probes, 100),
        COUNTER(keepalive_probes, 20),
        COUNTER(urgent_received, 10000),
        COUNTER(local_drops, 300),
        COUNTER(in_errs, 1000),
        COUNTER(syn_cookies_received, 60),
        COUNTER(user_timeouts_received, 200),
        COUNTER(fast_open_active, 50),
        COUNTER(fast_open_refused, 30),
        DROP(PAWS, 3000),
        DROP(BAD_CHECKSUM, 1000),
        DROP(OLD_DUPLICATE, 10000),
        DROP(OUT_OF_WINDOW, 900),
        {"segments lost", t->link.lost, 10000},
        {"queue full", t->link.queue_full, 200},
        {"segments duplicated", t->link.duplicated, 9000},
        {"segments corrupted", t->link.corrupted, 2000},
        {"segments late", t->link.late, 10000},
        {"segments merged", t->link.merged, 100000},
    };
#undef COUNTER
#undef DROP
    unsigned low = 0;
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        uint64_t least = floors[i].least * seeds / FLOOR_SEEDS;
        bool good = !enforce || floors[i].value >= least;
        printf("%s %-22s %12" PRIu64 " (at least %" PRIu64 ")\n", good ? "  " : "LOW",
               floors[i].name, floors[i].value, least);
        low += !good;
    }
    return low;
}

static int usage(void)
{
    fputs("usage: sim --seeds FIRST-LAST [--floors] | sim --seed N [--verbose]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, last = 100;
    bool verbose = false, floors = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--floors") == 0) {
            floors = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64 "-%" SCNu64, &first, &last) == 2 &&
                   first <= last) {
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64, &first) == 1) {
            last = first;
            i++;
        } else {
            return usage();
        }
    }
    struct totals *totals = calloc(1, sizeof(*totals));
    uint64_t passed = 0, failed = 0, digest = 0, again = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        bool good = run_seed(seed, verbose, totals, &digest);
        if (good && seed % 100 == 0) { /* the same seed gives the same bytes */
            struct totals other = {0};
            run_seed(seed, false, &other, &again);
            if (again != digest) {
                printf("FAIL seed %" PRIu64 ": a second run sent other bytes\n", seed);
                good = false;
            }
        }
        good ? passed++ : failed++;
    }
    unsigned low = check_floors(totals, last - first + 1, floors);
    printf("%" PRIu64 " steps, %" PRIu64 " bytes delivered, digest of the last seed %016" PRIx64
           "\n",
           totals->steps, totals->bytes, digest);
    free(totals);
    if (low > 0) {
        printf("%u mechanisms below their floor\n", low);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed + (low > 0));
    return failed > 0 || low > 0;
}
