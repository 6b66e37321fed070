/* One turn: read a batch of frames, let time pass, serve who is ready, send everything, tell the
 * observers, sleep until the next deadline.
 *
 * A batch is read before anything is sent, so that one ACK answers many segments (RFC 9293
 * MUST-58); readiness is served before the flush, so that an answer carries the ACK. Every stage
 * has a budget; what is left over asks for another turn, and the loop looks at all descriptors in
 * between: neither packets nor clients can starve the other.
 *
 * At the memory limit frames must still be read, for they carry the ACKs that free memory. One
 * buffer is therefore kept for ever: it takes frames that the engine never keeps a reference on (up
 * to a quarter of a buffer, payload is copied), larger ones are dropped and counted. */
#include "host/cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { READ_FRAMES = 32, WRITE_FRAMES = 64, READY_ENDPOINTS = 256 };
/* Frames of so much in all are written before more are built. */
enum { BATCH_BYTES = 16 << 10 };
/* How long after the cycle's begin each stage still goes on. Every stage does something, however
 * late it comes to its turn. */
static const int64_t read_until_ns = 150 * NS_PER_US;
static const int64_t serve_until_ns = 250 * NS_PER_US;
static const int64_t send_until_ns = 350 * NS_PER_US;

/* Ethernet's 14 bytes behind 2 leave the IP header aligned to 4. */
enum { FRAME_OFFSET = 2 };

struct cycle {
    struct cycle_config config;
    struct loop_fd *tap_fd;
    struct loop_timer *timer;
    struct pkt *buffer;    /* the next frame goes here; NULL at the memory limit */
    struct pkt *emergency; /* see above */
    ackd_time began;       /* the present cycle */
    bool readable;
    bool failed;
    struct cycle_stats stats;
    struct net_frame frame[NET_FRAMES]; /* on their way out */
};

/* ---- in ---- */

static void observe_in(struct cycle *c, ackd_time now, const struct pkt *pkt, uint32_t length,
                       const struct net_offload *offload)
{
    const struct cycle_observer *o = &c->config.observer;
    if (o->wants_frames != NULL && o->wants_frames(o->arg)) {
        struct iovec iov = {(void *)(pkt->data + FRAME_OFFSET), length};
        o->frame(o->arg, TCP_IN, now, &iov, 1, length, offload, 0);
    }
}

static struct pkt *next_buffer(struct cycle *c)
{
    if (c->buffer == NULL) {
        c->buffer = pkt_get(tcp_pool(c->config.engine), PKT_FRAME_CAPACITY);
    }
    return c->buffer != NULL ? c->buffer : c->emergency;
}

/* The engine may have kept a reference; then the next frame needs another buffer. */
static void done_with(struct cycle *c, struct pkt *pkt)
{
    if (pkt == c->buffer && pkt->refs > 1) {
        pkt_unref(pkt);
        c->buffer = NULL;
    }
}

static void tap_gone(struct cycle *c, int error)
{
    log_error(c->config.log, "the TAP %s cannot be read any more: %s", c->config.tap->name,
              strerror(error));
    c->failed = true;
    loop_fd_set(c->tap_fd, 0);
    loop_stop(c->config.loop);
}

/* Reads and hands up one frame; false when there is none. */
static bool read_frame(struct cycle *c, ackd_time now)
{
    struct net_offload offload;
    struct pkt *pkt = next_buffer(c);
    ssize_t n =
        tap_read(c->config.tap, pkt->data + FRAME_OFFSET, pkt->capacity - FRAME_OFFSET, &offload);
    if (n == 0) {
        return false;
    }
    if (n == -EMSGSIZE || n == -EBADMSG) {
        c->stats.read_errors++;
        return true;
    }
    if (n < 0) {
        c->stats.read_errors++;
        tap_gone(c, (int)-n);
        return false;
    }
    if (pkt == c->emergency && (size_t)n > PKT_FRAME_CAPACITY / 4) {
        c->stats.starved_frames++;
        return true;
    }
    observe_in(c, now, pkt, (uint32_t)n, &offload);
    net_input(c->config.net, now, pkt, FRAME_OFFSET, (uint32_t)n, &offload);
    done_with(c, pkt);
    return true;
}

/* Whether the cycle has been running for so long; reads the clock. */
static bool later_than(struct cycle *c, int64_t ns)
{
    return time_diff(loop_refresh(c->config.loop), c->began) >= ns;
}

static void read_frames(struct cycle *c)
{
    for (unsigned i = 0; i < READ_FRAMES; i++) {
        if (!read_frame(c, loop_now(c->config.loop)) || later_than(c, read_until_ns)) {
            return;
        }
    }
}

static void on_tap_readable(void *arg, int fd, unsigned what)
{
    (void)fd;
    (void)what;
    struct cycle *c = arg;
    c->readable = true;
    loop_kick(c->config.loop);
}

/* ---- out ---- */

static void observe_out(struct cycle *c, ackd_time now, const struct net_frame *frame)
{
    const struct cycle_observer *o = &c->config.observer;
    if (o->wants_frames == NULL || !o->wants_frames(o->arg)) {
        return;
    }
    struct iovec iov[1 + TCP_TX_RANGES];
    iov[0] = (struct iovec){(void *)frame->header, frame->header_len};
    for (unsigned i = 0; i < frame->n_ranges; i++) {
        iov[1 + i] = (struct iovec){(void *)frame->range[i].data, frame->range[i].length};
    }
    o->frame(o->arg, TCP_OUT, now, iov, 1 + frame->n_ranges, frame->length, &frame->offload,
             frame->id);
}

static void write_frame(struct cycle *c, ackd_time now, const struct net_frame *frame)
{
    int r = tap_write(c->config.tap, frame);
    if (r == 0) {
        c->stats.last_write_error = 0;
        observe_out(c, now, frame);
        return;
    }
    if (c->stats.last_write_error != -r) {
        log_warning(c->config.log, "the TAP refused a frame of %u bytes: %s", frame->length,
                    strerror(-r));
    }
    c->stats.write_errors++;
    c->stats.last_write_error = -r;
    net_write_failed(c->config.net, now, frame);
}

/* Without a link nothing but packets to ourselves has a way. */
static void emit(struct cycle *c, ackd_time now, const struct net_frame *frame)
{
    if (c->config.tap != NULL) {
        write_frame(c, now, frame);
    } else {
        net_write_failed(c->config.net, now, frame);
    }
}

/* Small frames are built several at a time before they are written: the kernel's path of each write
 * empties the processor's caches of ours. Returns how many, *all false when there may be more. */
static unsigned next_frames(struct cycle *c, ackd_time now, unsigned most, bool *all)
{
    uint32_t bytes = 0;
    unsigned n = 0;
    while (n < most && bytes < BATCH_BYTES) {
        if (!net_flush(c->config.net, now, &c->frame[n])) {
            *all = true;
            return n;
        }
        bytes += c->frame[n++].length;
    }
    *all = false;
    return n;
}

/* Sends until there is nothing left or the budget is spent; false then. */
static bool send_frames(struct cycle *c, unsigned budget)
{
    loop_refresh(c->config.loop);
    while (budget > 0) {
        ackd_time now = loop_now(c->config.loop);
        bool all;
        unsigned n = next_frames(c, now, budget < NET_FRAMES ? budget : NET_FRAMES, &all);
        for (unsigned i = 0; i < n; i++) {
            emit(c, now, &c->frame[i]);
        }
        if (all) {
            return true;
        }
        if (later_than(c, send_until_ns)) {
            return false;
        }
        budget -= n;
    }
    return false;
}

bool cycle_flush(struct cycle *c, unsigned frames)
{
    c->began = loop_refresh(c->config.loop);
    return send_frames(c, frames);
}

/* ---- readiness and events ---- */

/* Serves who is ready, within a budget; whether there may be more, or work that they made. */
static bool serve_ready(struct cycle *c, int64_t until_ns)
{
    struct tcp_ready ready;
    for (unsigned served = 0; served < READY_ENDPOINTS; served++) {
        if (!tcp_ready_next(c->config.engine, &ready)) {
            return served > 0;
        }
        if (ready.owner < CYCLE_OWNERS && c->config.owner[ready.owner].on_ready != NULL) {
            c->config.owner[ready.owner].on_ready(c->config.owner[ready.owner].arg, &ready);
        }
        if (later_than(c, until_ns)) {
            break;
        }
    }
    return true;
}

static void tell_events(struct cycle *c)
{
    const struct cycle_observer *o = &c->config.observer;
    struct tcp_event event;
    if (o->drain != NULL) {
        o->drain(o->arg);
        return;
    }
    while (tcp_event_next(c->config.engine, &event)) {
    }
}

/* ---- the whole ---- */

static void run(void *arg)
{
    struct cycle *c = arg;
    struct loop *loop = c->config.loop;
    c->began = loop_now(loop);
    if (c->readable) {
        c->readable = false;
        read_frames(c);
    }
    net_timeout(c->config.net, loop_refresh(loop));
    serve_ready(c, serve_until_ns);
    bool all_sent = send_frames(c, WRITE_FRAMES);
    tell_events(c);
    /* What the flush made ready is served now and sent in the next turn. */
    bool more = serve_ready(c, send_until_ns);
    ackd_time deadline = net_next_deadline(c->config.net, loop_refresh(loop));
    if (!all_sent || more || time_reached(deadline, loop_now(loop))) {
        loop_kick(loop);
        deadline = TIME_NEVER;
    }
    loop_timer_at(c->timer, deadline);
}

static void on_deadline(void *arg)
{
    struct cycle *c = arg;
    loop_kick(c->config.loop);
}

struct cycle *cycle_new(const struct cycle_config *config)
{
    struct cycle *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->config = *config;
    c->timer = loop_timer_new(config->loop, on_deadline, c);
    c->emergency = pkt_get(tcp_pool(config->engine), PKT_FRAME_CAPACITY);
    bool good = c->timer != NULL && c->emergency != NULL;
    if (good && config->tap != NULL) {
        c->tap_fd = loop_fd_new(config->loop, config->tap->fd, LOOP_READ, on_tap_readable, c);
        good = c->tap_fd != NULL;
    }
    if (!good) {
        cycle_free(c);
        return NULL;
    }
    loop_set_cycle(config->loop, run, c);
    loop_kick(config->loop);
    return c;
}

void cycle_free(struct cycle *c)
{
    if (c == NULL) {
        return;
    }
    loop_set_cycle(c->config.loop, NULL, NULL);
    loop_fd_free(c->tap_fd);
    loop_timer_free(c->timer);
    if (c->buffer != NULL) {
        pkt_unref(c->buffer);
    }
    if (c->emergency != NULL) {
        pkt_unref(c->emergency);
    }
    free(c);
}

void cycle_stats(const struct cycle *c, struct cycle_stats *out)
{
    *out = c->stats;
}

bool cycle_failed(const struct cycle *c)
{
    return c->failed;
}
