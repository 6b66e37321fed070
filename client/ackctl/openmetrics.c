/* OpenMetrics 1.0 (github.com/prometheus/OpenMetrics): a metric family is one block; counters end
 * in _total; a family with a UNIT ends in that unit, and units are base units, so that nanoseconds
 * become seconds. A name of three parts is a family with a label: tcp.drop.PAWS is
 * ackd_tcp_drop_total{reason="PAWS"}. */
#include "openmetrics.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY_TEXT 128

/* The family's name without _total, and where in `name` the label's value begins (NULL: no label).
 */
static const char *family(const struct ackd_counter *c, char text[FAMILY_TEXT])
{
    const char *first = strchr(c->name, '.');
    const char *label = first ? strchr(first + 1, '.') : NULL;
    size_t n = (size_t)snprintf(text, FAMILY_TEXT, "ackd_");
    for (const char *at = c->name; *at && at != label && n < FAMILY_TEXT - 16; at++) {
        text[n++] = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '_';
    }
    text[n] = 0;
    bool ns = strcmp(c->unit, "ns") == 0;
    const char *unit = ns ? "_seconds" : strcmp(c->unit, "bytes") == 0 ? "_bytes" : "";
    if (ns && n > 3 && strcmp(text + n - 3, "_ns") == 0) {
        text[n -= 3] = 0;
    }
    if (*unit && (n < strlen(unit) || strcmp(text + n - strlen(unit), unit) != 0)) {
        strcpy(text + n, unit);
    }
    return label ? label + 1 : NULL;
}

static int compare(const void *a, const void *b)
{
    const struct ackd_counter *left = *(const struct ackd_counter *const *)a,
                              *right = *(const struct ackd_counter *const *)b;
    char x[FAMILY_TEXT], y[FAMILY_TEXT];
    family(left, x);
    family(right, y);
    int order = strcmp(x, y);
    return order ? order : strcmp(left->name, right->name);
}

/* Backslash, newline and, in label values, quotes are escaped. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
        } else {
            fprintf(out, "%s%c", *text == '\\' || *text == '"' ? "\\" : "", *text);
        }
    }
}

static const char *label_name(const char *name)
{
    return strncmp(strchr(name, '.') + 1, "state.", 6) == 0 ? "state" : "reason";
}

static void print_head(FILE *out, const struct ackd_counter *c, const char *name, const char *label)
{
    fprintf(out, "# TYPE %s %s\n", name, c->gauge ? "gauge" : "counter");
    if (strcmp(c->unit, "ns") == 0 || strcmp(c->unit, "bytes") == 0) {
        fprintf(out, "# UNIT %s %s\n", name, strcmp(c->unit, "ns") == 0 ? "seconds" : "bytes");
    }
    fprintf(out, "# HELP %s ", name);
    if (label) {
        fprintf(out, "%.*s by %s, in %s", (int)(label - c->name - 1), c->name, label_name(c->name),
                *c->unit ? c->unit : "events");
    } else {
        put_escaped(out, c->meaning);
    }
    putc('\n', out);
}

static void print_sample(FILE *out, const struct ackd_counter *c, const char *name,
                         const char *label)
{
    fprintf(out, "%s%s", name, c->gauge ? "" : "_total");
    if (label) {
        fprintf(out, "{%s=\"", label_name(c->name));
        put_escaped(out, label);
        fputs("\"}", out);
    }
    if (strcmp(c->unit, "ns") == 0) {
        fprintf(out, " %" PRIu64 ".%09" PRIu64 "\n", c->value / 1000000000, c->value % 1000000000);
    } else {
        fprintf(out, " %" PRIu64 "\n", c->value);
    }
}

int openmetrics_print(FILE *out, const struct ackd_counters *counters)
{
    const struct ackd_counter **sorted = calloc(counters->count + 1, sizeof *sorted);
    char name[FAMILY_TEXT], previous[FAMILY_TEXT] = "";
    if (!sorted) {
        return -1;
    }
    for (size_t i = 0; i < counters->count; i++) {
        sorted[i] = &counters->counters[i];
    }
    qsort(sorted, counters->count, sizeof *sorted, compare);
    for (size_t i = 0; i < counters->count; i++) {
        const char *label = family(sorted[i], name);
        if (strcmp(name, previous) != 0) {
            print_head(out, sorted[i], name, label);
            strcpy(previous, name);
        }
        print_sample(out, sorted[i], name, label);
    }
    fputs("# EOF\n", out);
    free(sorted);
    return 0;
}
