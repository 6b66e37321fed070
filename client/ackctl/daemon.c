/* ackctl daemon: the daemon itself and the network it lives in. `ackctl` alone is the short form of
 * `ackctl daemon status`. */
#include <inttypes.h>
#include <string.h>
#include "table.h"
#include "units.h"
#include "verbs.h"

static const char *const parts[] = {"status", "version",    "log-level", "addresses",
                                    "routes", "neighbours", "metrics"};
enum { STATUS, VERSION, LOG_LEVEL, ADDRESSES, ROUTES, NEIGHBOURS, METRICS, PARTS };

/* The answer as JSON when that was asked for; -1 otherwise. */
static int json_or(const struct ctl *ctl)
{
    return ctl->json ? ctl_print_json(ctl, ackd_reply(ctl->ackd)) : -1;
}

static void print_short(const struct ackd_daemon_status *s)
{
    char text[UNITS_TEXT];
    printf("ackd %s (pid %" PRIu32 ") on %s, MTU %" PRIu32 ", up %s\n", s->version, s->pid, s->link,
           s->mtu_bytes, duration_format(s->uptime_ns, text));
    printf("%" PRIu64 " endpoint%s", s->endpoints, s->endpoints == 1 ? "" : "s");
    for (size_t i = 0, n = 0; i < s->state_count; i++) {
        if (s->states[i].count) {
            printf("%s%" PRIu64 " %s", n++ ? ", " : ": ", s->states[i].count,
                   ackd_state_name(s->states[i].state));
        }
    }
    putchar('\n');
}

static void print_callbacks(const struct ackd_daemon_status *s)
{
    char text[UNITS_TEXT];
    printf("longest callback: %s", duration_format(s->longest_callback_ns, text));
    printf("%s%s", *s->longest_callback_name ? " in " : "", s->longest_callback_name);
    printf("; of processor time: %s", duration_format(s->longest_callback_cpu_ns, text));
    printf("%s%s\n", *s->longest_callback_cpu_name ? " in " : "", s->longest_callback_cpu_name);
    printf("  %-10s %12s %12s\n", "callbacks", "took", "used");
    for (size_t i = 0; i < s->callback_count; i++) {
        if (!s->callbacks[i].count && !s->callbacks[i].cpu_count) {
            continue;
        }
        bool last = i + 1 == s->callback_count;
        printf("  %s%-8s %12" PRIu64 " %12" PRIu64 "\n", last ? ">=" : "< ",
               duration_format(s->callbacks[last && i ? i - 1 : i].below_ns, text),
               s->callbacks[i].count, s->callbacks[i].cpu_count);
    }
}

static void print_status(const struct ackd_daemon_status *s)
{
    print_short(s);
    printf("instance: %s\n", s->instance_id);
    printf("memory: %" PRIu64 " bytes used, %" PRIu64 " taken from the system",
           s->memory_used_bytes, s->memory_taken_bytes);
    if (s->memory_limit_bytes) {
        printf(", limit %" PRIu64, s->memory_limit_bytes);
    }
    printf("\nclients: %" PRIu64 " connected, %" PRIu64 " sessions, %" PRIu64 " watchers\n",
           s->control_connections, s->sessions, s->watchers);
    printf("log level: %s\n", s->log_level);
    fputs("services:", stdout);
    for (size_t i = 0; i < s->service_count; i++) {
        printf(" %s", s->services[i]);
    }
    printf("%s\nwake-ups: %" PRIu64 "\n", s->service_count ? "" : " none", s->wakeups);
    print_callbacks(s);
}

static int status(struct ctl *ctl, bool brief)
{
    struct ackd_daemon_status s;
    struct ackd_error err = {0};
    if (ackd_daemon_status(ctl->ackd, &s, &err) < 0) {
        return ctl_fail(ctl, NULL, &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    if (brief) {
        print_short(&s);
        puts("`ackctl ls` lists them, `ackctl help` says what else there is");
    } else {
        print_status(&s);
    }
    return EXIT_DONE;
}

int run_status(struct ctl *ctl)
{
    return ctl_connect(ctl) ? status(ctl, true) : ctl->exit_code;
}

static int version(struct ctl *ctl)
{
    struct ackd_version v;
    struct ackd_error err = {0};
    if (ackd_daemon_version(ctl->ackd, &v, &err) < 0) {
        return ctl_fail(ctl, NULL, &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    printf("ackd %s\nschema %s\ncapabilities", v.version, v.schema);
    for (size_t i = 0; i < v.capability_count; i++) {
        printf(" %s", v.capabilities[i]);
    }
    putchar('\n');
    return EXIT_DONE;
}

static int log_level(struct ctl *ctl, int count, char **words)
{
    struct ackd_daemon_status s;
    struct ackd_error err = {0};
    char previous[16];
    if (count > 1) {
        return ctl_usage(ctl, "log-level takes one LEVEL: error, warning, notice, info or debug");
    }
    int failed = count ? ackd_set_log_level(ctl->ackd, words[0], previous, &err)
                       : ackd_daemon_status(ctl->ackd, &s, &err);
    if (failed < 0) {
        return ctl_fail(ctl, "log-level", &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    if (!count) {
        puts(s.log_level);
    }
    return EXIT_DONE;
}

/* "add", "remove" and their short forms; -1 for anything else. */
static int change(const char *word)
{
    static const char *const words[] = {"add", "set", "remove", "delete"};
    int found = prefix_match(word, words, 4);
    return found < 0 ? -1 : found / 2;
}

/* ADDR/LEN into its parts. */
static bool split_prefix(const char *text, char address[64], uint32_t *length)
{
    const char *slash = strchr(text, '/');
    uint64_t value;
    if (!slash || (size_t)(slash - text) >= 64 || !number_parse(slash + 1, 128, &value)) {
        return false;
    }
    snprintf(address, 64, "%.*s", (int)(slash - text), text);
    *length = (uint32_t)value;
    return true;
}

static int change_address(struct ctl *ctl, int count, char **words)
{
    struct ackd_error err = {0};
    char address[64];
    uint32_t length;
    int what = change(words[0]), failed;
    if (count != 2 || what < 0 || (what == 0 && !split_prefix(words[1], address, &length))) {
        return ctl_usage(ctl, "addresses add ADDR/LEN, or addresses remove ADDR");
    }
    failed = what == 0 ? ackd_add_address(ctl->ackd, address, length, &err)
                       : ackd_remove_address(ctl->ackd, words[1], &err);
    return failed < 0 ? ctl_fail(ctl, words[1], &err) : EXIT_DONE;
}

static int addresses(struct ctl *ctl, int count, char **words)
{
    static const struct column columns[] = {{"ADDRESS", false, false}, {"STATE", false, false}};
    struct ackd_error err = {0};
    const struct ackd_address *list;
    struct table table;
    size_t n;
    char mac[24], text[80];
    if (count) {
        return change_address(ctl, count, words);
    }
    if (ackd_addresses(ctl->ackd, &list, &n, mac, &err) < 0) {
        return ctl_fail(ctl, "addresses", &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    table_init(&table, columns, 2);
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s/%" PRIu32, list[i].address, list[i].prefix_length);
        table_row(&table, (const char *[]){text, list[i].state}, NULL);
    }
    table_print(&table, stdout, true, ctl->color, ctl->width);
    if (*mac && strcmp(mac, "00:00:00:00:00:00") != 0) { /* --link none has none */
        printf("link address %s\n", mac);
    }
    return EXIT_DONE;
}

static int change_route(struct ctl *ctl, int count, char **words)
{
    struct ackd_error err = {0};
    int what = change(words[0]), failed;
    bool via = count == 4 && strcmp(words[2], "via") == 0;
    if (what < 0 || (what == 1 && count != 2) || (what == 0 && count != 2 && !via)) {
        return ctl_usage(ctl, "routes add PREFIX/LEN [via GATEWAY], or routes remove PREFIX/LEN");
    }
    const char *prefix = words[1];
    if (strcmp(prefix, "default") == 0) {
        prefix = via && strchr(words[3], ':') ? "::/0" : "0.0.0.0/0";
    }
    failed = what == 0 ? ackd_add_route(ctl->ackd, prefix, via ? words[3] : "", &err)
                       : ackd_remove_route(ctl->ackd, prefix, &err);
    return failed < 0 ? ctl_fail(ctl, words[1], &err) : EXIT_DONE;
}

static int routes(struct ctl *ctl, int count, char **words)
{
    struct ackd_error err = {0};
    const struct ackd_route *list;
    size_t n;
    if (count) {
        return change_route(ctl, count, words);
    }
    if (ackd_routes(ctl->ackd, &list, &n, &err) < 0) {
        return ctl_fail(ctl, "routes", &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    for (size_t i = 0; i < n; i++) {
        printf("%s%s%s\n", list[i].prefix, *list[i].gateway ? " via " : " on link",
               list[i].gateway);
    }
    return EXIT_DONE;
}

static int change_neighbour(struct ctl *ctl, int count, char **words)
{
    struct ackd_error err = {0};
    int what = change(words[0]), failed;
    if (what < 0 || (what == 1 && count != 2) || (what == 0 && count != 3)) {
        return ctl_usage(ctl, "neighbours set ADDR MAC, or neighbours remove ADDR");
    }
    failed = what == 0 ? ackd_set_neighbour(ctl->ackd, words[1], words[2], &err)
                       : ackd_remove_neighbour(ctl->ackd, words[1], &err);
    return failed < 0 ? ctl_fail(ctl, words[1], &err) : EXIT_DONE;
}

static int neighbours(struct ctl *ctl, int count, char **words)
{
    static const struct column columns[] = {{"ADDRESS", false, false},
                                            {"MAC", false, false},
                                            {"STATE", false, false},
                                            {"QUEUED", true, false},
                                            {"FLAGS", false, false}};
    struct ackd_error err = {0};
    const struct ackd_neighbour *list;
    struct table table;
    size_t n;
    char queued[16];
    if (count) {
        return change_neighbour(ctl, count, words);
    }
    if (ackd_neighbours(ctl->ackd, &list, &n, &err) < 0) {
        return ctl_fail(ctl, "neighbours", &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    table_init(&table, columns, 5);
    for (size_t i = 0; i < n; i++) {
        snprintf(queued, sizeof queued, "%" PRIu32, list[i].queued_packets);
        const char *flags = list[i].is_static && list[i].is_router ? "static router"
                            : list[i].is_static                    ? "static"
                            : list[i].is_router                    ? "router"
                                                                   : "";
        table_row(&table,
                  (const char *[]){list[i].address, *list[i].mac ? list[i].mac : "-", list[i].state,
                                   queued, flags},
                  NULL);
    }
    table_print(&table, stdout, true, ctl->color, ctl->width);
    return EXIT_DONE;
}

static int clear_metrics(struct ctl *ctl, int count, char **words)
{
    struct ackd_error err = {0};
    uint32_t cleared;
    if (strcmp(words[0], "clear") != 0 || count > 2) {
        return ctl_usage(ctl, "metrics clear [ADDR]");
    }
    if (ackd_clear_metrics(ctl->ackd, count == 2 ? words[1] : NULL, &cleared, &err) < 0) {
        return ctl_fail(ctl, "metrics", &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    printf("%" PRIu32 "\n", cleared);
    return EXIT_DONE;
}

static const char *ns_or_dash(bool known, int64_t ns, char text[UNITS_TEXT])
{
    return known ? duration_format(ns, text) : "-";
}

/* What connections left to later ones (RFC 9040). */
static int metrics(struct ctl *ctl, int count, char **words)
{
    static const struct column columns[] = {
        {"LOCAL", false, false}, {"PEER", false, false},    {"SRTT", true, false},
        {"RTTVAR", true, false}, {"SSTHRESH", true, false}, {"MSS", true, false},
        {"COOKIE", true, false}, {"LOSSES", true, false},   {"NO-ACCECN", true, false}};
    struct ackd_error err = {0};
    const struct ackd_path_metrics *list;
    struct table table;
    size_t n;
    if (count) {
        return clear_metrics(ctl, count, words);
    }
    if (ackd_metrics(ctl->ackd, &list, &n, &err) < 0) {
        return ctl_fail(ctl, "metrics", &err);
    }
    if (ctl->json) {
        return json_or(ctl);
    }
    table_init(&table, columns, 9);
    for (size_t i = 0; i < n; i++) {
        const struct ackd_path_metrics *m = &list[i];
        char srtt[UNITS_TEXT], rttvar[UNITS_TEXT], number[5][16];
        const uint32_t values[] = {m->ssthresh_bytes, m->mss_bytes, m->fast_open_cookie_bytes,
                                   m->fast_open_losses, m->accecn_failures};
        for (size_t k = 0; k < 5; k++) {
            snprintf(number[k], sizeof number[k], "%" PRIu32, values[k]);
        }
        table_row(&table,
                  (const char *[]){m->local, m->remote,
                                   ns_or_dash(m->has_srtt_ns, m->srtt_ns, srtt),
                                   ns_or_dash(m->has_rttvar_ns, m->rttvar_ns, rttvar), number[0],
                                   number[1], number[2], number[3], number[4]},
                  NULL);
    }
    table_print(&table, stdout, true, ctl->color, ctl->width);
    return EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    char *word = args.operands ? argv[0] : (char *)"status";
    int part = strcmp(word, "neighbors") == 0 ? NEIGHBOURS : prefix_match(word, parts, PARTS);
    int count = args.operands ? args.operands - 1 : 0;
    if (part < 0) {
        return ctl_usage(
            ctl,
            "'%s' is none of status, version, log-level, addresses, routes, neighbours, metrics",
            word);
    }
    if (count && part <= VERSION) {
        return ctl_usage(ctl, "%s takes no operands", parts[part]);
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    switch (part) {
    case STATUS:
        return status(ctl, false);
    case VERSION:
        return version(ctl);
    case LOG_LEVEL:
        return log_level(ctl, count, argv + 1);
    case ADDRESSES:
        return addresses(ctl, count, argv + 1);
    case ROUTES:
        return routes(ctl, count, argv + 1);
    case METRICS:
        return metrics(ctl, count, argv + 1);
    default:
        return neighbours(ctl, count, argv + 1);
    }
}

const struct verb verb_daemon = {
    .name = "daemon",
    .operands = "[status|version|log-level|addresses|routes|neighbours|metrics]",
    .summary = "look at the daemon and its network, and change them",
    .details = "log-level [error|warning|notice|info|debug]\n"
               "addresses [add ADDR/LEN | remove ADDR]\n"
               "routes [add PREFIX/LEN [via GATEWAY] | remove PREFIX/LEN]\n"
               "neighbours [set ADDR MAC | remove ADDR]\n"
               "metrics [clear [ADDR]]",
    .complete = "status version log-level addresses routes neighbours metrics",
    .run = run,
};
