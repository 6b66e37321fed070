/* Stream: the two flow controls joined, offsets, half-closes and errors. */
#include "harness.h"

#include "rpc/endpoint.h"
#include "rpc/transfer.h"

static uint64_t listener, a, b;

static int setup(void **state)
{
    world_setup(state);
    listener = make_listener(80, 8);
    a = make_connection(80, listener, &b);
    return 0;
}

static struct grpc_call *stream(uint64_t id, Ackd__V1__StreamRequest *m)
{
    Ackd__V1__StreamRequest none = ACKD__V1__STREAM_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Stream");
    m = m ? m : &none;
    m->id = id;
    call_send(call, m);
    return call;
}

static void put(struct grpc_call *call, uint64_t offset, const void *data, size_t length)
{
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.offset = offset;
    m.data.data = (uint8_t *)data;
    m.data.len = length;
    call_send(call, &m);
}

/* Takes all replies; appends their data to `to`; returns how many bytes. */
struct got {
    uint8_t *data;
    size_t length;
    uint64_t accepted, acknowledged;
    bool end;
};
static void take(struct grpc_call *call, struct got *g)
{
    Ackd__V1__StreamResponse *r;
    while ((r = call_reply(call))) {
        if (r->data.len) {
            assert_int_equal(r->offset, g->length);
            g->data = realloc(g->data, g->length + r->data.len);
            memcpy(g->data + g->length, r->data.data, r->data.len);
            g->length += r->data.len;
        }
        g->accepted = r->accepted_until;
        g->acknowledged = r->acknowledged_until;
        g->end |= r->end_of_stream;
        reply_free(r);
    }
}

static void both_ways(void **state)
{
    (void)state;
    struct grpc_call *x = stream(a, NULL), *y = stream(b, NULL);
    struct got gx = {0}, gy = {0};
    put(x, 0, "ping", 4);
    put(y, 0, "pong", 4);
    advance_ms(100);
    take(x, &gx);
    take(y, &gy);
    assert_memory_equal(gx.data, "pong", 4);
    assert_memory_equal(gy.data, "ping", 4);
    assert_int_equal(gx.accepted, 4);
    assert_int_equal(gx.acknowledged, 4);
    call_half_close(x);
    assert_int_equal(state_of_id(a), TCP_FIN_WAIT_2);
    take(y, &gy);
    assert_true(gy.end);
    assert_false(x->over);
    assert_false(y->over);
    put(y, 4, "more", 4); /* half-closed: this direction goes on */
    take(x, &gx);
    assert_int_equal(gx.length, 8);
    call_half_close(y);
    assert_true(y->over && y->code == GRPC_OK);
    take(x, &gx);
    assert_true(gx.end && x->over && x->code == GRPC_OK);
    call_free(x);
    call_free(y);
    free(gx.data);
    free(gy.data);
}

static void repeated_and_gap(void **state)
{
    (void)state;
    struct grpc_call *x = stream(a, NULL);
    put(x, 0, "abcdef", 6);
    put(x, 3, "defghi", 6);
    Ackd__V1__ReceiveRequest r = ACKD__V1__RECEIVE_REQUEST__INIT;
    r.id = b;
    Ackd__V1__ReceiveResponse *got = ask("/ackd.v1.Tcp/Receive", &r);
    assert_int_equal(got->data.len, 9);
    assert_memory_equal(got->data.data, "abcdefghi", 9);
    reply_free(got);
    put(x, 10, "x", 1);
    expect_error(x, GRPC_OUT_OF_RANGE, "ERANGE");
    call_free(x);
    x = stream(a, NULL); /* and goes on from the truth */
    put(x, 9, "j", 1);
    assert_false(x->over);
    call_cancel(x);
}

static void window_up_is_given_back_when_taken(void **state)
{
    (void)state;
    enum { PIECE = 65536, PIECES = 64 };
    struct grpc_call *x = stream(a, NULL);
    uint8_t *data = calloc(1, PIECE);
    size_t sent = x->consumed;
    unsigned i = 0;
    for (; i < PIECES; i++) {
        size_t before = x->consumed;
        put(x, (uint64_t)i * PIECE, data, PIECE);
        advance_ms(10);
        if (x->consumed == before) {
            break; /* the peer does not read: the send buffer is full, the window stays closed */
        }
    }
    assert_true(i > 8 && i < PIECES);
    put(x, (uint64_t)(i + 1) * PIECE, data, PIECE); /* waits behind */
    size_t stuck = x->consumed;
    assert_true(stuck > sent);
    struct grpc_call *y = stream(b, NULL);
    struct got g = {0};
    for (unsigned n = 0; n < 200 && g.length < (size_t)(i + 2) * PIECE; n++) {
        advance_ms(100);
        take(y, &g);
    }
    assert_int_equal(g.length, (size_t)(i + 2) * PIECE);
    assert_true(x->consumed >= stuck + 2 * PIECE);
    call_cancel(x);
    call_cancel(y);
    free(g.data);
    free(data);
}

/* Two slices at most go in the callback that a message comes in: its own, and the queue's. */
static void a_large_message_goes_in_slices(void **state)
{
    (void)state;
    enum { ALL = 5 * SLICE + 1000 };
    struct grpc_call *x = stream(a, NULL);
    uint8_t *data = malloc(ALL);
    for (unsigned i = 0; i < ALL; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.data = (ProtobufCBinaryData){ALL - 1000, data};
    size_t before = x->consumed;
    call_put(x, &m);
    assert_int_equal(tcp_send_offset(world.engine, a), 2 * SLICE);
    m.offset = ALL - 1000; /* behind it, in order */
    m.data = (ProtobufCBinaryData){1000, data + ALL - 1000};
    call_put(x, &m);
    assert_int_equal(tcp_send_offset(world.engine, a), 3 * SLICE);
    assert_int_equal(x->consumed, before);
    run();
    assert_int_equal(tcp_send_offset(world.engine, a), ALL);
    assert_true(x->consumed > before + ALL);
    struct grpc_call *y = stream(b, NULL);
    struct got g = {0};
    for (unsigned n = 0; n < 200 && g.length < ALL; n++) {
        call_room(y, 100000);
        advance_ms(100);
        take(y, &g);
    }
    assert_int_equal(g.length, ALL);
    assert_memory_equal(g.data, data, ALL);
    call_cancel(x);
    call_cancel(y);
    free(g.data);
    free(data);
}

static void killed_with_a_queue(void **state)
{
    (void)state;
    struct grpc_call *x = stream(a, NULL);
    uint8_t *data = calloc(1, 4 << 20);
    put(x, 0, data, 4 << 20);
    put(x, 4 << 20, data, 65536);
    assert_false(x->over);
    call_cancel(x);
    free(data);
    assert_int_equal(state_of_id(a), TCP_ESTABLISHED);
}

static void reader_that_stops_closes_the_window(void **state)
{
    (void)state;
    struct grpc_call *y = call_begin("/ackd.v1.Tcp/Stream");
    y->room = 100000;
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.id = b;
    call_send(y, &m);
    uint8_t *data = calloc(1, 4 << 20);
    for (unsigned i = 0; i < 4 << 20; i++) {
        data[i] = (uint8_t)(i % 251);
    }
    Ackd__V1__SendRequest s = ACKD__V1__SEND_REQUEST__INIT;
    s.id = a;
    s.data.data = data;
    s.data.len = 4 << 20;
    s.wait_ms = 600000;
    struct grpc_call *x = call_begin("/ackd.v1.Tcp/Send");
    call_send(x, &s);
    advance_ms(20000);
    assert_false(x->over);
    struct got g = {0};
    take(y, &g);
    assert_true(g.length <= 100000); /* no more than the window */
    struct tcp_info info;
    tcp_status(world.engine, now(), b, true, &info);
    assert_true(info.recv_q_bytes > 500000);
    assert_true(info.rcv_wnd < 1u << info.rcv_wscale); /* less than the field can say */
    assert_int_equal(info.bytes_read, g.length);
    for (unsigned n = 0; n < 2000 && g.length < 4 << 20; n++) {
        call_room(y, 50000);
        advance_ms(100);
        take(y, &g);
    }
    assert_int_equal(g.length, 4 << 20);
    assert_memory_equal(g.data, data, 4 << 20);
    assert_true(x->over);
    call_free(x);
    call_cancel(y);
    free(data);
    free(g.data);
}

static void confirmed_bytes_stay(void **state)
{
    (void)state;
    send_text(a, 0, "0123456789");
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.confirm_receipt = true;
    struct grpc_call *y = stream(b, &m);
    struct got g = {0};
    take(y, &g);
    assert_int_equal(g.length, 10);
    struct tcp_info info;
    tcp_status(world.engine, now(), b, true, &info);
    assert_int_equal(info.bytes_read, 0);
    m = (Ackd__V1__StreamRequest)ACKD__V1__STREAM_REQUEST__INIT;
    m.received_until = 4;
    call_send(y, &m);
    call_cancel(y); /* the client dies; what it did not confirm is still there */
    m = (Ackd__V1__StreamRequest)ACKD__V1__STREAM_REQUEST__INIT;
    m.receive_from_offset = 4;
    m.confirm_receipt = true;
    y = stream(b, &m);
    Ackd__V1__StreamResponse *r = call_reply(y);
    assert_int_equal(r->offset, 4);
    assert_int_equal(r->data.len, 6);
    reply_free(r);
    m = (Ackd__V1__StreamRequest)ACKD__V1__STREAM_REQUEST__INIT;
    m.received_until = 11;
    call_send(y, &m);
    expect_error(y, GRPC_OUT_OF_RANGE, "ERANGE");
    call_free(y);
    free(g.data);
}

static void released_without_confirmation(void **state)
{
    (void)state;
    send_text(a, 0, "0123456789");
    struct grpc_call *y = stream(b, NULL);
    call_cancel(y);
    y = stream(b, NULL); /* from 0 again */
    expect_error(y, GRPC_OUT_OF_RANGE, "ERANGE");
    call_free(y);
}

static void data_before_a_reset_arrive(void **state)
{
    (void)state;
    struct grpc_call *y = call_begin("/ackd.v1.Tcp/Stream");
    y->room = 0;
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.id = b;
    call_send(y, &m);
    send_text(a, 0, "last words");
    run();
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = a;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    put(y, 0, "into the void", 13); /* the upward half is dead, the downward half is not */
    assert_false(y->over);
    call_room(y, 1000);
    struct got g = {0};
    take(y, &g);
    assert_int_equal(g.length, 10);
    expect_error(y, GRPC_ABORTED, "ECONNRESET");
    call_free(y);
    free(g.data);
}

static void fin_and_keep_open(void **state)
{
    (void)state;
    Ackd__V1__StreamRequest m = ACKD__V1__STREAM_REQUEST__INIT;
    m.keep_open = true;
    struct grpc_call *x = stream(a, &m);
    call_half_close(x);
    assert_int_equal(state_of_id(a), TCP_ESTABLISHED);
    m = (Ackd__V1__StreamRequest)ACKD__V1__STREAM_REQUEST__INIT;
    m.data.data = (uint8_t *)"z";
    m.data.len = 1;
    m.fin = true;
    struct grpc_call *y = stream(b, &m);
    assert_int_equal(state_of_id(b), TCP_FIN_WAIT_2);
    assert_true(x->over &&
                x->code == GRPC_OK); /* the peer's end, and nothing more to come from us */
    call_free(x);
    put(y, 1, "x", 1);
    expect_error(y, GRPC_FAILED_PRECONDITION, "EPIPE");
    call_free(y);
}

static void errors_at_the_beginning(void **state)
{
    (void)state;
    struct grpc_call *x = stream(12345, NULL);
    expect_error(x, GRPC_NOT_FOUND, "EBADF");
    call_free(x);
    x = call_begin("/ackd.v1.Tcp/Stream");
    call_half_close(x);
    expect_error(x, GRPC_INVALID_ARGUMENT, "EINVAL");
    call_free(x);
    x = stream(a, NULL);
    endpoint_release(endpoint_find(world.rpc, a));
    run();
    expect_error(x, GRPC_ABORTED, "ECANCELED");
    call_free(x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_ways),
        TEST(repeated_and_gap),
        TEST(window_up_is_given_back_when_taken),
        TEST(a_large_message_goes_in_slices),
        TEST(killed_with_a_queue),
        TEST(reader_that_stops_closes_the_window),
        TEST(confirmed_bytes_stay),
        TEST(released_without_confirmation),
        TEST(data_before_a_reset_arrive),
        TEST(fin_and_keep_open),
        TEST(errors_at_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
