/* An address with a thousand connections goes: all of them end, in turns; what is made afterwards
 * on the same address stays. */
#include "cmocka_all.h"
#include "script.h"

enum { MANY = 1000 };

static uint64_t open_one(struct script *s, uint16_t port)
{
    struct tcp_open_args args = {.tuple = s->tuple};
    uint64_t id;
    args.tuple.local_port = port;
    assert_int_equal(tcp_open(s->engine, s->now, &args, &id), 0);
    return id;
}

static void ends_in_turns(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        open_one(&s, (uint16_t)(10000 + i));
    }
    struct tcp_tuple other = s.tuple;
    other.local.b[15]++;
    struct tcp_open_args args = {.tuple = other};
    uint64_t elsewhere;
    assert_int_equal(tcp_open(s.engine, s.now, &args, &elsewhere), 0);
    const struct tcp_counters *counters = script_counters(&s);
    tcp_address_removed(s.engine, s.now, &s.tuple.local);
    uint64_t left = counters->states[TCP_SYN_SENT];
    assert_true(left > MANY / 2 && left < MANY); /* not all in one call */
    uint64_t later = open_one(&s, 20000);
    while (time_reached(tcp_next_deadline(s.engine), s.now)) {
        tcp_timeout(s.engine, s.now);
        assert_true(left - counters->states[TCP_SYN_SENT] < MANY / 2);
        left = counters->states[TCP_SYN_SENT];
    }
    assert_int_equal(counters->closes[TCP_CLOSE_ADDRESS_REMOVED], MANY);
    assert_int_equal(left, 2);
    struct tcp_info info;
    assert_int_equal(tcp_status(s.engine, s.now, later, false, &info), 0);
    assert_int_equal(info.state, TCP_SYN_SENT);
    assert_int_equal(tcp_status(s.engine, s.now, elsewhere, false, &info), 0);
    assert_int_equal(info.state, TCP_SYN_SENT);
    script_end(&s);
}

/* The engine goes while a walk is under way. */
static void unfinished(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        open_one(&s, (uint16_t)(10000 + i));
    }
    tcp_address_removed(s.engine, s.now, &s.tuple.local);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_in_turns),
        cmocka_unit_test(unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
