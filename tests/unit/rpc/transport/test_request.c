/* request.c: one valid request, and each thing that can be wrong with it. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "rpc/transport/internal.h"

static void add(struct request *r, const char *name, const char *value)
{
    request_header(r, (const uint8_t *)name, strlen(name), (const uint8_t *)value, strlen(value));
}

/* A valid request with the pair `name` and `value` instead of its own, or with it at the end. A
 * NULL value leaves it out. */
static struct request with(const char *name, const char *value)
{
    const char *pairs[][2] = {{":method", "POST"}, {":scheme", "http"},
                              {":path", "/a.B/C"}, {":authority", "localhost"},
                              {"te", "trailers"},  {"content-type", "application/grpc"}};
    struct request r;
    bool found = false;
    request_init(&r);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        bool same = strcmp(pairs[i][0], name) == 0;
        const char *text = same ? value : pairs[i][1];
        found |= same;
        if (text) {
            add(&r, pairs[i][0], text);
        }
    }
    if (!found && value) {
        add(&r, name, value);
    }
    request_end(&r);
    return r;
}

static bool good(struct request r)
{
    return r.fault == REQUEST_OK && !r.bad_method && !r.bad_type && !r.bad_encoding &&
           !r.bad_timeout;
}

static void test_good(void **state)
{
    static const char *const authorities[] = {
        "localhost", "/run/ackd/control.sock", "%2Frun%2Fackd%2Fcontrol.sock", "",
        NULL,        "run/ackd.sock:80"};
    static const char *const types[] = {"application/grpc", "application/grpc+proto",
                                        "application/grpc; charset=utf-8",
                                        "application/grpc+proto;x"};
    (void)state;
    for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]); i++) {
        assert_true(good(with(":authority", authorities[i])));
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_true(good(with("content-type", types[i])));
    }
    assert_true(good(with("te", NULL)));
    assert_true(good(with(":scheme", "https")));
    assert_true(good(with("grpc-encoding", "identity")));
    assert_true(good(with("user-agent", "x")));
    struct request r = with("grpc-timeout", "3S");
    assert_true(good(r));
    assert_int_equal(r.timeout_ns, 3 * NS_PER_S);
    assert_string_equal(r.path, "/a.B/C");
    assert_int_equal(with("te", NULL).timeout_ns, -1);
}

static void test_malformed(void **state)
{
    static const char *const cases[][2] = {
        {":method", NULL},
        {":scheme", NULL},
        {":path", NULL},
        {":path", ""},
        {":scheme", "ftp"},
        {":status", "200"},
        {":protocol", "x"},
        {"te", "gzip"},
        {"connection", "close"},
        {"upgrade", "h2c"},
        {"keep-alive", "1"},
        {"transfer-encoding", "chunked"},
        {"proxy-connection", "x"},
        {"User-Agent", "x"},
        {"x y", "1"},
        {"", "1"},
        {"x", "a\nb"},
        {":authority", "a\r"},
        {"x", "a\x01"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(with(cases[i][0], cases[i][1]).fault, REQUEST_MALFORMED);
    }
}

/* Pseudo-headers: each once, and before all others. */
static void test_order_and_number(void **state)
{
    static const char *const once[][2] = {
        {":method", "POST"}, {":scheme", "http"}, {":path", "/a"}, {":authority", "a"}};
    static const char *const twice[][2] = {{"content-type", "application/grpc"},
                                           {"grpc-timeout", "1S"},
                                           {"grpc-encoding", "identity"}};
    struct request r;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        request_init(&r);
        add(&r, once[i][0], once[i][1]);
        assert_int_equal(r.fault, REQUEST_OK);
        add(&r, once[i][0], once[i][1]);
        assert_int_equal(r.fault, REQUEST_MALFORMED);
        request_init(&r);
        add(&r, "te", "trailers");
        add(&r, once[i][0], once[i][1]);
        assert_int_equal(r.fault, REQUEST_MALFORMED);
    }
    for (size_t i = 0; i < 3; i++) {
        request_init(&r);
        add(&r, twice[i][0], twice[i][1]);
        assert_int_equal(r.fault, REQUEST_OK);
        add(&r, twice[i][0], twice[i][1]);
        assert_int_equal(r.fault, REQUEST_MALFORMED);
    }
}

static void test_no_grpc(void **state)
{
    (void)state;
    assert_true(with(":method", "GET").bad_method);
    assert_true(with("content-type", NULL).bad_type);
    assert_true(with("content-type", "application/json").bad_type);
    assert_true(with("content-type", "application/grpc-web").bad_type);
    assert_true(with("content-type", "application/grpc+json").bad_type);
    assert_true(with("grpc-encoding", "gzip").bad_encoding);
    assert_true(with("grpc-timeout", "1s").bad_timeout);
}

static void test_size(void **state)
{
    struct request r;
    char value[1000];
    (void)state;
    memset(value, 'v', sizeof(value));
    request_init(&r);
    for (unsigned i = 0; i < 15; i++) {
        request_header(&r, (const uint8_t *)"x", 1, (const uint8_t *)value, sizeof(value));
    }
    assert_int_equal(r.fault, REQUEST_OK);
    request_header(&r, (const uint8_t *)"x", 1, (const uint8_t *)value, sizeof(value));
    assert_int_equal(r.fault, REQUEST_TOO_LARGE);
    /* Many small ones count, too. */
    request_init(&r);
    for (unsigned i = 0; i < 481; i++) {
        add(&r, "x", "y");
    }
    assert_int_equal(r.fault, REQUEST_OK);
    add(&r, "x", "y");
    assert_int_equal(r.fault, REQUEST_TOO_LARGE);
}

static void test_long_path(void **state)
{
    char path[2000];
    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    struct request r = with(":path", path);
    assert_int_equal(r.fault, REQUEST_OK);
    assert_int_equal(strlen(r.path), PATH_MAX_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_order_and_number),
        cmocka_unit_test(test_no_grpc),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
