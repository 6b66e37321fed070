/* Every block by its bytes (draft-ietf-opsawg-pcapng section 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "observe/observe.h"

static uint32_t word(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static void header(void **state)
{
    (void)state;
    uint8_t out[PCAPNG_HEADER_MAX];
    size_t n = pcapng_header(out, "ackd", "tap:ackd0", 262144);
    assert_true(n <= sizeof out);
    assert_int_equal(word(out), 0x0a0d0d0a);
    assert_int_equal(word(out + 8), 0x1a2b3c4d);
    assert_int_equal(word(out + 12), 1); /* version 1.0 */
    size_t first = word(out + 4);
    assert_int_equal(word(out + first - 4), first);
    assert_int_equal(word(out + first), 1);
    assert_int_equal(word(out + first + 8), 1); /* Ethernet */
    assert_int_equal(word(out + first + 12), 262144);
    size_t second = first + word(out + first + 4);
    assert_int_equal(word(out + second), 1);
    assert_int_equal(word(out + second + 8), 1);
    assert_int_equal(word(out + second + 12), 262144); /* libpcap wants both alike */
    assert_int_equal(second + word(out + second + 4), n);
    assert_non_null(memmem(out, n, "tap:ackd0", 9));
    assert_non_null(memmem(out + first, second - first, "\x09\x00\x01\x00\x09\x00\x00\x00",
                           8)); /* nanoseconds */
}

static void packet(void **state)
{
    (void)state;
    uint8_t data[101], out[101 + PCAPNG_PACKET_OVERHEAD];
    memset(data, 0x5a, sizeof data);
    struct observe_record r = {.interface = OBSERVE_LINK,
                               .direction = TCP_OUT,
                               .length = 1000,
                               .kept = 101,
                               .data = data,
                               .known = true,
                               .id = 7};
    r.event = (struct tcp_event){.id = 7,
                                 .state = TCP_ESTABLISHED,
                                 .direction = TCP_OUT,
                                 .send_kind = TCP_KIND_RETRANSMIT_RTO,
                                 .cwnd = 14480,
                                 .in_flight = 2896};
    int64_t wall = INT64_C(0x0102030405060708);
    size_t n = pcapng_packet(out, &r, wall, 65536);
    assert_int_equal(word(out), 6);
    assert_int_equal(word(out + 4), n);
    assert_int_equal(word(out + n - 4), n);
    assert_int_equal(word(out + 8), 0);
    assert_int_equal(word(out + 12), 0x01020304);
    assert_int_equal(word(out + 16), 0x05060708);
    assert_int_equal(word(out + 20), 101);
    assert_int_equal(word(out + 24), 1000);
    assert_int_equal(out[28 + 100], 0x5a);
    assert_int_equal(out[28 + 101], 0); /* padding */
    assert_int_equal(word(out + 28 + 104), 0x00040002);
    assert_int_equal(word(out + 28 + 108), 2); /* outbound */
    static const char comment[] = "conn 7 ESTABLISHED, RETRANSMIT_RTO, cwnd 14480, in flight 2896";
    assert_non_null(memmem(out, n, comment, sizeof comment - 1));
    pcapng_packet(out, &r, wall, 64); /* cut */
    assert_int_equal(word(out + 20), 64);
    assert_int_equal(word(out + 24), 1000);
    r.direction = r.event.direction = TCP_IN;
    r.event.send_kind = TCP_KIND_NONE;
    r.event.drop = TCP_DROP_PAWS;
    n = pcapng_packet(out, &r, wall, 64);
    assert_non_null(memmem(out, n, "dropped, PAWS: its timestamp", 28));
    r.known = false;
    r.id = 0;
    size_t bare = pcapng_packet(out, &r, wall, 64);
    assert_int_equal(bare, 28 + 64 + 8 + 4 + 4); /* no comment */
}

static void longest_comment_fits(void **state)
{
    (void)state;
    uint8_t data[64] = {0}, out[64 + PCAPNG_PACKET_OVERHEAD];
    struct observe_record r = {.kept = 64, .length = 64, .data = data, .known = true};
    for (unsigned drop = 0; drop < TCP_DROPS; drop++) {
        for (unsigned rst = 0; rst < TCP_RST_SENTS; rst++) {
            r.event = (struct tcp_event){.id = UINT64_MAX,
                                         .state = TCP_SYN_RECEIVED,
                                         .direction = TCP_OUT,
                                         .send_kind = TCP_KIND_LIMITED_TRANSMIT,
                                         .drop = (enum tcp_drop)drop,
                                         .rst_reason = (enum tcp_rst_sent)rst,
                                         .cwnd = UINT32_MAX,
                                         .in_flight = UINT32_MAX};
            assert_true(pcapng_packet(out, &r, INT64_MAX, 64) <= sizeof out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header),
        cmocka_unit_test(packet),
        cmocka_unit_test(longest_comment_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
