/* Buffers that follow the path: a peer that sends all that the window takes, once a round trip. */
#include <stdio.h>
#include "cmocka_all.h"
#include "script.h"

#define SEGMENT 1000u
#define RTT_MS 10

static void tuned(struct tcp_config *c)
{
    c->defaults.rcv_buffer = c->defaults.snd_buffer = 64 << 10;
    c->defaults.rcv_buffer_max = c->defaults.snd_buffer_max = 1 << 20;
}

static void fixed(struct tcp_config *c)
{
    tuned(c);
    c->defaults.rcv_buffer_max = c->defaults.snd_buffer_max = 0;
}

/* The peer's next segment; with timestamps it echoes what we sent `ago_ms` before. */
static uint32_t segment(struct script *s, uint32_t at, uint32_t tsecr)
{
    char text[120];
    int n = snprintf(text, sizeof text, ". %u:%u(%u) ack 1 win 500", at, at + SEGMENT, SEGMENT);
    if (s->timestamps) {
        snprintf(text + n, sizeof text - (size_t)n, " <nop,nop,TS val %u ecr %u>", ++s->peer_ts,
                 tsecr);
    }
    script_inject(s, text);
    script_discard(s);
    return at + SEGMENT;
}

/* `rounds` round trips in each of which a window's worth arrives, but no more than `most` octets,
 * and is read when `reads`. */
static void rounds(struct script *s, int rounds, uint32_t most, bool reads)
{
    struct tcp_info i = script_info(s);
    uint32_t at = i.rcv_nxt - i.irs;
    for (int n = 0; n < rounds; n++) {
        uint32_t window = script_info(s).rcv_wnd, tsecr = s->engine_ts;
        window = window > most ? most : window;
        script_advance_ms(s, RTT_MS);
        for (uint32_t sent = 0; sent + SEGMENT <= window; sent += SEGMENT) {
            at = segment(s, at, tsecr);
            if (reads) {
                script_read(s);
                script_discard(s);
            }
        }
    }
}

static uint32_t buffer_after(const char *options, void (*adjust)(struct tcp_config *),
                             uint32_t most, bool reads)
{
    struct script s;
    script_begin(&s, adjust);
    script_passive(&s, options);
    rounds(&s, 30, most, reads);
    struct tcp_info i = script_info(&s);
    assert_true(i.rcv_wnd <= i.rcv_buffer_bytes);
    script_end(&s);
    return i.rcv_buffer_bytes;
}

static const char *const handshakes[] = {"mss 1000,sackOK,nop,wscale 7",
                                         "mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7"};

static void a_fast_reader_gets_all(void **state)
{
    (void)state;
    for (int h = 0; h < 2; h++) {
        assert_int_equal(buffer_after(handshakes[h], tuned, UINT32_MAX, true), 1 << 20);
    }
}

static void no_reader_no_growth(void **state)
{
    (void)state;
    for (int h = 0; h < 2; h++) {
        assert_int_equal(buffer_after(handshakes[h], tuned, UINT32_MAX, false), 64 << 10);
    }
}

/* With timestamps; without them the time of a window says no more than that a round trip is not
 * longer. */
static void a_slow_sender_needs_none(void **state)
{
    (void)state;
    assert_int_equal(buffer_after(handshakes[1], tuned, 8 * SEGMENT, true), 64 << 10);
}

static void fixed_stays(void **state)
{
    (void)state;
    for (int h = 0; h < 2; h++) {
        assert_int_equal(buffer_after(handshakes[h], fixed, UINT32_MAX, true), 64 << 10);
    }
}

/* The receiver that sends nothing still learns the round trip. */
static void the_receiver_knows_the_round_trip(void **state)
{
    (void)state;
    for (int h = 0; h < 2; h++) {
        struct script s;
        script_begin(&s, tuned);
        script_passive(&s, handshakes[h]);
        assert_int_equal(script_info(&s).rcv_rtt_ns, -1);
        rounds(&s, 30, UINT32_MAX, true);
        assert_in_range(script_info(&s).rcv_rtt_ns, RTT_MS * NS_PER_MS / 2,
                        RTT_MS * NS_PER_MS * 3 / 2);
        script_end(&s);
    }
}

static void small(struct tcp_options *o)
{
    o->rcv_buffer = 16 << 10;
    o->rcv_buffer_max = 0;
}

static void a_size_that_is_set_holds(void **state)
{
    (void)state;
    struct script s;
    script_begin(&s, tuned);
    script_passive(&s, handshakes[0]);
    rounds(&s, 30, UINT32_MAX, true);
    script_tune(&s, small);
    assert_int_equal(script_info(&s).rcv_buffer_bytes, 16 << 10);
    rounds(&s, 30, UINT32_MAX, true);
    assert_int_equal(script_info(&s).rcv_buffer_bytes, 16 << 10);
    script_end(&s);
}

/* Writes and sends until there is no room and nothing more may go. */
static void fill(struct script *s)
{
    for (;;) {
        script_discard(s);
        int64_t room = tcp_send_room(s->engine, s->id);
        assert_true(room >= 0);
        if (room == 0) {
            return;
        }
        script_send(s, (uint32_t)room, 0);
    }
}

/* Two congestion windows, between the size and its maximum. */
static void the_send_buffer_follows_cwnd(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    script_begin(&s, tuned);
    script_passive(&s, "mss 1460,sackOK,nop,wscale 14");
    assert_int_equal(script_info(&s).snd_buffer_bytes, 64 << 10);
    for (int n = 0; n < 12; n++) {
        fill(&s);
        struct tcp_info i = script_info(&s);
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", i.snd_nxt - i.iss);
        script_advance_ms(&s, RTT_MS);
        script_inject(&s, text);
        i = script_info(&s);
        uint32_t twice = 2 * i.cwnd_bytes;
        uint32_t want = twice < 64 << 10 ? 64 << 10 : twice > 1 << 20 ? 1 << 20 : twice;
        assert_int_equal(i.snd_buffer_bytes, want);
    }
    assert_int_equal(script_info(&s).snd_buffer_bytes, 1 << 20);
    script_end(&s);
}

/* The first size or a quarter of cwnd, whichever is more; and the user hears of room as soon as
 * sending made some, not only when the peer acknowledged. */
static void what_waits_to_be_sent_is_bounded(void **state)
{
    (void)state;
    struct script s;
    char text[80];
    struct tcp_info i;
    script_begin(&s, tuned);
    script_passive(&s, "mss 1460,sackOK,nop,wscale 14");
    for (int n = 0; n < 4; n++) {
        fill(&s);
        i = script_info(&s);
        assert_true(i.send_q_bytes - (i.snd_nxt - i.snd_una) <= 64 << 10);
        snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", i.snd_nxt - i.iss);
        script_advance_ms(&s, RTT_MS);
        script_inject(&s, text);
    }
    fill(&s);
    i = script_info(&s);
    /* A quarter of cwnd is less yet, and two of cwnd would be more. */
    assert_int_equal(i.send_q_bytes - (i.snd_nxt - i.snd_una), 64 << 10);
    /* A little is acknowledged, which makes little room: what waits still waits. */
    uint32_t little = (i.snd_una - i.iss) + (i.snd_nxt - i.snd_una) / 5;
    snprintf(text, sizeof text, ". 1:1(0) ack %u win 60000", little);
    script_ready(&s);
    script_inject(&s, text);
    assert_false(script_ready(&s) & TCP_READY_WRITE);
    script_discard(&s);
    assert_true(script_ready(&s) & TCP_READY_WRITE);
    assert_true(tcp_send_room(s.engine, s.id) >= (64 << 10) / 3);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fast_reader_gets_all),
        cmocka_unit_test(no_reader_no_growth),
        cmocka_unit_test(a_slow_sender_needs_none),
        cmocka_unit_test(fixed_stays),
        cmocka_unit_test(the_receiver_knows_the_round_trip),
        cmocka_unit_test(a_size_that_is_set_holds),
        cmocka_unit_test(the_send_buffer_follows_cwnd),
        cmocka_unit_test(what_waits_to_be_sent_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
