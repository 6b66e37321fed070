/* Users of a simulated connection. What they do next depends on nothing but their own seed and what
 * the engine tells them. */
#include "users.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHUNK_MAX 65536u
#define PORT 80

static struct users *users_of(const struct world *w)
{
    return w->users;
}

/* ---- their manners ---- */

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
    bool tells = !finds || one_in(rng, 2);
    uint32_t mtu = v6      ? PICK(rng, 1280, 1400)
                   : tells ? PICK(rng, 600, 1000, 1400)
                           : PICK(rng, 1064, 1200, 1400);
    if (!one_in(rng, 3) || mtu >= p->mtu) {
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

void users_random(struct users *u, struct world_config *config, uint64_t seed)
{
    memset(u, 0, sizeof(*u));
    rng_init(&u->rng, seed, UINT64_C(0x7573657273));
    struct rng *rng = &u->rng;
    uint32_t mtu = PICK(rng, 1500, 1500, 1500, 9000, 1280, 65535);
    world_config_default(config, seed);
    if (one_in(rng, 3)) {
        ip_addr_parse("2001:db8::1", &config->addr[0]);
        ip_addr_parse("2001:db8::2", &config->addr[1]);
    }
    for (unsigned i = 0; i < 2; i++) {
        random_link(rng, &config->profile[i], &config->device[i], mtu);
        random_physics(rng, &config->profile[i]);
        random_options(rng, &u->options[i]);
        random_hop(rng, &config->profile[i], !ip_addr_is_v4(&config->addr[0]),
                   u->options[i].mtu_probing != TCP_MTU_PROBING_OFF);
        random_user(rng, &u->user[i], &u->options[i]);
        u->user[i].salt_out = rng_u64(rng);
    }
    if (one_in(rng, 2)) { /* both ways alike */
        bool finds = u->options[1].mtu_probing != TCP_MTU_PROBING_OFF;
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
    if (!u->options[0].sack || !u->options[1].sack) {
        /* Nothing tells a lost ACK from a late one: with each the timeout grows by itself. */
        config->profile[0].ack_loss_ppm /= 8;
        config->profile[1].ack_loss_ppm /= 8;
    }
    uint32_t most = 1000000 + rng_below(rng, 200000), least = PICK(rng, 0, 1, 5000, most);
    bool first = one_in(rng, 2);
    for (unsigned i = 0; i < 2; i++) {
        struct user *me = &u->user[i], *peer = &u->user[1 - i];
        me->to_send = first == (i == 0) ? most : least;
        peer->to_receive = me->to_send;
        peer->salt_in = me->salt_out;
    }
    u->user[rng_below(rng, 2)].close_after_end = one_in(rng, 2);
    /* Without data from the peer nothing repeats a last ACK that was lost. */
    if (one_in(rng, 6) && u->user[0].to_send) {
        u->options[1].syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    }
    if (one_in(rng, 5)) { /* data in the SYN, taken by the peer or not */
        u->options[0].fast_open_no_cookie = true;
        u->options[1].fast_open_no_cookie = !one_in(rng, 3);
        u->options[1].fast_open_queue = 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        u->options[i].uto = one_in(rng, 6);
    }
    u->open_at = time_from_ns(NS_PER_S + (int64_t)rng_below(rng, 1000) * NS_PER_MS);
}

/* ---- writing and reading ---- */

static void wait_up_to(struct users *u, ackd_time now, ackd_time *at, int64_t most_ns)
{
    *at = time_add(now, 1 + (int64_t)(rng_u64(&u->rng) % (uint64_t)most_ns));
}

static bool user_write(struct world *w, struct users *u, struct user *me)
{
    if (!me->connected || me->closed || me->blocked || me->sent == me->to_send ||
        !time_reached(me->write_at, w->now)) {
        return false;
    }
    static uint8_t data[CHUNK_MAX];
    uint32_t n = 1 + rng_below(&u->rng, me->chunk);
    n = n < me->to_send - me->sent ? n : (uint32_t)(me->to_send - me->sent);
    int64_t room = tcp_send_room(me->host->engine, me->id); /* what is taken beyond is wrong */
    pattern_fill(data, me->salt_out, me->sent, room < n ? (size_t)(room < 0 ? 0 : room) : n);
    unsigned flags = rng_below(&u->rng, 1000000) < me->push_ppm ? TCP_SEND_PUSH : 0;
    flags |= rng_below(&u->rng, 1000000) < me->urgent_ppm ? TCP_SEND_URGENT : 0;
    int64_t taken = tcp_send(me->host->engine, w->now, me->id, data, n, flags);
    if (taken < 0 || taken > n) {
        world_fail(w, "%s: tcp_send: %" PRId64 " after %" PRIu64 " bytes", me->host->name, taken,
                   me->sent);
        return false;
    }
    me->sent += (uint64_t)taken;
    me->blocked = taken < n;
    if (me->think_ns > 0) {
        wait_up_to(u, w->now, &me->write_at, me->think_ns);
    }
    if (tcp_send_offset(me->host->engine, me->id) != (int64_t)me->sent) {
        world_fail(w, "%s: tcp_send_offset differs from what was accepted", me->host->name);
    }
    return taken > 0;
}

/* The first `length` octets are what they should be. */
static bool verify(struct world *w, struct user *me, const struct tcp_received *got,
                   uint64_t length)
{
    static uint8_t want[CHUNK_MAX];
    uint64_t at = got->offset, end = at + length;
    for (unsigned i = 0; i < got->n_ranges; i++) {
        for (uint32_t done = 0; done < got->range[i].length && at < end;) {
            uint32_t n =
                got->range[i].length - done < CHUNK_MAX ? got->range[i].length - done : CHUNK_MAX;
            n = n < end - at ? n : (uint32_t)(end - at);
            pattern_fill(want, me->salt_in, at, n);
            if (memcmp(want, got->range[i].data + done, n) != 0) {
                world_fail(w, "%s: wrong bytes at or after stream offset %" PRIu64, me->host->name,
                           at);
                return false;
            }
            done += n;
            at += n;
        }
    }
    return true;
}

static void after_read(struct world *w, struct users *u, struct user *me)
{
    if (me->received >= me->pause_at) {
        me->pause_at = UINT64_MAX;
        me->read_at = time_add(w->now, me->pause_ns);
    } else if (me->read_every_ns > 0) {
        wait_up_to(u, w->now, &me->read_at, me->read_every_ns);
    }
}

static bool user_read(struct world *w, struct users *u, struct user *me)
{
    if (!me->connected || me->released || me->end_seen || !time_reached(me->read_at, w->now)) {
        return false;
    }
    struct tcp_received got;
    int error = tcp_peek(me->host->engine, me->id, me->received, SIZE_MAX, &got);
    if (error != 0) {
        world_fail(w, "%s: tcp_peek: %d after %" PRIu64 " bytes", me->host->name, error,
                   me->received);
        return false;
    }
    if (got.available == 0) {
        me->end_seen = got.end_of_stream;
        return got.end_of_stream;
    }
    uint64_t seen = 0;
    for (unsigned i = 0; i < got.n_ranges; i++) {
        seen += got.range[i].length;
    }
    uint64_t n = me->bite > 0 && me->bite < seen ? me->bite : seen;
    if (!verify(w, me, &got, n) || seen == 0 || seen > got.available ||
        got.offset != me->received) {
        world_fail(w, "%s: tcp_peek shows %" PRIu64 " of %" PRIu64 " bytes at %" PRIu64,
                   me->host->name, seen, got.available, got.offset);
        return false;
    }
    me->received += n;
    error = tcp_consume(me->host->engine, w->now, me->id, me->received);
    if (error != 0 || me->received > me->to_receive) {
        world_fail(w, "%s: tcp_consume: %d at %" PRIu64 " of %" PRIu64, me->host->name, error,
                   me->received, me->to_receive);
    }
    after_read(w, u, me);
    return true;
}

/* ---- beginning and end ---- */

static bool user_open(struct world *w, struct users *u)
{
    struct user *me = &u->user[0];
    if (me->id != 0 || !time_reached(u->open_at, w->now)) {
        return false;
    }
    struct tcp_open_args args = {
        .tuple = {.local = w->host[0].addr, .remote = w->host[1].addr, .remote_port = PORT},
        .mtu = w->host[0].mtu,
        .options = &u->options[0],
        .owner = 1};
    static uint8_t data[CHUNK_MAX];
    if (u->options[0].fast_open_no_cookie) {
        args.fast_open = true;
        args.data = data;
        args.length = 1 + rng_below(&u->rng, me->chunk);
        args.length = args.length < me->to_send ? args.length : me->to_send;
        pattern_fill(data, me->salt_out, 0, args.length);
    }
    int error = tcp_open(me->host->engine, w->now, &args, &me->id);
    if (error != 0) {
        world_fail(w, "tcp_open: %d", error);
        me->id = UINT64_MAX;
    } else {
        me->sent = (uint64_t)tcp_send_offset(me->host->engine, me->id);
        me->blocked = me->sent < args.length;
    }
    return true;
}

static void listener_done(struct world *w, struct user *me)
{
    tcp_close(me->host->engine, w->now, me->listener);
    me->listener = 0;
}

static void user_accept(struct world *w, struct user *me)
{
    int error = tcp_accept(me->host->engine, me->listener, 1, 0, &me->id);
    if (error == -EAGAIN) {
        return;
    }
    if (error != 0) {
        world_fail(w, "tcp_accept: %d", error);
        return;
    }
    me->connected = true;
    listener_done(w, me);
}

static bool user_end(struct world *w, struct user *me)
{
    if (!me->connected) {
        return false;
    }
    if (!me->closed && me->sent == me->to_send && (!me->close_after_end || me->end_seen)) {
        me->closed = true;
        int error = tcp_close(me->host->engine, w->now, me->id);
        if (error != 0) {
            world_fail(w, "%s: tcp_close: %d", me->host->name, error);
        }
        return true;
    }
    if (me->closed && me->end_seen && !me->released && (!me->release_late || me->gone)) {
        me->released = true;
        tcp_release(me->host->engine, w->now, me->id);
        return true;
    }
    return false;
}

static void ready(struct world *w, struct host *h, const struct tcp_ready *r)
{
    struct users *u = users_of(w);
    struct user *me = &u->user[h == &w->host[1]];
    if (r->what & TCP_READY_ACCEPT) {
        user_accept(w, me);
    }
    if (r->id != me->id) {
        return;
    }
    me->connected = me->connected || (r->what & TCP_READY_CONNECTED);
    if (r->what & TCP_READY_WRITE) {
        me->blocked = false;
    }
    if (r->what & TCP_READY_CLOSED) {
        me->gone = true;
        struct tcp_info info = host_info(h, me->id);
        if (!me->closed || !me->end_seen) {
            /* CLOSED with data still to be read is fine: they are read first. */
            if (info.error != 0) {
                world_fail(w, "%s: the connection ended: %s", h->name,
                           tcp_close_text[info.close_reason].name);
            }
        }
    }
}

static bool act(struct world *w)
{
    struct users *u = users_of(w);
    bool any = user_open(w, u);
    for (unsigned i = 0; i < 2; i++) {
        struct user *me = &u->user[i];
        any = user_read(w, u, me) || any;
        any = user_write(w, u, me) || any;
        any = user_end(w, me) || any;
    }
    return any;
}

static ackd_time wake(const struct world *w)
{
    const struct users *u = users_of(w);
    ackd_time at = u->user[0].id == 0 ? u->open_at : TIME_NEVER;
    for (unsigned i = 0; i < 2; i++) {
        const struct user *me = &u->user[i];
        if (me->connected && !me->released) {
            at = time_before(w->now, me->read_at) ? time_min(at, me->read_at) : at;
            at = time_before(w->now, me->write_at) ? time_min(at, me->write_at) : at;
        }
    }
    return at;
}

void users_start(struct users *u, struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        u->user[i].host = &w->host[i];
    }
    struct tcp_listen_args args = {.tuple = {.local = w->host[1].addr, .local_port = PORT},
                                   .backlog = 4,
                                   .options = &u->options[1],
                                   .owner = 1};
    int error = tcp_listen(w->host[1].engine, w->now, &args, &u->user[1].listener);
    if (error != 0) {
        world_fail(w, "tcp_listen: %d", error);
    }
    w->users = u;
    w->ready = ready;
    w->act = act;
    w->wake = wake;
}

bool users_done(struct world *w)
{
    const struct users *u = users_of(w);
    for (unsigned i = 0; i < 2; i++) {
        if (!u->user[i].released || tcp_endpoints(w->host[i].engine) != 0) {
            return false;
        }
    }
    return true;
}

void users_check(struct world *w)
{
    const struct users *u = users_of(w);
    for (unsigned i = 0; i < 2; i++) {
        const struct user *me = &u->user[i];
        struct tcp_info info;
        if (me->id == 0 || tcp_status(me->host->engine, w->now, me->id, true, &info) < 0 ||
            info.state == TCP_CLOSED) {
            continue;
        }
        bool waits = info.send_q_bytes > 0 || info.snd_una != info.snd_nxt;
        bool timer = info.rto_deadline_ns != INT64_MAX || info.persist_deadline_ns != INT64_MAX ||
                     info.limit == TCP_LIMIT_PACING;
        if (waits && !timer) {
            world_fail(w, "%s: %u bytes to be sent or acknowledged and no timer: %s",
                       me->host->name, info.send_q_bytes, tcp_limit_text[info.limit].name);
        }
    }
}
