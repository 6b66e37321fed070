/* Failed attempts to agree on AccECN are cached (RFC 9768 section 3.1.4.1). */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SYN_OPTIONS " win 65535 <mss 1000,sackOK,nop,wscale 7>"

static void accurate(struct tcp_config *c)
{
    c->defaults.timestamps = false;
    c->defaults.ecn = TCP_ECN_ACCURATE;
}

static void open_from(struct script *s, uint16_t port)
{
    s->tuple.local_port = port;
    s->tuple.remote_port = 80;
    struct tcp_open_args a = {.tuple = s->tuple, .mtu = s->mtu, .owner = 2};
    assert_int_equal(tcp_open(s->engine, s->now, &a, &s->id), 0);
}

static void hang_up(struct script *s)
{
    tcp_abort(s->engine, s->now, s->id, TCP_CLOSE_ABORTED);
    script_discard(s);
    tcp_release(s->engine, s->now, s->id);
}

/* Two SYNs with AccECN are lost; this answers the third, which has none. */
static void only_a_plain_syn_arrives(struct script *s, uint16_t port, const char *answer)
{
    char text[120];
    open_from(s, port);
    script_expect(s, "SECe 0:0(0)");
    script_advance_ms(s, 1001);
    script_expect(s, "SECe 0:0(0)");
    script_advance_ms(s, 2001);
    script_expect(s, "S 0:0(0)");
    snprintf(text, sizeof text, "%s 0:0(0) ack 1" SYN_OPTIONS, answer);
    script_inject(s, text);
    script_discard(s);
    hang_up(s);
}

static struct tcp_metrics only(struct script *s)
{
    struct tcp_metrics m[2];
    assert_int_equal(tcp_metrics_list(s->engine, 0, m, 2), 1);
    return m[0];
}

/* One failure may be congestion, and the second, too. */
static void three_failures_are_a_blockage(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, accurate);
    for (uint16_t i = 0; i < 3; i++) {
        only_a_plain_syn_arrives(&s, (uint16_t)(4000 + i), "S.");
        assert_int_equal(only(&s).accecn_failures, i + 1);
    }
    assert_int_equal(script_counters(&s)->accecn_path_failures, 3);
    assert_int_equal(script_counters(&s)->accecn_withheld, 0);
    open_from(&s, 4003);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "S. 0:0(0) ack 1" SYN_OPTIONS);
    script_expect(&s, ". 1:1(0) ack 1");
    assert_true(script_info(&s).accecn_withheld);
    assert_false(script_info(&s).ect_stopped);
    assert_int_equal(script_counters(&s)->accecn_withheld, 1);
    hang_up(&s);
    assert_int_equal(only(&s).accecn_failures, 3); /* it tells nothing of AccECN */
    s.tuple.remote = ip_addr_v4(192, 0, 2, 77);    /* somebody else */
    open_from(&s, 4004);
    script_expect(&s, "SECe 0:0(0)");
    script_end(&s);
}

/* The cache expires: the next attempt finds out, and the time doubles while it fails. */
static void a_blockage_is_looked_at_again(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, accurate);
    for (uint16_t i = 0; i < 3; i++) {
        only_a_plain_syn_arrives(&s, (uint16_t)(4000 + i), "S.");
    }
    for (uint16_t hours = 1, i = 3; i < 10; i++, hours = hours < 32 ? hours * 2 : 32) {
        int64_t left_ms = time_diff(only(&s).accecn_offer_after, s.now) / NS_PER_MS;
        assert_in_range(left_ms, hours * 3600000 - 5, hours * 3600000);
        script_advance_ms(&s, left_ms - 1000);
        open_from(&s, (uint16_t)(5000 + i));
        script_expect(&s, "S 0:0(0)");
        hang_up(&s);
        script_advance_ms(&s, 1001);
        only_a_plain_syn_arrives(&s, (uint16_t)(4000 + i), "S.");
    }
    script_advance_ms(&s, 32 * 3600000);
    open_from(&s, 4100);
    script_expect(&s, "SECe 0:0(0)");
    script_inject(&s, "SC. 0:0(0) ack 1" SYN_OPTIONS); /* the middlebox was replaced */
    script_discard(&s);
    assert_true(script_info(&s).accecn_ok);
    hang_up(&s);
    assert_int_equal(only(&s).accecn_failures, 0);
    only_a_plain_syn_arrives(&s, 4101, "S."); /* as if it were the first */
    open_from(&s, 4102);
    script_expect(&s, "SECe 0:0(0)");
    script_end(&s);
}

/* An offer that was answered, whatever with, got through: also one that the answer to came late. */
static void an_answered_offer_ends_the_row(void **state)
{
    (void)state;
    static const char *const answers[] = {"S.", "SC.", "SE."};
    for (unsigned i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct script s;
        char text[120];
        script_begin(&s, accurate);
        only_a_plain_syn_arrives(&s, 4000, "S.");
        only_a_plain_syn_arrives(&s, 4001, "S.");
        open_from(&s, 4002);
        script_expect(&s, "SECe 0:0(0)");
        snprintf(text, sizeof text, "%s 0:0(0) ack 1" SYN_OPTIONS, answers[i]);
        script_inject(&s, text);
        script_discard(&s);
        hang_up(&s);
        assert_int_equal(only(&s).accecn_failures, 0);
        script_end(&s);
    }
    struct script s;
    script_begin(&s, accurate);
    only_a_plain_syn_arrives(&s, 4000, "S.");
    only_a_plain_syn_arrives(&s, 4001, "SC.");
    assert_int_equal(only(&s).accecn_failures, 0);
    script_end(&s);
}

/* Who answers no SYN at all is not there, and one that is refused got through. */
static void other_failures_say_nothing(void **state)
{
    (void)state;
    struct script s;
    struct tcp_metrics m;
    script_begin(&s, accurate);
    open_from(&s, 4000);
    for (int n = 0; n < 200; n++) { /* R2 of a SYN is three minutes */
        script_discard(&s);
        script_advance_ms(&s, 1000);
    }
    assert_int_equal(script_state(&s), TCP_CLOSED);
    open_from(&s, 4001);
    script_expect(&s, "SECe 0:0(0)");
    script_inject(&s, "R. 0:0(0) ack 1");
    assert_int_equal(tcp_metrics_list(s.engine, 0, &m, 1), 0);
    assert_int_equal(script_counters(&s)->accecn_path_failures, 0);
    script_end(&s);
}

static void accurate_alone(struct tcp_config *c)
{
    accurate(c);
    c->defaults.share_metrics = false;
}

static void what_is_not_shared_is_not_cached(void **state)
{
    (void)state;
    struct script s;
    struct tcp_metrics m;
    script_begin(&s, accurate_alone);
    for (uint16_t i = 0; i < 4; i++) {
        only_a_plain_syn_arrives(&s, (uint16_t)(4000 + i), "S.");
    }
    assert_int_equal(tcp_metrics_list(s.engine, 0, &m, 1), 0);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_failures_are_a_blockage),
        cmocka_unit_test(a_blockage_is_looked_at_again),
        cmocka_unit_test(an_answered_offer_ends_the_row),
        cmocka_unit_test(other_failures_say_nothing),
        cmocka_unit_test(what_is_not_shared_is_not_cached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
