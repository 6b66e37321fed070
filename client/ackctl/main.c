/* ackctl: netstat, ss, nc and tcpdump of an ackd daemon.
 *
 *     ackctl [GLOBAL OPTIONS] VERB [OPTIONS] [OPERANDS]
 *
 * Verbs may be shortened as long as they stay unambiguous. Everything that a verb can do stands in
 * its struct verb; this file only finds it. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "ctl.h"
#include "units.h"
#include "verbs.h"

#define PREFIX_VERBS_MAX 32

const struct verb *const verbs[] = {
    &verb_ls,    &verb_netstat,     &verb_show,       &verb_why,  &verb_watch,      &verb_capture,
    &verb_open,  &verb_listen,      &verb_accept,     &verb_send, &verb_recv,       &verb_nc,
    &verb_close, &verb_abort,       &verb_kill,       &verb_set,  &verb_stats,      &verb_daemon,
    &verb_key,   &verb_conformance, &verb_completion, &verb_help, &verb_dial_stdio,
};
const size_t verb_count = sizeof verbs / sizeof verbs[0];

const struct verb *verb_find(const char *word, int *several)
{
    const char *names[PREFIX_VERBS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < verb_count; i++) {
        names[n++] = verbs[i]->name;
    }
    int found = prefix_match(word, names, n);
    *several = found == -2;
    return found < 0 ? NULL : verbs[found];
}

int no_verb(const struct ctl *ctl, const char *word, bool several)
{
    if (!several) {
        return ctl_usage(ctl, "there is no command '%s'", word);
    }
    fprintf(stderr, "ackctl: '%s' may mean", word);
    for (size_t i = 0; i < verb_count; i++) {
        if (strncmp(verbs[i]->name, word, strlen(word)) == 0) {
            fprintf(stderr, " %s", verbs[i]->name);
        }
    }
    fputs("\n", stderr);
    return EXIT_USAGE;
}

static void look_at_terminal(struct ctl *ctl)
{
    const char *no_color = getenv("NO_COLOR"), *columns = getenv("COLUMNS"), *term = getenv("TERM");
    struct winsize size;
    uint64_t width;
    if (!isatty(STDOUT_FILENO)) {
        return;
    }
    ctl->color = !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
    ctl->width = 80;
    if (columns && number_parse(columns, 10000, &width) && width) {
        ctl->width = (unsigned)width;
    } else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) {
        ctl->width = size.ws_col;
    }
}

static void print_versions_json(const struct ctl *ctl, const struct ackd_version *daemon)
{
    bool pretty = ctl->json == JSON_PRETTY;
    const char *begin = pretty ? "\n  " : "", *colon = pretty ? ": " : ":";
    printf("{%s\"ackctl\"%s\"%s\"", begin, colon, ackd_library_version());
    if (daemon) {
        printf(",%s\"ackd\"%s", begin, colon);
        print_json_string(stdout, daemon->version);
        printf(",%s\"schema\"%s", begin, colon);
        print_json_string(stdout, daemon->schema);
    }
    fputs(pretty ? "\n}\n" : "}\n", stdout);
}

static int print_versions(struct ctl *ctl)
{
    struct ackd_version version = {0};
    if (!ctl->json) {
        printf("ackctl %s\n", ackd_library_version());
        fflush(stdout);
    }
    /* Without a daemon its version is unknown; that is no error of -V. */
    struct ackd *ackd =
        ctl->ssh_host ? NULL : ackd_connect(ctl->socket ? ctl->socket : ctl->instance, NULL);
    bool known = ackd && ackd_daemon_version(ackd, &version, NULL) == 0;
    if (ctl->json) {
        print_versions_json(ctl, known ? &version : NULL);
    } else if (known) {
        printf("ackd %s (%s)\n", version.version, version.schema);
    }
    ackd_disconnect(ackd);
    return EXIT_DONE;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return true;
        }
    }
    return false;
}

/* Global options, then the verb. */
static int run(struct ctl *ctl, int argc, char **argv)
{
    struct args args = {.tables = {global_options, common_options},
                        .argc = argc,
                        .argv = argv,
                        .stop_at_operand = true};
    int key, several;
    bool versions = false;
    while ((key = args_next(&args)) >= 0) {
        if (key == 'V') {
            versions = true; /* -j may follow */
            continue;
        }
        if (key == 'h' || key == OPT_HELP) {
            help_all(stdout);
            return EXIT_DONE;
        }
        if (!ctl_global(ctl, key, args.value)) {
            return EXIT_USAGE;
        }
    }
    if (key == ARGS_ERROR) {
        return ctl_usage(ctl, "%s", args.error);
    }
    if (versions) {
        return print_versions(ctl);
    }
    if (args.index >= argc) {
        ctl_timer_begin(ctl);
        return run_status(ctl);
    }
    const char *word = argv[args.index++];
    ctl->verb = verb_find(word, &several);
    if (!ctl->verb) {
        return no_verb(ctl, word, several);
    }
    if (wants_help(argc - args.index, argv + args.index)) {
        help_verb(stdout, ctl->verb);
        return EXIT_DONE;
    }
    return ctl->verb->run(ctl, argc - args.index, argv + args.index);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {0};
    setlocale(LC_CTYPE, "");
    if (ctl_signals_begin() < 0) {
        perror("ackctl");
        return EXIT_LIMIT;
    }
    look_at_terminal(&ctl);
    int code = run(&ctl, argc - 1, argv + 1);
    ackd_disconnect(ctl.ackd);
    if (!ctl_flush() && code == EXIT_DONE) {
        if (errno == EPIPE) { /* nobody reads any more, and SIGPIPE is ignored: just as quiet */
            return 128 + SIGPIPE;
        }
        ctl_complain(&ctl, "standard output: %s", strerror(errno));
        code = EXIT_TCP;
    }
    return code;
}
