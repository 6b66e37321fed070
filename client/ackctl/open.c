/* ackctl open: an active OPEN (RFC 9293 section 3.9.1.1) whose connection stays when ackctl is
 * gone. */
#include <inttypes.h>
#include <string.h>
#include "dest.h"
#include "hostport.h"
#include "optset.h"
#include "units.h"
#include "verbs.h"

/* Longer than RFC 9293's R2 for SYN (3 minutes, MUST-23): the daemon's verdict comes first. */
#define OPEN_WAIT_NS (INT64_C(200) * 1000000000)

enum { OPEN_LABEL = ARGS_NAMES, OPEN_NO_WAIT, OPEN_IDLE, OPEN_FAST, OPEN_DATA };

static const struct opt options[] = {
    {'s', "source", ARG_REQUIRED, "ADDR", "local address"},
    {'p', "port", ARG_REQUIRED, "PORT", "local port"},
    {'4', "ipv4", ARG_NONE, NULL, "only IPv4"},
    {'6', "ipv6", ARG_NONE, NULL, "only IPv6"},
    {'O', "option", ARG_REQUIRED, "NAME=VALUE", "an option of the connection, as `set` takes it"},
    {OPEN_LABEL, "label", ARG_REQUIRED, "LABEL", "name it: @LABEL is a selector"},
    {'w', "wait", ARG_REQUIRED, "S", "wait so long for ESTABLISHED; the attempt goes on"},
    {OPEN_NO_WAIT, "no-wait", ARG_NONE, NULL, "do not wait"},
    {OPEN_IDLE, "idle-timeout", ARG_REQUIRED, "S", "end it when nothing happens for so long"},
    {OPEN_FAST, "fast-open", ARG_NONE, NULL, "data in the SYN, or ask for the cookie (RFC 7413)"},
    {OPEN_DATA, "data", ARG_REQUIRED, "TEXT", "the first data"},
    {'v', "verbose", ARG_NONE, NULL, "say the addresses on standard error"},
    {0},
};

struct opening {
    struct ctl *ctl;
    struct ackd_open_request request;
    struct ackd_options options;
    struct ackd_endpoint local;
    unsigned family;
    int64_t wait_ns;
    bool verbose;
};

static int take(struct opening *o, int key, const char *value)
{
    struct ackd_endpoint local;
    int64_t ns;
    int code = 0;
    switch (key) {
    case 's':
        code = dest_parse_local(o->ctl, value, &local);
        memcpy(o->local.address, local.address, sizeof o->local.address);
        o->local.port = local.port ? local.port : o->local.port;
        return code;
    case 'p':
        if (!port_parse(value, &o->local.port)) {
            return ctl_usage(o->ctl, "-p %s: 0 to 65535 or a service's name", value);
        }
        return 0;
    case 'O':
        o->request.options = &o->options;
        return optset_parse(o->ctl, value, &o->options);
    case OPEN_LABEL:
        o->request.ownership.label = value;
        return 0;
    case 'w':
    case OPEN_IDLE:
        if (!duration_parse(value, &ns)) {
            return ctl_usage(o->ctl, "'%s' is no number of seconds", value);
        }
        if (key == 'w') {
            o->wait_ns = ns;
        } else {
            o->request.ownership.idle_timeout_ms = (uint64_t)ns / 1000000;
        }
        return 0;
    case OPEN_NO_WAIT:
        o->wait_ns = 0;
        return 0;
    case OPEN_FAST:
        o->request.fast_open = true;
        return 0;
    case OPEN_DATA:
        o->request.data = value;
        o->request.length = strlen(value);
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    default:
        o->family = (unsigned)(key - '0');
        return 0;
    }
}

static int done(const struct opening *o, const struct dest *dest,
                const struct ackd_open_result *result)
{
    char local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT], text[UNITS_TEXT];
    if (o->ctl->json) {
        ctl_print_json(o->ctl, ackd_reply(o->ctl->ackd));
    } else {
        printf("%" PRIu64 "\n", result->id);
    }
    if (o->verbose) {
        fflush(stdout);
        fprintf(stderr, "%s > %s %s\n",
                hostport_format(result->local.address, result->local.port, local),
                hostport_format(result->remote.address, result->remote.port, remote),
                ackd_state_name(result->state));
    }
    if (o->wait_ns &&
        (result->state == ACKD_STATE_SYN_SENT || result->state == ACKD_STATE_SYN_RECEIVED)) {
        return ctl_fail_tcp(
            o->ctl, dest->text, "ETIMEDOUT", "still %s after %s; it goes on trying as %" PRIu64,
            ackd_state_name(result->state), duration_format(o->wait_ns, text), result->id);
    }
    return EXIT_DONE;
}

/* Each address of the name, until one answers. */
static int open_any(struct opening *o, const struct dest *dest)
{
    struct ackd_error err = {0};
    struct ackd_open_result result;
    char where[HOSTPORT_TEXT];
    for (size_t i = 0; i < dest->count; i++) {
        o->request.remote = dest->to[i];
        o->request.local = o->local;
        o->request.wait_ms = ctl_wait_ms(o->wait_ns);
        if (ackd_open(o->ctl->ackd, &o->request, &result, &err) == 0) {
            return done(o, dest, &result);
        }
        if (error_exit_code(&err) != EXIT_TCP) {
            break;
        }
        if (i + 1 < dest->count && o->verbose) {
            ctl_complain(o->ctl, "%s: %s",
                         hostport_format(dest->to[i].address, dest->to[i].port, where),
                         err.message);
        }
    }
    return ctl_fail(o->ctl, dest->text, &err);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    /* No request id: it would keep an attempt alive whose caller gave up (--timeout, Ctrl-C) before
     * it knew the id. */
    struct opening o = {.ctl = ctl,
                        .wait_ns = OPEN_WAIT_NS,
                        .request = {.ownership = {.kind = ACKD_OWN_DETACHED}, .request_id = ""}};
    struct args args = ctl_args(ctl, argc, argv);
    struct dest dest;
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        if ((code = take(&o, key, args.value)) != 0) {
            return code;
        }
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if ((code = dest_parse(ctl, argv, args.operands, o.family, &dest)) != 0) {
        return code;
    }
    return ctl_connect(ctl) ? open_any(&o, &dest) : ctl->exit_code;
}

const struct verb verb_open = {
    .name = "open",
    .operands = "HOST:PORT",
    .summary = "open a connection and print its id",
    .details = "The connection is detached: it stays until close, abort or its end. Waits until it "
               "is ESTABLISHED or failed.",
    .complete = "host",
    .options = options,
    .run = run,
};
