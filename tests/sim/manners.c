/* Random wires, options and manners. Where a choice is rare in nature and hard on an engine it is
 * made more often than in nature. */
#include <string.h>
#include "users.h"

#define CHUNK_MAX 65536u
#define PORT 80

static uint32_t pick(struct rng *rng, const uint32_t *values, unsigned n)
{
    return values[rng_below(rng, n)];
}
#define PICK(rng, ...)                                                                             \
    pick(rng, (const uint32_t[]){__VA_ARGS__},                                                     \
         sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static bool one_in(struct rng *rng, uint32_t n)
{
    return rng_below(rng, n) == 0;
}

static void random_link(struct rng *rng, struct link_profile *p, struct tcp_link *device,
                        uint32_t mtu)
{
    *p = (struct link_profile){
        .mtu = mtu,
        .delay_ns = PICK(rng, 10, 200, 1000, 5000, 20000, 50000, 150000) * NS_PER_US,
        .keeps_order = !one_in(rng, 3),
        .poll_ns = PICK(rng, 0, 0, 20, 100, 1000) * NS_PER_US,
        .loss_ppm = PICK(rng, 0, 0, 1000, 10000, 20000, 50000),
        .duplicate_ppm = PICK(rng, 0, 0, 1000, 10000, 50000),
        .mark_ppm = PICK(rng, 0, 1000, 10000, 100000),
        .corrupt_ppm = PICK(rng, 0, 0, 1000, 10000),
        .reorder_ppm = PICK(rng, 0, 0, 1000, 10000, 100000),
        .rate_bps = PICK(rng, 0, 0, 5, 20, 100, 1000) * UINT64_C(1000000),
        .queue_bytes = PICK(rng, 20000, 50000, 200000, 1000000),
        .merge = one_in(rng, 2),
        .vouch = one_in(rng, 3),
    };
    p->jitter_ns = one_in(rng, 2) ? 0 : p->delay_ns / PICK(rng, 1, 4, 20);
    p->reorder_ns = p->delay_ns / 2 * PICK(rng, 1, 2, 6) + NS_PER_US;
    p->queue_bytes = p->queue_bytes < 4 * mtu ? 4 * mtu : p->queue_bytes;
    *device = (struct tcp_link){.checksum_offload = one_in(rng, 2),
                                .tso = one_in(rng, 2),
                                .max_frame = PICK(rng, 65535, 65535, 16000)};
    device->defer_divisor = device->tso ? 3 : 0; /* as net/ has it */
}

/* What only some wires do. */
static void random_physics(struct rng *rng, struct link_profile *p)
{
    if (one_in(rng, 5)) {
        p->burst_begin_ppm = PICK(rng, 200, 1000, 5000);
        p->burst_end_ppm = PICK(rng, 50000, 200000, 500000);
        p->burst_loss_ppm = PICK(rng, 300000, 700000, 1000000);
        p->burst_ns = (int64_t)PICK(rng, 20, 300, 1500) * NS_PER_MS;
    }
    if (p->rate_bps > 0 && one_in(rng, 3)) {
        p->bucket_bytes = PICK(rng, 3000, 20000, 100000);
    }
    if (p->rate_bps > 0 && one_in(rng, 2)) {
        p->mark_bytes = PICK(rng, 3000, 15000, 60000);
    }
    if (p->rate_bps > 0 && one_in(rng, 8)) { /* bufferbloat: seconds of waiting */
        p->queue_bytes = 8000000;
    }
    if (one_in(rng, 6)) {
        p->ack_loss_ppm = PICK(rng, 50000, 150000, 250000);
    }
    if (one_in(rng, 4)) {
        p->ack_hold_ns = (int64_t)PICK(rng, 1000, 5000, 20000) * NS_PER_US;
        p->ack_thin = one_in(rng, 2);
    }
}

/* A hop with a smaller MTU than the first, from the beginning or while data flow. It says so, or is
 * a black hole where the sender looks for one (`finds`), not below the base size of the search. */
static void random_hop(struct rng *rng, struct link_profile *p, bool v6, bool finds)
{
    bool tells = !finds || one_in(rng, 3);
    uint32_t mtu = v6      ? PICK(rng, 1280, 1400)
                   : tells ? PICK(rng, 600, 1000, 1400)
                           : PICK(rng, 1064, 1200, 1400);
    if (!one_in(rng, 2) || mtu >= p->mtu) {
        return;
    }
    p->hop_mtu = mtu;
    p->hop_tells = tells;
    p->hop_from = time_from_ns((int64_t)PICK(rng, 0, 1600, 2000, 2500) * NS_PER_MS);
    p->hop_until = one_in(rng, 2)
                       ? TIME_NEVER
                       : time_add(p->hop_from, (int64_t)PICK(rng, 500, 5000) * NS_PER_MS);
}

static void random_options(struct rng *rng, struct tcp_options *o)
{
    tcp_options_default(o);
    o->rcv_buffer = PICK(rng, 2048, 5000, 16384, 65536, 200000, 1000000, 4000000);
    o->snd_buffer = PICK(rng, 2048, 5000, 16384, 65536, 200000, 1000000, 4000000);
    o->rcv_buffer_max = PICK(rng, 0, 0, 1000000, 6000000);
    o->snd_buffer_max = PICK(rng, 0, 0, 1000000, 6000000);
    o->mtu_probing =
        PICK(rng, TCP_MTU_PROBING_OFF, TCP_MTU_PROBING_BLACK_HOLE, TCP_MTU_PROBING_ALWAYS);
    o->ecn = PICK(rng, TCP_ECN_PASSIVE, TCP_ECN_PASSIVE, TCP_ECN_ON, TCP_ECN_ACCURATE, TCP_ECN_OFF);
    o->mss_clamp = PICK(rng, 0, 0, 0, 0, 536, 1000, 300);
    o->nodelay = one_in(rng, 3);
    o->sack = !one_in(rng, 4);
    o->timestamps = !one_in(rng, 3);
    o->window_scaling = !one_in(rng, 4);
    o->delayed_ack_ns = PICK(rng, 0, 40, 40, 200, 499) * NS_PER_MS;
    o->keepalive = one_in(rng, 4);
    o->keepalive_idle_ns = 2 * NS_PER_S;
    o->keepalive_interval_ns = NS_PER_S;
    o->keepalive_count = 20;
    o->rto_min_ns = PICK(rng, 200, 200, 50, 1000) * NS_PER_MS;
    o->urgent_mode = one_in(rng, 4) ? TCP_URGENT_BSD : TCP_URGENT_RFC;
    o->loss_detection = one_in(rng, 5) ? TCP_LOSS_COUNT : TCP_LOSS_RACK;
    o->congestion = (enum tcp_congestion)rng_below(rng, TCP_CONGESTIONS);
    o->pacing = one_in(rng, 4) ? TCP_PACING_ON : TCP_PACING_AUTO;
    o->max_pacing_rate = one_in(rng, 8) ? 2000000 : 0;
    o->hystart = !one_in(rng, 4);
    o->abc_limit = PICK(rng, 0, 0, 2, 8);
    o->idle_restart = !one_in(rng, 4);
}

static void random_user(struct rng *rng, struct user *u, const struct tcp_options *own)
{
    u->chunk = PICK(rng, 1000, 4096, 20000, CHUNK_MAX, CHUNK_MAX);
    u->think_ns = one_in(rng, 4) ? (int64_t)PICK(rng, 100, 2000, 20000) * NS_PER_US : 0;
    u->bite = one_in(rng, 3) ? own->rcv_buffer / PICK(rng, 2, 8) + 1 : 0;
    u->read_every_ns = one_in(rng, 4) ? (int64_t)PICK(rng, 100, 1000, 5000) * NS_PER_US : 0;
    u->pause_at = one_in(rng, 3) ? rng_below(rng, 1000000) : UINT64_MAX;
    u->pause_ns = (int64_t)PICK(rng, 500, 3000, 12000, 200000) * NS_PER_MS;
    u->push_ppm = PICK(rng, 0, 100000, 500000);
    u->urgent_ppm = one_in(rng, 8) ? 20000 : 0;
    u->release_late = one_in(rng, 2);
    u->write_at = u->read_at = time_from_ns(0);
}

/* Nothing passes either way for a while. */
static void random_outage(struct rng *rng, struct world_config *config)
{
    if (!one_in(rng, 12)) {
        return;
    }
    ackd_time from = time_from_ns((int64_t)(1200 + rng_below(rng, 2000)) * NS_PER_MS);
    ackd_time until = time_add(from, (int64_t)PICK(rng, 100, 1000, 5000, 15000) * NS_PER_MS);
    for (unsigned i = 0; i < 2; i++) {
        config->profile[i].cut_from = from;
        config->profile[i].cut_until = until;
    }
}

/* Connections that follow between the same ports, before TIME-WAIT is over or after it; each of a
 * third. With Fast Open the first brings the cookie. */
static void random_successors(struct rng *rng, struct flow *f)
{
    if (!one_in(rng, 4)) {
        return;
    }
    f->again = 2;
    f->again_ns = (int64_t)PICK(rng, 0, 5, 300, 70000) * NS_PER_MS;
    for (unsigned i = 0; i < 2; i++) {
        f->user[i].to_send = (f->user[i].to_send + 2) / 3;
        f->user[1 - i].to_receive = f->user[i].to_send;
    }
    if (f->options[1].fast_open_queue == 0 && one_in(rng, 2)) {
        f->options[1].fast_open_queue = 2;
    }
}

void users_random(struct users *u, struct world_config *config, uint64_t seed)
{
    memset(u, 0, sizeof(*u));
    rng_init(&u->rng, seed, UINT64_C(0x7573657273));
    u->n = 1;
    struct rng *rng = &u->rng;
    struct flow *f = &u->flow[0];
    f->port = PORT;
    f->host[1] = 1;
    uint32_t mtu = PICK(rng, 1500, 1500, 1500, 9000, 1280, 65535);
    world_config_default(config, seed);
    if (one_in(rng, 3)) {
        ip_addr_parse("2001:db8::1", &config->addr[0]);
        ip_addr_parse("2001:db8::2", &config->addr[1]);
    }
    for (unsigned i = 0; i < 2; i++) {
        random_link(rng, &config->profile[i], &config->device[i], mtu);
        random_physics(rng, &config->profile[i]);
        random_options(rng, &f->options[i]);
        random_hop(rng, &config->profile[i], !ip_addr_is_v4(&config->addr[0]),
                   f->options[i].mtu_probing != TCP_MTU_PROBING_OFF);
        random_user(rng, &f->user[i], &f->options[i]);
        f->user[i].salt_out = rng_u64(rng);
    }
    if (one_in(rng, 2)) { /* both ways alike */
        bool finds = f->options[1].mtu_probing != TCP_MTU_PROBING_OFF;
        config->profile[1] = config->profile[0];
        config->profile[1].hop_tells = config->profile[1].hop_tells || !finds;
    }
    if (one_in(rng, 8)) { /* asymmetric: little room for the ACKs, or for the data */
        struct link_profile *narrow = &config->profile[rng_below(rng, 2)];
        narrow->rate_bps = narrow->rate_bps / 50 + 500000;
    }
    if (one_in(rng, 8)) { /* no faults */
        for (unsigned i = 0; i < 2; i++) {
            struct link_profile *p = &config->profile[i];
            p->loss_ppm = p->duplicate_ppm = p->corrupt_ppm = p->reorder_ppm = 0;
            p->burst_begin_ppm = p->ack_loss_ppm = p->hop_mtu = 0;
            p->jitter_ns = 0;
        }
    }
    uint32_t most = 1000000 + rng_below(rng, 200000), least = PICK(rng, 0, 1, 5000, most);
    bool first = one_in(rng, 2);
    for (unsigned i = 0; i < 2; i++) {
        struct user *me = &f->user[i], *peer = &f->user[1 - i];
        me->to_send = first == (i == 0) ? most : least;
        peer->to_receive = me->to_send;
        peer->salt_in = me->salt_out;
    }
    f->user[rng_below(rng, 2)].close_after_end = one_in(rng, 2);
    /* Without data from the peer nothing repeats a last ACK that was lost. */
    if (one_in(rng, 6) && f->user[0].to_send) {
        f->options[1].syn_cookies = TCP_SYN_COOKIES_ALWAYS;
        if (f->options[0].mss_clamp == 300) { /* which a cookie would round off to 48 */
            f->options[0].mss_clamp = 536;
        }
    }
    if (one_in(rng, 5)) { /* data in the SYN, taken by the peer or not */
        f->options[0].fast_open_no_cookie = true;
        f->options[1].fast_open_no_cookie = !one_in(rng, 3);
        f->options[1].fast_open_queue = 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        f->options[i].uto = one_in(rng, 6);
    }
    random_outage(rng, config);
    random_successors(rng, f);
    f->open_at = time_from_ns(NS_PER_S + (int64_t)rng_below(rng, 1000) * NS_PER_MS);
}

void users_random_cut(struct users *u, struct world_config *config, uint64_t seed)
{
    users_random(u, config, seed);
    u->may_fail = true;
    struct flow *f = &u->flow[0];
    ackd_time from = time_from_ns((int64_t)(1000 + rng_below(&u->rng, 2500)) * NS_PER_MS);
    f->again = 0;
    for (unsigned i = 0; i < 2; i++) {
        f->options[i].keepalive = true; /* else who only waits waits for ever */
        f->options[i].user_timeout_ns = (int64_t)PICK(&u->rng, 0, 5, 30) * NS_PER_S;
        config->profile[i].cut_from = from;
        config->profile[i].cut_until = TIME_NEVER;
    }
}

/* ---- many connections ---- */

/* A host's own link is fast, near, and seldom bad. */
static void random_access(struct rng *rng, struct link_profile *p, uint32_t mtu)
{
    *p = (struct link_profile){
        .mtu = mtu,
        .delay_ns = PICK(rng, 10, 100, 1000, 5000, 20000) * NS_PER_US,
        .keeps_order = !one_in(rng, 6),
        .rate_bps = PICK(rng, 0, 0, 20, 100, 1000) * UINT64_C(1000000),
        .queue_bytes = PICK(rng, 50000, 200000, 1000000),
        .loss_ppm = one_in(rng, 6) ? PICK(rng, 1000, 20000) : 0,
        .reorder_ppm = one_in(rng, 6) ? 10000 : 0,
        .ack_loss_ppm = one_in(rng, 8) ? 50000 : 0,
    };
    p->jitter_ns = one_in(rng, 3) ? p->delay_ns / 2 : 0;
    p->reorder_ns = p->delay_ns + NS_PER_US;
}

/* What a host's adapter does with what it receives. */
static void random_adapter(struct rng *rng, struct link_profile *down, struct tcp_link *device)
{
    down->poll_ns = PICK(rng, 0, 0, 20, 1000) * NS_PER_US;
    down->merge = one_in(rng, 2);
    down->vouch = one_in(rng, 3);
    *device = (struct tcp_link){
        .checksum_offload = one_in(rng, 2), .tso = one_in(rng, 2), .max_frame = 65535};
}

static void random_bottleneck(struct rng *rng, struct link_profile *p, uint32_t mtu, bool v6)
{
    *p = (struct link_profile){
        .mtu = mtu,
        .delay_ns = PICK(rng, 500, 5000, 20000, 80000) * NS_PER_US,
        .keeps_order = true,
        .rate_bps = PICK(rng, 2, 10, 50) * UINT64_C(1000000),
        .mark_ppm = PICK(rng, 0, 10000, 100000, 300000),
        .duplicate_ppm = one_in(rng, 6) ? 5000 : 0,
        .corrupt_ppm = one_in(rng, 8) ? 1000 : 0,
    };
    uint32_t quarter = (uint32_t)(p->rate_bps / 8 / 100); /* of what it carries in 40 ms */
    p->queue_bytes = quarter * PICK(rng, 1, 4, 16) + 4 * mtu;
    p->mark_bytes = one_in(rng, 2) ? quarter : 0;
    p->bucket_bytes = one_in(rng, 3) ? 20000 : 0;
    if (one_in(rng, 6)) {
        p->burst_begin_ppm = 500;
        p->burst_end_ppm = 200000;
        p->burst_loss_ppm = 700000;
        p->burst_ns = 300 * NS_PER_MS;
    }
    if (one_in(rng, 5)) { /* not a black hole: not every flow looks for one */
        p->hop_mtu = v6 ? 1280 : PICK(rng, 600, 1000, 1400);
        p->hop_tells = true;
        p->hop_from = time_from_ns((int64_t)PICK(rng, 0, 2000, 4000) * NS_PER_MS);
        p->hop_until = TIME_NEVER;
    }
    if (one_in(rng, 6)) {
        p->ack_hold_ns = 5 * NS_PER_MS;
        p->ack_thin = one_in(rng, 2);
    }
}

static void random_flow(struct rng *rng, struct flow *f, const struct world_config *config,
                        uint32_t bytes)
{
    unsigned left = rng_below(rng, config->left);
    unsigned right = config->left + rng_below(rng, config->hosts - config->left);
    bool from_left = one_in(rng, 2), most = one_in(rng, 2);
    f->host[0] = from_left ? left : right;
    f->host[1] = from_left ? right : left;
    for (unsigned i = 0; i < 2; i++) {
        struct user *me = &f->user[i], *peer = &f->user[1 - i];
        random_options(rng, &f->options[i]);
        random_user(rng, me, &f->options[i]);
        me->pause_ns = me->pause_ns > 3 * NS_PER_S ? 3 * NS_PER_S : me->pause_ns;
        me->pause_at %= bytes;
        me->salt_out = rng_u64(rng);
        me->to_send = most == (i == 0) ? bytes : PICK(rng, 0, 1, 5000, bytes / 2);
        peer->to_receive = me->to_send;
        peer->salt_in = me->salt_out;
    }
    f->open_at = time_from_ns(NS_PER_S + (int64_t)rng_below(rng, 5000) * NS_PER_MS);
}

void users_random_many(struct users *u, struct world_config *config, uint64_t seed)
{
    memset(u, 0, sizeof(*u));
    rng_init(&u->rng, seed, UINT64_C(0x6d616e79));
    struct rng *rng = &u->rng;
    uint32_t mtu = PICK(rng, 1500, 1500, 9000);
    bool v6 = one_in(rng, 3);
    world_config_default(config, seed);
    config->hosts = 3 + rng_below(rng, HOSTS_MAX - 2);
    config->left = 1 + rng_below(rng, config->hosts - 1);
    for (unsigned i = 0; i < config->hosts; i++) {
        if (v6) {
            ip_addr_parse("2001:db8::1", &config->addr[i]);
            config->addr[i].b[15] = (uint8_t)(1 + i);
        }
        random_access(rng, &config->profile[i], mtu);
        random_access(rng, &config->down[i], mtu);
        random_adapter(rng, &config->down[i], &config->device[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        random_bottleneck(rng, &config->bottleneck[i], mtu, v6);
    }
    u->n = 2 + rng_below(rng, FLOWS_MAX - 1);
    for (unsigned i = 0; i < u->n; i++) {
        random_flow(rng, &u->flow[i], config, 1600000 / u->n / 2 + rng_below(rng, 1600000 / u->n));
        u->flow[i].port = (uint16_t)(PORT + i);
    }
}
