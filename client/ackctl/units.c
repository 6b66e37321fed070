/* Times and sizes in text. Machine output never passes through here: it carries plain numbers with
 * the unit in the field's name. */
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

/* Three significant digits, trailing zeros cut: 1.05, 42, 4.2. */
static void put_scaled(char text[UNITS_TEXT], int64_t ns, int64_t unit, const char *name)
{
    double value = (double)ns / (double)unit;
    int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
    int n = snprintf(text, UNITS_TEXT, "%.*f", decimals, value);
    if (decimals) {
        while (text[n - 1] == '0') {
            n--;
        }
        n -= text[n - 1] == '.';
    }
    snprintf(text + n, UNITS_TEXT - (size_t)n, "%s", name);
}

/* "3h5min": the greater unit, and the lesser when it is not zero. */
static void put_pair(char text[UNITS_TEXT], int64_t greater, const char *unit, int64_t lesser,
                     const char *unit2)
{
    if (lesser) {
        snprintf(text, UNITS_TEXT, "%" PRId64 "%s%" PRId64 "%s", greater, unit, lesser, unit2);
    } else {
        snprintf(text, UNITS_TEXT, "%" PRId64 "%s", greater, unit);
    }
}

char *duration_format(int64_t ns, char text[UNITS_TEXT])
{
    if (ns < 0) {
        char positive[UNITS_TEXT];
        snprintf(text, UNITS_TEXT, "-%.30s",
                 duration_format(ns == INT64_MIN ? INT64_MAX : -ns, positive));
    } else if (ns == 0) {
        snprintf(text, UNITS_TEXT, "0");
    } else if (ns < US) {
        snprintf(text, UNITS_TEXT, "%" PRId64 "ns", ns);
    } else if (ns < MS) {
        put_scaled(text, ns, US, "us");
    } else if (ns < S) {
        put_scaled(text, ns, MS, "ms");
    } else if (ns < 100 * S) {
        put_scaled(text, ns, S, "s");
    } else if (ns < 3600 * S) {
        put_pair(text, ns / (60 * S), "min", ns / S % 60, "s");
    } else if (ns < 86400 * S) {
        put_pair(text, ns / (3600 * S), "h", ns / (60 * S) % 60, "min");
    } else {
        put_pair(text, ns / (86400 * S), "d", ns / (3600 * S) % 24, "h");
    }
    return text;
}

char *timer_format(int64_t ns, char text[UNITS_TEXT])
{
    int64_t ms = ns > 0 ? ns / MS : 0;
    int64_t sec = ms / 1000, min = sec / 60;
    ms %= 1000;
    if (min >= 10) {
        snprintf(text, UNITS_TEXT, "%" PRId64 "min", min);
    } else if (min > 0) {
        snprintf(text, UNITS_TEXT, "%" PRId64 "min%" PRId64 "sec", min, sec % 60);
    } else if (sec > 0 && ms) {
        snprintf(text, UNITS_TEXT, "%" PRId64 ".%03" PRId64 "sec", sec, ms);
    } else if (sec > 0) {
        snprintf(text, UNITS_TEXT, "%" PRId64 "sec", sec);
    } else {
        snprintf(text, UNITS_TEXT, "%" PRId64 "ms", ms);
    }
    return text;
}

char *seconds_format(int64_t ns, char text[UNITS_TEXT])
{
    const char *sign = ns < 0 ? "-" : "";
    uint64_t value = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    snprintf(text, UNITS_TEXT, "%s%" PRIu64 ".%06" PRIu64, sign, value / (uint64_t)S,
             value % (uint64_t)S / (uint64_t)US);
    return text;
}

bool duration_parse_as(const char *text, int64_t unit_ns, int64_t *ns)
{
    const struct {
        const char *name;
        double unit;
    } units[] = {{"", (double)unit_ns}, {"s", 1e9},    {"sec", 1e9}, {"ms", 1e6},
                 {"us", 1e3},           {"ns", 1},     {"m", 60e9},  {"min", 60e9},
                 {"h", 3600e9},         {"d", 86400e9}};
    if (text[0] < '0' || text[0] > '9') { /* strtod takes "inf", "nan", signs and blanks */
        return false;
    }
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) == 0) {
            value *= units[i].unit;
            if (!(value < 9.2e18)) {
                return false;
            }
            *ns = (int64_t)(value + 0.5);
            return true;
        }
    }
    return false;
}

bool duration_parse(const char *text, int64_t *ns)
{
    return duration_parse_as(text, S, ns);
}

bool number_parse(const char *text, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || v > (max - digit) / 10 || digit > max) {
            return false;
        }
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

bool size_parse(const char *text, uint64_t *bytes)
{
    static const char letters[] = "KMGT";
    char digits[UNITS_TEXT];
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, n);
    digits[n] = 0;
    if (!number_parse(digits, UINT64_MAX, bytes)) {
        return false;
    }
    const char *unit = text + n;
    if (!*unit) {
        return true;
    }
    const char *letter = strchr(letters, *unit >= 'a' ? *unit - 32 : *unit);
    if (!letter || (unit[1] && strcasecmp(unit + 1, "b") != 0 && strcasecmp(unit + 1, "ib") != 0)) {
        return false;
    }
    unsigned shift = 10 * (unsigned)(letter - letters + 1);
    if (*bytes > UINT64_MAX >> shift) {
        return false;
    }
    *bytes <<= shift;
    return true;
}
