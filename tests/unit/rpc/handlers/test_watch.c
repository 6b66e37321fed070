/* Watch: snapshot, synced, events; no gap, no going back; and what a slow watcher gets. */
#include "harness.h"

#include "rpc/endpoint.h"

static uint64_t listener, a, b;

static void small_rings(struct rpc_config *config)
{
    const struct observe_config o = {
        .engine = config->engine, .net = config->net, .states = 64, .segments = 64};
    observe_free(world.observe);
    config->observe = world.observe = observe_new(&o);
}

static int setup(void **state)
{
    world_setup(state);
    listener = make_listener(80, 256);
    a = make_connection(80, listener, &b);
    return 0;
}

static int setup_small(void **state)
{
    world_configure = small_rings;
    int r = setup(state);
    world_configure = NULL;
    return r;
}

static struct grpc_call *watch(Ackd__V1__WatchRequest *m)
{
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Watch");
    call_send(call, m);
    return call;
}

/* The next event; checks the sequence. */
static Ackd__V1__WatchEvent *next(struct grpc_call *call, uint64_t *sequence)
{
    Ackd__V1__WatchEvent *e = call_reply(call);
    if (e) {
        assert_int_equal(e->sequence, ++*sequence);
        assert_string_equal(e->instance_id, "instance-1");
        assert_true(e->time_ns > 0);
        assert_int_equal(e->wall_time_ns - e->time_ns, INT64_C(1700000000) * NS_PER_S);
    }
    return e;
}

static Ackd__V1__WatchEvent *expect(struct grpc_call *call, uint64_t *sequence,
                                    Ackd__V1__WatchEvent__EventCase what)
{
    Ackd__V1__WatchEvent *e = next(call, sequence);
    assert_non_null(e);
    assert_int_equal(e->event_case, what);
    return e;
}

static void snapshot_synced_events(void **state)
{
    (void)state;
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    m.initial_snapshot = true;
    struct grpc_call *call = watch(&m);
    uint64_t sequence = 0;
    for (unsigned i = 0; i < 3; i++) {
        Ackd__V1__WatchEvent *e =
            expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_SNAPSHOT_ROW);
        assert_int_equal(e->event_id, 0);
        reply_free(e);
    }
    reply_free(expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_SYNCED));
    assert_null(next(call, &sequence)); /* nothing that is in the snapshot already */
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = a;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    Ackd__V1__WatchEvent *e = expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_STATE);
    assert_int_equal(e->state->id, a);
    assert_int_equal(e->state->old_state, ACKD__V1__STATE__STATE_ESTABLISHED);
    assert_int_equal(e->state->new_state, ACKD__V1__STATE__STATE_CLOSED);
    assert_int_equal(e->state->close_reason, ACKD__V1__CLOSE_REASON__CLOSE_ABORTED);
    uint64_t id = e->event_id;
    assert_true(id > 0);
    reply_free(e);
    e = expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_STATE);
    assert_int_equal(e->state->id, b);
    assert_int_equal(e->state->listener_id, listener);
    assert_true(e->event_id > id);
    reply_free(e);
    assert_null(next(call, &sequence));
    call_cancel(call);
}

/* What a client that believes the watch holds to be true. */
struct model {
    Ackd__V1__State state[4096];
};

static void believe(struct model *m, const Ackd__V1__WatchEvent *e)
{
    if (e->event_case == ACKD__V1__WATCH_EVENT__EVENT_SNAPSHOT_ROW) {
        assert_int_equal(m->state[e->snapshot_row->id], 0); /* one row each */
        m->state[e->snapshot_row->id] = e->snapshot_row->state;
    } else if (e->event_case == ACKD__V1__WATCH_EVENT__EVENT_STATE) {
        Ackd__V1__State known = m->state[e->state->id];
        /* every change begins where the model is: no gap, no going back */
        if (known) {
            assert_int_equal(e->state->old_state, known);
        } else {
            assert_true(e->state->old_state == ACKD__V1__STATE__STATE_CLOSED ||
                        e->state->old_state == ACKD__V1__STATE__STATE_LISTEN);
        }
        m->state[e->state->id] = e->state->new_state;
    }
}

static void consistent_while_things_happen(void **state)
{
    (void)state;
    uint64_t ids[100];
    for (unsigned i = 0; i < 100; i++) {
        ids[i] = make_connection(80, listener, NULL);
    }
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    m.initial_snapshot = true;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Watch");
    call->room = 1;
    call_send(call, &m);
    static struct model model;
    memset(&model, 0, sizeof model);
    uint64_t sequence = 0;
    bool synced = false;
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    for (unsigned i = 0; i < 4000; i++) {
        if (i < 50) { /* connections end at both ends of the walk, and new ones come */
            abort.id = ids[i % 2 ? i : 99 - i];
            reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
            make_connection(80, listener, NULL);
        }
        call_room(call, 150);
        Ackd__V1__WatchEvent *e;
        while ((e = next(call, &sequence))) {
            assert_false(synced && e->event_case == ACKD__V1__WATCH_EVENT__EVENT_SNAPSHOT_ROW);
            assert_true(synced || e->event_case != ACKD__V1__WATCH_EVENT__EVENT_STATE);
            synced |= e->event_case == ACKD__V1__WATCH_EVENT__EVENT_SYNCED;
            assert_true(e->event_case != ACKD__V1__WATCH_EVENT__EVENT_LOST);
            believe(&model, e);
            reply_free(e);
        }
    }
    assert_true(synced);
    for (uint64_t id = 1; id < 1000; id++) { /* the model is the truth */
        Ackd__V1__State known = model.state[id] ? model.state[id] : ACKD__V1__STATE__STATE_CLOSED;
        assert_int_equal(known, state_of_id(id) + 1);
    }
    call_cancel(call);
}

/* A change that the engine has told nobody yet when the next rows are taken. */
static void change_between_two_turns(void **state)
{
    (void)state;
    uint64_t ids[60];
    for (unsigned i = 0; i < 60; i++) {
        ids[i] = make_connection(80, listener, NULL);
    }
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    m.initial_snapshot = true;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Watch");
    call_put(call, &m);                    /* the first rows */
    assert_int_equal(call->n_replies, 64); /* a turn's rows */
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    static const unsigned gone[] = {40, 59}; /* in the next turn's rows, and at the very end */
    struct grpc_call *others[2];
    for (unsigned i = 0; i < 2; i++) {
        others[i] = call_begin("/ackd.v1.Tcp/Abort");
        abort.id = ids[gone[i]];
        call_put(others[i], &abort);
    }
    call_free(others[0]);
    call_free(others[1]);
    static struct model model;
    memset(&model, 0, sizeof model);
    uint64_t sequence = 0;
    Ackd__V1__WatchEvent *e;
    while ((e = next(call, &sequence))) {
        believe(&model, e);
        reply_free(e);
    }
    call_cancel(call);
}

static void segments_with_everything(void **state)
{
    (void)state;
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    Ackd__V1__Filter f = ACKD__V1__FILTER__INIT;
    f.ids = &a;
    f.n_ids = 1;
    m.filter = &f;
    m.segments = true;
    m.payload_bytes = 3;
    struct grpc_call *call = watch(&m);
    send_text(a, 0, "hello");
    uint64_t sequence = 0;
    Ackd__V1__WatchEvent *e = expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_SEGMENT);
    const Ackd__V1__SegmentEvent *s = e->segment;
    assert_int_equal(s->id, a);
    assert_int_equal(s->direction, ACKD__V1__DIRECTION__DIRECTION_OUT);
    assert_int_equal(s->send_kind, ACKD__V1__SEND_KIND__SEND_KIND_DATA);
    assert_int_equal(s->payload_length_bytes, 5);
    assert_int_equal(s->payload.len, 3);
    assert_memory_equal(s->payload.data, "hel", 3);
    assert_int_equal(s->header->sequence_number, s->iss + 1);
    assert_int_equal(s->header->acknowledgment_number, s->acked_sequence_number + s->acked_length);
    assert_true(s->header->psh && s->header->ack);
    assert_int_equal(s->state_after, ACKD__V1__STATE__STATE_ESTABLISHED);
    assert_string_equal(s->local->address, LOCAL4);
    reply_free(e);
    call_cancel(call);
    /* nobody watches segments any more: the engine stops making them */
    uint64_t before = observe_last(world.observe);
    send_text(a, 5, "quiet");
    advance_ms(100);
    assert_int_equal(observe_last(world.observe), before);
}

static void payload_of_others(void **state)
{
    (void)state;
    world.peer.uid = 1000;
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    m.segments = true;
    m.payload_bytes = 64;
    struct grpc_call *theirs = watch(&m);
    world.peer.uid = 0;
    struct grpc_call *admins = watch(&m);
    send_text(a, 0, "secret");
    uint64_t sequence = 0;
    Ackd__V1__WatchEvent *e = expect(theirs, &sequence, ACKD__V1__WATCH_EVENT__EVENT_SEGMENT);
    assert_int_equal(e->segment->payload_length_bytes, 6);
    assert_int_equal(e->segment->payload.len, 0);
    reply_free(e);
    sequence = 0;
    e = expect(admins, &sequence, ACKD__V1__WATCH_EVENT__EVENT_SEGMENT);
    assert_int_equal(e->segment->payload.len, 6);
    reply_free(e);
    call_cancel(theirs);
    call_cancel(admins);
    m.payload_bytes = 65;
    call_free(ask_error("/ackd.v1.Inspect/Watch", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

static void resume_after_an_event(void **state)
{
    (void)state;
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    struct grpc_call *call = watch(&m);
    make_connection(80, listener, NULL);
    uint64_t sequence = 0, first = 0, n = 0;
    Ackd__V1__WatchEvent *e;
    while ((e = next(call, &sequence))) {
        first = first ? first : e->event_id;
        n++;
        reply_free(e);
    }
    assert_true(n >= 4);
    call_cancel(call);
    m.after_event = first;
    m.instance_id = "instance-1";
    call = watch(&m);
    sequence = 0;
    e = expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_STATE);
    assert_int_equal(e->event_id, first + 1);
    reply_free(e);
    assert_int_equal(call->n_replies, n - 2);
    call_cancel(call);
    m.instance_id = "another";
    call = ask_error("/ackd.v1.Inspect/Watch", &m, GRPC_OUT_OF_RANGE, "ERANGE");
    assert_string_equal(call->reason, "INSTANCE_CHANGED");
    call_free(call);
    m.instance_id = "";
    call_free(ask_error("/ackd.v1.Inspect/Watch", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.instance_id = "instance-1";
    m.after_event = 1 << 30;
    call = ask_error("/ackd.v1.Inspect/Watch", &m, GRPC_OUT_OF_RANGE, "ERANGE");
    assert_string_equal(call->reason, "EVENT_IN_FUTURE");
    call_free(call);
    m.initial_snapshot = true;
    call_free(ask_error("/ackd.v1.Inspect/Watch", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

static void slow_watcher_loses_with_a_count(void **state)
{
    (void)state;
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Watch");
    call->room = 0;
    call_send(call, &m);
    uint64_t before = observe_last(world.observe);
    for (unsigned i = 0; i < 40; i++) {
        make_connection(80, listener, NULL);
    }
    uint64_t happened = observe_last(world.observe) - before;
    assert_true(happened > 100);
    assert_int_equal(call->n_replies, 0);
    call_room(call, 1 << 20);
    uint64_t sequence = 0, told = 0;
    Ackd__V1__WatchEvent *e = expect(call, &sequence, ACKD__V1__WATCH_EVENT__EVENT_LOST);
    assert_int_equal(e->event_id, 0);
    uint64_t lost = e->lost->count;
    reply_free(e);
    while ((e = next(call, &sequence))) {
        assert_int_equal(e->event_case, ACKD__V1__WATCH_EVENT__EVENT_STATE);
        told++;
        reply_free(e);
    }
    assert_int_equal(told, 64);
    assert_int_equal(lost + told, happened);
    call_cancel(call);
}

static void few_watches(struct rpc_config *config)
{
    config->limits.watches_uid = 2;
}

static int quota_setup(void **state)
{
    world_configure = few_watches;
    int r = setup(state);
    world_configure = NULL;
    return r;
}

static void quotas(void **state)
{
    (void)state;
    Ackd__V1__WatchRequest m = ACKD__V1__WATCH_REQUEST__INIT;
    Ackd__V1__CaptureRequest c = ACKD__V1__CAPTURE_REQUEST__INIT;
    struct grpc_call *one = watch(&m), *two = watch(&m);
    call_free(ask_error("/ackd.v1.Inspect/Watch", &m, GRPC_RESOURCE_EXHAUSTED, "EMFILE"));
    call_free(ask_error("/ackd.v1.Inspect/Capture", &c, GRPC_RESOURCE_EXHAUSTED, "EMFILE"));
    call_cancel(one);
    one = watch(&m);
    assert_false(one->over);
    call_cancel(one);
    call_cancel(two);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(snapshot_synced_events),
        TEST(consistent_while_things_happen),
        TEST(change_between_two_turns),
        TEST(segments_with_everything),
        TEST(payload_of_others),
        TEST(resume_after_an_event),
        cmocka_unit_test_setup_teardown(slow_watcher_loses_with_a_count, setup_small,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(quotas, quota_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
