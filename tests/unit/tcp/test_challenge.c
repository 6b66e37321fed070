/* RFC 5961, section by section, and the limit of its ACKs. */
#include "cmocka_all.h"
#include "script.h"

#define FLOOD 40

static void established(struct script *s)
{
    script_begin(s, NULL);
    script_passive(s, "mss 1460");
}

static void only_a_reset_at_rcv_nxt_counts(void **state) /* section 3.2 */
{
    (void)state;
    struct script s;
    established(&s);
    script_inject(&s, "R 0:0(0)"); /* outside */
    script_inject(&s, "R 4000000:4000000(0)");
    script_quiet(&s);
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_RST_OUT_OF_WINDOW], 2);
    script_inject(&s, "R 2:2(0)"); /* inside */
    script_expect(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_RST_CHALLENGED], 1);
    script_inject(&s, "R. 60000:60000(0) ack 1");
    script_expect(&s, ". 1:1(0) ack 1");
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_inject(&s, "R 1:1(0)"); /* what a real peer answers to the challenge */
    assert_int_equal(script_state(&s), TCP_CLOSED);
    script_end(&s);
}

static void a_syn_is_challenged_wherever_it_lies(void **state) /* section 4.2 */
{
    (void)state;
    struct script s;
    established(&s);
    static const char *const syns[] = {"S 0:0(0)", "S 1:1(0)", "S 500:500(0)",
                                       "S 9000000:9000000(0)", "S. 1:1(0) ack 1"};
    for (size_t i = 0; i < sizeof syns / sizeof syns[0]; i++) {
        script_inject(&s, syns[i]);
        script_expect(&s, ". 1:1(0) ack 1");
    }
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_SYN_CHALLENGED], 5);
    assert_int_equal(script_state(&s), TCP_ESTABLISHED);
    script_end(&s);
}

static void an_ack_must_be_of_this_window(void **state) /* section 5.2 */
{
    (void)state;
    struct script s;
    established(&s);
    script_send(&s, 1000, 0);
    script_expect(&s, "P. 1:1001(1000) ack 1");
    script_inject(&s, ". 1:1(0) ack 1001 win 1000");
    script_inject(&s, "P. 1:11(10) ack 1002 win 1000");
    script_expect(&s, ". 1001:1001(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_UNSENT], 1);
    script_inject(&s, "P. 1:11(10) ack 0 win 1000"); /* before the first that was sent */
    script_expect(&s, ". 1001:1001(0) ack 1");
    assert_int_equal(script_counters(&s)->drops[TCP_DROP_ACK_TOO_OLD], 1);
    assert_int_equal(script_info(&s).recv_q_bytes, 0); /* its text neither */
    script_inject(&s, "P. 1:11(10) ack 1 win 1000");   /* old, but possible */
    script_expect(&s, ". 1001:1001(0) ack 11");
    assert_int_equal(script_read(&s), 10);
    script_end(&s);
}

/* Answers to so many resets in the window now. */
static unsigned answers(struct script *s)
{
    uint64_t before = script_counters(s)->challenge_acks;
    for (int i = 0; i < FLOOD; i++) {
        script_inject(s, "R 5:5(0)");
        script_discard(s);
    }
    return (unsigned)(script_counters(s)->challenge_acks - before);
}

static void the_limit_is_the_connections_own_and_varies(void **state) /* section 7, CVE-2016-5696 */
{
    (void)state;
    struct script s;
    unsigned seen[11] = {0};
    script_begin(&s, NULL);
    script_listen(&s, 64);
    for (unsigned n = 0; n < 60; n++) {
        s.tuple.remote_port = (uint16_t)(PEER_PORT + n);
        s.id = 0;
        script_inject(&s, "S 0:0(0) win 65535 <mss 1000>");
        script_expect(&s, "S. 0:0(0) ack 1");
        script_inject(&s, ". 1:1(0) ack 1");
        script_discard(&s);
        unsigned got = answers(&s); /* however many the others have had in this second */
        assert_in_range(got, 6, 10);
        seen[got]++;
        assert_int_equal(answers(&s), 0);
    }
    for (unsigned got = 6; got <= 10; got++) {
        assert_in_range(seen[got], 3, 25); /* of 60, 12 on average */
    }
    script_end(&s);
}

static void the_limit_is_renewed_at_no_fixed_time(void **state)
{
    (void)state;
    struct script s;
    unsigned early = 0, renewals = 0;
    established(&s);
    for (int n = 0; n < 40; n++) {
        assert_in_range(answers(&s), 6, 10);
        script_advance_ms(&s, 870);
        assert_int_equal(answers(&s), 0); /* less than a second, but for the tick */
        for (int ms = 870; ms < 2000; ms += 65) {
            script_advance_ms(&s, 65);
            uint64_t before = script_counters(&s)->challenge_acks;
            script_inject(&s, "R 5:5(0)");
            script_discard(&s);
            if (script_counters(&s)->challenge_acks > before) {
                early += ms < 1435;
                renewals++;
                break;
            }
        }
        script_advance_ms(&s, 3000);
    }
    assert_int_equal(renewals, 40);
    assert_in_range(early, 8, 32);
    script_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_reset_at_rcv_nxt_counts),
        cmocka_unit_test(a_syn_is_challenged_wherever_it_lies),
        cmocka_unit_test(an_ack_must_be_of_this_window),
        cmocka_unit_test(the_limit_is_the_connections_own_and_varies),
        cmocka_unit_test(the_limit_is_renewed_at_no_fixed_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
