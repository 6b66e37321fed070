/* Durations, sizes and clock times as people write and read them. */
#ifndef ACKCTL_UNITS_H
#define ACKCTL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT 32

/* Nanoseconds with three digits and the unit that fits: "0", "420ns", "1.05ms", "4.2s", "2min",
 * "3h5min", "2d4h". Returns text. */
char *duration_format(int64_t ns, char text[UNITS_TEXT]);

/* The form of ss's timers: "200ms", "1.200sec", "119min". */
char *timer_format(int64_t ns, char text[UNITS_TEXT]);

/* "0.000123": seconds with microseconds; negative values keep their sign. */
char *seconds_format(int64_t ns, char text[UNITS_TEXT]);

/* "5", "5s", "200ms", "1.5m", "2h", "10us", "7ns"; a number alone is seconds. False when it is none
 * of these or over 292 years. */
bool duration_parse(const char *text, int64_t *ns);

/* The same where a number alone means something else, 1000000 for milliseconds. */
bool duration_parse_as(const char *text, int64_t unit_ns, int64_t *ns);

/* "4096", "64k", "1M", "2G", also "64KiB" (powers of 1024). False when it is none or does not fit.
 */
bool size_parse(const char *text, uint64_t *bytes);

/* Digits only, at most `max`. */
bool number_parse(const char *text, uint64_t max, uint64_t *value);

#endif
