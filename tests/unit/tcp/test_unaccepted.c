/* A listener with a long accept queue is closed: its connections are reset, in turns; what happens
 * to one of them before its turn comes is nothing special. */
#include "cmocka_all.h"
#include "script.h"

enum { MANY = 1000, MOST = 200 /* in one call */ };

static uint64_t fill(struct script *s)
{
    script_listen(s, MANY);
    uint64_t listener = 0;
    for (unsigned i = 0; i < MANY; i++) {
        s->tuple.remote_port = (uint16_t)(10000 + i);
        script_inject(s, "S 0:0(0) win 10000 <mss 1460>");
        script_expect(s, "S. 0:0(0) ack 1 <mss 1460>");
        script_inject(s, ". 1:1(0) ack 1");
        listener = script_info(s).listener;
    }
    assert_int_equal(script_counters(s)->states[TCP_ESTABLISHED], MANY);
    return listener;
}

static void ends_in_turns(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    const struct tcp_counters *counters = script_counters(&s);
    assert_int_equal(tcp_close(s.engine, s.now, fill(&s)), 0);
    uint64_t left = counters->states[TCP_ESTABLISHED];
    assert_in_range(left, MANY - MOST, MANY - 1);
    assert_int_equal(counters->states[TCP_LISTEN], 0);
    script_inject(&s, "R 1:1(0)"); /* the last of the queue */
    script_discard(&s);
    assert_int_equal(counters->states[TCP_ESTABLISHED], --left);
    while (time_reached(tcp_next_deadline(s.engine), s.now)) {
        tcp_timeout(s.engine, s.now);
        assert_in_range(left - counters->states[TCP_ESTABLISHED], 0, MOST);
        left = counters->states[TCP_ESTABLISHED];
    }
    assert_int_equal(left, 0);
    assert_int_equal(counters->rsts_sent[TCP_RST_SENT_LISTENER_CLOSED], MANY - 1);
    assert_int_equal(counters->closes[TCP_CLOSE_LISTENER_CLOSED], MANY - 1);
    assert_int_equal(tcp_endpoints(s.engine), 0);
    script_discard(&s);
    script_end(&s);
}

/* Whoever ended while it waited to be accepted is only forgotten. */
static void keep_ended(struct tcp_config *c)
{
    c->accept_ended = true;
}

static void an_ended_one_is_forgotten(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, keep_ended);
    const struct tcp_counters *counters = script_counters(&s);
    uint64_t listener = fill(&s);
    script_inject(&s, "R 1:1(0)");
    tcp_close(s.engine, s.now, listener);
    while (time_reached(tcp_next_deadline(s.engine), s.now)) {
        tcp_timeout(s.engine, s.now);
    }
    assert_int_equal(counters->closes[TCP_CLOSE_LISTENER_CLOSED], MANY - 1);
    assert_int_equal(tcp_endpoints(s.engine), 0);
    script_discard(&s);
    script_end(&s);
}

/* The engine goes before their turn comes. */
static void unfinished(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    tcp_close(s.engine, s.now, fill(&s));
    script_discard(&s);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_in_turns),
        cmocka_unit_test(an_ended_one_is_forgotten),
        cmocka_unit_test(unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
