/* What the engine, net/ and a service cost in instructions, on fixed traces: `cost TRACE`, under
 * callgrind, prints how many units (frames, segments, connections) it counted; `cost --list` names
 * the traces with their units, `cost --compiler` who compiled the code (tests/cost/run
 * asks).
 *
 * In each trace a client meets one of the built-in services on a server, whose instructions are the
 * ones that count. The first part warms up: windows, buffers and free lists are what they stay. */
#include "stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ECHO = 7, DISCARD = 9, CHARGEN = 19, ADDRESSES = 8, PORT_FIRST = 10000 };

struct trace {
    const char *name, *unit;
    void (*run)(const struct trace *t);
    struct wire_config config;
    unsigned warm, length; /* units */
    unsigned n;            /* connections */
    unsigned port;
};

static struct wire wire;
static struct service service;
static uint8_t octets[1 << 16];

/* ---- both ends ---- */

static void serve(void *arg, const struct tcp_ready *ready)
{
    (void)arg;
    service_on_ready(&service, wire.now, ready);
}

static void begin(const struct trace *t, void (*on_ready)(void *, const struct tcp_ready *))
{
    wire_init(&wire, &t->config);
    service = (struct service){.engine = wire.server.engine, .owner = 1};
    MUST(service_listen(&service, wire.now, SERVICE_ECHO, ECHO) == 0);
    MUST(service_listen(&service, wire.now, SERVICE_DISCARD, DISCARD) == 0);
    MUST(service_listen(&service, wire.now, SERVICE_CHARGEN, CHARGEN) == 0);
    wire.server.on_ready = serve;
    wire.client.on_ready = on_ready;
}

/* The n-th connection of the client; its cookie is n. */
static uint64_t dial(const struct trace *t, unsigned n)
{
    const struct tcp_open_args args = {
        .tuple = {.local = wire_client_address(n % ADDRESSES),
                  .remote = wire_server_address(),
                  .local_port = (uint16_t)(PORT_FIRST + n / ADDRESSES),
                  .remote_port = (uint16_t)t->port},
        .mtu = 1500,
        .owner = 1,
        .cookie = n,
    };
    uint64_t id;
    MUST(tcp_open(wire.client.engine, wire.now, &args, &id) == 0);
    return id;
}

/* A connection that shall not lose anything did not. */
static void check(const struct trace *t)
{
    const struct tcp_counters *server = tcp_counters(wire.server.engine),
                              *client = tcp_counters(wire.client.engine);
    const char *what;
    bool loses = t->config.client_loses_every || t->config.server_loses_every;
    MUST(loses || (server->retrans_segs == 0 && client->retrans_segs == 0));
    MUST(!loses || server->retrans_segs + client->retrans_segs > 0);
    MUST(server->rto_timeouts == 0 && client->rto_timeouts == 0);
    MUST(tcp_check(wire.server.engine, wire.now, &what) == 0);
}

/* ---- bulk ---- */

static void send_on(void *arg, const struct tcp_ready *ready)
{
    (void)arg;
    while (tcp_send(wire.client.engine, wire.now, ready->id, octets, sizeof octets, 0) > 0) {
    }
}

static void read_on(void *arg, const struct tcp_ready *ready)
{
    struct tcp_received in;
    int64_t at = tcp_receive_offset(wire.client.engine, ready->id);
    (void)arg;
    MUST(at >= 0 && tcp_peek(wire.client.engine, ready->id, (uint64_t)at, SIZE_MAX, &in) == 0);
    MUST(tcp_consume(wire.client.engine, wire.now, ready->id, in.offset + in.available) == 0);
}

/* The units are the sender's frames with data. */
static void bulk(const struct trace *t)
{
    struct stack *sender = t->port == CHARGEN ? &wire.server : &wire.client;
    begin(t, t->port == CHARGEN ? read_on : send_on);
    dial(t, 0);
    while (sender->data_frames < t->warm) {
        wire_round(&wire);
    }
    uint64_t from = sender->data_frames;
    wire_count(&wire);
    while (sender->data_frames < from + t->length) {
        wire_round(&wire);
    }
    printf("%" PRIu64 "\n", sender->data_frames - from);
}

/* ---- short connections ---- */

static struct {
    unsigned dialled, open, done, limit;
} shorts;

static void talk_briefly(void *arg, const struct tcp_ready *ready)
{
    struct tcp_received in;
    (void)arg;
    MUST(!(ready->what & TCP_READY_CLOSED));
    if (ready->what & TCP_READY_CONNECTED) {
        MUST(tcp_send(wire.client.engine, wire.now, ready->id, "x", 1, TCP_SEND_PUSH) == 1);
    }
    MUST(tcp_peek(wire.client.engine, ready->id, 0, 1, &in) == 0);
    if (in.available == 1) {
        MUST(tcp_consume(wire.client.engine, wire.now, ready->id, 1) == 0);
        MUST(tcp_release(wire.client.engine, wire.now, ready->id) == 0);
        shorts.open--;
        shorts.done++;
    }
}

/* 64 at once, as the bench has them. */
static void converse(const struct trace *t, unsigned upto)
{
    while (shorts.done < upto) {
        while (shorts.open < t->n && shorts.dialled < upto) {
            dial(t, shorts.dialled++);
            shorts.open++;
        }
        wire_round(&wire);
    }
    for (unsigned i = 0; i < 8; i++) { /* the last FINs */
        wire_round(&wire);
    }
}

static void connections(const struct trace *t)
{
    begin(t, talk_briefly);
    converse(t, 1); /* each finds the other's link address */
    converse(t, t->warm);
    wire_count(&wire);
    converse(t, t->warm + t->length);
    printf("%u\n", t->length);
}

/* ---- one octet ---- */

static uint64_t *ids; /* of the client's connections */
static unsigned answered, connected;

static void take_answer(void *arg, const struct tcp_ready *ready)
{
    struct tcp_received in;
    int64_t at = tcp_receive_offset(wire.client.engine, ready->id);
    (void)arg;
    connected += (ready->what & TCP_READY_CONNECTED) != 0;
    if (ready->what & TCP_READY_READ) {
        MUST(at >= 0 && tcp_peek(wire.client.engine, ready->id, (uint64_t)at, 1, &in) == 0);
        MUST(tcp_consume(wire.client.engine, wire.now, ready->id, in.offset + in.available) == 0);
        answered++;
    }
}

static void dial_all(const struct trace *t)
{
    ids = calloc(t->n, sizeof *ids);
    MUST(ids != NULL);
    for (unsigned i = 0; i < t->n; i++) {
        ids[i] = dial(t, i);
        while (i + 1 - connected >= 64 || ((i == 0 || i + 1 == t->n) && connected < i + 1)) {
            wire_round(&wire);
        }
    }
}

static void say(unsigned n)
{
    MUST(tcp_send(wire.client.engine, wire.now, ids[n], "x", 1, TCP_SEND_PUSH) == 1);
}

static void ping(unsigned times)
{
    for (unsigned upto = answered + times; answered < upto;) {
        unsigned before = answered;
        say(0);
        while (answered == before) {
            wire_round(&wire);
        }
    }
}

static void pings(const struct trace *t)
{
    begin(t, take_answer);
    dial_all(t);
    ping(t->warm);
    wire_count(&wire);
    ping(t->length);
    printf("%u\n", t->length);
}

/* Ten segments a turn, each for another connection, over all there are; each is acknowledged. */
static void spread_segments(const struct trace *t, unsigned segments)
{
    enum { TURN = 10 };
    unsigned stride = t->n / segments > 0 ? t->n / segments : 1;
    for (unsigned i = 0; i < segments; i += TURN) {
        for (unsigned k = 0; k < TURN; k++) {
            say((i + k) * stride % t->n);
        }
        for (unsigned round = 0; round < 4; round++) {
            wire_round(&wire);
        }
    }
}

static void spread(const struct trace *t)
{
    begin(t, take_answer);
    dial_all(t);
    spread_segments(t, t->length);
    uint64_t from = wire.server.frames;
    wire_count(&wire);
    spread_segments(t, t->length);
    MUST(wire.server.frames - from == t->length);
    printf("%u\n", t->length);
}

/* ---- the table ---- */

#define TSO                                                                                        \
    {                                                                                              \
        .tso = true, .client_batch = 1, .client_addresses = 1, .delayed_ack_ns = -1                \
    }
#define SINGLE                                                                                     \
    {                                                                                              \
        .client_batch = 2, .client_addresses = 1, .delayed_ack_ns = -1                             \
    }
#define MANY                                                                                       \
    {                                                                                              \
        .tso = true, .client_batch = 64, .client_addresses = ADDRESSES, .delayed_ack_ns = -1       \
    }
#define SPREAD                                                                                     \
    {                                                                                              \
        .steady = true, .tso = true, .client_batch = 64, .client_addresses = ADDRESSES,            \
        .delayed_ack_ns = 0                                                                        \
    }
#define LOSSY(who)                                                                                 \
    {                                                                                              \
        .client_batch = 2, .client_addresses = 1, .delayed_ack_ns = -1, .who##_loses_every = 97    \
    }

static const struct trace traces[] = {
    {"recv-tso", "frame", bulk, TSO, 300, 500, 1, DISCARD},
    {"recv-1514", "segment", bulk, SINGLE, 4000, 3000, 1, DISCARD},
    {"send-tso", "frame", bulk, TSO, 300, 500, 1, CHARGEN},
    {"send-1514", "segment", bulk, SINGLE, 4000, 3000, 1, CHARGEN},
    {"recv-loss", "segment", bulk, LOSSY(client), 4000, 3000, 1, DISCARD},
    {"send-loss", "segment", bulk, LOSSY(server), 4000, 3000, 1, CHARGEN},
    {"connect", "connection", connections, MANY, 192, 320, 64, ECHO},
    {"ping", "ping", pings, MANY, 50, 300, 1, ECHO},
    {"spread-10", "segment", spread, SPREAD, 0, 1000, 10, DISCARD},
    {"spread-1000", "segment", spread, SPREAD, 0, 1000, 1000, DISCARD},
    {"spread-100000", "segment", spread, SPREAD, 0, 1000, 100000, DISCARD},
};

#ifdef __clang__
#define COMPILER "clang-" __clang_version__
#else
#define COMPILER "gcc-" __VERSION__
#endif

int main(int argc, char **argv)
{
    const char *want = argc == 2 ? argv[1] : "";
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        if (strcmp(want, "--list") == 0) {
            printf("%s %s\n", traces[i].name, traces[i].unit);
        } else if (strcmp(want, traces[i].name) == 0) {
            traces[i].run(&traces[i]);
            check(&traces[i]);
            return 0;
        }
    }
    if (strcmp(want, "--compiler") == 0) {
        puts(COMPILER);
    } else if (strcmp(want, "--list") != 0) {
        fprintf(stderr, "usage: cost --list | --compiler | TRACE\n");
        return 2;
    }
    return 0;
}
