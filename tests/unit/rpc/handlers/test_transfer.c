/* Send and Receive: no byte lost or doubled whatever happens to a call; and Close and Abort. */
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

static Ackd__V1__ReceiveRequest from(uint64_t id, uint64_t offset)
{
    Ackd__V1__ReceiveRequest m = ACKD__V1__RECEIVE_REQUEST__INIT;
    m.id = id;
    m.from_offset = offset;
    return m;
}

static void expect_text(Ackd__V1__ReceiveResponse *r, uint64_t offset, const char *text, bool end)
{
    assert_int_equal(r->offset, offset);
    assert_int_equal(r->data.len, strlen(text));
    assert_memory_equal(r->data.data, text, strlen(text));
    assert_int_equal(r->end_of_stream, end);
    reply_free(r);
}

static void offsets_of_send(void **state)
{
    (void)state;
    assert_int_equal(send_text(a, 0, "hello "), 6);
    assert_int_equal(send_text(a, 0, "hello "), 6);    /* repeated: nothing is doubled */
    assert_int_equal(send_text(a, 3, "lo world"), 11); /* overlapping: only the new part */
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = a;
    m.offset = 12;
    m.data.data = (uint8_t *)"x";
    m.data.len = 1;
    struct grpc_call *call = ask_error("/ackd.v1.Tcp/Send", &m, GRPC_OUT_OF_RANGE, "ERANGE");
    assert_string_equal(call->reason, "OFFSET_GAP");
    assert_non_null(strstr(call->sentence, "11"));
    call_free(call);
    Ackd__V1__ReceiveRequest r = from(b, 0);
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 0, "hello world", false);
    m.offset = 11;
    m.data.len = 0;
    Ackd__V1__SendResponse *s = ask("/ackd.v1.Tcp/Send", &m);
    assert_int_equal(s->accepted_until, 11);
    assert_int_equal(s->acknowledged_until, 11);
    reply_free(s);
}

static void offsets_of_receive(void **state)
{
    (void)state;
    send_text(a, 0, "0123456789");
    Ackd__V1__ReceiveRequest r = from(b, 0);
    r.max_bytes = 4;
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 0, "0123", false);
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 0, "0123", false); /* the answer was lost: again */
    r.from_offset = 2;
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 2, "2345", false);
    r.from_offset = 1; /* released */
    struct grpc_call *call = ask_error("/ackd.v1.Tcp/Receive", &r, GRPC_OUT_OF_RANGE, "ERANGE");
    assert_string_equal(call->reason, "OFFSET_RELEASED");
    call_free(call);
    r.from_offset = 11; /* not there yet */
    call = ask_error("/ackd.v1.Tcp/Receive", &r, GRPC_OUT_OF_RANGE, "ERANGE");
    assert_string_equal(call->reason, "OFFSET_GAP");
    call_free(call);
    r.from_offset = 10;
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 10, "", false);
    Ackd__V1__StatusRequest s = ACKD__V1__STATUS_REQUEST__INIT;
    s.id = b;
    Ackd__V1__StatusResponse *status = ask("/ackd.v1.Tcp/Status", &s);
    assert_int_equal(status->receive_offset, 10);
    assert_int_equal(status->send_offset, 0);
    assert_int_equal(status->connection->id, b);
    reply_free(status);
}

static void receive_waits(void **state)
{
    (void)state;
    Ackd__V1__ReceiveRequest r = from(b, 0);
    r.min_bytes = 8;
    r.wait_ms = 1000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    send_text(a, 0, "four");
    assert_false(call->over);
    send_text(a, 4, "more");
    assert_true(call->over);
    expect_text(call_reply(call), 0, "fourmore", false);
    call_free(call);
    /* a wait that ends is an answer with what there is */
    r = from(b, 8);
    r.min_bytes = 100;
    r.wait_ms = 1000;
    call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    send_text(a, 8, "x");
    advance_ms(999);
    assert_false(call->over);
    advance_ms(2);
    assert_int_equal(call->code, GRPC_OK);
    expect_text(call_reply(call), 8, "x", false);
    call_free(call);
    /* cancelled: the bytes stay */
    r.min_bytes = 100;
    call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    call_cancel(call);
    r.wait_ms = 0;
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 8, "x", false);
}

/* `count` segments of 1000 bytes that lie in as many buffers of the receiver. */
static void send_pieces(unsigned count)
{
    static uint8_t piece[1000];
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = a;
    m.data.data = piece;
    m.data.len = sizeof piece;
    for (unsigned i = 0; i < count; i++) {
        memset(piece, (int)(i + 1), sizeof piece);
        m.offset = (uint64_t)i * sizeof piece;
        reply_free(ask("/ackd.v1.Tcp/Send", &m));
    }
}

/* min_bytes counts bytes, not what one view of the receive queue shows (TCP_TX_RANGES ranges). */
static void receive_beyond_one_view(void **state)
{
    (void)state;
    enum { COUNT = 3 * TCP_TX_RANGES, BYTES = COUNT * 1000 };
    Ackd__V1__ReceiveRequest r = from(b, 0);
    r.min_bytes = r.max_bytes = BYTES;
    r.wait_ms = 60000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    send_pieces(COUNT - 1);
    advance_ms(1000);
    struct tcp_received view;
    assert_int_equal(tcp_peek(world.engine, b, 0, BYTES, &view), 0);
    size_t shown = 0;
    for (unsigned i = 0; i < view.n_ranges; i++) {
        shown += view.range[i].length;
    }
    assert_true(shown < view.available); /* else this test tests nothing */
    assert_false(call->over);
    send_pieces(COUNT);
    advance_ms(1000); /* over the delayed ACK that Nagle waits for */
    assert_true(call->over);
    Ackd__V1__ReceiveResponse *got = call_reply(call);
    assert_int_equal(got->data.len, BYTES);
    for (unsigned i = 0; i < BYTES; i++) {
        assert_int_equal(got->data.data[i], (uint8_t)(i / 1000 + 1));
    }
    reply_free(got);
    call_free(call);
}

/* min_bytes that the receive buffer cannot hold: the answer comes when it is full, not never. */
static void receive_more_than_fits(void **state)
{
    (void)state;
    Ackd__V1__SetOptionsRequest o = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    Ackd__V1__Options options = ACKD__V1__OPTIONS__INIT;
    o.id = listener;
    options.rcv_buffer_known_case = ACKD__V1__OPTIONS__RCV_BUFFER_KNOWN_RCV_BUFFER_BYTES;
    options.rcv_buffer_bytes = 20000;
    o.options = &options;
    reply_free(ask("/ackd.v1.Tcp/SetOptions", &o));
    a = make_connection(80, listener, &b);
    Ackd__V1__ReceiveRequest r = from(b, 0);
    r.min_bytes = r.max_bytes = 100000;
    r.wait_ms = 3600000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    send_pieces(100);
    advance_ms(10000);
    assert_true(call->over);
    Ackd__V1__ReceiveResponse *got = call_reply(call);
    assert_in_range(got->data.len, 5000, 20000);
    reply_free(got);
    call_free(call);
}

static void end_of_stream(void **state)
{
    (void)state;
    send_text(a, 0, "bye");
    Ackd__V1__ReceiveRequest r = from(b, 0);
    r.min_bytes = 100;
    r.wait_ms = 60000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    Ackd__V1__CloseRequest c = ACKD__V1__CLOSE_REQUEST__INIT;
    c.id = a;
    c.how = ACKD__V1__CLOSE_REQUEST__HOW__HOW_SEND;
    c.wait_ms = 1000;
    Ackd__V1__CloseResponse *cr = ask("/ackd.v1.Tcp/Close", &c);
    assert_int_equal(cr->state, ACKD__V1__STATE__STATE_FIN_WAIT_2);
    reply_free(cr);
    expect_text(call_reply(call), 0, "bye", true);
    call_free(call);
    r.max_bytes = 2; /* the FIN follows the last byte, not this one */
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 0, "by", false);
    r.from_offset = 3;
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 3, "", true);
    /* half-closed: the other direction goes on */
    assert_int_equal(send_text(b, 0, "still"), 5);
    r = from(a, 0);
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 0, "still", false);
    Ackd__V1__SendRequest s = ACKD__V1__SEND_REQUEST__INIT;
    s.id = a;
    s.offset = 3;
    s.data.data = (uint8_t *)"x";
    s.data.len = 1;
    call_free(ask_error("/ackd.v1.Tcp/Send", &s, GRPC_FAILED_PRECONDITION, "EPIPE"));
    reply_free(ask("/ackd.v1.Tcp/Close", &c)); /* repeated: as the first */
}

static void fill_and_drain(void **state)
{
    (void)state;
    enum { MANY = 4 << 20 };
    uint8_t *data = malloc(MANY);
    for (unsigned i = 0; i < MANY; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = a;
    m.data.data = data;
    m.data.len = MANY;
    m.wait_ms = 1000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Send");
    call_send(call, &m);
    assert_false(call->over);
    advance_ms(1001);
    assert_int_equal(call->code, GRPC_OK);
    Ackd__V1__SendResponse *s = call_reply(call);
    uint64_t accepted = s->accepted_until;
    assert_true(accepted >= 1 << 20 && accepted < MANY);
    assert_true(s->acknowledged_until < accepted);
    reply_free(s);
    call_free(call);
    m.wait_ms = 600000; /* the same message again: what was accepted is skipped */
    call = call_begin("/ackd.v1.Tcp/Send");
    call_send(call, &m);
    uint64_t at = 0;
    while (at < MANY) {
        Ackd__V1__ReceiveRequest r = from(b, at);
        r.max_bytes = 300000;
        r.wait_ms = 60000;
        struct grpc_call *rc = call_begin("/ackd.v1.Tcp/Receive");
        call_send(rc, &r);
        while (!rc->over) {
            advance_ms(100);
        }
        assert_int_equal(rc->code, GRPC_OK);
        Ackd__V1__ReceiveResponse *got = call_reply(rc);
        assert_int_equal(got->offset, at);
        assert_true(got->data.len > 0 && got->data.len <= 300000);
        assert_memory_equal(got->data.data, data + at, got->data.len);
        at += got->data.len;
        reply_free(got);
        call_free(rc);
    }
    Ackd__V1__ReceiveRequest r = from(b, MANY);
    reply_free(ask("/ackd.v1.Tcp/Receive", &r));
    assert_true(call->over);
    s = call_reply(call);
    assert_int_equal(s->accepted_until, MANY);
    reply_free(s);
    call_free(call);
    free(data);
}

static uint64_t accepted_of(uint64_t id)
{
    return (uint64_t)tcp_send_offset(world.engine, id);
}

static struct grpc_call *begin_send(uint64_t id, uint64_t offset, uint8_t *data, size_t length,
                                    uint32_t wait_ms)
{
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = id;
    m.offset = offset;
    m.data = (ProtobufCBinaryData){length, data};
    m.wait_ms = wait_ms;
    m.push = true;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Send");
    call_put(call, &m);
    return call;
}

static void expect_accepted(struct grpc_call *call, uint64_t until)
{
    assert_true(call->over);
    assert_int_equal(call->code, GRPC_OK);
    Ackd__V1__SendResponse *r = call_reply(call);
    assert_int_equal(r->accepted_until, until);
    reply_free(r);
    call_free(call);
}

/* One callback copies so much and no more; others come between; what follows upon a Send that is
 * under way is no gap, whatever room there is. */
static void a_large_send_goes_in_slices(void **state)
{
    (void)state;
    enum { ALL = 5 * SLICE + 1000, FIRST = 4 * SLICE, SECOND = ALL - FIRST };
    uint8_t *data = malloc(ALL);
    for (unsigned i = 0; i < ALL; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    struct grpc_call *one = begin_send(a, 0, data, FIRST, 0);
    assert_false(one->over);
    assert_int_equal(accepted_of(a), SLICE);
    struct grpc_call *two = begin_send(a, FIRST, data + FIRST, SECOND / 2, 0);
    struct grpc_call *three =
        begin_send(a, FIRST + SECOND / 2, data + FIRST + SECOND / 2, SECOND - SECOND / 2, 1000);
    struct grpc_call *other = begin_send(b, 0, data, 10, 0);
    assert_true(other->over && !one->over && !two->over && !three->over);
    assert_int_equal(accepted_of(a), SLICE);
    struct grpc_call *gap = begin_send(a, ALL + 1, data, 1, 1000);
    assert_true(gap->over);
    expect_error(gap, GRPC_OUT_OF_RANGE, "ERANGE");
    call_free(gap);
    run();
    expect_accepted(one, FIRST);
    expect_accepted(two, FIRST + SECOND / 2);
    expect_accepted(three, ALL);
    expect_accepted(other, 10);
    for (uint64_t at = 0; at < ALL;) {
        Ackd__V1__ReceiveRequest r = from(b, at);
        r.max_bytes = r.min_bytes = 1 << 20;
        r.wait_ms = 1000;
        struct grpc_call *rc = call_begin("/ackd.v1.Tcp/Receive");
        call_send(rc, &r);
        advance_ms(1000);
        Ackd__V1__ReceiveResponse *got = call_reply(rc);
        assert_in_range(got->data.len, 1, RECEIVE_MAX);
        assert_memory_equal(got->data.data, data + at, got->data.len);
        at += got->data.len;
        reply_free(got);
        call_free(rc);
    }
    free(data);
}

static void a_large_send_ends_with_its_connection(void **state)
{
    (void)state;
    uint8_t *data = calloc(1, 3 * SLICE);
    struct grpc_call *one = begin_send(a, 0, data, 3 * SLICE, 1000);
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = a;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Abort");
    call_put(call, &abort);
    run();
    assert_true(one->over && one->code != GRPC_OK);
    call_free(one);
    reply_free(call_reply(call));
    call_free(call);
    free(data);
}

static void killed_sender_leaves_nothing(void **state)
{
    (void)state;
    enum { MANY = 4 << 20 };
    uint8_t *data = calloc(1, MANY);
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = a;
    m.data.data = data;
    m.data.len = MANY;
    m.wait_ms = 600000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Send");
    call_send(call, &m);
    assert_false(call->over);
    call_cancel(call); /* the wait, its copy and its timer are gone: teardown and ASan look */
    free(data);
}

static void reset_tells_everybody(void **state)
{
    (void)state;
    send_text(a, 0, "last words");
    Ackd__V1__ReceiveRequest r = from(a, 0);
    r.wait_ms = 60000;
    struct grpc_call *waiting = call_begin("/ackd.v1.Tcp/Receive");
    call_send(waiting, &r);
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = b;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    expect_error(waiting, GRPC_ABORTED, "ECONNRESET");
    assert_string_equal(waiting->reason, "RESET_BY_PEER");
    call_free(waiting);
    Ackd__V1__SendRequest s = ACKD__V1__SEND_REQUEST__INIT;
    s.id = a;
    s.offset = 10;
    s.data.data = (uint8_t *)"x";
    s.data.len = 1;
    call_free(ask_error("/ackd.v1.Tcp/Send", &s, GRPC_ABORTED, "ECONNRESET"));
    s.id = b; /* given up */
    call_free(ask_error("/ackd.v1.Tcp/Send", &s, GRPC_NOT_FOUND, "EBADF"));
    s.id = listener;
    s.offset = 0;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Send");
    call_send(call, &s);
    assert_true(call->over && call->code != GRPC_OK);
    call_free(call);
}

static void what_came_before_the_reset_is_read(void **state)
{
    (void)state;
    send_text(a, 0, "last words");
    run();
    Ackd__V1__AbortRequest abort = ACKD__V1__ABORT_REQUEST__INIT;
    abort.id = a;
    reply_free(ask("/ackd.v1.Tcp/Abort", &abort));
    Ackd__V1__ReceiveRequest r = from(b, 0);
    expect_text(ask("/ackd.v1.Tcp/Receive", &r), 0, "last words", false);
    r.from_offset = 10;
    call_free(ask_error("/ackd.v1.Tcp/Receive", &r, GRPC_ABORTED, "ECONNRESET"));
}

static void close_releases(void **state)
{
    (void)state;
    Ackd__V1__CloseRequest c = ACKD__V1__CLOSE_REQUEST__INIT;
    c.id = b;
    c.wait_ms = 1000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Close");
    call_send(call, &c);
    assert_true(call->over);
    Ackd__V1__CloseResponse *r = call_reply(call);
    assert_int_equal(r->state, ACKD__V1__STATE__STATE_FIN_WAIT_2);
    reply_free(r);
    call_free(call);
    call_free(ask_error("/ackd.v1.Tcp/Close", &c, GRPC_NOT_FOUND, "EBADF"));
    c.id = a;
    c.wait_ms = 0;
    reply_free(ask("/ackd.v1.Tcp/Close", &c));
    assert_int_equal(state_of_id(a), TCP_CLOSED);
    assert_int_equal(state_of_id(b), TCP_TIME_WAIT);
    c.id = listener;
    reply_free(ask("/ackd.v1.Tcp/Close", &c));
    assert_int_equal(world.rpc->n_endpoints, 0);
    c.how = (Ackd__V1__CloseRequest__How)7;
    c.id = make_listener(90, 1);
    call_free(ask_error("/ackd.v1.Tcp/Close", &c, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

static void close_with_unread_data_resets(void **state)
{
    (void)state;
    send_text(a, 0, "unread");
    run();
    Ackd__V1__CloseRequest c = ACKD__V1__CLOSE_REQUEST__INIT;
    c.id = b;
    c.wait_ms = 1000;
    reply_free(ask("/ackd.v1.Tcp/Close", &c));
    Ackd__V1__ReceiveRequest r = from(a, 0);
    call_free(ask_error("/ackd.v1.Tcp/Receive", &r, GRPC_ABORTED, "ECONNRESET"));
}

static void cancelled_close_still_releases(void **state)
{
    (void)state;
    enum { MANY = 4 << 20 };
    uint8_t *data = calloc(1, MANY); /* the peer does not read: our FIN waits behind the data */
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = a;
    m.data.data = data;
    m.data.len = MANY;
    reply_free(ask("/ackd.v1.Tcp/Send", &m));
    free(data);
    Ackd__V1__CloseRequest c = ACKD__V1__CLOSE_REQUEST__INIT;
    c.id = a;
    c.wait_ms = 60000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Close");
    call_send(call, &c);
    assert_false(call->over);
    call_cancel(call);
    assert_true(endpoint_find(world.rpc, a)->past);
    assert_int_equal(state_of_id(a), TCP_FIN_WAIT_1); /* what was accepted is still on its way */
}

static void urgent(void **state)
{
    (void)state;
    Ackd__V1__SendRequest m = ACKD__V1__SEND_REQUEST__INIT;
    m.id = a;
    m.data.data = (uint8_t *)"!";
    m.data.len = 1;
    m.urgent = true;
    Ackd__V1__ReceiveRequest r = from(b, 0);
    r.min_bytes = 10;
    r.wait_ms = 60000;
    struct grpc_call *call = call_begin("/ackd.v1.Tcp/Receive");
    call_send(call, &r);
    reply_free(ask("/ackd.v1.Tcp/Send", &m));
    assert_true(call->over);
    Ackd__V1__ReceiveResponse *got = call_reply(call);
    assert_int_equal(got->urgent_known_case, ACKD__V1__RECEIVE_RESPONSE__URGENT_KNOWN_URGENT_MARK);
    assert_int_equal(got->urgent_mark, 1);
    reply_free(got);
    call_free(call);
    r = from(b, 1);
    got = ask("/ackd.v1.Tcp/Receive", &r);
    assert_int_equal(got->urgent_known_case, 0);
    reply_free(got);
}

static void options_and_label(void **state)
{
    (void)state;
    Ackd__V1__SetOptionsRequest m = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    Ackd__V1__Options o = ACKD__V1__OPTIONS__INIT;
    m.id = a;
    m.options = &o;
    o.nodelay_known_case = ACKD__V1__OPTIONS__NODELAY_KNOWN_NODELAY;
    o.nodelay = true;
    m.label_known_case = ACKD__V1__SET_OPTIONS_REQUEST__LABEL_KNOWN_LABEL;
    m.label = "fast";
    Ackd__V1__SetOptionsResponse *r = ask("/ackd.v1.Tcp/SetOptions", &m);
    assert_true(r->options->nodelay);
    assert_int_equal(r->options->nodelay_known_case, ACKD__V1__OPTIONS__NODELAY_KNOWN_NODELAY);
    assert_int_equal(r->options->msl_ms, 30000);
    assert_int_equal(r->options->icmp_policy, ACKD__V1__ICMP_POLICY__ICMP_POLICY_RFC5927);
    reply_free(r);
    assert_string_equal(endpoint_find(world.rpc, a)->label, "fast");
    o.ttl_known_case = ACKD__V1__OPTIONS__TTL_KNOWN_TTL;
    o.ttl = 256;
    struct grpc_call *call =
        ask_error("/ackd.v1.Tcp/SetOptions", &m, GRPC_INVALID_ARGUMENT, "EINVAL");
    assert_string_equal(call->value, "options.ttl");
    call_free(call);
}

/* What stands in the SYN cannot be changed after it: refused by name, and nothing else of the
 * request is done either; on a listener it holds for the connections to come. */
static void options_of_the_syn(void **state)
{
    (void)state;
    Ackd__V1__SetOptionsRequest m = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    Ackd__V1__Options o = ACKD__V1__OPTIONS__INIT;
    m.id = a;
    m.options = &o;
    o.sack_known_case = ACKD__V1__OPTIONS__SACK_KNOWN_SACK;
    o.sack = true; /* as it is: nothing to refuse */
    reply_free(ask("/ackd.v1.Tcp/SetOptions", &m));
    o.sack = false;
    o.nodelay_known_case = ACKD__V1__OPTIONS__NODELAY_KNOWN_NODELAY;
    o.nodelay = true;
    static const char path[] = "/ackd.v1.Tcp/SetOptions";
    expect_reason(ask_error(path, &m, GRPC_FAILED_PRECONDITION, "EISCONN"), "OPTION_FIXED_AT_OPEN",
                  "field", "options.sack");
    struct tcp_options now_set;
    assert_int_equal(tcp_get_options(world.engine, a, &now_set), 0);
    assert_true(now_set.sack && !now_set.nodelay);
    o.sack_known_case = ACKD__V1__OPTIONS__SACK_KNOWN__NOT_SET;
    o.timestamps_known_case = ACKD__V1__OPTIONS__TIMESTAMPS_KNOWN_TIMESTAMPS;
    expect_reason(ask_error(path, &m, GRPC_FAILED_PRECONDITION, "EISCONN"), "OPTION_FIXED_AT_OPEN",
                  "field", "options.timestamps");
    o.timestamps = true;
    o.window_scaling_known_case = ACKD__V1__OPTIONS__WINDOW_SCALING_KNOWN_WINDOW_SCALING;
    expect_reason(ask_error(path, &m, GRPC_FAILED_PRECONDITION, "EISCONN"), "OPTION_FIXED_AT_OPEN",
                  "field", "options.window_scaling");
    o.window_scaling = true;
    o.mss_clamp_known_case = ACKD__V1__OPTIONS__MSS_CLAMP_KNOWN_MSS_CLAMP_BYTES;
    o.mss_clamp_bytes = 1000;
    expect_reason(ask_error(path, &m, GRPC_FAILED_PRECONDITION, "EISCONN"), "OPTION_FIXED_AT_OPEN",
                  "field", "options.mss_clamp_bytes");
    m.id = listener;
    o.sack_known_case = ACKD__V1__OPTIONS__SACK_KNOWN_SACK;
    reply_free(ask(path, &m));
    uint64_t other, near_id = make_connection(80, listener, &other);
    struct tcp_info info;
    assert_int_equal(tcp_status(world.engine, now(), near_id, true, &info), 0);
    assert_false(info.sack_ok);
    assert_int_equal(info.peer_mss_bytes, 1000);
}

/* What is built in has no holder: an administrator sets its options, nobody else, and nobody its
 * label. */
static void options_of_what_is_built_in(void **state)
{
    (void)state;
    static const char path[] = "/ackd.v1.Tcp/SetOptions";
    struct tcp_listen_args args = {
        .tuple = {.local_port = 19}, .backlog = 1, .owner = RPC_OWNER + 1};
    uint64_t id;
    assert_int_equal(tcp_listen(world.engine, now(), &args, &id), 0);
    Ackd__V1__SetOptionsRequest m = ACKD__V1__SET_OPTIONS_REQUEST__INIT;
    Ackd__V1__Options o = ACKD__V1__OPTIONS__INIT;
    m.id = id;
    m.options = &o;
    o.congestion = ACKD__V1__CONGESTION__CONGESTION_BBR;
    reply_free(ask(path, &m));
    struct tcp_options set;
    assert_int_equal(tcp_get_options(world.engine, id, &set), 0);
    assert_int_equal(set.congestion, TCP_CONGESTION_BBR);
    m.label_known_case = ACKD__V1__SET_OPTIONS_REQUEST__LABEL_KNOWN_LABEL;
    m.label = "mine";
    expect_reason(ask_error(path, &m, GRPC_PERMISSION_DENIED, "EPERM"), "NOT_HELD", "id", NULL);
    m.label_known_case = ACKD__V1__SET_OPTIONS_REQUEST__LABEL_KNOWN__NOT_SET;
    world.peer.uid = 4242;
    expect_reason(ask_error(path, &m, GRPC_PERMISSION_DENIED, "EPERM"), "NOT_HELD", "id", NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offsets_of_send),
        TEST(offsets_of_receive),
        TEST(receive_waits),
        TEST(receive_beyond_one_view),
        TEST(receive_more_than_fits),
        TEST(end_of_stream),
        TEST(fill_and_drain),
        TEST(a_large_send_goes_in_slices),
        TEST(a_large_send_ends_with_its_connection),
        TEST(killed_sender_leaves_nothing),
        TEST(reset_tells_everybody),
        TEST(what_came_before_the_reset_is_read),
        TEST(close_releases),
        TEST(close_with_unread_data_resets),
        TEST(cancelled_close_still_releases),
        TEST(urgent),
        TEST(options_and_label),
        TEST(options_of_the_syn),
        TEST(options_of_what_is_built_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
