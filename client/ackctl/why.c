/* ackctl why: why a connection is not sending or receiving right now, and where its time went. The
 * daemon makes the sentences, from the same predicate that decides what to send; here they are only
 * laid out. */
#include <inttypes.h>
#include <stdio.h>
#include "hostport.h"
#include "rows.h"
#include "segment.h"
#include "selector.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

static void print_shares(const struct ackd_why *why)
{
    char text[UNITS_TEXT];
    int64_t total = 0;
    for (size_t i = 0; i < why->limited_count; i++) {
        total += why->limited[i].duration_ns;
    }
    if (total <= 0) {
        return;
    }
    puts("where its time went:");
    for (size_t i = 0; i < why->limited_count; i++) {
        const struct ackd_limited_time *t = &why->limited[i];
        if (t->duration_ns > 0) {
            printf("  %5.1f %%  %8s  %s\n", 100.0 * (double)t->duration_ns / (double)total,
                   duration_format(t->duration_ns, text),
                   short_name(ACKD_ENUM_LIMIT_REASON, t->reason));
        }
    }
}

static void print_why(const struct ctl *ctl, const struct ackd_why *why)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT], text[UNITS_TEXT];
    const struct ackd_connection *c = &why->connection;
    ctl_style(ctl, "1");
    printf("%" PRIu64 "  %s > %s  %s", why->id,
           hostport_format(c->local.address, c->local.port, local),
           hostport_format(c->remote.address, c->remote.port, remote), ackd_state_name(why->state));
    ctl_style(ctl, NULL);
    printf("%s%s\n", *c->label ? "  @" : "", c->label);
    printf("sending:   %s", *why->sentence ? why->sentence : "nothing is known");
    if (why->limit_reason) {
        printf(" (%s)", short_name(ACKD_ENUM_LIMIT_REASON, why->limit_reason));
    }
    putchar('\n');
    if (why->has_next_change) {
        printf("           changes by itself in %s\n",
               duration_format(why->next_change_in_ns, text));
    }
    if (*why->receive_sentence) {
        printf("receiving: %s\n", why->receive_sentence);
    }
    print_shares(why);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_error err = {0};
    struct ackd_why why;
    uint64_t id;
    int code;
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands != 1) {
        return ctl_usage(ctl, "which endpoint?");
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    if ((code = selector_resolve(ctl, argv[0], STATES_ALL & ~STATE_BIT(ST_LISTEN), &id)) != 0) {
        return code;
    }
    if (ackd_why(ctl->ackd, id, &why, &err) < 0) {
        return ctl_fail(ctl, argv[0], &err);
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    print_why(ctl, &why);
    return EXIT_DONE;
}

const struct verb verb_why = {
    .name = "why",
    .operands = "SELECTOR",
    .summary = "say why a connection is not sending or receiving right now",
    .complete = "selector",
    .run = run,
};
