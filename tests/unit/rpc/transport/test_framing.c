/* proto/framing.c: the prefix in every cut, timeouts, percent-encoding, base64. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "proto/framing.h"

/* Three messages of 0, 3 and 300 bytes, fed in pieces of every size. */
static void test_every_cut(void **state)
{
    static const uint32_t lengths[] = {0, 3, 300};
    uint8_t wire[3 * GRPC_PREFIX_LENGTH + 303] = {0};
    size_t at = 0;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        grpc_prefix_write(wire + at, lengths[i]);
        at += GRPC_PREFIX_LENGTH;
        memset(wire + at, (int)i + 1, lengths[i]);
        at += lengths[i];
    }
    for (size_t piece = 1; piece <= at; piece++) {
        struct grpc_deframer d;
        unsigned found = 0;
        grpc_deframer_init(&d, 300);
        for (size_t from = 0; from < at; from += piece) {
            size_t length = at - from < piece ? at - from : piece;
            /* exactly as large as the piece, so that reading beyond it shows */
            uint8_t *copy = malloc(length);
            const uint8_t *data = copy;
            assert_non_null(copy);
            memcpy(copy, wire + from, length);
            while (length > 0) {
                enum grpc_deframed what = grpc_deframe(&d, &data, &length);
                if (what == GRPC_DEFRAMED_MESSAGE) {
                    assert_true(found < 3);
                    assert_int_equal(d.length, lengths[found % 3]);
                    for (uint32_t i = 0; i < d.length; i++) {
                        assert_int_equal(d.message[i], found + 1);
                    }
                    assert_int_equal(grpc_deframer_partial(&d), 0);
                    found++;
                } else {
                    assert_int_equal(what, GRPC_DEFRAMED_NOTHING);
                    assert_int_equal(length, 0);
                }
            }
            assert_true(grpc_deframer_settle(&d));
            free(copy);
        }
        assert_int_equal(found, 3);
        grpc_deframer_free(&d);
    }
}

static void test_refused(void **state)
{
    static const uint8_t compressed[] = {1, 0, 0, 0, 0}, large[] = {0, 0, 0, 1, 1, 7};
    struct grpc_deframer d;
    const uint8_t *data = compressed;
    size_t length = sizeof(compressed);
    (void)state;
    grpc_deframer_init(&d, 256);
    assert_int_equal(grpc_deframe(&d, &data, &length), GRPC_DEFRAMED_COMPRESSED);
    grpc_deframer_free(&d);
    data = large;
    length = sizeof(large);
    assert_int_equal(grpc_deframe(&d, &data, &length), GRPC_DEFRAMED_TOO_LARGE);
    assert_int_equal(d.length, 257);
    grpc_deframer_free(&d);
}

/* A prefix alone allocates nothing; memory follows the bytes, not the promise. */
static void test_memory_follows_the_bytes(void **state)
{
    struct grpc_deframer d;
    uint8_t bytes[1000] = {0};
    const uint8_t *data = bytes;
    size_t length = GRPC_PREFIX_LENGTH;
    (void)state;
    grpc_deframer_init(&d, SIZE_MAX);
    grpc_prefix_write(bytes, UINT32_MAX);
    assert_int_equal(grpc_deframe(&d, &data, &length), GRPC_DEFRAMED_NOTHING);
    assert_int_equal(d.capacity, 0);
    assert_int_equal(grpc_deframer_expects(&d), (size_t)UINT32_MAX + GRPC_PREFIX_LENGTH);
    data = bytes;
    length = sizeof(bytes);
    assert_int_equal(grpc_deframe(&d, &data, &length), GRPC_DEFRAMED_NOTHING);
    assert_int_equal(d.capacity, 0);
    assert_true(grpc_deframer_settle(&d));
    assert_int_equal(d.capacity, sizeof(bytes));
    assert_int_equal(grpc_deframer_partial(&d), sizeof(bytes) + GRPC_PREFIX_LENGTH);
    grpc_deframer_free(&d);
}

/* Pieces that adjoin are one, and nothing is copied; the next that does not, or whoever settles,
 * makes a copy of what came before. */
static void test_pieces_that_adjoin(void **state)
{
    enum { LENGTH = 100 };
    uint8_t wire[GRPC_PREFIX_LENGTH + LENGTH], apart[LENGTH];
    struct grpc_deframer d;
    (void)state;
    grpc_prefix_write(wire, LENGTH);
    memset(wire + GRPC_PREFIX_LENGTH, 7, LENGTH);
    memset(apart, 7, LENGTH);
    for (size_t cut = 0; cut <= LENGTH; cut++) { /* bytes that come from elsewhere */
        const uint8_t *data = wire;
        size_t rest = LENGTH - cut, half = GRPC_PREFIX_LENGTH + rest / 2;
        size_t length = half;
        grpc_deframer_init(&d, LENGTH);
        assert_int_equal(grpc_deframe(&d, &data, &length), GRPC_DEFRAMED_NOTHING);
        assert_int_equal(grpc_deframer_lacks(&d), LENGTH - rest / 2);
        length = GRPC_PREFIX_LENGTH + rest - half;
        enum grpc_deframed what = grpc_deframe(&d, &data, &length);
        if (cut > 0) {
            assert_int_equal(what, GRPC_DEFRAMED_NOTHING);
            data = apart;
            length = cut;
            what = grpc_deframe(&d, &data, &length);
        }
        assert_int_equal(what, GRPC_DEFRAMED_MESSAGE);
        assert_int_equal(grpc_deframer_lacks(&d), 0);
        assert_int_equal(d.length, LENGTH);
        assert_memory_equal(d.message, apart, LENGTH);
        uint8_t *taken = grpc_deframer_take(&d);
        assert_int_equal(taken != NULL, cut > 0 && rest > 0);
        if (cut == 0) {
            assert_ptr_equal(d.message, wire + GRPC_PREFIX_LENGTH);
        }
        free(taken);
        grpc_deframer_free(&d);
    }
}

static void check_timeout(const char *text, int64_t ns)
{
    int64_t parsed = -1;
    assert_true(grpc_timeout_parse(text, strlen(text), &parsed));
    assert_int_equal(parsed, ns);
}

static void test_timeout(void **state)
{
    static const char *const wrong[] = {"",   "1",   "S",    "123456789S",  "-1S",
                                        "1s", "1 S", "1.5S", "99999999999n"};
    int64_t ns;
    (void)state;
    check_timeout("0n", 0);
    check_timeout("7n", 7);
    check_timeout("7u", 7000);
    check_timeout("7m", 7000000);
    check_timeout("7S", 7000000000);
    check_timeout("7M", 420000000000);
    check_timeout("7H", 25200000000000);
    check_timeout("99999999H", INT64_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(grpc_timeout_parse(wrong[i], strlen(wrong[i]), &ns));
    }
}

static void check_format(int64_t ns, const char *text)
{
    char out[GRPC_TIMEOUT_SIZE];
    assert_int_equal(grpc_timeout_format(ns, out), strlen(text));
    assert_string_equal(out, text);
}

static void test_timeout_format(void **state)
{
    (void)state;
    check_format(0, "0n");
    check_format(-5, "0n");
    check_format(99999999, "99999999n");
    check_format(100000000, "100000u");
    check_format(100000001, "100001u"); /* never sooner than asked for */
    check_format(INT64_C(5000000000), "5000000u");
    check_format(INT64_MAX, "2562048H");
}

static void test_percent(void **state)
{
    static const char text[] = "a b~%\xc3\xa9\n\x7f", wire[] = "a b~%25%C3%A9%0A%7F";
    char out[64];
    (void)state;
    size_t n = grpc_percent_encode(text, strlen(text), out, sizeof(out));
    assert_int_equal(n, strlen(wire));
    assert_memory_equal(out, wire, n);
    n = grpc_percent_decode(wire, strlen(wire), out);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(out, text, n);
    /* Cut between characters, never inside one. */
    assert_int_equal(grpc_percent_encode("a%", 2, out, 3), 1);
    /* What is no code stays. */
    n = grpc_percent_decode("%4%zz%", 6, out);
    assert_int_equal(n, 6);
    assert_memory_equal(out, "%4%zz%", 6);
}

/* RFC 4648 section 10, without padding. */
static void test_base64(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {
        "Z", "Zm9vY", "Zg=", "Z===", "Zm9v====", "Zm 9", "Zg==Zg=="};
    char out[32];
    uint8_t back[32];
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *plain = vectors[i][0], *text = vectors[i][1];
        size_t n = grpc_base64_encode((const uint8_t *)plain, strlen(plain), out);
        assert_int_equal(n, strlen(text));
        assert_int_equal(n, GRPC_BASE64_SIZE(strlen(plain)));
        assert_memory_equal(out, text, n);
        assert_int_equal(grpc_base64_decode(text, n, back), strlen(plain));
        assert_memory_equal(back, plain, strlen(plain));
    }
    assert_int_equal(grpc_base64_decode("Zg==", 4, back), 1);
    assert_int_equal(grpc_base64_decode("Zm8=", 4, back), 2);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(grpc_base64_decode(wrong[i], strlen(wrong[i]), back), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory_follows_the_bytes),
        cmocka_unit_test(test_pieces_that_adjoin),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_timeout_format),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
