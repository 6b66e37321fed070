/* Pacing as scripts: what leaves at once, and when the next does. */
#include "cmocka_all.h"
#include <stdio.h>
#include "script.h"

static void slow(struct tcp_config *c)
{
    c->defaults.max_pacing_rate = 100000; /* a segment of 1000 bytes every 10 ms */
}

static void a_capped_rate_spaces_segments(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, slow);
    script_passive(&s, "mss 1000");
    assert_int_equal(script_info(&s).pacing_rate_bytes_per_s, 0); /* before there is a flow */
    script_send(&s, 8000, 0);
    script_expect(&s, ". 1:1001(1000) ack 1"); /* a quantum is two segments at least */
    script_expect(&s, ". 1001:2001(1000) ack 1");
    script_quiet(&s);
    assert_int_equal(script_info(&s).limit, TCP_LIMIT_PACING);
    assert_int_equal(script_info(&s).pacing_rate_bytes_per_s, 100000);
    script_advance_ms(&s, 17); /* up to a millisecond early at first */
    script_quiet(&s);
    script_advance_ms(&s, 4);
    script_expect(&s, ". 2001:3001(1000) ack 1");
    script_expect(&s, ". 3001:4001(1000) ack 1");
    script_quiet(&s);
    script_advance_ms(&s, 21);
    script_expect(&s, ". 4001:5001(1000) ack 1");
    script_expect(&s, ". 5001:6001(1000) ack 1");
    script_quiet(&s);
    assert_true(script_info(&s).limited_ns[TCP_LIMIT_PACING] > 0);
    script_end(&s);
}

static void no_pacing(struct tcp_options *o)
{
    o->pacing = TCP_PACING_OFF;
}

static void off_is_off(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, slow);
    script_passive(&s, "mss 1000");
    script_send(&s, 8000, 0);
    assert_int_equal(script_discard(&s), 2);
    script_tune(&s, no_pacing);
    assert_int_equal(script_discard(&s), 6);
    script_end(&s);
}

static void always(struct tcp_config *c)
{
    c->defaults.pacing = TCP_PACING_ON;
}

/* Slow start at twice cwnd a round trip: ten segments in 100 ms are 200 a second. */
static void the_window_makes_a_rate(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, always);
    script_listen(&s, 8);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000,sackOK>");
    script_expect(&s, "S. 0:0(0) ack 1");
    script_advance_ms(&s, 100);
    script_inject(&s, ". 1:1(0) ack 1 win 65535");
    script_accept(&s);
    script_send(&s, 20000, 0);
    script_discard(&s);
    uint64_t rate = script_info(&s).pacing_rate_bytes_per_s;
    assert_in_range(rate, 195000, 205000);
    script_end(&s);
}

int pacing_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capped_rate_spaces_segments),
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(the_window_makes_a_rate),
    };
    return cmocka_run_group_tests_name("pacing", tests, NULL, NULL);
}
