/* flood.c: bursts, rates, and what refills them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "rpc/transport/internal.h"

static ackd_time at(int64_t ns)
{
    return time_from_ns(ns);
}

/* Frames of one kind that are let through at one instant. */
static unsigned let_through(struct flood *f, ackd_time now, uint8_t type, size_t length)
{
    nghttp2_frame_hd hd = {.type = type, .length = length};
    unsigned n = 0;
    while (n < 100000 && flood_frame(f, now, &hd)) {
        n++;
    }
    return n;
}

static void test_burst_and_rate(void **state)
{
    static const uint8_t idle[] = {NGHTTP2_PING, NGHTTP2_SETTINGS, NGHTTP2_WINDOW_UPDATE,
                                   NGHTTP2_PRIORITY, NGHTTP2_DATA};
    struct flood f;
    (void)state;
    for (size_t i = 0; i < sizeof(idle); i++) {
        flood_init(&f, at(0));
        assert_int_equal(let_through(&f, at(0), idle[i], 0), 4096);
        assert_int_equal(let_through(&f, at(NS_PER_S / 2), idle[i], 0), 512);
        assert_int_equal(let_through(&f, at(NS_PER_S / 2), idle[i], 0), 0);
        assert_int_equal(let_through(&f, at(100 * NS_PER_S), idle[i], 0), 1024);
    }
    flood_init(&f, at(0));
    assert_int_equal(let_through(&f, at(0), NGHTTP2_RST_STREAM, 4), 1024);
    assert_int_equal(let_through(&f, at(NS_PER_S), NGHTTP2_RST_STREAM, 4), 128);
    assert_false(flood_refused(&f, at(NS_PER_S)));
    /* The buckets are separate: a burst, and what a second has brought. */
    assert_int_equal(let_through(&f, at(NS_PER_S), NGHTTP2_PING, 8), 4096 + 1024);
}

/* Who sends or takes data may ping with each frame, for ever; a reset is no data. */
static void test_useful_frames_refill(void **state)
{
    nghttp2_frame_hd data = {.type = NGHTTP2_DATA, .length = 1},
                     ping = {.type = NGHTTP2_PING, .length = 8};
    struct flood f;
    (void)state;
    flood_init(&f, at(0));
    for (unsigned i = 0; i < 100000; i++) {
        assert_true(flood_frame(&f, at(0), &data));
        assert_true(flood_frame(&f, at(0), &ping));
        assert_true(flood_frame(&f, at(0), &ping));
    }
    assert_true(f.idle.tokens <= 4096);
}

static void test_continuations(void **state)
{
    nghttp2_frame_hd headers = {.type = NGHTTP2_HEADERS, .length = 1};
    struct flood f;
    (void)state;
    flood_init(&f, at(0));
    assert_int_equal(let_through(&f, at(0), NGHTTP2_CONTINUATION, 1), 8);
    assert_true(flood_frame(&f, at(0), &headers));
    assert_int_equal(let_through(&f, at(0), NGHTTP2_CONTINUATION, 1), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_rate),
        cmocka_unit_test(test_useful_frames_refill),
        cmocka_unit_test(test_continuations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
