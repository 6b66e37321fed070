/* Addresses and their text. RFC 4291 2.2 says what may be written, RFC 5952 section 4 which of the
 * spellings we write: lower case, no leading zeros, "::" for the longest run of two and more zero
 * groups, the first of equals. */
#include "wire/addr.h"

#include "wire/bytes.h"

#define V4_AT 12 /* where the IPv4 address lies in its mapped form */

bool ip_addr_is_unspecified(const struct ip_addr *a)
{
    return ip_addr_is_none(a) || (ip_addr_is_v4(a) && get32(a->b + V4_AT) == 0);
}

bool ip_addr_is_multicast(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) ? (a->b[V4_AT] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool ip_addr_is_limited_broadcast(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) && get32(a->b + V4_AT) == 0xffffffff;
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
    static const struct ip_addr one = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return ip_addr_is_v4(a) ? a->b[V4_AT] == 127 : ip_addr_equal(a, &one);
}

bool ip_addr_is_link_local(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) ? get16(a->b + V4_AT) == 0xa9fe : (get16(a->b) & 0xffc0) == 0xfe80;
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
    bool v4 = ip_addr_is_v4(&p->addr);
    if (v4 != ip_addr_is_v4(a)) {
        return false;
    }
    unsigned bits = p->length + (v4 ? 8 * V4_AT : 0);
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(p->addr.b, a->b, whole) == 0 &&
           (rest == 0 || (p->addr.b[whole] ^ a->b[whole]) >> (8 - rest) == 0);
}

bool ip_prefix_broadcast(const struct ip_prefix *p, struct ip_addr *out)
{
    if (!ip_addr_is_v4(&p->addr) || p->length >= 31) {
        return false;
    }
    *out = p->addr;
    put32(out->b + V4_AT, get32(p->addr.b + V4_AT) | 0xffffffff >> p->length);
    return true;
}

/* The groups [*from, *to) that "::" stands for; empty when no run has two. */
static void longest_zeros(const uint8_t b[16], unsigned *from, unsigned *to)
{
    *from = *to = 8;
    for (unsigned i = 0; i < 8;) {
        unsigned end = i;
        while (end < 8 && get16(b + 2 * end) == 0) {
            end++;
        }
        if (end - i >= 2 && end - i > *to - *from) {
            *from = i;
            *to = end;
        }
        i = end + 1;
    }
}

/* A listing writes two addresses a row; snprintf() would be a third of its cost. */
static char *put_decimal(char *p, unsigned n)
{
    if (n >= 100) {
        *p++ = (char)('0' + n / 100);
    }
    if (n >= 10) {
        *p++ = (char)('0' + n / 10 % 10);
    }
    *p++ = (char)('0' + n % 10);
    return p;
}

static char *put_hex(char *p, unsigned n)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned shift = n >= 0x1000  ? 12
                          : n >= 0x100 ? 8
                          : n >= 0x10  ? 4
                                       : 0;
         shift; shift -= 4) {
        *p++ = digits[n >> shift & 15];
    }
    *p++ = digits[n & 15];
    return p;
}

static void format_v4(const uint8_t b[4], char *p)
{
    for (unsigned i = 0; i < 4; i++) {
        p = put_decimal(p, b[i]);
        *p++ = i < 3 ? '.' : '\0';
    }
}

static void format_v6(const uint8_t b[16], char *p)
{
    unsigned from, to;
    longest_zeros(b, &from, &to);
    for (unsigned i = 0; i < 8; i++) {
        if (i == from) {
            *p++ = ':';
            *p++ = ':';
            i = to;
            if (i == 8) {
                break;
            }
        } else if (i > 0) {
            *p++ = ':';
        }
        p = put_hex(p, get16(b + 2 * i));
    }
    *p = '\0';
}

char *ip_addr_format(const struct ip_addr *a, char text[IP_ADDR_TEXT])
{
    if (ip_addr_is_v4(a)) {
        format_v4(a->b + V4_AT, text);
    } else {
        format_v6(a->b, text);
    }
    return text;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A decimal number of at most `max`, without leading zeros (they mean octal to some). Returns what
 * follows, NULL when there is none. */
static const char *parse_decimal(const char *text, unsigned max, unsigned *out)
{
    unsigned n = 0;
    const char *p = text;
    while (*p >= '0' && *p <= '9' && n <= max) {
        n = n * 10 + (unsigned)(*p++ - '0');
    }
    if (p == text || n > max || (*text == '0' && p - text > 1)) {
        return NULL;
    }
    *out = n;
    return p;
}

/* Exactly four numbers to the end of the text. */
static bool parse_v4(const char *text, uint8_t out[4])
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned n;
        text = parse_decimal(text, 255, &n);
        if (text == NULL || *text != (i < 3 ? '.' : '\0')) {
            return false;
        }
        text++;
        out[i] = (uint8_t)n;
    }
    return true;
}

/* One to four hexadecimal digits. Returns what follows, NULL when there are none or more. */
static const char *parse_group(const char *text, uint8_t out[2])
{
    unsigned n = 0, count = 0;
    for (; digit(*text) >= 0; text++) {
        n = n << 4 | (unsigned)digit(*text);
        if (++count > 4) {
            return NULL;
        }
    }
    put16(out, (uint16_t)n);
    return count > 0 ? text : NULL;
}

static bool parse_v6(const char *text, uint8_t out[16])
{
    uint8_t b[16] = {0};
    unsigned n = 0;    /* bytes read */
    unsigned gap = 17; /* where "::" stands; 17: nowhere */
    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text != '\0') {
        uint8_t group[2];
        const char *next = n < 16 ? parse_group(text, group) : NULL;
        if (next == NULL) {
            return false;
        }
        if (*next == '.') { /* the last 32 bits in dots */
            if (n > 12 || !parse_v4(text, b + n)) {
                return false;
            }
            n += 4;
            break;
        }
        memcpy(b + n, group, 2);
        n += 2;
        text = next;
        if (*text == ':' && text[1] == ':' && gap == 17) {
            gap = n;
            text += 2;
        } else if (*text == ':' && text[1] != '\0') {
            text++;
        } else if (*text != '\0') {
            return false;
        }
    }
    if (gap == 17 ? n != 16 : n > 14) { /* "::" stands for one group at least */
        return false;
    }
    if (gap == 17) {
        gap = n;
    }
    memset(out, 0, 16);
    memcpy(out, b, gap);
    memcpy(out + 16 - (n - gap), b + gap, n - gap);
    return true;
}

bool ip_addr_parse(const char *text, struct ip_addr *out)
{
    struct ip_addr a;
    uint8_t v4[4];
    if (parse_v4(text, v4)) {
        a = ip_addr_from_v4(v4);
    } else if (!parse_v6(text, a.b)) {
        return false;
    }
    *out = a;
    return true;
}

bool ip_prefix_parse(const char *text, struct ip_prefix *out)
{
    char addr[IP_ADDR_TEXT];
    size_t n = strcspn(text, "/");
    struct ip_prefix p;
    if (n >= sizeof addr) {
        return false;
    }
    memcpy(addr, text, n);
    addr[n] = '\0';
    if (!ip_addr_parse(addr, &p.addr)) {
        return false;
    }
    unsigned bits = ip_addr_is_v4(&p.addr) ? 32 : 128;
    if (text[n] == '/') {
        const char *end = parse_decimal(text + n + 1, bits, &bits);
        if (end == NULL || *end != '\0') {
            return false;
        }
    }
    p.length = (uint8_t)bits;
    *out = p;
    return true;
}
