/* The doubles. They are strict: a handler that answers twice, sends after the end, or leaves a
 * call's data behind fails the test. */
#include "harness.h"

#include <stdio.h>
#include "rpc/endpoint.h"
#include "proto/descriptors.h"
#include "google/protobuf/descriptor.pb-c.h"

struct world world;
void (*world_configure)(struct rpc_config *config);
bool world_ethernet;

/* ---- loop.h ---- */

struct loop_timer {
    struct list link;
    ackd_time at;
    loop_fn fn;
    void *arg;
};
struct loop {
    ackd_time now;
    struct list timers;
    bool kicked;
};

struct loop_timer *loop_timer_new_named(struct loop *loop, loop_fn fn, void *arg, const char *name)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    (void)name;
    t->at = TIME_NEVER;
    t->fn = fn;
    t->arg = arg;
    list_append(&loop->timers, &t->link);
    return t;
}
void loop_timer_at(struct loop_timer *t, ackd_time at)
{
    t->at = at;
}
void loop_timer_free(struct loop_timer *t)
{
    list_remove(&t->link);
    free(t);
}
ackd_time loop_clock(struct loop *loop)
{
    return loop->now;
}
ackd_time loop_now(struct loop *loop)
{
    return loop->now;
}
int64_t loop_wall_ns(struct loop *loop, ackd_time t)
{
    (void)loop;
    return INT64_C(1700000000) * NS_PER_S + t.ns;
}
void loop_kick(struct loop *loop)
{
    loop->kicked = true;
}

/* ---- grpc.h ---- */

struct grpc_server {
    int unused;
};
static struct grpc_server server;

struct grpc_server *grpc_server_new(const struct grpc_server_config *config)
{
    world.authorize = config->authorize;
    world.authorize_arg = config->authorize_arg;
    return &server;
}
static void end_call(struct grpc_call *call, bool cancelled)
{
    assert_false(call->ended);
    call->ended = true;
    list_remove(&call->link);
    if (call->method && call->method->on_end) {
        call->method->on_end(call, cancelled);
    }
}
void grpc_server_free(struct grpc_server *s)
{
    (void)s;
    list_for_each_safe(l, tmp, &world.calls)
    {
        end_call(container_of(l, struct grpc_call, link), true);
    }
    world.n_methods = 0;
}
void grpc_server_add(struct grpc_server *s, const struct grpc_method *method, void *arg)
{
    (void)s;
    world.methods[world.n_methods] = method;
    world.method_args[world.n_methods++] = arg;
}
void grpc_server_set_health(struct grpc_server *s, const char *service, bool serving)
{
    (void)s;
    (void)service;
    (void)serving;
}
int grpc_server_listen(struct grpc_server *s, int fd, bool read_only)
{
    (void)s;
    (void)fd;
    (void)read_only;
    return 0;
}
void grpc_server_drain(struct grpc_server *s)
{
    (void)s;
}
void grpc_server_stats(const struct grpc_server *s, struct grpc_stats *out)
{
    (void)s;
    *out = (struct grpc_stats){.connections = 1, .calls_begun = 42};
}
void *grpc_call_arg(const struct grpc_call *call)
{
    return call->arg;
}
void grpc_call_set_data(struct grpc_call *call, void *data)
{
    call->data = data;
}
void *grpc_call_data(const struct grpc_call *call)
{
    return call->data;
}
const struct grpc_peer *grpc_call_peer(const struct grpc_call *call)
{
    return &call->peer;
}
const char *grpc_call_path(const struct grpc_call *call)
{
    return call->method->path;
}
ackd_time grpc_call_deadline(const struct grpc_call *call)
{
    (void)call;
    return TIME_NEVER;
}
size_t grpc_call_room(const struct grpc_call *call)
{
    if (call->room == 0) {
        ((struct grpc_call *)call)->hungry = true;
    }
    return call->over ? 0 : call->room;
}
size_t grpc_call_capacity(const struct grpc_call *call)
{
    return call->over ? 0 : call->room;
}
/* A reply with `message` in it, and room for `more` bytes behind; where that is. */
static uint8_t *add_reply(struct grpc_call *call, const ProtobufCMessage *message, size_t more)
{
    assert_false(call->over);
    assert_ptr_equal(message->descriptor, call->method->output);
    size_t packed = protobuf_c_message_get_packed_size(message), length = packed + more;
    struct test_reply *r = malloc(sizeof *r + length);
    r->length = length;
    assert_int_equal(protobuf_c_message_pack(message, r->data), packed);
    list_append(&call->replies, &r->link);
    call->n_replies++;
    call->room -= length < call->room ? length : call->room;
    return r->data + packed;
}
int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message)
{
    add_reply(call, message, 0);
    return 0;
}
int grpc_call_send_bytes(struct grpc_call *call, const ProtobufCMessage *message, uint32_t field,
                         size_t length, uint8_t **space)
{
    assert_in_range(field, 1, 15); /* a tag of one byte, and four bytes of a length */
    assert_in_range(length, 1, (1u << 28) - 1);
    uint8_t *at = add_reply(call, message, 5 + length);
    *at++ = (uint8_t)(field << 3 | 2);
    for (unsigned i = 0; i < 4; i++) {
        *at++ = (uint8_t)((length >> 7 * i & 0x7f) | (i < 3 ? 0x80 : 0));
    }
    *space = at;
    return 0;
}
/* protobuf-c has allocated the value; whoever takes it frees it. */
void *grpc_call_take(struct grpc_call *call, const void *within)
{
    ProtobufCBinaryData *value = call->in_place;
    if (!value || (const uint8_t *)within < value->data ||
        (const uint8_t *)within >= value->data + value->len || value->len < GRPC_IN_PLACE) {
        return NULL;
    }
    void *memory = value->data;
    value->data = NULL;
    value->len = 0;
    return memory;
}
void grpc_call_consumed(struct grpc_call *call, size_t wire_bytes)
{
    call->consumed += wire_bytes;
}
void grpc_call_finish(struct grpc_call *call)
{
    assert_false(call->over);
    call->over = true;
}
void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message)
{
    grpc_call_send(call, message);
    grpc_call_finish(call);
}
int grpc_call_reply_bytes(struct grpc_call *call, const ProtobufCMessage *message, uint32_t field,
                          size_t length, uint8_t **space)
{
    int error = grpc_call_send_bytes(call, message, field, length, space);
    grpc_call_finish(call);
    return error;
}
/* What google.rpc.ErrorInfo and CONVENTIONS ask of every error, whichever test provokes it: an
 * errno name, a reason in UPPER_SNAKE, and with INVALID_FIELD which field. */
static void check_error(const struct grpc_error *error)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *reason = error->reason ? error->reason : "";
    size_t length = strlen(reason);
    assert_in_range(length, 3, 63);
    assert_int_equal(strspn(reason, letters), length);
    assert_true(reason[0] >= 'A' && reason[length - 1] != '_');
    assert_true(error->errno_name && error->errno_name[0] == 'E');
    assert_int_equal(error->key == NULL, error->value == NULL);
    if (strcmp(reason, "INVALID_FIELD") == 0) {
        assert_string_equal(error->key, "field");
        assert_true(error->value &&
                    strstr(error->sentence, error->value)); /* people read it, too */
    }
}

void grpc_call_fail_last(struct grpc_call *call, const struct grpc_error *error)
{
    assert_false(call->over);
    call->over = true;
    call->code = error->code;
    snprintf(call->errno_name, sizeof call->errno_name, "%s",
             error->errno_name ? error->errno_name : "");
    snprintf(call->reason, sizeof call->reason, "%s", error->reason ? error->reason : "");
    snprintf(call->sentence, sizeof call->sentence, "%s", error->sentence);
    snprintf(call->key, sizeof call->key, "%s", error->key ? error->key : "");
    snprintf(call->value, sizeof call->value, "%s", error->value ? error->value : "");
    check_error(error);
    assert_true(error->code != GRPC_UNAVAILABLE && error->code != GRPC_DEADLINE_EXCEEDED);
}

/* ---- the world ---- */

static void *source_get(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}
static void source_put(void *ctx, void *chunk, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(chunk);
}
static void log_write(struct log *log, enum log_level level, const char *line)
{
    (void)log;
    (void)level;
    (void)line;
}

static void add_address(const char *text)
{
    struct ip_prefix p;
    assert_true(ip_prefix_parse(text, &p));
    assert_int_equal(net_address_add(world.net, world.loop->now, &p), 0);
}

static void make_engine(void)
{
    static const struct arena_source source = {source_get, source_put, NULL};
    struct tcp_config config;
    tcp_config_default(&config);
    config.defaults.rcv_buffer = config.defaults.snd_buffer = 1u << 20;
    config.defaults.rcv_buffer_max = config.defaults.snd_buffer_max = 0;
    world.arena = arena_new(&source, (size_t)512 << 20);
    config.arena = world.arena;
    config.seed0 = 1;
    config.seed1 = 2;
    world.engine = tcp_engine_new(&config, world.loop->now);
    const struct net_config net = {.arena = world.arena,
                                   .engine = world.engine,
                                   .seed0 = 3,
                                   .seed1 = 4,
                                   .link = world_ethernet ? NET_LINK_ETHERNET : NET_LINK_NONE,
                                   .mac = {2, 0, 0, 0, 0, 1},
                                   .mtu = 1500};
    world.net = net_new(&net, world.loop->now);
    add_address(LOCAL4 "/24");
    add_address(LOCAL6 "/64");
}

int world_setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    list_init(&world.calls);
    world.loop = calloc(1, sizeof *world.loop);
    list_init(&world.loop->timers);
    world.loop->now = time_from_ns(NS_PER_S);
    world.log = (struct log){LOG_LEVEL_NOTICE, log_write};
    make_engine();
    const struct observe_config observe = {.engine = world.engine, .net = world.net};
    world.observe = observe_new(&observe);
    struct rpc_config config = {
        .loop = world.loop,
        .log = &world.log,
        .engine = world.engine,
        .net = world.net,
        .observe = world.observe,
        .arena = world.arena,
        .policy = {.own_uid = 990},
        .instance_id = "instance-1",
        .version = "0.0.1",
        .link = "none",
        .mtu = 1500,
    };
    if (world_configure) {
        world_configure(&config);
    }
    world.rpc = rpc_new(&config);
    assert_non_null(world.rpc);
    world.peer = (struct grpc_peer){.uid = 0, .pid = 77, .command = "test"};
    run();
    return 0;
}

int world_teardown(void **state)
{
    (void)state;
    run();
    rpc_free(world.rpc);
    assert_true(list_empty(&world.loop->timers)); /* nothing is left behind */
    observe_free(world.observe);
    net_free(world.net);
    tcp_engine_free(world.engine);
    arena_free(world.arena);
    free(world.loop);
    return 0;
}

static bool run_calls(void)
{
    bool any = false;
    list_for_each_safe(l, tmp, &world.calls)
    {
        struct grpc_call *call = container_of(l, struct grpc_call, link);
        if (call->over) {
            end_call(call, false);
            any = true;
        }
    }
    return any;
}

static bool run_timers(void)
{
    list_for_each(l, &world.loop->timers)
    {
        struct loop_timer *t = container_of(l, struct loop_timer, link);
        if (time_reached(t->at, world.loop->now)) {
            t->at = TIME_NEVER;
            t->fn(t->arg);
            return true;
        }
    }
    return false;
}

static bool run_cycle(void)
{
    struct net_frame frame;
    struct tcp_ready ready;
    bool any = false;
    const char *what;
    world.loop->kicked = false;
    unsigned rounds = 0;
    do {
        assert_true(rounds++ < 10000);
        net_timeout(world.net, world.loop->now);
        while (net_flush(world.net, world.loop->now, &frame)) {
        }
    } while (time_reached(net_next_deadline(world.net, world.loop->now), world.loop->now));
    observe_drain(world.observe);
    while (tcp_ready_next(world.engine, &ready)) {
        any = true;
        if (ready.owner == RPC_OWNER) {
            rpc_on_ready(world.rpc, &ready);
        }
    }
    assert_int_equal(tcp_check(world.engine, world.loop->now, &what), 0);
    return any || world.loop->kicked;
}

void run(void)
{
    for (unsigned turns = 0; turns < 100000; turns++) {
        bool more = run_timers();
        more |= run_calls();
        more |= run_cycle();
        if (!more) {
            return;
        }
    }
    fail_msg("the loop does not come to rest");
}

void advance_ms(int64_t ms)
{
    ackd_time end = time_add(world.loop->now, ms * NS_PER_MS);
    run();
    while (time_before(world.loop->now, end)) {
        ackd_time next = time_min(end, net_next_deadline(world.net, world.loop->now));
        list_for_each(l, &world.loop->timers)
        {
            next = time_min(next, container_of(l, struct loop_timer, link)->at);
        }
        world.loop->now = time_max(next, time_add(world.loop->now, 1));
        run();
    }
}

/* ---- the client ---- */

struct grpc_call *call_begin(const char *path)
{
    struct grpc_call *call = calloc(1, sizeof *call);
    const char *why = "";
    for (unsigned i = 0; i < world.n_methods; i++) {
        if (strcmp(world.methods[i]->path, path) == 0) {
            call->method = world.methods[i];
            call->arg = world.method_args[i];
        }
    }
    assert_non_null(call->method);
    call->peer = world.peer;
    call->room = (size_t)1 << 30;
    list_init(&call->replies);
    list_init(&call->link);
    enum grpc_code code = world.authorize(world.authorize_arg, &call->peer, call->method, &why);
    if (code != GRPC_OK) {
        call->over = call->ended = true;
        call->code = code;
        snprintf(call->sentence, sizeof call->sentence, "%s", why);
        return call;
    }
    list_append(&world.calls, &call->link);
    return call;
}

void call_put(struct grpc_call *call, const void *message)
{
    const ProtobufCMessage *m = message;
    assert_ptr_equal(m->descriptor, call->method->input);
    size_t length = protobuf_c_message_get_packed_size(m);
    uint8_t *wire = malloc(length + 1);
    protobuf_c_message_pack(m, wire);
    ProtobufCMessage *copy = protobuf_c_message_unpack(m->descriptor, NULL, length, wire);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(m->descriptor, call->method->in_place);
    call->in_place = field ? (ProtobufCBinaryData *)((uint8_t *)copy + field->offset) : NULL;
    if (!call->over) {
        call->method->on_message(call, copy, length);
    }
    call->in_place = NULL;
    protobuf_c_message_free_unpacked(copy, NULL);
    free(wire);
}

void call_send(struct grpc_call *call, const void *message)
{
    call_put(call, message);
    run();
}

void call_half_close(struct grpc_call *call)
{
    if (!call->over && call->method->on_half_close) {
        call->method->on_half_close(call);
    }
    run();
}

void call_cancel(struct grpc_call *call)
{
    call->over = true;
    end_call(call, true);
    call_free(call);
    run();
}

void call_room(struct grpc_call *call, size_t bytes)
{
    call->room += bytes;
    if (call->hungry && !call->over) {
        call->hungry = false;
        call->method->on_writable(call);
    }
    run();
}

void *call_reply(struct grpc_call *call)
{
    if (list_empty(&call->replies)) {
        return NULL;
    }
    struct test_reply *r = container_of(call->replies.next, struct test_reply, link);
    ProtobufCMessage *m = protobuf_c_message_unpack(call->method->output, NULL, r->length, r->data);
    assert_non_null(m);
    list_remove(&r->link);
    free(r);
    call->n_replies--;
    return m;
}

void reply_free(void *reply)
{
    protobuf_c_message_free_unpacked(reply, NULL);
}

void call_free(struct grpc_call *call)
{
    run();
    assert_true(call->ended);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that a list is whole */
    list_for_each_safe(l, tmp, &call->replies)
    {
        list_remove(l);
        free(container_of(l, struct test_reply, link));
    }
    free(call);
}

void *ask(const char *path, const void *request)
{
    struct grpc_call *call = call_begin(path);
    call_send(call, request);
    if (call->code != GRPC_OK || !call->over) {
        fail_msg("%s: code %d %s %s: %s", path, call->code, call->errno_name, call->reason,
                 call->sentence);
    }
    void *reply = call_reply(call);
    assert_non_null(reply);
    call_free(call);
    return reply;
}

void expect_error(struct grpc_call *call, enum grpc_code code, const char *errno_name)
{
    if (!call->over || call->code != code || strcmp(call->errno_name, errno_name) != 0) {
        fail_msg("%s: expected code %d %s, got over %d code %d %s %s: %s", call->method->path, code,
                 errno_name, call->over, call->code, call->errno_name, call->reason,
                 call->sentence);
    }
    assert_true(strlen(call->sentence) > 10);
}

void expect_reason(struct grpc_call *call, const char *reason, const char *key, const char *value)
{
    if (strcmp(call->reason, reason) != 0 || (key && strcmp(call->key, key) != 0) ||
        (value && strcmp(call->value, value) != 0)) {
        fail_msg("%s: expected %s {%s: %s}, got %s {%s: %s}: %s", call->method->path, reason,
                 key ? key : "", value ? value : "", call->reason, call->key, call->value,
                 call->sentence);
    }
    call_free(call);
}

struct grpc_call *ask_error(const char *path, const void *request, enum grpc_code code,
                            const char *errno_name)
{
    struct grpc_call *call = call_begin(path);
    call_send(call, request);
    expect_error(call, code, errno_name);
    return call;
}

/* ---- what tests often need ---- */

uint64_t make_listener(uint16_t port, uint32_t backlog)
{
    Ackd__V1__ListenRequest m = ACKD__V1__LISTEN_REQUEST__INIT;
    Ackd__V1__Endpoint local = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Ownership own = ACKD__V1__OWNERSHIP__INIT;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_DETACHED_IDLE_TIMEOUT_MS;
    local.port = port;
    m.local = &local;
    m.backlog = backlog;
    m.ownership = &own;
    Ackd__V1__ListenResponse *r = ask("/ackd.v1.Tcp/Listen", &m);
    uint64_t id = r->id;
    reply_free(r);
    return id;
}

uint64_t make_connection(uint16_t port, uint64_t listener, uint64_t *accepted)
{
    Ackd__V1__OpenRequest m = ACKD__V1__OPEN_REQUEST__INIT;
    Ackd__V1__Endpoint remote = ACKD__V1__ENDPOINT__INIT;
    Ackd__V1__Ownership own = ACKD__V1__OWNERSHIP__INIT;
    own.kind_case = ACKD__V1__OWNERSHIP__KIND_DETACHED_IDLE_TIMEOUT_MS;
    remote.address = LOCAL4;
    remote.port = port;
    m.remote = &remote;
    m.ownership = &own;
    m.wait_ms = 1000;
    Ackd__V1__OpenResponse *r = ask("/ackd.v1.Tcp/Open", &m);
    uint64_t id = r->id;
    assert_int_equal(r->state, ACKD__V1__STATE__STATE_ESTABLISHED);
    reply_free(r);
    if (accepted) {
        Ackd__V1__AcceptRequest a = ACKD__V1__ACCEPT_REQUEST__INIT;
        a.id = listener;
        Ackd__V1__AcceptResponse *ar = ask("/ackd.v1.Tcp/Accept", &a);
        *accepted = ar->id;
        reply_free(ar);
        assert_true(*accepted != 0);
    }
    return id;
}

uint64_t send_text(uint64_t id, uint64_t offset, const char *text)
{
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = id;
    m.offset = offset;
    m.data.data = (uint8_t *)text;
    m.data.len = strlen(text);
    m.push = true;
    Ackd__V1__SendResponse *r = ask("/ackd.v1.Tcp/Send", &m);
    uint64_t until = r->accepted_until;
    reply_free(r);
    return until;
}

enum tcp_state state_of_id(uint64_t id)
{
    struct tcp_info info;
    return tcp_status(world.engine, world.loop->now, id, false, &info) == 0 ? info.state
                                                                            : TCP_CLOSED;
}

ackd_time now(void)
{
    return world.loop->now;
}

/* ---- roles, as the transport reads them out of the descriptor set ---- */

static int role_of(const Google__Protobuf__MethodDescriptorProto *m)
{
    const ProtobufCMessage *o = m->options ? &m->options->base : NULL;
    for (unsigned i = 0; o && i < o->n_unknown_fields; i++) {
        if (o->unknown_fields[i].tag == 50001) {
            return o->unknown_fields[i].data[0];
        }
    }
    return 0;
}

static int find_role(const Google__Protobuf__FileDescriptorSet *set, const char *path)
{
    char name[160];
    for (size_t f = 0; f < set->n_file; f++) {
        for (size_t s = 0; s < set->file[f]->n_service; s++) {
            const Google__Protobuf__ServiceDescriptorProto *service = set->file[f]->service[s];
            for (size_t m = 0; m < service->n_method; m++) {
                snprintf(name, sizeof name, "/%s.%s/%s", set->file[f]->package, service->name,
                         service->method[m]->name);
                if (strcmp(name, path) == 0) {
                    return role_of(service->method[m]);
                }
            }
        }
    }
    return -ENOENT;
}

int grpc_method_role(const struct grpc_server *s, const char *path)
{
    (void)s;
    Google__Protobuf__FileDescriptorSet *set = google__protobuf__file_descriptor_set__unpack(
        NULL, ackd_descriptor_set_length, ackd_descriptor_set);
    assert_non_null(set);
    int role = find_role(set, path);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return role;
}
