/* What every verb works with: the global options, where output goes, the connection to the daemon,
 * how to fail. */
#ifndef ACKCTL_CTL_H
#define ACKCTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "args.h"
#include "client/lib/ackd.h"

/* Exit codes; ackctl(1) explains them. */
enum {
    EXIT_DONE = 0,
    EXIT_TCP = 1, /* refused, reset, timed out: errno name on stderr */
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3, /* the daemon */
    EXIT_NO_SUCH_ID = 4,
    EXIT_NOT_PERMITTED = 5,
    EXIT_LIMIT = 6,
    EXIT_TIMEOUT = 124,
    EXIT_INTERRUPTED = 130,
};

enum json_mode { JSON_OFF, JSON_PRETTY, JSON_SHORT };

struct verb;

struct ctl {
    const struct verb *verb;
    const char *socket, *instance, *ssh_host;
    int ssh_pid; /* of ssh, once ctl_connect() was called with ssh_host */
    enum json_mode json;
    bool color;         /* stdout is a terminal and NO_COLOR is not set */
    unsigned width;     /* of the terminal on stdout; 0: none */
    int64_t timeout_ns; /* --timeout; 0: none */
    struct ackd *ackd;  /* once ctl_connect() was called */
    int exit_code;      /* why ctl_connect() answered NULL */
};

/* One thing that ackctl can do. `options` are also what help and completion print. */
struct verb {
    const char *name;
    const char *operands; /* "SELECTOR [FIELD...]" */
    const char *summary;
    const char *details; /* more for `help VERB`; NULL: none */
    const char
        *complete; /* what its operands are: "selector", "filter", "verb", a list of words, or "" */
    const struct opt *options;
    /* argv[0..argc) follows the verb. Answers the exit code. */
    int (*run)(struct ctl *ctl, int argc, char **argv);
};

/* The options that every verb takes; their keys. */
enum { OPT_SOCKET = ARGS_NAMES + 1000, OPT_JSON, OPT_TIMEOUT, OPT_HELP, OPT_VERSION };
extern const struct opt common_options[], global_options[];

/* Starts reading a verb's own options (and the common ones, which ctl_option() handles). */
struct args ctl_args(const struct ctl *ctl, int argc, char **argv);
/* The next of the verb's own options, ARGS_END, or ARGS_ERROR after the error was printed. */
int ctl_option(struct ctl *ctl, struct args *args);
/* Handles a global option. False when `key` is none or its value is wrong (then it was reported).
 */
bool ctl_global(struct ctl *ctl, int key, const char *value);

/* The daemon; NULL after it was reported, with the exit code in ctl->exit_code. */
struct ackd *ctl_connect(struct ctl *ctl);

/* Interrupts and --timeout. The descriptor becomes readable when the command shall end. */
int ctl_signals_begin(void);
void ctl_timer_begin(struct ctl *ctl);
int ctl_cancel_fd(void);
/* EXIT_TIMEOUT or EXIT_INTERRUPTED once that has happened, else 0. */
int ctl_cancelled(void);
int64_t ctl_monotonic_ns(void);
/* For a wait in the daemon, in ms: what is wanted, but not much longer than --timeout. */
uint32_t ctl_wait_ms(int64_t wanted_ns);

/* "ackctl: VERB OBJECT: ERRNO: sentence (reason R)" on stderr; answers the exit code. `object` may
 * be NULL. */
int ctl_fail(const struct ctl *ctl, const char *object, const struct ackd_error *err);
/* The same for an outcome that was found here, EXIT_TCP: "ackctl: VERB OBJECT: ERRNO: sentence". */
int ctl_fail_tcp(const struct ctl *ctl, const char *object, const char *errno_name,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The exit code of an error. */
int error_exit_code(const struct ackd_error *err);
/* "ackctl: VERB: ..." and where to find help; answers EXIT_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "ackctl: VERB: ..."; answers nothing. */
void ctl_complain(const struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A message as JSON on a line of its own, in the mode asked for. */
int ctl_print_json(const struct ctl *ctl, const struct ackd_message *message);
/* The same inside something larger: each line after the first is indented by `indent`. */
int print_json(FILE *out, const struct ackd_message *message, bool pretty, int indent);
/* A JSON string with its quotes. */
void print_json_string(FILE *out, const char *text);

/* Starts bold or a colour ("1", "31"), ends it with NULL; nothing without colours. */
void ctl_style(const struct ctl *ctl, const char *sgr);

/* Waits until the daemon's connection has something, for a loop with timeouts of 0. 1: go on; 0:
 * nobody reads standard output any more, or the command was cancelled (the next call of libackd
 * says so). */
int ctl_wait(struct ctl *ctl);

/* Flushes stdout. False when nobody reads it any more or it is full: the verb should end. */
bool ctl_flush(void);

/* The daemon's clock now; false when it cannot be told. */
bool ctl_daemon_now(struct ctl *ctl, int64_t *now_ns);

/* The verbs. */
extern const struct verb *const verbs[];
extern const size_t verb_count;
const struct verb *verb_find(const char *word, int *several);
/* Says that the word is none, or which ones it may be. EXIT_USAGE. */
int no_verb(const struct ctl *ctl, const char *word, bool several);

#endif
