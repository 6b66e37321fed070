/* ackctl listen and accept: a passive OPEN that stays, and taking its connections one by one. */
#include <inttypes.h>
#include <string.h>
#include "dest.h"
#include "hostport.h"
#include "optset.h"
#include "selector.h"
#include "states.h"
#include "units.h"
#include "verbs.h"

/* One RPC waits so long at most; accept asks again. */
#define ACCEPT_SLICE_NS (INT64_C(60) * 1000000000)

enum { PASSIVE_LABEL = ARGS_NAMES, PASSIVE_IDLE, PASSIVE_FROM, PASSIVE_NO_WAIT };

static const struct opt listen_options[] = {
    {'b', "backlog", ARG_REQUIRED, "N",
     "connections that may wait to be accepted (1 to 65535, default 128)"},
    {'4', "ipv4", ARG_NONE, NULL, "only IPv4"},
    {'6', "ipv6", ARG_NONE, NULL, "only IPv6"},
    {PASSIVE_FROM, "from", ARG_REQUIRED, "ADDR:PORT", "only this peer"},
    {'O', "option", ARG_REQUIRED, "NAME=VALUE", "an option of the connections, as `set` takes it"},
    {PASSIVE_LABEL, "label", ARG_REQUIRED, "LABEL", "name it: @LABEL is a selector"},
    {PASSIVE_IDLE, "idle-timeout", ARG_REQUIRED, "S", "end it when nothing happens for so long"},
    {'v', "verbose", ARG_NONE, NULL, "say the address on standard error"},
    {0},
};

static const struct opt accept_options[] = {
    {PASSIVE_LABEL, "label", ARG_REQUIRED, "LABEL", "name the connection: @LABEL is a selector"},
    {PASSIVE_IDLE, "idle-timeout", ARG_REQUIRED, "S", "end it when nothing happens for so long"},
    {'w', "wait", ARG_REQUIRED, "S", "wait so long for one (default: for ever)"},
    {PASSIVE_NO_WAIT, "no-wait", ARG_NONE, NULL, "do not wait"},
    {'v', "verbose", ARG_NONE, NULL, "say the addresses on standard error"},
    {0},
};

struct passive {
    struct ctl *ctl;
    struct ackd_listen_request listen;
    struct ackd_options options;
    struct ackd_ownership ownership;
    int64_t wait_ns;
    bool verbose;
};

static int take_number(struct passive *p, int key, const char *value)
{
    uint64_t backlog;
    int64_t ns;
    if (key == 'b') {
        if (!number_parse(value, 65535, &backlog) || !backlog) {
            return ctl_usage(p->ctl, "-b %s: 1 to 65535", value);
        }
        p->listen.backlog = (uint32_t)backlog;
        return 0;
    }
    if (!duration_parse(value, &ns)) {
        return ctl_usage(p->ctl, "'%s' is no number of seconds", value);
    }
    if (key == 'w') {
        p->wait_ns = ns;
    } else {
        p->ownership.idle_timeout_ms = (uint64_t)ns / 1000000;
    }
    return 0;
}

static int take(struct passive *p, int key, const char *value)
{
    switch (key) {
    case '4':
        p->listen.v4_only = true;
        return 0;
    case '6':
        p->listen.v6_only = true;
        return 0;
    case PASSIVE_FROM:
        return dest_parse_local(p->ctl, value, &p->listen.remote);
    case 'O':
        p->listen.options = &p->options;
        return optset_parse(p->ctl, value, &p->options);
    case PASSIVE_LABEL:
        p->ownership.label = value;
        return 0;
    case PASSIVE_NO_WAIT:
        p->wait_ns = 0;
        return 0;
    case 'v':
        p->verbose = true;
        return 0;
    default:
        return take_number(p, key, value);
    }
}

static int take_all(struct passive *p, struct args *args)
{
    int key, code;
    p->ownership.kind = ACKD_OWN_DETACHED;
    p->wait_ns = INT64_MAX;
    while ((key = ctl_option(p->ctl, args)) >= 0) {
        if ((code = take(p, key, args->value)) != 0) {
            return code;
        }
    }
    return key == ARGS_ERROR ? EXIT_USAGE : 0;
}

static int run_listen(struct ctl *ctl, int argc, char **argv)
{
    struct passive p = {.ctl = ctl};
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_listen_result result;
    struct ackd_error err = {0};
    char text[HOSTPORT_TEXT];
    int code = take_all(&p, &args);
    if (code) {
        return code;
    }
    if (args.operands != 1) {
        return ctl_usage(ctl, "on which PORT or ADDR:PORT? 0 lets the daemon choose");
    }
    if ((code = dest_parse_local(ctl, argv[0], &p.listen.local)) != 0) {
        return code;
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    p.listen.ownership = p.ownership;
    if (ackd_listen(ctl->ackd, &p.listen, &result, &err) < 0) {
        return ctl_fail(ctl, argv[0], &err);
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    printf("%" PRIu64 "\n", result.id);
    if (p.verbose) {
        fflush(stdout);
        fprintf(stderr, "listening on %s\n",
                hostport_format(result.local.address, result.local.port, text));
    }
    return EXIT_DONE;
}

static int accepted(const struct passive *p, const struct ackd_accept_result *result)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT];
    if (p->ctl->json) {
        return ctl_print_json(p->ctl, ackd_reply(p->ctl->ackd));
    }
    printf("%" PRIu64 "\n", result->id);
    if (p->verbose) {
        fflush(stdout);
        fprintf(stderr, "%s > %s\n",
                hostport_format(result->local.address, result->local.port, local),
                hostport_format(result->remote.address, result->remote.port, remote));
    }
    return EXIT_DONE;
}

static int run_accept(struct ctl *ctl, int argc, char **argv)
{
    struct passive p = {.ctl = ctl};
    struct args args = ctl_args(ctl, argc, argv);
    struct ackd_accept_request request = {0};
    struct ackd_accept_result result;
    struct ackd_error err = {0};
    char text[UNITS_TEXT];
    int code = take_all(&p, &args);
    if (code) {
        return code;
    }
    if (args.operands != 1) {
        return ctl_usage(ctl, "from which listener?");
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    if ((code = selector_resolve(ctl, argv[0], STATE_BIT(ST_LISTEN), &request.id)) != 0) {
        return code;
    }
    request.ownership = p.ownership;
    int64_t left = p.wait_ns;
    do {
        int64_t slice = left < ACCEPT_SLICE_NS ? left : ACCEPT_SLICE_NS;
        request.wait_ms = ctl_wait_ms(slice);
        if (ackd_accept(ctl->ackd, &request, &result, &err) < 0) {
            return ctl_fail(ctl, argv[0], &err);
        }
        if (result.id) {
            return accepted(&p, &result);
        }
        left -= left == INT64_MAX ? 0 : slice;
    } while (left > 0 && !ctl_cancelled());
    if (ctl_cancelled()) {
        return ctl_fail(ctl, argv[0], &(struct ackd_error){.grpc_code = ACKD_CANCELLED});
    }
    if (!p.wait_ns) {
        return ctl_fail_tcp(ctl, argv[0], "EAGAIN", "no connection is waiting");
    }
    return ctl_fail_tcp(ctl, argv[0], "ETIMEDOUT", "no connection came within %s",
                        duration_format(p.wait_ns, text));
}

const struct verb verb_listen = {
    .name = "listen",
    .operands = "[ADDR]:PORT",
    .summary = "listen on a port and print the listener's id",
    .details =
        "The listener is detached: it stays until it is closed. `accept` takes its connections.",
    .complete = "",
    .options = listen_options,
    .run = run_listen,
};

const struct verb verb_accept = {
    .name = "accept",
    .operands = "SELECTOR",
    .summary = "take a connection from a listener and print its id",
    .complete = "selector",
    .options = accept_options,
    .run = run_accept,
};
