/* Path MTU without ICMP (RFC 4821): black holes, the search, and that a lost probe is no
 * congestion. */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define OPTIONS "mss 1460,sackOK,nop,wscale 14"

static void plain(struct tcp_config *c)
{
    c->defaults.timestamps = false;
    c->defaults.nodelay = true;
}

static void off(struct tcp_config *c)
{
    plain(c);
    c->defaults.mtu_probing = TCP_MTU_PROBING_OFF;
}

static void always(struct tcp_config *c)
{
    plain(c);
    c->defaults.mtu_probing = TCP_MTU_PROBING_ALWAYS;
}

static void establish(struct script *s, void (*adjust)(struct tcp_config *))
{
    script_begin(s, adjust);
    script_passive(s, OPTIONS);
}

static void acknowledge(struct script *s, uint32_t ack)
{
    char text[80];
    snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", ack);
    script_inject(s, text);
}

/* The path takes packets of up to `most` octets and loses the others silently; every segment that
 * arrives is acknowledged, SACKed when it is not the next. Lets `rounds` round trips of 10 ms pass.
 */
struct path {
    uint32_t most;
    uint32_t next, high; /* in order up to here; beyond it one range up to `high` */
    uint32_t low;
    uint32_t largest; /* packet that arrived */
};

static void deliver(struct script *s, struct path *p, uint32_t seq, uint32_t length)
{
    char text[120];
    uint32_t packet = length + 40;
    if (packet > p->most) {
        return;
    }
    p->largest = packet > p->largest ? packet : p->largest;
    if (seq <= p->next && seq + length > p->next) {
        p->next = seq + length;
        if (p->high && p->next >= p->low) {
            p->next = p->next > p->high ? p->next : p->high;
            p->high = 0;
        }
    } else if (seq > p->next) {
        p->low = p->high && p->low < seq ? p->low : seq;
        p->high = p->high > seq + length ? p->high : seq + length;
    }
    if (p->high) {
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000 <sack %u:%u>", p->next, p->low,
                 p->high);
        script_inject(s, text);
    } else {
        acknowledge(s, p->next);
    }
}

static void rounds(struct script *s, struct path *p, int n)
{
    struct {
        uint32_t seq, length;
    } flight[2048];
    for (int i = 0; i < n; i++) {
        struct tcp_info info = script_info(s);
        uint32_t room = info.snd_buffer_bytes - info.send_q_bytes;
        if (room > 30000) {
            script_send(s, room, 0);
        }
        unsigned count = 0;
        struct tcp_tx tx;
        while (tcp_flush(s->engine, s->now, &tx)) {
            struct tcp_hdr h;
            tcp_hdr_parse(tx.header, tx.header_len, &h);
            if (count < 2048 && tx.payload_len) {
                flight[count].seq = h.seq.v - s->local_iss;
                flight[count++].length = tx.payload_len;
            }
        }
        int64_t wait = 10;
        if (!count) { /* nothing but a timer goes on */
            ackd_time next = tcp_next_deadline(s->engine);
            wait = (next.ns - s->now.ns) / NS_PER_MS + 1;
        }
        script_advance_ms(s, wait);
        for (unsigned k = 0; k < count; k++) {
            deliver(s, p, flight[k].seq, flight[k].length);
        }
    }
}

/* Section 7.7: full segments vanish, so the connection goes on at the base size; the search then
 * finds what the path carries. */
static void a_black_hole_is_found_and_measured(void **state)
{
    (void)state;
    static const uint32_t paths[] = {1100, 1280, 1400, 1492};
    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct script s;
        establish(&s, plain);
        struct path p = {.most = paths[i], .next = 1};
        rounds(&s, &p, 60);
        assert_int_equal(script_counters(&s)->mtu_black_holes, 1);
        assert_true(script_counters(&s)->mtu_probes_acked > 0 || paths[i] < 1080);
        assert_in_range(script_info(&s).path_mtu_bytes, paths[i] - 16, paths[i]);
        assert_true(p.next > 100000);
        script_end(&s);
    }
}

/* The link would carry more than the peer takes: what vanishes is of the peer's size. */
static void a_black_hole_below_the_peers_mss(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, plain);
    s.mtu = 9000;
    script_passive(&s, OPTIONS);
    struct path p = {.most = 1280, .next = 1};
    rounds(&s, &p, 60);
    assert_int_equal(script_counters(&s)->mtu_black_holes, 1);
    assert_in_range(script_info(&s).path_mtu_bytes, 1264, 1280);
    assert_true(p.next > 100000);
    script_end(&s);
}

static void clamped(struct tcp_config *c)
{
    always(c);
    c->defaults.mss_clamp = 536;
}

/* A probe is no segment larger than the user allows. */
static void no_probe_is_above_the_clamp(void **state)
{
    (void)state;
    struct script s;
    establish(&s, clamped);
    struct path p = {.most = 1500, .next = 1};
    rounds(&s, &p, 20);
    assert_int_equal(p.largest, 576);
    assert_int_equal(script_counters(&s)->mtu_probes, 0);
    script_end(&s);
}

static void with_probing_off_it_stays_one(void **state)
{
    (void)state;
    struct script s;
    establish(&s, off);
    struct path p = {.most = 1400, .next = 1};
    rounds(&s, &p, 12);
    assert_int_equal(script_counters(&s)->mtu_black_holes, 0);
    assert_int_equal(script_info(&s).path_mtu_bytes, 1500);
    assert_int_equal(p.next, 1);
    script_end(&s);
}

/* An outage is no black hole: the first probe, as large as before, shows it. */
static void after_an_outage_the_old_size_is_back_at_once(void **state)
{
    (void)state;
    struct script s;
    establish(&s, plain);
    struct path p = {.most = 0, .next = 1};
    for (int n = 0; n < 10 && !script_counters(&s)->mtu_black_holes; n++) {
        rounds(&s, &p, 1);
    }
    assert_int_equal(script_info(&s).path_mtu_bytes, 1064);
    p.most = 1500;
    rounds(&s, &p, 10);
    assert_int_equal(script_info(&s).path_mtu_bytes, 1500);
    assert_int_equal(script_counters(&s)->mtu_probes, 1);
    script_end(&s);
}

static void always_begins_at_the_base(void **state)
{
    (void)state;
    struct script s;
    establish(&s, always);
    script_send(&s, 100, 0);
    script_expect(&s, "P. 1:101(100) ack 1");
    assert_int_equal(script_info(&s).path_mtu_bytes, 1064);
    acknowledge(&s, 101);
    struct path p = {.most = 1300, .next = 101};
    rounds(&s, &p, 40);
    assert_in_range(script_info(&s).path_mtu_bytes, 1284, 1300);
    assert_int_equal(script_counters(&s)->rto_timeouts, 0);
    script_end(&s);
}

/* Section 7.6.2: cwnd and ssthresh stay when the probe alone is lost. */
static void a_lost_probe_is_no_congestion(void **state)
{
    (void)state;
    struct script s;
    establish(&s, always);
    struct path p = {.most = 1300, .next = 1};
    for (int n = 0; n < 30 && !script_counters(&s)->mtu_probes_lost; n++) {
        rounds(&s, &p, 1);
    }
    assert_int_equal(script_counters(&s)->mtu_probes_lost, 1);
    assert_int_equal(script_counters(&s)->fast_recoveries, 0);
    assert_int_equal(script_info(&s).ssthresh_bytes, UINT32_MAX);
    script_end(&s);
}

/* RFC 1191 section 6.3: ten minutes later the path may have become wider. */
static void a_path_may_widen(void **state)
{
    (void)state;
    struct script s;
    for (int probing = 0; probing < 2; probing++) {
        establish(&s, probing ? plain : off);
        struct path p = {.most = 1500, .next = 1};
        script_send(&s, 5000, 0);
        script_expect(&s, ". 1:1461(1460) ack 1");
        script_discard(&s);
        struct tcp_icmp icmp = {.kind = TCP_ICMP_TOO_BIG,
                                .src = s.tuple.local,
                                .dst = s.tuple.remote,
                                .sport = s.tuple.local_port,
                                .dport = s.tuple.remote_port,
                                .seq = seq_of(s.local_iss + 1),
                                .mtu = 1300};
        tcp_icmp(s.engine, s.now, &icmp);
        assert_int_equal(script_info(&s).path_mtu_bytes, 1300);
        rounds(&s, &p, 10);
        assert_int_equal(script_info(&s).path_mtu_bytes, 1300);
        while (script_info(&s).send_q_bytes) { /* all arrives: two timeouts would be a black hole */
            script_discard(&s);
            p.next = script_info(&s).snd_nxt - s.local_iss;
            acknowledge(&s, p.next);
        }
        script_advance_ms(&s, 11 * 60000);
        script_discard(&s);
        rounds(&s, &p, 20);
        assert_int_equal(script_info(&s).path_mtu_bytes, 1500);
        assert_int_equal(script_counters(&s)->mtu_probes_acked, probing ? 1 : 0);
        script_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_black_hole_is_found_and_measured),
        cmocka_unit_test(a_black_hole_below_the_peers_mss),
        cmocka_unit_test(no_probe_is_above_the_clamp),
        cmocka_unit_test(with_probing_off_it_stays_one),
        cmocka_unit_test(after_an_outage_the_old_size_is_back_at_once),
        cmocka_unit_test(always_begins_at_the_base),
        cmocka_unit_test(a_lost_probe_is_no_congestion),
        cmocka_unit_test(a_path_may_widen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
