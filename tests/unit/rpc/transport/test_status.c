/* status.c: what of an error becomes which header. The whole way to a client is in test_call.c. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "google/rpc/status.pb-c.h"
#include "rpc/transport/internal.h"

static void test_ok_is_one_header(void **state)
{
    struct status status = {0};
    nghttp2_nv nv[STATUS_HEADERS];
    char number[3];
    (void)state;
    assert_int_equal(status_headers(&status, number, nv), 1);
    assert_memory_equal(nv[0].name, "grpc-status", nv[0].namelen);
    assert_int_equal(nv[0].valuelen, 1);
    assert_memory_equal(nv[0].value, "0", 1);
}

static void test_code_of_two_digits_and_no_details(void **state)
{
    struct status status = {0};
    nghttp2_nv nv[STATUS_HEADERS];
    char number[3];
    (void)state;
    status_set(&status, &(struct grpc_error){GRPC_UNAUTHENTICATED, NULL, NULL, "x"});
    assert_int_equal(status_headers(&status, number, nv), 2);
    assert_int_equal(nv[0].valuelen, 2);
    assert_memory_equal(nv[0].value, "16", 2);
    assert_memory_equal(nv[1].name, "grpc-message", nv[1].namelen);
    status_free(&status);
}

/* A sentence that repeats the client's words does not grow the headers beyond what clients take. */
static void test_long_sentence_is_cut(void **state)
{
    struct status status = {0};
    char *sentence = malloc(100001);
    nghttp2_nv nv[STATUS_HEADERS];
    char number[3];
    size_t sum = 0;
    (void)state;
    assert_non_null(sentence);
    memset(sentence, '\n', 100000);
    sentence[100000] = '\0';
    status_set(&status, &(struct grpc_error){GRPC_INTERNAL, "EIO", "R", sentence});
    free(sentence);
    size_t n = status_headers(&status, number, nv);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        sum += nv[i].namelen + nv[i].valuelen + 32;
    }
    assert_true(sum < 8192);
    assert_int_equal(status.message_length, SENTENCE_MAX * 3);
    status_free(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ok_is_one_header),
        cmocka_unit_test(test_code_of_two_digits_and_no_details),
        cmocka_unit_test(test_long_sentence_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
