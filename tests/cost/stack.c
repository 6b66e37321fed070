/* The order of a turn is that of host/cycle.c: a batch of frames, time, who is ready, all that is
 * to be sent, events, who is ready now, the next deadline. callgrind collects within each of these
 * calls, so that copies of frames from host to host, which a device would make, are left out. */
#include "stack.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/callgrind.h>

#define FRAME_AT 2u /* in a buffer, as a TAP's reader puts it */
#define STEP_NS (10 * NS_PER_US)
#define MEMORY ((size_t)1 << 30)
#define MTU 1500u
#define HEADERS_MOST 94u /* a frame above has payload: Ethernet, IPv4, TCP with all options */

enum { READ_FRAMES = 32, WRITE_FRAMES = 64, READY_ENDPOINTS = 256 };

struct frame {
    struct list link;
    struct net_offload offload;
    uint32_t length;
    uint8_t bytes[];
};

static void collect(const struct stack *s)
{
    if (s->counted) {
        CALLGRIND_TOGGLE_COLLECT;
    }
}

/* ---- the wire ---- */

static bool is_lost(struct stack *from, const struct net_frame *f)
{
    bool data = f->length > HEADERS_MOST;
    from->data_frames += data;
    from->frames++;
    from->bytes += f->length;
    return data && from->lose_every && from->data_frames % from->lose_every == 0;
}

static void carry(struct stack *from, const struct net_frame *f)
{
    if (is_lost(from, f)) {
        return;
    }
    struct frame *to = malloc(sizeof *to + f->length);
    MUST(to != NULL);
    list_init(&to->link);
    /* What a device would fill in never crossed a wire; what was summed up has to be right. */
    to->offload = f->offload;
    to->length = f->length;
    uint32_t n = f->header_len;
    memcpy(to->bytes, f->header, n);
    for (unsigned i = 0; i < f->n_ranges; i++) {
        memcpy(to->bytes + n, f->range[i].data, f->range[i].length);
        n += f->range[i].length;
    }
    MUST(n == f->length);
    list_append(&from->peer->inbox, &to->link);
}

/* ---- a turn ---- */

static void read_frame(struct stack *s, ackd_time now)
{
    struct frame *f = container_of(s->inbox.next, struct frame, link);
    collect(s);
    if (s->buffer == NULL) {
        s->buffer = pkt_get(tcp_pool(s->engine), PKT_FRAME_CAPACITY);
    }
    collect(s);
    MUST(s->buffer != NULL);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that a list is whole */
    memcpy(s->buffer->data + FRAME_AT, f->bytes, f->length);
    collect(s);
    net_input(s->net, now, s->buffer, FRAME_AT, f->length, &f->offload);
    if (s->buffer->refs > 1) {
        pkt_unref(s->buffer);
        s->buffer = NULL;
    }
    collect(s);
    list_remove(&f->link);
    free(f);
}

static void serve(struct stack *s)
{
    struct tcp_ready ready;
    collect(s);
    for (unsigned n = 0; n < READY_ENDPOINTS && tcp_ready_next(s->engine, &ready); n++) {
        s->on_ready(s->arg, &ready);
    }
    collect(s);
}

static bool flush(struct stack *s, ackd_time now)
{
    struct net_frame frame;
    for (unsigned n = 0; n < WRITE_FRAMES; n++) {
        collect(s);
        bool more = net_flush(s->net, now, &frame);
        collect(s);
        if (!more) {
            return n > 0;
        }
        carry(s, &frame);
    }
    return true;
}

/* Whether anything was read or sent. */
static bool turn(struct stack *s, ackd_time now)
{
    bool any = !list_empty(&s->inbox);
    for (unsigned n = 0; n < s->batch && !list_empty(&s->inbox); n++) {
        read_frame(s, now);
    }
    collect(s);
    net_timeout(s->net, now);
    collect(s);
    if (s->answers_first) {
        any = flush(s, now) || any;
    }
    serve(s);
    any = flush(s, now) || any;
    collect(s);
    observe_drain(s->observe);
    collect(s);
    serve(s);
    collect(s);
    net_next_deadline(s->net, now);
    collect(s);
    return any;
}

void wire_round(struct wire *w)
{
    bool any = false;
    do {
        any = turn(&w->client, w->now) || any;
    } while (!list_empty(&w->client.inbox));
    if (!list_empty(&w->server.inbox) ||
        time_reached(net_next_deadline(w->server.net, w->now), w->now)) {
        any = turn(&w->server, w->now) || any;
    }
    ackd_time next = time_add(w->now, STEP_NS);
    if (!any && !w->steady) {
        ackd_time deadline = time_min(net_next_deadline(w->client.net, w->now),
                                      net_next_deadline(w->server.net, w->now));
        next = time_is_never(deadline) ? next : time_max(next, deadline);
    }
    w->now = next;
}

void wire_count(struct wire *w)
{
    w->server.counted = true;
    CALLGRIND_START_INSTRUMENTATION;
}

/* ---- life ---- */

struct ip_addr wire_server_address(void)
{
    return ip_addr_v4(192, 0, 2, 1);
}

struct ip_addr wire_client_address(unsigned n)
{
    return ip_addr_v4(192, 0, 2, (uint8_t)(10 + n));
}

static void add_address(struct stack *s, ackd_time now, struct ip_addr address)
{
    const struct ip_prefix prefix = {address, 24};
    MUST(net_address_add(s->net, now, &prefix) == 0);
}

static void stack_init(struct stack *s, struct stack *peer, const struct wire_config *config,
                       unsigned number, int64_t delayed_ack_ns, ackd_time now)
{
    struct tcp_config tcp;
    memset(s, 0, sizeof *s);
    memory_init(&s->memory, MEMORY);
    list_init(&s->inbox);
    s->peer = peer;
    tcp_config_default(&tcp);
    tcp.arena = s->memory.arena;
    tcp.seed0 = number;
    tcp.seed1 = 1;
    if (delayed_ack_ns >= 0) {
        tcp.defaults.delayed_ack_ns = delayed_ack_ns;
    }
    s->engine = tcp_engine_new(&tcp, now);
    MUST(s->engine != NULL);
    const struct net_config net = {.arena = s->memory.arena,
                                   .engine = s->engine,
                                   .seed0 = number,
                                   .seed1 = 2,
                                   .link = NET_LINK_ETHERNET,
                                   .mac = {2, 0, 0, 0, 0, (uint8_t)number},
                                   .mtu = MTU,
                                   .checksum_offload = config->tso,
                                   .tso = config->tso};
    s->net = net_new(&net, now);
    const struct observe_config observe = {.engine = s->engine, .net = s->net};
    s->observe = observe_new(&observe);
    MUST(s->net != NULL && s->observe != NULL);
}

void wire_init(struct wire *w, const struct wire_config *config)
{
    w->now = time_from_ns(NS_PER_S);
    w->steady = config->steady;
    stack_init(&w->client, &w->server, config, 1, -1, w->now);
    stack_init(&w->server, &w->client, config, 2, config->delayed_ack_ns, w->now);
    for (unsigned i = 0; i < config->client_addresses; i++) {
        add_address(&w->client, w->now, wire_client_address(i));
    }
    add_address(&w->server, w->now, wire_server_address());
    w->client.batch = config->client_batch;
    w->client.answers_first = true;
    w->client.lose_every = config->client_loses_every;
    w->server.batch = READ_FRAMES;
    w->server.lose_every = config->server_loses_every;
}
