/* What a connection leaves to the next between the same hosts (RFC 9040). */
#include "cmocka_all.h"
#include "script.h"
#include "tcp/metrics.h"
#include "tcp/tcb.h"

static uint16_t next_port = 4000;

/* A connection of ours whose handshake takes `rtt_ms`; the script's tuple follows. */
static void connect_in(struct script *s, int64_t rtt_ms)
{
    s->tuple.local_port = next_port++;
    s->tuple.remote_port = 80;
    struct tcp_open_args a = {.tuple = s->tuple, .mtu = s->mtu, .owner = 2};
    assert_int_equal(tcp_open(s->engine, s->now, &a, &s->id), 0);
    script_expect(s, "S 0:0(0)");
    script_advance_ms(s, rtt_ms);
    script_inject(s, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>");
    script_expect(s, ". 1:1(0) ack 1");
}

static void hang_up(struct script *s)
{
    tcp_abort(s->engine, s->now, s->id, TCP_CLOSE_ABORTED);
    script_discard(s);
    tcp_release(s->engine, s->now, s->id);
}

static struct tcp_metrics only(struct script *s)
{
    struct tcp_metrics m[2];
    assert_int_equal(tcp_metrics_list(s->engine, 0, m, 2), 1);
    return m[0];
}

static void a_slow_path_is_remembered(void **state) /* RFC 9040 section 6 */
{
    (void)state;
    struct script s;
    script_begin(&s, NULL);
    connect_in(&s, 300);
    hang_up(&s);
    assert_true(only(&s).srtt_ns == 300 * NS_PER_MS);
    connect_in(&s, 10); /* RTO = 300 + 2 * 300 ms, not 10 + 200 ms */
    assert_in_range(script_info(&s).rto_ns / NS_PER_MS, 899, 900);
    assert_true(script_info(&s).srtt_ns == 10 * NS_PER_MS);
    hang_up(&s);
    assert_true(only(&s).srtt_ns == 300 * NS_PER_MS - 290 * NS_PER_MS / 8);
    connect_in(&s, 400); /* a larger one counts at once, and is no shorter for what was before */
    assert_in_range(script_info(&s).rto_ns / NS_PER_MS, 1200, 1200);
    hang_up(&s);
    assert_true(only(&s).srtt_ns == 400 * NS_PER_MS);
    script_end(&s);
}

static void not_shared(struct tcp_config *c)
{
    c->defaults.share_metrics = false;
}

static void it_can_be_switched_off(void **state)
{
    (void)state;
    struct script s;
    struct tcp_metrics m;
    script_begin(&s, not_shared);
    connect_in(&s, 300);
    hang_up(&s);
    assert_int_equal(tcp_metrics_list(s.engine, 0, &m, 1), 0);
    script_end(&s);
}

static void a_failed_handshake_teaches_nothing(void **state)
{
    (void)state;
    struct script s;
    struct tcp_metrics m;
    script_begin(&s, NULL);
    script_open(&s);
    script_expect(&s, "S 0:0(0)");
    script_inject(&s, "R. 0:0(0) ack 1");
    tcp_release(s.engine, s.now, s.id);
    assert_int_equal(tcp_metrics_list(s.engine, 0, &m, 1), 0);
    script_end(&s);
}

static void with_ssthresh(struct tcp_config *c)
{
    c->defaults.share_ssthresh = true;
}

/* Loses the first of ten segments for good. */
static void lose_one(struct script *s)
{
    script_send(s, 14600, 0);
    script_discard(s);
    script_inject(s, ". 1:1(0) ack 1 win 65535 <nop,nop,sack 1461:5841>");
    script_inject(s, ". 1:1(0) ack 1 win 65535 <nop,nop,sack 1461:8761>");
    script_inject(s, ". 1:1(0) ack 1 win 65535 <nop,nop,sack 1461:14601>");
    script_discard(s);
}

static void ssthresh_is_used_where_asked_for(void **state)
{
    (void)state;
    struct script s;
    for (int shared = 0; shared < 2; shared++) {
        script_begin(&s, shared ? with_ssthresh : NULL);
        connect_in(&s, 10);
        assert_int_equal(script_info(&s).ssthresh_bytes, UINT32_MAX);
        lose_one(&s);
        uint32_t left = script_info(&s).ssthresh_bytes;
        assert_true(left < 14600);
        hang_up(&s);
        assert_int_equal(only(&s).ssthresh, left);
        connect_in(&s, 10);
        assert_int_equal(script_info(&s).ssthresh_bytes, shared ? left : UINT32_MAX);
        hang_up(&s);
        script_end(&s);
    }
}

static void three(struct tcp_config *c)
{
    c->max_metrics = 3;
}

static void none(struct tcp_config *c)
{
    c->max_metrics = 0;
}

static void the_cache_is_bounded_and_cleared(void **state)
{
    (void)state;
    struct script s;
    struct tcp_metrics m[9];
    script_begin(&s, three);
    for (uint8_t i = 0; i < 5; i++) {
        s.tuple.remote = ip_addr_v4(192, 0, 2, (uint8_t)(10 + i));
        connect_in(&s, 10);
        hang_up(&s);
    }
    assert_int_equal(tcp_metrics_list(s.engine, 0, m, 9), 3);
    assert_true(ip_addr_equal(&m[0].remote, &s.tuple.remote)); /* the latest first */
    assert_int_equal(script_counters(&s)->metrics_evicted, 2);
    assert_int_equal(tcp_metrics_list(s.engine, 2, m, 9), 1);
    struct ip_addr oldest = ip_addr_v4(192, 0, 2, 12), gone = ip_addr_v4(192, 0, 2, 11);
    assert_true(ip_addr_equal(&m[0].remote, &oldest));
    assert_int_equal(tcp_metrics_clear(s.engine, &gone), 0);
    assert_int_equal(tcp_metrics_clear(s.engine, &oldest), 1);
    assert_int_equal(tcp_metrics_clear(s.engine, NULL), 2);
    assert_int_equal(tcp_metrics_list(s.engine, 0, m, 9), 0);
    script_end(&s);
    script_begin(&s, none);
    connect_in(&s, 10);
    hang_up(&s);
    assert_int_equal(tcp_metrics_list(s.engine, 0, m, 9), 0);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_path_is_remembered),
        cmocka_unit_test(it_can_be_switched_off),
        cmocka_unit_test(a_failed_handshake_teaches_nothing),
        cmocka_unit_test(ssthresh_is_used_where_asked_for),
        cmocka_unit_test(the_cache_is_bounded_and_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
