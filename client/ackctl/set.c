/* ackctl set: options of an endpoint, changed or shown. */
#include <string.h>
#include "optset.h"
#include "selector.h"
#include "verbs.h"

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_options wanted = {0}, now;
    struct ackd_error err = {0};
    const char *label = NULL;
    uint64_t id;
    int code;
    if (ctl_option(ctl, &args) == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if (args.operands == 0) {
        return ctl_usage(ctl, "which endpoint?");
    }
    for (int i = 1; i < args.operands; i++) {
        if (strncmp(argv[i], "label=", 6) == 0) {
            label = argv[i] + 6;
        } else if ((code = optset_parse(ctl, argv[i], &wanted)) != 0) {
            return code;
        }
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    if ((code = selector_resolve(ctl, argv[0], 0, &id)) != 0) {
        return code;
    }
    memset(&now, 0, sizeof now);
    if (ackd_set_options(ctl->ackd, id, &wanted, label, &now, &err) < 0) {
        return ctl_fail(ctl, argv[0], &err);
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    if (args.operands == 1) {
        optset_print(stdout, &now);
    }
    return EXIT_DONE;
}

const struct verb verb_set = {
    .name = "set",
    .operands = "SELECTOR [NAME=VALUE...]",
    .summary = "change options of an endpoint; without any, print those in force",
    .details =
        "label=TEXT names the endpoint. TIME has its unit (30s, 200ms, 2h); without one it is in "
        "that of the name, so that\n"
        "keepalive_idle_ms=500 is half a second, and keepalive_idle=500 or "
        "keepalive_idle_s=500 is 500 s. BYTES may end in\n"
        "k, M or G. What is marked (at open) stands in the SYN: it is set with -O of open "
        "and listen, or on a listener.",
    .complete = "option",
    .run = run,
};
