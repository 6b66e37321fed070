/* Inspect.Counters: every counter with its unit and meaning, from the tables that define them. */
#include "rpc/state.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, COUNTERS_MAX = 512 };

struct counter {
    Ackd__V1__Counter message;
    char name[NAME_MAX_BYTES];
};

struct counters {
    const char *prefix;
    size_t n;
    struct counter all[COUNTERS_MAX];
    Ackd__V1__Counter *list[COUNTERS_MAX];
};

static void add(struct counters *c, const char *group, const char *name, uint64_t value,
                const char *unit, const char *meaning, bool gauge)
{
    if (c->n == COUNTERS_MAX) {
        return;
    }
    struct counter *counter = &c->all[c->n];
    snprintf(counter->name, sizeof counter->name, "%s.%s", group, name);
    for (char *p = counter->name; *p; p++) {
        *p = *p == '-' ? '_' : (char)tolower((unsigned char)*p);
    }
    if (strncmp(counter->name, c->prefix, strlen(c->prefix)) != 0) {
        return;
    }
    ackd__v1__counter__init(&counter->message);
    counter->message.name = counter->name;
    counter->message.value = value;
    counter->message.unit = (char *)unit;
    counter->message.meaning = (char *)meaning;
    counter->message.gauge = gauge;
    c->list[c->n++] = &counter->message;
}

static void add_reasons(struct counters *c, const char *group, const uint64_t *values,
                        const struct tcp_reason_text *texts, unsigned n, const char *unit)
{
    for (unsigned i = 1; i < n; i++) {
        add(c, group, texts[i].name, values[i], unit, texts[i].sentence, false);
    }
}

static void add_tcp(struct counters *c, const struct rpc *rpc)
{
    const struct tcp_counters *t = tcp_counters(rpc->config.engine);
#define X(name, unit, doc) add(c, "tcp", #name, t->name, unit, doc, false);
    TCP_COUNTERS(X)
#undef X
    add_reasons(c, "tcp.drop", t->drops, tcp_drop_text, TCP_DROPS, "segments");
    add_reasons(c, "tcp.rst_sent", t->rsts_sent, tcp_rst_sent_text, TCP_RST_SENTS, "segments");
    add_reasons(c, "tcp.rst_received", t->rsts_received, tcp_rst_received_text, TCP_RST_RECEIVEDS,
                "segments");
    add_reasons(c, "tcp.close", t->closes, tcp_close_text, TCP_CLOSES, "connections");
    for (unsigned s = 0; s < TCP_STATES; s++) {
        add(c, "tcp.state", tcp_state_name((enum tcp_state)s), t->states[s], "endpoints",
            "endpoints in this state now", true);
    }
    add(c, "tcp", "endpoints", tcp_endpoints(rpc->config.engine), "endpoints",
        "listeners and connections of every state now", true);
}

static void add_net(struct counters *c, const struct rpc *rpc)
{
    const struct net_counters *n = net_counters(rpc->config.net);
#define X(name, unit, doc) add(c, "net", #name, n->name, unit, doc, false);
    NET_COUNTERS(X)
#undef X
    add_reasons(c, "net.drop", n->drops, net_drop_text, NET_DROPS, "packets");
}

#define RPC_STATS(X)                                                                               \
    X(connections, "connections", "control connections now", true)                                 \
    X(connections_accepted, "connections", "control connections accepted", false)                  \
    X(calls, "calls", "calls under way now", true)                                                 \
    X(calls_begun, "calls", "calls begun", false)                                                  \
    X(refused_connections, "connections", "control connections refused at a limit", false)         \
    X(protocol_errors, "errors", "malformed HTTP/2, gRPC or protobuf", false)                      \
    X(oversized, "messages", "messages above the size limit", false)                               \
    X(unpack_limit, "messages", "messages that would unpack to more memory than allowed", false)   \
    X(unknown_methods, "calls", "calls of methods that do not exist", false)

static void add_rpc(struct counters *c, const struct rpc *rpc)
{
    struct grpc_stats s;
    struct arena_stats a;
    grpc_server_stats(rpc->server, &s);
#define X(name, unit, doc, gauge) add(c, "rpc", #name, s.name, unit, doc, gauge);
    RPC_STATS(X)
#undef X
    add(c, "rpc", "sessions", rpc->n_sessions, "sessions",
        "sessions, those in their grace time included", true);
    add(c, "rpc", "endpoints", rpc->n_endpoints, "endpoints", "endpoints that a client holds",
        true);
    add(c, "rpc", "watchers", observe_watchers(rpc->config.observe), "calls",
        "Watch and Capture calls now", true);
    arena_stats(rpc->config.arena, &a);
    add(c, "memory", "limit", a.limit, "bytes", "what the engine may take at most", true);
    add(c, "memory", "taken", a.taken, "bytes", "taken from the system", true);
    add(c, "memory", "used", a.used, "bytes", "in records and buffers that are in use", true);
    add(c, "memory", "refusals", a.refusals, "allocations", "allocations that the limit refused",
        false);
}

static void on_message(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Ackd__V1__CountersRequest *m = (const Ackd__V1__CountersRequest *)message;
    struct rpc *rpc = grpc_call_arg(call);
    (void)wire_bytes;
    struct counters *c = calloc(1, sizeof *c);
    if (!c) {
        call_fail_errno(call, ENOMEM, "counters");
        return;
    }
    c->prefix = m->prefix;
    add_tcp(c, rpc);
    add_net(c, rpc);
    add_rpc(c, rpc);
    Ackd__V1__CountersResponse r = ACKD__V1__COUNTERS_RESPONSE__INIT;
    r.n_counters = c->n;
    r.counters = c->list;
    r.instance_id = (char *)rpc->config.instance_id;
    r.time_ns = rpc_now(rpc).ns;
    grpc_call_reply(call, &r.base);
    free(c);
}

const struct grpc_method counters_method = {
    .path = "/ackd.v1.Inspect/Counters",
    .input = &ackd__v1__counters_request__descriptor,
    .output = &ackd__v1__counters_response__descriptor,
    .on_message = on_message,
};
