/* Options: the defaults hold and are those that tcp.h names; each bound is refused one step
 * outside, by its field's name. */
#include "cmocka_all.h"
#include <errno.h>
#include "tcp/tcp.h"

static void defaults(void **state)
{
    (void)state;
    struct tcp_options o;
    const char *field = NULL;
    tcp_options_default(&o);
    assert_int_equal(tcp_options_check(&o, &field), 0);
    assert_null(field);
    assert_int_equal(o.rcv_buffer, 256 << 10);
    assert_int_equal(o.snd_buffer, 256 << 10);
    assert_int_equal(o.rcv_buffer_max, 6 << 20);
    assert_int_equal(o.snd_buffer_max, 6 << 20);
    assert_true(o.sack && o.timestamps && o.window_scaling && o.rfc1337);
    assert_false(o.nodelay || o.keepalive);
    assert_true(o.keepalive_idle_ns == 7200 * NS_PER_S);
    assert_true(o.rto_initial_ns == NS_PER_S && o.rto_min_ns == 200 * NS_PER_MS &&
                o.rto_max_ns == 120 * NS_PER_S);
    assert_true(o.delayed_ack_ns == 40 * NS_PER_MS && o.msl_ns == 30 * NS_PER_S &&
                o.fin_wait_2_ns == 60 * NS_PER_S);
    assert_true(o.syn_timeout_ns == 180 * NS_PER_S && o.orphan_timeout_ns == 600 * NS_PER_S);
    assert_int_equal(o.r1_timeouts, 3);
    assert_int_equal(o.ttl, 64);

    struct tcp_config c;
    tcp_config_default(&c);
    assert_null(c.arena);
    assert_int_equal(tcp_options_check(&c.defaults, &field), 0);
    assert_int_equal(c.port_first, 49152);
    assert_int_equal(c.port_last, 65535);
    assert_int_equal(c.max_time_wait, 65536);
}

/* Sets one field to a value that must be accepted and one that must not. */
#define BOUND(name, good, bad)                                                                     \
    do {                                                                                           \
        struct tcp_options o;                                                                      \
        const char *field = NULL;                                                                  \
        tcp_options_default(&o);                                                                   \
        o.name = (good);                                                                           \
        assert_int_equal(tcp_options_check(&o, &field), 0);                                        \
        o.name = (bad);                                                                            \
        assert_int_equal(tcp_options_check(&o, &field), -EINVAL);                                  \
        assert_string_equal(field, #name);                                                         \
    } while (0)

static void bounds(void **state)
{
    (void)state;
    BOUND(rcv_buffer, 2048, 2047);
    BOUND(rcv_buffer, 64 << 20, (64 << 20) + 1);
    BOUND(snd_buffer, 2048, 2047);
    BOUND(snd_buffer, 64 << 20, (64 << 20) + 1);
    BOUND(rcv_buffer_max, 64 << 20, (64 << 20) + 1);
    BOUND(snd_buffer_max, 64 << 20, (64 << 20) + 1);
    BOUND(mss_clamp, 48, 47);
    BOUND(mss_clamp, 65535, 65536);
    BOUND(mss_clamp, 0, 1);
    BOUND(keepalive_idle_ns, NS_PER_MS, 0);
    BOUND(keepalive_interval_ns, NS_PER_MS, -1);
    BOUND(keepalive_count, 2, 1); /* MUST-29: one lost probe proves nothing */
    BOUND(user_timeout_ns, 0, -1);
    BOUND(rto_max_ns, NS_PER_S, NS_PER_S - 1);
    BOUND(rto_min_ns, 120 * NS_PER_S, 120 * NS_PER_S + 1);
    BOUND(rto_min_ns, NS_PER_MS, 0);
    BOUND(rto_initial_ns, NS_PER_MS, 0);
    BOUND(rto_initial_ns, 120 * NS_PER_S, 121 * NS_PER_S);
    BOUND(delayed_ack_ns, 0, -1);
    BOUND(delayed_ack_ns, 500 * NS_PER_MS - 1, 500 * NS_PER_MS); /* MUST-40 */
    BOUND(msl_ns, NS_PER_MS, 0);
    BOUND(fin_wait_2_ns, 0, -1);
    BOUND(syn_timeout_ns, NS_PER_MS, 0);
    BOUND(syn_timeout_ns, 3600 * NS_PER_S, 3600 * NS_PER_S + 1);
    BOUND(r1_timeouts, 1, 0);
    BOUND(orphan_timeout_ns, 0, -1);
    BOUND(ttl, 255, 0);
    BOUND(dscp, 63, 64);
    BOUND(icmp_policy, TCP_ICMP_IGNORE, (enum tcp_icmp_policy)3);
    BOUND(loss_detection, TCP_LOSS_COUNT, (enum tcp_loss_detection)2);
    BOUND(fast_open_queue, 65535, 65536);
    BOUND(uto_advertise_ns, 0, -1);
    BOUND(uto_min_ns, 3600 * NS_PER_S, 3601 * NS_PER_S);
    BOUND(uto_max_ns, 100 * NS_PER_S, INT64_MAX);
    BOUND(syn_cookies, TCP_SYN_COOKIES_ALWAYS, (enum tcp_syn_cookies)3);
    BOUND(urgent_mode, TCP_URGENT_BSD, (enum tcp_urgent_mode)2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
