/* ackctl key: the keys that sign segments (TCP-AO, TCP-MD5), and with key_fast_open.c the secret of
 * Fast Open's cookies. A key's octets are read from a file, a
 * descriptor or standard input, never from the command line, where everybody could see them; and no
 * command shows them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "key.h"
#include "selector.h"
#include "table.h"
#include "units.h"
#include "verbs.h"

enum {
    KEY_FILE = ARGS_NAMES,
    KEY_FD,
    KEY_SEND_ID,
    KEY_RECEIVE_ID,
    KEY_LOCAL,
    KEY_LOCAL_PORT,
    KEY_REMOTE_PORT,
    KEY_EXCLUDE,
    KEY_CURRENT,
    KEY_NEXT,
    KEY_LISTENER,
};

static const struct opt options[] = {
    {KEY_FILE, "file", ARG_REQUIRED, "PATH",
     "add, fast-open: the key is what this file holds; - is stdin"},
    {KEY_FD, "fd", ARG_REQUIRED, "N", "add, fast-open: the key is what this descriptor yields"},
    {KEY_SEND_ID, "send-id", ARG_REQUIRED, "N", "add: KeyID of what we send (TCP-AO)"},
    {KEY_RECEIVE_ID, "receive-id", ARG_REQUIRED, "N", "add: KeyID of what we receive (TCP-AO)"},
    {KEY_LOCAL, "local", ARG_REQUIRED, "ADDR", "add: only for this address of ours"},
    {KEY_LOCAL_PORT, "local-port", ARG_REQUIRED, "PORT", "add: only for this port of ours"},
    {KEY_REMOTE_PORT, "remote-port", ARG_REQUIRED, "PORT", "add: only for this port of the peer"},
    {KEY_EXCLUDE, "exclude-options", ARG_NONE, NULL,
     "add: the MAC leaves out the other TCP options"},
    {'f', "force", ARG_NONE, NULL, "rm: even if connections use it"},
    {KEY_CURRENT, "current", ARG_REQUIRED, "KEY", "use: sign with this key from now on"},
    {KEY_NEXT, "next", ARG_REQUIRED, "KEY", "use: ask the peer to sign with this key"},
    {KEY_LISTENER, "listener", ARG_REQUIRED, "SELECTOR", "fast-open: of this listener alone"},
    {0},
};

struct wanted {
    struct ackd_key key;
    struct key_source source;
    const char *listener;
    bool force;
    uint64_t current, next;
};

/* Of `text`, 0 to most; false after it was reported. */
static bool number(const struct ctl *ctl, const char *text, uint64_t most, uint64_t *value)
{
    if (number_parse(text, most, value)) {
        return true;
    }
    ctl_usage(ctl, "'%s' is not a number up to %" PRIu64, text, most);
    return false;
}

static bool take(const struct ctl *ctl, int key, const char *value, struct wanted *w)
{
    uint64_t v = 0;
    bool good = true;
    switch (key) {
    case KEY_FILE:
        w->source.file = value;
        w->source.given = true;
        break;
    case KEY_LISTENER:
        w->listener = value;
        break;
    case KEY_FD:
        good = number(ctl, value, 65535, &v);
        w->source.fd = (int)v;
        w->source.given = true;
        break;
    case KEY_SEND_ID:
        good = number(ctl, value, 255, &v);
        w->key.send_id = (uint8_t)v;
        break;
    case KEY_RECEIVE_ID:
        good = number(ctl, value, 255, &v);
        w->key.receive_id = (uint8_t)v;
        break;
    case KEY_LOCAL:
        snprintf(w->key.local, sizeof w->key.local, "%s", value);
        break;
    case KEY_LOCAL_PORT:
        good = number(ctl, value, 65535, &v);
        w->key.local_port = (uint16_t)v;
        break;
    case KEY_REMOTE_PORT:
        good = number(ctl, value, 65535, &v);
        w->key.remote_port = (uint16_t)v;
        break;
    case KEY_EXCLUDE:
        w->key.exclude_options = true;
        break;
    case KEY_CURRENT:
        good = number(ctl, value, UINT64_MAX, &w->current);
        break;
    case KEY_NEXT:
        good = number(ctl, value, UINT64_MAX, &w->next);
        break;
    default:
        w->force = true;
    }
    return good;
}

/* ---- add ---- */

static const char *const algorithms[] = {"", "md5", "hmac-sha-1-96", "aes-128-cmac-96"};

/* Whoever types a key does not want to see it. Whether `fd` is a terminal, which is `before` then.
 */
static bool hush(int fd, struct termios *before)
{
    if (fd < 0 || tcgetattr(fd, before) < 0) {
        return false;
    }
    struct termios quiet = *before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    fputs("key: ", stderr);
    return true;
}

/* Until it is full, ends, or was interrupted; a terminal's line is enough. */
static ssize_t read_octets(int fd, char octets[KEY_OCTETS_MAX + 2], bool line)
{
    size_t n = 0;
    ssize_t got = 0;
    while (n < KEY_OCTETS_MAX + 2 && (got = read(fd, octets + n, KEY_OCTETS_MAX + 2 - n)) > 0) {
        n += (size_t)got;
        if (line && octets[n - 1] == '\n') {
            break;
        }
    }
    return got < 0 ? -1 : (ssize_t)n;
}

int key_read(const struct ctl *ctl, const struct key_source *source,
             char octets[KEY_OCTETS_MAX + 2])
{
    bool named = source->file && strcmp(source->file, "-") != 0;
    int fd = named ? open(source->file, O_RDONLY | O_CLOEXEC) : source->file ? 0 : source->fd;
    struct termios before;
    bool terminal = hush(fd, &before);
    ssize_t n = fd < 0 ? -1 : read_octets(fd, octets, terminal);
    int error = errno;
    if (terminal) {
        tcsetattr(fd, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (n < 0 && !ctl_cancelled()) {
        ctl_complain(ctl, "%s: %s", named ? source->file : "the key", strerror(error));
    }
    if (named && fd >= 0) {
        close(fd);
    }
    return (int)n;
}

int key_unread(struct ctl *ctl)
{
    return ctl_cancelled() ? ctl_fail(ctl, "key", &(struct ackd_error){.grpc_code = ACKD_CANCELLED})
                           : EXIT_USAGE;
}

/* The key without the newline that an editor leaves. Its length, or -1 after it was reported. */
static int read_secret(const struct ctl *ctl, const struct wanted *w,
                       char secret[KEY_OCTETS_MAX + 2])
{
    int n = key_read(ctl, &w->source, secret);
    if (n < 0) {
        return -1;
    }
    n -= n > 0 && secret[n - 1] == '\n';
    if (n == 0 || n > KEY_OCTETS_MAX) {
        ctl_complain(ctl, "a key has 1 to %d octets", KEY_OCTETS_MAX);
        return -1;
    }
    return n;
}

static int add(struct ctl *ctl, int count, char **words, struct wanted *w)
{
    struct ackd_error err = {0};
    char secret[KEY_OCTETS_MAX + 2];
    uint64_t id;
    int which = count == 2 ? prefix_match(words[0], algorithms + 1, 3) : -1;
    if (which < 0) {
        return ctl_usage(ctl, "key add md5|hmac-sha-1-96|aes-128-cmac-96 PEER");
    }
    w->key.algorithm = (enum ackd_key_algorithm)(which + 1);
    snprintf(w->key.remote, sizeof w->key.remote, "%s", words[1]);
    int length = read_secret(ctl, w, secret), failed = -1;
    if (length > 0) {
        failed = ackd_add_key(ctl->ackd, &w->key, secret, (size_t)length, &id, &err);
    }
    explicit_bzero(secret, sizeof secret);
    if (length < 0) {
        return key_unread(ctl);
    }
    if (failed < 0) {
        return ctl_fail(ctl, words[1], &err);
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    printf("%" PRIu64 "\n", id);
    return EXIT_DONE;
}

/* ---- ls, rm, use ---- */

static const char *port_text(uint16_t port, char text[8])
{
    snprintf(text, 8, port ? "%u" : "*", port);
    return text;
}

static void key_row(struct table *table, const struct ackd_key *k)
{
    char id[24], ours[80], theirs[80], send[8] = "-", receive[8] = "-", uses[16], port[8];
    snprintf(id, sizeof id, "%" PRIu64, k->key_id);
    snprintf(ours, sizeof ours, "%s port %s", *k->local ? k->local : "*",
             port_text(k->local_port, port));
    snprintf(theirs, sizeof theirs, "%s port %s", k->remote, port_text(k->remote_port, port));
    if (k->algorithm != ACKD_KEY_ALGORITHM_MD5) {
        snprintf(send, sizeof send, "%u", k->send_id);
        snprintf(receive, sizeof receive, "%u", k->receive_id);
    }
    snprintf(uses, sizeof uses, "%" PRIu32, k->connections);
    const char *algorithm = k->algorithm <= 3 ? algorithms[k->algorithm] : "?";
    table_row(table,
              (const char *[]){id, algorithm, send, receive, ours, theirs, uses,
                               k->exclude_options ? "exclude-options" : "", "(hidden)"},
              NULL);
}

static int list(struct ctl *ctl)
{
    static const struct column columns[] = {
        {"KEY", true, false},     {"ALGORITHM", false, false}, {"SEND", true, false},
        {"RECEIVE", true, false}, {"LOCAL", false, false},     {"PEER", false, false},
        {"USED", true, false},    {"FLAGS", false, false},     {"SECRET", false, false}};
    struct ackd_error err = {0};
    const struct ackd_key *keys;
    struct table table;
    size_t n;
    if (ackd_keys(ctl->ackd, 0, &keys, &n, &err) < 0) {
        return ctl_fail(ctl, "keys", &err);
    }
    if (ctl->json) {
        return ctl_print_json(ctl, ackd_reply(ctl->ackd));
    }
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < n; i++) {
        key_row(&table, &keys[i]);
    }
    table_print(&table, stdout, true, ctl->color, ctl->width);
    return EXIT_DONE;
}

static int rm(struct ctl *ctl, int count, char **words, const struct wanted *w)
{
    struct ackd_error err = {0};
    uint64_t id;
    if (!count) {
        return ctl_usage(ctl, "which key?");
    }
    for (int i = 0; i < count; i++) {
        if (!number(ctl, words[i], UINT64_MAX, &id)) {
            return EXIT_USAGE;
        }
        if (ackd_remove_key(ctl->ackd, id, w->force, &err) < 0) {
            return ctl_fail(ctl, words[i], &err);
        }
    }
    return EXIT_DONE;
}

static int use(struct ctl *ctl, int count, char **words, const struct wanted *w)
{
    struct ackd_error err = {0};
    uint64_t id;
    if (count != 1 || (!w->current && !w->next)) {
        return ctl_usage(ctl, "key use SELECTOR --current KEY, --next KEY, or both");
    }
    int code = selector_resolve(ctl, words[0], 0, &id);
    if (code) {
        return code;
    }
    return ackd_use_key(ctl->ackd, id, w->current, w->next, &err) < 0
               ? ctl_fail(ctl, words[0], &err)
               : EXIT_DONE;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    static const char *const parts[] = {"add", "ls", "rm", "use", "fast-open"};
    struct args args = ctl_args(ctl, argc, argv);
    struct wanted w = {0};
    int key;
    while ((key = ctl_option(ctl, &args)) != ARGS_END) {
        if (key == ARGS_ERROR || !take(ctl, key, args.value, &w)) {
            return EXIT_USAGE;
        }
    }
    int part = args.operands ? prefix_match(argv[0], parts, 5) : 1;
    int count = args.operands ? args.operands - 1 : 0;
    if (part < 0) {
        return ctl_usage(ctl, "'%s' is none of add, ls, rm, use, fast-open", argv[0]);
    }
    if (!ctl_connect(ctl)) {
        return ctl->exit_code;
    }
    switch (part) {
    case 0:
        return add(ctl, count, argv + 1, &w);
    case 1:
        return list(ctl);
    case 2:
        return rm(ctl, count, argv + 1, &w);
    case 3:
        return use(ctl, count, argv + 1, &w);
    default:
        return key_fast_open(ctl, count, argv + 1, &w.source, w.listener);
    }
}

const struct verb verb_key = {
    .name = "key",
    .operands = "[add ALGORITHM PEER | ls | rm KEY... | use SELECTOR | fast-open set|rotate|reset]",
    .summary = "the keys that sign segments (TCP-AO, TCP-MD5), and Fast Open's",
    .details = "ALGORITHM is md5, hmac-sha-1-96 or aes-128-cmac-96, PEER an ADDR or ADDR/LEN. The "
               "key itself is read from a file, a\n"
               "descriptor, or standard input, without a final newline; nothing ever shows it. add "
               "prints the number of the key.\n"
               "fast-open: the secret of listeners' cookies. set takes a key, or KEY,BACKUP, as in "
               "net.ipv4.tcp_fastopen_key, or 16 or\n"
               "32 octets; rotate makes the present key the backup (without a new key a random one "
               "is taken); reset gives it up.",
    .complete = "add ls rm use fast-open set rotate reset",
    .options = options,
    .run = run,
};
