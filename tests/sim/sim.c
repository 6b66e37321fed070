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
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "meddler.h"
#include "signing.h"
#include "users.h"

#define TIME_LIMIT_NS (4 * 3600 * NS_PER_S)
#define FLOOR_SEEDS 1000 /* the floors below are for so many */

struct totals {
    struct tcp_counters counters;
    struct link_stats link;
    struct meddler_stats meddler;
    uint64_t closes[TCP_CLOSES];
    uint64_t steps, bytes;
    uint64_t signed_with[TCP_KEY_ALGORITHMS], key_changes; /* connections; wishes */
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
        t->link.marked += l->marked;
        t->link.bursts += l->bursts;
        t->link.burst_lost += l->burst_lost;
        t->link.acks_lost += l->acks_lost;
        t->link.acks_held += l->acks_held;
        t->link.acks_thinned += l->acks_thinned;
        t->link.queue_marked += l->queue_marked;
        t->link.bucket_passed += l->bucket_passed;
        t->link.too_big += l->too_big;
        t->link.icmp_sent += l->icmp_sent;
    }
    t->steps += w->steps;
}

/* How long a full queue keeps a segment, or an ACK is held. */
static int64_t queue_ns(const struct link_profile *p)
{
    int64_t queue =
        p->rate_bps == 0 ? 0 : (int64_t)(p->queue_bytes * UINT64_C(8000000000) / p->rate_bps);
    return queue + p->ack_hold_ns;
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
        harmless =
            harmless && p->jitter_ns == 0 && w->host[i].refuse_ppm == 0 &&
            s->lost + s->queue_full + s->duplicated + s->corrupted + s->late + s->too_big == 0 &&
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

static void add_meddler(struct totals *t, const struct meddler_stats *m)
{
    t->meddler.windows_taken += m->windows_taken;
    t->meddler.reneged += m->reneged;
    t->meddler.acks_split += m->acks_split;
    t->meddler.acks_repeated += m->acks_repeated;
    t->meddler.options_taken += m->options_taken;
}

/* Runs a seed; false when it failed. */
static bool run_seed(uint64_t seed, bool verbose, struct totals *totals, uint64_t *digest)
{
    struct world *w = malloc(sizeof(*w));
    struct users *u = malloc(sizeof(*u));
    struct world_config config;
    struct meddler meddler = {.stats = {0}};
    struct signing signing = {.algorithm = TCP_KEY_NONE};
    users_random(u, &config, seed);
    world_init(w, &config);
    if (seed % 4 == 1) { /* one of the two misbehaves */
        unsigned peer = seed / 4 % 2;
        meddler_init(&meddler, seed, &w->link[peer], &w->link[1 - peer]);
    } else { /* nobody meddles with what is signed */
        signing_random(&signing, w, seed);
    }
    w->verbose = verbose;
    w->host[0].refuse_ppm = seed % 5 == 0 ? 3000 : 0;
    w->host[1].refuse_ppm = seed % 7 == 0 ? 3000 : 0;
    users_start(u, w);
    world_settle(w);
    while (!users_done(w) && step_and_check(w)) {
        signing_step(&signing, w, u);
    }
    if (!users_done(w)) {
        world_fail(w,
                   "not done: a sent %" PRIu64 "/%" PRIu64 " received %" PRIu64 "/%" PRIu64
                   ", b sent %" PRIu64 "/%" PRIu64 " received %" PRIu64 "/%" PRIu64,
                   u->user[0].sent, u->user[0].to_send, u->user[0].received, u->user[0].to_receive,
                   u->user[1].sent, u->user[1].to_send, u->user[1].received, u->user[1].to_receive);
    } else {
        check_end(w, u);
        signing_check(&signing, w);
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
    add_meddler(totals, &meddler.stats);
    totals->signed_with[signing.algorithm]++;
    totals->key_changes += signing.changes;
    totals->bytes += u->user[0].received + u->user[1].received;
    *digest = w->digest;
    world_free(w);
    free(u);
    free(w);
    return good;
}

/* ---- what must have happened ---- */

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
        COUNTER(rto_timeouts, 7000),
        COUNTER(fast_recoveries, 15000),
        COUNTER(fast_retransmits, 25000),
        COUNTER(limited_transmits, 35000),
        COUNTER(ecn_ce_received, 10000),
        COUNTER(ecn_ece_received, 60000),
        COUNTER(cwr_entries, 10000),
        COUNTER(ecn_cwr_sent, 9500),
        COUNTER(ecn_fallbacks, 3),
        COUNTER(loss_probes, 2000),
        COUNTER(loss_probe_recoveries, 100),
        COUNTER(reordering_timeouts, 4000),
        COUNTER(lost_retransmissions, 250),
        COUNTER(undos_eifel, 1500),
        COUNTER(undos_dsack, 1000),
        COUNTER(undos_frto, 4),
        COUNTER(undos_timeout, 1500),
        COUNTER(sack_splits, 45000),
        COUNTER(dsack_sent, 10000),
        COUNTER(dsack_received, 10000),
        COUNTER(ooo_segments, 200000),
        COUNTER(duplicate_segments, 25000),
        COUNTER(receive_copied_bytes, 700000000),
        COUNTER(delayed_acks, 20000),
        COUNTER(zero_windows_sent, 15000),
        COUNTER(zero_window_probes, 600),
        COUNTER(keepalive_probes, 300),
        COUNTER(urgent_received, 30000),
        COUNTER(local_drops, 850),
        COUNTER(in_errs, 3000),
        COUNTER(syn_cookies_received, 75),
        COUNTER(fast_open_active, 45),
        COUNTER(fast_open_refused, 45),
        DROP(PAWS, 9500),
        DROP(BAD_CHECKSUM, 3000),
        DROP(OLD_DUPLICATE, 20000),
        DROP(OUT_OF_WINDOW, 3000),
        {"segments lost", t->link.lost, 45000},
        {"queue full", t->link.queue_full, 1000},
        {"segments duplicated", t->link.duplicated, 20000},
        {"segments corrupted", t->link.corrupted, 5000},
        {"segments late", t->link.late, 40000},
        {"segments merged", t->link.merged, 200000},
        COUNTER(pmtu_reductions, 75),
        {"marked by chance", t->link.marked, 10000},
        {"marked by the queue", t->link.queue_marked, 1000},
        {"bursts of loss", t->link.bursts, 700},
        {"lost in bursts", t->link.burst_lost, 2000},
        {"ACKs lost", t->link.acks_lost, 15000},
        {"ACKs held", t->link.acks_held, 150000},
        {"ACKs thinned", t->link.acks_thinned, 15000},
        {"passed by the bucket", t->link.bucket_passed, 400000},
        {"too big for a hop", t->link.too_big, 250},
        {"ICMP too big", t->link.icmp_sent, 250},
        {"windows taken back", t->meddler.windows_taken, 50000},
        {"claims not kept", t->meddler.reneged, 250},
        {"ACKs split", t->meddler.acks_split, 15000},
        {"ACKs repeated", t->meddler.acks_repeated, 2500},
        {"options taken", t->meddler.options_taken, 7000},
        COUNTER(sack_reneges, 230),
        COUNTER(window_shrunk, 12000),
        COUNTER(mtu_black_holes, 60),
        COUNTER(mtu_probes_acked, 110),
        COUNTER(mtu_probes_lost, 12),
        COUNTER(user_timeouts_received, 200),
        {"signed: MD5", t->signed_with[TCP_KEY_MD5], 40},
        {"signed: HMAC-SHA-1-96", t->signed_with[TCP_KEY_HMAC_SHA1_96], 35},
        {"signed: AES-128-CMAC-96", t->signed_with[TCP_KEY_AES_128_CMAC_96], 40},
        {"wishes for a key", t->key_changes, 110},
        COUNTER(auth_key_changes, 130),
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
    /* Every seed frees what the next needs again: the system need not have it in between. */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_THRESHOLD, INT_MAX);
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
