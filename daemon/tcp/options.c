/* The options of an endpoint and of the engine: their defaults and what they may be. The bounds are
 * those of the RFCs where these set one (the labels stand in tcp.h), and otherwise such that no sum
 * of times can overflow. */
#include "tcp/tcp.h"

#include <errno.h>

#define BUFFER_MIN (2u * 1024)
#define BUFFER_MAX (64u * 1024 * 1024)
#define MSS_CLAMP_MIN 48u /* smaller segments are mostly header (CVE-2019-11479) */
#define MSS_CLAMP_MAX 65535u
#define PACING_RATE_MIN 128u /* bytes a second: a segment takes seconds, not for ever */
#define ABC_LIMIT_MAX 65535u
#define NS_PER_DAY (86400 * NS_PER_S)
#define TIME_MAX_NS (366 * NS_PER_DAY)

void tcp_options_default(struct tcp_options *options)
{
    *options = (struct tcp_options){
        .rcv_buffer = 256 * 1024,
        .snd_buffer = 256 * 1024,
        .rcv_buffer_max = 6 * 1024 * 1024,
        .snd_buffer_max = 6 * 1024 * 1024,
        .sack = true,
        .timestamps = true,
        .window_scaling = true,
        .keepalive_idle_ns = 7200 * NS_PER_S,
        .keepalive_interval_ns = 75 * NS_PER_S,
        .keepalive_count = 9,
        .rto_initial_ns = 1 * NS_PER_S,
        .rto_min_ns = 200 * NS_PER_MS,
        .rto_max_ns = 120 * NS_PER_S,
        .delayed_ack_ns = 40 * NS_PER_MS,
        .msl_ns = 30 * NS_PER_S,
        .fin_wait_2_ns = 60 * NS_PER_S,
        .syn_timeout_ns = 3 * 60 * NS_PER_S,
        .r1_timeouts = 3,
        .orphan_timeout_ns = 10 * 60 * NS_PER_S,
        .rfc1337 = true,
        .ttl = 64,
        .share_metrics = true,
        .uto_min_ns = 100 * NS_PER_S,
        .uto_max_ns = 3600 * NS_PER_S,
        .icmp_policy = TCP_ICMP_RFC5927,
        .urgent_mode = TCP_URGENT_RFC,
        .loss_detection = TCP_LOSS_RACK,
        .ecn = TCP_ECN_PASSIVE,
        .mtu_probing = TCP_MTU_PROBING_BLACK_HOLE,
        .syn_cookies = TCP_SYN_COOKIES_WHEN_FULL,
        .congestion = TCP_CONGESTION_CUBIC,
        .hystart = true,
        .idle_restart = true,
    };
}

static bool between(int64_t value, int64_t low, int64_t high)
{
    return low <= value && value <= high;
}

/* The first field that is out of its bounds, NULL when all are in. */
static const char *offending_field(const struct tcp_options *o)
{
    const struct {
        const char *name;
        bool good;
    } checks[] = {
        {"rcv_buffer", between(o->rcv_buffer, BUFFER_MIN, BUFFER_MAX)},
        {"snd_buffer", between(o->snd_buffer, BUFFER_MIN, BUFFER_MAX)},
        {"rcv_buffer_max", o->rcv_buffer_max <= BUFFER_MAX},
        {"snd_buffer_max", o->snd_buffer_max <= BUFFER_MAX},
        {"mss_clamp", o->mss_clamp == 0 || between(o->mss_clamp, MSS_CLAMP_MIN, MSS_CLAMP_MAX)},
        {"keepalive_idle_ns", between(o->keepalive_idle_ns, NS_PER_MS, TIME_MAX_NS)},
        {"keepalive_interval_ns", between(o->keepalive_interval_ns, NS_PER_MS, TIME_MAX_NS)},
        {"keepalive_count", o->keepalive_count >= 2},
        {"user_timeout_ns", between(o->user_timeout_ns, 0, TIME_MAX_NS)},
        {"rto_max_ns", between(o->rto_max_ns, NS_PER_S, NS_PER_DAY)},
        {"rto_min_ns", between(o->rto_min_ns, NS_PER_MS, o->rto_max_ns)},
        {"rto_initial_ns", between(o->rto_initial_ns, NS_PER_MS, o->rto_max_ns)},
        {"delayed_ack_ns", between(o->delayed_ack_ns, 0, 500 * NS_PER_MS - 1)},
        {"msl_ns", between(o->msl_ns, NS_PER_MS, 3600 * NS_PER_S)},
        {"fin_wait_2_ns", between(o->fin_wait_2_ns, 0, TIME_MAX_NS)},
        {"syn_timeout_ns", between(o->syn_timeout_ns, NS_PER_MS, 3600 * NS_PER_S)},
        {"r1_timeouts", o->r1_timeouts >= 1},
        {"orphan_timeout_ns", between(o->orphan_timeout_ns, 0, TIME_MAX_NS)},
        {"ttl", o->ttl >= 1},
        {"dscp", o->dscp <= 63},
        {"fast_open_queue", o->fast_open_queue <= 65535},
        {"uto_advertise_ns", between(o->uto_advertise_ns, 0, TIME_MAX_NS)},
        {"uto_min_ns", between(o->uto_min_ns, NS_PER_S, o->uto_max_ns)},
        {"uto_max_ns", between(o->uto_max_ns, NS_PER_S, TIME_MAX_NS)},
        {"icmp_policy", (unsigned)o->icmp_policy <= TCP_ICMP_IGNORE},
        {"urgent_mode", (unsigned)o->urgent_mode <= TCP_URGENT_BSD},
        {"loss_detection", (unsigned)o->loss_detection <= TCP_LOSS_COUNT},
        {"mtu_probing", (unsigned)o->mtu_probing <= TCP_MTU_PROBING_ALWAYS},
        {"ecn", (unsigned)o->ecn <= TCP_ECN_CLASSIC_PASSIVE},
        {"accecn_option", (unsigned)o->accecn_option <= TCP_ACCECN_OPTION_ALWAYS},
        {"syn_cookies", (unsigned)o->syn_cookies <= TCP_SYN_COOKIES_ALWAYS},
        {"congestion", (unsigned)o->congestion < TCP_CONGESTIONS},
        {"pacing", (unsigned)o->pacing <= TCP_PACING_OFF},
        {"max_pacing_rate", o->max_pacing_rate == 0 || o->max_pacing_rate >= PACING_RATE_MIN},
        {"abc_limit", o->abc_limit <= ABC_LIMIT_MAX},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (!checks[i].good) {
            return checks[i].name;
        }
    }
    return NULL;
}

int tcp_options_check(const struct tcp_options *options, const char **field)
{
    const char *offending = offending_field(options);
    if (offending == NULL) {
        return 0;
    }
    *field = offending;
    return -EINVAL;
}

void tcp_config_default(struct tcp_config *config)
{
    *config = (struct tcp_config){
        .max_endpoints = 4u * 1024 * 1024,
        .max_time_wait = 65536,
        .max_syn_received = 16384,
        .max_keys = 1024,
        .max_metrics = 1024,
        .closed_history = 4096,
        .event_ring = 8192,
        .port_first = 49152,
        .port_last = 65535,
    };
    tcp_options_default(&config->defaults);
}
