/* List, get, watch, why, counters, capture, kill: requests and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include "ackd/v1/inspect.pb-c.h"
#include "typed.h"

static int setup(void **state)
{
    struct typed *t = malloc(sizeof *t);
    typed_start(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    typed_stop(*state);
    free(*state);
    return 0;
}

#define FILTER_JSON                                                                                \
    "{\"ids\":[\"3\",\"4\"],\"states\":[\"STATE_LISTEN\"],\"family\":6,\"local_prefix\":\"fd00::/" \
    "8\","                                                                                         \
    "\"local_ports\":[{\"first\":80,\"last\":90}],\"remote_ports\":[{\"first\":1,\"last\":1},{"    \
    "\"last\":65535}],"                                                                            \
    "\"label\":\"web\",\"uid\":0,\"listener_id\":\"9\"}"

static const struct ackd_filter filter = {
    .ids = (const uint64_t[]){3, 4},
    .id_count = 2,
    .states = (const enum ackd_state[]){ACKD_STATE_LISTEN},
    .state_count = 1,
    .family = 6,
    .local_prefix = "fd00::/8",
    .local_ports = (const struct ackd_port_range[]){{80, 90}},
    .local_port_count = 1,
    .remote_ports = (const struct ackd_port_range[]){{1, 1}, {0, 65535}},
    .remote_port_count = 2,
    .label = "web",
    .has_uid = true,
    .listener_id = 9,
};

static void test_list_request(void **state)
{
    struct typed *t = *state;
    struct ackd_connection c;
    Ackd__V1__ListResponse r = ACKD__V1__LIST_RESPONSE__INIT;
    typed_expect(t, "/ackd.v1.Inspect/List", &ackd__v1__list_request__descriptor, &r.base);
    struct ackd_list_request q = {
        .filter = &filter, .view = ACKD_VIEW_FULL, .limit = 10, .page_after_id = 2, .closed = true};
    struct ackd_list *l = ackd_list(t->a, &q, NULL);
    assert_int_equal(ackd_list_next(l, &c, ACKD_FOREVER, NULL), ACKD_END);
    assert_string_equal(
        t->request,
        "{\"filter\":" FILTER_JSON
        ",\"view\":\"VIEW_FULL\",\"limit\":10,\"page_after_id\":\"2\",\"closed\":true}");
    ackd_list_free(l);
    t->reply = NULL;
    struct ackd_error err;
    l = ackd_list(t->a, &(struct ackd_list_request){0}, NULL);
    assert_int_equal(ackd_list_next(l, &c, ACKD_FOREVER, &err), ACKD_FAILED);
    assert_int_equal(err.grpc_code, ACKD_NOT_FOUND);
    assert_string_equal(t->request, "{\"filter\":{}}");
    ackd_list_free(l);
}

static void test_brief_list(void **state)
{
    struct typed *t = *state;
    static struct ackd_connection c;
    Ackd__V1__Connection rows[2], *list[] = {&rows[0], &rows[1]};
    Ackd__V1__ListResponse r = ACKD__V1__LIST_RESPONSE__INIT;
    for (unsigned i = 0; i < 2; i++) {
        ackd__v1__connection__init(&rows[i]);
        rows[i].id = 7 + i;
    }
    r.connections = list;
    r.n_connections = 2;
    r.instance_id = "i";
    typed_expect(t, "/ackd.v1.Inspect/List", &ackd__v1__list_request__descriptor, &r.base);
    struct ackd_list *l = ackd_list(t->a, &(struct ackd_list_request){0}, NULL);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ackd_list_next_brief(l, &c, ACKD_FOREVER, NULL), ACKD_ITEM);
        assert_int_equal(c.id, 7 + i);
        assert_null(c.message);
    }
    assert_int_equal(ackd_list_next_brief(l, &c, ACKD_FOREVER, NULL), ACKD_END);
    assert_string_equal(ackd_list_instance_id(l), "i");
    ackd_list_free(l);
}

static struct ackd_event watch_one(struct typed *t, Ackd__V1__WatchEvent *e, struct ackd_watch **w)
{
    struct ackd_event out;
    typed_expect(t, "/ackd.v1.Inspect/Watch", &ackd__v1__watch_request__descriptor, &e->base);
    *w = ackd_watch(t->a,
                    &(struct ackd_watch_request){.filter = &filter,
                                                 .initial_snapshot = true,
                                                 .after_event = 8,
                                                 .instance_id = "i",
                                                 .segments = true,
                                                 .payload_bytes = 64},
                    NULL);
    assert_int_equal(ackd_watch_next(*w, &out, ACKD_FOREVER, NULL), ACKD_ITEM);
    return out;
}

static void test_watch_state(void **state)
{
    struct typed *t = *state;
    struct ackd_watch *w;
    Ackd__V1__StateChange change = ACKD__V1__STATE_CHANGE__INIT;
    change.id = 5;
    change.old_state = ACKD__V1__STATE__STATE_ESTABLISHED;
    change.new_state = ACKD__V1__STATE__STATE_CLOSED;
    change.close_reason = ACKD__V1__CLOSE_REASON__CLOSE_REFUSED;
    change.label = "web";
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    e.sequence = 1;
    e.event_id = 1ull << 33;
    e.time_ns = 77;
    e.wall_time_ns = 88;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_STATE;
    e.state = &change;
    struct ackd_event out = watch_one(t, &e, &w);
    assert_string_equal(t->request,
                        "{\"filter\":" FILTER_JSON
                        ",\"initial_snapshot\":true,\"after_event\":\"8\",\"instance_id\":\"i\","
                        "\"segments\":true,\"payload_bytes\":64}");
    assert_int_equal(out.kind, ACKD_EVENT_STATE);
    assert_true(out.event_id == 1ull << 33);
    assert_int_equal(out.time_ns, 77);
    assert_int_equal(out.wall_time_ns, 88);
    assert_int_equal(out.state.id, 5);
    assert_int_equal(out.state.old_state, ACKD_STATE_ESTABLISHED);
    assert_int_equal(out.state.new_state, ACKD_STATE_CLOSED);
    assert_int_equal(out.state.close_reason, ACKD_CLOSE_REFUSED);
    assert_string_equal(out.state.label, "web");
    ackd_watch_free(w);
}

static void test_watch_segment(void **state)
{
    struct typed *t = *state;
    struct ackd_watch *w;
    Ackd__V1__Header h = ACKD__V1__HEADER__INIT;
    h.source_port = 65535;
    h.sequence_number = 0xffffffff;
    h.syn = h.ae = true;
    h.options = (ProtobufCBinaryData){4, (uint8_t *)"\2\4\5\xb4"};
    Ackd__V1__SegmentEvent s = ACKD__V1__SEGMENT_EVENT__INIT;
    s.direction = ACKD__V1__DIRECTION__DIRECTION_OUT;
    s.header = &h;
    s.payload_length_bytes = 1000;
    s.payload = (ProtobufCBinaryData){3, (uint8_t *)"abc"};
    s.send_kind = ACKD__V1__SEND_KIND__SEND_KIND_DATA;
    s.acked_sequence_number = 10;
    s.acked_length = 100;
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SEGMENT;
    e.segment = &s;
    struct ackd_event out = watch_one(t, &e, &w);
    assert_int_equal(out.kind, ACKD_EVENT_SEGMENT);
    assert_int_equal(out.segment.direction, ACKD_DIRECTION_OUT);
    assert_int_equal(out.segment.header.source_port, 65535);
    assert_int_equal(out.segment.header.sequence_number, 0xffffffff);
    assert_true(out.segment.header.syn && out.segment.header.ae && !out.segment.header.ack);
    assert_int_equal(out.segment.header.options_length, 4);
    assert_memory_equal(out.segment.header.options, "\2\4\5\xb4", 4);
    assert_int_equal(out.segment.payload_shown, 3);
    assert_memory_equal(out.segment.payload, "abc", 3);
    assert_int_equal(out.segment.send_kind, ACKD_SEND_KIND_DATA);
    assert_int_equal(out.segment.acked_length, 100);
    ackd_watch_free(w);
}

static void test_watch_others(void **state)
{
    struct typed *t = *state;
    struct ackd_watch *w;
    Ackd__V1__Connection c = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__Synced synced = ACKD__V1__SYNCED__INIT;
    Ackd__V1__WatchEvent e = ACKD__V1__WATCH_EVENT__INIT;
    c.id = 6;
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SNAPSHOT_ROW;
    e.snapshot_row = &c;
    struct ackd_event out = watch_one(t, &e, &w);
    assert_int_equal(out.kind, ACKD_EVENT_SNAPSHOT_ROW);
    assert_int_equal(out.snapshot_row.id, 6);
    ackd_watch_free(w);
    e.event_case = ACKD__V1__WATCH_EVENT__EVENT_SYNCED;
    e.synced = &synced;
    out = watch_one(t, &e, &w);
    assert_int_equal(out.kind, ACKD_EVENT_SYNCED);
    ackd_watch_free(w);
}

static void test_get(void **state)
{
    struct typed *t = *state;
    struct ackd_connection out;
    Ackd__V1__Connection c = ACKD__V1__CONNECTION__INIT;
    Ackd__V1__GetResponse r = ACKD__V1__GET_RESPONSE__INIT;
    c.id = 6;
    r.connection = &c;
    typed_expect(t, "/ackd.v1.Inspect/Get", &ackd__v1__get_request__descriptor, &r.base);
    assert_int_equal(ackd_get(t->a, 6, &out, NULL), 0);
    assert_string_equal(t->request, "{\"id\":\"6\"}");
    assert_int_equal(out.id, 6);
    r.connection = NULL; /* a strange daemon: all zero, no crash */
    assert_int_equal(ackd_get(t->a, 6, &out, NULL), 0);
    assert_int_equal(out.id, 0);
    assert_null(out.message);
}

static void test_why(void **state)
{
    struct typed *t = *state;
    struct ackd_why out;
    Ackd__V1__LimitedTime one = ACKD__V1__LIMITED_TIME__INIT, *all[50];
    for (int i = 0; i < 50; i++)
        all[i] = &one;
    one.reason = ACKD__V1__LIMIT_REASON__LIMIT_NAGLE;
    one.duration_ns = 9;
    Ackd__V1__WhyResponse r = ACKD__V1__WHY_RESPONSE__INIT;
    r.id = 6;
    r.limit_reason = ACKD__V1__LIMIT_REASON__LIMIT_ZERO_WINDOW;
    r.sentence = "the peer's receive window is zero";
    r.limited = all;
    r.n_limited = 50;
    r.next_change_known_case = ACKD__V1__WHY_RESPONSE__NEXT_CHANGE_KNOWN_NEXT_CHANGE_IN_NS;
    r.next_change_in_ns = 0;
    typed_expect(t, "/ackd.v1.Inspect/Why", &ackd__v1__why_request__descriptor, &r.base);
    assert_int_equal(ackd_why(t->a, 6, &out, NULL), 0);
    assert_int_equal(out.limit_reason, ACKD_LIMIT_ZERO_WINDOW);
    assert_string_equal(out.sentence, "the peer's receive window is zero");
    assert_int_equal(out.limited_count, ACKD_LIMITED_MAX);
    assert_int_equal(out.limited[0].reason, ACKD_LIMIT_NAGLE);
    assert_true(out.has_next_change);
    assert_int_equal(out.next_change_in_ns, 0);
}

static void test_counters(void **state)
{
    struct typed *t = *state;
    struct ackd_counters out;
    Ackd__V1__Counter one = ACKD__V1__COUNTER__INIT, *all[] = {&one};
    one.name = "tcp.x";
    one.value = UINT64_MAX;
    one.unit = "segments";
    one.gauge = true;
    Ackd__V1__CountersResponse r = ACKD__V1__COUNTERS_RESPONSE__INIT;
    r.counters = all;
    r.n_counters = 1;
    r.instance_id = "i";
    typed_expect(t, "/ackd.v1.Inspect/Counters", &ackd__v1__counters_request__descriptor, &r.base);
    assert_int_equal(ackd_counters(t->a, "tcp.", &out, NULL), 0);
    assert_string_equal(t->request, "{\"prefix\":\"tcp.\"}");
    assert_int_equal(out.count, 1);
    assert_string_equal(out.counters[0].name, "tcp.x");
    assert_true(out.counters[0].value == UINT64_MAX);
    assert_string_equal(out.counters[0].unit, "segments");
    assert_string_equal(out.counters[0].meaning, "");
    assert_true(out.counters[0].gauge);
}

static void test_capture(void **state)
{
    struct typed *t = *state;
    const void *data;
    size_t length;
    uint64_t lost;
    Ackd__V1__CaptureResponse r = ACKD__V1__CAPTURE_RESPONSE__INIT;
    r.data = (ProtobufCBinaryData){4, (uint8_t *)"pcap"};
    r.lost_packets = 3;
    typed_expect(t, "/ackd.v1.Inspect/Capture", &ackd__v1__capture_request__descriptor, &r.base);
    struct ackd_capture_request q = {
        .filter = &filter, .snap_length_bytes = 96, .packet_limit = 5, .all_frames = true};
    struct ackd_capture *c = ackd_capture(t->a, &q, NULL);
    assert_int_equal(ackd_capture_next(c, &data, &length, &lost, ACKD_FOREVER, NULL), ACKD_ITEM);
    assert_string_equal(t->request,
                        "{\"filter\":" FILTER_JSON
                        ",\"snap_length_bytes\":96,\"packet_limit\":\"5\",\"all_frames\":true}");
    assert_int_equal(length, 4);
    assert_memory_equal(data, "pcap", 4);
    assert_int_equal(lost, 3);
    assert_int_equal(ackd_capture_next(c, &data, &length, NULL, ACKD_FOREVER, NULL), ACKD_END);
    ackd_capture_free(c);
}

static void test_kill(void **state)
{
    struct typed *t = *state;
    struct ackd_killed out;
    struct ackd_connection c;
    Ackd__V1__Connection one = ACKD__V1__CONNECTION__INIT, *all[] = {&one};
    one.id = 8;
    Ackd__V1__KillResponse r = ACKD__V1__KILL_RESPONSE__INIT;
    r.killed = all;
    r.n_killed = 1;
    r.not_permitted = 2;
    assert_int_equal(ackd_killed_at(t->a, 0, &c), -1);
    typed_expect(t, "/ackd.v1.Inspect/Kill", &ackd__v1__kill_request__descriptor, &r.base);
    assert_int_equal(ackd_kill(t->a, &filter, &out, NULL), 0);
    assert_string_equal(t->request, "{\"filter\":" FILTER_JSON "}");
    assert_int_equal(out.count, 1);
    assert_int_equal(out.not_permitted, 2);
    assert_int_equal(ackd_killed_at(t->a, 0, &c), 0);
    assert_int_equal(c.id, 8);
    assert_int_equal(ackd_killed_at(t->a, 1, &c), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_brief_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watch_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capture, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
