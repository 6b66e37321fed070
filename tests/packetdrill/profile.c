/* The `linux` profile: what Linux chose where the RFCs leave the choice, as engine options. What a
 * sysctl sets follows the sysctl. */
#include "layer.h"

#include <errno.h>
#include <string.h>

#define BUFFER_MIN 2048u
#define BUFFER_MAX (64u << 20)
#define FIRST_WINDOW 65536u
#define LONGEST (3600 * NS_PER_S) /* that the engine tries a SYN */

static uint32_t clamp(long v, long least, long most)
{
    return (uint32_t)(v < least ? least : v > most ? most : v);
}

/* net.ipv4.tcp_ecn */
static enum tcp_ecn ecn_mode(long v)
{
    switch (v) {
    case 0:
        return TCP_ECN_OFF;
    case 1:
        return TCP_ECN_CLASSIC;
    case 2:
        return TCP_ECN_CLASSIC_PASSIVE;
    case 4:
        return TCP_ECN_ON;
    case 5:
        return TCP_ECN_PASSIVE;
    default:
        return TCP_ECN_ACCURATE;
    }
}

/* net.ipv4.tcp_ecn_option */
static enum tcp_accecn_option accecn_option(long v)
{
    return v <= 0   ? TCP_ACCECN_OPTION_NEVER
           : v == 1 ? TCP_ACCECN_OPTION_NEEDED
                    : TCP_ACCECN_OPTION_ALWAYS;
}

static int64_t rto_max(const struct sysctls *s)
{
    return clamp(s->rto_max_ms, 1000, 120000) * NS_PER_MS;
}

/* A SYN is given up as if it went out again after 1, 2, 4, … seconds, and its last wait was over.
 */
int64_t profile_syn_timeout(const struct sysctls *s, long retries)
{
    int64_t all = 0, wait = NS_PER_S;
    for (long i = retries < 0 ? 0 : retries > 127 ? 127 : retries; i >= 0 && all < LONGEST; i--) {
        all += wait < rto_max(s) ? wait : rto_max(s);
        wait *= wait < LONGEST ? 2 : 1;
    }
    return all < LONGEST ? all : LONGEST;
}

int profile_congestion(const char *name, enum tcp_congestion *out)
{
    name = strcmp(name, "reno") ? name : "newreno";
    for (unsigned i = 0; i < TCP_CONGESTIONS; i++) {
        if (!strcmp(name, tcp_congestion_name(i))) {
            *out = i;
            return 0;
        }
    }
    return ENOENT;
}

void profile_refresh(const struct sysctls *s, struct tcp_options *o)
{
    o->sack = s->sack;
    o->timestamps = s->timestamps;
    o->window_scaling = s->window_scaling;
    o->rto_max_ns = rto_max(s);
    o->rto_min_ns = s->rto_min_us * NS_PER_US;
    o->rto_min_ns = o->rto_min_ns < o->rto_max_ns ? o->rto_min_ns : o->rto_max_ns;
    o->rfc1337 = s->rfc1337;
    o->ecn = ecn_mode(s->ecn);
    o->accecn_option = accecn_option(s->ecn_option);
    o->syn_timeout_ns = profile_syn_timeout(s, s->syn_retries);
    o->idle_restart = s->slow_start_after_idle;
}

uint32_t profile_window(const struct layer *l, bool v4, long rcvbuf)
{
    uint32_t half = clamp(rcvbuf / 2, 0, BUFFER_MAX), mss = l->mtu - (v4 ? 40 : 60);
    half = half > mss ? half / mss * mss : half;
    return half < BUFFER_MIN ? BUFFER_MIN : half;
}

void profile_options(const struct layer *l, bool v4, struct tcp_options *o)
{
    const struct sysctls *s = &l->sysctls;
    tcp_options_default(o);
    profile_refresh(s, o);
    /* The first window is what an unscaled field can say. The window scale follows the largest
     * buffer that tuning may reach. What a user may queue is the layer's affair (stream.c). */
    uint32_t window = profile_window(l, v4, s->rmem[1]);
    o->rcv_buffer = window < FIRST_WINDOW ? window : FIRST_WINDOW;
    o->rcv_buffer_max = clamp(s->rmem[2], BUFFER_MIN, BUFFER_MAX);
    profile_congestion(s->congestion_control, &o->congestion);
    o->snd_buffer = o->snd_buffer_max = clamp(s->wmem[2], BUFFER_MIN, BUFFER_MAX);
    o->keepalive_idle_ns = s->keepalive_time * NS_PER_S;
    o->keepalive_interval_ns = s->keepalive_intvl * NS_PER_S;
    o->keepalive_count = clamp(s->keepalive_probes, 2, 127);
    o->fin_wait_2_ns = s->fin_timeout * NS_PER_S;
    o->ttl = (uint8_t)clamp(v4 ? s->default_ttl : s->v6_hop_limit, 1, 255);
}
