/* What must have happened: a simulation that provokes nothing proves nothing. The floors are for a
 * thousand seeds and about a third under what they give. */
#include <inttypes.h>
#include <stdio.h>
#include "seed.h"

#define FLOOR_SEEDS 1000

struct floor {
    const char *name;
    uint64_t value, least; /* in FLOOR_SEEDS seeds */
};

unsigned floors_check(const struct totals *t, uint64_t seeds, bool enforce)
{
    const struct tcp_counters *c = &t->counters;
#define COUNTER(name, least)                                                                       \
    {                                                                                              \
#name, c->name, least                                                                      \
    }
#define KIND(name, least)                                                                          \
    {                                                                                              \
        "sent " #name, t->kinds[TCP_KIND_##name], least                                            \
    }
#define CLOSE(name, least)                                                                         \
    {                                                                                              \
        "ended " #name, t->closes[TCP_CLOSE_##name], least                                         \
    }
#define LIMIT(name, least)                                                                         \
    {                                                                                              \
        "seconds " #name, t->seen.limited_ns[TCP_LIMIT_##name] / NS_PER_S, least                   \
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
        {"ECN's bits changed", t->meddler.ecn_changed, 20000},
        COUNTER(sack_reneges, 230),
        COUNTER(window_shrunk, 12000),
        COUNTER(mtu_black_holes, 60),
        COUNTER(mtu_probes_acked, 110),
        COUNTER(mtu_probes_lost, 12),
        COUNTER(user_timeouts_received, 200),
        COUNTER(window_overrides, 570),
        COUNTER(time_wait_reuses, 63),
        COUNTER(challenge_acks, 6800),
        COUNTER(challenge_acks_limited, 8500),
        COUNTER(fast_open_syn_data, 160),
        COUNTER(fast_open_passive, 120),
        COUNTER(fast_open_cookies_granted, 29),
        COUNTER(fast_open_black_holes, 1),
        COUNTER(syn_cookies_sent, 100),
        COUNTER(rcv_buffer_grown, 620),
        COUNTER(sack_rejected, 46),
        COUNTER(ecn_mangled, 19),
        COUNTER(mtu_probes, 300),
        DROP(RST_CHALLENGED, 460),
        DROP(SYN_CHALLENGED, 490),
        DROP(ACK_TOO_OLD, 490),
        DROP(ACK_UNSENT, 420),
        DROP(RECEIVE_BUFFER_FULL, 1850),
        DROP(TIME_WAIT_OLD_SYN, 1),
        KIND(DELAYED_ACK, 20000),
        KIND(DUPLICATE_ACK, 200000),
        KIND(WINDOW_UPDATE, 73000),
        KIND(CHALLENGE_ACK, 5600),
        KIND(RETRANSMIT_RTO, 16000),
        KIND(RETRANSMIT_FAST, 29000),
        KIND(LIMITED_TRANSMIT, 27000),
        KIND(WINDOW_PROBE, 1200),
        KIND(KEEPALIVE, 1400),
        KIND(LOSS_PROBE, 3800),
        KIND(MTU_PROBE, 300),
        LIMIT(PACING, 2700),
        LIMIT(ZERO_WINDOW, 5100),
        LIMIT(RECEIVE_WINDOW, 1100),
        LIMIT(CONGESTION_WINDOW, 7600),
        LIMIT(RECOVERY, 980),
        LIMIT(RTO_BACKOFF, 9400),
        LIMIT(SILLY_WINDOW, 5000),
        LIMIT(NAGLE, 3700),
        LIMIT(SPURIOUS_TIMEOUT_TEST, 45),
        CLOSE(TIME_WAIT_REUSED, 63),
        CLOSE(SYN_TIMEOUT, 1),
        CLOSE(RETRANSMISSION_TIMEOUT, 1),
        CLOSE(USER_TIMEOUT, 12),
        CLOSE(KEEPALIVE_TIMEOUT, 12),
        {"ends with ECN", t->seen.ecn, 440},
        {"ends with AccECN", t->seen.accecn, 480},
        {"ends with SACK", t->seen.sack, 1500},
        {"ends with timestamps", t->seen.timestamps, 1200},
        {"ends with Fast Open", t->seen.fast_open, 210},
        {"flows of NewReno", t->modules[TCP_CONGESTION_NEWRENO], 310},
        {"flows of CUBIC", t->modules[TCP_CONGESTION_CUBIC], 300},
        {"flows of DCTCP", t->modules[TCP_CONGESTION_DCTCP], 300},
        {"flows of BBR", t->modules[TCP_CONGESTION_BBR], 290},
        {"worlds of many flows", t->seeds[SEED_MANY], 75},
        {"worlds cut for good", t->seeds[SEED_CUT], 30},
        {"worlds with a liar", t->seeds[SEED_MEDDLED], 150},
        {"lost to cuts", t->link.cut, 1500},
        {"forged resets", t->forged[FORGED_RST], 460},
        {"forged SYNs", t->forged[FORGED_SYN], 450},
        {"forged old ACKs", t->forged[FORGED_OLD_ACK], 460},
        {"forged ACKs of nothing", t->forged[FORGED_UNSENT_ACK], 420},
        {"forged data", t->forged[FORGED_DATA], 440},
        {"signed: MD5", t->signed_with[TCP_KEY_MD5], 40},
        {"signed: HMAC-SHA-1-96", t->signed_with[TCP_KEY_HMAC_SHA1_96], 35},
        {"signed: AES-128-CMAC-96", t->signed_with[TCP_KEY_AES_128_CMAC_96], 40},
        {"wishes for a key", t->key_changes, 110},
        COUNTER(auth_key_changes, 130),
    };
#undef COUNTER
#undef KIND
#undef CLOSE
#undef LIMIT
#undef DROP
    unsigned low = 0;
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        uint64_t least = floors[i].least * seeds / FLOOR_SEEDS;
        bool good = !enforce || floors[i].value >= least;
        printf("%s %-26s %12" PRIu64 " (at least %" PRIu64 ")\n", good ? "  " : "LOW",
               floors[i].name, floors[i].value, least);
        low += !good;
    }
    return low;
}
