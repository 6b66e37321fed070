/* SACK blocks as they come: true, duplicate (RFC 2883), and false. */
#include "recovery_tests.h"

/* RFC 2883 section 4: below the ACK, or inside the second block. */
static void duplicates_are_no_sacks(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 2001 <sack 1:1001>");
    assert_int_equal(script_info(&s).dsacks, 1);
    assert_int_equal(script_info(&s).sacked_bytes, 0);
    script_inject(&s, ". 1:1(0) ack 2001 <sack 4001:5001 3001:6001>");
    assert_int_equal(script_info(&s).dsacks, 2);
    assert_int_equal(script_info(&s).sacked_bytes, 3000);
    script_end(&s);
}

/* RFC 6675 section 5: "any ACK", also one that later ones overtook; it moves nothing else. */
static void an_overtaken_ack_tells_of_sacks(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 4001");
    uint32_t window = script_info(&s).snd_wnd;
    script_inject(&s, ". 1:1(0) ack 3001 win 5 <sack 6001:9001>");
    script_expect(&s, ". 4001:5001(1000) ack 1"); /* three are SACKed above it */
    assert_int_equal(script_info(&s).sacked_bytes, 3000);
    assert_int_equal(script_info(&s).snd_una - script_info(&s).iss, 4001);
    assert_int_equal(script_info(&s).snd_wnd, window);
    assert_int_equal(script_info(&s).dup_acks, 0);
    script_end(&s);
}

/* An ACK below SND.UNA that reports SND.UNA as held: whoever sent it never sent the newer one. It
 * would otherwise be taken for reneging, and answered with a retransmission, as often as it comes.
 */
static void an_older_ack_cannot_know_more(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 4161");
    for (unsigned n = 0; n < 5; n++) {
        script_inject(&s, ". 1:1(0) ack 4001 <sack 4161:10001>");
        script_quiet(&s);
        script_advance_ms(&s, 30); /* less than the retransmission timer */
        script_quiet(&s);
    }
    assert_int_equal(script_info(&s).sacked_bytes, 0);
    assert_int_equal(script_counters(&s)->sack_rejected, 5);
    script_end(&s);
}

/* What was never sent, or longer ago than a window, is no duplicate of anything. */
static void false_duplicates_are_rejected(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    script_inject(&s, ". 1:1(0) ack 10001 <sack 4294900001:4294901001>");
    script_inject(&s, ". 1:1(0) ack 10001 <sack 1001:1001>");
    assert_int_equal(script_info(&s).dsacks, 0);
    assert_int_equal(script_counters(&s)->dsack_received, 0);
    assert_int_equal(script_counters(&s)->sack_rejected, 2);
    script_end(&s);
}

/* CVE-2019-11477, 11478: single octets make no long list. */
static void single_octets_are_bounded(void **state)
{
    (void)state;
    ESTABLISHED(s, SACK);
    flight(&s, 10);
    char text[120];
    for (unsigned n = 0; n < 1200; n++) {
        unsigned at = 1002 + 6 * n;
        snprintf(text, sizeof text, ". 1:1(0) ack 1 <sack %u:%u %u:%u %u:%u>", at, at + 1, at + 2,
                 at + 3, at + 4, at + 5);
        script_inject(&s, text);
        script_discard(&s);
    }
    assert_in_range(script_info(&s).rtx_runs, 20, 200);
    assert_true(script_counters(&s)->rtx_run_limit > 1000);
    script_inject(&s, ". 1:1(0) ack 10001");
    assert_int_equal(script_info(&s).send_q_bytes, 0);
    script_end(&s);
}

/* CVE-2019-11479: a segment has at least 48 octets less the options. */
static void the_smallest_mss(void **state)
{
    (void)state;
    ESTABLISHED(s, "mss 8,sackOK");
    assert_true(script_info(&s).snd_mss_bytes >= 48);
    script_end(&s);
}

int sack_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overtaken_ack_tells_of_sacks),
        cmocka_unit_test(an_older_ack_cannot_know_more),
        cmocka_unit_test(duplicates_are_no_sacks),
        cmocka_unit_test(false_duplicates_are_rejected),
        cmocka_unit_test(single_octets_are_bounded),
        cmocka_unit_test(the_smallest_mss),
    };
    return cmocka_run_group_tests_name("sack", tests, NULL, NULL);
}
