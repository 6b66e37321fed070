/* Length-prefixed messages, timeouts, percent-encoding and base64 of gRPC: see framing.h. */
#include "proto/framing.h"

#include <stdlib.h>
#include <string.h>

void grpc_prefix_write(uint8_t out[GRPC_PREFIX_LENGTH], uint32_t length)
{
    out[0] = 0;
    out[1] = (uint8_t)(length >> 24);
    out[2] = (uint8_t)(length >> 16);
    out[3] = (uint8_t)(length >> 8);
    out[4] = (uint8_t)length;
}

void grpc_deframer_init(struct grpc_deframer *d, size_t max_message)
{
    *d = (struct grpc_deframer){.max_message = max_message};
}

void grpc_deframer_free(struct grpc_deframer *d)
{
    free(d->buffer);
    grpc_deframer_init(d, d->max_message);
}

uint8_t *grpc_deframer_take(struct grpc_deframer *d)
{
    uint8_t *buffer = d->message == d->buffer ? d->buffer : NULL;
    if (buffer) {
        d->buffer = NULL;
        d->capacity = 0;
    }
    return buffer;
}

size_t grpc_deframer_partial(const struct grpc_deframer *d)
{
    return d->message ? 0 : d->prefix_have + d->filled;
}

size_t grpc_deframer_expects(const struct grpc_deframer *d)
{
    return d->prefix_have == GRPC_PREFIX_LENGTH ? GRPC_PREFIX_LENGTH + (size_t)d->length : 0;
}

size_t grpc_deframer_lacks(const struct grpc_deframer *d)
{
    bool known = !d->message && d->prefix_have == GRPC_PREFIX_LENGTH;
    return known ? d->length - d->filled : 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Forgets the message that the last call handed out. Its buffer goes, too: idle streams should hold
 * none. */
static void next_message(struct grpc_deframer *d)
{
    if (d->message) {
        grpc_deframer_free(d);
    }
}

/* Moves bytes of the prefix over; true when it is complete. */
static bool take_prefix(struct grpc_deframer *d, const uint8_t **data, size_t *length)
{
    size_t n = smaller(GRPC_PREFIX_LENGTH - d->prefix_have, *length);
    if (n > 0) {
        memcpy(d->prefix + d->prefix_have, *data, n);
        d->prefix_have += (unsigned)n;
        *data += n;
        *length -= n;
    }
    if (d->prefix_have < GRPC_PREFIX_LENGTH) {
        return false;
    }
    d->length = (uint32_t)d->prefix[1] << 24 | (uint32_t)d->prefix[2] << 16 |
                (uint32_t)d->prefix[3] << 8 | d->prefix[4];
    return true;
}

/* Makes room for `more` bytes: doubling, so that the copies stay linear, and never above the
 * message's length. */
static bool grow(struct grpc_deframer *d, size_t more)
{
    size_t need = d->filled + more;
    if (need <= d->capacity) {
        return true;
    }
    size_t capacity = smaller(d->capacity * 2, d->length);
    capacity = capacity > need ? capacity : need;
    uint8_t *buffer = realloc(d->buffer, capacity); /* NOLINT: capacity >= need > 0 */
    if (!buffer) {
        return false;
    }
    d->buffer = buffer;
    d->capacity = capacity;
    return true;
}

bool grpc_deframer_settle(struct grpc_deframer *d)
{
    const uint8_t *view = d->view;
    size_t bytes = d->filled;
    if (!view || d->message) {
        return true;
    }
    d->view = NULL;
    d->filled = 0;
    if (!grow(d, bytes)) {
        return false;
    }
    memcpy(d->buffer, view, bytes); /* NOLINT: see grow() */
    d->filled = bytes;
    return true;
}

/* Behind what is there already, in the caller's data or in the buffer. */
static bool add(struct grpc_deframer *d, const uint8_t *data, size_t n)
{
    if (d->filled == 0 || (d->view && data == d->view + d->filled)) {
        d->view = d->filled ? d->view : data;
    } else {
        if (!grpc_deframer_settle(d) || !grow(d, n)) {
            return false;
        }
        memcpy(d->buffer + d->filled, data, n); /* NOLINT: see grow() */
    }
    d->filled += n;
    return true;
}

static enum grpc_deframed take_body(struct grpc_deframer *d, const uint8_t **data, size_t *length)
{
    size_t n = smaller(d->length - d->filled, *length);
    if (!add(d, *data, n)) {
        return GRPC_DEFRAMED_NO_MEMORY;
    }
    *data += n;
    *length -= n;
    if (d->filled < d->length) {
        return GRPC_DEFRAMED_NOTHING;
    }
    d->message = d->view ? d->view : d->buffer;
    return GRPC_DEFRAMED_MESSAGE;
}

enum grpc_deframed grpc_deframe(struct grpc_deframer *d, const uint8_t **data, size_t *length)
{
    next_message(d);
    if (*length == 0 || !take_prefix(d, data, length)) {
        return GRPC_DEFRAMED_NOTHING;
    }
    if (d->prefix[0] != 0) {
        return GRPC_DEFRAMED_COMPRESSED;
    }
    if (d->length > d->max_message) {
        return GRPC_DEFRAMED_TOO_LARGE;
    }
    if (*length == 0 && d->length > 0) {
        return GRPC_DEFRAMED_NOTHING;
    }
    return take_body(d, data, length);
}

/* Units in descending order; each is a divisor of the one before. */
static const struct {
    char letter;
    int64_t ns;
} units[] = {
    {'H', INT64_C(3600000000000)}, {'M', INT64_C(60000000000)}, {'S', INT64_C(1000000000)},
    {'m', INT64_C(1000000)},       {'u', INT64_C(1000)},        {'n', INT64_C(1)},
};
enum { UNITS = sizeof(units) / sizeof(units[0]), MAX_DIGITS = 8 };
#define MAX_VALUE INT64_C(99999999)

bool grpc_timeout_parse(const char *text, size_t length, int64_t *ns)
{
    if (length < 2 || length > MAX_DIGITS + 1) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    for (unsigned u = 0; u < UNITS; u++) {
        if (units[u].letter == text[length - 1]) {
            /* 99999999 hours are 11,400 years: more than 292 count as 292. */
            *ns = value > INT64_MAX / units[u].ns ? INT64_MAX : value * units[u].ns;
            return true;
        }
    }
    return false;
}

size_t grpc_timeout_format(int64_t ns, char out[GRPC_TIMEOUT_SIZE])
{
    unsigned u = UNITS - 1;
    int64_t value = ns < 0 ? 0 : ns;
    while (value > MAX_VALUE && u > 0) {
        u--;
        value = ns / units[u].ns + (ns % units[u].ns != 0);
    }
    char digits[MAX_DIGITS];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < n; i++) {
        out[i] = digits[n - 1 - i];
    }
    out[n] = units[u].letter;
    out[n + 1] = '\0';
    return n + 1;
}

size_t grpc_percent_encode(const char *text, size_t length, char *out, size_t capacity)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = c >= ' ' && c <= '~' && c != '%';
        if (capacity - n < (plain ? 1u : 3u)) {
            break;
        }
        if (plain) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    return n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t grpc_percent_decode(const char *text, size_t length, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%' && length - i > 2) {
            int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high >= 0 && low >= 0) {
                out[n++] = (char)(high << 4 | low);
                i += 2;
                continue;
            }
        }
        out[n++] = text[i];
    }
    return n;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t grpc_base64_encode(const uint8_t *data, size_t length, char *out)
{
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | data[i];
        for (have += 8; have >= 6; have -= 6) {
            out[n++] = alphabet[bits >> (have - 6) & 63];
        }
    }
    if (have > 0) {
        out[n++] = alphabet[bits << (6 - have) & 63];
    }
    return n;
}

ssize_t grpc_base64_decode(const char *text, size_t length, uint8_t *out)
{
    if (length > 0 && length % 4 == 0 && text[length - 1] == '=') {
        length--;
        if (length % 4 == 3 && text[length - 1] == '=') {
            length--;
        }
    }
    if (length % 4 == 1) {
        return -1;
    }
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < length; i++) {
        const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!at) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return (ssize_t)n;
}
