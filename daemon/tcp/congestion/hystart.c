/* HyStart++ (RFC 9406): slow start doubles cwnd until something is lost, which overshoots a full
 * queue by as much as it holds. A queue that begins to fill shows in the round-trip time first.
 * When the minimum of a round trip's first N_RTT_SAMPLE samples exceeds that of the round before by
 * an eighth (no less than 4 ms, no more than 16), slow start becomes conservative (CSS): cwnd grows
 * a quarter as fast. If the round-trip time falls below the baseline again, the rise was noise, and
 * slow start goes on; else after CSS_ROUNDS rounds ssthresh becomes cwnd.
 *
 * Only for the first slow start (section 4.3): later ones end at an ssthresh that was measured. A
 * round ends when what was in flight at its start is acknowledged. */
#include "tcp/tcb.h"

#define MIN_RTT_THRESH_NS (4 * NS_PER_MS)
#define MAX_RTT_THRESH_NS (16 * NS_PER_MS)
#define MIN_RTT_DIVISOR 8
#define N_RTT_SAMPLE 8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS 5

static int64_t threshold(int64_t last_min_ns)
{
    int64_t t = last_min_ns / MIN_RTT_DIVISOR;
    return t < MIN_RTT_THRESH_NS   ? MIN_RTT_THRESH_NS
           : t > MAX_RTT_THRESH_NS ? MAX_RTT_THRESH_NS
                                   : t;
}

/* Section 4.2, at the start of each round. */
static void begin_round(struct hystart *h, const struct tcb *c)
{
    h->last_min_ns = h->now_min_ns;
    h->now_min_ns = 0;
    h->samples = 0;
    h->round_end = c->snd.nxt;
    h->css_rounds += h->css_rounds > 0;
}

static void sample(struct hystart *h, int64_t rtt_ns)
{
    uint32_t ns = rtt_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)rtt_ns;
    ns += ns == 0; /* 0 says that there is none */
    h->now_min_ns = !h->now_min_ns || ns < h->now_min_ns ? ns : h->now_min_ns;
    h->samples += h->samples < N_RTT_SAMPLE;
}

static void judge(struct hystart *h)
{
    if (h->samples < N_RTT_SAMPLE) {
        return;
    }
    if (h->css_rounds) {
        h->css_rounds = h->now_min_ns < h->css_baseline_ns ? 0 : h->css_rounds;
    } else if (h->last_min_ns && h->now_min_ns >= h->last_min_ns + threshold(h->last_min_ns)) {
        h->css_baseline_ns = h->now_min_ns;
        h->css_rounds = 1;
    }
}

unsigned hystart_acked(struct hystart *h, const struct tcb *c, const struct cc_ack *ack)
{
    if (!c->options->v.hystart || c->flow->cc.ssthresh != UINT32_MAX) {
        return 1;
    }
    if (!h->running || seq_ge(c->snd.una, h->round_end)) {
        begin_round(h, c);
        h->running = true;
    }
    if (ack->rtt_ns >= 0) {
        sample(h, ack->rtt_ns);
        judge(h);
    }
    if (h->css_rounds > CSS_ROUNDS) {
        h->css_rounds = 0;
        return 0;
    }
    return h->css_rounds ? CSS_GROWTH_DIVISOR : 1;
}

unsigned hystart_fields(const struct hystart *h, struct tcp_congestion_field *f)
{
    f[0] = (struct tcp_congestion_field){.name = "css_rounds", .value = h->css_rounds};
    f[1] = (struct tcp_congestion_field){
        .name = "last_round_min_rtt", .unit = "ns", .value = h->last_min_ns};
    f[2] = (struct tcp_congestion_field){
        .name = "this_round_min_rtt", .unit = "ns", .value = h->now_min_ns};
    return 3;
}
