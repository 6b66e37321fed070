/* The TCP header and its options: layout bit by bit, every malformed length, Linux's order and
 * padding, and what was built parses. */
#include "hex.h"
#include "wire/tcp.h"

#include <stdio.h>

static struct tcp_opts options_of(const char *text)
{
    struct bytes o = hex(text);
    struct bytes whole = {malloc(TCP_HEADER_MIN + o.n), TCP_HEADER_MIN + o.n};
    struct tcp_hdr hdr = {.header_len = (uint8_t)whole.n};
    struct tcp_opts opts;
    memset(whole.at, 0, TCP_HEADER_MIN);
    memcpy(whole.at + TCP_HEADER_MIN, o.at, o.n);
    tcp_opts_parse(whole.at, &hdr, &opts);
    assert_int_equal(opts.raw_len, o.n);
    assert_ptr_equal(opts.raw, whole.at + TCP_HEADER_MIN);
    free_bytes(o);
    free_bytes(whole);
    return opts; /* its pointers are dead */
}

static void fixed_header(void **state)
{
    (void)state;
    struct bytes b = hex("c000 0050 01020304 a1a2a3a4 5b52 8001 abcd 0007");
    struct tcp_hdr h;
    assert_true(tcp_hdr_parse(b.at, b.n, &h));
    assert_int_equal(h.sport, 49152);
    assert_int_equal(h.dport, 80);
    assert_int_equal(h.seq.v, 0x01020304);
    assert_int_equal(h.ack.v, 0xa1a2a3a4);
    assert_int_equal(h.header_len, 20);
    assert_int_equal(h.reserved, 5);
    assert_int_equal(h.flags, TCP_AE | TCP_ECE | TCP_ACK | TCP_SYN);
    assert_int_equal(h.window, 0x8001);
    assert_int_equal(h.checksum, 0xabcd);
    assert_int_equal(h.urgent, 7);
    free_bytes(b);
}

static void every_header_builds_again(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3, 1);
    for (int i = 0; i < 20000; i++) {
        uint8_t data[60], built[20];
        struct tcp_hdr h;
        fill_random(&rng, data, sizeof data);
        if (tcp_hdr_parse(data, sizeof data, &h)) {
            tcp_hdr_build(built, &h);
            assert_memory_equal(built, data, 20);
        } else {
            assert_true(data[12] >> 4 < 5);
            assert_int_equal(h.header_len, (data[12] >> 4) * 4);
        }
    }
}

static void malformed_lengths(void **state)
{
    (void)state;
    struct tcp_hdr h;
    for (size_t n = 0; n <= 60; n++) {
        for (unsigned words = 0; words < 16; words++) {
            uint8_t data[60] = {0};
            data[12] = (uint8_t)(words << 4);
            struct bytes b = copy_of(data, n);
            bool ok = n >= 20 && words >= 5 && words * 4 <= n;
            assert_int_equal(tcp_hdr_parse(b.at, b.n, &h), ok);
            assert_int_equal(h.header_len, n > 12 ? words * 4 : 0);
            free_bytes(b);
        }
    }
}

static void reads_each_option(void **state)
{
    (void)state;
    struct tcp_opts o = options_of("020405b4 0402 080a 01020304 a1a2a3a4 01 030307");
    assert_true(o.has_mss && o.sack_permitted && o.has_timestamps && o.has_wscale && !o.malformed);
    assert_int_equal(o.mss, 1460);
    assert_int_equal(o.tsval, 0x01020304);
    assert_int_equal(o.tsecr, 0xa1a2a3a4);
    assert_int_equal(o.wscale, 7);
    o = options_of("0101 0512 00000001 00000002 fffffff0 00000003 1c04 8005 0000");
    assert_int_equal(o.n_sack, 2);
    assert_int_equal(o.sack[1].start.v, 0xfffffff0);
    assert_int_equal(o.sack[1].end.v, 3);
    assert_true(o.has_user_timeout && o.user_timeout == 0x8005);
    o = options_of(
        "0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 0101");
    assert_int_equal(o.n_sack, 4);
    assert_int_equal(o.sack[3].end.v, 8);
    o = options_of("22060102030401 01");
    assert_true(o.has_fast_open && o.fast_open_len == 4);
    o = options_of("2202 0101");
    assert_true(o.has_fast_open && o.fast_open_len == 0 && !o.fast_open_experimental);
    o = options_of("fe08 f989 01020304");
    assert_true(o.has_fast_open && o.fast_open_len == 4 && o.fast_open_experimental);
    o = options_of("fe08 f988 01020304");
    assert_false(o.has_fast_open);
}

static void any_offset_any_order(void **state)
{
    (void)state;
    struct tcp_opts o = options_of("01 020405b4 01 030301 080a 00000001 00000002 0402");
    assert_true(o.has_mss && o.mss == 1460 && o.has_wscale && o.has_timestamps && o.tsecr == 2 &&
                o.sack_permitted);
}

static void steps_over_unknown_kinds(void **state)
{
    (void)state;
    struct tcp_opts o =
        options_of("fd06 aabbccdd 4102 1312 000102030405060708090a0b0c0d0e0f 020405b4 1d04 0102");
    assert_true(!o.malformed && o.has_mss && o.mss == 1460);
}

static void the_first_of_two_counts(void **state)
{
    (void)state;
    struct tcp_opts o = options_of("020405b4 02040001 030302 030309 1c040001 1c040002 0101");
    assert_int_equal(o.mss, 1460);
    assert_int_equal(o.wscale, 2);
    assert_int_equal(o.user_timeout, 1);
    o = options_of("050a 00000001 00000002 050a 00000003 00000004");
    assert_true(o.n_sack == 1 && o.sack[0].start.v == 1);
    o = options_of("080a 0000000100000002 080a 0000000300000004");
    assert_int_equal(o.tsval, 1);
}

static void end_of_list_ends_it(void **state)
{
    (void)state;
    struct tcp_opts o = options_of("00 020405b4 000000");
    assert_true(!o.has_mss && !o.malformed);
}

static void illegal_lengths_end_the_parse(void **state)
{
    (void)state;
    static const char *const bad[] = {
        /* behind a good MSS, and before a window scale that must not count */
        "0200 03030701",
        "0201 03030701",
        "0203 05 030307",
        "0205 05b400 030307",
        "0302 01030307",
        "0304 0700 030307 01",
        "0403 00 030307",
        "0401 01 030307",
        "0809 00000001000000 030307",
        "080b 000000010000000200 030307",
        "0502 01 030307",
        "0509 0000000000 0000 030307",
        "050b 000000000000000000 030307",
        "1c03 00 030307",
        "1c05 000000 030307",
        "fd00 030307",
        "fd01 030307",
        "fdff 030307"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[80];
        snprintf(text, sizeof text, "020405b4 %s", bad[i]);
        struct tcp_opts o = options_of(text);
        if (!o.malformed || o.has_wscale || !o.has_mss || o.mss != 1460) {
            fail_msg("not stopped by: %s", bad[i]);
        }
    }
    struct tcp_opts o = options_of("01010102"); /* a kind as the last byte */
    assert_true(o.malformed && !o.has_mss);
    o = options_of("01010204");
    assert_true(o.malformed && !o.has_mss);
    o = options_of("2203 01 030307 01"); /* RFC 7413 4.1.1: ignore, don't stop */
    assert_true(!o.malformed && !o.has_fast_open && o.has_wscale);
}

static void builds(const struct tcp_opts *opts, const char *expected)
{
    uint8_t built[40];
    struct bytes e = hex(expected);
    memset(built, 0xee, sizeof built);
    assert_int_equal(tcp_opts_build(built, opts), e.n);
    assert_memory_equal(built, e.at, e.n);
    free_bytes(e);
}

static void linux_layout_of_a_syn(void **state)
{
    (void)state;
    struct tcp_opts o = {.has_mss = true, .mss = 1460, .has_wscale = true, .wscale = 7};
    builds(&o, "020405b4 01 030307");
    o.sack_permitted = true;
    builds(&o, "020405b4 0101 0402 01 030307");
    o.has_timestamps = true;
    o.tsval = 0x01020304;
    o.tsecr = 5;
    builds(&o, "020405b4 0402 080a 01020304 00000005 01 030307");
    o.sack_permitted = false;
    builds(&o, "020405b4 0101 080a 01020304 00000005 01 030307");
    o.has_wscale = o.has_timestamps = false;
    builds(&o, "020405b4");
    static const uint8_t cookie[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    o.has_fast_open = true;
    o.fast_open = cookie;
    o.fast_open_len = 8;
    builds(&o, "020405b4 220a 0102030405060708 0101");
    o.fast_open_len = 0;
    builds(&o, "020405b4 2202 0101");
    o.fast_open_experimental = true; /* RFC 7413 section 7.1 */
    builds(&o, "020405b4 fe04 f989");
    o.fast_open_len = 8;
    builds(&o, "020405b4 fe0c f989 0102030405060708");
}

static void linux_layout_of_the_rest(void **state)
{
    (void)state;
    struct tcp_opts o = {0};
    builds(&o, "");
    o = (struct tcp_opts){.has_timestamps = true, .tsval = 1, .tsecr = 2};
    builds(&o, "0101 080a 00000001 00000002");
    for (unsigned i = 0; i < 4; i++) {
        o.sack[i] = (struct tcp_sack_block){seq_of(16 * i + 1), seq_of(16 * i + 2)};
    }
    o.n_sack = 1;
    builds(&o, "0101 080a 00000001 00000002 0101 050a 00000001 00000002");
    o.n_sack = 4;
    builds(&o, "0101 080a 00000001 00000002 0101 051a 00000001 00000002 00000011 00000012 00000021 "
               "00000022");
    o.has_user_timeout = true;
    o.user_timeout = 0x8005;
    builds(&o,
           "0101 080a 00000001 00000002 0101 0512 00000001 00000002 00000011 00000012 1c04 8005");
    o.has_timestamps = false;
    builds(&o, "0101 0522 00000001 00000002 00000011 00000012 00000021 00000022 00000031 00000032 "
               "1c04 8005");
}

/* MUST-69: nothing stands behind the last option but zeros: the list ends there. */
static void what_is_left_is_zero(void **state)
{
    (void)state;
    static const uint8_t zero[40];
    uint8_t bytes[40];
    const struct tcp_opts o = {.has_mss = true, .mss = 1460, .has_user_timeout = true};
    memset(bytes, 0xff, sizeof bytes);
    uint8_t length = tcp_opts_build(bytes, &o);
    assert_in_range(length, 8, sizeof bytes - 1);
    assert_memory_equal(bytes + length, zero, sizeof bytes - length);
}

/* As Linux pads it; beside a SYN's options it stands where Linux has it, before SACK elsewhere, and
 * loses the fields that find no room. */
static void where_accecn_stands(void **state)
{
    (void)state;
    struct tcp_opts o = {.has_accecn = true, .accecn_fields = 1, .accecn = {0x010203}};
    builds(&o, "ac05 010203 010101");
    o = (struct tcp_opts){.has_accecn = true,
                          .accecn_fields = 3,
                          .accecn_order1 = true,
                          .accecn = {1, 0, 1},
                          .has_mss = true,
                          .mss = 1460,
                          .sack_permitted = true,
                          .has_wscale = true,
                          .wscale = 8};
    builds(&o, "020405b4 ae0b 000001 000000 000001 01 01010402 01030308");
    o = (struct tcp_opts){.has_accecn = true,
                          .accecn_fields = 3,
                          .accecn = {1, 2, 3},
                          .has_timestamps = true,
                          .n_sack = 2};
    builds(&o, "0101080a 0000000000000000 ac08 000001 000002 "
               "01010512 00000000 00000000 00000000 00000000");
}

static void what_finds_no_room_is_left_out(void **state)
{
    (void)state;
    static const uint8_t cookie[16] = {1};
    struct tcp_opts o = {.has_mss = true,
                         .mss = 1,
                         .has_wscale = true,
                         .sack_permitted = true,
                         .has_timestamps = true,
                         .has_fast_open = true,
                         .fast_open = cookie,
                         .fast_open_len = 16,
                         .has_user_timeout = true};
    builds(
        &o,
        "02040001 0402 080a 0000000000000000 01 030300 2212 01000000000000000000000000000000 0101");
    o.fast_open_len = 30;
    builds(&o, "02040001 0402 080a 0000000000000000 01 030300 1c04 0000");
}

/* MUST-68: every option has its length. */
static void what_was_built_parses(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 8, 8);
    for (int i = 0; i < 20000; i++) {
        uint32_t r = rng_u32(&rng);
        struct tcp_opts o = {.has_mss = r & 1,
                             .has_wscale = r & 2,
                             .sack_permitted = r & 4,
                             .has_timestamps = r & 8};
        o.mss = o.has_mss ? (uint16_t)rng_u32(&rng) : 0;
        o.wscale = o.has_wscale ? (uint8_t)rng_u32(&rng) : 0;
        o.tsval = o.has_timestamps ? rng_u32(&rng) : 0;
        o.tsecr = o.has_timestamps ? rng_u32(&rng) : 0;
        o.n_sack = (uint8_t)(r >> 4 & 3);
        for (unsigned k = 0; k < o.n_sack; k++) {
            o.sack[k] = (struct tcp_sack_block){seq_of(rng_u32(&rng)), seq_of(rng_u32(&rng))};
        }
        uint8_t built[60] = {0};
        struct tcp_hdr h = {.header_len = (uint8_t)(20 + tcp_opts_build(built + 20, &o))};
        struct tcp_opts again;
        tcp_opts_parse(built, &h, &again);
        assert_true(!again.malformed && again.has_mss == o.has_mss &&
                    again.has_wscale == o.has_wscale);
        assert_true(again.sack_permitted == o.sack_permitted &&
                    again.has_timestamps == o.has_timestamps);
        assert_true(again.mss == o.mss && again.wscale == o.wscale && again.tsval == o.tsval &&
                    again.tsecr == o.tsecr);
        assert_true(again.n_sack <= o.n_sack &&
                    (again.n_sack == o.n_sack || h.header_len > 60 - 8));
        assert_memory_equal(again.sack, o.sack, again.n_sack * sizeof o.sack[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_header),
        cmocka_unit_test(every_header_builds_again),
        cmocka_unit_test(malformed_lengths),
        cmocka_unit_test(reads_each_option),
        cmocka_unit_test(any_offset_any_order),
        cmocka_unit_test(steps_over_unknown_kinds),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(end_of_list_ends_it),
        cmocka_unit_test(illegal_lengths_end_the_parse),
        cmocka_unit_test(linux_layout_of_a_syn),
        cmocka_unit_test(linux_layout_of_the_rest),
        cmocka_unit_test(what_is_left_is_zero),
        cmocka_unit_test(where_accecn_stands),
        cmocka_unit_test(what_finds_no_room_is_left_out),
        cmocka_unit_test(what_was_built_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
