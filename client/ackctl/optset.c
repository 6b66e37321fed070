/* One table of options: its names are those of the schema's Options message, with or without the
 * unit at their end. A duration may have another unit in its place (keepalive_idle_s); the unit of
 * the name is that of a number without one, as in keepalive_idle_ms=500, and without either it is
 * seconds. */
#include "optset.h"

#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include "states.h"
#include "units.h"

enum kind { SWITCH, NUMBER, SIZE, MS, RATE, WORD };

static const struct row {
    const char *name, *unit, *doc;
    enum kind kind;
    size_t value, has;
    uint64_t max; /* WORD: enum ackd_enum */
} rows[] = {
#define ROW(name, unit, kind, max, doc)                                                            \
    {                                                                                              \
#name, unit, doc, kind, offsetof(struct ackd_options, name),                               \
            offsetof(struct ackd_options, has_##name), max                                         \
    }
    ROW(rcv_buffer_bytes, "_bytes", SIZE, UINT32_MAX, "size of the receive buffer; alone: fixed"),
    ROW(snd_buffer_bytes, "_bytes", SIZE, UINT32_MAX, "size of the send buffer; alone: fixed"),
    ROW(rcv_buffer_max_bytes, "_bytes", SIZE, UINT32_MAX, "what tuning may enlarge it to"),
    ROW(snd_buffer_max_bytes, "_bytes", SIZE, UINT32_MAX, "what tuning may enlarge it to"),
    ROW(mss_clamp_bytes, "_bytes", SIZE, 65535,
        "never advertise or use a larger MSS; 0: no clamp (at open)"),
    ROW(nodelay, "", SWITCH, 1, "no Nagle: small segments go at once"),
    ROW(sack, "", SWITCH, 1, "offer SACK (at open)"),
    ROW(timestamps, "", SWITCH, 1, "offer timestamps (at open)"),
    ROW(window_scaling, "", SWITCH, 1, "offer window scaling (at open)"),
    ROW(keepalive, "", SWITCH, 1, "probe an idle peer"),
    ROW(keepalive_idle_ms, "_ms", MS, UINT32_MAX, "idle time before the first probe"),
    ROW(keepalive_interval_ms, "_ms", MS, UINT32_MAX, "time between probes"),
    ROW(keepalive_count, "", NUMBER, UINT32_MAX,
        "probes without an answer that end the connection"),
    ROW(user_timeout_ms, "_ms", MS, UINT32_MAX,
        "how long data may stay unacknowledged; 0: RFC 9293's R2"),
    ROW(syn_timeout_ms, "_ms", MS, 3600000, "how long a SYN is repeated, where user_timeout is 0"),
    ROW(r1_timeouts, "", NUMBER, UINT32_MAX, "timeouts in a row that are told (RFC 9293's R1)"),
    ROW(orphan_timeout_ms, "_ms", MS, UINT32_MAX,
        "how long a closed window holds what nobody holds; 0: for ever"),
    ROW(rto_initial_ms, "_ms", MS, UINT32_MAX,
        "retransmission timeout until the first RTT is measured (at open)"),
    ROW(rto_min_ms, "_ms", MS, UINT32_MAX,
        "least that the retransmission timeout adds to the smoothed RTT"),
    ROW(rto_max_ms, "_ms", MS, UINT32_MAX, "greatest retransmission timeout"),
    ROW(delayed_ack_ms, "_ms", MS, 499, "how long an ACK may wait; 0: none does"),
    ROW(msl_ms, "_ms", MS, UINT32_MAX, "maximum segment lifetime; TIME-WAIT lasts two of it"),
    ROW(fin_wait_2_ms, "_ms", MS, UINT32_MAX,
        "how long FIN-WAIT-2 lasts that nobody holds; 0: for ever"),
    ROW(rfc1337, "", SWITCH, 1, "ignore RST in TIME-WAIT"),
    ROW(ttl, "", NUMBER, 255, "TTL or hop limit of what is sent"),
    ROW(dscp, "", NUMBER, 63, "DSCP of what is sent"),
    ROW(share_metrics, "", SWITCH, 1, "share what is learned of the path with later connections"),
    ROW(share_ssthresh, "", SWITCH, 1, "begin with the ssthresh that earlier connections left"),
    ROW(fast_open_queue, "", NUMBER, UINT32_MAX,
        "connections that SYNs with data may make before their handshake; 0: no Fast Open (on "
        "LISTEN)"),
    ROW(fast_open_no_cookie, "", SWITCH, 1, "send and take data in a SYN without a cookie"),
    ROW(fast_open_experimental, "", SWITCH, 1,
        "the experimental form of the Fast Open option, too"),
    ROW(max_pacing_rate_bytes_per_s, "_bytes_per_s", RATE, 0,
        "no more than this many bytes a second are let go; 0: no limit"),
    ROW(hystart, "", SWITCH, 1, "end slow start when the round-trip time rises (RFC 9406)"),
    ROW(abc_limit, "", NUMBER, 65535,
        "segments that one ACK may add to cwnd in slow start; 0: no limit"),
    ROW(idle_restart, "", SWITCH, 1, "fall back to the initial window after an RTO without data"),
    ROW(cubic_alpha_one, "", SWITCH, 1,
        "CUBIC grows as Reno beyond the last window (RFC 9438 4.3), not by 9/17 of it"),
    ROW(require_auth, "", SWITCH, 1,
        "no connection without a key that signs it (at open, on LISTEN)"),
    ROW(user_timeout_option, "", SWITCH, 1,
        "tell the peer the user timeout and adopt its own (RFC 5482)"),
    ROW(user_timeout_advertise_ms, "_ms", MS, UINT32_MAX,
        "the user timeout that the peer is told; 0: our own"),
    ROW(user_timeout_min_ms, "_ms", MS, UINT32_MAX,
        "the least user timeout that is adopted from the peer"),
    ROW(user_timeout_max_ms, "_ms", MS, UINT32_MAX,
        "the most user timeout that is adopted from the peer"),
#define ROW_WORD(name, NAME, doc)                                                                  \
    {                                                                                              \
#name, "", doc, WORD, offsetof(struct ackd_options, name), 0, ACKD_ENUM_##NAME             \
    }
    ROW_WORD(icmp_policy, ICMP_POLICY, "what hard ICMP errors do"),
    ROW_WORD(urgent_mode, URGENT_MODE,
             "the octet that the urgent pointer names: the one after, or the last"),
    ROW_WORD(syn_cookies, SYN_COOKIES, "answer SYNs without remembering them (on LISTEN)"),
    ROW_WORD(loss_detection, LOSS_DETECTION,
             "how losses are found: by time, or by SACKed segments"),
    ROW_WORD(mtu_probing, MTU_PROBING, "look for the path's MTU without ICMP"),
    ROW_WORD(accecn_option, ACCECN_OPTION, "when AccECN's option goes beside its flags"),
    ROW_WORD(ecn, ECN_MODE, "offer ECN, or only answer it (on SYN)"),
    ROW_WORD(congestion, CONGESTION, "congestion control"),
    ROW_WORD(pacing, PACING, "space out what is sent: auto where congestion control needs it"),
};
#define ROWS (sizeof rows / sizeof rows[0])

const char *optset_name(size_t index)
{
    return index < ROWS ? rows[index].name : NULL;
}

const char *optset_doc(size_t index)
{
    return index < ROWS ? rows[index].doc : NULL;
}

/* The row that `name` means, and in *unit_ns what a number without a unit counts. */
static const struct row *find(const char *name, size_t length, int64_t *unit_ns)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t whole = strlen(rows[i].name), bare = whole - strlen(rows[i].unit);
        if (length < bare || strncmp(name, rows[i].name, bare) != 0) {
            continue;
        }
        bool with_unit = length == whole && strncmp(name, rows[i].name, whole) == 0;
        bool in_seconds =
            rows[i].kind == MS && length == bare + 2 && strncmp(name + bare, "_s", 2) == 0;
        if (length == bare || with_unit || in_seconds) {
            *unit_ns = rows[i].kind == MS && with_unit ? 1000000 : 1000000000;
            return &rows[i];
        }
    }
    return NULL;
}

static bool parse_switch(const char *text, bool *on)
{
    static const char *const yes[] = {"on", "yes", "true", "1"}, *const no[] = {"off", "no",
                                                                                "false", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *on = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

/* What `kind` accepts, for the error's sentence; words follow. */
static const char *const accepted[] = {
    [SWITCH] = "on or off",
    [NUMBER] = "a number",
    [SIZE] = "a size such as 65536 or 64k",
    [MS] = "a duration in whole milliseconds, such as 30s or 200ms",
    [RATE] = "bytes a second such as 1250000 or 10m",
    [WORD] = "one of",
};

/* As `set` takes it: "when-full" of SYN_COOKIES_WHEN_FULL. False past the last. */
static bool word(const struct row *row, int value, char *text, size_t room)
{
    const char *last = ackd_enum_name((enum ackd_enum)row->max, 0);
    const char *name = ackd_enum_name((enum ackd_enum)row->max, value);
    if (!name) {
        return false;
    }
    size_t prefix = strlen(last) - strlen("UNSPECIFIED"), i = 0;
    for (; name[prefix + i] && i + 1 < room; i++) {
        char ch = name[prefix + i];
        text[i] = ch == '_' ? '-' : (char)tolower((unsigned char)ch);
    }
    text[i] = 0;
    return true;
}

const char *optset_takes(size_t index, char text[OPTSET_TAKES])
{
    static const char *const kinds[] = {[SWITCH] = "on|off", [NUMBER] = "N",   [SIZE] = "BYTES",
                                        [MS] = "TIME",       [RATE] = "BYTES", [WORD] = ""};
    char one[40];
    snprintf(text, OPTSET_TAKES, "%s", kinds[rows[index].kind]);
    for (int v = 1; rows[index].kind == WORD && word(&rows[index], v, one, sizeof one); v++) {
        size_t at = strlen(text);
        snprintf(text + at, OPTSET_TAKES - at, "%s%s", v > 1 ? "|" : "", one);
    }
    return text;
}

static bool set(const struct row *row, const char *text, int64_t unit_ns,
                struct ackd_options *options)
{
    char *base = (char *)options;
    uint64_t number;
    int64_t ns;
    int value;
    switch (row->kind) {
    case SWITCH:
        if (!parse_switch(text, (bool *)(base + row->value))) {
            return false;
        }
        break;
    case NUMBER:
    case SIZE:
        if (!(row->kind == SIZE ? size_parse(text, &number)
                                : number_parse(text, row->max, &number)) ||
            number > row->max) {
            return false;
        }
        *(uint32_t *)(base + row->value) = (uint32_t)number;
        break;
    case MS:
        if (!duration_parse_as(text, unit_ns, &ns) || (uint64_t)(ns / 1000000) > row->max ||
            (ns > 0 && ns < 1000000)) { /* 0 means something else than a little */
            return false;
        }
        *(int64_t *)(base + row->value) = ns / 1000000;
        break;
    case RATE:
        if (!size_parse(text, (uint64_t *)(base + row->value))) {
            return false;
        }
        break;
    case WORD:
        value = ackd_enum_value((enum ackd_enum)row->max, text);
        if (value > 0) {
            *(unsigned *)(base + row->value) = (unsigned)value;
        }
        return value > 0;
    }
    *(bool *)(base + row->has) = true;
    return true;
}

int optset_parse(const struct ctl *ctl, const char *assignment, struct ackd_options *options)
{
    const char *equals = strchr(assignment, '=');
    if (!equals) {
        return ctl_usage(ctl, "'%s' is no NAME=VALUE", assignment);
    }
    int64_t unit_ns;
    const struct row *row = find(assignment, (size_t)(equals - assignment), &unit_ns);
    if (!row) {
        return ctl_usage(ctl, "there is no option '%.*s'", (int)(equals - assignment), assignment);
    }
    if (!set(row, equals + 1, unit_ns, options)) {
        char most[200] = "", text[40];
        for (int v = 1; row->kind == WORD && word(row, v, text, sizeof text); v++) {
            size_t at = strlen(most);
            snprintf(most + at, sizeof most - at, "%s%s", v > 1 ? ", " : " ", text);
        }
        if (row->kind != WORD && row->max && row->max != UINT32_MAX && row->kind != SWITCH) {
            snprintf(most, sizeof most, ", up to %" PRIu64 "%s", row->max, row->unit);
        }
        if (*row->unit && *most) {
            most[strcspn(most, "_")] = ' ';
        }
        return ctl_usage(ctl, "%s: %s takes %s%s", assignment, row->name, accepted[row->kind],
                         most);
    }
    return 0;
}

void optset_print(FILE *out, const struct ackd_options *options)
{
    const char *base = (const char *)options;
    char text[40];
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        if (row->has && !*(const bool *)(base + row->has)) {
            continue;
        }
        switch (row->kind) {
        case SWITCH:
            fprintf(out, "%s\t%s\n", row->name, *(const bool *)(base + row->value) ? "on" : "off");
            break;
        case NUMBER:
        case SIZE:
            fprintf(out, "%s\t%" PRIu32 "\n", row->name, *(const uint32_t *)(base + row->value));
            break;
        case MS:
            fprintf(out, "%s\t%" PRId64 "\n", row->name, *(const int64_t *)(base + row->value));
            break;
        case RATE:
            fprintf(out, "%s\t%" PRIu64 "\n", row->name, *(const uint64_t *)(base + row->value));
            break;
        case WORD: {
            int value = *(const int *)(base + row->value);
            if (value > 0 && word(row, value, text, sizeof text)) {
                fprintf(out, "%s\t%s\n", row->name, text);
            }
            break;
        }
        }
    }
}
