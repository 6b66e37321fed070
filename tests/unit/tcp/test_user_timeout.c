/* The user timeout option (RFC 5482). */
#include "cmocka_all.h"
#include "script.h"
#include "tcp/tcb.h"

#define MINUTES 32768u

static void enabled(struct tcp_config *c)
{
    c->defaults.uto = true;
    c->defaults.delayed_ack_ns = 0;
}

static int64_t in_force_s(struct script *s)
{
    return script_info(s).user_timeout_ns / NS_PER_S;
}

static void both_ends_tell(void **state) /* section 3 */
{
    (void)state;
    struct script s;
    script_begin(&s, enabled);
    script_listen(&s, 4);
    script_inject(&s, "S 0:0(0) win 65535 <mss 1000,uto 1200>");
    script_expect(&s, "S. 0:0(0) ack 1 <mss 1460,uto 900>");
    script_inject(&s, ". 1:1(0) ack 1 <uto 1200>");
    assert_int_equal(script_accept(&s), s.id);
    assert_int_equal(in_force_s(&s), 1200); /* the larger */
    assert_true(script_info(&s).remote_user_timeout_ns == 1200 * NS_PER_S);
    script_send(&s, 2000, 0); /* ours again, because the SYN,ACK may have been a cookie */
    script_expect(&s, ". 1:997(996) ack 1 <uto 900>");
    script_expect(&s, ". 997:1997(1000) ack 1 <nop>");
    script_discard(&s);
    script_inject(&s, ". 1:1(0) ack 1997 <uto 300>"); /* another, at any time */
    assert_int_equal(in_force_s(&s), 900);
    script_inject(&s, ". 1:1(0) ack 1997 <uto 0>"); /* reserved: ignored (section 3.4) */
    assert_true(script_info(&s).remote_user_timeout_ns == 300 * NS_PER_S);
    assert_int_equal(script_counters(&s)->user_timeouts_received, 3);
    script_end(&s);
}

static void an_active_open_tells(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, enabled);
    script_open(&s);
    script_expect(&s, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 5,uto 900>");
    script_inject(&s, "S. 0:0(0) ack 1 win 65535 <mss 1000,uto 32808>"); /* 40 minutes */
    script_expect(&s, ". 1:1(0) ack 1 <uto 900>");
    assert_int_equal(in_force_s(&s), 2400);
    script_end(&s);
}

static void limits(struct tcp_options *o)
{
    o->uto_advertise_ns = 50 * NS_PER_S;
    o->uto_min_ns = 100 * NS_PER_S;
    o->uto_max_ns = 600 * NS_PER_S;
}

static void it_is_limited(void **state) /* section 3.1 */
{
    (void)state;
    struct script s;
    script_begin(&s, enabled);
    script_passive(&s, "mss 1000");
    script_tune(&s, limits);
    script_discard(&s);
    assert_int_equal(in_force_s(&s), 100); /* L_LIMIT */
    script_inject(&s, ". 1:1(0) ack 1 <uto 200>");
    assert_int_equal(in_force_s(&s), 200);
    script_inject(&s, ". 1:1(0) ack 1 <uto 65535>"); /* 22 days */
    assert_int_equal(in_force_s(&s), 600);           /* U_LIMIT */
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 1 <uto 50>");
    for (int i = 0; i < 599; i++) {
        script_advance_ms(&s, 1000);
        script_discard(&s);
    }
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_advance_ms(&s, 2000);
    assert_int_equal(script_state(&s), TCP_CLOSED);
    assert_int_equal(script_info(&s).close_reason, TCP_CLOSE_USER_TIMEOUT);
    script_end(&s);
}

static void ten_seconds(struct tcp_options *o)
{
    o->user_timeout_ns = 10 * NS_PER_S;
}

static void what_the_user_set_is_not_changed(void **state) /* CHANGEABLE */
{
    (void)state;
    struct script s;
    script_begin(&s, enabled);
    script_passive(&s, "mss 1000");
    script_tune(&s, ten_seconds);
    script_inject(&s, ". 1:1(0) ack 1 <uto 500>");
    assert_int_equal(in_force_s(&s), 10);
    assert_true(script_info(&s).remote_user_timeout_ns == 500 * NS_PER_S); /* but told */
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 1 <uto 10>");
    script_end(&s);
}

static void by_default_nobody_speaks_it(void **state) /* ENABLED */
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    script_passive(&s, "mss 1000,uto 5000");
    assert_int_equal(in_force_s(&s), 900);
    script_send(&s, 10, 0);
    script_expect(&s, "P. 1:11(10) ack 1 <nop>");
    script_end(&s);
}

static void seconds_while_they_fit(void **state) /* section 3.3 */
{
    (void)state;
    static const struct {
        int64_t s;
        unsigned wire;
    } cases[] = {{1, 1},
                 {32767, 32767},
                 {32768, MINUTES + 547},
                 {60 * 32767, MINUTES + 32767},
                 {366 * 86400, MINUTES + 32767}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tcp_options o;
        struct tcp_opts got = {0};
        tcp_options_default(&o);
        o.uto = true;
        o.uto_advertise_ns = cases[i].s * NS_PER_S;
        user_timeout_option(&o, &got);
        assert_true(got.has_user_timeout);
        assert_int_equal(got.user_timeout, cases[i].wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_tell),
        cmocka_unit_test(an_active_open_tells),
        cmocka_unit_test(it_is_limited),
        cmocka_unit_test(what_the_user_set_is_not_changed),
        cmocka_unit_test(by_default_nobody_speaks_it),
        cmocka_unit_test(seconds_while_they_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
