/* A daemon's bytes, each changed here and there: whatever comes of it, every call ends, with an
 * answer or a clean error, and nothing leaks or is read beyond its end (the sanitizers see to
 * that). A failing seed is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "client/lib/ackd.h"

/* What a daemon says to the first call: SETTINGS, HEADERS (:status 200, content-type), DATA,
 * trailers (grpc-status 0, grpc-message, grpc-status-details-bin). HPACK (RFC 7541): 0x88 is
 * :status 200, 0x00 begins a literal with a new name. */
#define FRAME(length, type, flags, stream) "\0\0" length type flags "\0\0\0" stream
#define HEADERS                                                                                    \
    "\x88\x0f\x10\x10"                                                                             \
    "application/grpc" /* static name 31 */
#define TRAILERS                                                                                   \
    "\0\x0b"                                                                                       \
    "grpc-status"                                                                                  \
    "\x01"                                                                                         \
    "0"                                                                                            \
    "\0\x0c"                                                                                       \
    "grpc-message"                                                                                 \
    "\x03"                                                                                         \
    "a%2"                                                                                          \
    "\0\x17"                                                                                       \
    "grpc-status-details-bin"                                                                      \
    "\x04"                                                                                         \
    "CAkK"
#define TEN "0123456789"

static const char version[] = FRAME("\0", "\4", "\0", "\0") FRAME("\x14", "\1", "\4", "\1")
    HEADERS FRAME("\x1c", "\0", "\0", "\1") "\0\0\0\0\x17"
                                            "\x0a\x0a" TEN "\x12\x07"
                                            "ackd.v1"
                                            "\x1a\0" FRAME("\x3f", "\1", "\5", "\1") TRAILERS;
/* StreamResponse: offset 0, data, end_of_stream, urgent_mark, accepted_until. */
static const char stream[] = FRAME("\0", "\4", "\0", "\0") FRAME("\x14", "\1", "\4", "\1")
    HEADERS FRAME("\x1a", "\0", "\0", "\1") "\0\0\0\0\x15"
                                            "\x08\0"
                                            "\x12\x0a" TEN "\x20\x05"
                                            "\x28\x80\x01"
                                            "\x30\x03" FRAME("\x07", "\0", "\0",
                                                             "\1") "\0\0\0\0\x02"
                                                                   "\x18\1";

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A connection whose daemon says `bytes`, with so many changes, and then hangs up. */
static struct ackd *connect_to(const char *bytes, size_t length, unsigned changes, uint32_t seed)
{
    char copy[512];
    int pair[2];
    uint32_t r = seed * 2654435761u + 1;
    assert_true(length <= sizeof copy);
    memcpy(copy, bytes, length);
    for (unsigned i = 0; i < changes; i++)
        copy[random_next(&r) % length] = (char)random_next(&r);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], copy, length), (ssize_t)length);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    struct ackd *a = ackd_connect_fd(pair[0], NULL);
    assert_non_null(a);
    /* The far end stays readable until the process ends or this side closes: the kernel keeps it
     * for us. */
    close(pair[1]);
    return a;
}

static int ask_version(unsigned changes, uint32_t seed)
{
    struct ackd *a = connect_to(version, sizeof version - 1, changes, seed);
    struct ackd_version v = {.version = ""};
    struct ackd_error err = {0};
    int r = ackd_daemon_version(a, &v, &err);
    if (r < 0 &&
        (err.grpc_code == ACKD_OK || !err.message[0] || err.grpc_code == ACKD_DEADLINE_EXCEEDED))
        fail_msg("seed %u: code %d \"%s\"", seed, err.grpc_code, err.message);
    if (changes == 0) {
        assert_int_equal(r, 0);
        assert_string_equal(v.version, TEN);
        assert_string_equal(v.schema, "ackd.v1");
    }
    ackd_disconnect(a);
    return r;
}

static int read_stream(unsigned changes, uint32_t seed)
{
    struct ackd *a = connect_to(stream, sizeof stream - 1, changes, seed);
    struct ackd_error err = {0};
    char buffer[64];
    ssize_t n = -1, all = 0;
    struct ackd_stream *s = ackd_stream_open(a, &(struct ackd_stream_request){.id = 1}, &err);
    while (s && (n = ackd_stream_read(s, buffer, sizeof buffer, 10000, &err)) > 0)
        all += n;
    if (n < 0 && (!err.message[0] || strcmp(err.errno_name, "EAGAIN") == 0))
        fail_msg("seed %u: code %d %s \"%s\"", seed, err.grpc_code, err.errno_name, err.message);
    if (changes == 0) {
        assert_int_equal(n, 0);
        assert_int_equal(all, 10);
        assert_memory_equal(buffer, TEN, 10);
    }
    ackd_stream_close(s);
    ackd_disconnect(a);
    return n < 0 ? -1 : 0;
}

static void test_unchanged(void **state)
{
    (void)state;
    ask_version(0, 1);
    read_stream(0, 1);
}

static void test_changed(void **state)
{
    (void)state;
    unsigned failed = 0, good = 0;
    for (uint32_t seed = 1; seed <= 1500; seed++) {
        unsigned changes = 1 + seed % 4;
        int r = ask_version(changes, seed), q = read_stream(changes, seed);
        failed += (r < 0) + (q < 0);
        good += (r == 0) + (q == 0);
    }
    assert_true(failed > 500 && good > 100); /* both kinds were seen */
}

/* Every beginning of it. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t n = 1; n < sizeof version - 1; n++) {
        struct ackd *a = connect_to(version, n, 0, 1);
        struct ackd_version v;
        struct ackd_error err;
        assert_int_equal(ackd_daemon_version(a, &v, &err), -1);
        assert_int_equal(err.grpc_code, ACKD_UNAVAILABLE);
        ackd_disconnect(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
