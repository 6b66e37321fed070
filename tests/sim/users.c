/* Users of a simulated connection. What they do next depends on nothing but their own seed and what
 * the engine tells them. */
#include "users.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHUNK_MAX 65536u
#define CLOSED_MAX 64u /* that an engine remembers, by world_config_default() */

static struct users *users_of(const struct world *w)
{
    return w->users;
}

/* ---- writing and reading ---- */

static void wait_up_to(struct users *u, ackd_time now, ackd_time *at, int64_t most_ns)
{
    *at = time_add(now, 1 + (int64_t)(rng_u64(&u->rng) % (uint64_t)most_ns));
}

static bool user_write(struct world *w, struct users *u, struct user *me)
{
    if (!me->connected || me->closed || me->released || me->blocked || me->sent == me->to_send ||
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

/* SYNs that met what the listener still had of another connection and did not end it. */
static uint64_t old_syns(const struct flow *f)
{
    const uint64_t *drops = tcp_counters(f->user[1].host->engine)->drops;
    return drops[TCP_DROP_TIME_WAIT_OLD_SYN] + drops[TCP_DROP_SYN_CHALLENGED];
}

static bool user_open(struct world *w, struct users *u, struct flow *f)
{
    struct user *me = &f->user[0];
    if (me->id != 0 || !time_reached(f->open_at, w->now)) {
        return false;
    }
    struct tcp_open_args args = {.tuple = {.local = me->host->addr,
                                           .local_port = f->local_port,
                                           .remote = f->user[1].host->addr,
                                           .remote_port = f->port},
                                 .mtu = me->host->mtu,
                                 .options = &f->options[0],
                                 .owner = 1};
    static uint8_t data[CHUNK_MAX];
    if (f->options[1].fast_open_queue > 0) {
        args.fast_open = true;
        args.data = data;
        args.length = 1 + rng_below(&u->rng, me->chunk);
        args.length = args.length < me->to_send ? args.length : me->to_send;
        pattern_fill(data, me->salt_out, 0, args.length);
    }
    int error = tcp_open(me->host->engine, w->now, &args, &me->id);
    if (error == -EADDRINUSE && f->connections > 0) { /* the last one is in TIME-WAIT */
        me->id = 0;
        f->open_at = time_add(w->now, 5 * NS_PER_S);
    } else if (error != 0) {
        world_fail(w, "tcp_open: %d", error);
        me->id = UINT64_MAX;
    } else {
        me->sent = (uint64_t)tcp_send_offset(me->host->engine, me->id);
        me->blocked = me->sent < args.length;
        f->local_port = host_info(me->host, me->id).tuple.local_port;
        f->connections++;
        f->old_syns = old_syns(f);
    }
    return true;
}

static void listener_done(struct world *w, struct user *me)
{
    tcp_close(me->host->engine, w->now, me->listener);
    me->listener = 0;
}

static void user_listen(struct world *w, struct flow *f)
{
    struct user *me = &f->user[1];
    struct tcp_listen_args args = {.tuple = {.local = me->host->addr, .local_port = f->port},
                                   .backlog = 4,
                                   .options = &f->options[1],
                                   .owner = 1};
    int error = tcp_listen(me->host->engine, w->now, &args, &me->listener);
    if (error != 0) {
        world_fail(w, "tcp_listen: %d", error);
    }
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

static void release(struct world *w, struct user *me)
{
    struct users_seen *seen = &users_of(w)->seen;
    struct tcp_info info = host_info(me->host, me->id);
    for (unsigned i = 0; i < TCP_LIMITS; i++) {
        seen->limited_ns[i] += (uint64_t)info.limited_ns[i];
    }
    seen->ecn += info.ecn_ok;
    seen->accecn += info.accecn_ok;
    seen->sack += info.sack_ok;
    seen->timestamps += info.timestamps_ok;
    seen->fast_open += info.syn_data_taken;
    me->released = true;
    tcp_release(me->host->engine, w->now, me->id);
}

static bool user_end(struct world *w, struct user *me)
{
    if (!me->connected || me->released) {
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
    if (me->closed && me->end_seen && (!me->release_late || me->gone)) {
        release(w, me);
        return true;
    }
    return false;
}

static void user_check(struct world *w, const struct user *me)
{
    if (me->received != me->to_receive || me->sent != me->to_send) {
        world_fail(w, "%s: sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64 " of %" PRIu64,
                   me->host->name, me->sent, me->to_send, me->received, me->to_receive);
    }
}

/* A connection of the same ports, with other bytes. */
static void flow_begin(struct world *w, struct users *u, struct flow *f, int64_t in_ns)
{
    for (unsigned i = 0; i < 2; i++) {
        struct user *me = &f->user[i];
        f->bytes += me->received;
        me->id = me->sent = me->received = 0;
        me->connected = me->blocked = me->end_seen = me->closed = me->released = me->gone = false;
        me->pause_at = UINT64_MAX;
        me->salt_out = rng_u64(&u->rng);
        f->user[1 - i].salt_in = me->salt_out;
    }
    f->open_at = time_add(w->now, in_ns);
    if (f->user[1].listener == 0) {
        user_listen(w, f);
    }
}

/* Both have let go: the next may come. */
static bool flow_again(struct world *w, struct users *u, struct flow *f)
{
    if (f->again == 0 || !f->user[0].released || !f->user[1].released) {
        return false;
    }
    f->again--;
    user_check(w, &f->user[0]);
    user_check(w, &f->user[1]);
    flow_begin(w, u, f, f->again_ns);
    return true;
}

static struct flow *flow_of(struct world *w, const struct user *me)
{
    struct users *u = users_of(w);
    return &u->flow[(size_t)((const char *)me - (const char *)u->flow) / sizeof(u->flow[0])];
}

/* Where the wire is cut a connection ends by a timeout, whose kind check_end() looks at. */
static void ended(struct world *w, const struct users *u, struct user *me)
{
    struct tcp_info info = host_info(me->host, me->id);
    me->gone = true;
    if ((me->closed && me->end_seen) || info.error == 0) {
        return; /* CLOSED with data still to be read is fine: they are read first */
    }
    struct flow *f = flow_of(w, me);
    bool forgotten = f->options[1].syn_cookies == TCP_SYN_COOKIES_ALWAYS &&
                     info.close_reason == TCP_CLOSE_RESET_BY_PEER;
    bool unanswered = f->connections > 1 && info.close_reason == TCP_CLOSE_SYN_TIMEOUT;
    /* The peer still has the last one, whose keys a new one does not know: no reset reaches it. */
    bool unknown = unanswered && info.auth_key != 0;
    /* Without timestamps a SYN whose number is not beyond the last one's does not end TIME-WAIT
     * (MAY-2, RFC 6191), nor does the reset that its answer gets (RFC 1337): what is left of R2
     * after 2 MSL may not be enough on a bad wire. */
    bool old = unanswered && old_syns(f) > f->old_syns;
    if (forgotten || unknown || old) {
        f->try_again = true;
    } else if (!u->may_fail) {
        world_fail(w, "%s: the connection ended: %s", me->host->name,
                   tcp_close_text[info.close_reason].name);
    }
    release(w, me);
}

/* Why the peer's last connection of these ports ended; TCP_CLOSES: it had none. */
static enum tcp_close_reason end_at_peer(struct world *w, const struct host *h,
                                         const struct tcp_tuple *t)
{
    static struct tcp_closed closed[CLOSED_MAX];
    struct host *peer = world_host(w, &t->remote, NULL);
    uint64_t position = 0;
    enum tcp_close_reason reason = TCP_CLOSES;
    unsigned n = tcp_closed_list(peer->engine, &position, closed, CLOSED_MAX);
    for (unsigned i = 0; i < n; i++) {
        const struct tcp_tuple *o = &closed[i].tuple;
        if (o->local_port == t->remote_port && o->remote_port == t->local_port &&
            ip_addr_equal(&o->remote, &h->addr)) {
            reason = closed[i].reason;
        }
    }
    return reason;
}

/* A reset has a cause (RFC 9293 section 3.5.2): nobody here sends one for fun. The peer is done
 * with the connection: it has everything, so that what comes again (data or a FIN whose ACKs were
 * lost) finds TIME-WAIT over, or a successor in SYN-SENT, which resets what it is answered with
 * (section 3.5.1). Or it is the listener whose cookie did not come back, or somebody who tries
 * again has thrown the rest away. */
static bool has_cause(const struct users *u, enum tcp_close_reason at_peer)
{
    const struct flow *f = &u->flow[0];
    switch (at_peer) {
    case TCP_CLOSE_NORMAL:
    case TCP_CLOSE_TIME_WAIT_EXPIRED:
    case TCP_CLOSE_TIME_WAIT_REUSED:
        return true;
    case TCP_CLOSES:
        return f->options[1].syn_cookies == TCP_SYN_COOKIES_ALWAYS;
    case TCP_CLOSE_ABORTED:
        return f->retries > 0;
    default:
        return false;
    }
}

static void closed(struct world *w, struct host *h, const struct tcp_event *e)
{
    if (e->close_reason == TCP_CLOSE_RESET_BY_PEER) {
        enum tcp_close_reason at_peer = end_at_peer(w, h, &e->tuple);
        if (!has_cause(users_of(w), at_peer)) {
            world_fail(w, "%s: a reset without a cause, in %s; the peer's connection: %s", h->name,
                       tcp_state_name(e->old_state),
                       at_peer < TCP_CLOSES ? tcp_close_text[at_peer].name : "none ended");
        }
    }
}

/* A cookie comes back only with the first segment behind the SYN: when that is lost, what follows
 * is reset (RFC 4987 section 3.6), and whoever opened tries again. */
static bool flow_try_again(struct world *w, struct users *u, struct flow *f)
{
    if (!f->try_again) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct user *me = &f->user[i];
        if (me->connected && !me->released) {
            tcp_abort(me->host->engine, w->now, me->id, TCP_CLOSE_ABORTED);
            release(w, me);
        }
    }
    f->try_again = false;
    f->retries++;
    if (f->user[1].listener != 0) { /* what is left of the first would make it there once more */
        listener_done(w, &f->user[1]);
    }
    f->port = (uint16_t)(f->port + FLOWS_MAX);
    flow_begin(w, u, f, NS_PER_S);
    return true;
}

static void ready(struct world *w, struct host *h, const struct tcp_ready *r)
{
    struct users *u = users_of(w);
    for (unsigned i = 0; i < 2 * u->n; i++) {
        struct user *me = &u->flow[i / 2].user[i % 2];
        if (me->host != h) {
            continue;
        }
        if (r->what & TCP_READY_ACCEPT && me->listener == r->id && r->id != 0) {
            user_accept(w, me);
        }
        if (r->id != me->id || me->released) {
            continue;
        }
        me->connected = me->connected || (r->what & TCP_READY_CONNECTED);
        if (r->what & TCP_READY_WRITE) {
            me->blocked = false;
        }
        if (r->what & TCP_READY_CLOSED) {
            ended(w, u, me);
        }
    }
}

/* Who opened has given up, and nobody is there to accept any more. */
static bool flow_forsaken(struct world *w, const struct users *u, struct flow *f)
{
    struct user *me = &f->user[1];
    if (u->may_fail && f->user[0].released && me->listener != 0 &&
        tcp_endpoints(me->host->engine) == 1) {
        listener_done(w, me);
        me->released = true;
        return true;
    }
    return false;
}

static bool act(struct world *w)
{
    struct users *u = users_of(w);
    bool any = false;
    for (unsigned k = 0; k < u->n; k++) {
        struct flow *f = &u->flow[k];
        any = user_open(w, u, f) || any;
        for (unsigned i = 0; i < 2; i++) {
            struct user *me = &f->user[i];
            any = user_read(w, u, me) || any;
            any = user_write(w, u, me) || any;
            any = user_end(w, me) || any;
        }
        any = flow_try_again(w, u, f) || any;
        any = flow_again(w, u, f) || any;
        any = flow_forsaken(w, u, f) || any;
    }
    return any;
}

static ackd_time wake(const struct world *w)
{
    const struct users *u = users_of(w);
    ackd_time at = TIME_NEVER;
    for (unsigned k = 0; k < u->n; k++) {
        const struct flow *f = &u->flow[k];
        at = f->user[0].id == 0 ? time_min(at, f->open_at) : at;
        for (unsigned i = 0; i < 2; i++) {
            const struct user *me = &f->user[i];
            if (me->connected && !me->released) {
                at = time_before(w->now, me->read_at) ? time_min(at, me->read_at) : at;
                at = time_before(w->now, me->write_at) ? time_min(at, me->write_at) : at;
            }
        }
    }
    return at;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What a connection may cost: its buffers, an eighth and 64 KB more for what surrounds received
 * data (receive_window.c), rounding to blocks, and records. */
static size_t cost_at_most(const struct tcp_options *o)
{
    uint64_t receive = larger(o->rcv_buffer, o->rcv_buffer_max);
    uint64_t send = larger(o->snd_buffer, o->snd_buffer_max);
    return receive + receive / 8 + 2 * send + 512 * 1024;
}

void users_start(struct users *u, struct world *w)
{
    for (unsigned k = 0; k < u->n; k++) {
        struct flow *f = &u->flow[k];
        for (unsigned i = 0; i < 2; i++) {
            f->user[i].host = &w->host[f->host[i]];
            f->user[i].host->bound += cost_at_most(&f->options[i]);
        }
        user_listen(w, f);
    }
    w->users = u;
    w->ready = ready;
    w->closed = closed;
    w->act = act;
    w->wake = wake;
}

bool users_done(struct world *w)
{
    const struct users *u = users_of(w);
    for (unsigned k = 0; k < u->n; k++) {
        const struct flow *f = &u->flow[k];
        if (f->again > 0 || !f->user[0].released || !f->user[1].released) {
            return false;
        }
    }
    for (unsigned i = 0; i < w->hosts; i++) {
        if (tcp_endpoints(w->host[i].engine) != 0) {
            return false;
        }
    }
    return true;
}

void users_check_end(struct world *w)
{
    const struct users *u = users_of(w);
    for (unsigned k = 0; k < 2 * u->n && !u->may_fail; k++) {
        user_check(w, &u->flow[k / 2].user[k % 2]);
    }
}

void users_tell(struct world *w)
{
    const struct users *u = users_of(w);
    for (unsigned k = 0; k < 2 * u->n; k++) {
        const struct user *me = &u->flow[k / 2].user[k % 2];
        if (!me->released || u->flow[k / 2].again > 0) {
            world_fail(w,
                       "not done: flow %u, %s: sent %" PRIu64 "/%" PRIu64 " received %" PRIu64
                       "/%" PRIu64,
                       k / 2, me->host->name, me->sent, me->to_send, me->received, me->to_receive);
        }
    }
    world_fail(w, "not done: records are left");
}

uint64_t users_bytes(const struct users *u)
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < u->n; k++) {
        sum += u->flow[k].bytes + u->flow[k].user[0].received + u->flow[k].user[1].received;
    }
    return sum;
}
