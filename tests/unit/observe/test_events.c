/* The rings of events: order, loss, resumption. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include "fake_engine.h"

static struct observe *o;
static uint64_t number;
static unsigned notified;

static void notify(void *arg)
{
    (void)arg;
    notified++;
}

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    const struct observe_config config = {
        .states = 8, .segments = 8, .frames = 8, .frame_bytes = 4096};
    o = observe_new(&config);
    number = 0;
    notified = 0;
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(observe_watchers(o), 0);
    observe_free(o);
    return 0;
}

static void happen(enum tcp_event_type type)
{
    number++;
    struct tcp_event e = {.number = number,
                          .type = type,
                          .id = number,
                          .state = TCP_ESTABLISHED,
                          .old_state = TCP_SYN_SENT};
    observe_on_event(o, &e);
}

static uint64_t next(struct observe_watch *w, uint64_t *lost)
{
    struct tcp_event e;
    return observe_watch_next(w, &e, lost) ? e.number : 0;
}

static void merged_in_order(void **state)
{
    (void)state;
    struct observe_watch *all = observe_watch_new(o, true, notify, NULL),
                         *states = observe_watch_new(o, false, notify, NULL);
    assert_true(fake.tracing);
    happen(TCP_EVENT_STATE);
    happen(TCP_EVENT_SEGMENT);
    happen(TCP_EVENT_SEGMENT);
    happen(TCP_EVENT_STATE);
    uint64_t lost;
    for (uint64_t n = 1; n <= 4; n++) {
        assert_int_equal(next(all, &lost), n);
        assert_int_equal(lost, 0);
    }
    assert_int_equal(next(all, &lost), 0);
    assert_int_equal(next(states, &lost), 1);
    assert_int_equal(next(states, &lost), 4);
    assert_int_equal(next(states, &lost), 0);
    observe_watch_free(all);
    assert_false(fake.tracing);
    observe_watch_free(states);
}

static void notified_once(void **state)
{
    (void)state;
    struct observe_watch *w = observe_watch_new(o, false, notify, NULL);
    uint64_t lost;
    happen(TCP_EVENT_STATE);
    happen(TCP_EVENT_STATE);
    assert_int_equal(notified, 1);
    next(w, &lost);
    happen(TCP_EVENT_STATE);
    assert_int_equal(notified, 1); /* it has not seen the end yet */
    next(w, &lost);
    next(w, &lost);
    assert_int_equal(next(w, &lost), 0);
    happen(TCP_EVENT_SEGMENT);
    assert_int_equal(notified, 1); /* none of its business */
    happen(TCP_EVENT_STATE);
    assert_int_equal(notified, 2);
    observe_watch_free(w);
}

static void overwritten_is_counted_once(void **state)
{
    (void)state;
    struct observe_watch *w = observe_watch_new(o, true, notify, NULL);
    uint64_t lost;
    for (unsigned i = 0; i < 11; i++) {
        happen(TCP_EVENT_STATE);
    }
    for (unsigned i = 0; i < 13; i++) {
        happen(TCP_EVENT_SEGMENT);
    }
    assert_int_equal(next(w, &lost), 4);
    assert_int_equal(lost, 3 + 5);
    for (uint64_t n = 5; n <= 11; n++) {
        assert_int_equal(next(w, &lost), n);
        assert_int_equal(lost, 0);
    }
    for (uint64_t n = 17; n <= 24; n++) {
        assert_int_equal(next(w, &lost), n);
        assert_int_equal(lost, 0);
    }
    observe_watch_free(w);
}

static void gap_of_the_engine(void **state)
{
    (void)state;
    struct observe_watch *w = observe_watch_new(o, false, notify, NULL);
    uint64_t lost;
    happen(TCP_EVENT_STATE);
    number += 5;
    happen(TCP_EVENT_STATE);
    assert_int_equal(next(w, &lost), 1);
    assert_int_equal(lost, 0);
    assert_int_equal(next(w, &lost), 7);
    assert_int_equal(lost, 5);
    observe_watch_free(w);
}

static void resumed(void **state)
{
    (void)state;
    uint64_t lost;
    for (unsigned i = 0; i < 6; i++) {
        happen(TCP_EVENT_STATE);
    }
    struct observe_watch *w = observe_watch_new(o, false, notify, NULL);
    assert_int_equal(next(w, &lost), 0);
    assert_int_equal(observe_watch_after(w, 7), -ERANGE);
    assert_int_equal(observe_watch_after(w, 4), 0);
    assert_int_equal(next(w, &lost), 5);
    assert_int_equal(lost, 0);
    assert_int_equal(observe_watch_after(w, 0), 0);
    assert_int_equal(next(w, &lost), 1);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < 6; i++) {
        happen(TCP_EVENT_STATE);
    }
    assert_int_equal(observe_watch_after(w, 2), 0); /* 3 and 4 are overwritten */
    assert_int_equal(next(w, &lost), 5);
    assert_int_equal(lost, 2);
    assert_int_equal(observe_watch_after(w, 4), 0);
    assert_int_equal(next(w, &lost), 5);
    assert_int_equal(lost, 0);
    assert_int_equal(observe_watch_after(w, 12), 0);
    assert_int_equal(next(w, &lost), 0);
    observe_watch_free(w);
}

static void drained(void **state)
{
    (void)state;
    struct observe_watch *w = observe_watch_new(o, false, notify, NULL);
    fake.events[0] = (struct tcp_event){.number = 1, .type = TCP_EVENT_STATE};
    fake.events[1] = (struct tcp_event){.number = 2, .type = TCP_EVENT_STATE};
    fake.n = 2;
    observe_drain(o);
    assert_int_equal(observe_last(o), 2);
    uint64_t lost;
    assert_int_equal(next(w, &lost), 1);
    assert_int_equal(next(w, &lost), 2);
    observe_watch_free(w);
}

static void segments_begin_anew(void **state)
{
    (void)state;
    uint64_t lost;
    struct observe_watch *w = observe_watch_new(o, true, notify, NULL);
    for (unsigned i = 0; i < 20; i++) {
        happen(TCP_EVENT_SEGMENT);
    }
    observe_watch_free(w);
    happen(TCP_EVENT_SEGMENT); /* nobody keeps it */
    w = observe_watch_new(o, true, notify, NULL);
    assert_int_equal(next(w, &lost), 0);
    assert_int_equal(lost, 0);
    happen(TCP_EVENT_SEGMENT);
    assert_int_equal(next(w, &lost), 22);
    assert_int_equal(lost, 0);
    observe_watch_free(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(merged_in_order),     TEST(notified_once), TEST(overwritten_is_counted_once),
        TEST(gap_of_the_engine),   TEST(resumed),       TEST(drained),
        TEST(segments_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
