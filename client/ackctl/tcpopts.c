/* TCP options (RFC 9293 section 3.2 and IANA's registry): EOL and NOP are one byte, all others
 * kind, length, value. */
#include "tcpopts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct out {
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(o->text + o->used, TCPOPTS_TEXT - o->used, format, list);
    va_end(list);
    o->used += n < 0                                ? 0
               : (size_t)n < TCPOPTS_TEXT - o->used ? (size_t)n
                                                    : TCPOPTS_TEXT - o->used - 1;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_hex(struct out *o, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        put(o, "%02x", bytes[i]);
    }
}

static void put_sack(struct out *o, const uint8_t *value, size_t length, uint32_t base)
{
    put(o, "sack");
    for (size_t i = 0; i + 8 <= length; i += 8) {
        put(o, " %" PRIu32 ":%" PRIu32, be32(value + i) - base, be32(value + i + 4) - base);
    }
}

/* `value` and its length, without kind and length bytes. */
static void put_option(struct out *o, uint8_t kind, const uint8_t *value, size_t length,
                       uint32_t sack_base)
{
    if (kind == 2 && length == 2) {
        put(o, "mss %u", (unsigned)(value[0] << 8 | value[1]));
    } else if (kind == 3 && length == 1) {
        put(o, "wscale %u", value[0]);
    } else if (kind == 4 && length == 0) {
        put(o, "sackOK");
    } else if (kind == 5 && length % 8 == 0) {
        put_sack(o, value, length, sack_base);
    } else if (kind == 8 && length == 8) {
        put(o, "TS val %" PRIu32 " ecr %" PRIu32, be32(value), be32(value + 4));
    } else if (kind == 19 && length == 16) {
        put(o, "md5 ");
        put_hex(o, value, length);
    } else if (kind == 28 && length == 2) {
        unsigned bits = (unsigned)(value[0] << 8 | value[1]);
        put(o, "uto %u%s", bits & 0x7fff, bits & 0x8000 ? "min" : "s");
    } else if (kind == 34) {
        put(o, length ? "FO " : "FO");
        put_hex(o, value, length);
    } else {
        put(o, "opt-%u ", kind);
        put_hex(o, value, length);
    }
}

char *tcpopts_format(const uint8_t *bytes, size_t length, uint32_t sack_base,
                     char text[TCPOPTS_TEXT])
{
    struct out o = {text, 0};
    text[0] = 0;
    for (size_t i = 0; i < length;) {
        put(&o, "%s", i ? "," : "");
        if (bytes[i] == 0) {
            put(&o, "eol");
            break; /* the rest is padding */
        }
        if (bytes[i] == 1) {
            put(&o, "nop");
            i++;
            continue;
        }
        if (i + 1 >= length || bytes[i + 1] < 2 || bytes[i + 1] > length - i) {
            put(&o, "malformed ");
            put_hex(&o, bytes + i, length - i);
            break;
        }
        put_option(&o, bytes[i], bytes + i + 2, bytes[i + 1] - 2u, sack_base);
        i += bytes[i + 1];
    }
    return text;
}
