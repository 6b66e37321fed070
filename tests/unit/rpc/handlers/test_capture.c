/* Capture: a pcapng file whose packets say what they are. With link none every packet is one that
 * looped back inside. */
#include "harness.h"

#include <stdio.h>
#include "rpc/endpoint.h"

static uint64_t listener, a, b;

static int setup(void **state)
{
    world_setup(state);
    listener = make_listener(80, 256);
    a = make_connection(80, listener, &b);
    return 0;
}

struct file {
    uint8_t data[1 << 20];
    size_t length;
    uint64_t lost;
};

static void collect(struct grpc_call *call, struct file *f)
{
    Ackd__V1__CaptureResponse *r;
    while ((r = call_reply(call))) {
        memcpy(f->data + f->length, r->data.data, r->data.len);
        f->length += r->data.len;
        f->lost = r->lost_packets;
        reply_free(r);
    }
}

static uint32_t word(const struct file *f, size_t at)
{
    uint32_t v;
    memcpy(&v, f->data + at, 4);
    return v;
}

/* Walks all blocks; returns how many packets; *last is the offset of the last one. */
static unsigned packets(const struct file *f, size_t *last)
{
    unsigned n = 0;
    size_t at = 0;
    assert_int_equal(word(f, 0), 0x0a0d0d0a);
    assert_int_equal(word(f, 8), 0x1a2b3c4d);
    while (at < f->length) {
        uint32_t length = word(f, at + 4);
        assert_true(length >= 12 && length % 4 == 0 && at + length <= f->length);
        assert_int_equal(word(f, at + length - 4), length);
        if (word(f, at) == 6) {
            n++;
            *last = at;
        }
        at += length;
    }
    assert_int_equal(at, f->length);
    return n;
}

static bool contains(const struct file *f, size_t at, const char *text)
{
    return memmem(f->data + at, word(f, at + 4), text, strlen(text)) != NULL;
}

static void packets_with_comments(void **state)
{
    (void)state;
    static struct file f;
    memset(&f, 0, sizeof f);
    Ackd__V1__CaptureRequest m = ACKD__V1__CAPTURE_REQUEST__INIT;
    Ackd__V1__Filter filter = ACKD__V1__FILTER__INIT;
    filter.ids = &a;
    filter.n_ids = 1;
    m.filter = &filter;
    m.packet_limit = 1;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Capture");
    call_send(call, &m);
    send_text(b, 0, "not this one");
    send_text(a, 0, "payload!");
    assert_true(call->over && call->code == GRPC_OK);
    collect(call, &f);
    call_free(call);
    size_t last = 0;
    assert_int_equal(packets(&f, &last), 1);
    char comment[64];
    snprintf(comment, sizeof comment, "conn %llu ESTABLISHED, ", (unsigned long long)a);
    assert_true(contains(&f, last, comment));
    assert_true(contains(&f, last, "cwnd "));
    assert_int_equal(word(&f, last + 8), 1);        /* the loopback interface */
    assert_int_equal(f.data[last + 28 + 14], 0x45); /* behind an Ethernet header of zeros */
    uint64_t ns = (uint64_t)word(&f, last + 12) << 32 | word(&f, last + 16);
    assert_true(ns >= UINT64_C(1700000000) * 1000000000);
}

static void payload_of_others(void **state)
{
    (void)state;
    static struct file f;
    memset(&f, 0, sizeof f);
    Ackd__V1__CaptureRequest m = ACKD__V1__CAPTURE_REQUEST__INIT;
    world.peer.uid = 1000;
    struct grpc_call *theirs = call_begin("/ackd.v1.Inspect/Capture");
    call_send(theirs, &m);
    world.peer.uid = 0;
    struct grpc_call *admins = call_begin("/ackd.v1.Inspect/Capture");
    call_send(admins, &m);
    send_text(a, 0, "topsecret");
    collect(theirs, &f);
    size_t last = 0;
    assert_true(packets(&f, &last) > 0);
    assert_null(memmem(f.data, f.length, "topsecret", 9));
    call_cancel(theirs);
    memset(&f, 0, sizeof f);
    collect(admins, &f);
    assert_non_null(memmem(f.data, f.length, "topsecret", 9));
    call_cancel(admins);
}

static void slow_reader(void **state)
{
    (void)state;
    static struct file f;
    memset(&f, 0, sizeof f);
    Ackd__V1__CaptureRequest m = ACKD__V1__CAPTURE_REQUEST__INIT;
    struct grpc_call *call = call_begin("/ackd.v1.Inspect/Capture");
    call->room = 1;
    call_send(call, &m);
    uint64_t offset = 0;
    for (unsigned i = 0; i < 100; i++) {
        offset = send_text(a, offset, "some bytes");
        advance_ms(1);
    }
    collect(call, &f); /* the header went out */
    size_t last = 0;
    assert_int_equal(packets(&f, &last), 0);
    call_room(call, 1 << 20);
    collect(call, &f);
    assert_true(packets(&f, &last) > 20);
    assert_int_equal(f.lost, 0);
    call_cancel(call);
    m.snap_length_bytes = 63;
    call_free(ask_error("/ackd.v1.Inspect/Capture", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
    m.snap_length_bytes = 262145;
    call_free(ask_error("/ackd.v1.Inspect/Capture", &m, GRPC_INVALID_ARGUMENT, "EINVAL"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_with_comments),
        TEST(payload_of_others),
        TEST(slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
