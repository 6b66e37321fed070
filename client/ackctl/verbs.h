/* Every verb, for the table in main.c. */
#ifndef ACKCTL_VERBS_H
#define ACKCTL_VERBS_H

#include "ctl.h"

extern const struct verb verb_ls, verb_netstat, verb_show, verb_why, verb_watch, verb_capture,
    verb_open, verb_listen, verb_accept, verb_send, verb_recv, verb_nc, verb_close, verb_abort,
    verb_kill, verb_set, verb_stats, verb_daemon, verb_key, verb_conformance, verb_completion,
    verb_help, verb_dial_stdio;

/* `ackctl` alone: a short status. */
int run_status(struct ctl *ctl);
struct query;
/* `ackctl ls --json` of the query's connections: the exit code. */
/* Counters whose names begin with `prefix` (NULL: all), zeros too when `all`. */
int run_stats(struct ctl *ctl, const char *prefix, bool all, bool openmetrics);
/* `ackctl help`: everything; `ackctl help VERB`: one. */
void help_all(FILE *out);
void help_verb(FILE *out, const struct verb *verb);

#endif
