/* proto/framing.c against itself: the cut of the input into pieces must not matter, and what is
 * encoded decodes to what it was. */
#include "../fuzz.h"

#include <string.h>
#include "proto/framing.h"

enum { MESSAGE_MAX = 1000 };

/* A digest of what comes out of a deframer that is fed in pieces of `piece` bytes; `settle`: whose
 * memory does not stay. */
static uint64_t digest(const uint8_t *data, size_t size, size_t piece, bool settle)
{
    struct grpc_deframer d;
    uint64_t h = 1469598103934665603u;
    grpc_deframer_init(&d, MESSAGE_MAX);
    for (size_t from = 0; from < size; from += piece) {
        size_t length = size - from < piece ? size - from : piece;
        const uint8_t *at = data + from;
        while (length > 0) {
            enum grpc_deframed what = grpc_deframe(&d, &at, &length);
            FUZZ_CHECK(d.capacity <= MESSAGE_MAX);
            if (what == GRPC_DEFRAMED_NOTHING) {
                FUZZ_CHECK(length == 0);
                continue;
            }
            h = (h ^ (uint64_t)what) * 1099511628211u;
            if (what != GRPC_DEFRAMED_MESSAGE) {
                grpc_deframer_free(&d);
                return h;
            }
            for (uint32_t i = 0; i < d.length; i++) {
                h = (h ^ d.message[i]) * 1099511628211u;
            }
            h = (h ^ d.length) * 1099511628211u;
        }
        FUZZ_CHECK(!settle || grpc_deframer_settle(&d));
    }
    h = (h ^ grpc_deframer_partial(&d)) * 1099511628211u;
    grpc_deframer_free(&d);
    return h;
}

static void check_codings(const uint8_t *data, size_t size)
{
    char *text = malloc(size * 3 + 1);
    uint8_t *back = malloc(size + 1);
    FUZZ_CHECK(text && back);
    size_t n = grpc_base64_encode(data, size, text);
    FUZZ_CHECK(n == GRPC_BASE64_SIZE(size));
    FUZZ_CHECK(grpc_base64_decode(text, n, back) == (ssize_t)size && memcmp(back, data, size) == 0);
    n = grpc_percent_encode((const char *)data, size, text, size * 3);
    FUZZ_CHECK(grpc_percent_decode(text, n, (char *)back) == size && memcmp(back, data, size) == 0);
    /* Any text at all may come to the decoders. */
    grpc_percent_decode((const char *)data, size, (char *)back);
    FUZZ_CHECK(grpc_base64_decode((const char *)data, size, back) <= (ssize_t)size);
    free(text);
    free(back);
}

static void check_timeout(const uint8_t *data, size_t size)
{
    int64_t ns, again;
    char text[GRPC_TIMEOUT_SIZE];
    if (grpc_timeout_parse((const char *)data, size, &ns)) {
        FUZZ_CHECK(ns >= 0);
        size_t n = grpc_timeout_format(ns, text);
        FUZZ_CHECK(n < GRPC_TIMEOUT_SIZE && text[n] == '\0');
        /* Never shorter, and at most one unit of eight digits longer. */
        FUZZ_CHECK(grpc_timeout_parse(text, n, &again) && again >= ns && again - ns <= ns / 100000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint64_t whole = digest(data + 1, size - 1, size, true);
    FUZZ_CHECK(whole == digest(data + 1, size - 1, 1, true));
    FUZZ_CHECK(whole == digest(data + 1, size - 1, (size_t)data[0] + 1, true));
    FUZZ_CHECK(whole == digest(data + 1, size - 1, (size_t)data[0] + 1, false));
    check_codings(data, size);
    check_timeout(data, size);
    return 0;
}
