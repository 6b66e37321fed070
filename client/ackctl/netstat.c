/* ackctl netstat: the listing as netstat has printed it since 4.2BSD, for hands and scripts that
 * know its columns. */
#include <inttypes.h>
#include "hostport.h"
#include "query.h"
#include "rows.h"
#include "states.h"
#include "verbs.h"

static const struct opt options[] = {
    {'a', "all", ARG_NONE, NULL, "every state (the default)"},
    {'l', "listening", ARG_NONE, NULL, "only LISTEN"},
    {'t', "tcp", ARG_NONE, NULL, "TCP (there is nothing else)"},
    {'n', "numeric", ARG_NONE, NULL, "numbers instead of names (always)"},
    {'4', "inet", ARG_NONE, NULL, "only IPv4"},
    {'6', "inet6", ARG_NONE, NULL, "only IPv6"},
    {'p', "programs", ARG_NONE, NULL, "PID/Program name of the owner"},
    {'s', "statistics", ARG_NONE, NULL, "the same as `ackctl stats`"},
    {0},
};

struct netstat {
    struct table table;
    bool programs;
};

static bool each(void *context, const struct ackd_connection *c)
{
    struct netstat *n = context;
    char recv_q[16], send_q[16], local[HOSTPORT_TEXT], remote[HOSTPORT_TEXT], program[96] = "";
    bool six = c->local.address[0] && net_addr_is_v6(c->local.address);
    snprintf(recv_q, sizeof recv_q, "%" PRIu32, c->recv_q_bytes);
    snprintf(send_q, sizeof send_q, "%" PRIu32, c->send_q_bytes);
    if (n->programs && c->owner.pid) {
        snprintf(program, sizeof program, "%" PRIu32 "/%s", c->owner.pid, c->owner.command);
    } else if (n->programs) {
        owner_format(c, program);
    }
    const char *cells[] = {six ? "tcp6" : "tcp",
                           recv_q,
                           send_q,
                           hostport_format(c->local.address, c->local.port, local),
                           hostport_format(c->remote.address, c->remote.port, remote),
                           ackd_state_name(c->state),
                           program};
    table_row(&n->table, cells, NULL);
    return !n->table.failed && !ctl_cancelled();
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    static const struct column columns[] = {
        {"Proto", false, false},           {"Recv-Q", true, false},
        {"Send-Q", true, false},           {"Local Address", false, false},
        {"Foreign Address", false, false}, {"State", false, false},
        {"PID/Program name", false, false}};
    struct netstat n = {.programs = false};
    struct args args = ctl_args(ctl, argc, argv);
    struct query query;
    uint32_t states = STATES_ALL;
    unsigned family = 0;
    int key, code;
    while ((key = ctl_option(ctl, &args)) >= 0) {
        if (key == 's') {
            return run_stats(ctl, NULL, false, false);
        }
        states = key == 'l' ? STATE_BIT(ST_LISTEN) : key == 'a' ? STATES_ALL : states;
        family = key == '4' || key == '6' ? (unsigned)(key - '0') : family;
        n.programs |= key == 'p';
    }
    if (key == ARGS_ERROR) {
        return EXIT_USAGE;
    }
    if ((code = query_begin(ctl, &query, argv, args.operands, states, family)) != 0) {
        return code;
    }
    if (ctl->json) {
        code = ctl_connect(ctl) ? query_run_json(ctl, (struct query_list){.query = &query})
                                : ctl->exit_code;
        query_end(&query);
        return code;
    }
    table_init(&n.table, columns, n.programs ? 7 : 6);
    code = ctl_connect(ctl)
               ? query_run(ctl, &(struct query_list){.query = &query, .each = each, .context = &n})
               : ctl->exit_code;
    query_end(&query);
    if (code) {
        table_discard(&n.table);
        return code;
    }
    puts("Active TCP connections (ackd)");
    table_print(&n.table, stdout, true, ctl->color, 0);
    return EXIT_DONE;
}

const struct verb verb_netstat = {
    .name = "netstat",
    .operands = "[FILTER]",
    .summary = "list connections, as netstat does",
    .complete = "filter",
    .options = options,
    .run = run,
};
