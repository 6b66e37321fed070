/* Runs the real ackctl against a scripted daemon. */
#ifndef ACKCTL_TEST_RUN_H
#define ACKCTL_TEST_RUN_H

#include "canned.h"

struct run {
    char *out, *err; /* standard output and error; freed by run_free() */
    size_t out_length;
    int code; /* exit code, or 128 + signal */
};

/* `command` for /bin/sh, with `ackctl` in its PATH and ACKD_SOCKET naming a daemon that does what
 * `canned` says (NULL: there is none). `while_running` (may be NULL) is called once the first byte
 * of output came, with the shell's process id. */
struct run run_command(const char *command, const struct canned *canned,
                       void (*while_running)(int pid));
/* The same with standard output on a terminal of 72 columns. */
struct run run_on_terminal(const char *command, const struct canned *canned);
void run_free(struct run *run);

#endif
